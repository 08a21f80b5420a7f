"""One fault as it happens, and what is said of it afterwards."""

import collections
import math
import time

from bench.lib import machine, report

# Counters of the daemon that say what it did about a fault.
TOLD = ("failovers", "late_answers", "targets_down", "all_down", "icmp_errors", "unknown_source",
        "retransmissions_in", "retransmissions_out", "passed_back", "calls_refused_overload",
        "connections_accepted", "connections_opened", "stateless_responses", "transactions_refused",
        "ring_full", "send_failed")
PHASES = ("before", "during", "after")


class Span:
    """A time from now to its end(), by the clock that the generator has, too."""

    def __init__(self):
        self.begun = time.monotonic()
        self.ended = math.inf

    def end(self):
        self.ended = time.monotonic()

    def meets(self, failure):
        """Whether the call was under way in it."""
        return failure["begun"] < self.ended and failure["ended"] >= self.begun


class Run:
    def __init__(self, stage, calls, options):
        self.stage = stage
        self.calls = calls
        self.rate = options.rate
        self.quick = options.quick
        self.upgrades = 1 if options.quick else options.upgrades
        self.allowed = []
        self.proofs = []
        self.span = None  # of the fault
        self.counts_before = None
        self.delays = {}
        self.totals = None
        self.result = None
        self.flood = None  # what another generator says at its end

    def times(self, count):
        return max(3, count // 3) if self.quick else count

    def pause(self, seconds, least=0):
        time.sleep(max(least, seconds / 3) if self.quick else seconds)

    def note(self, text):
        machine.say(f"  {text}")

    def allow(self, why, test):
        """Failures that the fault may bring about."""
        self.allowed.append((why, test))

    def prove(self, what, seen):
        """What shows that the fault happened; a row without it, or without any, is not met."""
        self.proofs.append({"what": what, "seen": bool(seen)})

    def prove_grown(self, name, at_least=1, label=None):
        """... by a counter of the daemon since before(), or by one label of a family."""
        grown = _count(self.stage.counts(), name, label) - _count(self.counts_before, name, label)
        self.prove(f"{name}{f' {label}' if label else ''} +{grown:,}", grown >= max(1, at_least))

    def before(self):
        """Calls as usual; what is done next is the fault."""
        self.calls.wait_started(1)
        self.calls.mark()
        self.pause(3)
        self.delays["before"] = self.calls.mark()["to_ringing_us"]
        self.counts_before = self.stage.counts()
        self.span = Span()

    def after(self, brief=False):
        """The fault is over; calls as usual."""
        self.span.end()
        self.delays["during"] = self.calls.mark()["to_ringing_us"]
        if not brief:
            self.pause(5)
            self.delays["after"] = self.calls.mark()["to_ringing_us"]

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
        if failure["begun"] < self.span.begun:
            return "before"
        return "during" if failure["begun"] < self.span.ended else "after"

    def outcome(self):
        self.finish()
        failed = self.calls.failed
        phases = collections.Counter(self._phase(failure) for failure in failed)
        reasons = collections.Counter(
            (self._reason(failure) or "", failure["why"], failure["stage"]) for failure in failed)
        untold = self.result["failed"] - len(failed)
        if untold:
            reasons["", "untold", "unknown"] = untold
        unexplained = sum(count for (why, _, _), count in reasons.items() if not why)
        return {
            "calls": self.result["started"], "failed": self.result["failed"],
            "began": {phase: phases[phase] for phase in PHASES},
            "why": [{"why": why, "got": got, "stage": where, "calls": count}
                    for (why, got, where), count in sorted(reasons.items())],
            "unexplained": unexplained, "proofs": self.proofs,
            "met": unexplained == 0 and self.proofs != []
                   and all(proof["seen"] for proof in self.proofs),
            "to_ringing_us": self.delays, "totals": self.totals, "generator": self.result,
            "flood": self.flood, "seconds": self.span.ended - self.span.begun,
        }


def _count(counts, name, label):
    if label is None:
        return counts["totals"][name]
    return counts["families"][name]["totals"].get(label, 0)


def _milliseconds(row, phase):
    p99 = row["to_ringing_us"].get(phase, {}).get("p99")
    return p99 / 1000 if p99 is not None else None


STAGES = {"invited": "no ringing", "ringing": "while ringing", "talking": "while talking",
          "leaving": "to the BYE", "unknown": ""}
GOT = {"no answer": "no answer", "unfinished": "neither answer nor refusal",
       "untold": "counted, but not told one by one"}


def _cells(row):
    if "unable" in row:
        return [row["title"], *[None] * 8, row["aim"], "NO"]
    counts = (row["failed"], *(row["began"][phase] for phase in PHASES))
    return [row["title"], row["calls"], *(str(count) for count in counts),
            *(_milliseconds(row, phase) for phase in PHASES), row["aim"],
            "yes" if row["met"] else "NO"]


def show(rows):
    """The table, and behind it what failed and why, and what shows that the fault happened."""
    if not rows:
        return
    played = [row for row in rows if "unable" not in row]
    report.table(
        "Calls that failed, and INVITE to 180 (p99, ms)",
        ["fault", "calls", "failed", "began before", "during", "after", "180 before", "during",
         "after", "aim", "met"],
        [_cells(row) for row in rows])
    print("\nWhy they failed")
    for row in played:
        for part in row["why"]:
            print(f"  {row['title']}: {part['calls']:,} {part['why'] or 'WITHOUT A REASON'}: "
                  f"{GOT.get(part['got'], part['got'])} {STAGES[part['stage']]}".rstrip())
    print("\nWhat shows that it happened")
    for row in rows:
        proofs = [f"{'' if proof['seen'] else 'NOT SEEN: '}{proof['what']}"
                  for proof in row.get("proofs", ())]
        print(f"  {row['title']}: {row.get('unable') or '; '.join(proofs) or 'NOTHING'}")
    print("\nWhat the daemon counted")
    for row in played:
        told = ", ".join(f"{name} {value:,}" for name, value in row["totals"].items())
        flood = row["flood"]
        if flood:
            refused = ", ".join(f"{status}: {count:,}"
                                for status, count in flood["statuses"].items())
            told += f"; the flood: {flood['started']:,} calls, {flood['ok']:,} passed" \
                    f"{', ' + refused if refused else ''}"
        print(f"  {row['title']}: {told or 'nothing unusual'}")
