/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packet path and the calls under anything: nothing is read beyond what was captured, limits
 * hold, each packet is accounted for once, and each call is handed out once. The input is a
 * sequence of packets: a byte for the link type and how the clock moves, two for the length, then
 * the packet, in memory of its size.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tap/calls.h"
#include "tap/path.h"

#define REQUIRE(condition)                                                  \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

enum { HEADER = 3, DATAGRAMS = 8, FLOWS = 16, MESSAGE = 2048, BYTES = 1 << 16, CALLS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t messages, calls_done;
static struct tap_calls *calls;

static void done(void *context, struct tap_call *call)
{
    (void)context;
    REQUIRE(call->outcome < TAP_OUTCOME_COUNT);
    REQUIRE(call->call_id_length <= TAP_CALL_ID_BYTES && call->caller_length <= TAP_USER_BYTES);
    calls_done++;
}

/* Reads each byte, so that a sanitizer sees those that are not there. */
static void take(void *context, const struct tap_message *message)
{
    static volatile char sink;
    struct slice bytes = message->sip->bytes;
    for (size_t i = 0; i < bytes.length; i++)
        sink ^= bytes.data[i];
    REQUIRE(message->packet_count > 0);
    for (uint32_t i = 0; i < message->packet_count; i++)
        REQUIRE(message->packets[i] > 0);
    (void)context;
    messages++;
    tap_calls_message(calls, message);
    REQUIRE(tap_calls_count(calls) <= CALLS);
}

static void feed(struct tap_path *path, const uint8_t *head, const uint8_t *bytes, size_t length,
                 struct tap_packet *packet)
{
    /* Mostly forwards, in steps from nothing to minutes; sometimes back. */
    static const int64_t steps[] = {0, 100, 60000, 600000, 6000000, 40000000, -1000, -90000000};
    char *exact = malloc(length > 0 ? length : 1);
    REQUIRE(exact != NULL);
    if (length > 0)
        memcpy(exact, bytes, length);
    packet->bytes = slice_make(exact, length);
    packet->link = (enum tap_link)((head[0] & 0x0f) % TAP_LINK_COUNT);
    packet->wall_us += (uint64_t)steps[head[0] >> 4 & 7];
    packet->number++;
    tap_path_packet(path, packet);
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tap_path_limits limits;
    struct tap_calls_settings settings;
    const struct tap_calls_hooks hooks = {NULL, NULL, done};
    struct tap_path *path;
    struct tap_packet packet = {.wall_us = UINT64_C(1795000000000000)};
    tap_path_limits_default(&limits);
    limits.datagrams = DATAGRAMS;
    limits.fragment_bytes = BYTES;
    limits.flows = FLOWS;
    limits.stream_bytes = BYTES;
    limits.message_bytes = MESSAGE;
    limits.seen = 64;
    messages = 0;
    calls_done = 0;
    tap_calls_settings_default(&settings);
    settings.limit = CALLS;
    REQUIRE(tap_calls_create(&settings, &hooks, &calls) == 0);
    REQUIRE(tap_path_create(&limits, take, NULL, &path) == 0);
    while (size >= HEADER) {
        size_t length = (size_t)data[1] << 8 | data[2];
        length = length < size - HEADER ? length : size - HEADER;
        feed(path, data, data + HEADER, length, &packet);
        data += HEADER + length;
        size -= HEADER + length;
    }
    tap_path_flush(path);
    const struct tap_counts *counts = tap_path_counts(path);
    REQUIRE(counts->of[TAP_PACKETS] == packet.number);
    REQUIRE(counts->of[TAP_MESSAGES] + counts->of[TAP_OTHER_LEG] == messages);
    tap_calls_flush(calls);
    REQUIRE(tap_calls_figures(calls)->calls == calls_done);
    tap_calls_destroy(calls);
    tap_path_destroy(path);
    return 0;
}
