#!/usr/bin/env python3
"""Limits of a trunk, a caller and a source; quality; and `ringfence status`, once and again."""

import json
import subprocess

from lib import checks, sip
from lib.checks import case, check, equal
from lib.daemon import CALLEE, CALLER, Daemon, trunk
from lib.neighbour import Neighbour, counted, place
from lib.site import Site

OTHER = 6


def daemon_of(site, limits, **core):
    carrier = trunk("carrier", site.address(CALLER), limits=limits)
    carrier["sources"].append(site.address(OTHER))
    return Daemon(site, trunks=[carrier, trunk("core", site.address(CALLEE), trusted=True, **core)])


def row_of(daemon, section, trunk_name):
    return next(row for row in daemon.status()[section] if row["trunk"] == trunk_name)


@case("calls at one time, and what becomes of the count")
def concurrent():
    with Site() as site:
        daemon = daemon_of(site, {"calls": 3, "code": 486})
        callee, caller = Neighbour(site, CALLEE), sip.Endpoint(site, CALLER)
        outcome = place(caller, daemon, 5, hang_up=False)
        equal(counted(outcome), {200: 3, 486: 2}, "three pass, two are refused with the code")
        row = row_of(daemon, "limits", "carrier")
        equal((row["limit"], row["at_most"], row["now"]), ("calls", 3, 3), "`status` shows it")
        check(row["uncertain_s"] > 0, "and that calls of an earlier life may be missing")
        equal(counted(place(caller, daemon, 1, number="110")), {200: 1},
              "an emergency call meets no limit")
        limited = daemon.counts()["families"]["limited"]["totals"]
        equal(limited.get("calls"), 2, "what was refused is counted")
        daemon.stop()


@case("a BYE gives back")
def given_back():
    with Site() as site:
        daemon = daemon_of(site, {"caller_calls": 1, "calls": 50})
        callee, caller = Neighbour(site, CALLEE), sip.Endpoint(site, CALLER)
        for i in range(3):
            equal(counted(place(caller, daemon, 1)), {200: 1}, f"call {i + 1} of one caller passes")
            checks.wait_for(lambda: row_of(daemon, "limits", "carrier")["now"] == 0, 3,
                            "and is gone with its BYE")
        quality = row_of(daemon, "quality", "core")
        equal((quality["ended"], quality["talked"], quality["asr_percent"],
               quality["ner_percent"]), (3, 3, 100, 100), "the trunk's quality is that of its calls")
        callee.mode = 404
        equal(counted(place(caller, daemon, 1)), {404: 1}, "a call that fails")
        equal(row_of(daemon, "quality", "core")["asr_percent"], 75, "lowers it")
        daemon.stop()


@case("rates")
def rates():
    with Site() as site:
        daemon = daemon_of(site, {"source_rate": 2, "rate": 1000})
        callee = Neighbour(site, CALLEE)
        caller, other = sip.Endpoint(site, CALLER), sip.Endpoint(site, OTHER)
        found = counted(place(caller, daemon, 8))
        check(found.get(503, 0) >= 4 and found.get(200, 0) >= 2,
              f"a source has its rate and no more: {found}")
        equal(counted(place(other, daemon, 1)), {200: 1}, "another source its own")
        daemon.stop()


@case("ringfence status --watch")
def watch():
    with Site() as site:
        daemon = daemon_of(site, {"calls": 3})
        command = [checks.program("ringfence"), "--config", daemon.config_path, "status",
                   "--watch", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
            lines = [json.loads(watching.stdout.readline()) for _ in range(3)]
            watching.terminate()
        check(all("targets" in line and "limits" in line for line in lines),
              "with --json, a line a second")
        status, output = daemon.cli("status")
        check(status == 0 and "\033" not in output, "elsewhere than on a terminal plain lines")
        check("targets" in output and "limits" in output, "with targets and limits", output)
        daemon.stop()


checks.main()
