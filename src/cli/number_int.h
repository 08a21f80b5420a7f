/* SPDX-License-Identifier: Apache-2.0 */
/*
 * number: what the subcommands of `ringfence number` share.
 */
#ifndef RINGFENCE_CLI_NUMBER_INT_H
#define RINGFENCE_CLI_NUMBER_INT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "cli_int.h"
#include "reputation/admin.h"

struct cli_number_options {
    const char *redis_user;
    const char *password_file;
    const char *list;
    const char *type;
    const char *source;
    const char *note;
    const char *expires;
    int64_t score;
    bool dry_run;
};

#define CLI_NUMBER_STORE_OPTIONS                                                       \
    {.name = "redis-user",                                                             \
     .kind = CLI_OPTION_TEXT,                                                          \
     .offset = offsetof(struct cli_number_options, redis_user),                        \
     .value = "NAME",                                                                  \
     .help = "Redis account (default: as configured, which may only read)"},           \
    {                                                                                  \
        .name = "redis-password-file", .kind = CLI_OPTION_TEXT,                        \
        .offset = offsetof(struct cli_number_options, password_file), .value = "FILE", \
        .help = "file with its password (default: $REDISCLI_AUTH, then as configured)" \
    }

/* Where numbers are kept: Redis, or the daemon itself. */
struct cli_store {
    struct cli *cli;
    struct arena *arena; /* of the configuration */
    struct rep_settings settings;
    char *password;
    struct rep_admin *admin; /* NULL: the daemon keeps them */
};

/* An enum cli_exit; what is wrong has been complained about. The store must be closed anyway. */
int cli_store_open(struct cli *cli, const struct cli_number_options *options,
                   struct cli_store *store);
void cli_store_close(struct cli_store *store);

/* Complains about what a function of reputation/admin.h returned; the exit status. */
int cli_store_failed(const struct cli_store *store, struct slice number, int error);

/* Sets one number wherever it is kept. An enum cli_exit. */
int cli_store_set(struct cli_store *store, const struct rep_row *row, struct ctl_answer *answer);

/* "30d", "2027-06-30" or "never" to wall seconds. -EBADMSG. */
int cli_parse_expires(const char *text, uint64_t now_wall_s, uint64_t *expires_s);

/* Values of a row as one reads them in the audit: "score 80 list block type spoofing". */
void cli_append_row(struct buffer *buffer, const struct rep_row *row);

#endif
