/* SPDX-License-Identifier: Apache-2.0 */
#include "memory_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"

static const size_t file_limit = (size_t)4 << 30;

enum { SHOWN_BYTES = 80 };

static uint32_t in_32_bits(uint64_t seconds)
{
    return seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
}

int rep_row_statement(const struct rep_row *row, struct rep_names *types, struct rep_names *sources,
                      struct rep_key *key, struct rep_statement *statement)
{
    if (rep_row_key(row->number, key) != 0)
        return -EBADMSG;
    if (row->score < REP_SCORE_UNKNOWN || row->score > REP_SCORE_MAXIMUM ||
        (unsigned)row->list >= REP_LIST_COUNT ||
        (row->score == REP_SCORE_UNKNOWN && row->list == REP_LIST_NONE))
        return -ERANGE;
    *statement = (struct rep_statement){
        .since_s = in_32_bits(row->since_s),
        .expires_s = in_32_bits(row->expires_s),
        .score = (int8_t)row->score,
        .list = (uint8_t)row->list,
        .type = rep_names_intern(types, row->type),
        .source = rep_names_intern(sources, row->source),
    };
    return 0;
}

/* What one pass over the file does with each row; a failure ends the pass. */
typedef int row_fn(void *argument, const struct rep_row *row);

struct pass {
    const char *path;
    struct slice text;
    row_fn *row;
    void *argument;
    char *message;
    size_t capacity;
};

/* Reading a line unquotes it in place, and the file is read twice: so each line is a copy. */
static int pass_line(const struct pass *pass, struct slice line, unsigned long number, char *copy)
{
    memcpy(copy, line.data, line.length);
    struct rep_row row;
    enum rep_skip reason;
    int code = rep_row_parse_csv(copy, line.length, &row, &reason);
    if (code == ERROR_NOT_FOUND)
        return 0;
    if (code != 0) {
        char shown[SHOWN_BYTES];
        snprintf(pass->message, pass->capacity, "%s:%lu: %s: \"%s\"", pass->path, number,
                 rep_skip_text(reason), log_slice(shown, sizeof(shown), line));
        return code;
    }
    code = pass->row(pass->argument, &row);
    if (code != 0)
        snprintf(pass->message, pass->capacity, "%s:%lu: %s", pass->path, number, error_text(code));
    return code;
}

static int run_pass(const struct pass *pass)
{
    enum { LINE_LIMIT = 4096 };
    char copy[LINE_LIMIT];
    struct slice rest = pass->text;
    for (unsigned long number = 1; rest.length > 0; number++) {
        size_t end = slice_find(rest, '\n');
        if (end > LINE_LIMIT) {
            snprintf(pass->message, pass->capacity, "%s:%lu: a line of %zu bytes; at most %d",
                     pass->path, number, end, LINE_LIMIT);
            return -EMSGSIZE;
        }
        int code = pass_line(pass, slice_first(rest, end), number, copy);
        if (code != 0)
            return code;
        rest = slice_from(rest, end + 1);
    }
    return 0;
}

/* ---- several lines for one key ------------------------------------------------------------- */

struct crowd {
    struct rep_statements said;
    struct rep_key key;
    uint64_t hash;
    char text[REP_RAW_MAXIMUM]; /* the bytes of key.text */
};

struct load {
    const struct rep_memory *memory;
    struct rep_replica *seen;  /* the keys of the lines so far */
    struct hash_table *crowds; /* of keys that stand in several lines */
    struct hash_key seed;
    uint64_t now_wall_s;
    int code;
};

static uint64_t hash_of(const struct load *load, const struct rep_key *key)
{
    return key->kind == REP_KIND_RAW ? hash_slice(&load->seed, key->text)
                                     : hash_mix(key->packed, key->kind);
}

static bool crowd_is_of(const void *object, const void *wanted)
{
    const struct crowd *crowd = object;
    const struct rep_key *key = wanted;
    return crowd->key.kind == key->kind && crowd->key.packed == key->packed &&
           slice_equal(crowd->key.text, key->text);
}

static struct crowd *find_crowd(const struct load *load, const struct rep_key *key)
{
    return hash_table_find(load->crowds, hash_of(load, key), crowd_is_of, key);
}

static int add_crowd(struct load *load, const struct rep_key *key)
{
    struct crowd *crowd = calloc(1, sizeof(*crowd));
    if (crowd == NULL)
        return -ENOMEM;
    crowd->key = *key;
    crowd->hash = hash_of(load, key);
    if (key->kind == REP_KIND_RAW) {
        memcpy(crowd->text, key->text.data, key->text.length);
        crowd->key.text = slice_make(crowd->text, key->text.length);
    }
    int code = hash_table_insert(load->crowds, crowd->hash, crowd);
    if (code != 0)
        free(crowd);
    return code;
}

/* The first of two passes: every line is good, and which keys stand in several. */
static int check_row(void *argument, const struct rep_row *row)
{
    struct load *load = argument;
    struct rep_key key;
    struct rep_statement statement;
    struct rep_entry entry = {.list = REP_LIST_WATCH}, before;
    int code = rep_row_statement(row, load->memory->types, load->memory->sources, &key, &statement);
    if (code != 0)
        return code;
    if (!rep_replica_get(load->seen, &key, 0, &before))
        return rep_replica_set(load->seen, &key, &entry, NULL);
    return find_crowd(load, &key) != NULL ? 0 : add_crowd(load, &key);
}

static int keep_said(const struct load *load, const struct rep_key *key,
                     const struct rep_statements *said)
{
    struct rep_value value;
    if (!rep_combine(load->memory->authority, said, load->now_wall_s, &value))
        return 0;
    return rep_ledger_set(load->memory->ledger, key, &value, NULL);
}

static int join_crowd(struct crowd *crowd, const struct rep_statement *statement,
                      uint64_t now_wall_s)
{
    if (statement->expires_s != 0 && statement->expires_s <= now_wall_s)
        return 0;
    for (unsigned i = 0; i < crowd->said.count; i++) {
        struct rep_statement *earlier = &crowd->said.item[i];
        if (earlier->source != statement->source)
            continue;
        if (earlier->list != REP_LIST_ALLOW || statement->list == REP_LIST_ALLOW)
            *earlier = *statement;
        return 0;
    }
    if (crowd->said.count == REP_STATEMENT_LIMIT)
        return ERROR_LIMIT;
    crowd->said.item[crowd->said.count++] = *statement;
    return 0;
}

static int apply_row(void *argument, const struct rep_row *row)
{
    struct load *load = argument;
    struct rep_key key;
    struct rep_statements said = {.count = 1};
    int code =
        rep_row_statement(row, load->memory->types, load->memory->sources, &key, &said.item[0]);
    if (code != 0)
        return code;
    struct crowd *crowd = find_crowd(load, &key);
    return crowd != NULL ? join_crowd(crowd, &said.item[0], load->now_wall_s)
                         : keep_said(load, &key, &said);
}

static void apply_crowd(void *object, void *argument)
{
    const struct crowd *crowd = object;
    struct load *load = argument;
    if (load->code == 0 && crowd->said.count > 0)
        load->code = keep_said(load, &crowd->key, &crowd->said);
}

static void free_crowd(void *object, void *argument)
{
    (void)argument;
    free(object);
}

/* A key with more statements than can be kept is found before anything is changed. */
static int count_row(void *argument, const struct rep_row *row)
{
    struct load *load = argument;
    struct rep_key key;
    struct rep_statement statement;
    int code = rep_row_statement(row, load->memory->types, load->memory->sources, &key, &statement);
    struct crowd *crowd = code == 0 ? find_crowd(load, &key) : NULL;
    return crowd != NULL ? join_crowd(crowd, &statement, load->now_wall_s) : code;
}

static void empty_crowd(void *object, void *argument)
{
    (void)argument;
    ((struct crowd *)object)->said.count = 0;
}

static int run_passes(struct load *load, struct pass *pass)
{
    pass->row = check_row;
    int code = run_pass(pass);
    pass->row = count_row;
    if (code == 0 && hash_table_count(load->crowds) > 0)
        code = run_pass(pass);
    hash_table_each(load->crowds, empty_crowd, NULL);
    if (code != 0)
        return code;
    rep_replica_begin(load->memory->replica);
    pass->row = apply_row;
    code = run_pass(pass);
    load->code = code;
    hash_table_each(load->crowds, apply_crowd, load);
    while (load->code == 0 && rep_replica_drop_stale(load->memory->replica, 256))
        continue;
    return load->code;
}

int rep_memory_load(const struct rep_memory *memory, const char *path, uint64_t now_wall_s,
                    char *message, size_t capacity)
{
    char *text = NULL;
    size_t length = 0;
    int code = file_read(path, file_limit, &text, &length);
    if (code != 0) {
        snprintf(message, capacity, "%s: %s", path, error_text(code));
        return code;
    }
    struct load load = {.memory = memory, .seed = {{length, now_wall_s}}, .now_wall_s = now_wall_s};
    struct rep_replica_options options = {.capacity = 1, .seed = {length, now_wall_s}};
    struct pass pass = {path, slice_make(text, length), NULL, &load, message, capacity};
    code = rep_replica_create(&options, &load.seen);
    if (code == 0)
        code = hash_table_create(64, &load.crowds);
    if (code == 0)
        code = run_passes(&load, &pass);
    if (load.crowds != NULL) {
        hash_table_each(load.crowds, free_crowd, NULL);
        hash_table_destroy(load.crowds);
    }
    rep_replica_destroy(load.seen);
    free(text);
    return code;
}
