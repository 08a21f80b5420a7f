#!/usr/bin/env python3
"""The replica: changes within a second, and a Redis that dies, comes back empty, or never was."""

import time

from lib import checks, sip
from lib.checks import SANITIZE, case, check, equal
from lib.daemon import CALLEE, CALLER, Daemon
from lib.redis import Redis
from lib.sipp import Sipp, check_load
from lib.site import Site, settle

LISTED = "+8613900000001"
OTHER = "+8613811112222"


class Stage:
    def __init__(self, site, redis=True, entries=0, **changes):
        self.redis = Redis(site, start=redis)
        if redis:
            self.redis("HSET", f"rf:num:{LISTED}", "list", "block", "type", "loan", "score", 95)
            self.fill(entries)
        self.daemon = Daemon(site, reputation={"store": "redis", "mode": "replica",
                                               "socket": self.redis.path,
                                               **changes.pop("reputation", {})}, **changes)
        self.a = sip.Endpoint(site, CALLER, 5070)
        self.b = sip.Endpoint(site, CALLEE)
        if redis:
            self.loaded()

    def fill(self, entries):
        if entries:
            self.redis.pipeline([("HSET", f"rf:num:+861370{at:07d}", "score", "10")
                                 for at in range(entries)])

    def reputation(self):
        return self.daemon.status()["reputation"]

    def loaded(self):
        checks.wait_for(lambda: self.reputation()["state"] == "following", 8,
                        "the replica is loaded and follows")

    def verdict(self, number):
        return sip.verdict(self.a, self.b, self.daemon.address, number)

    def turns(self, number, status, text, seconds=1):
        begun = time.monotonic()
        checks.wait_for(lambda: self.verdict(number) == status, seconds)
        took = time.monotonic() - begun
        check(self.verdict(number) == status and took < seconds * checks.SLOW,
              f"{text} within {seconds} s", f"{took:.3f} s")


@case("live changes")
def live():
    with Site() as site:
        stage = Stage(site)
        equal(stage.verdict(LISTED), 603, "what was listed before the start is refused")
        equal(stage.verdict(OTHER), 486, "others pass")
        status, _ = site.run(["redis-cli", "-s", stage.redis.path, "HSET", f"rf:num:{OTHER}",
                              "list", "block", "score", "91"])
        equal(status, 0, "redis-cli HSET")
        stage.turns(OTHER, 603, "the verdict changes")
        stage.redis("DEL", f"rf:num:{OTHER}")
        stage.turns(OTHER, 486, "DEL is followed")
        stage.redis("HSET", "rf:pfx:8613811", "list", "block")
        stage.turns(OTHER, 603, "a prefix is followed")
        stage.redis("HSET", f"rf:num:{OTHER}", "score", "5")
        stage.turns(OTHER, 486, "the number beats its prefix")
        stage.redis("DEL", f"rf:num:{OTHER}", "rf:pfx:8613811")
        stage.redis("HSET", "rf:pfx:86138", "list", "block")
        settle(0.5)
        equal(stage.verdict(OTHER), 486, "a prefix shorter than min_block_prefix blocks nobody")
        stage.redis("HSET", "rf:raw:hacker", "list", "block")
        stage.turns("hacker", 603, "raw text is followed")
        stage.redis("HSET", f"rf:num:{OTHER}", "list", "block")
        stage.turns(OTHER, 603, "listed for a while")
        stage.redis("PEXPIRE", f"rf:num:{OTHER}", 1500)
        settle(0.3)
        equal(stage.verdict(OTHER), 603, "until it expires")
        stage.turns(OTHER, 486, "it expires", seconds=4)
        check(stage.daemon.process.running(), "the daemon is alive")
        stage.daemon.stop()


@case("Redis is killed under load")
def killed():
    rate, seconds = (40, 5) if SANITIZE else (300, 5)
    with Site() as site:
        stage = Stage(site)
        equal(stage.verdict(LISTED), 603, "a listed number is refused")
        stage.b.socket.close()
        server = Sipp(site, "uas", "uas", site.address(CALLEE))
        client = Sipp(site, "uac", "uac", site.address(CALLER), "-r", rate, "-m", rate * seconds,
                      remote=stage.daemon.address)
        time.sleep(seconds * 0.4)
        stage.redis.kill()
        check_load(client, seconds + 20, rate * seconds,
                   f"{rate * seconds} calls while Redis is killed: none failed")
        check(stage.daemon.total("verdicts_degraded") == 0, "none was degraded: the replica stays")
        server.stop()
        caller = sip.Caller(stage.a, stage.daemon.address, LISTED).call()
        caller.ack_refusal(caller.expect(603))
        check(not stage.reputation()["connected"], "listed numbers are refused without Redis")
        stage.b = sip.Endpoint(site, CALLEE)
        stage.redis.start()
        stage.redis("HSET", f"rf:num:{OTHER}", "list", "block")
        stage.turns(OTHER, 603, "when Redis is back, the replica catches up", seconds=8)
        checks.wait_for(lambda: stage.verdict(LISTED) == 486, 3,
                        "with what was deleted meanwhile, too")
        stage.daemon.stop()


@case("expiry while Redis is gone")
def expiry_without_redis():
    with Site() as site:
        stage = Stage(site)
        stage.redis("PEXPIRE", f"rf:num:{LISTED}", 2500)
        settle(0.5)
        stage.redis.kill()
        equal(stage.verdict(LISTED), 603, "an entry holds while Redis is gone")
        checks.wait_for(lambda: stage.verdict(LISTED) == 486, 5, "and expires without it")
        stage.daemon.stop()


@case("Redis comes back empty")
def emptied():
    with Site() as site:
        stage = Stage(site, entries=3000)
        equal(stage.reputation()["numbers"], 3001, "3001 numbers are held")
        stage.redis.kill()
        stage.redis.start()
        checks.wait_for(lambda: stage.reputation()["state"] == "held", 10,
                        "a mass loss is held for acceptance")
        check(stage.reputation().get("held"), "status says what is held", stage.reputation())
        equal(stage.verdict(LISTED), 603, "the replica stays as it was")
        status, output = stage.daemon.cli("replica", "accept")
        equal(status, 0, "ringfence replica accept")
        checks.wait_for(lambda: stage.reputation()["numbers"] == 0, 5, "lets it go ahead")
        equal(stage.verdict(LISTED), 486, "and the number passes")
        stage.daemon.stop()


@case("no Redis at the start")
def without():
    with Site() as site:
        stage = Stage(site, redis=False, reputation={"connect_timeout": "200ms"})
        equal(stage.verdict(LISTED), 486, "the daemon starts without Redis, and calls pass")
        check(stage.daemon.total("verdicts_degraded") >= 1, "marked degraded")
        stage.redis.start()
        stage.redis("HSET", f"rf:num:{LISTED}", "list", "block")
        stage.turns(LISTED, 603, "when Redis comes, it is loaded", seconds=10)
        stage.daemon.stop()


@case("the saved replica")
def saved():
    with Site() as site:
        stage = Stage(site, reputation={"saved": site.path("replica")})
        stage.daemon.stop()
        stage.redis.kill()
        stage.daemon.start()
        equal(stage.verdict(LISTED), 603, "a start without Redis is armed by the saved replica")
        check(stage.reputation()["from_saved"], "status says so")
        equal(stage.daemon.total("verdicts_degraded"), 0, "and nothing is degraded")
        stage.daemon.stop()


checks.main(limit=100)
