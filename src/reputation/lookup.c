/* SPDX-License-Identifier: Apache-2.0 */
#include "reputation/lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/pool.h"
#include "base/random.h"
#include "key_int.h"
#include "nodes_int.h"
#include "store_int.h"

enum {
    CACHE_SLOTS = 4096, /* per worker; direct-mapped */
    COMMANDS_PER_LOOKUP = 1 + REP_DIGITS_MAXIMUM,
    REPLY_LIMIT = 1 << 20,
    /* Of commands on a connection to a node of a cluster; keys spread over several. */
    SHARED_COMMANDS = 4,
    REDIRECTIONS = 20, /* followed for one question */
    /* A key's authority: digits of a prefix, and above them the number or the text itself. */
    RANK_ITSELF = REP_DIGITS_MAXIMUM + 1,
    RANK_BITS = 8, /* of a tag; above them the server's index */
};

/* Asked for; lives until its last reply, also when it was cancelled. */
struct question {
    struct rep_lookup *lookup;
    rep_lookup_fn *done; /* NULL: cancelled */
    void *cookie;
    uint64_t cache_hash;
    struct rep_key key;
    char raw[REP_RAW_MAXIMUM]; /* the bytes of key.text */
    unsigned waiting;          /* replies */
    unsigned redirections;
    uint32_t open, missing; /* ranks of keys without an answer yet, and of those that get none */
    struct rep_finding finding;
};

struct cached {
    uint64_t hash; /* of the key with its kind, under the worker's own secret */
    uint64_t until_us;
    struct rep_finding finding;
};

struct rep_lookup {
    struct rep_store *store;
    const struct rep_settings *settings;
    struct rep_lookup_shared *shared;
    struct rt_loop *loop;
    struct rt_wheel *wheel;
    struct rep_nodes *nodes;
    bool closing;
    struct hash_key secret;
    struct pool *questions;
    uint32_t *generation; /* of each pool index: tells tickets of one place apart */
    struct cached *cache;
    struct rep_request request;
};

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* ---- cache --------------------------------------------------------------------------------- */

static struct cached *cache_slot(struct rep_lookup *lookup, uint64_t hash)
{
    return &lookup->cache[hash % CACHE_SLOTS];
}

static bool cache_find(struct rep_lookup *lookup, uint64_t hash, struct rep_finding *finding)
{
    const struct cached *slot = cache_slot(lookup, hash);
    if (slot->hash != hash || rt_loop_now(lookup->loop) >= slot->until_us)
        return false;
    *finding = slot->finding;
    return true;
}

static void cache_put(struct rep_lookup *lookup, uint64_t hash, const struct rep_finding *finding)
{
    *cache_slot(lookup, hash) = (struct cached){
        hash, rt_loop_now(lookup->loop) + (uint64_t)lookup->settings->lookup_cache_ms * 1000,
        *finding};
}

/* ---- answers ------------------------------------------------------------------------------- */

static unsigned rank_of(const struct rep_finding *finding)
{
    return finding->match == REP_MATCH_NONE     ? 0
           : finding->match == REP_MATCH_PREFIX ? finding->prefix_length
                                                : RANK_ITSELF;
}

/* Nothing that is not known could beat what is. */
static bool outranks(const struct question *question, uint32_t ranks)
{
    return ranks >> rank_of(&question->finding) == 0;
}

/* Tells the asker once. */
static void conclude(struct question *question)
{
    struct rep_lookup *lookup = question->lookup;
    rep_lookup_fn *done = question->done;
    int result = outranks(question, question->missing) ? 0 : ERROR_UNAVAILABLE;
    question->done = NULL;
    if (result == 0)
        cache_put(lookup, question->cache_hash, &question->finding);
    if (done == NULL || lookup->closing)
        return;
    if (result == 0)
        rep_breaker_succeeded(&lookup->shared->breaker);
    else
        count(&lookup->shared->failures);
    struct rep_finding finding = question->finding;
    done(question->cookie, result, &finding);
}

static void finish(struct question *question)
{
    struct rep_lookup *lookup = question->lookup;
    lookup->generation[pool_index(lookup->questions, question)]++;
    struct question ended = *question;
    pool_put(lookup->questions, question);
    conclude(&ended);
}

static void take_fields(struct question *question, unsigned rank, const struct rep_reply *reply)
{
    struct rep_lookup *lookup = question->lookup;
    const struct rep_authority *authority = rep_store_authority(lookup->store);
    struct slice fields[REP_FIELD_LIMIT];
    struct rep_statements said;
    struct rep_value value;
    enum rep_skip reason;
    rep_reply_fields(reply, fields);
    if (rep_fields_parse(fields, authority, rep_store_types(lookup->store),
                         rep_store_sources(lookup->store), &said, &reason) != 0 ||
        !rep_combine(authority, &said, clock_wall_us() / 1000000, &value) ||
        rank < rank_of(&question->finding))
        return;
    question->finding = (struct rep_finding){
        .entry = value.entry,
        .match = rank < RANK_ITSELF                   ? REP_MATCH_PREFIX
                 : question->key.kind == REP_KIND_RAW ? REP_MATCH_RAW
                                                      : REP_MATCH_NUMBER,
        .prefix_length = rank < RANK_ITSELF ? (uint8_t)rank : 0,
    };
}

static bool follow_redirection(struct question *question, uint64_t tag,
                               const struct rep_reply *reply);

static void fields_reply(void *argument, uint64_t tag, const struct rep_reply *reply)
{
    struct question *question = argument;
    unsigned rank = tag & ((1u << RANK_BITS) - 1);
    if (reply != NULL && reply->type == REP_REPLY_ERROR && follow_redirection(question, tag, reply))
        return;
    if (reply != NULL && reply->type == REP_REPLY_ARRAY &&
        reply->count == question->lookup->request.fields)
        take_fields(question, rank, reply);
    else if (reply == NULL || !slice_starts_with(reply->text, SLICE("WRONGTYPE")))
        question->missing |= 1u << rank;
    question->open &= ~(1u << rank);
    if (--question->waiting == 0)
        finish(question);
    else if (question->done != NULL && outranks(question, question->open | question->missing))
        conclude(question);
}

/* ---- questions ----------------------------------------------------------------------------- */

static struct slice key_name(const struct question *question, unsigned rank, struct buffer *buffer)
{
    struct rep_key key = question->key;
    if (rank < RANK_ITSELF) {
        char digits[REP_DIGITS_MAXIMUM + 1];
        key.kind = REP_KIND_PREFIX;
        for (unsigned length = rep_unpack_digits(key.packed, digits); length > rank; length--)
            key.packed /= 10;
    }
    rep_key_append(buffer, &key);
    return buffer_slice(buffer);
}

static int send_fields(struct question *question, struct rep_link *link, struct slice name,
                       uint64_t tag)
{
    struct rep_request *request = &question->lookup->request;
    request->words[1] = name;
    return rep_link_command(link, request->words, 2 + request->fields, fields_reply, question, tag);
}

/* True when the key was asked for elsewhere. */
static bool follow_redirection(struct question *question, uint64_t tag,
                               const struct rep_reply *reply)
{
    static const struct slice asking[] = {SLICE_LITERAL("ASKING")};
    struct rep_nodes *nodes = question->lookup->nodes;
    unsigned rank = tag & ((1u << RANK_BITS) - 1), index = (unsigned)(tag >> RANK_BITS);
    struct rep_link *link;
    bool with_asking;
    if (!rep_nodes_redirected(nodes, reply->text, &index, &link, &with_asking) || link == NULL ||
        rep_link_room(link) < 2 || question->redirections++ >= REDIRECTIONS)
        return false;
    char name[REP_KEY_MAXIMUM];
    struct buffer buffer = buffer_over(name, sizeof(name));
    if ((with_asking && rep_link_command(link, asking, 1, NULL, NULL, 0) != 0) ||
        send_fields(question, link, key_name(question, rank, &buffer),
                    (uint64_t)index << RANK_BITS | rank) != 0)
        return false;
    rep_link_flush(link);
    return true;
}

/* A key whose server cannot be asked is missing. */
static void ask(struct question *question, unsigned rank)
{
    char name[REP_KEY_MAXIMUM];
    struct buffer buffer = buffer_over(name, sizeof(name));
    struct slice key = key_name(question, rank, &buffer);
    unsigned index;
    struct rep_link *link = rep_nodes_find(question->lookup->nodes, key, &index);
    if (link == NULL ||
        send_fields(question, link, key, (uint64_t)index << RANK_BITS | rank) != 0) {
        question->missing |= 1u << rank;
        return;
    }
    question->open |= 1u << rank;
    question->waiting++;
}

static void ask_all(struct question *question)
{
    char digits[REP_DIGITS_MAXIMUM + 1];
    unsigned shortest = question->lookup->settings->min_block_prefix;
    ask(question, RANK_ITSELF);
    if (question->key.kind == REP_KIND_RAW)
        return;
    for (unsigned length = rep_unpack_digits(question->key.packed, digits); length >= shortest;
         length--)
        ask(question, length);
}

static int begin(struct rep_lookup *lookup, const struct rep_key *key, uint64_t hash,
                 rep_lookup_fn *done, void *cookie, uint64_t *ticket)
{
    if (!rep_breaker_allows(&lookup->shared->breaker, rt_loop_now(lookup->loop))) {
        count(&lookup->shared->failures);
        return ERROR_UNAVAILABLE;
    }
    struct question *question = pool_get(lookup->questions);
    if (question == NULL)
        return ERROR_LIMIT;
    *question = (struct question){
        .lookup = lookup,
        .done = done,
        .cookie = cookie,
        .cache_hash = hash,
        .key = *key,
        .finding = rep_finding_none(),
    };
    if (key->kind == REP_KIND_RAW) {
        memcpy(question->raw, key->text.data, key->text.length);
        question->key.text = slice_make(question->raw, key->text.length);
    }
    ask_all(question);
    if (question->waiting == 0) {
        pool_put(lookup->questions, question);
        count(&lookup->shared->failures);
        return ERROR_UNAVAILABLE;
    }
    rep_nodes_flush(lookup->nodes);
    uint32_t index = pool_index(lookup->questions, question);
    *ticket = (uint64_t)lookup->generation[index] << 32 | index;
    return 0;
}

int rep_lookup_start(struct rep_lookup *lookup, struct slice number, struct slice raw,
                     rep_lookup_fn *done, void *cookie, struct rep_finding *finding,
                     uint64_t *ticket)
{
    *finding = rep_finding_none();
    *ticket = 0;
    struct rep_key key = {.kind = REP_KIND_NUMBER};
    bool is_number = number.length > 1 && number.data[0] == '+' &&
                     rep_pack_digits(slice_from(number, 1), &key.packed);
    if (!is_number) {
        key = (struct rep_key){.kind = REP_KIND_RAW, .text = number.length > 0 ? number : raw};
        /* Such a text cannot be a key: nothing is known about it. */
        if (key.text.length == 0 || key.text.length > REP_RAW_MAXIMUM)
            return 0;
    }
    count(&lookup->shared->lookups);
    uint64_t hash = is_number ? hash_siphash13(&lookup->secret, &key.packed, sizeof(key.packed))
                              : ~hash_slice(&lookup->secret, key.text);
    if (cache_find(lookup, hash, finding)) {
        count(&lookup->shared->hits);
        return 0;
    }
    return begin(lookup, &key, hash, done, cookie, ticket);
}

void rep_lookup_cancel(struct rep_lookup *lookup, uint64_t ticket, bool late)
{
    uint32_t index = (uint32_t)ticket;
    if (index == 0 || lookup->generation[index] != (uint32_t)(ticket >> 32))
        return;
    struct question *question = pool_at(lookup->questions, index);
    question->done = NULL;
    if (late) {
        count(&lookup->shared->failures);
        rep_breaker_failed(&lookup->shared->breaker, rt_loop_now(lookup->loop));
    }
}

unsigned rep_lookup_in_flight(const struct rep_lookup *lookup)
{
    return pool_used(lookup->questions);
}

bool rep_lookup_connected(const struct rep_lookup *lookup)
{
    return rep_nodes_connected(lookup->nodes);
}

/* ---- life ---------------------------------------------------------------------------------- */

static int create_parts(struct rep_lookup *lookup)
{
    uint32_t limit = lookup->settings->lookup_in_flight;
    lookup->generation = calloc((size_t)limit + 1, sizeof(lookup->generation[0]));
    lookup->cache = calloc(CACHE_SLOTS, sizeof(lookup->cache[0]));
    if (lookup->generation == NULL || lookup->cache == NULL)
        return -ENOMEM;
    /* A ticket is never 0. */
    for (uint32_t i = 0; i <= limit; i++)
        lookup->generation[i] = 1;
    uint64_t seed;
    int code = random_bytes(&lookup->secret, sizeof(lookup->secret));
    if (code == 0)
        code = random_bytes(&seed, sizeof(seed));
    if (code != 0)
        return code;
    code = pool_create(sizeof(struct question), limit, &lookup->questions);
    if (code != 0)
        return code;
    bool cluster = lookup->settings->cluster.count > 0;
    struct rep_nodes_options options = {
        .store = lookup->store,
        .loop = lookup->loop,
        .wheel = lookup->wheel,
        .pipeline = limit * (cluster ? SHARED_COMMANDS : COMMANDS_PER_LOOKUP + 1),
        .reply_limit = REPLY_LIMIT,
        .seed = seed,
    };
    return rep_nodes_create(&options, &lookup->nodes);
}

int rep_lookup_create(struct rep_store *store, struct rt_loop *loop, struct rt_wheel *wheel,
                      struct rep_lookup **lookup)
{
    struct rep_lookup *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->store = store;
    created->settings = rep_store_settings(store);
    created->shared = rep_store_lookup_shared(store);
    created->loop = loop;
    created->wheel = wheel;
    rep_request_init(&created->request, rep_store_authority(store));
    atomic_fetch_add_explicit(&created->shared->workers, 1, memory_order_relaxed);
    int code = create_parts(created);
    if (code != 0) {
        rep_lookup_destroy(created);
        return code;
    }
    *lookup = created;
    return 0;
}

void rep_lookup_destroy(struct rep_lookup *lookup)
{
    if (lookup == NULL)
        return;
    lookup->closing = true;
    atomic_fetch_sub_explicit(&lookup->shared->workers, 1, memory_order_relaxed);
    rep_nodes_destroy(lookup->nodes);
    pool_destroy(lookup->questions);
    free(lookup->generation);
    free(lookup->cache);
    free(lookup);
}
