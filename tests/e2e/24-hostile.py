#!/usr/bin/env python3
# alone
"""Hostile clients: sipsak and sipvicious, as strangers and from within a trunk, beside calls."""

import shutil
import signal
import threading
import time

from lib import checks, sip
from lib.checks import Skip, case, check, equal
from lib.daemon import STRANGER, Daemon, trunk
from lib.sipp import TRAFFIC_CALLEE, TRAFFIC_CALLER, Sipp, Traffic
from lib.site import Process, Site

SCANNER, TARGET = 30, 31
# Where sipsak, svwar and svcrack send from, whatever they are told.
LOOPBACK = "127.0.0.1"
NUMBERS = 100


class Registrar(threading.Thread):
    """What scanners find behind us: it challenges one line's REGISTER and knows no other line."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.endpoint = sip.Endpoint(site, TARGET)
        self.seen = 0
        self.running = True
        site.sockets.append(self)
        self.start()

    def run(self):
        while self.running:
            message = self.endpoint.receive(0.1)
            if message is None or message.status is not None or message.method == "ACK":
                continue
            self.seen += 1
            headers, status = [], 404
            if message.method == "REGISTER" and "sip:1001@" in (message.header("To") or ""):
                status = 403 if message.header("Authorization") else 401
                headers = ['WWW-Authenticate: Digest realm="x", nonce="61", algorithm=MD5']
            self.endpoint.send(sip.response(message, status, tag="r", headers=headers),
                               message.source)

    def close(self):
        self.running = False
        self.join()


class Calls(Traffic):
    """Calls that outlive a datagram or two that a flood crowds out."""

    def __init__(self, site, daemon):
        self.daemon = daemon
        self.begun = time.monotonic()
        numbers = site.write("numbers", "SEQUENTIAL\n+8613800138000;+861065551234;\n")
        callee = site.address(TRAFFIC_CALLEE)
        self.server = Sipp(site, "calls-uas", "callee.xml", callee,
                           keys={"contact": f"{callee}:5060"})
        self.client = Sipp(site, "calls-uac", "caller.xml", site.address(TRAFFIC_CALLER), "-r", 50,
                           "-m", 1000000, "-l", 2000, "-d", 100, "-inf", numbers,
                           remote=daemon.address)


def needs(*programs):
    for program in programs:
        if shutil.which(program) is None:
            raise Skip(f"{program} is not installed")


def tool(site, name, *command):
    """A hostile client, ended after a while if it does not end by itself."""
    return Process(site, name, ["timeout", "--kill-after=1", "4", *map(str, command)],
                   {"HOME": site.folder})


def finish(tools):
    for process in tools:
        if process.wait(8) is None:
            process.signal(signal.SIGTERM)


class Stage:
    def __init__(self, site, known):
        """known: whether the tools are of a trunk."""
        self.site = site
        settings = Traffic.settings(site, trunk)
        scanner = trunk("scanner", site.address(SCANNER))
        if known:
            scanner["sources"].append(LOOPBACK)
        settings["trunks"] += [scanner, trunk("lines", site.address(TARGET), trusted=True)]
        settings["routes"].insert(0, {"from": "scanner", "to": "lines"})
        self.daemon = Daemon(site, **settings)
        self.host, self.port = self.daemon.address

    def scanners(self, host):
        """The sipvicious family from an address."""
        bound = self.site.address(host)
        return [
            tool(self.site, f"svmap-{host}", "svmap", "-b", bound, "-P", 5160, self.host),
            tool(self.site, f"svmap-invite-{host}", "svmap", "-b", bound, "-P", 5260, "-m",
                 "INVITE", self.host),
            tool(self.site, f"svwar-{host}", "svwar", "-b", bound, "-P", 5360, "--force", "-e",
                 f"1000-{1000 + NUMBERS}", self.host),
            tool(self.site, f"svcrack-{host}", "svcrack", "-b", bound, "-P", 5460, "-u", "1001",
                 "-r", "1-100", self.host),
        ]

    def sipsak(self, name, *arguments):
        return tool(self.site, f"sipsak-{name}", "sipsak", *arguments, "-s",
                    f"sip:1001@{self.host}:{self.port}")


@case("strangers")
def strangers():
    needs("svmap", "svwar", "svcrack")
    with Site() as site:
        stage = Stage(site, False)
        registrar = Registrar(site)
        tools = stage.scanners(STRANGER)
        counted = checks.wait_for(lambda: stage.daemon.total("unknown_source") >= 4, 5)
        for process in tools:
            process.signal(signal.SIGTERM)
        finish(tools)
        check(counted, "sipvicious from an address of no trunk is counted")
        equal((stage.daemon.total("requests"), registrar.seen), (0, 0), "and meets silence")
        check("SIP Device" not in tools[0].log(), "svmap finds nobody", tools[0].log())
        stage.daemon.stop()


@case("from within a trunk")
def trunk_of_theirs():
    needs("svmap", "svwar", "svcrack", "sipsak")
    with Site() as site:
        stage = Stage(site, True)
        registrar = Registrar(site)
        traffic = Calls(site, stage.daemon)
        tools = stage.scanners(SCANNER) + [
            stage.sipsak("trace", "-T"),
            stage.sipsak("random", "-R", "-t", 40),
            stage.sipsak("flood", "-F", "-e", 2000),
            stage.sipsak("usrloc", "-U", "-I", "-b", 1, "-e", 20),
            stage.sipsak("message", "-M", "-B", "free money", "-c", "sip:a@b"),
        ]
        finish(tools)
        traffic.end("{} calls went on beside sipsak and sipvicious")
        daemon = stage.daemon
        counts = daemon.counts()
        print(f"    {registrar.seen} requests went on;",
              {name: value for name, value in counts["totals"].items() if value},
              counts["families"]["malformed"]["totals"])
        check(daemon.process.running(), "the daemon is alive")
        check(registrar.seen >= NUMBERS, "what was well-formed went where the table says")
        check(daemon.total("loops") >= 1, "sipsak's traceroute (Max-Forwards 0) is counted")
        check(sum(counts["families"]["malformed"]["totals"].values()) >= 1,
              "trash is counted by what is wrong with it")
        equal(daemon.total("unknown_source"), 0, "nobody was a stranger")
        checks.wait_for(lambda: daemon.status()["calls_held"] == 0, 10, "no call is left")
        # But of those few that nobody can answer, as trash has their Via.
        checks.wait_for(lambda: daemon.status()["transactions"] <= 5, 10, "and no transaction")
        lines = [line for line in daemon.log().splitlines() if "malformed" in line or
                 "held back" in line]
        check(len(lines) < 60, "the log is not flooded", len(lines))
        daemon.stop()


checks.main(limit=60)
