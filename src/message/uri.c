/* SPDX-License-Identifier: Apache-2.0 */
#include "chars_int.h"
#include "message/syntax.h"

/* Parameters and headers, from behind host and port to the end. */
static int parse_tail(const char *at, const char *end, struct smsg_uri *uri)
{
    const char *question;

    if (smsg_chars_span_escaped(at, end, CHAR_URIC) != end)
        return ERROR_MALFORMED;
    question = at < end ? memchr(at, '?', (size_t)(end - at)) : NULL;
    uri->params = slice_between(at, question != NULL ? question : end);
    uri->headers = question != NULL ? slice_between(question + 1, end) : slice_make(end, 0);
    if (uri->params.length > 0 && *at != ';')
        return ERROR_MALFORMED;
    return 0;
}

/* userinfo = ( user / telephone-subscriber ) [ ":" password ] "@". An empty user, which gateways
 * send for a caller without a number, is let through. */
static int parse_userinfo(const char *at, const char *at_sign, struct smsg_uri *uri)
{
    const char *past = smsg_chars_span_escaped(at, at_sign, CHAR_USER);

    uri->user = slice_between(at, past);
    if (past == at_sign)
        return 0;
    if (*past != ':')
        return ERROR_MALFORMED;
    at = past + 1;
    past = smsg_chars_span_escaped(at, at_sign, CHAR_USER);
    uri->password = slice_between(at, past);
    if (past != at_sign)
        return ERROR_MALFORMED;
    /* A password takes less than a user does. */
    for (; at < past; at++)
        if (*at == ';' || *at == '?' || *at == '/')
            return ERROR_MALFORMED;
    return 0;
}

static int parse_sip(const char *at, const char *end, struct smsg_uri *uri)
{
    const char *at_sign = at < end ? memchr(at, '@', (size_t)(end - at)) : NULL;

    if (at_sign != NULL) {
        if (parse_userinfo(at, at_sign, uri) != 0)
            return ERROR_MALFORMED;
        at = at_sign + 1;
    }
    uri->host_is_ipv6 = at < end && *at == '[';
    at = smsg_chars_host(at, end, &uri->host);
    if (at != NULL && at < end && *at == ':')
        at = smsg_chars_port(at + 1, end, &uri->port);
    return at != NULL ? parse_tail(at, end, uri) : ERROR_MALFORMED;
}

static int parse_tel(const char *at, const char *end, struct smsg_uri *uri)
{
    const char *past = smsg_chars_span_escaped(at, end, CHAR_TEL);

    if (past == at)
        return ERROR_MALFORMED;
    uri->user = slice_between(at, past);
    return parse_tail(past, end, uri);
}

/* A scheme whose inside is nobody's business here. */
static int parse_opaque(const char *at, const char *end, struct smsg_uri *uri)
{
    uri->params = uri->headers = slice_make(end, 0);
    if (at == end || smsg_chars_span_escaped(at, end, CHAR_URI_ANY) != end)
        return ERROR_MALFORMED;
    return 0;
}

static int parse_urn(const char *at, const char *end, struct smsg_uri *uri)
{
    uri->user = slice_between(at, end);
    return parse_opaque(at, end, uri);
}

static const struct scheme_row {
    struct slice name;
    int (*parse)(const char *at, const char *end, struct smsg_uri *uri);
} scheme_rows[] = {
    {SLICE_LITERAL("sip"), parse_sip},
    {SLICE_LITERAL("sips"), parse_sip},
    {SLICE_LITERAL("tel"), parse_tel},
    {SLICE_LITERAL("urn"), parse_urn},
};

static bool equal_lower(struct slice text, struct slice lower)
{
    if (text.length != lower.length)
        return false;
    for (size_t i = 0; i < text.length; i++)
        if ((text.data[i] | 0x20) != lower.data[i])
            return false;
    return true;
}

/* scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) */
static const char *span_scheme(const char *at, const char *end)
{
    const char *first = at;

    while (at < end &&
           (((*at | 0x20) >= 'a' && (*at | 0x20) <= 'z') ||
            (at > first && (char_is_digit(*at) || *at == '+' || *at == '-' || *at == '.'))))
        at++;
    return at;
}

int smsg_uri_parse(struct slice text, struct smsg_uri *uri)
{
    const char *end, *past;

    memset(uri, 0, sizeof *uri);
    if (text.length == 0)
        return ERROR_MALFORMED;
    end = slice_past(text);
    past = span_scheme(text.data, end);
    if (past == text.data || past == end || *past != ':')
        return ERROR_MALFORMED;
    uri->scheme = slice_between(text.data, past);
    past++;
    for (size_t i = 0; i < sizeof scheme_rows / sizeof scheme_rows[0]; i++)
        if (equal_lower(uri->scheme, scheme_rows[i].name))
            return scheme_rows[i].parse(past, end, uri);
    return parse_opaque(past, end, uri);
}
