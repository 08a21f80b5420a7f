/* SPDX-License-Identifier: Apache-2.0 */
#include "message/frame.h"

#include <stdio.h>

#include "message_test.h"

#define OPTIONS    "OPTIONS sip:b@h SIP/2.0\r\nVia: SIP/2.0/TCP one;branch=z9hG4bK1\r\n"
#define WITH(line) OPTIONS line "\r\n\r\n"
#define LENGTH(n)  WITH("Content-Length: " #n)
#define NOW        UINT64_C(1000000)

static const struct smsg_frame_limits limits = {512, 1000, 5000};
static struct smsg_frame frame;

/* What comes out of a stream, as text: a letter and the length of each piece, then the fault. */
static char story[4096];

static void note(enum smsg_frame_kind kind, size_t length)
{
    static const char letters[] = {
        [SMSG_FRAME_MESSAGE] = 'M', [SMSG_FRAME_EMPTY_LINE] = 'e', [SMSG_FRAME_PING] = 'P'};
    size_t at = strlen(story);

    if (kind == SMSG_FRAME_BROKEN)
        snprintf(story + at, sizeof story - at, "%s", smsg_frame_faults[frame.fault].key);
    else
        snprintf(story + at, sizeof story - at, "%c%zu ", letters[kind], length);
}

/* Feeds `step` bytes at a time; what is not taken stays at the front, in memory of its size. */
static const char *tell(struct slice stream, size_t step)
{
    size_t taken = 0, come = 0;
    enum smsg_frame_kind kind = SMSG_FRAME_NOTHING;

    smsg_frame_init(&frame, &limits);
    story[0] = '\0';
    while (kind != SMSG_FRAME_BROKEN && come < stream.length) {
        come = come + step < stream.length ? come + step : stream.length;
        do {
            struct slice held = test_exact(slice_between(stream.data + taken, stream.data + come));
            struct slice piece;

            kind = smsg_frame_next(&frame, held, NOW, &piece);
            if (piece.data != NULL)
                ck_assert_ptr_eq(piece.data, held.data);
            taken += piece.length;
            test_release(held);
            if (kind != SMSG_FRAME_NOTHING)
                note(kind, piece.length);
        } while (kind != SMSG_FRAME_NOTHING && kind != SMSG_FRAME_BROKEN);
    }
    return story;
}

/* The same whatever the cuts are. */
static void assert_story(struct slice stream, const char *expected)
{
    for (size_t step = 1; step <= stream.length; step++)
        ck_assert_str_eq(tell(stream, step), expected);
}

START_TEST(message_without_body)
{
    assert_story(SLICE(LENGTH(0)), "M84 ");
}
END_TEST

START_TEST(message_with_body_that_looks_like_another)
{
    assert_story(SLICE(LENGTH(85) LENGTH(0) "\n"), "M170 ");
}
END_TEST

START_TEST(pipelined)
{
    assert_story(SLICE(LENGTH(0) LENGTH(3) "\0\r\n" LENGTH(0)), "M84 M87 M84 ");
}
END_TEST

START_TEST(compact_folded_and_spaced_length)
{
    assert_story(SLICE(WITH("l: 2") "ab"), "M73 ");
    assert_story(SLICE(WITH("L : 2") "ab"), "M74 ");
    assert_story(SLICE(WITH("CONTENT-length:\r\n\t 02 ") "ab"), "M91 ");
}
END_TEST

START_TEST(line_feeds_alone)
{
    assert_story(SLICE("OPTIONS sip:b@h SIP/2.0\nl:1\n\nx\n"), "M30 e1 ");
}
END_TEST

START_TEST(folded_white_line_is_not_the_end)
{
    assert_story(SLICE(WITH("l: 0\r\n \r\nX: y")), "M80 ");
}
END_TEST

START_TEST(pings_and_pongs)
{
    assert_story(SLICE("\r\n"), "e2 ");
    assert_story(SLICE("\r\n\r\n"), "e2 P2 ");
    assert_story(SLICE("\r\n\r\n\r\n" LENGTH(0) "\r\n" LENGTH(0) "\r\n\r\n"),
                 "e2 P2 e2 M84 e2 M84 e2 P2 ");
}
END_TEST

START_TEST(a_cr_alone_waits)
{
    assert_story(SLICE("\r"), "");
    assert_story(SLICE("\rx"), "not_sip");
}
END_TEST

START_TEST(not_sip)
{
    assert_story(SLICE("\x16\x03\x01"), "not_sip");
    assert_story(SLICE("GET / HTTP/1.1\r\n"), "not_sip");
    assert_story(SLICE("\0\0\0\0"), "not_sip");
    assert_story(SLICE("OPTIONS sip:\0 SIP/2.0\r\n"), "not_sip");
    assert_story(SLICE(LENGTH(0) "garbage\r\n"), "M84 not_sip");
    assert_story(SLICE(" " LENGTH(0)), "not_sip");
}
END_TEST

START_TEST(lying_length)
{
    assert_story(SLICE(LENGTH(2) "abcd\r\n" LENGTH(0)), "M86 not_sip");
    assert_story(SLICE(LENGTH(40) "abcd" LENGTH(0)), "M125 not_sip");
}
END_TEST

START_TEST(length_faults)
{
    assert_story(SLICE(WITH("X: 1")), "length_missing");
    assert_story(SLICE(WITH("l: 1\r\nContent-Length: 1")), "length_duplicate");
    assert_story(SLICE(WITH("l: 1\r\nl: 2")), "length_duplicate");
    assert_story(SLICE(WITH("l: 1, 1")), "length_malformed");
    assert_story(SLICE(WITH("l: +1")), "length_malformed");
    assert_story(SLICE(WITH("l: -1")), "length_malformed");
    assert_story(SLICE(WITH("l:")), "length_malformed");
    assert_story(SLICE(WITH("l: 1\r2")), "length_malformed");
    assert_story(SLICE(WITH("l: 1\0")), "length_malformed");
    assert_story(SLICE(LENGTH(1001)), "body_too_long");
    assert_story(SLICE(LENGTH(1000000000000)), "body_too_long");
    assert_story(SLICE(LENGTH(4294967296)), "body_too_long");
    assert_story(SLICE(LENGTH(99999999999999999999999999999999)), "body_too_long");
}
END_TEST

START_TEST(headers_that_do_not_end)
{
    char memory[1024];
    struct slice stream = slice_make(memory, sizeof memory);

    memset(memory, 'a', sizeof memory);
    ck_assert_str_eq(tell(slice_first(stream, limits.header_bytes - 1), 1), "");
    ck_assert_str_eq(tell(stream, 1), "headers_too_long");
    ck_assert_str_eq(tell(stream, sizeof memory), "headers_too_long");
}
END_TEST

/* The empty line may be the last that fits, no matter what is behind it. */
START_TEST(headers_of_exactly_the_limit)
{
    char memory[1024];
    size_t used = (size_t)snprintf(memory, sizeof memory, OPTIONS "l: 0\r\nX: ");

    memset(memory + used, 'x', sizeof memory - used);
    memcpy(memory + limits.header_bytes - 4, "\r\n\r\n", 4);
    assert_story(slice_make(memory, limits.header_bytes), "M512 ");
    memcpy(memory + limits.header_bytes - 4, "x\r\n\r\n", 5);
    assert_story(slice_make(memory, limits.header_bytes + 1), "headers_too_long");
}
END_TEST

START_TEST(a_slow_message_is_given_up)
{
    struct slice message = SLICE(LENGTH(0)), piece;

    smsg_frame_init(&frame, &limits);
    ck_assert_uint_eq(smsg_frame_due(&frame), UINT64_MAX);
    ck_assert_int_eq(smsg_frame_next(&frame, slice_first(message, 1), NOW, &piece),
                     SMSG_FRAME_NOTHING);
    ck_assert_int_eq(smsg_frame_next(&frame, slice_first(message, 50), NOW + 4999, &piece),
                     SMSG_FRAME_NOTHING);
    ck_assert_uint_eq(smsg_frame_due(&frame), NOW + 5000);
    ck_assert_int_eq(smsg_frame_next(&frame, message, NOW + 5000, &piece), SMSG_FRAME_BROKEN);
    ck_assert_int_eq(frame.fault, SMSG_FRAME_FAULT_TOO_SLOW);
    ck_assert_int_eq(smsg_frame_next(&frame, message, NOW, &piece), SMSG_FRAME_BROKEN);
}
END_TEST

START_TEST(each_message_has_its_own_time)
{
    struct slice message = SLICE(LENGTH(0)), piece;

    smsg_frame_init(&frame, &limits);
    for (uint64_t now_us = NOW; now_us < NOW + 50000; now_us += 4000) {
        ck_assert_int_eq(smsg_frame_next(&frame, message, now_us, &piece), SMSG_FRAME_MESSAGE);
        ck_assert_uint_eq(smsg_frame_due(&frame), UINT64_MAX);
        ck_assert_int_eq(smsg_frame_next(&frame, SLICE("\r\n"), now_us, &piece),
                         SMSG_FRAME_EMPTY_LINE);
        ck_assert_uint_eq(smsg_frame_due(&frame), UINT64_MAX);
    }
}
END_TEST

START_TEST(extent_follows_what_is_known)
{
    struct slice message = SLICE(LENGTH(900)), piece;

    smsg_frame_init(&frame, &limits);
    ck_assert_int_eq(smsg_frame_next(&frame, slice_first(message, 60), NOW, &piece),
                     SMSG_FRAME_NOTHING);
    ck_assert_uint_eq(smsg_frame_extent(&frame), limits.header_bytes);
    ck_assert_int_eq(smsg_frame_next(&frame, message, NOW, &piece), SMSG_FRAME_NOTHING);
    ck_assert_uint_eq(smsg_frame_extent(&frame), message.length + 900);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, message_without_body);
    tcase_add_test(tests, message_with_body_that_looks_like_another);
    tcase_add_test(tests, pipelined);
    tcase_add_test(tests, compact_folded_and_spaced_length);
    tcase_add_test(tests, line_feeds_alone);
    tcase_add_test(tests, folded_white_line_is_not_the_end);
    tcase_add_test(tests, pings_and_pongs);
    tcase_add_test(tests, a_cr_alone_waits);
    tcase_add_test(tests, not_sip);
    tcase_add_test(tests, lying_length);
    tcase_add_test(tests, length_faults);
    tcase_add_test(tests, headers_that_do_not_end);
    tcase_add_test(tests, headers_of_exactly_the_limit);
    tcase_add_test(tests, a_slow_message_is_given_up);
    tcase_add_test(tests, each_message_has_its_own_time);
    tcase_add_test(tests, extent_follows_what_is_known);
}

int main(void)
{
    return test_run("frame", add);
}
