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

enum line_end {
    LINE_COMPLETE,
    LINE_BARE_CR,      /* complete, but a CR without LF is in it: some readers would end it there */
    LINE_UNTERMINATED, /* the bytes end before the line does */
};

/* *past: behind the terminator. One physical line. */
static inline enum line_end line_physical(const char *at, const char *end, const char **past)
{
    enum line_end how = LINE_COMPLETE;

    for (;; at++) {
        at = chars_find_either(at, end, '\r', '\n');
        if (at == end)
            break;
        if (*at == '\n') {
            *past = at + 1;
            return how;
        }
        if (at + 1 == end)
            break;
        if (at[1] == '\n') {
            *past = at + 2;
            return how;
        }
        how = LINE_BARE_CR;
    }
    *past = end;
    return LINE_UNTERMINATED;
}

/* A header line with its folds. */
static inline enum line_end line_header(const char *at, const char *end, const char **past)
{
    enum line_end how = LINE_COMPLETE;

    do {
        enum line_end part = line_physical(at, end, past);

        if (part != LINE_COMPLETE)
            how = part;
        at = *past;
    } while (at < end && (*at == ' ' || *at == '\t'));
    return how;
}

/* Length of an empty line's terminator at `at`, or 0. */
static inline unsigned line_empty(const char *at, const char *end)
{
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

struct line_name {
    const char *past;  /* behind the name */
    const char *colon; /* behind the colon */
    enum smsg_header_id id;
};

/* The name at the start of the header line that ends at line_past, with white space before the
 * colon allowed; bytes up to `end` may be looked at. */
bool smsg_line_name(const char *line, const char *line_past, const char *end,
                    struct line_name *name);

/* Each reads one part of a message into it; an smsg_bad other than NONE when it is malformed. */
enum smsg_bad smsg_scan_start_line(struct smsg *message, struct slice line);
enum smsg_bad smsg_scan_request_uri(const struct smsg *message);
enum smsg_bad smsg_scan_fields(struct smsg *message);

#endif
