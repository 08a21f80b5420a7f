/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "runtime/process.h"

struct rt_signals {
    struct rt_watch *watch;
    int descriptor;
    rt_signal_fn *received;
    void *argument;
};

static void signals_ready(void *argument, int descriptor, unsigned ready)
{
    struct rt_signals *signals = argument;
    struct signalfd_siginfo information;
    (void)ready;
    while (read(descriptor, &information, sizeof(information)) == (ssize_t)sizeof(information))
        signals->received(signals->argument, (int)information.ssi_signo);
}

int rt_signals_create(struct rt_loop *loop, const int *signals, rt_signal_fn *received,
                      void *argument, struct rt_signals **out)
{
    sigset_t set;
    struct rt_signals *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->received = received;
    created->argument = argument;
    sigemptyset(&set);
    for (; *signals != 0; signals++)
        sigaddset(&set, *signals);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    created->descriptor = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    int error = created->descriptor < 0
                    ? -errno
                    : rt_watch_create(loop, created->descriptor, RT_READABLE, signals_ready,
                                      created, &created->watch);
    if (error != 0) {
        rt_signals_destroy(created);
        return error;
    }
    *out = created;
    return 0;
}

void rt_signals_destroy(struct rt_signals *signals)
{
    if (signals == NULL)
        return;
    rt_watch_destroy(signals->watch);
    if (signals->descriptor >= 0)
        close(signals->descriptor);
    free(signals);
}
