"""Processes on processors and in network namespaces of their own, and what they use."""

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from e2e.lib.site import kill_those_of

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
IFF_UP = 1
PR_SET_PDEATHSIG = 1
TICK = 1 / os.sysconf("SC_CLK_TCK")

_libc = ctypes.CDLL(None, use_errno=True)


class Unable(Exception):
    """What cannot be measured here; the text says why and what to do."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def _must(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


class Network:
    """A network namespace with nothing but loopback; it lives as long as the object."""

    def __init__(self):
        if os.geteuid() != 0:
            raise Unable("a network namespace needs root: run it with sudo")
        ready, tell = os.pipe()
        wait, release = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                _must(_libc.unshare(CLONE_NEWNET), "unshare")
                self._loopback_up()
                os.write(tell, b"1")
                os.close(release)
                os.read(wait, 1)
                status = 0
            finally:
                os._exit(status)
        os.close(tell)
        os.close(wait)
        made = os.read(ready, 1)
        if made:
            self.descriptor = os.open(f"/proc/{child}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        os.close(release)
        os.close(ready)
        os.waitpid(child, 0)
        if not made:
            raise Unable("this system allows no network namespace (unshare -n fails)")

    @staticmethod
    def _loopback_up():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            request = struct.pack("16sh14x", b"lo", 0)
            flags = struct.unpack("16sh14x", fcntl.ioctl(link, SIOCGIFFLAGS, request))[1]
            fcntl.ioctl(link, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))

    def enter(self):
        """For the calling process; meant for a child before it becomes a program."""
        _must(_libc.setns(self.descriptor, CLONE_NEWNET), "setns")

    @contextlib.contextmanager
    def inside(self):
        """The calling thread, and all that it starts meanwhile."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.enter()
        try:
            yield
        finally:
            _must(_libc.setns(before, CLONE_NEWNET), "setns")
            os.close(before)

    def close(self):
        os.close(self.descriptor)


class Program:
    """A child in a namespace on given processors; dies with us. Output goes to a file of the
    folder, or to us with pipe=True."""

    def __init__(self, folder, name, command, network=None, processors=None, pipe=False,
                 environment=None):
        def prepare():
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if network is not None:
                network.enter()
            if processors is not None:
                os.sched_setaffinity(0, processors)

        self.name = name
        self.log_path = os.path.join(folder, f"{name}.log")
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(
                [str(word) for word in command], cwd=folder, text=True,
                env={**os.environ, **(environment or {})}, preexec_fn=prepare,
                stdin=subprocess.PIPE if pipe else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipe else log, stderr=log)
        self.pid = self.child.pid

    def running(self):
        return self.child.poll() is None

    def stop(self, number=signal.SIGTERM, seconds=5):
        """Asks, waits, and then insists."""
        if self.running():
            self.child.send_signal(signal.SIGCONT)
            self.child.send_signal(number)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                for pid in reversed(family(self.pid)):
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                self.child.wait()
        for stream in (self.child.stdin, self.child.stdout):
            if stream is not None:
                stream.close()

    def tail(self, lines=15):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-lines:])


class Folder:
    """A scratch folder and the programs started in it; all gone at close()."""

    def __init__(self, prefix):
        self.path = tempfile.mkdtemp(prefix=prefix)
        self.programs = []

    def file(self, name):
        return os.path.join(self.path, name)

    def write(self, name, text):
        with open(self.file(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.file(name)

    def start(self, name, command, **options):
        program = Program(self.path, name, command, **options)
        self.programs.append(program)
        return program

    def close(self):
        for program in reversed(self.programs):
            program.stop()
        kill_those_of(self.path)
        shutil.rmtree(self.path, ignore_errors=True)


def wait_until(condition, seconds, what, every=0.02):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Unable(f"{what}: not within {seconds:g} s")
        time.sleep(every)


def _idle_ticks(processor):
    fields = _read("/proc/stat").split(f"cpu{processor} ")[1].split()
    return int(fields[3]) + int(fields[4])


def is_idle(processor, seconds=0.2):
    """Whether nine tenths of the next `seconds` are idle there."""
    before, begun = _idle_ticks(processor), time.monotonic()
    time.sleep(seconds)
    return (_idle_ticks(processor) - before) * TICK >= 0.9 * (time.monotonic() - begun) - TICK


def _read(path):
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()


def family(pid):
    """A process with all its descendants."""
    found = [pid]
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in _read(f"/proc/{pid}/task/{task}/children").split():
                found += family(int(child))
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


class Usage:
    """Processor time of processes with all their threads, at one moment. `run` and `wait` (ready,
    but another had the processor) are exact; user and system time come in ticks, and only their
    proportion is used."""

    def __init__(self, pids):
        self.threads = {}
        for pid in pids:
            for member in family(pid):
                self._add(member)

    def _add(self, pid):
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                place = f"/proc/{pid}/task/{task}"
                run, wait = (int(word) for word in _read(f"{place}/schedstat").split()[:2])
                fields = _read(f"{place}/stat").rsplit(")", 1)[1].split()
                self.threads[int(task)] = (run / 1e9, wait / 1e9, int(fields[11]) * TICK,
                                           int(fields[12]) * TICK)
        except (FileNotFoundError, ProcessLookupError):
            pass

    def since(self, earlier):
        """Seconds from the earlier moment to this one."""
        nothing = (0, 0, 0, 0)
        rows = [[now - before for now, before in zip(row, earlier.threads.get(task, nothing))]
                for task, row in self.threads.items()]
        run, wait, user, system = (sum(column) for column in zip(*rows)) if rows else nothing
        ticks = user + system
        share = user / ticks if ticks > 0 else 0
        return {"run": run, "wait": wait, "user": run * share, "system": run * (1 - share)}

    def threads_since(self, earlier):
        """Seconds that each thread ran, by its id."""
        return {task: row[0] - earlier.threads.get(task, (0,))[0]
                for task, row in self.threads.items()}


def memory(pids):
    """Bytes of memory of processes and their descendants; what they share counts once (PSS)."""
    total = 0
    for pid in pids:
        for member in family(pid):
            try:
                for line in _read(f"/proc/{member}/smaps_rollup").splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1]) * 1024
            except (FileNotFoundError, ProcessLookupError):
                pass
    return total


def describe():
    """What the figures were measured on."""
    model = "unknown"
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {"processor": model, "processors": os.cpu_count(), "kernel": os.uname().release,
            "receive_buffer_limit": int(_read("/proc/sys/net/core/rmem_max"))}
