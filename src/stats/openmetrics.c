/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/openmetrics.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "stats/catalogue.h"

#define PREFIX "ringfence_"

enum {
    PAGE_FIRST_CAPACITY = 64 << 10,
    NAME_CAPACITY = 96,
    NS_DIGITS = 9,
    STEPS_PER_OCTAVE = 2, /* bounds of a histogram: 2^n and 1.5 * 2^n */
};

/* X(suffix of a row's name, unit, decimal digits that its values are shifted by) */
#define UNIT_TABLE(X)               \
    X("_ns", "_seconds", NS_DIGITS) \
    X("_seconds", "_seconds", 0)    \
    X("_bytes", "_bytes", 0)

static const struct unit {
    const char *suffix;
    const char *unit;
    unsigned digits;
} unit_rows[] = {
#define UNIT_ROW(suffix, unit, digits) {(suffix), (unit), (digits)},
    UNIT_TABLE(UNIT_ROW)
#undef UNIT_ROW
};

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_INFO };

/* `plain`: what the older format calls a type that it does not have. */
static const struct {
    const char *word;
    const char *plain;
    const char *suffix; /* of its samples; of a histogram's, see below */
} type_rows[] = {
    [METRIC_COUNTER] = {"counter", "counter", "_total"},
    [METRIC_GAUGE] = {"gauge", "gauge", ""},
    [METRIC_HISTOGRAM] = {"histogram", "histogram", ""},
    [METRIC_INFO] = {"info", "gauge", "_info"},
};

struct metric {
    char name[NAME_CAPACITY]; /* without the suffix of its samples */
    const char *unit;         /* with its underscore, "" for none */
    unsigned digits;
    enum metric_type type;
    const char *label; /* NULL: none */
    const char *help;
};

/* What a page is written with. */
struct page {
    const struct stats_source *source;
    struct stats_page_request request;
    struct buffer buffer;
    uint64_t *totals; /* of a family */
};

/* ---- names -------------------------------------------------------------------------------- */

static struct metric metric_of(const struct stats_row *row, enum metric_type type)
{
    struct metric metric = {.unit = "", .type = type, .label = row->label, .help = row->help};
    struct slice stem = slice_of_text(row->name);
    for (size_t i = 0; i < sizeof(unit_rows) / sizeof(unit_rows[0]); i++) {
        size_t length = strlen(unit_rows[i].suffix);
        if (stem.length <= length ||
            memcmp(stem.data + stem.length - length, unit_rows[i].suffix, length) != 0)
            continue;
        metric.unit = unit_rows[i].unit;
        metric.digits = unit_rows[i].digits;
        stem.length -= length;
        break;
    }
    if (type == METRIC_HISTOGRAM) { /* all of time */
        metric.unit = "_seconds";
        metric.digits = NS_DIGITS;
    }
    struct buffer name = buffer_over(metric.name, sizeof(metric.name) - 1);
    buffer_append_literal(&name, PREFIX);
    buffer_append(&name, stem);
    buffer_append_text(&name, metric.unit);
    assert(!name.overflow);
    metric.name[name.length] = '\0';
    return metric;
}

/* ---- values ------------------------------------------------------------------------------- */

/* Exact: no value passes a floating point number. */
static void append_scaled(struct buffer *buffer, uint64_t value, unsigned digits)
{
    uint64_t scale = 1;
    for (unsigned i = 0; i < digits; i++)
        scale *= 10;
    buffer_append_uint(buffer, value / scale);
    uint64_t rest = value % scale;
    if (rest == 0)
        return;
    buffer_append_char(buffer, '.');
    for (scale /= 10; rest > 0; scale /= 10) {
        buffer_append_char(buffer, (char)('0' + rest / scale));
        rest %= scale;
    }
}

/* Both formats know these three escapes. Labels are words of configuration and rules, which are
 * UTF-8, never bytes of a peer. */
static void append_label_value(struct buffer *buffer, struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        switch (text.data[i]) {
        case '\\':
            buffer_append_literal(buffer, "\\\\");
            break;
        case '"':
            buffer_append_literal(buffer, "\\\"");
            break;
        case '\n':
            buffer_append_literal(buffer, "\\n");
            break;
        default:
            buffer_append_char(buffer, text.data[i]);
        }
    }
}

static void append_label(struct buffer *buffer, const char *name, struct slice value)
{
    buffer_append_text(buffer, name);
    buffer_append_literal(buffer, "=\"");
    append_label_value(buffer, value);
    buffer_append_char(buffer, '"');
}

/* ---- metrics ------------------------------------------------------------------------------ */

static bool is_open(const struct page *page)
{
    return page->request.format == STATS_TEXT_OPENMETRICS;
}

/* OpenMetrics names the family, the older format each name with the suffix of its samples. */
static void append_comment(struct page *page, const struct metric *metric, const char *keyword,
                           const char *text)
{
    struct buffer *buffer = &page->buffer;
    buffer_append_literal(buffer, "# ");
    buffer_append_text(buffer, keyword);
    buffer_append_char(buffer, ' ');
    buffer_append_text(buffer, metric->name);
    if (!is_open(page))
        buffer_append_text(buffer, type_rows[metric->type].suffix);
    buffer_append_char(buffer, ' ');
    buffer_append_text(buffer, text);
    buffer_append_char(buffer, '\n');
}

static void append_head(struct page *page, const struct metric *metric)
{
    append_comment(page, metric, "TYPE",
                   is_open(page) ? type_rows[metric->type].word : type_rows[metric->type].plain);
    if (is_open(page) && metric->unit[0] != '\0')
        append_comment(page, metric, "UNIT", metric->unit + 1);
    append_comment(page, metric, "HELP", metric->help);
}

static void append_sample(struct page *page, const struct metric *metric, struct slice label,
                          uint64_t value)
{
    struct buffer *buffer = &page->buffer;
    buffer_append_text(buffer, metric->name);
    buffer_append_text(buffer, type_rows[metric->type].suffix);
    if (metric->label != NULL) {
        buffer_append_char(buffer, '{');
        append_label(buffer, metric->label, label);
        buffer_append_char(buffer, '}');
    }
    buffer_append_char(buffer, ' ');
    append_scaled(buffer, value, metric->digits);
    buffer_append_char(buffer, '\n');
}

static void append_single(struct page *page, const struct stats_row *row, enum metric_type type,
                          uint64_t value)
{
    const struct metric metric = metric_of(row, type);
    append_head(page, &metric);
    append_sample(page, &metric, (struct slice){0}, value);
}

/* Label 0 is "other": it takes in what stands beyond the limit. Which labels these are never
 * changes, so no series ever goes back. */
static void append_family(struct page *page, enum stats_family family)
{
    const struct stats_registry *registry = page->source->registry;
    const struct metric metric = metric_of(stats_family_row(family), METRIC_COUNTER);
    uint32_t count = stats_label_count(registry, family);
    uint32_t shown = count < page->request.label_limit ? count : page->request.label_limit;
    stats_family_totals(registry, family, page->totals, count);
    for (uint32_t i = shown > 0 ? shown : 1; i < count; i++)
        page->totals[0] += page->totals[i];
    append_head(page, &metric);
    for (uint32_t i = 1; i < shown; i++)
        append_sample(page, &metric, stats_label_name(registry, family, i), page->totals[i]);
    append_sample(page, &metric, stats_label_name(registry, family, 0), page->totals[0]);
}

static void append_bucket(struct page *page, const struct metric *metric, uint64_t bound,
                          uint64_t count)
{
    struct buffer *buffer = &page->buffer;
    buffer_append_text(buffer, metric->name);
    buffer_append_literal(buffer, "_bucket{le=\"");
    if (bound == UINT64_MAX)
        buffer_append_literal(buffer, "+Inf");
    else
        append_scaled(buffer, bound, metric->digits);
    buffer_append_literal(buffer, "\"} ");
    buffer_append_uint(buffer, count);
    buffer_append_char(buffer, '\n');
}

/*
 * A bound of 2^n ns is where a bucket of ours begins. A duration is recorded in whole nanoseconds,
 * rounded down, so what lies below that bucket are exactly the durations shorter than the bound.
 */
static void append_histogram(struct page *page, enum stats_histogram histogram)
{
    const struct stats_row *row = stats_histogram_row(histogram);
    const struct metric metric = metric_of(row, METRIC_HISTOGRAM);
    uint64_t buckets[STATS_HISTOGRAM_BUCKETS], sum = 0, below = 0;
    uint32_t next = 0;
    stats_histogram_totals(page->source->registry, histogram, buckets, &sum);
    append_head(page, &metric);
    unsigned steps = STEPS_PER_OCTAVE * (unsigned)(row->last_bound - row->first_bound);
    for (unsigned step = 0; step <= steps; step++) {
        uint64_t bound = UINT64_C(1) << (row->first_bound + step / STEPS_PER_OCTAVE);
        if (step % STEPS_PER_OCTAVE != 0)
            bound += bound / STEPS_PER_OCTAVE;
        for (uint32_t end = stats_bucket(bound); next < end; next++)
            below += buckets[next];
        append_bucket(page, &metric, bound, below);
    }
    for (; next < STATS_HISTOGRAM_BUCKETS; next++)
        below += buckets[next];
    append_bucket(page, &metric, UINT64_MAX, below);
    struct buffer *buffer = &page->buffer;
    buffer_append_text(buffer, metric.name);
    buffer_append_literal(buffer, "_sum ");
    append_scaled(buffer, sum, metric.digits);
    buffer_append_char(buffer, '\n');
    buffer_append_text(buffer, metric.name);
    buffer_append_literal(buffer, "_count ");
    buffer_append_uint(buffer, below);
    buffer_append_char(buffer, '\n');
}

/* ---- about the process -------------------------------------------------------------------- */

static const struct stats_row build_row = {
    .name = "build", .help = "1; which program this is, and the name of its node"};
static const struct stats_row start_row = {
    .name = "start_time_seconds", .help = "when the daemon began to count, seconds since 1970"};

static void append_build(struct page *page)
{
    const struct stats_source *source = page->source;
    const struct metric metric = metric_of(&build_row, METRIC_INFO);
    struct buffer *buffer = &page->buffer;
    append_head(page, &metric);
    buffer_append_text(buffer, metric.name);
    buffer_append_literal(buffer, "_info{");
    append_label(buffer, "version", slice_of_text(source->version));
    buffer_append_char(buffer, ',');
    append_label(buffer, "node", slice_of_text(source->node != NULL ? source->node : ""));
    buffer_append_literal(buffer, "} 1\n");
}

/* Microseconds to the seconds that the row is named after. */
static void append_start(struct page *page)
{
    struct metric metric = metric_of(&start_row, METRIC_GAUGE);
    metric.digits = 6;
    append_head(page, &metric);
    append_sample(page, &metric, (struct slice){0}, page->source->epoch.started_us);
}

/* ---- pages -------------------------------------------------------------------------------- */

static void fill_page(struct page *page)
{
    const struct stats_registry *registry = page->source->registry;
    append_build(page);
    append_start(page);
    for (unsigned i = 0; i < STATS_COUNTER_COUNT; i++)
        append_single(page, stats_counter_row((enum stats_counter)i), METRIC_COUNTER,
                      stats_total(registry, (enum stats_counter)i));
    for (unsigned i = 0; i < STATS_GAUGE_COUNT; i++)
        append_single(page, stats_gauge_row((enum stats_gauge)i), METRIC_GAUGE,
                      stats_gauge_total(registry, (enum stats_gauge)i));
    for (unsigned i = 0; i < STATS_FAMILY_COUNT; i++)
        append_family(page, (enum stats_family)i);
    for (unsigned i = 0; i < STATS_HISTOGRAM_COUNT; i++)
        append_histogram(page, (enum stats_histogram)i);
    if (is_open(page))
        buffer_append_literal(&page->buffer, "# EOF\n");
}

static size_t largest_family(void)
{
    size_t largest = 1;
    for (unsigned i = 0; i < STATS_FAMILY_COUNT; i++) {
        size_t capacity = stats_family_row((enum stats_family)i)->capacity;
        largest = capacity > largest ? capacity : largest;
    }
    return largest;
}

int stats_page_create(const struct stats_source *source, const struct stats_page_request *request,
                      char **page, size_t *length)
{
    struct page made = {.source = source, .request = *request};
    char *memory = NULL;
    made.totals = malloc(largest_family() * sizeof(made.totals[0]));
    /* Written again into more memory until it fits: labels may be added meanwhile. */
    for (size_t capacity = PAGE_FIRST_CAPACITY; made.totals != NULL; capacity *= 2) {
        free(memory);
        memory = malloc(capacity);
        if (memory == NULL)
            break;
        made.buffer = buffer_over(memory, capacity);
        fill_page(&made);
        if (!made.buffer.overflow)
            break;
    }
    free(made.totals);
    if (made.totals == NULL || memory == NULL)
        return -ENOMEM;
    *page = memory;
    *length = made.buffer.length;
    return 0;
}

struct description {
    stats_metric_fn *each;
    void *argument;
};

static void describe(const struct description *to, const struct stats_row *row,
                     enum metric_type type)
{
    char name[NAME_CAPACITY + 8];
    const struct metric metric = metric_of(row, type);
    struct buffer text = buffer_over(name, sizeof(name) - 1);
    buffer_append_text(&text, metric.name);
    buffer_append_text(&text, type_rows[type].suffix);
    name[text.length] = '\0';
    to->each(to->argument, name, type_rows[type].word, metric.label, metric.help);
}

void stats_metrics_describe(stats_metric_fn *each, void *argument)
{
    const struct description to = {each, argument};
    describe(&to, &build_row, METRIC_INFO);
    describe(&to, &start_row, METRIC_GAUGE);
    for (unsigned i = 0; i < STATS_COUNTER_COUNT; i++)
        describe(&to, stats_counter_row((enum stats_counter)i), METRIC_COUNTER);
    for (unsigned i = 0; i < STATS_GAUGE_COUNT; i++)
        describe(&to, stats_gauge_row((enum stats_gauge)i), METRIC_GAUGE);
    for (unsigned i = 0; i < STATS_FAMILY_COUNT; i++)
        describe(&to, stats_family_row((enum stats_family)i), METRIC_COUNTER);
    for (unsigned i = 0; i < STATS_HISTOGRAM_COUNT; i++)
        describe(&to, stats_histogram_row((enum stats_histogram)i), METRIC_HISTOGRAM);
}

/* ---- what a scraper accepts --------------------------------------------------------------- */

const char *stats_text_format_type(enum stats_text_format format)
{
    return format == STATS_TEXT_OPENMETRICS
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

/* The weight of a media range, in thousandths; 1000 when it says none. */
static unsigned weight_of(struct slice parameters)
{
    while (parameters.length > 0) {
        size_t end = slice_find(parameters, ';');
        struct slice one = slice_trim(slice_make(parameters.data, end));
        parameters = end < parameters.length ? slice_from(parameters, end + 1) : (struct slice){0};
        if (one.length < 3 || (one.data[0] != 'q' && one.data[0] != 'Q') || one.data[1] != '=')
            continue;
        unsigned weight = one.data[2] == '1' ? 1000 : 0;
        unsigned digit = 100;
        for (size_t i = 4; i < one.length && digit > 0 && weight < 1000; i++, digit /= 10)
            if (one.data[i] >= '0' && one.data[i] <= '9')
                weight += digit * (unsigned)(one.data[i] - '0');
        return weight;
    }
    return 1000;
}

enum stats_text_format stats_text_format_accepted(const char *accept)
{
    unsigned open = 0, plain = 0;
    struct slice rest = accept != NULL ? slice_of_text(accept) : (struct slice){0};
    while (rest.length > 0) {
        size_t end = slice_find(rest, ',');
        struct slice range = slice_make(rest.data, end);
        rest = end < rest.length ? slice_from(rest, end + 1) : (struct slice){0};
        size_t name_end = slice_find(range, ';');
        struct slice name = slice_trim(slice_make(range.data, name_end));
        unsigned weight = weight_of(name_end < range.length ? slice_from(range, name_end + 1)
                                                            : (struct slice){0});
        if (slice_equal_nocase(name, SLICE("application/openmetrics-text")))
            open = weight > open ? weight : open;
        else if (slice_equal_nocase(name, SLICE("text/plain")))
            plain = weight > plain ? weight : plain;
    }
    return open > 0 && open >= plain ? STATS_TEXT_OPENMETRICS : STATS_TEXT_PLAIN;
}
