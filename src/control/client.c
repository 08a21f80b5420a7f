/* SPDX-License-Identifier: Apache-2.0 */
#include "control/client.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/control_server.h"
#include "control/json.h"
#include "stats/stream.h"

#define LINE_MAXIMUM                                                   \
    (CTL_REPLY_MAXIMUM > STATS_STREAM_LINE_MAXIMUM ? CTL_REPLY_MAXIMUM \
                                                   : (size_t)STATS_STREAM_LINE_MAXIMUM)

enum { FIRST_CAPACITY = 4096 };

struct ctl_client {
    int descriptor;
    int timeout_ms; /* for poll(2): -1 none */
    char *memory;
    size_t capacity;
    size_t first;
    size_t length;
    size_t searched;
};

static int connect_to(int descriptor, const char *path, unsigned timeout_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path));
    /* Connecting waits while the daemon's backlog is full; sending when it does not read. */
    const struct timeval timeout = {.tv_sec = (time_t)(timeout_ms / 1000),
                                    .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};
    if (setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) != 0)
        return -errno;
    int result;
    do
        result = connect(descriptor, (const struct sockaddr *)&address, sizeof(address));
    while (result != 0 && errno == EINTR);
    if (result != 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    return 0;
}

int ctl_client_open(const char *path, unsigned timeout_ms, struct ctl_client **client)
{
    int error = -ENOMEM;
    struct ctl_client *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->timeout_ms = timeout_ms > 0 && timeout_ms <= INT32_MAX ? (int)timeout_ms : -1;
    made->capacity = FIRST_CAPACITY;
    made->memory = malloc(made->capacity);
    made->descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made->memory == NULL)
        goto out;
    error = made->descriptor < 0 ? -errno : connect_to(made->descriptor, path, timeout_ms);
    if (error != 0)
        goto out;
    *client = made;
    made = NULL;
out:
    ctl_client_close(made);
    return error;
}

void ctl_client_close(struct ctl_client *client)
{
    if (client == NULL)
        return;
    if (client->descriptor >= 0)
        close(client->descriptor);
    free(client->memory);
    free(client);
}

static int send_all(struct ctl_client *client, struct slice bytes)
{
    while (bytes.length > 0) {
        ssize_t put = send(client->descriptor, bytes.data, bytes.length, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        bytes = slice_from(bytes, (size_t)put);
    }
    return 0;
}

int ctl_client_send(struct ctl_client *client, struct slice text)
{
    int error = send_all(client, text);
    return error != 0 ? error : send_all(client, SLICE("\n"));
}

static int make_room(struct ctl_client *client)
{
    if (client->first > 0) {
        client->length -= client->first;
        client->searched -= client->first;
        memmove(client->memory, client->memory + client->first, client->length);
        client->first = 0;
    }
    if (client->length < client->capacity)
        return 0;
    if (client->capacity > LINE_MAXIMUM)
        return ERROR_LIMIT;
    char *larger = realloc(client->memory, client->capacity * 2);
    if (larger == NULL)
        return -ENOMEM;
    client->memory = larger;
    client->capacity *= 2;
    return 0;
}

static int receive(struct ctl_client *client, int timeout_ms)
{
    struct pollfd state = {.fd = client->descriptor, .events = POLLIN};
    int ready = poll(&state, 1, timeout_ms);
    if (ready < 0)
        return errno == EINTR ? 0 : -errno;
    if (ready == 0)
        return -ETIMEDOUT;
    ssize_t got = recv(client->descriptor, client->memory + client->length,
                       client->capacity - client->length, 0);
    if (got < 0)
        return errno == EINTR ? 0 : errno == ECONNRESET ? ERROR_NOT_FOUND : -errno;
    if (got == 0)
        return ERROR_NOT_FOUND; /* a line that was cut short is none */
    client->length += (size_t)got;
    return 0;
}

static int next_line(struct ctl_client *client, int timeout_ms, struct slice *line)
{
    for (;;) {
        struct slice rest =
            slice_between(client->memory + client->searched, client->memory + client->length);
        size_t found = slice_find(rest, '\n');
        if (found < rest.length) {
            size_t past = client->searched + found;
            *line = slice_between(client->memory + client->first, client->memory + past);
            client->first = past + 1;
            client->searched = client->first;
            return 0;
        }
        client->searched = client->length;
        int error = make_room(client);
        if (error == 0)
            error = receive(client, timeout_ms);
        if (error != 0)
            return error;
    }
}

int ctl_client_next(struct ctl_client *client, struct slice *line)
{
    return next_line(client, client->timeout_ms, line);
}

int ctl_client_take(struct ctl_client *client, struct slice *line)
{
    int error = next_line(client, 0, line);
    return error == -ETIMEDOUT ? -EAGAIN : error;
}

int ctl_client_descriptor(const struct ctl_client *client)
{
    return client->descriptor;
}

static int send_request(struct ctl_client *client, const char *command,
                        struct json_object *arguments)
{
    struct json_object *request = json_object_new_object();
    if (request == NULL)
        return -ENOMEM;
    int error = -ENOMEM;
    if (json_object_object_add(request, "command", json_object_new_string(command)) != 0 ||
        (arguments != NULL &&
         json_object_object_add(request, "arguments", json_object_get(arguments)) != 0))
        goto out;
    const char *text = json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN);
    if (text != NULL)
        error = ctl_client_send(client, slice_of_text(text));
out:
    json_object_put(request);
    return error;
}

static void take_answer(struct json_object *object, struct ctl_answer *answer)
{
    const char *message = ctl_json_text(object, "message");
    answer->status = (int)ctl_json_integer(object, "status", CTL_STATUS_FAILED);
    snprintf(answer->message, sizeof(answer->message), "%s", message != NULL ? message : "");
}

int ctl_client_call(struct ctl_client *client, const char *command, struct json_object *arguments,
                    ctl_answer_fn *line, void *argument, struct ctl_answer *answer)
{
    int error = send_request(client, command, arguments);
    for (bool done = false; error == 0 && !done;) {
        struct slice text;
        struct json_object *object;
        error = ctl_client_next(client, &text);
        if (error == 0)
            error = ctl_json_parse_object(text, &object, NULL);
        if (error != 0)
            return error;
        done = ctl_json_boolean(object, "done", false);
        if (done)
            take_answer(object, answer);
        else if (line != NULL)
            error = line(argument, text, object);
        json_object_put(object);
    }
    return error;
}
