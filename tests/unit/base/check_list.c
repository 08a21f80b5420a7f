/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"

#include <check.h>

struct item {
    int value;
    struct list_link link;
};

static struct item *first_item(struct list_link *head)
{
    struct list_link *link = list_first(head);
    return link != NULL ? LIST_ENTRY(link, struct item, link) : NULL;
}

START_TEST(keeps_the_order_of_appending)
{
    struct list_link head;
    struct item items[3];
    list_init(&head);
    ck_assert(list_is_empty(&head));
    ck_assert_ptr_null(list_first(&head));
    for (int i = 0; i < 3; i++) {
        items[i].value = i;
        list_append(&head, &items[i].link);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(first_item(&head)->value, i);
        list_remove(list_first(&head));
    }
    ck_assert(list_is_empty(&head));
}
END_TEST

START_TEST(removing_twice_is_harmless)
{
    struct list_link head;
    struct item items[2];
    list_init(&head);
    for (int i = 0; i < 2; i++) {
        items[i].value = i;
        list_append(&head, &items[i].link);
    }
    list_remove(&items[0].link);
    list_remove(&items[0].link);
    ck_assert_int_eq(first_item(&head)->value, 1);
    ck_assert(list_is_empty(&items[0].link));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("list");
    TCase *tests = tcase_create("list");
    tcase_add_test(tests, keeps_the_order_of_appending);
    tcase_add_test(tests, removing_twice_is_harmless);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
