/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/channel.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES = 4 << 20 };

union ancillary {
    struct cmsghdr header;
    char memory[CMSG_SPACE(RT_CHANNEL_DESCRIPTORS * sizeof(int))];
};

int rt_channel_create(int ends[2])
{
    const int bytes = BUFFER_BYTES;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return -errno;
    /* As much as net.core.wmem_max allows; less is no error. */
    for (int i = 0; i < 2; i++)
        if (setsockopt(ends[i], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0)
            (void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    return 0;
}

int rt_channel_send(int end, struct slice head, struct slice more, const int *descriptors,
                    size_t count)
{
    assert(count <= RT_CHANNEL_DESCRIPTORS);
    union ancillary ancillary;
    struct iovec parts[2] = {{(void *)(uintptr_t)head.data, head.length},
                             {(void *)(uintptr_t)more.data, more.length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = more.length > 0 ? 2 : 1};
    memset(&ancillary, 0, sizeof(ancillary));
    if (count > 0) {
        message.msg_control = &ancillary;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        ancillary.header.cmsg_level = SOL_SOCKET;
        ancillary.header.cmsg_type = SCM_RIGHTS;
        ancillary.header.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&ancillary.header), descriptors, count * sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(end, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return 0;
    return errno == EPIPE || errno == ECONNRESET ? ERROR_NOT_FOUND : -errno;
}

static void take_descriptors(struct msghdr *header, struct rt_channel_message *message)
{
    message->count = 0;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL;
         part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(message->descriptors, CMSG_DATA(part), count * sizeof(int));
        message->count = count;
    }
}

int rt_channel_receive(int end, struct rt_channel_message *message)
{
    union ancillary ancillary;
    struct iovec part = {message->memory, message->capacity};
    struct msghdr header = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &ancillary,
        .msg_controllen = sizeof(ancillary),
    };
    ssize_t received;
    do
        received = recvmsg(end, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (received < 0 && errno == EINTR);
    if (received < 0)
        return errno == ECONNRESET ? ERROR_NOT_FOUND : -errno;
    take_descriptors(&header, message);
    message->length = (size_t)received;
    /* No message is empty, so this is the end. */
    if (received == 0)
        return ERROR_NOT_FOUND;
    if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
        return 0;
    for (size_t i = 0; i < message->count; i++)
        close(message->descriptors[i]);
    message->count = 0;
    return -EMSGSIZE;
}

int rt_channel_wait(int end, unsigned timeout_ms)
{
    struct pollfd wanted = {.fd = end, .events = POLLIN};
    int ready = poll(&wanted, 1, (int)timeout_ms);
    if (ready < 0)
        return errno == EINTR ? 0 : -errno;
    return ready == 0 ? -ETIMEDOUT : 0;
}
