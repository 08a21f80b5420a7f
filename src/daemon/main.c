/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/check.h"
#include "daemon/service.h"

#define DEFAULT_CONFIG "/etc/ringfence/ringfence.yaml"

struct option_row {
    char letter;
    const char *name;
    const char *argument; /* NULL: none */
    const char *help;
};

static const struct option_row option_rows[] = {
    {'c', "config", "FILE", "configuration file (default " DEFAULT_CONFIG ")"},
    {'t', "test", NULL, "check configuration and rules, run the rules' tests, and exit"},
    {'T', "take-over", "DESCRIPTOR",
     "begin with the sockets and calls of the daemon at the other end; used by \"ringfence "
     "upgrade\""},
    {'V', "version", NULL, "print the version and exit"},
    {'h', "help", NULL, "print this help and exit"},
};
#define OPTION_COUNT (sizeof(option_rows) / sizeof(option_rows[0]))

static void print_help(FILE *stream)
{
    fprintf(stream, "usage: ringfenced [OPTION]...\n"
                    "Screens the calls of SIP trunks: lets them pass, tags, diverts or blocks "
                    "them.\n\n");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char left[40];
        snprintf(left, sizeof(left), "-%c, --%s%s%s", option_rows[i].letter, option_rows[i].name,
                 option_rows[i].argument != NULL ? " " : "",
                 option_rows[i].argument != NULL ? option_rows[i].argument : "");
        fprintf(stream, "  %-22s %s\n", left, option_rows[i].help);
    }
    fprintf(stream, "\nSignals: HUP reloads configuration and rules, TERM drains and stops (twice: "
                    "at once), USR1 opens the log file again.\n"
                    "Exit status: 0 stopped in order, 1 configuration or rules have errors, "
                    "2 usage, 3 could not start.\n"
                    "See also: ringfence help, man ringfenced, man ringfence.yaml\n");
}

struct invocation {
    const char *config;
    int take_over;
    bool test;
    int exit_now; /* -1: go on */
};

static void parse_options(int count, char **arguments, struct invocation *invocation)
{
    struct option longs[OPTION_COUNT + 1] = {{0}};
    char shorts[2 * OPTION_COUNT + 1];
    size_t length = 0;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        longs[i].name = option_rows[i].name;
        longs[i].has_arg = option_rows[i].argument != NULL ? required_argument : no_argument;
        longs[i].val = (unsigned char)option_rows[i].letter;
        shorts[length++] = option_rows[i].letter;
        if (option_rows[i].argument != NULL)
            shorts[length++] = ':';
    }
    shorts[length] = '\0';
    uint64_t descriptor;
    int letter;
    while ((letter = getopt_long(count, arguments, shorts, longs, NULL)) != -1) {
        switch (letter) {
        case 'c':
            invocation->config = optarg;
            break;
        case 't':
            invocation->test = true;
            break;
        case 'T':
            if (slice_to_uint64(slice_of_text(optarg), INT_MAX, &descriptor) != 0) {
                fprintf(stderr, "ringfenced: --take-over %s: not a descriptor\n", optarg);
                invocation->exit_now = DAEMON_EXIT_USAGE;
                return;
            }
            invocation->take_over = (int)descriptor;
            break;
        case 'V':
            printf("ringfenced %s\n", RINGFENCE_VERSION);
            invocation->exit_now = DAEMON_EXIT_OK;
            return;
        case 'h':
            print_help(stdout);
            invocation->exit_now = DAEMON_EXIT_OK;
            return;
        default:
            fprintf(stderr, "Try 'ringfenced --help'.\n");
            invocation->exit_now = DAEMON_EXIT_USAGE;
            return;
        }
    }
    if (optind < count) {
        fprintf(stderr, "ringfenced: unexpected argument \"%s\"\nTry 'ringfenced --help'.\n",
                arguments[optind]);
        invocation->exit_now = DAEMON_EXIT_USAGE;
    }
}

static int test_configuration(const char *path, struct conf_report *report)
{
    struct daemon_check_result result;
    const struct daemon_check_request request = {.configuration = path, .wall_us = clock_wall_us()};
    int error = daemon_check(&request, report, &result);
    conf_report_print(report, stderr, isatty(STDERR_FILENO) != 0);
    if (error == 0)
        printf("%s: %zu rules, %zu tests passed\n", path, result.rules, result.tests_passed);
    return error == 0 ? DAEMON_EXIT_OK : DAEMON_EXIT_CONFIG;
}

/* As it was when the program started: the file may be replaced meanwhile. */
static const char *own_path(char *memory, size_t capacity)
{
    ssize_t length = readlink("/proc/self/exe", memory, capacity - 1);
    memory[length > 0 ? (size_t)length : 0] = '\0';
    return memory;
}

static int serve(const struct invocation *invocation, struct conf_report *report)
{
    struct stats_registry *registry = NULL;
    struct screen_ledger *ledger = NULL;
    struct tp_resolver *resolver = NULL;
    struct daemon_snapshot *snapshot = NULL;
    struct daemon_service *service = NULL;
    char program[PATH_MAX];
    const struct daemon_start start = {invocation->config, own_path(program, sizeof(program)),
                                       invocation->take_over};
    int code = DAEMON_EXIT_START;
    if (stats_registry_create(&registry) != 0 || screen_ledger_create(&ledger) != 0 ||
        tp_resolver_create(&resolver) != 0)
        goto out;
    if (daemon_snapshot_load(start.config_path, NULL, registry, ledger, resolver, report,
                             &snapshot) != 0) {
        conf_report_print(report, stderr, isatty(STDERR_FILENO) != 0);
        code = DAEMON_EXIT_CONFIG;
        goto out;
    }
    conf_report_print(report, stderr, isatty(STDERR_FILENO) != 0);
    log_set_level((enum log_level)snapshot->settings.log.level);
    if (log_set_file(snapshot->settings.log.file.data) != 0) {
        log_error("daemon", "log file %s cannot be opened", snapshot->settings.log.file.data);
        daemon_snapshot_destroy(snapshot);
        goto out;
    }
    if (daemon_service_create(&start, registry, ledger, resolver, snapshot, &service) != 0)
        goto out;
    code = daemon_service_run(service) == 0 ? DAEMON_EXIT_OK : DAEMON_EXIT_START;
    daemon_service_destroy(service);
out:
    tp_resolver_destroy(resolver);
    screen_ledger_destroy(ledger);
    stats_registry_destroy(registry);
    return code;
}

int main(int count, char **arguments)
{
    struct invocation invocation = {.config = DEFAULT_CONFIG, .take_over = -1, .exit_now = -1};
    struct conf_report *report = NULL;
    parse_options(count, arguments, &invocation);
    if (invocation.exit_now >= 0)
        return invocation.exit_now;
    if (conf_report_create(&report) != 0)
        return DAEMON_EXIT_START;
    int code = invocation.test ? test_configuration(invocation.config, report)
                               : serve(&invocation, report);
    conf_report_destroy(report);
    return code;
}
