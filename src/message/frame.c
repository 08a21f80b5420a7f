/* SPDX-License-Identifier: Apache-2.0 */
#include "message/frame.h"

#include "scan_int.h"

const struct smsg_frame_fault_row smsg_frame_faults[SMSG_FRAME_FAULT_COUNT] = {
#define SMSG_FRAME_FAULT_ROW(identifier, key, text) {key, text},
    SMSG_FRAME_FAULT_TABLE(SMSG_FRAME_FAULT_ROW)
#undef SMSG_FRAME_FAULT_ROW
};

static void forget_message(struct smsg_frame *frame)
{
    frame->begun_us = UINT64_MAX;
    frame->searched = 0;
    frame->length = 0;
    frame->started = false;
}

void smsg_frame_init(struct smsg_frame *frame, const struct smsg_frame_limits *limits)
{
    *frame = (struct smsg_frame){.limits = *limits};
    forget_message(frame);
}

static enum smsg_frame_kind broken(struct smsg_frame *frame, enum smsg_frame_fault fault)
{
    frame->fault = (uint8_t)fault;
    return SMSG_FRAME_BROKEN;
}

/* ---- Content-Length ------------------------------------------------------------------------ */

/* Digits are summed up to just beyond any limit: how long an absurd number is does not matter. */
static bool read_length(struct slice value, uint64_t *length)
{
    *length = 0;
    for (size_t i = 0; i < value.length; i++) {
        if (!char_is_digit(value.data[i]))
            return false;
        if (*length <= UINT32_MAX)
            *length = *length * 10 + (uint64_t)(value.data[i] - '0');
    }
    return value.length > 0;
}

/* The value of a line that is Content-Length; data == NULL for all others. */
static struct slice length_of_line(const struct line_reader *reader, const char *line,
                                   const char *past)
{
    const char initial = *line | 0x20;
    if (initial != 'c' && initial != 'l')
        return slice_make(NULL, 0);
    const char *colon = line_colon(reader, line, past);
    if (colon == NULL || smsg_header_id(slice_between(line, line_name_past(line, colon))) !=
                             SMSG_HEADER_CONTENT_LENGTH)
        return slice_make(NULL, 0);
    return slice_trim(slice_between(colon + 1, past));
}

/* Of whole headers. A line with a CR that ends nothing counts too, unlike in smsg_scan(), which
 * refuses the message for it. */
static enum smsg_frame_fault find_length(struct slice headers, uint64_t *length)
{
    struct line_reader reader;
    const char *end = slice_past(headers), *at, *past;
    unsigned count = 0;

    smsg_line_begin(&reader, headers.data, end);
    (void)smsg_line_physical(&reader, &at);
    for (; at < end && line_empty(at, end) == 0; at = past) {
        (void)line_header(&reader, &past);
        struct slice value = length_of_line(&reader, at, past);
        if (value.data == NULL)
            continue;
        if (++count > 1)
            return SMSG_FRAME_FAULT_LENGTH_DUPLICATE;
        if (!read_length(value, length))
            return SMSG_FRAME_FAULT_LENGTH_MALFORMED;
    }
    return count == 1 ? SMSG_FRAME_FAULT_NONE : SMSG_FRAME_FAULT_LENGTH_MISSING;
}

/* ---- headers ------------------------------------------------------------------------------- */

/* "SIP/..." stands at the start of a status line and at the end of a request line: enough to tell
 * garbage early, as there is no finding the way back into a stream. */
static bool is_start_line(struct slice line)
{
    static const struct slice version = SLICE_LITERAL("SIP/");

    line = slice_trim(line);
    if (slice_starts_with_nocase(line, version))
        return true;
    const char *space = memrchr(line.data, ' ', line.length);
    return space != NULL &&
           slice_starts_with_nocase(slice_between(space + 1, slice_past(line)), version) &&
           memchr(line.data, '\0', line.length) == NULL;
}

/* The first byte tells other protocols at once: of TLS, say, or of nothing at all. */
static bool may_start(char byte)
{
    return char_is(byte, CHAR_TOKEN);
}

/*
 * Looks for the empty line from where the last look ended. Behind it, or NULL: it has not come yet,
 * or the start line is none and the frame is broken.
 */
static const char *find_end(struct smsg_frame *frame, struct slice bytes)
{
    const char *past = slice_past(bytes);
    const char *at = bytes.data + frame->searched;
    const char *feed;

    while (at < past && (feed = memchr(at, '\n', (size_t)(past - at))) != NULL) {
        if (!frame->started && !is_start_line(slice_between(bytes.data, feed))) {
            frame->fault = SMSG_FRAME_FAULT_NOT_SIP;
            return NULL;
        }
        frame->started = true;
        unsigned empty = line_empty(feed + 1, past);
        if (empty > 0)
            return feed + 1 + empty;
        /* What decides may not have come yet: this line end is looked at again. */
        bool undecided = feed + 1 == past || (feed + 2 == past && feed[1] == '\r');
        if (undecided) {
            frame->searched = (uint32_t)(feed - bytes.data);
            return NULL;
        }
        at = feed + 1;
    }
    frame->searched = (uint32_t)bytes.length;
    return NULL;
}

/* The length of the message, once its headers are there. */
static enum smsg_frame_kind read_headers(struct smsg_frame *frame, struct slice bytes)
{
    const struct smsg_frame_limits *limits = &frame->limits;
    const char *end = find_end(frame, slice_first(bytes, limits->header_bytes));
    uint64_t body = 0;

    if (frame->fault != SMSG_FRAME_FAULT_NONE)
        return SMSG_FRAME_BROKEN;
    if (end == NULL)
        return bytes.length < limits->header_bytes
                   ? SMSG_FRAME_NOTHING
                   : broken(frame, SMSG_FRAME_FAULT_HEADERS_TOO_LONG);
    enum smsg_frame_fault fault = find_length(slice_between(bytes.data, end), &body);
    if (fault == SMSG_FRAME_FAULT_NONE && body > limits->body_bytes)
        fault = SMSG_FRAME_FAULT_BODY_TOO_LONG;
    if (fault != SMSG_FRAME_FAULT_NONE)
        return broken(frame, fault);
    frame->length = (uint32_t)((size_t)(end - bytes.data) + body);
    return SMSG_FRAME_NOTHING;
}

static enum smsg_frame_kind next_message(struct smsg_frame *frame, struct slice bytes,
                                         struct slice *piece)
{
    if (frame->length == 0) {
        enum smsg_frame_kind kind = read_headers(frame, bytes);
        if (frame->length == 0)
            return kind;
    }
    if (bytes.length < frame->length)
        return SMSG_FRAME_NOTHING;
    *piece = slice_first(bytes, frame->length);
    forget_message(frame);
    frame->empty_line = false;
    return SMSG_FRAME_MESSAGE;
}

/* ---- between messages ---------------------------------------------------------------------- */

static enum smsg_frame_kind next_empty_line(struct smsg_frame *frame, struct slice bytes,
                                            struct slice *piece)
{
    unsigned length = line_empty(bytes.data, slice_past(bytes));
    if (length == 0)
        return bytes.length == 1 ? SMSG_FRAME_NOTHING : broken(frame, SMSG_FRAME_FAULT_NOT_SIP);
    *piece = slice_first(bytes, length);
    forget_message(frame);
    bool second = frame->empty_line;
    frame->empty_line = !second;
    return second ? SMSG_FRAME_PING : SMSG_FRAME_EMPTY_LINE;
}

enum smsg_frame_kind smsg_frame_next(struct smsg_frame *frame, struct slice bytes, uint64_t now_us,
                                     struct slice *piece)
{
    *piece = slice_make(NULL, 0);
    if (frame->fault != SMSG_FRAME_FAULT_NONE)
        return SMSG_FRAME_BROKEN;
    if (now_us >= smsg_frame_due(frame))
        return broken(frame, SMSG_FRAME_FAULT_TOO_SLOW);
    if (bytes.length == 0)
        return SMSG_FRAME_NOTHING;
    if (frame->begun_us == UINT64_MAX)
        frame->begun_us = now_us;
    char first = bytes.data[0];
    if (first == '\r' || first == '\n')
        return next_empty_line(frame, bytes, piece);
    if (!may_start(first))
        return broken(frame, SMSG_FRAME_FAULT_NOT_SIP);
    return next_message(frame, bytes, piece);
}

uint64_t smsg_frame_due(const struct smsg_frame *frame)
{
    return frame->begun_us == UINT64_MAX ? UINT64_MAX : frame->begun_us + frame->limits.message_us;
}

uint32_t smsg_frame_extent(const struct smsg_frame *frame)
{
    return frame->length != 0 ? frame->length : frame->limits.header_bytes;
}
