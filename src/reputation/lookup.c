/* SPDX-License-Identifier: Apache-2.0 */
#include "reputation/lookup.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/random.h"
#include "key_int.h"
#include "link_int.h"
#include "store_int.h"

enum {
    CACHE_SLOTS = 4096, /* per worker; direct-mapped */
    COMMANDS_PER_LOOKUP = 1 + REP_DIGITS_MAXIMUM,
    REPLY_LIMIT = 1 << 20,
    FIELDS_WORDS = 2 + REP_FIELD_COUNT,
    TAG_RAW = 0xff, /* other tags: digits of the prefix, 0 for the number itself */
};

/* Asked for; lives until its last reply, also when it was cancelled. */
struct question {
    struct rep_lookup *lookup;
    rep_lookup_fn *done; /* NULL: cancelled */
    void *cookie;
    uint64_t cache_hash;
    unsigned waiting; /* replies */
    int result;
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
    struct rep_link *link;
    struct rt_timer retry;
    unsigned attempt;
    bool connected;
    bool closing;
    struct random_state random;
    struct hash_key secret;
    struct pool *questions;
    uint32_t *generation; /* of each pool index: tells tickets of one place apart */
    struct cached *cache;
    struct log_limit limit;
};

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* ---- connection ---------------------------------------------------------------------------- */

static void try_again(struct rep_lookup *lookup)
{
    uint64_t delay = rep_backoff_us(lookup->attempt++, random_next(&lookup->random));
    rt_timer_set(lookup->wheel, &lookup->retry, rt_loop_now(lookup->loop), delay);
}

static void open_link(struct rep_lookup *lookup)
{
    struct rep_addresses addresses;
    if (!rep_store_addresses(lookup->store, &addresses) ||
        rep_link_open(lookup->link, &addresses.address[lookup->attempt % addresses.count]) != 0)
        try_again(lookup);
}

static void set_connected(struct rep_lookup *lookup, bool connected)
{
    if (lookup->connected == connected)
        return;
    lookup->connected = connected;
    if (connected)
        atomic_fetch_add_explicit(&lookup->shared->connected, 1, memory_order_relaxed);
    else
        atomic_fetch_sub_explicit(&lookup->shared->connected, 1, memory_order_relaxed);
}

static void link_up(void *argument)
{
    struct rep_lookup *lookup = argument;
    lookup->attempt = 0;
    set_connected(lookup, true);
}

static void link_down(void *argument, const char *reason)
{
    struct rep_lookup *lookup = argument;
    uint32_t held_back;
    set_connected(lookup, false);
    if (log_limit_pass(&lookup->limit, 1, rt_loop_now(lookup->loop), &held_back))
        log_warning("reputation", "lookup connection: %s", reason);
    try_again(lookup);
}

static void retry_due(struct rt_timer *timer, uint64_t now_us)
{
    (void)now_us;
    open_link(LIST_ENTRY(timer, struct rep_lookup, retry));
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

static void finish(struct question *question)
{
    struct rep_lookup *lookup = question->lookup;
    struct question ended = *question;
    lookup->generation[pool_index(lookup->questions, question)]++;
    pool_put(lookup->questions, question);
    if (ended.result == 0)
        cache_put(lookup, ended.cache_hash, &ended.finding);
    if (ended.done == NULL || lookup->closing)
        return;
    if (ended.result == 0)
        rep_breaker_succeeded(&lookup->shared->breaker);
    else
        count(&lookup->shared->failures);
    ended.done(ended.cookie, ended.result, &ended.finding);
}

/* The number beats prefixes, a longer prefix a shorter one. */
static bool is_better(const struct rep_finding *held, uint64_t tag)
{
    if (held->match == REP_MATCH_NONE || tag == 0)
        return true;
    return held->match == REP_MATCH_PREFIX && tag > held->prefix_length;
}

static void take_fields(struct question *question, uint64_t tag, const struct rep_reply *reply)
{
    struct rep_lookup *lookup = question->lookup;
    struct slice fields[REP_FIELD_COUNT] = {{0}};
    struct rep_entry entry;
    enum rep_skip reason;
    for (unsigned i = 0; i < REP_FIELD_COUNT; i++)
        if (reply->element[i].type == REP_REPLY_TEXT)
            fields[i] = reply->element[i].text;
    if (rep_fields_parse(fields, rep_store_types(lookup->store), rep_store_sources(lookup->store),
                         &entry, &reason) != 0 ||
        !is_better(&question->finding, tag))
        return;
    bool prefix = tag != 0 && tag != TAG_RAW;
    question->finding = (struct rep_finding){
        .entry = entry,
        .match = tag == TAG_RAW ? REP_MATCH_RAW
                 : prefix       ? REP_MATCH_PREFIX
                                : REP_MATCH_NUMBER,
        .prefix_length = prefix ? (uint8_t)tag : 0,
    };
}

static void fields_reply(void *argument, uint64_t tag, const struct rep_reply *reply)
{
    struct question *question = argument;
    if (reply != NULL && reply->type == REP_REPLY_ARRAY && reply->count == REP_FIELD_COUNT)
        take_fields(question, tag, reply);
    else if (reply == NULL || !slice_starts_with(reply->text, SLICE("WRONGTYPE")))
        question->result = ERROR_UNAVAILABLE;
    if (--question->waiting == 0)
        finish(question);
}

/* ---- questions ----------------------------------------------------------------------------- */

static int ask(struct question *question, const struct rep_key *key, uint64_t tag)
{
    char name[REP_KEY_MAXIMUM];
    struct buffer buffer = buffer_over(name, sizeof(name));
    rep_key_append(&buffer, key);
    const struct slice words[FIELDS_WORDS] = {SLICE_LITERAL("HMGET"), buffer_slice(&buffer),
#define REP_FIELD_WORD(name, text) SLICE_LITERAL(text),
                                              REP_FIELD_TABLE(REP_FIELD_WORD)
#undef REP_FIELD_WORD
    };
    int code =
        rep_link_command(question->lookup->link, words, FIELDS_WORDS, fields_reply, question, tag);
    if (code == 0)
        question->waiting++;
    return code;
}

static int ask_all(struct question *question, const struct rep_key *key)
{
    if (key->kind == REP_KIND_RAW)
        return ask(question, key, TAG_RAW);
    int code = ask(question, key, 0);
    char digits[REP_DIGITS_MAXIMUM + 1];
    unsigned shortest = question->lookup->settings->min_block_prefix;
    struct rep_key prefix = {.kind = REP_KIND_PREFIX, .packed = key->packed};
    for (unsigned length = rep_unpack_digits(key->packed, digits); code == 0 && length >= shortest;
         length--, prefix.packed /= 10)
        code = ask(question, &prefix, length);
    return code;
}

static int begin(struct rep_lookup *lookup, const struct rep_key *key, uint64_t hash,
                 rep_lookup_fn *done, void *cookie, uint64_t *ticket)
{
    if (!rep_link_is_up(lookup->link) ||
        !rep_breaker_allows(&lookup->shared->breaker, rt_loop_now(lookup->loop))) {
        count(&lookup->shared->failures);
        return ERROR_UNAVAILABLE;
    }
    if (rep_link_room(lookup->link) < COMMANDS_PER_LOOKUP + 1)
        return ERROR_LIMIT;
    struct question *question = pool_get(lookup->questions);
    if (question == NULL)
        return ERROR_LIMIT;
    *question = (struct question){
        .lookup = lookup,
        .done = done,
        .cookie = cookie,
        .cache_hash = hash,
        .finding = rep_finding_none(),
    };
    int code = ask_all(question, key);
    if (code != 0 && question->waiting == 0) {
        pool_put(lookup->questions, question);
        return code;
    }
    if (code != 0) {
        /* Half asked: what was sent must still be answered, but nobody is told. */
        question->done = NULL;
        question->result = code;
        return code;
    }
    rep_link_flush(lookup->link);
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
    return lookup->connected;
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
    random_seed(&lookup->random, seed);
    code = pool_create(sizeof(struct question), limit, &lookup->questions);
    if (code != 0)
        return code;
    struct rep_link_options options = {
        .loop = lookup->loop,
        .wheel = lookup->wheel,
        .settings = lookup->settings,
        .pipeline = limit * (COMMANDS_PER_LOOKUP + 1),
        .reply_limit = REPLY_LIMIT,
    };
    struct rep_link_events events = {link_up, link_down, NULL, lookup};
    return rep_link_create(&options, &events, &lookup->link);
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
    rt_timer_init(&created->retry, retry_due);
    atomic_fetch_add_explicit(&created->shared->workers, 1, memory_order_relaxed);
    int code = create_parts(created);
    if (code != 0) {
        rep_lookup_destroy(created);
        return code;
    }
    open_link(created);
    *lookup = created;
    return 0;
}

void rep_lookup_destroy(struct rep_lookup *lookup)
{
    if (lookup == NULL)
        return;
    lookup->closing = true;
    rt_timer_cancel(lookup->wheel, &lookup->retry);
    set_connected(lookup, false);
    atomic_fetch_sub_explicit(&lookup->shared->workers, 1, memory_order_relaxed);
    rep_link_destroy(lookup->link);
    pool_destroy(lookup->questions);
    free(lookup->generation);
    free(lookup->cache);
    free(lookup);
}
