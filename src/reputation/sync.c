/* SPDX-License-Identifier: Apache-2.0 */
/* Connections, tracking, and what to do when they break. */
#include "sync_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

/* Largest invalidation: half a million keys changed in one turn of the server. */
static const size_t reply_limit = 128u << 20;

static const char tracking_text[] = "client-side caching, broadcast by prefix";
static const char channel[] = "__redis__:invalidate";

void rep_sync_state(struct rep_sync *sync, enum rep_state state)
{
    sync->options.status->state = state;
}

static void retry_later(struct rep_sync *sync)
{
    uint64_t delay = rep_backoff_us(sync->attempt++, random_next(&sync->random));
    rep_sync_state(sync, REP_STATE_WAITING);
    rt_timer_set(sync->options.wheel, &sync->retry, rt_loop_now(sync->options.loop), delay);
}

void rep_sync_fail(struct rep_sync *sync, const char *reason)
{
    struct rep_status *status = sync->options.status;
    if (sync->failing)
        return;
    sync->failing = true;
    if (status->connected || strcmp(status->error, reason) != 0)
        log_warning("reputation", "%s: %s; %s", status->server, reason,
                    status->loaded ? "calls are scored from the replica" : "nothing is loaded yet");
    snprintf(status->error, sizeof(status->error), "%s", reason);
    if (status->connected)
        status->reconnects++;
    status->connected = false;
    sync->tracking = false;
    rep_sync_scan_abandon(sync);
    rep_queue_clear(sync->queue);
    rt_timer_cancel(sync->options.wheel, &sync->recheck);
    rt_timer_cancel(sync->options.wheel, &sync->rescan);
    rep_link_close(sync->track);
    rep_link_close(sync->data);
    sync->failing = false;
    retry_later(sync);
}

static void link_down(void *argument, const char *reason)
{
    rep_sync_fail(argument, reason);
}

static void begin_when_ready(struct rep_sync *sync)
{
    if (!sync->tracking || !rep_link_is_up(sync->data))
        return;
    struct rep_status *status = sync->options.status;
    status->connected = true;
    snprintf(status->tracking, sizeof(status->tracking), "%s", tracking_text);
    rep_sync_scan_begin(sync, false);
}

static void data_up(void *argument)
{
    begin_when_ready(argument);
}

/* ---- the tracking connection: one step follows the reply to the one before ------------------ */

static void refused(struct rep_sync *sync, const char *what, const struct rep_reply *reply)
{
    char reason[SYNC_ERROR_BYTES];
    struct slice text = reply->type == REP_REPLY_ERROR ? reply->text : SLICE("unexpected reply");
    snprintf(reason, sizeof(reason), "%s refused (Redis 6.0 or later is needed): %.*s", what,
             SLICE_ARGS(slice_first(text, 100)));
    rep_sync_fail(sync, reason);
}

static void track_send(struct rep_sync *sync, const struct slice *words, unsigned count,
                       rep_link_reply_fn *reply)
{
    int code = rep_link_command(sync->track, words, count, reply, sync, 0);
    if (code != 0)
        rep_sync_fail(sync, error_text(code));
}

static void subscribe_reply(void *argument, uint64_t tag, const struct rep_reply *reply)
{
    (void)tag;
    struct rep_sync *sync = argument;
    if (reply == NULL)
        return;
    if (reply->type != REP_REPLY_ARRAY || reply->count != 3) {
        refused(sync, "SUBSCRIBE", reply);
        return;
    }
    rep_link_subscribed(sync->track);
    sync->tracking = true;
    begin_when_ready(sync);
}

static void tracking_reply(void *argument, uint64_t tag, const struct rep_reply *reply)
{
    (void)tag;
    struct rep_sync *sync = argument;
    if (reply == NULL)
        return;
    if (!rep_reply_is_text(reply, "OK")) {
        refused(sync, "CLIENT TRACKING", reply);
        return;
    }
    const struct slice words[] = {SLICE_LITERAL("SUBSCRIBE"), slice_of_text(channel)};
    track_send(sync, words, 2, subscribe_reply);
}

static void id_reply(void *argument, uint64_t tag, const struct rep_reply *reply)
{
    (void)tag;
    struct rep_sync *sync = argument;
    if (reply == NULL)
        return;
    if (reply->type != REP_REPLY_INTEGER) {
        refused(sync, "CLIENT ID", reply);
        return;
    }
    char id[24];
    snprintf(id, sizeof(id), "%lld", (long long)reply->integer);
    const struct slice words[] = {SLICE_LITERAL("CLIENT"), SLICE_LITERAL("TRACKING"),
                                  SLICE_LITERAL("ON"),     SLICE_LITERAL("REDIRECT"),
                                  slice_of_text(id),       SLICE_LITERAL("BCAST"),
                                  SLICE_LITERAL("PREFIX"), SLICE_LITERAL(REP_KEY_NUMBER),
                                  SLICE_LITERAL("PREFIX"), SLICE_LITERAL(REP_KEY_PREFIX),
                                  SLICE_LITERAL("PREFIX"), SLICE_LITERAL(REP_KEY_RAW)};
    track_send(sync, words, sizeof(words) / sizeof(words[0]), tracking_reply);
}

static void track_up(void *argument)
{
    static const struct slice words[] = {SLICE_LITERAL("CLIENT"), SLICE_LITERAL("ID")};
    track_send(argument, words, 2, id_reply);
}

static void track_message(void *argument, const struct rep_reply *reply)
{
    struct rep_sync *sync = argument;
    const struct rep_reply *keys = &reply->element[2];
    if (!rep_reply_is_text(&reply->element[1], channel))
        return;
    if (keys->type == REP_REPLY_NIL) {
        log_notice("reputation", "%s was flushed", sync->options.status->server);
        rep_sync_rescan(sync);
        return;
    }
    if (keys->type != REP_REPLY_ARRAY) {
        rep_sync_fail(sync, "an invalidation that names no keys");
        return;
    }
    for (size_t i = 0; i < keys->count; i++)
        if (keys->element[i].type == REP_REPLY_TEXT)
            rep_sync_changed(sync, keys->element[i].text);
    rep_sync_pump(sync);
}

/* ---- timers -------------------------------------------------------------------------------- */

static void connect_now(struct rep_sync *sync)
{
    rep_sync_state(sync, REP_STATE_CONNECTING);
    char message[SYNC_ERROR_BYTES];
    if (rep_server_resolve(sync->options.settings, &sync->addresses, message, sizeof(message)) !=
        0) {
        rep_sync_fail(sync, message);
        return;
    }
    const struct rep_address *address =
        &sync->addresses.address[sync->attempt % sync->addresses.count];
    int code = rep_link_open(sync->track, address);
    if (code == 0)
        code = rep_link_open(sync->data, address);
    if (code != 0) {
        snprintf(message, sizeof(message), "cannot connect: %s", error_text(code));
        rep_sync_fail(sync, message);
    }
}

static void retry_due(struct rt_timer *timer, uint64_t now_us)
{
    (void)now_us;
    connect_now(LIST_ENTRY(timer, struct rep_sync, retry));
}

static void work_due(struct rt_timer *timer, uint64_t now_us)
{
    (void)now_us;
    rep_sync_work(LIST_ENTRY(timer, struct rep_sync, work));
}

static void recheck_due(struct rt_timer *timer, uint64_t now_us)
{
    (void)now_us;
    rep_sync_scan_begin(LIST_ENTRY(timer, struct rep_sync, recheck), false);
}

static void rescan_due(struct rt_timer *timer, uint64_t now_us)
{
    (void)now_us;
    rep_sync_rescan(LIST_ENTRY(timer, struct rep_sync, rescan));
}

/* ---- the object ---------------------------------------------------------------------------- */

static int create_links(struct rep_sync *sync)
{
    struct rep_link_options options = {
        .loop = sync->options.loop,
        .wheel = sync->options.wheel,
        .settings = sync->options.settings,
        .pipeline = 16,
        .reply_limit = reply_limit,
    };
    struct rep_link_events track = {track_up, link_down, track_message, sync};
    struct rep_link_events data = {data_up, link_down, NULL, sync};
    int code = rep_link_create(&options, &track, &sync->track);
    options.pipeline = SYNC_PIPELINE;
    if (code == 0)
        code = rep_link_create(&options, &data, &sync->data);
    return code;
}

int rep_sync_create(const struct rep_sync_options *options, struct rep_sync **sync)
{
    struct rep_sync *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->options = *options;
    random_seed(&created->random, options->seed[0] ^ options->seed[1]);
    rt_timer_init(&created->retry, retry_due);
    rt_timer_init(&created->work, work_due);
    rt_timer_init(&created->recheck, recheck_due);
    rt_timer_init(&created->rescan, rescan_due);
    rep_budget_init(&created->budget, options->settings->hold_percent,
                    options->settings->hold_minimum);
    struct hash_key seed = {{options->seed[0], options->seed[1]}};
    int code = rep_queue_create(SYNC_QUEUE_LIMIT, &seed, &created->queue);
    if (code == 0)
        code = rep_journal_create(&created->journal);
    if (code == 0)
        code = pool_create(rep_sync_read_size(), SYNC_READS, &created->reads);
    if (code == 0)
        code = create_links(created);
    if (code != 0)
        rep_sync_destroy(created);
    else
        *sync = created;
    return code;
}

void rep_sync_start(struct rep_sync *sync)
{
    connect_now(sync);
}

void rep_sync_rescan(struct rep_sync *sync)
{
    if (!sync->options.status->connected)
        return;
    rep_sync_scan_again(sync);
}

void rep_sync_accept(struct rep_sync *sync)
{
    if (sync->options.status->connected)
        rep_sync_scan_begin(sync, true);
}

void rep_sync_destroy(struct rep_sync *sync)
{
    if (sync == NULL)
        return;
    struct rt_wheel *wheel = sync->options.wheel;
    sync->failing = true;
    if (sync->journal != NULL && sync->queue != NULL)
        rep_sync_scan_abandon(sync);
    rt_timer_cancel(wheel, &sync->retry);
    rt_timer_cancel(wheel, &sync->recheck);
    rt_timer_cancel(wheel, &sync->rescan);
    rep_link_destroy(sync->track);
    rep_link_destroy(sync->data);
    rep_queue_destroy(sync->queue);
    rep_journal_destroy(sync->journal);
    pool_destroy(sync->reads);
    free(sync);
}
