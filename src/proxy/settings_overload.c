/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of a trunk's `overload`.
 */
#include "proxy/settings.h"

static const struct conf_choice feedback_choices[] = {
    {"off", PROXY_FEEDBACK_OFF, "it is told nothing, and gets 503 as others do"},
    {"loss", PROXY_FEEDBACK_LOSS, "by how many per cent to reduce"},
    {"rate", PROXY_FEEDBACK_RATE,
     "how many requests per second it may send, where it has that algorithm (RFC 7415)"},
    {NULL, 0, NULL},
};

static const struct conf_row overload_rows[] = {
    {.key = "feedback",
     .type = CONF_CHOICE,
     CONF_FIELD(struct proxy_overload_settings, feedback),
     .fallback = "loss",
     .choices = feedback_choices,
     .help = "What a peer that offers overload control (oc in its Via) is told when we get more "
             "than we can handle, before its calls are refused."},
    {.key = "ask",
     .type = CONF_BOOLEAN,
     CONF_FIELD(struct proxy_overload_settings, ask),
     .fallback = "false",
     .help = "Offer overload control to the trunk's targets (oc in our Via) and do what they "
             "answer. Some peers cannot read such a Via."},
    {.key = "validity_max",
     .type = CONF_DURATION,
     CONF_FIELD(struct proxy_overload_settings, validity_max_us),
     .fallback = "60s",
     .max = CONF_HOURS(1),
     .help = "What a target asks for holds for as long as it says, but for no longer than this."},
};

const struct conf_section proxy_overload_section = {
    .name = "overload",
    .help = "Overload control by RFC 7339, between neighbours.",
    CONF_ROWS(overload_rows),
    CONF_OBJECT(struct proxy_overload_settings),
};
