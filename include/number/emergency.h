/* SPDX-License-Identifier: Apache-2.0 */
/*
 * emergency: is this request for an emergency service?
 *
 * Decided on the scanned raw Request-URI only, never on what a caller claims. It errs on the side
 * of yes: a call that is let through unscreened costs less than an ambulance that is not.
 */
#ifndef RINGFENCE_NUMBER_EMERGENCY_H
#define RINGFENCE_NUMBER_EMERGENCY_H

#include <stdbool.h>

#include "base/slice.h"
#include "number/normalise.h"

/*
 * scheme and raw_user are the Request-URI's, escapes and separators as they came; whole_uri is all
 * of it and is read for urn:service:sos (RFC 5031) and its subservices. The country is the
 * profile's: 110, 010110, +8610110, 0086-10-110 in China. The profile's own rules are tried too.
 */
bool num_is_emergency(const struct num_profile *profile, struct slice scheme, struct slice raw_user,
                      struct slice whole_uri);

/* The emergency codes of a country, space-separated; what an unlisted country gets is never empty.
 */
const char *num_emergency_codes(const struct num_country *country);

#endif
