/* SPDX-License-Identifier: Apache-2.0 */
#include "listener_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "group_int.h"

/* Connections taken in one turn of the loop, so that a flood of them leaves time for the rest. */
enum { ACCEPT_BATCH = 64, BACKLOG = 128 };

static const char unfinished_suffix[] = ".new";

struct ctl_listener {
    int descriptor;
    int reserve; /* given up for a moment when descriptors run out */
    struct rt_watch *watch;
    struct sockaddr_un address;
    dev_t device;
    ino_t inode;
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
    int descriptor = accept4(listener->descriptor, NULL, NULL, SOCK_CLOEXEC);
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

/* ---- the socket file ---------------------------------------------------------------------- */

static int set_address(struct sockaddr_un *address, struct slice path, const char *suffix)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int written =
        snprintf(address->sun_path, sizeof(address->sun_path), "%.*s%s", SLICE_ARGS(path), suffix);
    return written < 0 || (size_t)written >= sizeof(address->sun_path) ? -ENAMETOOLONG : 0;
}

/* 0 when a socket may be put there. */
static int probe_path(const struct sockaddr_un *address)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(status.st_mode))
        return -ENOTSOCK;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return -errno;
    int error = connect(descriptor, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
                        errno == EAGAIN /* its backlog is full */
                    ? -EADDRINUSE
                    : 0;
    close(descriptor);
    return error;
}

static int dress_file(const char *path, const struct ctl_socket_settings *settings)
{
    if (settings->group.length > 0) {
        gid_t group;
        int error = ctl_group_find(settings->group, &group);
        if (error != 0)
            return error;
        if (chown(path, (uid_t)-1, group) != 0)
            return -errno;
    }
    return chmod(path, settings->mode) != 0 ? -errno : 0;
}

/*
 * The file appears under its name by rename(2), complete with owner and permissions, so nobody ever
 * meets it wide open, and a stale one is replaced without a moment in which there is none.
 */
static int put_socket(struct ctl_listener *listener, const struct ctl_socket_settings *settings)
{
    struct sockaddr_un unfinished;
    struct stat status = {0};
    int error = set_address(&listener->address, settings->path, "");
    if (error == 0)
        error = set_address(&unfinished, settings->path, unfinished_suffix);
    if (error == 0)
        error = probe_path(&listener->address);
    if (error != 0)
        return error;

    listener->descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->descriptor < 0)
        return -errno;
    unlink(unfinished.sun_path);
    if (bind(listener->descriptor, (struct sockaddr *)&unfinished, sizeof(unfinished)) != 0)
        return -errno;
    error = dress_file(unfinished.sun_path, settings);
    if (error == 0 &&
        (listen(listener->descriptor, BACKLOG) != 0 || stat(unfinished.sun_path, &status) != 0 ||
         rename(unfinished.sun_path, listener->address.sun_path) != 0))
        error = -errno;
    if (error != 0) {
        unlink(unfinished.sun_path);
        listener->address.sun_path[0] = '\0';
        return error;
    }
    listener->device = status.st_dev;
    listener->inode = status.st_ino;
    return 0;
}

static void explain_failure(const struct ctl_socket_settings *settings, int error)
{
    static const struct {
        int error;
        const char *remedy;
    } remedies[] = {
        {-EADDRINUSE, "another process serves it: stop it, or configure another path"},
        {-ENOTSOCK, "something else has that name: remove it, or configure another path"},
        {-ENOENT, "its folder or the group does not exist: create it"},
        {-EACCES, "the daemon may not write in that folder: change its owner or permissions"},
        {-EPERM, "the daemon does not belong to the group: add it, or leave `group` out"},
        {-ENAMETOOLONG, "a socket's path has at most 103 bytes"},
    };
    const char *remedy = "see the cause";
    for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++)
        if (remedies[i].error == error)
            remedy = remedies[i].remedy;
    log_error("control", "socket %.*s (mode %04o, group \"%.*s\"): %s; %s",
              SLICE_ARGS(settings->path), (unsigned)settings->mode, SLICE_ARGS(settings->group),
              error_text(error), remedy);
}

/* ---- life --------------------------------------------------------------------------------- */

int ctl_listener_create(struct rt_loop *loop, const struct ctl_socket_settings *settings,
                        ctl_accepted_fn *accepted, void *owner, struct ctl_listener **listener)
{
    struct ctl_listener *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->descriptor = -1;
    made->accepted = accepted;
    made->owner = owner;
    made->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int error = put_socket(made, settings);
    if (error != 0)
        explain_failure(settings, error);
    if (error == 0)
        error = rt_watch_create(loop, made->descriptor, RT_READABLE, on_ready, made, &made->watch);
    if (error != 0) {
        ctl_listener_destroy(made);
        return error;
    }
    *listener = made;
    return 0;
}

void ctl_listener_destroy(struct ctl_listener *listener)
{
    struct stat status;
    if (listener == NULL)
        return;
    if (listener->watch != NULL)
        rt_watch_destroy(listener->watch);
    if (listener->address.sun_path[0] != '\0' && listener->inode != 0 &&
        lstat(listener->address.sun_path, &status) == 0 && status.st_ino == listener->inode &&
        status.st_dev == listener->device)
        unlink(listener->address.sun_path);
    if (listener->descriptor >= 0)
        close(listener->descriptor);
    if (listener->reserve >= 0)
        close(listener->reserve);
    free(listener);
}
