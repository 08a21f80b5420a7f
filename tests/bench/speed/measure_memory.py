"""Memory: of a call under way, of a finished transaction that is remembered, of a number."""

import time

from bench.lib import report

from . import load, measure_disturbed, measure_micro, subjects
from .rig import BRIEF, LINGER, say, together

STATES = ("ringing", "established")
RATE = 2500  # of each of those that are measured side by side
FAST = 4000  # of the one that takes longest
FEW, MANY = 20_000, 200_000


def held(bench, name, count, state):
    """Bytes for each of so many calls, all ringing or all established. The latter are added to
    a subject that has had calls at this rate already, and counted when their INVITEs' transactions
    are forgotten: so what these leave behind for reuse is not taken for theirs."""
    kind = subjects.ALL[name]
    # Kamailio keeps nothing of an established call unless told to keep dialogs.
    options = {"dialog": True} if issubclass(kind, subjects.Kamailio) else {}
    established = state == "established"
    rate = FAST if count == MANY and established else RATE
    with bench.running(kind, warm=LINGER + 4 if established else 0, rate=rate,
                       **options) as subject:
        if established and options:
            time.sleep(subject.lingers + 4)  # its pool is to hold nothing of finished calls
        before = subject.memory()
        how = {} if established else {"ring": 1}
        with load.Load(subject, rate, 0, 10 * count / rate, listed=0, calls=count, keep=True,
                       busy=False, **how) as running:
            reached = running.wait_for("held")["calls"]
            if established:
                time.sleep(2 if bench.quick else LINGER + 2)
            each = (subject.memory() - before) / max(1, reached)
    say(f"  {bench.titled(name)}: {each:,.0f} bytes for each of {reached:,} calls {state}")
    bench.store.put({"calls": reached, "bytes": each}, "memory", name, state, str(count))
    if not established:
        bench.store.put(round(each), "bytes_per_call", name)


def lingering(bench, name):
    """Bytes for each finished transaction; only Ringfence tells how many there are."""
    with bench.running(subjects.ALL[name], warm=6, rate=RATE) as subject:
        before, earlier = subject.memory(), subject.status()["lingering"]
        load.run(subject, RATE, 0, 4 if bench.quick else LINGER - 8, listed=0, busy=False)
        more = subject.status()["lingering"] - earlier
        each = (subject.memory() - before) / max(1, more)
    say(f"  {bench.titled(name)}: {each:,.0f} bytes for each finished transaction")
    bench.store.put(each, "memory", name, "lingering")


def of_numbers(kind, memory_of):
    """Bytes for each number of reputation: full against nearly empty."""
    taken = []
    for count in (1000, 1_001_000):
        subject = kind(numbers_held=count).start()
        try:
            time.sleep(0.5)
            taken.append(memory_of(subject))
        finally:
            subject.stop()
    return (taken[1] - taken[0]) / 1_000_000


def redis_memory(subject):
    for line in subject.redis("INFO", "memory").decode().splitlines():
        if line.startswith("used_memory:"):
            return int(line.split(":")[1])
    return 0


def measure(bench):
    """Side by side: none of it depends on time. So does the count of heap allocations."""
    say("memory")
    counts = (FEW,) if bench.quick else (FEW, MANY)
    tasks = []
    for name in bench.names:
        if issubclass(subjects.ALL[name], subjects.Kamailio) and name not in BRIEF:
            tasks.append(lambda name=name: [held(bench, name, FEW, state) for state in STATES])
    if "ringfence_1" in bench.names:
        def short():
            for count in counts:
                held(bench, "ringfence_1", count, "ringing")
            lingering(bench, "ringfence_1")

        tasks += [short, lambda: held(bench, "ringfence_1", counts[-1], "established"),
                  lambda: measure_micro.allocations(bench)]
        if not bench.quick:
            tasks.append(lambda: measure_disturbed.prepare(bench))
    together(tasks)
    if "relay" in bench.names:
        bench.store.put(0, "bytes_per_call", "relay")
    if not bench.quick:
        measure_numbers(bench)


def measure_numbers(bench):
    ways = {"kamailio_memory": lambda subject: subject.memory(), "kamailio_redis": redis_memory,
            "ringfence_1": lambda subject: subject.memory()}
    for name, memory_of in ways.items():
        if name in bench.names:
            each = of_numbers(subjects.ALL[name], memory_of)
            say(f"  {bench.titled(name)}: {each:.0f} bytes for each number")
            bench.store.put(each, "memory", name, "number")
    # Neither the second worker nor where the numbers are kept adds to a call.
    for name, like in (("kamailio_redis", "kamailio_memory"), ("ringfence_2", "ringfence_1")):
        ringing = bench.store.get("bytes_per_call", like)
        if ringing and name in bench.names:
            bench.store.put(ringing, "bytes_per_call", name)


def show(bench):
    def row(name):
        place = bench.store.get("memory", name)
        if place is None:
            return None
        cells = [place.get(state, {}).get(str(count), {}).get("bytes")
                 for state in STATES for count in (FEW, MANY)]
        kamailio = bench.store.get("bytes_per_call", "kamailio_memory")
        return [*cells, place.get("lingering"), place.get("number"),
                report.ratio(bench.store.get("bytes_per_call", name), kamailio)]

    bench.table("Memory, bytes each (PSS; of Kamailio, with dialogs, what it uses of its pool)",
                ["20,000 ringing", "200,000", "20,000 established", "200,000",
                 "finished transaction", "number", "ringing to Kamailio"], row)
