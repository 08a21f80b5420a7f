/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "chars_int.h"
#include "scan_int.h"

/*
 * Header names are looked up by a hash of length, first and last letter, which is free of
 * collisions over the table (a new row that collides stops the program before main: choose other
 * factors), and then compared eight bytes at a time with the case bit set. That
 * bit maps no other byte of a header line onto a letter or '-' (CR would, but is not in a name).
 */
enum {
    NAME_WORDS = 3,
    NAME_LIMIT = NAME_WORDS * 8,
    SLOT_COUNT = 128,
};

struct name_row {
    uint64_t text[NAME_WORDS]; /* lower case, NULs behind */
    uint64_t mask[NAME_WORDS]; /* 0xff where the name has a byte */
    size_t length;
    size_t unused; /* a power of two in all, so that an index is a shift */
};

static struct name_row name_rows[SMSG_HEADER_COUNT];
static uint8_t name_slots[SLOT_COUNT];
static uint8_t compact_ids[256];

static const struct {
    struct slice text;
    char compact;
} header_names[SMSG_HEADER_COUNT] = {
#define NAME_ROW(identifier, name, compact) \
    [SMSG_HEADER_##identifier] = {SLICE_LITERAL(name), compact},
    SMSG_HEADER_TABLE(NAME_ROW)
#undef NAME_ROW
};

static const struct slice method_texts[SMSG_METHOD_COUNT] = {
#define METHOD_ROW(name, text) [SMSG_METHOD_##name] = SLICE_LITERAL(text),
    SMSG_METHOD_TABLE(METHOD_ROW)
#undef METHOD_ROW
        [SMSG_METHOD_OTHER] = SLICE_LITERAL(""),
};

const struct smsg_bad_row smsg_bad_rows[SMSG_BAD_COUNT] = {
#define BAD_ROW(identifier, key, text, answer) [SMSG_BAD_##identifier] = {key, text, answer},
    SMSG_BAD_TABLE(BAD_ROW)
#undef BAD_ROW
};

static unsigned name_slot(const char *name, size_t length)
{
    unsigned first = (unsigned char)name[0] | 0x20u;
    unsigned last = (unsigned char)name[length - 1] | 0x20u;

    return ((unsigned)length + 2 * first + 15 * last) % SLOT_COUNT;
}

/* Before main, as C has no constant expressions over string literals; read-only from then on. */
__attribute__((constructor)) static void fill_tables(void)
{
    for (unsigned id = SMSG_HEADER_OTHER + 1; id < SMSG_HEADER_COUNT; id++) {
        struct slice text = header_names[id].text;
        char lower[NAME_LIMIT] = {0}, mask[NAME_LIMIT] = {0};
        unsigned slot = name_slot(text.data, text.length);

        assert(text.length <= NAME_LIMIT && name_slots[slot] == 0);
        for (size_t i = 0; i < text.length; i++)
            lower[i] = (char)(text.data[i] | 0x20);
        memset(mask, 0xff, text.length);
        memcpy(name_rows[id].text, lower, NAME_LIMIT);
        memcpy(name_rows[id].mask, mask, NAME_LIMIT);
        name_rows[id].length = text.length;
        name_slots[slot] = (uint8_t)id;
        if (header_names[id].compact != 0) {
            compact_ids[(unsigned char)header_names[id].compact] = (uint8_t)id;
            compact_ids[(unsigned char)header_names[id].compact ^ 0x20] = (uint8_t)id;
        }
    }
}

static inline uint64_t word_difference(const char *name, const struct name_row *row, unsigned word)
{
    const uint64_t case_bits = 0x2020202020202020u;
    uint64_t bytes;

    memcpy(&bytes, name + word * sizeof bytes, sizeof bytes);
    return ((bytes | case_bits) & row->mask[word]) ^ row->text[word];
}

static inline bool equals_row(const char *name, const struct name_row *row)
{
    return (word_difference(name, row, 0) | word_difference(name, row, 1) |
            word_difference(name, row, 2)) == 0;
}

/* Near the end of the bytes, where whole words cannot be loaded. */
static __attribute__((noinline)) bool equals_row_padded(const char *name, size_t length,
                                                        const struct name_row *row)
{
    char padded[NAME_LIMIT] = {0};

    memcpy(padded, name, length);
    return equals_row(padded, row);
}

/* `readable`: bytes that may be loaded from `name` on, at least `length`. */
static inline enum smsg_header_id lookup(const char *name, size_t length, size_t readable)
{
    unsigned id;
    bool equal;

    if (length <= 1)
        return length == 1 ? (enum smsg_header_id)compact_ids[(unsigned char)name[0]]
                           : SMSG_HEADER_OTHER;
    id = name_slots[name_slot(name, length)];
    if (name_rows[id].length != length)
        return SMSG_HEADER_OTHER;
    equal = readable >= NAME_LIMIT ? equals_row(name, &name_rows[id])
                                   : equals_row_padded(name, length, &name_rows[id]);
    return equal ? (enum smsg_header_id)id : SMSG_HEADER_OTHER;
}

enum smsg_header_id smsg_header_id(struct slice name)
{
    /* A CR would pass for a '-'; from a message no name with one comes here. */
    if (name.length == 0 || slice_find(name, '\r') < name.length)
        return SMSG_HEADER_OTHER;
    return lookup(name.data, name.length, name.length);
}

bool smsg_line_name(const char *line, const char *line_past, const char *end,
                    struct line_name *name)
{
    const char *colon = chars_find_either(line, end, ':', '\n');
    const char *past = colon;

    if (colon >= line_past || *colon != ':')
        return false;
    while (past > line && (past[-1] == ' ' || past[-1] == '\t'))
        past--;
    if (past == line)
        return false;
    name->past = past;
    name->colon = colon + 1;
    name->id = lookup(line, (size_t)(past - line), (size_t)(end - line));
    return name->id != SMSG_HEADER_OTHER || chars_span(line, past, CHAR_TOKEN) == past;
}

const char *smsg_method_text(enum smsg_method method)
{
    return method_texts[method].data;
}

enum smsg_method smsg_method_of(struct slice text)
{
    for (unsigned method = SMSG_METHOD_OTHER + 1; method < SMSG_METHOD_COUNT; method++)
        if (slice_equal(method_texts[method], text))
            return (enum smsg_method)method;
    return SMSG_METHOD_OTHER;
}
