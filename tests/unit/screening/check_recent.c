/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "screening/recent.h"

static struct screen_recent *recent;
static struct smsg message;
static char text[20000];
static char found_headers[SCREEN_RECENT_KEPT_MAX];
static struct screen_recent_call found;
static uint32_t count;

static void setup(void)
{
    ck_assert_int_eq(screen_recent_create(16, &recent), 0);
}

static void teardown(void)
{
    screen_recent_destroy(recent);
}

/* A call with so many bytes of filling in its headers, in lines. */
static void keep(uint64_t hash, uint64_t wall_us, size_t filling)
{
    size_t length = (size_t)snprintf(
        text, sizeof(text),
        "INVITE sip:1@example.net SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
        "Max-Forwards: 70\r\nFrom: <sip:2@example.org>;tag=1\r\nTo: <sip:1@example.net>\r\n"
        "Call-ID: %u\r\nCSeq: 1 INVITE\r\nContent-Length: 4\r\n",
        (unsigned)hash);
    while (filling > 0) {
        size_t line = filling > 100 ? 100 : filling;
        length +=
            (size_t)snprintf(text + length, sizeof(text) - length, "X-F: %0*d\r\n", (int)line, 0);
        filling -= line;
    }
    length += (size_t)snprintf(text + length, sizeof(text) - length, "\r\nbody");
    ck_assert_int_eq(smsg_scan(&message, slice_make(text, length)), 0);
    struct screen_recent_call call = {.wall_us = wall_us, .call_hash = hash, .status = 603};
    screen_recent_keep(recent, &call, &message);
}

static bool find(uint64_t hash, uint64_t since_us)
{
    return screen_recent_find(recent, hash, since_us, &found, found_headers, &count);
}

START_TEST(a_call_is_found_with_its_headers)
{
    keep(7, 100, 0);
    ck_assert(find(7, 0));
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(found.status, 603);
    ck_assert_uint_eq(found.size, message.bytes.length);
    ck_assert(!found.cut);
    ck_assert_uint_eq(found.kept, message.headers_end + 2);
    ck_assert_mem_eq(found_headers, message.bytes.data, found.kept);
    ck_assert(!find(8, 0));
    ck_assert(!find(7 + 16, 0));
}
END_TEST

START_TEST(the_latest_of_a_call_id_is_told)
{
    keep(7, 100, 0);
    keep(7, 200, 10);
    keep(23, 250, 0); /* in the same bucket */
    keep(7, 300, 20);
    ck_assert(find(7, 0));
    ck_assert_uint_eq(count, 3);
    ck_assert_uint_eq(found.wall_us, 300);
    ck_assert(find(7, 150));
    ck_assert_uint_eq(count, 2);
    ck_assert(!find(7, 301));
    ck_assert(find(23, 0));
}
END_TEST

START_TEST(headers_are_cut_by_whole_lines)
{
    keep(7, 100, 6000);
    ck_assert(find(7, 0));
    ck_assert(found.cut);
    ck_assert_uint_le(found.kept, SCREEN_RECENT_KEPT_MAX);
    ck_assert_uint_gt(found.kept, SCREEN_RECENT_KEPT_MAX - 120);
    ck_assert_mem_eq(found_headers + found.kept - 4, "\r\n\r\n", 4);
}
END_TEST

/* Sizes of all kinds go round the ring; the newest ones are there, and only whole ones. */
START_TEST(the_oldest_give_way)
{
    uint64_t kept = 0;
    for (uint64_t i = 1; i <= 5000; i++) {
        keep(i, i, (size_t)(i * 37 % 4500));
        ck_assert(find(i, 0));
        ck_assert_uint_eq(found.wall_us, i);
    }
    while (kept < 5000 && find(5000 - kept, 0)) {
        ck_assert_uint_eq(found.wall_us, 5000 - kept);
        ck_assert_mem_eq(found_headers, "INVITE ", 7);
        kept++;
    }
    ck_assert_uint_ge(kept, 3);
    ck_assert_uint_lt(kept, 100);
    for (uint64_t i = kept; i < 5000; i++)
        ck_assert(!find(5000 - i, 0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recent");
    TCase *group = tcase_create("ring");
    tcase_add_checked_fixture(group, setup, teardown);
    tcase_add_test(group, a_call_is_found_with_its_headers);
    tcase_add_test(group, the_latest_of_a_call_id_is_told);
    tcase_add_test(group, headers_are_cut_by_whole_lines);
    tcase_add_test(group, the_oldest_give_way);
    suite_add_tcase(suite, group);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
