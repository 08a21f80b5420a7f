#!/usr/bin/env python3
"""Overload control by RFC 7339 and RFC 7415: what peers are told, and what targets tell."""

import os
import re
import signal
import time

from lib import checks, sip
from lib.checks import case, check, equal
from lib.daemon import CALLEE, CALLER, SECOND, Daemon, core_of_two, trunk
from lib.neighbour import OFFERED, Neighbour, counted, place
from lib.site import Site

TOLD = re.compile(r';oc=(\d+);oc-algo="(loss|rate)";oc-validity=(\d+);oc-seq=(\d+\.\d{5})')
LONG_MS = 3600000  # longer than any case lasts, however slow the machine
OTHER_PORT = 5062  # of the caller: what comes here is about no other call


def daemon_asking(site):
    core = core_of_two(site, overload={"ask": True, "validity_max": "1h"})
    return Daemon(site, trunks=[trunk("carrier", site.address(CALLER)), core])


def telling(value, algorithm, validity_ms=LONG_MS):
    """What a target says from now on, each time with a higher number."""
    def text():
        return (f';oc={value};oc-algo="{algorithm}";oc-validity={validity_ms};'
                f"oc-seq={time.time():.5f}")
    return text


def has_told(neighbour, caller, daemon, overload):
    """One call, in whose answer the neighbour says it."""
    neighbour.overload = overload
    place(caller, daemon, 1)
    neighbour.overload = None


def calls_of(neighbour):
    return len(set(neighbour.calls))


@case("a target asks for half of the calls: the other one gets them, until it is over")
def loss():
    with Site() as site:
        daemon = daemon_asking(site)
        first, second = Neighbour(site, CALLEE, 486), Neighbour(site, SECOND, 486)
        caller = sip.Endpoint(site, CALLER)
        equal(counted(place(caller, daemon, 5)), {486: 5}, "calls are answered")
        check(OFFERED.decode() in first.vias[0], "our Via offers overload control", first.vias[0])
        equal((calls_of(first), calls_of(second)), (5, 0), "by the first target")
        has_told(first, caller, daemon, telling(50, "loss"))
        row = daemon.target(CALLEE)
        equal((row["asks_for"], row["asks"]), ("per cent fewer", 50), "`status` shows what it asks")
        equal(counted(place(caller, daemon, 100)), {486: 100}, "every call is answered")
        shed = calls_of(second)
        equal(calls_of(first) + shed, 5 + 1 + 100, "each by one of them")
        check(25 <= shed <= 75, f"about half by the other ({shed})")
        equal(daemon.total("targets_passed_over"), shed, "which is counted")
        status, output = daemon.cli("status")
        check(status == 0 and "per cent fewer" in output, "`ringfence status` shows it", output)
        before = calls_of(first)
        for _ in range(30):  # until one of them goes to the first target
            has_told(first, caller, daemon, telling(50, "loss", 0))
            if calls_of(first) > before:
                break
        check("asks" not in daemon.target(CALLEE), "oc-validity=0 ends it")
        before = calls_of(first)
        equal(counted(place(caller, daemon, 10)), {486: 10}, "calls are answered")
        equal(calls_of(first) - before, 10, "by the first target again")
        equal(daemon.total("targets_throttled"), 1, "it began once")
        check("asks for fewer calls, by 50 per cent" in daemon.log()
              and "asks for nothing any more" in daemon.log(), "begin and end are logged")
        daemon.stop()


@case("both ask for nothing at all: calls are refused here, emergency calls and dialogs go on")
def refused():
    with Site() as site:
        daemon = daemon_asking(site)
        first, second = Neighbour(site, CALLEE), Neighbour(site, SECOND)
        caller, alone = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLER, OTHER_PORT)
        first.overload = telling(100, "loss")
        held = sip.Caller(alone, daemon.address).call()
        held.establish(held.expect(200))
        held.ack()
        first.overload = None
        has_told(second, caller, daemon, telling(0, "rate"))
        equal([daemon.target(number)["asks"] for number in (CALLEE, SECOND)], [100, 0],
              "one asks for 100 per cent fewer, the other for no more than 0 a second")
        asked = len(first.calls) + len(second.calls)
        equal(counted(place(caller, daemon, 10)), {503: 10}, "new calls get 503")
        refusal = sip.Caller(alone, daemon.address).call().expect(503)
        equal(refusal.header("Retry-After"), None, "without Retry-After")
        equal(len(first.calls) + len(second.calls), asked, "and bother nobody")
        equal(daemon.total("throttled"), 11, "counted by a reason of their own")
        equal(counted(place(caller, daemon, 1, number="110")), {200: 1}, "an emergency call passes")
        # Its answer shortens what the first one has asked for.
        first.overload = telling(100, "loss", 500)
        held.within("BYE")
        held.expect(200, "BYE")
        check(True, "a call under way can end")
        first.overload = None
        checks.wait_for(lambda: "asks" not in daemon.target(CALLEE), 6, "its time is over")
        equal(daemon.target(SECOND)["asks"], 0, "and not that of the other")
        equal(counted(place(caller, daemon, 5)), {200: 5}, "calls pass again")
        daemon.stop()


@case("a target permits a rate")
def rate():
    with Site() as site:
        daemon = daemon_asking(site)
        first, second = Neighbour(site, CALLEE, 486), Neighbour(site, SECOND, 486)
        caller = sip.Endpoint(site, CALLER)
        has_told(first, caller, daemon, telling(10, "rate"))
        row = daemon.target(CALLEE)
        equal((row["asks_for"], row["asks"]), ("requests per second", 10), "`status` shows it")
        before = calls_of(first)
        begun = time.monotonic()
        equal(counted(place(caller, daemon, 150, every=0.01)), {486: 150}, "all are answered")
        took = time.monotonic() - begun
        got = calls_of(first) - before
        # Also on a machine on which the daemon finds all of them waiting at once.
        check(got >= 5, "it gets a burst of five")
        # And one that two workers have admitted at one moment.
        check(got <= 6 + 10 * took, f"and no more than ten a second ({got} in {took:.2f} s)")
        equal(got + calls_of(second), 150, "the other one gets the rest")
        daemon.stop()


@case("what makes no sense is ignored and counted")
def nonsense():
    with Site() as site:
        daemon = daemon_asking(site)
        first, second = Neighbour(site, CALLEE, 486), Neighbour(site, SECOND, 486)
        caller = sip.Endpoint(site, CALLER)
        for text in (';oc=101;oc-algo="loss"', ';oc=100;oc-algo="A"', ";oc=100",
                     ';oc=100;oc-algo="loss";oc-seq=1.123456'):
            before = daemon.total("overload_malformed")
            has_told(first, caller, daemon, lambda text=text: text)
            check(daemon.total("overload_malformed") > before, f"{text} is counted")
            check("asks" not in daemon.target(CALLEE), "    and asks for nothing")
        equal((calls_of(first), calls_of(second)), (4, 0), "the target stays in use")
        daemon.stop()


def offering(endpoint, daemon):
    """A call of a peer with overload control."""
    call = sip.Caller(endpoint, daemon.address)
    call.invite = call.invite.replace(b";branch=", b';oc;oc-algo="loss,A";branch=', 1)
    return call


def wait_in_line(daemon, calls):
    """They wait for the daemon all at once."""
    daemon.process.signal(signal.SIGSTOP)
    os.waitid(os.P_PID, daemon.process.pid, os.WSTOPPED | os.WNOWAIT)
    for call in calls:
        call.call()
    daemon.process.signal(signal.SIGCONT)


def answers_to(endpoint, calls):
    """All that comes until each call has its final answer; those that the kernel had no room for
    are not missed."""
    waiting = {call.call_id: call for call in calls}
    found = []
    while waiting and (message := endpoint.receive(2)) is not None:
        found.append(message)
        if message.status >= 200 and message.header("Call-ID") in waiting:
            waiting.pop(message.header("Call-ID")).ack_refusal(message)
    return found


@case("a peer is told to reduce while datagrams wait")
def told():
    with Site() as site:
        # Where all calls would be refused is as far away as it can be.
        daemon = Daemon(site, workers=1, limits={"overload_begin": "1ms", "overload_end": "10s",
                                                 "overload_validity": "700ms"})
        callee = Neighbour(site, CALLEE, 486)
        peer, other = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLER, OTHER_PORT)
        call = offering(peer, daemon).call()
        refusal = call.expect(486)
        call.ack_refusal(refusal)
        found = TOLD.search(refusal.header("Via"))
        check(found and found.groups()[:3] == ("0", "loss", "0"), "at first it is told of nothing",
              refusal.header("Via"))
        check(";oc" not in callee.vias[0], "the next hop is offered nothing", callee.vias[0])

        offers = [offering(peer, daemon) for _ in range(200)]
        others = [sip.Caller(other, daemon.address) for _ in range(100)]
        wait_in_line(daemon, [call for i in range(100)
                              for call in (offers[i], others[i], offers[100 + i])])
        answers = answers_to(peer, offers)
        said = [TOLD.search(answer.header("Via")) for answer in answers]
        check(answers and all(said), "every answer has it")
        equal({answer.status for answer in answers}, {100, 486}, "no call is refused by us")
        asking = [found for found in said if found and int(found.group(1)) > 0]
        check(asking, "answers ask for fewer calls")
        equal({found.group(3) for found in asking}, {"700"}, "for the configured time")
        numbers = [float(found.group(4)) for found in said if found]
        check(max(numbers) > min(numbers) and abs(max(numbers) - time.time()) < 60,
              "numbered by time")
        row = next(row for row in daemon.status()["overload"] if row["trunk"] == "carrier")
        check(row["told"] > 0, "`status` shows it", row)
        vias = [answer.header("Via") for answer in answers_to(other, others)]
        check(vias and not any(";oc" in via for via in vias), "others are told nothing", vias[:3])
        daemon.stop()


checks.main()
