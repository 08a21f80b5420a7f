/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overload_int: overload control between neighbours (RFC 7339, RFC 7415), as server and as client.
 */
#ifndef RINGFENCE_PROXY_OVERLOAD_INT_H
#define RINGFENCE_PROXY_OVERLOAD_INT_H

#include "message/overload.h"
#include "proxy_int.h"

/* ---- feedback.c: what peers are told ------------------------------------------------------- */

/* How often requests of a peer come that is told a rate: by trunk, of one worker. */
struct proxy_demands;
int proxy_demands_create(struct proxy_demands **demands) MUST_CHECK;
void proxy_demands_destroy(struct proxy_demands *demands);

/* For each message: how long it has waited. */
void proxy_feedback_measure(struct proxy *proxy, const struct tp_packet *packet);

/* What the answers to a request tell its sender: by which algorithm, or NONE. */
enum smsg_overload_algorithm proxy_feedback_of(const struct proxy_trunk *from,
                                               const struct smsg *request);
/* The same for a new request; it counts. */
enum smsg_overload_algorithm proxy_feedback_begin(struct proxy *proxy,
                                                  const struct proxy_request *request);

/* The header line, in the scratch; empty for 0. */
struct slice proxy_retry_after(struct proxy *proxy, uint64_t us);

#define PROXY_FEEDBACK_BYTES 96
/* The parameters for the Via of an answer, written to memory; data == NULL for NONE. */
struct slice proxy_feedback_text(struct proxy *proxy, enum smsg_overload_algorithm algorithm,
                                 const struct proxy_trunk *from, uint64_t now_us,
                                 char memory[PROXY_FEEDBACK_BYTES]);

/* A share of the new calls, under overload. True: it has been answered. */
bool proxy_feedback_refuses(struct proxy *proxy, const struct proxy_request *request);

/* Section 5.6: what its sender offers is not passed on. */
void proxy_feedback_edit_request(const struct smsg *request, struct smsg_edit *edit);
/* Section 5.4: what others have written below our own Via of a response is taken off, and the value
 * below it gets `text`, if there is any. */
void proxy_feedback_edit_response(const struct smsg *response, struct slice text,
                                  struct smsg_edit *edit);

/* ---- overload.c: what targets say ---------------------------------------------------------- */

/* A target that is asked has answered. */
void proxy_overload_hear(struct proxy *proxy, const struct proxy_trunk *trunk,
                         struct proxy_throttle *throttle, const struct tp_address *target,
                         const struct smsg *response, uint64_t now_us);
/* Looked at now and then: what nobody renews is over. */
void proxy_overload_expire(struct proxy *proxy, const struct proxy_trunk *trunk,
                           struct proxy_throttle *throttle, const struct tp_address *target,
                           uint64_t now_us);
/* Of the target that a request goes to, by its pulse or else by its address. NULL: nothing is known
 * of it, or the trunk is not asked. */
struct proxy_throttle *proxy_overload_find(const struct proxy *proxy,
                                           const struct proxy_trunk *trunk,
                                           struct proxy_pulse *pulse, uint16_t listener,
                                           const struct tp_address *target);
/* The Via of a request to the trunk, up to the branch. */
struct slice proxy_overload_via(const struct proxy *proxy, const struct proxy_trunk *trunk,
                                uint16_t listener);

#endif
