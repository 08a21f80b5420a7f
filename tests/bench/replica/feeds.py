"""`ringfence number` with a whole feed: dry run, import, difference, export and back; time and peak
memory of the command, and of a daemon that follows meanwhile."""

import json
import os
import re
import subprocess
import tempfile
import time

from e2e.lib import checks
from e2e.lib.daemon import render

from bench.lib.machine import Unable, say, wait_until

PATIENCE = 900
SOURCE = "feed"
HEADER = "number,score,list,type,source,expires,note,since,case\n"


class Commands:
    """A Redis of its own, and the command on it."""

    def __init__(self, folder):
        self.folder = folder
        self.socket = os.path.join(folder, "redis.sock")
        self.control = os.path.join(folder, "control.sock")
        self.config = os.path.join(folder, "ringfence.yaml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(render({
                # No call comes; several of these may run at once.
                "listen": [{"address": f"127.{os.getpid() >> 8 & 255}.{os.getpid() & 255}.77:5060"}],
                "trunks": [{"name": "core", "sources": ["127.0.0.78"],
                            "targets": ["127.0.0.78:5060"], "country": "CN", "area_code": "10"}],
                "routes": [{"to": "core"}], "workers": 1, "pin_workers": False,
                "key_file": os.path.join(folder, "key"),
                "reputation": {"store": "redis", "socket": self.socket, "hold_percent": "100%",
                               "sources": [{"name": SOURCE, "weight": 2}]},
                "stats": {"socket": os.path.join(folder, "stats.sock")},
                "control": {"socket": self.control},
            }))
        self.processes = []
        self.begin(["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "",
                    "--appendonly", "no", "--dir", folder])
        wait_until(lambda: os.path.exists(self.socket), 10, "redis-server listens")

    def begin(self, command):
        with open(os.path.join(self.folder, os.path.basename(command[0]) + ".log"), "ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def end(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait(60)

    def number(self, *arguments):
        """What it said, its seconds and its peak memory."""
        say(f"  number {' '.join(os.path.basename(word) for word in arguments)}")
        command = [checks.program("ringfence"), "--config", self.config, "--json", "number",
                   *arguments]
        begun = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            output = process.stdout.read()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise Unable(f"ringfence number {' '.join(arguments)}: status {process.returncode}")
        said = json.loads(output) if output else {}
        return {"seconds": time.monotonic() - begun, "peak": used.ru_maxrss * 1024,
                "processor_s": used.ru_utime + used.ru_stime,
                **{key: said[key] for key in ("added", "changed", "removed", "unchanged")
                   if key in said}}


def write_feed(path, numbers, score):
    with open(path, "w", encoding="ascii") as file:
        file.write(HEADER)
        for first in range(numbers.start, numbers.stop, 100_000):
            file.writelines(
                f"+86{13000000000 + i * 7},{score(i)},block,loan-{i % 20},{SOURCE},,,"
                "2026-11-01T00:00:00Z,\n" for i in range(first, min(first + 100_000, numbers.stop)))


def digest(path):
    """The same for the same lines in any order."""
    with open(path, encoding="ascii") as file:
        return sum(map(hash, file))


def memory(process, field):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return int(re.search(rf"{field}:\s+(\d+)", status.read())[1]) * 1024


def follow(commands, work):
    """A daemon that has loaded, and what it takes while work() changes Redis."""
    daemon = commands.begin([checks.program("ringfenced"), "--config", commands.config])
    log = os.path.join(commands.folder, "ringfenced.log")

    def in_step():
        if daemon.poll() is not None:
            raise Unable(f"ringfenced ended: see {log}")
        with open(log, encoding="utf-8") as file:
            return "in step with" in file.read()
    wait_until(in_step, PATIENCE, "the daemon is loaded")
    loaded = {"resident": memory(daemon, "VmRSS"), "peak": memory(daemon, "VmHWM")}
    result = work()
    return result, {"loaded": loaded, "resident": memory(daemon, "VmRSS"),
                    "peak": memory(daemon, "VmHWM")}


def run(commands, count):
    path = {name: os.path.join(commands.folder, name) for name in ("one", "two", "out", "again")}
    part = count // 100
    write_feed(path["one"], range(count), lambda i: 50 + i % 50)
    # A hundredth has left, as many are new, as many say something else.
    write_feed(path["two"], range(part, count + part), lambda i: 50 + (i + (i % 100 == 0)) % 50)
    replace = ("import", "--replace-source", SOURCE)
    found = {"lines": count}
    found["dry_run"] = commands.number(*replace, "--dry-run", path["one"])
    found["import"] = commands.number(*replace, path["one"])
    found["again"] = commands.number(*replace, path["one"])
    found["difference"] = commands.number(*replace, "--dry-run", path["two"])
    found["next"], found["daemon"] = follow(commands,
                                            lambda: commands.number(*replace, path["two"]))
    found["export"] = commands.number("export", path["out"])
    if digest(path["out"]) != digest(path["two"]):
        raise Unable("the export is not what was imported")
    daemon = commands.processes.pop()
    daemon.terminate()
    daemon.wait(60)
    subprocess.run(["redis-cli", "-s", commands.socket, "FLUSHALL"], check=True,
                   stdout=subprocess.DEVNULL)
    found["import_export"] = commands.number("import", path["out"])
    found["export_again"] = commands.number("export", path["again"])
    found["equal"] = digest(path["again"]) == digest(path["out"])
    return found


def measure(count, _quick):
    with tempfile.TemporaryDirectory(prefix="bench-feeds-", dir=checks.BUILD) as folder:
        commands = Commands(folder)
        try:
            return run(commands, count)
        finally:
            commands.end()
