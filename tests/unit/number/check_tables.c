/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "number/emergency.h"
#include "number/normalise.h"
#include "number/protected.h"

#ifndef TABLES
#define TABLES "tests/tables/number/"
#endif

#define FIELD_LIMIT 16

struct row {
    char line[512];
    const char *file;
    unsigned number;
    struct slice field[FIELD_LIMIT]; /* absent ones are empty */
    size_t count;
};

typedef bool row_check_fn(const struct row *row);

/* "-" is empty, and so is "" where "-" itself could be meant. */
static struct slice field_value(const char *text)
{
    bool empty = strcmp(text, "-") == 0 || strcmp(text, "\"\"") == 0;
    return slice_of_text(empty ? "" : text);
}

static void split_row(struct row *row)
{
    char *rest = row->line;
    row->count = 0;
    memset(row->field, 0, sizeof(row->field));
    for (char *text; (text = strsep(&rest, "\t\n")) != NULL && row->count < FIELD_LIMIT;)
        if (rest != NULL || *text != '\0')
            row->field[row->count++] = field_value(text);
}

/* Runs every row, reports all that fail, and wants at least `minimum` rows. */
static void run_table(const char *name, unsigned minimum, row_check_fn *check)
{
    char path[256];
    snprintf(path, sizeof(path), "%s%s", TABLES, name);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s: cannot be opened; run from the top of the repository", path);
    struct row row = {.file = name};
    unsigned rows = 0;
    unsigned failures = 0;
    while (fgets(row.line, sizeof(row.line), file) != NULL) {
        row.number++;
        if (row.line[0] == '#' || row.line[0] == '\n')
            continue;
        split_row(&row);
        rows++;
        failures += !check(&row);
    }
    fclose(file);
    ck_assert_msg(failures == 0, "%s: %u of %u rows fail", name, failures, rows);
    ck_assert_msg(rows >= minimum, "%s: only %u rows", name, rows);
}

static bool expect(const struct row *row, const char *what, struct slice expected, const char *got)
{
    if (slice_equal(expected, slice_of_text(got)))
        return true;
    fprintf(stderr, "%s:%u: %s \"%s\", expected \"%.*s\"\n", row->file, row->number, what, got,
            SLICE_ARGS(expected));
    return false;
}

static struct num_profile profile_of(const struct row *row, struct slice iso, struct slice area)
{
    struct num_profile profile;
    int error = num_profile_init(&profile, iso, area, NULL, 0);
    ck_assert_msg(error == 0, "%s:%u: no profile: %s", row->file, row->number, error_text(error));
    return profile;
}

static enum num_role role_of(struct slice text)
{
    return slice_equal(text, SLICE("callee")) ? NUM_CALLEE : NUM_CALLER;
}

/* The flags of a number in the table's own spelling. */
static const char *flags_of(const struct num_number *number, char *text, size_t capacity)
{
    char imitated[NUM_PACKED_TEXT];
    num_unpack(number->imitated, imitated);
    snprintf(text, capacity, "%s%s%s%s%s%s%s", number->service ? ",service" : "",
             number->virtual_operator ? ",virtual_operator" : "",
             number->carrier_prefix ? ",carrier_prefix" : "", number->ported ? ",ported" : "",
             number->withheld ? ",withheld" : "", number->imitation ? ",imitation=" : "",
             number->imitation ? imitated : "");
    return text[0] == ',' ? text + 1 : text;
}

static bool check_number_row(const struct row *row)
{
    enum {
        TRUNK,
        AREA,
        ROLE,
        SCHEME,
        USER,
        PARAMS,
        TEXT,
        VALID,
        KIND,
        COUNTRY,
        FORM,
        FLAGS,
        REGION
    };
    const struct slice *field = row->field;
    struct num_profile profile = profile_of(row, field[TRUNK], field[AREA]);
    struct num_number number;
    char flags[128];
    int error = num_normalise(&profile, role_of(field[ROLE]), field[SCHEME], field[USER],
                              field[PARAMS], &number);
    bool good = expect(row, "text", field[TEXT], number.text);
    good &= expect(row, "valid", field[VALID], number.valid ? "yes" : "no");
    good &= expect(row, "return", field[VALID], error == 0 ? "yes" : "no");
    good &= expect(row, "kind", field[KIND], num_kind_text(number.kind));
    good &= expect(row, "country", field[COUNTRY], number.iso);
    good &= expect(row, "form", field[FORM], num_form_text(number.form));
    good &= expect(row, "flags", field[FLAGS], flags_of(&number, flags, sizeof(flags)));
    good &= expect(row, "region", field[REGION], number.region != NULL ? number.region : "");
    if (number.valid) {
        char text[NUM_PACKED_TEXT];
        num_unpack(number.packed, text);
        good &= expect(row, "packed", field[TEXT], text);
    } else {
        good &= number.packed == 0;
    }
    return good;
}

START_TEST(numbers_of_china)
{
    run_table("china.tsv", 200, check_number_row);
}
END_TEST

START_TEST(numbers_of_the_world)
{
    run_table("world.tsv", 80, check_number_row);
}
END_TEST

static bool check_emergency_row(const struct row *row)
{
    enum { TRUNK, AREA, URI, EMERGENCY };
    const struct slice *field = row->field;
    struct num_profile profile = profile_of(row, field[TRUNK], field[AREA]);
    struct slice uri = field[URI];
    size_t colon = slice_find(uri, ':');
    struct slice scheme = slice_first(uri, colon);
    struct slice user = slice_from(uri, colon + 1);
    user = slice_first(user, slice_find(user, '@'));
    bool emergency = num_is_emergency(&profile, scheme, user, uri);
    return expect(row, "emergency", field[EMERGENCY], emergency ? "yes" : "no");
}

START_TEST(emergency_calls)
{
    run_table("emergency.tsv", 60, check_emergency_row);
}
END_TEST

static bool check_protected_row(const struct row *row)
{
    enum { TRUNK, AREA, USER, KIND, IMITATED };
    const struct slice *field = row->field;
    struct num_profile profile = profile_of(row, field[TRUNK], field[AREA]);
    struct num_protected *set;
    const struct num_protected_extra extra[] = {
        {SLICE_LITERAL("+86 400-820-8820"), SLICE_LITERAL("a shop")},
        {SLICE_LITERAL("+861062345678"), SLICE_LITERAL("a hospital")},
    };
    int error = num_protected_create(&field[TRUNK], 1, extra, 2, NULL, &set);
    ck_assert_int_eq(error, 0);
    struct num_number number;
    (void)num_normalise(&profile, NUM_CALLER, SLICE("sip"), field[USER], SLICE(""), &number);
    const struct num_protected_line *line = num_protected_find(set, &number);
    const struct num_protected_line *imitated = num_protected_find_packed(set, number.imitated);
    bool good = expect(row, "protected", field[KIND], line != NULL ? line->kind : "");
    good &= expect(row, "imitated", field[IMITATED], imitated != NULL ? imitated->kind : "");
    num_protected_destroy(set);
    return good;
}

START_TEST(protected_lines)
{
    run_table("protected.tsv", 40, check_protected_row);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tables");
    TCase *tests = tcase_create("tables");
    tcase_add_test(tests, numbers_of_china);
    tcase_add_test(tests, numbers_of_the_world);
    tcase_add_test(tests, emergency_calls);
    tcase_add_test(tests, protected_lines);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
