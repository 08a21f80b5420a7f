#!/usr/bin/env python3
"""From a change in Redis to the first call judged by it. Runs within the subject's network.

usage: probe.py REDIS-SOCKET COUNT

For COUNT numbers that Redis does not hold: HSET with list block, and calls of that number, one
after the other, until one is refused. Prints milliseconds as JSON, from before the HSET until
the refused call was placed, and of that call until its refusal.
"""

import json
import os
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[0] = TESTS
sys.dont_write_bytecode = True

from e2e.lib import redis, sip  # noqa: E402
from e2e.lib.calls import fate, passed  # noqa: E402

CALLER = "127.0.0.3"
CALLEE = "127.0.0.4"
PATIENCE = 10


class Here:
    """What endpoints and calls want of a site and a daemon."""

    address = ("127.0.0.1", 5060)

    def __init__(self):
        self.sockets = []


class Redis(redis.Redis):
    def __init__(self, path):
        self.path = path


def judged(store, number, here, there):
    begun = time.monotonic()
    store("HSET", f"rf:num:{number}", "score", 99, "list", "block")
    while True:
        placed = time.monotonic()
        if not passed(fate(Here, number, here, there)):
            return (placed - begun) * 1e3, (time.monotonic() - placed) * 1e3
        if placed - begun > PATIENCE:
            raise SystemExit(f"{number} still passes after {PATIENCE} s")


def main():
    store = Redis(sys.argv[1])
    site = Here()
    here, there = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
    times = [judged(store, f"+1303{i:07d}", here, there) for i in range(int(sys.argv[2]))]
    print(json.dumps({"judged_ms": [first for first, _ in times],
                      "refused_ms": [second for _, second in times]}))


if __name__ == "__main__":
    main()
