/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct letter {
    struct letter *next;
    rt_message_fn *run;
    void *argument;
};

struct rt_mailbox {
    struct rt_watch *watch;
    void *target;
    int descriptor;
    struct letter *batch;  /* being run, oldest first; owner thread */
    pthread_mutex_t mutex; /* guards what follows */
    struct letter *first;
    struct letter **last;
    bool closed;
};

static struct letter *take_all(struct rt_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->mutex);
    struct letter *first = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    pthread_mutex_unlock(&mailbox->mutex);
    return first;
}

/* Off the mailbox one by one, so that a letter may close it and the order still holds. */
static void run_batch(struct rt_mailbox *mailbox)
{
    while (mailbox->batch != NULL) {
        struct letter *letter = mailbox->batch;
        mailbox->batch = letter->next;
        letter->run(mailbox->target, letter->argument);
        free(letter);
    }
}

static void run_all(struct rt_mailbox *mailbox)
{
    run_batch(mailbox);
    mailbox->batch = take_all(mailbox);
    run_batch(mailbox);
}

static void mailbox_ready(void *argument, int descriptor, unsigned ready)
{
    uint64_t value;
    (void)ready;
    if (read(descriptor, &value, sizeof(value)) < 0) {
        /* EAGAIN only: there is nothing to reset. */
    }
    run_all(argument);
}

int rt_mailbox_create(struct rt_loop *loop, void *target, struct rt_mailbox **mailbox)
{
    struct rt_mailbox *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->target = target;
    created->last = &created->first;
    pthread_mutex_init(&created->mutex, NULL);
    created->descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int error = created->descriptor < 0 ? -errno
                                        : rt_watch_create(loop, created->descriptor, RT_READABLE,
                                                          mailbox_ready, created, &created->watch);
    if (error != 0) {
        rt_mailbox_destroy(created);
        return error;
    }
    *mailbox = created;
    return 0;
}

int rt_mailbox_post(struct rt_mailbox *mailbox, rt_message_fn *run, void *argument)
{
    const uint64_t one = 1;
    struct letter *letter = malloc(sizeof(*letter));
    if (letter == NULL)
        return -ENOMEM;
    *letter = (struct letter){NULL, run, argument};
    pthread_mutex_lock(&mailbox->mutex);
    bool closed = mailbox->closed;
    if (!closed) {
        *mailbox->last = letter;
        mailbox->last = &letter->next;
        if (write(mailbox->descriptor, &one, sizeof(one)) < 0) {
            /* EAGAIN only: it is rung already. */
        }
    }
    pthread_mutex_unlock(&mailbox->mutex);
    if (closed)
        free(letter);
    return closed ? ERROR_UNAVAILABLE : 0;
}

void rt_mailbox_close(struct rt_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->mutex);
    mailbox->closed = true;
    pthread_mutex_unlock(&mailbox->mutex);
    run_all(mailbox);
}

void rt_mailbox_destroy(struct rt_mailbox *mailbox)
{
    if (mailbox == NULL)
        return;
    struct letter *letter = take_all(mailbox);
    while (letter != NULL) {
        struct letter *next = letter->next;
        free(letter);
        letter = next;
    }
    rt_watch_destroy(mailbox->watch);
    if (mailbox->descriptor >= 0)
        close(mailbox->descriptor);
    pthread_mutex_destroy(&mailbox->mutex);
    free(mailbox);
}
