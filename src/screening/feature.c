/* SPDX-License-Identifier: Apache-2.0 */
#include "screening/feature.h"

#include <time.h>

#include "screening_int.h"

static const struct rule_feature feature_rows[SCREEN_FEATURE_COUNT] = {
#define FEATURE_ROW(identifier, name, type, meaning, unit, unknown, example, choices) \
    {name, type, meaning, unit, unknown, example, choices},
    SCREEN_FEATURE_TABLE(FEATURE_ROW)
#undef FEATURE_ROW
};

const struct rule_catalogue screen_catalogue = {feature_rows, SCREEN_FEATURE_COUNT};

static struct rule_value text_of(const char *text)
{
    return text == NULL || text[0] == '\0' ? rule_unknown(RULE_TEXT)
                                           : rule_text(slice_of_text(text));
}

static struct rule_value number_value(const struct num_number *number)
{
    return number->valid ? rule_number(slice_make(number->text, number->length))
                         : rule_unknown(RULE_NUMBER);
}

static struct rule_value raw_value(const struct num_number *number, struct slice user)
{
    return number->valid ? rule_text(user) : rule_text(slice_make(number->text, number->length));
}

static struct rule_value kind_value(const struct num_number *number)
{
    return number->valid ? text_of(num_kind_text(number->kind)) : rule_unknown(RULE_TEXT);
}

static struct rule_value header_value(const struct screen_engine *e, enum smsg_header_id id)
{
    const struct smsg_header *header = smsg_first(e->input.message, id);
    return header == NULL ? rule_unknown(RULE_TEXT)
                          : rule_text(smsg_value(e->input.message, header));
}

static struct rule_value has_header(const struct screen_engine *e, enum smsg_header_id id)
{
    return rule_flag(smsg_first(e->input.message, id) != NULL);
}

/* One extractor per row, named like it. */
#define FEATURE(identifier) \
    static struct rule_value read_##identifier(const struct screen_engine *e)

FEATURE(CALLER_NUMBER)
{
    return number_value(&e->facts.caller);
}

FEATURE(CALLER_RAW)
{
    bool asserted = e->facts.asserted_present && e->input.trunk->trusted;
    return raw_value(&e->facts.caller, asserted ? e->decoded.asserted[e->facts.asserted_index].user
                                                : e->decoded.from.user);
}

FEATURE(CALLER_VALID)
{
    return rule_flag(e->facts.caller.valid);
}

FEATURE(CALLER_COUNTRY)
{
    return text_of(e->facts.caller.iso);
}

FEATURE(CALLER_REGION)
{
    return text_of(e->facts.caller.region);
}

FEATURE(CALLER_KIND)
{
    return kind_value(&e->facts.caller);
}

FEATURE(CALLER_IMITATION)
{
    return rule_flag(e->caller_imitation);
}

FEATURE(CALLER_PROTECTED)
{
    return rule_flag(e->facts.caller_line != NULL);
}

FEATURE(CALLER_DISPLAY)
{
    struct slice display = e->decoded.from.display;
    return slice_is_empty(display) ? rule_unknown(RULE_TEXT) : rule_text(display);
}

FEATURE(CALLER_FROM_NUMBER)
{
    return number_value(&e->facts.from);
}

FEATURE(CALLER_ASSERTED_NUMBER)
{
    return e->facts.asserted_present ? number_value(&e->facts.asserted) : rule_unknown(RULE_NUMBER);
}

FEATURE(CALLER_ANONYMOUS)
{
    return rule_flag(e->facts.from.withheld || e->decoded.privacy_id ||
                     slice_equal_nocase(e->decoded.from.host, SLICE("anonymous.invalid")));
}

FEATURE(CALLER_IDENTITY_MISMATCH)
{
    const struct screen_facts *facts = &e->facts;
    if (!facts->asserted_present || !facts->asserted.valid || !facts->from.valid)
        return rule_unknown(RULE_FLAG);
    return rule_flag(facts->asserted.packed != facts->from.packed);
}

FEATURE(CALLER_DIGITS_APART)
{
    return screen_digits_apart(&e->facts.caller, &e->facts.callee);
}

FEATURE(CALLEE_NUMBER)
{
    return number_value(&e->facts.callee);
}

FEATURE(CALLEE_RAW)
{
    return raw_value(&e->facts.callee, e->decoded.request_uri.user);
}

FEATURE(CALLEE_VALID)
{
    return rule_flag(e->facts.callee.valid);
}

FEATURE(CALLEE_COUNTRY)
{
    return text_of(e->facts.callee.iso);
}

FEATURE(CALLEE_REGION)
{
    return text_of(e->facts.callee.region);
}

FEATURE(CALLEE_KIND)
{
    return kind_value(&e->facts.callee);
}

FEATURE(CALLEE_PROTECTED)
{
    return rule_flag(e->facts.callee_line != NULL);
}

FEATURE(DIVERTING_NUMBER)
{
    return e->facts.diverting_present ? number_value(&e->facts.diverting)
                                      : rule_unknown(RULE_NUMBER);
}

FEATURE(DIVERTING_COUNTRY)
{
    return e->facts.diverting_present ? text_of(e->facts.diverting.iso) : rule_unknown(RULE_TEXT);
}

FEATURE(DIVERTING_PRESENT)
{
    return rule_flag(e->facts.diverting_present);
}

FEATURE(TRUNK_NAME)
{
    return rule_text(e->input.trunk->name);
}

FEATURE(TRUNK_ORIGIN)
{
    return text_of(screen_origin_text(e->input.trunk->origin));
}

FEATURE(TRUNK_COUNTRY)
{
    return rule_text(e->input.trunk->country);
}

FEATURE(TRUNK_TRUSTED)
{
    return rule_flag(e->input.trunk->trusted);
}

FEATURE(REPUTATION_SCORE)
{
    if (!e->reputation_known || e->finding.entry.score < 0)
        return rule_unknown(RULE_INTEGER);
    return rule_integer(e->finding.entry.score);
}

FEATURE(REPUTATION_LIST)
{
    return e->reputation_known ? text_of(rep_list_text(e->finding.entry.list))
                               : rule_unknown(RULE_TEXT);
}

FEATURE(REPUTATION_TYPE)
{
    if (!e->reputation_known || e->store == NULL)
        return rule_unknown(RULE_TEXT);
    return text_of(rep_names_text(rep_store_types(e->store), e->finding.entry.type));
}

FEATURE(REPUTATION_MATCH)
{
    return e->reputation_known ? text_of(rep_match_text(e->finding.match))
                               : rule_unknown(RULE_TEXT);
}

FEATURE(MESSAGE_USER_AGENT)
{
    return header_value(e, SMSG_HEADER_USER_AGENT);
}

FEATURE(MESSAGE_SUBJECT)
{
    return header_value(e, SMSG_HEADER_SUBJECT);
}

FEATURE(MESSAGE_METHOD)
{
    return rule_text(e->input.message->method_text);
}

FEATURE(MESSAGE_SIZE)
{
    return rule_integer((int64_t)e->input.message->bytes.length);
}

FEATURE(MESSAGE_HAS_IDENTITY)
{
    return has_header(e, SMSG_HEADER_IDENTITY);
}

FEATURE(MESSAGE_HAS_DIVERSION)
{
    return has_header(e, SMSG_HEADER_DIVERSION);
}

FEATURE(MESSAGE_SOURCE)
{
    return e->input.source != NULL ? rule_address(*e->input.source) : rule_unknown(RULE_ADDRESS);
}

FEATURE(TIME_NOW)
{
    uint64_t wall_us = e->input.wall_us;
    return rule_time(wall_us <= INT64_MAX ? (int64_t)wall_us : INT64_MAX);
}

FEATURE(TIME_HOUR)
{
    return rule_integer(e->clockface.local_hour);
}

FEATURE(TIME_MINUTE)
{
    return rule_integer(e->clockface.local_minute);
}

FEATURE(TIME_WEEKDAY)
{
    static const struct slice days[] = {
        SLICE_LITERAL("mon"), SLICE_LITERAL("tue"), SLICE_LITERAL("wed"), SLICE_LITERAL("thu"),
        SLICE_LITERAL("fri"), SLICE_LITERAL("sat"), SLICE_LITERAL("sun"),
    };
    return rule_text(days[e->clockface.weekday]);
}

static struct rule_value (*const readers[SCREEN_FEATURE_COUNT])(const struct screen_engine *e) = {
#define READER_ROW(identifier, name, type, meaning, unit, unknown, example, choices) \
    read_##identifier,
    SCREEN_FEATURE_TABLE(READER_ROW)
#undef READER_ROW
};

const struct rule_value *screen_fetch_feature(void *context, uint16_t feature)
{
    struct screen_engine *e = context;
    uint64_t bit = UINT64_C(1) << (feature % 64);
    if ((e->fetched[feature / 64] & bit) == 0) {
        e->values[feature] = readers[feature](e);
        e->fetched[feature / 64] |= bit;
    }
    return &e->values[feature];
}

bool screen_fetch_header(void *context, struct slice name, struct rule_value *value)
{
    const struct screen_engine *e = context;
    const struct smsg_header *header = smsg_find(e->input.message, name);
    if (header == NULL)
        return false;
    *value = rule_text(smsg_value(e->input.message, header));
    return true;
}

void screen_clockface_set(struct screen_clockface *clockface, uint64_t wall_us)
{
    uint64_t minute = wall_us / 60000000;
    if (minute == clockface->minute)
        return;
    time_t seconds = (time_t)(minute * 60);
    struct tm local;
    if (localtime_r(&seconds, &local) == NULL)
        return;
    clockface->minute = minute;
    clockface->local_hour = (uint8_t)local.tm_hour;
    clockface->local_minute = (uint8_t)local.tm_min;
    clockface->weekday = (uint8_t)((local.tm_wday + 6) % 7);
}
