/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8: reading UTF-8 one character at a time, strictly (RFC 3629).
 */
#ifndef RINGFENCE_CONFIG_UTF8_INT_H
#define RINGFENCE_CONFIG_UTF8_INT_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Bytes of the character at the start of a slice that is not empty; 0 when it is not well-formed
 * (overlong forms and surrogates included). */
size_t conf_utf8_read(struct slice text, uint32_t *code);

/* The same, but a bad byte is taken as one character, U+FFFD. Never 0. */
size_t conf_utf8_step(struct slice text, uint32_t *code);

/* Characters in a text, counted up to `most`. */
uint32_t conf_utf8_count(struct slice text, uint32_t most);

/* Columns of a terminal: 0 for combining marks, 2 for East Asian wide characters. */
unsigned conf_utf8_width(uint32_t code);

/* The first `length` bytes of a text or a few less, so that no character is cut. */
struct slice conf_utf8_first(struct slice text, size_t length);

#endif
