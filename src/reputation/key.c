/* SPDX-License-Identifier: Apache-2.0 */
#include "key_int.h"

#include <errno.h>
#include <string.h>

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

void rep_request_init(struct rep_request *request, const struct rep_authority *authority)
{
    static const struct slice words[] = {SLICE_LITERAL("HMGET"),
                                         {0},
#define REP_FIELD_WORD(name, text) SLICE_LITERAL(text),
                                         REP_FIELD_TABLE(REP_FIELD_WORD)
#undef REP_FIELD_WORD
    };
    memcpy(request->words, words, sizeof(words));
    request->fields = REP_FIELD_COUNT;
    for (unsigned i = 0; i < authority->count; i++) {
        struct buffer name = buffer_over(request->names[i], sizeof(request->names[i]));
        buffer_append_literal(&name, REP_PART_PREFIX);
        buffer_append(&name, slice_first(authority->name[i], REP_NAME_MAXIMUM));
        request->words[2 + request->fields++] = buffer_slice(&name);
    }
}

/* ---- what the fields say ------------------------------------------------------------------- */

/* Reading the fields of one key. */
struct reading {
    struct rep_names *types;
    struct rep_statements *said;
    uint64_t reassigned_s;
    enum rep_skip *reason;
    bool outdated; /* something was said before the number had its present subscriber */
};

static void take_statement(struct reading *reading, const struct slice value[REP_PART_COUNT],
                           uint8_t source)
{
    struct rep_statement statement;
    if (rep_statement_read(value, reading->types, &statement, reading->reason) != 0)
        return;
    statement.source = source;
    if (statement.since_s != 0 && statement.since_s < reading->reassigned_s)
        reading->outdated = true;
    else
        reading->said->item[reading->said->count++] = statement;
}

static bool has_part(const struct slice *parts, const struct rep_authority *authority, uint8_t id)
{
    for (unsigned i = 0; id != 0 && i < authority->count; i++)
        if (authority->id[i] == id && parts[i].data != NULL)
            return true;
    return false;
}

/* A `since` that is no time was written for people: it is not known then. */
static void take_plain(struct reading *reading, const struct slice *fields, uint8_t source)
{
    struct slice value[REP_PART_COUNT] = {
        [REP_PART_SCORE] = fields[REP_FIELD_SCORE],     [REP_PART_LIST] = fields[REP_FIELD_LIST],
        [REP_PART_TYPE] = fields[REP_FIELD_TYPE],       [REP_PART_SINCE] = fields[REP_FIELD_SINCE],
        [REP_PART_EXPIRES] = fields[REP_FIELD_EXPIRES],
    };
    uint64_t since_s;
    if (rep_time_parse(value[REP_PART_SINCE], &since_s) != 0)
        value[REP_PART_SINCE] = slice_make(NULL, 0);
    take_statement(reading, value, source);
}

int rep_fields_parse(const struct slice *fields, const struct rep_authority *authority,
                     struct rep_names *types, struct rep_names *sources,
                     struct rep_statements *said, enum rep_skip *reason)
{
    const struct slice *parts = fields + REP_FIELD_COUNT;
    struct reading reading = {.types = types, .said = said, .reason = reason};
    bool plain = fields[REP_FIELD_SCORE].data != NULL || fields[REP_FIELD_LIST].data != NULL;
    bool any = plain;
    *reason = REP_SKIP_COUNT;
    said->count = 0;
    said->expires_s = 0;
    bool reassigned = fields[REP_FIELD_REASSIGNED].data != NULL &&
                      rep_time_parse(fields[REP_FIELD_REASSIGNED], &reading.reassigned_s) == 0;
    uint8_t source = plain ? rep_names_intern(sources, fields[REP_FIELD_SOURCE]) : 0;
    /* A source speaks once: where it has a part of its own that is its word. */
    if (plain && !has_part(parts, authority, source))
        take_plain(&reading, fields, source);
    for (unsigned i = 0; i < authority->count; i++) {
        struct slice value[REP_PART_COUNT];
        if (parts[i].data == NULL)
            continue;
        any = true;
        rep_part_split(parts[i], value);
        take_statement(&reading, value, authority->id[i]);
    }
    if (said->count > 0)
        return 0;
    if (*reason == REP_SKIP_COUNT && (reading.outdated || (reassigned && !any)))
        return ERROR_NOT_FOUND;
    if (*reason == REP_SKIP_COUNT)
        *reason = REP_SKIP_EMPTY;
    return -EBADMSG;
}
