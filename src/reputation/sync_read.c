/* SPDX-License-Identifier: Apache-2.0 */
/* Reading keys on the data connection and applying what they hold. */
#include "sync_int.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"

/* One key being read, from its HMGET to the answer of its PTTL. */
struct read {
    struct rep_sync *sync;
    uint64_t scan_id; /* 0: a changed key */
    struct rep_key key;
    struct rep_entry entry;
    bool usable;
    enum rep_skip reason; /* where not usable */
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

/* entry == NULL: the key is gone or unusable. True when the replica is different now. */
bool rep_sync_put(struct rep_sync *sync, const struct rep_key *key, const struct rep_entry *entry)
{
    if (entry == NULL)
        return rep_replica_remove(sync->options.replica, key);
    bool changed = false;
    int code = rep_replica_set(sync->options.replica, key, entry, &changed);
    if (code != 0)
        note_full(sync, key, code);
    return changed;
}

static void apply_change(struct rep_sync *sync, const struct rep_key *key,
                         const struct rep_entry *entry)
{
    struct rep_status *status = sync->options.status;
    bool may_change = rep_sync_may_change(sync, key, entry);
    if (may_change && rep_sync_put(sync, key, entry)) {
        status->changes++;
        status->last_change_wall_us = clock_wall_us();
    }
    if (!sync->scan.comparing || (!sync->scan.running && !sync->scan.applying))
        return;
    /* What is being applied was weighed without this change: the next comparison weighs it. */
    if (sync->scan.applying && !may_change)
        sync->scan.again = true;
    else if (rep_journal_append(sync->journal, key, entry) != 0)
        rep_sync_fail(sync, "out of memory while comparing");
}

static void apply_read(struct read *read, bool exists)
{
    struct rep_sync *sync = read->sync;
    const struct rep_entry *entry = exists && read->usable ? &read->entry : NULL;
    if (exists && !read->usable)
        rep_sync_skip(sync, slice_make(read->name, read->length), read->reason);
    if (read->scan_id == 0)
        apply_change(sync, &read->key, entry);
    else if (sync->scan.running && read->scan_id == sync->scan.id)
        rep_sync_scan_apply(sync, &read->key, entry);
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
        if (!slice_starts_with(reply->text, SLICE("WRONGTYPE"))) {
            char reason[SYNC_ERROR_BYTES];
            snprintf(reason, sizeof(reason), "HMGET refused: %.*s",
                     SLICE_ARGS(slice_first(reply->text, 120)));
            rep_sync_fail(sync, reason);
        }
        return;
    }
    read->reason = REP_SKIP_REPLY;
    if (reply->type != REP_REPLY_ARRAY || reply->count != REP_FIELD_COUNT)
        return;
    struct slice fields[REP_FIELD_COUNT] = {{0}};
    for (unsigned i = 0; i < REP_FIELD_COUNT; i++)
        if (reply->element[i].type == REP_REPLY_TEXT)
            fields[i] = reply->element[i].text;
    read->usable = rep_fields_parse(fields, sync->options.types, sync->options.sources,
                                    &read->entry, &read->reason) == 0;
}

static void lifetime_reply(void *argument, uint64_t tag, const struct rep_reply *reply)
{
    (void)tag;
    enum { LIFETIME_GONE = -2, LIFETIME_ENDLESS = -1 };
    struct read *read = argument;
    struct rep_sync *sync = read->sync;
    if (read->scan_id != 0 && read->scan_id == sync->scan.id)
        sync->scan.reads--;
    if (reply != NULL && reply->type == REP_REPLY_INTEGER) {
        /* What remains, not a time of day: the server's clock need not agree with ours. */
        if (reply->integer >= 0)
            read->entry.expires_s =
                (clock_wall_us() / 1000 + (uint64_t)reply->integer + 999) / 1000;
        apply_read(read, reply->integer != LIFETIME_GONE);
    } else if (reply != NULL) {
        rep_sync_fail(sync, "PTTL refused");
    }
    pool_put(sync->reads, read);
    if (reply != NULL) {
        rep_sync_scan_check(sync);
        rep_sync_pump(sync);
    }
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

static void send_read(struct rep_sync *sync, struct slice name, uint64_t scan_id)
{
    struct rep_key key;
    if (!usable_name(sync, name, &key))
        return;
    struct read *read = pool_get(sync->reads);
    assert(read != NULL && name.length <= sizeof(read->name));
    read->sync = sync;
    read->scan_id = scan_id;
    read->length = name.length;
    memcpy(read->name, name.data, name.length);
    struct slice kept = slice_make(read->name, read->length);
    read->key = key;
    if (key.kind == REP_KIND_RAW)
        read->key.text = slice_from(kept, REP_KEY_PREFIX_LENGTH);

    struct slice fields[2 + REP_FIELD_COUNT] = {SLICE_LITERAL("HMGET"), kept,
#define REP_FIELD_WORD(name, text) SLICE_LITERAL(text),
                                                REP_FIELD_TABLE(REP_FIELD_WORD)
#undef REP_FIELD_WORD
    };
    struct slice lifetime[2] = {SLICE_LITERAL("PTTL"), kept};
    int code = rep_link_command(sync->data, fields, 2 + REP_FIELD_COUNT, fields_reply, read, 0);
    if (code == 0)
        code = rep_link_command(sync->data, lifetime, 2, lifetime_reply, read, 0);
    /* The room for both was looked at; what is left is memory. The closing answers HMGET. */
    if (code != 0) {
        rep_sync_fail(sync, error_text(code));
        pool_put(sync->reads, read);
        return;
    }
    if (scan_id != 0)
        sync->scan.reads++;
}

void rep_sync_pump(struct rep_sync *sync)
{
    while (rep_link_is_up(sync->data) && sync->tracking && rep_link_room(sync->data) >= 4 &&
           pool_used(sync->reads) < SYNC_READS) {
        struct slice name = rep_queue_first(sync->queue);
        if (name.data != NULL) {
            send_read(sync, name, 0);
            rep_queue_drop(sync->queue);
            continue;
        }
        name = rep_sync_scan_next(sync);
        if (name.data == NULL)
            break;
        send_read(sync, name, sync->scan.id);
    }
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
