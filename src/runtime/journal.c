/* SPDX-License-Identifier: Apache-2.0 */
/* What the caller says counts, not the place in this file. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "runtime/journal.h"

#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/buffer.h"

enum { ENTRY_BYTES = 20 << 10 };

int rt_journal_send(const struct rt_journal_field *fields, size_t count)
{
    char memory[ENTRY_BYTES];
    struct buffer text = buffer_over(memory, sizeof(memory));
    struct iovec parts[RT_JOURNAL_FIELDS];
    if (count > RT_JOURNAL_FIELDS)
        return ERROR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        size_t begun = text.length;
        buffer_append_text(&text, fields[i].name);
        buffer_append_char(&text, '=');
        buffer_append(&text, fields[i].value);
        parts[i] = (struct iovec){memory + begun, text.length - begun};
    }
    if (text.overflow)
        return ERROR_LIMIT;
    /* The library takes a missing journald for success. */
    if (access("/run/systemd/journal/socket", F_OK) != 0)
        return ERROR_UNAVAILABLE;
    return sd_journal_sendv(parts, (int)count);
}
