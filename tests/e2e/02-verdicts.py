#!/usr/bin/env python3
"""What each verdict does to a call, and whose word counts more."""

from lib import checks, sip
from lib.checks import case, check, equal
from lib.daemon import ABROAD, CALLEE, CALLER, PRIVATE, Daemon, configuration, trunk
from lib.site import Site

NUMBERS = """number,score,list,type,source,expires
+8613900000001,95,block,impersonation,desk,
86139555*,100,block,loan,feed,
+8613955512345,0,,,,
+861065000001,0,allow,,desk,
"""

RULES = """
rules:
  - id: suspicious
    when: caller.number starts_with "+8617"
    score: 65
    type: spam
  - id: to-the-desk
    when: caller.number == "+8613800000002"
    score: 10
    action: {do: divert, to: desk}
  - id: to-an-announcement
    when: caller.number == "+8613800000003"
    score: 10
    action: {do: divert, to: "sip:announcement@%s:5060"}
  - id: slow-down
    when: caller.number starts_with "+86138001"
    score: 10
    action: {do: limit, rate: 2/60s, per: caller, else: 486}
  - id: plain-block
    when: caller.number == "+8613800000004"
    score: 10
    action: {do: block, with: 403}
  - id: plain-decline
    when: caller.number == "+8613800000005"
    score: 10
    action: {do: block, with: "603"}
  - id: block-everybody
    when: header("X-Block") == "all"
    score: 100
    action: {do: block, with: 603}
policy:
  - {at: 60, do: tag}
"""

DESK = 5


def start(site, screening=None, rules=RULES, **changes):
    numbers = site.write("numbers.csv", NUMBERS)
    base = configuration(site)
    return Daemon(
        site, rules=rules % site.address(DESK) if "%s" in rules else rules,
        reputation={"csv": numbers},
        screening={"redress_url": "https://example.net/redress", **(screening or {})},
        trunks=[*base["trunks"], trunk("desk", site.address(DESK)),
                trunk("owner", site.address(PRIVATE), origin="private",
                      originates=["+861065", "+8696110"])],
        **changes)


def refused(site, daemon, caller_number, endpoint, callee_endpoint, status, text, **more):
    """A call that must be refused without the callee noticing; the refusal."""
    caller = sip.Caller(endpoint, daemon.address, caller_number, **more).call()
    answer = caller.expect(status)
    caller.ack_refusal(answer)
    check(callee_endpoint.silent(0.1) is None, text)
    return answer


def passes(daemon, caller_number, endpoint, callee_endpoint, **more):
    """The INVITE as the callee got it; the call is refused as busy so that it leaves nothing."""
    caller = sip.Caller(endpoint, daemon.address, caller_number, **more).call()
    invite = callee_endpoint.expect("INVITE")
    callee = sip.Callee(callee_endpoint, invite)
    callee.answer(486, "Busy Here")
    caller.ack_refusal(caller.expect(486))
    callee_endpoint.expect("ACK")
    return invite


@case("block")
def block():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        answer = refused(site, daemon, "+8613900000001", a, b, 603, "a listed number is refused")
        equal(answer.start, "SIP/2.0 603 Network Blocked", "603+ has its phrase")
        equal(answer.header("Reason"),
              'Q.850;cause=21;text="v=analytics1;url=https://example.net/redress";location=LN',
              "and its Reason (ATIS-1000099)")
        check(answer.tag("To"), "the refusal has a To-tag")
        refused(site, daemon, "013955500000", a, b, 603, "a listed prefix is refused, as it is dialled")
        passes(daemon, "+8613955512345", a, b)
        check(True, "a number of its own beats the prefix")
        answer = refused(site, daemon, "+8613800000004", a, b, 403, "a rule blocks with 403")
        equal(answer.header("Reason"), 'Q.850;cause=21;text="Call rejected"', "403 has a Reason")
        answer = refused(site, daemon, "+8613800000005", a, b, 603, "a rule blocks with 603")
        equal(answer.start, "SIP/2.0 603 Decline", "603 has its phrase")
        counts = daemon.counts()["families"]
        equal(counts["verdicts"]["totals"], {"block": 4, "allow": 1}, "verdicts are counted")
        equal(counts["trunk_blocked"]["totals"], {"carrier": 4}, "and blocked calls by trunk")
        equal(counts["types"]["totals"], {"impersonation": 1, "loan": 1, "other": 2},
              "and by scam type; \"other\" has none")
        equal(daemon.status()["calls_held"], 0, "no call is held")
        daemon.stop()


@case("tag")
def tag():
    with Site() as site:
        daemon = start(site, {"display_prefix": "疑似诈骗"})
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        invite = passes(daemon, "+8617012345678", a, b, display="Alice",
                        headers=["X-Ringfence-Score: 0", "x-ringfence-type: friend"])
        equal(invite.all("X-Ringfence-Score"), ["65"], "the score, and not what the caller says")
        equal(invite.all("X-Ringfence-Reason"), ["suspicious"], "the rule that fired")
        equal(invite.all("X-Ringfence-Type"), ["spam"], "the scam type")
        check(invite.header("From").startswith('"疑似诈骗 Alice" <sip:'),
              "the prefix stands before the display name", invite.header("From"))
        invite = passes(daemon, "+8617012345678", a, b)
        check(invite.header("From").startswith('"疑似诈骗" <sip:'),
              "or instead of one that is missing", invite.header("From"))
        invite = passes(daemon, "+8617012345678", a, b, display='Bob \\"B\\" \\\\')
        check(invite.header("From").startswith('"疑似诈骗 Bob \\"B\\" \\\\" <sip:'),
              "a quoted name stays quoted", invite.header("From"))
        invite = passes(daemon, "+8613812345678", a, b, display="Carol",
                        headers=["X-Ringfence-Score: 1"])
        equal(invite.all("X-Ringfence-Score"), [], "tags of an untrusted trunk are removed")
        check(invite.header("From").startswith('"Carol" <'), "an untagged name stays")
        equal(daemon.total("tag_headers_removed"), 3, "removed headers are counted")
        invite = passes(daemon, "+8613812345678", b, a, headers=["X-Ringfence-Score: 33"])
        equal(invite.all("X-Ringfence-Score"), ["33"], "those of a trusted trunk stay")
        daemon.stop()


@case("configured tag headers")
def tag_names():
    with Site() as site:
        daemon = start(site, {"score_header": "X-Spam-Score", "reason_header": "X-Spam-Why",
                              "type_header": "X-Spam-Type"})
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        invite = passes(daemon, "+8617012345678", a, b,
                        headers=["X-SPAM-SCORE: 0", "X-Ringfence-Score: 7"])
        equal((invite.all("X-Spam-Score"), invite.all("X-Spam-Why"), invite.all("X-Spam-Type")),
              (["65"], ["suspicious"], ["spam"]), "names of tag headers are configurable")
        equal(invite.all("X-Ringfence-Score"), ["7"], "another name is nothing special")
        daemon.stop()


@case("divert")
def divert():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        desk = sip.Endpoint(site, DESK)
        invite = passes(daemon, "+8613800000002", a, desk)
        check(b.silent(0.1) is None, "a diverted call does not reach the callee")
        equal(invite.uri, f"sip:+861065551234@{desk.hostport}", "to a trunk: the number is kept")
        asked = f"sip:+861065551234@{sip.host_port(daemon.address)}"
        equal(invite.all("History-Info"),
              [f"<{asked}>;index=1", f"<{invite.uri};cause=302>;index=1.1;mp=1"],
              "History-Info keeps who was called")
        invite = passes(daemon, "+8613800000003", a, desk,
                        headers=["History-Info: <sip:+861065559999@example.net>;index=1, "
                                 "<sip:+861065551234@example.net;cause=302>;index=1.1;mp=1"])
        equal(invite.uri, f"sip:announcement@{desk.hostport}", "to a URI")
        equal(invite.all("History-Info")[2:],
              [f"<{invite.uri};cause=302>;index=1.1.1;mp=1.1"], "History-Info goes on counting")
        equal(daemon.family("verdicts", "divert"), 2, "diverted calls are counted")
        daemon.stop()


@case("limit")
def limit():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        for _ in range(2):
            passes(daemon, "+8613800100001", a, b)
        answer = refused(site, daemon, "+8613800100001", a, b, 486, "the third call is beyond 2/60s")
        equal(answer.header("Retry-After"), None, "without Retry-After: no limit of the box")
        passes(daemon, "+8613800100002", a, b)
        check(True, "another caller has a rate of its own")
        daemon.stop()


@case("order of authority")
def authority():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        owner = sip.Endpoint(site, PRIVATE)
        everything = ["X-Block: all"]
        refused(site, daemon, "+8613812345678", a, b, 603, "a rule blocks everybody",
                headers=everything)
        for callee in ("110", "010110", "+8610110", "+86110"):
            passes(daemon, "+8613900000001", a, b, callee=callee, headers=everything)
            check(True, f"a listed caller may call {callee}")
        passes(daemon, "+8613900000001", a, b, uri="urn:service:sos", headers=everything)
        check(True, "and urn:service:sos")
        refused(site, daemon, "+8613900000001", a, b, 603, "Priority: emergency is only a claim",
                headers=["Priority: emergency"])
        passes(daemon, "+8613900000001", a, b, callee="96110", headers=everything)
        check(True, "a protected callee passes")
        passes(daemon, "+861065000001", owner, b, headers=everything)
        check(True, "an allow entry passes where it is originated")
        passes(daemon, "96110", owner, b, headers=everything)
        check(True, "a protected line passes where it is originated")
        refused(site, daemon, "+861065000001", a, b, 603, "an allow entry counts nowhere else",
                headers=everything)
        refused(site, daemon, "96110", a, b, 603, "nor does a protected line", headers=everything)
        reasons = daemon.counts()["families"]["reasons"]["totals"]
        equal(reasons, {"rules": 3, "emergency": 5, "protected_callee": 1, "block": 1, "allow": 2},
              "verdicts are counted by authority")
        daemon.stop()


@case("the core rules")
def core_rules():
    with Site() as site:
        daemon = start(site, rules=open(f"{checks.TOP}/conf/rules/core.yaml").read())
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        abroad = sip.Endpoint(site, ABROAD)
        invite = passes(daemon, "+8613812345678", abroad, b)
        equal(invite.all("X-Ringfence-Reason"), ["foreign-ingress-domestic-cli"],
              "a domestic number from abroad is tagged")
        equal(invite.all("X-Ringfence-Type"), ["number-spoofing"], "as spoofing")
        passes(daemon, "+442071838750", abroad, b)
        check(True, "a foreign number from abroad passes")
        refused(site, daemon, "95588", a, b, 603, "a bank's hotline from elsewhere is refused")
        refused(site, daemon, "01095588", a, b, 603, "so is area code and hotline")
        refused(site, daemon, "+8613812345678", a, b, 603, "so is a scanner",
                headers=["User-Agent: friendly-scanner"])
        refused(site, daemon, "+861065000001", a, b, 603, "so is an allowed number elsewhere")
        invite = passes(daemon, "+8613812345678", a, b,
                        headers=["P-Asserted-Identity: <sip:+8613912345678@example.net>"])
        equal(invite.all("X-Ringfence-Score"), [], "one hint alone tags nobody")
        daemon.stop()


@case("P-Asserted-Identity")
def asserted():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        header = ["P-Asserted-Identity: <sip:+8613900000001@example.net>"]
        passes(daemon, "+8613812345678", a, b, headers=header)
        check(True, "is not believed from an untrusted trunk")
        refused(site, daemon, "+8613812345678", b, a, 603, "is the caller on a trusted trunk",
                headers=header)
        header = ["P-Asserted-Identity: <sip:+8613812345678@example.net>"]
        refused(site, daemon, "+8613900000001", a, b, 603, "does not clean a listed From",
                headers=header)
        daemon.stop()


@case("the cap of emergency calls")
def emergency_cap():
    with Site() as site:
        daemon = start(site, limits={"emergency_rate": 2}, workers=1)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        for _ in range(4):
            sip.Caller(a, daemon.address, callee="110").call()
        checks.wait_for(lambda: daemon.total("emergency_calls") == 4, 3)
        sent = [message for message in b.drain() if message.method == "INVITE"]
        refused_calls = {m.header("Call-ID") for m in a.drain() if m.status == 503}
        equal((len({m.header("Call-ID") for m in sent}), len(refused_calls)), (2, 2),
              "beyond their cap emergency calls get 503")
        daemon.stop()


checks.main(limit=90)
