/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_bench: one proxy over real transactions and screening, with a recorded output and a clock
 * of its own. The listeners are bound on loopback but nothing is ever sent.
 */
#ifndef RINGFENCE_TESTS_PROXY_BENCH_H
#define RINGFENCE_TESTS_PROXY_BENCH_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "proxy/proxy.h"

#define BENCH_SENT 64

struct bench_sent {
    uint16_t listener;
    struct tp_address to;
    uint64_t cookie;
    char bytes[4096];
    size_t length;
};

struct bench {
    struct arena *arena;
    struct conf_report *report;
    struct conf_document *document;
    struct proxy_settings settings;
    struct screen_settings screening;
    struct screen_policy *policy;
    struct proxy_plan *plan;
    struct proxy_snapshot snapshot;
    struct proxy_labels labels;
    struct ident_marks marks;
    struct stats_registry *registry;
    struct screen_ledger *ledger;
    struct stats_shard *stats;
    struct tp_group *group;
    struct rt_wheel *wheel;
    struct txn_layer *transactions;
    struct call_table *calls;
    struct rep_store *store;
    struct screen_engine *engine;
    struct screen_limiter *limiter;
    struct proxy_health *health;
    struct proxy_admission *admission;
    struct proxy_load *load;
    struct stats_event_queue *events;
    struct proxy *proxy;
    uint64_t now_us;
    uint64_t backlog_us; /* what the next datagrams say about the queue behind them */
    size_t sent_count;
    struct bench_sent sent[BENCH_SENT];
};

#define BENCH_SECOND UINT64_C(1000000)

static void bench_output(void *argument, uint16_t listener, const struct tp_address *to,
                         struct slice bytes, uint64_t cookie)
{
    struct bench *b = argument;
    ck_assert_uint_lt(b->sent_count, BENCH_SENT);
    struct bench_sent *sent = &b->sent[b->sent_count++];
    sent->listener = listener;
    sent->to = *to;
    sent->cookie = cookie;
    sent->length = bytes.length < sizeof(sent->bytes) - 1 ? bytes.length : sizeof(sent->bytes) - 1;
    memcpy(sent->bytes, bytes.data, sent->length);
    sent->bytes[sent->length] = '\0';
}

static void bench_call_ended(void *argument, const struct call_summary *summary, enum call_end end,
                             uint64_t now_us)
{
    struct bench *b = argument;
    (void)end;
    proxy_call_ended(b->proxy, summary, now_us);
}

static void bench_load(struct bench *b, const char *yaml)
{
    static const struct conf_row rows[] = {
        {.key = "listen",
         .type = CONF_SECTION_LIST,
         CONF_FIELD(struct proxy_settings, listeners),
         .section = &proxy_listen_section,
         .help = "x"},
        {.key = "trunks",
         .type = CONF_SECTION_LIST,
         CONF_FIELD(struct proxy_settings, trunks),
         .section = &proxy_trunk_section,
         .help = "x"},
        {.key = "routes",
         .type = CONF_SECTION_LIST,
         CONF_FIELD(struct proxy_settings, routes),
         .section = &proxy_route_section,
         .help = "x"},
        {.key = "numbering",
         .type = CONF_SECTION_LIST,
         CONF_FIELD(struct proxy_settings, numberings),
         .section = &proxy_numbering_section,
         .help = "x"},
        {.key = "limits",
         .type = CONF_SECTION,
         CONF_FIELD(struct proxy_settings, limits),
         .section = &proxy_limits_section,
         .help = "x"},
    };
    static const struct conf_section section = {
        .name = "bench", CONF_ROWS(rows), CONF_OBJECT(struct proxy_settings)};
    ck_assert_int_eq(
        conf_document_parse("bench.yaml", slice_of_text(yaml), NULL, b->report, &b->document), 0);
    int error = conf_section_load(b->document, conf_document_root(b->document), &section, b->arena,
                                  b->report, &b->settings);
    conf_report_print(b->report, stderr, false);
    ck_assert_int_eq(error, 0);
    ck_assert_int_eq(
        conf_section_load(b->document, NULL, &screen_section, b->arena, b->report, &b->screening),
        0);
}

static void bench_bind(struct bench *b)
{
    const struct proxy_listen_settings *from = b->settings.listeners.items;
    struct tp_listener_settings listeners[4];
    size_t bad;
    for (size_t i = 0; i < b->settings.listeners.count; i++) {
        listeners[i] = (struct tp_listener_settings){
            .protocol = (enum tp_protocol)from[i].transport,
            .advertise = from[i].advertise,
            .network = from[i].network,
            .aliases = from[i].aliases.items,
            .alias_count = from[i].aliases.count,
        };
        ck_assert_int_eq(
            tp_address_from_sockaddr(&from[i].address.socket.any, &listeners[i].address), 0);
    }
    const struct tp_settings settings = {
        .listeners = listeners,
        .listener_count = b->settings.listeners.count,
        .workers = 1,
        .receive_buffer = 65536,
        .send_buffer = 65536,
        .ring_bytes = 1 << 20,
        .batch = 8,
        .steering_key = b->marks.steering,
    };
    ck_assert_int_eq(tp_group_create(&settings, &b->group, &bad), 0);
}

static void bench_tables(struct bench *b)
{
    const struct txn_output output = {.send = bench_output, .argument = b};
    const struct txn_settings transactions = {
        .t1_us = 500000,
        .t2_us = 4000000,
        .t4_us = 5000000,
        .limit = 1000,
        .lingering_limit = 1000,
        .per_call_limit = 64,
        .per_source_limit = 1000,
        .memory_limit = 16 << 20,
    };
    const struct call_settings calls = {.limit = 1000, .max_call_us = 14400 * BENCH_SECOND};
    ck_assert_int_eq(rt_wheel_create(b->now_us, &b->wheel), 0);
    ck_assert_int_eq(txn_layer_create(&transactions, b->wheel, b->stats, &output, &b->transactions),
                     0);
    ck_assert_int_eq(call_table_create(&calls, b->wheel, b->stats, bench_call_ended, b, &b->calls),
                     0);
}

static void bench_start(struct bench *b)
{
    const struct proxy_parts parts = {
        .marks = &b->marks,
        .labels = &b->labels,
        .registry = b->registry,
        .group = b->group,
        .health = b->health,
        .admission = b->admission,
        .load = b->load,
        .transactions = b->transactions,
        .output = {.send = bench_output, .argument = b},
        .calls = b->calls,
        .wheel = b->wheel,
        .screening = b->engine,
        .limiter = b->limiter,
        .stats = b->stats,
        .events = b->events,
    };
    ck_assert_int_eq(proxy_create(&parts, &b->snapshot, &b->proxy), 0);
}

static void bench_open(struct bench *b, const char *yaml, const char *rules_text)
{
    uint8_t key[IDENT_KEY_BYTES] = {1, 2, 3};
    char message[256];
    struct rule_set *rules = NULL;
    struct rep_settings reputation;
    memset(b, 0, sizeof(*b));
    b->now_us = 1000 * BENCH_SECOND;
    ident_marks_init(&b->marks, key, 0);
    ck_assert_int_eq(arena_create(65536, 0, &b->arena), 0);
    ck_assert_int_eq(conf_report_create(&b->report), 0);
    ck_assert_int_eq(stats_registry_create(&b->registry), 0);
    ck_assert_int_eq(screen_ledger_create(&b->ledger), 0);
    ck_assert_int_eq(stats_shard_create(b->registry, &b->stats), 0);
    proxy_labels_register(&b->labels, b->registry);
    bench_load(b, yaml);
    const struct rule_source source = {"rules.yaml", slice_of_text(rules_text)};
    int error = rule_set_parse(&screen_catalogue, &source, 1, b->report, &rules);
    conf_report_print(b->report, stderr, false);
    ck_assert_int_eq(error, 0);
    ck_assert_int_eq(
        screen_policy_create(&b->screening, rules, b->registry, b->ledger, b->report, &b->policy),
        0);
    error =
        proxy_plan_create(&b->settings, rules, b->registry, b->ledger, NULL, b->report, &b->plan);
    conf_report_print(b->report, stderr, false);
    ck_assert_int_eq(error, 0);
    b->snapshot = (struct proxy_snapshot){b->plan, b->policy, &b->settings.limits};
    bench_bind(b);
    bench_tables(b);
    rep_settings_default(&reputation);
    reputation.backend = REP_BACKEND_MEMORY;
    ck_assert_int_eq(rep_store_create(&reputation, message, sizeof(message), &b->store), 0);
    ck_assert_int_eq(rep_store_start(b->store), 0);
    ck_assert_int_eq(screen_engine_create(b->store, &b->engine), 0);
    ck_assert_int_eq(screen_limiter_create(64, &b->limiter), 0);
    ck_assert_int_eq(proxy_health_create(64, &b->health), 0);
    ck_assert_int_eq(proxy_admission_create(64, &b->admission), 0);
    ck_assert_int_eq(proxy_load_create(1, 0, &b->load), 0);
    ck_assert_int_eq(stats_event_queue_create(64, &b->events), 0);
    bench_start(b);
}

/* A process that dies and comes back: everything but the key is new. */
static inline void bench_restart(struct bench *b)
{
    txn_layer_destroy(b->transactions);
    call_table_destroy(b->calls);
    rt_wheel_destroy(b->wheel);
    bench_tables(b);
    struct proxy *old = b->proxy;
    bench_start(b);
    proxy_destroy(old);
}

static void bench_close(struct bench *b)
{
    txn_layer_destroy(b->transactions);
    call_table_destroy(b->calls);
    proxy_destroy(b->proxy);
    rt_wheel_destroy(b->wheel);
    stats_event_queue_destroy(b->events);
    screen_limiter_destroy(b->limiter);
    proxy_health_destroy(b->health);
    proxy_admission_destroy(b->admission);
    proxy_load_destroy(b->load);
    screen_engine_destroy(b->engine);
    rep_store_destroy(b->store);
    tp_group_destroy(b->group);
    proxy_plan_destroy(b->plan);
    screen_policy_destroy(b->policy);
    screen_ledger_destroy(b->ledger);
    conf_document_destroy(b->document);
    conf_report_destroy(b->report);
    stats_registry_destroy(b->registry);
    arena_destroy(b->arena);
}

/* A datagram from "host:port" at a listener; what it causes is in b->sent. */
static void bench_receive(struct bench *b, const char *from, uint16_t listener, const char *text)
{
    static char bytes[65536];
    size_t length = strlen(text);
    memcpy(bytes, text, length);
    struct tp_packet packet = {
        .bytes = slice_make(bytes, length),
        .listener = listener,
        .received_us = b->now_us,
        .backlog_us = b->backlog_us,
    };
    ck_assert_int_eq(tp_address_parse(slice_of_text(from), 5060, &packet.source), 0);
    b->sent_count = 0;
    proxy_receive(b->proxy, &packet);
}

static inline void bench_pass(struct bench *b, uint64_t us)
{
    b->now_us += us;
    b->sent_count = 0;
    rt_wheel_advance(b->wheel, b->now_us);
}

/* Asserts that the index-th datagram went there and starts so. */
static inline const char *bench_expect(struct bench *b, size_t index, const char *to,
                                       const char *start)
{
    char text[TP_ADDRESS_TEXT];
    ck_assert_msg(index < b->sent_count, "only %zu datagrams were sent, not \"%s\"", b->sent_count,
                  start);
    struct bench_sent *sent = &b->sent[index];
    ck_assert_msg(strncmp(sent->bytes, start, strlen(start)) == 0, "not \"%s\" but:\n%s", start,
                  sent->bytes);
    ck_assert_str_eq(tp_address_text(&sent->to, text), to);
    return sent->bytes;
}

/* A datagram of those that were sent, wherever it stands among them; NULL when there is none. */
static inline const char *bench_find(const struct bench *b, const char *to, const char *start)
{
    char text[TP_ADDRESS_TEXT];
    for (size_t i = 0; i < b->sent_count; i++)
        if (strncmp(b->sent[i].bytes, start, strlen(start)) == 0 &&
            strcmp(tp_address_text(&b->sent[i].to, text), to) == 0)
            return b->sent[i].bytes;
    return NULL;
}

static uint64_t bench_total(const struct bench *b, enum stats_counter counter)
{
    return stats_total(b->registry, counter);
}

#endif
