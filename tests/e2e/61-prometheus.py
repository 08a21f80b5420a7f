#!/usr/bin/env python3
"""A real Prometheus scrapes the daemon; the alerts of conf/prometheus pass their own tests, load, and
fire; alerts and dashboard ask for nothing that there is not."""

import json
import os
import re
import shutil
import urllib.parse
import urllib.request

from lib import checks, metrics, sip
from lib.calls import fate
from lib.checks import TOP, case, check, equal, wait_for
from lib.daemon import CALLEE, CALLER, DAEMON, Daemon
from lib.site import Process, Site

CONF = os.path.join(TOP, "conf/prometheus")
DASHBOARD = os.path.join(TOP, "conf/grafana/ringfence.json")
MONITOR = 20
RULES = """
rules:
  - id: loud
    when: caller.number starts_with "+8617"
    score: 90
policy:
  - {at: 90, do: block}
"""


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Prometheus:
    """One that listens on the site's block of loopback only and keeps its data in its folder."""

    def __init__(self, site, rules, target):
        if shutil.which("prometheus") is None:
            raise checks.Skip("prometheus is not installed")
        self.url = f"http://{site.address(MONITOR)}:9090"
        site.write("prometheus/alerts.yaml", rules)
        config = site.write("prometheus/prometheus.yaml", re.sub(
            r"interval: 10s", "interval: 250ms", read(f"{CONF}/prometheus.yaml")).replace(
                "127.0.0.1:9560", target))
        self.process = Process(site, "prometheus", [
            "prometheus", f"--config.file={config}", f"--web.listen-address={self.url[7:]}",
            f"--storage.tsdb.path={site.path('tsdb')}", "--log.level=warn"])

    def get(self, path, **query):
        """The data of an answer of the API; None when there is none."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=5 * checks.SLOW) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def value(self, expression):
        """Of the first series; None when there is none."""
        data = self.get("query", query=expression)
        return float(data["result"][0]["value"][1]) if data and data["result"] else None

    def firing(self):
        data = self.get("alerts") or {"alerts": []}
        return {alert["labels"]["alertname"] for alert in data["alerts"]
                if alert["state"] == "firing"}


def without_waiting(rules):
    """The alerts as they are shipped, but for how long a state must last."""
    return re.sub(r"^( +)for: \w+$", r"\1for: 1s", rules, flags=re.M)


@case("the alerts pass their own tests")
def own_tests():
    with Site() as site:
        if shutil.which("promtool") is None:
            raise checks.Skip("promtool is not installed (Debian: prometheus)")
        for arguments in (("check", "config", f"{CONF}/prometheus.yaml"),
                          ("check", "rules", f"{CONF}/alerts.yaml"),
                          ("test", "rules", f"{CONF}/alerts.test.yaml")):
            status, output = site.run(["promtool", *arguments], 30)
            equal(status, 0, " ".join(["promtool", *arguments[:2], os.path.basename(arguments[2])]))
            if status != 0:
                print(output)
        tested = set(re.findall(r"alertname(?:=\"|: )(\w+)", read(f"{CONF}/alerts.test.yaml")))
        equal(set(re.findall(r"alert: (\w+)", read(f"{CONF}/alerts.yaml"))) - tested, set(),
              "each alert has a test")


@case("alerts and dashboard ask for what there is")
def known():
    with Site() as site:
        parse_open, _ = metrics.parsers()
        daemon = Daemon(site, rules=RULES, metrics={"listen": f"{site.address(DAEMON)}:9560"})
        _, _, text = metrics.get((site.address(DAEMON), 9560), Accept=metrics.OPENMETRICS)
        there = {sample.name: set(sample.labels) for family in parse_open(text)
                 for sample in family.samples}
        dashboard = json.loads(read(DASHBOARD))
        expressions = [target["expr"] for panel in dashboard["panels"]
                       for target in panel.get("targets", [])]
        check(len(expressions) > 30, f"{len(expressions)} expressions in the dashboard")
        asked = re.findall(r"\bringfence_\w+", " ".join(expressions) + read(f"{CONF}/alerts.yaml"))
        equal(set(asked) - set(there), set(), f"{len(set(asked))} metrics are all there")
        wrong = [(name, label) for expression in expressions
                 for label in re.findall(r"by \((\w+)\)", expression)
                 for name in re.findall(r"ringfence_\w+", expression)
                 if label not in there[name] | {"instance"}]
        equal(wrong, [], "with the labels that are asked for")
        daemon.stop()


@case("a real Prometheus")
def real():
    with Site() as site:
        daemon = Daemon(site, rules=RULES, metrics={"listen": f"{site.address(DAEMON)}:9560"},
                        reputation={"store": "redis", "socket": site.path("no-redis.sock")})
        monitor = Prometheus(site, without_waiting(read(f"{CONF}/alerts.yaml")),
                             f"{site.address(DAEMON)}:9560")
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        for _ in range(10):
            fate(daemon, "+8617000000001", a, b)
        fate(daemon, "+8613911112222", a, b)
        wait_for(lambda: monitor.value('ringfence_rules_total{rule="loud"}') == 10, 20,
                 "it scrapes, and knows of the ten calls that a rule blocked")
        wait_for(lambda: (monitor.value("ringfence_calls_total"), monitor.value("up"), monitor.value(
            'ringfence_build_info{version="0.1.0"}')) == (11, 1, 1), 5, "and of all")
        check((monitor.value("histogram_quantile(0.5, ringfence_screening_seconds_bucket)") or 0)
              > 0, "histograms have quantiles")
        kinds = monitor.get("metadata")
        equal([kinds[name][0]["type"] for name in ("ringfence_calls", "ringfence_calls_held",
                                                   "ringfence_screening_seconds")],
              ["counter", "gauge", "histogram"], "types are known, as OpenMetrics has them")
        groups = monitor.get("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        wait_for(lambda: all(rule["health"] == "ok" for group in monitor.get("rules")["groups"]
                             for rule in group["rules"]), 5, f"{len(rules)} alerts are evaluated")
        wait_for(lambda: {"RingfenceReputationUnreachable", "RingfenceReputationNotLoaded"} <=
                 monitor.firing(), 10, "without Redis two of them fire")
        rules_path = daemon.settings["rules"][0]
        site.write(os.path.basename(rules_path), "rules: [{id: 1")
        daemon.reload()
        wait_for(lambda: "RingfenceReloadFailed" in monitor.firing(), 10, "a bad reload fires one")
        site.write(os.path.basename(rules_path), RULES)
        daemon.reload()
        wait_for(lambda: "RingfenceReloadFailed" not in monitor.firing(), 10,
                 "a good one ends it")
        daemon.stop()
        wait_for(lambda: "RingfenceDown" in monitor.firing(), 10, "the daemon's end fires another")


checks.main(limit=60)
