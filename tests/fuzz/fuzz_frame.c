/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream cut at random: what comes out is what comes out of it uncut, piece by piece and fault
 * for fault, and a message that the scanner accepts ends where the frame says. The first bytes of
 * the input seed the cuts; each piece of memory ends with the bytes that have come in.
 *
 * And well-formed messages made of the rest, of any bodies, come out as they went in.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "message/frame.h"
#include "message/scan.h"

#define REQUIRE(condition)                                                  \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

enum { SEED_BYTES = 4, PIECE_LIMIT = 4096, STREAM_LIMIT = 1 << 16, BODY_LIMIT = 600 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct smsg_frame_limits limits = {2048, 4096, 1000};

struct pieces {
    size_t count;
    size_t lengths[PIECE_LIMIT];
    uint8_t kinds[PIECE_LIMIT];
    uint8_t fault;
};

static struct pieces whole, cut;
static struct smsg message;

static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 16;
}

static void add(struct pieces *pieces, enum smsg_frame_kind kind, size_t length)
{
    pieces->lengths[pieces->count] = length;
    pieces->kinds[pieces->count] = (uint8_t)kind;
    pieces->count++;
}

static void check_message(struct slice piece)
{
    if (smsg_scan(&message, piece) != 0)
        return;
    REQUIRE(slice_equal(message.bytes, piece));
    REQUIRE(message.content_length >= 0);
    REQUIRE((size_t)message.content_length == message.body.length);
}

/* Takes what there is. The copy has exactly the size, so that a sanitizer sees what is read beyond
 * it. */
static size_t take(struct smsg_frame *frame, struct slice held, struct pieces *pieces)
{
    size_t taken = 0;

    while (pieces->count < PIECE_LIMIT) {
        struct slice rest = slice_from(held, taken), piece;
        char *copy = malloc(rest.length + 1);

        REQUIRE(copy != NULL);
        memcpy(copy, rest.data, rest.length);
        enum smsg_frame_kind kind =
            smsg_frame_next(frame, slice_make(copy, rest.length), 0, &piece);
        if (kind == SMSG_FRAME_MESSAGE)
            check_message(piece);
        taken += piece.length;
        free(copy);
        if (kind == SMSG_FRAME_NOTHING || kind == SMSG_FRAME_BROKEN)
            break;
        add(pieces, kind, piece.length);
    }
    pieces->fault = frame->fault;
    return taken;
}

static void feed(struct slice stream, uint32_t seed, bool cuts, struct pieces *pieces)
{
    struct smsg_frame frame;
    size_t taken = 0, come = 0;

    smsg_frame_init(&frame, &limits);
    pieces->count = 0;
    pieces->fault = SMSG_FRAME_FAULT_NONE;
    while (come < stream.length && frame.fault == SMSG_FRAME_FAULT_NONE) {
        size_t left = stream.length - come;
        size_t step = cuts ? 1 + draw(&seed) % (1u << draw(&seed) % 10) : left;

        come += step < left ? step : left;
        taken += take(&frame, slice_between(stream.data + taken, stream.data + come), pieces);
    }
}

static void compare(struct slice stream, uint32_t seed)
{
    feed(stream, seed, false, &whole);
    feed(stream, seed, true, &cut);
    REQUIRE(whole.count == cut.count && whole.fault == cut.fault);
    REQUIRE(memcmp(whole.lengths, cut.lengths, whole.count * sizeof whole.lengths[0]) == 0);
    REQUIRE(memcmp(whole.kinds, cut.kinds, whole.count) == 0);
}

/* The bytes as bodies of a row of messages. */
static void round_trip(struct slice bytes, uint32_t seed)
{
    static char stream[STREAM_LIMIT];
    static size_t ends[PIECE_LIMIT];
    size_t used = 0, count = 0;

    while (bytes.length > 0 && used < STREAM_LIMIT - BODY_LIMIT - 200) {
        struct slice body = slice_first(bytes, draw(&seed) % BODY_LIMIT + 1);

        used += (size_t)snprintf(stream + used, STREAM_LIMIT - used,
                                 "MESSAGE sip:b@h SIP/2.0\r\n%s: %zu\r\n\r\n",
                                 draw(&seed) % 2 != 0 ? "Content-Length" : "l", body.length);
        memcpy(stream + used, body.data, body.length);
        used += body.length;
        ends[count++] = used;
        bytes = slice_from(bytes, body.length);
    }
    feed(slice_make(stream, used), seed, true, &cut);
    REQUIRE(cut.fault == SMSG_FRAME_FAULT_NONE && cut.count == count);
    for (size_t i = 0; i < count; i++) {
        REQUIRE(cut.kinds[i] == SMSG_FRAME_MESSAGE);
        REQUIRE(cut.lengths[i] == ends[i] - (i > 0 ? ends[i - 1] : 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < SEED_BYTES)
        return 0;
    uint32_t seed;
    memcpy(&seed, data, SEED_BYTES);
    struct slice stream = slice_make((const char *)data + SEED_BYTES, size - SEED_BYTES);
    compare(stream, seed);
    round_trip(stream, seed);
    return 0;
}
