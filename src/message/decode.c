/* SPDX-License-Identifier: Apache-2.0 */
#include "message/decode.h"

#include <errno.h>
#include <stdlib.h>

#include "chars_int.h"
#include "decode_int.h"

int smsg_decoder_create(struct smsg_decoder **decoder)
{
    struct smsg_decoder *made = calloc(1, sizeof *made);
    int code = -ENOMEM;

    if (made != NULL)
        code = arena_create(DECODE_CHUNK, DECODE_LIMIT, &made->arena);
    if (code != 0) {
        free(made);
        return code;
    }
    *decoder = made;
    return 0;
}

void smsg_decoder_destroy(struct smsg_decoder *decoder)
{
    if (decoder == NULL)
        return;
    arena_destroy(decoder->arena);
    free(decoder);
}

char *smsg_decode_copy(struct smsg_decoder *decoder, struct slice value)
{
    char *copy = arena_alloc(decoder->arena, value.length + 1);

    if (copy == NULL)
        return NULL;
    memcpy(copy, value.data, value.length);
    copy[value.length] = '\0';
    /* Every fold has an LF in it. */
    if (memchr(copy, '\n', value.length) != NULL || memchr(copy, '\0', value.length) != NULL)
        for (size_t i = 0; i < value.length; i++)
            copy[i] = copy[i] == '\0' ? 0x7f : char_is_lws(copy[i]) ? ' ' : copy[i];
    return copy;
}

/* Diversion's parameter (RFC 5806). */
static int read_reason(struct smsg_decoder *decoder, const struct smsg_address *address,
                       struct smsg_identity *identity)
{
    struct slice value;
    char *memory;

    if (!smsg_param(address->params, "reason", &value, NULL) || value.data == NULL)
        return 0;
    memory = arena_alloc(decoder->arena, value.length + 1);
    if (memory == NULL)
        return -ENOMEM;
    identity->reason = smsg_unquote(value, memory, value.length);
    return 0;
}

/* The "Reason" among the headers of a URI, escapes resolved; data == NULL: none. */
static int uri_reason(struct smsg_decoder *decoder, struct slice headers, struct slice *reason)
{
    char *memory;

    *reason = slice_make(NULL, 0);
    while (headers.length > 0) {
        struct slice header = slice_first(headers, slice_find(headers, '&'));
        size_t equals = slice_find(header, '=');

        headers = slice_from(headers, header.length + 1);
        if (!slice_equal_nocase(slice_first(header, equals), SLICE("Reason")))
            continue;
        header = slice_from(header, equals + 1);
        memory = arena_alloc(decoder->arena, header.length + 1);
        if (memory == NULL)
            return -ENOMEM;
        *reason = smsg_unescape(header, memory, header.length);
        return 0;
    }
    return 0;
}

/* History-Info says why a target was left by "cause" in the URI (RFC 4458) or by a Reason header in
 * it (RFC 7044 section 5.1), such as ?Reason=SIP%3Bcause%3D302. */
static int read_cause(struct smsg_decoder *decoder, const struct smsg_address *address,
                      struct smsg_identity *identity)
{
    struct smsg_uri uri;
    struct slice cause, reason;
    int code;

    if (smsg_param(identity->uri_params, "cause", &cause, NULL)) {
        identity->cause = cause;
        return 0;
    }
    if (smsg_uri_parse(address->uri, &uri) != 0)
        return ERROR_MALFORMED;
    code = uri_reason(decoder, uri.headers, &reason);
    if (code == 0 && reason.data != NULL &&
        smsg_param(slice_from(reason, slice_find(reason, ';')), "cause", &cause, NULL))
        identity->cause = cause;
    return code;
}

static int read_nothing(struct smsg_decoder *decoder, const struct smsg_address *address,
                        struct smsg_identity *identity)
{
    (void)decoder;
    (void)address;
    (void)identity;
    return 0;
}

/* Headers with identities: how many are kept, and what is read beside the address. Of more values
 * than fit the first ones count, which are the latest for Diversion. */
struct list {
    enum smsg_header_id id;
    uint8_t limit;
    int (*read)(struct smsg_decoder *decoder, const struct smsg_address *address,
                struct smsg_identity *identity);
};

static const struct list asserted_list = {SMSG_HEADER_P_ASSERTED_IDENTITY, SMSG_IDENTITY_LIMIT,
                                          read_nothing};
static const struct list remote_party_list = {SMSG_HEADER_REMOTE_PARTY_ID, 1, read_nothing};
static const struct list diversion_list = {SMSG_HEADER_DIVERSION, SMSG_IDENTITY_LIMIT, read_reason};
static const struct list history_list = {SMSG_HEADER_HISTORY_INFO, SMSG_IDENTITY_LIMIT, read_cause};

static int decode_list(struct smsg_decoder *decoder, const struct smsg *message,
                       const struct list *list, struct smsg_identity *identities, uint8_t *count)
{
    const struct smsg_header *header = smsg_first(message, list->id);

    for (*count = 0; header != NULL; header = smsg_next(message, header)) {
        struct slice rest = smsg_value(message, header), value;

        while (*count < list->limit && smsg_next_value(&rest, &value)) {
            struct smsg_address address;
            struct smsg_identity *identity = &identities[*count];
            int code = smsg_decode_address(decoder, value, NULL, &address, identity);

            if (code == 0)
                code = list->read(decoder, &address, identity);
            if (code != 0)
                return code;
            (*count)++;
        }
    }
    return 0;
}

/* priv-value *( ";" priv-value ) (RFC 3323); commas occur too. */
static void decode_privacy(const struct smsg *message, struct smsg_decoded *decoded)
{
    const struct smsg_header *header = smsg_first(message, SMSG_HEADER_PRIVACY);

    decoded->privacy_id = decoded->privacy_any = false;
    for (; header != NULL; header = smsg_next(message, header)) {
        struct slice value = smsg_value(message, header);
        const char *at = value.data, *end = slice_past(value);

        while (at < end) {
            const char *past = chars_span(at, end, CHAR_TOKEN);
            struct slice token = slice_between(at, past);

            at = past > at ? past : at + 1;
            if (token.length == 0 || slice_equal_nocase(token, SLICE("none")))
                continue;
            decoded->privacy_any = true;
            decoded->privacy_id |= slice_equal_nocase(token, SLICE("id"));
        }
    }
}

static int decode_party(struct smsg_decoder *decoder, const struct smsg *message,
                        enum smsg_header_id id, const struct smsg_party *party,
                        struct smsg_identity *identity)
{
    const struct smsg_header *header = smsg_first(message, id);
    struct smsg_address address;

    if (header == NULL)
        return ERROR_MALFORMED;
    return smsg_decode_address(decoder, smsg_value(message, header), &party->tag, &address,
                               identity);
}

static int decode_all(struct smsg_decoder *decoder, const struct smsg *message,
                      struct smsg_decoded *decoded)
{
    uint8_t remote_parties = 0;
    int code = 0;

    if (message->is_request)
        code = smsg_decode_uri(decoder, message->request_uri, &decoded->request_uri);
    if (code == 0)
        code = decode_party(decoder, message, SMSG_HEADER_FROM, &message->from, &decoded->from);
    if (code == 0)
        code = decode_party(decoder, message, SMSG_HEADER_TO, &message->to, &decoded->to);
    if (code == 0)
        code = smsg_decode_compare(decoder, message);
    if (code == 0)
        code = decode_list(decoder, message, &asserted_list, decoded->asserted,
                           &decoded->asserted_count);
    if (code == 0)
        code = decode_list(decoder, message, &remote_party_list, &decoded->remote_party,
                           &remote_parties);
    if (code == 0)
        code = decode_list(decoder, message, &diversion_list, decoded->diversion,
                           &decoded->diversion_count);
    if (code == 0)
        code =
            decode_list(decoder, message, &history_list, decoded->history, &decoded->history_count);
    decoded->remote_party_present = remote_parties > 0;
    decode_privacy(message, decoded);
    return code;
}

/* Identities beyond the counts are left as they are: clearing them would cost more than a header.
 */
static void reset(struct smsg_decoded *decoded)
{
    memset(&decoded->request_uri, 0, sizeof decoded->request_uri);
    memset(&decoded->from, 0, sizeof decoded->from);
    memset(&decoded->to, 0, sizeof decoded->to);
    memset(&decoded->remote_party, 0, sizeof decoded->remote_party);
    decoded->asserted_count = decoded->diversion_count = decoded->history_count = 0;
}

int smsg_decode(struct smsg_decoder *decoder, const struct smsg *message,
                struct smsg_decoded *decoded)
{
    int code;

    reset(decoded);
    arena_reset(decoder->arena);
    decoder->limit = slice_past(message->bytes);
    decoder->home = su_home_auto(decoder->home_memory, sizeof decoder->home_memory);
    if (decoder->home == NULL)
        return -ENOMEM;
    code = decode_all(decoder, message, decoded);
    su_home_deinit(decoder->home);
    decoder->home = NULL;
    return code;
}
