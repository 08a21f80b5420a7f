/* SPDX-License-Identifier: Apache-2.0 */
#include "screening_int.h"

static bool read_number(const struct screen_engine *engine, enum num_role role,
                        const struct smsg_identity *identity, struct num_number *number)
{
    return num_normalise(&engine->input.trunk->profile, role, identity->scheme, identity->user,
                         identity->uri_params, number) == 0;
}

/* The number that forwarded the call last: the topmost Diversion (RFC 5806), or else the entry of
 * History-Info before the last (RFC 7044 section 8.1: the last one is the current target). */
static const struct smsg_identity *diverting_identity(const struct smsg_decoded *decoded)
{
    if (decoded->diversion_count > 0)
        return &decoded->diversion[0];
    if (decoded->history_count >= 2)
        return &decoded->history[decoded->history_count - 2];
    return NULL;
}

static bool originates(const struct screen_trunk *trunk, const struct num_number *number)
{
    uint32_t value;
    if (trunk->originates == NULL || !number->valid)
        return false;
    struct slice digits = slice_make(number->text + 1, (size_t)number->length - 1);
    return num_trie_find_longest(trunk->originates, digits, &value, NULL);
}

static bool same_identity(const struct smsg_identity *a, const struct smsg_identity *b)
{
    return slice_equal(a->user, b->user) && slice_equal(a->scheme, b->scheme) &&
           slice_equal(a->uri_params, b->uri_params);
}

/* The network's number is mostly the one that the caller claims: then it is normalised once. */
static bool read_asserted_one(const struct screen_engine *engine,
                              const struct smsg_identity *identity, struct num_number *number)
{
    const struct screen_facts *facts = &engine->facts;
    if (!same_identity(identity, &engine->decoded.from))
        return read_number(engine, NUM_CALLER, identity, number);
    *number = facts->from;
    return number->valid;
}

/* RFC 3325 section 9.1: a sip: and a tel: URI may stand side by side. The first that is a number
 * counts; when none is, the first. */
static void read_asserted(struct screen_engine *engine)
{
    struct screen_facts *facts = &engine->facts;
    const struct smsg_decoded *decoded = &engine->decoded;
    struct num_number other;
    facts->asserted_present = decoded->asserted_count > 0;
    if (!facts->asserted_present)
        return;
    bool valid = read_asserted_one(engine, &decoded->asserted[0], &facts->asserted);
    for (uint8_t i = 1; i < decoded->asserted_count && !valid; i++) {
        valid = read_asserted_one(engine, &decoded->asserted[i], &other);
        if (!valid)
            continue;
        facts->asserted = other;
        facts->asserted_index = i;
    }
}

static bool pack(const struct num_number *number, uint64_t *packed)
{
    return number->valid &&
           rep_pack_digits(slice_make(number->text + 1, (size_t)number->length - 1), packed);
}

/* Its place among millions is in no cache: it comes while the other facts are read. */
static void prefetch_reputation(const struct screen_engine *engine, const struct num_number *number)
{
    uint64_t packed;
    if (engine->store != NULL && rep_store_mode(engine->store) == REP_MODE_REPLICA &&
        pack(number, &packed))
        rep_replica_prefetch(rep_store_replica(engine->store), packed);
}

void screen_read_facts(struct screen_engine *engine)
{
    struct screen_facts *facts = &engine->facts;
    const struct smsg_decoded *decoded = &engine->decoded;
    const struct num_protected *lines = screen_policy_protected(engine->policy);

    read_number(engine, NUM_CALLEE, &decoded->request_uri, &facts->callee);
    read_number(engine, NUM_CALLER, &decoded->from, &facts->from);
    read_asserted(engine);

    /* RFC 3325: the asserted identity is the network number, from a trunk that is trusted. */
    facts->caller =
        facts->asserted_present && engine->input.trunk->trusted ? facts->asserted : facts->from;
    prefetch_reputation(engine, &facts->caller);
    const struct smsg_identity *diverting = diverting_identity(decoded);
    facts->diverting_present = diverting != NULL;
    if (diverting != NULL)
        read_number(engine, NUM_CALLER, diverting, &facts->diverting);

    facts->originates = originates(engine->input.trunk, &facts->caller);
    facts->caller_line = num_protected_find(lines, &facts->caller);
    facts->callee_line = num_protected_find(lines, &facts->callee);
}

static void find_one(const struct rep_replica *replica, const struct num_number *number,
                     uint64_t wall_s, struct rep_finding *finding)
{
    uint64_t packed;
    if (pack(number, &packed))
        rep_replica_find(replica, packed, wall_s, finding);
    else
        rep_replica_find_raw(replica, slice_make(number->text, number->length), wall_s, finding);
}

/* A line that is assumed to be protected. */
static const struct num_protected_line assumed_line = {0, "assumed", "assumed"};

static void assume_list(struct screen_engine *engine, const struct rule_value *value)
{
    enum rep_list list = REP_LIST_NONE;
    if (rep_list_parse(value->text, &list) != 0)
        return;
    engine->finding.entry.list = (uint8_t)list;
    engine->reputation_known = true;
}

static void assume_fact(struct screen_engine *engine, const struct screen_override *override)
{
    struct screen_facts *facts = &engine->facts;
    const struct rule_value *value = &override->value;
    switch (override->feature) {
    case SCREEN_FEATURE_REPUTATION_LIST:
        assume_list(engine, value);
        break;
    case SCREEN_FEATURE_REPUTATION_SCORE:
        engine->finding.entry.score = (int8_t)value->integer;
        engine->reputation_known = true;
        break;
    case SCREEN_FEATURE_CALLER_PROTECTED:
        facts->caller_line = value->flag ? &assumed_line : NULL;
        break;
    case SCREEN_FEATURE_CALLEE_PROTECTED:
        facts->callee_line = value->flag ? &assumed_line : NULL;
        break;
    default:
        break;
    }
}

void screen_assume_facts(struct screen_engine *engine)
{
    const struct screen_what_if *what_if = engine->input.what_if;
    for (size_t i = 0; i < what_if->override_count; i++)
        if (what_if->overrides[i].value.known)
            assume_fact(engine, &what_if->overrides[i]);
    if (what_if->diverting_unlisted)
        engine->diverting_finding = rep_finding_none();
}

void screen_assume_features(struct screen_engine *engine)
{
    const struct screen_what_if *what_if = engine->input.what_if;
    for (size_t i = 0; i < what_if->override_count; i++) {
        enum screen_feature feature = what_if->overrides[i].feature;
        engine->values[feature] = what_if->overrides[i].value;
        engine->fetched[feature / 64] |= UINT64_C(1) << (feature % 64);
    }
}

bool screen_find_reputation(struct screen_engine *engine, bool *degraded)
{
    const struct screen_input *input = &engine->input;
    engine->finding = rep_finding_none();
    engine->diverting_finding = rep_finding_none();
    engine->reputation_known = false;

    if (input->reputation == SCREEN_REPUTATION_GIVEN) {
        engine->finding = input->finding;
        engine->diverting_finding = input->diverting;
        engine->reputation_known = true;
        return true;
    }
    if (input->reputation == SCREEN_REPUTATION_MISSING || engine->store == NULL) {
        *degraded = true;
        return true;
    }
    if (rep_store_mode(engine->store) == REP_MODE_LOOKUP)
        return false;

    const struct rep_replica *replica = rep_store_replica(engine->store);
    uint64_t wall_s = input->wall_us / 1000000;
    find_one(replica, &engine->facts.caller, wall_s, &engine->finding);
    if (engine->facts.diverting_present)
        find_one(replica, &engine->facts.diverting, wall_s, &engine->diverting_finding);
    /* Until a first complete load, "not found" says nothing; what is found still counts. */
    bool loaded = rep_store_loaded(engine->store);
    engine->reputation_known = loaded || engine->finding.match != REP_MATCH_NONE;
    *degraded = !loaded;
    return true;
}
