/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "identity/mark.h"

static struct ident_marks marks_of(uint8_t seed, uint8_t generation)
{
    struct ident_marks marks;
    uint8_t key[IDENT_KEY_BYTES];
    memset(key, seed, sizeof(key));
    ident_marks_init(&marks, key, generation);
    return marks;
}

static struct ident_hop sample_hop(void)
{
    return (struct ident_hop){
        .branch = SLICE("z9hG4bKabc"),
        .host = SLICE("192.0.2.1"),
        .port = 5060,
        .call_id = SLICE("a84b4c76e66710@pc33"),
        .from_tag = SLICE("1928301774"),
        .cseq = 314159,
    };
}

START_TEST(branch_verifies_without_state)
{
    struct ident_marks marks = marks_of(7, 3);
    struct ident_hop hop = sample_hop();
    char branch[IDENT_BRANCH_LENGTH];
    ident_branch_write(&marks, &hop, 2, 0xcafe0123, branch);
    struct slice text = slice_make(branch, sizeof(branch));
    ck_assert(ident_branch_has_form(text));
    ck_assert_int_eq(ident_branch_verify(&marks, &hop, text), 0);
    ck_assert_uint_eq(ident_branch_loop(text), 0xcafe0123);
    ck_assert_int_eq(ident_branch_generation(text), 3);
    ck_assert_int_eq(ident_branch_generation(SLICE("z9hG4bK3")), -1);

    /* Another life of the process, with another generation, knows it too. */
    struct ident_marks later = marks_of(7, 4);
    ck_assert_int_eq(ident_branch_verify(&later, &hop, text), 0);
    struct ident_marks foreign = marks_of(8, 3);
    ck_assert_int_eq(ident_branch_verify(&foreign, &hop, text), ERROR_FORGED);
}
END_TEST

START_TEST(every_input_of_a_branch_counts)
{
    struct ident_marks marks = marks_of(7, 0);
    char branch[IDENT_BRANCH_LENGTH];
    struct ident_hop hop = sample_hop();
    ident_branch_write(&marks, &hop, 0, 1, branch);
    struct slice text = slice_make(branch, sizeof(branch));
    struct ident_hop changed[6];
    for (size_t i = 0; i < 6; i++)
        changed[i] = hop;
    changed[0].branch = SLICE("z9hG4bKabd");
    changed[1].host = SLICE("192.0.2.2");
    changed[2].port = 5061;
    changed[3].call_id = SLICE("b84b4c76e66710@pc33");
    changed[4].from_tag = SLICE("1928301775");
    changed[5].cseq = 314160;
    for (size_t i = 0; i < 6; i++)
        ck_assert_int_eq(ident_branch_verify(&marks, &changed[i], text), ERROR_FORGED);
    /* A part moved from one field to the next is another material. */
    changed[0] = hop;
    changed[0].branch = SLICE("z9hG4bKab");
    changed[0].host = SLICE("c192.0.2.1");
    ck_assert_int_eq(ident_branch_verify(&marks, &changed[0], text), ERROR_FORGED);
}
END_TEST

START_TEST(no_digit_of_a_branch_may_change)
{
    struct ident_marks marks = marks_of(9, 1);
    struct ident_hop hop = sample_hop();
    char branch[IDENT_BRANCH_LENGTH];
    ident_branch_write(&marks, &hop, 0, 77, branch);
    for (size_t i = 9; i < sizeof(branch); i++) {
        char kept = branch[i];
        branch[i] = kept == '0' ? '1' : '0';
        ck_assert_int_eq(ident_branch_verify(&marks, &hop, slice_make(branch, sizeof(branch))),
                         ERROR_FORGED);
        branch[i] = 'G';
        ck_assert_int_eq(ident_branch_verify(&marks, &hop, slice_make(branch, sizeof(branch))),
                         ERROR_FORGED);
        branch[i] = kept;
    }
}
END_TEST

START_TEST(long_inputs_are_told_apart)
{
    struct ident_marks marks = marks_of(1, 0);
    char long_id[4096];
    memset(long_id, 'x', sizeof(long_id));
    struct ident_hop hop = sample_hop();
    hop.call_id = slice_make(long_id, sizeof(long_id));
    char branch[IDENT_BRANCH_LENGTH];
    ident_branch_write(&marks, &hop, 0, 0, branch);
    ck_assert_int_eq(ident_branch_verify(&marks, &hop, slice_make(branch, sizeof(branch))), 0);
    long_id[4000] = 'y';
    ck_assert_int_eq(ident_branch_verify(&marks, &hop, slice_make(branch, sizeof(branch))),
                     ERROR_FORGED);
}
END_TEST

START_TEST(route_mark_knows_its_direction)
{
    struct ident_marks marks = marks_of(5, 0);
    char mark[IDENT_ROUTE_LENGTH];
    struct ident_route route;
    struct slice id = SLICE("call"), caller = SLICE("caller"), callee = SLICE("callee");
    ident_route_write(&marks, id, caller, 11, 22, mark);
    struct slice text = slice_make(mark, sizeof(mark));
    ck_assert_int_eq(ident_route_verify(&marks, text, id, caller, callee, &route), 0);
    ck_assert(!route.reversed);
    ck_assert_uint_eq(route.ingress, 11);
    ck_assert_uint_eq(route.egress, 22);
    ck_assert_int_eq(ident_route_verify(&marks, text, id, callee, caller, &route), 0);
    ck_assert(route.reversed);
    ck_assert_int_eq(ident_route_verify(&marks, text, id, callee, callee, &route), ERROR_FORGED);
    ck_assert_int_eq(ident_route_verify(&marks, text, SLICE("other"), caller, callee, &route),
                     ERROR_FORGED);
    mark[15] = mark[15] == '0' ? '1' : '0';
    ck_assert_int_eq(ident_route_verify(&marks, text, id, caller, callee, &route), ERROR_FORGED);
    ck_assert_int_eq(ident_route_verify(&marks, slice_first(text, 31), id, caller, callee, &route),
                     ERROR_FORGED);
}
END_TEST

START_TEST(tag_repeats_for_a_repetition)
{
    struct ident_marks marks = marks_of(5, 0);
    struct ident_hop hop = sample_hop();
    char first[IDENT_TAG_LENGTH], second[IDENT_TAG_LENGTH];
    ident_tag_write(&marks, &hop, first);
    ident_tag_write(&marks, &hop, second);
    ck_assert_mem_eq(first, second, sizeof(first));
    hop.cseq++;
    ident_tag_write(&marks, &hop, second);
    ck_assert_mem_ne(first, second, sizeof(first));
}
END_TEST

START_TEST(trunks_are_the_same_everywhere)
{
    /* Known values: marks in calls under way depend on them from one version to the next. */
    ck_assert_uint_eq(ident_trunk(SLICE("carrier")), ident_trunk(SLICE("carrier")));
    ck_assert_uint_ne(ident_trunk(SLICE("carrier")), ident_trunk(SLICE("core")));
}
END_TEST

START_TEST(key_file_is_made_read_and_refused)
{
    char folder[] = "/tmp/check-mark-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    char path[64];
    snprintf(path, sizeof(path), "%s/key", folder);
    uint8_t made[IDENT_KEY_BYTES], again[IDENT_KEY_BYTES];
    bool created;
    struct stat status;
    ck_assert_int_eq(ident_key_load(path, made, &created), 0);
    ck_assert(created);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    ck_assert_int_eq(ident_key_load(path, again, &created), 0);
    ck_assert(!created);
    ck_assert_mem_eq(made, again, sizeof(made));

    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("not a key\n", file);
    fclose(file);
    ck_assert_int_eq(ident_key_load(path, again, &created), ERROR_MALFORMED);
    unlink(path);
    rmdir(folder);
    ck_assert_int_eq(ident_key_load(path, again, &created), -ENOENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("identity/mark");
    TCase *tests = tcase_create("mark");
    tcase_add_test(tests, branch_verifies_without_state);
    tcase_add_test(tests, every_input_of_a_branch_counts);
    tcase_add_test(tests, no_digit_of_a_branch_may_change);
    tcase_add_test(tests, long_inputs_are_told_apart);
    tcase_add_test(tests, route_mark_knows_its_direction);
    tcase_add_test(tests, tag_repeats_for_a_repetition);
    tcase_add_test(tests, trunks_are_the_same_everywhere);
    tcase_add_test(tests, key_file_is_made_read_and_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
