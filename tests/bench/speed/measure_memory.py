"""Memory: of a call under way, of a finished transaction that is remembered, of a number."""

import time

from bench.lib import report

from . import load, subjects
from .rig import LINGER, NORMAL_RATE, say

STATES = ("ringing", "established")


def held(kind, count, state):
    """Bytes for each of so many calls, all ringing or all established."""
    # Kamailio keeps nothing of an established call unless told to keep dialogs.
    options = {"dialog": True} if issubclass(kind, subjects.Kamailio) else {}
    subject = kind(**options).start()
    try:
        before = subject.memory()
        how = {"ring": 1} if state == "ringing" else {}
        with load.Load(subject, NORMAL_RATE, 0, 10 * count / NORMAL_RATE, listed=0, calls=count,
                       keep=True, **how) as running:
            reached = running.wait_for("held")["calls"]
            if state == "established":
                time.sleep(LINGER + 2)  # the INVITE's transaction is gone then
            return (subject.memory() - before) / max(1, reached), reached
    finally:
        subject.stop()


def lingering(bench, kind):
    """Bytes for each finished transaction; only Ringfence tells how many there are."""
    seconds = 4 if bench.quick else 20
    subject = kind().start()
    try:
        before = subject.memory()
        load.run(subject, NORMAL_RATE, 0, seconds, listed=0)
        return (subject.memory() - before) / max(1, subject.status()["lingering"])
    finally:
        subject.stop()


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
    say("memory")
    counts = (20_000,) if bench.quick else (20_000, 200_000)
    for name in bench.names:
        kind = subjects.ALL[name]
        if not kind.screens or name == "kamailio_redis":
            continue  # the relay holds nothing, Kamailio with Redis what it holds without
        for count in counts:
            for state in STATES[:1] if bench.quick else STATES:
                each, reached = held(kind, count, state)
                say(f"  {bench.titled(name)}: {each:,.0f} bytes for each of {reached:,} calls "
                    f"{state}")
                bench.store.put({"calls": reached, "bytes": each}, "memory", name, state,
                                str(count))
                if state == "ringing":
                    bench.store.put(round(each), "bytes_per_call", name)
        if issubclass(kind, subjects.Ringfence):
            bench.store.put(lingering(bench, kind), "memory", name, "lingering")
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
    ringing = bench.store.get("bytes_per_call", "kamailio_memory")
    if ringing and "kamailio_redis" in bench.names:
        bench.store.put(ringing, "bytes_per_call", "kamailio_redis")


def show(bench):
    def row(name):
        place = bench.store.get("memory", name)
        if place is None:
            return None
        cells = [place.get(state, {}).get(str(count), {}).get("bytes")
                 for state in STATES for count in (20_000, 200_000)]
        kamailio = bench.store.get("bytes_per_call", "kamailio_memory")
        return [*cells, place.get("lingering"), place.get("number"),
                report.ratio(bench.store.get("bytes_per_call", name), kamailio)]

    bench.table("Memory, bytes each (PSS; of Kamailio, with dialogs, what it uses of its pool)",
                ["20,000 ringing", "200,000", "20,000 established", "200,000",
                 "finished transaction", "number", "ringing to Kamailio"], row)
