"""The demo: a carrier in a box. Started by scripts/demo."""

import argparse
import os
import signal
import sys
import time

from . import checks, control
from .daemon import ABROAD, CALLEE, CALLER, Daemon, trunk
from .redis import Redis
from .sipp import Sipp
from .site import Site

MOBILE, GATEWAY, FIXED = 4, 5, 6

LISTED = "+8613900006666"
REPORTED = "+8613770009999"
HOTLINES = ["95588", "01095588", "+8695533", "12110", "96110"]
CALLEES = ["+861065551234", "+861065554321", "+861084440001"]

BOLD, DIM, RED, GREEN, YELLOW, CYAN = "1", "2", "31", "32", "33", "36"
COLOURS = {"passed": GREEN, "tagged": YELLOW, "blocked": RED}


def typed(name):
    """Calls tagged or blocked for a scam type."""
    return lambda families: families["types"]["totals"].get(name, 0)


def reasoned(name):
    """Calls decided by an authority."""
    return lambda families: families["reasons"]["totals"].get(name, 0)


def let_in(name):
    """Calls of a trunk that were not blocked."""
    return lambda families: (families["trunk_calls_in"]["totals"].get(name, 0) -
                             families["trunk_blocked"]["totals"].get(name, 0))


class Kind:
    """One kind of callers: where they stand, whom they dial, and what must become of them."""

    def __init__(self, title, rate, verdict, numbers, counted, source=CALLER, port=5060,
                 callees=None):
        self.title = title
        self.rate = rate
        self.verdict = verdict
        self.numbers = numbers
        self.counted = counted  # from the families of a line of counts
        self.source = source
        self.port = port
        self.callees = callees or CALLEES
        self.colour = COLOURS[verdict]
        self.placed = 0
        self.client = None

    def start(self, site, daemon, seconds):
        """Places calls for some seconds."""
        self.placed = max(1, round(self.rate * seconds))
        pairs = [f"{caller};{callee}" for caller in self.numbers for callee in self.callees]
        name = f"caller-{self.source}-{self.port}"
        numbers = site.write(f"{name}.numbers", "\n".join(["SEQUENTIAL", *pairs, ""]))
        self.client = Sipp(
            site, name, "refused.xml" if self.verdict == "blocked" else "caller.xml",
            site.address(self.source), "-inf", numbers, "-r", self.rate, "-m", self.placed, "-d",
            1000, port=self.port, remote=daemon.address)

    def served(self):
        """How many callers met what they were told to expect."""
        return self.client.successful


def kinds():
    mobiles = [f"+8613910{at:06d}" for at in range(101, 131)]
    foreign = ["+442071838750", "+12125550123", "+85223456789", "+6561234567"]
    leased = [f"+8617055{at:06d}" for at in range(20)]
    return [
        Kind("ordinary callers", 25, "passed", mobiles, let_in("mobile"), source=MOBILE),
        Kind("foreign numbers from abroad", 5, "passed", foreign, let_in("overseas"), source=ABROAD),
        Kind("domestic numbers from abroad", 6, "tagged", mobiles, typed("number-spoofing"),
             source=GATEWAY),
        Kind("imitated bank and police hotlines", 4, "blocked", HOTLINES, typed("impersonation"),
             port=5061),
        Kind("a number on the block list", 4, "blocked", [LISTED], typed("loan-scam"), port=5062),
        Kind("any number of a listed prefix", 5, "blocked", leased, typed("telemarketing"),
             port=5063),
        Kind("the listed number, dialling 110", 1, "passed", [LISTED], reasoned("emergency"),
             port=5064, callees=["110", "010110"]),
    ], [
        Kind("a number nobody has reported", 4, "passed", [REPORTED], let_in("fixed"), source=FIXED),
        Kind("the same, once it is reported", 4, "blocked", [REPORTED], typed("investment-scam"),
             port=5065),
    ]


class Screen:
    """Lines drawn over each other on a terminal, or one line now and then elsewhere."""

    def __init__(self):
        self.live = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.colours = self.live and "NO_COLOR" not in os.environ
        self.drawn = 0

    def paint(self, text, *styles):
        if not self.colours:
            return text
        return f"\x1b[{';'.join(styles)}m{text}\x1b[0m"

    def say(self, text):
        self.drawn = 0
        print(text, flush=True)

    def draw(self, lines):
        up = f"\x1b[{self.drawn}A" if self.drawn else ""
        sys.stdout.write(up + "".join(f"\x1b[2K{line}\n" for line in lines) + "\x1b[J")
        sys.stdout.flush()
        self.drawn = len(lines)


def printable(text):
    """Bytes of peers must not move the cursor."""
    return "".join(c if c.isprintable() else "?" for c in str(text or ""))


def bar(screen, value, whole, width, colour):
    filled = min(width, round(width * value / whole)) if whole else 0
    return screen.paint("█" * filled, colour) + screen.paint("·" * (width - filled), DIM)


class Demo:
    def __init__(self, site, seconds):
        self.site = site
        self.seconds = seconds
        self.screen = Screen()
        steady, self.turning = kinds()
        self.steady = steady
        self.kinds = [*steady, *self.turning]
        self.events = []
        self.note = ""
        self.counts = None
        self.begun = 0.0
        self.told = 0.0

    # ---- the stage ------------------------------------------------------------------------------

    def start(self):
        say, paint = self.screen.say, self.screen.paint
        say(f"{paint('Ringfence', BOLD, CYAN)}: a carrier in a box. SIPp plays callers and the "
            "called network,\nringfenced stands between them and follows a Redis.\n")
        self.redis = Redis(self.site)
        self.redis("HSET", "rf:num:" + LISTED, "score", 98, "list", "block", "type", "loan-scam",
                   "source", "desk")
        self.redis("HSET", "rf:pfx:8617055", "score", 90, "list", "block", "type", "telemarketing",
                   "source", "feed")
        self.daemon = Daemon(
            self.site, rule_files=[os.path.join(checks.TOP, "conf", "rules", "core.yaml")],
            reputation={"store": "redis", "mode": "replica", "socket": self.redis.path},
            screening={"redress_url": "https://example.net/redress", "display_prefix": "疑似诈骗"},
            trunks=[trunk("carrier", self.site.address(CALLER)),
                    trunk("mobile", self.site.address(MOBILE)),
                    trunk("fixed", self.site.address(FIXED)),
                    trunk("overseas", self.site.address(ABROAD), origin="international"),
                    trunk("gateway", self.site.address(GATEWAY), origin="international"),
                    trunk("core", self.site.address(CALLEE), trusted=True)],
            routes=[{"to": "core"}], limits={"t1": "500ms"}, drain="2s")
        if not checks.wait_for(lambda: self.daemon.status()["reputation"]["loaded"], 5):
            raise checks.Failure("the replica was not loaded")
        callee = self.site.address(CALLEE)
        Sipp(self.site, "callee", "callee.xml", callee, keys={"contact": f"{callee}:5060"})
        self.reader = control.Stats(self.daemon.settings["stats"]["socket"], "200ms", events=True)

    # ---- the play -------------------------------------------------------------------------------

    def play(self):
        """All kinds at once; at half time an analyst lists a number that has been let pass."""
        half = self.seconds / 2
        self.begun = time.monotonic()
        before, after = self.turning
        for kind in self.steady:
            kind.start(self.site, self.daemon, self.seconds)
        before.start(self.site, self.daemon, half - 1.5)
        while time.monotonic() - self.begun < half:
            self.show()
        self.report()
        after.start(self.site, self.daemon, half - 1.5)
        while self.callers_run() and time.monotonic() - self.begun < self.seconds + 15:
            self.show()
        # What the last calls left is in the second line from here on at the latest.
        for _ in range(3):
            self.show()

    def report(self):
        begun = time.monotonic()
        self.redis("HSET", "rf:num:" + REPORTED, "score", 95, "list", "block", "type",
                   "investment-scam", "source", "police")
        known = checks.wait_for(
            lambda: self.daemon.command("number get", number=REPORTED)[0]["status"] == 0, 2,
            every=0.001)
        took = (time.monotonic() - begun) * 1000
        self.note = (f"HSET rf:num:{REPORTED} list block: in force after {took:.0f} ms"
                     if known else f"HSET rf:num:{REPORTED} did not arrive")
        if not self.screen.live:
            self.screen.say(self.note)

    def callers_run(self):
        return any(kind.client.process.running() for kind in self.kinds)

    # ---- the view -------------------------------------------------------------------------------

    def show(self):
        """Takes lines of the stats socket up to the next counts, and draws."""
        while True:
            line = self.reader.next(2)
            if line is None:
                raise checks.Failure("the stats socket fell silent")
            if line["kind"] == "event":
                self.events = [*self.events, line][-4:]
            elif line["kind"] == "counts":
                self.counts = line
                break
        now = time.monotonic() - self.begun
        if self.screen.live:
            self.screen.draw(self.view(now))
        elif now - self.told >= 2:
            self.told = now
            totals, verdicts = self.counts["totals"], self.counts["families"]["verdicts"]["totals"]
            self.screen.say(f"{now:5.1f} s  {totals['calls']:5} calls  "
                            f"{verdicts.get('allow', 0):5} passed  {verdicts.get('tag', 0):4} "
                            f"tagged  {verdicts.get('block', 0):4} blocked")

    def view(self, now):
        paint, counts = self.screen.paint, self.counts
        totals, gauges = counts["totals"], counts["gauges"]
        screening = counts["latency_ns"]["screening"]["totals"]
        rate = counts["deltas"]["calls"] * 1e6 / counts["interval_us"]
        lines = [f"{paint(f'{now:5.1f} s', BOLD)}   {totals['calls']} calls   {rate:.0f} a second   "
                 f"{gauges['calls_held']} up   screening {screening['p50'] / 1000:.0f} us, 99% "
                 f"below {screening['p99'] / 1000:.0f} us", ""]
        most = max(kind.placed for kind in self.kinds)
        for kind in self.kinds:
            count = kind.counted(counts["families"])
            lines.append(f"  {kind.title:38} {bar(self.screen, count, most, 24, kind.colour)} "
                         f"{count:4} {paint(kind.verdict, kind.colour)}")
        lines += ["", *(self.event_line(event) for event in self.events)]
        lines += [""] * (4 - len(self.events))
        lines.append(paint(self.note, CYAN) if self.note else "")
        return lines

    def event_line(self, event):
        action = event["action"]
        colour = {"tag": YELLOW, "block": RED}.get(action, GREEN)
        caller = printable(event["caller"]["number"] or event["caller"]["raw"])
        callee = printable(event["callee"]["number"] or event["callee"]["raw"])
        code = f" {event['code']}" if event["code"] else ""
        return (f"  {self.screen.paint(f'{action}{code}'.ljust(10), colour)} {caller:>15} > "
                f"{callee:15} {printable(event['type'])}, score {event['score']}")

    # ---- the end --------------------------------------------------------------------------------

    def conclude(self):
        """The table; True when everything agrees."""
        paint, say = self.screen.paint, self.screen.say
        say("")
        say(f"  {'kind of call':38} {'expected':>15} {'counted':>8} {'callers saw':>12}")
        agreed = True
        for kind in self.kinds:
            counted, served = kind.counted(self.counts["families"]), kind.served()
            same = counted == kind.placed and served == kind.placed
            agreed = agreed and same
            mark = paint("agrees", GREEN) if same else paint("DIFFERS", RED)
            say(f"  {kind.title:38} {kind.placed:7} {paint(kind.verdict.ljust(7), kind.colour)} "
                f"{counted:8} {served:7} of {kind.placed:3}  {mark}")
        totals = self.counts["totals"]
        placed = sum(kind.placed for kind in self.kinds)
        same = totals["calls"] == placed
        say(f"  {'all':38} {placed:7} {'':7} {totals['calls']:8} "
            f"{sum(kind.served() for kind in self.kinds):7} of {placed:3}  "
            f"{paint('agrees', GREEN) if same else paint('DIFFERS', RED)}")
        if self.note:
            say(f"\n  {self.note}")
        return agreed and same


def main():
    parser = argparse.ArgumentParser(prog="scripts/demo", description=(
        "Plays calls of seven kinds through ringfenced on loopback addresses of this machine, shows "
        "the counts live, and compares them with what was expected. Leaves nothing running."))
    parser.add_argument("--seconds", type=float, default=16, help="length of the play (default 16)")
    options = parser.parse_args()
    if options.seconds < 6:
        parser.error("--seconds: at least 6")
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    try:
        with Site("ringfence-demo-") as site:
            demo = Demo(site, options.seconds)
            demo.start()
            demo.play()
            agreed = demo.conclude()
            demo.daemon.process.signal(signal.SIGTERM)
            status = demo.daemon.process.wait(10)
            if status != 0:
                print(f"demo: ringfenced ended with status {status}\n{demo.daemon.log()[-2000:]}")
            return 0 if agreed and status == 0 else 1
    except (checks.Skip, checks.Failure) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; everything it started is stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
