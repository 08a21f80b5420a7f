/* SPDX-License-Identifier: Apache-2.0 */
/* Runs on one thread. */
#include "tap/fragments.h"

#include "tap_test.h"

/* One INVITE in UDP, as the payload of IP that is cut into fragments. */
static struct frame whole;
static struct frame piece;
static struct heard *heard;

enum { VERSION_4 = 4, VERSION_6 = 6 };

static void set_up(void)
{
    frame_begin(&whole, SLICE(INVITE));
    frame_udp(&whole, 5060, 5060);
    heard = heard_begin(NULL);
}

static void tear_down(void)
{
    heard_end(heard);
}

static void put_bytes(int version, struct ip ip, struct slice bytes, uint64_t wall_us)
{
    frame_begin(&piece, bytes);
    ip.protocol = UDP;
    if (version == VERSION_4) {
        frame_ipv4(&piece, ip);
    } else {
        frame_ipv6_fragment(&piece, ip);
        ip.protocol = 44;
        frame_ipv6(&piece, ip);
    }
    feed_at(heard, TAP_LINK_RAW, frame_slice(&piece), wall_us);
}

/* Bytes from..to of the datagram. */
static void put(int version, size_t from, size_t to)
{
    struct slice all = frame_slice(&whole);
    struct slice bytes = slice_first(slice_from(all, from), to - from);
    put_bytes(version, (struct ip){1, 2, UDP, 7, (uint16_t)from, from + bytes.length < all.length},
              bytes, NOON);
}

static size_t all(void)
{
    return frame_slice(&whole).length;
}

static const int versions[] = {VERSION_4, VERSION_6};

START_TEST(in_order)
{
    put(versions[_i], 0, 64);
    put(versions[_i], 64, 128);
    ck_assert_uint_eq(heard->count, 0);
    put(versions[_i], 128, all());
    ck_assert_uint_eq(heard->count, 1);
    ck_assert_uint_eq(heard->message_length, sizeof(INVITE) - 1);
    ck_assert_uint_eq(heard->last.packet_count, 3);
    ck_assert_uint_eq(heard->last_packets[2], 3);
    ck_assert_uint_eq(heard_of(heard, TAP_FRAGMENTS_JOINED), 1);
}
END_TEST

START_TEST(backwards)
{
    put(versions[_i], 128, all());
    put(versions[_i], 64, 128);
    put(versions[_i], 0, 64);
    ck_assert_uint_eq(heard->count, 1);
    ck_assert_uint_eq(heard->last_packets[0], 3);
}
END_TEST

START_TEST(each_twice)
{
    for (unsigned i = 0; i < 2; i++)
        put(versions[_i], 0, 64);
    for (unsigned i = 0; i < 2; i++)
        put(versions[_i], 64, all());
    ck_assert_uint_eq(heard->count, 1);
    ck_assert_uint_eq(heard_of(heard, TAP_FRAGMENTS_REPEATED), 2);
}
END_TEST

/* The copy of the last one is no beginning of another datagram. */
START_TEST(copies_behind_the_last)
{
    struct slice bytes = frame_slice(&whole);
    for (unsigned i = 0; i < 2; i++) {
        put(versions[_i], 0, 64);
        put(versions[_i], 64, all());
    }
    ck_assert_uint_eq(heard->count, 1);
    ck_assert_uint_eq(heard_of(heard, TAP_FRAGMENTS_JOINED), 1);
    ck_assert_uint_eq(heard_of(heard, TAP_FRAGMENTS_REPEATED), 2);
    for (unsigned i = 1; i < 4; i++) {
        /* The identification has come round. */
        uint64_t later = NOON + i * SECOND / 10;
        put_bytes(versions[_i], (struct ip){1, 2, UDP, 7, 0, true}, slice_first(bytes, 64), later);
        put_bytes(versions[_i], (struct ip){1, 2, UDP, 7, 64, false}, slice_from(bytes, 64), later);
    }
    ck_assert_uint_eq(heard_of(heard, TAP_FRAGMENTS_JOINED), 4);
    put_bytes(versions[_i], (struct ip){1, 2, UDP, 8, 0, true}, slice_first(bytes, 64),
              NOON + 60 * SECOND);
    ck_assert_uint_eq(heard_of(heard, TAP_FRAGMENTS_EXPIRED), 0);
}
END_TEST

START_TEST(overlap_gives_up)
{
    put(versions[_i], 0, 64);
    put(versions[_i], 56, 128);
    put(versions[_i], 64, 128);
    put(versions[_i], 128, all());
    ck_assert_uint_eq(heard->count, 0);
    ck_assert_uint_eq(heard_of(heard, TAP_FRAGMENTS_OVERLAP), 1);
}
END_TEST

START_TEST(same_place_other_bytes)
{
    struct slice other = slice_make("INVITE sip:eve@", 8);
    put(versions[_i], 0, 8);
    put_bytes(versions[_i], (struct ip){1, 2, UDP, 7, 0, true}, other, NOON);
    put(versions[_i], 8, all());
    ck_assert_uint_eq(heard->count, 0);
    ck_assert_uint_eq(heard_of(heard, TAP_FRAGMENTS_OVERLAP), 1);
}
END_TEST

START_TEST(two_ends)
{
    put_bytes(versions[_i], (struct ip){1, 2, UDP, 7, 64, false}, SLICE("the end"), NOON);
    put(versions[_i], 128, all());
    ck_assert_uint_eq(heard_of(heard, TAP_FRAGMENTS_OVERLAP), 1);
}
END_TEST

START_TEST(behind_the_end)
{
    put_bytes(versions[_i], (struct ip){1, 2, UDP, 7, 64, false}, SLICE("the end"), NOON);
    put(versions[_i], 128, 136);
    ck_assert_uint_eq(heard_of(heard, TAP_FRAGMENTS_OVERLAP), 1);
}
END_TEST

START_TEST(beyond_the_largest)
{
    struct slice bytes = slice_first(frame_slice(&whole), 128);
    put_bytes(versions[_i], (struct ip){1, 2, UDP, 7, 65528, true}, bytes, NOON);
    ck_assert_uint_eq(heard_of(heard, TAP_MALFORMED), 1);
}
END_TEST

START_TEST(no_multiple_of_eight)
{
    put(versions[_i], 0, 65);
    ck_assert_uint_eq(heard_of(heard, TAP_MALFORMED), 1);
}
END_TEST

/* More pieces than any network makes: not one byte is handed out. */
START_TEST(tiny)
{
    size_t length = 16U * TAP_FRAGMENTS_MAX;
    char *bytes = calloc(1, length);
    ck_assert_ptr_nonnull(bytes);
    frame_begin(&whole, slice_make(bytes, length));
    free(bytes);
    for (size_t at = 0; at < length; at += 8)
        put(versions[_i], at, at + 8);
    ck_assert_uint_eq(heard_of(heard, TAP_FRAGMENTS_TOO_MANY), 1);
    ck_assert_uint_eq(heard_of(heard, TAP_FRAGMENTS_JOINED), 0);
}
END_TEST

START_TEST(the_rest_never_comes)
{
    struct slice bytes = slice_first(frame_slice(&whole), 64);
    struct ip ip = {1, 2, UDP, 7, 0, true};
    put_bytes(versions[_i], ip, bytes, NOON);
    put_bytes(versions[_i], ip, bytes, NOON + 31 * SECOND);
    ck_assert_uint_eq(heard_of(heard, TAP_FRAGMENTS_EXPIRED), 1);
    ck_assert_uint_eq(heard_of(heard, TAP_FRAGMENTS_REPEATED), 0);
}
END_TEST

/* Others' identification, addresses and protocol are others' datagrams. */
START_TEST(not_mixed)
{
    struct slice bytes = frame_slice(&whole);
    put(versions[_i], 0, 64);
    put_bytes(versions[_i], (struct ip){1, 2, UDP, 8, 64, false}, slice_from(bytes, 64), NOON);
    put_bytes(versions[_i], (struct ip){1, 3, UDP, 7, 64, false}, slice_from(bytes, 64), NOON);
    put_bytes(versions[_i], (struct ip){3, 2, UDP, 7, 64, false}, slice_from(bytes, 64), NOON);
    ck_assert_uint_eq(heard->count, 0);
    put(versions[_i], 64, all());
    ck_assert_uint_eq(heard->count, 1);
}
END_TEST

/* A flood: memory stays within its limits, and what comes whole meanwhile is taken. */
START_TEST(flood)
{
    struct slice bytes = slice_first(frame_slice(&whole), 64);
    for (uint16_t i = 0; i < 20000; i++)
        put_bytes(versions[_i], (struct ip){3, 2, UDP, i, 0, true}, bytes, NOON);
    ck_assert_uint_eq(heard_of(heard, TAP_FRAGMENTS_EVICTED), 20000 - 1024);
    ck_assert_uint_le(tap_path_held(heard->path), (size_t)16 << 20);
    put(versions[_i], 0, 64);
    put(versions[_i], 64, all());
    ck_assert_uint_eq(heard->count, 1);
}
END_TEST

/* A fragmented datagram that carries, in a tunnel, a fragmented datagram. */
START_TEST(fragments_in_fragments)
{
    struct slice inner = frame_slice(&whole);
    struct slice halves[] = {slice_first(inner, 96), slice_from(inner, 96)};
    static struct frame tunnel;
    for (unsigned i = 0; i < 2; i++) {
        frame_begin(&tunnel, halves[i]);
        frame_ipv4(&tunnel, (struct ip){1, 2, UDP, 7, (uint16_t)(96 * i), i == 0});
        for (unsigned j = 0; j < 2; j++) {
            struct slice outer = frame_slice(&tunnel);
            frame_begin(&piece, j == 0 ? slice_first(outer, 48) : slice_from(outer, 48));
            frame_ipv4(&piece,
                       (struct ip){8, 9, 4, (uint16_t)(70 + i), (uint16_t)(48 * j), j == 0});
            feed(heard, TAP_LINK_RAW, &piece);
        }
    }
    ck_assert_uint_eq(heard->count, 1);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, in_order, 0, 2);
    tcase_add_loop_test(tests, backwards, 0, 2);
    tcase_add_loop_test(tests, each_twice, 0, 2);
    tcase_add_loop_test(tests, copies_behind_the_last, 0, 2);
    tcase_add_loop_test(tests, overlap_gives_up, 0, 2);
    tcase_add_loop_test(tests, same_place_other_bytes, 0, 2);
    tcase_add_loop_test(tests, two_ends, 0, 2);
    tcase_add_loop_test(tests, behind_the_end, 0, 2);
    tcase_add_loop_test(tests, beyond_the_largest, 0, 2);
    tcase_add_loop_test(tests, no_multiple_of_eight, 0, 2);
    tcase_add_loop_test(tests, tiny, 0, 2);
    tcase_add_loop_test(tests, the_rest_never_comes, 0, 2);
    tcase_add_loop_test(tests, not_mixed, 0, 2);
    tcase_add_loop_test(tests, flood, 0, 2);
    tcase_add_test(tests, fragments_in_fragments);
}

int main(void)
{
    return test_run("fragments", add);
}
