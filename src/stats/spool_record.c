/* SPDX-License-Identifier: Apache-2.0 */
#include "spool_record_int.h"

#include <string.h>

#include "base/siphash.h"

/* Bytes that no line of JSON has. */
static const unsigned char magic[4] = {0xf5, 'R', 'F', 0x01};

enum { AT_LENGTH = 4, AT_SEQ = 8, AT_CHECKSUM = 16 };

static uint64_t load(const unsigned char *bytes, unsigned count)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < count; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static void store(unsigned char *bytes, unsigned count, uint64_t value)
{
    for (unsigned i = 0; i < count; i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t checksum(uint64_t seq, struct slice line)
{
    static const struct hash_key fixed = {{0x52696e6766656e63, 0x652073706f6f6c31}};
    struct siphash hash = siphash_begin(&fixed);
    siphash_word(&hash, SIPHASH_TABLE, seq);
    siphash_part(&hash, SIPHASH_TABLE, line);
    return siphash_end(&hash, SIPHASH_TABLE);
}

void stats_spool_record_append(struct buffer *out, uint64_t seq, struct slice line)
{
    unsigned char header[SPOOL_RECORD_HEADER];
    memcpy(header, magic, sizeof(magic));
    store(header + AT_LENGTH, 4, line.length);
    store(header + AT_SEQ, 8, seq);
    store(header + AT_CHECKSUM, 8, checksum(seq, line));
    buffer_append_bytes(out, header, sizeof(header));
    buffer_append(out, line);
}

int stats_spool_record_parse(struct slice bytes, struct stats_spool_record *record, size_t *size)
{
    const unsigned char *header = (const unsigned char *)bytes.data;
    size_t seen = bytes.length < sizeof(magic) ? bytes.length : sizeof(magic);
    if (seen > 0 && memcmp(header, magic, seen) != 0)
        return ERROR_MALFORMED;
    if (bytes.length < SPOOL_RECORD_HEADER)
        return ERROR_INCOMPLETE;
    size_t length = (size_t)load(header + AT_LENGTH, 4);
    if (length == 0 || length > STATS_EVENT_LINE_MAXIMUM)
        return ERROR_MALFORMED;
    if (bytes.length - SPOOL_RECORD_HEADER < length)
        return ERROR_INCOMPLETE;
    uint64_t seq = load(header + AT_SEQ, 8);
    struct slice line = slice_make(bytes.data + SPOOL_RECORD_HEADER, length);
    if (load(header + AT_CHECKSUM, 8) != checksum(seq, line))
        return ERROR_MALFORMED;
    *record = (struct stats_spool_record){seq, line};
    *size = SPOOL_RECORD_HEADER + length;
    return 0;
}

size_t stats_spool_record_search(struct slice bytes)
{
    for (size_t at = 1; at < bytes.length; at++) {
        size_t rest = bytes.length - at;
        if (memcmp(bytes.data + at, magic, rest < sizeof(magic) ? rest : sizeof(magic)) == 0)
            return at;
    }
    return bytes.length;
}
