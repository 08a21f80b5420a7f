/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker hands its sockets and calls to the worker of another process, or begins with what it is
 * handed. docs/architecture.md, "Upgrade", says why no message is lost on the way.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker_int.h"

/* ---- the share that goes over, in a file without a name ------------------------------------ */

enum { SHARE_MAGIC = 0x52465348 };

/* Then the servers, then the calls. */
struct share {
    uint32_t magic;
    uint32_t call_bytes;
    uint64_t servers;
    uint64_t calls;
};

struct writer {
    char *memory;
    size_t used;
    size_t capacity;
    uint64_t count;
    int error;
};

static void write_bytes(struct writer *writer, const void *bytes, size_t length)
{
    if (writer->error != 0)
        return;
    if (writer->used + length > writer->capacity) {
        size_t capacity = 2 * writer->capacity + length + 4096;
        char *larger = realloc(writer->memory, capacity);
        if (larger == NULL) {
            writer->error = -ENOMEM;
            return;
        }
        writer->memory = larger;
        writer->capacity = capacity;
    }
    memcpy(writer->memory + writer->used, bytes, length);
    writer->used += length;
    writer->count++;
}

static void write_server(void *argument, const struct txn_handed *server)
{
    write_bytes(argument, server, sizeof(*server));
}

/* What it counts for is at a place of this process's table; the other finds its own by the hash. */
static struct call_handed in_their_terms(const struct daemon_worker *worker,
                                         const struct call_handed *call)
{
    struct call_handed handed = *call;
    for (unsigned i = 0; i < CALL_HELD; i++)
        handed.held[i] = proxy_admission_hash(worker->shared->admission, (uint32_t)call->held[i]);
    return handed;
}

struct call_writer {
    struct writer *writer;
    const struct daemon_worker *worker;
};

static void write_call(void *argument, const struct call_handed *call)
{
    const struct call_writer *calls = argument;
    const struct call_handed handed = in_their_terms(calls->worker, call);
    write_bytes(calls->writer, &handed, sizeof(handed));
}

static int write_file(const struct writer *writer, int *descriptor)
{
    int file = memfd_create("ringfence-share", MFD_CLOEXEC);
    if (file < 0)
        return -errno;
    for (size_t done = 0; done < writer->used;) {
        ssize_t written = write(file, writer->memory + done, writer->used - done);
        if (written < 0 && errno != EINTR) {
            int error = -errno;
            close(file);
            return error;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    *descriptor = file;
    return 0;
}

static int write_share(const struct daemon_worker *worker, int *descriptor)
{
    struct writer writer = {NULL, 0, 0, 0, 0};
    struct share share = {SHARE_MAGIC, sizeof(struct call_handed), 0, 0};
    write_bytes(&writer, &share, sizeof(share));
    writer.count = 0;
    txn_layer_each_server(worker->transactions, write_server, &writer);
    share.servers = writer.count;
    writer.count = 0;
    call_table_each(worker->calls, write_call, &(struct call_writer){&writer, worker});
    share.calls = writer.count;
    int error = writer.error;
    if (error == 0) {
        memcpy(writer.memory, &share, sizeof(share));
        error = write_file(&writer, descriptor);
    }
    free(writer.memory);
    return error;
}

/* Over the limit or not: it is there already. */
static void count_call(struct daemon_worker *worker, const struct call_handed *call,
                       struct call_record *record)
{
    struct proxy_admission *admission = worker->shared->admission;
    uint32_t places[CALL_HELD] = {0};
    for (unsigned i = 0; i < CALL_HELD; i++)
        if (call->held[i] != 0)
            (void)proxy_admission_enter(admission, call->held[i], UINT32_MAX, &places[i]);
    if (call_hold(record, places))
        return;
    for (unsigned i = 0; i < CALL_HELD; i++)
        proxy_admission_leave(admission, places[i]);
}

static void take_call(struct daemon_worker *worker, const struct call_handed *call, bool ended)
{
    struct call_record *record;
    if (call_table_take(worker->calls, call, ended, rt_loop_now(worker->loop), &record) != 0)
        stats_count(worker->stats, STATS_CALLS_WITHOUT_RECORD);
    else if (record != NULL)
        count_call(worker, call, record);
}

static int take_share(struct daemon_worker *worker, const char *bytes, size_t length)
{
    struct share share;
    if (length < sizeof(share))
        return ERROR_MALFORMED;
    memcpy(&share, bytes, sizeof(share));
    const struct txn_handed *servers = (const void *)(bytes + sizeof(share));
    const struct call_handed *calls = (const void *)(servers + share.servers);
    if (share.magic != SHARE_MAGIC || share.call_bytes != sizeof(*calls) ||
        sizeof(share) + share.servers * sizeof(*servers) + share.calls * sizeof(*calls) != length)
        return ERROR_MALFORMED;
    int error = txn_layer_note_elsewhere(worker->transactions, servers, share.servers);
    for (uint64_t i = 0; i < share.calls && error == 0; i++)
        take_call(worker, &calls[i], false);
    return error;
}

static int read_share(struct daemon_worker *worker, int descriptor)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return -errno;
    size_t length = (size_t)status.st_size;
    void *bytes = mmap(NULL, length, PROT_READ, MAP_PRIVATE | MAP_POPULATE, descriptor, 0);
    if (bytes == MAP_FAILED)
        return -errno;
    int error = take_share(worker, bytes, length);
    munmap(bytes, length);
    return error;
}

/* ---- the process that goes ----------------------------------------------------------------- */

static void packet_passed_back(void *argument, const struct tp_packet *packet)
{
    struct daemon_worker *worker = argument;
    proxy_receive(worker->proxy, packet);
}

static void successor_finished(void *argument)
{
    struct daemon_worker *worker = argument;
    atomic_store_explicit(&worker->left, true, memory_order_release);
}

static const struct daemon_link_events predecessor_events = {
    .packet = packet_passed_back,
    .closed = successor_finished,
};

static void tell_successor(void *argument, const struct call_handed *call, bool ended)
{
    struct daemon_worker *worker = argument;
    const struct call_handed handed = in_their_terms(worker, call);
    daemon_link_tell(worker->link, &handed, ended);
}

void daemon_worker_pause(struct daemon_worker *worker)
{
    /* To pause takes no memory. */
    if (tp_worker_listen(worker->transport, false) != 0)
        log_error("upgrade", "worker %zu cannot let go of its sockets", worker->index);
}

int daemon_worker_hand_over(struct daemon_worker *worker, int link, int *share)
{
    proxy_stop_probing(worker->proxy, rt_loop_now(worker->loop));
    /* All workers have paused, so nothing comes into the rings any more. */
    while (tp_worker_take_handed_over(worker->transport)) {
    }
    atomic_store_explicit(&worker->left, false, memory_order_relaxed);
    daemon_link_destroy(worker->link); /* of an upgrade before this one */
    worker->link = NULL;
    int error = daemon_link_create(worker->loop, link, worker->stats, &predecessor_events, worker,
                                   &worker->link);
    if (error == 0)
        error = write_share(worker, share);
    if (error == 0)
        call_table_follow(worker->calls, tell_successor, worker, rt_loop_now(worker->loop));
    return error;
}

void daemon_worker_end_streams(struct daemon_worker *worker)
{
    tp_worker_end_streams(worker->transport);
}

void daemon_worker_ask_to_leave(struct daemon_worker *worker)
{
    if (worker->link != NULL)
        daemon_link_ask_to_leave(worker->link);
}

bool daemon_worker_has_left(const struct daemon_worker *worker)
{
    return atomic_load_explicit(&worker->left, memory_order_acquire);
}

int daemon_worker_take_back(struct daemon_worker *worker)
{
    if (worker->link != NULL)
        call_table_follow(worker->calls, NULL, NULL, rt_loop_now(worker->loop));
    daemon_link_destroy(worker->link);
    worker->link = NULL;
    daemon_worker_start_probing(worker);
    return tp_worker_listen(worker->transport, true);
}

/* ---- the process that comes ---------------------------------------------------------------- */

static void call_told(void *argument, const struct call_handed *call, bool ended)
{
    take_call(argument, call, ended);
}

static void forget_predecessor(struct daemon_worker *worker)
{
    proxy_set_predecessor(worker->proxy, NULL);
    txn_layer_forget_elsewhere(worker->transactions);
}

/* It has no transactions any more: what comes late is handled as if it had never been there. */
static void predecessor_asks(void *argument)
{
    struct daemon_worker *worker = argument;
    forget_predecessor(worker);
    daemon_link_finish(worker->link);
}

static void predecessor_gone(void *argument)
{
    struct daemon_worker *worker = argument;
    forget_predecessor(worker);
    worker->follows = false;
    atomic_store_explicit(&worker->link_over, true, memory_order_release);
}

static const struct daemon_link_events successor_events = {
    .call = call_told,
    .leave = predecessor_asks,
    .closed = predecessor_gone,
};

static bool pass(void *argument, const struct tp_packet *packet)
{
    struct daemon_worker *worker = argument;
    return daemon_link_pass(worker->link, packet);
}

void daemon_worker_begin_with(struct daemon_worker *worker, int link, int share)
{
    worker->inherited[0] = link;
    worker->inherited[1] = share;
    atomic_store_explicit(&worker->link_over, false, memory_order_relaxed);
}

void daemon_worker_inherit(struct daemon_worker *worker)
{
    if (worker->inherited[0] < 0)
        return;
    const unsigned generation = worker->shared->marks.generation;
    const struct proxy_predecessor predecessor = {
        .pass = pass,
        .argument = worker,
        .generation = (uint8_t)((generation + IDENT_GENERATIONS - 1) % IDENT_GENERATIONS),
    };
    int error = daemon_link_create(worker->loop, worker->inherited[0], worker->stats,
                                   &successor_events, worker, &worker->link);
    if (error == 0)
        error = read_share(worker, worker->inherited[1]);
    close(worker->inherited[1]);
    worker->inherited[0] = worker->inherited[1] = -1;
    if (error != 0)
        log_error(
            "upgrade",
            "worker %zu: what the process before has cannot be taken over: %s; its calls go on "
            "as after a restart",
            worker->index, error_text(error));
    worker->follows = worker->link != NULL;
    if (worker->follows)
        proxy_set_predecessor(worker->proxy, &predecessor);
}

bool daemon_worker_is_alone(const struct daemon_worker *worker)
{
    return atomic_load_explicit(&worker->link_over, memory_order_acquire);
}
