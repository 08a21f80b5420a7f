/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/clock.h"
#include "config/value.h"
#include "number_int.h"

static int parse_date(struct slice text, uint64_t *wall_s)
{
    uint64_t year, month, day;
    if (text.length != 10 || text.data[4] != '-' || text.data[7] != '-' ||
        slice_to_uint64(slice_first(text, 4), 9999, &year) != 0 ||
        slice_to_uint64(slice_make(text.data + 5, 2), 12, &month) != 0 ||
        slice_to_uint64(slice_make(text.data + 8, 2), 31, &day) != 0 || month == 0 || day == 0 ||
        year < 1970)
        return -EBADMSG;
    *wall_s = (uint64_t)clock_days_from_civil((int)year, (unsigned)month, (unsigned)day) * 86400;
    return 0;
}

int cli_parse_expires(const char *text, uint64_t now_wall_s, uint64_t *expires_s)
{
    struct slice written = slice_of_text(text);
    uint64_t duration_us;
    *expires_s = 0;
    if (slice_equal(written, SLICE("never")))
        return 0;
    if (parse_date(written, expires_s) == 0)
        return *expires_s > now_wall_s ? 0 : -ERANGE;
    if (conf_value_duration(written, &duration_us) != 0 || duration_us < 1000000)
        return -EBADMSG;
    *expires_s = now_wall_s + duration_us / 1000000;
    return 0;
}

int cli_parse_since(const char *text, uint64_t now_wall_s, uint64_t *since_s)
{
    uint64_t ago_us;
    if (rep_time_parse(slice_of_text(text), since_s) == 0)
        return *since_s > 0 ? 0 : -EBADMSG;
    if (conf_value_duration(slice_of_text(text), &ago_us) != 0 || ago_us / 1000000 >= now_wall_s)
        return -EBADMSG;
    *since_s = now_wall_s - ago_us / 1000000;
    return 0;
}

void cli_append_row(struct buffer *buffer, const struct rep_row *row)
{
    const struct {
        const char *name;
        struct slice text;
    } texts[] = {{" type ", row->type}, {" source ", row->source}, {" note ", row->note}};
    buffer_append_literal(buffer, "score ");
    if (row->score == REP_SCORE_UNKNOWN)
        buffer_append_literal(buffer, "-");
    else
        buffer_append_int(buffer, row->score);
    buffer_append_literal(buffer, " list ");
    buffer_append_text(buffer, rep_list_text(row->list));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].text.length == 0)
            continue;
        buffer_append_text(buffer, texts[i].name);
        buffer_append(buffer, texts[i].text);
    }
    if (row->expires_s != 0) {
        buffer_append_literal(buffer, " expires ");
        clock_append_rfc3339(buffer, row->expires_s * 1000000);
    }
}
