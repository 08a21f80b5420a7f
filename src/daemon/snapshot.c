/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/snapshot.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/file.h"
#include "screening/feature.h"

#define ARENA_CHUNK ((size_t)64 << 10)

static int load_settings(const char *path, struct conf_report *report,
                         struct daemon_snapshot *snapshot)
{
    struct conf_document *document = NULL;
    int error = conf_document_load(path, NULL, report, &document);
    if (error == 0)
        error = conf_section_load(document, conf_document_root(document), &daemon_section,
                                  snapshot->arena, report, &snapshot->settings);
    conf_document_destroy(document);
    return error;
}

/* Where configuration and rules come from. */
struct sources {
    const char *path;
    const char *const *rules; /* instead of those that the configuration names; NULL: those */
    size_t rule_count;
};

/* The names of the rule files, relative ones beside the configuration. */
static int rule_paths(const char *path, struct daemon_snapshot *snapshot, const char *const **paths)
{
    const struct conf_text_list *rules = &snapshot->settings.rules;
    const char **list = arena_zalloc(snapshot->arena, (rules->count + 1) * sizeof(*list));
    if (list == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < rules->count; i++) {
        char resolved[PATH_MAX];
        int error = file_beside(path, rules->items[i].data, resolved, sizeof(resolved));
        if (error != 0)
            return error;
        list[i] = arena_text(snapshot->arena, slice_of_text(resolved));
        if (list[i] == NULL)
            return -ENOMEM;
    }
    *paths = list;
    return 0;
}

/* sound: the settings are; else the rules are only looked through, so that one run shows all that
 * is wrong. */
static int load_rules(const struct sources *sources, bool sound,
                      const struct daemon_snapshot *previous, struct stats_registry *registry,
                      struct screen_ledger *ledger, struct conf_report *report,
                      struct daemon_snapshot *snapshot)
{
    const struct rule_set *old = previous != NULL ? screen_policy_rules(previous->policy) : NULL;
    const char *const *paths = sources->rules;
    size_t count = sources->rule_count;
    struct rule_set *rules = NULL;
    int error = 0;
    if (paths == NULL) {
        error = rule_paths(sources->path, snapshot, &paths);
        count = snapshot->settings.rules.count;
    }
    if (error == 0)
        error = rule_set_reload(&screen_catalogue, paths, count, old, report, &rules);
    if (error == 0 && !sound)
        error = ERROR_CONFIG;
    if (error == 0)
        error = screen_policy_create(&snapshot->settings.screening, rules, registry, ledger, report,
                                     &snapshot->policy);
    if (error != 0)
        rule_set_destroy(rules);
    return error;
}

static int load(const struct sources *sources, const struct daemon_snapshot *previous,
                struct stats_registry *registry, struct screen_ledger *ledger,
                struct tp_resolver *resolver, struct conf_report *report,
                struct daemon_snapshot **snapshot)
{
    int error = -ENOMEM;
    bool sound = false;
    struct daemon_snapshot *created = calloc(1, sizeof(*created));
    if (created == NULL)
        goto out;
    error = arena_create(ARENA_CHUNK, 0, &created->arena);
    if (error == 0)
        error = load_settings(sources->path, report, created);
    sound = error == 0;
    if (sound || error == ERROR_CONFIG)
        error = load_rules(sources, sound, previous, registry, ledger, report, created);
    if (error == 0)
        error = proxy_plan_create(&created->settings.proxy, screen_policy_rules(created->policy),
                                  registry, ledger, resolver, report, &created->plan);
    if (error != 0)
        goto out;
    created->proxy = (struct proxy_snapshot){
        .plan = created->plan,
        .policy = created->policy,
        .limits = &created->settings.proxy.limits,
    };
    *snapshot = created;
    created = NULL;
out:
    daemon_snapshot_destroy(created);
    return error;
}

int daemon_snapshot_load(const char *path, const struct daemon_snapshot *previous,
                         struct stats_registry *registry, struct screen_ledger *ledger,
                         struct tp_resolver *resolver, struct conf_report *report,
                         struct daemon_snapshot **snapshot)
{
    const struct sources sources = {.path = path};
    return load(&sources, previous, registry, ledger, resolver, report, snapshot);
}

int daemon_snapshot_try(const char *path, const char *const *rules, size_t rule_count,
                        struct conf_report *report, struct daemon_snapshot **snapshot)
{
    const struct sources sources = {path, rules, rule_count};
    return load(&sources, NULL, NULL, NULL, NULL, report, snapshot);
}

void daemon_snapshot_destroy(struct daemon_snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    proxy_plan_destroy(snapshot->plan);
    screen_policy_destroy(snapshot->policy);
    arena_destroy(snapshot->arena);
    free(snapshot);
}
