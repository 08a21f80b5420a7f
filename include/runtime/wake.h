/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wake: an eventfd that a sleeper arms and producers ring only when it is armed.
 *
 * Sleeper: rt_wake_arm(), look at the queues once more, then sleep; after waking rt_wake_disarm().
 * Producer: publish, then rt_wake_ring(). A sequentially consistent fence on both sides between
 * publishing (arming) and looking at the other's word makes one of them see the other.
 */
#ifndef RINGFENCE_RUNTIME_WAKE_H
#define RINGFENCE_RUNTIME_WAKE_H

#include "base/error.h"

struct rt_wake;

int rt_wake_create(struct rt_wake **wake) MUST_CHECK;
/* For the sleeper's loop: readable when rung. */
int rt_wake_descriptor(const struct rt_wake *wake);

void rt_wake_arm(struct rt_wake *wake);
void rt_wake_disarm(struct rt_wake *wake); /* empties the eventfd only if it was rung */
void rt_wake_ring(struct rt_wake *wake);

void rt_wake_destroy(struct rt_wake *wake);

#endif
