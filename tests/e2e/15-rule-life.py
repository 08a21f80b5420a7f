#!/usr/bin/env python3
"""The life of a rule: hits in shadow, promotion by reload, budgets of rules and trunks."""

import json

from lib import checks, sip
from lib.calls import expect_fate, fate, passed, shown
from lib.checks import case, check, equal, wait_for
from lib.daemon import CALLEE, CALLER, Daemon
from lib.site import Site

RULES = """
rules:
  - id: quiet
    title: {en: Tried first, zh: 先试运行}
    when: caller.number starts_with "+8617"
    score: 95
    type: spam
    mode: shadow
  - id: eager
    when: caller.number starts_with "+8615"
    action: {do: block, with: 403}
    budget: 3/d
  - id: contributes
    when: caller.number starts_with "+8616"
    score: 95
    budget: 2/d
  - id: sleeping
    when: caller.number starts_with "+8618"
    score: 95
    mode: "off"
policy:
  - {at: 90, do: block}
budgets:
  - {trunk: carrier, blocks: 2/d}
"""

NUMBERS = """number,score,list,type,source,expires
8613955*,95,block,impersonation,desk,
"""

QUIET, EAGER, SCORED, LISTED = ("+8617000000001", "+8615000000001", "+8616000000001",
                                "+8613955000001")


def start(site):
    return Daemon(site, rules=RULES, reputation={"csv": site.write("numbers.csv", NUMBERS)})


def rules_of(daemon):
    """The answer to the command rules, by id."""
    _, lines = daemon.command("rules")
    return {line["id"]: line for line in lines}


def reload(daemon, site, rules):
    site.write("rules.yaml", rules)
    status, output = daemon.cli("reload")
    check(status == 0 and "longest worker stall" in output,
          f"a reload tells the longest stall: {output.strip().split('; ')[-1]}", output)


def alert(reader):
    """The next alert; verdicts before it are passed over."""
    while (event := reader.event()) is not None and event["event"] != "alert":
        pass
    return event


@case("shadow and promotion")
def shadow():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        reader = daemon.stats(events=True)
        before = rules_of(daemon)
        equal([(rule["mode"], rule["hits"], rule["hits_shadow"]) for rule in before.values()],
              [("shadow", 0, 0), ("enforce", 0, 0), ("enforce", 0, 0), ("off", 0, 0)],
              "ringfence rules lists all rules")
        check("last_hit" not in before["quiet"], "a rule that never fired has no last hit")
        clean = fate(daemon, "+8613911112222", a, b)
        for _ in range(3):
            outcome = fate(daemon, QUIET, a, b)
            check(passed(outcome) and not [name for name, _ in outcome.headers
                                           if name.startswith("X-Ringfence")] and
                  {name for name, _ in outcome.headers} == {name for name, _ in clean.headers},
                  "a rule in shadow changes no call", shown(outcome))
        rule = rules_of(daemon)["quiet"]
        equal((rule["hits"], rule["hits_shadow"]), (0, 3), "its hits are in ringfence rules")
        check(0 <= rule["last_hit_ago_s"] < 30, "with the time of the last one", rule)
        equal((daemon.family("rules", "quiet"), daemon.family("rules_shadow", "quiet")), (0, 3),
              "on the stats socket")
        event = reader.event()
        equal((event["action"], event["code"], event["would_have"], event["would_get"],
               event["rules"]),
              ("allow", 0, True, {"action": "block", "score": 95, "code": 603},
               [{"id": "quiet", "points": 95, "shadow": True}]),
              "and in events, with what the call would have got")
        status, output = daemon.cli("rules", "--lang", "zh")
        check(status == 0 and "先试运行" in output and "quiet" in output.splitlines()[1],
              "the table has most hits first, and titles in Chinese", output)
        status, output = daemon.cli("--json", "rules")
        equal([json.loads(line)["id"] for line in output.splitlines()],
              ["quiet", "eager", "contributes", "sleeping"], "JSON has the order of the files")

        reload(daemon, site, RULES.replace("    mode: shadow\n", ""))
        expect_fate(daemon, QUIET, a, b, 603, "promoted by reload, it acts on the next call")
        rule = rules_of(daemon)["quiet"]
        equal((rule["mode"], rule["hits"], rule["hits_shadow"]), ("enforce", 1, 3),
              "its counts survive the reload")
        status = daemon.status()
        check(status["reload_stall_us"] <= status["longest_stall_us"] < 1000000 * checks.SLOW,
              f"the status tells the longest stall ({status['longest_stall_us']} us)", status)
        daemon.stop()


@case("a rule beyond its budget")
def budget():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        reader = daemon.stats(events=True)
        for _ in range(3):
            expect_fate(daemon, EAGER, a, b, 403, "within its budget it blocks")
        equal(rules_of(daemon)["eager"]["budget_used"], 3, "ringfence rules tells how much is used")
        expect_fate(daemon, EAGER, a, b, "passed", "the first call beyond it passes")
        expect_fate(daemon, EAGER, a, b, "passed", "and the next")
        event = alert(reader)
        equal((event["alert"], event["rules"], event["action"], event["would_get"]["action"]),
              ('rule "eager" is beyond its budget of 3/1d',
               [{"id": "eager", "points": 0, "shadow": True}], "allow", "block"),
              "an alert event says so")
        check('warning budget: rule "eager" is beyond' in daemon.log(), "and a line in the log",
              daemon.log())
        rule = rules_of(daemon)["eager"]
        equal((rule["mode"], rule["hits"], rule["hits_shadow"]), ("demoted", 3, 2),
              "it is demoted in ringfence rules")
        equal((daemon.status()["rules_demoted"], daemon.total("rules_demoted")), (["eager"], 1),
              "in the status, and counted once")
        for _ in range(2):
            expect_fate(daemon, SCORED, a, b, 603, "a rule by whose points the policy blocks")
        expect_fate(daemon, SCORED, a, b, "passed", "has a budget, too")
        equal(daemon.status()["rules_demoted"], ["eager", "contributes"], "both are demoted")

        reload(daemon, site, RULES.replace("Tried first", "Tried before"))
        expect_fate(daemon, EAGER, a, b, "passed", "a reload that leaves the rule as it was "
                                                   "does not forget")
        status, output = daemon.cli("rules", "rearm", "eager")
        check(status == 0 and "enforced again" in output, "ringfence rules rearm", output)
        check("command rules rearm" in daemon.log(), "is audited", daemon.log())
        expect_fate(daemon, EAGER, a, b, 403, "it blocks again")
        for word, problem in (("eager", "not demoted"), ("nobody", "no rule")):
            status, output = daemon.cli("rules", "rearm", word)
            check(status == 1 and problem in output, f"rearm {word}: {problem}", output)
        reload(daemon, site, RULES.replace("budget: 2/d", "budget: 20/d"))
        expect_fate(daemon, SCORED, a, b, 603, "a reload that changes the rule arms it")
        equal(daemon.status()["rules_demoted"], [], "nobody is demoted any more")
        equal(rules_of(daemon)["eager"]["budget_used"], 1, "and what others have used stays used")
        daemon.stop()


@case("a trunk beyond its budget")
def trunk():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        reader = daemon.stats(events=True)
        for _ in range(2):
            expect_fate(daemon, LISTED, a, b, 603, "within its budget the list blocks")
        expect_fate(daemon, LISTED, a, b, "passed", "beyond it the call passes")
        expect_fate(daemon, LISTED, a, b, "passed", "and the next")
        expect_fate(daemon, EAGER, a, b, 403, "rules have budgets of their own")
        event = alert(reader)
        equal((event["alert"], event["trunk_in"]),
              ('trunk "carrier": its lists are beyond their budget of 2/1d', "carrier"),
              "an alert event says so")
        # Events of two workers come in no order.
        while (event := reader.event()) is not None and event["action"] == "block":
            pass
        equal((event["event"], event["action"], event["would_have"], event["type"],
               event["would_get"]),
              ("verdict", "allow", True, "impersonation",
               {"action": "block", "score": 100, "code": 603}),
              "each call's event says what it would have got")
        equal(daemon.log().count("its lists are beyond"), 1, "one line in the log")
        entry = next(line for line in daemon.status()["trunks"] if line["name"] == "carrier")
        equal((entry["budget"], entry["budget_used"], entry["over_budget"], entry["blocked"]),
              ("2/1d", 2, 2, 3), "the status tells it")
        equal(daemon.family("trunk_over_budget", "carrier"), 2, "and the stats socket")
        reload(daemon, site, RULES.replace("blocks: 2/d", "blocks: 5/d"))
        expect_fate(daemon, LISTED, a, b, 603, "with another budget the list blocks again")
        daemon.stop()


@case("the cost of a rule")
def cost():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        # The first call that a worker judges is measured; the Call-ID chooses the worker.
        def measured():
            fate(daemon, QUIET, a, b)
            return rules_of(daemon)["quiet"]["measured"] == 2
        wait_for(measured, 3, "one call in 1024 of each worker is measured")
        rule = rules_of(daemon)["quiet"]
        check(0 < rule["cost_ns"] < 100000 * checks.SLOW, f"an evaluation: {rule['cost_ns']} ns",
              rule)
        daemon.stop()


checks.main(limit=60)
