/* SPDX-License-Identifier: Apache-2.0 */
#include "screening/engine.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "number/emergency.h"
#include "screening_int.h"

const char *screen_authority_text(enum screen_authority authority)
{
    static const char *const keys[] = {
#define AUTHORITY_ROW(identifier, key) key,
        SCREEN_AUTHORITY_TABLE(AUTHORITY_ROW)
#undef AUTHORITY_ROW
    };
    return keys[authority];
}

int screen_engine_create(struct rep_store *store, struct screen_engine **engine)
{
    int error = -ENOMEM;
    struct screen_engine *created = calloc(1, sizeof(*created));
    if (created == NULL)
        goto out;
    created->store = store;
    error = smsg_decoder_create(&created->decoder);
    if (error != 0)
        goto out;
    error = rule_scratch_create(&created->scratch);
    if (error != 0)
        goto out;
    *engine = created;
    created = NULL;
out:
    screen_engine_destroy(created);
    return error;
}

void screen_engine_destroy(struct screen_engine *engine)
{
    if (engine == NULL)
        return;
    smsg_decoder_destroy(engine->decoder);
    rule_scratch_destroy(engine->scratch);
    free(engine);
}

bool screen_is_emergency(const struct smsg *message, const struct screen_trunk *trunk)
{
    struct smsg_uri uri;
    if (smsg_uri_parse(message->request_uri, &uri) != 0)
        return false;
    return num_is_emergency(&trunk->profile, uri.scheme, uri.user, message->request_uri);
}

static struct rule_inputs inputs_of(struct screen_engine *engine)
{
    return (struct rule_inputs){
        .context = engine,
        .fetch = screen_fetch_feature,
        .fetch_header = screen_fetch_header,
        .skip_regex = engine->input.hurried,
        .call_hash = engine->input.call_hash,
        .demoted = screen_policy_demoted(engine->policy),
    };
}

static const struct rule_set *rules_of(const struct screen_engine *engine)
{
    const struct screen_what_if *what_if = engine->input.what_if;
    return what_if != NULL && what_if->rules != NULL ? what_if->rules
                                                     : screen_policy_rules(engine->policy);
}

static void run_rules(struct screen_engine *engine, struct screen_verdict *verdict)
{
    const struct rule_set *rules = rules_of(engine);
    const struct rule_inputs inputs = inputs_of(engine);
    const struct rule_decision *live = &engine->outcome.live;
    memset(engine->fetched, 0, sizeof(engine->fetched));
    if (engine->input.what_if != NULL)
        screen_assume_features(engine);
    /* Once more whenever rules were demoted by it: what they would have blocked is not. */
    do
        rule_set_evaluate(rules, engine->scratch, &inputs, engine->input.wall_us,
                          engine->input.trace, &engine->outcome);
    while (engine->input.charged && inputs.demoted != NULL && live->action != NULL &&
           live->action->kind == RULE_BLOCK && !screen_charge_rules(engine));
    verdict->rules_ran = true;

    verdict->score = (uint8_t)live->score;
    if (live->type_rule != RULE_NONE) {
        verdict->type = rule_set_rule(rules, (size_t)live->type_rule)->type;
        verdict->type_label = screen_policy_type_label(engine->policy, (uint32_t)live->type_rule);
    }
    if (live->action != NULL) {
        verdict->authority = SCREEN_AUTHORITY_RULES;
        verdict->action = live->action->kind;
        verdict->profile = live->action->profile;
        verdict->demand = live->action;
    }
}

static void decide_by_reputation(struct screen_engine *engine, struct screen_verdict *verdict,
                                 const struct rep_finding *finding)
{
    const struct screen_settings *settings = screen_policy_settings(engine->policy);
    verdict->authority = SCREEN_AUTHORITY_BLOCK;
    verdict->action = RULE_BLOCK;
    verdict->profile = (enum rule_profile)settings->block_with;
    verdict->score = RULE_SCORE_MAX;
    verdict->type_id = finding->entry.type;
    if (engine->store != NULL)
        verdict->type = rep_names_text(rep_store_types(engine->store), finding->entry.type);
}

/* The caller's entry, else that of who forwarded the call; NULL when neither is on the block list.
 */
static const struct rep_finding *blocking_finding(const struct screen_engine *engine)
{
    if (engine->finding.entry.list == REP_LIST_BLOCK)
        return &engine->finding;
    return engine->diverting_finding.entry.list == REP_LIST_BLOCK ? &engine->diverting_finding
                                                                  : NULL;
}

/* What a call gets that no rule demands anything for. */
static void decide_without_demand(const struct screen_engine *engine,
                                  struct screen_verdict *verdict)
{
    const struct screen_settings *settings = screen_policy_settings(engine->policy);
    if (!verdict->degraded)
        return;
    verdict->action = (enum rule_action_kind)settings->on_unknown;
    verdict->profile = (enum rule_profile)settings->block_with;
    verdict->authority = SCREEN_AUTHORITY_ON_UNKNOWN;
}

static void note_alternative(const struct screen_engine *engine, struct screen_verdict *verdict)
{
    const struct rule_decision *shadow = &engine->outcome.shadow;
    if (shadow->action == engine->outcome.live.action)
        return;
    struct screen_verdict other = {.degraded = verdict->degraded, .action = RULE_ALLOW};
    if (shadow->action != NULL) {
        other.action = shadow->action->kind;
        other.profile = shadow->action->profile;
    } else {
        decide_without_demand(engine, &other);
    }
    verdict->would_get = (struct screen_alternative){other.action != verdict->action, other.action,
                                                     other.profile, (uint8_t)shadow->score};
}

static void decide_by_rules(struct screen_engine *engine, struct screen_verdict *verdict)
{
    run_rules(engine, verdict);
    if (verdict->authority == SCREEN_AUTHORITY_NONE)
        decide_without_demand(engine, verdict);
    note_alternative(engine, verdict);
    if (engine->outcome.regex_skipped > 0)
        verdict->degraded = true;
}

/* Beyond its budget a list passes the call on to the rules; what it would have done is kept. */
static void decide_beyond_budget(struct screen_engine *engine, struct screen_verdict *verdict,
                                 const struct rep_finding *finding)
{
    struct screen_verdict listed = *verdict;
    decide_by_reputation(engine, &listed, finding);
    decide_by_rules(engine, verdict);
    verdict->over_budget = true;
    if (verdict->type[0] == '\0') {
        verdict->type = listed.type;
        verdict->type_id = listed.type_id;
    }
    verdict->would_get = (struct screen_alternative){verdict->action != listed.action,
                                                     listed.action, listed.profile, listed.score};
}

/* DESIGN section 5: protected callee, allow, block, rules; no file can change the order. */
static void decide(struct screen_engine *engine, struct screen_verdict *verdict)
{
    const struct screen_facts *facts = &engine->facts;
    bool allowed = engine->finding.entry.list == REP_LIST_ALLOW;
    bool claims = allowed || facts->caller_line != NULL;

    /* Known by name elsewhere, but not at home here: somebody borrows the number. */
    engine->caller_imitation = facts->caller.imitation || (claims && !facts->originates);
    if (facts->callee_line != NULL) {
        verdict->authority = SCREEN_AUTHORITY_PROTECTED_CALLEE;
        return;
    }
    if (claims && facts->originates) {
        verdict->authority = SCREEN_AUTHORITY_ALLOW;
        return;
    }
    const struct rep_finding *finding = blocking_finding(engine);
    if (finding == NULL)
        decide_by_rules(engine, verdict);
    else if (screen_charge_trunk(engine))
        decide_by_reputation(engine, verdict, finding);
    else
        decide_beyond_budget(engine, verdict, finding);
}

static void end_stage(struct screen_stages *stages, enum screen_stage stage)
{
    if (stages == NULL)
        return;
    uint64_t now = clock_monotonic_ns();
    stages->ns[stage] = now - stages->begun_ns;
    stages->begun_ns = now;
}

static void begin_judgement(struct screen_engine *engine, const struct screen_policy *policy,
                            const struct screen_input *input, struct screen_verdict *verdict)
{
    memset(verdict, 0, sizeof(*verdict));
    memset(&engine->facts, 0, sizeof(engine->facts));
    memset(engine->fetched, 0, sizeof(engine->fetched));
    verdict->action = RULE_ALLOW;
    verdict->authority = SCREEN_AUTHORITY_NONE;
    verdict->type = "";
    verdict->finding = rep_finding_none();
    engine->policy = policy;
    engine->input = *input;
    engine->input.stages = NULL; /* the caller's, gone with this call */
    if (input->source != NULL) {
        engine->source = *input->source;
        engine->input.source = &engine->source;
    }
    engine->finding = rep_finding_none();
    engine->reputation_known = false;
    engine->caller_imitation = false;
    engine->alert_count = 0;
}

int screen_judge(struct screen_engine *engine, const struct screen_policy *policy,
                 const struct screen_input *input, struct screen_verdict *verdict)
{
    uint64_t begun = clock_monotonic_ns();
    if (input->stages != NULL)
        input->stages->begun_ns = begun;
    begin_judgement(engine, policy, input, verdict);

    /* Before decoding: a header that we cannot read must not cost a life. */
    bool emergency = screen_is_emergency(input->message, input->trunk);
    int error = smsg_decode(engine->decoder, input->message, &engine->decoded);
    end_stage(input->stages, SCREEN_STAGE_DECODE);
    if (error == 0) {
        screen_clockface_set(&engine->clockface, input->wall_us);
        screen_read_facts(engine);
    }
    if (emergency) {
        verdict->authority = SCREEN_AUTHORITY_EMERGENCY;
        goto out;
    }
    if (error != 0)
        return error;
    /* A protected callee passes whatever a lookup would say: nothing to wait for. */
    bool found = screen_find_reputation(engine, &verdict->degraded);
    if (!found && engine->facts.callee_line == NULL) {
        verdict->pending = true;
        goto out;
    }
    if (input->what_if != NULL) {
        screen_assume_facts(engine);
        screen_assume_features(engine);
    }
    verdict->finding = engine->finding;
    verdict->reputation_known = engine->reputation_known;
    end_stage(input->stages, SCREEN_STAGE_FEATURES);
    decide(engine, verdict);
    end_stage(input->stages, SCREEN_STAGE_RULES);
    verdict->alert_count = engine->alert_count;
out:
    verdict->screening_ns = (uint32_t)(clock_monotonic_ns() - begun);
    return 0;
}

const struct screen_facts *screen_engine_facts(const struct screen_engine *engine)
{
    return &engine->facts;
}

const struct rule_outcome *screen_engine_outcome(const struct screen_engine *engine)
{
    return &engine->outcome;
}

const struct smsg_decoded *screen_engine_decoded(const struct screen_engine *engine)
{
    return &engine->decoded;
}

const struct screen_alert *screen_engine_alerts(const struct screen_engine *engine)
{
    return engine->alerts;
}

void screen_engine_measure(struct screen_engine *engine, const struct rule_meter *meter)
{
    const struct rule_inputs inputs = inputs_of(engine);
    if (engine->input.hurried)
        return;
    engine->measure_from =
        rule_set_measure(screen_policy_rules(engine->policy), engine->scratch, &inputs,
                         engine->input.wall_us, engine->measure_from, meter);
}

void screen_engine_card_parts(struct screen_engine *engine, size_t rule,
                              void (*visit)(void *context, const struct rule_card_part *part),
                              void *context)
{
    const struct rule_inputs inputs = inputs_of(engine);
    rule_set_card_parts(rules_of(engine), engine->scratch, &inputs, rule, visit, context);
}

const struct rep_finding *screen_engine_diverting(const struct screen_engine *engine)
{
    return &engine->diverting_finding;
}

void screen_engine_run_parts(struct screen_engine *engine, struct rule_part *root)
{
    const struct rule_inputs inputs = inputs_of(engine);
    rule_set_run_parts(rules_of(engine), engine->scratch, &inputs, engine->input.wall_us, root);
}

const struct rule_value *screen_engine_feature(struct screen_engine *engine,
                                               enum screen_feature feature)
{
    return screen_fetch_feature(engine, (uint16_t)feature);
}
