/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_log: events to the system's log: journald with fields, or a syslog daemon.
 *
 * To journald the whole line goes as RINGFENCE_EVENT, and what one selects by as fields of its own.
 * A syslog daemon gets the line behind "@cee:", from which rsyslog and syslog-ng read the members.
 */
#ifndef RINGFENCE_STATS_SINK_LOG_H
#define RINGFENCE_STATS_SINK_LOG_H

#include "base/error.h"
#include "base/slice.h"
#include "stats/sink.h"

extern const struct stats_sink_actions stats_sink_journal_actions;
extern const struct stats_sink_actions stats_sink_syslog_actions;

int stats_sink_journal_create(void **outlet) MUST_CHECK;

/* path: the daemon's datagram socket; borrowed, outlives the outlet. */
int stats_sink_syslog_create(const char *path, void **outlet) MUST_CHECK;

/* The text of a member of an event's line that stands before any nested object, escapes left in;
 * absent when it is null or not there. */
struct slice stats_event_line_text(struct slice line, const char *key);

#endif
