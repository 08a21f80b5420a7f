#!/usr/bin/env python3
"""Many connections from a range of addresses, held until standard input ends.

usage: crowd.py HOST PORT COUNT FIRST [--tls CA NAME | --slow]

FIRST is the last part of the first source address 127.0.1.FIRST; each has 5000 connections. --slow
sends a byte a second over each of them. "ready N" is printed once they stand.
"""

import select
import socket
import ssl
import sys
import time

EACH = 5000
BATCH = 25
BYTES = b"INVITE sip:slow@example.net SIP/2.0\r\nX: " + b"y" * 4000


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
        if context:
            opened.setblocking(False)
            opened = context.wrap_socket(opened, server_hostname=name,
                                         do_handshake_on_connect=False)
        found.append(opened)
        if context and len(found) % BATCH == 0:
            shake_hands(found[-BATCH:])
    if context:
        shake_hands(found[len(found) - len(found) % BATCH:])
    return found


def main():
    host, port, count, first = sys.argv[1], *(int(word) for word in sys.argv[2:5])
    context = name = None
    if "--tls" in sys.argv:
        context = ssl.create_default_context(cafile=sys.argv[6])
        name = sys.argv[7]
    crowd = open_all(host, port, count, first, context, name)
    print(f"ready {len(crowd)}", flush=True)
    slow = "--slow" in sys.argv
    begun = time.monotonic()
    sent = 0
    while not select.select([sys.stdin], [], [], 0.01)[0]:
        # Evenly over the second.
        due = int((time.monotonic() - begun) * count) if slow else 0
        while sent < due:
            crowd[sent % count].send(BYTES[sent // count:sent // count + 1])
            sent += 1


main()
