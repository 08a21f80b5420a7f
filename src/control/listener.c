/* SPDX-License-Identifier: Apache-2.0 */
#include "listener_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "socket_file_int.h"

/* Connections taken in one turn of the loop, so that a flood of them leaves time for the rest. */
enum { ACCEPT_BATCH = 64 };

struct ctl_listener {
    struct ctl_socket_file file;
    int reserve; /* given up for a moment when descriptors run out */
    struct rt_watch *watch;
    ctl_accepted_fn *accepted;
    void *owner;
};

/* ---- accepting ---------------------------------------------------------------------------- */

/*
 * Out of descriptors, a connection that is not taken would wake the loop for ever. The reserve
 * makes room to take it and hang up.
 */
static void turn_away(struct ctl_listener *listener)
{
    if (listener->reserve < 0)
        return;
    close(listener->reserve);
    int descriptor = accept4(listener->file.descriptor, NULL, NULL, SOCK_CLOEXEC);
    if (descriptor >= 0)
        close(descriptor);
    listener->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_ready(void *argument, int descriptor, unsigned ready)
{
    struct ctl_listener *listener = argument;
    (void)ready;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        int client = accept4(descriptor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client >= 0) {
            listener->accepted(listener->owner, client);
        } else if (errno == EMFILE || errno == ENFILE) {
            turn_away(listener);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            break;
        }
    }
}

/* ---- life --------------------------------------------------------------------------------- */

int ctl_listener_create(struct rt_loop *loop, const struct ctl_socket_settings *settings,
                        ctl_accepted_fn *accepted, void *owner, struct ctl_listener **listener)
{
    struct ctl_listener *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->accepted = accepted;
    made->owner = owner;
    made->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int error = ctl_socket_file_open(&made->file, settings);
    if (error == 0)
        error =
            rt_watch_create(loop, made->file.descriptor, RT_READABLE, on_ready, made, &made->watch);
    if (error != 0) {
        ctl_listener_destroy(made);
        return error;
    }
    *listener = made;
    return 0;
}

void ctl_listener_pause(struct ctl_listener *listener, bool paused)
{
    /* Interest in a descriptor that is watched already takes no memory. */
    if (rt_watch_set(listener->watch, paused ? 0 : RT_READABLE) != 0)
        log_error("control", "socket %s: clients cannot be accepted any more",
                  listener->file.address.sun_path);
}

void ctl_listener_destroy(struct ctl_listener *listener)
{
    if (listener == NULL)
        return;
    if (listener->watch != NULL)
        rt_watch_destroy(listener->watch);
    ctl_socket_file_close(&listener->file);
    if (listener->reserve >= 0)
        close(listener->reserve);
    free(listener);
}
