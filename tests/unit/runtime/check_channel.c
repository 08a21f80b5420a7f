/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/channel.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

static int ends[2];
static char memory[70000];

static void set_up(void)
{
    ck_assert_int_eq(rt_channel_create(ends), 0);
}

static void tear_down(void)
{
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
}

static int receive(struct rt_channel_message *message, size_t capacity)
{
    *message = (struct rt_channel_message){.memory = memory, .capacity = capacity};
    return rt_channel_receive(ends[1], message);
}

static int say(struct slice head, struct slice more)
{
    return rt_channel_send(ends[0], head, more, NULL, 0);
}

START_TEST(messages_arrive_whole_and_in_order)
{
    struct rt_channel_message message;
    ck_assert_int_eq(receive(&message, sizeof(memory)), -EAGAIN);
    ck_assert_int_eq(rt_channel_wait(ends[1], 1), -ETIMEDOUT);
    ck_assert_int_eq(say(SLICE("one"), SLICE("")), 0);
    ck_assert_int_eq(say(SLICE("two"), SLICE(" parts")), 0);
    ck_assert_int_eq(rt_channel_wait(ends[1], 1000), 0);
    ck_assert_int_eq(receive(&message, sizeof(memory)), 0);
    ck_assert(slice_equal(slice_make(memory, message.length), SLICE("one")));
    ck_assert_int_eq(receive(&message, sizeof(memory)), 0);
    ck_assert(slice_equal(slice_make(memory, message.length), SLICE("two parts")));
}
END_TEST

START_TEST(descriptors_go_along)
{
    int pipes[2];
    char byte = 0;
    struct rt_channel_message message;
    ck_assert_int_eq(pipe(pipes), 0);
    ck_assert_int_eq(rt_channel_send(ends[0], SLICE("x"), SLICE(""), pipes, 2), 0);
    close(pipes[0]);
    close(pipes[1]);
    ck_assert_int_eq(receive(&message, sizeof(memory)), 0);
    ck_assert_uint_eq(message.count, 2);
    ck_assert_int_eq(write(message.descriptors[1], "!", 1), 1);
    ck_assert_int_eq(read(message.descriptors[0], &byte, 1), 1);
    ck_assert_int_eq(byte, '!');
    close(message.descriptors[0]);
    close(message.descriptors[1]);
}
END_TEST

START_TEST(what_is_too_long_is_gone)
{
    struct rt_channel_message message;
    ck_assert_int_eq(say(SLICE("too long"), SLICE("")), 0);
    ck_assert_int_eq(say(SLICE("fits"), SLICE("")), 0);
    ck_assert_int_eq(receive(&message, 4), -EMSGSIZE);
    ck_assert_int_eq(receive(&message, 4), 0);
}
END_TEST

START_TEST(the_other_end_may_go)
{
    struct rt_channel_message message;
    ck_assert_int_eq(say(SLICE("last"), SLICE("")), 0);
    close(ends[0]);
    ends[0] = -1;
    ck_assert_int_eq(receive(&message, sizeof(memory)), 0);
    ck_assert_int_eq(receive(&message, sizeof(memory)), ERROR_NOT_FOUND);
    ck_assert_int_eq(rt_channel_send(ends[1], SLICE("x"), SLICE(""), NULL, 0), ERROR_NOT_FOUND);
}
END_TEST

START_TEST(a_full_channel_says_so)
{
    struct rt_channel_message message;
    struct slice large = slice_make(memory, 60000);
    unsigned sent = 0;
    int error;
    while ((error = say(large, SLICE(""))) == 0)
        sent++;
    ck_assert_int_eq(error, -EAGAIN);
    ck_assert_uint_gt(sent, 0);
    ck_assert_int_eq(receive(&message, sizeof(memory)), 0);
    ck_assert_int_eq(say(large, SLICE("")), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("channel");
    TCase *tests = tcase_create("channel");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, messages_arrive_whole_and_in_order);
    tcase_add_test(tests, descriptors_go_along);
    tcase_add_test(tests, what_is_too_long_is_gone);
    tcase_add_test(tests, the_other_end_may_go);
    tcase_add_test(tests, a_full_channel_says_so);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
