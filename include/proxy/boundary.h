/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boundary: what of a message that says who somebody is crosses a trunk, and in which form.
 *
 * A trunk is a border of the trust domain of RFC 3325. What came in by it is treated as its `in`
 * side says, what leaves by it as its `out` side says; the stricter of the two counts. Screening
 * has read the message before anything is taken away.
 */
#ifndef RINGFENCE_PROXY_BOUNDARY_H
#define RINGFENCE_PROXY_BOUNDARY_H

#include <stdbool.h>
#include <stdint.h>

#include "config/schema.h"

/*
 * X(identifier, key, family of choices, help, what by_trust means: in and out of a trusted trunk,
 * in and out of another)
 */
#define PROXY_BOUNDARY_TABLE(X)                                                                 \
    X(ASSERTED, "asserted", ASSERTION, "P-Asserted-Identity (RFC 3325).", KEEP, KEEP, REMOVE,   \
      PRIVACY)                                                                                  \
    X(REMOTE_PARTY, "remote_party", ASSERTION, "Remote-Party-ID, its forerunner.", KEEP, KEEP,  \
      REMOVE, PRIVACY)                                                                          \
    X(PREFERRED, "preferred", PLAIN,                                                            \
      "P-Preferred-Identity (RFC 3325), meant for the first proxy of a user only.", KEEP, KEEP, \
      REMOVE, REMOVE)                                                                           \
    X(PRIVACY, "privacy", PLAIN, "Privacy (RFC 3323).", KEEP, KEEP, KEEP, KEEP)                 \
    X(IDENTITY, "identity", PLAIN, "Identity (RFC 8224); kept, it is the same byte for byte.",  \
      KEEP, KEEP, KEEP, KEEP)                                                                   \
    X(VERSTAT, "verstat", PLAIN,                                                                \
      "The parameter verstat (3GPP TS 24.229) in From, P-Asserted-Identity and "                \
      "Remote-Party-ID.",                                                                       \
      KEEP, KEEP, REMOVE, REMOVE)                                                               \
    X(TAGS, "tags", PLAIN, "Our own tag headers: score_header, reason_header and type_header.", \
      KEEP, KEEP, REMOVE, KEEP)

enum proxy_boundary_kind {
#define PROXY_BOUNDARY_ROW(identifier, ...) PROXY_BOUNDARY_##identifier,
    PROXY_BOUNDARY_TABLE(PROXY_BOUNDARY_ROW)
#undef PROXY_BOUNDARY_ROW
        PROXY_BOUNDARY_COUNT
};

enum proxy_treatment {
    PROXY_TREATMENT_BY_TRUST,
    PROXY_TREATMENT_KEEP,
    PROXY_TREATMENT_REMOVE,
    PROXY_TREATMENT_PRIVACY,   /* out: removed where Privacy says `id` */
    PROXY_TREATMENT_NORMALISE, /* in: numbers are written in E.164 */
};

/* One side of a trunk's `boundary`. */
struct proxy_boundary_side {
    int treatments[PROXY_BOUNDARY_COUNT]; /* enum proxy_treatment */
    int critical;                         /* out only; not 0: refused */
};

/* A trunk's `boundary`. */
struct proxy_boundary_settings {
    struct proxy_boundary_side in;
    struct proxy_boundary_side out;
};

extern const struct conf_section proxy_boundary_section;

/* The same without BY_TRUST, for the call path. */
struct proxy_boundary {
    uint8_t in[PROXY_BOUNDARY_COUNT];
    uint8_t out[PROXY_BOUNDARY_COUNT];
    bool refuse_critical;
};

void proxy_boundary_resolve(const struct proxy_boundary_settings *settings, bool trusted,
                            struct proxy_boundary *boundary);

/* The key of a row. */
const char *proxy_boundary_key(enum proxy_boundary_kind kind);

#endif
