/* SPDX-License-Identifier: Apache-2.0 */
#include "message/syntax.h"

#include "message_test.h"

START_TEST(values_are_split_at_bare_commas_only)
{
    struct slice rest = SLICE(" ,\"a,\\\"b\" <sip:x,y> , <sip:c>;q=\"1,2\",\r\n d (no, no) ,, ");
    struct slice value;

    ck_assert(smsg_next_value(&rest, &value));
    ck_assert_slice(value, "\"a,\\\"b\" <sip:x,y>");
    ck_assert(smsg_next_value(&rest, &value));
    ck_assert_slice(value, "<sip:c>;q=\"1,2\"");
    ck_assert(smsg_next_value(&rest, &value));
    ck_assert_slice(value, "d (no, no)");
    ck_assert(!smsg_next_value(&rest, &value));
    ck_assert(!smsg_next_value(&rest, &value));
}
END_TEST

START_TEST(unbalanced_values_end_with_the_text)
{
    static const char *const texts[] = {"\"a, b", "<sip:a, b", "(a, b", "\"a\\"};
    struct slice value;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct slice rest = slice_of_text(texts[i]);

        ck_assert(smsg_next_value(&rest, &value));
        ck_assert_slice(value, texts[i]);
        ck_assert(!smsg_next_value(&rest, &value));
    }
}
END_TEST

START_TEST(parenthesis_in_a_uri_is_no_comment)
{
    struct slice rest = SLICE("sip:(a@h,sip:b)@h"), value;

    ck_assert(smsg_next_value(&rest, &value));
    ck_assert_slice(value, "sip:(a@h");
}
END_TEST

static const struct address_row {
    const char *text, *display, *uri, *params;
} address_rows[] = {
    {"<sip:a@b>", NULL, "sip:a@b", ""},
    {"\"A \\\"<x>\\\"\" <sip:a@b>;tag=1", "\"A \\\"<x>\\\"\"", "sip:a@b", ";tag=1"},
    {"A B<sip:a@b>", "A B", "sip:a@b", ""},
    {"A\r\n B\t<sip:a@b> ; x", "A\r\n B", "sip:a@b", "; x"},
    {"\xe5\xbc\xa0 <sip:a@b>", "\xe5\xbc\xa0", "sip:a@b", ""},
    {" sip:a@b ; x = y ", NULL, "sip:a@b", "; x = y"},
    {"sip:a;b@c", NULL, "sip:a", ";b@c"},
    {"<sip:a;b@c?d=e>", NULL, "sip:a;b@c?d=e", ""},
};

START_TEST(addresses)
{
    const struct address_row *row = &address_rows[_i];
    struct smsg_address address;

    ck_assert_int_eq(smsg_address_parse(slice_of_text(row->text), &address), 0);
    if (row->display == NULL)
        ck_assert_absent(address.display);
    else
        ck_assert_slice(address.display, row->display);
    ck_assert_slice(address.uri, row->uri);
    ck_assert_slice(address.params, row->params);
}
END_TEST

static const char *const bad_addresses[] = {
    "",          " ",       "\"a",    "\"a\"",      "\"a\" sip:a@b", "<",
    "<>",        "<a",      "< a >",  "a, b <x:y>", "<a> b",         "sip:a b",
    "sip:a?b=c", "sip:a,b", "<a\"b>", "<sip:a>>",   ";tag=1",        "<sip:a\tb>",
};

START_TEST(malformed_addresses)
{
    struct smsg_address address;

    ck_assert_int_eq(smsg_address_parse(slice_of_text(bad_addresses[_i]), &address),
                     ERROR_MALFORMED);
}
END_TEST

/* Every byte at every place of a long URI: the wide search and its tail know the same bytes. */
START_TEST(bytes_that_end_a_bracketed_uri)
{
    char text[] = "<sip:0123456789012345678901234567890123456789>";
    struct smsg_address address;

    for (size_t at = 1; at + 2 < sizeof text; at++) {
        char kept = text[at];

        for (unsigned byte = 0; byte < 256; byte++) {
            bool good = byte > ' ' && byte < 0x7f && strchr("\"<>\\", (int)byte) == NULL;
            int code;

            text[at] = (char)byte;
            code = smsg_address_parse(slice_make(text, sizeof text - 1), &address);
            ck_assert_msg((code == 0) == good, "byte %u at %zu", byte, at);
        }
        text[at] = kept;
    }
}
END_TEST

static const struct uri_row {
    const char *text, *scheme, *user, *password, *host;
    uint16_t port;
    bool ipv6;
    const char *params, *headers;
} uri_rows[] = {
    {"sip:h", "sip", NULL, NULL, "h", 0, false, "", ""},
    {"sips:a:b@h.example:5061;x;y=z?k=v", "sips", "a", "b", "h.example", 5061, false, ";x;y=z",
     "k=v"},
    {"sip:+86138;phone-context=+86;rn=1@1.2.3.4", "sip", "+86138;phone-context=+86;rn=1", NULL,
     "1.2.3.4", 0, false, "", ""},
    {"sip:a%40b;c?d@h", "sip", "a%40b;c?d", NULL, "h", 0, false, "", ""},
    {"sip:a@[2001:db8::1]:70", "sip", "a", NULL, "2001:db8::1", 70, true, "", ""},
    {"sip:[2001:db8:::192.0.2.1]", "sip", NULL, NULL, "2001:db8:::192.0.2.1", 0, true, "", ""},
    {"sip:@h", "sip", "", NULL, "h", 0, false, "", ""},
    {"sip:h?x=y", "sip", NULL, NULL, "h", 0, false, "", "x=y"},
    {"SIP:1_u.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(d)@e.com",
     "SIP", "1_u.URI~(to-be!sure)&isn't+it$/crazy?,/;;*", "&it+has=1,weird!*pas$wo~d_too.(d)",
     "e.com", 0, false, "", ""},
    {"tel:+86-10-(65)52;ext=1", "tel", "+86-10-(65)52", NULL, NULL, 0, false, ";ext=1", ""},
    {"tel:*21#;phone-context=x.y", "tel", "*21#", NULL, NULL, 0, false, ";phone-context=x.y", ""},
    {"urn:service:sos.fire", "urn", "service:sos.fire", NULL, NULL, 0, false, "", ""},
    {"http://x/y?z#f", "http", NULL, NULL, NULL, 0, false, "", ""},
};

static void assert_part(struct slice seen, const char *text)
{
    if (text == NULL)
        ck_assert_absent(seen);
    else
        ck_assert_slice(seen, text);
}

START_TEST(uris)
{
    const struct uri_row *row = &uri_rows[_i];
    struct slice text = test_exact(slice_of_text(row->text));
    struct smsg_uri uri;

    ck_assert_msg(smsg_uri_parse(text, &uri) == 0, "%s", row->text);
    assert_part(uri.scheme, row->scheme);
    assert_part(uri.user, row->user);
    assert_part(uri.password, row->password);
    assert_part(uri.host, row->host);
    ck_assert_uint_eq(uri.port, row->port);
    ck_assert(uri.host_is_ipv6 == row->ipv6);
    assert_part(uri.params, row->params);
    assert_part(uri.headers, row->headers);
    test_release(text);
}
END_TEST

static const char *const bad_uris[] = {
    "",
    "sip",
    ":h",
    "1sip:h",
    "sip:",
    "sip:a@",
    "sip:h:",
    "sip:h:0",
    "sip:h:65536",
    "sip:h:1x",
    "sip:a@b@c",
    "sip:2001:db8::10",
    "sip:[::1",
    "sip:[1]",
    "sip:[g::]",
    "sip:a b@h",
    "sip:h; lr",
    "sip:%4@h",
    "sip:%zz@h",
    "sip:h x",
    "sip:h/x",
    "sip:<a@h>",
    "sip:a@h;p=\"q\"",
    "sip:a@h;%4",
    "tel:",
    "tel:xyz",
    "tel:1:2",
    "urn:",
    "x:",
    "sip:a:b/c@h",
    "sip:#1@h",
    "sip:\xe5@h",
};

START_TEST(malformed_uris)
{
    struct slice text = test_exact(slice_of_text(bad_uris[_i]));
    struct smsg_uri uri;

    ck_assert_msg(smsg_uri_parse(text, &uri) == ERROR_MALFORMED, "%s", bad_uris[_i]);
    test_release(text);
}
END_TEST

START_TEST(params)
{
    struct slice text = SLICE("; A ;b = \"x;c=1\\\"\" ; c=2;\r\n d=;e");
    struct slice value, whole;

    ck_assert(smsg_param(text, "a", &value, &whole));
    ck_assert_absent(value);
    ck_assert_slice(whole, "; A");
    ck_assert(smsg_param(text, "B", &value, &whole));
    ck_assert_slice(value, "\"x;c=1\\\"\"");
    ck_assert_slice(whole, ";b = \"x;c=1\\\"\"");
    ck_assert(smsg_param(text, "c", &value, NULL));
    ck_assert_slice(value, "2");
    ck_assert(smsg_param(text, "d", &value, NULL));
    ck_assert_slice(value, "");
    ck_assert(smsg_param(text, "e", &value, NULL));
    ck_assert_absent(value);
    ck_assert(!smsg_param(text, "f", &value, NULL));
    ck_assert(!smsg_param(slice_make(NULL, 0), "f", &value, NULL));
    ck_assert(!smsg_param(SLICE(";a=\"open;b"), "b", &value, NULL));
}
END_TEST

START_TEST(params_without_leading_semicolon)
{
    struct slice value;

    ck_assert(smsg_param(SLICE("phone-context=+86;rn=7"), "phone-context", &value, NULL));
    ck_assert_slice(value, "+86");
    ck_assert(smsg_param(SLICE("phone-context=+86;rn=7"), "rn", &value, NULL));
    ck_assert_slice(value, "7");
}
END_TEST

START_TEST(unescape)
{
    char memory[8];

    ck_assert_slice(smsg_unescape(SLICE("%2b8%36x"), memory, sizeof memory), "+86x");
    ck_assert_slice(smsg_unescape(SLICE("a%4"), memory, sizeof memory), "a%4");
    ck_assert_slice(smsg_unescape(SLICE("%zz%"), memory, sizeof memory), "%zz%");
    ck_assert_uint_eq(smsg_unescape(SLICE("a%00b"), memory, sizeof memory).length, 3);
    ck_assert_absent(smsg_unescape(SLICE("123456789"), memory, sizeof memory));
}
END_TEST

START_TEST(unquote)
{
    char memory[8];

    ck_assert_slice(smsg_unquote(SLICE("\"a\\\"\\\\b\""), memory, sizeof memory), "a\"\\b");
    ck_assert_slice(smsg_unquote(SLICE("a\\b"), memory, sizeof memory), "a\\b");
    ck_assert_slice(smsg_unquote(SLICE("\"\""), memory, sizeof memory), "");
    ck_assert_absent(smsg_unquote(SLICE("\"123456789\""), memory, sizeof memory));
}
END_TEST

#define COUNT(rows) ((int)(sizeof(rows) / sizeof(rows)[0]))

static void add(TCase *tests)
{
    tcase_add_test(tests, values_are_split_at_bare_commas_only);
    tcase_add_test(tests, unbalanced_values_end_with_the_text);
    tcase_add_test(tests, parenthesis_in_a_uri_is_no_comment);
    tcase_add_loop_test(tests, addresses, 0, COUNT(address_rows));
    tcase_add_loop_test(tests, malformed_addresses, 0, COUNT(bad_addresses));
    tcase_add_test(tests, bytes_that_end_a_bracketed_uri);
    tcase_add_loop_test(tests, uris, 0, COUNT(uri_rows));
    tcase_add_loop_test(tests, malformed_uris, 0, COUNT(bad_uris));
    tcase_add_test(tests, params);
    tcase_add_test(tests, params_without_leading_semicolon);
    tcase_add_test(tests, unescape);
    tcase_add_test(tests, unquote);
}

int main(void)
{
    return test_run("syntax", add);
}
