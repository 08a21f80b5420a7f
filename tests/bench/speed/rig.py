"""What all measures share: options, the subjects that run, and the results."""

import contextlib
import threading

from bench.lib import machine, report
from bench.lib.machine import say

from . import load, subjects

NORMAL_RATE = 8000  # calls per second at which subjects are compared
DISTURBED = 0.05    # share of its processor that others may have used in a run
BRIEF = ("kamailio_redis", "ringfence_2")  # of which less is measured: nothing hangs on it
LINGER = 32         # seconds that a finished transaction is remembered (64 times T1)


class Bench:
    """names: the subjects that take part, those that cannot run left out."""

    def __init__(self, store, names, quick):
        self.store = store
        self.quick = quick
        self.rounds = 1 if quick else 3
        self.loading = None  # with a Redis that is filled: measure_disturbed
        self.alive = {}  # subjects that run, by name, for the measures that share them
        self.names = []
        for name in names:
            reason = subjects.ALL[name]().missing()
            if reason:
                say(f"{subjects.ALL[name].title} is left out: {reason}")
            else:
                self.names.append(name)

    def titled(self, name):
        return subjects.ALL[name].title if name in subjects.ALL else subjects.Direct.title

    def subject(self, name):
        """One that runs, with its memory touched and its transactions at their usual number. Each
        has a namespace of its own, so that rounds can be interleaved, and stays until retire()."""
        if name not in self.alive:
            kind = subjects.ALL.get(name, subjects.Direct)
            say(f"  starting {kind.title}")
            subject = self.alive[name] = kind().start()
            if subject.lingers:
                brief = self.quick or name in BRIEF
                load.run(subject, NORMAL_RATE, 0, 2 if brief else subject.lingers + 4)
        return self.alive[name]

    def retire(self, name=None):
        for each in [name] if name else list(self.alive):
            self.alive.pop(each).stop()

    @contextlib.contextmanager
    def running(self, kind, warm=0, rate=NORMAL_RATE, **options):
        """One subject for a measure of its own, after so many seconds of calls."""
        subject = kind(**options).start()
        try:
            if warm:
                load.run(subject, rate, 0, 2 if self.quick else warm, busy=False)
            yield subject
        finally:
            subject.stop()

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


def together(tasks):
    """Runs what does not depend on time side by side; the first failure is passed on."""
    failures = []

    def guarded(task):
        try:
            task()
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


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


def settle():
    """Waits until what an earlier run has left to be repeated is over: the subjects share a
    processor, and one that was overloaded goes on for seconds."""
    for _ in range(100):
        if machine.is_idle(subjects.PROXY):
            return
    say("  somebody keeps the subjects' processor busy")


def steady(title, subject, rate, warm, seconds, **options):
    """A run, and how much others used the processors meanwhile."""
    result = load.run(subject, rate, warm, seconds, **options)
    note(title, result)
    result["disturbance"] = disturbance(result)
    return result
