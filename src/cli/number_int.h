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
    const char *since;
    const char *reference;
    const char *format;
    const char *rejects;
    const char *changes;
    const char *replace_source;
    const char *prefix;
    int64_t score;
    int64_t min_score;
    int64_t max_score;
    bool dry_run;
};

/* The columns of a CSV file. */
#define CLI_NUMBER_COLUMNS "number,score,list,type,source,expires,note,since,case"

/* X(name, word, help): how a file of numbers is written. */
#define CLI_FORMAT_TABLE(X)                                                  \
    X(CLI_FORMAT_CSV, "csv", CLI_NUMBER_COLUMNS)                             \
    X(CLI_FORMAT_JSON, "json", "an object in each line, members as columns") \
    X(CLI_FORMAT_LIST, "list", "a number in each line, nothing else")

enum cli_format {
    CLI_FORMAT_AUTO,
#define CLI_FORMAT_ROW(name, word, help) name,
    CLI_FORMAT_TABLE(CLI_FORMAT_ROW)
#undef CLI_FORMAT_ROW
};

/* CLI_FORMAT_AUTO for NULL and "auto". */
enum cli_format cli_format_of(const char *word);

/* ---- import_read.c: the lines of a file ---------------------------------------------------- */

struct cli_reader {
    FILE *file;
    enum cli_format format;  /* found at the first line when it is CLI_FORMAT_AUTO */
    struct rep_row defaults; /* what a row does not state; score REP_SCORE_UNKNOWN for none */
    char *line;
    size_t capacity;
    uint64_t line_number, bytes;
    struct json_object *object; /* of the present line */
    char *original;             /* the present line as it was, where a copy is wanted */
    bool keeps_original;
};

/* 0 with a row, which is valid until the next call; ERROR_NOT_FOUND at the end; -EBADMSG with the
 * reason for a line that cannot be taken (reading goes on), and the number of it as far as it can
 * be told; ERROR_MALFORMED for a header of other columns; -EIO. */
int cli_reader_next(struct cli_reader *reader, struct rep_row *row, const char **reason);
void cli_reader_close(struct cli_reader *reader);

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

/* Asks the daemon about one number and shows what it answers. An enum cli_exit. */
int cli_ask_number(struct cli *cli, const char *command, const char *number);

/* Complains about what a function of reputation/admin.h returned; the exit status. */
int cli_store_failed(const struct cli_store *store, struct slice number, int error);

/* Sets one number wherever it is kept. An enum cli_exit. */
int cli_store_set(struct cli_store *store, const struct rep_row *row, struct ctl_answer *answer);

/* "30d", "2027-06-30" or "never" to wall seconds; a time of the past as well where that is meant.
 */
int cli_parse_since(const char *text, uint64_t now_wall_s, uint64_t *since_s);
/* "30d", "2027-06-30" or "never" to wall seconds. -EBADMSG. */
int cli_parse_expires(const char *text, uint64_t now_wall_s, uint64_t *expires_s);

/* Values of a row as one reads them in the audit: "score 80 list block type spoofing". */
void cli_append_row(struct buffer *buffer, const struct rep_row *row);

#endif
