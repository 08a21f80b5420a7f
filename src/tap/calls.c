/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/calls.h"

#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/pool.h"
#include "message/syntax.h"

struct record {
    struct list_link order; /* by when they began */
    struct list_link turn;  /* by when they were last looked at, for as_they_end */
    struct siphash_pair key;
    uint64_t invite_branch; /* hash of the branch of the latest INVITE on its first leg; 0: none */
    uint32_t invite_cseq;
    bool cancelled;
    bool over;
    struct tap_call call;
};

enum { EXTRA_AT = (sizeof(struct record) + 15) / 16 * 16 };

struct tap_calls {
    struct tap_calls_settings settings;
    struct tap_calls_hooks hooks;
    struct tap_calls_figures figures;
    struct pool *pool;
    struct hash_table *table;
    struct list_link order;
    struct list_link turns;
};

const char *tap_outcome_key(enum tap_outcome outcome)
{
    static const char *const keys[] = {
#define OUTCOME_ROW(identifier, key, text) key,
        TAP_OUTCOME_TABLE(OUTCOME_ROW)
#undef OUTCOME_ROW
    };
    return keys[outcome];
}

void *tap_call_extra(struct tap_call *call)
{
    return (char *)LIST_ENTRY(call, struct record, call) + EXTRA_AT;
}

void tap_calls_settings_default(struct tap_calls_settings *settings)
{
    const uint64_t second = 1000000;
    *settings = (struct tap_calls_settings){
        .limit = 1 << 18,
        .linger_us = 32 * second,      /* Timer B, F and H */
        .unanswered_us = 300 * second, /* beyond Timer C */
        .max_call_us = 4 * 3600 * second,
    };
}

int tap_calls_create(const struct tap_calls_settings *settings, const struct tap_calls_hooks *hooks,
                     struct tap_calls **calls)
{
    struct tap_calls *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->settings = *settings;
    created->hooks = *hooks;
    list_init(&created->order);
    list_init(&created->turns);
    int error =
        pool_create((size_t)EXTRA_AT + settings->extra_bytes, settings->limit, &created->pool);
    if (error == 0)
        error = hash_table_create(1024, &created->table);
    if (error != 0) {
        tap_calls_destroy(created);
        return error;
    }
    *calls = created;
    return 0;
}

const struct tap_calls_figures *tap_calls_figures(const struct tap_calls *calls)
{
    return &calls->figures;
}

uint32_t tap_calls_count(const struct tap_calls *calls)
{
    return pool_used(calls->pool);
}

void tap_calls_destroy(struct tap_calls *calls)
{
    if (calls == NULL)
        return;
    hash_table_destroy(calls->table);
    pool_destroy(calls->pool);
    free(calls);
}

/* ---- the end ------------------------------------------------------------------------------- */

static uint64_t since(uint64_t then_us, uint64_t now_us)
{
    return now_us > then_us ? now_us - then_us : 0;
}

static void hand_out(struct tap_calls *calls, struct record *record)
{
    struct tap_call *call = &record->call;
    if (call->outcome == TAP_OUTCOME_UNKNOWN && record->cancelled)
        call->outcome = TAP_OUTCOME_CANCELLED;
    calls->hooks.done(calls->hooks.context, call);
    list_remove(&record->order);
    list_remove(&record->turn);
    (void)hash_table_remove(calls->table, record->key.first, record);
    pool_put(calls->pool, record);
}

static bool is_over(const struct tap_calls *calls, const struct record *record, uint64_t now_us)
{
    const struct tap_calls_settings *settings = &calls->settings;
    const struct tap_call *call = &record->call;
    /* Who is asked for a password may take a while to give it. */
    bool challenged = call->status == 401 || call->status == 407;
    if (record->over && !challenged)
        return since(call->latest_us, now_us) >= settings->linger_us;
    if (call->outcome != TAP_OUTCOME_ANSWERED &&
        since(call->latest_us, now_us) >= settings->unanswered_us)
        return true;
    return since(call->begun_us, now_us) >= settings->max_call_us;
}

static struct record *first_of(struct tap_calls *calls)
{
    struct list_link *first = list_first(&calls->order);
    return first != NULL ? LIST_ENTRY(first, struct record, order) : NULL;
}

/* One after another in turn. */
static void look_at_some(struct tap_calls *calls, unsigned count, uint64_t now_us)
{
    struct list_link *first;
    while (count-- > 0 && (first = list_first(&calls->turns)) != NULL) {
        struct record *record = LIST_ENTRY(first, struct record, turn);
        list_remove(first);
        list_append(&calls->turns, first);
        if (is_over(calls, record, now_us))
            hand_out(calls, record);
    }
}

/* A call has several messages, so more are looked at than begin. */
static void hand_out_over(struct tap_calls *calls, uint64_t now_us)
{
    struct record *record;
    if (calls->settings.as_they_end) {
        look_at_some(calls, 1, now_us);
        return;
    }
    while ((record = first_of(calls)) != NULL && is_over(calls, record, now_us))
        hand_out(calls, record);
}

void tap_calls_advance(struct tap_calls *calls, uint64_t wall_us)
{
    enum { AT_ONCE = 1024 };
    uint32_t held = pool_used(calls->pool);
    if (calls->settings.as_they_end)
        look_at_some(calls, held < AT_ONCE ? held : AT_ONCE, wall_us);
    else
        hand_out_over(calls, wall_us);
}

void tap_calls_flush(struct tap_calls *calls)
{
    struct record *record;
    while ((record = first_of(calls)) != NULL)
        hand_out(calls, record);
}

/* ---- finding ------------------------------------------------------------------------------- */

static struct siphash_pair key_of(const struct tap_calls *calls, const struct smsg *sip,
                                  struct slice tag)
{
    struct siphash hash = siphash_begin(&calls->settings.key);
    siphash_part(&hash, SIPHASH_TABLE, sip->call_id);
    siphash_part(&hash, SIPHASH_TABLE, tag);
    return siphash_end_pair(&hash, SIPHASH_TABLE);
}

static bool same_key(const void *object, const void *key)
{
    const struct siphash_pair *wanted = key;
    return ((const struct record *)object)->key.second == wanted->second;
}

static struct record *find(struct tap_calls *calls, const struct siphash_pair *key)
{
    return hash_table_find(calls->table, key->first, same_key, key);
}

static uint8_t keep(char *room, size_t capacity, struct slice text)
{
    size_t length = text.length < capacity ? text.length : capacity;
    if (length > 0)
        memcpy(room, text.data, length);
    return (uint8_t)length;
}

static struct slice user_of(struct slice text)
{
    struct smsg_uri uri;
    return smsg_uri_parse(text, &uri) == 0 && uri.user.length > 0 ? uri.user : text;
}

static void describe(struct tap_call *call, const struct tap_message *message)
{
    const struct smsg *sip = message->sip;
    call->begun_us = message->wall_us;
    call->source = message->source;
    call->destination = message->destination;
    call->call_id_length = keep(call->call_id, sizeof(call->call_id), sip->call_id);
    call->caller_length = keep(call->caller, sizeof(call->caller), user_of(sip->from.uri));
    call->callee_length = keep(call->callee, sizeof(call->callee), user_of(sip->to.uri));
}

static struct record *begin(struct tap_calls *calls, const struct siphash_pair *key,
                            const struct tap_message *message)
{
    struct record *record = pool_get(calls->pool);
    struct record *oldest = first_of(calls);
    if (record == NULL && oldest != NULL) {
        oldest->call.evicted = !oldest->over;
        calls->figures.evicted += oldest->over ? 0 : 1;
        hand_out(calls, oldest);
        record = pool_get(calls->pool);
    }
    if (record == NULL)
        return NULL;
    record->key = *key;
    describe(&record->call, message);
    if (hash_table_insert(calls->table, key->first, record) != 0) {
        pool_put(calls->pool, record);
        return NULL;
    }
    list_append(&calls->order, &record->order);
    list_append(&calls->turns, &record->turn);
    calls->figures.calls++;
    return record;
}

/* ---- learning ------------------------------------------------------------------------------ */

static uint64_t branch_of(const struct tap_calls *calls, const struct smsg *sip)
{
    return hash_slice(&calls->settings.key, sip->via.branch) | 1;
}

static void end(struct record *record, enum tap_outcome outcome, uint64_t now_us)
{
    record->call.outcome = (uint8_t)outcome;
    record->call.ended_us = now_us;
    record->over = true;
}

static void answer(struct record *record, uint64_t now_us)
{
    struct tap_call *call = &record->call;
    if (call->outcome == TAP_OUTCOME_ANSWERED)
        return;
    call->outcome = TAP_OUTCOME_ANSWERED;
    call->answered_us = now_us;
    call->ended_us = 0;
    record->over = false;
}

static void learn_invite(struct tap_calls *calls, struct record *record,
                         const struct tap_message *message)
{
    const struct smsg *sip = message->sip;
    struct tap_call *call = &record->call;
    call->invite_seen = true;
    if (message->other_leg)
        return;
    call->invites++;
    /* Again after a challenge or a redirection: what came of the attempt before does not count. */
    if (sip->cseq > record->invite_cseq && call->outcome != TAP_OUTCOME_ANSWERED) {
        call->outcome = TAP_OUTCOME_UNKNOWN;
        call->ended_us = 0;
        record->over = false;
    }
    record->invite_cseq = sip->cseq;
    record->invite_branch = branch_of(calls, sip);
}

static enum tap_outcome outcome_of(uint16_t status)
{
    return status < 400                     ? TAP_OUTCOME_REDIRECTED
           : status == 486 || status == 600 ? TAP_OUTCOME_BUSY
           : status == 487                  ? TAP_OUTCOME_CANCELLED
           : status == 408 || status == 480 ? TAP_OUTCOME_NO_ANSWER
                                            : TAP_OUTCOME_REJECTED;
}

static void learn_response(struct record *record, const struct tap_message *message)
{
    struct tap_call *call = &record->call;
    uint16_t status = message->sip->status;
    if (status < 200) {
        if (status >= 180 && call->ringing_us == 0)
            call->ringing_us = message->wall_us;
        return;
    }
    if (call->outcome == TAP_OUTCOME_ANSWERED)
        return;
    call->status = status;
    if (status < 300)
        answer(record, message->wall_us);
    else
        end(record, outcome_of(status), message->wall_us);
}

/* Where the responses are not seen, the ACK tells: that to a 2xx is a transaction of its own. */
static void learn_ack(const struct tap_calls *calls, struct record *record,
                      const struct tap_message *message)
{
    if (record->call.outcome != TAP_OUTCOME_UNKNOWN || message->other_leg ||
        message->sip->via.branch.length == 0)
        return;
    if (record->invite_branch == 0 || branch_of(calls, message->sip) != record->invite_branch)
        answer(record, message->wall_us);
    else
        end(record, record->cancelled ? TAP_OUTCOME_CANCELLED : TAP_OUTCOME_REJECTED,
            message->wall_us);
}

static void learn_bye(struct record *record, const struct tap_message *message)
{
    struct tap_call *call = &record->call;
    /* Within a dialog that was established (RFC 3261 section 15); an early one is left by it too,
     * but then its final response says so. */
    if (call->outcome == TAP_OUTCOME_UNKNOWN)
        call->outcome = TAP_OUTCOME_ANSWERED;
    if (call->ended_us == 0)
        call->ended_us = message->wall_us;
    record->over = true;
}

static void learn(struct tap_calls *calls, struct record *record, const struct tap_message *message)
{
    const struct smsg *sip = message->sip;
    record->call.latest_us = message->wall_us;
    if (!message->other_leg) {
        record->call.messages++;
        calls->figures.invites += sip->is_request && sip->method == SMSG_METHOD_INVITE ? 1 : 0;
    }
    if (!sip->is_request) {
        if (sip->method == SMSG_METHOD_INVITE)
            learn_response(record, message);
        return;
    }
    switch (sip->method) {
    case SMSG_METHOD_INVITE:
        if (sip->to.tag.length == 0)
            learn_invite(calls, record, message);
        else
            answer(record, message->wall_us);
        break;
    case SMSG_METHOD_ACK:
        learn_ack(calls, record, message);
        break;
    case SMSG_METHOD_CANCEL:
        record->cancelled = true;
        break;
    case SMSG_METHOD_BYE:
        learn_bye(record, message);
        break;
    default:
        break;
    }
}

/* ---- messages ------------------------------------------------------------------------------ */

/* A malformed message may still say whose it is. */
static bool names_a_call(const struct smsg *sip)
{
    return sip->call_id.length > 0 && sip->cseq_method.length > 0 &&
           (sip->is_request || sip->status > 0);
}

static struct record *record_of(struct tap_calls *calls, const struct tap_message *message)
{
    const struct smsg *sip = message->sip;
    struct siphash_pair key = key_of(calls, sip, sip->from.tag);
    struct record *record = find(calls, &key);
    if (record == NULL && sip->to.tag.length > 0) {
        struct siphash_pair other = key_of(calls, sip, sip->to.tag);
        record = find(calls, &other);
    }
    if (record != NULL || sip->method != SMSG_METHOD_INVITE)
        return record;
    record = begin(calls, &key, message);
    if (record != NULL && (!sip->is_request || sip->to.tag.length > 0))
        calls->figures.begun_before++;
    return record;
}

void tap_calls_message(struct tap_calls *calls, const struct tap_message *message)
{
    const struct smsg *sip = message->sip;
    hand_out_over(calls, message->wall_us);
    if (!names_a_call(sip))
        return;
    struct record *record = record_of(calls, message);
    if (record == NULL)
        return;
    learn(calls, record, message);
    bool initial = sip->is_request && sip->method == SMSG_METHOD_INVITE && sip->to.tag.length == 0;
    if (calls->hooks.message != NULL)
        calls->hooks.message(calls->hooks.context, &record->call, message, initial);
}
