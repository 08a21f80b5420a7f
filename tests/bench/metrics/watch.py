"""Watches a daemon as hard as anybody would: readers of the stats socket and a scraper."""

import json
import select
import socket
import sys
import time

READERS = ({"interval": "1s", "events": True}, {"interval": "100ms", "events": True},
           {"interval": "1s", "events": False})
SCRAPE = (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
          b"Accept: application/openmetrics-text;version=1.0.0\r\n\r\n")


def connect(path):
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.connect(path)
    return link


def scrape(path):
    link = connect(path)
    link.sendall(SCRAPE)
    while link.recv(1 << 20):
        pass
    link.close()


def main(stats, metrics):
    readers = [connect(stats) for _ in READERS]
    for link, request in zip(readers, READERS):
        link.sendall(json.dumps(request).encode() + b"\n")
    due = time.monotonic()
    while True:
        ready, _, _ = select.select(readers, [], [], max(0, due - time.monotonic()))
        for link in ready:
            link.recv(1 << 20)
        if time.monotonic() >= due:
            due += 1
            scrape(metrics)


if __name__ == "__main__":
    main(*sys.argv[1:])
