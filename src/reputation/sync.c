/* SPDX-License-Identifier: Apache-2.0 */
/* What upstream tells, when to compare, the object. */
#include "sync_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

void rep_sync_state(struct rep_sync *sync, enum rep_state state)
{
    sync->options.status->state = state;
}

static void say_reason(struct rep_sync *sync, const char *reason)
{
    struct rep_status *status = sync->options.status;
    if (status->connected || strcmp(status->error, reason) != 0)
        log_warning("reputation", "%s: %s; %s", status->server, reason,
                    status->loaded ? "calls are scored from the replica" : "nothing is loaded yet");
    snprintf(status->error, sizeof(status->error), "%s", reason);
    rep_sync_state(sync, REP_STATE_WAITING);
}

void rep_sync_fail(struct rep_sync *sync, const char *reason)
{
    rep_upstream_fail(sync->upstream, REP_NOBODY, reason);
}

/* ---- what upstream tells ------------------------------------------------------------------- */

static void upstream_ready(void *argument)
{
    struct rep_sync *sync = argument;
    sync->options.status->connected = true;
    rep_sync_scan_begin(sync, false);
}

/* Nodes of a cluster that are still followed go on: their names stay in the queue. Those of the
 * others fall out of it; they will be compared. */
static void upstream_lost(void *argument, const char *reason)
{
    struct rep_sync *sync = argument;
    struct rep_status *status = sync->options.status;
    say_reason(sync, reason);
    status->reconnects++;
    status->connected = false;
    rep_sync_scan_abandon(sync);
    rep_sync_drop_postponed(sync);
    rt_timer_cancel(sync->options.wheel, &sync->recheck);
    rt_timer_cancel(sync->options.wheel, &sync->rescan);
}

static void upstream_changed(void *argument, struct slice name)
{
    rep_sync_changed(argument, name);
    rep_sync_pump(argument);
}

static void upstream_compare(void *argument, const char *why)
{
    log_notice("reputation", "%s: reading everything again", why);
    rep_sync_rescan(argument);
}

static void upstream_failed(void *argument, const char *reason)
{
    say_reason(argument, reason);
}

/* ---- timers -------------------------------------------------------------------------------- */

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

static int create_upstream(struct rep_sync *sync)
{
    struct rep_upstream_options options = {
        .loop = sync->options.loop,
        .wheel = sync->options.wheel,
        .settings = sync->options.settings,
        .status = sync->options.status,
        .seed = sync->options.seed[0] ^ sync->options.seed[1],
    };
    struct rep_upstream_events events = {upstream_ready,   upstream_lost,   upstream_changed,
                                         upstream_compare, upstream_failed, sync};
    return rep_upstream_create(&options, &events, &sync->upstream);
}

int rep_sync_create(const struct rep_sync_options *options, struct rep_sync **sync)
{
    struct rep_sync *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->options = *options;
    list_init(&created->postponed);
    rt_timer_init(&created->later, rep_sync_later);
    rt_timer_init(&created->work, work_due);
    rt_timer_init(&created->recheck, recheck_due);
    rt_timer_init(&created->rescan, rescan_due);
    rep_budget_init(&created->budget, options->settings->hold_percent,
                    options->settings->hold_minimum);
    rep_request_init(&created->request, options->authority);
    created->seed = (struct hash_key){{options->seed[0], options->seed[1]}};
    int code = rep_queue_create(SYNC_QUEUE_LIMIT, &created->seed, &created->queue);
    if (code == 0)
        code = hash_table_create(SYNC_READS, &created->under_way);
    if (code == 0)
        code = rep_journal_create(&created->journal);
    if (code == 0)
        code = pool_create(rep_sync_read_size(), SYNC_READS, &created->reads);
    if (code == 0)
        code = create_upstream(created);
    if (code != 0)
        rep_sync_destroy(created);
    else
        *sync = created;
    return code;
}

void rep_sync_start(struct rep_sync *sync)
{
    rep_sync_state(sync, REP_STATE_CONNECTING);
    rep_upstream_start(sync->upstream);
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
    if (sync->journal != NULL && sync->queue != NULL)
        rep_sync_scan_abandon(sync);
    rt_timer_cancel(wheel, &sync->later);
    rt_timer_cancel(wheel, &sync->recheck);
    rt_timer_cancel(wheel, &sync->rescan);
    rep_upstream_destroy(sync->upstream);
    hash_table_destroy(sync->under_way);
    rep_queue_destroy(sync->queue);
    rep_journal_destroy(sync->journal);
    pool_destroy(sync->reads);
    free(sync);
}
