/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin: reading and writing the documented keys from a command line. Blocking, with timeouts.
 *
 * Uses an account of its own: the daemon's has no write on these keys (docs/redis.md). Errors are
 * left in words (rep_admin_error()).
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

/* The name of the Redis key of a rep_row's number: -EBADMSG, -ENAMETOOLONG. */
int rep_admin_key(struct slice number, struct buffer *buffer) MUST_CHECK;

/* Why a row cannot be written, or NULL when it can. */
const char *rep_admin_check(const struct rep_row *row);

struct rep_record {
    char key[160];
    char score[16], list[16], type[48], source[48], note[160], since[32];
    int64_t expires_in_s; /* -1: never */
};

/* ERROR_NOT_FOUND, ERROR_UNAVAILABLE, -EBADMSG. Values longer than their field are cut. */
int rep_admin_get(struct rep_admin *admin, struct slice number,
                  struct rep_record *record) MUST_CHECK;

/* Replaces the documented fields; `since` is kept when the key exists. now_wall_s makes the
 * expiry relative; -ERANGE when it is over already. */
int rep_admin_set(struct rep_admin *admin, const struct rep_row *row,
                  uint64_t now_wall_s) MUST_CHECK;

/* ERROR_NOT_FOUND when there was none. */
int rep_admin_delete(struct rep_admin *admin, struct slice number) MUST_CHECK;

/* The next row: 0, ERROR_NOT_FOUND at the end, other codes stop the import. The row's slices need
 * stay valid only until the next call. */
typedef int rep_row_next_fn(void *argument, struct rep_row *row);
/* Rows confirmed so far. */
typedef void rep_progress_fn(void *argument, uint64_t written);

struct rep_import {
    rep_row_next_fn *next;
    rep_progress_fn *progress; /* may be NULL; called every few thousand rows */
    void *argument;
    unsigned pipeline; /* rows under way at once; 0: 1000 */
    uint64_t written;  /* out */
    uint64_t rejected; /* out: rows that rep_admin_check() or Redis refused */
    char reject[384];  /* out: the first refusal */
};

int rep_admin_import(struct rep_admin *admin, struct rep_import *import,
                     uint64_t now_wall_s) MUST_CHECK;

#endif
