/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Redis server and a CSV file may send: no crash, no read outside, replies come out the same
 * however the bytes are cut, and a row that is accepted names a key,
 * what several sources say comes to an entry. The first byte chooses.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/reputation/key_int.h"
#include "../../src/reputation/reply_int.h"
#include "base/hash.h"
#include "reputation/row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REPLY_LIMIT = 1 << 20, LINE_LIMIT = 4096 };

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* Folds a reply into a digest, touching every byte of it. */
static uint64_t fold(uint64_t digest, const struct rep_reply *reply)
{
    const struct hash_key key = {{digest, (uint64_t)reply->type}};
    if (reply->type == REP_REPLY_ARRAY) {
        digest = hash_siphash13(&key, &reply->count, sizeof(reply->count));
        for (size_t i = 0; i < reply->count; i++)
            digest = fold(digest, &reply->element[i]);
        return digest;
    }
    if (reply->type == REP_REPLY_INTEGER)
        return hash_siphash13(&key, &reply->integer, sizeof(reply->integer));
    return hash_slice(&key, reply->text);
}

static uint64_t read_replies(struct slice bytes, size_t piece)
{
    struct rep_reader *reader;
    uint64_t digest = 0;
    if (rep_reader_create(REPLY_LIMIT, &reader) != 0)
        abort();
    int code = ERROR_INCOMPLETE;
    while (bytes.length > 0 && code == ERROR_INCOMPLETE) {
        struct slice part = slice_first(bytes, piece);
        bytes = slice_from(bytes, part.length);
        const struct rep_reply *reply;
        if (rep_reader_feed(reader, part.data, part.length) != 0)
            break;
        while ((code = rep_reader_next(reader, &reply)) == 0)
            digest = fold(digest, reply);
    }
    rep_reader_destroy(reader);
    return digest;
}

static void check_replies(struct slice bytes)
{
    uint64_t whole = read_replies(bytes, REPLY_LIMIT);
    require(whole == read_replies(bytes, 1));
    require(whole == read_replies(bytes, 7));
}

static void check_line(struct slice bytes)
{
    char line[LINE_LIMIT];
    struct rep_row row;
    enum rep_skip reason = REP_SKIP_COUNT;
    bytes = slice_first(bytes, sizeof(line));
    if (bytes.length > 0)
        memcpy(line, bytes.data, bytes.length);
    int code = rep_row_parse_csv(line, bytes.length, &row, &reason);
    struct rep_key key, again;
    if (code != 0) {
        require(code == ERROR_NOT_FOUND || reason < REP_SKIP_COUNT);
        return;
    }
    require(rep_row_key(row.number, &key) == 0);
    require(row.score >= REP_SCORE_UNKNOWN && row.score <= REP_SCORE_MAXIMUM);
    char name[REP_KEY_MAXIMUM];
    struct buffer buffer = buffer_over(name, sizeof(name));
    rep_key_append(&buffer, &key);
    require(!buffer.overflow && rep_key_parse(buffer_slice(&buffer), &again, &reason) == 0);
    require(again.kind == key.kind && again.packed == key.packed &&
            slice_equal(again.text, key.text));
}

static void check_key(struct slice bytes)
{
    struct rep_key key;
    enum rep_skip reason = REP_SKIP_COUNT;
    if (rep_key_parse(bytes, &key, &reason) != 0)
        return;
    char name[REP_KEY_MAXIMUM];
    struct buffer buffer = buffer_over(name, sizeof(name));
    rep_key_append(&buffer, &key);
    require(slice_equal(buffer_slice(&buffer), bytes));
}

enum { SOURCES = 2, FIELDS = REP_FIELD_COUNT + SOURCES };

/* Fields are cut at zero bytes: what they say is within its bounds, and what it comes to changes
 * only when that was announced. */
static void check_fields(struct slice bytes)
{
    static const struct rep_source_row rows[SOURCES] = {
        {SLICE_LITERAL("police"), 3, 0, REP_MAY_ALL},
        {SLICE_LITERAL("radio"), 1, 86400, REP_MAY_ALL & ~REP_MAY_BLOCK},
    };
    const uint64_t now_s = 1800000000;
    struct slice fields[REP_FIELD_LIMIT] = {{0}};
    struct rep_authority authority;
    struct rep_names *types, *sources;
    struct rep_statements said;
    struct rep_value value, later;
    enum rep_skip reason;
    for (unsigned i = 0; i < FIELDS && bytes.length > 0; i++) {
        struct slice field = slice_first(bytes, slice_find(bytes, '\0'));
        bytes = slice_from(bytes, field.length + 1);
        if (field.length > 0)
            fields[i] = field;
    }
    if (rep_names_create(REP_TYPE_LIMIT, &types) != 0 ||
        rep_names_create(REP_SOURCE_LIMIT, &sources) != 0)
        abort();
    rep_authority_init(&authority, REP_COMBINE_WEIGHTED, rows, SOURCES, sources);
    int code = rep_fields_parse(fields, &authority, types, sources, &said, &reason);
    require(code == 0 || code == ERROR_NOT_FOUND || reason < REP_SKIP_COUNT);
    if (code == 0 && rep_combine(&authority, &said, now_s, &value)) {
        require(value.entry.score >= REP_SCORE_UNKNOWN && value.entry.score <= REP_SCORE_MAXIMUM);
        require(value.entry.list < REP_LIST_COUNT && value.entry.source <= REP_SOURCE_LIMIT);
        require(value.entry.expires_s == 0 || value.entry.expires_s > now_s);
        require(value.changes_s == 0 || value.changes_s > now_s);
        if (value.changes_s != 0) {
            require(rep_combine(&authority, &said, value.changes_s - 1, &later));
            require(later.entry.score == value.entry.score && later.changes_s == value.changes_s);
        }
    }
    rep_names_destroy(types);
    rep_names_destroy(sources);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const checks[])(struct slice bytes) = {check_replies, check_line, check_key,
                                                         check_fields};
    if (size == 0)
        return 0;
    checks[data[0] % 4](slice_make((const char *)data + 1, size - 1));
    return 0;
}
