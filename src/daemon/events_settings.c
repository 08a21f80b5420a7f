/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/settings.h"

static const struct conf_row event_rows[] = {
    {.key = "rate",
     .type = CONF_INTEGER,
     CONF_FIELD(struct daemon_event_settings, rate),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "1000",
     .min = 0,
     .max = 1000000,
     .unit = "events per second",
     .help = "Of one rule no more single events than this go out in a second; the others are "
             "counted in one `aggregate` event a second. 0: no limit. Counts are exact either "
             "way."},
    {.key = "pseudonymise",
     .type = CONF_BOOLEAN,
     CONF_FIELD(struct daemon_event_settings, pseudonymise),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "false",
     .help = "Show a keyed hash instead of each number, the same for the same number. Country, "
             "region and kind are still shown."},
    {.key = "pseudonym_key",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_event_settings, pseudonym_key),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "/var/lib/ringfence/pseudonym.key",
     .min = 1,
     .max = 4000,
     .help = "The key of those hashes: 64 hexadecimal digits, made at the first start. Nodes whose "
             "events are looked at together share one."},
};

const struct conf_section daemon_event_section = {
    .name = "events",
    .help = "What is told of each interception, and where it goes (docs/events.md).",
    CONF_ROWS(event_rows),
    CONF_OBJECT(struct daemon_event_settings),
};
