/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/random.h"
#include "stats/catalogue.h"
#include "stats/json.h"

enum { LINE_FIRST_CAPACITY = 8192 };

struct totals {
    uint64_t counters[STATS_COUNTER_COUNT];
    struct {
        uint64_t *labels;
        uint32_t count;
        uint32_t capacity;
    } families[STATS_FAMILY_COUNT];
    uint64_t buckets[STATS_HISTOGRAM_COUNT][STATS_HISTOGRAM_BUCKETS];
};

struct stats_stream {
    struct stats_source source;
    char epoch[STATS_EPOCH_TEXT];
    char *memory;
    size_t capacity;
    uint64_t now_us; /* of the last counts line */
    uint64_t lines;
    /* Of the last counts line and of the one being made; they change places when it is done. */
    struct totals *last;
    struct totals *current;
};

/* What a renderer may need; each kind of line uses a part. */
struct line_request {
    uint64_t wall_us;
    uint64_t now_us;
    uint64_t interval_us;
    uint64_t missed_counts;
    uint64_t missed_events;
    struct stats_history_span events;
};

typedef void line_fn(const struct stats_stream *stream, struct stats_json *json,
                     const struct line_request *request);

/* X(quantile, name) */
#define QUANTILE_TABLE(X) X(0.5, "p50") X(0.99, "p99") X(0.999, "p999")

static const struct {
    double quantile;
    const char *name;
} quantile_rows[] = {
#define QUANTILE_ROW(quantile, name) {(quantile), (name)},
    QUANTILE_TABLE(QUANTILE_ROW)
#undef QUANTILE_ROW
};

int stats_epoch_create(uint64_t wall_us, struct stats_epoch *epoch)
{
    epoch->started_us = wall_us;
    return random_bytes(&epoch->id, sizeof(epoch->id));
}

void stats_epoch_text(const struct stats_epoch *epoch, char text[STATS_EPOCH_TEXT])
{
    struct buffer out = buffer_over(text, STATS_EPOCH_TEXT - 1);
    buffer_append_uint(&out, epoch->started_us / 1000000);
    buffer_append_char(&out, '-');
    buffer_append_hex(&out, epoch->id, 16);
    text[out.length] = '\0';
}

/* ---- totals ------------------------------------------------------------------------------- */

static void totals_destroy(struct totals *totals)
{
    if (totals == NULL)
        return;
    for (size_t i = 0; i < STATS_FAMILY_COUNT; i++)
        free(totals->families[i].labels);
    free(totals);
}

static int totals_take_family(struct totals *totals, const struct stats_registry *registry,
                              enum stats_family family)
{
    uint32_t count = stats_label_count(registry, family);
    if (count > totals->families[family].capacity) {
        uint32_t room = count < 16 ? 16 : count + count / 2;
        uint64_t *larger = realloc(totals->families[family].labels, room * sizeof(*larger));
        if (larger == NULL)
            return -ENOMEM;
        totals->families[family].labels = larger;
        totals->families[family].capacity = room;
    }
    totals->families[family].count = count;
    stats_family_totals(registry, family, totals->families[family].labels, count);
    return 0;
}

static int totals_take(struct totals *totals, const struct stats_registry *registry)
{
    for (size_t i = 0; i < STATS_COUNTER_COUNT; i++)
        totals->counters[i] = stats_total(registry, (enum stats_counter)i);
    for (size_t i = 0; i < STATS_FAMILY_COUNT; i++) {
        int error = totals_take_family(totals, registry, (enum stats_family)i);
        if (error != 0)
            return error;
    }
    for (size_t i = 0; i < STATS_HISTOGRAM_COUNT; i++)
        stats_histogram_totals(registry, (enum stats_histogram)i, totals->buckets[i], NULL);
    return 0;
}

/* ---- rendering ---------------------------------------------------------------------------- */

/* Renders again into more memory until the line fits. */
static int render(struct stats_stream *stream, line_fn *fill, const struct line_request *request,
                  struct slice *line)
{
    for (;;) {
        struct buffer buffer = buffer_over(stream->memory, stream->capacity);
        struct stats_json json = stats_json_into(&buffer);
        stats_json_begin_object(&json, NULL);
        fill(stream, &json, request);
        stats_json_end_object(&json);
        buffer_append_char(&buffer, '\n');
        if (!buffer.overflow) {
            *line = buffer_slice(&buffer);
            return 0;
        }
        if (stream->capacity >= STATS_STREAM_LINE_MAXIMUM)
            return ERROR_LIMIT;
        char *larger = realloc(stream->memory, stream->capacity * 2);
        if (larger == NULL)
            return -ENOMEM;
        stream->memory = larger;
        stream->capacity *= 2;
    }
}

static void render_head(const struct stats_stream *stream, struct stats_json *json,
                        const char *kind, uint64_t wall_us)
{
    stats_json_text(json, "kind", kind);
    stats_json_uint(json, "schema", STATS_SCHEMA);
    stats_json_text(json, "epoch", stream->epoch);
    stats_json_time(json, "time", wall_us);
}

static void render_hello(const struct stats_stream *stream, struct stats_json *json,
                         const struct line_request *request)
{
    render_head(stream, json, "hello", request->wall_us);
    stats_json_time(json, "started", stream->source.epoch.started_us);
    stats_json_text(json, "product", "ringfence");
    stats_json_text(json, "version", stream->source.version);
    stats_json_text(json, "node", stream->source.node);
    stats_json_uint(json, "interval_us", request->interval_us);
    stats_json_uint(json, "oldest", request->events.oldest);
    stats_json_uint(json, "newest", request->events.newest);
}

static void render_counters(const struct stats_stream *stream, struct stats_json *json)
{
    stats_json_begin_object(json, "totals");
    for (size_t i = 0; i < STATS_COUNTER_COUNT; i++)
        stats_json_uint(json, stats_counter_row((enum stats_counter)i)->name,
                        stream->current->counters[i]);
    stats_json_end_object(json);
    stats_json_begin_object(json, "deltas");
    for (size_t i = 0; i < STATS_COUNTER_COUNT; i++)
        stats_json_uint(json, stats_counter_row((enum stats_counter)i)->name,
                        stream->current->counters[i] - stream->last->counters[i]);
    stats_json_end_object(json);
}

/* Labels that count nothing are left out: a carrier has thousands of rules, and few fire. */
static void render_family(const struct stats_stream *stream, struct stats_json *json,
                          enum stats_family family)
{
    const struct stats_row *row = stats_family_row(family);
    const uint64_t *current = stream->current->families[family].labels;
    const uint64_t *last = stream->last->families[family].labels;
    uint32_t count = stream->current->families[family].count;
    uint32_t known = stream->last->families[family].count;

    stats_json_begin_object(json, row->name);
    stats_json_text(json, "label", row->label);
    stats_json_begin_object(json, "totals");
    for (uint32_t i = 0; i < count; i++)
        if (current[i] > 0)
            stats_json_uint(json, stats_label_name(stream->source.registry, family, i).data,
                            current[i]);
    stats_json_end_object(json);
    stats_json_begin_object(json, "deltas");
    for (uint32_t i = 0; i < count; i++) {
        uint64_t before = i < known ? last[i] : 0;
        if (current[i] > before)
            stats_json_uint(json, stats_label_name(stream->source.registry, family, i).data,
                            current[i] - before);
    }
    stats_json_end_object(json);
    stats_json_end_object(json);
}

static void render_quantiles(struct stats_json *json, const char *key,
                             const uint64_t buckets[STATS_HISTOGRAM_BUCKETS])
{
    uint64_t count = 0;
    for (size_t i = 0; i < STATS_HISTOGRAM_BUCKETS; i++)
        count += buckets[i];
    stats_json_begin_object(json, key);
    stats_json_uint(json, "count", count);
    for (size_t i = 0; i < sizeof(quantile_rows) / sizeof(quantile_rows[0]); i++)
        stats_json_uint(json, quantile_rows[i].name,
                        stats_buckets_quantile(buckets, quantile_rows[i].quantile));
    stats_json_end_object(json);
}

static void render_histogram(const struct stats_stream *stream, struct stats_json *json,
                             enum stats_histogram histogram)
{
    uint64_t added[STATS_HISTOGRAM_BUCKETS];
    for (size_t i = 0; i < STATS_HISTOGRAM_BUCKETS; i++)
        added[i] = stream->current->buckets[histogram][i] - stream->last->buckets[histogram][i];
    stats_json_begin_object(json, stats_histogram_row(histogram)->name);
    render_quantiles(json, "totals", stream->current->buckets[histogram]);
    render_quantiles(json, "deltas", added);
    stats_json_end_object(json);
}

static void render_counts(const struct stats_stream *stream, struct stats_json *json,
                          const struct line_request *request)
{
    render_head(stream, json, "counts", request->wall_us);
    stats_json_uint(json, "line", stream->lines + 1);
    stats_json_uint(json, "interval_us", request->now_us - stream->now_us);
    render_counters(stream, json);
    stats_json_begin_object(json, "gauges");
    for (size_t i = 0; i < STATS_GAUGE_COUNT; i++)
        stats_json_uint(json, stats_gauge_row((enum stats_gauge)i)->name,
                        stats_gauge_total(stream->source.registry, (enum stats_gauge)i));
    stats_json_end_object(json);
    stats_json_begin_object(json, "families");
    for (size_t i = 0; i < STATS_FAMILY_COUNT; i++)
        render_family(stream, json, (enum stats_family)i);
    stats_json_end_object(json);
    stats_json_begin_object(json, "latency_ns");
    for (size_t i = 0; i < STATS_HISTOGRAM_COUNT; i++)
        render_histogram(stream, json, (enum stats_histogram)i);
    stats_json_end_object(json);
}

static void render_gap(const struct stats_stream *stream, struct stats_json *json,
                       const struct line_request *request)
{
    render_head(stream, json, "gap", request->wall_us);
    stats_json_uint(json, "missed", request->missed_counts + request->missed_events);
    stats_json_uint(json, "missed_counts", request->missed_counts);
    stats_json_uint(json, "missed_events", request->missed_events);
}

/* ---- life --------------------------------------------------------------------------------- */

int stats_stream_create(const struct stats_source *source, uint64_t now_us,
                        struct stats_stream **stream)
{
    int error = -ENOMEM;
    struct stats_stream *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->source = *source;
    made->now_us = now_us;
    stats_epoch_text(&made->source.epoch, made->epoch);
    made->capacity = LINE_FIRST_CAPACITY;
    made->memory = malloc(made->capacity);
    made->last = calloc(1, sizeof(*made->last));
    made->current = calloc(1, sizeof(*made->current));
    if (made->memory == NULL || made->last == NULL || made->current == NULL)
        goto out;
    error = totals_take(made->last, source->registry);
    if (error != 0)
        goto out;
    *stream = made;
    made = NULL;
out:
    stats_stream_destroy(made);
    return error;
}

void stats_stream_destroy(struct stats_stream *stream)
{
    if (stream == NULL)
        return;
    totals_destroy(stream->last);
    totals_destroy(stream->current);
    free(stream->memory);
    free(stream);
}

int stats_stream_hello(struct stats_stream *stream, uint64_t wall_us, uint64_t interval_us,
                       struct stats_history_span events, struct slice *line)
{
    struct line_request request = {
        .wall_us = wall_us, .interval_us = interval_us, .events = events};
    return render(stream, render_hello, &request, line);
}

int stats_stream_counts(struct stats_stream *stream, uint64_t wall_us, uint64_t now_us,
                        struct slice *line)
{
    struct line_request request = {.wall_us = wall_us, .now_us = now_us};
    assert(now_us >= stream->now_us);
    int error = totals_take(stream->current, stream->source.registry);
    if (error == 0)
        error = render(stream, render_counts, &request, line);
    if (error != 0)
        return error;
    struct totals *done = stream->current;
    stream->current = stream->last;
    stream->last = done;
    stream->now_us = now_us;
    stream->lines++;
    return 0;
}

int stats_stream_gap(struct stats_stream *stream, uint64_t wall_us, uint64_t missed_counts,
                     uint64_t missed_events, struct slice *line)
{
    struct line_request request = {
        .wall_us = wall_us, .missed_counts = missed_counts, .missed_events = missed_events};
    return render(stream, render_gap, &request, line);
}
