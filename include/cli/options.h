/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options: a command line against tables of rows.
 */
#ifndef RINGFENCE_CLI_OPTIONS_H
#define RINGFENCE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum cli_option_kind {
    CLI_OPTION_FLAG,     /* bool; takes no value */
    CLI_OPTION_TEXT,     /* const char * into argv */
    CLI_OPTION_INTEGER,  /* int64_t, min..max */
    CLI_OPTION_DURATION, /* uint64_t microseconds, min..max */
    CLI_OPTION_LIST,     /* struct cli_option_list: may be given several times */
};

enum { CLI_OPTION_LIST_MAX = 32 };

struct cli_option_list {
    const char *values[CLI_OPTION_LIST_MAX]; /* into argv */
    size_t count;
};

struct cli_option {
    const char *name; /* without the dashes; NULL ends a table */
    char letter;      /* 0: none */
    enum cli_option_kind kind;
    size_t offset; /* of the field in the object that the table belongs to */
    int64_t min, max;
    const char *value;   /* what the value is called: "FILE"; NULL for flags */
    const char *choices; /* "a|b|c": only these; NULL: any */
    const char *help;    /* NULL: another spelling of the option above, not shown */
};

struct cli_option_set {
    const struct cli_option *options;
    void *object; /* gets the values; the caller has filled in the defaults */
};

/*
 * Takes options out of arguments[0..*count), wherever they stand, and leaves the others in their
 * order; behind "--" nothing is an option. The first set that knows a name gets it. -EINVAL with
 * the reason in `problem`.
 */
int cli_options_parse(char **arguments, size_t *count, const struct cli_option_set *sets,
                      size_t set_count, struct buffer *problem) MUST_CHECK;

#endif
