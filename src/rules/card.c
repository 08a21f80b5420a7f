/* SPDX-License-Identifier: Apache-2.0 */
#include "card_int.h"

#include <string.h>

#include "rules/ruleset.h"

static bool takes(const struct rule_bin *bin, const struct rule_value *value)
{
    if (bin->kind == RULE_BIN_REST)
        return true;
    if (bin->kind == RULE_BIN_BELOW)
        return rule_values_order(value, bin->values) < 0;
    for (uint32_t i = 0; i < bin->count; i++)
        if (rule_values_equal(value, &bin->values[i]))
            return true;
    return false;
}

struct rule_card_part rule_card_part(const struct rule_card_feature *feature,
                                     const struct rule_program *program,
                                     const struct rule_inputs *inputs, struct rule_scratch *scratch)
{
    struct rule_card_part part = {.feature = feature->text, .bin = RULE_NONE};
    part.value = *rule_program_value(program, feature->span, inputs, scratch);
    if (!part.value.known) {
        part.points = feature->missing;
        return part;
    }
    for (size_t i = 0; i < feature->count; i++) {
        if (!takes(&feature->bins[i], &part.value))
            continue;
        part.bin = (int32_t)i;
        part.points = feature->bins[i].points;
        break;
    }
    return part;
}

int rule_card_points(const struct rule_card *card, const struct rule_program *program,
                     const struct rule_inputs *inputs, struct rule_scratch *scratch)
{
    uint64_t marks[RULE_FEATURE_WORDS];
    bool header = scratch->unknown_header;
    int64_t sum = card->intercept;
    memcpy(marks, scratch->unknown_features, sizeof(marks));
    for (size_t i = 0; i < card->count; i++)
        sum += rule_card_part(&card->features[i], program, inputs, scratch).points;
    memcpy(scratch->unknown_features, marks, sizeof(marks));
    scratch->unknown_header = header;
    return sum < -RULE_SCORE_MAX  ? -RULE_SCORE_MAX
           : sum > RULE_SCORE_MAX ? RULE_SCORE_MAX
                                  : (int)sum;
}
