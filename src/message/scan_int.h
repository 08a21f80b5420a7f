/*
 * scan_int: lines of a message, shared by the readers of this folder.
 */
#ifndef RINGFENCE_MESSAGE_SCAN_INT_H
#define RINGFENCE_MESSAGE_SCAN_INT_H

#include <stdbool.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "message/scan.h"

/* The first of two bytes, or `end`. Inline and 16 bytes at a step, because lines and names are so
 * short that a call of memchr() costs more than the search. */
static inline const char *line_find_either(const char *at, const char *end, char a, char b)
{
#ifdef __SSE2__
    const __m128i wide_a = _mm_set1_epi8(a);
    const __m128i wide_b = _mm_set1_epi8(b);

    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        unsigned found = (unsigned)_mm_movemask_epi8(
            _mm_or_si128(_mm_cmpeq_epi8(bytes, wide_a), _mm_cmpeq_epi8(bytes, wide_b)));

        if (found != 0)
            return at + __builtin_ctz(found);
    }
#endif
    while (at < end && *at != a && *at != b)
        at++;
    return at;
}

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
        at = line_find_either(at, end, '\r', '\n');
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
