"""A tiny SIP endpoint over UDP for exact scenarios: raw bytes out, parsed messages in.

Nothing here retransmits or answers by itself: a scenario says every datagram.
"""

import itertools
import os
import re
import select
import socket
import time

from . import checks

_serial = itertools.count(1)
_SDP = (b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
        b"m=audio 49170 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n")
_COMPACT = {"i": "call-id", "m": "contact", "f": "from", "t": "to", "v": "via", "l":
            "content-length", "c": "content-type", "s": "subject", "k": "supported"}


def unique(prefix=""):
    return f"{prefix}{os.getpid():x}x{next(_serial):x}"


def host_port(address):
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Message:
    """A message as it was received: raw bytes and a reading of them."""

    def __init__(self, raw, source=None):
        self.raw = raw
        self.source = source
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = re.sub(rb"\r\n[ \t]+", b" ", head).split(b"\r\n")
        self.start = lines[0].decode("utf-8", "replace")
        self.headers = []
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            self.headers.append((name.decode("latin-1").strip(),
                                 value.decode("utf-8", "surrogateescape").strip()))
        # Tolerant: what a daemon passes on of a broken message may be broken, too.
        words = [*self.start.split(" "), ""]
        found = re.match(r"SIP/2\.0 (\d{3})\b", self.start)
        self.status = int(found.group(1)) if found else None
        self.method = (self.header("CSeq") or "?").split()[-1] if found else words[0]
        self.uri = None if found else words[1]

    def all(self, name):
        """Values of a header, one per value and not per line where the grammar lists them."""
        found = []
        for key, value in self.headers:
            key = key.lower()
            if _COMPACT.get(key, key) != name.lower():
                continue
            if name.lower() in ("via", "route", "record-route", "history-info"):
                found += [part.strip() for part in
                          re.findall(r'(?:[^,"<]|"(?:[^"\\]|\\.)*"|<[^>]*>)+', value)]
            else:
                found.append(value)
        return found

    def header(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def tag(self, name):
        return parameter(self.header(name, ""), "tag")

    def lines(self):
        """The header lines as raw bytes, with their line breaks and continuations."""
        head = self.raw.partition(b"\r\n\r\n")[0] + b"\r\n"
        return re.findall(rb"[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", head)[1:]

    def __str__(self):
        return self.raw.decode("utf-8", "replace")


def parameter(value, name):
    found = re.search(rf";\s*{name}\s*=\s*([^;,\s>]+)", value)
    return found.group(1) if found else None


def uri_of(value):
    found = re.search(r"<([^>]*)>", value)
    return found.group(1) if found else value.split(";")[0].strip()


class Endpoint:
    """A socket of a site."""

    via = "UDP"  # as it stands in a Via; lib/stream.py has the others

    def __init__(self, site, host, port=5060):
        host = site.address(host) if isinstance(host, int) else host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((host, port))
        self.address = self.socket.getsockname()[:2]
        self.seen = set()
        site.sockets.append(self.socket)

    @property
    def hostport(self):
        return host_port(self.address)

    @property
    def contact(self):
        """host:port as it stands in a Contact, with the transport where it is not UDP."""
        suffix = "" if self.via == "UDP" else f";transport={self.via.lower()}"
        return self.hostport + suffix

    def send(self, data, to):
        data = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        self.socket.sendto(data, to)

    def receive(self, seconds=2):
        """The next message whatever it is; None when there is none."""
        ready, _, _ = select.select([self.socket], [], [], seconds * checks.SLOW)
        if not ready:
            return None
        data, source = self.socket.recvfrom(70000)
        return Message(data, source[:2])

    def expect(self, wanted, method=None, seconds=3, provisional=False):
        """The next message, which must be the request or the response wanted. 100 responses
        (unless wanted) and repetitions of what has been seen are passed over."""
        end = time.monotonic() + seconds * checks.SLOW
        while True:
            message = self.receive(max(0, end - time.monotonic()) / checks.SLOW)
            if message is None:
                raise checks.Failure(f"{self.hostport}: no {wanted} came")
            if message.raw in self.seen:
                continue
            self.seen.add(message.raw)
            got = message.status if isinstance(wanted, int) else message.method
            is_kind = (message.status is not None) == isinstance(wanted, int)
            if is_kind and got == wanted and method in (None, message.method):
                return message
            if message.status == 100 or (provisional and message.status in range(100, 200)):
                continue
            raise checks.Failure(f"{self.hostport}: {wanted} was expected, got:\n{message}")

    def collect(self, wanted, count, method=None, seconds=5):
        """Messages of `count` calls by Call-ID, whatever else comes between."""
        found = {}
        end = time.monotonic() + seconds * checks.SLOW
        while len(found) < count:
            message = self.receive(max(0, end - time.monotonic()) / checks.SLOW)
            if message is None:
                break
            got = message.status if isinstance(wanted, int) else message.method
            is_kind = (message.status is not None) == isinstance(wanted, int)
            if is_kind and got == wanted and method in (None, message.method):
                found.setdefault(message.header("Call-ID"), message)
        return found

    def silent(self, seconds=0.3):
        """None when nothing comes, else what came."""
        return self.receive(seconds)

    def drain(self):
        """All that waits in the socket."""
        found = []
        while (message := self.receive(0)) is not None:
            found.append(message)
        return found


def request(endpoint, method, uri, call_id, from_value, to_value, cseq, branch=None, headers=(),
            body=b"", max_forwards=70, contact=True):
    """A request as bytes."""
    branch = branch or unique("z9hG4bKe2e")
    lines = [f"{method} {uri} SIP/2.0",
             f"Via: SIP/2.0/{endpoint.via} {endpoint.hostport};branch={branch}",
             f"Max-Forwards: {max_forwards}",
             f"From: {from_value}", f"To: {to_value}", f"Call-ID: {call_id}",
             f"CSeq: {cseq} {method}"]
    if contact and method in ("INVITE", "UPDATE", "SUBSCRIBE"):
        lines.append(f"Contact: <sip:{endpoint.contact}>")
    lines += headers
    if body:
        lines.append("Content-Type: application/sdp")
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def response(to_request, status, reason="", tag=None, headers=(), body=b"", contact=None):
    """The answer of a server to a request as bytes."""
    lines = [f"SIP/2.0 {status} {reason or 'Whatever'}"]
    for name, value in to_request.headers:
        low = _COMPACT.get(name.lower(), name.lower())
        if low == "to" and tag and "tag=" not in value:
            value = f"{value};tag={tag}"
        if low in ("via", "from", "to", "call-id", "cseq"):
            lines.append(f"{name}: {value}")
        elif low == "record-route" and 100 < status < 300:
            lines.append(f"{name}: {value}")
    if contact:
        lines.append(f"Contact: <sip:{contact}>")
    lines += headers
    if body:
        lines.append("Content-Type: application/sdp")
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


class Caller:
    """The calling side of one call."""

    def __init__(self, endpoint, proxy, caller="+8613911112222", callee="+861065551234",
                 display=None, headers=(), uri=None, body=_SDP):
        self.endpoint = endpoint
        self.proxy = proxy
        self.call_id = unique("call-")
        self.tag = unique("f")
        shown = f'"{display}" ' if display else ""
        self.from_value = f"{shown}<sip:{caller}@{host_port(endpoint.address)}>;tag={self.tag}"
        self.uri = uri or f"sip:{callee}@{host_port(proxy)}"
        self.to_value = f"<{self.uri}>"
        self.headers = list(headers)
        self.body = body
        self.cseq = 1
        self.branch = unique("z9hG4bKe2e")
        self.invite_cseq = 1
        self.routes = []
        self.target = self.uri
        self.invite = self._make("INVITE", self.cseq, branch=self.branch, headers=self.headers,
                                 body=self.body)

    def _make(self, method, cseq, branch=None, headers=(), body=b"", **more):
        routes = [f"Route: {value}" for value in self.routes]
        return request(self.endpoint, method, self.target, self.call_id, self.from_value,
                       self.to_value, cseq, branch, [*routes, *headers], body, **more)

    def send(self, data):
        self.endpoint.send(data, self.proxy)

    def call(self):
        self.send(self.invite)
        return self

    def expect(self, status, method="INVITE", **more):
        return self.endpoint.expect(status, method, **more)

    def establish(self, answer):
        """Takes dialog, route set and target from a 2xx."""
        self.to_value = answer.header("To")
        self.routes = list(reversed(answer.all("Record-Route")))
        self.target = uri_of(answer.header("Contact"))

    def ack(self, **more):
        """The ACK to a 2xx, which is a transaction of its own."""
        data = self._make("ACK", self.invite_cseq, **more)
        self.send(data)
        return data

    def ack_refusal(self, answer, **more):
        """The ACK to any other final response: of the INVITE's branch, hop by hop."""
        data = request(self.endpoint, "ACK", self.uri, self.call_id, self.from_value,
                       answer.header("To"), self.invite_cseq, self.branch, **more)
        self.send(data)
        return data

    def cancel(self, headers=()):
        data = request(self.endpoint, "CANCEL", self.uri, self.call_id, self.from_value,
                       f"<{self.uri}>", self.invite_cseq, self.branch, headers)
        self.send(data)
        return data

    def within(self, method, headers=(), body=b"", **more):
        """A request of the dialog, sent."""
        self.cseq += 1
        data = self._make(method, self.cseq, headers=headers, body=body, **more)
        if method == "INVITE":
            self.invite_cseq = self.cseq
        self.send(data)
        return data


class Callee:
    """The called side of one call, from the INVITE that it got."""

    def __init__(self, endpoint, invite, contact=None):
        self.endpoint = endpoint
        self.invite = invite
        self.tag = unique("t")
        self.contact = contact or endpoint.contact
        self.cseq = 100

    def answer(self, status, reason="", to_request=None, **more):
        more.setdefault("contact", self.contact if 100 < status < 300 else None)
        data = response(to_request or self.invite, status, reason,
                        tag=None if status == 100 else more.pop("tag", self.tag), **more)
        self.endpoint.send(data, self.invite.source)
        return data

    def within(self, method, headers=(), body=b"", routes=None):
        """A request of the called side, sent by the route set of the INVITE."""
        self.cseq += 1
        routes = self.invite.all("Record-Route") if routes is None else routes
        data = request(self.endpoint, method, uri_of(self.invite.header("Contact")),
                       self.invite.header("Call-ID"),
                       f"{self.invite.header('To')};tag={self.tag}", self.invite.header("From"),
                       self.cseq, headers=[*(f"Route: {value}" for value in routes), *headers],
                       body=body)
        self.endpoint.send(data, self.invite.source)
        return data


def talk(caller, callee_endpoint, body=_SDP):
    """A whole call up to its ACK: (the callee, the 200 as the caller got it)."""
    caller.call()
    callee = Callee(callee_endpoint, callee_endpoint.expect("INVITE"))
    callee.answer(180, "Ringing")
    caller.expect(180)
    callee.answer(200, "OK", body=body)
    answer = caller.expect(200)
    caller.establish(answer)
    caller.ack()
    callee_endpoint.expect("ACK")
    return callee, answer


def exchange(side, method, other_endpoint, **more):
    """A request of the dialog by one side, a Caller or a Callee, and the 200 of the other."""
    side.within(method, **more)
    asked = other_endpoint.expect(method)
    other_endpoint.send(response(asked, 200, "OK"), asked.source)
    return side.endpoint.expect(200, method)


def hang_up(side, other_endpoint):
    """BYE and its 200."""
    return exchange(side, "BYE", other_endpoint)
