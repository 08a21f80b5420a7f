/* SPDX-License-Identifier: Apache-2.0 */
#include "chars_int.h"
#include "message/syntax.h"
#include "scan_int.h"

enum {
    CSEQ_LIMIT = INT32_MAX,   /* RFC 3261 section 8.1.1.5: less than 2**31 */
    MAX_FORWARDS_LIMIT = 255, /* section 20.22 */
    STATUS_LOWEST = 100,
    STATUS_HIGHEST = 699,
};

static const struct slice sip_version = SLICE_LITERAL("SIP/2.0");

/* "SIP/", the name without regard to case (section 7.1). */
static bool starts_version(struct slice text)
{
    return text.length >= 4 && text.data[3] == '/' &&
           chars_equal_letters(slice_first(text, 3), SLICE("sip"));
}

/* "SIP/" 1*DIGIT "." 1*DIGIT */
static bool is_version(struct slice text)
{
    const char *at, *end, *dot;

    if (slice_equal(text, sip_version))
        return true;
    if (!starts_version(text))
        return false;
    end = slice_past(text);
    for (at = dot = text.data + 4; dot < end && char_is_digit(*dot);)
        dot++;
    if (dot == at || dot == end || *dot != '.')
        return false;
    for (at = ++dot; at < end && char_is_digit(*at);)
        at++;
    return at > dot && at == end;
}

static bool is_our_version(struct slice text)
{
    return slice_equal(text, sip_version) || slice_equal_nocase(text, sip_version);
}

/* Status-Line = SIP-Version SP Status-Code SP Reason-Phrase; the second SP may be missing. */
static enum smsg_bad scan_status_line(struct smsg *message, struct slice line)
{
    size_t space = slice_find(line, ' ');
    struct slice rest = slice_from(line, space + 1);

    if (!is_version(slice_first(line, space)))
        return SMSG_BAD_NOT_SIP;
    if (!is_our_version(slice_first(line, space)))
        return SMSG_BAD_VERSION;
    if (rest.length < 3 || !char_is_digit(rest.data[0]) || !char_is_digit(rest.data[1]) ||
        !char_is_digit(rest.data[2]))
        return SMSG_BAD_START_LINE;
    if (rest.length > 3 && rest.data[3] != ' ')
        return char_is_digit(rest.data[3]) ? SMSG_BAD_STATUS : SMSG_BAD_START_LINE;
    message->status =
        (uint16_t)((rest.data[0] - '0') * 100 + (rest.data[1] - '0') * 10 + (rest.data[2] - '0'));
    message->reason = slice_from(rest, 4);
    if (message->status < STATUS_LOWEST || message->status > STATUS_HIGHEST)
        return SMSG_BAD_STATUS;
    return SMSG_BAD_NONE;
}

/* Where the last word starts; white space behind it does not count. */
static size_t last_word(struct slice line)
{
    size_t at = line.length;

    if (at > 8 && memcmp(line.data + at - 8, " SIP/2.0", 8) == 0)
        return at - 7;
    while (at > 0 && char_is_lws(line.data[at - 1]))
        at--;
    while (at > 0 && !char_is_lws(line.data[at - 1]))
        at--;
    return at;
}

/* Request-Line = Method SP Request-URI SP SIP-Version, one space each. A first line that does not
 * end in a version is not SIP at all. */
static enum smsg_bad scan_request_line(struct smsg *message, struct slice line)
{
    size_t space = slice_find(line, ' ');
    size_t last = last_word(line);
    struct slice version = slice_trim(slice_from(line, last));
    struct slice uri;

    if (!starts_version(version))
        return SMSG_BAD_NOT_SIP;
    message->is_request = true;
    message->method_text = slice_first(line, space);
    message->method = (uint8_t)smsg_method_of(message->method_text);
    if (space == 0 || last < space + 2 || line.data[last - 1] != ' ' ||
        last + version.length != line.length || !is_version(version) ||
        chars_span(line.data, line.data + space, CHAR_TOKEN) != line.data + space)
        return SMSG_BAD_START_LINE;
    uri = slice_between(line.data + space + 1, line.data + last - 1);
    if (uri.length == 0 || char_is_lws(uri.data[0]) || char_is_lws(uri.data[uri.length - 1]))
        return SMSG_BAD_START_LINE;
    message->request_uri = uri;
    return is_our_version(version) ? SMSG_BAD_NONE : SMSG_BAD_VERSION;
}

enum smsg_bad smsg_scan_start_line(struct smsg *message, struct slice line)
{
    line.length--;
    if (line.length > 0 && line.data[line.length - 1] == '\r')
        line.length--;
    if (starts_version(line))
        return scan_status_line(message, line);
    return scan_request_line(message, line);
}

/* Only after everything else was found well: 416 is no answer to a broken message. Headers are not
 * allowed in a Request-URI (section 19.1.1, table 1). */
enum smsg_bad smsg_scan_request_uri(const struct smsg *message)
{
    struct smsg_uri uri;
    bool known;

    if (smsg_uri_read(message->request_uri, slice_past(message->bytes), &uri, &known) != 0 ||
        uri.headers.length > 0)
        return SMSG_BAD_REQUEST_URI;
    return known ? SMSG_BAD_NONE : SMSG_BAD_URI_SCHEME;
}

/* A decimal from *at on, within the limit. */
static bool take_number(const char **at, const char *end, uint64_t limit, uint64_t *value)
{
    const char *first = *at;

    *value = 0;
    for (; *at < end && char_is_digit(**at); (*at)++) {
        *value = *value * 10 + (uint64_t)(**at - '0');
        if (*value > limit)
            return false;
    }
    return *at > first;
}

static bool is_number(struct slice text, uint64_t limit, uint64_t *value)
{
    const char *at = text.data;

    return take_number(&at, slice_past(text), limit, value) && at == slice_past(text);
}

static enum smsg_bad scan_via(struct smsg *message, struct slice line)
{
    struct slice value = line;

    if (memchr(line.data, ',', line.length) != NULL && !smsg_next_value(&line, &value))
        return SMSG_BAD_VIA;
    return smsg_via_read(value, slice_past(message->bytes), &message->via) == 0 ? SMSG_BAD_NONE
                                                                                : SMSG_BAD_VIA;
}

/* Two tags would let two readers see two dialogs. */
static int scan_party(struct slice value, const char *limit, struct smsg_party *party)
{
    struct smsg_address address;
    struct smsg_param_view param;
    struct slice tag = {NULL, 0};
    const char *at;
    int more;

    if (smsg_address_read(value, limit, &address) != 0 ||
        memchr(address.uri.data, ':', address.uri.length) == NULL)
        return ERROR_MALFORMED;
    at = address.params.data;
    while ((more = smsg_chars_param(&at, slice_past(address.params), limit, &param)) > 0) {
        if (!chars_equal_letters(param.name, SLICE("tag")))
            continue;
        if (tag.data != NULL || param.value.length == 0 || param.value.data[0] == '"')
            return ERROR_MALFORMED;
        tag = param.value;
    }
    if (more < 0)
        return ERROR_MALFORMED;
    *party = (struct smsg_party){address.uri, tag};
    return 0;
}

static enum smsg_bad scan_from(struct smsg *message, struct slice value)
{
    return scan_party(value, slice_past(message->bytes), &message->from) == 0 ? SMSG_BAD_NONE
                                                                              : SMSG_BAD_FROM;
}

static enum smsg_bad scan_to(struct smsg *message, struct slice value)
{
    return scan_party(value, slice_past(message->bytes), &message->to) == 0 ? SMSG_BAD_NONE
                                                                            : SMSG_BAD_TO;
}

/* Wider than callid = word [ "@" word ]: any visible ASCII, as base64 with '=' is common. */
static enum smsg_bad scan_call_id(struct smsg *message, struct slice value)
{
    const char *end = slice_past(value);

    if (value.length == 0 || chars_span_visible(value.data, end, slice_past(message->bytes)) != end)
        return SMSG_BAD_CALL_ID;
    message->call_id = value;
    return SMSG_BAD_NONE;
}

static enum smsg_bad scan_cseq(struct smsg *message, struct slice value)
{
    const char *at = value.data, *end = slice_past(value), *method;
    uint64_t number;

    if (!take_number(&at, end, CSEQ_LIMIT, &number))
        return SMSG_BAD_CSEQ;
    method = chars_skip_lws(at, end);
    if (method == at || method == end || chars_span(method, end, CHAR_TOKEN) != end)
        return SMSG_BAD_CSEQ;
    message->cseq = (uint32_t)number;
    message->cseq_method = slice_between(method, end);
    if (!message->is_request) {
        message->method = (uint8_t)smsg_method_of(message->cseq_method);
        return SMSG_BAD_NONE;
    }
    if (slice_equal(message->cseq_method, message->method_text))
        return SMSG_BAD_NONE;
    return message->method == SMSG_METHOD_OTHER ? SMSG_BAD_UNKNOWN_METHOD_MISMATCH
                                                : SMSG_BAD_CSEQ_METHOD;
}

static enum smsg_bad scan_max_forwards(struct smsg *message, struct slice value)
{
    uint64_t number;

    if (!is_number(value, MAX_FORWARDS_LIMIT, &number))
        return SMSG_BAD_MAX_FORWARDS;
    message->max_forwards = (int32_t)number;
    return SMSG_BAD_NONE;
}

static enum smsg_bad scan_content_length(struct smsg *message, struct slice value)
{
    uint64_t number;

    if (!is_number(value, INT64_MAX / 16, &number) ||
        (message->content_length >= 0 && message->content_length != (int64_t)number))
        return SMSG_BAD_CONTENT_LENGTH;
    message->content_length = (int64_t)number;
    return SMSG_BAD_NONE;
}

static enum smsg_bad scan_route(struct smsg *message, struct slice line)
{
    struct smsg_address address;
    struct smsg_uri uri;
    struct slice value;

    (void)message;
    if (!smsg_next_value(&line, &value) || smsg_address_parse(value, &address) != 0 ||
        smsg_uri_parse(address.uri, &uri) != 0)
        return SMSG_BAD_ROUTE;
    return SMSG_BAD_NONE;
}

/* How the headers that a proxy needs are read. In the order in which their faults are reported. */
static const struct field_row {
    enum smsg_header_id id;
    enum { OPTIONAL, MANDATORY } presence;
    enum { FIRST_LINE, ONE_LINE, EACH_LINE } lines;
    enum smsg_bad (*read)(struct smsg *message, struct slice value);
} field_rows[] = {
    {SMSG_HEADER_VIA, OPTIONAL, FIRST_LINE, scan_via}, /* its absence has a code of its own */
    {SMSG_HEADER_FROM, MANDATORY, ONE_LINE, scan_from},
    {SMSG_HEADER_TO, MANDATORY, ONE_LINE, scan_to},
    {SMSG_HEADER_CALL_ID, MANDATORY, ONE_LINE, scan_call_id},
    {SMSG_HEADER_CSEQ, MANDATORY, ONE_LINE, scan_cseq},
    {SMSG_HEADER_MAX_FORWARDS, OPTIONAL, ONE_LINE, scan_max_forwards}, /* RFC 2543 peers */
    {SMSG_HEADER_CONTENT_LENGTH, OPTIONAL, EACH_LINE, scan_content_length},
    {SMSG_HEADER_ROUTE, OPTIONAL, FIRST_LINE, scan_route},
};

/* Headers of which one may ask for work per value; all of them are lists. */
static const enum smsg_header_id counted_ids[] = {
    SMSG_HEADER_VIA,      SMSG_HEADER_ROUTE,     SMSG_HEADER_RECORD_ROUTE,
    SMSG_HEADER_CONTACT,  SMSG_HEADER_DIVERSION, SMSG_HEADER_P_ASSERTED_IDENTITY,
    SMSG_HEADER_IDENTITY, SMSG_HEADER_CALL_INFO, SMSG_HEADER_HISTORY_INFO,
};

/* A value and its comma or line take two bytes at least. */
static inline bool may_have_too_many_values(const struct smsg *message, enum smsg_header_id id)
{
    const struct smsg_header *header;
    size_t bytes = 0;

    for (header = smsg_first(message, id); header != NULL; header = smsg_next(message, header))
        bytes += header->value_end - header->value + 1;
    return bytes / 2 > SMSG_VALUE_LIMIT;
}

static bool has_too_many_values(const struct smsg *message, enum smsg_header_id id)
{
    const struct smsg_header *header;
    size_t count = 0;
    struct slice rest, value;

    for (header = smsg_first(message, id); header != NULL; header = smsg_next(message, header)) {
        rest = smsg_value(message, header);
        if (memchr(rest.data, ',', rest.length) == NULL)
            count++;
        else
            while (count <= SMSG_VALUE_LIMIT && smsg_next_value(&rest, &value))
                count++;
    }
    return count > SMSG_VALUE_LIMIT;
}

static enum smsg_bad scan_field(struct smsg *message, const struct field_row *row)
{
    const struct smsg_header *header = smsg_first(message, row->id);
    enum smsg_bad bad;

    if (header == NULL)
        return row->presence == MANDATORY ? SMSG_BAD_MISSING_HEADER : SMSG_BAD_NONE;
    if (row->lines == ONE_LINE && header->same_name_next != 0xff)
        return SMSG_BAD_DUPLICATE_HEADER;
    do {
        bad = header->value < header->value_end ? row->read(message, smsg_value(message, header))
                                                : row->read(message, slice_make("", 0));
        header = smsg_next(message, header);
    } while (bad == SMSG_BAD_NONE && row->lines == EACH_LINE && header != NULL);
    return bad;
}

enum smsg_bad smsg_scan_fields(struct smsg *message)
{
    enum smsg_bad first = SMSG_BAD_NONE;

    for (size_t i = 0; i < sizeof field_rows / sizeof field_rows[0]; i++) {
        enum smsg_bad bad = scan_field(message, &field_rows[i]);

        if (first == SMSG_BAD_NONE)
            first = bad;
    }
    for (size_t i = 0; i < sizeof counted_ids / sizeof counted_ids[0]; i++)
        if (may_have_too_many_values(message, counted_ids[i]) && first == SMSG_BAD_NONE &&
            has_too_many_values(message, counted_ids[i]))
            first = SMSG_BAD_TOO_MANY_VALUES;
    return first;
}
