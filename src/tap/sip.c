/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/sip.h"

/* A URI with parameters is much shorter; beyond it nobody looks for the end of the line. */
enum { LINE_MAX_BYTES = 4096, METHOD_MAX = 32 };

static const struct slice version = SLICE_LITERAL("SIP/2.0");

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_letter(char byte)
{
    return ((unsigned char)byte | 0x20U) >= 'a' && ((unsigned char)byte | 0x20U) <= 'z';
}

/* RFC 3261 section 25.1: token. */
static bool is_token(char byte)
{
    static const char marks[] = {'-', '.', '!', '%', '*', '_', '+', '`', '\'', '~'};
    return is_letter(byte) || is_digit(byte) || memchr(marks, byte, sizeof(marks)) != NULL;
}

/* RFC 3986 section 3.1. */
static bool is_scheme(char byte)
{
    return is_letter(byte) || is_digit(byte) || byte == '+' || byte == '-' || byte == '.';
}

static enum tap_sip is_status_line(struct slice bytes)
{
    enum { CODE = 8, PAST_CODE = 11 };
    for (size_t i = version.length; i < bytes.length && i < PAST_CODE; i++)
        if (i < CODE ? bytes.data[i] != ' ' : !is_digit(bytes.data[i]))
            return TAP_SIP_NO;
    if (bytes.length <= PAST_CODE)
        return TAP_SIP_MAYBE;
    char after = bytes.data[PAST_CODE];
    return after == ' ' || after == '\r' || after == '\n' ? TAP_SIP_YES : TAP_SIP_NO;
}

static enum tap_sip ends_in_version(struct slice bytes, size_t from)
{
    struct slice line = slice_first(bytes, LINE_MAX_BYTES);
    struct slice rest = slice_from(line, from);
    size_t feed = slice_find(rest, '\n');
    if (feed == rest.length)
        return bytes.length < LINE_MAX_BYTES ? TAP_SIP_MAYBE : TAP_SIP_NO;
    if (feed > 0 && rest.data[feed - 1] == '\r')
        feed--;
    if (feed <= version.length)
        return TAP_SIP_NO;
    struct slice tail = slice_make(rest.data + feed - version.length, version.length);
    return slice_equal_nocase(tail, version) && tail.data[-1] == ' ' ? TAP_SIP_YES : TAP_SIP_NO;
}

static enum tap_sip is_request_line(struct slice bytes)
{
    size_t at = 0;
    while (at < bytes.length && at < METHOD_MAX && is_token(bytes.data[at]))
        at++;
    if (at == bytes.length)
        return TAP_SIP_MAYBE;
    if (at == 0 || bytes.data[at] != ' ')
        return TAP_SIP_NO;
    size_t scheme = ++at;
    while (at < bytes.length && is_scheme(bytes.data[at]))
        at++;
    if (at == bytes.length)
        return TAP_SIP_MAYBE;
    if (at == scheme || !is_letter(bytes.data[scheme]) || bytes.data[at] != ':')
        return TAP_SIP_NO;
    return ends_in_version(bytes, at);
}

enum tap_sip tap_is_sip(struct slice bytes)
{
    struct slice start = slice_first(bytes, version.length);
    /* What is mostly seen is media: its first byte tells. */
    if (bytes.length > 0 && !is_token(bytes.data[0]))
        return TAP_SIP_NO;
    if (slice_equal(start, slice_first(version, start.length)))
        return bytes.length < version.length ? TAP_SIP_MAYBE : is_status_line(bytes);
    return is_request_line(bytes);
}
