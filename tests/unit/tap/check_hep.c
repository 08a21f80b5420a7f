/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/hep.h"

#include "tap_test.h"

static char packet[4096];
static size_t length;

static void chunk(unsigned vendor, unsigned type, const void *value, size_t size)
{
    const uint8_t header[6] = {(uint8_t)(vendor >> 8),     (uint8_t)vendor,
                               (uint8_t)(type >> 8),       (uint8_t)type,
                               (uint8_t)((size + 6) >> 8), (uint8_t)(size + 6)};
    memcpy(packet + length, header, 6);
    memcpy(packet + length + 6, value, size);
    length += size + 6;
}

static struct slice whole(void)
{
    packet[4] = (char)(length >> 8);
    packet[5] = (char)length;
    return slice_make(packet, length);
}

static void begin(void)
{
    memcpy(packet, "HEP3", 4);
    length = 6;
    chunk(0, 1, "\x02", 1);
    chunk(0, 2, "\x11", 1);
    chunk(0, 3, "\x0a\x00\x00\x01", 4);
    chunk(0, 4, "\x0a\x00\x00\x02", 4);
    chunk(0, 7, "\x13\xc4", 2);
    chunk(0, 8, "\x13\xc5", 2);
    chunk(0, 9, "\x6a\xfd\x00\x00", 4);
    chunk(0, 10, "\x00\x00\x00\x07", 4);
    chunk(0, 11, "\x01", 1);
    chunk(0, 12, "\x00\x00\x00\x01", 4);
    chunk(7, 3, "xy", 2);
    chunk(0, 15, INVITE, sizeof(INVITE) - 1);
}

START_TEST(all_parts)
{
    struct tap_hep hep;
    begin();
    ck_assert_int_eq(tap_hep_parse(whole(), &hep), 0);
    ck_assert_uint_eq(hep.source.bytes[3], 1);
    ck_assert_uint_eq(hep.source.port, 5060);
    ck_assert_uint_eq(hep.destination.port, 5061);
    ck_assert_uint_eq(hep.wall_us, UINT64_C(0x6afd0000) * 1000000 + 7);
    ck_assert_uint_eq(hep.kind, TAP_HEP_SIP);
    ck_assert(!hep.packed);
    ck_assert(slice_equal(hep.payload, SLICE(INVITE)));
}
END_TEST

START_TEST(version_6)
{
    struct tap_hep hep;
    memcpy(packet, "HEP3", 4);
    length = 6;
    chunk(0, 5, "0123456789abcdef", 16);
    chunk(0, 6, "0123456789abcdeg", 16);
    chunk(0, 16, "x", 1);
    ck_assert_int_eq(tap_hep_parse(whole(), &hep), 0);
    ck_assert_uint_eq(hep.source.family, 6);
    ck_assert(hep.packed);
    ck_assert_uint_eq(hep.wall_us, 0);
}
END_TEST

START_TEST(cut_anywhere)
{
    struct tap_hep hep;
    begin();
    struct slice bytes = whole();
    for (size_t size = 0; size < bytes.length; size++) {
        char *exact = malloc(size + 1);
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, bytes.data, size);
        ck_assert_int_eq(tap_hep_parse(slice_make(exact, size), &hep), ERROR_MALFORMED);
        free(exact);
    }
}
END_TEST

START_TEST(chunks_that_lie)
{
    struct tap_hep hep;
    for (unsigned value = 0; value < 256; value++) {
        begin();
        packet[6 + 5] = (char)value; /* of the first one */
        ck_assert(tap_hep_parse(whole(), &hep) == 0 || value != 7);
    }
    begin();
    chunk(0, 7, "abc", 3);
    ck_assert_int_eq(tap_hep_parse(whole(), &hep), ERROR_MALFORMED);
}
END_TEST

START_TEST(nothing_in_it)
{
    struct tap_hep hep;
    memcpy(packet, "HEP3", 4);
    length = 6;
    ck_assert_int_eq(tap_hep_parse(whole(), &hep), ERROR_MALFORMED);
    chunk(0, 15, INVITE, sizeof(INVITE) - 1);
    ck_assert_int_eq(tap_hep_parse(whole(), &hep), ERROR_MALFORMED);
}
END_TEST

START_TEST(lengths)
{
    uint32_t size;
    ck_assert_int_eq(tap_hep_length(SLICE("HEP3\x01\x02zz"), &size), 0);
    ck_assert_uint_eq(size, 0x102);
    ck_assert_int_eq(tap_hep_length(SLICE("HEP3\x01"), &size), ERROR_INCOMPLETE);
    ck_assert_int_eq(tap_hep_length(SLICE("HE"), &size), ERROR_INCOMPLETE);
    ck_assert_int_eq(tap_hep_length(SLICE("\x01\x10\x02\x00"), &size), ERROR_MALFORMED);
    ck_assert_int_eq(tap_hep_length(slice_make("HEP3\x00\x05", 6), &size), ERROR_MALFORMED);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, all_parts);
    tcase_add_test(tests, version_6);
    tcase_add_test(tests, cut_anywhere);
    tcase_add_test(tests, chunks_that_lie);
    tcase_add_test(tests, nothing_in_it);
    tcase_add_test(tests, lengths);
}

int main(void)
{
    return test_run("hep", add);
}
