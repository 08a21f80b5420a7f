/* SPDX-License-Identifier: Apache-2.0 */
/* What the ways of finding share, and the simplest: the server that settings name. */
#include "discovery_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

/* ---- publishing ---------------------------------------------------------------------------- */

void rep_discovery_publish(struct rep_discovery *discovery, const struct rep_route *route)
{
    if (discovery->published && rep_route_equal(discovery->route, route))
        return;
    if (discovery->published)
        discovery->options.status->switches++;
    discovery->published = true;
    *discovery->route = *route;
    discovery->events.found(discovery->events.argument, discovery->route);
}

void rep_discovery_publish_one(struct rep_discovery *discovery, const struct rep_server *server)
{
    struct rep_route *route = calloc(1, sizeof(*route));
    if (route == NULL) {
        rep_discovery_failed(discovery, error_text(-ENOMEM));
        return;
    }
    route->count = 1;
    route->servers[0] = *server;
    rep_discovery_publish(discovery, route);
    free(route);
}

void rep_discovery_failed(struct rep_discovery *discovery, const char *reason)
{
    discovery->events.failed(discovery->events.argument, reason);
}

/* ---- the server that settings name --------------------------------------------------------- */

enum { NAMED_AGAIN_US = 1000000 };

struct named {
    struct rep_discovery *discovery;
    struct rt_timer timer;
    uint64_t looked_us; /* last time the name was looked up */
    struct rep_server server;
};

static void look_up(struct named *named)
{
    const struct rep_discovery_options *options = &named->discovery->options;
    char reason[DISCOVERY_REASON_BYTES];
    struct rep_server server;
    uint64_t now_us = rt_loop_now(options->loop);
    named->looked_us = now_us;
    rep_place_of_settings(options->settings, &server.place);
    if (rep_server_resolve(options->settings, &server.place, &server.addresses, reason,
                           sizeof(reason)) == 0) {
        rep_discovery_publish_one(named->discovery, &server);
        return;
    }
    rt_timer_set(options->wheel, &named->timer, now_us, NAMED_AGAIN_US);
    rep_discovery_failed(named->discovery, reason);
}

static void named_due(struct rt_timer *timer, uint64_t now_us)
{
    (void)now_us;
    look_up(LIST_ENTRY(timer, struct named, timer));
}

static int named_create(struct rep_discovery *discovery, void **state)
{
    struct named *named = calloc(1, sizeof(*named));
    if (named == NULL)
        return -ENOMEM;
    named->discovery = discovery;
    rt_timer_init(&named->timer, named_due);
    *state = named;
    return 0;
}

static void named_start(void *state)
{
    look_up(state);
}

/* Its name may stand for another address now. */
static void named_doubt(void *state)
{
    struct named *named = state;
    const struct rep_discovery_options *options = &named->discovery->options;
    uint64_t now_us = rt_loop_now(options->loop);
    uint64_t since_us = now_us - named->looked_us;
    if (!rt_timer_is_set(&named->timer))
        rt_timer_set(options->wheel, &named->timer, now_us,
                     since_us < NAMED_AGAIN_US ? NAMED_AGAIN_US - since_us : 0);
}

static void named_destroy(void *state)
{
    struct named *named = state;
    if (named == NULL)
        return;
    rt_timer_cancel(named->discovery->options.wheel, &named->timer);
    free(named);
}

static const struct discovery_kind discovery_named = {named_create, named_start, named_doubt,
                                                      named_destroy};

/* ---- the object ---------------------------------------------------------------------------- */

static const struct discovery_kind *kind_of(const struct rep_settings *settings)
{
    if (settings->sentinels.count > 0)
        return &rep_discovery_sentinel;
    return settings->cluster.count > 0 ? &rep_discovery_cluster : &discovery_named;
}

int rep_discovery_create(const struct rep_discovery_options *options,
                         const struct rep_discovery_events *events,
                         struct rep_discovery **discovery)
{
    struct rep_discovery *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->options = *options;
    created->events = *events;
    random_seed(&created->random, options->seed);
    created->route = calloc(1, sizeof(*created->route));
    created->kind = kind_of(options->settings);
    int code = created->route != NULL ? created->kind->create(created, &created->state) : -ENOMEM;
    if (code != 0)
        rep_discovery_destroy(created);
    else
        *discovery = created;
    return code;
}

void rep_discovery_start(struct rep_discovery *discovery)
{
    discovery->kind->start(discovery->state);
}

void rep_discovery_doubt(struct rep_discovery *discovery)
{
    discovery->kind->doubt(discovery->state);
}

void rep_discovery_destroy(struct rep_discovery *discovery)
{
    if (discovery == NULL)
        return;
    discovery->kind->destroy(discovery->state);
    free(discovery->route);
    free(discovery);
}
