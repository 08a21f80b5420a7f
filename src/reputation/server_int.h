/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server: the settings as the store keeps them, and the addresses of servers.
 */
#ifndef RINGFENCE_REPUTATION_SERVER_INT_H
#define RINGFENCE_REPUTATION_SERVER_INT_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/slice.h"
#include "reputation/store.h"

enum { REP_ADDRESSES = 8, REP_HOST_BYTES = 256, REP_PLACE_BYTES = REP_HOST_BYTES + 16 };

struct rep_address {
    struct sockaddr_storage storage;
    socklen_t length;
};

struct rep_addresses {
    struct rep_address address[REP_ADDRESSES];
    unsigned count;
};

/* A server as it is written or announced; port 0: host is the path of a Unix socket. */
struct rep_place {
    char host[REP_HOST_BYTES];
    uint16_t port;
};

/* Copies settings with their texts, defaults filled in; freed by rep_settings_free(). */
int rep_settings_copy(const struct rep_settings *settings, struct rep_settings *copy) MUST_CHECK;
void rep_settings_free(struct rep_settings *copy);

/* Reads the files of passwords into a copy. The reason is left in message. */
int rep_settings_read_passwords(struct rep_settings *copy, char *message,
                                size_t capacity) MUST_CHECK;

/* "host:port", "[IPv6]:port", "IPv6:port" (the last colon counts). -EBADMSG. */
int rep_place_parse(struct slice text, struct rep_place *place) MUST_CHECK;
/* The settings' own server. */
void rep_place_of_settings(const struct rep_settings *settings, struct rep_place *place);
bool rep_place_equal(const struct rep_place *a, const struct rep_place *b);
/* "unix:/run/redis.sock", "host:6379" or "[::1]:6379" */
void rep_place_text(const struct rep_place *place, char *text, size_t capacity);

/* Through the address map. */
void rep_place_map(const struct rep_settings *settings, struct rep_place *place);

/* "unix:/run/redis.sock", "host:6379", "master m of 3 sentinels", "cluster of ..." */
void rep_server_text(const struct rep_settings *settings, char *text, size_t capacity);

/* Through the address map. Blocks while a host name is looked up, so only on the service thread.
 * The reason is left in message. */
int rep_server_resolve(const struct rep_settings *settings, const struct rep_place *place,
                       struct rep_addresses *addresses, char *message, size_t capacity) MUST_CHECK;

#endif
