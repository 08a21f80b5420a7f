/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/target.h"

#include <math.h>

#include "transport/resolver.h"

const struct tp_protocol_row tp_protocol_rows[TP_PROTOCOL_COUNT] = {
#define PROTOCOL_ROW(identifier, word, via, service, prefix, port, stream) \
    {word, via, service, prefix, port, stream},
    TP_PROTOCOL_TABLE(PROTOCOL_ROW)
#undef PROTOCOL_ROW
};

int tp_protocol_of(struct slice word)
{
    for (int i = 0; i < TP_PROTOCOL_COUNT; i++)
        if (slice_equal_nocase(word, slice_of_text(tp_protocol_rows[i].word)))
            return i;
    return -1;
}

/* ---- texts --------------------------------------------------------------------------------- */

static bool is_host_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.';
}

/* RFC 1035 section 2.3.4: labels of at most 63 bytes, 253 in all. A final dot is allowed. */
static bool is_host_name(struct slice host)
{
    size_t label = 0;
    if (host.length == 0 || host.length > 253)
        return false;
    for (size_t i = 0; i < host.length; i++) {
        if (!is_host_byte(host.data[i]))
            return false;
        if (host.data[i] != '.') {
            label++;
        } else if (label == 0) {
            return false;
        } else {
            label = 0;
        }
        if (label > 63)
            return false;
    }
    return true;
}

static int parse_parameters(struct slice text, struct tp_name *name)
{
    struct slice value = slice_from(text, sizeof(";transport=") - 1);
    if (text.length == 0)
        return 0;
    if (!slice_starts_with_nocase(text, SLICE(";transport=")))
        return ERROR_MALFORMED;
    name->protocol = (int8_t)tp_protocol_of(value);
    return name->protocol >= 0 ? 0 : ERROR_MALFORMED;
}

static int parse_host(struct slice text, struct tp_name *name)
{
    struct tp_address address;
    uint64_t port = 0;
    size_t end;
    bool bracketed = text.length > 0 && text.data[0] == '[';
    if (!bracketed && tp_address_from_host(text, 0, &address) == 0) {
        name->host = text; /* IPv6 without brackets has colons that are no port */
        return 0;
    }
    end = slice_find(text, bracketed ? ']' : ':');
    name->host = bracketed ? slice_first(slice_from(text, 1), end - 1) : slice_first(text, end);
    struct slice rest = slice_from(text, end + (bracketed ? 1 : 0));
    if (bracketed && (end == text.length || tp_address_from_host(name->host, 0, &address) != 0 ||
                      address.family != 6))
        return ERROR_MALFORMED;
    if (rest.length > 0 &&
        (rest.data[0] != ':' || slice_to_uint64(slice_from(rest, 1), UINT16_MAX, &port) != 0 ||
         port == 0))
        return ERROR_MALFORMED;
    name->port = (uint16_t)port;
    return bracketed || is_host_name(name->host) ? 0 : ERROR_MALFORMED;
}

/* Four numbers with dots that are no address are a slip, not a name. */
static bool looks_numeric(struct slice host)
{
    for (size_t i = 0; i < host.length; i++)
        if (host.data[i] != '.' && (host.data[i] < '0' || host.data[i] > '9'))
            return false;
    return true;
}

int tp_name_parse(struct slice text, struct tp_name *name)
{
    struct tp_address address;
    *name = (struct tp_name){.protocol = -1};
    if (slice_starts_with_nocase(text, SLICE("sips:"))) {
        name->secure = true;
        text = slice_from(text, sizeof("sips:") - 1);
    } else if (slice_starts_with_nocase(text, SLICE("sip:"))) {
        text = slice_from(text, sizeof("sip:") - 1);
    }
    size_t end = slice_find(text, ';');
    int error = parse_parameters(slice_from(text, end), name);
    if (error == 0)
        error = parse_host(slice_first(text, end), name);
    if (error == 0 && looks_numeric(name->host) &&
        tp_address_from_host(name->host, 0, &address) != 0)
        error = ERROR_MALFORMED;
    if (error == 0 && name->secure && name->protocol == TP_PROTOCOL_UDP)
        error = ERROR_MALFORMED; /* RFC 3261 section 26.2.2: sips never goes by UDP */
    return error;
}

/* ---- the draw ------------------------------------------------------------------------------ */

uint64_t tp_target_identity(const struct tp_address *address, uint8_t protocol)
{
    uint64_t halves[2];
    memcpy(halves, address->bytes, sizeof(halves));
    uint64_t rest =
        (uint64_t)address->port << 16 | (uint64_t)address->family << 8 | (uint64_t)protocol;
    return hash_mix(hash_mix(halves[0], halves[1]), rest);
}

/*
 * Exponential draws: of variables with rates w1, w2, ... the i-th is the smallest with probability
 * wi / sum, and so on among the rest, which is the order of RFC 2782. A weight of 0 counts as a
 * small part of the least weight that can be written.
 */
double tp_draw(uint64_t call, uint64_t identity, uint32_t weight)
{
    uint64_t bits = hash_mix(call, identity) >> 11;
    double uniform = ((double)bits + 1.0) / 9007199254740992.0; /* (0, 1] by 2^53 */
    return -log(uniform) / (weight > 0 ? (double)weight : 1.0 / 256);
}

bool tp_targets_know(const struct tp_targets *targets, const struct tp_address *address,
                     uint64_t now_us)
{
    for (size_t i = 0; i < targets->count; i++)
        if (tp_address_same_host(&targets->targets[i].address, address))
            return true;
    for (size_t i = 0; i < targets->former_count; i++)
        if (targets->former[i].until_us > now_us &&
            tp_address_same_host(&targets->former[i].address, address))
            return true;
    return false;
}
