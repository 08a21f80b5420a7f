/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/heritage.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct descriptors {
    int *items;
    size_t count;
    size_t capacity;
};

static struct descriptors received; /* -1: taken */
static struct descriptors kept;
static bool is_left;

static int append(struct descriptors *list, int descriptor)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? 2 * list->capacity : 16;
        int *larger = realloc(list->items, capacity * sizeof(*larger));
        if (larger == NULL)
            return -ENOMEM;
        list->items = larger;
        list->capacity = capacity;
    }
    list->items[list->count++] = descriptor;
    return 0;
}

static void release(struct descriptors *list)
{
    free(list->items);
    *list = (struct descriptors){NULL, 0, 0};
}

int rt_heritage_receive(int descriptor)
{
    return append(&received, descriptor);
}

static bool is_bound_to(int descriptor, int type, const struct sockaddr *address, socklen_t length)
{
    struct sockaddr_storage own;
    socklen_t own_length = sizeof(own);
    int own_type = 0;
    socklen_t type_length = sizeof(own_type);
    memset(&own, 0, sizeof(own));
    if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &own_type, &type_length) != 0 ||
        own_type != type || getsockname(descriptor, (struct sockaddr *)&own, &own_length) != 0)
        return false;
    /* A Unix socket's name may come back shorter than the structure that it was bound by. */
    socklen_t shared = own_length < length ? own_length : length;
    return address->sa_family == own.ss_family && memcmp(&own, address, shared) == 0 &&
           (own_length == length || address->sa_family == AF_UNIX);
}

int rt_heritage_take(int type, const struct sockaddr *address, socklen_t length)
{
    for (size_t i = 0; i < received.count; i++) {
        int descriptor = received.items[i];
        if (descriptor < 0 || !is_bound_to(descriptor, type, address, length))
            continue;
        received.items[i] = -1;
        return descriptor;
    }
    return -1;
}

size_t rt_heritage_close_rest(void)
{
    size_t closed = 0;
    for (size_t i = 0; i < received.count; i++) {
        if (received.items[i] < 0)
            continue;
        close(received.items[i]);
        closed++;
    }
    release(&received);
    return closed;
}

int rt_heritage_keep(int descriptor)
{
    return append(&kept, descriptor);
}

void rt_heritage_forget(int descriptor)
{
    for (size_t i = 0; i < kept.count; i++) {
        if (kept.items[i] != descriptor)
            continue;
        kept.count--;
        memmove(kept.items + i, kept.items + i + 1, (kept.count - i) * sizeof(kept.items[0]));
        break;
    }
    if (kept.count == 0)
        release(&kept);
}

void rt_heritage_leave(bool left)
{
    is_left = left;
}

bool rt_heritage_is_left(void)
{
    return is_left;
}

size_t rt_heritage_count(void)
{
    return kept.count;
}

int rt_heritage_at(size_t index)
{
    assert(index < kept.count);
    return kept.items[index];
}
