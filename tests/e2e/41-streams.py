#!/usr/bin/env python3
"""Connections: transports mixed per side, IPv6, reuse, responses and requests over the right one,
keep-alives, the size policy of UDP, peers that cannot be reached, that are gone, that do not read."""

import socket
import time

from lib import checks, sip
from lib.checks import case, check, equal
from lib.daemon import CALLEE, CALLER, DAEMON, Daemon, trunk
from lib.sip import Callee, Caller, Endpoint
from lib.site import Site
from lib.stream import Stream

STREAMS = {"connect_timeout": "500ms", "message_timeout": "1s", "ping": "1s"}


def closed(daemon, reason, count, text):
    checks.wait_for(lambda: daemon.family("connections_closed", reason) >= count, 3)
    equal(daemon.family("connections_closed", reason), count, text)


def listens(site):
    return [{"address": f"{site.address(DAEMON)}:5060", "transport": transport}
            for transport in ("udp", "tcp")]


def site_of(site, caller="udp", callee="udp", **changes):
    trunks = [trunk("carrier", site.address(CALLER), caller),
              trunk("core", site.address(CALLEE), callee, trusted=True,
                    **changes.pop("core", {}))]
    return Daemon(site, listen=listens(site), trunks=trunks,
                  routes=[{"from": "carrier", "to": "core"}, {"from": "core", "to": "carrier"}],
                  streams={**STREAMS, **changes.pop("streams", {})}, **changes)


def endpoint(site, host, transport):
    return Stream(site, host) if transport == "tcp" else Endpoint(site, host)


def whole_call(here, there, daemon):
    """A call with requests of both sides, as (INVITE, answer)."""
    caller = Caller(here, daemon.address)
    callee, answer = sip.talk(caller, there)
    sip.exchange(callee, "UPDATE", here)
    sip.hang_up(caller, there)
    return callee.invite, answer


@case("mixed")
def mixed():
    for caller, callee in (("tcp", "udp"), ("udp", "tcp"), ("tcp", "tcp")):
        with Site() as site:
            here, there = endpoint(site, CALLER, caller), endpoint(site, CALLEE, callee)
            daemon = site_of(site, caller, callee)
            invite, answer = whole_call(here, there, daemon)
            title = f"{caller} to {callee}"
            equal(invite.all("Via")[0].split()[0], f"SIP/2.0/{callee.upper()}",
                  f"{title}: our Via has the transport that it leaves by")
            routes = [sip.uri_of(value) for value in answer.all("Record-Route")]
            said = [sip.parameter(f";{route.partition(';')[2]}", "transport") for route in routes]
            wanted = [None if name == "udp" else name for name in
                      ([callee, caller] if caller != callee else [callee])]
            equal(said, wanted, f"{title}: Record-Route, doubled where the transport changes")
            if caller == "tcp":
                check(answer.connection is here.connections[0],
                      f"{title}: the caller got the answer over its own connection")
            if callee == "tcp":
                check(len(there.connections) <= 2,
                      f"{title}: the callee got at most a connection of each worker")
            check(daemon.wait_quiet(3), f"{title}: nothing is left")
            equal(daemon.total("stray_responses"), 0, f"{title}: no response was astray")
            daemon.stop()


@case("IPv6")
def ipv6():
    with Site() as site:
        daemon = Daemon(site, listen=[{"address": "[::1]:5066", "transport": "tcp"}], trunks=[
            {"name": "a", "sources": ["::1"], "targets": ["[::1]:5067;transport=tcp"]}],
            routes=[{"to": "a"}], streams=STREAMS)
        here, there = Stream(site, "::1", 5068), Stream(site, "::1", 5067)
        caller = Caller(here, ("::1", 5066))
        sip.talk(caller, there)
        equal(sip.hang_up(caller, there).status, 200, "a call over IPv6")
        daemon.stop()


@case("gone")
def gone():
    """RFC 3261 section 18.2.2: the connection of a request is gone when its answer comes."""
    with Site() as site:
        here, there = Stream(site, CALLER), Stream(site, CALLEE)
        daemon = site_of(site, "tcp", "tcp")
        caller = Caller(here, daemon.address).call()
        callee = Callee(there, there.expect("INVITE"))
        here.expect(100)
        here.connections[0].close()
        checks.wait_for(lambda: daemon.family("connections_closed", "peer") == 1, 2)
        callee.answer(200, "OK")
        answer = caller.expect(200)
        check(answer.connection.accepted, "the answer comes over another connection, to the Via's "
                                          "sent-by")
        caller.establish(answer)
        caller.ack()
        there.expect("ACK")
        sip.hang_up(caller, there)
        daemon.stop()


@case("reuse")
def reuse():
    """A peer that listens nowhere: requests to the address that it connected from go back there,
    whichever worker has the connection."""
    with Site() as site:
        there = Endpoint(site, CALLEE)
        here = Stream(site, CALLER)
        daemon = site_of(site, "tcp", "udp", workers=4)
        here.listener.close()
        opened = here.connect(daemon.address)
        here.address = opened.socket.getsockname()[:2]
        for _ in range(8):
            caller = Caller(here, daemon.address)
            callee, _ = sip.talk(caller, there)
            sip.hang_up(callee, here)
        equal(len(here.connections), 1, "eight calls and their BYEs over the one connection")
        equal(daemon.status()["listeners"][1]["connections"], 1, "status counts it by listener")
        equal(daemon.status()["trunks"][0]["connections"], 1, "and by trunk")
        daemon.stop()


@case("keep-alives")
def keep_alives():
    with Site() as site:
        here, there = Stream(site, CALLER), Stream(site, CALLEE)
        daemon = site_of(site, "tcp", "tcp")
        caller = Caller(here, daemon.address)
        sip.talk(caller, there)
        ours = here.connections[0]
        ours.send(b"\r\n\r\n")
        check(checks.wait_for(lambda: here.receive(0.1) is None and ours.pongs == 1, 3),
              "a ping is answered by one pong")
        theirs = there.connections[0]
        check(checks.wait_for(lambda: there.receive(0.1) is None and theirs.pongs >= 1, 5),
              "we ping what we opened")
        theirs.send(b"\r\n")
        checks.wait_for(lambda: daemon.total("pings_sent") >= 2, 5,
                        "and again, as a pong came")
        sip.hang_up(caller, there)
        daemon.stop()


@case("too large for UDP")
def too_large():
    for policy in ("send", "tcp", "refuse"):
        with Site() as site:
            here, datagrams, stream = Endpoint(site, CALLER), Endpoint(site, CALLEE), \
                Stream(site, CALLEE)
            daemon = site_of(site, core={"udp_size": policy})
            large = Caller(here, daemon.address, headers=["Subject: " + "x" * 1300]).call()
            if policy == "refuse":
                large.ack_refusal(large.expect(513))
                equal(daemon.total("too_large_for_udp"), 1, "refuse: 513")
            else:
                there = datagrams if policy == "send" else stream
                invite = there.expect("INVITE")
                equal(invite.all("Via")[0].split()[0],
                      "SIP/2.0/UDP" if policy == "send" else "SIP/2.0/TCP",
                      f"{policy}: it goes by that")
                Callee(there, invite).answer(486, "Busy Here")
                large.ack_refusal(large.expect(486))
                there.expect("ACK")
            small = Caller(here, daemon.address).call()
            Callee(datagrams, datagrams.expect("INVITE")).answer(486, "Busy Here")
            small.ack_refusal(small.expect(486))
            datagrams.expect("ACK")
            daemon.stop()


@case("too large for UDP, and no TCP there")
def too_large_without_tcp():
    """RFC 3261 section 18.1.1: the request comes back to UDP."""
    with Site() as site:
        here, there = Endpoint(site, CALLER), Endpoint(site, CALLEE)
        daemon = site_of(site, core={"udp_size": "tcp"})
        for number in (1, 2):
            caller = Caller(here, daemon.address, headers=["Subject: " + "x" * 1300])
            callee, _ = sip.talk(caller, there)
            equal(callee.invite.all("Via")[0].split()[0], "SIP/2.0/UDP", "it comes by UDP")
            sip.hang_up(callee, here)
            equal(daemon.total("udp_became_tcp"), number, "TCP was tried")
            equal(daemon.total("tcp_became_udp"), number, "and is counted as not to be had")
        closed(daemon, "unreachable", 2, "so are the connections")
        equal(daemon.total("targets_down"), 0, "the target is none the worse for it")
        daemon.stop()


@case("unreachable")
def unreachable():
    with Site() as site:
        here = Endpoint(site, CALLER)
        daemon = site_of(site, "udp", "tcp")
        begun = time.monotonic()
        caller = Caller(here, daemon.address).call()
        caller.ack_refusal(caller.expect(500))
        check(time.monotonic() - begun < 2 * checks.SLOW, "nobody listens: 500 at once")
        closed(daemon, "unreachable", 1, "and counted")
        # Connections wait in its queue, which is full; nobody accepts them.
        full = socket.socket()
        full.bind((site.address(CALLEE), 5060))
        full.listen(0)
        site.sockets += [full]
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((site.address(CALLEE), 5060))
            site.sockets.append(filler)
        time.sleep(0.1)
        caller = Caller(here, daemon.address).call()
        caller.ack_refusal(caller.expect(500, seconds=5))
        closed(daemon, "connect_timeout", 1, "nobody accepts: 500 after connect_timeout")
        daemon.stop()


@case("breaks")
def breaks():
    """What a request was sent over breaks before anything is heard of it."""
    with Site() as site:
        here, there = Endpoint(site, CALLER), Stream(site, CALLEE)
        daemon = site_of(site, "udp", "tcp")
        caller = Caller(here, daemon.address).call()
        there.expect("INVITE")
        broken = there.connections[0].socket
        broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        there.connections[0].close()
        caller.ack_refusal(caller.expect(500))
        closed(daemon, "reset", 1, "a reset fails what waits: 500")
        caller = Caller(here, daemon.address).call()
        Callee(there, there.expect("INVITE")).answer(486, "Busy Here")
        caller.ack_refusal(caller.expect(486))
        check(True, "the next call opens another connection")
        daemon.stop()


@case("does not read")
def does_not_read():
    with Site() as site:
        here, there = Endpoint(site, CALLER), Stream(site, CALLEE)
        daemon = site_of(site, "udp", "tcp", streams={"send_queue": "64K"}, workers=1)
        there.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = b"x" * 30000
        callers = [Caller(here, daemon.address, body=body).call() for _ in range(3)]
        there.listener.settimeout(3 * checks.SLOW)
        there.accept()
        refused = []

        def call_more():
            callers.append(Caller(here, daemon.address, body=body).call())
            refused.extend(m for m in here.drain() if m.status == 500)
            return refused and daemon.family("connections_closed", "stalled") >= 1
        checks.wait_for(call_more, 20, "who reads nothing is given up: what waits and what comes "
                                      "gets 500, the connection is closed", every=0.05)
        check(daemon.total("connection_queue_full") >= 1, "its queue is bounded and counted")
        daemon.stop()


@case("idle and limits")
def limits():
    with Site() as site:
        Endpoint(site, CALLEE)
        here = Stream(site, CALLER)
        daemon = site_of(site, "tcp", "udp", streams={"idle_timeout": "1s", "per_source": 3})
        opened = [here.connect(daemon.address) for _ in range(5)]
        closed(daemon, "source_limit", 2, "beyond per_source connections are closed at once, and counted")
        check(all(connection.wait_closed(4) for connection in opened), "idle ones are closed")
        closed(daemon, "idle", 3, "and counted")
        stranger = socket.socket()
        site.sockets.append(stranger)
        stranger.bind((site.address(99), 0))
        stranger.settimeout(3 * checks.SLOW)
        stranger.connect(daemon.address)
        equal(stranger.recv(10), b"", "a stranger's is closed without a word")
        closed(daemon, "unknown_source", 1, "and counted")
        daemon.stop()


checks.main(limit=90)
