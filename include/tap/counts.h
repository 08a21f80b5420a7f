/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counts: what became of packets, each as one row. One owner thread.
 */
#ifndef RINGFENCE_TAP_COUNTS_H
#define RINGFENCE_TAP_COUNTS_H

#include <stdint.h>

/* X(identifier, key, text) */
#define TAP_COUNT_TABLE(X)                                                                      \
    X(PACKETS, "packets", "packets read")                                                       \
    X(BYTES, "bytes", "bytes of them that were captured")                                       \
    X(NOT_IP, "not_ip", "neither IPv4 nor IPv6 (ARP, spanning tree)")                           \
    X(ICMP, "icmp", "ICMP; the packets that it quotes are not looked at")                       \
    X(OTHER_PROTOCOL, "other_protocol", "IP of protocols that are not looked into")             \
    X(MALFORMED, "malformed", "headers that are cut or contradict themselves")                  \
    X(TOO_DEEP, "too_deep", "more layers within one another than are taken off")                \
    X(CUT, "cut", "packets that the snap length cut")                                           \
    X(FRAGMENTS, "fragments", "IP fragments")                                                   \
    X(FRAGMENTS_JOINED, "fragments_joined", "datagrams put together from fragments")            \
    X(FRAGMENTS_REPEATED, "fragments_repeated", "fragments that came twice")                    \
    X(FRAGMENTS_OVERLAP, "fragments_overlap", "datagrams given up: fragments overlap")          \
    X(FRAGMENTS_TOO_MANY, "fragments_too_many", "datagrams given up: too many, tiny fragments") \
    X(FRAGMENTS_EXPIRED, "fragments_expired", "datagrams given up: fragments did not come")     \
    X(FRAGMENTS_EVICTED, "fragments_evicted", "datagrams given up: no room for more")           \
    X(UDP_OTHER, "udp_other", "UDP that is not SIP")                                            \
    X(TCP_OTHER, "tcp_other", "TCP segments that are not SIP")                                  \
    X(TCP_FLOWS, "tcp_flows", "TCP directions that were followed")                              \
    X(TCP_FLOWS_EVICTED, "tcp_flows_evicted", "TCP directions given up: no room for more")      \
    X(TCP_REPEATED, "tcp_repeated", "TCP segments that came twice")                             \
    X(TCP_LATE, "tcp_late", "TCP segments that came out of order")                              \
    X(TCP_GAPS, "tcp_gaps", "holes in TCP directions that never closed")                        \
    X(TCP_BROKEN, "tcp_broken", "TCP directions in which no message could be found any more")   \
    X(MESSAGES, "messages", "SIP messages")                                                     \
    X(MESSAGES_BAD, "messages_bad", "of them malformed or cut")                                 \
    X(DUPLICATES, "duplicates", "messages seen before, on another interface or twice at once")  \
    X(OTHER_LEG, "other_leg", "messages seen before, on the other side of a proxy")

enum tap_count {
#define TAP_COUNT_ROW(identifier, key, text) TAP_##identifier,
    TAP_COUNT_TABLE(TAP_COUNT_ROW)
#undef TAP_COUNT_ROW
        TAP_COUNT_COUNT
};

struct tap_counts {
    uint64_t of[TAP_COUNT_COUNT];
};

struct tap_count_row {
    const char *key;
    const char *text;
};
extern const struct tap_count_row tap_count_rows[TAP_COUNT_COUNT];

static inline void tap_count(struct tap_counts *counts, enum tap_count count)
{
    counts->of[count]++;
}

#endif
