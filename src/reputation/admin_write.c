/* SPDX-License-Identifier: Apache-2.0 */
#include "admin_write_int.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { ATTEMPTS = 20, TOLERANCE_S = 2 };

/* ---- reading ------------------------------------------------------------------------------- */

void rep_admin_request_init(struct admin_request *request, const struct rep_authority *authority)
{
    static const struct slice own[ADMIN_FIELD_COUNT] = {
#define ADMIN_FIELD_WORD(name, text) [name] = SLICE_LITERAL(text),
        ADMIN_FIELD_TABLE(ADMIN_FIELD_WORD)
#undef ADMIN_FIELD_WORD
    };
    rep_request_init(&request->request, authority);
    request->fields = request->request.fields + ADMIN_FIELD_COUNT;
    memcpy(request->words, request->request.words, sizeof(request->request.words));
    memcpy(&request->words[2 + request->request.fields], own, sizeof(own));
}

int rep_admin_ask(struct rep_admin *admin, struct slice key)
{
    const struct slice lifetime[] = {SLICE_LITERAL("PTTL"), key};
    admin->request.words[1] = key;
    int code = rep_admin_queue(admin, admin->request.words, 2 + admin->request.fields);
    return code == 0 ? rep_admin_queue(admin, lifetime, 2) : code;
}

static struct slice element_text(const redisReply *reply, size_t i)
{
    const redisReply *element = reply->element[i];
    return element->type == REDIS_REPLY_STRING ? slice_make(element->str, element->len)
                                               : slice_make(NULL, 0);
}

int rep_admin_take_entry(struct rep_admin *admin, uint64_t now_wall_s, struct admin_entry *entry)
{
    char error[ADMIN_ERROR_BYTES];
    redisReply *lifetime = NULL;
    *entry = (struct admin_entry){0};
    int code = rep_admin_take(admin, &entry->reply);
    if (code == ERROR_UNAVAILABLE)
        return code;
    memcpy(error, admin->error, sizeof(error));
    int second = rep_admin_take(admin, &lifetime);
    if (code != 0)
        memcpy(admin->error, error, sizeof(error));
    else
        code = second;
    if (code == 0 &&
        (entry->reply->type != REDIS_REPLY_ARRAY ||
         entry->reply->elements != admin->request.fields || lifetime->type != REDIS_REPLY_INTEGER))
        code = -EBADMSG;
    for (unsigned i = 0; code == 0 && i < admin->request.fields; i++)
        entry->field[i] = element_text(entry->reply, i);
    if (code == 0) {
        entry->exists = lifetime->integer != -2;
        entry->lasts_ms = lifetime->integer;
        entry->read_us = clock_monotonic_us();
        if (lifetime->integer >= 0)
            entry->ends_s = now_wall_s + ((uint64_t)lifetime->integer + 999) / 1000;
    }
    freeReplyObject(lifetime);
    return second == ERROR_UNAVAILABLE ? second : code;
}

void rep_admin_entry_free(struct admin_entry *entry)
{
    freeReplyObject(entry->reply);
    entry->reply = NULL;
}

int rep_admin_source(const struct rep_admin *admin, struct slice name)
{
    for (unsigned i = 0; i < admin->authority.count; i++)
        if (slice_equal(admin->authority.name[i], name))
            return (int)i;
    return ADMIN_NOBODY;
}

static struct slice own_field(const struct rep_admin *admin, const struct admin_entry *entry,
                              enum admin_field field)
{
    return entry->field[admin->request.request.fields + (unsigned)field];
}

static bool has_plain(const struct admin_entry *entry)
{
    return !slice_is_empty(entry->field[REP_FIELD_SCORE]) ||
           !slice_is_empty(entry->field[REP_FIELD_LIST]);
}

static struct slice time_text(char *memory, uint64_t wall_s)
{
    struct buffer buffer = buffer_over(memory, ADMIN_TEXT_BYTES);
    if (wall_s != 0)
        rep_time_append(&buffer, wall_s);
    return buffer_slice(&buffer);
}

/* When the plain statement ends: by its field, else with the key. */
static uint64_t plain_end(const struct admin_entry *entry)
{
    uint64_t ends_s;
    struct slice text = entry->field[REP_FIELD_EXPIRES];
    if (!slice_is_empty(text) && rep_time_parse(text, &ends_s) == 0)
        return ends_s;
    return entry->ends_s;
}

bool rep_admin_statement(const struct rep_admin *admin, const struct admin_entry *entry, int source,
                         struct admin_statement *statement)
{
    struct slice *value = statement->value;
    if (source != ADMIN_NOBODY) {
        struct slice part = entry->field[REP_FIELD_COUNT + source];
        rep_part_split(part, value);
        return part.data != NULL;
    }
    value[REP_PART_SCORE] = entry->field[REP_FIELD_SCORE];
    value[REP_PART_LIST] = entry->field[REP_FIELD_LIST];
    value[REP_PART_TYPE] = entry->field[REP_FIELD_TYPE];
    value[REP_PART_SINCE] = entry->field[REP_FIELD_SINCE];
    value[REP_PART_EXPIRES] = time_text(statement->expires, plain_end(entry));
    value[REP_PART_CASE] = own_field(admin, entry, ADMIN_FIELD_CASE);
    value[REP_PART_NOTE] = own_field(admin, entry, ADMIN_FIELD_NOTE);
    return has_plain(entry);
}

/* ---- planning ------------------------------------------------------------------------------ */

static struct slice plan_text(struct admin_plan *plan, struct buffer *buffer)
{
    plan->used += ADMIN_TEXT_BYTES;
    assert(plan->used <= sizeof(plan->memory));
    return buffer_slice(buffer);
}

static struct slice plan_time(struct admin_plan *plan, uint64_t wall_s)
{
    struct buffer buffer = buffer_over(plan->memory + plan->used, ADMIN_TEXT_BYTES);
    if (wall_s == 0)
        return slice_make(NULL, 0);
    rep_time_append(&buffer, wall_s);
    return plan_text(plan, &buffer);
}

static void plan_set(struct admin_plan *plan, struct slice name, struct slice value)
{
    plan->set[plan->sets++] = name;
    plan->set[plan->sets++] = value;
}

/* Only what differs is written. */
static void plan_field(struct admin_plan *plan, struct slice name, struct slice held,
                       struct slice wanted)
{
    if (slice_is_empty(wanted)) {
        if (held.data != NULL)
            plan->drop[plan->drops++] = name;
    } else if (!slice_equal(held, wanted)) {
        plan_set(plan, name, wanted);
    }
}

static struct slice field_name(const struct rep_admin *admin, unsigned field)
{
    return admin->request.words[2 + field];
}

static unsigned own_index(const struct rep_admin *admin, enum admin_field field)
{
    return admin->request.request.fields + (unsigned)field;
}

/* The plain fields of a statement, in the order of its words. */
static void plain_fields(const struct rep_admin *admin, unsigned fields[REP_PART_COUNT])
{
    fields[REP_PART_SCORE] = REP_FIELD_SCORE;
    fields[REP_PART_LIST] = REP_FIELD_LIST;
    fields[REP_PART_TYPE] = REP_FIELD_TYPE;
    fields[REP_PART_SINCE] = REP_FIELD_SINCE;
    fields[REP_PART_EXPIRES] = REP_FIELD_EXPIRES;
    fields[REP_PART_CASE] = own_index(admin, ADMIN_FIELD_CASE);
    fields[REP_PART_NOTE] = own_index(admin, ADMIN_FIELD_NOTE);
}

static void drop_plain(const struct rep_admin *admin, const struct admin_entry *entry,
                       struct admin_plan *plan)
{
    static const struct slice nothing = {NULL, 0};
    unsigned fields[REP_PART_COUNT];
    plain_fields(admin, fields);
    for (unsigned i = 0; i < REP_PART_COUNT; i++)
        plan_field(plan, field_name(admin, fields[i]), entry->field[fields[i]], nothing);
    plan_field(plan, SLICE("source"), entry->field[REP_FIELD_SOURCE], nothing);
}

/* Who still speaks once the plan is carried out. */
struct speakers {
    int source; /* who is changed: a part, or the plain fields */
    bool speaks;
    uint64_t ends_s;
    bool plain; /* the plain fields stay as they are */
};

/* The key ends with the last statement in it. Beside others the plain one has its end in a field.
 */
static void plan_lifetime(const struct rep_admin *admin, const struct admin_entry *entry,
                          const struct speakers *speakers, uint64_t now_wall_s,
                          struct admin_plan *plan)
{
    bool plain = speakers->source == ADMIN_NOBODY ? speakers->speaks : speakers->plain;
    uint64_t plain_s = speakers->source == ADMIN_NOBODY ? speakers->ends_s : plain_end(entry),
             last_s = 0;
    unsigned parts = 0;
    bool endless = false;
    for (int i = 0; i < (int)admin->authority.count; i++) {
        struct slice value[REP_PART_COUNT];
        uint64_t ends_s = speakers->ends_s;
        bool own = i == speakers->source;
        if (own ? !speakers->speaks : entry->field[REP_FIELD_COUNT + i].data == NULL)
            continue;
        rep_part_split(entry->field[REP_FIELD_COUNT + i], value);
        if (!own && rep_time_parse(value[REP_PART_EXPIRES], &ends_s) != 0)
            ends_s = 0;
        endless = endless || ends_s == 0;
        last_s = ends_s > last_s ? ends_s : last_s;
        parts++;
    }
    if (plain) {
        bool held = !slice_is_empty(entry->field[REP_FIELD_EXPIRES]);
        if (parts > 0 || held)
            plan_field(plan, SLICE("expires"), entry->field[REP_FIELD_EXPIRES],
                       parts > 0 ? plan_time(plan, plain_s) : slice_make(NULL, 0));
        endless = endless || plain_s == 0;
        last_s = plain_s > last_s ? plain_s : last_s;
    }
    if (!plain && parts == 0)
        return;
    uint64_t wanted_s = endless ? 0 : last_s;
    uint64_t difference =
        wanted_s > entry->ends_s ? wanted_s - entry->ends_s : entry->ends_s - wanted_s;
    if (wanted_s == 0)
        plan->persist = entry->ends_s != 0;
    else if (difference > TOLERANCE_S || entry->ends_s == 0)
        plan->expire_s = wanted_s > now_wall_s ? wanted_s - now_wall_s : 1;
}

/* The row as a statement's values. */
static void row_values(const struct rep_row *row, struct admin_plan *plan,
                       struct slice value[REP_PART_COUNT])
{
    int length = row->score == REP_SCORE_UNKNOWN
                     ? 0
                     : snprintf(plan->score, sizeof(plan->score), "%d", row->score);
    value[REP_PART_SCORE] = slice_make(plan->score, (size_t)length);
    value[REP_PART_LIST] =
        row->list == REP_LIST_NONE ? slice_make(NULL, 0) : slice_of_text(rep_list_text(row->list));
    value[REP_PART_TYPE] = row->type;
    value[REP_PART_SINCE] = plan_time(plan, row->since_s);
    value[REP_PART_EXPIRES] = plan_time(plan, row->expires_s);
    value[REP_PART_CASE] = row->reference;
    value[REP_PART_NOTE] = row->note;
}

static bool same_time(struct slice a, struct slice b)
{
    uint64_t a_s, b_s;
    if (rep_time_parse(a, &a_s) != 0 || rep_time_parse(b, &b_s) != 0)
        return slice_equal(a, b);
    return a_s == b_s ||
           (a_s != 0 && b_s != 0 && (a_s > b_s ? a_s - b_s : b_s - a_s) <= TOLERANCE_S);
}

static bool values_equal(const struct slice *a, const struct slice *b)
{
    for (unsigned i = 0; i < REP_PART_COUNT; i++)
        if (i == REP_PART_SINCE || i == REP_PART_EXPIRES ? !same_time(a[i], b[i])
                                                         : !slice_equal(a[i], b[i]))
            return false;
    return true;
}

static void plan_plain(const struct rep_admin *admin, const struct admin_entry *entry,
                       struct slice source, const struct slice value[REP_PART_COUNT],
                       struct admin_plan *plan)
{
    unsigned fields[REP_PART_COUNT];
    plain_fields(admin, fields);
    for (unsigned i = 0; i < REP_PART_COUNT; i++)
        if (i != REP_PART_EXPIRES)
            plan_field(plan, field_name(admin, fields[i]), entry->field[fields[i]], value[i]);
    plan_field(plan, SLICE("source"), entry->field[REP_FIELD_SOURCE], source);
}

static const char *check_part(const struct slice value[REP_PART_COUNT])
{
    for (unsigned i = 0; i < REP_PART_COUNT; i++)
        if (slice_find(value[i], ';') < value[i].length)
            return "type, case and note of a source's statement have no ;";
    return NULL;
}

static const char *check_reassigned(const struct admin_entry *entry, const struct rep_row *row,
                                    bool now)
{
    uint64_t reassigned_s;
    if (rep_time_parse(entry->field[REP_FIELD_REASSIGNED], &reassigned_s) != 0 ||
        reassigned_s == 0 || (row->since_s == 0 && now))
        return NULL;
    if (row->since_s == 0)
        return "the number was reassigned, and the row has no since that is later";
    return row->since_s < reassigned_s ? "the number was reassigned after the row's since" : NULL;
}

/* What fades needs a time from which it does. */
static bool fades(const struct rep_admin *admin, struct slice source)
{
    int index = rep_admin_source(admin, source);
    return index != ADMIN_NOBODY &&
           admin->authority.terms[admin->authority.id[index]].half_life_s > 0;
}

static const char *plan_row(const struct rep_admin *admin, const struct admin_entry *entry,
                            const struct rep_row *row, bool now, uint64_t now_wall_s,
                            struct admin_plan *plan)
{
    struct admin_statement before;
    struct slice value[REP_PART_COUNT];
    int source = rep_admin_source(admin, row->source);
    bool spoke = rep_admin_statement(admin, entry, source, &before);
    const char *reason = check_reassigned(entry, row, now);
    row_values(row, plan, value);
    if (reason == NULL && source != ADMIN_NOBODY)
        reason = check_part(value);
    if (reason != NULL)
        return reason;
    if (spoke)
        rep_part_join(&plan->from, before.value);
    /* What is not stated stays: of a plain statement in any case, of a part if that alone differs.
     */
    if (row->since_s == 0)
        value[REP_PART_SINCE] = before.value[REP_PART_SINCE];
    bool equal = spoke && values_equal(before.value, value);
    if (row->since_s == 0 && (now || fades(admin, row->source)) &&
        (slice_is_empty(value[REP_PART_SINCE]) || (source != ADMIN_NOBODY && !equal)))
        value[REP_PART_SINCE] = plan_time(plan, now_wall_s);
    rep_part_join(&plan->to, value);
    if (plan->to.overflow)
        return "type, case and note are too long";
    if (source == ADMIN_NOBODY) {
        if (!equal || !slice_equal(entry->field[REP_FIELD_SOURCE], row->source))
            plan_plain(admin, entry, row->source, value, plan);
    } else if (!equal) {
        plan_set(plan, field_name(admin, REP_FIELD_COUNT + (unsigned)source),
                 buffer_slice(&plan->to));
    }
    bool moves = source != ADMIN_NOBODY && slice_equal(entry->field[REP_FIELD_SOURCE], row->source);
    if (moves)
        drop_plain(admin, entry, plan);
    const struct speakers speakers = {source, true, row->expires_s, has_plain(entry) && !moves};
    plan_lifetime(admin, entry, &speakers, now_wall_s, plan);
    plan->outcome = !spoke && !moves                ? REP_OUTCOME_ADDED
                    : rep_admin_plan_is_empty(plan) ? REP_OUTCOME_UNCHANGED
                                                    : REP_OUTCOME_CHANGED;
    return NULL;
}

static void plan_drop(const struct rep_admin *admin, const struct admin_entry *entry,
                      struct slice name, uint64_t now_wall_s, struct admin_plan *plan)
{
    int source = rep_admin_source(admin, name);
    struct admin_statement statement;
    bool plain = has_plain(entry) && slice_equal(entry->field[REP_FIELD_SOURCE], name);
    bool part = source != ADMIN_NOBODY && rep_admin_statement(admin, entry, source, &statement);
    if (!part && !plain)
        return;
    if (!part)
        rep_admin_statement(admin, entry, ADMIN_NOBODY, &statement);
    rep_part_join(&plan->from, statement.value);
    if (part)
        plan->drop[plan->drops++] = field_name(admin, REP_FIELD_COUNT + (unsigned)source);
    if (plain)
        drop_plain(admin, entry, plan);
    const struct speakers speakers = {source, false, 0, has_plain(entry) && !plain};
    plan_lifetime(admin, entry, &speakers, now_wall_s, plan);
    plan->outcome = REP_OUTCOME_REMOVED;
}

const char *rep_admin_plan_make(const struct rep_admin *admin, const struct admin_entry *entry,
                                const struct rep_row *row, struct slice source, bool now,
                                uint64_t now_wall_s, struct admin_plan *plan)
{
    plan->sets = plan->drops = 0;
    plan->persist = false;
    plan->expire_s = 0;
    plan->used = 0;
    plan->outcome = REP_OUTCOME_UNCHANGED;
    plan->from = buffer_over(plan->from_memory, sizeof(plan->from_memory));
    plan->to = buffer_over(plan->to_memory, sizeof(plan->to_memory));
    if (row != NULL)
        return plan_row(admin, entry, row, now, now_wall_s, plan);
    plan_drop(admin, entry, source, now_wall_s, plan);
    return NULL;
}

bool rep_admin_plan_is_empty(const struct admin_plan *plan)
{
    return plan->sets == 0 && plan->drops == 0 && !plan->persist && plan->expire_s == 0;
}

/* ---- sending ------------------------------------------------------------------------------- */

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

static void write_fields(struct writing *writing, struct slice command, struct slice key,
                         const struct slice *fields, unsigned count)
{
    struct slice words[2 + 2 * ADMIN_PLAN_FIELDS] = {command, key};
    if (count == 0)
        return;
    memcpy(&words[2], fields, count * sizeof(fields[0]));
    write_command(writing, words, 2 + count);
}

int rep_admin_plan_send(struct rep_admin *admin, struct slice key, const struct admin_plan *plan,
                        unsigned *replies)
{
    char seconds[ADMIN_TEXT_BYTES];
    const struct slice multi[] = {SLICE_LITERAL("MULTI")}, exec[] = {SLICE_LITERAL("EXEC")};
    const struct slice persist[] = {SLICE_LITERAL("PERSIST"), key};
    struct writing writing = {.admin = admin};
    write_command(&writing, multi, 1);
    write_fields(&writing, SLICE("HSET"), key, plan->set, plan->sets);
    write_fields(&writing, SLICE("HDEL"), key, plan->drop, plan->drops);
    if (plan->persist)
        write_command(&writing, persist, 2);
    if (plan->expire_s != 0) {
        snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)plan->expire_s);
        const struct slice expire[] = {SLICE_LITERAL("EXPIRE"), key, slice_of_text(seconds)};
        write_command(&writing, expire, 3);
    }
    write_command(&writing, exec, 1);
    *replies = writing.queued;
    return writing.code;
}

int rep_admin_take_replies(struct rep_admin *admin, unsigned count)
{
    char first[ADMIN_ERROR_BYTES];
    int result = 0;
    for (unsigned i = 0; i < count; i++) {
        redisReply *reply;
        int code = rep_admin_take(admin, &reply);
        if (code == 0 && reply->type == REDIS_REPLY_NIL)
            code = -EAGAIN;
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

/* ---- one key ------------------------------------------------------------------------------- */

static int try_one(struct rep_admin *admin, struct slice key, const struct admin_task *task)
{
    const struct slice watch[] = {SLICE_LITERAL("WATCH"), key};
    const struct slice unwatch[] = {SLICE_LITERAL("UNWATCH")};
    struct admin_plan *plan = &admin->plan;
    struct admin_entry entry = {0};
    unsigned replies = 1;
    int code = rep_admin_select(admin, key);
    if (code == 0)
        code = rep_admin_queue(admin, watch, 2);
    if (code == 0)
        code = rep_admin_ask(admin, key);
    if (code != 0)
        return code;
    int watched = rep_admin_take_replies(admin, 1);
    if (watched == ERROR_UNAVAILABLE)
        return watched;
    code = rep_admin_take_entry(admin, task->now_wall_s, &entry);
    const char *reason = code == 0 ? rep_admin_plan_make(admin, &entry, task->row, task->source,
                                                         task->now, task->now_wall_s, plan)
                                   : NULL;
    if (code == ERROR_UNAVAILABLE)
        goto out;
    int sent = code != 0 || reason != NULL || task->dry_run || rep_admin_plan_is_empty(plan)
                   ? rep_admin_queue(admin, unwatch, 1)
                   : rep_admin_plan_send(admin, key, plan, &replies);
    if (sent != 0) {
        code = sent;
        goto out;
    }
    char error[ADMIN_ERROR_BYTES];
    memcpy(error, admin->error, sizeof(error));
    int taken = rep_admin_take_replies(admin, replies);
    if (code != 0 && taken != ERROR_UNAVAILABLE)
        memcpy(admin->error, error, sizeof(error));
    else
        code = taken;
    if (code == 0 && reason != NULL) {
        snprintf(admin->error, sizeof(admin->error), "%s", reason);
        code = -EPERM;
    }
out:
    rep_admin_entry_free(&entry);
    return code;
}

int rep_admin_change_one(struct rep_admin *admin, const struct admin_task *task)
{
    char name[REP_KEY_MAXIMUM + 1];
    struct buffer key = buffer_over(name, sizeof(name));
    int code = rep_admin_key(task->number, &key);
    if (code != 0)
        return code;
    for (unsigned tries = 0;; tries++) {
        code = try_one(admin, buffer_slice(&key), task);
        bool again = code == -EAGAIN ? tries < ATTEMPTS
                                     : code == -EBADMSG && rep_admin_may_retry(admin, tries);
        if (!again)
            break;
    }
    if (code == -EAGAIN)
        snprintf(admin->error, sizeof(admin->error), "others kept changing it meanwhile");
    return code == -EAGAIN || code == -EPERM ? -EBADMSG : code;
}
