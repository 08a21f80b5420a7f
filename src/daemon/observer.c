/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/observer.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct daemon_observer {
    const struct daemon_snapshot *snapshot;
    const struct proxy_trunk *assumed;
    struct screen_engine *engine;
    struct hash_key call_key;
};

/* A rule that is rolled out to some calls is so to the same calls as on the site's nodes, where
 * their key can be read; it is never created here. */
static void derive_key(struct daemon_observer *observer)
{
    const char *path = observer->snapshot->settings.key_file.data;
    uint8_t key[IDENT_KEY_BYTES] = {0};
    struct ident_marks marks;
    bool created;
    if (path == NULL || access(path, R_OK) != 0 || ident_key_load(path, key, &created) != 0)
        memset(key, 0, sizeof(key));
    ident_marks_init(&marks, key, 0);
    observer->call_key = marks.tag;
}

int daemon_observer_create(const struct daemon_snapshot *snapshot, struct rep_store *store,
                           const struct proxy_trunk *assumed, struct daemon_observer **observer)
{
    struct daemon_observer *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->snapshot = snapshot;
    created->assumed = assumed;
    int error = screen_engine_create(store, &created->engine);
    if (error != 0) {
        free(created);
        return error;
    }
    derive_key(created);
    *observer = created;
    return 0;
}

void daemon_observer_adopt(struct daemon_observer *observer, const struct daemon_snapshot *snapshot,
                           const struct proxy_trunk *assumed)
{
    observer->snapshot = snapshot;
    observer->assumed = assumed;
}

const struct proxy_trunk *daemon_observer_trunk(const struct daemon_observer *observer,
                                                const struct tp_address *source)
{
    return proxy_plan_neighbour(observer->snapshot->plan, source);
}

static struct rule_address rule_address_of(const struct tp_address *source)
{
    struct rule_address address = {{0}};
    if (source->family == 6) {
        memcpy(address.bytes, source->bytes, sizeof(address.bytes));
    } else {
        address.bytes[10] = 0xff;
        address.bytes[11] = 0xff;
        memcpy(address.bytes + 12, source->bytes, 4);
    }
    return address;
}

int daemon_observe(struct daemon_observer *observer, const struct tap_message *message,
                   struct daemon_observed *observed)
{
    const struct smsg *sip = message->sip;
    const struct rule_address source = rule_address_of(&message->source);
    observed->trunk = daemon_observer_trunk(observer, &message->source);
    observed->trunk_assumed = observed->trunk == NULL;
    if (observed->trunk_assumed)
        observed->trunk = observer->assumed;
    if (observed->trunk == NULL)
        return ERROR_NOT_FOUND;
    /* What the capture cut is no fault of the message, as long as its headers are there. */
    if (sip->bad != SMSG_BAD_NONE && sip->bad != SMSG_BAD_TRUNCATED)
        return ERROR_MALFORMED;
    const struct screen_input input = {
        .message = sip,
        .trunk = &observed->trunk->screen,
        .wall_us = message->wall_us,
        .reputation = SCREEN_REPUTATION_FIND,
        .finding = rep_finding_none(),
        .diverting = rep_finding_none(),
        .source = message->source.family != 0 ? &source : NULL,
        .call_hash = hash_slice(&observer->call_key, sip->call_id),
    };
    return screen_judge(observer->engine, observer->snapshot->policy, &input, &observed->verdict);
}

struct screen_engine *daemon_observer_engine(const struct daemon_observer *observer)
{
    return observer->engine;
}

void daemon_observer_destroy(struct daemon_observer *observer)
{
    if (observer == NULL)
        return;
    screen_engine_destroy(observer->engine);
    free(observer);
}
