/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syntax: small zero-copy readers of SIP grammar (RFC 3261 section 25.1) over slices.
 */
#ifndef RINGFENCE_MESSAGE_SYNTAX_H
#define RINGFENCE_MESSAGE_SYNTAX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

/*
 * Takes the next of several comma-separated values off *rest: quoted strings, <> and comments are
 * respected. False when nothing is left. An unbalanced quote or bracket ends at the slice's end.
 */
bool smsg_next_value(struct slice *rest, struct slice *value);

/* A name-addr or addr-spec with its header parameters. */
struct smsg_address {
    struct slice display; /* as written: quotes and escapes kept; data == NULL when absent */
    struct slice uri;     /* without <> */
    struct slice params;  /* from the first ';' behind the address; empty when none */
};

int smsg_address_parse(struct slice value, struct smsg_address *address) MUST_CHECK;

struct smsg_uri {
    struct slice scheme; /* "sip", "sips", "tel", "urn", ... as written */
    struct slice user;   /* tel: the number; urn: what follows "urn:" */
    struct slice password;
    struct slice host; /* IPv6 without brackets */
    uint16_t port;     /* 0: none */
    bool host_is_ipv6;
    struct slice params;  /* from the first ';', may be empty */
    struct slice headers; /* behind '?', may be empty */
};

/* ERROR_MALFORMED for what no scheme's grammar allows; unknown schemes give scheme only. */
int smsg_uri_parse(struct slice text, struct smsg_uri *uri) MUST_CHECK;

/*
 * Finds ";name" or ";name=value" in a parameter text, name compared without case. `value` has
 * data == NULL when the parameter has none; quotes are kept. `whole` (may be NULL) is the
 * parameter with its ';'.
 */
bool smsg_param(struct slice params, const char *name, struct slice *value, struct slice *whole);

/* Copies, %HH resolved, into memory; a result beyond capacity gives data == NULL. */
struct slice smsg_unescape(struct slice text, char *memory, size_t capacity);

/* A quoted or plain display name without quotes and backslashes; as above. */
struct slice smsg_unquote(struct slice text, char *memory, size_t capacity);

#endif
