/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_rules: rule files and calls made of choices, from a random generator or from a fuzzer's
 * bytes. Values and constants come from the same few words, so that conditions hold often enough.
 */
#ifndef RINGFENCE_TESTS_RULES_RANDOM_RULES_H
#define RINGFENCE_TESTS_RULES_RANDOM_RULES_H

#include <math.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/random.h"
#include "config/report.h"
#include "rules/ruleset.h"
#include "unit/rules/fixture.h"

/* Bytes first, then what the generator gives. */
struct choices {
    const uint8_t *bytes;
    size_t count;
    struct random_state random;
};

static inline unsigned choose(struct choices *choices, unsigned below)
{
    if (choices->count == 0)
        return (unsigned)(random_next(&choices->random) % below);
    choices->count--;
    return *choices->bytes++ % below;
}

static const char *const random_numbers[] = {
    "+8613800138000", "+8613800138001",
    "+8613900139000", "+86170",
    "+861701",        "+8617012345678",
    "+86138",         "+442071838750",
    "+4420",          "+1",
    "+85251234567",   "+86",
    "+861",           "+862161",
    "+862161234567",
};
/* The first is no constant: conditions that ask for an empty text are refused. */
static const char *const random_texts[] = {
    "",
    "CN",
    "GB",
    "mobile",
    "voip",
    "international",
    "domestic",
    "sbc-a",
    "Bank",
    "my Bank",
    "loan",
    "a loan",
    "sat",
    "银行",
    "中国银行",
    "sipcli/1",
    "friendly-scanner",
    "+86170",
    "watch",
    "x",
    "ba",
};
static const char *const random_patterns[] = {"^sip", "bank", "[0-9]{3}", "an", "(a+)+$", "行"};

enum {
    RANDOM_NUMBERS = sizeof(random_numbers) / sizeof(random_numbers[0]),
    RANDOM_TEXTS = sizeof(random_texts) / sizeof(random_texts[0]),
    RANDOM_PATTERNS = sizeof(random_patterns) / sizeof(random_patterns[0]),
    RANDOM_DEPTH = 3
};

static inline bool random_has_choices(uint16_t feature)
{
    const char *choices = fixture_features[feature].choices;
    return choices != NULL && choices[0] != '\0';
}

/* One of the words of a feature's choices. */
static inline struct slice random_choice(struct choices *choices, uint16_t feature)
{
    struct slice text = slice_of_text(fixture_features[feature].choices);
    for (unsigned skip = choose(choices, 4); skip > 0; skip--) {
        size_t at = slice_find(text, ' ');
        if (at == text.length)
            break;
        text = slice_from(text, at + 1);
    }
    return slice_first(text, slice_find(text, ' '));
}

static inline void random_constant(struct choices *choices, uint16_t feature, struct buffer *text)
{
    struct slice word;
    switch (fixture_features[feature].type) {
    case RULE_NUMBER:
        buffer_format(text, "\"%s\"", random_numbers[choose(choices, RANDOM_NUMBERS)]);
        break;
    case RULE_TEXT:
        word = random_has_choices(feature)
                   ? random_choice(choices, feature)
                   : slice_of_text(random_texts[1 + choose(choices, RANDOM_TEXTS - 1)]);
        buffer_format(text, "\"%.*s\"", SLICE_ARGS(word));
        break;
    case RULE_INTEGER:
        buffer_format(text, "%u", choose(choices, 8));
        break;
    case RULE_DURATION:
        buffer_format(text, "%us", choose(choices, 8));
        break;
    case RULE_RATIO:
        buffer_format(text, "%u%%", choose(choices, 8));
        break;
    case RULE_TIME:
        buffer_format(text, "2027-06-0%u", 1 + choose(choices, 8));
        break;
    default:
        buffer_append_text(text, choose(choices, 2) ? "true" : "false");
    }
}

static inline void random_constants(struct choices *choices, uint16_t feature, struct buffer *text)
{
    unsigned count = 1 + choose(choices, 3);
    buffer_append_char(text, '[');
    for (unsigned i = 0; i < count; i++) {
        buffer_append_text(text, i > 0 ? ", " : "");
        random_constant(choices, feature, text);
    }
    buffer_append_char(text, ']');
}

static inline void random_text_test(struct choices *choices, uint16_t feature, struct buffer *text)
{
    static const char *const operators[] = {" == ",          " in ",       " starts_with ",
                                            " starts_with ", " contains ", " contains ",
                                            " != ",          " not in "};
    const char *name = fixture_features[feature].name;
    unsigned kind = choose(choices, 10);
    buffer_append_text(text, name);
    if (kind == 8) {
        buffer_append_text(text, choose(choices, 2) ? " in listed" : " not in other");
        return;
    }
    if (kind == 9) {
        buffer_format(text, " matches /%s/", random_patterns[choose(choices, RANDOM_PATTERNS)]);
        return;
    }
    buffer_append_text(text, operators[kind]);
    if (kind == 1 || kind == 3 || kind == 5 || kind == 7)
        random_constants(choices, feature, text);
    else
        random_constant(choices, feature, text);
}

static inline void random_ordered_test(struct choices *choices, uint16_t feature,
                                       struct buffer *text)
{
    static const char *const relations[] = {"==", "!=", "<", "<=", ">", ">="};
    const char *relation = relations[choose(choices, 6)];
    const char *name = fixture_features[feature].name;
    unsigned kind = choose(choices, 4);
    if (kind == 0) {
        random_constant(choices, feature, text);
        buffer_format(text, " %s %s", relation, name);
    } else if (kind == 1) {
        buffer_format(text, "(%s or else ", name);
        random_constant(choices, feature, text);
        buffer_format(text, ") %s ", relation);
        random_constant(choices, feature, text);
    } else if (kind == 2) {
        buffer_format(text, "%s in ", name);
        random_constants(choices, feature, text);
    } else {
        buffer_format(text, "%s %s ", name, relation);
        random_constant(choices, feature, text);
    }
}

static inline void random_test(struct choices *choices, struct buffer *text)
{
    uint16_t feature = (uint16_t)choose(choices, (unsigned)fixture_catalogue.count);
    enum rule_type type = fixture_features[feature].type;
    unsigned kind = choose(choices, 24);
    if (kind == 0)
        buffer_format(text, "known(%s)", fixture_features[feature].name);
    else if (kind == 1)
        buffer_append_text(text, "has_header(\"X-Test\")");
    else if (kind == 2)
        buffer_append_text(text, "header(\"X-Test\") == \"CN\"");
    else if (kind == 3)
        buffer_append_text(text, "caller.number == callee.number");
    else if (kind == 4)
        buffer_format(text, "reputation.score + %u >= time.hour", choose(choices, 8));
    else if (kind == 5)
        buffer_format(text, "lookup(rates, caller.number) >= %u", choose(choices, 8));
    else if (type == RULE_ADDRESS)
        buffer_format(text, "%s %s", fixture_features[feature].name,
                      choose(choices, 2) ? "in networks" : "== \"10.0.0.1\"");
    else if (type == RULE_FLAG)
        buffer_format(text, "%s%s", choose(choices, 2) ? "not " : "",
                      fixture_features[feature].name);
    else if (type == RULE_SET)
        buffer_format(text, "%s contains \"%s\"", fixture_features[feature].name,
                      random_texts[1 + choose(choices, RANDOM_TEXTS - 1)]);
    else if (type == RULE_TEXT || type == RULE_NUMBER)
        random_text_test(choices, feature, text);
    else
        random_ordered_test(choices, feature, text);
}

static inline void random_condition(struct choices *choices, unsigned depth, struct buffer *text)
{
    unsigned kind = depth == 0 ? 0 : choose(choices, 8);
    if (kind < 2) {
        random_test(choices, text);
        return;
    }
    if (kind == 2) {
        buffer_append_text(text, "not (");
        random_condition(choices, depth - 1, text);
        buffer_append_char(text, ')');
        return;
    }
    unsigned count = 2 + choose(choices, 2);
    for (unsigned i = 0; i < count; i++) {
        buffer_append_text(text, i == 0 ? "(" : kind < 6 ? " and (" : " or (");
        random_condition(choices, depth - 1, text);
        buffer_append_char(text, ')');
    }
}

static const char random_lists[] =
    "lists:\n"
    "  listed: {numbers: [\"+8613800138000\"], prefixes: [\"+86170\"], texts: [loan]}\n"
    "  other: {numbers: [\"+8613900139000\", \"+4420*\"], texts: [\"sip*\"]}\n"
    "  networks: {networks: [10.0.0.0/8]}\n"
    "tables:\n"
    "  rates: {value: integer, prefixes: {\"+86\": 3, \"+8617\": 5, \"+44\": 1}}\n"
    "scorecards:\n  - id: card\n    when: caller.valid\n    intercept: -5\n    features:\n"
    "      - {feature: reputation.score, bins: [{below: 3, points: -2}, {points: 9}], missing: 1}\n"
    "policy:\n  - {at: 50, do: tag}\n  - {at: 90, do: block}\n"
    "rules:\n";

/* Whether the condition may stand in a rule: one that can never hold is refused. */
static inline bool random_is_accepted(struct slice condition)
{
    static char memory[64 * 1024];
    struct buffer text = buffer_over(memory, sizeof(memory));
    struct conf_report *report = NULL;
    struct rule_set *set = NULL;
    buffer_append_text(&text, random_lists);
    buffer_append_text(&text, "  - id: r\n    score: 1\n    when: >\n      ");
    buffer_append(&text, condition);
    buffer_append_char(&text, '\n');
    const struct rule_source source = {"one.yaml", buffer_slice(&text)};
    if (text.overflow || conf_report_create(&report) != 0)
        return false;
    int error = rule_set_parse(&fixture_catalogue, &source, 1, report, &set);
    rule_set_destroy(set);
    conf_report_destroy(report);
    return error == 0;
}

/* A rule file. Some rules stand in shadow, are off, have dates, or are rolled out to some calls. */
static inline void random_rules(struct choices *choices, unsigned count, struct buffer *text)
{
    static const char *const extras[] = {
        "",
        "    mode: shadow\n",
        "    mode: off\n",
        "    starts: 2026-11-23T12:00Z\n",
        "    expires: 2026-11-23T12:00Z\n",
        "    type: loan\n",
        "    action: {do: tag}\n",
        "    action: {do: allow}\n",
    };
    static char memory[32 * 1024];
    buffer_append_text(text, random_lists);
    for (unsigned i = 0; i < count; i++) {
        struct buffer condition = buffer_over(memory, sizeof(memory));
        random_condition(choices, choose(choices, RANDOM_DEPTH + 1), &condition);
        if (condition.overflow || !random_is_accepted(buffer_slice(&condition)))
            condition = buffer_over(memory, 0);
        buffer_format(text, "  - id: r%u\n    score: %d\n", i, (int)choose(choices, 60) - 20);
        buffer_append_text(text, extras[choose(choices, 3) ? 0 : choose(choices, 8)]);
        buffer_append_text(text, "    when: >\n      ");
        buffer_append(text, condition.length > 0 ? buffer_slice(&condition)
                                                 : SLICE("caller.number in listed"));
        buffer_append_char(text, '\n');
    }
}

static inline struct rule_value random_value(struct choices *choices, uint16_t feature)
{
    static const struct slice words[] = {SLICE_LITERAL("loan"), SLICE_LITERAL("CN"),
                                         SLICE_LITERAL("")};
    enum rule_type type = fixture_features[feature].type;
    switch (type) {
    case RULE_NUMBER:
        return rule_number(slice_of_text(random_numbers[choose(choices, RANDOM_NUMBERS)]));
    case RULE_TEXT:
        return rule_text(random_has_choices(feature)
                             ? random_choice(choices, feature)
                             : slice_of_text(random_texts[choose(choices, RANDOM_TEXTS)]));
    case RULE_FLAG:
        return rule_flag(choose(choices, 2) != 0);
    case RULE_SET:
        return rule_text_values(words, choose(choices, 4));
    case RULE_RATIO:
        return rule_ratio(choose(choices, 16) == 0 ? (double)NAN : choose(choices, 8) / 100.0);
    case RULE_DURATION:
        return rule_duration((int64_t)choose(choices, 8) * 1000000);
    case RULE_TIME:
        return rule_time(INT64_C(1811808000000000) + (int64_t)choose(choices, 8) * 86400000000);
    case RULE_ADDRESS:
        return rule_address((struct rule_address){
            .bytes = {[10] = 0xff, 0xff, choose(choices, 2) ? 10 : 192, 0, 0, 1}});
    default:
        return rule_integer((int64_t)choose(choices, 8));
    }
}

/* One feature in `unknown` is not known; 0: all are. */
static inline void random_call(struct choices *choices, unsigned unknown, struct fixture_call *call)
{
    for (uint16_t i = 0; i < fixture_catalogue.count; i++) {
        call->values[i] = random_value(choices, i);
        if (unknown > 0 && choose(choices, unknown) == 0)
            call->values[i] = rule_unknown(fixture_features[i].type);
    }
    call->header_count = choose(choices, 2);
    call->header_names[0] = SLICE("x-test");
    call->header_values[0] = rule_text(SLICE("CN"));
}

#endif
