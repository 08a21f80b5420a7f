/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names_int: the id of a header name.
 *
 * A hash of length, first and last letter, which is free of collisions over the table (a new row
 * that collides stops the program before main: choose other factors), finds the one row that may
 * be meant. Of it the first eight bytes, the last eight and, of long names, eight in between are
 * compared with the case bit set. That bit maps no other byte of a header line onto a letter or '-'
 * (CR would, but is not in a name).
 */
#ifndef RINGFENCE_MESSAGE_NAMES_INT_H
#define RINGFENCE_MESSAGE_NAMES_INT_H

#include "message/names.h"

enum {
    NAME_LIMIT = 24,
    NAME_SLOTS = 128,
};

/* The words overlap where the name is short, and are the same where one holds all of it. */
struct smsg_name_row {
    uint64_t first, middle, last; /* lower case */
    uint64_t mask;                /* 0xff where each word has a byte of the name */
    uint8_t length, middle_at, last_at;
};

/* Filled before main, read-only from then on. */
extern struct smsg_name_row smsg_name_rows[SMSG_HEADER_COUNT];
extern uint8_t smsg_name_slots[NAME_SLOTS];
extern uint8_t smsg_compact_ids[256];

static inline unsigned name_slot(const char *name, size_t length)
{
    unsigned first = (unsigned char)name[0] | 0x20u;
    unsigned last = (unsigned char)name[length - 1] | 0x20u;

    return ((unsigned)length + 2 * first + 15 * last) % NAME_SLOTS;
}

static inline uint64_t name_word(const char *name, size_t at)
{
    uint64_t word;

    memcpy(&word, name + at, sizeof word);
    return word | 0x2020202020202020u;
}

static inline bool name_is_row(const char *name, const struct smsg_name_row *row)
{
    return (((name_word(name, 0) ^ row->first) | (name_word(name, row->middle_at) ^ row->middle) |
             (name_word(name, row->last_at) ^ row->last)) &
            row->mask) == 0;
}

/* At the end of the bytes a short name cannot be loaded as a word. */
static inline bool name_is_last_row(const char *name, size_t length,
                                    const struct smsg_name_row *row)
{
    char padded[sizeof(uint64_t)] = {0};

    memcpy(padded, name, length);
    return name_is_row(padded, row);
}

/* `readable`: bytes that may be loaded from `name` on, at least `length`. */
static inline enum smsg_header_id name_id(const char *name, size_t length, size_t readable)
{
    const struct smsg_name_row *row;
    unsigned id;

    if (length <= 1)
        return length == 1 ? (enum smsg_header_id)smsg_compact_ids[(unsigned char)name[0]]
                           : SMSG_HEADER_OTHER;
    id = smsg_name_slots[name_slot(name, length)];
    row = &smsg_name_rows[id];
    if (row->length != length ||
        !(readable >= sizeof(uint64_t) ? name_is_row(name, row)
                                       : name_is_last_row(name, length, row)))
        return SMSG_HEADER_OTHER;
    return (enum smsg_header_id)id;
}

#endif
