/* SPDX-License-Identifier: Apache-2.0 */
#include "chars_int.h"
#include "decode_int.h"

enum {
    DIGITS_LIMIT = 9, /* fits every integer type of either reader */
    PORT_DIGITS_LIMIT = 5,
};

static bool is_word(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || char_is_digit(byte) ||
           byte == '-' || byte == '.' || byte == '_';
}

/* Past letters, digits, '-', '.' and '_'. */
static const char *span_words(const char *at, const char *end, const char *limit)
{
    for (; limit - at >= MARKS_SPAN && at < end; at += MARKS_SPAN) {
        unsigned beyond = marks_beyond_word(at);

        if (beyond != 0) {
            at += __builtin_ctz(beyond);
            return at < end ? at : end;
        }
    }
    while (at < end && is_word(*at))
        at++;
    return at < end ? at : end;
}

/* Past tokens, which are words for the most part. */
static const char *span_tokens(const char *at, const char *end, const char *limit)
{
    return chars_span_words(at, end, limit, CHAR_TOKEN);
}

/* Whether the text is digits that make up the number. */
static bool is_number(struct slice text, int64_t number)
{
    int64_t sum = 0;

    if (text.length == 0 || text.length > DIGITS_LIMIT)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (!char_is_digit(text.data[i]))
            return false;
        sum = sum * 10 + (text.data[i] - '0');
    }
    return sum == number;
}

/* ":port" or nothing; past it, or NULL. */
static const char *plain_port(const char *at, const char *end)
{
    const char *past;

    if (at == end || *at != ':')
        return at;
    for (past = at + 1; past < end && char_is_digit(*past);)
        past++;
    return past > at + 1 && past - at <= 1 + PORT_DIGITS_LIMIT ? past : NULL;
}

static bool begins(struct slice text, const char *expected, size_t length)
{
    return text.length >= length && memcmp(text.data, expected, length) == 0;
}

/* Parameters of a URI, from the first ';'. */
static bool are_plain_uri_params(struct slice params, const char *limit)
{
    const char *at = params.data, *end = slice_past(params);

    while (at < end) {
        if (*at != ';' && *at != '=' && *at != '+')
            return false;
        at = span_words(at + 1, end, limit);
    }
    return true;
}

bool smsg_plain_uri(struct slice text, const struct smsg_uri *uri, const char *limit)
{
    const char *at = text.data + 4, *end = slice_past(text);

    if (!begins(text, "sip:", 4) || uri->headers.length > 0)
        return false;
    if (uri->user.data != NULL) {
        if (uri->user.data != at || uri->user.length == 0)
            return false;
        at = span_words(*at == '+' ? at + 1 : at, end, limit);
        if (at != slice_past(uri->user) || at == end || *at != '@')
            return false;
        at++;
    }
    if (uri->host.data != at || uri->host.length == 0 || uri->host_is_ipv6)
        return false;
    at = span_words(at, end, limit);
    if (at != slice_past(uri->host))
        return false;
    at = plain_port(at, end);
    return at != NULL && are_plain_uri_params(slice_between(at, end), limit);
}

/* A name in quotes without escapes, or of tokens, or none, and then spaces. */
static bool is_plain_display(struct slice before, struct slice display, const char *limit)
{
    const char *at = before.data, *end = slice_past(before);

    if (display.data != NULL && display.data != at)
        return false;
    if (display.length >= 2 && *at == '"') {
        for (at++; at < end && *at != '"'; at++)
            if (*at < ' ' || *at > '~' || *at == '\\')
                return false;
        if (at == end || at + 1 != slice_past(display))
            return false;
        at++;
    }
    while (at < end && (*at == ' ' || (display.data != NULL && char_is(*at, CHAR_TOKEN))))
        at = span_tokens(at + 1, end, limit);
    return at == end && (display.data != NULL || before.length == 0);
}

/* What stands behind the '>': nothing, or a tag alone. */
static bool are_plain_params(const char *at, const char *end, const struct slice *tag,
                             const char *limit)
{
    if (at == end)
        return tag == NULL || tag->data == NULL;
    return tag != NULL && begins(slice_between(at, end), ";tag=", 5) && tag->data == at + 5 &&
           tag->length > 0 && slice_past(*tag) == end && span_tokens(at + 5, end, limit) == end;
}

bool smsg_plain_address(struct slice value, const struct smsg_address *address,
                        const struct smsg_uri *uri, const struct slice *tag, const char *limit)
{
    const char *open = address->uri.data - 1, *close = slice_past(address->uri);

    /* Without brackets it is not told here whose the parameters are. */
    if (address->uri.data == value.data || *open != '<')
        return false;
    return smsg_plain_uri(address->uri, uri, limit) &&
           is_plain_display(slice_between(value.data, open), address->display, limit) &&
           are_plain_params(close + 1, slice_past(value), tag, limit);
}

static bool is_plain_via(const struct smsg *message, struct slice value)
{
    const struct smsg_via *via = &message->via;
    const char *at = value.data, *end = slice_past(value), *limit = slice_past(message->bytes);

    if (!begins(value, "SIP/2.0/", 8) || via->transport.data != at + 8)
        return false;
    at = slice_past(via->transport);
    if (at == end || *at != ' ' || via->host.data != at + 1)
        return false;
    at = span_words(at + 1, end, limit);
    if (at != slice_past(via->host) || (at = plain_port(at, end)) == NULL)
        return false;
    while (at < end && *at == ';') {
        const char *name = at + 1, *past = span_tokens(name, end, limit);

        if (past == name)
            return false;
        at = past;
        if (at == end || *at != '=')
            continue;
        past = span_tokens(at + 1, end, limit);
        if (past == at + 1 || (via->branch.data == at + 1 && slice_past(via->branch) != past))
            return false;
        at = past;
    }
    return at == end;
}

static bool is_plain_call_id(const struct smsg *message, struct slice value)
{
    const char *end = slice_past(value), *limit = slice_past(message->bytes);
    const char *at = span_tokens(value.data, end, limit);

    if (at > value.data && at < end && *at == '@')
        at = at + 1 < end ? span_tokens(at + 1, end, limit) : at;
    return at == end && slice_equal(message->call_id, value);
}

static bool is_plain_cseq(const struct smsg *message, struct slice value)
{
    const struct slice *method = &message->cseq_method;
    const char *space = method->data - 1;

    /* Of methods that it does not know Sofia refuses some. */
    return message->method != SMSG_METHOD_OTHER && slice_past(*method) == slice_past(value) &&
           space > value.data && *space == ' ' &&
           is_number(slice_between(value.data, space), message->cseq);
}

bool smsg_plain_header(const struct smsg *message, enum smsg_header_id id, struct slice value)
{
    switch (id) {
    case SMSG_HEADER_VIA:
        return is_plain_via(message, value);
    case SMSG_HEADER_CALL_ID:
        return is_plain_call_id(message, value);
    case SMSG_HEADER_CSEQ:
        return is_plain_cseq(message, value);
    case SMSG_HEADER_MAX_FORWARDS:
        return is_number(value, message->max_forwards);
    case SMSG_HEADER_CONTENT_LENGTH:
        return is_number(value, message->content_length);
    default:
        return false;
    }
}
