/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replica against Redis itself as the model: writes, expiries, deletions, lost connections,
 * scans, restarts of either side in random order; at every quiet moment all keys are compared.
 *
 * MODEL_SEED and MODEL_SECONDS (12) change what it does and for how long.
 */
#include "base/random.h"
#include "redis_server.h"
#include "reputation/store.h"

enum { NUMBERS = 3000, PREFIXES = 100, RAWS = 20, KEYS = NUMBERS + PREFIXES + RAWS };

static struct redis_server server;
static struct rep_store *store;
static char saved_path[128];
static struct random_state chance;
static unsigned quiet_moments;

static uint64_t environment(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : fallback;
}

static unsigned below(unsigned limit)
{
    return (unsigned)random_below(&chance, limit);
}

/* ---- keys ---------------------------------------------------------------------------------- */

/* The name after "rf:", and what the replica files it under; text: room for 32. */
static void key_name(unsigned i, char *text, struct rep_key *key)
{
    if (i < NUMBERS) {
        snprintf(text, 32, "num:+861380000%04u", i);
        *key = (struct rep_key){.kind = REP_KIND_NUMBER, .packed = UINT64_C(18613800000000) + i};
    } else if (i < NUMBERS + PREFIXES) {
        snprintf(text, 32, "pfx:86139%02u", i - NUMBERS);
        *key = (struct rep_key){.kind = REP_KIND_PREFIX, .packed = 18613900 + i - NUMBERS};
    } else {
        snprintf(text, 32, "raw:text-%u", i - NUMBERS - PREFIXES);
        *key = (struct rep_key){.kind = REP_KIND_RAW, .text = slice_of_text(text + 4)};
    }
}

/* What a key means by the book (docs/redis.md): false when it is no entry. */
struct meaning {
    bool held;
    int score;
    const char *list, *type;
    long long expires_ms; /* what remains; -1: endless */
    bool parts;           /* sources speak beside the plain fields */
    bool changing;        /* one of them comes or goes about now */
};

/* The sources with a field of their own, the one with more weight first. */
static const struct rep_source_row source_rows[] = {
    {SLICE_LITERAL("police"), 3, 0, REP_MAY_ALL},
    {SLICE_LITERAL("feed"), 1, 0, REP_MAY_ALL},
};
enum { SOURCES = 2, PLAIN_FIELDS = 3 };

/* Puts what a part says on top: "score=S;list=L;expires=E", as set_part() writes it. An order of
 * the police stands; that of the feed gives way to it, and to an allow of the plain fields. */
static void add_part(struct meaning *meaning, const char *part, bool police, bool *ordered)
{
    int score = 0;
    char list[16] = "";
    unsigned long long expires_s = 0, now_s = clock_wall_us() / 1000000;
    if (part == NULL ||
        sscanf(part, "score=%d;list=%15[a-z];expires=%llu", &score, list, &expires_s) < 2)
        return;
    meaning->parts = true;
    if (expires_s != 0 && expires_s <= now_s + 2 && expires_s + 2 >= now_s)
        meaning->changing = true;
    if (expires_s != 0 && expires_s <= now_s)
        return;
    bool block = strcmp(list, "block") == 0, allow = strcmp(list, "allow") == 0;
    bool held_allow = strcmp(meaning->list, "allow") == 0;
    bool held_block = strcmp(meaning->list, "block") == 0;
    if (!meaning->held)
        meaning->list = "none";
    meaning->score = !meaning->held || score > meaning->score ? score : meaning->score;
    meaning->held = true;
    if (police ? block || allow : (allow && !*ordered) || (block && !held_allow && !*ordered))
        meaning->list = block ? "block" : "allow";
    else if (strcmp(list, "watch") == 0 && !held_allow && !held_block)
        meaning->list = "watch";
    *ordered = *ordered || (police && (block || allow));
}

static struct meaning meaning_of(const redisReply *fields, const redisReply *lifetime)
{
    struct meaning meaning = {.list = "none", .type = "", .score = REP_SCORE_UNKNOWN};
    if (fields->type != REDIS_REPLY_ARRAY || lifetime->integer == -2)
        return meaning;
    const char *score = fields->element[0]->str, *list = fields->element[1]->str;
    if (score != NULL)
        meaning.score = (int)strtol(score, NULL, 10);
    if (list != NULL && *list != '\0')
        meaning.list = list;
    if (fields->element[2]->str != NULL)
        meaning.type = fields->element[2]->str;
    bool known = strcmp(meaning.list, "none") == 0 || strcmp(meaning.list, "block") == 0 ||
                 strcmp(meaning.list, "allow") == 0 || strcmp(meaning.list, "watch") == 0;
    meaning.held =
        known && meaning.score <= 100 && (meaning.score >= 0 || strcmp(meaning.list, "none") != 0);
    if (!meaning.held) {
        meaning.score = REP_SCORE_UNKNOWN;
        meaning.list = "none";
    }
    bool ordered = false;
    for (unsigned i = 0; i < SOURCES; i++)
        add_part(&meaning, fields->element[PLAIN_FIELDS + i]->str, i == 0, &ordered);
    meaning.expires_ms = lifetime->integer;
    return meaning;
}

/* Empty when the replica holds what Redis means. */
static const char *difference(unsigned i, const struct meaning *meaning)
{
    static char text[160];
    char name[32];
    struct rep_key key;
    struct rep_entry entry;
    uint64_t now_ms = clock_wall_us() / 1000;
    key_name(i, name, &key);
    bool held = rep_replica_get(rep_store_replica(store), &key, now_ms / 1000, &entry);
    /* The replica counts in seconds: within two of its end an entry may be there or not. */
    if (meaning->held && meaning->expires_ms >= 0 && meaning->expires_ms < 2000)
        return "";
    if (meaning->changing)
        return "";
    if (held && !meaning->held && entry.expires_s != 0 && entry.expires_s <= now_ms / 1000 + 2)
        return "";
    bool equal = held == meaning->held;
    if (equal && held) {
        uint64_t expires_ms = meaning->expires_ms < 0 ? 0 : now_ms + (uint64_t)meaning->expires_ms;
        equal = entry.score == meaning->score &&
                strcmp(rep_list_text(entry.list), meaning->list) == 0 &&
                (meaning->parts ||
                 (strcmp(rep_names_text(rep_store_types(store), entry.type), meaning->type) == 0 &&
                  (entry.expires_s == 0) == (expires_ms == 0) &&
                  entry.expires_s * 1000 + 3000 >= expires_ms &&
                  entry.expires_s * 1000 <= expires_ms + 3000));
    }
    if (equal)
        return "";
    snprintf(text, sizeof(text), "rf:%s: Redis %s score %d list %s type \"%s\" %lld ms, replica %s",
             name, meaning->held ? "holds" : "lacks", meaning->score, meaning->list, meaning->type,
             meaning->expires_ms, held ? "holds another" : "lacks it");
    return text;
}

/* The first difference, "" for none. */
static const char *compare_all(void)
{
    char name[32];
    struct rep_key key;
    static char first[160];
    for (unsigned i = 0; i < KEYS; i++) {
        key_name(i, name, &key);
        redisAppendCommand(server.context, "HMGET rf:%s score list type from:police from:feed",
                           name);
        redisAppendCommand(server.context, "PTTL rf:%s", name);
    }
    first[0] = '\0';
    for (unsigned i = 0; i < KEYS; i++) {
        redisReply *fields = NULL, *lifetime = NULL;
        ck_assert_int_eq(redisGetReply(server.context, (void **)&fields), REDIS_OK);
        ck_assert_int_eq(redisGetReply(server.context, (void **)&lifetime), REDIS_OK);
        struct meaning meaning = meaning_of(fields, lifetime);
        if (first[0] == '\0')
            snprintf(first, sizeof(first), "%s", difference(i, &meaning));
        freeReplyObject(fields);
        freeReplyObject(lifetime);
    }
    return first;
}

/* ---- the two sides ------------------------------------------------------------------------- */

static struct rep_status status_now(void)
{
    struct rep_status status;
    rep_store_status(store, &status);
    return status;
}

static void start_store(void)
{
    char message[256];
    struct rep_settings settings;
    rep_settings_default(&settings);
    settings.unix_socket = server.socket;
    settings.connect_timeout_ms = 500;
    settings.reply_timeout_ms = 500;
    settings.saved_path = saved_path;
    settings.sources = (struct rep_source_rows){source_rows, SOURCES};
    ck_assert_msg(rep_store_create(&settings, message, sizeof(message), &store) == 0, "%s",
                  message);
    ck_assert_int_eq(rep_store_start(store), 0);
}

/* Until the replica follows; what is held is accepted. */
static bool settled(void)
{
    struct rep_status status = status_now();
    if (status.state == REP_STATE_HELD && status.hold[0] != '\0') {
        int code = rep_store_accept(store);
        ck_assert(code == 0 || code == ERROR_NOT_FOUND);
        /* Seen by the service thread before it is asked again. */
        WAIT_FOR(status_now().state != REP_STATE_HELD);
    }
    return status.state == REP_STATE_FOLLOWING && status.queued == 0;
}

static void quiet_moment(uint64_t seed)
{
    const char *found = "never asked";
    uint64_t until_us = clock_monotonic_us() + SERVER_PATIENCE_MS * UINT64_C(1000);
    WAIT_FOR(settled());
    /* The last invalidations may still be on their way. */
    while (!settled() || *(found = compare_all()) != '\0') {
        ck_assert_msg(clock_monotonic_us() < until_us, "seed %lu, quiet moment %u, %s: %s",
                      (unsigned long)seed, quiet_moments, rep_state_text(status_now().state),
                      found);
        usleep(5000);
    }
    quiet_moments++;
}

/* ---- steps --------------------------------------------------------------------------------- */

static void set_fields(const char *name)
{
    static const char *const lists[] = {"block", "allow", "watch", "none", "", "blocked"};
    if (below(4) == 0)
        redis_do(&server, "DEL rf:%s", name);
    redis_do(&server, "HSET rf:%s score %u list %s type scam-%u", name, below(105),
             lists[below(20) == 0 ? 5 : below(4)], below(5));
}

static void set_lifetime(const char *name)
{
    static const unsigned lifetimes_ms[] = {1, 50, 300, 4000, 100000};
    if (below(4) == 0)
        redis_do(&server, "PERSIST rf:%s", name);
    else
        redis_do(&server, "PEXPIRE rf:%s %u", name, lifetimes_ms[below(5)]);
}

/* Its end may come before the key's, or after it. */
static void set_part(const char *name)
{
    static const char *const lists[] = {"block", "allow", "watch", "none"};
    const char *source = below(2) ? "police" : "feed";
    unsigned long long ends_s = clock_wall_us() / 1000000 + below(6);
    if (below(4) == 0)
        redis_do(&server, "HDEL rf:%s from:%s", name, source);
    else if (below(2))
        redis_do(&server, "HSET rf:%s from:%s score=%u;list=%s;expires=%llu", name, source,
                 below(101), lists[below(4)], ends_s);
    else
        redis_do(&server, "HSET rf:%s from:%s score=%u;list=%s", name, source, below(101),
                 lists[below(4)]);
}

static void move_or_spoil(const char *name)
{
    char other[32];
    struct rep_key key;
    key_name(below(KEYS), other, &key);
    if (below(5) == 0) {
        redis_do(&server, "SET rf:%s text", name);
        redis_do(&server, "DEL rf:%s", name);
    }
    if (strcmp(name, other) != 0)
        redis_do(&server, "COPY rf:%s rf:%s REPLACE", name, other);
}

static void change_one(void)
{
    char name[32];
    struct rep_key key;
    key_name(below(KEYS), name, &key);
    switch (below(8)) {
    case 0:
        redis_do(&server, "DEL rf:%s", name);
        break;
    case 1:
        set_lifetime(name);
        break;
    case 2:
        move_or_spoil(name);
        break;
    case 3:
    case 4:
        set_part(name);
        break;
    default:
        set_fields(name);
    }
}

/* Many keys in one turn of the server. */
static void change_many(void)
{
    static const char *const commands[] = {
        "redis.call('HSET', key, 'score', i % 101, 'list', 'block')",
        "redis.call('DEL', key)",
        "redis.call('PEXPIRE', key, 20)",
        "redis.call('HSET', key, 'score', 3) redis.call('PEXPIRE', key, 1500)",
    };
    char text[256];
    unsigned first = below(NUMBERS), count = below(below(3) == 0 ? NUMBERS : 200);
    unsigned last = first + count < NUMBERS ? first + count : NUMBERS - 1;
    snprintf(text, sizeof(text),
             "for i=%u,%u do local key = string.format('rf:num:+861380000%%04d', i) %s end", first,
             last, commands[below(4)]);
    redis_do(&server, "EVAL %s 0", text);
}

static void cut(void)
{
    redis_do(&server, "CLIENT KILL TYPE %s SKIPME yes", below(2) ? "pubsub" : "normal");
}

static void rescan(void)
{
    char message[64];
    int code = rep_store_reload(store, message, sizeof(message));
    ck_assert_int_eq(code, 0);
}

static void restart_store(void)
{
    rep_store_destroy(store);
    if (below(3) == 0)
        unlink(saved_path);
    if (below(2) == 0)
        change_many();
    start_store();
}

/* With what it saved, which may be nothing. */
static void restart_redis(void)
{
    if (below(3) != 0)
        redis_do(&server, "SAVE");
    redis_kill(&server);
    redis_start(&server);
}

static void flush(void)
{
    redis_do(&server, below(2) ? "FLUSHALL" : "FLUSHDB");
}

static const struct {
    unsigned weight;
    void (*run)(void);
} steps[] = {
    {900, change_one},  {20, change_many},  {12, cut},  {8, rescan},
    {2, restart_store}, {2, restart_redis}, {1, flush},
};

static void step(void)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        sum += steps[i].weight;
    unsigned at = below(sum), i = 0;
    for (; at >= steps[i].weight; i++)
        at -= steps[i].weight;
    steps[i].run();
}

START_TEST(equals_redis_at_every_quiet_moment)
{
    uint64_t seed = environment("MODEL_SEED", clock_wall_us());
    uint64_t until_us = clock_monotonic_us() + environment("MODEL_SECONDS", 12) * 1000000;
    uint64_t taken = 0;
    random_seed(&chance, seed);
    printf("seed %lu\n", (unsigned long)seed);
    redis_create(&server);
    snprintf(saved_path, sizeof(saved_path), "%s/saved", server.folder);
    start_store();
    while (clock_monotonic_us() < until_us) {
        for (unsigned i = below(600); i > 0; i--, taken++)
            step();
        quiet_moment(seed);
    }
    printf("%lu steps, %u quiet moments\n", (unsigned long)taken, quiet_moments);
    rep_store_destroy(store);
    redis_destroy(&server);
}
END_TEST

int main(void)
{
    if (!redis_is_installed()) {
        puts("skipped: redis-server is not installed");
        return 77;
    }
    Suite *suite = suite_create("model");
    TCase *tests = tcase_create("redis");
    tcase_set_timeout(tests, 60 + (double)environment("MODEL_SECONDS", 12));
    tcase_add_test(tests, equals_redis_at_every_quiet_moment);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
