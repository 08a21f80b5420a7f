/* SPDX-License-Identifier: Apache-2.0 */
#include "number/emergency.h"

#include "number_int.h"

/*
 * Emergency codes by country, digits only: what regulators publish as emergency numbers, and 112
 * where networks take it from handsets (3GPP TS 22.101 clause 10). Information lines are not here.
 */
const struct num_emergency_row num_emergency_rows[] = {
    {"AE", "112 901 997 998 999"},
    {"AR", "100 101 107 112 911"},
    {"AT", "112 122 128 133 140 144"},
    {"AU", "000 106 112"},
    {"BD", "999"},
    {"BE", "100 101 112"},
    {"BG", "112"},
    {"BR", "190 192 193 911 112"},
    {"CA", "911 112"},
    {"CH", "112 117 118 144 1414"},
    {"CL", "131 132 133"},
    {"CN", "110 112 119 120 122 999"}, /* 999: ambulances of the Red Cross in Beijing */
    {"CO", "112 123"},
    {"CY", "112 199"},
    {"CZ", "112 150 155 156 158"},
    {"DE", "110 112"},
    {"DK", "112"},
    {"EE", "112"},
    {"EG", "122 123 180 112"},
    {"ES", "061 062 080 085 088 091 092 112"},
    {"FI", "112"},
    {"FR", "112 114 115 119 15 17 18 191 196 197"},
    {"GB", "112 999"},
    {"GG", "112 999"},
    {"GR", "100 108 112 166 199"},
    {"HK", "112 992 999"},
    {"HR", "112 192 193 194 195"},
    {"HU", "104 105 107 112"},
    {"ID", "110 112 113 115 118 119"},
    {"IE", "112 999"},
    {"IL", "100 101 102 112"},
    {"IM", "112 999"},
    {"IN", "100 101 102 108 112"},
    {"IS", "112"},
    {"IT", "112 113 115 118 1530"},
    {"JE", "112 999"},
    {"JP", "110 118 119"},
    {"KE", "112 911 999"},
    {"KH", "117 118 119"},
    {"KR", "112 119 122"},
    {"KZ", "101 102 103 104 112"},
    {"LA", "1190 1191 1195"},
    {"LK", "110 118 119 1990"},
    {"LT", "112"},
    {"LU", "112 113"},
    {"LV", "110 112 113"},
    {"MM", "191 192 199"},
    {"MN", "101 102 103 105"},
    {"MO", "110 112 119 120 999"},
    {"MT", "112"},
    {"MX", "911"},
    {"MY", "112 999"},
    {"NG", "112 199"},
    {"NL", "112"},
    {"NO", "110 112 113"},
    {"NP", "100 101 102"},
    {"NZ", "111 112"},
    {"PH", "112 117 911"},
    {"PK", "112 115 15 16 1122"},
    {"PL", "112 997 998 999"},
    {"PT", "112"},
    {"RO", "112"},
    {"RU", "01 02 03 04 101 102 103 104 112"},
    {"SA", "911 937 997 998 999 112"},
    {"SE", "112"},
    {"SG", "112 995 999"},
    {"SI", "112 113"},
    {"SK", "112 150 155 158"},
    {"TH", "112 1155 1669 191 199 911"},
    {"TR", "112"},
    {"TW", "110 112 119"},
    {"UA", "101 102 103 112"},
    {"US", "911 112"},
    {"VN", "112 113 114 115"},
    {"ZA", "10111 10177 112"},
};
const size_t num_emergency_count = sizeof(num_emergency_rows) / sizeof(num_emergency_rows[0]);

const char *num_emergency_codes(const struct num_country *country)
{
    for (size_t i = 0; i < num_emergency_count; i++)
        if (memcmp(country->iso, num_emergency_rows[i].iso, sizeof(country->iso)) == 0)
            return num_emergency_rows[i].codes;
    return NUM_EMERGENCY_DEFAULT;
}

/* urn:service:sos and urn:service:sos.police (RFC 5031 section 4.1); urn and service names are
 * compared without regard to case (RFC 8141 section 3.1). */
static bool is_sos_urn(struct slice uri)
{
    static const struct slice urn = SLICE_LITERAL("urn:service:sos");
    if (!slice_starts_with_nocase(uri, urn))
        return false;
    struct slice rest = slice_from(uri, urn.length);
    return rest.length == 0 || strchr(".;?#> ", rest.data[0]) != NULL;
}

static bool is_own_area(const struct num_profile *profile, struct slice digits, size_t *length)
{
    *length = num_area_code_digits(profile->country, digits);
    if (*length == 0 && profile->area_length > 0 &&
        slice_starts_with(digits, slice_make(profile->area, profile->area_length)))
        *length = profile->area_length;
    return *length > 0;
}

/* A code, with an area code in front if what came before allows one. */
static bool is_code(const struct num_profile *profile, const char *codes, bool area_allowed,
                    struct slice digits)
{
    size_t area;
    if (num_pattern_is(codes, digits))
        return true;
    return area_allowed && is_own_area(profile, digits, &area) &&
           num_pattern_is(codes, slice_from(digits, area));
}

/* Behind the calling code, if any: a code, behind a trunk prefix or not. */
static bool is_national(const struct num_profile *profile, const char *codes, bool calling_code,
                        struct slice digits)
{
    struct slice trunk = slice_of_text(profile->country->trunk);
    if (is_code(profile, codes, calling_code, digits))
        return true;
    return trunk.length > 0 && slice_starts_with(digits, trunk) &&
           is_code(profile, codes, true, slice_from(digits, trunk.length));
}

static bool is_dialled(const struct num_profile *profile, const char *codes, struct slice digits)
{
    if (is_national(profile, codes, false, digits))
        return true;
    size_t calling_digits;
    const struct num_country *country = num_calling_country(digits, &calling_digits);
    return country != NULL && country->calling_code == profile->country->calling_code &&
           is_national(profile, codes, true, slice_from(digits, calling_digits));
}

/* Nearly all calls are decided here: whatever stands in front, a code must end the text. */
static bool ends_with_code(const char *codes, struct slice text)
{
    while (*codes != '\0') {
        size_t length = strcspn(codes, " ");
        if (length <= text.length && memcmp(text.data + text.length - length, codes, length) == 0)
            return true;
        codes += length + (codes[length] == ' ');
    }
    return false;
}

/* text: compact. Every prefix that the country's dialling knows is tried, and none. */
static bool is_emergency_text(const struct num_profile *profile, struct slice text)
{
    const char *codes = profile->emergency_codes;
    while (text.length > 0 && text.data[text.length - 1] == '#') /* "end of dialling" */
        text.length--;
    if (!ends_with_code(codes, text))
        return false;
    if (text.data[0] == '+')
        text = slice_from(text, 1);
    if (is_dialled(profile, codes, text))
        return true;
    size_t prefixes[] = {
        num_pattern_prefix(profile->country->international, text),
        num_pattern_prefix("00", text),
        profile->dialling != NULL ? num_pattern_prefix(profile->dialling->carriers, text) : 0,
    };
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (prefixes[i] > 0 && is_dialled(profile, codes, slice_from(text, prefixes[i])))
            return true;
    return false;
}

bool num_is_emergency(const struct num_profile *profile, struct slice scheme, struct slice raw_user,
                      struct slice whole_uri)
{
    if (is_sos_urn(whole_uri))
        return true;
    if (slice_equal_nocase(scheme, SLICE("urn")))
        return false;
    /* Peers that have no URN support put it, or "sos", into the user part. */
    if (is_sos_urn(raw_user))
        return true;
    struct num_user parts;
    num_user_split(slice_first(raw_user, slice_find(raw_user, ':')), &parts); /* no password */
    if (slice_equal_nocase(parts.bare, SLICE("sos")))
        return true;
    if (!parts.number)
        return false;
    struct slice text = slice_make(parts.text, parts.length);
    if (is_emergency_text(profile, text))
        return true;
    char rewritten[NUM_TEXT];
    size_t length;
    return num_rules_apply(profile, NUM_FOR_CALLEE, text, rewritten, &length) &&
           is_emergency_text(profile, slice_make(rewritten, length));
}
