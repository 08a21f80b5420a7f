/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe: OPTIONS to the targets of trunks, by one worker for all.
 *
 * The prober goes over the plan once a second and keeps one watch for each target; it holds no
 * pointer into the plan in between. An answer comes back to the worker that owns the Call-ID, so
 * each watch takes a Call-ID that is this worker's own.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/random.h"
#include "failover_int.h"
#include "overload_int.h"

#define TICK_US   UINT64_C(100000)
#define REVIEW_US UINT64_C(1000000)
/* A target that traffic has found down and that has never answered a probe may be one that answers
 * none: it is tried again after this time. */
#define DEAF_US UINT64_C(30000000)

#define WATCH_LIMIT   4096 /* targets */
#define CALL_ID_BYTES 48
#define PROBE_BYTES   2048

struct watch {
    struct list_link link;
    struct proxy_prober *prober;
    struct proxy_pulse *pulse;
    struct txn_client *client; /* under way; NULL: none */
    uint32_t trunk;            /* mark */
    struct tp_address address;
    uint16_t listener;
    uint8_t protocol;
    struct proxy_health_settings settings;
    char host[TP_DNS_NAME_BYTES + 8]; /* what the Request-URI shows of a name; "" */
    char call_id[CALL_ID_BYTES];
    uint32_t cseq;
    uint32_t missed;   /* in a row */
    uint32_t answered; /* in a row */
    uint64_t sent_us;
    uint64_t due_us;
    bool was_down;
    bool seen; /* in the plan, at the review under way */
};

struct proxy_prober {
    struct proxy *proxy;
    struct rt_timer timer;
    struct list_link watches;
    size_t count;
    uint64_t reviewed_us;
    struct random_state random;
};

/* ---- verdicts on targets ------------------------------------------------------------------- */

static const struct proxy_trunk *trunk_of(const struct watch *watch)
{
    return proxy_plan_trunk_by_mark(watch->prober->proxy->snapshot.plan, watch->trunk);
}

static void report(const struct watch *watch, const char *what, enum proxy_cause cause)
{
    const struct proxy_trunk *trunk = trunk_of(watch);
    if (trunk != NULL)
        proxy_log_health(trunk, &watch->address, what, cause);
}

static bool is_down(const struct watch *watch, uint64_t now_us)
{
    return proxy_pulse_view(watch->pulse, 0, now_us).state == PROXY_STATE_DOWN;
}

static void note_alive(struct watch *watch, uint64_t now_us)
{
    watch->missed = 0;
    watch->answered++;
    if (watch->answered >= watch->settings.up_after && proxy_pulse_set_up(watch->pulse, now_us))
        report(watch, "up", PROXY_CAUSE_PROBE);
}

static void note_missed(struct watch *watch, uint64_t now_us)
{
    stats_count(watch->prober->proxy->parts.stats, STATS_PROBES_FAILED);
    watch->answered = 0;
    watch->missed++;
    if (watch->missed < watch->settings.down_after ||
        !proxy_pulse_set_down(watch->pulse, PROXY_CAUSE_PROBE, now_us))
        return;
    stats_count(watch->prober->proxy->parts.stats, STATS_TARGETS_DOWN);
    report(watch, "down", PROXY_CAUSE_PROBE);
}

static void schedule(struct watch *watch, uint64_t now_us)
{
    uint64_t every_us =
        is_down(watch, now_us) ? watch->settings.probe_down_us : watch->settings.probe_us;
    watch->client = NULL;
    watch->due_us = now_us + every_us;
}

/* ---- one probe ----------------------------------------------------------------------------- */

static void probe_response(void *user, struct txn_client *client, const struct smsg *response,
                           const struct tp_packet *packet)
{
    struct watch *watch = user;
    bool alive = watch->settings.answers == PROXY_ANSWERS_SUCCESS ? response->status < 300
                                                                  : response->status != 503;
    const struct proxy_trunk *trunk = trunk_of(watch);
    (void)client;
    if (trunk != NULL && trunk->overload.ask)
        proxy_overload_hear(watch->prober->proxy, trunk, proxy_pulse_throttle(watch->pulse),
                            &watch->address, response, packet->received_us);
    if (response->status < 200)
        return;
    proxy_pulse_probed(watch->pulse, response->status, packet->received_us);
    if (alive)
        note_alive(watch, packet->received_us);
    else
        note_missed(watch, packet->received_us);
    schedule(watch, packet->received_us);
}

static void probe_timeout(void *user, struct txn_client *client, uint64_t now_us)
{
    (void)client;
    note_missed(user, now_us);
    schedule(user, now_us);
}

static void probe_failed(void *user, struct txn_client *client, int error, uint64_t now_us)
{
    (void)error;
    probe_timeout(user, client, now_us);
}

static const struct txn_client_events probe_events = {
    .response = probe_response,
    .timeout = probe_timeout,
    .failed = probe_failed,
};

/* "host:port" of one of our listeners, as its Via shows it. */
static struct slice shown_address(const struct proxy *proxy, uint16_t listener)
{
    struct slice via = slice_from(proxy->listeners[listener].via, sizeof("Via: SIP/2.0/UDP ") - 1);
    return slice_first(via, slice_find(via, ';'));
}

static void append_uri(struct buffer *out, const struct watch *watch)
{
    buffer_append_literal(out, "sip:");
    if (watch->host[0] != '\0')
        buffer_append_text(out, watch->host);
    else
        tp_address_append(out, &watch->address);
    if (watch->protocol != TP_PROTOCOL_UDP) {
        buffer_append_literal(out, ";transport=");
        buffer_append_text(out, tp_protocol_rows[watch->protocol].word);
    }
}

static void compose_probe(const struct watch *watch, const char *branch, struct buffer *out)
{
    const struct proxy *proxy = watch->prober->proxy;
    const struct proxy_trunk *trunk = trunk_of(watch);
    buffer_append_literal(out, "OPTIONS ");
    append_uri(out, watch);
    buffer_append_literal(out, " SIP/2.0\r\n");
    buffer_append(out, trunk != NULL ? proxy_overload_via(proxy, trunk, watch->listener)
                                     : proxy->listeners[watch->listener].via);
    buffer_append_text(out, branch);
    buffer_append_literal(out, "\r\nMax-Forwards: 70\r\nFrom: <sip:");
    buffer_append(out, shown_address(proxy, watch->listener));
    buffer_append_literal(out, ">;tag=");
    buffer_append_text(out, watch->call_id);
    buffer_append_literal(out, "\r\nTo: <");
    append_uri(out, watch);
    buffer_append_literal(out, ">\r\nCall-ID: ");
    buffer_append_text(out, watch->call_id);
    buffer_append_literal(out, "\r\nCSeq: ");
    buffer_append_uint(out, watch->cseq);
    buffer_append_literal(out, " OPTIONS\r\nAccept: application/sdp\r\nContent-Length: 0\r\n\r\n");
}

static void send_probe(struct watch *watch, uint64_t now_us)
{
    struct proxy *proxy = watch->prober->proxy;
    char branch[64], bytes[PROBE_BYTES];
    struct buffer text = buffer_over(branch, sizeof(branch) - 1);
    buffer_append_literal(&text, "z9hG4bKprobe");
    buffer_append_uint(&text, random_next(&watch->prober->random));
    branch[text.length] = '\0';
    watch->cseq++;
    struct buffer out = buffer_over(bytes, sizeof(bytes));
    compose_probe(watch, branch, &out);
    watch->sent_us = now_us;
    stats_count(proxy->parts.stats, STATS_PROBES);
    /* What finds no room here says nothing about the target. */
    if (out.overflow ||
        txn_client_create(proxy->parts.transactions, SMSG_METHOD_OPTIONS, buffer_slice(&out),
                          slice_of_text(branch), slice_of_text(watch->call_id), watch->listener,
                          &watch->address, &probe_events, watch, now_us, &watch->client) != 0)
        schedule(watch, now_us);
}

static bool is_due(const struct watch *watch, uint64_t now_us)
{
    if (proxy_pulse_hinted(watch->pulse, watch->sent_us + 1))
        return true;
    bool wanted = watch->settings.probe_us > 0 || is_down(watch, now_us);
    return wanted && now_us >= watch->due_us;
}

/* Traffic has found it down since the last probe: the interval is the shorter one now, and earlier
 * answers count no more. */
static void hasten(struct watch *watch, uint64_t now_us)
{
    bool was_down = watch->was_down;
    watch->was_down = is_down(watch, now_us);
    if (!watch->was_down)
        return;
    if (!was_down)
        watch->answered = 0;
    if (watch->due_us > now_us + watch->settings.probe_down_us)
        watch->due_us = now_us + watch->settings.probe_down_us;
    struct proxy_view view = proxy_pulse_view(watch->pulse, 0, now_us);
    if (view.cause != PROXY_CAUSE_PROBE && view.probed_us == 0 &&
        now_us >= view.since_us + DEAF_US && proxy_pulse_set_up(watch->pulse, now_us))
        report(watch, "on trial again", view.cause);
}

static void attend(struct watch *watch, uint64_t now_us)
{
    struct proxy_throttle *throttle = proxy_pulse_throttle(watch->pulse);
    if (proxy_throttle_is_set(throttle))
        proxy_overload_expire(watch->prober->proxy, trunk_of(watch), throttle, &watch->address,
                              now_us);
    if (watch->client != NULL) {
        if (now_us < watch->sent_us + watch->settings.probe_timeout_us)
            return;
        txn_client_give_up(watch->client, now_us);
        note_missed(watch, now_us);
        schedule(watch, now_us);
        return;
    }
    hasten(watch, now_us);
    if (is_due(watch, now_us))
        send_probe(watch, now_us);
}

/* ---- what is watched ----------------------------------------------------------------------- */

/* One that comes back to this worker: of as many tries as there are workers, on average. */
static void choose_call_id(struct watch *watch)
{
    const struct proxy *proxy = watch->prober->proxy;
    do {
        struct buffer text = buffer_over(watch->call_id, sizeof(watch->call_id) - 1);
        buffer_append_literal(&text, "probe-");
        buffer_append_uint(&text, random_next(&watch->prober->random));
        watch->call_id[text.length] = '\0';
    } while (tp_group_owner(proxy->parts.group, slice_of_text(watch->call_id)) !=
             proxy->parts.worker);
}

static void forget(struct watch *watch, uint64_t now_us)
{
    struct proxy_prober *prober = watch->prober;
    if (watch->client != NULL)
        txn_client_abandon(watch->client, now_us);
    proxy_health_close(prober->proxy->parts.health, watch->pulse);
    list_remove(&watch->link);
    prober->count--;
    free(watch);
}

/* The first probe of each comes at a moment of its own within the interval. */
static struct watch *add_watch(struct proxy_prober *prober, const struct proxy_trunk *trunk,
                               const struct tp_target *target, uint64_t now_us)
{
    if (prober->count == WATCH_LIMIT)
        return NULL;
    struct watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL)
        return NULL;
    watch->pulse = proxy_health_open(prober->proxy->parts.health, trunk->mark, target->identity);
    if (watch->pulse == NULL) {
        free(watch);
        return NULL;
    }
    proxy_pulse_set_watch(watch->pulse, watch);
    watch->prober = prober;
    watch->trunk = trunk->mark;
    choose_call_id(watch);
    watch->sent_us = now_us;
    watch->due_us = now_us;
    if (trunk->health.probe_us > 0)
        watch->due_us += random_below(&prober->random, trunk->health.probe_us);
    list_append(&prober->watches, &watch->link);
    prober->count++;
    return watch;
}

static void review_target(struct proxy_prober *prober, const struct proxy_trunk *trunk,
                          const struct tp_target *target, struct slice host, uint64_t now_us)
{
    int listener = proxy_trunk_listener(trunk, &target->address, target->protocol);
    if (listener < 0)
        return;
    struct proxy_pulse *pulse =
        proxy_health_find(prober->proxy->parts.health, trunk->mark, target->identity);
    struct watch *watch = pulse != NULL ? proxy_pulse_watch(pulse) : NULL;
    if (watch == NULL)
        watch = add_watch(prober, trunk, target, now_us);
    if (watch == NULL)
        return;
    struct buffer text = buffer_over(watch->host, sizeof(watch->host) - 1);
    buffer_append(&text, host);
    watch->host[text.overflow ? 0 : text.length] = '\0';
    watch->address = target->address;
    watch->protocol = target->protocol;
    watch->listener = (uint16_t)listener;
    watch->settings = trunk->health;
    watch->seen = true;
}

static void review_trunk(struct proxy_prober *prober, const struct proxy_trunk *trunk,
                         uint64_t now_us)
{
    for (size_t i = 0; i < trunk->target_count; i++) {
        const struct proxy_target *target = &trunk->targets[i];
        if (target->name == NULL) {
            if (target->host.data == NULL)
                review_target(prober, trunk, &target->fixed, SLICE(""), now_us);
            continue;
        }
        const struct tp_targets *found = tp_destination_targets(target->name);
        for (size_t j = 0; j < found->count; j++)
            review_target(prober, trunk, &found->targets[j], target->host, now_us);
    }
}

static void review(struct proxy_prober *prober, uint64_t now_us)
{
    const struct proxy_plan *plan = prober->proxy->snapshot.plan;
    struct list_link *next;
    for (size_t i = 0; i < proxy_plan_trunk_count(plan); i++)
        review_trunk(prober, proxy_plan_trunk(plan, i), now_us);
    for (struct list_link *link = list_first(&prober->watches); link != NULL; link = next) {
        struct watch *watch = LIST_ENTRY(link, struct watch, link);
        next = list_next(&prober->watches, link);
        if (!watch->seen)
            forget(watch, now_us);
        else
            watch->seen = false;
    }
}

static void tick(struct rt_timer *timer, uint64_t now_us)
{
    struct proxy_prober *prober = LIST_ENTRY(timer, struct proxy_prober, timer);
    struct list_link *next;
    if (now_us >= prober->reviewed_us + REVIEW_US) {
        prober->reviewed_us = now_us;
        review(prober, now_us);
    }
    for (struct list_link *link = list_first(&prober->watches); link != NULL; link = next) {
        next = list_next(&prober->watches, link);
        attend(LIST_ENTRY(link, struct watch, link), now_us);
    }
    rt_timer_set(prober->proxy->parts.wheel, timer, now_us, TICK_US);
}

int proxy_start_probing(struct proxy *proxy, uint64_t seed, uint64_t now_us)
{
    if (proxy->parts.health == NULL || proxy->prober != NULL)
        return 0;
    struct proxy_prober *prober = calloc(1, sizeof(*prober));
    if (prober == NULL)
        return -ENOMEM;
    prober->proxy = proxy;
    list_init(&prober->watches);
    random_seed(&prober->random, seed);
    rt_timer_init(&prober->timer, tick);
    proxy->prober = prober;
    tick(&prober->timer, now_us);
    return 0;
}

void proxy_prober_destroy(struct proxy_prober *prober)
{
    struct list_link *link;
    if (prober == NULL)
        return;
    rt_timer_cancel(prober->proxy->parts.wheel, &prober->timer);
    while ((link = list_first(&prober->watches)) != NULL) {
        struct watch *watch = LIST_ENTRY(link, struct watch, link);
        list_remove(link);
        free(watch);
    }
    free(prober);
}

void proxy_stop_probing(struct proxy *proxy, uint64_t now_us)
{
    struct proxy_prober *prober = proxy->prober;
    if (prober == NULL)
        return;
    for (struct list_link *link = prober->watches.next; link != &prober->watches;
         link = link->next) {
        struct watch *watch = LIST_ENTRY(link, struct watch, link);
        if (watch->client != NULL)
            txn_client_give_up(watch->client, now_us);
        proxy_health_close(proxy->parts.health, watch->pulse);
    }
    proxy_prober_destroy(prober);
    proxy->prober = NULL;
}

void proxy_unreachable(struct proxy *proxy, const struct tp_address *to, uint64_t now_us)
{
    const struct proxy_plan *plan = proxy->snapshot.plan;
    uint64_t identity = tp_target_identity(to, TP_PROTOCOL_UDP);
    for (size_t i = 0; i < proxy_plan_trunk_count(plan); i++)
        proxy_pulse_hint(
            proxy_health_find(proxy->parts.health, proxy_plan_trunk(plan, i)->mark, identity),
            now_us);
}
