/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding the masters of a cluster and their slots.
 *
 * One node at a time is asked for CLUSTER SLOTS (all versions know it, and in 7.0 it is right after
 * a failover where CLUSTER SHARDS may leave slots out), every two seconds and at once when a server
 * is in doubt. A node that fails, or whose answer leaves doubts, is changed for the next: those of
 * the settings and all masters of the last answer take turns.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "discovery_int.h"

enum {
    ASK_US = 2000000,
    HURRY_US = 100000, /* the least time between two questions */
    TIMEOUT_MS = 2000,
    DOUBTS = 4, /* answers that left doubts before another node is asked */
};

struct cluster {
    struct rep_discovery *discovery;
    struct rep_settings settings; /* with a shorter patience; texts are the store's */
    struct rep_place seeds[REP_SEED_LIMIT];
    unsigned seed_count;
    unsigned at; /* whose turn it is */
    struct rep_place asked_place;
    struct rep_link *link;
    struct rt_timer timer;
    bool asked;
    bool closing;
    bool doubted; /* names are looked up again */
    unsigned doubts;
    unsigned attempt; /* nodes that failed in a row */
    uint64_t asked_us;
    struct rep_route *found;
};

static struct rt_wheel *wheel_of(const struct cluster *cluster)
{
    return cluster->discovery->options.wheel;
}

static uint64_t now_of(const struct cluster *cluster)
{
    return rt_loop_now(cluster->discovery->options.loop);
}

static unsigned nodes_known(const struct cluster *cluster)
{
    return cluster->seed_count +
           (cluster->discovery->published ? cluster->discovery->route->count : 0);
}

/* ---- asking -------------------------------------------------------------------------------- */

static void next_node(struct cluster *cluster, const char *what)
{
    char place[REP_PLACE_BYTES], reason[DISCOVERY_REASON_BYTES];
    if (cluster->closing)
        return;
    cluster->asked = false;
    cluster->at++;
    cluster->attempt++;
    cluster->doubts = 0;
    rep_place_text(&cluster->asked_place, place, sizeof(place));
    snprintf(reason, sizeof(reason), "node %.80s: %.100s", place, what);
    /* Once round the nodes at once, then slower and slower. */
    unsigned rounds = cluster->attempt / nodes_known(cluster);
    uint64_t delay_us =
        rounds == 0 ? 0 : rep_backoff_us(rounds - 1, random_next(&cluster->discovery->random));
    rt_timer_set(wheel_of(cluster), &cluster->timer, now_of(cluster), delay_us);
    if (!cluster->discovery->published)
        rep_discovery_failed(cluster->discovery, reason);
    else
        log_info("reputation", "%s", reason);
}

static void open_node(struct cluster *cluster)
{
    const struct rep_discovery *discovery = cluster->discovery;
    char reason[DISCOVERY_REASON_BYTES];
    struct rep_addresses addresses;
    unsigned turn = cluster->at % nodes_known(cluster);
    cluster->asked_place = turn < cluster->seed_count
                               ? cluster->seeds[turn]
                               : discovery->route->servers[turn - cluster->seed_count].place;
    int code = rep_server_resolve(discovery->options.settings, &cluster->asked_place, &addresses,
                                  reason, sizeof(reason));
    if (code == 0) {
        unsigned choice = cluster->at / nodes_known(cluster);
        code = rep_link_open(cluster->link, &addresses.address[choice % addresses.count]);
        if (code != 0)
            snprintf(reason, sizeof(reason), "cannot connect: %s", error_text(code));
    }
    if (code != 0)
        next_node(cluster, reason);
}

/* Names that were looked up for the route before are not looked up again without a reason. */
static int resolve_servers(struct cluster *cluster, char *reason, size_t capacity)
{
    const struct rep_discovery *discovery = cluster->discovery;
    struct rep_route *found = cluster->found;
    for (unsigned i = 0; i < found->count; i++) {
        struct rep_server *server = &found->servers[i];
        unsigned known = discovery->published && !cluster->doubted
                             ? rep_route_server(discovery->route, &server->place)
                             : REP_NOBODY;
        if (known != REP_NOBODY) {
            server->addresses = discovery->route->servers[known].addresses;
            continue;
        }
        int code = rep_server_resolve(discovery->options.settings, &server->place,
                                      &server->addresses, reason, capacity);
        if (code != 0)
            return code;
    }
    return 0;
}

static void take_route(struct cluster *cluster)
{
    struct rep_status *status = cluster->discovery->options.status;
    char place[REP_PLACE_BYTES];
    rep_place_text(&cluster->asked_place, place, sizeof(place));
    snprintf(status->source, sizeof(status->source), "%u masters by CLUSTER SLOTS of %.120s",
             cluster->found->count, place);
    cluster->attempt = 0;
    if (cluster->doubted && cluster->discovery->published &&
        rep_route_equal(cluster->found, cluster->discovery->route))
        cluster->doubts++;
    else
        cluster->doubts = 0;
    cluster->doubted = false;
    rep_discovery_publish(cluster->discovery, cluster->found);
}

static void slots_reply(void *argument, uint64_t tag, const struct rep_reply *reply)
{
    (void)tag;
    struct cluster *cluster = argument;
    char reason[DISCOVERY_REASON_BYTES] = "CLUSTER SLOTS gave an unexpected reply";
    cluster->asked = false;
    if (reply == NULL)
        return;
    int code = -EBADMSG;
    if (reply->type == REP_REPLY_ERROR) {
        snprintf(reason, sizeof(reason), "CLUSTER SLOTS refused: %.*s",
                 SLICE_ARGS(slice_first(reply->text, 100)));
    } else {
        code = rep_route_parse(reply, &cluster->asked_place, cluster->found);
        if (code == ERROR_NOT_FOUND)
            snprintf(reason, sizeof(reason), "it knows of no slots");
        else if (code == ERROR_LIMIT)
            snprintf(reason, sizeof(reason), "the cluster has more than %d masters", REP_SERVERS);
        if (code == 0)
            code = resolve_servers(cluster, reason, sizeof(reason));
    }
    if (code == 0) {
        take_route(cluster);
    } else {
        rep_link_close(cluster->link);
        next_node(cluster, reason);
    }
}

static void ask(struct cluster *cluster)
{
    static const struct slice words[] = {SLICE_LITERAL("CLUSTER"), SLICE_LITERAL("SLOTS")};
    if (!cluster->asked && rep_link_is_up(cluster->link))
        cluster->asked = rep_link_command(cluster->link, words, 2, slots_reply, cluster, 0) == 0;
    cluster->asked_us = now_of(cluster);
    rt_timer_set(wheel_of(cluster), &cluster->timer, cluster->asked_us, ASK_US);
}

static void node_up(void *argument)
{
    ask(argument);
}

static void node_down(void *argument, const char *reason)
{
    next_node(argument, reason);
}

static void timer_due(struct rt_timer *timer, uint64_t now_us)
{
    (void)now_us;
    struct cluster *cluster = LIST_ENTRY(timer, struct cluster, timer);
    if (cluster->doubts >= DOUBTS && cluster->doubted) {
        rep_link_close(cluster->link);
        cluster->at++;
        cluster->doubts = 0;
    }
    if (rep_link_is_closed(cluster->link))
        open_node(cluster);
    else
        ask(cluster);
}

/* ---- the object ---------------------------------------------------------------------------- */

static void cluster_destroy(void *state)
{
    struct cluster *cluster = state;
    if (cluster == NULL)
        return;
    cluster->closing = true;
    rt_timer_cancel(wheel_of(cluster), &cluster->timer);
    rep_link_destroy(cluster->link);
    free(cluster->found);
    free(cluster);
}

static int cluster_create(struct rep_discovery *discovery, void **state)
{
    const struct rep_settings *settings = discovery->options.settings;
    struct cluster *cluster = calloc(1, sizeof(*cluster));
    if (cluster == NULL)
        return -ENOMEM;
    cluster->discovery = discovery;
    cluster->settings = *settings;
    if (cluster->settings.reply_timeout_ms > TIMEOUT_MS)
        cluster->settings.reply_timeout_ms = TIMEOUT_MS;
    rt_timer_init(&cluster->timer, timer_due);
    struct rep_link_options options = {
        .loop = discovery->options.loop,
        .wheel = discovery->options.wheel,
        .settings = &cluster->settings,
        .pipeline = DISCOVERY_PIPELINE,
        .reply_limit = DISCOVERY_REPLY_LIMIT,
    };
    struct rep_link_events events = {node_up, node_down, NULL, cluster};
    cluster->found = calloc(1, sizeof(*cluster->found));
    int code = cluster->found == NULL                      ? -ENOMEM
               : settings->cluster.count <= REP_SEED_LIMIT ? 0
                                                           : -EINVAL;
    for (size_t i = 0; i < settings->cluster.count && code == 0; i++)
        code = rep_place_parse(settings->cluster.items[i], &cluster->seeds[cluster->seed_count++]);
    if (code == 0)
        code = rep_link_create(&options, &events, &cluster->link);
    if (code != 0)
        cluster_destroy(cluster);
    else
        *state = cluster;
    return code;
}

static void cluster_start(void *state)
{
    open_node(state);
}

static void cluster_doubt(void *state)
{
    struct cluster *cluster = state;
    cluster->doubted = true;
    if (cluster->asked || rep_link_is_closed(cluster->link))
        return;
    uint64_t since_us = now_of(cluster) - cluster->asked_us;
    rt_timer_set(wheel_of(cluster), &cluster->timer, now_of(cluster),
                 since_us < HURRY_US ? HURRY_US - since_us : 0);
}

const struct discovery_kind rep_discovery_cluster = {cluster_create, cluster_start, cluster_doubt,
                                                     cluster_destroy};
