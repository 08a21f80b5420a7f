/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction_int.h"

enum { DEFAULT_PORT = 5060 };

enum side { SIDE_SERVER = 's', SIDE_SERVER_WITHOUT_COOKIE = 'o', SIDE_CLIENT = 'c' };

static inline struct siphash key_begin(const struct txn_layer *layer, enum side side,
                                       enum smsg_method method)
{
    struct siphash hash = siphash_begin(&layer->settings.key);
    siphash_word(&hash, SIPHASH_TABLE, (uint64_t)side << 8 | (uint64_t)method);
    return hash;
}

static inline struct txn_key key_end(struct siphash *hash)
{
    struct siphash_pair pair = siphash_end_pair(hash, SIPHASH_TABLE);
    return (struct txn_key){.hash = pair.first, .check = pair.second};
}

/* Section 17.2.3, first part: branch, sent-by and method. */
static struct txn_key key_with_cookie(const struct txn_layer *layer, const struct smsg *request,
                                      enum smsg_method method)
{
    struct siphash hash = key_begin(layer, SIDE_SERVER, method);
    siphash_part(&hash, SIPHASH_TABLE, request->via.branch);
    /* Hosts are compared without case (RFC 3261 section 7.3.1). */
    siphash_part_nocase(&hash, SIPHASH_TABLE, request->via.host);
    siphash_word(&hash, SIPHASH_TABLE, request->via.port != 0 ? request->via.port : DEFAULT_PORT);
    if (method == SMSG_METHOD_OTHER)
        siphash_part(&hash, SIPHASH_TABLE, request->method_text);
    struct txn_key key = key_end(&hash);
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
    struct siphash hash = key_begin(layer, SIDE_SERVER_WITHOUT_COOKIE, method);
    siphash_part(&hash, SIPHASH_TABLE, request->request_uri);
    siphash_part(&hash, SIPHASH_TABLE, request->from.tag);
    siphash_part(&hash, SIPHASH_TABLE, request->call_id);
    siphash_word(&hash, SIPHASH_TABLE, request->cseq);
    siphash_part(&hash, SIPHASH_TABLE, request->via.value);
    if (method == SMSG_METHOD_OTHER)
        siphash_part(&hash, SIPHASH_TABLE, request->method_text);
    struct txn_key key = key_end(&hash);
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
    struct siphash hash = key_begin(layer, SIDE_CLIENT, method);
    siphash_part(&hash, SIPHASH_TABLE, branch);
    struct txn_key key = key_end(&hash);
    key.with_cookie = true;
    return key;
}

uint32_t txn_key_tag(const struct txn_layer *layer, struct slice tag)
{
    return tag.length > 0 ? (uint32_t)hash_slice(&layer->settings.key, tag) : 0;
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
