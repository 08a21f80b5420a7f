#!/usr/bin/env python3
"""Many TLS connections from a range of addresses, held until standard input ends.

usage: crowd.py HOST PORT COUNT FIRST CA NAME

FIRST is the last part of the first source address 127.0.1.FIRST; each has 5000 connections.
"ready N" is printed once they stand.
"""

import select
import socket
import ssl
import sys

EACH = 5000
BATCH = 25


def shake_hands(waiting):
    """All of them side by side."""
    while waiting:
        for opened in list(waiting):
            try:
                opened.do_handshake()
                waiting.remove(opened)
            except ssl.SSLWantReadError:
                pass
        poll = select.poll()
        for opened in waiting:
            poll.register(opened, select.POLLIN)
        if waiting:
            poll.poll(1000)


def open_all(host, port, count, first, context, name):
    found = []
    for number in range(count):
        opened = socket.socket()
        opened.bind((f"127.0.1.{first + number // EACH}", 0))
        opened.connect((host, port))
        opened.setblocking(False)
        found.append(context.wrap_socket(opened, server_hostname=name,
                                         do_handshake_on_connect=False))
        if len(found) % BATCH == 0:
            shake_hands(found[-BATCH:])
    shake_hands(found[len(found) - len(found) % BATCH:])
    return found


def main():
    host, port, count, first = sys.argv[1], *(int(word) for word in sys.argv[2:5])
    context = ssl.create_default_context(cafile=sys.argv[5])
    crowd = open_all(host, port, count, first, context, sys.argv[6])
    print(f"ready {len(crowd)}", flush=True)
    sys.stdin.read()


main()
