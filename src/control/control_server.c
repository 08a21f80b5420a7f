/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control_server.h"

#include <assert.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/list.h"
#include "base/log.h"
#include "connection_int.h"
#include "control/json.h"
#include "group_int.h"
#include "listener_int.h"
#include "reply_int.h"
#include "runtime/mailbox.h"

/* Answers wait whole; the reply itself is bounded, so one always fits. */
#define QUEUE_MAXIMUM (CTL_REPLY_MAXIMUM + CTL_REQUEST_MAXIMUM)

enum { AUDIT_ARGUMENTS = 1024 };

struct ctl_control_server {
    struct rt_loop *loop;
    const struct ctl_command *commands;
    size_t command_count;
    void *context;
    size_t client_limit;
    bool has_change_group;
    gid_t change_group;
    struct ctl_listener *listener;
    struct rt_mailbox *mailbox; /* replies finished by other threads */
    struct list_link clients;   /* least recently active first */
    size_t client_count;
    size_t pending; /* replies that somebody finishes later */
};

struct client {
    struct list_link link;
    struct ctl_control_server *server;
    struct ctl_connection *connection;
    struct ctl_peer peer;
    struct job *job; /* under way, or NULL */
};

/* A command that is being answered; outlives its client when that one hangs up. */
struct job {
    struct ctl_control_server *server;
    struct client *client; /* NULL when it is gone */
    struct ctl_peer peer;
    struct ctl_reply *reply;
    const struct ctl_command *command;
    char arguments[AUDIT_ARGUMENTS];
};

/* ---- commands of our own ------------------------------------------------------------------ */

static int run_help(void *context, const struct ctl_request *request, struct ctl_reply *reply);
static int run_audit(void *context, const struct ctl_request *request, struct ctl_reply *reply);

/* Their context is the server. */
static const struct ctl_command own_commands[] = {
    {"help", CTL_READ, "lists the commands", run_help},
    {"audit", CTL_READ, "writes a change made elsewhere to the log", run_audit},
};

static const struct {
    enum ctl_right right;
    const char *name;
} right_rows[] = {{CTL_READ, "read"}, {CTL_CHANGE, "change"}};

static void fill_command(void *argument, struct stats_json *json)
{
    const struct ctl_command *command = argument;
    stats_json_text(json, "command", command->name);
    stats_json_text(json, "right", right_rows[command->right].name);
    stats_json_text(json, "summary", command->summary);
}

static void list_commands(struct ctl_reply *reply, const struct ctl_command *commands, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ctl_command command = commands[i];
        ctl_reply_object(reply, fill_command, &command);
    }
}

static int run_help(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
    const struct ctl_control_server *server = context;
    (void)request;
    list_commands(reply, own_commands, sizeof(own_commands) / sizeof(own_commands[0]));
    list_commands(reply, server->commands, server->command_count);
    return 0;
}

static int run_audit(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
    const char *text = ctl_json_text(request->arguments, "text");
    char memory[AUDIT_ARGUMENTS];
    (void)context;
    if (text == NULL || text[0] == '\0') {
        ctl_reply_result(reply, CTL_STATUS_USAGE, "the argument \"text\" is missing or empty");
        return 0;
    }
    log_notice("audit", "uid %u pid %d reports: %s", (unsigned)request->peer.uid,
               (int)request->peer.pid, log_slice(memory, sizeof(memory), slice_of_text(text)));
    return 0;
}

/* *context becomes what its `run` is called with. */
static const struct ctl_command *find_command(struct ctl_control_server *server, const char *name,
                                              void **context)
{
    *context = server;
    for (size_t i = 0; i < sizeof(own_commands) / sizeof(own_commands[0]); i++)
        if (strcmp(own_commands[i].name, name) == 0)
            return &own_commands[i];
    *context = server->context;
    for (size_t i = 0; i < server->command_count; i++)
        if (strcmp(server->commands[i].name, name) == 0)
            return &server->commands[i];
    return NULL;
}

/* ---- rights ------------------------------------------------------------------------------- */

static bool may_change(const struct client *client)
{
    const struct ctl_control_server *server = client->server;
    return client->peer.uid == 0 || client->peer.uid == geteuid() ||
           (server->has_change_group &&
            ctl_peer_in_group(ctl_connection_descriptor(client->connection), client->peer.gid,
                              server->change_group));
}

static void audit(const struct job *job)
{
    char message[AUDIT_ARGUMENTS];
    if (job->command == NULL || job->command->right != CTL_CHANGE)
        return;
    enum ctl_status status = ctl_reply_status(job->reply);
    log_write(status == CTL_STATUS_DENIED ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE, "audit",
              "uid %u pid %d command %s arguments %s: status %d %s", (unsigned)job->peer.uid,
              (int)job->peer.pid, job->command->name, job->arguments, (int)status,
              log_slice(message, sizeof(message), slice_of_text(ctl_reply_message(job->reply))));
}

/* ---- jobs --------------------------------------------------------------------------------- */

static void client_destroy(struct client *client)
{
    if (client->job != NULL)
        client->job->client = NULL;
    list_remove(&client->link);
    client->server->client_count--;
    ctl_connection_destroy(client->connection);
    free(client);
}

static void job_destroy(struct job *job)
{
    if (job->client != NULL)
        job->client->job = NULL;
    ctl_reply_destroy(job->reply);
    free(job);
}

static bool send_text(struct client *client, struct slice text)
{
    struct ctl_line *line;
    if (ctl_line_create(text, &line) != 0)
        return false;
    int error = ctl_connection_send(client->connection, line);
    ctl_line_release(line);
    return error == 0;
}

/* On the loop's thread. The client stays: one that cannot be answered is closed by and by. */
static void job_complete(struct job *job)
{
    struct client *client = job->client;
    struct slice text;
    audit(job);
    if (client != NULL) {
        if (ctl_reply_close(job->reply, &text) != 0 || !send_text(client, text))
            ctl_connection_finish(client->connection);
        ctl_connection_pause(client->connection, false);
    }
    job_destroy(job);
}

static void complete_later(void *target, void *argument)
{
    struct ctl_control_server *server = target;
    server->pending--;
    job_complete(argument);
}

/* In any thread: the reply goes back to the loop's. */
static void on_finished(void *owner, struct ctl_reply *reply)
{
    struct job *job = owner;
    (void)reply;
    /* Refused only without memory for a few words, or after the server's end, which its contract
     * excludes. The client would wait until it hangs up; there is nothing else left to do. */
    if (rt_mailbox_post(job->server->mailbox, complete_later, job) != 0)
        log_error("control", "the answer to \"%s\" is lost: %s", job->command->name,
                  error_text(-ENOMEM));
}

static void run_command(struct job *job, struct json_object *arguments)
{
    void *context;
    struct client *client = job->client;
    const struct ctl_request request = {job->command->name, arguments, job->peer};
    const struct ctl_command *command = find_command(job->server, job->command->name, &context);
    if (command->right == CTL_CHANGE && !may_change(client)) {
        ctl_reply_result(job->reply, CTL_STATUS_DENIED,
                         "\"%s\" changes things: that is for root, the daemon's own user and "
                         "members of control.change_group",
                         command->name);
        job_complete(job);
        return;
    }
    /* Before the command runs, because another thread may finish it before `run` returns. The
     * mailbox is emptied by this thread, so the job is ours until we return to the loop. */
    ctl_connection_pause(client->connection, true);
    job->server->pending++;
    int error = command->run(context, &request, job->reply);
    if (error == CTL_LATER)
        return;
    job->server->pending--;
    if (error < 0 && ctl_reply_message(job->reply)[0] == '\0')
        ctl_reply_result(job->reply, CTL_STATUS_FAILED, "%s", error_text(error));
    else if (error < 0 && ctl_reply_status(job->reply) == CTL_STATUS_OK)
        ctl_reply_result(job->reply, CTL_STATUS_FAILED, "%s: %s", command->name, error_text(error));
    job_complete(job);
}

static int job_create(struct client *client, struct job **job)
{
    struct job *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    int error = ctl_reply_create(on_finished, made, &made->reply);
    if (error != 0) {
        free(made);
        return error;
    }
    made->server = client->server;
    made->client = client;
    made->peer = client->peer;
    client->job = made;
    *job = made;
    return 0;
}

/* ---- requests ----------------------------------------------------------------------------- */

/* Finds what a request asks for; false with the reply's result set when it is wrong. */
static bool read_request(struct job *job, struct json_object *object,
                         struct json_object **arguments)
{
    void *context;
    char memory[64];
    const char *name = ctl_json_text(object, "command");
    *arguments = NULL;
    if (name == NULL) {
        ctl_reply_result(job->reply, CTL_STATUS_USAGE, "\"command\" is missing or no text");
        return false;
    }
    job->command = find_command(job->server, name, &context);
    if (job->command == NULL) {
        ctl_reply_result(job->reply, CTL_STATUS_USAGE,
                         "unknown command \"%s\"; \"help\" lists those there are",
                         log_slice(memory, sizeof(memory), slice_of_text(name)));
        return false;
    }
    if (json_object_object_get_ex(object, "arguments", arguments) && *arguments != NULL &&
        !json_object_is_type(*arguments, json_type_object)) {
        ctl_reply_result(job->reply, CTL_STATUS_USAGE, "\"arguments\" is no object");
        return false;
    }
    const char *shown = *arguments != NULL
                            ? json_object_to_json_string_ext(*arguments, JSON_C_TO_STRING_PLAIN)
                            : "{}";
    log_slice(job->arguments, sizeof(job->arguments), slice_of_text(shown));
    return true;
}

static void on_line(void *owner, struct slice line)
{
    struct client *client = owner;
    struct job *job;
    struct json_object *object = NULL;
    struct json_object *arguments;
    char memory[256];
    struct buffer problem = buffer_over(memory, sizeof(memory));
    if (slice_trim(line).length == 0)
        return;
    list_remove(&client->link);
    list_append(&client->server->clients, &client->link);
    if (job_create(client, &job) != 0) {
        ctl_connection_finish(client->connection);
        return;
    }
    int error = ctl_json_parse_object(line, &object, &problem);
    if (error != 0) {
        ctl_reply_result(job->reply, CTL_STATUS_USAGE, "%.*s", SLICE_ARGS(buffer_slice(&problem)));
        job_complete(job);
        return;
    }
    if (read_request(job, object, &arguments))
        run_command(job, arguments);
    else
        job_complete(job);
    json_object_put(object);
}

static void on_line_too_long(void *owner)
{
    struct client *client = owner;
    struct job *job;
    if (job_create(client, &job) == 0) {
        ctl_reply_result(job->reply, CTL_STATUS_USAGE, "a request has at most %zu bytes",
                         CTL_REQUEST_MAXIMUM);
        job_complete(job);
    }
    ctl_connection_finish(client->connection);
}

/* Told only when nothing is under way, so what was asked has been answered. */
static void on_ended(void *owner)
{
    struct client *client = owner;
    ctl_connection_finish(client->connection);
}

static void on_closed(void *owner)
{
    client_destroy(owner);
}

static const struct ctl_connection_events client_events = {
    .line = on_line,
    .line_too_long = on_line_too_long,
    .ended = on_ended,
    .closed = on_closed,
};

/* ---- clients ------------------------------------------------------------------------------ */

/* The client without work that has been so longest; one that still has to read its answers only if
 * need be. */
static struct client *find_idle(struct ctl_control_server *server, bool with_answers)
{
    for (struct list_link *link = server->clients.next; link != &server->clients;
         link = link->next) {
        struct client *client = LIST_ENTRY(link, struct client, link);
        if (client->job == NULL && (with_answers || ctl_connection_is_idle(client->connection)))
            return client;
    }
    return NULL;
}

/* Makes room by closing a client; false when all are at work. */
static bool make_room(struct ctl_control_server *server)
{
    if (server->client_count < server->client_limit)
        return true;
    struct client *idle = find_idle(server, false);
    if (idle == NULL)
        idle = find_idle(server, true);
    if (idle == NULL)
        return false;
    client_destroy(idle);
    return true;
}

static int client_create(struct ctl_control_server *server, int descriptor,
                         const struct ctl_peer *peer)
{
    const struct ctl_connection_limits limits = {CTL_REQUEST_MAXIMUM, QUEUE_MAXIMUM};
    struct client *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        close(descriptor);
        return -ENOMEM;
    }
    made->server = server;
    made->peer = *peer;
    int error = ctl_connection_create(server->loop, descriptor, &limits, &client_events, made,
                                      &made->connection);
    if (error != 0) {
        free(made);
        return error;
    }
    list_append(&server->clients, &made->link);
    server->client_count++;
    return 0;
}

static void on_accepted(void *owner, int descriptor)
{
    struct ctl_control_server *server = owner;
    struct ucred credentials;
    socklen_t size = sizeof(credentials);
    int error = 0;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
        error = -errno;
    else if (!make_room(server))
        error = ERROR_LIMIT;
    if (error != 0) {
        close(descriptor);
    } else {
        const struct ctl_peer peer = {credentials.uid, credentials.gid, credentials.pid};
        error = client_create(server, descriptor, &peer);
    }
    if (error != 0)
        log_warning("control", "a client was turned away: %s", error_text(error));
}

/* ---- life --------------------------------------------------------------------------------- */

static int take_change_group(struct ctl_control_server *server, struct slice group)
{
    if (group.length == 0)
        return 0;
    int error = ctl_group_find(group, &server->change_group);
    if (error != 0)
        log_error("control", "control.change_group \"%.*s\": %s; create the group or leave it out",
                  SLICE_ARGS(group), error_text(error));
    server->has_change_group = error == 0;
    return error;
}

int ctl_control_server_create(struct rt_loop *loop, const struct ctl_control_settings *settings,
                              const struct ctl_command *commands, size_t command_count,
                              void *context, struct ctl_control_server **server)
{
    struct ctl_control_server *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->loop = loop;
    made->commands = commands;
    made->command_count = command_count;
    made->context = context;
    made->client_limit = settings->clients;
    list_init(&made->clients);
    int error = take_change_group(made, settings->change_group);
    if (error == 0)
        error = rt_mailbox_create(loop, made, &made->mailbox);
    if (error == 0)
        error = ctl_listener_create(loop, &settings->socket, on_accepted, made, &made->listener);
    if (error != 0) {
        ctl_control_server_destroy(made);
        return error;
    }
    *server = made;
    return 0;
}

void ctl_control_server_pause(struct ctl_control_server *server, bool paused)
{
    ctl_listener_pause(server->listener, paused);
}

void ctl_control_server_destroy(struct ctl_control_server *server)
{
    if (server == NULL)
        return;
    ctl_listener_destroy(server->listener);
    if (server->mailbox != NULL) {
        rt_mailbox_close(server->mailbox);
        rt_mailbox_destroy(server->mailbox);
    }
    assert(server->pending == 0);
    struct list_link *link;
    while ((link = list_first(&server->clients)) != NULL)
        client_destroy(LIST_ENTRY(link, struct client, link));
    free(server);
}
