/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader of the stats socket may send: a request that is refused says why and changes
 * nothing; one that is taken is within its bounds. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/control/stats_request_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ctl_stats_request request, before;
    char memory[512];
    struct buffer problem = buffer_over(memory, sizeof(memory));
    memset(&request, 0, sizeof(request));
    request.interval_us = 1000000;
    before = request;
    int error = ctl_stats_request_parse(slice_make((const char *)data, size), &request, &problem);
    bool sound = request.interval_us >= 100000 && request.filter.score <= 100;
    for (unsigned i = 0; i < STATS_FILTER_COUNT; i++)
        sound = sound && request.filter.lists[i].count <= STATS_FILTER_NAMES;
    if (error == 0 ? !sound : memcmp(&request, &before, sizeof(request)) != 0) {
        fprintf(stderr, "a request left something wrong behind\n");
        abort();
    }
    return 0;
}
