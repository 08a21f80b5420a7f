/* SPDX-License-Identifier: Apache-2.0 */
#include "config/suggest.h"

#include <check.h>
#include <stdlib.h>

static unsigned distance(const char *a, const char *b)
{
    return conf_distance(slice_of_text(a), slice_of_text(b), 10);
}

START_TEST(each_change_counts_one)
{
    ck_assert_uint_eq(distance("", ""), 0);
    ck_assert_uint_eq(distance("trunk", "trunk"), 0);
    ck_assert_uint_eq(distance("trunk", "Trunk"), 0);
    ck_assert_uint_eq(distance("trunk", "trunks"), 1);
    ck_assert_uint_eq(distance("trunk", "runk"), 1);
    ck_assert_uint_eq(distance("trunk", "truck"), 1);
    ck_assert_uint_eq(distance("trunk", "turnk"), 1);
    ck_assert_uint_eq(distance("", "abc"), 3);
    ck_assert_uint_eq(distance("kitten", "sitting"), 3);
}
END_TEST

START_TEST(beyond_the_limit_is_one_more)
{
    ck_assert_uint_eq(conf_distance(SLICE("abc"), SLICE("xyz"), 2), 3);
    ck_assert_uint_eq(conf_distance(SLICE("a"), SLICE("abcdefgh"), 2), 3);
}
END_TEST

START_TEST(very_long_words_are_infinitely_far)
{
    char word[65];

    memset(word, 'a', sizeof(word));
    ck_assert_uint_eq(conf_distance(slice_make(word, 65), slice_make(word, 65), 9), 10);
    ck_assert_uint_eq(conf_distance(slice_make(word, 64), slice_make(word, 64), 9), 0);
}
END_TEST

START_TEST(the_nearest_wins_and_strangers_do_not)
{
    struct conf_suggestion suggestion = conf_suggestion_for(SLICE("timout"));

    conf_suggestion_offer(&suggestion, SLICE("interval"));
    ck_assert_ptr_null(suggestion.best.data);
    conf_suggestion_offer(&suggestion, SLICE("timeouts"));
    conf_suggestion_offer(&suggestion, SLICE("timeout"));
    conf_suggestion_offer(&suggestion, SLICE("timebut"));
    ck_assert(slice_equal(suggestion.best, SLICE("timeout")));
}
END_TEST

START_TEST(short_words_need_the_same_letters)
{
    struct conf_suggestion suggestion = conf_suggestion_for(SLICE("AT"));

    conf_suggestion_offer(&suggestion, SLICE("do"));
    conf_suggestion_offer(&suggestion, SLICE("as"));
    ck_assert_ptr_null(suggestion.best.data);
    conf_suggestion_offer(&suggestion, SLICE("at"));
    ck_assert(slice_equal(suggestion.best, SLICE("at")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config/suggest");
    TCase *group = tcase_create("suggest");

    tcase_add_test(group, each_change_counts_one);
    tcase_add_test(group, beyond_the_limit_is_one_more);
    tcase_add_test(group, very_long_words_are_infinitely_far);
    tcase_add_test(group, the_nearest_wins_and_strangers_do_not);
    tcase_add_test(group, short_words_need_the_same_letters);
    suite_add_tcase(suite, group);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
