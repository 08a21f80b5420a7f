/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trickle: connections that send a byte a second each, and a place for them that is not Ringfence.
 *
 *   trickle send ADDRESS SOURCE COUNT   from SOURCE, as "127.0.1.1" to "127.0.0.1:5060"
 *   trickle sink ADDRESS                takes them and never reads
 *
 * What they send begins an INVITE whose headers never end. The bytes go one at a time, evenly
 * over the second. "ready COUNT" is printed once they stand, "sent BYTES" at the end (SIGTERM).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define COUNT_MOST 60000
#define SECOND_NS  UINT64_C(1000000000)
#define BACKLOG    4096

static int connections[COUNT_MOST];
static volatile sig_atomic_t stopped;

static void fail(const char *what)
{
    fprintf(stderr, "trickle: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

/* "127.0.0.1:5060" or "127.0.0.1". */
static struct sockaddr_in read_address(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[INET_ADDRSTRLEN];
    unsigned port = 0;
    if (sscanf(text, "%15[0-9.]:%u", host, &port) < 1 || port > 65535 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        fprintf(stderr, "trickle: \"%s\" is no address such as 127.0.0.1:5060\n", text);
        exit(2);
    }
    address.sin_port = htons((uint16_t)port);
    return address;
}

static void sink(const char *place)
{
    const struct sockaddr_in own = read_address(place);
    const int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (const struct sockaddr *)&own, sizeof(own)) != 0 ||
        listen(listener, BACKLOG) != 0)
        fail(place);
    puts("ready 0");
    fflush(stdout);
    while (!stopped)
        if (accept(listener, NULL, NULL) < 0 && errno != EINTR && errno != ECONNABORTED)
            fail("accept");
    puts("sent 0");
}

static int dial(const struct sockaddr_in *to, const struct sockaddr_in *from)
{
    const int on = 1;
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    (void)setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (descriptor < 0 || bind(descriptor, (const struct sockaddr *)from, sizeof(*from)) != 0 ||
        connect(descriptor, (const struct sockaddr *)to, sizeof(*to)) != 0)
        fail("connect");
    return descriptor;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t at_ns)
{
    const struct timespec at = {(time_t)(at_ns / SECOND_NS), (long)(at_ns % SECOND_NS)};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* The calls' generator may have the same processor: whoever else wants it goes before. */
static void be_modest(void)
{
    const struct sched_param none = {0};
    if (sched_setscheduler(0, SCHED_IDLE, &none) != 0 || prctl(PR_SET_TIMERSLACK, 1UL) != 0)
        fail("SCHED_IDLE");
}

/* The next byte of one connection; it goes round for good. */
static void send_byte(int descriptor, uint64_t place)
{
    static const char begin[] = "INVITE sip:slow@example.net SIP/2.0\r\nX: ";
    const char *byte = place < sizeof(begin) - 1 ? &begin[place] : "y";
    if (send(descriptor, byte, 1, MSG_NOSIGNAL) != 1)
        fail("send");
}

static void trickle(const char *place, const char *source, uint64_t count)
{
    const struct sockaddr_in to = read_address(place), from = read_address(source);
    for (uint64_t i = 0; i < count; i++)
        connections[i] = dial(&to, &from);
    printf("ready %lu\n", (unsigned long)count);
    fflush(stdout);
    be_modest();
    uint64_t sent = 0, begun_ns = now_ns();
    while (!stopped) {
        send_byte(connections[sent % count], sent / count);
        sent++;
        sleep_until(begun_ns + sent * SECOND_NS / count);
    }
    printf("sent %lu\n", (unsigned long)sent);
}

int main(int count, char **words)
{
    const struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    if (count == 3 && strcmp(words[1], "sink") == 0) {
        sink(words[2]);
        return 0;
    }
    unsigned long held = count == 5 ? strtoul(words[4], NULL, 10) : 0;
    if (held == 0 || held > COUNT_MOST || strcmp(words[1], "send") != 0) {
        fputs("usage: trickle send ADDRESS SOURCE COUNT | trickle sink ADDRESS\n", stderr);
        return 2;
    }
    trickle(words[2], words[3], held);
    return 0;
}
