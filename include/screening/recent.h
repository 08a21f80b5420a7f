/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recent: what one worker keeps of the calls that it screened last, for `explain`.
 *
 * A ring of bytes, allocated once: each call takes its headers and a fixed record, and the oldest
 * ones give way. The body is not kept. Used by the worker's thread alone; keeping a call costs one
 * copy of its headers, and no memory is asked for.
 */
#ifndef RINGFENCE_SCREENING_RECENT_H
#define RINGFENCE_SCREENING_RECENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "screening/engine.h"

enum {
    SCREEN_RECENT_CALL_BYTES = 1024, /* that a call is reckoned to take */
    SCREEN_RECENT_KEPT_MAX = 4096,   /* of its headers; what is beyond is cut, by whole lines */
    SCREEN_RECENT_RULES = 8
};

struct screen_recent_rule {
    uint32_t label; /* of STATS_FAMILY_RULES, or STATS_FAMILY_RULES_SHADOW */
    int16_t points;
    bool shadow;
};

/* A call as it was judged. */
struct screen_recent_call {
    uint64_t wall_us;
    uint64_t call_hash; /* keyed, of the Call-ID; it is found by this */
    uint32_t trunk;     /* a mark, as whoever keeps it knows it */
    uint32_t size;      /* of the whole message */
    uint32_t kept;      /* bytes of it that are kept */
    uint32_t screening_ns;
    struct rule_address source;
    struct rep_finding finding;
    struct rep_finding diverting;
    uint16_t status; /* that it was refused with; 0: it went on */
    uint8_t action;
    uint8_t authority;
    uint8_t profile;
    uint8_t score;
    bool source_known;
    bool reputation_known;
    bool degraded;
    bool hurried;
    bool over_budget;
    bool cut; /* not all headers are kept */
    char rules_version[16];
    uint16_t rules_fired; /* all of them */
    uint16_t rule_count;  /* those listed */
    struct screen_recent_rule rules[SCREEN_RECENT_RULES];
};

struct screen_recent;

/* calls: for about so many there is room. */
int screen_recent_create(uint32_t calls, struct screen_recent **recent) MUST_CHECK;

/* Keeps the call, whose message was scanned; call->size, kept and cut are filled in. */
void screen_recent_keep(struct screen_recent *recent, struct screen_recent_call *call,
                        const struct smsg *message);

/*
 * The newest call of that hash that is not older than `since_us`: copies its headers, which end in
 * an empty line, into memory of SCREEN_RECENT_KEPT_MAX bytes. *count: how many of that hash there
 * are. False when there is none.
 */
bool screen_recent_find(const struct screen_recent *recent, uint64_t call_hash, uint64_t since_us,
                        struct screen_recent_call *call, char *memory, uint32_t *count);

/* NULL is allowed. */
void screen_recent_destroy(struct screen_recent *recent);

#endif
