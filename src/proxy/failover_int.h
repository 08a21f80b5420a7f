/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failover_int: several targets for one request, and the marks that they leave.
 */
#ifndef RINGFENCE_PROXY_FAILOVER_INT_H
#define RINGFENCE_PROXY_FAILOVER_INT_H

#include "proxy_int.h"

/* ---- forward.c ---------------------------------------------------------------------------- */
/* The lines of Record-Route for a request on its way from one trunk and listener to another. */
struct proxy_passage {
    uint32_t trunk_in; /* marks */
    uint32_t trunk_out;
    uint16_t listener_in;
    uint16_t listener_out;
    bool sips;
};
void proxy_edit_record_route(struct proxy *proxy, const struct smsg *message,
                             const struct proxy_passage *passage, struct smsg_edit *edit);
/* How many of them there are. */
size_t proxy_passage_lines(const struct proxy_passage *passage);

/* Section 18.1.1, as the trunk has it: the listener that so long a request leaves by may become
 * another. ERROR_LIMIT: it fits none. */
int proxy_fit_listener(struct proxy *proxy, const struct proxy_trunk *to,
                       const struct tp_address *next_hop, size_t length,
                       uint16_t *listener) MUST_CHECK;

/* ---- failover.c --------------------------------------------------------------------------- */
/* A request has been sent to its first target: what is watched from now on. */
void proxy_trial_begin(struct proxy_context *context, const struct proxy_trunk *trunk,
                       uint64_t now_us);
/* A target has answered something. */
void proxy_trial_answered(struct proxy_context *context, uint64_t now_us);
void proxy_trial_fired(struct proxy_context *context, uint64_t now_us);
/* The target got nothing, or said nothing. */
void proxy_note_failure(struct proxy_context *context, enum proxy_cause cause, uint64_t now_us);
/* The client is over, by this final response (NULL: without one). True: the request went to another
 * target. */
bool proxy_fail_over(struct proxy_context *context, const struct smsg *response, uint64_t now_us);
/* The client is over, because its request could not be sent. True: it went by TCP for its size, and
 * goes to the same target by UDP now (section 18.1.1). */
bool proxy_fall_back_to_udp(struct proxy_context *context, int error, uint64_t now_us);
/* What upstream is told when the last target ended so. */
uint16_t proxy_best_status(const struct proxy_context *context, uint16_t status);
void proxy_log_health(const struct proxy_trunk *trunk, const struct tp_address *target,
                      const char *what, enum proxy_cause cause);

/* ---- probe.c ------------------------------------------------------------------------------ */
struct proxy_prober;
/* NULL is allowed. */
void proxy_prober_destroy(struct proxy_prober *prober);

#endif
