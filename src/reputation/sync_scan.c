/* SPDX-License-Identifier: Apache-2.0 */
/* The scan: loading into an empty replica, comparing with a filled one, holding, applying. */
#include "sync_int.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

enum {
    PROGRESS_US = 5000000,
    JOURNAL_PER_TURN = 20000, /* some 10 ms */
    PARTITIONS_PER_TURN = 64,
};

static uint64_t now_us(const struct rep_sync *sync)
{
    return rt_loop_now(sync->options.loop);
}

/* ---- beginning and ending ------------------------------------------------------------------ */

void rep_sync_scan_abandon(struct rep_sync *sync)
{
    struct scan *scan = &sync->scan;
    scan->running = scan->asked = scan->applying = scan->again = false;
    scan->preparing = scan->closing = false;
    scan->reads = 0;
    scan->id++;
    free(scan->backlog.bytes);
    scan->backlog = (struct backlog){0};
    rep_journal_clear(sync->journal);
    rt_timer_cancel(sync->options.wheel, &sync->work);
}

static void size_reply(void *argument, uint64_t tag, const struct rep_reply *reply)
{
    (void)tag;
    struct rep_sync *sync = argument;
    if (reply != NULL && reply->type == REP_REPLY_INTEGER && reply->integer > 0)
        sync->options.status->expected += (uint64_t)reply->integer;
}

/* Only for the display of progress; an account without it loads all the same. */
static void ask_sizes(struct rep_sync *sync)
{
    static const struct slice size[] = {SLICE_LITERAL("DBSIZE")};
    for (unsigned i = 0; i < rep_upstream_count(sync->upstream); i++) {
        struct rep_link *link = rep_upstream_link(sync->upstream, i);
        if (link != NULL && rep_link_command(link, size, 1, size_reply, sync, 0) != 0)
            continue;
    }
}

static void begin_reading(struct rep_sync *sync)
{
    sync->scan.preparing = false;
    sync->scan.running = true;
    rep_replica_begin(sync->options.replica);
    ask_sizes(sync);
    rep_sync_pump(sync);
}

void rep_sync_scan_begin(struct rep_sync *sync, bool accepted)
{
    struct scan *scan = &sync->scan;
    struct rep_status *status = sync->options.status;

    rep_sync_scan_abandon(sync);
    rt_timer_cancel(sync->options.wheel, &sync->recheck);
    scan->last = false;
    /* What a broken first load left behind is no yardstick. */
    scan->comparing = status->loaded && rep_sync_entries(sync) > 0;
    scan->accepted = accepted;
    scan->started_us = scan->told_us = now_us(sync);
    scan->found = scan->replaced = 0;
    scan->peer = 0;
    snprintf(scan->cursor, sizeof(scan->cursor), "0");
    status->scanned = status->expected = 0;
    rep_sync_state(sync, scan->comparing ? REP_STATE_COMPARING : REP_STATE_LOADING);
    if (accepted) {
        sync->overdrawn = false;
        log_notice("reputation", "accepted: whatever %s holds now will be applied", status->server);
    }
    rep_replica_restart(sync->options.replica);
    scan->preparing = rep_replica_stale(sync->options.replica) > 0;
    if (scan->preparing)
        rep_sync_work(sync);
    else
        begin_reading(sync);
}

void rep_sync_scan_again(struct rep_sync *sync)
{
    if (sync->scan.running || sync->scan.applying)
        sync->scan.again = true;
    else if (!sync->scan.preparing)
        rep_sync_scan_begin(sync, false);
}

/* Where changes are not told the next comparison is not far; half of the time is the server's. */
static void plan_next(struct rep_sync *sync)
{
    uint64_t took_us = now_us(sync) - sync->scan.started_us;
    uint64_t delay_us = rep_upstream_compare_us(sync->upstream);
    rt_timer_set(sync->options.wheel, &sync->rescan, now_us(sync),
                 delay_us > took_us ? delay_us : took_us);
}

static void complete(struct rep_sync *sync)
{
    struct rep_status *status = sync->options.status;
    const struct rep_settings *settings = sync->options.settings;
    bool again = sync->scan.again;
    bool routine = status->loaded && !status->from_saved && status->error[0] == '\0' &&
                   rep_upstream_compare_us(sync->upstream) < settings->rescan_interval_s * 1000000;
    if (status->loaded && !status->from_saved)
        status->resyncs++;
    rep_sync_settled(sync);
    status->loaded = true;
    status->from_saved = false;
    status->last_sync_wall_us = clock_wall_us();
    status->error[0] = '\0';
    log_write(routine ? LOG_LEVEL_DEBUG : LOG_LEVEL_NOTICE, "reputation",
              "in step with %s: %" PRIu64 " entries, %.1f s", status->server,
              rep_sync_entries(sync), (double)(now_us(sync) - sync->scan.started_us) / 1e6);
    rep_sync_scan_abandon(sync);
    rep_sync_state(sync, REP_STATE_FOLLOWING);
    plan_next(sync);
    if (again)
        rep_sync_scan_begin(sync, false);
}

static bool apply_some(struct rep_sync *sync)
{
    struct rep_key key;
    struct rep_value value;
    bool remove;
    for (unsigned i = 0; i < JOURNAL_PER_TURN; i++) {
        if (!rep_journal_take(sync->journal, &key, &value, &remove))
            break;
        if (rep_sync_put(sync, &key, remove ? NULL : &value))
            sync->options.status->last_change_wall_us = clock_wall_us();
    }
    return rep_journal_count(sync->journal) > 0 ||
           rep_replica_drop_stale(sync->options.replica, PARTITIONS_PER_TURN);
}

static void begin_applying(struct rep_sync *sync)
{
    sync->scan.running = sync->scan.closing = false;
    sync->scan.applying = true;
    rep_replica_restart(sync->options.replica);
}

/* What the scan did not see and what expires about now is gone from Redis because it expired: its
 * clock and ours need not agree to the second. */
static bool close_some(struct rep_sync *sync)
{
    uint64_t until_s = clock_wall_us() / 1000000 + SYNC_TTL_TOLERANCE_S;
    return rep_replica_drop_stale_expiring(sync->options.replica, PARTITIONS_PER_TURN, until_s);
}

void rep_sync_work(struct rep_sync *sync)
{
    struct scan *scan = &sync->scan;
    bool more = scan->preparing ? rep_replica_settle(sync->options.replica, PARTITIONS_PER_TURN)
                : scan->closing ? close_some(sync)
                                : apply_some(sync);
    if (!more && scan->preparing) {
        begin_reading(sync);
        return;
    }
    if (!more && scan->closing) {
        if (rep_sync_is_too_much(sync)) {
            rep_sync_hold(sync, true);
            return;
        }
        begin_applying(sync);
        more = true;
    }
    if (more)
        rt_timer_set(sync->options.wheel, &sync->work, now_us(sync), 0);
    else
        complete(sync);
}

void rep_sync_scan_check(struct rep_sync *sync)
{
    struct scan *scan = &sync->scan;
    if (!scan->running || scan->closing || !scan->last || scan->asked || scan->reads > 0 ||
        scan->backlog.at < scan->backlog.length)
        return;
    if (scan->comparing && !scan->accepted && rep_sync_is_too_much(sync)) {
        scan->closing = true;
        rep_replica_restart(sync->options.replica);
    } else {
        begin_applying(sync);
    }
    rep_sync_work(sync);
}

/* ---- names --------------------------------------------------------------------------------- */

static int backlog_add(struct backlog *backlog, struct slice name)
{
    size_t needed = backlog->length + 2 + name.length;
    if (needed > backlog->capacity) {
        size_t capacity = backlog->capacity > 0 ? backlog->capacity : 16 << 10;
        while (capacity < needed)
            capacity *= 2;
        char *grown = realloc(backlog->bytes, capacity);
        if (grown == NULL)
            return ERROR_LIMIT;
        backlog->bytes = grown;
        backlog->capacity = capacity;
    }
    char *to = backlog->bytes + backlog->length;
    to[0] = (char)(name.length & 0xff);
    to[1] = (char)(name.length >> 8 & 0xff);
    memcpy(to + 2, name.data, name.length);
    backlog->length = needed;
    return 0;
}

static int take_page(struct rep_sync *sync, const struct rep_reply *reply)
{
    struct scan *scan = &sync->scan;
    if (reply->type != REP_REPLY_ARRAY || reply->count != 2 ||
        reply->element[0].type != REP_REPLY_TEXT ||
        reply->element[0].text.length >= sizeof(scan->cursor) ||
        reply->element[1].type != REP_REPLY_ARRAY)
        return -EBADMSG;
    struct slice cursor = reply->element[0].text;
    memcpy(scan->cursor, cursor.data, cursor.length);
    scan->cursor[cursor.length] = '\0';
    /* Cursor 0: on to the next server. One that is not followed holds nothing that is looked for,
     * else the scan would have been abandoned. */
    if (slice_equal(cursor, SLICE("0")))
        do
            scan->peer++;
        while (scan->peer < rep_upstream_count(sync->upstream) &&
               rep_upstream_link(sync->upstream, scan->peer) == NULL);
    scan->last = scan->peer >= rep_upstream_count(sync->upstream);
    scan->backlog.at = scan->backlog.length = 0;

    const struct rep_reply *keys = &reply->element[1];
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->element[i].type != REP_REPLY_TEXT)
            return -EBADMSG;
        sync->options.status->scanned++;
        struct slice name = keys->element[i].text;
        /* Far too long for any of our keys: its kind's reason is found by its first bytes. */
        int code = backlog_add(&scan->backlog, slice_first(name, REP_KEY_MAXIMUM + 1));
        if (code != 0)
            return code;
    }
    return 0;
}

static void tell_progress(struct rep_sync *sync)
{
    struct scan *scan = &sync->scan;
    const struct rep_status *status = sync->options.status;
    if (now_us(sync) - scan->told_us < PROGRESS_US)
        return;
    scan->told_us = now_us(sync);
    double seconds = (double)(now_us(sync) - scan->started_us) / 1e6;
    log_notice("reputation", "%s %s: %" PRIu64 " of about %" PRIu64 " keys, %.0f a second",
               scan->comparing ? "comparing with" : "loading from", status->server, status->scanned,
               status->expected, (double)status->scanned / seconds);
}

static void page_reply(void *argument, uint64_t tag, const struct rep_reply *reply)
{
    struct rep_sync *sync = argument;
    struct scan *scan = &sync->scan;
    if (reply == NULL || tag != scan->id || !scan->running)
        return;
    scan->asked = false;
    if (reply->type == REP_REPLY_ERROR) {
        char reason[SYNC_ERROR_BYTES];
        snprintf(reason, sizeof(reason), "SCAN refused: %.*s",
                 SLICE_ARGS(slice_first(reply->text, 120)));
        rep_upstream_fail(sync->upstream, scan->peer, reason);
        return;
    }
    if (take_page(sync, reply) != 0) {
        rep_sync_fail(sync, "SCAN gave an unexpected reply");
        return;
    }
    tell_progress(sync);
    rep_sync_pump(sync);
    rep_sync_scan_check(sync);
}

static void ask_page(struct rep_sync *sync)
{
    char count[16];
    struct scan *scan = &sync->scan;
    struct rep_link *link = rep_upstream_link(sync->upstream, scan->peer);
    if (link == NULL || rep_link_room(link) == 0)
        return;
    snprintf(count, sizeof(count), "%d", SYNC_SCAN_COUNT);
    /* One pass for the three prefixes; rf:events and rf:feedback do not match. */
    const struct slice words[] = {SLICE_LITERAL("SCAN"),  slice_of_text(scan->cursor),
                                  SLICE_LITERAL("MATCH"), SLICE_LITERAL("rf:[npr][ufa][mxw]:*"),
                                  SLICE_LITERAL("COUNT"), slice_of_text(count)};
    int code = rep_link_command(link, words, 6, page_reply, sync, scan->id);
    if (code == 0)
        scan->asked = true;
    else
        rep_sync_fail(sync, error_text(code));
}

static size_t name_length(const char *from)
{
    return (size_t)(unsigned char)from[0] | (size_t)(unsigned char)from[1] << 8;
}

struct slice rep_sync_scan_first(struct rep_sync *sync)
{
    struct scan *scan = &sync->scan;
    struct backlog *backlog = &scan->backlog;
    if (!scan->running)
        return slice_make(NULL, 0);
    if (backlog->at == backlog->length) {
        if (!scan->asked && !scan->last)
            ask_page(sync);
        return slice_make(NULL, 0);
    }
    const char *from = backlog->bytes + backlog->at;
    return slice_make(from + 2, name_length(from));
}

void rep_sync_scan_drop(struct rep_sync *sync)
{
    struct backlog *backlog = &sync->scan.backlog;
    backlog->at += 2 + name_length(backlog->bytes + backlog->at);
}

void rep_sync_scan_apply(struct rep_sync *sync, const struct rep_key *key,
                         const struct rep_value *value)
{
    struct scan *scan = &sync->scan;
    if (value == NULL)
        return;
    if (!scan->comparing) {
        rep_sync_put(sync, key, value);
        return;
    }
    if (rep_ledger_touch(sync->options.ledger, key, value, SYNC_TTL_TOLERANCE_S))
        return;
    struct rep_entry held;
    if (rep_replica_get(sync->options.replica, key, 0, &held))
        scan->replaced++;
    if (rep_sync_matters(sync, key, value))
        scan->found++;
    if (!scan->accepted && scan->found > rep_sync_left(sync))
        rep_sync_hold(sync, false);
    else if (rep_journal_append(sync->journal, key, value) != 0)
        rep_sync_fail(sync, "out of memory while comparing");
}
