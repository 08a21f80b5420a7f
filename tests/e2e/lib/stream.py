"""A SIP endpoint over connections, TCP or TLS: as sip.Endpoint, with connections that a scenario
may also use for bytes of its own."""

import re
import select
import socket
import ssl
import time

from . import checks, sip

_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:[ \t]*(\d+)", re.I)


class Connection:
    """One connection and what came over it that is no whole message yet."""

    def __init__(self, opened, peer, accepted):
        self.socket = opened
        self.peer = peer
        self.accepted = accepted
        self.data = b""
        self.closed = False
        self.reset = False
        self.pongs = 0

    def send(self, data):
        self.socket.sendall(data)

    def fill(self):
        """Reads what is there."""
        try:
            data = self.socket.recv(70000)
            while isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0:
                data += self.socket.recv(70000)
        except (ssl.SSLWantReadError, BlockingIOError, TimeoutError):
            return
        except OSError as error:
            self.reset = isinstance(error, ConnectionResetError)
            data = b""
        self.closed = self.closed or data == b""
        self.data += data

    def take(self):
        """The next message as bytes, or None."""
        while self.data.startswith(b"\r\n"):
            self.data = self.data[2:]
            self.pongs += 1
        head, found, rest = self.data.partition(b"\r\n\r\n")
        if not found:
            return None
        length = int(_LENGTH.search(head + b"\r\n").group(1))
        if len(rest) < length:
            return None
        self.data = rest[length:]
        return head + found + rest[:length]

    def wait_closed(self, seconds=5):
        """True when the other side closes it."""
        self.socket.settimeout(0.05)
        end = time.monotonic() + seconds * checks.SLOW
        while not self.closed and time.monotonic() < end:
            self.fill()
        return self.closed

    def close(self):
        self.closed = True
        self.socket.close()


class Stream(sip.Endpoint):
    """Listens at host:port; connects from that host. server, client: ssl.SSLContext for TLS."""

    def __init__(self, site, host, port=None, server=None, client=None, name=None):
        host = site.address(host) if isinstance(host, int) else host
        self.server = server
        self.client = client
        self.name = name
        self.via = "TLS" if client or server else "TCP"
        port = port if port is not None else 5061 if self.via == "TLS" else 5060
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(64)
        self.address = self.listener.getsockname()[:2]
        self.connections = []
        self.seen = set()
        self.site = site
        site.sockets.append(self.listener)

    def connect(self, to, secure=True):
        """A connection of our own; secure: with TLS, where this endpoint speaks that."""
        opened = socket.socket(self.listener.family, socket.SOCK_STREAM)
        self.site.sockets.append(opened)
        opened.bind((self.address[0], 0))
        opened.settimeout(5 * checks.SLOW)
        opened.connect(to)
        if self.client and secure:
            opened = self.client.wrap_socket(opened, server_hostname=self.name)
        connection = Connection(opened, tuple(to), False)
        self.connections.append(connection)
        return connection

    def accept(self):
        opened, peer = self.listener.accept()
        opened.settimeout(5 * checks.SLOW)
        self.site.sockets.append(opened)
        if self.server:
            try:
                opened = self.server.wrap_socket(opened, server_side=True)
            except OSError:
                return
        self.connections.append(Connection(opened, peer[:2], True))

    def _open_to(self, to):
        return next((connection for connection in self.connections
                     if connection.peer == tuple(to) and not connection.closed), None)

    def send(self, data, to):
        data = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        (self._open_to(to) or self.connect(to)).send(data)

    def receive(self, seconds=2):
        end = time.monotonic() + seconds * checks.SLOW
        while True:
            for connection in self.connections:
                data = connection.take()
                if data is not None:
                    message = sip.Message(data, connection.peer)
                    message.connection = connection
                    return message
            open_ones = {connection.socket: connection for connection in self.connections
                         if not connection.closed}
            listener = [self.listener] if self.listener.fileno() >= 0 else []
            ready, _, _ = select.select([*listener, *open_ones], [], [],
                                        max(0, end - time.monotonic()))
            if not ready:
                return None
            for opened in ready:
                if opened is self.listener:
                    self.accept()
                else:
                    open_ones[opened].fill()
