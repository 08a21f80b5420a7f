/* SPDX-License-Identifier: Apache-2.0 */
/* From names to targets over a cache that the test fills, on the test's clock. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/transport/resolver_int.h"

#define SECOND UINT64_C(1000000)
#define UDP    TP_PROTOCOL_BIT(TP_PROTOCOL_UDP)
#define ALL    (UDP | TP_PROTOCOL_BIT(TP_PROTOCOL_TCP) | TP_PROTOCOL_BIT(TP_PROTOCOL_TLS))

/* ---- a DNS of the test's own --------------------------------------------------------------- */

struct message {
    uint8_t bytes[4096];
    size_t length;
};

static void put_u16(struct message *message, unsigned value)
{
    message->bytes[message->length++] = (uint8_t)(value >> 8);
    message->bytes[message->length++] = (uint8_t)value;
}

static void put_u32(struct message *message, uint32_t value)
{
    put_u16(message, value >> 16);
    put_u16(message, value & 0xffff);
}

static void put_name(struct message *message, const char *name)
{
    while (*name != '\0') {
        size_t label = strcspn(name, ".");
        message->bytes[message->length++] = (uint8_t)label;
        memcpy(message->bytes + message->length, name, label);
        message->length += label;
        name += label + (name[label] == '.');
    }
    message->bytes[message->length++] = 0;
}

static void put_text(struct message *message, const char *text)
{
    message->bytes[message->length++] = (uint8_t)strlen(text);
    memcpy(message->bytes + message->length, text, strlen(text));
    message->length += strlen(text);
}

static struct message answer_to(const char *name, enum dns_type type, unsigned rcode)
{
    struct message message = {.length = 0};
    put_u16(&message, 7);
    put_u16(&message, 0x8180 | rcode);
    put_u16(&message, 1);
    put_u32(&message, 0);
    put_u16(&message, 0);
    put_name(&message, name);
    put_u16(&message, (unsigned)type);
    put_u16(&message, 1);
    return message;
}

/* Gives where the data begins; end_record() fills in its length. */
static size_t begin_record(struct message *message, const char *owner, enum dns_type type,
                           uint32_t ttl)
{
    put_name(message, owner);
    put_u16(message, (unsigned)type);
    put_u16(message, 1);
    put_u32(message, ttl);
    put_u16(message, 0);
    if (type == DNS_SOA)
        message->bytes[9]++;
    else
        message->bytes[7]++;
    return message->length;
}

static void end_record(struct message *message, size_t begun)
{
    size_t length = message->length - begun;
    message->bytes[begun - 2] = (uint8_t)(length >> 8);
    message->bytes[begun - 1] = (uint8_t)length;
}

static void add_a(struct message *message, const char *owner, uint32_t ttl, const char *address)
{
    struct tp_address parsed;
    ck_assert_int_eq(tp_address_from_host(slice_of_text(address), 0, &parsed), 0);
    size_t begun = begin_record(message, owner, parsed.family == 4 ? DNS_A : DNS_AAAA, ttl);
    size_t length = parsed.family == 4 ? 4 : 16;
    memcpy(message->bytes + message->length, parsed.bytes, length);
    message->length += length;
    end_record(message, begun);
}

static void add_cname(struct message *message, const char *owner, uint32_t ttl, const char *target)
{
    size_t begun = begin_record(message, owner, DNS_CNAME, ttl);
    put_name(message, target);
    end_record(message, begun);
}

static void add_srv(struct message *message, const char *owner, unsigned priority, unsigned weight,
                    unsigned port, const char *target)
{
    size_t begun = begin_record(message, owner, DNS_SRV, 60);
    put_u16(message, priority);
    put_u16(message, weight);
    put_u16(message, port);
    put_name(message, target);
    end_record(message, begun);
}

static void add_naptr(struct message *message, const char *owner, unsigned order,
                      const char *service, const char *replacement)
{
    size_t begun = begin_record(message, owner, DNS_NAPTR, 60);
    put_u16(message, order);
    put_u16(message, 50);
    put_text(message, "s");
    put_text(message, service);
    put_text(message, "");
    put_name(message, replacement);
    end_record(message, begun);
}

/* ---- the bench ----------------------------------------------------------------------------- */

struct question {
    char name[TP_DNS_NAME_BYTES];
    enum dns_type type;
};

struct bench {
    struct dns_cache *cache;
    uint64_t now_us;
    size_t asked;
    struct question questions[64];
    struct dns_result result;
};

static void note_question(void *argument, const char *name, enum dns_type type)
{
    struct bench *bench = argument;
    struct question *question = &bench->questions[bench->asked++ % 64];
    snprintf(question->name, sizeof(question->name), "%s", name);
    question->type = type;
}

static void open_bench(struct bench *bench)
{
    const struct tp_resolver_settings settings = {
        .min_ttl_us = 5 * SECOND,
        .max_ttl_us = 3600 * SECOND,
        .negative_ttl_us = 60 * SECOND,
        .stale_us = 600 * SECOND,
        .seed = 1,
    };
    memset(bench, 0, sizeof(*bench));
    bench->now_us = 1000 * SECOND;
    ck_assert_int_eq(tp_dns_cache_create(&settings, note_question, bench, &bench->cache), 0);
}

static void close_bench(struct bench *bench)
{
    tp_dns_cache_destroy(bench->cache);
}

static const struct dns_result *walk(struct bench *bench, const char *text, unsigned protocols)
{
    struct tp_name name;
    ck_assert_int_eq(tp_name_parse(slice_of_text(text), &name), 0);
    tp_dns_walk(bench->cache, &name, protocols, bench->now_us, &bench->result);
    return &bench->result;
}

static bool was_asked(const struct bench *bench, const char *name, enum dns_type type)
{
    for (size_t i = 0; i < bench->asked; i++)
        if (strcmp(bench->questions[i].name, name) == 0 && bench->questions[i].type == type)
            return true;
    return false;
}

static int receive(struct bench *bench, const char *name, enum dns_type type,
                   const struct message *message)
{
    struct dns_answer answer;
    int error = tp_dns_answer_parse(message->bytes, message->length, name, type, &answer);
    if (error == 0)
        tp_dns_cache_store(bench->cache, name, type, &answer, bench->now_us);
    else
        tp_dns_cache_fail(bench->cache, name, type, error, bench->now_us);
    return error;
}

static void none(struct bench *bench, const char *name, enum dns_type type)
{
    struct message message = answer_to(name, type, 3);
    ck_assert_int_eq(receive(bench, name, type, &message), 0);
}

static void host(struct bench *bench, const char *name, const char *address)
{
    struct message message = answer_to(name, DNS_A, 0);
    add_a(&message, name, 60, address);
    ck_assert_int_eq(receive(bench, name, DNS_A, &message), 0);
    none(bench, name, DNS_AAAA);
}

static void shows(const struct dns_result *result, size_t at, const char *expected)
{
    char text[TP_ADDRESS_TEXT];
    ck_assert_uint_gt(result->count, at);
    ck_assert_str_eq(tp_address_text(&result->targets[at].address, text), expected);
}

/* ---- RFC 3263 ------------------------------------------------------------------------------ */

START_TEST(naptr_leads_to_srv_and_addresses)
{
    struct bench bench;
    open_bench(&bench);
    ck_assert(walk(&bench, "sip:example.net", ALL)->waiting);
    ck_assert(was_asked(&bench, "example.net", DNS_NAPTR));
    ck_assert_uint_eq(bench.asked, 1);
    struct message naptr = answer_to("example.net", DNS_NAPTR, 0);
    add_naptr(&naptr, "example.net", 20, "SIP+D2U", "_sip._udp.example.net");
    add_naptr(&naptr, "example.net", 10, "SIP+D2T", "tcp.example.net");
    add_naptr(&naptr, "example.net", 5, "E2U+sip", "elsewhere.example.net");
    ck_assert_int_eq(receive(&bench, "example.net", DNS_NAPTR, &naptr), 0);
    walk(&bench, "sip:example.net", ALL);
    ck_assert(was_asked(&bench, "tcp.example.net", DNS_SRV));
    ck_assert(was_asked(&bench, "_sip._udp.example.net", DNS_SRV));
    struct message tcp = answer_to("tcp.example.net", DNS_SRV, 0);
    add_srv(&tcp, "tcp.example.net", 0, 1, 5070, "a.example.net");
    ck_assert_int_eq(receive(&bench, "tcp.example.net", DNS_SRV, &tcp), 0);
    struct message udp = answer_to("_sip._udp.example.net", DNS_SRV, 0);
    add_srv(&udp, "_sip._udp.example.net", 20, 1, 5062, "b.example.net");
    add_srv(&udp, "_sip._udp.example.net", 10, 1, 5061, "a.example.net");
    ck_assert_int_eq(receive(&bench, "_sip._udp.example.net", DNS_SRV, &udp), 0);
    walk(&bench, "sip:example.net", ALL);
    host(&bench, "a.example.net", "192.0.2.1");
    host(&bench, "b.example.net", "192.0.2.2");
    const struct dns_result *result = walk(&bench, "sip:example.net", ALL);
    ck_assert(!result->waiting);
    ck_assert_uint_eq(result->count, 3);
    shows(result, 0, "192.0.2.1:5070");
    ck_assert_int_eq(result->targets[0].protocol, TP_PROTOCOL_TCP);
    shows(result, 1, "192.0.2.1:5061");
    shows(result, 2, "192.0.2.2:5062");
    ck_assert_uint_lt(result->targets[1].priority, result->targets[2].priority);
    result = walk(&bench, "sip:example.net", UDP);
    ck_assert_uint_eq(result->count, 2);
    shows(result, 0, "192.0.2.1:5061");
    close_bench(&bench);
}
END_TEST

START_TEST(without_naptr_srv_of_each_transport_then_the_host_itself)
{
    struct bench bench;
    open_bench(&bench);
    walk(&bench, "example.net", ALL);
    none(&bench, "example.net", DNS_NAPTR);
    walk(&bench, "example.net", ALL);
    none(&bench, "_sip._udp.example.net", DNS_SRV);
    walk(&bench, "example.net", ALL);
    none(&bench, "_sip._tcp.example.net", DNS_SRV);
    walk(&bench, "example.net", ALL);
    none(&bench, "_sips._tcp.example.net", DNS_SRV);
    ck_assert(walk(&bench, "example.net", ALL)->waiting);
    host(&bench, "example.net", "192.0.2.9");
    const struct dns_result *result = walk(&bench, "example.net", ALL);
    ck_assert_uint_eq(result->count, 1);
    shows(result, 0, "192.0.2.9:5060");
    close_bench(&bench);
}
END_TEST

START_TEST(port_or_transport_that_is_written_leaves_records_out)
{
    struct bench bench;
    open_bench(&bench);
    walk(&bench, "example.net:5070", UDP);
    ck_assert(was_asked(&bench, "example.net", DNS_A));
    ck_assert(!was_asked(&bench, "example.net", DNS_NAPTR));
    host(&bench, "example.net", "192.0.2.9");
    shows(walk(&bench, "example.net:5070", UDP), 0, "192.0.2.9:5070");
    walk(&bench, "sip:example.org;transport=udp", UDP);
    ck_assert(was_asked(&bench, "_sip._udp.example.org", DNS_SRV));
    ck_assert(!was_asked(&bench, "example.org", DNS_NAPTR));
    ck_assert_uint_eq(walk(&bench, "sip:example.org;transport=tcp", UDP)->count, 0);
    ck_assert_ptr_nonnull(strstr(bench.result.problem, "tcp"));
    close_bench(&bench);
}
END_TEST

START_TEST(a_failing_srv_question_never_falls_back_to_the_host)
{
    struct bench bench;
    open_bench(&bench);
    walk(&bench, "example.net", UDP);
    tp_dns_cache_fail(bench.cache, "example.net", DNS_NAPTR, -ETIMEDOUT, bench.now_us);
    walk(&bench, "example.net", UDP);
    ck_assert(was_asked(&bench, "_sip._udp.example.net", DNS_SRV));
    tp_dns_cache_fail(bench.cache, "_sip._udp.example.net", DNS_SRV, -ETIMEDOUT, bench.now_us);
    const struct dns_result *result = walk(&bench, "example.net", UDP);
    ck_assert(!result->waiting);
    ck_assert_uint_eq(result->count, 0);
    ck_assert(!was_asked(&bench, "example.net", DNS_A));
    ck_assert_str_ne(result->problem, "");
    close_bench(&bench);
}
END_TEST

START_TEST(service_that_is_not_offered)
{
    struct bench bench;
    open_bench(&bench);
    walk(&bench, "sip:example.net;transport=udp", UDP);
    struct message message = answer_to("_sip._udp.example.net", DNS_SRV, 0);
    add_srv(&message, "_sip._udp.example.net", 0, 0, 0, ""); /* RFC 2782: the root */
    ck_assert_int_eq(receive(&bench, "_sip._udp.example.net", DNS_SRV, &message), 0);
    ck_assert_uint_eq(walk(&bench, "sip:example.net;transport=udp", UDP)->count, 0);
    ck_assert(!was_asked(&bench, "example.net", DNS_A));
    close_bench(&bench);
}
END_TEST

START_TEST(addresses_of_a_host_share_its_weight)
{
    struct bench bench;
    open_bench(&bench);
    walk(&bench, "sip:example.net;transport=udp", UDP);
    struct message message = answer_to("_sip._udp.example.net", DNS_SRV, 0);
    add_srv(&message, "_sip._udp.example.net", 0, 10, 5060, "a.example.net");
    add_srv(&message, "_sip._udp.example.net", 0, 0, 5060, "b.example.net");
    ck_assert_int_eq(receive(&bench, "_sip._udp.example.net", DNS_SRV, &message), 0);
    walk(&bench, "sip:example.net;transport=udp", UDP);
    struct message two = answer_to("a.example.net", DNS_A, 0);
    add_a(&two, "a.example.net", 60, "192.0.2.1");
    add_a(&two, "a.example.net", 60, "192.0.2.2");
    ck_assert_int_eq(receive(&bench, "a.example.net", DNS_A, &two), 0);
    host(&bench, "b.example.net", "192.0.2.3");
    const struct dns_result *result = walk(&bench, "sip:example.net;transport=udp", UDP);
    ck_assert_uint_eq(result->count, 3);
    ck_assert_uint_eq(result->targets[0].weight, 1280);
    ck_assert_uint_eq(result->targets[1].weight, 1280);
    ck_assert_uint_eq(result->targets[2].weight, 0);
    close_bench(&bench);
}
END_TEST

/* ---- time ---------------------------------------------------------------------------------- */

START_TEST(records_are_asked_for_before_they_end)
{
    struct bench bench;
    open_bench(&bench);
    walk(&bench, "example.net:5060", UDP);
    host(&bench, "example.net", "192.0.2.1");
    size_t asked = bench.asked;
    bench.now_us += 40 * SECOND;
    ck_assert_uint_eq(walk(&bench, "example.net:5060", UDP)->count, 1);
    ck_assert_uint_eq(bench.asked, asked);
    ck_assert_uint_lt(bench.result.again_us, bench.now_us + 20 * SECOND);
    bench.now_us = bench.result.again_us;
    ck_assert(!walk(&bench, "example.net:5060", UDP)->stale);
    ck_assert_uint_gt(bench.asked, asked);
    ck_assert_uint_eq(bench.result.count, 1);
    close_bench(&bench);
}
END_TEST

START_TEST(stale_records_serve_while_dns_fails_and_no_longer)
{
    struct bench bench;
    open_bench(&bench);
    walk(&bench, "example.net:5060", UDP);
    host(&bench, "example.net", "192.0.2.1");
    bench.now_us += 61 * SECOND;
    walk(&bench, "example.net:5060", UDP);
    tp_dns_cache_fail(bench.cache, "example.net", DNS_A, -ETIMEDOUT, bench.now_us);
    const struct dns_result *result = walk(&bench, "example.net:5060", UDP);
    ck_assert(result->stale);
    ck_assert_uint_eq(result->count, 1);
    bench.now_us += 2 * SECOND; /* asked again, and answered: another address */
    walk(&bench, "example.net:5060", UDP);
    host(&bench, "example.net", "192.0.2.2");
    result = walk(&bench, "example.net:5060", UDP);
    ck_assert(!result->stale);
    shows(result, 0, "192.0.2.2:5060");
    bench.now_us += 661 * SECOND;
    walk(&bench, "example.net:5060", UDP);
    tp_dns_cache_fail(bench.cache, "example.net", DNS_A, -ETIMEDOUT, bench.now_us);
    tp_dns_cache_fail(bench.cache, "example.net", DNS_AAAA, -ETIMEDOUT, bench.now_us);
    ck_assert_uint_eq(walk(&bench, "example.net:5060", UDP)->count, 0);
    close_bench(&bench);
}
END_TEST

START_TEST(that_there_is_none_is_believed_for_a_while)
{
    struct bench bench;
    open_bench(&bench);
    walk(&bench, "example.net:5060", UDP);
    none(&bench, "example.net", DNS_A);
    none(&bench, "example.net", DNS_AAAA);
    size_t asked = bench.asked;
    bench.now_us += 40 * SECOND;
    ck_assert_uint_eq(walk(&bench, "example.net:5060", UDP)->count, 0);
    ck_assert_uint_eq(bench.asked, asked);
    bench.now_us += 21 * SECOND;
    walk(&bench, "example.net:5060", UDP);
    ck_assert_uint_eq(bench.asked, asked + 2);
    close_bench(&bench);
}
END_TEST

START_TEST(failures_are_asked_again_ever_more_slowly)
{
    struct bench bench;
    uint64_t waits[7];
    open_bench(&bench);
    for (size_t i = 0; i < 7; i++) {
        struct dns_look look;
        tp_dns_cache_look(bench.cache, "example.net", DNS_A, bench.now_us, &look);
        ck_assert_uint_eq(bench.asked, i + 1);
        tp_dns_cache_fail(bench.cache, "example.net", DNS_A, ERROR_UNAVAILABLE, bench.now_us);
        ck_assert_int_eq(tp_dns_cache_look(bench.cache, "example.net", DNS_A, bench.now_us, &look),
                         DNS_FAILED);
        waits[i] = look.again_us - bench.now_us;
        bench.now_us = look.again_us;
    }
    ck_assert_uint_eq(waits[0], SECOND);
    ck_assert_uint_eq(waits[1], 2 * SECOND);
    ck_assert_uint_eq(waits[6], 30 * SECOND);
    close_bench(&bench);
}
END_TEST

START_TEST(ttl_has_bounds)
{
    struct bench bench;
    struct dns_look look;
    static const struct {
        uint32_t ttl;
        uint64_t kept_s;
    } rows[] = {{0, 5}, {1, 5}, {60, 60}, {7200, 3600}, {0x80000000U, 5}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        open_bench(&bench);
        tp_dns_cache_look(bench.cache, "example.net", DNS_A, bench.now_us, &look);
        struct message message = answer_to("example.net", DNS_A, 0);
        add_a(&message, "example.net", rows[i].ttl, "192.0.2.1");
        ck_assert_int_eq(receive(&bench, "example.net", DNS_A, &message), 0);
        tp_dns_cache_look(bench.cache, "example.net", DNS_A, bench.now_us, &look);
        ck_assert_uint_eq(look.expires_us - bench.now_us, rows[i].kept_s * SECOND);
        close_bench(&bench);
    }
}
END_TEST

START_TEST(records_that_nobody_wants_are_forgotten)
{
    struct bench bench;
    struct dns_look look;
    open_bench(&bench);
    for (unsigned i = 0; i < 200; i++) {
        char name[32];
        snprintf(name, sizeof(name), "host%u.example.net", i);
        tp_dns_cache_look(bench.cache, name, DNS_A, bench.now_us, &look);
        if (i % 2 == 0)
            none(&bench, name, DNS_A);
    }
    tp_dns_cache_sweep(bench.cache, bench.now_us + 1);
    ck_assert_uint_eq(tp_dns_cache_count(bench.cache), 100); /* those that were asked for stay */
    close_bench(&bench);
}
END_TEST

/* ---- answers ------------------------------------------------------------------------------- */

START_TEST(aliases_are_followed_and_loops_refused)
{
    struct bench bench;
    open_bench(&bench);
    walk(&bench, "example.net:5060", UDP);
    struct message message = answer_to("example.net", DNS_A, 0);
    add_a(&message, "c.example.net", 60, "192.0.2.7");
    add_cname(&message, "example.net", 30, "B.example.net");
    add_cname(&message, "b.example.net", 60, "c.example.net");
    ck_assert_int_eq(receive(&bench, "example.net", DNS_A, &message), 0);
    const struct dns_result *result = walk(&bench, "example.net:5060", UDP);
    shows(result, 0, "192.0.2.7:5060");
    ck_assert_uint_eq(result->expires_us, bench.now_us + 30 * SECOND);

    struct message loop = answer_to("example.net", DNS_A, 0);
    add_cname(&loop, "example.net", 30, "b.example.net");
    add_cname(&loop, "b.example.net", 30, "example.net");
    ck_assert_int_eq(receive(&bench, "example.net", DNS_A, &loop), ERROR_MALFORMED);
    close_bench(&bench);
}
END_TEST

START_TEST(alias_whose_end_is_not_in_the_answer_is_asked_for)
{
    struct bench bench;
    open_bench(&bench);
    walk(&bench, "example.net:5060", UDP);
    none(&bench, "example.net", DNS_AAAA);
    struct message message = answer_to("example.net", DNS_A, 0);
    add_cname(&message, "example.net", 30, "b.example.org");
    ck_assert_int_eq(receive(&bench, "example.net", DNS_A, &message), 0);
    ck_assert(walk(&bench, "example.net:5060", UDP)->waiting);
    ck_assert(was_asked(&bench, "b.example.org", DNS_A));
    struct message back = answer_to("b.example.org", DNS_A, 0);
    add_cname(&back, "b.example.org", 30, "example.net");
    ck_assert_int_eq(receive(&bench, "b.example.org", DNS_A, &back), 0);
    const struct dns_result *result = walk(&bench, "example.net:5060", UDP);
    ck_assert_uint_eq(result->count, 0);
    ck_assert_ptr_nonnull(strstr(result->problem, "aliases"));
    close_bench(&bench);
}
END_TEST

START_TEST(cut_answers_are_malformed_and_never_read_past)
{
    struct message message = answer_to("example.net", DNS_NAPTR, 0);
    struct dns_answer answer;
    add_naptr(&message, "example.net", 20, "SIP+D2U", "_sip._udp.example.net");
    ck_assert_int_eq(
        tp_dns_answer_parse(message.bytes, message.length, "example.net", DNS_NAPTR, &answer), 0);
    for (size_t length = 0; length < message.length; length++) {
        uint8_t *copy = malloc(length + 1);
        memcpy(copy, message.bytes, length);
        ck_assert_int_ne(tp_dns_answer_parse(copy, length, "example.net", DNS_NAPTR, &answer), 0);
        free(copy);
    }
}
END_TEST

START_TEST(compression_loops_are_malformed)
{
    struct message message = answer_to("example.net", DNS_A, 0);
    struct dns_answer answer;
    message.bytes[7] = 1;
    put_u16(&message, 0xc000 | (unsigned)message.length); /* a name that points at itself */
    put_u16(&message, DNS_A);
    put_u16(&message, 1);
    put_u32(&message, 60);
    put_u16(&message, 0);
    ck_assert_int_eq(
        tp_dns_answer_parse(message.bytes, message.length, "example.net", DNS_A, &answer),
        ERROR_MALFORMED);
}
END_TEST

START_TEST(records_of_other_names_and_types_are_left_out)
{
    struct message message = answer_to("example.net", DNS_A, 0);
    struct dns_answer answer;
    add_a(&message, "evil.example.org", 60, "192.0.2.66");
    add_a(&message, "example.net", 60, "2001:db8::1");
    ck_assert_int_eq(
        tp_dns_answer_parse(message.bytes, message.length, "example.net", DNS_A, &answer), 0);
    ck_assert(answer.absent);
    ck_assert_uint_eq(answer.count, 0);
}
END_TEST

START_TEST(more_records_than_are_kept)
{
    struct message message = answer_to("example.net", DNS_A, 0);
    struct dns_answer answer;
    for (unsigned i = 0; i < 60; i++)
        add_a(&message, "example.net", 60, "192.0.2.1");
    ck_assert_int_eq(
        tp_dns_answer_parse(message.bytes, message.length, "example.net", DNS_A, &answer), 0);
    ck_assert_uint_eq(answer.count, DNS_RECORD_LIMIT);
}
END_TEST

START_TEST(servers_that_fail_are_told_from_names_that_do_not_exist)
{
    struct dns_answer answer;
    for (unsigned rcode = 1; rcode < 16; rcode++) {
        struct message message = answer_to("example.net", DNS_A, rcode);
        int error =
            tp_dns_answer_parse(message.bytes, message.length, "example.net", DNS_A, &answer);
        ck_assert_int_eq(error, rcode == 3 ? 0 : ERROR_UNAVAILABLE);
    }
}
END_TEST

START_TEST(negative_answers_last_as_the_soa_says)
{
    struct message message = answer_to("example.net", DNS_A, 3);
    struct dns_answer answer;
    size_t begun = begin_record(&message, "net", DNS_SOA, 900);
    put_name(&message, "a.net");
    put_name(&message, "b.net");
    for (unsigned i = 0; i < 4; i++)
        put_u32(&message, 1);
    put_u32(&message, 17);
    end_record(&message, begun);
    ck_assert_int_eq(
        tp_dns_answer_parse(message.bytes, message.length, "example.net", DNS_A, &answer), 0);
    ck_assert(answer.absent);
    ck_assert_uint_eq(answer.ttl_s, 17);
}
END_TEST

/* ---- names and draws ----------------------------------------------------------------------- */

START_TEST(texts_of_targets)
{
    static const struct {
        const char *text;
        bool sound;
        const char *host;
        unsigned port;
        int protocol;
    } rows[] = {
        {"10.0.0.1", true, "10.0.0.1", 0, -1},
        {"10.0.0.1:5070", true, "10.0.0.1", 5070, -1},
        {"2001:db8::1", true, "2001:db8::1", 0, -1},
        {"[2001:db8::1]:5070", true, "2001:db8::1", 5070, -1},
        {"sip:[2001:db8::1]", true, "2001:db8::1", 0, -1},
        {"carrier.example", true, "carrier.example", 0, -1},
        {"SIP:Carrier.example:5062;transport=UDP", true, "Carrier.example", 5062, 0},
        {"sips:carrier.example", true, "carrier.example", 0, -1},
        {"sips:carrier.example;transport=udp", false, "", 0, 0},
        {"sip:carrier.example;lr", false, "", 0, 0},
        {"sip:user@carrier.example", false, "", 0, 0},
        {"sip:", false, "", 0, 0},
        {"carrier..example", false, "", 0, 0},
        {"carrier example", false, "", 0, 0},
        {"10.0.0.300", false, "", 0, 0},
        {"10.0.0.1:0", false, "", 0, 0},
        {"10.0.0.1:65536", false, "", 0, 0},
        {"[10.0.0.1]", false, "", 0, 0},
        {"[2001:db8::1", false, "", 0, 0},
        {"", false, "", 0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tp_name name;
        int error = tp_name_parse(slice_of_text(rows[i].text), &name);
        ck_assert_msg((error == 0) == rows[i].sound, "\"%s\": %d", rows[i].text, error);
        if (!rows[i].sound)
            continue;
        ck_assert(slice_equal(name.host, slice_of_text(rows[i].host)));
        ck_assert_uint_eq(name.port, rows[i].port);
        ck_assert_int_eq(name.protocol, rows[i].protocol);
    }
}
END_TEST

START_TEST(draws_follow_the_weights)
{
    static const uint32_t weights[] = {10, 30, 60, 0};
    unsigned won[4] = {0};
    for (uint64_t call = 0; call < 100000; call++) {
        size_t best = 0;
        double least = INFINITY;
        for (size_t i = 0; i < 4; i++) {
            double draw = tp_draw(hash_mix(call, 99), hash_mix(i, 7), weights[i]);
            if (draw < least) {
                least = draw;
                best = i;
            }
        }
        won[best]++;
    }
    ck_assert_uint_ge(won[0], 9500);
    ck_assert_uint_le(won[0], 10500);
    ck_assert_uint_ge(won[1], 29000);
    ck_assert_uint_le(won[1], 31000);
    ck_assert_uint_ge(won[2], 59000);
    ck_assert_uint_le(won[2], 61000);
    ck_assert_uint_le(won[3], 50); /* RFC 2782: a very small chance */
}
END_TEST

START_TEST(former_addresses_are_known_for_their_time)
{
    static struct tp_targets targets = {.former_count = 1};
    struct tp_address address;
    ck_assert_int_eq(tp_address_parse(SLICE("192.0.2.5"), 0, &address), 0);
    targets.former[0].address = address;
    targets.former[0].until_us = 10;
    ck_assert(tp_targets_know(&targets, &address, 9));
    ck_assert(!tp_targets_know(&targets, &address, 10));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resolve");
    TCase *order = tcase_create("RFC 3263");
    tcase_add_test(order, naptr_leads_to_srv_and_addresses);
    tcase_add_test(order, without_naptr_srv_of_each_transport_then_the_host_itself);
    tcase_add_test(order, port_or_transport_that_is_written_leaves_records_out);
    tcase_add_test(order, a_failing_srv_question_never_falls_back_to_the_host);
    tcase_add_test(order, service_that_is_not_offered);
    tcase_add_test(order, addresses_of_a_host_share_its_weight);
    suite_add_tcase(suite, order);
    TCase *time = tcase_create("time");
    tcase_add_test(time, records_are_asked_for_before_they_end);
    tcase_add_test(time, stale_records_serve_while_dns_fails_and_no_longer);
    tcase_add_test(time, that_there_is_none_is_believed_for_a_while);
    tcase_add_test(time, failures_are_asked_again_ever_more_slowly);
    tcase_add_test(time, ttl_has_bounds);
    tcase_add_test(time, records_that_nobody_wants_are_forgotten);
    suite_add_tcase(suite, time);
    TCase *answers = tcase_create("answers");
    tcase_add_test(answers, aliases_are_followed_and_loops_refused);
    tcase_add_test(answers, alias_whose_end_is_not_in_the_answer_is_asked_for);
    tcase_add_test(answers, cut_answers_are_malformed_and_never_read_past);
    tcase_add_test(answers, compression_loops_are_malformed);
    tcase_add_test(answers, records_of_other_names_and_types_are_left_out);
    tcase_add_test(answers, more_records_than_are_kept);
    tcase_add_test(answers, servers_that_fail_are_told_from_names_that_do_not_exist);
    tcase_add_test(answers, negative_answers_last_as_the_soa_says);
    suite_add_tcase(suite, answers);
    TCase *names = tcase_create("names and draws");
    tcase_add_test(names, texts_of_targets);
    tcase_add_test(names, draws_follow_the_weights);
    tcase_add_test(names, former_addresses_are_known_for_their_time);
    suite_add_tcase(suite, names);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
