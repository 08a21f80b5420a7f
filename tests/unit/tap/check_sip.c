/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/sip.h"

#include "tap_test.h"

static const struct {
    const char *text;
    enum tap_sip is;
} rows[] = {
    {"INVITE sip:bob@b SIP/2.0\r\n", TAP_SIP_YES},
    {"INVITE sip:bob@b SIP/2.0\n", TAP_SIP_YES},
    {"OPTIONS tel:+8613800138000 SIP/2.0\r\nVia: x", TAP_SIP_YES},
    {"my-Method! urn:service:sos SIP/2.0\r\n", TAP_SIP_YES},
    {"SIP/2.0 200 OK\r\n", TAP_SIP_YES},
    {"SIP/2.0 486\r\n", TAP_SIP_YES},
    {"SIP/2.0 2000 OK\r\n", TAP_SIP_NO},
    {"SIP/2.0 OK 200\r\n", TAP_SIP_NO},
    {"SIP/1.0 200 OK\r\n", TAP_SIP_NO},
    {"GET / HTTP/1.1\r\nHost: sip\r\n", TAP_SIP_NO},
    {"OPTIONS http://x/ HTTP/1.1\r\n", TAP_SIP_NO},
    {"HTTP/1.1 200 OK\r\n", TAP_SIP_NO},
    {"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n", TAP_SIP_NO},
    {"M-SEARCH * HTTP/1.1\r\n", TAP_SIP_NO},
    {"OPTIONS rtsp://camera/ RTSP/1.0\r\nCSeq: 1\r\n", TAP_SIP_NO},
    {"RTSP/1.0 200 OK\r\n", TAP_SIP_NO},
    {"RQNT 1 *@gateway44.myplace.com MGCP 0.1\r\n", TAP_SIP_NO},
    {"200 1 OK\r\n", TAP_SIP_NO},
    {"INVITE sip:bob@b SIP/2.0x\r\n", TAP_SIP_NO},
    {"INVITE sip:bob@b_SIP/2.0\r\n", TAP_SIP_NO},
    {"INVITE 1ip:bob@b SIP/2.0\r\n", TAP_SIP_NO},
    {"INVITE  sip:bob@b SIP/2.0\r\n", TAP_SIP_NO},
    {" SIP/2.0 200 OK\r\n", TAP_SIP_NO},
    {"\x80\x12\x34", TAP_SIP_NO},
    {"\r\n\r\n", TAP_SIP_NO},
    {"", TAP_SIP_MAYBE},
    {"INV", TAP_SIP_MAYBE},
    {"INVITE si", TAP_SIP_MAYBE},
    {"INVITE sip:bob@b SIP/2.0", TAP_SIP_MAYBE},
    {"SIP/2.0 20", TAP_SIP_MAYBE},
    {"SIP/2.0 200", TAP_SIP_MAYBE},
    {"SIP/", TAP_SIP_MAYBE},
};

START_TEST(row)
{
    ck_assert_msg(tap_is_sip(slice_of_text(rows[_i].text)) == rows[_i].is, "\"%s\"", rows[_i].text);
}
END_TEST

/* What is SIP may be cut anywhere, and is never told to be something else. */
START_TEST(no_prefix_is_refused)
{
    struct slice text = slice_of_text(rows[_i].text);
    for (size_t i = 0; rows[_i].is == TAP_SIP_YES && i < text.length; i++)
        ck_assert_int_ne(tap_is_sip(slice_first(text, i)), TAP_SIP_NO);
}
END_TEST

START_TEST(a_method_without_end)
{
    static char text[8192];
    memset(text, 'A', sizeof(text));
    ck_assert_int_eq(tap_is_sip(slice_make(text, sizeof(text))), TAP_SIP_NO);
    memcpy(text, "A sip:", 6);
    ck_assert_int_eq(tap_is_sip(slice_make(text, sizeof(text))), TAP_SIP_NO);
}
END_TEST

static void add(TCase *tests)
{
    int count = (int)(sizeof(rows) / sizeof(rows[0]));
    tcase_add_loop_test(tests, row, 0, count);
    tcase_add_loop_test(tests, no_prefix_is_refused, 0, count);
    tcase_add_test(tests, a_method_without_end);
}

int main(void)
{
    return test_run("sip", add);
}
