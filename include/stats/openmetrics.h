/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openmetrics: the counts as the text that Prometheus scrapes (docs/metrics.md).
 *
 * Names and units derive from stats/rows.h: `ringfence_`, the row's name, the unit where its name
 * ends in one (_ns becomes _seconds), `_total` for what only grows. All labels of a family are
 * there from the first page on, also those that count nothing yet, so that no increase is missed.
 */
#ifndef RINGFENCE_STATS_OPENMETRICS_H
#define RINGFENCE_STATS_OPENMETRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "stats/stream.h"

enum stats_text_format {
    STATS_TEXT_PLAIN,       /* Prometheus text format 0.0.4 */
    STATS_TEXT_OPENMETRICS, /* OpenMetrics 1.0.0 */
};

/* The value of Content-Type. */
const char *stats_text_format_type(enum stats_text_format format);

/* What the value of an Accept field asks for: OpenMetrics if it is listed with at least the weight
 * of text/plain (RFC 9110 section 12.5.1), otherwise plain. NULL: no such field. */
enum stats_text_format stats_text_format_accepted(const char *accept);

struct stats_page_request {
    enum stats_text_format format;
    /* Labels of a family that get a series of their own, the earliest registered first; what
     * others count is in "other". */
    uint32_t label_limit;
};

/*
 * A page with all there is, allocated by malloc(), to be freed by the caller. -ENOMEM. Reads the
 * registry without disturbing those who count. Any thread.
 */
int stats_page_create(const struct stats_source *source, const struct stats_page_request *request,
                      char **page, size_t *length) MUST_CHECK;

/* For documentation: called with each metric in the order of the page. Texts live as long as the
 * call; label is NULL where there is none. */
typedef void stats_metric_fn(void *argument, const char *name, const char *type, const char *label,
                             const char *help);
void stats_metrics_describe(stats_metric_fn *each, void *argument);

#endif
