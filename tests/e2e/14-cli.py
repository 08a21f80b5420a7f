#!/usr/bin/env python3
# commands
"""ringfence check, features and explain; ringfence number, against the memory store and Redis."""

import json
import os
import pty
import re
import subprocess

from lib import checks, sip
from lib.calls import expect_fate, fate, fate_within, shown
from lib.checks import case, check, equal, wait_for
from lib.daemon import ABROAD, CALLEE, CALLER, PRIVATE, Daemon, configuration, trunk
from lib.redis import Redis
from lib.site import Site

RULES = """
rules:
  - id: suspicious
    title: {en: Looks suspicious, zh: 可疑}
    when: caller.number starts_with "+8617"
    score: 65
    type: spam
  - id: from-abroad
    when: trunk.origin == "international" and caller.country == "CN"
    score: 90
    type: number-spoofing
  - id: shown-name
    when: caller.display == "Bank"
    score: 30
  - id: to-the-desk
    when: caller.number == "+8613800000002"
    score: 10
    action: {do: divert, to: "sip:desk@%s:5060"}
  - id: slow-down
    when: caller.number == "+8613800000003"
    score: 10
    action: {do: limit, rate: 1/60s, per: caller, else: 486}
scorecards:
  - id: model
    when: caller.display == "Model"
    intercept: -7
    features:
      - {feature: caller.kind, bins: [{in: [mobile, fixed], points: 20}]}
      - {feature: reputation.score, bins: [{below: 50, points: 1}], missing: 3}
policy:
  - {at: 60, do: tag}
  - {at: 90, do: block, with: 403}
"""

NUMBERS = """number,score,list,type,source,expires
+8613900000001,95,block,impersonation,desk,
86139555*,100,block,loan,feed,
+861065000001,0,allow,,desk,
"""

LISTED, CLEAN, HOME = "+8613900000001", "+8613911112222", "+861065000001"
HOLD_MINIMUM = 1000  # changes within an hour that always may happen
CALLED = "+861065551234"


def start(site, **changes):
    base = configuration(site)
    return Daemon(site, rules=RULES % site.address(CALLEE),
                  trunks=[*base["trunks"],
                          trunk("owner", site.address(PRIVATE), originates=["+861065"])],
                  **changes)


CHECKED = """rules:
  - id: from-abroad
    when: trunk.origin == "international" and caller.country == "CN"
    score: 70
    type: number-spoofing
    tests:
      - {given: {trunk.origin: international, caller.number: "+8613800138000"}, expect: fires}
policy:
  - {at: 60, do: tag}
"""

WHOLE_CALLS = """tests:
  - name: a spoofed number is tagged
    given: {trunk.origin: international, caller.number: "+8613800138000"}
    expect: {action: tag, score: %d, fired: [from-abroad]}
"""


def command(site, *words, **changes):
    """`ringfence` without a daemon: (status, output)."""
    return site.run(["env", *(f"{key}={value}" for key, value in changes.items()),
                     checks.program("ringfence"), *words], 10, None)


def on_terminal(site, *words, **changes):
    """What it prints on a terminal."""
    parent, child = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    subprocess.run([checks.program("ringfence"), *words], stdout=child, check=False,
                   timeout=10 * checks.SLOW, env={**environment, "TERM": "xterm", **changes})
    os.close(child)
    text = os.read(parent, 65536).decode()
    os.close(parent)
    return text


@case("check, before a rule is live")
def checked():
    with Site() as site:
        rules = site.write("checked.yaml", CHECKED)
        status, output = command(site, "check", rules)
        equal((status, output.splitlines()[-1]),
              (0, f"{rules}: good (1 rule; tests: 1 passed, 0 failed)"), "a rule file by itself")
        tests = site.write("tests.yaml", WHOLE_CALLS % 70)
        status, output = command(site, "check", tests, rules)
        equal((status, output), (0, "2 files: good (1 rule; tests: 2 passed, 0 failed)\n"),
              "with a file of tests")
        tests = site.write("tests.yaml", WHOLE_CALLS % 80)
        status, output = command(site, "check", rules, tests)
        check(status == 1 and f"{tests}:4:34: error: test \"a spoofed number is tagged\": score "
              "comes to 70\n    4 |     expect: {action: tag, score: 80," in output and
              "      |                                  ^~\n" in output,
              "a test that fails: 1", output)
        status, output = command(site, "--json", "check", rules, tests)
        answer = json.loads(output)
        equal((status, answer["rules"], answer["tests_passed"], answer["tests_failed"],
               answer["errors"], [(p["file"], p["line"], p["column"], p["width"], p["severity"])
                                  for p in answer["problems"]]),
              (1, 1, 1, 1, 1, [(tests, 4, 34, 2, "error")]), "the same for programs")

        bad = site.write("bad.yaml", CHECKED.replace("caller.country", "caller.contry"))
        shown = (f"{bad}:3:47: error: rule \"from-abroad\": there is no feature "
                 "\"caller.contry\"\n"
                 "    3 |     when: trunk.origin == \"international\" and caller.contry == \"CN\"\n"
                 "      |                                               ^~~~~~~~~~~~~\n"
                 "      = hint: did you mean caller.country?\n"
                 f"{bad}: 1 error, 0 warnings\n")
        equal(command(site, "check", bad), (1, shown), "an error, as a compiler shows it")
        old = site.write("old.yaml", CHECKED.replace("    type", "    expires: 2020-01-01\n    type"))
        status, output = command(site, "check", old)
        check(status == 0 and "warning: rule \"from-abroad\" has expired" in output and
              "good, 1 warning" in output, "a warning: 0", output)
        equal(command(site, "check", "--strict", old)[0], 1, "--strict: 1")
        equal(command(site, "check", "--strict", rules)[0], 0, "--strict without one: 0")
        equal(command(site, "check", site.path("none.yaml"))[0], 1, "no such file: 1")

        broken = configuration(site)
        broken.update(workers="many", rules=["bad.yaml"])
        status, output = command(site, "check", site.write("site.json", json.dumps(broken)))
        check(status == 1 and "workers \"many\"" in output and "bad.yaml:3:47" in output,
              "one run shows what is wrong with settings and rules", output)
        config = site.write("site.json", json.dumps(configuration(site)))
        equal(command(site, "check", config, rules)[0], 2, "a configuration and rule files: 2")
        tests = site.write("tests.yaml", "tests: [{given: {}, expect: {score: 0}}]")
        status, output = command(site, "--config", config, "check", tests)
        check(status == 0 and "1 passed" in output, "tests alone go with the configuration", output)


def has_terminals():
    """Not in every container or chroot."""
    try:
        for descriptor in pty.openpty():
            os.close(descriptor)
    except OSError:
        return False
    return True


@case("colours of check")
def coloured():
    with Site() as site:
        bad = site.write("bad.yaml", CHECKED.replace("caller.country", "caller.contry"))
        check("\x1b" not in command(site, "check", bad)[1], "not off a terminal")
        check("\x1b" in command(site, "--color", "always", "check", bad)[1], "unless asked for")
        if not has_terminals():
            print("skipped - no pseudo terminals here (/dev/pts)")
            return
        check("\x1b[1;31merror" in on_terminal(site, "check", bad), "on a terminal")
        for text, words, changes in (
                ("not with NO_COLOR", (), {"NO_COLOR": "1"}),
                ("nor on a dumb one", (), {"TERM": "dumb"}),
                ("nor with --color never", ("--color", "never"), {}),
                ("nor with --colour never", ("--colour", "never"), {})):
            output = on_terminal(site, *words, "check", bad, **changes)
            check("error" in output and "\x1b" not in output, text, repr(output))
        check("\x1b" in on_terminal(site, "check", bad, NO_COLOR=""), "an empty NO_COLOR is none")


@case("features")
def features():
    with Site() as site:
        status, output = command(site, "features")
        check(status == 0 and all(re.search(pattern, output) for pattern in (
            r"(?m)^caller\.number +number$", r"unknown   it does not normalise",
            r"example   reputation\.score >= 80", r"(?m)^time\.hour +integer, 0-23$",
            r"(?m)^  duration  a length of time")), "all of them", output[:2000])
        check(max(map(len, output.splitlines())) <= 80, "in 80 columns")
        status, output = command(site, "--json", "features", "reputation.")
        found = [row["name"] for row in json.loads(output)["features"]]
        check(status == 0 and found and all(name.startswith("reputation.") for name in found),
              "some of them, for programs", found)
        status, output = command(site, "features", "calller.number")
        check(status == 1 and "did you mean caller.number?" in output, "a misspelt name: 1", output)


def explain(daemon, caller, callee=CALLED, **options):
    """(status, the answer as an object)."""
    words = [word for name, value in options.items()
             for word in (f"--{name.replace('_', '-')}", value)]
    status, output = daemon.cli("--json", "explain", "--caller", caller, "--callee", callee, *words)
    return status, json.loads(output.splitlines()[0]) if status == 0 else output


def told(answer):
    """What explain() foretells, as fate() shows it."""
    return str(answer["code"]) if answer["action"] == "block" else "passed"


@case("explain")
def explained():
    with Site() as site:
        daemon = start(site, reputation={"csv": site.write("numbers.csv", NUMBERS)})
        status, output = daemon.cli("explain", "--caller", "017012345678", "--callee", CALLED,
                                    "--display", "Bank")
        check(status == 0 and re.search(r"Verdict +block with 403, score 95, decided by rules, "
                                        r"type spam", output), "the verdict, for people", output)
        for pattern in (r"\+65 +suspicious +Looks suspicious +rules\.yaml:3",
                        r"\+30 +shown-name", r"caller\.number +\+8617012345678",
                        r"trunk\.name +carrier", r"diverting\.number +unknown"):
            check(re.search(pattern, output), f"with {pattern}", output)
        check("\x1b" not in output, "no colours where there is no terminal")

        status, output = daemon.cli("explain", "--caller", CLEAN, "--callee", CALLED,
                                    "--display", "Model")
        for pattern in (r"\+16 +model", r"-7 +intercept", r"\+20 +caller\.kind = mobile",
                        r"\+3 +reputation\.score = unknown"):
            check(re.search(pattern, output), f"a scorecard with {pattern}", output)

        _, answer = explain(daemon, LISTED)
        equal({key: answer.get(key) for key in ("action", "with", "code", "authority", "type",
                                                "score", "degraded", "rules")},
              {"action": "block", "with": "603+", "code": 603, "authority": "block",
               "type": "impersonation", "score": 100, "degraded": False, "rules": []},
              "a listed number, for programs")
        _, answer = explain(daemon, "+8613800000002")
        equal((answer["action"], answer["to"]),
              ("divert", f"sip:desk@{site.address(CALLEE)}:5060"), "a call that is diverted")
        for _ in range(3):
            _, answer = explain(daemon, "+8613800000003")
        equal((answer["action"], answer["rate"], answer["code"]), ("limit", 1, 486),
              "a call that is limited")
        _, answer = explain(daemon, LISTED, diverting="+8613955500001")
        features = {row["name"]: row.get("value") for row in answer["features"]}
        equal((features["diverting.number"], features["reputation.list"],
               features["reputation.match"]), ("+8613955500001", "block", "number"),
              "features are told")
        equal(answer["rules_version"], daemon.status()["rules_version"], "and the rules' version")

        ends = {name: sip.Endpoint(site, number) for name, number in
                (("carrier", CALLER), ("abroad", ABROAD), ("owner", PRIVATE))}
        there = sip.Endpoint(site, CALLEE)
        equal(daemon.counts()["totals"]["calls"], 0, "nothing of it was counted as a call")
        equal(shown(fate(daemon, "+8613800000003", ends["carrier"], there)), "passed",
              "nor did it use up a limit")
        differences = []
        numbers = [LISTED, CLEAN, HOME, "013955500000", "008613900000001", "17012345678",
                   "+442071838750", "95588", "anonymous", "01095588"]
        for name, here in ends.items():
            for number in numbers:
                for callee in (CALLED, "110", "96110"):
                    _, answer = explain(daemon, number, callee, trunk=name)
                    got = shown(fate(daemon, number, here, there, callee=callee))
                    if told(answer) != got:
                        differences.append((name, number, callee, told(answer), got))
        equal(differences, [], f"{len(ends) * len(numbers) * 3} calls get what was foretold")
        daemon.stop()


@case("explain, wrongly asked")
def wrongly():
    with Site() as site:
        daemon = start(site)
        for text, words in (
                ("no callee", ("--caller", CLEAN)),
                ("an unknown trunk", ("--caller", CLEAN, "--callee", CALLED, "--trunk", "cariier")),
                ("a line break", ("--caller", "1\r\nVia: x", "--callee", CALLED)),
                ("a quoted number", ("--caller", '1">', "--callee", CALLED)),
                ("a line break in a name",
                 ("--caller", CLEAN, "--callee", CALLED, "--display", "a\nb")),
                ("an unknown option", ("--caler", CLEAN, "--callee", CALLED)),
                ("a number of 9000 bytes", ("--caller", "1" * 9000, "--callee", CALLED))):
            status, output = daemon.cli("explain", *words)
            check(status == 2 and output.strip(), f"{text}: 2", f"{status} {output[:300]}")
        equal(explain(daemon, CLEAN)[0], 0, "the daemon is none the worse")
        daemon.stop()
        status, output = daemon.cli("explain", "--caller", CLEAN, "--callee", CALLED)
        equal(status, 3, "no daemon: 3")


@case("explain in mode lookup")
def lookup():
    with Site() as site:
        redis = Redis(site)
        redis("HSET", f"rf:num:{LISTED}", "list", "block")
        daemon = start(site, reputation={"store": "redis", "mode": "lookup", "socket": redis.path})
        status, answer = explain(daemon, LISTED)
        equal((status, answer["action"], answer["degraded"]), (0, "allow", True),
              "says that it did not ask Redis")
        daemon.stop()


def common(daemon, a, b):
    """What both stores must do alike."""
    def run(*words):
        return daemon.cli("number", *words)

    status, output = run("get", CLEAN)
    check(status == 1 and "not known" in output, "get of what is not known: 1", output)
    status, output = run("set", CLEAN, "--list", "block", "--type", "loan", "--score", "88",
                         "--source", "desk", "--note", "called twice")
    equal(status, 0, "set")
    fate_within(daemon, CLEAN, a, b, 603, 1, "the number is blocked within a second")
    status, output = run("get", CLEAN)
    check(status == 0 and all(re.search(pattern, output) for pattern in
                              (r"score +88", r"list +block", r"type +loan", r"source +desk")),
          "get shows it", output)
    status, output = daemon.cli("--json", "number", "get", CLEAN)
    check(json.loads(output)["list"] == "block", "also to programs", output)
    check(re.search(rf"audit: uid \d+ .*number set.*{re.escape(CLEAN)}.*block", daemon.log()),
          "the change is audited", daemon.log()[-600:])
    status, output = run("del", CLEAN)
    equal(status, 0, "del")
    fate_within(daemon, CLEAN, a, b, "passed", 1, "the number is free within a second")
    status, output = run("del", CLEAN)
    check(status == 1 and "not known" in output, "del of what is not known: 1", output)
    check(re.search(rf"audit: uid \d+ .*number del.*{re.escape(CLEAN)}", daemon.log()),
          "the deletion is audited", daemon.log()[-600:])

    run("set", "86139555*", "--list", "block")
    fate_within(daemon, "+8613955512345", a, b, 603, 1, "a prefix blocks")
    run("set", "+8613955512345", "--list", "none", "--score", "0")
    fate_within(daemon, "+8613955512345", a, b, "passed", 1, "a number of it is freed")
    run("set", "raw:anonymous", "--list", "block")
    fate_within(daemon, "anonymous", a, b, 603, 1, "a text blocks")
    status, output = run("set", CLEAN, "--list", "block", "--expires",
                         f"{2 * checks.SLOW:.0f}s")
    equal(status, 0, "set with an expiry")
    fate_within(daemon, CLEAN, a, b, "passed", 4, "which ends by itself")

    for text, words in (("neither score nor list", (CLEAN,)),
                        ("score 101", (CLEAN, "--score", "101")),
                        ("list blok", (CLEAN, "--list", "blok")),
                        ("no number", ("hello", "--list", "block")),
                        ("a national number", ("013911112222", "--list", "block")),
                        ("an expiry that is past",
                         (CLEAN, "--list", "block", "--expires", "2020-01-01")),
                        ("an expiry of nonsense",
                         (CLEAN, "--list", "block", "--expires", "soon"))):
        status, output = run("set", *words)
        check(status == 2 and output.strip(), f"{text}: 2", f"{status} {output}")


def imports(daemon, site, a, b, rows):
    text = "number,score,list,type,source,expires,note\n" + "".join(
        f"+86136{i:08d},90,block,loan,feed,,\n" for i in range(rows))
    site.write("good.csv", text)
    status, output = daemon.cli("number", "import", "--dry-run", site.path("good.csv"))
    check(status == 0 and "would be" in output, "import --dry-run", output)
    expect_fate(daemon, f"+86136{rows - 1:08d}", a, b, "passed", "changes nothing")
    status, output = daemon.cli("number", "import", site.path("good.csv"), seconds=30)
    check(status == 0 and "0 rejected" in output, f"import of {rows} numbers", output)
    if rows > HOLD_MINIMUM:
        wait_for(lambda: daemon.status()["reputation"]["state"] == "held", 5)
        status, output = daemon.cli("replica", "accept")
        check(status == 0, "so many wait for accept", output)
    fate_within(daemon, f"+86136{rows - 1:08d}", a, b, 603, 2, "the last of them is blocked")
    bad = ("number,score,list,type,source,expires\n+8613600000000,10,watch,,,\n"
           "+8613511110000,500,block,,,\nnonsense,1,block,,,\n86135222*,90,block,,feed,\n")
    status, output = daemon.cli("--json", "number", "import", "-", data=bad.encode())
    check(status == 1 and '"written":2' in output and '"rejected":2' in output,
          "import of standard input with two bad lines: 1", output)
    check("input:3:" in output and "input:4:" in output, "which are named", output)
    fate_within(daemon, "+8613522212345", a, b, 603, 1, "the good ones count")
    status, output = daemon.cli("number", "import", site.path("none.csv"))
    check(status == 1 and "none.csv" in output, "a file that is missing: 1", output)
    status, output = daemon.cli("number", "import", "-",
                                data=b"number,list,score\n+8613511110001,block,9\n")
    check(status == 1 and "number,score,list" in output, "other columns are refused", output)


@case("number: the memory store")
def memory():
    with Site() as site:
        daemon = start(site, reputation={"csv": site.write("numbers.csv", NUMBERS)})
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        common(daemon, a, b)
        imports(daemon, site, a, b, 300)
        status, output = daemon.cli("number", "get", LISTED)
        check(status == 0 and re.search(r"type +impersonation", output), "the CSV file is shown",
              output)
        daemon.stop()
        status, output = daemon.cli("number", "get", LISTED)
        equal(status, 3, "no daemon: 3")


@case("number: Redis")
def redis_store():
    with Site() as site:
        redis = Redis(site)
        redis("HSET", f"rf:num:{LISTED}", "score", 95, "list", "block", "since", "2026-01-01")
        daemon = start(site, reputation={"store": "redis", "socket": redis.path})
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        wait_for(lambda: daemon.status()["reputation"]["state"] == "following", 5)
        common(daemon, a, b)
        imports(daemon, site, a, b, 20000)
        daemon.cli("number", "set", LISTED, "--list", "watch", "--expires", "30d", "--note",
                   "é \"x\"")
        fields = redis("HGETALL", f"rf:num:{LISTED}")
        found = dict(zip(fields[::2], fields[1::2]))
        equal((found.get(b"list"), found.get(b"note"), found.get(b"since"), found.get(b"score")),
              (b"watch", "é \"x\"".encode(), b"2026-01-01", None),
              "set replaces the fields and keeps since")
        check(29 * 86400 < redis("TTL", f"rf:num:{LISTED}") <= 30 * 86400, "and sets the expiry")
        daemon.cli("number", "set", LISTED, "--list", "block")
        equal(redis("TTL", f"rf:num:{LISTED}"), -1, "without one it stays for good")
        redis.kill()
        status, output = daemon.cli("number", "set", CLEAN, "--list", "block")
        check(status == 3 and "Redis" in output, "no Redis: 3", output)
        redis.start()
        wait_for(lambda: daemon.status()["reputation"]["connected"], 10)
        daemon.stop()
        equal(daemon.cli("number", "set", CLEAN, "--list", "block")[0], 0,
              "the daemon is not needed")
        equal(redis("HGET", f"rf:num:{CLEAN}", "list"), b"block", "for what stands in Redis")


checks.main(limit=90)
