/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/heritage.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static int bound(int type, struct sockaddr_in *address)
{
    socklen_t length = sizeof(*address);
    int descriptor = socket(AF_INET, type, 0);
    int one = 1;
    *address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = address->sin_port, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
    ck_assert_int_eq(bind(descriptor, (struct sockaddr *)address, length), 0);
    ck_assert_int_eq(getsockname(descriptor, (struct sockaddr *)address, &length), 0);
    return descriptor;
}

static int take(int type, const struct sockaddr_in *address)
{
    return rt_heritage_take(type, (const struct sockaddr *)address, sizeof(*address));
}

START_TEST(a_socket_is_found_by_type_and_address)
{
    struct sockaddr_in address = {.sin_port = 0};
    int first = bound(SOCK_DGRAM, &address);
    struct sockaddr_in other = address;
    int second = bound(SOCK_DGRAM, &address);
    ck_assert_int_eq(rt_heritage_receive(first), 0);
    ck_assert_int_eq(rt_heritage_receive(second), 0);
    other.sin_port = htons((uint16_t)(ntohs(other.sin_port) ^ 1));
    ck_assert_int_eq(take(SOCK_DGRAM, &other), -1);
    ck_assert_int_eq(take(SOCK_STREAM, &address), -1);
    ck_assert_int_eq(take(SOCK_DGRAM, &address), first);
    ck_assert_int_eq(take(SOCK_DGRAM, &address), second);
    ck_assert_int_eq(take(SOCK_DGRAM, &address), -1);
    ck_assert_uint_eq(rt_heritage_close_rest(), 0);
    close(first);
    close(second);
}
END_TEST

START_TEST(a_unix_socket_is_found_by_the_name_that_it_was_bound_by)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct sockaddr_un longer = {.sun_family = AF_UNIX};
    char folder[] = "/tmp/check_heritage.XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/a", folder);
    snprintf(longer.sun_path, sizeof(longer.sun_path), "%s/ab", folder);
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(descriptor, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(rt_heritage_receive(descriptor), 0);
    ck_assert_int_eq(
        rt_heritage_take(SOCK_STREAM, (const struct sockaddr *)&longer, sizeof(longer)), -1);
    ck_assert_int_eq(
        rt_heritage_take(SOCK_STREAM, (const struct sockaddr *)&address, sizeof(address)),
        descriptor);
    close(descriptor);
    unlink(address.sun_path);
    rmdir(folder);
}
END_TEST

START_TEST(what_nobody_asks_for_is_closed)
{
    struct sockaddr_in address = {.sin_port = 0};
    ck_assert_int_eq(rt_heritage_receive(bound(SOCK_DGRAM, &address)), 0);
    ck_assert_uint_eq(rt_heritage_close_rest(), 1);
    ck_assert_int_eq(take(SOCK_DGRAM, &address), -1);
    ck_assert_uint_eq(rt_heritage_close_rest(), 0);
}
END_TEST

START_TEST(what_is_kept_is_listed_in_order)
{
    for (int i = 0; i < 40; i++)
        ck_assert_int_eq(rt_heritage_keep(100 + i), 0);
    rt_heritage_forget(110);
    rt_heritage_forget(110);
    ck_assert_uint_eq(rt_heritage_count(), 39);
    ck_assert_int_eq(rt_heritage_at(9), 109);
    ck_assert_int_eq(rt_heritage_at(10), 111);
    for (int i = 0; i < 40; i++)
        rt_heritage_forget(100 + i);
    ck_assert_uint_eq(rt_heritage_count(), 0);
    ck_assert(!rt_heritage_is_left());
    rt_heritage_leave(true);
    ck_assert(rt_heritage_is_left());
    rt_heritage_leave(false);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heritage");
    TCase *tests = tcase_create("heritage");
    tcase_add_test(tests, a_socket_is_found_by_type_and_address);
    tcase_add_test(tests, a_unix_socket_is_found_by_the_name_that_it_was_bound_by);
    tcase_add_test(tests, what_nobody_asks_for_is_closed);
    tcase_add_test(tests, what_is_kept_is_listed_in_order);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
