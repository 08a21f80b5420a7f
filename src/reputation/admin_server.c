/* SPDX-License-Identifier: Apache-2.0 */
#include "admin_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { RETRIES = 40, AT_ONCE = 4, RETRY_MS = 50 };

/* ---- one server ---------------------------------------------------------------------------- */

static int run_command(struct rep_admin *admin, const struct slice *words, unsigned count)
{
    redisReply *reply;
    int code = rep_admin_queue(admin, words, count);
    if (code != 0)
        return code;
    code = rep_admin_take(admin, &reply);
    freeReplyObject(reply);
    return code;
}

static int log_in(struct rep_admin *admin, const char *username, const char *password,
                  unsigned database)
{
    int code = 0;
    if (password != NULL) {
        struct slice words[3] = {SLICE("AUTH")};
        unsigned count = 1;
        if (username != NULL)
            words[count++] = slice_of_text(username);
        words[count++] = slice_of_text(password);
        code = run_command(admin, words, count);
    }
    if (code == 0 && database != 0) {
        char number[16];
        snprintf(number, sizeof(number), "%u", database);
        struct slice words[] = {SLICE("SELECT"), slice_of_text(number)};
        code = run_command(admin, words, 2);
    }
    return code;
}

/* Makes *context, which becomes the one that is talked to. */
static int open_context(struct rep_admin *admin, const struct rep_place *announced,
                        redisContext **context)
{
    const struct rep_settings *settings = &admin->settings;
    struct rep_place place = *announced;
    rep_place_map(settings, &place);
    struct timeval connecting = {settings->connect_timeout_ms / 1000,
                                 settings->connect_timeout_ms % 1000 * 1000};
    struct timeval replying = {settings->reply_timeout_ms / 1000,
                               settings->reply_timeout_ms % 1000 * 1000};
    *context = place.port == 0 ? redisConnectUnixWithTimeout(place.host, connecting)
                               : redisConnectWithTimeout(place.host, place.port, connecting);
    admin->context = *context;
    if (*context == NULL)
        return -ENOMEM;
    if ((*context)->err != 0) {
        snprintf(admin->error, sizeof(admin->error), "%s", (*context)->errstr);
        redisFree(*context);
        *context = admin->context = NULL;
        return ERROR_UNAVAILABLE;
    }
    (void)redisSetTimeout(*context, replying);
    return 0;
}

static int open_server(struct rep_admin *admin, struct admin_server *server)
{
    const struct rep_settings *settings = &admin->settings;
    int code = open_context(admin, &server->place, &server->context);
    if (code == 0)
        code = log_in(admin, settings->username, settings->password, settings->database);
    return code == -EBADMSG ? ERROR_UNAVAILABLE : code;
}

static struct admin_server *server_of(struct rep_admin *admin, const struct rep_place *place)
{
    for (unsigned i = 0; i < admin->count; i++)
        if (rep_place_equal(&admin->servers[i].place, place))
            return &admin->servers[i];
    if (admin->count == REP_SERVERS)
        return NULL;
    struct admin_server *server = &admin->servers[admin->count++];
    *server = (struct admin_server){.place = *place};
    return server;
}

/* Talks to a server that is known by its place. */
static int use_server(struct rep_admin *admin, const struct rep_place *place)
{
    struct admin_server *server = server_of(admin, place);
    if (server == NULL)
        return ERROR_LIMIT;
    admin->context = server->context;
    return server->context != NULL ? 0 : open_server(admin, server);
}

/* ---- sentinels ----------------------------------------------------------------------------- */

static bool parse_pair(const redisReply *reply, struct rep_place *place)
{
    char text[REP_PLACE_BYTES];
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_STRING)
        return false;
    snprintf(text, sizeof(text), "%s:%s", reply->element[0]->str, reply->element[1]->str);
    return rep_place_parse(slice_of_text(text), place) == 0;
}

static int ask_sentinel(struct rep_admin *admin, struct slice text, struct rep_place *master)
{
    const struct rep_settings *settings = &admin->settings;
    const struct slice words[] = {SLICE_LITERAL("SENTINEL"),
                                  SLICE_LITERAL("get-master-addr-by-name"),
                                  slice_of_text(settings->sentinel_master)};
    struct rep_place sentinel;
    redisContext *context;
    redisReply *reply = NULL;
    int code = rep_place_parse(text, &sentinel);
    if (code != 0)
        return code;
    code = open_context(admin, &sentinel, &context);
    if (code != 0)
        return code;
    code = log_in(admin, settings->sentinel_username, settings->sentinel_password, 0);
    if (code == 0)
        code = rep_admin_queue(admin, words, 3);
    if (code == 0)
        code = rep_admin_take(admin, &reply);
    if (code == 0 && !parse_pair(reply, master)) {
        snprintf(admin->error, sizeof(admin->error), "sentinel %.80s knows no master \"%.64s\"",
                 text.data, settings->sentinel_master);
        code = ERROR_UNAVAILABLE;
    }
    freeReplyObject(reply);
    redisFree(context);
    admin->context = NULL;
    return code;
}

/* Writing to a replica would be refused with a text that helps nobody. */
static int check_role(struct rep_admin *admin, const struct rep_place *place)
{
    static const struct slice words[] = {SLICE_LITERAL("ROLE")};
    redisReply *reply = NULL;
    int code = rep_admin_queue(admin, words, 1);
    if (code == 0)
        code = rep_admin_take(admin, &reply);
    bool replica = code == 0 && reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
                   reply->element[0]->type == REDIS_REPLY_STRING &&
                   strcmp(reply->element[0]->str, "master") != 0;
    freeReplyObject(reply);
    if (replica) {
        char text[REP_PLACE_BYTES];
        rep_place_text(place, text, sizeof(text));
        snprintf(admin->error, sizeof(admin->error), "%.80s is named as master and is none", text);
        return ERROR_UNAVAILABLE;
    }
    /* An account without ROLE finds out by writing. */
    return code == -EBADMSG ? 0 : code;
}

static int connect_by_sentinels(struct rep_admin *admin)
{
    int code = ERROR_UNAVAILABLE;
    for (size_t i = 0; i < admin->settings.sentinels.count; i++) {
        struct rep_place master;
        code = ask_sentinel(admin, admin->settings.sentinels.items[i], &master);
        if (code == 0)
            code = use_server(admin, &master);
        if (code == 0)
            code = check_role(admin, &master);
        if (code == 0)
            break;
    }
    return code;
}

/* ---- cluster ------------------------------------------------------------------------------- */

static void take_range(struct rep_admin *admin, const redisReply *range,
                       const struct rep_place *asked)
{
    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3 ||
        range->element[0]->type != REDIS_REPLY_INTEGER ||
        range->element[1]->type != REDIS_REPLY_INTEGER || range->element[0]->integer < 0 ||
        range->element[1]->integer >= REP_SLOTS)
        return;
    const redisReply *node = range->element[2];
    if (node->type != REDIS_REPLY_ARRAY || node->elements < 2 ||
        node->element[1]->type != REDIS_REPLY_INTEGER)
        return;
    const char *host = node->element[0]->type == REDIS_REPLY_STRING ? node->element[0]->str : "";
    struct rep_place place = {.port = (uint16_t)node->element[1]->integer};
    snprintf(place.host, sizeof(place.host), "%s",
             host[0] == '\0' || strcmp(host, "?") == 0 ? asked->host : host);
    struct admin_server *server = server_of(admin, &place);
    for (long long slot = range->element[0]->integer;
         server != NULL && slot <= range->element[1]->integer; slot++)
        admin->owner[slot] = (uint16_t)(server - admin->servers);
}

static int read_slots(struct rep_admin *admin, const struct rep_place *asked)
{
    static const struct slice words[] = {SLICE_LITERAL("CLUSTER"), SLICE_LITERAL("SLOTS")};
    redisReply *reply = NULL;
    int code = use_server(admin, asked);
    if (code == 0)
        code = rep_admin_queue(admin, words, 2);
    if (code == 0)
        code = rep_admin_take(admin, &reply);
    for (size_t i = 0; code == 0 && reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        take_range(admin, reply->element[i], asked);
    freeReplyObject(reply);
    return code == -EBADMSG ? ERROR_UNAVAILABLE : code;
}

static int connect_to_cluster(struct rep_admin *admin)
{
    int code = ERROR_UNAVAILABLE;
    memset(admin->owner, 0xff, sizeof(admin->owner));
    for (size_t i = 0; i < admin->settings.cluster.count && code != 0; i++) {
        struct rep_place seed;
        code = rep_place_parse(admin->settings.cluster.items[i], &seed);
        if (code == 0)
            code = read_slots(admin, &seed);
    }
    return code;
}

int rep_admin_select(struct rep_admin *admin, struct slice key)
{
    admin->asking = false;
    if (admin->settings.cluster.count == 0)
        return 0;
    unsigned slot = rep_slot(key), asked = admin->asked;
    admin->asked = REP_NOBODY;
    if (asked != REP_NOBODY) {
        int code = use_server(admin, &admin->servers[asked].place);
        admin->asking = code == 0;
        return code;
    }
    if (admin->owner[slot] == REP_NOBODY) {
        snprintf(admin->error, sizeof(admin->error), "slot %u of the cluster has no owner", slot);
        return ERROR_UNAVAILABLE;
    }
    return use_server(admin, &admin->servers[admin->owner[slot]].place);
}

int rep_admin_use(struct rep_admin *admin, unsigned server)
{
    admin->asking = false;
    return use_server(admin, &admin->servers[server].place);
}

/* The index of the server that an error reply names, or REP_NOBODY. */
static uint16_t read_redirect(struct rep_admin *admin, struct rep_redirect *redirect)
{
    static const struct rep_place unknown = {.host = "127.0.0.1"};
    redirect->kind = REP_REDIRECT_NONE;
    if (admin->settings.cluster.count == 0)
        return REP_NOBODY;
    rep_redirect_parse(slice_of_text(admin->error), &unknown, redirect);
    if (redirect->kind != REP_REDIRECT_MOVED && redirect->kind != REP_REDIRECT_ASK)
        return REP_NOBODY;
    const struct admin_server *server = server_of(admin, &redirect->place);
    if (server == NULL)
        return REP_NOBODY;
    uint16_t index = (uint16_t)(server - admin->servers);
    if (redirect->kind == REP_REDIRECT_MOVED)
        admin->owner[redirect->slot] = index;
    return index;
}

bool rep_admin_is_redirected(struct rep_admin *admin)
{
    struct rep_redirect redirect;
    (void)read_redirect(admin, &redirect);
    return redirect.kind != REP_REDIRECT_NONE;
}

bool rep_admin_may_retry(struct rep_admin *admin, unsigned tries)
{
    static const struct timespec moment = {0, RETRY_MS * 1000000L};
    struct rep_redirect redirect;
    uint16_t server = read_redirect(admin, &redirect);
    if (tries >= RETRIES || redirect.kind == REP_REDIRECT_NONE)
        return false;
    if (redirect.kind == REP_REDIRECT_ASK)
        admin->asked = server;
    /* From one to the other and back, or to nobody: a moment later it is known who has it. */
    if (server == REP_NOBODY || tries >= AT_ONCE)
        nanosleep(&moment, NULL);
    return true;
}

/* ---- all ----------------------------------------------------------------------------------- */

int rep_admin_connect(struct rep_admin *admin)
{
    admin->asked = REP_NOBODY;
    if (admin->settings.sentinels.count > 0)
        return connect_by_sentinels(admin);
    if (admin->settings.cluster.count > 0)
        return connect_to_cluster(admin);
    struct rep_place place;
    rep_place_of_settings(&admin->settings, &place);
    return use_server(admin, &place);
}

void rep_admin_disconnect(struct rep_admin *admin)
{
    for (unsigned i = 0; i < admin->count; i++)
        if (admin->servers[i].context != NULL)
            redisFree(admin->servers[i].context);
    admin->count = 0;
}
