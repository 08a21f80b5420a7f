/* SPDX-License-Identifier: Apache-2.0 */
#include "reputation/names.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { NAME_IDS = 256 };

static const char other_name[] = "other";

struct name {
    uint8_t length;
    char text[REP_NAME_MAXIMUM + 1];
};

/* Names are written once, below `count`, before count is stored with release; a reader that loads
 * count with acquire sees them complete. */
struct rep_names {
    pthread_mutex_t adding;
    unsigned limit;
    _Atomic unsigned count;
    _Atomic uint64_t refused;
    struct name name[NAME_IDS];
};

int rep_names_create(unsigned limit, struct rep_names **names)
{
    assert(limit >= 2 && limit < NAME_IDS);
    struct rep_names *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->limit = limit;
    pthread_mutex_init(&created->adding, NULL);
    *names = created;
    return 0;
}

static uint8_t names_search(const struct rep_names *names, struct slice text, unsigned first,
                            unsigned count)
{
    for (unsigned i = first; i <= count; i++) {
        const struct name *name = &names->name[i];
        if (name->length == text.length && memcmp(name->text, text.data, text.length) == 0)
            return (uint8_t)i;
    }
    return 0;
}

uint8_t rep_names_intern(struct rep_names *names, struct slice text)
{
    text = slice_first(slice_trim(text), REP_NAME_MAXIMUM);
    if (slice_is_empty(text))
        return 0;
    unsigned count = atomic_load_explicit(&names->count, memory_order_acquire);
    uint8_t id = names_search(names, text, 1, count);
    if (id != 0)
        return id;

    pthread_mutex_lock(&names->adding);
    unsigned now = atomic_load_explicit(&names->count, memory_order_relaxed);
    id = names_search(names, text, count + 1, now);
    if (id == 0 && now + 1 < names->limit) {
        struct name *name = &names->name[now + 1];
        name->length = (uint8_t)text.length;
        memcpy(name->text, text.data, text.length);
        atomic_store_explicit(&names->count, now + 1, memory_order_release);
        id = (uint8_t)(now + 1);
    } else if (id == 0) {
        atomic_fetch_add_explicit(&names->refused, 1, memory_order_relaxed);
        id = (uint8_t)names->limit;
    }
    pthread_mutex_unlock(&names->adding);
    return id;
}

const char *rep_names_text(const struct rep_names *names, uint8_t id)
{
    if (id == names->limit)
        return other_name;
    if (id > atomic_load_explicit(&names->count, memory_order_acquire))
        return "";
    return names->name[id].text;
}

unsigned rep_names_count(const struct rep_names *names)
{
    return atomic_load_explicit(&names->count, memory_order_relaxed);
}

uint64_t rep_names_refused(const struct rep_names *names)
{
    return atomic_load_explicit(&names->refused, memory_order_relaxed);
}

void rep_names_destroy(struct rep_names *names)
{
    if (names == NULL)
        return;
    pthread_mutex_destroy(&names->adding);
    free(names);
}
