/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overload: the overload control parameters of Via (RFC 7339 section 4, RFC 7415 section 3.2).
 *
 * A client writes "oc" without value and the algorithms that it has; the server puts what it asks
 * for into the same Via of its responses. They mean something between two neighbours only.
 */
#ifndef RINGFENCE_MESSAGE_OVERLOAD_H
#define RINGFENCE_MESSAGE_OVERLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

/* X(identifier, word, bit): registered values of oc-algo; others are passed over. */
#define SMSG_OVERLOAD_TABLE(X) \
    X(LOSS, "loss", 1)         \
    X(RATE, "rate", 2)

enum smsg_overload_algorithm {
    SMSG_OVERLOAD_NONE,
#define SMSG_OVERLOAD_ROW(identifier, word, bit) SMSG_OVERLOAD_##identifier = (bit),
    SMSG_OVERLOAD_TABLE(SMSG_OVERLOAD_ROW)
#undef SMSG_OVERLOAD_ROW
};

const char *smsg_overload_word(enum smsg_overload_algorithm algorithm);

/* Section 4.3: what holds when a response says nothing of it. */
#define SMSG_OVERLOAD_VALIDITY_MS 500

struct smsg_overload {
    bool offered;            /* "oc" without value: by a client */
    bool told;               /* "oc" with a value: by a server */
    bool sequenced;          /* "oc-seq" is there */
    uint8_t algorithms;      /* bits of enum smsg_overload_algorithm */
    uint8_t algorithm_count; /* names in oc-algo, those that nobody knows included */
    uint32_t value;          /* loss: per cent; rate: requests per second */
    uint32_t validity_ms;
    uint64_t sequence; /* in units of 1/100,000 */
};

/* Of one Via value. ERROR_MALFORMED for what the grammar of section 9 does not have, a parameter
 * that occurs twice, and numbers beyond 32 bits. */
int smsg_overload_read(struct slice via, struct smsg_overload *overload) MUST_CHECK;

/* Parameters that one line of Via may have and that are found. */
#define SMSG_OVERLOAD_RUNS 16

/* Where they stand in the value of a Via line, several values in it included: each from its ';' on.
 * Returns how many; those beyond SMSG_OVERLOAD_RUNS are not found. */
size_t smsg_overload_find(struct slice vias, struct slice runs[SMSG_OVERLOAD_RUNS]);

/* Takes them off the Via value that the buffer has from `begun` on. */
void smsg_overload_strip(struct buffer *text, size_t begun);

#endif
