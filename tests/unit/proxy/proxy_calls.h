/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_calls: a site with two sides, and what its caller and callee say.
 */
#ifndef RINGFENCE_TESTS_PROXY_CALLS_H
#define RINGFENCE_TESTS_PROXY_CALLS_H

#include "unit/proxy/proxy_bench.h"

static const char site[] =
    "listen:\n"
    "  - {address: '127.0.91.1:5060', network: out}\n"
    "  - {address: '127.0.91.2:5060', network: in, advertise: 'proxy.example.net'}\n"
    "trunks:\n"
    "  - {name: a, sources: [192.0.2.0/24], network: out, targets: ['192.0.2.1:5060'],\n"
    "     area_code: '10'}\n"
    "  - {name: b, sources: [198.51.100.0/24], network: in, targets: ['198.51.100.1:5060'],\n"
    "     area_code: '10', trusted: true}\n"
    "  - {name: desk, sources: [203.0.113.9], network: in, targets: ['203.0.113.9:5070']}\n"
    "routes:\n"
    "  - {from: a, to: b}\n"
    "  - {from: b, to: a}\n"
    "  - {prefix: '999', to: desk}\n"
    "limits: {timer_c: 180s}\n";

#define A "192.0.2.1:5060"
#define B "198.51.100.1:5060"

/* Their Contacts. */
#define CALLER_URI "sip:13800138000@192.0.2.1"
#define CALLEE_URI "sip:callee@198.51.100.1"

static char request_text[8192];

/* An INVITE of the caller's side; more: further header lines. */
static inline const char *invite(const char *branch, const char *call, const char *display,
                                 const char *more)
{
    snprintf(request_text, sizeof(request_text),
             "INVITE sip:01062345678@127.0.91.1 SIP/2.0\r\n"
             "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%s\r\n"
             "Max-Forwards: 70\r\nFrom: \"%s\" <sip:13800138000@192.0.2.1>;tag=from\r\n"
             "To: <sip:01062345678@127.0.91.1>\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\n"
             "Contact: <sip:13800138000@192.0.2.1>\r\n%sContent-Length: 0\r\n\r\n",
             branch, display, call, more);
    return request_text;
}

/* The answer of the called side to a request that we sent. */
static inline const char *answer(const char *request, const char *start, const char *tag)
{
    static char text[8192];
    struct smsg message;
    ck_assert_int_eq(smsg_scan(&message, slice_of_text(request)), 0);
    size_t length = (size_t)snprintf(text, sizeof(text), "SIP/2.0 %s\r\n", start);
    for (uint16_t i = 0; i < message.header_count; i++) {
        const struct smsg_header *h = &message.headers[i];
        if (h->id != SMSG_HEADER_VIA && h->id != SMSG_HEADER_FROM && h->id != SMSG_HEADER_TO &&
            h->id != SMSG_HEADER_CALL_ID && h->id != SMSG_HEADER_CSEQ &&
            h->id != SMSG_HEADER_RECORD_ROUTE)
            continue;
        const char *suffix = h->id == SMSG_HEADER_TO && message.to.tag.length == 0 ? tag : "";
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%.*s%s\r\n",
                                   (int)(h->value_end - h->start), request + h->start, suffix);
    }
    snprintf(text + length, sizeof(text) - length,
             "Contact: <sip:callee@198.51.100.1>\r\nContent-Length: 0\r\n\r\n");
    return text;
}

/* "Route: ..." lines for the caller's side, from the Record-Route lines of a response. */
static inline const char *routes_of(const char *response, bool reverse)
{
    static char text[2048];
    struct smsg message;
    size_t length = 0;
    ck_assert_int_eq(smsg_scan(&message, slice_of_text(response)), 0);
    const struct smsg_header *lines[8];
    size_t count = 0;
    const struct smsg_header *h = smsg_first(&message, SMSG_HEADER_RECORD_ROUTE);
    for (; h != NULL; h = smsg_next(&message, h))
        lines[count++] = h;
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        struct slice value = smsg_value(&message, lines[reverse ? count - 1 - i : i]);
        length += (size_t)snprintf(text + length, sizeof(text) - length, "Route: %.*s\r\n",
                                   SLICE_ARGS(value));
    }
    return text;
}

static inline const char *in_dialog(const char *method, const char *uri, const char *from_tag,
                                    const char *to_tag, const char *via, const char *routes,
                                    int cseq)
{
    snprintf(request_text, sizeof(request_text),
             "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKd%s%d\r\n"
             "Max-Forwards: 70\r\n%sFrom: <sip:x@y>;tag=%s\r\nTo: <sip:y@z>;tag=%s\r\n"
             "Call-ID: c1\r\nCSeq: %d %s\r\nContent-Length: 0\r\n\r\n",
             method, uri, via, method, cseq, routes, from_tag, to_tag, cseq, method);
    return request_text;
}

/* A request of either side within the call, to the Contact of the other. */
static inline const char *of_caller(const char *method, const char *routes, int cseq)
{
    return in_dialog(method, CALLEE_URI, "from", "to", "192.0.2.1", routes, cseq);
}

static inline const char *of_callee(const char *method, const char *routes, int cseq)
{
    return in_dialog(method, CALLER_URI, "to", "from", "198.51.100.1", routes, cseq);
}

static char forwarded[4096];
static char answered[4096];

/* INVITE, 100, 180, 200; leaves the forwarded INVITE and the 200 as it reached the caller. */
static inline void establish(struct bench *b)
{
    bench_receive(b, A, 0, invite("1", "c1", "Alice", ""));
    bench_expect(b, 0, A, "SIP/2.0 100 ");
    snprintf(forwarded, sizeof(forwarded), "%s",
             bench_expect(b, 1, B, "INVITE sip:01062345678@198.51.100.1:5060 SIP/2.0"));
    bench_receive(b, B, 1, answer(forwarded, "180 Ringing", ";tag=to"));
    bench_expect(b, 0, A, "SIP/2.0 180 ");
    bench_receive(b, B, 1, answer(forwarded, "200 OK", ";tag=to"));
    snprintf(answered, sizeof(answered), "%s", bench_expect(b, 0, A, "SIP/2.0 200 OK"));
}

#endif
