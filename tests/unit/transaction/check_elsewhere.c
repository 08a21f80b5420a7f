/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction/elsewhere.h"

#include "unit/transaction/traffic.h"

static const struct rig_parts usual = {.branch = "z9hG4bKone"};

struct keys {
    struct txn_handed items[8];
    size_t count;
};

static void keep(void *argument, const struct txn_handed *server)
{
    struct keys *keys = argument;
    ck_assert_uint_lt(keys->count, 8);
    keys->items[keys->count++] = *server;
}

static bool is_elsewhere(const struct rig *rig, const char *method, struct rig_parts parts)
{
    struct rig_message message;
    rig_request(rig, &message, method, parts);
    return txn_request_is_elsewhere(rig->layer, &message.view);
}

START_TEST(what_belongs_to_another_layer_is_known)
{
    struct rig *old = rig_open();
    struct rig *new = rig_open();
    struct keys keys = {.count = 0};
    const struct rig_parts bye = {.branch = "z9hG4bKbye"};
    const struct rig_parts refused = {.branch = "z9hG4bKrefused"};
    const struct rig_parts other = {.branch = "z9hG4bKother"};
    struct rig_user user = {.rig = old};
    struct txn_server *server = rig_server(old, "INVITE", usual);
    rig_respond(old, rig_server(old, "BYE", bye), 200, "BYE", bye);
    rig_respond(old, rig_server(old, "INVITE", refused), 486, "INVITE", refused);
    rig_client(old, "INVITE", other, &user);
    txn_layer_each_server(old->layer, keep, &keys);
    ck_assert_uint_eq(keys.count, 3); /* the client is told by its branch */

    ck_assert(!is_elsewhere(new, "INVITE", usual));
    ck_assert_int_eq(txn_layer_note_elsewhere(new->layer, keys.items, keys.count), 0);
    ck_assert(is_elsewhere(new, "INVITE", usual));
    ck_assert(is_elsewhere(new, "CANCEL", usual));
    ck_assert(is_elsewhere(new, "ACK", refused));
    ck_assert(is_elsewhere(new, "BYE", bye));
    ck_assert(!is_elsewhere(new, "INVITE", bye));
    ck_assert(!is_elsewhere(new, "INVITE", other));
    /* It is no transaction of this layer's. */
    rig_expect_counts(new, 0, 0);
    ck_assert_int_eq(rig_receive_request(new, "INVITE", usual), TXN_REQUEST_NEW);
    txn_layer_forget_elsewhere(new->layer);
    ck_assert(!is_elsewhere(new, "INVITE", usual));
    txn_layer_forget_elsewhere(new->layer);

    txn_server_abandon(server);
    rig_close(new);
    rig_close(old);
}
END_TEST

START_TEST(nothing_may_be_elsewhere)
{
    struct rig *rig = rig_open();
    ck_assert_int_eq(txn_layer_note_elsewhere(rig->layer, NULL, 0), 0);
    ck_assert(!is_elsewhere(rig, "INVITE", usual));
    rig_close(rig);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("elsewhere");
    tcase_add_test(tests, what_belongs_to_another_layer_is_known);
    tcase_add_test(tests, nothing_may_be_elsewhere);
    return rig_run("transaction/elsewhere", tests);
}
