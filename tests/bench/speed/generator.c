/* SPDX-License-Identifier: Apache-2.0 */
/* The load generator's main: options, the loop, and when what is measured. See generator.h. */
#include "generator.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define BURST      32 /* calls begun before what came in is looked at */
#define NAP_NS     UINT64_C(1000000)
#define LATE_SHARE 0.05
#define LATE_CALLS 64

static const char usage[] =
    "usage: generator [option]...\n"
    "  --rate N       calls per second (1000)      --seconds S    time that counts (10)\n"
    "  --warm S       before that (0)              --drain S      at the end, at most (4)\n"
    "  --calls N      stop after so many calls     --callers N    different numbers (1000000)\n"
    "  --ring MS      before the 200 (0)           --hold MS      before the BYE (0)\n"
    "  --listed P     percent of listed callers    --mark NAME    count INVITEs with this header\n"
    "  --sockets N    of the caller (1)            --seed N\n"
    "  --caller A:P   (127.0.0.1:7000)             --callee A:P   (127.0.0.2:5080)\n"
    "  --proxy A:P    (127.0.0.1:5060)             --direct       caller to callee, no proxy\n"
    "  --asked STATUS what ends a question well    (0: calls)\n"
    "  --busy         never sleep                  --processor N  stay on this one\n"
    "  --tcp, --tls   connections, with --certificate FILE and --key FILE for the latter\n"
    "  --callees N    next hops (1)                --failures     tell each failed call\n"
    "  --lost P, --doubled P, --late P             percent of datagrams, each way\n"
    "  --once         repeat nothing\n"
    "  --steer        commands on standard input: \"answer N\", \"silent N\", \"closed N\",\n"
    "                 \"slow N MS\", \"refuse N STATUS\" for next hop N, \"reset N\" (0: the\n"
    "                 callers) for connections, \"mark\", \"end\"; an end of input is \"end\", "
    "too\n"
    "  --keep         with --calls: let them ring (--ring 1) or talk until standard input ends\n"
    "Prints a line of JSON when what counts begins (\"measuring\"), when no more calls begin\n"
    "(\"offered\"), with --keep when all calls stand (\"held\"), and at the end (\"result\").\n";

enum option_kind { REAL, WHOLE, SMALL, SIGNED, FLAG, ADDRESS, TEXT };

struct option_row {
    const char *name;
    enum option_kind kind;
    void *value;
};

static struct generator_settings settings = {.rate = 1000,
                                             .seconds = 10,
                                             .drain = 4,
                                             .callers = 1000000,
                                             .sockets = 1,
                                             .callees = 1,
                                             .processor = -1};

static const struct option_row rows[] = {
    {"rate", REAL, &settings.rate},
    {"seconds", REAL, &settings.seconds},
    {"warm", REAL, &settings.warm},
    {"drain", REAL, &settings.drain},
    {"calls", WHOLE, &settings.calls},
    {"callers", WHOLE, &settings.callers},
    {"ring", WHOLE, &settings.ring_ms},
    {"hold", WHOLE, &settings.hold_ms},
    {"listed", SMALL, &settings.listed},
    {"mark", TEXT, &settings.mark},
    {"sockets", SMALL, &settings.sockets},
    {"callees", SMALL, &settings.callees},
    {"lost", REAL, &settings.lost},
    {"doubled", REAL, &settings.doubled},
    {"late", REAL, &settings.late},
    {"steer", FLAG, &settings.steer},
    {"once", FLAG, &settings.once},
    {"failures", FLAG, &settings.failures},
    {"seed", WHOLE, &settings.seed},
    {"caller", ADDRESS, &settings.caller},
    {"callee", ADDRESS, &settings.callee},
    {"proxy", ADDRESS, &settings.proxy},
    {"direct", FLAG, &settings.direct},
    {"busy", FLAG, &settings.busy},
    {"processor", SIGNED, &settings.processor},
    {"keep", FLAG, &settings.keep},
    {"asked", SMALL, &settings.asked},
    {"tcp", FLAG, &settings.tcp},
    {"tls", FLAG, &settings.tls},
    {"certificate", TEXT, &settings.certificate},
    {"key", TEXT, &settings.key},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void bad_option(const char *name, const char *text)
{
    fprintf(stderr, "generator: --%s: \"%s\" is not what is expected\n%s", name, text, usage);
    exit(2);
}

static struct sockaddr_in read_address(const char *name, const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[INET_ADDRSTRLEN];
    unsigned port;
    if (sscanf(text, "%15[0-9.]:%u", host, &port) != 2 || port == 0 || port > 65535 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1)
        bad_option(name, text);
    address.sin_port = htons((uint16_t)port);
    return address;
}

static void take_option(const struct option_row *row, const char *text)
{
    char *past = NULL;
    double number = text != NULL ? strtod(text, &past) : 0;
    bool numeric = row->kind <= SIGNED;
    if (numeric && (past == text || *past != 0 || number < 0 || number > 1e15))
        bad_option(row->name, text);
    switch (row->kind) {
    case REAL:
        *(double *)row->value = number;
        break;
    case WHOLE:
        *(uint64_t *)row->value = (uint64_t)number;
        break;
    case SMALL:
        *(unsigned *)row->value = (unsigned)number;
        break;
    case SIGNED:
        *(int *)row->value = (int)number;
        break;
    case FLAG:
        *(bool *)row->value = true;
        break;
    case ADDRESS:
        *(struct sockaddr_in *)row->value = read_address(row->name, text);
        break;
    case TEXT:
        *(const char **)row->value = text;
        break;
    }
}

static void read_options(int count, char **arguments)
{
    struct option options[ROWS + 1] = {0};
    int chosen = 0;
    for (size_t i = 0; i < ROWS; i++)
        options[i] = (struct option){
            rows[i].name, rows[i].kind == FLAG ? no_argument : required_argument, NULL, (int)i};
    settings.caller = read_address("caller", "127.0.0.1:7000");
    settings.callee = read_address("callee", "127.0.0.2:5080");
    settings.proxy = read_address("proxy", "127.0.0.1:5060");
    while ((chosen = getopt_long(count, arguments, "", options, NULL)) != -1) {
        if (chosen == '?') {
            fputs(usage, stderr);
            exit(2);
        }
        take_option(&rows[chosen], optarg);
    }
    if (settings.rate <= 0 || settings.sockets == 0 || settings.sockets > GENERATOR_SOCKETS ||
        settings.callees == 0 || settings.callees > GENERATOR_CALLEES || settings.callers < 100 ||
        (settings.keep && settings.steer) || (settings.keep && settings.calls == 0)) {
        fputs(usage, stderr);
        exit(2);
    }
}

struct loop {
    struct generator_calls *calls;
    struct generator_results results;
    struct generator_steering steering;
    uint64_t begun;
    uint64_t count_from;
    uint64_t until;
    uint64_t marked_at;
    double cpu_at_mark;
    uint64_t placed;
    uint64_t due;        /* calls that should have been placed by now */
    double next_arrival; /* nanoseconds from `begun` */
    uint64_t random;
    bool measuring;
    bool offered;
};

static double own_cpu(void)
{
    struct rusage usage_now;
    getrusage(RUSAGE_SELF, &usage_now);
    return (double)(usage_now.ru_utime.tv_sec + usage_now.ru_stime.tv_sec) +
           (double)(usage_now.ru_utime.tv_usec + usage_now.ru_stime.tv_usec) / 1e6;
}

/* xorshift64: exponentially distributed with the mean of the rate. */
static double draw_interval(struct loop *loop)
{
    loop->random ^= loop->random << 13;
    loop->random ^= loop->random >> 7;
    loop->random ^= loop->random << 17;
    double uniform = ((double)(loop->random >> 11) + 1) / 9007199254740993.0;
    return -log(uniform) * (double)GENERATOR_SECOND / settings.rate;
}

static bool place_calls(struct loop *loop, uint64_t now)
{
    while (loop->next_arrival <= (double)(now - loop->begun)) {
        loop->due++;
        loop->next_arrival += draw_interval(loop);
    }
    if (settings.calls > 0 && loop->due > settings.calls)
        loop->due = settings.calls;
    if ((double)(loop->due - loop->placed) > settings.rate * LATE_SHARE + LATE_CALLS)
        loop->results.late++;
    unsigned burst = 0;
    for (; loop->placed < loop->due && burst < BURST; burst++, loop->placed++)
        calls_start(loop->calls, now >= loop->count_from, now);
    return burst > 0;
}

static void begin_measuring(struct loop *loop, uint64_t now)
{
    loop->measuring = true;
    loop->marked_at = now;
    loop->cpu_at_mark = own_cpu();
    loop->results.completed_between = 0;
    puts("{\"event\": \"measuring\"}");
    fflush(stdout);
}

static void end_measuring(struct loop *loop, uint64_t now)
{
    loop->offered = true;
    printf("{\"event\": \"offered\", \"completed\": %llu, \"seconds\": %.6f}\n",
           (unsigned long long)loop->results.completed_between,
           (double)(now - loop->marked_at) / 1e9);
    fflush(stdout);
    loop->results.own_cpu_between = own_cpu() - loop->cpu_at_mark;
    loop->results.seconds_between = (double)(now - loop->marked_at) / 1e9;
}

static bool input_ended(void)
{
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    char byte;
    return poll(&input, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

/* After the last call: until all have ended, or, with --keep, until told to end. */
static bool is_over(struct loop *loop, uint64_t now)
{
    static bool held = false;
    double drain = settings.drain + (double)(settings.ring_ms + settings.hold_ms) / 1e3;
    bool late = now > loop->until + (uint64_t)(drain * (double)GENERATOR_SECOND);
    if (!settings.keep)
        return loop->results.concurrent == 0 || late;
    if (!held && (calls_unsettled(loop->calls) == 0 || late)) {
        held = true;
        printf("{\"event\": \"held\", \"calls\": %llu}\n",
               (unsigned long long)(loop->results.concurrent - calls_unsettled(loop->calls)));
        fflush(stdout);
    }
    return held && input_ended();
}

static void run(struct loop *loop)
{
    uint64_t completed = 0;
    for (;;) {
        uint64_t now = generator_now();
        bool worked = false;
        if (settings.steer)
            steering_turn(&loop->steering, loop->calls, &loop->results, now);
        bool placing = now < loop->until && !loop->steering.ended &&
                       (settings.calls == 0 || loop->placed < settings.calls);
        if (!loop->measuring && now >= loop->count_from)
            begin_measuring(loop, now);
        if (placing) {
            worked = place_calls(loop, now);
        } else if (!loop->offered) {
            loop->until = now;
            completed = loop->results.completed_between;
            end_measuring(loop, now);
        } else if (is_over(loop, now)) {
            break;
        }
        worked = calls_turn(loop->calls, now) || worked;
        if (!worked && !settings.busy) {
            double wait = placing ? loop->next_arrival - (double)(now - loop->begun) : 1e9;
            if (wait > 0)
                calls_wait(loop->calls, wait < (double)NAP_NS ? (uint64_t)wait : NAP_NS);
        }
    }
    loop->results.completed_between = completed;
}

int main(int count, char **arguments)
{
    struct loop loop = {.random = UINT64_C(88172645463325252)};
    read_options(count, arguments);
    if (settings.processor >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)settings.processor, &set);
        if (sched_setaffinity(0, sizeof(set), &set) != 0) {
            fprintf(stderr, "generator: processor %d: %s\n", settings.processor, strerror(errno));
            return 1;
        }
    }
    results_init(&loop.results);
    loop.begun = generator_now();
    /* Another run against the same proxy must not look like a retransmission of this one. */
    settings.seed = (settings.seed << 20 ^ loop.begun / 1000) & ((UINT64_C(1) << 38) - 1);
    loop.calls = calls_create(&settings, &loop.results);
    loop.begun = generator_now();
    loop.count_from = loop.begun + (uint64_t)(settings.warm * (double)GENERATOR_SECOND);
    loop.until = loop.count_from + (uint64_t)(settings.seconds * (double)GENERATOR_SECOND);
    loop.next_arrival = draw_interval(&loop);
    run(&loop);
    calls_give_up(loop.calls);
    results_print(&loop.results);
    calls_destroy(loop.calls);
    results_free(&loop.results);
    return 0;
}
