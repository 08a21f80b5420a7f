/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: what a daemon does to itself: signals, privileges, descriptors, service manager.
 */
#ifndef RINGFENCE_RUNTIME_PROCESS_H
#define RINGFENCE_RUNTIME_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "runtime/loop.h"

struct rt_signals;

typedef void rt_signal_fn(void *argument, int signal_number);

/* Blocks the signals (0-terminated) in the calling thread, which must be the first one, and
 * delivers them through the loop (signalfd). SIGPIPE is ignored. */
int rt_signals_create(struct rt_loop *loop, const int *signals, rt_signal_fn *received,
                      void *argument, struct rt_signals **out) MUST_CHECK;
void rt_signals_destroy(struct rt_signals *signals);

/* Raises RLIMIT_NOFILE to at least `wanted` where allowed; returns what is in force. */
uint64_t rt_process_raise_descriptors(uint64_t wanted);

/* Gives up root for user[:group], all capabilities but those needed for nothing, sets no-new-privs.
 * -ENOENT for an unknown user. Each step is checked; a failure leaves the caller to exit. */
int rt_process_drop_privileges(const char *user, const char *group) MUST_CHECK;

/*
 * The same, but keeps the capabilities whose bits are set (1 << CAP_NET_RAW, say), as far as they
 * are there; user NULL or "": who the process is stays, and only capabilities go. Of the calling
 * thread and those that it starts later.
 */
int rt_process_keep_capabilities(const char *user, const char *group, uint64_t kept) MUST_CHECK;

/*
 * Starts a program as a child, with no signal blocked, and `descriptor` as its descriptor 3; all
 * others that are not close-on-exec it inherits. arguments: as for main(), NULL behind the last.
 * The service manager's watchdog is the child's from its start, whoever it was set up for.
 */
#define RT_PROCESS_SPAWN_DESCRIPTOR 3
int rt_process_spawn(const char *path, const char *const *arguments, int descriptor,
                     pid_t *child) MUST_CHECK;

/* sd_notify(3): no effect without NOTIFY_SOCKET. */
void rt_process_notify(const char *state);

/* RELOADING=1 with the time that systemd 253 and later want with it; READY=1 ends it. */
void rt_process_notify_reloading(void);

/* Half of WatchdogSec in microseconds, 0 without a watchdog. */
uint64_t rt_process_watchdog_us(void);

#endif
