/* SPDX-License-Identifier: Apache-2.0 */
#include "reputation/row.h"

#include <errno.h>
#include <stdbool.h>

#include "base/clock.h"
#include "key_int.h"

static const char *const skip_texts[REP_SKIP_COUNT] = {
#define REP_SKIP_TEXT(name, text) [name] = text,
    REP_SKIP_TABLE(REP_SKIP_TEXT)
#undef REP_SKIP_TEXT
};

const char *rep_skip_text(unsigned reason)
{
    return reason < REP_SKIP_COUNT ? skip_texts[reason] : "unknown";
}

int rep_row_key(struct slice number, struct rep_key *key)
{
    static const struct slice raw = SLICE_LITERAL("raw:");
    number = slice_trim(number);
    *key = (struct rep_key){.kind = REP_KIND_NUMBER};
    if (slice_starts_with(number, raw)) {
        key->kind = REP_KIND_RAW;
        key->text = slice_from(number, raw.length);
        return key->text.length > 0 && key->text.length <= REP_RAW_MAXIMUM ? 0 : -EBADMSG;
    }
    bool plus = number.length > 0 && number.data[0] == '+';
    struct slice digits = slice_from(number, plus ? 1 : 0);
    if (digits.length > 0 && digits.data[digits.length - 1] == '*') {
        key->kind = REP_KIND_PREFIX;
        digits.length--;
    } else if (!plus) {
        return -EBADMSG;
    }
    return rep_pack_digits(digits, &key->packed) ? 0 : -EBADMSG;
}

void rep_row_number_append(struct buffer *buffer, const struct rep_key *key)
{
    char digits[REP_DIGITS_MAXIMUM + 1];
    if (key->kind == REP_KIND_RAW) {
        buffer_append_literal(buffer, "raw:");
        buffer_append(buffer, key->text);
        return;
    }
    unsigned count = rep_unpack_digits(key->packed, digits);
    if (key->kind == REP_KIND_NUMBER)
        buffer_append_char(buffer, '+');
    buffer_append_bytes(buffer, digits, count);
    if (key->kind == REP_KIND_PREFIX)
        buffer_append_char(buffer, '*');
}

/* ---- CSV ----------------------------------------------------------------------------------- */

enum column {
    COLUMN_NUMBER,
    COLUMN_SCORE,
    COLUMN_LIST,
    COLUMN_TYPE,
    COLUMN_SOURCE,
    COLUMN_EXPIRES,
    COLUMN_NOTE,
    COLUMN_SINCE,
    COLUMN_CASE,
    COLUMN_COUNT
};

/* Unquotes in place; *at is moved behind the comma, or past the end after the last field. */
static struct slice take_field(char *line, size_t length, size_t *at)
{
    size_t i = *at;
    char *first = line + i;
    if (i < length && line[i] == '"') {
        size_t out = i;
        for (i++; i < length; i++) {
            if (line[i] == '"') {
                if (i + 1 < length && line[i + 1] == '"')
                    i++;
                else
                    break;
            }
            line[out++] = line[i];
        }
        struct slice field = slice_make(first, (size_t)(line + out - first));
        while (i < length && line[i] != ',')
            i++;
        *at = i + 1;
        return field;
    }
    while (i < length && line[i] != ',')
        i++;
    *at = i + 1;
    return slice_trim(slice_make(first, (size_t)(line + i - first)));
}

/* Fixed-width digits; false when a byte is none. */
static bool take_digits(struct slice *text, size_t width, uint64_t *value)
{
    if (text->length < width || slice_to_uint64(slice_first(*text, width), UINT64_MAX, value) != 0)
        return false;
    *text = slice_from(*text, width);
    return true;
}

static bool take_char(struct slice *text, char expected)
{
    if (text->length == 0 || text->data[0] != expected)
        return false;
    *text = slice_from(*text, 1);
    return true;
}

/* A fraction of the second is passed over. */
static bool parse_time_of_day(struct slice text, uint64_t *seconds)
{
    uint64_t hour, minute, second, digit;
    if (!take_char(&text, 'T') || !take_digits(&text, 2, &hour) || !take_char(&text, ':') ||
        !take_digits(&text, 2, &minute) || !take_char(&text, ':') ||
        !take_digits(&text, 2, &second))
        return false;
    if (take_char(&text, '.'))
        while (take_digits(&text, 1, &digit))
            continue;
    if (!take_char(&text, 'Z') || text.length > 0)
        return false;
    *seconds = hour * 3600 + minute * 60 + second;
    return hour < 24 && minute < 60 && second < 61;
}

int rep_time_parse(struct slice text, uint64_t *wall_s)
{
    *wall_s = 0;
    if (slice_is_empty(text))
        return 0;
    if (slice_to_uint64(text, UINT32_MAX, wall_s) == 0)
        return *wall_s > 0 ? 0 : -EBADMSG;
    uint64_t year, month, day, of_day = 0;
    if (!take_digits(&text, 4, &year) || !take_char(&text, '-') || !take_digits(&text, 2, &month) ||
        !take_char(&text, '-') || !take_digits(&text, 2, &day) || year < 1970 || month < 1 ||
        month > 12 || day < 1 || day > 31)
        return -EBADMSG;
    if (text.length > 0 && !parse_time_of_day(text, &of_day))
        return -EBADMSG;
    int64_t days = clock_days_from_civil((int)year, (unsigned)month, (unsigned)day);
    *wall_s = (uint64_t)days * 86400 + of_day;
    return *wall_s > 0 ? 0 : -EBADMSG;
}

void rep_time_append(struct buffer *buffer, uint64_t wall_s)
{
    static const char fraction[] = ".000Z";
    char memory[40];
    struct buffer text = buffer_over(memory, sizeof(memory));
    clock_append_rfc3339(&text, wall_s * 1000000);
    buffer_append_bytes(buffer, memory, text.length - (sizeof(fraction) - 1));
    buffer_append_char(buffer, 'Z');
}

static int refuse(enum rep_skip *reason, enum rep_skip why)
{
    *reason = why;
    return -EBADMSG;
}

static int check_fields(const struct slice *field, struct rep_row *row, enum rep_skip *reason)
{
    struct rep_key key;
    *row = (struct rep_row){.number = field[COLUMN_NUMBER],
                            .type = field[COLUMN_TYPE],
                            .source = field[COLUMN_SOURCE],
                            .note = field[COLUMN_NOTE],
                            .reference = field[COLUMN_CASE]};
    if (rep_row_key(row->number, &key) != 0)
        return refuse(reason, REP_SKIP_NUMBER);
    if (rep_score_parse(field[COLUMN_SCORE], &row->score) != 0)
        return refuse(reason, REP_SKIP_SCORE);
    if (rep_list_parse(field[COLUMN_LIST], &row->list) != 0)
        return refuse(reason, REP_SKIP_LIST);
    if (rep_time_parse(field[COLUMN_EXPIRES], &row->expires_s) != 0)
        return refuse(reason, REP_SKIP_EXPIRES);
    if (rep_time_parse(field[COLUMN_SINCE], &row->since_s) != 0)
        return refuse(reason, REP_SKIP_SINCE);
    if (row->score == REP_SCORE_UNKNOWN && row->list == REP_LIST_NONE)
        return refuse(reason, REP_SKIP_EMPTY);
    return 0;
}

int rep_row_parse_csv(char *line, size_t length, struct rep_row *row, enum rep_skip *reason)
{
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        length--;
    struct slice whole = slice_trim(slice_make(line, length));
    if (slice_is_empty(whole) || whole.data[0] == '#' ||
        slice_starts_with_nocase(whole, SLICE("number,")))
        return ERROR_NOT_FOUND;

    struct slice field[COLUMN_COUNT] = {{0}};
    size_t at = 0;
    unsigned columns = 0;
    for (; at <= length; columns++) {
        struct slice taken = take_field(line, length, &at);
        if (columns < COLUMN_COUNT)
            field[columns] = taken;
    }
    if (columns < COLUMN_LIST + 1 || columns > COLUMN_COUNT)
        return refuse(reason, REP_SKIP_COLUMNS);
    return check_fields(field, row, reason);
}
