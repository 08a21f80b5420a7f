#!/usr/bin/env python3
"""Hostile bytes on connections, each closed with a reason that is counted, while a call beside them
goes through; half a thousand connections that say a byte now and then."""

import random
import socket
import time

from lib import checks, sip
from lib.checks import case, check, equal
from lib.daemon import CALLEE, CALLER, DAEMON, Daemon, trunk
from lib.sip import Caller
from lib.site import Site
from lib.sipp import T1_AS_IN_LIFE, Traffic
from lib.stream import Stream

HOSTILE = 30


def site_of(site, **streams):
    return Daemon(site, listen=[{"address": f"{site.address(DAEMON)}:5060", "transport": name}
                                for name in ("udp", "tcp")],
                  trunks=[trunk("carrier", site.address(CALLER), "tcp"),
                          trunk("core", site.address(CALLEE), "tcp", trusted=True),
                          trunk("hostile", site.address(HOSTILE), "tcp"),
                          *Traffic.settings(site, trunk)["trunks"][2:]],
                  routes=[{"from": "carrier", "to": "core"}, {"from": "hostile", "to": "core"},
                          {"from": "core", "to": "carrier"}, {"from": "many", "to": "sink"},
                          {"from": "sink", "to": "many"}],
                  limits=T1_AS_IN_LIFE,
                  streams={"message_timeout": "1s", **streams})


def message(here, daemon, length):
    """An OPTIONS at the daemon; length: what Content-Length says, b"" for no such header."""
    data = sip.request(here, "OPTIONS", f"sip:{sip.host_port(daemon.address)}", sip.unique(),
                       f"<sip:a@b>;tag={sip.unique()}", "<sip:b@c>", 1)
    head = data[:data.index(b"Content-Length")]
    return head + (b"Content-Length: " + length + b"\r\n" if length else b"") + b"\r\n"


# What is sent behind a good message, and how the end of the connection is counted.
STREAMS = [
    ("headers that never end", lambda m: [b"INVITE sip:a@b SIP/2.0\r\n", b"X: y\r\n" * 12000],
     "headers_too_long"),
    ("a start line that never ends", lambda m: [b"INVITE ", b"a" * 70000], "headers_too_long"),
    ("a Content-Length of 10^12", lambda m: [m(b"1000000000000")], "body_too_long"),
    ("one of a hundred digits", lambda m: [m(b"9" * 100)], "body_too_long"),
    ("one just beyond a datagram", lambda m: [m(b"65500")], "body_too_long"),
    ("a negative one", lambda m: [m(b"-1")], "length_malformed"),
    ("two of them", lambda m: [m(b"0\r\nl: 5")], "length_duplicate"),
    ("none at all", lambda m: [m(b"")], "length_missing"),
    ("one that is too long for what comes", lambda m: [m(b"100") + b"short"], "too_slow"),
    ("one that is too short", lambda m: [m(b"0") + b"v=0\r\no=- 1 1 IN IP4 0\r\n"], "not_sip"),
    ("garbage behind it", lambda m: [m(b"0") + b"\x01\x02garbage\r\n\r\n"], "not_sip"),
    ("NULs", lambda m: [b"\0" * 100], "not_sip"),
    ("a NUL in the start line", lambda m: [b"INV\0TE sip:a@b SIP/2.0\r\n\r\n"], "not_sip"),
    ("HTTP", lambda m: [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"], "not_sip"),
    ("TLS", lambda m: [b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03"], "not_sip"),
    ("a byte and then nothing", lambda m: [b"I"], "too_slow"),
]


@case("framing")
def framing():
    with Site() as site:
        daemon = site_of(site)
        traffic = Traffic(site, daemon)
        here, there = Stream(site, CALLER), Stream(site, CALLEE)
        bad = Stream(site, HOSTILE)
        caller = Caller(here, daemon.address)
        sip.talk(caller, there)
        opened = []
        counts = {}
        for what, parts, reason in STREAMS:
            connection = bad.connect(daemon.address)
            connection.send(message(bad, daemon, b"0"))
            try:
                for part in parts(lambda length: message(bad, daemon, length)):
                    connection.send(part)
            except OSError:
                pass  # it is closed already
            counts[reason] = counts.get(reason, 0) + 1
            opened.append((what, connection))
        for what, connection in opened:
            check(connection.wait_closed(4), f"{what}: closed")
        for reason, count in counts.items():
            checks.wait_for(lambda reason=reason, count=count:
                            daemon.family("connections_closed", reason) >= count, 3)
            equal(daemon.family("connections_closed", reason), count, f"counted {reason}")
        # Over its connection, or another when that was gone already.
        equal(len(bad.collect(200, len(STREAMS))), len(STREAMS),
              "the good message in front of each was answered")
        equal(sip.hang_up(caller, there).status, 200, "the call beside them goes on")
        traffic.end("none of {} calls on other trunks was disturbed")
        daemon.stop()


@case("cut anywhere")
def cut_anywhere():
    """The messages out equal the messages in, however they are cut into packets."""
    with Site() as site:
        daemon = site_of(site)
        here, there = Stream(site, CALLER), Stream(site, CALLEE)
        chance = random.Random(4711)
        callers = [Caller(here, daemon.address, body=b"v=0\r\n" * chance.randrange(1, 300))
                   for _ in range(40)]
        stream = b"\r\n".join(caller.invite for caller in callers)
        connection = here.connect(daemon.address)
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while stream:
            size = chance.choice([1, 2, 3, chance.randrange(1, 50), chance.randrange(1, 3000)])
            connection.send(stream[:size])
            stream = stream[size:]
        found = there.collect("INVITE", len(callers))
        equal(len(found), len(callers), "each of 40 INVITEs came out")
        check(all(found[caller.call_id].body == caller.body for caller in callers
                  if caller.call_id in found), "each with its body, byte for byte")
        daemon.stop()


@case("slow")
def slow():
    """Connections that send a byte now and then, to keep what they take."""
    with Site() as site:
        daemon = site_of(site, message_timeout="3s")
        traffic = Traffic(site, daemon)
        crowd = []
        for _ in range(500):
            opened = socket.socket()
            opened.bind((site.address(HOSTILE), 0))
            opened.connect(daemon.address)
            opened.setblocking(False)
            crowd.append(opened)
        for byte in b"INVITE":
            for opened in crowd:
                try:
                    opened.send(bytes([byte]))
                except OSError:
                    pass
            time.sleep(0.2)
        checks.wait_for(lambda: daemon.family("connections_closed", "too_slow") >= 500, 8,
                        "all of 500 slow ones are closed, and counted")
        for opened in crowd:
            opened.close()
        traffic.end("none of {} calls on other trunks was disturbed")
        daemon.stop()


checks.main(limit=60)
