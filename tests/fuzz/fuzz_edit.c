/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Edits on any message that scans: the result has the announced length, what was not touched is
 * unchanged, and a hop's edits taken back give the message again. The first byte says which edits.
 * And a refusal of any message, however broken, is one message.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "message/compose.h"
#include "message/edit.h"
#include "message/overload.h"

#define REQUIRE(condition)                                                  \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char there[1 << 18], back[1 << 18];
static struct smsg message, edited;
static struct smsg_edit edit;

static struct slice write_edit(char *memory, size_t capacity)
{
    struct buffer out = buffer_over(memory, capacity);

    REQUIRE(smsg_edit_write(&edit, &out) == 0);
    REQUIRE(out.length == smsg_edit_length(&edit));
    return buffer_slice(&out);
}

/* The message with the empty line that edit adds when it is missing. */
static struct slice untouched(void)
{
    smsg_edit_begin(&edit, &message);
    return write_edit(there, sizeof there);
}

static void hop_and_back(void)
{
    const struct smsg_header *max_forwards = smsg_first(&message, SMSG_HEADER_MAX_FORWARDS);
    struct slice result;

    smsg_edit_begin(&edit, &message);
    smsg_edit_push_header(&edit, SMSG_HEADER_VIA, SLICE("Via: SIP/2.0/UDP h;branch=z9hG4bKn\r\n"));
    smsg_edit_push_header(&edit, SMSG_HEADER_RECORD_ROUTE, SLICE("Record-Route: <sip:h;lr>\r\n"));
    if (max_forwards != NULL)
        smsg_edit_replace_slice(&edit, smsg_value(&message, max_forwards), SLICE("255"));
    result = write_edit(there, sizeof there);
    if (smsg_scan(&edited, result) != 0) {
        /* Two more lines and values may be too many; nothing else may be wrong. */
        REQUIRE(edited.bad == SMSG_BAD_TOO_MANY_HEADERS || edited.bad == SMSG_BAD_TOO_MANY_VALUES);
        return;
    }
    REQUIRE(slice_equal(edited.via.branch, SLICE("z9hG4bKn")));
    REQUIRE(slice_equal(edited.body, message.body));
    REQUIRE(slice_equal(edited.call_id, message.call_id));
    smsg_edit_begin(&edit, &edited);
    smsg_edit_pop_value(&edit, SMSG_HEADER_VIA);
    smsg_edit_pop_value(&edit, SMSG_HEADER_RECORD_ROUTE);
    if (max_forwards != NULL)
        smsg_edit_replace_slice(&edit,
                                smsg_value(&edited, smsg_first(&edited, SMSG_HEADER_MAX_FORWARDS)),
                                smsg_value(&message, max_forwards));
    result = write_edit(back, sizeof back);
    REQUIRE(slice_equal(result, untouched()));
}

static void pop_and_remove(unsigned choice)
{
    struct buffer out = buffer_over(there, sizeof there);

    smsg_edit_begin(&edit, &message);
    smsg_edit_pop_values(&edit, SMSG_HEADER_VIA, choice & 3);
    smsg_edit_pop_values(&edit, SMSG_HEADER_ROUTE, choice >> 2 & 3);
    smsg_edit_append_header(&edit, SLICE("X-Last: 1\r\n"));
    if (message.header_count > choice)
        smsg_edit_remove_header(&edit, &message.headers[choice]);
    if (smsg_edit_write(&edit, &out) != 0) {
        REQUIRE(edit.failed && out.length == 0);
        return;
    }
    REQUIRE(out.length == smsg_edit_length(&edit));
    if (smsg_scan(&edited, buffer_slice(&out)) == 0)
        REQUIRE(smsg_find(&edited, SLICE("X-Last")) != NULL);
}

static void refuse(void)
{
    struct smsg_response response = {
        .status = 400, .to_tag = SLICE("us"), .received = SLICE("192.0.2.1"), .rport = 5070};
    struct buffer out = buffer_over(there, sizeof there);

    REQUIRE(smsg_compose_response(&out, &message, &response) == 0);
    REQUIRE((smsg_scan(&edited, buffer_slice(&out)) == 0) || message.bad != SMSG_BAD_NONE);
    REQUIRE(edited.headers_end + 2 == out.length);
    if (edited.bad == SMSG_BAD_NONE && message.via.rport_present)
        REQUIRE(slice_equal(edited.via.rport, SLICE("rport=5070")));
}

/* What a client of overload control has written into its Via gives way to what it is told. */
static void tell(void)
{
    struct smsg_response response = {
        .status = 100, .overload = SLICE(";oc=20;oc-algo=\"rate\";oc-validity=700;oc-seq=1.5")};
    struct smsg_overload said;
    struct slice runs[SMSG_OVERLOAD_RUNS];
    struct buffer out = buffer_over(there, sizeof there);
    size_t found = smsg_overload_find(message.via.value, runs);

    REQUIRE(found == 0 || runs[found - 1].data < slice_past(message.via.value));
    REQUIRE(smsg_overload_read(message.via.value, &said) != 0 || said.told || said.offered ||
            !message.via.overload);
    if (found == SMSG_OVERLOAD_RUNS)
        return;
    REQUIRE(smsg_compose_response(&out, &message, &response) == 0);
    REQUIRE(smsg_scan(&edited, buffer_slice(&out)) == 0 && edited.via.overload);
    REQUIRE(slice_equal(edited.via.branch, message.via.branch));
    REQUIRE(smsg_overload_read(edited.via.value, &said) == 0 && said.told && said.value == 20);
    REQUIRE(said.algorithms == SMSG_OVERLOAD_RATE && said.validity_ms == 700);
    REQUIRE(said.sequence == 150000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice result;
    int code;

    if (size == 0)
        return 0;
    code = smsg_scan(&message, slice_make((const char *)data + 1, size - 1));
    refuse();
    if (code != 0)
        return 0;
    result = untouched();
    REQUIRE(slice_starts_with(result, message.bytes));
    REQUIRE(result.length <= message.bytes.length + 2);
    hop_and_back();
    pop_and_remove(data[0]);
    tell();
    return 0;
}
