/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server: the settings as the store keeps them, and where Redis is.
 */
#ifndef RINGFENCE_REPUTATION_SERVER_INT_H
#define RINGFENCE_REPUTATION_SERVER_INT_H

#include <sys/socket.h>

#include "base/error.h"
#include "reputation/store.h"

enum { REP_ADDRESSES = 8 };

struct rep_address {
    struct sockaddr_storage storage;
    socklen_t length;
};

struct rep_addresses {
    struct rep_address address[REP_ADDRESSES];
    unsigned count;
};

/* Copies settings with their texts, defaults filled in; freed by rep_settings_free(). */
int rep_settings_copy(const struct rep_settings *settings, struct rep_settings *copy) MUST_CHECK;
void rep_settings_free(struct rep_settings *copy);

/* "unix:/run/redis.sock" or "host:6379" */
void rep_server_text(const struct rep_settings *settings, char *text, size_t capacity);

/* Blocks while a host name is looked up, so only on the service thread. The reason is left in
 * message. */
int rep_server_resolve(const struct rep_settings *settings, struct rep_addresses *addresses,
                       char *message, size_t capacity) MUST_CHECK;

#endif
