/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "number/plan.h"

/*
 * Agreement of the plan with somebody else's numbering tables, where those are at hand: in files
 * that the repository does not hold. Elsewhere each test says "skipped".
 */
#ifndef NUMBERING
#define NUMBERING "../shared/data/numbering/"
#endif

struct tally {
    unsigned agree;
    unsigned differ;
};

/* NULL, and a line that says so, when the file is not there. */
static FILE *open_data(const char *name, const char *filter)
{
    char text[512];
    snprintf(text, sizeof(text), NUMBERING "%s", name);
    FILE *file = fopen(text, "r");
    if (file == NULL) {
        printf("skipped: %s is not there\n", text);
        return NULL;
    }
    if (filter == NULL)
        return file;
    fclose(file);
    snprintf(text, sizeof(text), "%s " NUMBERING "%s", filter, name);
    return popen(text, "r");
}

/* The text between two marks; false when the first is not in the line. */
static bool between(const char *line, const char *from, const char *to, char *text, size_t capacity)
{
    const char *start = strstr(line, from);
    if (start == NULL)
        return false;
    start += strlen(from);
    size_t length = strcspn(start, to);
    if (length >= capacity)
        return false;
    memcpy(text, start, length);
    text[length] = '\0';
    return true;
}

static const struct {
    const char *tag;
    enum num_kind kind;
} sections[] = {
    {"<fixedLine>", NUM_FIXED},
    {"<mobile>", NUM_MOBILE},
    {"<tollFree>", NUM_TOLLFREE},
    {"<premiumRate>", NUM_PREMIUM},
    {"<sharedCost>", NUM_SHARED},
    {"<voip>", NUM_VOIP},
    {"<personalNumber>", NUM_KIND_COUNT},
    {"<pager>", NUM_KIND_COUNT},
    {"<uan>", NUM_KIND_COUNT},
    {"<voicemail>", NUM_KIND_COUNT},
};

/* Kinds that the plan does not tell apart, or not yet, are no disagreement. */
static bool kinds_agree(enum num_kind ours, enum num_kind theirs)
{
    return ours == theirs || theirs == NUM_KIND_COUNT || ours == NUM_UNKNOWN ||
           ours == NUM_FIXED_OR_MOBILE || ours == NUM_SATELLITE;
}

/* Example numbers of each country and kind. Numbers of a shared calling code that belong to no
 * place (freephone, premium) are counted with its main country. */
START_TEST(example_numbers_of_the_world)
{
    FILE *file = open_data("PhoneNumberMetadata.xml", NULL);
    if (file == NULL)
        return;
    char line[1024];
    char iso[8] = "";
    char code[8] = "";
    char number[32];
    enum num_kind kind = NUM_KIND_COUNT;
    struct tally country = {0};
    struct tally kinds = {0};
    unsigned missing = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (between(line, "<territory id=\"", "\"", iso, sizeof(iso)))
            (void)between(line, "countryCode=\"", "\"", code, sizeof(code));
        for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
            if (strstr(line, sections[i].tag) != NULL)
                kind = sections[i].kind;
        if (!between(line, "<exampleNumber>", "<", number, sizeof(number)))
            continue;
        char digits[48];
        struct num_range range;
        snprintf(digits, sizeof(digits), "%s%s", code, number);
        if (!num_plan_find(slice_of_text(digits), &range)) {
            missing++;
            continue;
        }
        bool same = strcmp(range.country->iso, iso) == 0 || strcmp(iso, "001") == 0 ||
                    range.country == num_country_by_code(range.country->calling_code);
        *(same ? &country.agree : &country.differ) += 1;
        *(kinds_agree((enum num_kind)range.kind, kind) ? &kinds.agree : &kinds.differ) += 1;
    }
    fclose(file);
    printf("example numbers: country %u agree, %u differ; kind %u agree, %u differ; %u not found\n",
           country.agree, country.differ, kinds.agree, kinds.differ, missing);
    ck_assert_uint_gt(country.agree, 1000);
    ck_assert_uint_eq(country.differ, 0);
    ck_assert_uint_le(missing, 1); /* Canada's seven-digit 310-xxxx, which is not E.164 */
    ck_assert_uint_lt(kinds.differ * 50, kinds.agree);
}
END_TEST

/* Segments whose kind is another here, on purpose. */
static bool is_known_segment(const char *digits, enum num_kind kind)
{
    /* The satellite terminals inside 134 and 174. */
    return kind == NUM_SATELLITE &&
           (strncmp(digits, "861349", 6) == 0 || strncmp(digits, "86174", 5) == 0);
}

START_TEST(mobile_segments_of_china)
{
    FILE *file = open_data("carrier_zh_86.txt", NULL);
    if (file == NULL)
        return;
    char line[256];
    struct tally tally = {0};
    while (fgets(line, sizeof(line), file) != NULL) {
        size_t length = strspn(line, "0123456789");
        if (length < 5)
            continue;
        char digits[16] = "8600000000000";
        struct num_range range;
        memcpy(digits, line, length);
        ck_assert(num_plan_find(slice_of_text(digits), &range));
        bool agree =
            range.kind == NUM_MOBILE || is_known_segment(digits, (enum num_kind)range.kind);
        *(agree ? &tally.agree : &tally.differ) += 1;
        if (!agree)
            printf("segment %.*s: %s here\n", (int)length, line,
                   num_kind_text((enum num_kind)range.kind));
    }
    fclose(file);
    printf("mobile segments: %u agree, %u differ\n", tally.agree, tally.differ);
    ck_assert_uint_gt(tally.agree, 30);
    ck_assert_uint_eq(tally.differ, 0);
}
END_TEST

/* Area codes that were merged into a neighbour's: Kaifeng, Tieling, Fushun, Laiwu, Zunyi, Anshun;
 * and 807, which no list of the regulator has. */
static bool is_merged_area(struct slice national)
{
    static const char *const merged[] = {"378", "410", "413", "634", "852", "853", "807"};
    for (size_t i = 0; i < sizeof(merged) / sizeof(merged[0]); i++)
        if (slice_starts_with(national, slice_of_text(merged[i])))
            return true;
    return false;
}

/* What stands last is the province: "86755|Shenzhen, Guangdong". */
static const char *province_of(char *line)
{
    char *name = strchr(line, '|');
    if (name == NULL)
        return NULL;
    name[strcspn(name, "\n")] = '\0';
    char *comma = strrchr(name, ',');
    return comma != NULL ? comma + 2 : name + 1;
}

START_TEST(area_codes_of_china)
{
    FILE *file = open_data("geocoding_en_86.txt.gz", "zcat");
    if (file == NULL)
        return;
    const struct num_country *china = num_country_by_code(86);
    char line[256];
    struct tally tally = {0};
    while (fgets(line, sizeof(line), file) != NULL) {
        size_t length = strspn(line, "0123456789");
        bool whole = length == 5 || (length == 4 && (line[2] == '1' || line[2] == '2'));
        if (!whole || (line[2] == '1' && line[3] >= '3'))
            continue; /* beginnings of area codes, and mobiles */
        struct slice national = slice_make(line + 2, length - 2);
        const char *province = province_of(line);
        char digits[16];
        struct num_range range = {.region = NULL};
        size_t area = num_area_code_digits(china, national);
        snprintf(digits, sizeof(digits), "86%.*s%s", (int)area, national.data, "21234567");
        bool eight = area > 0 && num_plan_find(slice_of_text(digits), &range) && range.region;
        digits[strlen(digits) - 1] = '\0';
        bool found = eight || (area > 0 && num_plan_find(slice_of_text(digits), &range));
        bool agree = (found && range.region != NULL && strcmp(range.region, province) == 0) ||
                     is_merged_area(national);
        *(agree ? &tally.agree : &tally.differ) += 1;
        if (!agree)
            printf("area %.*s %s: %s here\n", SLICE_ARGS(national), province,
                   range.region != NULL ? range.region : "none");
    }
    pclose(file);
    printf("area codes: %u agree, %u differ\n", tally.agree, tally.differ);
    ck_assert_uint_gt(tally.agree, 300);
    ck_assert_uint_eq(tally.differ, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metadata");
    TCase *tests = tcase_create("metadata");
    tcase_add_test(tests, example_numbers_of_the_world);
    tcase_add_test(tests, mobile_segments_of_china);
    tcase_add_test(tests, area_codes_of_china);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
