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

/* One a turn, since the callback may destroy us: what is pending keeps the descriptor ready. */
static void signals_ready(void *argument, int descriptor, unsigned ready)
{
    struct rt_signals *signals = argument;
    struct signalfd_siginfo information;
    (void)ready;
    if (read(descriptor, &information, sizeof(information)) == (ssize_t)sizeof(information))
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
    int error = 0;
    for (; *signals != 0 && error == 0; signals++)
        error = sigaddset(&set, *signals) == 0 ? 0 : -errno;
    created->descriptor = error == 0 ? signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC) : -1;
    if (error == 0 && created->descriptor < 0)
        error = -errno;
    if (error == 0)
        error = rt_watch_create(loop, created->descriptor, RT_READABLE, signals_ready, created,
                                &created->watch);
    if (error == 0)
        error = -pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (error == 0 && signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        error = -errno;
    if (error != 0) {
        rt_signals_destroy(created);
        return error;
    }
    *out = created;
    return 0;
}

/* The signals stay blocked: a second SIGTERM must not kill the process amid its orderly end. */
void rt_signals_destroy(struct rt_signals *signals)
{
    if (signals == NULL)
        return;
    rt_watch_destroy(signals->watch);
    if (signals->descriptor >= 0)
        close(signals->descriptor);
    free(signals);
}
