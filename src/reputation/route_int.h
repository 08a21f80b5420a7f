/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route: which server holds a key: one server, or the masters of a cluster and their slots.
 */
#ifndef RINGFENCE_REPUTATION_ROUTE_INT_H
#define RINGFENCE_REPUTATION_ROUTE_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "reply_int.h"
#include "server_int.h"

enum { REP_SLOTS = 16384, REP_SERVERS = 128, REP_NOBODY = 0xffff };

struct rep_server {
    struct rep_place place; /* as announced, before the address map */
    struct rep_addresses addresses;
};

/* About 180 KB: on the heap. */
struct rep_route {
    bool sharded;   /* else the only server holds everything */
    unsigned count; /* of servers */
    struct rep_server servers[REP_SERVERS];
    uint16_t owner[REP_SLOTS]; /* index of a server, or REP_NOBODY */
};

/* The slot of a key, hash tags included. */
unsigned rep_slot(struct slice key);

/* The index of the server that holds the key, or REP_NOBODY. */
unsigned rep_route_find(const struct rep_route *route, struct slice key);
/* The index of a server, or REP_NOBODY. */
unsigned rep_route_server(const struct rep_route *route, const struct rep_place *place);
/* Slots that nobody holds; 0 unless sharded. */
unsigned rep_route_gaps(const struct rep_route *route);
bool rep_route_equal(const struct rep_route *a, const struct rep_route *b);

/*
 * The answer to CLUSTER SLOTS; servers without an address of their own (a node that does not know
 * its own yet) are the one that was asked. Addresses are not filled in. -EBADMSG; ERROR_NOT_FOUND
 * when it names no slot; ERROR_LIMIT for more than REP_SERVERS masters.
 */
int rep_route_parse(const struct rep_reply *reply, const struct rep_place *asked,
                    struct rep_route *route) MUST_CHECK;

enum rep_redirect_kind {
    REP_REDIRECT_NONE,
    REP_REDIRECT_MOVED, /* another server holds the slot */
    REP_REDIRECT_ASK,   /* the key is there already, the slot not yet */
    REP_REDIRECT_LATER, /* ask again in a moment: the cluster sorts itself out */
};

struct rep_redirect {
    enum rep_redirect_kind kind;
    unsigned slot;
    struct rep_place place; /* of MOVED and ASK */
};

/* What an error reply of `asked` says about where to ask. */
void rep_redirect_parse(struct slice error, const struct rep_place *asked,
                        struct rep_redirect *redirect);

#endif
