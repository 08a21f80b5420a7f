/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trunk_rows: the families of stats/rows.h that are counted by trunk.
 */
#ifndef RINGFENCE_STATS_TRUNK_ROWS_H
#define RINGFENCE_STATS_TRUNK_ROWS_H

/* X(identifier, name, label name, capacity, help) */
#define STATS_TRUNK_TABLE(X)                                                                       \
    X(TRUNK_CALLS_IN, "trunk_calls_in", "trunk", 1024, "initial INVITEs by ingress trunk")         \
    X(TRUNK_CALLS_OUT, "trunk_calls_out", "trunk", 1024, "INVITEs sent by egress trunk")           \
    X(TRUNK_BLOCKED, "trunk_blocked", "trunk", 1024, "blocked calls by ingress trunk")             \
    X(TRUNK_OVER_BUDGET, "trunk_over_budget", "trunk", 1024,                                       \
      "calls that a list would have blocked but for the budget of their ingress trunk")            \
    X(TRUNK_LIMITED, "trunk_limited", "trunk", 1024, "calls refused by a limit of the trunk")      \
    X(TRUNK_THROTTLED, "trunk_throttled", "trunk", 1024,                                           \
      "new requests refused as all targets of their egress trunk had asked for fewer")             \
    X(TRUNK_OVERLOAD_TOLD, "trunk_overload_told", "trunk", 1024,                                   \
      "responses that asked a trunk for fewer requests")                                           \
    X(TRUNK_ENDED, "trunk_ended", "trunk", 1024, "calls by egress trunk that are over")            \
    X(TRUNK_EFFECTIVE, "trunk_effective", "trunk", 1024,                                           \
      "calls over that were answered, busy, not answered, declined or given up (E.425)")           \
    X(TRUNK_HEARD, "trunk_heard", "trunk", 1024, "calls over that had rung or been answered")      \
    X(TRUNK_DELAY_MS, "trunk_delay_ms", "trunk", 1024,                                             \
      "the sum of their post-dial delays in milliseconds")                                         \
    X(TRUNK_TALKED, "trunk_talked", "trunk", 1024, "calls over that had been answered")            \
    X(TRUNK_TALK_MS, "trunk_talk_ms", "trunk", 1024, "the sum of their durations in milliseconds") \
    X(TRUNK_ANSWERED, "trunk_answered", "trunk", 1024, "answered calls by egress trunk")           \
    X(TRUNK_CONNECTIONS, "trunk_connections", "trunk", 1024,                                       \
      "connections accepted from a trunk and opened to it")                                        \
    X(TRUNK_FAILOVERS, "trunk_failovers", "trunk", 1024,                                           \
      "requests that went to another target of their egress trunk after one had failed")

#endif
