/* SPDX-License-Identifier: Apache-2.0 */
#include "reputation/statement.h"

#include <errno.h>

#include "key_int.h"

static const struct slice may_words[REP_MAY_COUNT] = {
#define REP_MAY_WORD(name, word) [name##_BIT] = SLICE_LITERAL(word),
    REP_MAY_TABLE(REP_MAY_WORD)
#undef REP_MAY_WORD
};

static const char *const part_words[REP_PART_COUNT] = {
#define REP_PART_TEXT(name, word) [name] = word,
    REP_PART_TABLE(REP_PART_TEXT)
#undef REP_PART_TEXT
};

int rep_may_parse(struct slice word, unsigned *may)
{
    for (unsigned i = 0; i < REP_MAY_COUNT; i++) {
        if (slice_equal_nocase(word, may_words[i])) {
            *may |= 1u << i;
            return 0;
        }
    }
    return -EBADMSG;
}

const char *rep_part_word(unsigned word)
{
    return word < REP_PART_COUNT ? part_words[word] : "unknown";
}

void rep_part_split(struct slice text, struct slice value[REP_PART_COUNT])
{
    for (unsigned i = 0; i < REP_PART_COUNT; i++)
        value[i] = slice_make(NULL, 0);
    while (text.length > 0) {
        struct slice pair = slice_first(text, slice_find(text, ';'));
        text = slice_from(text, pair.length + 1);
        size_t equals = slice_find(pair, '=');
        struct slice word = slice_trim(slice_first(pair, equals));
        for (unsigned i = 0; equals < pair.length && i < REP_PART_COUNT; i++)
            if (slice_equal(word, slice_of_text(part_words[i])))
                value[i] = slice_trim(slice_from(pair, equals + 1));
    }
}

void rep_part_join(struct buffer *buffer, const struct slice value[REP_PART_COUNT])
{
    size_t start = buffer->length;
    for (unsigned i = 0; i < REP_PART_COUNT; i++) {
        if (slice_is_empty(value[i]))
            continue;
        if (buffer->length > start)
            buffer_append_char(buffer, ';');
        buffer_append_text(buffer, part_words[i]);
        buffer_append_char(buffer, '=');
        buffer_append(buffer, value[i]);
    }
}

static int refuse(enum rep_skip *reason, enum rep_skip why)
{
    *reason = why;
    return -EBADMSG;
}

static uint32_t in_32_bits(uint64_t seconds)
{
    return seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
}

int rep_statement_read(const struct slice value[REP_PART_COUNT], struct rep_names *types,
                       struct rep_statement *statement, enum rep_skip *reason)
{
    int score;
    enum rep_list list;
    uint64_t since_s, expires_s;
    if (rep_score_parse(value[REP_PART_SCORE], &score) != 0)
        return refuse(reason, REP_SKIP_SCORE);
    if (rep_list_parse(value[REP_PART_LIST], &list) != 0)
        return refuse(reason, REP_SKIP_LIST);
    if (score == REP_SCORE_UNKNOWN && list == REP_LIST_NONE)
        return refuse(reason, REP_SKIP_EMPTY);
    if (rep_time_parse(value[REP_PART_EXPIRES], &expires_s) != 0)
        return refuse(reason, REP_SKIP_EXPIRES);
    if (rep_time_parse(value[REP_PART_SINCE], &since_s) != 0)
        return refuse(reason, REP_SKIP_SINCE);
    *statement = (struct rep_statement){
        .since_s = in_32_bits(since_s),
        .expires_s = in_32_bits(expires_s),
        .score = (int8_t)score,
        .list = (uint8_t)list,
        .type = rep_names_intern(types, value[REP_PART_TYPE]),
    };
    return 0;
}
