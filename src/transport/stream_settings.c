/* SPDX-License-Identifier: Apache-2.0 */
#include "config/document.h"
#include "transport/settings.h"

/* ---- streams -------------------------------------------------------------------------------- */

static const struct conf_row stream_rows[] = {
    {.key = "connections",
     .type = CONF_INTEGER,
     CONF_FIELD(struct tp_stream_settings, connections),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "50000",
     .min = 1,
     .max = 1000000,
     .help =
         "Connections of the process, accepted and opened; each takes a file descriptor. Beyond "
         "it new ones are closed at once."},
    {.key = "per_source",
     .type = CONF_INTEGER,
     CONF_FIELD(struct tp_stream_settings, per_source),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "1000",
     .min = 1,
     .max = 1000000,
     .help = "Connections that one address may open."},
    {.key = "memory",
     .type = CONF_SIZE,
     CONF_FIELD(struct tp_stream_settings, memory),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "256M",
     .min = CONF_MIB(1),
     .max = CONF_GIB(64),
     .help = "Memory for parts of messages that are coming in or waiting to go out, per worker."},
    {.key = "send_queue",
     .type = CONF_SIZE,
     CONF_FIELD(struct tp_stream_settings, send_queue),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "1M",
     .min = CONF_KIB(64),
     .max = CONF_GIB(1),
     .help = "What may wait for one connection; a request beyond it fails like one that cannot be "
             "sent."},
    {.key = "connect_timeout",
     .type = CONF_DURATION,
     CONF_FIELD(struct tp_stream_settings, connect_us),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "3s",
     .min = CONF_MS(50),
     .max = CONF_MINUTES(1),
     .help = "How long a connection may take to be established, the TLS handshake included."},
    {.key = "message_timeout",
     .type = CONF_DURATION,
     CONF_FIELD(struct tp_stream_settings, message_us),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "10s",
     .min = CONF_MS(100),
     .max = CONF_MINUTES(10),
     .help = "How long a message may take from its first byte to its last, and how long a peer may "
             "read nothing of what is sent to it. Then the connection is closed."},
    {.key = "idle_timeout",
     .type = CONF_DURATION,
     CONF_FIELD(struct tp_stream_settings, idle_us),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "15m",
     .min = CONF_SECONDS(1),
     .max = CONF_DAYS(7),
     .help = "A connection over which nothing came or went for so long is closed. Peers that "
             "cannot be connected to should ping more often than that."},
    {.key = "ping",
     .type = CONF_DURATION,
     CONF_FIELD(struct tp_stream_settings, ping_us),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "0s",
     .max = CONF_HOURS(24),
     .help = "How long a connection that was opened to a peer may be quiet before a keep-alive is "
             "sent (RFC 5626 section 3.5.1). A peer that has answered one must answer the next "
             "within 10 s. 0: none are sent; those of peers are answered all the same."},
    {.key = "listen_backlog",
     .type = CONF_INTEGER,
     CONF_FIELD(struct tp_stream_settings, listen_backlog),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "1024",
     .min = 1,
     .max = 65535,
     .help = "Connections that may wait in the kernel to be accepted, per listen address and "
             "worker."},
};

const struct conf_section tp_stream_section = {
    .name = "streams",
    .help = "Connections of the transports tcp and tls.",
    CONF_ROWS(stream_rows),
    CONF_OBJECT(struct tp_stream_settings),
};

/* ---- certificates --------------------------------------------------------------------------- */

#define CERTIFICATE_ROWS                                                                          \
    {.key = "certificate",                                                                        \
     .type = CONF_TEXT,                                                                           \
     CONF_FIELD(struct tp_certificate_settings, certificate),                                     \
     .min = 1,                                                                                    \
     .max = 4000,                                                                                 \
     .help = "PEM file with our certificate and those between it and its root. Read again by "    \
             "each reload; connections that exist are not disturbed."},                           \
        {.key = "key",                                                                            \
         .type = CONF_TEXT,                                                                       \
         CONF_FIELD(struct tp_certificate_settings, key),                                         \
         .min = 1,                                                                                \
         .max = 4000,                                                                             \
         .help = "PEM file with its private key; by default in the file of the certificate. The " \
                 "daemon's user must be able to read it at a reload."},                           \
    {                                                                                             \
        .key = "ca", .type = CONF_TEXT, CONF_FIELD(struct tp_certificate_settings, authorities),  \
        .min = 1, .max = 4000,                                                                    \
        .help = "PEM file with the authorities that a peer's certificate must be of; by default " \
                "those that the system trusts."                                                   \
    }

static const struct conf_row listener_rows[] = {CERTIFICATE_ROWS};

static const struct conf_row peer_rows[] = {
    CERTIFICATE_ROWS,
    {.key = "names",
     .type = CONF_TEXT_LIST,
     CONF_FIELD(struct tp_certificate_settings, names),
     .min = 1,
     .max = 253,
     .help = "Domains or addresses of which the peer's certificate must name one (RFC 5922); by "
             "default the host of the target that is connected to. At most 16."},
    {.key = "mutual",
     .type = CONF_BOOLEAN,
     CONF_FIELD(struct tp_certificate_settings, mutual),
     .fallback = "false",
     .help = "Connections that the peer opens must show a certificate for one of the names, too."},
};

static bool read_problem(const struct tp_certificate_settings *settings,
                         struct tp_tls_problem *problem)
{
    struct tp_tls *tls = NULL;
    const struct tp_tls_settings from = tp_certificate_convert(settings, NULL);
    bool wrong = tp_tls_create(&from, problem, &tls) == ERROR_CONFIG;
    tp_tls_release(tls);
    return wrong;
}

static int check_certificate(struct conf_load *load, const struct conf_node *node, void *object)
{
    static const struct {
        const char *key;
        const char *fix;
    } faults[] = {
        [TP_TLS_FAULT_CERTIFICATE] = {"certificate", "a PEM file with a certificate that the "
                                                     "daemon can read"},
        [TP_TLS_FAULT_KEY] = {"key", "the PEM file with the private key that the certificate was "
                                     "made for"},
        [TP_TLS_FAULT_AUTHORITIES] = {"ca", "a PEM file with the certificates of authorities"},
    };
    const struct tp_certificate_settings *settings = object;
    struct tp_tls_problem problem;
    if (settings->certificate.length == 0 && settings->key.length > 0) {
        conf_load_error(load, node, "key without certificate");
        conf_report_expect(load->report, "both, or certificate with the key in the same file");
        return ERROR_CONFIG;
    }
    if (settings->certificate.length == 0 || !read_problem(settings, &problem))
        return 0;
    const struct conf_node *place = conf_node_get(node, faults[problem.fault].key);
    conf_load_error(load, place != NULL ? place : node, "%s", problem.text);
    conf_report_expect(load->report, "%s", faults[problem.fault].fix);
    return ERROR_CONFIG;
}

static int check_peer(struct conf_load *load, const struct conf_node *node, void *object)
{
    const struct tp_certificate_settings *settings = object;
    if (settings->names.count > TP_TLS_NAME_LIMIT) {
        conf_load_error(load, conf_node_get(node, "names"), "%zu names", settings->names.count);
        conf_report_expect(load->report, "at most %d", TP_TLS_NAME_LIMIT);
        return ERROR_CONFIG;
    }
    return node != NULL ? check_certificate(load, node, object) : 0;
}

static int check_listener(struct conf_load *load, const struct conf_node *node, void *object)
{
    return node != NULL ? check_certificate(load, node, object) : 0;
}

const struct conf_section tp_listener_tls_section = {
    .name = "tls",
    .help = "Certificates of a listen address.",
    CONF_ROWS(listener_rows),
    CONF_OBJECT(struct tp_certificate_settings),
    .check = check_listener,
};

const struct conf_section tp_peer_tls_section = {
    .name = "tls",
    .help = "Certificates towards a trunk; what is left out is as at its listen address.",
    CONF_ROWS(peer_rows),
    CONF_OBJECT(struct tp_certificate_settings),
    .check = check_peer,
};

static const char *text_or_null(struct slice text)
{
    return text.length > 0 ? text.data : NULL;
}

struct tp_tls_settings tp_certificate_convert(const struct tp_certificate_settings *settings,
                                              const struct tp_certificate_settings *fallback)
{
    const struct tp_certificate_settings *certificate =
        settings->certificate.length == 0 && fallback != NULL ? fallback : settings;
    const struct tp_certificate_settings *authorities =
        settings->authorities.length == 0 && fallback != NULL ? fallback : settings;
    return (struct tp_tls_settings){
        .certificate = text_or_null(certificate->certificate),
        .key = text_or_null(certificate->key),
        .authorities = text_or_null(authorities->authorities),
        .names = settings->names.items,
        .name_count = settings->names.count,
        .mutual = settings->mutual,
    };
}
