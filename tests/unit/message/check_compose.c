/* SPDX-License-Identifier: Apache-2.0 */
#include "message/compose.h"

#include <sofia-sip/msg.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_header.h>

#include "message_test.h"

#define START   "INVITE sip:b@h SIP/2.0\r\n"
#define VIA_TOP "Via: SIP/2.0/UDP one:5070;rport;branch=z9hG4bK1"
#define VIAS    VIA_TOP ",\r\n SIP/2.0/TCP two\r\nv:SIP/2.0/UDP three\r\n"
#define FROM    "f: \"A\" <sip:a@h>;tag=1\r\n"
#define TO      "To: <sip:b@h>\r\n"
#define ID      "i: 1@h\r\nCSeq: 7 INVITE\r\n"
#define EXTRA   "Timestamp: 54\r\nRecord-Route: <sip:p;lr>\r\nRoute: <sip:r;lr>\r\n"
#define END     "Max-Forwards: 9\r\nContent-Length: 4\r\n\r\nbody"
#define LENGTH  "Content-Length: 0\r\n\r\n"

static struct smsg request, response, composed;
static char memory[4096];
static struct buffer out;

/* What this program sends must be well-formed to both readers. */
static void assert_parses(void)
{
    msg_t *whole = msg_make(sip_default_mclass(), 0, out.data, (ssize_t)out.length);
    sip_t *sip = sip_object(whole);

    ck_assert_int_eq(smsg_scan(&composed, buffer_slice(&out)), 0);
    ck_assert_ptr_nonnull(sip);
    ck_assert_ptr_null(sip->sip_error);
    ck_assert_slice(composed.call_id, sip->sip_call_id->i_id);
    ck_assert_slice(composed.via.branch, sip->sip_via->v_branch);
    msg_destroy(whole);
}

static void respond(struct slice to, const struct smsg_response *with)
{
    ck_assert_int_eq(smsg_scan(&request, to) == 0, request.bad == SMSG_BAD_NONE);
    out = buffer_over(memory, sizeof memory);
    ck_assert_int_eq(smsg_compose_response(&out, &request, with), 0);
}

START_TEST(trying_copies_timestamp_and_no_tag)
{
    respond(SLICE(START VIAS FROM TO ID EXTRA END),
            &(struct smsg_response){.status = 100, .to_tag = SLICE("us")});
    ck_assert_slice(buffer_slice(&out),
                    "SIP/2.0 100 Trying\r\n" VIAS FROM TO ID "Timestamp: 54\r\n" LENGTH);
    assert_parses();
}
END_TEST

START_TEST(ringing_copies_record_route)
{
    respond(SLICE(START VIAS FROM TO ID EXTRA END),
            &(struct smsg_response){.status = 180, .to_tag = SLICE("us")});
    ck_assert_slice(buffer_slice(&out),
                    "SIP/2.0 180 Ringing\r\n" VIAS "Record-Route: <sip:p;lr>\r\n" FROM
                    "To: <sip:b@h>;tag=us\r\n" ID LENGTH);
    assert_parses();
}
END_TEST

START_TEST(refusal_with_all_that_can_be_said)
{
    respond(SLICE(START VIAS FROM TO ID EXTRA END),
            &(struct smsg_response){.status = 608,
                                    .reason = SLICE("Rejected Here"),
                                    .to_tag = SLICE("us"),
                                    .received = SLICE("2001:db8::1"),
                                    .rport = 5099,
                                    .extra = SLICE("Call-Info: <x:y>\r\n")});
    ck_assert_slice(buffer_slice(&out),
                    "SIP/2.0 608 Rejected Here\r\n"
                    "Via: SIP/2.0/UDP one:5070;rport=5099;branch=z9hG4bK1;received=2001:db8::1"
                    ",\r\n SIP/2.0/TCP two\r\nv:SIP/2.0/UDP three\r\n" FROM
                    "To: <sip:b@h>;tag=us\r\n" ID "Call-Info: <x:y>\r\n" LENGTH);
    assert_parses();
}
END_TEST

START_TEST(a_tag_that_is_there_stays)
{
    respond(SLICE(START VIAS FROM "t: sip:b@h;tag=theirs\r\n" ID END),
            &(struct smsg_response){.status = 481, .to_tag = SLICE("us")});
    ck_assert_slice(buffer_slice(&out), "SIP/2.0 481 Call/Transaction Does Not Exist\r\n" VIAS FROM
                                        "t: sip:b@h;tag=theirs\r\n" ID LENGTH);
}
END_TEST

static const struct via_row {
    const char *via, *stamped;
} via_rows[] = {
    {"SIP/2.0/UDP h", "SIP/2.0/UDP h;received=1.2.3.4"},
    {"SIP/2.0/UDP h;rport", "SIP/2.0/UDP h;rport=9;received=1.2.3.4"},
    {"SIP/2.0/UDP h;rport=1;received=x;branch=b",
     "SIP/2.0/UDP h;rport=9;received=1.2.3.4;branch=b"},
    {"SIP/2.0/UDP h;received=x ; rport", "SIP/2.0/UDP h;received=1.2.3.4 ; rport=9"},
    {"SIP / 2.0 / UDP h ; received = x", "SIP / 2.0 / UDP h ; received = 1.2.3.4"},
};

START_TEST(stamps_a_via)
{
    struct smsg_via via;

    ck_assert_int_eq(smsg_via_parse(slice_of_text(via_rows[_i].via), &via), 0);
    out = buffer_over(memory, sizeof memory);
    smsg_compose_via(&out, &via, SLICE("1.2.3.4"), 9);
    ck_assert_slice(buffer_slice(&out), via_rows[_i].stamped);
    out = buffer_over(memory, sizeof memory);
    smsg_compose_via(&out, &via, slice_make(NULL, 0), 0);
    ck_assert_slice(buffer_slice(&out), via_rows[_i].via);
}
END_TEST

START_TEST(faulty_requests_are_answered_with_what_exists)
{
    respond(SLICE(START "Via: SIP/2.0/UDP h;;\r\nCSeq: 1 INVITE\r\n\r\n"),
            &(struct smsg_response){
                .status = 400, .to_tag = SLICE("us"), .received = SLICE("1.2.3.4"), .rport = 1});
    ck_assert_slice(buffer_slice(&out),
                    "SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP h;;\r\nCSeq: 1 INVITE\r\n" LENGTH);
    respond(SLICE(START VIAS FROM "To: \"open <sip:b@h>\r\n" ID "\r\n"),
            &(struct smsg_response){.status = 400, .to_tag = SLICE("us")});
    ck_assert_slice(buffer_slice(&out),
                    "SIP/2.0 400 Bad Request\r\n" VIAS FROM "To: \"open <sip:b@h>\r\n" ID LENGTH);
    respond(SLICE(START "Via: SIP/2.0/UDP h\r\nFrom:\r\nTo: \r\n\r\n"),
            &(struct smsg_response){.status = 400});
    ck_assert_slice(buffer_slice(&out), "SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP h\r\n"
                                        "From:\r\nTo:\r\n" LENGTH);
    respond(SLICE("jaK\r\n"), &(struct smsg_response){.status = 400});
    ck_assert_slice(buffer_slice(&out), "SIP/2.0 400 Bad Request\r\n" LENGTH);
}
END_TEST

START_TEST(lf_only_requests_are_answered_with_crlf)
{
    respond(SLICE("BYE sip:b@h SIP/2.0\nVia: SIP/2.0/UDP h\nFrom: <sip:a@h>;tag=1\n"
                  "To: <sip:b@h>;tag=2\nCall-ID: 1\nCSeq: 1 BYE\n\n"),
            &(struct smsg_response){.status = 200});
    ck_assert_slice(buffer_slice(&out),
                    "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@h>;tag=1\r\n"
                    "To: <sip:b@h>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 BYE\r\n" LENGTH);
}
END_TEST

START_TEST(ack_of_a_refusal)
{
    ck_assert_int_eq(smsg_scan(&request, SLICE(START VIAS FROM TO ID EXTRA END)), 0);
    ck_assert_int_eq(smsg_scan(&response, SLICE("SIP/2.0 486 Busy Here\r\n" VIA_TOP "\r\n" FROM
                                                "To: <sip:b@h>;tag=2\r\n" ID "\r\n")),
                     0);
    out = buffer_over(memory, sizeof memory);
    ck_assert_int_eq(smsg_compose_ack(&out, &request, &response), 0);
    ck_assert_slice(buffer_slice(&out),
                    "ACK sip:b@h SIP/2.0\r\n" VIA_TOP "\r\nRoute: <sip:r;lr>\r\n"
                    "Max-Forwards: 70\r\n" FROM "To: <sip:b@h>;tag=2\r\ni: 1@h\r\n"
                    "CSeq: 7 ACK\r\n" LENGTH);
    assert_parses();
}
END_TEST

START_TEST(cancel_with_a_reason)
{
    ck_assert_int_eq(smsg_scan(&request, SLICE(START VIAS FROM TO ID EXTRA END)), 0);
    out = buffer_over(memory, sizeof memory);
    ck_assert_int_eq(smsg_compose_cancel(&out, &request, SLICE("Reason: SIP;cause=200\r\n")), 0);
    ck_assert_slice(buffer_slice(&out),
                    "CANCEL sip:b@h SIP/2.0\r\n" VIA_TOP "\r\nRoute: <sip:r;lr>\r\n"
                    "Max-Forwards: 70\r\n" FROM TO "i: 1@h\r\nCSeq: 7 CANCEL\r\n"
                    "Reason: SIP;cause=200\r\n" LENGTH);
    assert_parses();
}
END_TEST

START_TEST(small_buffers_are_refused)
{
    ck_assert_int_eq(smsg_scan(&request, SLICE(START VIAS FROM TO ID EXTRA END)), 0);
    for (size_t capacity = 0; capacity < 150; capacity++) {
        out = buffer_over(memory, capacity);
        ck_assert_int_eq(
            smsg_compose_response(&out, &request, &(struct smsg_response){.status = 200}),
            ERROR_LIMIT);
        out = buffer_over(memory, capacity);
        ck_assert_int_eq(smsg_compose_cancel(&out, &request, slice_make(NULL, 0)), ERROR_LIMIT);
    }
}
END_TEST

START_TEST(phrases)
{
    ck_assert_str_eq(smsg_status_phrase(100), "Trying");
    ck_assert_str_eq(smsg_status_phrase(608), "Rejected");
    ck_assert_str_eq(smsg_status_phrase(299), "Unknown");
    ck_assert_str_eq(smsg_status_phrase(0), "Unknown");
    ck_assert_str_eq(smsg_status_phrase(700), "Unknown");
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, trying_copies_timestamp_and_no_tag);
    tcase_add_test(tests, ringing_copies_record_route);
    tcase_add_test(tests, refusal_with_all_that_can_be_said);
    tcase_add_test(tests, a_tag_that_is_there_stays);
    tcase_add_loop_test(tests, stamps_a_via, 0, (int)(sizeof via_rows / sizeof via_rows[0]));
    tcase_add_test(tests, faulty_requests_are_answered_with_what_exists);
    tcase_add_test(tests, lf_only_requests_are_answered_with_crlf);
    tcase_add_test(tests, ack_of_a_refusal);
    tcase_add_test(tests, cancel_with_a_reason);
    tcase_add_test(tests, small_buffers_are_refused);
    tcase_add_test(tests, phrases);
}

int main(void)
{
    return test_run("compose", add);
}
