#!/usr/bin/env python3
"""The torture messages of RFC 4475 and RFC 5118 through a running daemon: docs/rfc4475.md.

Prints a table: file, expected, got, verdict. Whatever is forwarded must be forwarded byte for byte
but for what a proxy owes to write.
"""

import os
import re

from lib import checks, sip, torture
from lib.checks import Failure, case, check, equal
from lib.daemon import ABROAD, CALLEE, CALLER, Daemon
from lib.site import Site


class Stage:
    """A daemon of one worker, which does things in the order in which they come: when an OPTIONS
    that was sent behind a message is answered, all that becomes of the message at once has been."""

    def __init__(self, site):
        self.site = site
        self.daemon = Daemon(site, workers=1)
        self.sender = sip.Endpoint(site, CALLER)
        self.callee = sip.Endpoint(site, CALLEE)
        self.prober = sip.Endpoint(site, ABROAD)
        self.used = set()

    def settle(self):
        us = f"sip:{sip.host_port(self.daemon.address)}"
        probe = sip.request(self.prober, "OPTIONS", us, sip.unique("probe"),
                            "<sip:probe@example.net>;tag=1", f"<{us}>", 1)
        self.prober.send(probe, self.daemon.address)
        if self.prober.receive(5) is None:
            raise Failure("the daemon answers no more")

    def outcome(self, raw):
        """What became of a message: the word of the table, and the message that was forwarded or
        the answer."""
        port = torture.via_port(raw)
        extra = sip.Endpoint(self.site, CALLER, port) if port else None
        self.settle()
        self.callee.drain()
        self.sender.drain()
        self.sender.send(raw, self.daemon.address)
        self.settle()
        answers = self.sender.drain() + (extra.drain() if extra else [])
        if extra:
            extra.socket.close()
        answers = [message for message in answers if message.status != 100]
        forwarded = self.callee.drain()
        if forwarded:
            # So that nobody repeats it into the time of the next message.
            status = 100 if forwarded[0].method == "INVITE" else 200
            self.callee.send(sip.response(forwarded[0], status), self.daemon.address)
            return "forward", forwarded[0]
        if answers:
            return str(answers[0].status), answers[0]
        return "drop", None

    def send(self, path):
        raw = torture.with_own_branch(torture.read(path), self.used, sip.unique("-"))
        return raw, *self.outcome(raw)


@case("each message has its verdict")
def verdicts():
    with Site() as site:
        stage = Stage(site)
        wrong, sent = [], 0
        print(f"    {'section':9} {'message':34} {'expected':9} {'got':9} verdict")
        for section, name, owed, expected in torture.verdicts():
            for path in torture.files(name):
                raw, got, message = stage.send(path)
                difference = torture.differences(raw, message.raw) if got == "forward" else None
                verdict = "ok" if got == expected and not difference else "WRONG"
                sent += 1
                shown = os.path.basename(path)
                print(f"    {section:9} {shown:34} {expected:9} {got:9} {verdict}")
                if verdict != "ok":
                    wrong.append(shown)
                    print(f"    {'':9} {difference or ''} ({owed})")
        check(not wrong, f"{sent} messages came out as expected", ", ".join(wrong))
        lost = [name for _, name, _, _ in torture.verdicts() if name != "test" and
                not os.path.isfile(torture.own(name))]
        check(not lost, "and none is missing", ", ".join(lost))
        check(stage.daemon.process.running(), "the daemon is alive")
        stage.daemon.stop()


@case("what the verdict does not tell")
def details():
    with Site() as site:
        stage = Stage(site)
        _, _, answer = stage.send(torture.own("bext01"))
        equal(answer.header("Unsupported"), "noProxyKnowsThis, norDoesAnyProxyKnowThis",
              "bext01: Unsupported has the values of Proxy-Require, all and only")
        _, _, answer = stage.send(torture.own("multi01"))
        check(answer.header("Call-ID") and answer.header("CSeq") and
              len(answer.all("Via")) == 1, "multi01: the 400 can be told to belong to it", answer)
        _, got, message = stage.send(torture.own("dblreq"))
        check(got == "forward" and b"INVITE" not in message.raw,
              "dblreq: nothing of the second request goes on")
        raw = torture.read(torture.own("mpart01"))
        raw = re.sub(rb"Route: [^\r]*\r\n", b"", raw).replace(b"mpart01", b"mpart02")
        got, message = stage.outcome(raw)
        check(got == "forward" and torture.differences(raw, message.raw) is None,
              "mpart01: without its Route it is forwarded, all parts byte for byte", got)
        _, got, message = stage.send(torture.own("inv2543"))
        equal((got, message.header("Max-Forwards"), message.tag("From")), ("forward", "70", None),
              "inv2543: Max-Forwards is added, a tag is not")
        raw = torture.read(torture.own("badbranch"))
        stage.outcome(raw)
        other = raw.replace(b"badbranch.61", b"badbranch.62")
        equal(stage.outcome(other)[0], "forward",
              "badbranch: another request with the cookie alone is no retransmission of it")
        equal(stage.outcome(other)[0], "200", "    and the same one again is")
        for name, headers in (("via-received-param-with-delim", b"BYE"),
                              ("mult-ip-in-header", b"BYE")):
            raw = torture.read(torture.own(name)).replace(headers, b"OPTIONS")
            raw = re.sub(rb"(To: [^;\r]*);tag=[^\r]*", rb"\1", raw)
            got, message = stage.outcome(raw)
            check(got == "forward" and torture.differences(raw, message.raw) is None,
                  f"{name}: outside a dialog it is forwarded", got)
            equal(sip.parameter(message.all("Via")[1], "received"), site.address(CALLER),
                  "    with received as we saw it")
        stage.daemon.stop()


checks.main(limit=60)
