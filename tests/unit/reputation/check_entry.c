/* SPDX-License-Identifier: Apache-2.0 */
#include "reputation/entry.h"
#include "reputation/names.h"
#include "reputation/row.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

START_TEST(packing_goes_back)
{
    static const char *const digits[] = {"0", "00", "1", "10", "8613800138000", "999999999999999"};
    for (unsigned i = 0; i < sizeof(digits) / sizeof(digits[0]); i++) {
        uint64_t packed;
        char text[REP_DIGITS_MAXIMUM + 1];
        ck_assert(rep_pack_digits(slice_of_text(digits[i]), &packed));
        ck_assert_uint_eq(rep_unpack_digits(packed, text), strlen(digits[i]));
        ck_assert_str_eq(text, digits[i]);
    }
}
END_TEST

START_TEST(packing_refuses_what_is_no_number)
{
    static const char *const bad[] = {"", "+86", "86 13", "a", "1234567890123456"};
    uint64_t packed;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert(!rep_pack_digits(slice_of_text(bad[i]), &packed));
    char text[REP_DIGITS_MAXIMUM + 1];
    static const uint64_t none[] = {0, 1, 9, 20, UINT64_C(21000000000000000), UINT64_MAX};
    for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        ck_assert_uint_eq(rep_unpack_digits(none[i], text), 0);
}
END_TEST

START_TEST(lists_are_read_and_written)
{
    enum rep_list list;
    for (unsigned i = 0; i < REP_LIST_COUNT; i++) {
        ck_assert_int_eq(rep_list_parse(slice_of_text(rep_list_text(i)), &list), 0);
        ck_assert_uint_eq(list, i);
    }
    ck_assert_int_eq(rep_list_parse(SLICE(""), &list), 0);
    ck_assert_int_eq(list, REP_LIST_NONE);
    ck_assert_int_eq(rep_list_parse(SLICE(" Block "), &list), 0);
    ck_assert_int_eq(list, REP_LIST_BLOCK);
    ck_assert_int_ne(rep_list_parse(SLICE("blocked"), &list), 0);
}
END_TEST

START_TEST(names_keep_their_ids_and_have_a_limit)
{
    struct rep_names *names;
    ck_assert_int_eq(rep_names_create(4, &names), 0);
    uint8_t first = rep_names_intern(names, SLICE("bank"));
    ck_assert_uint_eq(first, 1);
    ck_assert_uint_eq(rep_names_intern(names, SLICE(" bank ")), first);
    ck_assert_uint_eq(rep_names_intern(names, SLICE("")), 0);
    ck_assert_uint_eq(rep_names_intern(names, SLICE("courier")), 2);
    ck_assert_uint_eq(rep_names_intern(names, SLICE("police")), 3);
    ck_assert_uint_eq(rep_names_intern(names, SLICE("prize")), 4);
    ck_assert_uint_eq(rep_names_intern(names, SLICE("love")), 4);
    ck_assert_str_eq(rep_names_text(names, 2), "courier");
    ck_assert_str_eq(rep_names_text(names, 4), "other");
    ck_assert_str_eq(rep_names_text(names, 0), "");
    ck_assert_str_eq(rep_names_text(names, 200), "");
    ck_assert_uint_eq(rep_names_count(names), 3);
    ck_assert_uint_eq(rep_names_refused(names), 2);
    rep_names_destroy(names);
}
END_TEST

START_TEST(long_names_are_cut)
{
    struct rep_names *names;
    ck_assert_int_eq(rep_names_create(REP_TYPE_LIMIT, &names), 0);
    char text[100];
    memset(text, 'x', sizeof(text));
    uint8_t id = rep_names_intern(names, slice_make(text, sizeof(text)));
    ck_assert_uint_eq(strlen(rep_names_text(names, id)), REP_NAME_MAXIMUM);
    ck_assert_uint_eq(rep_names_intern(names, slice_make(text, 60)), id);
    rep_names_destroy(names);
}
END_TEST

/* ---- rows ---------------------------------------------------------------------------------- */

static int parse(const char *line, struct rep_row *row, enum rep_skip *reason)
{
    static char copy[512];
    snprintf(copy, sizeof(copy), "%s", line);
    return rep_row_parse_csv(copy, strlen(copy), row, reason);
}

START_TEST(rows_name_numbers_prefixes_and_texts)
{
    struct rep_key key;
    ck_assert_int_eq(rep_row_key(SLICE("+8613800138000"), &key), 0);
    ck_assert_int_eq(key.kind, REP_KIND_NUMBER);
    ck_assert_int_eq(rep_row_key(SLICE("8613800*"), &key), 0);
    ck_assert_int_eq(key.kind, REP_KIND_PREFIX);
    ck_assert_int_eq(rep_row_key(SLICE("+8613800*"), &key), 0);
    ck_assert_int_eq(key.kind, REP_KIND_PREFIX);
    ck_assert_int_eq(rep_row_key(SLICE("raw:any one"), &key), 0);
    ck_assert_int_eq(key.kind, REP_KIND_RAW);
    ck_assert(slice_equal(key.text, SLICE("any one")));
    static const char *const bad[] = {
        "", "+", "*", "+*", "8613800138000", "raw:", "+86x", "+1234567890123456", "86**"};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(rep_row_key(slice_of_text(bad[i]), &key) != 0, "%s", bad[i]);
}
END_TEST

START_TEST(csv_fields_are_read)
{
    struct rep_row row;
    enum rep_skip reason;
    ck_assert_int_eq(
        parse("+8613800138000,90,block,bank,desk,2027-06-30,\"a, \"\"b\"\"\"\r\n", &row, &reason),
        0);
    ck_assert(slice_equal(row.number, SLICE("+8613800138000")));
    ck_assert_int_eq(row.score, 90);
    ck_assert_int_eq(row.list, REP_LIST_BLOCK);
    ck_assert(slice_equal(row.type, SLICE("bank")));
    ck_assert(slice_equal(row.source, SLICE("desk")));
    ck_assert_uint_eq(row.expires_s, 1814313600);
    ck_assert(slice_equal(row.note, SLICE("a, \"b\"")));
    ck_assert_int_eq(parse("8613800*,,watch", &row, &reason), 0);
    ck_assert_int_eq(row.score, REP_SCORE_UNKNOWN);
    ck_assert_uint_eq(row.expires_s, 0);
    ck_assert_int_eq(parse("+86138,7,,,,2027-06-30T08:15:30Z", &row, &reason), 0);
    ck_assert_uint_eq(row.expires_s, 1814343330);
    ck_assert_int_eq(parse("+86138,7,,,,1814343330", &row, &reason), 0);
    ck_assert_uint_eq(row.expires_s, 1814343330);
}
END_TEST

START_TEST(csv_refusals_have_their_reason)
{
    static const struct {
        const char *line;
        enum rep_skip reason;
    } rows[] = {
        {"8613800138000,90,block", REP_SKIP_NUMBER},
        {"+8613800138000,101,block", REP_SKIP_SCORE},
        {"+8613800138000,-1,block", REP_SKIP_SCORE},
        {"+8613800138000,1.5,block", REP_SKIP_SCORE},
        {"+8613800138000,9,deny", REP_SKIP_LIST},
        {"+8613800138000,,none", REP_SKIP_EMPTY},
        {"+8613800138000,9", REP_SKIP_COLUMNS},
        {"+8613800138000,9,,,,,,,,,", REP_SKIP_COLUMNS},
        {"+8613800138000,9,,,,tomorrow", REP_SKIP_EXPIRES},
        {"+8613800138000,9,,,,2027-13-01", REP_SKIP_EXPIRES},
        {"+8613800138000,9,,,,2027-01-01T25:00:00Z", REP_SKIP_EXPIRES},
        {"\"+8613800138000,9,block", REP_SKIP_COLUMNS},
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rep_row row;
        enum rep_skip reason = REP_SKIP_COUNT;
        ck_assert_msg(parse(rows[i].line, &row, &reason) != 0, "%s", rows[i].line);
        ck_assert_msg(reason == rows[i].reason, "%s: %s", rows[i].line, rep_skip_text(reason));
    }
}
END_TEST

START_TEST(csv_comments_and_headers_are_no_rows)
{
    struct rep_row row;
    enum rep_skip reason;
    static const char *const lines[] = {"", "  \r\n", "# note", "number,score,list", "Number,x"};
    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        ck_assert_int_eq(parse(lines[i], &row, &reason), ERROR_NOT_FOUND);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("entry");
    TCase *tests = tcase_create("values");
    tcase_add_test(tests, packing_goes_back);
    tcase_add_test(tests, packing_refuses_what_is_no_number);
    tcase_add_test(tests, lists_are_read_and_written);
    tcase_add_test(tests, names_keep_their_ids_and_have_a_limit);
    tcase_add_test(tests, long_names_are_cut);
    tcase_add_test(tests, rows_name_numbers_prefixes_and_texts);
    tcase_add_test(tests, csv_fields_are_read);
    tcase_add_test(tests, csv_refusals_have_their_reason);
    tcase_add_test(tests, csv_comments_and_headers_are_no_rows);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
