/* SPDX-License-Identifier: Apache-2.0 */
#include "memory_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"

static const size_t file_limit = (size_t)4 << 30;

enum { SHOWN_BYTES = 80 };

int rep_row_entry(const struct rep_row *row, struct rep_names *types, struct rep_names *sources,
                  struct rep_key *key, struct rep_entry *entry)
{
    if (rep_row_key(row->number, key) != 0)
        return -EBADMSG;
    if (row->score < REP_SCORE_UNKNOWN || row->score > REP_SCORE_MAXIMUM ||
        (unsigned)row->list >= REP_LIST_COUNT ||
        (row->score == REP_SCORE_UNKNOWN && row->list == REP_LIST_NONE))
        return -ERANGE;
    *entry = (struct rep_entry){
        .expires_s = row->expires_s,
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

struct load {
    struct rep_replica *replica, *allowed;
    struct rep_names *types, *sources;
    uint64_t now_wall_s;
};

/* First pass: every line is good, and which keys are allowed. */
static int check_row(void *argument, const struct rep_row *row)
{
    struct load *load = argument;
    struct rep_key key;
    struct rep_entry entry;
    int code = rep_row_entry(row, load->types, load->sources, &key, &entry);
    if (code == 0 && row->list == REP_LIST_ALLOW)
        code = rep_replica_set(load->allowed, &key, &entry, NULL);
    return code;
}

static int apply_row(void *argument, const struct rep_row *row)
{
    struct load *load = argument;
    struct rep_key key;
    struct rep_entry entry, allow;
    int code = rep_row_entry(row, load->types, load->sources, &key, &entry);
    if (code != 0)
        return code;
    bool expired = entry.expires_s != 0 && entry.expires_s <= load->now_wall_s;
    if (expired || (row->list != REP_LIST_ALLOW &&
                    rep_replica_get(load->allowed, &key, load->now_wall_s, &allow)))
        return 0;
    return rep_replica_set(load->replica, &key, &entry, NULL);
}

int rep_memory_load(const char *path, struct rep_replica *replica, struct rep_names *types,
                    struct rep_names *sources, uint64_t now_wall_s, char *message, size_t capacity)
{
    char *text = NULL;
    size_t length = 0;
    struct load load = {replica, NULL, types, sources, now_wall_s};
    int code = file_read(path, file_limit, &text, &length);
    if (code != 0) {
        snprintf(message, capacity, "%s: %s", path, error_text(code));
        return code;
    }
    struct rep_replica_options options = {.capacity = 1, .seed = {length, now_wall_s}};
    code = rep_replica_create(&options, &load.allowed);
    if (code != 0)
        goto out;
    struct pass pass = {path, slice_make(text, length), check_row, &load, message, capacity};
    code = run_pass(&pass);
    if (code != 0)
        goto out;
    rep_replica_begin(replica);
    pass.row = apply_row;
    code = run_pass(&pass);
    while (code == 0 && rep_replica_drop_stale(replica, 256))
        continue;
out:
    rep_replica_destroy(load.allowed);
    free(text);
    return code;
}
