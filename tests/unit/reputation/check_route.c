/* SPDX-License-Identifier: Apache-2.0 */
/* Slots, redirections, CLUSTER SLOTS, names of servers. */
#include "../../../src/reputation/route_int.h"

#include <check.h>
#include <stdio.h>
#include <errno.h>
#include <stdlib.h>

static struct rep_route *route;
static struct rep_reader *reader;
static const struct rep_place asked = {.host = "10.0.0.9", .port = 7009};

static void setup(void)
{
    route = calloc(1, sizeof(*route));
    ck_assert_ptr_nonnull(route);
    ck_assert_int_eq(rep_reader_create(1 << 20, &reader), 0);
}

static void teardown(void)
{
    rep_reader_destroy(reader);
    free(route);
}

static int parse(const char *text)
{
    const struct rep_reply *reply;
    ck_assert_int_eq(rep_reader_feed(reader, text, strlen(text)), 0);
    ck_assert_int_eq(rep_reader_next(reader, &reply), 0);
    return rep_route_parse(reply, &asked, route);
}

START_TEST(slots_are_those_of_redis)
{
    /* As CLUSTER KEYSLOT says. */
    ck_assert_uint_eq(rep_slot(SLICE("123456789")), 12739);
    ck_assert_uint_eq(rep_slot(SLICE("")), 0);
    ck_assert_uint_eq(rep_slot(SLICE("{user1000}.following")), rep_slot(SLICE("user1000")));
    ck_assert_uint_eq(rep_slot(SLICE("rf:raw:{a}{b}")), rep_slot(SLICE("a")));
    ck_assert_uint_ne(rep_slot(SLICE("foo{}{bar}")), rep_slot(SLICE("bar")));
    ck_assert_uint_eq(rep_slot(SLICE("foo{{bar}}zap")), rep_slot(SLICE("{bar")));
    ck_assert_uint_lt(rep_slot(SLICE("{open")), REP_SLOTS);
}
END_TEST

START_TEST(masters_are_read_and_sorted)
{
    ck_assert_int_eq(parse("*2\r\n"
                           "*3\r\n:8000\r\n:16383\r\n*3\r\n$8\r\n10.0.0.2\r\n:7000\r\n$1\r\nb\r\n"
                           "*4\r\n:0\r\n:7999\r\n*3\r\n$8\r\n10.0.0.1\r\n:7000\r\n$1\r\na\r\n"
                           "*3\r\n$8\r\n10.0.0.3\r\n:7000\r\n$1\r\nc\r\n"),
                     0);
    ck_assert_uint_eq(route->count, 2);
    ck_assert_str_eq(route->servers[0].place.host, "10.0.0.1");
    ck_assert_uint_eq(route->owner[0], 0);
    ck_assert_uint_eq(route->owner[7999], 0);
    ck_assert_uint_eq(route->owner[8000], 1);
    ck_assert_uint_eq(rep_route_gaps(route), 0);
    ck_assert_uint_eq(rep_route_find(route, SLICE("123456789")), 1);
}
END_TEST

START_TEST(a_node_without_an_address_is_the_one_asked)
{
    static const char *const hosts[] = {"$-1\r\n", "$0\r\n\r\n", "$1\r\n?\r\n"};
    for (unsigned i = 0; i < 3; i++) {
        char text[160];
        snprintf(text, sizeof(text), "*1\r\n*3\r\n:0\r\n:99\r\n*3\r\n%s:7009\r\n$1\r\na\r\n",
                 hosts[i]);
        ck_assert_int_eq(parse(text), 0);
        ck_assert(rep_place_equal(&route->servers[0].place, &asked));
        ck_assert_uint_eq(rep_route_gaps(route), REP_SLOTS - 100);
    }
}
END_TEST

START_TEST(what_is_no_map_is_refused)
{
    static const char *const bad[] = {
        "+OK\r\n",
        "*1\r\n:1\r\n",
        "*1\r\n*2\r\n:0\r\n:5\r\n",
        "*1\r\n*3\r\n:5\r\n:1\r\n*2\r\n$1\r\nh\r\n:1\r\n",
        "*1\r\n*3\r\n:-1\r\n:1\r\n*2\r\n$1\r\nh\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\nh\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\nh\r\n:0\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\nh\r\n:65536\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n$1\r\nh\r\n",
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_int_eq(parse(bad[i]), -EBADMSG);
    ck_assert_int_eq(parse("*0\r\n"), ERROR_NOT_FOUND);
}
END_TEST

START_TEST(redirections_are_understood)
{
    struct rep_redirect redirect;
    rep_redirect_parse(SLICE("MOVED 3999 127.0.0.1:6381"), &asked, &redirect);
    ck_assert_int_eq(redirect.kind, REP_REDIRECT_MOVED);
    ck_assert_uint_eq(redirect.slot, 3999);
    ck_assert_str_eq(redirect.place.host, "127.0.0.1");
    ck_assert_uint_eq(redirect.place.port, 6381);
    rep_redirect_parse(SLICE("ASK 1 2001:db8::1:6381"), &asked, &redirect);
    ck_assert_int_eq(redirect.kind, REP_REDIRECT_ASK);
    ck_assert_str_eq(redirect.place.host, "2001:db8::1");
    rep_redirect_parse(SLICE("MOVED 1 :6381"), &asked, &redirect);
    ck_assert_str_eq(redirect.place.host, "10.0.0.9");
    ck_assert_uint_eq(redirect.place.port, 6381);
    static const char *const later[] = {"TRYAGAIN",  "CLUSTERDOWN The cluster is down",
                                        "MOVED ",    "MOVED 16384 h:1",
                                        "ASK 1 h:0", "MOVED 1 h"};
    for (unsigned i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
        rep_redirect_parse(slice_of_text(later[i]), &asked, &redirect);
        ck_assert_int_eq(redirect.kind, REP_REDIRECT_LATER);
    }
    rep_redirect_parse(SLICE("WRONGTYPE"), &asked, &redirect);
    ck_assert_int_eq(redirect.kind, REP_REDIRECT_NONE);
}
END_TEST

START_TEST(servers_are_written_in_many_ways)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } rows[] = {{"redis.example.net:6379", "redis.example.net", 6379},
                {"10.0.0.1:1", "10.0.0.1", 1},
                {"[2001:db8::1]:65535", "2001:db8::1", 65535},
                {"2001:db8::1:6379", "2001:db8::1", 6379},
                {"10.0.0.1:6379@16379", "10.0.0.1", 6379}};
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rep_place place;
        ck_assert_int_eq(rep_place_parse(slice_of_text(rows[i].text), &place), 0);
        ck_assert_str_eq(place.host, rows[i].host);
        ck_assert_uint_eq(place.port, rows[i].port);
    }
    static const char *const bad[] = {"", "host", ":1", "host:", "host:0", "host:65536", "host:x"};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert(!rep_is_server(slice_of_text(bad[i])));
}
END_TEST

START_TEST(the_address_map_replaces_places)
{
    const struct slice rows[] = {SLICE_LITERAL("10.0.0.1:1=unix:/run/a.sock"),
                                 SLICE_LITERAL("10.0.0.2:2 = 127.0.0.1:22")};
    const struct rep_settings settings = {.address_map = {rows, 2}};
    struct rep_place place = {.host = "10.0.0.1", .port = 1};
    rep_place_map(&settings, &place);
    ck_assert_str_eq(place.host, "/run/a.sock");
    ck_assert_uint_eq(place.port, 0);
    place = (struct rep_place){.host = "10.0.0.2", .port = 2};
    rep_place_map(&settings, &place);
    ck_assert_str_eq(place.host, "127.0.0.1");
    place = (struct rep_place){.host = "10.0.0.2", .port = 3};
    rep_place_map(&settings, &place);
    ck_assert_uint_eq(place.port, 3);
    ck_assert(rep_is_address_pair(rows[0]));
    ck_assert(!rep_is_address_pair(SLICE("10.0.0.1:1")));
    ck_assert(!rep_is_address_pair(SLICE("10.0.0.1:1=")));
    ck_assert(!rep_is_address_pair(SLICE("10.0.0.1:1=unix:")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("route");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, slots_are_those_of_redis);
    tcase_add_test(tests, masters_are_read_and_sorted);
    tcase_add_test(tests, a_node_without_an_address_is_the_one_asked);
    tcase_add_test(tests, what_is_no_map_is_refused);
    tcase_add_test(tests, redirections_are_understood);
    tcase_add_test(tests, servers_are_written_in_many_ways);
    tcase_add_test(tests, the_address_map_replaces_places);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
