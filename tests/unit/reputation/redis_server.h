/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private redis-server on a Unix socket in a temporary folder, for tests that want the real one.
 */
#ifndef RINGFENCE_TEST_REDIS_SERVER_H
#define RINGFENCE_TEST_REDIS_SERVER_H

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>
#include <hiredis/hiredis.h>

#include "base/clock.h"

enum { SERVER_PATIENCE_MS = 30000 };

struct redis_server {
    char folder[64];
    char socket[96];
    pid_t process;
    redisContext *context; /* the test's own connection */
};

static inline bool redis_is_installed(void)
{
    return access("/usr/bin/redis-server", X_OK) == 0 ||
           access("/usr/local/bin/redis-server", X_OK) == 0;
}

/* Polls a condition instead of sleeping for some time. */
#define WAIT_FOR(condition)                                                                  \
    do {                                                                                     \
        uint64_t wait_until_us = clock_monotonic_us() + SERVER_PATIENCE_MS * UINT64_C(1000); \
        while (!(condition)) {                                                               \
            ck_assert_msg(clock_monotonic_us() < wait_until_us, "waited in vain for: %s",    \
                          #condition);                                                       \
            usleep(2000);                                                                    \
        }                                                                                    \
    } while (0)

static inline bool redis_try_connect(struct redis_server *server)
{
    redisContext *context = redisConnectUnix(server->socket);
    if (context == NULL || context->err != 0) {
        if (context != NULL)
            redisFree(context);
        return false;
    }
    redisReply *reply = redisCommand(context, "PING");
    bool ready = reply != NULL && reply->type == REDIS_REPLY_STATUS;
    freeReplyObject(reply);
    if (!ready) {
        redisFree(context);
        return false;
    }
    server->context = context;
    return true;
}

static inline void redis_start(struct redis_server *server)
{
    server->process = fork();
    ck_assert_int_ge(server->process, 0);
    if (server->process == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", server->socket,
               "--dir", server->folder, "--save", "", "--appendonly", "no", "--hz", "100",
               (char *)NULL);
        _exit(127);
    }
    WAIT_FOR(redis_try_connect(server));
}

static inline void redis_create(struct redis_server *server)
{
    memset(server, 0, sizeof(*server));
    snprintf(server->folder, sizeof(server->folder), "/tmp/check-redis-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(server->folder));
    snprintf(server->socket, sizeof(server->socket), "%s/redis.sock", server->folder);
    redis_start(server);
}

/* Not even time to say goodbye. */
static inline void redis_kill(struct redis_server *server)
{
    if (server->process > 0) {
        kill(server->process, SIGKILL);
        waitpid(server->process, NULL, 0);
    }
    server->process = 0;
    if (server->context != NULL)
        redisFree(server->context);
    server->context = NULL;
}

static inline void redis_destroy(struct redis_server *server)
{
    char path[128];
    redis_kill(server);
    unlink(server->socket);
    snprintf(path, sizeof(path), "%s/dump.rdb", server->folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/saved", server->folder);
    unlink(path);
    rmdir(server->folder);
}

/* A command that must not be refused; returns its integer, 0 for other replies. */
__attribute__((format(printf, 2, 3))) static inline long long redis_do(struct redis_server *server,
                                                                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = redisvCommand(server->context, format, arguments);
    va_end(arguments);
    ck_assert_ptr_nonnull(reply);
    ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "%s: %s", format, reply->str);
    long long result = reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
    freeReplyObject(reply);
    return result;
}

/* "rf:num:+861380000" + i, i < 10000, pipelined. */
static inline void redis_fill(struct redis_server *server, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        redisAppendCommand(server->context, "HSET rf:num:+861380000%04u score %u list block", i,
                           i % 101);
    for (unsigned i = 0; i < count; i++) {
        redisReply *reply = NULL;
        ck_assert_int_eq(redisGetReply(server->context, (void **)&reply), REDIS_OK);
        freeReplyObject(reply);
    }
}

#endif
