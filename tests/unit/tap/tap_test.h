/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap_test: packets, built from the inside out.
 */
#ifndef RINGFENCE_TAP_TEST_H
#define RINGFENCE_TAP_TEST_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tap/path.h"
#include "unit/often.h"

#define SECOND UINT64_C(1000000)
#define NOON   (UINT64_C(1795000000) * SECOND)

enum { FRAME_BYTES = 70000 };

/* Headers are put in front of what is there. */
struct frame {
    size_t begin;
    char bytes[FRAME_BYTES];
};

static inline struct slice frame_slice(const struct frame *frame)
{
    return slice_make(frame->bytes + frame->begin, FRAME_BYTES - frame->begin);
}

static inline void frame_put(struct frame *frame, const void *bytes, size_t length)
{
    assert_often(length <= frame->begin);
    frame->begin -= length;
    if (length > 0)
        memcpy(frame->bytes + frame->begin, bytes, length);
}

static inline void frame_begin(struct frame *frame, struct slice payload)
{
    frame->begin = FRAME_BYTES;
    frame_put(frame, payload.data, payload.length);
}

static inline void frame_put16(struct frame *frame, unsigned value)
{
    const uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    frame_put(frame, bytes, 2);
}

static inline void frame_put32(struct frame *frame, uint32_t value)
{
    frame_put16(frame, value & 0xffff);
    frame_put16(frame, value >> 16);
}

static inline void frame_udp(struct frame *frame, unsigned source, unsigned destination)
{
    unsigned length = (unsigned)frame_slice(frame).length + 8;
    frame_put16(frame, 0);
    frame_put16(frame, length);
    frame_put16(frame, destination);
    frame_put16(frame, source);
}

static inline void frame_tcp(struct frame *frame, unsigned source, unsigned destination,
                             uint32_t sequence, unsigned flags)
{
    frame_put32(frame, 0);
    frame_put16(frame, 0xffff);
    frame_put16(frame, 0x5000 | flags);
    frame_put32(frame, 0);
    frame_put32(frame, sequence);
    frame_put16(frame, destination);
    frame_put16(frame, source);
}

struct ip {
    uint8_t last_source; /* 10.0.0.x, 2001:db8::x */
    uint8_t last_destination;
    uint8_t protocol;
    uint16_t identification;
    uint16_t offset; /* bytes */
    bool more;
};

static inline void frame_ipv4(struct frame *frame, struct ip ip)
{
    unsigned length = (unsigned)frame_slice(frame).length + 20;
    frame_put32(frame, 0x0a000000U | ip.last_destination);
    frame_put32(frame, 0x0a000000U | ip.last_source);
    frame_put16(frame, 0);
    frame_put16(frame, 0x4000U | ip.protocol);
    frame_put16(frame, (ip.more ? 0x2000U : 0) | ip.offset / 8U);
    frame_put16(frame, ip.identification);
    frame_put16(frame, length);
    frame_put16(frame, 0x4500);
}

static inline void frame_ipv6_address(struct frame *frame, uint8_t last)
{
    frame_put32(frame, last);
    frame_put32(frame, 0);
    frame_put32(frame, 0);
    frame_put32(frame, 0x20010db8U);
}

static inline void frame_ipv6(struct frame *frame, struct ip ip)
{
    unsigned length = (unsigned)frame_slice(frame).length;
    frame_ipv6_address(frame, ip.last_destination);
    frame_ipv6_address(frame, ip.last_source);
    frame_put16(frame, ip.protocol * 256U + 64);
    frame_put16(frame, length);
    frame_put32(frame, 0x60000000U);
}

/* The extension header; behind it the caller puts frame_ipv6() with protocol 44. */
static inline void frame_ipv6_fragment(struct frame *frame, struct ip ip)
{
    frame_put32(frame, ip.identification);
    frame_put16(frame, ip.offset | (ip.more ? 1U : 0));
    frame_put16(frame, ip.protocol * 256U);
}

/* Of Ethernet, a VLAN tag, ...: the type behind `before` zero bytes. */
static inline void frame_type(struct frame *frame, unsigned type, size_t before)
{
    static const char zeros[16];
    frame_put16(frame, type);
    frame_put(frame, zeros, before);
}

static inline void frame_ethernet(struct frame *frame, unsigned type)
{
    frame_type(frame, type, 12);
}

enum { UDP = 17, TCP = 6 };

/* What a path has handed out: texts of start lines, one a line. */
struct heard {
    struct tap_path *path;
    uint64_t number;
    size_t count;
    size_t other_leg;
    struct tap_message last;
    uint64_t last_packets[64];
    char lines[8192];
    size_t length;
    size_t message_length;
};

static inline void hear(void *context, const struct tap_message *message)
{
    struct heard *heard = context;
    struct slice line = slice_first(message->sip->bytes, slice_find(message->sip->bytes, '\r'));
    heard->count++;
    heard->other_leg += message->other_leg ? 1 : 0;
    heard->last = *message;
    heard->message_length = message->sip->bytes.length;
    ck_assert_uint_le(message->packet_count, 64);
    memcpy(heard->last_packets, message->packets, message->packet_count * sizeof(uint64_t));
    heard->length +=
        (size_t)snprintf(heard->lines + heard->length, sizeof(heard->lines) - heard->length,
                         "%.*s\n", SLICE_ARGS(slice_first(line, 60)));
}

static inline struct heard *heard_begin(const struct tap_path_limits *limits)
{
    struct tap_path_limits standard;
    struct heard *heard = calloc(1, sizeof(*heard));
    ck_assert_ptr_nonnull(heard);
    tap_path_limits_default(&standard);
    ck_assert_int_eq(
        tap_path_create(limits != NULL ? limits : &standard, hear, heard, &heard->path), 0);
    return heard;
}

static inline void heard_end(struct heard *heard)
{
    tap_path_destroy(heard->path);
    free(heard);
}

static inline uint64_t heard_of(const struct heard *heard, enum tap_count count)
{
    return tap_path_counts(heard->path)->of[count];
}

/* In memory of its size, so that a sanitizer sees any byte read beyond it. */
static inline void feed_at(struct heard *heard, enum tap_link link, struct slice bytes,
                           uint64_t wall_us)
{
    char *exact = malloc(bytes.length > 0 ? bytes.length : 1);
    assert_often(exact != NULL);
    if (bytes.length > 0)
        memcpy(exact, bytes.data, bytes.length);
    const struct tap_packet packet = {
        .bytes = slice_make(exact, bytes.length),
        .link = link,
        .wall_us = wall_us,
        .number = ++heard->number,
    };
    tap_path_packet(heard->path, &packet);
    free(exact);
}

static inline void feed(struct heard *heard, enum tap_link link, const struct frame *frame)
{
    feed_at(heard, link, frame_slice(frame), NOON);
}

#define VIA(branch) "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK" branch "\r\n"

#define INVITE_VIA(via)                                                                           \
    "INVITE sip:bob@10.0.0.2 SIP/2.0\r\n" via "Max-Forwards: 70\r\nFrom: <sip:alice@a>;tag=a\r\n" \
    "To: <sip:bob@b>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n"                                        \
    "Content-Length: 0\r\n\r\n"
#define INVITE INVITE_VIA(VIA("1"))

static inline int test_run(const char *name, void (*add)(TCase *))
{
    Suite *suite = suite_create(name);
    TCase *tests = tcase_create(name);
    add(tests);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
