/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/event.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/ring.h"

const char *stats_event_kind_name(enum stats_event_kind kind)
{
    static const char *const names[STATS_EVENT_KIND_COUNT] = {
#define KIND_NAME(identifier, word) [identifier] = (word),
        STATS_EVENT_KIND_TABLE(KIND_NAME)
#undef KIND_NAME
    };
    return names[kind];
}

/* What the ring adds to a record at most: its header and the rounding of the size. */
enum { RING_OVERHEAD = 32, RECORDS_MINIMUM = 4 };

/* The ring itself is all there is to it; the type keeps other records out. */
struct stats_event_queue;

static struct ring *ring_of(struct stats_event_queue *queue)
{
    return (struct ring *)(void *)queue;
}

int stats_event_queue_create(size_t records, struct stats_event_queue **queue)
{
    const size_t place = sizeof(struct stats_event) + RING_OVERHEAD;
    if (records > SIZE_MAX / place - 1)
        return -EINVAL;
    if (records < RECORDS_MINIMUM)
        records = RECORDS_MINIMUM;
    struct ring *ring;
    /* One more, because the place of a record that would wrap is lost to padding. */
    int error = ring_create((records + 1) * place, &ring);
    if (error == 0)
        *queue = (struct stats_event_queue *)(void *)ring;
    return error;
}

struct stats_event *stats_event_begin(struct stats_event_queue *queue)
{
    struct stats_event *event = ring_reserve(ring_of(queue), sizeof(*event));
    if (event != NULL)
        memset(event, 0, sizeof(*event));
    return event;
}

void stats_event_commit(struct stats_event_queue *queue)
{
    ring_commit(ring_of(queue), sizeof(struct stats_event));
}

const struct stats_event *stats_event_peek(struct stats_event_queue *queue)
{
    size_t size = 0;
    const struct stats_event *event = ring_peek(ring_of(queue), &size);
    assert(event == NULL || size == sizeof(*event));
    return event;
}

void stats_event_release(struct stats_event_queue *queue)
{
    ring_release(ring_of(queue));
}

void stats_event_queue_destroy(struct stats_event_queue *queue)
{
    if (queue != NULL)
        ring_destroy(ring_of(queue));
}

/* How much of a text stays when it is cut at `length`: whole UTF-8 characters, so that no cut makes
 * a broken one; text that is no UTF-8 is cut where it must be. */
static size_t whole_characters(struct slice text, size_t length)
{
    size_t start = length;
    while (start > 0 && length - start < 3 && ((unsigned char)text.data[start] & 0xc0) == 0x80)
        start--;
    return ((unsigned char)text.data[start] & 0xc0) == 0xc0 ? start : length;
}

void stats_event_text(char *array, size_t capacity, struct slice text)
{
    assert(capacity > 0);
    size_t length = text.length;
    if (length > capacity - 1)
        length = whole_characters(text, capacity - 1);
    if (length > 0)
        memcpy(array, text.data, length);
    for (char *nul = array; (nul = memchr(nul, '\0', (size_t)(array + length - nul))) != NULL;)
        *nul = ' ';
    array[length] = '\0';
}
