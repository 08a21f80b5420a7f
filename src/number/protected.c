/* SPDX-License-Identifier: Apache-2.0 */
#include "number/protected.h"

#include <errno.h>
#include <stdlib.h>

#include "number/emergency.h"
#include "number_int.h"

/*
 * Lines that fraudsters borrow, as their countries dial them. The emergency codes of a country are
 * added from their own table. Every row is a service of the plan as well.
 */
const struct num_protected_row num_protected_rows[] = {
    {"CN", "96110", "anti-fraud centre of the police", "police"},
    {"CN", "12110", "police by text message", "police"},
    {"CN", "12389", "complaints about the police", "police"},
    {"CN", "12123", "traffic police services", "police"},
    {"CN", "12367", "National Immigration Administration", "police"},
    {"CN", "12309", "procuratorates", "court"},
    {"CN", "12368", "courts", "court"},
    {"CN", "12388", "discipline inspection", "court"},
    {"CN", "12348", "legal aid", "court"},
    {"CN", "12345", "government service hotline", "hotline"},
    {"CN", "12315", "consumer complaints", "hotline"},
    {"CN", "12321", "reports of spam and nuisance calls", "hotline"},
    {"CN", "12381", "anti-fraud warnings of the telecom regulator", "hotline"},
    {"CN", "12300", "telecom user complaints", "hotline"},
    {"CN", "12305", "postal complaints", "hotline"},
    {"CN", "12306", "railway customer service", "hotline"},
    {"CN", "12320", "public health", "hotline"},
    {"CN", "12328", "transport service", "hotline"},
    {"CN", "12329", "housing provident fund", "hotline"},
    {"CN", "12333", "social security", "hotline"},
    {"CN", "12338", "women's rights", "hotline"},
    {"CN", "12355", "youth service", "hotline"},
    {"CN", "12356", "mental health", "hotline"},
    {"CN", "12360", "customs", "hotline"},
    {"CN", "12363", "financial consumers, People's Bank of China", "hotline"},
    {"CN", "12366", "tax service", "hotline"},
    {"CN", "12378", "bank and insurance consumers", "hotline"},
    {"CN", "12386", "securities investors", "hotline"},
    {"CN", "12122", "motorway rescue", "hotline"},
    {"CN", "12395", "rescue at sea", "emergency"},
    {"CN", "95119", "forest fire", "emergency"},
    {"CN", "114", "directory enquiries", "operator"},
    {"CN", "10000", "China Telecom", "operator"},
    {"CN", "10001", "China Telecom", "operator"},
    {"CN", "10010", "China Unicom", "operator"},
    {"CN", "10011", "China Unicom", "operator"},
    {"CN", "10015", "China Unicom complaints", "operator"},
    {"CN", "10016", "China Unicom", "operator"},
    {"CN", "10080", "China Mobile complaints", "operator"},
    {"CN", "10085", "China Mobile", "operator"},
    {"CN", "10086", "China Mobile", "operator"},
    {"CN", "10050", "China Tietong", "operator"},
    {"CN", "10096", "China Tower", "operator"},
    {"CN", "10099", "China Broadnet", "operator"},
    {"CN", "95588", "Industrial and Commercial Bank of China", "bank"},
    {"CN", "95533", "China Construction Bank", "bank"},
    {"CN", "95599", "Agricultural Bank of China", "bank"},
    {"CN", "95566", "Bank of China", "bank"},
    {"CN", "95559", "Bank of Communications", "bank"},
    {"CN", "95580", "Postal Savings Bank of China", "bank"},
    {"CN", "95555", "China Merchants Bank", "bank"},
    {"CN", "95528", "Shanghai Pudong Development Bank", "bank"},
    {"CN", "95558", "China CITIC Bank", "bank"},
    {"CN", "95561", "Industrial Bank", "bank"},
    {"CN", "95568", "China Minsheng Bank", "bank"},
    {"CN", "95577", "Hua Xia Bank", "bank"},
    {"CN", "95595", "China Everbright Bank", "bank"},
    {"CN", "95508", "China Guangfa Bank", "bank"},
    {"CN", "95511", "Ping An", "bank"},
    {"CN", "95526", "Bank of Beijing", "bank"},
    {"CN", "95527", "China Zheshang Bank", "bank"},
    {"CN", "95541", "China Bohai Bank", "bank"},
    {"CN", "95574", "Bank of Ningbo", "bank"},
    {"CN", "95594", "Bank of Shanghai", "bank"},
    {"CN", "95302", "Bank of Nanjing", "bank"},
    {"CN", "95319", "Bank of Jiangsu", "bank"},
    {"CN", "95398", "Bank of Hangzhou", "bank"},
    {"CN", "95516", "UnionPay", "bank"},
    {"CN", "95188", "Alipay", "bank"},
    {"CN", "95017", "Tencent and WeChat Pay", "bank"},
    {"CN", "95500", "China Pacific Insurance", "insurer"},
    {"CN", "95518", "PICC", "insurer"},
    {"CN", "95519", "China Life", "insurer"},
    {"CN", "95522", "Taikang Insurance", "insurer"},
    {"CN", "95567", "New China Life", "insurer"},
    {"CN", "95589", "China Taiping", "insurer"},
    {"CN", "95598", "State Grid", "utility"},
    {"CN", "95338", "SF Express", "utility"},
    {"CN", "11183", "China Post EMS", "utility"},
    {"CN", "11185", "China Post", "utility"},

    {"AU", "131444", "police assistance", "police"},
    {"GB", "101", "police, not urgent", "police"},
    {"GB", "111", "NHS", "hotline"},
    {"GB", "159", "Stop Scams UK, connects to banks", "hotline"},
    {"HK", "18222", "Anti-Deception Coordination Centre", "police"},
    {"IN", "1930", "cyber crime helpline", "police"},
    {"JP", "188", "consumer hotline", "hotline"},
    {"KR", "118", "Korea Internet and Security Agency", "hotline"},
    {"KR", "1332", "Financial Supervisory Service", "hotline"},
    {"MY", "997", "National Scam Response Centre", "police"},
    {"SG", "1799", "ScamShield helpline", "police"},
    {"TH", "1441", "Anti Online Scam Operation Centre", "police"},
    {"TW", "165", "anti-fraud hotline", "police"},
    {"TW", "113", "protection hotline", "hotline"},
    {"US", "988", "suicide and crisis lifeline", "hotline"},
    {"CA", "988", "suicide crisis helpline", "hotline"},
};
const size_t num_protected_row_count = sizeof(num_protected_rows) / sizeof(num_protected_rows[0]);

struct num_protected {
    struct num_protected_line *lines; /* ascending by packed */
    size_t count;
    size_t capacity;
    char *names; /* of the extra lines */
};

static int compare_lines(const void *a, const void *b)
{
    const struct num_protected_line *left = a;
    const struct num_protected_line *right = b;
    return (left->packed > right->packed) - (left->packed < right->packed);
}

/* The later of two lines with one number replaces the earlier. */
static void add_line(struct num_protected *set, uint64_t packed, const char *name, const char *kind)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->lines[i].packed == packed) {
            set->lines[i].name = name;
            set->lines[i].kind = kind;
            return;
        }
    }
    set->lines[set->count++] = (struct num_protected_line){packed, name, kind};
}

static void add_national(struct num_protected *set, const struct num_country *country,
                         struct slice code, const char *name, const char *kind)
{
    uint64_t packed = 1;
    unsigned unit = country->calling_code >= 100 ? 1000 : country->calling_code >= 10 ? 100 : 10;
    packed = packed * unit + country->calling_code;
    for (size_t i = 0; i < code.length; i++)
        packed = packed * 10 + (uint64_t)(code.data[i] - '0');
    add_line(set, packed, name, kind);
}

struct adding {
    struct num_protected *set;
    const struct num_country *country;
};

static bool add_emergency(const char *digits, size_t length, void *argument)
{
    const struct adding *adding = argument;
    add_national(adding->set, adding->country, slice_make(digits, length), "emergency services",
                 "emergency");
    return true;
}

static void add_country(struct num_protected *set, const struct num_country *country)
{
    struct adding adding = {set, country};
    num_pattern_each(num_emergency_codes(country), add_emergency, &adding);
    for (size_t i = 0; i < num_protected_row_count; i++) {
        const struct num_protected_row *row = &num_protected_rows[i];
        if (memcmp(row->iso, country->iso, sizeof(row->iso)) == 0)
            add_national(set, country, slice_of_text(row->code), row->name, row->kind);
    }
}

static int add_extra(struct num_protected *set, const struct num_protected_extra *extra,
                     char **name)
{
    char text[NUM_TEXT];
    size_t length;
    uint64_t packed;
    if (!num_compact(extra->number, text, &length) || text[0] != '+' ||
        !num_pack(slice_make(text, length), &packed))
        return -EINVAL;
    if (extra->name.length > 0)
        memcpy(*name, extra->name.data, extra->name.length);
    (*name)[extra->name.length] = '\0';
    add_line(set, packed, *name, "configured");
    *name += extra->name.length + 1;
    return 0;
}

/* Upper bounds, so that nothing grows. */
static int reserve(struct num_protected *set, size_t country_count,
                   const struct num_protected_extra *extra, size_t extra_count)
{
    enum { CODES_LIMIT = 16 }; /* emergency codes of one country */
    size_t names = 1;
    for (size_t i = 0; i < extra_count; i++)
        names += extra[i].name.length + 1;
    set->capacity = num_protected_row_count + country_count * CODES_LIMIT + extra_count;
    set->lines = calloc(set->capacity, sizeof(set->lines[0]));
    set->names = malloc(names);
    return set->lines != NULL && set->names != NULL ? 0 : -ENOMEM;
}

int num_protected_create(const struct slice *countries, size_t country_count,
                         const struct num_protected_extra *extra, size_t extra_count, size_t *bad,
                         struct num_protected **out)
{
    size_t ignored;
    size_t *index = bad != NULL ? bad : &ignored;
    *index = 0;
    int error = -ENOMEM;
    struct num_protected *set = calloc(1, sizeof(*set));
    if (set == NULL)
        goto out;
    error = reserve(set, country_count, extra, extra_count);
    if (error != 0)
        goto out;
    for (; *index < country_count; (*index)++) {
        const struct num_country *country = num_country_by_iso(countries[*index]);
        error = country != NULL ? 0 : ERROR_NOT_FOUND;
        if (error != 0)
            goto out;
        add_country(set, country);
    }
    char *name = set->names;
    for (*index = 0; *index < extra_count; (*index)++) {
        error = add_extra(set, &extra[*index], &name);
        if (error != 0)
            goto out;
    }
    qsort(set->lines, set->count, sizeof(set->lines[0]), compare_lines);
    *out = set;
    set = NULL;
out:
    num_protected_destroy(set);
    return error;
}

const struct num_protected_line *num_protected_find_packed(const struct num_protected *set,
                                                           uint64_t packed)
{
    size_t low = 0;
    size_t high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->lines[middle].packed == packed)
            return &set->lines[middle];
        if (set->lines[middle].packed < packed)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct num_protected_line *num_protected_find(const struct num_protected *set,
                                                    const struct num_number *number)
{
    return number->valid && !number->imitation ? num_protected_find_packed(set, number->packed)
                                               : NULL;
}

size_t num_protected_count(const struct num_protected *set)
{
    return set->count;
}

const struct num_protected_line *num_protected_at(const struct num_protected *set, size_t index)
{
    return &set->lines[index];
}

void num_protected_destroy(struct num_protected *set)
{
    if (set == NULL)
        return;
    free(set->lines);
    free(set->names);
    free(set);
}
