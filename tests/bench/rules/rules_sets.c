/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/random.h"
#include "config/report.h"
#include "rules.h"

enum { RULE_BYTES = 320, TRUNKS = 64, LISTS = 16, REGIONS = 34, NUMBERS = 32 };

static const char *const countries[] = {"CN", "GB", "US", "FR", "NG", "PH", "TR", "KH",
                                        "MM", "LA", "TH", "VN", "JP", "KR", "DE", "RU",
                                        "IN", "PK", "BD", "ID", "MY", "SG", "AE", "UA"};
static const char *const kinds[] = {"mobile", "fixed", "voip", "premium", "tollfree", "service"};
static const char *const origins[] = {"international", "domestic", "private"};
static const char *const patterns[] = {"^(bank|police)", "[0-9]{7,}",     "loan|credit",
                                       "客服|公安",      "(?i)refund",    "^\\\\+?86",
                                       "invest(ment)?",  "prize.{0,9}win"};

#define PICK(table, number) (table)[(number) % (sizeof(table) / sizeof((table)[0]))]

static struct rule_set *finish(int error, struct conf_report *report, struct rule_set *set)
{
    if (error != 0) {
        conf_report_print(report, stderr, false);
        bench_fail("the rules do not compile");
    }
    conf_report_destroy(report);
    return set;
}

static struct conf_report *new_report(void)
{
    struct conf_report *report = NULL;
    if (conf_report_create(&report) != 0)
        bench_fail("out of memory");
    return report;
}

struct rule_set *bench_load(const char *const *paths, size_t count)
{
    struct conf_report *report = new_report();
    struct rule_set *set = NULL;
    int error = rule_set_load(&fixture_catalogue, paths, count, report, &set);
    return finish(error, report, set);
}

struct rule_set *bench_parse(const char *text, size_t length)
{
    const struct rule_source source = {"mixed.yaml", {text, length}};
    struct conf_report *report = new_report();
    struct rule_set *set = NULL;
    int error = rule_set_parse(&fixture_catalogue, &source, 1, report, &set);
    return finish(error, report, set);
}

/* What rules of a carrier are made of, in shares of a twentieth. */
static void add_condition(struct buffer *text, unsigned i, struct random_state *random)
{
    unsigned r = (unsigned)random_below(random, 1000000);
    switch (i % 20) {
    case 0: /* campaigns: a range, a kind */
    case 1:
    case 2:
    case 3:
        buffer_format(text, "caller.number starts_with \"+8617%06u\" and caller.kind == \"%s\"", r,
                      PICK(kinds, i));
        break;
    case 4:
        buffer_format(text, "caller.number starts_with [\"+8617%06u\", \"+4479%05u\"]", r,
                      r % 100000);
        break;
    case 5: /* single numbers */
    case 6:
    case 7:
        buffer_format(text, "caller.number == \"+86138%08u\"", r * 97 % 100000000);
        break;
    case 8: /* corridors */
        buffer_format(text,
                      "caller.country == \"%s\" and callee.country == \"%s\" and "
                      "trunk.name == \"trunk-%u\"",
                      PICK(countries, r), PICK(countries, r / 24), r % TRUNKS);
        break;
    case 9:
        buffer_format(text,
                      "trunk.origin == \"%s\" and (caller.country == \"%s\" or "
                      "diverting.country == \"%s\") and callee.region == \"region-%u\"",
                      PICK(origins, r), PICK(countries, r / 3), PICK(countries, r / 7),
                      r % REGIONS);
        break;
    case 10: /* lists */
        buffer_format(text, "caller.number in list-%u and trunk.name == \"trunk-%u\"", r % LISTS,
                      i % TRUNKS);
        break;
    case 11: /* display names */
        buffer_format(text, "caller.display contains \"w%05u\" and caller.country == \"CN\"",
                      r % 100000);
        break;
    case 12: /* tools */
        buffer_format(text, "message.user_agent starts_with \"tool-%u/\"", r);
        break;
    case 13: /* reputation */
        buffer_format(text,
                      "reputation.score >= %u and caller.region == \"region-%u\" and "
                      "callee.kind == \"%s\"",
                      60 + r % 40, r % REGIONS, PICK(kinds, r));
        break;
    case 14: /* hours of a trunk */
        buffer_format(text,
                      "trunk.name == \"trunk-%u\" and time.hour >= %u and caller.kind == \"%s\"",
                      i % TRUNKS, r % 24, PICK(kinds, r));
        break;
    case 15: /* patterns */
        buffer_format(text, "caller.display matches /%s/ and callee.number starts_with \"+86%u\"",
                      PICK(patterns, r), 100 + r % 900);
        break;
    case 16: /* wangiri */
        buffer_format(text,
                      "callee.number starts_with [\"+90%u\", \"+96%u\"] and not trunk.trusted",
                      r % 10000, r % 9973);
        break;
    case 17: /* borrowed identities */
        buffer_format(text, "caller.identity_mismatch and caller.from_number starts_with \"+%u\"",
                      1000 + r % 9000);
        break;
    case 18:
        buffer_format(text, "header(\"X-Campaign\") == \"c-%u\"", r);
        break;
    default:
        buffer_format(text, "not caller.valid and caller.raw starts_with \"00%u\"", r % 10000);
        break;
    }
}

static void add_lists(struct buffer *text, struct random_state *random)
{
    buffer_append_text(text, "lists:\n");
    for (unsigned list = 0; list < LISTS; list++) {
        buffer_format(text, "  list-%u: {numbers: [", list);
        for (unsigned i = 0; i < NUMBERS; i++)
            buffer_format(text, "%s\"+86138%08u\"", i > 0 ? ", " : "",
                          (unsigned)random_below(random, 100000000));
        buffer_append_text(text, "]}\n");
    }
}

char *bench_mixed_rules(unsigned count, size_t *length)
{
    size_t capacity = (size_t)count * RULE_BYTES + (size_t)LISTS * NUMBERS * 32 + 4096;
    char *memory = malloc(capacity);
    struct buffer text = buffer_over(memory, capacity);
    struct random_state random;
    random_seed(&random, 1);
    if (memory == NULL)
        bench_fail("out of memory");
    add_lists(&text, &random);
    buffer_append_text(&text, "policy:\n  - {at: 60, do: tag}\nrules:\n");
    for (unsigned i = 0; i < count; i++) {
        buffer_format(&text, "  - id: rule-%u\n    score: 10\n    when: >\n      ", i);
        add_condition(&text, i, &random);
        buffer_append_char(&text, '\n');
    }
    if (text.overflow)
        bench_fail("a rule is longer than expected");
    *length = text.length;
    return memory;
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* Texts of a call, which its values point to. */
struct texts {
    char number[24];
    char callee[24];
    char display[48];
    char agent[32];
    char trunk[16];
    char region[16];
};

static void set(struct fixture_call *call, const char *name, struct rule_value value)
{
    uint16_t feature;
    if (!rule_catalogue_find(&fixture_catalogue, slice_of_text(name), &feature))
        bench_fail(name);
    call->values[feature] = value;
}

static void set_text(struct fixture_call *call, const char *name, const char *text)
{
    set(call, name, rule_text(slice_of_text(text)));
}

static void fill_texts(struct texts *texts, uint64_t r)
{
    snprintf(texts->number, sizeof(texts->number), "+86%s%07u", r % 3 ? "1381" : "1712",
             (unsigned)(r >> 8) % 10000000);
    snprintf(texts->callee, sizeof(texts->callee), "+86%u",
             1000000000 + (unsigned)(r >> 16) % 1000);
    snprintf(texts->display, sizeof(texts->display), "%s w%05u", r % 5 ? "Zhang Wei" : "bank",
             (unsigned)(r >> 20) % 100000);
    snprintf(texts->agent, sizeof(texts->agent), "tool-%u/1.0", (unsigned)(r >> 24) % 1000000);
    snprintf(texts->trunk, sizeof(texts->trunk), "trunk-%u", (unsigned)(r >> 30) % TRUNKS);
    snprintf(texts->region, sizeof(texts->region), "region-%u", (unsigned)(r >> 36) % REGIONS);
}

static void fill_call(struct fixture_call *call, struct texts *texts, uint64_t r)
{
    bool known = r % 8 != 0;
    fill_texts(texts, r);
    call->values[0] = rule_unknown(RULE_NUMBER);
    if (known) {
        set(call, "caller.number", rule_number(slice_of_text(texts->number)));
        set_text(call, "caller.country", r % 3 ? "CN" : PICK(countries, r >> 40));
        set_text(call, "caller.kind", PICK(kinds, r >> 44));
        set_text(call, "caller.region", texts->region);
        set(call, "reputation.score", rule_integer((int64_t)(r >> 50) % 101));
    }
    set(call, "caller.from_number", rule_number(slice_of_text(texts->number)));
    set(call, "caller.valid", rule_flag(known));
    set_text(call, "caller.raw", known ? texts->number : "anonymous");
    set(call, "caller.anonymous", rule_flag(!known));
    set(call, "caller.imitation", rule_flag(false));
    set(call, "caller.protected", rule_flag(false));
    if (r % 2 != 0)
        set_text(call, "caller.display", texts->display);
    set(call, "caller.identity_mismatch", rule_flag(r % 16 == 0));
    set(call, "callee.number", rule_number(slice_of_text(texts->callee)));
    set(call, "callee.valid", rule_flag(true));
    set_text(call, "callee.country", "CN");
    set_text(call, "callee.kind", PICK(kinds, r >> 47));
    set_text(call, "callee.region", texts->region);
    set(call, "diverting.present", rule_flag(false));
    set_text(call, "trunk.name", texts->trunk);
    set_text(call, "trunk.origin", PICK(origins, r >> 5));
    set_text(call, "trunk.country", "CN");
    set(call, "trunk.trusted", rule_flag(r % 4 != 0));
    set_text(call, "message.user_agent", texts->agent);
    set(call, "time.hour", rule_integer((int64_t)(r >> 55) % 24));
    set(call, "time.minute", rule_integer((int64_t)(r >> 54) % 60));
    set_text(call, "time.weekday", "mon");
}

struct fixture_call *bench_calls(void)
{
    struct fixture_call *calls = calloc(BENCH_CALLS, sizeof(*calls));
    struct texts *texts = calloc(BENCH_CALLS, sizeof(*texts));
    struct random_state random;
    random_seed(&random, 2);
    if (calls == NULL || texts == NULL)
        bench_fail("out of memory");
    for (unsigned i = 0; i < BENCH_CALLS; i++) {
        for (uint16_t k = 0; k < fixture_catalogue.count; k++)
            calls[i].values[k] = rule_unknown(fixture_features[k].type);
        fill_call(&calls[i], &texts[i], random_next(&random) >> 1);
    }
    return calls; /* with their texts for the life of the program */
}
