/* SPDX-License-Identifier: Apache-2.0 */
/*
 * edit: a message as it came in with a few runs of bytes replaced.
 *
 * Edits are collected against the scanned original and applied in one pass when written, so what
 * nobody touched goes out byte for byte (only a missing empty line behind the headers is added).
 * Inserted slices must live until smsg_edit_write().
 */
#ifndef RINGFENCE_MESSAGE_EDIT_H
#define RINGFENCE_MESSAGE_EDIT_H

#include "base/buffer.h"
#include "message/scan.h"

#define SMSG_EDIT_LIMIT 48

struct smsg_edit_run {
    uint32_t at;     /* offset in the original */
    uint32_t remove; /* bytes of the original left out */
    struct slice insert;
};

struct smsg_edit {
    const struct smsg *message;
    uint16_t count;
    bool failed; /* more than SMSG_EDIT_LIMIT runs, or overlapping ones: sticky */
    struct smsg_edit_run runs[SMSG_EDIT_LIMIT];
};

void smsg_edit_begin(struct smsg_edit *edit, const struct smsg *message);

/* Inserts at an offset; several inserts at one offset keep their order. */
void smsg_edit_insert(struct smsg_edit *edit, uint32_t at, struct slice text);
void smsg_edit_replace(struct smsg_edit *edit, uint32_t at, uint32_t remove, struct slice text);
/* Replaces a slice that points into the original. */
void smsg_edit_replace_slice(struct smsg_edit *edit, struct slice original, struct slice text);

/* A whole header line with its folds. */
void smsg_edit_remove_header(struct smsg_edit *edit, const struct smsg_header *header);

/* `line` is whole, with CRLF; before the first header of that kind, or, without one, at the head of
 * all headers (Via, Route and Record-Route) or behind all of them (others). */
void smsg_edit_push_header(struct smsg_edit *edit, enum smsg_header_id id, struct slice line);
/* Behind all headers. */
void smsg_edit_append_header(struct smsg_edit *edit, struct slice line);

/* Removes the topmost value of a many-valued header (Via, Route): the value with its comma, or
 * the line when it was the only value on it. */
void smsg_edit_pop_value(struct smsg_edit *edit, enum smsg_header_id id);
/* Removes the first `count` values, over several lines if need be. */
void smsg_edit_pop_values(struct smsg_edit *edit, enum smsg_header_id id, unsigned count);

/* Length of the result. */
size_t smsg_edit_length(const struct smsg_edit *edit);

/* Appends the result to the buffer. ERROR_MALFORMED when the edit failed, ERROR_LIMIT when the
 * buffer is too small; nothing usable was written then. */
int smsg_edit_write(struct smsg_edit *edit, struct buffer *out) MUST_CHECK;

#endif
