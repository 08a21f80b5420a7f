/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls: certificates and what is asked of the peer's, for TLS 1.2 and 1.3 (OpenSSL behind it).
 *
 * A tp_tls is immutable and shared: connections hold it as long as they last, so a reload replaces
 * it for those that begin later and disturbs none. Names are checked as RFC 5922 section 7 says: a
 * subjectAltName that is a sip: URI without user, a DNS name, or (beyond the RFC, for trunks that
 * are addresses) an IP address; without case, without wildcards. The common name counts only where
 * there is no such subjectAltName at all.
 */
#ifndef RINGFENCE_TRANSPORT_TLS_H
#define RINGFENCE_TRANSPORT_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

#define TP_TLS_PROBLEM_BYTES 512
#define TP_TLS_NAME_LIMIT    16

struct tp_tls_settings {
    const char *certificate;   /* PEM: our own first, then those between it and the root */
    const char *key;           /* PEM; NULL: in the same file */
    const char *authorities;   /* PEM: whom we trust; NULL: whom the system trusts */
    const struct slice *names; /* any of these is the peer; none: the host that is dialled */
    size_t name_count;
    bool mutual; /* who connects to us must show a certificate for one of the names */
};

/* Which of the settings is at fault. */
enum tp_tls_fault { TP_TLS_FAULT_CERTIFICATE, TP_TLS_FAULT_KEY, TP_TLS_FAULT_AUTHORITIES };

struct tp_tls_problem {
    enum tp_tls_fault fault;
    char text[TP_TLS_PROBLEM_BYTES]; /* what is wrong, with the file's name */
};

struct tp_tls;

/* Reads the files. On ERROR_CONFIG *problem says what is wrong. */
int tp_tls_create(const struct tp_tls_settings *settings, struct tp_tls_problem *problem,
                  struct tp_tls **tls) MUST_CHECK;

/* Another reference, to be released. Any thread. */
struct tp_tls *tp_tls_share(struct tp_tls *tls);
/* NULL is allowed. */
void tp_tls_release(struct tp_tls *tls);

/* When our own certificate ends, in seconds since 1970. */
long long tp_tls_expires(const struct tp_tls *tls);

#endif
