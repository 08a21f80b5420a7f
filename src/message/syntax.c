/* SPDX-License-Identifier: Apache-2.0 */
#include "message/syntax.h"

#include "chars_int.h"
#include "scan_int.h"

/* Behind the ')' that closes the comment, nested ones and quoted pairs respected. */
static const char *span_comment(const char *at, const char *end)
{
    unsigned depth = 0;

    for (; at < end; at++) {
        if (*at == '\\') {
            at++;
        } else if (*at == '(') {
            depth++;
        } else if (*at == ')' && --depth == 0) {
            return at + 1;
        }
    }
    return NULL;
}

/* Behind whatever starts at `at`: a quoted string, <...>, a comment or one byte; NULL: unbalanced.
 * A '(' opens a comment only behind white space, as it is also a plain character of URIs. */
static const char *span_unit(const char *first, const char *at, const char *end)
{
    const char *close;

    switch (*at) {
    case '"':
        return smsg_chars_span_quoted(at, end, end);
    case '<':
        close = memchr(at, '>', (size_t)(end - at));
        return close != NULL ? close + 1 : NULL;
    case '(':
        return at == first || char_is_lws(at[-1]) ? span_comment(at, end) : at + 1;
    default:
        return at + 1;
    }
}

bool smsg_next_value(struct slice *rest, struct slice *value)
{
    const char *at, *first, *end;

    if (rest->length == 0)
        return false;
    at = rest->data;
    end = slice_past(*rest);
    while (at < end && (*at == ',' || char_is_lws(*at)))
        at++;
    for (first = at; at != NULL && at < end && *at != ',';)
        at = span_unit(first, at, end);
    if (at == NULL)
        at = end;
    *value = slice_between(first, at);
    while (value->length > 0 && char_is_lws(value->data[value->length - 1]))
        value->length--;
    *rest = slice_between(at < end ? at + 1 : at, end);
    return value->length > 0;
}

/* `at` is behind the display name, at '<'. */
static int parse_bracketed(const char *at, const char *end, const char *limit,
                           struct smsg_address *address)
{
    const char *past = chars_span_uri(at + 1, end, limit);

    if (past == at + 1 || past == end || *past != '>')
        return ERROR_MALFORMED;
    address->uri = slice_between(at + 1, past);
    at = chars_skip_lws(past + 1, end);
    if (at < end && *at != ';')
        return ERROR_MALFORMED;
    address->params = slice_between(at, end);
    return 0;
}

/* RFC 3261 section 20: without <>, a ';' starts the header's parameters, and ',' and '?' are
 * not allowed in the URI. */
static int parse_bare(const char *first, const char *end, struct smsg_address *address)
{
    const char *past = first, *at;

    while (past < end && char_is(*past, CHAR_URI_ANY) && *past != ';') {
        if (*past == ',' || *past == '?')
            return ERROR_MALFORMED;
        past++;
    }
    at = chars_skip_lws(past, end);
    if (past == first || (at < end && *at != ';'))
        return ERROR_MALFORMED;
    address->uri = slice_between(first, past);
    address->params = slice_between(at, end);
    return 0;
}

int smsg_address_parse(struct slice value, struct smsg_address *address)
{
    value = slice_trim(value);
    return smsg_address_read(value, slice_past(value), address);
}

int smsg_address_read(struct slice value, const char *limit, struct smsg_address *address)
{
    const char *first, *end, *past, *at;

    memset(address, 0, sizeof *address);
    if (value.length == 0)
        return ERROR_MALFORMED;
    first = value.data;
    end = slice_past(value);
    if (*first == '"') {
        past = smsg_chars_span_quoted(first, end, limit);
        if (past == NULL)
            return ERROR_MALFORMED;
        at = chars_skip_lws(past, end);
        if (at == end || *at != '<')
            return ERROR_MALFORMED;
        address->display = slice_between(first, past);
        return parse_bracketed(at, end, limit, address);
    }
    at = chars_span_words(first, end, limit, CHAR_DISPLAY);
    if (at == end || *at != '<')
        return parse_bare(first, end, address);
    if (at > first)
        address->display = slice_trim(slice_between(first, at));
    return parse_bracketed(at, end, limit, address);
}

bool smsg_param(struct slice params, const char *name, struct slice *value, struct slice *whole)
{
    const char *at = params.data;
    const char *end = params.length > 0 ? slice_past(params) : params.data;
    struct slice wanted = slice_of_text(name);

    while (at < end) {
        const char *start = at;
        const char *first = chars_skip_lws(*at == ';' ? at + 1 : at, end);
        const char *past = first, *next;

        while (past < end && *past != ';' && *past != '=' && !char_is_lws(*past))
            past++;
        next = chars_skip_lws(past, end);
        if (slice_equal_nocase(slice_between(first, past), wanted)) {
            *value = slice_make(NULL, 0);
            if (next < end && *next == '=') {
                first = chars_skip_lws(next + 1, end);
                past =
                    first < end && *first == '"' ? smsg_chars_span_quoted(first, end, end) : first;
                if (past == NULL)
                    past = end;
                while (past < end && *past != ';' && !char_is_lws(*past))
                    past++;
                *value = slice_between(first, past);
            }
            if (whole != NULL)
                *whole = slice_between(start, past);
            return true;
        }
        for (at = next; at != NULL && at < end && *at != ';';)
            at = *at == '"' ? smsg_chars_span_quoted(at, end, end) : at + 1;
        if (at == NULL)
            return false;
    }
    return false;
}

static unsigned hex_value(char byte)
{
    return char_is_digit(byte) ? (unsigned)(byte - '0') : ((unsigned)byte | 32u) - 'a' + 10;
}

struct slice smsg_unescape(struct slice text, char *memory, size_t capacity)
{
    size_t from = 0, to = 0;

    while (from < text.length) {
        char byte = text.data[from++];

        if (byte == '%' && text.length - from >= 2 && char_is_hex(text.data[from]) &&
            char_is_hex(text.data[from + 1])) {
            byte = (char)(hex_value(text.data[from]) << 4 | hex_value(text.data[from + 1]));
            from += 2;
        }
        if (to == capacity)
            return slice_make(NULL, 0);
        memory[to++] = byte;
    }
    return slice_make(memory, to);
}

struct slice smsg_unquote(struct slice text, char *memory, size_t capacity)
{
    bool quoted = text.length >= 2 && text.data[0] == '"' && text.data[text.length - 1] == '"';
    size_t to = 0;

    if (quoted)
        text = slice_make(text.data + 1, text.length - 2);
    for (size_t from = 0; from < text.length; from++) {
        if (quoted && text.data[from] == '\\' && from + 1 < text.length)
            from++;
        if (to == capacity)
            return slice_make(NULL, 0);
        memory[to++] = text.data[from];
    }
    return slice_make(memory, to);
}
