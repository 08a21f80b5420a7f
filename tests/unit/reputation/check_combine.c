/* SPDX-License-Identifier: Apache-2.0 */
/* Runs on one thread. */
/* What several sources come to, and what of it changes with time: tables on a clock of their own.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../src/reputation/key_int.h"
#include "../../../src/reputation/ledger_int.h"
#include "reputation/statement.h"

enum { DAY = 86400 };
#define T0 UINT64_C(1800000000)

static struct rep_names *types, *sources;
static struct rep_authority authority;

/* police outranks, desk and carrier are equals, crowd may not block and fades, radio fades. */
static const struct rep_source_row rows[] = {
    {SLICE_LITERAL("police"), 3, 0, REP_MAY_ALL},
    {SLICE_LITERAL("desk"), 1, 0, REP_MAY_ALL},
    {SLICE_LITERAL("carrier"), 1, 0, REP_MAY_ALL},
    {SLICE_LITERAL("crowd"), 1, 10 * DAY, REP_MAY_WATCH | REP_MAY_SCORE},
    {SLICE_LITERAL("radio"), 2, 10 * DAY, REP_MAY_ALL},
    {SLICE_LITERAL("mute"), 9, 0, REP_MAY_SCORE},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static void setup(void)
{
    ck_assert_int_eq(rep_names_create(REP_TYPE_LIMIT, &types), 0);
    ck_assert_int_eq(rep_names_create(REP_SOURCE_LIMIT, &sources), 0);
    rep_authority_init(&authority, REP_COMBINE_HIGHEST, rows, ROWS, sources);
}

static void teardown(void)
{
    rep_names_destroy(types);
    rep_names_destroy(sources);
}

/* "police: score=90;list=block;expires=@2 | desk: ..."; @N is the time N days after T0. */
static void read_said(const char *text, struct rep_statements *said)
{
    char filled[512];
    size_t length = 0;
    for (; *text != '\0'; text++) {
        if (*text == '@') {
            char *end;
            long days = strtol(text + 1, &end, 10);
            length += (size_t)snprintf(filled + length, sizeof(filled) - length, "%llu",
                                       (unsigned long long)T0 + (unsigned long long)days * DAY);
            text = end - 1;
        } else {
            filled[length++] = *text;
        }
    }
    struct slice rest = slice_make(filled, length);
    *said = (struct rep_statements){0};
    while (rest.length > 0) {
        struct slice one = slice_first(rest, slice_find(rest, '|'));
        struct slice value[REP_PART_COUNT];
        enum rep_skip reason;
        size_t colon = slice_find(one, ':');
        rest = slice_from(rest, one.length + 1);
        rep_part_split(slice_from(one, colon + 1), value);
        ck_assert_int_eq(rep_statement_read(value, types, &said->item[said->count], &reason), 0);
        said->item[said->count++].source =
            rep_names_intern(sources, slice_trim(slice_first(one, colon)));
    }
}

/* "block 90 fake-bank police until @3 changes @2", without what there is not. */
static void write_value(bool counts, const struct rep_value *value, char *text, size_t capacity)
{
    if (!counts) {
        snprintf(text, capacity, "nothing");
        return;
    }
    const struct rep_entry *entry = &value->entry;
    int length = snprintf(text, capacity, "%s %d %s %s", rep_list_text(entry->list), entry->score,
                          entry->type ? rep_names_text(types, entry->type) : "-",
                          entry->source ? rep_names_text(sources, entry->source) : "-");
    if (entry->expires_s != 0)
        length += snprintf(text + length, capacity - (size_t)length, " until %.1f",
                           (double)(entry->expires_s - T0) / DAY);
    if (value->changes_s != 0)
        snprintf(text + length, capacity - (size_t)length, " changes %.1f",
                 (double)(value->changes_s - T0) / DAY);
}

static bool equal(const struct rep_entry *a, const struct rep_entry *b)
{
    return a->expires_s == b->expires_s && a->score == b->score && a->list == b->list &&
           a->type == b->type && a->source == b->source;
}

static const struct {
    const char *said;
    enum rep_combine combine;
    double day; /* since T0 */
    const char *expected;
} table[] = {
    /* One. */
    {":score=50", REP_COMBINE_HIGHEST, 0, "none 50 - -"},
    {"desk: score=50;list=watch;type=spam", REP_COMBINE_HIGHEST, 0, "watch 50 spam desk"},
    {"desk: list=block;expires=@2", REP_COMBINE_HIGHEST, 1, "block -1 - desk until 2.0"},
    {"desk: list=block;expires=@2", REP_COMBINE_HIGHEST, 2, "nothing"},
    /* Lists: by weight, allow at equal weight, an order before a mark. */
    {"desk: list=block;score=90 | carrier: list=allow", REP_COMBINE_HIGHEST, 0,
     "allow 90 - carrier"},
    {"police: list=block;score=90 | carrier: list=allow", REP_COMBINE_HIGHEST, 0,
     "block 90 - police"},
    {"police: list=allow | carrier: list=block;score=99", REP_COMBINE_HIGHEST, 0,
     "allow 99 - police"},
    {"police: list=watch | carrier: list=block", REP_COMBINE_HIGHEST, 0, "block -1 - carrier"},
    {"police: list=watch | carrier: score=70;type=spam", REP_COMBINE_HIGHEST, 0,
     "watch 70 spam carrier"},
    {"unheard: list=allow | :list=block", REP_COMBINE_HIGHEST, 0, "allow -1 - unheard"},
    /* Scores. */
    {"police: score=40 | desk: score=80 | carrier: score=60", REP_COMBINE_HIGHEST, 0,
     "none 80 - desk"},
    {"police: score=40 | desk: score=80 | carrier: score=60", REP_COMBINE_WEIGHTED, 0,
     "none 52 - police"},
    {"police: score=40 | desk: score=80 | carrier: score=60", REP_COMBINE_STRONGEST, 0,
     "none 40 - police"},
    {"desk: score=80 | carrier: score=60", REP_COMBINE_STRONGEST, 0, "none 80 - desk"},
    {"police: list=block | desk: score=10", REP_COMBINE_WEIGHTED, 0, "block 10 - police"},
    /* The type of who decides, else of the highest score that has one. */
    {"police: list=block | desk: score=10;type=spam | carrier: score=70;type=fake-bank",
     REP_COMBINE_HIGHEST, 0, "block 70 fake-bank police"},
    /* What a source may say. */
    {"crowd: list=block;score=90;since=@0", REP_COMBINE_HIGHEST, 0, "watch 90 - crowd changes 0.1"},
    {"crowd: list=allow | desk: list=block", REP_COMBINE_HIGHEST, 0, "block -1 - desk"},
    {"mute: list=block", REP_COMBINE_HIGHEST, 0, "nothing"},
    {"mute: list=block;score=3 | desk: score=2", REP_COMBINE_STRONGEST, 0, "none 3 - mute"},
    /* Fading: half after each half-life, gone below one half; without `since` it stays. */
    {"radio: score=80;since=@0", REP_COMBINE_HIGHEST, 0, "none 80 - radio until 73.2 changes 0.1"},
    {"radio: score=80;since=@0", REP_COMBINE_HIGHEST, 10,
     "none 40 - radio until 73.2 changes 10.2"},
    {"radio: score=80;since=@0", REP_COMBINE_HIGHEST, 70, "none 1 - radio until 73.2"},
    {"radio: score=80;since=@0", REP_COMBINE_HIGHEST, 74, "nothing"},
    {"radio: score=80;since=@0;list=block", REP_COMBINE_HIGHEST, 74, "block -1 - radio"},
    {"radio: score=80", REP_COMBINE_HIGHEST, 400, "none 80 - radio"},
    {"radio: score=0;since=@0", REP_COMBINE_HIGHEST, 400, "none 0 - radio"},
    {"radio: score=80;since=@5", REP_COMBINE_HIGHEST, 0, "none 80 - radio until 78.2 changes 5.1"},
    {"radio: score=80;since=@0;expires=@1", REP_COMBINE_HIGHEST, 0,
     "none 80 - radio until 1.0 changes 0.1"},
    /* Ends: each its own, the whole when the last is over. */
    {"police: list=block;score=90;expires=@2 | desk: score=30;expires=@5", REP_COMBINE_HIGHEST, 0,
     "block 90 - police until 5.0 changes 2.0"},
    {"police: list=block;score=90;expires=@2 | desk: score=30;expires=@5", REP_COMBINE_HIGHEST, 2,
     "none 30 - desk until 5.0"},
    {"police: list=block;score=90;expires=@2 | desk: score=30", REP_COMBINE_HIGHEST, 1,
     "block 90 - police changes 2.0"},
    {"desk: list=allow;expires=@2 | carrier: list=block;score=95", REP_COMBINE_HIGHEST, 2,
     "block 95 - carrier"},
};

START_TEST(the_table_holds)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct rep_statements said;
        struct rep_value value;
        char text[128];
        read_said(table[i].said, &said);
        authority.combine = table[i].combine;
        bool counts = rep_combine(&authority, &said, T0 + (uint64_t)(table[i].day * DAY), &value);
        write_value(counts, &value, text, sizeof(text));
        ck_assert_msg(strcmp(text, table[i].expected) == 0,
                      "row %zu, day %.1f of \"%s\": %s, not %s", i, table[i].day, table[i].said,
                      text, table[i].expected);
    }
}
END_TEST

START_TEST(the_whole_ends_with_the_key)
{
    struct rep_statements said;
    struct rep_value value;
    read_said("police: score=90;expires=@2 | desk: score=30", &said);
    said.expires_s = T0 + 10;
    ck_assert(rep_combine(&authority, &said, T0, &value));
    ck_assert_uint_eq(value.entry.expires_s, T0 + 10);
    ck_assert_uint_eq(value.changes_s, 0);
    ck_assert_uint_eq(value.said.count, 0);
    ck_assert(!rep_combine(&authority, &said, T0 + 10, &value));
}
END_TEST

/* At every second from one change to the next the value is the same, and then another one comes:
 * nobody has to look in between. */
START_TEST(between_two_changes_nothing_changes)
{
    struct rep_statements said;
    struct rep_value value, later;
    read_said(
        "radio: score=9;since=@0 | crowd: score=4;since=@1;list=watch | desk: score=2;expires=@9",
        &said);
    uint64_t now_s = T0;
    unsigned changes = 0;
    while (rep_combine(&authority, &said, now_s, &value) && value.changes_s != 0) {
        ck_assert_uint_gt(value.changes_s, now_s);
        for (uint64_t at = now_s; at < value.changes_s; at += 3601) {
            ck_assert(rep_combine(&authority, &said, at, &later));
            ck_assert(equal(&later.entry, &value.entry));
        }
        ck_assert(rep_combine(&authority, &said, value.changes_s - 1, &later));
        ck_assert(equal(&later.entry, &value.entry));
        now_s = value.changes_s;
        changes++;
    }
    ck_assert_uint_gt(changes, 10);
    ck_assert_uint_lt(changes, 30);
}
END_TEST

/* ---- as fields of a key -------------------------------------------------------------------- */

static int parse(const char *const *texts, struct rep_statements *said, enum rep_skip *reason)
{
    struct slice fields[REP_FIELD_LIMIT] = {{0}};
    for (unsigned i = 0; i < REP_FIELD_COUNT + ROWS; i++)
        if (texts[i] != NULL)
            fields[i] = slice_of_text(texts[i]);
    return rep_fields_parse(fields, &authority, types, sources, said, reason);
}

START_TEST(fields_are_read)
{
    struct rep_statements said;
    enum rep_skip reason;
    /* score, list, type, source, since, expires, reassigned, then a part of each row. */
    const char *fields[REP_FIELD_LIMIT] = {"70", NULL, "spam", "desk"};
    ck_assert_int_eq(parse(fields, &said, &reason), 0);
    ck_assert_uint_eq(said.count, 1);
    fields[REP_FIELD_COUNT] = " score = 90 ; list=block;case=4711; unheard=7 ;junk;";
    ck_assert_int_eq(parse(fields, &said, &reason), 0);
    ck_assert_uint_eq(said.count, 2);
    ck_assert_int_eq(said.item[1].score, 90);
    ck_assert_int_eq(said.item[1].list, REP_LIST_BLOCK);
    ck_assert_int_eq(reason, REP_SKIP_COUNT);
    /* A part of its own is the source's word. */
    fields[REP_FIELD_COUNT + 1] = "score=1";
    ck_assert_int_eq(parse(fields, &said, &reason), 0);
    ck_assert_uint_eq(said.count, 2);
    ck_assert_int_eq(said.item[1].score, 1);
    /* One that is wrong spoils no other. */
    fields[REP_FIELD_COUNT + 1] = "score=101";
    ck_assert_int_eq(parse(fields, &said, &reason), 0);
    ck_assert_uint_eq(said.count, 1);
    ck_assert_int_eq(reason, REP_SKIP_SCORE);
}
END_TEST

START_TEST(wrong_fields_are_named)
{
    static const struct {
        const char *part;
        enum rep_skip reason;
    } wrong[] = {
        {"", REP_SKIP_EMPTY},
        {"list=blocked", REP_SKIP_LIST},
        {"score=9.5", REP_SKIP_SCORE},
        {"score=9;expires=soon", REP_SKIP_EXPIRES},
        {"score=9;since=2027-13-01", REP_SKIP_SINCE},
        {"\x80\xff;;==;\n", REP_SKIP_EMPTY},
    };
    struct rep_statements said;
    enum rep_skip reason;
    const char *fields[REP_FIELD_LIMIT] = {NULL};
    ck_assert_int_eq(parse(fields, &said, &reason), -EBADMSG);
    ck_assert_int_eq(reason, REP_SKIP_EMPTY);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        fields[REP_FIELD_COUNT + 2] = wrong[i].part;
        ck_assert_int_eq(parse(fields, &said, &reason), -EBADMSG);
        ck_assert_int_eq(reason, wrong[i].reason);
    }
}
END_TEST

START_TEST(what_was_said_of_the_last_subscriber_does_not_count)
{
    struct rep_statements said;
    enum rep_skip reason;
    const char *fields[REP_FIELD_LIMIT] = {[REP_FIELD_REASSIGNED] = "2027-01-15T08:00:00Z"};
    ck_assert_int_eq(parse(fields, &said, &reason), ERROR_NOT_FOUND);
    ck_assert_int_eq(reason, REP_SKIP_COUNT);
    fields[REP_FIELD_COUNT] = "score=90;since=2027-01-15T07:59:59Z";
    ck_assert_int_eq(parse(fields, &said, &reason), ERROR_NOT_FOUND);
    ck_assert_int_eq(reason, REP_SKIP_COUNT);
    fields[REP_FIELD_COUNT + 1] = "score=80;since=2027-01-15T08:00:00Z";
    fields[REP_FIELD_SCORE] = "70"; /* without a time: of now */
    ck_assert_int_eq(parse(fields, &said, &reason), 0);
    ck_assert_uint_eq(said.count, 2);
}
END_TEST

START_TEST(the_request_names_every_source)
{
    struct rep_request request;
    rep_request_init(&request, &authority);
    ck_assert_uint_eq(request.fields, REP_FIELD_COUNT + ROWS);
    ck_assert(slice_equal(request.words[2 + REP_FIELD_COUNT], SLICE("from:police")));
    ck_assert(slice_equal(request.words[1 + request.fields], SLICE("from:mute")));
}
END_TEST

/* ---- the ledger ---------------------------------------------------------------------------- */

static struct rep_replica *replica;
static struct rep_ledger *ledger;

static void setup_ledger(void)
{
    setup();
    struct rep_replica_options options = {.capacity = 100000, .seed = {3, 4}};
    ck_assert_int_eq(rep_replica_create(&options, &replica), 0);
    ck_assert_int_eq(rep_ledger_create(replica, &authority, 5, &ledger), 0);
}

static void teardown_ledger(void)
{
    rep_ledger_destroy(ledger);
    rep_replica_destroy(replica);
    teardown();
}

static struct rep_key number(unsigned i)
{
    return (struct rep_key){.kind = REP_KIND_NUMBER, .packed = UINT64_C(18613800000000) + i};
}

static void say(const struct rep_key *key, const char *text, uint64_t now_s)
{
    struct rep_statements said;
    struct rep_value value;
    read_said(text, &said);
    if (!rep_combine(&authority, &said, now_s, &value))
        rep_ledger_remove(ledger, key);
    else
        ck_assert_int_eq(rep_ledger_set(ledger, key, &value, NULL), 0);
}

static int score_of(const struct rep_key *key, uint64_t now_s)
{
    struct rep_entry entry;
    return rep_replica_get(replica, key, now_s, &entry) ? entry.score : -2;
}

START_TEST(only_what_changes_is_kept_beside)
{
    struct rep_key key = number(1), raw = {.kind = REP_KIND_RAW, .text = SLICE("anonymous")};
    say(&key, "desk: score=10", T0);
    say(&key, "desk: score=10;expires=@3", T0);
    say(&key, "desk: score=10 | police: score=20", T0);
    ck_assert_uint_eq(rep_ledger_count(ledger), 0);
    say(&key, "desk: score=10 | police: score=20;expires=@1", T0);
    say(&raw, "desk: score=10 | police: score=20;expires=@1", T0);
    ck_assert_uint_eq(rep_ledger_count(ledger), 2);
    ck_assert_int_eq(score_of(&key, T0), 20);
    ck_assert_uint_eq(rep_ledger_advance(ledger, T0 + DAY - 1, 100), 0);
    ck_assert_uint_eq(rep_ledger_advance(ledger, T0 + DAY, 100), 2);
    ck_assert_int_eq(score_of(&key, T0 + DAY), 10);
    ck_assert_int_eq(score_of(&raw, T0 + DAY), 10);
    ck_assert_uint_eq(rep_ledger_count(ledger), 0);
    ck_assert_uint_eq(rep_ledger_bytes(ledger), 0);
}
END_TEST

START_TEST(an_ordinary_value_or_a_removal_ends_it)
{
    struct rep_key key = number(1);
    say(&key, "desk: score=10 | police: score=20;expires=@1", T0);
    say(&key, "desk: score=5", T0);
    ck_assert_uint_eq(rep_ledger_count(ledger), 0);
    say(&key, "desk: score=10 | police: score=20;expires=@1", T0);
    ck_assert(rep_ledger_remove(ledger, &key));
    ck_assert_uint_eq(rep_ledger_count(ledger), 0);
    ck_assert_int_eq(score_of(&key, T0), -2);
    /* Taken out behind its back: it does not come back. */
    say(&key, "desk: score=10 | police: score=20;expires=@1", T0);
    ck_assert(rep_replica_remove(replica, &key));
    rep_ledger_advance(ledger, T0 + DAY, 100);
    ck_assert_int_eq(score_of(&key, T0 + DAY), -2);
    ck_assert_uint_eq(rep_ledger_count(ledger), 0);
}
END_TEST

/* A comparison under way must still see that nobody named the key. */
START_TEST(an_entry_made_anew_is_not_taken_for_seen)
{
    struct rep_key key = number(1), other = number(2);
    const char *text = "desk: score=10 | police: score=20;expires=@1";
    struct rep_statements said;
    struct rep_value value;
    say(&key, text, T0);
    say(&other, text, T0);
    rep_replica_begin(replica);
    read_said(text, &said);
    ck_assert(rep_combine(&authority, &said, T0 + 5, &value));
    ck_assert(rep_ledger_touch(ledger, &other, &value, 2));
    rep_ledger_advance(ledger, T0 + DAY, 100);
    ck_assert_uint_eq(rep_replica_stale(replica), 1);
    while (rep_replica_drop_stale(replica, 256))
        continue;
    ck_assert_int_eq(score_of(&key, T0 + DAY), -2);
    ck_assert_int_eq(score_of(&other, T0 + DAY), 10);
}
END_TEST

START_TEST(what_is_said_is_compared_not_what_it_came_to)
{
    struct rep_key key = number(1);
    struct rep_statements said;
    struct rep_value value;
    say(&key, "radio: score=80;since=@0", T0);
    /* Not advanced: the entry is late, the statements are the same. */
    read_said("radio: score=80;since=@0", &said);
    ck_assert(rep_combine(&authority, &said, T0 + 9 * DAY, &value));
    ck_assert(rep_ledger_knows(ledger, &key, &value, 2));
    ck_assert(rep_ledger_touch(ledger, &key, &value, 2));
    read_said("radio: score=79;since=@0", &said);
    ck_assert(rep_combine(&authority, &said, T0, &value));
    ck_assert(!rep_ledger_touch(ledger, &key, &value, 2));
    struct rep_entry plain = value.entry;
    struct rep_value ordinary = rep_value_of(&plain);
    ck_assert(!rep_ledger_touch(ledger, &key, &ordinary, 2));
}
END_TEST

/* Against a plain list of what was said, looked at anew each time. */
START_TEST(many_in_any_order_equal_the_statements)
{
    enum { KEYS = 500, STEPS = 20000 };
    static struct rep_statements model[KEYS];
    static bool held[KEYS];
    unsigned random = 12345;
    uint64_t now_s = T0;
    for (unsigned step = 0; step < STEPS; step++) {
        random = random * 1103515245u + 12345u;
        unsigned i = random >> 16 & 0x1ff, what = random >> 8 & 7;
        struct rep_key key = number(i % KEYS);
        struct rep_statements *said = &model[i % KEYS];
        struct rep_value value;
        if (what == 0) {
            rep_ledger_remove(ledger, &key);
            held[i % KEYS] = false;
        } else if (what == 1) {
            now_s += (random >> 4) % (DAY / 4);
            while (rep_ledger_advance(ledger, now_s, 7) == 7)
                continue;
        } else {
            said->count = 1 + what % 3;
            for (unsigned j = 0; j < said->count; j++)
                said->item[j] = (struct rep_statement){
                    .score = (int8_t)((random >> j) % 101),
                    .list = (uint8_t)((random >> (j + 3)) % 4),
                    .source = authority.id[(j + what) % ROWS],
                    .since_s = (uint32_t)(now_s - (random >> 5) % DAY),
                    .expires_s =
                        (random >> (j + 7)) % 3 ? (uint32_t)(now_s + (random >> 3) % (9 * DAY)) : 0,
                };
            held[i % KEYS] = rep_combine(&authority, said, now_s, &value);
            if (held[i % KEYS])
                ck_assert_int_eq(rep_ledger_set(ledger, &key, &value, NULL), 0);
            else
                rep_ledger_remove(ledger, &key);
        }
        if (step % 500 != 0)
            continue;
        rep_ledger_advance(ledger, now_s, UINT32_MAX);
        for (unsigned j = 0; j < KEYS; j++) {
            struct rep_key one = number(j);
            struct rep_entry entry;
            bool counts = held[j] && rep_combine(&authority, &model[j], now_s, &value);
            ck_assert_int_eq(rep_replica_get(replica, &one, now_s, &entry), counts);
            if (counts)
                ck_assert(equal(&entry, &value.entry));
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("combine");
    TCase *combine = tcase_create("combine");
    tcase_add_checked_fixture(combine, setup, teardown);
    tcase_add_test(combine, the_table_holds);
    tcase_add_test(combine, the_whole_ends_with_the_key);
    tcase_add_test(combine, between_two_changes_nothing_changes);
    tcase_add_test(combine, fields_are_read);
    tcase_add_test(combine, wrong_fields_are_named);
    tcase_add_test(combine, what_was_said_of_the_last_subscriber_does_not_count);
    tcase_add_test(combine, the_request_names_every_source);
    suite_add_tcase(suite, combine);
    TCase *beside = tcase_create("ledger");
    tcase_add_checked_fixture(beside, setup_ledger, teardown_ledger);
    tcase_add_test(beside, only_what_changes_is_kept_beside);
    tcase_add_test(beside, an_ordinary_value_or_a_removal_ends_it);
    tcase_add_test(beside, an_entry_made_anew_is_not_taken_for_seen);
    tcase_add_test(beside, what_is_said_is_compared_not_what_it_came_to);
    tcase_add_test(beside, many_in_any_order_equal_the_statements);
    suite_add_tcase(suite, beside);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
