#!/usr/bin/env python3
"""mode lookup: verdicts that wait for Redis, and what calls get when it does not answer."""

import time

from lib import checks, sip
from lib.checks import case, check, equal
from lib.daemon import CALLEE, CALLER, Daemon
from lib.redis import Redis
from lib.site import Site, settle

LISTED = "+8613900000001"


class Stage:
    def __init__(self, site, deadline, **screening):
        self.redis = Redis(site)
        self.redis("HSET", f"rf:num:{LISTED}", "list", "block", "type", "loan", "score", 95)
        self.redis("HSET", "rf:pfx:8613955512", "list", "block", "score", 90)
        self.daemon = Daemon(site, reputation={"store": "redis", "mode": "lookup",
                                               "socket": self.redis.path},
                             screening={"deadline": deadline, **screening}, workers=1)
        self.a = sip.Endpoint(site, CALLER)
        self.b = sip.Endpoint(site, CALLEE)
        checks.wait_for(lambda: self.daemon.status()["reputation"]["connected"], 5,
                        "connected to Redis")

    def caller(self, number="+8613811112222"):
        return sip.Caller(self.a, self.daemon.address, number)

    def refused(self, number, text):
        caller = self.caller(number).call()
        caller.ack_refusal(caller.expect(603))
        check(self.b.silent(0.05) is None, text)

    def passes(self, number):
        """Seconds until the callee had the INVITE."""
        caller = self.caller(number)
        begun = time.monotonic()
        caller.call()
        invite = self.b.expect("INVITE")
        took = time.monotonic() - begun
        sip.Callee(self.b, invite).answer(486, "Busy Here")
        self.b.expect("ACK")
        caller.ack_refusal(caller.expect(486))
        return took

    def hang_redis(self):
        """Redis stops without a word; the calls before are settled."""
        settle(0.1)
        self.a.drain()
        self.redis.freeze()

    def end(self):
        self.redis.thaw()
        check(self.daemon.wait_quiet(6), "no transaction and no call is left", self.daemon.status())
        self.daemon.stop()


@case("answers of Redis")
def answers():
    with Site() as site:
        stage = Stage(site, "2s")
        stage.refused(LISTED, "a listed number is refused")
        stage.refused("+8613955512345", "so is one of a listed prefix")
        stage.passes("+8613812345678")
        check(True, "others pass")
        counts = stage.daemon.counts()
        equal((counts["totals"]["verdicts_parked"], counts["totals"]["verdicts_degraded"]), (3, 0),
              "each verdict waited for its answer")
        equal(counts["families"]["types"]["totals"].get("loan"), 1, "with the type from Redis")
        stage.redis("DEL", f"rf:num:{LISTED}")
        settle(0.6)
        stage.passes(LISTED)
        check(True, "a number that is no longer listed passes")
        stage.end()


@case("Redis does not answer")
def deadline():
    with Site() as site:
        stage = Stage(site, "200ms")
        stage.hang_redis()
        took = stage.passes(LISTED)
        check(0.18 < took < 1 * checks.SLOW, "a call passes at the deadline", f"{took:.3f} s")
        totals = stage.daemon.counts()["totals"]
        equal((totals["verdicts_deadline"], totals["verdicts_degraded"]), (1, 1),
              "marked degraded, and counted")
        for at in range(40):
            stage.passes(f"+86138000000{at:02d}")
        equal(stage.daemon.total("verdicts_degraded"), 41, "so do the calls after it")
        equal(stage.daemon.status()["parked"], 0, "none stays parked")
        stage.redis.thaw()
        def listed_again():
            caller = stage.caller(LISTED).call()
            answer = stage.a.collect(603, 1, seconds=0.5).get(caller.call_id)
            if answer:
                caller.ack_refusal(answer)
            else:
                stage.b.drain()
                caller.cancel()
                time.sleep(0.2)
            return answer
        checks.wait_for(listed_again, 10, "when Redis is back, so are its answers")
        stage.daemon.stop()


@case("on_unknown")
def on_unknown():
    with Site() as site:
        stage = Stage(site, "50ms", on_unknown="block", block_with="403")
        stage.hang_redis()
        caller = stage.caller().call()
        caller.ack_refusal(caller.expect(403))
        check(stage.b.silent(0.1) is None, "on_unknown: block refuses")
        equal(stage.daemon.family("reasons", "on_unknown"), 1, "by its own authority")
        stage.end()


@case("CANCEL while parked")
def cancel():
    with Site() as site:
        stage = Stage(site, "2s")
        stage.hang_redis()
        caller = stage.caller().call()
        trying = stage.a.receive()
        equal(trying and trying.status, 100, "100 comes at once")
        checks.wait_for(lambda: stage.daemon.status()["parked"] == 1, 2, "the call is parked")
        caller.call()
        again = stage.a.receive()
        equal(again and again.raw, trying and trying.raw, "a retransmission is answered by 100 again")
        caller.cancel()
        got = {}
        for _ in range(2):
            answer = stage.a.receive()
            got[answer and answer.method] = answer
        equal(got.get("CANCEL") and got["CANCEL"].status, 200, "CANCEL is answered by 200")
        equal(got.get("INVITE") and got["INVITE"].status, 487, "INVITE by 487")
        caller.ack_refusal(got["INVITE"])
        check(stage.b.silent(2.3) is None, "nothing reaches the callee, not at the deadline either")
        equal(stage.daemon.status()["parked"], 0, "nothing is parked any more")
        stage.redis.thaw()
        check(stage.b.silent(0.3) is None, "nor when Redis answers at last")
        equal(stage.daemon.total("calls"), 0, "no verdict was given")
        stage.end()


@case("too many parked calls, a reload, and a drain")
def limits():
    with Site() as site:
        stage = Stage(site, "2s", parked=2)
        stage.hang_redis()
        for at in range(3):
            stage.caller(f"+861380000000{at}").call()
        first = stage.b.expect("INVITE", seconds=1)
        check("000002@" in first.header("From"), "beyond the limit a verdict does not wait",
              first.header("From"))
        sip.Callee(stage.b, first).answer(100, "Trying")
        equal(stage.daemon.total("parked_refused"), 1, "and is counted")
        stage.daemon.reload()
        checks.wait_for(lambda: stage.daemon.status()["reloads"] == 1, 3, "a reload goes through")
        callees = stage.b.collect("INVITE", 2, seconds=3)
        equal(len(callees), 2, "calls that were parked pass at their deadline")
        for invite in callees.values():
            sip.Callee(stage.b, invite).answer(486, "Busy Here")
        sip.Callee(stage.b, first).answer(486, "Busy Here")
        stage.redis.thaw()
        stage.daemon.stop()


checks.main(limit=75)
