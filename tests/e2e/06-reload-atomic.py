#!/usr/bin/env python3
# busy
"""Reload by SIGHUP and by command: everything or nothing, and no call notices."""

import json
import re
import time

from lib import checks, control, sip
from lib.calls import expect_fate, fate, passed
from lib.checks import SANITIZE, case, check, equal, wait_for
from lib.daemon import CALLEE, CALLER, PRIVATE, Daemon, configuration, trunk
from lib.site import Site, settle
from lib.sipp import T1_AS_IN_LIFE, Sipp

GOOD = """lists:
  crowd: {file: crowd.txt}
rules:
  - id: one
    when: caller.number == "+8613800000001" or caller.number in crowd
    score: 100
    action: {do: block, with: 403}
"""
BETTER = GOOD.replace("0000001", "0000002")
# What is wrong, and where: line and column of the broken rule file.
BROKEN = [
    (GOOD.replace('== "+86', '= "+86'), 5, 25),
    (GOOD.replace("caller.number ==", "caller.numbr =="), 5, 11),
    (GOOD.replace("score: 100", "score: high"), 6, 12),
    (GOOD.replace("with: 403", "with: 404"), 7, 31),
    (GOOD.replace("    score: 100\n", "   score: 100\n"), 6, None),
    (GOOD.replace("rules:", "rulez:"), 3, 1),
]
ONE, TWO, THREE = "+8613800000001", "+8613800000002", "+8613800000003"
RATE = 100 if SANITIZE else 400


def start(site, **changes):
    site.write("crowd.txt", "+8613700000001\n")
    return Daemon(site, rules=GOOD, **changes)


def reloads(daemon):
    return daemon.status()["reloads"]


def wait_reloads(daemon, count, text=None):
    return wait_for(lambda: reloads(daemon) >= count, 5, text)


def hup(daemon):
    """SIGHUP with a good configuration, up to where it is in force."""
    count = reloads(daemon)
    daemon.reload()
    return wait_reloads(daemon, count + 1)


@case("under load")
def load():
    with Site() as site:
        daemon = start(site, limits=T1_AS_IN_LIFE)
        version = daemon.status()["rules_version"]
        server = Sipp(site, "uas", "uas", site.address(CALLEE))
        client = Sipp(site, "uac", "uac", site.address(CALLER), "-r", RATE, "-m", 1000000, "-l",
                      20000, remote=daemon.address)
        settle(1)
        for number, (text, line, column) in enumerate(BROKEN):
            site.write("rules.yaml", text)
            seen = len(daemon.log())
            daemon.reload()
            place = f"rules.yaml:{line}:{column if column else ''}"
            wait_for(lambda seen=seen, place=place: place in daemon.log()[seen:], 3,
                     f"broken file {number + 1}: the log names {place}") or \
                print("    " + daemon.log()[seen:])
        wait_for(lambda: "rules.yaml:3:1:" in daemon.status().get("reload_failure", ""), 2,
                 "the status tells the failure")
        equal((daemon.status()["rules_version"], reloads(daemon)), (version, 0),
              "the old rules stay")
        good = 0
        while good < 12:
            site.write("rules.yaml", BETTER if good % 2 == 0 else GOOD)
            if not hup(daemon):
                break
            good += 1
        check(client.process.running() and good == 12, "good reloads follow, twelve of them")
        check("reload_failure" not in daemon.status(), "the status forgets the failure")
        client.finish(30)
        calls = client.created
        check(calls > RATE and (client.successful, client.failed) == (calls, 0),
              f"calls at {RATE} a second meanwhile: none failed", f"{calls} created, "
              f"{client.successful} successful, {client.failed} failed\n{client.problems()}")
        totals = daemon.counts()["totals"]
        equal((totals["calls"], totals["calls_ended_bye"]), (calls, calls),
              "each was judged and ended once")
        daemon.stop()


@case("what a reload changes")
def changes():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        expect_fate(daemon, ONE, a, b, 403, "a rule blocks")
        expect_fate(daemon, TWO, a, b, "passed", "another number passes")
        site.write("rules.yaml", BETTER)
        hup(daemon)
        expect_fate(daemon, TWO, a, b, 403, "the next call meets the new rules")
        expect_fate(daemon, ONE, a, b, "passed", "and not the old ones")
        site.write("crowd.txt", "+8613700000002\n")
        expect_fate(daemon, "+8613700000001", a, b, 403, "a list file counts as it was read")
        hup(daemon)
        expect_fate(daemon, "+8613700000002", a, b, 403, "a reload reads it again")
        expect_fate(daemon, "+8613700000001", a, b, "passed", "whole")

        site.write("rules.yaml", BETTER.replace("    score", "    mode: shadow\n    score"))
        hup(daemon)
        expect_fate(daemon, TWO, a, b, "passed", "a rule in the shadow blocks nobody")
        equal(daemon.family("rules_shadow", "one"), 1, "but is counted")
        equal(daemon.family("rules", "one"), 4, "beside what it counted before")

        stranger = sip.Endpoint(site, PRIVATE)
        sip.Caller(stranger, daemon.address, ONE).call()
        check(stranger.silent(0.3) is None, "an unknown source is met with silence")
        talking = sip.Caller(a, daemon.address, THREE)
        sip.talk(talking, b)
        daemon.settings["trunks"].append(trunk("late", site.address(PRIVATE)))
        daemon.settings["screening"] = {"block_with": "403"}
        daemon.settings["log"] = {"level": "warning"}
        daemon.write()
        hup(daemon)
        expect_fate(daemon, ONE, stranger, b, "passed", "a new trunk is in force")
        check(any(t["name"] == "late" for t in daemon.status()["trunks"]), "the status shows it")
        sip.hang_up(talking, b)
        check(True, "a call that was up ends as it should")

        ringing = sip.Caller(a, daemon.address, THREE).call()
        callee = sip.Callee(b, b.expect("INVITE"))
        callee.answer(180, "Ringing")
        ringing.expect(180)
        daemon.settings["trunks"] = daemon.settings["trunks"][::-1]
        daemon.settings["routes"] = [{"from": "core", "to": "carrier"},
                                     {"from": "carrier", "to": "late"}]
        daemon.write()
        hup(daemon)
        callee.answer(200, "OK")
        answer = ringing.expect(200)
        ringing.establish(answer)
        ringing.ack()
        b.expect("ACK")
        sip.hang_up(ringing, b)
        check(True, "a call that was ringing goes on, also when trunks change their order")
        check(passed(fate(daemon, ONE, a, stranger)), "the next one takes the new route")
        daemon.stop()


@case("refused")
def refused():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        sound = json.loads(json.dumps(daemon.settings))

        def attempt(text, *expected, **more):
            daemon.settings = {**json.loads(json.dumps(sound)), **more}
            daemon.write()
            status, output = daemon.cli("reload")
            check(status == 1 and all(word in output for word in expected), text, output)

        attempt("an unknown key: with place and remedy", "ringfenced.yaml:", "\"screning\" is not",
                "did you mean \"screening\"", screning={"block_with": "403"})
        attempt("a route to nowhere", "\"nowhere\"", routes=[{"to": "nowhere"}])
        attempt("a rule file that is missing", "gone.yaml", rules=["gone.yaml"])
        attempt("a very long reason", "gone.yaml", rules=["a/" * 200 + "gone.yaml"])
        check("a/a/a" in daemon.status().get("reload_failure", ""), "is cut in the status")
        attempt("other listen addresses", "listen", "restart",
                listen=[{"address": f"{site.address(77)}:5060"}])
        attempt("one more listen address", "listen", "restart",
                listen=[*sound["listen"], {"address": f"{site.address(77)}:5060"}])
        attempt("a bad address", "sources", trunks=[trunk("carrier", "300.1.1.1")])
        site.write("ringfenced.yaml", "listen: [\n")
        status, output = daemon.cli("reload", "--control", sound["control"]["socket"])
        check(status == 1 and re.search(r"ringfenced\.yaml:\d+:\d+", output), "no YAML at all",
              output)
        equal(reloads(daemon), 0, "nothing took effect")
        daemon.settings = sound
        daemon.write()
        expect_fate(daemon, ONE, a, b, 403, "the old configuration judges on")
        daemon.stop()


@case("the memory store")
def memory():
    with Site() as site:
        head = "number,score,list,type,source,expires\n"
        csv = site.write("numbers.csv", head + "+8613900000001,95,block,,,\n")
        daemon = start(site, reputation={"csv": csv})
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        expect_fate(daemon, "+8613900000001", a, b, 603, "the CSV file lists a number")
        site.write("numbers.csv", head + "+8613900000002,95,block,,,\n")
        hup(daemon)
        expect_fate(daemon, "+8613900000002", a, b, 603, "a reload reads it again")
        expect_fate(daemon, "+8613900000001", a, b, "passed", "whole")
        daemon.settings["listen"] = [{"address": f"{site.address(77)}:5060"}]
        daemon.write()
        site.write("numbers.csv", head + "+8613900000003,95,block,,,\n")
        status, output = daemon.cli("reload")
        check(status == 1 and ":0:0:" not in output + daemon.log(),
              "a configuration that is refused, for a reason without a place", output)
        expect_fate(daemon, "+8613900000003", a, b, "passed", "leaves the numbers alone")
        daemon.settings["listen"] = configuration(site)["listen"]
        daemon.write()
        site.write("rules.yaml", BETTER)
        site.run(["mv", csv, csv + ".away"])
        status, output = daemon.cli("reload")
        check(status == 1 and "numbers.csv" in output, "a CSV file that is gone is refused",
              output)
        expect_fate(daemon, "+8613900000002", a, b, 603, "the old numbers stay")
        expect_fate(daemon, ONE, a, b, 403, "and the old rules")
        site.run(["mv", csv + ".away", csv])
        status, output = daemon.cli("reload")
        equal(status, 0, "once it is back all takes effect")
        expect_fate(daemon, "+8613900000003", a, b, 603, "numbers")
        expect_fate(daemon, TWO, a, b, 403, "and rules")
        daemon.stop()


@case("the commands")
def commands():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        status, output = daemon.cli("check")
        check(status == 0 and "good" in output, "ringfence check: 0 when all is good", output)
        status, output = daemon.cli("reload")
        check(status == 0 and daemon.status()["rules_version"] in output,
              "ringfence reload: 0 and the version in force", output)
        site.write("rules.yaml", BROKEN[0][0])
        for name in ("check", "reload"):
            status, output = daemon.cli(name)
            check(status == 1 and "rules.yaml:5:25" in output,
                  f"ringfence {name}: 1, file, line and column of what is wrong", output)
            status, output = daemon.cli("--json", name)
            problems = json.loads(output.splitlines()[0])["problems"]
            equal((status, problems[0]["line"], problems[0]["column"]), (1, 5, 25),
                  f"ringfence --json {name} says so to programs")
        expect_fate(daemon, ONE, a, b, 403, "the old rules judge on")
        status, output = daemon.cli("check", site.path("nothing.yaml"))
        check(status == 1 and "nothing.yaml" in output, "check of a file that is missing: 1",
              output)
        site.write("rules.yaml", GOOD + "    tests:\n      - {given: {caller.number: "
                                        "\"+8613800000009\"}, expect: fires}\n")
        status, output = daemon.cli("check")
        check(status == 1 and re.search(r"rules\.yaml:9:\d+", output) and "1 failed" in output,
              "check: 1 when a test of a rule fails", output)

        daemon.settings["workers"] = 1
        daemon.write()
        site.write("rules.yaml", BETTER)
        status, output = daemon.cli("reload")
        check(status == 0 and "workers" in output and "next start" in output,
              "what needs a restart is said", output)
        status, output = daemon.cli("reload", "now")
        equal(status, 2, "a wrong command line: 2")
        daemon.stop()
        status, output = daemon.cli("reload")
        check(status == 3 and "control.sock" in output, "no daemon: 3", output)


@case("signals in a row")
def row():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        # The list makes a reload long enough for the next signal to meet it.
        site.write("crowd.txt", "".join(f"+86139{i:08d}\n" for i in range(2000000)))
        daemon.reload()
        time.sleep(0.05)
        site.write("crowd.txt", "+8613700000009\n")
        site.write("rules.yaml", BETTER)
        daemon.reload()
        wait_for(lambda: reloads(daemon) == 2, 10, "a signal during a reload is not lost")
        expect_fate(daemon, TWO, a, b, 403, "what was written before the last signal is in force")
        expect_fate(daemon, "+8613700000009", a, b, 403, "rules and lists")

        site.write("crowd.txt", "".join(f"+86139{i:08d}\n" for i in range(2000000)))
        asking = control.Lines(daemon.settings["control"]["socket"])
        asking.send({"command": "reload"})
        time.sleep(0.05)
        status, output = daemon.cli("reload")
        check(status == 1 and "under way" in output, "two commands at once: the second is told",
              output)
        asking.close()
        wait_for(lambda: reloads(daemon) == 3, 10, "whoever asked may leave before the end")
        daemon.stop()


@case("start")
def wrong_start():
    with Site() as site:
        site.write("crowd.txt", "")
        daemon = Daemon(site, rules=BROKEN[0][0], start=False)
        for option in ((), ("--test",)):
            status, output = site.run([checks.program("ringfenced"), "--config",
                                       daemon.config_path, *option])
            check(status == 1 and "rules.yaml:5:25" in output,
                  f"ringfenced {' '.join(option)}: 1 with line and column", output)
        site.write("rules.yaml", GOOD)
        status, output = site.run([checks.program("ringfenced"), "--config", daemon.config_path,
                                   "--test"])
        equal(status, 0, "ringfenced --test: 0 when all is good")
        status, output = site.run([checks.program("ringfenced"), "--nonsense"])
        equal(status, 2, "a wrong command line: 2")
        first = Daemon(site, rules=GOOD)
        status, output = site.run([checks.program("ringfenced"), "--config", daemon.config_path])
        check(status == 3 and f"{site.address(10)}:5060" in output,
              "an address that is taken: 3, and it is named", output)
        first.stop()


checks.main(limit=90)
