/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply: what a command answers, collected until it is finished.
 */
#ifndef RINGFENCE_CONTROL_REPLY_INT_H
#define RINGFENCE_CONTROL_REPLY_INT_H

#include <stdbool.h>

#include "base/error.h"
#include "base/slice.h"
#include "control/control_server.h"

/* Called in the thread that finishes, which may be any. */
typedef void ctl_reply_done_fn(void *owner, struct ctl_reply *reply);

int ctl_reply_create(ctl_reply_done_fn *done, void *owner, struct ctl_reply **reply) MUST_CHECK;

/* Adds the last line. The text lives as long as the reply. -ENOMEM: not even that fits. */
int ctl_reply_close(struct ctl_reply *reply, struct slice *text) MUST_CHECK;

enum ctl_status ctl_reply_status(const struct ctl_reply *reply);
/* "" when none was set. */
const char *ctl_reply_message(const struct ctl_reply *reply);

void *ctl_reply_owner(const struct ctl_reply *reply);

/* NULL is allowed. */
void ctl_reply_destroy(struct ctl_reply *reply);

#endif
