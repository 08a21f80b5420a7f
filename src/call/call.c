/* SPDX-License-Identifier: Apache-2.0 */
#include "call/call.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/pool.h"

enum {
    /* Answers of one call that are told apart; beyond, a fork is a flood, and its further answers
     * neither count nor hold the record. */
    ANSWER_LIMIT = 8,
    TABLE_INITIAL = 1024,
    RECORD_BYTES_LIMIT = 512
};

struct call_record {
    uint64_t hash;
    uint64_t check;
    struct call_table *table;
    struct rt_timer timer; /* the earlier of session_end_us and maximum_us */
    uint64_t maximum_us;
    uint64_t session_end_us; /* UINT64_MAX: no session interval */
    struct call_summary summary;
    uint32_t serial;       /* tells the users of one place in the pool apart */
    uint8_t ended_answers; /* bit i: answers[i] is over */
    uint8_t open_answers;
    bool holds;
    uint64_t answers[ANSWER_LIMIT]; /* hashes of To tags; summary.answers of them */
};

_Static_assert(sizeof(struct call_record) <= RECORD_BYTES_LIMIT, "the contract of call/call.h");

struct call_table {
    call_changed_fn *changed; /* not NULL: another process has the answered calls */
    void *changed_argument;
    struct call_settings settings;
    struct rt_wheel *wheel;
    struct stats_shard *stats;
    call_ended_fn *ended;
    void *argument;
    struct hash_table *records;
    struct pool *pool;
    uint32_t next_serial;
};

int call_table_create(const struct call_settings *settings, struct rt_wheel *wheel,
                      struct stats_shard *stats, call_ended_fn *ended, void *argument,
                      struct call_table **table)
{
    struct call_table *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->settings = *settings;
    made->wheel = wheel;
    made->stats = stats;
    made->ended = ended;
    made->argument = argument;
    int error = hash_table_create(TABLE_INITIAL, &made->records);
    if (error == 0)
        error = pool_create(sizeof(struct call_record), settings->limit, &made->pool);
    if (error != 0) {
        call_table_destroy(made);
        return error;
    }
    *table = made;
    return 0;
}

uint32_t call_table_count(const struct call_table *table)
{
    return pool_used(table->pool);
}

static void report_gauge(struct call_table *table)
{
    stats_gauge_set(table->stats, STATS_GAUGE_CALLS_HELD, call_table_count(table));
}

/* ---- keys -------------------------------------------------------------------------------- */

struct call_key {
    uint64_t hash;
    uint64_t check;
};

static struct call_key make_key(const struct call_table *table, struct slice call_id,
                                struct slice from_tag, uint32_t trunk_in)
{
    struct siphash hash = siphash_begin(&table->settings.key);
    siphash_word(&hash, SIPHASH_TABLE, trunk_in);
    siphash_part(&hash, SIPHASH_TABLE, call_id);
    siphash_part(&hash, SIPHASH_TABLE, from_tag);
    struct siphash_pair pair = siphash_end_pair(&hash, SIPHASH_TABLE);
    return (struct call_key){pair.first, pair.second};
}

static bool record_match(const void *object, const void *key)
{
    return ((const struct call_record *)object)->check == ((const struct call_key *)key)->check;
}

/* Tells the process that has the call, if there is one. end: CALL_END_COUNT when it is not over. */
static void tell(const struct call_record *record, enum call_end end);

/* ---- life -------------------------------------------------------------------------------- */

static void set_timer(struct call_record *record, uint64_t now_us)
{
    if (record->table->changed != NULL && record->summary.answered_us != 0) {
        rt_timer_cancel(record->table->wheel, &record->timer);
        return;
    }
    uint64_t end =
        record->maximum_us < record->session_end_us ? record->maximum_us : record->session_end_us;
    rt_timer_set(record->table->wheel, &record->timer, now_us, end > now_us ? end - now_us : 0);
}

static void record_fire(struct rt_timer *timer, uint64_t now_us)
{
    struct call_record *record = LIST_ENTRY(timer, struct call_record, timer);
    bool expired = record->session_end_us <= now_us;
    call_finish(record, expired ? CALL_END_EXPIRED : CALL_END_MAXIMUM, 0, now_us);
}

static int record_create(struct call_table *table, struct call_key key, struct call_record **record)
{
    struct call_record *made = pool_get(table->pool);
    if (made == NULL)
        return ERROR_LIMIT;
    made->hash = key.hash;
    made->check = key.check;
    int error = hash_table_insert(table->records, key.hash, made);
    if (error != 0) {
        pool_put(table->pool, made);
        return error;
    }
    made->table = table;
    made->serial = ++table->next_serial;
    if (made->serial == 0) /* so that no id is 0 */
        made->serial = ++table->next_serial;
    rt_timer_init(&made->timer, record_fire);
    *record = made;
    return 0;
}

int call_begin(struct call_table *table, struct slice call_id, struct slice from_tag,
               uint32_t trunk_in, uint64_t packed_caller, uint64_t packed_callee, uint64_t now_us,
               struct call_record **record)
{
    struct call_key key = make_key(table, call_id, from_tag, trunk_in);
    *record = hash_table_find(table->records, key.hash, record_match, &key);
    if (*record != NULL)
        return 0;

    struct call_record *made;
    int error = record_create(table, key, &made);
    if (error != 0)
        return error;
    made->summary = (struct call_summary){
        .trunk_in = trunk_in,
        .begun_us = now_us,
        .packed_caller = packed_caller,
        .packed_callee = packed_callee,
    };
    made->maximum_us = now_us + table->settings.max_call_us;
    made->session_end_us = UINT64_MAX;
    set_timer(made, now_us);
    report_gauge(table);
    *record = made;
    return 0;
}

struct call_record *call_find(struct call_table *table, struct slice call_id, struct slice from_tag,
                              uint32_t trunk_in)
{
    struct call_key key = make_key(table, call_id, from_tag, trunk_in);
    return hash_table_find(table->records, key.hash, record_match, &key);
}

uint64_t call_id_of(const struct call_record *record)
{
    return (uint64_t)record->serial << 32 | pool_index(record->table->pool, record);
}

struct call_record *call_by_id(struct call_table *table, uint64_t id)
{
    struct call_record *record = pool_at(table->pool, (uint32_t)id);
    return record != NULL && record->serial == id >> 32 ? record : NULL;
}

void call_set_trunk_out(struct call_record *record, uint32_t trunk_out)
{
    record->summary.trunk_out = trunk_out;
}

void call_set_place_out(struct call_record *record, uint8_t place)
{
    record->summary.place_out = place;
}

bool call_hold(struct call_record *record, const uint32_t places[CALL_HELD])
{
    if (record->holds)
        return false;
    memcpy(record->summary.held, places, sizeof(record->summary.held));
    record->holds = true;
    return true;
}

void call_ringing(struct call_record *record, uint64_t now_us)
{
    if (record->summary.ringing_us == 0)
        record->summary.ringing_us = now_us;
}

/* ---- answers ----------------------------------------------------------------------------- */

static uint64_t tag_hash(const struct call_record *record, struct slice tag)
{
    return hash_slice(&record->table->settings.key, tag);
}

/* -1 when there is none with this tag. */
static int find_answer(const struct call_record *record, struct slice to_tag)
{
    uint64_t hash = tag_hash(record, to_tag);
    for (int i = 0; i < record->summary.answers; i++)
        if (record->answers[i] == hash)
            return i;
    return -1;
}

void call_answered(struct call_record *record, struct slice to_tag, uint64_t session_us,
                   uint64_t now_us)
{
    struct call_summary *summary = &record->summary;
    int place = find_answer(record, to_tag);
    /* A 2xx repeated behind its BYE must not hold the record. */
    if (place >= 0 && (record->ended_answers >> place & 1) != 0)
        return;
    if (place < 0 && summary->answers < ANSWER_LIMIT) {
        record->answers[summary->answers++] = tag_hash(record, to_tag);
        record->open_answers++;
    }
    if (summary->answered_us == 0) {
        summary->answered_us = now_us;
        summary->status = 200;
        stats_count(record->table->stats, STATS_CALLS_ANSWERED);
    }
    call_refreshed(record, session_us, now_us);
}

void call_refreshed(struct call_record *record, uint64_t session_us, uint64_t now_us)
{
    /* RFC 4028 section 7.2: a 2xx without the header turns the session timer off. */
    record->session_end_us = session_us != 0 ? now_us + session_us : UINT64_MAX;
    set_timer(record, now_us);
    tell(record, CALL_END_COUNT);
}

struct call_summary call_summary_of(const struct call_record *record)
{
    return record->summary;
}

/* ---- ends -------------------------------------------------------------------------------- */

void call_finish(struct call_record *record, enum call_end end, uint16_t status, uint64_t now_us)
{
    static const enum stats_counter counters[] = {
#define CALL_END_ROW(identifier, key, counter) [CALL_END_##identifier] = (counter),
        CALL_END_TABLE(CALL_END_ROW)
#undef CALL_END_ROW
    };
    assert((unsigned)end < CALL_END_COUNT);
    struct call_table *table = record->table;
    rt_timer_cancel(table->wheel, &record->timer);
    hash_table_remove(table->records, record->hash, record);
    if (status != 0)
        record->summary.status = status;
    tell(record, end);
    struct call_summary summary = record->summary;
    pool_put(table->pool, record);
    stats_count(table->stats, STATS_CALLS_ENDED);
    stats_count(table->stats, counters[end]);
    report_gauge(table);
    /* Last: the callback may begin calls. */
    table->ended(table->argument, &summary, end, now_us);
}

void call_finish_answer(struct call_record *record, struct slice to_tag, enum call_end end,
                        uint64_t now_us)
{
    int place = find_answer(record, to_tag);
    if (place < 0 || (record->ended_answers >> place & 1) != 0)
        return;
    record->ended_answers |= (uint8_t)(1U << place);
    record->open_answers--;
    if (record->open_answers == 0)
        call_finish(record, end, 0, now_us);
    else
        tell(record, CALL_END_COUNT);
}

/* ---- another process --------------------------------------------------------------------- */

struct handed {
    uint64_t hash;
    uint64_t check;
    uint64_t maximum_us;
    uint64_t session_end_us;
    struct call_summary summary;
    uint64_t answers[ANSWER_LIMIT];
    uint8_t ended_answers;
    uint8_t open_answers;
    uint8_t end; /* enum call_end, of one that is over */
};

_Static_assert(sizeof(struct handed) <= CALL_HANDED_BYTES, "call_handed has room for it");

static struct call_handed hand(const struct call_record *record, enum call_end end)
{
    struct call_handed bytes = {{0}, {0}};
    struct handed handed;
    memset(&handed, 0, sizeof(handed));
    handed.hash = record->hash;
    handed.check = record->check;
    handed.maximum_us = record->maximum_us;
    handed.session_end_us = record->session_end_us;
    handed.summary = record->summary;
    handed.ended_answers = record->ended_answers;
    handed.open_answers = record->open_answers;
    handed.end = (uint8_t)end;
    memcpy(handed.answers, record->answers, sizeof(handed.answers));
    memcpy(bytes.words, &handed, sizeof(handed));
    for (unsigned i = 0; i < CALL_HELD; i++)
        bytes.held[i] = record->summary.held[i];
    return bytes;
}

static void tell(const struct call_record *record, enum call_end end)
{
    const struct call_table *table = record->table;
    if (table->changed == NULL || record->summary.answered_us == 0)
        return;
    const struct call_handed bytes = hand(record, end);
    table->changed(table->changed_argument, &bytes, end != CALL_END_COUNT);
}

struct record_visit {
    void (*visit)(void *argument, const struct call_handed *call);
    void *argument;
};

static void visit_answered(void *object, void *argument)
{
    const struct call_record *record = object;
    const struct record_visit *each = argument;
    if (record->summary.answered_us == 0)
        return;
    const struct call_handed bytes = hand(record, CALL_END_COUNT);
    each->visit(each->argument, &bytes);
}

void call_table_each(const struct call_table *table,
                     void (*visit)(void *argument, const struct call_handed *call), void *argument)
{
    struct record_visit each = {visit, argument};
    hash_table_each(table->records, visit_answered, &each);
}

struct timers {
    struct call_table *table;
    uint64_t now_us;
};

static void leave_timer(void *object, void *argument)
{
    struct call_record *record = object;
    const struct timers *timers = argument;
    if (record->summary.answered_us == 0)
        return;
    if (timers->table->changed != NULL)
        rt_timer_cancel(timers->table->wheel, &record->timer);
    else
        set_timer(record, timers->now_us);
}

void call_table_follow(struct call_table *table, call_changed_fn *changed, void *argument,
                       uint64_t now_us)
{
    struct timers timers = {table, now_us};
    table->changed = changed;
    table->changed_argument = argument;
    hash_table_each(table->records, leave_timer, &timers);
}

int call_table_take(struct call_table *table, const struct call_handed *call, bool ended,
                    uint64_t now_us, struct call_record **taken)
{
    struct handed handed;
    memcpy(&handed, call->words, sizeof(handed));
    const struct call_key key = {handed.hash, handed.check};
    struct call_record *record = hash_table_find(table->records, key.hash, record_match, &key);
    *taken = NULL;
    if (ended) {
        if (record != NULL)
            call_finish(record,
                        handed.end < CALL_END_COUNT ? (enum call_end)handed.end : CALL_END_GONE,
                        handed.summary.status, now_us);
        return 0;
    }
    int error = record == NULL ? record_create(table, key, &record) : 0;
    if (error != 0)
        return error;
    record->maximum_us = handed.maximum_us;
    record->session_end_us = handed.session_end_us;
    /* Places are those of this process, whatever they are in the other. */
    memcpy(handed.summary.held, record->summary.held, sizeof(handed.summary.held));
    record->summary = handed.summary;
    record->ended_answers = handed.ended_answers;
    record->open_answers = handed.open_answers;
    memcpy(record->answers, handed.answers, sizeof(record->answers));
    set_timer(record, now_us);
    report_gauge(table);
    *taken = record;
    return 0;
}

static void forget_timer(void *object, void *argument)
{
    struct call_record *record = object;
    struct call_table *table = argument;
    rt_timer_cancel(table->wheel, &record->timer);
}

void call_table_destroy(struct call_table *table)
{
    if (table == NULL)
        return;
    if (table->records != NULL)
        hash_table_each(table->records, forget_timer, table);
    hash_table_destroy(table->records);
    pool_destroy(table->pool);
    free(table);
}
