/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generator: caller and callee of many calls in one thread, as an open loop.
 *
 * Calls begin at the times of a Poisson process whatever becomes of the earlier ones, so a slow
 * proxy meets the load that it would meet in the field. Each call is INVITE, 100, 180, 200, ACK,
 * BYE, 200 over UDP, TCP or TLS, with the retransmissions of RFC 3261 sections 13.3.1.4 and 17.1.
 * Both ends stand in one process: a delay is the difference of two readings of one clock.
 *
 * The callee may be several next hops, each of which can be made to fail by commands (--steer), and
 * the network between us and the proxy may be a bad one.
 *
 * Callers are +1202 and seven digits. Every hundredth number is listed, and a 603 to it is a
 * success; any other failure is one. Of a proxy that is only asked the answer is the success.
 */
#ifndef RINGFENCE_BENCH_GENERATOR_H
#define RINGFENCE_BENCH_GENERATOR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GENERATOR_MESSAGE 4096 /* the longest message that is sent or read */
#define GENERATOR_SOCKETS 64
#define GENERATOR_CALLEES 8
#define GENERATOR_SECOND  UINT64_C(1000000000) /* times are nanoseconds */

struct generator_settings {
    double rate;    /* calls per second */
    double warm;    /* seconds before what counts */
    double seconds; /* that count */
    double drain;   /* seconds at most for the calls under way at the end, beyond ring and hold */
    uint64_t ring_ms;
    uint64_t hold_ms;
    uint64_t calls;   /* stop after so many; 0: no such limit */
    uint64_t callers; /* different numbers */
    uint64_t seed;
    unsigned listed; /* percent of the calls whose caller is listed */
    unsigned asked;  /* calls are questions, which end well by this status; 0: they are calls */
    unsigned sockets;
    unsigned callees;        /* next hops, of which each answers what it is sent */
    double lost;             /* percent of the datagrams that a bad network loses */
    double doubled;          /* ... delivers twice */
    double late;             /* ... delivers behind what was sent up to 20 ms later */
    bool steer;              /* commands come on standard input */
    bool once;               /* repeat nothing */
    bool failures;           /* tell each failed call */
    bool keep;               /* keep the calls as they are until standard input ends */
    bool direct;             /* no proxy in between */
    bool busy;               /* never sleep */
    bool tcp;                /* over connections, not datagrams */
    bool tls;                /* the same, encrypted */
    const char *certificate; /* PEM, for TLS */
    const char *key;
    int processor;    /* -1: any */
    const char *mark; /* header that a screened INVITE shows the callee; NULL: not looked for */
    struct sockaddr_in caller; /* the first socket; further ones have the ports that follow */
    struct sockaddr_in callee; /* the first next hop; further ones have the ports that follow */
    struct sockaddr_in proxy;
};

/* Exits with a message when there is no memory left. */
void *generator_zeroed(size_t count, size_t size);

/* ---- messages: texts with places for what differs from call to call -------------------------- */

enum generator_request { GENERATOR_INVITE, GENERATOR_ACK, GENERATOR_REFUSAL_ACK, GENERATOR_BYE };

struct generator_messages;

struct generator_messages *messages_create(const struct generator_settings *settings);

/* A call's number parts, from its id alone. */
struct generator_parties {
    uint32_t caller;
    uint32_t callee;
    bool listed;
};
struct generator_parties messages_parties(const struct generator_messages *messages, uint64_t id);

/*
 * Writes a request; one within the dialog is for the callee that has answered. `between` goes
 * behind the Via: the Route headers; or, in the ACK to a refusal, the refusal's To line. Returns
 * its length.
 */
size_t messages_request(const struct generator_messages *messages, enum generator_request request,
                        unsigned socket, unsigned callee, uint64_t id, const char *between,
                        size_t between_length, char *out);

/* The status line, `head` as messages_answer_head() made it, and what belongs to the status. */
size_t messages_answer(const struct generator_messages *messages, unsigned callee, int status,
                       const char *head, size_t head_length, char *out);
/* One without a body or Contact. */
size_t messages_plain_answer(int status, const char *head, size_t head_length, char *out);

/* Copies of a request what its answers repeat; with an id, the To gets the callee's tag. */
size_t messages_answer_head(const char *request, size_t length, uint64_t id, char *out);

/* Makes the head of a CANCEL's answers that of its INVITE's. */
void messages_head_of_invite(char *head, size_t length);

/* The Record-Route headers of an answer as Route headers, in reversed order (RFC 3261 12.1.2). */
size_t messages_route_set(const char *answer, size_t length, char *out);

/* The whole To line with its CRLF; returns its length, 0 when there is none. */
size_t messages_to_line(const char *message, size_t length, const char **line);

/* What a received message is. */
struct generator_view {
    uint64_t id;
    int status;     /* 0: a request */
    bool of_invite; /* an answer: by its CSeq */
    char method;    /* a request: first letter */
};
bool messages_read(const char *message, size_t length, struct generator_view *view);

void messages_destroy(struct generator_messages *messages);

/* ---- stream: the same as a link, over connections -------------------------------------------- */

typedef void generator_receive_fn(void *argument, const char *message, size_t length, uint64_t now);

struct generator_stream;

/* to: NULL for those who are connected to. Exits with a message when it cannot. */
struct generator_stream *stream_open(const struct generator_settings *settings,
                                     const struct sockaddr_in *own, const struct sockaddr_in *to);
int stream_descriptor(const struct generator_stream *stream);
char *stream_room(struct generator_stream *stream);
/* To whom the latest message came from. */
void stream_push(struct generator_stream *stream, size_t length);
void stream_flush(struct generator_stream *stream);
int stream_receive(struct generator_stream *stream, generator_receive_fn *receive, void *argument);
/* Breaks each connection within a message, by a reset. */
void stream_reset(struct generator_stream *stream);
void stream_close(struct generator_stream *stream);

/* ---- network: what becomes of datagrams in one direction --------------------------------------
 */

enum network_fate { NETWORK_PASSES, NETWORK_LOST, NETWORK_DOUBLED, NETWORK_LATE };

struct generator_network;

/* NULL: nothing ever becomes of them. */
struct generator_network *network_create(const struct generator_settings *settings);
/* Everything is late from now on, by so much. */
void network_slow_down(struct generator_network *network, uint64_t delay);
enum network_fate network_draw(struct generator_network *network);
/* Datagrams of all networks that met that fate. */
uint64_t network_count(enum network_fate fate);
/* Keeps a late one. */
void network_keep(struct generator_network *network, const char *bytes, size_t length,
                  uint64_t now);
/* The next one whose time has come, for the caller to copy before the next call; or 0. */
size_t network_due(struct generator_network *network, uint64_t now, const char **bytes);
void network_destroy(struct generator_network *network);

/* ---- link: one socket with a batch of messages to be sent ------------------------------------ */

struct generator_link;

/* Binds and exits with a message when it cannot; the sizes of the kernel buffers are forced.
 * called: connections are opened to it, not by it. */
struct generator_link *link_open(const struct generator_settings *settings,
                                 const struct sockaddr_in *own, const struct sockaddr_in *to,
                                 bool called);
int link_descriptor(const struct generator_link *link);
/* Room for one message; link_push() then queues it. */
char *link_room(struct generator_link *link);
void link_push(struct generator_link *link, size_t length);
void link_flush(struct generator_link *link);
/* Hands over what has arrived, one batch at most; returns how many. */
int link_receive(struct generator_link *link, generator_receive_fn *receive, void *argument);
uint64_t link_unsent(const struct generator_link *link);
/* What arrives from now on is read so much later. */
void link_slow_down(struct generator_link *link, uint64_t delay);
/* Of connections: see stream_reset(). */
void link_reset(struct generator_link *link);
void link_close(struct generator_link *link);

uint64_t generator_now(void);

/* ---- timers: one queue for each interval, so that what is due is always in front --------------
 */

enum timer_kind { TIMER_INVITE, TIMER_ANSWER, TIMER_BYE, TIMER_RING, TIMER_HOLD };

struct generator_timers;

typedef void generator_timer_fn(void *argument, uint64_t id, enum timer_kind kind, unsigned stage,
                                uint64_t now);

struct generator_timers *timers_create(uint64_t ring_ms, uint64_t hold_ms);
/* stage: how often the message was repeated; TIMER_RING and TIMER_HOLD have only stage 0. */
void timers_add(struct generator_timers *timers, enum timer_kind kind, unsigned stage, uint64_t id,
                uint64_t now);
bool timers_fire(struct generator_timers *timers, uint64_t now, generator_timer_fn *fire,
                 void *argument);
void timers_destroy(struct generator_timers *timers);

/* ---- results: counts and delays of the calls that count ---------------------------------------
 */

#define RESULT_STATUSES 700

struct generator_delays; /* a histogram with 16 steps to each doubling */

struct generator_results {
    uint64_t started;
    uint64_t ok;
    uint64_t blocked; /* listed callers who got 603 */
    uint64_t failed;  /* of them timed_out, unfinished, refused by a status, or without room */
    uint64_t timed_out;
    uint64_t unfinished;
    uint64_t no_room;
    uint64_t statuses[RESULT_STATUSES]; /* of unwanted refusals */
    uint64_t invite_repeats;
    uint64_t answer_repeats;
    uint64_t bye_repeats;
    uint64_t strays; /* messages of no call under way */
    uint64_t marked; /* INVITEs with the header that was asked for */
    uint64_t invites;
    uint64_t late; /* turns of the loop in which the generator itself was behind */
    uint64_t concurrent;
    uint64_t concurrent_most;
    uint64_t completed_between; /* calls that ended well between the two marks, whenever begun */
    double seconds_between;
    double own_cpu_between; /* seconds of processor time of the generator */
    struct generator_delays *to_trying;
    struct generator_delays *to_ringing;
    struct generator_delays *to_ringing_lately; /* since the last mark */
    struct generator_delays *to_refusal;
};

void results_init(struct generator_results *results);
void results_delay(struct generator_delays *delays, uint64_t ns);
/* Counts up to here, and delays since the last mark. */
void results_mark(struct generator_results *results, uint64_t now);
void results_print(const struct generator_results *results);
void results_free(struct generator_results *results);

/* ---- calls: the state of both ends ------------------------------------------------------------
 */

struct generator_calls;

struct generator_calls *calls_create(const struct generator_settings *settings,
                                     struct generator_results *results);
/* `counted`: the call is one of those that results are made of. */
void calls_start(struct generator_calls *calls, bool counted, uint64_t now);
/* Timers and arrived messages; false when there was nothing to do. */
bool calls_turn(struct generator_calls *calls, uint64_t now);
void calls_wait(struct generator_calls *calls, uint64_t nanoseconds);

enum hop_mode {
    HOP_ANSWERS,
    HOP_SILENT,  /* reads nothing that it understands, as one that was stopped */
    HOP_CLOSED,  /* its socket is gone, and with it what it knew of calls */
    HOP_SLOW,    /* `value` milliseconds behind */
    HOP_REFUSES, /* new calls and OPTIONS, by the status `value` */
    HOP_RESETS,  /* breaks its connections once, and answers */
};
/* callee: from 1; 0 with HOP_RESETS: the callers' connections. False: there is no such callee. */
bool calls_set_mode(struct generator_calls *calls, unsigned callee, enum hop_mode mode,
                    unsigned value);
/* ---- steering: a command a line on standard input ----------------------------------------------
 */

struct generator_steering {
    char line[256];
    size_t length;
    uint64_t looked_at;
    bool ended; /* standard input, or by "end": no more calls are placed */
};

/* Does what has been commanded since, and tells so on standard output. */
void steering_turn(struct generator_steering *steering, struct generator_calls *calls,
                   struct generator_results *results, uint64_t now);

/* Calls that are not as far as they shall come with `keep`. */
uint64_t calls_unsettled(const struct generator_calls *calls);
/* Counts what is still under way as failed. */
void calls_give_up(struct generator_calls *calls);
void calls_destroy(struct generator_calls *calls);

#endif
