/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "resolver_int.h"

enum {
    HEADER_BYTES = 12,
    POINTERS_LIMIT = 32, /* of compression in one name: more is a loop */
    RECORDS_LIMIT = 512, /* read of one answer; a server that sends more is cut off */
    CLASS_IN = 1,
    RCODE_NAME_ERROR = 3,
    NEGATIVE_TTL_S = 60 /* where no SOA says how long (RFC 2308 section 5 leaves it to us) */
};

/* Reads past the end give zeros and set `failed`, so a reader checks once. */
struct reader {
    const uint8_t *bytes;
    size_t length;
    size_t at;
    bool failed;
};

static bool have(struct reader *reader, size_t count)
{
    if (!reader->failed && count <= reader->length - reader->at)
        return true;
    reader->failed = true;
    return false;
}

static uint16_t read_u16(struct reader *reader)
{
    if (!have(reader, 2))
        return 0;
    const uint8_t *at = reader->bytes + reader->at;
    reader->at += 2;
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t read_u32(struct reader *reader)
{
    uint32_t high = read_u16(reader);
    return high << 16 | read_u16(reader);
}

static void append_label(struct buffer *name, const uint8_t *label, size_t length)
{
    if (name->length > 0)
        buffer_append_char(name, '.');
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = label[i];
        /* What cannot stand in a host name must not look like two labels or end the text. */
        if (byte <= ' ' || byte >= 0x7f || byte == '.')
            name->overflow = true;
        buffer_append_char(name, (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte));
    }
}

/* RFC 1035 section 4.1.4. The name in lower case and without final dot, "" for the root. */
static void read_name(struct reader *reader, char text[TP_DNS_NAME_BYTES])
{
    struct buffer name = buffer_over(text, TP_DNS_NAME_BYTES - 1);
    struct reader walk = *reader;
    unsigned pointers = 0;
    for (;;) {
        if (!have(&walk, 1))
            break;
        uint8_t length = walk.bytes[walk.at++];
        if (length >= 0xc0) {
            if (!have(&walk, 1) || ++pointers > POINTERS_LIMIT) {
                walk.failed = true;
                break;
            }
            size_t to = (size_t)(length & 0x3f) << 8 | walk.bytes[walk.at++];
            if (pointers == 1)
                reader->at = walk.at;
            walk.at = to < walk.length ? to : walk.length;
            continue;
        }
        if (length == 0)
            break;
        if (length > 63 || !have(&walk, length)) {
            walk.failed = true;
            break;
        }
        append_label(&name, walk.bytes + walk.at, length);
        walk.at += length;
    }
    if (pointers == 0)
        reader->at = walk.at;
    reader->failed = reader->failed || walk.failed || name.overflow;
    text[name.overflow ? 0 : name.length] = '\0';
}

struct record_head {
    char owner[TP_DNS_NAME_BYTES];
    uint16_t type;
    uint16_t class;
    uint32_t ttl_s;
    size_t data; /* offset */
    uint16_t length;
};

/* Leaves the reader behind the record. */
static void read_head(struct reader *reader, struct record_head *head)
{
    read_name(reader, head->owner);
    head->type = read_u16(reader);
    head->class = read_u16(reader);
    uint32_t ttl = read_u32(reader);
    head->ttl_s = ttl > INT32_MAX ? 0 : ttl; /* RFC 2181 section 8 */
    head->length = read_u16(reader);
    head->data = reader->at;
    if (have(reader, head->length))
        reader->at += head->length;
}

/* ---- the data of records ------------------------------------------------------------------- */

static bool read_address(const struct reader *data, const struct record_head *head,
                         struct dns_record *record)
{
    size_t bytes = head->type == DNS_A ? 4 : 16;
    if (head->length != bytes)
        return false;
    record->address = (struct tp_address){.family = head->type == DNS_A ? 4 : 6};
    memcpy(record->address.bytes, data->bytes + head->data, bytes);
    return true;
}

static bool read_srv(struct reader *data, struct dns_record *record)
{
    record->order = read_u16(data);
    record->preference = read_u16(data);
    record->port = read_u16(data);
    read_name(data, record->name);
    return !data->failed;
}

static struct slice read_text(struct reader *data)
{
    if (!have(data, 1))
        return SLICE("");
    size_t length = data->bytes[data->at++];
    if (!have(data, length))
        return SLICE("");
    struct slice text = slice_make((const char *)data->bytes + data->at, length);
    data->at += length;
    return text;
}

/* RFC 3263 section 4.1: flag "s" and one of the services; others are not for us. */
static bool read_naptr(struct reader *data, struct dns_record *record)
{
    record->order = read_u16(data);
    record->preference = read_u16(data);
    struct slice flags = read_text(data);
    struct slice service = read_text(data);
    struct slice expression = read_text(data);
    read_name(data, record->name);
    record->protocol = -1;
    if (data->failed)
        return false;
    if (slice_equal_nocase(flags, SLICE("s")) && expression.length == 0 && record->name[0] != '\0')
        for (int i = 0; i < TP_PROTOCOL_COUNT; i++)
            if (slice_equal_nocase(service, slice_of_text(tp_protocol_rows[i].service)))
                record->protocol = (int8_t)i;
    return true;
}

static bool read_data(const struct reader *reader, const struct record_head *head,
                      struct dns_record *record)
{
    /* Compressed names may point anywhere before, but the record's own bytes end with it. */
    struct reader data = {reader->bytes, head->data + head->length, head->data, false};
    memset(record, 0, sizeof(*record));
    record->protocol = -1;
    switch (head->type) {
    case DNS_SRV:
        return read_srv(&data, record);
    case DNS_NAPTR:
        return read_naptr(&data, record);
    default:
        return read_address(reader, head, record);
    }
}

/* ---- answers ------------------------------------------------------------------------------- */

static void take_ttl(struct dns_answer *answer, uint32_t ttl_s)
{
    if (ttl_s < answer->ttl_s)
        answer->ttl_s = ttl_s;
}

/* One pass for the end of the chain of aliases that starts at `owner`: true when it went on. */
static bool follow_alias(struct reader reader, unsigned count, char owner[TP_DNS_NAME_BYTES],
                         struct dns_answer *answer)
{
    for (unsigned i = 0; i < count && !reader.failed; i++) {
        struct record_head head;
        read_head(&reader, &head);
        if (reader.failed || head.type != DNS_CNAME || head.class != CLASS_IN ||
            strcmp(head.owner, owner) != 0)
            continue;
        struct reader data = {reader.bytes, head.data + head.length, head.data, false};
        read_name(&data, owner);
        if (data.failed || owner[0] == '\0')
            return false;
        take_ttl(answer, head.ttl_s);
        return true;
    }
    return false;
}

static int take_records(struct reader *reader, unsigned count, const char *owner,
                        enum dns_type type, struct dns_answer *answer)
{
    for (unsigned i = 0; i < count; i++) {
        struct record_head head;
        read_head(reader, &head);
        if (reader->failed)
            return ERROR_MALFORMED;
        if (head.type != (uint16_t)type || head.class != CLASS_IN ||
            strcmp(head.owner, owner) != 0 || answer->count == DNS_RECORD_LIMIT)
            continue;
        if (!read_data(reader, &head, &answer->records[answer->count]))
            return ERROR_MALFORMED;
        answer->count++;
        take_ttl(answer, head.ttl_s);
    }
    return 0;
}

/* RFC 2308 section 5: as long as the lesser of the SOA's own TTL and its last field says. */
static uint32_t negative_ttl(struct reader *reader, unsigned count)
{
    for (unsigned i = 0; i < count && !reader->failed; i++) {
        struct record_head head;
        read_head(reader, &head);
        if (reader->failed || head.type != DNS_SOA || head.length < 22)
            continue;
        struct reader minimum = {reader->bytes, head.data + head.length,
                                 head.data + head.length - 4, false};
        uint32_t field = read_u32(&minimum);
        return field < head.ttl_s ? field : head.ttl_s;
    }
    return NEGATIVE_TTL_S;
}

int tp_dns_answer_parse(const uint8_t *bytes, size_t length, const char *name, enum dns_type type,
                        struct dns_answer *answer)
{
    struct reader reader = {bytes, length, 2, length < HEADER_BYTES};
    char owner[TP_DNS_NAME_BYTES];
    answer->count = 0;
    answer->absent = false;
    answer->alias[0] = '\0';
    answer->ttl_s = UINT32_MAX;
    unsigned flags = read_u16(&reader);
    unsigned questions = read_u16(&reader);
    unsigned answers = read_u16(&reader);
    unsigned authorities = read_u16(&reader);
    unsigned rcode = flags & 0xf;
    if (reader.failed || (flags & 0x8000) == 0)
        return ERROR_MALFORMED;
    if (rcode != 0 && rcode != RCODE_NAME_ERROR)
        return ERROR_UNAVAILABLE;
    reader.at = HEADER_BYTES;
    for (unsigned i = 0; i < questions && !reader.failed; i++) {
        read_name(&reader, owner);
        reader.at += 4;
        reader.failed = reader.failed || reader.at > reader.length;
    }
    if (reader.failed || answers > RECORDS_LIMIT)
        return ERROR_MALFORMED;

    snprintf(owner, sizeof(owner), "%s", name);
    unsigned aliases = 0;
    while (aliases <= DNS_ALIAS_LIMIT && follow_alias(reader, answers, owner, answer))
        aliases++;
    if (aliases > DNS_ALIAS_LIMIT)
        return ERROR_MALFORMED; /* a loop */
    int error = take_records(&reader, answers, owner, type, answer);
    if (error != 0 || answer->count > 0)
        return error;
    if (aliases > 0 && rcode == 0) {
        snprintf(answer->alias, sizeof(answer->alias), "%s", owner);
        return 0;
    }
    answer->absent = true;
    answer->ttl_s = negative_ttl(&reader, authorities);
    return 0;
}

const char *tp_dns_type_text(enum dns_type type)
{
    switch (type) {
    case DNS_A:
        return "A";
    case DNS_AAAA:
        return "AAAA";
    case DNS_SRV:
        return "SRV";
    case DNS_NAPTR:
        return "NAPTR";
    case DNS_CNAME:
        return "CNAME";
    case DNS_SOA:
        return "SOA";
    }
    return "?";
}
