#!/usr/bin/env python3
"""Malformed, oversize, truncated and random datagrams; and odd ones that must come through whole."""

import random

from lib import checks, sip
from lib.checks import case, check, equal
from lib.daemon import CALLEE, CALLER, STRANGER, Daemon
from lib.site import Site, settle


class Stage:
    def __init__(self, site, **changes):
        self.daemon = Daemon(site, **changes)
        self.a = sip.Endpoint(site, CALLER)
        self.b = sip.Endpoint(site, CALLEE)

    def send(self, data):
        self.a.send(data, self.daemon.address)

    def forwarded(self, data):
        """The datagram as the callee got it, whose INVITE is then kept quiet."""
        self.send(data)
        while (message := self.b.receive(2)) is not None and message.raw in self.b.seen:
            continue  # an earlier one, sent again
        if message is None:
            raise checks.Failure(f"was not forwarded: {data[:300]!r}; "
                                 f"{[m.start for m in self.a.drain()]}")
        self.b.seen.add(message.raw)
        self.b.send(sip.response(message, 100, "Trying"), message.source)
        return message.raw


def invite(stage, lines=(), body=b"", **changes):
    """An INVITE as text lines that a case can bend."""
    fields = {"Via": f"SIP/2.0/UDP {stage.a.hostport};branch={sip.unique('z9hG4bK')}",
              "Max-Forwards": "70", "From": f"<sip:+8613811112222@example.net>;tag={sip.unique()}",
              "To": "<sip:+861065551234@example.net>", "Call-ID": sip.unique("odd"),
              "CSeq": "1 INVITE", "Contact": f"<sip:{stage.a.hostport}>",
              "Content-Length": str(len(body)), **changes}
    head = ["INVITE sip:+861065551234@example.net SIP/2.0"]
    head += [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([*head, *lines]).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


@case("what is refused or dropped")
def refused():
    with Site() as site:
        stage = Stage(site)

        def outcome(text, status, data, reason=None):
            before = stage.daemon.counts()["families"]["malformed"]["totals"] if reason else {}
            stage.send(data)
            answer = stage.a.receive(1 if status else 0.15)
            equal(answer and answer.status, status, text)
            check(stage.b.silent(0) is None, "    and goes no further")
            if reason:
                after = stage.daemon.counts()["families"]["malformed"]["totals"]
                equal({key: value - before.get(key, 0) for key, value in after.items()
                       if value != before.get(key, 0)}, {reason: 1}, f"    counted as {reason}")

        good = invite(stage)
        outcome("no SIP at all", None, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "not_sip")
        outcome("binary", None, bytes(range(256)), "not_sip")
        outcome("keep-alive", None, b"\r\n\r\n", "keepalive")
        outcome("an empty datagram", None, b"")
        outcome("without Call-ID: 400", 400, invite(stage, **{"Call-ID": None}))
        outcome("without CSeq: 400", 400, invite(stage, CSeq=None))
        outcome("CSeq of another method: 400", 400, invite(stage, CSeq="1 BYE"))
        outcome("CSeq beyond its range: 400", 400, invite(stage, CSeq="4294967296 INVITE"))
        outcome("Max-Forwards that is no number: 400", 400, invite(stage, **{"Max-Forwards": "x"}))
        outcome("two Call-IDs: 400", 400, invite(stage, ["Call-ID: another"]))
        outcome("Content-Length beyond the datagram: 400", 400,
                invite(stage, **{"Content-Length": "10"}))
        outcome("SIP/3.0: 505", 505, good.replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1))
        outcome("cut off within the headers: 400", 400, good[:-40], "truncated")
        outcome("too many headers: 400", 400, invite(stage, [f"X-{at}: y" for at in range(300)]))
        outcome("a broken response", None, b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x\r\n\r\n")
        outcome("a response to nobody", None, sip.response(sip.Message(good), 200))
        check(stage.daemon.process.running(), "the daemon is alive")
        log = [line for line in stage.daemon.log().splitlines() if "malformed" in line]
        check(len(log) < 40, "the log does not repeat each of them", len(log))
        stage.daemon.stop()


@case("what the two readers could take differently")
def disagreement():
    with Site() as site:
        stage = Stage(site)
        for text, data in {
                "a second From": invite(stage, ["From: <sip:+8613999999999@x>;tag=2"]),
                "a second Content-Length": invite(stage, ["Content-Length: 7"]),
                "a compact and a long To": invite(stage, ["t: <sip:+8613999999999@x>"]),
        }.items():
            stage.send(data)
            answer = stage.a.receive(1)
            equal((answer and answer.status, stage.b.silent(0)), (400, None), f"{text}: 400")
        stage.daemon.stop()


@case("odd messages that must come through")
def odd():
    with Site() as site:
        stage = Stage(site)

        def same(text, data, *expected):
            got = stage.forwarded(data)
            missing = [part for part in expected if part not in got]
            check(not missing, text, f"missing {missing}\nin {got!r}")
            return got

        folded = invite(stage, ["Subject: first", "\tsecond", "  third", "X-Last: 1"])
        same("a folded header", folded, b"Subject: first\r\n\tsecond\r\n  third\r\nX-Last: 1\r\n")
        data = invite(stage, **{"Via": f"SIP/2.0/UDP {stage.a.hostport}\r\n ;branch="
                                       f"{sip.unique('z9hG4bK')}"})
        same("a folded Via", data, b"\r\n ;branch=")
        compact = invite(stage)
        for long, short in ((b"Via", b"v"), (b"From", b"f"), (b"To", b"t"), (b"Call-ID", b"i"),
                            (b"Contact", b"m"), (b"Content-Length", b"l")):
            compact = compact.replace(b"\r\n" + long + b":", b"\r\n" + short + b":")
        got = same("compact forms", compact, b"\r\nf: <", b"\r\nt: <", b"\r\ni: ", b"\r\nm: <",
                   b"\r\nl: 0\r\n")
        equal(len(sip.Message(got).all("Via")), 2, "    with our Via above the compact one")
        several = invite(stage, Via=f"SIP/2.0/UDP {stage.a.hostport};branch="
                                    f"{sip.unique('z9hG4bK')}, SIP/2.0/TCP 192.0.2.1 , "
                                    "SIP/2.0/TLS host.example:5061;x=\"a,b\"")
        got = same("several Vias on one line", several,
                   b", SIP/2.0/TCP 192.0.2.1 , SIP/2.0/TLS host.example:5061;x=\"a,b\"\r\n")
        data = invite(stage, body=b"abc").replace(b"\r\n", b"\n")
        got = stage.forwarded(data)
        check(got.endswith(b"\n\nabc") or got.endswith(b"\r\n\r\nabc"), "LF-only line ends", got)
        quoted = invite(stage, From=f"\"nul\0 and \\\"quote\\\" é\" <sip:+8613811112222@x>;tag="
                                    f"{sip.unique()}")
        same("a NUL in a quoted string", quoted, b'From: "nul\0 and \\"quote\\" \xc3\xa9" <sip:')
        latin = invite(stage, ["X-Latin: caf\udce9"])
        same("bytes that are no UTF-8", latin, b"X-Latin: caf\xe9\r\n")
        body = bytes(range(256)) * 3 + b"\r\n\r\n\0"
        check(stage.forwarded(invite(stage, body=body)).endswith(b"\r\n\r\n" + body),
              "a binary body")
        spaced = invite(stage, ["X-Space \t :\t  odd  "])
        same("space before the colon and behind the value", spaced, b"X-Space \t :\t  odd  \r\n")
        upper = invite(stage).replace(b"Call-ID:", b"CALL-id:").replace(b"CSeq:", b"cseq:")
        same("names in any case", upper, b"\r\nCALL-id: ", b"\r\ncseq: 1 INVITE\r\n")
        got = stage.forwarded(invite(stage, body=b"abc", **{"Content-Length": "2"}))
        check(got.endswith(b"\r\n\r\nab"), "bytes behind Content-Length are cut off (18.3)", got[-20:])
        got = stage.forwarded(invite(stage, body=b"abc", **{"Content-Length": None}))
        check(got.endswith(b"\r\n\r\nabc"), "without Content-Length the datagram is the body")
        got = stage.forwarded(invite(stage, **{"Max-Forwards": None}))
        equal(sip.Message(got).header("Max-Forwards"), "70", "Max-Forwards is added where it misses")
        stage.daemon.stop()


@case("big messages")
def big():
    with Site() as site:
        stage = Stage(site)
        body = random.Random(1).randbytes(60000)
        got = stage.forwarded(invite(stage, body=body))
        check(got.endswith(body), "an INVITE of 60 kB comes through in fragments")
        check(stage.daemon.total("datagrams_fragmented") >= 1, "and is counted")
        data = invite(stage, ["X-Pad: " + "p" * 30] * 20, body=b"b" * 1000)
        check(stage.forwarded(data).endswith(b"b" * 1000), "one of 2 kB, too")
        # What we must add does not fit into a datagram any more.
        room = 65480 - len(invite(stage, body=b"x" * 10000)) + 10000
        stage.send(invite(stage, body=b"x" * room))
        answer = stage.a.receive(1)
        while answer and answer.status == 100:
            answer = stage.a.receive(1)
        equal((answer and answer.status, stage.b.silent(0)), (513, None),
              "what outgrows a datagram is refused with 513")
        check(stage.forwarded(invite(stage)), "the next one passes")
        stage.daemon.stop()


@case("garbage")
def garbage():
    with Site() as site:
        stage = Stage(site, workers=2)
        stranger = sip.Endpoint(site, STRANGER)
        chance = random.Random(4475)
        good = invite(stage, ["Route: <sip:192.0.2.1;lr>", "Subject: x"], body=b"body")
        count = 3000
        for number in range(count):
            data = bytearray(good)
            for _ in range(chance.randrange(1, 12)):
                at = chance.randrange(len(data))
                if chance.random() < 0.5:
                    data[at] = chance.randrange(256)
                else:
                    del data[at:at + chance.randrange(1, 40)]
                if not data:
                    data = bytearray(b"\0")
            if number % 10 == 0:
                data = bytearray(chance.randbytes(chance.randrange(1, 1500)))
            stage.a.send(bytes(data), stage.daemon.address)
            if number % 20 == 0:
                stranger.send(bytes(data), stage.daemon.address)
            if number % 100 == 0:
                settle(0.01)
                stage.a.drain()
                stage.b.drain()
        settle(0.3)
        stage.a.drain()
        stage.b.drain()
        check(stranger.silent(0) is None, "strangers hear nothing")
        counts = stage.daemon.counts()
        malformed = counts["families"]["malformed"]["totals"]
        # What the two readers disagree on was a well-formed request until then.
        seen = (sum(malformed.values()) - malformed.get("disagree", 0) +
                counts["totals"]["requests"] + counts["totals"]["responses"] +
                counts["totals"]["unknown_source"])
        equal(seen, counts["totals"]["datagrams_received"], "every datagram is counted by its fate")
        fresh = sip.Caller(stage.a, stage.daemon.address)
        stage.a.seen.clear()
        fresh.call()
        found = stage.b.collect("INVITE", 100, seconds=0.5)
        check(fresh.call_id in found, "and a good call still passes")
        stage.daemon.stop()


checks.main(limit=60)
