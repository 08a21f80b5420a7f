/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/random.h"
#include "replay_int.h"

#define HONEST_US (UINT64_C(30) * 1000000)

const struct cli_option cli_replay_options[] = {
    {.name = "rules",
     .letter = 'r',
     .kind = CLI_OPTION_LIST,
     .offset = offsetof(struct replay_options, rules),
     .value = "FILE",
     .help = "rules instead of those that the configuration names; may be given several times. "
             "Another configuration will do too"},
    {.name = "against",
     .letter = 'a',
     .kind = CLI_OPTION_LIST,
     .offset = offsetof(struct replay_options, against),
     .value = "FILE",
     .help = "compare with what these rules, or this configuration, would have done"},
    {.name = "reputation",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct replay_options, reputation),
     .value = "FILE",
     .help = "numbers from this CSV file, or \"none\" (default: as configured, from Redis as it is "
             "now)"},
    {.name = "trunk",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct replay_options, trunk),
     .value = "NAME",
     .help = "trunk of calls whose source belongs to none (default: the first one)"},
    {.name = "csv",
     .kind = CLI_OPTION_FLAG,
     .offset = offsetof(struct replay_options, csv),
     .help = "the calls as CSV; no summary"},
    {.name = "suspicious",
     .letter = 's',
     .kind = CLI_OPTION_FLAG,
     .offset = offsetof(struct replay_options, suspicious),
     .help = "show only calls that would not simply have been allowed"},
    {.name = "write-suspicious",
     .letter = 'w',
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct replay_options, write_suspicious),
     .value = "FILE",
     .help = "write their packets to a new capture"},
    {.name = "fail-on",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct replay_options, fail_on),
     .value = "WHAT",
     .choices = "honest|blocked|any|never",
     .help = "with --against, what gives status 1: an honest-looking call newly blocked (honest, "
             "the default), any call newly blocked, any difference, or none"},
    {.name = "scores",
     .kind = CLI_OPTION_FLAG,
     .offset = offsetof(struct replay_options, scores),
     .help = "with --against, show also calls of which only the score changes (--json and --csv "
             "always do)"},
    {.name = "honest",
     .kind = CLI_OPTION_DURATION,
     .offset = offsetof(struct replay_options, honest_us),
     .min = 1000000,
     .max = INT64_C(86400) * 1000000,
     .value = "DURATION",
     .help = "an answered call that lasted as long looks honest (default 30s)"},
    {.name = NULL},
};

/* ---- calls --------------------------------------------------------------------------------- */

/* Judged once, by the INVITE that the daemon would have judged: the one from a trunk, else the
 * first. Messages of a suspicious call are marked from then on. */
static void hear(void *context, struct tap_call *call, const struct tap_message *message,
                 bool initial)
{
    struct replay *replay = context;
    struct replay_call *found = tap_call_extra(call);
    if (initial && (!found->verdicts[REPLAY_NEW].judged || found->trunk_assumed))
        replay_judge_call(replay, found, message);
    if (replay->options.write_suspicious != NULL &&
        replay_is_suspicious(&found->verdicts[REPLAY_NEW]))
        replay_mark(&replay->suspicious, message);
}

static void finish(void *context, struct tap_call *call)
{
    struct replay *replay = context;
    const struct replay_call *found = tap_call_extra(call);
    /* The bar gives way to the row. */
    if (replay->cli->out.terminal)
        cli_progress_clear(&replay->progress);
    if (replay->comparison != NULL) {
        replay_comparison_add(replay, call, found);
        return;
    }
    replay_summary_add(replay, call, found);
    if (!replay->options.suspicious || replay_is_suspicious(&found->verdicts[REPLAY_NEW]))
        replay_show_call(replay, call, found);
}

static void take_message(void *context, const struct tap_message *message)
{
    tap_calls_message(((struct replay *)context)->calls, message);
}

/* ---- the whole ----------------------------------------------------------------------------- */

static int create_parts(struct replay *replay)
{
    struct tap_path_limits limits;
    struct tap_calls_settings settings;
    const struct tap_calls_hooks hooks = {replay, hear, finish};
    tap_path_limits_default(&limits);
    tap_calls_settings_default(&settings);
    settings.extra_bytes = sizeof(struct replay_call);
    /* Whoever wrote the capture must not know where its calls lie. */
    int error = random_bytes(&limits.key, sizeof(limits.key));
    settings.key = limits.key;
    if (error == 0)
        error = tap_path_create(&limits, take_message, replay, &replay->path);
    if (error == 0)
        error = tap_calls_create(&settings, &hooks, &replay->calls);
    if (error != 0)
        return error;
    replay->summary = replay_summary_create(replay);
    if (replay->sides > 1)
        replay->comparison = replay_comparison_create(replay);
    return replay->summary != NULL && (replay->sides == 1 || replay->comparison != NULL) ? 0
                                                                                         : -ENOMEM;
}

static int run(struct replay *replay, char **paths, size_t count)
{
    int status = replay_open_judges(replay);
    if (status != CLI_EXIT_OK)
        return status;
    int error = create_parts(replay);
    if (error != 0) {
        cli_complain(replay->cli, "%s", error_text(error));
        return CLI_EXIT_NO;
    }
    if (!replay_can_write(replay))
        return CLI_EXIT_NO;
    replay_show_header(replay);
    status = replay_read(replay, paths, count);
    if (replay->comparison != NULL)
        replay_comparison_show(replay);
    else
        replay_summary_show(replay);
    if (replay->options.write_suspicious != NULL &&
        replay_write_suspicious(replay, paths, count) != CLI_EXIT_OK)
        status = CLI_EXIT_NO;
    if (status == CLI_EXIT_OK && replay->comparison != NULL && replay_comparison_fails(replay))
        status = CLI_EXIT_NO;
    return status;
}

static void clean_up(struct replay *replay)
{
    replay_summary_destroy(replay->summary);
    replay_comparison_destroy(replay->comparison);
    tap_calls_destroy(replay->calls);
    tap_path_destroy(replay->path);
    replay_close_judges(replay);
    free(replay->suspicious.words);
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat first, second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* False after a complaint. */
static bool options_agree(const struct replay *replay, char **paths, size_t count)
{
    const struct replay_options *options = &replay->options;
    const char *problem = NULL;
    size_t inputs = 0;
    for (size_t i = 0; i < count; i++) {
        inputs += strcmp(paths[i], "-") == 0 ? 1 : 0;
        if (options->write_suspicious != NULL && is_same_file(paths[i], options->write_suspicious))
            problem = "--write-suspicious would overwrite a capture that is read";
    }
    if (options->csv && replay->cli->json)
        problem = "--csv and --json exclude each other";
    else if (options->fail_on != NULL && options->against.count == 0)
        problem = "--fail-on needs --against FILE, the rules to compare with";
    else if ((options->scores || options->honest_us != 0) && options->against.count == 0)
        problem = "--scores and --honest need --against FILE, the rules to compare with";
    else if (options->suspicious && options->against.count > 0)
        problem = "--suspicious and --against exclude each other: a comparison shows what changes";
    else if (options->write_suspicious != NULL && options->against.count > 0)
        problem = "--write-suspicious and --against exclude each other";
    else if (inputs > 1)
        problem = "standard input (-) can be read only once";
    else if (inputs > 0 && options->write_suspicious != NULL)
        problem = "--write-suspicious reads twice, so it needs files, not standard input";
    if (problem != NULL)
        cli_complain(replay->cli, "%s", problem);
    return problem == NULL;
}

int cli_run_replay(struct cli *cli, char **arguments, size_t count)
{
    struct replay replay = {
        .cli = cli,
        .progress = {.output = &cli->err, .what = "messages"},
    };
    if (!cli_take_options(cli, cli_replay_options, &replay.options, arguments, &count) ||
        !options_agree(&replay, arguments, count))
        return CLI_EXIT_USAGE;
    if (replay.options.honest_us == 0)
        replay.options.honest_us = HONEST_US;
    replay.sides = replay.options.against.count > 0 ? REPLAY_SIDES : 1;
    replay.progress.started_us = clock_monotonic_us();
    int status = run(&replay, arguments, count);
    clean_up(&replay);
    return status;
}
