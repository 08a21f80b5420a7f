/* SPDX-License-Identifier: Apache-2.0 */
#include "socket_file_int.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "group_int.h"
#include "runtime/heritage.h"

enum { BACKLOG = 128 };

static const char unfinished_suffix[] = ".new";

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

/* The process before bound it by the unfinished name, and who waits to be accepted goes on waiting.
 * False when there is none, or its file is gone. */
static bool take_inherited(struct ctl_socket_file *file, const struct sockaddr_un *unfinished)
{
    struct stat status;
    int descriptor =
        rt_heritage_take(SOCK_STREAM, (const struct sockaddr *)unfinished, sizeof(*unfinished));
    if (descriptor < 0)
        return false;
    if (lstat(file->address.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        close(descriptor);
        return false;
    }
    file->descriptor = descriptor;
    file->device = status.st_dev;
    file->inode = status.st_ino;
    return true;
}

/*
 * The file appears under its name by rename(2), complete with owner and permissions, so nobody ever
 * meets it wide open, and a stale one is replaced without a moment in which there is none.
 */
static int put_socket(struct ctl_socket_file *file, const struct ctl_socket_settings *settings)
{
    struct sockaddr_un unfinished;
    struct stat status = {0};
    int error = set_address(&file->address, settings->path, "");
    if (error == 0)
        error = set_address(&unfinished, settings->path, unfinished_suffix);
    if (error == 0 && take_inherited(file, &unfinished))
        return dress_file(file->address.sun_path, settings);
    if (error == 0)
        error = probe_path(&file->address);
    if (error != 0)
        return error;

    file->descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (file->descriptor < 0)
        return -errno;
    unlink(unfinished.sun_path);
    if (bind(file->descriptor, (struct sockaddr *)&unfinished, sizeof(unfinished)) != 0)
        return -errno;
    error = dress_file(unfinished.sun_path, settings);
    if (error == 0 &&
        (listen(file->descriptor, BACKLOG) != 0 || stat(unfinished.sun_path, &status) != 0 ||
         rename(unfinished.sun_path, file->address.sun_path) != 0))
        error = -errno;
    if (error != 0) {
        unlink(unfinished.sun_path);
        file->address.sun_path[0] = '\0';
        return error;
    }
    file->device = status.st_dev;
    file->inode = status.st_ino;
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

int ctl_socket_file_open(struct ctl_socket_file *file, const struct ctl_socket_settings *settings)
{
    *file = (struct ctl_socket_file){.descriptor = -1};
    int error = put_socket(file, settings);
    if (error == 0)
        error = rt_heritage_keep(file->descriptor);
    if (error != 0)
        explain_failure(settings, error);
    return error;
}

void ctl_socket_file_close(struct ctl_socket_file *file)
{
    struct stat status;
    rt_heritage_forget(file->descriptor);
    if (!rt_heritage_is_left() && file->address.sun_path[0] != '\0' && file->inode != 0 &&
        lstat(file->address.sun_path, &status) == 0 && status.st_ino == file->inode &&
        status.st_dev == file->device)
        unlink(file->address.sun_path);
    if (file->descriptor >= 0)
        close(file->descriptor);
    file->descriptor = -1;
}
