/* SPDX-License-Identifier: Apache-2.0 */
/* The settings as the store keeps them: defaults, copies, passwords from files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "server_int.h"

enum { PASSWORD_FILE_MAXIMUM = 4096 };

void rep_settings_default(struct rep_settings *settings)
{
    *settings = (struct rep_settings){
        .host = "127.0.0.1",
        .port = 6379,
        .connect_timeout_ms = 2000,
        .reply_timeout_ms = 5000,
        .compare_interval_ms = 10000,
        .min_block_prefix = 7,
        .hold_percent = 20,
        .hold_minimum = 1000,
        .capacity = 16000000,
        .rescan_interval_s = 6 * 3600,
        .saved_age_s = 7 * 24 * 3600,
        .lookup_in_flight = 1024,
        .lookup_cache_ms = 500,
    };
}

/* X(member): the texts of struct rep_settings. */
#define SETTINGS_TEXTS(X)     \
    X(host)                   \
    X(unix_socket)            \
    X(username)               \
    X(password)               \
    X(password_file)          \
    X(sentinel_master)        \
    X(sentinel_username)      \
    X(sentinel_password)      \
    X(sentinel_password_file) \
    X(csv_path)               \
    X(saved_path)

/* X(member): its lists of texts. */
#define SETTINGS_LISTS(X) X(sentinels) X(cluster) X(address_map)

/* X(member): numbers for which 0 means the default. */
#define SETTINGS_NUMBERS(X) \
    X(port)                 \
    X(connect_timeout_ms)   \
    X(reply_timeout_ms)     \
    X(compare_interval_ms)  \
    X(min_block_prefix)     \
    X(hold_percent)         \
    X(hold_minimum)         \
    X(capacity) X(rescan_interval_s) X(saved_age_s) X(lookup_in_flight) X(lookup_cache_ms)

static int copy_text(const char **to, const char *text, const char *fallback)
{
    if (text == NULL || *text == '\0')
        text = fallback;
    if (text == NULL) {
        *to = NULL;
        return 0;
    }
    *to = strdup(text);
    return *to != NULL ? 0 : -ENOMEM;
}

/* One block: the slices, then their bytes. */
static int copy_list(struct rep_texts *to, const struct rep_texts *from)
{
    size_t bytes = from->count * sizeof(from->items[0]);
    for (size_t i = 0; i < from->count; i++)
        bytes += from->items[i].length + 1;
    *to = (struct rep_texts){0};
    if (from->count == 0)
        return 0;
    struct slice *items = malloc(bytes);
    if (items == NULL)
        return -ENOMEM;
    char *at = (char *)&items[from->count];
    for (size_t i = 0; i < from->count; i++) {
        size_t length = from->items[i].length;
        if (length > 0)
            memcpy(at, from->items[i].data, length);
        at[length] = '\0';
        items[i] = slice_make(at, length);
        at += length + 1;
    }
    *to = (struct rep_texts){items, from->count};
    return 0;
}

/* One block: the rows, then the bytes of their names. */
static int copy_sources(struct rep_source_rows *to, const struct rep_source_rows *from)
{
    size_t bytes = from->count * sizeof(from->items[0]);
    for (size_t i = 0; i < from->count; i++)
        bytes += from->items[i].name.length;
    *to = (struct rep_source_rows){0};
    if (from->count == 0)
        return 0;
    struct rep_source_row *items = malloc(bytes);
    if (items == NULL)
        return -ENOMEM;
    char *at = (char *)&items[from->count];
    for (size_t i = 0; i < from->count; i++) {
        struct slice name = from->items[i].name;
        items[i] = from->items[i];
        items[i].name = slice_make(at, name.length);
        memcpy(at, name.data, name.length);
        at += name.length;
    }
    *to = (struct rep_source_rows){items, from->count};
    return 0;
}

int rep_settings_copy(const struct rep_settings *settings, struct rep_settings *copy)
{
    struct rep_settings defaults;
    rep_settings_default(&defaults);
    *copy = *settings;
#define SETTINGS_FILL(member) \
    if (copy->member == 0)    \
        copy->member = defaults.member;
    SETTINGS_NUMBERS(SETTINGS_FILL)
#undef SETTINGS_FILL
    int code = 0;
#define SETTINGS_COPY(member)                                             \
    if (copy_text(&copy->member, settings->member, defaults.member) != 0) \
        code = -ENOMEM;
    SETTINGS_TEXTS(SETTINGS_COPY)
#undef SETTINGS_COPY
#define SETTINGS_COPY(member)                             \
    if (copy_list(&copy->member, &settings->member) != 0) \
        code = -ENOMEM;
    SETTINGS_LISTS(SETTINGS_COPY)
#undef SETTINGS_COPY
    if (copy_sources(&copy->sources, &settings->sources) != 0)
        code = -ENOMEM;
    if (code != 0)
        rep_settings_free(copy);
    return code;
}

void rep_settings_free(struct rep_settings *copy)
{
#define SETTINGS_FREE(member)              \
    free((void *)(uintptr_t)copy->member); \
    copy->member = NULL;
    SETTINGS_TEXTS(SETTINGS_FREE)
#undef SETTINGS_FREE
#define SETTINGS_FREE(member)                    \
    free((void *)(uintptr_t)copy->member.items); \
    copy->member = (struct rep_texts){0};
    SETTINGS_LISTS(SETTINGS_FREE)
#undef SETTINGS_FREE
    free((void *)(uintptr_t)copy->sources.items);
    copy->sources = (struct rep_source_rows){0};
}

static int read_password(const char *path, const char **password, char *message, size_t capacity)
{
    char *text = NULL;
    size_t length;
    if (path == NULL)
        return 0;
    int code = file_read(path, PASSWORD_FILE_MAXIMUM, &text, &length);
    if (code == 0) {
        text[strcspn(text, "\r\n")] = '\0';
        if (text[0] == '\0')
            code = -EBADMSG;
    }
    if (code != 0) {
        snprintf(message, capacity, "password file \"%.160s\": %s", path,
                 code == -EBADMSG ? "its first line is empty" : error_text(code));
        free(text);
        return code;
    }
    free((void *)(uintptr_t)*password);
    *password = text;
    return 0;
}

int rep_settings_read_passwords(struct rep_settings *copy, char *message, size_t capacity)
{
    int code = read_password(copy->password_file, &copy->password, message, capacity);
    if (code == 0)
        code = read_password(copy->sentinel_password_file, &copy->sentinel_password, message,
                             capacity);
    return code;
}
