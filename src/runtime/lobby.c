/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lobby is an epoll instance of its own within the loop's. The kernel keeps its line: what is
 * ready and was not asked for stays in front, what was goes to the end. The loop sees one ready
 * descriptor, however many wait behind it.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "loop_int.h"

struct rt_lobby {
    struct rt_watch *door;
    int descriptor;
    int per_turn;
    struct epoll_event events[];
};

static unsigned readiness_of(const struct epoll_event *event)
{
    /* What ends or breaks is found out by reading and by writing. */
    const uint32_t over = EPOLLERR | EPOLLHUP;
    return (event->events & (EPOLLIN | over) ? RT_READABLE : 0U) |
           (event->events & (EPOLLOUT | over) ? RT_WRITABLE : 0U);
}

static void door_ready(void *argument, int descriptor, unsigned ready)
{
    struct rt_lobby *lobby = argument;
    (void)ready;
    int count = epoll_wait(descriptor, lobby->events, lobby->per_turn, 0);
    for (int i = 0; i < count; i++) {
        /* One that was destroyed since still rests in the loop, and is interested in nothing. */
        struct rt_watch *watch = lobby->events[i].data.ptr;
        unsigned found = readiness_of(&lobby->events[i]) & watch->interest;
        if (found != 0 && watch->lobby == lobby)
            watch->ready(watch->argument, watch->descriptor, found);
    }
}

int rt_lobby_create(struct rt_loop *loop, unsigned per_turn, struct rt_lobby **lobby)
{
    struct rt_lobby *created = calloc(1, sizeof(*created) + per_turn * sizeof(created->events[0]));
    if (created == NULL)
        return -ENOMEM;
    created->per_turn = (int)per_turn;
    created->descriptor = epoll_create1(EPOLL_CLOEXEC);
    int error = created->descriptor < 0 ? -errno
                                        : rt_watch_create(loop, created->descriptor, RT_READABLE,
                                                          door_ready, created, &created->door);
    if (error != 0) {
        rt_lobby_destroy(created);
        return error;
    }
    *lobby = created;
    return 0;
}

int rt_lobby_arm(struct rt_watch *watch, unsigned interest)
{
    struct epoll_event event = {
        .events = (interest & RT_READABLE ? (uint32_t)EPOLLIN : 0) |
                  (interest & RT_WRITABLE ? (uint32_t)EPOLLOUT : 0),
        .data.ptr = watch,
    };
    if (interest == watch->interest)
        return 0;
    /* Without interest it has to be out: EPOLLHUP comes unasked. */
    int operation = interest == 0          ? EPOLL_CTL_DEL
                    : watch->interest == 0 ? EPOLL_CTL_ADD
                                           : EPOLL_CTL_MOD;
    if (epoll_ctl(watch->lobby->descriptor, operation, watch->descriptor, &event) == 0)
        return 0;
    int error = -errno;
    if (operation == EPOLL_CTL_MOD)
        (void)epoll_ctl(watch->lobby->descriptor, EPOLL_CTL_DEL, watch->descriptor, NULL);
    return error;
}

void rt_lobby_destroy(struct rt_lobby *lobby)
{
    if (lobby == NULL)
        return;
    rt_watch_destroy(lobby->door);
    if (lobby->descriptor >= 0)
        close(lobby->descriptor);
    free(lobby);
}
