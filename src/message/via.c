/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "chars_int.h"
#include "scan_int.h"

/* sent-protocol = "SIP" SLASH "2.0" SLASH transport, white space allowed around each slash. Behind
 * the second slash, or NULL. */
static const char *skip_protocol(const char *at, const char *end)
{
    static const struct slice parts[] = {SLICE_LITERAL("SIP"), SLICE_LITERAL("2.0")};

    if (end - at > 8 && memcmp(at, "SIP/2.0/", 8) == 0)
        return chars_skip_lws(at + 8, end);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *past = chars_span(at, end, CHAR_TOKEN);

        if (!slice_equal_nocase(slice_between(at, past), parts[i]))
            return NULL;
        at = chars_skip_lws(past, end);
        if (at == end || *at != '/')
            return NULL;
        at = chars_skip_lws(at + 1, end);
    }
    return at;
}

static const struct param_row {
    struct slice name;
    size_t offset; /* of a struct slice in struct smsg_via */
    bool needs_value;
} param_rows[] = {
    {SLICE_LITERAL("branch"), offsetof(struct smsg_via, branch), true},
    {SLICE_LITERAL("rport"), offsetof(struct smsg_via, rport), false},
    {SLICE_LITERAL("received"), offsetof(struct smsg_via, received), true},
    {SLICE_LITERAL("maddr"), offsetof(struct smsg_via, maddr), true},
};

/* A parameter that routes answers must not occur twice, as two readers might take either, and is a
 * token or host, never a quoted string. */
static int set_param(struct smsg_via *via, const struct smsg_param_view *param)
{
    if (param->name.length == 2 && chars_equal_letters(param->name, SLICE("oc")))
        via->overload = true;
    for (size_t i = 0; i < sizeof param_rows / sizeof param_rows[0]; i++) {
        const struct param_row *row = &param_rows[i];
        struct slice *field;

        if (!chars_equal_letters(param->name, row->name))
            continue;
        field = (struct slice *)(void *)((char *)via + row->offset);
        if (field->data != NULL ||
            (row->needs_value && (param->value.length == 0 || param->value.data[0] == '"')))
            return ERROR_MALFORMED;
        *field = param->value;
        if (!row->needs_value) {
            const char *past =
                param->value.data != NULL ? slice_past(param->value) : slice_past(param->name);

            via->rport_present = true;
            *field = slice_between(param->name.data, past);
        }
        break;
    }
    return 0;
}

int smsg_via_parse(struct slice value, struct smsg_via *via)
{
    value = slice_trim(value);
    return smsg_via_read(value, slice_past(value), via);
}

int smsg_via_read(struct slice value, const char *limit, struct smsg_via *via)
{
    struct smsg_param_view param;
    const char *at, *end, *past;
    int more;

    memset(via, 0, sizeof *via);
    if (value.length == 0)
        return ERROR_MALFORMED;
    end = slice_past(value);
    at = skip_protocol(value.data, end);
    if (at == NULL)
        goto malformed;
    past = chars_span(at, end, CHAR_TOKEN);
    via->transport = slice_between(at, past);
    at = chars_skip_lws(past, end);
    if (via->transport.length == 0 || at == past)
        goto malformed;
    at = smsg_chars_host(at, end, limit, &via->host);
    if (at == NULL)
        goto malformed;
    past = chars_skip_lws(at, end);
    if (past < end && *past == ':') {
        at = smsg_chars_port(chars_skip_lws(past + 1, end), end, &via->port);
        if (at == NULL)
            goto malformed;
    }
    while ((more = smsg_chars_param(&at, end, limit, &param)) > 0)
        if (set_param(via, &param) != 0)
            goto malformed;
    if (more < 0)
        goto malformed;
    via->value = value;
    return 0;

malformed:
    memset(via, 0, sizeof *via);
    return ERROR_MALFORMED;
}
