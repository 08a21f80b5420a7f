/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of RFC 4475 and RFC 5118: what scan owes each, as docs/rfc4475.md has it. */
#include <stdio.h>

#include "message_test.h"

#define SHEET "docs/rfc4475.md"

/* Where the messages are: the archives of the RFCs, and those of our own. */
#define ARCHIVE "../shared/data/torture/"
#define OWN     "tests/data/torture/"

enum { ROW_LIMIT = 80 };

static struct row {
    char name[48];
    enum smsg_bad bad;
} rows[ROW_LIMIT];
static int row_count;

static char memory[65536];
static struct smsg message;

/* False when the file is not there. */
static bool read_file(const char *path, struct slice *bytes)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        return false;
    *bytes = slice_make(memory, fread(memory, 1, sizeof memory, file));
    fclose(file);
    return true;
}

/* The archive of RFC 5118 has lost its CRs, so that its bodies are shorter than they say. */
static void repair_body(struct slice *bytes)
{
    static const char marker[] = "\nContent-Length: ";
    char *length = memmem(memory, bytes->length, marker, sizeof marker - 1);

    if (memchr(memory, '\r', bytes->length) != NULL || length == NULL)
        return;
    memset(memory + bytes->length, '\n', 64);
    bytes->length += 64;
}

static bool read_message(const char *folder, const char *name, struct slice *bytes)
{
    static const struct {
        const char *folder, *end;
    } forms[] = {{"rfc4475", ".dat"}, {"rfc4475", ".sip"}, {"rfc5118", ""}, {"rfc5118", ".sip"}};
    char path[256];

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        int length =
            snprintf(path, sizeof path, "%s%s/%s%s", folder, forms[i].folder, name, forms[i].end);

        ck_assert_int_lt(length, (int)sizeof path);
        if (!read_file(path, bytes))
            continue;
        repair_body(bytes);
        return true;
    }
    return false;
}

/* The cell of a table's row with this number, from 1 on, without the blanks around it. */
static struct slice cell_of(struct slice line, int number)
{
    for (; number > 0; number--)
        line = slice_from(line, slice_find(line, '|') + 1);
    return slice_trim(slice_first(line, slice_find(line, '|')));
}

static bool bad_of(struct slice text, enum smsg_bad *bad)
{
    *bad = SMSG_BAD_NONE;
    if (slice_equal(text, SLICE("good")))
        return true;
    for (unsigned i = SMSG_BAD_NONE + 1; i < SMSG_BAD_COUNT; i++) {
        *bad = (enum smsg_bad)i;
        if (slice_equal(text, slice_of_text(smsg_bad_rows[i].key)))
            return true;
    }
    return false;
}

/* The rows of the sheet: section, name, what is owed, scan, outcome. */
static void read_sheet(void)
{
    struct slice rest, line;
    static char text[sizeof memory];

    ck_assert_msg(read_file(SHEET, &rest), "%s is not there", SHEET);
    memcpy(text, memory, rest.length);
    rest.data = text;
    for (row_count = 0; rest.length > 0; rest = slice_from(rest, line.length + 1)) {
        struct row *row = &rows[row_count];
        struct slice name;

        line = slice_first(rest, slice_find(rest, '\n'));
        name = cell_of(line, 2);
        if (!slice_equal(slice_first(line, 2), SLICE("| ")) || line.data[2] < '0' ||
            line.data[2] > '9')
            continue;
        ck_assert_int_lt(row_count, ROW_LIMIT);
        ck_assert_uint_lt(name.length, sizeof row->name);
        memcpy(row->name, name.data, name.length);
        ck_assert_msg(bad_of(cell_of(line, 4), &row->bad), "%s: the scan of %s is none", SHEET,
                      row->name);
        row_count++;
    }
}

static void check_verdict(const struct row *row, struct slice bytes)
{
    struct slice exact = test_exact(bytes);
    int code = smsg_scan(&message, exact);

    ck_assert_msg(message.bad == row->bad, "%s: %s, not %s", row->name,
                  smsg_bad_rows[message.bad].key, smsg_bad_rows[row->bad].key);
    ck_assert_int_eq(code, row->bad == SMSG_BAD_NONE ? 0 : ERROR_MALFORMED);
    if (code == 0)
        ck_assert(slice_equal(smsg_peek_call_id(exact), message.call_id));
    test_release(exact);
}

START_TEST(verdicts)
{
    struct slice bytes;

    read_sheet();
    /* All of both RFCs. */
    ck_assert_int_eq(row_count, 49 + 12);
    for (int i = 0; i < row_count; i++) {
        ck_assert_msg(read_message(OWN, rows[i].name, &bytes), "%s is not there", rows[i].name);
        check_verdict(&rows[i], bytes);
        if (read_message(ARCHIVE, rows[i].name, &bytes))
            check_verdict(&rows[i], bytes);
    }
}
END_TEST

START_TEST(no_sip_at_all)
{
    static const struct row row = {"test", SMSG_BAD_NOT_SIP};
    struct slice bytes;

    if (read_message(ARCHIVE, row.name, &bytes))
        check_verdict(&row, bytes);
}
END_TEST

START_TEST(escapes_are_kept)
{
    struct slice bytes;

    ck_assert(read_message(OWN, "esc01", &bytes));
    ck_assert_int_eq(smsg_scan(&message, bytes), 0);
    ck_assert_slice(message.request_uri, "sip:sips%3Auser%40example.com@example.net");
    ck_assert(read_message(OWN, "esc02", &bytes));
    ck_assert_int_eq(smsg_scan(&message, bytes), 0);
    ck_assert_int_eq(message.method, SMSG_METHOD_OTHER);
    ck_assert_slice(message.method_text, "RE%47IST%45R");
    ck_assert_int_eq(smsg_find(&message, SLICE("C%6Fntact"))->id, SMSG_HEADER_OTHER);
}
END_TEST

START_TEST(tortuous_values_are_read_whole)
{
    struct slice bytes;

    ck_assert(read_message(OWN, "wsinv", &bytes));
    ck_assert_int_eq(smsg_scan(&message, bytes), 0);
    ck_assert_slice(message.from.tag, "55gg01");
    ck_assert_slice(message.to.tag, "7714420n");
    ck_assert_int_eq(message.max_forwards, 68);
    ck_assert_uint_eq(message.cseq, 9);
    ck_assert_slice(message.via.branch, "741kdwq");
    ck_assert_slice(message.via.host, "192.0.2.62");
    ck_assert(read_message(OWN, "intmeth", &bytes));
    ck_assert_int_eq(smsg_scan(&message, bytes), 0);
    ck_assert_slice(message.method_text, "!odd-Method9876543210_*+`.%yes'~");
    ck_assert_slice(message.from.tag, "_word~1'+`*%!-.");
    ck_assert_slice(message.call_id, "intmeth.part%ZK-!.*_+'@part`~)(><:\\/\"][?}{");
    ck_assert_int_eq(message.max_forwards, 255);
    ck_assert(read_message(OWN, "longreq", &bytes));
    ck_assert_int_eq(smsg_scan(&message, bytes), 0);
    ck_assert_slice(message.via.host, "sip33.example.com");
    ck_assert(read_message(OWN, "dblreq", &bytes));
    ck_assert_int_eq(smsg_scan(&message, bytes), 0);
    ck_assert_slice(message.call_id, "dblreq.61@example.com");
    ck_assert_uint_eq(message.body.length, 0);
}
END_TEST

START_TEST(ipv6_received_with_brackets)
{
    struct slice bytes;

    ck_assert(read_message(OWN, "via-received-param-with-delim", &bytes));
    ck_assert_int_eq(smsg_scan(&message, bytes), 0);
    ck_assert_slice(message.via.received, "[2001:db8::61:255]");
    ck_assert(read_message(OWN, "ipv6-bug-abnf-3-colons", &bytes));
    ck_assert_int_eq(smsg_scan(&message, bytes), 0);
    ck_assert_slice(message.request_uri, "sip:user61@[2001:db8:::192.0.2.61]");
}
END_TEST

START_TEST(ipv6_received_without_brackets)
{
    struct slice bytes;

    ck_assert(read_message(OWN, "via-received-param-no-delim", &bytes));
    ck_assert_int_eq(smsg_scan(&message, bytes), 0);
    ck_assert_slice(message.via.received, "2001:db8::61:255");
    ck_assert_slice(message.via.branch, "z9hG4bKno-delim");
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, verdicts);
    tcase_add_test(tests, no_sip_at_all);
    tcase_add_test(tests, escapes_are_kept);
    tcase_add_test(tests, tortuous_values_are_read_whole);
    tcase_add_test(tests, ipv6_received_with_brackets);
    tcase_add_test(tests, ipv6_received_without_brackets);
}

int main(void)
{
    return test_run("torture", add);
}
