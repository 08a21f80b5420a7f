"""A private redis-server, and just enough of its protocol."""

import shutil
import signal
import socket

from . import checks
from .site import Process


class Redis:
    """A redis-server on a Unix socket (and a TCP port when given) of the site."""

    def __init__(self, site, name="redis", port=0, start=True):
        self.site = site
        self.name = name
        self.port = port
        self.path = site.path(f"{name}.sock")
        self.process = None
        if shutil.which("redis-server") is None:
            raise checks.Skip("redis-server is not installed")
        if start:
            self.start()

    def start(self):
        command = ["redis-server", "--port", str(self.port), "--unixsocket", self.path, "--save",
                   "", "--appendonly", "no", "--dir", self.site.folder, "--daemonize", "no"]
        if self.port:
            command += ["--bind", self.site.address(1)]
        self.process = Process(self.site, self.name, command)
        if not checks.wait_for(self._answers, 10):
            raise checks.Failure(f"redis-server did not start:\n{self.process.log()}")

    def _answers(self):
        try:
            return self("PING") == b"PONG"
        except OSError:
            return False

    def __call__(self, *words):
        return self.pipeline([words])[0]

    def pipeline(self, commands):
        """Sends all, then reads all replies."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(10 * checks.SLOW)
            link.connect(self.path)
            link.sendall(b"".join(_encode(words) for words in commands))
            stream = link.makefile("rb")
            return [_decode(stream) for _ in commands]

    def kill(self):
        self.process.kill()

    def freeze(self):
        self.process.signal(signal.SIGSTOP)

    def thaw(self):
        self.process.signal(signal.SIGCONT)


def _encode(words):
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


def _decode(stream):
    line = stream.readline()
    kind, rest = line[:1], line[1:].rstrip()
    if kind == b"+":
        return rest
    if kind == b":":
        return int(rest)
    if kind == b"$":
        if int(rest) < 0:
            return None
        return stream.read(int(rest) + 2)[:-2]
    if kind == b"*":
        return [_decode(stream) for _ in range(int(rest))]
    raise checks.Failure(f"redis: {line!r}")
