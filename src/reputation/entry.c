/* SPDX-License-Identifier: Apache-2.0 */
#include "reputation/entry.h"

#include <errno.h>

static const char *const list_texts[REP_LIST_COUNT] = {
#define REP_LIST_TEXT(name, text) [name] = text,
    REP_LIST_TABLE(REP_LIST_TEXT)
#undef REP_LIST_TEXT
};

static const char *const match_texts[REP_MATCH_COUNT] = {
#define REP_MATCH_TEXT(name, text) [name] = text,
    REP_MATCH_TABLE(REP_MATCH_TEXT)
#undef REP_MATCH_TEXT
};

const char *rep_list_text(unsigned list)
{
    return list < REP_LIST_COUNT ? list_texts[list] : "unknown";
}

const char *rep_match_text(unsigned match)
{
    return match < REP_MATCH_COUNT ? match_texts[match] : "unknown";
}

int rep_list_parse(struct slice text, enum rep_list *list)
{
    text = slice_trim(text);
    if (slice_is_empty(text)) {
        *list = REP_LIST_NONE;
        return 0;
    }
    for (unsigned i = 0; i < REP_LIST_COUNT; i++) {
        if (slice_equal_nocase(text, slice_of_text(list_texts[i]))) {
            *list = (enum rep_list)i;
            return 0;
        }
    }
    return -EBADMSG;
}

unsigned rep_unpack_digits(uint64_t packed, char *text)
{
    char reversed[24];
    unsigned count = 0;
    while (packed >= 10 && count <= REP_DIGITS_MAXIMUM) {
        reversed[count++] = (char)('0' + packed % 10);
        packed /= 10;
    }
    if (packed != 1 || count > REP_DIGITS_MAXIMUM)
        count = 0;
    for (unsigned i = 0; i < count; i++)
        text[i] = reversed[count - 1 - i];
    text[count] = '\0';
    return count;
}
