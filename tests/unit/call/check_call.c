/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "call/call.h"

#define SECOND   UINT64_C(1000000)
#define START_US (1000 * SECOND)

struct rig {
    struct rt_wheel *wheel;
    struct stats_registry *registry;
    struct stats_shard *shard;
    struct call_table *table;
    uint64_t now_us;
    unsigned ended;
    enum call_end last_end;
    struct call_summary last;
    uint64_t last_us;
    bool begin_again;
};

static const struct slice call_id = SLICE_LITERAL("call-1@example.com");
static const struct slice alice = SLICE_LITERAL("alice");

static struct call_record *begin(struct rig *rig, struct slice id, struct slice tag, uint32_t trunk)
{
    struct call_record *record;
    ck_assert_int_eq(call_begin(rig->table, id, tag, trunk, 11, 22, rig->now_us, &record), 0);
    return record;
}

static void on_ended(void *argument, const struct call_summary *summary, enum call_end end,
                     uint64_t now_us)
{
    struct rig *rig = argument;
    rig->ended++;
    rig->last = *summary;
    rig->last_end = end;
    rig->last_us = now_us;
    if (rig->begin_again) {
        rig->begin_again = false;
        begin(rig, call_id, alice, 1);
    }
}

static struct rig *rig_open(uint32_t limit)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    rig->now_us = START_US;
    ck_assert_int_eq(rt_wheel_create(rig->now_us, &rig->wheel), 0);
    ck_assert_int_eq(stats_registry_create(&rig->registry), 0);
    ck_assert_int_eq(stats_shard_create(rig->registry, &rig->shard), 0);
    struct call_settings settings = {
        .limit = limit, .max_call_us = 4 * 3600 * SECOND, .key = {{1, 2}}};
    ck_assert_int_eq(
        call_table_create(&settings, rig->wheel, rig->shard, on_ended, rig, &rig->table), 0);
    return rig;
}

static void rig_close(struct rig *rig)
{
    call_table_destroy(rig->table);
    ck_assert_uint_eq(rt_wheel_count(rig->wheel), 0);
    rt_wheel_destroy(rig->wheel);
    stats_registry_destroy(rig->registry);
    free(rig);
}

static void advance(struct rig *rig, uint64_t by_us)
{
    rig->now_us += by_us;
    rt_wheel_advance(rig->wheel, rig->now_us);
}

static void expect_end(const struct rig *rig, enum call_end end)
{
    ck_assert_uint_eq(rig->ended, 1);
    ck_assert_int_eq(rig->last_end, end);
    ck_assert_uint_eq(call_table_count(rig->table), 0);
    ck_assert_uint_eq(rt_wheel_count(rig->wheel), 0);
    ck_assert_uint_eq(stats_total(rig->registry, STATS_CALLS_ENDED), 1);
    ck_assert_uint_eq(stats_gauge_total(rig->registry, STATS_GAUGE_CALLS_HELD), 0);
}

START_TEST(leg_is_found_by_all_parts_of_its_key)
{
    struct rig *rig = rig_open(10);
    struct call_record *record = begin(rig, call_id, alice, 1);
    ck_assert_ptr_eq(call_find(rig->table, call_id, alice, 1), record);
    ck_assert_ptr_null(call_find(rig->table, call_id, alice, 2));
    ck_assert_ptr_null(call_find(rig->table, call_id, SLICE("bob"), 1));
    ck_assert_ptr_null(call_find(rig->table, SLICE("call-2"), alice, 1));
    ck_assert_ptr_null(call_find(rig->table, SLICE("call-1@example.coma"), SLICE("lice"), 1));
    ck_assert_uint_eq(stats_gauge_total(rig->registry, STATS_GAUGE_CALLS_HELD), 1);
    rig_close(rig);
}
END_TEST

START_TEST(repeated_invite_finds_the_same_leg)
{
    struct rig *rig = rig_open(10);
    struct call_record *record = begin(rig, call_id, alice, 1);
    ck_assert_ptr_eq(begin(rig, call_id, alice, 1), record);
    ck_assert_uint_eq(call_table_count(rig->table), 1);
    rig_close(rig);
}
END_TEST

START_TEST(spiral_is_a_second_leg)
{
    struct rig *rig = rig_open(10);
    ck_assert_ptr_ne(begin(rig, call_id, alice, 1), begin(rig, call_id, alice, 2));
    ck_assert_uint_eq(call_table_count(rig->table), 2);
    rig_close(rig);
}
END_TEST

START_TEST(overlong_keys_are_told_apart)
{
    struct rig *rig = rig_open(10);
    static char a[2000];
    static char b[2000];
    memset(a, 'x', sizeof(a));
    memset(b, 'x', sizeof(b));
    b[sizeof(b) - 1] = 'y';
    struct slice long_a = slice_make(a, sizeof(a));
    struct slice long_b = slice_make(b, sizeof(b));
    struct call_record *record = begin(rig, long_a, alice, 1);
    ck_assert_ptr_eq(call_find(rig->table, long_a, alice, 1), record);
    ck_assert_ptr_null(call_find(rig->table, long_b, alice, 1));
    ck_assert_ptr_null(call_find(rig->table, alice, long_a, 1));
    rig_close(rig);
}
END_TEST

START_TEST(full_table_refuses)
{
    struct rig *rig = rig_open(1);
    struct call_record *record = begin(rig, call_id, alice, 1);
    struct call_record *refused;
    ck_assert_int_eq(call_begin(rig->table, SLICE("call-2"), alice, 1, 0, 0, rig->now_us, &refused),
                     ERROR_LIMIT);
    call_finish(record, CALL_END_FAILED, 486, rig->now_us);
    begin(rig, SLICE("call-2"), alice, 1);
    rig_close(rig);
}
END_TEST

START_TEST(id_outlives_the_record)
{
    struct rig *rig = rig_open(1);
    struct call_record *record = begin(rig, call_id, alice, 1);
    uint64_t id = call_id_of(record);
    ck_assert_uint_ne(id, 0);
    ck_assert_ptr_eq(call_by_id(rig->table, id), record);
    call_finish(record, CALL_END_FAILED, 404, rig->now_us);
    ck_assert_ptr_null(call_by_id(rig->table, id));
    record = begin(rig, call_id, alice, 1);
    ck_assert_ptr_null(call_by_id(rig->table, id));
    ck_assert_ptr_eq(call_by_id(rig->table, call_id_of(record)), record);
    ck_assert_ptr_null(call_by_id(rig->table, 0));
    rig_close(rig);
}
END_TEST

START_TEST(refused_call_fails)
{
    struct rig *rig = rig_open(10);
    struct call_record *record = begin(rig, call_id, alice, 1);
    advance(rig, SECOND);
    call_finish(record, CALL_END_FAILED, 486, rig->now_us);
    expect_end(rig, CALL_END_FAILED);
    ck_assert_uint_eq(rig->last.status, 486);
    ck_assert_uint_eq(rig->last.answered_us, 0);
    ck_assert_uint_eq(stats_total(rig->registry, STATS_CALLS_ENDED_FAILED), 1);
    ck_assert_uint_eq(stats_total(rig->registry, STATS_CALLS_ANSWERED), 0);
    rig_close(rig);
}
END_TEST

START_TEST(summary_tells_the_story)
{
    struct rig *rig = rig_open(10);
    struct call_record *record = begin(rig, call_id, alice, 3);
    call_set_trunk_out(record, 4);
    advance(rig, SECOND);
    call_ringing(record, rig->now_us);
    advance(rig, SECOND);
    call_ringing(record, rig->now_us);
    call_answered(record, SLICE("bob"), 0, rig->now_us);
    advance(rig, SECOND);
    call_answered(record, SLICE("bob"), 0, rig->now_us);
    struct call_summary summary = call_summary_of(record);
    ck_assert_uint_eq(summary.trunk_in, 3);
    ck_assert_uint_eq(summary.trunk_out, 4);
    ck_assert_uint_eq(summary.begun_us, START_US);
    ck_assert_uint_eq(summary.ringing_us, START_US + SECOND);
    ck_assert_uint_eq(summary.answered_us, START_US + 2 * SECOND);
    ck_assert_uint_eq(summary.status, 200);
    ck_assert_uint_eq(summary.answers, 1);
    ck_assert_uint_eq(summary.packed_caller, 11);
    ck_assert_uint_eq(summary.packed_callee, 22);
    ck_assert_uint_eq(stats_total(rig->registry, STATS_CALLS_ANSWERED), 1);
    call_finish_answer(record, SLICE("bob"), CALL_END_BYE, rig->now_us);
    expect_end(rig, CALL_END_BYE);
    ck_assert_uint_eq(rig->last.status, 200);
    rig_close(rig);
}
END_TEST

START_TEST(record_of_a_fork_ends_with_its_last_answer)
{
    struct rig *rig = rig_open(10);
    struct call_record *record = begin(rig, call_id, alice, 1);
    call_answered(record, SLICE("bob"), 0, rig->now_us);
    call_answered(record, SLICE("carol"), 0, rig->now_us);
    call_finish_answer(record, SLICE("nobody"), CALL_END_BYE, rig->now_us);
    call_finish_answer(record, SLICE("bob"), CALL_END_BYE, rig->now_us);
    call_finish_answer(record, SLICE("bob"), CALL_END_BYE, rig->now_us);
    call_answered(record, SLICE("bob"), 0, rig->now_us);
    ck_assert_uint_eq(rig->ended, 0);
    call_finish_answer(record, SLICE("carol"), CALL_END_GONE, rig->now_us);
    expect_end(rig, CALL_END_GONE);
    ck_assert_uint_eq(rig->last.answers, 2);
    ck_assert_uint_eq(stats_total(rig->registry, STATS_CALLS_ANSWERED), 1);
    rig_close(rig);
}
END_TEST

START_TEST(bye_before_an_answer_ends_nothing)
{
    struct rig *rig = rig_open(10);
    struct call_record *record = begin(rig, call_id, alice, 1);
    call_finish_answer(record, SLICE("bob"), CALL_END_BYE, rig->now_us);
    ck_assert_uint_eq(rig->ended, 0);
    rig_close(rig);
}
END_TEST

START_TEST(flood_of_answers_is_bounded)
{
    struct rig *rig = rig_open(10);
    struct call_record *record = begin(rig, call_id, alice, 1);
    char tag[16];
    for (int i = 0; i < 100; i++) {
        int length = snprintf(tag, sizeof(tag), "tag-%d", i);
        call_answered(record, slice_make(tag, (size_t)length), 0, rig->now_us);
    }
    unsigned answers = call_summary_of(record).answers;
    ck_assert_uint_lt(answers, 100);
    for (int i = 0; i < 100 && rig->ended == 0; i++) {
        int length = snprintf(tag, sizeof(tag), "tag-%d", i);
        call_finish_answer(record, slice_make(tag, (size_t)length), CALL_END_BYE, rig->now_us);
    }
    expect_end(rig, CALL_END_BYE);
    rig_close(rig);
}
END_TEST

START_TEST(session_interval_ends_a_call)
{
    struct rig *rig = rig_open(10);
    struct call_record *record = begin(rig, call_id, alice, 1);
    advance(rig, 10 * SECOND);
    call_answered(record, SLICE("bob"), 1800 * SECOND, rig->now_us);
    advance(rig, 1800 * SECOND - 1000);
    ck_assert_uint_eq(rig->ended, 0);
    advance(rig, 1000);
    expect_end(rig, CALL_END_EXPIRED);
    ck_assert_uint_eq(stats_total(rig->registry, STATS_CALLS_ENDED_EXPIRED), 1);
    rig_close(rig);
}
END_TEST

START_TEST(refresh_starts_the_session_interval_anew)
{
    struct rig *rig = rig_open(10);
    struct call_record *record = begin(rig, call_id, alice, 1);
    call_answered(record, SLICE("bob"), 90 * SECOND, rig->now_us);
    for (unsigned i = 0; i < 5; i++) {
        advance(rig, 45 * SECOND);
        call_refreshed(record, 90 * SECOND, rig->now_us);
    }
    advance(rig, 89 * SECOND);
    ck_assert_uint_eq(rig->ended, 0);
    call_refreshed(record, 0, rig->now_us);
    advance(rig, 3600 * SECOND);
    ck_assert_uint_eq(rig->ended, 0);
    rig_close(rig);
}
END_TEST

START_TEST(no_call_lasts_beyond_the_maximum)
{
    struct rig *rig = rig_open(10);
    struct call_record *record = begin(rig, call_id, alice, 1);
    if (_i == 1)
        call_answered(record, SLICE("bob"), 0, rig->now_us);
    advance(rig, 4 * 3600 * SECOND - 1000);
    if (_i == 1)
        call_refreshed(record, 1800 * SECOND, rig->now_us);
    ck_assert_uint_eq(rig->ended, 0);
    advance(rig, 1000);
    expect_end(rig, CALL_END_MAXIMUM);
    ck_assert_uint_eq(stats_total(rig->registry, STATS_CALLS_ENDED_MAXIMUM), 1);
    rig_close(rig);
}
END_TEST

START_TEST(call_may_begin_while_one_ends)
{
    struct rig *rig = rig_open(1);
    rig->begin_again = true;
    call_finish(begin(rig, call_id, alice, 1), CALL_END_FAILED, 401, rig->now_us);
    ck_assert_uint_eq(call_table_count(rig->table), 1);
    ck_assert_uint_eq(rig->ended, 1);
    rig_close(rig);
}
END_TEST

START_TEST(forgetting_tells_nobody)
{
    struct rig *rig = rig_open(10);
    begin(rig, call_id, alice, 1);
    begin(rig, call_id, alice, 2);
    call_table_destroy(rig->table);
    ck_assert_uint_eq(rig->ended, 0);
    rig->table = NULL;
    rig_close(rig);
}
END_TEST

enum { CALLS = 64 };

struct life {
    uint64_t id;
    bool open;
};

static void live_a_little(struct rig *rig, struct life *life, unsigned number,
                          struct random_state *random)
{
    char text[32];
    int length = snprintf(text, sizeof(text), "call-%u", number);
    struct call_record *record = call_by_id(rig->table, life->id);
    ck_assert(record == NULL || life->open);
    life->open = record != NULL;
    if (record == NULL) {
        life->id = call_id_of(begin(rig, slice_make(text, (size_t)length), alice, 1));
        life->open = true;
        return;
    }
    switch (random_below(random, 5)) {
    case 0:
        call_answered(record, random_below(random, 2) == 0 ? SLICE("b") : SLICE("c"),
                      random_below(random, 2) * 90 * SECOND, rig->now_us);
        break;
    case 1:
        call_finish_answer(record, random_below(random, 2) == 0 ? SLICE("b") : SLICE("c"),
                           CALL_END_BYE, rig->now_us);
        break;
    case 2:
        if (call_summary_of(record).answers == 0)
            call_finish(record, CALL_END_FAILED, 487, rig->now_us);
        break;
    default:
        advance(rig, random_below(random, 20) * SECOND);
    }
}

START_TEST(every_call_ends_exactly_once)
{
    struct rig *rig = rig_open(CALLS);
    struct life lives[CALLS] = {{0, false}};
    struct random_state random;
    random_seed(&random, 42);
    for (unsigned step = 0; step < 50000; step++) {
        unsigned number = (unsigned)random_below(&random, CALLS);
        live_a_little(rig, &lives[number], number, &random);
    }
    advance(rig, 4 * 3600 * SECOND);
    ck_assert_uint_eq(call_table_count(rig->table), 0);
    ck_assert_uint_eq(rt_wheel_count(rig->wheel), 0);
    ck_assert_uint_eq(stats_total(rig->registry, STATS_CALLS_ENDED), rig->ended);
    uint64_t by_end = 0;
#define CALL_END_ROW(identifier, key, counter) by_end += stats_total(rig->registry, counter);
    CALL_END_TABLE(CALL_END_ROW)
#undef CALL_END_ROW
    ck_assert_uint_eq(by_end, rig->ended);
    rig_close(rig);
}
END_TEST

/* ---- another process --------------------------------------------------------------------- */

struct pair {
    struct rig *old;
    struct rig *new;
};

static void take(void *argument, const struct call_handed *call)
{
    struct rig *rig = argument;
    struct call_record *record;
    ck_assert_int_eq(call_table_take(rig->table, call, false, rig->now_us, &record), 0);
    ck_assert_ptr_nonnull(record);
}

static void changed(void *argument, const struct call_handed *call, bool ended)
{
    struct rig *rig = argument;
    struct call_record *record;
    ck_assert_int_eq(call_table_take(rig->table, call, ended, rig->now_us, &record), 0);
    ck_assert_int_eq(record == NULL, ended);
}

static struct call_record *known(struct rig *rig)
{
    return call_find(rig->table, call_id, alice, 1);
}

START_TEST(answered_calls_are_handed_over)
{
    struct pair pair = {rig_open(8), rig_open(8)};
    struct call_record *up = begin(pair.old, call_id, alice, 1);
    begin(pair.old, SLICE("rings"), alice, 1);
    call_set_trunk_out(up, 2);
    call_answered(up, SLICE("bob"), 1800 * SECOND, pair.old->now_us);
    call_table_each(pair.old->table, take, pair.new);
    call_table_follow(pair.old->table, changed, pair.new, pair.old->now_us);
    ck_assert_uint_eq(call_table_count(pair.new->table), 1);
    ck_assert_uint_eq(stats_total(pair.new->registry, STATS_CALLS_ANSWERED), 0);
    struct call_summary summary = call_summary_of(known(pair.new));
    ck_assert_uint_eq(summary.trunk_out, 2);
    ck_assert_uint_eq(summary.packed_callee, 22);
    ck_assert_uint_eq(summary.answered_us, pair.old->now_us);

    /* Its time is up in the new process, the old one has only a copy. */
    advance(pair.old, 1801 * SECOND);
    ck_assert_uint_eq(pair.old->ended, 0);
    advance(pair.new, 1801 * SECOND);
    ck_assert_uint_eq(pair.new->ended, 1);
    ck_assert_int_eq(pair.new->last_end, CALL_END_EXPIRED);
    rig_close(pair.old);
    rig_close(pair.new);
}
END_TEST

START_TEST(what_becomes_of_a_call_is_told)
{
    struct pair pair = {rig_open(8), rig_open(8)};
    struct call_record *call = begin(pair.old, call_id, alice, 1);
    call_table_each(pair.old->table, take, pair.new);
    call_table_follow(pair.old->table, changed, pair.new, pair.old->now_us);
    ck_assert_ptr_null(known(pair.new));
    call_ringing(call, pair.old->now_us);
    call_answered(call, SLICE("bob"), 0, pair.old->now_us);
    call_answered(call, SLICE("carol"), 0, pair.old->now_us);
    ck_assert_uint_eq(call_summary_of(known(pair.new)).answers, 2);
    call_finish_answer(call, SLICE("bob"), CALL_END_BYE, pair.old->now_us);
    ck_assert_ptr_nonnull(known(pair.new));
    call_finish_answer(call, SLICE("carol"), CALL_END_BYE, pair.old->now_us);
    ck_assert_ptr_null(known(pair.new));
    ck_assert_uint_eq(pair.new->ended, 1);
    ck_assert_int_eq(pair.new->last_end, CALL_END_BYE);

    /* One that was never answered was never told. */
    call_finish(begin(pair.old, SLICE("busy"), alice, 1), CALL_END_FAILED, 486, pair.old->now_us);
    ck_assert_uint_eq(pair.new->ended, 1);
    rig_close(pair.old);
    rig_close(pair.new);
}
END_TEST

/* What was counted in the old process is at another place in the new one. */
START_TEST(what_a_call_holds_is_its_own_process)
{
    struct pair pair = {rig_open(8), rig_open(8)};
    const uint32_t old_places[CALL_HELD] = {7, 0, 9, 0};
    const uint32_t new_places[CALL_HELD] = {3, 0, 4, 0};
    struct call_record *call = begin(pair.old, call_id, alice, 1);
    ck_assert(call_hold(call, old_places));
    call_answered(call, SLICE("bob"), 0, pair.old->now_us);
    call_table_each(pair.old->table, take, pair.new);
    call_table_follow(pair.old->table, changed, pair.new, pair.old->now_us);
    ck_assert_uint_eq(call_summary_of(known(pair.new)).held[0], 0);
    ck_assert(call_hold(known(pair.new), new_places));
    call_refreshed(call, 60 * SECOND, pair.old->now_us);
    struct call_summary summary = call_summary_of(known(pair.new));
    ck_assert_mem_eq(summary.held, new_places, sizeof(new_places));
    rig_close(pair.old);
    rig_close(pair.new);
}
END_TEST

START_TEST(a_table_may_be_in_charge_again)
{
    struct pair pair = {rig_open(8), rig_open(8)};
    call_answered(begin(pair.old, call_id, alice, 1), SLICE("bob"), 60 * SECOND, pair.old->now_us);
    call_table_follow(pair.old->table, changed, pair.new, pair.old->now_us);
    call_table_follow(pair.old->table, NULL, NULL, pair.old->now_us);
    advance(pair.old, 61 * SECOND);
    ck_assert_uint_eq(pair.old->ended, 1);
    ck_assert_uint_eq(call_table_count(pair.new->table), 0);
    rig_close(pair.old);
    rig_close(pair.new);
}
END_TEST

START_TEST(a_full_table_takes_no_more)
{
    struct pair pair = {rig_open(8), rig_open(1)};
    const struct slice ids[] = {SLICE("1"), SLICE("2")};
    struct call_handed last = {{0}, {0}};
    struct call_record *record;
    begin(pair.new, call_id, alice, 1);
    for (unsigned i = 0; i < 2; i++)
        call_answered(begin(pair.old, ids[i], alice, 1), SLICE("bob"), 0, pair.old->now_us);
    last.words[0] = 1;
    ck_assert_int_eq(call_table_take(pair.new->table, &last, false, pair.new->now_us, &record),
                     ERROR_LIMIT);
    ck_assert_int_eq(call_table_take(pair.new->table, &last, true, pair.new->now_us, &record), 0);
    ck_assert_ptr_null(record);
    rig_close(pair.old);
    rig_close(pair.new);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("call");
    tcase_add_test(tests, leg_is_found_by_all_parts_of_its_key);
    tcase_add_test(tests, repeated_invite_finds_the_same_leg);
    tcase_add_test(tests, spiral_is_a_second_leg);
    tcase_add_test(tests, overlong_keys_are_told_apart);
    tcase_add_test(tests, full_table_refuses);
    tcase_add_test(tests, id_outlives_the_record);
    tcase_add_test(tests, refused_call_fails);
    tcase_add_test(tests, summary_tells_the_story);
    tcase_add_test(tests, record_of_a_fork_ends_with_its_last_answer);
    tcase_add_test(tests, bye_before_an_answer_ends_nothing);
    tcase_add_test(tests, flood_of_answers_is_bounded);
    tcase_add_test(tests, session_interval_ends_a_call);
    tcase_add_test(tests, refresh_starts_the_session_interval_anew);
    tcase_add_loop_test(tests, no_call_lasts_beyond_the_maximum, 0, 2);
    tcase_add_test(tests, call_may_begin_while_one_ends);
    tcase_add_test(tests, forgetting_tells_nobody);
    tcase_add_test(tests, every_call_ends_exactly_once);
    tcase_add_test(tests, answered_calls_are_handed_over);
    tcase_add_test(tests, what_becomes_of_a_call_is_told);
    tcase_add_test(tests, what_a_call_holds_is_its_own_process);
    tcase_add_test(tests, a_table_may_be_in_charge_again);
    tcase_add_test(tests, a_full_table_takes_no_more);

    Suite *suite = suite_create("call");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
