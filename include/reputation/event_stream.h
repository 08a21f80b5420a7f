/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_stream: texts into a Redis stream (`rf:events`), whoever made them.
 *
 * Blocking, with the settings' timeouts, for a thread of its own. Finds the server as everything
 * here does: by name, by sentinels or in a cluster. The account needs XADD on that key alone.
 */
#ifndef RINGFENCE_REPUTATION_EVENT_STREAM_H
#define RINGFENCE_REPUTATION_EVENT_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "reputation/store.h"

struct rep_event_stream;

/* Copies the settings; connects with the first append. maximum: entries that the stream is trimmed
 * to, approximately (MAXLEN ~); 0: never. */
int rep_event_stream_create(const struct rep_settings *settings, const char *key, uint64_t maximum,
                            struct rep_event_stream **stream) MUST_CHECK;

/*
 * Appends entries of one field, `event`, in one pipeline. *accepted: how many of the first Redis
 * has confirmed. ERROR_UNAVAILABLE, -EBADMSG (refused) with the reason in `problem`; the next
 * append connects anew.
 */
int rep_event_stream_append(struct rep_event_stream *stream, const struct slice *events,
                            size_t count, size_t *accepted, struct buffer *problem) MUST_CHECK;

/* NULL is allowed. */
void rep_event_stream_destroy(struct rep_event_stream *stream);

#endif
