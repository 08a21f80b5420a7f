/* SPDX-License-Identifier: Apache-2.0 */
#include "reputation/admin.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin_write_int.h"
#include "base/clock.h"

enum { ROW_KEY_BYTES = REP_KEY_MAXIMUM + 1 };

const char *rep_admin_error(const struct rep_admin *admin)
{
    return admin->error;
}

bool rep_admin_is_source(const struct rep_admin *admin, struct slice name)
{
    return rep_admin_source(admin, name) != ADMIN_NOBODY;
}

const char *rep_outcome_text(unsigned outcome)
{
    static const char *const texts[REP_OUTCOME_COUNT] = {
#define REP_OUTCOME_TEXT(name, word) [name] = word,
        REP_OUTCOME_TABLE(REP_OUTCOME_TEXT)
#undef REP_OUTCOME_TEXT
    };
    return outcome < REP_OUTCOME_COUNT ? texts[outcome] : "unknown";
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
    assert(count <= ADMIN_COMMAND_WORDS);
    if (admin->asking && redisAppendCommand(admin->context, "ASKING") != REDIS_OK)
        return broken(admin);
    for (unsigned i = 0; i < count; i++) {
        text[i] = words[i].data != NULL ? words[i].data : "";
        length[i] = words[i].length;
    }
    return redisAppendCommandArgv(admin->context, (int)count, text, length) == REDIS_OK
               ? 0
               : broken(admin);
}

/* The next reply, or with object == NULL only what is queued is written: without SIGPIPE, which
 * hiredis' write(2) raises on a dead connection, and without changing what the program does with
 * that signal elsewhere. */
static int talk_quietly(redisContext *context, void **object)
{
    sigset_t pipe, before;
    int status = REDIS_OK, written = 0;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    if (object != NULL)
        status = redisGetReply(context, object);
    while (object == NULL && status == REDIS_OK && !written)
        status = redisBufferWrite(context, &written);
    const struct timespec at_once = {0};
    if (status != REDIS_OK && !sigismember(&before, SIGPIPE))
        (void)sigtimedwait(&pipe, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

int rep_admin_flush(struct rep_admin *admin)
{
    return talk_quietly(admin->context, NULL) == REDIS_OK ? 0 : broken(admin);
}

static int take_any(struct rep_admin *admin, redisReply **reply)
{
    void *object = NULL;
    *reply = NULL;
    /* Of a pipeline most replies have been read already. */
    if (redisGetReplyFromReader(admin->context, &object) != REDIS_OK ||
        (object == NULL && talk_quietly(admin->context, &object) != REDIS_OK) || object == NULL)
        return broken(admin);
    *reply = object;
    return 0;
}

int rep_admin_take(struct rep_admin *admin, redisReply **reply)
{
    *reply = NULL;
    int code = admin->asking ? take_any(admin, reply) : 0;
    freeReplyObject(*reply);
    if (code == 0)
        code = take_any(admin, reply);
    if (code != 0)
        return code;
    const redisReply *error = (*reply)->type == REDIS_REPLY_ERROR ? *reply : NULL;
    for (size_t i = 0; (*reply)->type == REDIS_REPLY_ARRAY && i < (*reply)->elements; i++)
        if ((*reply)->element[i]->type == REDIS_REPLY_ERROR)
            error = (*reply)->element[i];
    if (error == NULL)
        return 0;
    snprintf(admin->error, sizeof(admin->error), "%.*s", (int)error->len, error->str);
    return -EBADMSG;
}

static int create_names(struct rep_admin *admin)
{
    const struct rep_settings *settings = &admin->settings;
    int code = rep_names_create(REP_TYPE_LIMIT, &admin->types);
    if (code == 0)
        code = rep_names_create(REP_SOURCE_LIMIT, &admin->sources);
    if (code != 0)
        return code;
    rep_authority_init(&admin->authority, settings->combine, settings->sources.items,
                       settings->sources.count, admin->sources);
    rep_admin_request_init(&admin->request, &admin->authority);
    return 0;
}

int rep_admin_open(const struct rep_settings *settings, char *message, size_t capacity,
                   struct rep_admin **admin)
{
    char server[160] = "";
    struct rep_admin *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    int code = rep_settings_copy(settings, &created->settings);
    if (code == 0)
        code = create_names(created);
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
    rep_names_destroy(admin->types);
    rep_names_destroy(admin->sources);
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

static void copy_text(struct slice text, char *to, size_t capacity)
{
    snprintf(to, capacity, "%.*s", SLICE_ARGS(slice_first(text, capacity - 1)));
}

static void copy_plain(const struct rep_admin *admin, const struct admin_entry *entry,
                       struct rep_record *record)
{
    unsigned own = admin->request.request.fields;
    const struct {
        unsigned field;
        char *to;
        size_t capacity;
    } fields[] = {
        {REP_FIELD_SCORE, record->score, sizeof(record->score)},
        {REP_FIELD_LIST, record->list, sizeof(record->list)},
        {REP_FIELD_TYPE, record->type, sizeof(record->type)},
        {REP_FIELD_SOURCE, record->source, sizeof(record->source)},
        {REP_FIELD_SINCE, record->since, sizeof(record->since)},
        {REP_FIELD_EXPIRES, record->expires, sizeof(record->expires)},
        {REP_FIELD_REASSIGNED, record->reassigned, sizeof(record->reassigned)},
        {own + ADMIN_FIELD_NOTE, record->note, sizeof(record->note)},
        {own + ADMIN_FIELD_CASE, record->reference, sizeof(record->reference)},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        copy_text(entry->field[fields[i].field], fields[i].to, fields[i].capacity);
}

static void add_part(struct rep_record *record, struct slice source, struct slice text,
                     bool configured)
{
    if (record->parts == REP_RECORD_PARTS)
        return;
    struct rep_record_part *part = &record->part[record->parts++];
    copy_text(source, part->source, sizeof(part->source));
    copy_text(text, part->text, sizeof(part->text));
    part->configured = configured;
}

/* The parts that nodes do not read: some of them, where there are very many. */
static int read_other_parts(struct rep_admin *admin, struct slice key, struct rep_record *record)
{
    const struct slice words[] = {SLICE_LITERAL("HSCAN"),  key,
                                  SLICE_LITERAL("0"),      SLICE_LITERAL("MATCH"),
                                  SLICE_LITERAL("from:*"), SLICE_LITERAL("COUNT"),
                                  SLICE_LITERAL("200")};
    redisReply *reply;
    int code = rep_admin_queue(admin, words, 7);
    if (code != 0)
        return code;
    code = rep_admin_take(admin, &reply);
    const redisReply *pairs = code == 0 && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
                                  ? reply->element[1]
                                  : NULL;
    for (size_t i = 0; pairs != NULL && i + 1 < pairs->elements; i += 2) {
        struct slice field = slice_make(pairs->element[i]->str, pairs->element[i]->len);
        struct slice name = slice_from(field, sizeof(REP_PART_PREFIX) - 1);
        if (rep_admin_source(admin, name) == ADMIN_NOBODY)
            add_part(record, name,
                     slice_make(pairs->element[i + 1]->str, pairs->element[i + 1]->len), false);
    }
    freeReplyObject(reply);
    /* An account without HSCAN sees what counts all the same. */
    return code == ERROR_UNAVAILABLE ? code : 0;
}

static void judge(struct rep_admin *admin, const struct admin_entry *entry, uint64_t now_wall_s,
                  struct rep_record *record)
{
    struct rep_statements said;
    struct rep_value value;
    enum rep_skip reason;
    if (rep_fields_parse(entry->field, &admin->authority, admin->types, admin->sources, &said,
                         &reason) != 0)
        return;
    said.expires_s = entry->ends_s;
    if (!rep_combine(&admin->authority, &said, now_wall_s, &value))
        return;
    record->counts = true;
    record->combined = value.entry;
    snprintf(record->combined_type, sizeof(record->combined_type), "%s",
             rep_names_text(admin->types, value.entry.type));
    snprintf(record->combined_source, sizeof(record->combined_source), "%s",
             rep_names_text(admin->sources, value.entry.source));
}

static int get_record(struct rep_admin *admin, struct slice key, uint64_t now_wall_s,
                      struct rep_record *record)
{
    struct admin_entry entry;
    int code = rep_admin_select(admin, key);
    if (code == 0)
        code = rep_admin_ask(admin, key);
    if (code != 0)
        return code;
    code = rep_admin_take_entry(admin, now_wall_s, &entry);
    if (code == 0 && !entry.exists)
        code = ERROR_NOT_FOUND;
    if (code == 0) {
        copy_plain(admin, &entry, record);
        record->expires_in_s = entry.ends_s == 0 ? -1 : (int64_t)(entry.ends_s - now_wall_s);
        for (unsigned i = 0; i < admin->authority.count; i++)
            if (entry.field[REP_FIELD_COUNT + i].data != NULL)
                add_part(record, admin->authority.name[i], entry.field[REP_FIELD_COUNT + i], true);
        judge(admin, &entry, now_wall_s, record);
        code = read_other_parts(admin, key, record);
    }
    rep_admin_entry_free(&entry);
    return code;
}

int rep_admin_get(struct rep_admin *admin, struct slice number, uint64_t now_wall_s,
                  struct rep_record *record)
{
    memset(record, 0, sizeof(*record));
    struct buffer key = buffer_over(record->key, sizeof(record->key) - 1);
    int code = key_of(admin, number, &key);
    if (code != 0)
        return code;
    for (unsigned tries = 0;; tries++) {
        record->parts = 0;
        code = get_record(admin, buffer_slice(&key), now_wall_s, record);
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
    const struct admin_task task = {row->number, row, row->source, .now = true,
                                    .now_wall_s = now_wall_s};
    return rep_admin_change_one(admin, &task);
}

int rep_admin_drop(struct rep_admin *admin, struct slice number, struct slice source,
                   uint64_t now_wall_s)
{
    char name[ROW_KEY_BYTES];
    struct buffer key = buffer_over(name, sizeof(name));
    int code = key_of(admin, number, &key);
    if (code != 0)
        return code;
    const struct admin_task task = {number, .source = source, .now = true,
                                    .now_wall_s = now_wall_s};
    code = rep_admin_change_one(admin, &task);
    return code == 0 && admin->plan.outcome != REP_OUTCOME_REMOVED ? ERROR_NOT_FOUND : code;
}

static int reassign_key(struct rep_admin *admin, struct slice key, uint64_t now_wall_s, bool *known)
{
    enum { COMMANDS = 5 };
    char text[ADMIN_TEXT_BYTES];
    struct buffer time = buffer_over(text, sizeof(text));
    rep_time_append(&time, now_wall_s);
    const struct slice words[COMMANDS][4] = {
        {SLICE_LITERAL("MULTI")},
        {SLICE_LITERAL("DEL"), key},
        {SLICE_LITERAL("HSET"), key, SLICE_LITERAL("reassigned"), buffer_slice(&time)},
        {SLICE_LITERAL("EXPIRE"), key, SLICE_LITERAL("31622400")},
        {SLICE_LITERAL("EXEC")}};
    static const unsigned counts[COMMANDS] = {1, 2, 4, 3, 1};
    redisReply *reply;
    int code = rep_admin_select(admin, key);
    for (unsigned i = 0; code == 0 && i < COMMANDS; i++)
        code = rep_admin_queue(admin, words[i], counts[i]);
    if (code == 0)
        code = rep_admin_take_replies(admin, COMMANDS - 1);
    if (code == ERROR_UNAVAILABLE)
        return code;
    char error[ADMIN_ERROR_BYTES];
    memcpy(error, admin->error, sizeof(error));
    int executed = rep_admin_take(admin, &reply);
    /* EXEC only says that something was refused. */
    if (code != 0 && executed == -EBADMSG)
        memcpy(admin->error, error, sizeof(error));
    /* The first number is DEL's; before it stands what ASKING gave, if that led it. */
    size_t i = 0;
    if (code == 0 && executed == 0 && reply->type == REDIS_REPLY_ARRAY) {
        while (i < reply->elements && reply->element[i]->type != REDIS_REPLY_INTEGER)
            i++;
        *known = i < reply->elements && reply->element[i]->integer > 0;
    }
    freeReplyObject(reply);
    return executed == ERROR_UNAVAILABLE || code == 0 ? executed : code;
}

int rep_admin_reassign(struct rep_admin *admin, struct slice number, uint64_t now_wall_s,
                       bool *known)
{
    char name[ROW_KEY_BYTES];
    struct buffer key = buffer_over(name, sizeof(name));
    int code = key_of(admin, number, &key);
    *known = false;
    if (code != 0)
        return code;
    for (unsigned tries = 0;; tries++) {
        code = reassign_key(admin, buffer_slice(&key), now_wall_s, known);
        if (code != -EBADMSG || !rep_admin_may_retry(admin, tries))
            return code;
    }
}

struct slice rep_admin_before(const struct rep_admin *admin)
{
    return buffer_slice(&admin->plan.from);
}

struct slice rep_admin_after(const struct rep_admin *admin)
{
    return buffer_slice(&admin->plan.to);
}
