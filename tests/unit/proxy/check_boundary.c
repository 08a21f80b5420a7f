/* SPDX-License-Identifier: Apache-2.0 */
/* Runs on one thread. */
/* What crosses the trust boundary of a trunk: a table of headers in, headers out. */
#include "unit/proxy/proxy_bench.h"

#include <ctype.h>

#include "base/random.h"
#include "config/schema.h"
#include "proxy/boundary.h"

static const char site[] =
    "listen:\n"
    "  - {address: '127.0.91.1:5060'}\n"
    "trunks:\n"
    "  - {name: u, sources: [192.0.2.0/24], targets: ['192.0.2.1:5060'], area_code: '10'}\n"
    "  - {name: t, sources: [198.51.100.0/24], targets: ['198.51.100.1:5060'], area_code: '10',\n"
    "     trusted: true}\n"
    "  - {name: n, sources: [203.0.113.1], targets: ['203.0.113.1:5060'], area_code: '10',\n"
    "     boundary: {in: {asserted: normalise, remote_party: normalise, verstat: remove},\n"
    "                out: {critical: refuse, privacy: remove, identity: remove, tags: remove}}}\n"
    "  - {name: k, sources: [203.0.113.2], targets: ['203.0.113.2:5060'], area_code: '10',\n"
    "     boundary: {in: {asserted: keep, preferred: keep, verstat: keep, tags: keep},\n"
    "                out: {asserted: keep, preferred: keep, verstat: keep}}}\n"
    "routes:\n"
    "  - {prefix: '0', to: t}\n"
    "  - {prefix: '1', to: u}\n"
    "  - {prefix: '2', to: n}\n"
    "  - {prefix: '3', to: k}\n"
    "limits: {timer_c: 180s}\n";

static const char rules[] = "rules:\n"
                            "  - {id: tagged, when: 'caller.display == \"T\"', score: 70}\n"
                            "policy: [{at: 60, do: tag}]\n";

#define U "192.0.2.1:5060"
#define T "198.51.100.1:5060"
#define N "203.0.113.1:5060"
#define K "203.0.113.2:5060"

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

/* to: the first digit of a trunk's numbers. */
static const char *request(const char *method, const char *to, const char *from, const char *more)
{
    static char text[16384];
    unsigned call = ++serial;
    snprintf(text, sizeof(text),
             "%s sip:%s1062345678@127.0.91.1 SIP/2.0\r\n"
             "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%u;rport\r\n"
             "Max-Forwards: 70\r\nFrom: %s;tag=from\r\n"
             "To: <sip:01062345678@127.0.91.1>\r\nCall-ID: c%u\r\nCSeq: 1 %s\r\n"
             "%sContent-Length: 0\r\n\r\n",
             method, to, call, from, call, method, more);
    return text;
}

#define PLAIN_FROM "\"A\" <sip:13800138000@192.0.2.1>"

/* All lines that start with a name, as the message has them. */
static const char *lines_of(const char *message, const char *name)
{
    static char text[4096];
    size_t length = 0;
    for (const char *line = message; (line = strstr(line, "\r\n")) != NULL && line[2] != '\r';) {
        line += 2;
        if (strncasecmp(line, name, strlen(name)) != 0)
            continue;
        const char *end = strstr(line, "\r\n");
        while (end[2] == ' ')
            end = strstr(end + 2, "\r\n");
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%.*s\r\n",
                                   (int)(end - line), line);
    }
    text[length] = '\0';
    return text;
}

static const char *crossed(const char *source, const char *to, const char *to_address,
                           const char *from, const char *more)
{
    bench_receive(&b, source, 0, request("INVITE", to, from, more));
    return bench_expect(&b, 1, to_address, "INVITE ");
}

static uint64_t counted(enum proxy_boundary_kind kind)
{
    return stats_label_total(b.registry, STATS_FAMILY_BOUNDARY, b.labels.boundary[kind]);
}

#define PAI   "P-Asserted-Identity: "
#define RPID  "Remote-Party-ID: "
#define PPI   "P-Preferred-Identity: "
#define SIP_A "<sip:13900139000@a.example>"
#define TEL_A "<tel:+8613900139000>"

static const struct crossing_row {
    const char *source, *to, *to_address;
    const char *in;
    const char *name;
    const char *out;
} crossing_rows[] = {
    /* From an untrusted trunk an assertion never crosses, however it is written. */
    {U, "0", T, PAI SIP_A "\r\n", PAI, ""},
    {U, "0", T, "p-asserted-identity :\r\n " SIP_A ",\r\n\t" TEL_A "\r\n", "p-asserted", ""},
    {U, "0", T, PAI SIP_A "\r\nSubject: x\r\n" PAI TEL_A "\r\n" PAI SIP_A "\r\n", PAI, ""},
    {U, "0", T, RPID SIP_A ";party=calling;privacy=off\r\n", RPID, ""},
    {U, "0", T, PPI SIP_A "\r\n", PPI, ""},
    {U, "0", T, "Privacy: id;critical\r\n", "Privacy", "Privacy: id;critical\r\n"},
    /* From a trusted one, to an untrusted one: unless Privacy says id. */
    {T, "1", U, PAI SIP_A ", " TEL_A "\r\n", PAI, PAI SIP_A ", " TEL_A "\r\n"},
    {T, "1", U, PAI SIP_A "\r\nPrivacy: none\r\n", PAI, PAI SIP_A "\r\n"},
    {T, "1", U, PAI SIP_A "\r\nPrivacy: header;session\r\n", PAI, PAI SIP_A "\r\n"},
    {T, "1", U, PAI SIP_A "\r\nPrivacy: idle\r\n", PAI, PAI SIP_A "\r\n"},
    {T, "1", U, PAI SIP_A "\r\nPrivacy: id\r\n", PAI, ""},
    {T, "1", U, PAI SIP_A "\r\nPrivacy: header ;\r\n ID ; critical\r\n" PAI TEL_A "\r\n", PAI, ""},
    {T, "1", U, PAI SIP_A "\r\nPrivacy: user\r\nPrivacy: user,id\r\n", PAI, ""},
    {T, "1", U, RPID SIP_A "\r\nPrivacy: id\r\n", RPID, ""},
    {T, "1", U, PPI SIP_A "\r\n", PPI, ""},
    /* To a trusted one whatever it says. */
    {T, "0", T, PAI SIP_A "\r\nPrivacy: id\r\n", PAI, PAI SIP_A "\r\n"},
    {T, "0", T, PPI SIP_A "\r\n", PPI, PPI SIP_A "\r\n"},
    /* As one says otherwise. */
    {K, "0", T, PAI SIP_A "\r\n", PAI, PAI SIP_A "\r\n"},
    {K, "0", T, PPI SIP_A "\r\n", PPI, PPI SIP_A "\r\n"},
    {T, "3", K, PAI SIP_A "\r\nPrivacy: id\r\n", PAI, PAI SIP_A "\r\n"},
    {T, "2", N, "Privacy: id\r\n", "Privacy", ""},
    {T, "2", N, "Identity: abc;info=<x>\r\ny: def;info=<y>\r\n", "Identity", ""},
    {T, "2", N, "y: def;info=<y>\r\n", "y:", ""},
    /* In E.164. */
    {N, "0", T, PAI SIP_A ", <tel:62345678;phone-context=+8610>\r\n", PAI,
     PAI "<sip:+8613900139000@a.example>, <tel:+861062345678>\r\n"},
    {N, "0", T, PAI "\"X, Y\" <sip:01062345678;verstat=No;x=y@a.example;user=phone>\r\n", PAI,
     PAI "\"X, Y\" <sip:+861062345678@a.example;user=phone>\r\n"},
    {N, "0", T, PAI "<sip:+8613900139000@a>\r\n", PAI, PAI "<sip:+8613900139000@a>\r\n"},
    {N, "0", T, PAI "<sip:alice@a>\r\n", PAI, PAI "<sip:alice@a>\r\n"},
    {N, "0", T, RPID "<sip:13900139000@a>;party=calling\r\n", RPID,
     RPID "<sip:+8613900139000@a>;party=calling\r\n"},
    /* verstat in assertions that stay. */
    {T, "1", U, PAI "<sip:+8613900139000;verstat=TN-Validation-Passed@a;user=phone>\r\n", PAI,
     PAI "<sip:+8613900139000@a;user=phone>\r\n"},
    {T, "1", U, PAI "<tel:+8613900139000;VerStat=x>, <sip:a@b>;verstat=\"a;b\";c=d\r\n", PAI,
     PAI "<tel:+8613900139000>, <sip:a@b>;c=d\r\n"},
    {T, "0", T, PAI "<tel:+8613900139000;verstat=x>\r\n", PAI,
     PAI "<tel:+8613900139000;verstat=x>\r\n"},
};

START_TEST(headers_cross_as_the_table_says)
{
    const struct crossing_row *row = &crossing_rows[_i];
    const char *out = crossed(row->source, row->to, row->to_address, PLAIN_FROM, row->in);
    ck_assert_str_eq(lines_of(out, row->name), row->out);
    ck_assert_str_eq(lines_of(out, "Subject"), strstr(row->in, "Subject") ? "Subject: x\r\n" : "");
}
END_TEST

static const struct from_row {
    const char *in;
    const char *out;
} from_rows[] = {
    {PLAIN_FROM, PLAIN_FROM},
    {"\"A;verstat=x\" <sip:1@a>", "\"A;verstat=x\" <sip:1@a>"},
    {"<sip:1;verstat=TN-Validation-Passed@a;user=phone>", "<sip:1@a;user=phone>"},
    {"<sip:1@a;user=phone;VERSTAT=x;y>", "<sip:1@a;user=phone;y>"},
    {"<sip:1@a;%76er%53tat=x>", "<sip:1@a>"},
    {"<sip:1;%56erstat=x;isub=2@a>", "<sip:1;isub=2@a>"},
    {"<sip:1;verstat=x;verstat@a;verstat=y>;verstat=z", "<sip:1@a>"},
    {"<sip:1@a>;x=\"a;verstat=b\";verstat=\"c;d\"", "<sip:1@a>;x=\"a;verstat=b\""},
    {"<sip:1@a> ;\r\n verstat = x ;y=z", "<sip:1@a>  ;y=z"},
    {"<tel:+8613800138000;verstat=x>", "<tel:+8613800138000>"},
    {"<sip:1;verstatus=x@a;xverstat=1>", "<sip:1;verstatus=x@a;xverstat=1>"},
};

START_TEST(verstat_of_an_untrusted_trunk_never_crosses)
{
    const struct from_row *row = &from_rows[_i];
    char expected[256];
    const char *out = crossed(U, "0", T, row->in, "");
    snprintf(expected, sizeof(expected), "From: %s;tag=from\r\n", row->out);
    ck_assert_str_eq(lines_of(out, "From"), expected);
    ck_assert_uint_eq(counted(PROXY_BOUNDARY_VERSTAT), strcmp(row->in, row->out) != 0);
}
END_TEST

START_TEST(verstat_of_a_trusted_trunk_crosses)
{
    const char *from = "<sip:1;verstat=x@a>";
    ck_assert_str_eq(lines_of(crossed(T, "0", T, from, ""), "From"),
                     "From: <sip:1;verstat=x@a>;tag=from\r\n");
    ck_assert_str_eq(lines_of(crossed(T, "1", U, from, ""), "From"),
                     "From: <sip:1@a>;tag=from\r\n");
    ck_assert_str_eq(lines_of(crossed(T, "3", K, from, ""), "From"),
                     "From: <sip:1;verstat=x@a>;tag=from\r\n");
}
END_TEST

START_TEST(identity_crosses_byte_for_byte)
{
    static const char identity[] =
        "Identity:   eyJhbGciOiJFUzI1NiJ9.e30.sig ;info=<https://a.example/c.pem>;alg=ES256\r\n"
        "\t;ppt=\"shaken\"\r\n"
        "y: second..x;info=<https://b.example/c>  \r\n";
    const char *out = crossed(U, "0", T, PLAIN_FROM, identity);
    ck_assert_ptr_nonnull(strstr(out, identity));
    ck_assert_uint_eq(counted(PROXY_BOUNDARY_IDENTITY), 0);
}
END_TEST

START_TEST(every_request_crosses_alike)
{
    bench_receive(&b, U, 0, request("MESSAGE", "0", "<sip:1;verstat=x@a>", PAI SIP_A "\r\n"));
    const char *out = bench_expect(&b, 0, T, "MESSAGE ");
    ck_assert_str_eq(lines_of(out, PAI), "");
    ck_assert_str_eq(lines_of(out, "From"), "From: <sip:1@a>;tag=from\r\n");
    ck_assert_uint_eq(counted(PROXY_BOUNDARY_ASSERTED), 1);
}
END_TEST

START_TEST(tags_leave_only_where_they_may)
{
    static const char tags[] = "X-Ringfence-Score: 1\r\n";
    const char *tagged = "\"T\" <sip:13800138000@192.0.2.1>";
    ck_assert_str_eq(lines_of(crossed(U, "0", T, PLAIN_FROM, tags), "X-"), "");
    ck_assert_str_eq(lines_of(crossed(K, "0", T, PLAIN_FROM, tags), "X-"), tags);
    ck_assert_str_eq(lines_of(crossed(T, "1", U, PLAIN_FROM, tags), "X-"), tags);
    ck_assert_str_eq(lines_of(crossed(T, "2", N, PLAIN_FROM, tags), "X-"), "");
    ck_assert_str_eq(lines_of(crossed(K, "0", T, tagged, tags), "X-"),
                     "X-Ringfence-Score: 70\r\nX-Ringfence-Reason: tagged\r\n");
    ck_assert_str_eq(lines_of(crossed(U, "2", N, tagged, tags), "X-"), "");
    ck_assert_uint_eq(bench_total(&b, STATS_TAG_HEADERS_REMOVED), 4);
}
END_TEST

START_TEST(critical_privacy_is_refused_where_that_is_wanted)
{
    static const char critical[] = "Privacy: user;header;id;critical\r\n";
    bench_receive(&b, T, 0, request("INVITE", "2", PLAIN_FROM, critical));
    bench_expect(&b, 0, T, "SIP/2.0 100 ");
    bench_expect(&b, 1, T, "SIP/2.0 500 Privacy Not Available: header user\r\n");
    ck_assert_uint_eq(b.sent_count, 2);
    crossed(T, "2", N, PLAIN_FROM, "Privacy: id;critical\r\n");
    crossed(T, "2", N, PLAIN_FROM, "Privacy: header;user\r\n");
    ck_assert_str_eq(lines_of(crossed(T, "1", U, PLAIN_FROM, critical), "Privacy"), critical);
}
END_TEST

/* The answer of who got the latest request. */
static const char *response_to(const char *sent, const char *start, const char *more)
{
    static char text[8192];
    struct smsg message;
    ck_assert_int_eq(smsg_scan(&message, slice_of_text(sent)), 0);
    size_t length = (size_t)snprintf(text, sizeof(text), "SIP/2.0 %s\r\n", start);
    for (uint16_t i = 0; i < message.header_count; i++) {
        const struct smsg_header *h = &message.headers[i];
        if (h->id >= SMSG_HEADER_VIA && h->id <= SMSG_HEADER_CSEQ)
            length += (size_t)snprintf(text + length, sizeof(text) - length, "%.*s%s\r\n",
                                       (int)(h->value_end - h->start), sent + h->start,
                                       h->id == SMSG_HEADER_TO ? ";tag=to" : "");
    }
    snprintf(text + length, sizeof(text) - length, "%sContent-Length: 0\r\n\r\n", more);
    return text;
}

START_TEST(responses_cross_too)
{
    static char sent[4096];
    snprintf(sent, sizeof(sent), "%s", crossed(T, "1", U, PLAIN_FROM, ""));
    bench_receive(&b, U, 0, response_to(sent, "180 Ringing", PAI SIP_A "\r\n" RPID SIP_A "\r\n"));
    const char *out = bench_expect(&b, 0, T, "SIP/2.0 180 ");
    ck_assert_str_eq(lines_of(out, PAI), "");
    ck_assert_str_eq(lines_of(out, RPID), "");

    snprintf(sent, sizeof(sent), "%s", crossed(U, "0", T, PLAIN_FROM, ""));
    bench_receive(&b, T, 0, response_to(sent, "180 Ringing", PAI SIP_A "\r\n"));
    ck_assert_str_eq(lines_of(bench_expect(&b, 0, U, "SIP/2.0 180 "), PAI), PAI SIP_A "\r\n");
    bench_receive(&b, T, 0, response_to(sent, "183 X", PAI SIP_A "\r\nPrivacy: id\r\n"));
    out = bench_expect(&b, 0, U, "SIP/2.0 183 ");
    ck_assert_str_eq(lines_of(out, PAI), "");
    ck_assert_str_eq(lines_of(out, "Privacy"), "Privacy: id\r\n");
}
END_TEST

/* Nobody knows the way of an answer of an earlier life before it is read: it is not trusted. */
START_TEST(stray_responses_cross_as_to_strangers)
{
    static char sent[4096];
    snprintf(sent, sizeof(sent), "%s", crossed(U, "0", T, PLAIN_FROM, ""));
    bench_restart(&b);
    bench_receive(&b, T, 0, response_to(sent, "200 OK", PAI SIP_A "\r\nPrivacy: id\r\n"));
    ck_assert_str_eq(lines_of(bench_expect(&b, 0, U, "SIP/2.0 200 "), PAI), "");
}
END_TEST

/* Screening has the number of the network also where it is taken off. */
START_TEST(what_is_taken_off_has_been_screened)
{
    crossed(T, "1", U, "\"Anonymous\" <sip:anonymous@anonymous.invalid>",
            PAI "<sip:13900139000@a>\r\nPrivacy: id\r\n");
    ck_assert_str_eq(screen_engine_facts(b.engine)->caller.text, "+8613900139000");
}
END_TEST

/* More than an edit can hold is refused, never half done. */
START_TEST(a_flood_of_assertions_is_refused)
{
    static char more[8192];
    for (size_t i = 0, length = 0; i < 60; i++)
        length += (size_t)snprintf(more + length, sizeof(more) - length, "%s%s\r\nX: y\r\n", PAI,
                                   "<sip:1@a>");
    bench_receive(&b, U, 0, request("INVITE", "0", PLAIN_FROM, more));
    for (size_t i = 0; i < b.sent_count; i++)
        ck_assert_msg(strncmp(b.sent[i].bytes, "INVITE", 6) != 0, "%s", b.sent[i].bytes);
}
END_TEST

/* An independent reader: whatever stands outside quotes, unescaped, without blanks, in small
 * letters, has no parameter of that name. */
static bool shows_verstat(const char *line)
{
    char plain[4096];
    size_t length = 0;
    bool quoted = false;
    for (const char *at = line; *at != '\0'; at++) {
        unsigned hexadecimal;
        if (quoted && *at == '\\' && at[1] != '\0') {
            at++;
        } else if (*at == '"') {
            quoted = !quoted;
        } else if (!quoted && *at == '%' && sscanf(at + 1, "%2x", &hexadecimal) == 1) {
            plain[length++] = (char)tolower((int)hexadecimal);
            at += 2;
        } else if (!quoted && strchr(" \t\r\n", *at) == NULL) {
            plain[length++] = (char)tolower((unsigned char)*at);
        }
    }
    plain[length] = '\0';
    for (const char *at = plain; (at = strstr(at, ";verstat")) != NULL; at++)
        if (!isalnum((unsigned char)at[8]))
            return true;
    return false;
}

static void append_any(struct buffer *out, struct random_state *random, const char *const *pieces,
                       size_t count)
{
    for (uint64_t left = random_below(random, 4); left > 0; left--)
        buffer_append_text(out, pieces[random_below(random, count)]);
}

/* An address out of pieces that are sound wherever they stand. */
static void append_address(struct buffer *out, struct random_state *random)
{
    static const char *const inner[] = {";verstat=x", ";VERSTAT", ";%76erstat=No",  ";vers%54at=a",
                                        ";isub=1",    ";verst=a", ";versta%74%73=1"};
    static const char *const outer[] = {";verstat=x",
                                        " ; verstat = x",
                                        ";\r\n\tVerstat",
                                        ";a=\"b;verstat=\\\"c\"",
                                        ";verstat=\"x;verstat=y\"",
                                        ";b"};
    static const char *const displays[] = {"", "A ", "\"x;verstat=<y>, z\" ", "\"\\\"\""};
#define PIECES(array) array, sizeof(array) / sizeof((array)[0])
    buffer_append_text(out, displays[random_below(random, 4)]);
    bool is_tel = random_below(random, 3) == 0;
    buffer_append_text(out, is_tel ? "<tel:+8613800138000" : "<sip:1");
    append_any(out, random, PIECES(inner));
    if (!is_tel) {
        buffer_append_text(out, "@a.example");
        append_any(out, random, PIECES(inner));
    }
    buffer_append_char(out, '>');
    append_any(out, random, PIECES(outer));
#undef PIECES
}

START_TEST(no_verstat_gets_through_however_it_is_written)
{
    struct random_state random;
    char from[1024], more[4096];
    unsigned shown = 0;
    random_seed(&random, 45);
    for (int i = 0; i < 3000; i++) {
        struct buffer out = buffer_over(from, sizeof(from) - 1);
        append_address(&out, &random);
        from[out.length] = '\0';
        out = buffer_over(more, sizeof(more) - 1);
        buffer_append_text(&out, PAI);
        for (uint64_t left = random_below(&random, 3); left > 0; left--) {
            append_address(&out, &random);
            buffer_append_text(&out, random_below(&random, 2) ? ", " : "\r\n" PAI);
        }
        append_address(&out, &random);
        buffer_append_text(&out, "\r\n");
        more[out.length] = '\0';
        const char *text = crossed(T, "1", U, from, more);
        ck_assert_msg(!shows_verstat(lines_of(text, "From")), "%s\nfrom\n%s", text, from);
        ck_assert_msg(!shows_verstat(lines_of(text, PAI)), "%s\nfrom\n%s", text, more);
        struct smsg read;
        ck_assert_int_eq(smsg_scan(&read, slice_of_text(text)), 0);
        shown += shows_verstat(from) + shows_verstat(more);
        bench_pass(&b, 60 * BENCH_SECOND);
    }
    ck_assert_uint_gt(shown, 3000); /* or nothing was tried */
}
END_TEST

/* The table of docs/trust.md says what by_trust means. */
START_TEST(the_documentation_has_the_table)
{
    static const char *const words[] = {[PROXY_TREATMENT_KEEP] = "keep",
                                        [PROXY_TREATMENT_REMOVE] = "remove",
                                        [PROXY_TREATMENT_PRIVACY] = "privacy"};
    static const struct proxy_boundary_settings by_trust;
    struct proxy_boundary trusted, other;
    char text[8192];
    FILE *file = fopen("docs/trust.md", "r");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    ck_assert_int_eq(fclose(file), 0);
    proxy_boundary_resolve(&by_trust, true, &trusted);
    proxy_boundary_resolve(&by_trust, false, &other);
    for (unsigned i = 0; i < PROXY_BOUNDARY_COUNT; i++) {
        char key[32], row[128];
        snprintf(key, sizeof(key), "| `%s` |", proxy_boundary_key(i));
        const char *line = strstr(text, key);
        ck_assert_msg(line != NULL, "no row for %s", key);
        snprintf(row, sizeof(row), "| %s | %s | %s | %s |\n", words[trusted.in[i]],
                 words[trusted.out[i]], words[other.in[i]], words[other.out[i]]);
        const char *end = strchr(line, '\n') + 1;
        ck_assert_msg((size_t)(end - line) > strlen(row) &&
                          strncmp(end - strlen(row), row, strlen(row)) == 0,
                      "the row of %s does not end with %s", key, row);
    }
}
END_TEST

START_TEST(rows_are_sound)
{
    struct conf_report *report;
    ck_assert_int_eq(conf_report_create(&report), 0);
    int error = conf_section_verify(&proxy_boundary_section, report);
    conf_report_print(report, stderr, false);
    ck_assert_int_eq(error, 0);
    conf_report_destroy(report);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("proxy/boundary");
    TCase *tests = tcase_create("boundary");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, headers_cross_as_the_table_says, 0,
                        sizeof(crossing_rows) / sizeof(crossing_rows[0]));
    tcase_add_loop_test(tests, verstat_of_an_untrusted_trunk_never_crosses, 0,
                        sizeof(from_rows) / sizeof(from_rows[0]));
    tcase_add_test(tests, verstat_of_a_trusted_trunk_crosses);
    tcase_add_test(tests, identity_crosses_byte_for_byte);
    tcase_add_test(tests, every_request_crosses_alike);
    tcase_add_test(tests, tags_leave_only_where_they_may);
    tcase_add_test(tests, critical_privacy_is_refused_where_that_is_wanted);
    tcase_add_test(tests, responses_cross_too);
    tcase_add_test(tests, stray_responses_cross_as_to_strangers);
    tcase_add_test(tests, what_is_taken_off_has_been_screened);
    tcase_add_test(tests, a_flood_of_assertions_is_refused);
    tcase_add_test(tests, no_verstat_gets_through_however_it_is_written);
    tcase_add_test(tests, the_documentation_has_the_table);
    tcase_add_test(tests, rows_are_sound);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
