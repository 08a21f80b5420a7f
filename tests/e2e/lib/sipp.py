"""SIPp (Debian: sip-tester) for load."""

import csv
import os
import shutil
import signal
import socket
import time

from . import checks
from .site import Process, settle

SCENARIOS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sipp")

# For a daemon between SIPps: its called side takes an INVITE that comes again, because it was slow to
# answer, for a new message, and hangs up.
T1_AS_IN_LIFE = {"t1": "500ms"}

# For a trunk whose target is a SIPp: to that, the OPTIONS that asks whether it has come back is a
# call that fails, and some scenarios do not answer.
NEVER_DOWN = {"failures": 1000}


def _listens(host, port, streams):
    """Whether a process of this machine takes what is sent there."""
    wanted = [f"{int.from_bytes(socket.inet_aton(host), 'little'):08X}:{port:04X}",
              "0A" if streams else "07"]
    with open(f"/proc/net/{'tcp' if streams else 'udp'}", encoding="ascii") as table:
        return any(line.split()[1:4:2] == wanted for line in table)


class Sipp:
    """One SIPp process. scenario: "uac" or "uas" (SIPp's own) or a file of tests/e2e/sipp."""

    def __init__(self, site, name, scenario, host, *arguments, remote=None, port=5060, keys=None):
        if shutil.which("sipp") is None:
            raise checks.Skip("sipp is not installed (Debian: sip-tester)")
        self.statistics = site.path(f"{name}.csv")
        self.errors = site.path(f"{name}.errors")
        own = scenario in ("uac", "uas")
        command = ["sipp", *(["-sn", scenario] if own else
                             ["-sf", os.path.join(SCENARIOS, scenario)]),
                   "-i", host, "-p", str(port), "-nostdin", "-trace_stat", "-stf", self.statistics,
                   "-fd", "1", "-trace_err", "-error_file", self.errors, "-trace_error_codes",
                   "-buff_size", "8388608", "-timeout_error"]
        for key, value in (keys or {}).items():
            command += ["-key", key, value]
        command += [str(argument) for argument in arguments]
        if remote:
            command.append(f"{remote[0]}:{remote[1]}")
        # SIPp draws a screen into its output; TERM=dumb keeps it plain.
        self.process = Process(site, name, command, {"TERM": "dumb"})
        if not remote:  # a call that came before it is ready would be refused
            checks.wait_for(lambda: not self.process.running() or
                            _listens(host, port, "t1" in arguments), 10)

    def wait(self, seconds):
        """Runs to its end; the exit status (0: no call failed), None when it did not end."""
        status = self.process.wait(seconds)
        if status is None:
            self.process.kill()
        return status

    def finish(self, seconds):
        """Starts no more calls and waits until those under way have ended, as `wait` does."""
        self.process.signal(signal.SIGUSR1)
        return self.wait(seconds)

    def numbers(self):
        """The last row of the statistics."""
        try:
            with open(self.statistics, encoding="latin-1") as file:
                rows = list(csv.DictReader(file, delimiter=";"))
        except OSError:
            rows = []
        return rows[-1] if rows else {}

    def count(self, name):
        return int(self.numbers().get(name) or 0)

    @property
    def created(self):
        return self.count("TotalCallCreated")

    @property
    def successful(self):
        return self.count("SuccessfulCall(C)")

    @property
    def failed(self):
        return self.count("FailedCall(C)")

    def problems(self):
        """What it complained of, shortened."""
        try:
            with open(self.errors, encoding="utf-8", errors="replace") as file:
                return file.read()[:3000]
        except OSError:
            return self.process.log()[-1500:]


def check_load(client, seconds, calls, text):
    """Waits for a client and checks that every call completed."""
    status = client.wait(seconds)
    good = status == 0 and client.successful == calls and client.failed == 0
    return checks.check(good, text,
                        f"exit status {status}, {client.created} created, {client.successful} "
                        f"successful, {client.failed} failed of {calls}\n{client.problems()}")


# Addresses of the site that traffic comes from and goes to.
TRAFFIC_CALLER = 5
TRAFFIC_CALLEE = 6
TRAFFIC_SECONDS = 3


class Traffic:
    """Calls at a modest rate on trunks of their own, beside what a case does by hand. Pass
    settings() to the daemon, then start."""

    def __init__(self, site, daemon, rate=50):
        self.daemon = daemon
        self.begun = time.monotonic()
        self.server = Sipp(site, "traffic-uas", "uas", site.address(TRAFFIC_CALLEE))
        self.client = Sipp(site, "traffic-uac", "uac", site.address(TRAFFIC_CALLER), "-r", rate,
                           "-m", 1000000, "-l", 20000, remote=daemon.address)

    @staticmethod
    def settings(site, trunk):
        """Trunks and routes of a daemon; trunk: daemon.trunk."""
        return {
            "trunks": [trunk("carrier", site.address(1)),
                       trunk("core", site.address(2), trusted=True),
                       trunk("many", site.address(TRAFFIC_CALLER), health=NEVER_DOWN),
                       trunk("sink", site.address(TRAFFIC_CALLEE), trusted=True,
                             health=NEVER_DOWN)],
            "routes": [{"from": "many", "to": "sink"}, {"from": "sink", "to": "many"},
                       {"from": "core", "to": "carrier"}, {"to": "core"}],
            "limits": T1_AS_IN_LIFE,
        }

    def end(self, text, degraded=False):
        """Ends it; a check that no call failed, and none was judged without its inputs."""
        # However short the case was, more than a few calls went on beside it.
        settle(max(0, self.begun + TRAFFIC_SECONDS - time.monotonic()))
        client = self.client
        status = client.finish(8)
        checks.check(status is not None and client.created > 20 and client.failed == 0
                     and client.successful == client.created, text.format(client.created),
                     f"exit status {status}, {client.created} created, {client.successful} "
                     f"successful, {client.failed} failed\n{client.problems()}")
        if not degraded:
            checks.equal(self.daemon.total("verdicts_degraded"), 0, "and none judged degraded")
