/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay: the floor of what a proxy can cost. Copies datagrams between caller and callee without
 * looking at them.
 *
 *   relay OWN CALLER CALLEE [BATCH]     addresses as 127.0.0.1:5060
 *
 * What comes from the callee's address goes to the caller, all else to the callee. BATCH 1 receives
 * and sends one at a time; else up to so many (32, at most 128) by recvmmsg and sendmmsg.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH_MOST    128
#define BATCH_DEFAULT 32
#define MESSAGE       4096
#define KERNEL_BUFFER (16 << 20)

struct relay {
    int descriptor;
    unsigned batch;
    struct sockaddr_in caller;
    struct sockaddr_in callee;
};

static struct mmsghdr headers[BATCH_MOST];
static struct iovec vectors[BATCH_MOST];
static struct sockaddr_in sources[BATCH_MOST];
static char bytes[BATCH_MOST][MESSAGE];

static struct sockaddr_in read_address(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[INET_ADDRSTRLEN];
    unsigned port;
    if (sscanf(text, "%15[0-9.]:%u", host, &port) != 2 || port == 0 || port > 65535 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        fprintf(stderr, "relay: \"%s\" is no address such as 127.0.0.1:5060\n", text);
        exit(2);
    }
    address.sin_port = htons((uint16_t)port);
    return address;
}

static int open_socket(const struct sockaddr_in *own)
{
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int size = KERNEL_BUFFER;
    (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    (void)setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
    if (bind(descriptor, (const struct sockaddr *)own, sizeof(*own)) != 0) {
        fprintf(stderr, "relay: cannot bind: %s\n", strerror(errno));
        exit(1);
    }
    return descriptor;
}

static struct sockaddr_in *other_side(struct relay *relay, const struct sockaddr_in *source)
{
    bool from_callee = source->sin_addr.s_addr == relay->callee.sin_addr.s_addr;
    return from_callee ? &relay->caller : &relay->callee;
}

static void relay_one(struct relay *relay)
{
    struct sockaddr_in source = {0};
    socklen_t size = sizeof(source);
    ssize_t length =
        recvfrom(relay->descriptor, bytes[0], MESSAGE, 0, (struct sockaddr *)&source, &size);
    if (length >= 0)
        (void)sendto(relay->descriptor, bytes[0], (size_t)length, 0,
                     (struct sockaddr *)other_side(relay, &source), sizeof(source));
}

static void relay_batch(struct relay *relay)
{
    for (unsigned i = 0; i < relay->batch; i++) {
        vectors[i] = (struct iovec){bytes[i], MESSAGE};
        headers[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i],
                                             .msg_iovlen = 1,
                                             .msg_name = &sources[i],
                                             .msg_namelen = sizeof(sources[i])};
    }
    int count = recvmmsg(relay->descriptor, headers, relay->batch, MSG_WAITFORONE, NULL);
    for (int i = 0; i < count; i++) {
        vectors[i].iov_len = headers[i].msg_len;
        headers[i].msg_hdr.msg_name = other_side(relay, &sources[i]);
    }
    for (int sent = 0; sent < count;) {
        int done = sendmmsg(relay->descriptor, headers + sent, (unsigned)(count - sent), 0);
        /* What cannot be sent is lost, as on any wire. */
        sent += done > 0 ? done : 1;
    }
}

int main(int count, char **arguments)
{
    if (count < 4) {
        fprintf(stderr, "usage: relay OWN CALLER CALLEE [BATCH]\n");
        return 2;
    }
    struct sockaddr_in own = read_address(arguments[1]);
    struct relay relay = {.descriptor = open_socket(&own),
                          .batch = BATCH_DEFAULT,
                          .caller = read_address(arguments[2]),
                          .callee = read_address(arguments[3])};
    if (count > 4)
        relay.batch = (unsigned)strtoul(arguments[4], NULL, 10);
    if (relay.batch == 0 || relay.batch > BATCH_MOST) {
        fprintf(stderr, "relay: BATCH is \"%s\"; 1 to %d is possible\n", arguments[4], BATCH_MOST);
        return 2;
    }
    for (;;) {
        if (relay.batch == 1)
            relay_one(&relay);
        else
            relay_batch(&relay);
    }
}
