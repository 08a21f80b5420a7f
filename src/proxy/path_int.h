/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path_int: where a request goes (RFC 3261 sections 16.4 to 16.6), and by what it may.
 */
#ifndef RINGFENCE_PROXY_PATH_INT_H
#define RINGFENCE_PROXY_PATH_INT_H

#include "proxy_int.h"

/* ---- path.c ------------------------------------------------------------------------------- */
/* Sections 16.4 to 16.6: 0 with the path, or the status to refuse with (positive), or
 * PROXY_SILENCE. */
#define PROXY_SILENCE 1
int proxy_find_path(struct proxy *proxy, const struct proxy_request *request,
                    struct proxy_path *path) MUST_CHECK;
/* OPTIONS at ourselves: a Request-URI without user that names one of our addresses, and no Route
 * that leads further. */
bool proxy_is_for_us(struct proxy *proxy, const struct proxy_request *request);
/* Puts a path onto a trunk's target: target, listener, and a Request-URI that names us replaced. */
int proxy_path_to_trunk(struct proxy *proxy, const struct proxy_request *request,
                        const struct proxy_trunk *to, struct proxy_path *path) MUST_CHECK;

/* Section 19.1.2. */
uint16_t proxy_uri_port(const struct smsg_uri *uri);
/* By which listener a URI whose address is known is reached: by the transport that it names, else,
 * or where no listener has that, by the one that the trunk speaks there. -1: by none. The port that
 * nobody wrote becomes that transport's. */
int proxy_uri_listener(const struct proxy_trunk *to, const struct smsg_uri *uri,
                       struct tp_address *address);

/* The next hop is not one of the trunk's targets, or may be no other. */
void proxy_path_fix(struct proxy_path *path);

/* ---- sips.c ------------------------------------------------------------------------------- */
bool proxy_uri_is_sips(const struct smsg_uri *uri);
/* Whether the request may go to that trunk by TLS only. */
bool proxy_needs_tls(const struct proxy_request *request, const struct proxy_trunk *to,
                     const struct proxy_path *path);
/* Counts and logs it; the status. */
int proxy_refuse_sips(struct proxy *proxy, const struct proxy_request *request,
                      const struct proxy_trunk *to);
/* 0, or the status to refuse with when it would go by something else than it may. */
int proxy_check_sips(struct proxy *proxy, const struct proxy_request *request,
                     const struct proxy_path *path);
/* The URI with the scheme of the message's Request-URI where both are sip: or sips:, in the scratch
 * when it has to be changed: nothing is downgraded to sip:, nor upgraded to sips: (RFC 5630 section
 * 5.3). */
struct slice proxy_keep_scheme(struct proxy *proxy, const struct smsg *message, struct slice uri);
/* Header lines for a request that is refused with a status of proxy_find_path(). */
struct slice proxy_refusal_lines(int status);

#endif
