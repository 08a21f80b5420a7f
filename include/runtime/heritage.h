/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heritage: listening sockets that outlive the process that bound them.
 *
 * Whoever opens a socket that the next process shall have asks here first whether the one before
 * left one at that address, and keeps what it opened here. The table is the process's, as its
 * descriptors are. First thread only.
 */
#ifndef RINGFENCE_RUNTIME_HERITAGE_H
#define RINGFENCE_RUNTIME_HERITAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/error.h"

/* A socket that the process before left. The table closes it if nobody asks for it. */
int rt_heritage_receive(int descriptor) MUST_CHECK;

/* One of this type that is bound to this address, for the caller to keep and close; -1: none. Of
 * several, in the order in which they were received. */
int rt_heritage_take(int type, const struct sockaddr *address, socklen_t length);

/* Closes what nobody has asked for; how many that were. */
size_t rt_heritage_close_rest(void);

/* Opened by, or taken by, this process, and to be passed on. -ENOMEM. */
int rt_heritage_keep(int descriptor) MUST_CHECK;
/* Before it is closed. Harmless when it is not kept. */
void rt_heritage_forget(int descriptor);

/* Another process has them now, or does not any more: files that they are reached by are its. */
void rt_heritage_leave(bool left);
bool rt_heritage_is_left(void);

size_t rt_heritage_count(void);
/* In the order of keeping; index < rt_heritage_count(). */
int rt_heritage_at(size_t index);

#endif
