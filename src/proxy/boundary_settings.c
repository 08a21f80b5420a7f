/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/boundary.h"

#define BY_TRUST                                                                          \
    {                                                                                     \
        "by_trust", PROXY_TREATMENT_BY_TRUST, "follows from `trusted`: see docs/trust.md" \
    }
#define KEEP(help)                           \
    {                                        \
        "keep", PROXY_TREATMENT_KEEP, (help) \
    }
#define REMOVE                                        \
    {                                                 \
        "remove", PROXY_TREATMENT_REMOVE, "taken off" \
    }

static const struct conf_choice choices_plain[] = {
    BY_TRUST, KEEP("passed on byte for byte"), REMOVE, {NULL, 0, NULL}};

static const struct conf_choice choices_in_assertion[] = {
    BY_TRUST,
    KEEP("passed on byte for byte"),
    {"normalise", PROXY_TREATMENT_NORMALISE, "passed on with its numbers in E.164"},
    REMOVE,
    {NULL, 0, NULL},
};

static const struct conf_choice choices_out_assertion[] = {
    BY_TRUST,
    KEEP("passed on whatever Privacy says"),
    {"privacy", PROXY_TREATMENT_PRIVACY, "taken off where Privacy says id, else passed on"},
    REMOVE,
    {NULL, 0, NULL},
};

#define CHOICES_in_PLAIN      choices_plain
#define CHOICES_out_PLAIN     choices_plain
#define CHOICES_in_ASSERTION  choices_in_assertion
#define CHOICES_out_ASSERTION choices_out_assertion

#define SIDE_ROW(side, identifier, word, family, text)                                \
    {.key = (word),                                                                   \
     .type = CONF_CHOICE,                                                             \
     CONF_FIELD(struct proxy_boundary_side, treatments[PROXY_BOUNDARY_##identifier]), \
     .fallback = "by_trust",                                                          \
     .choices = CHOICES_##side##_##family,                                            \
     .help = (text)},

static const struct conf_row in_rows[] = {
#define IN_ROW(identifier, word, family, text, ...) SIDE_ROW(in, identifier, word, family, text)
    PROXY_BOUNDARY_TABLE(IN_ROW)
#undef IN_ROW
};

static const struct conf_choice critical_choices[] = {
    {"pass", false, "the request goes on: privacy is for a privacy service further on"},
    {"refuse", true, "500, as RFC 3323 section 5 has a privacy service answer"},
    {NULL, 0, NULL},
};

static const struct conf_row out_rows[] = {
#define OUT_ROW(identifier, word, family, text, ...) SIDE_ROW(out, identifier, word, family, text)
    PROXY_BOUNDARY_TABLE(OUT_ROW)
#undef OUT_ROW
        {.key = "critical",
         .type = CONF_CHOICE,
         CONF_FIELD(struct proxy_boundary_side, critical),
         .fallback = "pass",
         .choices = critical_choices,
         .help =
             "What a request gets whose Privacy says critical and asks for more than id, which is "
             "all that is done here."},
};

static const struct conf_section in_section = {
    .name = "boundary in",
    .help = "What is done with headers that come in by the trunk.",
    CONF_ROWS(in_rows),
    CONF_OBJECT(struct proxy_boundary_side),
};

static const struct conf_section out_section = {
    .name = "boundary out",
    .help = "What is done with headers that leave by the trunk.",
    CONF_ROWS(out_rows),
    CONF_OBJECT(struct proxy_boundary_side),
};

static const struct conf_row boundary_rows[] = {
    {.key = "in",
     .type = CONF_SECTION,
     CONF_FIELD(struct proxy_boundary_settings, in),
     .section = &in_section,
     .help = "Of requests and responses that come from the peer."},
    {.key = "out",
     .type = CONF_SECTION,
     CONF_FIELD(struct proxy_boundary_settings, out),
     .section = &out_section,
     .help = "Of requests and responses that go to the peer; what either side takes off is off."},
};

const struct conf_section proxy_boundary_section = {
    .name = "boundary",
    .help = "Which headers that say who somebody is cross the trunk (docs/trust.md).",
    CONF_ROWS(boundary_rows),
    CONF_OBJECT(struct proxy_boundary_settings),
};

/* What by_trust means. */
static const struct {
    uint8_t in[2]; /* by whether the trunk is trusted */
    uint8_t out[2];
    const char *key;
} kinds[PROXY_BOUNDARY_COUNT] = {
#define KIND(identifier, word, family, text, trusted_in, trusted_out, other_in, other_out)  \
    [PROXY_BOUNDARY_##                                                                      \
        identifier] = {.in = {PROXY_TREATMENT_##other_in, PROXY_TREATMENT_##trusted_in},    \
                       .out = {PROXY_TREATMENT_##other_out, PROXY_TREATMENT_##trusted_out}, \
                       .key = (word)},
    PROXY_BOUNDARY_TABLE(KIND)
#undef KIND
};

void proxy_boundary_resolve(const struct proxy_boundary_settings *settings, bool trusted,
                            struct proxy_boundary *boundary)
{
    for (unsigned i = 0; i < PROXY_BOUNDARY_COUNT; i++) {
        int in = settings->in.treatments[i], out = settings->out.treatments[i];
        boundary->in[i] = in == PROXY_TREATMENT_BY_TRUST ? kinds[i].in[trusted] : (uint8_t)in;
        boundary->out[i] = out == PROXY_TREATMENT_BY_TRUST ? kinds[i].out[trusted] : (uint8_t)out;
    }
    boundary->refuse_critical = settings->out.critical != 0;
}

const char *proxy_boundary_key(enum proxy_boundary_kind kind)
{
    return kinds[kind].key;
}
