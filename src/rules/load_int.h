/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load: how the parts of rule files get into a set.
 */
#ifndef RINGFENCE_RULES_LOAD_INT_H
#define RINGFENCE_RULES_LOAD_INT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "config/document.h"
#include "config/report.h"
#include "ruleset_int.h"
#include "schema_int.h"

enum { RULE_CONDITION_DEPTH = 32 /* conditions that name one another in a row */ };

/*
 * While a set is loaded. The parts below return 0, or -ENOMEM, which ends the loading; what is
 * wrong with a file goes to the report, and the loading goes on to find more.
 */
struct rule_loader {
    struct rule_set *set;
    const struct rule_set *previous; /* whose lists may be shared; NULL: none */
    struct conf_report *report;
    struct arena *drafts;                                   /* for what only the loading needs */
    const struct conf_document *document;                   /* the one being read */
    const char *file;                                       /* its name, in the set's arena */
    uint64_t digest;                                        /* of all contents so far */
    struct rule_place policy;                               /* file is NULL while none was met */
    struct rule_test **last_test;                           /* where the next one is linked */
    struct rule_vector conditions;                          /* of struct rule_condition * */
    struct hash_table *by_name;                             /* the same, by name */
    struct rule_condition *under_way[RULE_CONDITION_DEPTH]; /* each named by the one before */
    unsigned under_way_count;
};

/* A condition by name, while the set is loaded. */
struct rule_condition {
    struct slice name;
    const struct conf_node *node;
    const struct conf_document *document;
    const char *file;
    bool met;               /* it is under way, or done */
    bool done;              /* it has been checked */
    struct rule_node *root; /* NULL unless it is right */
};

/* Whom messages about a condition speak of: rule "x", group "x", ... */
struct rule_owner {
    const char *kind;
    struct slice id;
};

/* What the rules of a group share; the nodes are NULL where there is none. */
struct rule_group {
    const struct conf_node *node;
    const struct rule_group_draft *draft;
    struct rule_node *when;
    struct rule_node *unless;
    bool wrong; /* its own conditions are, so nothing is told of what its rules come to */
};

/* `tables:` of a file; NULL is allowed. */
int rule_load_tables(struct rule_loader *loader, const struct conf_node *tables) MUST_CHECK;
/* Notes `conditions:` of a file; NULL is allowed. */
int rule_load_conditions(struct rule_loader *loader, const struct conf_node *conditions) MUST_CHECK;
/* Checks those of all files, once all lists and tables are there. */
int rule_check_conditions(struct rule_loader *loader) MUST_CHECK;
/* Parses and checks the condition at the node; *root becomes NULL when it is wrong. */
int rule_load_tree(struct rule_loader *loader, const struct rule_owner *owner,
                   const struct conf_node *node, struct rule_node **root) MUST_CHECK;
/* The same for a value of any type. */
int rule_load_value(struct rule_loader *loader, const struct rule_owner *owner,
                    const struct conf_node *node, struct rule_node **root) MUST_CHECK;
/* An error when it can never be true; *possible tells. */
int rule_check_possible(struct rule_loader *loader, const struct rule_owner *owner,
                        const struct conf_node *node, const struct rule_node *root,
                        bool *possible) MUST_CHECK;

/* `lists:` of a file; NULL is allowed. */
int rule_load_lists(struct rule_loader *loader, const struct conf_node *lists) MUST_CHECK;

/* A list on its way. */
struct rule_list_loader {
    struct rule_loader *loader;
    struct rule_named_list *named;
    struct slice name;           /* as it is written */
    struct rule_vector networks; /* of struct rule_range */
    uint32_t covered_networks;   /* that lie in others */
    bool has_error;
};

/* What an entry without a star is. */
enum rule_list_form {
    RULE_FORM_NUMBER,
    RULE_FORM_NUMBER_PREFIX,
    RULE_FORM_TEXT,
    RULE_FORM_NETWORK
};

/* Adds one entry that stands on that line of the rule file or the list's own; what is wrong with it
 * goes to the report. */
int rule_load_entry(struct rule_list_loader *list, enum rule_list_form form, struct slice entry,
                    rule_list_line line, const struct conf_place *place) MUST_CHECK;

/*
 * The file that `node` names. When a list of the previous set has the same origin, it is shared:
 * named->list becomes that one. Else the file's entries are added.
 */
int rule_load_list_file(struct rule_list_loader *list, const struct conf_node *node,
                        enum rule_list_form form) MUST_CHECK;

/* `rules:` of a file, once all files' lists are there. `drafts` are its items, in order. */
int rule_load_rules(struct rule_loader *loader, const struct conf_node *rules,
                    const struct rule_draft *drafts) MUST_CHECK;
/* `groups:` of a file. */
int rule_load_groups(struct rule_loader *loader, const struct conf_node *groups,
                     const struct rule_group_draft *drafts) MUST_CHECK;
/* `scorecards:` of a file. */
int rule_load_cards(struct rule_loader *loader, const struct conf_node *cards,
                    const struct rule_card_draft *drafts) MUST_CHECK;
/* The parts that a card has in common with a rule. *record becomes NULL when there is an error; the
 * card is NULL for a rule. */
int rule_load_rule(struct rule_loader *loader, const struct conf_node *siblings,
                   const struct conf_node *node, const struct rule_draft *draft,
                   const struct rule_group *group, const struct rule_card *card,
                   struct rule_record **record) MUST_CHECK;
/* `budgets:` of a file. */
int rule_load_budgets(struct rule_loader *loader, const struct conf_node *budgets,
                      const struct rule_budget_draft *drafts) MUST_CHECK;
/* `policy:` of a file. */
int rule_load_policy(struct rule_loader *loader, const struct conf_node *policy,
                     const struct rule_step_draft *drafts) MUST_CHECK;
/* Fills an action from a draft that is right. */
int rule_load_action(struct rule_loader *loader, const struct rule_step_draft *draft,
                     struct rule_action *action) MUST_CHECK;
/* `tests:` of a rule. */
int rule_load_tests(struct rule_loader *loader, const struct conf_object_list *tests,
                    const struct rule_record *rule) MUST_CHECK;
/* One test, which expects either. */
int rule_load_test(struct rule_loader *loader, const struct conf_node *given,
                   enum rule_result expected, int points,
                   const struct rule_record *rule) MUST_CHECK;

/* The values that a test gives, which becomes *test; of the loader, the set's catalogue and arena,
 * the document and the report are used. */
int rule_load_given(struct rule_loader *loader, const struct conf_node *given,
                    struct rule_test *test) MUST_CHECK;

/* Takes more bytes into the digest. */
void rule_loader_digest(struct rule_loader *loader, struct slice bytes);

struct rule_place rule_loader_place(const struct rule_loader *loader, const struct conf_node *node);

/* An error, or a warning, at a node (its value). */
void rule_loader_error(struct rule_loader *loader, const struct conf_node *node, const char *format,
                       ...) __attribute__((format(printf, 3, 4)));
void rule_loader_warning(struct rule_loader *loader, const struct conf_node *node,
                         const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A file of lines, beside a rule file. The steps below return 0 also when it is wrong: the report
 * says so, and the file is not `good` any more. */
struct rule_line_file {
    char path[PATH_MAX];
    struct stat status; /* before it is read */
    bool good;
    struct slice text; /* as it is in the file; once unpacked, without a byte order mark */
    char *memory;      /* to be freed; NULL while there is none */
};
/* Where it is. */
int rule_line_file_find(struct rule_loader *loader, const struct rule_owner *owner,
                        const struct conf_node *node, struct rule_line_file *file) MUST_CHECK;
/* Its bytes; of a good one that was found. */
int rule_line_file_read(struct rule_loader *loader, const struct rule_owner *owner,
                        const struct conf_node *node, struct rule_line_file *file) MUST_CHECK;
/* Its text, unpacked if need be; of a good one that was read. */
int rule_line_file_unpack(struct rule_loader *loader, const struct rule_owner *owner,
                          const struct conf_node *node, struct rule_line_file *file) MUST_CHECK;
/* All three. */
int rule_line_file_load(struct rule_loader *loader, const struct rule_owner *owner,
                        const struct conf_node *node, struct rule_line_file *file) MUST_CHECK;
/* What stands on a line before a comment, without blanks around it. */
struct slice rule_line_entry(struct slice line);

/* A name must be one word of a condition, and no other one; reports what it is instead. `dots`:
 * they may stand in it, which a feature's name always has. */
bool rule_loader_name_fits(struct rule_loader *loader, const struct conf_node *node,
                           const char *kind, bool dots);

/* The text in the set's arena ("" for an absent one), or NULL. */
const char *rule_loader_keep(struct rule_loader *loader, struct slice text);

#endif
