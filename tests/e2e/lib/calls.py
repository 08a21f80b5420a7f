"""What becomes of a call, told from both ends."""

import select
import time

from . import checks, sip
from .sip import Callee, Caller


def _next(endpoints, seconds):
    """The next message at one of the endpoints: (endpoint, message); None when there is none."""
    ready, _, _ = select.select([endpoint.socket for endpoint in endpoints], [], [],
                                max(0, seconds))
    for endpoint in endpoints:
        if endpoint.socket in ready:
            message = endpoint.receive(0)
            endpoint.seen.add(message.raw)  # for expect(), to which it may come again
            return endpoint, message
    return None


def fate(daemon, number, here, there, seconds=3, **more):
    """Calls from `here` and waits: the status when the call was refused, or the INVITE as it came
    out at `there`. The callee is busy, so that nothing is left of the call."""
    caller = Caller(here, daemon.address, number, **more).call()
    end = time.monotonic() + seconds * checks.SLOW
    while (found := _next([here, there], end - time.monotonic())) is not None:
        endpoint, message = found
        if message.header("Call-ID") != caller.call_id:
            continue
        if endpoint is there and message.method == "INVITE":
            Callee(there, message).answer(486, "Busy Here")
            caller.ack_refusal(here.expect(486))
            there.expect("ACK")
            return message
        if endpoint is here and message.status is not None and message.status >= 200:
            caller.ack_refusal(message)
            return message.status
    raise checks.Failure(f"the call of {number} was neither refused nor passed on")


def passed(outcome):
    return isinstance(outcome, sip.Message)


def shown(outcome):
    """An outcome of fate() for the eye."""
    return "passed" if passed(outcome) else str(outcome)


def expect_fate(daemon, number, here, there, wanted, text, **more):
    """A check; wanted: "passed" or a status."""
    return checks.equal(shown(fate(daemon, number, here, there, **more)), str(wanted), text)


def fate_within(daemon, number, here, there, wanted, seconds, text):
    """Calls again and again until the outcome is the one wanted; a check that tells the time."""
    begun = time.monotonic()
    while True:
        placed = time.monotonic()
        outcome = shown(fate(daemon, number, here, there))
        if outcome == str(wanted) or placed - begun >= seconds * checks.SLOW:
            break
        time.sleep(0.01)
    took = placed - begun
    return checks.check(outcome == str(wanted), f"{text} ({took * 1000:.0f} ms)",
                        f"{outcome} after {took:.2f} s, {wanted} was expected")
