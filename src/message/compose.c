/* SPDX-License-Identifier: Apache-2.0 */
#include "message/compose.h"

#include "message/overload.h"

enum {
    TRYING = 100,
    OWN_MAX_FORWARDS = 70, /* RFC 3261 section 8.1.1.6 */
};

/* A header line as it came, its value trimmed, ended by CRLF also where LF ended it. */
static void append_line(struct buffer *out, const struct smsg *message,
                        const struct smsg_header *header)
{
    uint32_t past = header->value_end;

    buffer_append_bytes(out, message->bytes.data + header->start, past - header->start);
    buffer_append_literal(out, "\r\n");
}

static void append_lines(struct buffer *out, const struct smsg *message, enum smsg_header_id id)
{
    const struct smsg_header *header = smsg_first(message, id);

    for (; header != NULL; header = smsg_next(message, header))
        append_line(out, message, header);
}

/* The bytes from *at up to the slice, which lies behind it; *at moves behind the slice. */
static void append_up_to(struct buffer *out, const char **at, struct slice slice)
{
    buffer_append(out, slice_between(*at, slice.data));
    *at = slice_past(slice);
}

static void append_rport(struct buffer *out, uint16_t rport)
{
    buffer_append_literal(out, "rport=");
    buffer_append_uint(out, rport);
}

void smsg_compose_via(struct buffer *out, const struct smsg_via *via, struct slice received,
                      uint16_t rport)
{
    const char *at = via->value.data;
    bool stamp_rport = rport != 0 && via->rport_present;
    bool stamp_received = received.length > 0;
    bool rport_first =
        stamp_rport && (via->received.data == NULL || via->rport.data < via->received.data);

    if (rport_first) {
        append_up_to(out, &at, via->rport);
        append_rport(out, rport);
    }
    if (stamp_received && via->received.data != NULL) {
        append_up_to(out, &at, via->received);
        buffer_append(out, received);
    }
    if (stamp_rport && !rport_first) {
        append_up_to(out, &at, via->rport);
        append_rport(out, rport);
    }
    buffer_append(out, slice_between(at, slice_past(via->value)));
    if (stamp_received && via->received.data == NULL) {
        buffer_append_literal(out, ";received=");
        buffer_append(out, received);
    }
}

static void append_vias(struct buffer *out, const struct smsg *request,
                        const struct smsg_response *response)
{
    const struct smsg_header *header = smsg_first(request, SMSG_HEADER_VIA);
    const char *base = request->bytes.data;

    if (header == NULL)
        return;
    if (request->via.value.data != NULL) {
        const char *past = slice_past(request->via.value);

        buffer_append(out, slice_between(base + header->start, request->via.value.data));
        size_t begun = out->length;
        smsg_compose_via(out, &request->via, response->received, response->rport);
        if (response->overload.data != NULL) {
            smsg_overload_strip(out, begun);
            buffer_append(out, response->overload);
        }
        buffer_append(out, slice_between(past, base + header->value_end));
        buffer_append_literal(out, "\r\n");
        header = smsg_next(request, header);
    }
    for (; header != NULL; header = smsg_next(request, header))
        append_line(out, request, header);
}

/* Section 8.2.6.2. A To that could not be read gets no tag: there is no telling where it ends. */
static void append_to(struct buffer *out, const struct smsg *request,
                      const struct smsg_response *response)
{
    const struct smsg_header *header = smsg_first(request, SMSG_HEADER_TO);
    bool tag = response->status > TRYING && response->to_tag.length > 0 &&
               request->to.uri.data != NULL && request->to.tag.data == NULL;

    if (header == NULL)
        return;
    if (!tag) {
        append_lines(out, request, SMSG_HEADER_TO);
        return;
    }
    buffer_append_bytes(out, request->bytes.data + header->start,
                        header->value_end - header->start);
    buffer_append_literal(out, ";tag=");
    buffer_append(out, response->to_tag);
    buffer_append_literal(out, "\r\n");
}

static bool establishes_dialog(unsigned status)
{
    return status > TRYING && status < 300;
}

int smsg_compose_response(struct buffer *out, const struct smsg *request,
                          const struct smsg_response *response)
{
    buffer_append_literal(out, "SIP/2.0 ");
    buffer_append_uint(out, response->status);
    buffer_append_char(out, ' ');
    if (response->reason.data != NULL)
        buffer_append(out, response->reason);
    else
        buffer_append_text(out, smsg_status_phrase(response->status));
    buffer_append_literal(out, "\r\n");
    append_vias(out, request, response);
    if (establishes_dialog(response->status))
        append_lines(out, request, SMSG_HEADER_RECORD_ROUTE);
    append_lines(out, request, SMSG_HEADER_FROM);
    append_to(out, request, response);
    append_lines(out, request, SMSG_HEADER_CALL_ID);
    append_lines(out, request, SMSG_HEADER_CSEQ);
    if (response->status == TRYING)
        append_lines(out, request, SMSG_HEADER_TIMESTAMP);
    buffer_append(out, response->extra);
    buffer_append_literal(out, "Content-Length: 0\r\n\r\n");
    return out->overflow ? ERROR_LIMIT : 0;
}

/* The parts that ACK and CANCEL take from the INVITE they belong to; `to` is whose To they carry.
 */
static int compose_from_invite(struct buffer *out, const struct smsg *invite,
                               enum smsg_method method, const struct smsg *to, struct slice extra)
{
    const char *name = smsg_method_text(method);

    buffer_append_text(out, name);
    buffer_append_char(out, ' ');
    buffer_append(out, invite->request_uri);
    buffer_append_literal(out, " SIP/2.0\r\nVia: ");
    buffer_append(out, invite->via.value);
    buffer_append_literal(out, "\r\n");
    append_lines(out, invite, SMSG_HEADER_ROUTE);
    buffer_append_literal(out, "Max-Forwards: ");
    buffer_append_uint(out, OWN_MAX_FORWARDS);
    buffer_append_literal(out, "\r\n");
    append_lines(out, invite, SMSG_HEADER_FROM);
    append_lines(out, to, SMSG_HEADER_TO);
    append_lines(out, invite, SMSG_HEADER_CALL_ID);
    buffer_append_literal(out, "CSeq: ");
    buffer_append_uint(out, invite->cseq);
    buffer_append_char(out, ' ');
    buffer_append_text(out, name);
    buffer_append_literal(out, "\r\n");
    buffer_append(out, extra);
    buffer_append_literal(out, "Content-Length: 0\r\n\r\n");
    return out->overflow ? ERROR_LIMIT : 0;
}

int smsg_compose_ack(struct buffer *out, const struct smsg *invite, const struct smsg *response)
{
    return compose_from_invite(out, invite, SMSG_METHOD_ACK, response, slice_make(NULL, 0));
}

int smsg_compose_cancel(struct buffer *out, const struct smsg *invite, struct slice extra)
{
    return compose_from_invite(out, invite, SMSG_METHOD_CANCEL, invite, extra);
}
