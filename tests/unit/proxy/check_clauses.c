/* SPDX-License-Identifier: Apache-2.0 */
/* Clauses of RFC 3261 section 16 that no call of everyday comes by: docs/rfc3261.md. */
#include <errno.h>

#include "unit/proxy/proxy_calls.h"

static const char rules[] = "rules:\n"
                            "  - {id: never, when: 'caller.display == \"-\"', score: 1}\n"
                            "policy:\n"
                            "  - {at: 90, do: block, with: '603+'}\n";

/* A request outside a dialog. */
static const char *fresh(const char *method, const char *uri, const char *branch, const char *more)
{
    static char text[4096];
    snprintf(text, sizeof(text),
             "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%s\r\n"
             "Max-Forwards: 70\r\n%sFrom: <sip:a@b>;tag=from\r\nTo: <sip:c@d>\r\n"
             "Call-ID: %s\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
             method, uri, branch, more, branch, method);
    return text;
}

/* ---- maddr (16.4, 16.5) ------------------------------------------------------------------ */

START_TEST(maddr_of_ours_is_stripped)
{
    static const struct {
        const char *uri;
        const char *sent;
    } rows[] = {
        {"sip:u@elsewhere.example;maddr=127.0.91.1", "INVITE sip:u@elsewhere.example SIP/2.0\r\n"},
        {"sip:u@elsewhere.example:5060;x=1;MADDR=127.0.91.1;transport=udp;y",
         "INVITE sip:u@elsewhere.example;x=1;y SIP/2.0\r\n"},
        {"sip:u@[2001:db8::1];maddr=127.0.91.1", "INVITE sip:u@[2001:db8::1] SIP/2.0\r\n"},
        /* What is left names us: the target takes its place. */
        {"sip:u@127.0.91.1;maddr=127.0.91.1;x", "INVITE sip:u@198.51.100.1:5060;x SIP/2.0\r\n"},
        /* No maddr at all. */
        {"tel:+861062345678;maddr=127.0.91.1", "INVITE tel:+861062345678;maddr=127.0.91.1 "},
        {"tel:+861062345678;maddr=203.0.113.1", "INVITE tel:+861062345678;maddr=203.0.113.1 "},
        {"sip:u@x.example;maddr", "INVITE sip:u@x.example;maddr SIP/2.0\r\n"},
        /* A name is where the trunk is. */
        {"sip:u@127.0.91.1;maddr=gateway.example", "INVITE sip:u@198.51.100.1:5060;maddr=gateway"},
    };
    struct bench b;
    bench_open(&b, site, rules);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char branch[8];
        snprintf(branch, sizeof(branch), "m%zu", i);
        bench_receive(&b, A, 0, fresh("INVITE", rows[i].uri, branch, ""));
        bench_expect(&b, 1, B, rows[i].sent);
    }
    bench_close(&b);
}
END_TEST

START_TEST(maddr_is_the_only_target)
{
    struct bench b;
    bench_open(&b, site, rules);
    /* Of the trunk that the table chose, but not the target that it would have had. */
    bench_receive(&b, A, 0, fresh("INVITE", "sip:u@x.example:5066;maddr=198.51.100.7", "1", ""));
    bench_expect(&b, 1, "198.51.100.7:5066", "INVITE sip:u@x.example:5066;maddr=198.51.100.7 ");
    /* Ours, but another port than the request came to: it is no trunk's. */
    bench_receive(&b, A, 0, fresh("INVITE", "sip:u@x.example:5066;maddr=127.0.91.1", "2", ""));
    bench_expect(&b, 0, A, "SIP/2.0 403 ");
    bench_receive(&b, A, 0, fresh("INVITE", "sip:u@x.example;maddr=203.0.113.1", "3", ""));
    bench_expect(&b, 0, A, "SIP/2.0 403 ");
    ck_assert_uint_eq(bench_total(&b, STATS_FOREIGN_NEXT_HOP), 2);
    bench_receive(&b, A, 0, fresh("INVITE", "sip:110@x.example;maddr=203.0.113.1", "4", ""));
    bench_expect(&b, 1, B, "INVITE sip:110@x.example;maddr=203.0.113.1 ");
    /* A Route goes first (item 7 of 16.6). */
    bench_receive(&b, A, 0,
                  fresh("INVITE", "sip:u@x.example;maddr=203.0.113.1", "5",
                        "Route: <sip:198.51.100.8;lr>\r\n"));
    bench_expect(&b, 1, "198.51.100.8:5060", "INVITE sip:u@x.example;maddr=203.0.113.1 ");
    bench_close(&b);
}
END_TEST

START_TEST(maddr_of_a_contact_and_of_a_route)
{
    struct bench b;
    bench_open(&b, site, rules);
    establish(&b);
    bench_receive(&b, A, 0,
                  in_dialog("INFO", "sip:callee@10.1.1.1;maddr=198.51.100.9", "from", "to",
                            "192.0.2.1", routes_of(answered, true), 2));
    bench_expect(&b, 0, "198.51.100.9:5060", "INFO sip:callee@10.1.1.1;maddr=198.51.100.9 ");
    bench_receive(&b, A, 0,
                  in_dialog("INFO", "sip:callee@198.51.100.1;maddr=10.1.1.1", "from", "to",
                            "192.0.2.1", routes_of(answered, true), 3));
    bench_expect(&b, 0, A, "SIP/2.0 403 ");
    char routes[2048];
    snprintf(routes, sizeof(routes), "%sRoute: <sip:10.1.1.1;maddr=198.51.100.3;lr>\r\n",
             routes_of(answered, true));
    bench_receive(&b, A, 0,
                  in_dialog("INFO", "sip:callee@10.1.1.1", "from", "to", "192.0.2.1", routes, 4));
    bench_expect(&b, 0, "198.51.100.3:5060", "INFO sip:callee@10.1.1.1 ");
    bench_close(&b);
}
END_TEST

/* ---- sips (26.2.2, RFC 5630) ------------------------------------------------------------- */

#define NOT_ALLOWED "\r\nWarning: 380 ringfence \"SIPS Not Allowed\"\r\n"

START_TEST(sips_goes_nowhere_but_by_tls)
{
    static const struct {
        const char *uri;
        const char *more;
    } refused[] = {
        {"sips:u@x.example", ""},
        {"SIPS:u@127.0.91.1", ""},
        {"sip:u@x.example", "Route: <sips:198.51.100.8;lr>\r\n"},
        {"sip:u@x.example", "Route: <sip:127.0.91.1;lr>, <sips:198.51.100.8;lr>\r\n"},
        {"sips:u@x.example;maddr=198.51.100.7", ""},
    };
    struct bench b;
    bench_open(&b, site, rules);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char branch[8];
        snprintf(branch, sizeof(branch), "s%zu", i);
        bench_receive(&b, A, 0, fresh("INVITE", refused[i].uri, branch, refused[i].more));
        const char *text = bench_expect(&b, b.sent_count - 1, A, "SIP/2.0 480 ");
        ck_assert_msg(strstr(text, NOT_ALLOWED) != NULL, "%s", text);
        ck_assert_uint_eq(bench_total(&b, STATS_SIPS_REFUSED), i + 1);
    }
    /* A value of ours has done its work. */
    bench_receive(&b, A, 0,
                  fresh("INVITE", "sip:u@x.example", "o", "Route: <sips:127.0.91.1:5060;lr>\r\n"));
    bench_expect(&b, 1, B, "INVITE sip:u@x.example ");
    bench_receive(&b, A, 0, fresh("INVITE", "sips:110@x.example", "e", ""));
    bench_expect(&b, 1, B, "INVITE sips:110@x.example ");
    bench_receive(&b, A, 0, fresh("CANCEL", "sips:u@x.example", "c", ""));
    bench_expect(&b, 0, A, "SIP/2.0 481 ");
    bench_close(&b);
}
END_TEST

START_TEST(call_diverted_to_sips_goes_nowhere_but_by_tls)
{
    static const char diverting[] = "rules:\n"
                                    "  - {id: divert, when: not caller.valid, score: 90}\n"
                                    "policy:\n"
                                    "  - {at: 90, do: divert, to: 'sips:desk@198.51.100.1'}\n";
    struct bench b;
    bench_open(&b, site, diverting);
    bench_receive(&b, A, 0, fresh("INVITE", "sip:u@x.example", "1", ""));
    const char *text = bench_expect(&b, b.sent_count - 1, A, "SIP/2.0 480 ");
    ck_assert_msg(strstr(text, NOT_ALLOWED) != NULL, "%s", text);
    bench_close(&b);
}
END_TEST

/* The target has no TLS, and the trunk says that this does. */
static const char secured[] =
    "listen: [{address: '127.0.91.1:5060'}]\n"
    "trunks:\n"
    "  - {name: a, sources: [192.0.2.0/24], area_code: '10'}\n"
    "  - {name: b, sources: [198.51.100.0/24], targets: ['198.51.100.1:5060'],\n"
    "     area_code: '10', sips: any}\n"
    "routes: [{to: b}]\n";

/* RFC 5630 section 5.3: whatever a call is diverted to, its Request-URI keeps its scheme. */
START_TEST(diverted_call_is_not_downgraded_nor_upgraded)
{
    static const struct {
        const char *site, *to, *uri, *got;
    } rows[] = {
        {site, "sip:desk@198.51.100.1", "sips:u@x.example", NULL},
        {secured, "sip:desk@198.51.100.1", "sips:u@x.example", "INVITE sips:desk@198.51.100.1 "},
        {secured, "sips:desk@198.51.100.1;x=1", "sip:u@x.example",
         "INVITE sip:desk@198.51.100.1;x=1 "},
        {secured, "sips:desk@198.51.100.1", "SIPS:u@x.example", "INVITE sips:desk@198.51.100.1 "},
        {secured, "sip:desk@198.51.100.1", "sip:u@x.example", "INVITE sip:desk@198.51.100.1 "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char diverting[256];
        struct bench b;
        snprintf(diverting, sizeof(diverting),
                 "rules:\n  - {id: divert, when: not caller.valid, score: 90}\n"
                 "policy:\n  - {at: 90, do: divert, to: '%s'}\n",
                 rows[i].to);
        bench_open(&b, rows[i].site, diverting);
        bench_receive(&b, A, 0, fresh("INVITE", rows[i].uri, "1", ""));
        const char *text = b.sent[b.sent_count - 1].bytes;
        if (rows[i].got == NULL)
            ck_assert_msg(strstr(text, NOT_ALLOWED) != NULL, "%s", text);
        else
            ck_assert_msg(strncmp(text, rows[i].got, strlen(rows[i].got)) == 0, "%s", text);
        bench_close(&b);
    }
}
END_TEST

START_TEST(sips_of_a_contact_goes_nowhere_but_by_tls)
{
    struct bench b;
    bench_open(&b, site, rules);
    establish(&b);
    bench_receive(&b, A, 0,
                  in_dialog("BYE", "sips:callee@198.51.100.1", "from", "to", "192.0.2.1",
                            routes_of(answered, true), 2));
    bench_expect(&b, 0, A, "SIP/2.0 480 ");
    bench_receive(&b, A, 0,
                  in_dialog("ACK", "sips:callee@198.51.100.1", "from", "to", "192.0.2.1",
                            routes_of(answered, true), 1));
    ck_assert_uint_eq(b.sent_count, 0);
    ck_assert_uint_eq(bench_total(&b, STATS_SIPS_REFUSED), 2);
    bench_close(&b);
}
END_TEST

START_TEST(sips_goes_by_what_the_target_has_where_the_trunk_says_so)
{
    struct bench b;
    bench_open(&b, secured, rules);
    bench_receive(&b, A, 0, fresh("INVITE", "sips:u@x.example", "1", ""));
    const char *text = bench_expect(&b, 1, B, "INVITE sips:u@x.example ");
    ck_assert_msg(strstr(text, "Record-Route: <sip:127.0.91.1:5060;lr") != NULL, "%s", text);
    ck_assert_uint_eq(bench_total(&b, STATS_SIPS_REFUSED), 0);
    bench_close(&b);
}
END_TEST

/* ---- too large for UDP (18.1.1) ---------------------------------------------------------- */

static const char two_ways[] =
    "listen:\n"
    "  - {address: '127.0.91.1:5060'}\n"
    "  - {address: '127.0.91.1:5060', transport: tcp}\n"
    "trunks:\n"
    "  - {name: a, sources: [192.0.2.0/24], area_code: '10'}\n"
    "  - {name: b, sources: [198.51.100.0/24], area_code: '10', udp_size: tcp,\n"
    "     targets: [{target: '198.51.100.1:5060'}, {target: '198.51.100.2:5060', priority: 1}]}\n"
    "routes: [{to: b}]\n";

static const char *large(const char *branch)
{
    char subject[1400];
    snprintf(subject, sizeof(subject), "Subject: %01300d\r\n", 0);
    return fresh("INVITE", "sip:u@x.example", branch, subject);
}

static void fail_last(struct bench *b, int error)
{
    uint64_t cookie = b->sent[b->sent_count - 1].cookie;
    b->sent_count = 0;
    txn_layer_send_failed(b->transactions, cookie, error, b->now_us);
}

START_TEST(large_request_comes_back_to_udp_when_tcp_cannot_be_had)
{
    static const int errors[] = {-ECONNREFUSED, -ECONNRESET, -ENOPROTOOPT, -ETIMEDOUT};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct bench b;
        char via[256];
        bench_open(&b, two_ways, rules);
        bench_receive(&b, A, 0, large("1"));
        const char *text = bench_expect(&b, 1, B, "INVITE ");
        ck_assert_uint_eq(b.sent[1].listener, 1);
        const char *first = strstr(text, "\r\nVia: SIP/2.0/TCP 127.0.91.1:5060;rport;branch=");
        ck_assert_ptr_nonnull(first);
        snprintf(via, sizeof(via), "%.*s", (int)strcspn(first + 2, "\r"), first + 2);
        fail_last(&b, errors[i]);
        text = bench_expect(&b, 0, B, "INVITE ");
        ck_assert_uint_eq(b.sent[0].listener, 0);
        /* The same transaction to a target that got it all the same. */
        memcpy(via, "Via: SIP/2.0/UDP", 16);
        ck_assert_msg(strstr(text, via) != NULL, "no \"%s\" in\n%s", via, text);
        ck_assert_ptr_nonnull(strstr(text, "\r\nRecord-Route: <sip:127.0.91.1:5060;lr"));
        ck_assert_ptr_null(strstr(text, "transport=tcp"));
        ck_assert_uint_eq(bench_total(&b, STATS_UDP_BECAME_TCP), 1);
        ck_assert_uint_eq(bench_total(&b, STATS_TCP_BECAME_UDP), 1);
        ck_assert_uint_eq(bench_total(&b, STATS_FAILOVERS), 0);
        bench_receive(&b, B, 0, answer(text, "486 Busy Here", ";tag=to"));
        bench_expect(&b, 0, B, "ACK ");
        bench_expect(&b, 1, A, "SIP/2.0 486 ");
        bench_close(&b);
    }
}
END_TEST

START_TEST(udp_that_fails_too_ends_at_the_next_target)
{
    struct bench b;
    bench_open(&b, two_ways, rules);
    bench_receive(&b, A, 0, large("1"));
    fail_last(&b, -ECONNREFUSED);
    fail_last(&b, -EHOSTUNREACH);
    bench_expect(&b, 0, "198.51.100.2:5060", "INVITE ");
    ck_assert_uint_eq(b.sent[0].listener, 1);
    fail_last(&b, -ECONNREFUSED);
    bench_expect(&b, 0, "198.51.100.2:5060", "INVITE ");
    ck_assert_uint_eq(b.sent[0].listener, 0);
    fail_last(&b, -EHOSTUNREACH);
    bench_expect(&b, 0, A, "SIP/2.0 500 ");
    bench_close(&b);
}
END_TEST

START_TEST(only_what_grew_comes_back_to_udp)
{
    struct bench b;
    bench_open(&b, two_ways, rules);
    bench_receive(&b, A, 0, large("1"));
    fail_last(&b, ERROR_LIMIT); /* it has TCP, but our queue is full */
    bench_expect(&b, 0, "198.51.100.2:5060", "INVITE ");
    bench_receive(&b, A, 0, fresh("INVITE", "sip:u@x.example;transport=tcp", "2", ""));
    fail_last(&b, -ECONNREFUSED);
    bench_expect(&b, 0, "198.51.100.2:5060", "INVITE ");
    ck_assert_uint_eq(bench_total(&b, STATS_TCP_BECAME_UDP), 0);
    bench_close(&b);
}
END_TEST

/* ---- what is addressed to us (16.3, 16.4) ------------------------------------------------ */

START_TEST(options_are_ours_only_without_a_route_that_leads_on)
{
    struct bench b;
    bench_open(&b, site, rules);
    bench_receive(&b, A, 0, fresh("OPTIONS", "sip:127.0.91.1", "1", ""));
    bench_expect(&b, 0, A, "SIP/2.0 200 ");
    bench_receive(&b, A, 0,
                  fresh("OPTIONS", "sip:127.0.91.1", "2", "Route: <sip:127.0.91.1;lr>\r\n"));
    bench_expect(&b, 0, A, "SIP/2.0 200 ");
    bench_receive(&b, A, 0,
                  fresh("OPTIONS", "sip:127.0.91.1", "3",
                        "Route: <sip:127.0.91.1;lr>, <sip:198.51.100.8;lr>\r\n"));
    bench_expect(&b, 0, "198.51.100.8:5060", "OPTIONS ");
    bench_close(&b);
}
END_TEST

START_TEST(options_of_a_strict_router_go_on)
{
    struct bench b;
    bench_open(&b, site, rules);
    establish(&b);
    const char *routes = routes_of(answered, true);
    char uri[128];
    snprintf(uri, sizeof(uri), "%.*s", (int)strcspn(routes + 8, ">"), routes + 8);
    bench_receive(&b, A, 0,
                  in_dialog("OPTIONS", uri, "from", "to", "192.0.2.1",
                            "Route: <sip:callee@198.51.100.1>\r\n", 2));
    bench_expect(&b, 0, B, "OPTIONS sip:callee@198.51.100.1 SIP/2.0\r\n");
    bench_close(&b);
}
END_TEST

/* ---- loops (16.3 item 4, RFC 5393) ------------------------------------------------------- */

/* A request of a dialog that passed here twice: only the second of its Route lines tells the two
 * passages apart. */
START_TEST(spiral_with_one_first_route_is_no_loop)
{
    struct bench b;
    bench_open(&b, site, rules);
    establish(&b);
    char ours[128], routes[1024], back[8192];
    const char *found = routes_of(answered, true);
    snprintf(ours, sizeof(ours), "%.*s", (int)strcspn(found, "\r"), found);
    snprintf(routes, sizeof(routes), "%s\r\nRoute: <sip:198.51.100.1;lr>\r\n%s\r\n", ours, ours);
    bench_receive(&b, A, 0, of_caller("INFO", routes, 2));
    const char *out = bench_expect(&b, 0, B, "INFO ");
    /* The peer takes its own Route off and sends it back. */
    const char *via = strstr(out, "Via: ");
    const char *its = strstr(out, "Route: <sip:198.51.100.1;lr>\r\n");
    ck_assert_ptr_nonnull(its);
    snprintf(back, sizeof(back),
             "INFO sip:callee@198.51.100.1 SIP/2.0\r\n"
             "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKspiral\r\n%.*s%s",
             (int)(its - via), via, strchr(its, '\n') + 1);
    bench_receive(&b, A, 0, back);
    bench_expect(&b, 0, B, "INFO ");
    /* And when it comes again as it was, it is one. */
    snprintf(back, sizeof(back),
             "INFO sip:callee@198.51.100.1 SIP/2.0\r\n"
             "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKloop\r\n%s\r\n%s",
             ours, strstr(b.sent[0].bytes, "Via: "));
    bench_receive(&b, A, 0, back);
    bench_expect(&b, 0, A, "SIP/2.0 482 ");
    bench_close(&b);
}
END_TEST

/* ---- responses (16.7) -------------------------------------------------------------------- */

START_TEST(response_for_us_alone_goes_nowhere)
{
    struct bench b;
    char text[8192], cut[16384];
    bench_open(&b, site, rules);
    bench_receive(&b, A, 0, invite("1", "c1", "Alice", ""));
    snprintf(forwarded, sizeof(forwarded), "%s", bench_expect(&b, 1, B, "INVITE"));
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof(text), "%s",
                 answer(forwarded, i == 0 ? "180 Ringing" : "200 OK", ";tag=to"));
        char *second = strstr(strstr(text, "Via: ") + 1, "Via: ");
        snprintf(cut, sizeof(cut), "%.*s%s", (int)(second - text), text, strchr(second, '\n') + 1);
        bench_receive(&b, B, 1, cut);
        if (i == 0)
            ck_assert_uint_eq(b.sent_count, 0);
    }
    bench_expect(&b, 0, A, "SIP/2.0 502 ");
    ck_assert_uint_eq(call_table_count(b.calls), 0);
    bench_close(&b);
}
END_TEST

/* Item 4 and item 10: with one branch the final response is the best one, and none is left to be
 * cancelled. */
START_TEST(final_response_of_the_only_branch_is_the_best)
{
    static const char *const finals[] = {"302 Moved", "404 Not Found", "486 Busy", "603 Decline"};
    struct bench b;
    bench_open(&b, site, rules);
    for (size_t i = 0; i < sizeof(finals) / sizeof(finals[0]); i++) {
        char name[8], start[16];
        snprintf(name, sizeof(name), "f%zu", i);
        snprintf(start, sizeof(start), "SIP/2.0 %.3s ", finals[i]);
        bench_receive(&b, A, 0, invite(name, name, "Alice", ""));
        snprintf(forwarded, sizeof(forwarded), "%s", bench_expect(&b, 1, B, "INVITE"));
        bench_receive(&b, B, 1, answer(forwarded, "183 Session Progress", ";tag=a"));
        bench_receive(&b, B, 1, answer(forwarded, "180 Ringing", ";tag=b"));
        bench_expect(&b, 0, A, "SIP/2.0 180 ");
        bench_receive(&b, B, 1, answer(forwarded, finals[i], ";tag=a"));
        ck_assert_uint_eq(b.sent_count, 2);
        bench_expect(&b, 0, B, "ACK ");
        bench_expect(&b, 1, A, start);
        ck_assert_uint_eq(call_table_count(b.calls), 0);
        /* No CANCEL follows, whatever time passes. */
        bench_receive(
            &b, A, 0,
            in_dialog("ACK", "sip:01062345678@127.0.91.1", "from", "a", "192.0.2.1", "", 1));
    }
    for (int i = 0; i < 40; i++) {
        bench_pass(&b, BENCH_SECOND);
        for (size_t j = 0; j < b.sent_count; j++)
            ck_assert_ptr_null(strstr(b.sent[j].bytes, "CANCEL"));
    }
    bench_close(&b);
}
END_TEST

/* Item 7: all challenges, as they came. */
START_TEST(challenges_pass_whole)
{
    static const char lines[] = "Proxy-Authenticate: Digest realm=\"one\", nonce=\"1,a\"\r\n"
                                "Proxy-Authenticate: Digest realm=\"two\", nonce=\"2\"\r\n"
                                "WWW-Authenticate: Digest realm=\"three\", nonce=\"3\"\r\n";
    struct bench b;
    char text[16384];
    bench_open(&b, site, rules);
    bench_receive(&b, A, 0, invite("1", "c1", "Alice", ""));
    snprintf(forwarded, sizeof(forwarded), "%s", bench_expect(&b, 1, B, "INVITE"));
    const char *plain = answer(forwarded, "407 Proxy Authentication Required", ";tag=to");
    const char *split = strstr(plain, "Contact:");
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(split - plain), plain, lines, split);
    bench_receive(&b, B, 1, text);
    bench_expect(&b, 0, B, "ACK ");
    ck_assert_ptr_nonnull(strstr(bench_expect(&b, 1, A, "SIP/2.0 407 "), lines));
    /* The credentials go on; the call is a new one in the same dialog to be. */
    bench_receive(&b, A, 0,
                  invite("2", "c1", "Alice", "Proxy-Authorization: Digest realm=\"one\"\r\n"));
    ck_assert_ptr_nonnull(
        strstr(bench_expect(&b, 1, B, "INVITE"), "Proxy-Authorization: Digest realm=\"one\"\r\n"));
    ck_assert_uint_eq(call_table_count(b.calls), 1);
    bench_close(&b);
}
END_TEST

/* Section 18.2.2: without a transaction, too. */
START_TEST(replies_go_where_the_via_says)
{
    static const struct {
        const char *via;
        const char *to;
        const char *line;
    } rows[] = {
        {"192.0.2.1:5077", "192.0.2.1:5077", "Via: SIP/2.0/UDP 192.0.2.1:5077;branch"},
        {"10.0.0.1:5077", "192.0.2.1:5077", ";received=192.0.2.1"},
        {"10.0.0.1:5077;rport", "192.0.2.1:5060", ";rport=5060"},
        {"192.0.2.1:5077;received=10.1.1.1", "192.0.2.1:5077", ";received=192.0.2.1"},
        {"10.0.0.1:5077;maddr=192.0.2.7", "192.0.2.7:5077", ";maddr=192.0.2.7"},
    };
    struct bench b;
    char text[1024];
    bench_open(&b, site, rules);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(text, sizeof(text),
                 "OPTIONS sip:127.0.91.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKv%zu\r\n"
                 "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: v%zu\r\n"
                 "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
                 rows[i].via, i, i);
        bench_receive(&b, A, 0, text);
        ck_assert_ptr_nonnull(
            strstr(bench_expect(&b, 0, rows[i].to, "SIP/2.0 200 "), rows[i].line));
    }
    bench_close(&b);
}
END_TEST

START_TEST(response_of_an_earlier_life_goes_where_the_via_says)
{
    static const char *const rows[][2] = {
        {"192.0.2.1", "192.0.2.1:5060"},
        {"192.0.2.1:5077;received=192.0.2.5", "192.0.2.5:5077"},
        {"192.0.2.1:5077;maddr=192.0.2.7", "192.0.2.7:5077"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench b;
        char text[8192];
        bench_open(&b, site, rules);
        const char *plain = invite("1", "c1", "Alice", "");
        const char *sent_by = strstr(plain, "192.0.2.1;branch");
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(sent_by - plain), plain, rows[i][0],
                 strchr(sent_by, ';'));
        bench_receive(&b, i == 1 ? "192.0.2.5:5077" : A, 0, text);
        snprintf(forwarded, sizeof(forwarded), "%s", bench_expect(&b, 1, B, "INVITE"));
        bench_restart(&b);
        bench_receive(&b, B, 1, answer(forwarded, "200 OK", ";tag=to"));
        bench_expect(&b, 0, rows[i][1], "SIP/2.0 200 OK");
        bench_close(&b);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("proxy/clauses");
    TCase *tests = tcase_create("clauses");
    tcase_add_test(tests, maddr_of_ours_is_stripped);
    tcase_add_test(tests, maddr_is_the_only_target);
    tcase_add_test(tests, maddr_of_a_contact_and_of_a_route);
    tcase_add_test(tests, sips_goes_nowhere_but_by_tls);
    tcase_add_test(tests, call_diverted_to_sips_goes_nowhere_but_by_tls);
    tcase_add_test(tests, diverted_call_is_not_downgraded_nor_upgraded);
    tcase_add_test(tests, sips_of_a_contact_goes_nowhere_but_by_tls);
    tcase_add_test(tests, sips_goes_by_what_the_target_has_where_the_trunk_says_so);
    tcase_add_test(tests, large_request_comes_back_to_udp_when_tcp_cannot_be_had);
    tcase_add_test(tests, udp_that_fails_too_ends_at_the_next_target);
    tcase_add_test(tests, only_what_grew_comes_back_to_udp);
    tcase_add_test(tests, options_are_ours_only_without_a_route_that_leads_on);
    tcase_add_test(tests, options_of_a_strict_router_go_on);
    tcase_add_test(tests, spiral_with_one_first_route_is_no_loop);
    tcase_add_test(tests, response_for_us_alone_goes_nowhere);
    tcase_add_test(tests, final_response_of_the_only_branch_is_the_best);
    tcase_add_test(tests, challenges_pass_whole);
    tcase_add_test(tests, replies_go_where_the_via_says);
    tcase_add_test(tests, response_of_an_earlier_life_goes_where_the_via_says);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
