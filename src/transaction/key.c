/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction_int.h"

enum {
    /* A longer part counts by its hashes, so any message fits. */
    PART_LIMIT = 254,
    PART_HASHED = 255,
    PARTS_LIMIT = 8,
    DEFAULT_PORT = 5060
};

/* What a key is made of: parts behind their lengths, so that no two lists of parts are alike. */
struct parts {
    const struct hash_key *keys;
    size_t length;
    unsigned char bytes[PARTS_LIMIT * (1 + PART_LIMIT)];
};

enum side { SIDE_SERVER = 's', SIDE_SERVER_WITHOUT_COOKIE = 'o', SIDE_CLIENT = 'c' };

static void parts_begin(struct parts *parts, const struct txn_layer *layer, enum side side,
                        enum smsg_method method)
{
    parts->keys = layer->settings.key;
    parts->bytes[0] = (unsigned char)side;
    parts->bytes[1] = (unsigned char)method;
    parts->length = 2;
}

static void parts_append(struct parts *parts, struct slice part)
{
    unsigned char *at = parts->bytes + parts->length;
    if (part.length <= PART_LIMIT) {
        *at = (unsigned char)part.length;
        if (part.length > 0)
            memcpy(at + 1, part.data, part.length);
        parts->length += 1 + part.length;
        return;
    }
    uint64_t hashes[2] = {hash_slice(&parts->keys[0], part), hash_slice(&parts->keys[1], part)};
    *at = PART_HASHED;
    memcpy(at + 1, hashes, sizeof(hashes));
    parts->length += 1 + sizeof(hashes);
}

static void parts_append_uint(struct parts *parts, uint32_t value)
{
    parts_append(parts, slice_make((const char *)&value, sizeof(value)));
}

/* Hosts are compared without case (RFC 3261 section 7.3.1). */
static void parts_append_host(struct parts *parts, struct slice host)
{
    size_t first = parts->length + 1;
    parts_append(parts, host);
    if (host.length > PART_LIMIT)
        return;
    for (size_t i = first; i < parts->length; i++)
        if (parts->bytes[i] >= 'A' && parts->bytes[i] <= 'Z')
            parts->bytes[i] = (unsigned char)(parts->bytes[i] - 'A' + 'a');
}

static struct txn_key parts_end(const struct parts *parts)
{
    return (struct txn_key){
        .hash = hash_siphash13(&parts->keys[0], parts->bytes, parts->length),
        .check = hash_siphash13(&parts->keys[1], parts->bytes, parts->length),
    };
}

/* Section 17.2.3, first part: branch, sent-by and method. */
static struct txn_key key_with_cookie(const struct txn_layer *layer, const struct smsg *request,
                                      enum smsg_method method)
{
    struct parts parts;
    parts_begin(&parts, layer, SIDE_SERVER, method);
    parts_append(&parts, request->via.branch);
    parts_append_host(&parts, request->via.host);
    parts_append_uint(&parts, request->via.port != 0 ? request->via.port : DEFAULT_PORT);
    if (method == SMSG_METHOD_OTHER)
        parts_append(&parts, request->method_text);
    struct txn_key key = parts_end(&parts);
    key.with_cookie = true;
    return key;
}

/*
 * Section 17.2.3, second part. The To tag is compared apart, since that of an ACK equals the one of
 * the response, not of the INVITE.
 */
static struct txn_key key_without_cookie(const struct txn_layer *layer, const struct smsg *request,
                                         enum smsg_method method)
{
    struct parts parts;
    parts_begin(&parts, layer, SIDE_SERVER_WITHOUT_COOKIE, method);
    parts_append(&parts, request->request_uri);
    parts_append(&parts, request->from.tag);
    parts_append(&parts, request->call_id);
    parts_append_uint(&parts, request->cseq);
    parts_append(&parts, request->via.value);
    if (method == SMSG_METHOD_OTHER)
        parts_append(&parts, request->method_text);
    struct txn_key key = parts_end(&parts);
    key.tag = txn_key_tag(layer, request->to.tag);
    key.tag_of_response = request->method == SMSG_METHOD_ACK;
    return key;
}

struct txn_key txn_key_of_request(const struct txn_layer *layer, const struct smsg *request,
                                  enum smsg_method method)
{
    static const struct slice cookie = SLICE_LITERAL("z9hG4bK");
    bool with_cookie = request->via.branch.length > cookie.length &&
                       slice_starts_with_nocase(request->via.branch, cookie);
    return with_cookie ? key_with_cookie(layer, request, method)
                       : key_without_cookie(layer, request, method);
}

struct txn_key txn_key_of_client(const struct txn_layer *layer, struct slice branch,
                                 enum smsg_method method)
{
    struct parts parts;
    parts_begin(&parts, layer, SIDE_CLIENT, method);
    parts_append(&parts, branch);
    struct txn_key key = parts_end(&parts);
    key.with_cookie = true;
    return key;
}

uint32_t txn_key_tag(const struct txn_layer *layer, struct slice tag)
{
    return tag.length > 0 ? (uint32_t)hash_slice(&layer->settings.key[0], tag) : 0;
}

struct txn_entry txn_key_entry(const struct txn_key *key, enum txn_kind kind)
{
    return (struct txn_entry){
        .hash = key->hash,
        .check = key->check,
        .request_tag = key->tag,
        .kind = (uint8_t)kind,
    };
}

static bool entry_match(const void *object, const void *sought)
{
    const struct txn_entry *entry = object;
    const struct txn_key *key = sought;
    if (entry->check != key->check)
        return false;
    return key->with_cookie ||
           key->tag == (key->tag_of_response ? entry->response_tag : entry->request_tag);
}

struct txn_entry *txn_key_find(const struct txn_layer *layer, const struct txn_key *key)
{
    return hash_table_find(layer->table, key->hash, entry_match, key);
}
