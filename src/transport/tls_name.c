/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a certificate is: RFC 5922 section 7.
 */
#include <openssl/x509v3.h>

#include "tls_int.h"
#include "transport/address.h"

static void show(struct buffer *shown, struct slice name)
{
    if (shown->length > 0)
        buffer_append_literal(shown, ", ");
    buffer_append(shown, name);
}

static struct slice text_of(const ASN1_STRING *text)
{
    return slice_make((const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
}

/* RFC 1034 section 3.1: with the root's dot it is the same name. */
static bool same_host(struct slice a, struct slice b)
{
    if (a.length > 0 && a.data[a.length - 1] == '.')
        a.length--;
    if (b.length > 0 && b.data[b.length - 1] == '.')
        b.length--;
    return a.length > 0 && slice_equal_nocase(a, b);
}

static bool is_one_of(struct slice host, const struct slice *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (same_host(host, names[i]))
            return true;
    return false;
}

static bool is_address_of(const struct tp_address *address, const struct slice *names, size_t count)
{
    struct tp_address other;
    for (size_t i = 0; i < count; i++)
        if (tp_address_from_host(names[i], 0, &other) == 0 && tp_address_same_host(address, &other))
            return true;
    return false;
}

/* Section 7.1: a URI with another scheme, or with a user, is not a domain's. */
static struct slice domain_of_uri(struct slice uri)
{
    if (!slice_starts_with_nocase(uri, SLICE("sip:")))
        return slice_make(NULL, 0);
    struct slice rest = slice_from(uri, sizeof("sip:") - 1);
    if (slice_find(rest, '@') < rest.length)
        return slice_make(NULL, 0);
    return slice_first(rest, slice_find(rest, ';'));
}

static bool matches_address(const ASN1_STRING *bytes, const struct slice *names, size_t count,
                            struct buffer *shown)
{
    struct slice raw = text_of(bytes);
    struct tp_address address = {.family = raw.length == 4 ? 4 : 6};
    char text[TP_ADDRESS_TEXT];
    if (raw.length != 4 && raw.length != 16)
        return false;
    memcpy(address.bytes, raw.data, raw.length);
    struct buffer buffer = buffer_over(text, sizeof(text));
    tp_address_append_host(&buffer, &address, false);
    show(shown, buffer_slice(&buffer));
    return is_address_of(&address, names, count);
}

static bool matches(const GENERAL_NAME *name, const struct slice *names, size_t count,
                    struct buffer *shown)
{
    struct slice host;
    switch (name->type) {
    case GEN_DNS:
        host = text_of(name->d.dNSName);
        break;
    case GEN_URI:
        host = domain_of_uri(text_of(name->d.uniformResourceIdentifier));
        break;
    case GEN_IPADD:
        return matches_address(name->d.iPAddress, names, count, shown);
    default:
        return false;
    }
    if (host.length == 0)
        return false;
    show(shown, host);
    return is_one_of(host, names, count);
}

/* Section 7.1: only where no subjectAltName says anything. */
static bool common_name_matches(X509 *certificate, const struct slice *names, size_t count,
                                struct buffer *shown)
{
    char text[TLS_HOST_BYTES];
    int length = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text,
                                           sizeof(text));
    if (length <= 0)
        return false;
    struct slice name = slice_make(text, (size_t)length);
    show(shown, name);
    return is_one_of(name, names, count);
}

bool tp_tls_is_for(X509 *certificate, const struct slice *names, size_t count, struct buffer *shown)
{
    bool found = false;
    GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; all != NULL && i < sk_GENERAL_NAME_num(all) && !found; i++)
        found = matches(sk_GENERAL_NAME_value(all, i), names, count, shown);
    GENERAL_NAMES_free(all);
    if (!found && shown->length == 0 && !shown->overflow)
        found = common_name_matches(certificate, names, count, shown);
    return found;
}
