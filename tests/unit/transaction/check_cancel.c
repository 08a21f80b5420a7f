/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/transaction/traffic.h"

static const struct rig_parts usual = {.branch = "z9hG4bKone"};
static const struct slice no_extra = {NULL, 0};

START_TEST(cancel_of_a_ringing_invite_goes_at_once)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    struct txn_client *client =
        rig_client(rig, "INVITE", (struct rig_parts){.branch = "z9hG4bKone", .cseq = 9}, &user);
    rig_receive_response(rig, 180, "INVITE", usual);
    txn_client_cancel(client, SLICE("Reason: SIP;cause=200\r\n"), rig->now_us);
    const struct rig_sent *cancel = rig_last(rig);
    rig_expect_starts(cancel, "CANCEL sip:bob@example.com SIP/2.0\r\n");
    ck_assert_ptr_nonnull(strstr(cancel->text, "\r\nReason: SIP;cause=200\r\n"));
    static struct smsg view;
    ck_assert_int_eq(smsg_scan(&view, slice_make(cancel->text, cancel->length)), 0);
    ck_assert(slice_equal(view.via.branch, SLICE("z9hG4bKone")));
    ck_assert_uint_eq(view.cseq, 9);
    ck_assert(slice_equal(view.cseq_method, SLICE("CANCEL")));
    ck_assert_uint_eq(cancel->listener, 5);
    ck_assert(tp_address_equal(&cancel->to, &rig->sent[0].to));
    rig_close(rig);
}
END_TEST

START_TEST(cancel_waits_for_a_provisional_response)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    struct txn_client *client = rig_client(rig, "INVITE", usual, &user);
    txn_client_cancel(client, SLICE("Reason: SIP;cause=487\r\n"), rig->now_us);
    txn_client_cancel(client, no_extra, rig->now_us);
    rig_advance_to(rig, 600 * MS);
    ck_assert_uint_eq(rig->sent_count, 2);
    rig_expect_starts(rig_last(rig), "INVITE ");
    rig_receive_response(rig, 100, "INVITE", usual);
    ck_assert_uint_eq(rig->sent_count, 3);
    rig_expect_starts(rig_last(rig), "CANCEL ");
    ck_assert_ptr_nonnull(strstr(rig_last(rig)->text, "\r\nReason: SIP;cause=487\r\n"));
    rig_receive_response(rig, 180, "INVITE", usual);
    ck_assert_uint_eq(rig->sent_count, 3);
    rig_close(rig);
}
END_TEST

START_TEST(repeated_cancel_is_harmless)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    struct txn_client *client = rig_client(rig, "INVITE", usual, &user);
    rig_receive_response(rig, 180, "INVITE", usual);
    txn_client_cancel(client, no_extra, rig->now_us);
    txn_client_cancel(client, no_extra, rig->now_us);
    ck_assert_uint_eq(rig->sent_count, 2);
    rig_close(rig);
}
END_TEST

START_TEST(cancelled_invite_ends_with_487)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    struct txn_client *client = rig_client(rig, "INVITE", usual, &user);
    rig_receive_response(rig, 180, "INVITE", usual);
    txn_client_cancel(client, no_extra, rig->now_us);
    ck_assert_int_eq(rig_receive_response(rig, 200, "CANCEL", usual), TXN_RESPONSE_HANDLED);
    ck_assert_uint_eq(user.responses, 1);
    ck_assert_int_eq(rig_receive_response(rig, 487, "INVITE", usual), TXN_RESPONSE_HANDLED);
    ck_assert_uint_eq(user.last_status, 487);
    rig_expect_starts(rig_last(rig), "ACK ");
    rig_advance(rig, 32 * SECOND);
    ck_assert_uint_eq(user.timeouts, 0);
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

START_TEST(answer_may_cross_the_cancel)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    struct txn_client *client = rig_client(rig, "INVITE", usual, &user);
    rig_receive_response(rig, 180, "INVITE", usual);
    txn_client_cancel(client, no_extra, rig->now_us);
    ck_assert_int_eq(rig_receive_response(rig, 200, "INVITE", usual), TXN_RESPONSE_HANDLED);
    ck_assert_uint_eq(user.last_status, 200);
    rig_close(rig);
}
END_TEST

START_TEST(final_response_before_a_provisional_needs_no_cancel)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    struct txn_client *client = rig_client(rig, "INVITE", usual, &user);
    txn_client_cancel(client, SLICE("Reason: SIP\r\n"), rig->now_us);
    rig_receive_response(rig, 486, "INVITE", usual);
    ck_assert_uint_eq(rig->sent_count, 2);
    rig_expect_starts(rig_last(rig), "ACK ");
    rig_advance(rig, 32 * SECOND);
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

START_TEST(cancelled_and_never_answered_times_out)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    struct txn_client *client = rig_client(rig, "INVITE", usual, &user);
    rig_receive_response(rig, 180, "INVITE", usual);
    rig_advance_to(rig, 100 * SECOND);
    txn_client_cancel(client, no_extra, rig->now_us);
    rig_advance(rig, 32 * SECOND - MS);
    ck_assert_uint_eq(user.timeouts, 0);
    /* Timer E of the CANCEL: once and ten times more. */
    ck_assert_uint_eq(rig->sent_count, 1 + 11);
    rig_advance(rig, MS);
    ck_assert_uint_eq(user.timeouts, 1);
    ck_assert_uint_eq(user.ended_us, 132 * SECOND);
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

START_TEST(unsendable_cancel_does_not_end_the_invite)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    struct txn_client *client = rig_client(rig, "INVITE", usual, &user);
    rig_receive_response(rig, 180, "INVITE", usual);
    txn_client_cancel(client, no_extra, rig->now_us);
    txn_layer_send_failed(rig->layer, rig_last(rig)->cookie, -1, rig->now_us);
    rig_expect_counts(rig, 1, 0);
    ck_assert_uint_eq(user.failures, 0);
    rig_close(rig);
}
END_TEST

START_TEST(abandoned_with_a_waiting_cancel_is_still_cancelled)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    struct txn_client *client = rig_client(rig, "INVITE", usual, &user);
    txn_client_cancel(client, no_extra, rig->now_us);
    txn_client_abandon(client, rig->now_us);
    rig_receive_response(rig, 100, "INVITE", usual);
    rig_expect_starts(rig_last(rig), "CANCEL ");
    rig_advance(rig, 32 * SECOND);
    rig_expect_empty(rig);
    ck_assert_uint_eq(user.responses + user.timeouts, 0);
    rig_close(rig);
}
END_TEST

static void cancel_self(struct rig_user *user, struct txn_client *client)
{
    txn_client_cancel(client, no_extra, user->rig->now_us);
}

START_TEST(user_may_cancel_within_an_event)
{
    static const unsigned statuses[] = {180, 200, 486};
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig, .hook = cancel_self};
    rig_client(rig, "INVITE", usual, &user);
    rig_receive_response(rig, statuses[_i], "INVITE", usual);
    if (_i == 0)
        rig_expect_starts(rig_last(rig), "CANCEL ");
    else
        ck_assert_ptr_null(strstr(rig_last(rig)->text, "CANCEL"));
    rig_close(rig);
}
END_TEST

START_TEST(without_room_a_cancel_goes_once)
{
    struct txn_settings settings = rig_settings();
    settings.limit = 1;
    struct rig *rig = rig_open_with(&settings);
    struct rig_user user = {.rig = rig};
    struct txn_client *client = rig_client(rig, "INVITE", usual, &user);
    rig_receive_response(rig, 180, "INVITE", usual);
    txn_client_cancel(client, no_extra, rig->now_us);
    ck_assert_uint_eq(rig->sent_count, 2);
    rig_expect_starts(rig_last(rig), "CANCEL ");
    ck_assert_uint_eq(rig_last(rig)->cookie, 0);
    rig_advance(rig, 32 * SECOND);
    ck_assert_uint_eq(rig->sent_count, 2);
    ck_assert_uint_eq(user.timeouts, 1);
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("cancel");
    tcase_add_test(tests, cancel_of_a_ringing_invite_goes_at_once);
    tcase_add_test(tests, cancel_waits_for_a_provisional_response);
    tcase_add_test(tests, repeated_cancel_is_harmless);
    tcase_add_test(tests, cancelled_invite_ends_with_487);
    tcase_add_test(tests, answer_may_cross_the_cancel);
    tcase_add_test(tests, final_response_before_a_provisional_needs_no_cancel);
    tcase_add_test(tests, cancelled_and_never_answered_times_out);
    tcase_add_test(tests, unsendable_cancel_does_not_end_the_invite);
    tcase_add_test(tests, abandoned_with_a_waiting_cancel_is_still_cancelled);
    tcase_add_loop_test(tests, user_may_cancel_within_an_event, 0, 3);
    tcase_add_test(tests, without_room_a_cancel_goes_once);
    return rig_run("transaction/cancel", tests);
}
