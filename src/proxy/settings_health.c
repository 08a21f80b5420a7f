/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of a trunk's `health` and `failover`.
 */
#include "config/document.h"
#include "proxy/settings.h"

static const struct conf_choice answer_choices[] = {
    {"any", PROXY_ANSWERS_ANY, "whatever the code, but 503"},
    {"success", PROXY_ANSWERS_SUCCESS, "2xx only"},
    {NULL, 0, NULL},
};

static const struct conf_choice all_down_choices[] = {
    {"try", PROXY_ALL_DOWN_TRY, "in the order of the call, since a mark may be wrong"},
    {"refuse", PROXY_ALL_DOWN_REFUSE, "500 at once; emergency calls are tried all the same"},
    {NULL, 0, NULL},
};

static const struct conf_row health_rows[] = {
    {.key = "probe",
     .type = CONF_DURATION,
     CONF_FIELD(struct proxy_health_settings, probe_us),
     .fallback = "0s",
     .max = CONF_HOURS(1),
     .help = "Each target is asked by OPTIONS so often; 0s: only while it is down."},
    {.key = "probe_down",
     .type = CONF_DURATION,
     CONF_FIELD(struct proxy_health_settings, probe_down_us),
     .fallback = "2s",
     .min = CONF_MS(100),
     .max = CONF_HOURS(1),
     .help = "The same for a target that is down."},
    {.key = "probe_timeout",
     .type = CONF_DURATION,
     CONF_FIELD(struct proxy_health_settings, probe_timeout_us),
     .fallback = "2s",
     .min = CONF_MS(50),
     .max = CONF_SECONDS(30),
     .help = "How long its answer may take; it is repeated meanwhile as RFC 3261 says."},
    {.key = "answers",
     .type = CONF_CHOICE,
     CONF_FIELD(struct proxy_health_settings, answers),
     .fallback = "any",
     .choices = answer_choices,
     .help = "Which answers to OPTIONS count as alive. Many peers answer 404, 405 or 501 and serve "
             "calls well."},
    {.key = "down_after",
     .type = CONF_INTEGER,
     CONF_FIELD(struct proxy_health_settings, down_after),
     .fallback = "3",
     .min = 1,
     .max = 100,
     .unit = "probes in a row",
     .help = "So many without such an answer mark a target down."},
    {.key = "up_after",
     .type = CONF_INTEGER,
     CONF_FIELD(struct proxy_health_settings, up_after),
     .fallback = "2",
     .min = 1,
     .max = 100,
     .unit = "probes in a row",
     .help = "So many with one mark it up."},
    {.key = "failures",
     .type = CONF_INTEGER,
     CONF_FIELD(struct proxy_health_settings, failures),
     .fallback = "3",
     .min = 1,
     .max = 1000,
     .unit = "requests in a row",
     .help = "So many that got no answer at all, or could not be sent, mark a target down, when "
             "nothing else was heard from it meanwhile."},
    {.key = "slow_start",
     .type = CONF_DURATION,
     CONF_FIELD(struct proxy_health_settings, slow_start_us),
     .fallback = "10s",
     .max = CONF_HOURS(1),
     .help = "A target that comes back takes a share of its calls that grows over this time; 0s: "
             "all of them at once."},
    {.key = "retry_after_max",
     .type = CONF_DURATION,
     CONF_FIELD(struct proxy_health_settings, retry_after_max_us),
     .fallback = "60s",
     .max = CONF_HOURS(1),
     .help = "A target that answers 503 with Retry-After is left alone for that long, but for no "
             "longer than this; 0s: Retry-After means nothing."},
    {.key = "all_down",
     .type = CONF_CHOICE,
     CONF_FIELD(struct proxy_health_settings, all_down),
     .fallback = "try",
     .choices = all_down_choices,
     .help = "What calls get when no target serves."},
};

const struct conf_section proxy_health_section = {
    .name = "health",
    .help = "How a trunk's targets are watched.",
    CONF_ROWS(health_rows),
    CONF_OBJECT(struct proxy_health_settings),
};

static const struct conf_row failover_rows[] = {
    {.key = "trial",
     .type = CONF_DURATION,
     CONF_FIELD(struct proxy_failover_settings, trial_us),
     .fallback = "3s",
     .min = CONF_MS(100),
     .max = CONF_SECONDS(32),
     .help = "How long a target may be silent before the next one is tried."},
    {.key = "budget",
     .type = CONF_DURATION,
     CONF_FIELD(struct proxy_failover_settings, budget_us),
     .fallback = "10s",
     .min = CONF_MS(100),
     .max = CONF_MINUTES(3),
     .help = "After this time since the request came in no further target is tried; one that is "
             "silent then has failed."},
    {.key = "codes",
     .type = CONF_TEXT_LIST,
     CONF_FIELD(struct proxy_failover_settings, code_texts),
     .fallback = "503",
     .min = 3,
     .max = 3,
     .help = "Codes, 400 to 599, after which the next target is tried. Never after a verdict about "
             "the call itself: 6xx, or a Reason that rejects it."},
};

/* What asks something of the caller, or answers his CANCEL, is not the target's failure. */
static bool may_fail_over(uint64_t code)
{
    return code >= 400 && code <= 599 && code != 401 && code != 407 && code != 487;
}

static int check_failover(struct conf_load *load, const struct conf_node *node, void *object)
{
    struct proxy_failover_settings *failover = object;
    int error = 0;
    for (size_t i = 0; i < failover->code_texts.count; i++) {
        struct slice text = failover->code_texts.items[i];
        uint64_t code;
        if (slice_to_uint64(text, 999, &code) == 0 && may_fail_over(code)) {
            failover->codes[(code - 400) / 64] |= UINT64_C(1) << (code - 400) % 64;
            continue;
        }
        conf_load_error(load, node != NULL ? conf_node_get(node, "codes") : NULL,
                        "\"%.*s\" is no code after which another target may be tried",
                        SLICE_ARGS(text));
        conf_report_expect(load->report, "codes from 400 to 599 but 401, 407 and 487, for example "
                                         "[500, 502, 503, 504]");
        error = ERROR_CONFIG;
    }
    return error;
}

const struct conf_section proxy_failover_section = {
    .name = "failover",
    .help = "When the next target of a trunk is tried.",
    CONF_ROWS(failover_rows),
    CONF_OBJECT(struct proxy_failover_settings),
    .check = check_failover,
};

bool proxy_fails_over_after(const struct proxy_failover_settings *failover, uint16_t status)
{
    return status >= 400 && status <= 599 &&
           (failover->codes[(status - 400) / 64] >> (status - 400) % 64 & 1) != 0;
}
