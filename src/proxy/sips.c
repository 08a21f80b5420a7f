/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is for a sips: URI goes by TLS on every hop (RFC 3261 section 26.2.2; RFC 5630 section
 * 5.3, which took the exception for the last hop away), or not at all.
 */
#include "path_int.h"

#define SIPS_LINES_PER_SECOND 5

bool proxy_uri_is_sips(const struct smsg_uri *uri)
{
    return slice_equal_nocase(uri->scheme, SLICE("sips"));
}

bool proxy_needs_tls(const struct proxy_request *request, const struct proxy_trunk *to,
                     const struct proxy_path *path)
{
    return path->sips && to->sips == PROXY_SIPS_TLS &&
           !screen_is_emergency(request->message, &request->from->screen);
}

int proxy_refuse_sips(struct proxy *proxy, const struct proxy_request *request,
                      const struct proxy_trunk *to)
{
    char source[TP_ADDRESS_TEXT];
    char uri[128];
    uint32_t held_back;
    stats_count(proxy->parts.stats, STATS_SIPS_REFUSED);
    if (log_limit_pass(&proxy->log_sips, SIPS_LINES_PER_SECOND, request->packet->received_us,
                       &held_back))
        log_warning("proxy",
                    "trunk %.*s, %s: \"%s\" is not for trunk %.*s, which it does not reach by TLS: "
                    "a target with transport tls, or sips: any (%u similar lines held back)",
                    SLICE_ARGS(request->from->screen.name),
                    tp_address_text(&request->packet->source, source),
                    log_slice(uri, sizeof(uri), request->message->request_uri),
                    SLICE_ARGS(to->screen.name), held_back);
    return 480;
}

int proxy_check_sips(struct proxy *proxy, const struct proxy_request *request,
                     const struct proxy_path *path)
{
    bool by_tls = proxy_plan_protocol(proxy->snapshot.plan, path->listener) == TP_PROTOCOL_TLS;
    return by_tls || !proxy_needs_tls(request, path->to, path)
               ? 0
               : proxy_refuse_sips(proxy, request, path->to);
}

struct slice proxy_keep_scheme(struct proxy *proxy, const struct smsg *message, struct slice uri)
{
    const struct slice sip = SLICE("sip:"), sips = SLICE("sips:");
    struct buffer *scratch = &proxy->scratch;
    size_t begun = scratch->length;
    if (slice_starts_with_nocase(message->request_uri, sips) &&
        slice_starts_with_nocase(uri, sip)) {
        buffer_append(scratch, sips);
        buffer_append(scratch, slice_from(uri, sip.length));
    } else if (slice_starts_with_nocase(message->request_uri, sip) &&
               slice_starts_with_nocase(uri, sips)) {
        buffer_append(scratch, sip);
        buffer_append(scratch, slice_from(uri, sips.length));
    } else {
        return uri;
    }
    return slice_make(scratch->data + begun, scratch->length - begun);
}

struct slice proxy_refusal_lines(int status)
{
    /* RFC 5630 section 5.3; nothing else is refused with 480. */
    return status == 480 ? SLICE("Warning: 380 ringfence \"SIPS Not Allowed\"\r\n") : SLICE("");
}
