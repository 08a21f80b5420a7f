/* SPDX-License-Identifier: Apache-2.0 */
/* Runs on one thread. */
/* A trunk whose peer only asks: what each verdict is answered with, and what is not sent. */
#include "unit/proxy/proxy_bench.h"

#include "config/schema.h"
#include "proxy/redirect.h"

static const char site[] =
    "listen:\n"
    "  - {address: '127.0.91.1:5060'}\n"
    "  - {address: '127.0.91.1:5070', transport: tcp}\n"
    "trunks:\n"
    "  - {name: plain, sources: [192.0.2.1], area_code: '10', redirect: {}}\n"
    "  - {name: codes, sources: [192.0.2.2], area_code: '10', redirect: {allow: 404, tag: 503,\n"
    "     block: 608}}\n"
    "  - {name: same, sources: [192.0.2.3], area_code: '10', redirect: {contact: request,\n"
    "     block: 603}, boundary: {out: {tags: remove}}}\n"
    "  - {name: core, sources: [198.51.100.0/24], targets: ['198.51.100.1:5080'],\n"
    "     area_code: '10'}\n"
    "  - {name: stream, sources: [198.51.101.1],\n"
    "     targets: ['sip:198.51.101.1:5080;transport=tcp']}\n"
    "  - {name: desk, sources: [203.0.113.9], targets: ['desk.example.net']}\n"
    "routes:\n"
    "  - {from: plain, prefix: '0', to: core}\n"
    "  - {from: plain, prefix: '7', to: stream}\n"
    "limits: {timer_c: 180s}\n";

static const char rules[] =
    "rules:\n"
    "  - {id: blocks, when: 'caller.display == \"B\"', action: {do: block, with: '603+'}}\n"
    "  - {id: tags, when: 'caller.display == \"T\"', score: 70, type: spam}\n"
    "  - {id: too, when: 'caller.display == \"T\"', score: 1}\n"
    "  - {id: aside, when: 'caller.display == \"D\"', action: {do: divert, to: desk}}\n"
    "  - {id: away, when: 'caller.display == \"U\"',\n"
    "     action: {do: divert, to: 'sip:announcement@media.example'}}\n"
    "  - {id: slowly, when: 'caller.display == \"L\"',\n"
    "     action: {do: limit, rate: 1/60s, else: 480}}\n"
    "policy: [{at: 60, do: tag}]\n";

#define PLAIN "192.0.2.1:5060"
#define CODES "192.0.2.2:5060"
#define SAME  "192.0.2.3:5060"
#define CORE  "198.51.100.1:5080"

static struct bench b;
static unsigned serial;

static void setup(void)
{
    bench_open(&b, site, rules);
}

static void teardown(void)
{
    bench_close(&b);
}

static const char *request(const char *method, const char *uri, const char *display,
                           const char *branch)
{
    static char text[2048];
    snprintf(text, sizeof(text),
             "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%s;rport\r\n"
             "Max-Forwards: 70\r\nFrom: \"%s\" <sip:13800138000@192.0.2.1>;tag=from\r\n"
             "To: <sip:01062345678@x>\r\nCall-ID: c%s\r\nCSeq: 1 %s\r\n"
             "Content-Length: 0\r\n\r\n",
             method, uri, branch, display, branch, method);
    return text;
}

/* The only datagram that an INVITE causes. */
static const char *asked(const char *source, const char *uri, const char *display)
{
    char branch[16];
    snprintf(branch, sizeof(branch), "%u", ++serial);
    bench_receive(&b, source, 0, request("INVITE", uri, display, branch));
    ck_assert_uint_eq(b.sent_count, 1);
    return bench_expect(&b, 0, source, "SIP/2.0 ");
}

static const char *line_of(const char *message, const char *name)
{
    static char text[1024];
    const char *line = strstr(message, name);
    ck_assert_msg(line != NULL, "no %s in\n%s", name, message);
    snprintf(text, sizeof(text), "%.*s", (int)strcspn(line, "\r"), line);
    return text;
}

#define US "sip:01062345678@127.0.91.1"

static const struct answer_row {
    const char *source, *uri, *display;
    const char *start;
    const char *contact; /* NULL: none */
} answer_rows[] = {
    {PLAIN, US, "A", "302 Moved Temporarily", "<sip:01062345678@198.51.100.1:5080>"},
    {PLAIN, "sip:0106;x=1@elsewhere:5070;user=phone", "A", "302 ",
     "<sip:0106;x=1@198.51.100.1:5080;user=phone>"},
    /* RFC 5630 section 5.4: a sip: Contact where the target is not reached by TLS. */
    {PLAIN, "sips:0106@[2001:db8::1]", "A", "302 ", "<sip:0106@198.51.100.1:5080>"},
    {PLAIN, "tel:01062345678;phone-context=+86", "A", "302 ",
     "<sip:01062345678;phone-context=+86@198.51.100.1:5080;user=phone>"},
    {PLAIN, "sip:7@127.0.91.1;transport=udp;user=phone", "A", "302 ",
     "<sip:7@198.51.101.1:5080;user=phone;transport=tcp>"},
    {PLAIN, "sip:0@x;a;Transport=TCP;b", "A", "302 ", "<sip:0@198.51.100.1:5080;a;b>"},
    /* Where it should be already (section 8.3), or no place is known. */
    {PLAIN, "sip:01062345678@198.51.100.1:5080", "A", "404 Not Found", NULL},
    {PLAIN, "sip:999@127.0.91.1", "A", "404 Not Found", NULL},
    {PLAIN, "urn:service:sos", "A", "404 Not Found", NULL},
    {PLAIN, "sip:110@127.0.91.1", "B", "404 Not Found", NULL},
    {PLAIN, US, "B", "603 Network Blocked", NULL},
    {PLAIN, US, "T", "302 ",
     "<sip:01062345678@198.51.100.1:5080?X-Ringfence-Score=71&X-Ringfence-Reason=tags%2C%20too"
     "&X-Ringfence-Type=spam>"},
    {PLAIN, "sip:01062345678@198.51.100.1:5080", "T", "404 ", NULL},
    {PLAIN, US, "U", "302 ", "<sip:announcement@media.example>"},
    {CODES, US, "A", "404 Not Found", NULL},
    {CODES, US, "T", "503 Service Unavailable", NULL},
    {CODES, US, "B", "608 Rejected", NULL},
    {CODES, US, "U", "302 ", "<sip:announcement@media.example>"},
    {SAME, US, "A", "302 ", "<" US ">"},
    {SAME, US, "T", "302 ", "<" US ">"},
    {SAME, US, "B", "603 Decline", NULL},
};

START_TEST(verdicts_are_answered_as_the_table_says)
{
    const struct answer_row *row = &answer_rows[_i];
    char start[64], contact[256];
    const char *got = asked(row->source, row->uri, row->display);
    snprintf(start, sizeof(start), "SIP/2.0 %s", row->start);
    bench_expect(&b, 0, row->source, start);
    if (row->contact == NULL) {
        ck_assert_ptr_null(strstr(got, "Contact:"));
        return;
    }
    snprintf(contact, sizeof(contact), "Contact: %s", row->contact);
    ck_assert_str_eq(line_of(got, "Contact:"), contact);
}
END_TEST

START_TEST(tag_headers_stand_in_the_answer_too)
{
    ck_assert_str_eq(line_of(asked(PLAIN, US, "T"), "\nX-Ringfence-Score:"),
                     "\nX-Ringfence-Score: 71");
    ck_assert_str_eq(line_of(asked(CODES, US, "T"), "\nX-Ringfence-Reason:"),
                     "\nX-Ringfence-Reason: tags, too");
    ck_assert_ptr_null(strstr(asked(SAME, US, "T"), "X-Ringfence"));
}
END_TEST

START_TEST(a_608_names_the_card)
{
    ck_assert_ptr_null(strstr(asked(CODES, US, "B"), "Call-Info"));
    b.screening.redress_card = SLICE("https://example.net/card.jws");
    ck_assert_str_eq(line_of(asked(CODES, US, "B"), "Call-Info:"),
                     "Call-Info: <https://example.net/card.jws>;purpose=jwscard");
}
END_TEST

START_TEST(a_limit_is_answered_beyond_its_rate)
{
    asked(PLAIN, US, "L");
    bench_expect(&b, 0, PLAIN, "SIP/2.0 302 ");
    asked(PLAIN, US, "L");
    bench_expect(&b, 0, PLAIN, "SIP/2.0 480 ");
}
END_TEST

/* A target that is a name shows as the name; here it resolves to nothing. */
START_TEST(a_diversion_that_leads_nowhere_is_refused_as_inline)
{
    asked(PLAIN, US, "D");
    bench_expect(&b, 0, PLAIN, "SIP/2.0 503 ");
}
END_TEST

START_TEST(a_question_is_a_transaction)
{
    char ack[2048], answer[4096];
    const char *invite = request("INVITE", US, "A", "t1");
    bench_receive(&b, PLAIN, 0, invite);
    snprintf(answer, sizeof(answer), "%s", bench_expect(&b, 0, PLAIN, "SIP/2.0 302 "));
    bench_receive(&b, PLAIN, 0, request("INVITE", US, "A", "t1"));
    ck_assert_str_eq(bench_expect(&b, 0, PLAIN, "SIP/2.0 302 "), answer);
    bench_pass(&b, 600000); /* Timer G */
    ck_assert_str_eq(bench_expect(&b, 0, PLAIN, "SIP/2.0 302 "), answer);
    bench_receive(&b, PLAIN, 0, request("CANCEL", US, "A", "t1"));
    bench_expect(&b, 0, PLAIN, "SIP/2.0 200 ");
    snprintf(ack, sizeof(ack), "%s", request("ACK", US, "A", "t1"));
    bench_receive(&b, PLAIN, 0, ack);
    ck_assert_uint_eq(b.sent_count, 0);
    bench_pass(&b, 10 * BENCH_SECOND);
    ck_assert_uint_eq(b.sent_count, 0);
    ck_assert_uint_eq(bench_total(&b, STATS_CALLS), 1);
    ck_assert_uint_eq(stats_gauge_total(b.registry, STATS_GAUGE_CALLS_HELD), 0);
}
END_TEST

START_TEST(what_is_no_question_is_answered)
{
    bench_receive(&b, PLAIN, 0, request("OPTIONS", "sip:127.0.91.1", "A", "1"));
    bench_expect(&b, 0, PLAIN, "SIP/2.0 200 ");
    bench_receive(&b, PLAIN, 0, request("OPTIONS", "sip:0106@elsewhere", "A", "2"));
    ck_assert_str_eq(line_of(bench_expect(&b, 0, PLAIN, "SIP/2.0 200 "), "Allow:"),
                     "Allow: INVITE, ACK, CANCEL, OPTIONS");
    bench_receive(&b, PLAIN, 0, request("MESSAGE", US, "A", "3"));
    bench_expect(&b, 0, PLAIN, "SIP/2.0 405 ");
    bench_receive(&b, PLAIN, 0, request("CANCEL", US, "A", "4"));
    bench_expect(&b, 0, PLAIN, "SIP/2.0 481 ");
    bench_receive(&b, PLAIN, 0, request("ACK", US, "A", "5"));
    ck_assert_uint_eq(b.sent_count, 0);
}
END_TEST

START_TEST(drain_refuses_questions_but_of_emergency)
{
    proxy_drain(b.proxy);
    ck_assert_str_eq(line_of(asked(PLAIN, US, "A"), "Retry-After:"), "Retry-After: 30");
    asked(PLAIN, "urn:service:sos", "A");
    bench_expect(&b, 0, PLAIN, "SIP/2.0 404 ");
    bench_receive(&b, PLAIN, 0, request("OPTIONS", "sip:127.0.91.1", "A", "o"));
    bench_expect(&b, 0, PLAIN, "SIP/2.0 503 ");
}
END_TEST

/* Events and counts know it as any call. */
START_TEST(a_question_is_counted_and_told_of_as_a_call)
{
    asked(PLAIN, US, "T");
    asked(PLAIN, US, "B");
    const struct stats_event *event = stats_event_peek(b.events);
    ck_assert_ptr_nonnull(event);
    ck_assert_uint_eq(event->code, 302);
    ck_assert_uint_eq(event->action, b.labels.actions[RULE_TAG]);
    stats_event_release(b.events);
    event = stats_event_peek(b.events);
    ck_assert_ptr_nonnull(event);
    ck_assert_uint_eq(event->code, 603);
    stats_event_release(b.events);
    ck_assert_uint_eq(
        stats_label_total(b.registry, STATS_FAMILY_VERDICTS, b.labels.actions[RULE_TAG]), 1);
    ck_assert_uint_eq(stats_label_total(b.registry, STATS_FAMILY_REFUSED, b.labels.refused[302]),
                      1);
    ck_assert_uint_eq(bench_total(&b, STATS_CALLS), 2);
}
END_TEST

START_TEST(rows_are_sound)
{
    struct conf_report *report;
    ck_assert_int_eq(conf_report_create(&report), 0);
    int error = conf_section_verify(&proxy_redirect_section, report);
    conf_report_print(report, stderr, false);
    ck_assert_int_eq(error, 0);
    conf_report_destroy(report);
}
END_TEST

static const struct need_row {
    int allow, tag, contact;
    bool present, needs;
} need_rows[] = {
    {302, 404, PROXY_REDIRECT_TO_ROUTE, true, true},
    {404, 302, PROXY_REDIRECT_TO_ROUTE, true, true},
    {404, 503, PROXY_REDIRECT_TO_ROUTE, true, false},
    {302, 302, PROXY_REDIRECT_TO_REQUEST, true, false},
    {302, 302, PROXY_REDIRECT_TO_ROUTE, false, false},
};

START_TEST(a_302_needs_a_route)
{
    const struct need_row *row = &need_rows[_i];
    const struct proxy_redirect_settings settings = {
        .present = row->present, .allow = row->allow, .tag = row->tag, .contact = row->contact};
    ck_assert_int_eq(proxy_redirect_needs_route(&settings), row->needs);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("proxy/redirect");
    TCase *tests = tcase_create("redirect");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, verdicts_are_answered_as_the_table_says, 0,
                        sizeof(answer_rows) / sizeof(answer_rows[0]));
    tcase_add_test(tests, tag_headers_stand_in_the_answer_too);
    tcase_add_test(tests, a_608_names_the_card);
    tcase_add_test(tests, a_limit_is_answered_beyond_its_rate);
    tcase_add_test(tests, a_diversion_that_leads_nowhere_is_refused_as_inline);
    tcase_add_test(tests, a_question_is_a_transaction);
    tcase_add_test(tests, what_is_no_question_is_answered);
    tcase_add_test(tests, drain_refuses_questions_but_of_emergency);
    tcase_add_test(tests, a_question_is_counted_and_told_of_as_a_call);
    tcase_add_test(tests, rows_are_sound);
    tcase_add_loop_test(tests, a_302_needs_a_route, 0, sizeof(need_rows) / sizeof(need_rows[0]));
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
