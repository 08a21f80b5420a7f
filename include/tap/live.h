/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live: packets of a network interface, by libpcap; one owner thread.
 *
 * Without ports everything is taken and SIP is found by what it looks like. With ports the kernel
 * filters, and lets through what has no ports to be filtered by: the fragments behind a datagram's
 * first, and tunnels, whose ports lie deeper.
 */
#ifndef RINGFENCE_TAP_LIVE_H
#define RINGFENCE_TAP_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "tap/path.h"

/*
 * The filter (pcap-filter(7)) for these ports: UDP and TCP on them; IPv4 fragments but the first,
 * all IPv6 fragments; IP in IP, GRE, GTP-U, VXLAN, MPLS, PPPoE; the same behind one and two VLAN
 * tags.
 */
void tap_filter_append(struct buffer *filter, const uint16_t *ports, size_t count);

struct tap_live_settings {
    const char *interface; /* "any" for all */
    const char *filter;    /* pcap-filter(7); "" for everything */
    uint32_t snap_length;
    uint32_t buffer_bytes; /* of the kernel's ring */
    bool promiscuous;
};

struct tap_live;

/* Says in `message` what is wrong. -EPERM: CAP_NET_RAW is missing; -EINVAL: the filter is wrong;
 * ERROR_UNAVAILABLE: the interface is not there or down. */
int tap_live_open(const struct tap_live_settings *settings, char *message, size_t capacity,
                  struct tap_live **live) MUST_CHECK;

/* Readable when packets are there; changes for another opening only. */
int tap_live_descriptor(const struct tap_live *live);

/*
 * Gives at most `limit` packets that are there to the path. Returns how many, or
 * ERROR_UNAVAILABLE with the reason in `message` when the interface is gone.
 */
int tap_live_read(struct tap_live *live, struct tap_path *path, int limit, char *message,
                  size_t capacity) MUST_CHECK;

/* False: it is there and set down; capturing goes on by itself when it is up again. */
bool tap_live_is_up(const struct tap_live *live);

/* Since the opening. */
struct tap_live_figures {
    uint64_t received; /* that passed the filter */
    uint64_t dropped;  /* by the kernel, for want of room in the ring */
    uint64_t dropped_by_interface;
};

void tap_live_figures(struct tap_live *live, struct tap_live_figures *figures);

/* NULL is allowed. */
void tap_live_close(struct tap_live *live);

#endif
