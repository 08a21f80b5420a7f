/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "reputation/statement.h"

void rep_authority_init(struct rep_authority *authority, enum rep_combine combine,
                        const struct rep_source_row *rows, size_t count, struct rep_names *sources)
{
    *authority = (struct rep_authority){.combine = combine};
    for (unsigned i = 0; i <= REP_SOURCE_LIMIT; i++)
        authority->terms[i] = (struct rep_terms){.weight = 1, .may = REP_MAY_ALL};
    for (size_t i = 0; i < count && i < REP_SOURCE_ROWS; i++) {
        uint8_t id = rep_names_intern(sources, rows[i].name);
        struct rep_terms terms = {rows[i].half_life_s, (uint8_t)rows[i].weight,
                                  (uint8_t)rows[i].may};
        /* Where names have run out several share an id: none may say more than all of them. */
        if (id == REP_SOURCE_LIMIT) {
            terms.may &= authority->terms[id].may;
            terms.weight = 1;
        }
        authority->terms[id] = terms;
        authority->id[authority->count] = id;
        authority->name[authority->count++] = rows[i].name;
    }
}

/* ---- one statement at one time ------------------------------------------------------------- */

/* What is left of a statement: nothing when list is none and score unknown. */
struct view {
    const struct rep_statement *statement;
    unsigned weight;
    int score;
    enum rep_list list;
    uint64_t end_s;     /* when it says nothing any more; 0: never */
    uint64_t changes_s; /* when its score is the next lower one; 0: never */
};

/* The second from which a score that halves every half_life_s is rounded below `points`. */
static uint64_t fades_below(const struct rep_statement *statement, uint64_t half_life_s, int points)
{
    double halvings = log2((double)statement->score / ((double)points - 0.5));
    return statement->since_s + (uint64_t)floor(halvings * (double)half_life_s) + 1;
}

/* A score that has faded to nothing is no score, which is not the same as being stated to be 0. */
static void fade(struct view *view, uint64_t half_life_s, uint64_t now_s)
{
    const struct rep_statement *statement = view->statement;
    if (half_life_s == 0 || statement->since_s == 0 || view->score <= 0)
        return;
    uint64_t age_s = now_s > statement->since_s ? now_s - statement->since_s : 0;
    double left = (double)view->score * exp2(-(double)age_s / (double)half_life_s);
    view->score = (int)lround(left);
    if (view->score == 0) {
        view->score = REP_SCORE_UNKNOWN;
        return;
    }
    view->changes_s = fades_below(statement, half_life_s, view->score);
    if (view->changes_s <= now_s)
        view->changes_s = now_s + 1;
    uint64_t gone_s = fades_below(statement, half_life_s, 1);
    if (view->list == REP_LIST_NONE && (view->end_s == 0 || gone_s < view->end_s))
        view->end_s = gone_s > now_s ? gone_s : now_s + 1;
}

static enum rep_list permitted(unsigned list, unsigned may)
{
    if (list == REP_LIST_ALLOW)
        return may & REP_MAY_ALLOW ? REP_LIST_ALLOW : REP_LIST_NONE;
    /* Who may not block may warn. */
    if (list == REP_LIST_BLOCK && (may & REP_MAY_BLOCK))
        return REP_LIST_BLOCK;
    return list != REP_LIST_NONE && (may & REP_MAY_WATCH) ? REP_LIST_WATCH : REP_LIST_NONE;
}

static bool look(const struct rep_authority *authority, const struct rep_statement *statement,
                 uint64_t now_s, struct view *view)
{
    const struct rep_terms *terms = &authority->terms[statement->source & REP_SOURCE_LIMIT];
    if (statement->expires_s != 0 && statement->expires_s <= now_s)
        return false;
    *view = (struct view){
        .statement = statement,
        .weight = terms->weight,
        .score = terms->may & REP_MAY_SCORE ? statement->score : REP_SCORE_UNKNOWN,
        .list = permitted(statement->list, terms->may),
        .end_s = statement->expires_s,
    };
    fade(view, terms->half_life_s, now_s);
    return view->score != REP_SCORE_UNKNOWN || view->list != REP_LIST_NONE;
}

/* ---- several ------------------------------------------------------------------------------- */

/* Ranks orders, higher first; the first of equals stays. */
static const struct view *best_of(const struct view *views, unsigned count,
                                  unsigned (*rank)(const struct view *view))
{
    const struct view *best = NULL;
    for (unsigned i = 0; i < count; i++)
        if (rank(&views[i]) > 0 && (best == NULL || rank(&views[i]) > rank(best)))
            best = &views[i];
    return best;
}

static unsigned score_rank(const struct view *view)
{
    return (unsigned)(view->score + 1);
}

/* An order outranks by weight, allow at equal weight; a mark comes after every order. */
static unsigned list_rank(const struct view *view)
{
    unsigned score = score_rank(view);
    switch (view->list) {
    case REP_LIST_ALLOW:
        return (2 * view->weight + 1) << 8 | score;
    case REP_LIST_BLOCK:
        return 2 * view->weight << 8 | score;
    case REP_LIST_WATCH:
        return 1 << 8 | score;
    default:
        return 0;
    }
}

static unsigned weight_rank(const struct view *view)
{
    return view->score == REP_SCORE_UNKNOWN ? 0 : view->weight << 8 | score_rank(view);
}

static unsigned share_rank(const struct view *view)
{
    return view->score == REP_SCORE_UNKNOWN
               ? 0
               : view->weight * (unsigned)view->score << 8 | score_rank(view);
}

static unsigned (*const score_ranks[])(const struct view *view) = {
    [REP_COMBINE_HIGHEST] = score_rank,
    [REP_COMBINE_WEIGHTED] = share_rank,
    [REP_COMBINE_STRONGEST] = weight_rank,
};

static unsigned typed_rank(const struct view *view)
{
    return view->statement->type != 0 ? 1 + score_rank(view) : 0;
}

static int mean_score(const struct view *views, unsigned count)
{
    unsigned sum = 0, weights = 0;
    for (unsigned i = 0; i < count; i++) {
        if (views[i].score == REP_SCORE_UNKNOWN)
            continue;
        sum += views[i].weight * (unsigned)views[i].score;
        weights += views[i].weight;
    }
    return weights == 0 ? REP_SCORE_UNKNOWN : (int)((2 * sum + weights) / (2 * weights));
}

static uint64_t earlier(uint64_t a_s, uint64_t b_s)
{
    return a_s == 0 || (b_s != 0 && b_s < a_s) ? b_s : a_s;
}

/* When nothing is left, and when something changes before that. */
static void find_times(const struct view *views, unsigned count, struct rep_value *value)
{
    uint64_t end_s = 0;
    bool endless = false;
    for (unsigned i = 0; i < count; i++) {
        endless = endless || views[i].end_s == 0;
        end_s = views[i].end_s > end_s ? views[i].end_s : end_s;
    }
    value->entry.expires_s = earlier(endless ? 0 : end_s, value->said.expires_s);
    value->changes_s = 0;
    for (unsigned i = 0; i < count; i++)
        value->changes_s = earlier(value->changes_s, earlier(views[i].end_s, views[i].changes_s));
    if (value->entry.expires_s != 0 && value->changes_s >= value->entry.expires_s)
        value->changes_s = 0;
}

bool rep_combine(const struct rep_authority *authority, const struct rep_statements *said,
                 uint64_t now_wall_s, struct rep_value *value)
{
    struct view views[REP_STATEMENT_LIMIT];
    unsigned count = 0;
    if (said->expires_s != 0 && said->expires_s <= now_wall_s)
        return false;
    for (unsigned i = 0; i < said->count; i++)
        count += look(authority, &said->item[i], now_wall_s, &views[count]);
    if (count == 0)
        return false;
    const struct view *list = best_of(views, count, list_rank);
    const struct view *score = best_of(views, count, score_ranks[authority->combine]);
    const struct view *decides =
        list != NULL && (list->list != REP_LIST_WATCH || score == NULL) ? list : score;
    /* What counts has a list or a score. */
    assert(decides != NULL);
    const struct view *typed =
        decides->statement->type != 0 ? decides : best_of(views, count, typed_rank);
    int points = authority->combine == REP_COMBINE_WEIGHTED ? mean_score(views, count)
                 : score != NULL                            ? score->score
                                                            : REP_SCORE_UNKNOWN;
    value->said.expires_s = said->expires_s;
    value->entry = (struct rep_entry){
        .score = (int8_t)points,
        .list = (uint8_t)(list != NULL ? list->list : REP_LIST_NONE),
        .type = typed != NULL ? typed->statement->type : 0,
        .source = decides->statement->source,
    };
    find_times(views, count, value);
    value->said.count = 0;
    if (value->changes_s != 0 && said != &value->said) {
        value->said.count = said->count;
        memcpy(value->said.item, said->item, said->count * sizeof(said->item[0]));
    }
    return true;
}

bool rep_statements_equal(const struct rep_statements *a, const struct rep_statements *b,
                          uint64_t tolerance_s)
{
    uint64_t difference =
        a->expires_s > b->expires_s ? a->expires_s - b->expires_s : b->expires_s - a->expires_s;
    return a->count == b->count && (a->expires_s == 0) == (b->expires_s == 0) &&
           difference <= tolerance_s &&
           memcmp(a->item, b->item, a->count * sizeof(a->item[0])) == 0;
}
