/* SPDX-License-Identifier: Apache-2.0 */
/* What would change too much waits for an operator (budget_int.h says how much that is). */
#include "sync_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"

enum { RECHECK_US = 60000000 };

static uint64_t now_us(const struct rep_sync *sync)
{
    return rt_loop_now(sync->options.loop);
}

uint64_t rep_sync_entries(const struct rep_sync *sync)
{
    struct rep_replica_figures figures;
    rep_replica_figures(sync->options.replica, &figures);
    uint64_t total = 0;
    for (unsigned i = 0; i < REP_KIND_COUNT; i++)
        total += figures.entries[i];
    return total;
}

uint64_t rep_sync_left(struct rep_sync *sync)
{
    return rep_budget_left(&sync->budget, rep_sync_entries(sync), now_us(sync));
}

bool rep_sync_matters(const struct rep_sync *sync, const struct rep_key *key,
                      const struct rep_value *value)
{
    struct rep_entry held;
    if (!rep_replica_get(sync->options.replica, key, 0, &held))
        return value != NULL;
    if (value == NULL)
        return held.expires_s == 0 ||
               held.expires_s > clock_wall_us() / 1000000 + SYNC_TTL_TOLERANCE_S;
    if (rep_ledger_knows(sync->options.ledger, key, value, SYNC_TTL_TOLERANCE_S))
        return false;
    const struct rep_entry *entry = &value->entry;
    if (entry->score != held.score || entry->list != held.list || entry->type != held.type ||
        entry->source != held.source)
        return true;
    return entry->expires_s != 0 &&
           (held.expires_s == 0 || entry->expires_s + SYNC_TTL_TOLERANCE_S < held.expires_s);
}

/* ---- holding ------------------------------------------------------------------------------- */

static void wait_for_operator(struct rep_sync *sync, uint64_t recheck_us)
{
    rep_sync_state(sync, REP_STATE_HELD);
    rt_timer_set(sync->options.wheel, &sync->recheck, now_us(sync), recheck_us);
}

/* Entries the scan did not see, without those that the journal will change. */
static uint64_t removals(const struct rep_sync *sync)
{
    uint64_t stale = rep_replica_stale(sync->options.replica);
    return stale > sync->scan.replaced ? stale - sync->scan.replaced : 0;
}

bool rep_sync_is_too_much(struct rep_sync *sync)
{
    sync->scan.counted = sync->scan.found + removals(sync);
    return sync->scan.counted > rep_sync_left(sync);
}

void rep_sync_hold(struct rep_sync *sync, bool whole)
{
    struct rep_status *status = sync->options.status;
    const struct scan *scan = &sync->scan;
    uint64_t removed = whole ? removals(sync) : 0;
    bool first = status->hold[0] == '\0';
    snprintf(status->hold, sizeof(status->hold),
             "%s differs from the %" PRIu64 " entries held: %s%" PRIu64 " new or changed, %" PRIu64
             " gone, more than %u%% within an hour; the old ones stay until \"ringfence replica "
             "accept\"; compared again every %d s",
             status->server, rep_sync_entries(sync), whole ? "" : "at least ", scan->found, removed,
             sync->options.settings->hold_percent, RECHECK_US / 1000000);
    if (first)
        log_warning("reputation", "%s", status->hold);
    bool again = scan->again;
    rep_sync_scan_abandon(sync);
    wait_for_operator(sync, again ? 0 : RECHECK_US);
}

static void overdraw(struct rep_sync *sync)
{
    struct rep_status *status = sync->options.status;
    sync->overdrawn = true;
    snprintf(status->hold, sizeof(status->hold),
             "clients of %s changed %" PRIu64 " entries within an hour, more than %u%% of what was "
             "held; further changes wait for \"ringfence replica accept\"; "
             "compared again every %d s",
             status->server, sync->budget.limit, sync->options.settings->hold_percent,
             RECHECK_US / 1000000);
    log_warning("reputation", "%s", status->hold);
    if (!sync->scan.running && !sync->scan.applying && !sync->scan.preparing &&
        !rt_timer_is_set(&sync->recheck))
        wait_for_operator(sync, RECHECK_US);
}

/* What is not applied at once is one more thing that the comparison under way has found. */
static void add_to_scan(struct rep_sync *sync, const struct rep_key *key)
{
    struct scan *scan = &sync->scan;
    struct rep_entry held;
    if (!scan->comparing || !scan->running)
        return;
    scan->found++;
    if (rep_replica_get(sync->options.replica, key, 0, &held))
        scan->replaced++;
    if (!scan->accepted && !scan->closing && scan->found > rep_sync_left(sync))
        rep_sync_hold(sync, false);
}

bool rep_sync_may_change(struct rep_sync *sync, const struct rep_key *key,
                         const struct rep_value *value)
{
    const struct scan *scan = &sync->scan;
    bool loading = !scan->comparing && (scan->preparing || scan->running || scan->applying);
    if (!sync->options.status->loaded || loading || scan->accepted)
        return true;
    bool matters = rep_sync_matters(sync, key, value);
    if (!sync->overdrawn && matters &&
        !rep_budget_spend(&sync->budget, rep_sync_entries(sync), now_us(sync), 1))
        overdraw(sync);
    if (!sync->overdrawn)
        return true;
    if (matters)
        add_to_scan(sync, key);
    return false;
}

/* Clients may have spent a part meanwhile: then what is left. */
static void spend_counted(struct rep_sync *sync)
{
    uint64_t left = rep_sync_left(sync), counted = sync->scan.counted;
    rep_budget_spend(&sync->budget, rep_sync_entries(sync), now_us(sync),
                     counted < left ? counted : left);
}

void rep_sync_settled(struct rep_sync *sync)
{
    struct rep_status *status = sync->options.status;
    struct scan *scan = &sync->scan;
    if (status->hold[0] != '\0')
        log_notice("reputation", "nothing is held any more");
    status->hold[0] = '\0';
    sync->overdrawn = false;
    if (scan->accepted || !scan->comparing)
        rep_budget_init(&sync->budget, sync->options.settings->hold_percent,
                        sync->options.settings->hold_minimum);
    else
        spend_counted(sync);
    scan->accepted = false;
}
