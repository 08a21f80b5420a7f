/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of a trunk's `limits`.
 */
#include "config/document.h"
#include "proxy/settings.h"

#define CALLS_MAX 1000000

#define LIMIT_ROW(name, text_unit, text)                                                 \
    {                                                                                    \
        .key = #name, .type = CONF_INTEGER, CONF_FIELD(struct proxy_trunk_limits, name), \
        .fallback = "0", .min = 0, .max = CALLS_MAX, .unit = text_unit, .help = text     \
    }

static const struct conf_row limits_rows[] = {
    LIMIT_ROW(rate, "calls per second", "New calls from this trunk; 0 for no limit, as below."),
    LIMIT_ROW(calls, "calls", "Calls from this trunk at one time."),
    LIMIT_ROW(rate_out, "calls per second", "New calls to this trunk."),
    LIMIT_ROW(calls_out, "calls", "Calls to this trunk at one time."),
    LIMIT_ROW(caller_rate, "calls per second", "New calls of one caller from this trunk."),
    LIMIT_ROW(caller_calls, "calls", "Calls of one caller from this trunk at one time."),
    LIMIT_ROW(source_rate, "calls per second", "New calls from one address of this trunk."),
    LIMIT_ROW(source_calls, "calls", "Calls from one address of this trunk at one time."),
    {.key = "code",
     .type = CONF_INTEGER,
     CONF_FIELD(struct proxy_trunk_limits, code),
     .fallback = "503",
     .min = 400,
     .max = 699,
     .help = "What a call beyond a limit is answered at once, without Retry-After. 503 makes most "
             "peers try another way, 480 and 486 end the call."},
};

#undef LIMIT_ROW

static int check_limits(struct conf_load *load, const struct conf_node *node, void *object)
{
    const struct proxy_trunk_limits *limits = object;
    if (limits->code != 401 && limits->code != 407 && limits->code != 487)
        return 0;
    conf_load_error(load, node != NULL ? conf_node_get(node, "code") : NULL,
                    "%u does not say that there are too many calls", limits->code);
    conf_report_expect(load->report, "for example 503, 480 or 486");
    return ERROR_CONFIG;
}

const struct conf_section proxy_trunk_limits_section = {
    .name = "limits of a trunk",
    .help = "How many calls a trunk, its callers and its addresses may make. Emergency calls meet "
            "no limit.",
    CONF_ROWS(limits_rows),
    CONF_OBJECT(struct proxy_trunk_limits),
    .check = check_limits,
};
