/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "names_int.h"

struct smsg_name_row smsg_name_rows[SMSG_HEADER_COUNT];
uint8_t smsg_name_slots[NAME_SLOTS];
uint8_t smsg_compact_ids[256];

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

/* Before main, as C has no constant expressions over string literals; read-only from then on. */
__attribute__((constructor)) static void fill_tables(void)
{
    for (unsigned id = SMSG_HEADER_OTHER + 1; id < SMSG_HEADER_COUNT; id++) {
        struct slice text = header_names[id].text;
        struct smsg_name_row *row = &smsg_name_rows[id];
        unsigned slot = name_slot(text.data, text.length);
        char padded[NAME_LIMIT] = {0};

        assert(text.length <= NAME_LIMIT && smsg_name_slots[slot] == 0);
        smsg_name_slots[slot] = (uint8_t)id;
        *row = (struct smsg_name_row){.length = (uint8_t)text.length};
        row->middle_at = text.length > 16 ? 8 : 0;
        row->last_at = text.length > 8 ? (uint8_t)(text.length - 8) : 0;
        memset(&row->mask, 0xff, text.length < 8 ? text.length : 8);
        memcpy(padded, text.data, text.length);
        row->first = name_word(padded, 0);
        row->middle = name_word(padded, row->middle_at);
        row->last = name_word(padded, row->last_at);
        if (header_names[id].compact != 0) {
            smsg_compact_ids[(unsigned char)header_names[id].compact] = (uint8_t)id;
            smsg_compact_ids[(unsigned char)header_names[id].compact ^ 0x20] = (uint8_t)id;
        }
    }
}

enum smsg_header_id smsg_header_id(struct slice name)
{
    /* A CR would pass for a '-'; from a message no name with one comes here. */
    if (name.length == 0 || slice_find(name, '\r') < name.length)
        return SMSG_HEADER_OTHER;
    return name_id(name.data, name.length, name.length);
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
