/* SPDX-License-Identifier: Apache-2.0 */
#include "route_int.h"

#include <errno.h>
#include <string.h>

/* CRC-16/XMODEM, as the cluster specification has it: polynomial 0x1021, bit by bit; 20 bytes of a
 * key take some 200 ns, beside a round trip of 50 us. */
static unsigned crc16(struct slice bytes)
{
    unsigned crc = 0;
    for (size_t i = 0; i < bytes.length; i++) {
        crc ^= (unsigned)(unsigned char)bytes.data[i] << 8;
        for (unsigned bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000) != 0 ? (crc << 1 ^ 0x1021) & 0xffff : crc << 1 & 0xffff;
    }
    return crc;
}

unsigned rep_slot(struct slice key)
{
    /* Only what stands between the first { and the next } counts, unless that is nothing. */
    size_t open = slice_find(key, '{');
    struct slice tag = slice_from(key, open + 1);
    size_t length = slice_find(tag, '}');
    if (open < key.length && length > 0 && length < tag.length)
        key = slice_first(tag, length);
    return crc16(key) % REP_SLOTS;
}

unsigned rep_route_find(const struct rep_route *route, struct slice key)
{
    if (!route->sharded)
        return route->count > 0 ? 0 : REP_NOBODY;
    return route->owner[rep_slot(key)];
}

unsigned rep_route_server(const struct rep_route *route, const struct rep_place *place)
{
    for (unsigned i = 0; i < route->count; i++)
        if (rep_place_equal(&route->servers[i].place, place))
            return i;
    return REP_NOBODY;
}

unsigned rep_route_gaps(const struct rep_route *route)
{
    unsigned gaps = 0;
    for (unsigned i = 0; route->sharded && i < REP_SLOTS; i++)
        gaps += route->owner[i] == REP_NOBODY;
    return gaps;
}

static bool same_addresses(const struct rep_addresses *a, const struct rep_addresses *b)
{
    if (a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++)
        if (a->address[i].length != b->address[i].length ||
            memcmp(&a->address[i].storage, &b->address[i].storage, a->address[i].length) != 0)
            return false;
    return true;
}

bool rep_route_equal(const struct rep_route *a, const struct rep_route *b)
{
    if (a->sharded != b->sharded || a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++)
        if (!rep_place_equal(&a->servers[i].place, &b->servers[i].place) ||
            !same_addresses(&a->servers[i].addresses, &b->servers[i].addresses))
            return false;
    return !a->sharded || memcmp(a->owner, b->owner, sizeof(a->owner)) == 0;
}

/* ---- CLUSTER SLOTS ------------------------------------------------------------------------- */

/* A node of a range: [host, port, id, ...]. A host of nil, "" or "?" is the server asked. */
static int parse_node(const struct rep_reply *node, const struct rep_place *asked,
                      struct rep_place *place)
{
    if (node->type != REP_REPLY_ARRAY || node->count < 2 ||
        node->element[1].type != REP_REPLY_INTEGER || node->element[1].integer < 1 ||
        node->element[1].integer > UINT16_MAX)
        return -EBADMSG;
    struct slice host = node->element[0].text;
    place->port = (uint16_t)node->element[1].integer;
    bool unknown = node->element[0].type != REP_REPLY_TEXT || host.length == 0 ||
                   slice_equal(host, SLICE("?"));
    if (unknown)
        host = slice_of_text(asked->host);
    if (host.length >= sizeof(place->host) || slice_find(host, '\0') < host.length)
        return -EBADMSG;
    memcpy(place->host, host.data, host.length);
    place->host[host.length] = '\0';
    return 0;
}

static int parse_range(const struct rep_reply *range, const struct rep_place *asked,
                       struct rep_route *route)
{
    struct rep_place place;
    if (range->type != REP_REPLY_ARRAY || range->count < 3)
        return -EBADMSG;
    const struct rep_reply *first = &range->element[0], *last = &range->element[1];
    if (first->type != REP_REPLY_INTEGER || last->type != REP_REPLY_INTEGER || first->integer < 0 ||
        last->integer >= REP_SLOTS || first->integer > last->integer ||
        parse_node(&range->element[2], asked, &place) != 0)
        return -EBADMSG;
    unsigned index = rep_route_server(route, &place);
    if (index == REP_NOBODY) {
        if (route->count == REP_SERVERS)
            return ERROR_LIMIT;
        index = route->count++;
        route->servers[index] = (struct rep_server){.place = place};
    }
    for (int64_t slot = first->integer; slot <= last->integer; slot++)
        route->owner[slot] = (uint16_t)index;
    return 0;
}

static bool stands_before(const struct rep_place *a, const struct rep_place *b)
{
    int order = strcmp(a->host, b->host);
    return order != 0 ? order < 0 : a->port < b->port;
}

/* By name, so that two nodes that say the same in another order give equal routes. */
static void sort_servers(struct rep_route *route)
{
    uint16_t rank[REP_SERVERS];
    for (unsigned i = 0; i < route->count; i++) {
        rank[i] = 0;
        for (unsigned j = 0; j < route->count; j++)
            rank[i] += stands_before(&route->servers[j].place, &route->servers[i].place);
    }
    for (unsigned i = 0; i < REP_SLOTS; i++)
        if (route->owner[i] != REP_NOBODY)
            route->owner[i] = rank[route->owner[i]];
    for (unsigned i = 0; i < route->count; i++)
        while (rank[i] != i) {
            unsigned to = rank[i];
            struct rep_server server = route->servers[to];
            route->servers[to] = route->servers[i];
            route->servers[i] = server;
            rank[i] = rank[to];
            rank[to] = (uint16_t)to;
        }
}

int rep_route_parse(const struct rep_reply *reply, const struct rep_place *asked,
                    struct rep_route *route)
{
    route->sharded = true;
    route->count = 0;
    memset(route->owner, 0xff, sizeof(route->owner));
    if (reply->type != REP_REPLY_ARRAY)
        return -EBADMSG;
    int code = 0;
    for (size_t i = 0; i < reply->count && code == 0; i++)
        code = parse_range(&reply->element[i], asked, route);
    if (code == 0)
        sort_servers(route);
    return code == 0 && route->count == 0 ? ERROR_NOT_FOUND : code;
}

/* ---- redirections -------------------------------------------------------------------------- */

static const struct {
    struct slice word;
    enum rep_redirect_kind kind;
} redirections[] = {
    {SLICE_LITERAL("MOVED "), REP_REDIRECT_MOVED},
    {SLICE_LITERAL("ASK "), REP_REDIRECT_ASK},
    {SLICE_LITERAL("TRYAGAIN"), REP_REDIRECT_LATER},
    {SLICE_LITERAL("CLUSTERDOWN"), REP_REDIRECT_LATER},
};

/* "3999 127.0.0.1:6381"; without a host it is the one that answered. */
static int parse_target(struct slice text, const struct rep_place *asked,
                        struct rep_redirect *redirect)
{
    uint64_t number;
    size_t space = slice_find(text, ' ');
    struct slice target = slice_from(text, space + 1);
    if (slice_to_uint64(slice_first(text, space), REP_SLOTS - 1, &number) != 0)
        return -EBADMSG;
    redirect->slot = (unsigned)number;
    if (target.length > 0 && target.data[0] == ':') {
        if (slice_to_uint64(slice_from(target, 1), UINT16_MAX, &number) != 0 || number == 0)
            return -EBADMSG;
        redirect->place = *asked;
        redirect->place.port = (uint16_t)number;
        return 0;
    }
    return rep_place_parse(target, &redirect->place);
}

void rep_redirect_parse(struct slice error, const struct rep_place *asked,
                        struct rep_redirect *redirect)
{
    redirect->kind = REP_REDIRECT_NONE;
    for (unsigned i = 0; i < sizeof(redirections) / sizeof(redirections[0]); i++)
        if (slice_starts_with(error, redirections[i].word)) {
            redirect->kind = redirections[i].kind;
            struct slice rest = slice_from(error, redirections[i].word.length);
            if (redirect->kind != REP_REDIRECT_LATER && parse_target(rest, asked, redirect) != 0)
                redirect->kind = REP_REDIRECT_LATER;
            return;
        }
}
