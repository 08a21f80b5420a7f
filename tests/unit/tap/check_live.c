/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/live.h"

#include <errno.h>
#include <pcap/pcap.h>

#include "tap_test.h"

static const uint16_t ports[] = {5060, 5080};
static struct bpf_program program;
static struct frame frame;

static void set_up(void)
{
    char text[4096];
    struct buffer filter = buffer_over(text, sizeof(text) - 1);
    pcap_t *dead = pcap_open_dead(DLT_EN10MB, 65535);
    tap_filter_append(&filter, ports, 2);
    ck_assert(!filter.overflow);
    text[filter.length] = '\0';
    ck_assert_ptr_nonnull(dead);
    ck_assert_msg(pcap_compile(dead, &program, text, 1, PCAP_NETMASK_UNKNOWN) == 0, "%s: %s", text,
                  pcap_geterr(dead));
    pcap_close(dead);
}

static void tear_down(void)
{
    pcap_freecode(&program);
}

static bool passes(void)
{
    struct slice bytes = frame_slice(&frame);
    const struct pcap_pkthdr header = {.caplen = (bpf_u_int32)bytes.length,
                                       .len = (bpf_u_int32)bytes.length};
    return pcap_offline_filter(&program, &header, (const u_char *)bytes.data) != 0;
}

static void begin(unsigned port)
{
    frame_begin(&frame, SLICE(INVITE));
    frame_udp(&frame, 40000, port);
}

static void plain(unsigned port, struct ip ip)
{
    begin(port);
    frame_ipv4(&frame, ip);
}

static const struct ip whole = {1, 2, UDP, 7, 0, false};

START_TEST(ports_only)
{
    plain(5080, whole);
    frame_ethernet(&frame, 0x0800);
    ck_assert(passes());
    plain(5070, whole);
    frame_ethernet(&frame, 0x0800);
    ck_assert(!passes());
}
END_TEST

/* What has no port is let through, whatever else it is. */
START_TEST(fragments)
{
    frame_begin(&frame, SLICE("12345678"));
    frame_ipv4(&frame, (struct ip){1, 2, UDP, 7, 1480, false});
    frame_ethernet(&frame, 0x0800);
    ck_assert(passes());
    plain(5060, (struct ip){1, 2, UDP, 7, 0, true});
    frame_ethernet(&frame, 0x0800);
    ck_assert(passes());
    frame_begin(&frame, SLICE("12345678"));
    frame_ipv6_fragment(&frame, (struct ip){1, 2, UDP, 7, 1480, false});
    frame_ipv6(&frame, (struct ip){1, 2, 44, 0, 0, false});
    frame_ethernet(&frame, 0x86dd);
    ck_assert(passes());
}
END_TEST

START_TEST(behind_tags)
{
    plain(5060, whole);
    frame_type(&frame, 0x0800, 2);
    frame_ethernet(&frame, 0x8100);
    ck_assert(passes());
    plain(5060, whole);
    frame_type(&frame, 0x0800, 2);
    frame_type(&frame, 0x8100, 2);
    frame_ethernet(&frame, 0x88a8);
    ck_assert(passes());
    frame_begin(&frame, SLICE("12345678"));
    frame_ipv4(&frame, (struct ip){1, 2, UDP, 7, 1480, false});
    frame_type(&frame, 0x0800, 2);
    frame_ethernet(&frame, 0x8100);
    ck_assert(passes());
    plain(5070, whole);
    frame_type(&frame, 0x0800, 2);
    frame_ethernet(&frame, 0x8100);
    ck_assert(!passes());
}
END_TEST

START_TEST(tunnels)
{
    plain(5060, whole);
    frame_ipv4(&frame, (struct ip){8, 9, 4, 1, 0, false});
    frame_ethernet(&frame, 0x0800);
    ck_assert(passes());
    plain(5060, whole);
    frame_put32(&frame, 0x00000800);
    frame_ipv4(&frame, (struct ip){8, 9, 47, 1, 0, false});
    frame_ethernet(&frame, 0x0800);
    ck_assert(passes());
    plain(5060, whole);
    frame_put32(&frame, 0x11140);
    frame_ethernet(&frame, 0x8847);
    ck_assert(passes());
}
END_TEST

START_TEST(everything_without_ports)
{
    char text[16];
    struct buffer filter = buffer_over(text, sizeof(text));
    tap_filter_append(&filter, NULL, 0);
    ck_assert_uint_eq(filter.length, 0);
}
END_TEST

START_TEST(no_such_interface)
{
    char message[256];
    struct tap_live *live;
    const struct tap_live_settings settings = {
        .interface = "nowhere0", .filter = "", .snap_length = 65535, .buffer_bytes = 1 << 20};
    int error = tap_live_open(&settings, message, sizeof(message), &live);
    ck_assert(error == ERROR_UNAVAILABLE || error == -EPERM);
    ck_assert_ptr_nonnull(strstr(message, "nowhere0"));
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, ports_only);
    tcase_add_test(tests, fragments);
    tcase_add_test(tests, behind_tags);
    tcase_add_test(tests, tunnels);
    tcase_add_test(tests, everything_without_ports);
    tcase_add_test(tests, no_such_interface);
}

int main(void)
{
    return test_run("live", add);
}
