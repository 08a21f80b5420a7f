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
#include "key_int.h"
#include "reputation/admin.h"
#include "route_int.h"
#include "server_int.h"

enum { ADMIN_ERROR_BYTES = 256, ADMIN_COMMAND_WORDS = 192, ADMIN_SHA_BYTES = 41 };

/* Behind the fields that nodes read: X(name, text) */
#define ADMIN_FIELD_TABLE(X)    \
    X(ADMIN_FIELD_NOTE, "note") \
    X(ADMIN_FIELD_CASE, "case")

enum admin_field {
#define ADMIN_FIELD_ROW(name, text) name,
    ADMIN_FIELD_TABLE(ADMIN_FIELD_ROW)
#undef ADMIN_FIELD_ROW
        ADMIN_FIELD_COUNT
};

enum {
    ADMIN_READ_COMMANDS = 2, /* HMGET and PTTL */
    ADMIN_NOBODY = -1,       /* no configured source: the plain fields */
    ADMIN_TEXT_BYTES = 24,
};

struct admin_request {
    struct rep_request request; /* words[1] is the key; its fields include ours */
    struct slice words[2 + REP_FIELD_LIMIT + ADMIN_FIELD_COUNT];
    unsigned fields;
};

enum { ADMIN_PLAN_FIELDS = 24 };

/* What is to be sent. */
struct admin_plan {
    struct slice set[2 * ADMIN_PLAN_FIELDS], drop[ADMIN_PLAN_FIELDS];
    unsigned sets, drops; /* of slices */
    bool persist;
    uint64_t expire_s; /* seconds from now; 0: untouched */
    enum rep_outcome outcome;
    struct buffer from, to; /* the statement before and after */
    char memory[4 * ADMIN_TEXT_BYTES], score[8];
    size_t used;
    char from_memory[REP_PART_BYTES], to_memory[REP_PART_BYTES];
};

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
    /* After ASK: where the key that is tried next is to be asked for; REP_NOBODY otherwise. */
    uint16_t asked;
    bool asking; /* each command is led by ASKING, and each reply by that one's */
    char exchange[ADMIN_SHA_BYTES]; /* digest of the script; empty: not to be had */
    char error[ADMIN_ERROR_BYTES];
    struct rep_names *types, *sources;
    struct rep_authority authority;
    struct admin_request request;
    struct admin_plan plan;   /* the last single change */
    struct rep_replica *kept; /* during an import: the numbers that its rows have */
};

/* Finds the servers and connects to one of them at least. The reason is left in admin->error. */
int rep_admin_connect(struct rep_admin *admin) MUST_CHECK;
void rep_admin_disconnect(struct rep_admin *admin);

/* Makes the owner of a key the one that is talked to. */
int rep_admin_select(struct rep_admin *admin, struct slice key) MUST_CHECK;

/* Makes a server the one that is talked to. */
int rep_admin_use(struct rep_admin *admin, unsigned server) MUST_CHECK;

/* After -EBADMSG: true when the error was a redirection. A slot's new owner is known then. */
bool rep_admin_is_redirected(struct rep_admin *admin);

/* The same, and what was tried may be tried again, from rep_admin_select() of the same key on:
 * where ASK sent it, or after a moment where the cluster sorts itself out. */
bool rep_admin_may_retry(struct rep_admin *admin, unsigned tries);

/* Commands and replies, admin.c. */
int rep_admin_queue(struct rep_admin *admin, const struct slice *words, unsigned count) MUST_CHECK;
/* Writes what is queued, so that the server works on it while more is made ready. */
int rep_admin_flush(struct rep_admin *admin) MUST_CHECK;
/* The caller frees the reply. An error reply, also one inside EXEC's array, is -EBADMSG. */
int rep_admin_take(struct rep_admin *admin, redisReply **reply) MUST_CHECK;

#endif
