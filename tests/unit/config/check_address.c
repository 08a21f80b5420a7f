/* SPDX-License-Identifier: Apache-2.0 */
#include "config/address.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

START_TEST(addresses)
{
    static const struct {
        const char *text;
        uint16_t default_port;
        int error;
        const char *again;
    } cases[] = {
        {"10.0.0.1:5060", 0, 0, "10.0.0.1:5060"},
        {"[2001:db8::1]:5061", 0, 0, "[2001:db8::1]:5061"},
        {"10.0.0.1", 5060, 0, "10.0.0.1:5060"},
        {"2001:db8::1", 5060, 0, "[2001:db8::1]:5060"},
        {"[2001:db8::1]", 5060, 0, "[2001:db8::1]:5060"},
        {"[::]:65535", 0, 0, "[::]:65535"},
        {"10.0.0.1", 0, -EBADMSG, NULL},
        {"[2001:db8::1]", 0, -EBADMSG, NULL},
        {"2001:db8::1", 0, -EBADMSG, NULL},
        {"10.0.0.300:5060", 0, -EBADMSG, NULL},
        {"10.0.0.1:0", 0, -ERANGE, NULL},
        {"10.0.0.1:65536", 0, -ERANGE, NULL},
        {"10.0.0.1:sip", 0, -EBADMSG, NULL},
        {"10.0.0.1:", 5060, -EBADMSG, NULL},
        {"[::1", 5060, -EBADMSG, NULL},
        {"[::1]5060", 5060, -EBADMSG, NULL},
        {"localhost:5060", 0, -EBADMSG, NULL},
        {"", 5060, -EBADMSG, NULL},
        {"[]:5060", 0, -EBADMSG, NULL},
        {"10.0.0.1\n:5060", 0, -EBADMSG, NULL},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct conf_address address;
        char memory[80];
        struct buffer buffer = buffer_over(memory, sizeof(memory) - 1);

        ck_assert_int_eq(
            conf_address_parse(slice_of_text(cases[i].text), cases[i].default_port, &address),
            cases[i].error);
        if (cases[i].error)
            continue;
        conf_address_append(&buffer, &address);
        memory[buffer.length] = '\0';
        ck_assert_str_eq(memory, cases[i].again);
    }
}
END_TEST

START_TEST(networks)
{
    static const struct {
        const char *text;
        int error;
        const char *again;
    } cases[] = {
        {"10.0.0.0/8", 0, "10.0.0.0/8"},
        {"10.1.2.3", 0, "10.1.2.3/32"},
        {"0.0.0.0/0", 0, "0.0.0.0/0"},
        {"2001:db8::/33", 0, "2001:db8::/33"},
        {"::1", 0, "::1/128"},
        {"::ffff:10.0.0.0/104", 0, "10.0.0.0/8"},
        {"10.0.0.1/8", -EINVAL, "10.0.0.0/8"},
        {"2001:db8::1/64", -EINVAL, "2001:db8::/64"},
        {"10.0.0.0/33", -ERANGE, NULL},
        {"2001:db8::/129", -ERANGE, NULL},
        {"10.0.0/8", -EBADMSG, NULL},
        {"10.0.0.0/", -EBADMSG, NULL},
        {"10.0.0.0/x", -EBADMSG, NULL},
        {"", -EBADMSG, NULL},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct conf_network network;
        char memory[80];
        struct buffer buffer = buffer_over(memory, sizeof(memory) - 1);

        ck_assert_int_eq(conf_network_parse(slice_of_text(cases[i].text), &network),
                         cases[i].error);
        if (cases[i].again == NULL)
            continue;
        conf_network_append(&buffer, &network);
        memory[buffer.length] = '\0';
        ck_assert_str_eq(memory, cases[i].again);
    }
}
END_TEST

static bool contains(const char *network_text, const char *address_text)
{
    struct conf_network network;
    struct conf_address address;

    ck_assert_int_eq(conf_network_parse(slice_of_text(network_text), &network), 0);
    ck_assert_int_eq(conf_address_parse(slice_of_text(address_text), 5060, &address), 0);
    return conf_network_contains(&network, &address.socket.any);
}

START_TEST(networks_contain_addresses)
{
    ck_assert(contains("10.0.0.0/8", "10.255.0.1"));
    ck_assert(!contains("10.0.0.0/8", "11.0.0.1"));
    ck_assert(contains("10.0.0.128/25", "10.0.0.200"));
    ck_assert(!contains("10.0.0.128/25", "10.0.0.127"));
    ck_assert(contains("0.0.0.0/0", "192.0.2.1"));
    ck_assert(!contains("0.0.0.0/0", "2001:db8::1"));
    ck_assert(contains("2001:db8::/33", "2001:db8:7fff::1"));
    ck_assert(!contains("2001:db8::/33", "2001:db8:8000::1"));
    ck_assert(contains("10.0.0.0/8", "::ffff:10.1.1.1"));
    ck_assert(!contains("10.0.0.0/8", "::10.1.1.1"));
    ck_assert(!contains("2001:db8::/32", "10.0.0.1"));
}
END_TEST

START_TEST(a_list_contains_what_one_of_it_contains)
{
    struct conf_network items[2];
    const struct conf_network_list list = {items, 2};
    const struct conf_network_list empty = {0};
    struct conf_address address;

    ck_assert_int_eq(conf_network_parse(SLICE("10.0.0.0/8"), &items[0]), 0);
    ck_assert_int_eq(conf_network_parse(SLICE("192.0.2.7"), &items[1]), 0);
    ck_assert_int_eq(conf_address_parse(SLICE("192.0.2.7:1"), 0, &address), 0);
    ck_assert(conf_network_list_contains(&list, &address.socket.any));
    ck_assert(!conf_network_list_contains(&empty, &address.socket.any));
    ck_assert_int_eq(conf_address_parse(SLICE("192.0.2.8:1"), 0, &address), 0);
    ck_assert(!conf_network_list_contains(&list, &address.socket.any));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config/address");
    TCase *group = tcase_create("address");

    tcase_add_test(group, addresses);
    tcase_add_test(group, networks);
    tcase_add_test(group, networks_contain_addresses);
    tcase_add_test(group, a_list_contains_what_one_of_it_contains);
    suite_add_tcase(suite, group);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
