"""A daemon with its Redis: loading, following, restarting, with calls all the while."""

import json
import math
import os
import re
import sys
import time

from e2e.lib.daemon import render

from bench.lib.machine import Unable, say, wait_until
from bench.speed import numbers, subjects
from bench.speed.load import Load

PROBE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe.py")
PREFIXES = 200_000
LOAD_RATE = 2000
CHANGE_RATE = 5000
PATIENCE = 600
_PREFIX_SCRIPT = """
for n = tonumber(ARGV[1]), tonumber(ARGV[2]) - 1 do
  redis.call('HSET', string.format('rf:pfx:8800%06d', n), 'score', 60, 'list', 'watch')
end
"""


class Node(subjects.RingfenceTwo):
    """Ringfence on both processors, beside its Redis and the generator."""

    name = "node"
    title = "a node"

    def settings(self):
        settings = super().settings()
        settings["reputation"]["saved"] = self.folder.file("replica")
        settings["trunks"] += [
            {"name": "probe", "sources": ["127.0.0.3"], "targets": ["127.0.0.3:5060"],
             "country": "CN", "area_code": "10"},
            {"name": "sink", "sources": ["127.0.0.4"], "targets": ["127.0.0.4:5060"],
             "country": "CN", "area_code": "10", "trusted": True},
        ]
        settings["routes"] = [{"from": "probe", "to": "sink"}, *settings["routes"]]
        return settings

    def launch(self):
        self.redis = subjects.Redis(self.folder, self.network, self.processors)
        say(f"  filling Redis with {self.numbers_held:,} numbers")
        numbers.fill(self.redis, self.numbers_held, ringfence=True)
        for first in range(0, PREFIXES, 50_000):
            self.redis("EVAL", _PREFIX_SCRIPT, 0, first, first + 50_000)
        # The daemon finds no Redis until the calls run.
        self.redis.freeze()
        self.launch_daemon(self.folder.write("ringfence.yaml", render(self.settings())))

    def launch_daemon(self, config):
        self.begin([subjects.checks.program("ringfenced"), "--config", config])

    def reputation(self):
        return self.status()["reputation"]

    def wait_for(self, state):
        wait_until(lambda: self.reputation()["state"] == state, PATIENCE, f"the node is {state}",
                   every=0.02)

    def memory(self, field):
        """Bytes; VmRSS: now, VmHWM: at most."""
        with open(f"/proc/{self.main.pid}/status", encoding="ascii") as status:
            return int(re.search(rf"{field}:\s+(\d+)", status.read())[1]) * 1024

    def log(self):
        return self.main.tail(100_000)


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, math.ceil(share * len(values)) - 1)]


def first_load(node):
    """While calls run that nothing is known about yet."""
    say(f"  loading while {LOAD_RATE} calls a second run")
    with Load(node, LOAD_RATE, 1, PATIENCE, busy=False, processor=0) as load:
        load.wait_for("measuring")
        begun = time.monotonic()
        node.redis.thaw()
        node.wait_for("following")
        seconds = time.monotonic() - begun
    loaded = re.findall(r"in step with .*: (\d+) entries, ([0-9.]+) s", node.log())
    return {"load_s": seconds, "scan_s": float(loaded[-1][1]), "entries": int(loaded[-1][0]),
            "resident": node.memory("VmRSS"), "peak": node.memory("VmHWM")}


def calls_beside(node, seconds, rate, work):
    """What work() returns, and what became of the calls meanwhile."""
    with Load(node, rate, 1, seconds, busy=False, processor=0) as load:
        load.wait_for("measuring")
        result = work()
        line = load.result()
    return result, {key: line[key] for key in ("started", "failed", "late", "to_ringing_us")}


def changes(node, count, seconds):
    def probe():
        program = node.folder.start("probe", [sys.executable, PROBE, node.redis.path, count],
                                    network=node.network, pipe=True)
        text = program.child.stdout.read()
        program.stop()
        if not text:
            raise Unable(f"the probe failed:\n{program.tail()}")
        return json.loads(text)

    say(f"  {count} changes while {CHANGE_RATE} calls a second run")
    times, calls = calls_beside(node, seconds, CHANGE_RATE, probe)
    return {"count": count, "rate": CHANGE_RATE, "calls": calls,
            **{f"judged_p{share * 100:g}_ms": percentile(times["judged_ms"], share)
               for share in (0.5, 0.99, 1)},
            "refused_p50_ms": percentile(times["refused_ms"], 0.5)}


def comparison(node):
    """Its connections cut: all is compared, with calls running."""
    def compare():
        before = node.reputation()["resyncs"]
        begun = time.monotonic()
        node.redis("CLIENT", "KILL", "TYPE", "pubsub")
        wait_until(lambda: node.reputation()["resyncs"] > before, PATIENCE, "compared")
        return time.monotonic() - begun

    say("  a full comparison")
    with Load(node, LOAD_RATE, 1, PATIENCE, busy=False, processor=0) as load:
        load.wait_for("measuring")
        seconds = compare()
    return {"seconds": seconds, "peak": node.memory("VmHWM"), "resident": node.memory("VmRSS")}


def restart(node):
    """Ends it, which saves, and starts it again without Redis."""
    say("  a restart from the saved file, without Redis")
    begun = time.monotonic()
    node.main.stop(seconds=60)
    stopped = time.monotonic() - begun
    node.redis.freeze()
    begun = time.monotonic()
    node.launch_daemon(node.folder.file("ringfence.yaml"))
    wait_until(lambda: node.entries() >= node.numbers_held, PATIENCE, "armed", every=0.005)
    armed = time.monotonic() - begun
    loaded = re.findall(r"armed from .*: (\d+) entries, .* in ([0-9.]+) s", node.log())
    result = {"stop_s": stopped, "armed_s": armed, "load_s": float(loaded[-1][1]),
              "resident": node.memory("VmRSS"), "peak": node.memory("VmHWM")}
    node.redis.thaw()
    node.wait_for("following")
    return result


def measure(count, quick):
    node = Node(processors=(0, 1), numbers_held=count, store="redis").start()
    try:
        result = {"numbers": count, "prefixes": PREFIXES, "load": first_load(node)}
        result["changes"] = changes(node, 50 if quick else 500, 5 if quick else 25)
        result["comparison"] = comparison(node)
        result["restart"] = restart(node)
        return result
    finally:
        node.stop()
