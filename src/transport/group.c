/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/transport.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/heritage.h"
#include "stream_int.h"

enum { BATCH_MAXIMUM = 128 };

static int set_flag(int descriptor, int level, int option, int value)
{
    return setsockopt(descriptor, level, option, &value, sizeof(value)) == 0 ? 0 : -errno;
}

/* With CAP_NET_ADMIN beyond net.core.rmem_max, else as much as that allows. */
static int set_buffer(int descriptor, int forced, int ordinary, uint32_t bytes)
{
    int value = bytes < INT32_MAX ? (int)bytes : INT32_MAX;
    if (value == 0 || set_flag(descriptor, SOL_SOCKET, forced, value) == 0)
        return 0;
    return set_flag(descriptor, SOL_SOCKET, ordinary, value);
}

/*
 * ICMP errors are queued, with the address that they are about. No path-MTU discovery: a large
 * message must leave in fragments instead of failing. Free binding lets a standby node start while
 * a virtual address is still elsewhere.
 */
static int set_family_options(int descriptor, int family)
{
    int error;
    if (family == AF_INET) {
        error = set_flag(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
        if (error == 0)
            error = set_flag(descriptor, IPPROTO_IP, IP_RECVERR, 1);
        return error != 0 ? error : set_flag(descriptor, IPPROTO_IP, IP_FREEBIND, 1);
    }
    error = set_flag(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (error == 0)
        error = set_flag(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
    if (error == 0)
        error = set_flag(descriptor, IPPROTO_IPV6, IPV6_RECVERR, 1);
    return error != 0 ? error : set_flag(descriptor, IPPROTO_IPV6, IPV6_FREEBIND, 1);
}

static int bind_to(int descriptor, const struct tp_address *address)
{
    struct sockaddr_storage storage;
    socklen_t length = tp_address_to_sockaddr(address, &storage);
    return bind(descriptor, (struct sockaddr *)&storage, length) == 0 ? 0 : -errno;
}

/* Of a stream, what is accepted inherits the buffers, which the kernel sizes better by itself; and
 * a listener that restarts must not wait for connections of its earlier life to be forgotten. */
static int set_buffers(int descriptor, const struct tp_settings *settings, bool stream)
{
    if (stream)
        return set_flag(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
    int error = set_buffer(descriptor, SO_RCVBUFFORCE, SO_RCVBUF, settings->receive_buffer);
    if (error == 0)
        error = set_buffer(descriptor, SO_SNDBUFFORCE, SO_SNDBUF, settings->send_buffer);
    return error;
}

static int socket_open(const struct tp_settings *settings,
                       const struct tp_listener_settings *listener, bool shared, int *out)
{
    int family = listener->address.family == 6 ? AF_INET6 : AF_INET;
    bool stream = tp_protocol_rows[listener->protocol].stream;
    int type = stream ? SOCK_STREAM : SOCK_DGRAM;
    int descriptor = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -errno;

    int error = set_family_options(descriptor, family);
    if (error == 0 && shared)
        error = set_flag(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
    if (error == 0)
        error = set_buffers(descriptor, settings, stream);
    if (error == 0)
        error = bind_to(descriptor, &listener->address);
    if (error == 0 && stream && shared &&
        listen(descriptor, (int)settings->streams.listen_backlog) != 0)
        error = -errno;
    if (error != 0) {
        close(descriptor);
        return error;
    }
    *out = descriptor;
    return 0;
}

/*
 * SO_REUSEPORT would let a second daemon of the same user take a share of our datagrams without a
 * word. A socket without it can be bound only while nobody else is there.
 */
static int check_unused(const struct tp_settings *settings,
                        const struct tp_listener_settings *listener)
{
    int descriptor = -1;
    int error = socket_open(settings, listener, false, &descriptor);
    if (descriptor >= 0)
        close(descriptor);
    return error;
}

/* Port 0 takes any free one, the same for all workers. */
static int learn_port(int descriptor, struct tp_address *address)
{
    struct sockaddr_storage storage;
    socklen_t length = sizeof(storage);
    if (getsockname(descriptor, (struct sockaddr *)&storage, &length) != 0)
        return -errno;
    return tp_address_from_sockaddr((struct sockaddr *)&storage, address);
}

/* With what it has received already, and may be receiving: nothing is lost on the way. */
static int take_inherited(const struct tp_listener_settings *listener)
{
    struct sockaddr_storage storage;
    int type = tp_protocol_rows[listener->protocol].stream ? SOCK_STREAM : SOCK_DGRAM;
    memset(&storage, 0, sizeof(storage));
    socklen_t length = tp_address_to_sockaddr(&listener->address, &storage);
    return rt_heritage_take(type, (const struct sockaddr *)&storage, length);
}

static int open_listener(struct tp_group *group, size_t listener)
{
    /* The group's own array, so its addresses may be completed. */
    struct tp_listener_settings *own =
        (struct tp_listener_settings *)(uintptr_t)&group->settings.listeners[listener];
    if (own->address.family == 0)
        return -EAFNOSUPPORT;

    int error = 0;
    for (size_t worker = 0; error == 0 && worker < group->settings.workers; worker++) {
        int *place = &group->sockets[listener * group->settings.workers + worker];
        *place = take_inherited(own);
        if (*place < 0 && worker == 0)
            error = check_unused(&group->settings, own);
        if (error == 0 && *place < 0)
            error = socket_open(&group->settings, own, true, place);
        if (error == 0)
            error = rt_heritage_keep(*place);
        if (error == 0 && own->address.port == 0)
            error = learn_port(*place, &own->address);
    }
    return error;
}

/* What one listener is called elsewhere never hides another's own address. */
static int add_names(struct tp_group *group, size_t *bad)
{
    int error = 0;
    size_t count = group->settings.listener_count;
    for (*bad = 0; *bad < count; ++*bad) {
        const struct tp_listener_settings *listener = &group->settings.listeners[*bad];
        error = tp_names_add_address(group->names, &listener->address, (uint16_t)*bad);
        if (error != 0)
            return error;
    }
    for (*bad = 0; *bad < count; ++*bad) {
        const struct tp_listener_settings *listener = &group->settings.listeners[*bad];
        if (listener->advertise.length > 0)
            error = tp_names_add(group->names, listener->advertise, (uint16_t)*bad);
        for (size_t i = 0; error == 0 && i < listener->alias_count; i++)
            error = tp_names_add(group->names, listener->aliases[i], (uint16_t)*bad);
        if (error != 0)
            return error;
    }
    return 0;
}

static int open_listeners(struct tp_group *group, size_t *bad)
{
    for (*bad = 0; *bad < group->settings.listener_count; ++*bad) {
        int error = open_listener(group, *bad);
        if (error != 0)
            return error;
    }
    return 0;
}

static int allocate(struct tp_group *group)
{
    size_t listeners = group->settings.listener_count;
    size_t sockets = listeners * group->settings.workers;
    struct tp_listener_settings *own = calloc(listeners, sizeof(*own));
    group->sockets = calloc(sockets, sizeof(group->sockets[0]));
    if (own != NULL)
        memcpy(own, group->settings.listeners, listeners * sizeof(*own));
    group->settings.listeners = own;
    if (own == NULL || group->sockets == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < sockets; i++)
        group->sockets[i] = -1;
    return tp_names_create(&group->settings.steering_key, &group->names);
}

static int prepare_streams(struct tp_group *group)
{
    struct stats_registry *registry = group->settings.registry;
    group->close_labels = calloc(TP_CLOSE_COUNT, sizeof(group->close_labels[0]));
    if (group->close_labels == NULL)
        return -ENOMEM;
    for (unsigned i = 0; registry != NULL && i < TP_CLOSE_COUNT; i++)
        group->close_labels[i] = stats_label(registry, STATS_FAMILY_CONNECTIONS_CLOSED,
                                             slice_of_text(tp_close_row((enum tp_close)i).key));
    return tp_directory_create(&group->settings.steering_key, &group->directory);
}

static bool settings_are_valid(const struct tp_settings *settings)
{
    return settings->listener_count >= 1 && settings->listener_count <= TP_LISTENER_LIMIT &&
           settings->workers >= 1 && settings->batch >= 1 && settings->batch <= BATCH_MAXIMUM;
}

int tp_group_create(const struct tp_settings *settings, struct tp_group **group, size_t *bad)
{
    *bad = settings->listener_count;
    if (!settings_are_valid(settings))
        return -EINVAL;
    struct tp_group *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->settings = *settings;

    int error = allocate(made);
    if (error == 0)
        error = prepare_streams(made);
    if (error == 0)
        error = open_listeners(made, bad);
    if (error == 0)
        error = add_names(made, bad);
    if (error == 0)
        error = tp_steering_create(made);
    if (error != 0) {
        tp_group_destroy(made);
        return error;
    }
    *group = made;
    return 0;
}

size_t tp_group_listener_count(const struct tp_group *group)
{
    return group->settings.listener_count;
}

const struct tp_listener_settings *tp_group_listener(const struct tp_group *group, size_t index)
{
    assert(index < group->settings.listener_count);
    return &group->settings.listeners[index];
}

uint32_t tp_group_listener_connections(const struct tp_group *group, size_t listener)
{
    return atomic_load_explicit(&group->listener_connections[listener], memory_order_relaxed);
}

uint32_t tp_group_peer_connections(const struct tp_group *group, uint32_t label)
{
    return label < TP_PEER_LABELS
               ? atomic_load_explicit(&group->peer_connections[label], memory_order_relaxed)
               : 0;
}

struct slice tp_group_peer_name(const struct tp_group *group, uint32_t label)
{
    if (group->settings.registry == NULL)
        return SLICE("");
    return stats_label_name(group->settings.registry, STATS_FAMILY_TRUNK_CONNECTIONS, label);
}

int tp_group_find_listener(const struct tp_group *group, struct slice host, uint16_t port)
{
    return tp_names_find(group->names, host, port);
}

void tp_group_destroy(struct tp_group *group)
{
    if (group == NULL)
        return;
    size_t sockets = group->settings.listener_count * group->settings.workers;
    for (size_t i = 0; group->sockets != NULL && i < sockets; i++)
        if (group->sockets[i] >= 0) {
            rt_heritage_forget(group->sockets[i]);
            close(group->sockets[i]);
        }
    tp_steering_destroy(group);
    tp_names_destroy(group->names);
    tp_directory_destroy(group->directory);
    free(group->close_labels);
    free(group->sockets);
    free((void *)(uintptr_t)group->settings.listeners);
    free(group);
}
