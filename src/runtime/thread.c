/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct rt_thread {
    pthread_t id;
    char name[16];
    void (*run)(void *argument);
    void *argument;
};

static void *run_thread(void *argument)
{
    struct rt_thread *thread = argument;
    pthread_setname_np(pthread_self(), thread->name);
    thread->run(thread->argument);
    return NULL;
}

static int start(struct rt_thread *thread, int processor)
{
    pthread_attr_t attributes;
    sigset_t all, previous;
    int error = pthread_attr_init(&attributes);
    if (error != 0)
        return -error;
    if (processor >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)processor, &set);
        error = pthread_attr_setaffinity_np(&attributes, sizeof(set), &set);
    }
    /* Inherited by the new thread: signals are for the first thread's loop alone. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    if (error == 0)
        error = pthread_create(&thread->id, &attributes, run_thread, thread);
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    pthread_attr_destroy(&attributes);
    return -error;
}

int rt_thread_start(const char *name, int processor, void (*run)(void *argument), void *argument,
                    struct rt_thread **thread)
{
    struct rt_thread *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    snprintf(created->name, sizeof(created->name), "%s", name);
    created->run = run;
    created->argument = argument;
    int error = start(created, processor);
    /* A processor that this process may not use: better anywhere than not at all. */
    if (error == -EINVAL && processor >= 0)
        error = start(created, -1);
    if (error != 0) {
        free(created);
        return error;
    }
    *thread = created;
    return 0;
}

void rt_thread_give_way(void)
{
    enum { STEPS = 10 }; /* of nice: a tenth of the weight */
    id_t self = (id_t)gettid();
    const struct sched_param none = {0};
    /* A batch never preempts what wakes up. Refused, it runs as before. */
    (void)sched_setscheduler((pid_t)self, SCHED_BATCH, &none);
    (void)setpriority(PRIO_PROCESS, self, getpriority(PRIO_PROCESS, self) + STEPS);
}

void rt_thread_join(struct rt_thread *thread)
{
    if (thread == NULL)
        return;
    pthread_join(thread->id, NULL);
    free(thread);
}
