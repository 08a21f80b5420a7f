/* SPDX-License-Identifier: Apache-2.0 */
#include "screening/tally.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct stats_registry *registry;
static struct stats_shard *shard;
static struct screen_tally tally;
static struct screen_facts facts;

static void setup(void)
{
    ck_assert_int_eq(stats_registry_create(&registry), 0);
    ck_assert_int_eq(stats_shard_create(registry, &shard), 0);
    screen_tally_register(&tally, registry);
    memset(&facts, 0, sizeof(facts));
}

static void teardown(void)
{
    stats_registry_destroy(registry);
}

static uint64_t total(enum stats_family family, const char *label)
{
    return stats_label_total(registry, family, stats_label(registry, family, slice_of_text(label)));
}

static void normalise(const char *text, enum num_role role, struct num_number *number)
{
    struct num_profile profile;
    ck_assert_int_eq(num_profile_init(&profile, SLICE("CN"), SLICE("10"), NULL, 0), 0);
    int error = num_normalise(&profile, role, SLICE("sip"), slice_of_text(text), SLICE(""), number);
    ck_assert(error == 0 || error == ERROR_MALFORMED);
}

START_TEST(a_call_is_counted_by_both_parties)
{
    normalise("+862155551234", NUM_CALLER, &facts.caller);
    normalise("13911112222", NUM_CALLEE, &facts.callee);
    screen_tally_call(&tally, shard, &facts);
    ck_assert_uint_eq(total(STATS_FAMILY_CALLER_COUNTRY, "CN"), 1);
    ck_assert_uint_eq(total(STATS_FAMILY_CALLER_REGION, "Shanghai"), 1);
    ck_assert_uint_eq(total(STATS_FAMILY_CALLER_KIND, "fixed"), 1);
    ck_assert_uint_eq(total(STATS_FAMILY_CALLEE_COUNTRY, "CN"), 1);
    ck_assert_uint_eq(total(STATS_FAMILY_CALLEE_REGION, "unknown"), 1);
    ck_assert_uint_eq(total(STATS_FAMILY_CALLEE_KIND, "mobile"), 1);
}
END_TEST

START_TEST(what_is_not_known_is_counted_too)
{
    normalise("nobody", NUM_CALLER, &facts.caller);
    screen_tally_call(&tally, shard, &facts);
    screen_tally_call(&tally, shard, NULL);
    ck_assert_uint_eq(total(STATS_FAMILY_CALLER_COUNTRY, "unknown"), 2);
    ck_assert_uint_eq(total(STATS_FAMILY_CALLER_KIND, "unknown"), 2);
    ck_assert_uint_eq(total(STATS_FAMILY_CALLEE_REGION, "unknown"), 2);
}
END_TEST

/* Every label that can come has its place, and none is made while calls are counted. */
START_TEST(all_labels_are_there_from_the_start)
{
    ck_assert_uint_eq(stats_total(registry, STATS_LABELS_REFUSED), 0);
    for (size_t i = 0; i < num_country_total(); i++) {
        struct num_number *caller = &facts.caller;
        const struct num_country *country = num_country_at(i);
        uint64_t before = total(STATS_FAMILY_CALLER_COUNTRY, country->iso);
        caller->valid = true;
        memcpy(caller->iso, country->iso, sizeof(caller->iso));
        screen_tally_call(&tally, shard, &facts);
        ck_assert_uint_eq(total(STATS_FAMILY_CALLER_COUNTRY, country->iso), before + 1);
    }
    ck_assert_uint_eq(stats_label_total(registry, STATS_FAMILY_CALLER_COUNTRY, 0), 0);
}
END_TEST

START_TEST(degraded_verdicts_say_why)
{
    screen_tally_degraded(&tally, shard, 1 << STATS_MISSING_REPUTATION);
    screen_tally_degraded(&tally, shard,
                          1 << STATS_MISSING_REPUTATION | 1 << STATS_MISSING_PATTERNS);
    screen_tally_degraded(&tally, shard, 0);
    ck_assert_uint_eq(total(STATS_FAMILY_DEGRADED, "reputation"), 2);
    ck_assert_uint_eq(total(STATS_FAMILY_DEGRADED, "patterns"), 1);
    ck_assert_uint_eq(total(STATS_FAMILY_DEGRADED, "other"), 1);
}
END_TEST

START_TEST(a_full_family_counts_what_it_refused)
{
    char name[32];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "name-%d", i);
        uint32_t label = stats_label(registry, STATS_FAMILY_VERDICTS, slice_of_text(name));
        ck_assert_uint_eq(label, i < 15 ? (uint32_t)i + 1 : 0);
    }
    ck_assert_uint_eq(stats_total(registry, STATS_LABELS_REFUSED), 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("screening/tally");
    TCase *calls = tcase_create("calls");
    tcase_add_checked_fixture(calls, setup, teardown);
    tcase_add_test(calls, a_call_is_counted_by_both_parties);
    tcase_add_test(calls, what_is_not_known_is_counted_too);
    tcase_add_test(calls, all_labels_are_there_from_the_start);
    tcase_add_test(calls, degraded_verdicts_say_why);
    tcase_add_test(calls, a_full_family_counts_what_it_refused);
    suite_add_tcase(suite, calls);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
