/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/path.h"

#include "tap_test.h"

static struct heard *heard;
static struct frame frame;

static void set_up(void)
{
    heard = heard_begin(NULL);
}

static void tear_down(void)
{
    heard_end(heard);
}

static void put_at(struct slice bytes, uint64_t wall_us)
{
    frame_begin(&frame, bytes);
    frame_udp(&frame, 5060, 5060);
    frame_ipv4(&frame, (struct ip){1, 2, UDP, 1, 0, false});
    feed_at(heard, TAP_LINK_RAW, frame_slice(&frame), wall_us);
}

static void put(struct slice bytes)
{
    put_at(bytes, NOON);
}

START_TEST(any_port)
{
    frame_begin(&frame, SLICE(INVITE));
    frame_udp(&frame, 40000, 17);
    frame_ipv4(&frame, (struct ip){1, 2, UDP, 1, 0, false});
    feed(heard, TAP_LINK_RAW, &frame);
    ck_assert_uint_eq(heard->count, 1);
    ck_assert_uint_eq(heard->last.destination.port, 17);
    ck_assert_uint_eq(heard->last.wall_us, NOON);
}
END_TEST

START_TEST(blank_lines_before)
{
    put(SLICE("\r\n\r\n" INVITE));
    put(SLICE("\r\n\r\n"));
    ck_assert_uint_eq(heard->count, 1);
    ck_assert_uint_eq(heard_of(heard, TAP_UDP_OTHER), 1);
}
END_TEST

START_TEST(seen_on_two_interfaces)
{
    put_at(SLICE(INVITE), NOON);
    put_at(SLICE(INVITE), NOON + 200);
    ck_assert_uint_eq(heard->count, 1);
    ck_assert_uint_eq(heard_of(heard, TAP_DUPLICATES), 1);
}
END_TEST

START_TEST(a_retransmission_counts)
{
    put_at(SLICE(INVITE), NOON);
    put_at(SLICE(INVITE), NOON + SECOND / 2);
    ck_assert_uint_eq(heard_of(heard, TAP_MESSAGES), 2);
}
END_TEST

START_TEST(both_sides_of_a_proxy)
{
    put_at(SLICE(INVITE), NOON);
    put_at(SLICE(INVITE_VIA(VIA("proxy") VIA("1"))), NOON + 3000);
    put_at(SLICE(INVITE_VIA("Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKnext, SIP/2.0/UDP "
                            "10.0.0.5;branch=z9hG4bKproxy, SIP/2.0/UDP "
                            "10.0.0.1:5060;branch=z9hG4bK1;received=1.2.3.4\r\n")),
           NOON + 6000);
    ck_assert_uint_eq(heard_of(heard, TAP_MESSAGES), 1);
    ck_assert_uint_eq(heard_of(heard, TAP_OTHER_LEG), 2);
    ck_assert_uint_eq(heard->other_leg, 2);
}
END_TEST

/* The second hop retransmits too: still the same message. */
START_TEST(other_leg_repeats)
{
    put_at(SLICE(INVITE), NOON);
    put_at(SLICE(INVITE_VIA(VIA("proxy") VIA("1"))), NOON + 3000);
    put_at(SLICE(INVITE_VIA(VIA("proxy") VIA("1"))), NOON + SECOND / 2);
    ck_assert_uint_eq(heard_of(heard, TAP_MESSAGES), 1);
}
END_TEST

/* Of several files the second may be the earlier one; after 32 s nothing is a copy any more. */
START_TEST(windows_of_copies)
{
    put_at(SLICE(INVITE), NOON);
    put_at(SLICE(INVITE), NOON - 40000);
    ck_assert_uint_eq(heard_of(heard, TAP_DUPLICATES), 1);
    put_at(SLICE(INVITE), NOON + 60000);
    ck_assert_uint_eq(heard_of(heard, TAP_MESSAGES), 2);
    put_at(SLICE(INVITE_VIA(VIA("proxy") VIA("1"))), NOON + 31 * SECOND);
    ck_assert_uint_eq(heard_of(heard, TAP_OTHER_LEG), 1);
    put_at(SLICE(INVITE_VIA(VIA("proxy") VIA("1"))), NOON + 33 * SECOND);
    ck_assert_uint_eq(heard_of(heard, TAP_MESSAGES), 3);
}
END_TEST

START_TEST(another_branch_is_another_request)
{
    put_at(SLICE(INVITE), NOON);
    put_at(SLICE(INVITE_VIA(VIA("2"))), NOON);
    ck_assert_uint_eq(heard_of(heard, TAP_MESSAGES), 2);
}
END_TEST

START_TEST(malformed_counts)
{
    put(SLICE("INVITE sip:bob@b SIP/2.0\r\nVia\r\n\r\n"));
    ck_assert_uint_eq(heard_of(heard, TAP_MESSAGES), 1);
    ck_assert_uint_eq(heard_of(heard, TAP_MESSAGES_BAD), 1);
}
END_TEST

START_TEST(cut_by_the_snap_length)
{
    frame_begin(&frame, SLICE(INVITE));
    frame_udp(&frame, 5060, 5060);
    frame_ipv4(&frame, (struct ip){1, 2, UDP, 1, 0, false});
    feed_at(heard, TAP_LINK_RAW, slice_first(frame_slice(&frame), 150), NOON);
    ck_assert_uint_eq(heard->count, 1);
    ck_assert_uint_eq(heard_of(heard, TAP_CUT), 1);
}
END_TEST

START_TEST(everything_is_counted)
{
    put(SLICE("GET / HTTP/1.1\r\n\r\n"));
    frame_begin(&frame, SLICE("arp"));
    frame_ethernet(&frame, 0x0806);
    feed(heard, TAP_LINK_ETHERNET, &frame);
    ck_assert_uint_eq(heard_of(heard, TAP_PACKETS), 2);
    ck_assert_uint_eq(heard_of(heard, TAP_UDP_OTHER), 1);
    ck_assert_uint_eq(heard_of(heard, TAP_NOT_IP), 1);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, any_port);
    tcase_add_test(tests, blank_lines_before);
    tcase_add_test(tests, seen_on_two_interfaces);
    tcase_add_test(tests, a_retransmission_counts);
    tcase_add_test(tests, both_sides_of_a_proxy);
    tcase_add_test(tests, other_leg_repeats);
    tcase_add_test(tests, windows_of_copies);
    tcase_add_test(tests, another_branch_is_another_request);
    tcase_add_test(tests, malformed_counts);
    tcase_add_test(tests, cut_by_the_snap_length);
    tcase_add_test(tests, everything_is_counted);
}

int main(void)
{
    return test_run("path", add);
}
