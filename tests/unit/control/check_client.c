/* SPDX-License-Identifier: Apache-2.0 */
#include "control/client.h"

#include <check.h>
#include <json-c/json.h>
#include <pthread.h>
#include <stdlib.h>

#include "control/control_server.h"
#include "control/json.h"
#include "sandbox.h"

static struct sandbox sandbox;
static struct ctl_control_server *server;
static pthread_t thread;

static int run_add(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
    (void)context;
    ctl_reply_line(reply, SLICE("{\"part\":1}"));
    ctl_reply_line(reply, SLICE("{\"part\":2}"));
    ctl_reply_result(reply, CTL_STATUS_FAILED, "sum %lld",
                     (long long)(ctl_json_integer(request->arguments, "a", 0) +
                                 ctl_json_integer(request->arguments, "b", 0)));
    return 0;
}

static struct ctl_reply *held;

static int run_hold(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
    (void)context;
    (void)request;
    held = reply;
    return CTL_LATER;
}

static const struct ctl_command commands[] = {
    {"add", CTL_READ, "adds", run_add},
    {"hold", CTL_READ, "never answers", run_hold},
};

static void *serve(void *loop)
{
    ck_assert_int_eq(rt_loop_run(loop), 0);
    return NULL;
}

static void setup(void)
{
    sandbox_open(&sandbox);
    const struct ctl_control_settings settings = {.socket = sandbox_socket(&sandbox, 0600),
                                                  .clients = 4};
    held = NULL;
    ck_assert_int_eq(ctl_control_server_create(sandbox.loop, &settings, commands, 2, NULL, &server),
                     0);
    ck_assert_int_eq(pthread_create(&thread, NULL, serve, sandbox.loop), 0);
}

static void teardown(void)
{
    rt_loop_stop(sandbox.loop);
    pthread_join(thread, NULL);
    if (held != NULL)
        ctl_reply_finish(held);
    ctl_control_server_destroy(server);
    sandbox_close(&sandbox);
}

static struct ctl_client *open_client(unsigned timeout_ms)
{
    struct ctl_client *client;
    ck_assert_int_eq(ctl_client_open(sandbox.path, timeout_ms, &client), 0);
    return client;
}

static int count_parts(void *argument, struct slice line, struct json_object *object)
{
    int64_t *parts = argument;
    ck_assert_uint_gt(line.length, 0);
    *parts += ctl_json_integer(object, "part", 100);
    return 0;
}

START_TEST(a_call_has_lines_and_an_answer)
{
    struct ctl_client *client = open_client(5000);
    struct json_object *arguments = json_object_new_object();
    json_object_object_add(arguments, "a", json_object_new_int(40));
    json_object_object_add(arguments, "b", json_object_new_int(2));
    for (int i = 0; i < 3; i++) {
        struct ctl_answer answer;
        int64_t parts = 0;
        ck_assert_int_eq(ctl_client_call(client, "add", arguments, count_parts, &parts, &answer),
                         0);
        ck_assert_int_eq(parts, 3);
        ck_assert_int_eq(answer.status, 1);
        ck_assert_str_eq(answer.message, "sum 42");
    }
    json_object_put(arguments);
    ctl_client_close(client);
}
END_TEST

static int stop_reading(void *argument, struct slice line, struct json_object *object)
{
    (void)argument;
    (void)line;
    (void)object;
    return -EPIPE;
}

START_TEST(a_caller_may_stop_reading)
{
    struct ctl_client *client = open_client(5000);
    struct ctl_answer answer;
    ck_assert_int_eq(ctl_client_call(client, "add", NULL, stop_reading, NULL, &answer), -EPIPE);
    ctl_client_close(client);
}
END_TEST

START_TEST(no_daemon_is_an_error)
{
    struct ctl_client *client;
    ck_assert_int_eq(ctl_client_open("/nonexistent/socket", 100, &client), -ENOENT);
    char path[300];
    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    ck_assert_int_eq(ctl_client_open(path, 100, &client), -ENAMETOOLONG);
}
END_TEST

START_TEST(silence_ends_by_the_timeout)
{
    struct ctl_client *client = open_client(20);
    struct ctl_answer answer;
    ck_assert_int_eq(ctl_client_call(client, "hold", NULL, NULL, NULL, &answer), -ETIMEDOUT);
    ctl_client_close(client);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control/client");
    TCase *calling = tcase_create("calling");
    tcase_add_checked_fixture(calling, setup, teardown);
    tcase_add_test(calling, a_call_has_lines_and_an_answer);
    tcase_add_test(calling, a_caller_may_stop_reading);
    tcase_add_test(calling, no_daemon_is_an_error);
    tcase_add_test(calling, silence_ends_by_the_timeout);
    suite_add_tcase(suite, calling);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
