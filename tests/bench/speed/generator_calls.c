/* SPDX-License-Identifier: Apache-2.0 */
#include "generator.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Repetitions before a transaction has failed: 64 times T1 (timers B and F; 13.3.1.4). */
#define INVITE_STAGES 6
#define OTHER_STAGES  10

/* An id is a running number above the call's slot, so that a late message meets no other call. */
#define SLOT_BITS 24
#define SLOT_MASK ((UINT64_C(1) << SLOT_BITS) - 1)
#define SLOTS_MIN (UINT64_C(1) << 16)
#define SLOTS_MAX (UINT64_C(1) << 23)

enum caller_state { CALLER_INVITED, CALLER_PROCEEDING, CALLER_TALKING, CALLER_LEAVING };
enum callee_state { CALLEE_NONE, CALLEE_RINGING, CALLEE_ANSWERED, CALLEE_TALKING };

/* Both ends of a call. */
struct call {
    uint64_t id; /* 0: the slot is free */
    uint64_t invited_at;
    char *route;       /* of the caller: Route headers */
    char *answer_head; /* of the callee: what each answer repeats */
    uint16_t route_length;
    uint16_t answer_head_length;
    uint8_t socket;
    uint8_t caller; /* enum caller_state */
    uint8_t callee; /* enum callee_state */
    bool counted;
    bool trying_seen;
    bool ringing_seen;
};

struct generator_calls {
    struct generator_settings settings;
    struct generator_results *results;
    struct generator_messages *messages;
    struct generator_timers *timers;
    struct generator_link *callers[GENERATOR_SOCKETS];
    struct generator_link *callee;
    char mark[128]; /* "\r\nName:" */
    uint64_t number;
    uint64_t settled;
    struct call *slots;
    uint32_t *free_slots; /* a stack: the slot used last is still in the cache */
    uint32_t free_count;
    uint32_t slot_count;
};

static struct sockaddr_in with_port_added(struct sockaddr_in address, unsigned ports)
{
    address.sin_port = htons((uint16_t)(ntohs(address.sin_port) + ports));
    return address;
}

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        perror("generator: memory");
        exit(1);
    }
    return memory;
}

/* Room for the calls of ring, hold and the longest retransmission. */
static uint32_t slots_needed(const struct generator_settings *settings)
{
    double seconds = 33 + (double)(settings->ring_ms + settings->hold_ms) / 1e3;
    double needed = settings->rate * seconds;
    if (settings->calls > 0 && needed > (double)settings->calls)
        needed = (double)settings->calls;
    uint64_t slots = SLOTS_MIN;
    while (slots < SLOTS_MAX && (double)slots < needed)
        slots *= 2;
    return (uint32_t)slots;
}

struct generator_calls *calls_create(const struct generator_settings *settings,
                                     struct generator_results *results)
{
    struct generator_calls *calls = zeroed(1, sizeof(*calls));
    calls->settings = *settings;
    calls->results = results;
    calls->messages = messages_create(settings);
    calls->timers = timers_create(settings->ring_ms, settings->hold_ms);
    const struct sockaddr_in *to_callee = settings->direct ? &settings->callee : &settings->proxy;
    const struct sockaddr_in *to_caller = settings->direct ? &settings->caller : &settings->proxy;
    for (unsigned i = 0; i < settings->sockets; i++) {
        struct sockaddr_in own = with_port_added(settings->caller, i);
        calls->callers[i] = link_open(settings, &own, to_callee, false);
    }
    calls->callee = link_open(settings, &settings->callee, to_caller, true);
    if (settings->mark != NULL)
        snprintf(calls->mark, sizeof(calls->mark), "\r\n%s:", settings->mark);
    calls->slot_count = slots_needed(settings);
    calls->slots = zeroed(calls->slot_count, sizeof(*calls->slots));
    calls->free_slots = zeroed(calls->slot_count, sizeof(*calls->free_slots));
    while (calls->free_count < calls->slot_count) {
        calls->free_slots[calls->free_count] = calls->slot_count - 1 - calls->free_count;
        calls->free_count++;
    }
    return calls;
}

static struct call *find(struct generator_calls *calls, uint64_t id)
{
    uint64_t slot = id & SLOT_MASK;
    struct call *call = slot < calls->slot_count ? &calls->slots[slot] : NULL;
    return call != NULL && call->id == id && id != 0 ? call : NULL;
}

static void end(struct generator_calls *calls, struct call *call)
{
    calls->free_slots[calls->free_count++] = (uint32_t)(call->id & SLOT_MASK);
    calls->results->concurrent--;
    free(call->route);
    free(call->answer_head);
    memset(call, 0, sizeof(*call));
}

static void fail(struct generator_calls *calls, struct call *call, uint64_t *reason)
{
    if (call->counted) {
        calls->results->failed++;
        (*reason)++;
    }
    end(calls, call);
}

static void succeed(struct generator_calls *calls, struct call *call, uint64_t *kind)
{
    if (call->counted)
        (*kind)++;
    calls->results->completed_between++;
    end(calls, call);
}

static void send_request(struct generator_calls *calls, const struct call *call,
                         enum generator_request request)
{
    struct generator_link *link = calls->callers[call->socket];
    bool dialog = request != GENERATOR_INVITE;
    link_push(link, messages_request(calls->messages, request, call->socket, call->id,
                                     dialog ? call->route : NULL, dialog ? call->route_length : 0,
                                     link_room(link)));
}

static void send_answer(struct generator_calls *calls, const struct call *call)
{
    link_push(calls->callee,
              messages_answer(calls->messages, call->callee == CALLEE_RINGING ? 180 : 200,
                              call->answer_head, call->answer_head_length,
                              link_room(calls->callee)));
}

void calls_start(struct generator_calls *calls, bool counted, uint64_t now)
{
    struct generator_results *results = calls->results;
    calls->number++;
    if (counted)
        results->started++;
    if (calls->free_count == 0) {
        if (counted) {
            results->failed++;
            results->no_room++;
        }
        return;
    }
    uint32_t slot = calls->free_slots[--calls->free_count];
    struct call *call = &calls->slots[slot];
    call->id = (calls->settings.seed + calls->number) << SLOT_BITS | slot;
    call->invited_at = now;
    call->socket = (uint8_t)(calls->number % calls->settings.sockets);
    call->counted = counted;
    if (++results->concurrent > results->concurrent_most)
        results->concurrent_most = results->concurrent;
    send_request(calls, call, GENERATOR_INVITE);
    timers_add(calls->timers, TIMER_INVITE, 0, call->id, now);
}

static void leave(struct generator_calls *calls, struct call *call, uint64_t now)
{
    call->caller = CALLER_LEAVING;
    send_request(calls, call, GENERATOR_BYE);
    timers_add(calls->timers, TIMER_BYE, 0, call->id, now);
}

static void answered(struct generator_calls *calls, struct call *call, const char *message,
                     size_t length, uint64_t now)
{
    char route[GENERATOR_MESSAGE];
    if (call->caller <= CALLER_PROCEEDING) {
        call->route_length = (uint16_t)messages_route_set(message, length, route);
        call->route = zeroed(1, call->route_length + 1U);
        memcpy(call->route, route, call->route_length);
        call->caller = CALLER_TALKING;
        send_request(calls, call, GENERATOR_ACK);
        calls->settled += calls->settings.keep;
        if (calls->settings.keep)
            return;
        if (calls->settings.hold_ms == 0)
            leave(calls, call, now);
        else
            timers_add(calls->timers, TIMER_HOLD, 0, call->id, now);
        return;
    }
    send_request(calls, call, GENERATOR_ACK);
}

/* Acknowledged whether or not the call is still known, or the proxy would repeat it for 32 s. */
static void refused(struct generator_calls *calls, const struct generator_view *view,
                    const char *message, size_t length, uint64_t now)
{
    const char *to;
    size_t to_length = messages_to_line(message, length, &to);
    struct call *call = find(calls, view->id);
    uint64_t number = (view->id >> SLOT_BITS) - calls->settings.seed;
    unsigned socket = (unsigned)(number % calls->settings.sockets);
    struct generator_link *link = calls->callers[socket];
    link_push(link, messages_request(calls->messages, GENERATOR_REFUSAL_ACK, socket, view->id, to,
                                     to_length, link_room(link)));
    if (call == NULL || call->caller > CALLER_PROCEEDING)
        return;
    bool asked = view->status == (int)calls->settings.asked;
    if (asked || (view->status == 603 && messages_parties(calls->messages, view->id).listed)) {
        if (call->counted)
            results_delay(calls->results->to_refusal, now - call->invited_at);
        succeed(calls, call, &calls->results->blocked);
    } else {
        fail(calls, call, &calls->results->statuses[view->status]);
    }
}

static void provisional(struct generator_calls *calls, struct call *call, int status, uint64_t now)
{
    struct generator_results *results = calls->results;
    if (call->caller == CALLER_INVITED)
        call->caller = CALLER_PROCEEDING;
    bool *seen = status == 100 ? &call->trying_seen : &call->ringing_seen;
    if (*seen)
        return;
    *seen = true;
    if (status > 100 && calls->settings.keep && calls->settings.ring_ms > 0)
        calls->settled++;
    if (call->counted)
        results_delay(status == 100 ? results->to_trying : results->to_ringing,
                      now - call->invited_at);
}

static void caller_receive(void *argument, const char *message, size_t length, uint64_t now)
{
    struct generator_calls *calls = argument;
    struct generator_view view;
    if (!messages_read(message, length, &view) || view.status == 0) {
        calls->results->strays++;
        return;
    }
    if (view.of_invite && view.status >= 300) {
        refused(calls, &view, message, length, now);
        return;
    }
    struct call *call = find(calls, view.id);
    if (call == NULL)
        calls->results->strays++;
    else if (view.of_invite && view.status < 200)
        provisional(calls, call, view.status, now);
    else if (view.of_invite)
        answered(calls, call, message, length, now);
    else if (call->caller == CALLER_LEAVING && view.status >= 300)
        fail(calls, call, &calls->results->statuses[view.status]);
    else if (call->caller == CALLER_LEAVING && view.status >= 200)
        succeed(calls, call, &calls->results->ok);
}

static void invited(struct generator_calls *calls, struct call *call, const char *message,
                    size_t length, uint64_t now)
{
    if (call->callee != CALLEE_NONE) {
        send_answer(calls, call);
        return;
    }
    char head[GENERATOR_MESSAGE];
    call->answer_head_length = (uint16_t)messages_answer_head(message, length, call->id, head);
    call->answer_head = zeroed(1, call->answer_head_length);
    memcpy(call->answer_head, head, call->answer_head_length);
    calls->results->invites++;
    if (calls->mark[0] != 0 && memmem(message, length, calls->mark, strlen(calls->mark)) != NULL)
        calls->results->marked++;
    call->callee = CALLEE_RINGING;
    send_answer(calls, call);
    if (calls->settings.ring_ms > 0) {
        if (!calls->settings.keep)
            timers_add(calls->timers, TIMER_RING, 0, call->id, now);
        return;
    }
    call->callee = CALLEE_ANSWERED;
    send_answer(calls, call);
    timers_add(calls->timers, TIMER_ANSWER, 0, call->id, now);
}

static void callee_receive(void *argument, const char *message, size_t length, uint64_t now)
{
    struct generator_calls *calls = argument;
    struct generator_view view;
    struct call *call = NULL;
    if (messages_read(message, length, &view) && view.status == 0)
        call = find(calls, view.id);
    if (call == NULL) {
        calls->results->strays++;
        return;
    }
    if (view.method == 'I') {
        invited(calls, call, message, length, now);
        return;
    }
    if (call->callee == CALLEE_ANSWERED)
        call->callee = CALLEE_TALKING;
    if (view.method == 'B') {
        char head[GENERATOR_MESSAGE];
        size_t head_length = messages_answer_head(message, length, 0, head);
        link_push(calls->callee, messages_bye_answer(head, head_length, link_room(calls->callee)));
    }
}

static void repeat(struct generator_calls *calls, struct call *call, enum timer_kind kind,
                   unsigned stage, uint64_t now)
{
    struct generator_results *results = calls->results;
    if (stage >= (kind == TIMER_INVITE ? INVITE_STAGES : OTHER_STAGES)) {
        fail(calls, call, &results->timed_out);
        return;
    }
    if (kind == TIMER_INVITE) {
        results->invite_repeats++;
        send_request(calls, call, GENERATOR_INVITE);
    } else if (kind == TIMER_BYE) {
        results->bye_repeats++;
        send_request(calls, call, GENERATOR_BYE);
    } else {
        results->answer_repeats++;
        send_answer(calls, call);
    }
    timers_add(calls->timers, kind, stage + 1, call->id, now);
}

static void fired(void *argument, uint64_t id, enum timer_kind kind, unsigned stage, uint64_t now)
{
    struct generator_calls *calls = argument;
    struct call *call = find(calls, id);
    if (call == NULL)
        return;
    if (kind == TIMER_HOLD) {
        leave(calls, call, now);
    } else if (kind == TIMER_RING) {
        call->callee = CALLEE_ANSWERED;
        send_answer(calls, call);
        timers_add(calls->timers, TIMER_ANSWER, 0, id, now);
    } else if ((kind == TIMER_INVITE && call->caller == CALLER_INVITED) ||
               (kind == TIMER_BYE && call->caller == CALLER_LEAVING) ||
               (kind == TIMER_ANSWER && call->callee == CALLEE_ANSWERED)) {
        repeat(calls, call, kind, stage, now);
    }
}

bool calls_turn(struct generator_calls *calls, uint64_t now)
{
    bool worked = timers_fire(calls->timers, now, fired, calls);
    for (unsigned i = 0; i < calls->settings.sockets; i++) {
        link_flush(calls->callers[i]);
        worked = link_receive(calls->callers[i], caller_receive, calls) > 0 || worked;
        link_flush(calls->callers[i]);
    }
    worked = link_receive(calls->callee, callee_receive, calls) > 0 || worked;
    link_flush(calls->callee);
    return worked;
}

void calls_wait(struct generator_calls *calls, uint64_t nanoseconds)
{
    struct pollfd polled[GENERATOR_SOCKETS + 1];
    unsigned count = 0;
    for (; count < calls->settings.sockets; count++)
        polled[count] = (struct pollfd){link_descriptor(calls->callers[count]), POLLIN, 0};
    polled[count++] = (struct pollfd){link_descriptor(calls->callee), POLLIN, 0};
    struct timespec time = {0, (long)nanoseconds};
    ppoll(polled, count, &time, NULL);
}

uint64_t calls_unsettled(const struct generator_calls *calls)
{
    return calls->results->concurrent - calls->settled;
}

void calls_give_up(struct generator_calls *calls)
{
    for (uint32_t i = 0; i < calls->slot_count; i++) {
        if (calls->slots[i].id != 0)
            fail(calls, &calls->slots[i], &calls->results->unfinished);
    }
}

void calls_destroy(struct generator_calls *calls)
{
    for (unsigned i = 0; i < calls->settings.sockets; i++)
        link_close(calls->callers[i]);
    link_close(calls->callee);
    timers_destroy(calls->timers);
    messages_destroy(calls->messages);
    free(calls->slots);
    free(calls->free_slots);
    free(calls);
}
