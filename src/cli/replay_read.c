/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "replay_int.h"

/* How many packets between two looks at the clock. */
enum { PROGRESS_EVERY = 16384, MARKS_FIRST = 4096 };

/* ---- marks --------------------------------------------------------------------------------- */

static bool reserve(struct replay_marks *marks, size_t words)
{
    if (words <= marks->count)
        return true;
    size_t count = marks->count > 0 ? marks->count : MARKS_FIRST;
    while (count < words)
        count *= 2;
    uint64_t *larger = realloc(marks->words, count * sizeof(*larger));
    if (larger == NULL) {
        marks->failed = true;
        return false;
    }
    memset(larger + marks->count, 0, (count - marks->count) * sizeof(*larger));
    marks->words = larger;
    marks->count = count;
    return true;
}

void replay_mark(struct replay_marks *marks, const struct tap_message *message)
{
    for (uint32_t i = 0; i < message->packet_count; i++) {
        uint64_t number = message->packets[i];
        if (reserve(marks, (size_t)(number / 64) + 1))
            marks->words[number / 64] |= UINT64_C(1) << (number % 64);
    }
}

static bool is_marked(const struct replay_marks *marks, uint64_t number)
{
    return number / 64 < marks->count && (marks->words[number / 64] >> (number % 64) & 1) != 0;
}

/* ---- reading ------------------------------------------------------------------------------- */

static uint64_t total_size(char **paths, size_t count)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        struct stat status;
        /* Of a pipe nobody knows the size, nor of all together then. */
        if (stat(paths[i], &status) != 0 || !S_ISREG(status.st_mode))
            return 0;
        total += (uint64_t)status.st_size;
    }
    return total;
}

static void show_progress(struct replay *replay, uint64_t bytes)
{
    uint64_t messages = tap_path_counts(replay->path)->of[TAP_MESSAGES];
    cli_progress_show(&replay->progress, bytes, messages, clock_monotonic_us());
}

/* Gives every packet to `take`. ERROR_NOT_FOUND at the file's good end. */
static int each_packet(struct replay *replay, struct tap_file *file, uint64_t bytes_before,
                       void (*take)(struct replay *replay, const struct tap_packet *packet),
                       char *message, size_t capacity)
{
    struct tap_packet packet;
    uint64_t base = replay->file_base;
    int error;
    while ((error = tap_file_next(file, &packet, message, capacity)) == 0) {
        packet.number += base;
        replay->file_base = packet.number;
        take(replay, &packet);
        if (packet.number % PROGRESS_EVERY == 0)
            show_progress(replay, bytes_before + tap_file_position(file));
    }
    return error;
}

static void play(struct replay *replay, const struct tap_packet *packet)
{
    tap_path_packet(replay->path, packet);
}

/* What came before an error is kept; so are the other files. */
static int read_file(struct replay *replay, const char *path, uint64_t *bytes)
{
    char message[768];
    struct tap_file *file;
    int error = tap_file_open(path, message, sizeof(message), &file);
    if (error == 0) {
        error = each_packet(replay, file, *bytes, play, message, sizeof(message));
        *bytes += tap_file_position(file);
        tap_file_close(file);
    }
    if (error == ERROR_NOT_FOUND)
        return CLI_EXIT_OK;
    cli_progress_clear(&replay->progress);
    cli_complain(replay->cli, "%s", message);
    return CLI_EXIT_NO;
}

int replay_read(struct replay *replay, char **paths, size_t count)
{
    int status = CLI_EXIT_OK;
    uint64_t bytes = 0;
    replay->progress.total = total_size(paths, count);
    for (size_t i = 0; i < count; i++)
        if (read_file(replay, paths[i], &bytes) != CLI_EXIT_OK)
            status = CLI_EXIT_NO;
    tap_path_flush(replay->path);
    tap_calls_flush(replay->calls);
    cli_progress_clear(&replay->progress);
    return status;
}

/* ---- writing ------------------------------------------------------------------------------- */

bool replay_can_write(const struct replay *replay)
{
    const char *target = replay->options.write_suspicious;
    FILE *file = target != NULL ? fopen(target, "ae") : NULL;
    if (target != NULL && file == NULL)
        cli_complain(replay->cli, "--write-suspicious %s: %s", target, error_text(-errno));
    if (file != NULL)
        (void)fclose(file);
    return target == NULL || file != NULL;
}

/* One file's marked packets. */
static int copy_file(struct replay *replay, const char *path, struct tap_copy_file **copy,
                     uint64_t *written)
{
    char message[768] = "";
    struct tap_file *file;
    struct tap_packet packet;
    const char *target = replay->options.write_suspicious;
    uint64_t base = replay->file_base;
    int error = tap_file_open(path, message, sizeof(message), &file);
    if (error != 0)
        goto out;
    if (*copy == NULL)
        error = tap_copy_create(target, file, message, sizeof(message), copy);
    /* Where it is damaged has been said when it was read for the first time. */
    while (error == 0 && tap_file_next(file, &packet, message, sizeof(message)) == 0) {
        replay->file_base = base + packet.number;
        if (!is_marked(&replay->suspicious, replay->file_base))
            continue;
        if (!tap_copy_takes(*copy, file)) {
            snprintf(message, sizeof(message),
                     "%s: its link type is another one than that of the files before; a capture "
                     "has only one, so write each file's by itself",
                     path);
            error = -EINVAL;
            break;
        }
        tap_copy_write(*copy, file);
        ++*written;
    }
    tap_file_close(file);
out:
    if (error != 0)
        cli_complain(replay->cli, "%s", message);
    return error;
}

int replay_write_suspicious(struct replay *replay, char **paths, size_t count)
{
    struct tap_copy_file *copy = NULL;
    uint64_t written = 0;
    int error = replay->suspicious.failed ? -ENOMEM : 0;
    replay->file_base = 0;
    for (size_t i = 0; error == 0 && i < count; i++)
        error = copy_file(replay, paths[i], &copy, &written);
    int closed = tap_copy_close(copy);
    if (error == 0 && closed != 0) {
        error = closed;
        cli_complain(replay->cli, "%s: %s", replay->options.write_suspicious, error_text(closed));
    }
    if (error == 0 && !replay->cli->json && !replay->options.csv)
        fprintf(replay->cli->out.stream, "\n%llu packets written to %s\n",
                (unsigned long long)written, replay->options.write_suspicious);
    return error == 0 ? CLI_EXIT_OK : CLI_EXIT_NO;
}
