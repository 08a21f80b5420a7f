/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "admin_write_int.h"

enum { PROGRESS_EVERY = 2000 };

struct exporting {
    struct rep_admin *admin;
    struct rep_export *export;
    struct rep_replica *met; /* SCAN may name a key twice */
    uint64_t now_wall_s;
    uint64_t done;
};

/* False when the statement is none. */
static bool make_row(const struct rep_admin *admin, const struct admin_entry *entry, int source,
                     struct rep_row *row)
{
    struct admin_statement statement;
    struct rep_statement read;
    enum rep_skip reason;
    const struct slice *value = statement.value;
    if (!rep_admin_statement(admin, entry, source, &statement))
        return false;
    uint64_t since_s;
    if (source == ADMIN_NOBODY && rep_time_parse(value[REP_PART_SINCE], &since_s) != 0)
        statement.value[REP_PART_SINCE] = slice_make(NULL, 0);
    if (rep_statement_read(value, admin->types, &read, &reason) != 0)
        return false;
    row->score = read.score < 0 ? REP_SCORE_UNKNOWN : (unsigned char)read.score;
    row->list = (enum rep_list)read.list;
    row->type = value[REP_PART_TYPE];
    row->note = value[REP_PART_NOTE];
    row->reference = value[REP_PART_CASE];
    row->expires_s = read.expires_s;
    row->since_s = read.since_s;
    row->source =
        source == ADMIN_NOBODY ? entry->field[REP_FIELD_SOURCE] : admin->authority.name[source];
    return true;
}

static int export_entry(struct exporting *exporting, const struct rep_key *key,
                        const struct admin_entry *entry)
{
    struct rep_admin *admin = exporting->admin;
    char number[REP_RAW_MAXIMUM + 8];
    struct buffer text = buffer_over(number, sizeof(number));
    int code = 0;
    rep_row_number_append(&text, key);
    struct rep_row row = {.number = buffer_slice(&text)};
    for (int i = ADMIN_NOBODY; code == 0 && i < (int)admin->authority.count; i++) {
        bool present = i == ADMIN_NOBODY ? !slice_is_empty(entry->field[REP_FIELD_SCORE]) ||
                                               !slice_is_empty(entry->field[REP_FIELD_LIST])
                                         : entry->field[REP_FIELD_COUNT + i].data != NULL;
        if (present && make_row(admin, entry, i, &row))
            code = exporting->export->row(exporting->export->argument, &row);
        else if (present)
            exporting->export->skipped++;
    }
    return code;
}

/* Read by itself, wherever it is. */
static int read_alone(struct exporting *exporting, struct slice name, struct admin_entry *entry)
{
    struct rep_admin *admin = exporting->admin;
    *entry = (struct admin_entry){0};
    for (unsigned tries = 0;; tries++) {
        int code = rep_admin_select(admin, name);
        if (code == 0)
            code = rep_admin_ask(admin, name);
        if (code == 0)
            code = rep_admin_take_entry(admin, exporting->now_wall_s, entry);
        if (code != -EBADMSG || !rep_admin_may_retry(admin, tries))
            return code;
        rep_admin_entry_free(entry);
    }
}

/* Frees the entry, which was read with this result. */
static int export_key(struct exporting *exporting, struct slice name, int code,
                      struct admin_entry *entry)
{
    const struct rep_entry mark = {.list = REP_LIST_WATCH, .score = REP_SCORE_UNKNOWN};
    struct rep_key key;
    enum rep_skip reason;
    struct rep_entry before;
    bool ours = rep_key_parse(name, &key, &reason) == 0;
    if (code == ERROR_UNAVAILABLE || (code == 0 && !entry->exists))
        goto out;
    if (code != 0 || !ours) {
        exporting->export->skipped++;
        code = 0;
    } else if (!rep_replica_get(exporting->met, &key, 0, &before)) {
        code = rep_replica_set(exporting->met, &key, &mark, NULL);
        if (code == 0)
            code = export_entry(exporting, &key, entry);
    }
out:
    rep_admin_entry_free(entry);
    if (++exporting->done % PROGRESS_EVERY == 0 && exporting->export->progress != NULL)
        exporting->export->progress(exporting->export->argument, exporting->done);
    return code;
}

static int export_page(void *argument, const struct slice *names, size_t count)
{
    struct exporting *exporting = argument;
    struct rep_admin *admin = exporting->admin;
    struct admin_entry entry;
    bool *elsewhere = calloc(count + 1, sizeof(elsewhere[0]));
    int code = elsewhere != NULL ? 0 : -ENOMEM;
    for (size_t i = 0; code == 0 && i < count; i++)
        code = rep_admin_ask(admin, names[i]);
    for (size_t i = 0; code == 0 && i < count; i++) {
        code = rep_admin_take_entry(admin, exporting->now_wall_s, &entry);
        elsewhere[i] = code == -EBADMSG && rep_admin_is_redirected(admin);
        if (!elsewhere[i]) {
            code = export_key(exporting, names[i], code, &entry);
        } else {
            rep_admin_entry_free(&entry);
            code = 0;
        }
    }
    for (size_t i = 0; code == 0 && i < count; i++)
        if (elsewhere[i]) {
            code = read_alone(exporting, names[i], &entry);
            code = export_key(exporting, names[i], code, &entry);
        }
    free(elsewhere);
    return code;
}

int rep_admin_export(struct rep_admin *admin, struct rep_export *export, uint64_t now_wall_s)
{
    struct exporting exporting = {.admin = admin, .export = export, .now_wall_s = now_wall_s};
    struct rep_replica_options options = {.capacity = admin->settings.capacity, .seed = {1, 2}};
    export->skipped = 0;
    int code = rep_replica_create(&options, &exporting.met);
    if (code == 0)
        code = rep_admin_scan(admin, export_page, &exporting);
    rep_replica_destroy(exporting.met);
    return code;
}
