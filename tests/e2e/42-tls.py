#!/usr/bin/env python3
"""TLS: calls in both directions, whose certificates are refused and what is said of it, mutual TLS,
certificates replaced without a connection lost, and what is no TLS at all."""

import os
import ssl
import warnings

from lib import checks, sip
from lib.certificates import Authority, server_context
from lib.checks import case, check, equal
from lib.daemon import CALLEE, CALLER, DAEMON, Daemon, trunk
from lib.sip import Callee, Caller, Endpoint
from lib.site import Site
from lib.stream import Stream


# TLS 1.1 is asked for to be refused.
warnings.simplefilter("ignore", DeprecationWarning)


class Stage:
    """A daemon that listens by TLS and UDP; `carrier` speaks UDP, `core` TLS."""

    def __init__(self, site, **core):
        self.site = site
        self.authority = Authority(site, "authority")
        self.foreign = Authority(site, "foreign")
        tls = self.authority.listen("ours", ["proxy.example"])
        self.daemon = Daemon(
            site, listen=[{"address": f"{site.address(DAEMON)}:5060"},
                          {"address": site.address(DAEMON), "transport": "tls", "tls": tls}],
            trunks=[trunk("carrier", site.address(CALLER)),
                    trunk("core", site.address(CALLEE), "tls", trusted=True, **core)],
            routes=[{"from": "carrier", "to": "core"}, {"from": "core", "to": "carrier"}],
            streams={"connect_timeout": "2s", "message_timeout": "2s"})

    @property
    def address(self):
        return (self.site.address(DAEMON), 5061)

    def peer(self, names, days=(-1, 30), authority=None):
        path = (authority or self.authority).issue("peer", names, days)
        return Stream(self.site, CALLEE, server=server_context(path),
                      client=self.authority.client_context(path), name="proxy.example")

    def closed(self, reason, count, text):
        """A check that so many ended by that; probes of what is down may have added to them."""
        checks.wait_for(lambda: self.daemon.family("connections_closed", reason) >= count, 3, text)


@case("both directions")
def both_directions():
    with Site() as site:
        stage = Stage(site)
        here = Endpoint(site, CALLER)
        there = stage.peer([site.address(CALLEE)])
        daemon = stage.daemon
        caller = Caller(here, daemon.address)
        callee, answer = sip.talk(caller, there)
        equal(callee.invite.all("Via")[0].split()[0], "SIP/2.0/TLS", "to TLS: our Via says so")
        routes = [sip.uri_of(value) for value in answer.all("Record-Route")]
        check(f"{site.address(DAEMON)}:5061;transport=tls;" in routes[0] and "5060;lr" in routes[1],
              "Record-Route is doubled", routes)
        sip.exchange(callee, "UPDATE", here)
        equal(sip.hang_up(caller, there).status, 200, "a call to a trunk of TLS")
        caller = Caller(there, stage.address)
        sip.talk(caller, here)
        equal(sip.hang_up(caller, here).status, 200, "and one from there")
        check(there.connections[0].socket.version() == "TLSv1.3", "by TLS 1.3")
        old = stage.authority.client_context()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        there.client = old
        check(there.connect(stage.address).socket.version() == "TLSv1.2", "or 1.2")
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        try:
            there.connect(stage.address)
            check(False, "nothing older")
        except (ssl.SSLError, OSError):
            check(True, "nothing older")
        stage.closed("tls_version", 1, "which is counted")
        check(daemon.wait_quiet(3), "nothing is left")
        daemon.stop()


@case("sips")
def sips():
    """RFC 3261 section 26.2.2 and 16.6 item 4, RFC 5630."""
    with Site() as site:
        stage = Stage(site)
        here = Endpoint(site, CALLER)
        there = stage.peer([site.address(CALLEE)])
        daemon = stage.daemon
        host = site.address(DAEMON)
        caller = Caller(here, daemon.address, uri=f"sips:+861065551234@{host}")
        callee, answer = sip.talk(caller, there)
        check(callee.invite.start.startswith("INVITE sips:+861065551234@"),
              "what is for a sips: URI goes by TLS as such", callee.invite.start)
        routes = [sip.uri_of(value) for value in answer.all("Record-Route")]
        check(routes[0].startswith(f"sips:{host}:5061;lr;") and
              routes[1].startswith(f"sip:{host}:5060;lr;"),
              "Record-Route is sips: on the side of TLS", routes)
        sip.exchange(callee, "UPDATE", here)
        equal(sip.hang_up(caller, there).status, 200, "requests of the dialog find their way by it")
        caller = Caller(there, stage.address, uri=f"sips:+861065551234@{host}").call()
        refused = caller.expect(480)
        caller.ack_refusal(refused)
        equal(refused.header("Warning"), '380 ringfence "SIPS Not Allowed"',
              "to a trunk without TLS: 480 that says why")
        equal(daemon.total("sips_refused"), 1, "which is counted")
        check("is not for trunk carrier, which it does not reach by TLS" in daemon.log(),
              "and logged with what to do", daemon.log()[-2000:])
        daemon.stop()


WRONG = [
    # what, names, days, whose, how it is counted, what the log says
    ("a wrong name", ["other.example"], (-1, 30), False, "tls_name", "it is for other.example"),
    ("an expired one", None, (-9, -2), False, "tls_expired", "certificate has expired"),
    ("one that is not valid yet", None, (2, 9), False, "tls_expired", "not yet valid"),
    ("a foreign authority's", None, (-1, 30), True, "tls_untrusted",
     "unable to get local issuer certificate"),
]


@case("certificates of those that we call")
def called():
    with Site() as site:
        stage = Stage(site)
        here = Endpoint(site, CALLER)
        counts = {}
        for what, names, days, foreign, reason, text in WRONG:
            there = stage.peer(names or [site.address(CALLEE)], days,
                               stage.foreign if foreign else None)
            caller = Caller(here, stage.daemon.address).call()
            there.receive(0.5)
            caller.ack_refusal(caller.expect(500))
            counts[reason] = counts.get(reason, 0) + 1
            stage.closed(reason, counts[reason], f"{what}: 500, counted {reason}")
            lines = [line for line in stage.daemon.log().splitlines() if text in line]
            check(lines and "trunk core: tls connection to" in lines[0], f"{what}: {text}",
                  stage.daemon.log()[-2000:])
            there.listener.close()
        there = stage.peer([f"sip:{site.address(CALLEE)}"])
        caller = Caller(here, stage.daemon.address)
        sip.talk(caller, there)
        sip.hang_up(caller, there)
        check(True, "a right one, its name in a URI: the call goes through")
        stage.daemon.stop()


@case("names of a trunk")
def names():
    with Site() as site:
        stage = Stage(site, tls={"names": ["carrier.example", "backup.example"]})
        here = Endpoint(site, CALLER)
        there = stage.peer([site.address(CALLEE)])
        caller = Caller(here, stage.daemon.address).call()
        there.receive(0.5)
        caller.ack_refusal(caller.expect(500))
        stage.closed("tls_name", 1, "with names, the address is none of them")
        there.listener.close()
        there = stage.peer(["*.example"])
        caller = Caller(here, stage.daemon.address).call()
        there.receive(0.5)
        caller.ack_refusal(caller.expect(500))
        stage.closed("tls_name", 2, "and wildcards are none (RFC 5922 section 7.2)")
        there.listener.close()
        there = stage.peer(["BACKUP.example"])
        caller = Caller(here, stage.daemon.address)
        sip.talk(caller, there)
        sip.hang_up(caller, there)
        check(True, "one of them is enough, in whatever case")
        stage.daemon.stop()


def refused(connection):
    """Whether the other side ends a connection that TLS 1.3 let us believe in."""
    try:
        connection.send(b"\r\n\r\n")
    except OSError:
        return True
    return connection.wait_closed(3)


@case("mutual")
def mutual():
    with Site() as site:
        stage = Stage(site, tls={"mutual": True, "names": ["carrier.example"]})
        here = Endpoint(site, CALLER)
        there = stage.peer(["carrier.example"])
        own = there.client
        client_context = stage.authority.client_context
        there.client = client_context()
        check(refused(there.connect(stage.address)), "no certificate: refused")
        stage.closed("tls_no_certificate", 1, "and counted")
        there.client = client_context(stage.authority.issue("other", ["other.example"]))
        check(refused(there.connect(stage.address)), "one for another name: refused")
        stage.closed("tls_name", 1, "and counted")
        there.client = client_context(stage.foreign.issue("other", ["carrier.example"]))
        check(refused(there.connect(stage.address)), "one of a foreign authority: refused")
        stage.closed("tls_untrusted", 1, "and counted")
        there.client = own
        there.connections = []
        caller = Caller(there, stage.address)
        sip.talk(caller, here)
        equal(sip.hang_up(caller, here).status, 200, "the right one: calls go through")
        stage.daemon.stop()


@case("reload")
def reload():
    with Site() as site:
        stage = Stage(site)
        here, daemon = Endpoint(site, CALLER), stage.daemon
        there = stage.peer([site.address(CALLEE)])
        caller = Caller(there, stage.address)
        sip.talk(caller, here)
        before = there.connections[0].socket.getpeercert(binary_form=True)
        stage.authority.issue("ours", ["proxy.example"])
        status, text = daemon.cli("reload")
        check(status == 0, "a reload with other certificates", text)
        other = there.connect(stage.address)
        check(other.socket.getpeercert(binary_form=True) != before, "who connects now sees the new "
                                                                    "one")
        other.close()
        equal(sip.hang_up(caller, here).status, 200, "the call under way ends over its connection")
        equal(len([c for c in there.connections if not c.closed and not c.accepted]), 1,
              "which was not dropped")
        os.rename(site.path("ours.key"), site.path("away.key"))
        status, text = daemon.cli("reload")
        check(status != 0 and "ours.key" in text, "a key that is gone: the old configuration stays",
              text)
        status, text = daemon.cli("check")
        check(status != 0 and "ringfenced.yaml:" in text and "ours.key" in text
              and "No such file" in text, "`ringfence check` says file and line", text)
        site.write("ours.key", open(site.path("peer.key"), encoding="utf-8").read())
        status, text = daemon.cli("check")
        check(status != 0 and "not the key of the certificate" in text,
              "and that a key is another certificate's", text)
        daemon.stop()


@case("no TLS")
def no_tls():
    with Site() as site:
        stage = Stage(site)
        here = Endpoint(site, CALLER)
        there = stage.peer([site.address(CALLEE)])
        caller = Caller(there, stage.address)
        sip.talk(caller, here)
        plain = there.connect(stage.address, secure=False)
        plain.send(caller.invite)
        check(plain.wait_closed(3), "SIP in plain text on the port of TLS: closed")
        stage.closed("tls_plain_text", 1, "and counted")
        silent = there.connect(stage.address, secure=False)
        silent.send(b"\x16\x03\x01\x02\x00\x01")
        check(silent.wait_closed(5), "a handshake that does not go on: closed")
        stage.closed("connect_timeout", 1, "and counted")
        check(renegotiate(stage), "who wants to renegotiate: closed")
        stage.closed("tls_renegotiation", 1, "and counted")
        equal(sip.hang_up(caller, here).status, 200, "the call beside all this goes on")
        stage.daemon.stop()


def renegotiate(stage):
    """By openssl s_client, whose command R asks for it."""
    site = stage.site
    host, port = stage.address
    status, text = site.run(
        ["sh", "-c", "(sleep 0.5; echo R; sleep 2) | openssl s_client -tls1_2 -connect "
         f"{host}:{port} -bind {site.address(CALLEE)}:0 -CAfile {stage.authority.path}"], 10)
    return status is not None and "RENEGOTIATING" in text


checks.main(limit=90)
