/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener: a Unix stream socket that accepts on a loop.
 */
#ifndef RINGFENCE_CONTROL_LISTENER_INT_H
#define RINGFENCE_CONTROL_LISTENER_INT_H

#include <stdbool.h>

#include "base/error.h"
#include "control/settings.h"
#include "runtime/loop.h"

struct ctl_listener;

/* The descriptor is non-blocking and becomes the callee's. */
typedef void ctl_accepted_fn(void *owner, int descriptor);

/* Fails as ctl_socket_file_open() does, and logs it. */
int ctl_listener_create(struct rt_loop *loop, const struct ctl_socket_settings *settings,
                        ctl_accepted_fn *accepted, void *owner,
                        struct ctl_listener **listener) MUST_CHECK;

/* Who connects waits meanwhile, for this process or for another that has the socket. */
void ctl_listener_pause(struct ctl_listener *listener, bool paused);

/* Removes the socket file, unless another process has replaced it. NULL is allowed. */
void ctl_listener_destroy(struct ctl_listener *listener);

#endif
