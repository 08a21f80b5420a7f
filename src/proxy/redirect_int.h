/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redirect_int: what a peer that only asks is answered; redirect.h has what its trunk says about
 * it.
 */
#ifndef RINGFENCE_PROXY_REDIRECT_INT_H
#define RINGFENCE_PROXY_REDIRECT_INT_H

#include "path_int.h"

/* Whether a request is a question: of such a trunk, outside dialogs. Of calls that another trunk
 * sent there it is a neighbour like any. */
bool proxy_redirect_concerns(const struct proxy_request *request);

/* A new request that is one. INVITEs go on to proxy_receive_invite(). */
void proxy_redirect_receive(struct proxy *proxy, const struct proxy_request *request);

/* The answer to a judged INVITE that is within its rate; texts are static or in the scratch. */
struct proxy_refusal proxy_redirect_answer(struct proxy *proxy, const struct proxy_request *request,
                                           const struct screen_verdict *verdict,
                                           struct proxy_path *path);

/* path.c: where such an INVITE would go by the table of routes; path->to is NULL when it has no
 * place. Not 0: the status to refuse with. */
int proxy_find_redirect(struct proxy *proxy, const struct proxy_request *request,
                        struct proxy_path *path) MUST_CHECK;

#endif
