/* SPDX-License-Identifier: Apache-2.0 */
/*
 * document: one YAML file as a tree of nodes that know where they stand in the file.
 *
 * A strict subset of YAML: one document of UTF-8, no anchors, aliases or tags, scalar keys, no key
 * twice. Size, depth and number of nodes are limited, so a hostile file costs a bounded amount of
 * memory and time. Everything a node points to lives as long as its document.
 */
#ifndef RINGFENCE_CONFIG_DOCUMENT_H
#define RINGFENCE_CONFIG_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "config/report.h"

#define CONF_DEFAULT_FILE_BYTES (16U << 20)
#define CONF_DEFAULT_DEPTH      32U
#define CONF_DEFAULT_NODES      2000000U

/* A member that is 0 takes its default. */
struct conf_limits {
    size_t file_bytes; /* at most 1 GiB */
    unsigned depth;
    size_t nodes;
};

enum conf_node_kind { CONF_NODE_SCALAR, CONF_NODE_SEQUENCE, CONF_NODE_MAPPING };

enum conf_scalar_style {
    CONF_SCALAR_PLAIN,
    CONF_SCALAR_SINGLE_QUOTED,
    CONF_SCALAR_DOUBLE_QUOTED,
    CONF_SCALAR_LITERAL,
    CONF_SCALAR_FOLDED,
};

struct conf_node {
    const struct conf_node *next;  /* the next child of the same parent */
    const struct conf_node *first; /* the first child of a sequence or mapping */
    struct slice key;              /* within a mapping; otherwise absent */
    struct slice text;             /* of a scalar: its value, with a NUL behind it */
    uint32_t count;                /* children */
    uint32_t line, column;         /* of the value, from 1, columns in characters */
    uint32_t key_line, key_column; /* of the key; 0 where there is none */
    uint32_t offset;               /* of the value in the file, in bytes; a quote is included */
    uint32_t past;                 /* the first byte behind it */
    uint8_t kind;                  /* enum conf_node_kind */
    uint8_t style;                 /* enum conf_scalar_style */
};

struct conf_document;

/*
 * Reads and parses a file. limits == NULL takes the defaults. On ERROR_CONFIG the report says what
 * is wrong (an unreadable file too); -ENOMEM is the only other failure.
 */
int conf_document_load(const char *path, const struct conf_limits *limits,
                       struct conf_report *report, struct conf_document **document) MUST_CHECK;

/* The same for text in memory, which is copied; `name` stands for the file in messages. */
int conf_document_parse(const char *name, struct slice text, const struct conf_limits *limits,
                        struct conf_report *report, struct conf_document **document) MUST_CHECK;

/* NULL is allowed. */
void conf_document_destroy(struct conf_document *document);

/* Never NULL; an empty file is an empty mapping. */
const struct conf_node *conf_document_root(const struct conf_document *document);

/* The file's name, and its bytes as read. */
const char *conf_document_name(const struct conf_document *document);
struct slice conf_document_source(const struct conf_document *document);

/* A mapping's child of that key; NULL when there is none or the node is no mapping. */
const struct conf_node *conf_node_get(const struct conf_node *node, const char *key);

/* An unquoted empty value, ~ or null. */
bool conf_node_is_null(const struct conf_node *node);

/* "text", "list" or "section": what a person calls such a node. */
const char *conf_node_kind_name(const struct conf_node *node);

/* The value, underlined as far as it stands on one line. */
struct conf_place conf_node_place(const struct conf_document *document,
                                  const struct conf_node *node);

/* The key in front of the value; the value itself where there is no key. */
struct conf_place conf_node_key_place(const struct conf_document *document,
                                      const struct conf_node *node);

/*
 * The place of `length` bytes at `offset` of a scalar's text, for errors inside an expression.
 * Right for every style: quotes, escapes, folded and literal blocks over several lines.
 */
struct conf_place conf_node_place_within(const struct conf_document *document,
                                         const struct conf_node *node, size_t offset,
                                         size_t length);

#endif
