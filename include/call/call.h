/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call: one record per call, from INVITE to its end, whoever saw it (proxy or tap).
 *
 * Key: Call-ID, the caller's From-tag and the ingress trunk, so a spiral is a second leg; answers
 * of a fork are children counted in `answers`. A record ends exactly once: failed before an answer,
 * BYE, 481/408 to an in-dialog request, Session-Expires, or max_call. Counts never go below zero.
 * Established calls take <= 512 bytes. One owner thread.
 */
#ifndef RINGFENCE_CALL_CALL_H
#define RINGFENCE_CALL_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "runtime/wheel.h"
#include "stats/counters.h"

/* X(identifier, key, counter) */
#define CALL_END_TABLE(X)                            \
    X(FAILED, "failed", STATS_CALLS_ENDED_FAILED)    \
    X(BYE, "bye", STATS_CALLS_ENDED_BYE)             \
    X(GONE, "gone", STATS_CALLS_ENDED_GONE)          \
    X(EXPIRED, "expired", STATS_CALLS_ENDED_EXPIRED) \
    X(MAXIMUM, "maximum", STATS_CALLS_ENDED_MAXIMUM)

enum call_end {
#define CALL_END_ROW(identifier, key, counter) CALL_END_##identifier,
    CALL_END_TABLE(CALL_END_ROW)
#undef CALL_END_ROW
        CALL_END_COUNT
};

/* Counts elsewhere that a call is part of as long as its record lives. */
enum { CALL_HELD = 4 };

struct call_table;
struct call_record;

struct call_settings {
    uint32_t limit;
    uint64_t max_call_us; /* since its INVITE; default 4 h */
    struct hash_key key;
};

/* What is known of a call when it ends or is looked at. */
struct call_summary {
    uint32_t trunk_in; /* stable trunk ids (labels) */
    uint32_t trunk_out;
    uint64_t begun_us;
    uint64_t ringing_us;  /* 0: never */
    uint64_t answered_us; /* 0: never */
    uint16_t status;      /* the final one, 0: none yet */
    uint16_t answers;
    uint8_t place_out;        /* which of the trunk's targets it went to; the proxy's own count */
    uint32_t held[CALL_HELD]; /* as call_hold() had them; the owner of the counts knows */
    uint64_t packed_caller;   /* 0: unknown */
    uint64_t packed_callee;
};

typedef void call_ended_fn(void *argument, const struct call_summary *summary, enum call_end end,
                           uint64_t now_us);

int call_table_create(const struct call_settings *settings, struct rt_wheel *wheel,
                      struct stats_shard *stats, call_ended_fn *ended, void *argument,
                      struct call_table **table) MUST_CHECK;

uint32_t call_table_count(const struct call_table *table);

/* A new leg, or the one that exists already under the key (a repeated INVITE with another branch
 * after a challenge): then *record is that one. ERROR_LIMIT when the table is full: the call goes
 * on without a record, counted. */
int call_begin(struct call_table *table, struct slice call_id, struct slice from_tag,
               uint32_t trunk_in, uint64_t packed_caller, uint64_t packed_callee, uint64_t now_us,
               struct call_record **record) MUST_CHECK;

/* By the caller's tag; NULL when unknown. For a message of the other direction, pass its To-tag. */
struct call_record *call_find(struct call_table *table, struct slice call_id, struct slice from_tag,
                              uint32_t trunk_in);

/* A stable id that may outlive the record: call_by_id() gives NULL then. */
uint64_t call_id_of(const struct call_record *record);
struct call_record *call_by_id(struct call_table *table, uint64_t id);

void call_set_trunk_out(struct call_record *record, uint32_t trunk_out);
void call_set_place_out(struct call_record *record, uint8_t place);
/* False: it holds some already (the INVITE was repeated), and takes no others. */
bool call_hold(struct call_record *record, const uint32_t places[CALL_HELD]);
void call_ringing(struct call_record *record, uint64_t now_us);
/* A 2xx with this To-tag; the same tag again changes nothing but the session interval. The first
 * one counts STATS_CALLS_ANSWERED. session_us: from Session-Expires, 0 when absent: then no
 * interval runs (RFC 4028 section 7.2). */
void call_answered(struct call_record *record, struct slice to_tag, uint64_t session_us,
                   uint64_t now_us);
/* A 2xx to re-INVITE or UPDATE: the session interval starts anew. */
void call_refreshed(struct call_record *record, uint64_t session_us, uint64_t now_us);

struct call_summary call_summary_of(const struct call_record *record);

/* Ends it: counts, calls `ended`, frees. status: the final response for FAILED. A BYE of one answer
 * of several ends only that child (to_tag names it); the record ends with the last. */
void call_finish(struct call_record *record, enum call_end end, uint16_t status, uint64_t now_us);
void call_finish_answer(struct call_record *record, struct slice to_tag, enum call_end end,
                        uint64_t now_us);

/*
 * One process hands its calls to the next. Both tables have the same key, both processes the same
 * clock; the bytes are of the same program or of one that says so by their size.
 */
#define CALL_HANDED_BYTES 176
struct call_handed {
    uint64_t held[CALL_HELD]; /* the places of call_hold(), for whoever hands the call over to put
                                 in the other process's terms */
    uint64_t words[CALL_HANDED_BYTES / sizeof(uint64_t)];
};

/* Calls `visit` for each answered call. */
void call_table_each(const struct call_table *table,
                     void (*visit)(void *argument, const struct call_handed *call), void *argument);

/*
 * From now on `changed` learns of each call that is answered, refreshed or (ended: true) over, and
 * an answered call has no timer here any more, since it is the other process's. NULL: this table is
 * in charge again.
 */
typedef void call_changed_fn(void *argument, const struct call_handed *call, bool ended);
void call_table_follow(struct call_table *table, call_changed_fn *changed, void *argument,
                       uint64_t now_us);

/* What `each` or `changed` of the other table said: a new record, a changed one, or one that ends
 * (and counts; *taken is NULL then). A new one holds nothing yet. ERROR_LIMIT as call_begin(). */
int call_table_take(struct call_table *table, const struct call_handed *call, bool ended,
                    uint64_t now_us, struct call_record **taken) MUST_CHECK;

/* Forgets all records without events. NULL is allowed. */
void call_table_destroy(struct call_table *table);

#endif
