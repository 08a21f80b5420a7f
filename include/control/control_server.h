/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_server: commands over a Unix socket (docs/control.md holds the protocol).
 *
 * A request is one line {"command":"status","arguments":{...}}; the answer is any number of lines
 * and a last one {"done":true,"status":0,"message":"..."}. Whoever may connect may read; changing
 * is for root, the daemon's own user and a configured group, and each change is written to the log
 * with who asked for it and what came of it.
 */
#ifndef RINGFENCE_CONTROL_CONTROL_SERVER_H
#define RINGFENCE_CONTROL_CONTROL_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/slice.h"
#include "control/settings.h"
#include "runtime/loop.h"
#include "stats/json.h"

#define CTL_REQUEST_MAXIMUM ((size_t)64 << 10)
#define CTL_REPLY_MAXIMUM   ((size_t)16 << 20)

enum ctl_right { CTL_READ, CTL_CHANGE };

/* The `status` of a last line. */
enum ctl_status {
    CTL_STATUS_OK = 0,
    CTL_STATUS_FAILED = 1, /* the answer is no, or something went wrong */
    CTL_STATUS_USAGE = 2,  /* the request itself is wrong */
    CTL_STATUS_DENIED = 4,
};

/* What a command's `run` returns when ctl_reply_finish() will follow. */
#define CTL_LATER 1

struct ctl_peer {
    uid_t uid;
    gid_t gid;
    pid_t pid;
};

/* Valid while `run` is under way. */
struct ctl_request {
    const char *command;
    struct json_object *arguments; /* an object, or NULL: control/json.h reads it */
    struct ctl_peer peer;
};

struct ctl_reply;

struct ctl_command {
    const char *name;
    enum ctl_right right;
    const char *summary;

    /*
     * Runs on the server's loop and must not wait. 0: done, with the result that was set; a
     * negative code: failed, its text being the message unless one was set. CTL_LATER: whoever got
     * the reply calls ctl_reply_finish().
     */
    int (*run)(void *context, const struct ctl_request *request, struct ctl_reply *reply);
};

/*
 * The reply belongs to one thread at a time: to `run`, and after CTL_LATER to whoever finishes it.
 * Lines are collected and leave when it is finished. When memory or CTL_REPLY_MAXIMUM is exceeded,
 * the last line says so instead.
 */

/* One line: a JSON value without line breaks. */
void ctl_reply_line(struct ctl_reply *reply, struct slice json);

/* One line that `fill` writes as members of an object; it is called again with more room when there
 * was too little. */
void ctl_reply_object(struct ctl_reply *reply,
                      void (*fill)(void *argument, struct stats_json *json), void *argument);

/* Sets what the last line says; the latest call counts. The message may hold any bytes. */
void ctl_reply_result(struct ctl_reply *reply, enum ctl_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Only after CTL_LATER, once, from any thread: the reply is gone with it. */
void ctl_reply_finish(struct ctl_reply *reply);

struct ctl_control_server;

/*
 * The rows, with unique names, and context outlive the server. The server answers "help" (a line
 * for each command) and "audit" (writes the argument "text" to the log, with who said it) itself.
 */
int ctl_control_server_create(struct rt_loop *loop, const struct ctl_control_settings *settings,
                              const struct ctl_command *commands, size_t command_count,
                              void *context, struct ctl_control_server **server) MUST_CHECK;

/* New clients wait, for this process or for another that has the socket (runtime/heritage.h). */
void ctl_control_server_pause(struct ctl_control_server *server, bool paused);

/* Whoever finishes replies later must have finished them. NULL is allowed. */
void ctl_control_server_destroy(struct ctl_control_server *server);

#endif
