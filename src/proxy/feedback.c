/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feedback: what a peer with overload control is told when we get more than we can handle, and what
 * becomes of the calls of the others.
 *
 * The measure is how long datagrams wait for a worker. A loss is the share of calls that are too
 * many by it; a rate is the rest of what the peer sent when it began, so that what the peer does
 * about it does not count twice.
 */
#include <errno.h>
#include <stdlib.h>

#include "overload_int.h"

/* ---- how much a peer sends ----------------------------------------------------------------- */

#define DEMAND_PLACES 2048 /* a power of two beyond PROXY_TRUNK_LIMIT */
#define DEMAND_MOST   1536 /* reloads may bring others */
#define WINDOW_US     UINT64_C(500000)

struct demand {
    uint32_t mark; /* of the trunk; 0: free */
    uint32_t count;
    uint64_t since_us;
    uint32_t rate; /* requests per second in the last window */
    uint32_t base; /* before there were too many */
};

struct proxy_demands {
    uint32_t used;
    struct demand places[DEMAND_PLACES];
};

int proxy_demands_create(struct proxy_demands **demands)
{
    struct proxy_demands *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    *demands = made;
    return 0;
}

void proxy_demands_destroy(struct proxy_demands *demands)
{
    free(demands);
}

/* NULL when there is no room. */
static struct demand *find_demand(struct proxy_demands *demands, uint32_t mark)
{
    size_t at = mark & (DEMAND_PLACES - 1);
    while (demands->places[at].mark != mark && demands->places[at].mark != 0)
        at = (at + 1) & (DEMAND_PLACES - 1);
    if (demands->places[at].mark == 0) {
        if (demands->used == DEMAND_MOST)
            return NULL;
        demands->used++;
        demands->places[at].mark = mark;
    }
    return &demands->places[at];
}

static uint32_t per_second(uint32_t count, uint64_t us)
{
    return (uint32_t)((uint64_t)count * 1000000 / (us > 0 ? us : 1));
}

static void count_demand(struct demand *demand, uint64_t now_us)
{
    uint64_t passed_us = now_us - demand->since_us;
    if (passed_us >= WINDOW_US) {
        demand->rate = per_second(demand->count, passed_us);
        demand->count = 0;
        demand->since_us = now_us;
    }
    demand->count++;
}

/* What the peer may send of all that it did, to all workers together; at least one. */
static uint32_t permitted(struct proxy *proxy, const struct proxy_trunk *from, uint32_t share,
                          uint64_t now_us)
{
    struct demand *demand = find_demand(proxy->demands, from->mark);
    uint64_t rate = 0;
    if (demand != NULL && (share == 0 || demand->base == 0)) {
        uint32_t begun = per_second(demand->count, now_us - demand->since_us + WINDOW_US);
        demand->base = demand->rate > 0 ? demand->rate : begun;
    }
    if (demand != NULL)
        rate = (uint64_t)demand->base * proxy_load_workers(proxy->parts.load);
    rate = rate * (100 - proxy_load_percent(share)) / 100;
    return rate == 0 ? 1 : (uint32_t)(rate < UINT32_MAX ? rate : UINT32_MAX);
}

/* ---- what it is told ----------------------------------------------------------------------- */

void proxy_feedback_measure(struct proxy *proxy, const struct tp_packet *packet)
{
    const struct proxy_limits *limits = proxy->snapshot.limits;
    const struct proxy_measure_range range = {limits->overload_begin_us, limits->overload_end_us};
    if (proxy_measure_note(&proxy->measure, &range, packet->backlog_us, packet->received_us) &&
        proxy->parts.load != NULL)
        proxy_load_report(proxy->parts.load, proxy->parts.worker, proxy->measure.share,
                          packet->received_us);
}

enum smsg_overload_algorithm proxy_feedback_of(const struct proxy_trunk *from,
                                               const struct smsg *request)
{
    struct smsg_overload offer;
    if (!request->via.overload || from == NULL || from->overload.feedback == PROXY_FEEDBACK_OFF ||
        smsg_overload_read(request->via.value, &offer) != 0 || !offer.offered)
        return SMSG_OVERLOAD_NONE;
    /* Section 5.8: by what both have, and so the same as long as the peer and the trunk are. */
    if (from->overload.feedback == PROXY_FEEDBACK_RATE &&
        (offer.algorithms & SMSG_OVERLOAD_RATE) != 0)
        return SMSG_OVERLOAD_RATE;
    return (offer.algorithms & SMSG_OVERLOAD_LOSS) != 0 ? SMSG_OVERLOAD_LOSS : SMSG_OVERLOAD_NONE;
}

enum smsg_overload_algorithm proxy_feedback_begin(struct proxy *proxy,
                                                  const struct proxy_request *request)
{
    if (!request->message->via.overload || proxy->parts.load == NULL)
        return SMSG_OVERLOAD_NONE;
    enum smsg_overload_algorithm algorithm = proxy_feedback_of(request->from, request->message);
    struct demand *demand =
        algorithm == SMSG_OVERLOAD_RATE ? find_demand(proxy->demands, request->from->mark) : NULL;
    if (demand != NULL)
        count_demand(demand, request->packet->received_us);
    return algorithm;
}

/* oc-seq is seconds with five digits behind the dot. */
static void append_sequence(struct buffer *text, uint64_t sequence)
{
    char digits[] = "00000";
    uint64_t fraction = sequence % 100000;
    for (size_t i = 5; i > 0; fraction /= 10)
        digits[--i] = (char)('0' + fraction % 10);
    buffer_append_uint(text, sequence / 100000);
    buffer_append_char(text, '.');
    buffer_append_bytes(text, digits, 5);
}

struct slice proxy_feedback_text(struct proxy *proxy, enum smsg_overload_algorithm algorithm,
                                 const struct proxy_trunk *from, uint64_t now_us,
                                 char memory[PROXY_FEEDBACK_BYTES])
{
    struct proxy_load *load = proxy->parts.load;
    if (algorithm == SMSG_OVERLOAD_NONE || load == NULL || from == NULL)
        return slice_make(NULL, 0);
    struct buffer text = buffer_over(memory, PROXY_FEEDBACK_BYTES);
    uint32_t share = proxy_load_most(load, now_us);
    uint64_t validity_us = share > 0 ? proxy->snapshot.limits->overload_validity_us : 0;
    uint32_t value = proxy_load_percent(share);
    if (algorithm == SMSG_OVERLOAD_RATE) {
        uint32_t rate = permitted(proxy, from, share, now_us);
        value = share > 0 ? rate : 0;
    }
    buffer_append_literal(&text, ";oc=");
    buffer_append_uint(&text, value);
    buffer_append_literal(&text, ";oc-algo=\"");
    buffer_append_text(&text, smsg_overload_word(algorithm));
    buffer_append_literal(&text, "\";oc-validity=");
    buffer_append_uint(&text, validity_us / 1000);
    buffer_append_literal(&text, ";oc-seq=");
    append_sequence(&text, proxy_load_sequence(load, now_us));
    if (share > 0)
        stats_count_label(proxy->parts.stats, STATS_FAMILY_TRUNK_OVERLOAD_TOLD, from->label_told);
    return buffer_slice(&text);
}

/* ---- refusals ------------------------------------------------------------------------------ */

/* A queue that a pause of the machine left behind drains by itself; only one that stays means more
 * calls than can be handled. */
#define PATIENCE_US UINT64_C(100000)

static bool is_overloaded(struct proxy *proxy, const struct tp_packet *packet)
{
    if (packet->backlog_us <= proxy->snapshot.limits->overload_begin_us) {
        proxy->overloaded_since_us = 0;
        return false;
    }
    if (proxy->overloaded_since_us == 0)
        proxy->overloaded_since_us = packet->received_us;
    return packet->received_us - proxy->overloaded_since_us >= PATIENCE_US;
}

/* Whether this call is of the share that is too many. */
static bool is_drawn(const struct proxy *proxy, const struct proxy_request *request)
{
    const struct proxy_limits *limits = proxy->snapshot.limits;
    uint64_t over_us = request->packet->backlog_us - limits->overload_begin_us;
    uint64_t range_us = limits->overload_end_us - limits->overload_begin_us;
    if (over_us >= range_us)
        return true;
    /* Section 5.10.2: who has overload control holds back by itself. */
    if (request->feedback != SMSG_OVERLOAD_NONE)
        return false;
    uint64_t lot =
        hash_slice(&proxy->parts.marks->steering, request->message->call_id) & UINT16_MAX;
    return lot < (over_us << 16) / range_us;
}

/*
 * Datagrams wait too long: a share of the new calls, by their Call-IDs, is refused before anything
 * is decoded or kept for them, so that those under way keep their time. Without Retry-After, unless
 * it is asked for and the whole box is overloaded: an SBC would take us out of service for all
 * calls.
 */
bool proxy_feedback_refuses(struct proxy *proxy, const struct proxy_request *request)
{
    const struct smsg *message = request->message;
    uint64_t now_us = request->packet->received_us;
    uint64_t retry_after_us = proxy->snapshot.limits->overload_retry_after_us;
    if (!is_overloaded(proxy, request->packet) || message->method != SMSG_METHOD_INVITE ||
        message->to.tag.length > 0 || screen_is_emergency(message, &request->from->screen) ||
        !is_drawn(proxy, request))
        return false;
    if (proxy->parts.load == NULL || !proxy_load_is_full(proxy->parts.load, now_us))
        retry_after_us = 0;
    stats_count(proxy->parts.stats, STATS_CALLS_REFUSED_OVERLOAD);
    proxy_reply(proxy, request, 503, SLICE(""), proxy_retry_after(proxy, retry_after_us));
    return true;
}

/* ---- what crosses us ----------------------------------------------------------------------- */

static void remove_params(struct slice vias, struct smsg_edit *edit)
{
    struct slice runs[SMSG_OVERLOAD_RUNS];
    size_t count = smsg_overload_find(vias, runs);
    for (size_t i = 0; i < count; i++)
        smsg_edit_replace_slice(edit, runs[i], SLICE(""));
}

void proxy_feedback_edit_request(const struct smsg *request, struct smsg_edit *edit)
{
    if (request->via.overload)
        remove_params(request->via.value, edit);
}

void proxy_feedback_edit_response(const struct smsg *response, struct slice text,
                                  struct smsg_edit *edit)
{
    const struct smsg_header *line = smsg_first(response, SMSG_HEADER_VIA);
    struct slice value, rest = smsg_value(response, line);
    bool told = text.length == 0;
    /* Our own is not looked at, as it is taken off. */
    rest = slice_from(rest, (size_t)(slice_past(response->via.value) - rest.data));
    if (rest.length > 0)
        rest = slice_from(rest, slice_find(rest, ',') + 1);
    while (true) {
        if (rest.length > 0)
            remove_params(rest, edit);
        if (!told && smsg_next_value(&rest, &value)) {
            smsg_edit_insert(edit, (uint32_t)(slice_past(value) - response->bytes.data), text);
            told = true;
        }
        line = smsg_next(response, line);
        if (line == NULL)
            return;
        rest = smsg_value(response, line);
    }
}
