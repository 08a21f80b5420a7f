/* SPDX-License-Identifier: Apache-2.0 */
#include "expression_int.h"

unsigned rule_node_depth(const struct rule_node *node)
{
    unsigned deepest = 0;
    for (const struct rule_node *child = node->first; child != NULL; child = child->next) {
        unsigned depth = rule_node_depth(child);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

struct rule_node *rule_node_copy(const struct rule_node *node, const struct rule_node *from,
                                 struct rule_node *to, struct arena *arena, size_t *budget)
{
    if (node == from)
        return to;
    struct rule_node *copy = *budget > 0 ? arena_alloc(arena, sizeof(*copy)) : NULL;
    if (copy == NULL)
        return NULL;
    --*budget;
    *copy = *node;
    copy->next = NULL;
    struct rule_node **link = &copy->first;
    for (const struct rule_node *child = node->first; child != NULL; child = child->next) {
        struct rule_node *made = rule_node_copy(child, from, to, arena, budget);
        if (made == NULL)
            return NULL;
        *link = made;
        link = &made->next;
    }
    *link = NULL;
    return copy;
}
