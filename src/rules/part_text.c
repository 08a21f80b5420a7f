/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "catalogue_int.h"
#include "literal_int.h"
#include "part_int.h"

enum { SHOWN_MAX = 12 /* of the values or networks of one test */ };

/* ---- values --------------------------------------------------------------------------------- */

void rule_part_write_text(struct buffer *out, struct slice text)
{
    buffer_append_char(out, '"');
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte == '"' || byte == '\\')
            buffer_append_char(out, '\\');
        if (byte < 0x20 || byte == 0x7f)
            buffer_append_char(out, '?');
        else
            buffer_append_char(out, (char)byte);
    }
    buffer_append_char(out, '"');
}

static void write_duration(struct buffer *out, int64_t microseconds)
{
    static const struct {
        int64_t microseconds;
        const char *unit;
    } units[] = {
        {INT64_C(86400000000), "d"}, {INT64_C(3600000000), "h"}, {INT64_C(60000000), "m"},
        {INT64_C(1000000), "s"},     {INT64_C(1000), "ms"},      {1, "us"},
    };
    if (microseconds == 0)
        buffer_append_literal(out, "0s");
    if (microseconds < 0)
        buffer_append_char(out, '-');
    uint64_t rest = microseconds < 0 ? 0 - (uint64_t)microseconds : (uint64_t)microseconds;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        uint64_t unit = (uint64_t)units[i].microseconds;
        if (rest < unit)
            continue;
        buffer_append_uint(out, rest / unit);
        buffer_append_text(out, units[i].unit);
        rest %= unit;
    }
}

static void write_time(struct buffer *out, int64_t wall_us)
{
    char text[32] = "";
    struct tm utc;
    time_t seconds = (time_t)(wall_us / 1000000);
    if (gmtime_r(&seconds, &utc) != NULL)
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
    buffer_append_text(out, text);
}

static void write_address(struct buffer *out, const struct rule_address *address)
{
    char text[INET6_ADDRSTRLEN] = "";
    bool is_ipv4 = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)address->bytes);
    (void)inet_ntop(is_ipv4 ? AF_INET : AF_INET6, address->bytes + (is_ipv4 ? 12 : 0), text,
                    sizeof(text));
    buffer_append_text(out, text);
}

static void write_set(struct buffer *out, const struct rule_text_set *set)
{
    buffer_append_char(out, '[');
    for (size_t i = 0; i < set->count; i++) {
        if (i > 0)
            buffer_append_literal(out, ", ");
        rule_part_write_text(out, set->texts[i]);
    }
    buffer_append_char(out, ']');
}

void rule_value_write(struct buffer *out, const struct rule_value *value)
{
    if (!value->known)
        return;
    switch (value->type) {
    case RULE_FLAG:
        buffer_append_text(out, value->flag ? "true" : "false");
        break;
    case RULE_INTEGER:
        buffer_append_int(out, value->integer);
        break;
    case RULE_DURATION:
        write_duration(out, value->integer);
        break;
    case RULE_TIME:
        write_time(out, value->integer);
        break;
    case RULE_RATIO:
        buffer_format(out, "%.6g%%", value->ratio * 100);
        break;
    case RULE_ADDRESS:
        buffer_append_char(out, '"');
        write_address(out, &value->address);
        buffer_append_char(out, '"');
        break;
    case RULE_TEXT:
    case RULE_NUMBER:
        rule_part_write_text(out, value->text);
        break;
    case RULE_SET:
    case RULE_TYPE_COUNT:
        write_set(out, &value->set);
        break;
    }
}

int rule_value_read(const struct rule_feature *feature, struct slice text, struct rule_value *value)
{
    *value = rule_unknown(feature->type);
    if (slice_equal(text, SLICE("unknown")))
        return 0;
    struct conf_suggestion near = conf_suggestion_for(text);
    int error = rule_literal_of_type(feature->type, text, value);
    if (error == 0 && value->type == RULE_TEXT && !rule_feature_can_be(feature, text, &near))
        error = -EBADMSG;
    return error;
}

/* ---- operands ------------------------------------------------------------------------------- */

static void write_constants(struct buffer *out, const struct rule_set *set,
                            const struct rule_operation *operation)
{
    const struct rule_value *constants = set->program.constants.items;
    buffer_append_char(out, '[');
    for (uint32_t i = 0; i < operation->a && i < SHOWN_MAX; i++) {
        if (i > 0)
            buffer_append_literal(out, ", ");
        rule_value_write(out, &constants[operation->b + i]);
    }
    if (operation->a > SHOWN_MAX)
        buffer_format(out, ", ... %u more", (unsigned)operation->a - SHOWN_MAX);
    buffer_append_char(out, ']');
}

static void write_list(struct buffer *out, const struct rule_set *set, uint32_t number)
{
    const struct rule_list *const *used = set->program.lists.items;
    const struct rule_named_list *lists = set->lists.items;
    for (size_t i = 0; i < set->lists.count; i++)
        if (lists[i].list == used[number]) {
            buffer_append(out, lists[i].name);
            return;
        }
    buffer_append_char(out, '?');
}

static void write_table(struct buffer *out, const struct rule_set *set, uint32_t number)
{
    const struct rule_table *const *used = set->program.tables.items;
    const struct rule_named_table *tables = set->tables.items;
    for (size_t i = 0; i < set->tables.count; i++)
        if (tables[i].table == used[number]) {
            buffer_append(out, tables[i].name);
            return;
        }
    buffer_append_char(out, '?');
}

/* By name, or else as the ranges that its networks became. */
static void write_networks(struct buffer *out, const struct rule_set *set, uint32_t number)
{
    const struct rule_networks *const *used = set->program.networks.items;
    const struct rule_networks *networks = used[number];
    const struct rule_named_list *lists = set->lists.items;
    for (size_t i = 0; i < set->lists.count; i++)
        if (lists[i].networks == networks) {
            buffer_append(out, lists[i].name);
            return;
        }
    buffer_append_char(out, '[');
    for (size_t i = 0; i < networks->count && i < SHOWN_MAX; i++) {
        if (i > 0)
            buffer_append_literal(out, ", ");
        write_address(out, &networks->ranges[i].first);
        buffer_append_literal(out, " - ");
        write_address(out, &networks->ranges[i].last);
    }
    if (networks->count > SHOWN_MAX)
        buffer_format(out, ", ... %zu more", networks->count - SHOWN_MAX);
    buffer_append_char(out, ']');
}

void rule_part_write_operand(struct buffer *out, const struct rule_set *set,
                             const struct rule_operation *operation)
{
    switch (operation->code) {
    case RULE_DO_ANY_OF:
        buffer_append_literal(out, " in ");
        write_constants(out, set, operation);
        break;
    case RULE_DO_STARTS_WITH_ANY:
        buffer_append_literal(out, " starts_with ");
        write_constants(out, set, operation);
        break;
    case RULE_DO_CONTAINS_ANY:
        buffer_append_literal(out, " contains ");
        write_constants(out, set, operation);
        break;
    case RULE_DO_IN_LIST:
        buffer_append_literal(out, " in ");
        write_list(out, set, operation->b);
        break;
    case RULE_DO_IN_NETWORKS:
        buffer_append_literal(out, " in ");
        write_networks(out, set, operation->b);
        break;
    case RULE_DO_LOOKUP:
        buffer_append_literal(out, ", ");
        write_table(out, set, operation->b);
        break;
    case RULE_DO_MATCHES:
        buffer_append_literal(out, " matches /");
        buffer_append(out, rule_program_pattern(&set->program, operation->b));
        buffer_append_char(out, '/');
        break;
    default:
        break;
    }
}

const char *rule_part_sign(const struct rule_operation *operation)
{
    static const char *const relations[] = {
#define RELATION_ROW(name, sign, token) [name] = " " sign " ",
        RULE_RELATION_TABLE(RELATION_ROW)
#undef RELATION_ROW
    };
    static const char *const signs[] = {
#define SIGN_ROW(name, sign, token, verb) [name] = " " sign " ",
        RULE_SIGN_OF_ARITHMETIC_TABLE(SIGN_ROW)
#undef SIGN_ROW
    };
    switch (operation->code) {
    case RULE_DO_COMPARE:
        return relations[operation->a];
    case RULE_DO_ARITHMETIC:
        return signs[rule_arithmetic_sign(operation->a)];
    case RULE_DO_STARTS_WITH:
        return " starts_with ";
    case RULE_DO_CONTAINS:
        return " contains ";
    case RULE_DO_AND:
        return " and ";
    case RULE_DO_OR:
        return " or ";
    default:
        return "";
    }
}
