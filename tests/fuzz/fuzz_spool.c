/* SPDX-License-Identifier: Apache-2.0 */
/* A segment of the spool, as a disk may give it back: reading ends, every record lies within, and
 * what is read is what writing it again gives. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/stats/spool_record_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(struct slice rest, const struct stats_spool_record *record, size_t size)
{
    static char memory[SPOOL_RECORD_MAXIMUM];
    struct buffer out = buffer_over(memory, sizeof(memory));
    stats_spool_record_append(&out, record->seq, record->line);
    if (size > rest.length || out.overflow || out.length != size ||
        memcmp(out.data, rest.data, size) != 0) {
        fprintf(stderr, "a record is not what was written\n");
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_make((const char *)data, size);
    for (size_t at = 0; at < bytes.length;) {
        struct stats_spool_record record;
        size_t used = 0;
        struct slice rest = slice_from(bytes, at);
        if (stats_spool_record_parse(rest, &record, &used) == 0)
            check_record(rest, &record, used);
        else
            used = stats_spool_record_search(rest);
        if (used == 0)
            abort();
        at += used;
    }
    return 0;
}
