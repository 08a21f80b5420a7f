/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes_int.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/random.h"

enum { LOOK_US = 100000 };

struct node {
    struct rep_nodes *nodes;
    struct rep_server server;
    struct rep_link *link;
    struct rt_timer retry;
    unsigned attempt;
};

struct rep_nodes {
    struct rep_nodes_options options;
    struct rep_lookup_shared *shared;
    struct rep_route *route, *next;
    uint32_t version;
    struct node *node[REP_SERVERS]; /* the route's servers */
    unsigned count;
    struct rt_timer look;
    struct random_state random;
    struct log_limit limit;
    bool connected;
    bool closing;
};

static uint64_t now_of(const struct rep_nodes *nodes)
{
    return rt_loop_now(nodes->options.loop);
}

/* ---- one connection ------------------------------------------------------------------------ */

static void count_connected(struct rep_nodes *nodes)
{
    bool all = nodes->count > 0 && !nodes->closing;
    for (unsigned i = 0; i < nodes->count; i++)
        all = all && rep_link_is_up(nodes->node[i]->link);
    if (nodes->connected == all)
        return;
    nodes->connected = all;
    if (all)
        atomic_fetch_add_explicit(&nodes->shared->connected, 1, memory_order_relaxed);
    else
        atomic_fetch_sub_explicit(&nodes->shared->connected, 1, memory_order_relaxed);
}

static void try_again(struct node *node)
{
    uint64_t delay = rep_backoff_us(node->attempt++, random_next(&node->nodes->random));
    rt_timer_set(node->nodes->options.wheel, &node->retry, now_of(node->nodes), delay);
    rep_store_doubt(node->nodes->options.store, now_of(node->nodes));
}

static void open_link(struct node *node)
{
    const struct rep_addresses *addresses = &node->server.addresses;
    if (rep_link_open(node->link, &addresses->address[node->attempt % addresses->count]) != 0)
        try_again(node);
}

static void link_up(void *argument)
{
    struct node *node = argument;
    node->attempt = 0;
    count_connected(node->nodes);
}

static void link_down(void *argument, const char *reason)
{
    struct node *node = argument;
    struct rep_nodes *nodes = node->nodes;
    char place[REP_PLACE_BYTES];
    uint32_t held_back;
    count_connected(nodes);
    rep_place_text(&node->server.place, place, sizeof(place));
    if (log_limit_pass(&nodes->limit, 1, now_of(nodes), &held_back))
        log_warning("reputation", "lookup connection to %s: %s", place, reason);
    try_again(node);
}

static void retry_due(struct rt_timer *timer, uint64_t now_us)
{
    (void)now_us;
    open_link(LIST_ENTRY(timer, struct node, retry));
}

static void free_node(struct node *node)
{
    rt_timer_cancel(node->nodes->options.wheel, &node->retry);
    rep_link_destroy(node->link);
    free(node);
}

static struct node *create_node(struct rep_nodes *nodes, const struct rep_server *server)
{
    struct node *node = calloc(1, sizeof(*node));
    if (node == NULL)
        return NULL;
    struct rep_link_options options = {
        .loop = nodes->options.loop,
        .wheel = nodes->options.wheel,
        .settings = rep_store_settings(nodes->options.store),
        .pipeline = nodes->options.pipeline,
        .reply_limit = nodes->options.reply_limit,
    };
    struct rep_link_events events = {link_up, link_down, NULL, node};
    node->nodes = nodes;
    node->server = *server;
    rt_timer_init(&node->retry, retry_due);
    if (rep_link_create(&options, &events, &node->link) != 0) {
        free(node);
        return NULL;
    }
    open_link(node);
    return node;
}

/* ---- the route ----------------------------------------------------------------------------- */

static struct node *keep_node(struct node **before, unsigned count, const struct rep_server *server)
{
    for (unsigned i = 0; i < count; i++) {
        struct node *node = before[i];
        if (node == NULL || !rep_place_equal(&node->server.place, &server->place))
            continue;
        before[i] = NULL;
        node->server.addresses = server->addresses;
        return node;
    }
    return NULL;
}

/* Runs from the wheel, never within a callback of a connection. */
static void take_route(struct rep_nodes *nodes)
{
    struct node *before[REP_SERVERS];
    unsigned count = nodes->count;
    struct rep_route *route = nodes->next;
    for (unsigned i = 0; i < count; i++)
        before[i] = nodes->node[i];
    nodes->count = 0;
    for (unsigned i = 0; i < route->count; i++) {
        struct node *node = keep_node(before, count, &route->servers[i]);
        if (node == NULL)
            node = create_node(nodes, &route->servers[i]);
        if (node == NULL) {
            /* Keys of the others are not asked for until there is memory and another route. */
            log_error("reputation", "lookup connection: %s", error_text(-ENOMEM));
            break;
        }
        nodes->node[nodes->count++] = node;
    }
    nodes->next = nodes->route;
    nodes->route = route;
    for (unsigned i = 0; i < count; i++)
        if (before[i] != NULL)
            free_node(before[i]);
    count_connected(nodes);
}

static void refresh(struct rep_nodes *nodes)
{
    uint32_t version = atomic_load_explicit(&nodes->shared->route_version, memory_order_acquire);
    if (version == nodes->version || !rep_store_route(nodes->options.store, nodes->next))
        return;
    nodes->version = version;
    take_route(nodes);
}

static void look_due(struct rt_timer *timer, uint64_t now_us)
{
    struct rep_nodes *nodes = LIST_ENTRY(timer, struct rep_nodes, look);
    refresh(nodes);
    rt_timer_set(nodes->options.wheel, timer, now_us, LOOK_US);
}

/* ---- asking -------------------------------------------------------------------------------- */

bool rep_nodes_connected(const struct rep_nodes *nodes)
{
    return nodes->connected;
}

struct rep_link *rep_nodes_find(const struct rep_nodes *nodes, struct slice key, unsigned *index)
{
    *index = rep_route_find(nodes->route, key);
    if (*index >= nodes->count || !rep_link_is_up(nodes->node[*index]->link))
        return NULL;
    return nodes->node[*index]->link;
}

bool rep_nodes_redirected(struct rep_nodes *nodes, struct slice error, unsigned *index,
                          struct rep_link **link, bool *asking)
{
    struct rep_redirect redirect;
    *link = NULL;
    *asking = false;
    if (!nodes->route->sharded || *index >= nodes->count)
        return false;
    rep_redirect_parse(error, &nodes->node[*index]->server.place, &redirect);
    if (redirect.kind == REP_REDIRECT_NONE)
        return false;
    atomic_fetch_add_explicit(&nodes->shared->redirects, 1, memory_order_relaxed);
    if (redirect.kind != REP_REDIRECT_ASK)
        rep_store_doubt(nodes->options.store, now_of(nodes));
    if (redirect.kind == REP_REDIRECT_LATER)
        return true;
    *asking = redirect.kind == REP_REDIRECT_ASK;
    *index = rep_route_server(nodes->route, &redirect.place);
    if (*index < nodes->count && rep_link_is_up(nodes->node[*index]->link))
        *link = nodes->node[*index]->link;
    return true;
}

void rep_nodes_flush(struct rep_nodes *nodes)
{
    for (unsigned i = 0; i < nodes->count; i++)
        rep_link_flush(nodes->node[i]->link);
}

/* ---- the object ---------------------------------------------------------------------------- */

int rep_nodes_create(const struct rep_nodes_options *options, struct rep_nodes **nodes)
{
    struct rep_nodes *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->options = *options;
    created->shared = rep_store_lookup_shared(options->store);
    random_seed(&created->random, options->seed);
    rt_timer_init(&created->look, look_due);
    created->route = calloc(1, sizeof(*created->route));
    created->next = calloc(1, sizeof(*created->next));
    if (created->route == NULL || created->next == NULL) {
        rep_nodes_destroy(created);
        return -ENOMEM;
    }
    rt_timer_set(options->wheel, &created->look, rt_loop_now(options->loop), 0);
    *nodes = created;
    return 0;
}

void rep_nodes_destroy(struct rep_nodes *nodes)
{
    if (nodes == NULL)
        return;
    nodes->closing = true;
    rt_timer_cancel(nodes->options.wheel, &nodes->look);
    for (unsigned i = 0; i < nodes->count; i++)
        free_node(nodes->node[i]);
    nodes->count = 0;
    count_connected(nodes);
    free(nodes->route);
    free(nodes->next);
    free(nodes);
}
