#!/usr/bin/env python3
"""Several sources about one number: who outranks whom, expiries and fading without a message from
Redis and after a restart without it, a reassigned number, the page's own example."""

import os
import re
import shutil
import time

from lib import checks, sip
from lib.calls import expect_fate, fate_within
from lib.checks import case, check, equal, wait_for
from lib.daemon import CALLEE, CALLER, Daemon
from lib.redis import Redis
from lib.site import Site

NUMBER = "+8613800138000"
OTHER = "+8613800138001"
SOURCES = [{"name": "police", "weight": 3}, {"name": "desk", "weight": 2}, {"name": "feed"},
           {"name": "crowd", "half_life": "2s", "may": ["watch", "score"]}]


def start(site, redis, **reputation):
    return Daemon(site, reputation={"store": "redis", "socket": redis.path, "sources": SOURCES,
                                    "reply_timeout": "500ms", "connect_timeout": "500ms",
                                    **reputation})


def state(daemon):
    return daemon.status()["reputation"]


def held(daemon, number=NUMBER):
    """What the daemon holds as (list, score, source), or None."""
    _, lines = daemon.command("number get", number=number)
    return (lines[0].get("list"), lines[0].get("score"), lines[0].get("source")) if lines else None


def holds(daemon, expected, text, seconds=3, number=NUMBER):
    return wait_for(lambda: held(daemon, number) == expected, seconds, text) or \
        print(f"    {held(daemon, number)} instead of {expected}")


def part(redis, source, text, number=NUMBER):
    redis("HSET", f"rf:num:{number}", f"from:{source}", text)


@case("statements beside each other")
def beside():
    with Site() as site:
        redis = Redis(site)
        daemon = start(site, redis)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        wait_for(lambda: state(daemon)["state"] == "following", 5, "followed")
        part(redis, "feed", "score=95;list=block;type=loan;case=17")
        holds(daemon, ("block", 95, "feed"), "a feed blocks")
        fate_within(daemon, NUMBER, a, b, 603, 1, "and calls from there are refused")
        part(redis, "desk", "list=allow")
        holds(daemon, ("allow", 95, "desk"), "the desk outranks it")
        expect_fate(daemon, NUMBER, a, b, "passed", "and calls pass")
        part(redis, "police", "list=block;score=99")
        holds(daemon, ("block", 99, "police"), "the police outranks both")
        redis("HSET", f"rf:num:{NUMBER}", "list", "allow", "source", "police")
        part(redis, "unheard", "list=allow")
        redis("HDEL", f"rf:num:{NUMBER}", "from:desk")
        holds(daemon, ("block", 99, "police"), "plain fields do not speak beside from:police, nor "
                                               "does a source that is not configured")
        redis("HDEL", f"rf:num:{NUMBER}", "from:police")
        holds(daemon, ("allow", 95, "police"), "but for it when that is gone")
        redis("DEL", f"rf:num:{NUMBER}")
        part(redis, "crowd", "list=block;score=40")
        holds(daemon, ("watch", 40, "crowd"), "who may not block only warns")
        equal(sum(state(daemon)["skipped"].values()), 0, "nothing was skipped")
        part(redis, "feed", "score=101")
        wait_for(lambda: state(daemon)["skipped"], 3)
        check("score is not 0 to 100" in state(daemon)["skipped"], "a wrong part is named",
              state(daemon)["skipped"])
        equal(held(daemon), ("watch", 40, "crowd"), "and the others count")
        redis("HSET", f"rf:num:{NUMBER}", *[word for i in range(20000)
                                            for word in (f"from:source-{i}", "list=block")])
        part(redis, "feed", "score=50")
        holds(daemon, ("watch", 50, "feed"), "nor do 20,000 other fields hurt")
        daemon.stop()


@case("each statement ends by itself, Redis or not")
def ends():
    with Site() as site:
        redis = Redis(site)
        saved = site.path("saved")
        daemon = start(site, redis, saved=saved)
        wait_for(lambda: state(daemon)["state"] == "following", 5, "followed")
        now = int(time.time())
        part(redis, "police", f"list=block;score=90;expires={now + 3}")
        part(redis, "desk", "score=30")
        part(redis, "police", f"list=block;score=90;expires={now + 7}", OTHER)
        part(redis, "desk", "score=30", OTHER)
        part(redis, "crowd", f"score=80;since={now}", "+8613800138002")
        holds(daemon, ("block", 90, "police"), "the police blocks for 3 s")
        holds(daemon, ("block", 90, "police"), "another for 7 s", number=OTHER)
        wait_for(lambda: state(daemon).get("changing") == 3, 2, "status counts what will change")
        redis.freeze()
        holds(daemon, ("none", 30, "desk"), "Redis is stopped: the block ends all the same", 8)
        check(time.time() >= now + 3, "not before its time", time.time() - now)
        wait_for(lambda: (held(daemon, "+8613800138002") or (0, 99, 0))[1] <= 40, 8,
                 "a score fades meanwhile")
        daemon.stop()
        daemon = start(site, redis, saved=saved)
        check(state(daemon)["from_saved"], "restarted from the saved file", state(daemon))
        holds(daemon, ("none", 30, "desk"), "where the other block ends too", 12, OTHER)
        check(time.time() >= now + 7, "not before its time", time.time() - now)
        redis.thaw()
        wait_for(lambda: state(daemon)["state"] == "following", 5, "Redis is back: followed")
        wait_for(lambda: held(daemon, "+8613800138002") is None, 30,
                 "the faded score is gone in the end")
        equal(held(daemon), ("none", 30, "desk"), "and the statement without an end stays")
        daemon.stop()


@case("the example of docs/redis.md")
def example():
    page = open(os.path.join(checks.TOP, "docs", "redis.md"), encoding="utf-8").read()
    blocks = re.findall(r"```\w*\n(.*?)```", page, re.S)
    lines = next(block for block in blocks if "# Two sources about one number" in block)
    if shutil.which("redis-cli") is None:
        raise checks.Skip("redis-cli is not installed")
    with Site() as site:
        redis = Redis(site)
        daemon = start(site, redis, sources=[{"name": "police-feed", "weight": 3},
                                             {"name": "desk", "weight": 2}])
        wait_for(lambda: state(daemon)["state"] == "following", 5, "followed")
        expected = [("block", 95, "police-feed"), ("block", 95, "police-feed"),
                    ("allow", None, "desk")]
        for line in lines.splitlines():
            if not line.startswith("redis-cli"):
                continue
            status, output = site.run(["sh", "-c",
                                       line.replace("redis-cli", f"redis-cli -s {redis.path}")])
            check(status == 0 and "ERR" not in output, line, output)
            holds(daemon, expected.pop(0), "does as it says", number="+8613800138009")
        daemon.stop()


@case("mode lookup and a number that was reassigned")
def lookup():
    with Site() as site:
        redis = Redis(site)
        daemon = start(site, redis, mode="lookup")
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        wait_for(lambda: state(daemon)["connected"], 5, "connected")
        part(redis, "feed", "list=block;score=95;since=2026-01-01")
        part(redis, "desk", f"list=allow;expires={int(time.time()) + 3}")
        fate_within(daemon, NUMBER, a, b, "passed", 2, "lookup: the desk lets pass")
        fate_within(daemon, NUMBER, a, b, 603, 6, "until its statement ends")
        redis("HSET", f"rf:num:{NUMBER}", "reassigned", "2026-02-01")
        fate_within(daemon, NUMBER, a, b, "passed", 2, "a new subscriber: the old word is void")
        part(redis, "feed", "list=block;score=95;since=2026-03-01")
        fate_within(daemon, NUMBER, a, b, 603, 2, "what is said of him counts")
        daemon.stop()


checks.main(limit=120)
