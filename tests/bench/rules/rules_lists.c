/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../../src/rules/list_int.h"
#include "base/random.h"
#include "config/report.h"
#include "rules.h"

enum { PROBES = 200000, NUMBER_LENGTH = 14, NUMBER_BYTES = 16, ROUNDS = 3 };

static const char rules_text[] = "lists:\n  big: {file: list.txt}\n"
                                 "rules:\n  - {id: r, score: 1, when: caller.number in big}\n";

static void write_text(const char *path, const char *text, size_t length)
{
    FILE *file = fopen(path, "w");
    if (file == NULL || fwrite(text, 1, length, file) != length || fclose(file) != 0)
        bench_fail(path);
}

/* Eleven digits behind +86, each number once: multiplying by an odd number shuffles 2^36 values. */
static unsigned long long number_of(uint64_t index)
{
    return 10000000000 + ((index * UINT64_C(0x9e3779b97) + 12345) & ((UINT64_C(1) << 36) - 1));
}

static void write_numbers(const char *path, unsigned count)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        bench_fail(path);
    for (unsigned i = 0; i < count; i++)
        fprintf(file, "+86%llu\n", number_of(i));
    if (fclose(file) != 0)
        bench_fail(path);
}

static struct rule_set *reload(const char *path, const struct rule_set *previous,
                               struct bench_span *span)
{
    struct conf_report *report = NULL;
    struct rule_set *set = NULL;
    if (conf_report_create(&report) != 0)
        bench_fail("out of memory");
    bench_span_begin(span);
    int error = rule_set_reload(&fixture_catalogue, &path, 1, previous, report, &set);
    bench_span_end(span);
    if (error != 0) {
        conf_report_print(report, stderr, false);
        bench_fail("the list does not load");
    }
    conf_report_destroy(report);
    return set;
}

/* Look-ups of numbers from `first` on, from their texts, as calls do. */
static double probe(const struct rule_list *list, uint64_t first, unsigned count, size_t *found)
{
    char(*texts)[NUMBER_BYTES] = calloc(PROBES, sizeof(*texts));
    struct random_state random;
    double best = 0;
    random_seed(&random, 3);
    if (texts == NULL)
        bench_fail("out of memory");
    for (size_t i = 0; i < PROBES; i++)
        snprintf(texts[i], NUMBER_BYTES, "+86%llu",
                 number_of(first + random_below(&random, count)));
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct bench_span span;
        size_t hits = 0;
        bench_span_begin(&span);
        for (size_t i = 0; i < PROBES; i++) {
            struct rule_value value = rule_number(slice_make(texts[i], NUMBER_LENGTH));
            hits += rule_list_has(list, &value, 0);
        }
        bench_span_end(&span);
        double ns = (double)span.nanoseconds / PROBES;
        best = round == 0 || ns < best ? ns : best;
        *found = hits;
    }
    free(texts);
    return best;
}

/* The same numbers as the file's, without the loader. */
static struct rule_list *build(unsigned count)
{
    struct rule_list *list = NULL;
    int error = rule_list_create(&list);
    for (unsigned i = 0; error == 0 && i < count; i++) {
        char text[24];
        int length = snprintf(text, sizeof(text), "+86%llu", number_of(i));
        error = rule_list_add_number(list, RULE_LIST_EXACT, slice_make(text, (size_t)length), i);
    }
    if (error == 0)
        error = rule_list_seal(list);
    if (error != 0)
        bench_fail("out of memory");
    return list;
}

static void measure_probes(unsigned count)
{
    struct rule_list *list = build(count);
    size_t found = 0, missed = 0;
    double hit_ns = probe(list, 0, count, &found);
    double miss_ns = probe(list, count, count, &missed);
    if (found != PROBES || missed != 0)
        bench_fail("the list holds other numbers than its file");
    printf("\"hit_ns\": %.1f, \"miss_ns\": %.1f", hit_ns, miss_ns);
    rule_list_destroy(list);
}

void bench_list(const char *folder, unsigned count)
{
    char list_path[512], rules_path[512];
    struct bench_span load, unchanged, rewritten;
    snprintf(list_path, sizeof(list_path), "%s/list.txt", folder);
    snprintf(rules_path, sizeof(rules_path), "%s/rules.yaml", folder);
    write_numbers(list_path, count);
    write_text(rules_path, rules_text, sizeof(rules_text) - 1);
    /* Until the file counts as settled, a reload reads it to be sure. */
    sleep(3);
    (void)malloc_trim(0);
    uint64_t before = bench_resident_bytes();
    struct rule_set *first = reload(rules_path, NULL, &load);
    (void)malloc_trim(0);
    uint64_t resident = bench_resident_bytes() - before;
    struct rule_set *second = reload(rules_path, first, &unchanged);
    /* Written again with the same numbers: read and hashed, but not copied. */
    write_numbers(list_path, count);
    struct rule_set *third = reload(rules_path, second, &rewritten);
    printf("{\"numbers\": %u, \"bytes\": %.2f, \"resident_bytes\": %.2f, \"load_ms\": %.0f, "
           "\"reload_ms\": %.2f, \"reload_copied_bytes\": %zu, \"rewritten_ms\": %.1f, "
           "\"rewritten_copied_bytes\": %zu, ",
           count, (double)rule_set_list_bytes(first, NULL) / count, (double)resident / count,
           (double)load.nanoseconds / 1e6, (double)unchanged.nanoseconds / 1e6,
           rule_set_list_bytes(second, first), (double)rewritten.nanoseconds / 1e6,
           rule_set_list_bytes(third, second));
    rule_set_destroy(first);
    rule_set_destroy(second);
    rule_set_destroy(third);
    (void)unlink(list_path);
    (void)unlink(rules_path);
    measure_probes(count);
    printf("}\n");
}
