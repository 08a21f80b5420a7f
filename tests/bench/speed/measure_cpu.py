"""Processor time for each call: screened, blocked, and with two workers."""

import os

from bench.lib import report

from . import subjects
from .rig import LINGER, NORMAL_RATE, collect, say, steady

RATES = (4000, NORMAL_RATE, 20000)
READINGS = ("cpu_us", "user_us", "system_us", "redis_us", "to_ringing_us.p50", "to_ringing_us.p99",
            "disturbance")
CARRIED = 0.001  # share of failed calls up to which a rate is carried


def screened(bench):
    """Rounds over all subjects and rates, after the warm-up."""
    say("processor time of a call")
    seconds = 2 if bench.quick else 5
    found = {name: {} for name in bench.names}
    dropped = set()
    with bench.all_running() as running:
        for _ in range(bench.rounds):
            for rate in (NORMAL_RATE,) if bench.quick else RATES:
                for name, subject in running.items():
                    if (name, rate) in dropped:
                        continue
                    result = steady(f"{bench.titled(name)}, {rate}/s", subject, rate, 1, seconds,
                                    bench.attempts)
                    if result["failed_share"] >= CARRIED:
                        dropped.add((name, rate))
                        found[name].pop(str(rate), None)
                        continue
                    collect(found[name].setdefault(str(rate), {}), result, READINGS)
            blocked(bench, running, found, seconds)
    for name, rates in found.items():
        bench.store.put(rates, "cpu", name)
        for key in ("cpu_us", "user_us"):
            if str(NORMAL_RATE) in rates:
                bench.store.put(rates[str(NORMAL_RATE)][key].median, f"{key}_per_call", name)


def blocked(bench, running, found, seconds):
    for name, subject in running.items():
        if subject.screens:
            result = steady(f"{bench.titled(name)}, blocked", subject, NORMAL_RATE, 1, seconds,
                            bench.attempts, listed=100)
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
    seconds = 3 if bench.quick else 8
    kinds = {"ringfence_1": subjects.Ringfence, "ringfence_2": subjects.RingfenceTwo}
    found = {name: {} for name in kinds}
    for _ in range(bench.rounds):
        for name, kind in kinds.items():
            with bench.running(kind, warm=False) as subject:
                spread_workers(subject)
                warm = 3 if bench.quick else LINGER
                result = steady(f"{bench.titled(name)}, {rate * kind.workers:.0f}/s", subject,
                                rate * kind.workers, warm, seconds, 1, busy=False, sockets=1)
                busiest = sorted(result["threads_us"].values())[-kind.workers:]
                result["least_worker_us"] = busiest[0] * kind.workers
                result["most_worker_us"] = busiest[-1] * kind.workers
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
