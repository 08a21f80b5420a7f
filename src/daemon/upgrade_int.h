/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upgrade_int: what the two processes of an upgrade say to each other over their channel.
 *
 *   predecessor                      successor
 *     HELLO, SOCKETS, LINKS    ->    starts, binds nothing, reads its configuration
 *                              <-    READY
 *     (reads no socket any more)
 *     SHARES                   ->    reads the sockets
 *                              <-    SERVING
 *     LEFT, again and again    ->    for `status`
 *     (ends)
 *                              <-    STOPPING, if it is told to end before that
 *
 * Either learns of the other's end by the channel's.
 */
#ifndef RINGFENCE_DAEMON_UPGRADE_INT_H
#define RINGFENCE_DAEMON_UPGRADE_INT_H

#include "base/hash.h"
#include "daemon_int.h"
#include "runtime/channel.h"

/* To be raised with every change of what stands here, in link.c or in a call_handed. */
#define UPGRADE_VERSION 2
#define UPGRADE_MAGIC   0x52465550

enum upgrade_kind {
    UPGRADE_HELLO = 1,
    UPGRADE_SOCKETS, /* with descriptors of runtime/heritage.h */
    UPGRADE_LINKS,   /* with an end for each worker, in order */
    UPGRADE_READY,
    UPGRADE_SHARES, /* with a file for each worker, in order */
    UPGRADE_SERVING,
    UPGRADE_LEFT,
    UPGRADE_STOPPING
};

struct upgrade_hello {
    uint32_t workers;
    uint32_t listeners;
    int32_t pid;
    uint8_t generation;   /* the successor's */
    uint64_t counting_us; /* since when every call is counted */
    struct hash_key table_keys[2];
    struct tp_address addresses[TP_LISTENER_LIMIT];
    uint8_t protocols[TP_LISTENER_LIMIT];
};

struct upgrade_left {
    uint64_t transactions;
    uint64_t lingering;
    uint64_t leave_us; /* when it goes at the latest */
};

/* All messages are of this size. */
struct upgrade_message {
    uint32_t magic;
    uint32_t version;
    uint32_t kind;
    union {
        struct upgrade_hello hello;
        struct upgrade_left left;
    };
};

void daemon_upgrade_message(struct upgrade_message *message, enum upgrade_kind kind);
int daemon_upgrade_send(int channel, const struct upgrade_message *message, const int *descriptors,
                        size_t count) MUST_CHECK;
/* As rt_channel_receive(); ERROR_MALFORMED for what another version says. */
int daemon_upgrade_receive(int channel, struct upgrade_message *message,
                           struct rt_channel_message *received) MUST_CHECK;

#endif
