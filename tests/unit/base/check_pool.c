/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

static struct pool *made(size_t object_size, uint32_t limit)
{
    struct pool *pool = NULL;
    ck_assert_int_eq(pool_create(object_size, limit, &pool), 0);
    return pool;
}

START_TEST(hands_out_up_to_the_limit)
{
    enum { LIMIT = 5000 };
    struct pool *pool = made(40, LIMIT);
    static void *objects[LIMIT];
    for (uint32_t i = 0; i < LIMIT; i++) {
        objects[i] = pool_get(pool);
        ck_assert_ptr_nonnull(objects[i]);
        ck_assert_uint_eq((uintptr_t)objects[i] % 16, 0);
        memset(objects[i], 0xee, 40);
    }
    ck_assert_ptr_null(pool_get(pool));
    ck_assert_uint_eq(pool_used(pool), LIMIT);
    ck_assert_uint_eq(pool_limit(pool), LIMIT);
    pool_put(pool, objects[17]);
    ck_assert_ptr_eq(pool_get(pool), objects[17]);
    pool_destroy(pool);
}
END_TEST

START_TEST(objects_come_zeroed)
{
    struct pool *pool = made(33, 4);
    unsigned char *object = pool_get(pool);
    memset(object, 0xff, 33);
    pool_put(pool, object);
    object = pool_get(pool);
    for (int i = 0; i < 33; i++)
        ck_assert_uint_eq(object[i], 0);
    pool_destroy(pool);
}
END_TEST

START_TEST(indexes_are_stable_and_lead_back)
{
    enum { LIMIT = 3000 };
    struct pool *pool = made(100, LIMIT);
    static void *objects[LIMIT + 1];
    for (uint32_t i = 1; i <= LIMIT; i++) {
        void *object = pool_get(pool);
        uint32_t index = pool_index(pool, object);
        ck_assert_uint_ge(index, 1);
        ck_assert_uint_le(index, LIMIT);
        ck_assert_ptr_null(objects[index]);
        objects[index] = object;
    }
    for (uint32_t i = 1; i <= LIMIT; i++) {
        ck_assert_ptr_eq(pool_at(pool, i), objects[i]);
        ck_assert_uint_eq(pool_index(pool, objects[i]), i);
    }
    pool_destroy(pool);
}
END_TEST

START_TEST(an_index_that_is_not_in_use_gives_null)
{
    struct pool *pool = made(16, 10);
    void *object = pool_get(pool);
    uint32_t index = pool_index(pool, object);
    ck_assert_ptr_null(pool_at(pool, 0));
    ck_assert_ptr_null(pool_at(pool, 11));
    ck_assert_ptr_null(pool_at(pool, UINT32_MAX));
    pool_put(pool, object);
    ck_assert_ptr_null(pool_at(pool, index));
    ck_assert_uint_eq(pool_used(pool), 0);
    pool_destroy(pool);
}
END_TEST

START_TEST(objects_larger_than_a_slab_work)
{
    struct pool *pool = made(200000, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_ptr_nonnull(pool_get(pool));
    ck_assert_ptr_null(pool_get(pool));
    pool_destroy(pool);
}
END_TEST

START_TEST(nothing_of_no_size_is_refused)
{
    struct pool *pool = NULL;
    ck_assert_int_eq(pool_create(0, 1, &pool), -EINVAL);
    ck_assert_int_eq(pool_create(1, 0, &pool), -EINVAL);
    pool_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tests = tcase_create("pool");
    tcase_add_test(tests, hands_out_up_to_the_limit);
    tcase_add_test(tests, objects_come_zeroed);
    tcase_add_test(tests, indexes_are_stable_and_lead_back);
    tcase_add_test(tests, an_index_that_is_not_in_use_gives_null);
    tcase_add_test(tests, objects_larger_than_a_slab_work);
    tcase_add_test(tests, nothing_of_no_size_is_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
