/* SPDX-License-Identifier: Apache-2.0 */
/* Reading keys on the data connection and applying what they hold. */
#include "sync_int.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"

enum {
    READ_COMMANDS = 4, /* of one key, with ASKING before each */
    READ_HOPS = 8,     /* redirections that are followed at once */
    LATER_US = 50000,
};

/* One key being read, from its HMGET to the answer of its PTTL. */
struct read {
    struct rep_sync *sync;
    struct list_link link; /* in the list of those that ask again later */
    uint64_t scan_id;      /* 0: a changed key */
    uint64_t hash;         /* of its name, where keys may move */
    unsigned peer;         /* who was asked */
    unsigned next;         /* whom to ask instead, or REP_NOBODY: later */
    unsigned hops;
    bool asking; /* ... with ASKING */
    bool again;  /* the answer says nothing about the key */
    bool renew;  /* it changed meanwhile */
    struct rep_key key;
    struct rep_statements said;
    bool usable;          /* else there is nothing, or nothing that could be taken */
    enum rep_skip reason; /* why something was not taken, REP_SKIP_COUNT for nothing */
    size_t length;
    char name[REP_KEY_MAXIMUM];
};

size_t rep_sync_read_size(void)
{
    return sizeof(struct read);
}

void rep_sync_skip(struct rep_sync *sync, struct slice name, enum rep_skip reason)
{
    struct rep_status *status = sync->options.status;
    status->skipped[reason]++;
    char shown[96];
    log_slice(shown, sizeof(shown), name);
    snprintf(status->skipped_example, sizeof(status->skipped_example), "%s: %s", shown,
             rep_skip_text(reason));
    uint32_t held_back;
    if (log_limit_pass(&sync->bad_key_limit, 5, rt_loop_now(sync->options.loop), &held_back))
        log_warning("reputation", "key \"%s\" skipped: %s (%u more such lines held back)", shown,
                    rep_skip_text(reason), held_back);
}

/* ---- applying ------------------------------------------------------------------------------ */

static void note_full(struct rep_sync *sync, const struct rep_key *key, int code)
{
    char name[REP_KEY_MAXIMUM];
    struct buffer buffer = buffer_over(name, sizeof(name));
    rep_key_append(&buffer, key);
    rep_sync_skip(sync, buffer_slice(&buffer), REP_SKIP_FULL);
    if (code != ERROR_LIMIT)
        log_error("reputation", "cannot keep an entry: %s", error_text(code));
}

/* value == NULL: the key is gone or unusable. True when the replica is different now. */
bool rep_sync_put(struct rep_sync *sync, const struct rep_key *key, const struct rep_value *value)
{
    if (value == NULL)
        return rep_ledger_remove(sync->options.ledger, key);
    bool changed = false;
    int code = rep_ledger_set(sync->options.ledger, key, value, &changed);
    if (code != 0)
        note_full(sync, key, code);
    return changed;
}

static void apply_change(struct rep_sync *sync, const struct rep_key *key,
                         const struct rep_value *value)
{
    struct rep_status *status = sync->options.status;
    bool may_change = rep_sync_may_change(sync, key, value);
    if (may_change && rep_sync_put(sync, key, value)) {
        status->changes++;
        status->last_change_wall_us = clock_wall_us();
    }
    if (!sync->scan.comparing || (!sync->scan.running && !sync->scan.applying))
        return;
    /* What is being applied was weighed without this change: the next comparison weighs it. */
    if (sync->scan.applying && !may_change)
        sync->scan.again = true;
    else if (rep_journal_append(sync->journal, key, value) != 0)
        rep_sync_fail(sync, "out of memory while comparing");
}

static void apply_read(struct read *read, bool exists)
{
    struct rep_sync *sync = read->sync;
    struct rep_value combined;
    const struct rep_value *value = NULL;
    if (exists && read->usable &&
        rep_combine(sync->options.authority, &read->said, clock_wall_us() / 1000000, &combined))
        value = &combined;
    if (exists && read->reason != REP_SKIP_COUNT)
        rep_sync_skip(sync, slice_make(read->name, read->length), read->reason);
    if (read->scan_id == 0)
        apply_change(sync, &read->key, value);
    else if (sync->scan.running && read->scan_id == sync->scan.id)
        rep_sync_scan_apply(sync, &read->key, value);
}

/* ---- asking again -------------------------------------------------------------------------- */

static void transmit(struct read *read, struct rep_link *link);

static struct slice name_of(const struct read *read)
{
    return slice_make(read->name, read->length);
}

static bool read_matches(const void *object, const void *key)
{
    return slice_equal(name_of(object), *(const struct slice *)key);
}

static void leave_scan(struct read *read)
{
    struct scan *scan = &read->sync->scan;
    if (read->scan_id != 0 && read->scan_id == scan->id)
        scan->reads--;
    read->scan_id = 0;
}

static void release(struct read *read)
{
    struct rep_sync *sync = read->sync;
    leave_scan(read);
    list_remove(&read->link);
    if (rep_upstream_is_sharded(sync->upstream))
        hash_table_remove(sync->under_way, read->hash, read);
    pool_put(sync->reads, read);
}

static bool is_redirected(struct read *read, const struct rep_reply *reply)
{
    if (reply->type != REP_REPLY_ERROR ||
        !rep_upstream_redirected(read->sync->upstream, read->peer, reply->text, &read->next,
                                 &read->asking))
        return false;
    read->again = true;
    return true;
}

static void postpone(struct read *read)
{
    struct rep_sync *sync = read->sync;
    list_append(&sync->postponed, &read->link);
    if (!rt_timer_is_set(&sync->later))
        rt_timer_set(sync->options.wheel, &sync->later, rt_loop_now(sync->options.loop), LATER_US);
}

static void ask_again(struct read *read)
{
    struct rep_sync *sync = read->sync;
    struct rep_link *link = rep_upstream_link(sync->upstream, read->next);
    read->again = read->renew = false;
    if (link == NULL || rep_link_room(link) < READ_COMMANDS || read->hops >= READ_HOPS) {
        postpone(read);
        return;
    }
    read->hops++;
    read->peer = read->next;
    transmit(read, link);
}

void rep_sync_later(struct rt_timer *timer, uint64_t now_us)
{
    (void)now_us;
    struct rep_sync *sync = LIST_ENTRY(timer, struct rep_sync, later);
    struct list_link waiting;
    list_init(&waiting);
    for (struct list_link *link; (link = list_first(&sync->postponed)) != NULL;) {
        list_remove(link);
        list_append(&waiting, link);
    }
    for (struct list_link *link; (link = list_first(&waiting)) != NULL;) {
        struct read *read = LIST_ENTRY(link, struct read, link);
        list_remove(link);
        read->next = rep_upstream_find(sync->upstream, name_of(read));
        read->asking = false;
        read->hops = 0;
        ask_again(read);
    }
}

/* They will be compared with everything else. */
void rep_sync_drop_postponed(struct rep_sync *sync)
{
    for (struct list_link *link; (link = list_first(&sync->postponed)) != NULL;)
        release(LIST_ENTRY(link, struct read, link));
}

/* ---- replies ------------------------------------------------------------------------------- */

static void fields_reply(void *argument, uint64_t tag, const struct rep_reply *reply)
{
    (void)tag;
    struct read *read = argument;
    struct rep_sync *sync = read->sync;
    read->usable = false;
    if (reply == NULL)
        return;
    if (reply->type == REP_REPLY_ERROR) {
        read->reason = REP_SKIP_TYPE;
        if (is_redirected(read, reply))
            return;
        if (!slice_starts_with(reply->text, SLICE("WRONGTYPE"))) {
            char reason[SYNC_ERROR_BYTES];
            snprintf(reason, sizeof(reason), "HMGET refused: %.*s",
                     SLICE_ARGS(slice_first(reply->text, 120)));
            rep_upstream_fail(sync->upstream, read->peer, reason);
        }
        return;
    }
    read->reason = REP_SKIP_REPLY;
    if (reply->type != REP_REPLY_ARRAY || reply->count != sync->request.fields)
        return;
    struct slice fields[REP_FIELD_LIMIT];
    rep_reply_fields(reply, fields);
    read->usable = rep_fields_parse(fields, sync->options.authority, sync->options.types,
                                    sync->options.sources, &read->said, &read->reason) == 0;
}

static void take_lifetime(struct read *read, const struct rep_reply *reply)
{
    enum { LIFETIME_GONE = -2, LIFETIME_ENDLESS = -1 };
    struct rep_sync *sync = read->sync;
    bool gone = reply->integer == LIFETIME_GONE;
    if (gone && !rep_upstream_is_settled(sync->upstream, name_of(read))) {
        read->again = true;
        read->next = REP_NOBODY;
        return;
    }
    /* What remains, not a time of day: the server's clock need not agree with ours. */
    if (reply->integer >= 0)
        read->said.expires_s = (clock_wall_us() / 1000 + (uint64_t)reply->integer + 999) / 1000;
    apply_read(read, !gone);
}

static void lifetime_reply(void *argument, uint64_t tag, const struct rep_reply *reply)
{
    (void)tag;
    struct read *read = argument;
    struct rep_sync *sync = read->sync;
    if (reply == NULL) {
        release(read);
        return;
    }
    if (!read->again && read->renew) {
        read->next = read->peer;
    } else if (!read->again && reply->type == REP_REPLY_INTEGER) {
        take_lifetime(read, reply);
    } else if (!read->again && !is_redirected(read, reply)) {
        rep_upstream_fail(sync->upstream, read->peer, "PTTL refused");
    }
    if (read->again || read->renew)
        ask_again(read);
    else
        release(read);
    rep_sync_scan_check(sync);
    rep_sync_pump(sync);
}

/* ---- sending ------------------------------------------------------------------------------- */

/* The name's key was looked at: false when it is none of ours or unusable (then it is counted). */
static bool usable_name(struct rep_sync *sync, struct slice name, struct rep_key *key)
{
    enum rep_skip reason;
    int code = rep_key_parse(name, key, &reason);
    if (code == -EBADMSG)
        rep_sync_skip(sync, name, reason);
    return code == 0;
}

/* There is room for all of it; what is left to fail is memory. */
static void transmit(struct read *read, struct rep_link *link)
{
    static const struct slice asking[] = {SLICE_LITERAL("ASKING")};
    struct slice lifetime[2] = {SLICE_LITERAL("PTTL"), name_of(read)};
    struct rep_sync *sync = read->sync;
    sync->request.words[1] = name_of(read);
    int code = read->asking ? rep_link_command(link, asking, 1, NULL, NULL, 0) : 0;
    if (code == 0)
        code = rep_link_command(link, sync->request.words, 2 + sync->request.fields, fields_reply,
                                read, 0);
    if (code == 0 && read->asking)
        code = rep_link_command(link, asking, 1, NULL, NULL, 0);
    if (code == 0)
        code = rep_link_command(link, lifetime, 2, lifetime_reply, read, 0);
    if (code != 0) {
        /* The closing answers HMGET. */
        rep_upstream_fail(sync->upstream, read->peer, error_text(code));
        release(read);
    }
}

/* True when the key is being read already: after that once more if it changed. */
static bool joins_another(struct rep_sync *sync, struct slice name, uint64_t hash, uint64_t scan_id)
{
    struct read *other = hash_table_find(sync->under_way, hash, read_matches, &name);
    if (other == NULL)
        return false;
    if (scan_id == 0) {
        other->renew = true;
        /* A change is applied whatever becomes of the scan. */
        leave_scan(other);
    }
    return true;
}

static void send_read(struct rep_sync *sync, struct slice name, uint64_t scan_id, unsigned peer,
                      struct rep_link *link)
{
    struct rep_key key;
    bool sharded = rep_upstream_is_sharded(sync->upstream);
    if (!usable_name(sync, name, &key))
        return;
    uint64_t hash = sharded ? hash_slice(&sync->seed, name) : 0;
    if (sharded && joins_another(sync, name, hash, scan_id))
        return;
    struct read *read = pool_get(sync->reads);
    assert(read != NULL && name.length <= sizeof(read->name));
    list_init(&read->link);
    read->sync = sync;
    read->hash = hash;
    read->peer = read->next = peer;
    read->length = name.length;
    memcpy(read->name, name.data, name.length);
    read->key = key;
    if (key.kind == REP_KIND_RAW)
        read->key.text = slice_from(name_of(read), REP_KEY_PREFIX_LENGTH);
    if (sharded && hash_table_insert(sync->under_way, hash, read) != 0) {
        pool_put(sync->reads, read);
        rep_sync_fail(sync, error_text(-ENOMEM));
        return;
    }
    read->scan_id = scan_id;
    if (scan_id != 0)
        sync->scan.reads++;
    transmit(read, link);
}

/* One name, from the queue or the scan; false when there is none or no room for it. */
static bool pump_one(struct rep_sync *sync)
{
    struct slice name = rep_queue_first(sync->queue);
    bool queued = name.data != NULL;
    if (!queued)
        name = rep_sync_scan_first(sync);
    if (name.data == NULL)
        return false;
    unsigned peer = rep_upstream_find(sync->upstream, name);
    struct rep_link *link = rep_upstream_link(sync->upstream, peer);
    if (link != NULL && rep_link_room(link) < READ_COMMANDS)
        return false;
    uint64_t scan_id = queued ? 0 : sync->scan.id;
    /* Of a server that is not followed everything will be compared. */
    if (link != NULL)
        send_read(sync, name, scan_id, peer, link);
    if (queued)
        rep_queue_drop(sync->queue);
    else if (sync->scan.id == scan_id)
        rep_sync_scan_drop(sync);
    return true;
}

void rep_sync_pump(struct rep_sync *sync)
{
    while (pool_used(sync->reads) < SYNC_READS && pump_one(sync))
        continue;
    sync->options.status->queued = rep_queue_count(sync->queue);
}

void rep_sync_changed(struct rep_sync *sync, struct slice name)
{
    struct rep_key key;
    if (!usable_name(sync, name, &key))
        return;
    if (rep_queue_push(sync->queue, name) == 0)
        return;
    log_notice("reputation", "more than %d keys changed at once: reading everything again",
               SYNC_QUEUE_LIMIT);
    rep_queue_clear(sync->queue);
    rep_sync_rescan(sync);
}
