/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"

enum { LOG_LINE_MAXIMUM = 4096 };

static const struct {
    const char *name;
    char priority; /* of syslog, as sd-daemon(3) has it in front of a line */
} level_rows[] = {
    [LOG_LEVEL_ERROR] = {"error", '3'},   [LOG_LEVEL_WARNING] = {"warning", '4'},
    [LOG_LEVEL_NOTICE] = {"notice", '5'}, [LOG_LEVEL_INFO] = {"info", '6'},
    [LOG_LEVEL_DEBUG] = {"debug", '7'},
};

/*
 * Lines may be written by any thread at any time, so a descriptor that was ever the sink is never
 * closed: another file takes over its number by dup2().
 */
static struct {
    atomic_int level;
    atomic_int fd;
    pthread_once_t once;
    bool stderr_is_journal; /* set once */

    pthread_mutex_t lock; /* for what follows */
    char *path;           /* NULL: stderr */
    int file_fd;          /* -1: no file was ever opened */
} log_state = {
    .level = LOG_LEVEL_INFO,
    .fd = STDERR_FILENO,
    .once = PTHREAD_ONCE_INIT,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .file_fd = -1,
};

int log_level_parse(struct slice text, enum log_level *level)
{
    for (size_t i = 0; i < sizeof(level_rows) / sizeof(level_rows[0]); i++) {
        if (slice_equal(text, slice_of_text(level_rows[i].name))) {
            *level = (enum log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_state.level, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_state.level, memory_order_relaxed);
}

/* systemd names the journal's stream as "device:inode"; stderr may have been redirected since. */
static void find_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    unsigned long long device;
    unsigned long long inode;
    if (stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
        fstat(STDERR_FILENO, &status) == 0)
        log_state.stderr_is_journal = status.st_dev == device && status.st_ino == inode;
}

/* Under the lock. */
static int open_sink(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    if (fd < 0)
        return -errno;
    if (log_state.file_fd < 0) {
        log_state.file_fd = fd;
    } else {
        int error = dup3(fd, log_state.file_fd, O_CLOEXEC) < 0 ? -errno : 0;
        close(fd);
        if (error != 0)
            return error;
    }
    atomic_store_explicit(&log_state.fd, log_state.file_fd, memory_order_release);
    return 0;
}

int log_set_file(const char *path)
{
    int error = 0;
    char *copy = NULL;
    if (path != NULL && (copy = strdup(path)) == NULL)
        return -ENOMEM;

    pthread_mutex_lock(&log_state.lock);
    if (path != NULL)
        error = open_sink(path);
    else
        atomic_store_explicit(&log_state.fd, STDERR_FILENO, memory_order_release);
    if (error == 0) {
        char *old = log_state.path;
        log_state.path = copy;
        copy = old;
    }
    pthread_mutex_unlock(&log_state.lock);
    free(copy);
    return error;
}

int log_reopen(void)
{
    pthread_mutex_lock(&log_state.lock);
    int error = log_state.path != NULL ? open_sink(log_state.path) : 0;
    pthread_mutex_unlock(&log_state.lock);
    return error;
}

static void append_prefix(struct buffer *line, enum log_level level, const char *area, bool journal)
{
    if (journal) {
        buffer_append_char(line, '<');
        buffer_append_char(line, level_rows[level].priority);
        buffer_append_char(line, '>');
    } else {
        clock_append_rfc3339(line, clock_wall_us());
        buffer_append_char(line, ' ');
        buffer_append_text(line, level_rows[level].name);
        buffer_append_char(line, ' ');
    }
    buffer_append_text(line, area);
    buffer_append_literal(line, ": ");
}

/* Whatever an argument brought along: one call of log_write() stays one line. */
static void blank_controls(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = ' ';
}

static void write_line(int fd, struct slice line)
{
    ssize_t put;
    do
        put = write(fd, line.data, line.length);
    while (put < 0 && errno == EINTR);
    /* A full disk or a gone reader must not stop calls, and there is nowhere left to tell. */
}

void log_write(enum log_level level, const char *area, const char *format, ...)
{
    if (!log_enabled(level))
        return;
    int saved_errno = errno;
    char memory[LOG_LINE_MAXIMUM];
    static const char cut[] = "...";

    pthread_once(&log_state.once, find_journal);
    int fd = atomic_load_explicit(&log_state.fd, memory_order_acquire);

    /* Room is kept back for the mark of a cut and the line end. */
    struct buffer line = buffer_over(memory, sizeof(memory) - sizeof(cut));
    append_prefix(&line, level, area, fd == STDERR_FILENO && log_state.stderr_is_journal);

    size_t room = line.capacity - line.length;
    va_list arguments;
    va_start(arguments, format);
    errno = saved_errno; /* for %m */
    int wanted = vsnprintf(memory + line.length, room, format, arguments);
    va_end(arguments);
    bool is_cut = wanted > 0 && (size_t)wanted >= room;
    size_t length = is_cut ? room - 1 : wanted > 0 ? (size_t)wanted : 0;

    blank_controls(memory + line.length, length);
    line.length += length;
    line.capacity = sizeof(memory);
    if (is_cut)
        buffer_append_text(&line, cut);
    buffer_append_char(&line, '\n');
    write_line(fd, buffer_slice(&line));
    errno = saved_errno;
}

bool log_limit_pass(struct log_limit *limit, uint32_t burst, uint64_t now_us, uint32_t *held_back)
{
    uint64_t window_s = now_us / 1000000;
    if (window_s != limit->window_s) {
        limit->window_s = window_s;
        limit->count = 0;
    }
    if (limit->count >= burst) {
        if (limit->held_back < UINT32_MAX)
            limit->held_back++;
        return false;
    }
    limit->count++;
    *held_back = limit->held_back;
    limit->held_back = 0;
    return true;
}

const char *log_slice(char *memory, size_t capacity, struct slice text)
{
    static const char cut[] = "...";
    if (capacity < sizeof(cut))
        return "";

    struct buffer buffer = buffer_over(memory, capacity - 1);
    encode_log(&buffer, text);
    if (buffer.overflow) {
        buffer = buffer_over(memory, capacity - sizeof(cut));
        encode_log_prefix(&buffer, text);
        buffer.capacity = capacity - 1;
        buffer_append_text(&buffer, cut);
    }
    memory[buffer.length] = '\0';
    return memory;
}
