/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boundary_int: the trust boundary as messages cross it; boundary.h has what a trunk says about it.
 */
#ifndef RINGFENCE_PROXY_BOUNDARY_INT_H
#define RINGFENCE_PROXY_BOUNDARY_INT_H

#include "proxy_int.h"

/* What of a request may not cross from its trunk to the path's is taken off, or rewritten. */
void proxy_boundary_edit_request(struct proxy *proxy, const struct proxy_request *request,
                                 const struct proxy_path *path, struct smsg_edit *edit);

/* Whether a request asks for privacy that nobody here gives, and the trunk that it goes to wants it
 * refused then; with the phrase of a 500, in the scratch. */
bool proxy_boundary_refuses(struct proxy *proxy, const struct smsg *message,
                            const struct proxy_trunk *to, struct slice *reason);

/* The same of a response. from: who answered. to: NULL, not known, is not trusted. Only for one
 * that is concerned, which most are not. */
bool proxy_boundary_concerns_response(const struct smsg *response);
void proxy_boundary_edit_response(struct proxy *proxy, const struct smsg *response,
                                  const struct proxy_trunk *from, const struct proxy_trunk *to,
                                  struct smsg_edit *edit);

#endif
