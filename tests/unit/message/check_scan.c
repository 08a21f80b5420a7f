/* SPDX-License-Identifier: Apache-2.0 */
#include "message_test.h"

#define REQUEST_LINE "OPTIONS sip:+8613800138000@192.0.2.1 SIP/2.0\r\n"
#define VIA          "Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKabc\r\n"
#define FROM         "From: \"A\" <sip:a@example.com>;tag=1\r\n"
#define TO           "To: <sip:b@example.com>\r\n"
#define REST         "Call-ID: x1@example.com\r\nCSeq: 7 OPTIONS\r\nMax-Forwards: 70\r\n"
#define LENGTH_0     "Content-Length: 0\r\n\r\n"

static struct smsg message;
static struct slice held;

static int scan(struct slice text)
{
    test_release(held);
    held = test_exact(text);
    return smsg_scan(&message, held);
}

#define scan_text(text) scan(SLICE(text))

#define ck_assert_scans(bytes)                                                   \
    do {                                                                         \
        int code_ = scan_text(bytes);                                            \
        ck_assert_msg(code_ == 0 && message.bad == SMSG_BAD_NONE, "refused: %s", \
                      smsg_bad_rows[message.bad].text);                          \
    } while (0)

#define ck_assert_bad(text, why)                                                             \
    do {                                                                                     \
        ck_assert_int_eq(scan_text(text), ERROR_MALFORMED);                                  \
        ck_assert_str_eq(smsg_bad_rows[message.bad].key, smsg_bad_rows[SMSG_BAD_##why].key); \
    } while (0)

START_TEST(reads_what_a_proxy_needs)
{
    ck_assert_scans(REQUEST_LINE VIA FROM TO REST LENGTH_0);
    ck_assert(message.is_request);
    ck_assert_int_eq(message.method, SMSG_METHOD_OPTIONS);
    ck_assert_slice(message.request_uri, "sip:+8613800138000@192.0.2.1");
    ck_assert_slice(message.via.transport, "UDP");
    ck_assert_slice(message.via.host, "192.0.2.9");
    ck_assert_uint_eq(message.via.port, 5070);
    ck_assert_slice(message.via.branch, "z9hG4bKabc");
    ck_assert_absent(message.via.received);
    ck_assert_slice(message.from.uri, "sip:a@example.com");
    ck_assert_slice(message.from.tag, "1");
    ck_assert_slice(message.to.uri, "sip:b@example.com");
    ck_assert_absent(message.to.tag);
    ck_assert_slice(message.call_id, "x1@example.com");
    ck_assert_uint_eq(message.cseq, 7);
    ck_assert_int_eq(message.max_forwards, 70);
    ck_assert_int_eq(message.content_length, 0);
    ck_assert_uint_eq(message.header_count, 7);
    ck_assert_uint_eq(message.body.length, 0);
}
END_TEST

START_TEST(understands_compact_names_and_odd_case)
{
    ck_assert_scans(REQUEST_LINE "v: SIP/2.0/TCP h;branch=b\r\nF: sip:a@b;tag=x\r\nt : sip:c@d\r\n"
                                 "I:id\r\ncsEQ:1 OPTIONS\r\nmax-FORWARDS\t: 3\r\nl: 2\r\n\r\nhi");
    ck_assert_slice(message.via.transport, "TCP");
    ck_assert_slice(message.from.tag, "x");
    ck_assert_slice(message.to.uri, "sip:c@d");
    ck_assert_slice(message.call_id, "id");
    ck_assert_int_eq(message.max_forwards, 3);
    ck_assert_slice(message.body, "hi");
}
END_TEST

START_TEST(understands_folds_and_loose_white_space)
{
    ck_assert_scans("INVITE sip:c@d;x SIP/2.0\r\n"
                    "TO :\r\n sip:c@d ;   tag    = 19n\r\n"
                    "from   : \"J \\\\\\\"\"       <sip:a@b>\r\n  ;\r\n  tag = 98\r\n"
                    "Call-ID:\r\n\tw@x\r\n"
                    "cseq: 0009\r\n  INVITE\r\n"
                    "Via  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2 : 5080 ; branch = 390\r\n"
                    "s :\r\n"
                    "v:  SIP  / 2.0  / TCP     h2 ;\r\n  branch  =   z9  ,\r\n"
                    " SIP  /    2.0   / UDP  h3\r\n\r\n");
    ck_assert_slice(message.to.tag, "19n");
    ck_assert_slice(message.from.uri, "sip:a@b");
    ck_assert_slice(message.from.tag, "98");
    ck_assert_slice(message.call_id, "w@x");
    ck_assert_uint_eq(message.cseq, 9);
    ck_assert_slice(message.cseq_method, "INVITE");
    ck_assert_slice(message.via.transport, "UDP");
    ck_assert_slice(message.via.host, "192.0.2.2");
    ck_assert_uint_eq(message.via.port, 5080);
    ck_assert_slice(message.via.branch, "390");
    ck_assert_slice(smsg_value(&message, smsg_first(&message, SMSG_HEADER_SUBJECT)), "");
}
END_TEST

START_TEST(understands_lf_only_and_leading_line_ends)
{
    ck_assert_scans(
        "\r\n\r\nOPTIONS sip:h SIP/2.0\nVia: SIP/2.0/UDP h\nFrom: sip:a@b\nTo: sip:c@d\n"
        "Call-ID: 1\nCSeq: 1 OPTIONS\n\nbody");
    ck_assert_slice(slice_first(message.bytes, 7), "OPTIONS");
    ck_assert_slice(message.body, "body");
    ck_assert_int_eq(message.max_forwards, -1);
    ck_assert_int_eq(message.content_length, -1);
    ck_assert_absent(message.via.branch);
}
END_TEST

START_TEST(topmost_via_of_several_on_one_line)
{
    ck_assert_scans(REQUEST_LINE
                    "Via: SIP/2.0/UDP [2001:db8::1]:5062;received=2001:db8::9;rport=77"
                    ";maddr=m.example, SIP/2.0/TCP other;branch=no\r\n" FROM TO REST LENGTH_0);
    ck_assert_slice(message.via.value, "SIP/2.0/UDP [2001:db8::1]:5062;received=2001:db8::9;"
                                       "rport=77;maddr=m.example");
    ck_assert_slice(message.via.host, "2001:db8::1");
    ck_assert_uint_eq(message.via.port, 5062);
    ck_assert_slice(message.via.received, "2001:db8::9");
    ck_assert_slice(message.via.maddr, "m.example");
    ck_assert_slice(message.via.rport, "rport=77");
    ck_assert(message.via.rport_present);
    ck_assert_absent(message.via.branch);
}
END_TEST

START_TEST(refuses_malformed_via)
{
    static const char *const values[] = {
        "",
        ",",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/3.0/UDP h",
        "SIP/2.0 UDP h",
        "SIP/2.0/UDP h:",
        "SIP/2.0/UDP h:0",
        "SIP/2.0/UDP h:65536",
        "SIP/2.0/UDP 2001:db8::1",
        "SIP/2.0/UDP [2001:db8::1",
        "SIP/2.0/UDP h;",
        "SIP/2.0/UDP h;;branch=x",
        "SIP/2.0/UDP h;branch",
        "SIP/2.0/UDP h;branch=",
        "SIP/2.0/UDP h;branch=a;branch=b",
        "SIP/2.0/UDP h;rport;rport",
        "SIP/2.0/UDP h;received=\"1.2.3.4\"",
        "SIP/2.0/UDP h;branch=a b",
        "SIP/2.0/UDP h (note)",
    };
    struct smsg_via via;

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        ck_assert_msg(smsg_via_parse(slice_of_text(values[i]), &via) == ERROR_MALFORMED, "%s",
                      values[i]);
        ck_assert_absent(via.value);
    }
}
END_TEST

START_TEST(keeps_binary_bytes)
{
    ck_assert_scans(REQUEST_LINE VIA "From: \"a\0b\" <sip:a@b>;tag=t\r\n" TO REST
                                     "Content-Length: 4\r\n\r\n\0\r\n\xff");
    ck_assert_slice(message.from.tag, "t");
    ck_assert_uint_eq(message.body.length, 4);
    ck_assert_int_eq(message.body.data[0], 0);
}
END_TEST

START_TEST(keep_alives)
{
    ck_assert_bad("", KEEPALIVE);
    ck_assert_bad("\r\n\r\n", KEEPALIVE);
    ck_assert_bad("\r\n\r\n\r\n\r\n\r\n", KEEPALIVE);
    ck_assert_bad("\0\0\0\0", KEEPALIVE);
    ck_assert_bad("\0\0\0\0\0", NOT_SIP);
}
END_TEST

START_TEST(what_is_not_sip)
{
    ck_assert_bad("jaK\0", NOT_SIP);
    ck_assert_bad("GET / HTTP/1.1\r\nHost: x\r\n\r\n", NOT_SIP);
    ck_assert_bad("INVITE sip:a@b\r\nTo: x\r\n\r\n", NOT_SIP);
    ck_assert_bad("INVITE sip:a@b SIP/2.0", NOT_SIP);
    ck_assert_bad("SIP/x 200 OK\r\n\r\n", NOT_SIP);
}
END_TEST

START_TEST(start_lines)
{
#define WITH(line) line "\r\n" VIA FROM TO REST LENGTH_0
    ck_assert_bad(WITH("OPTIONS  sip:a@b  SIP/2.0"), START_LINE);
    ck_assert_bad(WITH("OPTIONS sip:a@b SIP/2.0 "), START_LINE);
    ck_assert_bad(WITH("OPTIONS sip:a@b SIP/2."), START_LINE);
    ck_assert_bad(WITH("OPTIONS SIP/2.0"), START_LINE);
    ck_assert_bad(WITH(" sip:a@b SIP/2.0"), START_LINE);
    ck_assert_bad(WITH("OPT\x01IONS sip:a@b SIP/2.0"), START_LINE);
    ck_assert_bad(WITH("OPTIONS sip:a\r@b SIP/2.0"), START_LINE);
    ck_assert_bad(WITH("OPTIONS sip:a@b SIP/3.0"), VERSION);
    ck_assert_bad(WITH("OPTIONS sip:a@b; lr SIP/2.0"), REQUEST_URI);
    ck_assert_bad(WITH("OPTIONS <sip:a@b> SIP/2.0"), REQUEST_URI);
    ck_assert_bad(WITH("OPTIONS sip:a@b?Route=x SIP/2.0"), REQUEST_URI);
    ck_assert_bad(WITH("OPTIONS sip:2001:db8::10 SIP/2.0"), REQUEST_URI);
    ck_assert_bad(WITH("OPTIONS soap.beep://h:3002 SIP/2.0"), URI_SCHEME);
    ck_assert_scans(WITH("OPTIONS tel:110;phone-context=+86 SIP/2.0"));
    ck_assert_scans(WITH("OPTIONS urn:service:sos SIP/2.0"));
    ck_assert_scans(WITH("OPTIONS SIPS:a@b sip/2.0"));
#undef WITH
}
END_TEST

START_TEST(status_lines)
{
#define WITH(line) line "\r\n" VIA FROM TO REST LENGTH_0
    ck_assert_scans(WITH("SIP/2.0 200 "));
    ck_assert_slice(message.reason, "");
    ck_assert_scans(WITH("SIP/2.0 486"));
    ck_assert_scans(WITH("SIP/2.0 183 \xe8\xbf\x9b = 2**3"));
    ck_assert_uint_eq(message.status, 183);
    ck_assert(!message.is_request);
    ck_assert_int_eq(message.method, SMSG_METHOD_OPTIONS);
    ck_assert_bad(WITH("SIP/2.0 4294967301 better"), STATUS);
    ck_assert_bad(WITH("SIP/2.0 099 low"), STATUS);
    ck_assert_bad(WITH("SIP/2.0 700 high"), STATUS);
    ck_assert_bad(WITH("SIP/2.0  200 OK"), START_LINE);
    ck_assert_bad(WITH("SIP/2.0 20 OK"), START_LINE);
    ck_assert_bad(WITH("SIP/7.0 200 OK"), VERSION);
#undef WITH
}
END_TEST

START_TEST(header_lines)
{
    ck_assert_bad(REQUEST_LINE VIA FROM TO REST "No colon\r\n" LENGTH_0, HEADER_SYNTAX);
    ck_assert_bad(REQUEST_LINE VIA FROM TO REST ": empty\r\n" LENGTH_0, HEADER_SYNTAX);
    ck_assert_bad(REQUEST_LINE " folded: x\r\n" VIA FROM TO REST LENGTH_0, HEADER_SYNTAX);
    ck_assert_bad(REQUEST_LINE VIA FROM TO REST "X(y): z\r\n" LENGTH_0, HEADER_SYNTAX);
    ck_assert_bad(REQUEST_LINE VIA FROM TO REST "X: a\rTo: b\r\n" LENGTH_0, HEADER_SYNTAX);
    ck_assert_bad(REQUEST_LINE VIA FROM TO REST "X: a", TRUNCATED);
    ck_assert_bad(REQUEST_LINE VIA FROM TO REST "X: a\r", TRUNCATED);
    /* A header that was refused is not echoed either. */
    ck_assert_bad(REQUEST_LINE "Via: a\rb\r\n" FROM TO REST LENGTH_0, MISSING_VIA);
}
END_TEST

START_TEST(missing_and_repeated_headers)
{
    ck_assert_bad(REQUEST_LINE FROM TO REST LENGTH_0, MISSING_VIA);
    ck_assert_bad(REQUEST_LINE VIA TO REST LENGTH_0, MISSING_HEADER);
    ck_assert_bad(REQUEST_LINE VIA FROM REST LENGTH_0, MISSING_HEADER);
    ck_assert_bad(REQUEST_LINE VIA FROM TO LENGTH_0, MISSING_HEADER);
    ck_assert_bad(REQUEST_LINE VIA FROM FROM TO REST LENGTH_0, DUPLICATE_HEADER);
    ck_assert_bad(REQUEST_LINE VIA FROM TO "t: sip:x@y\r\n" REST LENGTH_0, DUPLICATE_HEADER);
    ck_assert_bad(REQUEST_LINE VIA FROM TO REST "i: 2\r\n" LENGTH_0, DUPLICATE_HEADER);
    ck_assert_bad(REQUEST_LINE VIA FROM TO REST "CSeq: 7 OPTIONS\r\n" LENGTH_0, DUPLICATE_HEADER);
}
END_TEST

START_TEST(malformed_parties)
{
#define WITH(value) REQUEST_LINE VIA "From: " value "\r\n" TO REST LENGTH_0
    ck_assert_bad(WITH("\"J. User <sip:j@b>"), FROM);
    ck_assert_bad(WITH("Bell, A <sip:j@b>"), FROM);
    ck_assert_bad(WITH("< sip:j@b >"), FROM);
    ck_assert_bad(WITH("<sip:j@b"), FROM);
    ck_assert_bad(WITH("<>"), FROM);
    ck_assert_bad(WITH(""), FROM);
    ck_assert_bad(WITH("<sip:j@b>;tag=1;tag=2"), FROM);
    ck_assert_bad(WITH("<sip:j@b>;tag="), FROM);
    ck_assert_bad(WITH("<sip:j@b>;;tag=1"), FROM);
    ck_assert_bad(WITH("<sip:j@b> tag=1"), FROM);
    ck_assert_bad(WITH("sip:j@b?x=y"), FROM);
    ck_assert_scans(WITH("caller<sip:j@b>;tag=1"));
    ck_assert_scans(WITH("\xe5\xbc\xa0\xe4\xb8\x89 <sip:j@b>;tag=1"));
    ck_assert_scans(WITH("sip:j@b;tag=1"));
    ck_assert_slice(message.from.uri, "sip:j@b");
    ck_assert_bad(REQUEST_LINE VIA FROM "To: \"x\r\n" REST LENGTH_0, TO);
#undef WITH
}
END_TEST

START_TEST(numbers_and_methods)
{
#define WITH(text) REQUEST_LINE VIA FROM TO "Call-ID: 1\r\n" text "\r\n\r\n"
    ck_assert_scans(WITH("CSeq: 2147483647 OPTIONS"));
    ck_assert_bad(WITH("CSeq: 2147483648 OPTIONS"), CSEQ);
    ck_assert_bad(WITH("CSeq: 36893488147419103232 OPTIONS"), CSEQ);
    ck_assert_bad(WITH("CSeq: 1"), CSEQ);
    ck_assert_bad(WITH("CSeq: 1OPTIONS"), CSEQ);
    ck_assert_bad(WITH("CSeq: -1 OPTIONS"), CSEQ);
    ck_assert_bad(WITH("CSeq: 1 OPTIONS x"), CSEQ);
    ck_assert_bad(WITH("CSeq: 1 options"), CSEQ_METHOD);
    ck_assert_bad(WITH("CSeq: 1 OPTIONS\r\nMax-Forwards: 256"), MAX_FORWARDS);
    ck_assert_bad(WITH("CSeq: 1 OPTIONS\r\nMax-Forwards: x"), MAX_FORWARDS);
    ck_assert_scans(WITH("CSeq: 1 OPTIONS\r\nMax-Forwards: 0068"));
    ck_assert_int_eq(message.max_forwards, 68);
    ck_assert_bad("NEW sip:a@b SIP/2.0\r\n" VIA FROM TO REST LENGTH_0, UNKNOWN_METHOD_MISMATCH);
    ck_assert_bad(REQUEST_LINE VIA FROM TO "Call-ID: a b\r\nCSeq: 1 OPTIONS\r\n\r\n", CALL_ID);
    ck_assert_bad(REQUEST_LINE VIA FROM TO "Call-ID:\r\nCSeq: 1 OPTIONS\r\n\r\n", CALL_ID);
    ck_assert_bad(WITH("CSeq: 1 OPTIONS\r\nRoute: <sip:a@b"), ROUTE);
#undef WITH
}
END_TEST

START_TEST(content_length)
{
#define WITH(text) REQUEST_LINE VIA FROM TO REST text
    ck_assert_bad(WITH("Content-Length: -1\r\n\r\n"), CONTENT_LENGTH);
    ck_assert_bad(WITH("l: 0\r\nContent-Length: 1\r\n\r\nx"), CONTENT_LENGTH);
    ck_assert_scans(WITH("l: 1\r\nContent-Length: 01\r\n\r\nx"));
    ck_assert_bad(WITH("l: 2\r\n\r\nx"), TRUNCATED);
    ck_assert_bad(WITH("l: 99999999999999999999\r\n\r\nx"), CONTENT_LENGTH);
    ck_assert_bad(WITH("l: 1\r\n"), TRUNCATED);
    ck_assert_bad(WITH(""), TRUNCATED);
    ck_assert_scans(WITH("l: 0\r\n")); /* RFC 5118 section 4.10 ends so */
    ck_assert_uint_eq(message.headers_end, message.bytes.length);
    ck_assert_scans(WITH("l: 1\r\n\r\nx INVITE surplus"));
    ck_assert_slice(message.body, "x");
    ck_assert_ptr_eq(slice_past(message.bytes), slice_past(message.body));
    ck_assert_scans(WITH("l: 3\r\n\r\n  x")); /* the body's white space is no fold */
    ck_assert_slice(message.body, "  x");
#undef WITH
}
END_TEST

START_TEST(limits)
{
    static char text[65536];
    struct slice head = SLICE(REQUEST_LINE VIA FROM TO REST);
    size_t length = head.length;

    memcpy(text, head.data, head.length);
    for (unsigned i = 6; i <= SMSG_HEADER_LIMIT; i++, length += 6)
        memcpy(text + length, "X: y\r\n", 6);
    memcpy(text + length, "\r\n", 2);
    ck_assert_int_eq(scan(slice_make(text, length + 2)), ERROR_MALFORMED);
    ck_assert_int_eq(message.bad, SMSG_BAD_TOO_MANY_HEADERS);
    ck_assert_uint_eq(message.header_count, SMSG_HEADER_LIMIT);
    memcpy(text + length - 6, "\r\n", 2);
    ck_assert_int_eq(scan(slice_make(text, length - 4)), 0);

    length = head.length;
    memcpy(text + length, "Record-Route: ", 14);
    length += 14;
    for (unsigned i = 0; i <= SMSG_VALUE_LIMIT; i++, length += 4)
        memcpy(text + length, "<a>,", 4);
    memcpy(text + length, "\r\n\r\n", 4);
    ck_assert_int_eq(scan(slice_make(text, length + 4)), ERROR_MALFORMED);
    ck_assert_int_eq(message.bad, SMSG_BAD_TOO_MANY_VALUES);
    memcpy(text + length - 4, "\r\n\r\n", 4);
    ck_assert_int_eq(scan(slice_make(text, length)), 0);
}
END_TEST

START_TEST(finds_headers_by_name)
{
    const struct smsg_header *header;

    ck_assert_scans(REQUEST_LINE VIA "v: SIP/2.0/UDP two\r\n" FROM TO REST
                                     "X-One: 1\r\nx-two: 2\r\nX-TWO: 3\r\n" LENGTH_0);
    header = smsg_first(&message, SMSG_HEADER_VIA);
    header = smsg_next(&message, header);
    ck_assert_slice(smsg_value(&message, header), "SIP/2.0/UDP two");
    ck_assert_slice(smsg_name(&message, header), "v");
    ck_assert_ptr_null(smsg_next(&message, header));
    ck_assert_slice(smsg_value(&message, smsg_find(&message, SLICE("X-Two"))), "2");
    ck_assert_slice(smsg_value(&message, smsg_find(&message, SLICE("call-id"))), "x1@example.com");
    ck_assert_ptr_null(smsg_find(&message, SLICE("X-Three")));
    ck_assert_ptr_null(smsg_find(&message, SLICE("Route")));
}
END_TEST

START_TEST(an_empty_value_lies_on_its_line)
{
    const struct smsg_header *header;

    ck_assert_scans(REQUEST_LINE VIA FROM TO REST "Subject: \r\n" LENGTH_0);
    header = smsg_first(&message, SMSG_HEADER_SUBJECT);
    ck_assert_uint_eq(header->value, header->value_end);
    ck_assert_uint_eq(header->value, header->start + 8);
}
END_TEST

START_TEST(peeks_the_call_id)
{
    struct slice text = SLICE("\r\nBYE sip:a@b SIP/2.0\r\nX: Call-ID: no\r\n Call-ID: no\r\n"
                              "i :\r\n  yes@x \r\n\r\nCall-ID: body\r\n");

    ck_assert_slice(smsg_peek_call_id(text), "yes@x");
    ck_assert_absent(smsg_peek_call_id(SLICE("")));
    ck_assert_absent(smsg_peek_call_id(SLICE("\r\n\r\n")));
    ck_assert_absent(smsg_peek_call_id(SLICE("BYE sip:a@b SIP/2.0\r\n\r\nCall-ID: body\r\n")));
}
END_TEST

/* Whatever the bytes, a prefix of a message never makes scan read beyond it (run under ASan). */
START_TEST(every_prefix_is_safe)
{
    struct slice text = SLICE(REQUEST_LINE VIA FROM TO REST "Route: <sip:r;lr>,<sip:s>\r\n"
                                                            "l: 4\r\n\r\nbody");

    for (size_t length = 0; length < text.length; length++) {
        ck_assert_int_eq(scan(slice_first(text, length)), ERROR_MALFORMED);
        (void)smsg_peek_call_id(held);
    }
    ck_assert_int_eq(scan(text), 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, reads_what_a_proxy_needs);
    tcase_add_test(tests, understands_compact_names_and_odd_case);
    tcase_add_test(tests, understands_folds_and_loose_white_space);
    tcase_add_test(tests, understands_lf_only_and_leading_line_ends);
    tcase_add_test(tests, topmost_via_of_several_on_one_line);
    tcase_add_test(tests, refuses_malformed_via);
    tcase_add_test(tests, keeps_binary_bytes);
    tcase_add_test(tests, keep_alives);
    tcase_add_test(tests, what_is_not_sip);
    tcase_add_test(tests, start_lines);
    tcase_add_test(tests, status_lines);
    tcase_add_test(tests, header_lines);
    tcase_add_test(tests, missing_and_repeated_headers);
    tcase_add_test(tests, malformed_parties);
    tcase_add_test(tests, numbers_and_methods);
    tcase_add_test(tests, content_length);
    tcase_add_test(tests, limits);
    tcase_add_test(tests, finds_headers_by_name);
    tcase_add_test(tests, an_empty_value_lies_on_its_line);
    tcase_add_test(tests, peeks_the_call_id);
    tcase_add_test(tests, every_prefix_is_safe);
}

int main(void)
{
    int failed = test_run("scan", add);

    test_release(held);
    return failed;
}
