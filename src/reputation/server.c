/* SPDX-License-Identifier: Apache-2.0 */
#include "server_int.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

/* ---- places -------------------------------------------------------------------------------- */

static int set_host(struct rep_place *place, struct slice host)
{
    if (host.length == 0 || host.length >= sizeof(place->host) ||
        slice_find(host, '\0') < host.length)
        return -EBADMSG;
    memcpy(place->host, host.data, host.length);
    place->host[host.length] = '\0';
    return 0;
}

int rep_place_parse(struct slice text, struct rep_place *place)
{
    size_t colon = text.length;
    while (colon > 0 && text.data[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return -EBADMSG;
    struct slice host = slice_first(text, colon - 1);
    /* Behind the port Redis may write "@" and the port of the cluster's bus. */
    struct slice port_text = slice_from(text, colon);
    port_text.length = slice_find(port_text, '@');
    uint64_t port;
    if (slice_to_uint64(port_text, UINT16_MAX, &port) != 0 || port == 0)
        return -EBADMSG;
    if (host.length > 2 && host.data[0] == '[' && host.data[host.length - 1] == ']')
        host = slice_make(host.data + 1, host.length - 2);
    place->port = (uint16_t)port;
    return set_host(place, host);
}

void rep_place_of_settings(const struct rep_settings *settings, struct rep_place *place)
{
    bool local = settings->unix_socket != NULL;
    place->port = local ? 0 : settings->port;
    snprintf(place->host, sizeof(place->host), "%s",
             local ? settings->unix_socket : settings->host);
}

bool rep_place_equal(const struct rep_place *a, const struct rep_place *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

void rep_place_text(const struct rep_place *place, char *text, size_t capacity)
{
    if (place->port == 0)
        snprintf(text, capacity, "unix:%s", place->host);
    else
        snprintf(text, capacity, strchr(place->host, ':') ? "[%s]:%u" : "%s:%u", place->host,
                 place->port);
}

void rep_server_text(const struct rep_settings *settings, char *text, size_t capacity)
{
    if (settings->sentinels.count > 0) {
        snprintf(text, capacity, "master \"%.64s\"", settings->sentinel_master);
    } else if (settings->cluster.count > 0) {
        snprintf(text, capacity, "cluster of %.128s", settings->cluster.items[0].data);
    } else {
        struct rep_place place;
        rep_place_of_settings(settings, &place);
        rep_place_text(&place, text, capacity);
    }
}

/* ---- addresses ----------------------------------------------------------------------------- */

static int resolve_unix(const char *path, struct rep_addresses *addresses, char *message,
                        size_t capacity)
{
    struct sockaddr_un *local = (struct sockaddr_un *)(void *)&addresses->address[0].storage;
    size_t length = strlen(path);
    if (length >= sizeof(local->sun_path)) {
        snprintf(message, capacity, "socket path \"%s\" is longer than %zu bytes", path,
                 sizeof(local->sun_path) - 1);
        return -ENAMETOOLONG;
    }
    local->sun_family = AF_UNIX;
    memcpy(local->sun_path, path, length + 1);
    addresses->address[0].length = sizeof(*local);
    addresses->count = 1;
    return 0;
}

/* "announced=server" or "announced=unix:/path" */
static bool parse_pair(struct slice row, struct rep_place *from, struct rep_place *to)
{
    static const struct slice local = SLICE_LITERAL("unix:");
    size_t sign = slice_find(row, '=');
    struct slice target = slice_trim(slice_from(row, sign + 1));
    if (sign == row.length || rep_place_parse(slice_trim(slice_first(row, sign)), from) != 0)
        return false;
    if (!slice_starts_with(target, local))
        return rep_place_parse(target, to) == 0;
    to->port = 0;
    return set_host(to, slice_from(target, local.length)) == 0;
}

bool rep_is_server(struct slice text)
{
    struct rep_place place;
    return rep_place_parse(text, &place) == 0;
}

bool rep_is_address_pair(struct slice text)
{
    struct rep_place from, to;
    return parse_pair(text, &from, &to);
}

void rep_place_map(const struct rep_settings *settings, struct rep_place *place)
{
    for (size_t i = 0; i < settings->address_map.count; i++) {
        struct rep_place from, to;
        if (parse_pair(settings->address_map.items[i], &from, &to) &&
            rep_place_equal(&from, place)) {
            *place = to;
            return;
        }
    }
}

int rep_server_resolve(const struct rep_settings *settings, const struct rep_place *place,
                       struct rep_addresses *addresses, char *message, size_t capacity)
{
    struct rep_place mapped = *place;
    memset(addresses, 0, sizeof(*addresses));
    rep_place_map(settings, &mapped);
    if (mapped.port == 0)
        return resolve_unix(mapped.host, addresses, message, capacity);

    char port[8];
    snprintf(port, sizeof(port), "%u", mapped.port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found;
    int error = getaddrinfo(mapped.host, port, &hints, &found);
    if (error != 0) {
        snprintf(message, capacity, "cannot resolve \"%s\": %s", mapped.host, gai_strerror(error));
        return ERROR_UNAVAILABLE;
    }
    for (struct addrinfo *at = found; at != NULL && addresses->count < REP_ADDRESSES;
         at = at->ai_next) {
        struct rep_address *address = &addresses->address[addresses->count];
        if (at->ai_addrlen > sizeof(address->storage))
            continue;
        memcpy(&address->storage, at->ai_addr, at->ai_addrlen);
        address->length = at->ai_addrlen;
        addresses->count++;
    }
    freeaddrinfo(found);
    return addresses->count > 0 ? 0 : ERROR_UNAVAILABLE;
}
