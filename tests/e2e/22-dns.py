#!/usr/bin/env python3
"""Trunks by name against DNS servers: what calls get when they are right, dead, slow or lying."""

import collections
import struct
import time

from lib import calls, checks, names, sip
from lib.checks import case, check, equal
from lib.daemon import CALLEE, CALLER, Daemon, trunk
from lib.site import Site, settle

SERVER = 53
SECOND_CALLEE = 5
NUMBER = "+861065551234"


def named(site, target="sip:carrier.example", **more):
    core = trunk("core", site.address(CALLEE), trusted=True, **more)
    core["sources"].append(site.address(SECOND_CALLEE))
    core["targets"] = target if isinstance(target, list) else [target]
    return [trunk("carrier", site.address(CALLER)), core]


def daemon_of(site, target="sip:carrier.example", dns=None, **changes):
    settings = {"servers": [f"{site.address(SERVER)}:{names.PORT}"], "timeout": "200ms",
                "min_ttl": "1s", "start_wait": "1s", **(dns or {})}
    return Daemon(site, trunks=named(site, target), dns=settings, **changes)


def name_of(daemon):
    """The resolution of the trunk's first name as `status` shows it."""
    core = next(row for row in daemon.status()["trunks"] if row["name"] == "core")
    return core["names"][0]


def addresses(daemon):
    return [row["address"] for row in name_of(daemon)["targets"]]


def zone(site):
    return [f"a A {site.address(CALLEE)}", f"b A {site.address(SECOND_CALLEE)}",
            "_sip._udp SRV 10 1 5060 a", "_sip._udp SRV 20 1 5060 b",
            '@ NAPTR 10 50 "s" "SIP+D2U" "" _sip._udp']


@case("NAPTR, SRV and A of a real server")
def real():
    with Site() as site:
        server = names.Nsd(site, site.address(SERVER), "carrier.example", zone(site)).start()
        daemon = daemon_of(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        outcome = calls.fate(daemon, NUMBER, a, b)
        check(calls.passed(outcome), "the first call after the start finds its way", outcome)
        equal(outcome.uri, f"sip:{NUMBER}@carrier.example",
              "the Request-URI that named us shows the trunk's name")
        found = name_of(daemon)
        equal([(row["address"], row["transport"], row["priority"]) for row in found["targets"]],
              [(f"{site.address(CALLEE)}:5060", "udp", 0),
               (f"{site.address(SECOND_CALLEE)}:5060", "udp", 2)],
              "status shows the targets in their order")
        equal((found["name"], found["state"]), ("sip:carrier.example", "fresh"), "and their state")

        # Records that change take effect without a reload, within their TTL of a second.
        c = sip.Endpoint(site, SECOND_CALLEE)
        server.change([line.replace("SRV 20", "SRV 5") for line in zone(site)])
        other = f"{site.address(SECOND_CALLEE)}:5060"
        checks.wait_for(lambda: addresses(daemon)[0] == other, 5,
                        "a changed SRV record is seen within its TTL")
        calls.expect_fate(daemon, NUMBER, a, c, "passed", "and moves calls")
        check(daemon.total("dns_changes") >= 2, "changes are counted")

        # A call that stays with an address that DNS has dropped goes on.
        server.change([line for line in zone(site) if not line.startswith("_sip._udp SRV 20")])
        checks.wait_for(lambda: addresses(daemon) == [f"{site.address(CALLEE)}:5060"], 5,
                        "a record that is gone is forgotten")
        asked = daemon.total("dns_queries")
        begun = time.monotonic()
        slowest = 0
        for _ in range(40):
            placed = time.monotonic()
            calls.fate(daemon, NUMBER, a, b)
            slowest = max(slowest, time.monotonic() - placed)
            time.sleep(0.08)
        check(slowest < 0.1 * checks.SLOW, f"over {time.monotonic() - begun:.1f} s of expiring "
              f"records no call waited for DNS ({slowest * 1000:.0f} ms at most, "
              f"{daemon.total('dns_queries') - asked} questions)")
        daemon.stop()


@case("a dialog outlives the address that it is at")
def former():
    with Site() as site:
        server = names.Nsd(site, site.address(SERVER), "carrier.example",
                           [f"@ A {site.address(CALLEE)}"]).start()
        daemon = daemon_of(site, "carrier.example:5060")
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        caller = sip.Caller(a, daemon.address)
        caller.call()
        callee = sip.Callee(b, b.expect("INVITE"))
        callee.answer(200, "OK")
        caller.establish(caller.expect(200))
        caller.ack()
        b.expect("ACK")
        server.change([f"@ A {site.address(SECOND_CALLEE)}"])
        checks.wait_for(lambda: addresses(daemon) == [f"{site.address(SECOND_CALLEE)}:5060"], 5,
                        "the name moves to another address")
        caller.within("INFO", body=b"dtmf")
        info = b.expect("INFO")
        check(info is not None, "a request of the dialog goes where the dialog is")
        daemon.stop()


@case("weights and priorities")
def weights():
    with Site() as site:
        names.Nsd(site, site.address(SERVER), "carrier.example",
                  [f"a A {site.address(CALLEE)}", f"b A {site.address(SECOND_CALLEE)}",
                   "_sip._udp SRV 10 30 5060 a", "_sip._udp SRV 10 70 5060 b"]).start()
        daemon = daemon_of(site)
        a = sip.Endpoint(site, CALLER)
        ends = [sip.Endpoint(site, CALLEE), sip.Endpoint(site, SECOND_CALLEE)]
        won = collections.Counter()
        for _ in range(200):
            sip.Caller(a, daemon.address, NUMBER).call()
        deadline = time.monotonic() + 3 * checks.SLOW
        seen = set()
        while len(seen) < 200 and time.monotonic() < deadline:
            for index, end in enumerate(ends):
                message = end.receive(0.01)
                if message is None or message.method != "INVITE":
                    continue
                if message.header("Call-ID") not in seen:
                    seen.add(message.header("Call-ID"))
                    won[index] += 1
        equal(len(seen), 200, "all calls arrive")
        check(100 <= won[1] <= 175, f"by their weights of 30 and 70: {won[0]} and {won[1]}")
        daemon.kill()


@case("targets of the configuration by priority and weight")
def configured():
    with Site() as site:
        names.Nsd(site, site.address(SERVER), "carrier.example",
                  ["gone A 192.0.2.1"]).start()
        daemon = daemon_of(site, ["sip:nowhere.carrier.example",
                                  {"target": site.address(CALLEE), "priority": 1}])
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        outcome = calls.fate(daemon, NUMBER, a, b)
        check(calls.passed(outcome),
              "a name that does not exist leaves the calls to the next priority", outcome)
        equal(name_of(daemon)["state"], "unresolved", "status says so")
        daemon.stop()


@case("the server is dead at the start, comes, and goes")
def dead():
    with Site() as site:
        server = names.Nsd(site, site.address(SERVER), "carrier.example", zone(site))
        begun = time.monotonic()
        daemon = daemon_of(site, dns={"stale": "4s"})
        check(time.monotonic() - begun < 5 * checks.SLOW, "the daemon starts without DNS")
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        calls.expect_fate(daemon, NUMBER, a, b, 503, "a call gets 503 while nothing is known")
        equal(daemon.total("unresolved"), 1, "counted")
        found = name_of(daemon)
        check(found["state"] == "unresolved" and found["problem"],
              f"status says why: {found.get('problem')}")
        server.start()
        calls.fate_within(daemon, NUMBER, a, b, "passed", 12, "calls pass once the server is there")
        server.stop()
        checks.wait_for(lambda: name_of(daemon)["state"] == "stale", 6,
                        "the server dies: the records are kept beyond their time")
        calls.expect_fate(daemon, NUMBER, a, b, "passed", "and calls pass")
        check(daemon.total("dns_stale") >= 1, "counted")
        checks.wait_for(lambda: name_of(daemon)["state"] == "unresolved", 9,
                        "but not for ever (4 s here)")
        calls.expect_fate(daemon, NUMBER, a, b, 503, "then calls get 503 again")
        log = daemon.log()
        check("keeps" in log and "resolves to nothing" in log, "the log tells of both")
        daemon.stop()


@case("a trunk that a reload brings is warm when it comes")
def reloaded():
    with Site() as site:
        names.Nsd(site, site.address(SERVER), "carrier.example", zone(site)).start()
        daemon = daemon_of(site, [site.address(CALLEE)])
        daemon.settings["trunks"] = named(site)
        daemon.write()
        daemon.reload()
        checks.wait_for(lambda: "names" in daemon.status()["trunks"][1], 5, "the reload is done")
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        calls.expect_fate(daemon, NUMBER, a, b, "passed", "the first call passes")
        daemon.settings["trunks"][1]["targets"] = ["sip:carrier..example"]
        daemon.write()
        status, output = daemon.cli("reload")
        check(status != 0 and "carrier..example" in output, "a name that is none is refused",
              output)
        daemon.stop()


def truthful(site, query):
    name, kind, _ = names.question_of(query)
    if (name, kind) == ("_sip._udp.carrier.example", "SRV"):
        return [names.srv(name, 0, 1, 5060, "a.carrier.example")]
    if (name, kind) == ("a.carrier.example", "A"):
        return [names.a(name, site.address(CALLEE))]
    return []


def slow(site, query, _tcp):
    time.sleep(0.25)  # longer than the time-out of a first round
    return [names.reply(query, truthful(site, query))]


def wrong_ids(site, query, _tcp):
    good = names.reply(query, truthful(site, query))
    forged = names.reply(query, [names.a(names.question_of(query)[0], "192.0.2.66")])
    lies = [struct.pack(">H", (query[0] << 8 | query[1]) ^ (1 << bit)) + forged[2:]
            for bit in range(16)]
    return lies + [good]


def wrong_question(site, query, _tcp):
    other = query[:12] + names.encode("evil.example") + struct.pack(">2H", 1, 1)
    return [names.reply(other, [names.a("evil.example", "192.0.2.66")]),
            names.reply(query, truthful(site, query))]


def truncated(site, query, tcp):
    if not tcp:
        return [names.reply(query, flags=0x8380)]
    return [names.reply(query, truthful(site, query))]


def huge(site, query, tcp):
    if not tcp:
        return [names.reply(query, flags=0x8380)]
    name, kind, _ = names.question_of(query)
    if kind == "A":
        return [names.reply(query, truthful(site, query) * 200)]
    if kind == "SRV":
        return [names.reply(query, truthful(site, query) * 400)]
    return [names.reply(query)]


def garbage(_site, query, _tcp):
    return [query[:2], b"", bytes(range(256)), query[:2] + b"\x81\x80" + b"\xff" * 500,
            names.reply(query)[:15]]


def silent(_site, _query, _tcp):
    return []


def failing(_site, query, _tcp):
    return [names.reply(query, rcode=2)]


def cname_loop(_site, query, _tcp):
    name, kind, _ = names.question_of(query)
    if kind == "NAPTR":
        return [names.reply(query)]
    other = "x." + name if not name.startswith("x.") else name[2:]
    return [names.reply(query, [names.record(name, "CNAME", 1, names.encode(other))])]


def cname_loop_inside(_site, query, _tcp):
    name, _, _ = names.question_of(query)
    return [names.reply(query, [names.record(name, "CNAME", 1, names.encode("x." + name)),
                                names.record("x." + name, "CNAME", 1, names.encode(name))])]


def srv_to_itself(_site, query, _tcp):
    name, kind, _ = names.question_of(query)
    return [names.reply(query, [names.srv(name, 0, 1, 5060, name)] if kind == "SRV" else [])]


def unasked(_site, query, _tcp):
    """Records of another name beside none of the one asked for."""
    return [names.reply(query, [names.a("other.example", "192.0.2.66")])]


@case("servers that are slow or lie: calls get through by what is true")
def liars():
    for behaviour in (slow, wrong_ids, wrong_question, truncated, huge):
        with Site() as site:
            liar = names.Liar(site, site.address(SERVER),
                              lambda query, tcp, site=site, act=behaviour: act(site, query, tcp))
            daemon = daemon_of(site, dns={"timeout": "200ms", "tries": 3})
            a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
            calls.fate_within(daemon, NUMBER, a, b, "passed", 8,
                              f"{behaviour.__name__}: the call arrives")
            check(all("192.0.2.66" not in address for address in addresses(daemon)),
                  f"{behaviour.__name__}: nothing false is believed", addresses(daemon))
            if behaviour in (truncated, huge):
                check(any(kind == "tcp" for kind, *_ in liar.seen),
                      f"{behaviour.__name__}: asked again by TCP")
            daemon.stop()


@case("servers that never tell the truth: 503, and the daemon stays well")
def hopeless():
    for behaviour in (garbage, silent, failing, cname_loop, cname_loop_inside, srv_to_itself,
                      unasked):
        with Site() as site:
            liar = names.Liar(site, site.address(SERVER),
                              lambda query, tcp, site=site, act=behaviour: act(site, query, tcp))
            daemon = daemon_of(site, dns={"timeout": "100ms", "tries": 2})
            a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
            checks.wait_for(lambda daemon=daemon: name_of(daemon)["state"] == "unresolved", 5)
            calls.expect_fate(daemon, NUMBER, a, b, 503, f"{behaviour.__name__}: 503, "
                              f"\"{name_of(daemon).get('problem')}\"")
            asked = len(liar.seen)
            settle(1)
            check(len(liar.seen) - asked < 60, f"{behaviour.__name__}: and no storm of questions "
                  f"({len(liar.seen) - asked} in a second)")
            daemon.stop()


@case("what was known survives a server that begins to lie")
def turncoat():
    with Site() as site:
        liar = names.Liar(site, site.address(SERVER),
                          lambda query, tcp: [names.reply(query, truthful(site, query))])
        daemon = daemon_of(site, dns={"timeout": "100ms", "tries": 1})
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        calls.expect_fate(daemon, NUMBER, a, b, "passed", "while it tells the truth calls pass")
        for behaviour in (failing, garbage, cname_loop_inside, silent):
            liar.answer = lambda query, tcp, act=behaviour: act(site, query, tcp)
            checks.wait_for(lambda: name_of(daemon)["state"] == "stale", 5,
                            f"{behaviour.__name__}: what was known is kept")
            calls.expect_fate(daemon, NUMBER, a, b, "passed", f"{behaviour.__name__}: calls pass")
            liar.answer = lambda query, tcp: [names.reply(query, truthful(site, query))]
            checks.wait_for(lambda: name_of(daemon)["state"] == "fresh", 40,
                            f"{behaviour.__name__}: and is fresh again when it comes round")
        daemon.stop()


checks.main(limit=170)
