/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema: settings as rows; loading, checking, documentation and comparison derive from them.
 *
 * Each folder brings a struct of plain fields and a table of rows that says how YAML fills it.
 * Whatever a loaded object points to lives in the arena given to conf_section_load() and stays
 * valid after the document is gone.
 *
 *     static const struct conf_row rows[] = {
 *         {.key = "timeout", .type = CONF_DURATION, CONF_FIELD(struct settings, timeout_us),
 *          .fallback = "20ms", .min = CONF_MS(1), .max = CONF_SECONDS(5), .help = "..."},
 *     };
 *     const struct conf_section settings_section = {
 *         .name = "settings", CONF_ROWS(rows), CONF_OBJECT(struct settings)};
 */
#ifndef RINGFENCE_CONFIG_SCHEMA_H
#define RINGFENCE_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "config/document.h"
#include "config/report.h"

/* X(name, word in documentation, what the field must be) */
#define CONF_TYPE_TABLE(X)                                                                  \
    X(CONF_TEXT, "text",                                                                    \
      "struct slice, with a NUL behind it and none inside; absent: data == NULL")           \
    X(CONF_INTEGER, "integer", "an integer type of 1, 2, 4 or 8 bytes that holds min..max") \
    X(CONF_BOOLEAN, "boolean", "bool")                                                      \
    X(CONF_DURATION, "duration", "uint64_t, microseconds")                                  \
    X(CONF_SIZE, "size", "uint64_t, bytes")                                                 \
    X(CONF_PERCENT, "percent", "double, 20.0 for 20%")                                      \
    X(CONF_CHOICE, "choice", "int or an enum, the choice's value")                          \
    X(CONF_TEXT_LIST, "list of texts", "struct conf_text_list")                             \
    X(CONF_SECTION, "section", "a struct, the nested section's object")                     \
    X(CONF_SECTION_LIST, "list of sections", "struct conf_object_list, order kept")         \
    X(CONF_CUSTOM, "", "what row.format says")

enum conf_type {
#define CONF_TYPE_ROW(name, word, field) name,
    CONF_TYPE_TABLE(CONF_TYPE_ROW)
#undef CONF_TYPE_ROW
};

enum conf_flag {
    CONF_REQUIRED = 1 << 0,      /* must be written wherever its section is written */
    CONF_NEEDS_RESTART = 1 << 1, /* a reload cannot change it */
    CONF_SECRET = 1 << 2,        /* never quoted in messages */
};

/* For min and max of durations and sizes. */
#define CONF_MS(n)      ((int64_t)(n)*1000)
#define CONF_SECONDS(n) ((int64_t)(n)*1000000)
#define CONF_MINUTES(n) ((int64_t)(n)*60000000)
#define CONF_HOURS(n)   ((int64_t)(n)*3600000000)
#define CONF_DAYS(n)    ((int64_t)(n)*86400000000)
#define CONF_KIB(n)     ((int64_t)(n) << 10)
#define CONF_MIB(n)     ((int64_t)(n) << 20)
#define CONF_GIB(n)     ((int64_t)(n) << 30)

#define CONF_FIELD(structure, member) \
    .offset = offsetof(structure, member), .size = sizeof(((structure *)NULL)->member)
#define CONF_ROWS(array)       .rows = (array), .row_count = sizeof(array) / sizeof((array)[0])
#define CONF_OBJECT(structure) .object_size = sizeof(structure)

struct conf_text_list {
    struct slice *items;
    size_t count;
};

/* items is an array of `count` objects of the nested section; cast it to their type. */
struct conf_object_list {
    void *items;
    size_t count;
};

struct conf_row;

/* What a callback gets. */
struct conf_load {
    const struct conf_document *document; /* NULL while a default is parsed */
    struct arena *arena;
    struct conf_report *report;
    const struct conf_scope *scope; /* private: which section and item is being read */
    bool failed;                    /* private: an error was reported */
};

/* Of a format's values. Values are scalars by name, sections are of row.section. */
enum conf_shape {
    CONF_SHAPE_SCALAR,
    CONF_SHAPE_LIST,
    CONF_SHAPE_SCALAR_OR_LIST,
    CONF_SHAPE_VALUES,
    CONF_SHAPE_SECTIONS,
    CONF_SHAPE_SCALAR_OR_SECTION,
    CONF_SHAPE_SCALARS_OR_SECTIONS /* one of these, or a list of them */
};

/* A type that a folder adds. */
struct conf_format {
    const char *name;    /* for documentation: "address" */
    const char *example; /* the same: "10.0.0.1:5060" */
    size_t size;         /* of the field */
    /* Fills the zeroed field. Problems go to conf_load_error() with the value quoted, and the
     * result is ERROR_CONFIG then; -ENOMEM otherwise. A default arrives as a scalar node. */
    int (*parse)(struct conf_load *load, const struct conf_row *row, const struct conf_node *node,
                 void *field);

    bool (*equal)(const void *a, const void *b); /* for rows that need a restart */
    enum conf_shape shape;
    const char *pattern;    /* of each scalar, as ECMAScript has it; NULL: any */
    const char *definition; /* of the values, in what config/json_schema.h gets; NULL: none */
};

struct conf_choice {
    const char *name;
    int value;
    const char *help; /* may be NULL */
};

struct conf_row {
    const char *key;
    enum conf_type type;
    unsigned flags; /* enum conf_flag */
    size_t offset;  /* CONF_FIELD sets these two */
    size_t size;

    /* Of the value; of the length in bytes for texts (and each text of a list); of the number of
     * items for lists of sections. max == 0 below min or both 0: no upper limit but the type's.
     * An integer below 0 needs a min below 0. Percentages end at 100 unless max says more. */
    int64_t min;
    int64_t max;

    const char *fallback;               /* default as one would write it; lists: with commas */
    const char *unit;                   /* of an integer, for documentation: "calls per second" */
    const struct conf_choice *choices;  /* ends with a row without name */
    const struct conf_section *section; /* nested; of CONF_CUSTOM as its format's shape says */
    const struct conf_format *format;   /* of CONF_CUSTOM */
    int64_t argument;                   /* for the format */
    const char *help;                   /* sentences; what it does and when to change it */
};

struct conf_section {
    const char *name;     /* what one is called in messages: "trunk" */
    const char *identity; /* key of a CONF_TEXT row that tells list items apart, or NULL */
    const char *help;
    const struct conf_row *rows;
    size_t row_count;
    size_t object_size;

    /* May be NULL. Once all rows are read, for what none says alone. node: NULL when left out. */
    int (*check)(struct conf_load *load, const struct conf_node *node, void *object);
};

/*
 * Fills *object (every row's field; the rest becomes zero) from a mapping. node == NULL, or an
 * empty value, gives the defaults. All problems are reported, not just the first. 0, ERROR_CONFIG
 * with errors in the report, or -ENOMEM (also when the arena's limit is reached).
 */
int conf_section_load(const struct conf_document *document, const struct conf_node *node,
                      const struct conf_section *section, struct arena *arena,
                      struct conf_report *report, void *object) MUST_CHECK;

/* For callbacks: an error at the node (NULL: at the section being read), with the section's name in
 * front: `trunk "sbc-a": ...`. conf_report_expect() and conf_report_hint() may follow. */
void conf_load_error(struct conf_load *load, const struct conf_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void conf_load_warning(struct conf_load *load, const struct conf_node *node, const char *format,
                       ...) __attribute__((format(printf, 3, 4)));

/* conf_quote() of a scalar's text, "(hidden)" for a row flagged CONF_SECRET. Its quote->text. */
const char *conf_load_quote(const struct conf_load *load, const struct conf_node *node,
                            struct conf_quote *quote);

/*
 * For formats that are lists: *first is the chain (by `next`) of `*count` scalar items that stand
 * in a sequence; a single scalar counts as a list of one, a default is split at its commas.
 * ERROR_CONFIG after an error was reported (items that are no scalars), or -ENOMEM.
 */
int conf_load_items(struct conf_load *load, const struct conf_row *row,
                    const struct conf_node *node, const struct conf_node **first,
                    size_t *count) MUST_CHECK;

/* Names what a reload cannot change: "transport.workers", "trunks[sbc-a].listen". Items of lists
 * are matched by the section's identity, else by position. Returns how many were named. */
size_t conf_section_differs(const struct conf_section *section, const void *old_object,
                            const void *new_object, void (*visit)(const char *path, void *argument),
                            void *argument);

/*
 * Tells whether a table of rows is sound: sizes, defaults that parse and lie in range, identities,
 * formats that can be compared. Every folder calls it in a test. 0, ERROR_CONFIG or -ENOMEM.
 */
int conf_section_verify(const struct conf_section *section, struct conf_report *report) MUST_CHECK;

#endif
