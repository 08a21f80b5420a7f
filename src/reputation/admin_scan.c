/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "admin_write_int.h"

enum { PAGE_NAMES = 4096 };

static int take_page(struct rep_admin *admin, char cursor[32], admin_page_fn *page, void *argument)
{
    struct slice names[PAGE_NAMES];
    redisReply *reply;
    redisContext *context = admin->context;
    int code = rep_admin_take(admin, &reply);
    if (code == 0 && (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
                      reply->element[0]->type != REDIS_REPLY_STRING ||
                      reply->element[1]->type != REDIS_REPLY_ARRAY))
        code = -EBADMSG;
    if (code != 0)
        goto out;
    snprintf(cursor, 32, "%.31s", reply->element[0]->str);
    const redisReply *list = reply->element[1];
    for (size_t at = 0; code == 0 && at < list->elements;) {
        size_t count = 0;
        for (; count < PAGE_NAMES && at < list->elements; at++)
            if (list->element[at]->type == REDIS_REPLY_STRING)
                names[count++] = slice_make(list->element[at]->str, list->element[at]->len);
        code = page(argument, names, count);
        admin->context = context;
    }
out:
    freeReplyObject(reply);
    return code;
}

/* All keys of the server that is talked to. */
static int scan_server(struct rep_admin *admin, admin_page_fn *page, void *argument)
{
    char cursor[32] = "0";
    int code;
    do {
        const struct slice words[] = {SLICE_LITERAL("SCAN"),  slice_of_text(cursor),
                                      SLICE_LITERAL("MATCH"), SLICE_LITERAL("rf:[npr][ufa][mxw]:*"),
                                      SLICE_LITERAL("COUNT"), SLICE_LITERAL("1000")};
        code = rep_admin_queue(admin, words, 6);
        if (code == 0)
            code = take_page(admin, cursor, page, argument);
    } while (code == 0 && strcmp(cursor, "0") != 0);
    return code;
}

int rep_admin_scan(struct rep_admin *admin, admin_page_fn *page, void *argument)
{
    if (admin->settings.cluster.count == 0)
        return scan_server(admin, page, argument);
    bool done[REP_SERVERS] = {false};
    int code = 0;
    for (unsigned slot = 0; code == 0 && slot < REP_SLOTS; slot++) {
        unsigned server = admin->owner[slot];
        if (server == REP_NOBODY) {
            snprintf(admin->error, sizeof(admin->error), "slot %u of the cluster has no owner",
                     slot);
            return ERROR_UNAVAILABLE;
        }
        if (done[server])
            continue;
        done[server] = true;
        code = rep_admin_use(admin, server);
        if (code == 0)
            code = scan_server(admin, page, argument);
    }
    return code;
}
