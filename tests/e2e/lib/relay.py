"""A relay that loses, doubles and delays datagrams, as a program of its own:

    relay.py HOST PORT DAEMON_HOST DAEMON_PORT PEER_HOST PEER_PORT LOSS DOUBLE SEED LATE

What comes from the daemon goes to the peer, and what comes from elsewhere to the daemon. LOSS,
DOUBLE and LATE are parts of one; both directions lose alike. A late one goes on after 20 ms, behind
what has come since. On SIGTERM it prints what it did as JSON.
"""

import collections
import json
import os
import random
import signal
import socket
import sys
import time

BEHIND = 0.02


def relay(arguments):
    host, port, daemon_host, daemon_port, peer_host, peer_port = arguments[:6]
    loss, double, seed, late = (float(text) for text in arguments[6:10])
    daemon, peer = (daemon_host, int(daemon_port)), (peer_host, int(peer_port))
    chance = random.Random(seed)
    counts = {"passed": 0, "lost": 0, "doubled": 0, "late": 0}
    kept = collections.deque()  # (when, datagram, to whom)
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    link.bind((host, int(port)))

    def stop(_number, _frame):
        print(json.dumps(counts), flush=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    while True:
        while kept and kept[0][0] <= time.monotonic():
            _, data, to = kept.popleft()
            link.sendto(data, to)
        link.settimeout(max(0.001, kept[0][0] - time.monotonic()) if kept else None)
        try:
            data, source = link.recvfrom(65535)
        except TimeoutError:
            continue
        drawn = chance.random()
        if drawn < loss:
            counts["lost"] += 1
            continue
        to = peer if source == daemon else daemon
        counts["passed"] += 1
        if drawn < loss + late:
            kept.append((time.monotonic() + BEHIND, data, to))
            counts["late"] += 1
            continue
        link.sendto(data, to)
        if drawn > 1 - double:
            link.sendto(data, to)
            counts["doubled"] += 1


if __name__ == "__main__":
    relay(sys.argv[1:])
else:
    from . import checks
    from .site import Process

    class Relay:
        """The program above on port 5060 of an address of the site."""

        def __init__(self, site, name, number, daemon, peer, loss=0.0, double=0.0, seed=1,
                     late=0.0):
            words = [site.address(number), 5060, *daemon, *peer, loss, double, seed, late]
            self.address = (site.address(number), 5060)
            self.process = Process(site, name, [sys.executable, os.path.abspath(__file__),
                                                *(str(word) for word in words)])

        def stop(self):
            """What it did."""
            self.process.signal(signal.SIGTERM)
            if self.process.wait(5) is None:
                raise checks.Failure(f"{self.process.name} did not stop")
            return json.loads(self.process.log().splitlines()[-1])
