/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>

#include "expression_int.h"
#include "config/value.h"
#include "load_int.h"

/* False when the id is missing, malformed or taken; the report knows. */
static bool check_id(struct rule_loader *loader, const struct conf_node *siblings,
                     const struct conf_node *node, const struct rule_draft *draft, bool is_card)
{
    const struct rule_set *set = loader->set;
    struct rule_record *const *records = set->records.items;
    const struct conf_node *id = conf_node_get(node, "id");
    const char *kind = is_card ? "scorecard" : "rule";
    struct conf_quote quote;
    if (draft->id.length == 0 || id == NULL)
        return false;
    if (!rule_is_token(draft->id, RULE_ID_MAX)) {
        rule_loader_error(loader, id, "%s %s: this is not a valid id", kind,
                          conf_quote(&quote, draft->id));
        conf_report_expect(loader->report, "1 to %d of a-z, 0-9, \".\", \"_\" and \"-\"",
                           RULE_ID_MAX);
        return false;
    }
    int index = rule_set_find(set, draft->id);
    if (index == RULE_NONE)
        return true;
    const struct rule_place *first = &rule_set_rule(set, (size_t)index)->place;
    /* Within one sequence the schema has said so already. */
    if (records[index]->siblings == siblings)
        return false;
    if (first->file == loader->file)
        rule_loader_error(loader, id, "%s %s is defined twice; the first is on line %u", kind,
                          conf_quote(&quote, draft->id), first->line);
    else
        rule_loader_error(loader, id, "%s %s is defined twice; the first is in %s, line %u", kind,
                          conf_quote(&quote, draft->id), first->file, first->line);
    return false;
}

/* ---- what a rule requires ----------------------------------------------------------------- */

/* Puts one more requirement into the "and" that a rule is. NULL is none. A "not" that nobody wrote
 * has an empty text. */
static int require(struct rule_loader *loader, struct rule_node *all, struct rule_node *part,
                   bool negated)
{
    if (part == NULL)
        return 0;
    struct rule_node **link = &all->first;
    while (*link != NULL)
        link = &(*link)->next;
    /* The group's parts go to several rules, and `next` is in the node. */
    struct rule_node *copy = arena_zalloc(loader->drafts, sizeof(*copy));
    if (copy == NULL)
        return -ENOMEM;
    *copy = *part;
    copy->next = NULL;
    if (negated) {
        struct rule_node *inverse = arena_zalloc(loader->drafts, sizeof(*inverse));
        if (inverse == NULL)
            return -ENOMEM;
        *inverse = (struct rule_node){.kind = RULE_NODE_NOT,
                                      .type = RULE_FLAG,
                                      .text = slice_first(part->text, 0),
                                      .first = copy,
                                      .count = 1};
        copy = inverse;
    }
    *link = copy;
    all->count++;
    return 0;
}

/* A scorecard without a condition is for all calls. */
static int require_anything(struct rule_loader *loader, struct rule_node *all)
{
    struct rule_node anything = {
        .kind = RULE_NODE_VALUE, .type = RULE_FLAG, .value = rule_flag(true)};
    return all->count > 0 ? 0 : require(loader, all, &anything, false);
}

static int combine(struct rule_loader *loader, const struct rule_group *group,
                   struct rule_node *when, struct rule_node *unless, struct rule_node **root)
{
    struct rule_node *all = arena_zalloc(loader->drafts, sizeof(*all));
    if (all == NULL)
        return -ENOMEM;
    all->kind = RULE_NODE_AND;
    all->type = RULE_FLAG;
    int error = group != NULL ? require(loader, all, group->when, false) : 0;
    if (error == 0 && group != NULL)
        error = require(loader, all, group->unless, true);
    if (error == 0)
        error = require(loader, all, when, false);
    if (error == 0)
        error = require(loader, all, unless, true);
    if (error == 0)
        error = require_anything(loader, all);
    *root = all->count == 1 ? all->first : all;
    return error;
}

/* *root becomes NULL when a part of it is wrong, or it can never be true; the report knows. */
static int compile(struct rule_loader *loader, const struct rule_owner *owner,
                   const struct rule_draft *draft, const struct rule_group *group,
                   struct rule_span *span, struct rule_node **root)
{
    const struct conf_node *when_node = draft->when.node;
    const struct conf_node *unless_node = draft->unless.node;
    struct rule_node *when = NULL;
    struct rule_node *unless = NULL;
    struct rule_node *all = NULL;
    bool possible = true;
    *root = NULL;
    int error = when_node != NULL ? rule_load_tree(loader, owner, when_node, &when) : 0;
    if (error == 0 && unless_node != NULL)
        error = rule_load_tree(loader, owner, unless_node, &unless);
    if (error != 0 || (when_node != NULL && when == NULL) ||
        (unless_node != NULL && unless == NULL) || (group != NULL && group->wrong))
        return error;
    error = combine(loader, group, when, unless, &all);
    const struct conf_node *blamed = when_node != NULL ? when_node : unless_node;
    if (error == 0 && blamed != NULL)
        error = rule_check_possible(loader, owner, blamed, all, &possible);
    if (error == 0)
        error = rule_program_add(&loader->set->program, all, loader->set->arena, span);
    *root = possible ? all : NULL;
    return error;
}

/* ---- what is said of it ------------------------------------------------------------------- */

/* What a rule does not say itself, its group says for it. */
static struct rule_life_draft life_of(const struct conf_node *node, const struct rule_draft *draft,
                                      const struct rule_group *group)
{
    struct rule_life_draft life = draft->life;
    const struct conf_node *shared = group != NULL ? group->node : NULL;
    bool starts = conf_node_get(node, "starts") != NULL;
    bool expires = conf_node_get(node, "expires") != NULL;
    if (!starts)
        life.starts_us = INT64_MIN;
    if (!expires)
        life.expires_us = INT64_MAX;
    if (shared == NULL)
        return life;
    const struct rule_life_draft *theirs = &group->draft->life;
    if (conf_node_get(node, "type") == NULL)
        life.type = theirs->type;
    if (conf_node_get(node, "mode") == NULL)
        life.mode = theirs->mode;
    if (!starts && conf_node_get(shared, "starts") != NULL)
        life.starts_us = theirs->starts_us;
    if (!expires && conf_node_get(shared, "expires") != NULL)
        life.expires_us = theirs->expires_us;
    if (conf_node_get(node, "owner") == NULL)
        life.owner = theirs->owner;
    if (conf_node_get(node, "ticket") == NULL)
        life.ticket = theirs->ticket;
    return life;
}

static int note_expiry(struct rule_loader *loader, const struct conf_node *node,
                       const struct rule_group *group, struct rule_record *record)
{
    const struct conf_node *expires = conf_node_get(node, "expires");
    if (expires == NULL && group != NULL)
        expires = conf_node_get(group->node, "expires");
    if (expires == NULL)
        return 0;
    struct conf_place place = conf_node_place(loader->document, expires);
    record->expires = rule_loader_place(loader, expires);
    record->expires_width = place.width;
    record->expires_source = arena_copy(loader->set->arena, place.source);
    return record->expires_source.data != NULL ? 0 : -ENOMEM;
}

static struct slice text_of(const struct rule_kept *kept)
{
    return kept->node != NULL ? kept->node->text : (struct slice){0};
}

static int fill_texts(struct rule_loader *loader, const struct rule_draft *draft,
                      const struct rule_life_draft *life, const struct rule_group *group,
                      struct rule_info *info)
{
    const struct {
        const char **text;
        struct slice from;
    } texts[] = {
        {&info->id, draft->id},
        {&info->title_en, draft->title.en},
        {&info->title_zh, draft->title.zh},
        {&info->type, life->type},
        {&info->when, text_of(&draft->when)},
        {&info->unless, text_of(&draft->unless)},
        {&info->group, group != NULL ? group->draft->id : (struct slice){0}},
        {&info->owner, life->owner},
        {&info->ticket, life->ticket},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        *texts[i].text = rule_loader_keep(loader, texts[i].from);
        if (*texts[i].text == NULL)
            return -ENOMEM;
    }
    return 0;
}

static uint64_t hash_text(uint64_t hash, struct slice text)
{
    const struct hash_key key = {{hash, UINT64_C(0x72756c65)}};
    return hash_slice(&key, text);
}

/* Depth is bounded by the reader of YAML. */
static uint64_t hash_node(uint64_t hash,
                          const struct conf_node *node) /* NOLINT(misc-no-recursion) */
{
    hash = hash_text(hash_text(hash_mix(hash, node->kind), node->key), node->text);
    for (const struct conf_node *child = node->first; child != NULL; child = child->next)
        hash = hash_node(hash, child);
    return hash_mix(hash, node->count);
}

/* What only describes a rule may be changed without making it another one. */
static uint64_t hash_written(const struct conf_node *node, const struct rule_info *info)
{
    static const char *const describing[] = {"title", "owner", "ticket", "tests"};
    uint64_t hash = hash_mix((uint64_t)info->mode, (uint64_t)info->starts_us);
    hash = hash_mix(hash, (uint64_t)info->expires_us);
    for (const struct conf_node *child = node->first; child != NULL; child = child->next) {
        bool describes = false;
        for (size_t i = 0; i < sizeof(describing) / sizeof(describing[0]); i++)
            describes = describes || slice_equal(child->key, slice_of_text(describing[i]));
        if (!describes)
            hash = hash_node(hash, child);
    }
    return hash;
}

static int fill_info(struct rule_loader *loader, const struct conf_node *node,
                     const struct rule_draft *draft, const struct rule_group *group,
                     struct rule_info *info)
{
    const struct rule_life_draft life = life_of(node, draft, group);
    int error = fill_texts(loader, draft, &life, group, info);
    if (error != 0)
        return error;
    info->score = (int)draft->score;
    info->mode = (enum rule_mode)life.mode;
    info->starts_us = life.starts_us;
    info->expires_us = life.expires_us;
    info->rollout = (uint32_t)lround(draft->rollout / 100 * RULE_ROLLOUT_ALL);
    info->budget = (struct rule_budget){draft->budget.count, draft->budget.period_us};
    info->place = rule_loader_place(loader, conf_node_get(node, "id"));
    info->test_count = (uint32_t)draft->tests.count;
    info->written = hash_written(node, info);
    if (draft->action.node == NULL)
        return 0;
    struct rule_action *action = arena_zalloc(loader->set->arena, sizeof(*action));
    if (action == NULL)
        return -ENOMEM;
    info->action = action;
    return rule_load_action(loader, &draft->action, action);
}

static void warn_no_share(struct rule_loader *loader, const struct conf_node *rollout)
{
    double percent;
    /* A draft holds 0 for what is wrong, too. */
    if (conf_value_percent(rollout->text, &percent) != 0 || percent >= 1)
        return;
    rule_loader_warning(loader, rollout, "a roll-out of 0%% enforces it for no call");
    conf_report_hint(loader->report, "mode: shadow says the same");
}

/* What changes no call was hardly meant. */
static void warn_idle(struct rule_loader *loader, const struct conf_node *node,
                      const struct rule_record *record)
{
    const struct conf_node *rollout = conf_node_get(node, "rollout");
    const struct conf_node *budget = conf_node_get(node, "budget");
    if (rollout != NULL && record->info.mode != RULE_ENFORCE)
        rule_loader_warning(loader, rollout, "\"rollout\" means nothing in mode %s",
                            rule_mode_name(record->info.mode));
    else if (rollout != NULL && record->info.rollout == 0)
        warn_no_share(loader, rollout);
    else if (budget != NULL && record->info.mode != RULE_ENFORCE)
        rule_loader_warning(loader, budget, "\"budget\" means nothing in mode %s",
                            rule_mode_name(record->info.mode));
}

static int add_rule(struct rule_loader *loader, struct rule_record *record, struct rule_span span,
                    const struct rule_card *card)
{
    struct rule_set *set = loader->set;
    const struct rule_info *info = &record->info;
    const struct rule_entry entry = {
        .span = span,
        .starts_us = info->starts_us,
        .expires_us = info->expires_us,
        .action = info->action,
        .points = (int16_t)info->score,
        .mode = (uint8_t)info->mode,
        .has_type = info->type[0] != '\0',
        .rollout = info->rollout,
        .card = card,
    };
    record->index = (uint32_t)set->records.count;
    int error = rule_vector_push(&set->entries, &entry);
    if (error == 0)
        error = rule_vector_push(&set->records, &record);
    if (error == 0)
        error = hash_table_insert(set->by_id, rule_id_hash(slice_of_text(info->id)), record);
    return error;
}

int rule_load_rule(struct rule_loader *loader, const struct conf_node *siblings,
                   const struct conf_node *node, const struct rule_draft *draft,
                   const struct rule_group *group, const struct rule_card *card,
                   struct rule_record **record)
{
    const struct rule_owner owner = {card != NULL ? "scorecard" : "rule", draft->id};
    struct rule_span span = {0, 0};
    struct rule_node *root = NULL;
    *record = NULL;
    bool has_id = check_id(loader, siblings, node, draft, card != NULL);
    if (draft->when.node == NULL && card == NULL)
        return 0;
    int error = compile(loader, &owner, draft, group, &span, &root);
    if (error != 0 || !has_id)
        return error;

    struct rule_record *made = arena_zalloc(loader->set->arena, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->siblings = siblings;
    made->root = root;
    made->info.is_card = card != NULL;
    error = fill_info(loader, node, draft, group, &made->info);
    if (error == 0)
        error = note_expiry(loader, node, group, made);
    if (error == 0)
        error = add_rule(loader, made, span, card);
    if (error != 0)
        return error;
    warn_idle(loader, node, made);
    *record = made;
    return 0;
}

static int load_rules(struct rule_loader *loader, const struct conf_node *rules,
                      const struct rule_draft *drafts, const struct rule_group *group)
{
    for (const struct conf_node *node = rules->first; node != NULL; node = node->next, drafts++) {
        struct rule_record *record = NULL;
        int error = rule_load_rule(loader, rules, node, drafts, group, NULL, &record);
        if (error == 0 && record != NULL)
            error = rule_load_tests(loader, &drafts->tests, record);
        if (error != 0)
            return error;
    }
    return 0;
}

int rule_load_rules(struct rule_loader *loader, const struct conf_node *rules,
                    const struct rule_draft *drafts)
{
    return load_rules(loader, rules, drafts, NULL);
}

/* ---- groups ------------------------------------------------------------------------------- */

static int load_shared(struct rule_loader *loader, const struct rule_owner *owner,
                       const struct conf_node *condition, struct rule_node **root, bool *wrong)
{
    if (condition == NULL)
        return 0;
    int error = rule_load_tree(loader, owner, condition, root);
    *wrong = *wrong || *root == NULL;
    return error;
}

static int load_group(struct rule_loader *loader, const struct conf_node *node,
                      const struct rule_group_draft *draft)
{
    const struct rule_owner owner = {"group", draft->id};
    const struct conf_node *rules = conf_node_get(node, "rules");
    struct rule_group group = {.node = node, .draft = draft};
    bool possible = true;
    int error = load_shared(loader, &owner, draft->when.node, &group.when, &group.wrong);
    if (error == 0)
        error = load_shared(loader, &owner, draft->unless.node, &group.unless, &group.wrong);
    if (error == 0 && group.when != NULL)
        error = rule_check_possible(loader, &owner, draft->when.node, group.when, &possible);
    group.wrong = group.wrong || !possible;
    if (error != 0 || rules == NULL || draft->rules.count == 0)
        return error;
    return load_rules(loader, rules, draft->rules.items, &group);
}

int rule_load_groups(struct rule_loader *loader, const struct conf_node *groups,
                     const struct rule_group_draft *drafts)
{
    for (const struct conf_node *node = groups->first; node != NULL; node = node->next) {
        int error = load_group(loader, node, drafts++);
        if (error != 0)
            return error;
    }
    return 0;
}
