/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/walk.h"

#include <string.h>

/* More than any network has on purpose: VLANs, MPLS, a tunnel, IP, UDP. */
enum { DEPTH_MAX = 16 };

/* ETHER_LENGTH_MAX: smaller values are a length (IEEE 802.3), not a type. */
enum { ETHER_LENGTH_MAX = 1500, ETHER_TYPE_BYTES = 2, ETHER_ADDRESS_BYTES = 12 };

enum { GTP_PORT = 2152, VXLAN_PORT = 4789, VXLAN_PORT_LINUX = 8472 };

/* What `rest` begins with; the last four end the walk. */
enum layer {
    LAYER_ETHERNET,
    LAYER_COOKED,
    LAYER_COOKED_V2,
    LAYER_FAMILY,     /* a protocol family in the byte order of the machine that captured */
    LAYER_FAMILY_BIG, /* ... in network order */
    LAYER_IP,         /* its version tells */
    LAYER_IPV4,
    LAYER_IPV6,
    LAYER_VLAN,
    LAYER_MPLS,
    LAYER_PPPOE,
    LAYER_GRE,
    LAYER_UDP,
    LAYER_TCP,
    LAYER_STEP_UDP,
    LAYER_STEP_TCP,
    LAYER_STEP_FRAGMENT,
    LAYER_STEP_NOTHING,
    LAYER_COUNT
};

static const struct {
    int number;
    enum layer layer;
    const char *name;
} links[TAP_LINK_COUNT] = {
#define LAYER_OF_NULL                      LAYER_FAMILY
#define LAYER_OF_ETHERNET                  LAYER_ETHERNET
#define LAYER_OF_RAW                       LAYER_IP
#define LAYER_OF_RAW_BSD                   LAYER_IP
#define LAYER_OF_RAW_FILE                  LAYER_IP
#define LAYER_OF_LOOP                      LAYER_FAMILY_BIG
#define LAYER_OF_COOKED                    LAYER_COOKED
#define LAYER_OF_IPV4                      LAYER_IPV4
#define LAYER_OF_IPV6                      LAYER_IPV6
#define LAYER_OF_COOKED_V2                 LAYER_COOKED_V2
#define LINK_ROW(identifier, number, name) {number, LAYER_OF_##identifier, name},
    TAP_LINK_TABLE(LINK_ROW)
#undef LINK_ROW
};

bool tap_link_of(int number, enum tap_link *link)
{
    for (unsigned i = 0; i < TAP_LINK_COUNT; i++)
        if (links[i].number == number) {
            *link = (enum tap_link)i;
            return true;
        }
    return false;
}

int tap_link_number(enum tap_link link)
{
    return links[link].number;
}

const char *tap_link_name(enum tap_link link)
{
    return links[link].name;
}

/* ---- reading ------------------------------------------------------------------------------- */

static uint8_t byte_at(struct slice bytes, size_t at)
{
    return (uint8_t)bytes.data[at];
}

static uint16_t read16(struct slice bytes, size_t at)
{
    return (uint16_t)(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

static uint32_t read32(struct slice bytes, size_t at)
{
    return (uint32_t)read16(bytes, at) << 16 | read16(bytes, at + 2);
}

static enum layer end(struct tap_walk *walk, enum tap_count why)
{
    walk->why = why;
    return LAYER_STEP_NOTHING;
}

static enum layer malformed(struct tap_walk *walk)
{
    return end(walk, TAP_MALFORMED);
}

/* Takes a header off; the caller has seen that it is there. */
static void skip(struct tap_walk *walk, size_t bytes)
{
    walk->rest = slice_from(walk->rest, bytes);
}

/* ---- link layers --------------------------------------------------------------------------- */

/* X(type, layer): Ethernet types, also of VLAN tags, GRE and cooked captures. */
#define ETHER_TYPE_TABLE(X)                \
    X(0x0800, LAYER_IPV4)                  \
    X(0x86dd, LAYER_IPV6)                  \
    X(0x8100, LAYER_VLAN)                  \
    X(0x88a8, LAYER_VLAN) /* 802.1ad */    \
    X(0x9100, LAYER_VLAN) /* older QinQ */ \
    X(0x8847, LAYER_MPLS)                  \
    X(0x8848, LAYER_MPLS)                  \
    X(0x8864, LAYER_PPPOE)                 \
    X(0x6558, LAYER_ETHERNET) /* in GRE */

static enum layer layer_of_type(struct tap_walk *walk, uint16_t type)
{
    static const struct {
        uint16_t type;
        enum layer layer;
    } types[] = {
#define ETHER_TYPE_ROW(type, layer) {type, layer},
        ETHER_TYPE_TABLE(ETHER_TYPE_ROW)
#undef ETHER_TYPE_ROW
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (types[i].type == type)
            return types[i].layer;
    return end(walk, TAP_NOT_IP);
}

/* Behind `before` bytes stands an Ethernet type, and behind `header` bytes what it says. */
static enum layer typed(struct tap_walk *walk, size_t before, size_t header)
{
    if (walk->rest.length < header)
        return malformed(walk);
    uint16_t type = read16(walk->rest, before);
    if (type <= ETHER_LENGTH_MAX)
        return end(walk, TAP_NOT_IP);
    skip(walk, header);
    return layer_of_type(walk, type);
}

static enum layer take_ethernet(struct tap_walk *walk)
{
    return typed(walk, ETHER_ADDRESS_BYTES, ETHER_ADDRESS_BYTES + ETHER_TYPE_BYTES);
}

static enum layer take_cooked(struct tap_walk *walk)
{
    return typed(walk, 14, 16);
}

static enum layer take_cooked_v2(struct tap_walk *walk)
{
    return typed(walk, 0, 20);
}

static enum layer take_vlan(struct tap_walk *walk)
{
    return typed(walk, 2, 4);
}

/* AF_INET is 2 everywhere; AF_INET6 is 24, 28 or 30 on the BSDs, 10 on Linux. */
static enum layer family(struct tap_walk *walk, uint32_t number)
{
    static const uint32_t version6[] = {10, 24, 28, 30};
    skip(walk, 4);
    if (number == 2)
        return LAYER_IPV4;
    for (size_t i = 0; i < sizeof(version6) / sizeof(version6[0]); i++)
        if (number == version6[i])
            return LAYER_IPV6;
    return end(walk, TAP_NOT_IP);
}

static enum layer take_family_big(struct tap_walk *walk)
{
    if (walk->rest.length < 4)
        return malformed(walk);
    return family(walk, read32(walk->rest, 0));
}

/* Families are small: the byte order is the one that makes the number small. */
static enum layer take_family(struct tap_walk *walk)
{
    if (walk->rest.length < 4)
        return malformed(walk);
    uint32_t number = read32(walk->rest, 0);
    return family(walk, number < 0x10000 ? number : __builtin_bswap32(number));
}

static enum layer take_mpls(struct tap_walk *walk)
{
    if (walk->rest.length < 5)
        return malformed(walk);
    bool bottom = (byte_at(walk->rest, 2) & 1) != 0;
    skip(walk, 4);
    if (!bottom)
        return LAYER_MPLS;
    /* RFC 4928: 4 and 6 are IP; 0 is the control word of a pseudowire, which carries Ethernet. */
    if (byte_at(walk->rest, 0) >> 4 != 0)
        return LAYER_IP;
    if (walk->rest.length < 4)
        return malformed(walk);
    skip(walk, 4);
    return LAYER_ETHERNET;
}

static enum layer take_pppoe(struct tap_walk *walk)
{
    enum { HEADER = 8, PPP_IPV4 = 0x0021, PPP_IPV6 = 0x0057 };
    if (walk->rest.length < HEADER)
        return malformed(walk);
    uint16_t protocol = read16(walk->rest, HEADER - 2);
    skip(walk, HEADER);
    return protocol == PPP_IPV4   ? LAYER_IPV4
           : protocol == PPP_IPV6 ? LAYER_IPV6
                                  : end(walk, TAP_NOT_IP);
}

/* ---- IP ------------------------------------------------------------------------------------ */

enum {
    PROTOCOL_ICMP = 1,
    PROTOCOL_IPV4 = 4,
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    PROTOCOL_IPV6 = 41,
    PROTOCOL_GRE = 47,
    PROTOCOL_ICMPV6 = 58,
};

static enum layer layer_of_protocol(struct tap_walk *walk, uint8_t protocol)
{
    switch (protocol) {
    case PROTOCOL_UDP:
        return LAYER_UDP;
    case PROTOCOL_TCP:
        return LAYER_TCP;
    case PROTOCOL_IPV4:
        return LAYER_IPV4;
    case PROTOCOL_IPV6:
        return LAYER_IPV6;
    case PROTOCOL_GRE:
        return LAYER_GRE;
    case PROTOCOL_ICMP:
    case PROTOCOL_ICMPV6:
        return end(walk, TAP_ICMP);
    default:
        return end(walk, TAP_OTHER_PROTOCOL);
    }
}

/* What the header says there is: frames are padded, and the snap length cuts. */
static void bound(struct tap_walk *walk, size_t length)
{
    walk->missing = length > walk->rest.length ? (uint32_t)(length - walk->rest.length) : 0;
    walk->rest = slice_first(walk->rest, length);
}

static void set_address(struct tp_address *address, uint8_t family, const char *bytes)
{
    *address = (struct tp_address){.family = family};
    memcpy(address->bytes, bytes, family == 4 ? 4 : 16);
}

static enum layer take_ip(struct tap_walk *walk)
{
    unsigned version = walk->rest.length > 0 ? byte_at(walk->rest, 0) >> 4 : 0;
    return version == 4 ? LAYER_IPV4 : version == 6 ? LAYER_IPV6 : end(walk, TAP_NOT_IP);
}

static enum layer take_ipv4(struct tap_walk *walk)
{
    enum { HEADER = 20, MORE = 0x2000, OFFSET = 0x1fff };
    if (walk->rest.length < HEADER || byte_at(walk->rest, 0) >> 4 != 4)
        return malformed(walk);
    size_t header = (size_t)(byte_at(walk->rest, 0) & 0xf) * 4;
    size_t total = read16(walk->rest, 2);
    /* Segmentation offload: the card writes the length, the capture was taken before. */
    if (total == 0)
        total = walk->rest.length;
    if (header < HEADER || total < header || walk->rest.length < header)
        return malformed(walk);
    uint16_t word = read16(walk->rest, 6);
    uint8_t protocol = byte_at(walk->rest, 9);
    set_address(&walk->source, 4, walk->rest.data + 12);
    set_address(&walk->destination, 4, walk->rest.data + 16);
    walk->fragment = (struct tap_fragment){
        .identification = read16(walk->rest, 4),
        .offset = (uint32_t)(word & OFFSET) * 8,
        .protocol = protocol,
        .more = (word & MORE) != 0,
    };
    skip(walk, header);
    bound(walk, total - header);
    return (word & (MORE | OFFSET)) != 0 ? LAYER_STEP_FRAGMENT : layer_of_protocol(walk, protocol);
}

/* X(number, unit, fixed): IPv6 extension headers that are skipped; length = value * unit + fixed.
 */
#define EXTENSION_TABLE(X)                           \
    X(0, 8, 8)   /* hop by hop */                    \
    X(43, 8, 8)  /* routing */                       \
    X(51, 4, 8)  /* authentication (RFC 4302 2.2) */ \
    X(60, 8, 8)  /* destination options */           \
    X(135, 8, 8) /* mobility */

static size_t extension_length(uint8_t protocol, uint8_t value)
{
    static const struct {
        uint8_t number, unit, fixed;
    } rows[] = {
#define EXTENSION_ROW(number, unit, fixed) {number, unit, fixed},
        EXTENSION_TABLE(EXTENSION_ROW)
#undef EXTENSION_ROW
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].number == protocol)
            return (size_t)value * rows[i].unit + rows[i].fixed;
    return 0;
}

static enum layer take_fragment_header(struct tap_walk *walk)
{
    enum { HEADER = 8 };
    if (walk->rest.length < HEADER)
        return malformed(walk);
    uint16_t word = read16(walk->rest, 2);
    walk->fragment = (struct tap_fragment){
        .identification = read32(walk->rest, 4),
        .offset = word & 0xfff8U,
        .protocol = byte_at(walk->rest, 0),
        .more = (word & 1) != 0,
    };
    skip(walk, HEADER);
    /* RFC 6946: one that is all of the datagram is no fragment. */
    bool atomic = walk->fragment.offset == 0 && !walk->fragment.more;
    return atomic ? layer_of_protocol(walk, walk->fragment.protocol) : LAYER_STEP_FRAGMENT;
}

static enum layer take_ipv6(struct tap_walk *walk)
{
    enum { HEADER = 40, PROTOCOL_FRAGMENT = 44, EXTENSIONS_MAX = 8 };
    if (walk->rest.length < HEADER || byte_at(walk->rest, 0) >> 4 != 6)
        return malformed(walk);
    size_t payload = read16(walk->rest, 4);
    uint8_t protocol = byte_at(walk->rest, 6);
    set_address(&walk->source, 6, walk->rest.data + 8);
    set_address(&walk->destination, 6, walk->rest.data + 24);
    skip(walk, HEADER);
    bound(walk, payload > 0 ? payload : walk->rest.length);
    for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
        if (protocol == PROTOCOL_FRAGMENT)
            return take_fragment_header(walk);
        size_t length =
            walk->rest.length < 2 ? 0 : extension_length(protocol, byte_at(walk->rest, 1));
        if (length == 0)
            return layer_of_protocol(walk, protocol);
        if (length > walk->rest.length)
            return malformed(walk);
        protocol = byte_at(walk->rest, 0);
        skip(walk, length);
    }
    return malformed(walk);
}

/* ---- tunnels ------------------------------------------------------------------------------- */

static enum layer take_gre(struct tap_walk *walk)
{
    enum { CHECKSUM = 0x8000, ROUTING = 0x4000, KEY = 0x2000, SEQUENCE = 0x1000, VERSION = 7 };
    enum { ERSPAN = 0x88be, ERSPAN_HEADER = 8 };
    if (walk->rest.length < 4)
        return malformed(walk);
    uint16_t flags = read16(walk->rest, 0);
    uint16_t type = read16(walk->rest, 2);
    if ((flags & (VERSION | ROUTING)) != 0)
        return end(walk, TAP_OTHER_PROTOCOL);
    size_t header = 4U + ((flags & CHECKSUM) != 0 ? 4 : 0) + ((flags & KEY) != 0 ? 4 : 0) +
                    ((flags & SEQUENCE) != 0 ? 4 : 0);
    /* ERSPAN type I has no header of its own, and no sequence number in GRE's. */
    if (type == ERSPAN && (flags & SEQUENCE) != 0)
        header += ERSPAN_HEADER;
    if (walk->rest.length < header)
        return malformed(walk);
    skip(walk, header);
    return type == ERSPAN ? LAYER_ETHERNET : layer_of_type(walk, type);
}

/* 3GPP TS 29.281 section 5. False: the datagram is something else on that port. */
static bool take_gtp(struct tap_walk *walk)
{
    enum { HEADER = 8, USER_DATA = 255, OPTIONAL = 4, ANY_OPTIONAL = 7, EXTENSION = 4 };
    struct slice rest = walk->rest;
    if (rest.length < HEADER || byte_at(rest, 0) >> 4 != 3 || byte_at(rest, 1) != USER_DATA)
        return false;
    unsigned flags = byte_at(rest, 0);
    size_t header = HEADER;
    if ((flags & ANY_OPTIONAL) != 0) {
        header += OPTIONAL;
        while ((flags & EXTENSION) != 0 && header <= rest.length &&
               byte_at(rest, header - 1) != 0) {
            size_t units = header < rest.length ? byte_at(rest, header) : 0;
            if (units == 0)
                return false;
            header += units * 4;
        }
    }
    if (header >= rest.length)
        return false;
    walk->rest = slice_from(rest, header);
    return true;
}

/* RFC 7348 section 5. */
static bool take_vxlan(struct tap_walk *walk)
{
    enum { HEADER = 8, VALID = 0x08, OTHERS_OF_FLAGS = 0xf7 };
    if (walk->rest.length < HEADER || (byte_at(walk->rest, 0) & VALID) == 0 ||
        (byte_at(walk->rest, 0) & OTHERS_OF_FLAGS) != 0)
        return false;
    skip(walk, HEADER);
    return true;
}

static enum layer take_udp(struct tap_walk *walk)
{
    enum { HEADER = 8 };
    if (walk->rest.length < HEADER)
        return malformed(walk);
    size_t length = read16(walk->rest, 4);
    size_t available = walk->rest.length + walk->missing;
    walk->source.port = read16(walk->rest, 0);
    walk->destination.port = read16(walk->rest, 2);
    if (length == 0)
        length = available;
    if (length < HEADER || length > available)
        return malformed(walk);
    skip(walk, HEADER);
    bound(walk, length - HEADER);
    uint16_t port = walk->destination.port;
    if (port == GTP_PORT && take_gtp(walk))
        return LAYER_IP;
    if ((port == VXLAN_PORT || port == VXLAN_PORT_LINUX) && take_vxlan(walk))
        return LAYER_ETHERNET;
    return LAYER_STEP_UDP;
}

static enum layer take_tcp(struct tap_walk *walk)
{
    enum { HEADER = 20 };
    if (walk->rest.length < HEADER)
        return malformed(walk);
    size_t header = (size_t)(byte_at(walk->rest, 12) >> 4) * 4;
    if (header < HEADER || header > walk->rest.length)
        return malformed(walk);
    walk->source.port = read16(walk->rest, 0);
    walk->destination.port = read16(walk->rest, 2);
    walk->segment.sequence = read32(walk->rest, 4);
    walk->segment.flags = byte_at(walk->rest, 13) & (TAP_TCP_FIN | TAP_TCP_SYN | TAP_TCP_RST);
    skip(walk, header);
    return LAYER_STEP_TCP;
}

/* ---- the walk ------------------------------------------------------------------------------ */

static enum layer (*const takers[])(struct tap_walk *walk) = {
    [LAYER_ETHERNET] = take_ethernet,
    [LAYER_COOKED] = take_cooked,
    [LAYER_COOKED_V2] = take_cooked_v2,
    [LAYER_FAMILY] = take_family,
    [LAYER_FAMILY_BIG] = take_family_big,
    [LAYER_IP] = take_ip,
    [LAYER_IPV4] = take_ipv4,
    [LAYER_IPV6] = take_ipv6,
    [LAYER_VLAN] = take_vlan,
    [LAYER_MPLS] = take_mpls,
    [LAYER_PPPOE] = take_pppoe,
    [LAYER_GRE] = take_gre,
    [LAYER_UDP] = take_udp,
    [LAYER_TCP] = take_tcp,
};

void tap_walk_begin(struct tap_walk *walk, enum tap_link link, struct slice frame)
{
    walk->rest = frame;
    walk->missing = 0;
    walk->layer = (uint8_t)links[link].layer;
    walk->depth = 0;
    walk->why = TAP_NOT_IP;
}

enum tap_step tap_walk_next(struct tap_walk *walk)
{
    enum layer layer = (enum layer)walk->layer;
    while (layer < LAYER_STEP_UDP)
        layer = walk->depth++ < DEPTH_MAX ? takers[layer](walk) : end(walk, TAP_TOO_DEEP);
    walk->layer = LAYER_STEP_NOTHING;
    return layer == LAYER_STEP_UDP        ? TAP_STEP_UDP
           : layer == LAYER_STEP_TCP      ? TAP_STEP_TCP
           : layer == LAYER_STEP_FRAGMENT ? TAP_STEP_FRAGMENT
                                          : TAP_STEP_NOTHING;
}

void tap_walk_resume(struct tap_walk *walk, struct slice joined)
{
    walk->rest = joined;
    walk->missing = 0;
    walk->layer = (uint8_t)layer_of_protocol(walk, walk->fragment.protocol);
}
