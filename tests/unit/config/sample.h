/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample: rows as a folder of the daemon would bring them, for the tests of schema and reference.
 */
#ifndef RINGFENCE_TESTS_CONFIG_SAMPLE_H
#define RINGFENCE_TESTS_CONFIG_SAMPLE_H

#include "config/address.h"
#include "config/schema.h"

enum sample_mode { SAMPLE_INLINE = 1, SAMPLE_REDIRECT, SAMPLE_TAP };

struct sample_health {
    uint64_t interval_us;
    uint16_t failures;
};

struct sample_trunk {
    struct slice name;
    struct conf_network_list source;
    struct conf_address target;
    struct conf_text_list codecs;
    bool trusted;
    double share;
    struct sample_health health;
};

struct sample_settings {
    struct conf_address_list listen;
    enum sample_mode mode;
    uint8_t workers;
    uint64_t buffer_bytes;
    uint64_t deadline_us;
    int64_t offset;
    struct slice node;
    struct slice secret;
    struct conf_object_list trunks;
};

static const struct conf_choice sample_modes[] = {
    {"inline", SAMPLE_INLINE, "calls pass through"},
    {"redirect", SAMPLE_REDIRECT, "an SBC asks"},
    {"tap", SAMPLE_TAP, NULL},
    {NULL, 0, NULL},
};

static const struct conf_row sample_health_rows[] = {
    {.key = "interval",
     .type = CONF_DURATION,
     CONF_FIELD(struct sample_health, interval_us),
     .fallback = "30s",
     .min = CONF_SECONDS(1),
     .max = CONF_HOURS(1),
     .help = "Time between two OPTIONS to a peer."},
    {.key = "failures",
     .type = CONF_INTEGER,
     CONF_FIELD(struct sample_health, failures),
     .fallback = "3",
     .min = 1,
     .max = 100,
     .unit = "probes",
     .help = "Probes without answer after which a peer counts as down."},
};

static const struct conf_section sample_health_section = {.name = "health",
                                                          .help = "Probing of peers.",
                                                          CONF_ROWS(sample_health_rows),
                                                          CONF_OBJECT(struct sample_health)};

static const struct conf_row sample_trunk_rows[] = {
    {.key = "name",
     .type = CONF_TEXT,
     .flags = CONF_REQUIRED,
     CONF_FIELD(struct sample_trunk, name),
     .min = 1,
     .max = 32,
     .help = "Name of the trunk in rules, counts and events."},
    {.key = "source",
     .type = CONF_CUSTOM,
     .flags = CONF_REQUIRED,
     CONF_FIELD(struct sample_trunk, source),
     .format = &conf_format_network_list,
     .help = "Networks from which the trunk sends."},
    {.key = "target",
     .type = CONF_CUSTOM,
     CONF_FIELD(struct sample_trunk, target),
     .format = &conf_format_address,
     .argument = 5060,
     .help = "Where calls to the trunk go."},
    {.key = "codecs",
     .type = CONF_TEXT_LIST,
     CONF_FIELD(struct sample_trunk, codecs),
     .fallback = "pcma, pcmu",
     .min = 1,
     .max = 16,
     .help = "Codecs that the trunk takes."},
    {.key = "trusted",
     .type = CONF_BOOLEAN,
     CONF_FIELD(struct sample_trunk, trusted),
     .fallback = "no",
     .help = "Whether its identities are believed."},
    {.key = "share",
     .type = CONF_PERCENT,
     CONF_FIELD(struct sample_trunk, share),
     .fallback = "12.5%",
     .help = "Share of the calls; 12.5% | more."},
    {.key = "health",
     .type = CONF_SECTION,
     CONF_FIELD(struct sample_trunk, health),
     .section = &sample_health_section,
     .help = "Probing of this trunk."},
};

static int sample_trunk_check(struct conf_load *load, const struct conf_node *node, void *object)
{
    const struct sample_trunk *trunk = object;

    if (!trunk->trusted || trunk->source.count > 0)
        return 0;
    conf_load_error(load, conf_node_get(node, "trusted"), "trusted needs at least one source");
    return ERROR_CONFIG;
}

static const struct conf_section sample_trunk_section = {.name = "trunk",
                                                         .identity = "name",
                                                         .help = "One SIP trunk.",
                                                         CONF_ROWS(sample_trunk_rows),
                                                         CONF_OBJECT(struct sample_trunk),
                                                         .check = sample_trunk_check};

static const struct conf_row sample_rows[] = {
    {.key = "listen",
     .type = CONF_CUSTOM,
     .flags = CONF_NEEDS_RESTART,
     CONF_FIELD(struct sample_settings, listen),
     .format = &conf_format_address_list,
     .fallback = "0.0.0.0:5060, [::]:5060",
     .help = "Addresses to listen on."},
    {.key = "mode",
     .type = CONF_CHOICE,
     CONF_FIELD(struct sample_settings, mode),
     .choices = sample_modes,
     .fallback = "inline",
     .help = "How calls reach the engine."},
    {.key = "workers",
     .type = CONF_INTEGER,
     .flags = CONF_NEEDS_RESTART,
     CONF_FIELD(struct sample_settings, workers),
     .min = 1,
     .max = 255,
     .fallback = "4",
     .unit = "threads",
     .help = "Worker threads; one per core is best."},
    {.key = "buffer",
     .type = CONF_SIZE,
     CONF_FIELD(struct sample_settings, buffer_bytes),
     .min = CONF_KIB(4),
     .max = CONF_MIB(64),
     .fallback = "1M",
     .help = "Socket buffer."},
    {.key = "deadline",
     .type = CONF_DURATION,
     CONF_FIELD(struct sample_settings, deadline_us),
     .min = CONF_MS(1),
     .max = CONF_SECONDS(5),
     .fallback = "20ms",
     .help = "Longest wait for a lookup."},
    {.key = "offset",
     .type = CONF_INTEGER,
     CONF_FIELD(struct sample_settings, offset),
     .min = -10,
     .max = 10,
     .fallback = "-3",
     .help = "A number that may be negative."},
    {.key = "node",
     .type = CONF_TEXT,
     CONF_FIELD(struct sample_settings, node),
     .help = "Name of this node; by default the host's."},
    {.key = "secret",
     .type = CONF_TEXT,
     .flags = CONF_SECRET | CONF_NEEDS_RESTART,
     CONF_FIELD(struct sample_settings, secret),
     .min = 0,
     .max = 8,
     .help = "Shared key."},
    {.key = "trunks",
     .type = CONF_SECTION_LIST,
     CONF_FIELD(struct sample_settings, trunks),
     .section = &sample_trunk_section,
     .min = 0,
     .max = 100,
     .help = "The trunks."},
};

static const struct conf_section sample_section = {.name = "settings",
                                                   .help = "All settings.",
                                                   CONF_ROWS(sample_rows),
                                                   CONF_OBJECT(struct sample_settings)};

#endif
