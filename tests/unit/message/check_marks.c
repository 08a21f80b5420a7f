/* SPDX-License-Identifier: Apache-2.0 */
/* Runs on one thread. */
#include "../../../src/message/marks_int.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What a byte is, as the grammar of RFC 3261 section 25.1 has it. */
static bool is_stop(unsigned char c)
{
    return c <= '\r';
}

static bool is_beyond_word(unsigned char c)
{
    bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                c == '-' || c == '.' || c == '_';
    return !word;
}

static bool is_invisible(unsigned char c)
{
    return c < '!' || c > '~';
}

static bool is_beyond_uri(unsigned char c)
{
    return is_invisible(c) || c == '"' || c == '<' || c == '>' || c == '\\';
}

static bool has(uint64_t marks, unsigned place)
{
    return (marks >> place & 1) != 0;
}

static void assert_marks(const char *block)
{
    for (unsigned i = 0; i < MARKS_LINES; i++) {
        unsigned char c = (unsigned char)block[i];
        ck_assert(has(marks_stops(block), i) == is_stop(c));
        ck_assert(has(marks_stops_portable(block), i) == is_stop(c));
        if (i < MARKS_COLONS) {
            ck_assert(has(marks_colons(block), i) == (c == ':'));
            ck_assert(has(marks_colons_portable(block), i) == (c == ':'));
        }
        if (i >= MARKS_SPAN)
            continue;
        ck_assert(has(marks_beyond_word(block), i) == is_beyond_word(c));
        ck_assert(has(marks_beyond_word_portable(block), i) == is_beyond_word(c));
        ck_assert(has(marks_invisible(block), i) == is_invisible(c));
        ck_assert(has(marks_invisible_portable(block), i) == is_invisible(c));
        ck_assert(has(marks_beyond_uri(block), i) == is_beyond_uri(c));
        ck_assert(has(marks_beyond_uri_portable(block), i) == is_beyond_uri(c));
        ck_assert(has(marks_either(block, ';', '>'), i) == (c == ';' || c == '>'));
        ck_assert(has(marks_either_portable(block, ';', '>'), i) == (c == ';' || c == '>'));
    }
}

/* Each byte at each place, among neighbours that would carry into it. */
START_TEST(variants_mark_each_byte_alike)
{
    static const unsigned char neighbours[] = {0x00, 0x7f, 0x80, 0xff, ':', 'a'};
    char block[MARKS_LINES];
    for (size_t n = 0; n < sizeof(neighbours); n++)
        for (unsigned byte = 0; byte < 256; byte++) {
            memset(block, neighbours[n], sizeof(block));
            for (unsigned i = byte % 2; i < sizeof(block); i += 2)
                block[i] = (char)byte;
            assert_marks(block);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("marks");
    TCase *tests = tcase_create("marks");
    tcase_add_test(tests, variants_mark_each_byte_alike);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
