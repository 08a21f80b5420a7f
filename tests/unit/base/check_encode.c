/* SPDX-License-Identifier: Apache-2.0 */
#include "base/encode.h"

#include <check.h>
#include <json-c/json.h>

#include "base/random.h"

typedef void encoder_fn(struct buffer *buffer, struct slice text);

struct row {
    struct slice text;
    struct slice expected;
};

#define ROW(text, expected)                          \
    {                                                \
        SLICE_LITERAL(text), SLICE_LITERAL(expected) \
    }

static void assert_rows(encoder_fn *encode, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char memory[256];
        struct buffer buffer = buffer_over(memory, sizeof(memory));
        encode(&buffer, rows[i].text);
        ck_assert_msg(slice_equal(buffer_slice(&buffer), rows[i].expected),
                      "row %zu: got %.*s, expected %.*s", i, SLICE_ARGS(buffer_slice(&buffer)),
                      SLICE_ARGS(rows[i].expected));
    }
}

#define ASSERT_ROWS(encode, rows) assert_rows((encode), (rows), sizeof(rows) / sizeof((rows)[0]))

#define REPLACED "\xef\xbf\xbd"

START_TEST(json_escapes_what_it_must)
{
    static const struct row rows[] = {
        ROW("", "\"\""),
        ROW("+8613800138000", "\"+8613800138000\""),
        ROW("a\"b\\c/", "\"a\\\"b\\\\c/\""),
        ROW("\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\""),
        ROW("a\0b\x1b\x7f", "\"a\\u0000b\\u001b\\u007f\""),
        ROW("\xc2\x9b", "\"\\u009b\""),
        ROW("\xe5\xa2\x83\xe5\xa4\x96", "\"\xe5\xa2\x83\xe5\xa4\x96\""),
        ROW("\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""),
    };
    ASSERT_ROWS(encode_json, rows);
}
END_TEST

START_TEST(each_bad_byte_is_replaced_once)
{
    static const struct row rows[] = {
        ROW("\xff", "\"" REPLACED "\""),
        ROW("a\x80z", "\"a" REPLACED "z\""),
        ROW("\xc0\xaf", "\"" REPLACED REPLACED "\""),              /* overlong / */
        ROW("\xe0\x80\xaf", "\"" REPLACED REPLACED REPLACED "\""), /* overlong / */
        ROW("\xf0\x80\x80\xaf", "\"" REPLACED REPLACED REPLACED REPLACED "\""),
        ROW("\xed\xa0\x80", "\"" REPLACED REPLACED REPLACED "\""),              /* a surrogate */
        ROW("\xf4\x90\x80\x80", "\"" REPLACED REPLACED REPLACED REPLACED "\""), /* U+110000 */
        ROW("\xf5\x80", "\"" REPLACED REPLACED "\""),
        ROW("\xe5\xa2", "\"" REPLACED REPLACED "\""),       /* cut at the end */
        ROW("\xe5\xa2\"", "\"" REPLACED REPLACED "\\\"\""), /* eats no quote */
        ROW("\xf4\x8f\xbf\xbf", "\"\xf4\x8f\xbf\xbf\""),    /* the last one */
    };
    ASSERT_ROWS(encode_json, rows);
}
END_TEST

START_TEST(log_shows_every_other_byte_in_hex)
{
    static const struct row rows[] = {
        ROW("sip:a@b \"x\"", "sip:a@b \"x\""),
        ROW("a\\b", "a\\\\b"),
        ROW("a\r\nb\0\x1b[31m\x7f", "a\\x0d\\x0ab\\x00\\x1b[31m\\x7f"),
        ROW("\xff\xc3(", "\\xff\\xc3("),
        ROW("\xc2\x85", "\\xc2\\x85"),
        ROW("\xe5\xa2\x83", "\xe5\xa2\x83"),
    };
    ASSERT_ROWS(encode_log, rows);
    ASSERT_ROWS(encode_terminal, rows);
}
END_TEST

START_TEST(terminal_shows_no_deceptive_character)
{
    static const struct row rows[] = {
        ROW("a\xe2\x80\xae"
            "b",
            "a\\xe2\\x80\\xaeb"),               /* right-to-left override */
        ROW("\xe2\x81\xa6", "\\xe2\\x81\\xa6"), /* left-to-right isolate */
        ROW("\xe2\x80\x8b", "\\xe2\\x80\\x8b"), /* zero width space */
        ROW("\xef\xbb\xbf", "\\xef\\xbb\\xbf"),
        ROW("\xc2\xa0\xe2\x82\xac", "\xc2\xa0\xe2\x82\xac"),
    };
    ASSERT_ROWS(encode_terminal, rows);
}
END_TEST

START_TEST(csv_quotes_separators)
{
    static const struct row rows[] = {
        ROW("", ""),
        ROW("plain text", "plain text"),
        ROW("a,b", "\"a,b\""),
        ROW("a;b", "\"a;b\""),
        ROW("say \"no\"", "\"say \"\"no\"\"\""),
        ROW("a\r\nb\0c\t", "a  b c "),
        ROW("\xff,\xc2\x85", "\"" REPLACED ", \""),
    };
    ASSERT_ROWS(encode_csv, rows);
}
END_TEST

START_TEST(csv_disarms_formulas_but_not_numbers)
{
    static const struct row rows[] = {
        ROW("+8613800138000", "+8613800138000"),
        ROW("-12", "-12"),
        ROW("=1+1", "'=1+1"),
        ROW("@SUM(A1)", "'@SUM(A1)"),
        ROW("+", "'+"),
        ROW("-", "'-"),
        ROW("+1+cmd", "'+1+cmd"),
        ROW("-1 ", "'-1 "),
        ROW("+8613800138000x", "'+8613800138000x"),
        ROW("=HYPERLINK(\"a\",\"b\")", "\"'=HYPERLINK(\"\"a\"\",\"\"b\"\")\""),
        ROW("\t=1", "' =1"),
        ROW("\r\n @x", "'   @x"),
        ROW("\0=1", "' =1"),
        ROW("\xef\xbc\x9d"
            "1",
            "'\xef\xbc\x9d"
            "1"), /* a full-width equals sign */
        ROW("a=1", "a=1"),
    };
    ASSERT_ROWS(encode_csv, rows);
}
END_TEST

START_TEST(sip_quoted_strings_stay_closed)
{
    static const struct row rows[] = {
        ROW("", "\"\""),
        ROW("Alice", "\"Alice\""),
        ROW("a\"b\\", "\"a\\\"b\\\\\""),
        ROW("a\r\nVia: x\0y\x1b", "\"a  Via: x y \""),
        ROW("\xe5\xa2\x83\xff", "\"\xe5\xa2\x83" REPLACED "\""),
        ROW("\\\xe5", "\"\\\\" REPLACED "\""),
    };
    ASSERT_ROWS(encode_sip_quoted, rows);
}
END_TEST

START_TEST(sip_uris_hold_what_they_may)
{
    static const struct row rows[] = {
        ROW("", ""),
        ROW("X-Score_1.!~*'()", "X-Score_1.!~*'()"),
        ROW("a, b=c&d?e%f", "a%2C%20b%3Dc%26d%3Fe%25f"),
        ROW("<>\"\r\n\0+\xe5", "%3C%3E%22%0D%0A%00%2B%E5"),
        ROW("@[`{", "%40%5B%60%7B"),
    };
    ASSERT_ROWS(encode_sip_uri, rows);
}
END_TEST

static encoder_fn *const encoders[] = {encode_json, encode_log,        encode_terminal,
                                       encode_csv,  encode_sip_quoted, encode_sip_uri};
enum { ENCODERS = sizeof(encoders) / sizeof(encoders[0]), TEXT_LENGTH = 40 };

/* Bytes that matter to some encoder are much likelier than others. */
static struct slice random_text(struct random_state *random, char *memory)
{
    static const char likely[] = "\"\\,;=+-@\r\n\0\x1b\x7f\xc2\xe2\x80\xae\xf0\xff'a1 ";
    size_t length = random_below(random, TEXT_LENGTH + 1);
    for (size_t i = 0; i < length; i++)
        memory[i] = random_below(random, 3) > 0 ? likely[random_below(random, sizeof(likely) - 1)]
                                                : (char)random_below(random, 256);
    return slice_make(memory, length);
}

START_TEST(no_encoder_ever_emits_a_control_byte)
{
    struct random_state random;
    random_seed(&random, 21);
    for (int round = 0; round < 20000; round++) {
        char memory[TEXT_LENGTH];
        char out[TEXT_LENGTH * 20 + 8];
        struct slice text = random_text(&random, memory);
        struct buffer buffer = buffer_over(out, sizeof(out));
        encoders[round % ENCODERS](&buffer, text);
        ck_assert(!buffer.overflow);
        for (size_t i = 0; i < buffer.length; i++) {
            unsigned char byte = (unsigned char)out[i];
            unsigned char before = i > 0 ? (unsigned char)out[i - 1] : 0;
            if (byte < 0x20 || byte == 0x7f || (before == 0xc2 && byte >= 0x80 && byte < 0xa0))
                ck_abort_msg("encoder %d emits %02x", round % ENCODERS, byte);
        }
    }
}
END_TEST

START_TEST(a_json_parser_reads_all_of_it)
{
    struct random_state random;
    random_seed(&random, 22);
    for (int round = 0; round < 5000; round++) {
        char memory[TEXT_LENGTH];
        char out[TEXT_LENGTH * 6 + 8];
        struct buffer buffer = buffer_over(out, sizeof(out));
        encode_json(&buffer, random_text(&random, memory));
        buffer_append_char(&buffer, '\0');
        struct json_tokener *tokener = json_tokener_new();
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        struct json_object *parsed = json_tokener_parse_ex(tokener, out, (int)(buffer.length - 1));
        ck_assert(json_tokener_get_error(tokener) == json_tokener_success);
        ck_assert(json_object_is_type(parsed, json_type_string));
        json_object_put(parsed);
        json_tokener_free(tokener);
    }
}
END_TEST

START_TEST(what_does_not_fit_leaves_nothing_behind)
{
    static const struct slice text = SLICE_LITERAL("=a,\"b\\\n\xff\xe5\xa2\x83");
    for (size_t which = 0; which < ENCODERS; which++) {
        char whole[64];
        struct buffer complete = buffer_over(whole, sizeof(whole));
        encoders[which](&complete, text);
        for (size_t capacity = 0; capacity <= complete.length; capacity++) {
            char memory[64];
            struct buffer buffer = buffer_over(memory, capacity);
            encoders[which](&buffer, text);
            ck_assert(buffer.overflow == (capacity < complete.length));
            ck_assert_uint_eq(buffer.length, buffer.overflow ? 0 : complete.length);
        }
    }
}
END_TEST

START_TEST(a_prefix_ends_between_characters)
{
    static const struct slice text = SLICE_LITERAL("ab\xe5\xa2\x83\n");
    static const struct {
        size_t capacity, consumed, length;
    } rows[] = {{0, 0, 0}, {1, 1, 1}, {2, 2, 2}, {4, 2, 2}, {5, 5, 5}, {8, 5, 5}, {9, 6, 9}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char memory[16];
        struct buffer buffer = buffer_over(memory, rows[i].capacity);
        ck_assert_uint_eq(encode_log_prefix(&buffer, text), rows[i].consumed);
        ck_assert_uint_eq(buffer.length, rows[i].length);
        ck_assert(!buffer.overflow);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("encode");
    TCase *tests = tcase_create("encode");
    tcase_add_test(tests, json_escapes_what_it_must);
    tcase_add_test(tests, each_bad_byte_is_replaced_once);
    tcase_add_test(tests, log_shows_every_other_byte_in_hex);
    tcase_add_test(tests, terminal_shows_no_deceptive_character);
    tcase_add_test(tests, csv_quotes_separators);
    tcase_add_test(tests, csv_disarms_formulas_but_not_numbers);
    tcase_add_test(tests, sip_quoted_strings_stay_closed);
    tcase_add_test(tests, sip_uris_hold_what_they_may);
    tcase_add_test(tests, no_encoder_ever_emits_a_control_byte);
    tcase_add_test(tests, a_json_parser_reads_all_of_it);
    tcase_add_test(tests, what_does_not_fit_leaves_nothing_behind);
    tcase_add_test(tests, a_prefix_ends_between_characters);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
