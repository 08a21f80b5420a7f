/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_int: lines of a message, shared by the readers of this folder.
 */
#ifndef RINGFENCE_MESSAGE_SCAN_INT_H
#define RINGFENCE_MESSAGE_SCAN_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "chars_int.h"
#include "message/scan.h"
#include "message/syntax.h"

enum line_end {
    LINE_COMPLETE,
    LINE_BARE_CR,      /* complete, but a CR without LF is in it: some readers would end it there */
    LINE_UNTERMINATED, /* the bytes end before the line does */
};

/*
 * Takes line after line off some bytes. Where lines may end is marked a block ahead of its use, so
 * that no line has to wait for the search of the one before it.
 */
struct line_reader {
    const char *first; /* of all bytes */
    const char *end;
    const char *block;
    uint64_t stops; /* in the block and not yet passed: CR, LF and whatever sorts before them */
};

void smsg_line_begin(struct line_reader *reader, const char *at, const char *end);

/* Marks the next block; false when there is none. */
bool smsg_line_next_block(struct line_reader *reader);

/* NULL when there is no more. */
static inline const char *line_next_stop(struct line_reader *reader)
{
    const char *stop;

    while (reader->stops == 0)
        if (!smsg_line_next_block(reader))
            return NULL;
    stop = reader->block + __builtin_ctzll(reader->stops);
    reader->stops &= reader->stops - 1;
    return stop;
}

/* *past: behind the terminator. One physical line. */
enum line_end smsg_line_physical(struct line_reader *reader, const char **past);

/* A header line with its folds, of which the first stop is taken. */
enum line_end smsg_line_rest(struct line_reader *reader, const char *stop, const char **past);

/* A header line with its folds. */
static inline enum line_end line_header(struct line_reader *reader, const char **past)
{
    const char *stop = line_next_stop(reader);

    /* But for the last, lines end so; a fold, or any other stop, asks for more care. */
    if (stop == NULL || reader->end - stop < 3 || stop[0] != '\r' || stop[1] != '\n' ||
        stop[2] == ' ' || stop[2] == '\t')
        return smsg_line_rest(reader, stop, past);
    *past = line_next_stop(reader) + 1;
    return LINE_COMPLETE;
}

/* The first ':' of a line, or NULL. */
static inline const char *line_colon(const struct line_reader *reader, const char *line,
                                     const char *past)
{
    const char *colon;

    if (reader->end - line >= MARKS_COLONS) {
        uint32_t colons = marks_colons(line);

        if (colons != 0) {
            colon = line + __builtin_ctz(colons);
            return colon < past ? colon : NULL;
        }
    }
    colon = chars_find_either(line, past, reader->end, ':', ':');
    return colon < past ? colon : NULL;
}

/* Behind the name at the start of a line, of which the white space before the colon is no part. */
static inline const char *line_name_past(const char *line, const char *colon)
{
    while (colon > line && (colon[-1] == ' ' || colon[-1] == '\t'))
        colon--;
    return colon;
}

/* Length of an empty line's terminator at `at`, or 0. */
static inline unsigned line_empty(const char *at, const char *end)
{
    if (at < end && (unsigned char)*at > '\r')
        return 0;
    if (at < end && *at == '\n')
        return 1;
    return end - at >= 2 && at[0] == '\r' && at[1] == '\n' ? 2 : 0;
}

/* Past CRLFs before the start line (RFC 3261 section 7.5). */
static inline const char *line_skip_empty(const char *at, const char *end)
{
    while (at < end && (*at == '\r' || *at == '\n'))
        at++;
    return at;
}

/* As their public namesakes, but bytes up to `limit` may be looked at, and the value has no white
 * space at its ends. An empty value is malformed. */
int smsg_via_read(struct slice value, const char *limit, struct smsg_via *via) MUST_CHECK;
int smsg_address_read(struct slice value, const char *limit,
                      struct smsg_address *address) MUST_CHECK;
/* *known: a scheme that calls are routed by: sip, sips, tel or urn. */
int smsg_uri_read(struct slice text, const char *limit, struct smsg_uri *uri,
                  bool *known) MUST_CHECK;

/* Each reads one part of a message into it; an smsg_bad other than NONE when it is malformed. */
enum smsg_bad smsg_scan_start_line(struct smsg *message, struct slice line);
enum smsg_bad smsg_scan_request_uri(const struct smsg *message);
enum smsg_bad smsg_scan_fields(struct smsg *message);

#endif
