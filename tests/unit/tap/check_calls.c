/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/calls.h"

#include "tap_test.h"

/* A line says what it differs in. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* Calls as they are handed out: "answered 200 ring=1 talk=2", one a line. */
static char story[4096];
static struct tap_calls *calls;
static struct tap_calls_settings settings;
static struct smsg sip;
static unsigned initial_seen;

static long seconds(uint64_t from, uint64_t to)
{
    return from != 0 && to != 0 ? (long)((to - from) / SECOND) : -1;
}

static void done(void *context, struct tap_call *call)
{
    size_t at = strlen(story);
    (void)context;
    snprintf(story + at, sizeof(story) - at, "%.*s>%.*s %s %u ring=%ld talk=%ld%s%s\n",
             call->caller_length, call->caller, call->callee_length, call->callee,
             tap_outcome_key(call->outcome), call->status,
             seconds(call->begun_us, call->ringing_us), seconds(call->answered_us, call->ended_us),
             call->invite_seen ? "" : " no INVITE", call->evicted ? " evicted" : "");
}

static void seen(void *context, struct tap_call *call, const struct tap_message *message,
                 bool initial)
{
    (void)context;
    (void)message;
    initial_seen += initial ? 1 : 0;
    (*(unsigned *)tap_call_extra(call))++;
}

static void create(void)
{
    const struct tap_calls_hooks hooks = {NULL, seen, done};
    tap_calls_destroy(calls);
    ck_assert_int_eq(tap_calls_create(&settings, &hooks, &calls), 0);
}

static void set_up(void)
{
    tap_calls_settings_default(&settings);
    settings.extra_bytes = sizeof(unsigned);
    story[0] = '\0';
    initial_seen = 0;
    create();
}

static void tear_down(void)
{
    tap_calls_destroy(calls);
    calls = NULL;
}

struct line {
    double at;
    const char *start; /* method or status */
    const char *method;
    unsigned cseq;
    const char *branch;
    const char *from; /* "alice;tag=a" */
    const char *to;
    const char *call_id;
    bool other_leg;
};

static void hear_line(struct line line)
{
    char text[1024], start[64];
    bool is_response = line.start[0] >= '1' && line.start[0] <= '6';
    snprintf(start, sizeof(start), is_response ? "SIP/2.0 %s x" : "%s sip:bob@b SIP/2.0",
             line.start);
    int length =
        snprintf(text, sizeof(text),
                 "%s\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK%s\r\nFrom: <sip:%s\r\nTo: "
                 "<sip:%s\r\nCall-ID: %s\r\nCSeq: %u %s\r\nMax-Forwards: "
                 "70\r\nContent-Length: 0\r\n\r\n",
                 start, line.branch != NULL ? line.branch : "1",
                 line.from != NULL ? line.from : "alice@a>;tag=a",
                 line.to != NULL ? line.to : "bob@b>", line.call_id != NULL ? line.call_id : "c",
                 line.cseq > 0 ? line.cseq : 1, line.method != NULL ? line.method : "INVITE");
    ck_assert_int_eq(smsg_scan(&sip, slice_make(text, (size_t)length)), 0);
    const struct tap_message message = {
        .sip = &sip, .wall_us = NOON + (uint64_t)(line.at * 1e6), .other_leg = line.other_leg};
    tap_calls_message(calls, &message);
}

#define HEAR(...) hear_line((struct line){__VA_ARGS__})
#define TAGGED    .to = "bob@b>;tag=b"

static void expect(const char *lines)
{
    tap_calls_flush(calls);
    ck_assert_str_eq(story, lines);
}

START_TEST(answered)
{
    HEAR(0, "INVITE");
    HEAR(0.1, "100");
    HEAR(2, "180", TAGGED);
    HEAR(5, "200", TAGGED);
    HEAR(5, "ACK", "ACK", .branch = "2", TAGGED);
    HEAR(65, "BYE", "BYE", .from = "bob@b>;tag=b", .to = "alice@a>;tag=a");
    HEAR(65, "200", "BYE", .from = "bob@b>;tag=b", .to = "alice@a>;tag=a");
    ck_assert_uint_eq(tap_calls_count(calls), 1);
    expect("alice>bob answered 200 ring=2 talk=60\n");
    ck_assert_uint_eq(initial_seen, 1);
    ck_assert_uint_eq(tap_calls_figures(calls)->calls, 1);
}
END_TEST

static const struct {
    const char *status;
    const char *outcome;
} finals[] = {
    {"302", "redirected 302"}, {"403", "rejected 403"},  {"404", "rejected 404"},
    {"408", "no_answer 408"},  {"480", "no_answer 480"}, {"486", "busy 486"},
    {"487", "cancelled 487"},  {"503", "rejected 503"},  {"600", "busy 600"},
    {"603", "rejected 603"},
};

START_TEST(failed)
{
    char line[96];
    HEAR(0, "INVITE");
    HEAR(1, finals[_i].status, TAGGED);
    HEAR(1, "ACK", "ACK", TAGGED);
    snprintf(line, sizeof(line), "alice>bob %s ring=-1 talk=-1\n", finals[_i].outcome);
    expect(line);
}
END_TEST

START_TEST(challenged)
{
    HEAR(0, "INVITE");
    HEAR(0.1, "407", TAGGED);
    HEAR(0.1, "ACK", "ACK", TAGGED);
    HEAR(0.2, "INVITE", .cseq = 2, .branch = "2");
    HEAR(1, "200", TAGGED, .cseq = 2, .branch = "2");
    expect("alice>bob answered 200 ring=-1 talk=-1\n");
    ck_assert_uint_eq(tap_calls_figures(calls)->invites, 2);
}
END_TEST

/* A person types the password: still the same call. */
START_TEST(challenged_long_ago)
{
    HEAR(0, "INVITE");
    HEAR(0.1, "407", TAGGED);
    HEAR(60, "INVITE", .cseq = 2, .branch = "2");
    HEAR(61, "403", TAGGED, .cseq = 2, .branch = "2");
    expect("alice>bob rejected 403 ring=-1 talk=-1\n");
}
END_TEST

START_TEST(only_the_caller_is_seen)
{
    HEAR(0, "INVITE");
    HEAR(5, "ACK", "ACK", .branch = "2", TAGGED);
    HEAR(15, "BYE", "BYE", .branch = "3", TAGGED);
    expect("alice>bob answered 0 ring=-1 talk=10\n");
}
END_TEST

START_TEST(only_the_caller_is_seen_refused)
{
    HEAR(0, "INVITE");
    HEAR(5, "ACK", "ACK", TAGGED);
    expect("alice>bob rejected 0 ring=-1 talk=-1\n");
}
END_TEST

START_TEST(only_the_caller_is_seen_giving_up)
{
    HEAR(0, "INVITE");
    HEAR(5, "CANCEL", "CANCEL");
    expect("alice>bob cancelled 0 ring=-1 talk=-1\n");
}
END_TEST

START_TEST(only_the_callee_is_seen)
{
    HEAR(0, "180", TAGGED);
    HEAR(3, "200", TAGGED);
    HEAR(9, "BYE", "BYE", .from = "bob@b>;tag=b", .to = "alice@a>;tag=a");
    expect("alice>bob answered 200 ring=0 talk=6 no INVITE\n");
    ck_assert_uint_eq(tap_calls_figures(calls)->begun_before, 1);
}
END_TEST

START_TEST(begun_before_the_capture)
{
    HEAR(0, "INVITE", .cseq = 9, TAGGED);
    HEAR(9, "BYE", "BYE", .cseq = 10, TAGGED);
    expect("alice>bob answered 0 ring=-1 talk=9 no INVITE\n");
    ck_assert_uint_eq(initial_seen, 0);
}
END_TEST

START_TEST(nothing_of_an_invite)
{
    HEAR(0, "BYE", "BYE", TAGGED);
    HEAR(0, "OPTIONS", "OPTIONS");
    HEAR(0, "200", "REGISTER", TAGGED);
    expect("");
}
END_TEST

START_TEST(late_retransmissions_are_no_new_call)
{
    HEAR(0, "INVITE");
    HEAR(1, "486", TAGGED);
    HEAR(9, "486", TAGGED);
    HEAR(30, "INVITE");
    HEAR(30, "486", TAGGED);
    expect("alice>bob busy 486 ring=-1 talk=-1\n");
}
END_TEST

START_TEST(failed_reinvite_ends_nothing)
{
    HEAR(0, "INVITE");
    HEAR(1, "200", TAGGED);
    HEAR(2, "INVITE", .cseq = 2, TAGGED);
    HEAR(2, "488", .cseq = 2, TAGGED);
    HEAR(4, "BYE", "BYE", .cseq = 3, TAGGED);
    expect("alice>bob answered 200 ring=-1 talk=3\n");
}
END_TEST

/* One branch of a fork fails, the other answers. */
START_TEST(an_answer_wins)
{
    HEAR(0, "INVITE");
    HEAR(1, "486", TAGGED, .other_leg = true);
    HEAR(2, "200", .to = "bob@b>;tag=b2");
    expect("alice>bob answered 200 ring=-1 talk=-1\n");
}
END_TEST

START_TEST(two_calls_of_one_call_id)
{
    HEAR(0, "INVITE");
    HEAR(0, "INVITE", .from = "carol@c>;tag=c");
    HEAR(1, "486", TAGGED);
    expect("alice>bob busy 486 ring=-1 talk=-1\ncarol>bob unknown 0 ring=-1 talk=-1\n");
}
END_TEST

START_TEST(other_legs_are_not_counted)
{
    HEAR(0, "INVITE");
    HEAR(0, "INVITE", .branch = "2", .other_leg = true);
    HEAR(1, "486", TAGGED);
    ck_assert_uint_eq(tap_calls_figures(calls)->invites, 1);
    ck_assert_uint_eq(initial_seen, 2);
    expect("alice>bob busy 486 ring=-1 talk=-1\n");
}
END_TEST

START_TEST(handed_out_in_order_of_beginning)
{
    HEAR(0, "INVITE", .call_id = "1");
    HEAR(1, "INVITE", .call_id = "2", .from = "carol@c>;tag=c");
    HEAR(2, "486", TAGGED, .call_id = "2", .from = "carol@c>;tag=c");
    HEAR(100, "INVITE", .call_id = "3", .from = "dave@d>;tag=d");
    ck_assert_str_eq(story, "");
    HEAR(400, "OPTIONS", "OPTIONS", .call_id = "x");
    ck_assert_str_eq(story, "alice>bob unknown 0 ring=-1 talk=-1\n"
                            "carol>bob busy 486 ring=-1 talk=-1\n"
                            "dave>bob unknown 0 ring=-1 talk=-1\n");
}
END_TEST

/* Nothing waits behind a call that goes on for hours. */
START_TEST(handed_out_as_they_end)
{
    settings.as_they_end = true;
    create();
    HEAR(0, "INVITE", .call_id = "1");
    HEAR(1, "200", TAGGED, .call_id = "1");
    HEAR(2, "INVITE", .call_id = "2", .from = "carol@c>;tag=c");
    HEAR(3, "486", TAGGED, .call_id = "2", .from = "carol@c>;tag=c");
    for (unsigned i = 0; i < 4; i++)
        HEAR(30, "OPTIONS", "OPTIONS", .call_id = "x");
    ck_assert_str_eq(story, "");
    for (unsigned i = 0; i < 2; i++)
        HEAR(40, "OPTIONS", "OPTIONS", .call_id = "x");
    ck_assert_str_eq(story, "carol>bob busy 486 ring=-1 talk=-1\n");
    ck_assert_uint_eq(tap_calls_count(calls), 1);
}
END_TEST

START_TEST(time_passes_without_messages)
{
    settings.as_they_end = _i == 1;
    create();
    HEAR(0, "INVITE", .call_id = "1");
    HEAR(1, "486", TAGGED, .call_id = "1");
    tap_calls_advance(calls, NOON + 32 * SECOND);
    ck_assert_str_eq(story, "");
    tap_calls_advance(calls, NOON + 33 * SECOND);
    ck_assert_str_eq(story, "alice>bob busy 486 ring=-1 talk=-1\n");
    tap_calls_advance(calls, NOON + 34 * SECOND);
    ck_assert_uint_eq(tap_calls_count(calls), 0);
}
END_TEST

START_TEST(longest_call)
{
    HEAR(0, "INVITE");
    HEAR(1, "200", TAGGED);
    HEAR(3600, "OPTIONS", "OPTIONS", .call_id = "x");
    ck_assert_str_eq(story, "");
    HEAR(4 * 3600, "OPTIONS", "OPTIONS", .call_id = "x");
    ck_assert_str_eq(story, "alice>bob answered 200 ring=-1 talk=-1\n");
}
END_TEST

START_TEST(no_room)
{
    settings.limit = 2;
    create();
    HEAR(0, "INVITE", .call_id = "1");
    HEAR(0, "INVITE", .call_id = "2");
    HEAR(0, "INVITE", .call_id = "3");
    ck_assert_str_eq(story, "alice>bob unknown 0 ring=-1 talk=-1 evicted\n");
    ck_assert_uint_eq(tap_calls_figures(calls)->evicted, 1);
    ck_assert_uint_eq(tap_calls_count(calls), 2);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, answered);
    tcase_add_loop_test(tests, failed, 0, (int)(sizeof(finals) / sizeof(finals[0])));
    tcase_add_test(tests, challenged);
    tcase_add_test(tests, challenged_long_ago);
    tcase_add_test(tests, only_the_caller_is_seen);
    tcase_add_test(tests, only_the_caller_is_seen_refused);
    tcase_add_test(tests, only_the_caller_is_seen_giving_up);
    tcase_add_test(tests, only_the_callee_is_seen);
    tcase_add_test(tests, begun_before_the_capture);
    tcase_add_test(tests, nothing_of_an_invite);
    tcase_add_test(tests, late_retransmissions_are_no_new_call);
    tcase_add_test(tests, failed_reinvite_ends_nothing);
    tcase_add_test(tests, an_answer_wins);
    tcase_add_test(tests, two_calls_of_one_call_id);
    tcase_add_test(tests, other_legs_are_not_counted);
    tcase_add_test(tests, handed_out_in_order_of_beginning);
    tcase_add_test(tests, handed_out_as_they_end);
    tcase_add_loop_test(tests, time_passes_without_messages, 0, 2);
    tcase_add_test(tests, longest_call);
    tcase_add_test(tests, no_room);
}

int main(void)
{
    return test_run("calls", add);
}
