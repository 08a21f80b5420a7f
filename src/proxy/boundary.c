/* SPDX-License-Identifier: Apache-2.0 */
#include "boundary_int.h"

#include "number/normalise.h"

/* Headers that are taken off or kept as a whole. */
static const struct {
    enum smsg_header_id id;
    enum proxy_boundary_kind kind;
} header_rows[] = {
    {SMSG_HEADER_P_ASSERTED_IDENTITY, PROXY_BOUNDARY_ASSERTED},
    {SMSG_HEADER_REMOTE_PARTY_ID, PROXY_BOUNDARY_REMOTE_PARTY},
    {SMSG_HEADER_P_PREFERRED_IDENTITY, PROXY_BOUNDARY_PREFERRED},
    {SMSG_HEADER_PRIVACY, PROXY_BOUNDARY_PRIVACY},
    {SMSG_HEADER_IDENTITY, PROXY_BOUNDARY_IDENTITY},
};
#define HEADER_ROWS (sizeof(header_rows) / sizeof(header_rows[0]))

/* A crossing under way. */
struct crossing {
    struct proxy *proxy;
    const struct smsg *message;
    const struct proxy_trunk *from;
    const struct proxy_boundary *in;
    const struct proxy_boundary *out;
    struct smsg_edit *edit;
};

/* Once for each message and kind. */
static void count(const struct crossing *crossing, enum proxy_boundary_kind kind)
{
    const struct proxy_parts *parts = &crossing->proxy->parts;
    stats_count_label(parts->stats, STATS_FAMILY_BOUNDARY, parts->labels->boundary[kind]);
}

/* ---- Privacy ------------------------------------------------------------------------------- */

/* X(identifier, priv-value): of RFC 3323, RFC 3325 and RFC 7044. */
#define PRIVACY_TABLE(X)    \
    X(HEADER, "header")     \
    X(SESSION, "session")   \
    X(USER, "user")         \
    X(HISTORY, "history")   \
    X(ID, "id")             \
    X(CRITICAL, "critical") \
    X(NONE, "none")

enum privacy {
#define PRIVACY_ROW(identifier, word) PRIVACY_##identifier,
    PRIVACY_TABLE(PRIVACY_ROW)
#undef PRIVACY_ROW
        PRIVACY_COUNT
};

static const struct slice privacy_words[PRIVACY_COUNT] = {
#define PRIVACY_ROW(identifier, word) SLICE_LITERAL(word),
    PRIVACY_TABLE(PRIVACY_ROW)
#undef PRIVACY_ROW
};

#define PRIVACY_BIT(identifier) (1U << PRIVACY_##identifier)
/* What only a privacy service, which we are none, provides. */
#define PRIVACY_BEYOND_US (~(PRIVACY_BIT(ID) | PRIVACY_BIT(CRITICAL) | PRIVACY_BIT(NONE)))

static unsigned privacy_bit(struct slice word)
{
    for (unsigned i = 0; i < PRIVACY_COUNT; i++)
        if (slice_equal_nocase(word, privacy_words[i]))
            return 1U << i;
    return 0;
}

static bool is_separator(char byte)
{
    return byte == ';' || byte == ',' || byte == ' ' || byte == '\t' || byte == '\r' ||
           byte == '\n';
}

/* All values of all lines. Peers separate them by commas too. */
static unsigned read_privacy(const struct smsg *message)
{
    unsigned bits = 0;
    const struct smsg_header *header = smsg_first(message, SMSG_HEADER_PRIVACY);
    for (; header != NULL; header = smsg_next(message, header)) {
        struct slice value = smsg_value(message, header);
        const char *end = slice_past(value);
        for (const char *at = value.data, *past; at < end; at = past + 1) {
            for (past = at; past < end && !is_separator(*past);)
                past++;
            bits |= privacy_bit(slice_between(at, past));
        }
    }
    return bits;
}

bool proxy_boundary_refuses(struct proxy *proxy, const struct smsg *message,
                            const struct proxy_trunk *to, struct slice *reason)
{
    if (!to->boundary.refuse_critical || smsg_first(message, SMSG_HEADER_PRIVACY) == NULL)
        return false;
    unsigned bits = read_privacy(message);
    unsigned beyond = bits & PRIVACY_BEYOND_US;
    if (beyond == 0 || (bits & PRIVACY_BIT(CRITICAL)) == 0)
        return false;
    /* Section 5: the phrase names what could not be done. */
    struct buffer *scratch = &proxy->scratch;
    size_t begun = scratch->length;
    buffer_append_literal(scratch, "Privacy Not Available:");
    for (unsigned i = 0; i < PRIVACY_COUNT; i++) {
        if ((beyond & 1U << i) == 0)
            continue;
        buffer_append_char(scratch, ' ');
        buffer_append(scratch, privacy_words[i]);
    }
    *reason = slice_make(scratch->data + begun, scratch->length - begun);
    return true;
}

/* ---- verstat ------------------------------------------------------------------------------- */

static const struct slice verstat = SLICE_LITERAL("verstat");

/* Tells, without reading the value, that no parameter of it can be verstat, whose `v` may be
 * escaped in a URI. */
static bool may_have_verstat(struct slice value)
{
    const char *end = slice_past(value);
    const char *at = value.data;
    while ((at = memchr(at, ';', (size_t)(end - at))) != NULL) {
        do
            at++;
        while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'));
        if (at < end && (*at == 'v' || *at == 'V' || *at == '%'))
            return true;
    }
    return false;
}

static bool is_verstat(struct slice param)
{
    char memory[16];
    struct slice name = slice_first(param, slice_find(param, '='));
    struct slice plain = smsg_unescape(name, memory, sizeof(memory));
    return plain.data != NULL && slice_equal_nocase(plain, verstat);
}

/* Of a URI, or of the user part of one: no quotes, but escapes. */
static bool strip_uri_params(struct slice text, struct smsg_edit *edit)
{
    bool stripped = false;
    struct slice rest = slice_from(text, slice_find(text, ';'));
    while (rest.length > 0) {
        size_t length = 1 + slice_find(slice_from(rest, 1), ';');
        struct slice param = slice_first(rest, length);
        if (is_verstat(slice_from(param, 1))) {
            smsg_edit_replace_slice(edit, param, SLICE(""));
            stripped = true;
        }
        rest = slice_from(rest, length);
    }
    return stripped;
}

/* Of a header: quotes, but no escapes. */
static bool strip_header_params(struct slice text, struct smsg_edit *edit)
{
    bool stripped = false;
    struct slice value, whole;
    while (smsg_param(text, "verstat", &value, &whole)) {
        smsg_edit_replace_slice(edit, whole, SLICE(""));
        text = slice_between(slice_past(whole), slice_past(text));
        stripped = true;
    }
    return stripped;
}

/* Wherever peers write it: in the user part (where 3GPP has it), of the URI, or of the header. */
static bool strip_verstat(struct slice value, bool user_too, struct smsg_edit *edit)
{
    struct smsg_address address;
    struct smsg_uri uri;
    bool stripped = false;
    if (!may_have_verstat(value) || smsg_address_parse(value, &address) != 0)
        return false;
    if (smsg_uri_parse(address.uri, &uri) == 0) {
        stripped = user_too && strip_uri_params(uri.user, edit);
        stripped |= strip_uri_params(uri.params, edit);
    }
    return strip_header_params(address.params, edit) || stripped;
}

static void strip_from(const struct crossing *crossing)
{
    const struct smsg_header *from = smsg_first(crossing->message, SMSG_HEADER_FROM);
    if (strip_verstat(smsg_value(crossing->message, from), true, crossing->edit))
        count(crossing, PROXY_BOUNDARY_VERSTAT);
}

/* ---- assertions ---------------------------------------------------------------------------- */

/* True when the user part was replaced, parameters and all. */
static bool normalise(const struct crossing *crossing, struct slice value)
{
    struct smsg_address address;
    struct smsg_uri uri;
    struct num_number number;
    if (smsg_address_parse(value, &address) != 0 || smsg_uri_parse(address.uri, &uri) != 0 ||
        uri.user.length == 0)
        return false;
    struct slice params = slice_from(uri.params, uri.params.length > 0 ? 1 : 0);
    if (num_normalise(&crossing->from->screen.profile, NUM_CALLER, uri.scheme, uri.user, params,
                      &number) != 0 ||
        slice_equal(uri.user, slice_make(number.text, number.length)))
        return false;
    struct buffer *scratch = &crossing->proxy->scratch;
    size_t begun = scratch->length;
    buffer_append_bytes(scratch, number.text, number.length);
    smsg_edit_replace_slice(crossing->edit, uri.user,
                            slice_make(scratch->data + begun, scratch->length - begun));
    /* RFC 3966 section 5.1.5: a global number has no context. */
    struct slice context, whole;
    if (uri.host.length == 0 && smsg_param(uri.params, "phone-context", &context, &whole))
        smsg_edit_replace_slice(crossing->edit, whole, SLICE(""));
    return true;
}

/* The values of a line that is kept. */
static void edit_values(const struct crossing *crossing, enum smsg_header_id id, bool normalises,
                        bool strips, enum proxy_boundary_kind kind)
{
    bool normalised = false, stripped = false;
    const struct smsg_header *header = smsg_first(crossing->message, id);
    for (; header != NULL; header = smsg_next(crossing->message, header)) {
        struct slice value, rest = smsg_value(crossing->message, header);
        while (smsg_next_value(&rest, &value)) {
            bool replaced = normalises && normalise(crossing, value);
            normalised |= replaced;
            if (strips)
                stripped |= strip_verstat(value, !replaced, crossing->edit);
        }
    }
    if (normalised)
        count(crossing, kind);
    if (stripped)
        count(crossing, PROXY_BOUNDARY_VERSTAT);
}

/* ---- crossing ------------------------------------------------------------------------------ */

static bool is_removed(const struct crossing *crossing, enum proxy_boundary_kind kind)
{
    uint8_t out = crossing->out->out[kind];
    return crossing->in->in[kind] == PROXY_TREATMENT_REMOVE || out == PROXY_TREATMENT_REMOVE ||
           (out == PROXY_TREATMENT_PRIVACY &&
            (read_privacy(crossing->message) & PRIVACY_BIT(ID)) != 0);
}

static void edit_header(const struct crossing *crossing, enum smsg_header_id id,
                        enum proxy_boundary_kind kind)
{
    if (is_removed(crossing, kind)) {
        const struct smsg_header *header = smsg_first(crossing->message, id);
        for (; header != NULL; header = smsg_next(crossing->message, header))
            smsg_edit_remove_header(crossing->edit, header);
        count(crossing, kind);
        return;
    }
    if (kind != PROXY_BOUNDARY_ASSERTED && kind != PROXY_BOUNDARY_REMOTE_PARTY)
        return;
    bool normalises = crossing->in->in[kind] == PROXY_TREATMENT_NORMALISE;
    bool strips = is_removed(crossing, PROXY_BOUNDARY_VERSTAT);
    if (normalises || strips)
        edit_values(crossing, id, normalises, strips, kind);
}

static void edit_headers(const struct crossing *crossing)
{
    for (size_t i = 0; i < HEADER_ROWS; i++)
        if (smsg_first(crossing->message, header_rows[i].id) != NULL)
            edit_header(crossing, header_rows[i].id, header_rows[i].kind);
}

/* Our tag headers go by their configured names. */
static void remove_tags(const struct crossing *crossing)
{
    struct proxy *proxy = crossing->proxy;
    const struct screen_settings *settings = screen_policy_settings(proxy->snapshot.policy);
    const struct slice names[3] = {settings->score_header, settings->reason_header,
                                   settings->type_header};
    for (uint16_t i = 0; i < crossing->message->header_count; i++) {
        const struct smsg_header *header = &crossing->message->headers[i];
        if (header->id != SMSG_HEADER_OTHER)
            continue;
        struct slice name = smsg_name(crossing->message, header);
        for (size_t j = 0; j < 3; j++) {
            if (!slice_equal_nocase(name, names[j]))
                continue;
            smsg_edit_remove_header(crossing->edit, header);
            stats_count(proxy->parts.stats, STATS_TAG_HEADERS_REMOVED);
            break;
        }
    }
}

void proxy_boundary_edit_request(struct proxy *proxy, const struct proxy_request *request,
                                 const struct proxy_path *path, struct smsg_edit *edit)
{
    const struct crossing crossing = {
        proxy, request->message, request->from, &request->from->boundary, &path->to->boundary, edit,
    };
    edit_headers(&crossing);
    if (is_removed(&crossing, PROXY_BOUNDARY_VERSTAT))
        strip_from(&crossing);
    /* Tags are ours to give: older ones must not stand beside them. */
    if (path->tagged || is_removed(&crossing, PROXY_BOUNDARY_TAGS))
        remove_tags(&crossing);
}

bool proxy_boundary_concerns_response(const struct smsg *response)
{
    bool concerns = false;
    for (size_t i = 0; i < HEADER_ROWS; i++)
        concerns |= smsg_first(response, header_rows[i].id) != NULL;
    return concerns;
}

void proxy_boundary_edit_response(struct proxy *proxy, const struct smsg *response,
                                  const struct proxy_trunk *from, const struct proxy_trunk *to,
                                  struct smsg_edit *edit)
{
    static const struct proxy_boundary_settings by_trust;
    struct proxy_boundary stranger;
    proxy_boundary_resolve(&by_trust, false, &stranger);
    const struct crossing crossing = {
        proxy, response, from, &from->boundary, to != NULL ? &to->boundary : &stranger, edit,
    };
    edit_headers(&crossing);
}
