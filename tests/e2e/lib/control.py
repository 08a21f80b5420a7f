"""Readers of the control and stats sockets."""

import json
import socket
import time

from . import checks


class Lines:
    """Lines of JSON over a Unix socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(5 * checks.SLOW)
        self.socket.connect(path)
        self.pending = b""

    def send(self, value):
        self.socket.sendall(json.dumps(value).encode() + b"\n")

    def next(self, seconds=5):
        """The next line as an object; None when none came in time or the other end closed."""
        end = time.monotonic() + seconds * checks.SLOW
        while b"\n" not in self.pending:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.socket.settimeout(left)
            try:
                read = self.socket.recv(1 << 20)
            except (socket.timeout, ConnectionError):
                return None
            if not read:
                return None
            self.pending += read
        line, self.pending = self.pending.split(b"\n", 1)
        return json.loads(line)

    def close(self):
        self.socket.close()


class Stats(Lines):
    """A reader of the stats socket."""

    def __init__(self, path, interval="100ms", events=False):
        super().__init__(path)
        self.hello = self.next()
        self.send({"interval": interval, "events": events})

    def counts(self, seconds=5):
        """The next line of counts."""
        return self.of_kind("counts", seconds)

    def event(self, seconds=5):
        return self.of_kind("event", seconds)

    def of_kind(self, kind, seconds=5):
        end = time.monotonic() + seconds * checks.SLOW
        while time.monotonic() < end:
            line = self.next((end - time.monotonic()) / checks.SLOW)
            if line is not None and line["kind"] == kind:
                return line
        return None


def command(path, name, **arguments):
    """A command on the control socket: (last line, lines before it)."""
    lines = Lines(path)
    try:
        lines.send({"command": name, "arguments": arguments})
        before = []
        while True:
            line = lines.next()
            if line is None:
                raise checks.Failure(f"no answer to the command {name}")
            if line.get("done") is True:
                return line, before
            before.append(line)
    finally:
        lines.close()
