#!/usr/bin/env python3
"""Figures that can be trusted: every line fits its schema, counts by country, region and kind add up,
events and aggregates come to the counters, readers resume, filter, and are many."""

import json
import os
import resource
import select
import socket
import threading

import jsonschema

from lib import checks, sip
from lib.calls import fate
from lib.checks import SANITIZE, TOP, case, check, equal, wait_for
from lib.control import Lines, Stats
from lib.daemon import CALLEE, CALLER, Daemon
from lib.site import Site, settle

RULES = """
rules:
  - id: hint
    when: caller.number starts_with "+8617" and callee.region == "Beijing"
    score: 65
    type: spam
  - id: quiet
    when: caller.number starts_with "+86171"
    score: 90
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
HINTED = "+8617000000001"
SHADED = "+8617100000001"


def start(site, **changes):
    # T1 as in life: what a busy machine delays is not sent again.
    limits = {"t1": "500ms", **changes.pop("limits", {})}
    return Daemon(site, rules=RULES, reputation={"csv": site.write("numbers.csv", NUMBERS)},
                  limits=limits, **changes)


def validator():
    with open(os.path.join(TOP, "conf", "stats.schema.json"), encoding="utf-8") as file:
        content = json.load(file)
    jsonschema.Draft7Validator.check_schema(content)
    return jsonschema.Draft7Validator(content)


def faults(schema, line):
    kind = {"event": "aggregate" if line.get("event") == "aggregate" else "verdict"}.get(
        line["kind"], line["kind"])
    part = {**schema.schema["definitions"][kind], "definitions": schema.schema["definitions"]}
    errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}"
              for e in jsonschema.Draft7Validator(part).iter_errors(line)]
    return errors or [e.message[:200] for e in schema.iter_errors(line)]


def block(daemon, a, number=LISTED, callee="01065551234"):
    caller = sip.Caller(a, daemon.address, number, callee).call()
    message = a.receive(3)
    while message is not None and message.status != 603:
        message = a.receive(3)
    caller.ack_refusal(message)
    return caller


@case("every line fits the schema")
def schema():
    with Site() as site:
        daemon = start(site, events={"rate": 3})
        schema = validator()
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        reader = daemon.stats(events=True)
        reader.send({"events": "wrong"})
        for number in (CLEAN, HINTED, SHADED):
            fate(daemon, number, a, b)
        for _ in range(6):
            block(daemon, a)
        fate(daemon, "anonymous", a, b,
             headers=["Diversion: <sip:+861065559999@example.net>;reason=unconditional"])
        kinds = {}
        while (line := reader.next(1.5)) and len(kinds) < 6:
            name = line.get("event", line["kind"])
            kinds.setdefault(name, line)
            found = faults(schema, line)
            if not check(not found, f"a line of kind {name} fits", f"{found}\n{line}"):
                break
            if name == "counts" and "aggregate" in kinds:
                break
        check(not faults(schema, reader.hello), "so does hello", faults(schema, reader.hello))
        equal(sorted(kinds), ["aggregate", "counts", "error", "verdict"], "these kinds were seen")
        broken = dict(kinds["verdict"], score="high")
        check(faults(schema, broken), "a wrong member does not")
        check(faults(schema, dict(kinds["counts"], totals={})), "nor do counts without counters")
        daemon.stop()


@case("why a call was stopped")
def reasons():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        reader = daemon.stats(events=True)
        fate(daemon, HINTED, a, b)
        event = reader.event()
        equal((event["features"], event["rules"]),
              ({"caller.number": HINTED, "callee.region": "Beijing"},
               [{"id": "hint", "points": 65, "shadow": False}]),
              "an event names its rules, and the features that they looked at")
        equal(event["caller"], {"raw": HINTED, "number": HINTED, "country": "CN", "region": None,
                                "kind": "mobile"}, "and what is known of the numbers")
        daemon.stop()

        settings = {"pseudonymise": True, "pseudonym_key": site.path("pseudonym.key")}
        hidden = start(site, events=settings)
        reader = hidden.stats(events=True)
        seen = []
        for number in (HINTED, HINTED, SHADED):
            fate(hidden, number, a, b)
            seen.append(reader.event())
        check(not any("17000000001" in json.dumps(event) for event in seen),
              "with pseudonyms no number is left", seen[0])
        names = [event["caller"]["number"] for event in seen]
        check(names[0] == names[1] != names[2] and names[0].startswith("~"),
              "the same number has the same name", names)
        equal(seen[0]["features"]["caller.number"], names[0], "wherever it stands")
        equal((seen[0]["callee"]["region"], seen[0]["pseudonyms"]), ("Beijing", True),
              "its region is still told")
        equal(os.stat(site.path("pseudonym.key")).st_mode & 0o777, 0o600, "the key is kept close")
        hidden.stop()
        hidden.start()
        reader = hidden.stats(events=True)
        fate(hidden, HINTED, a, b)
        equal(reader.event()["caller"]["number"], names[0], "also after a restart")
        hidden.stop()


@case("counts by country, region and kind")
def parties():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        for number in (CLEAN, "+862155551234", "+442071234567", "not-a-number", CLEAN):
            fate(daemon, number, a, b)
        sip.Caller(a, daemon.address, CLEAN, "110").call()
        daemon.wait_total("calls", 6)
        counts = daemon.counts()
        families = {name: family["totals"] for name, family in counts["families"].items()}
        equal(families["caller_country"], {"CN": 3, "GB": 1, "unknown": 2}, "by country")
        equal(families["caller_region"], {"Shanghai": 1, "unknown": 5}, "by region")
        equal(families["caller_kind"], {"mobile": 2, "fixed": 2, "unknown": 2}, "by kind")
        equal(families["callee_region"].get("Beijing"), 5, "of the callee, too")
        for name in ("caller_country", "caller_region", "caller_kind", "callee_country",
                     "callee_region", "callee_kind", "verdicts"):
            equal(sum(families[name].values()), counts["totals"]["calls"],
                  f"{name} adds up to the calls")
        equal(counts["totals"]["labels_refused"], 0, "every label found its place")
        daemon.stop()


def play(daemon, a, calls):
    """Calls from LISTED, fifty at a time; how many were refused."""
    refused = 0
    for _ in range(calls // 50):
        batch = {c.call_id: c for c in (sip.Caller(a, daemon.address, LISTED) for _ in range(50))}
        for _ in range(20):
            for caller in batch.values():
                caller.call()  # the first time, or again: of a lossy socket
            while batch and (message := a.receive(0.5)) is not None:
                if message.status == 603 and message.header("Call-ID") in batch:
                    batch.pop(message.header("Call-ID")).ack_refusal(message)
                    refused += 1
    return refused


def run_of(events, first, last):
    """Whether the events are these, each once and in order; "" when they are."""
    got = [event["seq"] for event in events]
    return "" if got == list(range(first, last + 1)) else f"{len(got)}: {got[:3]} to {got[-3:]}"


class Gatherer(threading.Thread):
    """Reads a stats socket to the end."""

    def __init__(self, reader):
        super().__init__()
        self.reader, self.lines = reader, []
        self.start()

    def run(self):
        # What is gathered comes a second after the last event that came alone.
        while (line := self.reader.next(2.5)) is not None:
            self.lines.append(line)

    def events(self):
        return [line for line in self.lines if line["kind"] == "event"]


@case("events and aggregates come to the counters")
def exact():
    with Site() as site:
        daemon = start(site, events={"rate": 20}, limits={"per_source": 100000})
        a = sip.Endpoint(site, CALLER)
        gatherer = Gatherer(daemon.stats(interval="1h", events=True))
        calls = 500 if SANITIZE else 2000
        refused = play(daemon, a, calls)
        gatherer.join()
        events = gatherer.events()
        counts = daemon.counts()
        equal(refused, calls, f"{calls} calls were refused")
        single = sum(event["event"] == "verdict" for event in events)
        gathered = sum(event["count"] for event in events if event["event"] == "aggregate")
        equal((single + gathered, counts["families"]["verdicts"]["totals"]["block"]),
              (calls, calls), f"{single} single events and {gathered} in aggregates are all of them")
        check(single < calls / 2, "a wave of calls makes few lines", len(events))
        equal((counts["totals"]["events"], counts["totals"]["events_aggregated"]),
              (len(events), gathered), "the counters know it")
        equal(run_of(events, 1, len(events)), "", "and every line has its number")
        equal(len({event["id"] for event in events}), len(events), "and its id")
        daemon.stop()


@case("a reader that was away resumes")
def resume():
    with Site() as site:
        daemon = start(site, events={"rate": 0}, limits={"per_source": 100000},
                       stats={"history": "256K"})
        a = sip.Endpoint(site, CALLER)
        first = daemon.stats(events=True)
        play(daemon, a, 50)
        last = None
        while (event := first.event(1)) is not None:
            last = event
        first.close()
        equal(last["seq"], 50, "a reader has fifty events and goes")
        play(daemon, a, 100)
        daemon.wait_total("events", 150)
        second = Lines(daemon.settings["stats"]["socket"])
        hello = second.next()
        equal((hello["oldest"], hello["newest"]), (1, 150), "hello says what is held")
        second.send({"kinds": ["event"], "resume": last["seq"], "epoch": last["epoch"]})
        play(daemon, a, 50)
        lines = Gatherer(second)
        lines.join()
        equal(run_of(lines.events(), 51, 200), "", "it comes back and has all that it missed, and what is new")
        play(daemon, a, 500)
        daemon.wait_total("events", 700)
        late = Lines(daemon.settings["stats"]["socket"])
        hello = late.next()
        check(hello["oldest"] > 200, "the history is bounded", hello)
        late.send({"kinds": ["event"], "resume": 200})
        lines = Gatherer(late)
        lines.join()
        gap = [line for line in lines.lines if line["kind"] == "gap"]
        equal([line["missed_events"] for line in gap], [hello["oldest"] - 201],
              "what it no longer holds is a gap")
        equal(run_of(lines.events(), hello["oldest"], 700), "", "and nothing else is missing")
        daemon.kill()
        daemon.start()
        again = Lines(daemon.settings["stats"]["socket"])
        again.next()
        again.send({"kinds": ["event"], "resume": 700, "epoch": last["epoch"]})
        answer = again.next(2)
        check(answer and answer["kind"] == "error" and "another epoch" in answer["message"],
              "after a restart it is told that the epoch is another", answer)
        daemon.stop()


@case("a filter")
def filters():
    with Site() as site:
        daemon = start(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        wanted = {"rules": {"rule": "hint"}, "blocks": {"action": ["block", "divert"]},
                  "high": {"score": 80}, "types": {"type": "spam", "trunk": "core"},
                  "none": {"event": "alert"}}
        readers = {name: daemon.stats(interval="1h", events=True) for name in wanted}
        for name, reader in readers.items():
            reader.send({"kinds": ["event"], "filter": wanted[name]})
        settle(0.3)
        fate(daemon, HINTED, a, b)
        block(daemon, a)
        fate(daemon, SHADED, a, b)
        settle(0.3)
        got = {}
        for name, reader in readers.items():
            got[name] = []
            while (line := reader.next(0.5)) is not None:
                got[name] += [line["caller"]["number"]] if line["kind"] == "event" else []
        got = {name: sorted(numbers) for name, numbers in got.items()}
        equal(got, {"rules": [HINTED, SHADED], "blocks": [LISTED], "high": [LISTED],
                    "types": [HINTED, SHADED], "none": []}, "each reader has what it asked for")
        daemon.stop()


@case("three hundred readers, some of them killed")
def many():
    with Site() as site:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limit[1]), limit[1]))
        daemon = start(site, events={"rate": 0}, limits={"per_source": 100000})
        a = sip.Endpoint(site, CALLER)
        path = daemon.settings["stats"]["socket"]
        readers = []
        for _ in range(300):
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            link.connect(path)
            link.sendall(b'{"kinds":["event"]}\n')
            readers.append(link)
        settle(0.5)
        equal(play(daemon, a, 100), 100, "calls are refused as ever")
        for link in readers[:100]:
            link.close()
        equal(play(daemon, a, 100), 100, "when a hundred readers vanish")
        counts = []
        for link in readers[100:]:
            text = b""
            while text.count(b'"kind":"event"') < 200 and select.select([link], [], [], 2.0)[0]:
                read = link.recv(1 << 20)
                text += read
                if not read:
                    break
            counts.append(text.count(b'"kind":"event"'))
        equal(set(counts), {200}, "each of the others has every event")
        equal(daemon.total("events_lost"), 0, "none was lost")
        for link in readers[100:]:
            link.close()
        check(wait_for(lambda: Stats(path).counts() is not None, 5), "and the next reader is served")
        daemon.stop()


checks.main(limit=100)
