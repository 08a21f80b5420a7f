"""A daemon and those that come after it by hot upgrades."""

import ctypes
import os
import signal

from . import checks
from .checks import check
from .daemon import Daemon
from .site import REPORTED

# Successors are children of their predecessors; when these are gone, they are ours.
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


class Line:
    """A daemon and those that come after it."""

    def __init__(self, site, **changes):
        changes.setdefault("limits", {"t1": "50ms"})
        self.daemon = Daemon(site, **changes)
        self.pids = [self.daemon.process.pid]
        self.killed = set()

    @property
    def address(self):
        return self.daemon.address

    def upgrade(self, *options, seconds=60):
        """(exit status, what it said)"""
        return self.daemon.cli("upgrade", *options, seconds=seconds)

    def status(self):
        status = self.daemon.status()
        if status["pid"] not in self.pids:
            self.pids.append(status["pid"])
        return status

    def wait_alone(self, seconds=30):
        """True when no process before the one that serves is left."""
        return checks.wait_for(lambda: "predecessor" not in self.status(), seconds, every=0.1)

    def ends(self, pid, seconds=10):
        """The exit status of a successor; None when it is nobody's child any more."""
        found = ["it runs on"]

        def look():
            try:
                done, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                found[0] = None
                return True
            if done == pid:
                found[0] = os.waitstatus_to_exitcode(status)
            return done == pid
        checks.wait_for(look, seconds)
        return found[0]

    def kill(self, pid):
        """A process before the one that serves, which would go on for long."""
        self.killed.add(pid)
        os.kill(pid, signal.SIGKILL)

    def stop(self):
        """All in order: each process that served ended with status 0."""
        last = self.status()["pid"]
        os.kill(last, signal.SIGTERM)
        statuses = {pid: self.ends(pid) for pid in self.pids[1:]}
        statuses[self.pids[0]] = self.daemon.process.wait(30)
        log = self.daemon.log()
        check(all(status in (0, None) for pid, status in statuses.items()
                  if pid not in self.killed), "every process has ended in order",
              f"{statuses}\n{log[-3000:]}")
        check(not REPORTED.search(log), "and none complained", log[-3000:])
