/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ruleset: the inside of a rule set.
 */
#ifndef RINGFENCE_RULES_RULESET_INT_H
#define RINGFENCE_RULES_RULESET_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/hash.h"
#include "card_int.h"
#include "program_int.h"
#include "rules/ruleset.h"
#include "vector_int.h"

enum { RULE_VERSION_DIGITS = 12 };

struct conf_node;
struct conf_place;

/* What a list was made from: two lists of equal origin are the same. */
struct rule_list_origin {
    uint64_t written; /* hash of what the rule file says of it */
    uint64_t content; /* hash of its own file; 0: it has none */
    /* The file as it was before it was read. Not to be relied on while `settled` is false: it had
     * changed so recently that it could change again without looking different. */
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    int64_t modified_ns;
    int64_t changed_ns;
    bool settled;
};

struct rule_named_list {
    struct slice name;
    struct rule_list *list;
    const struct rule_networks *networks; /* NULL when it has none */
    struct rule_place place;
    struct slice source; /* that line, for messages */
    struct rule_list_origin origin;
};

struct rule_named_table {
    struct slice name;
    struct rule_table *table;
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
    uint32_t rollout;             /* see rule_info */
    const struct rule_card *card; /* NULL: a rule */
};

struct rule_record {
    struct rule_info info;
    uint32_t index;
    const struct conf_node *siblings; /* the sequence that it stands in, while the set is loaded */
    const struct rule_node *root;     /* what it requires, while the set is loaded */
    struct rule_place expires;        /* where its end is written; line 0 without one */
    struct slice expires_source;      /* that line, for messages */
    uint32_t expires_width;
};

struct rule_given {
    uint16_t feature;
    struct rule_value value;
};

struct rule_given_header {
    struct slice name;
    struct rule_value value;
};

/* A test that stands in a rule or a scorecard. */
struct rule_test {
    struct rule_test *next;
    uint32_t rule;
    enum rule_result expected; /* of a rule */
    int points;                /* of a scorecard */
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
    struct rule_vector tables;  /* of struct rule_named_table */
    struct rule_vector budgets; /* of struct rule_trunk_budget */
    struct rule_vector entries; /* of struct rule_entry */
    struct rule_vector records; /* of struct rule_record *, in the same order */
    struct rule_vector steps;   /* of struct rule_step */
    struct rule_test *tests;    /* in the order of the files */
    struct hash_table *by_id;   /* of struct rule_record */
    struct rule_index *index;   /* NULL: every rule is tried */
    char version[RULE_VERSION_DIGITS + 1];
};

/* RULE_TRUE for a rule that is to be asked, else why not. */
enum rule_result rule_entry_asked(const struct rule_entry *entry, int64_t now_us);

/* Empties it. The lists are filled as far as their counts say; clearing them whole would cost more
 * than rules. */
void rule_outcome_start(struct rule_outcome *outcome);

/* NULL unless there is such a list. */
const struct rule_named_list *rule_set_list(const struct rule_set *set, struct slice name);
const struct rule_named_table *rule_set_table(const struct rule_set *set, struct slice name);

/* Of the list's name, for messages. */
struct conf_place rule_list_place(const struct rule_named_list *named);

/* The hash of an id in rule_set.by_id, and whether a record is of that id (a struct slice). */
uint64_t rule_id_hash(struct slice id);
bool rule_id_match(const void *record, const void *id);

#endif
