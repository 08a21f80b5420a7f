"""A site: scratch folder, loopback addresses and processes of one case, all gone at its end."""

import ctypes
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from . import checks

# What a program of ours writes when it has found itself wrong. tests/run looks for the same, so
# that such a failure is final.
REPORTED = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|"
                      r"Assertion .* failed")

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def kill_those_of(folder):
    """Processes that those of the folder have left behind, as their command lines show: a daemon's
    successors, the children of a Kamailio."""
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                if entry.isdigit() and f"{folder}/".encode() in file.read():
                    os.kill(int(entry), signal.SIGKILL)
        except OSError:
            continue  # no process, or it has ended meanwhile


class Process:
    """A child with its output in a file of the site."""

    def __init__(self, site, name, command, environment=None, stdin=None):
        self.name = name
        self.is_ours = command[0].startswith(checks.BUILD)
        self.log_path = os.path.join(site.folder, f"{name}.log")
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(
                command, stdin=stdin or subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                cwd=site.folder, env={**os.environ, **(environment or {})},
                preexec_fn=_die_with_parent)
        site.processes.append(self)

    @property
    def pid(self):
        return self.child.pid

    def running(self):
        return self.child.poll() is None

    def signal(self, number):
        if self.running():
            self.child.send_signal(number)

    def wait(self, seconds):
        """The exit status, or None when it still runs."""
        try:
            return self.child.wait(seconds * checks.SLOW)
        except subprocess.TimeoutExpired:
            return None

    def kill(self):
        if self.running():
            self.child.kill()
        self.child.wait()

    def log(self):
        with open(self.log_path, "r", encoding="utf-8", errors="replace") as log:
            return log.read()


class Site:
    """with Site() as site: ..."""

    def __init__(self, prefix="rf-"):
        self.processes = []
        self.sockets = []
        self.folder = tempfile.mkdtemp(prefix=prefix)
        self.block = self._take_block()

    def _take_block(self):
        """A /24 of loopback that no other test has: whoever holds port 9 of its first address."""
        chooser = random.SystemRandom()
        for _ in range(100):
            block = f"127.{chooser.randrange(32, 250)}.{chooser.randrange(1, 250)}"
            lock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                lock.bind((f"{block}.1", 9))
            except OSError:
                lock.close()
                continue
            self.sockets.append(lock)
            return block
        raise checks.Failure("no free block of loopback addresses")

    def address(self, number):
        return f"{self.block}.{number}"

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".new", path)
        return path

    def run(self, command, seconds=10, data=None):
        """A command to its end: (status, output with errors)."""
        done = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=seconds * checks.SLOW, cwd=self.folder, check=False,
                              preexec_fn=_die_with_parent)
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def __enter__(self):
        return self

    def __exit__(self, kind, _value, _trace):
        for process in reversed(self.processes):
            process.kill()
        kill_those_of(self.folder)
        if kind is not None:
            self._show_logs()
        self._judge()
        for opened in reversed(self.sockets):
            opened.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return False

    def _judge(self):
        """However a case has gone: whether a program of ours has found itself wrong or crashed.
        From its beginning on, since what a report is of stands there."""
        for process in self.processes:
            if not process.is_ours:
                continue
            status = process.child.returncode
            if status < 0 and -status not in (signal.SIGKILL, signal.SIGTERM):
                checks.check(False, f"{process.name} does not crash", f"exit status {status}")
            log = process.log()
            report = REPORTED.search(log)
            if report:
                begun = log.rfind("\n", 0, report.start()) + 1
                checks.check(False, f"{process.name} reports nothing", log[begun:begun + 6000])

    def _show_logs(self):
        for process in self.processes:
            lines = process.log().splitlines()
            if lines:
                print(f"    ---- {process.name}")
                for line in lines[-20:]:
                    print(f"    {line[:300]}")


def settle(seconds):
    """A pause that is part of what is tested; scaled for slow builds."""
    time.sleep(seconds * checks.SLOW)
