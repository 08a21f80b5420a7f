/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding a master that sentinels name.
 *
 * Every sentinel is asked each second, and at once when one announces +switch-master or when a
 * server is in doubt. The place that most of those who answer name is tried; it becomes the master
 * when it says so itself (ROLE), and is asked again each second. So a sentinel that is down, cut
 * off with an old master, or wrong is outvoted, and one that is alone must at least name a master.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "discovery_int.h"

enum {
    ASK_US = 1000000,
    DECIDE_US = 500000,   /* how long the first answer waits for the others */
    REFUSED_US = 2000000, /* how long a place that is no master is not tried again */
    SENTINEL_TIMEOUT_MS = 2000,
};

static const char channel[] = "+switch-master";

struct finder;

struct sentinel {
    struct finder *finder;
    struct rep_place place;
    struct rep_link *ask, *watch;
    struct rt_timer timer; /* the next question, or the next attempt to connect */
    unsigned attempt;
    bool settled;  /* has answered or failed at least once */
    bool asked;    /* an answer is awaited */
    bool answered; /* `named` is its last answer */
    struct rep_place named;
};

struct finder {
    struct rep_discovery *discovery;
    struct rep_settings settings; /* of connections to sentinels; texts are the store's */
    struct sentinel sentinels[REP_SENTINEL_LIMIT];
    unsigned count;
    struct rt_timer decide;
    bool hurried; /* enough was waited for the others */

    bool has_candidate, confirmed; /* it said that it is a master */
    bool closing;
    struct rep_server candidate;
    struct rep_link *probe;
    struct rt_timer probe_timer;
    unsigned probe_attempt;
    bool role_asked;

    struct rep_place refused;
    uint64_t refused_until_us;
};

static struct rt_wheel *wheel_of(const struct finder *finder)
{
    return finder->discovery->options.wheel;
}

static uint64_t now_of(const struct finder *finder)
{
    return rt_loop_now(finder->discovery->options.loop);
}

static const char *master_of(const struct finder *finder)
{
    return finder->discovery->options.settings->sentinel_master;
}

/* ---- deciding ------------------------------------------------------------------------------ */

static void open_probe(struct finder *finder);

static unsigned votes_for(const struct finder *finder, const struct rep_place *place)
{
    unsigned votes = 0;
    for (unsigned i = 0; i < finder->count; i++)
        votes +=
            finder->sentinels[i].answered && rep_place_equal(&finder->sentinels[i].named, place);
    return votes;
}

static bool is_refused(const struct finder *finder, const struct rep_place *place)
{
    return now_of(finder) < finder->refused_until_us && rep_place_equal(&finder->refused, place);
}

/* The place with the most votes; of several the one in use, as long as it answers. */
static const struct rep_place *best_place(const struct finder *finder, unsigned *votes)
{
    const struct rep_place *best = NULL;
    *votes = 0;
    for (unsigned i = 0; i < finder->count; i++) {
        const struct rep_place *place = &finder->sentinels[i].named;
        if (!finder->sentinels[i].answered || is_refused(finder, place))
            continue;
        unsigned count = votes_for(finder, place);
        bool in_use = finder->has_candidate && rep_link_is_up(finder->probe) &&
                      rep_place_equal(place, &finder->candidate.place);
        if (count > *votes || (count == *votes && in_use)) {
            best = place;
            *votes = count;
        }
    }
    return best;
}

static bool everybody_settled(const struct finder *finder)
{
    for (unsigned i = 0; i < finder->count; i++)
        if (!finder->sentinels[i].settled)
            return false;
    return true;
}

static void decide(struct finder *finder)
{
    unsigned votes;
    const struct rep_place *best = best_place(finder, &votes);
    struct rep_status *status = finder->discovery->options.status;
    if (finder->closing || best == NULL)
        return;
    if (!finder->hurried && votes * 2 <= finder->count && !everybody_settled(finder)) {
        if (!rt_timer_is_set(&finder->decide))
            rt_timer_set(wheel_of(finder), &finder->decide, now_of(finder), DECIDE_US);
        return;
    }
    snprintf(status->source, sizeof(status->source), "named by %u of %u sentinels", votes,
             finder->count);
    if (finder->has_candidate && rep_place_equal(best, &finder->candidate.place))
        return;
    if (finder->has_candidate) {
        char from[REP_PLACE_BYTES], to[REP_PLACE_BYTES];
        rep_place_text(&finder->candidate.place, from, sizeof(from));
        rep_place_text(best, to, sizeof(to));
        log_notice("reputation", "master \"%s\": sentinels name %s instead of %s",
                   master_of(finder), to, from);
    }
    finder->candidate = (struct rep_server){.place = *best};
    finder->has_candidate = true;
    finder->confirmed = false;
    finder->probe_attempt = 0;
    open_probe(finder);
}

static void decide_due(struct rt_timer *timer, uint64_t now_us)
{
    (void)now_us;
    struct finder *finder = LIST_ENTRY(timer, struct finder, decide);
    finder->hurried = true;
    decide(finder);
}

/* ---- sentinels ----------------------------------------------------------------------------- */

static void sentinel_failed(struct sentinel *sentinel, const char *what)
{
    struct finder *finder = sentinel->finder;
    char place[REP_PLACE_BYTES], reason[DISCOVERY_REASON_BYTES];
    bool alone = true;
    sentinel->settled = true;
    sentinel->answered = false;
    for (unsigned i = 0; i < finder->count; i++)
        alone = alone && !finder->sentinels[i].answered;
    rep_place_text(&sentinel->place, place, sizeof(place));
    snprintf(reason, sizeof(reason), "sentinel %.80s: %.100s", place, what);
    if (alone && !finder->confirmed)
        rep_discovery_failed(finder->discovery, reason);
    else
        log_info("reputation", "%s", reason);
    decide(finder);
}

/* Closes both connections and comes back later. */
static void lose_sentinel(struct sentinel *sentinel, const char *what)
{
    struct finder *finder = sentinel->finder;
    uint64_t delay_us =
        rep_backoff_us(sentinel->attempt++, random_next(&finder->discovery->random));
    if (finder->closing)
        return;
    rt_timer_set(wheel_of(finder), &sentinel->timer, now_of(finder), delay_us);
    rep_link_close(sentinel->ask);
    rep_link_close(sentinel->watch);
    sentinel->asked = false;
    sentinel_failed(sentinel, what);
}

static void sentinel_down(void *argument, const char *reason)
{
    lose_sentinel(argument, reason);
}

static bool place_of_reply(const struct rep_reply *reply, struct rep_place *place)
{
    uint64_t port;
    if (reply->type != REP_REPLY_ARRAY || reply->count != 2)
        return false;
    struct slice host = reply->element[0].text;
    if (slice_to_uint64(reply->element[1].text, UINT16_MAX, &port) != 0 || port == 0 ||
        host.length == 0 || host.length >= sizeof(place->host) ||
        slice_find(host, '\0') < host.length)
        return false;
    memcpy(place->host, host.data, host.length);
    place->host[host.length] = '\0';
    place->port = (uint16_t)port;
    return true;
}

static void name_reply(void *argument, uint64_t tag, const struct rep_reply *reply)
{
    (void)tag;
    struct sentinel *sentinel = argument;
    char what[DISCOVERY_REASON_BYTES];
    sentinel->asked = false;
    if (reply == NULL)
        return;
    if (place_of_reply(reply, &sentinel->named)) {
        sentinel->attempt = 0;
        sentinel->settled = sentinel->answered = true;
        decide(sentinel->finder);
        return;
    }
    if (reply->type == REP_REPLY_ERROR)
        snprintf(what, sizeof(what), "%.*s", SLICE_ARGS(slice_first(reply->text, 120)));
    else
        snprintf(what, sizeof(what), "knows no master \"%.64s\"", master_of(sentinel->finder));
    sentinel_failed(sentinel, what);
}

static void ask(struct sentinel *sentinel)
{
    const struct slice words[] = {SLICE_LITERAL("SENTINEL"),
                                  SLICE_LITERAL("get-master-addr-by-name"),
                                  slice_of_text(master_of(sentinel->finder))};
    if (sentinel->asked || !rep_link_is_up(sentinel->ask))
        return;
    /* When it fails the link goes down by its own timer. */
    sentinel->asked = rep_link_command(sentinel->ask, words, 3, name_reply, sentinel, 0) == 0;
    rt_timer_set(wheel_of(sentinel->finder), &sentinel->timer, now_of(sentinel->finder), ASK_US);
}

static void ask_all(struct finder *finder)
{
    for (unsigned i = 0; i < finder->count; i++)
        ask(&finder->sentinels[i]);
}

static void ask_up(void *argument)
{
    ask(argument);
}

static void watch_reply(void *argument, uint64_t tag, const struct rep_reply *reply)
{
    (void)tag;
    struct sentinel *sentinel = argument;
    if (reply == NULL)
        return;
    /* Without the right to subscribe the questions of each second remain. */
    if (reply->type == REP_REPLY_ARRAY)
        rep_link_subscribed(sentinel->watch);
    else
        rep_link_close(sentinel->watch);
}

static void watch_up(void *argument)
{
    struct sentinel *sentinel = argument;
    const struct slice words[] = {SLICE_LITERAL("SUBSCRIBE"), slice_of_text(channel)};
    int code = rep_link_command(sentinel->watch, words, 2, watch_reply, sentinel, 0);
    if (code != 0)
        rep_link_close(sentinel->watch);
}

/* Only a reason to ask: what it says is not believed unasked. */
static void watch_message(void *argument, const struct rep_reply *reply)
{
    (void)reply;
    struct sentinel *sentinel = argument;
    ask_all(sentinel->finder);
}

static void open_sentinel(struct sentinel *sentinel)
{
    struct finder *finder = sentinel->finder;
    char reason[DISCOVERY_REASON_BYTES];
    struct rep_addresses addresses;
    int code = rep_server_resolve(finder->discovery->options.settings, &sentinel->place, &addresses,
                                  reason, sizeof(reason));
    if (code == 0) {
        const struct rep_address *address = &addresses.address[sentinel->attempt % addresses.count];
        code = rep_link_open(sentinel->ask, address);
        if (code == 0)
            code = rep_link_open(sentinel->watch, address);
        if (code != 0)
            snprintf(reason, sizeof(reason), "cannot connect: %s", error_text(code));
    }
    if (code != 0)
        lose_sentinel(sentinel, reason);
}

static void sentinel_due(struct rt_timer *timer, uint64_t now_us)
{
    struct sentinel *sentinel = LIST_ENTRY(timer, struct sentinel, timer);
    if (rep_link_is_closed(sentinel->ask))
        open_sentinel(sentinel);
    else if (sentinel->asked)
        rt_timer_set(wheel_of(sentinel->finder), timer, now_us, ASK_US);
    else
        ask(sentinel);
}

/* ---- the candidate ------------------------------------------------------------------------- */

static void probe_again(struct finder *finder, const char *what)
{
    char place[REP_PLACE_BYTES], reason[DISCOVERY_REASON_BYTES];
    if (finder->closing)
        return;
    finder->role_asked = false;
    rt_timer_set(wheel_of(finder), &finder->probe_timer, now_of(finder),
                 rep_backoff_us(finder->probe_attempt++, random_next(&finder->discovery->random)));
    rep_place_text(&finder->candidate.place, place, sizeof(place));
    snprintf(reason, sizeof(reason), "%.80s: %.100s", place, what);
    if (!finder->confirmed)
        rep_discovery_failed(finder->discovery, reason);
    ask_all(finder);
    decide(finder);
}

static void probe_down(void *argument, const char *reason)
{
    probe_again(argument, reason);
}

/* It is named as the master and says it is none: nothing is read from it. */
static void refuse(struct finder *finder)
{
    char place[REP_PLACE_BYTES], reason[DISCOVERY_REASON_BYTES];
    rep_place_text(&finder->candidate.place, place, sizeof(place));
    snprintf(reason, sizeof(reason), "sentinels name %.80s as master \"%.40s\", which it is not",
             place, master_of(finder));
    finder->refused = finder->candidate.place;
    finder->refused_until_us = now_of(finder) + REFUSED_US;
    finder->has_candidate = finder->confirmed = false;
    rt_timer_cancel(wheel_of(finder), &finder->probe_timer);
    rep_link_close(finder->probe);
    finder->role_asked = false;
    log_warning("reputation", "%s", reason);
    rep_discovery_failed(finder->discovery, reason);
    ask_all(finder);
    decide(finder);
}

static void role_reply(void *argument, uint64_t tag, const struct rep_reply *reply)
{
    (void)tag;
    struct finder *finder = argument;
    finder->role_asked = false;
    if (reply == NULL)
        return;
    if (reply->type == REP_REPLY_ERROR || reply->type != REP_REPLY_ARRAY || reply->count == 0) {
        char what[DISCOVERY_REASON_BYTES];
        struct slice text = reply->type == REP_REPLY_ERROR ? reply->text : SLICE("unexpected");
        snprintf(what, sizeof(what), "ROLE refused: %.*s", SLICE_ARGS(slice_first(text, 80)));
        rep_link_close(finder->probe);
        probe_again(finder, what);
        return;
    }
    if (!rep_reply_is_text(&reply->element[0], "master")) {
        refuse(finder);
        return;
    }
    finder->probe_attempt = 0;
    finder->confirmed = true;
    rep_discovery_publish_one(finder->discovery, &finder->candidate);
}

static void ask_role(struct finder *finder)
{
    static const struct slice words[] = {SLICE_LITERAL("ROLE")};
    if (!finder->role_asked && rep_link_is_up(finder->probe))
        finder->role_asked = rep_link_command(finder->probe, words, 1, role_reply, finder, 0) == 0;
    rt_timer_set(wheel_of(finder), &finder->probe_timer, now_of(finder), ASK_US);
}

static void probe_up(void *argument)
{
    ask_role(argument);
}

static void open_probe(struct finder *finder)
{
    const struct rep_settings *settings = finder->discovery->options.settings;
    struct rep_addresses *addresses = &finder->candidate.addresses;
    char reason[DISCOVERY_REASON_BYTES];
    rep_link_close(finder->probe);
    finder->role_asked = false;
    rt_timer_cancel(wheel_of(finder), &finder->probe_timer);
    int code =
        rep_server_resolve(settings, &finder->candidate.place, addresses, reason, sizeof(reason));
    if (code == 0) {
        code = rep_link_open(finder->probe,
                             &addresses->address[finder->probe_attempt % addresses->count]);
        if (code != 0)
            snprintf(reason, sizeof(reason), "cannot connect: %s", error_text(code));
    }
    if (code != 0)
        probe_again(finder, reason);
}

static void probe_due(struct rt_timer *timer, uint64_t now_us)
{
    (void)now_us;
    struct finder *finder = LIST_ENTRY(timer, struct finder, probe_timer);
    if (rep_link_is_closed(finder->probe))
        open_probe(finder);
    else
        ask_role(finder);
}

/* ---- the object ---------------------------------------------------------------------------- */

static void finder_destroy(void *state)
{
    struct finder *finder = state;
    if (finder == NULL)
        return;
    finder->closing = true;
    rt_timer_cancel(wheel_of(finder), &finder->decide);
    rt_timer_cancel(wheel_of(finder), &finder->probe_timer);
    rep_link_destroy(finder->probe);
    for (unsigned i = 0; i < finder->count; i++) {
        rt_timer_cancel(wheel_of(finder), &finder->sentinels[i].timer);
        rep_link_destroy(finder->sentinels[i].ask);
        rep_link_destroy(finder->sentinels[i].watch);
    }
    free(finder);
}

static int create_sentinel(struct finder *finder, struct slice text)
{
    struct sentinel *sentinel = &finder->sentinels[finder->count];
    struct rep_link_options options = {
        .loop = finder->discovery->options.loop,
        .wheel = finder->discovery->options.wheel,
        .settings = &finder->settings,
        .pipeline = DISCOVERY_PIPELINE,
        .reply_limit = DISCOVERY_REPLY_LIMIT,
    };
    struct rep_link_events asking = {ask_up, sentinel_down, NULL, sentinel};
    struct rep_link_events watching = {watch_up, sentinel_down, watch_message, sentinel};
    sentinel->finder = finder;
    rt_timer_init(&sentinel->timer, sentinel_due);
    int code = rep_place_parse(text, &sentinel->place);
    if (code == 0)
        code = rep_link_create(&options, &asking, &sentinel->ask);
    if (code == 0)
        code = rep_link_create(&options, &watching, &sentinel->watch);
    finder->count++;
    return code;
}

/* Sentinels have accounts, databases and patience of their own. */
static struct rep_settings sentinel_settings(const struct rep_settings *settings)
{
    struct rep_settings own = *settings;
    own.username = settings->sentinel_username;
    own.password = settings->sentinel_password;
    own.database = 0;
    if (own.reply_timeout_ms > SENTINEL_TIMEOUT_MS)
        own.reply_timeout_ms = SENTINEL_TIMEOUT_MS;
    return own;
}

static int finder_create(struct rep_discovery *discovery, void **state)
{
    const struct rep_settings *settings = discovery->options.settings;
    struct finder *finder = calloc(1, sizeof(*finder));
    if (finder == NULL)
        return -ENOMEM;
    finder->discovery = discovery;
    finder->settings = sentinel_settings(settings);
    rt_timer_init(&finder->decide, decide_due);
    rt_timer_init(&finder->probe_timer, probe_due);
    struct rep_link_options options = {
        .loop = discovery->options.loop,
        .wheel = discovery->options.wheel,
        .settings = settings,
        .pipeline = DISCOVERY_PIPELINE,
        .reply_limit = DISCOVERY_REPLY_LIMIT,
    };
    struct rep_link_events probing = {probe_up, probe_down, NULL, finder};
    int code = settings->sentinel_master != NULL && settings->sentinels.count <= REP_SENTINEL_LIMIT
                   ? rep_link_create(&options, &probing, &finder->probe)
                   : -EINVAL;
    for (size_t i = 0; i < settings->sentinels.count && code == 0; i++)
        code = create_sentinel(finder, settings->sentinels.items[i]);
    if (code != 0)
        finder_destroy(finder);
    else
        *state = finder;
    return code;
}

static void finder_start(void *state)
{
    struct finder *finder = state;
    for (unsigned i = 0; i < finder->count; i++)
        open_sentinel(&finder->sentinels[i]);
}

static void finder_doubt(void *state)
{
    ask_all(state);
}

const struct discovery_kind rep_discovery_sentinel = {finder_create, finder_start, finder_doubt,
                                                      finder_destroy};
