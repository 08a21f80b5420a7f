#!/usr/bin/env python3
"""The end: drain, its limit, impatience, and what is left behind (nothing).

Under AddressSanitizer each case also tells whether memory leaked: the exit status would not be 0.
"""

import os
import signal
import socket
import time

from lib import checks, sip
from lib.checks import SLOW, case, check, equal
from lib.daemon import CALLEE, CALLER, DAEMON, Daemon
from lib.site import Site, settle


class Stage:
    def __init__(self, site, **changes):
        self.site = site
        self.daemon = Daemon(site, **changes)
        self.a = sip.Endpoint(site, CALLER)
        self.b = sip.Endpoint(site, CALLEE)

    def caller(self, **more):
        return sip.Caller(self.a, self.daemon.address, **more)

    def ring(self):
        caller = self.caller().call()
        callee = sip.Callee(self.b, self.b.expect("INVITE"))
        callee.answer(180, "Ringing")
        caller.expect(180)
        return caller, callee

    def drain(self, number=signal.SIGTERM):
        self.daemon.process.signal(number)
        checks.wait_for(lambda: self.daemon.status()["mode"] == "draining", 3,
                        "the status says draining")

    def over(self, text, seconds, at_least=0.0):
        """The daemon ends by itself, in order and in time."""
        begun = time.monotonic()
        status = self.daemon.process.wait(seconds)
        took = time.monotonic() - begun
        check(status == 0 and took >= at_least, text, f"status {status} after {took:.2f} s\n"
              f"{self.daemon.log()[-1500:]}")


@case("nothing under way")
def idle():
    for number in (signal.SIGTERM, signal.SIGINT):
        with Site() as site:
            stage = Stage(site, drain="30s")
            begun = time.monotonic()
            stage.daemon.process.signal(number)
            stage.over(f"{number.name}: an idle daemon stops with status 0", 5)
            check(time.monotonic() - begun < 2 * SLOW, "    at once")
            left = [name for name in os.listdir(site.folder) if name.endswith(".sock")]
            equal(left, [], "    its Unix sockets are gone")
            port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with port:
                port.bind((site.address(DAEMON), 5060))
            check(True, "    and its address is free")


@case("drain")
def drain():
    with Site() as site:
        stage = Stage(site, drain="30s", limits={"t1": "50ms"})
        up = stage.caller()
        sip.talk(up, stage.b)
        ringing, callee = stage.ring()
        stage.drain()

        caller = stage.caller().call()
        answer = caller.expect(503)
        check(answer.header("Retry-After"), "a new call gets 503 with Retry-After")
        caller.ack_refusal(answer)
        check(stage.b.silent(0.1) is None, "and goes no further")
        here = f"sip:{sip.host_port(stage.daemon.address)}"
        stage.a.send(sip.request(stage.a, "OPTIONS", here, sip.unique(), f"<{here}>;tag=1",
                                 f"<{here}>", 1), stage.daemon.address)
        equal(stage.a.expect(503, "OPTIONS").status, 503, "OPTIONS tell our neighbours to look away")
        emergency = stage.caller(callee="110").call()
        saved = sip.Callee(stage.b, stage.b.expect("INVITE"))
        saved.answer(486, "Busy Here")
        emergency.ack_refusal(emergency.expect(486))
        stage.b.expect("ACK")
        check(True, "an emergency call still passes")

        callee.answer(200, "OK")
        ringing.establish(ringing.expect(200))
        ringing.ack()
        stage.b.expect("ACK")
        check(True, "a call that rang is answered")
        up.within("INVITE", body=b"hold")
        again = stage.b.expect("INVITE")
        stage.b.send(sip.response(again, 200, "OK", contact=stage.b.hostport), again.source)
        up.expect(200, "INVITE")
        up.ack()
        stage.b.expect("ACK")
        check(True, "re-INVITE goes on")
        sip.hang_up(up, stage.b)
        settle(0.3)
        check(stage.daemon.process.running(), "the daemon waits for the last call")
        sip.hang_up(ringing, stage.b)
        stage.over("and stops with status 0 when it has ended", 8)
        log = stage.daemon.log()
        check("draining" in log and "stopped" in log, "the log says both", log)


@case("the limit of the drain")
def limit():
    with Site() as site:
        stage = Stage(site, drain="1s")
        sip.talk(stage.caller(), stage.b)
        stage.ring()
        begun = time.monotonic()
        stage.drain()
        stage.over("calls that do not end are left to their endpoints", 5)
        check(time.monotonic() - begun >= 0.9, "    after the limit, not before")


@case("twice")
def twice():
    with Site() as site:
        stage = Stage(site, drain="60s")
        sip.talk(stage.caller(), stage.b)
        stage.drain()
        stage.daemon.process.signal(signal.SIGTERM)
        stage.over("a second SIGTERM stops at once, with status 0", 5)


@case("what systemd is told")
def notify():
    with Site() as site:
        path = site.path("notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(path)
            listener.settimeout(3 * SLOW)
            os.environ["NOTIFY_SOCKET"] = path
            try:
                stage = Stage(site)
            finally:
                del os.environ["NOTIFY_SOCKET"]
            said = listener.recv(4096).decode()
            check("READY=1" in said, "READY=1 when it serves", said)
            stage.daemon.process.signal(signal.SIGTERM)
            said = listener.recv(4096).decode()
            check("STOPPING=1" in said, "STOPPING=1 when it drains", said)
            stage.over("it stops with status 0", 5)


@case("readers of its sockets")
def readers():
    with Site() as site:
        stage = Stage(site)
        reader = stage.daemon.stats(events=True)
        stage.daemon.process.signal(signal.SIGTERM)
        stage.over("a reader of the stats socket does not hold it up", 5)
        while reader.next(1) is not None:
            pass
        check(True, "and sees the end of the stream")
        reader.close()
        stage.daemon.start()
        check(stage.daemon.status()["calls"] == 0, "it starts again in the same place")
        stage.daemon.kill()
        stage.daemon.start()
        check(True, "also after a kill -9 that left its sockets behind")
        stage.daemon.stop()


checks.main(limit=60)
