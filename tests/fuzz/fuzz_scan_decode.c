/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Differential: scan against libsofia-sip, header by header as decode compares them, and as a whole
 * message by Sofia's own splitter. A disagreement on a message that both accept is a finding, and
 * so is a message that is refused, or read otherwise, only when Sofia reads what passes for plain.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <sofia-sip/msg.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_header.h>

#include "../../src/message/decode_int.h"

#define REQUIRE(condition)                                                  \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct smsg_decoder *decoder;
static struct smsg_decoder *thorough;
static struct smsg message;
static struct smsg_decoded decoded, read_by_both;

static bool is_inside(struct slice part)
{
    return part.data == NULL ||
           (part.data >= message.bytes.data && slice_past(part) <= slice_past(message.bytes));
}

static void check_layout(void)
{
    uint32_t at = 0;

    for (unsigned i = 0; i < message.header_count; i++) {
        const struct smsg_header *header = &message.headers[i];

        REQUIRE(header->start >= at && header->value >= header->start + header->name_length);
        REQUIRE(header->value <= header->value_end && header->value_end <= header->end);
        at = header->end;
    }
    REQUIRE(at <= message.headers_end && message.headers_end <= message.bytes.length);
    REQUIRE(is_inside(message.via.value) && is_inside(message.via.branch));
    REQUIRE(is_inside(message.from.tag) && is_inside(message.to.tag));
    REQUIRE(is_inside(message.call_id) && is_inside(message.body));
}

static bool same(struct slice own, const char *theirs)
{
    return theirs == NULL ? own.data == NULL
                          : own.data != NULL && slice_equal(own, slice_of_text(theirs));
}

/* What Sofia refuses leaves a member NULL: that is its right, reading something else is not. */
static void compare_whole(const sip_t *sip)
{
    if (sip->sip_error != NULL || (sip->sip_request == NULL && sip->sip_status == NULL))
        return;
    REQUIRE((sip->sip_request != NULL) == message.is_request);
    if (sip->sip_call_id != NULL)
        REQUIRE(same(message.call_id, sip->sip_call_id->i_id));
    if (sip->sip_cseq != NULL)
        REQUIRE(sip->sip_cseq->cs_seq == message.cseq);
    if (sip->sip_from != NULL)
        REQUIRE(same(message.from.tag, sip->sip_from->a_tag));
    if (sip->sip_to != NULL)
        REQUIRE(same(message.to.tag, sip->sip_to->a_tag));
    if (sip->sip_via != NULL)
        REQUIRE(same(message.via.branch, sip->sip_via->v_branch));
    if (sip->sip_max_forwards != NULL)
        REQUIRE((int64_t)sip->sip_max_forwards->mf_count == message.max_forwards);
    if (sip->sip_content_length != NULL)
        REQUIRE((int64_t)sip->sip_content_length->l_length == message.content_length);
}

static bool same_text(struct slice a, struct slice b)
{
    return (a.data == NULL) == (b.data == NULL) && slice_equal(a, b);
}

static void require_same(const struct smsg_identity *a, const struct smsg_identity *b)
{
    REQUIRE(same_text(a->display, b->display) && same_text(a->scheme, b->scheme));
    REQUIRE(same_text(a->user, b->user) && same_text(a->host, b->host));
    REQUIRE(same_text(a->uri_params, b->uri_params));
}

/* The outcome with Sofia as the second reader of everything. */
static void compare_thorough(int code)
{
    REQUIRE(smsg_decode(thorough, &message, &read_by_both) == code);
    if (code != 0)
        return;
    require_same(&decoded.request_uri, &read_by_both.request_uri);
    require_same(&decoded.from, &read_by_both.from);
    require_same(&decoded.to, &read_by_both.to);
    require_same(&decoded.remote_party, &read_by_both.remote_party);
    REQUIRE(decoded.asserted_count == read_by_both.asserted_count);
    for (unsigned i = 0; i < decoded.asserted_count; i++)
        require_same(&decoded.asserted[i], &read_by_both.asserted[i]);
    REQUIRE(decoded.diversion_count == read_by_both.diversion_count);
    REQUIRE(decoded.history_count == read_by_both.history_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_make((const char *)data, size);
    struct slice peeked;
    msg_t *whole;
    int code;

    if (decoder == NULL) {
        REQUIRE(smsg_decoder_create(&decoder) == 0 && smsg_decoder_create(&thorough) == 0);
        thorough->thorough = true;
    }
    peeked = smsg_peek_call_id(bytes);
    code = smsg_scan(&message, bytes);
    REQUIRE((code == 0) == (message.bad == SMSG_BAD_NONE));
    if (code != 0)
        return 0;
    check_layout();
    REQUIRE(slice_equal(peeked, message.call_id));
    code = smsg_decode(decoder, &message, &decoded);
    REQUIRE(code == 0 || code == ERROR_MALFORMED);
    compare_thorough(code);
    if (code != 0 || memchr(message.bytes.data, '\0', message.bytes.length) != NULL)
        return 0;
    whole = msg_make(sip_default_mclass(), 0, message.bytes.data, (ssize_t)message.bytes.length);
    if (whole != NULL && sip_object(whole) != NULL)
        compare_whole(sip_object(whole));
    msg_destroy(whole);
    return 0;
}
