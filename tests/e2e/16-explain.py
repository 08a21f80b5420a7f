#!/usr/bin/env python3
# commands
"""ringfence explain: five calls, each by Call-ID, from its event, and hypothetically."""

import json
import os
import re

from lib import checks, sip
from lib.calls import _next, shown
from lib.checks import case, check, equal, wait_for
from lib.daemon import ABROAD, CALLEE, CALLER, PRIVATE, Daemon, configuration, trunk
from lib.sip import Callee, Caller
from lib.site import Site, settle

RULES = """
lists:
  roaming-exempt: {numbers: ["+8613700000001"]}
  listed-prefixes: {prefixes: ["+86170"]}
rules:
  - id: foreign-ingress
    title: {en: Domestic number arriving from abroad, zh: 境外来电冒用境内号码}
    when: >
      trunk.origin == "international" and caller.country == "CN"
      and not caller.number in roaming-exempt
    score: 80
    type: number-spoofing
  - id: bank-name
    title: {en: Shows the name of a bank, zh: 冒充银行}
    when: caller.display contains ["Bank", "银行"] and caller.kind == "mobile"
    score: 15
    type: impersonation
  - id: virtual-operator
    title: {en: Number of a virtual operator}
    when: caller.number in listed-prefixes
    score: 65
    type: spam
  - id: known-bad
    title: {en: Reported by subscribers}
    when: reputation.score >= 50 and not caller.anonymous
    score: 40
  - id: scanner
    title: {en: The device is a scanner}
    when: message.user_agent matches /friendly|sipvicious/ and trunk.origin == "domestic"
    score: 95
  - id: odd-subject
    title: {en: A subject that is tried out}
    when: message.subject contains "loan"
    score: 90
    mode: shadow
policy:
  - {at: 60, do: tag}
  - {at: 90, do: block, with: 603+}
"""

NUMBERS = """number,score,list,type,source
+861065000001,0,allow,,desk
+8613900000009,45,watch,spam,feed
"""

CALLED = "+861065551234"

# name: (trunk, caller, callee, display, headers, action, authority, outcome)
CALLS = {
    "blocked by a rule": ("abroad", "+8613800138000", CALLED, "China Bank", [], "block", "rules",
                          "603"),
    "tagged": ("carrier", "+8617012345678", CALLED, None, [], "tag", "rules", "passed"),
    "allowed by list": ("owner", "+861065000001", CALLED, None, [], "allow", "allow", "passed"),
    "unknown inputs": ("abroad", "+442071838750", CALLED, None, [], "allow", "none", "passed"),
    "emergency": ("abroad", "+8613800138000", "110", None, [], "allow", "emergency", "passed"),
}
ADDRESSES = {"carrier": CALLER, "abroad": ABROAD, "owner": PRIVATE}


def start(site, **changes):
    base = configuration(site)
    return Daemon(site, rules=RULES,
                  trunks=[*base["trunks"],
                          trunk("owner", site.address(PRIVATE), originates=["+861065"])],
                  reputation={"csv": site.write("numbers.csv", NUMBERS)}, **changes)


def place(daemon, name, here, there):
    """Places one of the calls: (its Call-ID, "passed" or a status)."""
    _, number, callee, display, headers, _, _, _ = CALLS[name]
    caller = Caller(here, daemon.address, number, callee=callee, display=display,
                    headers=headers).call()
    while (found := _next([here, there], 3 * checks.SLOW)) is not None:
        endpoint, message = found
        if message.header("Call-ID") != caller.call_id:
            continue
        if endpoint is there and message.method == "INVITE":
            Callee(there, message).answer(486, "Busy Here")
            caller.ack_refusal(here.expect(486))
            there.expect("ACK")
            return caller.call_id, shown(message)
        if endpoint is here and message.status is not None and message.status >= 200:
            caller.ack_refusal(message)
            return caller.call_id, str(message.status)
    raise checks.Failure(f"no outcome of the call {name}")


def explain(daemon, *words, **more):
    """The answer as an object."""
    status, output = daemon.cli("--json", "explain", *words, **more)
    if status != 0:
        raise checks.Failure(f"explain {words}: {status} {output}")
    return json.loads(output.splitlines()[0])


def options_of(name):
    where, number, callee, display, _, _, _, _ = CALLS[name]
    words = ["--trunk", where, "--caller", number, "--callee", callee]
    return words + (["--display", display] if display else [])


def rule_of(answer, name):
    return next(rule for rule in answer["rules"] if rule["id"] == name)


def clauses(answer):
    """{action: [what would turn it to that]}"""
    turns = {}
    for turn in answer["turns"]:
        text = " and ".join(change["text"] for change in turn["changes"])
        turns.setdefault(turn["action"], []).append(text)
    return turns


def check_width(output, text):
    wide = [line for line in output.splitlines() if len(line) > 100]
    check(not wide and "\x1b" not in output, f"{text}: no line is too wide, no colours",
          "\n".join(wide[:3]))


def show(name, how, output):
    """Keeps what a person sees, where that is asked for."""
    path = os.environ.get("EXPLAIN_OUTPUT")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"==== {name}: {how}\n\n{output}\n")


@case("five calls")
def five():
    with Site() as site:
        daemon = start(site)
        events = daemon.stats(events=True)
        ends = {name: sip.Endpoint(site, number) for name, number in ADDRESSES.items()}
        there = sip.Endpoint(site, CALLEE)
        kept = {}
        for name, (where, _, _, _, _, action, authority, outcome) in CALLS.items():
            call_id, got = place(daemon, name, ends[where], there)
            equal(got, outcome, f"{name}: the call itself")
            answer = kept[name] = explain(daemon, call_id)
            equal((answer["call"]["kind"], answer["call"]["call_id"], answer["action"],
                   answer["authority"], answer["then"]["action"], answer["then"]["authority"]),
                  ("kept", call_id, action, authority, action, authority), f"{name}: by Call-ID")
            equal((answer["then"]["status"], answer["then"]["score"]),
                  (603 if outcome == "603" else 0, answer["score"]), f"{name}: what it got")
            features = {row["name"]: row for row in answer["features"]}
            equal(features["message.source"]["value"], site.address(ADDRESSES[where]),
                  f"{name}: where it came from is known")
            status, output = daemon.cli("explain", call_id)
            check(status == 0 and output.startswith("This call was "), f"{name}: for people",
                  output)
            check_width(output, name)
            show(name, f"ringfence explain {call_id}", output)

            supposed = explain(daemon, *options_of(name))
            equal((supposed["action"], supposed["authority"], supposed["score"],
                   "then" in supposed), (action, authority, answer["score"], False),
                  f"{name}: hypothetical")
            status, output = daemon.cli("explain", *options_of(name))
            check(output.startswith("This call would be "), f"{name}: hypothetical, for people",
                  output)
            check_width(output, name)
            show(name, "ringfence explain " + " ".join(options_of(name)), output)
            if action == "allow":
                continue
            event = events.event()
            status, output = daemon.cli("--json", "explain", "--event", "-",
                                        data=json.dumps(event).encode())
            again = json.loads(output.splitlines()[0])
            equal((again["call"]["kind"], again["then"]["action"], again["then"]["score"]),
                  ("event", action, answer["score"]), f"{name}: by its event")
            check(any(row["name"] == "message.user_agent" and not row["known"] and row.get("given")
                      for row in again["features"]), f"{name}: an event has no User-Agent")
            status, output = daemon.cli("explain", "--event", site.write("event", json.dumps(event)))
            check_width(output, name)
            show(name, "ringfence explain --event FILE", output)
        what_turns(kept)
        details(kept)
        daemon.stop()


def what_turns(kept):
    turns = clauses(kept["blocked by a rule"])
    check("caller.display did not contain [\"Bank\", \"银行\"]" in turns["tag"],
          "without the name it would be tagged", turns)
    check("caller.number were in roaming-exempt" in turns["allow"],
          "on the exempt list it would pass", turns)
    check("rule foreign-ingress (+80 points) were off" in turns["allow"],
          "without the rule it would pass", turns)
    turns = clauses(kept["tagged"])
    check("caller.number were not in listed-prefixes" in turns["allow"],
          "off the list it would pass", turns)
    check("reputation.score were 50 (it is unknown)" in turns["block"],
          "with a bad reputation it would be blocked", turns)
    turns = clauses(kept["unknown inputs"])
    check("caller.country were \"CN\" (it is \"GB\")" in turns["tag"],
          "as a domestic number it would be tagged", turns)
    equal(kept["emergency"]["turns"], [], "nothing turns an emergency call")


def details(kept):
    blocked = kept["blocked by a rule"]
    condition = rule_of(blocked, "foreign-ingress")["condition"]
    equal([(part.get("text"), part["negated"], part["result"]) for part in condition],
          [("trunk.origin == \"international\"", False, "true"),
           ("caller.country == \"CN\"", False, "true"),
           ("caller.number in roaming-exempt", True, "true")], "the parts of a condition")
    equal((blocked["points_sum"], [(step["at"], step["reached"]) for step in blocked["policy"]]),
          (95, [(60, True), (90, True)]), "points and the policy's steps")
    unknown = kept["unknown inputs"]
    equal(rule_of(unknown, "odd-subject")["result"], "unknown", "a rule that is unknown")
    check("message.subject" in unknown["unknown"], "and why", unknown["unknown"])
    near = rule_of(unknown, "foreign-ingress")
    equal((near["near"], near["failing"]), (True, 1), "a rule that came near")
    steps = [(step["step"], step["decides"]) for step in kept["allowed by list"]["order"]
             if step["reached"]]
    equal(steps, [("emergency", False), ("protected_callee", False), ("allow", True)],
          "the order of authority down to who decided")


@case("with other rules")
def changed():
    with Site() as site:
        daemon = start(site)
        here, there = sip.Endpoint(site, ABROAD), sip.Endpoint(site, CALLEE)
        call_id, _ = place(daemon, "blocked by a rule", here, there)
        version = daemon.status()["rules_version"]
        site.write("rules.yaml", RULES.replace("score: 80", "score: 20"))
        daemon.reload()
        wait_for(lambda: daemon.status()["rules_version"] != version, 5)
        answer = explain(daemon, call_id)
        equal((answer["then"]["action"], answer["then"]["score"], answer["then"]["rules_version"],
               answer["action"], answer["score"]), ("block", 95, version, "allow", 35),
              "then and now")
        equal([(rule["id"], rule["points"]) for rule in answer["then"]["rules"]],
              [("foreign-ingress", 80), ("bank-name", 15)], "the rules of then")
        _, output = daemon.cli("explain", call_id)
        check(re.match(r"This call was blocked with 603\. Today it would be let through", output),
              "the sentence says both", output)
        check(re.search(r"only then: foreign-ingress\s+\+80; only now: foreign-ingress\s+\+20", output),
              "and what differs", output)
        site.write("rules.yaml", RULES)
        site.write("numbers.csv", NUMBERS + "+8613800138000,100,block,loan,feed\n")
        daemon.reload()
        wait_for(lambda: daemon.status()["rules_version"] == version, 5)
        answer = explain(daemon, call_id)
        equal((answer["authority"], answer["reputation"]["match"]), ("rules", "none"),
              "reputation is that of then")
        equal(explain(daemon, *options_of("blocked by a rule"))["authority"], "block",
              "of a hypothetical call, that of now")
        daemon.stop()


@case("what is kept")
def keeping():
    with Site() as site:
        daemon = start(site, screening={"explain_keep": "1s"})
        here, there = sip.Endpoint(site, ABROAD), sip.Endpoint(site, CALLEE)
        call_id, _ = place(daemon, "blocked by a rule", here, there)
        equal(daemon.cli("explain", call_id)[0], 0, "a call just made")
        settle(1.2)
        status, output = daemon.cli("explain", call_id)
        check(status == 1 and "explain_keep" in output, "one that is too old", output)
        status, output = daemon.cli("explain", "nobody@nowhere")
        check(status == 1 and "nobody@nowhere" in output, "one that never was", output)
        daemon.stop()
    with Site() as site:
        daemon = start(site, screening={"explain_calls": 0})
        here, there = sip.Endpoint(site, ABROAD), sip.Endpoint(site, CALLEE)
        call_id, _ = place(daemon, "blocked by a rule", here, there)
        status, output = daemon.cli("explain", call_id)
        check(status == 1 and "explain_calls" in output, "none are kept", output)
        daemon.stop()


@case("suppositions")
def suppositions():
    with Site() as site:
        daemon = start(site)
        words = options_of("tagged")
        answer = explain(daemon, *words, "--score", "70")
        equal((answer["action"], answer["score"]), ("block", 100), "--score")
        answer = explain(daemon, *words, "--list", "block")
        equal((answer["action"], answer["authority"]), ("block", "block"), "--list")
        equal(clauses(answer)["tag"], ["the caller were on no list"], "which is what turns it")
        answer = explain(daemon, *words, "--feature", "caller.display=Bank", "--feature",
                         "caller.kind=mobile")
        equal(answer["score"], 80, "--feature, twice")
        answer = explain(daemon, *words, "--time", "2027-06-30T08:15:00Z", "--source", "192.0.2.7")
        features = {row["name"]: row["value"] for row in answer["features"]}
        equal((features["time.now"], features["message.source"]),
              ("2027-06-30T08:15:00.000Z", "192.0.2.7"), "--time and --source")
        _, output = daemon.cli("explain", *words, "--lang", "zh", "--display", "Bank")
        check("冒充银行" in output and "Shows the name" not in output, "--lang zh", output)
        for text, more in (("an unknown feature", ("--feature", "caller.numbr=1")),
                           ("a value of another type", ("--feature", "caller.valid=perhaps")),
                           ("a choice that is none", ("--list", "blocked")),
                           ("a score beyond 100", ("--score", "101")),
                           ("no value", ("--feature", "caller.valid")),
                           ("no time", ("--time", "noon")),
                           ("two ways at once", ("--event", "-"))):
            status, output = daemon.cli("explain", *words, *more)
            check(status == 2 and output.strip(), f"{text}: 2", f"{status} {output[:300]}")
        for text, data in (("no JSON", b"hello"), ("no call", b'{"kind":"hello"}'),
                           ("nothing", b""), ("a list", b"[]")):
            status, output = daemon.cli("explain", "--event", "-", data=data)
            check(status == 2 and output.strip(), f"event, {text}: 2", f"{status} {output[:300]}")
        daemon.stop()


checks.main(limit=90)
