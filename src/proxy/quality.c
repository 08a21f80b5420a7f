/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quality: what a trunk makes of the calls that it is given (ITU-T E.425), as exact counts; ratios
 * are for whoever reads them.
 */
#include "admission_int.h"

/* The network has done its part when the called side is busy, does not answer or declines, or the
 * caller gives up: E.425's "effective", beside what was answered. */
static bool is_effective(const struct call_summary *summary)
{
    switch (summary->status) {
    case 480:
    case 486:
    case 487:
    case 600:
    case 603:
    case 607:
        return true;
    default:
        return summary->answered_us != 0;
    }
}

void proxy_call_ended(struct proxy *proxy, const struct call_summary *summary, uint64_t now_us)
{
    struct stats_shard *stats = proxy->parts.stats;
    const struct proxy_trunk *to =
        proxy_plan_trunk_by_mark(proxy->snapshot.plan, summary->trunk_out);
    for (size_t i = 0; i < CALL_HELD; i++)
        proxy_admission_leave(proxy->parts.admission, summary->held[i]);
    if (to == NULL)
        return;
    uint64_t heard_us = summary->ringing_us != 0 ? summary->ringing_us : summary->answered_us;
    stats_count_label(stats, STATS_FAMILY_TRUNK_ENDED, to->label_ended);
    if (is_effective(summary))
        stats_count_label(stats, STATS_FAMILY_TRUNK_EFFECTIVE, to->label_effective);
    if (heard_us != 0) {
        stats_count_label(stats, STATS_FAMILY_TRUNK_HEARD, to->label_heard);
        stats_add_label(stats, STATS_FAMILY_TRUNK_DELAY_MS, to->label_delay_ms,
                        (heard_us - summary->begun_us) / 1000);
    }
    if (summary->answered_us != 0) {
        stats_count_label(stats, STATS_FAMILY_TRUNK_TALKED, to->label_talked);
        stats_add_label(stats, STATS_FAMILY_TRUNK_TALK_MS, to->label_talk_ms,
                        (now_us - summary->answered_us) / 1000);
    }
}
