/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chars: which bytes SIP's grammar (RFC 3261 section 25.1) allows where, and cursor steps over
 * them.
 */
#ifndef RINGFENCE_MESSAGE_CHARS_INT_H
#define RINGFENCE_MESSAGE_CHARS_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "marks_int.h"

enum {
    CHAR_TOKEN = 1,     /* token */
    CHAR_USER = 2,      /* user of a SIP URI */
    CHAR_HOST = 4,      /* hostname and IPv4; '_' occurs in real names */
    CHAR_PARAM = 8,     /* gen-value of a header parameter when it is not quoted */
    CHAR_URIC = 16,     /* parameters and headers of a URI */
    CHAR_TEL = 32,      /* the number of a tel URI (RFC 3966) */
    CHAR_DISPLAY = 64,  /* a display name without quotes; wider than the grammar, see chars.c */
    CHAR_URI_ANY = 128, /* anywhere in a URI that stands between < and > */
};

extern const uint8_t smsg_chars[256];

static inline bool char_is(char byte, unsigned class)
{
    return (smsg_chars[(unsigned char)byte] & class) != 0;
}

/* The fold of RFC 3261 section 7.3.1 is white space to every reader of structure. Scan has seen to
 * it that CR and LF inside a header value are part of a fold. */
static inline bool char_is_lws(char byte)
{
    const uint64_t white = 1ull << ' ' | 1ull << '\t' | 1ull << '\r' | 1ull << '\n';

    return (unsigned char)byte <= ' ' && (white >> byte & 1) != 0;
}

static inline bool char_is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static inline bool char_is_hex(char byte)
{
    return char_is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

static inline const char *chars_span(const char *at, const char *end, unsigned class)
{
    while (at < end && char_is(*at, class))
        at++;
    return at;
}

/* Without regard to case, against letters in lower case. */
static inline bool chars_equal_letters(struct slice text, struct slice letters)
{
    if (text.length != letters.length)
        return false;
    for (size_t i = 0; i < text.length; i++)
        if ((text.data[i] | 0x20) != letters.data[i])
            return false;
    return true;
}

static inline const char *chars_skip_lws(const char *at, const char *end)
{
    while (at < end && char_is_lws(*at))
        at++;
    return at;
}

/*
 * Where a function takes a `limit`, bytes up to it may be looked at, though only those before `end`
 * count: within a message this saves the byte-wise search at the end of each value.
 */

/* The first of two bytes, or `end`. Inline and a block at a step, because lines and names are so
 * short that a call of memchr() costs more than the search. */
static inline const char *chars_find_either(const char *at, const char *end, const char *limit,
                                            char a, char b)
{
    for (; limit - at >= MARKS_SPAN && at < end; at += MARKS_SPAN) {
        unsigned found = marks_either(at, a, b);

        if (found != 0) {
            at += __builtin_ctz(found);
            return at < end ? at : end;
        }
    }
    while (at < end && *at != a && *at != b)
        at++;
    return at < end ? at : end;
}

/* chars_span() of visible ASCII. */
static inline const char *chars_span_visible(const char *at, const char *end, const char *limit)
{
    for (; limit - at >= MARKS_SPAN && at < end; at += MARKS_SPAN) {
        unsigned stop = marks_invisible(at);

        if (stop != 0) {
            at += __builtin_ctz(stop);
            return at < end ? at : end;
        }
    }
    while (at<end && * at> ' ' && *at < 0x7f)
        at++;
    return at < end ? at : end;
}

/* chars_span() of CHAR_URI_ANY. */
static inline const char *chars_span_uri(const char *at, const char *end, const char *limit)
{
    for (; limit - at >= MARKS_SPAN && at < end; at += MARKS_SPAN) {
        unsigned stop = marks_beyond_uri(at);

        if (stop != 0) {
            at += __builtin_ctz(stop);
            return at < end ? at : end;
        }
    }
    return at < end ? chars_span(at, end, CHAR_URI_ANY) : end;
}

/* chars_span() of a class that holds letters, digits, '-', '.' and '_' (all but CHAR_TEL do), which
 * make up most of any run: those are passed a block at a time, others one by one. */
static inline const char *chars_span_words(const char *at, const char *end, const char *limit,
                                           unsigned class)
{
    while (at < end && char_is(*at, class)) {
        at++;
        if (limit - at >= MARKS_SPAN)
            at += __builtin_ctz(marks_beyond_word(at) | 1u << MARKS_SPAN);
    }
    return at < end ? at : end;
}

/* Like chars_span(), with %HH taken as one character; stops at a '%' that starts no escape. */
const char *smsg_chars_span_escaped(const char *at, const char *end, unsigned class);

/* From the opening quote to behind the closing one, or NULL. Any byte may stand inside. */
const char *smsg_chars_span_quoted(const char *at, const char *end, const char *limit);

/* "host", "1.2.3.4" or "[v6]"; *host is without brackets. Behind it, or NULL when there is none. */
const char *smsg_chars_host(const char *at, const char *end, const char *limit, struct slice *host);

/* 1..65535 in decimal. Behind it, or NULL. */
const char *smsg_chars_port(const char *at, const char *end, uint16_t *port);

struct smsg_param_view {
    struct slice name;
    struct slice value; /* quotes kept; data == NULL: no value */
};

/*
 * Takes the next ";name[=value]" of header parameters, strictly. 1 when there was one, 0 at the
 * end, ERROR_MALFORMED for anything else, an empty parameter included.
 */
int smsg_chars_param(const char **at, const char *end, const char *limit,
                     struct smsg_param_view *param);

#endif
