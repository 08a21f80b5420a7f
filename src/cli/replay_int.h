/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay: what the parts of `ringfence replay` share.
 */
#ifndef RINGFENCE_CLI_REPLAY_INT_H
#define RINGFENCE_CLI_REPLAY_INT_H

#include "cli_int.h"
#include "daemon/observer.h"
#include "tap/calls.h"
#include "tap/file.h"

struct replay_options {
    struct cli_option_list rules;
    struct cli_option_list against;
    const char *reputation;
    const char *trunk;
    const char *write_suspicious;
    const char *fail_on;
    uint64_t honest_us;
    bool csv;
    bool suspicious;
    bool scores;
};

enum { REPLAY_FIRED_MAX = 24, REPLAY_NUMBER_BYTES = 24, REPLAY_TYPE_BYTES = 32 };

struct replay_fired {
    uint16_t rule; /* index in the side's rule set */
    int16_t points;
    bool shadow;
};

/* What one side says of a call. */
struct replay_verdict {
    bool judged;
    bool refused; /* the proxy would answer 400 */
    bool degraded;
    uint8_t action;    /* enum rule_action_kind */
    uint8_t authority; /* enum screen_authority */
    uint8_t score;
    uint8_t fired_count;
    char type[REPLAY_TYPE_BYTES]; /* "": none */
    struct replay_fired fired[REPLAY_FIRED_MAX];
};

enum replay_side { REPLAY_NEW, REPLAY_OLD, REPLAY_SIDES };

/* Beside each tap_call. */
struct replay_call {
    const struct proxy_trunk *trunk; /* of the new side; NULL: not judged */
    bool trunk_assumed;
    char caller[REPLAY_NUMBER_BYTES]; /* E.164; "": not normalised */
    char callee[REPLAY_NUMBER_BYTES];
    struct replay_verdict verdicts[REPLAY_SIDES];
};

/* One configuration with its rules, and what judges by it. */
struct replay_judge {
    const char *name; /* for people */
    struct daemon_snapshot *snapshot;
    struct daemon_observer *observer;
};

/* Packets by number, a bit each. */
struct replay_marks {
    uint64_t *words;
    size_t count;
    bool failed; /* memory ran out */
};

struct replay_summary;
struct replay_comparison;

struct replay {
    struct cli *cli;
    struct replay_options options;
    struct replay_judge judges[REPLAY_SIDES];
    size_t sides; /* 1, or 2 with --against */
    struct rep_store *store;
    struct tap_path *path;
    struct tap_calls *calls;
    struct replay_summary *summary;
    struct replay_comparison *comparison; /* NULL: without --against */
    struct replay_marks suspicious;
    struct cli_progress progress;
    uint64_t file_base; /* packets of the files before */
    bool damaged;       /* a file ended in an error */
};

/* ---- replay_judge.c ------------------------------------------------------------------------ */

/* Loads configuration, rules and reputation. An enum cli_exit; complained about. */
int replay_open_judges(struct replay *replay);
void replay_close_judges(struct replay *replay);
/* Judges by all sides, at the first INVITE that counts. */
void replay_judge_call(struct replay *replay, struct replay_call *call,
                       const struct tap_message *message);
const struct rule_set *replay_rules(const struct replay *replay, enum replay_side side);

/* ---- replay_read.c ------------------------------------------------------------------------- */

/* Reads all files through the path. An enum cli_exit. */
int replay_read(struct replay *replay, char **paths, size_t count);
/* Before hours of reading: whether --write-suspicious can be written. False after a complaint. */
bool replay_can_write(const struct replay *replay);
/* Once more, copying what was marked. */
int replay_write_suspicious(struct replay *replay, char **paths, size_t count);
void replay_mark(struct replay_marks *marks, const struct tap_message *message);

/* ---- replay_rows.c ------------------------------------------------------------------------- */

bool replay_is_suspicious(const struct replay_verdict *verdict);
/* "allow", "block", ...; "refused" and "-" too. */
const char *replay_action_text(const struct replay_verdict *verdict);
uint64_t replay_talk_us(const struct tap_call *call);
/* As it is shown, normalised where it could be. */
struct slice replay_caller(const struct tap_call *call, const struct replay_call *found);
struct slice replay_callee(const struct tap_call *call, const struct replay_call *found);
struct slice replay_trunk(const struct replay_call *found);
/* "rule-a 60, rule-b (20)": points in brackets are those of shadow rules. */
struct slice replay_rules_text(const struct replay *replay, enum replay_side side,
                               const struct replay_verdict *verdict, char *memory, size_t capacity);
void replay_show_header(const struct replay *replay);
void replay_show_call(const struct replay *replay, const struct tap_call *call,
                      const struct replay_call *found);
/* A line of JSON of whatever `fill` writes into an object. */
void replay_show_json(const struct replay *replay,
                      void (*fill)(const void *context, struct stats_json *json),
                      const void *context);

/* ---- replay_table.c ------------------------------------------------------------------------ */

/* What a comparison says of a call. */
struct replay_change {
    const char *key;
    enum cli_style style;
};

void replay_table_header(const struct replay *replay);
/* change: NULL without a comparison. */
void replay_table_row(const struct replay *replay, const struct tap_call *call,
                      const struct replay_call *found, const struct replay_change *change);

/* ---- replay_summary.c ---------------------------------------------------------------------- */

struct replay_summary *replay_summary_create(const struct replay *replay);
void replay_summary_add(struct replay *replay, const struct tap_call *call,
                        const struct replay_call *found);
void replay_summary_show(const struct replay *replay);
void replay_summary_destroy(struct replay_summary *summary);

/* ---- replay_compare.c ---------------------------------------------------------------------- */

struct replay_comparison *replay_comparison_create(const struct replay *replay);
void replay_comparison_add(struct replay *replay, const struct tap_call *call,
                           const struct replay_call *found);
void replay_comparison_show(const struct replay *replay);
/* Whether what --fail-on names has happened. */
bool replay_comparison_fails(const struct replay *replay);
void replay_comparison_destroy(struct replay_comparison *comparison);

#endif
