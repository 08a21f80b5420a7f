/* SPDX-License-Identifier: Apache-2.0 */
/* The replica against a plain sorted model, its rules of authority, and readers beside a writer. */
#include "reputation/replica.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "unit/often.h"
#include "unit/sanitized.h"

enum { NOW_S = 1800000000 };

static struct rep_replica *replica;

static void setup(void)
{
    struct rep_replica_options options = {.seed = {7, 7}};
    ck_assert_int_eq(rep_replica_create(&options, &replica), 0);
}

static void teardown(void)
{
    rep_replica_destroy(replica);
}

static struct rep_key number_key(const char *digits)
{
    struct rep_key key = {.kind = REP_KIND_NUMBER};
    ck_assert(rep_pack_digits(slice_of_text(digits), &key.packed));
    return key;
}

static struct rep_key prefix_key(const char *digits)
{
    struct rep_key key = number_key(digits);
    key.kind = REP_KIND_PREFIX;
    return key;
}

static void put(struct rep_key key, int score, enum rep_list list, uint64_t expires_s)
{
    struct rep_entry entry = {
        .score = (int8_t)score, .list = (uint8_t)list, .expires_s = expires_s};
    assert_often(rep_replica_set(replica, &key, &entry, NULL) == 0);
}

static struct rep_finding find(const char *digits, uint64_t now_s)
{
    struct rep_finding finding;
    uint64_t packed;
    ck_assert(rep_pack_digits(slice_of_text(digits), &packed));
    rep_replica_prefetch(replica, packed);
    rep_replica_find(replica, packed, now_s, &finding);
    return finding;
}

/* ---- rules --------------------------------------------------------------------------------- */

START_TEST(empty_knows_nothing)
{
    struct rep_finding finding = find("8613800138000", NOW_S);
    ck_assert_int_eq(finding.match, REP_MATCH_NONE);
    ck_assert_int_eq(finding.entry.score, REP_SCORE_UNKNOWN);
    ck_assert_int_eq(finding.entry.list, REP_LIST_NONE);
}
END_TEST

START_TEST(every_field_comes_back)
{
    struct rep_key key = number_key("8613800138000");
    struct rep_entry entry = {
        .expires_s = NOW_S + 5, .score = 100, .list = REP_LIST_WATCH, .type = 255, .source = 127};
    bool changed = false;
    ck_assert_int_eq(rep_replica_set(replica, &key, &entry, &changed), 0);
    ck_assert(changed);
    ck_assert_int_eq(rep_replica_set(replica, &key, &entry, &changed), 0);
    ck_assert(!changed);
    struct rep_finding finding = find("8613800138000", NOW_S);
    ck_assert_int_eq(finding.match, REP_MATCH_NUMBER);
    ck_assert_int_eq(finding.entry.score, 100);
    ck_assert_int_eq(finding.entry.list, REP_LIST_WATCH);
    ck_assert_int_eq(finding.entry.type, 255);
    ck_assert_int_eq(finding.entry.source, 127);
    ck_assert_uint_eq(finding.entry.expires_s, NOW_S + 5);
}
END_TEST

START_TEST(number_beats_prefix_and_longest_prefix_wins)
{
    put(prefix_key("8613800"), 60, REP_LIST_BLOCK, 0);
    put(prefix_key("86138001"), 70, REP_LIST_ALLOW, 0);
    put(number_key("8613800138000"), 10, REP_LIST_WATCH, 0);
    ck_assert_int_eq(find("8613800138000", NOW_S).match, REP_MATCH_NUMBER);
    struct rep_finding finding = find("8613800138001", NOW_S);
    ck_assert_int_eq(finding.match, REP_MATCH_PREFIX);
    ck_assert_int_eq(finding.prefix_length, 8);
    ck_assert_int_eq(finding.entry.list, REP_LIST_ALLOW);
    finding = find("8613800238001", NOW_S);
    ck_assert_int_eq(finding.prefix_length, 7);
    ck_assert_int_eq(finding.entry.list, REP_LIST_BLOCK);
    ck_assert(!finding.limited);
    ck_assert_int_eq(find("8613900238001", NOW_S).match, REP_MATCH_NONE);
}
END_TEST

START_TEST(removed_prefix_uncovers_the_shorter)
{
    put(prefix_key("8613800"), 60, REP_LIST_BLOCK, 0);
    put(prefix_key("86138001"), 70, REP_LIST_WATCH, 0);
    struct rep_key key = prefix_key("86138001");
    ck_assert(rep_replica_remove(replica, &key));
    ck_assert(!rep_replica_remove(replica, &key));
    ck_assert_int_eq(find("8613800138001", NOW_S).prefix_length, 7);
    key = prefix_key("8613800");
    ck_assert(rep_replica_remove(replica, &key));
    ck_assert_int_eq(find("8613800138001", NOW_S).match, REP_MATCH_NONE);
}
END_TEST

START_TEST(short_prefix_cannot_block)
{
    struct rep_replica_figures figures;
    put(prefix_key("861380"), 95, REP_LIST_BLOCK, 0);
    struct rep_finding finding = find("8613800138001", NOW_S);
    ck_assert_int_eq(finding.match, REP_MATCH_PREFIX);
    ck_assert_int_eq(finding.entry.list, REP_LIST_WATCH);
    ck_assert_int_eq(finding.entry.score, REP_SHORT_PREFIX_SCORE);
    ck_assert(finding.limited);
    rep_replica_figures(replica, &figures);
    ck_assert_uint_eq(figures.short_prefixes, 1);
    put(prefix_key("861380"), 30, REP_LIST_WATCH, 0);
    rep_replica_figures(replica, &figures);
    ck_assert_uint_eq(figures.short_prefixes, 0);
    finding = find("8613800138001", NOW_S);
    ck_assert_int_eq(finding.entry.score, 30);
    ck_assert(!finding.limited);
}
END_TEST

START_TEST(expiry_is_enforced_by_the_reader)
{
    put(number_key("8613800138000"), 90, REP_LIST_BLOCK, NOW_S + 10);
    put(prefix_key("8613800"), 40, REP_LIST_WATCH, 0);
    ck_assert_int_eq(find("8613800138000", NOW_S + 9).match, REP_MATCH_NUMBER);
    ck_assert_int_eq(find("8613800138000", NOW_S + 10).match, REP_MATCH_PREFIX);
    ck_assert_uint_eq(rep_replica_sweep(replica, NOW_S + 9, UINT16_MAX), 0);
    ck_assert_uint_eq(rep_replica_sweep(replica, NOW_S + 10, UINT16_MAX), 1);
    struct rep_replica_figures figures;
    rep_replica_figures(replica, &figures);
    ck_assert_uint_eq(figures.entries[REP_KIND_NUMBER], 0);
    ck_assert_uint_eq(figures.entries[REP_KIND_PREFIX], 1);
    ck_assert_uint_eq(figures.expired, 1);
}
END_TEST

START_TEST(raw_texts_match_whole)
{
    struct rep_key key = {.kind = REP_KIND_RAW, .text = SLICE("anonymous")};
    put(key, 20, REP_LIST_WATCH, 0);
    struct rep_finding finding;
    ck_assert(rep_replica_find_raw(replica, SLICE("anonymous"), NOW_S, &finding));
    ck_assert_int_eq(finding.match, REP_MATCH_RAW);
    ck_assert(!rep_replica_find_raw(replica, SLICE("Anonymous"), NOW_S, &finding));
    ck_assert(!rep_replica_find_raw(replica, SLICE("anonymou"), NOW_S, &finding));
    ck_assert(!rep_replica_find_raw(replica, SLICE(""), NOW_S, &finding));
    ck_assert(rep_replica_remove(replica, &key));
    ck_assert(!rep_replica_find_raw(replica, SLICE("anonymous"), NOW_S, &finding));
}
END_TEST

START_TEST(leading_zeros_and_length_count)
{
    put(number_key("0044"), 1, REP_LIST_WATCH, 0);
    ck_assert_int_eq(find("44", NOW_S).match, REP_MATCH_NONE);
    ck_assert_int_eq(find("0044", NOW_S).match, REP_MATCH_NUMBER);
    put(number_key("999999999999999"), 2, REP_LIST_WATCH, 0);
    ck_assert_int_eq(find("999999999999999", NOW_S).entry.score, 2);
}
END_TEST

START_TEST(impossible_keys_are_refused)
{
    struct rep_entry entry = {.score = 1};
    struct rep_finding finding;
    const uint64_t bad[] = {0, 1, 9, 25, UINT64_C(20000000000000000), UINT64_MAX};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct rep_key key = {.kind = REP_KIND_NUMBER, .packed = bad[i]};
        ck_assert_int_ne(rep_replica_set(replica, &key, &entry, NULL), 0);
        ck_assert(!rep_replica_find(replica, bad[i], NOW_S, &finding));
        rep_replica_prefetch(replica, bad[i]);
    }
    struct rep_key key = number_key("123");
    entry.score = 101;
    ck_assert_int_ne(rep_replica_set(replica, &key, &entry, NULL), 0);
}
END_TEST

/* ---- generations --------------------------------------------------------------------------- */

START_TEST(unseen_entries_go_with_the_generation)
{
    put(number_key("8613800138000"), 1, REP_LIST_WATCH, 0);
    put(number_key("8613800138001"), 2, REP_LIST_WATCH, NOW_S + 100);
    put(number_key("8613800138002"), 3, REP_LIST_WATCH, 0);
    rep_replica_begin(replica);
    ck_assert_uint_eq(rep_replica_stale(replica), 3);
    struct rep_key key = number_key("8613800138001");
    struct rep_entry entry = {.score = 2, .list = REP_LIST_WATCH, .expires_s = NOW_S + 101};
    ck_assert(rep_replica_touch(replica, &key, &entry, 2));
    entry.expires_s = NOW_S + 103;
    ck_assert(!rep_replica_touch(replica, &key, &entry, 2));
    entry.expires_s = 0;
    ck_assert(!rep_replica_touch(replica, &key, &entry, 2));
    put(number_key("8613800138002"), 4, REP_LIST_BLOCK, 7 + NOW_S);
    ck_assert_uint_eq(rep_replica_stale(replica), 1);
    while (rep_replica_drop_stale(replica, 100))
        continue;
    ck_assert_int_eq(find("8613800138000", NOW_S).match, REP_MATCH_NONE);
    ck_assert_int_eq(find("8613800138001", NOW_S).entry.score, 2);
    ck_assert_int_eq(find("8613800138002", NOW_S).entry.score, 4);
}
END_TEST

START_TEST(abandoned_generation_is_not_mistaken)
{
    put(number_key("8613800138000"), 1, REP_LIST_WATCH, 0);
    put(number_key("8613800138001"), 2, REP_LIST_WATCH, 0);
    rep_replica_begin(replica);
    put(number_key("8613800138001"), 2, REP_LIST_WATCH, 0);
    rep_replica_begin(replica);
    ck_assert_uint_eq(rep_replica_stale(replica), 2);
    while (rep_replica_drop_stale(replica, 100))
        continue;
    ck_assert_uint_eq(rep_replica_stale(replica), 0);
    struct rep_replica_figures figures;
    rep_replica_figures(replica, &figures);
    ck_assert_uint_eq(figures.entries[REP_KIND_NUMBER], 0);
}
END_TEST

/* ---- model --------------------------------------------------------------------------------- */

/* Numbers 0..MODEL_KEYS-1 with what the replica should hold; -2: absent. */
enum { MODEL_KEYS = 60000, MODEL_STEPS = UNLESS_SLOW(400000, 100000), ABSENT = -2 };

struct model_entry {
    int score;
    uint8_t list;
    uint64_t expires_s;
    bool current;
};

static struct model_entry model[MODEL_KEYS];

/* Dense, so that with few partition bits many keys share a partition. */
static uint64_t model_packed(unsigned i)
{
    return UINT64_C(18613800000000) + i;
}

static void model_compare(void)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < MODEL_KEYS; i++) {
        struct rep_key key = {.kind = REP_KIND_NUMBER, .packed = model_packed(i)};
        struct rep_entry entry;
        bool found = rep_replica_get(replica, &key, 0, &entry);
        assert_often(found == (model[i].score != ABSENT));
        count += found;
        if (found) {
            assert_often(entry.score == model[i].score);
            assert_often(entry.list == model[i].list);
            assert_often(entry.expires_s == model[i].expires_s);
        }
    }
    struct rep_replica_figures figures;
    rep_replica_figures(replica, &figures);
    ck_assert_uint_eq(figures.entries[REP_KIND_NUMBER], count);
}

static void model_set(struct random_state *random, unsigned i)
{
    model[i] = (struct model_entry){
        .score = (int)random_below(random, 101),
        .list = (uint8_t)random_below(random, REP_LIST_COUNT),
        .expires_s = random_below(random, 3) == 0 ? NOW_S + random_below(random, 1000) : 0,
        .current = true,
    };
    put((struct rep_key){.kind = REP_KIND_NUMBER, .packed = model_packed(i)}, model[i].score,
        (enum rep_list)model[i].list, model[i].expires_s);
}

static void model_drop_where(bool (*gone)(const struct model_entry *entry, uint64_t argument),
                             uint64_t argument)
{
    for (unsigned i = 0; i < MODEL_KEYS; i++)
        if (model[i].score != ABSENT && gone(&model[i], argument))
            model[i].score = ABSENT;
}

static bool is_expired(const struct model_entry *entry, uint64_t now_s)
{
    return entry->expires_s != 0 && entry->expires_s <= now_s;
}

static bool is_stale(const struct model_entry *entry, uint64_t unused)
{
    (void)unused;
    return !entry->current;
}

static void model_whole_table(struct random_state *random)
{
    switch (random_below(random, 3)) {
    case 0:
        rep_replica_begin(replica);
        for (unsigned i = 0; i < MODEL_KEYS; i++)
            model[i].current = false;
        break;
    case 1:
        while (rep_replica_drop_stale(replica, 500))
            continue;
        model_drop_where(is_stale, 0);
        break;
    default: {
        uint64_t now_s = NOW_S + random_below(random, 1000);
        rep_replica_sweep(replica, now_s, UINT16_MAX);
        model_drop_where(is_expired, now_s);
    }
    }
    model_compare();
}

START_TEST(random_operations_agree_with_a_model)
{
    struct random_state random;
    random_seed(&random, 20261123);
    for (unsigned i = 0; i < MODEL_KEYS; i++)
        model[i].score = ABSENT;
    for (unsigned step = 0; step < MODEL_STEPS; step++) {
        unsigned i = (unsigned)random_below(&random, MODEL_KEYS);
        if (random_below(&random, MODEL_STEPS / 12) == 0)
            model_whole_table(&random);
        /* Waves of growth and of shrinking. */
        bool growing = step / (MODEL_STEPS / 8) % 2 == 0;
        if (random_below(&random, 10) < (growing ? 8u : 2u)) {
            model_set(&random, i);
        } else {
            struct rep_key key = {.kind = REP_KIND_NUMBER, .packed = model_packed(i)};
            assert_often(rep_replica_remove(replica, &key) == (model[i].score != ABSENT));
            model[i].score = ABSENT;
        }
    }
    model_compare();
}
END_TEST

static void sum_visit(void *argument, const struct rep_key *key, const struct rep_entry *entry)
{
    uint64_t *sum = argument;
    *sum += key->kind == REP_KIND_RAW ? key->text.length : key->packed * (uint64_t)entry->score;
}

START_TEST(each_visits_every_entry_once)
{
    uint64_t expected = 0, sum = 0, cursor = 0;
    for (unsigned i = 0; i < 5000; i++) {
        put((struct rep_key){.kind = REP_KIND_NUMBER, .packed = model_packed(i)}, (int)(i % 101),
            REP_LIST_NONE, 0);
        expected += model_packed(i) * (i % 101);
    }
    put(prefix_key("8613800"), 3, REP_LIST_NONE, 0);
    expected += 3 * prefix_key("8613800").packed;
    put((struct rep_key){.kind = REP_KIND_RAW, .text = SLICE("unknown")}, 3, REP_LIST_NONE, 0);
    expected += strlen("unknown");
    do
        rep_replica_each(replica, &cursor, 300, sum_visit, &sum);
    while (cursor != 0);
    ck_assert_uint_eq(sum, expected);
}
END_TEST

START_TEST(a_million_fits_the_smallest_replica)
{
    struct rep_replica_options options = {.capacity = 1, .seed = {3, 4}};
    struct rep_replica *small;
    ck_assert_int_eq(rep_replica_create(&options, &small), 0);
    /* 2048 partitions take some 9 million; a million must always fit. */
    struct rep_entry entry = {.score = 50};
    for (uint64_t i = 0; i < 1000000; i++) {
        struct rep_key key = {.kind = REP_KIND_NUMBER, .packed = UINT64_C(18600000000000) + i};
        assert_often(rep_replica_set(small, &key, &entry, NULL) == 0);
    }
    struct rep_replica_figures figures;
    rep_replica_figures(small, &figures);
    ck_assert_uint_eq(figures.entries[REP_KIND_NUMBER], 1000000);
    rep_replica_destroy(small);
}
END_TEST

START_TEST(a_batch_finds_what_single_finds_find)
{
    enum { COUNT = 3001 };
    static uint64_t packed[COUNT];
    static struct rep_finding findings[COUNT];
    struct random_state random;
    random_seed(&random, 4);
    for (unsigned i = 0; i < 4000; i += 2)
        put((struct rep_key){.kind = REP_KIND_NUMBER, .packed = model_packed(i)}, (int)(i % 101),
            REP_LIST_NONE, i % 3 == 0 ? NOW_S : 0);
    put(prefix_key("86138000000"), 3, REP_LIST_NONE, 0);
    put(prefix_key("861380000011"), 4, REP_LIST_NONE, NOW_S + 1);
    for (unsigned i = 0; i < COUNT; i++)
        packed[i] = i % 50 == 0 ? random_next(&random)
                                : model_packed((unsigned)random_below(&random, 5000));
    rep_replica_find_batch(replica, packed, COUNT, NOW_S, findings);
    for (unsigned i = 0; i < COUNT; i++) {
        struct rep_finding single;
        rep_replica_find(replica, packed[i], NOW_S, &single);
        ck_assert_int_eq(findings[i].match, single.match);
        ck_assert_int_eq(findings[i].entry.score, single.entry.score);
        ck_assert_int_eq(findings[i].prefix_length, single.prefix_length);
    }
}
END_TEST

/* ---- readers beside the writer ------------------------------------------------------------- */

enum { STEADY = 3000, CHURN_STEPS = 60000, READERS = 2 };

static atomic_bool churning;
static atomic_uint_fast64_t mistakes;

/* Steady numbers are rewritten all the time but never absent, and their fields belong together:
 * score, type, source and expiry are all made of one value. */
static struct rep_entry woven(unsigned value)
{
    return (struct rep_entry){.score = (int8_t)(value % 101),
                              .list = (uint8_t)(value % 101 % 4),
                              .type = (uint8_t)(value % 101),
                              .source = (uint8_t)(value % 101),
                              .expires_s = NOW_S + 1 + value % 101};
}

static bool is_woven(const struct rep_entry *entry)
{
    struct rep_entry expected = woven((unsigned)entry->score);
    return entry->list == expected.list && entry->type == expected.type &&
           entry->source == expected.source && entry->expires_s == expected.expires_s;
}

static void *read_steadily(void *argument)
{
    struct random_state random;
    random_seed(&random, (uint64_t)(uintptr_t)argument);
    while (atomic_load(&churning)) {
        unsigned i = (unsigned)random_below(&random, STEADY);
        struct rep_finding finding;
        if (!rep_replica_find(replica, model_packed(i), NOW_S, &finding) ||
            finding.match != REP_MATCH_NUMBER || !is_woven(&finding.entry))
            atomic_fetch_add(&mistakes, 1);
        /* Comes and goes: whatever is found is whole. */
        if (rep_replica_find(replica, model_packed(STEADY + i), NOW_S, &finding) &&
            !is_woven(&finding.entry))
            atomic_fetch_add(&mistakes, 1);
    }
    return NULL;
}

static void churn(void)
{
    struct random_state random;
    random_seed(&random, 99);
    for (unsigned step = 0; step < CHURN_STEPS; step++) {
        unsigned i = (unsigned)random_below(&random, STEADY * 20);
        struct rep_key key = {.kind = REP_KIND_NUMBER, .packed = model_packed(i)};
        struct rep_entry entry = woven((unsigned)random_next(&random));
        if (i < STEADY || step / 10000 % 2 == 0) {
            if (rep_replica_set(replica, &key, &entry, NULL) != 0)
                atomic_fetch_add(&mistakes, 1);
        } else {
            rep_replica_remove(replica, &key);
        }
    }
}

START_TEST(readers_see_whole_entries_and_never_miss_one)
{
    pthread_t reader[READERS];
    for (unsigned i = 0; i < STEADY; i++) {
        struct rep_key key = {.kind = REP_KIND_NUMBER, .packed = model_packed(i)};
        struct rep_entry entry = woven(i);
        ck_assert_int_eq(rep_replica_set(replica, &key, &entry, NULL), 0);
    }
    atomic_store(&mistakes, 0);
    atomic_store(&churning, true);
    for (uintptr_t i = 0; i < READERS; i++)
        pthread_create(&reader[i], NULL, read_steadily, (void *)(i + 1));
    churn();
    atomic_store(&churning, false);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(reader[i], NULL);
    ck_assert_uint_eq(atomic_load(&mistakes), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replica");
    TCase *rules = tcase_create("rules");
    tcase_add_checked_fixture(rules, setup, teardown);
    tcase_add_test(rules, empty_knows_nothing);
    tcase_add_test(rules, every_field_comes_back);
    tcase_add_test(rules, number_beats_prefix_and_longest_prefix_wins);
    tcase_add_test(rules, removed_prefix_uncovers_the_shorter);
    tcase_add_test(rules, short_prefix_cannot_block);
    tcase_add_test(rules, expiry_is_enforced_by_the_reader);
    tcase_add_test(rules, raw_texts_match_whole);
    tcase_add_test(rules, leading_zeros_and_length_count);
    tcase_add_test(rules, impossible_keys_are_refused);
    tcase_add_test(rules, unseen_entries_go_with_the_generation);
    tcase_add_test(rules, abandoned_generation_is_not_mistaken);
    suite_add_tcase(suite, rules);

    TCase *size = tcase_create("size");
    tcase_add_checked_fixture(size, setup, teardown);
    tcase_set_timeout(size, 120);
    add_on_one_thread(size, random_operations_agree_with_a_model);
    tcase_add_test(size, each_visits_every_entry_once);
    tcase_add_test(size, a_batch_finds_what_single_finds_find);
    add_on_one_thread(size, a_million_fits_the_smallest_replica);
    tcase_add_test(size, readers_see_whole_entries_and_never_miss_one);
    suite_add_tcase(suite, size);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
