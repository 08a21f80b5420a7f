/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections over the loopback interface. The loops of all workers are turned on one thread, and
 * their wheels go by a clock of the test's, so nothing waits and nothing depends on scheduling.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/transport.h"

enum { WORKERS = 2, FAILURES = 256, TEXT = 70000 };

#define SECOND UINT64_C(1000000)

struct side {
    struct bench *bench;
    struct rt_loop *loop;
    struct rt_wheel *wheel;
    struct stats_shard *stats;
    struct tp_worker *worker;
    unsigned received;
    uint64_t connection; /* of the latest message */
    struct tp_address source;
    size_t length;
    char bytes[TEXT];
    unsigned failures;
    uint64_t failed_cookie[FAILURES];
    int failed_error[FAILURES];
    bool echo;
};

struct bench {
    struct stats_registry *registry;
    struct tp_group *group;
    struct side sides[WORKERS];
    struct tp_address address;
    bool strangers; /* nobody is known */
};

static void on_received(void *argument, const struct tp_packet *packet)
{
    struct side *side = argument;
    side->received++;
    side->connection = packet->connection;
    side->source = packet->source;
    side->length = packet->bytes.length;
    memcpy(side->bytes, packet->bytes.data, packet->bytes.length);
    ck_assert_uint_eq(packet->protocol, TP_PROTOCOL_TCP);
    ck_assert_uint_ne(packet->connection, 0);
    if (side->echo)
        tp_worker_respond(side->worker, packet->listener, packet->connection, &packet->source,
                          SLICE("answer"));
}

static void on_failed(void *argument, uint64_t cookie, int error)
{
    struct side *side = argument;
    ck_assert_uint_lt(side->failures, FAILURES);
    side->failed_cookie[side->failures] = cookie;
    side->failed_error[side->failures++] = error;
}

static bool on_identify(void *argument, uint16_t listener, const struct tp_address *address,
                        bool accepted, struct tp_peer *peer)
{
    const struct side *side = argument;
    (void)listener;
    (void)address;
    (void)accepted;
    *peer = (struct tp_peer){0};
    return !side->bench->strangers;
}

static const struct tp_events events = {
    .received = on_received, .send_failed = on_failed, .identify = on_identify};

static struct bench *bench_open(uint64_t send_queue)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct tp_listener_settings listener = {.protocol = TP_PROTOCOL_TCP};
    size_t bad;
    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(tp_address_parse(SLICE("127.0.0.1"), 0, &listener.address), 0);
    ck_assert_int_eq(stats_registry_create(&bench->registry), 0);
    const struct tp_settings settings = {
        .listeners = &listener,
        .listener_count = 1,
        .workers = WORKERS,
        .batch = 16,
        .steering_key = {{3, 4}},
        .registry = bench->registry,
        .streams = {.connections = 100,
                    .per_source = 3,
                    .memory = 16 << 20,
                    .send_queue = send_queue,
                    .connect_us = SECOND,
                    .message_us = 2 * SECOND,
                    .idle_us = 100 * SECOND,
                    .ping_us = 10 * SECOND,
                    .listen_backlog = 16},
    };
    ck_assert_int_eq(tp_group_create(&settings, &bench->group, &bad), 0);
    bench->address = tp_group_listener(bench->group, 0)->address;
    for (size_t i = 0; i < WORKERS; i++) {
        struct side *side = &bench->sides[i];
        side->bench = bench;
        ck_assert_int_eq(rt_loop_create(&side->loop), 0);
        ck_assert_int_eq(rt_wheel_create(rt_loop_now(side->loop), &side->wheel), 0);
        ck_assert_int_eq(stats_shard_create(bench->registry, &side->stats), 0);
        ck_assert_int_eq(tp_worker_create(bench->group, i, side->loop, side->wheel, side->stats,
                                          &events, side, &side->worker),
                         0);
    }
    return bench;
}

static void bench_close(struct bench *bench)
{
    for (size_t i = 0; i < WORKERS; i++) {
        struct side *side = &bench->sides[i];
        tp_worker_destroy(side->worker);
        ck_assert_uint_eq(rt_wheel_count(side->wheel), 0);
        rt_wheel_destroy(side->wheel);
        rt_loop_destroy(side->loop);
    }
    ck_assert_uint_eq(tp_group_listener_connections(bench->group, 0), 0);
    tp_group_destroy(bench->group);
    stats_registry_destroy(bench->registry);
    free(bench);
}

static void turn(struct bench *bench, unsigned turns)
{
    for (unsigned i = 0; i < turns * WORKERS; i++) {
        struct side *side = &bench->sides[i % WORKERS];
        ck_assert_int_eq(rt_loop_turn(side->loop, 0), 0);
        tp_worker_take_handed_over(side->worker);
        tp_worker_flush(side->worker);
    }
}

/* All timers that are due within so long from now. */
static void pass(struct bench *bench, uint64_t us)
{
    for (size_t i = 0; i < WORKERS; i++)
        rt_wheel_advance(bench->sides[i].wheel, rt_loop_now(bench->sides[i].loop) + us);
    turn(bench, 2);
}

static unsigned received(const struct bench *bench)
{
    return bench->sides[0].received + bench->sides[1].received;
}

static uint64_t closed(const struct bench *bench, const char *reason)
{
    return stats_label_total(
        bench->registry, STATS_FAMILY_CONNECTIONS_CLOSED,
        stats_label(bench->registry, STATS_FAMILY_CONNECTIONS_CLOSED, slice_of_text(reason)));
}

/* From 127.0.0.`host`. */
static int peer_open_from(const struct bench *bench, unsigned host)
{
    struct sockaddr_storage storage;
    socklen_t length = tp_address_to_sockaddr(&bench->address, &storage);
    const struct sockaddr_in source = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host),
    };
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(descriptor, (const struct sockaddr *)&source, sizeof(source)), 0);
    ck_assert_int_eq(connect(descriptor, (struct sockaddr *)&storage, length), 0);
    return descriptor;
}

static int peer_open(const struct bench *bench)
{
    return peer_open_from(bench, 1);
}

static void say(int peer, struct slice bytes)
{
    ck_assert_int_eq(send(peer, bytes.data, bytes.length, MSG_NOSIGNAL), (ssize_t)bytes.length);
}

/* What has come; "" when the connection has ended, NULL when nothing came. */
static const char *heard(int peer)
{
    static char text[256];
    ssize_t count = recv(peer, text, sizeof(text) - 1, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN)
        return NULL;
    text[count > 0 ? count : 0] = '\0';
    return text;
}

static size_t message_of(char *text, size_t size, const char *call_id)
{
    return (size_t)snprintf(text, size,
                            "OPTIONS sip:a@b SIP/2.0\r\nCall-ID: %s\r\nContent-Length: 4\r\n\r\n"
                            "body",
                            call_id);
}

/* A Call-ID that this worker owns. */
static void call_of(const struct bench *bench, size_t worker, char text[16])
{
    for (unsigned i = 0; i == 0 || tp_group_owner(bench->group, slice_of_text(text)) != worker; i++)
        snprintf(text, 16, "call-%u", i);
}

START_TEST(message_comes_out_whole_however_it_is_cut)
{
    struct bench *bench = bench_open(1 << 20);
    char text[256];
    int peer = peer_open(bench);
    size_t length = message_of(text, sizeof(text), "x");
    for (size_t i = 0; i < length; i++) {
        say(peer, slice_make(text + i, 1));
        turn(bench, 1);
        ck_assert_uint_eq(received(bench), i + 1 == length ? 1 : 0);
    }
    const struct side *side = &bench->sides[bench->sides[0].received > 0 ? 0 : 1];
    ck_assert_uint_eq(side->length, length);
    ck_assert_mem_eq(side->bytes, text, length);
    close(peer);
    turn(bench, 2);
    ck_assert_uint_eq(closed(bench, "peer"), 1);
    bench_close(bench);
}
END_TEST

START_TEST(answer_goes_back_over_its_connection_from_whichever_worker)
{
    struct bench *bench = bench_open(1 << 20);
    char text[256], call[16];
    int peer = peer_open(bench);
    for (size_t worker = 0; worker < WORKERS; worker++) {
        bench->sides[worker].echo = true;
        call_of(bench, worker, call);
        say(peer, slice_make(text, message_of(text, sizeof(text), call)));
        turn(bench, 4);
        ck_assert_uint_eq(bench->sides[worker].received, 1);
        ck_assert_str_eq(heard(peer), "answer");
    }
    ck_assert_uint_eq(bench->sides[0].connection, bench->sides[1].connection);
    ck_assert_uint_eq(tp_group_listener_connections(bench->group, 0), 1);
    close(peer);
    bench_close(bench);
}
END_TEST

START_TEST(request_to_where_a_peer_connected_from_uses_its_connection)
{
    struct bench *bench = bench_open(1 << 20);
    char text[256];
    int peer = peer_open(bench);
    say(peer, slice_make(text, message_of(text, sizeof(text), "x")));
    turn(bench, 4);
    const struct tp_address from = bench->sides[bench->sides[0].received > 0 ? 0 : 1].source;
    for (size_t worker = 0; worker < WORKERS; worker++) {
        tp_worker_send(bench->sides[worker].worker, 0, &from, SLICE("request"), 7);
        tp_worker_flush(bench->sides[worker].worker);
        turn(bench, 4);
        ck_assert_str_eq(heard(peer), "request");
    }
    ck_assert_uint_eq(bench->sides[0].failures + bench->sides[1].failures, 0);
    close(peer);
    bench_close(bench);
}
END_TEST

START_TEST(broken_stream_is_closed_and_what_was_good_is_answered)
{
    struct bench *bench = bench_open(1 << 20);
    char text[256];
    bench->sides[0].echo = bench->sides[1].echo = true;
    char call[16];
    int peer = peer_open(bench);
    turn(bench, 2);
    /* Of the worker that has the connection, or the answer comes too late. */
    call_of(bench, stats_gauge_total(bench->registry, STATS_GAUGE_CONNECTIONS) == 1 ? 0 : 1, call);
    size_t length = message_of(text, sizeof(text), call);
    memcpy(text + length, "\1\2\3", 3);
    say(peer, slice_make(text, length + 3));
    turn(bench, 4);
    ck_assert_uint_eq(received(bench), 1);
    ck_assert_uint_eq(closed(bench, "not_sip"), 1);
    close(peer);
    bench_close(bench);
}
END_TEST

START_TEST(ping_is_answered)
{
    struct bench *bench = bench_open(1 << 20);
    int peer = peer_open(bench);
    say(peer, SLICE("\r\n\r\n"));
    turn(bench, 3);
    ck_assert_str_eq(heard(peer), "\r\n");
    say(peer, SLICE("\r\n"));
    turn(bench, 3);
    ck_assert_ptr_null(heard(peer));
    close(peer);
    bench_close(bench);
}
END_TEST

START_TEST(message_that_does_not_end_in_time_ends_its_connection)
{
    struct bench *bench = bench_open(1 << 20);
    int peer = peer_open(bench);
    say(peer, SLICE("INVITE sip:a"));
    turn(bench, 3);
    pass(bench, SECOND);
    ck_assert_ptr_null(heard(peer));
    pass(bench, 3 * SECOND);
    ck_assert_str_eq(heard(peer), "");
    ck_assert_uint_eq(closed(bench, "too_slow"), 1);
    close(peer);
    bench_close(bench);
}
END_TEST

START_TEST(idle_connection_is_closed)
{
    struct bench *bench = bench_open(1 << 20);
    int peer = peer_open(bench);
    turn(bench, 3);
    pass(bench, 99 * SECOND);
    ck_assert_ptr_null(heard(peer));
    pass(bench, 101 * SECOND);
    ck_assert_str_eq(heard(peer), "");
    ck_assert_uint_eq(closed(bench, "idle"), 1);
    close(peer);
    bench_close(bench);
}
END_TEST

static int listen_at(struct tp_address *address)
{
    struct sockaddr_storage storage;
    ck_assert_int_eq(tp_address_parse(SLICE("127.0.0.1"), 0, address), 0);
    socklen_t length = tp_address_to_sockaddr(address, &storage);
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(descriptor, (struct sockaddr *)&storage, length), 0);
    ck_assert_int_eq(listen(descriptor, 4), 0);
    length = sizeof(storage);
    ck_assert_int_eq(getsockname(descriptor, (struct sockaddr *)&storage, &length), 0);
    ck_assert_int_eq(tp_address_from_sockaddr((struct sockaddr *)&storage, address), 0);
    return descriptor;
}

START_TEST(sending_opens_a_connection_and_keeps_it)
{
    struct bench *bench = bench_open(1 << 20);
    struct side *side = &bench->sides[0];
    struct tp_address to;
    int listener = listen_at(&to);
    tp_worker_send(side->worker, 0, &to, SLICE("one"), 1);
    tp_worker_send(side->worker, 0, &to, SLICE("two"), 2);
    tp_worker_flush(side->worker);
    int peer = accept(listener, NULL, NULL);
    turn(bench, 3);
    ck_assert_str_eq(heard(peer), "onetwo");
    tp_worker_send(side->worker, 0, &to, SLICE("three"), 3);
    tp_worker_flush(side->worker);
    ck_assert_str_eq(heard(peer), "three");
    ck_assert_uint_eq(stats_total(bench->registry, STATS_CONNECTIONS_OPENED), 1);
    ck_assert_uint_eq(side->failures, 0);
    /* A reset: what was sent may not have arrived, and is reported. */
    const struct linger hard = {1, 0};
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(peer);
    turn(bench, 2);
    ck_assert_uint_eq(side->failures, 3);
    ck_assert_int_eq(side->failed_error[2], -ECONNRESET);
    close(listener);
    bench_close(bench);
}
END_TEST

START_TEST(orderly_end_fails_only_what_was_not_written)
{
    struct bench *bench = bench_open(1 << 20);
    struct side *side = &bench->sides[0];
    struct tp_address to;
    int listener = listen_at(&to);
    tp_worker_send(side->worker, 0, &to, SLICE("one"), 1);
    tp_worker_flush(side->worker);
    int peer = accept(listener, NULL, NULL);
    turn(bench, 3);
    ck_assert_str_eq(heard(peer), "one");
    close(peer);
    turn(bench, 2);
    ck_assert_uint_eq(side->failures, 0);
    close(listener);
    bench_close(bench);
}
END_TEST

START_TEST(refused_connection_is_reported)
{
    struct bench *bench = bench_open(1 << 20);
    struct side *side = &bench->sides[0];
    struct tp_address to;
    close(listen_at(&to));
    tp_worker_send(side->worker, 0, &to, SLICE("one"), 11);
    turn(bench, 3);
    ck_assert_uint_eq(side->failures, 1);
    ck_assert_uint_eq(side->failed_cookie[0], 11);
    ck_assert_int_eq(side->failed_error[0], -ECONNREFUSED);
    ck_assert_uint_eq(closed(bench, "unreachable"), 1);
    bench_close(bench);
}
END_TEST

START_TEST(full_queue_is_reported_and_a_stalled_peer_is_left)
{
    static char large[60000];
    struct bench *bench = bench_open(200000);
    struct side *side = &bench->sides[0];
    struct tp_address to;
    int listener = listen_at(&to);
    memset(large, 'x', sizeof(large));
    for (unsigned i = 0; i < 200 && side->failures == 0; i++) {
        tp_worker_send(side->worker, 0, &to, slice_make(large, sizeof(large)), i + 1);
        turn(bench, 1);
    }
    ck_assert_uint_eq(side->failures, 1);
    ck_assert_int_eq(side->failed_error[0], ERROR_LIMIT);
    pass(bench, 3 * SECOND);
    ck_assert_uint_eq(closed(bench, "stalled"), 1);
    ck_assert_uint_gt(side->failures, 1);
    close(listener);
    bench_close(bench);
}
END_TEST

START_TEST(crowds_and_strangers_are_turned_away)
{
    struct bench *bench = bench_open(1 << 20);
    int peers[5];
    for (unsigned i = 0; i < 5; i++)
        peers[i] = peer_open(bench);
    turn(bench, 4);
    ck_assert_uint_eq(tp_group_listener_connections(bench->group, 0), 3);
    ck_assert_uint_eq(closed(bench, "source_limit"), 2);
    for (unsigned i = 0; i < 5; i++)
        close(peers[i]);
    turn(bench, 4);
    bench->strangers = true;
    int peer = peer_open(bench);
    turn(bench, 3);
    ck_assert_str_eq(heard(peer), "");
    ck_assert_uint_eq(closed(bench, "unknown_source"), 1);
    close(peer);
    bench_close(bench);
}
END_TEST

enum { CROWD = 80, LOBBY_SHARE = 16 };

static const char bad_request[] = "OPTIONS sip:a@b SIP/2.0\r\nContent-Length: x\r\n\r\n";

static void crowd_open(struct bench *bench, int peers[CROWD])
{
    for (unsigned i = 0; i < CROWD; i++) {
        peers[i] = peer_open_from(bench, 2 + i);
        turn(bench, 1);
    }
    ck_assert_uint_eq(tp_group_listener_connections(bench->group, 0), CROWD);
}

/* What each of the crowd has left to say ends its connection: as many end in a turn as had theirs.
 * One from outside is heard in the same turn. */
static void check_share(struct bench *bench, int neighbour, const int peers[CROWD], size_t said)
{
    char text[256];
    unsigned before = received(bench);
    for (unsigned i = 0; i < CROWD; i++)
        say(peers[i], slice_from(slice_of_text(bad_request), said));
    say(neighbour, slice_make(text, message_of(text, sizeof(text), "y")));
    turn(bench, 1);
    ck_assert_uint_eq(received(bench), before + 1);
    ck_assert_uint_ge(closed(bench, "length_malformed"), 1);
    ck_assert_uint_le(closed(bench, "length_malformed"), WORKERS * LOBBY_SHARE);
    turn(bench, CROWD / LOBBY_SHARE);
    ck_assert_uint_eq(closed(bench, "length_malformed"), CROWD);
}

static int neighbour_open(struct bench *bench)
{
    char text[256];
    unsigned before = received(bench);
    int peer = peer_open(bench);
    say(peer, slice_make(text, message_of(text, sizeof(text), "x")));
    turn(bench, 2);
    ck_assert_uint_eq(received(bench), before + 1);
    return peer;
}

START_TEST(newcomers_share_a_turn_and_delay_no_neighbour)
{
    struct bench *bench = bench_open(1 << 20);
    int peers[CROWD];
    crowd_open(bench, peers);
    int neighbour = neighbour_open(bench);
    check_share(bench, neighbour, peers, 0);
    for (unsigned i = 0; i < CROWD; i++)
        close(peers[i]);
    close(neighbour);
    turn(bench, 2);
    bench_close(bench);
}
END_TEST

START_TEST(who_brings_a_message_in_crumbs_is_as_a_newcomer)
{
    struct bench *bench = bench_open(1 << 20);
    int peers[CROWD];
    const size_t crumbs = 20;
    char text[256];
    crowd_open(bench, peers);
    for (unsigned i = 0; i < CROWD; i++)
        say(peers[i], slice_make(text, message_of(text, sizeof(text), "z")));
    turn(bench, CROWD / LOBBY_SHARE);
    ck_assert_uint_eq(received(bench), CROWD);
    for (size_t byte = 0; byte < crumbs; byte++) {
        for (unsigned i = 0; i < CROWD; i++)
            say(peers[i], slice_make(bad_request + byte, 1));
        turn(bench, CROWD / LOBBY_SHARE);
    }
    int neighbour = neighbour_open(bench);
    check_share(bench, neighbour, peers, crumbs);
    for (unsigned i = 0; i < CROWD; i++)
        close(peers[i]);
    close(neighbour);
    turn(bench, 2);
    bench_close(bench);
}
END_TEST

int main(void)
{
    Suite *all = suite_create("stream");
    TCase *cases = tcase_create("connections");
    tcase_add_test(cases, message_comes_out_whole_however_it_is_cut);
    tcase_add_test(cases, answer_goes_back_over_its_connection_from_whichever_worker);
    tcase_add_test(cases, request_to_where_a_peer_connected_from_uses_its_connection);
    tcase_add_test(cases, broken_stream_is_closed_and_what_was_good_is_answered);
    tcase_add_test(cases, ping_is_answered);
    tcase_add_test(cases, message_that_does_not_end_in_time_ends_its_connection);
    tcase_add_test(cases, idle_connection_is_closed);
    tcase_add_test(cases, sending_opens_a_connection_and_keeps_it);
    tcase_add_test(cases, orderly_end_fails_only_what_was_not_written);
    tcase_add_test(cases, refused_connection_is_reported);
    tcase_add_test(cases, full_queue_is_reported_and_a_stalled_peer_is_left);
    tcase_add_test(cases, crowds_and_strangers_are_turned_away);
    tcase_add_test(cases, newcomers_share_a_turn_and_delay_no_neighbour);
    tcase_add_test(cases, who_brings_a_message_in_crumbs_is_as_a_newcomer);
    suite_add_tcase(all, cases);
    SRunner *runner = srunner_create(all);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
