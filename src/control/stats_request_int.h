/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats_request: what a reader of the stats socket asks for.
 */
#ifndef RINGFENCE_CONTROL_STATS_REQUEST_INT_H
#define RINGFENCE_CONTROL_STATS_REQUEST_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "stats/filter.h"
#include "stats/stream.h"

enum { CTL_STATS_REQUEST_MAXIMUM = 4096 };

struct ctl_stats_request {
    bool counts;
    bool events;
    uint64_t interval_us;
    struct stats_filter filter;
    /* Only in the request that says so: events that follow number `after` of that epoch ("": this
     * one) are wanted. */
    bool resume;
    uint64_t after;
    char epoch[STATS_EPOCH_TEXT];
};

/*
 * {"events":true,"counts":false,"interval":"500ms","filter":{"action":["block"]},"resume":41}: each
 * key is optional and leaves its member alone when it is missing, but `resume`, which is asked for
 * anew. -EBADMSG with the reason in `problem`; then nothing is changed.
 */
int ctl_stats_request_parse(struct slice line, struct ctl_stats_request *request,
                            struct buffer *problem) MUST_CHECK;

#endif
