/* SPDX-License-Identifier: Apache-2.0 */
#include "message/edit.h"

#include <assert.h>

#include "message/syntax.h"

/* A message that ends with its last header line (RFC 5118 has one) leaves with the empty line that
 * the next hop needs; this is the one thing that an edit adds unasked. */
static size_t missing_empty_line(const struct smsg *message)
{
    return message->headers_end == message->bytes.length ? 2 : 0;
}

void smsg_edit_begin(struct smsg_edit *edit, const struct smsg *message)
{
    edit->message = message;
    edit->count = 0;
    edit->failed = false;
}

static bool overlaps(const struct smsg_edit_run *a, const struct smsg_edit_run *b)
{
    if (a->at == b->at)
        return a->remove > 0 && b->remove > 0;
    return a->at < b->at ? b->at - a->at < a->remove : a->at - b->at < b->remove;
}

void smsg_edit_replace(struct smsg_edit *edit, uint32_t at, uint32_t remove, struct slice text)
{
    struct smsg_edit_run run = {at, remove, text};
    size_t length = edit->message->bytes.length;
    uint16_t place = edit->count;

    if (remove == 0 && text.length == 0)
        return;
    if (edit->count == SMSG_EDIT_LIMIT || at > length || remove > length - at)
        edit->failed = true;
    if (edit->failed)
        return;
    for (uint16_t i = 0; i < edit->count; i++) {
        if (overlaps(&edit->runs[i], &run)) {
            edit->failed = true;
            return;
        }
    }
    for (; place > 0 && edit->runs[place - 1].at > at; place--)
        edit->runs[place] = edit->runs[place - 1];
    edit->runs[place] = run;
    edit->count++;
}

void smsg_edit_insert(struct smsg_edit *edit, uint32_t at, struct slice text)
{
    smsg_edit_replace(edit, at, 0, text);
}

static uint32_t offset_of(const struct smsg_edit *edit, const char *at)
{
    return (uint32_t)(at - edit->message->bytes.data);
}

void smsg_edit_replace_slice(struct smsg_edit *edit, struct slice original, struct slice text)
{
    assert(original.data >= edit->message->bytes.data &&
           slice_past(original) <= slice_past(edit->message->bytes));
    smsg_edit_replace(edit, offset_of(edit, original.data), (uint32_t)original.length, text);
}

void smsg_edit_remove_header(struct smsg_edit *edit, const struct smsg_header *header)
{
    smsg_edit_replace(edit, header->start, header->end - header->start, slice_make(NULL, 0));
}

/* RFC 3261 section 7.3.1 recommends what proxies need towards the top. */
static bool belongs_at_head(enum smsg_header_id id)
{
    return id == SMSG_HEADER_VIA || id == SMSG_HEADER_ROUTE || id == SMSG_HEADER_RECORD_ROUTE;
}

void smsg_edit_push_header(struct smsg_edit *edit, enum smsg_header_id id, struct slice line)
{
    const struct smsg *message = edit->message;
    const struct smsg_header *header = smsg_first(message, id);
    uint32_t at = message->headers_end;

    if (header != NULL)
        at = header->start;
    else if (belongs_at_head(id) && message->header_count > 0)
        at = message->headers[0].start;
    smsg_edit_insert(edit, at, line);
}

void smsg_edit_append_header(struct smsg_edit *edit, struct slice line)
{
    smsg_edit_insert(edit, edit->message->headers_end, line);
}

void smsg_edit_pop_value(struct smsg_edit *edit, enum smsg_header_id id)
{
    smsg_edit_pop_values(edit, id, 1);
}

void smsg_edit_pop_values(struct smsg_edit *edit, enum smsg_header_id id, unsigned count)
{
    const struct smsg *message = edit->message;
    const struct smsg_header *header = smsg_first(message, id);

    /* Scan has read the topmost Via value already, which is mostly alone on its line. */
    if (id == SMSG_HEADER_VIA && header != NULL && count > 0 &&
        slice_past(message->via.value) == slice_past(smsg_value(message, header))) {
        smsg_edit_remove_header(edit, header);
        header = smsg_next(message, header);
        count--;
    }
    for (; header != NULL && count > 0; header = smsg_next(message, header)) {
        struct slice rest = smsg_value(message, header), value;
        bool more = smsg_next_value(&rest, &value);

        while (more && count > 0) {
            count--;
            more = smsg_next_value(&rest, &value);
        }
        if (more)
            smsg_edit_replace(edit, header->value, offset_of(edit, value.data) - header->value,
                              slice_make(NULL, 0));
        else
            smsg_edit_remove_header(edit, header);
    }
}

size_t smsg_edit_length(const struct smsg_edit *edit)
{
    size_t length = edit->message->bytes.length + missing_empty_line(edit->message);

    for (uint16_t i = 0; i < edit->count; i++)
        length += edit->runs[i].insert.length - edit->runs[i].remove;
    return length;
}

int smsg_edit_write(struct smsg_edit *edit, struct buffer *out)
{
    struct slice bytes = edit->message->bytes;
    size_t at = 0;

    if (edit->failed)
        return ERROR_MALFORMED;
    if (out->overflow || smsg_edit_length(edit) > out->capacity - out->length) {
        out->overflow = true;
        return ERROR_LIMIT;
    }
    for (uint16_t i = 0; i < edit->count; i++) {
        const struct smsg_edit_run *run = &edit->runs[i];

        if (run->at > at) {
            buffer_append_bytes(out, bytes.data + at, run->at - at);
            at = run->at;
        }
        buffer_append(out, run->insert);
        at += run->remove;
    }
    buffer_append_bytes(out, bytes.data + at, bytes.length - at);
    if (missing_empty_line(edit->message) > 0)
        buffer_append_literal(out, "\r\n");
    return 0;
}
