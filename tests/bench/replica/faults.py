"""Calls of a node while its Redis, a sentinels' master or a cluster's node fails: how many failed,
and how much later they rang than before.

All of it stands in one network namespace: the servers of tests/e2e/lib at addresses of their own,
the node, and the generator. Each fault comes a second after the measuring began.
"""

import contextlib
import time

from e2e.lib import checks
from e2e.lib.daemon import render
from e2e.lib.redis import Cluster, Group, Redis
from e2e.lib.site import Site
from e2e.lib.tcp_proxy import TcpProxy

from bench.lib.machine import Unable, say, wait_until
from bench.speed import numbers, subjects
from bench.speed.load import Load

RATE = 2000
NUMBERS = 30_000  # what a fault costs calls does not depend on them
PATIENCE = 60


class Node(subjects.RingfenceTwo):
    """Its servers(site) makes what it follows, and says how as the settings of `reputation`."""

    name = "fault"
    title = "a node"

    def __init__(self, servers):
        super().__init__(processors=(0, 1), numbers_held=NUMBERS)
        self.servers = servers
        self.follows = None
        self.around = contextlib.ExitStack()

    def settings(self):
        return {**super().settings(), "reputation": {"store": "redis", **self.follows}}

    def launch(self):
        self.around.enter_context(self.network.inside())
        self.follows = self.servers(self.around.enter_context(Site()))
        self.begin([checks.program("ringfenced"), "--config",
                    self.folder.write("ringfence.yaml", render(self.settings()))])

    def stop(self):
        super().stop()
        self.around.close()

    def reputation(self):
        return self.status()["reputation"]

    def wait_following(self):
        wait_until(lambda: self.entries() == NUMBERS
                   and self.reputation()["state"] == "following", PATIENCE,
                   "the node follows all numbers", every=0.1)


def entries():
    return {f"rf:num:+1202{n:07d}": ("score", numbers.LISTED_SCORE, "list", "block")
            if n % numbers.LISTED_EVERY == 0 else ("score", n % numbers.SCORES)
            for n in range(NUMBERS)}


def fill(redis):
    redis.pipeline([("HSET", key, *words) for key, words in entries().items()])


def measured(node, seconds, fault):
    def refused():
        return node.totals()["calls_refused_overload"]

    before = refused()
    with Load(node, RATE, 2, seconds, busy=False, callers=NUMBERS) as load:
        load.wait_for("measuring")
        time.sleep(1)
        fault()
        line = load.result()
    # Those refused had to wait for a processor, which others took or the generator itself.
    return {"overload": refused() - before,
            **{key: line[key] for key in ("started", "failed", "timed_out", "late", "blocked",
                                          "to_ringing_us")}}


class Rows:
    """Each fault beside calls that nothing disturbed, measured just before with the same node."""

    def __init__(self, seconds, node):
        self.seconds = seconds
        self.node = node
        self.found = {}

    def add(self, name, fault, *, times=1):
        """times: how long the fault is watched, in measuring times."""
        say(f"  {name}")
        self.node.wait_following()
        calm = measured(self.node, self.seconds, lambda: None)
        self.found[name] = {"without": calm,
                            "with": measured(self.node, self.seconds * times, fault)}


def slow(proxy, seconds):
    proxy.delay = seconds


def cut_and_heal(proxy, seconds):
    proxy.cut()
    time.sleep(seconds / 3)
    proxy.open()


def restart_empty(redis):
    redis.kill()
    redis.start()


class OneServer:
    def __init__(self, site):
        self.redis = Redis(site, port=6379, host=site.address(11))
        self.proxy = TcpProxy(site, (site.address(12), 6380), (self.redis.host, self.redis.port))
        fill(self.redis)
        self.settings = {"host": self.proxy.address[0], "port": self.proxy.address[1]}

    def run(self, node, rows):
        redis, proxy = self.redis, self.proxy
        rows.add("20 ms slow", lambda: slow(proxy, 0.02))
        slow(proxy, 0)
        rows.add("2 s slow", lambda: slow(proxy, 2), times=2)
        slow(proxy, 0)
        rows.add("link cut and healed", lambda: cut_and_heal(proxy, rows.seconds))
        rows.add("stopped (SIGSTOP)", redis.freeze, times=2)
        redis.thaw()
        rows.add("killed", redis.kill)
        # It is not to be seen empty before it has all of them again.
        proxy.cut()
        redis.start()
        fill(redis)
        proxy.open()
        rows.add("restarted empty", lambda: restart_empty(redis))
        wait_until(lambda: node.reputation()["state"] == "held", PATIENCE, "what is lost is held",
                   every=0.1)


class Sentinels:
    def __init__(self, site):
        self.group = Group(site)
        fill(self.group.servers[0])
        self.settings = {"sentinels": self.group.places(), "sentinel_master": "calls"}

    def run(self, node, rows):
        rows.add("failed over", self.group.master().kill, times=2)
        node.wait_following()
        if node.reputation()["switches"] == 0:
            raise Unable("the sentinels did not fail over")


class Nodes:
    def __init__(self, site):
        self.cluster = Cluster(site)
        self.cluster.fill(entries())
        self.settings = {"cluster": self.cluster.places()[:3]}

    def run(self, node, rows):
        rows.add("cluster node lost", self.cluster.nodes[0].kill, times=2)
        node.wait_following()


def measure_with(kind, seconds):
    made = []

    def servers(site):
        made.append(kind(site))
        return made[0].settings

    node = Node(servers).start()
    try:
        rows = Rows(seconds, node)
        made[0].run(node, rows)
        return rows.found
    finally:
        node.stop()


def measure(_count, quick):
    found = {}
    for kind in (OneServer, Sentinels, Nodes):
        found.update(measure_with(kind, 3 if quick else 8))
    return found
