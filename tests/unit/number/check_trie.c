/* SPDX-License-Identifier: Apache-2.0 */
/* Runs on one thread. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "number/trie.h"

struct pair {
    const char *key;
    uint32_t value;
};

static struct num_trie *build(const struct pair *pairs, size_t count)
{
    struct num_trie *trie;
    ck_assert_int_eq(num_trie_create(&trie), 0);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(num_trie_insert(trie, slice_of_text(pairs[i].key), pairs[i].value), 0);
    ck_assert_int_eq(num_trie_seal(trie), 0);
    return trie;
}

static void check_longest(const struct num_trie *trie, const char *text, const char *key,
                          uint32_t expected)
{
    uint32_t value = 0;
    size_t length = 0;
    bool found = num_trie_find_longest(trie, slice_of_text(text), &value, &length);
    ck_assert_msg(found == (key != NULL), "\"%s\"", text);
    if (found) {
        ck_assert_uint_eq(length, strlen(key));
        ck_assert_uint_eq(value, expected);
    }
}

START_TEST(the_longest_prefix_wins)
{
    const struct pair pairs[] = {{"86", 1},  {"86138", 2}, {"861380013", 3},           {"86139", 4},
                                 {"+86", 5}, {"sos", 6},   {"sos.police", UINT32_MAX}, {"852", 0}};
    struct num_trie *trie = build(pairs, 8);
    ck_assert_uint_eq(num_trie_count(trie), 8);
    check_longest(trie, "8613800138000", "861380013", 3);
    check_longest(trie, "86138", "86138", 2);
    check_longest(trie, "8613801", "86138", 2);
    check_longest(trie, "8613", "86", 1);
    check_longest(trie, "861391", "86139", 4);
    check_longest(trie, "+8613800138000", "+86", 5);
    check_longest(trie, "sos.police@x", "sos.police", UINT32_MAX);
    check_longest(trie, "sos.fire", "sos", 6);
    check_longest(trie, "85223456789", "852", 0);
    check_longest(trie, "85", NULL, 0);
    check_longest(trie, "8", NULL, 0);
    check_longest(trie, "", NULL, 0);
    check_longest(trie, "SOS", NULL, 0);
    num_trie_destroy(trie);
}
END_TEST

START_TEST(the_empty_key_matches_everything)
{
    const struct pair pairs[] = {{"", 7}, {"1", 8}};
    struct num_trie *trie = build(pairs, 2);
    check_longest(trie, "", "", 7);
    check_longest(trie, "2", "", 7);
    check_longest(trie, "12", "1", 8);
    num_trie_destroy(trie);
}
END_TEST

START_TEST(the_later_of_equal_keys_counts)
{
    const struct pair pairs[] = {{"86", 1}, {"8", 2}, {"86", 3}, {"8", 4}, {"86", 5}};
    struct num_trie *trie = build(pairs, 5);
    ck_assert_uint_eq(num_trie_count(trie), 2);
    check_longest(trie, "86", "86", 5);
    check_longest(trie, "8", "8", 4);
    num_trie_destroy(trie);
}
END_TEST

START_TEST(exact_keys_only_when_asked)
{
    const struct pair pairs[] = {{"86", 1}, {"86138", 2}};
    struct num_trie *trie = build(pairs, 2);
    uint32_t value;
    ck_assert(num_trie_find(trie, SLICE("86138"), &value));
    ck_assert_uint_eq(value, 2);
    ck_assert(!num_trie_find(trie, SLICE("8613"), &value));
    ck_assert(!num_trie_find(trie, SLICE("861380"), &value));
    ck_assert(!num_trie_find(trie, SLICE(""), &value));
    num_trie_destroy(trie);
}
END_TEST

START_TEST(an_empty_trie_holds_nothing)
{
    struct num_trie *trie = build(NULL, 0);
    uint32_t value;
    ck_assert(!num_trie_find_longest(trie, SLICE("86"), &value, NULL));
    ck_assert(!num_trie_find(trie, SLICE(""), &value));
    ck_assert_uint_eq(num_trie_count(trie), 0);
    num_trie_destroy(trie);
    num_trie_destroy(NULL);
}
END_TEST

START_TEST(any_byte_and_the_longest_key)
{
    struct num_trie *trie;
    char key[NUM_TRIE_KEY_LIMIT + 1];
    uint32_t value;
    ck_assert_int_eq(num_trie_create(&trie), 0);
    memset(key, 'k', sizeof(key));
    ck_assert_int_eq(num_trie_insert(trie, slice_make(key, sizeof(key)), 1), ERROR_LIMIT);
    ck_assert_int_eq(num_trie_insert(trie, slice_make(key, sizeof(key) - 1), 1), 0);
    for (unsigned byte = 0; byte < 256; byte++) {
        char single = (char)byte;
        ck_assert_int_eq(num_trie_insert(trie, slice_make(&single, 1), byte), 0);
    }
    ck_assert_int_eq(num_trie_seal(trie), 0);
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[2] = {(char)byte, '\0'};
        ck_assert(num_trie_find_longest(trie, slice_make(text, 2), &value, NULL));
        ck_assert_uint_eq(value, byte);
    }
    ck_assert(num_trie_find_longest(trie, slice_make(key, sizeof(key)), &value, NULL));
    ck_assert_uint_eq(value, 1);
    num_trie_destroy(trie);
}
END_TEST

enum { MODEL_KEYS = 3000 };
struct model {
    char keys[MODEL_KEYS][8];
    size_t count;
};

static void random_digits(struct random_state *random, char text[8])
{
    size_t length = 1 + random_below(random, 6);
    for (size_t i = 0; i < length; i++)
        text[i] = (char)('0' + random_below(random, 5));
    text[length] = '\0';
}

/* The value of a key is the place of its last insertion. */
static bool model_longest(const struct model *model, const char *text, uint32_t *value)
{
    size_t best = 0;
    for (size_t i = 0; i < model->count; i++) {
        size_t length = strlen(model->keys[i]);
        if (length >= best && strncmp(text, model->keys[i], length) == 0) {
            best = length;
            *value = (uint32_t)i;
        }
    }
    return best > 0;
}

START_TEST(agrees_with_a_plain_model)
{
    static struct model model;
    struct random_state random;
    struct num_trie *trie;
    random_seed(&random, 7);
    ck_assert_int_eq(num_trie_create(&trie), 0);
    for (model.count = 0; model.count < MODEL_KEYS; model.count++) {
        char *key = model.keys[model.count];
        random_digits(&random, key);
        ck_assert_int_eq(num_trie_insert(trie, slice_of_text(key), (uint32_t)model.count), 0);
    }
    ck_assert_int_eq(num_trie_seal(trie), 0);
    for (unsigned i = 0; i < 3000; i++) {
        char text[8];
        uint32_t expected = 0;
        uint32_t value = 0;
        random_digits(&random, text);
        bool found = model_longest(&model, text, &expected);
        ck_assert(num_trie_find_longest(trie, slice_of_text(text), &value, NULL) == found);
        ck_assert_msg(!found || value == expected, "%s: %u, not %u", text, value, expected);
    }
    num_trie_destroy(trie);
}
END_TEST

START_TEST(two_hundred_thousand_prefixes_stay_small)
{
    struct random_state random;
    struct num_trie *trie;
    random_seed(&random, 9);
    ck_assert_int_eq(num_trie_create(&trie), 0);
    for (uint32_t i = 0; i < 200000; i++) {
        char key[24];
        snprintf(key, sizeof(key), "861%09u", (unsigned)random_below(&random, 1000000000));
        ck_assert_int_eq(num_trie_insert(trie, slice_of_text(key), i), 0);
    }
    ck_assert_int_eq(num_trie_seal(trie), 0);
    ck_assert_uint_lt(num_trie_memory(trie), 12U << 20);
    num_trie_destroy(trie);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trie");
    TCase *tests = tcase_create("trie");
    tcase_add_test(tests, the_longest_prefix_wins);
    tcase_add_test(tests, the_empty_key_matches_everything);
    tcase_add_test(tests, the_later_of_equal_keys_counts);
    tcase_add_test(tests, exact_keys_only_when_asked);
    tcase_add_test(tests, an_empty_trie_holds_nothing);
    tcase_add_test(tests, any_byte_and_the_longest_key);
    tcase_add_test(tests, agrees_with_a_plain_model);
    tcase_add_test(tests, two_hundred_thousand_prefixes_stay_small);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
