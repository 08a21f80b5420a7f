#!/usr/bin/env python3
"""Faults beside a steady stream of calls, of which none fails: late datagrams, floods; and
connections that peers reset within a message. tests/faults/run has more of them, and more calls."""

import collections
import struct
import socket
import threading
import time

from lib import checks, sip
from lib.checks import SANITIZE, case, check, equal
from lib.daemon import CALLEE, CALLER, DAEMON, PRIVATE, STRANGER, Daemon, trunk
from lib.neighbour import Neighbour
from lib.relay import Relay
from lib.site import Site, settle
from lib.steady import Steady
from lib.stream import Stream

NEAR = 21     # the relay before the daemon
FLOODER = 30  # a trunk that sends too much
RATE = 20 if SANITIZE else 60


class Flood(threading.Thread):
    """INVITEs, so many a second until stop(); `answers`: how often each final status came, whose
    retransmissions do not count."""

    def __init__(self, site, number, to, rate):
        super().__init__(daemon=True)
        self.endpoint = sip.Endpoint(site, number)
        self.to, self.rate = to, rate
        self.sent = 0
        self.over = threading.Event()
        self.final = {}  # Call-ID -> status

    @property
    def answers(self):
        return collections.Counter(self.final.values())

    def run(self):
        while not self.over.wait(0.02):
            for _ in range(max(1, int(self.rate * 0.02))):
                sip.Caller(self.endpoint, self.to).call()
                self.sent += 1
            self._collect()

    def _collect(self):
        for message in self.endpoint.drain():
            if message.status is not None and message.status >= 200:
                self.final[message.header("Call-ID")] = message.status

    def stop(self):
        self.over.set()
        self.join()

    def all_answered(self):
        """Once it has been stopped."""
        self._collect()
        return len(self.final) == self.sent


def steady_calls(site, proxy, talk=0.3):
    calls = Steady(sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE), proxy, RATE, talk)
    calls.start()
    checks.wait_for(lambda: calls.completed > RATE / 4, 10)
    return calls


@case("late datagrams")
def late():
    with Site() as site:
        daemon = Daemon(site, limits={"t1": "500ms"},
                        trunks=[trunk("carrier", site.address(NEAR)),
                                trunk("core", site.address(CALLEE), trusted=True)])
        relay = Relay(site, "near", NEAR, daemon.address, (site.address(CALLER), 5060), late=0.3)
        # So brief that a BYE overtakes an ACK, and a 200 its 180.
        calls = steady_calls(site, relay.address, talk=0.01)
        settle(3)
        calls.finish()
        calls.check("{} calls on a network that reorders datagrams, none failed")
        done = relay.stop()
        check(done["late"] > done["passed"] / 10, f"{done['late']} datagrams came late", done)
        check(daemon.wait_gone(40, "calls_held"), "no call is left", daemon.status())
        equal(daemon.total("calls"), calls.begun, "each was one call")
        daemon.stop()


@case("a flood from nobody's address, 10 times")
def stranger():
    with Site() as site:
        daemon = Daemon(site)
        calls = steady_calls(site, daemon.address)
        flood = Flood(site, STRANGER, daemon.address, 10 * RATE)
        flood.start()
        settle(2)
        flood.stop()
        calls.finish()
        calls.check("{} calls beside it, none failed")
        check(daemon.total("unknown_source") > 0 and not flood.answers,
              f"{flood.sent} datagrams were met with silence", flood.answers)
        equal(daemon.total("calls"), calls.begun, "and are no calls")
        daemon.stop()


@case("a flood from a trunk, 3 times, beyond its limit")
def flooder():
    with Site() as site:
        trunks = [trunk("carrier", site.address(CALLER)),
                  trunk("core", site.address(CALLEE), trusted=True),
                  trunk("flooder", site.address(FLOODER), limits={"rate": 1}),
                  trunk("other", site.address(PRIVATE))]
        daemon = Daemon(site, trunks=trunks, routes=[{"from": "flooder", "to": "other"},
                                                     {"from": "carrier", "to": "core"},
                                                     {"from": "core", "to": "carrier"}])
        busy = Neighbour(site, PRIVATE, 486)
        calls = steady_calls(site, daemon.address)
        flood = Flood(site, FLOODER, daemon.address, 3 * RATE)
        flood.start()
        checks.wait_for(lambda: daemon.family("limited", "rate") >= 2 * RATE, 20,
                        "a flood meets its limit")
        flood.stop()
        checks.wait_for(flood.all_answered, 10, "each of its calls is answered")
        calls.finish()
        calls.check("{} calls beside it, none failed")
        limited, passed = daemon.family("limited", "rate"), len(set(busy.calls))
        equal(flood.answers, {503: limited, 486: passed},
              f"{limited} were beyond the limit, {passed} within it, and none neither")
        daemon.stop()


def reset(connection):
    """Half a message, then RST."""
    connection.send(b"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/TCP 127.0")
    time.sleep(0.05)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@case("connections reset within a message")
def resets():
    with Site() as site:
        daemon = Daemon(
            site, listen=[{"address": f"{site.address(DAEMON)}:5060", "transport": "tcp"}],
            trunks=[trunk("carrier", site.address(CALLER), "tcp"),
                    trunk("core", site.address(CALLEE), "tcp", trusted=True)],
            routes=[{"from": "carrier", "to": "core"}, {"from": "core", "to": "carrier"}])
        here, there = Stream(site, CALLER), Stream(site, CALLEE)
        up = sip.Caller(here, daemon.address)
        sip.talk(up, there)
        ringing = sip.Caller(here, daemon.address).call()
        callee = sip.Callee(there, there.expect("INVITE"))
        callee.answer(180, "Ringing")
        ringing.expect(180)
        broken = [connection for endpoint in (here, there) for connection in endpoint.connections]
        for connection in broken:
            reset(connection)
        checks.wait_for(lambda: daemon.family("connections_closed", "reset") >= len(broken), 3,
                        f"{len(broken)} connections are reset within a message, on both sides")
        callee.invite.source = daemon.address
        callee.answer(200, "OK")
        ringing.establish(ringing.expect(200))
        ringing.ack()
        there.expect("ACK")
        check(True, "a call that rang is answered over other connections")
        for caller in (up, ringing):
            sip.hang_up(caller, there)
        check(True, "calls end")
        fresh = sip.Caller(here, daemon.address)
        sip.talk(fresh, there)
        sip.hang_up(fresh, there)
        check(True, "and others begin")
        check(daemon.wait_quiet(5), "nothing is left", daemon.status())
        equal(daemon.counts()["families"]["connections_closed"]["totals"], {"reset": len(broken)},
              "no other connection was lost")
        daemon.stop()


checks.main(limit=200)
