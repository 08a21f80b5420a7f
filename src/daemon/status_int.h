/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status_int: the parts of `status` that stand in files of their own.
 */
#ifndef RINGFENCE_DAEMON_STATUS_INT_H
#define RINGFENCE_DAEMON_STATUS_INT_H

#include "daemon_int.h"

/* status_trunks.c: member "targets", the health of each. */
void daemon_fill_targets(const struct daemon_service *service, struct stats_json *json);

/* The same file: members "limits", what there is of each limit that is configured, and "quality".
 */
/* And "overload", what peers are asked for. */
void daemon_fill_overload(const struct daemon_service *service, struct stats_json *json);
void daemon_fill_limits(const struct daemon_service *service, struct stats_json *json);
void daemon_fill_quality(const struct daemon_service *service, struct stats_json *json);

#endif
