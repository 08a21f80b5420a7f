/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/history.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Lines are stored whole, one behind the other; one that would run over the end starts at 0. */
struct place {
    size_t offset;
    size_t length;
    struct stats_event_tags tags;
};

/* A line is seldom shorter, so seldom is it the number of places that makes the oldest one go. */
enum { LINE_USUAL = 384, PLACES_MINIMUM = 16 };

struct stats_history {
    pthread_mutex_t lock;
    char *memory;
    size_t capacity;
    size_t head; /* where the next line goes */
    struct place *places;
    size_t place_count;
    uint64_t last; /* appended; those beyond span.newest are not shown yet */
    struct stats_history_span span;
};

static struct place *place_of(const struct stats_history *history, uint64_t seq)
{
    return &history->places[seq % history->place_count];
}

int stats_history_create(size_t bytes, struct stats_history **history)
{
    struct stats_history *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    pthread_mutex_init(&made->lock, NULL);
    made->capacity = bytes < 2 * STATS_EVENT_LINE_MAXIMUM ? 2 * STATS_EVENT_LINE_MAXIMUM : bytes;
    made->place_count = made->capacity / LINE_USUAL + PLACES_MINIMUM;
    made->span.oldest = 1;
    made->memory = malloc(made->capacity);
    made->places = calloc(made->place_count, sizeof(*made->places));
    if (made->memory == NULL || made->places == NULL) {
        stats_history_destroy(made);
        return -ENOMEM;
    }
    *history = made;
    return 0;
}

void stats_history_begin(struct stats_history *history, uint64_t first)
{
    pthread_mutex_lock(&history->lock);
    history->span = (struct stats_history_span){first, first - 1};
    history->last = first - 1;
    pthread_mutex_unlock(&history->lock);
}

/* Whether the oldest line lies within the bytes from `from` to `past`. */
static bool oldest_lies_within(const struct stats_history *history, size_t from, size_t past)
{
    const struct place *oldest = place_of(history, history->span.oldest);
    return history->span.oldest <= history->last && oldest->offset < past &&
           oldest->offset + oldest->length > from;
}

static void make_room(struct stats_history *history, size_t length)
{
    if (length > history->capacity - history->head) {
        while (oldest_lies_within(history, history->head, history->capacity))
            history->span.oldest++;
        history->head = 0;
    }
    while (oldest_lies_within(history, history->head, history->head + length))
        history->span.oldest++;
    if (history->last - history->span.oldest + 1 == history->place_count)
        history->span.oldest++;
}

void stats_history_append(struct stats_history *history, uint64_t seq,
                          const struct stats_event_tags *tags, struct slice line)
{
    assert(line.length > 0 && line.length <= STATS_EVENT_LINE_MAXIMUM);
    pthread_mutex_lock(&history->lock);
    assert(seq == history->last + 1);
    make_room(history, line.length);
    memcpy(history->memory + history->head, line.data, line.length);
    *place_of(history, seq) = (struct place){history->head, line.length, *tags};
    history->head += line.length;
    history->last = seq;
    pthread_mutex_unlock(&history->lock);
}

void stats_history_publish(struct stats_history *history)
{
    pthread_mutex_lock(&history->lock);
    history->span.newest = history->last;
    pthread_mutex_unlock(&history->lock);
}

struct stats_history_span stats_history_span(struct stats_history *history)
{
    pthread_mutex_lock(&history->lock);
    struct stats_history_span span = history->span;
    pthread_mutex_unlock(&history->lock);
    return span;
}

int stats_history_next(struct stats_history *history, uint64_t after,
                       struct stats_history_entry *entry)
{
    int error = ERROR_NOT_FOUND;
    pthread_mutex_lock(&history->lock);
    if (after < history->span.newest && history->span.oldest <= history->span.newest) {
        entry->seq = after + 1 < history->span.oldest ? history->span.oldest : after + 1;
        const struct place *place = place_of(history, entry->seq);
        entry->tags = place->tags;
        entry->length = place->length;
        memcpy(entry->line, history->memory + place->offset, place->length);
        error = 0;
    }
    pthread_mutex_unlock(&history->lock);
    return error;
}

void stats_history_destroy(struct stats_history *history)
{
    if (history == NULL)
        return;
    pthread_mutex_destroy(&history->lock);
    free(history->memory);
    free(history->places);
    free(history);
}
