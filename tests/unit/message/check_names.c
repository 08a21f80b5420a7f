/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "message_test.h"

static const struct {
    enum smsg_header_id id;
    const char *name;
    char compact;
} rows[] = {
#define ROW(identifier, name, compact) {SMSG_HEADER_##identifier, name, compact},
    SMSG_HEADER_TABLE(ROW)
#undef ROW
};

START_TEST(every_header_is_found_in_any_case)
{
    char name[64];
    size_t length = strlen(rows[_i].name);

    ck_assert_int_eq(smsg_header_id(slice_of_text(rows[_i].name)), rows[_i].id);
    for (size_t i = 0; i <= length; i++)
        name[i] = (char)toupper(rows[_i].name[i]);
    ck_assert_int_eq(smsg_header_id(slice_make(name, length)), rows[_i].id);
    if (length > 2) /* "T" is To */
        ck_assert_int_eq(smsg_header_id(slice_make(name, length - 1)), SMSG_HEADER_OTHER);
    name[length / 2] ^= 0x01;
    ck_assert_int_eq(smsg_header_id(slice_make(name, length)), SMSG_HEADER_OTHER);
    if (rows[_i].compact != 0) {
        name[0] = rows[_i].compact;
        ck_assert_int_eq(smsg_header_id(slice_make(name, 1)), rows[_i].id);
        name[0] = (char)toupper(rows[_i].compact);
        ck_assert_int_eq(smsg_header_id(slice_make(name, 1)), rows[_i].id);
    }
}
END_TEST

START_TEST(other_names_are_other)
{
    ck_assert_int_eq(smsg_header_id(SLICE("")), SMSG_HEADER_OTHER);
    ck_assert_int_eq(smsg_header_id(SLICE("z")), SMSG_HEADER_OTHER);
    ck_assert_int_eq(smsg_header_id(SLICE("Max_Forwards")), SMSG_HEADER_OTHER);
    ck_assert_int_eq(smsg_header_id(SLICE("Call\rID")), SMSG_HEADER_OTHER);
    ck_assert_int_eq(smsg_header_id(SLICE("Call\nID")), SMSG_HEADER_OTHER);
    ck_assert_int_eq(smsg_header_id(SLICE("P-Asserted-Identity-With-More")), SMSG_HEADER_OTHER);
}
END_TEST

START_TEST(methods_are_case_sensitive)
{
    for (int method = SMSG_METHOD_OTHER + 1; method < SMSG_METHOD_COUNT; method++)
        ck_assert_int_eq(smsg_method_of(slice_of_text(smsg_method_text((enum smsg_method)method))),
                         method);
    ck_assert_int_eq(smsg_method_of(SLICE("invite")), SMSG_METHOD_OTHER);
    ck_assert_int_eq(smsg_method_of(SLICE("INVITES")), SMSG_METHOD_OTHER);
    ck_assert_int_eq(smsg_method_of(SLICE("")), SMSG_METHOD_OTHER);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_loop_test(tests, every_header_is_found_in_any_case, 0,
                        (int)(sizeof rows / sizeof rows[0]));
    tcase_add_test(tests, other_names_are_other);
    tcase_add_test(tests, methods_are_case_sensitive);
}

int main(void)
{
    return test_run("names", add);
}
