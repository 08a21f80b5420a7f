/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot: configuration and rules, parsed, validated and compiled into one immutable object.
 */
#ifndef RINGFENCE_DAEMON_SNAPSHOT_H
#define RINGFENCE_DAEMON_SNAPSHOT_H

#include "daemon/settings.h"
#include "proxy/proxy.h"

struct daemon_snapshot {
    struct arena *arena;
    struct daemon_settings settings;
    struct screen_policy *policy;
    struct proxy_plan *plan;
    struct proxy_snapshot proxy; /* what workers read */
};

/*
 * Reads the configuration file and the rule files that it names. ERROR_CONFIG with the problems in
 * the report; nothing else has changed then. registry, ledger and resolver may be NULL (a check
 * only) and outlive the snapshot. Lists that have not changed since `previous` (NULL: none) are
 * shared with it, not read again.
 */
int daemon_snapshot_load(const char *path, const struct daemon_snapshot *previous,
                         struct stats_registry *registry, struct screen_ledger *ledger,
                         struct tp_resolver *resolver, struct conf_report *report,
                         struct daemon_snapshot **snapshot) MUST_CHECK;

/* For what is not the daemon: the same, nothing counted, with other rule files than the
 * configuration names; rules == NULL: with those. */
int daemon_snapshot_try(const char *path, const char *const *rules, size_t rule_count,
                        struct conf_report *report, struct daemon_snapshot **snapshot) MUST_CHECK;

/* NULL is allowed. */
void daemon_snapshot_destroy(struct daemon_snapshot *snapshot);

#endif
