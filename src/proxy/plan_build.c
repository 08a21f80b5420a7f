/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/random.h"
#include "plan_build_int.h"
#include "rules/ruleset.h"

/* ---- one trunk --------------------------------------------------------------------------- */

static int copy_number_rules(const struct proxy_numbering_settings *table,
                             struct proxy_trunk *trunk, uint32_t *count)
{
    const struct proxy_number_rule_settings *rules = table->rules.items;
    trunk->number_rules = calloc(table->rules.count + 1, sizeof(*trunk->number_rules));
    if (trunk->number_rules == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < table->rules.count; i++)
        trunk->number_rules[i] = (struct num_rule){
            .match = rules[i].match.data,
            .prepend = rules[i].prepend.data,
            .strip = rules[i].strip,
            .min_length = rules[i].min_length,
            .max_length = rules[i].max_length,
            .roles = (uint8_t)rules[i].roles,
        };
    *count = (uint32_t)table->rules.count;
    return 0;
}

static int build_numbering(struct proxy_builder *b, const struct proxy_trunk_settings *from,
                           struct proxy_trunk *trunk)
{
    const struct proxy_numbering_settings *tables = b->settings->numberings.items;
    const struct proxy_numbering_settings *table = NULL;
    uint32_t count = 0;
    for (size_t i = 0; i < b->settings->numberings.count && table == NULL; i++)
        if (slice_equal(tables[i].name, from->numbering))
            table = &tables[i];
    if (table == NULL && from->numbering.length > 0)
        proxy_complain(b, "trunk \"%.*s\": numbering \"%.*s\" is not a table of `numbering`",
                       SLICE_ARGS(from->name), SLICE_ARGS(from->numbering));
    if (table != NULL && copy_number_rules(table, trunk, &count) != 0)
        return -ENOMEM;

    int error = num_profile_init(&trunk->screen.profile, from->country, from->area_code,
                                 trunk->number_rules, count);
    if (error == ERROR_NOT_FOUND)
        proxy_complain(b, "trunk \"%.*s\": country \"%.*s\" is not an ISO 3166 code",
                       SLICE_ARGS(from->name), SLICE_ARGS(from->country));
    else if (error != 0)
        proxy_complain(b, "trunk \"%.*s\": area_code \"%.*s\" is not one of %.*s",
                       SLICE_ARGS(from->name), SLICE_ARGS(from->area_code),
                       SLICE_ARGS(from->country));
    return 0;
}

static int build_originates(struct proxy_builder *b, const struct proxy_trunk_settings *from,
                            struct proxy_trunk *trunk)
{
    if (from->originates.count == 0)
        return 0;
    int error = num_trie_create(&trunk->originates);
    for (size_t i = 0; i < from->originates.count && error == 0; i++) {
        struct slice prefix = from->originates.items[i];
        uint64_t packed;
        if (!num_pack(prefix, &packed)) {
            proxy_complain(b, "trunk \"%.*s\": originates \"%.*s\" is not a prefix like +8610",
                           SLICE_ARGS(from->name), SLICE_ARGS(prefix));
            continue;
        }
        error = num_trie_insert(trunk->originates,
                                slice_from(prefix, prefix.data[0] == '+' ? 1 : 0), 1);
    }
    if (error == 0)
        error = num_trie_seal(trunk->originates);
    trunk->screen.originates = trunk->originates;
    return error;
}

/* RFC 3263 section 4.1, of an address. */
static int protocol_of(const struct tp_name *name)
{
    if (name->secure)
        return TP_PROTOCOL_TLS;
    return name->protocol >= 0 ? name->protocol : TP_PROTOCOL_UDP;
}

static int build_fixed(struct proxy_builder *b, struct slice text, const struct tp_name *name,
                       struct proxy_trunk *trunk, struct proxy_target *target)
{
    int protocol = protocol_of(name);
    uint16_t port = name->port != 0 ? name->port : tp_protocol_rows[protocol].port;
    int error = tp_address_from_host(name->host, port, &target->fixed.address);
    if (error != 0)
        return error;
    target->fixed.protocol = (uint8_t)protocol;
    target->fixed.identity = tp_target_identity(&target->fixed.address, target->fixed.protocol);
    target->identity = target->fixed.identity;
    proxy_check_reach(b, trunk, text, protocol, target->fixed.address.family);
    return 0;
}

/* host[:port] as it stands in the configuration. */
static struct slice shown_host(const struct proxy_target_settings *from)
{
    const char *end = slice_past(from->name.host);
    const char *past = slice_past(from->target);
    while (end < past && *end != ';')
        end++;
    return slice_between(from->name.host.data, end);
}

static int build_name(struct proxy_builder *b, const struct proxy_target_settings *from,
                      struct proxy_target *target)
{
    target->host = shown_host(from);
    if (b->resolver == NULL)
        return 0;
    int error = tp_destination_open(b->resolver, &from->name, &target->name);
    if (error == 0)
        target->identity = tp_destination_identity(target->name);
    return error;
}

static int build_target(struct proxy_builder *b, const struct proxy_target_settings *from,
                        struct proxy_trunk *trunk, struct proxy_target *target)
{
    struct tp_address address;
    target->priority = from->priority;
    target->weight = from->weight;
    if (tp_address_from_host(from->name.host, 0, &address) == 0)
        return build_fixed(b, from->target, &from->name, trunk, target);
    if (from->name.secure || from->name.protocol >= 0)
        proxy_check_reach(b, trunk, from->target, protocol_of(&from->name), 0);
    return build_name(b, from, target);
}

static int build_addresses(struct proxy_builder *b, const struct proxy_trunk_settings *from,
                           struct proxy_trunk *trunk)
{
    const struct proxy_target_settings *targets = from->targets.items;
    trunk->sources = calloc(from->sources.count + 1, sizeof(*trunk->sources));
    trunk->targets = calloc(from->targets.count + 1, sizeof(*trunk->targets));
    if (trunk->sources == NULL || trunk->targets == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < from->sources.count; i++) {
        const struct conf_network *network = &from->sources.items[i];
        struct tp_network *source = &trunk->sources[i];
        memcpy(source->address.bytes, network->address, network->is_ipv6 ? 16 : 4);
        source->address.family = network->is_ipv6 ? 6 : 4;
        source->bits = network->bits;
    }
    trunk->source_count = from->sources.count;
    for (size_t i = 0; i < from->targets.count; i++) {
        int error = build_target(b, &targets[i], trunk, &trunk->targets[i]);
        if (error != 0)
            return error;
        trunk->target_count = i + 1;
    }
    return 0;
}

static void label_trunk(struct proxy_builder *b, struct proxy_trunk *trunk)
{
    struct slice name = trunk->screen.name;
    if (b->registry == NULL)
        return;
    trunk->label_in = stats_label(b->registry, STATS_FAMILY_TRUNK_CALLS_IN, name);
    trunk->label_out = stats_label(b->registry, STATS_FAMILY_TRUNK_CALLS_OUT, name);
    trunk->label_blocked = stats_label(b->registry, STATS_FAMILY_TRUNK_BLOCKED, name);
    trunk->label_over_budget = stats_label(b->registry, STATS_FAMILY_TRUNK_OVER_BUDGET, name);
    trunk->label_failovers = stats_label(b->registry, STATS_FAMILY_TRUNK_FAILOVERS, name);
    trunk->label_limited = stats_label(b->registry, STATS_FAMILY_TRUNK_LIMITED, name);
    trunk->label_throttled = stats_label(b->registry, STATS_FAMILY_TRUNK_THROTTLED, name);
    trunk->label_told = stats_label(b->registry, STATS_FAMILY_TRUNK_OVERLOAD_TOLD, name);
    trunk->label_ended = stats_label(b->registry, STATS_FAMILY_TRUNK_ENDED, name);
    trunk->label_effective = stats_label(b->registry, STATS_FAMILY_TRUNK_EFFECTIVE, name);
    trunk->label_heard = stats_label(b->registry, STATS_FAMILY_TRUNK_HEARD, name);
    trunk->label_delay_ms = stats_label(b->registry, STATS_FAMILY_TRUNK_DELAY_MS, name);
    trunk->label_talked = stats_label(b->registry, STATS_FAMILY_TRUNK_TALKED, name);
    trunk->label_talk_ms = stats_label(b->registry, STATS_FAMILY_TRUNK_TALK_MS, name);
    trunk->label_answered = stats_label(b->registry, STATS_FAMILY_TRUNK_ANSWERED, name);
}

static int build_trunk(struct proxy_builder *b, const struct proxy_trunk_settings *from,
                       struct proxy_trunk *trunk)
{
    trunk->screen.name = from->name;
    trunk->screen.country = from->country;
    trunk->screen.origin = (enum screen_origin)from->origin;
    trunk->screen.trusted = from->trusted;
    trunk->open_targets = from->open_targets;
    trunk->redirect = from->redirect.present ? &from->redirect : NULL;
    proxy_boundary_resolve(&from->boundary, from->trusted, &trunk->boundary);
    trunk->network = from->network;
    trunk->health = from->health;
    trunk->failover = from->failover;
    trunk->limits = from->limits;
    trunk->overload = from->overload;
    trunk->mark = ident_trunk(from->name);
    label_trunk(b, trunk);
    int error = build_numbering(b, from, trunk);
    if (error == 0)
        error = build_originates(b, from, trunk);
    if (error == 0)
        error = proxy_build_transports(b, from, trunk);
    if (error == 0)
        error = build_addresses(b, from, trunk);
    return error;
}

/* ---- sources ----------------------------------------------------------------------------- */

static int add_source(struct proxy_builder *b, struct proxy_source *source)
{
    struct proxy_plan *plan = b->plan;
    struct proxy_source_key key = {&source->network.address, source->network.bits,
                                   source->network_id};
    uint64_t hash =
        proxy_source_hash(plan, &source->network.address, source->network.bits, source->network_id);
    const struct proxy_source *other =
        hash_table_find(plan->source_table, hash, proxy_source_match, &key);
    if (other == NULL)
        return hash_table_insert(plan->source_table, hash, source);
    if (other->trunk != source->trunk && source->network_id != PROXY_ANY_NETWORK) {
        char text[TP_ADDRESS_TEXT];
        struct buffer buffer = buffer_over(text, sizeof(text));
        tp_address_append_host(&buffer, &source->network.address, false);
        proxy_complain(b, "trunks \"%.*s\" and \"%.*s\" both have the source %.*s/%u",
                       SLICE_ARGS(plan->trunks[other->trunk].screen.name),
                       SLICE_ARGS(plan->trunks[source->trunk].screen.name), (int)buffer.length,
                       text, source->network.bits);
    }
    return 0;
}

static int note_length(struct proxy_builder *b, uint8_t family, uint8_t bits)
{
    struct proxy_plan *plan = b->plan;
    size_t at = 0;
    for (; at < plan->length_count && plan->lengths[at].bits >= bits; at++)
        if (plan->lengths[at].bits == bits && plan->lengths[at].family == family)
            return 0;
    if (plan->length_count == PROXY_SOURCE_LENGTHS) {
        proxy_complain(b, "the trunks' sources have more than %d different prefix lengths",
                       PROXY_SOURCE_LENGTHS);
        return ERROR_CONFIG;
    }
    memmove(&plan->lengths[at + 1], &plan->lengths[at],
            (plan->length_count - at) * sizeof(plan->lengths[0]));
    plan->lengths[at].family = family;
    plan->lengths[at].bits = bits;
    plan->length_count++;
    return 0;
}

static int build_sources(struct proxy_builder *b)
{
    struct proxy_plan *plan = b->plan;
    size_t total = 0;
    for (size_t i = 0; i < plan->trunk_count; i++)
        total += plan->trunks[i].source_count;
    /* Each stands twice: on its trunk's network, and on any. */
    plan->sources = calloc(2 * total + 1, sizeof(*plan->sources));
    if (plan->sources == NULL)
        return -ENOMEM;
    int error = hash_table_create(4 * total + 16, &plan->source_table);
    for (size_t i = 0; i < plan->trunk_count && error == 0; i++) {
        const struct proxy_trunk *trunk = &plan->trunks[i];
        for (size_t j = 0; j < trunk->source_count && error == 0; j++) {
            struct proxy_source *pair = &plan->sources[plan->source_count];
            plan->source_count += 2;
            pair[0] = (struct proxy_source){
                .network = trunk->sources[j],
                .network_id = proxy_network_id(b->settings, trunk->network),
                .trunk = (uint32_t)i,
            };
            pair[1] = pair[0];
            pair[1].network_id = PROXY_ANY_NETWORK;
            error = note_length(b, trunk->sources[j].address.family, trunk->sources[j].bits);
            if (error == 0)
                error = add_source(b, &pair[0]);
            if (error == 0)
                error = add_source(b, &pair[1]);
        }
    }
    return error;
}

/* ---- routes ------------------------------------------------------------------------------ */

static int find_index(const struct proxy_plan *plan, struct slice name)
{
    const struct proxy_trunk *trunk = proxy_plan_find_trunk(plan, name);
    return trunk == NULL ? -1 : (int)(trunk - plan->trunks);
}

/* A later insert of the same prefix counts, so the routes from anywhere go in first. */
static int add_routes(struct proxy_builder *b, struct proxy_trunk *trunk, bool from_anywhere)
{
    const struct proxy_route_settings *routes = b->settings->routes.items;
    for (size_t i = 0; i < b->settings->routes.count; i++) {
        const struct proxy_route_settings *route = &routes[i];
        bool anywhere = slice_equal(route->from, SLICE("*"));
        if (anywhere != from_anywhere ||
            (!anywhere && !slice_equal(route->from, trunk->screen.name)))
            continue;
        int to = find_index(b->plan, route->to);
        if (to < 0)
            continue;
        int error = num_trie_insert(trunk->routes, route->prefix, (uint32_t)to);
        if (error != 0)
            return error;
    }
    return 0;
}

static void check_routes(struct proxy_builder *b)
{
    const struct proxy_route_settings *routes = b->settings->routes.items;
    for (size_t i = 0; i < b->settings->routes.count; i++) {
        const struct proxy_route_settings *route = &routes[i];
        int to = find_index(b->plan, route->to);
        if (to < 0)
            proxy_complain(b, "route %zu: to \"%.*s\" is not a trunk", i + 1,
                           SLICE_ARGS(route->to));
        else if (b->plan->trunks[to].target_count == 0)
            proxy_complain(b, "route %zu: trunk \"%.*s\" has no targets", i + 1,
                           SLICE_ARGS(route->to));
        if (!slice_equal(route->from, SLICE("*")) && find_index(b->plan, route->from) < 0)
            proxy_complain(b, "route %zu: from \"%.*s\" is neither a trunk nor *", i + 1,
                           SLICE_ARGS(route->from));
    }
}

static void check_redirect(struct proxy_builder *b, const struct proxy_trunk *trunk)
{
    const struct proxy_route_settings *routes = b->settings->routes.items;
    bool found = trunk->redirect == NULL || !proxy_redirect_needs_route(trunk->redirect);
    for (size_t i = 0; i < b->settings->routes.count && !found; i++)
        found = slice_equal(routes[i].from, SLICE("*")) ||
                slice_equal(routes[i].from, trunk->screen.name);
    if (found)
        return;
    proxy_complain(
        b, "trunk \"%.*s\": its redirect answers 302, but no route leads from it to a Contact",
        SLICE_ARGS(trunk->screen.name));
    conf_report_expect(b->report,
                       "a route from \"%.*s\", or 404 or 503 for allow and tag, or "
                       "contact: request",
                       SLICE_ARGS(trunk->screen.name));
}

static int build_routes(struct proxy_builder *b)
{
    check_routes(b);
    for (size_t i = 0; i < b->plan->trunk_count; i++)
        check_redirect(b, &b->plan->trunks[i]);
    for (size_t i = 0; i < b->plan->trunk_count; i++) {
        struct proxy_trunk *trunk = &b->plan->trunks[i];
        int error = num_trie_create(&trunk->routes);
        if (error == 0)
            error = add_routes(b, trunk, true);
        if (error == 0)
            error = add_routes(b, trunk, false);
        if (error == 0)
            error = num_trie_seal(trunk->routes);
        if (error != 0)
            return error;
    }
    return 0;
}

/* ---- rules ------------------------------------------------------------------------------- */

static void check_target(struct proxy_builder *b, const struct rule_action *action)
{
    if (action == NULL || action->kind != RULE_DIVERT || action->target_kind != RULE_TARGET_TRUNK)
        return;
    const struct proxy_trunk *trunk = proxy_plan_find_trunk(b->plan, slice_of_text(action->target));
    if (trunk != NULL && trunk->target_count > 0)
        return;
    const struct conf_place place = {
        .file = slice_of_text(action->target_place.file),
        .line = action->target_place.line,
        .column = action->target_place.column,
    };
    conf_report_add(b->report, CONF_ERROR, &place, "divert to \"%s\": no trunk of that name %s",
                    action->target, trunk == NULL ? "is configured" : "has targets");
    conf_report_expect(b->report, "the name of a trunk with targets, or a sip: URI");
    b->failed = true;
}

static void check_budget(struct proxy_builder *b, const struct rule_trunk_budget *budget)
{
    struct slice name = slice_of_text(budget->trunk);
    if (slice_equal(name, SLICE("*")) || proxy_plan_find_trunk(b->plan, name) != NULL)
        return;
    const struct conf_place place = {
        .file = slice_of_text(budget->place.file),
        .line = budget->place.line,
        .column = budget->place.column,
    };
    conf_report_add(b->report, CONF_ERROR, &place,
                    "a budget for \"%s\": no trunk of that name is configured", budget->trunk);
    conf_report_expect(b->report, "the name of a trunk, or *");
    b->failed = true;
}

static void check_rules(struct proxy_builder *b, const struct rule_set *rules)
{
    for (size_t i = 0; i < rule_set_budget_count(rules); i++)
        check_budget(b, rule_set_budget(rules, i));
    for (size_t i = 0; i < rule_set_count(rules); i++)
        check_target(b, rule_set_rule(rules, i)->action);
    for (size_t i = 0; i < rule_set_step_count(rules); i++)
        check_target(b, &rule_set_step(rules, i)->action);
}

static int build(struct proxy_builder *b, const struct rule_set *rules)
{
    struct proxy_plan *plan = b->plan;
    const struct proxy_trunk_settings *trunks = b->settings->trunks.items;
    size_t count = b->settings->trunks.count;
    if (count > PROXY_TRUNK_LIMIT) {
        proxy_complain(b, "%zu trunks are configured; at most %d are possible", count,
                       PROXY_TRUNK_LIMIT);
        return ERROR_CONFIG;
    }
    plan->trunks = calloc(count + 1, sizeof(*plan->trunks));
    if (plan->trunks == NULL)
        return -ENOMEM;
    int error = random_bytes(&plan->key, sizeof(plan->key));
    if (error == 0)
        error = proxy_build_listeners(b);
    for (size_t i = 0; i < count && error == 0; i++) {
        plan->trunk_count = i + 1;
        error = build_trunk(b, &trunks[i], &plan->trunks[i]);
    }
    if (error == 0)
        error = build_sources(b);
    if (error == 0)
        error = build_routes(b);
    if (error == 0)
        check_rules(b, rules);
    return error;
}

static int open_budgets(struct proxy_builder *b, const struct rule_set *rules,
                        struct screen_ledger *ledger)
{
    for (size_t i = 0; i < b->plan->trunk_count; i++) {
        struct screen_trunk *trunk = &b->plan->trunks[i].screen;
        const struct rule_trunk_budget *budget = rule_set_find_budget(rules, trunk->name);
        if (budget == NULL || budget->blocks.calls == 0)
            continue;
        const struct screen_budget_key key = {
            SCREEN_BUDGET_TRUNK, trunk->name,
            hash_mix(budget->blocks.calls, budget->blocks.period_us)};
        int error = screen_budget_open(ledger, &key, &budget->blocks, &trunk->blocks);
        if (error != 0)
            return error;
    }
    return 0;
}

int proxy_plan_create(const struct proxy_settings *settings, const struct rule_set *rules,
                      struct stats_registry *registry, struct screen_ledger *ledger,
                      struct tp_resolver *resolver, struct conf_report *report,
                      struct proxy_plan **plan)
{
    struct proxy_builder b = {settings, registry, report, calloc(1, sizeof(struct proxy_plan)),
                              resolver, false};
    if (b.plan == NULL)
        return -ENOMEM;
    int error = build(&b, rules);
    if (error == 0 && ledger != NULL)
        error = open_budgets(&b, rules, ledger);
    if (error == 0 && b.failed)
        error = ERROR_CONFIG;
    if (error == 0)
        *plan = b.plan;
    else
        proxy_plan_destroy(b.plan);
    return error;
}
