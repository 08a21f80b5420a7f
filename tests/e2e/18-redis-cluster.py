#!/usr/bin/env python3
"""Redis Cluster, three masters and three replicas: followed, resharded, a node lost; lookups by slot
and the command `ringfence number`."""

from lib import checks, sip
from lib.calls import expect_fate, fate_within
from lib.checks import case, check, equal, wait_for
from lib.daemon import CALLEE, CALLER, Daemon, trunk
from lib.redis import Cluster, slot
from lib.sipp import Traffic
from lib.site import Site, settle
from lib.tcp_proxy import TcpProxy

COUNT = 3000
CLEAN = "+8613911112222"


def start(site, cluster, **reputation):
    return Daemon(site, **Traffic.settings(site, trunk), screening={"deadline": "300ms"},
                  reputation={"store": "redis", "cluster": cluster.places()[:2],
                              "reply_timeout": "2s", "connect_timeout": "1s", **reputation})


def state(daemon):
    return daemon.status()["reputation"]


def follows(daemon, text, seconds=5):
    return wait_for(lambda: state(daemon)["state"] == "following", seconds, text) or \
        print(f"    {state(daemon)}")


def number(index):
    return f"+86138{index:08d}"


def fill(cluster, count=COUNT):
    cluster.fill({f"rf:num:{number(i)}": ("list", "block") for i in range(count)})


def of_node(cluster, node, count=3, first=0):
    """Listed numbers whose slots a node holds."""
    found, index = [], first
    while len(found) < count:
        if cluster.owner(slot(f"rf:num:{number(index)}")) is node:
            found.append(number(index))
        index += 1
    return found


class Watch:
    """The least number of entries that the daemon was seen with."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.least = COUNT
        self.look()

    def look(self):
        self.least = min(self.least, state(self.daemon)["numbers"])


@case("following and resharding")
def resharding():
    with Site() as site:
        cluster = Cluster(site)
        fill(cluster)
        daemon = start(site, cluster)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        follows(daemon, "all masters are found and followed")
        equal((state(daemon)["servers"], state(daemon)["servers_followed"],
               state(daemon)["numbers"]), (3, 3, COUNT), "with every number")
        traffic = Traffic(site, daemon)
        watch = Watch(daemon)
        masters = cluster.nodes[:3]
        for master in masters:
            listed = of_node(cluster, master, 1)[0]
            cluster("HSET", f"rf:num:{listed}", "list", "allow", "score", 3)
            fate_within(daemon, listed, a, b, "passed", 1, f"{master.name}: a change is followed")
            cluster("HSET", f"rf:num:{listed}", "list", "block")
            fate_within(daemon, listed, a, b, 603, 1, "and the next one")

        # Slots that hold numbers move to another master, whole.
        first, second = masters[0], masters[1]
        moved = of_node(cluster, first, 40)
        for caller in moved:
            cluster.move(slot(f"rf:num:{caller}"), second)
            watch.look()
        expect_fate(daemon, moved[0], a, b, 603, "40 slots moved: their numbers are still listed")
        cluster("DEL", f"rf:num:{moved[1]}")
        fate_within(daemon, moved[1], a, b, "passed", 4, "DEL at the new owner is followed")
        cluster("HSET", f"rf:num:{moved[1]}", "list", "block")
        fate_within(daemon, moved[1], a, b, 603, 1, "HSET too")

        # A slot that is half moved: what is gone from the one is not gone.
        caller = of_node(cluster, first, 1)[0]
        key = f"rf:num:{caller}"
        source = cluster.begin_move(slot(key), second)
        cluster.move_keys(slot(key), source, second)
        for _ in range(15):
            settle(0.02)
            watch.look()
        expect_fate(daemon, caller, a, b, 603, "a slot half moved: its number is still listed")
        cluster("HSET", key, "list", "allow", "score", 1)
        fate_within(daemon, caller, a, b, "passed", 2, "a change in it is followed")
        cluster("HSET", key, "list", "block")
        fate_within(daemon, caller, a, b, 603, 2, "and the next one")
        cluster.end_move(slot(key), second)
        settle(0.3)
        watch.look()
        expect_fate(daemon, caller, a, b, 603, "moved whole: still listed")

        # A node that is new takes slots.
        new = cluster.add_node(27)
        wait_for(new.answers, 10)
        new("CLUSTER", "MEET", first.host, first.port)
        wait_for(lambda: all(node("CLUSTER", "NODES").count(b"\n") == 7
                             for node in cluster.nodes), 10, "a seventh node joins")
        wait_for(cluster.whole, 10)
        moved = of_node(cluster, masters[2], 10)
        source = cluster.begin_move(slot(f"rf:num:{moved[0]}"), new)
        cluster.move_keys(slot(f"rf:num:{moved[0]}"), source, new)
        settle(0.3)
        watch.look()
        cluster("HSET", f"rf:num:{moved[0]}", "score", 7)
        cluster.end_move(slot(f"rf:num:{moved[0]}"), new)
        for caller in moved[1:]:
            cluster.move(slot(f"rf:num:{caller}"), new)
            watch.look()
        wait_for(lambda: state(daemon)["servers_followed"] == 4, 8, "it is followed")
        follows(daemon, "and compared")
        cluster("DEL", f"rf:num:{moved[2]}")
        fate_within(daemon, moved[2], a, b, "passed", 4, "DEL there is followed")
        cluster("HSET", f"rf:num:{moved[2]}", "list", "block")
        fate_within(daemon, moved[2], a, b, 603, 1, "HSET too")
        equal(watch.least, COUNT - 0, "no number was missing while slots moved")
        check(state(daemon)["redirects"] > 0, "redirections were followed and counted")
        traffic.end("{} calls meanwhile: none failed")
        daemon.stop()


@case("a node lost")
def lost():
    with Site() as site:
        cluster = Cluster(site)
        fill(cluster)
        masters = cluster.nodes[:3]
        proxy = TcpProxy(site, (site.address(51), 7000), (masters[2].host, 6379))
        daemon = start(site, cluster, address_map=[f"{masters[2].place}={proxy.place}"],
                       saved=site.path("replica.saved"))
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        follows(daemon, "all masters are found and followed")
        traffic = Traffic(site, daemon)
        listed = of_node(cluster, masters[0], 2)
        elsewhere = of_node(cluster, masters[1], 2)
        masters[0].kill()
        wait_for(lambda: not state(daemon)["connected"], 3, "kill -9 of a master is noticed")
        expect_fate(daemon, listed[0], a, b, 603, "its numbers are still refused")
        masters[1]("DEL", f"rf:num:{elsewhere[0]}")
        fate_within(daemon, elsewhere[0], a, b, "passed", 1,
                    "changes at another master are followed meanwhile")
        wait_for(lambda: state(daemon)["connected"], 15, "its replica, promoted, is followed")
        follows(daemon, "and compared")
        cluster("DEL", f"rf:num:{listed[1]}")
        fate_within(daemon, listed[1], a, b, "passed", 2, "a change there is followed")
        equal(state(daemon)["numbers"], COUNT - 2, "no entry was lost")
        masters[0].launch()
        wait_for(masters[0].answers, 10)
        wait_for(cluster.whole, 10, "the node comes back as a replica")

        # Failover by hand: both live on.
        replica = next(node for node in cluster.nodes[3:] if node("ROLE")[0] == b"slave"
                       and node("ROLE")[1].decode() == masters[1].host)
        replica("CLUSTER", "FAILOVER")
        wait_for(lambda: replica.role() == b"master", 8, "a failover by hand")
        wait_for(lambda: cluster.owner(slot(f"rf:num:{elsewhere[1]}")) is replica, 5)
        replica("DEL", f"rf:num:{elsewhere[1]}")
        fate_within(daemon, elsewhere[1], a, b, "passed", 5, "a change at the new master is followed")
        wait_for(lambda: state(daemon)["connected"], 8, "which is followed")
        follows(daemon, "and compared")

        behind = of_node(cluster, masters[2], 1)[0]
        proxy.cut()
        wait_for(lambda: not state(daemon)["connected"], 3, "the link to a master is cut")
        masters[2]("DEL", f"rf:num:{behind}")
        expect_fate(daemon, behind, a, b, 603, "what is known stays in force")
        proxy.delay = 0.02
        proxy.open()
        fate_within(daemon, behind, a, b, "passed", 8, "healed, 20 ms slow: the change is known")
        follows(daemon, "all is followed")
        proxy.delay = 0
        equal(state(daemon)["numbers"], COUNT - 4, "with every number")
        traffic.end("{} calls meanwhile: none failed")
        daemon.stop()


@case("lookups and the command")
def lookups():
    with Site() as site:
        cluster = Cluster(site)
        keys = {"rf:pfx:86139555": ("list", "block"), "rf:raw:anonymous": ("list", "block"),
                "rf:pfx:8613955598": ("score", 10, "list", "watch"),
                "rf:num:+8613955512345": ("score", 0)}
        cluster.fill(keys)
        daemon = start(site, cluster, mode="lookup")
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        wait_for(lambda: state(daemon)["connected"], 5, "each worker has each master")
        expect_fate(daemon, "+8613955500000", a, b, 603, "a listed prefix is refused")
        expect_fate(daemon, "+8613955598000", a, b, "passed", "the longest prefix wins")
        expect_fate(daemon, "+8613955512345", a, b, "passed", "a number beats its prefixes")
        expect_fate(daemon, "anonymous", a, b, 603, "a listed text is refused")
        expect_fate(daemon, CLEAN, a, b, "passed", "an unlisted number passes")

        for index in range(6):
            status, output = daemon.cli("number", "set", number(index), "--list", "block")
            if status != 0:
                check(False, "ringfence number set", output)
        fate_within(daemon, number(0), a, b, 603, 2, "ringfence number set: written where it belongs")
        key = f"rf:num:{number(1)}"
        owner = cluster.owner(slot(key))
        other = next(node for node in cluster.nodes[:3] if node is not owner)
        cluster.move(slot(key), other)
        fate_within(daemon, number(1), a, b, 603, 2, "a slot moved: the number is found")
        status, output = daemon.cli("number", "get", number(1))
        check(status == 0 and "block" in output, "ringfence number get finds it too", output)
        status, output = daemon.cli("number", "del", number(1))
        equal(status, 0, "ringfence number del")
        fate_within(daemon, number(1), a, b, "passed", 2, "frees it")
        site.write("many.csv", "".join(f"{number(i)},90,block,,desk,\n" for i in range(500)))
        status, output = daemon.cli("number", "import", site.path("many.csv"))
        check(status == 0 and sum(node("DBSIZE") for node in cluster.nodes[:3]) == 504,
              "ringfence number import: 500 numbers, each where it belongs", output)

        key = f"rf:num:{number(2)}"
        source = cluster.begin_move(slot(key), other if cluster.owner(slot(key)) is not other
                                    else owner)
        target = other if source is not other else owner
        cluster.move_keys(slot(key), source, target)
        fate_within(daemon, number(2), a, b, 603, 1, "a slot half moved: the number is found")
        cluster.end_move(slot(key), target)
        equal(daemon.total("verdicts_degraded"), 0, "no verdict was degraded")
        traffic = Traffic(site, daemon)
        victim = cluster.owner(slot(f"rf:num:{number(3)}"))
        victim.kill()
        fate_within(daemon, number(3), a, b, 603, 15, "a node lost: found at its replica")
        wait_for(lambda: state(daemon)["connected"], 10, "all masters are connected again")
        traffic.end("{} calls meanwhile: none failed", degraded=True)
        daemon.stop()


checks.main(limit=110)
