/* SPDX-License-Identifier: Apache-2.0 */
#include "chars_int.h"

#include "base/error.h"

#define ALNUM \
    (CHAR_TOKEN | CHAR_USER | CHAR_HOST | CHAR_PARAM | CHAR_URIC | CHAR_DISPLAY | CHAR_URI_ANY)
#define HEXDIG (ALNUM | CHAR_TEL)
#define TOKEN  (CHAR_TOKEN | CHAR_PARAM | CHAR_DISPLAY | CHAR_URI_ANY)
#define MARK   (TOKEN | CHAR_USER | CHAR_URIC)
#define OTHER  (CHAR_DISPLAY | CHAR_URI_ANY)

/*
 * CHAR_DISPLAY takes every byte but controls and those with a meaning of their own there
 * ('"' '<' '>' ',' ';' ':' '\'): gateways send names in UTF-8 or GBK, and mail-like names, without
 * the quotes that the grammar asks for.
 */
const uint8_t smsg_chars[256] = {
    [' '] = CHAR_DISPLAY,
    ['\t'] = CHAR_DISPLAY,
    ['\r'] = CHAR_DISPLAY,
    ['\n'] = CHAR_DISPLAY,
    ['!'] = MARK,
    ['#'] = OTHER | CHAR_TEL,
    ['$'] = OTHER | CHAR_USER | CHAR_URIC,
    ['%'] = TOKEN,
    ['&'] = OTHER | CHAR_USER | CHAR_URIC,
    ['\''] = MARK,
    ['('] = OTHER | CHAR_USER | CHAR_URIC | CHAR_TEL,
    [')'] = OTHER | CHAR_USER | CHAR_URIC | CHAR_TEL,
    ['*'] = MARK | CHAR_TEL,
    ['+'] = MARK | CHAR_TEL,
    [','] = CHAR_USER | CHAR_URI_ANY,
    ['-'] = MARK | CHAR_HOST | CHAR_TEL,
    ['.'] = MARK | CHAR_HOST | CHAR_TEL,
    ['/'] = OTHER | CHAR_USER | CHAR_URIC | CHAR_PARAM,
    ['0' ... '9'] = HEXDIG,
    [':'] = CHAR_PARAM | CHAR_URIC | CHAR_URI_ANY,
    [';'] = CHAR_USER | CHAR_URIC | CHAR_URI_ANY,
    ['='] = OTHER | CHAR_USER | CHAR_URIC,
    ['?'] = OTHER | CHAR_USER | CHAR_URIC,
    ['@'] = OTHER,
    ['A' ... 'F'] = HEXDIG,
    ['G' ... 'Z'] = ALNUM,
    ['['] = OTHER | CHAR_URIC | CHAR_PARAM,
    [']'] = OTHER | CHAR_URIC | CHAR_PARAM,
    ['^'] = OTHER,
    ['_'] = MARK | CHAR_HOST,
    ['`'] = TOKEN,
    ['a' ... 'f'] = HEXDIG,
    ['g' ... 'z'] = ALNUM,
    ['{'] = OTHER,
    ['|'] = OTHER,
    ['}'] = OTHER,
    ['~'] = MARK,
    [0x80 ... 0xff] = CHAR_DISPLAY,
};

const char *smsg_chars_span_escaped(const char *at, const char *end, unsigned class)
{
    for (;;) {
        while (at < end && char_is(*at, class) && *at != '%')
            at++;
        if (end - at < 3 || *at != '%' || !char_is_hex(at[1]) || !char_is_hex(at[2]))
            return at;
        at += 3;
    }
}

const char *smsg_chars_span_quoted(const char *at, const char *end, const char *limit)
{
    for (at++; at < end; at += 2) {
        at = chars_find_either(at, end, limit, '"', '\\');
        if (at < end && *at == '"')
            return at + 1;
        if (end - at < 2)
            break;
    }
    return NULL;
}

const char *smsg_chars_host(const char *at, const char *end, const char *limit, struct slice *host)
{
    const char *first = at;

    if (at < end && *at == '[') {
        unsigned colons = 0;

        for (at++; at < end && (char_is_hex(*at) || *at == ':' || *at == '.'); at++)
            colons += *at == ':';
        /* RFC 5118 section 4.10: the ":::" that an older grammar produced is let through. */
        if (at == end || *at != ']' || colons < 2)
            return NULL;
        *host = slice_between(first + 1, at);
        return at + 1;
    }
    at = chars_span_words(at, end, limit, CHAR_HOST);
    if (at == first)
        return NULL;
    *host = slice_between(first, at);
    return at;
}

const char *smsg_chars_port(const char *at, const char *end, uint16_t *port)
{
    const char *first = at;
    unsigned value = 0;

    for (; at < end && char_is_digit(*at); at++) {
        value = value * 10 + (unsigned)(*at - '0');
        if (value > UINT16_MAX)
            return NULL;
    }
    if (at == first || value == 0)
        return NULL;
    *port = (uint16_t)value;
    return at;
}

int smsg_chars_param(const char **at, const char *end, const char *limit,
                     struct smsg_param_view *param)
{
    const char *past = chars_skip_lws(*at, end);
    const char *first;

    if (past == end)
        return 0;
    if (*past != ';')
        return ERROR_MALFORMED;
    first = chars_skip_lws(past + 1, end);
    past = chars_span(first, end, CHAR_TOKEN);
    if (past == first)
        return ERROR_MALFORMED;
    param->name = slice_between(first, past);
    param->value = slice_make(NULL, 0);
    *at = past;
    past = chars_skip_lws(past, end);
    if (past == end || *past != '=')
        return 1;
    first = chars_skip_lws(past + 1, end);
    if (first < end && *first == '"') {
        past = smsg_chars_span_quoted(first, end, limit);
        if (past == NULL)
            return ERROR_MALFORMED;
    } else {
        past = chars_span_words(first, end, limit, CHAR_PARAM);
    }
    if (past == first)
        return ERROR_MALFORMED;
    param->value = slice_between(first, past);
    *at = past;
    return 1;
}
