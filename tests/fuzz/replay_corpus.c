/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_corpus: runs a fuzz target once over each file named on the command line, and over each
 * file in a folder named there. So the corpus is part of the ordinary tests, without libFuzzer.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t size = 0;
    size_t capacity = 0;

    if (file == NULL)
        return -errno;
    do {
        if (size == capacity) {
            capacity = capacity * 2 + 4096;

            uint8_t *larger = realloc(data, capacity);

            if (larger == NULL)
                break;
            data = larger;
        }
        size += fread(data + size, 1, capacity - size, file);
    } while (!feof(file) && !ferror(file));

    int error = feof(file) ? 0 : -EIO;

    fclose(file);
    if (!error) {
        /* An allocation of exactly this size lets the sanitizers see a read beyond the end. */
        uint8_t *exact = malloc(size > 0 ? size : 1);

        if (exact == NULL) {
            error = -ENOMEM;
        } else {
            memcpy(exact, data, size);
            (void)LLVMFuzzerTestOneInput(exact, size);
            free(exact);
        }
    }
    free(data);
    return error;
}

static int report(const char *path, int error)
{
    fprintf(stderr, "%s: %s\n", path, strerror(-error));
    return error;
}

static int replay(const char *path, unsigned *count)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    int error = 0;

    if (folder == NULL) {
        if (errno != ENOTDIR)
            return report(path, -errno);
        (*count)++;
        error = replay_file(path);
        return error ? report(path, error) : 0;
    }
    while (!error && (entry = readdir(folder)) != NULL) {
        char inner[4096];

        if (entry->d_name[0] == '.')
            continue;
        if ((size_t)snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name) >= sizeof(inner))
            error = report(path, -ENAMETOOLONG);
        else
            error = replay(inner, count);
    }
    closedir(folder);
    return error;
}

int main(int argc, char **argv)
{
    unsigned count = 0;

    for (int i = 1; i < argc; i++)
        if (replay(argv[i], &count) != 0)
            return EXIT_FAILURE;
    printf("%u inputs replayed\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
