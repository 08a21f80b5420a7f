#!/usr/bin/env python3
"""What goes over in a hot upgrade beside datagrams: counts of limits, and calls over connections."""

import os
import signal

from lib import checks, sip
from lib.checks import case, check, equal
from lib.daemon import CALLEE, CALLER, Daemon, trunk
from lib.neighbour import Neighbour, counted, place
from lib.site import Site


def upgrade(daemon):
    """(process before, process now)"""
    before = daemon.status()["pid"]
    status, text = daemon.cli("upgrade", seconds=60)
    now = daemon.status()["pid"]
    check(status == 0 and now != before, "an upgrade", text)
    return before, now


def stop(daemon):
    """The process that serves, and those before it that are not over yet."""
    os.kill(daemon.status()["pid"], signal.SIGTERM)
    daemon.process.wait(10)


def row_of(daemon, trunk_name, limit):
    return next(row for row in daemon.status()["limits"]
                if (row["trunk"], row["limit"]) == (trunk_name, limit))


@case("limits of calls at one time")
def limits():
    with Site() as site:
        carrier = trunk("carrier", site.address(CALLER), limits={"calls": 3, "code": 486})
        core = trunk("core", site.address(CALLEE), trusted=True, limits={"calls_out": 100})
        daemon = Daemon(site, trunks=[carrier, core])
        callee, caller = Neighbour(site, CALLEE), sip.Endpoint(site, CALLER)
        up = sip.Caller(caller, daemon.address).call()
        up.establish(up.expect(200))
        up.ack()
        equal(counted(place(caller, daemon, 3, hang_up=False)), {200: 2, 486: 1},
              "three calls at one time, a fourth is refused")
        uncertain = row_of(daemon, "carrier", "calls")["uncertain_s"]
        for number in (1, 2):
            upgrade(daemon)
            equal(row_of(daemon, "carrier", "calls")["now"], 3,
                  f"upgrade {number}: they are counted by the new process")
            equal(row_of(daemon, "core", "calls_out")["now"], 3, "also by where they went")
            equal(counted(place(caller, daemon, 2, hang_up=False)), {486: 2},
                  "the limit holds")
            if number == 1:
                checks.wait_for(lambda: "predecessor" not in daemon.status(), 60,
                                "the process before has ended", every=0.1)
        check(row_of(daemon, "carrier", "calls")["uncertain_s"] <= uncertain,
              "an upgrade makes no count less certain")
        up.within("BYE")
        checks.wait_for(lambda: row_of(daemon, "carrier", "calls")["now"] == 2, 3,
                        "a BYE gives back in the new process")
        equal(counted(place(caller, daemon, 2, hang_up=False)), {200: 1, 486: 1},
              "so one more call passes")
        stop(daemon)
        callee.stop()


checks.main(limit=100)
