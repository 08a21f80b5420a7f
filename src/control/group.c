/* SPDX-License-Identifier: Apache-2.0 */
#include "group_int.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { GROUP_BUFFER_FIRST = 1024, GROUP_BUFFER_MAXIMUM = 1 << 20, NAME_MAXIMUM = 255 };

static int find_by_name(const char *name, gid_t *group)
{
    for (size_t size = GROUP_BUFFER_FIRST; size <= GROUP_BUFFER_MAXIMUM; size *= 2) {
        char *memory = malloc(size);
        if (memory == NULL)
            return -ENOMEM;
        struct group entry;
        struct group *found = NULL;
        int error = getgrnam_r(name, &entry, memory, size, &found);
        if (found != NULL)
            *group = found->gr_gid;
        free(memory);
        if (error != ERANGE)
            return found != NULL ? 0 : error > 0 ? -error : -ENOENT;
    }
    return -ERANGE;
}

int ctl_group_find(struct slice name, gid_t *group)
{
    char text[NAME_MAXIMUM + 1];
    uint64_t id;
    if (name.length == 0 || name.length > NAME_MAXIMUM)
        return -ENOENT;
    if (slice_to_uint64(name, UINT32_MAX - 1, &id) == 0) {
        *group = (gid_t)id;
        return 0;
    }
    memcpy(text, name.data, name.length);
    text[name.length] = '\0';
    return find_by_name(text, group);
}

bool ctl_peer_in_group(int descriptor, gid_t peer_group, gid_t group)
{
    if (peer_group == group)
        return true;
    /* The kernel says how much room it needs when there is too little. */
    socklen_t size = 0;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno != ERANGE)
        return false;
    gid_t *groups = malloc(size);
    if (groups == NULL)
        return false;
    bool found = false;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0)
        for (size_t i = 0; i < size / sizeof(groups[0]) && !found; i++)
            found = groups[i] == group;
    free(groups);
    return found;
}
