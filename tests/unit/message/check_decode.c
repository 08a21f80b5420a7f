/* SPDX-License-Identifier: Apache-2.0 */
#include "message/decode.h"

#include <malloc.h>
#include <stdio.h>

#include "message_test.h"

#define START "INVITE sip:+8613900139000@192.0.2.7;user=phone SIP/2.0\r\n"
#define VIA   "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1, SIP/2.0/TCP [2001:db8::2]:70\r\n"
#define FROM  "From: \"Li \\\"W\\\"\" <sip:%2b86138;npdi@GW.example;user=phone>;tag=1\r\n"
#define TO    "To: <tel:+86-139;phone-context=+86>\r\n"
#define REST  "Call-ID: 1==\r\nCSeq: 7 INVITE\r\nMax-Forwards: 070\r\n"
#define END   "Content-Length: 0\r\n\r\n"

static struct smsg_decoder *decoder;
static struct smsg message;
static struct smsg_decoded decoded;

static void setup(void)
{
    ck_assert_int_eq(smsg_decoder_create(&decoder), 0);
}

static void teardown(void)
{
    smsg_decoder_destroy(decoder);
}

static int decode(struct slice text)
{
    ck_assert_int_eq(smsg_scan(&message, text), 0);
    return smsg_decode(decoder, &message, &decoded);
}

START_TEST(parties)
{
    ck_assert_int_eq(decode(SLICE(START VIA FROM TO REST END)), 0);
    ck_assert_slice(decoded.request_uri.scheme, "sip");
    ck_assert_slice(decoded.request_uri.user, "+8613900139000");
    ck_assert_slice(decoded.request_uri.host, "192.0.2.7");
    ck_assert_slice(decoded.request_uri.uri_params, "user=phone");
    ck_assert_slice(decoded.from.display, "Li \"W\"");
    ck_assert_slice(decoded.from.user, "+86138;npdi");
    ck_assert_slice(decoded.from.host, "GW.example");
    ck_assert_slice(decoded.to.scheme, "tel");
    ck_assert_slice(decoded.to.user, "+86-139");
    ck_assert_absent(decoded.to.host);
    ck_assert_slice(decoded.to.uri_params, "phone-context=+86");
    ck_assert_absent(decoded.to.display);
    ck_assert_uint_eq(decoded.asserted_count, 0);
    ck_assert_uint_eq(decoded.diversion_count, 0);
    ck_assert_uint_eq(decoded.history_count, 0);
    ck_assert(!decoded.remote_party_present && !decoded.privacy_any && !decoded.privacy_id);
}
END_TEST

START_TEST(asserted_and_remote_party)
{
    ck_assert_int_eq(decode(SLICE(START VIA FROM TO REST
                                  "P-Asserted-Identity: \"C, D\" <sip:+861@h>, <tel:+862>\r\n"
                                  "P-Asserted-Identity: sip:anonymous@anonymous.invalid\r\n"
                                  "Remote-Party-ID: R <sip:3@h>;party=calling, <sip:4@h>\r\n"
                                  "Remote-Party-ID: <sip:5@h>\r\n" END)),
                     0);
    ck_assert_uint_eq(decoded.asserted_count, 3);
    ck_assert_slice(decoded.asserted[0].display, "C, D");
    ck_assert_slice(decoded.asserted[0].user, "+861");
    ck_assert_slice(decoded.asserted[1].user, "+862");
    ck_assert_slice(decoded.asserted[2].host, "anonymous.invalid");
    ck_assert(decoded.remote_party_present);
    ck_assert_slice(decoded.remote_party.user, "3");
    ck_assert_slice(decoded.remote_party.display, "R");
}
END_TEST

START_TEST(diversion_topmost_first)
{
    ck_assert_int_eq(decode(SLICE(START VIA FROM TO REST
                                  "Diversion: <sip:8@h>;counter=1;reason=unconditional\r\n"
                                  "Diversion: <tel:9>;reason=\"user-busy\",<sip:7@h>\r\n" END)),
                     0);
    ck_assert_uint_eq(decoded.diversion_count, 3);
    ck_assert_slice(decoded.diversion[0].user, "8");
    ck_assert_slice(decoded.diversion[0].reason, "unconditional");
    ck_assert_slice(decoded.diversion[1].reason, "user-busy");
    ck_assert_absent(decoded.diversion[2].reason);
}
END_TEST

START_TEST(history_causes)
{
    ck_assert_int_eq(
        decode(
            SLICE(START VIA FROM TO REST
                  "History-Info: <sip:1@h?Reason=SIP%3Bcause%3D302%3Btext%3D%22x%22>;index=1,\r\n"
                  " <sip:2@h;cause=486>;index=1.1, <sip:3@h?Privacy=history&reason=Q.850%3B"
                  "cause%3D16>;index=1.1.1, <sip:4@h>;index=1.2\r\n" END)),
        0);
    ck_assert_uint_eq(decoded.history_count, 4);
    ck_assert_slice(decoded.history[0].cause, "302");
    ck_assert_slice(decoded.history[1].cause, "486");
    ck_assert_slice(decoded.history[2].cause, "16");
    ck_assert_absent(decoded.history[3].cause);
    ck_assert_slice(decoded.history[3].user, "4");
}
END_TEST

START_TEST(more_identities_than_fit)
{
    ck_assert_int_eq(decode(SLICE(START VIA FROM TO REST
                                  "Diversion: <sip:0@h>,<sip:1@h>,<sip:2@h>,<sip:3@h>,<sip:4@h>,"
                                  "<sip:5@h>,<sip:6@h>,<sip:7@h>,<sip:8@h>\r\n" END)),
                     0);
    ck_assert_uint_eq(decoded.diversion_count, SMSG_IDENTITY_LIMIT);
    ck_assert_slice(decoded.diversion[7].user, "7");
}
END_TEST

static const struct privacy_row {
    const char *value;
    bool id, any;
} privacy_rows[] = {
    {"id", true, true},
    {"none", false, false},
    {"header;ID", true, true},
    {"user, id", true, true},
    {"user", false, true},
    {"", false, false},
    {"none\r\nPrivacy: id", true, true},
};

START_TEST(privacy)
{
    const struct privacy_row *row = &privacy_rows[_i];
    char text[1024];
    int length =
        snprintf(text, sizeof text, "%sPrivacy: %s\r\n\r\n", START VIA FROM TO REST, row->value);

    ck_assert_int_eq(decode(slice_make(text, (size_t)length)), 0);
    ck_assert(decoded.privacy_id == row->id);
    ck_assert(decoded.privacy_any == row->any);
}
END_TEST

START_TEST(nul_hides_nothing)
{
    ck_assert_int_eq(
        decode(SLICE(START VIA "From: \"a\0\\\" <sip:x@y>\\\0\" <sip:b@h>;tag=1\r\n" TO REST
                               "Diversion: \"\0\" <sip:1@h>\r\n" END)),
        0);
    ck_assert_uint_eq(decoded.from.display.length, 14);
    ck_assert_slice(decoded.from.user, "b");
    ck_assert_slice(decoded.diversion[0].user, "1");
}
END_TEST

START_TEST(names_that_sofia_would_not_take)
{
    ck_assert_int_eq(decode(SLICE(START VIA "From: \xd5\xc5 (x@y) <sip:b@h>;tag=1\r\n"
                                            "To: \r\n <sip:a@h>\r\n ;x\r\n" REST END)),
                     0);
    ck_assert_slice(decoded.from.display, "\xd5\xc5 (x@y)");
    ck_assert_slice(decoded.from.user, "b");
}
END_TEST

START_TEST(other_schemes)
{
    ck_assert_int_eq(
        decode(SLICE("INVITE urn:service:sos SIP/2.0\r\n" VIA
                     "From: <http://x/y?z>;tag=1\r\nTo: <URN:service:sos>\r\n" REST END)),
        0);
    ck_assert_slice(decoded.request_uri.user, "service:sos");
    ck_assert_slice(decoded.from.scheme, "http");
    ck_assert_absent(decoded.from.user);
}
END_TEST

START_TEST(malformed_identities)
{
    static const char *const lines[] = {
        "P-Asserted-Identity: <sip:a@b",   "P-Asserted-Identity: \"open", "Diversion: <sip:a@>",
        "History-Info: <sip:2001:db8::1>", "Remote-Party-ID: nothing",
    };
    char text[1024];
    int length = snprintf(text, sizeof text, "%s%s\r\n\r\n", START VIA FROM TO REST, lines[_i]);

    ck_assert_int_eq(decode(slice_make(text, (size_t)length)), ERROR_MALFORMED);
}
END_TEST

/* Scan's result is changed under the decoder: each part that both read must be noticed. */
START_TEST(disagreement)
{
    ck_assert_int_eq(decode(SLICE(START VIA FROM TO REST END)), 0);
    switch (_i) {
    case 0:
        message.via.branch.length--;
        break;
    case 1:
        message.call_id.length--;
        break;
    case 2:
        message.cseq++;
        break;
    case 3:
        message.from.tag = SLICE("2");
        break;
    case 4:
        message.to.tag = SLICE("2");
        break;
    case 5:
        message.max_forwards--;
        break;
    case 6:
        message.content_length++;
        break;
    case 7:
        message.via.host.length--;
        break;
    case 8:
        message.via.port = 5060;
        break;
    default:
        message.from.tag = slice_make(NULL, 0);
        break;
    }
    ck_assert_int_eq(smsg_decode(decoder, &message, &decoded), ERROR_DISAGREE);
}
END_TEST

START_TEST(warm_decoder_keeps_its_memory)
{
    size_t before;

    for (unsigned i = 0; i < 4; i++)
        ck_assert_int_eq(decode(SLICE(START VIA FROM TO REST "Diversion: <sip:8@h>;a;b;c;d;e;f;g;"
                                                             "h;i;j;k;l\r\n" END)),
                         0);
    before = mallinfo2().uordblks;
    for (unsigned i = 0; i < 64; i++)
        ck_assert_int_eq(smsg_decode(decoder, &message, &decoded), 0);
    ck_assert_uint_eq(mallinfo2().uordblks, before);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, parties);
    tcase_add_test(tests, asserted_and_remote_party);
    tcase_add_test(tests, diversion_topmost_first);
    tcase_add_test(tests, history_causes);
    tcase_add_test(tests, more_identities_than_fit);
    tcase_add_loop_test(tests, privacy, 0, (int)(sizeof privacy_rows / sizeof privacy_rows[0]));
    tcase_add_test(tests, nul_hides_nothing);
    tcase_add_test(tests, names_that_sofia_would_not_take);
    tcase_add_test(tests, other_schemes);
    tcase_add_loop_test(tests, malformed_identities, 0, 5);
    tcase_add_loop_test(tests, disagreement, 0, 10);
    tcase_add_test(tests, warm_decoder_keeps_its_memory);
}

int main(void)
{
    return test_run("decode", add);
}
