/* SPDX-License-Identifier: Apache-2.0 */
#include "server_int.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

void rep_settings_default(struct rep_settings *settings)
{
    *settings = (struct rep_settings){
        .host = "127.0.0.1",
        .port = 6379,
        .connect_timeout_ms = 2000,
        .reply_timeout_ms = 5000,
        .min_block_prefix = 7,
        .hold_percent = 20,
        .hold_minimum = 1000,
        .capacity = 16000000,
        .rescan_interval_s = 6 * 3600,
        .saved_age_s = 7 * 24 * 3600,
        .lookup_in_flight = 1024,
        .lookup_cache_ms = 500,
    };
}

/* X(member): the texts of struct rep_settings. */
#define SETTINGS_TEXTS(X) X(host) X(unix_socket) X(username) X(password) X(csv_path) X(saved_path)

/* X(member): numbers for which 0 means the default. */
#define SETTINGS_NUMBERS(X) \
    X(port)                 \
    X(connect_timeout_ms)   \
    X(reply_timeout_ms)     \
    X(min_block_prefix)     \
    X(hold_percent)         \
    X(hold_minimum)         \
    X(capacity) X(rescan_interval_s) X(saved_age_s) X(lookup_in_flight) X(lookup_cache_ms)

static int copy_text(const char **to, const char *text, const char *fallback)
{
    if (text == NULL || *text == '\0')
        text = fallback;
    if (text == NULL) {
        *to = NULL;
        return 0;
    }
    *to = strdup(text);
    return *to != NULL ? 0 : -ENOMEM;
}

int rep_settings_copy(const struct rep_settings *settings, struct rep_settings *copy)
{
    struct rep_settings defaults;
    rep_settings_default(&defaults);
    *copy = *settings;
#define SETTINGS_FILL(member) \
    if (copy->member == 0)    \
        copy->member = defaults.member;
    SETTINGS_NUMBERS(SETTINGS_FILL)
#undef SETTINGS_FILL
    int code = 0;
#define SETTINGS_COPY(member)                                             \
    if (copy_text(&copy->member, settings->member, defaults.member) != 0) \
        code = -ENOMEM;
    SETTINGS_TEXTS(SETTINGS_COPY)
#undef SETTINGS_COPY
    if (code != 0)
        rep_settings_free(copy);
    return code;
}

void rep_settings_free(struct rep_settings *copy)
{
#define SETTINGS_FREE(member)              \
    free((void *)(uintptr_t)copy->member); \
    copy->member = NULL;
    SETTINGS_TEXTS(SETTINGS_FREE)
#undef SETTINGS_FREE
}

void rep_server_text(const struct rep_settings *settings, char *text, size_t capacity)
{
    if (settings->unix_socket != NULL)
        snprintf(text, capacity, "unix:%s", settings->unix_socket);
    else
        snprintf(text, capacity, strchr(settings->host, ':') ? "[%s]:%u" : "%s:%u", settings->host,
                 settings->port);
}

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

int rep_server_resolve(const struct rep_settings *settings, struct rep_addresses *addresses,
                       char *message, size_t capacity)
{
    memset(addresses, 0, sizeof(*addresses));
    if (settings->unix_socket != NULL)
        return resolve_unix(settings->unix_socket, addresses, message, capacity);

    char port[8];
    snprintf(port, sizeof(port), "%u", settings->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found;
    int error = getaddrinfo(settings->host, port, &hints, &found);
    if (error != 0) {
        snprintf(message, capacity, "cannot resolve \"%s\": %s", settings->host,
                 gai_strerror(error));
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
