#!/usr/bin/env python3
"""Events to journald, by a socket that stands where journald's would, in a mount namespace."""

import ctypes
import json
import os
import socket

from lib import checks, sip
from lib.checks import case, check, equal, wait_for
from lib.daemon import CALLER, Daemon
from lib.site import Site, settle

CLONE_NEWNS = 0x20000
MS_REC_PRIVATE = 0x4000 | 0x40000
JOURNAL = "/run/systemd/journal"
NUMBERS = """number,score,list,type,source,expires
+8613900000001,95,block,impersonation,desk,
"""
_libc = ctypes.CDLL(None, use_errno=True)


def own_run():
    """An empty /run for this process and its children."""
    if _libc.unshare(CLONE_NEWNS) != 0 or \
            _libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None) != 0 or \
            _libc.mount(b"none", b"/run", b"tmpfs", 0, None) != 0:
        raise checks.Skip("no mount namespace may be made here")
    os.makedirs(JOURNAL)


def listen():
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    journal.bind(f"{JOURNAL}/socket")
    journal.settimeout(10 * checks.SLOW)
    return journal


def fields(entry):
    """The native protocol, as far as values without line breaks go."""
    return dict(line.split("=", 1) for line in entry.decode().splitlines())


def block(daemon, a):
    caller = sip.Caller(a, daemon.address, "+8613900000001").call()
    caller.ack_refusal(caller.expect(603))
    return caller


@case("journald")
def journald():
    own_run()
    with Site() as site:
        daemon = Daemon(site, rules="rules: []\n",
                        reputation={"csv": site.write("numbers.csv", NUMBERS)},
                        events={"spool": site.path("spool"), "sinks": [{"kind": "journal"}]})
        a = sip.Endpoint(site, CALLER)
        caller = block(daemon, a)
        check(wait_for(lambda: daemon.status()["sinks"][0]["problem"], 5),
              "without journald the event waits, and the status says so", daemon.status()["sinks"])
        journal = listen()
        entry = fields(journal.recv(65536))
        event = json.loads(entry["RINGFENCE_EVENT"])
        equal({key: entry.get(key) for key in
               ("MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "RINGFENCE_ACTION", "RINGFENCE_KIND",
                "RINGFENCE_TYPE", "RINGFENCE_TRUNK_IN", "RINGFENCE_CALL_ID", "RINGFENCE_ID")},
              {"MESSAGE": "verdict: block on trunk carrier, impersonation", "PRIORITY": "6",
               "SYSLOG_IDENTIFIER": "ringfenced", "RINGFENCE_ACTION": "block",
               "RINGFENCE_KIND": "verdict", "RINGFENCE_TYPE": "impersonation",
               "RINGFENCE_TRUNK_IN": "carrier", "RINGFENCE_CALL_ID": caller.call_id,
               "RINGFENCE_ID": event["id"]}, "then it comes, with its fields")
        check("RINGFENCE_ALERT" not in entry, "and none for what it does not have")
        block(daemon, a)
        second = json.loads(fields(journal.recv(65536))["RINGFENCE_EVENT"])
        equal(second["seq"], event["seq"] + 1, "so does the next")
        settle(0.2)
        equal(daemon.family("sink_delivered", "journal"), 2, "both are counted")
        journal.close()
        daemon.stop()


checks.main(limit=40)
