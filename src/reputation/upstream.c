/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/random.h"
#include "discovery_int.h"
#include "peer_int.h"

enum {
    REASON_BYTES = 192,
    CALM_US = 3000000, /* after slots moved: when they have not for so long, compare */
    /* Keyspace notifications tell of no flush, so they are checked in multiples of the interval. */
    NOTIFIED_FACTOR = 6,
};

struct rep_upstream {
    struct rep_upstream_options options;
    struct rep_upstream_events events;
    struct rep_discovery *discovery;
    struct random_state random;
    bool routed, ready;
    bool closing;
    bool cluster;
    struct rep_route *route; /* the first peers are its servers, in its order */
    /* Behind them, nodes that a cluster sends us to and that hold no slot yet. */
    struct rep_peer *peers[REP_SERVERS];
    unsigned count;
    struct rep_peer *retired[REP_SERVERS * 2]; /* destroyed outside their callbacks */
    unsigned retired_count;
    struct rt_timer bury, calm;
    uint64_t *moved_us; /* of each slot of a cluster: when it was last seen moving */
};

static uint64_t now_of(const struct rep_upstream *upstream)
{
    return rt_loop_now(upstream->options.loop);
}

/* ---- ready or not -------------------------------------------------------------------------- */

static void tell_way(struct rep_upstream *upstream)
{
    static const char *const texts[REP_FOLLOW_COUNT] = {
#define FOLLOW_TEXT(name, word, text) [name] = text,
        REP_FOLLOW_TABLE(FOLLOW_TEXT)
#undef FOLLOW_TEXT
    };
    enum rep_follow way = REP_FOLLOW_TRACKING;
    bool sure = true;
    for (unsigned i = 0; i < upstream->count; i++) {
        if (rep_peer_way(upstream->peers[i]) > way)
            way = rep_peer_way(upstream->peers[i]);
        sure = sure && rep_peer_is_sure(upstream->peers[i]);
    }
    struct rep_status *status = upstream->options.status;
    snprintf(status->tracking, sizeof(status->tracking), "%s%s", texts[way],
             sure ? "" : " often (CONFIG GET is refused: they may be off)");
}

/* Whether each owner of a slot is followed; guests do not count. */
static unsigned owners_up(const struct rep_upstream *upstream)
{
    unsigned up = 0;
    for (unsigned i = 0; i < upstream->route->count; i++)
        up += rep_peer_is_up(upstream->peers[i]);
    return up;
}

static void lose(struct rep_upstream *upstream, const char *reason)
{
    if (!upstream->ready)
        return;
    upstream->ready = false;
    upstream->events.lost(upstream->events.argument, reason);
}

/* reason: why something may be missing now; NULL for none known. */
static void evaluate(struct rep_upstream *upstream, const char *reason)
{
    struct rep_status *status = upstream->options.status;
    char text[REASON_BYTES];
    unsigned gaps = rep_route_gaps(upstream->route), up = owners_up(upstream);
    status->servers = upstream->route->count;
    status->servers_followed = up;
    bool whole = upstream->routed && gaps == 0 && up == upstream->route->count;
    if (whole && !upstream->ready) {
        upstream->ready = true;
        tell_way(upstream);
        upstream->events.ready(upstream->events.argument);
        return;
    }
    if (gaps > 0 && reason == NULL) {
        snprintf(text, sizeof(text), "%u slots of the cluster have no owner", gaps);
        reason = text;
    }
    if (whole || reason == NULL)
        return;
    if (upstream->ready)
        lose(upstream, reason);
    else
        upstream->events.failed(upstream->events.argument, reason);
}

/* ---- peers --------------------------------------------------------------------------------- */

static void peer_up(void *argument, struct rep_peer *peer)
{
    struct rep_upstream *upstream = argument;
    unsigned index = 0;
    while (index < upstream->count && upstream->peers[index] != peer)
        index++;
    if (index >= upstream->route->count && upstream->ready) {
        tell_way(upstream);
        upstream->events.compare(upstream->events.argument, "another node takes slots");
        return;
    }
    evaluate(upstream, NULL);
}

static void peer_down(void *argument, struct rep_peer *peer, const char *reason)
{
    struct rep_upstream *upstream = argument;
    (void)peer;
    if (upstream->closing)
        return;
    rep_discovery_doubt(upstream->discovery);
    evaluate(upstream, reason);
}

static void peer_changed(void *argument, struct slice name)
{
    struct rep_upstream *upstream = argument;
    upstream->events.changed(upstream->events.argument, name);
}

static void peer_flushed(void *argument, struct rep_peer *peer)
{
    struct rep_upstream *upstream = argument;
    char text[REASON_BYTES], place[REP_PLACE_BYTES];
    rep_place_text(rep_peer_place(peer), place, sizeof(place));
    snprintf(text, sizeof(text), "%.120s was flushed", place);
    upstream->events.compare(upstream->events.argument, text);
}

static struct rep_peer *new_peer(struct rep_upstream *upstream, const struct rep_server *server)
{
    struct rep_peer_options options = {
        .loop = upstream->options.loop,
        .wheel = upstream->options.wheel,
        .settings = upstream->options.settings,
        .seed = random_next(&upstream->random),
    };
    struct rep_peer_events events = {peer_up, peer_down, peer_changed, peer_flushed, upstream};
    struct rep_peer *peer = NULL;
    int code = rep_peer_create(&options, &events, server, &peer);
    if (code != 0) {
        log_error("reputation", "cannot follow another server: %s", error_text(code));
        return NULL;
    }
    rep_peer_start(peer);
    return peer;
}

static void retire(struct rep_upstream *upstream, struct rep_peer *peer)
{
    rep_peer_close(peer);
    upstream->retired[upstream->retired_count++] = peer;
    rt_timer_set(upstream->options.wheel, &upstream->bury, now_of(upstream), 0);
}

static void bury_due(struct rt_timer *timer, uint64_t now_us)
{
    (void)now_us;
    struct rep_upstream *upstream = LIST_ENTRY(timer, struct rep_upstream, bury);
    while (upstream->retired_count > 0)
        rep_peer_destroy(upstream->retired[--upstream->retired_count]);
}

static struct rep_peer *take_peer(struct rep_peer **peers, unsigned count,
                                  const struct rep_place *place)
{
    for (unsigned i = 0; i < count; i++)
        if (peers[i] != NULL && rep_place_equal(rep_peer_place(peers[i]), place)) {
            struct rep_peer *peer = peers[i];
            peers[i] = NULL;
            return peer;
        }
    return NULL;
}

/* ---- a new route --------------------------------------------------------------------------- */

static const struct rep_place *owner_place(const struct rep_route *route, unsigned slot)
{
    return route->owner[slot] == REP_NOBODY ? NULL : &route->servers[route->owner[slot]].place;
}

/* True when a slot has another owner. */
static bool note_moves(struct rep_upstream *upstream, const struct rep_route *route)
{
    bool moved = false;
    if (!upstream->routed || !route->sharded || !upstream->route->sharded)
        return false;
    for (unsigned slot = 0; slot < REP_SLOTS; slot++) {
        const struct rep_place *before = owner_place(upstream->route, slot);
        const struct rep_place *after = owner_place(route, slot);
        if (before == after || (before != NULL && after != NULL && rep_place_equal(before, after)))
            continue;
        upstream->moved_us[slot] = now_of(upstream);
        moved = true;
    }
    return moved;
}

static bool same_servers(const struct rep_route *a, const struct rep_route *b)
{
    bool same = a->count == b->count;
    for (unsigned i = 0; same && i < a->count; i++)
        same = rep_place_equal(&a->servers[i].place, &b->servers[i].place);
    return same;
}

/* Peers of servers that stay are kept with their connections. */
static int change_peers(struct rep_upstream *upstream, const struct rep_route *route)
{
    struct rep_peer *before[REP_SERVERS];
    unsigned count = upstream->count, owners = upstream->route->count;
    int code = 0;
    memcpy(before, upstream->peers, count * sizeof(struct rep_peer *));
    upstream->count = 0;
    for (unsigned i = 0; i < route->count && code == 0; i++) {
        const struct rep_server *server = &route->servers[i];
        struct rep_peer *peer = take_peer(before, count, &server->place);
        if (peer != NULL)
            rep_peer_readdress(peer, &server->addresses);
        else
            peer = new_peer(upstream, server);
        if (peer != NULL)
            upstream->peers[upstream->count++] = peer;
        else
            code = -ENOMEM;
    }
    *upstream->route = *route;
    if (code != 0)
        upstream->route->count = upstream->count;
    /* Guests stay as long as slots are on their way. */
    bool moving = rt_timer_is_set(&upstream->calm);
    for (unsigned i = 0; i < count; i++)
        if (before[i] != NULL && i >= owners && moving && upstream->count < REP_SERVERS)
            upstream->peers[upstream->count++] = before[i];
        else if (before[i] != NULL)
            retire(upstream, before[i]);
    return code;
}

static void found(void *argument, const struct rep_route *route)
{
    struct rep_upstream *upstream = argument;
    bool moved = note_moves(upstream, route);
    bool same = upstream->routed && same_servers(upstream->route, route);
    if (!same && upstream->routed) {
        bury_due(&upstream->bury, 0);
        log_notice("reputation", "%s: other servers hold the keys now (%s)",
                   upstream->options.status->server, upstream->options.status->source);
        lose(upstream, "other servers hold the keys now");
    }
    int code = change_peers(upstream, route);
    upstream->routed = true;
    if (moved)
        rt_timer_set(upstream->options.wheel, &upstream->calm, now_of(upstream), CALM_US);
    evaluate(upstream, code != 0 ? error_text(code) : NULL);
}

static void not_found(void *argument, const char *reason)
{
    struct rep_upstream *upstream = argument;
    if (!upstream->ready)
        upstream->events.failed(upstream->events.argument, reason);
}

static void calm_due(struct rt_timer *timer, uint64_t now_us)
{
    (void)now_us;
    struct rep_upstream *upstream = LIST_ENTRY(timer, struct rep_upstream, calm);
    if (upstream->ready)
        upstream->events.compare(upstream->events.argument, "slots of the cluster moved");
}

/* ---- redirections -------------------------------------------------------------------------- */

static unsigned index_of(const struct rep_upstream *upstream, const struct rep_place *place)
{
    for (unsigned i = 0; i < upstream->count; i++)
        if (rep_place_equal(rep_peer_place(upstream->peers[i]), place))
            return i;
    return REP_NOBODY;
}

/* A node that takes slots over is not among their owners until it has the first one whole. */
static void invite(struct rep_upstream *upstream, const struct rep_place *place)
{
    struct rep_server server = {.place = *place};
    char reason[REASON_BYTES];
    if (upstream->count == REP_SERVERS ||
        rep_server_resolve(upstream->options.settings, place, &server.addresses, reason,
                           sizeof(reason)) != 0)
        return;
    struct rep_peer *peer = new_peer(upstream, &server);
    if (peer != NULL)
        upstream->peers[upstream->count++] = peer;
}

bool rep_upstream_redirected(struct rep_upstream *upstream, unsigned from, struct slice error,
                             unsigned *peer, bool *asking)
{
    struct rep_redirect redirect;
    *peer = REP_NOBODY;
    *asking = false;
    if (!upstream->cluster || from >= upstream->count)
        return false;
    rep_redirect_parse(error, rep_peer_place(upstream->peers[from]), &redirect);
    if (redirect.kind == REP_REDIRECT_NONE)
        return false;
    upstream->options.status->redirects++;
    if (redirect.kind != REP_REDIRECT_ASK)
        rep_discovery_doubt(upstream->discovery);
    if (redirect.kind == REP_REDIRECT_LATER)
        return true;
    upstream->moved_us[redirect.slot] = now_of(upstream);
    rt_timer_set(upstream->options.wheel, &upstream->calm, now_of(upstream), CALM_US);
    *peer = index_of(upstream, &redirect.place);
    *asking = redirect.kind == REP_REDIRECT_ASK;
    if (*peer == REP_NOBODY)
        invite(upstream, &redirect.place);
    return true;
}

bool rep_upstream_is_settled(const struct rep_upstream *upstream, struct slice key)
{
    if (!upstream->cluster)
        return true;
    uint64_t moved_us = upstream->moved_us[rep_slot(key)];
    return moved_us == 0 || now_of(upstream) - moved_us >= REP_SETTLE_US;
}

/* ---- questions of sync --------------------------------------------------------------------- */

bool rep_upstream_is_ready(const struct rep_upstream *upstream)
{
    return upstream->ready;
}

bool rep_upstream_is_sharded(const struct rep_upstream *upstream)
{
    return upstream->cluster;
}

uint64_t rep_upstream_compare_us(const struct rep_upstream *upstream)
{
    const struct rep_settings *settings = upstream->options.settings;
    uint64_t usual_us = settings->rescan_interval_s * 1000000;
    uint64_t often_us = (uint64_t)settings->compare_interval_ms * 1000;
    for (unsigned i = 0; i < upstream->count; i++) {
        const struct rep_peer *peer = upstream->peers[i];
        uint64_t us = rep_peer_way(peer) == REP_FOLLOW_TRACKING ? usual_us
                      : rep_peer_way(peer) == REP_FOLLOW_NOTIFICATIONS && rep_peer_is_sure(peer)
                          ? often_us * NOTIFIED_FACTOR
                          : often_us;
        if (us < usual_us)
            usual_us = us;
    }
    return usual_us;
}

unsigned rep_upstream_count(const struct rep_upstream *upstream)
{
    return upstream->count;
}

unsigned rep_upstream_find(const struct rep_upstream *upstream, struct slice key)
{
    return upstream->routed ? rep_route_find(upstream->route, key) : REP_NOBODY;
}

struct rep_link *rep_upstream_link(const struct rep_upstream *upstream, unsigned peer)
{
    if (peer >= upstream->count || !rep_peer_is_up(upstream->peers[peer]))
        return NULL;
    return rep_peer_data(upstream->peers[peer]);
}

void rep_upstream_fail(struct rep_upstream *upstream, unsigned peer, const char *reason)
{
    for (unsigned i = 0; i < upstream->count; i++)
        if (peer == REP_NOBODY || peer == i)
            rep_peer_fail(upstream->peers[i], reason);
}

/* ---- the object ---------------------------------------------------------------------------- */

int rep_upstream_create(const struct rep_upstream_options *options,
                        const struct rep_upstream_events *events, struct rep_upstream **upstream)
{
    struct rep_upstream *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->options = *options;
    created->events = *events;
    created->cluster = options->settings->cluster.count > 0;
    random_seed(&created->random, options->seed);
    rt_timer_init(&created->bury, bury_due);
    rt_timer_init(&created->calm, calm_due);
    struct rep_discovery_options finding = {
        .loop = options->loop,
        .wheel = options->wheel,
        .settings = options->settings,
        .status = options->status,
        .seed = options->seed ^ 1,
    };
    struct rep_discovery_events told = {found, not_found, created};
    created->route = calloc(1, sizeof(*created->route));
    if (created->cluster)
        created->moved_us = calloc(REP_SLOTS, sizeof(created->moved_us[0]));
    int code = created->route == NULL || (created->cluster && created->moved_us == NULL)
                   ? -ENOMEM
                   : rep_discovery_create(&finding, &told, &created->discovery);
    if (code != 0)
        rep_upstream_destroy(created);
    else
        *upstream = created;
    return code;
}

void rep_upstream_start(struct rep_upstream *upstream)
{
    rep_discovery_start(upstream->discovery);
}

void rep_upstream_destroy(struct rep_upstream *upstream)
{
    if (upstream == NULL)
        return;
    upstream->closing = true;
    rep_discovery_destroy(upstream->discovery);
    rt_timer_cancel(upstream->options.wheel, &upstream->bury);
    rt_timer_cancel(upstream->options.wheel, &upstream->calm);
    for (unsigned i = 0; i < upstream->count; i++)
        rep_peer_destroy(upstream->peers[i]);
    while (upstream->retired_count > 0)
        rep_peer_destroy(upstream->retired[--upstream->retired_count]);
    free(upstream->moved_us);
    free(upstream->route);
    free(upstream);
}
