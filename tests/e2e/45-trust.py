#!/usr/bin/env python3
"""The trust boundary: what of a message that says who somebody is crosses a trunk."""

from lib import checks, sip
from lib.checks import case, check, equal
from lib.daemon import ABROAD, CALLEE, CALLER, Daemon, configuration, trunk
from lib.kamailio import Kamailio
from lib.site import Site

KAMAILIO = 20

RULES = """
rules:
  - {id: network-number, when: caller.number == "+8613900000001", score: 100}
  - {id: spam, when: caller.number starts_with "+8617", score: 70}
policy:
  - {at: 90, do: block, with: "603"}
  - {at: 60, do: tag}
"""

IDENTITY = ("Identity:  eyJhbGciOiJFUzI1NiIsInBwdCI6InNoYWtlbiJ9.eyJhdHRlc3QiOiJBIn0.c2ln "
            ";info=<https://certificates.example/shaken.pem>;alg=ES256\r\n\t;ppt=\"shaken\"")


def start(site, carrier=None, core=None, **changes):
    rows = [trunk("carrier", site.address(CALLER), **(carrier or {})),
            trunk("core", site.address(CALLEE), trusted=True, **(core or {})),
            trunk("abroad", site.address(ABROAD), origin="international")]
    return Daemon(site, rules=RULES, trunks=rows, routes=[{"to": "core"},
                  {"from": "core", "to": "carrier"}], **changes)


def passes(daemon, caller_number, endpoint, callee_endpoint, **more):
    """The INVITE as the callee got it; the call is refused as busy so that it leaves nothing."""
    caller = sip.Caller(endpoint, daemon.address, caller_number, **more).call()
    invite = callee_endpoint.expect("INVITE")
    sip.Callee(callee_endpoint, invite).answer(486, "Busy Here")
    caller.ack_refusal(caller.expect(486))
    callee_endpoint.expect("ACK")
    return invite


def boundary(daemon):
    return daemon.counts()["families"]["boundary"]["totals"]


@case("from a carrier that is not trusted")
def untrusted():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        invite = passes(daemon, "+8613812345678;verstat=TN-Validation-Passed", a, b, headers=[
            "P-Asserted-Identity: \"X, Y\" <sip:+8613800000000@a.example>,\r\n <tel:+8613800000000>",
            "Remote-Party-ID: <sip:+8613800000000@a.example>;party=calling",
            "p-preferred-identity: <sip:+8613800000000@a.example>",
            "Privacy: none", IDENTITY, "X-Ringfence-Score: 0",
            "P-Asserted-Identity: <sip:+8613800000000@a.example>"])
        for name in ("P-Asserted-Identity", "Remote-Party-ID", "P-Preferred-Identity",
                     "X-Ringfence-Score"):
            equal(invite.all(name), [], f"{name} stays outside")
        check("verstat" not in invite.header("From"), "so does verstat", invite.header("From"))
        equal(invite.all("Privacy"), ["none"], "Privacy goes on")
        check((IDENTITY + "\r\n").encode() in invite.raw, "Identity goes on byte for byte")
        equal(boundary(daemon), {"asserted": 1, "remote_party": 1, "preferred": 1, "verstat": 1},
              "what stayed outside is counted")
        daemon.stop()


@case("screening sees the network number")
def network_number():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        asserted = ["P-Asserted-Identity: <sip:alice@corp.example>, <tel:+8613900000001>",
                    "Privacy: id"]
        caller = sip.Caller(b, daemon.address, "anonymous", headers=asserted).call()
        caller.ack_refusal(caller.expect(603))
        check(a.silent(0.1) is None, "an anonymous call is judged by the number of the network")
        asserted[0] = "P-Asserted-Identity: <sip:+8613812345678@core.example>"
        invite = passes(daemon, "anonymous", b, a, headers=asserted)
        equal(invite.all("P-Asserted-Identity"), [], "which is taken off under Privacy: id")
        equal(invite.all("Privacy"), ["id"], "Privacy itself goes on")
        invite = passes(daemon, "anonymous", b, a, headers=asserted[:1])
        equal(invite.all("P-Asserted-Identity"), ["<sip:+8613812345678@core.example>"],
              "and stays without it")
        invite = passes(daemon, "+8613812345678", a, b, headers=[
            "P-Asserted-Identity: <tel:+8613900000001>"])
        check(True, "a number that the carrier asserts is not believed")
        daemon.stop()


@case("as the trunk says")
def configured():
    with Site() as site:
        daemon = start(
            site, carrier={"boundary": {"in": {"asserted": "normalise", "verstat": "keep"},
                                        "out": {"critical": "refuse", "asserted": "remove"}}},
            core={"boundary": {"out": {"tags": "remove", "identity": "remove"}}})
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        invite = passes(daemon, "+8617012345678;verstat=No-TN-Validation", a, b, headers=[
            "P-Asserted-Identity: <sip:01062345678@a.example;user=phone>, "
            "<tel:62345678;phone-context=+8610>", IDENTITY])
        equal(invite.all("P-Asserted-Identity"),
              ["<sip:+861062345678@a.example;user=phone>, <tel:+861062345678>"],
              "asserted numbers are written in E.164")
        check("verstat=No-TN-Validation" in invite.header("From"), "verstat is kept")
        equal((invite.all("Identity"), invite.all("X-Ringfence-Score")), ([], []),
              "Identity and our own tags stay inside")
        equal(daemon.family("verdicts", "tag"), 1, "though the call is a tagged one")
        critical = sip.Caller(b, daemon.address, headers=["Privacy: header;id;critical"]).call()
        answer = critical.expect(500)
        critical.ack_refusal(answer)
        equal(answer.start, "SIP/2.0 500 Privacy Not Available: header",
              "critical privacy that nobody gives is refused")
        invite = passes(daemon, "+8613812345678", b, a, headers=[
            "Privacy: id;critical", "P-Asserted-Identity: <tel:+8613812345678>"])
        equal(invite.all("P-Asserted-Identity"), [], "that which is given is not")
        daemon.stop()


@case("answers")
def answers():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        asserted = "P-Asserted-Identity: <tel:+861065551234>"
        caller = sip.Caller(a, daemon.address).call()
        callee = sip.Callee(b, b.expect("INVITE"))
        callee.answer(180, "Ringing", headers=[asserted, "Privacy: id"])
        equal(caller.expect(180).all("P-Asserted-Identity"), [],
              "who is reached is told under no Privacy: id")
        callee.answer(200, "OK", headers=[asserted])
        answer = caller.expect(200)
        equal(answer.all("P-Asserted-Identity"), ["<tel:+861065551234>"], "and else is")
        caller.establish(answer)
        caller.ack()
        b.expect("ACK")
        sip.hang_up(caller, b)
        caller = sip.Caller(b, daemon.address).call()
        callee = sip.Callee(a, a.expect("INVITE"))
        callee.answer(200, "OK", headers=[asserted])
        answer = caller.expect(200)
        equal(answer.all("P-Asserted-Identity"), [], "what the carrier answers is not believed")
        caller.establish(answer)
        caller.ack()
        a.expect("ACK")
        sip.hang_up(caller, a)
        daemon.stop()


@case("with Kamailio in the core")
def kamailio():
    with Site() as site:
        hop = f'$du = "sip:{site.address(CALLEE)}:5060";'
        neighbour = Kamailio(site, site.address(KAMAILIO), hop)
        base = configuration(site)
        daemon = Daemon(site, rules=RULES, routes=[{"to": "core"}], trunks=[
            base["trunks"][0], trunk("core", site.address(KAMAILIO), trusted=True)])
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        caller = sip.Caller(a, daemon.address, "+8613812345678;verstat=TN-Validation-Passed",
                            headers=["P-Asserted-Identity: <tel:+8613800000000>", IDENTITY])
        caller.call()
        invite = b.expect("INVITE")
        equal((invite.all("P-Asserted-Identity"), "verstat" in invite.header("From")), ([], False),
              "nothing of it reaches the phones")
        check((IDENTITY + "\r\n").encode() in invite.raw, "but Identity, byte for byte")
        callee = sip.Callee(b, invite)
        callee.answer(200, "OK")
        answer = caller.expect(200)
        caller.establish(answer)
        caller.ack()
        b.expect("ACK")
        # The dialog stands on tags: the callee writes the From that it was shown.
        sip.hang_up(callee, a)
        check(daemon.wait_gone(3, "calls_held"), "and the call ends as calls do")
        daemon.stop()


checks.main(limit=60)
