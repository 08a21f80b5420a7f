/* SPDX-License-Identifier: Apache-2.0 */
/* Runs on one thread. */
#include "unit/transaction/traffic.h"

static const struct rig_parts usual = {.branch = "z9hG4bKone"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- INVITE ------------------------------------------------------------------------------ */

START_TEST(provisional_is_repeated_for_a_retransmission)
{
    struct rig *rig = rig_open();
    struct txn_server *server = rig_server(rig, "INVITE", usual);
    ck_assert_ptr_eq(txn_server_user(server), rig);
    ck_assert_int_eq(rig_receive_request(rig, "INVITE", usual), TXN_REQUEST_ABSORBED);
    ck_assert_uint_eq(rig->sent_count, 0);
    rig_respond(rig, server, 100, "INVITE", usual);
    rig_respond(rig, server, 180, "INVITE", usual);
    ck_assert_int_eq(rig_receive_request(rig, "INVITE", usual), TXN_REQUEST_ABSORBED);
    ck_assert_uint_eq(rig->sent_count, 3);
    rig_expect_starts(rig_last(rig), "SIP/2.0 180 ");
    ck_assert_uint_eq(rig_last(rig)->listener, 3);
    ck_assert_uint_eq(stats_total(rig->registry, STATS_RETRANSMISSIONS_IN), 2);
    rig_advance(rig, 300 * SECOND);
    rig_expect_counts(rig, 1, 0);
    txn_server_abandon(server);
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

START_TEST(ack_in_proceeding_is_ignored)
{
    struct rig *rig = rig_open();
    struct txn_server *server = rig_server(rig, "INVITE", usual);
    ck_assert_int_eq(rig_receive_request(rig, "ACK", usual), TXN_REQUEST_ABSORBED);
    rig_expect_counts(rig, 1, 0);
    txn_server_abandon(server);
    rig_close(rig);
}
END_TEST

START_TEST(timer_l_ends_accepted)
{
    struct rig *rig = rig_open();
    struct txn_server *server = rig_server(rig, "INVITE", usual);
    rig_respond(rig, server, 180, "INVITE", usual);
    rig_respond(rig, server, 200, "INVITE", usual);
    rig_expect_counts(rig, 0, 1);
    ck_assert_uint_eq(txn_layer_bytes(rig->layer), 0);
    ck_assert_int_eq(rig_receive_request(rig, "INVITE", usual), TXN_REQUEST_ABSORBED);
    ck_assert_uint_eq(rig->sent_count, 2);
    rig_advance(rig, 32 * SECOND - MS);
    ck_assert_int_eq(rig_receive_request(rig, "INVITE", usual), TXN_REQUEST_ABSORBED);
    rig_advance(rig, MS);
    ck_assert_int_eq(rig_receive_request(rig, "INVITE", usual), TXN_REQUEST_NEW);
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

START_TEST(ack_in_accepted_travels_on)
{
    struct rig *rig = rig_open();
    rig_respond(rig, rig_server(rig, "INVITE", usual), 200, "INVITE", usual);
    ck_assert_int_eq(rig_receive_request(rig, "ACK", usual), TXN_REQUEST_ACK);
    struct rig_parts other = {.branch = "z9hG4bKack"};
    ck_assert_int_eq(rig_receive_request(rig, "ACK", other), TXN_REQUEST_ACK);
    rig_expect_counts(rig, 0, 1);
    rig_close(rig);
}
END_TEST

START_TEST(timers_g_and_h_repeat_a_refusal)
{
    static const unsigned times[] = {0,     500,   1500,  3500,  7500, 11500,
                                     15500, 19500, 23500, 27500, 31500};
    struct rig *rig = rig_open();
    rig_respond(rig, rig_server(rig, "INVITE", usual), 486, "INVITE", usual);
    rig_advance(rig, 32 * SECOND - MS);
    rig_expect_counts(rig, 1, 0);
    rig_advance(rig, MS);
    rig_expect_empty(rig);
    rig_expect_times(rig, times, COUNT(times));
    rig_expect_starts(rig_last(rig), "SIP/2.0 486 ");
    ck_assert_uint_eq(stats_total(rig->registry, STATS_RETRANSMISSIONS_OUT), COUNT(times) - 1);
    rig_close(rig);
}
END_TEST

START_TEST(ack_stops_timer_g_and_timer_i_absorbs)
{
    struct rig *rig = rig_open();
    rig_respond(rig, rig_server(rig, "INVITE", usual), 404, "INVITE", usual);
    rig_advance_to(rig, 700 * MS);
    ck_assert_uint_eq(rig->sent_count, 2);
    ck_assert_int_eq(rig_receive_request(rig, "ACK", usual), TXN_REQUEST_ABSORBED);
    rig_expect_counts(rig, 0, 1);
    ck_assert_uint_eq(txn_layer_bytes(rig->layer), 0);
    rig_advance(rig, 5 * SECOND - MS);
    ck_assert_int_eq(rig_receive_request(rig, "ACK", usual), TXN_REQUEST_ABSORBED);
    ck_assert_int_eq(rig_receive_request(rig, "INVITE", usual), TXN_REQUEST_ABSORBED);
    ck_assert_uint_eq(rig->sent_count, 2);
    rig_advance(rig, MS);
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

START_TEST(retransmission_in_completed_gets_the_refusal_at_once)
{
    struct rig *rig = rig_open();
    rig_respond(rig, rig_server(rig, "INVITE", usual), 603, "INVITE", usual);
    rig_advance(rig, 100 * MS);
    ck_assert_int_eq(rig_receive_request(rig, "INVITE", usual), TXN_REQUEST_ABSORBED);
    ck_assert_uint_eq(rig->sent_count, 2);
    rig_expect_starts(rig_last(rig), "SIP/2.0 603 ");
    rig_close(rig);
}
END_TEST

/* ---- other methods ----------------------------------------------------------------------- */

START_TEST(trying_is_silent_and_timer_j_repeats_the_answer)
{
    struct rig *rig = rig_open();
    struct txn_server *server = rig_server(rig, "BYE", usual);
    ck_assert_int_eq(rig_receive_request(rig, "BYE", usual), TXN_REQUEST_ABSORBED);
    ck_assert_uint_eq(rig->sent_count, 0);
    rig_respond(rig, server, 100, "BYE", usual);
    ck_assert_int_eq(rig_receive_request(rig, "BYE", usual), TXN_REQUEST_ABSORBED);
    ck_assert_uint_eq(rig->sent_count, 2);
    rig_respond(rig, server, 200, "BYE", usual);
    rig_expect_counts(rig, 0, 1);
    rig_advance(rig, 32 * SECOND - MS);
    ck_assert_int_eq(rig_receive_request(rig, "BYE", usual), TXN_REQUEST_ABSORBED);
    ck_assert_uint_eq(rig->sent_count, 4);
    rig_expect_starts(rig_last(rig), "SIP/2.0 200 ");
    rig_advance(rig, MS);
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

START_TEST(reliable_transports_need_no_repetition)
{
    struct rig *rig = rig_open();
    rig->reliable = true;
    struct rig_parts bye = {.branch = "z9hG4bKbye"};
    struct rig_parts answered = {.branch = "z9hG4bKtwo"};
    rig_respond(rig, rig_server(rig, "BYE", bye), 200, "BYE", bye);
    rig_expect_counts(rig, 0, 0);
    rig_respond(rig, rig_server(rig, "INVITE", answered), 200, "INVITE", answered);
    rig_expect_counts(rig, 0, 1);
    rig_respond(rig, rig_server(rig, "INVITE", usual), 500, "INVITE", usual);
    rig_advance(rig, 31 * SECOND);
    ck_assert_uint_eq(rig->sent_count, 3);
    ck_assert_int_eq(rig_receive_request(rig, "ACK", usual), TXN_REQUEST_ABSORBED);
    rig_expect_counts(rig, 0, 1);
    rig_advance(rig, SECOND);
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

/* ---- matching ---------------------------------------------------------------------------- */

/* Each row: does a second request match an INVITE with `usual`? */
static const struct {
    const char *method;
    struct rig_parts parts;
    bool matches;
} lookups[] = {
    {"INVITE", {.via = "192.0.2.1:5070;branch=z9hG4bKone"}, true},
    {"INVITE", {.via = "192.0.2.1:5070;rport;branch=z9hG4bKone"}, true},
    {"INVITE", {.branch = "z9hG4bKone", .call_id = "another"}, true},
    {"INVITE", {.branch = "z9hG4bKone", .from_tag = "another"}, true},
    {"INVITE", {.branch = "z9hG4bKOne"}, false},
    {"INVITE", {.via = "192.0.2.2:5070;branch=z9hG4bKone"}, false},
    {"INVITE", {.via = "192.0.2.1:5071;branch=z9hG4bKone"}, false},
    {"INVITE", {.via = "192.0.2.1;branch=z9hG4bKone"}, false},
    {"BYE", {.branch = "z9hG4bKone"}, false},
    {"CANCEL", {.branch = "z9hG4bKone"}, false},
    {"FOO", {.branch = "z9hG4bKone"}, false},
};

START_TEST(branch_sent_by_and_method_match)
{
    struct rig *rig = rig_open();
    rig_server(rig, "INVITE", usual);
    ck_assert_int_eq(rig_receive_request(rig, lookups[_i].method, lookups[_i].parts),
                     lookups[_i].matches ? TXN_REQUEST_ABSORBED : TXN_REQUEST_NEW);
    rig_close(rig);
}
END_TEST

START_TEST(sent_by_is_compared_without_case_and_with_the_default_port)
{
    struct rig *rig = rig_open();
    rig_server(rig, "INVITE", (struct rig_parts){.via = "Host.Example.COM;branch=z9hG4bKone"});
    struct rig_parts same = {.via = "host.example.com:5060;branch=z9hG4bKone"};
    ck_assert_int_eq(rig_receive_request(rig, "INVITE", same), TXN_REQUEST_ABSORBED);
    rig_close(rig);
}
END_TEST

START_TEST(unknown_methods_differ_by_their_text)
{
    struct rig *rig = rig_open();
    rig_server(rig, "FOO", usual);
    ck_assert_int_eq(rig_receive_request(rig, "FOO", usual), TXN_REQUEST_ABSORBED);
    ck_assert_int_eq(rig_receive_request(rig, "BAR", usual), TXN_REQUEST_NEW);
    rig_close(rig);
}
END_TEST

START_TEST(overlong_branches_differ_in_their_last_byte)
{
    char a[600];
    char b[600];
    memset(a, 'x', sizeof(a));
    memcpy(a, "z9hG4bK", 7);
    a[sizeof(a) - 1] = '\0';
    memcpy(b, a, sizeof(a));
    b[sizeof(b) - 2] = 'y';
    char via_a[700];
    char via_b[700];
    snprintf(via_a, sizeof(via_a), "192.0.2.1;branch=%s", a);
    snprintf(via_b, sizeof(via_b), "192.0.2.1;branch=%s", b);
    struct rig *rig = rig_open();
    rig_server(rig, "OPTIONS", (struct rig_parts){.via = via_a});
    ck_assert_int_eq(rig_receive_request(rig, "OPTIONS", (struct rig_parts){.via = via_a}),
                     TXN_REQUEST_ABSORBED);
    ck_assert_int_eq(rig_receive_request(rig, "OPTIONS", (struct rig_parts){.via = via_b}),
                     TXN_REQUEST_NEW);
    rig_close(rig);
}
END_TEST

/* ---- RFC 2543 clients -------------------------------------------------------------------- */

#define OLD_VIA .via = "192.0.2.1:5070;branch=1"

static const struct {
    struct rig_parts parts;
    bool matches;
} old_lookups[] = {
    {{OLD_VIA}, true},
    {{OLD_VIA, .call_id = "another"}, false},
    {{OLD_VIA, .from_tag = "another"}, false},
    {{OLD_VIA, .to_tag = "some"}, false},
    {{OLD_VIA, .cseq = 2}, false},
    {{OLD_VIA, .uri = "sip:carol@example.com"}, false},
    {{.via = "192.0.2.1:5070"}, false},
    {{.via = "192.0.2.1:5070;branch=z9hG4bK"}, false},
};

START_TEST(without_the_cookie_all_parts_match)
{
    struct rig *rig = rig_open();
    rig_server(rig, "INVITE", (struct rig_parts){OLD_VIA});
    ck_assert_int_eq(rig_receive_request(rig, "INVITE", old_lookups[_i].parts),
                     old_lookups[_i].matches ? TXN_REQUEST_ABSORBED : TXN_REQUEST_NEW);
    rig_close(rig);
}
END_TEST

START_TEST(old_ack_has_the_tag_of_the_response)
{
    struct rig *rig = rig_open();
    struct rig_parts invite = {.via = "192.0.2.1:5070"};
    struct rig_parts response = {.via = "192.0.2.1:5070", .to_tag = "ours"};
    struct rig_parts other = {.via = "192.0.2.1:5070", .to_tag = "theirs"};
    rig_respond(rig, rig_server(rig, "INVITE", invite), 486, "INVITE", response);
    ck_assert_int_eq(rig_receive_request(rig, "ACK", other), TXN_REQUEST_ACK);
    ck_assert_int_eq(rig_receive_request(rig, "ACK", invite), TXN_REQUEST_ACK);
    rig_expect_counts(rig, 1, 0);
    ck_assert_int_eq(rig_receive_request(rig, "ACK", response), TXN_REQUEST_ABSORBED);
    rig_expect_counts(rig, 0, 1);
    ck_assert_int_eq(rig_receive_request(rig, "ACK", response), TXN_REQUEST_ABSORBED);
    ck_assert_int_eq(rig_receive_request(rig, "INVITE", invite), TXN_REQUEST_ABSORBED);
    rig_close(rig);
}
END_TEST

START_TEST(old_ack_to_a_2xx_travels_on)
{
    struct rig *rig = rig_open();
    struct rig_parts invite = {.via = "192.0.2.1:5070"};
    struct rig_parts response = {.via = "192.0.2.1:5070", .to_tag = "theirs"};
    rig_respond(rig, rig_server(rig, "INVITE", invite), 200, "INVITE", response);
    ck_assert_int_eq(rig_receive_request(rig, "ACK", response), TXN_REQUEST_ACK);
    ck_assert_int_eq(rig_receive_request(rig, "INVITE", invite), TXN_REQUEST_ABSORBED);
    rig_close(rig);
}
END_TEST

/* ---- CANCEL ------------------------------------------------------------------------------ */

static enum txn_invite_state find_cancelled(struct rig *rig, struct rig_parts parts,
                                            struct txn_server **server)
{
    struct rig_message cancel;
    rig_request(rig, &cancel, "CANCEL", parts);
    return txn_find_cancelled(rig->layer, &cancel.view, &cancel.packet, server);
}

static const struct rig_parts cancelled[] = {{.branch = "z9hG4bKone"}, {.via = "192.0.2.1:5070"}};

START_TEST(cancel_finds_its_invite)
{
    struct rig *rig = rig_open();
    struct rig_parts parts = cancelled[_i];
    struct txn_server *found = NULL;
    ck_assert_int_eq(find_cancelled(rig, parts, &found), TXN_INVITE_NONE);
    struct txn_server *server = rig_server(rig, "INVITE", parts);
    ck_assert_int_eq(find_cancelled(rig, parts, &found), TXN_INVITE_LIVE);
    ck_assert_ptr_eq(found, server);
    rig_respond(rig, server, 487, "INVITE", parts);
    ck_assert_int_eq(find_cancelled(rig, parts, &found), TXN_INVITE_OVER);
    parts.to_tag = NULL;
    rig_advance(rig, 40 * SECOND);
    ck_assert_int_eq(find_cancelled(rig, parts, &found), TXN_INVITE_NONE);
    rig_respond(rig, rig_server(rig, "INVITE", parts), 200, "INVITE", parts);
    ck_assert_int_eq(find_cancelled(rig, parts, &found), TXN_INVITE_OVER);
    rig_close(rig);
}
END_TEST

START_TEST(cancel_is_a_transaction_of_its_own)
{
    struct rig *rig = rig_open();
    struct txn_server *invite = rig_server(rig, "INVITE", usual);
    struct txn_server *cancel = rig_server(rig, "CANCEL", usual);
    rig_respond(rig, cancel, 200, "CANCEL", usual);
    rig_respond(rig, invite, 487, "INVITE", usual);
    ck_assert_int_eq(rig_receive_request(rig, "CANCEL", usual), TXN_REQUEST_ABSORBED);
    rig_expect_starts(rig_last(rig), "SIP/2.0 200 ");
    ck_assert_int_eq(rig_receive_request(rig, "ACK", usual), TXN_REQUEST_ABSORBED);
    rig_expect_counts(rig, 0, 2);
    rig_advance(rig, 32 * SECOND);
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

/* ---- where responses go ------------------------------------------------------------------ */

/* The source is 192.0.2.1:5070. */
static const struct {
    const char *via;
    const char *to;
    const char *received; /* NULL: not added */
    uint16_t rport;
} replies[] = {
    {"192.0.2.1:5070;branch=z9hG4bKa", "192.0.2.1:5070", NULL, 0},
    {"192.0.2.1;branch=z9hG4bKa", "192.0.2.1:5060", NULL, 0},
    {"192.0.2.1:5080;branch=z9hG4bKa", "192.0.2.1:5080", NULL, 0},
    {"10.0.0.1:5080;branch=z9hG4bKa", "192.0.2.1:5080", "192.0.2.1", 0},
    {"host.example.com;branch=z9hG4bKa", "192.0.2.1:5060", "192.0.2.1", 0},
    {"10.0.0.1;rport;branch=z9hG4bKa", "192.0.2.1:5070", "192.0.2.1", 5070},
    {"192.0.2.1:5070;rport;branch=z9hG4bKa", "192.0.2.1:5070", "192.0.2.1", 5070},
    {"192.0.2.1:5070;received=10.9.9.9;branch=z9hG4bKa", "192.0.2.1:5070", "192.0.2.1", 0},
    {"10.0.0.1:5080;maddr=192.0.2.77;branch=z9hG4bKa", "192.0.2.77:5080", "192.0.2.1", 0},
    {"10.0.0.1;maddr=192.0.2.77;branch=z9hG4bKa", "192.0.2.77:5060", "192.0.2.1", 0},
    {"10.0.0.1;maddr=m.example.com;branch=z9hG4bKa", "192.0.2.1:5060", "192.0.2.1", 0},
    {"10.0.0.1;maddr=[2001:db8::1];branch=z9hG4bKa", "192.0.2.1:5060", "192.0.2.1", 0},
};

START_TEST(responses_go_where_the_via_says)
{
    struct rig *rig = rig_open();
    struct rig_parts parts = {.via = replies[_i].via};
    struct txn_server *server = rig_server(rig, "OPTIONS", parts);
    struct slice received = txn_server_received(server);
    if (replies[_i].received == NULL)
        ck_assert_ptr_null(received.data);
    else
        ck_assert(slice_equal(received, slice_of_text(replies[_i].received)));
    ck_assert_uint_eq(txn_server_rport(server), replies[_i].rport);
    ck_assert_uint_eq(txn_server_listener(server), 3);
    struct tp_address source = txn_server_source(server);
    struct tp_address expected = rig_address("192.0.2.1:5070");
    ck_assert(tp_address_equal(&source, &expected));
    rig_respond(rig, server, 200, "OPTIONS", parts);
    expected = rig_address(replies[_i].to);
    ck_assert(tp_address_equal(&rig_last(rig)->to, &expected));
    rig_close(rig);
}
END_TEST

START_TEST(request_is_kept_as_it_came)
{
    struct rig *rig = rig_open();
    struct rig_message message;
    rig_request(rig, &message, "INVITE", usual);
    struct txn_server *server;
    ck_assert_int_eq(
        txn_server_create(rig->layer, &message.view, &message.packet, 0, NULL, &server), 0);
    char text[RIG_TEXT_LIMIT];
    memcpy(text, message.text, sizeof(text));
    memset(message.text, 'x', sizeof(message.text));
    ck_assert(slice_equal(txn_server_request(server), slice_of_text(text)));
    rig_close(rig);
}
END_TEST

static void add_matching(TCase *tests)
{
    tcase_add_loop_test(tests, branch_sent_by_and_method_match, 0, COUNT(lookups));
    tcase_add_test(tests, sent_by_is_compared_without_case_and_with_the_default_port);
    tcase_add_test(tests, unknown_methods_differ_by_their_text);
    tcase_add_test(tests, overlong_branches_differ_in_their_last_byte);
    tcase_add_loop_test(tests, without_the_cookie_all_parts_match, 0, COUNT(old_lookups));
    tcase_add_test(tests, old_ack_has_the_tag_of_the_response);
    tcase_add_test(tests, old_ack_to_a_2xx_travels_on);
    tcase_add_loop_test(tests, cancel_finds_its_invite, 0, COUNT(cancelled));
    tcase_add_test(tests, cancel_is_a_transaction_of_its_own);
}

int main(void)
{
    TCase *tests = tcase_create("server");
    tcase_add_test(tests, provisional_is_repeated_for_a_retransmission);
    tcase_add_test(tests, ack_in_proceeding_is_ignored);
    tcase_add_test(tests, timer_l_ends_accepted);
    tcase_add_test(tests, ack_in_accepted_travels_on);
    tcase_add_test(tests, timers_g_and_h_repeat_a_refusal);
    tcase_add_test(tests, ack_stops_timer_g_and_timer_i_absorbs);
    tcase_add_test(tests, retransmission_in_completed_gets_the_refusal_at_once);
    tcase_add_test(tests, trying_is_silent_and_timer_j_repeats_the_answer);
    tcase_add_test(tests, reliable_transports_need_no_repetition);
    add_matching(tests);
    tcase_add_loop_test(tests, responses_go_where_the_via_says, 0, COUNT(replies));
    tcase_add_test(tests, request_is_kept_as_it_came);
    return rig_run("transaction/server", tests);
}
