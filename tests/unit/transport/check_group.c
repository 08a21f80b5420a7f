/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "transport/transport.h"

static struct tp_settings settings_of(struct tp_listener_settings *listeners, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (listeners[i].address.family == 0)
            ck_assert_int_eq(tp_address_parse(SLICE("127.0.0.1"), 0, &listeners[i].address), 0);
    return (struct tp_settings){
        .listeners = listeners,
        .listener_count = count,
        .workers = 2,
        .batch = 16,
        .steering_key = {{1, 2}},
    };
}

static struct tp_group *group_of(struct tp_listener_settings *listeners, size_t count)
{
    struct tp_settings settings = settings_of(listeners, count);
    struct tp_group *group;
    size_t bad;
    ck_assert_int_eq(tp_group_create(&settings, &group, &bad), 0);
    return group;
}

START_TEST(listener_is_found_by_its_own_address)
{
    struct tp_listener_settings listeners[2] = {{.address = {.family = 0}}};
    struct tp_group *group = group_of(listeners, 2);
    ck_assert_uint_eq(tp_group_listener_count(group), 2);
    for (size_t i = 0; i < 2; i++) {
        uint16_t port = tp_group_listener(group, i)->address.port;
        ck_assert_uint_ne(port, 0);
        ck_assert_int_eq(tp_group_find_listener(group, SLICE("127.0.0.1"), port), (int)i);
        ck_assert_int_eq(tp_group_find_listener(group, SLICE("::ffff:127.0.0.1"), port), (int)i);
        ck_assert_int_eq(tp_group_find_listener(group, SLICE("127.0.0.2"), port), -1);
    }
    tp_group_destroy(group);
}
END_TEST

START_TEST(listener_is_found_by_what_it_is_called)
{
    static const struct slice aliases[] = {
        SLICE_LITERAL("Trunk.Example.com"),
        SLICE_LITERAL("192.0.2.7"),
        SLICE_LITERAL("[2001:db8::7]:5070"),
    };
    struct tp_listener_settings listeners[2] = {
        {.advertise = SLICE("sip.example.com:5080")},
        {.advertise = SLICE("203.0.113.5"), .aliases = aliases, .alias_count = 3},
    };
    struct tp_group *group = group_of(listeners, 2);
    ck_assert_int_eq(tp_group_find_listener(group, SLICE("SIP.example.COM"), 5080), 0);
    ck_assert_int_eq(tp_group_find_listener(group, SLICE("sip.example.com."), 5080), 0);
    ck_assert_int_eq(tp_group_find_listener(group, SLICE("sip.example.com"), 0), -1);
    ck_assert_int_eq(tp_group_find_listener(group, SLICE("203.0.113.5"), 0), 1);
    ck_assert_int_eq(tp_group_find_listener(group, SLICE("203.0.113.5"), 5060), 1);
    ck_assert_int_eq(tp_group_find_listener(group, SLICE("203.0.113.5"), 5061), -1);
    ck_assert_int_eq(tp_group_find_listener(group, SLICE("trunk.example.com"), 5060), 1);
    ck_assert_int_eq(tp_group_find_listener(group, SLICE("192.0.2.7"), 0), 1);
    ck_assert_int_eq(tp_group_find_listener(group, SLICE("2001:db8:0::7"), 5070), 1);
    ck_assert_int_eq(tp_group_find_listener(group, SLICE("[2001:db8::7]"), 5070), 1);
    ck_assert_int_eq(tp_group_find_listener(group, SLICE(""), 0), -1);
    tp_group_destroy(group);
}
END_TEST

START_TEST(overlong_host_is_nobody)
{
    struct tp_listener_settings listener = {.address = {.family = 0}};
    struct tp_group *group = group_of(&listener, 1);
    char host[300];
    memset(host, 'a', sizeof(host));
    ck_assert_int_eq(tp_group_find_listener(group, slice_make(host, sizeof(host)), 0), -1);
    ck_assert_int_eq(tp_group_find_listener(group, slice_make(host, 253), 0), -1);
    tp_group_destroy(group);
}
END_TEST

START_TEST(alias_does_not_hide_an_own_address)
{
    static const struct slice alias[] = {SLICE_LITERAL("127.0.0.1:15999")};
    struct tp_listener_settings listeners[2] = {{.aliases = alias, .alias_count = 1}};
    ck_assert_int_eq(tp_address_parse(SLICE("127.0.0.1:15999"), 0, &listeners[1].address), 0);
    struct tp_group *group = group_of(listeners, 2);
    ck_assert_int_eq(tp_group_find_listener(group, SLICE("127.0.0.1"), 15999), 1);
    tp_group_destroy(group);
}
END_TEST

START_TEST(bad_listener_is_named)
{
    static const struct slice alias[] = {SLICE_LITERAL("host:99999")};
    struct tp_listener_settings listeners[2] = {[1] = {.aliases = alias, .alias_count = 1}};
    struct tp_settings settings = settings_of(listeners, 2);
    struct tp_group *group;
    size_t bad;
    ck_assert_int_eq(tp_group_create(&settings, &group, &bad), ERROR_MALFORMED);
    ck_assert_uint_eq(bad, 1);
}
END_TEST

START_TEST(address_in_use_is_an_error)
{
    struct tp_listener_settings first = {.address = {.family = 0}};
    struct tp_group *group = group_of(&first, 1);
    struct tp_listener_settings listeners[2] = {
        [1] = {.address = tp_group_listener(group, 0)->address}};
    struct tp_settings settings = settings_of(listeners, 2);
    struct tp_group *second;
    size_t bad;
    ck_assert_int_eq(tp_group_create(&settings, &second, &bad), -EADDRINUSE);
    ck_assert_uint_eq(bad, 1);
    tp_group_destroy(group);
}
END_TEST

START_TEST(settings_out_of_range_are_refused)
{
    struct tp_listener_settings listener = {.address = {.family = 0}};
    struct tp_settings good = settings_of(&listener, 1);
    struct tp_group *group;
    size_t bad;
    struct tp_settings settings = good;
    settings.batch = 129;
    ck_assert_int_eq(tp_group_create(&settings, &group, &bad), -EINVAL);
    settings = good;
    settings.workers = 0;
    ck_assert_int_eq(tp_group_create(&settings, &group, &bad), -EINVAL);
    settings = good;
    settings.listener_count = TP_LISTENER_LIMIT + 1;
    ck_assert_int_eq(tp_group_create(&settings, &group, &bad), -EINVAL);
    tp_group_destroy(NULL);
}
END_TEST

START_TEST(owners_are_stable_and_even)
{
    struct tp_listener_settings listener = {.address = {.family = 0}};
    struct tp_settings settings = settings_of(&listener, 1);
    settings.workers = 3;
    struct tp_group *group;
    size_t bad;
    ck_assert_int_eq(tp_group_create(&settings, &group, &bad), 0);
    unsigned count[3] = {0};
    for (unsigned i = 0; i < 3000; i++) {
        char text[32];
        struct slice call_id =
            slice_make(text, (size_t)snprintf(text, sizeof(text), "%u@example.com", i));
        size_t owner = tp_group_owner(group, call_id);
        ck_assert_uint_lt(owner, 3);
        ck_assert_uint_eq(owner, tp_group_owner(group, call_id));
        count[owner]++;
    }
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_gt(count[i], 850);
    tp_group_destroy(group);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("group");
    tcase_add_test(tests, listener_is_found_by_its_own_address);
    tcase_add_test(tests, listener_is_found_by_what_it_is_called);
    tcase_add_test(tests, overlong_host_is_nobody);
    tcase_add_test(tests, alias_does_not_hide_an_own_address);
    tcase_add_test(tests, bad_listener_is_named);
    tcase_add_test(tests, address_in_use_is_an_error);
    tcase_add_test(tests, settings_out_of_range_are_refused);
    tcase_add_test(tests, owners_are_stable_and_even);

    Suite *suite = suite_create("transport/group");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
