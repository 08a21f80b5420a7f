/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rig: a transaction layer on a fake clock, with everything it sends written down.
 */
#ifndef RINGFENCE_TESTS_TRANSACTION_RIG_H
#define RINGFENCE_TESTS_TRANSACTION_RIG_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "transaction/transaction.h"

#define MS       UINT64_C(1000)
#define SECOND   UINT64_C(1000000)
#define START_US (1000 * SECOND)

enum { RIG_SENT_LIMIT = 256, RIG_TEXT_LIMIT = 2048 };

struct rig_sent {
    char text[RIG_TEXT_LIMIT];
    size_t length;
    struct tp_address to;
    uint16_t listener;
    uint64_t cookie;
    uint64_t at_us; /* since START_US */
};

struct rig {
    struct rt_wheel *wheel;
    struct stats_registry *registry;
    struct stats_shard *shard;
    struct txn_layer *layer;
    uint64_t now_us;
    bool reliable;
    unsigned sent_count; /* goes on beyond the limit, where nothing is written down */
    struct rig_sent sent[RIG_SENT_LIMIT];
};

static inline void rig_send(void *argument, uint16_t listener, const struct tp_address *to,
                            struct slice bytes, uint64_t cookie)
{
    struct rig *rig = argument;
    if (rig->sent_count < RIG_SENT_LIMIT) {
        struct rig_sent *sent = &rig->sent[rig->sent_count];
        sent->length = bytes.length < RIG_TEXT_LIMIT ? bytes.length : RIG_TEXT_LIMIT - 1;
        memcpy(sent->text, bytes.data, sent->length);
        sent->text[sent->length] = '\0';
        sent->to = *to;
        sent->listener = listener;
        sent->cookie = cookie;
        sent->at_us = rig->now_us - START_US;
    }
    rig->sent_count++;
}

static inline bool rig_reliable(void *argument, uint16_t listener)
{
    (void)listener;
    return ((struct rig *)argument)->reliable;
}

static inline struct txn_settings rig_settings(void)
{
    return (struct txn_settings){
        .t1_us = 500 * MS,
        .t2_us = 4 * SECOND,
        .t4_us = 5 * SECOND,
        .limit = 100,
        .lingering_limit = 100,
        .per_call_limit = 100,
        .per_source_limit = 100,
        .memory_limit = 1 << 20,
        .key = {{1, 2}},
    };
}

static inline struct rig *rig_open_with(const struct txn_settings *settings)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    ck_assert_ptr_nonnull(rig);
    rig->now_us = START_US;
    ck_assert_int_eq(rt_wheel_create(rig->now_us, &rig->wheel), 0);
    ck_assert_int_eq(stats_registry_create(&rig->registry), 0);
    ck_assert_int_eq(stats_shard_create(rig->registry, &rig->shard), 0);
    struct txn_output output = {.send = rig_send, .argument = rig, .reliable = rig_reliable};
    ck_assert_int_eq(txn_layer_create(settings, rig->wheel, rig->shard, &output, &rig->layer), 0);
    return rig;
}

static inline struct rig *rig_open(void)
{
    struct txn_settings settings = rig_settings();
    return rig_open_with(&settings);
}

static inline void rig_close(struct rig *rig)
{
    txn_layer_destroy(rig->layer);
    ck_assert_uint_eq(rt_wheel_count(rig->wheel), 0);
    rt_wheel_destroy(rig->wheel);
    stats_registry_destroy(rig->registry);
    free(rig);
}

/* By single ticks, so that each timer fires at its own time. */
static inline void rig_advance(struct rig *rig, uint64_t by_us)
{
    for (uint64_t end_us = rig->now_us + by_us; rig->now_us < end_us;) {
        rig->now_us += MS;
        rt_wheel_advance(rig->wheel, rig->now_us);
    }
}

static inline void rig_advance_to(struct rig *rig, uint64_t since_start_us)
{
    ck_assert_uint_ge(START_US + since_start_us, rig->now_us);
    rig_advance(rig, START_US + since_start_us - rig->now_us);
}

static inline const struct rig_sent *rig_last(const struct rig *rig)
{
    ck_assert(rig->sent_count > 0 && rig->sent_count <= RIG_SENT_LIMIT);
    return &rig->sent[rig->sent_count - 1];
}

static inline struct tp_address rig_address(const char *text)
{
    struct tp_address address;
    ck_assert_int_eq(tp_address_parse(slice_of_text(text), 5060, &address), 0);
    return address;
}

/* ---- expectations ------------------------------------------------------------------------ */

static inline void rig_expect_counts(const struct rig *rig, uint32_t live, uint32_t lingering)
{
    ck_assert_uint_eq(txn_layer_live(rig->layer), live);
    ck_assert_uint_eq(txn_layer_lingering(rig->layer), lingering);
}

static inline void rig_expect_empty(const struct rig *rig)
{
    rig_expect_counts(rig, 0, 0);
    ck_assert_uint_eq(txn_layer_bytes(rig->layer), 0);
    ck_assert_uint_eq(rt_wheel_count(rig->wheel), 0);
    ck_assert_uint_eq(stats_gauge_total(rig->registry, STATS_GAUGE_TRANSACTIONS), 0);
    ck_assert_uint_eq(stats_gauge_total(rig->registry, STATS_GAUGE_TRANSACTIONS_LINGERING), 0);
    ck_assert_uint_eq(stats_gauge_total(rig->registry, STATS_GAUGE_TRANSACTION_BYTES), 0);
}

/* Sent at these times since the start, in milliseconds, and at no others. */
static inline void rig_expect_times(const struct rig *rig, const unsigned *times, unsigned count)
{
    ck_assert_uint_eq(rig->sent_count, count);
    for (unsigned i = 0; i < count; i++)
        ck_assert_uint_eq(rig->sent[i].at_us, times[i] * MS);
}

static inline void rig_expect_starts(const struct rig_sent *sent, const char *start)
{
    ck_assert_msg(strncmp(sent->text, start, strlen(start)) == 0, "%s", sent->text);
}

/* Runs the only test case of a program. */
static inline int rig_run(const char *name, TCase *tests)
{
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
