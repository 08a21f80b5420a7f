/* SPDX-License-Identifier: Apache-2.0 */
#include "number/trie.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/*
 * Sealed layout: nodes in level order, so that the children of a node are neighbours, sorted by the
 * first byte of their labels. Those bytes lie in an array of their own: finding a child among ten
 * digits touches one cache line. Short labels stand in their node, longer ones point into the keys.
 */
#define LABEL_INLINE 4

struct node {
    union {
        char bytes[LABEL_INLINE];
        uint32_t offset; /* into the trie's `bytes`, of a longer label */
    } label;
    uint32_t first_child;
    uint32_t value;
    uint16_t child_count;
    uint8_t label_length;
    uint8_t has_value;
};

struct entry {
    uint32_t offset;
    uint32_t order; /* of insertion: the later of two equal keys counts */
    uint32_t value;
    uint8_t length;
};

struct num_trie {
    char *bytes; /* the keys, one behind the other */
    size_t byte_count;
    size_t byte_capacity;
    struct entry *entries; /* until sealed */
    size_t entry_count;
    size_t entry_capacity;
    struct node *nodes;
    uint8_t *first_bytes; /* one per node */
    uint32_t node_count;
    uint32_t key_count;
    bool sealed;
};

int num_trie_create(struct num_trie **out)
{
    struct num_trie *trie = calloc(1, sizeof(*trie));
    if (trie == NULL)
        return -ENOMEM;
    *out = trie;
    return 0;
}

static bool grow(void **memory, size_t *capacity, size_t needed, size_t size)
{
    if (needed <= *capacity)
        return true;
    size_t larger = *capacity < 64 ? 64 : *capacity * 2;
    if (larger < needed)
        larger = needed;
    void *moved = realloc(*memory, larger * size);
    if (moved == NULL)
        return false;
    *memory = moved;
    *capacity = larger;
    return true;
}

int num_trie_insert(struct num_trie *trie, struct slice key, uint32_t value)
{
    assert(!trie->sealed);
    if (key.length > NUM_TRIE_KEY_LIMIT || trie->byte_count + key.length > UINT32_MAX ||
        trie->entry_count >= UINT32_MAX / 2)
        return ERROR_LIMIT;
    void *bytes = trie->bytes;
    bool room = grow(&bytes, &trie->byte_capacity, trie->byte_count + key.length + 1, 1);
    trie->bytes = bytes;
    void *entries = trie->entries;
    room = room &&
           grow(&entries, &trie->entry_capacity, trie->entry_count + 1, sizeof(trie->entries[0]));
    trie->entries = entries;
    if (!room)
        return -ENOMEM;
    if (key.length > 0)
        memcpy(trie->bytes + trie->byte_count, key.data, key.length);
    trie->entries[trie->entry_count] = (struct entry){
        .offset = (uint32_t)trie->byte_count,
        .order = (uint32_t)trie->entry_count,
        .value = value,
        .length = (uint8_t)key.length,
    };
    trie->entry_count++;
    trie->byte_count += key.length;
    return 0;
}

/* ---- sealing ------------------------------------------------------------------------------- */

static int compare_entries(const void *a, const void *b, void *argument)
{
    const struct entry *left = a;
    const struct entry *right = b;
    const char *bytes = argument;
    size_t shared = left->length < right->length ? left->length : right->length;
    int order = memcmp(bytes + left->offset, bytes + right->offset, shared);
    if (order != 0)
        return order;
    if (left->length != right->length)
        return left->length < right->length ? -1 : 1;
    return left->order < right->order ? -1 : 1;
}

/* Sorted entries, keys once each. */
static size_t drop_repeated(struct num_trie *trie)
{
    size_t kept = 0;
    for (size_t i = 0; i < trie->entry_count; i++) {
        const struct entry *entry = &trie->entries[i];
        if (i + 1 < trie->entry_count) {
            const struct entry *next = entry + 1;
            if (next->length == entry->length &&
                memcmp(trie->bytes + next->offset, trie->bytes + entry->offset, entry->length) == 0)
                continue;
        }
        trie->entries[kept++] = *entry;
    }
    return kept;
}

/* The sorted entries below one node, which share their first `depth` bytes. */
struct span {
    uint32_t first;
    uint32_t past;
    uint8_t depth;
};

static uint8_t byte_at(const struct num_trie *trie, uint32_t entry, size_t depth)
{
    return (uint8_t)trie->bytes[trie->entries[entry].offset + depth];
}

/* Sorted, so what the first and the last share, all share. */
static uint8_t shared_length(const struct num_trie *trie, struct span span)
{
    const struct entry *first = &trie->entries[span.first];
    const struct entry *last = &trie->entries[span.past - 1];
    uint8_t length = span.depth;
    while (length < first->length && length < last->length &&
           byte_at(trie, span.first, length) == byte_at(trie, span.past - 1, length))
        length++;
    return length;
}

/* Makes a node of its span and appends its children's spans behind those that are known. */
static void lay_out(struct num_trie *trie, struct span *spans, uint32_t index)
{
    struct span span = spans[index];
    struct node *node = &trie->nodes[index];
    uint8_t depth = index == 0 ? 0 : shared_length(trie, span);
    uint32_t label = trie->entries[span.first].offset + span.depth;
    *node = (struct node){.label_length = (uint8_t)(depth - span.depth),
                          .first_child = trie->node_count};
    if (node->label_length <= LABEL_INLINE)
        memcpy(node->label.bytes, trie->bytes + label, node->label_length);
    else
        node->label.offset = label;
    uint32_t at = span.first;
    if (trie->entries[at].length == depth) {
        node->has_value = 1;
        node->value = trie->entries[at].value;
        at++;
    }
    while (at < span.past) {
        uint8_t byte = byte_at(trie, at, depth);
        uint32_t past = at + 1;
        while (past < span.past && byte_at(trie, past, depth) == byte)
            past++;
        trie->first_bytes[trie->node_count] = byte;
        spans[trie->node_count++] = (struct span){at, past, depth};
        node->child_count++;
        at = past;
    }
}

int num_trie_seal(struct num_trie *trie)
{
    assert(!trie->sealed);
    size_t limit = 2 * trie->entry_count + 1; /* each key adds a leaf and splits one label */
    struct span *spans = malloc(limit * sizeof(spans[0]));
    trie->nodes = malloc(limit * sizeof(trie->nodes[0]));
    trie->first_bytes = malloc(limit);
    int error = -ENOMEM;
    if (spans == NULL || trie->nodes == NULL || trie->first_bytes == NULL)
        goto out;
    if (trie->entry_count > 0) {
        qsort_r(trie->entries, trie->entry_count, sizeof(trie->entries[0]), compare_entries,
                trie->bytes);
        trie->entry_count = drop_repeated(trie);
        spans[0] = (struct span){0, (uint32_t)trie->entry_count, 0};
        trie->node_count = 1;
        for (uint32_t i = 0; i < trie->node_count; i++)
            lay_out(trie, spans, i);
    }
    trie->key_count = (uint32_t)trie->entry_count;
    free(trie->entries);
    trie->entries = NULL;
    trie->entry_capacity = 0;
    trie->sealed = true;
    error = 0;
out:
    free(spans);
    if (error != 0) {
        free(trie->nodes);
        free(trie->first_bytes);
        trie->nodes = NULL;
        trie->first_bytes = NULL;
        return error;
    }
    /* Give back what sharing saved; where that fails the larger block serves as well. */
    void *smaller = realloc(trie->nodes, (trie->node_count + 1) * sizeof(trie->nodes[0]));
    trie->nodes = smaller != NULL ? smaller : trie->nodes;
    smaller = realloc(trie->first_bytes, trie->node_count + 1);
    trie->first_bytes = smaller != NULL ? smaller : trie->first_bytes;
    return 0;
}

/* ---- look-up ------------------------------------------------------------------------------- */

/* The child whose label begins with `byte`; 0, the root, for none. */
static uint32_t find_child(const struct num_trie *trie, const struct node *node, uint8_t byte)
{
    if (node->child_count == 0)
        return 0;
    const uint8_t *bytes = trie->first_bytes + node->first_child;
    /* Digits are mostly all there, and then the place follows from the first one. */
    size_t guess = (size_t)byte - bytes[0];
    if (guess < node->child_count && bytes[guess] == byte)
        return node->first_child + (uint32_t)guess;
    const uint8_t *found = memchr(bytes, byte, node->child_count);
    return found != NULL ? node->first_child + (uint32_t)(found - bytes) : 0;
}

/* The first byte is known to fit, and one byte is all there is on dense levels. */
static bool has_label(const struct num_trie *trie, const struct node *node, struct slice text)
{
    if (node->label_length == 1)
        return true;
    if (node->label_length > text.length)
        return false;
    const char *label =
        node->label_length <= LABEL_INLINE ? node->label.bytes : trie->bytes + node->label.offset;
    return memcmp(label, text.data, node->label_length) == 0;
}

/* Walks `text` down; returns the last node with a value, *depth how much of the text it took. */
static const struct node *walk(const struct num_trie *trie, struct slice text, size_t *depth)
{
    assert(trie->sealed);
    if (trie->node_count == 0)
        return NULL;
    const struct node *node = &trie->nodes[0];
    const struct node *best = NULL;
    size_t at = 0;
    for (;;) {
        if (node->has_value != 0) {
            best = node;
            *depth = at;
        }
        if (at == text.length)
            break;
        uint32_t child = find_child(trie, node, (uint8_t)text.data[at]);
        if (child == 0)
            break;
        node = &trie->nodes[child];
        if (!has_label(trie, node, slice_from(text, at)))
            break;
        at += node->label_length;
    }
    return best;
}

bool num_trie_find_longest(const struct num_trie *trie, struct slice text, uint32_t *value,
                           size_t *length)
{
    size_t depth = 0;
    const struct node *node = walk(trie, text, &depth);
    if (node == NULL)
        return false;
    *value = node->value;
    if (length != NULL)
        *length = depth;
    return true;
}

bool num_trie_find(const struct num_trie *trie, struct slice key, uint32_t *value)
{
    size_t depth = 0;
    const struct node *node = walk(trie, key, &depth);
    if (node == NULL || depth != key.length)
        return false;
    *value = node->value;
    return true;
}

size_t num_trie_count(const struct num_trie *trie)
{
    return trie->key_count;
}

size_t num_trie_memory(const struct num_trie *trie)
{
    return sizeof(*trie) + trie->byte_capacity + trie->entry_capacity * sizeof(trie->entries[0]) +
           trie->node_count * (sizeof(trie->nodes[0]) + 1);
}

void num_trie_destroy(struct num_trie *trie)
{
    if (trie == NULL)
        return;
    free(trie->bytes);
    free(trie->entries);
    free(trie->nodes);
    free(trie->first_bytes);
    free(trie);
}
