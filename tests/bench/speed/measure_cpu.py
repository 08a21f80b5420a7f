"""Processor time for each call: screened, blocked, and with two workers."""

import contextlib
import os

from bench.lib import report

from . import subjects
from .rig import BRIEF, NORMAL_RATE, collect, say, settle, steady

RATES = (NORMAL_RATE, 20000)
READINGS = ("cpu_us", "user_us", "system_us", "redis_us", "to_ringing_us.p50", "to_ringing_us.p99",
            "disturbance")
WORKERS_WARM = 12  # seconds; one and two have equally much behind them
CARRIED = 0.001  # share of failed calls up to which a rate is carried


def screened(bench):
    """Rounds over all subjects and rates, after the warm-up."""
    say("processor time of a call")
    seconds = 2 if bench.quick else 3
    found = {name: {} for name in bench.names}
    dropped = set()
    for name in bench.names:
        bench.subject(name)
    for _ in range(bench.rounds):
        for rate in (NORMAL_RATE,) if bench.quick else RATES:
            for name in bench.names:
                if (name, rate) in dropped or (rate != NORMAL_RATE and name in BRIEF):
                    continue
                settle()
                result = steady(f"{bench.titled(name)}, {rate}/s", bench.subject(name), rate, 0.5,
                                seconds)
                if result["failed_share"] >= CARRIED:
                    dropped.add((name, rate))
                    found[name].pop(str(rate), None)
                    continue
                collect(found[name].setdefault(str(rate), {}), result, READINGS)
        blocked(bench, found, seconds)
    for name, rates in found.items():
        bench.store.put(rates, "cpu", name)
        for key in ("cpu_us", "user_us"):
            if str(NORMAL_RATE) in rates:
                bench.store.put(rates[str(NORMAL_RATE)][key].median, f"{key}_per_call", name)


def blocked(bench, found, seconds):
    for name in bench.names:
        if subjects.ALL[name].screens and name not in BRIEF:
            settle()
            result = steady(f"{bench.titled(name)}, blocked", bench.subject(name), NORMAL_RATE, 0.5,
                            seconds, listed=100)
            if result["failed_share"] < CARRIED:
                collect(found[name].setdefault("blocked", {}), result, READINGS)


def show_screened(bench):
    for rate in (*RATES, "blocked"):
        relay = bench.samples("cpu", "relay", str(rate), "cpu_us")
        kamailio = bench.samples("cpu", "kamailio_memory", str(rate), "cpu_us")

        def row(name):
            place = ("cpu", name, str(rate))
            own = bench.samples(*place, "cpu_us")
            if own is None:
                return None
            return [bench.spread(*place, "cpu_us"), bench.spread(*place, "user_us"),
                    bench.spread(*place, "system_us"), bench.spread(*place, "redis_us"),
                    report.ratio(own.median, relay and relay.median),
                    report.ratio(own.median, kamailio and kamailio.median)]

        what = (f"a blocked call, {NORMAL_RATE}/s" if rate == "blocked"
                else f"a screened call, {rate}/s")
        bench.table(f"Processor time of {what}, us: median (range)",
                    ["all", "user", "system", "its Redis", "to relay", "to Kamailio"], row)


def workers(bench):
    """One and two workers at the same load for each worker, all calls from one address and port.

    The generator needs a part of one of the two processors, so it sleeps when it has nothing to
    do, the rate leaves both processors idle time, and time is counted by thread. The second
    worker stands on the generator's processor.
    """
    say("one worker and two")
    rate = NORMAL_RATE / 2
    seconds = 3 if bench.quick else 5
    kinds = {"ringfence_1": subjects.Ringfence, "ringfence_2": subjects.RingfenceTwo}
    found = {name: {} for name in kinds}
    with contextlib.ExitStack() as stack:
        running = {}
        for name, kind in kinds.items():
            running[name] = stack.enter_context(
                bench.running(kind, warm=WORKERS_WARM, rate=rate * kind.workers))
            spread_workers(running[name])
        for _ in range(bench.rounds):
            for name, subject in running.items():
                result = steady(f"{bench.titled(name)}, {rate * subject.workers:.0f}/s", subject,
                                rate * subject.workers, 2, seconds, busy=False, sockets=1)
                busiest = sorted(result["threads_us"].values())[-subject.workers:]
                result["least_worker_us"] = busiest[0] * subject.workers
                result["most_worker_us"] = busiest[-1] * subject.workers
                collect(found[name], result, (*READINGS, "least_worker_us", "most_worker_us"))
    bench.store.put(found, "workers")


def spread_workers(subject):
    """Worker threads, in the order of their making, each on a processor of its own."""
    tasks = []
    for task in sorted(int(task) for task in os.listdir(f"/proc/{subject.main.pid}/task")):
        with open(f"/proc/{subject.main.pid}/task/{task}/comm", encoding="ascii") as name:
            if name.read().startswith("worker"):
                tasks.append(task)
    places = (subjects.PROXY, subjects.GENERATOR)
    for number, task in enumerate(tasks):
        os.sched_setaffinity(task, (places[number % 2],))


def show_workers(bench):
    one = bench.samples("workers", "ringfence_1", "cpu_us")

    def row(name):
        own = bench.samples("workers", name, "cpu_us")
        if own is None:
            return None
        place = ("workers", name)
        return [bench.spread(*place, "cpu_us"), bench.spread(*place, "user_us"),
                bench.spread(*place, "least_worker_us"), bench.spread(*place, "most_worker_us"),
                report.ratio(own.median, one and one.median)]

    bench.table(f"Processor time of a call at {NORMAL_RATE // 2}/s for each worker, one source "
                "address and port, us", ["all", "user", "least busy worker", "busiest worker",
                                         "to one worker"], row)
