/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tls_int.h"

static int session_index;

static void make_index(void)
{
    session_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

int tp_tls_session_index(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_index);
    return session_index;
}

/* ---- files ---------------------------------------------------------------------------------- */

/* The last error in OpenSSL's queue says what went wrong first hand. */
static const char *last_error(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason != NULL ? reason : "unknown";
}

static int fault(struct tp_tls_problem *problem, enum tp_tls_fault what, const char *path,
                 const char *wrong)
{
    problem->fault = what;
    snprintf(problem->text, sizeof(problem->text), "%s: %s", path, wrong);
    ERR_clear_error();
    return ERROR_CONFIG;
}

static bool can_be_read(const char *path, struct tp_tls_problem *problem, enum tp_tls_fault what)
{
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        fclose(file);
        return true;
    }
    (void)fault(problem, what, path, error_text(-errno));
    return false;
}

static int load_certificate(SSL_CTX *context, const struct tp_tls_settings *settings,
                            struct tp_tls_problem *problem)
{
    const char *key = settings->key != NULL ? settings->key : settings->certificate;
    if (!can_be_read(settings->certificate, problem, TP_TLS_FAULT_CERTIFICATE))
        return ERROR_CONFIG;
    if (SSL_CTX_use_certificate_chain_file(context, settings->certificate) != 1)
        return fault(problem, TP_TLS_FAULT_CERTIFICATE, settings->certificate, last_error());
    if (!can_be_read(key, problem, TP_TLS_FAULT_KEY))
        return ERROR_CONFIG;
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        bool mismatch = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;
        return fault(problem, TP_TLS_FAULT_KEY, key,
                     mismatch ? "it is not the key of the certificate" : last_error());
    }
    return 0;
}

static int load_authorities(SSL_CTX *context, const struct tp_tls_settings *settings,
                            struct tp_tls_problem *problem)
{
    const char *path = settings->authorities;
    if (path == NULL)
        return SSL_CTX_set_default_verify_paths(context) == 1 ? 0 : -ENOMEM;
    if (!can_be_read(path, problem, TP_TLS_FAULT_AUTHORITIES))
        return ERROR_CONFIG;
    if (SSL_CTX_load_verify_locations(context, path, NULL) != 1)
        return fault(problem, TP_TLS_FAULT_AUTHORITIES, path, last_error());
    /* Told to clients, so that they can choose among their certificates. */
    SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(path));
    return 0;
}

static void note_expiry(struct tp_tls *tls)
{
    struct tm when;
    const X509 *certificate = SSL_CTX_get0_certificate(tls->context);
    if (certificate != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &when) == 1)
        tls->expires = timegm(&when);
}

/* ---- verification --------------------------------------------------------------------------- */

static bool is_for_peer(const struct tls_session *session, X509 *certificate, struct buffer *shown)
{
    const struct tp_tls *tls = session->tls;
    struct slice names[TP_TLS_NAME_LIMIT];
    size_t count = 0;
    for (; count < tls->name_count && count < TP_TLS_NAME_LIMIT; count++)
        names[count] = slice_of_text(tls->names[count]);
    if (count == 0 && session->host[0] != '\0')
        names[count++] = slice_of_text(session->host);
    return tp_tls_is_for(certificate, names, count, shown);
}

/* Beside what OpenSSL checks: the name, as the last step, so that the handshake fails by it and the
 * peer learns why. */
static int verify(int verified, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_session *session = SSL_get_ex_data(ssl, tp_tls_session_index());
    if (verified == 1 && X509_STORE_CTX_get_error_depth(store) == 0) {
        struct buffer shown = buffer_over(session->shown, sizeof(session->shown) - 1);
        if (!is_for_peer(session, X509_STORE_CTX_get_current_cert(store), &shown)) {
            session->shown[shown.length] = '\0';
            X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
            verified = 0;
        }
    }
    if (verified != 1)
        session->verification = X509_STORE_CTX_get_error(store);
    return verified;
}

/* OpenSSL itself only answers a wish to renegotiate with a warning. */
static void watch_alerts(const SSL *ssl, int where, int value)
{
    struct tls_session *session = SSL_get_ex_data(ssl, tp_tls_session_index());
    if ((where & SSL_CB_WRITE_ALERT) == SSL_CB_WRITE_ALERT &&
        (value & 0xff) == SSL_AD_NO_RENEGOTIATION && session != NULL)
        session->renegotiates = true;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void set_up(SSL_CTX *context)
{
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    /* Sessions are not resumed: what was verified once would outlive a reload, and each kept one
     * takes memory. Connections between carriers last. */
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_info_callback(context, watch_alerts);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, verify);
}

static int copy_names(const struct tp_tls_settings *settings, struct tp_tls *tls)
{
    tls->names = calloc(settings->name_count + 1, sizeof(tls->names[0]));
    if (tls->names == NULL)
        return -ENOMEM;
    for (; tls->name_count < settings->name_count; tls->name_count++) {
        const struct slice *name = &settings->names[tls->name_count];
        tls->names[tls->name_count] = strndup(name->data, name->length);
        if (tls->names[tls->name_count] == NULL)
            return -ENOMEM;
    }
    return 0;
}

int tp_tls_create(const struct tp_tls_settings *settings, struct tp_tls_problem *problem,
                  struct tp_tls **tls)
{
    int error = -ENOMEM;
    struct tp_tls *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return error;
    atomic_init(&made->references, 1);
    made->mutual = settings->mutual;
    made->context = SSL_CTX_new(TLS_method());
    if (made->context == NULL)
        goto out;
    set_up(made->context);
    error = copy_names(settings, made);
    if (error == 0)
        error = load_certificate(made->context, settings, problem);
    if (error == 0)
        error = load_authorities(made->context, settings, problem);
    if (error != 0)
        goto out;
    note_expiry(made);
    *tls = made;
    made = NULL;
out:
    ERR_clear_error();
    tp_tls_release(made);
    return error;
}

struct tp_tls *tp_tls_share(struct tp_tls *tls)
{
    atomic_fetch_add_explicit(&tls->references, 1, memory_order_relaxed);
    return tls;
}

void tp_tls_release(struct tp_tls *tls)
{
    /* Acquire and release: who frees it sees what all others did with it. */
    if (tls == NULL || atomic_fetch_sub_explicit(&tls->references, 1, memory_order_acq_rel) > 1)
        return;
    SSL_CTX_free(tls->context);
    for (size_t i = 0; i < tls->name_count; i++)
        free(tls->names[i]);
    free(tls->names);
    free(tls);
}

long long tp_tls_expires(const struct tp_tls *tls)
{
    return tls->expires;
}
