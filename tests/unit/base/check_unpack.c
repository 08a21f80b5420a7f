/* SPDX-License-Identifier: Apache-2.0 */
#include "base/unpack.h"

#include <check.h>
#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

enum { TEXT = 300000, ROOM = 400000 };

static char text[TEXT];
static char packed[ROOM];

static size_t pack_gzip(void)
{
    z_stream stream = {.next_in = NULL};
    ck_assert_int_eq(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)text;
    stream.avail_in = TEXT;
    stream.next_out = (Bytef *)packed;
    stream.avail_out = ROOM;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return ROOM - stream.avail_out;
}

static size_t pack_zstd(void)
{
    size_t length = ZSTD_compress(packed, ROOM, text, TEXT, 3);
    ck_assert(!ZSTD_isError(length));
    return length;
}

static size_t pack_xz(void)
{
    size_t length = 0;
    ck_assert_int_eq(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, (const uint8_t *)text, TEXT,
                                             (uint8_t *)packed, &length, ROOM),
                     LZMA_OK);
    return length;
}

static const struct {
    const char *name;
    size_t (*pack)(void);
} formats[] = {{"gzip", pack_gzip}, {"zstd", pack_zstd}, {"xz", pack_xz}};

enum { FORMATS = sizeof(formats) / sizeof(formats[0]) };

static void fill(void)
{
    for (size_t i = 0; i < TEXT; i++)
        text[i] = (char)('0' + (i * i / 7) % 10);
}

static void unpacks_to(struct slice bytes, size_t times)
{
    char *out = NULL;
    size_t length = 0;
    ck_assert_int_eq(unpack_bytes(bytes, TEXT * times, &out, &length), 0);
    ck_assert_uint_eq(length, TEXT * times);
    for (size_t i = 0; i < times; i++)
        ck_assert_int_eq(memcmp(out + i * TEXT, text, TEXT), 0);
    ck_assert_int_eq(out[length], '\0');
    free(out);
}

START_TEST(whole_files)
{
    fill();
    size_t length = formats[_i].pack();
    ck_assert_str_eq(unpack_format(slice_make(packed, length)), formats[_i].name);
    unpacks_to(slice_make(packed, length), 1);
}
END_TEST

START_TEST(files_behind_one_another)
{
    fill();
    size_t length = formats[_i].pack();
    char *twice = malloc(2 * length);
    ck_assert_ptr_nonnull(twice);
    memcpy(twice, packed, length);
    memcpy(twice + length, packed, length);
    unpacks_to(slice_make(twice, 2 * length), 2);
    free(twice);
}
END_TEST

START_TEST(more_than_the_limit)
{
    char *out = NULL;
    size_t length = 0;
    fill();
    size_t count = formats[_i].pack();
    ck_assert_int_eq(unpack_bytes(slice_make(packed, count), TEXT - 1, &out, &length), -EFBIG);
    ck_assert_int_eq(unpack_bytes(slice_make(packed, count), 0, &out, &length), -EFBIG);
    ck_assert_ptr_null(out);
}
END_TEST

START_TEST(cut_or_damaged)
{
    char *out = NULL;
    size_t length = 0;
    fill();
    size_t count = formats[_i].pack();
    for (size_t cut = 8; cut < count; cut += count / 13)
        ck_assert_int_eq(unpack_bytes(slice_make(packed, cut), TEXT, &out, &length), -EBADMSG);
    memset(packed + count / 2, 0x55, 64);
    ck_assert_int_eq(unpack_bytes(slice_make(packed, count), TEXT, &out, &length), -EBADMSG);
    ck_assert_ptr_null(out);
}
END_TEST

START_TEST(rest_behind_the_file)
{
    char *out = NULL;
    size_t length = 0;
    fill();
    size_t count = formats[_i].pack();
    memcpy(packed + count, "+8613800138000", 14);
    ck_assert_int_eq(unpack_bytes(slice_make(packed, count + 14), TEXT, &out, &length), -EBADMSG);
}
END_TEST

START_TEST(plain_texts)
{
    char *out = NULL;
    size_t length = 0;
    ck_assert_ptr_null(unpack_format(SLICE("+8613800138000\n")));
    ck_assert_ptr_null(unpack_format(SLICE("")));
    ck_assert_int_eq(unpack_bytes(SLICE("+86"), TEXT, &out, &length), -EBADMSG);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/unpack");
    TCase *tests = tcase_create("unpack");
    tcase_add_loop_test(tests, whole_files, 0, FORMATS);
    tcase_add_loop_test(tests, files_behind_one_another, 0, FORMATS);
    tcase_add_loop_test(tests, more_than_the_limit, 0, FORMATS);
    tcase_add_loop_test(tests, cut_or_damaged, 0, FORMATS);
    tcase_add_loop_test(tests, rest_behind_the_file, 0, FORMATS);
    tcase_add_test(tests, plain_texts);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
