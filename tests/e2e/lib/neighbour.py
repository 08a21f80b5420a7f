"""A next hop that answers by itself as it is told to, and callers that place calls beside it."""

import threading
import time

from . import checks, sip
from .sip import Callee, Caller


# What a client of overload control writes into its Via.
OFFERED = b';oc;oc-algo="loss,rate"'


class Neighbour(threading.Thread):
    """Answers INVITE, BYE, CANCEL and OPTIONS. `mode`: "answer", "silent", or the status that
    INVITEs and OPTIONS get, with `headers`. kill() closes its port, revive() opens it again.
    `overload`: a function whose text replaces, in the Via of its answers, what was OFFERED. It ends
    with its site."""

    def __init__(self, site, number, mode="answer", headers=()):
        super().__init__(daemon=True)
        self.site = site
        self.number = number
        self.mode = mode
        self.headers = list(headers)
        self.overload = None
        self.endpoint = sip.Endpoint(site, number)
        self.calls = []
        self.probes = 0
        self.cancels = 0
        self.vias = []
        self.answered = {}  # Via of an INVITE -> the 200 that it got
        self.running = True
        self.alive = threading.Event()
        self.alive.set()
        site.sockets.append(self)
        self.start()

    def run(self):
        while self.running:
            if not self.alive.wait(0.1):
                continue
            try:
                message = self.endpoint.receive(0.05 / checks.SLOW)
                if message is not None and message.status is None:
                    self._serve(message)
            except (OSError, ValueError):
                continue  # killed meanwhile

    def _serve(self, message):
        overload = self.overload  # which a case may change at any moment
        if overload is not None:
            message = sip.Message(message.raw.replace(OFFERED, overload().encode()), message.source)
        if message.method == "INVITE" and message.header("Via") in self.answered:
            # It comes again: a second tag would make it a fork of two dialogs.
            if self.mode != "silent":
                self.endpoint.send(self.answered[message.header("Via")], message.source)
            return
        if message.method == "OPTIONS":
            self.probes += 1
        if message.method == "INVITE":
            self.calls.append(message.header("Call-ID"))
            self.vias.append(message.header("Via"))
        if message.method == "CANCEL":
            self.cancels += 1
        if message.method == "ACK" or self.mode == "silent":
            return
        if self.mode == "answer" or message.method not in ("INVITE", "OPTIONS"):
            if message.method == "INVITE":
                self.answered[message.header("Via")] = Callee(self.endpoint, message).answer(
                    200, "OK")
            else:
                self._send(message, 200)
            return
        self._send(message, self.mode, self.headers)

    def _send(self, message, status, headers=()):
        self.endpoint.send(sip.response(message, status, tag=sip.unique("n"), headers=headers),
                           message.source)

    def kill(self):
        """The port is closed: what is sent there is answered by ICMP."""
        self.alive.clear()
        time.sleep(0.1)
        self.endpoint.socket.close()

    def revive(self):
        self.endpoint = sip.Endpoint(self.site, self.number)
        self.alive.set()

    def close(self):
        if not self.is_alive():
            checks.check(False, f"neighbour {self.number} serves to the end")
        self.running = False
        self.join()


def place(endpoint, daemon, count, seconds=5, every=0.0, hang_up=True, number="+861065551234",
          **more):
    """Places calls; the final status of each by Call-ID, None for those without one. Answered ones
    are acknowledged and, if wished, ended."""
    callers = {}
    for _ in range(count):
        caller = Caller(endpoint, daemon.address, callee=number, **more).call()
        callers[caller.call_id] = caller
        time.sleep(every)
    outcome = dict.fromkeys(callers)
    end = time.monotonic() + seconds * checks.SLOW
    while None in outcome.values() and time.monotonic() < end:
        message = endpoint.receive(max(0, end - time.monotonic()) / checks.SLOW)
        if message is None:
            break
        caller = callers.get(message.header("Call-ID"))
        if caller is None or message.status is None or message.status < 200:
            continue
        if message.method != "INVITE":
            continue
        outcome[caller.call_id] = message.status
        if message.status >= 300:
            caller.ack_refusal(message)
            continue
        caller.establish(message)
        caller.ack()
        if hang_up:
            caller.within("BYE")
    return outcome


def counted(outcome):
    """{status: how many}"""
    found = {}
    for status in outcome.values():
        found[status] = found.get(status, 0) + 1
    return found
