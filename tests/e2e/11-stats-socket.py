#!/usr/bin/env python3
# busy
"""The stats socket (docs/stats.md): hello, counts whose deltas add up, events, gaps, and readers
that are slow, mute, many or gone."""

import json
import os
import re
import socket
import stat
import threading
import time

from lib import checks, sip
from lib.calls import expect_fate, fate
from lib.checks import SANITIZE, case, check, equal, wait_for
from lib.control import Lines, Stats
from lib.daemon import CALLEE, CALLER, Daemon
from lib.site import Site, settle
from lib.sipp import T1_AS_IN_LIFE, Sipp, check_load

RULES = """
rules:
  - id: hint
    when: caller.number starts_with "+8617"
    score: 20
    type: spam
  - id: loud
    when: caller.number starts_with "+8617"
    score: 45
  - id: quiet
    when: caller.number starts_with "+86171"
    score: 90
    mode: shadow
  - id: whisper
    when: caller.number == "+8613100000001"
    score: 50
    mode: shadow
policy:
  - {at: 60, do: tag}
  - {at: 90, do: block}
"""

NUMBERS = """number,score,list,type,source,expires
+8613900000001,95,block,impersonation,desk,
"""

LISTED = "+8613900000001"
CLEAN = "+8613911112222"
RATE = 100 if SANITIZE else 400


def start(site, **changes):
    return Daemon(site, rules=RULES, reputation={"csv": site.write("numbers.csv", NUMBERS)},
                  **changes)


def path_of(daemon):
    return daemon.settings["stats"]["socket"]


@case("hello and counts")
def hello():
    with Site() as site:
        daemon = start(site)
        mode = os.stat(path_of(daemon)).st_mode
        equal((stat.S_ISSOCK(mode), stat.S_IMODE(mode)), (True, 0o660), "a socket of mode 0660")
        reader = Lines(path_of(daemon))
        first = reader.next(1)
        equal((first["kind"], first["schema"], first["product"], first["node"],
               first["interval_us"]), ("hello", 1, "ringfence", "ringfence", 1000000),
              "hello comes at once")
        check(re.fullmatch(r"\d{10}-[0-9a-f]{16}", first["epoch"]), "with an epoch", first)
        counts = [reader.next(2), reader.next(2)]
        equal([line and line["kind"] for line in counts], ["counts", "counts"],
              "counts follow unasked")
        equal([line["line"] for line in counts], [counts[0]["line"], counts[0]["line"] + 1],
              "numbered")
        check(900000 < counts[1]["interval_us"] < 1500000 * checks.SLOW, "once a second",
              counts[1]["interval_us"])
        expect_fate(daemon, LISTED, sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE), 603,
                    "a call is blocked")
        after = reader.next(2)
        equal((after["totals"]["calls"], after["deltas"]["calls"]), (1, 1), "and counted")
        equal(after["families"]["trunk_blocked"]["deltas"], {"carrier": 1}, "by its trunk")
        equal(after["kind"], "counts", "no event was asked for")
        daemon.kill()
        daemon.start()
        again = Lines(path_of(daemon)).next(1)
        check(again["epoch"] != first["epoch"], "another life has another epoch")
        daemon.stop()


def difference(new, old):
    return {key: value - old.get(key, 0) for key, value in new.items() if value != old.get(key, 0)}


def without_zero(values):
    return {key: value for key, value in values.items() if value != 0}


@case("deltas add up")
def deltas():
    with Site() as site:
        daemon = start(site, limits=T1_AS_IN_LIFE)
        reader = daemon.stats(interval="100ms")
        lines = [reader.counts()]
        server = Sipp(site, "uas", "uas", site.address(CALLEE))
        calls = RATE * 3
        client = Sipp(site, "uac", "uac", site.address(CALLER), "-r", RATE, "-m", calls,
                      remote=daemon.address)
        held = 0
        while client.process.running() and (line := reader.counts()):
            lines.append(line)
            held = max(held, line["gauges"]["calls_held"])
        check_load(client, 20, calls, f"{calls} calls at {RATE} a second")
        daemon.wait_quiet(5)
        settle(0.5)
        while (line := reader.counts()) and line["deltas"]["datagrams_sent"] > 0:
            lines.append(line)
        lines.append(line)
        pairs = list(zip(lines, lines[1:]))
        check(len(pairs) > 20, f"{len(lines)} lines")
        equal({new["line"] - old["line"] for old, new in pairs}, {1}, "none is missing")
        check(all(without_zero(new["deltas"]) == difference(new["totals"], old["totals"])
                  for old, new in pairs), "deltas are the difference of totals")
        check(all(new["families"][name]["deltas"] ==
                  difference(new["families"][name]["totals"], old["families"][name]["totals"])
                  for old, new in pairs for name in new["families"]),
              "of every family, too")
        check(all(value >= old["totals"][name] for old, new in pairs
                  for name, value in new["totals"].items()), "totals never go back")
        for name in ("screening", "forwarding"):
            equal(sum(line["latency_ns"][name]["deltas"]["count"] for line in lines), calls,
                  f"each call's {name} was measured once")
        last = lines[-1]
        timed = last["latency_ns"]["stage_scan"]["totals"]["count"]
        messages = last["totals"]["datagrams_received"]
        check(0 <= timed - messages / 61 <= 2, "of one message in 61 the stages are timed", timed)
        quantiles = last["latency_ns"]["forwarding"]["totals"]
        check(0 < quantiles["p50"] <= quantiles["p99"] <= quantiles["p999"],
              f"half of the calls went on within {quantiles['p50'] / 1000:.0f} us", quantiles)
        totals, families = last["totals"], last["families"]
        equal((totals["calls"], totals["calls_answered"], totals["calls_ended"],
               totals["calls_ended_bye"]), (calls,) * 4, "calls, answered and ended agree")
        equal({name: families[name]["totals"] for name in
               ("verdicts", "trunk_calls_in", "trunk_calls_out", "trunk_answered")},
              {"verdicts": {"allow": calls}, "trunk_calls_in": {"carrier": calls},
               "trunk_calls_out": {"core": calls}, "trunk_answered": {"core": calls}},
              "so do the families")
        # INVITE, ACK and BYE; 180 and 200 of the INVITE, 200 of the BYE.
        equal((totals["requests"] - totals["retransmissions_in"], totals["malformed"]
               if "malformed" in totals else 0), (3 * calls, 0), "requests are counted")
        check(totals["datagrams_received"] == totals["requests"] + totals["responses"],
              "every datagram is a request or a response", totals)
        check(held > 0, f"up to {held} calls were held")
        equal((last["gauges"]["calls_held"], last["gauges"]["transactions"]), (0, 0),
              "none is left")
        daemon.stop()


@case("events")
def events():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        reader = daemon.stats(events=True)
        fate(daemon, CLEAN, a, b)
        caller = sip.Caller(a, daemon.address, "013900000001", "01065551234").call()
        caller.ack_refusal(caller.expect(603))
        event = reader.event()
        version = daemon.status()["rules_version"]
        expected = {
            "event": "verdict", "node": "ringfence", "alert": None, "call_id": caller.call_id,
            "caller": {"raw": "013900000001", "number": LISTED, "country": "CN", "region": None,
                       "kind": "mobile"},
            "callee": {"raw": "01065551234", "number": "+861065551234", "country": "CN",
                       "region": "Beijing", "kind": "fixed"},
            "diverting": None, "trunk_in": "carrier", "trunk_out": None, "action": "block",
            "reason": "block", "type": "impersonation", "score": 100, "code": 603,
            "degraded": False, "would_have": False, "rules_fired": 0, "rules": [],
            "rules_version": version}
        equal({key: event.get(key) for key in expected}, expected,
              "a clean call makes no event, a blocked one does")
        check(event["screening_ns"] > 0 and event["epoch"] == reader.hello["epoch"] and
              event["id"].startswith(event["epoch"] + "-"), "with times and an id", event)

        fate(daemon, "+8617000000001", a, b,
             headers=["Diversion: <sip:+861065559999@example.net>;reason=unconditional"])
        event = reader.event()
        equal((event["action"], event["code"], event["score"], event["type"], event["reason"],
               event["trunk_out"], event["diverting"]),
              ("tag", 0, 65, "spam", "rules", "core", "+861065559999"), "a tagged call")
        equal(event["rules"], [{"id": "hint", "points": 20, "shadow": False},
                               {"id": "loud", "points": 45, "shadow": False}],
              "names its rules with their points")
        fate(daemon, "+8617100000001", a, b)
        event = reader.event()
        equal((event["action"], event["score"], [r["id"] for r in event["rules"] if r["shadow"]]),
              ("tag", 65, ["quiet"]), "a rule in the shadow is named and counts for nothing")
        fate(daemon, "+8613100000001", a, b)
        event = reader.event()
        equal((event["action"], event["would_have"], event["code"]), ("allow", True, 0),
              "alone it makes an event of a call that was not touched")

        odd = 'Dr "X" \\ \t<b>%\x1b[31m\udcff\u6b3a'
        caller = sip.Caller(a, daemon.address, LISTED)
        caller.call_id = 'a"\\b{}\'%0a@' + "y" * 200
        caller.invite = sip.request(a, "INVITE", caller.uri, caller.call_id, caller.from_value,
                                    caller.to_value, 1, caller.branch,
                                    [f"User-Agent: {odd}", f"Subject: {odd}"])
        caller.call()
        caller.ack_refusal(caller.expect(603))
        event = reader.event()
        check(event and event["call_id"].startswith("a\"\\b{"), "odd bytes leave as JSON", event)
        seen = {event["id"]}
        for _ in range(20):
            fate(daemon, LISTED, a, b)
            seen.add(reader.event()["id"])
        equal(len(seen), 21, "ids are unique")
        mute = daemon.stats(events=True)
        mute.send({"counts": False})
        settle(0.2)
        while (line := mute.next(0.2)) and line["kind"] == "counts":
            pass
        fate(daemon, LISTED, a, b)
        kinds = []
        while line := mute.next(0.5):
            kinds.append(line["kind"])
        equal(kinds, ["event"], "a reader may do without counts")
        equal(daemon.total("events_lost"), 0, "no event was lost")
        daemon.stop()


@case("what a reader says wrong")
def wrong():
    with Site() as site:
        daemon = start(site)
        reader = Stats(path_of(daemon), interval="1s")
        for text, words in (("nonsense", "JSON"), ("[]", "object"),
                            ('{"event":true}', 'did you mean \\"events\\"'),
                            ('{"events":1}', "true or false"),
                            ('{"interval":"1ms"}', "100ms"), ('{"interval":5}', "100ms")):
            reader.socket.sendall(text.encode() + b"\n")
            answer = reader.of_kind("error", 2)
            check(answer and words.replace("\\", "") in answer["message"],
                  f"{text}: the answer names \"{words}\"".replace("\\", ""), answer)
        check(reader.counts(3), "the reader reads on")
        reader.socket.sendall(b"x" * 5000)
        answer = reader.of_kind("error", 2)
        check(answer and "4096" in answer["message"], "a line without end is refused", answer)
        while reader.next(1):
            pass
        check(_is_closed(reader), "and the reader closed")
        half = Stats(path_of(daemon))
        half.socket.shutdown(socket.SHUT_WR)
        check(half.counts() and half.counts(), "who closes the sending side reads on")
        daemon.stop()
        while half.next(1):
            pass
        check(_is_closed(half), "up to the end of the daemon")


def _is_closed(reader):
    reader.socket.settimeout(2 * checks.SLOW)
    try:
        return reader.socket.recv(1) == b""
    except ConnectionError:
        return True
    except socket.timeout:
        return False


def _unaccounted(lines):
    """The counts lines whose number does not follow from the one before and the gaps between.
    How many came before the first of them is not known to the reader."""
    wrong, due = [], None
    for line in lines:
        if line["kind"] == "gap" and due is not None:
            due += line["missed_counts"]
        elif line["kind"] == "counts":
            if due is not None and line["line"] != due:
                wrong.append((line["line"], due))
            due = line["line"] + 1
    return wrong


@case("a slow reader")
def slow():
    with Site() as site:
        daemon = start(site, limits={"per_source": 100000}, events={"rate": 0})
        a = sip.Endpoint(site, CALLER)
        fast = daemon.stats(interval="1h", events=True)
        late = daemon.stats(interval="100ms", events=True)
        got = []

        def read():
            while line := fast.next(3):
                got.append(line)

        thread = threading.Thread(target=read)
        thread.start()
        blocked = 5000
        worst = 0
        for number in range(blocked // 50):
            batch = {c.call_id: c for c in (sip.Caller(a, daemon.address, LISTED)
                                            for _ in range(50))}
            begun = time.monotonic()
            for caller in batch.values():
                caller.call()
            while batch and (message := a.receive(2)) is not None:
                if message.status == 603 and message.header("Call-ID") in batch:
                    batch.pop(message.header("Call-ID")).ack_refusal(message)
            worst = max(worst, time.monotonic() - begun)
            if batch:
                break
            # Fast is who keeps up; this process places the calls, too.
            wait_for(lambda: len(got) >= 50 * number - 200, 5)
        thread.join()
        totals = daemon.counts()["totals"]
        equal((totals["calls"], totals["events_lost"]), (blocked, 0), f"{blocked} calls blocked")
        check(worst < 0.5 * checks.SLOW, "none of them had to wait for a reader", worst)
        equal(sum(line["kind"] == "event" for line in got), blocked,
              "a fast reader has every event")
        equal([line for line in got if line["kind"] == "gap"], [], "and no gap")

        lines = []
        while (line := late.next(1)) and len(lines) < 100000:
            lines.append(line)
            if line["kind"] == "counts" and line["totals"]["calls"] == blocked and \
                    any(before["kind"] == "gap" for before in lines):
                break
        seen = sum(line["kind"] == "event" for line in lines)
        gaps = [line for line in lines if line["kind"] == "gap"]
        missed = sum(line["missed_events"] for line in gaps)
        check(gaps and all(line["missed"] == line["missed_events"] + line["missed_counts"]
                           for line in gaps), "a slow one is told of its gap", gaps)
        equal(seen + missed, blocked, f"{seen} events and a gap of {missed} are all there were")
        equal(_unaccounted(lines), [], "the same of counts")
        equal(lines[-1]["totals"]["calls"], blocked, "the counts after the gap have everything")
        fate(daemon, LISTED, a, sip.Endpoint(site, CALLEE))
        check(late.event(3), "then it goes on")
        daemon.stop()


@case("readers that are dead, many, or gone")
def readers():
    with Site() as site:
        daemon = start(site, stats={"clients": 3, "queue": "64K", "stalled": "1s",
                                    "socket": site.path("stats.sock"), "interval": "100ms"})
        first = [Lines(path_of(daemon)) for _ in range(3)]
        for reader in first:
            reader.next()
        fourth = Lines(path_of(daemon))
        answer = fourth.next(2)
        check(answer and answer["kind"] == "error" and "clients" in answer["message"],
              "one reader too many is told so", answer)
        check(_is_closed(fourth), "and closed")
        check(first[0].next(1)["kind"] == "counts", "the others read on")
        first[1].close()
        first[2].close()
        settle(0.2)
        check(Stats(path_of(daemon)).counts(), "there is room when one has left")

        wait_for(lambda: "took nothing" in daemon.log(), 20, "who takes nothing is closed")
        for _ in range(200):
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            link.connect(path_of(daemon))
            link.send(b'{"events":true,"interval":"100ms"}\n')
            link.close()
        reader = wait_for(lambda: _open(path_of(daemon)), 5,
                          "200 readers that leave at once leave nothing behind")
        check(reader and reader.counts(), "the next reader is served")
        daemon.stop()


def _open(path):
    try:
        reader = Lines(path)
    except BlockingIOError:  # those that left still wait to be accepted
        return None
    line = reader.next()
    if line and line["kind"] == "hello":
        return Stats(path)
    reader.close()
    return None


@case("ringfence stats")
def command():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        fate(daemon, LISTED, a, b)
        status, output = daemon.cli("stats", "--once")
        check(status == 0 and re.search(r"\bcalls\b\s+1\b", output), "ringfence stats --once",
              output)
        status, output = daemon.cli("--json", "stats", "--once")
        lines = [json.loads(line) for line in output.splitlines()]
        check(status == 0 and any(line.get("totals", {}).get("calls") == 1 for line in lines),
              "ringfence --json stats --once", output)
        daemon.stop()
        status, output = daemon.cli("stats", "--once")
        check(status == 3 and "stats.sock" in output, "no daemon: 3", output)


checks.main(limit=80)
