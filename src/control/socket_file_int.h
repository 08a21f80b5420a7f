/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket_file: a listening Unix stream socket and the file that it is reached by.
 */
#ifndef RINGFENCE_CONTROL_SOCKET_FILE_INT_H
#define RINGFENCE_CONTROL_SOCKET_FILE_INT_H

#include <sys/types.h>
#include <sys/un.h>

#include "base/error.h"
#include "control/settings.h"

struct ctl_socket_file {
    int descriptor; /* listening, non-blocking */
    struct sockaddr_un address;
    dev_t device;
    ino_t inode;
};

/*
 * A socket that the process before left (runtime/heritage.h) is taken. A socket file that nobody
 * listens on any more is replaced; -EADDRINUSE when somebody does, -ENOTSOCK when the path is no
 * socket (nothing is removed then). Failures are logged with their cause and remedy;
 * ctl_socket_file_close() is due in either case.
 */
int ctl_socket_file_open(struct ctl_socket_file *file,
                         const struct ctl_socket_settings *settings) MUST_CHECK;

/* Removes the file, unless another process has replaced or inherited it. */
void ctl_socket_file_close(struct ctl_socket_file *file);

#endif
