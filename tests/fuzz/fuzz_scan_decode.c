/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Differential: scan against libsofia-sip, header by header as decode compares them, and as a whole
 * message by Sofia's own splitter. A disagreement on a message that both accept is a finding.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <sofia-sip/msg.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_header.h>

#include "message/decode.h"

#define REQUIRE(condition)                                                  \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct smsg_decoder *decoder;
static struct smsg message;
static struct smsg_decoded decoded;

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_make((const char *)data, size);
    struct slice peeked;
    msg_t *whole;
    int code;

    if (decoder == NULL)
        REQUIRE(smsg_decoder_create(&decoder) == 0);
    peeked = smsg_peek_call_id(bytes);
    code = smsg_scan(&message, bytes);
    REQUIRE((code == 0) == (message.bad == SMSG_BAD_NONE));
    if (code != 0)
        return 0;
    check_layout();
    REQUIRE(slice_equal(peeked, message.call_id));
    code = smsg_decode(decoder, &message, &decoded);
    REQUIRE(code == 0 || code == ERROR_MALFORMED);
    if (code != 0 || memchr(message.bytes.data, '\0', message.bytes.length) != NULL)
        return 0;
    whole = msg_make(sip_default_mclass(), 0, message.bytes.data, (ssize_t)message.bytes.length);
    if (whole != NULL && sip_object(whole) != NULL)
        compare_whole(sip_object(whole));
    msg_destroy(whole);
    return 0;
}
