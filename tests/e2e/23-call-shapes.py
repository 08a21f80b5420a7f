#!/usr/bin/env python3
"""Every shape of a call, by SIPp on both sides: in both directions, directly and with Kamailio in
between, all of them at once through one daemon.

--transport u1|t1|l1 says what SIPp speaks (its option -t); u1 is UDP. --shape NAME runs that one.
"""

import json
import os
import sys

from lib import checks, sipp
from lib.checks import case, check, equal
from lib.daemon import Daemon, trunk
from lib.kamailio import Kamailio
from lib.site import Site

# Each has a pair of scenario files, sipp/shapes/NAME-uac.xml and NAME-uas.xml, and on each side an
# address of its own.
SHAPES = sorted(name[:-len("-uac.xml")]
                for name in os.listdir(os.path.join(sipp.SCENARIOS, "shapes"))
                if name.endswith("-uac.xml"))
WEST, EAST, KAMAILIO = 20, 60, 12
CALLS = 4
RATE = 20
SECONDS = 25

# What SIPp's -t stands for.
TRANSPORTS = {"u1": "udp", "t1": "tcp", "l1": "tls"}


def option(name, default):
    """The value of an option; it is taken out of the arguments."""
    found = [after for word, after in zip(sys.argv, sys.argv[1:]) if word == name]
    if found:
        sys.argv.remove(found[0])
    return found[0] if found else default


SPOKEN = option("--transport", "u1")
ONLY = option("--shape", None)
# What comes twice is told from what is new by SIPp over datagrams only.
REPEATING = {"no-ack", "retransmitted"} if SPOKEN != "u1" else set()
# In these both sides ask at one time. Kamailio's processes send over connections as they come to it,
# so an answer and a request may overtake each other, which SIPp's scenarios do not allow.
CROSSING = ("refer", "update") if SPOKEN != "u1" else ()
SHAPES = [shape for shape in SHAPES if ONLY in (None, shape) and shape not in REPEATING]


class Stage:
    """A daemon with a trunk per shape on each side, and Kamailio on the eastern one."""

    def __init__(self, site, spoken):
        self.site = site
        self.spoken = spoken
        self.kamailio = self._kamailio()
        # Timer C ends what rings for ever. T1 as it is in life: SIPp's called side takes an INVITE
        # that comes again for a new message once it has answered.
        self.daemon = Daemon(site, listen=[{"address": f"{site.address(10)}:5060",
                                            "transport": TRANSPORTS[spoken]}],
                             trunks=self._trunks(), routes=self._routes(),
                             limits={"timer_c": "4s", "t1": "500ms"})

    def _kamailio(self):
        site = self.site
        suffix = "" if self.spoken == "u1" else f";transport={TRANSPORTS[self.spoken]}"
        try:
            return Kamailio(site, site.address(KAMAILIO), f"""
	if ($si == "{site.address(10)}") {{
		$var(shape) = $(rU{{s.substr,9,2}}{{s.int}}) + {EAST};
		$du = "sip:{site.block}." + $var(shape) + ":5060{suffix}";
	}} else {{
		$du = "sip:{site.address(10)}:5060{suffix}";
	}}""", TRANSPORTS[self.spoken])
        except checks.Skip as reason:
            print(f"skipped - with Kamailio in between: {reason}", flush=True)
            return None

    def _trunks(self):
        spoken = TRANSPORTS[self.spoken]
        rows = [trunk("kamailio", self.site.address(KAMAILIO), spoken, trusted=True)]
        for number in range(len(SHAPES)):
            rows.append(trunk(f"west-{number}", self.site.address(WEST + number), spoken,
                              health=sipp.NEVER_DOWN))
            rows.append(trunk(f"east-{number}", self.site.address(EAST + number), spoken,
                              trusted=True, health=sipp.NEVER_DOWN))
        return rows

    @staticmethod
    def _routes():
        rows = []
        for number in range(len(SHAPES)):
            rows += [
                {"from": f"west-{number}", "prefix": "+8621", "to": "kamailio"},
                {"from": "kamailio", "prefix": f"+86215550{number:02}", "to": f"west-{number}"},
                {"from": f"west-{number}", "to": f"east-{number}"},
                {"from": f"east-{number}", "to": f"west-{number}"},
            ]
        return rows

    def sipp(self, name, shape, role, host, *arguments, **more):
        return sipp.Sipp(self.site, f"{shape}-{name}", f"shapes/{shape}-{role}.xml",
                         self.site.address(host), "-t", self.spoken, "-timeout",
                         f"{SECONDS * checks.SLOW:.0f}s", *arguments, **more)

    def callers(self, number, name, host, remote, codes, port=5070):
        """A caller who calls by each of the area codes in turn."""
        shape = SHAPES[number]
        lines = "".join(f"+86{code}5550{number:02}01;\n" for code in codes)
        numbers = self.site.write(f"{shape}-{name}.numbers", f"SEQUENTIAL\n{lines}")
        return self.sipp(name, shape, "uac", host, "-m", CALLS * len(codes), "-r",
                         RATE, "-inf", numbers, remote=remote, port=port)

    def start(self, number):
        """All processes of a shape: [(client or server, its calls)]."""
        ours, shape = self.daemon.address, SHAPES[number]
        through = ["21"] if self.kamailio and not shape.startswith(CROSSING) else []
        count = CALLS * (1 + len(through))
        found = [(self.sipp("east-uas", shape, "uas", EAST + number, "-m", count), count),
                 (self.sipp("west-uas", shape, "uas", WEST + number, "-m", count), count)]
        found += [(self.callers(number, "west-uac", WEST + number, ours, ["10", *through]), count),
                  (self.callers(number, "east-uac", EAST + number, ours, ["10"]), CALLS)]
        if through:
            found.append((self.callers(number, "kamailio-uac", EAST + number,
                                       self.kamailio.address, through, 5080), CALLS))
        return found

    def left(self):
        status, text = self.daemon.cli("status", "--json")
        found = json.loads(text) if status == 0 else {}
        return found.get("calls_held"), found.get("transactions")


def verdict(shape, processes):
    """One check for a shape."""
    wrong = []
    for process, calls in processes:
        status = process.wait(SECONDS)
        if status != 0 or process.successful != calls or process.failed:
            wrong.append(f"{process.process.name}: exit status {status}, {process.successful} of "
                         f"{calls} calls well, {process.failed} failed\n{process.problems()}")
    total = sum(calls for _, calls in processes) // 2
    check(not wrong, f"{shape}: {total} calls", "\n".join(wrong))


@case("shapes")
def shapes():
    with Site() as site:
        stage = Stage(site, SPOKEN)
        started = [(shape, stage.start(number)) for number, shape in enumerate(SHAPES)]
        for shape, processes in started:
            verdict(shape, processes)
        checks.wait_for(lambda: stage.left() == (0, 0), 10)
        equal(stage.left(), (0, 0), "no call and no transaction is left")
        daemon = stage.daemon
        if ONLY is None:
            check(daemon.total("timer_c") >= 2 * CALLS, "Timer C ended what rang for ever")
            check(SPOKEN != "u1" or daemon.total("retransmissions_in") >= 2 * CALLS,
                  "what came twice was counted")
        equal(sum(daemon.counts()["families"]["malformed"]["totals"].values()), 0,
              "nothing passed for malformed")
        equal(daemon.total("stray_responses"), 0, "no response was astray")
        daemon.stop()


checks.main(limit=60)
