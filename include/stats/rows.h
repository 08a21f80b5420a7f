/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows: what is counted, each as one row, from which code and documentation derive.
 */
#ifndef RINGFENCE_STATS_ROWS_H
#define RINGFENCE_STATS_ROWS_H

#include "stats/trunk_rows.h"

/* X(identifier, name, help) */
#define STATS_COUNTER_TABLE(X)                                                                     \
    X(DATAGRAMS_RECEIVED, "datagrams_received", "datagrams received on SIP sockets")               \
    X(DATAGRAMS_SENT, "datagrams_sent", "datagrams handed to the kernel")                          \
    X(DATAGRAMS_HANDED_OVER, "datagrams_handed_over", "messages passed to the owning worker")      \
    X(DATAGRAMS_FRAGMENTED, "datagrams_fragmented", "datagrams sent that exceed 1472 bytes")       \
    X(RING_FULL, "ring_full", "messages lost or held up as the ring to a worker was full")         \
    X(SEND_FAILED, "send_failed", "messages that could not be sent")                               \
    X(UDP_BECAME_TCP, "udp_became_tcp", "requests sent by TCP as they are too large for UDP")      \
    X(TCP_BECAME_UDP, "tcp_became_udp", "of these, sent by UDP again as TCP could not be had")     \
    X(TOO_LARGE_FOR_UDP, "too_large_for_udp", "requests refused as they are too large for UDP")    \
    X(STREAM_RECEIVED, "stream_received", "messages received over connections")                    \
    X(STREAM_SENT, "stream_sent", "messages written to connections")                               \
    X(CONNECTIONS_ACCEPTED, "connections_accepted", "connections that peers opened")               \
    X(CONNECTIONS_OPENED, "connections_opened", "connections that were opened to peers")           \
    X(CONNECTION_QUEUE_FULL, "connection_queue_full", "messages for which a connection was full")  \
    X(PINGS_RECEIVED, "pings_received", "keep-alives of peers on connections, answered")           \
    X(PINGS_SENT, "pings_sent", "keep-alives sent on connections")                                 \
    X(ICMP_ERRORS, "icmp_errors", "reports by ICMP about datagrams sent")                          \
    X(UNKNOWN_SOURCE, "unknown_source", "datagrams from addresses of no trunk, met with silence")  \
    X(REQUESTS, "requests", "well-formed requests from trunks")                                    \
    X(RESPONSES, "responses", "well-formed responses from trunks")                                 \
    X(RETRANSMISSIONS_IN, "retransmissions_in", "repeated requests and responses absorbed")        \
    X(RETRANSMISSIONS_OUT, "retransmissions_out", "requests and responses sent again by a timer")  \
    X(CALLS, "calls", "initial INVITEs that were judged")                                          \
    X(CALLS_WITHOUT_RECORD, "calls_without_record", "calls without a record: the table was full")  \
    X(CALLS_ANSWERED, "calls_answered", "calls answered by a 2xx")                                 \
    X(CALLS_ENDED, "calls_ended", "call records that ended")                                       \
    X(CALLS_ENDED_BYE, "calls_ended_bye", "calls ended by BYE")                                    \
    X(CALLS_ENDED_FAILED, "calls_ended_failed", "calls that ended without an answer")              \
    X(CALLS_ENDED_GONE, "calls_ended_gone", "calls ended by 481 or 408 within the dialog")         \
    X(CALLS_ENDED_EXPIRED, "calls_ended_expired", "calls ended by Session-Expires")                \
    X(CALLS_ENDED_MAXIMUM, "calls_ended_maximum", "calls ended by max_call")                       \
    X(VERDICTS_DEGRADED, "verdicts_degraded", "verdicts given with an input missing by fault")     \
    X(VERDICTS_PARKED, "verdicts_parked", "verdicts that had to wait for an input")                \
    X(VERDICTS_DEADLINE, "verdicts_deadline", "verdicts given at the deadline")                    \
    X(PARKED_REFUSED, "parked_refused", "verdicts not parked because of the limit")                \
    X(EMERGENCY_CALLS, "emergency_calls", "calls to emergency numbers")                            \
    X(CALLS_REFUSED_OVERLOAD, "calls_refused_overload", "new calls refused under overload")        \
    X(TAG_HEADERS_REMOVED, "tag_headers_removed", "our own tag headers removed from untrusted")    \
    X(STATELESS_RESPONSES, "stateless_responses", "responses of earlier lives passed on")          \
    X(STATELESS_CANCELS, "stateless_cancels", "CANCELs of earlier lives passed on")                \
    X(PASSED_BACK, "passed_back", "messages of the process before, passed to it in an upgrade")    \
    X(STRAY_RESPONSES, "stray_responses", "responses that match nothing and do not verify")        \
    X(STRAY_ACKS, "stray_acks", "ACKs dropped because their route does not verify")                \
    X(FORGED_ROUTES, "forged_routes", "requests whose Record-Route mark does not verify")          \
    X(LOOPS, "loops", "requests refused by Max-Forwards or loop detection")                        \
    X(NO_ROUTE, "no_route", "requests for which no route exists")                                  \
    X(UNRESOLVED, "unresolved", "requests refused because no target of their trunk resolves")      \
    X(FAILOVERS, "failovers", "requests sent to another target after one had failed")              \
    X(LATE_ANSWERS, "late_answers", "answers of targets that their calls had left")                \
    X(TARGETS_DOWN, "targets_down", "times that a target was marked down")                         \
    X(TARGETS_AVOIDED, "targets_avoided", "times that a target asked for it by Retry-After")       \
    X(THROTTLED, "throttled", "new requests refused as all targets had asked for fewer")           \
    X(TARGETS_THROTTLED, "targets_throttled", "times that a target began to ask for fewer")        \
    X(TARGETS_PASSED_OVER, "targets_passed_over", "new requests that went past such a target")     \
    X(OVERLOAD_MALFORMED, "overload_malformed", "overload values of targets that make no sense")   \
    X(OVERLOAD_STALE, "overload_stale", "overload values of targets that came out of order")       \
    X(ALL_DOWN, "all_down", "requests refused because no target of their trunk serves")            \
    X(PROBES, "probes", "OPTIONS sent to targets")                                                 \
    X(PROBES_FAILED, "probes_failed", "OPTIONS without an answer that counts")                     \
    X(DNS_QUERIES, "dns_queries", "questions asked to DNS servers")                                \
    X(DNS_FAILED, "dns_failed", "questions that no DNS server answered properly")                  \
    X(DNS_CHANGES, "dns_changes", "times that a name of a trunk came to mean other targets")       \
    X(DNS_STALE, "dns_stale", "times that targets were kept beyond their TTL as DNS failed")       \
    X(FOREIGN_NEXT_HOP, "foreign_next_hop", "requests refused for a next hop outside the trunk")   \
    X(SIPS_REFUSED, "sips_refused", "requests for sips: refused as their trunk has no TLS")        \
    X(TIMER_C, "timer_c", "INVITEs ended by Timer C")                                              \
    X(TRANSACTIONS_REFUSED, "transactions_refused", "requests refused because a table is full")    \
    X(REGEX_LIMIT, "regex_limit", "regular expressions stopped at their match limit")              \
    X(REGEX_SKIPPED, "regex_skipped", "regular expressions left unknown under overload")           \
    X(RULES_DEMOTED, "rules_demoted", "times that a rule beyond its budget dropped to shadow")     \
    X(EVENTS, "events", "event lines made: single events and aggregates")                          \
    X(EVENTS_AGGREGATED, "events_aggregated", "events told only by the count of an aggregate")     \
    X(EVENTS_LOST, "events_lost", "event records lost because the ring was full")                  \
    X(LABELS_REFUSED, "labels_refused", "names that found their family full: they count as other") \
    X(TAP_PACKETS, "tap_packets", "packets that the tap has read")                                 \
    X(TAP_MESSAGES, "tap_messages", "SIP messages that the tap has found, each counted once")      \
    X(TAP_HEP, "tap_hep", "HEP packets from capture agents")                                       \
    X(TAP_HEP_REFUSED, "tap_hep_refused", "HEP from other sources, or malformed")                  \
    X(TAP_NOT_JUDGED, "tap_not_judged", "calls that the tap saw of no trunk, or malformed")        \
    X(TAP_KERNEL_DROPPED, "tap_kernel_dropped", "packets that the kernel had no room for")         \
    X(TAP_INTERFACE_LOST, "tap_interface_lost", "times that an interface of the tap was lost")

enum stats_counter {
#define STATS_COUNTER_ROW(identifier, name, help) STATS_##identifier,
    STATS_COUNTER_TABLE(STATS_COUNTER_ROW)
#undef STATS_COUNTER_ROW
        STATS_COUNTER_COUNT
};

/* X(identifier, name, label name, capacity, help). The last label of a full family is "other". */
#define STATS_FAMILY_TABLE(X)                                                               \
    STATS_TRUNK_TABLE(X)                                                                    \
    X(VERDICTS, "verdicts", "action", 16, "verdicts by action")                             \
    X(RULES, "rules", "rule", 16384, "calls on which an enforced rule fired")               \
    X(RULES_SHADOW, "rules_shadow", "rule", 16384, "calls on which a shadow rule fired")    \
    X(RULES_COST, "rules_cost_ns", "rule", 16384, "time that measured evaluations took")    \
    X(RULES_MEASURED, "rules_measured", "rule", 16384, "evaluations that were measured")    \
    X(TYPES, "types", "type", 256, "tagged, diverted and blocked calls by scam type")       \
    X(LIMITED, "limited", "limit", 16, "calls refused by a limit of a trunk, by limit")     \
    X(CONNECTIONS_CLOSED, "connections_closed", "reason", 64,                               \
      "connections closed, refused or not established by reason")                           \
    X(MALFORMED, "malformed", "reason", 64, "messages refused or dropped by reason")        \
    X(REFUSED, "refused", "code", 64, "final codes that this program answered itself")      \
    X(BOUNDARY, "boundary", "header", 16,                                                   \
      "messages that crossed a trust boundary without, or with another, header")            \
    X(REASONS, "reasons", "reason", 64, "verdicts by the authority that decided")           \
    X(DEGRADED, "degraded", "cause", 8, "degraded verdicts by the input that was missing")  \
    X(CALLER_COUNTRY, "caller_country", "country", 320, "calls by the caller's country")    \
    X(CALLEE_COUNTRY, "callee_country", "country", 320, "calls by the callee's country")    \
    X(CALLER_REGION, "caller_region", "region", 64, "calls by the caller's region")         \
    X(CALLEE_REGION, "callee_region", "region", 64, "calls by the callee's region")         \
    X(CALLER_KIND, "caller_kind", "kind", 16, "calls by the kind of the caller's number")   \
    X(CALLEE_KIND, "callee_kind", "kind", 16, "calls by the kind of the callee's number")   \
    X(SINK_DELIVERED, "sink_delivered", "sink", 32, "event lines that a sink has accepted") \
    X(SINK_LOST, "sink_lost", "sink", 32, "event lines that the spool no longer had")       \
    X(SINK_FAILURES, "sink_failures", "sink", 32, "deliveries that failed and were tried again")

enum stats_family {
#define STATS_FAMILY_ROW(identifier, name, label, capacity, help) STATS_FAMILY_##identifier,
    STATS_FAMILY_TABLE(STATS_FAMILY_ROW)
#undef STATS_FAMILY_ROW
        STATS_FAMILY_COUNT
};

/* X(identifier, family): when a label of that family last counted; seconds since 1970. */
#define STATS_MOMENT_TABLE(X) X(RULE_HIT, RULES)

enum stats_moment {
#define STATS_MOMENT_ROW(identifier, family) STATS_MOMENT_##identifier,
    STATS_MOMENT_TABLE(STATS_MOMENT_ROW)
#undef STATS_MOMENT_ROW
        STATS_MOMENT_COUNT
};

/*
 * X(identifier, name, first, last, help): values in nanoseconds, log-linear buckets of 1/16
 * relative width. 2^first to 2^last is the range within which OpenMetrics tells buckets apart;
 * beyond it nothing is lost in the stream.
 */
#define STATS_HISTOGRAM_TABLE(X)                                                                   \
    X(SCREENING, "screening", 9, 27, "time spent on features, rules and score of a call")          \
    X(FORWARDING, "forwarding", 12, 30, "from the receipt of an initial INVITE to its forwarding") \
    X(POST_DIAL_DELAY, "post_dial_delay", 20, 37,                                                  \
      "from the INVITE of a call to its ringing or answer")                                        \
    X(CALL_DURATION, "call_duration", 30, 44, "from the answer of a call to its end")              \
    X(STAGE_SCAN, "stage_scan", 8, 24, "time to scan a message (of one in 61)")                    \
    X(STAGE_DECODE, "stage_decode", 8, 24, "time to decode a new call's headers (of one in 61)")   \
    X(STAGE_FEATURES, "stage_features", 8, 27,                                                     \
      "time for its numbers and reputation (of one in 61)")                                        \
    X(STAGE_RULES, "stage_rules", 8, 27, "time from there to the verdict (of one in 61)")          \
    X(STAGE_FORWARD, "stage_forward", 8, 27, "time to send its INVITE on (of one in 61)")

enum stats_histogram {
#define STATS_HISTOGRAM_ROW(identifier, name, first, last, help) STATS_HISTOGRAM_##identifier,
    STATS_HISTOGRAM_TABLE(STATS_HISTOGRAM_ROW)
#undef STATS_HISTOGRAM_ROW
        STATS_HISTOGRAM_COUNT
};

/* X(identifier, name, help): a gauge is the sum over shards of what each reports last. */
#define STATS_GAUGE_TABLE(X)                                                                     \
    X(TRANSACTIONS, "transactions", "transactions that are not over")                            \
    X(TRANSACTIONS_LINGERING, "transactions_lingering", "records kept only for retransmissions") \
    X(CALLS_HELD, "calls_held", "call records held")                                             \
    X(CALLS_PARKED, "calls_parked", "calls waiting for a pending input")                         \
    X(TRANSACTION_BYTES, "transaction_bytes", "message copies held by transactions")             \
    X(CONNECTIONS, "connections", "connections that are open")                                   \
    X(CONNECTION_BYTES, "connection_bytes", "parts of messages held by connections")             \
    X(WORKERS, "workers", "threads that take calls")                                             \
    X(OVERLOAD_PERCENT, "overload_percent", "per cent of new calls that are too many")           \
    X(DRAINING, "draining", "1 while new calls are refused: by drain, or before a stop")         \
    X(RULES_LOADED, "rules_loaded", "rules in force")                                            \
    X(RELOAD_FAILED, "reload_failed", "1 while the latest reload was refused")                   \
    X(REPUTATION_NUMBERS, "reputation_numbers", "numbers in the replica")                        \
    X(REPUTATION_PREFIXES, "reputation_prefixes", "prefixes in the replica")                     \
    X(REPUTATION_UNREACHABLE, "reputation_unreachable",                                          \
      "1 while the configured Redis is not connected")                                           \
    X(REPUTATION_NOT_LOADED, "reputation_not_loaded", "1 while no reputation was ever loaded")   \
    X(REPUTATION_HELD, "reputation_held",                                                        \
      "1 while a change of too many entries waits for acceptance")

enum stats_gauge {
#define STATS_GAUGE_ROW(identifier, name, help) STATS_GAUGE_##identifier,
    STATS_GAUGE_TABLE(STATS_GAUGE_ROW)
#undef STATS_GAUGE_ROW
        STATS_GAUGE_COUNT
};

#endif
