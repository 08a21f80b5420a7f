"""What is compared, each behind the same interface.

Every subject stands in a network namespace of its own, on 127.0.0.1:5060, between a caller on
127.0.0.1:7000 and a callee on 127.0.0.2:5080, and runs on the processor PROXY alone unless told
otherwise.
"""

import os
import re
import shutil
import signal
import socket
import subprocess

from e2e.lib import checks, control, redis
from e2e.lib.daemon import render

from bench.lib.machine import Folder, Network, Unable, Usage, family, memory, wait_until

from . import numbers

GENERATOR = 0  # processors
PROXY = 1
HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = os.path.join(checks.BUILD, "tests", "bench")
CORE_RULES = os.path.join(checks.TOP, "conf", "rules", "core.yaml")
REDIS_PORT = 6379
START_SECONDS = 60


def tool(name, group="speed"):
    path = os.path.join(TOOLS, group, name)
    if not os.access(path, os.R_OK):
        raise Unable(f"{path} is not built: make bench-{group} builds it")
    return path


class Redis(redis.Redis):
    """A redis-server in the subject's namespace, commanded over its Unix socket."""

    def __init__(self, folder, network, processors, name="redis"):
        if shutil.which("redis-server") is None:
            raise Unable("redis-server is missing: run scripts/install-deps --bench")
        self.path = folder.file(f"{name}.sock")
        self.process = folder.start(
            name, ["redis-server", "--port", REDIS_PORT, "--bind", "127.0.0.1", "--unixsocket",
                   self.path, "--save", "", "--appendonly", "no", "--dir", folder.path,
                   "--client-output-buffer-limit", "pubsub 256mb 128mb 60"],
            network=network, processors=processors)
        wait_until(self.answers, START_SECONDS, "redis-server answers")

    @property
    def pid(self):
        return self.process.pid

    def freeze(self):
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.pid, signal.SIGCONT)


class Subject:
    """start(), then loads, then stop()."""

    name = ""
    title = ""
    mark = None  # header that a call which was screened shows the callee
    screens = True
    lingers = 0  # seconds that a finished transaction is remembered
    load = {}  # further options of the generator

    def __init__(self, processors=(PROXY,), numbers_held=numbers.COUNT, **options):
        self.processors = processors
        self.numbers_held = numbers_held
        self.options = options
        self.folder = None
        self.network = None
        self.main = None
        self.redis = None

    def missing(self):
        """Why it cannot run, or None."""
        return None

    def start(self):
        reason = self.missing()
        if reason:
            raise Unable(reason)
        self.network = Network()
        self.folder = Folder(f"bench-{self.name}-")
        try:
            self.launch()
            wait_until(self._bound, START_SECONDS, f"{self.title} receives SIP")
        except Exception as error:
            text = self.main.tail() if self.main else ""
            self.stop()
            raise Unable(f"{self.title} does not start: {error}\n{text}") from error
        return self

    def launch(self):
        raise NotImplementedError

    def begin(self, command, **options):
        self.main = self.folder.start(self.name, command, network=self.network,
                                      processors=self.processors, **options)

    def _bound(self):
        if not self.main.running():
            raise Unable(f"exit status {self.main.child.returncode}")
        wanted = f"0100007F:{5060:04X}"
        with open(f"/proc/{self.main.pid}/net/udp", encoding="ascii") as table:
            return any(line.split()[1] == wanted for line in table)

    def stop(self):
        if self.folder:
            self.folder.close()
        if self.network:
            self.network.close()
        self.folder = self.network = self.main = self.redis = None

    def usage(self):
        return Usage([self.main.pid])

    def redis_usage(self):
        return Usage([self.redis.pid]) if self.redis else None

    def memory(self):
        return memory([self.main.pid])


class Direct(Subject):
    """No proxy at all: the generator calls itself. What the measuring costs."""

    name = "direct"
    title = "no proxy"
    screens = False

    def start(self):
        self.network = Network()
        self.folder = Folder("bench-direct-")
        return self

    def usage(self):
        return Usage([])


class Relay(Subject):
    name = "relay"
    title = "relay"
    screens = False

    def launch(self):
        self.begin([tool("relay"), "127.0.0.1:5060", "127.0.0.1:7000", "127.0.0.2:5080"])


class Kamailio(Subject):
    lingers = 5  # tm's wait_timer
    mark = "X-Fraud-Score"
    define = ""

    def missing(self):
        if shutil.which("kamailio") is None:
            return "kamailio is missing: run scripts/install-deps --bench"
        if self._modules() is None:
            return ("Kamailio's module ndb_redis.so is missing (Debian: kamailio-redis-modules): "
                    "run scripts/install-deps --bench")
        return None

    @staticmethod
    def _modules():
        for parent in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64",
                       "/usr/lib"):
            folder = os.path.join(parent, "kamailio", "modules")
            if os.path.exists(os.path.join(folder, "ndb_redis.so")):
                return folder + "/"
        return None

    def _configuration(self):
        with open(os.path.join(HERE, "kamailio.cfg"), encoding="utf-8") as file:
            text = file.read()
        words = {"CHILDREN": 1, "MODULES": self._modules(), "REDIS_PORT": REDIS_PORT,
                 "NUMBERS": self.numbers_held, "CONTROL": self.folder.file("control")}
        for word, value in words.items():
            text = text.replace(f"@{word}@", str(value))
        return self.folder.write("kamailio.cfg", text)

    def memory(self):
        """What is in use of its shared memory, which holds calls and tables: it never gives memory
        back to the system, so its pages tell the most that it ever used."""
        done = subprocess.run(["kamcmd", "-s", f"unix:{self.folder.file('control')}",
                               "core.shmmem"], stdout=subprocess.PIPE, text=True, check=True)
        return int(re.search(r"real_used: (\d+)", done.stdout)[1])

    def launch(self):
        # The allocator decides: with its default this Kamailio takes twice the time.
        command = ["kamailio", "-f", self._configuration(), "-DD", "-E", "-x", "tlsf", "-X",
                   "tlsf", "-m", "4096", "-A", self.define, "-Y", self.folder.path,
                   "-P", self.folder.file("kamailio.pid")]
        if self.options.get("dialog"):
            command += ["-A", "DIALOG"]
        self.begin(command)
        # It binds first, then fills its table, and forks when that is done.
        wait_until(lambda: len(family(self.main.pid)) > 2 or not self.main.running(),
                   START_SECONDS, "Kamailio forks", every=0.1)


class KamailioMemory(Kamailio):
    name = "kamailio_memory"
    title = "Kamailio, table"
    define = "SCREEN_MEMORY"


class KamailioRedis(Kamailio):
    name = "kamailio_redis"
    title = "Kamailio, Redis"
    define = "SCREEN_REDIS"

    def launch(self):
        self.redis = Redis(self.folder, self.network, self.processors)
        numbers.fill(self.redis, self.numbers_held, ringfence=False)
        super().launch()


class Ringfence(Subject):
    """options: store ("memory" or "redis"), redis_port, preload, changes (of the configuration)."""

    name = "ringfence_1"
    title = "Ringfence"
    lingers = 32  # 64 times T1
    workers = 1

    def settings(self):
        """The shipped rules, and defaults wherever the measuring asks for nothing else."""
        reputation = {"store": "memory", "csv": self.folder.file("numbers.csv")}
        if self.options.get("store") == "redis":
            reputation = {"store": "redis", "host": "127.0.0.1",
                          "port": self.options.get("redis_port", REDIS_PORT)}
        return {
            "listen": [{"address": "127.0.0.1:5060"}],
            "trunks": [
                {"name": "carrier", "sources": ["127.0.0.1"], "targets": ["127.0.0.1:7000"],
                 "origin": "international", "country": "CN", "area_code": "10"},
                {"name": "core", "sources": ["127.0.0.2"], "targets": ["127.0.0.2:5080"],
                 "country": "CN", "area_code": "10", "trusted": True},
            ],
            "routes": [{"from": "carrier", "to": "core"}, {"from": "core", "to": "carrier"}],
            "rules": [CORE_RULES],
            "workers": self.workers,
            "pin_workers": False,  # the processors are given from outside
            "drain": "0s",
            "key_file": self.folder.file("key"),
            "reputation": reputation,
            "stats": {"socket": self.folder.file("stats.sock")},
            "control": {"socket": self.folder.file("control.sock")},
            "log": {"level": "notice"},
            **self.options.get("changes", {}),
        }

    def prepare_numbers(self):
        if self.options.get("store") != "redis":
            numbers.write_csv(self.folder.file("numbers.csv"), self.numbers_held)
        else:
            self.redis = Redis(self.folder, self.network,
                               self.options.get("redis_processors", self.processors))
            numbers.fill(self.redis, self.numbers_held, ringfence=True)

    def launch(self):
        self.prepare_numbers()
        config = self.folder.write("ringfence.yaml", render(self.settings()))
        self.launch_daemon(config)

    def launch_daemon(self, config):
        self.begin([checks.program("ringfenced"), "--config", config],
                   environment=self.options.get("environment"))
        if self.options.get("wait_for_numbers", True):
            wait_until(lambda: self.entries() >= self.numbers_held, START_SECONDS,
                       "Ringfence holds the numbers", every=0.1)

    def command(self, name):
        return control.command(self.folder.file("control.sock"), name)

    def status(self):
        _, lines = self.command("status")
        return lines[0]

    def entries(self):
        try:
            return self.status()["reputation"]["numbers"]
        except (OSError, socket.error):
            if not self.main.running():
                raise Unable(f"exit status {self.main.child.returncode}") from None
            return -1

    def counts(self):
        reader = control.Stats(self.folder.file("stats.sock"))
        try:
            return reader.counts()
        finally:
            reader.close()

    def totals(self):
        return self.counts()["totals"]


class RingfenceTwo(Ringfence):
    name = "ringfence_2"
    title = "Ringfence, 2 workers"
    workers = 2


ALL = {kind.name: kind for kind in (Relay, KamailioMemory, KamailioRedis, Ringfence, RingfenceTwo)}
