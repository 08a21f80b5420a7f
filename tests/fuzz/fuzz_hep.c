/* SPDX-License-Identifier: Apache-2.0 */
/* HEP packets: nothing outside is read, and what is found lies within. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tap/hep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tap_hep hep;
    struct slice bytes = slice_make((const char *)data, size);
    uint32_t length;
    if (tap_hep_parse(bytes, &hep) != 0)
        return 0;
    if (tap_hep_length(bytes, &length) != 0 || length > size || hep.payload.data < bytes.data ||
        hep.payload.data + hep.payload.length > bytes.data + length) {
        fprintf(stderr, "the payload lies outside of the packet\n");
        abort();
    }
    return 0;
}
