/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client: the other end of the control and stats sockets, for commands. Blocking, with a timeout.
 */
#ifndef RINGFENCE_CONTROL_CLIENT_H
#define RINGFENCE_CONTROL_CLIENT_H

#include "base/error.h"
#include "base/slice.h"

struct json_object;
struct ctl_client;

/* timeout_ms: of connecting, and of each silence while waiting; 0: none. -errno on failure
 * (-ENOENT and -ECONNREFUSED: no daemon there; -EACCES: no right to connect). */
int ctl_client_open(const char *path, unsigned timeout_ms, struct ctl_client **client) MUST_CHECK;

/* Sends text and a line break. */
int ctl_client_send(struct ctl_client *client, struct slice text) MUST_CHECK;

/* The next line without its break, valid until the next call. ERROR_NOT_FOUND when the other end
 * has hung up, -ETIMEDOUT, ERROR_LIMIT for a line beyond the longest that a daemon sends, -errno.
 */
int ctl_client_next(struct ctl_client *client, struct slice *line) MUST_CHECK;

/* The same without waiting: -EAGAIN when no whole line has come. For who waits for other things
 * too, with poll(2) on the descriptor: all lines must have been taken before. */
int ctl_client_take(struct ctl_client *client, struct slice *line) MUST_CHECK;
int ctl_client_descriptor(const struct ctl_client *client);

struct ctl_answer {
    int status; /* enum ctl_status of control_server.h, or what a newer daemon says */
    char message[1024];
};

/* A line of an answer, parsed; anything but 0 stops reading and is what the call returns. */
typedef int ctl_answer_fn(void *argument, struct slice line, struct json_object *object);

/*
 * Sends a command and reads its answer to the last line. arguments: an object, not consumed, or
 * NULL. 0 when the answer came, whatever it says; ERROR_NOT_FOUND when the daemon hung up within
 * it, -EBADMSG when a line is no JSON object.
 */
int ctl_client_call(struct ctl_client *client, const char *command, struct json_object *arguments,
                    ctl_answer_fn *line, void *argument, struct ctl_answer *answer) MUST_CHECK;

/* NULL is allowed. */
void ctl_client_close(struct ctl_client *client);

#endif
