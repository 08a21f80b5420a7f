/* SPDX-License-Identifier: Apache-2.0 */
#include "redirect_int.h"

#include <errno.h>
#include <limits.h>

/* A parsed value of Route. */
struct hop_uri {
    struct slice text; /* the URI without <> */
    struct smsg_uri uri;
    struct slice mark; /* our parameter; data == NULL: none */
    int listener;      /* ours: its index, else -1 */
};

struct route_walk {
    const struct smsg *message;
    const struct smsg_header *header;
    struct slice rest;
};

static bool next_route(struct route_walk *walk, struct slice *value)
{
    while (walk->header != NULL) {
        if (smsg_next_value(&walk->rest, value))
            return true;
        walk->header = smsg_next(walk->message, walk->header);
        if (walk->header != NULL)
            walk->rest = smsg_value(walk->message, walk->header);
    }
    return false;
}

static struct route_walk walk_routes(const struct smsg *message)
{
    struct route_walk walk = {message, smsg_first(message, SMSG_HEADER_ROUTE), SLICE("")};
    if (walk.header != NULL)
        walk.rest = smsg_value(message, walk.header);
    return walk;
}

/* The transport that a URI asks for (RFC 3263 section 4.1); -1: it says nothing, or none of ours.
 */
static int named_protocol(const struct smsg_uri *uri)
{
    struct slice value, whole;
    if (proxy_uri_is_sips(uri))
        return TP_PROTOCOL_TLS;
    if (uri->params.length == 0 || !smsg_param(uri->params, "transport", &value, &whole))
        return -1;
    return tp_protocol_of(value);
}

/* Section 19.1.2. */
uint16_t proxy_uri_port(const struct smsg_uri *uri)
{
    int protocol = named_protocol(uri);
    if (uri->port != 0)
        return uri->port;
    return tp_protocol_rows[protocol >= 0 ? protocol : TP_PROTOCOL_UDP].port;
}

static int parse_hop(const struct proxy *proxy, struct slice text, struct hop_uri *hop)
{
    hop->text = text;
    hop->mark = slice_make(NULL, 0);
    hop->listener = -1;
    if (smsg_uri_parse(text, &hop->uri) != 0)
        return ERROR_MALFORMED;
    if (hop->uri.host.length == 0)
        return 0;
    hop->listener =
        tp_group_find_listener(proxy->parts.group, hop->uri.host, proxy_uri_port(&hop->uri));
    struct slice value, whole;
    if (smsg_param(hop->uri.params, "rf", &value, &whole))
        hop->mark = value;
    return 0;
}

static int parse_route(const struct proxy *proxy, struct slice value, struct hop_uri *hop)
{
    struct smsg_address address;
    if (smsg_address_parse(value, &address) != 0)
        return ERROR_MALFORMED;
    return parse_hop(proxy, address.uri, hop);
}

/* Of a sip: or sips: URI; what a tel: URI calls so means nothing. */
static bool find_maddr(const struct smsg_uri *uri, struct slice *maddr)
{
    struct slice whole;
    return uri->host.length > 0 && smsg_param(uri->params, "maddr", maddr, &whole) &&
           maddr->length > 0;
}

/* Where a URI sends a request: to its maddr, else to its host (RFC 3261 section 19.1.1). An error
 * when that is a name. */
static int uri_address(const struct smsg_uri *uri, struct tp_address *address)
{
    struct slice maddr;
    bool aimed = find_maddr(uri, &maddr);
    return tp_address_from_host(aimed ? maddr : uri->host, proxy_uri_port(uri), address);
}

int proxy_uri_listener(const struct proxy_trunk *to, const struct smsg_uri *uri,
                       struct tp_address *address)
{
    int protocol = named_protocol(uri);
    if (protocol >= 0 && proxy_trunk_listener(to, address, protocol) >= 0)
        return proxy_trunk_listener(to, address, protocol);
    protocol = proxy_trunk_protocol(to, address);
    if (uri->port == 0)
        address->port = tp_protocol_rows[protocol].port;
    return proxy_trunk_listener(to, address, protocol);
}

/*
 * A value just as we write it into Record-Route, which is what nearly every peer sends back: told
 * by its text alone, without reading it as a URI. False: it has to be read.
 */
static bool parse_own_route(const struct proxy *proxy, struct slice value, struct hop_uri *hop)
{
    for (size_t i = 0; i < proxy->listener_count; i++) {
        struct slice start = proxy->listeners[i].route_start;
        if (value.length != start.length + IDENT_ROUTE_LENGTH + 1 ||
            memcmp(value.data, start.data, start.length) != 0)
            continue;
        struct slice mark = slice_make(value.data + start.length, IDENT_ROUTE_LENGTH);
        /* A longer list of parameters would have one of these two here. */
        if (*slice_past(mark) != '>' || memchr(mark.data, ';', mark.length) != NULL)
            return false;
        *hop = (struct hop_uri){.mark = mark, .listener = (int)i};
        return true;
    }
    return false;
}

/* What preprocessing (section 16.4) leaves. */
struct preprocessed {
    struct hop_uri request_uri; /* after the strict-router rewrite */
    struct slice mark;          /* of the Route or Request-URI that was ours */
    bool next_present;
    struct hop_uri next; /* the topmost Route value that is not ours */
};

/* The port is left out, and of the parameters those that belong to maddr. */
static struct slice text_without_maddr(struct proxy *proxy, const struct hop_uri *hop)
{
    struct buffer *scratch = &proxy->scratch;
    size_t begun = scratch->length;
    const struct smsg_uri *uri = &hop->uri;
    const char *host_end = slice_past(uri->host) + (uri->host_is_ipv6 ? 1 : 0);
    buffer_append(scratch, slice_between(hop->text.data, host_end));
    for (struct slice rest = uri->params; rest.length > 0;) {
        struct slice param = slice_first(rest, 1 + slice_find(slice_from(rest, 1), ';'));
        struct slice name = slice_from(slice_first(param, slice_find(param, '=')), 1);
        if (!slice_equal_nocase(name, SLICE("maddr")) &&
            !slice_equal_nocase(name, SLICE("transport")))
            buffer_append(scratch, param);
        rest = slice_from(rest, param.length);
    }
    return slice_make(scratch->data + begun, scratch->length - begun);
}

/* Section 16.4: a maddr that names us, and the port that the request came to, has done its work. */
static int strip_maddr(struct proxy *proxy, const struct proxy_request *request,
                       struct proxy_path *path, struct hop_uri *request_uri)
{
    const struct tp_group *group = proxy->parts.group;
    const struct smsg_uri *uri = &request_uri->uri;
    struct slice maddr;
    if (!find_maddr(uri, &maddr))
        return 0;
    uint16_t port = tp_group_listener(group, request->packet->listener)->address.port;
    if (proxy_uri_port(uri) != port || tp_group_find_listener(group, maddr, port) < 0)
        return 0;
    path->request_uri = text_without_maddr(proxy, request_uri);
    return proxy->scratch.overflow ? 513 : parse_hop(proxy, path->request_uri, request_uri);
}

static int preprocess(struct proxy *proxy, const struct proxy_request *request,
                      struct proxy_path *path, struct preprocessed *out)
{
    const struct smsg *message = request->message;
    struct slice value, last = slice_make(NULL, 0);
    unsigned total = 0;

    if (parse_hop(proxy, message->request_uri, &out->request_uri) != 0)
        return 400;
    /* A strict router put our Record-Route URI into the Request-URI and the rest behind it. */
    bool may_be_rewritten = out->request_uri.listener >= 0 && out->request_uri.mark.data != NULL;
    if (may_be_rewritten)
        for (struct route_walk walk = walk_routes(message); next_route(&walk, &value); total++)
            last = value;
    if (total > 0) {
        struct smsg_address address;
        out->mark = out->request_uri.mark;
        if (smsg_address_parse(last, &address) != 0 ||
            parse_hop(proxy, address.uri, &out->request_uri) != 0)
            return 400;
        path->request_uri = address.uri;
        path->pop_last_route = true;
        total--;
    } else {
        total = UINT_MAX; /* not counted: all of them are hops */
    }
    int status = strip_maddr(proxy, request, path, &out->request_uri);
    if (status != 0)
        return status > 0 ? status : 400;
    unsigned index = 0;
    for (struct route_walk walk = walk_routes(message); index < total && next_route(&walk, &value);
         index++) {
        struct hop_uri hop;
        if (!parse_own_route(proxy, value, &hop) && parse_route(proxy, value, &hop) != 0)
            return 400;
        if (hop.listener < 0) {
            out->next = hop;
            out->next_present = true;
            break;
        }
        if (out->mark.data == NULL)
            out->mark = hop.mark;
        path->route_pops++;
    }
    return 0;
}

/* Where the INVITE of a call that we hold went: its other requests go there too. */
static bool find_place(struct proxy *proxy, const struct proxy_request *request,
                       const struct proxy_trunk *to, uint8_t *place)
{
    const struct smsg *message = request->message;
    const struct call_record *call = message->to.tag.length > 0
                                         ? call_find(proxy->parts.calls, message->call_id,
                                                     message->from.tag, request->from->mark)
                                         : NULL;
    if (call == NULL || call_summary_of(call).trunk_out != to->mark)
        return false;
    *place = call_summary_of(call).place_out;
    return true;
}

static bool travels_without_state(const struct smsg *message)
{
    return message->method == SMSG_METHOD_ACK || message->method == SMSG_METHOD_CANCEL;
}

/* RFC 7339 section 5.10.1: what begins something new yields to dialogs, and to emergency calls. Who
 * only asks for a verdict is told of the way and loads nobody. */
static bool can_yield(const struct proxy_request *request, const struct proxy_path *path)
{
    return !path->in_dialog && request->from->redirect == NULL &&
           (request->message->to.tag.length == 0 || path->record_route);
}

static int choose_serving(struct proxy *proxy, const struct proxy_request *request,
                          const struct proxy_trunk *to, const struct proxy_path *path,
                          bool only_tls, struct proxy_chosen *chosen)
{
    const struct smsg *message = request->message;
    bool refuses = to->health.all_down == PROXY_ALL_DOWN_REFUSE;
    bool urgent =
        (refuses || to->overload.ask) && screen_is_emergency(message, &request->from->screen);
    const struct proxy_wish wish = {
        .call_id = message->call_id,
        .only_tls = only_tls,
        .now_us = request->packet->received_us,
        .only_serving = refuses && !urgent,
        .yields = !urgent && can_yield(request, path),
    };
    return proxy_trunk_choose(to, proxy->parts.health, &proxy->parts.marks->steering, &wish,
                              chosen);
}

/* The status to refuse with when there is no target to choose. */
static uint16_t refuse_path(struct proxy *proxy, const struct proxy_trunk *to, int error)
{
    struct stats_shard *stats = proxy->parts.stats;
    if (error == ERROR_UNAVAILABLE) {
        stats_count(stats, STATS_ALL_DOWN);
        return 500;
    }
    if (error == ERROR_LIMIT) {
        stats_count(stats, STATS_THROTTLED);
        stats_count_label(stats, STATS_FAMILY_TRUNK_THROTTLED, to->label_throttled);
        return 503;
    }
    bool unresolved = to->target_count > 0;
    stats_count(stats, unresolved ? STATS_UNRESOLVED : STATS_NO_ROUTE);
    return unresolved ? 503 : 404;
}

/*
 * The trunk's target for the call: 0, or the status to refuse with. What travels without state goes
 * by the order of the Call-ID alone, whatever serves now: see proxy_relay_stateless().
 */
static int choose_target(struct proxy *proxy, const struct proxy_request *request,
                         const struct proxy_trunk *to, struct proxy_path *path)
{
    struct proxy_chosen chosen;
    bool only_tls = proxy_needs_tls(request, to, path);
    uint8_t place = request->place;
    int error = 0;
    bool held = find_place(proxy, request, to, &place);
    bool blind = !held && travels_without_state(request->message);
    if (held || blind)
        error = proxy_trunk_place(to, proxy->parts.health, &proxy->parts.marks->steering,
                                  request->message->call_id, place, only_tls, &chosen)
                    ? 0
                    : ERROR_NOT_FOUND;
    else
        error = choose_serving(proxy, request, to, path, only_tls, &chosen);
    if (error == -EPROTONOSUPPORT)
        return proxy_refuse_sips(proxy, request, to);
    if (error != 0)
        return refuse_path(proxy, to, error);
    if (chosen.passed_over)
        stats_count(proxy->parts.stats, STATS_TARGETS_PASSED_OVER);
    path->next_hop = chosen.choice.target->address;
    path->target_host = chosen.choice.host;
    path->listener =
        (uint16_t)proxy_trunk_listener(to, &path->next_hop, chosen.choice.target->protocol);
    path->pulse = chosen.pulse;
    path->place = chosen.place;
    path->others = held ? 0 : chosen.others;
    return 0;
}

void proxy_path_fix(struct proxy_path *path)
{
    path->pulse = NULL;
    path->place = 0;
    path->others = 0;
}

/* A request of a dialog goes where its Route or Request-URI says, within the trunk. */
static int path_in_dialog(struct proxy *proxy, const struct proxy_request *request,
                          const struct preprocessed *pre, const struct ident_route *route,
                          struct proxy_path *path)
{
    const struct proxy_plan *plan = proxy->snapshot.plan;
    const struct proxy_trunk *to =
        proxy_plan_trunk_by_mark(plan, route->reversed ? route->ingress : route->egress);
    if (to == NULL) {
        stats_count(proxy->parts.stats, STATS_NO_ROUTE);
        return 404; /* the trunk was removed by a reload */
    }
    const struct smsg_uri *uri = pre->next_present ? &pre->next.uri : &pre->request_uri.uri;
    path->to = to;
    path->in_dialog = true;
    path->reversed = route->reversed;

    /* A name is resolved by where the trunk is: its target. */
    if (uri_address(uri, &path->next_hop) != 0) {
        int status = choose_target(proxy, request, to, path);
        if (!travels_without_state(request->message))
            path->others = 0; /* section 12.2.1.1: a dialog's requests have one way */
        return status;
    }
    if (!to->open_targets && !proxy_trunk_owns(to, &path->next_hop, request->packet->received_us)) {
        stats_count(proxy->parts.stats, STATS_FOREIGN_NEXT_HOP);
        return 403;
    }
    int listener = proxy_uri_listener(to, uri, &path->next_hop);
    if (listener < 0)
        return 500;
    path->listener = (uint16_t)listener;
    return 0;
}

/* A Request-URI that names us is aimed at the target instead, the user part kept. */
static void retarget(struct proxy *proxy, const struct hop_uri *request_uri,
                     struct proxy_path *path)
{
    if (request_uri->listener < 0)
        return;
    path->retargeted = true;
    struct buffer *scratch = &proxy->scratch;
    size_t begun = scratch->length;
    const struct smsg_uri *uri = &request_uri->uri;
    /* The host stands in the text with brackets when it is IPv6. */
    const char *host = uri->host.data - (uri->host_is_ipv6 ? 1 : 0);
    buffer_append(scratch, slice_between(request_uri->text.data, host));
    if (path->target_host.data != NULL)
        buffer_append(scratch, path->target_host);
    else
        tp_address_append(scratch, &path->next_hop);
    buffer_append(scratch, uri->params);
    if (uri->headers.length > 0) {
        buffer_append_char(scratch, '?');
        buffer_append(scratch, uri->headers);
    }
    path->request_uri = slice_make(scratch->data + begun, scratch->length - begun);
}

static int aim_at_trunk(struct proxy *proxy, const struct proxy_request *request,
                        const struct hop_uri *request_uri, const struct proxy_trunk *to,
                        struct proxy_path *path)
{
    int status = choose_target(proxy, request, to, path);
    if (status != 0)
        return status;
    path->to = to;
    retarget(proxy, request_uri, path);
    return proxy->scratch.overflow ? 513 : 0;
}

int proxy_path_to_trunk(struct proxy *proxy, const struct proxy_request *request,
                        const struct proxy_trunk *to, struct proxy_path *path)
{
    struct hop_uri request_uri;
    struct slice text =
        path->request_uri.data != NULL ? path->request_uri : request->message->request_uri;
    if (parse_hop(proxy, text, &request_uri) != 0)
        return 400;
    return aim_at_trunk(proxy, request, &request_uri, to, path);
}

/* Outside a dialog the table of routes decides; a Route that is left, or without one a maddr
 * (section 16.5), must agree with it. */
static int path_by_table(struct proxy *proxy, const struct proxy_request *request,
                         const struct preprocessed *pre, struct proxy_path *path)
{
    char memory[256];
    struct slice user = smsg_unescape(pre->request_uri.uri.user, memory, sizeof(memory));
    const struct proxy_trunk *to =
        proxy_plan_route(proxy->snapshot.plan, request->from, user.data != NULL ? user : SLICE(""));
    if (to == NULL) {
        stats_count(proxy->parts.stats, STATS_NO_ROUTE);
        return 404;
    }
    int status = aim_at_trunk(proxy, request, &pre->request_uri, to, path);
    const struct smsg_uri *uri = pre->next_present ? &pre->next.uri : &pre->request_uri.uri;
    struct slice maddr;
    if (status != 0 || (!pre->next_present && !find_maddr(uri, &maddr)))
        return status;
    struct tp_address next_hop;
    if (uri_address(uri, &next_hop) != 0)
        return 0;
    if (!to->open_targets && !proxy_trunk_owns(to, &next_hop, request->packet->received_us)) {
        if (!pre->next_present && screen_is_emergency(request->message, &request->from->screen))
            return 0; /* goes where the table says rather than nowhere */
        stats_count(proxy->parts.stats, STATS_FOREIGN_NEXT_HOP);
        return 403;
    }
    int listener = proxy_uri_listener(to, uri, &next_hop);
    proxy_path_fix(path);
    if (listener < 0)
        return 500;
    path->next_hop = next_hop;
    path->listener = (uint16_t)listener;
    return 0;
}

/*
 * A peer that ignores Record-Route (RFC 2543, simple test clients) sends the requests of a dialog
 * without Route. A call that we hold ourselves needs no mark: its record says where it went.
 */
static int path_of_known_call(struct proxy *proxy, const struct proxy_request *request,
                              const struct preprocessed *pre, struct proxy_path *path)
{
    const struct smsg *message = request->message;
    const struct proxy_plan *plan = proxy->snapshot.plan;
    const struct proxy_trunk *to = NULL;
    struct call_record *call =
        call_find(proxy->parts.calls, message->call_id, message->from.tag, request->from->mark);
    if (call != NULL) {
        to = proxy_plan_trunk_by_mark(plan, call_summary_of(call).trunk_out);
    } else if (path_by_table(proxy, request, pre, path) == 0 &&
               call_find(proxy->parts.calls, message->call_id, message->to.tag, path->to->mark)) {
        to = path->to;
        path->reversed = true;
    }
    if (to == NULL)
        return ERROR_NOT_FOUND;
    int status = proxy_path_to_trunk(proxy, request, to, path);
    if (status != 0)
        return status;
    path->in_dialog = true;
    path->others = 0;
    /* A Contact of the other side beats the target, when it is the trunk's. */
    const struct smsg_uri *uri = &pre->request_uri.uri;
    struct tp_address contact;
    if (pre->request_uri.listener >= 0 || uri_address(uri, &contact) != 0 ||
        !proxy_trunk_owns(to, &contact, request->packet->received_us))
        return 0;
    int listener = proxy_uri_listener(to, uri, &contact);
    if (listener >= 0) {
        path->next_hop = contact;
        path->pulse = NULL;
        path->listener = (uint16_t)listener;
    }
    return 0;
}

static bool creates_dialog(uint8_t method)
{
    return method == SMSG_METHOD_INVITE || method == SMSG_METHOD_SUBSCRIBE ||
           method == SMSG_METHOD_REFER;
}

/* DESIGN section 2: nobody turns us into an open relay by writing a To-tag and a Route. */
static int path_unverified(struct proxy *proxy, const struct proxy_request *request,
                           const struct preprocessed *pre, struct proxy_path *path)
{
    const struct smsg *message = request->message;
    bool routed = smsg_first(message, SMSG_HEADER_ROUTE) != NULL || pre->mark.data != NULL;
    if (!routed) {
        struct slice request_uri = path->request_uri;
        int status = path_of_known_call(proxy, request, pre, path);
        if (status != ERROR_NOT_FOUND)
            return status;
        path->request_uri = request_uri;
    }
    if (message->method == SMSG_METHOD_ACK || message->method == SMSG_METHOD_CANCEL) {
        /* Without a Route it can only mean the INVITE of its branch, which the table routed. */
        if (!routed)
            return path_by_table(proxy, request, pre, path);
        stats_count(proxy->parts.stats,
                    message->method == SMSG_METHOD_ACK ? STATS_STRAY_ACKS : STATS_FORGED_ROUTES);
        return message->method == SMSG_METHOD_ACK ? PROXY_SILENCE : 403;
    }
    stats_count(proxy->parts.stats, STATS_FORGED_ROUTES);
    if (message->method != SMSG_METHOD_INVITE)
        return 403;
    path->record_route = true;
    return path_by_table(proxy, request, pre, path);
}

/* Section 16.3 item 4 and RFC 5393: our own branch below, with the same routing inputs. */
static bool is_loop(const struct smsg *message, uint32_t loop)
{
    const struct smsg_header *via = smsg_first(message, SMSG_HEADER_VIA);
    for (; via != NULL; via = smsg_next(message, via)) {
        struct slice rest = smsg_value(message, via);
        const char *at;
        while ((at = memmem(rest.data, rest.length, "z9hG4bKrf", 9)) != NULL) {
            rest = slice_between(at, slice_past(rest));
            struct slice branch = slice_first(rest, IDENT_BRANCH_LENGTH);
            if (ident_branch_has_form(branch) && ident_branch_loop(branch) == loop)
                return true;
            rest = slice_from(rest, 9);
        }
    }
    return false;
}

/* Section 16.6 item 6: a hop without `lr` is a strict router. It wants itself as Request-URI, and
 * takes the Request-URI that it shall use from the last Route value. */
static void suit_strict_router(struct proxy *proxy, const struct smsg *message,
                               const struct preprocessed *pre, struct proxy_path *path)
{
    struct slice value, whole;
    if (!pre->next_present || smsg_param(pre->next.uri.params, "lr", &value, &whole))
        return;
    struct buffer *scratch = &proxy->scratch;
    size_t begun = scratch->length;
    buffer_append_literal(scratch, "Route: <");
    buffer_append(scratch,
                  path->request_uri.data != NULL ? path->request_uri : message->request_uri);
    buffer_append_literal(scratch, ">\r\n");
    path->last_route = slice_make(scratch->data + begun, scratch->length - begun);
    path->request_uri = pre->next.text;
    path->route_pops++;
}

/* The path of a request that has been preprocessed. */
static int choose_path(struct proxy *proxy, const struct proxy_request *request,
                       const struct preprocessed *pre, struct proxy_path *path)
{
    const struct smsg *message = request->message;
    struct ident_route route;
    if (message->to.tag.length == 0) {
        path->record_route = creates_dialog(message->method);
        return path_by_table(proxy, request, pre, path);
    }
    if (pre->mark.data != NULL &&
        ident_route_verify(proxy->parts.marks, pre->mark, message->call_id, message->from.tag,
                           message->to.tag, &route) == 0)
        return path_in_dialog(proxy, request, pre, &route, path);
    return path_unverified(proxy, request, pre, path);
}

/* Of all lines: the first of them may be ours, and the same each time that a spiral comes by. */
static uint32_t loop_of(const struct proxy *proxy, const struct smsg *message)
{
    struct slice lines[SMSG_VALUE_LIMIT];
    size_t count = 0;
    const struct smsg_header *route = smsg_first(message, SMSG_HEADER_ROUTE);
    for (; route != NULL && count < SMSG_VALUE_LIMIT; route = smsg_next(message, route))
        lines[count++] = smsg_value(message, route);
    return ident_loop(proxy->parts.marks, message->request_uri, lines, count);
}

bool proxy_is_for_us(struct proxy *proxy, const struct proxy_request *request)
{
    const struct smsg *message = request->message;
    struct hop_uri request_uri, hop;
    struct slice value;
    if (message->method != SMSG_METHOD_OPTIONS ||
        parse_hop(proxy, message->request_uri, &request_uri) != 0 || request_uri.listener < 0 ||
        request_uri.uri.user.length > 0)
        return false;
    for (struct route_walk walk = walk_routes(message); next_route(&walk, &value);)
        /* With our mark a strict router put it there, and it is not what is asked for. */
        if (request_uri.mark.data != NULL || parse_route(proxy, value, &hop) != 0 ||
            hop.listener < 0)
            return false;
    return true;
}

int proxy_find_path(struct proxy *proxy, const struct proxy_request *request,
                    struct proxy_path *path)
{
    const struct smsg *message = request->message;
    struct preprocessed pre;
    memset(path, 0, sizeof(*path));
    memset(&pre, 0, sizeof(pre));
    path->loop = loop_of(proxy, message);
    if (is_loop(message, path->loop)) {
        stats_count(proxy->parts.stats, STATS_LOOPS);
        return 482;
    }
    int status = preprocess(proxy, request, path, &pre);
    path->sips = proxy_uri_is_sips(&pre.request_uri.uri) ||
                 (pre.next_present && proxy_uri_is_sips(&pre.next.uri));
    if (status == 0)
        status = choose_path(proxy, request, &pre, path);
    if (status == 0)
        status = proxy_check_sips(proxy, request, path);
    if (status == 0)
        suit_strict_router(proxy, message, &pre, path);
    return status;
}

/* A question needs no way on, only to be told of one. */
int proxy_find_redirect(struct proxy *proxy, const struct proxy_request *request,
                        struct proxy_path *path)
{
    struct preprocessed pre;
    char memory[256];
    memset(path, 0, sizeof(*path));
    memset(&pre, 0, sizeof(pre));
    int status = preprocess(proxy, request, path, &pre);
    if (status != 0)
        return status;
    struct slice user = smsg_unescape(pre.request_uri.uri.user, memory, sizeof(memory));
    const struct proxy_trunk *to =
        proxy_plan_route(proxy->snapshot.plan, request->from, user.data != NULL ? user : SLICE(""));
    if (to != NULL && choose_target(proxy, request, to, path) == 0)
        path->to = to;
    return 0;
}
