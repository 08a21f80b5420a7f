/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/sink_file.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { WRITE_PARTS = 64, CUT_SEARCH = 32 << 10 };

struct outlet {
    struct stats_sink_file_settings settings;
    int descriptor; /* -1: none is open */
    uint64_t size;
    uint64_t period;
    uint64_t synced_us; /* monotonic */
    time_t aside_s;     /* when a file was put aside last, and how many in that second */
    unsigned aside_count;
    bool dirty;
};

static int fail(struct buffer *problem, const char *path, int error)
{
    buffer_format(problem, "%.100s: %s", path, error_text(error));
    return error;
}

/* ---- the file ------------------------------------------------------------------------------ */

static void close_file(struct outlet *outlet)
{
    if (outlet->descriptor < 0)
        return;
    if (outlet->dirty && outlet->settings.fsync_us != STATS_SINK_NEVER)
        (void)fdatasync(outlet->descriptor); /* its lines were delivered by then */
    close(outlet->descriptor);
    outlet->descriptor = -1;
    outlet->dirty = false;
}

static uint64_t period_of(const struct outlet *outlet, uint64_t wall_us)
{
    return outlet->settings.rotate_us > 0 ? wall_us / outlet->settings.rotate_us : 0;
}

/* A line that a crash has torn was not acknowledged and comes again; its beginning is cut off. */
static int cut_torn_line(struct outlet *outlet)
{
    char text[CUT_SEARCH];
    off_t begin = outlet->size > CUT_SEARCH ? (off_t)(outlet->size - CUT_SEARCH) : 0;
    ssize_t got = pread(outlet->descriptor, text, sizeof(text), begin);
    if (got < 0)
        return -errno;
    const char *last = memrchr(text, '\n', (size_t)got);
    uint64_t end = last != NULL ? (uint64_t)begin + (uint64_t)(last - text) + 1 : (uint64_t)begin;
    if (end == outlet->size)
        return 0;
    outlet->size = end;
    return ftruncate(outlet->descriptor, (off_t)end) == 0 ? 0 : -errno;
}

static int open_file(struct outlet *outlet, struct buffer *problem)
{
    struct stat status;
    const char *path = outlet->settings.path;
    outlet->descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (outlet->descriptor < 0)
        return fail(problem, path, -errno);
    int error = fstat(outlet->descriptor, &status) == 0 ? 0 : -errno;
    if (error == 0 && S_ISREG(status.st_mode)) {
        outlet->size = (uint64_t)status.st_size;
        error = cut_torn_line(outlet);
        uint64_t changed_us = outlet->size > 0 ? (uint64_t)status.st_mtim.tv_sec * 1000000
                                               : outlet->settings.wall_us();
        outlet->period = period_of(outlet, changed_us);
    }
    if (error == 0)
        return 0;
    close_file(outlet);
    return fail(problem, path, error);
}

/* Whether the path still names the file that is open. */
static bool is_in_place(const struct outlet *outlet)
{
    struct stat open_one, named;
    return fstat(outlet->descriptor, &open_one) == 0 && stat(outlet->settings.path, &named) == 0 &&
           open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

/* ---- rotation ------------------------------------------------------------------------------ */

/* Names end in a time and so sort by it. */
static void remove_old(const struct outlet *outlet)
{
    char pattern[PATH_MAX];
    glob_t found = {0};
    snprintf(pattern, sizeof(pattern), "%s.[0-9]*Z*", outlet->settings.path);
    if (outlet->settings.keep > 0 && glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i + outlet->settings.keep < found.gl_pathc; i++)
            if (unlink(found.gl_pathv[i]) != 0 && errno != ENOENT)
                log_warning("events", "cannot remove %s: %s", found.gl_pathv[i],
                            error_text(-errno));
    globfree(&found);
}

/* path.20261128T221530Z, and .20261128T221530Z-001 for the second within one second. A name that
 * was given is not given again in its second, though its file be gone: names sort by age. */
static void aside_path(struct outlet *outlet, char *path, size_t capacity)
{
    time_t seconds = (time_t)(outlet->settings.wall_us() / 1000000);
    struct tm parts;
    char stamp[32];
    gmtime_r(&seconds, &parts);
    strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &parts);
    if (outlet->aside_s != seconds)
        outlet->aside_count = 0;
    outlet->aside_s = seconds;
    do {
        if (outlet->aside_count == 0)
            snprintf(path, capacity, "%s.%s", outlet->settings.path, stamp);
        else
            snprintf(path, capacity, "%s.%s-%03u", outlet->settings.path, stamp,
                     outlet->aside_count);
        outlet->aside_count++;
    } while (access(path, F_OK) == 0);
}

static int rotate(struct outlet *outlet, struct buffer *problem)
{
    char aside[PATH_MAX];
    aside_path(outlet, aside, sizeof(aside));
    if (rename(outlet->settings.path, aside) != 0)
        return fail(problem, aside, -errno);
    close_file(outlet);
    remove_old(outlet);
    return open_file(outlet, problem);
}

static bool is_due(const struct outlet *outlet, uint64_t bytes)
{
    const struct stats_sink_file_settings *settings = &outlet->settings;
    if (outlet->size == 0)
        return false;
    return (settings->rotate_bytes > 0 && outlet->size + bytes > settings->rotate_bytes) ||
           period_of(outlet, settings->wall_us()) != outlet->period;
}

/* ---- writing ------------------------------------------------------------------------------- */

/* All of the lines or none: a part that was written is cut off again. */
static int write_lines(struct outlet *outlet, const struct stats_spool_record *records,
                       size_t count)
{
    struct iovec parts[WRITE_PARTS];
    size_t wanted = 0;
    for (size_t i = 0; i < count; i++) {
        parts[i] = (struct iovec){(void *)records[i].line.data, records[i].line.length};
        wanted += records[i].line.length;
    }
    ssize_t put = writev(outlet->descriptor, parts, (int)count);
    if (put == (ssize_t)wanted) {
        outlet->size += wanted;
        outlet->dirty = true;
        return 0;
    }
    int error = put < 0 ? -errno : -ENOSPC;
    if (put > 0 && ftruncate(outlet->descriptor, (off_t)outlet->size) != 0)
        close_file(outlet); /* opening it again cuts the torn line off */
    return error;
}

static int sync_batch(struct outlet *outlet)
{
    if (outlet->settings.fsync_us != 0 || !outlet->dirty)
        return 0;
    outlet->dirty = false;
    return fdatasync(outlet->descriptor) == 0 ? 0 : -errno;
}

static int prepare(struct outlet *outlet, uint64_t bytes, struct buffer *problem)
{
    if (outlet->descriptor >= 0 && !is_in_place(outlet))
        close_file(outlet);
    int error = outlet->descriptor < 0 ? open_file(outlet, problem) : 0;
    if (error == 0 && is_due(outlet, bytes))
        error = rotate(outlet, problem);
    return error;
}

/* How many lines go out at once: no more than a file may hold, but one in any case. */
static size_t fitting(const struct outlet *outlet, const struct stats_spool_record *records,
                      size_t count, uint64_t *bytes)
{
    uint64_t most = outlet->settings.rotate_bytes > 0 ? outlet->settings.rotate_bytes : UINT64_MAX;
    size_t taken = 0;
    while (taken < count && taken < WRITE_PARTS &&
           (taken == 0 || *bytes + records[taken].line.length <= most))
        *bytes += records[taken++].line.length;
    return taken;
}

static int deliver(void *argument, const struct stats_spool_record *records, size_t count,
                   size_t *accepted, struct buffer *problem)
{
    struct outlet *outlet = argument;
    uint64_t bytes = 0;
    count = fitting(outlet, records, count, &bytes);
    int error = prepare(outlet, bytes, problem);
    if (error != 0)
        return error;
    error = write_lines(outlet, records, count);
    if (error == 0)
        error = sync_batch(outlet);
    if (error != 0)
        return fail(problem, outlet->settings.path, error);
    if (!is_in_place(outlet)) {
        buffer_format(problem, "%.100s was moved or removed", outlet->settings.path);
        return -ENOENT;
    }
    *accepted = count;
    return 0;
}

/* ---- between ------------------------------------------------------------------------------- */

static void idle(void *argument, uint64_t now_us)
{
    struct outlet *outlet = argument;
    uint64_t wait_us = outlet->settings.fsync_us;
    if (outlet->descriptor < 0 || !outlet->dirty || wait_us == STATS_SINK_NEVER ||
        now_us - outlet->synced_us < wait_us)
        return;
    outlet->synced_us = now_us;
    if (fdatasync(outlet->descriptor) != 0)
        log_warning("events", "cannot bring %s to disk: %s", outlet->settings.path,
                    error_text(-errno));
    outlet->dirty = false;
}

static void reopen(void *argument)
{
    close_file(argument);
}

static void destroy(void *argument)
{
    close_file(argument);
    free(argument);
}

const struct stats_sink_actions stats_sink_file_actions = {
    .deliver = deliver, .idle = idle, .reopen = reopen, .destroy = destroy};

int stats_sink_file_create(const struct stats_sink_file_settings *settings, void **outlet)
{
    struct outlet *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->settings = *settings;
    made->descriptor = -1;
    *outlet = made;
    return 0;
}
