/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/walk.h"

#include "tap_test.h"

static struct frame frame;

static void begin_udp(void)
{
    frame_begin(&frame, SLICE(INVITE));
    frame_udp(&frame, 5060, 5070);
}

static void begin_ipv4(void)
{
    begin_udp();
    frame_ipv4(&frame, (struct ip){1, 2, UDP, 7, 0, false});
}

static void begin_ipv6(void)
{
    begin_udp();
    frame_ipv6(&frame, (struct ip){1, 2, UDP, 0, 0, false});
}

static void put_mpls(uint32_t label, bool bottom)
{
    frame_put32(&frame, label << 12 | (bottom ? 0x140 : 0x40));
}

/* ---- what is around ------------------------------------------------------------------------ */

static void ethernet(void)
{
    begin_ipv4();
    frame_ethernet(&frame, 0x0800);
}

static void ethernet_v6(void)
{
    begin_ipv6();
    frame_ethernet(&frame, 0x86dd);
}

static void cooked(void)
{
    begin_ipv4();
    frame_type(&frame, 0x0800, 14);
}

static void cooked_v2(void)
{
    static const char zeros[18];
    begin_ipv6();
    frame_put(&frame, zeros, sizeof(zeros));
    frame_put16(&frame, 0x86dd);
}

static void null_little(void)
{
    begin_ipv4();
    frame_put32(&frame, 0x02000000);
}

static void null_big(void)
{
    begin_ipv6();
    frame_put32(&frame, 30);
}

static void loop(void)
{
    begin_ipv6();
    frame_put32(&frame, 24);
}

static void vlan(void)
{
    begin_ipv4();
    frame_type(&frame, 0x0800, 2);
    frame_ethernet(&frame, 0x8100);
}

static void qinq(void)
{
    begin_ipv4();
    frame_type(&frame, 0x0800, 2);
    frame_type(&frame, 0x8100, 2);
    frame_ethernet(&frame, 0x88a8);
}

static void mpls(void)
{
    begin_ipv4();
    put_mpls(17, true);
    put_mpls(18, false);
    frame_ethernet(&frame, 0x8847);
}

static void pseudowire(void)
{
    ethernet();
    frame_put32(&frame, 0);
    put_mpls(17, true);
    frame_ethernet(&frame, 0x8847);
}

static void pppoe(void)
{
    begin_ipv4();
    frame_put16(&frame, 0x0021);
    frame_put16(&frame, 0);
    frame_put32(&frame, 0x11000001);
    frame_ethernet(&frame, 0x8864);
}

static void ip_in_ip(void)
{
    begin_ipv4();
    frame_ipv4(&frame, (struct ip){8, 9, 4, 1, 0, false});
    frame_ethernet(&frame, 0x0800);
}

static void six_in_four(void)
{
    begin_ipv6();
    frame_ipv4(&frame, (struct ip){8, 9, 41, 1, 0, false});
    frame_ethernet(&frame, 0x0800);
}

static void gre(void)
{
    begin_ipv4();
    frame_put32(&frame, 0x00000800);
    frame_ipv4(&frame, (struct ip){8, 9, 47, 1, 0, false});
    frame_ethernet(&frame, 0x0800);
}

static void gre_with_all(void)
{
    ethernet();
    frame_put32(&frame, 3);          /* sequence */
    frame_put32(&frame, 2);          /* key */
    frame_put32(&frame, 1);          /* checksum */
    frame_put32(&frame, 0xb0006558); /* Ethernet */
    frame_ipv6(&frame, (struct ip){8, 9, 47, 1, 0, false});
    frame_ethernet(&frame, 0x86dd);
}

static void erspan(void)
{
    ethernet();
    frame_put32(&frame, 0);
    frame_put32(&frame, 0x10010000);
    frame_put32(&frame, 1);
    frame_put32(&frame, 0x100088be);
    frame_ipv4(&frame, (struct ip){8, 9, 47, 1, 0, false});
    frame_ethernet(&frame, 0x0800);
}

static void gtp(void)
{
    begin_ipv4();
    frame_put32(&frame, 0x1234);
    frame_put32(&frame, 0x30ff0000U);
    frame_udp(&frame, 2152, 2152);
    frame_ipv4(&frame, (struct ip){8, 9, UDP, 1, 0, false});
    frame_ethernet(&frame, 0x0800);
}

/* With a sequence number and the PDU session container of 5G. */
static void gtp_extended(void)
{
    begin_ipv4();
    frame_put32(&frame, 0x01000900);
    frame_put32(&frame, 0x00010085);
    frame_put32(&frame, 0x1234);
    frame_put32(&frame, 0x36ff0000U);
    frame_udp(&frame, 2152, 2152);
    frame_ipv6(&frame, (struct ip){8, 9, UDP, 1, 0, false});
    frame_ethernet(&frame, 0x86dd);
}

static void vxlan(void)
{
    ethernet();
    frame_put32(&frame, 0x00001200);
    frame_put32(&frame, 0x08000000);
    frame_udp(&frame, 40000, 4789);
    frame_ipv4(&frame, (struct ip){8, 9, UDP, 1, 0, false});
    frame_ethernet(&frame, 0x0800);
}

static void ipv6_extensions(void)
{
    begin_udp();
    frame_put32(&frame, 0);
    frame_put16(&frame, 0x0104);
    frame_put16(&frame, UDP * 256); /* destination options, 8 bytes */
    frame_put32(&frame, 0);
    frame_put16(&frame, 0x0104);
    frame_put16(&frame, 60 * 256); /* hop by hop */
    frame_ipv6(&frame, (struct ip){1, 2, 0, 0, 0, false});
    frame_ethernet(&frame, 0x86dd);
}

static void atomic_fragment(void)
{
    begin_udp();
    frame_ipv6_fragment(&frame, (struct ip){1, 2, UDP, 5, 0, false});
    frame_ipv6(&frame, (struct ip){1, 2, 44, 0, 0, false});
    frame_ethernet(&frame, 0x86dd);
}

static const struct {
    const char *name;
    enum tap_link link;
    void (*build)(void);
} rows[] = {
    {"Ethernet", TAP_LINK_ETHERNET, ethernet},
    {"Ethernet, IPv6", TAP_LINK_ETHERNET, ethernet_v6},
    {"cooked", TAP_LINK_COOKED, cooked},
    {"cooked version 2", TAP_LINK_COOKED_V2, cooked_v2},
    {"null, little endian", TAP_LINK_NULL, null_little},
    {"null, big endian", TAP_LINK_NULL, null_big},
    {"loop", TAP_LINK_LOOP, loop},
    {"raw", TAP_LINK_RAW, begin_ipv4},
    {"raw, IPv6", TAP_LINK_RAW_FILE, begin_ipv6},
    {"IPv4", TAP_LINK_IPV4, begin_ipv4},
    {"IPv6", TAP_LINK_IPV6, begin_ipv6},
    {"VLAN", TAP_LINK_ETHERNET, vlan},
    {"QinQ", TAP_LINK_ETHERNET, qinq},
    {"MPLS", TAP_LINK_ETHERNET, mpls},
    {"MPLS pseudowire", TAP_LINK_ETHERNET, pseudowire},
    {"PPPoE", TAP_LINK_ETHERNET, pppoe},
    {"IP in IP", TAP_LINK_ETHERNET, ip_in_ip},
    {"IPv6 in IPv4", TAP_LINK_ETHERNET, six_in_four},
    {"GRE", TAP_LINK_ETHERNET, gre},
    {"GRE, all options, Ethernet", TAP_LINK_ETHERNET, gre_with_all},
    {"ERSPAN", TAP_LINK_ETHERNET, erspan},
    {"GTP-U", TAP_LINK_ETHERNET, gtp},
    {"GTP-U, extension header", TAP_LINK_ETHERNET, gtp_extended},
    {"VXLAN", TAP_LINK_ETHERNET, vxlan},
    {"IPv6 extension headers", TAP_LINK_ETHERNET, ipv6_extensions},
    {"atomic fragment", TAP_LINK_ETHERNET, atomic_fragment},
};

static enum tap_step walk_all(struct tap_walk *walk, enum tap_link link, struct slice bytes)
{
    tap_walk_begin(walk, link, bytes);
    return tap_walk_next(walk);
}

START_TEST(taken_off)
{
    struct tap_walk walk;
    rows[_i].build();
    ck_assert_msg(walk_all(&walk, rows[_i].link, frame_slice(&frame)) == TAP_STEP_UDP, "%s",
                  rows[_i].name);
    ck_assert_msg(slice_equal(walk.rest, SLICE(INVITE)), "%s", rows[_i].name);
    ck_assert_uint_eq(walk.source.port, 5060);
    ck_assert_uint_eq(walk.destination.port, 5070);
    ck_assert_uint_eq(walk.source.bytes[walk.source.family == 4 ? 3 : 15], 1);
    ck_assert_uint_eq(walk.destination.bytes[walk.source.family == 4 ? 3 : 15], 2);
    ck_assert_uint_eq(walk.missing, 0);
    ck_assert_int_eq(tap_walk_next(&walk), TAP_STEP_NOTHING);
}
END_TEST

/* Cut anywhere, never more is read than there is. What is cut within the header of a tunnel over
 * UDP is a datagram by itself. */
START_TEST(cut_anywhere)
{
    struct tap_walk walk;
    rows[_i].build();
    struct slice whole = frame_slice(&frame);
    for (size_t length = 0; length < whole.length; length++) {
        char *exact = malloc(length + 1);
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, whole.data, length);
        if (walk_all(&walk, rows[_i].link, slice_make(exact, length)) == TAP_STEP_UDP)
            ck_assert_uint_ge(walk.rest.length + walk.missing, sizeof(INVITE) - 1);
        free(exact);
    }
}
END_TEST

START_TEST(padding_is_no_payload)
{
    struct tap_walk walk;
    struct frame padded;
    ethernet();
    struct slice whole = frame_slice(&frame);
    frame_begin(&padded, SLICE("padding"));
    frame_put(&padded, whole.data, whole.length);
    ck_assert_int_eq(walk_all(&walk, TAP_LINK_ETHERNET, frame_slice(&padded)), TAP_STEP_UDP);
    ck_assert(slice_equal(walk.rest, SLICE(INVITE)));
}
END_TEST

static void ends_as(enum tap_count why)
{
    struct tap_walk walk;
    ck_assert_int_eq(walk_all(&walk, TAP_LINK_ETHERNET, frame_slice(&frame)), TAP_STEP_NOTHING);
    ck_assert_str_eq(tap_count_rows[walk.why].key, tap_count_rows[why].key);
}

START_TEST(quoted_in_icmp)
{
    begin_ipv4();
    frame_put32(&frame, 0);
    frame_put32(&frame, 0x03030000);
    frame_ipv4(&frame, (struct ip){8, 9, 1, 1, 0, false});
    frame_ethernet(&frame, 0x0800);
    ends_as(TAP_ICMP);
}
END_TEST

START_TEST(no_ip)
{
    frame_begin(&frame, SLICE("who has"));
    frame_ethernet(&frame, 0x0806);
    ends_as(TAP_NOT_IP);
    frame_begin(&frame, SLICE("spanning tree"));
    frame_ethernet(&frame, 38);
    ends_as(TAP_NOT_IP);
}
END_TEST

START_TEST(sctp)
{
    begin_udp();
    frame_ipv4(&frame, (struct ip){1, 2, 132, 7, 0, false});
    frame_ethernet(&frame, 0x0800);
    ends_as(TAP_OTHER_PROTOCOL);
}
END_TEST

START_TEST(a_tower)
{
    begin_ipv4();
    for (unsigned i = 0; i < 20; i++)
        frame_ipv4(&frame, (struct ip){8, 9, 4, 1, 0, false});
    frame_ethernet(&frame, 0x0800);
    ends_as(TAP_TOO_DEEP);
}
END_TEST

START_TEST(labels_without_bottom)
{
    frame_begin(&frame, SLICE(""));
    for (unsigned i = 0; i < 100; i++)
        put_mpls(17, false);
    frame_ethernet(&frame, 0x8847);
    ends_as(TAP_TOO_DEEP);
}
END_TEST

/* On their ports, but not what the ports are for. */
START_TEST(sip_on_ports_of_tunnels)
{
    static const unsigned ports[] = {2152, 4789, 8472};
    struct tap_walk walk;
    frame_begin(&frame, SLICE(INVITE));
    frame_udp(&frame, 5060, ports[_i]);
    frame_ipv4(&frame, (struct ip){1, 2, UDP, 7, 0, false});
    ck_assert_int_eq(walk_all(&walk, TAP_LINK_RAW, frame_slice(&frame)), TAP_STEP_UDP);
    ck_assert(slice_equal(walk.rest, SLICE(INVITE)));
}
END_TEST

START_TEST(lengths_that_lie)
{
    begin_udp();
    frame.bytes[frame.begin + 4] = 0x7f; /* UDP says more than IP */
    frame_ipv4(&frame, (struct ip){1, 2, UDP, 7, 0, false});
    frame_ethernet(&frame, 0x0800);
    ends_as(TAP_MALFORMED);
    begin_udp();
    frame.bytes[frame.begin + 4] = 0;
    frame.bytes[frame.begin + 5] = 7; /* less than its header */
    frame_ipv4(&frame, (struct ip){1, 2, UDP, 7, 0, false});
    frame_ethernet(&frame, 0x0800);
    ends_as(TAP_MALFORMED);
    begin_ipv4();
    frame.bytes[frame.begin] = 0x4f; /* options that are not there */
    frame.bytes[frame.begin + 2] = 0;
    frame.bytes[frame.begin + 3] = 40;
    frame_ethernet(&frame, 0x0800);
    ends_as(TAP_MALFORMED);
}
END_TEST

/* Captured before the card cut it into segments. */
START_TEST(no_total_length)
{
    struct tap_walk walk;
    begin_ipv4();
    frame.bytes[frame.begin + 2] = 0;
    frame.bytes[frame.begin + 3] = 0;
    ck_assert_int_eq(walk_all(&walk, TAP_LINK_RAW, frame_slice(&frame)), TAP_STEP_UDP);
    ck_assert(slice_equal(walk.rest, SLICE(INVITE)));
}
END_TEST

START_TEST(fragment_is_told)
{
    struct tap_walk walk;
    frame_begin(&frame, SLICE("12345678"));
    frame_ipv4(&frame, (struct ip){1, 2, UDP, 77, 1480, true});
    ck_assert_int_eq(walk_all(&walk, TAP_LINK_RAW, frame_slice(&frame)), TAP_STEP_FRAGMENT);
    ck_assert_uint_eq(walk.fragment.identification, 77);
    ck_assert_uint_eq(walk.fragment.offset, 1480);
    ck_assert(walk.fragment.more);
    begin_udp();
    tap_walk_resume(&walk, frame_slice(&frame));
    ck_assert_int_eq(tap_walk_next(&walk), TAP_STEP_UDP);
    ck_assert(slice_equal(walk.rest, SLICE(INVITE)));
}
END_TEST

START_TEST(link_numbers)
{
    enum tap_link link;
    for (unsigned i = 0; i < TAP_LINK_COUNT; i++) {
        ck_assert(tap_link_of(tap_link_number((enum tap_link)i), &link));
        ck_assert_uint_eq(link, i);
        ck_assert_str_ne(tap_link_name(link), "");
    }
    ck_assert(!tap_link_of(105, &link)); /* IEEE 802.11 */
}
END_TEST

static void add(TCase *tests)
{
    int count = (int)(sizeof(rows) / sizeof(rows[0]));
    tcase_add_loop_test(tests, taken_off, 0, count);
    tcase_add_loop_test(tests, cut_anywhere, 0, count);
    tcase_add_test(tests, padding_is_no_payload);
    tcase_add_test(tests, quoted_in_icmp);
    tcase_add_test(tests, no_ip);
    tcase_add_test(tests, sctp);
    tcase_add_test(tests, a_tower);
    tcase_add_test(tests, labels_without_bottom);
    tcase_add_loop_test(tests, sip_on_ports_of_tunnels, 0, 3);
    tcase_add_test(tests, lengths_that_lie);
    tcase_add_test(tests, no_total_length);
    tcase_add_test(tests, fragment_is_told);
    tcase_add_test(tests, link_numbers);
}

int main(void)
{
    return test_run("walk", add);
}
