/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/settings.h"

#include <errno.h>
#include <netinet/in.h>

#include "config/document.h"
#include "number/normalise.h"
#include "screening/policy.h"

#define SIP_PORT 5060

static const struct conf_choice transport_choices[] = {
    {"udp", TP_PROTOCOL_UDP, "datagrams"},
    {"tcp", TP_PROTOCOL_TCP, "messages over connections"},
    {"tls", TP_PROTOCOL_TLS, "the same, encrypted (TLS 1.2 or 1.3); needs `tls`"},
    {NULL, 0, NULL},
};

static const struct conf_row listen_rows[] = {
    {.key = "address",
     .type = CONF_CUSTOM,
     CONF_FIELD(struct proxy_listen_settings, address),
     .format = &conf_format_address,
     .argument = SIP_PORT,
     .flags = CONF_REQUIRED | CONF_NEEDS_RESTART,
     .help = "Where SIP is received; the port is 5060 by default, with tls 5061. No wildcard: "
             "replies leave from the address that received, so each address is an entry of its "
             "own, and so is each transport. What is sent to a trunk leaves from an entry of the "
             "same transport in the trunk's network."},
    {.key = "transport",
     .type = CONF_CHOICE,
     CONF_FIELD(struct proxy_listen_settings, transport),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "udp",
     .choices = transport_choices,
     .help = "How messages travel."},
    {.key = "advertise",
     .type = CONF_TEXT,
     CONF_FIELD(struct proxy_listen_settings, advertise),
     .flags = CONF_NEEDS_RESTART,
     .max = 255,
     .help = "host or host:port that Via and Record-Route show instead of the address (NAT, a "
             "name)."},
    {.key = "network",
     .type = CONF_TEXT,
     CONF_FIELD(struct proxy_listen_settings, network),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "default",
     .min = 1,
     .max = 64,
     .help = "Name of the network that the address stands in. Trunks name the network by which "
             "they are reached."},
    {.key = "aliases",
     .type = CONF_TEXT_LIST,
     CONF_FIELD(struct proxy_listen_settings, aliases),
     .flags = CONF_NEEDS_RESTART,
     .min = 1,
     .max = 255,
     .help = "Further host[:port] texts by which peers know this address (virtual IP, names)."},
    {.key = "tls",
     .type = CONF_SECTION,
     CONF_FIELD(struct proxy_listen_settings, tls),
     .section = &tp_listener_tls_section,
     .help = "Certificates, for transport tls."},
};

/* The port that nobody wrote depends on the transport, which the address alone does not know. */
static void complete_port(const struct conf_node *node, struct proxy_listen_settings *listen)
{
    const struct conf_node *text = node != NULL ? conf_node_get(node, "address") : NULL;
    struct tp_address address;
    const in_port_t port = htons(tp_protocol_rows[listen->transport].port);
    if (text == NULL || text->kind != CONF_NODE_SCALAR ||
        tp_address_parse(text->text, 0, &address) != 0 || address.port != 0)
        return;
    if (listen->address.socket.any.sa_family == AF_INET)
        listen->address.socket.v4.sin_port = port;
    else
        listen->address.socket.v6.sin6_port = port;
}

static int check_certificates(struct conf_load *load, const struct conf_node *node,
                              const struct proxy_listen_settings *listen)
{
    bool is_tls = listen->transport == TP_PROTOCOL_TLS;
    bool has_tls = listen->tls.certificate.length > 0;
    if (is_tls == has_tls)
        return 0;
    if (is_tls)
        conf_load_error(load, node, "transport tls without a certificate");
    else
        conf_load_error(load, node != NULL ? conf_node_get(node, "tls") : NULL,
                        "tls, but the transport is %s", tp_protocol_rows[listen->transport].word);
    conf_report_expect(load->report, "%s",
                       is_tls ? "tls: {certificate: FILE, key: FILE}" : "transport: tls");
    return ERROR_CONFIG;
}

static int check_listen(struct conf_load *load, const struct conf_node *node, void *object)
{
    struct proxy_listen_settings *listen = object;
    const struct sockaddr *any = &listen->address.socket.any;
    bool wildcard = any->sa_family == AF_INET
                        ? listen->address.socket.v4.sin_addr.s_addr == htonl(INADDR_ANY)
                        : IN6_IS_ADDR_UNSPECIFIED(&listen->address.socket.v6.sin6_addr);
    complete_port(node, listen);
    if (!wildcard)
        return check_certificates(load, node, listen);
    conf_load_error(load, node != NULL ? conf_node_get(node, "address") : NULL,
                    "a wildcard address cannot be listened on");
    conf_report_expect(load->report, "one entry for each address, so that replies leave from the "
                                     "address that received");
    return ERROR_CONFIG;
}

const struct conf_section proxy_listen_section = {
    .name = "listen address",
    .help = "An address that SIP is received on.",
    CONF_ROWS(listen_rows),
    CONF_OBJECT(struct proxy_listen_settings),
    .check = check_listen,
};

static const struct conf_choice role_choices[] = {
    {"both", NUM_FOR_BOTH, NULL},
    {"caller", NUM_FOR_CALLER, NULL},
    {"callee", NUM_FOR_CALLEE, NULL},
    {NULL, 0, NULL},
};

static const struct conf_row number_rule_rows[] = {
    {.key = "match",
     .type = CONF_TEXT,
     CONF_FIELD(struct proxy_number_rule_settings, match),
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = 32,
     .help = "What the number starts with; x stands for any digit."},
    {.key = "strip",
     .type = CONF_INTEGER,
     CONF_FIELD(struct proxy_number_rule_settings, strip),
     .fallback = "0",
     .min = 0,
     .max = 32,
     .unit = "characters",
     .help = "How much is taken off its front."},
    {.key = "prepend",
     .type = CONF_TEXT,
     CONF_FIELD(struct proxy_number_rule_settings, prepend),
     .fallback = "",
     .max = 16,
     .help = "What is put there instead."},
    {.key = "min_length",
     .type = CONF_INTEGER,
     CONF_FIELD(struct proxy_number_rule_settings, min_length),
     .fallback = "0",
     .min = 0,
     .max = 64,
     .help = "Shorter numbers are left alone; 0 for no bound."},
    {.key = "max_length",
     .type = CONF_INTEGER,
     CONF_FIELD(struct proxy_number_rule_settings, max_length),
     .fallback = "0",
     .min = 0,
     .max = 64,
     .help = "Longer numbers are left alone; 0 for no bound."},
    {.key = "role",
     .type = CONF_CHOICE,
     CONF_FIELD(struct proxy_number_rule_settings, roles),
     .fallback = "both",
     .choices = role_choices,
     .help = "Whose number it applies to."},
};

static int check_number_rule(struct conf_load *load, const struct conf_node *node, void *object)
{
    const struct proxy_number_rule_settings *settings = object;
    struct num_rule rule = {
        .match = settings->match.data,
        .prepend = settings->prepend.data,
        .strip = settings->strip,
        .min_length = settings->min_length,
        .max_length = settings->max_length,
        .roles = (uint8_t)settings->roles,
    };
    if (num_rule_is_sound(&rule))
        return 0;
    conf_load_error(load, node, "match \"%.*s\" with prepend \"%.*s\" is no digit pattern",
                    SLICE_ARGS(settings->match), SLICE_ARGS(settings->prepend));
    conf_report_expect(load->report, "digits, '+', '*', '#', a to d, and 'x' in match");
    return ERROR_CONFIG;
}

static const struct conf_section number_rule_section = {
    .name = "numbering rule",
    .help = "One rewriting rule; the first that applies is the only one.",
    CONF_ROWS(number_rule_rows),
    CONF_OBJECT(struct proxy_number_rule_settings),
    .check = check_number_rule,
};

static const struct conf_row numbering_rows[] = {
    {.key = "name",
     .type = CONF_TEXT,
     CONF_FIELD(struct proxy_numbering_settings, name),
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = 64,
     .help = "How trunks refer to the table."},
    {.key = "rules",
     .type = CONF_SECTION_LIST,
     CONF_FIELD(struct proxy_numbering_settings, rules),
     .section = &number_rule_section,
     .help = "In order; the country's own dialling follows on the result."},
};

const struct conf_section proxy_numbering_section = {
    .name = "numbering table",
    .identity = "name",
    .help = "A table that rewrites a peer's numbers before the country's dialling is applied.",
    CONF_ROWS(numbering_rows),
    CONF_OBJECT(struct proxy_numbering_settings),
};

static const struct conf_row target_rows[] = {
    {.key = "target",
     .type = CONF_TEXT,
     CONF_FIELD(struct proxy_target_settings, target),
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = 320,
     .help = "An address, a host name, or a sip: URI with at most a port and a transport. A name "
             "without port is resolved by NAPTR, SRV and A or AAAA (RFC 3263), with a port by A or "
             "AAAA; what DNS changes takes effect without "
             "a reload. `sources` must cover its addresses all the same."},
    {.key = "priority",
     .type = CONF_INTEGER,
     CONF_FIELD(struct proxy_target_settings, priority),
     .fallback = "0",
     .min = 0,
     .max = 65535,
     .help = "Targets of the lowest number come first; others only where those do not serve."},
    {.key = "weight",
     .type = CONF_INTEGER,
     CONF_FIELD(struct proxy_target_settings, weight),
     .fallback = "1",
     .min = 0,
     .max = 65535,
     .help = "Its share of the calls among the targets of its priority; 0 for hardly any."},
};

static int check_target(struct conf_load *load, const struct conf_node *node, void *object)
{
    struct proxy_target_settings *target = object;
    struct conf_quote quote;
    if (tp_name_parse(target->target, &target->name) == 0)
        return 0;
    const struct conf_node *text = conf_node_get(node, "target");
    text = text != NULL ? text : node;
    conf_load_error(load, text, "target %s is neither an address nor a name",
                    conf_load_quote(load, text, &quote));
    conf_report_expect(load->report, "for example 10.0.0.1:5060, \"[2001:db8::1]:5060\", "
                                     "carrier.example or \"sip:carrier.example;transport=udp\"");
    return ERROR_CONFIG;
}

static const struct conf_section target_section = {
    .name = "target",
    .help = "Where calls to a trunk are sent: a target with its priority and weight.",
    CONF_ROWS(target_rows),
    CONF_OBJECT(struct proxy_target_settings),
    .check = check_target,
};

static int parse_target(struct conf_load *load, const struct conf_node *node,
                        struct proxy_target_settings *target)
{
    if (node->kind != CONF_NODE_SCALAR)
        return conf_section_load(load->document, node, &target_section, load->arena, load->report,
                                 target);
    *target =
        (struct proxy_target_settings){.target = arena_copy(load->arena, node->text), .weight = 1};
    return target->target.data != NULL ? check_target(load, node, target) : -ENOMEM;
}

/* All are read, so that every bad one is reported. */
static int parse_targets(struct conf_load *load, const struct conf_row *row,
                         const struct conf_node *node, void *field)
{
    struct conf_object_list *list = field;
    bool failed = false;
    bool several = node->kind == CONF_NODE_SEQUENCE;
    const struct conf_node *item = several ? node->first : node;
    size_t count = several ? node->count : 1;
    struct proxy_target_settings *items = arena_zalloc(load->arena, (count + 1) * sizeof(*items));
    (void)row;
    if (items == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++, item = item->next) {
        int error = parse_target(load, item, &items[i]);
        if (error == -ENOMEM)
            return error;
        failed = failed || error != 0;
    }
    list->items = items;
    list->count = count;
    return failed ? ERROR_CONFIG : 0;
}

static const struct conf_format format_targets = {
    .name = "list of targets",
    .example = "[\"10.0.0.1:5060\", {target: carrier.example, priority: 1, weight: 10}]",
    .size = sizeof(struct conf_object_list),
    .parse = parse_targets,
    .shape = CONF_SHAPE_SCALARS_OR_SECTIONS,
};

static const struct conf_choice sips_choices[] = {
#define SIPS_ROW(identifier, word, help) {word, PROXY_SIPS_##identifier, help},
    PROXY_SIPS_TABLE(SIPS_ROW)
#undef SIPS_ROW
};

static const struct conf_choice udp_size_choices[] = {
#define UDP_SIZE_ROW(identifier, word, help) {word, PROXY_UDP_SIZE_##identifier, help},
    PROXY_UDP_SIZE_TABLE(UDP_SIZE_ROW)
#undef UDP_SIZE_ROW
        {NULL, 0, NULL},
};

static const struct conf_choice origin_choices[] = {
#define ORIGIN_ROW(identifier, word) {word, SCREEN_ORIGIN_##identifier, NULL},
    SCREEN_ORIGIN_TABLE(ORIGIN_ROW)
#undef ORIGIN_ROW
        {NULL, 0, NULL},
};

static const struct conf_row trunk_rows[] = {
    {.key = "name",
     .type = CONF_TEXT,
     CONF_FIELD(struct proxy_trunk_settings, name),
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = 64,
     .help = "How routes, rules, counters and events call the trunk. Keep it: the calls under way "
             "at a restart are known by it."},
    {.key = "sources",
     .type = CONF_CUSTOM,
     CONF_FIELD(struct proxy_trunk_settings, sources),
     .format = &conf_format_network_list,
     .flags = CONF_REQUIRED,
     .help = "Addresses and networks that the peer sends from. Other sources get silence."},
    {.key = "network",
     .type = CONF_TEXT,
     CONF_FIELD(struct proxy_trunk_settings, network),
     .fallback = "default",
     .min = 1,
     .max = 64,
     .help = "The network of the listen address by which the peer is reached."},
    {.key = "origin",
     .type = CONF_CHOICE,
     CONF_FIELD(struct proxy_trunk_settings, origin),
     .fallback = "domestic",
     .choices = origin_choices,
     .help = "Where calls that come in here come from."},
    {.key = "country",
     .type = CONF_TEXT,
     CONF_FIELD(struct proxy_trunk_settings, country),
     .fallback = "CN",
     .min = 2,
     .max = 2,
     .help = "The country by whose dialling the peer writes numbers, and whose emergency numbers "
             "apply (ISO 3166)."},
    {.key = "area_code",
     .type = CONF_TEXT,
     CONF_FIELD(struct proxy_trunk_settings, area_code),
     .fallback = "",
     .max = 7,
     .help = "The area of local numbers."},
    {.key = "numbering",
     .type = CONF_TEXT,
     CONF_FIELD(struct proxy_trunk_settings, numbering),
     .fallback = "",
     .max = 64,
     .help = "A table of `numbering` that is applied first."},
    {.key = "originates",
     .type = CONF_TEXT_LIST,
     CONF_FIELD(struct proxy_trunk_settings, originates),
     .min = 1,
     .max = 20,
     .help = "Number prefixes in E.164 that are at home on this trunk. Only here do allow entries "
             "and protected lines count as callers; anywhere else they are imitations."},
    {.key = "trusted",
     .type = CONF_BOOLEAN,
     CONF_FIELD(struct proxy_trunk_settings, trusted),
     .fallback = "false",
     .help =
         "Believe the peer: its P-Asserted-Identity is the network number of a caller, and what "
         "says who somebody is crosses the trunk (`boundary` has the details)."},
    {.key = "boundary",
     .type = CONF_SECTION,
     CONF_FIELD(struct proxy_trunk_settings, boundary),
     .section = &proxy_boundary_section,
     .help = "Which headers that say who somebody is cross the trunk, where that shall not follow "
             "from `trusted`."},
    {.key = "redirect",
     .type = CONF_SECTION,
     CONF_FIELD(struct proxy_trunk_settings, redirect),
     .section = &proxy_redirect_section,
     .help = "Written, if only as {}: the peer asks with INVITEs and is answered 302, 404, 503 or "
             "6xx; no call of it passes through."},
    {.key = "open_targets",
     .type = CONF_BOOLEAN,
     CONF_FIELD(struct proxy_trunk_settings, open_targets),
     .fallback = "false",
     .help = "Allow requests within dialogs to go to addresses outside sources and targets."},
    {.key = "targets",
     .type = CONF_CUSTOM,
     CONF_FIELD(struct proxy_trunk_settings, targets),
     .format = &format_targets,
     .section = &target_section,
     .help = "Where calls to this trunk are sent: addresses and names, or entries of target, "
             "priority (0 first) and weight. Calls are spread over those of one priority by "
             "Call-ID. A target says its transport as a URI does: "
             "\"10.0.0.1:5061;transport=tls\"; without, an address is reached by UDP."},
    {.key = "udp_size",
     .type = CONF_CHOICE,
     CONF_FIELD(struct proxy_trunk_settings, udp_size),
     .fallback = "send",
     .choices = udp_size_choices,
     .help = "What becomes of a request to a target of UDP that is longer than 1300 bytes."},
    {.key = "sips",
     .type = CONF_CHOICE,
     CONF_FIELD(struct proxy_trunk_settings, sips),
     .fallback = "tls",
     .choices = sips_choices,
     .help = "How a request for a sips: URI goes to this trunk. Emergency calls go anyway."},
    {.key = "connections",
     .type = CONF_INTEGER,
     CONF_FIELD(struct proxy_trunk_settings, connections),
     .fallback = "0",
     .min = 0,
     .max = 1000000,
     .help = "Connections from and to this trunk at one time; 0 for no limit of its own."},
    {.key = "tls",
     .type = CONF_SECTION,
     CONF_FIELD(struct proxy_trunk_settings, tls),
     .section = &tp_peer_tls_section,
     .help = "Certificates towards this trunk."},
    {.key = "health",
     .type = CONF_SECTION,
     CONF_FIELD(struct proxy_trunk_settings, health),
     .section = &proxy_health_section,
     .help = "How the targets are watched (docs/trunks.md)."},
    {.key = "failover",
     .type = CONF_SECTION,
     CONF_FIELD(struct proxy_trunk_settings, failover),
     .section = &proxy_failover_section,
     .help = "When a call goes on to the next target."},
    {.key = "limits",
     .type = CONF_SECTION,
     CONF_FIELD(struct proxy_trunk_settings, limits),
     .section = &proxy_trunk_limits_section,
     .help = "How many calls it may make and get (docs/trunks.md)."},
    {.key = "overload",
     .type = CONF_SECTION,
     CONF_FIELD(struct proxy_trunk_settings, overload),
     .section = &proxy_overload_section,
     .help = "Overload control between us and this trunk (docs/overload.md)."},
};

const struct conf_section proxy_trunk_section = {
    .name = "trunk",
    .identity = "name",
    .help = "A neighbour.",
    CONF_ROWS(trunk_rows),
    CONF_OBJECT(struct proxy_trunk_settings),
};

static const struct conf_row route_rows[] = {
    {.key = "from",
     .type = CONF_TEXT,
     CONF_FIELD(struct proxy_route_settings, from),
     .fallback = "*",
     .min = 1,
     .max = 64,
     .help = "The trunk that the request came in by, or * for any."},
    {.key = "prefix",
     .type = CONF_TEXT,
     CONF_FIELD(struct proxy_route_settings, prefix),
     .fallback = "",
     .max = 64,
     .help = "What the user part of the Request-URI starts with, as it comes in. The longest "
             "prefix decides; at equal length a named trunk beats *."},
    {.key = "to",
     .type = CONF_TEXT,
     CONF_FIELD(struct proxy_route_settings, to),
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = 64,
     .help = "The trunk that it goes to."},
};

const struct conf_section proxy_route_section = {
    .name = "route",
    .help = "Which trunk a request goes to.",
    CONF_ROWS(route_rows),
    CONF_OBJECT(struct proxy_route_settings),
};

static const struct conf_row limit_rows[] = {
    {.key = "transactions",
     .type = CONF_INTEGER,
     CONF_FIELD(struct proxy_limits, transactions),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "400000",
     .min = 16,
     .max = 8000000,
     .unit = "per worker",
     .help = "Transactions under way; beyond it new requests are refused with 503."},
    {.key = "lingering",
     .type = CONF_INTEGER,
     CONF_FIELD(struct proxy_limits, lingering),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "4000000",
     .min = 16,
     .max = 64000000,
     .unit = "per worker",
     .help = "Records kept only to absorb and repeat; beyond it the oldest goes early."},
    {.key = "per_call",
     .type = CONF_INTEGER,
     CONF_FIELD(struct proxy_limits, per_call),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "64",
     .min = 4,
     .max = 65000,
     .help = "Transactions under way of one Call-ID."},
    {.key = "per_source",
     .type = CONF_INTEGER,
     CONF_FIELD(struct proxy_limits, per_source),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "400000",
     .min = 16,
     .max = 8000000,
     .help = "Transactions under way of one trunk."},
    {.key = "message_bytes",
     .type = CONF_SIZE,
     CONF_FIELD(struct proxy_limits, message_bytes),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "2G",
     .min = CONF_MIB(1),
     .max = CONF_GIB(256),
     .help = "Memory for message copies that transactions hold, per worker."},
    {.key = "calls",
     .type = CONF_INTEGER,
     CONF_FIELD(struct proxy_limits, calls),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "2000000",
     .min = 16,
     .max = 64000000,
     .unit = "per worker",
     .help = "Call records; a call beyond it goes on without one."},
    {.key = "max_call",
     .type = CONF_DURATION,
     CONF_FIELD(struct proxy_limits, max_call_us),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "4h",
     .min = CONF_MINUTES(1),
     .max = CONF_DAYS(7),
     .help = "After this time a call record ends whether or not a BYE was seen."},
    {.key = "timer_c",
     .type = CONF_DURATION,
     CONF_FIELD(struct proxy_limits, timer_c_us),
     .fallback = "185s",
     .min = CONF_SECONDS(1),
     .max = CONF_HOURS(1),
     .help = "How long an INVITE may stay without a final response (RFC 3261 Timer C: more than "
             "3 minutes)."},
    {.key = "emergency_rate",
     .type = CONF_INTEGER,
     CONF_FIELD(struct proxy_limits, emergency_rate),
     .fallback = "200",
     .min = 1,
     .max = 100000,
     .unit = "calls per second and worker",
     .help = "The cap of emergency calls, the only limit that they meet."},
    {.key = "t1",
     .type = CONF_DURATION,
     CONF_FIELD(struct proxy_limits, t1_us),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "500ms",
     .min = CONF_MS(20),
     .max = CONF_SECONDS(5),
     .help = "The round-trip time from which the timers of RFC 3261 follow."},
    {.key = "overload_begin",
     .type = CONF_DURATION,
     CONF_FIELD(struct proxy_limits, overload_begin_us),
     .fallback = "5ms",
     .min = CONF_MS(1),
     .max = CONF_SECONDS(10),
     .help = "How long datagrams may wait for a worker before regular expressions in rules are "
             "left unknown, and, when the wait lasts, some of the new calls refused with 503. "
             "Emergency calls and calls under way go on."},
    {.key = "overload_end",
     .type = CONF_DURATION,
     CONF_FIELD(struct proxy_limits, overload_end_us),
     .fallback = "20ms",
     .min = CONF_MS(2),
     .max = CONF_SECONDS(10),
     .help = "From here on it refuses all of them; in between, the share grows with the wait. "
             "listen sockets must be able to hold that much (receive_buffer)."},
    {.key = "overload_validity",
     .type = CONF_DURATION,
     CONF_FIELD(struct proxy_limits, overload_validity_us),
     .fallback = "500ms",
     .min = CONF_MS(100),
     .max = CONF_SECONDS(30),
     .help = "How long a peer with overload control is to hold back after each answer that asks "
             "for it (oc-validity of RFC 7339)."},
    {.key = "overload_retry_after",
     .type = CONF_DURATION,
     CONF_FIELD(struct proxy_limits, overload_retry_after_us),
     .fallback = "0s",
     .max = CONF_MINUTES(10),
     .help = "Retry-After of the 503 while every worker refuses all new calls, in whole seconds; "
             "0s: none. It makes most peers keep all calls away for that long, emergency calls "
             "included."},
    {.key = "drain_retry_after",
     .type = CONF_DURATION,
     CONF_FIELD(struct proxy_limits, drain_retry_after_us),
     .fallback = "30s",
     .max = CONF_HOURS(1),
     .help = "The same of the 503 while draining."},
};

static int check_limits(struct conf_load *load, const struct conf_node *node, void *object)
{
    const struct proxy_limits *limits = object;
    if (limits->overload_begin_us < limits->overload_end_us)
        return 0;
    conf_load_error(load, node != NULL ? conf_node_get(node, "overload_end") : NULL,
                    "overload_end must be longer than overload_begin");
    conf_report_expect(load->report, "for example 4 times as long");
    return ERROR_CONFIG;
}

const struct conf_section proxy_limits_section = {
    .name = "limits",
    .help = "Hard limits. Each is counted when it is reached.",
    CONF_ROWS(limit_rows),
    CONF_OBJECT(struct proxy_limits),
    .check = check_limits,
};
