/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service: the thread "replica": the replica's only writer.
 */
#ifndef RINGFENCE_REPUTATION_SERVICE_INT_H
#define RINGFENCE_REPUTATION_SERVICE_INT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "ledger_int.h"
#include "reputation/store.h"
#include "route_int.h"

struct rep_service;

struct rep_service_options {
    const struct rep_settings *settings;
    struct rep_replica *replica;
    struct rep_ledger *ledger;
    const struct rep_authority *authority;
    struct rep_names *types, *sources;
    uint64_t seed[2];
    _Atomic uint32_t *route_version; /* counts routes */
};

/* status: what loading a file has found so far. */
int rep_service_create(const struct rep_service_options *options, const struct rep_status *status,
                       struct rep_service **service) MUST_CHECK;
int rep_service_start(struct rep_service *service) MUST_CHECK;
/* Ends the thread and writes the saved file. Harmless when it is not running. */
void rep_service_stop(struct rep_service *service);
void rep_service_destroy(struct rep_service *service);

bool rep_service_loaded(const struct rep_service *service);
void rep_service_status(struct rep_service *service, struct rep_status *status);

/* Mode lookup: copies the route; false before there is one. */
bool rep_service_route(struct rep_service *service, struct rep_route *route);

/* Done on the service thread some time. ERROR_UNAVAILABLE when it is not running. */
int rep_service_accept(struct rep_service *service) MUST_CHECK;
int rep_service_rescan(struct rep_service *service) MUST_CHECK;
/* Mode lookup: a server does not answer or is not the right one. */
int rep_service_doubt(struct rep_service *service) MUST_CHECK;

/* Runs on the service thread, or here when it does not run, and waits; the function's result. */
int rep_service_run(struct rep_service *service, int (*run)(void *argument),
                    void *argument) MUST_CHECK;

#endif
