/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe_rules: prints every feature, then every key of rule files, from their rows, for
 * `make docs`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/describe.h"
#include "rules/schema.h"
#include "screening/feature.h"

/* A table's cell: a bare | would end it. */
static void print_cell(const char *text)
{
    for (; *text != '\0'; text++)
        printf(*text == '|' ? "\\|" : "%c", *text);
}

/* "text: one of domestic, private", "integer, 0-23" */
static void print_type(const struct rule_feature *feature)
{
    printf("%s", rule_type_name(feature->type));
    if (feature->unit[0] != '\0')
        printf(", %s", feature->unit);
    if (feature->choices == NULL || feature->choices[0] == '\0')
        return;
    printf(": ");
    for (const char *choice = feature->choices; *choice != '\0'; choice++)
        printf(*choice == ' ' ? ", " : "%c", *choice);
}

static void print_row(const struct rule_feature *feature)
{
    printf("| `%s` | ", feature->name);
    print_type(feature);
    printf(" | ");
    print_cell(feature->meaning);
    printf(" | ");
    print_cell(feature->unknown_when);
    printf(" | `");
    print_cell(feature->example);
    printf("` |\n");
}

/* The features of one group ("caller.") stand together in the table. */
static size_t group_length(const struct rule_feature *feature)
{
    return strcspn(feature->name, ".");
}

static void print_features(void)
{
    const char *group = "";
    for (size_t i = 0; i < screen_catalogue.count; i++) {
        const struct rule_feature *feature = &screen_catalogue.features[i];
        size_t length = group_length(feature);
        if (strncmp(group, feature->name, length + 1) != 0) {
            printf("%s## `%.*s`\n\n", i > 0 ? "\n" : "", (int)length, feature->name);
            printf("| feature | type | meaning | unknown when | example |\n");
            printf("|---|---|---|---|---|\n");
        }
        group = feature->name;
        print_row(feature);
    }
}

int main(void)
{
    print_features();
    printf("\n## A rule file\n");
    conf_section_describe(&rule_file_section, CONF_REFERENCE_MARKDOWN, stdout);
    printf("\n## `lists`: each by its name\n");
    conf_section_describe(&rule_list_section, CONF_REFERENCE_MARKDOWN, stdout);
    printf("\n## `tables`: each by its name\n");
    conf_section_describe(&rule_table_section, CONF_REFERENCE_MARKDOWN, stdout);
    return EXIT_SUCCESS;
}
