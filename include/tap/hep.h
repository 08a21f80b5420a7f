/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hep: what a capture agent reports of a packet: HEP version 3, as heplify, Kamailio's siptrace and
 * drachtio send it over UDP, and one behind another over TCP.
 */
#ifndef RINGFENCE_TAP_HEP_H
#define RINGFENCE_TAP_HEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "transport/address.h"

enum { TAP_HEP_HEADER = 6, TAP_HEP_SIP = 1, TAP_HEP_MAX = 65535 };

struct tap_hep {
    struct tp_address source;
    struct tp_address destination;
    uint64_t wall_us;     /* 0: the agent did not say */
    uint8_t protocol;     /* of IP; 0: not said */
    uint8_t kind;         /* TAP_HEP_SIP; others are RTCP, logs and more */
    bool packed;          /* the payload is compressed by zlib */
    struct slice payload; /* within the packet */
};

/* The length of the packet that the bytes begin with. ERROR_INCOMPLETE: fewer than TAP_HEP_HEADER
 * bytes; ERROR_MALFORMED: no HEP, or not version 3. */
int tap_hep_length(struct slice bytes, uint32_t *length) MUST_CHECK;

/* A whole packet. ERROR_MALFORMED: lengths that lie, addresses or payload missing. */
int tap_hep_parse(struct slice bytes, struct tap_hep *hep) MUST_CHECK;

#endif
