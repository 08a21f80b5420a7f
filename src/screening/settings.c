/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "screening/policy.h"

static const struct conf_choice unknown_choices[] = {
    {"allow", RULE_ALLOW, "the call goes on"},
    {"tag", RULE_TAG, "the call goes on with tag headers"},
    {"block", RULE_BLOCK, "the call is refused as block_with says"},
    {NULL, 0, NULL},
};

static const struct conf_choice profile_choices[] = {
#define PROFILE_ROW(name, word, status) {word, name, NULL},
    RULE_PROFILE_TABLE(PROFILE_ROW)
#undef PROFILE_ROW
        {NULL, 0, NULL},
};

static const struct conf_row protected_rows[] = {
    {.key = "number",
     .type = CONF_TEXT,
     CONF_FIELD(struct screen_protected_settings, number),
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = 32,
     .help = "The line in E.164 with +; a service code behind its country: +8696110."},
    {.key = "name",
     .type = CONF_TEXT,
     CONF_FIELD(struct screen_protected_settings, name),
     .fallback = "protected line",
     .max = 64,
     .help = "Who answers there."},
};

static const struct conf_section protected_section = {
    .name = "protected line",
    .identity = "number",
    .help = "A line that always passes as callee.",
    CONF_ROWS(protected_rows),
    CONF_OBJECT(struct screen_protected_settings),
};

static const struct conf_row screen_rows[] = {
    {.key = "deadline",
     .type = CONF_DURATION,
     CONF_FIELD(struct screen_settings, deadline_us),
     .fallback = "20ms",
     .min = CONF_MS(1),
     .max = CONF_SECONDS(5),
     .help = "How long a call waits for an input that has to be fetched. At the deadline the rules "
             "run with that input unknown and the verdict is marked degraded."},
    {.key = "parked",
     .type = CONF_INTEGER,
     CONF_FIELD(struct screen_settings, parked_limit),
     .fallback = "10000",
     .min = 0,
     .max = 1000000,
     .unit = "calls per worker",
     .help = "How many calls may wait at once; beyond it a verdict is given without the input."},
    {.key = "explain_keep",
     .type = CONF_DURATION,
     CONF_FIELD(struct screen_settings, explain_keep_us),
     .fallback = "10m",
     .max = CONF_HOURS(24),
     .help =
         "How long a screened call can be explained by its Call-ID (ringfence explain CALL-ID), "
         "as long as there is room for it. 0: not at all."},
    {.key = "explain_calls",
     .type = CONF_INTEGER,
     CONF_FIELD(struct screen_settings, explain_calls),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "8192",
     .min = 0,
     .max = 4000000,
     .unit = "calls per worker",
     .help = "For how many calls each worker has room, of about 1 KiB each, to keep their headers "
             "and what they got; the oldest give way. 0: none are kept."},
    {.key = "on_unknown",
     .type = CONF_CHOICE,
     CONF_FIELD(struct screen_settings, on_unknown),
     .fallback = "allow",
     .choices = unknown_choices,
     .help = "What a call gets when reputation could not be read and no rule decides."},
    {.key = "block_with",
     .type = CONF_CHOICE,
     CONF_FIELD(struct screen_settings, block_with),
     .fallback = "603+",
     .choices = profile_choices,
     .help = "How calls of block-listed numbers are refused."},
    {.key = "score_header",
     .type = CONF_TEXT,
     CONF_FIELD(struct screen_settings, score_header),
     .fallback = "X-Ringfence-Score",
     .min = 1,
     .max = 64,
     .help = "Header that carries the score of a tagged call."},
    {.key = "reason_header",
     .type = CONF_TEXT,
     CONF_FIELD(struct screen_settings, reason_header),
     .fallback = "X-Ringfence-Reason",
     .min = 1,
     .max = 64,
     .help = "Header that names the rules that fired."},
    {.key = "type_header",
     .type = CONF_TEXT,
     CONF_FIELD(struct screen_settings, type_header),
     .fallback = "X-Ringfence-Type",
     .min = 1,
     .max = 64,
     .help = "Header that names the scam type."},
    {.key = "display_prefix",
     .type = CONF_TEXT,
     CONF_FIELD(struct screen_settings, display_prefix),
     .fallback = "",
     .max = 64,
     .help = "Put before the display name of a tagged call, so that the phone shows it."},
    {.key = "analytics_name",
     .type = CONF_TEXT,
     CONF_FIELD(struct screen_settings, analytics_name),
     .fallback = "analytics1",
     .min = 1,
     .max = 64,
     .help = "The v= of a 603+ refusal (ATIS-1000099)."},
    {.key = "redress_url",
     .type = CONF_TEXT,
     CONF_FIELD(struct screen_settings, redress_url),
     .fallback = "",
     .max = 200,
     .help = "The url= of a 603+ refusal: where a caller who was blocked in error finds redress."},
    {.key = "redress_card",
     .type = CONF_TEXT,
     CONF_FIELD(struct screen_settings, redress_card),
     .fallback = "",
     .max = 200,
     .help = "URL of a jCard, signed as RFC 8688 has it, that the Call-Info of a 608 names: whom a "
             "caller who was blocked in error can turn to."},
    {.key = "protected_countries",
     .type = CONF_TEXT_LIST,
     CONF_FIELD(struct screen_settings, protected_countries),
     .fallback = "CN",
     .min = 2,
     .max = 2,
     .help = "Countries whose built-in protected lines (police, hotlines, banks) are in force."},
    {.key = "protected_lines",
     .type = CONF_SECTION_LIST,
     CONF_FIELD(struct screen_settings, protected_lines),
     .section = &protected_section,
     .help = "Further protected lines."},
};

static bool is_token(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && strchr("-.!%*_+`'~", c) == NULL)
            return false;
    }
    return true;
}

static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c == 0x7f || c == '"' || c == ';' || c == '\\')
            return false;
    }
    return true;
}

/* One that stands between < and >. */
static bool is_enclosable(struct slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (strchr("<> ", text.data[i]) != NULL)
            return false;
    return is_plain(text);
}

/* What is written into SIP messages must not be able to break them. */
static int check_screening(struct conf_load *load, const struct conf_node *node, void *object)
{
    const struct screen_settings *settings = object;
    const struct {
        const char *key;
        struct slice text;
        bool (*sound)(struct slice text);
        const char *expected;
    } checks[] = {
        {"score_header", settings->score_header, is_token, "a header name"},
        {"reason_header", settings->reason_header, is_token, "a header name"},
        {"type_header", settings->type_header, is_token, "a header name"},
        {"display_prefix", settings->display_prefix, is_plain, "text without quotes or ;"},
        {"analytics_name", settings->analytics_name, is_plain, "text without quotes or ;"},
        {"redress_url", settings->redress_url, is_plain, "a URL without quotes or ;"},
        {"redress_card", settings->redress_card, is_enclosable,
         "a URL without quotes, spaces or ;"},
    };
    int result = 0;
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (checks[i].sound(checks[i].text))
            continue;
        const struct conf_node *at = node != NULL ? conf_node_get(node, checks[i].key) : NULL;
        conf_load_error(load, at, "%s \"%.*s\" cannot stand in a SIP message", checks[i].key,
                        SLICE_ARGS(checks[i].text));
        conf_report_expect(load->report, "%s", checks[i].expected);
        result = ERROR_CONFIG;
    }
    return result;
}

const struct conf_section screen_section = {
    .name = "screening",
    .help = "How verdicts are reached and enforced.",
    CONF_ROWS(screen_rows),
    CONF_OBJECT(struct screen_settings),
    .check = check_screening,
};
