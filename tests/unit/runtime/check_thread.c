/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/thread.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct facts {
    char name[32];
    bool blocked;
    int processors;
    bool on_wanted;
    int wanted;
};

static void look(void *argument)
{
    struct facts *facts = argument;
    sigset_t mask;
    cpu_set_t processors;
    pthread_getname_np(pthread_self(), facts->name, sizeof(facts->name));
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    facts->blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGHUP) == 1;
    sched_getaffinity(0, sizeof(processors), &processors);
    facts->processors = CPU_COUNT(&processors);
    facts->on_wanted = facts->wanted >= 0 && CPU_ISSET((unsigned)facts->wanted, &processors);
}

static struct facts facts_of(const char *name, int processor)
{
    struct facts facts = {.wanted = processor};
    struct rt_thread *thread = NULL;
    ck_assert_int_eq(rt_thread_start(name, processor, look, &facts, &thread), 0);
    rt_thread_join(thread);
    return facts;
}

static int first_allowed_processor(void)
{
    cpu_set_t allowed;
    int processor = 0;
    ck_assert_int_eq(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
    while (!CPU_ISSET((unsigned)processor, &allowed))
        processor++;
    return processor;
}

START_TEST(a_thread_has_its_name_and_no_signals)
{
    struct facts facts = facts_of("worker-1", -1);
    ck_assert_str_eq(facts.name, "worker-1");
    ck_assert(facts.blocked);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    ck_assert_int_eq(sigismember(&mask, SIGTERM), 0);
}
END_TEST

START_TEST(a_thread_is_pinned_where_asked)
{
    struct facts facts = facts_of("pinned", first_allowed_processor());
    ck_assert_int_eq(facts.processors, 1);
    ck_assert(facts.on_wanted);
}
END_TEST

START_TEST(an_unusable_processor_means_anywhere)
{
    struct facts facts = facts_of("anywhere", CPU_SETSIZE - 1);
    ck_assert_int_ge(facts.processors, 1);
    ck_assert_str_eq(facts.name, "anywhere");
    facts = facts_of("far", CPU_SETSIZE + 100);
    ck_assert_str_eq(facts.name, "far");
}
END_TEST

START_TEST(joining_none_is_harmless)
{
    rt_thread_join(NULL);
}
END_TEST

static void yield_and_look(void *argument)
{
    int *steps = argument;
    int before = getpriority(PRIO_PROCESS, (id_t)gettid());
    rt_thread_give_way();
    *steps = getpriority(PRIO_PROCESS, (id_t)gettid()) - before;
}

START_TEST(a_thread_that_gives_way_is_alone_in_it)
{
    struct rt_thread *thread = NULL;
    int steps = 0, before = getpriority(PRIO_PROCESS, 0);
    ck_assert_int_eq(rt_thread_start("builder", -1, yield_and_look, &steps, &thread), 0);
    rt_thread_join(thread);
    /* 19 is the most there is. */
    ck_assert_int_eq(steps, before <= 9 ? 10 : 19 - before);
    ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("thread");
    TCase *tests = tcase_create("thread");
    tcase_add_test(tests, a_thread_has_its_name_and_no_signals);
    tcase_add_test(tests, a_thread_that_gives_way_is_alone_in_it);
    tcase_add_test(tests, a_thread_is_pinned_where_asked);
    tcase_add_test(tests, an_unusable_processor_means_anywhere);
    tcase_add_test(tests, joining_none_is_harmless);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
