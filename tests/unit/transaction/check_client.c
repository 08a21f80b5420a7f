/* SPDX-License-Identifier: Apache-2.0 */
/* Runs on one thread. */
#include <errno.h>

#include "unit/transaction/traffic.h"

static const struct rig_parts usual = {.branch = "z9hG4bKone"};
static const struct rig_parts answered = {.branch = "z9hG4bKone", .to_tag = "bob"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- INVITE ------------------------------------------------------------------------------ */

START_TEST(timers_a_and_b_repeat_an_invite)
{
    static const unsigned times[] = {0, 500, 1500, 3500, 7500, 15500, 31500};
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    rig_client(rig, "INVITE", usual, &user);
    rig_advance(rig, 32 * SECOND - MS);
    ck_assert_uint_eq(user.timeouts, 0);
    rig_advance(rig, MS);
    ck_assert_uint_eq(user.timeouts, 1);
    rig_expect_times(rig, times, COUNT(times));
    for (unsigned i = 0; i < COUNT(times); i++)
        ck_assert_str_eq(rig->sent[i].text, rig->sent[0].text);
    struct tp_address to = rig_address("198.51.100.9:5062");
    ck_assert(tp_address_equal(&rig_last(rig)->to, &to));
    ck_assert_uint_eq(rig_last(rig)->listener, 5);
    rig_expect_empty(rig);
    ck_assert_int_eq(rig_receive_response(rig, 200, "INVITE", answered), TXN_RESPONSE_STRAY);
    rig_close(rig);
}
END_TEST

START_TEST(provisional_stops_timers_a_and_b)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    struct txn_client *client = rig_client(rig, "INVITE", usual, &user);
    rig_advance(rig, 600 * MS);
    ck_assert_int_eq(rig_receive_response(rig, 100, "INVITE", usual), TXN_RESPONSE_HANDLED);
    ck_assert_int_eq(rig_receive_response(rig, 180, "INVITE", answered), TXN_RESPONSE_HANDLED);
    rig_advance(rig, 600 * SECOND);
    ck_assert_uint_eq(rig->sent_count, 2);
    ck_assert_uint_eq(user.responses, 2);
    ck_assert_uint_eq(user.timeouts, 0);
    rig_expect_counts(rig, 1, 0);
    ck_assert_uint_eq(rt_wheel_count(rig->wheel), 0);
    txn_client_abandon(client, rig->now_us);
    rig_advance(rig, 32 * SECOND);
    rig_expect_empty(rig);
    ck_assert_uint_eq(user.timeouts, 0);
    rig_close(rig);
}
END_TEST

START_TEST(timer_m_passes_on_answers_of_a_fork)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    struct rig_parts other = {.branch = "z9hG4bKone", .to_tag = "carol"};
    rig_client(rig, "INVITE", usual, &user);
    ck_assert_int_eq(rig_receive_response(rig, 200, "INVITE", answered), TXN_RESPONSE_HANDLED);
    ck_assert_uint_eq(user.last_status, 200);
    rig_expect_counts(rig, 0, 1);
    ck_assert_uint_eq(txn_layer_bytes(rig->layer), 0);
    ck_assert_int_eq(rig_receive_response(rig, 200, "INVITE", answered), TXN_RESPONSE_REPEATED);
    ck_assert_int_eq(rig_receive_response(rig, 202, "INVITE", other), TXN_RESPONSE_REPEATED);
    ck_assert_int_eq(rig_receive_response(rig, 180, "INVITE", other), TXN_RESPONSE_HANDLED);
    ck_assert_int_eq(rig_receive_response(rig, 486, "INVITE", other), TXN_RESPONSE_HANDLED);
    ck_assert_uint_eq(user.responses, 1);
    ck_assert_uint_eq(rig->sent_count, 1);
    rig_advance(rig, 32 * SECOND - MS);
    ck_assert_int_eq(rig_receive_response(rig, 200, "INVITE", answered), TXN_RESPONSE_REPEATED);
    rig_advance(rig, MS);
    ck_assert_int_eq(rig_receive_response(rig, 200, "INVITE", answered), TXN_RESPONSE_STRAY);
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

START_TEST(timer_d_repeats_the_ack)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    rig_client(rig, "INVITE", usual, &user);
    rig_receive_response(rig, 180, "INVITE", answered);
    ck_assert_int_eq(rig_receive_response(rig, 486, "INVITE", answered), TXN_RESPONSE_HANDLED);
    ck_assert_uint_eq(rig->sent_count, 2);
    rig_expect_counts(rig, 0, 1);
    rig_advance(rig, 32 * SECOND - MS);
    ck_assert_int_eq(rig_receive_response(rig, 486, "INVITE", answered), TXN_RESPONSE_HANDLED);
    ck_assert_uint_eq(rig->sent_count, 3);
    ck_assert_str_eq(rig->sent[1].text, rig->sent[2].text);
    ck_assert_int_eq(rig_receive_response(rig, 180, "INVITE", answered), TXN_RESPONSE_HANDLED);
    ck_assert_uint_eq(rig->sent_count, 3);
    ck_assert_uint_eq(user.responses, 2);
    rig_advance(rig, MS);
    rig_expect_empty(rig);
    ck_assert_int_eq(rig_receive_response(rig, 486, "INVITE", answered), TXN_RESPONSE_STRAY);
    rig_close(rig);
}
END_TEST

START_TEST(ack_is_made_of_invite_and_response)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    rig_client(rig, "INVITE", (struct rig_parts){.branch = "z9hG4bKone", .cseq = 77}, &user);
    rig_receive_response(rig, 404, "INVITE", answered);
    const struct rig_sent *ack = rig_last(rig);
    rig_expect_starts(ack, "ACK sip:bob@example.com SIP/2.0\r\n");
    static struct smsg view;
    ck_assert_int_eq(smsg_scan(&view, slice_make(ack->text, ack->length)), 0);
    ck_assert(slice_equal(view.via.branch, SLICE("z9hG4bKone")));
    ck_assert(slice_equal(view.to.tag, SLICE("bob")));
    ck_assert(slice_equal(view.call_id, SLICE("call-1")));
    ck_assert_uint_eq(view.cseq, 77);
    ck_assert(slice_equal(view.cseq_method, SLICE("ACK")));
    ck_assert_uint_eq(ack->listener, 5);
    ck_assert_uint_eq(ack->cookie, 0);
    rig_close(rig);
}
END_TEST

START_TEST(answer_behind_a_refusal_is_passed_on)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    rig_client(rig, "INVITE", usual, &user);
    rig_receive_response(rig, 487, "INVITE", answered);
    ck_assert_int_eq(rig_receive_response(rig, 200, "INVITE", answered), TXN_RESPONSE_REPEATED);
    rig_close(rig);
}
END_TEST

START_TEST(timer_d_is_never_below_32_seconds)
{
    struct txn_settings settings = rig_settings();
    settings.t1_us = 100 * MS;
    struct rig *rig = rig_open_with(&settings);
    struct rig_user user = {.rig = rig};
    rig_client(rig, "INVITE", usual, &user);
    rig_receive_response(rig, 486, "INVITE", answered);
    rig_advance(rig, 32 * SECOND - MS);
    rig_expect_counts(rig, 0, 1);
    rig_advance(rig, MS);
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

/* ---- other methods ----------------------------------------------------------------------- */

START_TEST(timers_e_and_f_repeat_a_request)
{
    static const unsigned times[] = {0,     500,   1500,  3500,  7500, 11500,
                                     15500, 19500, 23500, 27500, 31500};
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    rig_client(rig, "BYE", usual, &user);
    rig_advance(rig, 32 * SECOND - MS);
    ck_assert_uint_eq(user.timeouts, 0);
    rig_advance(rig, MS);
    ck_assert_uint_eq(user.timeouts, 1);
    rig_expect_times(rig, times, COUNT(times));
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

START_TEST(timer_e_is_t2_once_proceeding)
{
    static const unsigned times[] = {0, 500, 1500, 5500, 9500, 13500, 17500, 21500, 25500, 29500};
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    rig_client(rig, "OPTIONS", usual, &user);
    rig_advance_to(rig, 700 * MS);
    rig_receive_response(rig, 100, "OPTIONS", usual);
    rig_advance_to(rig, 32 * SECOND);
    ck_assert_uint_eq(user.responses, 1);
    ck_assert_uint_eq(user.timeouts, 1);
    rig_expect_times(rig, times, COUNT(times));
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

START_TEST(timer_k_absorbs)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    rig_client(rig, "BYE", usual, &user);
    ck_assert_int_eq(rig_receive_response(rig, 481, "BYE", answered), TXN_RESPONSE_HANDLED);
    ck_assert_uint_eq(user.responses, 1);
    rig_advance(rig, 5 * SECOND - MS);
    ck_assert_int_eq(rig_receive_response(rig, 481, "BYE", answered), TXN_RESPONSE_HANDLED);
    ck_assert_int_eq(rig_receive_response(rig, 200, "BYE", answered), TXN_RESPONSE_HANDLED);
    ck_assert_uint_eq(user.responses, 1);
    ck_assert_uint_eq(rig->sent_count, 1);
    rig_advance(rig, MS);
    rig_expect_empty(rig);
    ck_assert_int_eq(rig_receive_response(rig, 481, "BYE", answered), TXN_RESPONSE_STRAY);
    rig_close(rig);
}
END_TEST

START_TEST(reliable_transports_need_no_repetition)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    rig->reliable = true;
    rig_client(rig, "BYE", (struct rig_parts){.branch = "z9hG4bKbye"}, &user);
    rig_client(rig, "INVITE", usual, &user);
    rig_receive_response(rig, 200, "BYE", (struct rig_parts){.branch = "z9hG4bKbye"});
    rig_advance(rig, 10 * SECOND);
    ck_assert_uint_eq(rig->sent_count, 2);
    rig_expect_counts(rig, 1, 0);
    rig_receive_response(rig, 486, "INVITE", answered);
    rig_expect_empty(rig);
    rig_client(rig, "INVITE", usual, &user);
    rig_advance(rig, 32 * SECOND);
    ck_assert_uint_eq(user.timeouts, 1);
    rig_close(rig);
}
END_TEST

/* ---- matching ---------------------------------------------------------------------------- */

START_TEST(branch_and_cseq_method_match)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    struct rig_parts other = {.branch = "z9hG4bKtwo"};
    struct rig_parts none = {.via = "192.0.2.1:5070"};
    rig_client(rig, "BYE", usual, &user);
    ck_assert_int_eq(rig_receive_response(rig, 200, "INVITE", usual), TXN_RESPONSE_STRAY);
    ck_assert_int_eq(rig_receive_response(rig, 200, "BYE", other), TXN_RESPONSE_STRAY);
    ck_assert_int_eq(rig_receive_response(rig, 200, "BYE", none), TXN_RESPONSE_STRAY);
    ck_assert_int_eq(rig_receive_response(rig, 200, "BYE", usual), TXN_RESPONSE_HANDLED);
    rig_close(rig);
}
END_TEST

START_TEST(second_of_a_branch_and_method_is_refused)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    struct txn_client *client;
    rig_client(rig, "INVITE", usual, &user);
    ck_assert_int_eq(rig_client_try(rig, "INVITE", usual, &user, &client), -EEXIST);
    ck_assert_int_eq(rig_client_try(rig, "BYE", usual, &user, &client), 0);
    rig_receive_response(rig, 200, "INVITE", answered);
    ck_assert_int_eq(rig_client_try(rig, "INVITE", usual, &user, &client), -EEXIST);
    rig_advance(rig, 32 * SECOND);
    ck_assert_int_eq(rig_client_try(rig, "INVITE", usual, &user, &client), 0);
    rig_close(rig);
}
END_TEST

START_TEST(server_and_client_with_one_branch_do_not_mix)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    rig_server(rig, "INVITE", usual);
    rig_client(rig, "INVITE", usual, &user);
    ck_assert_int_eq(rig_receive_response(rig, 180, "INVITE", usual), TXN_RESPONSE_HANDLED);
    ck_assert_int_eq(rig_receive_request(rig, "INVITE", usual), TXN_REQUEST_ABSORBED);
    ck_assert_uint_eq(user.responses, 1);
    rig_close(rig);
}
END_TEST

/* ---- transport errors -------------------------------------------------------------------- */

START_TEST(transport_error_ends_a_client)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    rig_client(rig, "INVITE", usual, &user);
    uint64_t cookie = rig_last(rig)->cookie;
    ck_assert_uint_ne(cookie, 0);
    txn_layer_send_failed(rig->layer, cookie, -ENETUNREACH, rig->now_us);
    ck_assert_uint_eq(user.failures, 1);
    ck_assert_int_eq(user.last_error, -ENETUNREACH);
    rig_expect_empty(rig);
    txn_layer_send_failed(rig->layer, cookie, -ENETUNREACH, rig->now_us);
    ck_assert_uint_eq(user.failures, 1);
    rig_close(rig);
}
END_TEST

START_TEST(cookie_of_an_earlier_client_hits_nobody)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    rig_client(rig, "BYE", usual, &user);
    uint64_t old = rig_last(rig)->cookie;
    rig_receive_response(rig, 200, "BYE", usual);
    rig_client(rig, "BYE", (struct rig_parts){.branch = "z9hG4bKtwo"}, &user);
    ck_assert_uint_ne(rig_last(rig)->cookie, old);
    txn_layer_send_failed(rig->layer, old, -ENETUNREACH, rig->now_us);
    ck_assert_uint_eq(user.failures, 0);
    rig_close(rig);
}
END_TEST

START_TEST(full_way_out_is_left_to_retransmission)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    rig_client(rig, "INVITE", usual, &user);
    txn_layer_send_failed(rig->layer, rig_last(rig)->cookie, -EAGAIN, rig->now_us);
    txn_layer_send_failed(rig->layer, rig_last(rig)->cookie, -ENOBUFS, rig->now_us);
    ck_assert_uint_eq(user.failures, 0);
    rig_advance(rig, 500 * MS);
    ck_assert_uint_eq(rig->sent_count, 2);
    rig_close(rig);
}
END_TEST

START_TEST(late_transport_error_does_not_end_a_ringing_invite)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    rig_client(rig, "INVITE", usual, &user);
    rig_receive_response(rig, 180, "INVITE", usual);
    txn_layer_send_failed(rig->layer, rig_last(rig)->cookie, -EHOSTUNREACH, rig->now_us);
    ck_assert_uint_eq(user.failures, 0);
    rig_close(rig);
}
END_TEST

/* ---- users ------------------------------------------------------------------------------- */

START_TEST(abandoned_invite_acknowledges_by_itself)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    txn_client_abandon(rig_client(rig, "INVITE", usual, &user), rig->now_us);
    rig_receive_response(rig, 180, "INVITE", answered);
    ck_assert_int_eq(rig_receive_response(rig, 486, "INVITE", answered), TXN_RESPONSE_HANDLED);
    rig_expect_starts(rig_last(rig), "ACK ");
    ck_assert_uint_eq(user.responses, 0);
    rig_advance(rig, 32 * SECOND);
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

START_TEST(abandoned_invite_passes_on_an_answer)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    txn_client_abandon(rig_client(rig, "INVITE", usual, &user), rig->now_us);
    ck_assert_int_eq(rig_receive_response(rig, 200, "INVITE", answered), TXN_RESPONSE_REPEATED);
    ck_assert_int_eq(rig_receive_response(rig, 200, "INVITE", answered), TXN_RESPONSE_REPEATED);
    ck_assert_uint_eq(user.responses, 0);
    rig_expect_counts(rig, 0, 1);
    rig_close(rig);
}
END_TEST

START_TEST(abandoned_and_ringing_ends_by_itself)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    txn_client_abandon(rig_client(rig, "INVITE", usual, &user), rig->now_us);
    rig_advance(rig, SECOND);
    rig_receive_response(rig, 180, "INVITE", answered);
    rig_advance(rig, 32 * SECOND);
    rig_expect_empty(rig);
    ck_assert_uint_eq(user.timeouts, 0);
    rig_close(rig);
}
END_TEST

static void abandon_self(struct rig_user *user, struct txn_client *client)
{
    txn_client_abandon(client, user->rig->now_us);
}

START_TEST(user_may_abandon_within_an_event)
{
    static const unsigned statuses[] = {180, 200, 486};
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig, .hook = abandon_self};
    rig_client(rig, "INVITE", usual, &user);
    ck_assert_int_eq(rig_receive_response(rig, statuses[_i], "INVITE", answered),
                     TXN_RESPONSE_HANDLED);
    ck_assert_uint_eq(user.responses, 1);
    rig_advance(rig, 40 * SECOND);
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

static void start_another(struct rig_user *user, struct txn_client *client)
{
    (void)client;
    user->hook = NULL;
    rig_client(user->rig, "INVITE", (struct rig_parts){.branch = "z9hG4bKnext"}, user);
}

START_TEST(user_may_try_the_next_target_within_an_event)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig, .hook = start_another};
    rig_client(rig, "INVITE", usual, &user);
    if (_i == 0)
        rig_receive_response(rig, 503, "INVITE", answered);
    else if (_i == 1)
        txn_layer_send_failed(rig->layer, rig_last(rig)->cookie, -EINVAL, rig->now_us);
    else
        rig_advance(rig, 32 * SECOND);
    rig_expect_starts(rig_last(rig), "INVITE ");
    ck_assert_uint_eq(txn_layer_live(rig->layer), 1);
    rig_close(rig);
}
END_TEST

static void add_users(TCase *tests)
{
    tcase_add_test(tests, transport_error_ends_a_client);
    tcase_add_test(tests, cookie_of_an_earlier_client_hits_nobody);
    tcase_add_test(tests, full_way_out_is_left_to_retransmission);
    tcase_add_test(tests, late_transport_error_does_not_end_a_ringing_invite);
    tcase_add_test(tests, abandoned_invite_acknowledges_by_itself);
    tcase_add_test(tests, abandoned_invite_passes_on_an_answer);
    tcase_add_test(tests, abandoned_and_ringing_ends_by_itself);
    tcase_add_loop_test(tests, user_may_abandon_within_an_event, 0, 3);
    tcase_add_loop_test(tests, user_may_try_the_next_target_within_an_event, 0, 3);
}

int main(void)
{
    TCase *tests = tcase_create("client");
    tcase_add_test(tests, timers_a_and_b_repeat_an_invite);
    tcase_add_test(tests, provisional_stops_timers_a_and_b);
    tcase_add_test(tests, timer_m_passes_on_answers_of_a_fork);
    tcase_add_test(tests, timer_d_repeats_the_ack);
    tcase_add_test(tests, ack_is_made_of_invite_and_response);
    tcase_add_test(tests, answer_behind_a_refusal_is_passed_on);
    tcase_add_test(tests, timer_d_is_never_below_32_seconds);
    tcase_add_test(tests, timers_e_and_f_repeat_a_request);
    tcase_add_test(tests, timer_e_is_t2_once_proceeding);
    tcase_add_test(tests, timer_k_absorbs);
    tcase_add_test(tests, reliable_transports_need_no_repetition);
    tcase_add_test(tests, branch_and_cseq_method_match);
    tcase_add_test(tests, second_of_a_branch_and_method_is_refused);
    tcase_add_test(tests, server_and_client_with_one_branch_do_not_mix);
    add_users(tests);
    return rig_run("transaction/client", tests);
}
