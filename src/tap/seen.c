/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/seen.h"

#include <errno.h>
#include <stdlib.h>

#include "message/syntax.h"

enum { WAYS = 4 };

struct entry {
    uint64_t name;
    uint64_t wall_us; /* when it was last seen on its first hop */
    uint32_t hop;     /* of the topmost Via there */
    uint32_t length;
};

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
    created->sets = calloc(sets, sizeof(created->sets[0]));
    if (created->sets == NULL) {
        free(created);
        return -ENOMEM;
    }
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
        *name = siphash_end(&hash, SIPHASH_TABLE);
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
    *name = siphash_end(&hash, SIPHASH_TABLE);
    hash = siphash_begin(&seen->settings.key);
    siphash_part(&hash, SIPHASH_TABLE, message->via.host);
    siphash_part(&hash, SIPHASH_TABLE, message->via.branch);
    *hop = (uint32_t)siphash_end(&hash, SIPHASH_TABLE);
}

/* Captures of several files may step back in time: the distance counts either way. */
static bool within(uint64_t a, uint64_t b, uint64_t limit)
{
    return (a > b ? a - b : b - a) <= limit;
}

/* The entry of that name, or the one to overwrite. */
static struct entry *find(struct tap_seen *seen, uint64_t name)
{
    struct entry *set = seen->sets[name & seen->mask];
    struct entry *oldest = &set[0];
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].name == name)
            return &set[i];
        if (set[i].wall_us < oldest->wall_us)
            oldest = &set[i];
    }
    return oldest;
}

enum tap_copy tap_seen_note(struct tap_seen *seen, const struct smsg *message, uint64_t wall_us)
{
    uint64_t name;
    uint32_t hop, length = (uint32_t)message->bytes.length;
    name_of(seen, message, &name, &hop);
    struct entry *entry = find(seen, name);
    bool known = entry->name == name && entry->wall_us != 0;
    if (known && entry->hop != hop && within(entry->wall_us, wall_us, seen->settings.other_leg_us))
        return TAP_COPY_OTHER_LEG;
    bool duplicate = known && entry->hop == hop && entry->length == length &&
                     within(entry->wall_us, wall_us, seen->settings.duplicate_us);
    *entry = (struct entry){name, wall_us, hop, length};
    return duplicate ? TAP_COPY_DUPLICATE : TAP_COPY_FIRST;
}
