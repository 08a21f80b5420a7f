/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event: one fixed-size binary record per interception or alert, from a worker to the sinks.
 *
 * Workers fill a record in place in their own ring and never render text; the sink thread does.
 */
#ifndef RINGFENCE_STATS_EVENT_H
#define RINGFENCE_STATS_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

#define STATS_EVENT_RULES    8
#define STATS_EVENT_FEATURES 6

/* Inputs that a verdict had to do without by fault. X(name, word in events) */
#define STATS_MISSING_TABLE(X)                \
    X(STATS_MISSING_REPUTATION, "reputation") \
    X(STATS_MISSING_PATTERNS, "patterns")

enum stats_missing {
#define STATS_MISSING_ROW(name, word) name,
    STATS_MISSING_TABLE(STATS_MISSING_ROW)
#undef STATS_MISSING_ROW
        STATS_MISSING_COUNT
};

/* X(identifier, word) */
#define STATS_EVENT_KIND_TABLE(X)     \
    X(STATS_EVENT_VERDICT, "verdict") \
    X(STATS_EVENT_ALERT, "alert")     \
    X(STATS_EVENT_AGGREGATE, "aggregate")

enum stats_event_kind {
#define STATS_EVENT_KIND_ROW(identifier, word) identifier,
    STATS_EVENT_KIND_TABLE(STATS_EVENT_KIND_ROW)
#undef STATS_EVENT_KIND_ROW
        STATS_EVENT_KIND_COUNT
};

const char *stats_event_kind_name(enum stats_event_kind kind);

struct stats_event_rule {
    uint32_t label; /* of STATS_FAMILY_RULES */
    int16_t points;
    bool shadow;
};

enum stats_value_form {
    STATS_VALUE_UNKNOWN,
    STATS_VALUE_FALSE,
    STATS_VALUE_TRUE,
    STATS_VALUE_INTEGER,
    STATS_VALUE_TEXT
};

/* A feature that a fired rule names, as it was. */
struct stats_event_feature {
    const char *name; /* static */
    int64_t integer;
    uint8_t form;  /* enum stats_value_form */
    bool personal; /* a number or a name of a person */
    char text[38];
};

struct stats_event_party {
    char raw[48];    /* as the message had it */
    char number[24]; /* E.164; "" when it does not normalise */
    char region[16]; /* "" when the plan does not tell */
    char country[4];
    const char *kind; /* of number; static, NULL: not known */
};

/* Texts are cut to their arrays and terminated; they are raw bytes of peers until encoded. */
struct stats_event {
    uint64_t wall_us;
    uint64_t sequence; /* per worker, with `worker` the unique id within an epoch */
    uint16_t worker;
    uint8_t kind;   /* enum stats_event_kind */
    uint8_t action; /* label of STATS_FAMILY_VERDICTS */
    uint8_t reason; /* label of STATS_FAMILY_REASONS */
    uint8_t score;
    bool degraded;
    uint8_t missing;      /* bits by enum stats_missing */
    bool would_have;      /* shadow or tap: no call was changed */
    uint8_t would_action; /* label of STATS_FAMILY_VERDICTS: what else it would have got; 0: none */
    uint8_t would_score;
    uint16_t would_code; /* of a call that would have been blocked */
    uint16_t code;       /* final response given, 0 when the call went on */
    uint16_t rule_count;
    uint32_t trunk_in; /* labels of STATS_FAMILY_TRUNK_CALLS_IN / OUT */
    uint32_t trunk_out;
    uint32_t type; /* label of STATS_FAMILY_TYPES */
    uint32_t screening_ns;
    struct stats_event_rule rules[STATS_EVENT_RULES];
    char rules_version[16];
    char call_id[96];
    struct stats_event_party caller;
    struct stats_event_party callee;
    char diverting[24];
    uint8_t feature_count;
    struct stats_event_feature features[STATS_EVENT_FEATURES];
    char alert[160]; /* STATS_EVENT_ALERT: the text */
};

/* One per worker: the ring into the sink thread. Producer: that worker. */
struct stats_event_queue;

int stats_event_queue_create(size_t records, struct stats_event_queue **queue) MUST_CHECK;
/* A zeroed record to fill, or NULL when the queue is full (the caller counts EVENTS_LOST). */
struct stats_event *stats_event_begin(struct stats_event_queue *queue) MUST_CHECK;
void stats_event_commit(struct stats_event_queue *queue);
/* Consumer: the oldest record, valid until released; NULL when empty. */
const struct stats_event *stats_event_peek(struct stats_event_queue *queue);
/* Gives back the record that was peeked. */
void stats_event_release(struct stats_event_queue *queue);
void stats_event_queue_destroy(struct stats_event_queue *queue);

/* Copies into one of the fixed arrays, cut (between UTF-8 characters) and terminated; a NUL becomes
 * a space, so that what stands behind it is not hidden. */
void stats_event_text(char *array, size_t capacity, struct slice text);

#endif
