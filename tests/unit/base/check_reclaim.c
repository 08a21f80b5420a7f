/* SPDX-License-Identifier: Apache-2.0 */
#include "base/reclaim.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

static struct reclaim *made(size_t readers)
{
    struct reclaim *domain = NULL;
    ck_assert_int_eq(reclaim_create(readers, &domain), 0);
    return domain;
}

static struct reclaim_reader *registered(struct reclaim *domain)
{
    struct reclaim_reader *reader = NULL;
    ck_assert_int_eq(reclaim_register(domain, &reader), 0);
    return reader;
}

static void count_up(void *counter)
{
    ++*(int *)counter;
}

START_TEST(without_readers_everything_is_safe)
{
    struct reclaim *domain = made(2);
    int freed = 0;
    ck_assert(!reclaim_collect(domain));
    ck_assert_int_eq(reclaim_retire(domain, &freed, count_up), 0);
    ck_assert_int_eq(freed, 0);
    ck_assert(!reclaim_collect(domain));
    ck_assert_int_eq(freed, 1);
    reclaim_destroy(domain);
}
END_TEST

START_TEST(an_online_reader_holds_up_until_quiescent)
{
    struct reclaim *domain = made(2);
    struct reclaim_reader *reader = registered(domain);
    int freed = 0;
    reclaim_online(reader);
    ck_assert_int_eq(reclaim_retire(domain, &freed, count_up), 0);
    ck_assert(reclaim_collect(domain));
    ck_assert_int_eq(freed, 0);
    reclaim_quiescent(reader);
    ck_assert(!reclaim_collect(domain));
    ck_assert_int_eq(freed, 1);
    reclaim_unregister(reader);
    reclaim_destroy(domain);
}
END_TEST

START_TEST(every_online_reader_counts_and_sleepers_do_not)
{
    struct reclaim *domain = made(3);
    struct reclaim_reader *a = registered(domain);
    struct reclaim_reader *b = registered(domain);
    registered(domain); /* never online */
    int freed = 0;
    reclaim_online(a);
    reclaim_online(b);
    ck_assert_int_eq(reclaim_retire(domain, &freed, count_up), 0);
    reclaim_quiescent(a);
    ck_assert(reclaim_collect(domain));
    reclaim_offline(b);
    ck_assert(!reclaim_collect(domain));
    ck_assert_int_eq(freed, 1);
    reclaim_offline(a);
    reclaim_destroy(domain);
}
END_TEST

START_TEST(who_comes_online_later_does_not_hold_up)
{
    struct reclaim *domain = made(1);
    struct reclaim_reader *reader = registered(domain);
    int freed = 0;
    ck_assert_int_eq(reclaim_retire(domain, &freed, count_up), 0);
    reclaim_online(reader);
    ck_assert(!reclaim_collect(domain));
    ck_assert_int_eq(freed, 1);
    reclaim_offline(reader);
    reclaim_destroy(domain);
}
END_TEST

START_TEST(only_what_is_old_enough_is_freed)
{
    struct reclaim *domain = made(1);
    struct reclaim_reader *reader = registered(domain);
    int first = 0;
    int second = 0;
    reclaim_online(reader);
    ck_assert_int_eq(reclaim_retire(domain, &first, count_up), 0);
    reclaim_quiescent(reader);
    ck_assert_int_eq(reclaim_retire(domain, &second, count_up), 0);
    ck_assert(reclaim_collect(domain));
    ck_assert_int_eq(first, 1);
    ck_assert_int_eq(second, 0);
    reclaim_offline(reader);
    reclaim_destroy(domain);
    ck_assert_int_eq(first, 1);
    ck_assert_int_eq(second, 1);
}
END_TEST

START_TEST(places_are_limited_and_given_back)
{
    struct reclaim *domain = made(1);
    struct reclaim_reader *reader = registered(domain);
    struct reclaim_reader *second = NULL;
    ck_assert_int_eq(reclaim_register(domain, &second), ERROR_LIMIT);
    reclaim_online(reader);
    reclaim_unregister(reader);
    ck_assert_int_eq(reclaim_register(domain, &second), 0);
    int freed = 0;
    ck_assert_int_eq(reclaim_retire(domain, &freed, count_up), 0);
    ck_assert(!reclaim_collect(domain)); /* the new one is offline */
    reclaim_destroy(domain);
    reclaim_destroy(NULL);
}
END_TEST

struct nested {
    struct reclaim *domain;
    int freed;
};

static void retire_more(void *argument)
{
    struct nested *nested = argument;
    ck_assert_int_eq(reclaim_retire(nested->domain, &nested->freed, count_up), 0);
}

START_TEST(a_destructor_may_retire_more)
{
    struct nested nested = {made(1), 0};
    ck_assert_int_eq(reclaim_retire(nested.domain, &nested, retire_more), 0);
    ck_assert(reclaim_collect(nested.domain));
    ck_assert_int_eq(nested.freed, 0);
    reclaim_destroy(nested.domain);
    ck_assert_int_eq(nested.freed, 1);
}
END_TEST

enum { READERS = 3, VERSIONS = 20000 };

struct version {
    int number;
    int same_number;
};

struct shared {
    struct reclaim *domain;
    _Atomic(struct version *) current;
    atomic_bool stop;
};

static void free_version(void *object)
{
    struct version *version = object;
    version->number = -1;
    version->same_number = -2;
    free(version);
}

/* Check's own assertions belong to the first thread. */
static void require(bool condition)
{
    if (!condition)
        abort();
}

/* Reads what the writer replaces all the time; sleeps now and then. */
static void *reader_thread(void *argument)
{
    struct shared *shared = argument;
    struct reclaim_reader *reader = NULL;
    require(reclaim_register(shared->domain, &reader) == 0);
    reclaim_online(reader);
    int last = 0;
    for (unsigned turn = 1; !atomic_load_explicit(&shared->stop, memory_order_relaxed); turn++) {
        struct version *version = atomic_load_explicit(&shared->current, memory_order_acquire);
        require(version->number == version->same_number);
        require(version->number >= last);
        last = version->number;
        if (turn % 8 == 0) {
            reclaim_offline(reader);
            sched_yield();
            reclaim_online(reader);
        } else {
            reclaim_quiescent(reader);
        }
    }
    reclaim_unregister(reader);
    return NULL;
}

static struct version *new_version(int number)
{
    struct version *version = malloc(sizeof(*version));
    *version = (struct version){number, number};
    return version;
}

START_TEST(threads_never_see_a_freed_object)
{
    struct shared shared = {.domain = made(READERS)};
    pthread_t threads[READERS];
    atomic_init(&shared.current, new_version(0));
    atomic_init(&shared.stop, false);
    for (int i = 0; i < READERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, reader_thread, &shared), 0);
    for (int number = 1; number <= VERSIONS; number++) {
        struct version *old = atomic_exchange(&shared.current, new_version(number));
        ck_assert_int_eq(reclaim_retire(shared.domain, old, free_version), 0);
        reclaim_collect(shared.domain);
        if (number % 64 == 0)
            sched_yield();
    }
    atomic_store(&shared.stop, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert(!reclaim_collect(shared.domain));
    free_version(atomic_load(&shared.current));
    reclaim_destroy(shared.domain);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reclaim");
    TCase *tests = tcase_create("reclaim");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, without_readers_everything_is_safe);
    tcase_add_test(tests, an_online_reader_holds_up_until_quiescent);
    tcase_add_test(tests, every_online_reader_counts_and_sleepers_do_not);
    tcase_add_test(tests, who_comes_online_later_does_not_hold_up);
    tcase_add_test(tests, only_what_is_old_enough_is_freed);
    tcase_add_test(tests, places_are_limited_and_given_back);
    tcase_add_test(tests, a_destructor_may_retire_more);
    tcase_add_test(tests, threads_never_see_a_freed_object);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
