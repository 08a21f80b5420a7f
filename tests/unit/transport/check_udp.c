/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams over the loopback interface. Most tests turn the loops of all workers on one thread,
 * so nothing depends on how threads are scheduled.
 */
#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "runtime/thread.h"
#include "transport/transport.h"

enum { WORKERS = 2, KEPT = 64, FAILURES = 16 };

struct side {
    struct bench *bench;
    struct rt_loop *loop;
    struct stats_shard *stats;
    struct tp_worker *worker;
    unsigned received;
    size_t longest;
    struct tp_packet last; /* its bytes are in `bytes` */
    char bytes[TP_DATAGRAM_LIMIT];
    unsigned unreachable;
    struct tp_address last_unreachable;
    unsigned failures;
    uint64_t failed_cookie[FAILURES];
    int failed_error[FAILURES];
    bool echo;
    bool send_on_failure;
};

struct bench {
    struct stats_registry *registry;
    struct tp_group *group;
    size_t workers;
    struct side sides[WORKERS];
};

static void on_received(void *argument, const struct tp_packet *packet)
{
    struct side *side = argument;
    side->received++;
    side->last = *packet;
    memcpy(side->bytes, packet->bytes.data, packet->bytes.length);
    side->last.bytes.data = side->bytes;
    if (packet->bytes.length > side->longest)
        side->longest = packet->bytes.length;
    if (side->echo)
        tp_worker_send(side->worker, packet->listener, &packet->source, packet->bytes, 0);
}

static void on_failed(void *argument, uint64_t cookie, int error)
{
    struct side *side = argument;
    ck_assert_uint_lt(side->failures, FAILURES);
    side->failed_cookie[side->failures] = cookie;
    side->failed_error[side->failures++] = error;
    if (side->send_on_failure) {
        struct tp_address nowhere = {.bytes = {127, 0, 0, 1}, .family = 4};
        side->send_on_failure = side->failures < 3;
        tp_worker_send(side->worker, 0, &nowhere, SLICE("again"), cookie + 1);
    }
}

static void on_unreachable(void *argument, const struct tp_address *to)
{
    struct side *side = argument;
    side->unreachable++;
    side->last_unreachable = *to;
}

static const struct tp_events events = {
    .received = on_received, .send_failed = on_failed, .unreachable = on_unreachable};

static struct bench *bench_open(const char *address, size_t listeners, size_t workers)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct tp_listener_settings settings[4] = {{.address = {.family = 0}}};
    for (size_t i = 0; i < listeners; i++)
        ck_assert_int_eq(tp_address_parse(slice_of_text(address), 0, &settings[i].address), 0);
    struct tp_settings group = {.listeners = settings,
                                .listener_count = listeners,
                                .workers = workers,
                                .receive_buffer = 4 << 20,
                                .send_buffer = 4 << 20,
                                .batch = 16,
                                .steering_key = {{3, 4}}};
    size_t bad;
    ck_assert_int_eq(tp_group_create(&group, &bench->group, &bad), 0);
    ck_assert_int_eq(stats_registry_create(&bench->registry), 0);
    bench->workers = workers;
    for (size_t i = 0; i < workers; i++) {
        struct side *side = &bench->sides[i];
        side->bench = bench;
        ck_assert_int_eq(rt_loop_create(&side->loop), 0);
        ck_assert_int_eq(stats_shard_create(bench->registry, &side->stats), 0);
        ck_assert_int_eq(tp_worker_create(bench->group, i, side->loop, NULL, side->stats, &events,
                                          side, &side->worker),
                         0);
    }
    return bench;
}

static void bench_close(struct bench *bench)
{
    for (size_t i = 0; i < bench->workers; i++) {
        tp_worker_destroy(bench->sides[i].worker);
        rt_loop_destroy(bench->sides[i].loop);
    }
    tp_group_destroy(bench->group);
    stats_registry_destroy(bench->registry);
    free(bench);
}

static unsigned total_received(const struct bench *bench)
{
    unsigned total = 0;
    for (size_t i = 0; i < bench->workers; i++)
        total += bench->sides[i].received;
    return total;
}

/* Loopback delivers within the sender's system call, so a few turns without waiting suffice. */
static void turn_until(struct bench *bench, unsigned received)
{
    for (unsigned turn = 0; turn < 200 && total_received(bench) < received; turn++)
        for (size_t i = 0; i < bench->workers; i++) {
            ck_assert_int_eq(rt_loop_turn(bench->sides[i].loop, 0), 0);
            tp_worker_take_handed_over(bench->sides[i].worker);
        }
    ck_assert_uint_eq(total_received(bench), received);
}

static int peer_open(const char *address, struct tp_address *own)
{
    ck_assert_int_eq(tp_address_parse(slice_of_text(address), 0, own), 0);
    struct sockaddr_storage storage;
    socklen_t length = tp_address_to_sockaddr(own, &storage);
    int descriptor = socket(storage.ss_family, SOCK_DGRAM, 0);
    ck_assert_int_ge(descriptor, 0);
    ck_assert_int_eq(bind(descriptor, (struct sockaddr *)&storage, length), 0);
    ck_assert_int_eq(getsockname(descriptor, (struct sockaddr *)&storage, &length), 0);
    ck_assert_int_eq(tp_address_from_sockaddr((struct sockaddr *)&storage, own), 0);
    struct timeval limit = {.tv_sec = 5};
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return descriptor;
}

static void peer_send(int descriptor, const struct bench *bench, size_t listener, struct slice text)
{
    struct sockaddr_storage storage;
    socklen_t length =
        tp_address_to_sockaddr(&tp_group_listener(bench->group, listener)->address, &storage);
    ssize_t sent =
        sendto(descriptor, text.data, text.length, 0, (struct sockaddr *)&storage, length);
    ck_assert_int_eq(sent, (ssize_t)text.length);
}

static void peer_send_call(int descriptor, const struct bench *bench, unsigned call)
{
    char text[128];
    int length =
        snprintf(text, sizeof(text), "OPTIONS sip:a@b SIP/2.0\r\nCall-ID: call-%u\r\n\r\n", call);
    peer_send(descriptor, bench, 0, slice_make(text, (size_t)length));
}

static struct slice peer_receive(int descriptor, char *memory, size_t capacity)
{
    ssize_t length = recv(descriptor, memory, capacity, 0);
    ck_assert_int_ge(length, 0);
    return slice_make(memory, (size_t)length);
}

static const char *const loopbacks[] = {"127.0.0.1", "::1"};

START_TEST(datagram_arrives_with_source_and_listener)
{
    struct bench *bench = bench_open(loopbacks[_i], 2, 1);
    struct tp_address own;
    int peer = peer_open(loopbacks[_i], &own);
    peer_send(peer, bench, 1, SLICE("hello"));
    turn_until(bench, 1);

    const struct tp_packet *packet = &bench->sides[0].last;
    ck_assert(slice_equal(packet->bytes, SLICE("hello")));
    ck_assert(tp_address_equal(&packet->source, &own));
    ck_assert_uint_eq(packet->listener, 1);
    ck_assert_uint_eq(stats_total(bench->registry, STATS_DATAGRAMS_RECEIVED), 1);
    close(peer);
    bench_close(bench);
}
END_TEST

START_TEST(reply_leaves_from_the_listener_that_received)
{
    struct bench *bench = bench_open(loopbacks[_i], 3, 1);
    bench->sides[0].echo = true;
    struct tp_address own;
    int peer = peer_open(loopbacks[_i], &own);
    for (size_t listener = 0; listener < 3; listener++) {
        peer_send(peer, bench, listener, SLICE("ping"));
        turn_until(bench, (unsigned)listener + 1);
        char memory[64];
        struct sockaddr_storage storage;
        socklen_t length = sizeof(storage);
        ck_assert_int_eq(
            recvfrom(peer, memory, sizeof(memory), 0, (struct sockaddr *)&storage, &length), 4);
        struct tp_address from;
        ck_assert_int_eq(tp_address_from_sockaddr((struct sockaddr *)&storage, &from), 0);
        ck_assert(tp_address_equal(&from, &tp_group_listener(bench->group, listener)->address));
    }
    close(peer);
    bench_close(bench);
}
END_TEST

START_TEST(large_datagram_passes_whole)
{
    struct bench *bench = bench_open(loopbacks[_i], 1, 1);
    bench->sides[0].echo = true;
    struct tp_address own;
    int peer = peer_open(loopbacks[_i], &own);
    static char large[60000];
    static char back[TP_DATAGRAM_LIMIT];
    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = (char)(i * 7);
    peer_send(peer, bench, 0, slice_make(large, sizeof(large)));
    turn_until(bench, 1);
    ck_assert(
        slice_equal(peer_receive(peer, back, sizeof(back)), slice_make(large, sizeof(large))));
    ck_assert_uint_eq(stats_total(bench->registry, STATS_DATAGRAMS_FRAGMENTED), 1);
    close(peer);
    bench_close(bench);
}
END_TEST

START_TEST(largest_datagram_of_udp_is_not_cut)
{
    struct bench *bench = bench_open("127.0.0.1", 1, 1);
    struct tp_address own;
    int peer = peer_open("127.0.0.1", &own);
    static char large[65507];
    peer_send(peer, bench, 0, slice_make(large, sizeof(large)));
    peer_send(peer, bench, 0, slice_make(large, 0));
    turn_until(bench, 2);
    ck_assert_uint_eq(bench->sides[0].longest, sizeof(large));
    close(peer);
    bench_close(bench);
}
END_TEST

START_TEST(bad_datagrams_fail_alone)
{
    struct bench *bench = bench_open("127.0.0.1", 1, 1);
    struct side *side = &bench->sides[0];
    struct tp_address own;
    int peer = peer_open("127.0.0.1", &own);
    struct tp_address port_zero = own;
    port_zero.port = 0;
    struct tp_address other_family;
    ck_assert_int_eq(tp_address_parse(SLICE("[::1]:5060"), 0, &other_family), 0);
    static char large[TP_DATAGRAM_LIMIT + 1];

    tp_worker_send(side->worker, 0, &own, SLICE("1"), 11);
    tp_worker_send(side->worker, 0, &port_zero, SLICE("2"), 12);
    tp_worker_send(side->worker, 0, &own, SLICE("3"), 13);
    tp_worker_send(side->worker, 0, &own, slice_make(large, 65530), 14);
    tp_worker_send(side->worker, 0, &own, slice_make(large, sizeof(large)), 15);
    tp_worker_send(side->worker, 0, &other_family, SLICE("6"), 16);
    tp_worker_send(side->worker, 0, &port_zero, SLICE("7"), 0);
    tp_worker_send(side->worker, 0, &own, SLICE("8"), 18);
    ck_assert_uint_eq(side->failures, 0);
    tp_worker_flush(side->worker);

    ck_assert_uint_eq(side->failures, 4);
    static const struct {
        uint64_t cookie;
        int error;
    } expected[] = {{15, -EMSGSIZE}, {16, -EAFNOSUPPORT}, {12, -EINVAL}, {14, -EMSGSIZE}};
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(side->failed_cookie[i], expected[i].cookie);
        ck_assert_int_eq(side->failed_error[i], expected[i].error);
    }
    char memory[16];
    ck_assert(slice_equal(peer_receive(peer, memory, sizeof(memory)), SLICE("1")));
    ck_assert(slice_equal(peer_receive(peer, memory, sizeof(memory)), SLICE("3")));
    ck_assert(slice_equal(peer_receive(peer, memory, sizeof(memory)), SLICE("8")));
    ck_assert_uint_eq(stats_total(bench->registry, STATS_SEND_FAILED), 5);
    ck_assert_uint_eq(stats_total(bench->registry, STATS_DATAGRAMS_SENT), 3);
    close(peer);
    bench_close(bench);
}
END_TEST

START_TEST(what_a_failure_report_sends_goes_out_too)
{
    struct bench *bench = bench_open("127.0.0.1", 1, 1);
    struct side *side = &bench->sides[0];
    struct tp_address nowhere = {.bytes = {127, 0, 0, 1}, .family = 4};
    side->send_on_failure = true;
    tp_worker_send(side->worker, 0, &nowhere, SLICE("first"), 1);
    tp_worker_flush(side->worker);
    ck_assert_uint_eq(side->failures, 4);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_eq(side->failed_cookie[i], i + 1);
    bench_close(bench);
}
END_TEST

START_TEST(refused_port_does_not_disturb_others)
{
    struct bench *bench = bench_open("127.0.0.1", 1, 1);
    struct side *side = &bench->sides[0];
    struct tp_address own;
    struct tp_address closed;
    int peer = peer_open("127.0.0.1", &own);
    close(peer_open("127.0.0.1", &closed));
    for (unsigned i = 0; i < 10; i++) {
        tp_worker_send(side->worker, 0, &closed, SLICE("nobody"), 1);
        tp_worker_send(side->worker, 0, &own, SLICE("somebody"), 2);
        tp_worker_flush(side->worker);
        peer_send(peer, bench, 0, SLICE("in"));
    }
    turn_until(bench, 10);
    char memory[16];
    for (unsigned i = 0; i < 10; i++)
        ck_assert_uint_eq(peer_receive(peer, memory, sizeof(memory)).length, 8);
    close(peer);
    bench_close(bench);
}
END_TEST

struct flood {
    struct side *side;
    struct tp_address to[8]; /* by the port, the kernel tells one worker or the other */
    atomic_bool over;
};

static void *flood(void *argument)
{
    struct flood *flood = argument;
    for (unsigned i = 0; !atomic_load_explicit(&flood->over, memory_order_relaxed); i++) {
        tp_worker_send(flood->side->worker, 0, &flood->to[i % 8], SLICE("nobody"), 0);
        tp_worker_flush(flood->side->worker);
    }
    return NULL;
}

/* The kernel tells either worker of what the other has sent: they share an address. */
START_TEST(refused_port_of_another_worker_does_not_disturb)
{
    struct bench *bench = bench_open("127.0.0.1", 1, 2);
    struct side *side = &bench->sides[1];
    struct flood refused = {.side = &bench->sides[0]};
    struct tp_address own;
    int peer = peer_open("127.0.0.1", &own);
    for (unsigned i = 0; i < 8; i++)
        close(peer_open("127.0.0.1", &refused.to[i]));
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, flood, &refused), 0);
    char memory[16];
    for (unsigned i = 0; i < 5000; i++) {
        tp_worker_send(side->worker, 0, &own, SLICE("somebody"), 2);
        tp_worker_flush(side->worker);
        ck_assert_uint_eq(peer_receive(peer, memory, sizeof(memory)).length, 8);
    }
    atomic_store_explicit(&refused.over, true, memory_order_relaxed);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(side->failures, 0);
    close(peer);
    bench_close(bench);
}
END_TEST

START_TEST(closed_port_is_told_of)
{
    struct bench *bench = bench_open(loopbacks[_i], 1, 1);
    struct side *side = &bench->sides[0];
    struct tp_address closed;
    close(peer_open(loopbacks[_i], &closed));
    for (int i = 0; i < 3; i++) {
        tp_worker_send(side->worker, 0, &closed, SLICE("anybody?"), 7);
        tp_worker_flush(side->worker);
    }
    for (unsigned turn = 0; turn < 200 && side->unreachable < 3; turn++)
        ck_assert_int_eq(rt_loop_turn(side->loop, 0), 0);
    ck_assert_uint_eq(side->unreachable, 3);
    ck_assert(tp_address_equal(&side->last_unreachable, &closed));
    ck_assert_uint_eq(side->failures, 0); /* the datagrams did leave */
    ck_assert_uint_eq(stats_total(bench->registry, STATS_ICMP_ERRORS), 3);

    /* Nothing is left that would keep the loop awake. */
    struct tp_address own;
    int peer = peer_open(loopbacks[_i], &own);
    peer_send(peer, bench, 0, SLICE("still there"));
    turn_until(bench, 1);
    close(peer);
    bench_close(bench);
}
END_TEST

START_TEST(more_than_the_slab_holds_leaves_in_order)
{
    struct bench *bench = bench_open("127.0.0.1", 1, 1);
    struct side *side = &bench->sides[0];
    struct tp_address own;
    int peer = peer_open("127.0.0.1", &own);
    int room = 4 << 20;
    setsockopt(peer, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    static char text[8000];
    for (unsigned i = 0; i < 100; i++) {
        text[0] = (char)i;
        tp_worker_send(side->worker, 0, &own, slice_make(text, sizeof(text)), 1);
    }
    tp_worker_flush(side->worker);
    ck_assert_uint_eq(stats_total(bench->registry, STATS_DATAGRAMS_SENT), 100);
    for (unsigned i = 0; i < 20; i++)
        ck_assert_int_eq(peer_receive(peer, text, sizeof(text)).data[0], (char)i);
    close(peer);
    bench_close(bench);
}
END_TEST

START_TEST(more_than_the_queue_holds_leaves_before_the_flush)
{
    struct bench *bench = bench_open("127.0.0.1", 1, 1);
    struct tp_address own;
    int peer = peer_open("127.0.0.1", &own);
    for (unsigned i = 0; i < 1100; i++)
        tp_worker_send(bench->sides[0].worker, 0, &own, SLICE("x"), 0);
    uint64_t early = stats_total(bench->registry, STATS_DATAGRAMS_SENT);
    ck_assert(early >= 1000 && early < 1100);
    tp_worker_flush(bench->sides[0].worker);
    ck_assert_uint_eq(stats_total(bench->registry, STATS_DATAGRAMS_SENT), 1100);
    close(peer);
    bench_close(bench);
}
END_TEST

START_TEST(each_call_has_one_owner)
{
    struct bench *bench = bench_open("127.0.0.1", 1, WORKERS);
    struct tp_address own[8];
    int peers[8];
    for (unsigned i = 0; i < 8; i++)
        peers[i] = peer_open("127.0.0.1", &own[i]);
    unsigned expected[WORKERS] = {0};
    for (unsigned call = 0; call < 40; call++) {
        char text[32];
        struct slice call_id =
            slice_make(text, (size_t)snprintf(text, sizeof(text), "call-%u", call));
        expected[tp_group_owner(bench->group, call_id)] += 8;
        for (unsigned i = 0; i < 8; i++)
            peer_send_call(peers[i], bench, call);
    }
    turn_until(bench, 320);
    for (unsigned i = 0; i < WORKERS; i++)
        ck_assert_uint_eq(bench->sides[i].received, expected[i]);
    ck_assert_uint_gt(stats_total(bench->registry, STATS_DATAGRAMS_HANDED_OVER), 0);
    ck_assert_uint_eq(stats_total(bench->registry, STATS_DATAGRAMS_RECEIVED), 320);
    for (unsigned i = 0; i < 8; i++)
        close(peers[i]);
    bench_close(bench);
}
END_TEST

/* A message of 60 kB whose call belongs to the worker. */
static struct slice large_message_for(const struct bench *bench, size_t owner, char *memory)
{
    enum { LARGE = 60000 };
    char call_id[32];
    unsigned call = 0;
    int length;
    do
        length = snprintf(call_id, sizeof(call_id), "call-%u", call++);
    while (tp_group_owner(bench->group, slice_make(call_id, (size_t)length)) != owner);
    memset(memory, 'x', LARGE);
    length = snprintf(memory, 100, "OPTIONS sip:a@b SIP/2.0\r\nCall-ID: %s\r\n\r\n", call_id);
    memory[length] = 'x';
    return slice_make(memory, LARGE);
}

START_TEST(full_ring_loses_and_counts)
{
    struct bench *bench = bench_open("127.0.0.1", 1, WORKERS);
    static char memory[TP_DATAGRAM_LIMIT];
    struct tp_address own;
    int peer = peer_open("127.0.0.1", &own);
    /* The kernel gives all of one peer to one socket, so those of one owner cross. No owner looks
     * at its ring meanwhile, since its bell is not armed. */
    for (unsigned owner = 0; owner < WORKERS; owner++)
        for (unsigned i = 0; i < 30; i++) {
            peer_send(peer, bench, 0, large_message_for(bench, owner, memory));
            for (unsigned w = 0; w < WORKERS; w++)
                ck_assert_int_eq(rt_loop_turn(bench->sides[w].loop, 0), 0);
        }
    uint64_t lost = stats_total(bench->registry, STATS_RING_FULL);
    uint64_t crossed = stats_total(bench->registry, STATS_DATAGRAMS_HANDED_OVER);
    ck_assert_uint_gt(crossed, 4);
    ck_assert_uint_eq(crossed + lost, 30);
    for (unsigned w = 0; w < WORKERS; w++)
        tp_worker_take_handed_over(bench->sides[w].worker);
    ck_assert_uint_eq(total_received(bench), 30 + crossed);
    close(peer);
    bench_close(bench);
}
END_TEST

/* What is left in the kernel's queue is known from full batches only, and forgotten when one is not
 * full. */
START_TEST(queued_datagrams_tell_how_long_they_wait)
{
    struct bench *bench = bench_open("127.0.0.1", 1, 1);
    struct side *side = &bench->sides[0];
    struct tp_address own;
    int peer = peer_open("127.0.0.1", &own);
    static char text[1000];
    memset(text, 'x', sizeof(text));
    for (unsigned i = 0; i < 1000; i++)
        peer_send(peer, bench, 0, slice_make(text, sizeof(text)));
    ck_assert_int_eq(rt_loop_turn(side->loop, 0), 0);
    ck_assert_uint_gt(side->received, 16);
    ck_assert_uint_lt(side->received, 1000);
    uint64_t longest = side->last.backlog_us;
    ck_assert_uint_gt(longest, 0);
    turn_until(bench, 1000);
    peer_send(peer, bench, 0, SLICE("one more"));
    turn_until(bench, 1001);
    ck_assert_uint_eq(side->last.backlog_us, 0);
    close(peer);
    bench_close(bench);
}
END_TEST

START_TEST(paused_worker_reads_no_more_but_sends)
{
    struct bench *bench = bench_open("127.0.0.1", 1, 1);
    struct tp_address own;
    int peer = peer_open("127.0.0.1", &own);
    tp_worker_pause(bench->sides[0].worker);
    peer_send(peer, bench, 0, SLICE("late"));
    for (unsigned i = 0; i < 5; i++)
        ck_assert_int_eq(rt_loop_turn(bench->sides[0].loop, 0), 0);
    ck_assert_uint_eq(bench->sides[0].received, 0);
    tp_worker_send(bench->sides[0].worker, 0, &own, SLICE("bye"), 0);
    tp_worker_flush(bench->sides[0].worker);
    char memory[16];
    ck_assert_uint_eq(peer_receive(peer, memory, sizeof(memory)).length, 3);
    close(peer);
    bench_close(bench);
}
END_TEST

static void before_wait(void *argument, uint64_t *wait_us)
{
    struct side *side = argument;
    tp_worker_before_sleep(side->worker);
    if (tp_worker_take_handed_over(side->worker))
        *wait_us = 0;
}

static void after_wait(void *argument)
{
    struct side *side = argument;
    tp_worker_after_sleep(side->worker);
}

static void run_side(void *argument)
{
    struct side *side = argument;
    ck_assert_int_eq(rt_loop_run(side->loop), 0);
}

START_TEST(sleeping_owners_are_woken)
{
    struct bench *bench = bench_open("127.0.0.1", 1, WORKERS);
    struct rt_thread *threads[WORKERS];
    for (unsigned i = 0; i < WORKERS; i++) {
        bench->sides[i].echo = true;
        rt_loop_set_hooks(bench->sides[i].loop, before_wait, after_wait, &bench->sides[i]);
        ck_assert_int_eq(rt_thread_start("side", -1, run_side, &bench->sides[i], &threads[i]), 0);
    }
    struct tp_address own;
    int peer = peer_open("127.0.0.1", &own);
    char memory[256];
    /* One at a time, so the owner sleeps in between and only the bell can wake it. */
    for (unsigned call = 0; call < 500; call++) {
        peer_send_call(peer, bench, call);
        ck_assert_uint_gt(peer_receive(peer, memory, sizeof(memory)).length, 0);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        rt_loop_stop(bench->sides[i].loop);
        rt_thread_join(threads[i]);
    }
    ck_assert_uint_gt(stats_total(bench->registry, STATS_DATAGRAMS_HANDED_OVER), 100);
    close(peer);
    bench_close(bench);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("udp");
    tcase_add_loop_test(tests, datagram_arrives_with_source_and_listener, 0, 2);
    tcase_add_loop_test(tests, reply_leaves_from_the_listener_that_received, 0, 2);
    tcase_add_loop_test(tests, large_datagram_passes_whole, 0, 2);
    tcase_add_test(tests, largest_datagram_of_udp_is_not_cut);
    tcase_add_test(tests, bad_datagrams_fail_alone);
    tcase_add_test(tests, what_a_failure_report_sends_goes_out_too);
    tcase_add_test(tests, refused_port_does_not_disturb_others);
    tcase_add_test(tests, refused_port_of_another_worker_does_not_disturb);
    tcase_add_loop_test(tests, closed_port_is_told_of, 0, 2);
    tcase_add_test(tests, more_than_the_slab_holds_leaves_in_order);
    tcase_add_test(tests, more_than_the_queue_holds_leaves_before_the_flush);
    tcase_add_test(tests, each_call_has_one_owner);
    tcase_add_test(tests, full_ring_loses_and_counts);
    tcase_add_test(tests, queued_datagrams_tell_how_long_they_wait);
    tcase_add_test(tests, paused_worker_reads_no_more_but_sends);
    tcase_add_test(tests, sleeping_owners_are_woken);
    tcase_set_timeout(tests, 60);

    Suite *suite = suite_create("transport/udp");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
