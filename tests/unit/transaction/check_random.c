/* SPDX-License-Identifier: Apache-2.0 */
/* Runs on one thread. */
/*
 * Long random runs against a small model that states, from the tables of RFC 3261 section 17 alone,
 * what each message must meet. All times are whole ticks, so the model knows expiry exactly.
 */
#include "base/random.h"
#include "unit/transaction/traffic.h"

enum { PLACES = 24, STEPS = 6000 };

/* ---- servers ----------------------------------------------------------------------------- */

enum phase { NONE, OPEN, COMPLETED, ACCEPTED, CONFIRMED };

struct server_model {
    struct txn_server *server;
    enum phase phase;
    bool is_invite;
    bool has_provisional;
    uint64_t end_us;
    unsigned generation;
    char branch[40];
};

struct run {
    struct rig *rig;
    struct random_state random;
    struct server_model servers[PLACES];
};

static const char *method_of(bool is_invite)
{
    return is_invite ? "INVITE" : "BYE";
}

static void server_expire(struct run *run, struct server_model *model)
{
    if (model->phase != NONE && model->phase != OPEN && model->end_us <= run->rig->now_us)
        model->phase = NONE;
}

static void server_request(struct run *run, struct server_model *model)
{
    struct rig *rig = run->rig;
    if (model->phase == NONE) {
        model->is_invite = random_below(&run->random, 2) == 0;
        model->has_provisional = false;
        snprintf(model->branch, sizeof(model->branch), "z9hG4bKs%d-%u", (int)(model - run->servers),
                 ++model->generation);
        struct rig_parts parts = {.branch = model->branch};
        model->server = rig_server(rig, method_of(model->is_invite), parts);
        model->phase = OPEN;
        return;
    }
    unsigned before = rig->sent_count;
    bool repeats = (model->phase == OPEN && model->has_provisional) || model->phase == COMPLETED;
    ck_assert_int_eq(rig_receive_request(rig, method_of(model->is_invite),
                                         (struct rig_parts){.branch = model->branch}),
                     TXN_REQUEST_ABSORBED);
    ck_assert_uint_eq(rig->sent_count - before, repeats ? 1 : 0);
}

static void server_answer(struct run *run, struct server_model *model)
{
    static const unsigned statuses[] = {100, 180, 200, 302, 486, 603};
    if (model->phase != OPEN)
        return;
    unsigned status = statuses[random_below(&run->random, 6)];
    if (random_below(&run->random, 10) == 0) {
        txn_server_abandon(model->server);
        model->phase = NONE;
        return;
    }
    rig_respond(run->rig, model->server, status, method_of(model->is_invite),
                (struct rig_parts){.branch = model->branch});
    if (status < 200) {
        model->has_provisional = true;
        return;
    }
    model->phase = model->is_invite && status < 300 ? ACCEPTED : COMPLETED;
    model->end_us = run->rig->now_us + 32 * SECOND;
}

static void server_ack(struct run *run, struct server_model *model)
{
    bool matches = model->phase != NONE && model->is_invite;
    enum txn_request_result expected =
        matches && model->phase != ACCEPTED ? TXN_REQUEST_ABSORBED : TXN_REQUEST_ACK;
    if (model->branch[0] == '\0')
        return;
    ck_assert_int_eq(
        rig_receive_request(run->rig, "ACK", (struct rig_parts){.branch = model->branch}),
        expected);
    if (matches && model->phase == COMPLETED) {
        model->phase = CONFIRMED;
        model->end_us = run->rig->now_us + 5 * SECOND;
    }
}

static void check_counts(struct run *run)
{
    unsigned live = 0;
    unsigned lingering = 0;
    for (unsigned i = 0; i < PLACES; i++) {
        const struct server_model *model = &run->servers[i];
        bool waits_for_ack = model->phase == COMPLETED && model->is_invite;
        if (model->phase == OPEN || waits_for_ack)
            live++;
        else if (model->phase != NONE)
            lingering++;
    }
    rig_expect_counts(run->rig, live, lingering);
}

static struct run *run_open(uint64_t seed)
{
    struct run *run = calloc(1, sizeof(*run));
    struct txn_settings settings = rig_settings();
    settings.limit = settings.per_call_limit = settings.per_source_limit = 1000;
    settings.lingering_limit = 1000;
    run->rig = rig_open_with(&settings);
    random_seed(&run->random, seed);
    return run;
}

static void pass_time(struct run *run)
{
    uint64_t by_ms = random_below(&run->random, 4) == 0 ? random_below(&run->random, 9000)
                                                        : random_below(&run->random, 40);
    rig_advance(run->rig, by_ms * MS);
}

START_TEST(servers_behave_as_modelled)
{
    struct run *run = run_open((uint64_t)_i + 1);
    for (unsigned step = 0; step < STEPS; step++) {
        struct server_model *model = &run->servers[random_below(&run->random, PLACES)];
        server_expire(run, model);
        switch (random_below(&run->random, 5)) {
        case 0:
        case 1:
            server_request(run, model);
            break;
        case 2:
            server_answer(run, model);
            break;
        case 3:
            server_ack(run, model);
            break;
        default:
            pass_time(run);
        }
        for (unsigned i = 0; i < PLACES; i++)
            server_expire(run, &run->servers[i]);
        check_counts(run);
    }
    for (unsigned i = 0; i < PLACES; i++)
        if (run->servers[i].phase == OPEN)
            txn_server_abandon(run->servers[i].server);
    rig_advance(run->rig, 64 * SECOND);
    rig_expect_empty(run->rig);
    rig_close(run->rig);
    free(run);
}
END_TEST

/* ---- clients ----------------------------------------------------------------------------- */

enum client_phase { IDLE, CALLING, RINGING, ANSWERED, REFUSED, DONE };

struct client_model {
    struct rig_user user;
    struct txn_client *client;
    enum client_phase phase;
    bool is_invite;
    bool cancelled;
    bool abandoned;
    uint64_t end_us; /* UINT64_MAX: none */
    unsigned generation;
    char branch[40];
};

struct client_run {
    struct run *run;
    struct client_model clients[PLACES];
};

static void client_expire(struct rig *rig, struct client_model *model)
{
    bool live = model->phase == CALLING || model->phase == RINGING;
    if (model->phase == IDLE || model->end_us > rig->now_us)
        return;
    if (live && !model->abandoned)
        ck_assert_uint_eq(model->user.timeouts, 1);
    model->phase = IDLE;
}

static void client_begin(struct client_run *all, struct client_model *model)
{
    struct rig *rig = all->run->rig;
    bool is_invite = random_below(&all->run->random, 3) != 0;
    unsigned generation = model->generation + 1;
    *model = (struct client_model){.generation = generation, .is_invite = is_invite};
    model->user.rig = rig;
    snprintf(model->branch, sizeof(model->branch), "z9hG4bKc%d-%u", (int)(model - all->clients),
             generation);
    model->client = rig_client(rig, method_of(is_invite),
                               (struct rig_parts){.branch = model->branch}, &model->user);
    model->phase = CALLING;
    model->end_us = rig->now_us + 32 * SECOND;
}

static enum txn_response_result expected_result(const struct client_model *model, unsigned status)
{
    bool answers = model->is_invite && status >= 200 && status < 300;
    bool live = model->phase == CALLING || model->phase == RINGING;
    if (model->phase == IDLE)
        return TXN_RESPONSE_STRAY;
    if (answers && (!live || model->abandoned))
        return TXN_RESPONSE_REPEATED;
    return TXN_RESPONSE_HANDLED;
}

/* What the model says of a response that came in live. */
static void client_follow(struct rig *rig, struct client_model *model, unsigned status)
{
    bool first = model->phase == CALLING;
    if (status < 200) {
        model->phase = RINGING;
        if (first && model->is_invite)
            model->end_us =
                model->abandoned || model->cancelled ? rig->now_us + 32 * SECOND : UINT64_MAX;
        return;
    }
    model->phase = !model->is_invite ? DONE : status < 300 ? ANSWERED : REFUSED;
    model->end_us = rig->now_us + (model->is_invite ? 32 * SECOND : 5 * SECOND);
}

static void client_response(struct client_run *all, struct client_model *model)
{
    static const unsigned statuses[] = {100, 180, 200, 302, 486, 603};
    struct rig *rig = all->run->rig;
    unsigned status = statuses[random_below(&all->run->random, 6)];
    if (model->branch[0] == '\0')
        return;
    bool live = model->phase == CALLING || model->phase == RINGING;
    unsigned before = rig->sent_count;
    unsigned told = model->user.responses;
    ck_assert_int_eq(rig_receive_response(rig, status, method_of(model->is_invite),
                                          (struct rig_parts){.branch = model->branch}),
                     expected_result(model, status));
    ck_assert_uint_eq(model->user.responses - told, live && !model->abandoned ? 1 : 0);
    bool acknowledges = model->is_invite && status >= 300 && (live || model->phase == REFUSED);
    bool cancels =
        live && model->is_invite && model->phase == CALLING && model->cancelled && status < 200;
    ck_assert_uint_eq(rig->sent_count - before, acknowledges || cancels ? 1 : 0);
    if (live)
        client_follow(rig, model, status);
}

static void client_leave(struct client_run *all, struct client_model *model)
{
    struct rig *rig = all->run->rig;
    bool live = model->phase == CALLING || model->phase == RINGING;
    if (!live || model->abandoned)
        return;
    if (model->is_invite && !model->cancelled && random_below(&all->run->random, 2) == 0) {
        txn_client_cancel(model->client, SLICE("Reason: SIP\r\n"), rig->now_us);
        model->cancelled = true;
        if (model->phase == RINGING)
            model->end_us = rig->now_us + 32 * SECOND;
        return;
    }
    txn_client_abandon(model->client, rig->now_us);
    model->abandoned = true;
    if (model->end_us == UINT64_MAX)
        model->end_us = rig->now_us + 32 * SECOND;
}

START_TEST(clients_behave_as_modelled)
{
    struct client_run *all = calloc(1, sizeof(*all));
    all->run = run_open((uint64_t)_i + 100);
    struct rig *rig = all->run->rig;
    for (unsigned step = 0; step < STEPS; step++) {
        struct client_model *model = &all->clients[random_below(&all->run->random, PLACES)];
        uint64_t choice = random_below(&all->run->random, 8);
        if (choice < 2 && model->phase == IDLE)
            client_begin(all, model);
        else if (choice < 4)
            client_response(all, model);
        else if (choice == 4)
            client_leave(all, model);
        else if (choice == 5)
            pass_time(all->run);
        for (unsigned i = 0; i < PLACES; i++)
            client_expire(rig, &all->clients[i]);
    }
    for (unsigned i = 0; i < PLACES; i++)
        if (all->clients[i].phase == CALLING || all->clients[i].phase == RINGING)
            txn_client_abandon(all->clients[i].client, rig->now_us);
    rig_advance(rig, 64 * SECOND);
    rig_expect_empty(rig);
    rig_close(rig);
    free(all->run);
    free(all);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("random");
    tcase_add_loop_test(tests, servers_behave_as_modelled, 0, 4);
    tcase_add_loop_test(tests, clients_behave_as_modelled, 0, 4);
    tcase_set_timeout(tests, 120);
    return rig_run("transaction/random", tests);
}
