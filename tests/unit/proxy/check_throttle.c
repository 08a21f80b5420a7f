/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/throttle.h"

#include <check.h>
#include <stdlib.h>

#define SECOND UINT64_C(1000000)
#define MINUTE (60 * SECOND)

static struct proxy_throttle throttle;
static uint64_t now_us;

static void begin(void)
{
    proxy_throttle_clear(&throttle);
    now_us = 1000 * SECOND;
}

static struct smsg_overload loss(uint32_t percent, uint32_t validity_ms, uint64_t sequence)
{
    return (struct smsg_overload){.told = true,
                                  .sequenced = sequence != 0,
                                  .algorithms = SMSG_OVERLOAD_LOSS,
                                  .algorithm_count = 1,
                                  .value = percent,
                                  .validity_ms = validity_ms,
                                  .sequence = sequence};
}

static struct smsg_overload rate(uint32_t per_second, uint32_t validity_ms, uint64_t sequence)
{
    struct smsg_overload said = loss(per_second, validity_ms, sequence);
    said.algorithms = SMSG_OVERLOAD_RATE;
    return said;
}

static enum proxy_throttle_news hear(struct smsg_overload said)
{
    return proxy_throttle_hear(&throttle, &said, MINUTE, now_us);
}

static unsigned admitted_of_all_lots(void)
{
    unsigned count = 0;
    for (uint32_t lot = 0; lot <= UINT16_MAX; lot++)
        count += proxy_throttle_admits(&throttle, lot, now_us);
    return count;
}

START_TEST(a_loss_takes_its_share)
{
    static const uint32_t percents[] = {1, 20, 50, 99};
    ck_assert_uint_eq(admitted_of_all_lots(), 65536);
    for (size_t i = 0; i < 4; i++) {
        hear(loss(percents[i], 500, i + 1));
        ck_assert_uint_eq(admitted_of_all_lots(), 65536 - percents[i] * 65536 / 100);
    }
    hear(loss(100, 500, 9));
    ck_assert_uint_eq(admitted_of_all_lots(), 0);
}
END_TEST

START_TEST(it_lasts_as_long_as_it_is_valid)
{
    ck_assert_int_eq(hear(loss(100, 700, 1)), PROXY_THROTTLE_BEGUN);
    now_us += 699999;
    ck_assert(!proxy_throttle_admits(&throttle, 0, now_us));
    ck_assert(!proxy_throttle_expire(&throttle, now_us));
    now_us += 1;
    ck_assert(proxy_throttle_admits(&throttle, 0, now_us));
    ck_assert_int_eq(proxy_throttle_view(&throttle, now_us).algorithm, SMSG_OVERLOAD_NONE);
    ck_assert(proxy_throttle_expire(&throttle, now_us));
    ck_assert(!proxy_throttle_expire(&throttle, now_us)); /* one notices */
    /* No longer than we let it. */
    struct smsg_overload forever = loss(100, UINT32_MAX, 2);
    proxy_throttle_hear(&throttle, &forever, MINUTE, now_us);
    ck_assert_uint_eq(proxy_throttle_view(&throttle, now_us).until_us, now_us + MINUTE);
}
END_TEST

START_TEST(it_is_renewed_changed_and_ended)
{
    ck_assert_int_eq(hear(loss(0, 0, 1)), PROXY_THROTTLE_SAME);
    ck_assert_int_eq(hear(loss(30, 500, 2)), PROXY_THROTTLE_BEGUN);
    uint64_t begun_us = now_us;
    now_us += 400000;
    ck_assert_int_eq(hear(loss(30, 500, 3)), PROXY_THROTTLE_SAME);
    now_us += 400000;
    ck_assert_int_eq(hear(loss(40, 500, 4)), PROXY_THROTTLE_CHANGED);
    struct proxy_throttle_view view = proxy_throttle_view(&throttle, now_us);
    ck_assert_int_eq(view.algorithm, SMSG_OVERLOAD_LOSS);
    ck_assert_uint_eq(view.value, 40);
    ck_assert_uint_eq(view.begun_us, begun_us);
    ck_assert_uint_eq(view.until_us, now_us + 500000);
    ck_assert_int_eq(hear(loss(40, 0, 5)), PROXY_THROTTLE_ENDED);
    ck_assert(proxy_throttle_admits(&throttle, 0, now_us));
    ck_assert_int_eq(hear(loss(40, 500, 6)), PROXY_THROTTLE_BEGUN);
    ck_assert_int_eq(hear(loss(0, 500, 7)), PROXY_THROTTLE_ENDED);
}
END_TEST

START_TEST(what_is_older_is_ignored)
{
    hear(loss(0, 0, 100));
    ck_assert_int_eq(hear(loss(50, 500, 99)), PROXY_THROTTLE_STALE);
    ck_assert(proxy_throttle_admits(&throttle, 0, now_us));
    ck_assert_int_eq(hear(loss(50, 500, 101)), PROXY_THROTTLE_BEGUN);
    ck_assert_int_eq(hear(loss(0, 0, 99)), PROXY_THROTTLE_STALE);
    ck_assert(!proxy_throttle_admits(&throttle, 0, now_us));
    /* Who counts anew is heard when nothing older can be on its way any more. */
    now_us += 33 * SECOND;
    ck_assert_int_eq(hear(loss(60, 500, 1)), PROXY_THROTTLE_CHANGED);
    ck_assert_int_eq(hear(loss(60, 500, 99)), PROXY_THROTTLE_SAME);
    ck_assert_int_eq(hear(loss(70, 500, 98)), PROXY_THROTTLE_STALE);
    /* Who does not number what he says is heard as it comes. */
    ck_assert_int_eq(hear(loss(0, 0, 0)), PROXY_THROTTLE_ENDED);
}
END_TEST

/* RFC 7339 section 5.4: a response that is sent again does not make it last longer. */
START_TEST(what_has_the_same_number_changes_nothing)
{
    ck_assert_int_eq(hear(loss(50, 500, 7)), PROXY_THROTTLE_BEGUN);
    uint64_t until_us = proxy_throttle_view(&throttle, now_us).until_us;
    now_us += 400000;
    ck_assert_int_eq(hear(loss(50, 500, 7)), PROXY_THROTTLE_SAME);
    ck_assert_int_eq(hear(loss(90, 500, 7)), PROXY_THROTTLE_SAME);
    ck_assert_uint_eq(proxy_throttle_view(&throttle, now_us).until_us, until_us);
    ck_assert_uint_eq(proxy_throttle_view(&throttle, now_us).value, 50);
    now_us += 100000;
    ck_assert(proxy_throttle_expire(&throttle, now_us));
    ck_assert_int_eq(hear(loss(50, 500, 7)), PROXY_THROTTLE_SAME);
    ck_assert(proxy_throttle_admits(&throttle, 0, now_us));
    ck_assert_int_eq(hear(loss(50, 500, 8)), PROXY_THROTTLE_BEGUN);
}
END_TEST

/* RFC 7339 section 5.7: with oc-validity=0 the value of oc does not matter. */
START_TEST(without_validity_the_rest_does_not_matter)
{
    struct smsg_overload said = loss(101, 0, 2);
    hear(loss(50, 500, 1));
    ck_assert_int_eq(hear(said), PROXY_THROTTLE_ENDED);
    hear(rate(5, 500, 3));
    said = loss(0, 0, 4);
    said.told = false;
    said.algorithm_count = 0;
    said.algorithms = SMSG_OVERLOAD_NONE;
    ck_assert_int_eq(hear(said), PROXY_THROTTLE_ENDED);
    ck_assert(proxy_throttle_admits(&throttle, 0, now_us));
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
    struct smsg_overload said = loss(101, 500, 1);
    ck_assert_int_eq(hear(said), PROXY_THROTTLE_REFUSED);
    said = loss(10, 500, 2);
    said.algorithms = SMSG_OVERLOAD_NONE; /* one that we did not offer */
    ck_assert_int_eq(hear(said), PROXY_THROTTLE_REFUSED);
    said = loss(10, 500, 3);
    said.algorithm_count = 2;
    said.algorithms = SMSG_OVERLOAD_LOSS | SMSG_OVERLOAD_RATE;
    ck_assert_int_eq(hear(said), PROXY_THROTTLE_REFUSED);
    said.algorithm_count = 0;
    ck_assert_int_eq(hear(said), PROXY_THROTTLE_REFUSED);
    ck_assert_int_eq(hear(loss(10, 500, 1)), PROXY_THROTTLE_BEGUN); /* nothing of it was kept */
}
END_TEST

/* How many of what comes at even intervals over this time may go. */
static unsigned pass_evenly(uint64_t time_us, uint64_t every_us, bool must)
{
    unsigned sent = 0;
    for (uint64_t end_us = now_us + time_us; now_us < end_us; now_us += every_us) {
        if (!must && !proxy_throttle_admits(&throttle, 0, now_us))
            continue;
        proxy_throttle_spend(&throttle, now_us);
        sent++;
    }
    return sent;
}

START_TEST(a_rate_is_a_leaky_bucket)
{
    hear(rate(50, 60000, 1));
    unsigned burst = 0;
    for (; proxy_throttle_admits(&throttle, 0, now_us); burst++)
        proxy_throttle_spend(&throttle, now_us);
    ck_assert_uint_eq(burst, 5);
    now_us += 20000;
    ck_assert(proxy_throttle_admits(&throttle, 0, now_us));
    /* At any offered load no more than the rate. */
    ck_assert_uint_eq(pass_evenly(10 * SECOND, 1000, false), 500);
    ck_assert_uint_eq(pass_evenly(10 * SECOND, 100000, false), 100);
    hear(rate(200, 60000, 2));
    now_us += SECOND;
    unsigned passed = pass_evenly(10 * SECOND, 1000, false);
    ck_assert_msg(passed >= 2000 && passed <= 2005, "%u", passed);
    hear(rate(0, 60000, 3));
    ck_assert(!proxy_throttle_admits(&throttle, 0, now_us + SECOND));
}
END_TEST

START_TEST(what_must_go_leaves_the_rest_to_others)
{
    hear(rate(100, 60000, 1));
    unsigned new_calls = 0, within = 0;
    for (uint64_t i = 0; i < 10000; i++, now_us += 1000) {
        if (i % 20 == 0) { /* 50 a second */
            proxy_throttle_spend(&throttle, now_us);
            within++;
        }
        if (proxy_throttle_admits(&throttle, 0, now_us)) {
            proxy_throttle_spend(&throttle, now_us);
            new_calls++;
        }
    }
    ck_assert_uint_eq(within, 500);
    ck_assert_msg(new_calls >= 500 && new_calls <= 505, "%u", new_calls);
    /* What cannot be refused may exceed the rate, but is not held against new calls for ever. */
    ck_assert_uint_eq(pass_evenly(SECOND, 1000, true), 1000);
    ck_assert(!proxy_throttle_admits(&throttle, 0, now_us));
    ck_assert(proxy_throttle_admits(&throttle, 0, now_us + SECOND));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("throttle");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, begin, NULL);
    tcase_add_test(tests, a_loss_takes_its_share);
    tcase_add_test(tests, it_lasts_as_long_as_it_is_valid);
    tcase_add_test(tests, it_is_renewed_changed_and_ended);
    tcase_add_test(tests, what_is_older_is_ignored);
    tcase_add_test(tests, what_has_the_same_number_changes_nothing);
    tcase_add_test(tests, without_validity_the_rest_does_not_matter);
    tcase_add_test(tests, what_makes_no_sense_is_refused);
    tcase_add_test(tests, a_rate_is_a_leaky_bucket);
    tcase_add_test(tests, what_must_go_leaves_the_rest_to_others);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
