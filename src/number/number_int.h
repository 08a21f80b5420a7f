/* SPDX-License-Identifier: Apache-2.0 */
/*
 * number_int: tables and helpers shared inside the folder.
 */
#ifndef RINGFENCE_NUMBER_INT_H
#define RINGFENCE_NUMBER_INT_H

#include <stddef.h>
#include <stdint.h>

#include "number/normalise.h"
#include "number/plan.h"

/*
 * Patterns of digits, used by all tables: alternatives separated by spaces, each a row of digits
 * and of classes such as [0-35-9]. "" is one empty alternative, "" matching everything.
 */

/* Calls visit for each digit string that the pattern stands for, until it returns false. */
typedef bool num_pattern_visit(const char *digits, size_t length, void *argument);
void num_pattern_each(const char *pattern, num_pattern_visit *visit, void *argument);

/* Length of the longest alternative that `digits` starts with; 0 when there is none. */
size_t num_pattern_prefix(const char *pattern, struct slice digits);

/* True when `digits` is wholly one of the alternatives. */
bool num_pattern_is(const char *pattern, struct slice digits);

/* A country or territory. `leading`: which national numbers are its own, where a calling code is
 * shared; "" for the main country. */
struct num_country_row {
    struct num_country country;
    const char *leading;
};
extern const struct num_country_row num_country_rows[];
extern const size_t num_country_count;

enum num_range_flags {
    NUM_RANGE_SERVICE = 1,
    NUM_RANGE_VIRTUAL = 2,
    NUM_RANGE_AREA2 = 4, /* a fixed line: the area code has two digits, */
    NUM_RANGE_AREA3 = 8, /* or three; behind it a digit from 2 to 9 must follow */
};

/* The main country of the calling code that `digits` start with, and its length; NULL for none. */
const struct num_country *num_calling_country(struct slice digits, size_t *calling_digits);

/* One range of a national plan; lengths count the digits after the calling code. Several rows may
 * hold one prefix; the longest prefix whose lengths fit counts. */
struct num_range_row {
    uint16_t calling_code;
    uint8_t kind;
    uint8_t minimum;
    uint8_t maximum;
    uint8_t flags;
    const char *prefixes; /* a pattern */
    const char *region;
};
extern const struct num_range_row num_china_rows[];
extern const size_t num_china_count;
extern const struct num_range_row num_world_rows[];
extern const size_t num_world_count;

/* Emergency codes, space-separated. */
struct num_emergency_row {
    char iso[3];
    const char *codes;
};
extern const struct num_emergency_row num_emergency_rows[];
extern const size_t num_emergency_count;
/* For a country without a row. */
#define NUM_EMERGENCY_DEFAULT "112 911 999"

/* Lines that fraudsters borrow; `code` as the country dials it. */
struct num_protected_row {
    char iso[3];
    const char *code;
    const char *name;
    const char *kind;
};
extern const struct num_protected_row num_protected_rows[];
extern const size_t num_protected_row_count;

/* What a country's dialling has beyond its prefixes; NULL when it has nothing. */
struct num_dialling {
    uint16_t calling_code;
    const char *carriers; /* pattern of carrier-selection codes dialled in front of any number */
};
const struct num_dialling *num_dialling_find(const struct num_country *country);

/* A number being worked out: digits from the calling code on, no '+'. */
struct num_digits {
    char text[NUM_PACKED_DIGITS];
    size_t length;
};

/* What num_dial() makes of the digits that were dialled or sent. */
struct num_dialled {
    struct num_digits digits;
    struct num_range range;
    enum num_form form;
    bool carrier_prefix;
    uint64_t imitated; /* packed service code, 0 for none */
};

/* digits: nothing but digits, at most NUM_TEXT; plus: a '+' stood in front. False when it does not
 * normalise. */
bool num_dial(const struct num_profile *profile, bool plus, struct slice digits,
              struct num_dialled *dialled);

/* A user part taken apart. */
struct num_user {
    struct slice bare;   /* without its parameters, as it came */
    struct slice params; /* those that stood in it, without the leading ';' */
    char text[NUM_TEXT]; /* num_compact() of bare; not terminated */
    size_t length;
    bool number;
};

void num_user_split(struct slice user, struct num_user *parts);

/* Escapes undone, visual separators off. False unless an optional '+' and then only digits, '*',
 * '#' and a to d are left, at least one byte and no more than fit. */
bool num_compact(struct slice text, char compact[NUM_TEXT], size_t *length);

/* The byte that the escape %HH at `at` stands for; -1 when there is none. */
int num_unescape(struct slice text, size_t at);

/* What the parameters say about a number. */
struct num_params {
    bool ported;          /* rn or npdi (RFC 4694) */
    struct slice context; /* phone-context; absent when there is none */
};

/* "a=b;c"; adds to what `found` holds, and the first phone-context counts. */
void num_params_read(struct slice params, struct num_params *found);

/* Applies the first of the profile's rules that fits; false when none does. */
bool num_rules_apply(const struct num_profile *profile, unsigned roles, struct slice text,
                     char result[NUM_TEXT], size_t *length);

#endif
