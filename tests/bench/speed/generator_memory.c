/* SPDX-License-Identifier: Apache-2.0 */
#include "generator.h"

#include <stdio.h>
#include <stdlib.h>

void *generator_zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        perror("generator: memory");
        exit(1);
    }
    return memory;
}
