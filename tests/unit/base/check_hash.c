/* SPDX-License-Identifier: Apache-2.0 */
/* Runs on one thread. */
#include "base/hash.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

/* The model is the array of objects itself: `inside` says what the table must know. */
struct object {
    uint64_t hash;
    unsigned name;
    bool inside;
    bool visited;
};

static struct hash_table *made(size_t initial)
{
    struct hash_table *table = NULL;
    ck_assert_int_eq(hash_table_create(initial, &table), 0);
    return table;
}

static bool has_name(const void *object, const void *key)
{
    return ((const struct object *)object)->name == *(const unsigned *)key;
}

static void assert_known(const struct hash_table *table, const struct object *object)
{
    const void *found = hash_table_find(table, object->hash, has_name, &object->name);
    if (found != (object->inside ? object : NULL)) /* ck_assert() is slow when it passes */
        ck_abort_msg("object %u is %s", object->name, object->inside ? "lost" : "a ghost");
}

static void visit(void *object, void *count)
{
    struct object *visited = object;
    if (!visited->inside || visited->visited)
        ck_abort_msg("object %u is visited wrongly", visited->name);
    visited->visited = true;
    ++*(size_t *)count;
}

static void assert_same_as_model(const struct hash_table *table, struct object *objects,
                                 size_t count)
{
    size_t inside = 0;
    size_t visited = 0;
    for (size_t i = 0; i < count; i++) {
        objects[i].visited = false;
        inside += objects[i].inside;
        assert_known(table, &objects[i]);
    }
    ck_assert_uint_eq(hash_table_count(table), inside);
    hash_table_each(table, visit, &visited);
    ck_assert_uint_eq(visited, inside);
}

/* Inserts more often than it removes while `filling`, then the other way round. */
static void random_operations(struct hash_table *table, struct object *objects, size_t count,
                              size_t steps, bool filling, struct random_state *random)
{
    for (size_t step = 0; step < steps; step++) {
        struct object *object = &objects[random_below(random, count)];
        bool insert = random_below(random, 4) != 0 ? filling : !filling;
        if (insert && !object->inside) {
            ck_assert_int_eq(hash_table_insert(table, object->hash, object), 0);
            object->inside = true;
        } else if (!insert) {
            ck_assert(hash_table_remove(table, object->hash, object) == object->inside);
            object->inside = false;
        }
        assert_known(table, object);
        assert_known(table, &objects[random_below(random, count)]);
    }
}

static void run_model(size_t count, size_t steps, uint64_t hash_mask, uint64_t seed)
{
    struct object *objects = calloc(count, sizeof(*objects));
    struct hash_table *table = made(0);
    struct random_state random;
    random_seed(&random, seed);
    for (size_t i = 0; i < count; i++) {
        objects[i].hash = random_next(&random) & hash_mask;
        objects[i].name = (unsigned)i;
    }
    for (int round = 0; round < 4; round++) {
        random_operations(table, objects, count, steps, round % 2 == 0, &random);
        assert_same_as_model(table, objects, count);
    }
    hash_table_destroy(table);
    free(objects);
}

START_TEST(small_tables_follow_the_model)
{
    for (uint64_t seed = 0; seed < 60; seed++)
        run_model(10 + seed, 300, UINT64_MAX, seed);
}
END_TEST

START_TEST(colliding_hashes_follow_the_model)
{
    for (uint64_t seed = 0; seed < 20; seed++)
        run_model(60, 400, 7, seed);
    run_model(300, 2000, UINT64_C(0xff) << 56, 1);
}
END_TEST

START_TEST(a_large_table_follows_the_model)
{
    run_model(60000, 150000, UINT64_MAX, 5);
}
END_TEST

/* After every single insert, so also at each point amid growing. */
START_TEST(nothing_is_lost_at_any_point_of_growing)
{
    enum { COUNT = 1500 };
    static struct object objects[COUNT];
    struct hash_table *table = made(0);
    struct random_state random;
    random_seed(&random, 9);
    for (unsigned i = 0; i < COUNT; i++) {
        objects[i] = (struct object){.hash = random_next(&random), .name = i, .inside = true};
        ck_assert_int_eq(hash_table_insert(table, objects[i].hash, &objects[i]), 0);
        for (unsigned j = 0; j <= i; j++)
            assert_known(table, &objects[j]);
    }
    assert_same_as_model(table, objects, COUNT);
    hash_table_destroy(table);
}
END_TEST

/* Removing all that has not been moved yet leaves growing with nothing to do. */
START_TEST(a_table_emptied_while_growing_can_be_filled_again)
{
    enum { COUNT = 4000 };
    static struct object objects[COUNT];
    struct hash_table *table = made(0);
    struct random_state random;
    random_seed(&random, 10);
    for (int round = 0; round < 3; round++) {
        size_t count = round == 1 ? COUNT : 650; /* 650: amid growing from 1024 to 2048 */
        for (unsigned i = 0; i < count; i++) {
            objects[i] = (struct object){.hash = random_next(&random), .name = i, .inside = true};
            ck_assert_int_eq(hash_table_insert(table, objects[i].hash, &objects[i]), 0);
        }
        for (unsigned i = 0; i < count; i++) {
            ck_assert(hash_table_remove(table, objects[i].hash, &objects[i]));
            objects[i].inside = false;
        }
        assert_same_as_model(table, objects, count);
    }
    hash_table_destroy(table);
}
END_TEST

START_TEST(without_match_the_hash_alone_decides)
{
    struct hash_table *table = made(4);
    int a;
    int b;
    ck_assert_ptr_null(hash_table_find(table, 5, NULL, NULL));
    ck_assert_int_eq(hash_table_insert(table, 5, &a), 0);
    ck_assert_int_eq(hash_table_insert(table, 6, &b), 0);
    hash_table_prefetch(table, 5);
    ck_assert_ptr_eq(hash_table_find(table, 5, NULL, NULL), &a);
    ck_assert_ptr_eq(hash_table_find(table, 6, NULL, NULL), &b);
    hash_table_destroy(table);
}
END_TEST

START_TEST(remove_goes_by_identity)
{
    struct hash_table *table = made(4);
    int a;
    int b;
    ck_assert_int_eq(hash_table_insert(table, 5, &a), 0);
    ck_assert(!hash_table_remove(table, 5, &b));
    ck_assert(hash_table_remove(table, 5, &a));
    ck_assert(!hash_table_remove(table, 5, &a));
    ck_assert_uint_eq(hash_table_count(table), 0);
    hash_table_destroy(table);
    hash_table_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hash");
    TCase *tests = tcase_create("hash");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, small_tables_follow_the_model);
    tcase_add_test(tests, colliding_hashes_follow_the_model);
    tcase_add_test(tests, a_large_table_follows_the_model);
    tcase_add_test(tests, nothing_is_lost_at_any_point_of_growing);
    tcase_add_test(tests, a_table_emptied_while_growing_can_be_filled_again);
    tcase_add_test(tests, without_match_the_hash_alone_decides);
    tcase_add_test(tests, remove_goes_by_identity);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
