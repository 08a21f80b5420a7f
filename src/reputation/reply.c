/* SPDX-License-Identifier: Apache-2.0 */
#include "reply_int.h"

#include <errno.h>
#include <stdlib.h>

#include <hiredis/hiredis.h>

#include "base/arena.h"

enum {
    ARENA_CHUNK = 32 << 10,
    /* Beyond, memory is given back after the reply: one invalidation can name a million keys. */
    ARENA_KEPT = 1 << 20,
    READER_KEPT = 1 << 20,
};

struct rep_reader {
    redisReader *reader;
    struct arena *arena;
    size_t limit;
    bool over_limit;
};

static struct rep_reply *new_reply(const redisReadTask *task, enum rep_reply_type type)
{
    struct rep_reader *reader = task->privdata;
    struct rep_reply *reply;
    if (task->parent != NULL) {
        struct rep_reply *parent = task->parent->obj;
        reply = &parent->element[task->idx];
    } else {
        reply = arena_alloc(reader->arena, sizeof(*reply));
        if (reply == NULL) {
            reader->over_limit = true;
            return NULL;
        }
    }
    *reply = (struct rep_reply){.type = type};
    return reply;
}

static void *create_string(const redisReadTask *task, char *bytes, size_t length)
{
    struct rep_reader *reader = task->privdata;
    enum rep_reply_type type = task->type == REDIS_REPLY_ERROR    ? REP_REPLY_ERROR
                               : task->type == REDIS_REPLY_STATUS ? REP_REPLY_STATUS
                                                                  : REP_REPLY_TEXT;
    struct rep_reply *reply = new_reply(task, type);
    if (reply == NULL)
        return NULL;
    /* The parser's buffer moves while the rest of an array arrives. */
    reply->text = arena_copy(reader->arena, slice_make(bytes, length));
    if (reply->text.data == NULL) {
        reader->over_limit = true;
        return NULL;
    }
    return reply;
}

static void *create_array(const redisReadTask *task, int count)
{
    struct rep_reader *reader = task->privdata;
    struct rep_reply *reply = new_reply(task, REP_REPLY_ARRAY);
    if (reply == NULL || count <= 0)
        return reply;
    reply->count = (size_t)count;
    if (reply->count > reader->limit / sizeof(*reply) ||
        (reply->element = arena_zalloc(reader->arena, reply->count * sizeof(*reply))) == NULL) {
        reader->over_limit = true;
        return NULL;
    }
    return reply;
}

static void *create_integer(const redisReadTask *task, long long value)
{
    struct rep_reply *reply = new_reply(task, REP_REPLY_INTEGER);
    if (reply != NULL)
        reply->integer = value;
    return reply;
}

static void *create_nil(const redisReadTask *task)
{
    return new_reply(task, REP_REPLY_NIL);
}

/* Everything is the arena's. */
static void free_nothing(void *reply)
{
    (void)reply;
}

static redisReplyObjectFunctions functions = {create_string, create_array, create_integer,
                                              create_nil, free_nothing};

int rep_reader_reset(struct rep_reader *reader)
{
    if (reader->reader != NULL)
        redisReaderFree(reader->reader);
    arena_reset(reader->arena);
    reader->over_limit = false;
    reader->reader = redisReaderCreateWithFunctions(&functions);
    if (reader->reader == NULL)
        return -ENOMEM;
    reader->reader->privdata = reader;
    reader->reader->maxbuf = READER_KEPT;
    return 0;
}

int rep_reader_create(size_t limit, struct rep_reader **reader)
{
    struct rep_reader *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->limit = limit;
    int code = arena_create(ARENA_CHUNK, limit, &created->arena);
    if (code == 0)
        code = rep_reader_reset(created);
    if (code != 0)
        rep_reader_destroy(created);
    else
        *reader = created;
    return code;
}

void rep_reader_destroy(struct rep_reader *reader)
{
    if (reader == NULL)
        return;
    if (reader->reader != NULL)
        redisReaderFree(reader->reader);
    arena_destroy(reader->arena);
    free(reader);
}

int rep_reader_feed(struct rep_reader *reader, const char *bytes, size_t length)
{
    if (reader->reader->len - reader->reader->pos + length > reader->limit)
        return ERROR_LIMIT;
    return redisReaderFeed(reader->reader, bytes, length) == REDIS_OK ? 0 : ERROR_MALFORMED;
}

static int renew_arena(struct rep_reader *reader)
{
    if (arena_used(reader->arena) <= ARENA_KEPT) {
        arena_reset(reader->arena);
        return 0;
    }
    struct arena *fresh;
    int code = arena_create(ARENA_CHUNK, reader->limit, &fresh);
    if (code != 0)
        return code;
    arena_destroy(reader->arena);
    reader->arena = fresh;
    return 0;
}

int rep_reader_next(struct rep_reader *reader, const struct rep_reply **reply)
{
    /* Between two replies nothing of the parser's points into the arena. */
    if (reader->reader->ridx == -1) {
        int code = renew_arena(reader);
        if (code != 0)
            return code;
    }
    void *object = NULL;
    if (redisReaderGetReply(reader->reader, &object) != REDIS_OK)
        return reader->over_limit ? ERROR_LIMIT : ERROR_MALFORMED;
    if (object == NULL)
        return ERROR_INCOMPLETE;
    *reply = object;
    return 0;
}
