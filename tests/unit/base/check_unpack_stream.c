/* SPDX-License-Identifier: Apache-2.0 */
/* Runs on one thread. */
#include "base/unpack_stream.h"

#include <check.h>
#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/file.h"

enum { TEXT = 3000000, PACKED = 4000000 };

static char *text, *packed, *back;
static char path[64];

static size_t pack_plain(char *out)
{
    memcpy(out, text, TEXT);
    return TEXT;
}

static size_t pack_gzip(char *out)
{
    z_stream stream = {.next_in = (Bytef *)text, .avail_in = TEXT};
    ck_assert_int_eq(deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_out = (Bytef *)out;
    stream.avail_out = PACKED;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return stream.total_out;
}

static size_t pack_xz(char *out)
{
    size_t length = 0;
    ck_assert_int_eq(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, (const uint8_t *)text, TEXT,
                                             (uint8_t *)out, &length, PACKED),
                     LZMA_OK);
    return length;
}

static size_t pack_zstd(char *out)
{
    /* As its command does, with a checksum. */
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ck_assert_ptr_nonnull(context);
    ck_assert(!ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)));
    size_t length = ZSTD_compress2(context, out, PACKED, text, TEXT);
    ck_assert(!ZSTD_isError(length));
    ZSTD_freeCCtx(context);
    return length;
}

static const struct {
    const char *name;
    size_t (*pack)(char *out);
} rows[] = {{"", pack_plain}, {"gzip", pack_gzip}, {"xz", pack_xz}, {"zstd", pack_zstd}};

static void set_up(void)
{
    text = malloc(TEXT);
    packed = malloc(2 * PACKED);
    back = malloc(2 * TEXT + 1);
    ck_assert(text != NULL && packed != NULL && back != NULL);
    /* Half of it packs badly. */
    uint32_t state = 1;
    for (size_t i = 0; i < TEXT; i++) {
        state = state * 1664525 + 1013904223;
        text[i] = i % 2000 < 1000 ? 'a' : (char)(state >> 24);
    }
    memcpy(text, "plain text", 10);
    snprintf(path, sizeof(path), "/tmp/check_unpack_stream.%d", (int)getpid());
}

static void tear_down(void)
{
    unlink(path);
    free(text);
    free(packed);
    free(back);
}

static void write_file(size_t length)
{
    ck_assert_int_eq(file_write_atomic(path, slice_make(packed, length), 0600), 0);
}

/* How much came, and whether it ended well. */
static size_t read_back(const char *format, int *error)
{
    struct unpack_stream *stream;
    FILE *file;
    ck_assert_int_eq(unpack_stream_open(path, &stream, &file), 0);
    if (format != NULL)
        ck_assert_str_eq(unpack_stream_format(stream), format);
    size_t length = fread(back, 1, 2 * TEXT + 1, file);
    ck_assert_int_eq(ferror(file) != 0, unpack_stream_error(stream) != 0);
    *error = unpack_stream_error(stream);
    if (*error == 0)
        ck_assert_uint_eq(unpack_stream_position(stream), unpack_stream_size(stream));
    ck_assert_int_eq(fclose(file), 0);
    return length;
}

START_TEST(whole)
{
    int error;
    write_file(rows[_i].pack(packed));
    ck_assert_uint_eq(read_back(rows[_i].name, &error), TEXT);
    ck_assert_int_eq(error, 0);
    ck_assert_int_eq(memcmp(text, back, TEXT), 0);
}
END_TEST

START_TEST(two_in_one)
{
    int error;
    size_t length = rows[_i].pack(packed);
    memcpy(packed + length, packed, length);
    write_file(2 * length);
    ck_assert_uint_eq(read_back(rows[_i].name, &error), 2 * TEXT);
    ck_assert_int_eq(error, 0);
    ck_assert_int_eq(memcmp(text, back + TEXT, TEXT), 0);
}
END_TEST

/* What came before is handed out. */
START_TEST(cut)
{
    int error;
    size_t length = rows[_i].pack(packed);
    write_file(length - 100);
    size_t come = read_back(rows[_i].name, &error);
    ck_assert_int_eq(error, -EBADMSG);
    ck_assert_uint_gt(come, TEXT / 4);
    ck_assert_int_eq(memcmp(text, back, come), 0);
}
END_TEST

START_TEST(damaged)
{
    int error;
    size_t length = rows[_i].pack(packed);
    memset(packed + length / 2, 0xff, 64);
    write_file(length);
    (void)read_back(rows[_i].name, &error);
    ck_assert_int_eq(error, -EBADMSG);
}
END_TEST

START_TEST(empty)
{
    int error;
    write_file(0);
    ck_assert_uint_eq(read_back("", &error), 0);
    ck_assert_int_eq(error, 0);
}
END_TEST

START_TEST(not_there)
{
    struct unpack_stream *stream;
    FILE *file;
    ck_assert_int_eq(unpack_stream_open("/nonexistent/file", &stream, &file), -ENOENT);
    ck_assert_int_eq(unpack_stream_open("/tmp", &stream, &file), -EISDIR);
}
END_TEST

int main(void)
{
    int count = (int)(sizeof(rows) / sizeof(rows[0]));
    Suite *suite = suite_create("unpack_stream");
    TCase *tests = tcase_create("unpack_stream");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, whole, 0, count);
    tcase_add_loop_test(tests, two_in_one, 0, count);
    tcase_add_loop_test(tests, cut, 1, count);
    tcase_add_loop_test(tests, damaged, 1, count);
    tcase_add_test(tests, empty);
    tcase_add_test(tests, not_there);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
