/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"

enum { FILE_READ_FIRST = 4096 };

/* Files in /proc and pipes say 0, so the size is a hint only. */
static size_t size_hint(int fd, size_t limit)
{
    struct stat status;
    size_t hint = FILE_READ_FIRST;
    if (fstat(fd, &status) == 0 && status.st_size > 0 && (uintmax_t)status.st_size < SIZE_MAX)
        hint = (size_t)status.st_size + 1; /* one more, so that the end is seen without growing */
    return hint <= limit ? hint : limit + 1;
}

static int read_whole(int fd, size_t limit, char **text, size_t *length)
{
    size_t capacity = size_hint(fd, limit);
    size_t used = 0;
    int error = 0;
    char *memory = malloc(capacity + 1);
    if (memory == NULL)
        return -ENOMEM;

    for (;;) {
        ssize_t got = read(fd, memory + used, capacity - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            error = -errno;
            goto out;
        }
        if (got == 0)
            break;
        used += (size_t)got;
        if (used > limit) {
            error = -EFBIG;
            goto out;
        }
        if (used == capacity) {
            capacity = capacity <= limit / 2 ? capacity * 2 : limit + 1;
            char *larger = realloc(memory, capacity + 1);
            if (larger == NULL) {
                error = -ENOMEM;
                goto out;
            }
            memory = larger;
        }
    }
    memory[used] = '\0';
    *text = memory;
    *length = used;
    memory = NULL;
out:
    free(memory);
    return error;
}

int file_read(const char *path, size_t limit, char **text, size_t *length)
{
    if (limit > SIZE_MAX - 2)
        limit = SIZE_MAX - 2;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    int error = read_whole(fd, limit, text, length);
    close(fd);
    return error;
}

static int write_whole(int fd, struct slice bytes)
{
    while (bytes.length > 0) {
        ssize_t put = write(fd, bytes.data, bytes.length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -errno;
        bytes = slice_from(bytes, (size_t)put);
    }
    return 0;
}

/* The rename itself is durable only once the folder is. */
static int sync_folder_of(const char *path)
{
    char folder[4096];
    int error = file_beside(path, ".", folder, sizeof(folder));
    if (error != 0)
        return error;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    /* Some file systems cannot sync a folder and say EINVAL; nothing more can be done there. */
    error = fsync(fd) != 0 && errno != EINVAL ? -errno : 0;
    close(fd);
    return error;
}

int file_write_atomic(const char *path, struct slice bytes, mode_t mode)
{
    char temporary[4096];
    int written = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    if (written < 0 || (size_t)written >= sizeof(temporary))
        return -ENAMETOOLONG;
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return -errno;

    int error = write_whole(fd, bytes);
    if (error == 0 && fchmod(fd, mode) != 0)
        error = -errno;
    if (error == 0 && fsync(fd) != 0)
        error = -errno;
    if (close(fd) != 0 && error == 0)
        error = -errno;
    if (error == 0 && rename(temporary, path) != 0)
        error = -errno;
    if (error != 0) {
        unlink(temporary);
        return error;
    }
    return sync_folder_of(path);
}

int file_beside(const char *beside, const char *name, char *path, size_t capacity)
{
    if (name[0] == '\0')
        return -EINVAL;
    const char *slash = name[0] != '/' ? strrchr(beside, '/') : NULL;
    size_t folder = slash != NULL ? (size_t)(slash - beside) + 1 : 0;

    struct buffer buffer = buffer_over(path, capacity);
    buffer_append_bytes(&buffer, beside, folder);
    buffer_append_bytes(&buffer, name, strlen(name) + 1);
    return buffer.overflow ? -ENAMETOOLONG : 0;
}
