/* SPDX-License-Identifier: Apache-2.0 */
#include "message/edit.h"

#include "message_test.h"

#define START "INVITE sip:b@h SIP/2.0\r\n"
#define VIA_1 "Via: SIP/2.0/UDP one;branch=1\r\n"
#define TOP   "Max-Forwards: 70\r\nFrom: \"a\0b\" <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
#define ID    "Call-ID: 1\r\nCSeq: 1 INVITE\r\n"
#define BODY  "X-Odd :  kept\t\r\n as is \r\nContent-Length: 3\r\n\r\n\0\r\n"

static struct smsg message;
static struct smsg_edit edit;
static char memory[2048];

static void begin(struct slice text)
{
    ck_assert_int_eq(smsg_scan(&message, text), 0);
    smsg_edit_begin(&edit, &message);
}

static void assert_result(struct slice expected)
{
    struct buffer out = buffer_over(memory, sizeof memory);

    ck_assert_uint_eq(smsg_edit_length(&edit), expected.length);
    ck_assert_int_eq(smsg_edit_write(&edit, &out), 0);
    ck_assert_msg(slice_equal(buffer_slice(&out), expected), "%.*s",
                  SLICE_ARGS(buffer_slice(&out)));
}

START_TEST(nothing_edited_is_byte_equal)
{
    begin(SLICE(START VIA_1 TOP ID BODY));
    assert_result(SLICE(START VIA_1 TOP ID BODY));
}
END_TEST

START_TEST(surplus_bytes_are_left_out)
{
    begin(SLICE("\r\n" START VIA_1 TOP ID BODY "surplus"));
    assert_result(SLICE(START VIA_1 TOP ID BODY));
}
END_TEST

START_TEST(edits_of_a_proxy)
{
    begin(SLICE(START VIA_1 "Route: <sip:us;lr>, <sip:next;lr>\r\n" TOP ID BODY));
    smsg_edit_push_header(&edit, SMSG_HEADER_VIA, SLICE("Via: SIP/2.0/UDP us\r\n"));
    smsg_edit_push_header(&edit, SMSG_HEADER_RECORD_ROUTE, SLICE("Record-Route: <sip:us>\r\n"));
    smsg_edit_replace_slice(
        &edit, smsg_value(&message, smsg_first(&message, SMSG_HEADER_MAX_FORWARDS)), SLICE("69"));
    smsg_edit_pop_value(&edit, SMSG_HEADER_ROUTE);
    smsg_edit_replace_slice(&edit, message.request_uri, SLICE("sip:c@x"));
    smsg_edit_append_header(&edit, SLICE("X-Verdict: pass\r\n"));
    assert_result(SLICE("INVITE sip:c@x SIP/2.0\r\nVia: SIP/2.0/UDP us\r\n"
                        "Record-Route: <sip:us>\r\n" VIA_1 "Route: <sip:next;lr>\r\n"
                        "Max-Forwards: 69\r\nFrom: \"a\0b\" <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n" ID
                        "X-Odd :  kept\t\r\n as is \r\nContent-Length: 3\r\nX-Verdict: pass\r\n"
                        "\r\n\0\r\n"));
}
END_TEST

START_TEST(inserts_at_one_place_keep_their_order)
{
    begin(SLICE(START VIA_1 "Record-Route: <sip:x>\r\n" ID "From: sip:a@h\r\nTo: sip:b@h\r\n\r\n"));
    smsg_edit_push_header(&edit, SMSG_HEADER_RECORD_ROUTE, SLICE("Record-Route: <sip:1>\r\n"));
    smsg_edit_remove_header(&edit, smsg_first(&message, SMSG_HEADER_RECORD_ROUTE));
    smsg_edit_push_header(&edit, SMSG_HEADER_RECORD_ROUTE, SLICE("Record-Route: <sip:2>\r\n"));
    assert_result(SLICE(START VIA_1 "Record-Route: <sip:1>\r\nRecord-Route: <sip:2>\r\n" ID
                                    "From: sip:a@h\r\nTo: sip:b@h\r\n\r\n"));
}
END_TEST

START_TEST(headers_without_a_line_yet)
{
    begin(SLICE(START VIA_1 TOP ID "\r\n"));
    smsg_edit_push_header(&edit, SMSG_HEADER_ROUTE, SLICE("Route: <sip:r>\r\n"));
    smsg_edit_push_header(&edit, SMSG_HEADER_REASON, SLICE("Reason: x\r\n"));
    smsg_edit_push_header(&edit, SMSG_HEADER_OTHER, SLICE("X: y\r\n"));
    assert_result(SLICE(START "Route: <sip:r>\r\n" VIA_1 TOP ID "Reason: x\r\nX: y\r\n\r\n"));
}
END_TEST

START_TEST(pops_over_commas_folds_and_lines)
{
#define VIAS \
    "Via: SIP/2.0/UDP a,\r\n SIP/2.0/UDP b;x=\"1,2\"\r\nTo: <sip:b@h>\r\nv:SIP/2.0/UDP c , "
#define TAIL "SIP/2.0/UDP d\r\nFrom: <sip:a@h>\r\n" ID "\r\n"
    begin(SLICE(START VIAS TAIL));
    smsg_edit_pop_values(&edit, SMSG_HEADER_VIA, 1);
    assert_result(SLICE(START "Via: SIP/2.0/UDP b;x=\"1,2\"\r\nTo: <sip:b@h>\r\n"
                              "v:SIP/2.0/UDP c , " TAIL));
    begin(SLICE(START VIAS TAIL));
    smsg_edit_pop_values(&edit, SMSG_HEADER_VIA, 3);
    assert_result(SLICE(START "To: <sip:b@h>\r\nv:" TAIL));
    begin(SLICE(START VIAS TAIL));
    smsg_edit_pop_values(&edit, SMSG_HEADER_VIA, 9);
    assert_result(SLICE(START "To: <sip:b@h>\r\nFrom: <sip:a@h>\r\n" ID "\r\n"));
    begin(SLICE(START VIAS TAIL));
    smsg_edit_pop_values(&edit, SMSG_HEADER_ROUTE, 1);
    smsg_edit_pop_values(&edit, SMSG_HEADER_VIA, 0);
    assert_result(SLICE(START VIAS TAIL));
#undef VIAS
#undef TAIL
}
END_TEST

START_TEST(a_missing_empty_line_is_added)
{
    begin(SLICE(START VIA_1 TOP ID "l: 0\r\n"));
    smsg_edit_append_header(&edit, SLICE("X: y\r\n"));
    assert_result(SLICE(START VIA_1 TOP ID "l: 0\r\nX: y\r\n\r\n"));
}
END_TEST

START_TEST(overlapping_edits_fail)
{
    struct buffer out = buffer_over(memory, sizeof memory);

    begin(SLICE(START VIA_1 TOP ID BODY));
    smsg_edit_replace(&edit, 10, 10, SLICE("x"));
    smsg_edit_replace(&edit, 20, 5, SLICE("y"));
    smsg_edit_insert(&edit, 10, SLICE("z"));
    ck_assert(!edit.failed);
    smsg_edit_insert(&edit, 15, SLICE("inside"));
    ck_assert(edit.failed);
    ck_assert_int_eq(smsg_edit_write(&edit, &out), ERROR_MALFORMED);
    ck_assert_uint_eq(out.length, 0);

    begin(SLICE(START VIA_1 TOP ID BODY));
    smsg_edit_pop_value(&edit, SMSG_HEADER_VIA);
    smsg_edit_pop_value(&edit, SMSG_HEADER_VIA);
    ck_assert_int_eq(smsg_edit_write(&edit, &out), ERROR_MALFORMED);
}
END_TEST

START_TEST(edits_beyond_the_message_fail)
{
    begin(SLICE(START VIA_1 TOP ID BODY));
    smsg_edit_replace(&edit, (uint32_t)message.bytes.length, 1, SLICE("x"));
    ck_assert(edit.failed);
    begin(SLICE(START VIA_1 TOP ID BODY));
    smsg_edit_insert(&edit, UINT32_MAX, SLICE("x"));
    ck_assert(edit.failed);
}
END_TEST

START_TEST(too_many_edits_fail)
{
    struct buffer out = buffer_over(memory, sizeof memory);

    begin(SLICE(START VIA_1 TOP ID BODY));
    for (unsigned i = 0; i < SMSG_EDIT_LIMIT; i++)
        smsg_edit_append_header(&edit, SLICE("X: y\r\n"));
    ck_assert_int_eq(smsg_edit_write(&edit, &out), 0);
    smsg_edit_append_header(&edit, SLICE("X: y\r\n"));
    ck_assert_int_eq(smsg_edit_write(&edit, &out), ERROR_MALFORMED);
}
END_TEST

START_TEST(a_small_buffer_is_refused_whole)
{
    struct buffer out;

    begin(SLICE(START VIA_1 TOP ID BODY));
    smsg_edit_append_header(&edit, SLICE("X: y\r\n"));
    out = buffer_over(memory, smsg_edit_length(&edit) - 1);
    ck_assert_int_eq(smsg_edit_write(&edit, &out), ERROR_LIMIT);
    ck_assert_uint_eq(out.length, 0);
    out = buffer_over(memory, smsg_edit_length(&edit));
    ck_assert_int_eq(smsg_edit_write(&edit, &out), 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, nothing_edited_is_byte_equal);
    tcase_add_test(tests, surplus_bytes_are_left_out);
    tcase_add_test(tests, edits_of_a_proxy);
    tcase_add_test(tests, inserts_at_one_place_keep_their_order);
    tcase_add_test(tests, headers_without_a_line_yet);
    tcase_add_test(tests, pops_over_commas_folds_and_lines);
    tcase_add_test(tests, a_missing_empty_line_is_added);
    tcase_add_test(tests, overlapping_edits_fail);
    tcase_add_test(tests, edits_beyond_the_message_fail);
    tcase_add_test(tests, too_many_edits_fail);
    tcase_add_test(tests, a_small_buffer_is_refused_whole);
}

int main(void)
{
    return test_run("edit", add);
}
