/* SPDX-License-Identifier: Apache-2.0 */
#include "number/normalise.h"

#include <assert.h>
#include <errno.h>

#include "number/emergency.h"
#include "number_int.h"

static const char *const form_texts[NUM_FORM_COUNT] = {
#define NUM_FORM_ROW(identifier, text) [NUM_FORM_##identifier] = (text),
    NUM_FORM_TABLE(NUM_FORM_ROW)
#undef NUM_FORM_ROW
};

const char *num_form_text(enum num_form form)
{
    assert((unsigned)form < NUM_FORM_COUNT);
    return form_texts[form];
}

/* ---- profiles ------------------------------------------------------------------------------ */

static bool is_dial_text(const char *text, const char *alphabet)
{
    size_t length = strlen(text);
    return length < NUM_TEXT / 2 && strspn(text, alphabet) == length;
}

bool num_rule_is_sound(const struct num_rule *rule)
{
    return rule->match != NULL && is_dial_text(rule->match, "0123456789+*#abcdABCDx") &&
           (rule->prepend == NULL || is_dial_text(rule->prepend, "0123456789+*#abcdABCD")) &&
           rule->strip <= NUM_TEXT && (rule->roles & ~NUM_FOR_BOTH) == 0 && rule->roles != 0;
}

static bool all_digits(struct slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return true;
}

/* Only plans that hold area codes can refuse one. */
static bool area_is_sound(const struct num_country *country, struct slice area)
{
    if (!all_digits(area) || area.length >= NUM_AREA_TEXT)
        return false;
    bool listed = country->calling_code == 86 || country->calling_code == 1;
    return area.length == 0 || !listed || num_area_code_digits(country, area) == area.length;
}

int num_profile_init(struct num_profile *profile, struct slice iso, struct slice area,
                     const struct num_rule *rules, uint32_t rule_count)
{
    const struct num_country *country = num_country_by_iso(iso);
    if (country == NULL || slice_equal(slice_of_text(country->iso), SLICE("ZZ")))
        return ERROR_NOT_FOUND;
    struct slice trunk = slice_of_text(country->trunk);
    if (trunk.length > 0 && area.length > trunk.length && slice_starts_with(area, trunk))
        area = slice_from(area, trunk.length);
    if (!area_is_sound(country, area))
        return -EINVAL;
    for (uint32_t i = 0; i < rule_count; i++)
        if (!num_rule_is_sound(&rules[i]))
            return -EINVAL;
    *profile = (struct num_profile){
        .country = country,
        .dialling = num_dialling_find(country),
        .emergency_codes = num_emergency_codes(country),
        .rules = rules,
        .rule_count = rule_count,
        .area_length = (uint8_t)area.length,
    };
    if (area.length > 0)
        memcpy(profile->area, area.data, area.length);
    return 0;
}

static bool rule_applies(const struct num_rule *rule, unsigned roles, struct slice text)
{
    size_t length = strlen(rule->match);
    if ((rule->roles & roles) == 0 || text.length < length || text.length < rule->min_length ||
        (rule->max_length > 0 && text.length > rule->max_length) || text.length < rule->strip)
        return false;
    for (size_t i = 0; i < length; i++) {
        char byte = text.data[i];
        if (byte != rule->match[i] && !(rule->match[i] == 'x' && byte >= '0' && byte <= '9'))
            return false;
    }
    return true;
}

bool num_rules_apply(const struct num_profile *profile, unsigned roles, struct slice text,
                     char result[NUM_TEXT], size_t *length)
{
    for (uint32_t i = 0; i < profile->rule_count; i++) {
        const struct num_rule *rule = &profile->rules[i];
        if (!rule_applies(rule, roles, text))
            continue;
        struct slice prepend = slice_of_text(rule->prepend);
        struct slice rest = slice_from(text, rule->strip);
        if (prepend.length + rest.length > NUM_TEXT)
            return false;
        if (prepend.length > 0)
            memcpy(result, prepend.data, prepend.length);
        memcpy(result + prepend.length, rest.data, rest.length);
        *length = prepend.length + rest.length;
        return true;
    }
    return false;
}

/* ---- raw texts ----------------------------------------------------------------------------- */

/* What peers write for a caller who withholds the number, or whom they do not know. */
static bool is_withheld(struct slice text)
{
    static const struct slice words[] = {
        SLICE_LITERAL("anonymous"), SLICE_LITERAL("unavailable"), SLICE_LITERAL("restricted"),
        SLICE_LITERAL("private"),   SLICE_LITERAL("withheld"),    SLICE_LITERAL("unknown"),
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_equal_nocase(text, words[i]))
            return true;
    return text.length == 0;
}

/*
 * Writes the text with its escapes undone: %6D is m (RFC 3261 section 19.1.4), so a caller cannot
 * have several spellings. Undone only where the result reads back as itself: no control byte, no
 * '%', no ';', nothing outside ASCII. False when it stays as it came.
 */
static bool unescape_raw(struct slice text, struct num_number *out)
{
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++) {
        int byte = (unsigned char)text.data[i];
        if (byte == '%') {
            byte = num_unescape(text, i);
            if (byte <= ' ' || byte > '~' || byte == '%' || byte == ';')
                return false;
            i += 2;
        }
        if (count == NUM_TEXT - 1)
            return false;
        out->text[count++] = (char)byte;
    }
    out->length = (uint8_t)count;
    return true;
}

static void keep_raw(struct slice text, struct num_number *out)
{
    if (!unescape_raw(text, out)) {
        text = slice_first(text, NUM_TEXT - 1);
        memcpy(out->text, text.data, text.length);
        out->length = (uint8_t)text.length;
    }
    for (size_t i = 0; i < out->length; i++)
        if ((unsigned char)out->text[i] < ' ' || out->text[i] == 0x7f)
            out->text[i] = '?';
    out->text[out->length] = '\0';
    out->withheld = is_withheld(slice_make(out->text, out->length));
}

/* The service code that these digits are behind the country's calling code, packed; 0 for none. */
static uint64_t find_service(const struct num_country *country, struct slice digits)
{
    char text[NUM_PACKED_TEXT];
    uint64_t packed = 10 + country->calling_code;
    for (uint64_t unit = 100; country->calling_code >= unit / 10; unit *= 10)
        packed = unit + country->calling_code;
    size_t length = num_unpack(packed, text);
    struct num_range range;
    if (digits.length == 0 || digits.length > NUM_PACKED_TEXT - length)
        return 0;
    memcpy(text + length, digits.data, digits.length);
    struct slice whole = slice_make(text + 1, length - 1 + digits.length);
    if (!num_plan_find(whole, &range) || !range.service || !num_pack(whole, &packed))
        return 0;
    return packed;
}

static struct slice without_zeros(struct slice digits)
{
    while (digits.length > 0 && digits.data[0] == '0')
        digits = slice_from(digits, 1);
    return digits;
}

/* Digits that are no number but a service code in disguise: +95588, 095588, 08695588, +86095588. */
static uint64_t find_disguise(const struct num_country *country, struct slice digits)
{
    size_t calling_digits;
    digits = without_zeros(digits);
    uint64_t service = find_service(country, digits);
    const struct num_country *calling = num_calling_country(digits, &calling_digits);
    if (service == 0 && calling != NULL && calling->calling_code == country->calling_code)
        service = find_service(country, without_zeros(slice_from(digits, calling_digits)));
    return service;
}

/* ---- the steps ----------------------------------------------------------------------------- */

/*
 * phone-context (RFC 3966 section 5.1.5): a calling code, or a calling code and an area code, in
 * whose way of dialling the digits are to be read. A domain name says nothing about digits.
 */
static bool dial_in_context(const struct num_profile *profile, struct slice context,
                            struct slice digits, struct num_dialled *dialled)
{
    char text[2 * NUM_TEXT];
    size_t length;
    if (!num_compact(context, text, &length) || text[0] != '+' ||
        !all_digits(slice_make(text + 1, length - 1)))
        return num_dial(profile, false, digits, dialled);
    struct slice known = slice_make(text + 1, length - 1);
    size_t calling_digits;
    const struct num_country *country = num_calling_country(known, &calling_digits);
    if (country == NULL)
        return false;
    struct slice area = slice_from(known, calling_digits);
    if (area.length == 0 || num_area_code_digits(country, area) == area.length) {
        struct num_profile there = {.country = country,
                                    .dialling = num_dialling_find(country),
                                    .area_length = (uint8_t)area.length};
        memcpy(there.area, area.data, area.length);
        return num_dial(&there, false, digits, dialled);
    }
    memcpy(text + length, digits.data, digits.length);
    return num_dial(profile, true, slice_make(text + 1, length - 1 + digits.length), dialled);
}

static void fill(const struct num_dialled *dialled, struct num_number *out)
{
    const struct num_range *range = &dialled->range;
    struct slice digits = slice_make(dialled->digits.text, dialled->digits.length);
    out->text[0] = '+';
    memcpy(out->text + 1, digits.data, digits.length);
    out->length = (uint8_t)(digits.length + 1);
    out->text[out->length] = '\0';
    out->valid = true;
    out->service = range->service;
    out->imitation = dialled->imitated != 0;
    out->imitated = dialled->imitated;
    out->carrier_prefix = dialled->carrier_prefix;
    out->virtual_operator = range->virtual_operator;
    out->form = (uint8_t)dialled->form;
    out->kind = range->kind;
    memcpy(out->iso, range->country->iso, sizeof(out->iso));
    out->calling_code = range->country->calling_code;
    out->region = range->region;
    bool packs = num_pack(digits, &out->packed);
    assert(packs);
    (void)packs;
}

static bool is_number_scheme(struct slice scheme)
{
    return scheme.length == 0 || slice_equal_nocase(scheme, SLICE("sip")) ||
           slice_equal_nocase(scheme, SLICE("sips")) || slice_equal_nocase(scheme, SLICE("tel"));
}

int num_normalise(const struct num_profile *profile, enum num_role role, struct slice scheme,
                  struct slice user, struct slice uri_params, struct num_number *out)
{
    struct num_user parts;
    struct num_params params = {.ported = false};
    num_user_split(user, &parts);
    num_params_read(parts.params, &params);
    num_params_read(uri_params, &params);
    *out = (struct num_number){.form = NUM_FORM_RAW, .kind = NUM_UNKNOWN, .ported = params.ported};
    if (!parts.number || !is_number_scheme(scheme))
        goto raw;

    char rewritten[NUM_TEXT];
    struct slice text = slice_make(parts.text, parts.length);
    size_t length;
    unsigned roles = role == NUM_CALLER ? NUM_FOR_CALLER : NUM_FOR_CALLEE;
    if (num_rules_apply(profile, roles, text, rewritten, &length))
        text = slice_make(rewritten, length);
    bool plus = text.length > 0 && text.data[0] == '+';
    struct slice digits = slice_from(text, plus ? 1 : 0);
    if (digits.length == 0 || !all_digits(digits))
        goto raw;

    struct num_dialled dialled;
    bool found;
    if (!plus && params.context.data != NULL)
        found = dial_in_context(profile, params.context, digits, &dialled);
    else
        found = num_dial(profile, plus, digits, &dialled);
    bool doubtful = !found || (dialled.range.kind == NUM_INVALID && dialled.range.area_digits == 0);
    out->imitated = doubtful ? find_disguise(profile->country, digits) : 0;
    /* What stands behind a carrier-selection code may be dressed up too: 17951 0086 00118000. */
    if (doubtful && found && out->imitated == 0)
        out->imitated =
            find_disguise(profile->country, slice_make(dialled.digits.text, dialled.digits.length));
    out->imitation = out->imitated != 0;
    if (found && !out->imitation) {
        fill(&dialled, out);
        return 0;
    }
raw:
    keep_raw(parts.bare, out);
    return ERROR_MALFORMED;
}
