/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group: names of groups to ids, and who belongs to them.
 */
#ifndef RINGFENCE_CONTROL_GROUP_INT_H
#define RINGFENCE_CONTROL_GROUP_INT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/slice.h"

/* A name or a decimal id. -ENOENT when there is no such group. */
int ctl_group_find(struct slice name, gid_t *group) MUST_CHECK;

/* Whether the process at the other end of a Unix socket belonged to the group when it connected. */
bool ctl_peer_in_group(int descriptor, gid_t peer_group, gid_t group);

#endif
