"""Private redis-servers, sentinels and clusters, and just enough of their protocol."""

import shutil
import signal
import socket

from . import checks
from .site import Process


class Refused(checks.Failure):
    """An error reply."""


class Redis:
    """A redis-server on a Unix socket (and a TCP port when given) of the site."""

    login = None  # user and password

    def __init__(self, site, name="redis", port=0, start=True, host=None, options=(), login=None):
        self.site = site
        self.name = name
        self.port = port
        self.host = host or site.address(1)
        self.path = site.path(f"{name}.sock")
        self.options = list(options)
        self.login = login or self.login
        self.process = None
        if shutil.which("redis-server") is None:
            raise checks.Skip("redis-server is not installed")
        if start:
            self.start()

    @property
    def place(self):
        return f"{self.host}:{self.port}"

    def start(self):
        self.launch()
        if not checks.wait_for(self.answers, 10):
            raise checks.Failure(f"redis-server did not start:\n{self.process.log()}")

    def launch(self):
        command = ["redis-server", "--port", str(self.port), "--unixsocket", self.path, "--save",
                   "", "--appendonly", "no", "--dir", self.site.folder, "--daemonize", "no",
                   "--dbfilename", f"{self.name}.rdb"]
        if self.port:
            # Its links to others come from there too: on loopback the kernel would take 127.0.0.1,
            # which is also all that protected mode would let in.
            command += ["--bind", self.host, "--bind-source-addr", self.host, "--protected-mode",
                        "no"]
            if ":" not in self.host:
                command += ["--replica-announce-ip", self.host, "--cluster-announce-ip", self.host]
        self.process = Process(self.site, self.name, command + self.options)

    def answers(self):
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
            stream = link.makefile("rb")
            if self.login:
                link.sendall(_encode(("AUTH", *self.login)))
                _decode(stream)
            link.sendall(b"".join(_encode(words) for words in commands))
            return [_decode(stream) for _ in commands]

    def role(self):
        """b"master", b"slave", or b"" when it does not say: not running, or changing its part, at
        which a sentinel cuts every client off."""
        return self._role()[0]

    def follows(self):
        """Whether it is a replica whose link to its master stands."""
        words = self._role()
        return words[0] == b"slave" and words[3] == b"connected"

    def _role(self):
        try:
            return self("ROLE") if self.process.running() else [b""]
        except OSError:
            return [b""]

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
    if not line:
        raise ConnectionResetError("the server closed the connection")
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
    raise Refused(line.decode("utf-8", "replace").strip())


class Sentinel(Redis):
    """A sentinel that watches a master."""

    def __init__(self, site, name, host, master, quorum=2):
        self.master = master
        self.quorum = quorum
        super().__init__(site, name, 26379, True, host)

    def launch(self):
        config = self.site.path(f"{self.name}.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(f"port {self.port}\nbind {self.host}\nunixsocket {self.path}\n"
                       f"dir {self.site.folder}\nbind-source-addr {self.host}\n"
                       "protected-mode no\n"
                       f"sentinel announce-ip {self.host}\n"
                       f"sentinel monitor calls {self.master.host} {self.master.port} {self.quorum}\n"
                       "sentinel down-after-milliseconds calls 500\n"
                       "sentinel failover-timeout calls 2000\n")
        self.process = Process(self.site, self.name, ["redis-server", config, "--sentinel"])


class Group:
    """A master, two replicas and three sentinels."""

    def __init__(self, site, sentinels=3):
        self.servers = [Redis(site, f"redis{i}", 6379, False, site.address(21 + i),
                              ["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
                               "--min-replicas-to-write", "0"]) for i in range(3)]
        for server in self.servers:
            server.start()
        for server in self.servers[1:]:
            server("REPLICAOF", self.servers[0].host, 6379)
        self.wait_replicas()
        self.sentinels = [Sentinel(site, f"sentinel{i}", site.address(31 + i), self.servers[0])
                          for i in range(sentinels)]
        if sentinels > 1:
            checks.wait_for(lambda: all(self.sees(s) for s in self.sentinels), 10)

    def sees(self, sentinel):
        words = sentinel("SENTINEL", "MASTER", "calls")
        facts = dict(zip(words[::2], words[1::2]))
        return (facts[b"num-other-sentinels"] == b"%d" % (len(self.sentinels) - 1)
                and facts[b"num-slaves"] == b"2")

    def wait_replicas(self):
        for server in self.servers:
            if server.role() == b"slave":
                checks.wait_for(server.follows, 10)

    def master(self):
        return next(server for server in self.servers
                    if server.role() == b"master")

    def fail_over(self):
        """By hand. A sentinel on a busy machine may hold no replica for good enough, or give up
        half way; it is asked again until another server is the master, which is returned. The old
        one may call itself master for a moment longer."""
        old = self.master()

        def others():
            return [server for server in self.servers
                    if server is not old and server.role() == b"master"]

        for _ in range(5):
            try:
                self.sentinels[0]("SENTINEL", "FAILOVER", "calls")
            except Refused as refused:
                print(f"    {refused}")
            if checks.wait_for(others, 4):
                return others()[0]
        raise checks.Failure("the sentinels did not fail over")

    def places(self):
        return [sentinel.place for sentinel in self.sentinels]


def _crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021) & 0xffff if crc & 0x8000 else crc << 1
    return crc


def slot(key):
    """The slot of a key without hash tag."""
    return _crc16(key.encode()) % 16384


class Cluster:
    """Nodes at consecutive addresses of the site, the first three of them masters."""

    MASTERS = 3

    def __init__(self, site, first=21, count=6):
        self.site = site
        self.nodes = []
        for i in range(count):
            self.add_node(first + i)
        for node in self.nodes:
            wait_ready(node)
        self._join()

    def add_node(self, number):
        node = Redis(self.site, f"node{number}", 6379, False, self.site.address(number),
                     ["--cluster-enabled", "yes", "--cluster-config-file", f"node{number}.nodes",
                      "--cluster-node-timeout", str(int(1000 * checks.SLOW)),
                      "--repl-ping-replica-period", "1", "--repl-diskless-sync-delay", "0",
                      "--cluster-replica-validity-factor", "0"])
        node.launch()
        self.nodes.append(node)
        return node

    def _join(self):
        share = 16384 // self.MASTERS + 1
        for i, node in enumerate(self.nodes):
            if i < self.MASTERS:
                node("CLUSTER", "ADDSLOTSRANGE", i * share, min(16383, (i + 1) * share - 1))
            node("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        for node in self.nodes[1:]:
            node("CLUSTER", "MEET", self.nodes[0].host, self.nodes[0].port)
        if not checks.wait_for(lambda: all(self._known(n) == len(self.nodes) for n in self.nodes),
                               10):
            raise checks.Failure("the cluster's nodes did not meet")
        for i, node in enumerate(self.nodes[self.MASTERS:]):
            node("CLUSTER", "REPLICATE", self.nodes[i % self.MASTERS]("CLUSTER", "MYID"))
        if not checks.wait_for(self.whole, 10):
            raise checks.Failure("the cluster did not become whole:\n" +
                                 self.nodes[0]("CLUSTER", "NODES").decode())

    @staticmethod
    def _known(node):
        return node("CLUSTER", "NODES").count(b"\n")

    def whole(self):
        """All living nodes agree that all is well and replicas are in step."""
        for node in self.nodes:
            if not node.process.running():
                continue
            if b"cluster_state:ok" not in node("CLUSTER", "INFO"):
                return False
            role = node("ROLE")
            if role[0] == b"slave" and role[3] != b"connected":
                return False
        return True

    def places(self):
        return [node.place for node in self.nodes]

    def at(self, place):
        host = place.rsplit(":", 1)[0]
        return next(node for node in self.nodes if node.host == host)

    def owner(self, number, asked=None):
        """The master of a slot, as a living node sees it."""
        asked = asked or next(node for node in self.nodes if node.process.running())
        for first, last, master, *_ in asked("CLUSTER", "SLOTS"):
            if first <= number <= last:
                return self.at(f"{master[0].decode()}:{master[1]}")
        raise checks.Failure(f"slot {number} has no owner")

    def __call__(self, command, key, *words):
        """A command on a key, wherever it is."""
        node, before = self.owner(slot(key)), []
        for _ in range(5):
            try:
                return node.pipeline(before + [(command, key, *words)])[-1]
            except Refused as refused:
                kind, *rest = str(refused).lstrip("-").split()
                if kind not in ("MOVED", "ASK"):
                    raise
                node = self.at(rest[1])
                before = [("ASKING",)] if kind == "ASK" else []
        raise checks.Failure(f"{key}: sent from node to node")

    def fill(self, entries):
        """entries: key to the words of HSET."""
        by_node = {}
        ranges = [(first, last, self.at(f"{master[0].decode()}:{master[1]}"))
                  for first, last, master, *_ in self.nodes[0]("CLUSTER", "SLOTS")]
        for key, words in entries.items():
            number = slot(key)
            node = next(node for first, last, node in ranges if first <= number <= last)
            by_node.setdefault(node.name, (node, []))[1].append(("HSET", key, *words))
        for node, commands in by_node.values():
            node.pipeline(commands)

    def begin_move(self, number, to):
        """Slot `number` is on its way to another node; no key has gone yet."""
        source = self.owner(number)
        to("CLUSTER", "SETSLOT", number, "IMPORTING", source("CLUSTER", "MYID"))
        source("CLUSTER", "SETSLOT", number, "MIGRATING", to("CLUSTER", "MYID"))
        return source

    @staticmethod
    def move_keys(number, source, to):
        keys = source("CLUSTER", "GETKEYSINSLOT", number, 1000)
        if keys:
            source("MIGRATE", to.host, to.port, "", 0, 5000, "KEYS", *keys)
        return keys

    def end_move(self, number, to):
        name = to("CLUSTER", "MYID")
        to("CLUSTER", "SETSLOT", number, "NODE", name)
        for node in self.nodes:
            if node is not to and node.role() == b"master":
                node("CLUSTER", "SETSLOT", number, "NODE", name)

    def move(self, number, to):
        source = self.begin_move(number, to)
        self.move_keys(number, source, to)
        self.end_move(number, to)


def wait_ready(redis):
    if not checks.wait_for(redis.answers, 10):
        raise checks.Failure(f"{redis.name} did not start:\n{redis.process.log()}")
