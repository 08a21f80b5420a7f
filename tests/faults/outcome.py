"""One fault as it happens, and what is said of it afterwards."""

import collections
import time

from bench.lib import machine, report

# Counters of the daemon that say what it did about a fault.
TOLD = ("failovers", "late_answers", "targets_down", "all_down", "icmp_errors", "unknown_source",
        "retransmissions_in", "retransmissions_out", "passed_back", "calls_refused_overload",
        "connections_accepted", "connections_opened", "stateless_responses", "transactions_refused",
        "ring_full", "send_failed")


class Run:
    def __init__(self, stage, calls, options):
        self.stage = stage
        self.calls = calls
        self.rate = options.rate
        self.quick = options.quick
        self.upgrades = 1 if options.quick else options.upgrades
        self.allowed = []
        self.begun = self.ended = None
        self.delays = {}
        self.totals = None
        self.result = None
        self.flood = None

    def times(self, count):
        return max(3, count // 3) if self.quick else count

    def pause(self, seconds):
        time.sleep(seconds / 3 if self.quick else seconds)

    def note(self, text):
        machine.say(f"  {text}")

    def allow(self, why, test):
        """Failures that the fault may bring about."""
        self.allowed.append((why, test))

    def began_during(self, failure):
        return self.begun <= failure["begun"] < self.ended

    def before(self):
        """Calls as usual; what is done next is the fault."""
        self.calls.wait_started(1)
        self.calls.mark()
        self.pause(3)
        self.delays["before"] = self.calls.mark()["to_ringing_us"]
        self.begun = time.monotonic()

    def after(self, brief=False):
        """The fault is over; calls as usual."""
        self.ended = time.monotonic()
        self.delays["during"] = self.calls.mark()["to_ringing_us"]
        if not brief:
            self.pause(5)
            self.delays["after"] = self.calls.mark()["to_ringing_us"]

    def other(self, result):
        """What another generator says at its end."""
        self.flood = result

    def count(self):
        """What the daemon has counted up to now; at the end, if not before."""
        if self.totals is None:
            self.totals = {name: value for name, value in self.stage.totals().items()
                           if name in TOLD and value > 0}

    def finish(self):
        self.count()
        if self.result is None:
            self.result = self.calls.finish()

    def _reason(self, failure):
        return next((why for why, test in self.allowed if test(failure)), None)

    def _phase(self, failure):
        if failure["begun"] < self.begun:
            return "before"
        return "during" if failure["begun"] < self.ended else "after"

    def outcome(self):
        self.finish()
        failed = self.calls.failed
        phases = collections.Counter(self._phase(failure) for failure in failed)
        reasons = collections.Counter(
            (self._reason(failure) or "", failure["why"], failure["stage"]) for failure in failed)
        unexplained = sum(count for (why, _, _), count in reasons.items() if not why)
        return {
            "calls": self.result["started"], "failed": self.result["failed"],
            "began": {phase: phases[phase] for phase in ("before", "during", "after")},
            "why": [{"why": why, "got": got, "stage": where, "calls": count}
                    for (why, got, where), count in sorted(reasons.items())],
            "unexplained": unexplained, "met": unexplained == 0,
            "to_ringing_us": self.delays, "totals": self.totals, "generator": self.result,
            "flood": self.flood, "seconds": self.ended - self.begun,
        }


def _milliseconds(row, phase):
    p99 = row["to_ringing_us"].get(phase, {}).get("p99")
    return p99 / 1000 if p99 is not None else None


STAGES = {"invited": "no ringing", "ringing": "while ringing", "talking": "while talking",
          "leaving": "to the BYE"}
GOT = {"no answer": "no answer", "unfinished": "neither answer nor refusal"}


def show(rows):
    """The table, and behind it what failed and why."""
    if not rows:
        return
    report.table(
        "Calls that failed, and INVITE to 180 (p99, ms)",
        ["fault", "calls", "failed", "began before", "during", "after", "180 before", "during",
         "after", "aim", "met"],
        [[row["title"], row["calls"], *(str(value) for value in (
            row["failed"], row["began"]["before"], row["began"]["during"], row["began"]["after"])),
          *(_milliseconds(row, phase) for phase in ("before", "during", "after")),
          row["aim"], "yes" if row["met"] else "NO"] for row in rows])
    print("\nWhy they failed")
    for row in rows:
        for part in row["why"]:
            print(f"  {row['title']}: {part['calls']:,} {part['why'] or 'WITHOUT A REASON'}: "
                  f"{GOT.get(part['got'], part['got'])} {STAGES[part['stage']]}")
    print("\nWhat the daemon counted")
    for row in rows:
        told = ", ".join(f"{name} {value:,}" for name, value in row["totals"].items())
        flood = row["flood"]
        if flood:
            refused = ", ".join(f"{status}: {count:,}"
                                for status, count in flood["statuses"].items())
            told += f"; the flood: {flood['started']:,} calls, {flood['ok']:,} passed" \
                    f"{', ' + refused if refused else ''}"
        print(f"  {row['title']}: {told or 'nothing unusual'}")
