/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/transport.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "transport_int.h"

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
 * No path-MTU discovery: a large message must leave in fragments instead of failing. Free binding
 * lets a standby node start while a virtual address is still elsewhere.
 */
static int set_family_options(int descriptor, int family)
{
    int error;
    if (family == AF_INET) {
        error = set_flag(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
        return error != 0 ? error : set_flag(descriptor, IPPROTO_IP, IP_FREEBIND, 1);
    }
    error = set_flag(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (error == 0)
        error = set_flag(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
    return error != 0 ? error : set_flag(descriptor, IPPROTO_IPV6, IPV6_FREEBIND, 1);
}

static int bind_to(int descriptor, const struct tp_address *address)
{
    struct sockaddr_storage storage;
    socklen_t length = tp_address_to_sockaddr(address, &storage);
    return bind(descriptor, (struct sockaddr *)&storage, length) == 0 ? 0 : -errno;
}

static int socket_open(const struct tp_settings *settings, const struct tp_address *address,
                       bool shared, int *out)
{
    int family = address->family == 6 ? AF_INET6 : AF_INET;
    int descriptor = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -errno;

    int error = set_family_options(descriptor, family);
    if (error == 0 && shared)
        error = set_flag(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
    if (error == 0)
        error = set_buffer(descriptor, SO_RCVBUFFORCE, SO_RCVBUF, settings->receive_buffer);
    if (error == 0)
        error = set_buffer(descriptor, SO_SNDBUFFORCE, SO_SNDBUF, settings->send_buffer);
    if (error == 0)
        error = bind_to(descriptor, address);
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
static int check_unused(const struct tp_settings *settings, const struct tp_address *address)
{
    int descriptor = -1;
    int error = socket_open(settings, address, false, &descriptor);
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

static int open_listener(struct tp_group *group, size_t listener)
{
    /* The group's own array, so its addresses may be completed. */
    struct tp_listener_settings *own =
        (struct tp_listener_settings *)(uintptr_t)&group->settings.listeners[listener];
    if (own->address.family == 0)
        return -EAFNOSUPPORT;

    int error = check_unused(&group->settings, &own->address);
    for (size_t worker = 0; error == 0 && worker < group->settings.workers; worker++) {
        int *place = &group->sockets[listener * group->settings.workers + worker];
        error = socket_open(&group->settings, &own->address, true, place);
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
        if (group->sockets[i] >= 0)
            close(group->sockets[i]);
    tp_steering_destroy(group);
    tp_names_destroy(group->names);
    free(group->sockets);
    free((void *)(uintptr_t)group->settings.listeners);
    free(group);
}
