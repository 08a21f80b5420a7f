#!/usr/bin/env python3
"""Overload control by RFC 7339 and RFC 7415: what peers are told, and what targets tell."""

import re
import signal
import time

from lib import checks, sip
from lib.checks import case, check, equal
from lib.daemon import CALLEE, CALLER, Daemon, trunk
from lib.neighbour import OFFERED, Neighbour, counted, place
from lib.site import Site, settle

SECOND = 5
TOLD = re.compile(r';oc=(\d+);oc-algo="(loss|rate)";oc-validity=(\d+);oc-seq=(\d+\.\d{5})')


def daemon_asking(site):
    core = trunk("core", site.address(CALLEE), trusted=True)
    core["sources"].append(site.address(SECOND))
    core["targets"] = [{"target": f"{site.address(CALLEE)}:5060", "priority": 0},
                       {"target": f"{site.address(SECOND)}:5060", "priority": 1}]
    core["overload"] = {"ask": True}
    return Daemon(site, trunks=[trunk("carrier", site.address(CALLER)), core])


def telling(value, algorithm, validity_ms):
    """What a target says from now on, each time with a higher number."""
    def text():
        return (f';oc={value};oc-algo="{algorithm}";oc-validity={validity_ms:.0f};'
                f"oc-seq={time.time():.5f}")
    return text


def target(daemon, number):
    wanted = f"{daemon.site.address(number)}:5060"
    return next(row for row in daemon.status()["targets"] if row["target"] == wanted)


@case("a target asks for half of the calls: the other one gets them, until it is over")
def loss():
    with Site() as site:
        daemon = daemon_asking(site)
        first, second = Neighbour(site, CALLEE), Neighbour(site, SECOND)
        caller = sip.Endpoint(site, CALLER)
        equal(counted(place(caller, daemon, 5)), {200: 5}, "calls are answered")
        check(OFFERED.decode() in first.vias[0], "our Via offers overload control", first.vias[0])
        equal(len(set(first.calls)), 5, "by the first target")
        first.overload = telling(50, "loss", 30000)
        place(caller, daemon, 1)
        first.overload = None
        row = target(daemon, CALLEE)
        equal((row["asks_for"], row["asks"]), ("per cent fewer", 50), "`status` shows what it asks")
        before, passed = len(set(first.calls)), len(set(second.calls))
        equal(counted(place(caller, daemon, 100)), {200: 100}, "every call is answered")
        shed = len(set(second.calls)) - passed
        equal(len(set(first.calls)) - before, 100 - shed, "each by one of them")
        check(25 <= shed <= 75, f"about half by the other ({shed})")
        equal(daemon.total("targets_passed_over"), shed, "which is counted")
        status, output = daemon.cli("status")
        check(status == 0 and "per cent fewer" in output, "`ringfence status` shows it", output)
        first.overload = telling(50, "loss", 0)
        for _ in range(20):  # one of them goes to the first target
            place(caller, daemon, 1)
            if "asks" not in target(daemon, CALLEE):
                break
        first.overload = None
        check("asks" not in target(daemon, CALLEE), "oc-validity=0 ends it")
        before = len(set(first.calls))
        equal(counted(place(caller, daemon, 10)), {200: 10}, "calls are answered")
        equal(len(set(first.calls)) - before, 10, "by the first target again")
        equal(daemon.total("targets_throttled"), 1, "it began once")
        check("asks for fewer calls, by 50 per cent" in daemon.process.log()
              and "asks for nothing any more" in daemon.process.log(), "begin and end are logged")
        daemon.stop()


@case("both ask for nothing at all: calls are refused here, emergency calls and dialogs go on")
def refused():
    with Site() as site:
        daemon = daemon_asking(site)
        first, second = Neighbour(site, CALLEE), Neighbour(site, SECOND)
        caller = sip.Endpoint(site, CALLER)
        held = sip.Caller(caller, daemon.address).call()
        first.overload = telling(100, "loss", 3000 * checks.SLOW)
        second.overload = telling(0, "rate", 3000 * checks.SLOW)
        held.establish(held.expect(200))
        held.ack()
        place(caller, daemon, 1)
        first.overload = second.overload = None
        asked = len(first.calls) + len(second.calls)
        equal(counted(place(caller, daemon, 10)), {503: 10}, "new calls get 503")
        equal(len(first.calls) + len(second.calls), asked, "and bother nobody")
        refusal = sip.Caller(caller, daemon.address).call().expect(503)
        equal(refusal.header("Retry-After"), None, "without Retry-After")
        equal(daemon.total("throttled"), 11, "counted by a reason of their own")
        equal(counted(place(caller, daemon, 1, number="110")), {200: 1}, "an emergency call passes")
        held.within("BYE")
        held.expect(200, "BYE")
        check(True, "a call under way can end")
        checks.wait_for(lambda: "asks" not in target(daemon, CALLEE), 6, "its time is over")
        equal(counted(place(caller, daemon, 5)), {200: 5}, "calls pass again")
        daemon.stop()


@case("a target permits a rate")
def rate():
    with Site() as site:
        daemon = daemon_asking(site)
        first, second = Neighbour(site, CALLEE, 486), Neighbour(site, SECOND, 486)
        caller = sip.Endpoint(site, CALLER)
        first.overload = telling(10, "rate", 30000)
        place(caller, daemon, 1)
        first.overload = None
        equal(target(daemon, CALLEE)["asks_for"], "requests per second", "`status` shows it")
        before = len(set(first.calls))
        begun = time.monotonic()
        equal(counted(place(caller, daemon, 150, every=0.01)), {486: 150}, "all are answered")
        took = time.monotonic() - begun
        got = len(set(first.calls)) - before
        check(got <= 10 * took + 5, f"it gets no more than ten a second ({got} in {took:.2f} s)")
        check(got >= 5, "but these")
        equal(len(set(first.calls)) - before + len(set(second.calls)), 150,
              "the other one gets the rest")
        daemon.stop()


@case("what makes no sense is ignored and counted")
def nonsense():
    with Site() as site:
        daemon = daemon_asking(site)
        first, second = Neighbour(site, CALLEE), Neighbour(site, SECOND)
        caller = sip.Endpoint(site, CALLER)
        for text in (';oc=101;oc-algo="loss"', ';oc=100;oc-algo="A"', ";oc=100",
                     ';oc=100;oc-algo="loss";oc-seq=1.123456'):
            first.overload = lambda text=text: text
            equal(counted(place(caller, daemon, 2)), {200: 2}, f"calls pass after {text}")
        check(daemon.total("overload_malformed") >= 8, "each answer is counted")
        equal(len(set(first.calls)), 8, "and the target stays in use")
        daemon.stop()


def burst(site, daemon, caller, count):
    """So many INVITEs of a peer with overload control wait for the daemon at once; what it answers
    to each."""
    callers = {}
    daemon.process.signal(signal.SIGSTOP)
    for _ in range(count):
        call = sip.Caller(caller, daemon.address)
        call.invite = call.invite.replace(b";branch=", b';oc;oc-algo="loss,A";branch=', 1)
        callers[call.call_id] = call.call()
    daemon.process.signal(signal.SIGCONT)
    answers, final = [], {}
    end = time.monotonic() + 10 * checks.SLOW
    while len(final) < count and time.monotonic() < end:
        message = caller.receive(0.5)
        if message is None:
            break  # those that the kernel had no room for are not missed here
        answers.append(message)
        if message.status >= 200 and message.method == "INVITE":
            final[message.header("Call-ID")] = message.status
            callers[message.header("Call-ID")].ack_refusal(message)
    return answers, final


@case("a peer is told to reduce while datagrams wait")
def told():
    with Site() as site:
        daemon = Daemon(site, workers=1, limits={"overload_begin": "1ms", "overload_end": "2s",
                                                 "overload_validity": "700ms"})
        callee, caller = Neighbour(site, CALLEE, 486), sip.Endpoint(site, CALLER)
        offered = sip.Caller(caller, daemon.address)
        offered.invite = offered.invite.replace(b";branch=", b';oc;oc-algo="loss,A";branch=', 1)
        offered.call()
        refusal = offered.expect(486)
        offered.ack_refusal(refusal)
        found = TOLD.search(refusal.header("Via"))
        check(found and found.groups()[:3] == ("0", "loss", "0"), "at first it is told of nothing",
              refusal.header("Via"))
        check("oc" not in callee.vias[0].split("branch=")[0], "the next hop is offered nothing")
        for _ in range(5):
            answers, final = burst(site, daemon, caller, 300)
            said = [TOLD.search(answer.header("Via")) for answer in answers]
            if any(found and int(found.group(1)) > 0 for found in said):
                break
        check(all(said), "every answer has it")
        check(final and set(final.values()) == {486}, "no call is refused by us", final)
        asking = [found for found in said if int(found.group(1)) > 0]
        check(asking, "answers ask for fewer calls")
        equal({found.group(3) for found in asking}, {"700"}, "for the configured time")
        numbers = [float(found.group(4)) for found in said]
        check(max(numbers) > min(numbers) and abs(max(numbers) - time.time()) < 60,
              "numbered by time")
        row = next(row for row in daemon.status()["overload"] if row["trunk"] == "carrier")
        check(row["told"] > 0, "`status` shows it", row)
        settle(1)
        plain = sip.Caller(caller, daemon.address).call()
        refusal = plain.expect(486)
        plain.ack_refusal(refusal)
        check("oc" not in refusal.header("Via").split("branch=")[0], "others are told nothing")
        daemon.stop()


checks.main()
