/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "transport/address.h"

static const struct {
    const char *text;
    const char *shown; /* NULL: refused */
} addresses[] = {
    {"10.0.0.1", "10.0.0.1:5060"},
    {"10.0.0.1:5080", "10.0.0.1:5080"},
    {"255.255.255.255:65535", "255.255.255.255:65535"},
    {"2001:db8::1", "[2001:db8::1]:5060"},
    {"[2001:db8::1]", "[2001:db8::1]:5060"},
    {"[2001:DB8:0::1]:5061", "[2001:db8::1]:5061"},
    {"::1", "[::1]:5060"},
    {"::ffff:10.0.0.1", "10.0.0.1:5060"},
    {"[::ffff:10.0.0.1]:5070", "10.0.0.1:5070"},
    {"", NULL},
    {":", NULL},
    {":5060", NULL},
    {"10.0.0", NULL},
    {"10.0.0.256", NULL},
    {"010.0.0.1", NULL},
    {"10.0.0.1:", NULL},
    {"10.0.0.1:0", NULL},
    {"10.0.0.1:65536", NULL},
    {"10.0.0.1:50x", NULL},
    {"10.0.0.1 ", NULL},
    {"[10.0.0.1]", NULL},
    {"[2001:db8::1", NULL},
    {"[2001:db8::1]5060", NULL},
    {"[2001:db8::1]:", NULL},
    {"[]", NULL},
    {"[", NULL},
    {"fe80::1%eth0", NULL},
    {"sip.example.com", NULL},
    {"1111:2222:3333:4444:5555:6666:7777:8888:9999", NULL},
    {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", NULL},
};

START_TEST(address_is_read_and_written)
{
    struct tp_address address;
    char text[TP_ADDRESS_TEXT];
    int error = tp_address_parse(slice_of_text(addresses[_i].text), 5060, &address);
    if (addresses[_i].shown == NULL) {
        ck_assert_msg(error == ERROR_MALFORMED, "%s", addresses[_i].text);
        return;
    }
    ck_assert_msg(error == 0, "%s", addresses[_i].text);
    ck_assert_str_eq(tp_address_text(&address, text), addresses[_i].shown);
}
END_TEST

START_TEST(address_with_nul_is_refused)
{
    struct tp_address address;
    ck_assert_int_eq(tp_address_parse(slice_make("10.0.0.1\0", 9), 1, &address), ERROR_MALFORMED);
}
END_TEST

START_TEST(host_is_written_with_or_without_brackets)
{
    struct tp_address address;
    char memory[64];
    ck_assert_int_eq(tp_address_from_host(SLICE("2001:db8::1"), 0, &address), 0);
    struct buffer buffer = buffer_over(memory, sizeof(memory));
    tp_address_append_host(&buffer, &address, true);
    tp_address_append_host(&buffer, &address, false);
    ck_assert(slice_equal(buffer_slice(&buffer), SLICE("[2001:db8::1]2001:db8::1")));
}
END_TEST

START_TEST(no_address_has_a_text_too)
{
    struct tp_address none = {.family = 0};
    char text[TP_ADDRESS_TEXT];
    ck_assert_str_eq(tp_address_text(&none, text), "none");
    struct sockaddr_storage storage;
    ck_assert_uint_eq(tp_address_to_sockaddr(&none, &storage), 0);
}
END_TEST

static const struct {
    const char *network;
    const char *address;
    int expected; /* 1: inside, 0: outside, -1: the network is refused */
} networks[] = {
    {"10.0.0.0/8", "10.255.1.2", 1},
    {"10.0.0.0/8", "11.0.0.0", 0},
    {"10.0.0.7", "10.0.0.7", 1},
    {"10.0.0.7", "10.0.0.6", 0},
    {"10.0.0.0/31", "10.0.0.1", 1},
    {"10.0.0.0/31", "10.0.0.2", 0},
    {"10.128.0.0/9", "10.127.255.255", 0},
    {"0.0.0.0/0", "203.0.113.9", 1},
    {"0.0.0.0/0", "2001:db8::1", 0},
    {"2001:db8::/32", "2001:db8:ffff::1", 1},
    {"2001:db8::/32", "2001:db9::1", 0},
    {"2001:db8::1", "2001:db8::1", 1},
    {"::/0", "2001:db8::1", 1},
    {"::/0", "10.0.0.1", 0},
    {"::ffff:10.0.0.0/104", "10.1.2.3", 1},
    {"::ffff:10.0.0.0/104", "11.1.2.3", 0},
    {"10.0.0.1/8", "10.0.0.1", -1},
    {"10.0.0.0/33", "10.0.0.0", -1},
    {"10.0.0.0/", "10.0.0.0", -1},
    {"10.0.0.0/-1", "10.0.0.0", -1},
    {"10.0.0.0:5060/8", "10.0.0.0", -1},
    {"2001:db8::1/32", "2001:db8::1", -1},
    {"2001:db8::/129", "2001:db8::", -1},
    {"[2001:db8::]/32", "2001:db8::", -1},
    {"::ffff:0.0.0.0/95", "10.0.0.1", -1},
    {"example.com", "10.0.0.1", -1},
    {"", "10.0.0.1", -1},
};

START_TEST(network_contains_its_addresses)
{
    struct tp_network network;
    struct tp_address address;
    int error = tp_network_parse(slice_of_text(networks[_i].network), &network);
    ck_assert_msg(error == (networks[_i].expected < 0 ? ERROR_MALFORMED : 0), "%s",
                  networks[_i].network);
    if (error != 0)
        return;
    ck_assert_int_eq(tp_address_parse(slice_of_text(networks[_i].address), 5060, &address), 0);
    ck_assert_msg(tp_network_contains(&network, &address) == (networks[_i].expected == 1),
                  "%s in %s", networks[_i].address, networks[_i].network);
}
END_TEST

START_TEST(addresses_compare_with_and_without_port)
{
    struct tp_address a;
    struct tp_address b;
    ck_assert_int_eq(tp_address_parse(SLICE("10.0.0.1:1"), 0, &a), 0);
    ck_assert_int_eq(tp_address_parse(SLICE("::ffff:10.0.0.1"), 2, &b), 0);
    ck_assert(tp_address_same_host(&a, &b));
    ck_assert(!tp_address_equal(&a, &b));
    b.port = 1;
    ck_assert(tp_address_equal(&a, &b));
    ck_assert_mem_eq(&a, &b, sizeof(a));
}
END_TEST

START_TEST(socket_addresses_go_both_ways)
{
    static const char *const texts[] = {"10.0.0.1:5060", "[2001:db8::1]:5061"};
    struct sockaddr_storage storage;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct tp_address address;
        struct tp_address back;
        ck_assert_int_eq(tp_address_parse(slice_of_text(texts[i]), 0, &address), 0);
        ck_assert_uint_gt(tp_address_to_sockaddr(&address, &storage), 0);
        ck_assert_int_eq(tp_address_from_sockaddr((struct sockaddr *)&storage, &back), 0);
        ck_assert(tp_address_equal(&address, &back));
    }
    storage.ss_family = AF_UNIX;
    struct tp_address back;
    ck_assert_int_eq(tp_address_from_sockaddr((struct sockaddr *)&storage, &back), -EAFNOSUPPORT);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("address");
    tcase_add_loop_test(tests, address_is_read_and_written, 0,
                        sizeof(addresses) / sizeof(addresses[0]));
    tcase_add_test(tests, address_with_nul_is_refused);
    tcase_add_test(tests, host_is_written_with_or_without_brackets);
    tcase_add_test(tests, no_address_has_a_text_too);
    tcase_add_loop_test(tests, network_contains_its_addresses, 0,
                        sizeof(networks) / sizeof(networks[0]));
    tcase_add_test(tests, addresses_compare_with_and_without_port);
    tcase_add_test(tests, socket_addresses_go_both_ways);

    Suite *suite = suite_create("transport/address");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
