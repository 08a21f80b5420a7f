/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list: intrusive doubly linked list with a sentinel head.
 *
 * A link that is in no list points to itself, so list_remove() may be called twice.
 */
#ifndef RINGFENCE_BASE_LIST_H
#define RINGFENCE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_link {
    struct list_link *next;
    struct list_link *previous;
};

#define LIST_ENTRY(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void list_init(struct list_link *link)
{
    link->next = link;
    link->previous = link;
}

static inline bool list_is_empty(const struct list_link *head)
{
    return head->next == head;
}

static inline void list_append(struct list_link *head, struct list_link *link)
{
    link->next = head;
    link->previous = head->previous;
    head->previous->next = link;
    head->previous = link;
}

static inline void list_remove(struct list_link *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    list_init(link);
}

/* The first link, or NULL when the list is empty. */
static inline struct list_link *list_first(struct list_link *head)
{
    return head->next == head ? NULL : head->next;
}

/* The link behind, or NULL at the end. */
static inline struct list_link *list_next(struct list_link *head, struct list_link *link)
{
    return link->next == head ? NULL : link->next;
}

#endif
