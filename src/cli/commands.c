/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli_int.h"

enum { FILES_MAX = 10000 };

const struct cli_option cli_global_options[] = {
    {.name = "config",
     .letter = 'c',
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli, config),
     .value = "FILE",
     .help = "the daemon's configuration (default " CLI_DEFAULT_CONFIG ")"},
    {.name = "control",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli, control),
     .value = "SOCKET",
     .help = "the daemon's control socket (default: as configured)"},
    {.name = "json",
     .kind = CLI_OPTION_FLAG,
     .offset = offsetof(struct cli, json),
     .help = "print JSON for programs instead of text for people"},
    {.name = "color",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli, colour),
     .value = "WHEN",
     .choices = "auto|always|never",
     .help = "auto (default: on a terminal, unless NO_COLOR is set), always or never"},
    {.name = "colour",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli, colour),
     .value = "WHEN",
     .choices = "auto|always|never"},
    {.name = "help",
     .letter = 'h',
     .kind = CLI_OPTION_FLAG,
     .offset = offsetof(struct cli, help),
     .help = "print help for the command"},
    {.name = NULL},
};

const struct cli_command cli_commands[] = {
    {"check", "[FILE...]", 0, FILES_MAX, "check a configuration, rules and their tests", CTL_READ,
     cli_check_options, cli_run_check,
     "FILE is a configuration, which is loaded with all its rule files and lists exactly as the\n"
     "daemon does; or rule files by themselves; and files of tests for whole calls (tests:).\n"
     "Without a configuration or rule file among them, the one that --config says is taken. The\n"
     "tests that stand in the rules and in the files are run.\n"
     "\n"
     "Every problem is shown with file, line and column. Nothing is changed, and no daemon is\n"
     "needed. Status 0: good, though there may be warnings; 1: the daemon would not start with\n"
     "it, a test fails, or --strict and there is a warning.\n"},
    {"features", "[NAME]", 0, 1, "list what conditions may ask about a call", CTL_READ,
     cli_features_options, cli_run_features,
     "NAME is a feature (caller.number) or what several begin with (caller). For each: its type\n"
     "with the unit or the choices, its meaning, when it is unknown, and an example as it is\n"
     "written in a condition. Status 1: there is none of that name.\n"},
    {"reload", "", 0, 0, "make the daemon read configuration, rules and lists again", CTL_CHANGE,
     NULL, cli_run_reload,
     "Either everything takes effect or nothing: with an error the daemon keeps what it has, the\n"
     "problems are shown with file, line and column, and the status is 1.\n"},
    {"drain", "", 0, 0, "refuse new calls; those under way go on", CTL_CHANGE, cli_drain_options,
     cli_run_drain,
     "New calls get 503 with Retry-After (emergency calls pass), OPTIONS gets 503, calls under\n"
     "way go on. The daemon stays until it is told to stop; `ringfence undrain` serves new calls\n"
     "again. Status 1: with --wait, when calls are left at its end. See docs/operation.md.\n"},
    {"undrain", "", 0, 0, "serve new calls again", CTL_CHANGE, NULL, cli_run_undrain,
     "Ends `ringfence drain`. Status 1: the daemon has been told to stop and cannot be held.\n"},
    {"upgrade", "", 0, 0, "hand sockets and calls to a new process", CTL_CHANGE,
     cli_upgrade_options, cli_run_upgrade,
     "Starts the daemon's program again, with the configuration as it is now. When it is ready,\n"
     "it gets the sockets and the calls under way, and no message is lost; the old process "
     "finishes\n"
     "its transactions and ends. A new process that does not become ready, or ends, changes\n"
     "nothing: the old one serves on, and the status is 1. So it is while the process before the\n"
     "old one still has transactions. See docs/operation.md.\n"},
    {"status", "", 0, 0, "show the state of the daemon", CTL_READ, cli_status_options,
     cli_run_status,
     "Trunks and their targets with state and why, limits, the quality of calls, transactions,\n"
     "reputation and rules, as the daemon sees them now. With --watch, again each second.\n"},
    {"stats", "", 0, 0, "show counts as they happen", CTL_READ, cli_stats_options, cli_run_stats,
     "One row per interval: what was counted since the row before. tx and held are what is there\n"
     "now; p50 and p99 are microseconds of screening. With --json, the lines of the stats socket\n"
     "as they come (docs/stats.md).\n"},
    {"top", "", 0, 0, "watch rates, rules, callers and trunks in the terminal", CTL_READ,
     cli_top_options, cli_run_top,
     "Rates with their course, the mix of verdicts, and panels: rules, callers, trunks, latency,\n"
     "prefixes, scam types, refusals, health. h shows the keys: to move, filter, sort, freeze, and "
     "to\n"
     "open a row, such as the events of one caller. It connects again when the daemon comes back.\n"
     "80 columns and 24 rows are enough; more show more.\n"
     "\n"
     "With --once, everything is printed once as plain text.\n"},
    {"explain", "[CALL-ID]", 0, 1, "show what a call got, or would get, and why", CTL_READ,
     cli_explain_options, cli_run_explain,
     "With a CALL-ID: a call that was screened lately, with what was known of it then and the "
     "rules\n"
     "of now, and where these differ from what it got. Calls are kept for screening.explain_keep,\n"
     "as long as there is room (screening.explain_calls).\n"
     "\n"
     "With --event: a recorded line of the stats socket. What an event does not have is unknown.\n"
     "\n"
     "With --caller and --callee: a call that does not exist. Without --trunk the first "
     "configured\n"
     "trunk is taken.\n"
     "\n"
     "Shown are the verdict and who decided, the rules that fired with their points, those that\n"
     "came near or cannot be decided, each with the parts of its condition, the smallest changes\n"
     "that would turn the verdict, and every feature. Nothing is counted, no call is placed.\n"},
    {"replay", "FILE...", 1, FILES_MAX, "judge the calls of a capture as the daemon would have",
     CTL_READ, cli_replay_options, cli_run_replay,
     "FILE is a capture (pcap or pcapng, also packed by gzip, xz or zstd; - for standard input).\n"
     "Its calls are judged on its own clock by the configuration's rules, or by --rules; nothing\n"
     "is counted, no call is touched. Shown are the calls and a summary by rule, type, trunk and\n"
     "hour. A call whose source is in no trunk is judged as one of --trunk.\n"
     "\n"
     "With --against: what changes, call by call and rule by rule. Status 1: --fail-on has\n"
     "happened, or a file is damaged (what comes before the damage is judged all the same).\n"
     "3: Redis cannot be reached. See docs/replay.md.\n"},
    {"rules", "", 0, 0, "list the live rules with hits, cost and budgets", CTL_READ,
     cli_rules_options, cli_run_rules,
     "One row a rule: what it does now (demoted: its budget put it in shadow), its points or\n"
     "action, the calls that it fired on since the start, enforced and in shadow, when it did "
     "last,\n"
     "the time that one evaluation takes, and the calls that it has blocked of its budget in this\n"
     "period. Cost is measured on one call in 1024 and is not known before. With --json, a line "
     "for\n"
     "each rule in the order of the files.\n"},
    {"rules rearm", "ID", 1, 1, "enforce a rule again that its budget has demoted", CTL_CHANGE,
     NULL, cli_run_rules_rearm,
     "The rule acts on the next call, with a new budget. Status 1: it is not demoted. A reload "
     "does\n"
     "the same for each rule whose entry in its file was changed.\n"},
    {"number get", "NUMBER", 1, 1, "show what is known about a number", CTL_READ,
     cli_number_options, cli_run_number_get,
     "NUMBER is +8613800138000, a prefix such as 86138*, or raw:TEXT for what is no number.\n"
     "Reads Redis as the configuration says: the plain fields, each source's statement, what they\n"
     "come to (combined), what the running daemon holds, and whether the two agree. Where the\n"
     "daemon keeps the numbers itself (store: memory), it is asked. Status 1: nothing is known.\n"},
    {"number set", "NUMBER", 1, 1, "score or list a number, prefix or text", CTL_CHANGE,
     cli_number_set_options, cli_run_number_set,
     "Replaces what was said before by the same source: a configured one (reputation.sources) has\n"
     "a statement of its own, all others share the plain fields. At least --score or --list is\n"
     "needed. The daemon takes the change up within a second. Every change is written to the\n"
     "daemon's log, or to syslog when it does not run: by whom, from what, to what.\n"},
    {"number del", "NUMBER", 1, 1, "forget a number, prefix or text", CTL_CHANGE,
     cli_number_del_options, cli_run_number_del,
     "All that is said of it, or what one --source says. Status 1: it was not known.\n"},
    {"number reassign", "NUMBER", 1, 1, "wipe a number that has a new subscriber", CTL_CHANGE,
     cli_number_options, cli_run_number_reassign,
     "Deletes what every source says, and leaves a mark for a year: statements whose `since` is\n"
     "earlier do not count, and rows that a feed still brings are rejected by import unless their\n"
     "`since` is later.\n"},
    {"number import", "FILE", 1, 1, "set many numbers from a file", CTL_CHANGE,
     cli_number_import_options, cli_run_number_import,
     "FILE (- for standard input) is CSV, JSON lines with the same names, or a plain list of\n"
     "numbers (then --list or --score says what they get):\n"
     "\n"
     "    number,score,list,type,source,expires,note,since,case\n"
     "    +8613800138000,95,block,impersonation,desk,2027-01-31,reported twice,,A-17\n"
     "    86170*,60,watch,,feed,,\n"
     "    {\"number\":\"+8613800138000\",\"score\":95,\"list\":\"block\",\"source\":\"desk\"}\n"
     "\n"
     "The header line is optional, what follows list may be left out. A line that cannot be taken\n"
     "is named with the reason and skipped.\n"
     "\n"
     "Each number is changed in one step, and only where it differs. With --replace-source, what\n"
     "the file does not have any more is taken back, but only when all of it has been read and\n"
     "written: an import that fails leaves every number with its old or its new statement, says "
     "how\n"
     "far it got, and goes on from there when it is run again. A number whose line is rejected\n"
     "keeps what it has.\n"
     "\n"
     "Status 0: all lines were taken; 1: some were rejected, or it failed; 2: the command line is\n"
     "wrong, or the source has no field of its own; 3: Redis or the daemon cannot be reached.\n"},
    {"number export", "[FILE]", 0, 1, "write numbers to a file", CTL_READ,
     cli_number_export_options, cli_run_number_export,
     "A line for each statement in Redis that all options given apply to, in the form that import\n"
     "reads, to FILE or standard output. Status 1: something could not be written or read.\n"},
    {"replica accept", "", 0, 0, "let a held change of the replica go ahead", CTL_CHANGE, NULL,
     cli_run_replica_accept,
     "When Redis suddenly differs in more than a stated part of the entries, the daemon keeps\n"
     "what it has and waits for this. `ringfence status` says what is held and why.\n"},
    {"version", "", 0, 0, "print the version", CTL_READ, NULL, cli_run_version, ""},
    {"help", "[COMMAND]", 0, 2, "print help", CTL_READ, cli_help_options, cli_run_help, ""},
};

const size_t cli_command_count = sizeof(cli_commands) / sizeof(cli_commands[0]);

/* How many arguments are the words of the name; 0 when they are others. */
static size_t match_words(const char *name, char *const *arguments, size_t count)
{
    size_t words = 0;
    struct slice rest = slice_of_text(name);
    while (rest.length > 0) {
        size_t length = slice_find(rest, ' ');
        if (words == count ||
            !slice_equal(slice_first(rest, length), slice_of_text(arguments[words])))
            return 0;
        words++;
        rest = slice_from(rest, length + 1);
    }
    return words;
}

const struct cli_command *cli_find_command(char *const *arguments, size_t count, size_t *used)
{
    const struct cli_command *found = NULL;
    *used = 0;
    /* The longest name: "rules rearm" is not "rules" with an argument. */
    for (size_t i = 0; i < cli_command_count; i++) {
        size_t words = match_words(cli_commands[i].name, arguments, count);
        if (words > *used) {
            *used = words;
            found = &cli_commands[i];
        }
    }
    return found;
}
