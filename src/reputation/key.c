/* SPDX-License-Identifier: Apache-2.0 */
#include "key_int.h"

#include <errno.h>

/* How the part behind a prefix is read. */
static int parse_number(struct slice rest, struct rep_key *key)
{
    if (rest.length < 2 || rest.data[0] != '+')
        return -EBADMSG;
    return rep_pack_digits(slice_from(rest, 1), &key->packed) ? 0 : -EBADMSG;
}

static int parse_prefix(struct slice rest, struct rep_key *key)
{
    return rep_pack_digits(rest, &key->packed) ? 0 : -EBADMSG;
}

static int parse_raw(struct slice rest, struct rep_key *key)
{
    key->text = rest;
    return rest.length > 0 && rest.length <= REP_RAW_MAXIMUM ? 0 : -EBADMSG;
}

struct key_form {
    struct slice prefix;
    int (*parse)(struct slice rest, struct rep_key *key);
    enum rep_skip reason;
};

static const struct key_form key_forms[REP_KIND_COUNT] = {
    [REP_KIND_NUMBER] = {SLICE_LITERAL(REP_KEY_NUMBER), parse_number, REP_SKIP_NUMBER},
    [REP_KIND_PREFIX] = {SLICE_LITERAL(REP_KEY_PREFIX), parse_prefix, REP_SKIP_PREFIX},
    [REP_KIND_RAW] = {SLICE_LITERAL(REP_KEY_RAW), parse_raw, REP_SKIP_RAW},
};

int rep_key_parse(struct slice name, struct rep_key *key, enum rep_skip *reason)
{
    for (unsigned i = 0; i < REP_KIND_COUNT; i++) {
        const struct key_form *form = &key_forms[i];
        if (!slice_starts_with(name, form->prefix))
            continue;
        *key = (struct rep_key){.kind = (enum rep_kind)i};
        *reason = form->reason;
        return form->parse(slice_from(name, form->prefix.length), key);
    }
    return ERROR_NOT_FOUND;
}

void rep_key_append(struct buffer *buffer, const struct rep_key *key)
{
    buffer_append(buffer, key_forms[key->kind].prefix);
    if (key->kind == REP_KIND_RAW) {
        buffer_append(buffer, key->text);
        return;
    }
    char digits[REP_DIGITS_MAXIMUM + 1];
    unsigned count = rep_unpack_digits(key->packed, digits);
    if (key->kind == REP_KIND_NUMBER)
        buffer_append_char(buffer, '+');
    buffer_append_bytes(buffer, digits, count);
}

int rep_score_parse(struct slice text, int *score)
{
    text = slice_trim(text);
    *score = REP_SCORE_UNKNOWN;
    if (slice_is_empty(text))
        return 0;
    uint64_t value;
    if (slice_to_uint64(text, REP_SCORE_MAXIMUM, &value) != 0)
        return -EBADMSG;
    *score = (int)value;
    return 0;
}

int rep_fields_parse(const struct slice fields[REP_FIELD_COUNT], struct rep_names *types,
                     struct rep_names *sources, struct rep_entry *entry, enum rep_skip *reason)
{
    int score;
    enum rep_list list;
    if (rep_score_parse(fields[REP_FIELD_SCORE], &score) != 0) {
        *reason = REP_SKIP_SCORE;
        return -EBADMSG;
    }
    if (rep_list_parse(fields[REP_FIELD_LIST], &list) != 0) {
        *reason = REP_SKIP_LIST;
        return -EBADMSG;
    }
    if (score == REP_SCORE_UNKNOWN && list == REP_LIST_NONE) {
        *reason = REP_SKIP_EMPTY;
        return -EBADMSG;
    }
    *entry = (struct rep_entry){
        .score = (int8_t)score,
        .list = (uint8_t)list,
        .type = rep_names_intern(types, fields[REP_FIELD_TYPE]),
        .source = rep_names_intern(sources, fields[REP_FIELD_SOURCE]),
    };
    return 0;
}
