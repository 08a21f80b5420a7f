/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_int.h"

#include <errno.h>
#include <stdlib.h>

#include "base/list.h"

enum { CHUNK_BYTES = 256 << 10 };

/* Behind it the statements, if any, then the text of a raw key. */
struct record {
    struct rep_entry entry;
    uint64_t packed;
    uint8_t kind;
    bool remove;
    uint8_t text_length;
    uint8_t statements;
};

/* In front of the statements. */
struct times {
    uint64_t changes_s, expires_s;
};

struct chunk {
    struct list_link link;
    size_t length;
    char bytes[CHUNK_BYTES];
};

struct rep_journal {
    struct list_link chunks;
    size_t at; /* read position in the first chunk */
    uint64_t count;
};

_Static_assert(REP_RAW_MAXIMUM <= UINT8_MAX, "text_length");

int rep_journal_create(struct rep_journal **journal)
{
    struct rep_journal *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    list_init(&created->chunks);
    *journal = created;
    return 0;
}

static struct chunk *chunk_for(struct rep_journal *journal, size_t size)
{
    if (!list_is_empty(&journal->chunks)) {
        struct chunk *last = LIST_ENTRY(journal->chunks.previous, struct chunk, link);
        if (last->length + size <= CHUNK_BYTES)
            return last;
    }
    struct chunk *chunk = malloc(sizeof(*chunk));
    if (chunk == NULL)
        return NULL;
    chunk->length = 0;
    list_append(&journal->chunks, &chunk->link);
    return chunk;
}

static size_t statement_bytes(const struct record *record)
{
    return record->statements == 0
               ? 0
               : sizeof(struct times) + record->statements * sizeof(struct rep_statement);
}

static void write_bytes(struct chunk *chunk, const void *bytes, size_t length)
{
    if (length > 0)
        memcpy(chunk->bytes + chunk->length, bytes, length);
    chunk->length += length;
}

int rep_journal_append(struct rep_journal *journal, const struct rep_key *key,
                       const struct rep_value *value)
{
    size_t text_length = key->kind == REP_KIND_RAW ? key->text.length : 0;
    struct record record = {
        .packed = key->packed,
        .kind = (uint8_t)key->kind,
        .remove = value == NULL,
        .text_length = (uint8_t)text_length,
    };
    if (value != NULL) {
        record.entry = value->entry;
        record.statements = (uint8_t)value->said.count;
    }
    struct chunk *chunk =
        chunk_for(journal, sizeof(record) + statement_bytes(&record) + text_length);
    if (chunk == NULL)
        return -ENOMEM;
    write_bytes(chunk, &record, sizeof(record));
    if (record.statements > 0) {
        const struct times times = {value->changes_s, value->said.expires_s};
        write_bytes(chunk, &times, sizeof(times));
        write_bytes(chunk, value->said.item, record.statements * sizeof(value->said.item[0]));
    }
    write_bytes(chunk, key->text.data, text_length);
    journal->count++;
    return 0;
}

static void drop_first(struct rep_journal *journal, struct chunk *chunk)
{
    list_remove(&chunk->link);
    free(chunk);
    journal->at = 0;
}

static void read_bytes(struct rep_journal *journal, const struct chunk *chunk, void *to,
                       size_t length)
{
    memcpy(to, chunk->bytes + journal->at, length);
    journal->at += length;
}

static void read_value(struct rep_journal *journal, const struct chunk *chunk,
                       const struct record *record, struct rep_value *value)
{
    value->entry = record->entry;
    value->changes_s = 0;
    value->said.count = record->statements;
    if (record->statements == 0)
        return;
    struct times times;
    read_bytes(journal, chunk, &times, sizeof(times));
    value->changes_s = times.changes_s;
    value->said.expires_s = times.expires_s;
    read_bytes(journal, chunk, value->said.item, record->statements * sizeof(value->said.item[0]));
}

bool rep_journal_take(struct rep_journal *journal, struct rep_key *key, struct rep_value *value,
                      bool *remove)
{
    if (journal->count == 0)
        return false;
    struct chunk *chunk = LIST_ENTRY(journal->chunks.next, struct chunk, link);
    if (journal->at == chunk->length) {
        drop_first(journal, chunk);
        chunk = LIST_ENTRY(journal->chunks.next, struct chunk, link);
    }
    struct record record;
    read_bytes(journal, chunk, &record, sizeof(record));
    read_value(journal, chunk, &record, value);
    *key = (struct rep_key){(enum rep_kind)record.kind, record.packed,
                            slice_make(chunk->bytes + journal->at, record.text_length)};
    *remove = record.remove;
    journal->at += record.text_length;
    journal->count--;
    return true;
}

uint64_t rep_journal_count(const struct rep_journal *journal)
{
    return journal->count;
}

void rep_journal_clear(struct rep_journal *journal)
{
    while (!list_is_empty(&journal->chunks))
        drop_first(journal, LIST_ENTRY(journal->chunks.next, struct chunk, link));
    journal->at = 0;
    journal->count = 0;
}

void rep_journal_destroy(struct rep_journal *journal)
{
    if (journal == NULL)
        return;
    rep_journal_clear(journal);
    free(journal);
}
