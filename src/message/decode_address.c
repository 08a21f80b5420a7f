/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include <sofia-sip/sip_parser.h>
#include <sofia-sip/url.h>

#include "chars_int.h"
#include "decode_int.h"

/* Copies with escapes or quotes resolved, which never makes a text longer. */
static int copy_resolved(struct smsg_decoder *decoder, struct slice text,
                         struct slice (*resolve)(struct slice, char *, size_t), struct slice *copy)
{
    char *memory;

    *copy = slice_make(NULL, 0);
    if (text.data == NULL)
        return 0;
    memory = arena_alloc(decoder->arena, text.length + 1);
    if (memory == NULL)
        return -ENOMEM;
    *copy = resolve(text, memory, text.length);
    return 0;
}

/* Of the schemes that route calls; of others Sofia guesses a structure that they may not have. */
static bool is_compared(struct slice scheme)
{
    return slice_equal_nocase(scheme, SLICE("sip")) || slice_equal_nocase(scheme, SLICE("tel")) ||
           slice_equal_nocase(scheme, SLICE("sips"));
}

static bool same_host(struct slice own, const char *theirs)
{
    struct slice other = slice_of_text(theirs);

    if (other.length >= 2 && other.data[0] == '[')
        other = slice_make(other.data + 1, other.length - 2);
    return (own.data == NULL) == (other.data == NULL) && slice_equal_nocase(own, other);
}

static bool same_port(uint16_t own, const char *theirs)
{
    return theirs != NULL ? strtoul(theirs, NULL, 10) == own : own == 0;
}

/* Sofia resolves some escapes and leaves others, so users are compared with all of them resolved.
 * What follows a '#', which RFC 3966 allows in a number, is a fragment to Sofia. */
static int compare_user(struct smsg_decoder *decoder, const struct smsg_uri *own, const url_t *url)
{
    struct slice text = own->user, ours, theirs;
    int code;

    if (own->host.data == NULL)
        text = slice_first(text, slice_find(text, '#'));
    code = copy_resolved(decoder, text, smsg_unescape, &ours);
    if (code == 0)
        code = copy_resolved(decoder, slice_of_text(url->url_user), smsg_unescape, &theirs);
    if (code != 0)
        return code;
    if ((ours.data == NULL) != (theirs.data == NULL) || !slice_equal(ours, theirs))
        return ERROR_DISAGREE;
    return 0;
}

/* The identity's parts from our own reader, which keeps them as they were written. */
static int fill_uri(struct smsg_decoder *decoder, const struct smsg_uri *uri,
                    struct smsg_identity *identity)
{
    identity->scheme = uri->scheme;
    identity->host = uri->host;
    identity->uri_params = slice_from(uri->params, 1);
    identity->user = uri->user;
    if (uri->user.length == 0 || memchr(uri->user.data, '%', uri->user.length) == NULL)
        return 0;
    return copy_resolved(decoder, uri->user, smsg_unescape, &identity->user);
}

/* Quotes and escapes resolved. */
static int fill_display(struct smsg_decoder *decoder, struct slice display,
                        struct smsg_identity *identity)
{
    identity->display = display;
    if (display.length < 2 || display.data[0] != '"' || display.data[display.length - 1] != '"')
        return 0;
    identity->display = slice_make(display.data + 1, display.length - 2);
    if (memchr(display.data, '\\', display.length) == NULL)
        return 0;
    return copy_resolved(decoder, display, smsg_unquote, &identity->display);
}

static int compare_uri(struct smsg_decoder *decoder, const struct smsg_uri *own, const url_t *url)
{
    struct slice scheme = slice_of_text(url->url_scheme);

    if (!slice_equal_nocase(own->scheme, scheme) || !same_host(own->host, url->url_host) ||
        !same_port(own->port, url->url_port))
        return ERROR_DISAGREE;
    return compare_user(decoder, own, url);
}

int smsg_decode_uri(struct smsg_decoder *decoder, struct slice text, struct smsg_identity *identity)
{
    struct smsg_uri own;
    url_t url;
    char *copy;
    int code;

    memset(identity, 0, sizeof *identity);
    if (smsg_uri_parse(text, &own) != 0)
        return ERROR_MALFORMED;
    code = fill_uri(decoder, &own, identity);
    if (code != 0 || !is_compared(own.scheme) ||
        (!decoder->thorough && smsg_plain_uri(text, &own, decoder->limit)))
        return code;
    copy = smsg_decode_copy(decoder, text);
    if (copy == NULL)
        return -ENOMEM;
    if (url_d(&url, copy) < 0)
        return ERROR_MALFORMED;
    return compare_uri(decoder, &own, &url);
}

/* Sofia takes a display name without quotes only as the grammar has it; scan takes more. Nothing
 * hangs on its bytes, so those that Sofia would stumble over are masked in its copy. */
static void mask_display(char *copy, struct slice value, struct slice display)
{
    size_t first = (size_t)(display.data - value.data);

    if (display.data == NULL || display.data[0] == '"')
        return;
    for (size_t i = first; i < first + display.length; i++)
        if (!char_is(copy[i], CHAR_TOKEN) && copy[i] != ' ' && copy[i] != '\t')
            copy[i] = '-';
}

static int compare_address(struct smsg_decoder *decoder, struct slice value,
                           const struct smsg_address *address, const struct smsg_uri *own,
                           const struct slice *tag)
{
    char *rest = smsg_decode_copy(decoder, value);
    const char *display = NULL;
    msg_param_t const *params = NULL;
    url_t url;

    if (rest == NULL)
        return -ENOMEM;
    mask_display(rest, value, address->display);
    if (sip_name_addr_d(decoder->home, &rest, &display, &url, &params, NULL) < 0 || *rest != '\0')
        return ERROR_MALFORMED;
    if (tag != NULL && !smsg_decode_same(*tag, msg_params_find(params, "tag=")))
        return ERROR_DISAGREE;
    return compare_uri(decoder, own, &url);
}

int smsg_decode_address(struct smsg_decoder *decoder, struct slice value, const struct slice *tag,
                        struct smsg_address *address, struct smsg_identity *identity)
{
    struct smsg_uri own;
    int code;

    memset(identity, 0, sizeof *identity);
    value = slice_trim(value);
    if (smsg_address_parse(value, address) != 0 || smsg_uri_parse(address->uri, &own) != 0)
        return ERROR_MALFORMED;
    code = fill_uri(decoder, &own, identity);
    if (code == 0)
        code = fill_display(decoder, address->display, identity);
    if (code != 0 || !is_compared(own.scheme) ||
        (!decoder->thorough && smsg_plain_address(value, address, &own, tag, decoder->limit)))
        return code;
    return compare_address(decoder, value, address, &own, tag);
}
