/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <check.h>

static void assert_holds(const struct buffer *buffer, const char *text)
{
    ck_assert(!buffer->overflow);
    ck_assert(slice_equal(buffer_slice(buffer), slice_of_text(text)));
}

START_TEST(appends_until_exactly_full)
{
    char memory[6];
    struct buffer buffer = buffer_over(memory, sizeof(memory));
    buffer_append_literal(&buffer, "ab");
    buffer_append(&buffer, SLICE("cd"));
    buffer_append_text(&buffer, "e");
    buffer_append_char(&buffer, 'f');
    assert_holds(&buffer, "abcdef");
}
END_TEST

START_TEST(overflow_writes_nothing_and_sticks)
{
    char memory[4];
    struct buffer buffer = buffer_over(memory, sizeof(memory));
    buffer_append_literal(&buffer, "ab");
    buffer_append_literal(&buffer, "cde");
    ck_assert(buffer.overflow);
    buffer_append_char(&buffer, 'c');
    buffer_append_uint(&buffer, 1);
    buffer_format(&buffer, "%s", "x");
    ck_assert(buffer.overflow);
    ck_assert_uint_eq(buffer.length, 2);
}
END_TEST

START_TEST(numbers_at_their_limits)
{
    char memory[128];
    struct buffer buffer = buffer_over(memory, sizeof(memory));
    buffer_append_uint(&buffer, 0);
    buffer_append_char(&buffer, ' ');
    buffer_append_uint(&buffer, UINT64_MAX);
    buffer_append_char(&buffer, ' ');
    buffer_append_int(&buffer, INT64_MIN);
    buffer_append_char(&buffer, ' ');
    buffer_append_int(&buffer, INT64_MAX);
    buffer_append_char(&buffer, ' ');
    buffer_append_int(&buffer, -7);
    assert_holds(&buffer, "0 18446744073709551615 -9223372036854775808 9223372036854775807 -7");
}
END_TEST

START_TEST(no_lone_minus_is_left_in_a_full_buffer)
{
    char memory[2];
    struct buffer buffer = buffer_over(memory, sizeof(memory));
    buffer_append_int(&buffer, -12);
    ck_assert(buffer.overflow);
    ck_assert_uint_eq(buffer.length, 0);
}
END_TEST

START_TEST(hex_has_a_fixed_width)
{
    char memory[64];
    struct buffer buffer = buffer_over(memory, sizeof(memory));
    buffer_append_hex(&buffer, 0x0abc, 4);
    buffer_append_hex(&buffer, 0x123, 2);
    buffer_append_hex(&buffer, UINT64_MAX, 16);
    buffer_append_hex(&buffer, 1, 0);
    assert_holds(&buffer, "0abc23ffffffffffffffff");
}
END_TEST

START_TEST(format_fills_to_the_last_byte)
{
    char memory[5];
    struct buffer buffer = buffer_over(memory, sizeof(memory));
    buffer_format(&buffer, "%d-%s", 12, "ab");
    assert_holds(&buffer, "12-ab");
    buffer_format(&buffer, "%s", "");
    assert_holds(&buffer, "12-ab");
    buffer_format(&buffer, "x");
    ck_assert(buffer.overflow);
}
END_TEST

START_TEST(format_of_long_text_is_whole)
{
    char memory[2000];
    struct buffer buffer = buffer_over(memory, sizeof(memory));
    buffer_format(&buffer, "%01000d%c", 5, '!');
    ck_assert(!buffer.overflow);
    ck_assert_uint_eq(buffer.length, 1001);
    ck_assert_int_eq(memory[999], '5');
    ck_assert_int_eq(memory[1000], '!');
}
END_TEST

START_TEST(format_that_does_not_fit_leaves_memory_alone)
{
    char memory[8] = "-------";
    struct buffer buffer = buffer_over(memory, 4);
    buffer_format(&buffer, "%s", "12345");
    ck_assert(buffer.overflow);
    ck_assert_str_eq(memory, "-------");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("buffer");
    TCase *tests = tcase_create("buffer");
    tcase_add_test(tests, appends_until_exactly_full);
    tcase_add_test(tests, overflow_writes_nothing_and_sticks);
    tcase_add_test(tests, numbers_at_their_limits);
    tcase_add_test(tests, no_lone_minus_is_left_in_a_full_buffer);
    tcase_add_test(tests, hex_has_a_fixed_width);
    tcase_add_test(tests, format_fills_to_the_last_byte);
    tcase_add_test(tests, format_of_long_text_is_whole);
    tcase_add_test(tests, format_that_does_not_fit_leaves_memory_alone);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
