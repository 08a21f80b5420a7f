/* SPDX-License-Identifier: Apache-2.0 */
/*
 * micro: what the steps of a call's way cost, on the INVITE that the load generator sends.
 *
 *   micro RULES NUMBERS [--run NAME TIMES]     a rule file, a CSV file of reputation
 *
 * Each step meets INVITEs of many callers in turn, so that lookups find neither cache nor branch
 * history warm with one number.
 */
#include "bench/lib/microbench.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "message/edit.h"
#include "screening/engine.h"

#define MESSAGES      1024 /* a power of two */
#define MESSAGE_BYTES 1536
#define CALLER_STRIDE 977 /* takes the callers apart over a million numbers */
#define WALL_US       UINT64_C(1800000000000000)

struct micro {
    struct arena *arena;
    struct conf_report *report;
    struct screen_settings settings;
    struct screen_policy *policy;
    struct rep_store *store;
    struct screen_engine *engine;
    struct screen_trunk trunk;
    struct smsg_decoder *decoder;
    struct slice texts[MESSAGES];
    struct smsg messages[MESSAGES];
    char bytes[MESSAGES][MESSAGE_BYTES];
    char out[2 * MESSAGE_BYTES];
};

static const char invite[] =
    "INVITE sip:+1303%07u@127.0.0.2:5080 SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 127.0.0.1:7000;branch=z9hG4bKi00000a%09x;rport\r\n"
    "Max-Forwards: 70\r\n"
    "From: \"+1202%07u\" <sip:+1202%07u@127.0.0.1:7000>;tag=f00000a%09x\r\n"
    "To: <sip:+1303%07u@127.0.0.2:5080>\r\n"
    "Call-ID: g00000a%09x@127.0.0.1:7000\r\n"
    "CSeq: 102 INVITE\r\n"
    "Contact: <sip:+1202%07u@127.0.0.1:7000>\r\n"
    "P-Asserted-Identity: <sip:+1202%07u@127.0.0.1:7000>\r\n"
    "User-Agent: TrunkSBC/9.2.1 build 4411\r\n"
    "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE\r\n"
    "Supported: replaces, timer, 100rel\r\n"
    "Session-Expires: 1800\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 275\r\n"
    "\r\n"
    "v=0\r\no=- 1724150400 1724150401 IN IP4 127.0.0.1\r\ns=SBC\r\nc=IN IP4 127.0.0.1\r\n"
    "t=0 0\r\nm=audio 24000 RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\n"
    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

static void must(int error, const char *what)
{
    if (error == 0)
        return;
    fprintf(stderr, "micro: %s: %s\n", what, error_text(error));
    exit(1);
}

static void make_messages(struct micro *micro)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        /* No multiple of 100: those are on the block list, and rules would not run. */
        unsigned caller = i * CALLER_STRIDE % 1000000;
        caller += caller % 100 == 0;
        int length = snprintf(micro->bytes[i], MESSAGE_BYTES, invite, i, i, caller, caller, i, i, i,
                              caller, caller);
        micro->texts[i] = slice_make(micro->bytes[i], (size_t)length);
        must(smsg_scan(&micro->messages[i], micro->texts[i]), "its INVITE");
    }
}

static void open_screening(struct micro *micro, const char *rules_path, const char *numbers_path)
{
    struct conf_document *document = NULL;
    struct rule_set *rules = NULL;
    struct rep_settings reputation;
    char problem[256];
    must(arena_create(4096, 0, &micro->arena), "memory");
    must(conf_report_create(&micro->report), "memory");
    must(conf_document_parse("settings", SLICE(""), NULL, micro->report, &document), "settings");
    must(conf_section_load(document, NULL, &screen_section, micro->arena, micro->report,
                           &micro->settings),
         "settings");
    conf_document_destroy(document);
    must(rule_set_load(&screen_catalogue, &rules_path, 1, micro->report, &rules), rules_path);
    must(screen_policy_create(&micro->settings, rules, NULL, NULL, micro->report, &micro->policy),
         "policy");
    rep_settings_default(&reputation);
    reputation.backend = REP_BACKEND_MEMORY;
    reputation.csv_path = numbers_path;
    must(rep_store_create(&reputation, problem, sizeof(problem), &micro->store), numbers_path);
    must(rep_store_start(micro->store), numbers_path);
    must(screen_engine_create(micro->store, &micro->engine), "engine");
    micro->trunk = (struct screen_trunk){
        .name = SLICE("carrier"), .country = SLICE("CN"), .origin = SCREEN_ORIGIN_INTERNATIONAL};
    must(num_profile_init(&micro->trunk.profile, SLICE("CN"), SLICE("10"), NULL, 0), "profile");
    must(smsg_decoder_create(&micro->decoder), "decoder");
}

static uint64_t run_scan(void *context, uint64_t times)
{
    struct micro *micro = context;
    static struct smsg message;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < times; i++) {
        must(smsg_scan(&message, micro->texts[i % MESSAGES]), "scan");
        sum += message.header_count;
    }
    return sum;
}

static uint64_t run_peek(void *context, uint64_t times)
{
    struct micro *micro = context;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < times; i++)
        sum += smsg_peek_call_id(micro->texts[i % MESSAGES]).length;
    return sum;
}

static uint64_t run_decode(void *context, uint64_t times)
{
    struct micro *micro = context;
    static struct smsg_decoded decoded;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < times; i++) {
        must(smsg_decode(micro->decoder, &micro->messages[i % MESSAGES], &decoded), "decode");
        sum += decoded.from.user.length;
    }
    return sum;
}

/* What a proxy changes in an INVITE: Via, rport, Max-Forwards, Record-Route. */
static uint64_t run_edit(void *context, uint64_t times)
{
    static const struct slice via = SLICE_LITERAL(
        "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK0123456789abcdef01234567\r\n");
    static const struct slice record_route =
        SLICE_LITERAL("Record-Route: <sip:192.0.2.10:5060;lr;rf=0123456789abcdef01234567>\r\n");
    struct micro *micro = context;
    struct smsg_edit edit;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < times; i++) {
        const struct smsg *message = &micro->messages[i % MESSAGES];
        struct buffer out = buffer_over(micro->out, sizeof(micro->out));
        smsg_edit_begin(&edit, message);
        smsg_edit_replace_slice(&edit, message->via.rport, SLICE("rport=7000"));
        smsg_edit_push_header(&edit, SMSG_HEADER_VIA, via);
        smsg_edit_replace_slice(
            &edit, smsg_value(message, smsg_first(message, SMSG_HEADER_MAX_FORWARDS)), SLICE("69"));
        smsg_edit_push_header(&edit, SMSG_HEADER_RECORD_ROUTE, record_route);
        must(smsg_edit_write(&edit, &out), "edit");
        sum += out.length;
    }
    return sum;
}

static uint64_t run_normalise(void *context, uint64_t times)
{
    static const struct slice users[] = {
        SLICE_LITERAL("+12020001234"), SLICE_LITERAL("013800138000"),
        SLICE_LITERAL("0086138%3001380"), SLICE_LITERAL("01062345678")};
    struct micro *micro = context;
    static struct num_number number;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < times; i++)
        sum += (uint64_t)num_normalise(&micro->trunk.profile, NUM_CALLER, SLICE("sip"),
                                       users[i % 4], SLICE(""), &number) +
               number.length;
    return sum;
}

static uint64_t run_judge(void *context, uint64_t times)
{
    struct micro *micro = context;
    static struct screen_verdict verdict;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < times; i++) {
        const struct screen_input input = {.message = &micro->messages[i % MESSAGES],
                                           .trunk = &micro->trunk,
                                           .wall_us = WALL_US,
                                           .reputation = SCREEN_REPUTATION_FIND,
                                           .finding = rep_finding_none()};
        must(screen_judge(micro->engine, micro->policy, &input, &verdict), "judge");
        sum += verdict.score;
    }
    return sum;
}

static const struct microbench_operation operations[] = {
    {"scan", run_scan},           {"peek_call_id", run_peek},   {"decode", run_decode},
    {"edit_and_write", run_edit}, {"normalise", run_normalise}, {"screen", run_judge},
};

int main(int count, char **arguments)
{
    if (count < 3) {
        fprintf(stderr, "usage: micro RULES NUMBERS [" MICROBENCH_RUN " NAME TIMES]\n");
        return 2;
    }
    struct micro *micro = calloc(1, sizeof(*micro));
    if (micro == NULL)
        return 1;
    open_screening(micro, arguments[1], arguments[2]);
    make_messages(micro);
    int status = microbench_main(operations, sizeof(operations) / sizeof(operations[0]), micro,
                                 count - 2, arguments + 2);
    smsg_decoder_destroy(micro->decoder);
    screen_engine_destroy(micro->engine);
    rep_store_destroy(micro->store);
    screen_policy_destroy(micro->policy);
    conf_report_destroy(micro->report);
    arena_destroy(micro->arena);
    free(micro);
    return status;
}
