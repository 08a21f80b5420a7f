/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sip: are these bytes SIP, whatever the port?
 *
 * By the whole start line: "SIP/2.0 200 ...", or a method, a URI with a scheme, and "SIP/2.0" at
 * the end. HTTP, RTSP, SSDP and MGCP have another version there, or no URI.
 */
#ifndef RINGFENCE_TAP_SIP_H
#define RINGFENCE_TAP_SIP_H

#include "base/slice.h"

enum tap_sip {
    TAP_SIP_NO,
    TAP_SIP_MAYBE, /* the bytes end before that can be told */
    TAP_SIP_YES,
};

enum tap_sip tap_is_sip(struct slice bytes);

#endif
