/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ruleset: the inside of a rule set, and how its parts are loaded into it.
 */
#ifndef RINGFENCE_RULES_RULESET_INT_H
#define RINGFENCE_RULES_RULESET_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/hash.h"
#include "config/document.h"
#include "config/report.h"
#include "program_int.h"
#include "rules/ruleset.h"
#include "schema_int.h"
#include "vector_int.h"

enum { RULE_VERSION_DIGITS = 12 };

struct rule_named_list {
    struct slice name;
    struct rule_list *list;
    struct rule_place place;
};

/* What an evaluation reads of a rule, packed so that one pass over all rules stays in the cache. */
struct rule_entry {
    struct rule_span span;
    int64_t starts_us;
    int64_t expires_us;
    const struct rule_action *action;
    int16_t points;
    uint8_t mode; /* enum rule_mode */
    bool has_type;
};

struct rule_record {
    struct rule_info info;
    uint32_t index;
};

struct rule_given {
    uint16_t feature;
    struct rule_value value;
};

struct rule_given_header {
    struct slice name;
    struct rule_value value;
};

/* A test that stands in a rule. */
struct rule_test {
    struct rule_test *next;
    uint32_t rule;
    enum rule_result expected;
    struct rule_given *given;
    size_t given_count;
    struct rule_given_header *headers;
    size_t header_count;
    struct rule_place place;
    struct slice source; /* the line, for messages */
};

struct rule_set {
    const struct rule_catalogue *catalogue;
    struct arena *arena; /* all texts, records, actions and tests */
    struct rule_program program;
    struct rule_vector lists;   /* of struct rule_named_list */
    struct rule_vector entries; /* of struct rule_entry */
    struct rule_vector records; /* of struct rule_record *, in the same order */
    struct rule_vector steps;   /* of struct rule_step */
    struct rule_test *tests;    /* in the order of the files */
    struct hash_table *by_id;   /* of struct rule_record */
    char version[RULE_VERSION_DIGITS + 1];
};

/*
 * While a set is loaded. The parts below return 0, or -ENOMEM, which ends the loading; what is
 * wrong with a file goes to the report, and the loading goes on to find more.
 */
struct rule_loader {
    struct rule_set *set;
    struct conf_report *report;
    struct arena *drafts;                 /* for what only the loading needs */
    const struct conf_document *document; /* the one being read */
    const char *file;                     /* its name, in the set's arena */
    uint64_t digest;                      /* of all contents so far */
    struct rule_place policy;             /* file is NULL while none was met */
    struct rule_test **last_test;         /* where the next one is linked */
};

/* `lists:` of a file; NULL is allowed. */
int rule_load_lists(struct rule_loader *loader, const struct conf_node *lists) MUST_CHECK;
/* `rules:` of a file, once all files' lists are there. `drafts` are its items, in order. */
int rule_load_rules(struct rule_loader *loader, const struct conf_node *rules,
                    const struct rule_draft *drafts) MUST_CHECK;
/* `policy:` of a file. */
int rule_load_policy(struct rule_loader *loader, const struct conf_node *policy,
                     const struct rule_step_draft *drafts) MUST_CHECK;
/* Fills an action from a draft that is right. */
int rule_load_action(struct rule_loader *loader, const struct rule_step_draft *draft,
                     struct rule_action *action) MUST_CHECK;
/* `tests:` of a rule. */
int rule_load_tests(struct rule_loader *loader, const struct conf_object_list *tests,
                    const struct rule_record *rule) MUST_CHECK;

/* Takes more bytes into the digest. */
void rule_loader_digest(struct rule_loader *loader, struct slice bytes);

struct rule_place rule_loader_place(const struct rule_loader *loader, const struct conf_node *node);

/* An error, or a warning, at a node (its value). */
void rule_loader_error(struct rule_loader *loader, const struct conf_node *node, const char *format,
                       ...) __attribute__((format(printf, 3, 4)));
void rule_loader_warning(struct rule_loader *loader, const struct conf_node *node,
                         const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The text in the set's arena ("" for an absent one), or NULL. */
const char *rule_loader_keep(struct rule_loader *loader, struct slice text);

/* NULL unless there is such a list. */
const struct rule_named_list *rule_set_list(const struct rule_set *set, struct slice name);

/* The hash of an id in rule_set.by_id, and whether a record is of that id (a struct slice). */
uint64_t rule_id_hash(struct slice id);
bool rule_id_match(const void *record, const void *id);

#endif
