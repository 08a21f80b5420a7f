/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_int: a command line's connections: to one server, to the master that sentinels name, or to
 * the masters of a cluster as keys need them. Blocking.
 */
#ifndef RINGFENCE_REPUTATION_ADMIN_INT_H
#define RINGFENCE_REPUTATION_ADMIN_INT_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "route_int.h"
#include "server_int.h"

enum { ADMIN_ERROR_BYTES = 256, ADMIN_COMMAND_WORDS = 16 };

struct admin_server {
    struct rep_place place;
    redisContext *context;
};

struct rep_admin {
    struct rep_settings settings; /* a copy */
    redisContext *context;        /* whom the next command goes to and the next reply is of */
    struct admin_server servers[REP_SERVERS];
    unsigned count;
    uint16_t owner[REP_SLOTS]; /* index of a server, or REP_NOBODY; of a cluster */
    char error[ADMIN_ERROR_BYTES];
};

/* Finds the servers and connects to one of them at least. The reason is left in admin->error. */
int rep_admin_connect(struct rep_admin *admin) MUST_CHECK;
void rep_admin_disconnect(struct rep_admin *admin);

/* Makes the owner of a key the one that is talked to. */
int rep_admin_select(struct rep_admin *admin, struct slice key) MUST_CHECK;

/* After -EBADMSG: true when the error was a redirection, which is known now (and a moment was
 * waited where slots are under way), so that the command may be tried again. */
bool rep_admin_may_retry(struct rep_admin *admin, unsigned tries);

/* Commands and replies, admin.c. */
int rep_admin_queue(struct rep_admin *admin, const struct slice *words, unsigned count) MUST_CHECK;
/* The caller frees the reply. An error reply, also one inside EXEC's array, is -EBADMSG. */
int rep_admin_take(struct rep_admin *admin, redisReply **reply) MUST_CHECK;

#endif
