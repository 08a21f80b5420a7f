#!/usr/bin/env python3
# busy
"""Mode lookup: Redis is asked for each call, and a call waits for the answer up to the deadline."""

import time

from lib import checks, sip
from lib.calls import expect_fate, fate, fate_within, passed
from lib.checks import SANITIZE, SLOW, case, check, equal, wait_for
from lib.daemon import CALLEE, CALLER, Daemon
from lib.redis import Redis
from lib.sipp import T1_AS_IN_LIFE, Sipp, check_load
from lib.site import Site

RULES = """
rules:
  - id: bad-score
    when: reputation.score >= 70
    score: 100
    action: {do: block, with: 403}
  - id: bad-agent
    when: header("User-Agent") == "scanner"
    score: 100
    action: {do: block, with: 403}
policy:
  - {at: 60, do: tag}
"""

LISTED = "+8613900000001"
CLEAN = "+8613911112222"
OTHER = "+8613911113333"
RATE = 100 if SANITIZE else 300


def start(site, redis, deadline=0.3, screening=None, **changes):
    milliseconds = min(5000, int(deadline * SLOW * 1000))
    return Daemon(site, rules=RULES,
                  screening={"deadline": f"{milliseconds}ms", **(screening or {})},
                  reputation={"store": "redis", "mode": "lookup", "socket": redis.path}, **changes)


def listed(site):
    """A Redis that lists a number."""
    redis = Redis(site)
    redis("HSET", f"rf:num:{LISTED}", "score", 95, "list", "block", "type", "impersonation")
    return redis


def wait_connected(daemon, text=None):
    return wait_for(lambda: daemon.status()["reputation"]["connected"], 5, text)


def timed(action):
    begun = time.monotonic()
    result = action()
    return result, (time.monotonic() - begun) / SLOW


def park(daemon, a, number=CLEAN, **more):
    """An INVITE that waits: its 100 has come."""
    caller = sip.Caller(a, daemon.address, number, **more).call()
    caller.expect(100)
    return caller


def goes_on(caller, b, seconds, text):
    """A parked call must reach the callee within so many seconds; it is busy."""
    invite, took = timed(lambda: b.expect("INVITE"))
    check(took < seconds, text, f"after {took:.2f} s")
    sip.Callee(b, invite).answer(486, "Busy Here")
    caller.ack_refusal(caller.expect(486))
    b.expect("ACK")


@case("answers")
def answers():
    with Site() as site:
        redis = listed(site)
        redis("HSET", "rf:pfx:86139555", "list", "block")
        redis("HSET", "rf:pfx:8613955598", "score", 75, "list", "watch")
        redis("HSET", "rf:num:+8613955512345", "score", 0)
        redis("HSET", "rf:pfx:86137", "list", "block")
        redis("HSET", "rf:raw:anonymous", "list", "block")
        redis("SET", "rf:num:+8613800000000", "no hash")
        daemon = start(site, redis, deadline=2)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        wait_connected(daemon, "the daemon is connected")
        expect_fate(daemon, LISTED, a, b, 603, "a listed number is refused")
        expect_fate(daemon, CLEAN, a, b, "passed", "an unlisted one passes")
        expect_fate(daemon, "+8613955500000", a, b, 603, "a listed prefix is refused")
        expect_fate(daemon, "+8613955598000", a, b, 403, "the longest prefix wins")
        expect_fate(daemon, "+8613955512345", a, b, "passed", "a number beats its prefixes")
        expect_fate(daemon, "+8613712345678", a, b, "passed", "five digits are too few to block")
        expect_fate(daemon, "anonymous", a, b, 603, "a listed text is refused")
        expect_fate(daemon, "+8613800000000", a, b, "passed", "a key that is no hash is nothing")
        redis("HSET", f"rf:num:{CLEAN}", "list", "block")
        fate_within(daemon, CLEAN, a, b, 603, 1, "HSET blocks within a second")
        redis("DEL", f"rf:num:{CLEAN}")
        fate_within(daemon, CLEAN, a, b, "passed", 1, "DEL frees within a second")
        totals = daemon.counts()["totals"]
        check(totals["verdicts_parked"] >= 8, "calls waited for their answer", totals)
        equal((totals["verdicts_degraded"], totals["verdicts_deadline"]), (0, 0),
              "and none in vain")
        wait_for(lambda: daemon.status()["parked"] == 0, 5, "none waits now")
        daemon.stop()


@case("the deadline")
def deadline():
    with Site() as site:
        redis = listed(site)
        daemon = start(site, redis, 0.3)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        wait_connected(daemon, "the daemon is connected")
        events = daemon.stats(events=True)
        redis.freeze()
        outcome, seconds = timed(lambda: fate(daemon, LISTED, a, b))
        check(passed(outcome) and 0.28 <= seconds < 0.6,
              f"Redis hangs: the call passes at the deadline ({seconds * 1000:.0f} of 300 ms)",
              outcome)
        outcome, seconds = timed(lambda: fate(daemon, CLEAN, a, b,
                                              headers=["User-Agent: scanner"]))
        equal(outcome, 403, "rules run at the deadline with what is known")
        event = events.event()
        equal(((event or {}).get("degraded"), (event or {}).get("missing")), (True, ["reputation"]),
              "and the event says degraded, and without what")
        totals = daemon.counts()["totals"]
        equal((totals["verdicts_degraded"], totals["verdicts_parked"],
               totals["verdicts_deadline"]), (2, 2, 2), "degraded verdicts are counted")
        equal(daemon.family("reasons", "on_unknown"), 1, "on_unknown let the first one pass")
        outcome, seconds = timed(lambda: fate(daemon, LISTED, a, b, callee="110"))
        check(passed(outcome) and seconds < 0.2, "an emergency call waits for nothing")
        outcome, seconds = timed(lambda: fate(daemon, LISTED, a, b, callee="96110"))
        check(passed(outcome) and seconds < 0.2, "nor does a call to a protected line")

        waiting = park(daemon, a, LISTED)
        redis.thaw()
        waiting.ack_refusal(waiting.expect(603))
        check(b.silent(0.1) is None, "an answer before the deadline decides")
        events.close()
        daemon.stop()


@case("retransmission and CANCEL while waiting")
def waiting_calls():
    with Site() as site:
        redis = listed(site)
        daemon = start(site, redis, 0.6)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        wait_connected(daemon, "the daemon is connected")
        redis.freeze()

        caller = park(daemon, a)
        begun = time.monotonic()
        for _ in range(2):
            caller.call()
            again = a.receive(0.3)
            equal(again and (again.status, again.method), (100, "INVITE"),
                  "a repeated INVITE is answered with 100")
        check(b.silent(0) is None, "and nothing has reached the callee")
        invite = b.expect("INVITE")
        check(time.monotonic() - begun > 0.4 * SLOW, "before the deadline")
        sip.Callee(b, invite).answer(486, "Busy Here")
        caller.ack_refusal(caller.expect(486))
        b.expect("ACK")
        check(b.silent(0.2) is None, "it reached the callee once")

        caller = park(daemon, a, OTHER)
        wait_for(lambda: daemon.status()["parked"] == 1, 0.5, "the status shows the waiting call")
        caller.cancel()
        answers = sorted((m.status, m.method) for m in (a.receive(1), a.receive(1)) if m)
        equal(answers, [(200, "CANCEL"), (487, "INVITE")], "CANCEL: 200, and 487 to the INVITE")
        refusal = sip.Message(b"SIP/2.0 487 X\r\nTo: " + caller.to_value.encode() + b"\r\n\r\n")
        caller.ack_refusal(refusal)
        check(b.silent(0.9) is None, "nothing reaches the callee, also beyond the deadline")
        redis.thaw()
        check(b.silent(0.2) is None, "nor when the answer comes after all")
        check(daemon.wait_quiet(3), "no transaction is left", daemon.status())
        wait_for(lambda: daemon.status()["parked"] == 0, 5, "and no waiting call")

        redis.freeze()
        caller = park(daemon, a, "+8613911114444")
        redis.kill()
        goes_on(caller, b, 0.4, "Redis dies: a waiting call goes on at once")
        daemon.stop()


@case("the ACK of a cancelled call")
def cancelled_ack():
    with Site() as site:
        redis = listed(site)
        daemon = start(site, redis, 2)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        wait_connected(daemon, "the daemon is connected")
        redis.freeze()
        caller = park(daemon, a)
        caller.cancel()
        caller.expect(200, "CANCEL")
        refusal = caller.expect(487)
        check(refusal.tag("To"), "the 487 has a To-tag", refusal)
        again = a.receive(0.3)
        equal(again and again.status, 487, "it is repeated without an ACK")
        caller.ack_refusal(refusal)
        a.drain()
        # At once: T4 after the ACK (here 0.5 s) the INVITE is forgotten.
        caller.cancel()
        late = a.receive(1)
        equal(late and (late.status, late.method), (200, "CANCEL"),
              "a CANCEL that comes too late gets 200")
        check(a.silent(0.4) is None, "the 487 is not repeated after its ACK")
        check(b.silent(0.1) is None, "nothing has reached the callee")
        redis.thaw()
        daemon.stop()


@case("the limit of waiting calls")
def limit():
    with Site() as site:
        redis = listed(site)
        daemon = start(site, redis, 1, {"parked": 1}, workers=1)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        wait_connected(daemon, "the daemon is connected")
        redis.freeze()
        first = park(daemon, a)
        outcome, seconds = timed(lambda: fate(daemon, OTHER, a, b))
        check(passed(outcome) and seconds < 0.5, "beyond the limit a call passes at once")
        totals = daemon.counts()["totals"]
        equal((totals["parked_refused"], totals["verdicts_degraded"]), (1, 1), "and is counted")
        sip.Callee(b, b.expect("INVITE")).answer(486, "Busy Here")
        first.ack_refusal(first.expect(486))
        redis.thaw()
        daemon.stop()


@case("the breaker")
def breaker():
    with Site() as site:
        redis = listed(site)
        daemon = start(site, redis, 0.05)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        wait_connected(daemon, "the daemon is connected")
        redis.freeze()
        callers = {c.call_id: c for c in (sip.Caller(a, daemon.address, f"+86138{i:08d}")
                                          for i in range(60))}
        for caller in callers.values():
            caller.call()
        invites = {}
        while len(invites) < len(callers) and (message := b.receive(2)) is not None:
            if message.method == "INVITE" and message.header("Call-ID") not in invites:
                invites[message.header("Call-ID")] = message
                sip.Callee(b, message).answer(486, "Busy Here")
        refusals = {}
        while len(refusals) < len(callers) and (message := a.receive(2)) is not None:
            if message.status == 486:
                refusals[message.header("Call-ID")] = message
                callers[message.header("Call-ID")].ack_refusal(message)
        equal((len(invites), len(refusals)), (60, 60), "60 calls pass at the deadline")
        equal(daemon.status()["reputation"]["breaker_open"], True, "then Redis is asked no more")
        outcomes = [timed(lambda: fate(daemon, CLEAN, a, b))[1] for _ in range(5)]
        check(sorted(outcomes)[2] < 0.04, "calls pass without delay", outcomes)
        redis.thaw()
        fate_within(daemon, LISTED, a, b, 603, 5, "Redis goes on: a listed number is refused")
        equal(daemon.status()["reputation"]["breaker_open"], False, "and is asked again")
        daemon.stop()


@case("without Redis")
def absent():
    with Site() as site:
        redis = Redis(site, start=False)
        daemon = start(site, redis, 1)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        outcome, seconds = timed(lambda: fate(daemon, LISTED, a, b))
        check(passed(outcome) and seconds < 0.5, "started without Redis: calls pass at once")
        equal(daemon.total("verdicts_degraded"), 1, "marked degraded")
        redis.start()
        redis("HSET", f"rf:num:{LISTED}", "list", "block")
        fate_within(daemon, LISTED, a, b, 603, 10, "Redis comes: a listed number is refused")
        redis.kill()
        fate_within(daemon, LISTED, a, b, "passed", 3, "Redis dies: calls pass")
        redis.start()
        redis("HSET", f"rf:num:{LISTED}", "list", "block")
        fate_within(daemon, LISTED, a, b, 603, 10, "and comes back")
        daemon.stop()


@case("drain while waiting")
def drain():
    with Site() as site:
        redis = listed(site)
        daemon = start(site, redis, 1.5, drain=f"{int(10 * SLOW)}s")
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        wait_connected(daemon, "the daemon is connected")
        redis.freeze()
        caller = park(daemon, a)
        daemon.process.signal(15)
        goes_on(caller, b, 1, "SIGTERM: a waiting call is decided with what is known")
        redis.thaw()
        equal(daemon.process.wait(5), 0, "and the daemon stops when it is over")


@case("reload while waiting")
def reload():
    with Site() as site:
        redis = listed(site)
        daemon = start(site, redis, 1.5)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        wait_connected(daemon, "the daemon is connected")
        redis.freeze()
        caller = park(daemon, a)
        another = park(daemon, a, headers=["User-Agent: another"])
        site.write("rules.yaml", RULES.replace("scanner", "another"))
        daemon.reload()
        another.ack_refusal(another.expect(403))  # by the new rules
        goes_on(caller, b, 1, "a reload: a waiting call is decided with what is known")
        redis.thaw()
        equal(daemon.status()["reloads"], 1, "the reload is in force")
        daemon.stop()


@case("load")
def load():
    with Site() as site:
        redis = listed(site)
        daemon = start(site, redis, 0.02, limits=T1_AS_IN_LIFE)
        wait_connected(daemon, "the daemon is connected")
        server = Sipp(site, "uas", "uas", site.address(CALLEE))
        calls = RATE * 5
        client = Sipp(site, "uac", "uac", site.address(CALLER), "-r", RATE, "-m", calls, "-l",
                      20000, remote=daemon.address)
        wait_for(lambda: daemon.total("calls") > RATE, 5)
        redis.freeze()
        wait_for(lambda: daemon.total("calls") > 3 * RATE, 5)
        redis.thaw()
        check_load(client, 30, calls, f"{calls} calls at {RATE} a second, Redis hangs meanwhile: "
                                      "none failed")
        totals = daemon.counts()["totals"]
        check(totals["verdicts_degraded"] > 0, "some verdicts were degraded",
              totals["verdicts_degraded"])
        check(daemon.wait_quiet(6), "all tables are empty", daemon.status())
        wait_for(lambda: daemon.status()["parked"] == 0, 5, "none waits")
        daemon.stop()


checks.main(limit=90)
