/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/process.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each of these tests changes the process for good: a child runs it and says by its exit status
 * which of the steps failed, 0 for none. */
static int status_of(int (*run)(void))
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(run());
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

struct received {
    struct rt_signals *signals;
    struct rt_loop *loop;
    int count;
    int numbers[4];
    bool destroy;
};

static void receive(void *argument, int signal_number)
{
    struct received *received = argument;
    received->numbers[received->count++] = signal_number;
    if (received->destroy) {
        rt_signals_destroy(received->signals);
        received->signals = NULL;
    }
}

static const int wanted_signals[] = {SIGTERM, SIGHUP, 0};

static int start_signals(struct received *received)
{
    if (rt_loop_create(&received->loop) != 0)
        return 1;
    return rt_signals_create(received->loop, wanted_signals, receive, received,
                             &received->signals) == 0
               ? 0
               : 2;
}

static int receive_two(void)
{
    struct received received = {.count = 0};
    int failed = start_signals(&received);
    if (failed != 0)
        return failed;
    kill(getpid(), SIGHUP);
    kill(getpid(), SIGTERM);
    for (int i = 0; i < 3; i++)
        if (rt_loop_turn(received.loop, 0) != 0)
            return 3;
    if (received.count != 2 || received.numbers[0] + received.numbers[1] != SIGHUP + SIGTERM)
        return 4;
    rt_signals_destroy(received.signals);
    kill(getpid(), SIGTERM); /* still blocked */
    rt_loop_destroy(received.loop);
    return 0;
}

START_TEST(signals_come_through_the_loop)
{
    ck_assert_int_eq(status_of(receive_two), 0);
}
END_TEST

static int destroy_in_callback(void)
{
    struct received received = {.destroy = true};
    int failed = start_signals(&received);
    if (failed != 0)
        return failed;
    kill(getpid(), SIGHUP);
    kill(getpid(), SIGTERM);
    for (int i = 0; i < 3; i++)
        if (rt_loop_turn(received.loop, 0) != 0)
            return 3;
    rt_loop_destroy(received.loop);
    return received.count == 1 ? 0 : 4;
}

START_TEST(a_callback_may_destroy_the_signals)
{
    ck_assert_int_eq(status_of(destroy_in_callback), 0);
}
END_TEST

static int write_to_closed_pipe(void)
{
    struct received received = {.count = 0};
    int ends[2];
    int failed = start_signals(&received);
    if (failed != 0 || pipe(ends) != 0)
        return 1;
    close(ends[0]);
    if (write(ends[1], "x", 1) != -1 || errno != EPIPE)
        return 2;
    rt_signals_destroy(received.signals);
    rt_loop_destroy(received.loop);
    return 0;
}

START_TEST(a_closed_pipe_is_an_error_not_a_signal)
{
    ck_assert_int_eq(status_of(write_to_closed_pipe), 0);
}
END_TEST

START_TEST(a_number_that_is_no_signal_is_refused)
{
    static const int nonsense[] = {SIGHUP, 12345, 0};
    struct rt_loop *loop = NULL;
    struct rt_signals *signals = NULL;
    ck_assert_int_eq(rt_loop_create(&loop), 0);
    ck_assert_int_eq(rt_signals_create(loop, nonsense, receive, NULL, &signals), -EINVAL);
    ck_assert_ptr_null(signals);
    rt_loop_destroy(loop);
}
END_TEST

static int raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max < 200)
        return 1;
    limit.rlim_cur = 100;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 2;
    if (rt_process_raise_descriptors(50) != 100)
        return 3; /* enough already: it is not lowered */
    if (rt_process_raise_descriptors(150) != 150)
        return 4;
    uint64_t most = rt_process_raise_descriptors(UINT64_C(1) << 40); /* beyond any kernel's limit */
    return most == limit.rlim_max ? 0 : 5;
}

START_TEST(descriptors_are_raised_as_far_as_allowed)
{
    ck_assert_int_eq(status_of(raise_limit), 0);
}
END_TEST

static bool has_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    memset(data, 0, sizeof(data));
    if (syscall(SYS_capget, &header, data) != 0)
        return true;
    return (data[0].permitted | data[1].permitted | data[0].effective | data[1].effective) != 0;
}

static int drop_to_nobody(void)
{
    const struct passwd *nobody = getpwnam("nobody");
    uid_t uid = nobody->pw_uid;
    gid_t gid = nobody->pw_gid;
    if (rt_process_drop_privileges("nobody", NULL) != 0)
        return 1;
    if (getuid() != uid || geteuid() != uid || getgid() != gid || getegid() != gid)
        return 2;
    if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0)
        return 3;
    if (has_capabilities())
        return 4;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 5;
    gid_t groups[64];
    int count = getgroups(64, groups);
    for (int i = 0; i < count; i++)
        if (groups[i] == 0)
            return 6;
    /* Already this user, as under a service manager: no root is needed. */
    if (rt_process_drop_privileges("nobody", NULL) != 0)
        return 7;
    return rt_process_drop_privileges("root", NULL) == -EPERM ? 0 : 8;
}

START_TEST(privileges_are_given_up_for_good)
{
    if (geteuid() != 0 || getpwnam("nobody") == NULL) {
        fprintf(stderr, "skipped: needs root and the user nobody\n");
        return;
    }
    ck_assert_int_eq(status_of(drop_to_nobody), 0);
}
END_TEST

START_TEST(an_unknown_account_is_not_found)
{
    uid_t before = geteuid();
    ck_assert_int_eq(rt_process_drop_privileges("no-such-user-here", NULL), -ENOENT);
    ck_assert_int_eq(rt_process_drop_privileges("root", "no-such-group-here"), -ENOENT);
    ck_assert_uint_eq(geteuid(), before);
}
END_TEST

static int bound_socket(const char *name, socklen_t length)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, name, length);
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(
        bind(descriptor, (struct sockaddr *)&address, (socklen_t)(sizeof(sa_family_t) + length)),
        0);
    return descriptor;
}

static void assert_notified(int descriptor, const char *expected)
{
    char text[64] = {0};
    ck_assert_int_eq(recv(descriptor, text, sizeof(text) - 1, 0), (ssize_t)strlen(expected));
    ck_assert_str_eq(text, expected);
}

START_TEST(the_service_manager_is_told)
{
    char folder[] = "/tmp/check_process.XXXXXX";
    char path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/notify", folder);
    int descriptor = bound_socket(path, (socklen_t)strlen(path));
    setenv("NOTIFY_SOCKET", path, 1);
    rt_process_notify("READY=1");
    assert_notified(descriptor, "READY=1");
    rt_process_notify("STOPPING=1\nSTATUS=drain");
    assert_notified(descriptor, "STOPPING=1\nSTATUS=drain");
    char text[64] = {0};
    rt_process_notify_reloading();
    ck_assert_int_gt(recv(descriptor, text, sizeof(text) - 1, 0), 0);
    ck_assert_ptr_eq(strstr(text, "RELOADING=1\nMONOTONIC_USEC="), text);
    close(descriptor);
    unlink(path);
    rmdir(folder);
    rt_process_notify("nobody listens");
    unsetenv("NOTIFY_SOCKET");
    rt_process_notify("nobody is named");
}
END_TEST

START_TEST(the_service_manager_may_be_in_the_abstract_namespace)
{
    char name[64];
    snprintf(name, sizeof(name), "@check_process.%d", (int)getpid());
    setenv("NOTIFY_SOCKET", name, 1);
    name[0] = '\0';
    int descriptor = bound_socket(name, (socklen_t)(1 + strlen(name + 1)));
    rt_process_notify("WATCHDOG=1");
    assert_notified(descriptor, "WATCHDOG=1");
    close(descriptor);
    unsetenv("NOTIFY_SOCKET");
}
END_TEST

START_TEST(half_the_watchdog_interval_is_told)
{
    char own[32];
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    ck_assert_uint_eq(rt_process_watchdog_us(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    ck_assert_uint_eq(rt_process_watchdog_us(), 15000000);
    setenv("WATCHDOG_PID", "1", 1);
    ck_assert_uint_eq(rt_process_watchdog_us(), 0);
    snprintf(own, sizeof(own), "%d", (int)getpid());
    setenv("WATCHDOG_PID", own, 1);
    ck_assert_uint_eq(rt_process_watchdog_us(), 15000000);
    setenv("WATCHDOG_USEC", "soon", 1);
    ck_assert_uint_eq(rt_process_watchdog_us(), 0);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}
END_TEST

START_TEST(a_child_gets_a_descriptor_and_no_blocked_signals)
{
    const char *const arguments[] = {
        "sh", "-c",
        "grep -q '^SigBlk:.*[1-9a-f]' /proc/self/status || echo ${WATCHDOG_PID-none} >&3", NULL};
    char text[16] = {0};
    int pipes[2], status;
    pid_t child;
    sigset_t all, before;
    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    setenv("WATCHDOG_PID", "1", 1);
    ck_assert_int_eq(rt_process_spawn("/bin/sh", arguments, pipes[1], &child), 0);
    unsetenv("WATCHDOG_PID");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(pipes[1]);
    ck_assert_int_eq(read(pipes[0], text, sizeof(text) - 1), 5);
    ck_assert_str_eq(text, "none\n");
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    close(pipes[0]);
    ck_assert_int_eq(rt_process_spawn("/nonexistent", arguments, 0, &child), -ENOENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("process");
    TCase *tests = tcase_create("process");
    tcase_add_test(tests, signals_come_through_the_loop);
    tcase_add_test(tests, a_callback_may_destroy_the_signals);
    tcase_add_test(tests, a_closed_pipe_is_an_error_not_a_signal);
    tcase_add_test(tests, a_number_that_is_no_signal_is_refused);
    tcase_add_test(tests, descriptors_are_raised_as_far_as_allowed);
    tcase_add_test(tests, privileges_are_given_up_for_good);
    tcase_add_test(tests, an_unknown_account_is_not_found);
    tcase_add_test(tests, the_service_manager_is_told);
    tcase_add_test(tests, the_service_manager_may_be_in_the_abstract_namespace);
    tcase_add_test(tests, half_the_watchdog_interval_is_told);
    tcase_add_test(tests, a_child_gets_a_descriptor_and_no_blocked_signals);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
