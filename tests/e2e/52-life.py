#!/usr/bin/env python3
"""Drain by command and back, what the service manager is told, and the watchdog.

The daemon's threads are stopped one by one with ptrace(2), as if they hung.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import time

from lib import checks, sip
from lib.checks import SLOW, case, check, equal
from lib.daemon import CALLEE, CALLER, Daemon
from lib.site import Site, settle

PTRACE_INTERRUPT = 0x4207
PTRACE_SEIZE = 0x4206
PTRACE_DETACH = 17
_libc = ctypes.CDLL(None, use_errno=True)


class Manager:
    """Listens where systemd would."""

    def __init__(self, site):
        self.path = site.path("notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        site.sockets.append(self.socket)

    @contextlib.contextmanager
    def watching(self, watchdog=None):
        """Programs started within find it; watchdog: seconds."""
        os.environ["NOTIFY_SOCKET"] = self.path
        if watchdog is not None:
            os.environ["WATCHDOG_USEC"] = str(int(watchdog * 1000000))
        try:
            yield
        finally:
            os.environ.pop("NOTIFY_SOCKET")
            os.environ.pop("WATCHDOG_USEC", None)

    def next(self, seconds=3):
        self.socket.settimeout(seconds * SLOW)
        try:
            return self.socket.recv(4096).decode()
        except TimeoutError:
            return None

    def expect(self, word, seconds=5):
        """The next message that says the word; None when none does."""
        end = time.monotonic() + seconds * SLOW
        while time.monotonic() < end:
            said = self.next((end - time.monotonic()) / SLOW)
            if said is not None and word in said:
                return said
        return None


class Stopped:
    """A thread that does not run while this is entered."""

    def __init__(self, pid, name):
        self.thread = next(int(task) for task in os.listdir(f"/proc/{pid}/task")
                           if self._name(pid, task) == name)

    @staticmethod
    def _name(pid, task):
        with open(f"/proc/{pid}/task/{task}/comm", encoding="ascii") as file:
            return file.read().strip()

    def _ptrace(self, request):
        if _libc.ptrace(request, self.thread, None, None) != 0:
            raise checks.Skip(f"ptrace is not allowed: {os.strerror(ctypes.get_errno())}")

    def __enter__(self):
        self._ptrace(PTRACE_SEIZE)
        self._ptrace(PTRACE_INTERRUPT)
        os.waitpid(self.thread, 0x40000000)  # __WALL

    def __exit__(self, *_):
        self._ptrace(PTRACE_DETACH)


@case("drain by command, and back")
def drain():
    with Site() as site:
        daemon = Daemon(site, drain="30s", limits={"t1": "50ms"})
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        up = sip.Caller(a, daemon.address)
        sip.talk(up, b)
        status, text = daemon.cli("drain")
        check(status == 0 and "1 calls" in text, "`ringfence drain` tells what is under way", text)
        state = daemon.status()
        equal((state["mode"], state["stopping"]), ("draining", False),
              "the status says draining, and that it stays")
        caller = sip.Caller(a, daemon.address).call()
        answer = caller.expect(503)
        caller.ack_refusal(answer)
        check(answer.header("Retry-After"), "a new call gets 503 with Retry-After")
        status, text = daemon.cli("drain", "--wait", "300ms")
        check(status == 1 and "are left" in text, "--wait ends with status 1 while a call is left",
              text)
        sip.hang_up(up, b)
        status, text = daemon.cli("drain", "--wait", "10s")
        equal(status, 0, "and with 0 when none is")
        settle(0.3)
        check(daemon.process.running(), "the daemon stays")

        status, text = daemon.cli("undrain")
        equal((status, daemon.status()["mode"]), (0, "inline"), "`ringfence undrain` ends it")
        again = sip.Caller(a, daemon.address)
        sip.talk(again, b)
        sip.hang_up(again, b)
        check(True, "and new calls pass")

        up = sip.Caller(a, daemon.address)
        sip.talk(up, b)
        daemon.cli("drain")
        daemon.process.signal(signal.SIGTERM)
        checks.wait_for(lambda: daemon.status()["stopping"], 3,
                        "SIGTERM while it drains: the status says that it stops")
        status, text = daemon.cli("undrain")
        check(status == 1 and "told to stop" in text, "that is not taken back", text)
        sip.hang_up(up, b)
        equal(daemon.process.wait(8), 0, "it stops when the last call has ended")


@case("what systemd is told")
def told():
    with Site() as site:
        manager = Manager(site)
        with manager.watching():
            daemon = Daemon(site, drain="30s")
        equal(manager.next(), "READY=1\nSTATUS=Serving", "ready, and serving")
        daemon.cli("reload")
        said = manager.expect("RELOADING=1")
        check(said is not None and "MONOTONIC_USEC=" in said, "a reload begins", said)
        check(manager.expect("READY=1"), "and ends")
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        up = sip.Caller(a, daemon.address)
        sip.talk(up, b)
        daemon.cli("drain")
        said = manager.expect("STATUS=Draining")
        check(said is not None and "1 calls" in said, "drain: how many calls are left", said)
        daemon.cli("undrain")
        check(manager.expect("STATUS=Serving"), "and that it serves again")
        daemon.process.signal(signal.SIGTERM)
        check(manager.expect("STOPPING=1"), "SIGTERM: stopping")
        check(manager.expect("STATUS=Stopping"), "and what it waits for")
        sip.hang_up(up, b)
        equal(daemon.process.wait(8), 0, "it stops in order")


@case("the watchdog")
def watchdog():
    with Site() as site:
        manager = Manager(site)
        with manager.watching(watchdog=1):
            daemon = Daemon(site)
        check(manager.expect("WATCHDOG=1"), "a daemon whose workers turn feeds the watchdog")
        with Stopped(daemon.process.pid, "worker-1"):
            starved = checks.wait_for(lambda: manager.next(1.2) is None, 20)
            check(starved, "one worker that hangs: the watchdog is not fed any more")
            check("worker 1 has not ended its turn" in daemon.log(), "the log names it",
                  daemon.log())
            equal(daemon.status()["mode"], "inline", "the control socket still answers")
        check(manager.expect("WATCHDOG=1"), "it turns again: the watchdog is fed again")
        with Stopped(daemon.process.pid, "replica"):
            fed = [manager.expect("WATCHDOG=1", 2) for _ in range(8)]
            check(all(fed), "a service thread that hangs is no reason to end calls", fed)
        daemon.stop()


@case("the unit file")
def unit():
    program = shutil.which("systemd-analyze")
    if program is None:
        raise checks.Skip("systemd-analyze is not installed")
    with Site() as site:
        source = os.path.join(checks.TOP, "debian", "ringfence.ringfenced.service")
        with open(source, encoding="utf-8") as file:
            text = file.read()
        # So that its programs exist.
        for name in ("/usr/bin/ringfence", "/usr/sbin/ringfenced"):
            text = text.replace(name, checks.program(os.path.basename(name)))
        path = site.write("ringfenced.service", text)
        status, output = site.run([program, "verify", "--man=no", path], 30)
        check(status == 0 and "ringfenced.service" not in output, "systemd-analyze verify finds nothing",
              output)
        status, output = site.run([program, "security", "--offline=true", "--threshold=20",
                                   "--no-pager", path], 30)
        equal(status, 0, "systemd-analyze security: at most 2.0")
        print("    " + output.strip().splitlines()[-1])


checks.main(limit=60)
