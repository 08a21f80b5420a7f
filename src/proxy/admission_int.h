/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admission_int: the limits of trunks, callers and sources as new calls meet them.
 */
#ifndef RINGFENCE_PROXY_ADMISSION_INT_H
#define RINGFENCE_PROXY_ADMISSION_INT_H

#include "proxy_int.h"

/* What comes before a verdict: rates of the trunk and of the source. 0, or the code to refuse
 * with. */
uint16_t proxy_admit_request(struct proxy *proxy, const struct proxy_request *request);

/* The call is to go on by the path: everything else that limits it. 0 with what is counted, to be
 * given to the call's record or back; or the code to refuse with, nothing being counted. */
uint16_t proxy_admit_call(struct proxy *proxy, const struct proxy_request *request,
                          const struct proxy_trunk *to, uint32_t places[CALL_HELD]);
void proxy_admission_give_back(struct proxy *proxy, const uint32_t places[CALL_HELD]);

#endif
