/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk: from a captured frame down to UDP, TCP or an IP fragment, through whatever is around it.
 *
 * Link layers and tunnels are taken off one after another: VLAN tags, MPLS, PPPoE, IP in IP, GRE
 * (ERSPAN too), GTP-U, VXLAN. Addresses are those of the innermost IP header. Nothing is copied.
 */
#ifndef RINGFENCE_TAP_WALK_H
#define RINGFENCE_TAP_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "tap/counts.h"
#include "transport/address.h"

/* X(identifier, number, name): what frames of a capture begin with; the number is libpcap's. */
#define TAP_LINK_TABLE(X)            \
    X(NULL, 0, "BSD loopback")       \
    X(ETHERNET, 1, "Ethernet")       \
    X(RAW, 12, "raw IP")             \
    X(RAW_BSD, 14, "raw IP")         \
    X(RAW_FILE, 101, "raw IP")       \
    X(LOOP, 108, "OpenBSD loopback") \
    X(COOKED, 113, "Linux cooked")   \
    X(IPV4, 228, "raw IPv4")         \
    X(IPV6, 229, "raw IPv6")         \
    X(COOKED_V2, 276, "Linux cooked version 2")

enum tap_link {
#define TAP_LINK_ROW(identifier, number, name) TAP_LINK_##identifier,
    TAP_LINK_TABLE(TAP_LINK_ROW)
#undef TAP_LINK_ROW
        TAP_LINK_COUNT
};

/* False: frames of that kind are not understood. */
bool tap_link_of(int number, enum tap_link *link);
int tap_link_number(enum tap_link link);
const char *tap_link_name(enum tap_link link);

enum tap_step {
    TAP_STEP_NOTHING, /* walk->why says why */
    TAP_STEP_UDP,
    TAP_STEP_TCP,
    TAP_STEP_FRAGMENT, /* join it (tap/fragments.h), then tap_walk_resume() */
};

/* Where a fragment belongs. */
struct tap_fragment {
    uint32_t identification;
    uint32_t offset; /* bytes */
    uint8_t protocol;
    bool more;
};

struct tap_segment {
    uint32_t sequence;
    uint8_t flags; /* enum tap_tcp_flag */
};

enum tap_tcp_flag { TAP_TCP_FIN = 1, TAP_TCP_SYN = 2, TAP_TCP_RST = 4 };

struct tap_walk {
    struct slice rest; /* of the datagram, segment or fragment: what it carries */
    uint32_t missing;  /* bytes that follow but were not captured */
    uint8_t layer;
    uint8_t depth;
    enum tap_count why;
    struct tp_address source; /* ports: of UDP and TCP */
    struct tp_address destination;
    struct tap_fragment fragment;
    struct tap_segment segment;
};

void tap_walk_begin(struct tap_walk *walk, enum tap_link link, struct slice frame);

/* Down to the next thing that the caller has to look at. UDP that carries a tunnel is not such. */
enum tap_step tap_walk_next(struct tap_walk *walk);

/* After TAP_STEP_FRAGMENT: goes on with what the datagram carries. */
void tap_walk_resume(struct tap_walk *walk, struct slice joined);

#endif
