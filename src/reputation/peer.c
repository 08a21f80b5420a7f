/* SPDX-License-Identifier: Apache-2.0 */
#include "peer_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "key_int.h"

enum { REASON_BYTES = 192, TRACK_PIPELINE = 16, CHANNEL_BYTES = 48 };

/* Largest invalidation: half a million keys changed in one turn of the server. */
static const size_t reply_limit = 128u << 20;

static const char invalidations[] = "__redis__:invalidate";

struct rep_peer {
    struct rep_peer_options options;
    struct rep_peer_events events;
    struct rep_server server;
    struct rep_link *data, *track;
    struct rt_timer retry;
    struct random_state random;
    unsigned attempt;
    enum rep_follow way;
    enum rep_follow told; /* the worst way that the log speaks of */
    bool sure;
    bool following; /* changes are told, as far as the way tells any */
    bool up;        /* ... and data can be read: the owner knows */
    bool closed;
    bool failing;
};

static void connect_now(struct rep_peer *peer);

/* ---- up and down --------------------------------------------------------------------------- */

static void check_up(struct rep_peer *peer)
{
    if (peer->up || !peer->following || !rep_link_is_up(peer->data))
        return;
    peer->up = true;
    peer->attempt = 0;
    peer->events.up(peer->events.argument, peer);
}

void rep_peer_fail(struct rep_peer *peer, const char *reason)
{
    char place[REP_PLACE_BYTES], text[REASON_BYTES];
    if (peer->failing || peer->closed)
        return;
    peer->failing = true;
    peer->up = peer->following = false;
    rep_place_text(&peer->server.place, place, sizeof(place));
    snprintf(text, sizeof(text), "%.80s: %.100s", place, reason);
    rt_timer_set(peer->options.wheel, &peer->retry, rt_loop_now(peer->options.loop),
                 rep_backoff_us(peer->attempt++, random_next(&peer->random)));
    rep_link_close(peer->track);
    rep_link_close(peer->data);
    peer->failing = false;
    peer->events.down(peer->events.argument, peer, text);
}

static void link_down(void *argument, const char *reason)
{
    rep_peer_fail(argument, reason);
}

static void data_up(void *argument)
{
    check_up(argument);
}

/* ---- ways of following: one step follows the reply to the one before ------------------------ */

static void send_step(struct rep_peer *peer, const struct slice *words, unsigned count,
                      rep_link_reply_fn *reply)
{
    int code = rep_link_command(peer->track, words, count, reply, peer, 0);
    if (code != 0)
        rep_peer_fail(peer, error_text(code));
}

static void now_follows(struct rep_peer *peer)
{
    peer->following = true;
    check_up(peer);
}

/* The server or its policy does not allow this way: the next, on a connection of its own, since a
 * half-made subscription cannot be trusted. */
static void refused(struct rep_peer *peer, const char *what, struct slice why)
{
    static const char *const words[REP_FOLLOW_COUNT] = {
#define FOLLOW_WORD(name, word, text) [name] = text,
        REP_FOLLOW_TABLE(FOLLOW_WORD)
#undef FOLLOW_WORD
    };
    char place[REP_PLACE_BYTES];
    rep_place_text(&peer->server.place, place, sizeof(place));
    /* No policy about this way, but a server that answers nothing yet. */
    bool not_now =
        slice_starts_with(why, SLICE("NOAUTH")) || slice_starts_with(why, SLICE("LOADING"));
    if (not_now || peer->options.settings->follow != REP_FOLLOW_AUTO) {
        char reason[REASON_BYTES];
        snprintf(reason, sizeof(reason), "%s: %.*s", what, SLICE_ARGS(slice_first(why, 80)));
        rep_peer_fail(peer, reason);
        return;
    }
    peer->way++;
    if (peer->way > peer->told)
        log_warning("reputation", "%s: %s: %.*s; how changes are learned now: %s", place, what,
                    SLICE_ARGS(slice_first(why, 120)), words[peer->way]);
    if (peer->way > peer->told)
        peer->told = peer->way;
    rep_link_close(peer->track);
    if (peer->way == REP_FOLLOW_COMPARING) {
        now_follows(peer);
        return;
    }
    const struct rep_addresses *addresses = &peer->server.addresses;
    int code = rep_link_open(peer->track, &addresses->address[peer->attempt % addresses->count]);
    if (code != 0)
        rep_peer_fail(peer, error_text(code));
}

static struct slice why_of(const struct rep_reply *reply)
{
    return reply->type == REP_REPLY_ERROR ? reply->text : SLICE("unexpected reply");
}

static void subscribe_reply(void *argument, uint64_t tag, const struct rep_reply *reply)
{
    (void)tag;
    struct rep_peer *peer = argument;
    if (reply == NULL)
        return;
    if (reply->type != REP_REPLY_ARRAY || reply->count != 3) {
        refused(peer, "subscription refused", why_of(reply));
        return;
    }
    rep_link_subscribed(peer->track);
    now_follows(peer);
}

static void tracking_reply(void *argument, uint64_t tag, const struct rep_reply *reply)
{
    (void)tag;
    struct rep_peer *peer = argument;
    if (reply == NULL)
        return;
    if (!rep_reply_is_text(reply, "OK")) {
        refused(peer, "CLIENT TRACKING refused (Redis 6.0 or later has it)", why_of(reply));
        return;
    }
    const struct slice words[] = {SLICE_LITERAL("SUBSCRIBE"), slice_of_text(invalidations)};
    send_step(peer, words, 2, subscribe_reply);
}

static void id_reply(void *argument, uint64_t tag, const struct rep_reply *reply)
{
    (void)tag;
    struct rep_peer *peer = argument;
    if (reply == NULL)
        return;
    if (reply->type != REP_REPLY_INTEGER) {
        refused(peer, "CLIENT ID refused (Redis 5.0 or later has it)", why_of(reply));
        return;
    }
    char id[24];
    snprintf(id, sizeof(id), "%lld", (long long)reply->integer);
    const struct slice words[] = {SLICE_LITERAL("CLIENT"), SLICE_LITERAL("TRACKING"),
                                  SLICE_LITERAL("ON"),     SLICE_LITERAL("REDIRECT"),
                                  slice_of_text(id),       SLICE_LITERAL("BCAST"),
                                  SLICE_LITERAL("PREFIX"), SLICE_LITERAL(REP_KEY_NUMBER),
                                  SLICE_LITERAL("PREFIX"), SLICE_LITERAL(REP_KEY_PREFIX),
                                  SLICE_LITERAL("PREFIX"), SLICE_LITERAL(REP_KEY_RAW)};
    send_step(peer, words, sizeof(words) / sizeof(words[0]), tracking_reply);
}

static struct slice keyspace_channel(const struct rep_peer *peer, char *text, size_t capacity)
{
    snprintf(text, capacity, "__keyspace@%u__:", peer->options.settings->database);
    return slice_of_text(text);
}

static void subscribe_keyspace(struct rep_peer *peer)
{
    char channel[CHANNEL_BYTES], pattern[CHANNEL_BYTES + sizeof("rf:*")];
    keyspace_channel(peer, channel, sizeof(channel));
    snprintf(pattern, sizeof(pattern), "%srf:*", channel);
    const struct slice words[] = {SLICE_LITERAL("PSUBSCRIBE"), slice_of_text(pattern)};
    send_step(peer, words, 2, subscribe_reply);
}

static bool has_flags(struct slice flags, const char *wanted)
{
    for (; *wanted != '\0'; wanted++)
        if (slice_find(flags, *wanted) == flags.length)
            return false;
    return true;
}

static void flags_reply(void *argument, uint64_t tag, const struct rep_reply *reply)
{
    (void)tag;
    struct rep_peer *peer = argument;
    if (reply == NULL)
        return;
    peer->sure = reply->type == REP_REPLY_ARRAY && reply->count == 2;
    if (peer->sure) {
        struct slice flags = reply->element[1].text;
        if (!has_flags(flags, "KA") && !has_flags(flags, "Kghx")) {
            refused(peer, "keyspace notifications are off",
                    SLICE("notify-keyspace-events needs KA"));
            return;
        }
    }
    subscribe_keyspace(peer);
}

static void follow(struct rep_peer *peer)
{
    static const struct slice id[] = {SLICE_LITERAL("CLIENT"), SLICE_LITERAL("ID")};
    static const struct slice flags[] = {SLICE_LITERAL("CONFIG"), SLICE_LITERAL("GET"),
                                         SLICE_LITERAL("notify-keyspace-events")};
    if (peer->way == REP_FOLLOW_TRACKING)
        send_step(peer, id, 2, id_reply);
    else
        send_step(peer, flags, 3, flags_reply);
}

static void track_up(void *argument)
{
    follow(argument);
}

/* ---- messages ------------------------------------------------------------------------------ */

static void take_invalidation(struct rep_peer *peer, const struct rep_reply *keys)
{
    if (keys->type == REP_REPLY_NIL) {
        peer->events.flushed(peer->events.argument, peer);
        return;
    }
    if (keys->type != REP_REPLY_ARRAY) {
        rep_peer_fail(peer, "an invalidation that names no keys");
        return;
    }
    for (size_t i = 0; i < keys->count && peer->up; i++)
        if (keys->element[i].type == REP_REPLY_TEXT)
            peer->events.changed(peer->events.argument, keys->element[i].text);
}

static void track_message(void *argument, const struct rep_reply *reply)
{
    struct rep_peer *peer = argument;
    char text[CHANNEL_BYTES];
    if (rep_reply_is_text(&reply->element[1], invalidations)) {
        take_invalidation(peer, &reply->element[2]);
        return;
    }
    struct slice channel = keyspace_channel(peer, text, sizeof(text));
    if (reply->count == 4 && slice_starts_with(reply->element[2].text, channel))
        peer->events.changed(peer->events.argument,
                             slice_from(reply->element[2].text, channel.length));
}

/* ---- connecting ---------------------------------------------------------------------------- */

static void connect_now(struct rep_peer *peer)
{
    const struct rep_addresses *addresses = &peer->server.addresses;
    const struct rep_settings *settings = peer->options.settings;
    const struct rep_address *address = &addresses->address[peer->attempt % addresses->count];
    peer->way = settings->follow != REP_FOLLOW_AUTO ? settings->follow : REP_FOLLOW_TRACKING;
    peer->sure = true;
    peer->following = peer->way == REP_FOLLOW_COMPARING;
    int code = rep_link_open(peer->data, address);
    if (code == 0 && !peer->following)
        code = rep_link_open(peer->track, address);
    if (code != 0) {
        char reason[REASON_BYTES];
        snprintf(reason, sizeof(reason), "cannot connect: %s", error_text(code));
        rep_peer_fail(peer, reason);
    }
}

static void retry_due(struct rt_timer *timer, uint64_t now_us)
{
    (void)now_us;
    connect_now(LIST_ENTRY(timer, struct rep_peer, retry));
}

/* ---- the object ---------------------------------------------------------------------------- */

int rep_peer_create(const struct rep_peer_options *options, const struct rep_peer_events *events,
                    const struct rep_server *server, struct rep_peer **peer)
{
    struct rep_peer *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->options = *options;
    created->events = *events;
    created->server = *server;
    random_seed(&created->random, options->seed);
    rt_timer_init(&created->retry, retry_due);
    struct rep_link_options link = {
        .loop = options->loop,
        .wheel = options->wheel,
        .settings = options->settings,
        .pipeline = TRACK_PIPELINE,
        .reply_limit = reply_limit,
    };
    struct rep_link_events track = {track_up, link_down, track_message, created};
    struct rep_link_events data = {data_up, link_down, NULL, created};
    int code = rep_link_create(&link, &track, &created->track);
    link.pipeline = REP_PEER_PIPELINE;
    if (code == 0)
        code = rep_link_create(&link, &data, &created->data);
    if (code != 0)
        rep_peer_destroy(created);
    else
        *peer = created;
    return code;
}

void rep_peer_start(struct rep_peer *peer)
{
    /* From the wheel, so that no event comes from within. */
    rt_timer_set(peer->options.wheel, &peer->retry, rt_loop_now(peer->options.loop), 0);
}

void rep_peer_close(struct rep_peer *peer)
{
    peer->closed = true;
    peer->up = peer->following = false;
    rt_timer_cancel(peer->options.wheel, &peer->retry);
    rep_link_close(peer->track);
    rep_link_close(peer->data);
}

void rep_peer_destroy(struct rep_peer *peer)
{
    if (peer == NULL)
        return;
    peer->closed = true;
    rt_timer_cancel(peer->options.wheel, &peer->retry);
    rep_link_destroy(peer->track);
    rep_link_destroy(peer->data);
    free(peer);
}

bool rep_peer_is_up(const struct rep_peer *peer)
{
    return peer->up;
}

struct rep_link *rep_peer_data(struct rep_peer *peer)
{
    return peer->data;
}

const struct rep_place *rep_peer_place(const struct rep_peer *peer)
{
    return &peer->server.place;
}

void rep_peer_readdress(struct rep_peer *peer, const struct rep_addresses *addresses)
{
    peer->server.addresses = *addresses;
}

enum rep_follow rep_peer_way(const struct rep_peer *peer)
{
    return peer->way;
}

bool rep_peer_is_sure(const struct rep_peer *peer)
{
    return peer->sure;
}
