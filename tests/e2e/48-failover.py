#!/usr/bin/env python3
"""Next hops that are killed, silent, unavailable or all gone: what calls get, and what is known."""

import time

from lib import checks, sip
from lib.checks import case, check, equal
from lib.daemon import CALLEE, CALLER, SECOND, Daemon, core_of_two, trunk
from lib.neighbour import Neighbour, counted, place
from lib.site import Site, settle


def daemon_of(site, health=None, failover=None, **changes):
    core = core_of_two(site, health={"probe_down": "200ms", "probe_timeout": "300ms",
                                     "slow_start": "0s", "failures": 2, **(health or {})},
                       failover={"trial": "400ms", "budget": "3s", **(failover or {})})
    return Daemon(site, trunks=[trunk("carrier", site.address(CALLER)), core], **changes)


def is_in(daemon, number, wanted):
    return lambda: daemon.target(number)["state"] == wanted


@case("a next hop is killed, and comes back")
def killed():
    with Site() as site:
        daemon = daemon_of(site)
        first, second = Neighbour(site, CALLEE), Neighbour(site, SECOND)
        caller = sip.Endpoint(site, CALLER)
        equal(counted(place(caller, daemon, 10)), {200: 10}, "calls go to the first target")
        equal(len(second.calls), 0, "and none to the other")
        first.kill()
        equal(counted(place(caller, daemon, 20, every=0.01)), {200: 20},
              "the port is closed: every call is answered by the other target")
        checks.wait_for(is_in(daemon, CALLEE, "down"), 2, "it is marked down")
        equal(daemon.target(CALLEE)["why"], "unreachable", "and `status` says why")
        check(daemon.total("icmp_errors") > 0, "by ICMP")
        failovers = daemon.total("failovers")
        equal(counted(place(caller, daemon, 10)), {200: 10}, "further calls pass")
        equal(daemon.total("failovers"), failovers, "and do not try it any more")
        first.revive()
        checks.wait_for(is_in(daemon, CALLEE, "up"), 3, "it answers OPTIONS again and is up")
        check(first.probes >= 2, "after as many answers as up_after asks for")
        before = len(second.calls)
        equal(counted(place(caller, daemon, 10)), {200: 10}, "calls pass")
        equal(len(second.calls), before, "by the first target again")
        equal(daemon.target(CALLEE).get("last_code"), 200, "the code of its last answer is known")
        daemon.stop()


@case("a next hop falls silent")
def silent():
    with Site() as site:
        daemon = daemon_of(site)
        first, second = Neighbour(site, CALLEE, "silent"), Neighbour(site, SECOND)
        caller = sip.Endpoint(site, CALLER)
        begun = time.monotonic()
        equal(counted(place(caller, daemon, 10)), {200: 10}, "every call is answered by the other")
        took = time.monotonic() - begun
        check(took > 0.35, f"once the trial is over ({took * 1000:.0f} ms)")
        check(len(set(first.calls)) == 10 and len(set(second.calls)) == 10, "each tried both")
        check(set(first.vias).isdisjoint(second.vias), "by a branch for each")
        equal(daemon.target(CALLEE)["state"], "down", "it is down")
        equal(daemon.target(CALLEE)["why"], "no answer", "for its silence")
        # It wakes up with an INVITE that was left long ago in its hands.
        status, output = daemon.cli("status")
        check(status == 0 and "no answer" in output, "`ringfence status` shows it", output)
        first.mode = "answer"
        checks.wait_for(is_in(daemon, CALLEE, "up"), 3, "it comes back")
        equal(counted(place(caller, daemon, 5)), {200: 5}, "and serves")
        daemon.stop()


@case("a target that wakes up late is cancelled")
def late():
    with Site() as site:
        daemon = daemon_of(site)
        first, second = sip.Endpoint(site, CALLEE), Neighbour(site, SECOND, "silent")
        caller = sip.Caller(sip.Endpoint(site, CALLER), daemon.address).call()
        invite = first.expect("INVITE")
        checks.wait_for(lambda: second.calls, 2, "the call has gone on to the other target")
        first.drain()
        sip.Callee(first, invite).answer(180, "Ringing")
        cancel = first.expect("CANCEL")
        equal(cancel.header("Via"), invite.header("Via"), "the left one is cancelled by its branch")
        # ... but had the answer on its way already.
        first.send(sip.response(cancel, 200), cancel.source)
        sip.Callee(first, invite).answer(200, "OK")
        answer = caller.expect(200)
        caller.establish(answer)
        caller.ack()
        first.expect("ACK")
        check(True, "a 2xx of the left target is the call's, and its ACK arrives")
        equal(daemon.total("late_answers"), 1, "it is counted")
        sip.hang_up(caller, first)
        daemon.stop()


@case("503, with and without Retry-After")
def unavailable():
    with Site() as site:
        daemon = daemon_of(site)
        first, second = Neighbour(site, CALLEE, 503), Neighbour(site, SECOND)
        caller = sip.Endpoint(site, CALLER)
        equal(counted(place(caller, daemon, 5)), {200: 5}, "every call is answered by the other")
        equal(len(set(first.calls)), 5, "each has asked the first")
        equal(daemon.target(CALLEE)["state"], "up", "which is not down for that (21.5.4)")
        first.headers = ["Retry-After: 2"]
        place(caller, daemon, 1)
        equal(daemon.target(CALLEE)["why"], "Retry-After", "Retry-After is heeded")
        asked = len(first.calls)
        equal(counted(place(caller, daemon, 5)), {200: 5}, "calls pass")
        equal(len(first.calls), asked, "without asking it")
        first.mode, first.headers = "answer", []
        checks.wait_for(is_in(daemon, CALLEE, "up"), 4, "until the time is over")
        second.mode = 503
        first.mode = 603
        equal(counted(place(caller, daemon, 3)), {603: 3}, "a 603 is final")
        daemon.stop()


@case("both are gone, one comes back")
def both():
    with Site() as site:
        daemon = daemon_of(site, health={"all_down": "refuse"},
                           failover={"budget": "900ms"})
        first, second = Neighbour(site, CALLEE, "silent"), Neighbour(site, SECOND, "silent")
        caller = sip.Endpoint(site, CALLER)
        equal(counted(place(caller, daemon, 6)), {408: 6}, "calls end with the budget")
        checks.wait_for(lambda: is_in(daemon, CALLEE, "down")() and is_in(daemon, SECOND, "down")(),
                        3, "both are down")
        asked = len(first.calls) + len(second.calls)
        equal(counted(place(caller, daemon, 3)), {500: 3}, "with `all_down: refuse` 500 at once")
        equal(len(first.calls) + len(second.calls), asked, "without asking anybody")
        equal(counted(place(caller, daemon, 1, seconds=1, number="110")), {408: 1},
              "but an emergency call is tried")
        second.mode = "answer"
        checks.wait_for(is_in(daemon, SECOND, "up"), 3, "one comes back")
        equal(counted(place(caller, daemon, 6)), {200: 6}, "and takes the calls")
        daemon.stop()


@case("a restart between INVITE and CANCEL, with the call at the second target")
def restarted():
    with Site() as site:
        daemon = daemon_of(site)
        first, second = sip.Endpoint(site, CALLEE), sip.Endpoint(site, SECOND)
        caller = sip.Caller(sip.Endpoint(site, CALLER), daemon.address).call()
        first.expect("INVITE")
        invite = second.expect("INVITE")
        sip.Callee(second, invite).answer(180, "Ringing")
        caller.expect(180)
        daemon.process.kill()
        daemon.start()
        settle(0.1)
        second.drain()
        caller.cancel()
        cancel = second.expect("CANCEL")
        equal(sip.parameter(cancel.header("Via"), "branch"),
              sip.parameter(invite.header("Via"), "branch"),
              "the CANCEL reaches the target that rings, with the branch of its INVITE")
        daemon.stop()


checks.main()
