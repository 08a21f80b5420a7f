/* SPDX-License-Identifier: Apache-2.0 */
/* The saved file: round trips, also beside a busy writer, and everything that must be refused. */
#include "../../../src/reputation/saved_int.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../src/reputation/saved_format_int.h"
#include "base/random.h"
#include "unit/often.h"
#include "unit/sanitized.h"

enum { NOW_S = 1800000000, NUMBERS = UNLESS_SLOW(50000, 10000), PREFIXES = 300 };

static char folder[64], path[96];
static struct rep_replica *replica;
static struct rep_names *types, *sources;
static struct rep_authority authority;
/* NULL but where entries change by themselves. */
static struct rep_ledger *ledger, *into_ledger;
static struct rep_saved_figures figures;
static char message[320];

static struct rep_replica *new_replica(uint64_t capacity)
{
    static uint64_t seed;
    struct rep_replica_options options = {.capacity = capacity, .seed = {++seed, 7}};
    struct rep_replica *created;
    ck_assert_int_eq(rep_replica_create(&options, &created), 0);
    return created;
}

static struct rep_key key_of(enum rep_kind kind, unsigned i)
{
    return (struct rep_key){
        .kind = kind,
        .packed = (kind == REP_KIND_NUMBER ? UINT64_C(18613800000000) : UINT64_C(186138000)) + i};
}

static void put(struct rep_key key, struct rep_entry entry)
{
    assert_often(rep_replica_set(replica, &key, &entry, NULL) == 0);
}

static struct rep_entry entry_of(unsigned i)
{
    return (struct rep_entry){.score = (int8_t)(i % 101),
                              .list = (uint8_t)(i % 4),
                              .type = (uint8_t)(i % 3),
                              .source = (uint8_t)(i % 2),
                              .expires_s = i % 5 == 0 ? NOW_S + i : 0};
}

static void setup(void)
{
    snprintf(folder, sizeof(folder), "/tmp/check-saved-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/replica", folder);
    ck_assert_int_eq(rep_names_create(REP_TYPE_LIMIT, &types), 0);
    ck_assert_int_eq(rep_names_create(REP_SOURCE_LIMIT, &sources), 0);
    rep_names_intern(types, SLICE("bank"));
    rep_names_intern(types, SLICE("police"));
    rep_names_intern(sources, SLICE("desk"));
    replica = new_replica(100000);
    for (unsigned i = 0; i < NUMBERS; i++)
        put(key_of(REP_KIND_NUMBER, i), entry_of(i));
    for (unsigned i = 0; i < PREFIXES; i++)
        put(key_of(REP_KIND_PREFIX, i), entry_of(i));
    put((struct rep_key){.kind = REP_KIND_PREFIX, .packed = 186},
        (struct rep_entry){.list = REP_LIST_BLOCK, .score = 99});
    put((struct rep_key){.kind = REP_KIND_RAW, .text = SLICE("anonymous")},
        (struct rep_entry){.score = 20, .type = 2});
    put((struct rep_key){.kind = REP_KIND_RAW, .text = SLICE("over")},
        (struct rep_entry){.score = 20, .expires_s = NOW_S});
}

static void teardown(void)
{
    rep_replica_destroy(replica);
    rep_names_destroy(types);
    rep_names_destroy(sources);
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

static void save(void)
{
    struct rep_saving *saving;
    ck_assert_int_eq(rep_saving_create(path, replica, ledger, types, sources, NOW_S, &saving), 0);
    ck_assert_int_eq(rep_saving_run(saving), 0);
    rep_saving_destroy(saving);
}

/* Into a fresh process's tables. */
static int load(struct rep_replica *into, uint64_t now_s, uint64_t age_s)
{
    struct rep_saved_limits limits = {now_s, age_s};
    rep_names_destroy(types);
    rep_names_destroy(sources);
    ck_assert_int_eq(rep_names_create(REP_TYPE_LIMIT, &types), 0);
    ck_assert_int_eq(rep_names_create(REP_SOURCE_LIMIT, &sources), 0);
    return rep_saved_load(path, &limits, into, into_ledger, types, sources, &figures, message,
                          sizeof(message));
}

static void expect_numbers(const struct rep_replica *held, uint64_t now_s)
{
    for (unsigned i = 0; i < NUMBERS; i++) {
        struct rep_key key = key_of(REP_KIND_NUMBER, i);
        struct rep_entry got, expected = entry_of(i);
        bool found = rep_replica_get(held, &key, 0, &got);
        assert_often(found == (expected.expires_s == 0 || expected.expires_s > now_s));
        if (!found)
            continue;
        assert_often(got.score == expected.score);
        assert_often(got.list == expected.list);
        assert_often(got.type == expected.type);
        assert_often(got.source == expected.source);
        assert_often(got.expires_s == expected.expires_s);
    }
}

static void expect_whole(struct rep_replica *held, uint64_t now_s)
{
    struct rep_finding finding;
    struct rep_replica_figures count;
    expect_numbers(held, now_s);
    rep_replica_figures(held, &count);
    ck_assert_uint_eq(count.short_prefixes, 1);
    ck_assert_uint_eq(count.entries[REP_KIND_RAW], 1);
    ck_assert_uint_eq(figures.entries, count.entries[0] + count.entries[1] + count.entries[2]);
    /* A number that is not listed: its longest prefix, then the short one. */
    rep_replica_find(held, UINT64_C(18613800299999) + 500000, NOW_S, &finding);
    ck_assert_int_eq(finding.match, REP_MATCH_PREFIX);
    rep_replica_find(held, UINT64_C(18699900299999), NOW_S, &finding);
    ck_assert_int_eq(finding.prefix_length, 2);
    ck_assert(finding.limited);
    ck_assert(rep_replica_find_raw(held, SLICE("anonymous"), NOW_S, &finding));
    ck_assert_str_eq(rep_names_text(types, finding.entry.type), "police");
    ck_assert_str_eq(rep_names_text(sources, 1), "desk");
}

/* Whatever was loaded can be changed like what was inserted. */
static void expect_writable(struct rep_replica *held)
{
    uint64_t before;
    rep_replica_begin(held);
    before = rep_replica_stale(held);
    ck_assert_uint_eq(before, figures.entries);
    for (unsigned i = 0; i < NUMBERS; i++) {
        struct rep_key key = key_of(REP_KIND_NUMBER, i);
        struct rep_entry entry = {.score = 7, .list = REP_LIST_WATCH, .expires_s = NOW_S + 9};
        ck_assert_int_eq(rep_replica_set(held, &key, &entry, NULL), 0);
    }
    while (rep_replica_drop_stale(held, 1000))
        continue;
    struct rep_replica_figures count;
    rep_replica_figures(held, &count);
    ck_assert_uint_eq(count.entries[REP_KIND_NUMBER], NUMBERS);
    ck_assert_uint_eq(count.entries[REP_KIND_PREFIX], 0);
    ck_assert_uint_eq(count.entries[REP_KIND_RAW], 0);
    ck_assert_uint_eq(count.short_prefixes, 0);
    rep_replica_sweep(held, NOW_S + 9, UINT16_MAX);
    rep_replica_figures(held, &count);
    ck_assert_uint_eq(count.entries[REP_KIND_NUMBER], 0);
}

/* ---- round trips --------------------------------------------------------------------------- */

START_TEST(comes_back_whole)
{
    save();
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0600);
    struct rep_replica *other = new_replica(100000);
    ck_assert_msg(load(other, NOW_S, 0) == 0, "%s", message);
    ck_assert_uint_eq(figures.written_wall_s, NOW_S);
    expect_whole(other, NOW_S);
    expect_writable(other);
    rep_replica_destroy(other);
}
END_TEST

START_TEST(comes_back_with_another_capacity)
{
    save();
    struct rep_replica *other = new_replica(20000000);
    ck_assert_msg(load(other, NOW_S, 0) == 0, "%s", message);
    expect_whole(other, NOW_S);
    expect_writable(other);
    rep_replica_destroy(other);
}
END_TEST

START_TEST(comes_back_in_the_middle_of_a_comparison)
{
    rep_replica_begin(replica);
    for (unsigned i = 0; i < NUMBERS; i += 3)
        put(key_of(REP_KIND_NUMBER, i), entry_of(i));
    save();
    struct rep_replica *other = new_replica(100000);
    ck_assert_msg(load(other, NOW_S, 0) == 0, "%s", message);
    expect_whole(other, NOW_S);
    expect_writable(other);
    rep_replica_destroy(other);
}
END_TEST

START_TEST(what_expired_meanwhile_is_left_out)
{
    save();
    struct rep_replica *other = new_replica(100000);
    ck_assert_msg(load(other, NOW_S + NUMBERS / 2, 0) == 0, "%s", message);
    ck_assert_uint_gt(figures.expired, NUMBERS / 12);
    expect_numbers(other, NOW_S + NUMBERS / 2);
    rep_replica_destroy(other);
}
END_TEST

/* What is behind an entry that changes by itself comes back with it, and goes on changing. */
START_TEST(statements_come_back)
{
    const struct rep_source_row rows[] = {{SLICE_LITERAL("desk"), 1, 0, REP_MAY_ALL},
                                          {SLICE_LITERAL("police"), 3, 0, REP_MAY_ALL}};
    struct rep_key keys[] = {key_of(REP_KIND_NUMBER, 1),
                             key_of(REP_KIND_PREFIX, 1),
                             {.kind = REP_KIND_RAW, .text = SLICE("anonymous")}};
    struct rep_value value;
    rep_authority_init(&authority, REP_COMBINE_HIGHEST, rows, 2, sources);
    ck_assert_int_eq(rep_ledger_create(replica, &authority, 1, &ledger), 0);
    struct rep_statements said = {
        .count = 2,
        .item = {{.score = 10, .source = authority.id[0]},
                 {.score = 90, .source = authority.id[1], .expires_s = NOW_S + 100}}};
    for (unsigned i = 0; i < 3; i++) {
        ck_assert(rep_combine(&authority, &said, NOW_S, &value));
        ck_assert_int_eq(rep_ledger_set(ledger, &keys[i], &value, NULL), 0);
    }
    save();
    struct rep_replica *into = new_replica(100000);
    ck_assert_int_eq(rep_ledger_create(into, &authority, 2, &into_ledger), 0);
    ck_assert_int_eq(load(into, NOW_S + 1, 0), 0);
    rep_authority_init(&authority, REP_COMBINE_HIGHEST, rows, 2, sources);
    ck_assert_uint_eq(rep_ledger_count(into_ledger), 3);
    for (uint64_t now_s = NOW_S + 1; now_s <= NOW_S + 101; now_s += 100) {
        struct rep_entry entry;
        rep_ledger_advance(into_ledger, now_s, 100);
        for (unsigned i = 0; i < 3; i++) {
            ck_assert(rep_replica_get(into, &keys[i], now_s, &entry));
            ck_assert_int_eq(entry.score, now_s < NOW_S + 100 ? 90 : 10);
        }
    }
    rep_ledger_destroy(ledger);
    rep_ledger_destroy(into_ledger);
    ledger = into_ledger = NULL;
    rep_replica_destroy(into);
}
END_TEST

START_TEST(an_empty_replica_comes_back_empty)
{
    rep_replica_destroy(replica);
    replica = new_replica(100000);
    save();
    struct rep_replica *other = new_replica(100000);
    ck_assert_msg(load(other, NOW_S, 0) == 0, "%s", message);
    ck_assert_uint_eq(figures.entries, 0);
    rep_replica_destroy(other);
}
END_TEST

static atomic_bool churning;

/* Even numbers are steady, odd ones come, go and move the steady ones about. */
static void *churn(void *unused)
{
    struct random_state random;
    random_seed(&random, 3);
    while (atomic_load(&churning)) {
        struct rep_key key =
            key_of(REP_KIND_NUMBER, 2 * (unsigned)random_below(&random, NUMBERS * 4) + 1);
        struct rep_entry entry = entry_of((unsigned)random_below(&random, 1000));
        if (random_below(&random, 100) < 60)
            assert_often(rep_replica_set(replica, &key, &entry, NULL) == 0);
        else
            rep_replica_remove(replica, &key);
        key = key_of(REP_KIND_NUMBER, 2 * (unsigned)random_below(&random, NUMBERS / 2));
        entry.list = REP_LIST_ALLOW;
        entry.expires_s = 0;
        assert_often(rep_replica_set(replica, &key, &entry, NULL) == 0);
    }
    return unused;
}

START_TEST(is_sound_beside_a_busy_writer)
{
    pthread_t writer;
    atomic_store(&churning, true);
    pthread_create(&writer, NULL, churn, NULL);
    for (unsigned round = 0; round < 5; round++) {
        save();
        struct rep_replica *other = new_replica(100000);
        ck_assert_msg(load(other, NOW_S, 0) == 0, "%s", message);
        for (unsigned i = 2; i < NUMBERS; i += 2) {
            struct rep_key key = key_of(REP_KIND_NUMBER, i);
            struct rep_entry entry;
            assert_often(rep_replica_get(other, &key, 0, &entry));
        }
        rep_replica_destroy(other);
    }
    atomic_store(&churning, false);
    pthread_join(writer, NULL);
}
END_TEST

START_TEST(a_cancelled_one_leaves_the_old)
{
    save();
    struct stat before, after;
    ck_assert_int_eq(stat(path, &before), 0);
    struct rep_saving *saving;
    ck_assert_int_eq(rep_saving_create(path, replica, ledger, types, sources, NOW_S, &saving), 0);
    rep_saving_cancel(saving);
    ck_assert_int_eq(rep_saving_run(saving), -ECANCELED);
    rep_saving_destroy(saving);
    ck_assert_int_eq(stat(path, &after), 0);
    ck_assert_uint_eq(before.st_ino, after.st_ino);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_an_error)
{
    struct rep_saving *saving;
    ck_assert_int_eq(
        rep_saving_create("/nowhere/at/all", replica, ledger, types, sources, NOW_S, &saving), 0);
    ck_assert_int_eq(rep_saving_run(saving), -ENOENT);
    rep_saving_destroy(saving);
}
END_TEST

/* ---- refusals ------------------------------------------------------------------------------ */

static void expect_refused(const char *reason)
{
    struct rep_replica *other = new_replica(100000);
    struct rep_replica_figures count;
    ck_assert_int_ne(load(other, NOW_S, 0), 0);
    ck_assert_msg(strstr(message, reason) != NULL, "\"%s\" does not say \"%s\"", message, reason);
    ck_assert_ptr_nonnull(strstr(message, path));
    rep_replica_figures(other, &count);
    ck_assert_uint_eq(count.entries[REP_KIND_NUMBER] + count.entries[REP_KIND_PREFIX], 0);
    rep_replica_destroy(other);
}

static void flip(long place, int bits)
{
    FILE *file = fopen(path, "r+");
    ck_assert_ptr_nonnull(file);
    fseek(file, place, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, place, SEEK_SET);
    fputc(byte ^ bits, file);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(no_file_is_no_refusal)
{
    ck_assert_int_eq(load(replica, NOW_S, 0), -ENOENT);
}
END_TEST

START_TEST(a_flipped_bit_is_found_wherever_it_is)
{
    save();
    struct stat status;
    struct random_state random;
    random_seed(&random, 11);
    ck_assert_int_eq(stat(path, &status), 0);
    for (unsigned i = 0; i < 150; i++) {
        /* Header, pages and tail in turn. */
        uint64_t tail = (uint64_t)status.st_size - 7000;
        uint64_t place = i % 3 == 0   ? random_below(&random, SAVED_HEADER_BYTES)
                         : i % 3 == 1 ? tail + random_below(&random, 7000)
                                      : random_below(&random, (uint64_t)status.st_size);
        int bit = 1 << random_below(&random, 8);
        flip((long)place, bit);
        expect_refused("is not used");
        flip((long)place, bit);
    }
}
END_TEST

START_TEST(reasons_are_told)
{
    save();
    flip(0, 1);
    expect_refused("no saved replica");
    flip(0, 1);
    flip(offsetof(struct saved_header, version), 1);
    expect_refused("another version");
    flip(offsetof(struct saved_header, version), 1);
    flip(offsetof(struct saved_header, layout), 1);
    expect_refused("another version");
    flip(offsetof(struct saved_header, layout), 1);
    flip(offsetof(struct saved_header, byte_order), 1);
    expect_refused("byte order");
    flip(offsetof(struct saved_header, byte_order), 1);
    flip(offsetof(struct saved_header, wall_s), 1);
    expect_refused("checksum of its header");
    flip(offsetof(struct saved_header, wall_s), 1);
    flip(SAVED_HEADER_BYTES + 100000, 1);
    expect_refused("checksum of block");
    flip(SAVED_HEADER_BYTES + 100000, 1);
}
END_TEST

START_TEST(a_cut_file_is_refused)
{
    save();
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    const long sizes[] = {status.st_size - 1, status.st_size - 5000, SAVED_HEADER_BYTES, 100, 0};
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        ck_assert_int_eq(truncate(path, sizes[i]), 0);
        expect_refused("it was cut");
    }
    ck_assert_int_eq(truncate(path, status.st_size), 0);
    expect_refused("");
}
END_TEST

START_TEST(an_old_file_is_refused)
{
    save();
    struct rep_replica *other = new_replica(100000);
    ck_assert_int_ne(load(other, NOW_S + 7201, 7200), 0);
    ck_assert_ptr_nonnull(strstr(message, "2 hours old"));
    ck_assert_int_eq(load(other, NOW_S + 7200, 7200), 0);
    rep_replica_destroy(other);
    /* Clocks differ; a file of the future is a young one. */
    other = new_replica(100000);
    ck_assert_int_eq(load(other, NOW_S - 9000, 7200), 0);
    rep_replica_destroy(other);
}
END_TEST

/* One whose checksums are right, made by somebody who wants to mislead: each digest is made anew.
 */
static void forge(void (*change)(struct saved_header *header, char *file))
{
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    size_t size = (size_t)status.st_size;
    char *file = malloc(size);
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(read(descriptor, file, size), status.st_size);
    struct saved_header *header = (struct saved_header *)file;
    change(header, file);
    char *page = file + SAVED_HEADER_BYTES;
    char *tail = file + size - header->tail_bytes, *at = tail;
    for (unsigned kind = 0; kind < SAVED_TABLES; kind++) {
        uint32_t partitions = 1u << header->table[kind].partition_bits;
        char *pages = at;
        at += partitions;
        for (uint32_t block = 0; block < partitions / SAVED_BLOCK; block++) {
            size_t length = 0;
            for (unsigned i = 0; i < SAVED_BLOCK; i++)
                length += (size_t)(uint8_t)*pages++ * REP_PAGE_BYTES;
            uint64_t digest =
                saved_digest(SAVED_PART_BLOCK, saved_block_number(kind, block), page, length);
            memcpy(at, &digest, sizeof(digest));
            at += sizeof(digest);
            page += length;
        }
    }
    header->tail_digest = saved_digest(SAVED_PART_TAIL, 0, tail, header->tail_bytes);
    header->digest =
        saved_digest(SAVED_PART_HEADER, 0, header, offsetof(struct saved_header, digest));
    ck_assert_int_eq(pwrite(descriptor, file, size, 0), status.st_size);
    close(descriptor);
    free(file);
}

static void change_nothing(struct saved_header *header, char *file)
{
    (void)header;
    (void)file;
}

/* The first entry of the first line in use: another remainder, so that it is not at home. */
static void move_an_entry(struct saved_header *header, char *file)
{
    (void)header;
    uint32_t *line = (uint32_t *)(void *)(file + SAVED_HEADER_BYTES);
    while ((line[0] & 0x1f) == 0)
        line += 16;
    line[3] |= 0xffu << 24;
}

static void spoil_a_score(struct saved_header *header, char *file)
{
    (void)header;
    uint32_t *line = (uint32_t *)(void *)(file + SAVED_HEADER_BYTES);
    while ((line[0] & 1) == 0)
        line += 16;
    line[3] |= 0x7fu << 17;
}

static void claim_more_entries(struct saved_header *header, char *file)
{
    (void)file;
    header->table[0].entries++;
}

static void claim_more_texts(struct saved_header *header, char *file)
{
    (void)file;
    header->raw_texts = UINT64_MAX;
}

static void claim_fewer_names(struct saved_header *header, char *file)
{
    (void)file;
    header->types = 1;
}

START_TEST(what_is_forged_misleads_nobody)
{
    static void (*const changes[])(struct saved_header * header, char *file) = {
        move_an_entry, spoil_a_score, claim_more_entries, claim_more_texts, claim_fewer_names};
    save();
    forge(change_nothing);
    struct rep_replica *other = new_replica(100000);
    ck_assert_msg(load(other, NOW_S, 0) == 0, "%s", message);
    rep_replica_destroy(other);
    for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        save();
        forge(changes[i]);
        expect_refused("as it should be");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("saved");
    TCase *tests = tcase_create("file");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, comes_back_whole);
    tcase_add_test(tests, comes_back_with_another_capacity);
    tcase_add_test(tests, comes_back_in_the_middle_of_a_comparison);
    tcase_add_test(tests, what_expired_meanwhile_is_left_out);
    tcase_add_test(tests, statements_come_back);
    tcase_add_test(tests, an_empty_replica_comes_back_empty);
    tcase_add_test(tests, is_sound_beside_a_busy_writer);
    tcase_add_test(tests, a_cancelled_one_leaves_the_old);
    tcase_add_test(tests, a_folder_that_is_not_there_is_an_error);
    tcase_add_test(tests, no_file_is_no_refusal);
    add_on_one_thread(tests, a_flipped_bit_is_found_wherever_it_is);
    add_on_one_thread(tests, reasons_are_told);
    add_on_one_thread(tests, a_cut_file_is_refused);
    add_on_one_thread(tests, an_old_file_is_refused);
    add_on_one_thread(tests, what_is_forged_misleads_nobody);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
