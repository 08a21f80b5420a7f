/* SPDX-License-Identifier: Apache-2.0 */
/* Runs on one thread. */
#include "tap/streams.h"

#include "tap_test.h"
#include "unit/sanitized.h"

enum { SYN = 2, FIN = 1, RST = 4 };
enum { FLOOD = UNLESS_SLOW(200000, 80000), HOLES = UNLESS_SLOW(100000, 10000) };

#define SHORT(method, cseq)                                                                 \
    method " sip:b@h SIP/2.0\r\nVia: SIP/2.0/TCP one;branch=z9hG4bK" cseq "\r\n"            \
           "From: <sip:a@a>;tag=a\r\nTo: <sip:b@b>\r\nCall-ID: c\r\nCSeq: " cseq " " method \
           "\r\nContent-Length: 4\r\n\r\nbody"

#define TWO SHORT("INVITE", "1") SHORT("OPTIONS", "2")

static struct heard *heard;
static struct frame frame;
static uint64_t now_us;
static const uint32_t isn = 0xfffffff0U; /* wraps within the first message */

static void set_up(void)
{
    heard = heard_begin(NULL);
    now_us = NOON;
}

static void tear_down(void)
{
    heard_end(heard);
}

static void segment(unsigned port, uint32_t sequence, unsigned flags, struct slice bytes)
{
    frame_begin(&frame, bytes);
    frame_tcp(&frame, port, 5060, sequence, flags);
    frame_ipv4(&frame, (struct ip){1, 2, TCP, 1, 0, false});
    feed_at(heard, TAP_LINK_RAW, frame_slice(&frame), now_us);
}

/* Bytes from..to of what is said on the connection. */
static void say(struct slice all, size_t from, size_t to)
{
    segment(4000, isn + 1 + (uint32_t)from, 0, slice_first(slice_from(all, from), to - from));
}

static void expect(size_t messages)
{
    ck_assert_msg(heard->count == messages, "%zu messages, not %zu:\n%s", heard->count, messages,
                  heard->lines);
}

START_TEST(cut_at_each_byte)
{
    struct slice all = SLICE(TWO);
    for (size_t cut = 1; cut < all.length; cut++) {
        struct heard *mine = heard;
        heard = heard_begin(NULL);
        segment(4000, isn, SYN, SLICE(""));
        say(all, 0, cut);
        say(all, cut, all.length);
        expect(2);
        ck_assert_str_eq(heard->lines, "INVITE sip:b@h SIP/2.0\nOPTIONS sip:b@h SIP/2.0\n");
        heard_end(heard);
        heard = mine;
    }
}
END_TEST

START_TEST(byte_by_byte_backwards)
{
    struct slice all = SLICE(SHORT("INVITE", "1"));
    segment(4000, isn, SYN, SLICE(""));
    for (size_t at = all.length; at-- > 0;)
        say(all, at, at + 1);
    expect(1);
}
END_TEST

START_TEST(begun_before_the_capture)
{
    struct slice all = SLICE(TWO);
    segment(4000, isn + 1, 0, all);
    expect(2);
}
END_TEST

START_TEST(first_segment_comes_second)
{
    struct slice all = SLICE(TWO);
    segment(4000, isn, SYN, SLICE(""));
    say(all, 100, all.length);
    expect(0);
    say(all, 0, 100);
    expect(2);
    ck_assert_uint_eq(heard_of(heard, TAP_TCP_LATE), 1);
}
END_TEST

START_TEST(repeated_and_overlapping)
{
    struct slice all = SLICE(TWO);
    segment(4000, isn, SYN, SLICE(""));
    say(all, 0, 100);
    say(all, 0, 100);
    say(all, 50, 150);
    say(all, 200, all.length);
    say(all, 120, 260);
    expect(2);
    ck_assert_uint_eq(heard_of(heard, TAP_TCP_REPEATED), 1);
}
END_TEST

/* Nobody rewrites what has been read. */
START_TEST(first_bytes_win)
{
    struct slice all = SLICE(TWO);
    struct slice evil = SLICE("XXXXXXXXXXXXXXXXXXXXXXXXXXXXXX");
    segment(4000, isn, SYN, SLICE(""));
    say(all, 0, 100);
    segment(4000, isn + 1 + 80, 0, slice_first(evil, 20));
    say(all, 100, all.length);
    expect(2);
}
END_TEST

START_TEST(hole_is_given_up_in_time)
{
    struct slice all = SLICE(TWO);
    size_t second = sizeof(SHORT("INVITE", "1")) - 1;
    segment(4000, isn, SYN, SLICE(""));
    say(all, 0, 50);
    say(all, second, all.length);
    expect(0);
    now_us += 6 * SECOND;
    segment(4000, isn + 1 + (uint32_t)all.length, 0, SLICE(SHORT("BYE", "3")));
    ck_assert_uint_eq(heard_of(heard, TAP_TCP_GAPS), 1);
    ck_assert_str_eq(heard->lines, "OPTIONS sip:b@h SIP/2.0\nBYE sip:b@h SIP/2.0\n");
}
END_TEST

START_TEST(flush_gives_holes_up)
{
    struct slice all = SLICE(TWO);
    size_t second = sizeof(SHORT("INVITE", "1")) - 1;
    segment(4000, isn, SYN, SLICE(""));
    say(all, 0, 50);
    say(all, second, all.length);
    tap_path_flush(heard->path);
    expect(1);
    ck_assert_str_eq(heard->lines, "OPTIONS sip:b@h SIP/2.0\n");
}
END_TEST

START_TEST(cut_by_the_snap_length)
{
    struct slice all = SLICE(TWO);
    segment(4000, isn, SYN, SLICE(""));
    frame_begin(&frame, all);
    frame_tcp(&frame, 4000, 5060, isn + 1, 0);
    frame_ipv4(&frame, (struct ip){1, 2, TCP, 1, 0, false});
    feed_at(heard, TAP_LINK_RAW, slice_first(frame_slice(&frame), 90), now_us);
    segment(4000, isn + 1 + (uint32_t)all.length, 0, all);
    expect(2);
    ck_assert_uint_eq(heard_of(heard, TAP_CUT), 1);
}
END_TEST

START_TEST(another_protocol_is_forgotten)
{
    segment(4000, isn, SYN, SLICE(""));
    segment(4000, isn + 1, 0, SLICE("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    segment(4000, isn + 28, 0, SLICE("more"));
    expect(0);
    ck_assert_uint_eq(heard_of(heard, TAP_TCP_OTHER), 2);
}
END_TEST

START_TEST(keep_alives)
{
    segment(4000, isn, SYN, SLICE(""));
    segment(4000, isn + 1, 0, SLICE("\r\n\r\n"));
    segment(4000, isn + 5, 0, SLICE(SHORT("INVITE", "1") "\r\n\r\n" SHORT("OPTIONS", "2")));
    expect(2);
}
END_TEST

START_TEST(same_ports_again)
{
    segment(4000, isn, SYN, SLICE(""));
    say(SLICE(TWO), 0, 50);
    segment(4000, 77, SYN, SLICE(""));
    segment(4000, 78, 0, SLICE(TWO));
    expect(2);
    segment(4000, 0x12345678, 0, SLICE(SHORT("BYE", "3")));
    expect(3);
}
END_TEST

START_TEST(ends)
{
    struct slice all = SLICE(SHORT("INVITE", "1"));
    segment(4000, isn, SYN, SLICE(""));
    segment(4000, isn + 1, FIN, all);
    segment(4001, isn, SYN, SLICE(""));
    segment(4001, isn + 1, RST, SLICE(""));
    expect(1);
    ck_assert_uint_eq(heard_of(heard, TAP_TCP_FLOWS), 2);
    ck_assert_uint_lt(tap_path_held(heard->path), (size_t)8 << 20);
}
END_TEST

START_TEST(syn_flood_spares_sip)
{
    struct slice all = SLICE(TWO);
    segment(4000, isn, SYN, SLICE(""));
    say(all, 0, 100);
    for (uint32_t i = 0; i < FLOOD; i++) {
        frame_begin(&frame, SLICE(""));
        frame_tcp(&frame, i & 0xffff, 5060, i, SYN);
        frame_ipv4(&frame, (struct ip){(uint8_t)(3 + (i >> 16)), 2, TCP, 1, 0, false});
        feed_at(heard, TAP_LINK_RAW, frame_slice(&frame), now_us);
    }
    ck_assert_uint_gt(heard_of(heard, TAP_TCP_FLOWS_EVICTED), FLOOD - 70000);
    say(all, 100, all.length);
    expect(2);
}
END_TEST

/* Bytes far ahead of a hole, on many connections: memory is bounded by its limit. */
START_TEST(hole_flood_is_bounded)
{
    static char bytes[1400];
    memset(bytes, 'x', sizeof(bytes));
    for (uint32_t i = 0; i < HOLES; i++) {
        unsigned port = 1 + i % 2000;
        if (i < 2000)
            segment(port, isn, SYN, SLICE(""));
        segment(port, isn + 100 + i, 0, slice_make(bytes, sizeof(bytes)));
    }
    ck_assert_uint_le(tap_path_held(heard->path), (size_t)100 << 20);
    expect(0);
}
END_TEST

START_TEST(packets_of_a_message)
{
    struct slice all = SLICE(TWO);
    size_t second = sizeof(SHORT("INVITE", "1")) - 1;
    segment(4000, isn, SYN, SLICE(""));
    say(all, 0, 40);
    say(all, 40, second + 10);
    ck_assert_uint_eq(heard->last.packet_count, 2);
    ck_assert_uint_eq(heard->last_packets[0], 2);
    ck_assert_uint_eq(heard->last_packets[1], 3);
    say(all, second + 10, all.length);
    ck_assert_uint_eq(heard->last.packet_count, 2);
    ck_assert_uint_eq(heard->last_packets[0], 3);
    ck_assert_uint_eq(heard->last_packets[1], 4);
}
END_TEST

/* A message larger than any segment, and than what is first held. */
START_TEST(large)
{
    static char text[40000];
    int length = snprintf(text, sizeof(text),
                          "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/TCP one;branch=z9hG4bK1\r\n"
                          "From: <sip:a@a>;tag=a\r\nTo: <sip:b@b>\r\nCall-ID: c\r\n"
                          "CSeq: 1 INVITE\r\nContent-Length: 30000\r\n\r\n");
    memset(text + length, 'b', 30000);
    struct slice all = slice_make(text, (size_t)length + 30000);
    for (size_t at = 0; at < all.length; at += 1400)
        segment(4000, isn + (uint32_t)at, 0, slice_first(slice_from(all, at), 1400));
    expect(1);
    ck_assert_uint_eq(heard->message_length, all.length);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, cut_at_each_byte);
    tcase_add_test(tests, byte_by_byte_backwards);
    tcase_add_test(tests, begun_before_the_capture);
    tcase_add_test(tests, first_segment_comes_second);
    tcase_add_test(tests, repeated_and_overlapping);
    tcase_add_test(tests, first_bytes_win);
    tcase_add_test(tests, hole_is_given_up_in_time);
    tcase_add_test(tests, flush_gives_holes_up);
    tcase_add_test(tests, cut_by_the_snap_length);
    tcase_add_test(tests, another_protocol_is_forgotten);
    tcase_add_test(tests, keep_alives);
    tcase_add_test(tests, same_ports_again);
    tcase_add_test(tests, ends);
    tcase_add_test(tests, syn_flood_spares_sip);
    tcase_add_test(tests, hole_flood_is_bounded);
    tcase_add_test(tests, packets_of_a_message);
    tcase_add_test(tests, large);
}

int main(void)
{
    return test_run("streams", add);
}
