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
enum callee_state { CALLEE_NONE, CALLEE_RINGING, CALLEE_ANSWERED, CALLEE_TALKING, CALLEE_GONE };

/* Both ends of a call. */
struct call {
    uint64_t id; /* 0: the slot is free */
    uint64_t invited_at;
    char *route;       /* of the caller: Route headers */
    char *answer_head; /* of the callee: what each answer repeats */
    uint16_t route_length;
    uint16_t answer_head_length;
    uint8_t socket;
    uint8_t hop;    /* of the callee, once there is one */
    uint8_t caller; /* enum caller_state */
    uint8_t callee; /* enum callee_state */
    bool counted;
    bool trying_seen;
    bool ringing_seen;
};

/* A callee: where calls are sent to. */
struct hop {
    struct generator_calls *calls;
    struct generator_link *link; /* NULL: closed */
    enum hop_mode mode;
    int status; /* with HOP_REFUSES */
};

struct generator_calls {
    struct generator_settings settings;
    struct generator_results *results;
    struct generator_messages *messages;
    struct generator_timers *timers;
    struct generator_link *callers[GENERATOR_SOCKETS];
    struct hop hops[GENERATOR_CALLEES];
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

static void open_hop(struct generator_calls *calls, unsigned number)
{
    const struct generator_settings *settings = &calls->settings;
    const struct sockaddr_in *to_caller = settings->direct ? &settings->caller : &settings->proxy;
    struct sockaddr_in own = with_port_added(settings->callee, number);
    calls->hops[number].link = link_open(settings, &own, to_caller, true);
}

struct generator_calls *calls_create(const struct generator_settings *settings,
                                     struct generator_results *results)
{
    struct generator_calls *calls = generator_zeroed(1, sizeof(*calls));
    calls->settings = *settings;
    calls->results = results;
    calls->messages = messages_create(settings);
    calls->timers = timers_create(settings->ring_ms, settings->hold_ms);
    const struct sockaddr_in *to_callee = settings->direct ? &settings->callee : &settings->proxy;
    for (unsigned i = 0; i < settings->sockets; i++) {
        struct sockaddr_in own = with_port_added(settings->caller, i);
        calls->callers[i] = link_open(settings, &own, to_callee, false);
    }
    for (unsigned i = 0; i < settings->callees; i++) {
        calls->hops[i].calls = calls;
        open_hop(calls, i);
    }
    if (settings->mark != NULL)
        snprintf(calls->mark, sizeof(calls->mark), "\r\n%s:", settings->mark);
    calls->slot_count = slots_needed(settings);
    calls->slots = generator_zeroed(calls->slot_count, sizeof(*calls->slots));
    calls->free_slots = generator_zeroed(calls->slot_count, sizeof(*calls->free_slots));
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

/* Seconds are those of the monotonic clock. */
static void tell_failure(const struct generator_calls *calls, const struct call *call,
                         const uint64_t *reason)
{
    static const char *const stages[] = {"invited", "invited", "talking", "leaving"};
    const struct generator_results *results = calls->results;
    char why[16] = "unfinished";
    if (reason == &results->timed_out)
        snprintf(why, sizeof(why), "no answer");
    else if (reason != &results->unfinished)
        snprintf(why, sizeof(why), "%u", (unsigned)(reason - results->statuses));
    bool rang = call->caller <= CALLER_PROCEEDING && call->ringing_seen;
    printf("{\"event\": \"failed\", \"begun\": %.3f, \"ended\": %.3f, \"stage\": \"%s\", "
           "\"why\": \"%s\", \"callee\": %u, \"gone\": %s}\n",
           (double)call->invited_at / 1e9, (double)generator_now() / 1e9,
           rang ? "ringing" : stages[call->caller], why,
           call->callee == CALLEE_NONE ? 0 : call->hop + 1U,
           call->callee == CALLEE_GONE ? "true" : "false");
}

static void fail(struct generator_calls *calls, struct call *call, uint64_t *reason)
{
    if (call->counted) {
        calls->results->failed++;
        (*reason)++;
        if (calls->settings.failures)
            tell_failure(calls, call, reason);
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
    link_push(link, messages_request(calls->messages, request, call->socket, call->hop, call->id,
                                     dialog ? call->route : NULL, dialog ? call->route_length : 0,
                                     link_room(link)));
}

static bool is_mute(const struct hop *hop)
{
    return hop->link == NULL || hop->mode == HOP_SILENT;
}

static void send_answer(struct generator_calls *calls, const struct call *call)
{
    const struct hop *hop = &calls->hops[call->hop];
    if (is_mute(hop))
        return;
    link_push(hop->link, messages_answer(
                             calls->messages, call->hop, call->callee == CALLEE_RINGING ? 180 : 200,
                             call->answer_head, call->answer_head_length, link_room(hop->link)));
}

static void send_plain_answer(const struct hop *hop, int status, const char *head, size_t length)
{
    link_push(hop->link, messages_plain_answer(status, head, length, link_room(hop->link)));
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
        call->route = generator_zeroed(1, call->route_length + 1U);
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
    link_push(link, messages_request(calls->messages, GENERATOR_REFUSAL_ACK, socket, 0, view->id,
                                     to, to_length, link_room(link)));
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
    if (!call->counted)
        return;
    results_delay(status == 100 ? results->to_trying : results->to_ringing, now - call->invited_at);
    if (status > 100)
        results_delay(results->to_ringing_lately, now - call->invited_at);
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

/* It rings at another callee already, where the proxy has turned to when this one kept it waiting;
 * here nobody is going to answer before the CANCEL. */
static void invited_too(const struct hop *hop, const char *head, size_t length)
{
    send_plain_answer(hop, 180, head, length);
}

static void invited(struct generator_calls *calls, struct hop *hop, struct call *call,
                    const char *message, size_t length, uint64_t now)
{
    char head[GENERATOR_MESSAGE];
    uint8_t number = (uint8_t)(hop - calls->hops);
    bool known = call->callee != CALLEE_NONE && call->callee != CALLEE_GONE;
    if (known && call->hop == number) {
        send_answer(calls, call);
        return;
    }
    size_t head_length = messages_answer_head(message, length, call->id, head);
    if (hop->mode == HOP_REFUSES) {
        send_plain_answer(hop, hop->status, head, head_length);
        return;
    }
    if (known) {
        invited_too(hop, head, head_length);
        return;
    }
    free(call->answer_head);
    call->hop = number;
    call->answer_head_length = (uint16_t)head_length;
    call->answer_head = generator_zeroed(1, call->answer_head_length);
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

static void cancelled(const struct hop *hop, const struct call *call, const char *message,
                      size_t length)
{
    char head[GENERATOR_MESSAGE];
    size_t head_length = messages_answer_head(message, length, call->id, head);
    send_plain_answer(hop, 200, head, head_length);
    if (hop == &hop->calls->hops[call->hop] && call->callee >= CALLEE_ANSWERED)
        return;
    messages_head_of_invite(head, head_length);
    send_plain_answer(hop, 487, head, head_length);
}

/* OPTIONS, and the BYE of a call: 481 when it is none of this callee's. */
static void answer_plainly(const struct hop *hop, const struct call *call, const char *message,
                           size_t length)
{
    char head[GENERATOR_MESSAGE];
    bool probe = message[0] == 'O';
    size_t head_length = messages_answer_head(message, length, probe ? 1 : 0, head);
    int status = probe && hop->mode == HOP_REFUSES ? hop->status : 200;
    if (!probe && call->callee == CALLEE_GONE)
        status = 481;
    send_plain_answer(hop, status, head, head_length);
}

static void callee_receive(void *argument, const char *message, size_t length, uint64_t now)
{
    struct hop *hop = argument;
    struct generator_calls *calls = hop->calls;
    struct generator_view view;
    struct call *call = NULL;
    if (is_mute(hop))
        return;
    if (messages_read(message, length, &view) && view.status == 0)
        call = find(calls, view.id);
    if (view.method == 'O')
        answer_plainly(hop, NULL, message, length);
    else if (call == NULL)
        calls->results->strays++;
    else if (view.method == 'I')
        invited(calls, hop, call, message, length, now);
    else if (view.method == 'C')
        cancelled(hop, call, message, length);
    else if (call->callee == CALLEE_ANSWERED && hop == &calls->hops[call->hop])
        call->callee = CALLEE_TALKING;
    if (call != NULL && view.method == 'B')
        answer_plainly(hop, call, message, length);
}

static void repeat(struct generator_calls *calls, struct call *call, enum timer_kind kind,
                   unsigned stage, uint64_t now)
{
    struct generator_results *results = calls->results;
    if (calls->settings.once)
        return;
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
    } else if (kind == TIMER_RING && call->callee == CALLEE_RINGING) {
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
    for (unsigned i = 0; i < calls->settings.callees; i++) {
        struct hop *hop = &calls->hops[i];
        if (hop->link == NULL)
            continue;
        worked = link_receive(hop->link, callee_receive, hop) > 0 || worked;
        link_flush(hop->link);
    }
    return worked;
}

void calls_wait(struct generator_calls *calls, uint64_t nanoseconds)
{
    struct pollfd polled[GENERATOR_SOCKETS + GENERATOR_CALLEES];
    unsigned count = 0;
    for (; count < calls->settings.sockets; count++)
        polled[count] = (struct pollfd){link_descriptor(calls->callers[count]), POLLIN, 0};
    for (unsigned i = 0; i < calls->settings.callees; i++)
        if (calls->hops[i].link != NULL)
            polled[count++] = (struct pollfd){link_descriptor(calls->hops[i].link), POLLIN, 0};
    struct timespec time = {0, (long)nanoseconds};
    ppoll(polled, count, &time, NULL);
}

/* Its calls are over, whatever the other ends think. */
static void close_hop(struct generator_calls *calls, unsigned number)
{
    link_close(calls->hops[number].link);
    calls->hops[number].link = NULL;
    for (uint32_t i = 0; i < calls->slot_count; i++) {
        struct call *call = &calls->slots[i];
        if (call->id != 0 && call->callee != CALLEE_NONE && call->hop == number)
            call->callee = CALLEE_GONE;
    }
}

bool calls_set_mode(struct generator_calls *calls, unsigned callee, enum hop_mode mode,
                    unsigned value)
{
    if (callee > calls->settings.callees || (callee == 0 && mode != HOP_RESETS))
        return false;
    if (callee == 0) {
        for (unsigned i = 0; i < calls->settings.sockets; i++)
            link_reset(calls->callers[i]);
        return true;
    }
    struct hop *hop = &calls->hops[callee - 1];
    if (mode == HOP_CLOSED && hop->link != NULL)
        close_hop(calls, callee - 1);
    if (mode != HOP_CLOSED && hop->link == NULL)
        open_hop(calls, callee - 1);
    if (mode == HOP_RESETS)
        link_reset(hop->link);
    if (hop->link != NULL)
        link_slow_down(hop->link, mode == HOP_SLOW ? value * (GENERATOR_SECOND / 1000) : 0);
    hop->mode = mode == HOP_RESETS ? HOP_ANSWERS : mode;
    hop->status = (int)value;
    return true;
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
    for (unsigned i = 0; i < calls->settings.callees; i++)
        if (calls->hops[i].link != NULL)
            link_close(calls->hops[i].link);
    timers_destroy(calls->timers);
    messages_destroy(calls->messages);
    free(calls->slots);
    free(calls->free_slots);
    free(calls);
}
