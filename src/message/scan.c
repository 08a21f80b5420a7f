/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_int.h"

#include "chars_int.h"
#include "names_int.h"

enum {
    NO_INDEX = 0xff,
    KEEPALIVE_JUNK_LIMIT = 4,
};

_Static_assert(SMSG_HEADER_LIMIT < NO_INDEX, "header indices fit a byte beside the absent mark");
_Static_assert((int)SMSG_HEADER_COUNT < (int)NO_INDEX, "header ids fit a byte");

/* Of several faults the first found decides the answer. */
static void note(struct smsg *message, enum smsg_bad bad)
{
    if (message->bad == SMSG_BAD_NONE)
        message->bad = (uint8_t)bad;
}

/* What phones and gateways send to keep a NAT binding: CRLFs (RFC 5626), nothing, a few NULs. */
static bool is_keepalive(struct slice bytes)
{
    if (bytes.length == 0)
        return true;
    if (line_skip_empty(bytes.data, slice_past(bytes)) == slice_past(bytes))
        return true;
    if (bytes.length > KEEPALIVE_JUNK_LIMIT)
        return false;
    for (size_t i = 0; i < bytes.length; i++)
        if (bytes.data[i] != '\0' && !char_is_lws(bytes.data[i]))
            return false;
    return true;
}

static void reset(struct smsg *message, struct slice bytes)
{
    /* By members: the compiler makes one memset a `rep stos`, which starts slowly. */
    message->is_request = false;
    message->method = SMSG_METHOD_OTHER;
    message->bad = SMSG_BAD_NONE;
    message->status = 0;
    message->header_count = 0;
    message->method_text = message->request_uri = message->reason = (struct slice){NULL, 0};
    message->via = (struct smsg_via){.port = 0};
    message->from = message->to = (struct smsg_party){.uri = {NULL, 0}};
    message->call_id = message->cseq_method = message->body = (struct slice){NULL, 0};
    message->cseq = 0;
    message->headers_end = 0;
    memset(message->first, NO_INDEX, sizeof message->first);
    message->bytes = bytes;
    message->max_forwards = -1;
    message->content_length = -1;
}

/* The id of the name that ends at `past`, in *id. False: no name, or too long for its field. */
static bool read_name(const struct line_reader *reader, const char *line, const char *past,
                      enum smsg_header_id *id)
{
    if (past == line || past - line > UINT16_MAX)
        return false;
    *id = name_id(line, (size_t)(past - line), (size_t)(reader->end - line));
    return *id != SMSG_HEADER_OTHER || chars_span(line, past, CHAR_TOKEN) == past;
}

/* A line of the message becomes a header, when it is well-formed. `last` has the index of the last
 * header of each id. */
static void add_header(struct smsg *message, const struct line_reader *reader, uint8_t *last,
                       struct slice line)
{
    const char *base = message->bytes.data, *past = slice_past(line);
    const char *colon = line_colon(reader, line.data, past), *name_past, *value, *value_end;
    unsigned index = message->header_count;
    enum smsg_header_id id;

    if (colon == NULL)
        goto malformed;
    name_past = line_name_past(line.data, colon);
    if (!read_name(reader, line.data, name_past, &id))
        goto malformed;
    if (index == SMSG_HEADER_LIMIT) {
        note(message, SMSG_BAD_TOO_MANY_HEADERS);
        return;
    }
    /* At the latest the colon is no white space. */
    for (value_end = past - 1; char_is_lws(value_end[-1]);)
        value_end--;
    value = chars_skip_lws(colon + 1, value_end);
    message->headers[index] = (struct smsg_header){
        .start = (uint32_t)(line.data - base),
        .end = (uint32_t)(past - base),
        .value = (uint32_t)(value - base),
        .value_end = (uint32_t)(value_end - base),
        .name_length = (uint16_t)(name_past - line.data),
        .id = (uint8_t)id,
        .same_name_next = NO_INDEX,
    };
    message->header_count = (uint16_t)(index + 1);
    if (last[id] == NO_INDEX)
        message->first[id] = (uint8_t)index;
    else
        message->headers[last[id]].same_name_next = (uint8_t)index;
    last[id] = (uint8_t)index;
    return;

malformed:
    note(message, SMSG_BAD_HEADER_SYNTAX);
}

/* All header lines from `at` on; sets headers_end. Behind the empty line, or NULL without one. */
static const char *scan_headers(struct smsg *message, struct line_reader *reader, const char *at)
{
    uint8_t last[SMSG_HEADER_COUNT];

    memset(last, NO_INDEX, sizeof last);
    while (at < reader->end) {
        unsigned empty = line_empty(at, reader->end);
        const char *past;
        enum line_end how;

        if (empty > 0) {
            message->headers_end = (uint32_t)(at - message->bytes.data);
            return at + empty;
        }
        how = line_header(reader, &past);
        if (how == LINE_UNTERMINATED) {
            note(message, SMSG_BAD_TRUNCATED);
            break;
        }
        if (how == LINE_COMPLETE)
            add_header(message, reader, last, slice_between(at, past));
        else
            note(message, SMSG_BAD_HEADER_SYNTAX);
        at = past;
    }
    message->headers_end = (uint32_t)(at - message->bytes.data);
    return NULL;
}

/* RFC 3261 section 18.3: over a datagram transport surplus bytes are dropped, missing ones are an
 * error. The empty line may be missing (RFC 5118 section 4.10) when the message says itself that
 * nothing follows. */
static void cut_body(struct smsg *message, const char *body)
{
    const char *end = slice_past(message->bytes);
    size_t available = body != NULL ? (size_t)(end - body) : 0;
    size_t length = available;

    if (body == NULL && message->content_length != 0)
        note(message, SMSG_BAD_TRUNCATED);
    if (message->content_length >= 0) {
        if ((uint64_t)message->content_length > available)
            note(message, SMSG_BAD_TRUNCATED);
        else
            length = (size_t)message->content_length;
    }
    if (body == NULL)
        body = end;
    message->body = slice_make(body, length);
    message->bytes = slice_between(message->bytes.data, body + length);
}

static int result(const struct smsg *message)
{
    return message->bad == SMSG_BAD_NONE ? 0 : ERROR_MALFORMED;
}

int smsg_scan(struct smsg *message, struct slice bytes)
{
    struct line_reader reader;
    const char *at, *past, *body;
    enum line_end how;

    reset(message, bytes);
    if (is_keepalive(bytes)) {
        note(message, SMSG_BAD_KEEPALIVE);
        return result(message);
    }
    at = line_skip_empty(bytes.data, slice_past(bytes));
    message->bytes = slice_between(at, slice_past(bytes));
    smsg_line_begin(&reader, at, slice_past(bytes));
    how = smsg_line_physical(&reader, &past);
    if (how == LINE_UNTERMINATED || message->bytes.length > UINT32_MAX) {
        note(message, SMSG_BAD_NOT_SIP);
        return result(message);
    }
    note(message, smsg_scan_start_line(message, slice_between(at, past)));
    if (message->bad == SMSG_BAD_NOT_SIP)
        return result(message);
    if (how == LINE_BARE_CR)
        note(message, SMSG_BAD_START_LINE);
    body = scan_headers(message, &reader, past);
    note(message, smsg_scan_fields(message));
    cut_body(message, body);
    if (message->is_request)
        note(message, smsg_scan_request_uri(message));
    /* Nothing says where an answer would go, whatever else is wrong. */
    if (message->first[SMSG_HEADER_VIA] == NO_INDEX)
        message->bad = SMSG_BAD_MISSING_VIA;
    return result(message);
}

struct slice smsg_peek_call_id(struct slice bytes)
{
    struct line_reader reader;
    const char *at, *past, *end;

    if (bytes.length == 0)
        return slice_make(NULL, 0);
    end = slice_past(bytes);
    at = line_skip_empty(bytes.data, end);
    if (at == end)
        return slice_make(NULL, 0);
    smsg_line_begin(&reader, at, end);
    (void)smsg_line_physical(&reader, &at);
    for (; at < end && line_empty(at, end) == 0; at = past) {
        enum line_end how = line_header(&reader, &past);
        char first = *at | 0x20;
        const char *colon;

        if ((first != 'c' && first != 'i') || how != LINE_COMPLETE)
            continue;
        colon = line_colon(&reader, at, past);
        if (colon != NULL &&
            smsg_header_id(slice_between(at, line_name_past(at, colon))) == SMSG_HEADER_CALL_ID)
            return slice_trim(slice_between(colon + 1, past));
    }
    return slice_make(NULL, 0);
}

const struct smsg_header *smsg_find(const struct smsg *message, struct slice name)
{
    enum smsg_header_id id = smsg_header_id(name);
    const struct smsg_header *header = smsg_first(message, id);

    if (id != SMSG_HEADER_OTHER)
        return header;
    while (header != NULL && !slice_equal_nocase(smsg_name(message, header), name))
        header = smsg_next(message, header);
    return header;
}
