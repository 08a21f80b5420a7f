/* SPDX-License-Identifier: Apache-2.0 */
#include "screening_int.h"

#include <assert.h>
#include <string.h>

static void set_text(struct rule_value *value, const char *text)
{
    *value =
        text == NULL || text[0] == '\0' ? rule_unknown(RULE_TEXT) : rule_text(slice_of_text(text));
}

/* A given number that normalises also tells its country, region and kind. */
static void derive_party(const struct num_profile *profile, enum num_role role,
                         const struct rule_value *given, struct num_number *number,
                         struct rule_value *valid, struct rule_value *country,
                         struct rule_value *region, struct rule_value *kind)
{
    if (!given->known)
        return;
    (void)num_normalise(profile, role, SLICE("sip"), given->text, SLICE(""), number);
    if (valid != NULL)
        *valid = rule_flag(number->valid);
    if (!number->valid)
        return;
    set_text(country, number->iso);
    if (region != NULL)
        set_text(region, number->region);
    if (kind != NULL)
        set_text(kind, num_kind_text(number->kind));
}

struct rule_value screen_digits_apart(const struct num_number *a, const struct num_number *b)
{
    if (!a->valid || !b->valid || a->length != b->length || strcmp(a->iso, b->iso) != 0)
        return rule_unknown(RULE_INTEGER);
    unsigned same = 0;
    while (same < a->length && a->text[same] == b->text[same])
        same++;
    return rule_integer((int64_t)a->length - same);
}

void screen_derivation_init(struct screen_derivation *derivation)
{
    memset(derivation, 0, sizeof(*derivation));
    int error = num_profile_init(&derivation->profile, SLICE("CN"), SLICE(""), NULL, 0);
    assert(error == 0);
    (void)error;
}

void screen_derive(void *context, struct rule_value *values, size_t count)
{
    struct screen_derivation *d = context;
    assert(count == SCREEN_FEATURE_COUNT);
    (void)count;
    derive_party(&d->profile, NUM_CALLER, &values[SCREEN_FEATURE_CALLER_NUMBER], &d->caller,
                 &values[SCREEN_FEATURE_CALLER_VALID], &values[SCREEN_FEATURE_CALLER_COUNTRY],
                 &values[SCREEN_FEATURE_CALLER_REGION], &values[SCREEN_FEATURE_CALLER_KIND]);
    derive_party(&d->profile, NUM_CALLEE, &values[SCREEN_FEATURE_CALLEE_NUMBER], &d->callee,
                 &values[SCREEN_FEATURE_CALLEE_VALID], &values[SCREEN_FEATURE_CALLEE_COUNTRY],
                 &values[SCREEN_FEATURE_CALLEE_REGION], &values[SCREEN_FEATURE_CALLEE_KIND]);
    derive_party(&d->profile, NUM_CALLER, &values[SCREEN_FEATURE_DIVERTING_NUMBER], &d->diverting,
                 NULL, &values[SCREEN_FEATURE_DIVERTING_COUNTRY], NULL, NULL);
    if (values[SCREEN_FEATURE_CALLER_NUMBER].known && values[SCREEN_FEATURE_CALLEE_NUMBER].known)
        values[SCREEN_FEATURE_CALLER_DIGITS_APART] = screen_digits_apart(&d->caller, &d->callee);
}
