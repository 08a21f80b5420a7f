"""A ringfenced between callers, two next hops and others, and the calls of one fault through it."""

import json
import queue
import subprocess
import threading
import time

from bench.lib.machine import Unable, wait_until
from bench.speed import subjects
from e2e.lib import checks

CALLER, CALLEE = "127.0.0.1", "127.0.0.2"
FLOODER, FLOODED = "127.0.0.3", "127.0.0.4"  # a trunk that sends too much, and where its calls go
STRANGER = "127.0.0.5"  # nobody's
PROXY = "127.0.0.1:5060"
NUMBERS = 100_000  # of callers, all held
RING_MS, HOLD_MS = 100, 500
HOPS = 2


class Stage(subjects.Ringfence):
    """Defaults wherever a fault asks for nothing else, but that a target that comes back is
    noticed and loaded within the run."""

    name = "faults"
    workers = 0

    def __init__(self, transport="udp", hops=HOPS, flooder_rate=0, **changes):
        super().__init__(processors=None, numbers_held=NUMBERS, changes=changes)
        self.transport = transport
        self.hops = hops
        self.flooder_rate = flooder_rate

    def settings(self):
        suffix = "" if self.transport == "udp" else f";transport={self.transport}"
        common = {"country": "CN", "area_code": "10"}
        limits = {"limits": {"rate": self.flooder_rate}} if self.flooder_rate else {}
        return {
            **super().settings(),
            "listen": [{"address": PROXY, "transport": transport}
                       for transport in dict.fromkeys(("udp", self.transport))],
            "trunks": [
                {"name": "carrier", "sources": [CALLER], "targets": [f"{CALLER}:7000{suffix}"],
                 **common},
                {"name": "core", "sources": [CALLEE], "trusted": True,
                 "targets": [f"{CALLEE}:{5080 + hop}{suffix}" for hop in range(self.hops)],
                 "health": {"probe_down": "500ms", "slow_start": "2s"}, **common},
                {"name": "flooder", "sources": [FLOODER], "targets": [f"{FLOODER}:7000"],
                 **limits, **common},
                {"name": "flooded", "sources": [FLOODED], "targets": [f"{FLOODED}:5080"], **common},
            ],
            "routes": [{"from": "carrier", "to": "core"}, {"from": "core", "to": "carrier"},
                       {"from": "flooder", "to": "flooded"}, {"from": "flooded", "to": "flooder"}],
            "drain": "20s",
            **self.options["changes"],
        }

    def cli(self, *words, seconds=60):
        """(exit status, output) of the command `ringfence`."""
        done = subprocess.run(
            [checks.program("ringfence"), "--config", self.folder.file("ringfence.yaml"), *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds,
            check=False)
        return done.returncode, done.stdout.strip()

    def must(self, *words):
        """A command of which nothing but success is expected."""
        status, text = self.cli(*words)
        if status != 0:
            raise Unable(f"ringfence {' '.join(words)}: exit status {status}: {text}")

    def generator(self, name, rate, *more):
        words = [subjects.tool("generator"), "--rate", f"{rate:g}", "--seconds", 3600, "--steer",
                 "--ring", RING_MS, "--hold", HOLD_MS, "--proxy", PROXY, *more]
        if self.transport != "udp":
            words.append(f"--{self.transport}")
        return Calls(self.folder.start(name, words, network=self.network, pipe=True))

    def calls(self, rate, *more):
        return self.generator("calls", rate, "--failures", "--listed", 1, "--callers",
                              NUMBERS, "--callees", self.hops,
                              "--drain", 40, "--caller", f"{CALLER}:7000", "--callee",
                              f"{CALLEE}:5080", *more)

    def flood(self, rate, caller, *more):
        return self.generator("flood", rate, "--listed", 0, "--drain", 2, "--caller",
                              f"{caller}:7000", "--callee", f"{FLOODED}:5080", *more)


class Calls:
    """A generator that is steered."""

    def __init__(self, program):
        self.program = program
        self.failed = []
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for text in self.program.child.stdout:
            line = json.loads(text)
            if line["event"] == "failed":
                self.failed.append(line)
            else:
                self.lines.put(line)
        self.lines.put(None)

    def command(self, *words):
        self.program.child.stdin.write(" ".join(map(str, words)) + "\n")
        self.program.child.stdin.flush()

    def _next(self, event, seconds):
        end = time.monotonic() + seconds
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise Unable(f"the generator ended early:\n{self.program.tail()}")
            if line["event"] == event:
                return line

    def mark(self):
        """Counts up to now, and delays since the last mark."""
        self.command("mark")
        return self._next("mark", 30)

    def finish(self):
        """No more calls are placed; the results when all have ended."""
        self.command("end")
        return self._next("result", 120)

    def wait_started(self, count):
        wait_until(lambda: self.mark()["started"] >= count, 30, "calls are placed", every=0.1)
