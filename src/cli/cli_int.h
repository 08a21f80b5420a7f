/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli: what the commands share.
 */
#ifndef RINGFENCE_CLI_CLI_INT_H
#define RINGFENCE_CLI_CLI_INT_H

#include "cli/command.h"
#include "config/report.h"
#include "control/client.h"

struct json_object;

int cli_run_check(struct cli *cli, char **arguments, size_t count);
int cli_run_features(struct cli *cli, char **arguments, size_t count);
int cli_run_reload(struct cli *cli, char **arguments, size_t count);
int cli_run_drain(struct cli *cli, char **arguments, size_t count);
int cli_run_upgrade(struct cli *cli, char **arguments, size_t count);
int cli_run_undrain(struct cli *cli, char **arguments, size_t count);
int cli_run_status(struct cli *cli, char **arguments, size_t count);
int cli_run_stats(struct cli *cli, char **arguments, size_t count);
int cli_run_top(struct cli *cli, char **arguments, size_t count);
int cli_run_explain(struct cli *cli, char **arguments, size_t count);
int cli_run_rules(struct cli *cli, char **arguments, size_t count);
int cli_run_rules_rearm(struct cli *cli, char **arguments, size_t count);
int cli_run_number_get(struct cli *cli, char **arguments, size_t count);
int cli_run_number_set(struct cli *cli, char **arguments, size_t count);
int cli_run_number_del(struct cli *cli, char **arguments, size_t count);
int cli_run_number_reassign(struct cli *cli, char **arguments, size_t count);
int cli_run_number_export(struct cli *cli, char **arguments, size_t count);
int cli_run_number_import(struct cli *cli, char **arguments, size_t count);
int cli_run_replica_accept(struct cli *cli, char **arguments, size_t count);
int cli_run_replay(struct cli *cli, char **arguments, size_t count);
int cli_run_version(struct cli *cli, char **arguments, size_t count);
int cli_run_help(struct cli *cli, char **arguments, size_t count);

extern const struct cli_option cli_check_options[];
extern const struct cli_option cli_features_options[];
extern const struct cli_option cli_status_options[];
extern const struct cli_option cli_stats_options[];
extern const struct cli_option cli_top_options[];
extern const struct cli_option cli_drain_options[];
extern const struct cli_option cli_upgrade_options[];
extern const struct cli_option cli_explain_options[];
extern const struct cli_option cli_rules_options[];
extern const struct cli_option cli_number_options[]; /* of get and reassign */
extern const struct cli_option cli_number_del_options[];
extern const struct cli_option cli_number_export_options[];
extern const struct cli_option cli_number_set_options[];
extern const struct cli_option cli_number_import_options[];
extern const struct cli_option cli_replay_options[];
extern const struct cli_option cli_help_options[];

/*
 * Before a command runs, `run` gets arguments without options; a command with options of its own
 * parses them first. False after a complaint.
 */
bool cli_take_options(struct cli *cli, const struct cli_option *options, void *object,
                      char **arguments, size_t *count);

/* Paths of the two sockets: as given, else as configured, else the default. malloc()ed. */
char *cli_control_path(const struct cli *cli);
char *cli_stats_path(const struct cli *cli);

/*
 * Asks the daemon and hands out the lines of its answer. The result is an exit status; failures
 * have been complained about, a refusal is left to the caller in `answer`. arguments may be NULL.
 */
int cli_ask(struct cli *cli, const char *command, struct json_object *arguments,
            unsigned timeout_ms, ctl_answer_fn *line, void *argument, struct ctl_answer *answer);

/* The exit status of an answer; what a refusal says is complained about. */
int cli_exit_of(const struct cli *cli, const struct ctl_answer *answer);

/* A ctl_answer_fn that prints the line as it is; the argument is a struct cli. */
int cli_print_line(void *argument, struct slice line, struct json_object *object);

/* Any object for people: members in aligned columns, objects as sections, lists of objects as
 * tables. Nothing is left out. */
void cli_show_object(const struct cli_output *output, struct json_object *object);

/* The number at "member/member/..."; 0 where there is none, such as a label that counts nothing. */
int64_t cli_number_at(struct json_object *object, const char *path);

/* A value as text in memory, "-" for null. */
struct slice cli_value_text(struct json_object *value, char *memory, size_t capacity);

/* "FILE: 2 errors, 1 warning" */
void cli_print_summary(const struct cli_output *output, const char *file,
                       const struct conf_report *report, const char *note);

/* Writes a change that did not go through the daemon to its log, or else to syslog. */
void cli_audit(struct cli *cli, const char *text);

#endif
