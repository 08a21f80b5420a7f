/* SPDX-License-Identifier: Apache-2.0 */
#include "redirect_int.h"

#include "base/encode.h"

static const char allow_line[] = "Allow: INVITE, ACK, CANCEL, OPTIONS\r\n";

bool proxy_redirect_concerns(const struct proxy_request *request)
{
    return request->from->redirect != NULL && request->message->to.tag.length == 0;
}

void proxy_redirect_receive(struct proxy *proxy, const struct proxy_request *request)
{
    struct proxy_path path;
    struct slice none = SLICE("");
    if (request->message->method == SMSG_METHOD_OPTIONS) {
        bool serving = !proxy->draining;
        proxy_reply(proxy, request, serving ? 200 : 503, none, serving ? SLICE(allow_line) : none);
        return;
    }
    if (request->message->method != SMSG_METHOD_INVITE) {
        proxy_reply(proxy, request, 405, none, SLICE(allow_line)); /* section 8.2.1 */
        return;
    }
    int status = proxy_find_redirect(proxy, request, &path);
    if (status != 0)
        proxy_reply(proxy, request, (uint16_t)status, none, none);
    else
        proxy_receive_invite(proxy, request, &path);
}

/* ---- Contact ------------------------------------------------------------------------------- */

/* What stands before the host: the callee. Section 19.1.6 has a tel: URI as the user part of a sip:
 * one. False: this scheme cannot be aimed at a host. */
static bool append_callee(struct buffer *out, const struct smsg_uri *uri, bool sips)
{
    bool is_sip = slice_equal_nocase(uri->scheme, SLICE("sip")) || proxy_uri_is_sips(uri);
    bool is_tel = slice_equal_nocase(uri->scheme, SLICE("tel"));
    if (!is_sip && !is_tel)
        return false;
    buffer_append(out, sips ? SLICE("sips:") : SLICE("sip:"));
    buffer_append(out, uri->user);
    if (is_tel)
        buffer_append(out, uri->params);
    if (uri->user.length > 0)
        buffer_append_char(out, '@');
    return true;
}

/* The parameters that the callee's URI came with stay, but for the transport, which is the
 * target's; a sip: URI without one means UDP, and a sips: URI TLS. */
static void append_params(struct buffer *out, struct slice params, uint8_t protocol, bool sips)
{
    struct slice value, whole;
    if (smsg_param(params, "transport", &value, &whole)) {
        buffer_append(out, slice_between(params.data, whole.data));
        params = slice_between(slice_past(whole), slice_past(params));
    }
    buffer_append(out, params);
    if (protocol == TP_PROTOCOL_UDP || sips)
        return;
    buffer_append_literal(out, ";transport=");
    buffer_append_text(out, tp_protocol_rows[protocol].word);
}

/* Host, port and transport. */
static void append_target(struct buffer *out, const struct proxy_path *path, struct slice params,
                          uint8_t protocol, bool sips)
{
    if (path->target_host.data != NULL)
        buffer_append(out, path->target_host);
    else
        tp_address_append(out, &path->next_hop);
    append_params(out, params, protocol, sips);
}

/* The callee at the path's target. data == NULL: there is none. What was asked as sips: stays so
 * where the target is reached by TLS, and only there (RFC 5630 section 5.4). */
static struct slice uri_at_target(struct proxy *proxy, const struct smsg *message,
                                  const struct proxy_path *path)
{
    struct smsg_uri uri;
    struct buffer *scratch = &proxy->scratch;
    size_t begun = scratch->length;
    struct slice asked = path->request_uri.data != NULL ? path->request_uri : message->request_uri;
    if (path->to == NULL || smsg_uri_parse(asked, &uri) != 0)
        return slice_make(NULL, 0);
    uint8_t protocol = proxy_plan_protocol(proxy->snapshot.plan, path->listener);
    bool sips = proxy_uri_is_sips(&uri) && protocol == TP_PROTOCOL_TLS;
    if (!append_callee(scratch, &uri, sips))
        return slice_make(NULL, 0);
    append_target(scratch, path, uri.host.length > 0 ? uri.params : SLICE(";user=phone"), protocol,
                  sips);
    return slice_make(scratch->data + begun, scratch->length - begun);
}

static bool same_place(struct slice a_text, struct slice b_text)
{
    struct smsg_uri a, b;
    return smsg_uri_parse(a_text, &a) == 0 && smsg_uri_parse(b_text, &b) == 0 &&
           slice_equal_nocase(a.scheme, b.scheme) && slice_equal(a.user, b.user) &&
           slice_equal_nocase(a.host, b.host) && a.port == b.port;
}

/* "a=b" of a header line, escaped for the URI. */
static void append_uri_header(struct buffer *out, struct slice line)
{
    size_t colon = slice_find(line, ':');
    encode_sip_uri(out, slice_first(line, colon));
    buffer_append_char(out, '=');
    encode_sip_uri(out, slice_trim(slice_from(line, colon + 1)));
}

/* A Contact line; headers: whole lines that the URI carries. */
static struct slice contact_line(struct proxy *proxy, struct slice uri, struct slice headers)
{
    struct buffer *scratch = &proxy->scratch;
    size_t begun = scratch->length;
    buffer_append_literal(scratch, "Contact: <");
    buffer_append(scratch, uri);
    for (char mark = '?'; headers.length > 0; mark = '&') {
        size_t end = slice_find(headers, '\n');
        buffer_append_char(scratch, mark);
        append_uri_header(scratch, slice_first(headers, end));
        headers = slice_from(headers, end + 1);
    }
    buffer_append_literal(scratch, ">\r\n");
    return slice_make(scratch->data + begun, scratch->length - begun);
}

/* ---- answers ------------------------------------------------------------------------------- */

static struct proxy_refusal plain(int status)
{
    return (struct proxy_refusal){(uint16_t)status, SLICE(""), SLICE("")};
}

static struct proxy_refusal moved(struct proxy *proxy, struct slice contact, struct slice tags)
{
    struct buffer *scratch = &proxy->scratch;
    struct slice line = contact_line(proxy, contact, tags);
    buffer_append(scratch, tags);
    if (scratch->overflow)
        return plain(513);
    return (struct proxy_refusal){302, SLICE(""), slice_make(line.data, line.length + tags.length)};
}

/* An allowed or tagged call; tags: header lines. */
static struct proxy_refusal onward(struct proxy *proxy, const struct proxy_request *request,
                                   const struct proxy_path *path, int status, struct slice tags)
{
    const struct proxy_redirect_settings *settings = request->from->redirect;
    const struct smsg *message = request->message;
    if (status != 302)
        return (struct proxy_refusal){(uint16_t)status, SLICE(""), tags};
    if (settings->contact == PROXY_REDIRECT_TO_REQUEST)
        return moved(proxy, message->request_uri, tags);
    struct slice contact = uri_at_target(proxy, message, path);
    /* Section 8.3 has 404 for a request that is where it should be. */
    if (contact.data == NULL || same_place(contact, message->request_uri))
        return (struct proxy_refusal){404, SLICE(""), tags};
    return moved(proxy, contact, tags);
}

static struct proxy_refusal tagged(struct proxy *proxy, const struct proxy_request *request,
                                   const struct screen_verdict *verdict, struct proxy_path *path)
{
    bool may_leave = request->from->boundary.out[PROXY_BOUNDARY_TAGS] != PROXY_TREATMENT_REMOVE;
    proxy_tag(proxy, verdict, path);
    return onward(proxy, request, path, request->from->redirect->tag,
                  may_leave ? path->extra : SLICE(""));
}

static struct proxy_refusal diverted(struct proxy *proxy, const struct proxy_request *request,
                                     const struct screen_verdict *verdict, struct proxy_path *path)
{
    const struct rule_action *demand = verdict->demand;
    if (demand->target_kind == RULE_TARGET_URI)
        return moved(proxy, slice_of_text(demand->target), SLICE(""));
    const struct proxy_trunk *to =
        proxy_plan_find_trunk(proxy->snapshot.plan, slice_of_text(demand->target));
    path->request_uri = slice_make(NULL, 0);
    int status = to != NULL ? proxy_path_to_trunk(proxy, request, to, path) : 500;
    if (status != 0)
        return plain(status);
    struct slice contact = uri_at_target(proxy, request->message, path);
    return contact.data != NULL ? moved(proxy, contact, SLICE("")) : plain(500);
}

/* RFC 8688: the card, which somebody else has signed, says whom to turn to. */
static struct proxy_refusal rejected(struct proxy *proxy)
{
    struct slice card = screen_policy_settings(proxy->snapshot.policy)->redress_card;
    struct buffer *scratch = &proxy->scratch;
    size_t begun = scratch->length;
    if (card.length == 0)
        return plain(608);
    buffer_append_literal(scratch, "Call-Info: <");
    buffer_append(scratch, card);
    buffer_append_literal(scratch, ">;purpose=jwscard\r\n");
    return (struct proxy_refusal){608, SLICE(""),
                                  slice_make(scratch->data + begun, scratch->length - begun)};
}

static struct proxy_refusal blocked(struct proxy *proxy, enum proxy_redirect_block as,
                                    enum rule_profile decided)
{
    switch (as) {
    case PROXY_REDIRECT_403:
        return proxy_block(proxy, RULE_PROFILE_403);
    case PROXY_REDIRECT_603:
        return proxy_block(proxy, RULE_PROFILE_603);
    case PROXY_REDIRECT_603_PLUS:
        return proxy_block(proxy, RULE_PROFILE_603_PLUS);
    case PROXY_REDIRECT_608:
        return rejected(proxy);
    case PROXY_REDIRECT_AS_DECIDED:
        break;
    }
    return proxy_block(proxy, decided);
}

struct proxy_refusal proxy_redirect_answer(struct proxy *proxy, const struct proxy_request *request,
                                           const struct screen_verdict *verdict,
                                           struct proxy_path *path)
{
    const struct proxy_redirect_settings *settings = request->from->redirect;
    switch (verdict->action) {
    case RULE_BLOCK:
        return blocked(proxy, (enum proxy_redirect_block)settings->block, verdict->profile);
    case RULE_DIVERT:
        return diverted(proxy, request, verdict, path);
    case RULE_TAG:
        return tagged(proxy, request, verdict, path);
    case RULE_ALLOW:
    case RULE_LIMIT:
    case RULE_ACTION_COUNT:
        break;
    }
    return onward(proxy, request, path, settings->allow, SLICE(""));
}
