/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trie: longest-prefix map from short byte strings to 32-bit values.
 *
 * For digit prefixes ("86138") and for prefixes of a Request-URI's user ("+86", "sos"). Filled,
 * sealed, then read-only: a sealed trie may be shared by threads. Sealing sorts the keys and lays a
 * path-compressed trie out in level order, at most two 16-byte nodes per key. Bytes are compared as
 * they are: case matters, and the caller takes a '+' off where keys have none.
 */
#ifndef RINGFENCE_NUMBER_TRIE_H
#define RINGFENCE_NUMBER_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

#define NUM_TRIE_KEY_LIMIT 255

struct num_trie;

int num_trie_create(struct num_trie **out) MUST_CHECK;

/* Copies the key; the empty key matches everything. ERROR_LIMIT: longer than NUM_TRIE_KEY_LIMIT;
 * -ENOMEM. Sealed already: an assert. */
int num_trie_insert(struct num_trie *trie, struct slice key, uint32_t value) MUST_CHECK;

/* Of a key inserted twice the later value counts. -ENOMEM leaves the trie unsealed and whole. */
int num_trie_seal(struct num_trie *trie) MUST_CHECK;

/* The value of the longest key that `text` starts with, and that key's length (may be NULL). */
bool num_trie_find_longest(const struct num_trie *trie, struct slice text, uint32_t *value,
                           size_t *length) MUST_CHECK;

/* The value of exactly this key. */
bool num_trie_find(const struct num_trie *trie, struct slice key, uint32_t *value) MUST_CHECK;

/* Different keys, and bytes of memory held; both of a sealed trie. */
size_t num_trie_count(const struct num_trie *trie);
size_t num_trie_memory(const struct num_trie *trie);

/* NULL is allowed. */
void num_trie_destroy(struct num_trie *trie);

#endif
