/* SPDX-License-Identifier: Apache-2.0 */
#include "config/document.h"

#include <errno.h>
#include <unistd.h>

#include "harness.h"

static const struct conf_node *child(const struct harness *harness, const char *key)
{
    const struct conf_node *node = conf_node_get(conf_document_root(harness->document), key);

    ck_assert_ptr_nonnull(node);
    return node;
}

START_TEST(every_node_knows_its_place)
{
    struct harness harness;
    const struct conf_node *list;

    harness_open(&harness);
    ck_assert_int_eq(harness_parse(&harness, "# note\n"
                                             "name: 'x'\n"
                                             "号码:   abc\n"
                                             "list:\n"
                                             "  - 1\n"
                                             "  - {a: b}\n"),
                     0);
    ck_assert_uint_eq(child(&harness, "name")->line, 2);
    ck_assert_uint_eq(child(&harness, "name")->column, 7);
    ck_assert_uint_eq(child(&harness, "name")->offset, 13);
    ck_assert_uint_eq(child(&harness, "name")->past, 16);
    ck_assert_uint_eq(child(&harness, "号码")->key_line, 3);
    ck_assert_uint_eq(child(&harness, "号码")->column, 7);
    ck_assert_uint_eq(child(&harness, "号码")->offset, 27);
    list = child(&harness, "list");
    ck_assert_uint_eq(list->count, 2);
    ck_assert_uint_eq(list->first->line, 5);
    ck_assert_uint_eq(conf_node_get(list->first->next, "a")->column, 9);
    ck_assert_uint_eq(conf_node_get(list->first->next, "a")->key_column, 6);
    harness_close(&harness);
}
END_TEST

START_TEST(an_empty_file_is_an_empty_section)
{
    static const char *const texts[] = {"", "\n\n", "# note\n", "---\n", "~\n"};
    struct harness harness;

    harness_open(&harness);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ck_assert_int_eq(harness_parse(&harness, texts[i]), 0);
        ck_assert_int_eq(conf_document_root(harness.document)->kind, CONF_NODE_MAPPING);
        ck_assert_uint_eq(conf_document_root(harness.document)->count, 0);
    }
    harness_close(&harness);
}
END_TEST

START_TEST(null_is_told_from_text)
{
    struct harness harness;

    harness_open(&harness);
    ck_assert_int_eq(harness_parse(&harness, "a:\nb: ~\nc: null\nd: ''\ne: 'null'\nf: nul\n"), 0);
    ck_assert(conf_node_is_null(child(&harness, "a")));
    ck_assert(conf_node_is_null(child(&harness, "b")));
    ck_assert(conf_node_is_null(child(&harness, "c")));
    ck_assert(!conf_node_is_null(child(&harness, "d")));
    ck_assert(!conf_node_is_null(child(&harness, "e")));
    ck_assert(!conf_node_is_null(child(&harness, "f")));
    harness_close(&harness);
}
END_TEST

START_TEST(what_is_refused_is_explained)
{
    static const struct {
        const char *text;
        const char *place_and_message;
    } cases[] = {
        {"a: &x 1\n", "test.yaml:1:4: error: YAML anchors (&name) are not supported"},
        {"a: *x\n", "test.yaml:1:4: error: YAML aliases (*name) are not supported"},
        {"a: !x 1\n", "test.yaml:1:4: error: YAML tags (!name) are not supported"},
        {"a: !!str 1\n", "test.yaml:1:4: error: YAML tags (!name) are not supported"},
        {"a: 1\nb: 2\na: 3\n",
         "test.yaml:3:1: error: \"a\" is given twice; the first is on line 1"},
        {"a: 1\n---\nb: 1\n", "test.yaml:2:1: error: a second document begins here"},
        {"[a, b]: 1\n", "test.yaml:1:1: error: a key must be a plain text"},
        {"a: \"\\0\"\n", "test.yaml:1:4: error: a text cannot contain a NUL character"},
        {"a:\n\tb: 1\n", "test.yaml:2:1: error: a tab cannot be used to indent"},
        {"a: @x\n", "test.yaml:1:4: error: a value cannot begin with \"@\""},
        {"a: b: c\n", "test.yaml:1:5: error: \": \" is not allowed here"},
        {"a: \"\\d\"\n", "error: unknown escape in a text in double quotes"},
        {"a: 'x\n", "error: a quote is not closed before the end of the file"},
        {"a: [1, 2\nb: 3\n", "error: a \",\" or \"]\" is missing"},
        {"a: [::1]\n", "test.yaml:1:5: error: a value is missing here"},
        {"a: [::1]\n", "hint: between [ ] and { } a text with \":\" needs quotes"},
        {"a: 1\n b: 2\n", "error: \": \" is not allowed here"},
        {"a:\n  b: 1\n c: 2\n", "error: neither a key nor the end of the section"},
        {"a: \xff\n", "test.yaml:1:4: error: byte 0xff is not UTF-8"},
        {"a: \xc0\x80\n", "test.yaml:1:4: error: byte 0xc0 is not UTF-8"},
        {"a: \xed\xa0\x80\n", "test.yaml:1:4: error: byte 0xed is not UTF-8"},
        {"a: \033\n", "test.yaml:1:4: error: character U+001B is not allowed"},
        {"号: \xe2\x80\xa8\n", "test.yaml:1:4: error: character U+2028 is not allowed"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct harness harness;

        harness_open(&harness);
        ck_assert_int_eq(harness_parse(&harness, cases[i].text), ERROR_CONFIG);
        ck_assert_ptr_null(harness.document);
        harness_assert_mentions(&harness, cases[i].place_and_message);
        ck_assert_uint_eq(conf_report_count(harness.report, CONF_ERROR), 1);
        harness_close(&harness);
    }
}
END_TEST

START_TEST(limits_hold)
{
    const struct conf_limits limits = {.file_bytes = 40, .depth = 3, .nodes = 5};
    struct harness harness;

    harness_open(&harness);
    ck_assert_int_eq(
        conf_document_parse("t", SLICE("[[[1]]]"), &limits, harness.report, &harness.document), 0);
    conf_document_destroy(harness.document);
    harness.document = NULL;
    ck_assert_int_eq(
        conf_document_parse("t", SLICE("[[[[1]]]]"), &limits, harness.report, &harness.document),
        ERROR_CONFIG);
    harness_assert_mentions(&harness, "t:1:4: error: more than 3 levels of nesting");
    ck_assert_int_eq(
        conf_document_parse("t", SLICE("[1,2,3,4,5]"), &limits, harness.report, &harness.document),
        ERROR_CONFIG);
    harness_assert_mentions(&harness, "t:1:10: error: the file has more than 5 values");
    ck_assert_int_eq(conf_document_parse("t", SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
                                         &limits, harness.report, &harness.document),
                     ERROR_CONFIG);
    harness_assert_mentions(&harness, "t: error: the file is larger than 40 bytes");
    harness_close(&harness);
}
END_TEST

START_TEST(line_ends_and_byte_order_mark)
{
    struct harness harness;

    harness_open(&harness);
    ck_assert_int_eq(harness_parse(&harness, "\xef\xbb\xbf# x\r\na: 1\r\nb:   2\r\n"), 0);
    ck_assert_uint_eq(child(&harness, "b")->line, 3);
    ck_assert_uint_eq(child(&harness, "b")->column, 6);
    ck_assert(slice_equal(conf_node_place(harness.document, child(&harness, "b")).source,
                          SLICE("b:   2")));
    harness_close(&harness);
}
END_TEST

/* Finds `part` in the scalar's text and tells where the source says it stands. */
static void assert_within(const struct harness *harness, const char *part, uint32_t line,
                          uint32_t column)
{
    const struct conf_node *node = child(harness, "w");
    const char *at = strstr(node->text.data, part);
    struct conf_place place;

    ck_assert_ptr_nonnull(at);
    place = conf_node_place_within(harness->document, node, (size_t)(at - node->text.data),
                                   strlen(part));
    ck_assert_uint_eq(place.line, line);
    ck_assert_uint_eq(place.column, column);
    ck_assert_uint_eq(place.width, strlen(part));
}

START_TEST(places_within_plain_and_quoted_texts)
{
    struct harness harness;

    harness_open(&harness);
    ck_assert_int_eq(harness_parse(&harness, "w: caller.number in lst\n"), 0);
    assert_within(&harness, "caller", 1, 4);
    assert_within(&harness, "lst", 1, 21);
    ck_assert_int_eq(harness_parse(&harness, "w: 'it''s  号 x'\n"), 0);
    assert_within(&harness, "s", 1, 9);
    assert_within(&harness, "x", 1, 14);
    ck_assert_int_eq(harness_parse(&harness, "w: \"\\t\\u53f7 \\\"a\\x41 b\"\n"), 0);
    assert_within(&harness, "a", 1, 16);
    assert_within(&harness, "b", 1, 22);
    harness_close(&harness);
}
END_TEST

START_TEST(places_within_blocks)
{
    struct harness harness;

    harness_open(&harness);
    ck_assert_int_eq(harness_parse(&harness, "w: |  # note\n\n    one two\n      three\n"), 0);
    assert_within(&harness, "one", 3, 5);
    assert_within(&harness, "two", 3, 9);
    assert_within(&harness, "three", 4, 7);
    ck_assert_int_eq(harness_parse(&harness, "w: >-\n  one\n  two  three\n\n  four\n"), 0);
    assert_within(&harness, "two", 3, 3);
    assert_within(&harness, "three", 3, 8);
    assert_within(&harness, "four", 5, 3);
    ck_assert_int_eq(harness_parse(&harness, "w: one\n  two\n  three\n"), 0);
    assert_within(&harness, "three", 3, 3);
    ck_assert_int_eq(harness_parse(&harness, "w: \"one \\\n  two\"\n"), 0);
    assert_within(&harness, "two", 2, 3);
    harness_close(&harness);
}
END_TEST

START_TEST(the_end_of_a_text_is_a_place)
{
    struct harness harness;
    struct conf_place place;

    harness_open(&harness);
    ck_assert_int_eq(harness_parse(&harness, "w: 'a ='\n"), 0);
    place = conf_node_place_within(harness.document, child(&harness, "w"), 3, 0);
    ck_assert_uint_eq(place.column, 8);
    ck_assert_int_eq(harness_parse(&harness, "w: ''\n"), 0);
    place = conf_node_place_within(harness.document, child(&harness, "w"), 0, 0);
    ck_assert_uint_eq(place.column, 5);
    harness_close(&harness);
}
END_TEST

/* libyaml places what ends a file without a last line break on a line that is not there. */
START_TEST(no_place_is_beyond_the_last_line)
{
    struct harness harness;
    const struct conf_node *node;

    harness_open(&harness);
    ck_assert_int_eq(harness_parse(&harness, "?"), 0);
    node = conf_document_root(harness.document)->first;
    ck_assert_uint_eq(node->line, 1);
    ck_assert_uint_eq(node->column, 2);
    ck_assert_uint_eq(conf_node_place_within(harness.document, node, 0, 1).line, 1);
    harness_close(&harness);
}
END_TEST

START_TEST(a_file_is_read_and_a_missing_one_reported)
{
    char path[] = "/tmp/ringfence-document-XXXXXX";
    int file = mkstemp(path);
    struct harness harness;

    harness_open(&harness);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, "a: 1\n", 5), 5);
    ck_assert_int_eq(close(file), 0);
    ck_assert_int_eq(conf_document_load(path, NULL, harness.report, &harness.document), 0);
    ck_assert_str_eq(conf_document_name(harness.document), path);
    ck_assert(slice_equal(conf_document_source(harness.document), SLICE("a: 1\n")));
    conf_document_destroy(harness.document);
    harness.document = NULL;
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(conf_document_load(path, NULL, harness.report, &harness.document),
                     ERROR_CONFIG);
    harness_assert_mentions(&harness, "error: the file cannot be read: No such file");
    harness_close(&harness);
}
END_TEST

/* One long line of characters that take three bytes: walking it per value would take minutes. */
START_TEST(a_line_of_many_values_is_walked_once)
{
    const size_t count = 100000;
    char *text = malloc(count * 4 + 3);
    struct harness harness;
    size_t length = 0;

    ck_assert_ptr_nonnull(text);
    text[length++] = '[';
    for (size_t i = 0; i < count; i++) {
        memcpy(text + length, "号,", 4);
        length += 4;
    }
    text[length++] = ']';
    harness_open(&harness);
    ck_assert_int_eq(
        conf_document_parse("t", slice_make(text, length), NULL, harness.report, &harness.document),
        0);
    ck_assert_uint_eq(conf_document_root(harness.document)->count, count);
    free(text);
    harness_close(&harness);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config/document");
    TCase *group = tcase_create("document");

    tcase_add_test(group, every_node_knows_its_place);
    tcase_add_test(group, an_empty_file_is_an_empty_section);
    tcase_add_test(group, null_is_told_from_text);
    tcase_add_test(group, what_is_refused_is_explained);
    tcase_add_test(group, limits_hold);
    tcase_add_test(group, line_ends_and_byte_order_mark);
    tcase_add_test(group, places_within_plain_and_quoted_texts);
    tcase_add_test(group, places_within_blocks);
    tcase_add_test(group, the_end_of_a_text_is_a_place);
    tcase_add_test(group, no_place_is_beyond_the_last_line);
    tcase_add_test(group, a_file_is_read_and_a_missing_one_reported);
    tcase_add_test(group, a_line_of_many_values_is_walked_once);
    suite_add_tcase(suite, group);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
