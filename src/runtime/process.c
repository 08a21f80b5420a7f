/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/process.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"

uint64_t rt_process_raise_descriptors(uint64_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    if (limit.rlim_cur < wanted) {
        struct rlimit raised = limit;
        raised.rlim_cur = wanted;
        if (raised.rlim_max < wanted)
            raised.rlim_max = wanted;
        if (setrlimit(RLIMIT_NOFILE, &raised) != 0) {
            raised.rlim_cur = raised.rlim_max = limit.rlim_max;
            if (setrlimit(RLIMIT_NOFILE, &raised) != 0)
                return limit.rlim_cur;
        }
        return raised.rlim_cur;
    }
    return limit.rlim_cur;
}

/* Only those that are there can be kept. */
static int limit_capabilities(uint64_t kept)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    memset(data, 0, sizeof(data));
    if (kept != 0 && syscall(SYS_capget, &header, data) != 0)
        return -errno;
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        uint32_t left = data[i].permitted & (uint32_t)(kept >> (32 * i));
        data[i] = (struct __user_cap_data_struct){.effective = left, .permitted = left};
    }
    return syscall(SYS_capset, &header, data) == 0 ? 0 : -errno;
}

static int become(const char *user, uid_t uid, gid_t gid)
{
    if (initgroups(user, gid) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(uid, uid, uid) != 0)
        return -errno;
    /* Nothing may bring root back. */
    return uid == 0 || setuid(0) != 0 ? 0 : -EPERM;
}

static int become_account(const char *user, const char *group)
{
    errno = 0;
    const struct passwd *account = getpwnam(user);
    if (account == NULL)
        return errno != 0 ? -errno : -ENOENT;
    uid_t uid = account->pw_uid;
    gid_t gid = account->pw_gid;
    if (group != NULL && group[0] != '\0') {
        errno = 0;
        const struct group *entry = getgrnam(group);
        if (entry == NULL)
            return errno != 0 ? -errno : -ENOENT;
        gid = entry->gr_gid;
    }
    if (geteuid() == 0)
        return become(user, uid, gid);
    /* A service manager that sets the user has to set this one. */
    return getuid() != uid || geteuid() != uid || getegid() != gid ? -EPERM : 0;
}

int rt_process_drop_privileges(const char *user, const char *group)
{
    int error = become_account(user, group);
    if (error != 0)
        return error;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    return limit_capabilities(0);
}

int rt_process_keep_capabilities(const char *user, const char *group, uint64_t kept)
{
    /* Another user would lose them all. */
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
        return -errno;
    int error = user != NULL && user[0] != '\0' ? become_account(user, group) : 0;
    if (error != 0)
        return error;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    return limit_capabilities(kept);
}

/* The environment without the number of the process that the watchdog was set up for. */
static char **environment_of_child(void)
{
    static const char own[] = "WATCHDOG_PID=";
    size_t count = 0, kept = 0;
    while (environ[count] != NULL)
        count++;
    char **copy = calloc(count + 1, sizeof(*copy));
    for (size_t i = 0; copy != NULL && i < count; i++)
        if (strncmp(environ[i], own, sizeof(own) - 1) != 0)
            copy[kept++] = environ[i];
    return copy;
}

int rt_process_spawn(const char *path, const char *const *arguments, int descriptor, pid_t *child)
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    sigset_t none, ordinary;
    char **environment = environment_of_child();
    if (environment == NULL)
        return -ENOMEM;
    sigemptyset(&none);
    sigemptyset(&ordinary);
    sigaddset(&ordinary, SIGPIPE);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&actions);
    int error = posix_spawnattr_setsigmask(&attributes, &none);
    if (error == 0)
        error = posix_spawnattr_setsigdefault(&attributes, &ordinary);
    if (error == 0)
        error =
            posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, descriptor, RT_PROCESS_SPAWN_DESCRIPTOR);
    if (error == 0)
        error = posix_spawn(child, path, &actions, &attributes, (char *const *)(uintptr_t)arguments,
                            environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    free(environment);
    return -error;
}

void rt_process_notify(const char *state)
{
    (void)sd_notify(0, state);
}

void rt_process_notify_reloading(void)
{
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_monotonic_us());
}

uint64_t rt_process_watchdog_us(void)
{
    uint64_t interval = 0;
    return sd_watchdog_enabled(0, &interval) > 0 ? interval / 2 : 0;
}
