/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plain: bytes as they are, for TCP.
 */
#include <errno.h>
#include <sys/socket.h>

#include "stream_int.h"

static int plain_establish(struct connection *connection)
{
    (void)connection;
    return 0;
}

static ssize_t result_of(ssize_t count)
{
    return count >= 0 ? count : errno == EINTR ? -EAGAIN : -errno;
}

static ssize_t plain_read(struct connection *connection, char *memory, size_t size)
{
    return result_of(recv(connection->descriptor, memory, size, 0));
}

static ssize_t plain_write(struct connection *connection, const char *bytes, size_t length)
{
    return result_of(send(connection->descriptor, bytes, length, MSG_NOSIGNAL));
}

static bool plain_holds(const struct connection *connection)
{
    (void)connection;
    return false;
}

static void plain_end(struct connection *connection)
{
    (void)shutdown(connection->descriptor, SHUT_WR);
}

static void plain_close(struct connection *connection)
{
    (void)connection;
}

const struct stream_io tp_plain_io = {
    .establish = plain_establish,
    .read = plain_read,
    .write = plain_write,
    .holds = plain_holds,
    .end = plain_end,
    .close = plain_close,
};
