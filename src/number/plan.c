/* SPDX-License-Identifier: Apache-2.0 */
#include "number/plan.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>

#include "number/packed.h"
#include "number_int.h"

/*
 * All rows as one trie over the digits of an international number, built once at the first look-up
 * into static memory (a plan that does not fit is our bug and fails every test). A look-up is one
 * walk of at most eight dependent loads; longer prefixes are met later and so win.
 */
#define NODE_LIMIT 8192
#define LINK_LIMIT 8192

/* Indices: 0 is the root as a child and "none" elsewhere. */
struct node {
    uint16_t child[10];
    uint16_t country; /* row of num_country_rows, plus 1 */
    uint16_t link;    /* the rows of this prefix */
    bool known;       /* at a calling code: its plan has rows */
};

struct link {
    const struct num_range_row *row;
    uint16_t next;
};

static struct {
    struct node nodes[NODE_LIMIT];
    struct link links[LINK_LIMIT];
    uint16_t node_count;
    uint16_t link_count;
} plan;

static pthread_once_t plan_once = PTHREAD_ONCE_INIT;

static const char *const kind_texts[NUM_KIND_COUNT] = {
#define NUM_KIND_ROW(identifier, text, meaning) [NUM_##identifier] = (text),
    NUM_KIND_TABLE(NUM_KIND_ROW)
#undef NUM_KIND_ROW
};

const char *num_kind_text(enum num_kind kind)
{
    assert((unsigned)kind < NUM_KIND_COUNT);
    return kind_texts[kind];
}

int num_kind_parse(struct slice text, enum num_kind *kind)
{
    for (unsigned i = 0; i < NUM_KIND_COUNT; i++) {
        if (slice_equal(text, slice_of_text(kind_texts[i]))) {
            *kind = (enum num_kind)i;
            return 0;
        }
    }
    return -EINVAL;
}

/* ---- building ------------------------------------------------------------------------------ */

static uint16_t step(uint16_t at, unsigned digit)
{
    uint16_t *child = &plan.nodes[at].child[digit];
    if (*child == 0) {
        assert(plan.node_count < NODE_LIMIT);
        *child = plan.node_count++;
    }
    return *child;
}

static uint16_t calling_code_node(uint16_t calling_code)
{
    uint16_t at = 0;
    for (unsigned unit = calling_code >= 100  ? 100
                         : calling_code >= 10 ? 10
                                              : 1;
         unit > 0; unit /= 10)
        at = step(at, calling_code / unit % 10);
    return at;
}

struct placing {
    uint16_t from;
    uint16_t country;
    const struct num_range_row *row; /* NULL: its length's row of code_rows */
};

/* By length, for place_codes(). */
#define CODE_ROW(length)                                                \
    {                                                                   \
        0, NUM_SERVICE, (length), (length), NUM_RANGE_SERVICE, "", NULL \
    }
static const struct num_range_row code_rows[] = {CODE_ROW(0), CODE_ROW(1), CODE_ROW(2), CODE_ROW(3),
                                                 CODE_ROW(4), CODE_ROW(5), CODE_ROW(6)};

static uint16_t walk_from(uint16_t at, const char *digits, size_t length)
{
    for (size_t i = 0; i < length; i++)
        at = step(at, (unsigned)(digits[i] - '0'));
    return at;
}

static bool place_country(const char *digits, size_t length, void *argument)
{
    const struct placing *placing = argument;
    plan.nodes[walk_from(placing->from, digits, length)].country = placing->country;
    return true;
}

static bool place_row(const char *digits, size_t length, void *argument)
{
    const struct placing *placing = argument;
    struct node *node = &plan.nodes[walk_from(placing->from, digits, length)];
    assert(plan.link_count < LINK_LIMIT);
    assert(placing->row != NULL || length < sizeof(code_rows) / sizeof(code_rows[0]));
    plan.links[plan.link_count] = (struct link){
        .row = placing->row != NULL ? placing->row : &code_rows[length],
        .next = node->link,
    };
    node->link = plan.link_count++;
    return true;
}

static void place_rows(const struct num_range_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct placing placing = {.from = calling_code_node(rows[i].calling_code), .row = &rows[i]};
        plan.nodes[placing.from].known = true;
        num_pattern_each(rows[i].prefixes, place_row, &placing);
    }
}

/* Emergency codes and protected lines are services of the plan, of exactly their length. */
static void place_codes(const char *iso, const char *codes)
{
    const struct num_country *country = num_country_by_iso(slice_of_text(iso));
    assert(country != NULL);
    struct placing placing = {.from = calling_code_node(country->calling_code)};
    num_pattern_each(codes, place_row, &placing);
}

static void build(void)
{
    plan.node_count = 1;
    plan.link_count = 1;
    for (size_t i = 0; i < num_country_count; i++) {
        const struct num_country_row *row = &num_country_rows[i];
        struct placing placing = {.from = calling_code_node(row->country.calling_code),
                                  .country = (uint16_t)(i + 1)};
        num_pattern_each(row->leading, place_country, &placing);
    }
    for (size_t i = 0; i < num_emergency_count; i++)
        place_codes(num_emergency_rows[i].iso, num_emergency_rows[i].codes);
    for (size_t i = 0; i < num_protected_row_count; i++)
        place_codes(num_protected_rows[i].iso, num_protected_rows[i].code);
    place_rows(num_china_rows, num_china_count);
    place_rows(num_world_rows, num_world_count);
}

static void ready(void)
{
    int error = pthread_once(&plan_once, build);
    assert(error == 0);
    (void)error;
}

/* ---- look-up ------------------------------------------------------------------------------- */

/* The row that fits `national` digits; the last one placed comes first, all are equally long. */
static const struct num_range_row *fitting(uint16_t link, size_t national)
{
    for (; link != 0; link = plan.links[link].next) {
        const struct num_range_row *row = plan.links[link].row;
        if (national >= row->minimum && national <= row->maximum)
            return row;
    }
    return NULL;
}

static bool digits_only(struct slice digits)
{
    for (size_t i = 0; i < digits.length; i++)
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
    return digits.length > 0 && digits.length <= NUM_PACKED_DIGITS;
}

/* A local number starts with 2 to 9: 0 and 1 lead to trunk calls and services. */
static uint8_t judge_area(const struct num_range_row *row, struct slice national, uint8_t *area)
{
    if ((row->flags & (NUM_RANGE_AREA2 | NUM_RANGE_AREA3)) == 0)
        return row->kind;
    *area = (row->flags & NUM_RANGE_AREA2) != 0 ? 2 : 3;
    return *area < national.length && national.data[*area] >= '2' ? row->kind : NUM_INVALID;
}

bool num_plan_find(struct slice digits, struct num_range *range)
{
    if (!digits_only(digits))
        return false;
    ready();
    const struct num_range_row *row = NULL;
    uint16_t country = 0;
    size_t calling_digits = 0;
    bool known = false;
    uint16_t at = 0;
    for (size_t i = 0; i < digits.length; i++) {
        at = plan.nodes[at].child[digits.data[i] - '0'];
        if (at == 0)
            break;
        const struct node *node = &plan.nodes[at];
        if (node->country != 0) {
            country = node->country;
            if (calling_digits == 0) {
                calling_digits = i + 1;
                known = node->known;
            }
        }
        const struct num_range_row *here = fitting(node->link, digits.length - calling_digits);
        if (here != NULL)
            row = here;
    }
    if (country == 0)
        return false;
    *range = (struct num_range){.country = &num_country_rows[country - 1].country,
                                .kind = known ? NUM_INVALID : NUM_UNKNOWN,
                                .calling_digits = (uint8_t)calling_digits};
    struct slice national = slice_from(digits, calling_digits);
    if (row == NULL)
        return national.length >= range->country->national_min &&
               national.length <= range->country->national_max;
    range->kind = judge_area(row, national, &range->area_digits);
    range->region = row->region;
    range->service = (row->flags & NUM_RANGE_SERVICE) != 0;
    range->virtual_operator = (row->flags & NUM_RANGE_VIRTUAL) != 0;
    return true;
}

const struct num_country *num_country_by_iso(struct slice iso)
{
    for (size_t i = 0; i < num_country_count; i++)
        if (slice_equal_nocase(iso, slice_of_text(num_country_rows[i].country.iso)))
            return &num_country_rows[i].country;
    return NULL;
}

const struct num_country *num_country_by_code(uint16_t calling_code)
{
    for (size_t i = 0; i < num_country_count; i++)
        if (num_country_rows[i].country.calling_code == calling_code)
            return &num_country_rows[i].country;
    return NULL;
}

size_t num_country_total(void)
{
    return num_country_count;
}

const struct num_country *num_country_at(size_t index)
{
    assert(index < num_country_count);
    return &num_country_rows[index].country;
}

static void visit_regions(const struct num_range_row *rows, size_t count,
                          void (*visit)(const char *region, void *argument), void *argument)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].region != NULL)
            visit(rows[i].region, argument);
}

void num_plan_each_region(void (*visit)(const char *region, void *argument), void *argument)
{
    visit_regions(num_china_rows, num_china_count, visit, argument);
    visit_regions(num_world_rows, num_world_count, visit, argument);
}

const struct num_country *num_calling_country(struct slice digits, size_t *calling_digits)
{
    ready();
    uint16_t at = 0;
    for (size_t i = 0; i < digits.length && i < 3; i++) {
        unsigned digit = (unsigned)(unsigned char)digits.data[i] - '0';
        at = digit <= 9 ? plan.nodes[at].child[digit] : 0;
        if (at == 0)
            break;
        if (plan.nodes[at].country != 0) {
            *calling_digits = i + 1;
            return &num_country_rows[plan.nodes[at].country - 1].country;
        }
    }
    return NULL;
}

size_t num_calling_code_digits(struct slice digits)
{
    size_t calling_digits;
    return num_calling_country(digits, &calling_digits) != NULL ? calling_digits : 0;
}

/* The length of the area code that ends at this node after `depth` digits; 0 when none does. */
static size_t area_ending(uint16_t at, size_t depth)
{
    for (uint16_t link = plan.nodes[at].link; link != 0; link = plan.links[link].next) {
        unsigned flags = plan.links[link].row->flags;
        if (((flags & NUM_RANGE_AREA2) != 0 && depth == 2) ||
            ((flags & NUM_RANGE_AREA3) != 0 && depth == 3))
            return depth;
    }
    return 0;
}

size_t num_area_code_digits(const struct num_country *country, struct slice national)
{
    ready();
    uint16_t at = 0;
    for (unsigned unit = 100; unit > 0; unit /= 10)
        if (country->calling_code >= unit)
            at = plan.nodes[at].child[country->calling_code / unit % 10];
    for (size_t i = 0; i < national.length && i < 3; i++) {
        unsigned digit = (unsigned)(unsigned char)national.data[i] - '0';
        at = digit <= 9 ? plan.nodes[at].child[digit] : 0;
        if (at == 0)
            return 0;
        size_t area = area_ending(at, i + 1);
        if (area > 0)
            return area;
    }
    return 0;
}
