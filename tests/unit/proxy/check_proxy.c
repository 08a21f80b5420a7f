/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction/elsewhere.h"
#include "unit/proxy/proxy_calls.h"

static const char rules[] =
    "rules:\n"
    "  - {id: tagged, when: 'caller.display == \"Tag\"', score: 70, type: loan}\n"
    "  - {id: diverted, when: 'caller.display == \"Divert\"', score: 1,\n"
    "     action: {do: divert, to: desk}}\n"
    "  - {id: limited, when: 'caller.display == \"Limit\"', score: 1,\n"
    "     action: {do: limit, rate: 2/m, per: caller, else: 480}}\n"
    "  - {id: costly, when: 'caller.display matches /^B.*h$/', score: 95}\n"
    "  - {id: blocked, when: 'caller.display == \"Block\"', score: 95}\n"
    "policy:\n"
    "  - {at: 90, do: block, with: '603+'}\n"
    "  - {at: 60, do: tag}\n";

/* The same to another Request-URI. */
static const char *invite_to(const char *uri, const char *call)
{
    static char text[8192];
    const char *plain = invite(call, call, "Alice", "");
    snprintf(text, sizeof(text), "INVITE %s%s", uri, strchr(plain + sizeof("INVITE"), ' '));
    return text;
}

START_TEST(call_goes_both_ways_and_ends)
{
    struct bench b;
    bench_open(&b, site, rules);
    establish(&b);
    ck_assert_uint_eq(b.sent[0].listener, 0);
    ck_assert_ptr_nonnull(strstr(forwarded, "Via: SIP/2.0/UDP proxy.example.net;rport;branch="));
    ck_assert_ptr_nonnull(strstr(forwarded, "Max-Forwards: 69\r\n"));
    ck_assert_ptr_null(strstr(answered, "proxy.example.net;rport"));
    /* Two Record-Route values, the next hop's side on top (RFC 5658). */
    const char *first = strstr(forwarded, "Record-Route: <sip:proxy.example.net;lr;rf=");
    const char *second = strstr(forwarded, "Record-Route: <sip:127.0.91.1:5060;lr;rf=");
    ck_assert(first != NULL && second != NULL && first < second);

    bench_receive(&b, A, 0, of_caller("ACK", routes_of(answered, true), 1));
    const char *ack = bench_expect(&b, 0, B, "ACK sip:callee@198.51.100.1 SIP/2.0");
    ck_assert_ptr_null(strstr(ack, "Route:"));
    ck_assert_uint_eq(call_table_count(b.calls), 1);

    /* The called side hangs up. */
    bench_receive(&b, B, 1, of_callee("BYE", routes_of(forwarded, false), 7));
    const char *bye = bench_expect(&b, 0, A, "BYE sip:13800138000@192.0.2.1 SIP/2.0");
    bench_receive(&b, A, 0, answer(bye, "200 OK", ""));
    bench_expect(&b, 0, B, "SIP/2.0 200 OK");
    ck_assert_uint_eq(call_table_count(b.calls), 0);
    ck_assert_uint_eq(bench_total(&b, STATS_CALLS_ENDED_BYE), 1);
    bench_pass(&b, 40 * BENCH_SECOND);
    ck_assert_uint_eq(txn_layer_live(b.transactions), 0);
    ck_assert_uint_eq(txn_layer_lingering(b.transactions), 0);
    bench_close(&b);
}
END_TEST

START_TEST(unknown_source_meets_silence)
{
    struct bench b;
    bench_open(&b, site, rules);
    bench_receive(&b, "192.0.3.1:5060", 0, invite("1", "c1", "Alice", ""));
    ck_assert_uint_eq(b.sent_count, 0);
    /* A trunk's address on another network's listener is unknown there. */
    bench_receive(&b, A, 1, invite("1", "c1", "Alice", ""));
    ck_assert_uint_eq(b.sent_count, 0);
    ck_assert_uint_eq(bench_total(&b, STATS_UNKNOWN_SOURCE), 2);
    bench_close(&b);
}
END_TEST

START_TEST(verdicts_are_enforced)
{
    struct bench b;
    bench_open(&b, site, rules);
    bench_receive(&b, A, 0, invite("1", "v1", "Block", ""));
    ck_assert_uint_eq(b.sent_count, 1);
    const char *refusal = bench_expect(&b, 0, A, "SIP/2.0 603 Network Blocked");
    ck_assert_ptr_nonnull(
        strstr(refusal, "Reason: Q.850;cause=21;text=\"v=analytics1\";location=LN\r\n"));

    bench_receive(&b, A, 0, invite("2", "v2", "Tag", "X-Ringfence-Score: 1\r\n"));
    const char *tagged = bench_expect(&b, 1, B, "INVITE");
    ck_assert_ptr_nonnull(strstr(tagged, "X-Ringfence-Score: 70\r\nX-Ringfence-Reason: tagged\r\n"
                                         "X-Ringfence-Type: loan\r\n"));
    ck_assert_ptr_null(strstr(tagged, "X-Ringfence-Score: 1\r\n"));

    bench_receive(&b, A, 0, invite("3", "v3", "Divert", ""));
    const char *diverted =
        bench_expect(&b, 1, "203.0.113.9:5070", "INVITE sip:01062345678@203.0.113.9:5070 ");
    ck_assert_ptr_nonnull(strstr(diverted, "History-Info: <sip:01062345678@127.0.91.1>;index=1, "));

    for (int i = 0; i < 3; i++) {
        char branch[8], call[8];
        snprintf(branch, sizeof(branch), "l%d", i);
        snprintf(call, sizeof(call), "v4%d", i);
        bench_receive(&b, A, 0, invite(branch, call, "Limit", ""));
        bench_expect(&b, 0, A, i < 2 ? "SIP/2.0 100 " : "SIP/2.0 480 ");
    }
    bench_receive(&b, A, 0, invite("5", "v5", "Alice", "x-ringfence-type: none\r\n"));
    ck_assert_ptr_null(strstr(bench_expect(&b, 1, B, "INVITE"), "ingfence-"));
    ck_assert_uint_eq(bench_total(&b, STATS_TAG_HEADERS_REMOVED), 2);
    bench_close(&b);
}
END_TEST

START_TEST(display_prefix_stands_before_the_name)
{
    struct bench b;
    bench_open(&b, site, rules);
    b.screening.display_prefix = SLICE("疑似诈骗");
    bench_receive(&b, A, 0, invite("1", "d1", "Tag", ""));
    ck_assert_ptr_nonnull(
        strstr(bench_expect(&b, 1, B, "INVITE"),
               "From: \"疑似诈骗 Tag\" <sip:13800138000@192.0.2.1>;tag=from\r\n"));
    bench_close(&b);
}
END_TEST

START_TEST(requests_are_refused_as_the_rfc_says)
{
    static const struct {
        const char *request;
        const char *answer;
    } rows[] = {
        {"OPTIONS sip:127.0.91.1 SIP/2.0\r\nMax-Forwards: 0\r\n", "SIP/2.0 200 "},
        {"OPTIONS sip:u@192.0.2.77 SIP/2.0\r\nMax-Forwards: 0\r\n", "SIP/2.0 483 "},
        {"OPTIONS sip:u@192.0.2.77 SIP/2.0\r\nMax-Forwards: 9\r\nProxy-Require: foo\r\n"
         "Proxy-Require: bar\r\n",
         "SIP/2.0 420 "},
        {"OPTIONS xyz:u@192.0.2.77 SIP/2.0\r\nMax-Forwards: 9\r\n", "SIP/2.0 416 "},
        {"OPTIONS sip:u@192.0.2.77 SIP/3.0\r\nMax-Forwards: 9\r\n", "SIP/2.0 505 "},
        {"OPTIONS sip:u@192.0.2.77 SIP/2.0\r\nMax-Forwards: 9\r\n"
         "Route: <sip:203.0.113.200;lr>\r\n",
         "SIP/2.0 403 "},
    };
    struct bench b;
    bench_open(&b, site, rules);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[1024];
        snprintf(text, sizeof(text),
                 "%sVia: SIP/2.0/UDP 192.0.2.1:5080;branch=z9hG4bKr%zu\r\nFrom: <sip:a@b>;tag=1\r\n"
                 "To: <sip:c@d>\r\nCall-ID: r%zu\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
                 rows[i].request, i, i);
        bench_receive(&b, A, 0, text);
        ck_assert_uint_eq(b.sent_count, 1);
        const char *answer_text = bench_expect(&b, 0, "192.0.2.1:5080", rows[i].answer);
        if (strstr(rows[i].answer, "420") != NULL)
            ck_assert_ptr_nonnull(strstr(answer_text, "Unsupported: foo, bar\r\n"));
    }
    bench_close(&b);
}
END_TEST

START_TEST(loop_is_seen_and_spiral_is_not)
{
    struct bench b;
    bench_open(&b, site, rules);
    bench_receive(&b, A, 0, invite("1", "c1", "Alice", ""));
    const char *out = bench_expect(&b, 1, B, "INVITE");
    /* The called side sends it back as it is but for the Request-URI that we had seen. */
    char text[8192];
    const char *rest = strstr(out, " SIP/2.0\r\n");
    snprintf(text, sizeof(text),
             "INVITE sip:01062345678@127.0.91.1 SIP/2.0\r\n"
             "Via: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKback%s",
             rest + 8);
    bench_receive(&b, B, 1, text);
    bench_expect(&b, 0, B, "SIP/2.0 482 ");
    ck_assert_uint_eq(bench_total(&b, STATS_LOOPS), 1);
    snprintf(text, sizeof(text),
             "INVITE sip:01099999999@127.0.91.1 SIP/2.0\r\n"
             "Via: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKspiral%s",
             rest + 8);
    bench_receive(&b, B, 1, text);
    bench_expect(&b, 0, B, "SIP/2.0 100 ");
    bench_close(&b);
}
END_TEST

START_TEST(cancel_is_hop_by_hop)
{
    struct bench b;
    char cancel[2048];
    bench_open(&b, site, rules);
    bench_receive(&b, A, 0, invite("1", "c1", "Alice", ""));
    snprintf(forwarded, sizeof(forwarded), "%s", bench_expect(&b, 1, B, "INVITE"));
    bench_receive(&b, B, 1, answer(forwarded, "180 Ringing", ";tag=to"));
    snprintf(cancel, sizeof(cancel),
             "CANCEL sip:01062345678@127.0.91.1 SIP/2.0\r\n"
             "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
             "From: \"Alice\" <sip:13800138000@192.0.2.1>;tag=from\r\n"
             "To: <sip:01062345678@127.0.91.1>\r\nCall-ID: c1\r\nCSeq: 1 CANCEL\r\n"
             "Reason: SIP;cause=200;text=\"elsewhere\"\r\nContent-Length: 0\r\n\r\n");
    bench_receive(&b, A, 0, cancel);
    bench_expect(&b, 0, A, "SIP/2.0 200 ");
    const char *sent = bench_expect(&b, 1, B, "CANCEL sip:01062345678@198.51.100.1:5060 SIP/2.0");
    ck_assert_ptr_nonnull(strstr(sent, "Reason: SIP;cause=200"));
    bench_receive(&b, B, 1, answer(forwarded, "487 Request Terminated", ";tag=to"));
    bench_expect(&b, 0, B, "ACK ");
    bench_expect(&b, 1, A, "SIP/2.0 487 ");
    ck_assert_uint_eq(call_table_count(b.calls), 0);
    ck_assert_uint_eq(bench_total(&b, STATS_CALLS_ENDED_FAILED), 1);
    bench_close(&b);
}
END_TEST

START_TEST(earlier_life_is_carried_on)
{
    struct bench b;
    bench_open(&b, site, rules);
    bench_receive(&b, A, 0, invite("1", "c1", "Alice", ""));
    snprintf(forwarded, sizeof(forwarded), "%s", bench_expect(&b, 1, B, "INVITE"));
    bench_restart(&b);

    /* A 200 by its next Via, the ACK and the BYE by their Route. */
    bench_receive(&b, B, 1, answer(forwarded, "200 OK", ";tag=to"));
    snprintf(answered, sizeof(answered), "%s", bench_expect(&b, 0, A, "SIP/2.0 200 OK"));
    ck_assert_uint_eq(bench_total(&b, STATS_STATELESS_RESPONSES), 1);
    bench_receive(&b, A, 0, of_caller("ACK", routes_of(answered, true), 1));
    bench_expect(&b, 0, B, "ACK sip:callee@198.51.100.1");
    bench_receive(&b, A, 0, of_caller("BYE", routes_of(answered, true), 2));
    const char *bye = bench_expect(&b, 0, B, "BYE ");
    bench_receive(&b, B, 1, answer(bye, "200 OK", ""));
    bench_expect(&b, 0, A, "SIP/2.0 200 OK");
    bench_close(&b);
}
END_TEST

/* The branch of the topmost Via. */
static struct slice top_branch(const char *text)
{
    const char *at = strstr(text, "branch=") + 7;
    return slice_make(at, strcspn(at, ";\r\n"));
}

START_TEST(cancel_of_an_earlier_life_has_the_branch_of_its_invite)
{
    struct bench b;
    bench_open(&b, site, rules);
    bench_receive(&b, A, 0, invite("1", "c1", "Alice", ""));
    snprintf(forwarded, sizeof(forwarded), "%s", bench_expect(&b, 1, B, "INVITE"));
    bench_restart(&b);
    char text[2048];
    for (int i = 0; i < 2; i++) {
        const char *method = i == 0 ? "CANCEL" : "ACK";
        snprintf(text, sizeof(text),
                 "%s sip:01062345678@127.0.91.1 SIP/2.0\r\n"
                 "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
                 "From: \"Alice\" <sip:13800138000@192.0.2.1>;tag=from\r\n"
                 "To: <sip:01062345678@127.0.91.1>%s\r\nCall-ID: c1\r\nCSeq: 1 %s\r\n"
                 "Content-Length: 0\r\n\r\n",
                 method, i == 0 ? "" : ";tag=to", method);
        bench_receive(&b, A, 0, text);
        const char *sent = bench_expect(&b, 0, B, method);
        ck_assert(slice_equal(top_branch(sent), top_branch(forwarded)));
    }
    /* So does the INVITE itself when it is repeated. */
    bench_receive(&b, A, 0, invite("1", "c1", "Alice", ""));
    ck_assert(slice_equal(top_branch(bench_expect(&b, 1, B, "INVITE")), top_branch(forwarded)));
    bench_close(&b);
}
END_TEST

START_TEST(nobody_makes_an_open_relay_of_us)
{
    struct bench b;
    bench_open(&b, site, rules);
    const char *forged = "Route: <sip:127.0.91.1:5060;lr;rf=00000000000000000000000000000000>\r\n"
                         "Route: <sip:203.0.113.200;lr>\r\n";
    const char *uri = "sip:victim@203.0.113.200";
    bench_receive(&b, A, 0, in_dialog("BYE", uri, "x", "y", "192.0.2.1", forged, 1));
    ck_assert_uint_eq(b.sent_count, 1);
    bench_expect(&b, 0, A, "SIP/2.0 403 ");
    bench_receive(&b, A, 0, in_dialog("ACK", uri, "x", "y", "192.0.2.1", forged, 2));
    ck_assert_uint_eq(b.sent_count, 0);
    /* A tagged INVITE is a new call: judged, and within the trunk of its route. */
    bench_receive(&b, A, 0, in_dialog("INVITE", uri, "x", "y", "192.0.2.1", forged, 3));
    bench_expect(&b, 0, A, "SIP/2.0 403 ");
    bench_receive(&b, A, 0, in_dialog("INVITE", "sip:1@127.0.91.1", "x", "y", "192.0.2.1", "", 4));
    bench_expect(&b, 1, B, "INVITE ");
    ck_assert_uint_eq(bench_total(&b, STATS_CALLS), 1);

    /* A true mark of one call does not serve another. */
    bench_receive(&b, A, 0, invite("9", "c9", "Alice", ""));
    snprintf(forwarded, sizeof(forwarded), "%s", bench_expect(&b, 1, B, "INVITE"));
    bench_receive(&b, A, 0,
                  in_dialog("BYE", uri, "from", "y", "192.0.2.1", routes_of(forwarded, true), 5));
    bench_expect(&b, 0, A, "SIP/2.0 403 ");

    /* A response that answers nothing of ours. */
    bench_receive(
        &b, B, 1,
        "SIP/2.0 200 OK\r\n"
        "Via: SIP/2.0/UDP proxy.example.net;branch=z9hG4bKrf00000000000123456789abcdef0\r\n"
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
        "To: <sip:c@d>;tag=2\r\nCall-ID: zz\r\nCSeq: 1 INVITE\r\n"
        "Content-Length: 0\r\n\r\n");
    ck_assert_uint_eq(b.sent_count, 0);
    ck_assert_uint_eq(bench_total(&b, STATS_STRAY_RESPONSES), 1);
    bench_close(&b);
}
END_TEST

START_TEST(next_hop_of_a_dialog_belongs_to_its_trunk)
{
    struct bench b;
    bench_open(&b, site, rules);
    establish(&b);
    bench_receive(&b, A, 0,
                  in_dialog("BYE", "sip:callee@203.0.113.200", "from", "to", "192.0.2.1",
                            routes_of(answered, true), 2));
    bench_expect(&b, 0, A, "SIP/2.0 403 ");
    ck_assert_uint_eq(bench_total(&b, STATS_FOREIGN_NEXT_HOP), 1);
    /* A name is where the trunk is. */
    bench_receive(&b, A, 0,
                  in_dialog("BYE", "sip:callee@pbx.example.net", "from", "to", "192.0.2.1",
                            routes_of(answered, true), 3));
    bench_expect(&b, 0, B, "BYE sip:callee@pbx.example.net SIP/2.0");
    bench_close(&b);
}
END_TEST

START_TEST(strict_router_is_undone)
{
    struct bench b;
    bench_open(&b, site, rules);
    establish(&b);
    struct smsg message;
    ck_assert_int_eq(smsg_scan(&message, slice_of_text(answered)), 0);
    struct smsg_address address;
    ck_assert_int_eq(
        smsg_address_parse(smsg_value(&message, smsg_first(&message, SMSG_HEADER_RECORD_ROUTE)),
                           &address),
        0);
    char uri[256];
    snprintf(uri, sizeof(uri), "%.*s", SLICE_ARGS(address.uri));
    bench_receive(&b, A, 0,
                  in_dialog("BYE", uri, "from", "to", "192.0.2.1",
                            "Route: <sip:callee@198.51.100.1>\r\n", 2));
    const char *bye = bench_expect(&b, 0, B, "BYE sip:callee@198.51.100.1 SIP/2.0");
    ck_assert_ptr_null(strstr(bye, "Route:"));
    bench_close(&b);
}
END_TEST

START_TEST(dialog_without_route_needs_a_call_of_ours)
{
    struct bench b;
    bench_open(&b, site, rules);
    establish(&b);
    bench_receive(&b, A, 0, in_dialog("BYE", "sip:x@127.0.91.1", "from", "to", "192.0.2.1", "", 2));
    bench_expect(&b, 0, B, "BYE sip:x@198.51.100.1:5060 ");
    bench_receive(&b, A, 0,
                  in_dialog("BYE", "sip:x@127.0.91.1", "stranger", "to", "192.0.2.1", "", 3));
    bench_expect(&b, 0, A, "SIP/2.0 403 ");
    bench_close(&b);
}
END_TEST

START_TEST(silence_downstream_ends_in_408)
{
    struct bench b;
    bench_open(&b, site, rules);
    bench_receive(&b, A, 0, invite("1", "c1", "Alice", ""));
    for (int i = 0; i < 31; i++)
        bench_pass(&b, BENCH_SECOND);
    ck_assert_uint_eq(b.sent_count, 0);
    bench_pass(&b, 2 * BENCH_SECOND);
    bench_expect(&b, 0, A, "SIP/2.0 408 ");
    ck_assert_uint_eq(call_table_count(b.calls), 0);
    bench_close(&b);
}
END_TEST

START_TEST(timer_c_cancels_a_call_that_rings_for_ever)
{
    struct bench b;
    bench_open(&b, site, rules);
    bench_receive(&b, A, 0, invite("1", "c1", "Alice", ""));
    snprintf(forwarded, sizeof(forwarded), "%s", bench_expect(&b, 1, B, "INVITE"));
    bench_receive(&b, B, 1, answer(forwarded, "180 Ringing", ";tag=to"));
    bench_pass(&b, 179 * BENCH_SECOND);
    ck_assert_uint_eq(b.sent_count, 0);
    bench_pass(&b, 2 * BENCH_SECOND);
    bench_expect(&b, 0, B, "CANCEL ");
    bench_receive(&b, B, 1, answer(forwarded, "487 Request Terminated", ";tag=to"));
    bench_expect(&b, 1, A, "SIP/2.0 487 ");
    ck_assert_uint_eq(bench_total(&b, STATS_TIMER_C), 1);
    bench_close(&b);
}
END_TEST

START_TEST(unavailable_downstream_is_not_us)
{
    struct bench b;
    bench_open(&b, site, rules);
    bench_receive(&b, A, 0, invite("1", "c1", "Alice", ""));
    snprintf(forwarded, sizeof(forwarded), "%s", bench_expect(&b, 1, B, "INVITE"));
    char text[8192];
    snprintf(text, sizeof(text), "%s", answer(forwarded, "503 Busy here", ";tag=to"));
    bench_receive(&b, B, 1, text);
    bench_expect(&b, 1, A, "SIP/2.0 500 Server Internal Error\r\n");
    bench_close(&b);
}
END_TEST

struct passed {
    unsigned count;
    bool refuses;
};

static bool pass(void *argument, const struct tp_packet *packet)
{
    struct passed *passed = argument;
    (void)packet;
    passed->count += !passed->refuses;
    return !passed->refuses;
}

static void keep_key(void *argument, const struct txn_handed *server)
{
    *(struct txn_handed *)argument = *server;
}

START_TEST(what_the_process_before_has_is_passed_to_it)
{
    struct bench b;
    struct txn_handed key;
    struct passed passed = {0, false};
    const struct proxy_predecessor predecessor = {pass, &passed, 0};
    const uint8_t secret[IDENT_KEY_BYTES] = {1, 2, 3};
    bench_open(&b, site, rules);
    bench_receive(&b, A, 0, invite("1", "c1", "Alice", ""));
    snprintf(forwarded, sizeof(forwarded), "%s", bench_expect(&b, 1, B, "INVITE"));
    txn_layer_each_server(b.transactions, keep_key, &key);
    bench_restart(&b);
    ident_marks_init(&b.marks, secret, 1);
    ck_assert_int_eq(txn_layer_note_elsewhere(b.transactions, &key, 1), 0);
    proxy_set_predecessor(b.proxy, &predecessor);

    bench_receive(&b, A, 0, invite("1", "c1", "Alice", ""));
    ck_assert_uint_eq(passed.count, 1);
    bench_receive(&b, B, 1, answer(forwarded, "200 OK", ";tag=to"));
    ck_assert_uint_eq(passed.count, 2);
    ck_assert_uint_eq(b.sent_count, 0);
    ck_assert_uint_eq(bench_total(&b, STATS_PASSED_BACK), 2);

    /* A call of our own is ours, and so are its answers. */
    bench_receive(&b, A, 0, invite("2", "c2", "Alice", ""));
    snprintf(forwarded, sizeof(forwarded), "%s", bench_expect(&b, 1, B, "INVITE"));
    bench_receive(&b, B, 1, answer(forwarded, "180 Ringing", ";tag=to"));
    bench_expect(&b, 0, A, "SIP/2.0 180 ");
    ck_assert_uint_eq(passed.count, 2);

    /* One that takes nothing any more leaves all of it to us. */
    passed.refuses = true;
    bench_receive(&b, A, 0, invite("1", "c1", "Alice", ""));
    bench_expect(&b, 1, B, "INVITE");
    proxy_set_predecessor(b.proxy, NULL);
    bench_receive(&b, A, 0, invite("1", "c1", "Alice", ""));
    bench_expect(&b, 0, A, "SIP/2.0 100 ");
    bench_close(&b);
}
END_TEST

START_TEST(drain_refuses_new_calls_only)
{
    struct bench b;
    bench_open(&b, site, rules);
    establish(&b);
    proxy_drain(b.proxy);
    bench_receive(&b, A, 0, invite("2", "c2", "Alice", ""));
    ck_assert_ptr_nonnull(strstr(bench_expect(&b, 0, A, "SIP/2.0 503 "), "Retry-After:"));
    bench_receive(&b, A, 0, of_caller("BYE", routes_of(answered, true), 2));
    bench_expect(&b, 0, B, "BYE ");
    proxy_undrain(b.proxy);
    bench_receive(&b, A, 0, invite("3", "c3", "Alice", ""));
    bench_expect(&b, 1, B, "INVITE ");
    bench_close(&b);
}
END_TEST

static unsigned refused_of(struct bench *b, unsigned calls)
{
    static unsigned serial; /* no two calls are alike */
    unsigned refused = 0;
    for (unsigned i = 0; i < calls; i++) {
        char name[32];
        snprintf(name, sizeof(name), "load%u", serial++);
        bench_receive(b, A, 0, invite(name, name, "Alice", ""));
        ck_assert_uint_gt(b->sent_count, 0);
        refused += strncmp(b->sent[0].bytes, "SIP/2.0 503 ", 12) == 0;
        bench_pass(b, 1000);
    }
    return refused;
}

/* overload_begin is 5 ms, overload_end 20 ms. */
START_TEST(overload_refuses_a_share_of_new_calls)
{
    struct bench b;
    bench_open(&b, site, rules);
    establish(&b);
    b.backlog_us = 30000;
    ck_assert_uint_eq(refused_of(&b, 99), 0); /* it may be a burst */
    bench_pass(&b, 1000);
    ck_assert_uint_eq(refused_of(&b, 50), 50);
    ck_assert_ptr_null(strstr(b.sent[0].bytes, "Retry-After"));
    ck_assert_uint_eq(bench_total(&b, STATS_CALLS_REFUSED_OVERLOAD), 50);

    b.backlog_us = 10000; /* a third of the way */
    unsigned refused = refused_of(&b, 300);
    ck_assert_uint_gt(refused, 60);
    ck_assert_uint_lt(refused, 140);

    b.backlog_us = 30000;
    bench_receive(&b, A, 0, of_caller("BYE", routes_of(answered, true), 2));
    bench_expect(&b, 0, B, "BYE ");
    bench_receive(&b, A, 0, invite_to("sip:110@127.0.91.1", "e1"));
    bench_expect(&b, 1, B, "INVITE ");

    b.backlog_us = 5000;
    ck_assert_uint_eq(refused_of(&b, 50), 0);
    bench_close(&b);
}
END_TEST

START_TEST(a_worker_in_a_hurry_skips_regular_expressions_only)
{
    struct bench b;
    bench_open(&b, site, rules);
    bench_receive(&b, A, 0, invite("1", "h1", "Bosch", ""));
    bench_expect(&b, 0, A, "SIP/2.0 603 ");
    b.backlog_us = 6000; /* beyond overload_begin */
    bench_receive(&b, A, 0, invite("2", "h2", "Bosch", ""));
    bench_expect(&b, 1, B, "INVITE");
    ck_assert_uint_eq(bench_total(&b, STATS_REGEX_SKIPPED), 1);
    bench_receive(&b, A, 0, invite("3", "h3", "Block", ""));
    bench_expect(&b, 0, A, "SIP/2.0 603 ");
    bench_close(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("proxy/proxy");
    TCase *tests = tcase_create("proxy");
    tcase_add_test(tests, call_goes_both_ways_and_ends);
    tcase_add_test(tests, unknown_source_meets_silence);
    tcase_add_test(tests, verdicts_are_enforced);
    tcase_add_test(tests, display_prefix_stands_before_the_name);
    tcase_add_test(tests, requests_are_refused_as_the_rfc_says);
    tcase_add_test(tests, loop_is_seen_and_spiral_is_not);
    tcase_add_test(tests, cancel_is_hop_by_hop);
    tcase_add_test(tests, earlier_life_is_carried_on);
    tcase_add_test(tests, cancel_of_an_earlier_life_has_the_branch_of_its_invite);
    tcase_add_test(tests, nobody_makes_an_open_relay_of_us);
    tcase_add_test(tests, next_hop_of_a_dialog_belongs_to_its_trunk);
    tcase_add_test(tests, strict_router_is_undone);
    tcase_add_test(tests, dialog_without_route_needs_a_call_of_ours);
    tcase_add_test(tests, silence_downstream_ends_in_408);
    tcase_add_test(tests, timer_c_cancels_a_call_that_rings_for_ever);
    tcase_add_test(tests, unavailable_downstream_is_not_us);
    tcase_add_test(tests, what_the_process_before_has_is_passed_to_it);
    tcase_add_test(tests, drain_refuses_new_calls_only);
    tcase_add_test(tests, overload_refuses_a_share_of_new_calls);
    tcase_add_test(tests, a_worker_in_a_hurry_skips_regular_expressions_only);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
