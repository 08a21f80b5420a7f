/* SPDX-License-Identifier: Apache-2.0 */
#include "control/metrics_server.h"

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "runtime/heritage.h"
#include "runtime/loop.h"
#include "runtime/thread.h"
#include "socket_file_int.h"
#include "stats/openmetrics.h"

enum {
    BACKLOG = 64,
    REQUEST_MAXIMUM = 8192, /* request line and header */
    SILENCE_S = 10,         /* a connection on which nothing moves for so long is closed */
    REST_US = 50000,        /* between two looks for a free place */
    FORMATS = STATS_TEXT_OPENMETRICS + 1,
};

/* A page is used again for so long, so that its cost has a bound whoever asks how often. */
#define PAGE_US UINT64_C(200000)

/* The longest life of a connection whose place others wait for. */
#define LIFE_US UINT64_C(30000000)

struct page {
    unsigned references; /* the cache's and those of answers under way */
    uint64_t made_us;
    size_t length;
    char *text;
};

/*
 * evhttp neither limits nor counts its connections. So each gets a bufferevent that is ours to look
 * at: a reference is held, and when evhttp has freed it, it has no callbacks any more.
 */
struct place {
    struct bufferevent *connection; /* NULL: free */
    uint64_t since_us;
};

struct ctl_metrics_server {
    struct stats_source source;
    uint32_t label_limit;
    struct rt_loop *loop;
    struct rt_thread *thread;
    struct evhttp *http;
    struct evconnlistener *listeners[2]; /* evhttp frees them */
    size_t listener_count;
    struct event *rest;     /* while listeners are disabled */
    int address_descriptor; /* evhttp closes it; -1: no address */
    struct ctl_socket_file file;
    bool has_file;
    struct page *pages[FORMATS];
    uint32_t place_count;
    struct place places[];
};

bool ctl_metrics_are_wanted(const struct ctl_metrics_settings *settings)
{
    return settings->listen.length > 0 || settings->socket.path.length > 0;
}

/* ---- pages -------------------------------------------------------------------------------- */

static void page_release(struct page *page)
{
    if (page == NULL || --page->references > 0)
        return;
    free(page->text);
    free(page);
}

static void page_sent(const void *text, size_t length, void *argument)
{
    (void)text;
    (void)length;
    page_release(argument);
}

static int page_make(struct ctl_metrics_server *server, enum stats_text_format format,
                     struct page **page)
{
    const struct stats_page_request request = {format, server->label_limit};
    struct page *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->references = 1;
    made->made_us = rt_loop_now(server->loop);
    int error = stats_page_create(&server->source, &request, &made->text, &made->length);
    if (error != 0) {
        page_release(made);
        return error;
    }
    *page = made;
    return 0;
}

static int page_current(struct ctl_metrics_server *server, enum stats_text_format format,
                        struct page **page)
{
    struct page *known = server->pages[format];
    if (known == NULL || rt_loop_refresh(server->loop) - known->made_us >= PAGE_US) {
        int error = page_make(server, format, &known);
        if (error != 0)
            return error;
        page_release(server->pages[format]);
        server->pages[format] = known;
    }
    *page = known;
    return 0;
}

/* ---- requests ----------------------------------------------------------------------------- */

/* One request a connection: an idle one would take a place for nothing. */
static void set_header(struct evhttp_request *request, const char *type)
{
    struct evkeyvalq *header = evhttp_request_get_output_headers(request);
    (void)evhttp_add_header(header, "Content-Type", type);
    (void)evhttp_add_header(header, "Connection", "close");
}

static void answer_text(struct evhttp_request *request, int code, const char *reason,
                        const char *text)
{
    struct evbuffer *body = evhttp_request_get_output_buffer(request);
    set_header(request, "text/plain; charset=utf-8");
    (void)evbuffer_add(body, text, strlen(text));
    evhttp_send_reply(request, code, reason, NULL);
}

static void on_metrics(struct evhttp_request *request, void *argument)
{
    struct ctl_metrics_server *server = argument;
    struct page *page;
    enum stats_text_format format = stats_text_format_accepted(
        evhttp_find_header(evhttp_request_get_input_headers(request), "Accept"));
    if (page_current(server, format, &page) != 0) {
        answer_text(request, HTTP_SERVUNAVAIL, "Service Unavailable", "out of memory\n");
        return;
    }
    set_header(request, stats_text_format_type(format));
    page->references++;
    if (evbuffer_add_reference(evhttp_request_get_output_buffer(request), page->text, page->length,
                               page_sent, page) != 0)
        page_release(page);
    evhttp_send_reply(request, HTTP_OK, "OK", NULL);
}

static void on_health(struct evhttp_request *request, void *argument)
{
    const struct ctl_metrics_server *server = argument;
    if (stats_gauge_total(server->source.registry, STATS_GAUGE_DRAINING) > 0)
        answer_text(request, HTTP_SERVUNAVAIL, "Service Unavailable", "draining\n");
    else
        answer_text(request, HTTP_OK, "OK", "ok\n");
}

static void on_other(struct evhttp_request *request, void *argument)
{
    (void)argument;
    answer_text(request, HTTP_NOTFOUND, "Not Found", "there are /metrics and /healthz\n");
}

/* ---- places ------------------------------------------------------------------------------- */

static void clear_place(struct place *place)
{
    if (place->connection != NULL)
        bufferevent_decref(place->connection);
    place->connection = NULL;
}

/* A free one, or NULL. */
static struct place *find_place(struct ctl_metrics_server *server)
{
    struct place *found = NULL;
    for (uint32_t i = 0; i < server->place_count; i++) {
        struct place *place = &server->places[i];
        bufferevent_event_cb on_event = NULL;
        if (place->connection != NULL)
            bufferevent_getcb(place->connection, NULL, NULL, &on_event, NULL);
        if (on_event == NULL) {
            clear_place(place);
            found = place;
        }
    }
    return found;
}

static void rest(struct ctl_metrics_server *server)
{
    const struct timeval wait = {.tv_usec = REST_US};
    for (size_t i = 0; i < server->listener_count; i++)
        (void)evconnlistener_disable(server->listeners[i]);
    (void)event_add(server->rest, &wait);
}

/* evhttp sees the end of the connection and frees it. */
static void end_oldest(struct ctl_metrics_server *server)
{
    uint64_t now_us = rt_loop_refresh(server->loop);
    struct place *oldest = &server->places[0];
    for (uint32_t i = 1; i < server->place_count; i++)
        if (server->places[i].since_us < oldest->since_us)
            oldest = &server->places[i];
    if (now_us - oldest->since_us >= LIFE_US)
        (void)shutdown(bufferevent_getfd(oldest->connection), SHUT_RDWR);
}

static void on_rested(evutil_socket_t descriptor, short events, void *argument)
{
    struct ctl_metrics_server *server = argument;
    (void)descriptor;
    (void)events;
    if (find_place(server) == NULL) {
        end_oldest(server);
        rest(server);
        return;
    }
    for (size_t i = 0; i < server->listener_count; i++)
        (void)evconnlistener_enable(server->listeners[i]);
}

/* Out of descriptors, most likely: what cannot be accepted would wake the loop for ever. */
static void on_accept_failed(struct evconnlistener *listener, void *argument)
{
    struct ctl_metrics_server *server = argument;
    (void)listener;
    rest(server);
}

static void on_nothing(struct bufferevent *connection, short events, void *argument)
{
    (void)connection;
    (void)events;
    (void)argument;
}

/* For a connection that was accepted. evhttp makes one of its own where this gives none. */
static struct bufferevent *on_accepted(struct event_base *base, void *argument)
{
    struct ctl_metrics_server *server = argument;
    struct bufferevent *connection = bufferevent_socket_new(base, -1, 0);
    struct place *place = find_place(server);
    if (connection != NULL && place != NULL) {
        bufferevent_incref(connection);
        /* Until evhttp sets its own, which comes next: having none means to be freed. */
        bufferevent_setcb(connection, NULL, NULL, on_nothing, NULL);
        *place = (struct place){connection, rt_loop_refresh(server->loop)};
    }
    if (find_place(server) == NULL)
        rest(server);
    return connection;
}

/* ---- life --------------------------------------------------------------------------------- */

static int add_listener(struct ctl_metrics_server *server, int descriptor, unsigned flags)
{
    assert(server->listener_count < sizeof(server->listeners) / sizeof(server->listeners[0]));
    struct evconnlistener *listener = evconnlistener_new(
        rt_loop_base(server->loop), NULL, NULL, flags | LEV_OPT_CLOSE_ON_EXEC, 0, descriptor);
    if (listener == NULL)
        return -ENOMEM;
    if (evhttp_bind_listener(server->http, listener) == NULL) {
        evconnlistener_free(listener);
        return -ENOMEM;
    }
    evconnlistener_set_error_cb(listener, on_accept_failed);
    server->listeners[server->listener_count++] = listener;
    return 0;
}

static int bind_address(const struct conf_address *address, int *descriptor)
{
    const int on = 1;
    *descriptor = rt_heritage_take(SOCK_STREAM, &address->socket.any, address->length);
    if (*descriptor >= 0)
        return 0;
    int made = socket(address->socket.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made < 0)
        return -errno;
    if (setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(made, &address->socket.any, address->length) != 0 || listen(made, BACKLOG) != 0) {
        int error = -errno;
        close(made);
        return error;
    }
    *descriptor = made;
    return 0;
}

static int listen_at(struct ctl_metrics_server *server, const struct conf_address *address)
{
    int descriptor = -1;
    char memory[80];
    struct buffer text = buffer_over(memory, sizeof(memory) - 1);
    conf_address_append(&text, address);
    memory[text.length] = '\0';
    int error = bind_address(address, &descriptor);
    if (error == 0)
        error = rt_heritage_keep(descriptor);
    if (error != 0) {
        log_error("metrics", "cannot listen on %s: %s; choose another metrics.listen", memory,
                  error_text(error));
        return error;
    }
    error = add_listener(server, descriptor, LEV_OPT_CLOSE_ON_FREE);
    if (error != 0) {
        rt_heritage_forget(descriptor);
        close(descriptor);
        return error;
    }
    server->address_descriptor = descriptor;
    log_notice("metrics", "http://%s/metrics", memory);
    return 0;
}

static int open_places(struct ctl_metrics_server *server,
                       const struct ctl_metrics_settings *settings)
{
    int error = 0;
    if (settings->listen.length > 0)
        error = listen_at(server, &settings->listen);
    if (error == 0 && settings->socket.path.length > 0) {
        server->has_file = true;
        error = ctl_socket_file_open(&server->file, &settings->socket);
        if (error == 0)
            error = add_listener(server, server->file.descriptor, 0);
    }
    return error;
}

static int create_http(struct ctl_metrics_server *server)
{
    int error = rt_loop_create(&server->loop);
    if (error != 0)
        return error;
    struct event_base *base = rt_loop_base(server->loop);
    server->http = evhttp_new(base);
    server->rest = event_new(base, -1, 0, on_rested, server);
    if (server->http == NULL || server->rest == NULL ||
        evhttp_set_cb(server->http, "/metrics", on_metrics, server) != 0 ||
        evhttp_set_cb(server->http, "/healthz", on_health, server) != 0)
        return -ENOMEM;
    evhttp_set_gencb(server->http, on_other, server);
    evhttp_set_bevcb(server->http, on_accepted, server);
    evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET);
    evhttp_set_max_headers_size(server->http, REQUEST_MAXIMUM);
    evhttp_set_max_body_size(server->http, 0);
    evhttp_set_timeout(server->http, SILENCE_S);
    return 0;
}

int ctl_metrics_server_create(const struct ctl_metrics_settings *settings,
                              const struct stats_source *source, struct ctl_metrics_server **server)
{
    struct ctl_metrics_server *made =
        calloc(1, sizeof(*made) + settings->clients * sizeof(made->places[0]));
    if (made == NULL)
        return -ENOMEM;
    made->source = *source;
    made->address_descriptor = -1;
    made->label_limit = settings->labels;
    made->place_count = settings->clients;
    int error = create_http(made);
    if (error == 0)
        error = open_places(made, settings);
    if (error != 0) {
        ctl_metrics_server_destroy(made);
        return error;
    }
    *server = made;
    return 0;
}

static void run(void *argument)
{
    struct ctl_metrics_server *server = argument;
    rt_thread_give_way();
    int error = rt_loop_run(server->loop);
    if (error != 0)
        log_error("metrics", "the event loop failed: %s", error_text(error));
}

int ctl_metrics_server_start(struct ctl_metrics_server *server)
{
    return rt_thread_start("metrics", -1, run, server, &server->thread);
}

void ctl_metrics_server_destroy(struct ctl_metrics_server *server)
{
    if (server == NULL)
        return;
    if (server->thread != NULL)
        rt_loop_stop(server->loop);
    rt_thread_join(server->thread);
    for (uint32_t i = 0; i < server->place_count; i++)
        clear_place(&server->places[i]);
    rt_heritage_forget(server->address_descriptor);
    if (server->http != NULL)
        evhttp_free(server->http);
    if (server->rest != NULL)
        event_free(server->rest);
    if (server->has_file)
        ctl_socket_file_close(&server->file);
    for (size_t i = 0; i < FORMATS; i++)
        page_release(server->pages[i]);
    rt_loop_destroy(server->loop);
    free(server);
}
