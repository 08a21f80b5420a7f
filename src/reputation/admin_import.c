/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_write_int.h"
#include "base/arena.h"
#include "base/hash.h"

enum {
    DEFAULT_BATCH = 1000,
    BATCH_MAXIMUM = 10000,
    PROGRESS_EVERY = 2000,
    ROW_ARENA = 256 << 10,
    FLUSH_EVERY = 32
};

/* A row, or a statement to be taken back, under way. */
struct item {
    struct rep_row row; /* texts in the batch's arena; of a removal only its number */
    bool removal;
    bool leads; /* the first of its server in the batch: it brings the script along */
    bool sent;
    uint64_t place;
    char key_name[REP_KEY_MAXIMUM + 1];
    struct slice key;
    redisContext *context;
    struct admin_entry entry;
    int code; /* of what was read; -EAGAIN: to be changed alone */
    struct admin_plan plan;
};

/* All of a batch are asked for, then all are changed that are still as they were read: two turns of
 * the server for a thousand rows. What another changed meanwhile, or what moved to another node, is
 * changed alone at the end, when no reply is outstanding. A key stands in a batch once: what was
 * read of it would not be true for a second row. */
struct batch {
    struct item *items;
    unsigned count, size;
    uint64_t *hashes; /* of its keys; open addressing */
    unsigned hash_size;
    struct arena *arena;
    const redisContext *led[REP_SERVERS]; /* servers that were brought the script */
    unsigned servers;
};

struct importing {
    struct rep_admin *admin;
    struct rep_import *import;
    struct batch batch;
    struct hash_key seed;
    uint64_t now_wall_s;
    uint64_t done;
    uint64_t changes; /* sent */
};

static void refuse(struct importing *importing, uint64_t place, struct slice number,
                   const char *reason)
{
    struct rep_import *import = importing->import;
    import->rejects++;
    if (import->rejected != NULL)
        import->rejected(import->argument, place, number, reason);
}

static void count_done(struct importing *importing)
{
    const struct rep_import *import = importing->import;
    if (++importing->done % PROGRESS_EVERY == 0 && import->progress != NULL)
        import->progress(import->argument, importing->done);
}

/* ---- which numbers the rows have ----------------------------------------------------------- */

static int create_kept(struct importing *importing)
{
    struct rep_admin *admin = importing->admin;
    struct rep_replica_options options = {.capacity = admin->settings.capacity, .seed = {1, 2}};
    return rep_replica_create(&options, &admin->kept);
}

static int keep(struct rep_admin *admin, const struct rep_key *key)
{
    const struct rep_entry entry = {.list = REP_LIST_WATCH, .score = REP_SCORE_UNKNOWN};
    int code = rep_replica_set(admin->kept, key, &entry, NULL);
    if (code == ERROR_LIMIT)
        snprintf(admin->error, sizeof(admin->error),
                 "more numbers than reputation.capacity has room for");
    return code == -EEXIST ? 0 : code;
}

void rep_admin_import_keep(struct rep_admin *admin, struct slice number)
{
    struct rep_key key;
    /* Without room the import ends by itself at the next row. */
    if (admin->kept != NULL && rep_row_key(number, &key) == 0 && keep(admin, &key) != 0)
        return;
}

/* ---- a batch ------------------------------------------------------------------------------- */

static bool is_in_batch(struct batch *batch, uint64_t hash)
{
    hash |= 1; /* 0: free */
    unsigned at = (unsigned)(hash % batch->hash_size);
    for (; batch->hashes[at] != 0; at = (at + 1) % batch->hash_size)
        if (batch->hashes[at] == hash)
            return true;
    batch->hashes[at] = hash;
    return false;
}

static void empty_batch(struct batch *batch)
{
    for (unsigned i = 0; i < batch->count; i++)
        rep_admin_entry_free(&batch->items[i].entry);
    batch->count = batch->servers = 0;
    memset(batch->hashes, 0, batch->hash_size * sizeof(batch->hashes[0]));
    arena_reset(batch->arena);
}

static bool is_first_of_server(struct batch *batch, const redisContext *context)
{
    for (unsigned i = 0; i < batch->servers; i++)
        if (batch->led[i] == context)
            return false;
    batch->led[batch->servers++] = context;
    return true;
}

static int ask_all(struct importing *importing)
{
    struct rep_admin *admin = importing->admin;
    struct batch *batch = &importing->batch;
    int code = 0;
    for (unsigned i = 0; code == 0 && i < batch->count; i++) {
        struct item *item = &batch->items[i];
        code = rep_admin_select(admin, item->key);
        item->context = admin->context;
        item->leads =
            code == 0 && !importing->import->dry_run && is_first_of_server(batch, admin->context);
        if (item->leads)
            code = rep_admin_exchange_offer(admin);
        if (code == 0)
            code = rep_admin_ask(admin, item->key);
        if (code == 0 && i % FLUSH_EVERY == 0)
            code = rep_admin_flush(admin);
    }
    return code;
}

static void report(struct importing *importing, struct item *item, const struct admin_plan *plan)
{
    struct rep_import *import = importing->import;
    /* Of what left the feed, only what was there counts. */
    if (plan->outcome != REP_OUTCOME_UNCHANGED || !item->removal)
        import->count[plan->outcome]++;
    if (plan->outcome == REP_OUTCOME_UNCHANGED || import->changed == NULL)
        return;
    const struct rep_change change = {
        .outcome = plan->outcome,
        .number = item->row.number,
        .source = item->removal ? import->replace : item->row.source,
        .from = buffer_slice(&plan->from),
        .to = buffer_slice(&plan->to),
    };
    import->changed(import->argument, &change);
}

static int change_alone(struct importing *importing, struct item *item)
{
    struct rep_admin *admin = importing->admin;
    const struct rep_import *import = importing->import;
    const struct admin_task task = {
        .number = item->row.number,
        .row = item->removal ? NULL : &item->row,
        .source = item->removal ? import->replace : item->row.source,
        .dry_run = import->dry_run,
        .now_wall_s = importing->now_wall_s,
    };
    int code = rep_admin_change_one(admin, &task);
    if (code == 0)
        report(importing, item, &admin->plan);
    else if (code != ERROR_UNAVAILABLE)
        refuse(importing, item->place, item->row.number, admin->error);
    return code == ERROR_UNAVAILABLE ? code : 0;
}

/* Plans, and sends what there is to send. */
static int change_item(struct importing *importing, struct item *item)
{
    struct rep_admin *admin = importing->admin;
    const struct rep_import *import = importing->import;
    item->sent = false;
    if (item->code != 0)
        return 0;
    const char *reason =
        rep_admin_plan_make(admin, &item->entry, item->removal ? NULL : &item->row, import->replace,
                            false, importing->now_wall_s, &item->plan);
    if (reason != NULL) {
        refuse(importing, item->place, item->row.number, reason);
        item->code = -EPERM;
        return 0;
    }
    if (import->dry_run || rep_admin_plan_is_empty(&item->plan))
        return 0;
    if (admin->exchange[0] == '\0') {
        item->code = -EAGAIN;
        return 0;
    }
    admin->context = item->context;
    item->sent = true;
    int code = rep_admin_exchange_send(admin, item->key, &item->entry, &item->plan);
    return code == 0 && ++importing->changes % FLUSH_EVERY == 0 ? rep_admin_flush(admin) : code;
}

static int finish_item(struct importing *importing, struct item *item)
{
    struct rep_admin *admin = importing->admin;
    if (item->sent) {
        admin->context = item->context;
        int code = rep_admin_exchange_take(admin);
        if (code == ERROR_UNAVAILABLE)
            return code;
        /* Alone it is changed, or the reason is told why it cannot be. */
        if (code == -EBADMSG)
            (void)rep_admin_is_redirected(admin);
        item->code = code == 0 ? 0 : -EAGAIN;
    }
    if (item->code == 0)
        report(importing, item, &item->plan);
    return 0;
}

static int take_item(struct importing *importing, struct item *item)
{
    struct rep_admin *admin = importing->admin;
    admin->context = item->context;
    int code = item->leads ? rep_admin_exchange_take_offer(admin) : 0;
    if (code != 0)
        return code;
    item->code = rep_admin_take_entry(admin, importing->now_wall_s, &item->entry);
    if (item->code == ERROR_UNAVAILABLE)
        return ERROR_UNAVAILABLE;
    if (item->code != 0 && rep_admin_is_redirected(admin))
        item->code = -EAGAIN;
    else if (item->code != 0)
        refuse(importing, item->place, item->row.number, admin->error);
    return 0;
}

static int run_batch(struct importing *importing)
{
    struct batch *batch = &importing->batch;
    int code = ask_all(importing);
    for (unsigned i = 0; code == 0 && i < batch->count; i++)
        code = take_item(importing, &batch->items[i]);
    for (unsigned i = 0; code == 0 && i < batch->count; i++)
        code = change_item(importing, &batch->items[i]);
    for (unsigned i = 0; code == 0 && i < batch->count; i++)
        code = finish_item(importing, &batch->items[i]);
    for (unsigned i = 0; code == 0 && i < batch->count; i++)
        if (batch->items[i].code == -EAGAIN)
            code = change_alone(importing, &batch->items[i]);
    for (unsigned i = 0; i < batch->count; i++)
        count_done(importing);
    empty_batch(batch);
    return code;
}

/* ---- rows ---------------------------------------------------------------------------------- */

static int copy_row(struct batch *batch, const struct rep_row *from, struct rep_row *to)
{
    struct slice *const texts[] = {&to->number, &to->type, &to->source, &to->note, &to->reference};
    *to = *from;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i]->length == 0)
            continue;
        *texts[i] = arena_copy(batch->arena, *texts[i]);
        if (texts[i]->data == NULL)
            return -ENOMEM;
    }
    return 0;
}

static int add_item(struct importing *importing, const struct rep_row *row,
                    const struct rep_key *key, bool removal)
{
    struct batch *batch = &importing->batch;
    char name[REP_KEY_MAXIMUM + 1];
    struct buffer buffer = buffer_over(name, sizeof(name));
    rep_key_append(&buffer, key);
    uint64_t hash = hash_slice(&importing->seed, buffer_slice(&buffer));
    int code = 0;
    if (batch->count == batch->size)
        code = run_batch(importing);
    if (code == 0 && is_in_batch(batch, hash)) {
        code = run_batch(importing);
        (void)is_in_batch(batch, hash);
    }
    if (code != 0)
        return code;
    struct item *item = &batch->items[batch->count];
    code = copy_row(batch, row, &item->row);
    if (code != 0)
        return code;
    memcpy(item->key_name, name, buffer.length);
    item->key = slice_make(item->key_name, buffer.length);
    item->entry = (struct admin_entry){0};
    item->removal = removal;
    item->place = importing->import->place;
    batch->count++;
    return 0;
}

static int import_row(struct importing *importing, const struct rep_row *row)
{
    const struct rep_import *import = importing->import;
    struct rep_key key;
    const char *reason = rep_admin_check(row);
    if (rep_row_key(row->number, &key) == 0 && importing->admin->kept != NULL) {
        int code = keep(importing->admin, &key);
        if (code != 0)
            return code;
    }
    if (reason == NULL && row->expires_s != 0 && row->expires_s <= importing->now_wall_s)
        reason = "it has expired already";
    if (reason == NULL && import->replace.length > 0 && !slice_equal(row->source, import->replace))
        reason = "it is another source's";
    if (reason == NULL)
        return add_item(importing, row, &key, false);
    refuse(importing, import->place, row->number, reason);
    return 0;
}

static int import_rows(struct importing *importing)
{
    struct rep_import *import = importing->import;
    struct rep_row row;
    int code = 0, end;
    while ((end = import->next(import->argument, &row)) == 0) {
        code = import_row(importing, &row);
        if (code != 0)
            return code;
    }
    code = run_batch(importing);
    return code == 0 && end != ERROR_NOT_FOUND ? end : code;
}

/* ---- what the rows do not have any more ---------------------------------------------------- */

static int ask_page(struct importing *importing, const struct slice *names, size_t count)
{
    struct rep_admin *admin = importing->admin;
    char field[REP_PART_FIELD_BYTES];
    struct buffer part = buffer_over(field, sizeof(field));
    buffer_append_literal(&part, REP_PART_PREFIX);
    buffer_append(&part, importing->import->replace);
    int code = 0;
    for (size_t i = 0; code == 0 && i < count; i++) {
        const struct slice words[] = {SLICE_LITERAL("HMGET"), names[i], SLICE_LITERAL("source"),
                                      buffer_slice(&part)};
        code = rep_admin_queue(admin, words, 4);
    }
    return code;
}

static bool speaks(const redisReply *reply, struct slice source)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
        return false;
    const redisReply *plain = reply->element[0];
    return reply->element[1]->type == REDIS_REPLY_STRING ||
           (plain->type == REDIS_REPLY_STRING &&
            slice_equal(slice_make(plain->str, plain->len), source));
}

/* A key that the source speaks of and the rows have not. */
static int remove_from(struct importing *importing, struct slice name)
{
    struct rep_admin *admin = importing->admin;
    struct rep_key key;
    enum rep_skip reason;
    struct rep_entry entry;
    char number[REP_RAW_MAXIMUM + 8];
    struct buffer text = buffer_over(number, sizeof(number));
    if (rep_key_parse(name, &key, &reason) != 0 || rep_replica_get(admin->kept, &key, 0, &entry))
        return 0;
    int code = keep(admin, &key);
    if (code != 0)
        return code;
    rep_row_number_append(&text, &key);
    const struct rep_row row = {.number = buffer_slice(&text)};
    return add_item(importing, &row, &key, true);
}

static int remove_page(void *argument, const struct slice *names, size_t count)
{
    struct importing *importing = argument;
    struct rep_admin *admin = importing->admin;
    redisContext *context = admin->context;
    bool *gone = calloc(count + 1, sizeof(gone[0]));
    int code = gone != NULL ? ask_page(importing, names, count) : -ENOMEM;
    for (size_t i = 0; code == 0 && i < count; i++) {
        redisReply *reply;
        int taken = rep_admin_take(admin, &reply);
        /* What is at another node is looked for there. */
        gone[i] = taken == 0 ? speaks(reply, importing->import->replace)
                             : taken == -EBADMSG && rep_admin_is_redirected(admin);
        freeReplyObject(reply);
        code = taken == ERROR_UNAVAILABLE ? taken : 0;
        count_done(importing);
    }
    for (size_t i = 0; code == 0 && i < count; i++)
        if (gone[i])
            code = remove_from(importing, names[i]);
    free(gone);
    if (code == 0)
        code = run_batch(importing);
    admin->context = context;
    return code;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static int create_batch(struct batch *batch, unsigned size)
{
    batch->size = size == 0 ? DEFAULT_BATCH : size < BATCH_MAXIMUM ? size : BATCH_MAXIMUM;
    batch->hash_size = 4 * batch->size;
    batch->items = calloc(batch->size, sizeof(batch->items[0]));
    batch->hashes = calloc(batch->hash_size, sizeof(batch->hashes[0]));
    return batch->items == NULL || batch->hashes == NULL
               ? -ENOMEM
               : arena_create(ROW_ARENA, 0, &batch->arena);
}

int rep_admin_import(struct rep_admin *admin, struct rep_import *import, uint64_t now_wall_s)
{
    struct importing importing = {
        .admin = admin, .import = import, .seed = {{3, 4}}, .now_wall_s = now_wall_s};
    memset(import->count, 0, sizeof(import->count));
    import->rejects = 0;
    int code = create_batch(&importing.batch, import->batch);
    if (code == 0 && import->replace.length > 0)
        code = create_kept(&importing);
    if (code == 0)
        code = import_rows(&importing);
    import->rows_done = code == 0;
    if (code == 0 && import->replace.length > 0)
        code = rep_admin_scan(admin, remove_page, &importing);
    if (import->progress != NULL)
        import->progress(import->argument, importing.done);
    if (importing.batch.arena != NULL)
        empty_batch(&importing.batch);
    arena_destroy(importing.batch.arena);
    free(importing.batch.items);
    free(importing.batch.hashes);
    rep_replica_destroy(admin->kept);
    admin->kept = NULL;
    return code;
}
