/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ring.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>

#include "base/random.h"

static struct ring *made(size_t capacity)
{
    struct ring *ring = NULL;
    ck_assert_int_eq(ring_create(capacity, &ring), 0);
    return ring;
}

static bool put(struct ring *ring, const void *bytes, size_t size)
{
    void *record = ring_reserve(ring, size);
    if (record == NULL)
        return false;
    memcpy(record, bytes, size);
    ring_commit(ring, size);
    return true;
}

START_TEST(records_come_out_as_they_went_in)
{
    struct ring *ring = made(1024);
    size_t size = 0;
    ck_assert(ring_is_empty(ring));
    ck_assert_ptr_null(ring_peek(ring, &size));
    ck_assert(put(ring, "abc", 3) && put(ring, "", 0) && put(ring, "defgh", 5));
    ck_assert(!ring_is_empty(ring));
    ck_assert(memcmp(ring_peek(ring, &size), "abc", 3) == 0 && size == 3);
    ck_assert(memcmp(ring_peek(ring, &size), "abc", 3) == 0 && size == 3);
    ring_release(ring);
    ck_assert_ptr_nonnull(ring_peek(ring, &size));
    ck_assert_uint_eq(size, 0);
    ring_release(ring);
    ck_assert(memcmp(ring_peek(ring, &size), "defgh", 5) == 0 && size == 5);
    ring_release(ring);
    ck_assert(ring_is_empty(ring));
    ck_assert_uint_eq(ring_used(ring), 0);
    ring_destroy(ring);
}
END_TEST

START_TEST(a_reserved_record_is_invisible_until_committed)
{
    struct ring *ring = made(1024);
    size_t size = 0;
    char *record = ring_reserve(ring, 200);
    ck_assert_uint_eq((uintptr_t)record % 16, 0);
    ck_assert_ptr_null(ring_peek(ring, &size));
    memcpy(record, "xy", 2);
    ring_commit(ring, 2);
    ck_assert_ptr_eq(ring_peek(ring, &size), record);
    ck_assert_uint_eq(size, 2);
    ck_assert_uint_le(ring_used(ring), 32);
    ring_destroy(ring);
}
END_TEST

START_TEST(a_full_ring_refuses_and_recovers)
{
    struct ring *ring = made(1024);
    char bytes[100] = {0};
    size_t size = 0;
    int count = 0;
    while (put(ring, bytes, sizeof(bytes)))
        count++;
    ck_assert_int_eq(count, 8); /* 1024 / (16 + 112) */
    ck_assert_ptr_null(ring_reserve(ring, 0));
    ck_assert_ptr_nonnull(ring_peek(ring, &size));
    ring_release(ring);
    ck_assert(put(ring, bytes, sizeof(bytes)));
    ck_assert(!put(ring, bytes, sizeof(bytes)));
    ring_destroy(ring);
}
END_TEST

START_TEST(a_record_larger_than_a_quarter_is_refused)
{
    struct ring *ring = made(1000);
    ck_assert_ptr_nonnull(ring_reserve(ring, 256));
    ck_assert_ptr_null(ring_reserve(ring, 257));
    ck_assert_ptr_null(ring_reserve(ring, SIZE_MAX));
    ring_destroy(ring);
}
END_TEST

/* Record number n has a size and contents that follow from n alone. */
static size_t size_of_record(uint64_t number)
{
    struct random_state random;
    random_seed(&random, number);
    return 8 + random_below(&random, 249);
}

static bool produce(struct ring *ring, uint64_t number)
{
    size_t size = size_of_record(number);
    unsigned char *record = ring_reserve(ring, 256);
    if (record == NULL)
        return false;
    memcpy(record, &number, sizeof(number));
    memset(record + sizeof(number), (int)(number & 0xff), size - sizeof(number));
    ring_commit(ring, size);
    return true;
}

static bool consume(struct ring *ring, uint64_t number)
{
    size_t size = 0;
    const unsigned char *record = ring_peek(ring, &size);
    if (record == NULL)
        return false;
    uint64_t read;
    memcpy(&read, record, sizeof(read));
    ck_assert_uint_eq(read, number);
    ck_assert_uint_eq(size, size_of_record(number));
    for (size_t i = sizeof(number); i < size; i++)
        if (record[i] != (number & 0xff))
            ck_abort_msg("record %lu is damaged at byte %zu", (unsigned long)number, i);
    ring_release(ring);
    return true;
}

START_TEST(wrapping_keeps_records_whole)
{
    struct ring *ring = made(2048);
    struct random_state random;
    uint64_t produced = 0;
    uint64_t consumed = 0;
    random_seed(&random, 3);
    while (consumed < 20000) {
        if (random_below(&random, 2) == 0)
            produced += produce(ring, produced);
        else
            consumed += consume(ring, consumed);
        ck_assert(ring_is_empty(ring) == (produced == consumed));
        ck_assert_uint_le(ring_used(ring), 2048);
    }
    ring_destroy(ring);
}
END_TEST

enum { THREAD_RECORDS = 100000 };

static void *producer_thread(void *ring)
{
    for (uint64_t number = 0; number < THREAD_RECORDS;) {
        if (produce(ring, number))
            number++;
        else
            sched_yield();
    }
    return NULL;
}

START_TEST(two_threads_pass_everything_in_order)
{
    struct ring *ring = made(8192);
    pthread_t producer;
    ck_assert_int_eq(pthread_create(&producer, NULL, producer_thread, ring), 0);
    for (uint64_t number = 0; number < THREAD_RECORDS;) {
        if (consume(ring, number))
            number++;
        else
            sched_yield();
    }
    pthread_join(producer, NULL);
    ck_assert(ring_is_empty(ring));
    ring_destroy(ring);
    ring_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ring");
    TCase *tests = tcase_create("ring");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, records_come_out_as_they_went_in);
    tcase_add_test(tests, a_reserved_record_is_invisible_until_committed);
    tcase_add_test(tests, a_full_ring_refuses_and_recovers);
    tcase_add_test(tests, a_record_larger_than_a_quarter_is_refused);
    tcase_add_test(tests, wrapping_keeps_records_whole);
    tcase_add_test(tests, two_threads_pass_everything_in_order);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
