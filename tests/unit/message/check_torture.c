/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of RFC 4475 and RFC 5118: what scan owes each. */
#include <stdio.h>

#include "message_test.h"

#define FOLDER "../shared/data/torture/"

struct expectation {
    const char *file;
    enum smsg_bad bad;
};

static const struct expectation expectations[] = {
    {"rfc4475/badaspec.dat", SMSG_BAD_TO},
    {"rfc4475/baddate.dat", SMSG_BAD_NONE},
    {"rfc4475/badinv01.dat", SMSG_BAD_VIA},
    {"rfc4475/badvers.dat", SMSG_BAD_VERSION},
    {"rfc4475/cparam01.dat", SMSG_BAD_NONE},
    {"rfc4475/cparam02.dat", SMSG_BAD_NONE},
    {"rfc4475/esc01.dat", SMSG_BAD_NONE},
    {"rfc4475/esc02.dat", SMSG_BAD_NONE},
    {"rfc4475/insuf.dat", SMSG_BAD_MISSING_HEADER},
    {"rfc4475/invut.dat", SMSG_BAD_NONE},
    {"rfc4475/ltgtruri.dat", SMSG_BAD_REQUEST_URI},
    {"rfc4475/lwsdisp.dat", SMSG_BAD_NONE},
    {"rfc4475/lwsstart.dat", SMSG_BAD_START_LINE},
    {"rfc4475/mismatch02.dat", SMSG_BAD_UNKNOWN_METHOD_MISMATCH},
    {"rfc4475/noreason.dat", SMSG_BAD_NONE},
    {"rfc4475/quotbal.dat", SMSG_BAD_TO},
    {"rfc4475/regaut01.dat", SMSG_BAD_NONE},
    {"rfc4475/regbadct.dat", SMSG_BAD_NONE},
    {"rfc4475/scalarlg.dat", SMSG_BAD_CSEQ},
    {"rfc4475/sdp01.dat", SMSG_BAD_NONE},
    {"rfc4475/semiuri.dat", SMSG_BAD_NONE},
    {"rfc4475/test.dat", SMSG_BAD_NOT_SIP},
    {"rfc4475/transports.dat", SMSG_BAD_NONE},
    {"rfc4475/trws.dat", SMSG_BAD_START_LINE},
    {"rfc4475/unkscm.dat", SMSG_BAD_URI_SCHEME},
    {"rfc4475/unreason.dat", SMSG_BAD_NONE},
    {"rfc4475/zeromf.dat", SMSG_BAD_NONE},
    {"rfc5118/ipv6-bad", SMSG_BAD_REQUEST_URI},
    {"rfc5118/ipv6-correct-abnf-2-colons", SMSG_BAD_NONE},
    {"rfc5118/ipv6-good", SMSG_BAD_NONE},
    {"rfc5118/port-unambiguous", SMSG_BAD_NONE},
    {"rfc5118/via-received-param-no-delim", SMSG_BAD_NONE},
    /* The archive lost the CRs of these bodies, so they are shorter than they say. */
    {"rfc5118/ipv6-in-sdp", SMSG_BAD_TRUNCATED},
    {"rfc5118/mult-ip-in-sdp", SMSG_BAD_TRUNCATED},
};

static char memory[65536];
static struct smsg message;

/* False when the file is not there. */
static bool read_message(const char *name, struct slice *bytes)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof path, FOLDER "%s", name);
    file = fopen(path, "rb");
    if (file == NULL)
        return false;
    *bytes = slice_make(memory, fread(memory, 1, sizeof memory, file));
    fclose(file);
    return true;
}

START_TEST(verdict)
{
    const struct expectation *row = &expectations[_i];
    struct slice bytes;
    int code;

    if (!read_message(row->file, &bytes)) {
        printf("skipped: %s is not there\n", row->file);
        return;
    }
    code = smsg_scan(&message, bytes);
    ck_assert_msg(message.bad == row->bad, "%s: %s, not %s", row->file,
                  smsg_bad_rows[message.bad].key, smsg_bad_rows[row->bad].key);
    ck_assert_int_eq(code, row->bad == SMSG_BAD_NONE ? 0 : ERROR_MALFORMED);
    if (code == 0)
        ck_assert(slice_equal(smsg_peek_call_id(bytes), message.call_id));
}
END_TEST

/* With the length that they really have, the two are well. */
START_TEST(verdict_with_padded_body)
{
    static const char *const files[] = {"rfc5118/ipv6-in-sdp", "rfc5118/mult-ip-in-sdp"};
    struct slice bytes;

    if (!read_message(files[_i], &bytes)) {
        printf("skipped: %s is not there\n", files[_i]);
        return;
    }
    memset(memory + bytes.length, '\n', 64);
    ck_assert_int_eq(smsg_scan(&message, slice_make(memory, bytes.length + 64)), 0);
}
END_TEST

START_TEST(escapes_are_kept)
{
    struct slice bytes;

    if (!read_message("rfc4475/esc01.dat", &bytes))
        return;
    ck_assert_int_eq(smsg_scan(&message, bytes), 0);
    ck_assert_slice(message.request_uri, "sip:sips%3Auser%40example.com@example.net");
    ck_assert(read_message("rfc4475/esc02.dat", &bytes));
    ck_assert_int_eq(smsg_scan(&message, bytes), 0);
    ck_assert_int_eq(message.method, SMSG_METHOD_OTHER);
    ck_assert_slice(message.method_text, "RE%47IST%45R");
    ck_assert_int_eq(smsg_find(&message, SLICE("C%6Fntact"))->id, SMSG_HEADER_OTHER);
}
END_TEST

START_TEST(ipv6_received_without_brackets)
{
    struct slice bytes;

    if (!read_message("rfc5118/via-received-param-no-delim", &bytes))
        return;
    ck_assert_int_eq(smsg_scan(&message, bytes), 0);
    ck_assert_slice(message.via.received, "2001:db8::9:255");
    ck_assert_slice(message.via.branch, "z9hG4bKas3");
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_loop_test(tests, verdict, 0, (int)(sizeof expectations / sizeof expectations[0]));
    tcase_add_loop_test(tests, verdict_with_padded_body, 0, 2);
    tcase_add_test(tests, escapes_are_kept);
    tcase_add_test(tests, ipv6_received_without_brackets);
}

int main(void)
{
    return test_run("torture", add);
}
