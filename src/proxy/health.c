/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/health.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"

/* Keys of places; a target's own is neither. */
#define KEY_FREE   0
#define KEY_CLOSED 1 /* the search goes on behind it */

#define HEARD_GRAIN_US UINT64_C(100000)
/* What a target takes at once when it comes back, of 65536: enough that a lone call sees it. */
#define FIRST_SHARE 3277

/*
 * Lines of memory: the key and what each call reads, what changes when something is wrong, then
 * what is only touched where the target is asked for overload control.
 * All relaxed, each word stands alone; only the key is published, with release, over cleared words.
 */
struct proxy_pulse {
    _Alignas(64) _Atomic uint64_t key;
    _Atomic uint64_t heard_us;
    _Atomic uint64_t down_us;        /* 0: up */
    _Atomic uint64_t returned_us;    /* when it was last marked up */
    _Atomic uint64_t avoid_until_us; /* Retry-After */
    _Atomic uint32_t failures;
    _Alignas(64) _Atomic uint64_t avoided_us; /* when it asked for it */
    _Atomic uint64_t hinted_us;               /* when ICMP came */
    _Atomic uint64_t probed_us;
    _Atomic uint16_t status;
    _Atomic uint8_t cause;
    void *watch; /* the prober's own */
    struct proxy_throttle throttle;
};

struct proxy_health {
    uint64_t mask;
    uint32_t limit;
    uint32_t used; /* the prober's */
    struct proxy_pulse *places;
};

static const char *const cause_texts[] = {
#define CAUSE_ROW(identifier, text) text,
    PROXY_CAUSE_TABLE(CAUSE_ROW)
#undef CAUSE_ROW
};

static const char *const state_texts[] = {
#define STATE_ROW(identifier, text) text,
    PROXY_STATE_TABLE(STATE_ROW)
#undef STATE_ROW
};

const char *proxy_cause_text(enum proxy_cause cause)
{
    return cause_texts[cause];
}

const char *proxy_state_text(enum proxy_state state)
{
    return state_texts[state];
}

#define LOAD(field)         atomic_load_explicit(&(field), memory_order_relaxed)
#define STORE(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

/* ---- the table ---------------------------------------------------------------------------- */

int proxy_health_create(uint32_t targets, struct proxy_health **health)
{
    struct proxy_health *made = calloc(1, sizeof(*made));
    uint64_t size = 16;
    while (size < 2 * (uint64_t)targets)
        size *= 2;
    if (made == NULL)
        return -ENOMEM;
    made->mask = size - 1;
    made->limit = targets;
    made->places = aligned_alloc(64, size * sizeof(*made->places));
    if (made->places == NULL) {
        free(made);
        return -ENOMEM;
    }
    memset((void *)made->places, 0, size * sizeof(*made->places));
    *health = made;
    return 0;
}

void proxy_health_destroy(struct proxy_health *health)
{
    if (health == NULL)
        return;
    free(health->places);
    free(health);
}

static uint64_t key_of(uint32_t trunk, uint64_t target)
{
    uint64_t key = hash_mix(trunk, target);
    return key > KEY_CLOSED ? key : KEY_CLOSED + 1;
}

struct proxy_pulse *proxy_health_find(const struct proxy_health *health, uint32_t trunk,
                                      uint64_t target)
{
    if (health == NULL)
        return NULL;
    uint64_t key = key_of(trunk, target);
    /* Half of the places stay free, so the walk ends. */
    for (uint64_t at = key & health->mask;; at = (at + 1) & health->mask) {
        uint64_t present = atomic_load_explicit(&health->places[at].key, memory_order_acquire);
        if (present == key)
            return &health->places[at];
        if (present == KEY_FREE)
            return NULL;
    }
}

struct proxy_pulse *proxy_health_open(struct proxy_health *health, uint32_t trunk, uint64_t target)
{
    struct proxy_pulse *pulse = proxy_health_find(health, trunk, target);
    if (pulse != NULL)
        return pulse;
    assert(health->places != NULL);
    uint64_t key = key_of(trunk, target);
    uint64_t at = key & health->mask;
    while (LOAD(health->places[at].key) > KEY_CLOSED)
        at = (at + 1) & health->mask;
    pulse = &health->places[at];
    if (LOAD(pulse->key) == KEY_FREE) {
        if (health->used == health->limit)
            return NULL;
        health->used++; /* a place once used never becomes free again, only closed */
    }
    STORE(pulse->heard_us, 0);
    STORE(pulse->down_us, 0);
    STORE(pulse->returned_us, 0);
    STORE(pulse->avoid_until_us, 0);
    STORE(pulse->failures, 0);
    STORE(pulse->avoided_us, 0);
    STORE(pulse->hinted_us, 0);
    STORE(pulse->probed_us, 0);
    STORE(pulse->status, 0);
    STORE(pulse->cause, PROXY_CAUSE_NONE);
    proxy_throttle_clear(&pulse->throttle);
    pulse->watch = NULL;
    atomic_store_explicit(&pulse->key, key, memory_order_release);
    return pulse;
}

void proxy_health_close(struct proxy_health *health, struct proxy_pulse *pulse)
{
    (void)health;
    STORE(pulse->key, KEY_CLOSED);
}

void *proxy_pulse_watch(const struct proxy_pulse *pulse)
{
    return pulse->watch;
}

void proxy_pulse_set_watch(struct proxy_pulse *pulse, void *watch)
{
    pulse->watch = watch;
}

/* ---- marks --------------------------------------------------------------------------------- */

bool proxy_pulse_serves(const struct proxy_pulse *pulse, uint64_t now_us)
{
    return pulse == NULL || (LOAD(pulse->down_us) == 0 && LOAD(pulse->avoid_until_us) <= now_us);
}

/* When it came back, of whatever kept it away; 0: it never was. */
static uint64_t returned_us(const struct proxy_pulse *pulse)
{
    uint64_t returned = LOAD(pulse->returned_us);
    uint64_t avoided = LOAD(pulse->avoid_until_us);
    return returned > avoided ? returned : avoided;
}

bool proxy_pulse_takes(const struct proxy_pulse *pulse, uint64_t slow_start_us, uint32_t lot,
                       uint64_t now_us)
{
    uint64_t since_us = pulse != NULL ? returned_us(pulse) : 0;
    if (since_us == 0 || now_us >= since_us + slow_start_us)
        return true;
    uint64_t share = now_us > since_us ? ((now_us - since_us) << 16) / slow_start_us : 0;
    return lot < (share > FIRST_SHARE ? share : FIRST_SHARE);
}

bool proxy_pulse_heard(struct proxy_pulse *pulse, uint64_t now_us)
{
    if (pulse == NULL || now_us < LOAD(pulse->heard_us) + HEARD_GRAIN_US)
        return false;
    STORE(pulse->heard_us, now_us);
    if (LOAD(pulse->failures) != 0)
        STORE(pulse->failures, 0);
    return LOAD(pulse->down_us) != 0 && LOAD(pulse->cause) != PROXY_CAUSE_PROBE &&
           proxy_pulse_set_up(pulse, now_us);
}

bool proxy_pulse_failed(struct proxy_pulse *pulse, enum proxy_cause cause, uint64_t begun_us,
                        uint32_t limit, uint64_t now_us)
{
    if (pulse == NULL || LOAD(pulse->heard_us) >= begun_us)
        return false; /* it serves others: this one was lost, or not to its taste */
    if (atomic_fetch_add_explicit(&pulse->failures, 1, memory_order_relaxed) + 1 < limit)
        return false;
    return proxy_pulse_set_down(pulse, cause, now_us);
}

void proxy_pulse_hint(struct proxy_pulse *pulse, uint64_t now_us)
{
    if (pulse != NULL)
        STORE(pulse->hinted_us, now_us);
}

bool proxy_pulse_hinted(const struct proxy_pulse *pulse, uint64_t since_us)
{
    return pulse != NULL && LOAD(pulse->hinted_us) >= since_us;
}

void proxy_pulse_avoid(struct proxy_pulse *pulse, uint64_t until_us, uint64_t now_us)
{
    if (pulse == NULL)
        return;
    STORE(pulse->avoided_us, now_us);
    STORE(pulse->avoid_until_us, until_us);
}

struct proxy_throttle *proxy_pulse_throttle(struct proxy_pulse *pulse)
{
    return pulse != NULL ? &pulse->throttle : NULL;
}

void proxy_pulse_refused(struct proxy_pulse *pulse, uint16_t status)
{
    if (pulse != NULL && LOAD(pulse->status) != status)
        STORE(pulse->status, status);
}

/* Of several that see the change, one reports it. */
bool proxy_pulse_set_down(struct proxy_pulse *pulse, enum proxy_cause cause, uint64_t now_us)
{
    uint64_t up = 0;
    if (!atomic_compare_exchange_strong_explicit(&pulse->down_us, &up, now_us, memory_order_relaxed,
                                                 memory_order_relaxed))
        return false;
    STORE(pulse->cause, (uint8_t)cause);
    return true;
}

bool proxy_pulse_set_up(struct proxy_pulse *pulse, uint64_t now_us)
{
    uint64_t down_us = LOAD(pulse->down_us);
    if (down_us == 0)
        return false;
    /* First: who sees it up must see that it has just come back. */
    atomic_store_explicit(&pulse->returned_us, now_us, memory_order_relaxed);
    STORE(pulse->failures, 0);
    return atomic_compare_exchange_strong_explicit(&pulse->down_us, &down_us, 0,
                                                   memory_order_release, memory_order_relaxed);
}

void proxy_pulse_probed(struct proxy_pulse *pulse, uint16_t status, uint64_t now_us)
{
    STORE(pulse->probed_us, now_us);
    STORE(pulse->status, status);
}

struct proxy_view proxy_pulse_view(const struct proxy_pulse *pulse, uint64_t slow_start_us,
                                   uint64_t now_us)
{
    struct proxy_view view = {.state = PROXY_STATE_UP};
    if (pulse == NULL)
        return view;
    uint64_t down_us = LOAD(pulse->down_us);
    uint64_t avoid_until_us = LOAD(pulse->avoid_until_us);
    uint64_t back_us = returned_us(pulse);
    view.cause = (enum proxy_cause)LOAD(pulse->cause);
    view.heard_us = LOAD(pulse->heard_us);
    view.probed_us = LOAD(pulse->probed_us);
    view.failures = LOAD(pulse->failures);
    view.status = LOAD(pulse->status);
    if (down_us != 0) {
        view.state = PROXY_STATE_DOWN;
        view.since_us = down_us;
    } else if (avoid_until_us > now_us) {
        view.state = PROXY_STATE_AVOIDED;
        view.since_us = LOAD(pulse->avoided_us);
        view.until_us = avoid_until_us;
    } else {
        if (back_us != 0 && now_us < back_us + slow_start_us)
            view.state = PROXY_STATE_RETURNING;
        view.since_us = back_us;
    }
    return view;
}
