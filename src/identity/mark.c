/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/mark.h"

#include <assert.h>

#define BRANCH_START "z9hG4bKrf"
#define MARK_DIGITS  16

enum { PURPOSE_BRANCH = 1, PURPOSE_ROUTE, PURPOSE_TAG, PURPOSE_STEERING, PURPOSE_LOOP };

static struct hash_key derive(const uint8_t key[IDENT_KEY_BYTES], uint8_t purpose)
{
    struct hash_key halves[2];
    memcpy(halves, key, sizeof(halves));
    uint8_t first[2] = {purpose, 0};
    uint8_t second[2] = {purpose, 1};

    /* Both halves of the site's key go into both words. */
    struct hash_key mixed = {{
        hash_siphash24(&halves[0], first, sizeof(first)) ^
            hash_siphash24(&halves[1], second, sizeof(second)),
        hash_siphash24(&halves[0], second, sizeof(second)) ^
            hash_siphash24(&halves[1], first, sizeof(first)),
    }};
    return mixed;
}

void ident_marks_init(struct ident_marks *marks, const uint8_t key[IDENT_KEY_BYTES],
                      uint8_t generation)
{
    assert(generation <= 15);
    marks->branch = derive(key, PURPOSE_BRANCH);
    marks->route = derive(key, PURPOSE_ROUTE);
    marks->tag = derive(key, PURPOSE_TAG);
    marks->steering = derive(key, PURPOSE_STEERING);
    marks->loop = derive(key, PURPOSE_LOOP);
    marks->generation = generation;
}

static void write_hex(char *out, uint64_t value, unsigned digits)
{
    static const char alphabet[] = "0123456789abcdef";
    for (unsigned i = digits; i-- > 0; value >>= 4)
        out[i] = alphabet[value & 15];
}

/* Only the lower-case digits that write_hex() produces. */
static int read_hex(const char *text, unsigned digits, uint64_t *value)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < digits; i++) {
        char c = text[i];
        if (c >= '0' && c <= '9')
            sum = sum << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            sum = sum << 4 | (uint64_t)(c - 'a' + 10);
        else
            return ERROR_FORGED;
    }
    *value = sum;
    return 0;
}

static uint64_t hop_mark(const struct hash_key *key, const struct ident_hop *hop, uint64_t salt)
{
    struct siphash mark = siphash_begin(key);
    siphash_part(&mark, SIPHASH_MARK, hop->branch);
    siphash_part(&mark, SIPHASH_MARK, hop->host);
    siphash_part(&mark, SIPHASH_MARK, hop->call_id);
    siphash_part(&mark, SIPHASH_MARK, hop->from_tag);
    siphash_word(&mark, SIPHASH_MARK, (uint64_t)hop->cseq << 16 | hop->port);
    siphash_word(&mark, SIPHASH_MARK, salt);
    return siphash_end(&mark, SIPHASH_MARK);
}

static uint64_t branch_salt(uint64_t generation, uint64_t attempt, uint64_t loop)
{
    return generation << 40 | attempt << 36 | loop;
}

void ident_branch_write(const struct ident_marks *marks, const struct ident_hop *hop,
                        unsigned attempt, uint32_t loop, char branch[IDENT_BRANCH_LENGTH])
{
    assert(attempt <= IDENT_ATTEMPT_MAX);
    char *at = branch;
    memcpy(at, BRANCH_START, sizeof(BRANCH_START) - 1);
    at += sizeof(BRANCH_START) - 1;
    write_hex(at++, marks->generation, 1);
    write_hex(at++, attempt, 1);
    write_hex(at, loop, 8);
    uint64_t mark = hop_mark(&marks->branch, hop, branch_salt(marks->generation, attempt, loop));
    write_hex(at + 8, mark, MARK_DIGITS);
}

bool ident_branch_has_form(struct slice branch)
{
    return branch.length == IDENT_BRANCH_LENGTH &&
           memcmp(branch.data, BRANCH_START, sizeof(BRANCH_START) - 1) == 0;
}

int ident_branch_verify(const struct ident_marks *marks, const struct ident_hop *hop,
                        struct slice branch)
{
    if (!ident_branch_has_form(branch))
        return ERROR_FORGED;
    const char *at = branch.data + sizeof(BRANCH_START) - 1;
    uint64_t generation, attempt, loop, mark;
    if (read_hex(at, 1, &generation) != 0 || read_hex(at + 1, 1, &attempt) != 0 ||
        read_hex(at + 2, 8, &loop) != 0 || read_hex(at + 10, MARK_DIGITS, &mark) != 0)
        return ERROR_FORGED;
    uint64_t expected = hop_mark(&marks->branch, hop, branch_salt(generation, attempt, loop));
    return mark == expected ? 0 : ERROR_FORGED;
}

int ident_branch_generation(struct slice branch)
{
    uint64_t generation;
    if (!ident_branch_has_form(branch) ||
        read_hex(branch.data + sizeof(BRANCH_START) - 1, 1, &generation) != 0)
        return -1;
    return (int)generation;
}

uint32_t ident_branch_loop(struct slice branch)
{
    uint64_t loop = 0;
    if (!ident_branch_has_form(branch) ||
        read_hex(branch.data + sizeof(BRANCH_START) + 1, 8, &loop) != 0)
        return 0;
    return (uint32_t)loop;
}

uint32_t ident_loop(const struct ident_marks *marks, struct slice request_uri,
                    const struct slice *routes, size_t route_count)
{
    struct siphash digest = siphash_begin(&marks->loop);
    siphash_part(&digest, SIPHASH_MARK, request_uri);
    siphash_part(&digest, SIPHASH_MARK, route_count > 0 ? routes[0] : SLICE(""));
    for (size_t i = 1; i < route_count; i++)
        siphash_part(&digest, SIPHASH_MARK, routes[i]);
    return (uint32_t)(siphash_end(&digest, SIPHASH_MARK) >> 32);
}

uint32_t ident_trunk(struct slice name)
{
    /* A fixed key: the number must be the same on every node; names come from the operator. */
    static const struct hash_key fixed = {{0x7472756e6b206964ULL, 0x72696e6766656e63ULL}};
    return (uint32_t)hash_siphash24(&fixed, name.data, name.length);
}

static uint64_t route_mark(const struct ident_marks *marks, struct slice call_id,
                           struct slice from_tag, uint32_t ingress, uint32_t egress)
{
    struct siphash mark = siphash_begin(&marks->route);
    siphash_part(&mark, SIPHASH_MARK, call_id);
    siphash_part(&mark, SIPHASH_MARK, from_tag);
    siphash_word(&mark, SIPHASH_MARK, (uint64_t)ingress << 32 | egress);
    return siphash_end(&mark, SIPHASH_MARK);
}

void ident_route_write(const struct ident_marks *marks, struct slice call_id, struct slice from_tag,
                       uint32_t ingress, uint32_t egress, char mark[IDENT_ROUTE_LENGTH])
{
    write_hex(mark, ingress, 8);
    write_hex(mark + 8, egress, 8);
    write_hex(mark + 16, route_mark(marks, call_id, from_tag, ingress, egress), MARK_DIGITS);
}

int ident_route_verify(const struct ident_marks *marks, struct slice mark, struct slice call_id,
                       struct slice from_tag, struct slice to_tag, struct ident_route *route)
{
    uint64_t ingress, egress, value;
    if (mark.length != IDENT_ROUTE_LENGTH || read_hex(mark.data, 8, &ingress) != 0 ||
        read_hex(mark.data + 8, 8, &egress) != 0 ||
        read_hex(mark.data + 16, MARK_DIGITS, &value) != 0)
        return ERROR_FORGED;
    route->ingress = (uint32_t)ingress;
    route->egress = (uint32_t)egress;
    if (value == route_mark(marks, call_id, from_tag, route->ingress, route->egress)) {
        route->reversed = false;
        return 0;
    }
    if (value == route_mark(marks, call_id, to_tag, route->ingress, route->egress)) {
        route->reversed = true;
        return 0;
    }
    return ERROR_FORGED;
}

void ident_tag_write(const struct ident_marks *marks, const struct ident_hop *hop,
                     char tag[IDENT_TAG_LENGTH])
{
    tag[0] = 'r';
    tag[1] = 'f';
    write_hex(tag + 2, hop_mark(&marks->tag, hop, 0), MARK_DIGITS);
}

bool ident_tag_verify(const struct ident_marks *marks, const struct ident_hop *hop,
                      struct slice tag)
{
    char expected[IDENT_TAG_LENGTH];
    if (tag.length != IDENT_TAG_LENGTH || tag.data[0] != 'r' || tag.data[1] != 'f')
        return false;
    ident_tag_write(marks, hop, expected);
    return memcmp(tag.data, expected, sizeof(expected)) == 0;
}
