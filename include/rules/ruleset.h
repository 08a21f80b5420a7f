/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ruleset: rule files, checked and compiled into one immutable set.
 *
 * A set is built by one thread, then read by all workers without locks; whoever made it (the
 * snapshot) destroys it when no worker can hold it any more. It keeps nothing of its sources open.
 */
#ifndef RINGFENCE_RULES_RULESET_H
#define RINGFENCE_RULES_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "rules/action.h"
#include "rules/catalogue.h"

struct conf_report;
struct rule_set;

/* X(name, word). A shadow rule is evaluated and reported, but its points change no call. */
#define RULE_MODE_TABLE(X)     \
    X(RULE_ENFORCE, "enforce") \
    X(RULE_SHADOW, "shadow")   \
    X(RULE_OFF, "off")

enum rule_mode {
#define RULE_MODE_ROW(name, word) name,
    RULE_MODE_TABLE(RULE_MODE_ROW)
#undef RULE_MODE_ROW
        RULE_MODE_COUNT
};

enum { RULE_NONE = -1, RULE_SCORE_MAX = 100, RULE_ROLLOUT_ALL = 10000 };

/* `calls` calls in a period; 0: no limit. */
struct rule_budget {
    uint32_t calls;
    uint64_t period_us;
};

/* Of a rule or a scorecard. Texts belong to the set; those that a file leaves out are "". */
struct rule_info {
    const char *id; /* the rule's identity across reloads */
    const char *title_en;
    const char *title_zh;
    const char *type; /* scam type */
    const char *when; /* the condition as it was written */
    const char *unless;
    const char *group; /* whose conditions it must meet too */
    const char *owner;
    const char *ticket;
    bool is_card;
    int score; /* -100..100; a card's points are reckoned for each call */
    enum rule_mode mode;
    int64_t starts_us;  /* applies from this wall time on; INT64_MIN: always has */
    int64_t expires_us; /* the first wall time at which it applies no more; INT64_MAX: never */
    /* Enforced for so many in RULE_ROLLOUT_ALL calls; for the others it is in shadow. */
    uint32_t rollout;
    struct rule_budget budget;        /* of calls blocked; who enforces calls sees to it */
    const struct rule_action *action; /* NULL unless the rule itself demands one */
    struct rule_place place;          /* of its id */
    uint32_t test_count;
    /* A hash over what its own entry says, without title, owner, ticket and tests: another value
     * means that the rule was changed. What it names (conditions, lists) is no part of it. */
    uint64_t written;
};

/* How many of a trunk's calls lists and reputation may block. */
struct rule_trunk_budget {
    const char *trunk; /* "*": each trunk without a budget of its own */
    struct rule_budget blocks;
    struct rule_place place; /* of the trunk's name; that it exists is for the caller to check */
};

/* The highest threshold that the score reaches decides. */
struct rule_step {
    int at; /* 0..100 */
    struct rule_action action;
};

/*
 * Reads all files and compiles them together: ids and list names are unique across files, a list
 * may be used by any file, and at most one file has a policy. List files are looked for beside the
 * rule file that names them. Problems go to the report; every file is read to its end, so one run
 * shows them all.
 * Returns 0, ERROR_CONFIG when the report got an error (*set stays untouched), or -ENOMEM.
 */
int rule_set_load(const struct rule_catalogue *catalogue, const char *const *paths, size_t count,
                  struct conf_report *report, struct rule_set **set) MUST_CHECK;

/*
 * The same, after a change of the files: lists that have not changed, neither in the rule file nor
 * in their own, are shared with the previous set (NULL: there is none), and no entry of them is
 * read or copied. The previous set is only read; either one may be destroyed first.
 */
int rule_set_reload(const struct rule_catalogue *catalogue, const char *const *paths, size_t count,
                    const struct rule_set *previous, struct conf_report *report,
                    struct rule_set **set) MUST_CHECK;

/* The same as rule_set_load() from memory. `name` stands in messages, and list files are looked for
 * beside it. */
struct rule_source {
    const char *name;
    struct slice text;
};

int rule_set_parse(const struct rule_catalogue *catalogue, const struct rule_source *sources,
                   size_t count, struct conf_report *report, struct rule_set **set) MUST_CHECK;

/* NULL is allowed. */
void rule_set_destroy(struct rule_set *set);

/* In the order of the files, then of the rules in them. */
size_t rule_set_count(const struct rule_set *set);
const struct rule_info *rule_set_rule(const struct rule_set *set, size_t index);
/* The index, or RULE_NONE. */
int rule_set_find(const struct rule_set *set, struct slice id);

/* Ascending by `at`. */
size_t rule_set_step_count(const struct rule_set *set);
const struct rule_step *rule_set_step(const struct rule_set *set, size_t index);

size_t rule_set_budget_count(const struct rule_set *set);
const struct rule_trunk_budget *rule_set_budget(const struct rule_set *set, size_t index);
/* The budget of a trunk, by its name or "*"; NULL when there is none. */
const struct rule_trunk_budget *rule_set_find_budget(const struct rule_set *set,
                                                     struct slice trunk);

/* Twelve hexadecimal digits over the contents of all rule and list files. */
const char *rule_set_version(const struct rule_set *set);

/* Memory of the set's lists, without those that are shared with the other set (NULL: none). */
size_t rule_set_list_bytes(const struct rule_set *set, const struct rule_set *other);

const struct rule_catalogue *rule_set_catalogue(const struct rule_set *set);

/* Whether any rule that is not off names this feature: what nobody asks for need not be built. */
bool rule_set_uses(const struct rule_set *set, uint16_t feature);

/*
 * Adds what follows from the given values (the country of a number). values[i] belongs to feature
 * i; those not given are unknown. Texts must live until the function is called again. What it
 * writes over a given value is undone.
 */
typedef void rule_derive_fn(void *context, struct rule_value *values, size_t count);

struct rule_test_result {
    size_t passed;
    size_t failed;
};

/*
 * Runs the tests that stand in the rules. They ask whether the condition holds, whatever the mode
 * and dates of the rule. derive may be NULL. Each failure is an error in the report, at the test's
 * line. Returns 0 when all passed, ERROR_CONFIG when one failed, or -ENOMEM.
 */
int rule_set_run_tests(const struct rule_set *set, rule_derive_fn *derive, void *context,
                       struct conf_report *report, struct rule_test_result *result) MUST_CHECK;

/* Warns of rules and list entries that have expired at this wall time. */
void rule_set_review(const struct rule_set *set, uint64_t wall_us, struct conf_report *report);

const char *rule_mode_name(enum rule_mode mode);

#endif
