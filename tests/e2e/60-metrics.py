#!/usr/bin/env python3
"""/metrics (docs/metrics.md): both formats by the parsers of prometheus_client, the same figures as
on the stats socket, and scrapers that are slow, many or wrong."""

import os
import re
import socket
import stat
import threading

from lib import checks, metrics, sip
from lib.calls import expect_fate, fate
from lib.checks import TOP, case, check, equal, wait_for
from lib.daemon import CALLEE, CALLER, DAEMON, Daemon
from lib.site import Site

RULES = """
rules:
  - id: loud
    when: caller.number starts_with "+8617"
    score: 90
    type: spam
policy:
  - {at: 90, do: block}
"""
SPAM = "+8617000000001"
CLEAN = "+8613911112222"
CLIENTS = 4


def start(site, **more):
    return Daemon(site, rules=RULES, metrics={"listen": f"{site.address(DAEMON)}:9560",
                                              "socket": site.path("metrics.sock"),
                                              "clients": CLIENTS, **more})


def place(site):
    return (site.address(DAEMON), 9560)


@case("both formats")
def formats():
    with Site() as site:
        parse_open, parse_older = metrics.parsers()
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        expect_fate(daemon, SPAM, a, b, 603, "a call is blocked")
        fate(daemon, CLEAN, a, b)
        status, header, text = metrics.get(place(site), Accept=metrics.OPENMETRICS)
        equal((status, header["Content-Type"]),
              (200, "application/openmetrics-text; version=1.0.0; charset=utf-8"), "OpenMetrics")
        families = parse_open(text)
        check(len(families) > 60, f"{len(families)} families parse")
        check(text.endswith("# EOF\n"), "up to # EOF")
        status, header, text = metrics.get(place(site))
        equal((status, header["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"),
              "the older format for who does not ask")
        older = parse_older(text)
        known, seen = metrics.samples(older), metrics.samples(families)
        equal(sorted(seen), sorted(known), "has the same samples")
        expected = {("ringfence_calls_total",): 2, ("ringfence_verdicts_total", "block"): 1,
                    ("ringfence_verdicts_total", "allow"): 1, ("ringfence_rules_total", "loud"): 1,
                    ("ringfence_types_total", "spam"): 1, ("ringfence_types_total", "other"): 0,
                    ("ringfence_trunk_blocked_total", "carrier"): 1,
                    ("ringfence_trunk_blocked_total", "core"): 0,
                    ("ringfence_screening_seconds_count",): 2,
                    ("ringfence_screening_seconds_bucket", "+Inf"): 2,
                    ("ringfence_rules_loaded",): 1, ("ringfence_reload_failed",): 0,
                    ("ringfence_workers",): 2, ("ringfence_build_info", "0.1.0", "ringfence"): 1}
        equal({key: seen.get(key) for key in expected}, expected, "with what was counted")
        daemon.stop()


def documented():
    """{name: type} of the table in docs/metrics.md."""
    with open(os.path.join(TOP, "docs/metrics.md"), encoding="utf-8") as file:
        return dict(re.findall(r"^\| `(ringfence_\w+)` \| (\w+) \|", file.read(), re.M))


@case("names and types")
def names():
    with Site() as site:
        parse_open, _ = metrics.parsers()
        daemon = start(site)
        _, _, text = metrics.get(place(site), Accept=metrics.OPENMETRICS)
        families = parse_open(text)
        suffix = {"counter": "_total", "info": "_info"}
        equal({family.name + suffix.get(family.type, ""): family.type for family in families},
              documented(), "are those of docs/metrics.md")
        equal([f.name for f in families if f.unit and not f.name.endswith("_" + f.unit)], [],
              "units end the names")
        equal([f.name for f in families if not f.documentation], [], "each has its help")
        daemon.stop()


@case("the same figures as on the stats socket")
def agree():
    with Site() as site:
        parse_open, _ = metrics.parsers()
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        for number in range(20):
            fate(daemon, SPAM if number % 3 == 0 else CLEAN, a, b)
        daemon.wait_quiet(5)
        counts = daemon.counts()
        _, _, text = metrics.get(place(site), Accept=metrics.OPENMETRICS)
        seen = metrics.samples(parse_open(text))
        totals = {name: seen.get((f"ringfence_{name}_total",)) for name in counts["totals"]}
        equal(totals, counts["totals"], f"{len(totals)} counters agree")
        wrong = {}
        for name, family in counts["families"].items():
            sample = f"ringfence_{re.sub('_ns$', '_seconds', name)}_total"
            scale = 1e9 if name.endswith("_ns") else 1
            for label, value in family["totals"].items():
                if round(seen.get((sample, label), -1) * scale) != value:
                    wrong[name, label] = value
        equal(wrong, {}, "and all labels")
        equal({name: seen[f"ringfence_{name}_seconds_count",] for name in counts["latency_ns"]},
              {name: row["totals"]["count"] for name, row in counts["latency_ns"].items()},
              "and histograms")
        daemon.stop()


@case("a socket instead of a port")
def unix():
    with Site() as site:
        daemon = Daemon(site, metrics={"socket": site.path("metrics.sock"), "mode": "0640"})
        path = site.path("metrics.sock")
        mode = os.stat(path).st_mode
        equal((stat.S_ISSOCK(mode), stat.S_IMODE(mode)), (True, 0o640), "a socket of mode 0640")
        status, _, text = metrics.get(path)
        check(status == 200 and "ringfence_calls_total 0\n" in text, "it serves the page", text)
        daemon.stop()
        check(not os.path.exists(path), "and is gone with the daemon")


@case("health")
def health():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        equal(metrics.get(place(site), "/healthz")[::2], (200, "ok\n"), "200 while calls are taken")
        caller = sip.Caller(a, daemon.address, CLEAN).call()
        b.expect("INVITE")
        daemon.process.signal(15)
        wait_for(lambda: metrics.get(place(site), "/healthz")[::2] == (503, "draining\n"), 1,
                 "503 while the daemon drains")
        caller.cancel()
        daemon.stop()


def talk(site, data, seconds=5):
    """What comes back until the other end closes; None when it does not."""
    with socket.create_connection(place(site), timeout=seconds * checks.SLOW) as link:
        try:
            link.sendall(data)
            answer = b""
            while read := link.recv(65536):
                answer += read
        except socket.timeout:
            return None
        except ConnectionError:
            return answer
    return answer


@case("what a scraper may not")
def wrong():
    with Site() as site:
        daemon = start(site)
        equal(metrics.get(place(site), "/")[0], 404, "another path: 404")
        for method in ("POST", "PUT", "DELETE", "HEAD"):
            check(metrics.get(place(site), method=method)[0] in (405, 501),
                  f"{method} is refused")
        answer = talk(site, b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 20000 + b"\r\n\r\n")
        check(answer is not None and b"ringfence_calls" not in answer,
              "a header of 20 kB gets no page", answer)
        for text in (b"\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x00\xa5\x01\x00", b"\xff" * 9000,
                     b"GET /metrics HTTP/9.9\r\n\r\n", b"GET /%00%ff HTTP/1.1\r\n\r\n",
                     b"GET /metrics HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
                     b"POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n"):
            link = socket.create_connection(place(site), timeout=5 * checks.SLOW)
            link.sendall(text)
            link.close()
        equal(metrics.get(place(site))[0], 200, "after nonsense the next one is served")
        answer = talk(site, b"GET /metrics HTTP/1.0\r\n\r\n")
        check(answer and answer.startswith(b"HTTP/1.0 200"), "HTTP/1.0 is enough", answer)
        daemon.stop()


def accepted(site):
    """Connections that the daemon has accepted: those that wait in the backlog have no inode."""
    address = "".join(f"{int(part):02X}" for part in reversed(site.address(DAEMON).split(".")))
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table]
    return sum(row[1] == f"{address}:{9560:04X}" and row[3] != "0A" and row[9] != "0"
               for row in rows[1:])


@case("slow and many scrapers")
def slow():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        mute = [socket.create_connection(place(site), timeout=5 * checks.SLOW)
                for _ in range(CLIENTS)]
        wait_for(lambda: accepted(site) == CLIENTS, 3, f"{CLIENTS} are connected")
        more = [socket.create_connection(place(site), timeout=5 * checks.SLOW) for _ in range(20)]
        for link in more:
            link.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
        expect_fate(daemon, SPAM, a, b, 603, "a call is judged meanwhile")
        equal(accepted(site), CLIENTS, "20 more have to wait")
        mute.pop().close()
        check(all(link.recv(4096).startswith(b"HTTP/1.1 200") for link in more),
              "in one's place all 20 get their answers, one after another")
        for link in mute + more:
            link.close()
        wait_for(lambda: accepted(site) == 0, 3, "nothing is left of them")
        outcomes = []
        threads = [threading.Thread(target=lambda: outcomes.extend(
            metrics.get(place(site))[0] for _ in range(10))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal(outcomes, [200] * 80, "80 pages for 8 scrapers at once")
        daemon.stop()


checks.main(limit=60)
