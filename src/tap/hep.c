/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/hep.h"

#include <string.h>

/* A chunk: vendor, type, length with this header; vendor 0 is the generic one. */
enum { CHUNK_HEADER = 6 };

enum { FAMILY_IPV4 = 2, FAMILY_IPV6 = 10 };

static const struct slice magic = SLICE_LITERAL("HEP3");

static uint16_t read16(const char *bytes)
{
    return (uint16_t)((uint8_t)bytes[0] << 8 | (uint8_t)bytes[1]);
}

static uint32_t read32(const char *bytes)
{
    return (uint32_t)read16(bytes) << 16 | read16(bytes + 2);
}

int tap_hep_length(struct slice bytes, uint32_t *length)
{
    if (!slice_equal(slice_first(bytes, magic.length),
                     slice_first(magic, bytes.length < magic.length ? bytes.length : magic.length)))
        return ERROR_MALFORMED;
    if (bytes.length < TAP_HEP_HEADER)
        return ERROR_INCOMPLETE;
    *length = read16(bytes.data + magic.length);
    return *length < TAP_HEP_HEADER ? ERROR_MALFORMED : 0;
}

/* ---- chunks -------------------------------------------------------------------------------- */

/* What is put together from several of them. */
struct parts {
    struct tap_hep *hep;
    uint32_t seconds;
    uint32_t microseconds;
};

static void set_v4(struct tp_address *address, const char *value)
{
    memcpy(address->bytes, value, 4);
    address->family = 4;
}

static void set_v6(struct tp_address *address, const char *value)
{
    memcpy(address->bytes, value, 16);
    address->family = 6;
}

static void take_protocol(struct parts *parts, struct slice value)
{
    parts->hep->protocol = (uint8_t)value.data[0];
}

static void take_source_v4(struct parts *parts, struct slice value)
{
    set_v4(&parts->hep->source, value.data);
}

static void take_destination_v4(struct parts *parts, struct slice value)
{
    set_v4(&parts->hep->destination, value.data);
}

static void take_source_v6(struct parts *parts, struct slice value)
{
    set_v6(&parts->hep->source, value.data);
}

static void take_destination_v6(struct parts *parts, struct slice value)
{
    set_v6(&parts->hep->destination, value.data);
}

static void take_source_port(struct parts *parts, struct slice value)
{
    parts->hep->source.port = read16(value.data);
}

static void take_destination_port(struct parts *parts, struct slice value)
{
    parts->hep->destination.port = read16(value.data);
}

static void take_seconds(struct parts *parts, struct slice value)
{
    parts->seconds = read32(value.data);
}

static void take_microseconds(struct parts *parts, struct slice value)
{
    parts->microseconds = read32(value.data);
}

static void take_kind(struct parts *parts, struct slice value)
{
    parts->hep->kind = (uint8_t)value.data[0];
}

static void take_payload(struct parts *parts, struct slice value)
{
    parts->hep->payload = value;
    parts->hep->packed = false;
}

static void take_packed(struct parts *parts, struct slice value)
{
    parts->hep->payload = value;
    parts->hep->packed = true;
}

/* By type; length: of the value, 0 for any. Others (capture node, correlation, ...) are skipped. */
static const struct {
    uint16_t type;
    uint16_t length;
    void (*take)(struct parts *parts, struct slice value);
} chunks[] = {
    {2, 1, take_protocol},         {3, 4, take_source_v4},
    {4, 4, take_destination_v4},   {5, 16, take_source_v6},
    {6, 16, take_destination_v6},  {7, 2, take_source_port},
    {8, 2, take_destination_port}, {9, 4, take_seconds},
    {10, 4, take_microseconds},    {11, 1, take_kind},
    {15, 0, take_payload},         {16, 0, take_packed},
};

static int take_chunk(struct parts *parts, uint16_t type, struct slice value)
{
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        if (chunks[i].type != type)
            continue;
        if (chunks[i].length != 0 && chunks[i].length != value.length)
            return ERROR_MALFORMED;
        chunks[i].take(parts, value);
    }
    return 0;
}

int tap_hep_parse(struct slice bytes, struct tap_hep *hep)
{
    uint32_t length;
    int error = tap_hep_length(bytes, &length);
    struct parts parts = {.hep = hep};
    *hep = (struct tap_hep){.kind = 0};
    if (error != 0 || length > bytes.length)
        return ERROR_MALFORMED;
    struct slice rest = slice_from(slice_first(bytes, length), TAP_HEP_HEADER);
    while (error == 0 && rest.length > 0) {
        size_t size = rest.length < CHUNK_HEADER ? 0 : read16(rest.data + 4);
        if (size < CHUNK_HEADER || size > rest.length)
            return ERROR_MALFORMED;
        struct slice value = slice_from(slice_first(rest, size), CHUNK_HEADER);
        if (read16(rest.data) == 0)
            error = take_chunk(&parts, read16(rest.data + 2), value);
        rest = slice_from(rest, size);
    }
    hep->wall_us = (uint64_t)parts.seconds * 1000000 + parts.microseconds;
    bool whole = hep->source.family != 0 && hep->source.family == hep->destination.family &&
                 hep->payload.length > 0;
    return error == 0 && whole ? 0 : ERROR_MALFORMED;
}
