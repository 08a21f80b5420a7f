/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/random.h"
#include "identity/mark.h"

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static int parse_key(struct slice text, uint8_t key[IDENT_KEY_BYTES])
{
    text = slice_trim(text);
    if (text.length != (size_t)2 * IDENT_KEY_BYTES)
        return ERROR_MALFORMED;
    for (size_t i = 0; i < IDENT_KEY_BYTES; i++) {
        int high = digit_value(text.data[2 * i]);
        int low = digit_value(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return ERROR_MALFORMED;
        key[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

static int create_key(const char *path, uint8_t key[IDENT_KEY_BYTES])
{
    char memory[2 * IDENT_KEY_BYTES + 1];
    struct buffer text = buffer_over(memory, sizeof(memory));
    int error = random_bytes(key, IDENT_KEY_BYTES);
    if (error != 0)
        return error;
    for (size_t i = 0; i < IDENT_KEY_BYTES; i++)
        buffer_append_hex(&text, key[i], 2);
    buffer_append_char(&text, '\n');
    return file_write_atomic(path, buffer_slice(&text), 0600);
}

int ident_key_load(const char *path, uint8_t key[IDENT_KEY_BYTES], bool *created)
{
    char *text = NULL;
    size_t length = 0;
    *created = false;
    int error = file_read(path, 4096, &text, &length);
    if (error == -ENOENT) {
        error = create_key(path, key);
        *created = error == 0;
        return error;
    }
    if (error != 0)
        return error;
    error = parse_key(slice_make(text, length), key);
    free(text);
    return error;
}
