"""Ringfence while Redis is slow or stopped, while it reloads, and while it loads numbers.

Redis and the generator share a processor, Ringfence has the other; the generator sleeps when it
has nothing to do. Disturbed runs stand beside undisturbed ones of the same daemon.
"""

import contextlib
import os
import signal
import sys
import threading

from bench.lib import report
from bench.lib.machine import Folder, Network, wait_until

from . import subjects
from .rig import NORMAL_RATE, collect, say, steady

RATE = NORMAL_RATE / 2
NUMBERS = 100_000
LOADED = int(os.environ.get("BENCH_NUMBERS", "10000000"))
SLOW_PORT = 6380
SLOW_MS = 20
READINGS = ("cpu_us", "user_us", "failed_share", "completed_rate", "to_ringing_us.p50",
            "to_ringing_us.p99", "to_ringing_us.p999", "busiest_us")
TITLES = {"undisturbed": "undisturbed", "slow": f"Redis answers in {SLOW_MS} ms",
          "stopped": "Redis stopped (SIGSTOP)", "reload": "reload every second",
          "loading": "loading numbers from Redis"}


class SlowRingfence(subjects.Ringfence):
    """Its Redis answers late; the numbers are there before the daemon is."""

    def launch_daemon(self, config):
        link = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib",
                            "slow_link.py")
        self.folder.start("slow_link", [sys.executable, link, SLOW_PORT, subjects.REDIS_PORT,
                                        SLOW_MS],
                          network=self.network, processors=(subjects.GENERATOR,))
        super().launch_daemon(config)


@contextlib.contextmanager
def stopped(subject):
    subject.redis.freeze()
    try:
        yield
    finally:
        subject.redis.thaw()


@contextlib.contextmanager
def reloading(subject):
    over = threading.Event()

    def reload():
        while not over.wait(1):
            os.kill(subject.main.pid, signal.SIGHUP)

    thread = threading.Thread(target=reload)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def measured(found, key, subject, seconds, disturbance=contextlib.nullcontext):
    with disturbance(subject):
        result = steady(TITLES[key], subject, RATE, 0.5, seconds, busy=False)
    result["busiest_us"] = max(result["threads_us"].values())
    collect(found.setdefault(key, {}), result, READINGS)


class LoadingRingfence(subjects.Ringfence):
    """Its Redis is filled ahead: ten million numbers take more than a minute."""

    def fill(self):
        self.network = Network()
        self.folder = Folder("bench-loading-")
        super().prepare_numbers()

    def prepare_numbers(self):
        pass

    def go(self):
        self.launch()
        wait_until(self._bound, 10, "Ringfence receives SIP")


def prepare(bench):
    """The Redis of loading(), while something else is measured that no clock is asked for."""
    count = LOADED // 20 if bench.quick else LOADED
    say(f"  filling a Redis with {count:,} numbers meanwhile")
    bench.loading = LoadingRingfence(store="redis", numbers_held=count, wait_for_numbers=False,
                                     redis_processors=(subjects.GENERATOR,))
    bench.loading.fill()


def loading(bench, found):
    """Calls from the daemon's first moment on, while it reads all numbers."""
    seconds = 3 if bench.quick else 12
    if bench.loading is None:
        prepare(bench)
    subject = bench.loading
    count = subject.numbers_held
    try:
        subject.go()
        wait_until(lambda: subject.entries() >= 0, 10, "Ringfence answers")
        before = subject.entries()
        measured(found, "loading", subject, seconds)
        found["loading"]["numbers"] = {"to_load": count, "before": before,
                                       "after": subject.entries(),
                                       "over": subject.entries() >= count}
    finally:
        subject.stop()
        bench.loading = None


def measure(bench):
    say("disturbed")
    seconds = 2 if bench.quick else 4
    shared = {"warm": 10, "rate": RATE, "store": "redis", "numbers_held": NUMBERS,
              "redis_processors": (subjects.GENERATOR,)}
    found = {}
    with bench.running(subjects.Ringfence, **shared) as plain, \
            bench.running(SlowRingfence, redis_port=SLOW_PORT, **shared) as slow:
        for _ in range(bench.rounds):
            measured(found, "undisturbed", plain, seconds)
            measured(found, "slow", slow, seconds)
            measured(found, "stopped", plain, seconds, stopped)
            measured(found, "reload", plain, seconds, reloading)
    loading(bench, found)
    bench.store.put(found, "disturbed")


def show(bench):
    rows = []
    base = bench.samples("disturbed", "undisturbed", "cpu_us")
    for key, title in TITLES.items():
        own = bench.samples("disturbed", key, "cpu_us")
        if own is None:
            continue
        failed = bench.samples("disturbed", key, "failed_share")
        rows.append([title, *(bench.spread("disturbed", key, name) for name in
                              ("cpu_us", "busiest_us", "to_ringing_us_p50", "to_ringing_us_p99")),
                     f"{failed.median:.3%}", report.ratio(own.median, base and base.median)])
    if rows:
        report.table(f"Ringfence disturbed, {RATE:.0f} calls/s, us",
                     ["", "all threads", "worker", "180 p50", "180 p99", "failed",
                      "to undisturbed"], rows)
