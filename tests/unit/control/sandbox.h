/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox: a folder that goes away, a loop turned by hand, and plain sockets as peers.
 */
#ifndef RINGFENCE_TESTS_CONTROL_SANDBOX_H
#define RINGFENCE_TESTS_CONTROL_SANDBOX_H

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/settings.h"
#include "runtime/loop.h"

/* For what must come: a bound for a broken program, far beyond what a busy machine may delay. */
#define SANDBOX_PATIENCE_US UINT64_C(20000000)

struct sandbox {
    char folder[64];
    char path[96];
    struct rt_loop *loop;
};

struct peer {
    int descriptor;
    char text[1 << 16];
    size_t length;
    char line[1 << 16]; /* the latest one */
};

static inline void sandbox_open(struct sandbox *sandbox)
{
    snprintf(sandbox->folder, sizeof(sandbox->folder), "/tmp/ringfence-check-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(sandbox->folder));
    ck_assert_int_eq(chmod(sandbox->folder, 0755), 0);
    snprintf(sandbox->path, sizeof(sandbox->path), "%s/socket", sandbox->folder);
    ck_assert_int_eq(rt_loop_create(&sandbox->loop), 0);
}

static inline void sandbox_close(struct sandbox *sandbox)
{
    rt_loop_destroy(sandbox->loop);
    unlink(sandbox->path);
    ck_assert_int_eq(rmdir(sandbox->folder), 0);
}

static inline struct ctl_socket_settings sandbox_socket(const struct sandbox *sandbox,
                                                        uint32_t mode)
{
    return (struct ctl_socket_settings){.path = slice_of_text(sandbox->path), .mode = mode};
}

static inline void sandbox_turn(struct sandbox *sandbox)
{
    ck_assert_int_eq(rt_loop_turn(sandbox->loop, 0), 0);
}

static inline int peer_try_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(descriptor, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof(address)) == 0)
        return descriptor;
    close(descriptor);
    return -1;
}

static inline struct peer *peer_connect(const struct sandbox *sandbox)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    ck_assert_ptr_nonnull(peer);
    peer->descriptor = peer_try_connect(sandbox->path);
    ck_assert_int_ge(peer->descriptor, 0);
    return peer;
}

static inline void peer_close(struct peer *peer)
{
    close(peer->descriptor);
    free(peer);
}

static inline void peer_send(struct peer *peer, const char *text)
{
    ck_assert_int_eq(send(peer->descriptor, text, strlen(text), MSG_NOSIGNAL),
                     (ssize_t)strlen(text));
}

/* Reads what is there: -1 when the other side has closed, otherwise whether a line is complete. */
static inline int peer_read(struct peer *peer)
{
    char *end = memchr(peer->text, '\n', peer->length);
    if (end == NULL) {
        ck_assert_uint_lt(peer->length, sizeof(peer->text));
        ssize_t got =
            recv(peer->descriptor, peer->text + peer->length, sizeof(peer->text) - peer->length, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return -1;
        peer->length += got > 0 ? (size_t)got : 0;
        end = memchr(peer->text, '\n', peer->length);
    }
    if (end == NULL)
        return 0;
    size_t length = (size_t)(end - peer->text);
    memcpy(peer->line, peer->text, length);
    peer->line[length] = '\0';
    peer->length -= length + 1;
    memmove(peer->text, end + 1, peer->length);
    return 1;
}

/* Turns the loop until a line has come. */
static inline const char *peer_line(struct sandbox *sandbox, struct peer *peer)
{
    uint64_t end_us = clock_monotonic_us() + SANDBOX_PATIENCE_US;
    int got = peer_read(peer);
    while (got == 0 && clock_monotonic_us() < end_us) {
        sandbox_turn(sandbox);
        got = peer_read(peer);
    }
    ck_assert_msg(got == 1, "no line came");
    return peer->line;
}

/* Turns the loop until the other side hangs up; lines that still come are skipped. */
static inline void peer_expect_close(struct sandbox *sandbox, struct peer *peer)
{
    uint64_t end_us = clock_monotonic_us() + SANDBOX_PATIENCE_US;
    int got = 0;
    while (got >= 0 && clock_monotonic_us() < end_us) {
        sandbox_turn(sandbox);
        got = peer_read(peer);
    }
    ck_assert_msg(got == -1, "the connection is still open");
}

#endif
