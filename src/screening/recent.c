/* SPDX-License-Identifier: Apache-2.0 */
#include "screening/recent.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Positions count all bytes ever written, so that one below `tail` is known to be overwritten and
 * chains need no repair: a bucket has the newest record of its hashes, and each record the one
 * before it. Position 0 is nowhere.
 */
struct record {
    uint64_t previous; /* in the same bucket */
    uint32_t length;   /* with the bytes behind it, rounded up */
    bool padding;      /* nothing: the next record did not fit before the end */
    struct screen_recent_call call;
};

struct screen_recent {
    uint64_t head; /* where the next record goes */
    uint64_t tail; /* the oldest record */
    uint64_t mask; /* size of the ring - 1 */
    uint64_t bucket_mask;
    uint64_t *buckets;
    char *memory;
};

enum { ALIGNMENT = 8, RECORD_MAX = sizeof(struct record) + SCREEN_RECENT_KEPT_MAX + ALIGNMENT };

static struct record *record_at(const struct screen_recent *recent, uint64_t position)
{
    return (struct record *)(void *)(recent->memory + (position & recent->mask));
}

static uint64_t power_of_two(uint64_t least)
{
    uint64_t power = 1;
    while (power < least)
        power *= 2;
    return power;
}

int screen_recent_create(uint32_t calls, struct screen_recent **recent)
{
    uint64_t size = power_of_two((uint64_t)calls * SCREEN_RECENT_CALL_BYTES);
    size = size < 4 * RECORD_MAX ? power_of_two(4 * RECORD_MAX) : size;
    const uint64_t buckets = power_of_two(calls);
    struct screen_recent *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    /* A padding at the very end may have less room than it writes. */
    made->memory = calloc(1, size + sizeof(struct record));
    made->buckets = calloc(buckets, sizeof(*made->buckets));
    if (made->memory == NULL || made->buckets == NULL) {
        screen_recent_destroy(made);
        return -ENOMEM;
    }
    made->mask = size - 1;
    made->bucket_mask = buckets - 1;
    made->head = size;
    made->tail = size;
    *recent = made;
    return 0;
}

/* Lets the oldest records go until `length` bytes are free. */
static void make_room(struct screen_recent *recent, uint64_t length)
{
    while (recent->head + length - recent->tail > recent->mask + 1)
        recent->tail += record_at(recent, recent->tail)->length;
}

/* A place of `length` bytes in a row. */
static struct record *reserve(struct screen_recent *recent, uint32_t length)
{
    const uint64_t left = recent->mask + 1 - (recent->head & recent->mask);
    if (left < length) {
        make_room(recent, left);
        struct record *padding = record_at(recent, recent->head);
        padding->length = (uint32_t)left;
        padding->padding = true;
        recent->head += left;
    }
    make_room(recent, length);
    return record_at(recent, recent->head);
}

/* How much of the headers fits, by whole lines. */
static uint32_t kept_of(const struct smsg *message, bool *cut)
{
    const struct slice bytes = message->bytes;
    *cut = message->headers_end > SCREEN_RECENT_KEPT_MAX - 2;
    if (!*cut)
        return message->headers_end;
    const char *last = memrchr(bytes.data, '\n', SCREEN_RECENT_KEPT_MAX - 2);
    return last != NULL ? (uint32_t)(last - bytes.data) + 1 : 0;
}

void screen_recent_keep(struct screen_recent *recent, struct screen_recent_call *call,
                        const struct smsg *message)
{
    call->size = (uint32_t)message->bytes.length;
    call->kept = kept_of(message, &call->cut);
    uint64_t length =
        (sizeof(struct record) + call->kept + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
    struct record *record = reserve(recent, (uint32_t)length);
    uint64_t *bucket = &recent->buckets[call->call_hash & recent->bucket_mask];
    record->previous = *bucket;
    record->length = (uint32_t)length;
    record->padding = false;
    record->call = *call;
    memcpy((char *)record + sizeof(*record), message->bytes.data, call->kept);
    *bucket = recent->head;
    recent->head += length;
}

bool screen_recent_find(const struct screen_recent *recent, uint64_t call_hash, uint64_t since_us,
                        struct screen_recent_call *call, char *memory, uint32_t *count)
{
    uint64_t position = recent->buckets[call_hash & recent->bucket_mask];
    *count = 0;
    while (position != 0 && position >= recent->tail) {
        const struct record *record = record_at(recent, position);
        assert(!record->padding && record->previous < position);
        if (record->call.call_hash == call_hash && record->call.wall_us >= since_us &&
            (*count)++ == 0) {
            *call = record->call;
            memcpy(memory, (const char *)record + sizeof(*record), call->kept);
            memory[call->kept++] = '\r';
            memory[call->kept++] = '\n';
        }
        position = record->previous;
    }
    return *count > 0;
}

void screen_recent_destroy(struct screen_recent *recent)
{
    if (recent == NULL)
        return;
    free(recent->memory);
    free(recent->buckets);
    free(recent);
}
