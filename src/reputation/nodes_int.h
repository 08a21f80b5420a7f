/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nodes: a worker's own connections in mode lookup, one to each server that holds keys.
 *
 * Follows what the service thread finds (store_int.h): it looks a few times a second whether there
 * is another route. Connections open and reopen by themselves.
 */
#ifndef RINGFENCE_REPUTATION_NODES_INT_H
#define RINGFENCE_REPUTATION_NODES_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "link_int.h"
#include "store_int.h"

struct rep_nodes;

struct rep_nodes_options {
    struct rep_store *store;
    struct rt_loop *loop;
    struct rt_wheel *wheel;
    uint32_t pipeline; /* commands under way on one connection */
    size_t reply_limit;
    uint64_t seed;
};

int rep_nodes_create(const struct rep_nodes_options *options, struct rep_nodes **nodes) MUST_CHECK;
/* Waiting commands are answered with NULL. NULL is allowed. */
void rep_nodes_destroy(struct rep_nodes *nodes);

/* All of them, and at least one. */
bool rep_nodes_connected(const struct rep_nodes *nodes);

/* The connection to whoever holds the key, NULL while there is none; *index tells whom. */
struct rep_link *rep_nodes_find(const struct rep_nodes *nodes, struct slice key, unsigned *index);

/*
 * What an error of server `index` says about where to ask instead: false when it is no redirection.
 * Else *link is the connection to use, with ASKING where *asking, or NULL, and *index whose it is.
 */
bool rep_nodes_redirected(struct rep_nodes *nodes, struct slice error, unsigned *index,
                          struct rep_link **link, bool *asking);

void rep_nodes_flush(struct rep_nodes *nodes);

#endif
