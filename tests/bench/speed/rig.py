"""What all measures share: options, the subjects that run, and the results."""

import contextlib

from bench.lib import report
from bench.lib.machine import say

from . import load, subjects

NORMAL_RATE = 8000  # calls per second at which subjects are compared
DISTURBED = 0.05    # share of its processor that others may have used in a run
LINGER = 32         # seconds that a finished transaction is remembered (64 times T1)


class Bench:
    """names: the subjects that take part, those that cannot run left out."""

    def __init__(self, store, names, quick):
        self.store = store
        self.quick = quick
        self.rounds = 1 if quick else 3
        self.attempts = 1 if quick else 3  # when others disturb
        self.names = []
        for name in names:
            reason = subjects.ALL[name]().missing()
            if reason:
                say(f"{subjects.ALL[name].title} is left out: {reason}")
            else:
                self.names.append(name)

    def titled(self, name):
        return subjects.ALL[name].title if name in subjects.ALL else subjects.Direct.title

    @contextlib.contextmanager
    def running(self, kind, warm=True, **options):
        """One subject that runs, with its memory touched and its transactions at their usual
        number."""
        subject = kind(**options).start()
        try:
            if warm:
                load.run(subject, NORMAL_RATE, 0, 2 if self.quick else LINGER + 4)
            yield subject
        finally:
            subject.stop()

    @contextlib.contextmanager
    def all_running(self, names=None, **options):
        """Subjects by name; each in a namespace of its own, so that rounds can be interleaved."""
        with contextlib.ExitStack() as stack:
            started = {}
            for name in names or self.names:
                say(f"  starting {self.titled(name)}")
                kind = subjects.ALL.get(name, subjects.Direct)
                started[name] = stack.enter_context(self.running(kind, **options))
            yield started

    def table(self, title, heads, row_of):
        """A row for each subject that has one; row_of(name) gives its cells or None."""
        rows = []
        for name in subjects.ALL:
            cells = row_of(name)
            if cells is not None:
                rows.append([self.titled(name), *cells])
        if rows:
            report.table(title, ["", *heads], rows)

    def samples(self, *keys):
        """Readings from the results, or None."""
        found = self.store.get(*keys)
        if found is None or isinstance(found, report.Samples):
            return found
        return report.Samples(found["values"])

    def spread(self, *keys):
        found = self.samples(*keys)
        return report.spread(found) if found else "-"


def collect(place, result, keys):
    """Adds a run's readings to the samples of their names."""
    for key in keys:
        value = result
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            place.setdefault(key.replace(".", "_"), report.Samples()).add(value)


def disturbance(result):
    """Share of the time that somebody else used a processor of the subject's or the generator's."""
    lost = 1 - result["own_cpu_between"] / result["seconds_between"]
    return max(result["waited"], lost if result["busy_polling"] else 0)


def note(title, result):
    """Progress: one line for each run."""
    mark = f"  (disturbed {disturbance(result):.0%})" if disturbance(result) > DISTURBED else ""
    say(f"  {title:32} {result['started_rate']:7,.0f}/s  {result['cpu_us']:6.1f} us/call  "
        f"180 p50 {result['to_ringing_us'].get('p50', 0):7.0f} us  "
        f"failed {result['failed_share']:.3%}{mark}")


def steady(title, subject, rate, warm, seconds, attempts, **options):
    """A run, repeated when others used the processors; the least disturbed one counts."""
    best = None
    for _ in range(attempts):
        result = load.run(subject, rate, warm, seconds, **options)
        note(title, result)
        if best is None or disturbance(result) < disturbance(best):
            best = result
        if disturbance(best) <= DISTURBED:
            break
    best["disturbance"] = disturbance(best)
    return best
