/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/file.h"

#include <errno.h>
#include <unistd.h>

#include "base/file.h"
#include "tap_test.h"

static char path[64], copy_path[64], message[512];
static char bytes[4096];
static size_t length;
static struct frame frame;

static void append(const void *data, size_t size)
{
    memcpy(bytes + length, data, size);
    length += size;
}

static void append32(uint32_t value)
{
    append(&value, sizeof(value));
}

static void begin(uint32_t link)
{
    length = 0;
    append32(0xa1b2c3d4);
    append32(0x00040002);
    append32(0);
    append32(0);
    append32(65535);
    append32(link);
}

static void add_packet(uint32_t seconds, uint32_t original)
{
    struct slice packet = frame_slice(&frame);
    append32(seconds);
    append32(250000);
    append32((uint32_t)packet.length);
    append32(original > 0 ? original : (uint32_t)packet.length);
    append(packet.data, packet.length);
}

static void set_up(void)
{
    snprintf(path, sizeof(path), "/tmp/check_tap_file.%d", (int)getpid());
    snprintf(copy_path, sizeof(copy_path), "/tmp/check_tap_copy.%d", (int)getpid());
    frame_begin(&frame, SLICE(INVITE));
    frame_udp(&frame, 5060, 5060);
    frame_ipv4(&frame, (struct ip){1, 2, UDP, 1, 0, false});
    begin(101);
    add_packet(1795000000, 0);
    add_packet(1795000001, 5000);
    add_packet(1795000002, 0);
}

static void tear_down(void)
{
    unlink(path);
    unlink(copy_path);
}

static int write_and_open(struct tap_file **file)
{
    ck_assert_int_eq(file_write_atomic(path, slice_make(bytes, length), 0600), 0);
    return tap_file_open(path, message, sizeof(message), file);
}

/* How many packets there are; the error that ended it. */
static unsigned count(int *error)
{
    struct tap_file *file;
    struct tap_packet packet;
    unsigned packets = 0;
    ck_assert_int_eq(write_and_open(&file), 0);
    while ((*error = tap_file_next(file, &packet, message, sizeof(message))) == 0)
        packets++;
    tap_file_close(file);
    return packets;
}

START_TEST(packets)
{
    struct tap_file *file;
    struct tap_packet packet;
    ck_assert_int_eq(write_and_open(&file), 0);
    ck_assert_int_eq(tap_file_next(file, &packet, message, sizeof(message)), 0);
    ck_assert_uint_eq(packet.number, 1);
    ck_assert_uint_eq(packet.wall_us, NOON + SECOND / 4);
    ck_assert_uint_eq(packet.link, TAP_LINK_RAW);
    ck_assert(slice_equal(packet.bytes, frame_slice(&frame)));
    ck_assert(!packet.cut);
    ck_assert_int_eq(tap_file_next(file, &packet, message, sizeof(message)), 0);
    ck_assert(packet.cut);
    ck_assert_uint_eq(tap_file_size(file), length);
    tap_file_close(file);
}
END_TEST

START_TEST(whole)
{
    int error;
    ck_assert_uint_eq(count(&error), 3);
    ck_assert_int_eq(error, ERROR_NOT_FOUND);
}
END_TEST

START_TEST(cut_in_the_last_packet)
{
    int error;
    length -= 10;
    ck_assert_uint_eq(count(&error), 2);
    ck_assert_int_eq(error, ERROR_MALFORMED);
    ck_assert_ptr_nonnull(strstr(message, "packet 3: "));
    ck_assert_ptr_nonnull(strstr(message, path));
}
END_TEST

START_TEST(a_length_that_cannot_be)
{
    int error;
    size_t packet = 16 + frame_slice(&frame).length;
    memset(bytes + 24 + packet + 8, 0xff, 4);
    ck_assert_uint_eq(count(&error), 1);
    ck_assert_ptr_nonnull(strstr(message, "packet 2: "));
}
END_TEST

/* Cut anywhere: an error or an end, and never a packet that is not there. */
START_TEST(cut_anywhere)
{
    size_t all = length, packet = 16 + frame_slice(&frame).length;
    for (length = 24; length < all; length += 7) {
        int error;
        ck_assert_uint_eq(count(&error), (length - 24) / packet);
        ck_assert_int_eq(error, (length - 24) % packet == 0 ? ERROR_NOT_FOUND : ERROR_MALFORMED);
    }
}
END_TEST

START_TEST(no_capture)
{
    struct tap_file *file;
    length = 0;
    append("this is text, no capture at all", 31);
    ck_assert_int_eq(write_and_open(&file), ERROR_MALFORMED);
    ck_assert_ptr_nonnull(strstr(message, "no capture"));
    ck_assert_int_eq(tap_file_open("/nonexistent", message, sizeof(message), &file), -ENOENT);
    ck_assert_str_eq(message, "/nonexistent: No such file or directory");
}
END_TEST

START_TEST(link_type_that_is_not_understood)
{
    struct tap_file *file;
    begin(105);
    ck_assert_int_eq(write_and_open(&file), ERROR_MALFORMED);
    ck_assert_ptr_nonnull(strstr(message, "link type is 105"));
}
END_TEST

START_TEST(a_copy)
{
    struct tap_file *file, *again;
    struct tap_packet packet, copied;
    struct tap_copy_file *copy;
    ck_assert_int_eq(write_and_open(&file), 0);
    ck_assert_int_eq(tap_copy_create(copy_path, file, message, sizeof(message), &copy), 0);
    ck_assert(tap_copy_takes(copy, file));
    ck_assert_int_eq(tap_file_next(file, &packet, message, sizeof(message)), 0);
    ck_assert_int_eq(tap_file_next(file, &packet, message, sizeof(message)), 0);
    tap_copy_write(copy, file);
    ck_assert_int_eq(tap_copy_close(copy), 0);
    ck_assert_int_eq(tap_file_open(copy_path, message, sizeof(message), &again), 0);
    ck_assert_int_eq(tap_file_next(again, &copied, message, sizeof(message)), 0);
    ck_assert(slice_equal(copied.bytes, packet.bytes));
    ck_assert_uint_eq(copied.wall_us, packet.wall_us);
    ck_assert(copied.cut);
    ck_assert_int_eq(tap_file_next(again, &copied, message, sizeof(message)), ERROR_NOT_FOUND);
    tap_file_close(again);
    tap_file_close(file);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, packets);
    tcase_add_test(tests, whole);
    tcase_add_test(tests, cut_in_the_last_packet);
    tcase_add_test(tests, a_length_that_cannot_be);
    tcase_add_test(tests, cut_anywhere);
    tcase_add_test(tests, no_capture);
    tcase_add_test(tests, link_type_that_is_not_understood);
    tcase_add_test(tests, a_copy);
}

int main(void)
{
    return test_run("file", add);
}
