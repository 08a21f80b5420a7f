/* SPDX-License-Identifier: Apache-2.0 */
#include "reputation/admin.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin_int.h"
#include "base/clock.h"
#include "key_int.h"

enum {
    DEFAULT_PIPELINE = 1000,
    PROGRESS_EVERY = 2000,
    ROW_KEY_BYTES = REP_KEY_MAXIMUM + 1,
};

const char *rep_admin_error(const struct rep_admin *admin)
{
    return admin->error;
}

int rep_admin_key(struct slice number, struct buffer *buffer)
{
    struct rep_key key;
    int code = rep_row_key(number, &key);
    if (code != 0)
        return code;
    rep_key_append(buffer, &key);
    return buffer->overflow ? -ENAMETOOLONG : 0;
}

const char *rep_admin_check(const struct rep_row *row)
{
    struct rep_key key;
    if (rep_row_key(row->number, &key) != 0)
        return "the number is neither E.164 with + (+8613800138000), nor a prefix (8613800*), nor "
               "raw:text";
    if (row->score < REP_SCORE_UNKNOWN || row->score > REP_SCORE_MAXIMUM)
        return "the score is not 0 to 100";
    if ((unsigned)row->list >= REP_LIST_COUNT)
        return "the list is not block, allow, watch or none";
    if (row->score == REP_SCORE_UNKNOWN && row->list == REP_LIST_NONE)
        return "there is neither a score nor a list";
    if (row->type.length > REP_NAME_MAXIMUM || row->source.length > REP_NAME_MAXIMUM)
        return "type and source have at most 47 bytes";
    return NULL;
}

/* ---- connection ---------------------------------------------------------------------------- */

static int broken(struct rep_admin *admin)
{
    snprintf(admin->error, sizeof(admin->error), "%s",
             admin->context->err != 0 ? admin->context->errstr : "connection lost");
    return ERROR_UNAVAILABLE;
}

int rep_admin_queue(struct rep_admin *admin, const struct slice *words, unsigned count)
{
    const char *text[ADMIN_COMMAND_WORDS];
    size_t length[ADMIN_COMMAND_WORDS];
    for (unsigned i = 0; i < count; i++) {
        text[i] = words[i].data != NULL ? words[i].data : "";
        length[i] = words[i].length;
    }
    return redisAppendCommandArgv(admin->context, (int)count, text, length) == REDIS_OK
               ? 0
               : broken(admin);
}

/* redisGetReply() without SIGPIPE, which hiredis' write(2) raises on a dead connection, and without
 * changing what the program does with that signal elsewhere. */
static int get_reply_quietly(redisContext *context, void **object)
{
    sigset_t pipe, before;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    int status = redisGetReply(context, object);
    const struct timespec at_once = {0};
    if (status != REDIS_OK && !sigismember(&before, SIGPIPE))
        (void)sigtimedwait(&pipe, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

int rep_admin_take(struct rep_admin *admin, redisReply **reply)
{
    void *object = NULL;
    *reply = NULL;
    /* Of a pipeline most replies have been read already. */
    if (redisGetReplyFromReader(admin->context, &object) != REDIS_OK ||
        (object == NULL && get_reply_quietly(admin->context, &object) != REDIS_OK) ||
        object == NULL)
        return broken(admin);
    *reply = object;
    const redisReply *error = (*reply)->type == REDIS_REPLY_ERROR ? *reply : NULL;
    for (size_t i = 0; (*reply)->type == REDIS_REPLY_ARRAY && i < (*reply)->elements; i++)
        if ((*reply)->element[i]->type == REDIS_REPLY_ERROR)
            error = (*reply)->element[i];
    if (error == NULL)
        return 0;
    snprintf(admin->error, sizeof(admin->error), "%.*s", (int)error->len, error->str);
    return -EBADMSG;
}

int rep_admin_open(const struct rep_settings *settings, char *message, size_t capacity,
                   struct rep_admin **admin)
{
    char server[160] = "";
    struct rep_admin *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    int code = rep_settings_copy(settings, &created->settings);
    if (code == 0) {
        rep_server_text(&created->settings, server, sizeof(server));
        code =
            rep_settings_read_passwords(&created->settings, created->error, sizeof(created->error));
        if (code == 0)
            code = rep_admin_connect(created);
    }
    if (code != 0) {
        snprintf(message, capacity, "%s: %s", server,
                 created->error[0] != '\0' ? created->error : error_text(code));
        rep_admin_close(created);
        return code == -ENOMEM ? code : ERROR_UNAVAILABLE;
    }
    *admin = created;
    return 0;
}

void rep_admin_close(struct rep_admin *admin)
{
    if (admin == NULL)
        return;
    rep_admin_disconnect(admin);
    rep_settings_free(&admin->settings);
    free(admin);
}

/* ---- reading and deleting ------------------------------------------------------------------ */

static int key_of(struct rep_admin *admin, struct slice number, struct buffer *key)
{
    int code = rep_admin_key(number, key);
    if (code != 0)
        snprintf(admin->error, sizeof(admin->error),
                 "\"%.*s\" is neither E.164 with + (+8613800138000), nor a prefix (8613800*), nor "
                 "raw:text",
                 SLICE_ARGS(slice_first(number, 64)));
    return code;
}

static void copy_field(const redisReply *field, char *to, size_t capacity)
{
    to[0] = '\0';
    if (field->type == REDIS_REPLY_STRING)
        snprintf(to, capacity, "%.*s", (int)(field->len < 4096 ? field->len : 4096), field->str);
}

static int read_fields(struct rep_admin *admin, struct rep_record *record)
{
    struct {
        char *to;
        size_t capacity;
    } const fields[] = {
        {record->score, sizeof(record->score)}, {record->list, sizeof(record->list)},
        {record->type, sizeof(record->type)},   {record->source, sizeof(record->source)},
        {record->note, sizeof(record->note)},   {record->since, sizeof(record->since)},
    };
    enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };
    redisReply *reply;
    int code = rep_admin_take(admin, &reply);
    if (code == 0 && (reply->type != REDIS_REPLY_ARRAY || reply->elements != FIELDS))
        code = -EBADMSG;
    for (unsigned i = 0; code == 0 && i < FIELDS; i++)
        copy_field(reply->element[i], fields[i].to, fields[i].capacity);
    freeReplyObject(reply);
    return code;
}

static int read_lifetime(struct rep_admin *admin, struct rep_record *record)
{
    redisReply *reply;
    int code = rep_admin_take(admin, &reply);
    if (code == 0 && reply->type != REDIS_REPLY_INTEGER)
        code = -EBADMSG;
    if (code == 0) {
        record->expires_in_s = reply->integer >= 0 ? (reply->integer + 999) / 1000 : -1;
        if (reply->integer == -2)
            code = ERROR_NOT_FOUND;
    }
    freeReplyObject(reply);
    return code;
}

static int get_record(struct rep_admin *admin, struct slice key, struct rep_record *record)
{
    const struct slice fields[] = {
        SLICE_LITERAL("HMGET"), key,
        SLICE_LITERAL("score"), SLICE_LITERAL("list"),
        SLICE_LITERAL("type"),  SLICE_LITERAL("source"),
        SLICE_LITERAL("note"),  SLICE_LITERAL("since"),
    };
    const struct slice lifetime[] = {SLICE_LITERAL("PTTL"), key};
    int code = rep_admin_select(admin, key);
    if (code == 0)
        code = rep_admin_queue(admin, fields, 8);
    if (code == 0)
        code = rep_admin_queue(admin, lifetime, 2);
    if (code != 0)
        return code;
    code = read_fields(admin, record);
    if (code == ERROR_UNAVAILABLE)
        return code;
    int lifetime_code = read_lifetime(admin, record);
    return code != 0 ? code : lifetime_code;
}

int rep_admin_get(struct rep_admin *admin, struct slice number, struct rep_record *record)
{
    memset(record, 0, sizeof(*record));
    struct buffer key = buffer_over(record->key, sizeof(record->key) - 1);
    int code = key_of(admin, number, &key);
    if (code != 0)
        return code;
    for (unsigned tries = 0;; tries++) {
        code = get_record(admin, buffer_slice(&key), record);
        if (code != -EBADMSG || !rep_admin_may_retry(admin, tries))
            return code;
    }
}

static int delete_key(struct rep_admin *admin, struct slice key)
{
    const struct slice words[] = {SLICE_LITERAL("DEL"), key};
    redisReply *reply;
    int code = rep_admin_select(admin, key);
    if (code == 0)
        code = rep_admin_queue(admin, words, 2);
    if (code != 0)
        return code;
    code = rep_admin_take(admin, &reply);
    if (code == 0 && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0)
        code = ERROR_NOT_FOUND;
    freeReplyObject(reply);
    return code;
}

int rep_admin_delete(struct rep_admin *admin, struct slice number)
{
    char name[ROW_KEY_BYTES];
    struct buffer key = buffer_over(name, sizeof(name));
    int code = key_of(admin, number, &key);
    if (code != 0)
        return code;
    for (unsigned tries = 0;; tries++) {
        code = delete_key(admin, buffer_slice(&key));
        if (code != -EBADMSG || !rep_admin_may_retry(admin, tries))
            return code;
    }
}

/* ---- writing ------------------------------------------------------------------------------- */

/* Commands of one row, inside MULTI and EXEC so that nobody reads it half written. */
struct writing {
    struct rep_admin *admin;
    unsigned queued;
    int code;
};

static void write_command(struct writing *writing, const struct slice *words, unsigned count)
{
    if (writing->code == 0)
        writing->code = rep_admin_queue(writing->admin, words, count);
    if (writing->code == 0)
        writing->queued++;
}

static void write_fields(struct writing *writing, struct slice key, const struct rep_row *row)
{
    char score[8] = "";
    if (row->score != REP_SCORE_UNKNOWN)
        snprintf(score, sizeof(score), "%d", row->score);
    const struct {
        struct slice name, value;
    } fields[] = {
        {SLICE("score"), slice_of_text(score)},
        {SLICE("list"),
         row->list == REP_LIST_NONE ? SLICE("") : slice_of_text(rep_list_text(row->list))},
        {SLICE("type"), row->type},
        {SLICE("source"), row->source},
        {SLICE("note"), row->note},
    };
    struct slice set[ADMIN_COMMAND_WORDS] = {SLICE("HSET"), key};
    struct slice drop[ADMIN_COMMAND_WORDS] = {SLICE("HDEL"), key};
    unsigned sets = 2, drops = 2;
    for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].value.length > 0) {
            set[sets++] = fields[i].name;
            set[sets++] = fields[i].value;
        } else {
            drop[drops++] = fields[i].name;
        }
    }
    write_command(writing, set, sets);
    if (drops > 2)
        write_command(writing, drop, drops);
}

static unsigned write_row(struct rep_admin *admin, const struct rep_row *row, struct slice key,
                          uint64_t now_wall_s, int *code)
{
    char since[32], seconds[24];
    struct buffer time = buffer_over(since, sizeof(since));
    clock_append_rfc3339(&time, now_wall_s * 1000000);
    const struct slice multi[] = {SLICE_LITERAL("MULTI")}, exec[] = {SLICE_LITERAL("EXEC")};
    const struct slice first[] = {SLICE_LITERAL("HSETNX"), key, SLICE_LITERAL("since"),
                                  buffer_slice(&time)};
    struct writing writing = {.admin = admin, .code = rep_admin_select(admin, key)};
    write_command(&writing, multi, 1);
    write_fields(&writing, key, row);
    write_command(&writing, first, 4);
    if (row->expires_s == 0) {
        const struct slice persist[] = {SLICE_LITERAL("PERSIST"), key};
        write_command(&writing, persist, 2);
    } else {
        snprintf(seconds, sizeof(seconds), "%llu",
                 (unsigned long long)(row->expires_s - now_wall_s));
        const struct slice expire[] = {SLICE_LITERAL("EXPIRE"), key, slice_of_text(seconds)};
        write_command(&writing, expire, 3);
    }
    write_command(&writing, exec, 1);
    *code = writing.code;
    return writing.queued;
}

/* All replies of one row; the first refusal counts. */
static int take_replies(struct rep_admin *admin, unsigned count)
{
    char first[ADMIN_ERROR_BYTES];
    int result = 0;
    for (unsigned i = 0; i < count; i++) {
        redisReply *reply;
        int code = rep_admin_take(admin, &reply);
        freeReplyObject(reply);
        if (code == ERROR_UNAVAILABLE)
            return code;
        if (result == 0 && code != 0) {
            result = code;
            memcpy(first, admin->error, sizeof(first));
        }
    }
    /* Behind it comes EXEC's, which only says that something was refused. */
    if (result != 0)
        memcpy(admin->error, first, sizeof(first));
    return result;
}

int rep_admin_set(struct rep_admin *admin, const struct rep_row *row, uint64_t now_wall_s)
{
    const char *reason = rep_admin_check(row);
    if (reason != NULL) {
        snprintf(admin->error, sizeof(admin->error), "%.*s: %s",
                 SLICE_ARGS(slice_first(row->number, 64)), reason);
        return -EBADMSG;
    }
    if (row->expires_s != 0 && row->expires_s <= now_wall_s) {
        snprintf(admin->error, sizeof(admin->error), "%.*s: it has expired already",
                 SLICE_ARGS(slice_first(row->number, 64)));
        return -ERANGE;
    }
    char name[ROW_KEY_BYTES];
    struct buffer key = buffer_over(name, sizeof(name));
    int code = rep_admin_key(row->number, &key);
    if (code != 0)
        return code;
    for (unsigned tries = 0;; tries++) {
        unsigned queued = write_row(admin, row, buffer_slice(&key), now_wall_s, &code);
        if (code == 0)
            code = take_replies(admin, queued);
        if (code != -EBADMSG || !rep_admin_may_retry(admin, tries))
            return code;
    }
}

/* ---- import -------------------------------------------------------------------------------- */

/* Rows under way, oldest first: how many replies each has, and its number for a refusal. */
struct under_way {
    redisContext *context;
    unsigned replies;
    char number[64];
};

struct importing {
    struct rep_admin *admin;
    struct rep_import *import;
    struct under_way *ring;
    unsigned size, head, count;
};

static void reject(struct rep_import *import, struct slice number, const char *reason)
{
    if (import->rejected++ == 0)
        snprintf(import->reject, sizeof(import->reject), "%.*s: %s",
                 SLICE_ARGS(slice_first(number, 64)), reason);
}

static int confirm_oldest(struct importing *importing)
{
    struct rep_import *import = importing->import;
    const struct under_way *oldest = &importing->ring[importing->head];
    importing->admin->context = oldest->context;
    int code = take_replies(importing->admin, oldest->replies);
    importing->head = (importing->head + 1) % importing->size;
    importing->count--;
    if (code == ERROR_UNAVAILABLE)
        return code;
    /* Rows behind it find a slot that moved; this one is to be imported again. */
    if (code != 0 && rep_admin_may_retry(importing->admin, 0))
        reject(import, slice_of_text(oldest->number), "its slot moved meanwhile: import it again");
    else if (code != 0)
        reject(import, slice_of_text(oldest->number), importing->admin->error);
    else if (++import->written % PROGRESS_EVERY == 0 && import->progress != NULL)
        import->progress(import->argument, import->written);
    return 0;
}

static int import_row(struct importing *importing, const struct rep_row *row, uint64_t now_wall_s)
{
    char name[ROW_KEY_BYTES];
    struct buffer key = buffer_over(name, sizeof(name));
    const char *reason = rep_admin_check(row);
    if (reason == NULL && row->expires_s != 0 && row->expires_s <= now_wall_s)
        reason = "it has expired already";
    if (reason == NULL && rep_admin_key(row->number, &key) != 0)
        reason = "the number is too long";
    if (reason != NULL) {
        reject(importing->import, row->number, reason);
        return 0;
    }
    int code = 0;
    if (importing->count == importing->size)
        code = confirm_oldest(importing);
    if (code != 0)
        return code;
    struct under_way *last =
        &importing->ring[(importing->head + importing->count) % importing->size];
    last->replies = write_row(importing->admin, row, buffer_slice(&key), now_wall_s, &code);
    last->context = importing->admin->context;
    snprintf(last->number, sizeof(last->number), "%.*s",
             SLICE_ARGS(slice_first(row->number, sizeof(last->number) - 1)));
    importing->count++;
    return code;
}

int rep_admin_import(struct rep_admin *admin, struct rep_import *import, uint64_t now_wall_s)
{
    struct importing importing = {
        .admin = admin,
        .import = import,
        .size = import->pipeline > 0 ? import->pipeline : DEFAULT_PIPELINE,
    };
    import->written = import->rejected = 0;
    import->reject[0] = '\0';
    importing.ring = calloc(importing.size, sizeof(importing.ring[0]));
    if (importing.ring == NULL)
        return -ENOMEM;
    struct rep_row row;
    int code, end;
    while ((end = import->next(import->argument, &row)) == 0) {
        code = import_row(&importing, &row, now_wall_s);
        if (code != 0)
            goto out;
    }
    code = 0;
    while (code == 0 && importing.count > 0)
        code = confirm_oldest(&importing);
    if (code == 0 && end != ERROR_NOT_FOUND)
        code = end;
    if (import->progress != NULL)
        import->progress(import->argument, import->written);
out:
    free(importing.ring);
    return code;
}
