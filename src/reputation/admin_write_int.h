/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_write: what stands under a key, and the commands that change one source's statement there.
 */
#ifndef RINGFENCE_REPUTATION_ADMIN_WRITE_INT_H
#define RINGFENCE_REPUTATION_ADMIN_WRITE_INT_H

#include "admin_int.h"
#include "key_int.h"
#include "reputation/admin.h"

void rep_admin_request_init(struct admin_request *request, const struct rep_authority *authority);

/* What was read of a key; the slices are its reply's. */
struct admin_entry {
    redisReply *reply; /* to be freed; NULL: none */
    bool exists;
    uint64_t ends_s;  /* of the key; 0: never */
    int64_t lasts_ms; /* the same as PTTL had it, at read_us */
    uint64_t read_us;
    struct slice field[REP_FIELD_LIMIT + ADMIN_FIELD_COUNT];
};

/* Queues the commands, takes the answers. -EBADMSG for an error reply, with the text in admin. */
int rep_admin_ask(struct rep_admin *admin, struct slice key) MUST_CHECK;
int rep_admin_take_entry(struct rep_admin *admin, uint64_t now_wall_s,
                         struct admin_entry *entry) MUST_CHECK;
void rep_admin_entry_free(struct admin_entry *entry);

/* Index of a configured source, or ADMIN_NOBODY. */
int rep_admin_source(const struct rep_admin *admin, struct slice name);

/* A statement's values as a part has them; `source` as for rep_admin_source(), the plain ones
 * otherwise; false when it says nothing. memory: for what is not in the entry. */
struct admin_statement {
    struct slice value[REP_PART_COUNT];
    char expires[ADMIN_TEXT_BYTES];
};
bool rep_admin_statement(const struct rep_admin *admin, const struct admin_entry *entry, int source,
                         struct admin_statement *statement);

/* Sets the row's statement, or with row == NULL takes back that of `source`. A reason in words when
 * that is not to be done. `now`: what lacks a `since` is of now, also where the number was
 * reassigned; without it that is so only where scores fade. */
const char *rep_admin_plan_make(const struct rep_admin *admin, const struct admin_entry *entry,
                                const struct rep_row *row, struct slice source, bool now,
                                uint64_t now_wall_s, struct admin_plan *plan);

bool rep_admin_plan_is_empty(const struct admin_plan *plan);
/* Queues it, inside MULTI; *replies is how many will come. */
int rep_admin_plan_send(struct rep_admin *admin, struct slice key, const struct admin_plan *plan,
                        unsigned *replies) MUST_CHECK;

/* All replies of one plan; the first refusal counts. -EAGAIN: EXEC found the key changed. */
int rep_admin_take_replies(struct rep_admin *admin, unsigned count) MUST_CHECK;

/* One statement to be set, or with row == NULL to be taken back; as for rep_admin_plan_make(). */
struct admin_task {
    struct slice number;
    const struct rep_row *row;
    struct slice source;
    bool now;
    bool dry_run; /* only looks */
    uint64_t now_wall_s;
};

/* The whole of it for one key: WATCH, look, change, as often as somebody else was quicker. What was
 * done stands in admin->plan. A reason in words is left in admin (-EBADMSG). */
int rep_admin_change_one(struct rep_admin *admin, const struct admin_task *task) MUST_CHECK;

/*
 * ---- admin_exchange.c: changing what is still as it was read --------------------------------
 *
 * WATCH costs each key two turns of the server on a connection of its own. For very many keys a
 * script on the server compares what was read with what is there and then carries the plan out.
 */

/* Queues the loading of the script at the server that is talked to, and takes the answer. Without
 * the right to it admin->exchange stays empty. */
int rep_admin_exchange_offer(struct rep_admin *admin) MUST_CHECK;
int rep_admin_exchange_take_offer(struct rep_admin *admin) MUST_CHECK;

/* One reply will come: 0; -EAGAIN when another changed the key meanwhile; -EBADMSG. */
int rep_admin_exchange_send(struct rep_admin *admin, struct slice key,
                            const struct admin_entry *entry,
                            const struct admin_plan *plan) MUST_CHECK;
int rep_admin_exchange_take(struct rep_admin *admin) MUST_CHECK;

/* ---- admin_scan.c: every key of ours ------------------------------------------------------- */

/* Names of some keys that admin's context holds. */
typedef int admin_page_fn(void *argument, const struct slice *names, size_t count);
int rep_admin_scan(struct rep_admin *admin, admin_page_fn *page, void *argument) MUST_CHECK;

#endif
