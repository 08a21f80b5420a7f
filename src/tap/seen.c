/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/seen.h"

#include <errno.h>
#include <stdlib.h>

#include "message/syntax.h"

/* A set fills a cache line: looking a message up costs one miss. */
enum { WAYS = 4, CACHE_LINE = 64, TICK_BITS = 10, LENGTH_BITS = 8 };

struct entry {
    uint64_t name; /* 0: free */
    uint32_t tick; /* of 1.024 ms: when it was last seen on its first hop; comes round in 51 days */
    uint32_t hop;  /* of the topmost Via there, and behind it the last bits of the length */
};

/* Of each name; sets are chosen by other bits. */
#define IN_USE (UINT64_C(1) << 63)

_Static_assert(sizeof(struct entry) * WAYS == CACHE_LINE, "a set is a cache line");

struct tap_seen {
    struct tap_seen_settings settings;
    uint32_t mask; /* of sets */
    struct entry (*sets)[WAYS];
};

int tap_seen_create(const struct tap_seen_settings *settings, struct tap_seen **seen)
{
    struct tap_seen *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    uint32_t sets = 1;
    while (sets * WAYS < settings->messages)
        sets *= 2;
    created->settings = *settings;
    created->mask = sets - 1;
    created->sets = aligned_alloc(CACHE_LINE, sets * sizeof(created->sets[0]));
    if (created->sets == NULL) {
        free(created);
        return -ENOMEM;
    }
    memset(created->sets, 0, sets * sizeof(created->sets[0]));
    *seen = created;
    return 0;
}

void tap_seen_destroy(struct tap_seen *seen)
{
    if (seen == NULL)
        return;
    free(seen->sets);
    free(seen);
}

/* The branch of the last Via: the first sender's. Without one, all of it. */
static struct slice first_sender(const struct smsg *message)
{
    const struct smsg_header *line = smsg_first(message, SMSG_HEADER_VIA);
    const struct smsg_header *next = line != NULL ? smsg_next(message, line) : NULL;
    struct slice rest, value, last = slice_make(NULL, 0), branch;
    if (line == NULL)
        return last;
    while (next != NULL) {
        line = next;
        next = smsg_next(message, line);
    }
    rest = smsg_value(message, line);
    while (smsg_next_value(&rest, &value))
        last = value;
    struct slice params = slice_from(last, slice_find(last, ';'));
    if (smsg_param(params, "branch", &branch, NULL) && branch.length > 0)
        return branch;
    return slice_first(last, slice_find(last, ';'));
}

static struct slice value_of(const struct smsg *message, enum smsg_header_id id)
{
    const struct smsg_header *line = smsg_first(message, id);
    return line != NULL ? smsg_value(message, line) : slice_make(NULL, 0);
}

static void name_of(const struct tap_seen *seen, const struct smsg *message, uint64_t *name,
                    uint32_t *hop)
{
    struct siphash hash = siphash_begin(&seen->settings.key);
    if (message->bad != SMSG_BAD_NONE) {
        siphash_part(&hash, SIPHASH_TABLE, message->bytes);
        *name = siphash_end(&hash, SIPHASH_TABLE) | IN_USE;
        *hop = 0;
        return;
    }
    uint64_t kind = (uint64_t)message->cseq << 32 | (uint64_t)message->status << 8 |
                    (message->is_request ? 1 : 0);
    siphash_word(&hash, SIPHASH_TABLE, kind);
    siphash_part(&hash, SIPHASH_TABLE, message->cseq_method);
    siphash_part(&hash, SIPHASH_TABLE, message->call_id);
    siphash_part(&hash, SIPHASH_TABLE, message->from.tag);
    siphash_part(&hash, SIPHASH_TABLE, message->to.tag);
    siphash_part(&hash, SIPHASH_TABLE, first_sender(message));
    siphash_part(&hash, SIPHASH_TABLE, value_of(message, SMSG_HEADER_RSEQ));
    *name = siphash_end(&hash, SIPHASH_TABLE) | IN_USE;
    hash = siphash_begin(&seen->settings.key);
    siphash_part(&hash, SIPHASH_TABLE, message->via.host);
    siphash_part(&hash, SIPHASH_TABLE, message->via.branch);
    *hop = (uint32_t)siphash_end(&hash, SIPHASH_TABLE);
}

/* Captures of several files may step back in time: the distance counts either way. */
static bool within(uint32_t a, uint32_t b, uint64_t limit_us)
{
    int32_t distance = (int32_t)(a - b);
    return (uint32_t)(distance < 0 ? -(int64_t)distance : distance) <= limit_us >> TICK_BITS;
}

/* The entry of that name, or the one to overwrite: a free one, else the oldest. */
static struct entry *find(struct tap_seen *seen, uint64_t name, uint32_t tick)
{
    struct entry *set = seen->sets[name & seen->mask];
    struct entry *chosen = &set[0];
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].name == name)
            return &set[i];
        if (chosen->name != 0 && (set[i].name == 0 || tick - set[i].tick > tick - chosen->tick))
            chosen = &set[i];
    }
    return chosen;
}

enum tap_copy tap_seen_note(struct tap_seen *seen, const struct smsg *message, uint64_t wall_us)
{
    const uint32_t lengths = (1U << LENGTH_BITS) - 1;
    uint64_t name;
    uint32_t hop, tick = (uint32_t)(wall_us >> TICK_BITS);
    name_of(seen, message, &name, &hop);
    hop = (hop & ~lengths) | ((uint32_t)message->bytes.length & lengths);
    struct entry *entry = find(seen, name, tick);
    bool known = entry->name == name;
    bool other_hop = known && ((entry->hop ^ hop) & ~lengths) != 0;
    if (other_hop && within(entry->tick, tick, seen->settings.other_leg_us))
        return TAP_COPY_OTHER_LEG;
    bool duplicate =
        known && entry->hop == hop && within(entry->tick, tick, seen->settings.duplicate_us);
    *entry = (struct entry){name, tick, hop};
    return duplicate ? TAP_COPY_DUPLICATE : TAP_COPY_FIRST;
}
