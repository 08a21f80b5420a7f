"""A relay that loses and doubles datagrams, as a program of its own:

    relay.py HOST PORT DAEMON_HOST DAEMON_PORT PEER_HOST PEER_PORT LOSS DOUBLE SEED

What comes from the daemon goes to the peer, and what comes from elsewhere to the daemon. LOSS and
DOUBLE are parts of one; both directions lose alike. On SIGTERM it prints what it did as JSON.
"""

import json
import os
import random
import signal
import socket
import sys


def relay(arguments):
    host, port, daemon_host, daemon_port, peer_host, peer_port = arguments[:6]
    loss, double, seed = (float(text) for text in arguments[6:9])
    daemon, peer = (daemon_host, int(daemon_port)), (peer_host, int(peer_port))
    chance = random.Random(seed)
    counts = {"passed": 0, "lost": 0, "doubled": 0}
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    link.bind((host, int(port)))

    def stop(_number, _frame):
        print(json.dumps(counts), flush=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    while True:
        data, source = link.recvfrom(65535)
        drawn = chance.random()
        if drawn < loss:
            counts["lost"] += 1
            continue
        to = peer if source == daemon else daemon
        link.sendto(data, to)
        counts["passed"] += 1
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

        def __init__(self, site, name, number, daemon, peer, loss=0.0, double=0.0, seed=1):
            words = [site.address(number), 5060, *daemon, *peer, loss, double, seed]
            self.address = (site.address(number), 5060)
            self.process = Process(site, name, [sys.executable, os.path.abspath(__file__),
                                                *(str(word) for word in words)])

        def stop(self):
            """What it did."""
            self.process.signal(signal.SIGTERM)
            if self.process.wait(5) is None:
                raise checks.Failure(f"{self.process.name} did not stop")
            return json.loads(self.process.log().splitlines()[-1])
