#!/usr/bin/env python3
# busy
"""Reputation in Redis: live changes, a Redis that dies, comes back, comes back empty, or never
was there."""

import time

from lib import checks, sip
from lib.calls import expect_fate, fate_within
from lib.checks import SANITIZE, case, check, equal, wait_for
from lib.daemon import CALLEE, CALLER, Daemon
from lib.redis import Redis
from lib.sipp import T1_AS_IN_LIFE, Sipp, check_load
from lib.site import Site, settle

RULES = """
rules:
  - id: bad-score
    when: reputation.score >= 70
    score: 100
    action: {do: block, with: 403}
policy:
  - {at: 60, do: tag}
"""

LISTED = "+8613900000001"
CLEAN = "+8613911112222"
# More than the least number of changes that a resync is held for.
CROWD = 3000
RATE = 100 if SANITIZE else 400


def start(site, redis, **reputation):
    return Daemon(site, rules=RULES, limits=T1_AS_IN_LIFE,
                  reputation={"store": "redis", "socket": redis.path, **reputation})


def state(daemon):
    return daemon.status()["reputation"]


def wait_state(daemon, wanted, text, seconds=5):
    return wait_for(lambda: state(daemon)["state"] == wanted, seconds, text) or \
        print(f"    {state(daemon)}")


def fill(redis, count=CROWD):
    redis.pipeline([("HSET", f"rf:num:+86138{i:08d}", "score", 90, "list", "block")
                    for i in range(count)])
    redis("HSET", f"rf:num:{LISTED}", "score", 95, "list", "block", "type", "impersonation")


@case("live changes")
def live():
    with Site() as site:
        redis = Redis(site)
        redis("HSET", f"rf:num:{LISTED}", "score", 95, "list", "block", "type", "impersonation")
        redis("HSET", "rf:pfx:86139555", "score", 100, "list", "block")
        redis("HSET", "rf:num:+8613955512345", "score", 0, "list", "")
        redis("HSET", "rf:pfx:86137", "score", 100, "list", "block")
        redis("HSET", "rf:raw:anonymous", "list", "block")
        redis("SET", "rf:num:+8613800000000", "no hash")
        daemon = start(site, redis)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        wait_state(daemon, "following", "the daemon follows Redis")

        expect_fate(daemon, LISTED, a, b, 603, "a listed number is refused")
        expect_fate(daemon, CLEAN, a, b, "passed", "an unlisted one passes")
        expect_fate(daemon, "+8613955500000", a, b, 603, "a listed prefix is refused")
        expect_fate(daemon, "+8613955512345", a, b, "passed", "a number beats its prefix")
        expect_fate(daemon, "+8613712345678", a, b, "passed", "five digits are too few to block")
        expect_fate(daemon, "anonymous", a, b, 603, "a listed text is refused")
        expect_fate(daemon, "+8613800000000", a, b, "passed", "a key that is no hash is nothing")

        redis("HSET", f"rf:num:{CLEAN}", "list", "block")
        fate_within(daemon, CLEAN, a, b, 603, 1, "HSET blocks within a second")
        redis("HSET", f"rf:num:{CLEAN}", "list", "watch", "score", 75)
        fate_within(daemon, CLEAN, a, b, 403, 1, "HSET of a score: a rule decides on it")
        redis("HSET", f"rf:num:{CLEAN}", "score", 10)
        fate_within(daemon, CLEAN, a, b, "passed", 1, "HSET of a low score frees")
        redis("DEL", f"rf:num:{LISTED}")
        fate_within(daemon, LISTED, a, b, "passed", 1, "DEL frees")
        redis("HSET", "rf:pfx:8613911112", "list", "block")
        redis("DEL", f"rf:num:{CLEAN}")
        fate_within(daemon, CLEAN, a, b, 603, 1, "a new prefix blocks")
        redis("DEL", "rf:pfx:8613911112")
        fate_within(daemon, CLEAN, a, b, "passed", 1, "and frees when it is deleted")

        redis("HSET", f"rf:num:{CLEAN}", "list", "block")
        redis("PEXPIRE", f"rf:num:{CLEAN}", 2500)
        fate_within(daemon, CLEAN, a, b, 603, 1, "an entry with an expiry blocks")
        settle(2.5)
        fate_within(daemon, CLEAN, a, b, "passed", 2, "and no longer once it is over")
        equal(daemon.total("verdicts_degraded"), 0, "no verdict was degraded")
        check(daemon.family("types", "impersonation") >= 1, "blocked calls are counted by type")
        redis("FLUSHALL")
        fate_within(daemon, "+8613955500000", a, b, "passed", 2,
                    "a small store that is flushed is followed")
        daemon.stop()


@case("killed under load")
def killed():
    with Site() as site:
        redis = Redis(site)
        fill(redis)
        daemon = start(site, redis)
        wait_state(daemon, "following", f"{CROWD} numbers are loaded")
        a, b = sip.Endpoint(site, CALLER, 5070), sip.Endpoint(site, CALLEE, 5070)
        server = Sipp(site, "uas", "uas", site.address(CALLEE))
        calls = RATE * 6
        client = Sipp(site, "uac", "uac", site.address(CALLER), "-r", RATE, "-m", calls, "-l",
                      20000, remote=daemon.address)
        settle(1.5)
        redis.kill()
        wait_for(lambda: not state(daemon)["connected"], 3, "kill -9 of Redis is noticed")
        settle(1)
        redis.start()
        wait_for(lambda: state(daemon)["state"] == "held", 10,
                 "Redis is back and empty: the loss is held")
        check_load(client, 40, calls, f"{calls} calls at {RATE} a second meanwhile: none failed")
        equal(state(daemon)["numbers"], CROWD + 1, "the replica still has every number")
        check("replica accept" in state(daemon).get("held", ""), "the status says what to do",
              state(daemon))
        totals = daemon.counts()["totals"]
        equal((totals["verdicts_degraded"], totals["verdicts_parked"]), (0, 0),
              "no verdict was degraded or waited")
        equal(totals["calls"], calls, "each call was judged once")

        server.process.kill()
        b = sip.Endpoint(site, CALLEE)
        expect_fate(daemon, LISTED, a, b, 603, "a listed number is still refused")
        redis("HSET", f"rf:num:{CLEAN}", "list", "block")
        fate_within(daemon, CLEAN, a, b, 603, 1, "a change is followed while a loss is held")
        status, output = daemon.cli("replica", "accept")
        equal(status, 0, "ringfence replica accept")
        fate_within(daemon, LISTED, a, b, "passed", 3, "once accepted, the number is free")
        wait_state(daemon, "following", "and the daemon follows again")
        equal(state(daemon)["numbers"], 1, "with what Redis holds")
        status, output = daemon.cli("replica", "accept")
        check(status == 1 and "nothing is held" in output, "there is nothing to accept now", output)
        daemon.stop()


@case("gone and back")
def back():
    with Site() as site:
        redis = Redis(site)
        fill(redis)
        redis("HSET", f"rf:num:{CLEAN}", "list", "block")
        redis("PEXPIRE", f"rf:num:{CLEAN}", int(4000 * checks.SLOW))
        expires = time.monotonic() + 4 * checks.SLOW
        daemon = start(site, redis)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        wait_state(daemon, "following", "the daemon follows Redis")
        redis.kill()
        wait_for(lambda: not state(daemon)["connected"], 3, "Redis is gone")
        expect_fate(daemon, LISTED, a, b, 603, "a listed number is refused without Redis")
        expect_fate(daemon, CLEAN, a, b, 603, "so is one that has an expiry")
        time.sleep(max(0, expires - time.monotonic()))
        fate_within(daemon, CLEAN, a, b, "passed", 2, "which is enforced without Redis")
        redis.start()
        fill(redis)
        redis("DEL", f"rf:num:{LISTED}")
        wait_state(daemon, "following", "Redis is back with its data: in step", 15)
        expect_fate(daemon, LISTED, a, b, "passed", "what was deleted meanwhile is free")
        check(state(daemon)["reconnects"] >= 1, "the reconnection is counted")
        equal(daemon.total("verdicts_degraded"), 0, "no verdict was degraded")
        daemon.stop()


@case("frozen")
def frozen():
    with Site() as site:
        redis = Redis(site)
        fill(redis)
        daemon = start(site, redis, reply_timeout="500ms")
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        wait_state(daemon, "following", "the daemon follows Redis")
        redis.freeze()
        wait_for(lambda: not state(daemon)["connected"], 10, "a Redis that hangs is given up")
        begun = time.monotonic()
        expect_fate(daemon, LISTED, a, b, 603, "a listed number is refused")
        check(time.monotonic() - begun < 0.2 * checks.SLOW, "without delay")
        redis.thaw()
        wait_state(daemon, "following", "it goes on: in step again", 15)
        redis("DEL", f"rf:num:{LISTED}")
        fate_within(daemon, LISTED, a, b, "passed", 1, "changes are followed again")
        daemon.stop()


@case("start without Redis")
def absent():
    with Site() as site:
        redis = Redis(site, port=6379, start=False)
        daemon = Daemon(site, rules=RULES, reputation={
            "store": "redis", "host": site.address(1), "port": 6379,
            "saved": site.path("replica.saved")})
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        check(True, "the daemon starts")
        expect_fate(daemon, LISTED, a, b, "passed", "calls pass")
        equal(daemon.total("verdicts_degraded"), 1, "marked degraded")
        equal(daemon.family("reasons", "on_unknown"), 1, "by on_unknown")
        check(state(daemon).get("error"), "the status says why", state(daemon))
        redis.start()
        fill(redis)
        fate_within(daemon, LISTED, a, b, 603, 15, "Redis comes: a listed number is refused")
        wait_state(daemon, "following", "the daemon follows Redis")
        before = daemon.total("verdicts_degraded")
        expect_fate(daemon, CLEAN, a, b, "passed", "another passes")
        equal(daemon.total("verdicts_degraded"), before, "and is not degraded")
        daemon.stop()

        redis.kill()
        daemon.start()
        expect_fate(daemon, LISTED, a, b, 603,
                    "restarted without Redis: the saved replica is armed")
        equal(state(daemon)["from_saved"], True, "the status says so")
        equal(state(daemon)["numbers"], CROWD + 1, "with every number")
        equal(daemon.total("verdicts_degraded"), 0, "no verdict is degraded")
        redis.start()
        wait_for(lambda: state(daemon)["state"] == "held", 15,
                 "Redis comes back empty: the loss is held")
        expect_fate(daemon, LISTED, a, b, 603, "and the number still refused")
        daemon.stop()


@case("on_unknown")
def on_unknown():
    with Site() as site:
        redis = Redis(site, start=False)
        daemon = Daemon(site, rules=RULES, reputation={"store": "redis", "socket": redis.path},
                        screening={"on_unknown": "block", "block_with": "403"})
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        expect_fate(daemon, CLEAN, a, b, 403, "on_unknown: block refuses without Redis")
        expect_fate(daemon, CLEAN, a, b, "passed", "but never an emergency call", callee="110")
        redis.start()
        fate_within(daemon, CLEAN, a, b, "passed", 15, "Redis comes: the call passes")
        daemon.stop()


checks.main(limit=100)
