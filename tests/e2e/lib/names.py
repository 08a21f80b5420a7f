"""DNS servers for tests: nsd, which is in earnest, and one that does what a test wants."""

import os
import shutil
import signal
import socket
import struct
import threading

from . import checks
from .site import Process

PORT = 5353
TYPES = {"A": 1, "CNAME": 5, "SOA": 6, "AAAA": 28, "SRV": 33, "NAPTR": 35}


class Nsd:
    """An authoritative server of one zone; records as in a zone file."""

    def __init__(self, site, address, zone, records, ttl=1):
        self.program = shutil.which("nsd", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if self.program is None:
            raise checks.Skip("nsd is not installed (scripts/install-deps --check)")
        self.site, self.zone, self.ttl, self.serial = site, zone, ttl, 1
        self.address = (address, PORT)
        self.process = None
        self.change(records)
        self.configuration = site.write("nsd.conf", f"""server:
  ip-address: {address}@{PORT}
  username: ""
  database: ""
  zonesdir: "{site.folder}"
  pidfile: "{site.path('nsd.pid')}"
  zonelistfile: "{site.path('nsd.list')}"
  xfrdfile: "{site.path('nsd.xfrd')}"
  xfrdir: "{site.folder}"
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: {zone}
  zonefile: zone
""")

    def change(self, records):
        """New records; a running server takes them with SIGHUP."""
        self.site.write("zone", f"$ORIGIN {self.zone}.\n$TTL {self.ttl}\n"
                        f"@ SOA ns hostmaster {self.serial} 3600 600 86400 {self.ttl}\n"
                        f"@ NS ns\nns A {self.address[0]}\n" + "\n".join(records) + "\n")
        self.serial += 1
        if self.process is not None:
            self.process.signal(signal.SIGHUP)

    def start(self):
        self.process = Process(self.site, "nsd",
                               [self.program, "-d", "-c", self.configuration])
        if not checks.wait_for(lambda: ask(self.address, self.zone, "SOA"), 10):
            raise checks.Failure(f"nsd does not answer:\n{self.process.log()}")
        return self

    def stop(self):
        self.process.kill()


def encode(name):
    return b"".join(bytes([len(label)]) + label.encode()
                    for label in name.rstrip(".").split(".") if label) + b"\0"


def question_of(data):
    """(name, type, bytes of the question)"""
    labels, at = [], 12
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
        at += 1 + data[at]
    number = struct.unpack_from(">H", data, at + 1)[0]
    kind = next((name for name, value in TYPES.items() if value == number), str(number))
    return ".".join(labels).lower(), kind, data[12:at + 5]


def record(name, kind, ttl, data):
    return encode(name) + struct.pack(">HHIH", TYPES[kind], 1, ttl, len(data)) + data


def a(name, address, ttl=1):
    return record(name, "A", ttl, socket.inet_aton(address))


def srv(name, priority, weight, port, target, ttl=1):
    return record(name, "SRV", ttl, struct.pack(">3H", priority, weight, port) + encode(target))


def reply(query, records=(), rcode=0, flags=0x8180):
    """A well-formed answer to a query."""
    _, _, question = question_of(query)
    return (query[:2] + struct.pack(">5H", flags | rcode, 1, len(records), 0, 0) + question +
            b"".join(records))


def ask(server, name, kind, seconds=1):
    """An answer's bytes, or None."""
    query = struct.pack(">6H", 4711, 0x100, 1, 0, 0, 0) + encode(name) + struct.pack(
        ">2H", TYPES[kind], 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(seconds)
        try:
            asker.sendto(query, server)
            return asker.recv(65535)
        except OSError:
            return None


class Liar:
    """A server by UDP and TCP whose answers are what `answer(query, tcp)` gives: a list of
    datagrams, or of messages by TCP; it may be replaced at any time."""

    def __init__(self, site, address, answer):
        self.answer = answer
        self.seen = []
        self.address = (address, PORT)
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(self.address)
        self.stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.stream.bind(self.address)
        self.stream.listen(16)
        site.sockets += [self.datagrams, self.stream]
        for serve in (self._serve_datagrams, self._serve_streams):
            threading.Thread(target=serve, daemon=True).start()

    def _serve_datagrams(self):
        while True:
            try:
                query, asker = self.datagrams.recvfrom(4096)
                self.seen.append(("udp",) + question_of(query)[:2])
                for data in self.answer(query, False):
                    self.datagrams.sendto(data, asker)
            except OSError:
                return

    def _serve_streams(self):
        while True:
            try:
                connection, _ = self.stream.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_stream, args=(connection,), daemon=True).start()

    def _serve_stream(self, connection):
        with connection:
            try:
                while (head := connection.recv(2, socket.MSG_WAITALL)):
                    query = connection.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL)
                    self.seen.append(("tcp",) + question_of(query)[:2])
                    for data in self.answer(query, True):
                        connection.sendall(struct.pack(">H", len(data)) + data)
            except OSError:
                return
