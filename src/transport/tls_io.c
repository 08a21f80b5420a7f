/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS over a connection: SSL_read() and SSL_write() on the socket itself, which never blocks.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "stream_int.h"
#include "tls_int.h"

/* ---- what went wrong ------------------------------------------------------------------------ */

/* X(what OpenSSL found, why the connection ends) */
static const struct {
    long verification;
    enum tp_close reason;
} verification_rows[] = {
    {X509_V_ERR_HOSTNAME_MISMATCH, TP_CLOSE_TLS_NAME},
    {X509_V_ERR_CERT_HAS_EXPIRED, TP_CLOSE_TLS_EXPIRED},
    {X509_V_ERR_CERT_NOT_YET_VALID, TP_CLOSE_TLS_EXPIRED},
};

static const struct {
    int reason; /* of OpenSSL */
    enum tp_close close;
} failure_rows[] = {
    {SSL_R_HTTP_REQUEST, TP_CLOSE_TLS_PLAIN_TEXT},
    {SSL_R_HTTPS_PROXY_REQUEST, TP_CLOSE_TLS_PLAIN_TEXT},
    {SSL_R_WRONG_VERSION_NUMBER, TP_CLOSE_TLS_PLAIN_TEXT},
    {SSL_R_PACKET_LENGTH_TOO_LONG, TP_CLOSE_TLS_PLAIN_TEXT},
    {SSL_R_RECORD_TOO_SMALL, TP_CLOSE_TLS_PLAIN_TEXT},
    {SSL_R_UNSUPPORTED_PROTOCOL, TP_CLOSE_TLS_VERSION},
    {SSL_R_NO_SHARED_CIPHER, TP_CLOSE_TLS_VERSION},
    {SSL_R_NO_PROTOCOLS_AVAILABLE, TP_CLOSE_TLS_VERSION},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, TP_CLOSE_TLS_NO_CERTIFICATE},
};

/* An alert that the peer sent: SSL_R_SSLV3_ALERT_... and SSL_R_TLSV1_ALERT_... are the alert's
 * number plus SSL_AD_REASON_OFFSET. */
static bool is_alert(int reason)
{
    return reason > SSL_AD_REASON_OFFSET;
}

static enum tp_close reason_of(const struct tls_session *session, int failure)
{
    if (session->verification != X509_V_OK) {
        for (size_t i = 0; i < sizeof(verification_rows) / sizeof(verification_rows[0]); i++)
            if (verification_rows[i].verification == session->verification)
                return verification_rows[i].reason;
        return TP_CLOSE_TLS_UNTRUSTED;
    }
    for (size_t i = 0; i < sizeof(failure_rows) / sizeof(failure_rows[0]); i++)
        if (failure_rows[i].reason == failure)
            return failure_rows[i].close;
    return is_alert(failure) ? TP_CLOSE_TLS_REFUSED : TP_CLOSE_TLS_BROKEN;
}

static void note_failure(struct connection *connection, int failure)
{
    const struct tls_session *session = connection->session;
    enum tp_close reason = reason_of(session, failure);
    const char *text = ERR_reason_error_string(ERR_peek_error());
    struct slice shown = slice_of_text(session->shown);
    char quoted[TP_NOTE_BYTES / 2];
    connection->reason = (uint8_t)reason;
    if (reason == TP_CLOSE_TLS_NAME)
        snprintf(connection->note, sizeof(connection->note), "it is for %s, wanted is %.60s",
                 log_slice(quoted, sizeof(quoted), shown),
                 session->tls->name_count > 0 ? session->tls->names[0]
                 : session->host[0] != '\0'   ? session->host
                                              : "a name in tls.names of the trunk");
    else if (session->verification != X509_V_OK)
        snprintf(connection->note, sizeof(connection->note), "%s",
                 X509_verify_cert_error_string(session->verification));
    else if (text != NULL)
        snprintf(connection->note, sizeof(connection->note), "%s", text);
}

/* The result of an operation that did not succeed. -EAGAIN: it waits for what *wanted says. */
static int failure_of(struct connection *connection, int result, unsigned *wanted)
{
    const struct tls_session *session = connection->session;
    int code = SSL_get_error(session->ssl, result);
    int system = errno;
    if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE) {
        *wanted = code == SSL_ERROR_WANT_READ ? RT_READABLE : RT_WRITABLE;
        return session->renegotiates ? -EPROTO : -EAGAIN;
    }
    if (code == SSL_ERROR_ZERO_RETURN)
        return 0;
    if (code == SSL_ERROR_SYSCALL) {
        ERR_clear_error();
        return system != 0 ? -system : -ECONNRESET;
    }
    note_failure(connection, ERR_GET_REASON(ERR_peek_error()));
    ERR_clear_error();
    return -EPROTO;
}

static bool refuses_renegotiation(struct connection *connection)
{
    const struct tls_session *session = connection->session;
    if (!session->renegotiates)
        return false;
    connection->reason = TP_CLOSE_TLS_RENEGOTIATION;
    return true;
}

/* ---- the io --------------------------------------------------------------------------------- */

static int tls_establish(struct connection *connection)
{
    struct tls_session *session = connection->session;
    unsigned wanted = RT_READABLE;
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(session->ssl);
    if (result == 1)
        return 0;
    int error = failure_of(connection, result, &wanted);
    if (error == -EAGAIN)
        return rt_watch_set(connection->watch, wanted) == 0 ? -EAGAIN : -EIO;
    return error != 0 ? error : -ECONNRESET;
}

static ssize_t tls_read(struct connection *connection, char *memory, size_t size)
{
    const struct tls_session *session = connection->session;
    size_t count = 0;
    unsigned wanted;
    ERR_clear_error();
    errno = 0;
    int result = SSL_read_ex(session->ssl, memory, size, &count);
    if (refuses_renegotiation(connection))
        return -EPROTO;
    return result == 1 ? (ssize_t)count : failure_of(connection, result, &wanted);
}

/* Where the peer's key update would have to be answered first, reading goes on, and writing with
 * it: see ready() in connection.c. */
static ssize_t tls_write(struct connection *connection, const char *bytes, size_t length)
{
    const struct tls_session *session = connection->session;
    size_t count = 0;
    unsigned wanted;
    ERR_clear_error();
    errno = 0;
    int result = SSL_write_ex(session->ssl, bytes, length, &count);
    if (result == 1)
        return (ssize_t)count;
    int error = failure_of(connection, result, &wanted);
    return error != 0 ? error : -ECONNRESET;
}

static bool tls_holds(const struct connection *connection)
{
    const struct tls_session *session = connection->session;
    return session != NULL && SSL_has_pending(session->ssl) == 1;
}

/* RFC 8446 section 6.1: close_notify ends one direction. */
static void tls_end(struct connection *connection)
{
    struct tls_session *session = connection->session;
    ERR_clear_error();
    (void)SSL_shutdown(session->ssl);
    ERR_clear_error();
    (void)shutdown(connection->descriptor, SHUT_WR);
}

static void tls_close(struct connection *connection)
{
    struct tls_session *session = connection->session;
    if (session == NULL)
        return;
    ERR_clear_error();
    if (connection->state == CONNECTION_OPEN && connection->queued == 0 && !connection->has_ended)
        (void)SSL_shutdown(session->ssl); /* the peer's own is not waited for */
    SSL_free(session->ssl);
    tp_tls_release(session->tls);
    free(session);
    ERR_clear_error();
    connection->session = NULL;
}

const struct stream_io tp_tls_io = {
    .establish = tls_establish,
    .read = tls_read,
    .write = tls_write,
    .holds = tls_holds,
    .end = tls_end,
    .close = tls_close,
};

/* ---- the beginning -------------------------------------------------------------------------- */

/* RFC 6066 section 3: an address is no server name. */
static void name_server(struct tls_session *session)
{
    struct tp_address address;
    if (session->host[0] != '\0' &&
        tp_address_from_host(slice_of_text(session->host), 0, &address) != 0)
        (void)SSL_set_tlsext_host_name(session->ssl, session->host);
}

static int make_ssl(const struct connection *connection, struct tls_session *session)
{
    session->ssl = SSL_new(session->tls->context);
    if (session->ssl == NULL || SSL_set_fd(session->ssl, connection->descriptor) != 1 ||
        SSL_set_ex_data(session->ssl, tp_tls_session_index(), session) != 1)
        return -ENOMEM;
    if (connection->accepted) {
        SSL_set_accept_state(session->ssl);
        int mode = session->tls->mutual ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                                        : SSL_VERIFY_NONE;
        SSL_set_verify(session->ssl, mode, SSL_get_verify_callback(session->ssl));
    } else {
        SSL_set_connect_state(session->ssl);
        name_server(session);
    }
    return 0;
}

int tp_tls_begin(struct connection *connection, const struct tp_peer *peer)
{
    struct tls_session *session = calloc(1, sizeof(*session));
    if (session == NULL)
        return -ENOMEM;
    session->tls = tp_tls_share(peer->tls);
    if (!connection->accepted && peer->host.length < sizeof(session->host))
        memcpy(session->host, peer->host.data, peer->host.length);
    connection->session = session;
    int error = make_ssl(connection, session);
    if (error != 0 && session->ssl == NULL) {
        tp_tls_release(session->tls);
        free(session);
        connection->session = NULL;
    }
    ERR_clear_error();
    return error;
}
