/* SPDX-License-Identifier: Apache-2.0 */
#include "link_int.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"

enum {
    READ_BYTES = 16 << 10,
    READS_PER_TURN = 16,
    OUTPUT_FIRST = 16 << 10,
    OUTPUT_LIMIT = 16 << 20,
    REASON_BYTES = 160,
};

enum link_state { LINK_CLOSED, LINK_CONNECTING, LINK_LOGIN, LINK_UP };

struct waiting {
    rep_link_reply_fn *reply;
    void *argument;
    uint64_t tag;
};

struct rep_link {
    struct rep_link_options options;
    struct rep_link_events events;
    enum link_state state;
    int descriptor;
    struct rt_watch *watch;
    struct rt_timer timer;
    struct rep_reader *reader;
    uint64_t heard_us;   /* last bytes from the peer */
    uint64_t pinged_us;  /* when the probe under way was sent, 0 for none */
    uint64_t generation; /* counts connections: a callback may have closed and reopened us */
    bool subscribed;
    bool want_write;
    bool unwatchable; /* the loop refused: fails at the timer's next turn */

    struct waiting *queue; /* ring */
    uint32_t mask, head, tail;

    char *output;
    size_t output_capacity, output_length, output_sent;
};

uint64_t rep_backoff_us(unsigned attempt, uint64_t random)
{
    static const uint64_t first_us = 100000, longest_us = 5000000;
    uint64_t delay = attempt < 6 ? first_us << attempt : longest_us;
    if (delay > longest_us)
        delay = longest_us;
    return delay / 2 + random % (delay / 2 + 1);
}

static void timer_fired(struct rt_timer *timer, uint64_t now_us);

int rep_link_create(const struct rep_link_options *options, const struct rep_link_events *events,
                    struct rep_link **link)
{
    struct rep_link *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->options = *options;
    created->events = *events;
    created->descriptor = -1;
    rt_timer_init(&created->timer, timer_fired);
    uint32_t slots = 16;
    while (slots < options->pipeline)
        slots *= 2;
    created->mask = slots - 1;
    created->output_capacity = OUTPUT_FIRST;
    created->queue = calloc(slots, sizeof(created->queue[0]));
    created->output = malloc(created->output_capacity);
    int code = created->queue != NULL && created->output != NULL
                   ? rep_reader_create(options->reply_limit, &created->reader)
                   : -ENOMEM;
    if (code != 0)
        rep_link_destroy(created);
    else
        *link = created;
    return code;
}

void rep_link_destroy(struct rep_link *link)
{
    if (link == NULL)
        return;
    rep_link_close(link);
    rep_reader_destroy(link->reader);
    free(link->queue);
    free(link->output);
    free(link);
}

/* ---- queue --------------------------------------------------------------------------------- */

uint32_t rep_link_room(const struct rep_link *link)
{
    return link->mask + 1 - (link->tail - link->head);
}

bool rep_link_is_up(const struct rep_link *link)
{
    return link->state == LINK_UP;
}

bool rep_link_is_closed(const struct rep_link *link)
{
    return link->state == LINK_CLOSED;
}

static bool output_reserve(struct rep_link *link, size_t more)
{
    if (link->output_sent > 0 && link->output_length + more > link->output_capacity) {
        link->output_length -= link->output_sent;
        memmove(link->output, link->output + link->output_sent, link->output_length);
        link->output_sent = 0;
    }
    size_t capacity = link->output_capacity;
    while (capacity < link->output_length + more)
        capacity *= 2;
    if (capacity == link->output_capacity)
        return true;
    if (capacity > OUTPUT_LIMIT)
        return false;
    char *grown = realloc(link->output, capacity);
    if (grown == NULL)
        return false;
    link->output = grown;
    link->output_capacity = capacity;
    return true;
}

static void set_interest(struct rep_link *link, bool write)
{
    if (link->want_write == write)
        return;
    link->want_write = write;
    if (rt_watch_set(link->watch, RT_READABLE | (write ? RT_WRITABLE : 0u)) == 0)
        return;
    /* Not from here: rep_link_command() promises that no callback runs within it. */
    link->unwatchable = true;
    rt_timer_set(link->options.wheel, &link->timer, rt_loop_now(link->options.loop), 0);
}

/* RESP: an array of bulk strings. */
static int append_command(struct rep_link *link, const struct slice *words, unsigned count)
{
    enum { FRAME = 32 };
    size_t size = FRAME;
    for (unsigned i = 0; i < count; i++)
        size += words[i].length + FRAME;
    if (!output_reserve(link, size))
        return ERROR_LIMIT;
    struct buffer buffer = buffer_over(link->output + link->output_length,
                                       link->output_capacity - link->output_length);
    buffer_append_char(&buffer, '*');
    buffer_append_uint(&buffer, count);
    for (unsigned i = 0; i < count; i++) {
        buffer_append_literal(&buffer, "\r\n$");
        buffer_append_uint(&buffer, words[i].length);
        buffer_append_literal(&buffer, "\r\n");
        buffer_append(&buffer, words[i]);
    }
    buffer_append_literal(&buffer, "\r\n");
    assert(!buffer.overflow);
    link->output_length += buffer.length;
    return 0;
}

static int enqueue(struct rep_link *link, const struct slice *words, unsigned count,
                   rep_link_reply_fn *reply, void *argument, uint64_t tag)
{
    if (rep_link_room(link) == 0)
        return ERROR_LIMIT;
    int code = append_command(link, words, count);
    if (code != 0)
        return code;
    link->queue[link->tail++ & link->mask] = (struct waiting){reply, argument, tag};
    if (link->tail - link->head == 1)
        link->heard_us = rt_loop_now(link->options.loop);
    set_interest(link, true);
    return 0;
}

int rep_link_command(struct rep_link *link, const struct slice *words, unsigned count,
                     rep_link_reply_fn *reply, void *argument, uint64_t tag)
{
    if (link->state != LINK_UP)
        return ERROR_UNAVAILABLE;
    return enqueue(link, words, count, reply, argument, tag);
}

void rep_link_subscribed(struct rep_link *link)
{
    link->subscribed = true;
}

/* ---- closing ------------------------------------------------------------------------------- */

/* The queue's end is taken beforehand: a callback may open the link again and queue more. */
static void close_socket(struct rep_link *link)
{
    if (link->state == LINK_CLOSED)
        return;
    link->state = LINK_CLOSED;
    link->generation++;
    link->subscribed = false;
    link->pinged_us = 0;
    rt_timer_cancel(link->options.wheel, &link->timer);
    if (link->watch != NULL)
        rt_watch_destroy(link->watch);
    link->watch = NULL;
    close(link->descriptor);
    link->descriptor = -1;
    link->output_length = link->output_sent = 0;
}

static void answer_lost(struct rep_link *link)
{
    uint32_t end = link->tail;
    while (link->head != end) {
        struct waiting waiting = link->queue[link->head++ & link->mask];
        if (waiting.reply != NULL)
            waiting.reply(waiting.argument, waiting.tag, NULL);
    }
}

void rep_link_close(struct rep_link *link)
{
    close_socket(link);
    answer_lost(link);
}

static void link_fail(struct rep_link *link, const char *reason)
{
    if (link->state == LINK_CLOSED)
        return;
    char kept[REASON_BYTES];
    snprintf(kept, sizeof(kept), "%s", reason);
    close_socket(link);
    answer_lost(link);
    link->events.down(link->events.argument, kept);
}

static void fail_errno(struct rep_link *link, const char *what, int error)
{
    char reason[REASON_BYTES];
    snprintf(reason, sizeof(reason), "%s: %s", what, strerror(error));
    link_fail(link, reason);
}

/* ---- login --------------------------------------------------------------------------------- */

static void link_is_up(struct rep_link *link)
{
    link->state = LINK_UP;
    link->events.up(link->events.argument);
}

enum login_step { LOGIN_AUTH, LOGIN_SELECT };

/* tag: the step, and whether it is the last one. */
static void login_reply(void *argument, uint64_t tag, const struct rep_reply *reply)
{
    struct rep_link *link = argument;
    if (reply == NULL)
        return;
    if (reply->type == REP_REPLY_ERROR) {
        char reason[REASON_BYTES];
        snprintf(reason, sizeof(reason), "%s refused: %.*s",
                 tag >> 1 == LOGIN_AUTH ? "login" : "database",
                 SLICE_ARGS(slice_first(reply->text, 120)));
        link_fail(link, reason);
        return;
    }
    if ((tag & 1) != 0)
        link_is_up(link);
}

static void begin_login(struct rep_link *link)
{
    const struct rep_settings *settings = link->options.settings;
    link->state = LINK_LOGIN;
    int code = 0;
    bool select = settings->database != 0;
    if (settings->password != NULL) {
        struct slice words[3] = {SLICE("AUTH")};
        unsigned count = 1;
        if (settings->username != NULL)
            words[count++] = slice_of_text(settings->username);
        words[count++] = slice_of_text(settings->password);
        code = enqueue(link, words, count, login_reply, link, LOGIN_AUTH << 1 | !select);
    }
    if (code == 0 && select) {
        char number[16];
        snprintf(number, sizeof(number), "%u", settings->database);
        struct slice words[] = {SLICE("SELECT"), slice_of_text(number)};
        code = enqueue(link, words, 2, login_reply, link, LOGIN_SELECT << 1 | 1);
    }
    if (code != 0)
        link_fail(link, error_text(code));
    else if (settings->password == NULL && !select)
        link_is_up(link);
}

/* ---- input and output ---------------------------------------------------------------------- */

static void write_output(struct rep_link *link)
{
    while (link->output_sent < link->output_length) {
        ssize_t sent = send(link->descriptor, link->output + link->output_sent,
                            link->output_length - link->output_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            set_interest(link, true);
            return;
        }
        if (sent < 0) {
            fail_errno(link, "connection lost", errno);
            return;
        }
        link->output_sent += (size_t)sent;
    }
    link->output_sent = link->output_length = 0;
    set_interest(link, false);
}

void rep_link_flush(struct rep_link *link)
{
    /* On failure the socket reports it to the loop as well: no callback from within here. */
    if (link->state < LINK_LOGIN || link->output_length == 0)
        return;
    ssize_t sent = send(link->descriptor, link->output + link->output_sent,
                        link->output_length - link->output_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0)
        link->output_sent += (size_t)sent;
    if (link->output_sent == link->output_length) {
        link->output_sent = link->output_length = 0;
        set_interest(link, false);
    }
}

static void dispatch_message(struct rep_link *link, const struct rep_reply *reply)
{
    if (reply->type == REP_REPLY_ERROR) {
        char reason[REASON_BYTES];
        snprintf(reason, sizeof(reason), "server says: %.*s",
                 SLICE_ARGS(slice_first(reply->text, 120)));
        link_fail(link, reason);
        return;
    }
    if (!link->subscribed || reply->type != REP_REPLY_ARRAY || reply->count < 1) {
        link_fail(link, "a reply that nobody asked for");
        return;
    }
    /* "pong" and repeated "subscribe" have done their work by arriving. */
    if (reply->count >= 3 && link->events.message != NULL &&
        (rep_reply_is_text(&reply->element[0], "message") ||
         rep_reply_is_text(&reply->element[0], "pmessage")))
        link->events.message(link->events.argument, reply);
}

static void dispatch(struct rep_link *link, const struct rep_reply *reply)
{
    if (link->head == link->tail) {
        dispatch_message(link, reply);
        return;
    }
    struct waiting waiting = link->queue[link->head++ & link->mask];
    if (waiting.reply != NULL)
        waiting.reply(waiting.argument, waiting.tag, reply);
}

/* False when the connection this began with is gone. */
static bool dispatch_all(struct rep_link *link)
{
    uint64_t generation = link->generation;
    const struct rep_reply *reply;
    int code;
    while ((code = rep_reader_next(link->reader, &reply)) == 0) {
        dispatch(link, reply);
        if (link->generation != generation || link->state == LINK_CLOSED)
            return false;
    }
    if (code == ERROR_INCOMPLETE)
        return true;
    link_fail(link, code == ERROR_LIMIT ? "a reply exceeds the size limit"
                                        : "bytes that are no Redis protocol");
    return false;
}

static void read_input(struct rep_link *link)
{
    char bytes[READ_BYTES];
    for (unsigned i = 0; i < READS_PER_TURN; i++) {
        ssize_t got = recv(link->descriptor, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (got < 0) {
            fail_errno(link, "connection lost", errno);
            return;
        }
        if (got == 0) {
            link_fail(link, "connection closed by the server");
            return;
        }
        link->heard_us = rt_loop_now(link->options.loop);
        link->pinged_us = 0;
        int code = rep_reader_feed(link->reader, bytes, (size_t)got);
        if (code != 0) {
            link_fail(link, "a reply exceeds the size limit");
            return;
        }
        if (!dispatch_all(link) || (size_t)got < sizeof(bytes))
            return;
    }
}

static void finish_connect(struct rep_link *link)
{
    int error = 0;
    socklen_t length = sizeof(error);
    if (getsockopt(link->descriptor, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    if (error != 0) {
        fail_errno(link, "cannot connect", error);
        return;
    }
    link->heard_us = rt_loop_now(link->options.loop);
    begin_login(link);
}

static void socket_ready(void *argument, int descriptor, unsigned ready)
{
    struct rep_link *link = argument;
    (void)descriptor;
    uint64_t generation = link->generation;
    if (link->state == LINK_CONNECTING) {
        finish_connect(link);
        return;
    }
    if ((ready & RT_READABLE) != 0)
        read_input(link);
    if ((ready & RT_WRITABLE) != 0 && link->generation == generation && link->state != LINK_CLOSED)
        write_output(link);
}

/* ---- liveness ------------------------------------------------------------------------------ */

static uint64_t timeout_us(const struct rep_link *link)
{
    const struct rep_settings *settings = link->options.settings;
    unsigned ms =
        link->state == LINK_CONNECTING ? settings->connect_timeout_ms : settings->reply_timeout_ms;
    return (uint64_t)ms * 1000;
}

static void probe(struct rep_link *link, uint64_t now_us)
{
    static const struct slice ping[] = {SLICE_LITERAL("PING")};
    link->pinged_us = now_us;
    /* Subscribed, the answer comes as a message and is nobody's reply. */
    int code =
        link->subscribed ? append_command(link, ping, 1) : enqueue(link, ping, 1, NULL, NULL, 0);
    if (code != 0)
        link_fail(link, error_text(code));
    else
        set_interest(link, true);
}

static void timer_fired(struct rt_timer *timer, uint64_t now_us)
{
    struct rep_link *link = LIST_ENTRY(timer, struct rep_link, timer);
    if (link->unwatchable) {
        link_fail(link, "cannot watch the socket");
        return;
    }
    uint64_t limit = timeout_us(link);
    bool expecting =
        link->state == LINK_CONNECTING || link->head != link->tail || link->pinged_us != 0;
    uint64_t since = link->pinged_us > link->heard_us ? link->pinged_us : link->heard_us;
    if (expecting && now_us - since >= limit) {
        char reason[REASON_BYTES];
        snprintf(reason, sizeof(reason), "no answer for %u ms", (unsigned)(limit / 1000));
        link_fail(link, reason);
        return;
    }
    /* The timer is due three times within the limit; a second quiet third asks. */
    if (link->state == LINK_UP && !expecting && now_us - link->heard_us >= limit / 3)
        probe(link, now_us);
    if (link->state != LINK_CLOSED)
        rt_timer_set(link->options.wheel, &link->timer, now_us, limit / 3 + 1);
}

/* ---- opening ------------------------------------------------------------------------------- */

int rep_link_open(struct rep_link *link, const struct rep_address *address)
{
    assert(link->state == LINK_CLOSED);
    int code = rep_reader_reset(link->reader);
    if (code != 0)
        return code;
    int family = address->storage.ss_family;
    int descriptor = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -errno;
    if (family != AF_UNIX) {
        int on = 1;
        /* Without it a pipeline's tail waits for the peer's acknowledgement; only speed. */
        (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    if (connect(descriptor, (const struct sockaddr *)&address->storage, address->length) != 0 &&
        errno != EINPROGRESS) {
        code = -errno;
        goto out;
    }
    code = rt_watch_create(link->options.loop, descriptor, RT_READABLE | RT_WRITABLE, socket_ready,
                           link, &link->watch);
out:
    if (code != 0) {
        close(descriptor);
        return code;
    }
    link->descriptor = descriptor;
    link->state = LINK_CONNECTING;
    link->want_write = true;
    link->unwatchable = false;
    link->heard_us = rt_loop_now(link->options.loop);
    link->pinged_us = 0;
    rt_timer_set(link->options.wheel, &link->timer, link->heard_us, timeout_us(link) / 3 + 1);
    return 0;
}
