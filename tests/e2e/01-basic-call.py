#!/usr/bin/env python3
"""A call from INVITE to BYE, and what stands in the headers on the way."""

import re

from lib import checks, sip
from lib.checks import case, check, equal
from lib.daemon import CALLEE, CALLER, DAEMON, DAEMON_OTHER, Daemon, trunk
from lib.site import Site


def without(message, *names):
    """Raw header lines but those named."""
    return [line for line in message.lines()
            if line.split(b":")[0].decode("latin-1").strip().lower() not in names]


@case("INVITE to BYE")
def basic():
    with Site() as site:
        daemon = Daemon(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        caller = sip.Caller(a, daemon.address, headers=["X-Odd:   spaced\t value", "s: Subject"])
        caller.call()
        trying = a.receive()
        check(trying and trying.status == 100, "100 comes at once")
        equal(trying and trying.tag("To"), None, "100 has no To-tag")
        invite = b.expect("INVITE")
        sent = sip.Message(caller.invite)

        equal(invite.source, daemon.address, "the INVITE leaves from the listen address")
        vias = invite.all("Via")
        equal(len(vias), 2, "one Via was added")
        check(vias[0].startswith(f"SIP/2.0/UDP {sip.host_port(daemon.address)};"),
              "our Via names the listen address", vias[0])
        check(sip.parameter(vias[0], "branch").startswith("z9hG4bKrf"), "our branch has its form")
        equal(vias[1], sent.all("Via")[0], "the caller's Via stays as it was")
        equal(invite.header("Max-Forwards"), "69", "Max-Forwards goes down by one")
        routes = invite.all("Record-Route")
        equal(len(routes), 1, "one Record-Route on one network")
        check(re.fullmatch(rf"<sip:{re.escape(sip.host_port(daemon.address))};lr;rf=[0-9a-f]{{32}}>",
                           routes[0]), "Record-Route has lr and our mark", routes[0])
        equal(without(invite, "via", "record-route", "max-forwards"),
              without(sent, "via", "max-forwards"), "all other headers come byte for byte, in order")
        equal(invite.body, sent.body, "the body comes byte for byte")
        equal(invite.uri, f"sip:+861065551234@{sip.host_port(b.address)}",
              "the Request-URI that named us names the target")

        callee = sip.Callee(b, invite)
        callee.answer(183, "Session Progress", body=b"early")
        progress = caller.expect(183)
        equal(progress.all("Via"), sent.all("Via"), "responses come without our Via")
        equal(progress.body, b"early", "and with their body")
        ok = callee.answer(200, "OK", headers=["X-Answer: yes"], body=b"answer")
        answer = caller.expect(200)
        equal(without(answer, "via"), without(sip.Message(ok), "via"), "200 byte for byte")
        caller.establish(answer)
        caller.ack()
        ack = b.expect("ACK")
        equal(ack.uri, f"sip:{b.hostport}", "ACK has the contact as Request-URI")
        equal(ack.all("Route"), [], "our Route was taken off the ACK")
        equal(daemon.status()["calls_held"], 1, "one call is held")

        callee.within("INVITE", body=b"hold")
        again = a.expect("INVITE")
        equal(again.all("Record-Route"), [], "no Record-Route within the dialog")
        a.send(sip.response(again, 200, "OK", contact=a.hostport), again.source)
        b.expect(200, "INVITE")
        sip.exchange(caller, "INFO", b, body=b"dtmf")
        bye = sip.hang_up(caller, b)
        equal(bye.status, 200, "BYE is answered")
        check(daemon.wait_idle(6), "tables return to zero", daemon.status())
        totals = daemon.counts()["totals"]
        equal((totals["calls"], totals["calls_answered"], totals["calls_ended_bye"]), (1, 1, 1),
              "one call judged, answered and ended by BYE")
        daemon.stop()


@case("hang-up by the callee")
def callee_hangs_up():
    with Site() as site:
        daemon = Daemon(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        caller = sip.Caller(a, daemon.address)
        callee, _ = sip.talk(caller, b)
        sip.hang_up(callee, a)
        check(daemon.wait_idle(6), "a BYE from the called side ends the call", daemon.status())
        daemon.stop()


@case("the caller's address is not what its Via says")
def received():
    with Site() as site:
        daemon = Daemon(site)
        a, b = sip.Endpoint(site, CALLER, 5099), sip.Endpoint(site, CALLEE)
        caller = sip.Caller(a, daemon.address)
        data = caller.invite.replace(f"UDP {a.hostport};".encode(), b"UDP sbc.example:5062;rport;")
        a.send(data, daemon.address)
        via = b.expect("INVITE").all("Via")[1]
        equal(sip.parameter(via, "received"), a.address[0], "received is added")
        equal(sip.parameter(via, "rport"), "5099", "rport is filled in")
        trying = a.receive()
        check(trying and trying.status == 100, "with rport the answer goes to the source port")
        equal(trying and sip.parameter(trying.header("Via"), "received"), a.address[0],
              "received stands in the answer")
        daemon.stop()


@case("two networks")
def two_networks():
    with Site() as site:
        outside, inside = site.address(DAEMON), site.address(DAEMON_OTHER)
        daemon = Daemon(
            site,
            listen=[{"address": f"{outside}:5060", "network": "outside",
                     "advertise": "sbc.example.net:5070", "aliases": ["sbc.example.net:5070"]},
                    {"address": f"{inside}:5080", "network": "inside"}],
            trunks=[trunk("carrier", site.address(CALLER), network="outside"),
                    trunk("core", site.address(CALLEE), network="inside", trusted=True)])
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        caller = sip.Caller(a, (outside, 5060))
        caller.call()
        invite = b.expect("INVITE")
        equal(invite.source, (inside, 5080), "the INVITE leaves on the other network")
        check(invite.all("Via")[0].startswith(f"SIP/2.0/UDP {inside}:5080;"),
              "Via names the address that answers reach")
        hosts = [re.match(r"<sip:([^;]*);", value).group(1)
                 for value in invite.all("Record-Route")]
        equal(hosts, [f"{inside}:5080", "sbc.example.net:5070"],
              "Record-Route is doubled, the egress on top, as advertised")
        callee = sip.Callee(b, invite)
        callee.answer(200, "OK")
        answer = caller.expect(200)
        equal(answer.source, (outside, 5060), "the answer leaves where the INVITE came in")
        caller.establish(answer)
        equal(len(caller.routes), 2, "two Routes within the dialog")
        caller.ack()
        ack = b.expect("ACK")
        equal((ack.all("Route"), ack.source), ([], (inside, 5080)), "both are ours and go")
        callee.within("BYE")
        bye = a.expect("BYE")
        equal((bye.all("Route"), bye.source), ([], (outside, 5060)), "the same from the other side")
        check(bye.all("Via")[0].startswith("SIP/2.0/UDP sbc.example.net:5070;"),
              "Via shows what is advertised", bye.all("Via")[0])
        a.send(sip.response(bye, 200, "OK"), bye.source)
        b.expect(200, "BYE")
        # The alias was taught as the peer's way to name us.
        other = sip.Caller(a, (outside, 5060), uri="sip:+861065550000@sbc.example.net:5070")
        other.call()
        equal(b.expect("INVITE").uri, f"sip:+861065550000@{b.hostport}",
              "an alias in the Request-URI is ours as well")
        daemon.stop()


@case("IPv6")
def ipv6():
    with Site() as site:
        # One loopback address is all that IPv6 has; peers differ by port, so one trunk stands for
        # both of them and is routed to itself.
        port = 20000 + int(site.block.split(".")[1]) * 100 + int(site.block.split(".")[2]) % 90
        both = trunk("both", "::1", trusted=True)
        both["targets"] = [f"[::1]:{port + 2}"]
        daemon = Daemon(site, listen=[{"address": f"[::1]:{port}"}], trunks=[both],
                        routes=[{"to": "both"}])
        a = sip.Endpoint(site, "::1", port + 1)
        b = sip.Endpoint(site, "::1", port + 2)
        caller = sip.Caller(a, ("::1", port))
        callee, answer = sip.talk(caller, b)
        check(callee.invite.all("Via")[0].startswith(f"SIP/2.0/UDP [::1]:{port};"),
              "Via names the IPv6 address in brackets", callee.invite.all("Via")[0])
        equal(callee.invite.uri, f"sip:+861065551234@[::1]:{port + 2}",
              "the Request-URI is aimed at the IPv6 target")
        check(f"<sip:[::1]:{port};lr;" in answer.header("Record-Route"),
              "Record-Route names the IPv6 address")
        equal(sip.hang_up(caller, b).status, 200, "a call over IPv6 ends in order")
        daemon.stop()


checks.main(limit=60)
