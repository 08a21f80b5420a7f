/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan: whose number is it, and what kind of number.
 *
 * A table of public numbering plans (ITU-T E.164 and national plans) compiled into the program:
 * China in full, the countries that exchange most traffic with it in reasonable depth, all others
 * by country and length. Immutable and safe from any thread; a look-up allocates nothing.
 */
#ifndef RINGFENCE_NUMBER_PLAN_H
#define RINGFENCE_NUMBER_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

/* X(identifier, text, meaning). The text is what rules, events and tables use. */
#define NUM_KIND_TABLE(X)                                                                  \
    X(UNKNOWN, "unknown", "the plan is not known in that depth, or the text is no number") \
    X(MOBILE, "mobile", "a mobile subscriber")                                             \
    X(FIXED, "fixed", "a line of a place")                                                 \
    X(FIXED_OR_MOBILE, "fixed_or_mobile", "the plan does not tell the two apart (NANP)")   \
    X(TOLLFREE, "tollfree", "free for the caller")                                         \
    X(PREMIUM, "premium", "dearer than a normal call")                                     \
    X(SHARED, "shared", "shared or local cost")                                            \
    X(VOIP, "voip", "not tied to a place, allotted to Internet telephony")                 \
    X(SERVICE, "service", "a short or service code, such as 95588")                        \
    X(SATELLITE, "satellite", "a satellite terminal")                                      \
    X(DATA, "data", "a data-only or machine SIM: no person calls from it")                 \
    X(INVALID, "invalid", "no such range in the plan, or not of the range's length")

enum num_kind {
#define NUM_KIND_ROW(identifier, text, meaning) NUM_##identifier,
    NUM_KIND_TABLE(NUM_KIND_ROW)
#undef NUM_KIND_ROW
        NUM_KIND_COUNT
};

const char *num_kind_text(enum num_kind kind);
/* -EINVAL for an unknown text. */
int num_kind_parse(struct slice text, enum num_kind *kind) MUST_CHECK;

/* How a country's numbers are written and dialled. */
struct num_country {
    char iso[3]; /* ISO 3166-1 alpha-2; "ZZ" for codes that belong to no country */
    uint16_t calling_code;
    uint8_t
        national_min; /* digits after the calling code; service codes may be shorter or longer */
    uint8_t national_max;
    const char *trunk;         /* dialled before a national number: "0", "1", "8"; "" for none */
    const char *international; /* dialled before a calling code: "00"; several: "011 00" */
    const char *name;          /* in English */
};

/* What the plan says of one number. */
struct num_range {
    const struct num_country *country;
    const char *region; /* China: the province of a fixed line; NULL when the plan does not say */
    uint8_t kind;       /* enum num_kind */
    uint8_t calling_digits; /* digits of the calling code: 1 to 3 */
    uint8_t area_digits;    /* digits of a fixed line's area code; 0 when the plan does not say */
    bool service;           /* a code that stands without an area code: 95588, 4001234567 */
    bool virtual_operator;  /* a range of resellers without a network of their own (China) */
};

/*
 * `digits`: an international number without "+". False when no calling code is assigned there or
 * the length is outside the country's; otherwise `range` is filled, and its kind is NUM_INVALID
 * when the number cannot exist by the plan as we know it (ranges are opened over time, so that is a
 * ground for suspicion and not for dropping the number).
 */
bool num_plan_find(struct slice digits, struct num_range *range) MUST_CHECK;

/* By ISO code (any case) or by calling code (the main country of a shared one); NULL when unknown.
 */
const struct num_country *num_country_by_iso(struct slice iso);
const struct num_country *num_country_by_code(uint16_t calling_code);

/* All of them, in the table's order; index < count. */
size_t num_country_total(void);
const struct num_country *num_country_at(size_t index);

/* Each text that a region of struct num_range may point to; a region may be told more than once. */
void num_plan_each_region(void (*visit)(const char *region, void *argument), void *argument);

/* Digits of the calling code at the start of `digits`; 0 when none is assigned there. */
size_t num_calling_code_digits(struct slice digits);

/* Digits of the area code at the start of a national number; 0 when there is none we know. */
size_t num_area_code_digits(const struct num_country *country, struct slice national);

#endif
