/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_int.h"

/* What is read of a URI; see `limit` in chars_int.h. */
struct reader {
    const char *end;
    const char *limit;
    struct smsg_uri *uri;
};

/* Parameters and headers, from behind host and port to the end. */
static int parse_tail(const char *at, const struct reader *reader)
{
    const char *end = reader->end, *question;
    struct smsg_uri *uri = reader->uri;

    if (at == end) {
        uri->params = uri->headers = slice_make(end, 0);
        return 0;
    }
    if (smsg_chars_span_escaped(at, end, CHAR_URIC) != end)
        return ERROR_MALFORMED;
    question = memchr(at, '?', (size_t)(end - at));
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

static int parse_sip(const char *at, const struct reader *reader)
{
    const char *end = reader->end;
    struct smsg_uri *uri = reader->uri;
    /* A plain user ends at the first '@', which it cannot hold. */
    const char *past = chars_span_words(at, end, reader->limit, CHAR_USER);

    if (past < end && *past == '@') {
        uri->user = slice_between(at, past);
        at = past + 1;
    } else if (past < end && (past = memchr(past, '@', (size_t)(end - past))) != NULL) {
        if (parse_userinfo(at, past, uri) != 0)
            return ERROR_MALFORMED;
        at = past + 1;
    }
    uri->host_is_ipv6 = at < end && *at == '[';
    at = smsg_chars_host(at, end, reader->limit, &uri->host);
    if (at != NULL && at < end && *at == ':')
        at = smsg_chars_port(at + 1, end, &uri->port);
    return at != NULL ? parse_tail(at, reader) : ERROR_MALFORMED;
}

static int parse_tel(const char *at, const struct reader *reader)
{
    const char *past = smsg_chars_span_escaped(at, reader->end, CHAR_TEL);

    if (past == at)
        return ERROR_MALFORMED;
    reader->uri->user = slice_between(at, past);
    return parse_tail(past, reader);
}

/* A scheme whose inside is nobody's business here. */
static int parse_opaque(const char *at, const struct reader *reader)
{
    const char *end = reader->end;

    reader->uri->params = reader->uri->headers = slice_make(end, 0);
    if (at == end || smsg_chars_span_escaped(at, end, CHAR_URI_ANY) != end)
        return ERROR_MALFORMED;
    return 0;
}

static int parse_urn(const char *at, const struct reader *reader)
{
    reader->uri->user = slice_between(at, reader->end);
    return parse_opaque(at, reader);
}

static const struct scheme_row {
    struct slice name;
    int (*parse)(const char *at, const struct reader *reader);
} scheme_rows[] = {
    {SLICE_LITERAL("sip"), parse_sip},
    {SLICE_LITERAL("sips"), parse_sip},
    {SLICE_LITERAL("tel"), parse_tel},
    {SLICE_LITERAL("urn"), parse_urn},
};

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
    bool known;

    return smsg_uri_read(text, slice_past(text), uri, &known);
}

int smsg_uri_read(struct slice text, const char *limit, struct smsg_uri *uri, bool *known)
{
    struct reader reader = {slice_past(text), limit, uri};
    const char *past;

    *known = false;
    memset(uri, 0, sizeof *uri);
    if (text.length == 0)
        return ERROR_MALFORMED;
    past = span_scheme(text.data, reader.end);
    if (past == text.data || past == reader.end || *past != ':')
        return ERROR_MALFORMED;
    uri->scheme = slice_between(text.data, past);
    past++;
    for (size_t i = 0; i < sizeof scheme_rows / sizeof scheme_rows[0]; i++)
        if (chars_equal_letters(uri->scheme, scheme_rows[i].name)) {
            *known = true;
            return scheme_rows[i].parse(past, &reader);
        }
    return parse_opaque(past, &reader);
}
