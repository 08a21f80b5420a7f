/* SPDX-License-Identifier: Apache-2.0 */
/*
 * close_int: the reasons for which connections end, are refused or never come to be.
 */
#ifndef RINGFENCE_TRANSPORT_CLOSE_INT_H
#define RINGFENCE_TRANSPORT_CLOSE_INT_H

#include "message/frame.h"

/* X(identifier, key for counters, text, is it worth a warning). The faults of
 * SMSG_FRAME_FAULT_TABLE follow. */
#define TP_CLOSE_TABLE(X)                                                                        \
    X(NONE, "none", "it goes on", false)                                                         \
    X(PEER, "peer", "the peer closed it", false)                                                 \
    X(IDLE, "idle", "nothing came or went for streams.idle_timeout", false)                      \
    X(STOPPED, "stopped", "the daemon stops", false)                                             \
    X(RESET, "reset", "it broke", false)                                                         \
    X(UNREACHABLE, "unreachable", "it could not be opened", true)                                \
    X(CONNECT_TIMEOUT, "connect_timeout", "it was not established in time", true)                \
    X(STALLED, "stalled", "the peer does not read what is sent to it", true)                     \
    X(NO_PONG, "no_pong", "the peer does not answer keep-alives any more", true)                 \
    X(MEMORY, "memory", "no memory is left for what came in (streams.memory)", true)             \
    X(DESCRIPTORS, "descriptors", "no file descriptor is left", true)                            \
    X(LIMIT, "limit", "streams.connections is reached", true)                                    \
    X(SOURCE_LIMIT, "source_limit", "streams.per_source is reached", true)                       \
    X(TRUNK_LIMIT, "trunk_limit", "connections of the trunk is reached", true)                   \
    X(UNKNOWN_SOURCE, "unknown_source", "it came from no trunk", false)                          \
    X(TLS_UNCONFIGURED, "tls_unconfigured", "no certificate is configured for it", true)         \
    X(TLS_PLAIN_TEXT, "tls_plain_text", "what came is not TLS", true)                            \
    X(TLS_VERSION, "tls_version", "no common version or cipher of TLS", true)                    \
    X(TLS_NO_CERTIFICATE, "tls_no_certificate", "the peer showed no certificate", true)          \
    X(TLS_EXPIRED, "tls_expired", "the peer's certificate is not valid at this time", true)      \
    X(TLS_UNTRUSTED, "tls_untrusted", "the peer's certificate is of nobody whom we trust", true) \
    X(TLS_NAME, "tls_name", "the peer's certificate is for another name", true)                  \
    X(TLS_REFUSED, "tls_refused", "the peer refused ours", true)                                 \
    X(TLS_RENEGOTIATION, "tls_renegotiation", "the peer wanted to renegotiate", true)            \
    X(TLS_BROKEN, "tls_broken", "what came within TLS is broken", true)

enum tp_close {
#define TP_CLOSE_ROW(identifier, key, text, warn) TP_CLOSE_##identifier,
    TP_CLOSE_TABLE(TP_CLOSE_ROW)
#undef TP_CLOSE_ROW
        TP_CLOSE_FRAME, /* and a fault of frames behind it */
    TP_CLOSE_COUNT = TP_CLOSE_FRAME + SMSG_FRAME_FAULT_COUNT
};

struct tp_close_row {
    const char *key;
    const char *text;
    bool warn;
};
struct tp_close_row tp_close_row(enum tp_close reason);

#endif
