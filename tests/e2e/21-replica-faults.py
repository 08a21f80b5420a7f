#!/usr/bin/env python3
"""The replica when its daemon stalls, is restarted without Redis, or finds a damaged file."""

import os
import signal

from lib import checks, sip
from lib.calls import expect_fate
from lib.checks import case, check, equal, wait_for
from lib.daemon import CALLEE, CALLER, Daemon
from lib.redis import Redis
from lib.site import Site, settle

COUNT = 50000


def fill(redis, first, count):
    redis.pipeline([("HSET", f"rf:num:+86138{i:08d}", "score", 90, "list", "block")
                    for i in range(first, first + count)])


def start(site, redis, **reputation):
    return Daemon(site, reputation={"store": "redis", "socket": redis.path, **reputation})


def state(daemon):
    return daemon.status()["reputation"]


def wait_state(daemon, wanted, text, seconds=10):
    wait_for(lambda: state(daemon)["state"] == wanted, seconds, text)


@case("a daemon that reads too slowly")
def stalled():
    with Site() as site:
        redis = Redis(site)
        redis("CONFIG", "SET", "client-output-buffer-limit", "pubsub 262144 0 0")
        fill(redis, 0, COUNT)
        daemon = start(site, redis, hold_percent="100%")
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        wait_state(daemon, "following", f"{COUNT} numbers are loaded")
        daemon.process.signal(signal.SIGSTOP)
        fill(redis, COUNT, COUNT - 9)
        redis("DEL", "rf:num:+8613800000000")
        wait_for(lambda: not redis("CLIENT", "LIST", "TYPE", "pubsub"), 5,
                 "while it is stopped an import fills its buffer, and Redis cuts it")
        daemon.process.signal(signal.SIGCONT)
        wait_for(lambda: state(daemon)["numbers"] == 2 * COUNT - 10, 10,
                 "it goes on, connects again and catches up")
        wait_state(daemon, "following", "it follows again")
        equal(state(daemon)["reconnects"], 1, "one reconnection")
        expect_fate(daemon, f"+86138{2 * COUNT - 10:08d}", a, b, 603, "what it missed blocks")
        expect_fate(daemon, "+8613800000000", a, b, "passed", "what was deleted passes")
        daemon.stop()


@case("armed from the saved file")
def saved():
    with Site() as site:
        redis = Redis(site)
        path = site.path("replica")
        fill(redis, 0, COUNT)
        redis("PEXPIRE", "rf:num:+8613800000002", 1500)
        daemon = start(site, redis, saved=path)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        wait_state(daemon, "following", f"{COUNT} numbers are loaded")
        daemon.stop()
        redis.kill()
        equal(os.stat(path).st_mode & 0o777, 0o600, "the file is its owner's only")
        settle(2.6)
        daemon.start()
        check(state(daemon)["from_saved"], "without Redis it starts with what it saved")
        equal(state(daemon)["numbers"], COUNT - 1, "all of it but what expired meanwhile")
        expect_fate(daemon, "+8613800000001", a, b, 603, "a listed number is refused")
        expect_fate(daemon, "+8613800000002", a, b, "passed", "an expired one passes")
        daemon.stop()

        with open(path, "r+b") as file:
            file.seek(os.stat(path).st_size // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 1]))
        daemon.start()
        check(not state(daemon)["loaded"], "a file with one flipped bit is refused")
        check("checksum" in daemon.process.log(), "the log says why", daemon.process.log())
        expect_fate(daemon, "+8613800000001", a, b, "passed", "nothing is known")
        daemon.stop()


if __name__ == "__main__":
    checks.main(60)
