/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap: makes captures, plain and hostile, and measures the packet path.
 *
 *   tap calls COUNT FILE      calls of seven messages each, with SDP and what trunks add
 *   tap KIND COUNT FILE       packets of a hostile kind (the table below)
 *   tap read STAGE FILE       packets, messages or calls: prints JSON with the processor time
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tap/calls.h"
#include "tap/file.h"

enum { PACKET_BYTES = 4096, RAW_IP = 101, UDP = 17, TCP = 6, SYN = 2 };

static void fail(const char *why)
{
    fprintf(stderr, "tap: %s\n", why);
    exit(1);
}

/* ---- packets ------------------------------------------------------------------------------- */

struct packet {
    uint8_t bytes[PACKET_BYTES];
    size_t length;
};

static void put16(struct packet *packet, unsigned value)
{
    packet->bytes[packet->length++] = (uint8_t)(value >> 8);
    packet->bytes[packet->length++] = (uint8_t)value;
}

static void put32(struct packet *packet, uint32_t value)
{
    put16(packet, value >> 16);
    put16(packet, value & 0xffff);
}

struct ends {
    uint32_t source, destination;
    uint16_t source_port, destination_port;
};

static void put_ip(struct packet *packet, const struct ends *ends, unsigned protocol, size_t length,
                   unsigned identification, unsigned fragment)
{
    packet->length = 0;
    put16(packet, 0x4500);
    put16(packet, (unsigned)length + 20);
    put16(packet, identification);
    put16(packet, fragment);
    put16(packet, 0x4000 | protocol);
    put16(packet, 0);
    put32(packet, ends->source);
    put32(packet, ends->destination);
}

static void put_bytes(struct packet *packet, const void *bytes, size_t length)
{
    memcpy(packet->bytes + packet->length, bytes, length);
    packet->length += length;
}

static void make_udp(struct packet *packet, const struct ends *ends, const char *text,
                     size_t length)
{
    put_ip(packet, ends, UDP, length + 8, 1, 0);
    put16(packet, ends->source_port);
    put16(packet, ends->destination_port);
    put16(packet, (unsigned)length + 8);
    put16(packet, 0);
    put_bytes(packet, text, length);
}

static void make_tcp(struct packet *packet, const struct ends *ends, uint32_t sequence,
                     unsigned flags, const char *text, size_t length)
{
    put_ip(packet, ends, TCP, length + 20, 1, 0);
    put16(packet, ends->source_port);
    put16(packet, ends->destination_port);
    put32(packet, sequence);
    put32(packet, 0);
    put16(packet, 0x5000 | flags);
    put16(packet, 0xffff);
    put32(packet, 0);
    put_bytes(packet, text, length);
}

static void write32(FILE *file, uint32_t value)
{
    if (fwrite(&value, sizeof(value), 1, file) != 1)
        fail("cannot write");
}

static FILE *begin_file(const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        fail("cannot create the file");
    write32(file, 0xa1b2c3d4);
    write32(file, 0x00040002);
    write32(file, 0);
    write32(file, 0);
    write32(file, 65535);
    write32(file, RAW_IP);
    return file;
}

static void write_packet(FILE *file, const struct packet *packet, uint64_t wall_us)
{
    write32(file, (uint32_t)(wall_us / 1000000));
    write32(file, (uint32_t)(wall_us % 1000000));
    write32(file, (uint32_t)packet->length);
    write32(file, (uint32_t)packet->length);
    if (fwrite(packet->bytes, 1, packet->length, file) != packet->length)
        fail("cannot write");
}

/* ---- calls --------------------------------------------------------------------------------- */

static const uint64_t begun_us = UINT64_C(1795000000) * 1000000;

static const char *const sdp =
    "v=0\r\no=- 1795000000 1 IN IP4 10.1.0.1\r\ns=-\r\nc=IN IP4 10.1.0.1\r\nt=0 0\r\n"
    "m=audio 30000 RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:18 G729/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n";

/* X(start, method, cseq, branch, reversed, sdp, after): a call, step by step. */
static const struct step {
    const char *start; /* NULL: the request */
    const char *method;
    unsigned cseq, branch;
    bool back, has_sdp;
    uint64_t after_us;
} steps[] = {
    {NULL, "INVITE", 1, 1, false, true, 0},
    {"100 Trying", "INVITE", 1, 1, true, false, 2000},
    {"180 Ringing", "INVITE", 1, 1, true, false, 800000},
    {"200 OK", "INVITE", 1, 1, true, true, 4000000},
    {NULL, "ACK", 1, 2, false, false, 4010000},
    {NULL, "BYE", 2, 3, false, false, 0}, /* after the talk */
    {"200 OK", "BYE", 2, 3, true, false, 10000},
};

enum { STEPS = sizeof(steps) / sizeof(steps[0]), STEP_BYE = 5 };

static int compose(char *text, size_t capacity, unsigned call, const struct step *step)
{
    char start[96];
    unsigned callee = 70000000 + call * 7919 % 9999999;
    bool tagged =
        step->back ? strcmp(step->start, "100 Trying") != 0 : step->cseq > 1 || step->branch > 1;
    if (step->start != NULL)
        snprintf(start, sizeof(start), "SIP/2.0 %s", step->start);
    else
        snprintf(start, sizeof(start), "%s sip:+86137%08u@10.2.0.1:5060 SIP/2.0", step->method,
                 callee);
    return snprintf(
        text, capacity,
        "%s\r\nVia: SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bK-%u-%u;rport\r\n"
        "From: \"caller\" <sip:+86138%08u@10.1.0.1>;tag=from%u\r\n"
        "To: <sip:+86137%08u@10.2.0.1>%s\r\nCall-ID: %u-3c26700c1adb@10.1.0.1\r\nCSeq: %u %s\r\n"
        "Contact: <sip:10.1.0.1:5060>\r\nMax-Forwards: 70\r\n"
        "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK\r\nSupported: 100rel, timer\r\n"
        "User-Agent: softswitch 7.2\r\nP-Asserted-Identity: <sip:+86138%08u@10.1.0.1>\r\n"
        "%sContent-Length: %zu\r\n\r\n%s",
        start, call, step->branch, call % 100000000, call, callee, tagged ? ";tag=to" : "", call,
        step->cseq, step->method, call % 100000000,
        step->has_sdp ? "Content-Type: application/sdp\r\n" : "", step->has_sdp ? strlen(sdp) : 0,
        step->has_sdp ? sdp : "");
}

/* Calls overlap as they do on a trunk: one begins each millisecond, and talks for 10 to 90 s. The
 * packets are written in order of time, from one queue for each step. */
static void make_calls(unsigned count, FILE *file)
{
    static struct packet packet;
    unsigned next[STEPS] = {0};
    char text[PACKET_BYTES];
    for (uint64_t written = 0; written < (uint64_t)count * STEPS; written++) {
        uint64_t earliest = UINT64_MAX;
        unsigned chosen = 0;
        for (unsigned i = 0; i < STEPS; i++) {
            uint64_t talk_us = i >= STEP_BYE ? 44010000 : 0;
            uint64_t at = begun_us + next[i] * UINT64_C(1000) + steps[i].after_us + talk_us;
            if (next[i] < count && at < earliest) {
                earliest = at;
                chosen = i;
            }
        }
        const struct step *step = &steps[chosen];
        struct ends ends = {0x0a010001, 0x0a020001, 5060, 5060};
        if (step->back)
            ends = (struct ends){ends.destination, ends.source, 5060, 5060};
        int length = compose(text, sizeof(text), next[chosen]++, step);
        make_udp(&packet, &ends, text, (size_t)length);
        write_packet(file, &packet, earliest);
    }
}

/* ---- hostile ------------------------------------------------------------------------------- */

typedef void make_fn(struct packet *packet, unsigned number);

static char filler[1400];

/* First fragments of datagrams that never end. */
static void make_fragment(struct packet *packet, unsigned number)
{
    const struct ends ends = {0x0a000000 + number / 65536, 0x0a020001, 0, 0};
    put_ip(packet, &ends, UDP, 1400, number & 0xffff, 0x2000);
    put_bytes(packet, filler, 1400);
}

static void make_tiny(struct packet *packet, unsigned number)
{
    const struct ends ends = {0x0a000000 + number / 128 / 65536, 0x0a020001, 0, 0};
    put_ip(packet, &ends, UDP, 8, number / 128 & 0xffff, 0x2000 | number % 128);
    put_bytes(packet, filler, 8);
}

static void make_syn(struct packet *packet, unsigned number)
{
    const struct ends ends = {0x0a000000 + number / 60000, 0x0a020001, (uint16_t)(number % 60000),
                              5060};
    make_tcp(packet, &ends, number, SYN, "", 0);
}

/* Segments behind holes, on many connections. */
static void make_hole(struct packet *packet, unsigned number)
{
    const struct ends ends = {0x0a000000 + number % 100000, 0x0a020001, 4000, 5060};
    if (number < 100000)
        make_tcp(packet, &ends, 0, SYN, "", 0);
    else
        make_tcp(packet, &ends, 100 + number / 100000 * 1400, 0, filler, sizeof(filler));
}

/* Beginnings of messages that never end, on many connections. */
static void make_beginning(struct packet *packet, unsigned number)
{
    char text[1500];
    const struct ends ends = {0x0a000000 + number, 0x0a020001, 4000, 5060};
    int length = snprintf(text, sizeof(text), "INVITE sip:x@y SIP/2.0\r\nSubject: %.1300s", filler);
    make_tcp(packet, &ends, 1, 0, text, (size_t)length);
}

/* A new call with each packet. */
static void make_invite(struct packet *packet, unsigned number)
{
    char text[PACKET_BYTES];
    const struct ends ends = {0x0a010001, 0x0a020001, 5060, 5060};
    int length = compose(text, sizeof(text), number, &steps[0]);
    make_udp(packet, &ends, text, (size_t)length);
}

static const struct {
    const char *name;
    make_fn *make;
} hostile[] = {
    {"fragments", make_fragment},
    {"tiny", make_tiny},
    {"syn", make_syn},
    {"holes", make_hole},
    {"beginnings", make_beginning},
    {"invites", make_invite},
};

static bool make_hostile(const char *kind, unsigned count, FILE *file)
{
    static struct packet packet;
    memset(filler, 'x', sizeof(filler) - 1);
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        if (strcmp(hostile[i].name, kind) != 0)
            continue;
        for (unsigned number = 0; number < count; number++) {
            hostile[i].make(&packet, number);
            write_packet(file, &packet, begun_us + number);
        }
        return true;
    }
    return false;
}

/* ---- measuring ----------------------------------------------------------------------------- */

static double processor_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct tap_calls *calls;
static uint64_t done_calls;

static void ignore(void *context, const struct tap_message *message)
{
    (void)context;
    (void)message;
}

static void follow(void *context, const struct tap_message *message)
{
    (void)context;
    tap_calls_message(calls, message);
}

static void done(void *context, struct tap_call *call)
{
    (void)context;
    (void)call;
    done_calls++;
}

static void read_file(const char *stage, const char *path)
{
    char message[512];
    struct tap_file *file;
    struct tap_packet packet;
    struct tap_path *tap;
    struct tap_path_limits limits;
    struct tap_calls_settings settings;
    const struct tap_calls_hooks hooks = {NULL, NULL, done};
    uint64_t packets = 0;
    int error;
    tap_path_limits_default(&limits);
    tap_calls_settings_default(&settings);
    bool with_path = strcmp(stage, "packets") != 0;
    if (tap_file_open(path, message, sizeof(message), &file) != 0 ||
        tap_calls_create(&settings, &hooks, &calls) != 0 ||
        tap_path_create(&limits, strcmp(stage, "calls") == 0 ? follow : ignore, NULL, &tap) != 0)
        fail("cannot begin");
    double begun = processor_seconds();
    while ((error = tap_file_next(file, &packet, message, sizeof(message))) == 0) {
        packets++;
        if (with_path)
            tap_path_packet(tap, &packet);
    }
    tap_path_flush(tap);
    tap_calls_flush(calls);
    double seconds = processor_seconds() - begun;
    printf("{\"stage\":\"%s\",\"packets\":%" PRIu64 ",\"messages\":%" PRIu64 ",\"calls\":%" PRIu64
           ",\"seconds\":%.6f}\n",
           stage, packets, tap_path_counts(tap)->of[TAP_MESSAGES], done_calls, seconds);
    if (error != ERROR_NOT_FOUND)
        fail(message);
}

int main(int count, char **arguments)
{
    if (count != 4)
        fail("usage: tap calls|KIND COUNT FILE, or tap read STAGE FILE");
    if (strcmp(arguments[1], "read") == 0) {
        read_file(arguments[2], arguments[3]);
        return 0;
    }
    unsigned packets = (unsigned)strtoul(arguments[2], NULL, 10);
    FILE *file = begin_file(arguments[3]);
    if (strcmp(arguments[1], "calls") == 0)
        make_calls(packets, file);
    else if (!make_hostile(arguments[1], packets, file))
        fail("no such kind");
    if (fclose(file) != 0)
        fail("cannot write");
    return 0;
}
