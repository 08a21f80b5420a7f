/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/process.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

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

static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];
    memset(none, 0, sizeof(none));
    return syscall(SYS_capset, &header, none) == 0 ? 0 : -errno;
}

static int become(const char *user, uid_t uid, gid_t gid)
{
    if (initgroups(user, gid) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(uid, uid, uid) != 0)
        return -errno;
    /* Nothing may bring root back. */
    return uid == 0 || setuid(0) != 0 ? 0 : -EPERM;
}

int rt_process_drop_privileges(const char *user, const char *group)
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
    int error = 0;
    if (geteuid() == 0)
        error = become(user, uid, gid);
    else if (getuid() != uid || geteuid() != uid || getegid() != gid)
        error = -EPERM; /* a service manager that sets the user has to set this one */
    if (error != 0)
        return error;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    return drop_capabilities();
}

void rt_process_notify(const char *state)
{
    (void)sd_notify(0, state);
}

uint64_t rt_process_watchdog_us(void)
{
    uint64_t interval = 0;
    return sd_watchdog_enabled(0, &interval) > 0 ? interval / 2 : 0;
}
