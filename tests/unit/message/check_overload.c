/* SPDX-License-Identifier: Apache-2.0 */
#include "message/overload.h"

#include <stdio.h>
#include <string.h>

#include "message/compose.h"
#include "message_test.h"

#define COUNT(rows) (int)(sizeof(rows) / sizeof((rows)[0]))

#define VIA "SIP/2.0/UDP p1.example.net;rport;branch=z9hG4bK2d4790.1"

static struct smsg_overload overload;

static int read_with(const char *params)
{
    static char text[1024];
    snprintf(text, sizeof(text), VIA "%s", params);
    return smsg_overload_read(slice_of_text(text), &overload);
}

START_TEST(a_client_offers_its_algorithms)
{
    ck_assert_int_eq(read_with(";oc;oc-algo=\"loss,A\""), 0);
    ck_assert(overload.offered && !overload.told && !overload.sequenced);
    ck_assert_uint_eq(overload.algorithms, SMSG_OVERLOAD_LOSS);
    ck_assert_uint_eq(overload.algorithm_count, 2);
    ck_assert_int_eq(read_with(" ; OC ; Oc-Algo = \" rate , LOSS \" "), 0);
    ck_assert(overload.offered);
    ck_assert_uint_eq(overload.algorithms, SMSG_OVERLOAD_LOSS | SMSG_OVERLOAD_RATE);
    ck_assert_int_eq(read_with(""), 0);
    ck_assert(!overload.offered && !overload.told);
}
END_TEST

START_TEST(a_server_tells_what_it_asks_for)
{
    ck_assert_int_eq(read_with(";oc=20;oc-algo=\"loss\";oc-validity=1500;oc-seq=1282321615.782"),
                     0);
    ck_assert(overload.told && overload.sequenced);
    ck_assert_uint_eq(overload.value, 20);
    ck_assert_uint_eq(overload.validity_ms, 1500);
    ck_assert_uint_eq(overload.sequence, UINT64_C(128232161578200));
    ck_assert_int_eq(read_with(";oc=150;oc-algo=\"rate\";oc-seq=999999999999.99999"), 0);
    ck_assert_uint_eq(overload.algorithms, SMSG_OVERLOAD_RATE);
    ck_assert_uint_eq(overload.validity_ms, SMSG_OVERLOAD_VALIDITY_MS);
    ck_assert_uint_eq(overload.sequence, UINT64_C(99999999999999999));
    /* Section 4.4 calls it an integer. */
    ck_assert_int_eq(read_with(";oc=20;oc-algo=\"loss\";oc-seq=12"), 0);
    ck_assert_uint_eq(overload.sequence, 1200000);
    ck_assert_int_eq(read_with(";oc;oc-validity=0;oc-seq=3.1"), 0);
    ck_assert(!overload.told && overload.sequenced);
    ck_assert_uint_eq(overload.validity_ms, 0);
    ck_assert_int_eq(read_with(";oc=0;oc-algo=loss;oc-validity=0"), 0);
    ck_assert(overload.told && !overload.sequenced);
    ck_assert_uint_eq(overload.validity_ms, 0);
}
END_TEST

static const char *const malformed[] = {
    ";oc=;oc-algo=\"loss\"",
    ";oc=many;oc-algo=\"loss\"",
    ";oc=-1;oc-algo=\"loss\"",
    ";oc=\"20\";oc-algo=\"loss\"",
    ";oc=4294967296;oc-algo=\"loss\"",
    ";oc=20;oc=30;oc-algo=\"loss\"",
    ";oc;oc=30;oc-algo=\"loss\"",
    ";oc=20;oc-algo=\"\"",
    ";oc=20;oc-algo",
    ";oc=20;oc-algo=\"loss,\";oc-algo=\"rate\"",
    ";oc=20;oc-algo=\",\"",
    ";oc=20;oc-algo=\"loss",
    ";oc=20;oc-algo=\"loss\";oc-validity=soon",
    ";oc=20;oc-algo=\"loss\";oc-validity=99999999999",
    ";oc=20;oc-algo=\"loss\";oc-seq=",
    ";oc=20;oc-algo=\"loss\";oc-seq=12.",
    ";oc=20;oc-algo=\"loss\";oc-seq=.5",
    ";oc=20;oc-algo=\"loss\";oc-seq=12.123456",
    ";oc=20;oc-algo=\"loss\";oc-seq=1234567890123.1",
    ";oc=20;oc-algo=\"loss\";oc-seq=1.2.3",
    ";oc=20;oc-algo=\"loss\";oc-seq=-1.2",
};

START_TEST(what_the_grammar_does_not_have_is_malformed)
{
    ck_assert_msg(read_with(malformed[_i]) == ERROR_MALFORMED, "%s", malformed[_i]);
}
END_TEST

static const struct {
    const char *from, *to;
} stripped[] = {
    {VIA, VIA},
    {VIA ";oc", VIA},
    {VIA ";oc;oc-algo=\"loss,rate\"", VIA},
    {VIA ";oc=1 ; oc-algo = \"loss\" ;oc-seq=1.1;oc-new=x;received=1.2.3.4",
     VIA "  ;received=1.2.3.4"},
    {VIA ";x=\";oc=5\";ocean=1;o;oc-validity=3", VIA ";x=\";oc=5\";ocean=1;o"},
    {VIA ";OC=9, SIP/2.0/TCP b;Oc=7,SIP/2.0/TCP c;oc", VIA ", SIP/2.0/TCP b,SIP/2.0/TCP c"},
    {VIA ";oc-algo=\"loss", VIA},
};

START_TEST(a_hop_takes_them_off)
{
    char memory[512];
    struct buffer text = buffer_over(memory, sizeof(memory));
    buffer_append_literal(&text, "Via: ");
    buffer_append_text(&text, stripped[_i].from);
    smsg_overload_strip(&text, 5);
    ck_assert_int_eq((int)text.length, (int)strlen(stripped[_i].to) + 5);
    ck_assert_int_eq(memcmp(memory + 5, stripped[_i].to, strlen(stripped[_i].to)), 0);
}
END_TEST

START_TEST(a_response_carries_them)
{
    static struct smsg request;
    static const char text[] = "OPTIONS sip:h SIP/2.0\r\n"
                               "Via: SIP/2.0/UDP p1;oc;branch=z9hG4bK1;oc-algo=\"loss\";rport,"
                               " SIP/2.0/UDP p0;oc\r\n"
                               "From: <sip:a@h>;tag=1\r\nTo: <sip:h>\r\nCall-ID: 1\r\n"
                               "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    char memory[1024];
    struct smsg_response response = {.status = 200, .received = SLICE("192.0.2.1"), .rport = 5062};
    ck_assert_int_eq(smsg_scan(&request, slice_of_text(text)), 0);
    ck_assert(request.via.overload);
    struct buffer out = buffer_over(memory, sizeof(memory));
    ck_assert_int_eq(smsg_compose_response(&out, &request, &response), 0);
    buffer_append_char(&out, '\0');
    ck_assert_ptr_nonnull(strstr(memory, "p1;oc;branch=z9hG4bK1;oc-algo=\"loss\";rport=5062;"));

    response.overload = SLICE(";oc=20;oc-algo=\"loss\"");
    out = buffer_over(memory, sizeof(memory));
    ck_assert_int_eq(smsg_compose_response(&out, &request, &response), 0);
    buffer_append_char(&out, '\0');
    ck_assert_ptr_nonnull(strstr(memory, "Via: SIP/2.0/UDP p1;branch=z9hG4bK1;rport=5062;"
                                         "received=192.0.2.1;oc=20;oc-algo=\"loss\","
                                         " SIP/2.0/UDP p0;oc\r\n"));
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, a_client_offers_its_algorithms);
    tcase_add_test(tests, a_server_tells_what_it_asks_for);
    tcase_add_loop_test(tests, what_the_grammar_does_not_have_is_malformed, 0, COUNT(malformed));
    tcase_add_loop_test(tests, a_hop_takes_them_off, 0, COUNT(stripped));
    tcase_add_test(tests, a_response_carries_them);
}

int main(void)
{
    return test_run("overload", add);
}
