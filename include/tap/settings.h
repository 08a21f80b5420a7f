/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings: the `tap` section of the configuration.
 */
#ifndef RINGFENCE_TAP_SETTINGS_H
#define RINGFENCE_TAP_SETTINGS_H

#include "config/address.h"
#include "config/schema.h"

enum { TAP_INTERFACES_MAX = 16, TAP_HEP_LISTENERS_MAX = 8, TAP_PORTS_MAX = 32 };

struct tap_settings {
    struct conf_text_list interfaces;
    struct conf_text_list ports;
    struct slice filter;
    uint64_t snap_length;
    uint64_t buffer;
    bool promiscuous;
    struct slice trunk;
    struct conf_address_list hep;
    struct conf_network_list hep_sources;
};

extern const struct conf_section tap_section;

/* The ports as numbers: the section's check has seen that they are. */
size_t tap_settings_ports(const struct tap_settings *settings, uint16_t ports[TAP_PORTS_MAX]);

#endif
