/* SPDX-License-Identifier: Apache-2.0 */
/* Runs on one thread. */
#include "base/slab.h"

#include <check.h>
#include <stdint.h>
#include <string.h>

#include "base/random.h"

enum { LARGEST = 72 * 1024 };

static struct slab *made(size_t limit)
{
    struct slab *slab = NULL;
    ck_assert_int_eq(slab_create(limit, &slab), 0);
    return slab;
}

START_TEST(every_size_fits_and_wastes_at_most_a_fifth)
{
    struct slab *slab = made(1 << 20);
    for (size_t size = 0; size <= LARGEST; size += size < 2048 ? 1 : 13) {
        void *block = slab_alloc(slab, size);
        ck_assert_ptr_nonnull(block);
        ck_assert_uint_eq((uintptr_t)block % 16, 0);
        memset(block, 0x5a, size);
        size_t rounded = slab_used(slab);
        ck_assert_uint_ge(rounded, size);
        if (size > 64)
            ck_assert_uint_le(rounded - size, rounded / 5);
        slab_free(slab, block, size);
        ck_assert_uint_eq(slab_used(slab), 0);
    }
    slab_destroy(slab);
}
END_TEST

START_TEST(what_is_too_large_is_refused)
{
    struct slab *slab = made(SIZE_MAX);
    ck_assert_ptr_nonnull(slab_alloc(slab, LARGEST));
    ck_assert_ptr_null(slab_alloc(slab, LARGEST + 1));
    ck_assert_ptr_null(slab_alloc(slab, SIZE_MAX));
    slab_free(slab, NULL, 7);
    slab_destroy(slab);
}
END_TEST

START_TEST(a_freed_block_is_used_again)
{
    struct slab *slab = made(1 << 20);
    void *block = slab_alloc(slab, 1000);
    slab_free(slab, block, 1000);
    ck_assert_ptr_eq(slab_alloc(slab, 1010), block);
    slab_destroy(slab);
}
END_TEST

START_TEST(the_limit_holds)
{
    struct slab *slab = made(1024);
    void *block = slab_alloc(slab, 1024);
    ck_assert_ptr_nonnull(block);
    ck_assert_ptr_null(slab_alloc(slab, 1));
    slab_free(slab, block, 1024);
    ck_assert_ptr_nonnull(slab_alloc(slab, 1));
    slab_destroy(slab);
}
END_TEST

START_TEST(spare_blocks_of_other_sizes_make_way)
{
    struct slab *slab = made(64 * 1024);
    void *blocks[1024];
    for (int i = 0; i < 1024; i++)
        ck_assert_ptr_nonnull(blocks[i] = slab_alloc(slab, 64));
    ck_assert_ptr_null(slab_alloc(slab, 64));
    for (int i = 0; i < 1024; i++)
        slab_free(slab, blocks[i], 64);
    ck_assert_ptr_nonnull(slab_alloc(slab, 64 * 1024));
    slab_destroy(slab);
}
END_TEST

START_TEST(random_use_keeps_contents_and_count)
{
    enum { PLACES = 200 };
    struct slab *slab = made(2 << 20);
    unsigned char *blocks[PLACES] = {NULL};
    size_t sizes[PLACES] = {0};
    struct random_state random;
    random_seed(&random, 1);
    for (int step = 0; step < 20000; step++) {
        size_t i = random_below(&random, PLACES);
        if (blocks[i] != NULL) {
            for (size_t j = 0; j < sizes[i]; j += 97)
                ck_assert_uint_eq(blocks[i][j], i);
            slab_free(slab, blocks[i], sizes[i]);
            blocks[i] = NULL;
            continue;
        }
        sizes[i] = random_below(&random, random_below(&random, 10) == 0 ? LARGEST : 1500);
        blocks[i] = slab_alloc(slab, sizes[i]);
        if (blocks[i] != NULL)
            memset(blocks[i], (int)i, sizes[i]);
    }
    for (size_t i = 0; i < PLACES; i++)
        slab_free(slab, blocks[i], sizes[i]);
    ck_assert_uint_eq(slab_used(slab), 0);
    slab_destroy(slab);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slab");
    TCase *tests = tcase_create("slab");
    tcase_add_test(tests, every_size_fits_and_wastes_at_most_a_fifth);
    tcase_add_test(tests, what_is_too_large_is_refused);
    tcase_add_test(tests, a_freed_block_is_used_again);
    tcase_add_test(tests, the_limit_holds);
    tcase_add_test(tests, spare_blocks_of_other_sizes_make_way);
    tcase_add_test(tests, random_use_keeps_contents_and_count);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
