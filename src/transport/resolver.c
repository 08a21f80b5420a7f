/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/resolver.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "resolver_int.h"
#include "runtime/mailbox.h"
#include "runtime/thread.h"

/* However often something seems due. */
#define LOOK_LEAST_US UINT64_C(20000)
/* At least so often destinations that nobody holds and records that nobody uses are let go. */
#define SWEEP_US UINT64_C(10000000)
/* Records that no destination has looked at for so long are forgotten. */
#define UNUSED_US UINT64_C(3600000000)

struct tp_destination {
    struct list_link link;
    struct tp_name name; /* its host is in `host` */
    uint64_t identity;
    _Atomic uint32_t holders;
    _Atomic(struct tp_targets *) current; /* never NULL; replaced by the resolver only */
    /* The resolver thread's. */
    uint64_t again_us;
    uint64_t looked_at; /* see dns_result */
    char host[TP_DNS_NAME_BYTES];
    char text[TP_DNS_NAME_BYTES + 64];
};

struct tp_resolver {
    pthread_mutex_t lock; /* of the list of destinations */
    pthread_cond_t progress;
    struct list_link destinations;
    struct tp_resolver_settings settings;
    struct reclaim *domain;
    struct stats_shard *stats;
    struct rt_loop *loop;
    struct rt_wheel *wheel;
    struct rt_mailbox *mailbox;
    struct rt_thread *thread;
    struct rt_timer timer;
    struct dns_cache *cache;
    struct dns_client *client;
    uint64_t changed; /* tp_dns_cache_bit() of what came in since the last look */
    uint64_t swept_us;
};

/* ---- destinations -------------------------------------------------------------------------- */

int tp_resolver_create(struct tp_resolver **resolver)
{
    pthread_condattr_t attributes;
    struct tp_resolver *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    list_init(&made->destinations);
    pthread_mutex_init(&made->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&made->progress, &attributes);
    pthread_condattr_destroy(&attributes);
    *resolver = made;
    return 0;
}

static void write_text(struct tp_destination *destination)
{
    const struct tp_name *name = &destination->name;
    struct buffer text = buffer_over(destination->text, sizeof(destination->text) - 1);
    buffer_append_text(&text, name->secure ? "sips:" : "sip:");
    buffer_append(&text, name->host);
    if (name->port != 0) {
        buffer_append_char(&text, ':');
        buffer_append_uint(&text, name->port);
    }
    if (name->protocol >= 0) {
        buffer_append_literal(&text, ";transport=");
        buffer_append_text(&text, tp_protocol_rows[name->protocol].word);
    }
}

static int create_destination(const struct tp_name *name, struct tp_destination **destination)
{
    struct tp_destination *made = calloc(1, sizeof(*made));
    struct tp_targets *empty = calloc(1, sizeof(*empty));
    if (made == NULL || empty == NULL || name->host.length >= sizeof(made->host)) {
        free(made);
        free(empty);
        return -ENOMEM;
    }
    for (size_t i = 0; i < name->host.length; i++) {
        char byte = name->host.data[i];
        made->host[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
    }
    made->name = *name;
    made->name.host = slice_make(made->host, name->host.length);
    write_text(made);
    const struct hash_key same_everywhere = {{0, 0}};
    made->identity = hash_slice(&same_everywhere, slice_of_text(made->text));
    atomic_init(&made->holders, 0);
    atomic_init(&made->current, empty);
    *destination = made;
    return 0;
}

static void destroy_destination(struct tp_destination *destination)
{
    list_remove(&destination->link);
    free(atomic_load_explicit(&destination->current, memory_order_relaxed));
    free(destination);
}

static struct tp_destination *find_destination(struct tp_resolver *resolver,
                                               const struct tp_name *name)
{
    struct list_link *head = &resolver->destinations;
    for (struct list_link *at = head->next; at != head; at = at->next) {
        struct tp_destination *destination = LIST_ENTRY(at, struct tp_destination, link);
        const struct tp_name *other = &destination->name;
        if (slice_equal_nocase(other->host, name->host) && other->port == name->port &&
            other->protocol == name->protocol && other->secure == name->secure)
            return destination;
    }
    return NULL;
}

static void look(void *target, void *argument);

int tp_destination_open(struct tp_resolver *resolver, const struct tp_name *name,
                        struct tp_destination **destination)
{
    int error = 0;
    pthread_mutex_lock(&resolver->lock);
    struct tp_destination *found = find_destination(resolver, name);
    if (found == NULL) {
        error = create_destination(name, &found);
        if (error == 0)
            list_append(&resolver->destinations, &found->link);
    }
    if (error == 0) {
        atomic_fetch_add_explicit(&found->holders, 1, memory_order_relaxed);
        *destination = found;
        /* Without memory for the letter it is found at the next sweep. */
        if (resolver->mailbox != NULL && rt_mailbox_post(resolver->mailbox, look, NULL) != 0)
            log_debug("dns", "%s is looked up with the next sweep", found->text);
    }
    pthread_mutex_unlock(&resolver->lock);
    return error;
}

/* Takes no lock: plans are destroyed by the reclamation, which the resolver calls under its own.
 * Release: what the holder read is read before the memory goes. */
void tp_destination_close(struct tp_destination *destination)
{
    atomic_fetch_sub_explicit(&destination->holders, 1, memory_order_release);
}

const struct tp_targets *tp_destination_targets(const struct tp_destination *destination)
{
    return atomic_load_explicit(&destination->current, memory_order_acquire);
}

const char *tp_destination_text(const struct tp_destination *destination)
{
    return destination->text;
}

uint64_t tp_destination_identity(const struct tp_destination *destination)
{
    return destination->identity;
}

/* ---- publishing ---------------------------------------------------------------------------- */

static bool is_target(const struct tp_target *targets, size_t count,
                      const struct tp_address *address)
{
    for (size_t i = 0; i < count; i++)
        if (tp_address_same_host(&targets[i].address, address))
            return true;
    return false;
}

static void remember(struct tp_targets *targets, const struct tp_address *address,
                     uint64_t until_us)
{
    if (targets->former_count == TP_FORMER_LIMIT ||
        is_target(targets->targets, targets->count, address))
        return;
    for (size_t i = 0; i < targets->former_count; i++)
        if (tp_address_same_host(&targets->former[i].address, address))
            return;
    targets->former[targets->former_count].address = *address;
    targets->former[targets->former_count++].until_us = until_us;
}

/* Calls under way may still be with an address that is no target any more. */
static void carry_over(const struct tp_resolver *resolver, const struct tp_targets *old,
                       struct tp_targets *new, uint64_t now_us)
{
    for (size_t i = 0; i < old->count; i++)
        remember(new, &old->targets[i].address, now_us + resolver->settings.remember_us);
    for (size_t i = 0; i < old->former_count; i++)
        if (old->former[i].until_us > now_us)
            remember(new, &old->former[i].address, old->former[i].until_us);
}

static bool same_targets(const struct tp_targets *a, const struct tp_targets *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->targets[i].identity != b->targets[i].identity ||
            a->targets[i].weight != b->targets[i].weight ||
            a->targets[i].priority != b->targets[i].priority)
            return false;
    return true;
}

static void log_targets(const struct tp_destination *destination, const struct tp_targets *targets)
{
    char memory[400];
    struct buffer text = buffer_over(memory, sizeof(memory));
    for (size_t i = 0; i < targets->count && text.length < sizeof(memory) - TP_ADDRESS_TEXT - 40;
         i++) {
        const struct tp_target *target = &targets->targets[i];
        buffer_append_text(&text, i == 0 ? " " : ", ");
        tp_address_append(&text, &target->address);
        buffer_format(&text, " %s priority %u", tp_protocol_rows[target->protocol].word,
                      target->priority);
    }
    char problem[2 * TP_PROBLEM_BYTES];
    if (targets->count == 0)
        log_warning("dns", "%s resolves to nothing, calls to it get 503: %s", destination->text,
                    log_slice(problem, sizeof(problem), slice_of_text(targets->problem)));
    else
        log_notice("dns", "%s resolves to%.*s", destination->text, SLICE_ARGS(buffer_slice(&text)));
}

static void log_change(const struct tp_destination *destination, const struct tp_targets *old,
                       const struct tp_targets *new)
{
    char problem[2 * TP_PROBLEM_BYTES];
    if (!same_targets(old, new) || !old->settled)
        log_targets(destination, new);
    else if (new->stale && !old->stale)
        log_warning("dns", "%s keeps %zu targets beyond their time, DNS fails: %s",
                    destination->text, new->count,
                    log_slice(problem, sizeof(problem), slice_of_text(new->problem)));
    else if (old->stale && !new->stale)
        log_notice("dns", "%s is up to date again", destination->text);
}

static void publish(struct tp_resolver *resolver, struct tp_destination *destination,
                    const struct dns_result *result, uint64_t now_us)
{
    struct tp_targets *old = atomic_load_explicit(&destination->current, memory_order_relaxed);
    struct tp_targets *new = calloc(1, sizeof(*new));
    if (new == NULL)
        return; /* the old list serves on */
    new->count = result->count;
    memcpy(new->targets, result->targets, result->count * sizeof(result->targets[0]));
    memcpy(new->problem, result->problem, sizeof(new->problem));
    new->expires_us = result->expires_us;
    new->stale = result->stale;
    new->settled = !result->waiting;
    new->resolved_us = result->stale || result->count == 0 ? old->resolved_us : now_us;
    new->changed_us = same_targets(old, new) ? old->changed_us : now_us;
    carry_over(resolver, old, new, now_us);
    /* Release: readers find the list as it was filled. */
    atomic_store_explicit(&destination->current, new, memory_order_release);
    log_change(destination, old, new);
    if (!same_targets(old, new))
        stats_count(resolver->stats, STATS_DNS_CHANGES);
    if (new->stale && !old->stale)
        stats_count(resolver->stats, STATS_DNS_STALE);
    if (reclaim_retire(resolver->domain, old, free) != 0)
        log_error("dns", "out of memory: an old list of targets cannot be freed");
}

static bool differs(const struct tp_targets *old, const struct dns_result *result)
{
    return old->count != result->count || old->stale != result->stale ||
           old->settled == result->waiting || old->expires_us != result->expires_us ||
           strcmp(old->problem, result->problem) != 0;
}

/* A list in use stays until everything about the next one is known; a first one may be partial,
 * which beats none. */
static void resolve(struct tp_resolver *resolver, struct tp_destination *destination,
                    uint64_t now_us)
{
    struct dns_result result;
    const struct tp_targets *old = tp_destination_targets(destination);
    tp_dns_walk(resolver->cache, &destination->name, resolver->settings.protocols, now_us, &result);
    destination->looked_at = result.looked_at;
    destination->again_us = result.again_us;
    if (result.again_us < now_us + LOOK_LEAST_US)
        destination->again_us = now_us + LOOK_LEAST_US;
    if (result.waiting && (old->count > 0 || result.count == 0))
        return;
    if (differs(old, &result))
        publish(resolver, destination, &result, now_us);
}

/* ---- the thread ---------------------------------------------------------------------------- */

static void sweep(struct tp_resolver *resolver, uint64_t now_us)
{
    struct list_link *head = &resolver->destinations;
    for (struct list_link *at = head->next, *next; at != head; at = next) {
        struct tp_destination *destination = LIST_ENTRY(at, struct tp_destination, link);
        next = at->next;
        /* Acquire: see tp_destination_close(). A new holder comes under the lock only. */
        if (atomic_load_explicit(&destination->holders, memory_order_acquire) == 0)
            destroy_destination(destination);
    }
    if (now_us > UNUSED_US)
        tp_dns_cache_sweep(resolver->cache, now_us - UNUSED_US);
    resolver->swept_us = now_us;
}

static void look_around(struct tp_resolver *resolver, uint64_t now_us)
{
    uint64_t changed = resolver->changed;
    resolver->changed = 0;
    pthread_mutex_lock(&resolver->lock);
    if (now_us >= resolver->swept_us + SWEEP_US)
        sweep(resolver, now_us);
    uint64_t next_us = resolver->swept_us + SWEEP_US;
    struct list_link *head = &resolver->destinations;
    for (struct list_link *at = head->next; at != head; at = at->next) {
        struct tp_destination *destination = LIST_ENTRY(at, struct tp_destination, link);
        if (now_us >= destination->again_us || (destination->looked_at & changed) != 0)
            resolve(resolver, destination, now_us);
        if (destination->again_us < next_us)
            next_us = destination->again_us;
    }
    pthread_cond_broadcast(&resolver->progress);
    pthread_mutex_unlock(&resolver->lock);
    /* A question that failed at once has changed something again. */
    if (resolver->changed != 0)
        next_us = now_us;
    rt_timer_set(resolver->wheel, &resolver->timer, now_us,
                 next_us > now_us + LOOK_LEAST_US ? next_us - now_us : LOOK_LEAST_US);
}

static void timer_fired(struct rt_timer *timer, uint64_t now_us)
{
    look_around(LIST_ENTRY(timer, struct tp_resolver, timer), now_us);
}

static void look(void *target, void *argument)
{
    struct tp_resolver *resolver = target;
    (void)argument;
    look_around(resolver, rt_loop_now(resolver->loop));
}

static void ask(void *argument, const char *name, enum dns_type type)
{
    struct tp_resolver *resolver = argument;
    stats_count(resolver->stats, STATS_DNS_QUERIES);
    tp_dns_client_ask(resolver->client, name, type);
}

static void answered(void *argument, const char *name, enum dns_type type, int failure,
                     const uint8_t *bytes, size_t length)
{
    struct tp_resolver *resolver = argument;
    struct dns_answer answer;
    uint64_t now_us = rt_loop_now(resolver->loop);
    if (failure == 0)
        failure = tp_dns_answer_parse(bytes, length, name, type, &answer);
    if (failure == 0) {
        tp_dns_cache_store(resolver->cache, name, type, &answer, now_us);
    } else {
        tp_dns_cache_fail(resolver->cache, name, type, failure, now_us);
        stats_count(resolver->stats, STATS_DNS_FAILED);
        log_debug("dns", "%s %s: %s", tp_dns_type_text(type), name, error_text(failure));
    }
    /* Answers come in flocks: one look for all that are there. */
    resolver->changed |= tp_dns_cache_bit(resolver->cache, name, type);
    rt_timer_set(resolver->wheel, &resolver->timer, now_us, 1000);
}

static void before_wait(void *argument, uint64_t *wait_us)
{
    struct tp_resolver *resolver = argument;
    uint64_t now_us = rt_loop_refresh(resolver->loop);
    rt_wheel_advance(resolver->wheel, now_us);
    uint64_t wait = rt_wheel_wait(resolver->wheel, now_us);
    if (wait < *wait_us)
        *wait_us = wait;
}

static void run(void *argument)
{
    struct tp_resolver *resolver = argument;
    rt_thread_give_way();
    look_around(resolver, rt_loop_refresh(resolver->loop));
    int error = rt_loop_run(resolver->loop);
    if (error != 0)
        log_error("dns", "the resolver's event loop failed: %s", error_text(error));
}

int tp_resolver_start(struct tp_resolver *resolver, const struct tp_resolver_settings *settings,
                      struct reclaim *domain, struct stats_registry *registry)
{
    struct rt_mailbox *mailbox = NULL;
    resolver->settings = *settings;
    resolver->domain = domain;
    rt_timer_init(&resolver->timer, timer_fired);
    int error = rt_loop_create(&resolver->loop);
    if (error == 0)
        error = rt_wheel_create(rt_loop_now(resolver->loop), &resolver->wheel);
    if (error == 0)
        error = rt_mailbox_create(resolver->loop, resolver, &mailbox);
    if (error == 0)
        error = stats_shard_create(registry, &resolver->stats);
    if (error == 0)
        error = tp_dns_cache_create(settings, ask, resolver, &resolver->cache);
    if (error == 0)
        error = tp_dns_client_create(resolver->loop, resolver->wheel, settings, answered, resolver,
                                     &resolver->client);
    pthread_mutex_lock(&resolver->lock);
    resolver->mailbox = mailbox;
    pthread_mutex_unlock(&resolver->lock);
    if (error != 0)
        return error;
    /* The addresses of the servers are copied by now. */
    resolver->settings.servers = NULL;
    resolver->settings.server_count = 0;
    resolver->swept_us = rt_loop_now(resolver->loop);
    rt_loop_set_hooks(resolver->loop, before_wait, NULL, resolver);
    return rt_thread_start("resolver", -1, run, resolver, &resolver->thread);
}

static bool all_settled(struct tp_resolver *resolver)
{
    struct list_link *head = &resolver->destinations;
    for (struct list_link *at = head->next; at != head; at = at->next)
        if (!tp_destination_targets(LIST_ENTRY(at, struct tp_destination, link))->settled)
            return false;
    return true;
}

bool tp_resolver_settle(struct tp_resolver *resolver, uint64_t limit_us)
{
    struct timespec until;
    int error = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t end_ns = (uint64_t)until.tv_nsec + limit_us * 1000;
    until.tv_sec += (time_t)(end_ns / 1000000000);
    until.tv_nsec = (long)(end_ns % 1000000000);
    pthread_mutex_lock(&resolver->lock);
    /* Lists are freed by reclaim_collect(), and replaced under the lock only. */
    while (!all_settled(resolver) && error == 0)
        error = pthread_cond_timedwait(&resolver->progress, &resolver->lock, &until);
    bool settled = all_settled(resolver);
    pthread_mutex_unlock(&resolver->lock);
    return settled;
}

void tp_resolver_stop(struct tp_resolver *resolver)
{
    if (resolver->thread != NULL) {
        rt_loop_stop(resolver->loop);
        rt_thread_join(resolver->thread);
        resolver->thread = NULL;
    }
    pthread_mutex_lock(&resolver->lock);
    struct rt_mailbox *mailbox = resolver->mailbox;
    resolver->mailbox = NULL;
    pthread_mutex_unlock(&resolver->lock);
    tp_dns_client_destroy(resolver->client);
    tp_dns_cache_destroy(resolver->cache);
    rt_mailbox_destroy(mailbox);
    rt_wheel_destroy(resolver->wheel);
    rt_loop_destroy(resolver->loop);
    resolver->client = NULL;
    resolver->cache = NULL;
    resolver->wheel = NULL;
    resolver->loop = NULL;
}

void tp_resolver_destroy(struct tp_resolver *resolver)
{
    if (resolver == NULL)
        return;
    tp_resolver_stop(resolver);
    while (!list_is_empty(&resolver->destinations))
        destroy_destination(LIST_ENTRY(resolver->destinations.next, struct tp_destination, link));
    pthread_cond_destroy(&resolver->progress);
    pthread_mutex_destroy(&resolver->lock);
    free(resolver);
}
