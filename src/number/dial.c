/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dial: digits as one country dials them, to an international number.
 *
 * Every way of reading the digits ends in settle(), which takes an international number apart in
 * one fixed order. That is what makes the whole idempotent: settle() gives its own output back.
 */
#include <assert.h>

#include "number_int.h"

/* No carrier-selection code is shorter; a shorter rest behind one makes it something else. */
#define CARRIER_MINIMUM      5
#define CARRIER_REST_MINIMUM 7
/* Longer ones are not dialled without an area code anywhere. */
#define LOCAL_MAXIMUM 8

static const struct num_dialling diallings[] = {
    /* IP telephony access 179xx, discount codes of the three networks, second-number services. */
    {86, "179[0-9][0-9] 12593 12583[1-3] 10193 11808"},
    /* Carrier access codes. */
    {1, "101[0-9][0-9][0-9][0-9]"},
};

const struct num_dialling *num_dialling_find(const struct num_country *country)
{
    for (size_t i = 0; i < sizeof(diallings) / sizeof(diallings[0]); i++)
        if (diallings[i].calling_code == country->calling_code)
            return &diallings[i];
    return NULL;
}

static struct slice slice_of_digits(const struct num_digits *digits)
{
    return slice_make(digits->text, digits->length);
}

static bool append(struct num_digits *digits, struct slice more)
{
    if (more.length > sizeof(digits->text) - digits->length)
        return false;
    memcpy(digits->text + digits->length, more.data, more.length);
    digits->length += more.length;
    return true;
}

static bool append_calling_code(struct num_digits *digits, const struct num_country *country)
{
    char text[3];
    size_t count = 0;
    for (unsigned unit = 100; unit > 0; unit /= 10)
        if (country->calling_code >= unit)
            text[count++] = (char)('0' + country->calling_code / unit % 10);
    return append(digits, slice_make(text, count));
}

/* The plan knows of such numbers. */
static bool is_positive(const struct num_range *range)
{
    return range->kind != NUM_UNKNOWN && range->kind != NUM_INVALID;
}

/* International digits as they stand. */
static bool take(struct slice international, struct num_dialled *dialled)
{
    dialled->digits.length = 0;
    return num_plan_find(international, &dialled->range) && append(&dialled->digits, international);
}

/* An area code and a service code behind it: nobody has that number. */
static bool take_imitation(const struct num_country *country, struct slice international,
                           size_t calling_digits, struct num_dialled *dialled)
{
    struct slice national = slice_from(international, calling_digits);
    size_t area = num_area_code_digits(country, national);
    if (area == 0 || area == national.length)
        return false;
    struct num_digits code = {.length = 0};
    struct num_range range;
    if (!append(&code, slice_first(international, calling_digits)) ||
        !append(&code, slice_from(national, area)) ||
        !num_plan_find(slice_of_digits(&code), &range) || !range.service)
        return false;
    dialled->digits.length = 0;
    dialled->range = (struct num_range){.country = country,
                                        .kind = NUM_INVALID,
                                        .calling_digits = (uint8_t)calling_digits,
                                        .area_digits = (uint8_t)area};
    return num_pack(slice_of_digits(&code), &dialled->imitated) &&
           international.length <= NUM_PACKED_DIGITS && append(&dialled->digits, international);
}

/*
 * The calling code, then what stands behind `skip` digits of the national number. In a plan that we
 * do not know, a second trunk zero is refused: taking off one at a time would not be idempotent.
 */
static bool take_without(struct slice international, size_t calling_digits, size_t skip,
                         struct num_dialled *dialled)
{
    struct num_digits digits = {.length = 0};
    struct slice rest = slice_from(international, calling_digits + skip);
    if (!append(&digits, slice_first(international, calling_digits)) || !append(&digits, rest) ||
        !take(slice_of_digits(&digits), dialled) || dialled->range.service)
        return false;
    return is_positive(&dialled->range) ||
           (dialled->range.kind == NUM_UNKNOWN && rest.data[0] != '0' &&
            dialled->range.country->trunk[0] == '0');
}

static size_t trunk_digits(const struct num_country *country, struct slice national)
{
    struct slice trunk = slice_of_text(country->trunk);
    return trunk.length > 0 && slice_starts_with(national, trunk) ? trunk.length : 0;
}

static size_t carrier_digits(const struct num_country *country, struct slice national)
{
    if (national.length < CARRIER_MINIMUM + CARRIER_REST_MINIMUM)
        return 0;
    const struct num_dialling *dialling = num_dialling_find(country);
    size_t length = dialling != NULL ? num_pattern_prefix(dialling->carriers, national) : 0;
    return length > 0 && national.length >= length + CARRIER_REST_MINIMUM ? length : 0;
}

/*
 * `international` begins with a calling code. In order: as the plan has it; with a
 * carrier-selection code or a trunk prefix that does not belong there (+86 017951..., +44 (0)20
 * ...); as an imitation; as something the plan does not know.
 */
static bool settle(struct slice international, struct num_dialled *dialled)
{
    size_t calling_digits;
    const struct num_country *country = num_calling_country(international, &calling_digits);
    if (country == NULL)
        return false;
    bool found = take(international, dialled);
    if (found && is_positive(&dialled->range))
        return true;
    const struct num_range range = dialled->range;
    struct slice national = slice_from(international, calling_digits);
    size_t carrier = carrier_digits(country, national);
    struct slice rest = slice_from(national, carrier);
    size_t trunk = trunk_digits(country, rest);
    if (carrier > 0 && (take_without(international, calling_digits, carrier + trunk, dialled) ||
                        take_without(international, calling_digits, carrier, dialled))) {
        dialled->carrier_prefix = true;
        return true;
    }
    if (carrier == 0 && trunk > 0 && take_without(international, calling_digits, trunk, dialled))
        return true;
    if (take_imitation(country, international, calling_digits, dialled))
        return true;
    if (!found)
        return false;
    dialled->range = range;
    dialled->digits.length = 0;
    return append(&dialled->digits, international);
}

/* settle() on calling code, area and digits. */
static bool settle_national(const struct num_country *country, struct slice area,
                            struct slice national, struct num_dialled *dialled)
{
    struct num_digits digits = {.length = 0};
    return append_calling_code(&digits, country) && append(&digits, area) &&
           append(&digits, national) && settle(slice_of_digits(&digits), dialled);
}

/* A local number of the trunk's area: as long as the area's are, or, where area codes are not in
 * the plan, whatever the plan takes. */
static bool dial_local(const struct num_profile *profile, struct slice digits,
                       struct num_dialled *dialled)
{
    struct slice area = slice_make(profile->area, profile->area_length);
    struct num_digits whole = {.length = 0};
    if (area.length == 0 || digits.length > LOCAL_MAXIMUM ||
        !append_calling_code(&whole, profile->country) || !append(&whole, area) ||
        !append(&whole, digits) || !take(slice_of_digits(&whole), dialled))
        return false;
    const struct num_range *range = &dialled->range;
    return range->area_digits == area.length || range->kind == NUM_FIXED ||
           range->kind == NUM_UNKNOWN;
}

/* Digits behind the trunk prefix: never a service code, which is dialled without. */
static bool dial_trunk(const struct num_profile *profile, struct slice national,
                       struct num_dialled *dialled)
{
    if (!settle_national(profile->country, slice_make("", 0), national, dialled))
        return false;
    return !dialled->range.service;
}

static bool dial_bare(const struct num_profile *profile, struct slice digits,
                      struct num_dialled *dialled)
{
    struct slice none = slice_make("", 0);
    const struct num_country *country = profile->country;
    dialled->form = NUM_FORM_NATIONAL;
    bool found = settle_national(country, none, digits, dialled);
    bool positive = found && is_positive(&dialled->range);
    if (positive && dialled->range.service)
        dialled->form = NUM_FORM_SERVICE;
    /* Without its trunk prefix a fixed line may just as well be a local number. */
    if (positive && (dialled->range.kind != NUM_FIXED || dialled->carrier_prefix))
        return true;
    struct num_dialled other = {.form = NUM_FORM_LOCAL};
    if (dial_local(profile, digits, &other)) {
        *dialled = other;
        return true;
    }
    other = (struct num_dialled){.form = NUM_FORM_BARE_CODE};
    size_t calling_digits;
    const struct num_country *calling = num_calling_country(digits, &calling_digits);
    if (calling != NULL && calling->calling_code == country->calling_code &&
        settle(digits, &other) && other.range.kind != NUM_INVALID) {
        if (!positive || is_positive(&other.range))
            *dialled = other;
        return true;
    }
    /* Seven digits that begin with 2 to 9 may be somebody's local number, unless the area is known.
     */
    if (positive ||
        (found && dialled->imitated != 0 && (profile->area_length > 0 || digits.data[0] < '2')))
        return true;
    if (calling != NULL && other.imitated != 0) {
        *dialled = other;
        return true;
    }
    return found && dialled->range.kind == NUM_UNKNOWN && country->trunk[0] == '\0';
}

/*
 * The country's own international prefix, then 00, which SIP peers write everywhere: in Singapore
 * 001 415... may be Switzerland or 00 1 415... California. The reading that the plan knows wins.
 */
static bool dial_international(const struct num_profile *profile, bool plus, struct slice digits,
                               struct num_dialled *dialled)
{
    *dialled = (struct num_dialled){.form = NUM_FORM_INTERNATIONAL};
    size_t usual = slice_starts_with(digits, SLICE("00")) ? 2 : 0;
    if (plus) /* "+0086..." is not E.164 but common */
        return settle(slice_from(digits, usual), dialled);
    size_t own = num_pattern_prefix(profile->country->international, digits);
    bool found = own > 0 && settle(slice_from(digits, own), dialled);
    if (own == usual || usual == 0 || (found && is_positive(&dialled->range)))
        return found;
    struct num_dialled other = {.form = NUM_FORM_INTERNATIONAL};
    if (settle(slice_from(digits, usual), &other) && (!found || is_positive(&other.range))) {
        *dialled = other;
        return true;
    }
    return found;
}

static bool dial_once(const struct num_profile *profile, bool plus, struct slice digits,
                      struct num_dialled *dialled)
{
    if (plus || num_pattern_prefix(profile->country->international, digits) > 0 ||
        slice_starts_with(digits, SLICE("00")))
        return dial_international(profile, plus, digits, dialled);
    size_t trunk = trunk_digits(profile->country, digits);
    *dialled = (struct num_dialled){.form = NUM_FORM_NATIONAL};
    if (trunk > 0 && dial_trunk(profile, slice_from(digits, trunk), dialled))
        return true;
    *dialled = (struct num_dialled){.form = NUM_FORM_NATIONAL};
    return dial_bare(profile, digits, dialled);
}

bool num_dial(const struct num_profile *profile, bool plus, struct slice digits,
              struct num_dialled *dialled)
{
    bool found = dial_once(profile, plus, digits, dialled);
    size_t carrier = 0;
    if (!plus && (!found || dialled->range.kind == NUM_INVALID))
        carrier = carrier_digits(profile->country, digits);
    if (carrier == 0)
        return found;
    /* A carrier-selection code may stand before any other way of dialling: 17951 00 852... */
    struct num_dialled other;
    if (!dial_once(profile, false, slice_from(digits, carrier), &other) ||
        (found && !is_positive(&other.range)))
        return found;
    *dialled = other;
    dialled->carrier_prefix = true;
    return true;
}
