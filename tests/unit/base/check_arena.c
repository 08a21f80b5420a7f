/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static struct arena *made(size_t chunk_size, size_t limit)
{
    struct arena *arena = NULL;
    ck_assert_int_eq(arena_create(chunk_size, limit, &arena), 0);
    return arena;
}

START_TEST(memory_is_aligned_and_apart)
{
    struct arena *arena = made(1024, 0);
    unsigned char *blocks[200];
    for (size_t i = 0; i < 200; i++) {
        blocks[i] = arena_alloc(arena, i);
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_uint_eq((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], (int)i, i);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t j = 0; j < i; j++)
            ck_assert_uint_eq(blocks[i][j], i);
    arena_destroy(arena);
}
END_TEST

START_TEST(a_large_block_does_not_waste_the_current_chunk)
{
    struct arena *arena = made(1024, 0);
    char *before = arena_alloc(arena, 16);
    ck_assert_ptr_nonnull(arena_alloc(arena, 5000));
    char *after = arena_alloc(arena, 16);
    ck_assert_ptr_eq(after, before + 16);
    arena_destroy(arena);
}
END_TEST

START_TEST(the_limit_counts_bytes_handed_out)
{
    struct arena *arena = made(256, 1000);
    ck_assert_ptr_nonnull(arena_alloc(arena, 900));
    ck_assert_ptr_null(arena_alloc(arena, 200));
    ck_assert_ptr_nonnull(arena_alloc(arena, 80));
    ck_assert_uint_le(arena_used(arena), 1000);
    arena_reset(arena);
    ck_assert_uint_eq(arena_used(arena), 0);
    ck_assert_ptr_nonnull(arena_alloc(arena, 900));
    arena_destroy(arena);
}
END_TEST

START_TEST(absurd_sizes_are_refused)
{
    struct arena *arena = made(256, 0);
    ck_assert_ptr_null(arena_alloc(arena, SIZE_MAX));
    ck_assert_ptr_null(arena_alloc(arena, SIZE_MAX - 20));
    ck_assert_ptr_null(arena_text(arena, slice_make("", SIZE_MAX)));
    ck_assert_ptr_nonnull(arena_alloc(arena, 1));
    arena_destroy(arena);
}
END_TEST

START_TEST(zalloc_clears_memory_used_before)
{
    struct arena *arena = made(256, 0);
    memset(arena_alloc(arena, 100), 0xff, 100);
    arena_reset(arena);
    unsigned char *bytes = arena_zalloc(arena, 100);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(bytes[i], 0);
    arena_destroy(arena);
}
END_TEST

START_TEST(a_reset_arena_hands_out_the_same_memory)
{
    struct arena *arena = made(512, 0);
    static const size_t sizes[] = {300, 300, 2000, 40, 900, 300};
    enum { SIZES = sizeof(sizes) / sizeof(sizes[0]), ROUNDS = 20 };
    void *seen[SIZES * 2];
    size_t count = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < SIZES; i++) {
            void *block = arena_alloc(arena, sizes[i]);
            bool known = false;
            for (size_t j = 0; j < count; j++)
                known = known || seen[j] == block;
            if (!known) {
                /* Chunks may trade places in the first rounds, but no more of them appear. */
                ck_assert_int_lt(round, 5);
                ck_assert_uint_lt(count, SIZES * 2);
                seen[count++] = block;
            }
        }
        arena_reset(arena);
    }
    arena_destroy(arena);
}
END_TEST

START_TEST(copies_end_with_a_nul)
{
    struct arena *arena = made(256, 0);
    struct slice copy = arena_copy(arena, SLICE("a\0b"));
    ck_assert_uint_eq(copy.length, 3);
    ck_assert(memcmp(copy.data, "a\0b", 4) == 0);
    ck_assert_str_eq(arena_text(arena, slice_make(NULL, 0)), "");
    copy = arena_copy(arena, slice_make(NULL, 0));
    ck_assert_ptr_nonnull(copy.data);
    ck_assert_uint_eq(copy.length, 0);
    arena_destroy(arena);
}
END_TEST

START_TEST(a_copy_beyond_the_limit_has_no_data)
{
    struct arena *arena = made(256, 16);
    struct slice copy = arena_copy(arena, SLICE("0123456789abcdef"));
    ck_assert_ptr_null(copy.data);
    ck_assert_uint_eq(copy.length, 0);
    arena_destroy(arena);
    arena_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arena");
    TCase *tests = tcase_create("arena");
    tcase_add_test(tests, memory_is_aligned_and_apart);
    tcase_add_test(tests, a_large_block_does_not_waste_the_current_chunk);
    tcase_add_test(tests, the_limit_counts_bytes_handed_out);
    tcase_add_test(tests, absurd_sizes_are_refused);
    tcase_add_test(tests, zalloc_clears_memory_used_before);
    tcase_add_test(tests, a_reset_arena_hands_out_the_same_memory);
    tcase_add_test(tests, copies_end_with_a_nul);
    tcase_add_test(tests, a_copy_beyond_the_limit_has_no_data);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
