/* SPDX-License-Identifier: Apache-2.0 */
#include "reputation/event_stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_int.h"
#include "reputation/admin.h"

struct rep_event_stream {
    struct rep_settings settings;
    struct rep_admin *admin; /* NULL: not connected */
    char *key;
    char maximum[24]; /* "" for none */
};

int rep_event_stream_create(const struct rep_settings *settings, const char *key, uint64_t maximum,
                            struct rep_event_stream **stream)
{
    struct rep_event_stream *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    int error = rep_settings_copy(settings, &made->settings);
    made->key = strdup(key);
    if (error == 0 && made->key == NULL)
        error = -ENOMEM;
    if (error != 0) {
        rep_event_stream_destroy(made);
        return error;
    }
    if (maximum > 0)
        snprintf(made->maximum, sizeof(made->maximum), "%" PRIu64, maximum);
    *stream = made;
    return 0;
}

static int connect_to_server(struct rep_event_stream *stream, struct buffer *problem)
{
    char message[ADMIN_ERROR_BYTES] = "";
    if (stream->admin != NULL)
        return 0;
    int error = rep_admin_open(&stream->settings, message, sizeof(message), &stream->admin);
    if (error != 0)
        buffer_format(problem, "Redis: %.120s", message[0] != '\0' ? message : error_text(error));
    return error;
}

/* Answers of a pipeline that failed half-way would be taken for those of the next. */
static int give_up(struct rep_event_stream *stream, int error, struct buffer *problem)
{
    buffer_format(problem, "Redis: XADD %.60s: %.80s", stream->key, rep_admin_error(stream->admin));
    rep_admin_close(stream->admin);
    stream->admin = NULL;
    return error;
}

static int queue_event(struct rep_event_stream *stream, struct slice event)
{
    struct slice words[8] = {SLICE("XADD"), slice_of_text(stream->key)};
    unsigned count = 2;
    if (stream->maximum[0] != '\0') {
        words[count++] = SLICE("MAXLEN");
        words[count++] = SLICE("~");
        words[count++] = slice_of_text(stream->maximum);
    }
    words[count++] = SLICE("*");
    words[count++] = SLICE("event");
    words[count++] = event;
    return rep_admin_queue(stream->admin, words, count);
}

int rep_event_stream_append(struct rep_event_stream *stream, const struct slice *events,
                            size_t count, size_t *accepted, struct buffer *problem)
{
    *accepted = 0;
    int error = connect_to_server(stream, problem);
    if (error != 0)
        return error;
    error = rep_admin_select(stream->admin, slice_of_text(stream->key));
    for (size_t i = 0; i < count && error == 0; i++)
        error = queue_event(stream, events[i]);
    while (error == 0 && *accepted < count) {
        redisReply *reply = NULL;
        error = rep_admin_take(stream->admin, &reply);
        freeReplyObject(reply);
        if (error == 0)
            ++*accepted;
    }
    return error == 0 ? 0 : give_up(stream, error, problem);
}

void rep_event_stream_destroy(struct rep_event_stream *stream)
{
    if (stream == NULL)
        return;
    rep_admin_close(stream->admin);
    rep_settings_free(&stream->settings);
    free(stream->key);
    free(stream);
}
