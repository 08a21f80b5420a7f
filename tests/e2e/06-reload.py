#!/usr/bin/env python3
"""Reload under load: a broken rule file changes nothing and says where it is wrong."""

import time

from lib import checks, sip
from lib.checks import SANITIZE, case, check, equal
from lib.daemon import CALLEE, CALLER, Daemon
from lib.sipp import Sipp, check_load
from lib.site import Site, settle

BLOCKED = "+8613955556666"

GOOD = """rules:
  - id: one
    when: caller.number == "+8613911112222"
    score: 95
policy:
  - {at: 90, do: block, with: 603}
"""
BROKEN = """rules:
  - id: one
    when: caller.number == "+8613911112222" and caller.contry == "CN"
    score: 95
policy:
  - {at: 90, do: block, with: 603}
"""
BETTER = GOOD.replace("13911112222", "13955556666")


@case("SIGHUP under load")
def under_load():
    rate, seconds = (40, 6) if SANITIZE else (300, 6)
    with Site() as site:
        daemon = Daemon(site, rules=GOOD)
        server = Sipp(site, "uas", "uas", site.address(CALLEE))
        client = Sipp(site, "uac", "uac", site.address(CALLER), "-r", rate, "-m", rate * seconds,
                      remote=daemon.address)
        time.sleep(1)
        version = daemon.status()["rules_version"]
        site.write("rules.yaml", BROKEN)
        daemon.reload()
        checks.wait_for(lambda: daemon.status().get("reload_failure"), 3, "a broken file is refused")
        status = daemon.status()
        place = f"{site.path('rules.yaml')}:3:49: "
        check(place in status["reload_failure"], "status names file, line and column",
              status["reload_failure"])
        check(any(place in line and "caller.contry" in line for line in daemon.log().splitlines()),
              "so does the log, with the bad value", daemon.log()[-600:])
        equal(status["rules_version"], version, "the old rules stay")

        a = sip.Endpoint(site, CALLER, 5070)
        caller = sip.Caller(a, daemon.address, "+8613911112222").call()
        caller.ack_refusal(caller.expect(603))
        check(True, "and are in force")
        for _ in range(10):
            daemon.reload()
            time.sleep(0.05)
        site.write("rules.yaml", BETTER)
        daemon.reload()
        checks.wait_for(lambda: daemon.status()["rules_version"] != version, 3,
                        "a good file takes effect")
        caller = sip.Caller(a, daemon.address, BLOCKED).call()
        caller.ack_refusal(caller.expect(603))
        check(True, "for the next call")
        equal(daemon.status().get("reload_failure"), None, "the failure is forgotten")
        check_load(client, seconds + 20, rate * seconds,
                   f"{rate * seconds} calls meanwhile: none failed")
        server.stop()
        daemon.stop()


@case("ringfence reload and check")
def commands():
    with Site() as site:
        daemon = Daemon(site, rules=GOOD)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        status, output = daemon.cli("check")
        equal(status, 0, "ringfence check: 0 when all is well")
        site.write("rules.yaml", BROKEN)
        status, output = daemon.cli("check")
        check(status == 1 and "rules.yaml:3:49" in output and "caller.country" in output,
              "1 with file, line, column and what was meant", f"{status}\n{output}")
        status, output = site.run([checks.program("ringfenced"), "-t", "-c", daemon.config_path])
        check(status == 1 and "rules.yaml:3:49" in output, "ringfenced -t says the same", output)
        status, output = daemon.cli("reload")
        check(status == 1 and "rules.yaml:3:49" in output, "ringfence reload: 1 with the place",
              f"{status}\n{output}")
        equal(sip.verdict(a, b, daemon.address, BLOCKED), 486, "nothing changed")
        site.write("rules.yaml", BETTER)
        status, output = daemon.cli("reload")
        equal(status, 0, "ringfence reload: 0 when it took effect")
        equal(sip.verdict(a, b, daemon.address, BLOCKED), 603, "it did")

        daemon.settings["trunks"] = [daemon.settings["trunks"][0]]
        daemon.write()
        status, output = daemon.cli("reload")
        check(status == 1 and "core" in output, "a route to a trunk that is gone is refused", output)
        daemon.settings["listen"] = [{"address": f"{site.address(77)}:5060"}]
        daemon.write()
        status, output = daemon.cli("reload")
        check(status == 1, "so are other listen addresses", output)
        equal(sip.verdict(a, b, daemon.address, BLOCKED), 603, "the old configuration stays")
        daemon.stop()
        status, output = daemon.cli("reload")
        check(status not in (0, 1), "without a daemon: neither 0 nor 1", f"{status} {output}")


@case("trunks come and go")
def trunks():
    with Site() as site:
        daemon = Daemon(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        moved, new = sip.Endpoint(site, 50), sip.Endpoint(site, 51)
        caller = sip.Caller(a, daemon.address)
        callee, _ = sip.talk(caller, b)
        daemon.settings["trunks"][1]["targets"] = [f"{moved.hostport}"]
        daemon.settings["trunks"][1]["sources"].append(moved.address[0])
        daemon.settings["trunks"].append({"name": "new", "sources": [new.address[0]],
                                          "targets": [new.hostport]})
        daemon.write()
        equal(daemon.cli("reload")[0], 0, "trunks changed")
        sip.Caller(new, daemon.address).call()
        check(moved.expect("INVITE"), "a new trunk's call goes to the new target")
        equal(sip.hang_up(caller, b).status, 200, "a call under way ends where it began")
        del daemon.settings["trunks"][-1]
        daemon.write()
        equal(daemon.cli("reload")[0], 0, "the new trunk is gone")
        settle(0.1)
        new.drain()
        sip.Caller(new, daemon.address).call()
        check(new.silent(0.3) is None, "and met with silence")
        daemon.stop()


@case("wrong YAML never starts")
def never_starts():
    with Site() as site:
        daemon = Daemon(site, start=False, rules=BROKEN)
        status, output = site.run([checks.program("ringfenced"), "-c", daemon.config_path])
        check(status == 1 and "rules.yaml:3:49" in output, "a broken rule file", output)
        for text, change in (("an unknown key", {"wrokers": 2}),
                             ("a bad value", {"workers": "many"}),
                             ("608 before its time", {"screening": {"block_with": "608"}})):
            daemon.settings = {**daemon.settings, "rules": [], **change}
            daemon.write()
            status, output = site.run([checks.program("ringfenced"), "-c", daemon.config_path])
            check(status == 1 and f"{daemon.name}.yaml:" in output, f"{text}: status 1", output)
            for key in change:
                daemon.settings.pop(key)


checks.main(limit=60)
