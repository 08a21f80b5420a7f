/* SPDX-License-Identifier: Apache-2.0 */
#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "resolver_int.h"

/* A socket of c-ares that the loop watches. */
struct dns_socket {
    struct list_link link;
    struct dns_client *client;
    struct rt_watch *watch;
    ares_socket_t descriptor;
};

struct dns_client {
    ares_channel channel;
    struct rt_loop *loop;
    struct rt_wheel *wheel;
    struct rt_timer timer;
    struct list_link sockets;
    dns_answered_fn *answered;
    void *argument;
};

struct dns_query {
    struct dns_client *client;
    enum dns_type type;
    char name[TP_DNS_NAME_BYTES];
};

/* When c-ares wants to look at its time-outs again. */
static void set_timer(struct dns_client *client)
{
    struct timeval next;
    if (ares_timeout(client->channel, NULL, &next) == NULL) {
        rt_timer_cancel(client->wheel, &client->timer);
        return;
    }
    uint64_t wait_us = (uint64_t)next.tv_sec * 1000000 + (uint64_t)next.tv_usec;
    rt_timer_set(client->wheel, &client->timer, rt_loop_now(client->loop), wait_us);
}

static void timer_fired(struct rt_timer *timer, uint64_t now_us)
{
    struct dns_client *client = LIST_ENTRY(timer, struct dns_client, timer);
    (void)now_us;
    ares_process_fd(client->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timer(client);
}

static void socket_ready(void *argument, int descriptor, unsigned ready)
{
    struct dns_socket *socket = argument;
    struct dns_client *client = socket->client;
    /* The socket may be closed, and its struct gone, on return. */
    ares_process_fd(client->channel, (ready & RT_READABLE) != 0 ? descriptor : ARES_SOCKET_BAD,
                    (ready & RT_WRITABLE) != 0 ? descriptor : ARES_SOCKET_BAD);
    set_timer(client);
}

static struct dns_socket *find_socket(struct dns_client *client, ares_socket_t descriptor)
{
    for (struct list_link *at = client->sockets.next; at != &client->sockets; at = at->next) {
        struct dns_socket *socket = LIST_ENTRY(at, struct dns_socket, link);
        if (socket->descriptor == descriptor)
            return socket;
    }
    return NULL;
}

static void drop_socket(struct dns_socket *socket)
{
    rt_watch_destroy(socket->watch);
    list_remove(&socket->link);
    free(socket);
}

/* c-ares says what it waits for; nothing means that it is about to close the socket. A socket that
 * cannot be watched runs into its time-out. */
static void socket_changed(void *argument, ares_socket_t descriptor, int readable, int writable)
{
    struct dns_client *client = argument;
    struct dns_socket *socket = find_socket(client, descriptor);
    unsigned interest = (readable ? RT_READABLE : 0U) | (writable ? RT_WRITABLE : 0U);
    if (interest == 0) {
        if (socket != NULL)
            drop_socket(socket);
        return;
    }
    if (socket != NULL) {
        if (rt_watch_set(socket->watch, interest) != 0)
            drop_socket(socket);
        return;
    }
    socket = calloc(1, sizeof(*socket));
    if (socket == NULL)
        return;
    socket->client = client;
    socket->descriptor = descriptor;
    if (rt_watch_create(client->loop, descriptor, interest, socket_ready, socket, &socket->watch) ==
        0)
        list_append(&client->sockets, &socket->link);
    else
        free(socket);
}

static int set_servers(struct dns_client *client, const struct tp_resolver_settings *settings)
{
    size_t count = settings->server_count;
    if (count == 0)
        return 0;
    struct ares_addr_port_node *nodes = calloc(count, sizeof(*nodes));
    if (nodes == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct tp_address *server = &settings->servers[i];
        nodes[i].next = i + 1 < count ? &nodes[i + 1] : NULL;
        nodes[i].family = server->family == 4 ? AF_INET : AF_INET6;
        nodes[i].udp_port = nodes[i].tcp_port = server->port;
        memcpy(&nodes[i].addr, server->bytes, server->family == 4 ? 4 : 16);
    }
    int status = ares_set_servers_ports(client->channel, nodes);
    free(nodes);
    return status == ARES_SUCCESS ? 0 : status == ARES_ENOMEM ? -ENOMEM : ERROR_UNAVAILABLE;
}

int tp_dns_client_create(struct rt_loop *loop, struct rt_wheel *wheel,
                         const struct tp_resolver_settings *settings, dns_answered_fn *answered,
                         void *argument, struct dns_client **client)
{
    struct dns_client *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->loop = loop;
    made->wheel = wheel;
    made->answered = answered;
    made->argument = argument;
    list_init(&made->sockets);
    rt_timer_init(&made->timer, timer_fired);
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
        .timeout = (int)(settings->timeout_us / 1000),
        .tries = (int)settings->tries,
        .sock_state_cb = socket_changed,
        .sock_state_cb_data = made,
    };
    int status = ares_library_init(ARES_LIB_INIT_ALL);
    if (status == ARES_SUCCESS)
        status = ares_init_options(&made->channel, &options,
                                   ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                                       ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS) {
        free(made);
        return status == ARES_ENOMEM ? -ENOMEM : ERROR_UNAVAILABLE;
    }
    int error = set_servers(made, settings);
    if (error != 0) {
        tp_dns_client_destroy(made);
        return error;
    }
    *client = made;
    return 0;
}

static int failure_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
        return 0;
    case ARES_ETIMEOUT:
        return -ETIMEDOUT;
    case ARES_ECONNREFUSED:
        return -ECONNREFUSED;
    case ARES_ENOMEM:
        return -ENOMEM;
    case ARES_EBADRESP:
    case ARES_EBADNAME:
    case ARES_EFORMERR:
        return ERROR_MALFORMED;
    default:
        return ERROR_UNAVAILABLE; /* SERVFAIL, REFUSED and the like */
    }
}

static void answered(void *argument, int status, int timeouts, unsigned char *bytes, int length)
{
    struct dns_query *query = argument;
    struct dns_client *client = query->client;
    int failure = failure_of(status);
    (void)timeouts;
    if (failure == 0 && (bytes == NULL || length <= 0))
        failure = ERROR_MALFORMED;
    /* When the channel is destroyed nobody wants to know any more. */
    if (status != ARES_EDESTRUCTION && status != ARES_ECANCELLED)
        client->answered(client->argument, query->name, query->type, failure, bytes,
                         length > 0 ? (size_t)length : 0);
    free(query);
}

void tp_dns_client_ask(struct dns_client *client, const char *name, enum dns_type type)
{
    struct dns_query *query = calloc(1, sizeof(*query));
    if (query == NULL) {
        client->answered(client->argument, name, type, -ENOMEM, NULL, 0);
        return;
    }
    query->client = client;
    query->type = type;
    memcpy(query->name, name, strlen(name) + 1); /* names are shorter than TP_DNS_NAME_BYTES */
    ares_query(client->channel, query->name, 1, (int)type, answered, query);
    set_timer(client);
}

void tp_dns_client_destroy(struct dns_client *client)
{
    if (client == NULL)
        return;
    ares_destroy(client->channel);
    ares_library_cleanup();
    rt_timer_cancel(client->wheel, &client->timer);
    while (!list_is_empty(&client->sockets))
        drop_socket(LIST_ENTRY(client->sockets.next, struct dns_socket, link));
    free(client);
}
