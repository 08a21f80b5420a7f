#!/usr/bin/env python3
"""Redis behind sentinels: found, failed over, and what a sentinel that is wrong or gone can do."""

import socket
import threading

from lib import checks, sip
from lib.calls import expect_fate, fate_within
from lib.checks import case, check, equal, wait_for
from lib.daemon import CALLEE, CALLER, Daemon, trunk
from lib.redis import Group
from lib.sipp import Traffic
from lib.site import Site, settle
from lib.tcp_proxy import TcpProxy

LISTED = "+8613900000001"
CLEAN = "+8613911112222"
OTHER = "+8613911113333"


class Liar:
    """Answers every question of a client with one place."""

    def __init__(self, site, host, place):
        self.listener = socket.create_server((host, 26379))
        site.sockets.append(self.listener)
        self.place = f"{host}:26379"
        address, port = place.encode().rsplit(b":", 1)
        self.answer = b"*2\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(address), address, len(port), port)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(link,), daemon=True).start()

    def serve(self, link):
        try:
            while data := link.recv(4096):
                if b"SUBSCRIBE" in data:
                    link.sendall(b"*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n")
                elif b"SENTINEL" in data:
                    link.sendall(self.answer)
        except OSError:
            pass


def start(site, sentinels, **reputation):
    return Daemon(site, **Traffic.settings(site, trunk),
                  reputation={"store": "redis", "sentinels": sentinels, "sentinel_master": "calls",
                              "reply_timeout": "1s", "connect_timeout": "1s", **reputation})


def state(daemon):
    return daemon.status()["reputation"]


def follows(daemon, text, seconds=5):
    return wait_for(lambda: state(daemon)["state"] == "following", seconds, text) or \
        print(f"    {state(daemon)}")


def fill(redis):
    redis.pipeline([("HSET", f"rf:num:+86138{i:08d}", "score", 90, "list", "block")
                    for i in range(2000)])
    redis("HSET", f"rf:num:{LISTED}", "list", "block")


@case("failover")
def failover():
    with Site() as site:
        group = Group(site)
        first = group.servers[0]
        fill(first)
        daemon = start(site, group.places())
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        follows(daemon, "the master is found and followed")
        equal(state(daemon)["found_by"], "named by 3 of 3 sentinels", "the status says by whom")
        traffic = Traffic(site, daemon)
        expect_fate(daemon, LISTED, a, b, 603, "a listed number is refused")

        first.kill()
        wait_for(lambda: not state(daemon)["connected"], 3, "kill -9 of the master is noticed")
        expect_fate(daemon, LISTED, a, b, 603, "a listed number is still refused")
        wait_for(lambda: state(daemon)["switches"] == 1 and state(daemon)["connected"], 12,
                 "the sentinels' new master is followed")
        follows(daemon, "and compared")
        second = group.master()
        second("HSET", f"rf:num:{CLEAN}", "list", "block")
        fate_within(daemon, CLEAN, a, b, 603, 1, "a change there blocks within a second")
        equal(state(daemon)["numbers"], 2002, "no entry was lost")

        first.start()
        wait_for(lambda: first.role() == b"slave", 25, "the old master comes back as a replica")
        wait_for(lambda: sum(group.sees(s) for s in group.sentinels) == 3
                 and first.follows(), 15)
        # A failover by hand: the old master lives on and answers.
        settle(1)
        third = group.fail_over()
        wait_for(lambda: state(daemon)["switches"] == 2 and state(daemon)["connected"], 12,
                 "a failover by hand, the old master alive: the new one is followed")
        third("DEL", f"rf:num:{CLEAN}")
        fate_within(daemon, CLEAN, a, b, "passed", 3, "a change there is followed")
        traffic.end("{} calls meanwhile: none failed")
        daemon.stop()


@case("wrong, dead and silent sentinels")
def sentinels():
    with Site() as site:
        group = Group(site, 1)
        true = group.sentinels[0]
        fill(group.servers[0])
        liar = Liar(site, site.address(41), group.servers[1].place)
        dead = f"{site.address(42)}:26379"
        daemon = start(site, [liar.place, dead, true.place])
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        follows(daemon, "one sentinel names a replica, one is dead: the master is found")
        check("which it is not" in daemon.log(), "the log says who is no master")
        traffic = Traffic(site, daemon)
        group.servers[0]("HSET", f"rf:num:{CLEAN}", "list", "block")
        fate_within(daemon, CLEAN, a, b, 603, 1, "a change blocks within a second")
        true.freeze()
        settle(2.5)
        group.servers[0]("HSET", f"rf:num:{OTHER}", "list", "block")
        fate_within(daemon, OTHER, a, b, 603, 1, "no sentinel is left: changes are followed still")
        true.thaw()
        equal(state(daemon)["switches"], 0, "the master was never left")
        traffic.end("{} calls meanwhile: none failed")
        daemon.stop()


@case("a link that is slow or cut")
def links():
    with Site() as site:
        group = Group(site, 1)
        master = group.servers[0]
        fill(master)
        proxy = TcpProxy(site, (site.address(51), 7000), (master.host, 6379))
        daemon = start(site, group.places(), address_map=[f"{master.place}={proxy.place}"])
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        follows(daemon, "the master is reached through the address map")
        traffic = Traffic(site, daemon)
        proxy.delay = 0.02
        master("HSET", f"rf:num:{CLEAN}", "list", "block")
        fate_within(daemon, CLEAN, a, b, 603, 1, "20 ms slow: a change blocks within a second")
        proxy.cut()
        wait_for(lambda: not state(daemon)["connected"], 3, "the link is cut")
        master("DEL", f"rf:num:{CLEAN}")
        expect_fate(daemon, CLEAN, a, b, 603, "what is known stays in force")
        proxy.delay = 0
        proxy.open()
        fate_within(daemon, CLEAN, a, b, "passed", 8, "healed: what changed meanwhile is known")
        follows(daemon, "and the master followed")
        proxy.delay = 2
        expect_fate(daemon, LISTED, a, b, 603, "2 s slow: a listed number is refused")
        wait_for(lambda: not state(daemon)["connected"], 6, "beyond reply_timeout it is given up")
        proxy.delay = 0
        follows(daemon, "fast again: followed again", 10)
        traffic.end("{} calls meanwhile: none failed")
        daemon.stop()


checks.main(limit=100)
