#!/usr/bin/env python3
"""ringfence top in a terminal of 80x24 and one of 200x50, under load: each key, another size, a
daemon that restarts, hostile bytes; and as plain text, once."""

import re

from lib import checks, sip
from lib.calls import fate
from lib.checks import case, check, equal
from lib.daemon import CALLEE, CALLER, Daemon
from lib.site import Site
from lib.sipp import Sipp
from lib.tmux import Terminal

RULES = """
rules:
  - {id: loud, when: 'caller.number starts_with "+8617"', score: 90, type: spam}
  - {id: hint, when: 'caller.number starts_with "+86172"', score: 5}
policy:
  - {at: 90, do: block}
"""
FIRST, SECOND = "+8617000000001", "+8617200000002"
HOSTILE = "%1b%5d0%3bowned%07%e2%80%ae%c2%9bm"


class Load:
    """Good calls all the time from another trunk."""

    def __init__(self, site, daemon):
        self.server = Sipp(site, "uas", "uas", site.address(CALLEE))
        self.client = Sipp(site, "uac", "uac", site.address(CALLER), "-r", 20, "-m", 100000,
                           remote=daemon.address, port=5062)

    def end(self):
        self.client.process.kill()
        self.server.process.kill()


def program(daemon, *options):
    return [checks.program("ringfence"), "--config", daemon.config_path, "top",
            "--interval", "250ms", *options]


def start(site):
    daemon = Daemon(site, rules=RULES)
    return daemon, sip.Endpoint(site, CALLER, 5070)


def block(daemon, endpoint, number, count=1):
    for _ in range(count):
        caller = sip.Caller(endpoint, daemon.address, number).call()
        caller.ack_refusal(caller.expect(603))


@case("80x24 under load, every key")
def small():
    with Site() as site:
        daemon, endpoint = start(site)
        load = Load(site, daemon)
        screen = Terminal(site, program(daemon), 80, 24)
        screen.check("it is live", "ringfence top  ringfence  0.1.0  up", "live, 0.25s", "1 Rules",
                     "2 Callers", "3 Trunks", "4 Latency", without=("5 Prefixes",))
        block(daemon, endpoint, FIRST, 3)
        block(daemon, endpoint, SECOND, 2)
        screen.check("rates, verdicts, callers, trunks and latencies", FIRST, SECOND, "loud",
                     "hint", "core", "carrier", "screening", "block  ", "\u2588")
        check(re.search(r"answered +\d+", screen.screen()), "calls are answered", screen.screen())
        print(screen.screen())
        screen.press("Tab", "Enter")
        screen.check("Enter opens a caller", f"Callers: {FIRST}, 3 of the last 5 events", "spam",
                     without=("1 Rules",))
        screen.press("Escape")
        screen.check("Escape leaves it", "1 Rules")
        screen.press("Down", "Enter")
        screen.check("Down selects the next", f"Callers: {SECOND}, 2 of the last 5 events")
        screen.press("Escape", "Up", "Enter")
        screen.check("Up the one before", f"Callers: {FIRST}")
        screen.press("Escape", "j", "k", "PageDown", "Home", "PageUp", "Enter")
        screen.check("j, k, Page Down, Home, Page Up", f"Callers: {FIRST}")
        screen.press("Enter", "BTab", "Enter")
        screen.check("Shift-Tab goes back to the rules", "Rules: loud, 5 of the last 5 events")
        screen.press("Escape", "Right", "Right", "Enter")
        screen.check("the arrows move, too", "Trunks: carrier, 5 of the last 5 events")
        screen.press("Escape", "Left", "5")
        screen.check("a digit goes to its panel", "5 Prefixes", "+861700000 ", "8 Countries", "603")
        screen.press("z")
        screen.check("z gives it all the room", "5 Prefixes", "+861720000", without=("8 Countries",))
        screen.press("z", "9", "z")
        screen.check("health", "workers", "events lost", without=("1 Rules",))
        screen.press("Escape", "1")
        screen.check("1", "1 Rules")
        screen.press("/", "h", "i", "x", "BSpace")
        screen.check("/ filters while one types", "filter: hi_", "hint", without=("loud",))
        screen.press("Enter")
        screen.check("Enter keeps the filter", "by rate, /hi", without=("loud",))
        screen.press("Escape")
        screen.check("Escape takes it away", "loud")
        screen.press("/", "q", "q", "Escape")
        screen.check("Escape drops one that is typed", "loud", "by rate")
        screen.press("s")
        screen.check("s sorts by total", "by total")
        screen.press("s")
        screen.check("by name", "by name")
        screen.press("s", "Space")
        screen.check("Space freezes", "FROZEN")
        frozen = screen.screen()
        block(daemon, endpoint, FIRST, 3)
        screen.press("3", "1")
        equal(screen.screen(), frozen, "nothing changes then")
        screen.press("f")
        screen.check("f goes on", "live")
        screen.press("+")
        screen.check("+ makes the interval longer", "live, 0.5s")
        screen.press("-")
        screen.check("- shorter", "live, 0.25s")
        screen.press("h")
        screen.check("h helps", "Shift-Tab", "quit", without=("1 Rules",))
        screen.press("?")
        screen.check("? ends it", "1 Rules")
        screen.press("q")
        screen.check("q quits", "status 0", without=("ringfence top",))
        screen.close()
        load.end()
        daemon.stop()


@case("200x50, other sizes, and a daemon that comes back")
def large():
    with Site() as site:
        daemon, endpoint = start(site)
        load = Load(site, daemon)
        screen = Terminal(site, program(daemon), 200, 50)
        screen.check("it is live", "live, 0.25s")
        block(daemon, endpoint, FIRST, 3)
        screen.check("all panels at once", "1 Rules", "2 Callers", "3 Trunks", "4 Latency",
                     "5 Prefixes", "6 Scam types", "7 Refused", "8 Countries", "9 Health", FIRST, "spam",
                     "p99.9", "CN")
        print(screen.screen())
        equal(max(len(line) for line in screen.screen().splitlines()) > 190, True,
              "in the whole width")
        screen.resize(60, 15)
        screen.check("60x15", "ringfence top", "q quit", without=("9 Health",))
        equal(len(screen.screen().splitlines()), 15, "has 15 rows")
        screen.resize(30, 8)
        screen.check("30x8 is too small, and says so", "too small: 40x12")
        screen.resize(100, 40)
        screen.check("100x40", "1 Rules", "live")
        daemon.kill()
        screen.check("the daemon dies", "no daemon: it hung up", FIRST)
        daemon.start()
        screen.check("it is found again, and all is new", "live", without=(FIRST,))
        block(daemon, endpoint, SECOND)
        screen.check("and goes on", SECOND)
        screen.press("q")
        screen.check("q quits", "status 0")
        screen.close()
        load.end()
        daemon.stop()


@case("hostile bytes, ASCII, and no terminal")
def plain():
    with Site() as site:
        daemon, endpoint = start(site)
        callee = sip.Endpoint(site, CALLEE)
        screen = Terminal(site, program(daemon), 80, 24)
        screen.check("it is live", "live")
        caller = sip.Caller(endpoint, daemon.address, FIRST, HOSTILE)
        caller.call()
        endpoint.receive(2)
        block(daemon, endpoint, FIRST)
        screen.check("a call with hostile bytes is blocked", FIRST)
        screen.press("2", "Enter")
        screen.check("the bytes are encoded", f"Callers: {FIRST}, 2 of", "block", "live",
                     without=("\u202e",))
        equal(screen.tmux("display-message", "-p", "#{pane_title}").strip() != "owned", True,
              "and do nothing to the terminal")
        screen.press("q")
        screen.close()
        for name, options, locale in (("--ascii", ["--ascii"], "C.UTF-8"), ("LC_ALL=C", [], "C")):
            screen = Terminal(site, program(daemon, *options), 81, 24, locale)
            screen.check(f"{name}: it is live", "live")
            fate(daemon, "+8613911112222", endpoint, callee)
            screen.check("the course of rates is drawn in ASCII", "@")
            check(screen.screen().isascii(), "and all else", screen.screen())
            screen.press("q")
            screen.close()
        status, output = daemon.cli("top", "--once", "--ascii")
        check(status == 0 and all(part in output for part in (
            "1 Rules", "loud", "9 Health", "workers", "carrier")) and "\x1b" not in output,
            "--once is plain text", output)
        check(not any(line.endswith(" ") for line in output.splitlines()) and
              "q quit" not in output, "without blanks and keys", output)
        status, output = daemon.cli("top")
        check(status == 2 and "--once" in output, "without a terminal it says so", output)
        daemon.stop()
        status, output = daemon.cli("top", "--once")
        check(status == 3 and "stats.sock" in output, "no daemon: 3", output)


checks.main(limit=90)
