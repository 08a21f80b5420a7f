/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: one line per fact, for operators.
 *
 * Thread-safe: each line is composed on the stack and leaves by one write(2). On a terminal and in
 * files: time, level, area, text; under systemd (journal stream): "<N>area: text". Text that stems
 * from a peer is passed through encode_log() by the caller (log_slice()).
 */
#ifndef RINGFENCE_BASE_LOG_H
#define RINGFENCE_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

/* "error", "warning", "notice", "info", "debug"; -EINVAL for others. */
int log_level_parse(struct slice text, enum log_level *level) MUST_CHECK;

void log_set_level(enum log_level level);
/* NULL: stderr. Opened for appending; log_reopen() after rotation. -errno on failure. */
int log_set_file(const char *path) MUST_CHECK;
int log_reopen(void) MUST_CHECK;
bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *area, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(area, ...)   log_write(LOG_LEVEL_ERROR, area, __VA_ARGS__)
#define log_warning(area, ...) log_write(LOG_LEVEL_WARNING, area, __VA_ARGS__)
#define log_notice(area, ...)  log_write(LOG_LEVEL_NOTICE, area, __VA_ARGS__)
#define log_info(area, ...)    log_write(LOG_LEVEL_INFO, area, __VA_ARGS__)
#define log_debug(area, ...)                               \
    do {                                                   \
        if (log_enabled(LOG_LEVEL_DEBUG))                  \
            log_write(LOG_LEVEL_DEBUG, area, __VA_ARGS__); \
    } while (0)

/* Lets through `burst` lines per second per place and reports how many it held back. */
struct log_limit {
    uint64_t window_s;
    uint32_t count;
    uint32_t held_back;
};

/* True when the line may be written; *held_back is what was suppressed since the last one. Owned by
 * one thread. */
bool log_limit_pass(struct log_limit *limit, uint32_t burst, uint64_t now_us, uint32_t *held_back);

/* encode_log() into a caller's array, for use as a %s argument; always terminated, cut with "..."*/
const char *log_slice(char *memory, size_t capacity, struct slice text);

#endif
