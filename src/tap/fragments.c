/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/fragments.h"

#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/pool.h"
#include "base/slab.h"

struct piece {
    char *bytes; /* of the slab */
    uint32_t offset;
    uint32_t length;
    uint64_t packet;
};

/* What says that fragments are of one datagram; no byte of it is padding. */
struct datagram_key {
    uint8_t source[16];
    uint8_t destination[16];
    uint32_t identification;
    uint8_t family;
    uint8_t protocol; /* 0 for IPv6, whose identification is by addresses alone */
    uint8_t reserved[2];
};

enum datagram_state {
    DATAGRAM_OPEN,
    DATAGRAM_GIVEN_UP, /* kept so that the rest of it is known */
    DATAGRAM_JOINED,   /* ... and copies of its fragments */
};

struct datagram {
    struct datagram_key key;
    uint64_t hash;
    uint64_t begun_us; /* once it is joined: when that was */
    struct list_link age;
    uint32_t length; /* 0: the last fragment has not come */
    uint32_t come;   /* bytes */
    uint32_t count;
    uint8_t state;                          /* enum datagram_state */
    struct piece pieces[TAP_FRAGMENTS_MAX]; /* by offset */
};

struct tap_fragments {
    struct tap_fragments_limits limits;
    struct tap_counts *counts;
    struct pool *pool;
    struct slab *slab;
    struct hash_table *table;
    struct list_link age;    /* the oldest first */
    struct list_link joined; /* ... of those that are */
    uint64_t packets[TAP_FRAGMENTS_MAX];
    char whole[TAP_DATAGRAM_MAX];
};

int tap_fragments_create(const struct tap_fragments_limits *limits, struct tap_counts *counts,
                         struct tap_fragments **fragments)
{
    struct tap_fragments *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->limits = *limits;
    created->counts = counts;
    list_init(&created->age);
    list_init(&created->joined);
    int error = pool_create(sizeof(struct datagram), limits->datagrams, &created->pool);
    if (error == 0)
        error = slab_create(limits->bytes, &created->slab);
    if (error == 0)
        error = hash_table_create(limits->datagrams, &created->table);
    if (error != 0) {
        tap_fragments_destroy(created);
        return error;
    }
    *fragments = created;
    return 0;
}

size_t tap_fragments_held(const struct tap_fragments *fragments)
{
    return slab_held(fragments->slab) +
           pool_used(fragments->pool) * (sizeof(struct datagram) + sizeof(void *) * 2);
}

void tap_fragments_destroy(struct tap_fragments *fragments)
{
    if (fragments == NULL)
        return;
    hash_table_destroy(fragments->table);
    slab_destroy(fragments->slab);
    pool_destroy(fragments->pool);
    free(fragments);
}

/* ---- datagrams ----------------------------------------------------------------------------- */

static bool same_key(const void *object, const void *key)
{
    return memcmp(&((const struct datagram *)object)->key, key, sizeof(struct datagram_key)) == 0;
}

static struct datagram_key key_of(const struct tap_walk *walk)
{
    struct datagram_key key = {
        .identification = walk->fragment.identification,
        .family = walk->source.family,
        .protocol = walk->source.family == 4 ? walk->fragment.protocol : 0,
    };
    memcpy(key.source, walk->source.bytes, sizeof(key.source));
    memcpy(key.destination, walk->destination.bytes, sizeof(key.destination));
    return key;
}

static void release_pieces(struct tap_fragments *fragments, struct datagram *datagram)
{
    for (uint32_t i = 0; i < datagram->count; i++)
        slab_free(fragments->slab, datagram->pieces[i].bytes, datagram->pieces[i].length);
    datagram->count = 0;
}

static void forget(struct tap_fragments *fragments, struct datagram *datagram)
{
    release_pieces(fragments, datagram);
    list_remove(&datagram->age);
    (void)hash_table_remove(fragments->table, datagram->hash, datagram);
    pool_put(fragments->pool, datagram);
}

static void give_up(struct tap_fragments *fragments, struct datagram *datagram, enum tap_count why)
{
    tap_count(fragments->counts, why);
    release_pieces(fragments, datagram);
    datagram->state = DATAGRAM_GIVEN_UP;
}

static struct datagram *oldest_of(struct list_link *list)
{
    struct list_link *first = list_first(list);
    return first != NULL ? LIST_ENTRY(first, struct datagram, age) : NULL;
}

/* Forgets it, and counts why when something was still waited for. */
static void drop(struct tap_fragments *fragments, struct datagram *datagram, enum tap_count why)
{
    if (datagram->state == DATAGRAM_OPEN)
        tap_count(fragments->counts, why);
    forget(fragments, datagram);
}

static bool evict(struct tap_fragments *fragments, const struct datagram *spared)
{
    struct datagram *oldest = oldest_of(&fragments->joined);
    if (oldest == NULL)
        oldest = oldest_of(&fragments->age);
    if (oldest == NULL || oldest == spared)
        return false;
    drop(fragments, oldest, TAP_FRAGMENTS_EVICTED);
    return true;
}

static bool is_due(const struct tap_fragments *fragments, const struct datagram *datagram,
                   uint64_t wall_us)
{
    uint64_t limit = datagram->state == DATAGRAM_JOINED ? fragments->limits.duplicate_us
                                                        : fragments->limits.timeout_us;
    return wall_us >= datagram->begun_us && wall_us - datagram->begun_us >= limit;
}

/* A few at a time: more than one ends for each that begins, so the list stays short. */
static void expire(struct tap_fragments *fragments, uint64_t wall_us)
{
    enum { AT_ONCE = 2 };
    struct list_link *lists[] = {&fragments->age, &fragments->joined};
    for (unsigned i = 0; i < 2 * AT_ONCE; i++) {
        struct datagram *oldest = oldest_of(lists[i % 2]);
        if (oldest != NULL && is_due(fragments, oldest, wall_us))
            drop(fragments, oldest, TAP_FRAGMENTS_EXPIRED);
    }
}

static struct datagram *begin(struct tap_fragments *fragments, const struct datagram_key *key,
                              uint64_t hash, uint64_t wall_us)
{
    struct datagram *datagram = pool_get(fragments->pool);
    if (datagram == NULL && evict(fragments, NULL))
        datagram = pool_get(fragments->pool);
    if (datagram == NULL)
        return NULL;
    datagram->key = *key;
    datagram->hash = hash;
    datagram->begun_us = wall_us;
    if (hash_table_insert(fragments->table, hash, datagram) != 0) {
        pool_put(fragments->pool, datagram);
        return NULL;
    }
    list_append(&fragments->age, &datagram->age);
    return datagram;
}

static struct datagram *find_or_begin(struct tap_fragments *fragments, const struct tap_walk *walk,
                                      uint64_t wall_us)
{
    struct datagram_key key = key_of(walk);
    uint64_t hash = hash_siphash13(&fragments->limits.key, &key, sizeof(key));
    struct datagram *found = hash_table_find(fragments->table, hash, same_key, &key);
    /* The identification came round again. */
    if (found != NULL && is_due(fragments, found, wall_us)) {
        drop(fragments, found, TAP_FRAGMENTS_EXPIRED);
        found = NULL;
    }
    return found != NULL ? found : begin(fragments, &key, hash, wall_us);
}

/* ---- fragments ----------------------------------------------------------------------------- */

enum fit { FIT_GOOD, FIT_REPEATED, FIT_OVERLAPS };

/* Where the fragment belongs among the others. */
static enum fit find_place(const struct datagram *datagram, const struct tap_walk *walk,
                           uint32_t *place)
{
    uint32_t offset = walk->fragment.offset;
    uint32_t length = (uint32_t)walk->rest.length;
    uint32_t at = datagram->count;
    while (at > 0 && datagram->pieces[at - 1].offset >= offset)
        at--;
    *place = at;
    const struct piece *next = at < datagram->count ? &datagram->pieces[at] : NULL;
    const struct piece *before = at > 0 ? &datagram->pieces[at - 1] : NULL;
    if (next != NULL && next->offset == offset && next->length == length)
        return memcmp(next->bytes, walk->rest.data, length) == 0 ? FIT_REPEATED : FIT_OVERLAPS;
    bool overlaps = (next != NULL && offset + length > next->offset) ||
                    (before != NULL && before->offset + before->length > offset);
    return overlaps ? FIT_OVERLAPS : FIT_GOOD;
}

/* Two ends, or bytes behind the end, are an overlap with what cannot be. */
static bool contradicts_end(struct datagram *datagram, const struct tap_walk *walk)
{
    uint32_t end = walk->fragment.offset + (uint32_t)walk->rest.length;
    if (walk->fragment.more)
        return datagram->length != 0 && end > datagram->length;
    const struct piece *last = datagram->count > 0 ? &datagram->pieces[datagram->count - 1] : NULL;
    if ((datagram->length != 0 && datagram->length != end) ||
        (last != NULL && last->offset + last->length > end))
        return true;
    datagram->length = end;
    return false;
}

static char *keep_bytes(struct tap_fragments *fragments, const struct datagram *datagram,
                        struct slice bytes)
{
    char *memory = slab_alloc(fragments->slab, bytes.length);
    while (memory == NULL && evict(fragments, datagram))
        memory = slab_alloc(fragments->slab, bytes.length);
    if (memory != NULL)
        memcpy(memory, bytes.data, bytes.length);
    return memory;
}

static bool is_complete(const struct datagram *datagram)
{
    return datagram->length != 0 && datagram->come == datagram->length;
}

static void join(struct tap_fragments *fragments, struct datagram *datagram, uint64_t wall_us,
                 struct tap_joined *joined)
{
    for (uint32_t i = 0; i < datagram->count; i++) {
        const struct piece *piece = &datagram->pieces[i];
        memcpy(fragments->whole + piece->offset, piece->bytes, piece->length);
        fragments->packets[i] = piece->packet;
    }
    *joined = (struct tap_joined){
        .bytes = slice_make(fragments->whole, datagram->length),
        .packets = fragments->packets,
        .packet_count = datagram->count,
    };
    tap_count(fragments->counts, TAP_FRAGMENTS_JOINED);
    release_pieces(fragments, datagram);
    datagram->state = DATAGRAM_JOINED;
    datagram->begun_us = wall_us;
    list_remove(&datagram->age);
    list_append(&fragments->joined, &datagram->age);
}

/* False: it was not taken, and the datagram may be given up. */
static bool take(struct tap_fragments *fragments, struct datagram *datagram,
                 const struct tap_walk *walk, uint64_t packet)
{
    uint32_t place;
    enum fit fit = find_place(datagram, walk, &place);
    if (fit == FIT_REPEATED) {
        tap_count(fragments->counts, TAP_FRAGMENTS_REPEATED);
        return false;
    }
    if (fit == FIT_OVERLAPS || contradicts_end(datagram, walk)) {
        give_up(fragments, datagram, TAP_FRAGMENTS_OVERLAP);
        return false;
    }
    if (datagram->count == TAP_FRAGMENTS_MAX) {
        give_up(fragments, datagram, TAP_FRAGMENTS_TOO_MANY);
        return false;
    }
    char *bytes = keep_bytes(fragments, datagram, walk->rest);
    if (bytes == NULL) {
        give_up(fragments, datagram, TAP_FRAGMENTS_EVICTED);
        return false;
    }
    memmove(&datagram->pieces[place + 1], &datagram->pieces[place],
            (datagram->count - place) * sizeof(datagram->pieces[0]));
    datagram->pieces[place] =
        (struct piece){bytes, walk->fragment.offset, (uint32_t)walk->rest.length, packet};
    datagram->count++;
    datagram->come += (uint32_t)walk->rest.length;
    return true;
}

/* All but the last are multiples of 8 (RFC 791 section 3.2), and none goes beyond the largest. */
static bool is_sound(const struct tap_walk *walk)
{
    size_t length = walk->rest.length;
    return length > 0 && walk->fragment.offset + length <= TAP_DATAGRAM_MAX &&
           (!walk->fragment.more || length % 8 == 0);
}

bool tap_fragments_add(struct tap_fragments *fragments, const struct tap_walk *walk,
                       uint64_t wall_us, uint64_t packet, struct tap_joined *joined)
{
    tap_count(fragments->counts, TAP_FRAGMENTS);
    expire(fragments, wall_us);
    if (walk->missing > 0) {
        tap_count(fragments->counts, TAP_CUT);
        return false;
    }
    if (!is_sound(walk)) {
        tap_count(fragments->counts, TAP_MALFORMED);
        return false;
    }
    struct datagram *datagram = find_or_begin(fragments, walk, wall_us);
    if (datagram != NULL && datagram->state == DATAGRAM_JOINED)
        tap_count(fragments->counts, TAP_FRAGMENTS_REPEATED);
    if (datagram == NULL || datagram->state != DATAGRAM_OPEN ||
        !take(fragments, datagram, walk, packet) || !is_complete(datagram))
        return false;
    join(fragments, datagram, wall_us, joined);
    return true;
}
