/* SPDX-License-Identifier: Apache-2.0 */
/* Runs on one thread. */
#include "unit/transaction/traffic.h"

static const struct rig_parts usual = {.branch = "z9hG4bKone"};

static int create_server(struct rig *rig, unsigned number, const char *call_id, uint32_t slot,
                         struct txn_server **server)
{
    char branch[32];
    struct rig_message message;
    snprintf(branch, sizeof(branch), "z9hG4bK%u", number);
    rig_request(rig, &message, "INVITE", (struct rig_parts){.branch = branch, .call_id = call_id});
    return txn_server_create(rig->layer, &message.view, &message.packet, slot, NULL, server);
}

START_TEST(limit_of_live_transactions)
{
    struct txn_settings settings = rig_settings();
    settings.limit = 3;
    struct rig *rig = rig_open_with(&settings);
    struct rig_user user = {.rig = rig};
    struct txn_server *servers[2];
    struct txn_server *refused;
    struct txn_client *client;
    ck_assert_int_eq(create_server(rig, 1, "a", 1, &servers[0]), 0);
    ck_assert_int_eq(create_server(rig, 2, "b", 1, &servers[1]), 0);
    rig_client(rig, "INVITE", usual, &user);
    ck_assert_int_eq(create_server(rig, 3, "c", 1, &refused), ERROR_LIMIT);
    ck_assert_int_eq(rig_client_try(rig, "BYE", usual, &user, &client), ERROR_LIMIT);
    ck_assert_uint_eq(stats_total(rig->registry, STATS_TRANSACTIONS_REFUSED), 2);
    txn_server_abandon(servers[0]);
    ck_assert_int_eq(create_server(rig, 3, "c", 1, &servers[0]), 0);
    rig_close(rig);
}
END_TEST

START_TEST(limit_of_one_call)
{
    struct txn_settings settings = rig_settings();
    settings.per_call_limit = 2;
    struct rig *rig = rig_open_with(&settings);
    struct rig_user user = {.rig = rig};
    struct txn_server *server;
    struct txn_server *refused;
    struct txn_client *client;
    ck_assert_int_eq(create_server(rig, 1, "call-1", 1, &server), 0);
    rig_client(rig, "INVITE", usual, &user);
    ck_assert_int_eq(create_server(rig, 2, "call-1", 1, &refused), ERROR_LIMIT);
    ck_assert_int_eq(rig_client_try(rig, "BYE", usual, &user, &client), ERROR_LIMIT);
    txn_server_abandon(server);
    ck_assert_int_eq(create_server(rig, 2, "call-1", 1, &server), 0);
    rig_close(rig);
}
END_TEST

START_TEST(refused_clients_leave_no_count_behind)
{
    struct txn_settings settings = rig_settings();
    settings.per_call_limit = 2;
    struct rig *rig = rig_open_with(&settings);
    struct rig_user user = {.rig = rig};
    struct txn_client *client;
    rig_client(rig, "INVITE", usual, &user);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_int_ne(rig_client_try(rig, "INVITE", usual, &user, &client), 0);
    ck_assert_int_eq(rig_client_try(rig, "BYE", usual, &user, &client), 0);
    rig_close(rig);
}
END_TEST

START_TEST(limit_of_one_source_lasts_until_the_ack)
{
    struct txn_settings settings = rig_settings();
    settings.per_source_limit = 1;
    struct rig *rig = rig_open_with(&settings);
    struct txn_server *server;
    struct rig_parts first = {.branch = "z9hG4bK1", .call_id = "a"};
    ck_assert_int_eq(create_server(rig, 1, "a", 9, &server), 0);
    struct txn_server *other;
    ck_assert_int_eq(create_server(rig, 2, "b", 9, &other), ERROR_LIMIT);
    ck_assert_int_eq(create_server(rig, 2, "b", 8, &other), 0);
    rig_respond(rig, server, 403, "INVITE", first);
    ck_assert_int_eq(create_server(rig, 3, "c", 9, &other), ERROR_LIMIT);
    ck_assert_int_eq(rig_receive_request(rig, "ACK", first), TXN_REQUEST_ABSORBED);
    ck_assert_int_eq(create_server(rig, 3, "c", 9, &other), 0);
    rig_close(rig);
}
END_TEST

START_TEST(oldest_lingering_record_goes_early)
{
    struct txn_settings settings = rig_settings();
    settings.lingering_limit = 3;
    struct rig *rig = rig_open_with(&settings);
    char branches[5][16];
    for (unsigned i = 0; i < 5; i++) {
        snprintf(branches[i], sizeof(branches[i]), "z9hG4bK%u", i);
        struct rig_parts parts = {.branch = branches[i]};
        rig_respond(rig, rig_server(rig, "BYE", parts), 200, "BYE", parts);
        rig_advance(rig, SECOND);
    }
    rig_expect_counts(rig, 0, 3);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_int_eq(rig_receive_request(rig, "BYE", (struct rig_parts){.branch = branches[i]}),
                         i < 2 ? TXN_REQUEST_NEW : TXN_REQUEST_ABSORBED);
    rig_advance(rig, 32 * SECOND);
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

START_TEST(oldest_is_sought_among_all_kinds)
{
    struct txn_settings settings = rig_settings();
    settings.lingering_limit = 2;
    struct rig *rig = rig_open_with(&settings);
    struct rig_user user = {.rig = rig};
    struct rig_parts two = {.branch = "z9hG4bKtwo"};
    struct rig_parts three = {.branch = "z9hG4bKthree"};
    rig_respond(rig, rig_server(rig, "BYE", usual), 200, "BYE", usual); /* until 32 s */
    rig_client(rig, "BYE", two, &user);
    rig_receive_response(rig, 200, "BYE", two); /* until 5 s */
    rig_respond(rig, rig_server(rig, "BYE", three), 200, "BYE", three);
    ck_assert_int_eq(rig_receive_response(rig, 200, "BYE", two), TXN_RESPONSE_STRAY);
    ck_assert_int_eq(rig_receive_request(rig, "BYE", usual), TXN_REQUEST_ABSORBED);
    rig_advance(rig, 32 * SECOND);
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

START_TEST(lingering_copies_make_way_for_live_ones)
{
    struct txn_settings settings = rig_settings();
    settings.memory_limit = 4096;
    struct rig *rig = rig_open_with(&settings);
    char branch[32];
    for (unsigned i = 0; i < 40; i++) {
        snprintf(branch, sizeof(branch), "z9hG4bK%u", i);
        struct rig_parts parts = {.branch = branch};
        rig_respond(rig, rig_server(rig, "BYE", parts), 200, "BYE", parts);
        ck_assert_uint_le(txn_layer_bytes(rig->layer), 4096);
    }
    ck_assert_uint_lt(txn_layer_lingering(rig->layer), 40);
    rig_advance(rig, 32 * SECOND);
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

START_TEST(without_memory_requests_are_refused)
{
    struct txn_settings settings = rig_settings();
    settings.memory_limit = 1024;
    struct rig *rig = rig_open_with(&settings);
    struct txn_server *servers[8];
    unsigned count = 0;
    while (count < 8 && create_server(rig, count, "a", 1, &servers[count]) == 0)
        count++;
    ck_assert(count > 0 && count < 8);
    ck_assert_uint_eq(txn_layer_live(rig->layer), count);
    while (count > 0)
        txn_server_abandon(servers[--count]);
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

/* One scenario under every memory limit from none to plenty: nothing breaks or stays behind. */
START_TEST(any_memory_limit_is_survived)
{
    for (size_t limit = 0; limit < 4000; limit += 100) {
        struct txn_settings settings = rig_settings();
        settings.memory_limit = limit;
        struct rig *rig = rig_open_with(&settings);
        struct rig_user user = {.rig = rig};
        struct txn_server *server;
        struct txn_client *client = NULL;
        bool served = create_server(rig, 1, "a", 1, &server) == 0;
        bool sent = rig_client_try(rig, "INVITE", usual, &user, &client) == 0;
        if (sent) {
            txn_client_cancel(client, SLICE("Reason: SIP;cause=200;text=\"enough\"\r\n"),
                              rig->now_us);
            rig_receive_response(rig, 180, "INVITE", usual);
            rig_receive_response(rig, 487, "INVITE", usual);
            ck_assert_uint_eq(user.responses, 2);
        }
        if (served) {
            struct rig_parts parts = {.branch = "z9hG4bK1", .call_id = "a"};
            rig_respond(rig, server, 180, "INVITE", parts);
            rig_respond(rig, server, 487, "INVITE", parts);
            rig_receive_request(rig, "INVITE", parts);
            rig_advance(rig, 2 * SECOND);
            rig_receive_request(rig, "ACK", parts);
        }
        rig_advance(rig, 64 * SECOND);
        rig_expect_empty(rig);
        rig_close(rig);
    }
}
END_TEST

struct seen {
    unsigned count;
    char text[512];
};

static void see(void *argument, const char *kind, const char *state, uint64_t age_us)
{
    struct seen *seen = argument;
    seen->count++;
    size_t length = strlen(seen->text);
    snprintf(seen->text + length, sizeof(seen->text) - length, "[%s %s %u]", kind, state,
             (unsigned)(age_us / SECOND));
}

START_TEST(live_transactions_are_listed)
{
    struct rig *rig = rig_open();
    struct rig_user user = {.rig = rig};
    struct rig_parts two = {.branch = "z9hG4bKtwo"};
    rig_server(rig, "INVITE", usual);
    rig_respond(rig, rig_server(rig, "INVITE", two), 486, "INVITE", two);
    rig_server(rig, "BYE", usual);
    rig_client(rig, "INVITE", usual, &user);
    rig_client(rig, "BYE", usual, &user);
    rig_receive_response(rig, 100, "BYE", usual);
    rig_respond(rig, rig_server(rig, "INFO", usual), 200, "INFO", usual);
    rig_advance(rig, 3 * SECOND);
    struct seen seen = {0};
    txn_layer_each(rig->layer, see, &seen, rig->now_us);
    ck_assert_uint_eq(seen.count, 5);
    ck_assert_ptr_nonnull(strstr(seen.text, "[invite-server proceeding 3]"));
    ck_assert_ptr_nonnull(strstr(seen.text, "[invite-server completed 3]"));
    ck_assert_ptr_nonnull(strstr(seen.text, "[server trying 3]"));
    ck_assert_ptr_nonnull(strstr(seen.text, "[invite-client calling 3]"));
    ck_assert_ptr_nonnull(strstr(seen.text, "[client proceeding 3]"));
    rig_close(rig);
}
END_TEST

START_TEST(gauges_follow)
{
    struct rig *rig = rig_open();
    struct txn_server *server = rig_server(rig, "BYE", usual);
    ck_assert_uint_eq(stats_gauge_total(rig->registry, STATS_GAUGE_TRANSACTIONS), 1);
    rig_respond(rig, server, 200, "BYE", usual);
    ck_assert_uint_eq(stats_gauge_total(rig->registry, STATS_GAUGE_TRANSACTIONS), 0);
    ck_assert_uint_eq(stats_gauge_total(rig->registry, STATS_GAUGE_TRANSACTIONS_LINGERING), 1);
    ck_assert_uint_eq(stats_gauge_total(rig->registry, STATS_GAUGE_TRANSACTION_BYTES),
                      txn_layer_bytes(rig->layer));
    rig_close(rig);
}
END_TEST

START_TEST(clock_of_another_worker_may_lag)
{
    struct rig *rig = rig_open();
    struct rig_message message;
    struct rig_user user = {.rig = rig};
    rig_advance(rig, 10 * SECOND);
    for (unsigned i = 0; i < 4; i++) {
        char branch[32];
        snprintf(branch, sizeof(branch), "z9hG4bK%u", i);
        struct rig_parts parts = {.branch = branch};
        rig_client(rig, "BYE", parts, &user);
        rig_response(rig, &message, 200, "BYE", parts);
        message.packet.received_us -= i * 3 * MS;
        ck_assert_int_eq(txn_receive_response(rig->layer, &message.view, &message.packet),
                         TXN_RESPONSE_HANDLED);
    }
    rig_advance(rig, 5 * SECOND);
    rig_expect_empty(rig);
    rig_close(rig);
}
END_TEST

START_TEST(no_layer_may_be_destroyed)
{
    txn_layer_destroy(NULL);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("layer");
    tcase_add_test(tests, limit_of_live_transactions);
    tcase_add_test(tests, limit_of_one_call);
    tcase_add_test(tests, refused_clients_leave_no_count_behind);
    tcase_add_test(tests, limit_of_one_source_lasts_until_the_ack);
    tcase_add_test(tests, oldest_lingering_record_goes_early);
    tcase_add_test(tests, oldest_is_sought_among_all_kinds);
    tcase_add_test(tests, lingering_copies_make_way_for_live_ones);
    tcase_add_test(tests, without_memory_requests_are_refused);
    tcase_add_test(tests, any_memory_limit_is_survived);
    tcase_add_test(tests, live_transactions_are_listed);
    tcase_add_test(tests, gauges_follow);
    tcase_add_test(tests, clock_of_another_worker_may_lag);
    tcase_add_test(tests, no_layer_may_be_destroyed);
    tcase_set_timeout(tests, 60);
    return rig_run("transaction/layer", tests);
}
