/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "base/slice.h"

#include <check.h>

/* The key of the paper's appendix: bytes 00 01 02 ... 0f. */
static const struct hash_key paper_key = {{0x0706050403020100U, 0x0f0e0d0c0b0a0908U}};

static void count_up(unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (unsigned char)i;
}

START_TEST(siphash24_gives_the_vectors_of_the_paper)
{
    static const uint64_t vectors[] = {
        0x726fdb47dd0e0e31U, 0x74f839c593dc67fdU, 0x0d6c8009d9a94f5aU, 0x85676696d7fb7e2dU,
        0xcf2794e0277187b7U, 0x18765564cd99a68dU, 0xcbc9466e58fee3ceU, 0xab0200f58b01d137U,
        0x93f5f5799a932462U, 0x9e0082df0ba9e4b0U, 0x7a5dbbc594ddb9f3U, 0xf4b32f46226bada7U,
        0x751e8fbc860ee5fbU, 0x14ea5627c0843d90U, 0xf723ca908e7af2eeU, 0xa129ca6149be45e5U,
    };
    unsigned char bytes[16];
    count_up(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        ck_assert(hash_siphash24(&paper_key, bytes, i) == vectors[i]);
}
END_TEST

/* There are no vectors of 1-3 in the paper: these were made with two other implementations. */
START_TEST(siphash13_agrees_with_other_implementations)
{
    static const struct hash_key zero = {{0, 0}};
    unsigned char bytes[16];
    count_up(bytes, sizeof(bytes));
    ck_assert(hash_siphash13(&paper_key, bytes, 0) == 0xabac0158050fc4dcU);
    ck_assert(hash_siphash13(&zero, "a", 1) == 0x407448d2b89b1813U);
    ck_assert(hash_siphash13(&zero, "sip:+8613800138000", 18) == 0x11e6ab6799639de8U);
    ck_assert(hash_siphash13(&zero, bytes, 15) == 0xf30eb725bb91c9eaU);
    ck_assert(hash_siphash13(&zero, bytes, 16) == 0x8972188433a5c5b7U);
}
END_TEST

START_TEST(alignment_does_not_matter)
{
    unsigned char bytes[48];
    uint64_t expected = 0;
    for (size_t shift = 0; shift < 8; shift++) {
        count_up(bytes + shift, 40);
        uint64_t hash = hash_siphash24(&paper_key, bytes + shift, 40);
        ck_assert(shift == 0 || hash == expected);
        expected = hash;
    }
}
END_TEST

START_TEST(an_absent_slice_hashes_like_an_empty_one)
{
    ck_assert(hash_slice(&paper_key, slice_make(NULL, 0)) == hash_slice(&paper_key, SLICE("")));
}
END_TEST

static uint64_t hash_of(struct slice first, struct slice second)
{
    struct siphash hash = siphash_begin(&paper_key);
    siphash_part(&hash, SIPHASH_MARK, first);
    siphash_part(&hash, SIPHASH_MARK, second);
    return siphash_end(&hash, SIPHASH_MARK);
}

/* Every cut of 40 bytes, 17 of them zero, gives a list of its own. */
START_TEST(parts_are_told_apart_by_where_they_end)
{
    enum { LENGTH = 40 };
    char bytes[LENGTH] = "abcdefgh01234567abcdefg";
    uint64_t seen[LENGTH + 1];
    for (size_t cut = 0; cut <= LENGTH; cut++) {
        seen[cut] = hash_of(slice_make(bytes, cut), slice_make(bytes + cut, LENGTH - cut));
        for (size_t other = 0; other < cut; other++)
            ck_assert(seen[other] != seen[cut]);
    }
    ck_assert(hash_of(SLICE("abc"), SLICE("")) != hash_of(slice_make("abc", 4), SLICE("")));
    ck_assert(hash_of(SLICE(""), slice_make(NULL, 0)) == hash_of(slice_make(NULL, 0), SLICE("")));
}
END_TEST

static uint64_t hash_nocase(struct slice part)
{
    struct siphash hash = siphash_begin(&paper_key);
    siphash_part_nocase(&hash, SIPHASH_TABLE, part);
    return siphash_end(&hash, SIPHASH_TABLE);
}

START_TEST(parts_without_case_are_alike)
{
    ck_assert(hash_nocase(SLICE("Proxy.Example.NET")) == hash_nocase(SLICE("pROXY.eXAMPLE.net")));
    ck_assert(hash_nocase(SLICE("AZaz")) == hash_nocase(SLICE("azAZ")));
    for (unsigned byte = 0; byte < 256; byte++) {
        bool letter = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
        char plain[9] = "example.";
        char turned[9] = "example.";
        plain[3] = plain[8] = (char)byte;
        turned[3] = turned[8] = (char)(byte ^ 0x20);
        bool alike = hash_nocase(slice_make(plain, 9)) == hash_nocase(slice_make(turned, 9));
        ck_assert_msg(alike == letter, "byte %u", byte);
    }
}
END_TEST

START_TEST(a_pair_is_two_hashes)
{
    struct siphash a = siphash_begin(&paper_key);
    struct siphash b = a;
    siphash_part(&a, SIPHASH_TABLE, SLICE("one"));
    siphash_part(&b, SIPHASH_TABLE, SLICE("two"));
    struct siphash_pair first = siphash_end_pair(&a, SIPHASH_TABLE);
    struct siphash_pair second = siphash_end_pair(&b, SIPHASH_TABLE);
    ck_assert(first.first != first.second);
    ck_assert(first.first != second.first);
    ck_assert(first.second != second.second);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("siphash");
    TCase *tests = tcase_create("siphash");
    tcase_add_test(tests, siphash24_gives_the_vectors_of_the_paper);
    tcase_add_test(tests, parts_are_told_apart_by_where_they_end);
    tcase_add_test(tests, parts_without_case_are_alike);
    tcase_add_test(tests, a_pair_is_two_hashes);
    tcase_add_test(tests, siphash13_agrees_with_other_implementations);
    tcase_add_test(tests, alignment_does_not_matter);
    tcase_add_test(tests, an_absent_slice_hashes_like_an_empty_one);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
