/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli_int.h"
#include "config/value.h"
#include "control/json.h"

enum { LIFE_TIMEOUT_MS = 10000 };

static int print_answer(const struct cli *cli, int status, const struct ctl_answer *answer)
{
    if (status == CLI_EXIT_OK)
        status = cli_exit_of(cli, answer);
    if (status == CLI_EXIT_OK && !cli->json) {
        cli_print(&cli->out, CLI_PLAIN, slice_of_text(answer->message));
        fputc('\n', cli->out.stream);
    }
    return status;
}

/* ---- drain -------------------------------------------------------------------------------- */

struct drain_options {
    uint64_t wait_us; /* 0: do not wait */
};

const struct cli_option cli_drain_options[] = {
    {.name = "wait",
     .kind = CLI_OPTION_DURATION,
     .offset = offsetof(struct drain_options, wait_us),
     .min = CONF_MS(1),
     .max = CONF_HOURS(24),
     .value = "TIME",
     .help = "wait until no call is left, at most so long"},
    {.name = NULL},
};

struct under_way {
    int64_t calls;
    int64_t transactions;
};

static int take_under_way(void *argument, struct slice line, struct json_object *object)
{
    struct under_way *left = argument;
    (void)line;
    left->calls = ctl_json_integer(object, "calls_held", 0);
    left->transactions = ctl_json_integer(object, "transactions", 0);
    return 0;
}

static int wait_for_calls(struct cli *cli, uint64_t limit_us)
{
    static const struct timespec pause = {.tv_nsec = 200000000};
    uint64_t end_us = clock_monotonic_us() + limit_us;
    for (;;) {
        struct under_way left = {0, 0};
        struct ctl_answer answer;
        int status = cli_ask(cli, "status", NULL, LIFE_TIMEOUT_MS, take_under_way, &left, &answer);
        if (status == CLI_EXIT_OK)
            status = cli_exit_of(cli, &answer);
        if (status != CLI_EXIT_OK)
            return status;
        if (left.calls == 0 && left.transactions == 0)
            return CLI_EXIT_OK;
        if (clock_monotonic_us() >= end_us) {
            cli_complain(cli, "%" PRId64 " calls and %" PRId64 " transactions are left", left.calls,
                         left.transactions);
            return CLI_EXIT_NO;
        }
        nanosleep(&pause, NULL);
    }
}

int cli_run_drain(struct cli *cli, char **arguments, size_t count)
{
    struct drain_options options = {0};
    struct ctl_answer answer;
    if (!cli_take_options(cli, cli_drain_options, &options, arguments, &count))
        return CLI_EXIT_USAGE;
    int status = cli_ask(cli, "drain", NULL, LIFE_TIMEOUT_MS, NULL, NULL, &answer);
    status = print_answer(cli, status, &answer);
    return status == CLI_EXIT_OK && options.wait_us > 0 ? wait_for_calls(cli, options.wait_us)
                                                        : status;
}

/* ---- upgrade ------------------------------------------------------------------------------ */

enum { UPGRADE_MARGIN_MS = 30000 };

struct upgrade_options {
    const char *binary; /* NULL: what the daemon was started from */
    uint64_t timeout_us;
};

const struct cli_option cli_upgrade_options[] = {
    {.name = "binary",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct upgrade_options, binary),
     .value = "FILE",
     .help = "the program to start (default: the path that the daemon was started from); for root "
             "and the daemon's own user"},
    {.name = "timeout",
     .kind = CLI_OPTION_DURATION,
     .offset = offsetof(struct upgrade_options, timeout_us),
     .min = CONF_MS(100),
     .max = CONF_MINUTES(10),
     .value = "TIME",
     .help = "how long the new process may take to become ready (default 30s)"},
    {.name = NULL},
};

int cli_run_upgrade(struct cli *cli, char **arguments, size_t count)
{
    struct upgrade_options options = {.timeout_us = CONF_SECONDS(30)};
    struct ctl_answer answer;
    char memory[PATH_MAX];
    if (!cli_take_options(cli, cli_upgrade_options, &options, arguments, &count))
        return CLI_EXIT_USAGE;
    /* The daemon has another current folder. */
    if (options.binary != NULL && realpath(options.binary, memory) == NULL) {
        cli_complain(cli, "%s: %s", options.binary, strerror(errno));
        return CLI_EXIT_USAGE;
    }
    struct json_object *request = json_object_new_object();
    json_object_object_add(request, "timeout_us",
                           json_object_new_int64((int64_t)options.timeout_us));
    if (options.binary != NULL)
        json_object_object_add(request, "binary", json_object_new_string(memory));
    unsigned timeout_ms = (unsigned)(options.timeout_us / 1000) + UPGRADE_MARGIN_MS;
    int status = cli_ask(cli, "upgrade", request, timeout_ms, NULL, NULL, &answer);
    json_object_put(request);
    return print_answer(cli, status, &answer);
}

int cli_run_undrain(struct cli *cli, char **arguments, size_t count)
{
    struct ctl_answer answer;
    (void)arguments;
    (void)count;
    int status = cli_ask(cli, "undrain", NULL, LIFE_TIMEOUT_MS, NULL, NULL, &answer);
    return print_answer(cli, status, &answer);
}
