/* SPDX-License-Identifier: Apache-2.0 */
#include "reply_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"

enum { FIRST_CAPACITY = 1024, MESSAGE_MAXIMUM = 1024 };

struct ctl_reply {
    ctl_reply_done_fn *done;
    void *owner;
    char *memory;
    size_t capacity;
    size_t length;
    int error; /* the first failure; sticky */
    enum ctl_status status;
    char message[MESSAGE_MAXIMUM];
};

int ctl_reply_create(ctl_reply_done_fn *done, void *owner, struct ctl_reply **reply)
{
    struct ctl_reply *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->done = done;
    made->owner = owner;
    made->capacity = FIRST_CAPACITY;
    made->memory = malloc(made->capacity);
    if (made->memory == NULL) {
        free(made);
        return -ENOMEM;
    }
    *reply = made;
    return 0;
}

void ctl_reply_destroy(struct ctl_reply *reply)
{
    if (reply == NULL)
        return;
    free(reply->memory);
    free(reply);
}

static int grow(struct ctl_reply *reply)
{
    if (reply->capacity >= CTL_REPLY_MAXIMUM)
        return ERROR_LIMIT;
    char *larger = realloc(reply->memory, reply->capacity * 2);
    if (larger == NULL)
        return -ENOMEM;
    reply->memory = larger;
    reply->capacity *= 2;
    return 0;
}

void ctl_reply_object(struct ctl_reply *reply,
                      void (*fill)(void *argument, struct stats_json *json), void *argument)
{
    while (reply->error == 0) {
        struct buffer buffer =
            buffer_over(reply->memory + reply->length, reply->capacity - reply->length);
        struct stats_json json = stats_json_into(&buffer);
        stats_json_begin_object(&json, NULL);
        fill(argument, &json);
        stats_json_end_object(&json);
        buffer_append_char(&buffer, '\n');
        if (!buffer.overflow) {
            reply->length += buffer.length;
            return;
        }
        reply->error = grow(reply);
    }
}

void ctl_reply_line(struct ctl_reply *reply, struct slice json)
{
    while (reply->error == 0) {
        struct buffer buffer =
            buffer_over(reply->memory + reply->length, reply->capacity - reply->length);
        buffer_append(&buffer, json);
        buffer_append_char(&buffer, '\n');
        if (!buffer.overflow) {
            reply->length += buffer.length;
            return;
        }
        reply->error = grow(reply);
    }
}

void ctl_reply_result(struct ctl_reply *reply, enum ctl_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    reply->status = status;
    if (vsnprintf(reply->message, sizeof(reply->message), format, arguments) < 0)
        reply->message[0] = '\0';
    va_end(arguments);
}

enum ctl_status ctl_reply_status(const struct ctl_reply *reply)
{
    return reply->status;
}

const char *ctl_reply_message(const struct ctl_reply *reply)
{
    return reply->message;
}

void *ctl_reply_owner(const struct ctl_reply *reply)
{
    return reply->owner;
}

static void fill_last(void *argument, struct stats_json *json)
{
    const struct ctl_reply *reply = argument;
    stats_json_boolean(json, "done", true);
    stats_json_int(json, "status", reply->status);
    stats_json_text(json, "message", reply->message);
}

int ctl_reply_close(struct ctl_reply *reply, struct slice *text)
{
    if (reply->error != 0) {
        /* What is there is cut short and of no use; the memory serves for the last line. */
        ctl_reply_result(reply, CTL_STATUS_FAILED, "the answer is lost: %s",
                         error_text(reply->error));
        reply->error = 0;
        reply->length = 0;
    }
    ctl_reply_object(reply, fill_last, reply);
    *text = slice_make(reply->memory, reply->length);
    return reply->error;
}

void ctl_reply_finish(struct ctl_reply *reply)
{
    reply->done(reply->owner, reply);
}
