/* SPDX-License-Identifier: Apache-2.0 */
#include "config/report.h"
#include "list_int.h"
#include "ruleset_int.h"

struct conf_place rule_list_place(const struct rule_named_list *named)
{
    return (struct conf_place){
        .file = slice_of_text(named->place.file),
        .line = named->place.line,
        .column = named->place.column,
        .width = (uint32_t)named->name.length,
        .source = named->source,
    };
}

static void review_rule(const struct rule_record *record, int64_t wall_us,
                        struct conf_report *report)
{
    if (record->info.expires_us == INT64_MAX || record->info.mode == RULE_OFF ||
        record->info.expires_us > wall_us)
        return;
    const struct conf_place place = {
        .file = slice_of_text(record->expires.file),
        .line = record->expires.line,
        .column = record->expires.column,
        .width = record->expires_width,
        .source = record->expires_source,
    };
    conf_report_add(report, CONF_WARNING, &place, "%s \"%s\" has expired and changes no call",
                    record->info.is_card ? "scorecard" : "rule", record->info.id);
    conf_report_hint(report, "remove it, or set a later date");
}

static void review_list(const struct rule_named_list *named, int64_t wall_us,
                        struct conf_report *report)
{
    struct conf_quote name;
    rule_list_line first = 0;
    const struct conf_place place = rule_list_place(named);
    size_t count = rule_list_expired(named->list, wall_us, &first);
    if (count == 0)
        return;
    conf_report_add(report, CONF_WARNING, &place,
                    count == 1 ? "list %s: %zu entry has expired and holds for no call"
                               : "list %s: %zu entries have expired and hold for no call",
                    conf_quote(&name, named->name), count);
    conf_report_hint(report, "%s on %s %u", count == 1 ? "it is" : "the first is",
                     (first & RULE_LIST_INLINE) != 0 ? "line" : "the file's line",
                     first & ~RULE_LIST_INLINE);
}

void rule_set_review(const struct rule_set *set, uint64_t wall_us, struct conf_report *report)
{
    const int64_t now_us = wall_us <= INT64_MAX ? (int64_t)wall_us : INT64_MAX;
    struct rule_record *const *records = set->records.items;
    const struct rule_named_list *lists = set->lists.items;
    for (size_t i = 0; i < set->lists.count; i++)
        review_list(&lists[i], now_us, report);
    for (size_t i = 0; i < set->records.count; i++)
        review_rule(records[i], now_us, report);
}
