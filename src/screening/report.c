/* SPDX-License-Identifier: Apache-2.0 */
#include "screening/report.h"

#include "rules/part.h"
#include "screening/feature.h"

/* ---- parties ------------------------------------------------------------------------------- */

#define COPY(array, text) stats_event_text((array), sizeof(array), (text))

static void fill_party(struct stats_event_party *party, struct slice raw,
                       const struct num_number *number)
{
    COPY(party->raw, raw);
    if (!number->valid)
        return;
    party->kind = num_kind_text((enum num_kind)number->kind);
    COPY(party->number, slice_make(number->text, number->length));
    COPY(party->country, slice_of_text(number->iso));
    if (number->region != NULL)
        COPY(party->region, slice_of_text(number->region));
}

void screen_report_parties(struct stats_event *event, const struct screen_engine *engine)
{
    const struct screen_facts *facts = screen_engine_facts(engine);
    const struct smsg_decoded *decoded = screen_engine_decoded(engine);
    fill_party(&event->caller, decoded->from.user, &facts->caller);
    fill_party(&event->callee, decoded->request_uri.user, &facts->callee);
    if (facts->diverting_present && facts->diverting.valid)
        COPY(event->diverting, slice_make(facts->diverting.text, facts->diverting.length));
}

/* ---- rules --------------------------------------------------------------------------------- */

static bool is_personal(uint16_t feature)
{
    return screen_catalogue.features[feature].type == RULE_NUMBER ||
           feature == SCREEN_FEATURE_CALLER_RAW || feature == SCREEN_FEATURE_CALLEE_RAW ||
           feature == SCREEN_FEATURE_CALLER_DISPLAY;
}

static void fill_value(struct stats_event_feature *to, const struct rule_value *value)
{
    struct buffer text = buffer_over(to->text, sizeof(to->text) - 1);
    to->form = STATS_VALUE_UNKNOWN;
    if (value == NULL || !value->known)
        return;
    switch (value->type) {
    case RULE_FLAG:
        to->form = value->flag ? STATS_VALUE_TRUE : STATS_VALUE_FALSE;
        break;
    case RULE_INTEGER:
        to->form = STATS_VALUE_INTEGER;
        to->integer = value->integer;
        break;
    case RULE_TEXT:
    case RULE_NUMBER:
        to->form = STATS_VALUE_TEXT;
        COPY(to->text, value->text);
        break;
    default:
        to->form = STATS_VALUE_TEXT;
        rule_value_write(&text, value);
        break;
    }
}

static bool has_feature(const struct stats_event *event, const char *name)
{
    for (uint8_t i = 0; i < event->feature_count; i++)
        if (event->features[i].name == name)
            return true;
    return false;
}

static void fill_features(struct stats_event *event, struct screen_engine *engine,
                          const struct screen_rule_features *of_rule)
{
    for (uint8_t i = 0; i < of_rule->count && event->feature_count < STATS_EVENT_FEATURES; i++) {
        uint16_t feature = of_rule->features[i];
        const char *name = screen_catalogue.features[feature].name;
        if (has_feature(event, name))
            continue;
        struct stats_event_feature *to = &event->features[event->feature_count++];
        to->name = name;
        to->personal = is_personal(feature);
        fill_value(to, screen_engine_feature(engine, (enum screen_feature)feature));
    }
}

/* The features of enforced rules first: they are what the call got its verdict for. */
static void fill_all_features(struct stats_event *event, struct screen_engine *engine,
                              const struct screen_policy *policy, bool shadow)
{
    const struct rule_outcome *outcome = screen_engine_outcome(engine);
    for (uint32_t i = 0; i < outcome->fired_count; i++)
        if (outcome->fired[i].shadow == shadow)
            fill_features(event, engine,
                          screen_policy_rule_features(policy, outcome->fired[i].rule));
}

void screen_report_rules(struct stats_event *event, struct screen_engine *engine,
                         const struct screen_policy *policy)
{
    const struct rule_outcome *outcome = screen_engine_outcome(engine);
    event->rule_count = (uint16_t)outcome->fired_total;
    for (uint32_t i = 0; i < outcome->fired_count && i < STATS_EVENT_RULES; i++) {
        const struct rule_fired *fired = &outcome->fired[i];
        event->rules[i] = (struct stats_event_rule){
            .label = screen_policy_rule_labels(policy, fired->rule)->rules,
            .points = fired->points,
            .shadow = fired->shadow,
        };
    }
    fill_all_features(event, engine, policy, false);
    fill_all_features(event, engine, policy, true);
}

uint8_t screen_report_missing(const struct screen_engine *engine,
                              const struct screen_verdict *verdict)
{
    bool patterns = verdict->rules_ran && screen_engine_outcome(engine)->regex_skipped > 0;
    bool reputation = verdict->degraded && !verdict->reputation_known;
    return (uint8_t)(reputation << STATS_MISSING_REPUTATION | patterns << STATS_MISSING_PATTERNS);
}
