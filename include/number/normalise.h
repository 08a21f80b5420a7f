/* SPDX-License-Identifier: Apache-2.0 */
/*
 * normalise: from what a trunk writes to E.164.
 *
 * A profile says where a trunk stands (country, area code) and which digits its peer puts in front.
 * The steps, in order: parameters and escapes off, visual separators off, the profile's own rules,
 * then the country's dialling (carrier-selection codes, international prefix, bare calling code,
 * trunk prefix, local numbers by area code, service codes). Nothing is allocated; a profile is
 * read-only and may be shared by threads.
 */
#ifndef RINGFENCE_NUMBER_NORMALISE_H
#define RINGFENCE_NUMBER_NORMALISE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "number/packed.h"
#include "number/plan.h"

#define NUM_TEXT      64 /* with the NUL; a longer raw text is cut */
#define NUM_AREA_TEXT 8

enum num_role { NUM_CALLER, NUM_CALLEE };

/* Bits for struct num_rule.roles. */
#define NUM_FOR_CALLER 1U
#define NUM_FOR_CALLEE 2U
#define NUM_FOR_BOTH   (NUM_FOR_CALLER | NUM_FOR_CALLEE)

/*
 * One rewriting rule of a trunk. It applies when the text (without separators, "+" kept) starts
 * with `match`, where 'x' stands for any digit, and has min_length to max_length bytes (0: no
 * bound). Then `strip` bytes go from the front and `prepend` comes there. The first rule that
 * applies is the only one, and the country's dialling follows on its result.
 */
struct num_rule {
    const char *match;
    const char *prepend; /* NULL or "" for nothing */
    uint8_t strip;
    uint8_t min_length;
    uint8_t max_length;
    uint8_t roles; /* NUM_FOR_* */
};

struct num_dialling; /* the country's built-in steps */

/* Filled by num_profile_init(); plain data, so it may be copied with the rules' memory kept. */
struct num_profile {
    const struct num_country *country;
    const struct num_dialling *dialling;
    const char *emergency_codes; /* see num_emergency_codes() */
    const struct num_rule *rules;
    uint32_t rule_count;
    uint8_t area_length;
    char area[NUM_AREA_TEXT]; /* without the trunk prefix: "10", "755" */
};

/*
 * iso: the trunk's country. area: with or without the trunk prefix ("010" or "10"), or empty: then
 * local numbers do not normalise. rules are borrowed and must outlive the profile.
 * ERROR_NOT_FOUND: no such country; -EINVAL: not an area code of that country, or a rule's match
 * or prepend has a byte other than digits, '+', '*', '#', a letter from a to d or (match) 'x'.
 */
int num_profile_init(struct num_profile *profile, struct slice iso, struct slice area,
                     const struct num_rule *rules, uint32_t rule_count) MUST_CHECK;

/* One rule by itself, so that a bad one can be named; the same condition as above. */
bool num_rule_is_sound(const struct num_rule *rule);

/* X(identifier, text): how the number was written. */
#define NUM_FORM_TABLE(X)                                        \
    X(RAW, "raw")                                                \
    X(INTERNATIONAL, "international")                            \
    X(BARE_CODE, "bare_code") /* calling code without + or 00 */ \
    X(NATIONAL, "national")                                      \
    X(LOCAL, "local")                                            \
    X(SERVICE, "service")

enum num_form {
#define NUM_FORM_ROW(identifier, text) NUM_FORM_##identifier,
    NUM_FORM_TABLE(NUM_FORM_ROW)
#undef NUM_FORM_ROW
        NUM_FORM_COUNT
};

const char *num_form_text(enum num_form form);

struct num_number {
    char text[NUM_TEXT]; /* "+8613800138000", or the raw text; terminated, control bytes as '?' */
    uint8_t length;
    bool valid;     /* text is E.164 (or a service code behind a calling code) */
    bool service;   /* a service code, whole: +8695588 */
    bool imitation; /* dressed up as a service code: 01095588, +95588; never the code itself */
    bool withheld;  /* anonymous, unavailable, restricted or empty */
    bool ported; /* rn or npdi was there (RFC 4694); the number is the subscriber's all the same */
    bool carrier_prefix;   /* a carrier-selection code was in front */
    bool virtual_operator; /* see struct num_range */
    uint8_t form;          /* enum num_form */
    uint8_t kind; /* enum num_kind; NUM_INVALID is possible with valid == true, see plan.h */
    char iso[3];  /* "" when not valid */
    uint16_t calling_code; /* 0 when not valid */
    const char *region;    /* static; NULL when the plan does not say */
    uint64_t packed;       /* 0 when not valid */
    uint64_t imitated;     /* imitation: the service code as packed (18695588), else 0 */
};

/*
 * scheme: "sip", "sips", "tel" or empty. user: the URI's user part, escapes (%2B) and parameters
 * (;phone-context=) still in it or not. uri_params: those of the URI, without the leading ';'.
 * Returns 0 with out->valid, or ERROR_MALFORMED with the raw text in `out`, which is always filled.
 */
int num_normalise(const struct num_profile *profile, enum num_role role, struct slice scheme,
                  struct slice user, struct slice uri_params, struct num_number *out);

#endif
