/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service: the running daemon: workers, service threads, reload, drain.
 */
#ifndef RINGFENCE_DAEMON_SERVICE_H
#define RINGFENCE_DAEMON_SERVICE_H

#include "config/report.h"
#include "daemon/snapshot.h"

struct daemon_service;

/* The daemon's exit codes, as the man page has them. */
enum daemon_exit {
    DAEMON_EXIT_OK = 0,
    DAEMON_EXIT_CONFIG = 1, /* configuration or rules have errors */
    DAEMON_EXIT_USAGE = 2,
    DAEMON_EXIT_START = 3, /* an address, socket, key or account could not be had */
};

/* Texts outlive the service. */
struct daemon_start {
    const char *config_path; /* read again by reload */
    const char *program;     /* this program's path, for an upgrade */
    int take_over;           /* the channel to a process that hands over its calls; -1: none does */
};

/*
 * Takes the snapshot over and starts everything: binds, opens the control and stats sockets, gives
 * up root, starts the threads. What fails is logged with its remedy.
 */
int daemon_service_create(const struct daemon_start *start, struct stats_registry *registry,
                          struct screen_ledger *ledger, struct tp_resolver *resolver,
                          struct daemon_snapshot *snapshot,
                          struct daemon_service **service) MUST_CHECK;

/* Serves until SIGTERM, SIGINT or a failure of the loop; then drains. */
int daemon_service_run(struct daemon_service *service) MUST_CHECK;

/* Stops all threads and frees everything, registry and ledger excepted. NULL is allowed. */
void daemon_service_destroy(struct daemon_service *service);

#endif
