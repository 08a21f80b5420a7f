/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin: reading and writing the documented keys from a command line. Blocking, with timeouts.
 *
 * Uses an account of its own: the daemon's has no write on these keys (docs/redis.md). Errors are
 * left in words (rep_admin_error()). A statement of a configured source is written to its own
 * field, any other to the plain fields; each key is changed whole, and only where it differs.
 */
#ifndef RINGFENCE_REPUTATION_ADMIN_H
#define RINGFENCE_REPUTATION_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "reputation/row.h"
#include "reputation/store.h"

struct rep_admin;

/* ERROR_UNAVAILABLE with the reason in message: not reachable, login refused, too old. */
int rep_admin_open(const struct rep_settings *settings, char *message, size_t capacity,
                   struct rep_admin **admin) MUST_CHECK;
/* NULL is allowed. */
void rep_admin_close(struct rep_admin *admin);

/* The last failure; never NULL. */
const char *rep_admin_error(const struct rep_admin *admin);

/* Whether a source has a field of its own. */
bool rep_admin_is_source(const struct rep_admin *admin, struct slice name);

/* The name of the Redis key of a rep_row's number: -EBADMSG, -ENAMETOOLONG. */
int rep_admin_key(struct slice number, struct buffer *buffer) MUST_CHECK;

/* Why a row cannot be written, or NULL when it can. */
const char *rep_admin_check(const struct rep_row *row);

/* ---- one number ---------------------------------------------------------------------------- */

enum { REP_RECORD_PARTS = 32, REP_PART_BYTES = 1024 };

struct rep_record_part {
    char source[REP_NAME_MAXIMUM + 1];
    char text[REP_PART_BYTES];
    bool configured; /* others do not count */
};

struct rep_record {
    char key[160];
    char score[16], list[16], type[48], source[48], note[160], since[32], expires[32],
        reference[80];
    char reassigned[32];
    int64_t expires_in_s; /* of the key; -1: never */
    unsigned parts;
    struct rep_record_part part[REP_RECORD_PARTS];
    /* What it comes to now, as nodes see it; false when nothing of it counts. */
    bool counts;
    struct rep_entry combined;
    char combined_type[REP_NAME_MAXIMUM + 1], combined_source[REP_NAME_MAXIMUM + 1];
};

/* ERROR_NOT_FOUND, ERROR_UNAVAILABLE, -EBADMSG. Values longer than their field are cut, and of more
 * parts than there is room for some are left out. */
int rep_admin_get(struct rep_admin *admin, struct slice number, uint64_t now_wall_s,
                  struct rep_record *record) MUST_CHECK;

/* Replaces the statement of the row's source. Where the row says no `since`, that of a plain
 * statement is kept, and that of a part when nothing else differs. -ERANGE when it is over. */
int rep_admin_set(struct rep_admin *admin, const struct rep_row *row,
                  uint64_t now_wall_s) MUST_CHECK;

/* The whole key. ERROR_NOT_FOUND when there was none. */
int rep_admin_delete(struct rep_admin *admin, struct slice number) MUST_CHECK;

/* One source's statement. ERROR_NOT_FOUND when it said nothing. */
int rep_admin_drop(struct rep_admin *admin, struct slice number, struct slice source,
                   uint64_t now_wall_s) MUST_CHECK;

/* Everything that was said is deleted; a mark (for 366 days) makes void what is still said of the
 * time before. *known: whether there was anything. */
int rep_admin_reassign(struct rep_admin *admin, struct slice number, uint64_t now_wall_s,
                       bool *known) MUST_CHECK;

/* What the last set or drop found and left of that source's statement, as texts of parts; empty for
 * nothing. Valid until the next call. */
struct slice rep_admin_before(const struct rep_admin *admin);
struct slice rep_admin_after(const struct rep_admin *admin);

/* ---- import -------------------------------------------------------------------------------- */

/* X(name, word): what became of a number. */
#define REP_OUTCOME_TABLE(X)              \
    X(REP_OUTCOME_UNCHANGED, "unchanged") \
    X(REP_OUTCOME_ADDED, "added")         \
    X(REP_OUTCOME_CHANGED, "changed")     \
    X(REP_OUTCOME_REMOVED, "removed")

enum rep_outcome {
#define REP_OUTCOME_ROW(name, word) name,
    REP_OUTCOME_TABLE(REP_OUTCOME_ROW)
#undef REP_OUTCOME_ROW
        REP_OUTCOME_COUNT
};
const char *rep_outcome_text(unsigned outcome);

/* A number that is different now, or would be: statements as texts of parts, empty for none. */
struct rep_change {
    enum rep_outcome outcome;
    struct slice number, source, from, to;
};

struct rep_import {
    /* The next row: 0, ERROR_NOT_FOUND at the end, other codes stop the import. The row's slices
     * need stay valid only until the next call. */
    int (*next)(void *argument, struct rep_row *row);
    /* Rows and keys looked at so far; may be NULL. Called every few thousand. */
    void (*progress)(void *argument, uint64_t done);
    /* May be NULL. */
    void (*changed)(void *argument, const struct rep_change *change);
    /* A row that rep_admin_check() or Redis refused, with the value of `place` that the row was
     * taken with. May be NULL. */
    void (*rejected)(void *argument, uint64_t place, struct slice number, const char *reason);
    void *argument;
    /* Set by `next`: where the row stands, e.g. its line. */
    uint64_t place;
    struct slice replace; /* the source whose statements are taken back where no row has them */
    bool dry_run;         /* only looks */
    unsigned batch;       /* rows under way at once; 0: 1000 */

    bool rows_done;                    /* out: all rows are in force */
    uint64_t count[REP_OUTCOME_COUNT]; /* out */
    uint64_t rejects;                  /* out */
};

/*
 * Looks at each row's key and writes where something differs, each number in one step. Only when
 * all rows are written, what `replace` does not have any more is removed; whatever fails before
 * leaves those in force, and the same import again goes on where this one ended. A number whose row
 * is refused counts as had. With `replace`, which numbers the rows have is kept in memory, some 15
 * bytes each.
 */
int rep_admin_import(struct rep_admin *admin, struct rep_import *import,
                     uint64_t now_wall_s) MUST_CHECK;

/* With `replace`: a number that is to count as had though its row cannot be taken. */
void rep_admin_import_keep(struct rep_admin *admin, struct slice number);

/* ---- export -------------------------------------------------------------------------------- */

struct rep_export {
    /* A statement; its slices are valid during the call. Other codes than 0 stop the export. */
    int (*row)(void *argument, const struct rep_row *row);
    void (*progress)(void *argument, uint64_t done); /* may be NULL; keys so far */
    void *argument;
    uint64_t skipped; /* out: keys and statements that are none */
};

/* Every statement of every key, once; those of one key follow each other. */
int rep_admin_export(struct rep_admin *admin, struct rep_export *export,
                     uint64_t now_wall_s) MUST_CHECK;

#endif
