/* SPDX-License-Identifier: Apache-2.0 */
#include "message/overload.h"

#include <string.h>

#include "chars_int.h"

/* Section 9: oc-seq = 1*12DIGIT "." 1*5DIGIT */
#define SEQUENCE_SECONDS  12
#define SEQUENCE_FRACTION 5

static const struct {
    struct slice word;
    uint8_t bit;
} algorithm_rows[] = {
#define ALGORITHM_ROW(identifier, word, bit) {SLICE_LITERAL(word), bit},
    SMSG_OVERLOAD_TABLE(ALGORITHM_ROW)
#undef ALGORITHM_ROW
};

const char *smsg_overload_word(enum smsg_overload_algorithm algorithm)
{
    for (size_t i = 0; i < sizeof(algorithm_rows) / sizeof(algorithm_rows[0]); i++)
        if (algorithm_rows[i].bit == (unsigned)algorithm)
            return algorithm_rows[i].word.data;
    return "none";
}

/* ---- where they stand ---------------------------------------------------------------------- */

/* "oc", or a name that starts with "oc-": extensions of these belong to the same hop. */
static bool is_name(const char *at, const char *end)
{
    if (end - at < 2 || (at[0] | 0x20) != 'o' || (at[1] | 0x20) != 'c')
        return false;
    return end - at == 2 || at[2] == '-' || !char_is(at[2], CHAR_TOKEN);
}

/* Behind the quoted string, or at the end when it is not closed. */
static const char *skip_quoted(const char *at, const char *end)
{
    const char *past = smsg_chars_span_quoted(at, end, end);
    return past != NULL ? past : end;
}

static const char *param_end(const char *at, const char *end)
{
    while (at < end && *at != ';' && *at != ',')
        at = *at == '"' ? skip_quoted(at, end) : at + 1;
    while (char_is_lws(at[-1]))
        at--;
    return at;
}

/* Whether it is worth looking closer: few lines have one. */
static bool may_have(struct slice vias)
{
    const char *at = vias.data, *end = slice_past(vias);
    while (at < end && (at = memchr(at, ';', (size_t)(end - at))) != NULL) {
        at = chars_skip_lws(at + 1, end);
        if (is_name(at, end))
            return true;
    }
    return false;
}

size_t smsg_overload_find(struct slice vias, struct slice runs[SMSG_OVERLOAD_RUNS])
{
    const char *at = vias.data, *end = slice_past(vias);
    size_t count = 0;
    if (!may_have(vias))
        return 0;
    while (at < end && count < SMSG_OVERLOAD_RUNS) {
        const char *name = *at == ';' ? chars_skip_lws(at + 1, end) : end;
        if (*at == '"') {
            at = skip_quoted(at, end);
        } else if (is_name(name, end)) {
            const char *past = param_end(name, end);
            runs[count++] = slice_between(at, past);
            at = past;
        } else {
            at++;
        }
    }
    return count;
}

void smsg_overload_strip(struct buffer *text, size_t begun)
{
    struct slice runs[SMSG_OVERLOAD_RUNS];
    size_t count = smsg_overload_find(slice_make(text->data + begun, text->length - begun), runs);
    /* From the last one, so that the others stay where they are. */
    while (count > 0) {
        struct slice run = runs[--count];
        size_t at = (size_t)(run.data - text->data);
        memmove(text->data + at, slice_past(run), text->length - at - run.length);
        text->length -= run.length;
    }
}

/* ---- what they say ------------------------------------------------------------------------- */

static int read_number(struct slice text, uint32_t *number)
{
    uint64_t value;
    if (text.length == 0 || slice_to_uint64(text, UINT32_MAX, &value) != 0)
        return ERROR_MALFORMED;
    *number = (uint32_t)value;
    return 0;
}

static int read_oc(struct slice value, struct smsg_overload *overload)
{
    if (overload->offered || overload->told)
        return ERROR_MALFORMED;
    overload->offered = value.data == NULL;
    overload->told = !overload->offered;
    return overload->told ? read_number(value, &overload->value) : 0;
}

static int read_validity(struct slice value, struct smsg_overload *overload)
{
    return value.data == NULL ? 0 : read_number(value, &overload->validity_ms);
}

/* Section 4.4 calls it an integer, and so some peers write it without a fraction. */
static int read_sequence(struct slice value, struct smsg_overload *overload)
{
    size_t dot = slice_find(value, '.');
    struct slice whole = slice_first(value, dot);
    struct slice part = dot < value.length ? slice_from(value, dot + 1) : SLICE("0");
    uint64_t seconds, fraction;
    if (whole.length == 0 || whole.length > SEQUENCE_SECONDS || part.length == 0 ||
        part.length > SEQUENCE_FRACTION || slice_to_uint64(whole, UINT64_MAX, &seconds) != 0 ||
        slice_to_uint64(part, UINT64_MAX, &fraction) != 0)
        return ERROR_MALFORMED;
    for (size_t i = part.length; i < SEQUENCE_FRACTION; i++)
        fraction *= 10;
    overload->sequenced = true;
    overload->sequence = seconds * 100000 + fraction;
    return 0;
}

/* A list in quotes; peers that have one algorithm write it without them, too. */
static int read_algorithms(struct slice value, struct smsg_overload *overload)
{
    if (value.length >= 2 && value.data[0] == '"')
        value = slice_make(value.data + 1, value.length - 2);
    while (value.length > 0) {
        size_t comma = slice_find(value, ',');
        struct slice word = slice_trim(slice_first(value, comma));
        if (word.length == 0 || overload->algorithm_count == UINT8_MAX)
            return ERROR_MALFORMED;
        overload->algorithm_count++;
        for (size_t i = 0; i < sizeof(algorithm_rows) / sizeof(algorithm_rows[0]); i++)
            if (slice_equal_nocase(word, algorithm_rows[i].word))
                overload->algorithms |= algorithm_rows[i].bit;
        value = comma < value.length ? slice_from(value, comma + 1) : SLICE("");
    }
    return overload->algorithm_count > 0 ? 0 : ERROR_MALFORMED;
}

static const struct {
    struct slice name;
    int (*read)(struct slice value, struct smsg_overload *overload);
} param_rows[] = {
    {SLICE_LITERAL("oc"), read_oc},
    {SLICE_LITERAL("oc-algo"), read_algorithms},
    {SLICE_LITERAL("oc-validity"), read_validity},
    {SLICE_LITERAL("oc-seq"), read_sequence},
};

#define PARAM_ROWS (sizeof(param_rows) / sizeof(param_rows[0]))

static int read_param(struct slice run, unsigned *seen, struct smsg_overload *overload)
{
    struct smsg_param_view param;
    const char *at = run.data;
    if (smsg_chars_param(&at, slice_past(run), slice_past(run), &param) != 1 ||
        at != slice_past(run))
        return ERROR_MALFORMED;
    for (size_t i = 0; i < PARAM_ROWS; i++) {
        if (!slice_equal_nocase(param.name, param_rows[i].name))
            continue;
        if ((*seen >> i & 1) != 0)
            return ERROR_MALFORMED;
        *seen |= 1u << i;
        return param_rows[i].read(param.value, overload);
    }
    return 0; /* an extension */
}

int smsg_overload_read(struct slice via, struct smsg_overload *overload)
{
    struct slice runs[SMSG_OVERLOAD_RUNS];
    size_t count = smsg_overload_find(via, runs);
    unsigned seen = 0;
    *overload = (struct smsg_overload){.validity_ms = SMSG_OVERLOAD_VALIDITY_MS};
    for (size_t i = 0; i < count; i++)
        if (read_param(runs[i], &seen, overload) != 0)
            return ERROR_MALFORMED;
    return 0;
}
