/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/settings.h"

enum { HEP_PORT = 9060 };

static const struct conf_row tap_rows[] = {
    {.key = "interfaces",
     .type = CONF_TEXT_LIST,
     CONF_FIELD(struct tap_settings, interfaces),
     .flags = CONF_NEEDS_RESTART,
     .min = 1,
     .max = 15,
     .help = "Network interfaces that are listened to, such as eth1; \"any\" for all. One that is "
             "not there, or goes down, is tried again every second."},
    {.key = "ports",
     .type = CONF_TEXT_LIST,
     CONF_FIELD(struct tap_settings, ports),
     .flags = CONF_NEEDS_RESTART,
     .min = 1,
     .max = 5,
     .help = "Ports that SIP is on, so that the kernel filters; fragments and tunnels always come "
             "through. Without them SIP is found on any port."},
    {.key = "filter",
     .type = CONF_TEXT,
     CONF_FIELD(struct tap_settings, filter),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "",
     .max = 2000,
     .help =
         "A filter as tcpdump takes it (pcap-filter(7)), instead of that of `ports`. \"port\" in "
         "it loses all fragments but the first."},
    {.key = "snap_length",
     .type = CONF_SIZE,
     CONF_FIELD(struct tap_settings, snap_length),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "65535",
     .min = 256,
     .max = 262144,
     .help = "Bytes of each packet that are captured."},
    {.key = "buffer",
     .type = CONF_SIZE,
     CONF_FIELD(struct tap_settings, buffer),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "64M",
     .min = CONF_MIB(1),
     .max = CONF_GIB(1),
     .help = "The kernel's buffer of each interface."},
    {.key = "promiscuous",
     .type = CONF_BOOLEAN,
     CONF_FIELD(struct tap_settings, promiscuous),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "true",
     .help = "Take frames for others too, as they come from a mirror port."},
    {.key = "trunk",
     .type = CONF_TEXT,
     CONF_FIELD(struct tap_settings, trunk),
     .fallback = "",
     .max = 64,
     .help = "The trunk by which calls are judged whose source belongs to none; without one they "
             "are counted and not judged."},
    {.key = "hep",
     .type = CONF_CUSTOM,
     CONF_FIELD(struct tap_settings, hep),
     .format = &conf_format_address_list,
     .argument = HEP_PORT,
     .flags = CONF_NEEDS_RESTART,
     .help = "Where capture agents send HEP (version 3), over UDP and TCP."},
    {.key = "hep_sources",
     .type = CONF_CUSTOM,
     CONF_FIELD(struct tap_settings, hep_sources),
     .format = &conf_format_network_list,
     .flags = CONF_NEEDS_RESTART,
     .help = "Addresses and networks of the agents. Others get silence."},
};

static bool read_port(struct slice text, uint16_t *port)
{
    uint64_t value;
    if (slice_to_uint64(text, UINT16_MAX, &value) != 0 || value == 0)
        return false;
    *port = (uint16_t)value;
    return true;
}

size_t tap_settings_ports(const struct tap_settings *settings, uint16_t ports[TAP_PORTS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < settings->ports.count && count < TAP_PORTS_MAX; i++)
        count += read_port(settings->ports.items[i], &ports[count]) ? 1 : 0;
    return count;
}

static int too_many(struct conf_load *load, const struct conf_node *at, const char *what,
                    size_t count, size_t most)
{
    if (count <= most)
        return 0;
    conf_load_error(load, at, "%zu %s; at most %zu", count, what, most);
    return ERROR_CONFIG;
}

static int check_tap(struct conf_load *load, const struct conf_node *node, void *object)
{
    const struct tap_settings *settings = object;
    const struct conf_node *ports = node != NULL ? conf_node_get(node, "ports") : NULL;
    uint16_t port;
    for (size_t i = 0; i < settings->ports.count; i++)
        if (!read_port(settings->ports.items[i], &port)) {
            conf_load_error(load, ports, "\"%.*s\" is no port",
                            SLICE_ARGS(settings->ports.items[i]));
            conf_report_expect(load->report, "a number from 1 to 65535, such as 5060");
            return ERROR_CONFIG;
        }
    if (settings->hep.count > 0 && settings->hep_sources.count == 0) {
        conf_load_error(load, node != NULL ? conf_node_get(node, "hep") : NULL,
                        "hep without hep_sources: no agent could be heard");
        return ERROR_CONFIG;
    }
    int error = too_many(load, ports, "ports", settings->ports.count, TAP_PORTS_MAX);
    if (error == 0)
        error = too_many(load, node, "interfaces", settings->interfaces.count, TAP_INTERFACES_MAX);
    if (error == 0)
        error =
            too_many(load, node, "addresses for HEP", settings->hep.count, TAP_HEP_LISTENERS_MAX);
    return error;
}

const struct conf_section tap_section = {
    .name = "tap",
    .help = "Listening without taking part, when `mode` is tap.",
    CONF_ROWS(tap_rows),
    CONF_OBJECT(struct tap_settings),
    .check = check_tap,
};
