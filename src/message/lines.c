/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_int.h"

/* Whole blocks only can be read: the last one is taken so that it ends with the bytes. */
static __attribute__((noinline)) uint64_t last_stops(const struct line_reader *reader)
{
    size_t left = (size_t)(reader->end - reader->block);
    char padded[MARKS_LINES] = {0};

    if (left == 0)
        return 0;
    if (reader->end - reader->first >= MARKS_LINES)
        return marks_stops(reader->end - MARKS_LINES) >> (MARKS_LINES - left);
    memcpy(padded + MARKS_LINES - left, reader->block, left);
    return marks_stops(padded) >> (MARKS_LINES - left);
}

static inline void mark_block(struct line_reader *reader)
{
    reader->stops = reader->end - reader->block >= MARKS_LINES ? marks_stops(reader->block)
                                                               : last_stops(reader);
}

void smsg_line_begin(struct line_reader *reader, const char *at, const char *end)
{
    *reader = (struct line_reader){.first = at, .end = end, .block = at};
    mark_block(reader);
}

bool smsg_line_next_block(struct line_reader *reader)
{
    if (reader->end - reader->block <= MARKS_LINES)
        return false;
    reader->block += MARKS_LINES;
    mark_block(reader);
    return true;
}

/* Whether the line ends at the stop. */
static bool ends_line(const struct line_reader *reader, const char *stop, enum line_end *how)
{
    if (*stop == '\r' && (reader->end - stop < 2 || stop[1] != '\n'))
        *how = LINE_BARE_CR;
    return *stop == '\n';
}

enum line_end smsg_line_physical(struct line_reader *reader, const char **past)
{
    enum line_end how = LINE_COMPLETE;
    const char *stop;

    while ((stop = line_next_stop(reader)) != NULL) {
        if (ends_line(reader, stop, &how)) {
            *past = stop + 1;
            return how;
        }
    }
    *past = reader->end;
    return LINE_UNTERMINATED;
}

enum line_end smsg_line_rest(struct line_reader *reader, const char *stop, const char **past)
{
    enum line_end how = LINE_COMPLETE;

    for (; stop != NULL; stop = line_next_stop(reader)) {
        if (ends_line(reader, stop, &how) &&
            (reader->end - stop < 2 || (stop[1] != ' ' && stop[1] != '\t'))) {
            *past = stop + 1;
            return how;
        }
    }
    *past = reader->end;
    return LINE_UNTERMINATED;
}
