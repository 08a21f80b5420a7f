"""A steady stream of calls that says of each what became of it, on a machine that may stall: what
gets no answer is sent again, what comes twice is answered twice (RFC 3261 sections 13.3.1.4, 17)."""

import heapq
import select
import threading
import time

from . import checks, sip

TRIES = 7  # 0.5 s doubled, as Timer A to B


class _Call:
    def __init__(self, caller):
        self.caller = caller
        self.state = "inviting"
        self.answer = None  # the callee's 200, until it has the ACK


class Steady(threading.Thread):
    """Calls of `talk` seconds from one endpoint to another; start(), and finish() at the end."""

    def __init__(self, here, there, proxy, rate, talk=0.3):
        super().__init__(daemon=True)
        self.here, self.there, self.proxy = here, there, proxy
        self.rate, self.talk = rate, talk
        self.calls = {}
        self.due = []  # heap of (time, number, what to do)
        self.serial = 0
        self.begun = self.completed = 0
        self.failures = []
        self.placing = True

    def finish(self, seconds=40):
        """Places no more calls and waits for those under way."""
        self.placing = False
        self.join(seconds)
        for call_id, call in self.calls.items():
            self.failures.append(f"{call_id}: {call.state}")

    def _at(self, delay, action):
        self.serial += 1
        heapq.heappush(self.due, (time.monotonic() + delay, self.serial, action))

    def _repeat(self, call_id, state, send, tries=TRIES, delay=0.5):
        """Sends now, and again for as long as the call is in that state."""
        call = self.calls.get(call_id)
        if call is None or call.state != state:
            return
        if tries == 0:
            self._fail(call_id, f"no answer while {state}")
            return
        send()
        self._at(delay, lambda: self._repeat(call_id, state, send, tries - 1, delay * 2))

    def _fail(self, call_id, text):
        del self.calls[call_id]
        self.failures.append(f"{call_id}: {text}")

    def _place(self):
        if not self.placing:
            return
        caller = sip.Caller(self.here, self.proxy)
        self.calls[caller.call_id] = _Call(caller)
        self.begun += 1
        self._repeat(caller.call_id, "inviting", caller.call)
        self._at(1 / self.rate, self._place)

    def _hang_up(self, call_id):
        call = self.calls[call_id]
        call.state = "leaving"
        bye = []

        def send():
            bye[:] = bye or [call.caller.within("BYE")]
            if len(bye) == 2:
                call.caller.send(bye[0])
            bye[1:] = [None]
        self._repeat(call_id, "leaving", send)

    def _caller_got(self, message):
        call_id = message.header("Call-ID")
        call = self.calls.get(call_id)
        if call is None or message.status is None or message.status < 200:
            return
        if message.status >= 300:
            self._fail(call_id, f"{message.method} got {message.status}")
        elif message.method == "INVITE" and call.state == "inviting":
            call.state = "talking"
            call.caller.establish(message)
            call.caller.ack()
            self._at(self.talk, lambda: self._hang_up(call_id))
        elif message.method == "INVITE":
            call.caller.ack()
        elif call.state == "leaving":
            self.completed += 1
            del self.calls[call_id]

    def _answer(self, call_id, call, send, tries=TRIES, delay=0.5):
        if call.answer == "acknowledged" or tries == 0:
            return
        send()
        self._at(delay, lambda: self._answer(call_id, call, send, tries - 1, delay * 2))

    def _callee_got(self, message):
        call_id = message.header("Call-ID")
        call = self.calls.get(call_id)
        if message.method == "BYE":
            self.there.send(sip.response(message, 200, "OK"), message.source)
        elif call is None:
            return
        elif message.method == "ACK":
            call.answer = "acknowledged"
        elif message.method == "INVITE" and call.answer is None:
            callee = sip.Callee(self.there, message)
            callee.answer(180, "Ringing")
            call.answer = callee
            self._answer(call_id, call, lambda: callee.answer(200, "OK"))

    def run(self):
        self._place()
        while self.placing or self.calls:
            wait = max(0, self.due[0][0] - time.monotonic()) if self.due else 0.1
            ready, _, _ = select.select([self.here.socket, self.there.socket], [], [], wait)
            for endpoint, got in ((self.here, self._caller_got), (self.there, self._callee_got)):
                if endpoint.socket in ready:
                    for message in endpoint.drain():
                        got(message)
            while self.due and self.due[0][0] <= time.monotonic():
                heapq.heappop(self.due)[2]()

    def check(self, text):
        """A check that no call failed; text has a place for their number."""
        return checks.check(self.begun > 0 and not self.failures and self.completed == self.begun,
                            text.format(self.begun), f"{self.completed} completed of {self.begun}\n"
                            + "\n".join(self.failures[:20]))
