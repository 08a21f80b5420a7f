#!/usr/bin/env python3
"""A network that loses and doubles datagrams, on both sides and in both directions.

Every call completes all the same, the callee sees each call once, and each is judged once. --long:
more calls, and a fifth lost instead of a twentieth as well.
"""

import collections
import heapq
import threading
import time

from lib import checks, sip
from lib.checks import LONG, SANITIZE, case, check, equal
from lib.daemon import CALLEE, CALLER, Daemon, trunk
from lib.relay import Relay
from lib.sipp import Sipp, check_load
from lib.site import Site, settle

NEAR = 21  # the relay before the daemon
FAR = 22   # and the one behind it
RATE = 40 if SANITIZE else 100
SECONDS = 60 if LONG else 10
T1, T2 = 0.5, 4
LISTED = "+8613900000001"
CLEAN = "+8613912345678"


class Callee(threading.Thread):
    """Rings and answers, and repeats its 200 until the ACK as RFC 3261 section 13.3.1.4 has it.

    SIPp as a callee loses track when an INVITE comes again after both its answers were lost.
    """

    def __init__(self, site, contact):
        super().__init__(daemon=True)
        self.endpoint = sip.Endpoint(site, CALLEE)
        self.contact = contact
        self.answers = {}     # Call-ID: the 200 and whom it goes to, until the ACK
        self.branches = collections.defaultdict(set)  # Call-ID: of INVITEs
        self.acknowledged = set()
        self.ended = set()
        self.timers = []      # (when, interval, Call-ID)
        self.over = threading.Event()

    def run(self):
        while not self.over.is_set():
            message = self.endpoint.receive(0.05 / checks.SLOW)
            if message is not None and message.status is None:
                self._take(message)
            self._repeat(time.monotonic())

    def stop(self):
        self.over.set()
        self.join()

    def _take(self, message):
        call = message.header("Call-ID")
        if message.method == "INVITE":
            self._ring(call, message)
        elif message.method == "ACK":
            self.acknowledged.add(call)
            self.answers.pop(call, None)
        elif message.method == "BYE":
            self.ended.add(call)
            self.answers.pop(call, None)
            self.endpoint.send(sip.response(message, 200, "OK"), message.source)

    def _ring(self, call, invite):
        known = call in self.branches
        self.branches[call].add(sip.parameter(invite.header("Via"), "branch"))
        if not known:
            answers = [sip.response(invite, status, reason, tag="callee", contact=self.contact)
                       for status, reason in ((180, "Ringing"), (200, "OK"))]
            self.answers[call] = (answers[1], invite.source)
            self.endpoint.send(answers[0], invite.source)
            heapq.heappush(self.timers, (time.monotonic() + T1, T1, call))
        if call in self.answers:
            self.endpoint.send(*self.answers[call])

    def _repeat(self, now):
        while self.timers and self.timers[0][0] <= now:
            _, interval, call = heapq.heappop(self.timers)
            if call in self.answers:
                self.endpoint.send(*self.answers[call])
                interval = min(2 * interval, T2)
                heapq.heappush(self.timers, (now + interval, interval, call))


class Path:
    """Caller - relay - daemon - relay - callee, with the timers of the standard."""

    def __init__(self, site, loss, double, seed):
        self.site = site
        numbers = site.write("numbers.csv", f"{LISTED},95,block,impersonation,desk,\n")
        self.daemon = Daemon(
            site, limits={"t1": "500ms"}, reputation={"csv": numbers},
            trunks=[trunk("carrier", site.address(NEAR)), trunk("core", site.address(FAR))])
        self.near = self._relay("near", NEAR, CALLER, loss, double, seed)
        self.far = self._relay("far", FAR, CALLEE, loss, double, seed + 1)

    def _relay(self, name, number, peer, loss, double, seed):
        return Relay(self.site, name, number, self.daemon.address, (self.site.address(peer), 5060),
                     loss, double, seed)

    def callee(self):
        callee = Callee(self.site, sip.host_port(self.far.address))
        callee.start()
        return callee

    def callers(self, scenario, number, calls):
        numbers = self.site.write("pairs", f"SEQUENTIAL\n{number};+861065551234\n")
        return Sipp(self.site, "caller", scenario, self.site.address(CALLER), "-inf", numbers,
                    "-r", RATE, "-m", calls, "-l", 5000, "-d", 1000, remote=self.near.address)

    def check_relays(self, loss, double, *relays):
        """That the network was as bad as it was meant to be."""
        for relay in relays:
            done = relay.stop()
            whole = done["passed"] + done["lost"]
            check(done["lost"] > whole * loss / 2 and done["doubled"] > whole * double / 2,
                  f"{relay.process.name}: of {whole} datagrams {done['lost']} were lost and "
                  f"{done['doubled']} doubled", done)


def answered(loss, double, seed, seconds):
    calls = RATE * seconds
    with Site() as site:
        path = Path(site, loss, double, seed)
        callee = path.callee()
        callers = path.callers("caller.xml", CLEAN, calls)
        check_load(callers, seconds + 40, calls,
                   f"{loss:.0%} lost, {double:.0%} doubled: all of {calls} calls completed")
        check(path.daemon.wait_quiet(40), "no transaction and no call is left",
              path.daemon.status())
        counts = path.daemon.counts()
        totals = counts["totals"]
        equal((totals["calls"], totals["calls_answered"], totals["calls_ended_bye"]),
              (calls, calls, calls), "each call was judged, answered and ended once")
        equal(counts["families"]["verdicts"]["totals"], {"allow": calls}, "each has one verdict")
        equal(counts["families"]["trunk_calls_out"]["totals"], {"core": calls},
              "each was sent on as one call")
        callee.stop()
        equal((len(callee.branches), len(callee.ended)), (calls, calls),
              "the callee got INVITE and BYE of each")
        # An ACK is lost for good when the BYE overtakes the repeated 200 that asks for it again.
        check(len(callee.acknowledged) >= calls * (1 - 2 * loss),
              f"and the ACK of {len(callee.acknowledged)}")
        equal(max(map(len, callee.branches.values())), 1, "and never one call as two")
        check(totals["retransmissions_in"] > 0 and totals["retransmissions_out"] > 0,
              f"{totals['retransmissions_in']} retransmissions came in, "
              f"{totals['retransmissions_out']} went out")
        path.check_relays(loss, double, path.near, path.far)
        path.daemon.stop()


@case("answered calls")
def answered_calls():
    answered(0.05, 0.05, 1, SECONDS)


@case("answered calls, a bad network")
def bad_network():
    # SIPp gives a request up after fewer attempts than the standard's, so the calls are fewer.
    if LONG:
        answered(0.2, 0.1, 3, 10)


@case("refused calls")
def refused_calls():
    calls = RATE * SECONDS // 2
    with Site() as site:
        path = Path(site, 0.05, 0.05, 5)
        callee = sip.Endpoint(site, CALLEE)
        callers = path.callers("lossy-refused.xml", LISTED, calls)
        check_load(callers, SECONDS + 40, calls, f"all of {calls} refused calls met their 603")
        check(path.daemon.wait_quiet(40), "no transaction is left", path.daemon.status())
        counts = path.daemon.counts()
        equal(counts["families"]["verdicts"]["totals"], {"block": calls}, "each was judged once")
        check(callee.silent(0.1) is None, "nothing of them reached the callee")
        path.check_relays(0.05, 0.05, path.near)
        path.daemon.stop()


class Patient:
    """A pair of endpoints without a relay: the scenario says which datagram is lost."""

    def __init__(self, site):
        self.daemon = Daemon(site)  # T1 is 50 ms
        self.a = sip.Endpoint(site, CALLER)
        self.b = sip.Endpoint(site, CALLEE)

    def again(self, endpoint, first, text):
        """A repetition comes, byte for byte."""
        repeated = endpoint.receive(1)
        return check(repeated is not None and repeated.raw == first.raw, text, repeated)


@case("each message lost once behind the daemon")
def lost_behind():
    with Site() as site:
        stage = Patient(site)
        a, b = stage.a, stage.b
        caller = sip.Caller(a, stage.daemon.address).call()
        invite = b.expect("INVITE")
        stage.again(b, invite, "an INVITE that got no answer is repeated")
        callee = sip.Callee(b, invite)
        callee.answer(180, "Ringing")
        caller.expect(180)
        check(b.silent(0.3) is None, "and not once it rings")
        ok = callee.answer(200, "OK")
        caller.establish(caller.expect(200))
        caller.ack()
        b.expect("ACK")
        b.send(ok, invite.source)
        again = a.receive(1)
        equal(again and again.status, 200, "the 200 whose ACK was lost passes again")
        caller.ack()
        ack = b.receive(1)
        equal(ack and ack.method, "ACK", "and so does its ACK")
        caller.within("BYE")
        bye = b.expect("BYE")
        stage.again(b, bye, "a BYE that got no answer is repeated")
        b.send(sip.response(bye, 200, "OK"), bye.source)
        caller.expect(200, "BYE")
        check(b.silent(0.3) is None, "and not after its answer")
        check(stage.daemon.wait_quiet(6), "nothing is left", stage.daemon.status())
        stage.daemon.stop()


@case("a cancelled call with losses behind the daemon")
def lost_cancel():
    with Site() as site:
        stage = Patient(site)
        a, b = stage.a, stage.b
        caller = sip.Caller(a, stage.daemon.address).call()
        callee = sip.Callee(b, b.expect("INVITE"))
        callee.answer(180, "Ringing")
        caller.expect(180)
        first = caller.cancel()
        caller.expect(200, "CANCEL")
        cancel = b.expect("CANCEL")
        stage.again(b, cancel, "a CANCEL that got no answer is repeated")
        b.send(sip.response(cancel, 200, "OK"), cancel.source)
        caller.send(first)
        again = a.receive(1)
        equal(again and (again.status, again.method), (200, "CANCEL"),
              "the caller's CANCEL again is answered again")
        refusal = callee.answer(487, "Request Terminated")
        ack = b.expect("ACK")
        b.send(refusal, callee.invite.source)
        stage.again(b, ack, "a 487 again gets the same ACK")
        answer = caller.expect(487)
        stage.again(a, answer, "the caller gets the 487 until he acknowledges")
        caller.ack_refusal(answer)
        settle(0.1)
        a.drain()
        check(a.silent(0.4) is None, "and not after his ACK")
        check(stage.daemon.wait_quiet(6), "nothing is left", stage.daemon.status())
        stage.daemon.stop()


@case("each message lost once before the daemon")
def lost_before():
    with Site() as site:
        stage = Patient(site)
        a, b = stage.a, stage.b
        caller = sip.Caller(a, stage.daemon.address).call()
        callee = sip.Callee(b, b.expect("INVITE"))
        callee.answer(180, "Ringing")
        caller.expect(180)
        caller.call()
        again = a.receive(1)
        equal(again and again.status, 180, "a 180 that was lost comes again for the INVITE")
        callee.answer(200, "OK")
        caller.establish(caller.expect(200))
        # The ACK is lost before it reaches the daemon, so the callee goes on.
        callee.answer(200, "OK")
        again = a.receive(1)
        equal(again and again.status, 200, "a 200 passes again as long as the callee repeats it")
        caller.ack()
        b.expect("ACK")
        bye = caller.within("BYE")
        there = b.expect("BYE")
        b.send(sip.response(there, 200, "OK"), there.source)
        answer = caller.expect(200, "BYE")
        caller.send(bye)
        stage.again(a, answer, "a 200 to BYE that was lost comes again for the BYE")
        check(b.silent(0.2) is None, "and the BYE does not pass twice")
        equal(stage.daemon.total("calls_ended_bye"), 1, "the call ended once")
        check(stage.daemon.wait_quiet(6), "nothing is left", stage.daemon.status())
        stage.daemon.stop()


checks.main(limit=400 if LONG else 100)
