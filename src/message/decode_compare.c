/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>

#include "decode_int.h"

bool smsg_decode_same(struct slice own, const char *theirs)
{
    return theirs == NULL ? own.data == NULL
                          : own.data != NULL && slice_equal(own, slice_of_text(theirs));
}

/* What a row's reader gets: the header's first value, and Sofia's copy of it. */
struct comparison {
    const struct smsg *message;
    su_home_t *home;
    char *copy;
    size_t length;
};

static bool same_via_host(struct slice own, const char *theirs)
{
    struct slice other = slice_of_text(theirs);

    if (other.length >= 2 && other.data[0] == '[')
        other = slice_make(other.data + 1, other.length - 2);
    return slice_equal(own, other);
}

static int compare_via(const struct comparison *with)
{
    const struct smsg_via *own = &with->message->via;
    unsigned long port;
    sip_via_t via;

    sip_via_init(&via);
    if (sip_via_d(with->home, (msg_header_t *)&via, with->copy, (isize_t)with->length) < 0)
        return ERROR_MALFORMED;
    port = via.v_port != NULL ? strtoul(via.v_port, NULL, 10) : 0;
    return same_via_host(own->host, via.v_host) && port == own->port &&
                   smsg_decode_same(own->branch, msg_params_find(via.v_params, "branch=")) &&
                   smsg_decode_same(own->received, msg_params_find(via.v_params, "received=")) &&
                   smsg_decode_same(own->maddr, msg_params_find(via.v_params, "maddr="))
               ? 0
               : ERROR_DISAGREE;
}

static int compare_call_id(const struct comparison *with)
{
    sip_call_id_t call_id;

    sip_call_id_init(&call_id);
    if (sip_call_id_d(with->home, (msg_header_t *)&call_id, with->copy, (isize_t)with->length) < 0)
        return ERROR_MALFORMED;
    return smsg_decode_same(with->message->call_id, call_id.i_id) ? 0 : ERROR_DISAGREE;
}

static int compare_cseq(const struct comparison *with)
{
    sip_cseq_t cseq;

    sip_cseq_init(&cseq);
    if (sip_cseq_d(with->home, (msg_header_t *)&cseq, with->copy, (isize_t)with->length) < 0)
        return ERROR_MALFORMED;
    return cseq.cs_seq == with->message->cseq &&
                   smsg_decode_same(with->message->cseq_method, cseq.cs_method_name)
               ? 0
               : ERROR_DISAGREE;
}

static int compare_max_forwards(const struct comparison *with)
{
    sip_max_forwards_t max_forwards;

    sip_max_forwards_init(&max_forwards);
    if (sip_max_forwards_d(with->home, (msg_header_t *)&max_forwards, with->copy,
                           (isize_t)with->length) < 0)
        return ERROR_MALFORMED;
    return (int64_t)max_forwards.mf_count == with->message->max_forwards ? 0 : ERROR_DISAGREE;
}

static int compare_content_length(const struct comparison *with)
{
    sip_content_length_t content_length;

    sip_content_length_init(&content_length);
    if (sip_content_length_d(with->home, (msg_header_t *)&content_length, with->copy,
                             (isize_t)with->length) < 0)
        return ERROR_MALFORMED;
    return (int64_t)content_length.l_length == with->message->content_length ? 0 : ERROR_DISAGREE;
}

static const struct {
    enum smsg_header_id id;
    int (*compare)(const struct comparison *with);
} comparison_rows[] = {
    {SMSG_HEADER_VIA, compare_via},
    {SMSG_HEADER_CALL_ID, compare_call_id},
    {SMSG_HEADER_CSEQ, compare_cseq},
    {SMSG_HEADER_MAX_FORWARDS, compare_max_forwards},
    {SMSG_HEADER_CONTENT_LENGTH, compare_content_length},
};

int smsg_decode_compare(struct smsg_decoder *decoder, const struct smsg *message)
{
    struct comparison with = {message, decoder->home, NULL, 0};

    for (size_t i = 0; i < sizeof comparison_rows / sizeof comparison_rows[0]; i++) {
        const struct smsg_header *header = smsg_first(message, comparison_rows[i].id);
        int code;

        if (header == NULL ||
            (!decoder->thorough &&
             smsg_plain_header(message, comparison_rows[i].id, smsg_value(message, header))))
            continue;
        with.length = header->value_end - header->value;
        with.copy = smsg_decode_copy(decoder, smsg_value(message, header));
        if (with.copy == NULL)
            return -ENOMEM;
        code = comparison_rows[i].compare(&with);
        if (code != 0)
            return code;
    }
    return 0;
}
