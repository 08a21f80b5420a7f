#!/usr/bin/env python3
"""The shapes of 23-call-shapes.py over TLS: Debian's SIPp has none, so a Kamailio on each side carries
its calls to the daemon and from it, with certificates asked of both, in both directions."""

import os

from lib import checks, sipp
from lib.certificates import Authority
from lib.checks import case, check, equal
from lib.daemon import DAEMON, Daemon, trunk
from lib.kamailio import Kamailio
from lib.site import Site

# In these both sides ask at one time, and an answer and a request may overtake each other where they
# travel over different connections, which SIPp's scenarios do not allow.
CROSSING = ("refer", "update")
SHAPES = sorted(name[:-len("-uac.xml")]
                for name in os.listdir(os.path.join(sipp.SCENARIOS, "shapes"))
                if name.endswith("-uac.xml") and not name.startswith(CROSSING))
SIDES = {"west": (12, 20), "east": (13, 60)}  # a Kamailio's address, and the first of SIPp's
CALLS = 3
RATE = 20
SECONDS = 25

_ROUTE = """
	if ($si == "{daemon}") {{
		$var(shape) = $(rU{{s.substr,9,2}}{{s.int}}) + {first};
		$du = "sip:{block}." + $var(shape) + ":5060";
	}} else {{
		$du = "sip:{daemon}:5061;transport=tls";
	}}"""

_CERTIFICATES = """
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "{folder}/{name}.pem")
modparam("tls", "private_key", "{folder}/{name}.key")
modparam("tls", "ca_list", "{authority}")
modparam("tls", "verify_certificate", 1)
modparam("tls", "require_certificate", 1)
"""


class Stage:
    """SIPp and a Kamailio on each side of a daemon."""

    def __init__(self, site):
        self.site = site
        authority = Authority(site, "authority")
        tls = authority.listen("ours", ["proxy.example"])
        self.kamailios = {}
        trunks = []
        for name, (host, first) in SIDES.items():
            address = site.address(host)
            authority.issue(name, [f"{name}.example"])
            self.kamailios[name] = Kamailio(
                site, address, _ROUTE.format(daemon=site.address(DAEMON), first=first,
                                             block=site.block),
                "tls", modules=["tls"], name=f"kamailio-{name}",
                more=_CERTIFICATES.format(folder=site.folder, name=name,
                                          authority=authority.path))
            trunks.append(trunk(name, address, "tls", trusted=True,
                                tls={"mutual": True, "names": [f"{name}.example"]}))
        self.daemon = Daemon(site, listen=[{"address": site.address(DAEMON), "transport": "tls",
                                            "tls": tls}],
                             trunks=trunks, routes=[{"from": "west", "to": "east"},
                                                    {"from": "east", "to": "west"}],
                             limits={"timer_c": "4s", "t1": "500ms"})

    def sipp(self, name, shape, role, host, *arguments, **more):
        return sipp.Sipp(self.site, f"{shape}-{name}", f"shapes/{shape}-{role}.xml",
                         self.site.address(host), "-timeout", f"{SECONDS * checks.SLOW:.0f}s",
                         "-m", CALLS, *arguments, **more)

    def start(self, number):
        shape = SHAPES[number]
        numbers = self.site.write(f"{shape}.numbers", f"SEQUENTIAL\n+86105550{number:02}01;\n")
        found = [self.sipp(f"{side}-uas", shape, "uas", first + number)
                 for side, (_, first) in SIDES.items()]
        return found + [self.sipp(f"{side}-uac", shape, "uac", first + number, "-r", RATE, "-inf",
                                  numbers, remote=self.kamailios[side].address, port=5070)
                        for side, (_, first) in SIDES.items()]


@case("shapes over TLS")
def shapes():
    with Site() as site:
        stage = Stage(site)
        for shape, processes in [(shape, stage.start(number))
                                 for number, shape in enumerate(SHAPES)]:
            wrong = []
            for process in processes:
                status = process.wait(SECONDS)
                if status != 0 or process.successful != CALLS or process.failed:
                    wrong.append(f"{process.process.name}: exit status {status}, "
                                 f"{process.successful} of {CALLS} calls well, "
                                 f"{process.failed} failed\n{process.problems()}")
            check(not wrong, f"{shape}: {2 * CALLS} calls", "\n".join(wrong))
        daemon = stage.daemon
        check(daemon.wait_quiet(10), "no call and no transaction is left")
        equal(sum(daemon.counts()["families"]["malformed"]["totals"].values()), 0,
              "nothing passed for malformed")
        equal(daemon.total("stray_responses"), 0, "no response was astray")
        check(daemon.total("datagrams_received") == 0 and daemon.total("stream_received") > 500,
              "all of it came over connections")
        daemon.stop()


checks.main(limit=60)
