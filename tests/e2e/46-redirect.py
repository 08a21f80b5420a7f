#!/usr/bin/env python3
# busy
"""Redirect: an SBC asks with an INVITE, and routes or drops the call by the answer alone."""

import json

from lib import checks, kamailio, sip
from lib.calls import fate, passed, shown
from lib.checks import SANITIZE, SLOW, case, check, equal, wait_for
from lib.daemon import ABROAD, CALLEE, CALLER, PRIVATE, Daemon, trunk
from lib.redis import Redis
from lib.sipp import Sipp, check_load
from lib.site import Site

SBC = 20
CALLED = "+861065551234"
CLEAN, LISTED, SPAM = "+8613911112222", "+8613900000001", "+8617012345678"
ASIDE, AWAY, SLOW_CALLER = "+8613800000002", "+8613800000003", "+8613800000004"
RATE = 100 if SANITIZE else 500

RULES = """
rules:
  - {{id: spam-range, when: caller.number starts_with "+8617", score: 65, type: spam}}
  - {{id: a-hint, when: caller.number starts_with "+8617", score: 1}}
  - {{id: to-the-desk, when: caller.number == "{aside}", score: 1, action: {{do: divert, to: desk}}}}
  - {{id: away, when: caller.number == "{away}", score: 1,
     action: {{do: divert, to: "sip:announcement@{desk}:5060"}}}}
  - {{id: slowly, when: caller.number == "{slow}", score: 1,
     action: {{do: limit, rate: 1/60s, else: 480}}}}
policy:
  - {{at: 60, do: tag}}
"""

# The trunk's redirect, the caller, who gets the call or the code that the caller gets, tagged.
MAPPINGS = [
    ({}, CLEAN, "contact", False),
    ({}, SPAM, "contact", True),
    ({}, LISTED, 603, False),
    ({}, ASIDE, "desk", False),
    ({}, AWAY, "desk", False),
    ({"allow": 404, "tag": 404, "block": "403"}, CLEAN, "own", False),
    ({"allow": 404, "tag": 404, "block": "403"}, SPAM, "own", False),
    ({"allow": 404, "tag": 404, "block": "403"}, LISTED, 403, False),
    ({"allow": 404, "tag": 404, "block": "403"}, ASIDE, "desk", False),
    ({"allow": 503, "tag": 302, "block": "603"}, CLEAN, "own", False),
    ({"allow": 503, "tag": 302, "block": "603"}, SPAM, "contact", True),
    ({"allow": 503, "tag": 302, "block": "603"}, LISTED, 603, False),
    ({"allow": 404, "tag": 503, "block": "603+"}, SPAM, "own", False),
    ({"allow": 404, "tag": 503, "block": "603+"}, LISTED, 603, False),
    ({"allow": 404, "block": "608"}, CLEAN, "own", False),
    ({"allow": 404, "block": "608"}, LISTED, 608, False),
]


def settings(site, source, redirect, **changes):
    desk = site.address(PRIVATE)
    return {
        "trunks": [{"name": "sbc", "sources": [site.address(source)], "area_code": "10",
                    "redirect": redirect},
                   trunk("core", site.address(CALLEE)), trunk("desk", desk)],
        "routes": [{"from": "sbc", "to": "core"}],
        "rules": RULES.format(aside=ASIDE, away=AWAY, slow=SLOW_CALLER, desk=desk),
        "reputation": {"csv": site.write("numbers.csv", "number,score,list,type,source,expires\n"
                                                        f"{LISTED},95,block,impersonation,desk,\n")},
        "screening": {"redress_card": "https://example.net/card.jws"}, **changes}


@case("Kamailio asks, then routes or drops: every mapping")
def mappings():
    with Site() as site:
        desk, own = site.address(PRIVATE), site.address(ABROAD)
        daemon = Daemon(site, **settings(site, SBC, {}))
        sbc = kamailio.Kamailio(site, site.address(SBC), **kamailio.asking(
            sip.host_port(daemon.address), f"{own}:5060"))
        caller = sip.Endpoint(site, CALLER)
        ends = {"contact": sip.Endpoint(site, CALLEE), "own": sip.Endpoint(site, own),
                "desk": sip.Endpoint(site, desk)}
        redirect = {}
        for wanted, number, outcome, tagged in MAPPINGS:
            if wanted != redirect:
                redirect = wanted
                daemon.settings["trunks"][0]["redirect"] = redirect
                daemon.write()
                status, output = daemon.cli("reload")
                check(status == 0, f"redirect: {json.dumps(redirect)}", output)
            end = ends.get(outcome, ends["own"])
            invite = fate(sbc, number, caller, end, callee=CALLED)
            if not passed(invite):
                equal(invite, outcome, f"{number}: the caller gets {outcome}")
                continue
            equal(shown(invite), "passed" if outcome in ends else outcome,
                  f"{number}: the call goes to {outcome}")
            user = "announcement" if number == AWAY else CALLED
            host = sbc.address if outcome == "own" else (end.address[0], 5060)
            equal(invite.uri, f"sip:{user}@{sip.host_port(host)}", "as it was asked for")
            equal((invite.all("X-Score"), invite.all("X-Reason")),
                  (["66"], ["spam-range, a-hint"]) if tagged else ([], []),
                  "with the headers that its Contact carried" if tagged else "without tags")
        for name, end in ends.items():
            check(not end.drain(), f"nothing else came to {name}")
        counts = daemon.counts()
        equal(counts["totals"]["calls"], len(MAPPINGS), "each question is a call, and one")
        equal(counts["families"]["refused"]["totals"], expected_codes(), "answers by code")
        equal(counts["families"]["trunk_calls_out"]["totals"].get("core", 0), 0,
              "and no call passed through")
        equal(daemon.status()["calls_held"], 0, "nor is one held")
        daemon.kill()
        invite = fate(sbc, LISTED, caller, ends["own"], seconds=6, callee=CALLED)
        equal(shown(invite), "passed", "Ringfence is dead: calls go on by the SBC's own route")


def expected_codes():
    """What Ringfence says to each mapping, from the table alone."""
    codes = {}
    for redirect, number, outcome, _ in MAPPINGS:
        if outcome == "desk" or outcome == "contact":
            code = 302
        elif outcome == "own":
            code = redirect["tag" if number == SPAM else "allow"]
        else:
            code = outcome
        codes[str(code)] = codes.get(str(code), 0) + 1
    return codes


def ask(site, daemon, endpoint, number=CLEAN, **more):
    caller = sip.Caller(endpoint, daemon.address, number, callee=CALLED, **more).call()
    answer = endpoint.receive()
    return caller, answer


@case("the answers themselves")
def answers():
    with Site() as site:
        daemon = Daemon(site, **settings(site, CALLER, {"block": "608"}))
        a = sip.Endpoint(site, CALLER)
        stats = daemon.stats(events=True)
        caller, answer = ask(site, daemon, a)
        equal((answer.status, answer.header("Contact")),
              (302, f"<sip:{CALLED}@{site.address(CALLEE)}:5060>"), "an allowed call: 302")
        caller.ack_refusal(answer)
        caller, answer = ask(site, daemon, a, SPAM)
        equal((answer.status, answer.header("Contact")),
              (302, f"<sip:{CALLED}@{site.address(CALLEE)}:5060?X-Ringfence-Score=66"
                    "&X-Ringfence-Reason=spam-range%2C%20a-hint&X-Ringfence-Type=spam>"),
              "a tagged one: with escaped headers")
        equal((answer.header("X-Ringfence-Score"), answer.header("X-Ringfence-Type")),
              ("66", "spam"), "which stand in the answer, too")
        caller.ack_refusal(answer)
        tagged = caller.call_id
        caller, answer = ask(site, daemon, a, LISTED)
        equal((answer.start, answer.header("Call-Info")),
              ("SIP/2.0 608 Rejected", "<https://example.net/card.jws>;purpose=jwscard"),
              "608 names the card (RFC 8688)")
        caller.ack_refusal(answer)
        event = stats.event()
        while event and event.get("call_id") != tagged:
            event = stats.event()
        equal((event["action"], event["code"], event["score"]), ("tag", 302, 66),
              "the event has what was answered")
        stats.close()
        status, output = daemon.cli("--json", "explain", tagged)
        equal((status, json.loads(output)["then"]["status"]), (0, 302), "and so has explain")
        for wanted in (302, 480):
            caller, answer = ask(site, daemon, a, SLOW_CALLER)
            equal(answer.status, wanted, f"a limit of one a minute: {wanted}")
            caller.ack_refusal(answer)
        for method, wanted in (("OPTIONS", 200), ("MESSAGE", 405)):
            a.send(sip.request(a, method, f"sip:{CALLED}@{daemon.address[0]}", sip.unique("o"),
                               "<sip:a@b>;tag=1", "<sip:c@d>", 1), daemon.address)
            equal(a.expect(wanted, method).header("Allow"), "INVITE, ACK, CANCEL, OPTIONS",
                  f"{method} gets {wanted}")
        daemon.stop()


@case("a question is a transaction")
def transaction():
    with Site() as site:
        daemon = Daemon(site, **settings(site, CALLER, {}))
        a = sip.Endpoint(site, CALLER)
        caller, answer = ask(site, daemon, a)
        caller.send(caller.invite)
        equal(a.receive().raw, answer.raw, "a repeated INVITE gets the same answer")
        equal(a.receive(1).raw, answer.raw, "which is repeated until the ACK (Timer G)")
        caller.ack_refusal(answer)
        a.drain()
        check(a.silent(0.5) is None, "and not after it")
        caller.ack_refusal(answer)
        check(a.silent(0.2) is None, "a late ACK is absorbed")
        equal(daemon.total("calls"), 1, "one call was judged")
        check(daemon.wait_idle(5), "and no transaction stays")
        daemon.stop()


@case("pending verdicts")
def pending():
    with Site() as site:
        redis = Redis(site)
        redis("HSET", f"rf:num:{LISTED}", "list", "block")
        deadline = int(min(5000, 300 * SLOW))
        daemon = Daemon(site, **settings(
            site, CALLER, {}, reputation={"store": "redis", "mode": "lookup", "socket": redis.path},
            screening={"deadline": f"{deadline}ms"}))
        check(wait_for(lambda: daemon.status()["reputation"]["connected"], 5), "Redis is there")
        a = sip.Endpoint(site, CALLER)
        for number, wanted in ((CLEAN, 302), (LISTED, 603)):
            caller = sip.Caller(a, daemon.address, number, callee=CALLED).call()
            caller.ack_refusal(caller.expect(wanted))
            check(True, f"with the answer of Redis: {wanted}")
        redis.freeze()
        caller = sip.Caller(a, daemon.address, ASIDE[:-1] + "7", callee=CALLED).call()
        caller.expect(100)
        caller.ack_refusal(caller.expect(302))
        check(True, "at the deadline by what is known: 302")
        caller = sip.Caller(a, daemon.address, ASIDE[:-1] + "8", callee=CALLED).call()
        caller.expect(100)
        caller.cancel()
        caller.expect(200, "CANCEL")
        caller.ack_refusal(caller.expect(487))
        check(True, "CANCEL while it waits: 200 and 487")
        wait_for(lambda: daemon.status()["parked"] == 0, 3, "and nothing waits any more")
        redis.thaw()
        daemon.stop()


@case("SIPp asks")
def load():
    with Site() as site:
        daemon = Daemon(site, **settings(site, CALLER, {}))
        calls = 3 * RATE
        client = Sipp(site, "asker", "redirect-asker.xml", site.address(CALLER), "-r", RATE, "-m",
                      calls, remote=daemon.address,
                      keys={"callee": CALLED})
        check_load(client, 30, calls, f"{calls} questions at {RATE} a second are answered")
        equal(daemon.family("refused", "302"), calls, "with 302 each")
        check(daemon.wait_idle(5), "and no transaction stays")
        daemon.stop()


@case("what is no configuration")
def wrong():
    with Site() as site:
        daemon = Daemon(site, **settings(site, CALLER, {}))
        daemon.settings["routes"] = []
        daemon.write()
        status, output = daemon.cli("reload")
        check(status != 0 and "no route leads from it" in output,
              "302 without a route is no configuration", output)
        daemon.settings["trunks"][0]["redirect"] = {"allow": 200}
        daemon.write()
        status, output = daemon.cli("check")
        check(status != 0 and "302" in output and "404" in output, "nor is a code of one's own",
              output)
        a = sip.Endpoint(site, CALLER)
        caller, answer = ask(site, daemon, a)
        equal(answer.status, 302, "what was in force goes on")
        caller.ack_refusal(answer)
        daemon.stop()


checks.main(limit=90)
