/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chars: which bytes SIP's grammar (RFC 3261 section 25.1) allows where, and cursor steps over
 * them.
 */
#ifndef RINGFENCE_MESSAGE_CHARS_INT_H
#define RINGFENCE_MESSAGE_CHARS_INT_H

#include <stdbool.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/slice.h"

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
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
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

static inline const char *chars_skip_lws(const char *at, const char *end)
{
    while (at < end && char_is_lws(*at))
        at++;
    return at;
}

/* The first of two bytes, or `end`. Inline and 16 bytes at a step, because lines and names are so
 * short that a call of memchr() costs more than the search. */
static inline const char *chars_find_either(const char *at, const char *end, char a, char b)
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

/* chars_span() of CHAR_URI_ANY, which is visible ASCII but '"' '<' '>' '\\'. */
static inline const char *chars_span_uri(const char *at, const char *end)
{
#ifdef __SSE2__
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* Signed, so that bytes from 0x80 on are below the space. */
        __m128i good = _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(' ')),
                                     _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x7f)));
        __m128i bad = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                                _mm_cmpeq_epi8(bytes, _mm_set1_epi8('<'))),
                                   _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('>')),
                                                _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
        unsigned stop = (unsigned)_mm_movemask_epi8(_mm_andnot_si128(bad, good)) ^ 0xffffu;

        if (stop != 0)
            return at + __builtin_ctz(stop);
    }
#endif
    return chars_span(at, end, CHAR_URI_ANY);
}

/* Like chars_span(), with %HH taken as one character; stops at a '%' that starts no escape. */
const char *smsg_chars_span_escaped(const char *at, const char *end, unsigned class);

/* From the opening quote to behind the closing one, or NULL. Any byte may stand inside. */
const char *smsg_chars_span_quoted(const char *at, const char *end);

/* "host", "1.2.3.4" or "[v6]"; *host is without brackets. Behind it, or NULL when there is none. */
const char *smsg_chars_host(const char *at, const char *end, struct slice *host);

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
int smsg_chars_param(const char **at, const char *end, struct smsg_param_view *param);

#endif
