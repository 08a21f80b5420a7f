"""A TCP relay whose link can be slow, silent or cut."""

import socket
import threading
import time


class TcpProxy:
    """Listens at `address` and relays to `target`, both (host, port)."""

    def __init__(self, site, address, target):
        self.address = address
        self.target = target
        self.delay = 0.0  # seconds, each way
        self.links = []
        self.listener = None
        self.open()
        site.sockets.append(self)

    @property
    def place(self):
        return f"{self.address[0]}:{self.address[1]}"

    def open(self):
        """Accepts again after cut()."""
        self.listener = socket.create_server(self.address, backlog=64)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def cut(self):
        """Every connection breaks, and no new one is accepted."""
        listener, self.listener = self.listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        links, self.links = self.links, []
        for link in links:
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    close = cut

    def _accept(self, listener):
        while True:
            try:
                here, _ = listener.accept()
                there = socket.create_connection(self.target, 2)
            except OSError:
                if self.listener is not listener:
                    return
                continue
            there.settimeout(None)
            for link in (here, there):
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.links += [here, there]
            for source, sink in ((here, there), (there, here)):
                threading.Thread(target=self._relay, args=(source, sink), daemon=True).start()

    def _relay(self, source, sink):
        """What was read waits for its time in the kernel's buffer, so that a delay is no limit of
        the rate only as far as that buffer goes."""
        try:
            while data := source.recv(1 << 20):
                if self.delay:
                    time.sleep(self.delay)
                sink.sendall(data)
        except OSError:
            pass
        for link in (source, sink):
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
