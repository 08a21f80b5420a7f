/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redirect: a trunk whose peer only asks. Its INVITEs are judged like any, and answered at once by
 * a final response that says what to do with the call; no call passes through (RFC 3261
 * section 8.3).
 */
#ifndef RINGFENCE_PROXY_REDIRECT_H
#define RINGFENCE_PROXY_REDIRECT_H

#include <stdbool.h>

#include "config/schema.h"

/* `block`: as the rule or the list has it, or this whatever they have. */
enum proxy_redirect_block {
    PROXY_REDIRECT_AS_DECIDED,
    PROXY_REDIRECT_403,
    PROXY_REDIRECT_603,
    PROXY_REDIRECT_603_PLUS,
    PROXY_REDIRECT_608,
};

/* Where a 302 says that the call shall go. */
enum proxy_redirect_contact {
    PROXY_REDIRECT_TO_ROUTE,   /* the callee at the target that the table of routes gives */
    PROXY_REDIRECT_TO_REQUEST, /* the Request-URI as it came */
};

/* A trunk's `redirect`. */
struct proxy_redirect_settings {
    bool present;
    int allow; /* status */
    int tag;   /* status */
    int block; /* enum proxy_redirect_block */
    int contact;
};

extern const struct conf_section proxy_redirect_section;

/* Whether a call may be answered with a Contact that the table of routes has to give. */
bool proxy_redirect_needs_route(const struct proxy_redirect_settings *settings);

#endif
