/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings: the sections of the configuration that say who our neighbours are.
 */
#ifndef RINGFENCE_PROXY_SETTINGS_H
#define RINGFENCE_PROXY_SETTINGS_H

#include "config/address.h"
#include "config/schema.h"
#include "proxy/boundary.h"
#include "proxy/redirect.h"
#include "transport/settings.h"
#include "transport/target.h"

/* One entry of `listen`. */
struct proxy_listen_settings {
    struct conf_address address;
    int transport; /* enum tp_protocol */
    struct tp_certificate_settings tls;
    struct slice advertise;
    struct slice network;
    struct conf_text_list aliases;
};

/* One rewriting rule of a numbering table; see number/normalise.h. */
struct proxy_number_rule_settings {
    struct slice match;
    struct slice prepend;
    uint8_t strip;
    uint8_t min_length;
    uint8_t max_length;
    int roles;
};

/* One entry of `numbering`. */
struct proxy_numbering_settings {
    struct slice name;
    struct conf_object_list rules; /* struct proxy_number_rule_settings */
};

/* What becomes of a request that is too large for a datagram (RFC 3261 section 18.1.1):
 * X(identifier, word, help) */
#define PROXY_UDP_SIZE_TABLE(X)                                              \
    X(SEND, "send", "it is sent all the same, in fragments of IP")           \
    X(TCP, "tcp", "it goes by TCP to the same address, as the RFC wants it") \
    X(REFUSE, "refuse", "it is refused with 513")

/* By what a request whose Request-URI or Route is a sips: URI may go (RFC 3261 section 26.2.2, RFC
 * 5630 section 5): X(identifier, word, help) */
#define PROXY_SIPS_TABLE(X)                                                 \
    X(TLS, "tls", "by TLS, or it is refused with 480, as the RFC wants it") \
    X(ANY, "any", "by whatever its target has: what carries it is secured by other means")

enum proxy_sips {
#define PROXY_SIPS_ROW(identifier, word, help) PROXY_SIPS_##identifier,
    PROXY_SIPS_TABLE(PROXY_SIPS_ROW)
#undef PROXY_SIPS_ROW
};

enum proxy_udp_size {
#define PROXY_UDP_SIZE_ROW(identifier, word, help) PROXY_UDP_SIZE_##identifier,
    PROXY_UDP_SIZE_TABLE(PROXY_UDP_SIZE_ROW)
#undef PROXY_UDP_SIZE_ROW
};

/* One entry of a trunk's `targets`. */
struct proxy_target_settings {
    struct slice target;
    struct tp_name name; /* its host is within `target` */
    uint16_t priority;
    uint16_t weight;
};

enum proxy_answers { PROXY_ANSWERS_ANY, PROXY_ANSWERS_SUCCESS };
enum proxy_all_down { PROXY_ALL_DOWN_TRY, PROXY_ALL_DOWN_REFUSE };

/* A trunk's `health`. */
struct proxy_health_settings {
    uint64_t probe_us; /* 0: only what is down is probed */
    uint64_t probe_down_us;
    uint64_t probe_timeout_us;
    uint64_t slow_start_us;
    uint64_t retry_after_max_us;
    uint32_t down_after;
    uint32_t up_after;
    uint32_t failures;
    int answers;  /* enum proxy_answers */
    int all_down; /* enum proxy_all_down */
};

/* A trunk's `failover`. */
struct proxy_failover_settings {
    uint64_t trial_us;
    uint64_t budget_us;
    struct conf_text_list code_texts;
    uint64_t codes[4]; /* bit by bit from 400 */
};

/* A trunk's `limits`; 0: none. */
struct proxy_trunk_limits {
    uint32_t rate; /* calls per second */
    uint32_t calls;
    uint32_t rate_out;
    uint32_t calls_out;
    uint32_t caller_rate;
    uint32_t caller_calls;
    uint32_t source_rate;
    uint32_t source_calls;
    uint16_t code;
};

enum proxy_feedback { PROXY_FEEDBACK_OFF, PROXY_FEEDBACK_LOSS, PROXY_FEEDBACK_RATE };

/* A trunk's `overload`. */
struct proxy_overload_settings {
    int feedback; /* enum proxy_feedback */
    bool ask;
    uint64_t validity_max_us;
};

/* One entry of `trunks`. */
struct proxy_trunk_settings {
    struct slice name;
    struct conf_network_list sources;
    struct slice network;
    int origin; /* enum screen_origin */
    struct slice country;
    struct slice area_code;
    struct slice numbering;
    struct conf_text_list originates;
    bool trusted;
    bool open_targets;
    struct proxy_boundary_settings boundary;
    struct proxy_redirect_settings redirect;
    struct conf_object_list targets; /* struct proxy_target_settings */
    int udp_size;                    /* enum proxy_udp_size */
    int sips;                        /* enum proxy_sips */
    uint32_t connections;            /* 0: no limit of its own */
    struct tp_certificate_settings tls;
    struct proxy_health_settings health;
    struct proxy_failover_settings failover;
    struct proxy_trunk_limits limits;
    struct proxy_overload_settings overload;
};

/* One entry of `routes`. */
struct proxy_route_settings {
    struct slice from; /* a trunk's name, or "*" */
    struct slice prefix;
    struct slice to;
};

/* The `limits` section. */
struct proxy_limits {
    uint32_t transactions; /* per worker, as all of these */
    uint32_t lingering;
    uint32_t per_call;
    uint32_t per_source;
    uint64_t message_bytes;
    uint32_t calls;
    uint64_t max_call_us;
    uint64_t timer_c_us;
    uint32_t emergency_rate; /* calls per second and worker */
    uint64_t t1_us;
    uint64_t overload_begin_us; /* queueing delay from which new calls are refused, some of them */
    uint64_t overload_end_us;   /* ... and all of them */
    uint64_t overload_validity_us;
    uint64_t overload_retry_after_us; /* 0: none */
    uint64_t drain_retry_after_us;    /* 0: none */
};

extern const struct conf_section proxy_listen_section;
extern const struct conf_section proxy_numbering_section;
extern const struct conf_section proxy_trunk_section;
extern const struct conf_section proxy_health_section;
extern const struct conf_section proxy_failover_section;
extern const struct conf_section proxy_trunk_limits_section;
extern const struct conf_section proxy_overload_section;
extern const struct conf_section proxy_route_section;
extern const struct conf_section proxy_limits_section;

/* Whether the next target is tried after this final status. */
bool proxy_fails_over_after(const struct proxy_failover_settings *failover, uint16_t status);

/* Everything that a plan is made of. */
struct proxy_settings {
    struct conf_object_list listeners;
    struct conf_object_list numberings;
    struct conf_object_list trunks;
    struct conf_object_list routes;
    struct proxy_limits limits;
};

#endif
