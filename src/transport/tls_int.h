/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_int: what tls.c (certificates), tls_name.c (whose they are) and tls_io.c (bytes) share.
 */
#ifndef RINGFENCE_TRANSPORT_TLS_INT_H
#define RINGFENCE_TRANSPORT_TLS_INT_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "base/buffer.h"
#include "transport/tls.h"

#define TLS_HOST_BYTES 256

struct tp_tls {
    _Atomic uint32_t references;
    SSL_CTX *context;
    bool mutual;
    long long expires;
    size_t name_count;
    char **names;
};

/* Of one connection. */
struct tls_session {
    SSL *ssl;
    struct tp_tls *tls;
    bool renegotiates;          /* the peer asked for it */
    long verification;          /* X509_V_ERR_..., or X509_V_OK */
    char host[TLS_HOST_BYTES];  /* that was dialled; "": the peer connected */
    char shown[TLS_HOST_BYTES]; /* the names of a certificate that had not the right one */
};

/* The index of a session in the extra data of its SSL. */
int tp_tls_session_index(void);

/* Whether the certificate is for one of the names; *shown says whom it is for. */
bool tp_tls_is_for(X509 *certificate, const struct slice *names, size_t count,
                   struct buffer *shown);

#endif
