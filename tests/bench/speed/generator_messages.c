/* SPDX-License-Identifier: Apache-2.0 */
#include "generator.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Places in a text, as wide as what is written there. */
#define ID     "<identification>" /* 16 hexadecimal digits */
#define CALLER "<caller"          /* 7 decimal digits */
#define CALLEE "<callee"
#define PLACES 16

#define ID_DIGITS     16
#define NUMBER_DIGITS 7
#define ROUTES        8
#define LIST_PERIOD   100 /* every hundredth number is listed */

static const char session[] = "v=0\r\n"
                              "o=- 1724150400 1724150401 IN IP4 127.0.0.1\r\n"
                              "s=SBC\r\n"
                              "c=IN IP4 127.0.0.1\r\n"
                              "t=0 0\r\n"
                              "m=audio 24000 RTP/AVP 8 0 18 101\r\n"
                              "a=rtpmap:8 PCMA/8000\r\n"
                              "a=rtpmap:0 PCMU/8000\r\n"
                              "a=rtpmap:18 G729/8000\r\n"
                              "a=fmtp:18 annexb=no\r\n"
                              "a=rtpmap:101 telephone-event/8000\r\n"
                              "a=fmtp:101 0-15\r\n"
                              "a=ptime:20\r\n"
                              "a=sendrecv\r\n";

struct place {
    uint16_t at;
    char kind; /* second letter of the place's name: i, or r (caller), e (callee) */
};

struct text {
    char bytes[GENERATOR_MESSAGE];
    size_t length;
    struct place places[PLACES];
    unsigned count;
};

/* A request is its head, what comes between, and its tail. */
struct request {
    struct text head;
    struct text tail;
};

struct generator_messages {
    struct generator_settings settings;
    char contacts[GENERATOR_CALLEES][128];
    char session_part[1024];
    struct request requests[][GENERATOR_BYE + 1]; /* for each socket and callee */
};

static void find_places(struct text *text)
{
    static const struct {
        const char *name;
        char kind;
    } names[] = {{ID, 'i'}, {CALLER, 'r'}, {CALLEE, 'e'}};
    text->length = strlen(text->bytes);
    for (size_t at = 0; at < text->length; at++) {
        for (size_t i = 0; text->bytes[at] == '<' && i < sizeof(names) / sizeof(names[0]); i++) {
            if (strncmp(text->bytes + at, names[i].name, strlen(names[i].name)) != 0)
                continue;
            if (text->count == PLACES)
                abort();
            text->places[text->count++] = (struct place){(uint16_t)at, names[i].kind};
        }
    }
}

static void write_hexadecimal(char *out, uint64_t value)
{
    for (int i = ID_DIGITS - 1; i >= 0; i--, value >>= 4)
        out[i] = "0123456789abcdef"[value & 15];
}

static void write_decimal(char *out, uint32_t value)
{
    for (int i = NUMBER_DIGITS - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
}

static size_t fill(const struct text *text, uint64_t id, struct generator_parties parties,
                   char *out)
{
    memcpy(out, text->bytes, text->length);
    for (unsigned i = 0; i < text->count; i++) {
        char *at = out + text->places[i].at;
        if (text->places[i].kind == 'i')
            write_hexadecimal(at, id);
        else
            write_decimal(at, text->places[i].kind == 'r' ? parties.caller : parties.callee);
    }
    return text->length;
}

static const char *transport_of(const struct generator_settings *settings)
{
    return settings->tls ? "TLS" : settings->tcp ? "TCP" : "UDP";
}

/* For URIs. */
static const char *suffix_of(const struct generator_settings *settings)
{
    return settings->tls ? ";transport=tls" : settings->tcp ? ";transport=tcp" : "";
}

/* The texts of one socket to one callee. The branch's letter tells the transactions of a call
 * apart. */
static void make_texts(struct generator_messages *messages, unsigned socket, unsigned callee)
{
    static const char *const methods[] = {"INVITE", "ACK", "ACK", "BYE"};
    static const char branches[] = {'i', 'a', 'i', 'b'};
    static const int sequences[] = {102, 102, 102, 103};
    char own[64];
    char peer[64];
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &messages->settings.caller.sin_addr, host, sizeof(host));
    snprintf(own, sizeof(own), "%s:%u", host, ntohs(messages->settings.caller.sin_port) + socket);
    inet_ntop(AF_INET, &messages->settings.callee.sin_addr, host, sizeof(host));
    snprintf(peer, sizeof(peer), "%s:%u", host, ntohs(messages->settings.callee.sin_port) + callee);
    struct request *requests = messages->requests[socket * messages->settings.callees + callee];
    for (unsigned i = GENERATOR_INVITE; i <= GENERATOR_BYE; i++) {
        struct text *head = &requests[i].head;
        struct text *tail = &requests[i].tail;
        bool dialog = i == GENERATOR_ACK || i == GENERATOR_BYE;
        snprintf(head->bytes, sizeof(head->bytes),
                 "%s sip:%s%s%s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bK%c" ID ";rport\r\n",
                 methods[i], dialog ? "" : "+1303" CALLEE "@", peer,
                 dialog ? suffix_of(&messages->settings) : "", transport_of(&messages->settings),
                 own, branches[i]);
        int length = snprintf(tail->bytes, sizeof(tail->bytes),
                              "Max-Forwards: 70\r\n"
                              "From: \"+1202" CALLER "\" <sip:+1202" CALLER "@%s>;tag=f" ID "\r\n",
                              own);
        /* In the ACK to a refusal the To is the refusal's. */
        if (i != GENERATOR_REFUSAL_ACK)
            length +=
                snprintf(tail->bytes + length, sizeof(tail->bytes) - (size_t)length,
                         "To: <sip:+1303" CALLEE "@%s>%s\r\n", peer, dialog ? ";tag=u" ID : "");
        length += snprintf(tail->bytes + length, sizeof(tail->bytes) - (size_t)length,
                           "Call-ID: g" ID "@%s\r\nCSeq: %d %s\r\n", own, sequences[i], methods[i]);
        if (i == GENERATOR_INVITE)
            snprintf(tail->bytes + length, sizeof(tail->bytes) - (size_t)length,
                     "Contact: <sip:+1202" CALLER "@%s%s>\r\n"
                     "P-Asserted-Identity: <sip:+1202" CALLER "@%s>\r\n"
                     "User-Agent: TrunkSBC/9.2.1 build 4411\r\n"
                     "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE\r\n"
                     "Supported: replaces, timer, 100rel\r\n"
                     "Session-Expires: 1800\r\n%s",
                     own, suffix_of(&messages->settings), own, messages->session_part);
        else
            snprintf(tail->bytes + length, sizeof(tail->bytes) - (size_t)length,
                     "User-Agent: TrunkSBC/9.2.1 build 4411\r\nContent-Length: 0\r\n\r\n");
        find_places(head);
        find_places(tail);
    }
}

struct generator_messages *messages_create(const struct generator_settings *settings)
{
    struct generator_messages *messages =
        generator_zeroed(1, sizeof(*messages) + (size_t)settings->sockets * settings->callees *
                                                    sizeof(messages->requests[0]));
    messages->settings = *settings;
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &settings->callee.sin_addr, host, sizeof(host));
    for (unsigned i = 0; i < settings->callees; i++)
        snprintf(messages->contacts[i], sizeof(messages->contacts[i]),
                 "Contact: <sip:%s:%u%s>\r\nServer: Callee/1.0\r\n", host,
                 ntohs(settings->callee.sin_port) + i, suffix_of(settings));
    snprintf(messages->session_part, sizeof(messages->session_part),
             "Content-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s", strlen(session),
             session);
    for (unsigned i = 0; i < settings->sockets * settings->callees; i++)
        make_texts(messages, i / settings->callees, i % settings->callees);
    return messages;
}

struct generator_parties messages_parties(const struct generator_messages *messages, uint64_t id)
{
    /* The finaliser of SplitMix64: neighbouring ids get unrelated numbers, always the same. */
    uint64_t mixed = id + messages->settings.seed * UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    mixed ^= mixed >> 31;
    struct generator_parties parties = {
        .listed = mixed % 100 < messages->settings.listed,
        .callee = (uint32_t)((mixed >> 20) % 10000000),
    };
    uint64_t block = (mixed >> 8) % (messages->settings.callers / LIST_PERIOD) * LIST_PERIOD;
    uint64_t within = parties.listed ? 0 : 1 + (mixed >> 40) % (LIST_PERIOD - 1);
    parties.caller = (uint32_t)(block + within);
    return parties;
}

size_t messages_request(const struct generator_messages *messages, enum generator_request request,
                        unsigned socket, unsigned callee, uint64_t id, const char *between,
                        size_t between_length, char *out)
{
    const struct request *texts =
        &messages->requests[socket * messages->settings.callees + callee][request];
    struct generator_parties parties = messages_parties(messages, id);
    size_t length = fill(&texts->head, id, parties, out);
    if (between_length > 0)
        memcpy(out + length, between, between_length);
    length += between_length;
    return length + fill(&texts->tail, id, parties, out + length);
}

static size_t append(char *out, size_t length, const char *bytes, size_t count)
{
    memcpy(out + length, bytes, count);
    return length + count;
}

static size_t append_text(char *out, size_t length, const char *text)
{
    return append(out, length, text, strlen(text));
}

size_t messages_answer(const struct generator_messages *messages, unsigned callee, int status,
                       const char *head, size_t head_length, char *out)
{
    size_t length =
        append_text(out, 0, status == 180 ? "SIP/2.0 180 Ringing\r\n" : "SIP/2.0 200 OK\r\n");
    length = append(out, length, head, head_length);
    length = append_text(out, length, messages->contacts[callee]);
    return append_text(out, length,
                       status == 180 ? "Content-Length: 0\r\n\r\n" : messages->session_part);
}

size_t messages_plain_answer(int status, const char *head, size_t head_length, char *out)
{
    char line[] = "SIP/2.0 200 OK\r\n";
    for (int i = 10; i >= 8; i--, status /= 10)
        line[i] = (char)('0' + status % 10);
    size_t length = append_text(out, 0, line);
    length = append(out, length, head, head_length);
    return append_text(out, length, "Content-Length: 0\r\n\r\n");
}

static bool begins(const char *line, size_t length, const char *name)
{
    size_t name_length = strlen(name);
    return length >= name_length && memcmp(line, name, name_length) == 0;
}

/* The next header line: its length with the line break, 0 at the end of the headers. */
static size_t header_line(const char *line, const char *end)
{
    const char *feed = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;
    return feed == NULL || *line == '\r' ? 0 : (size_t)(feed + 1 - line);
}

size_t messages_answer_head(const char *request, size_t length, uint64_t id, char *out)
{
    static const char *const copied[] = {"Via:", "From:", "Call-ID:", "CSeq:", "Record-Route:"};
    const char *end = request + length;
    size_t written = 0;
    size_t count;
    for (const char *line = request; (count = header_line(line, end)) > 0; line += count) {
        if (begins(line, count, "To:")) {
            written = append(out, written, line, count - 2);
            if (id != 0) {
                written = append_text(out, written, ";tag=u");
                write_hexadecimal(out + written, id);
                written += ID_DIGITS;
            }
            written = append_text(out, written, "\r\n");
            continue;
        }
        for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++) {
            if (begins(line, count, copied[i])) {
                written = append(out, written, line, count);
                break;
            }
        }
    }
    return written;
}

void messages_head_of_invite(char *head, size_t length)
{
    static const char cancel[] = " CANCEL\r\n";
    char *at = memmem(head, length, cancel, strlen(cancel));
    if (at != NULL)
        memcpy(at + 1, "INVITE", strlen("INVITE"));
}

size_t messages_route_set(const char *answer, size_t length, char *out)
{
    static const char name[] = "Record-Route:";
    const char *end = answer + length;
    const char *lines[ROUTES];
    size_t counts[ROUTES];
    unsigned found = 0;
    size_t count;
    for (const char *line = answer; (count = header_line(line, end)) > 0; line += count) {
        if (found < ROUTES && begins(line, count, name)) {
            lines[found] = line + strlen(name);
            counts[found++] = count - strlen(name);
        }
    }
    size_t written = 0;
    while (found-- > 0) {
        written = append_text(out, written, "Route:");
        written = append(out, written, lines[found], counts[found]);
    }
    return written;
}

size_t messages_to_line(const char *message, size_t length, const char **line)
{
    size_t count;
    for (*line = message; (count = header_line(*line, message + length)) > 0; *line += count) {
        if (begins(*line, count, "To:"))
            return count;
    }
    return 0;
}

static bool read_hexadecimal(const char *digits, uint64_t *value)
{
    *value = 0;
    for (int i = 0; i < ID_DIGITS; i++) {
        char digit = digits[i];
        if (digit >= '0' && digit <= '9')
            *value = *value << 4 | (uint64_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            *value = *value << 4 | (uint64_t)(digit - 'a' + 10);
        else
            return false;
    }
    return true;
}

bool messages_read(const char *message, size_t length, struct generator_view *view)
{
    static const char call_id[] = "\r\nCall-ID: g";
    static const char sequence[] = "\r\nCSeq: 10";
    *view = (struct generator_view){.method = length > 0 ? message[0] : 0};
    const char *end = message + length;
    const char *at = memmem(message, length, call_id, strlen(call_id));
    if (at == NULL || (size_t)(end - at) < strlen(call_id) + ID_DIGITS ||
        !read_hexadecimal(at + strlen(call_id), &view->id))
        return false;
    if (length < 12 || memcmp(message, "SIP/2.0 ", 8) != 0)
        return true;
    view->status = (message[8] - '0') * 100 + (message[9] - '0') * 10 + (message[10] - '0');
    at = memmem(message, length, sequence, strlen(sequence));
    if (at == NULL || at + strlen(sequence) >= end)
        return false;
    view->of_invite = at[strlen(sequence)] == '2';
    return view->status >= 100 && view->status < 700;
}

void messages_destroy(struct generator_messages *messages)
{
    free(messages);
}
