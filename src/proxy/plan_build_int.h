/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files that build a plan share: plan_build.c all of it, plan_transport.c by which
 * listeners trunks are reached, and with which certificates.
 */
#ifndef RINGFENCE_PROXY_PLAN_BUILD_INT_H
#define RINGFENCE_PROXY_PLAN_BUILD_INT_H

#include "plan_int.h"

struct proxy_builder {
    const struct proxy_settings *settings;
    struct stats_registry *registry;
    struct conf_report *report;
    struct proxy_plan *plan;
    struct tp_resolver *resolver;
    bool failed; /* reported */
};

#define proxy_complain(builder, ...)                                       \
    do {                                                                   \
        conf_report_add((builder)->report, CONF_ERROR, NULL, __VA_ARGS__); \
        (builder)->failed = true;                                          \
    } while (0)

/* Networks are compared by the first listener that names them. PROXY_ANY_NETWORK - 1: by none. */
uint32_t proxy_network_id(const struct proxy_settings *settings, struct slice name);

int proxy_build_listeners(struct proxy_builder *b) MUST_CHECK;
/* Before the trunk's targets. */
int proxy_build_transports(struct proxy_builder *b, const struct proxy_trunk_settings *from,
                           struct proxy_trunk *trunk) MUST_CHECK;
/* Complains where no listener can reach a target of this kind; family 0: any will do. */
void proxy_check_reach(struct proxy_builder *b, const struct proxy_trunk *trunk,
                       struct slice target, int protocol, int family);

#endif
