#!/usr/bin/env python3
"""A run of SIPp through the inline daemon, heard by a tap and recorded: the verdict of every call is
the same, inline, live and from the file."""

import json
import os
import shutil
import subprocess

from lib import checks
from lib.checks import SANITIZE, Skip, case, check, equal, wait_for
from lib.daemon import CALLEE, CALLER, Daemon
from lib.sipp import Sipp, check_load
from lib.site import Process, Site
from lib.tap import NUMBERS, may_capture, tap

# `every` fires for each call, so that each has an event.
RULES = """
rules:
  - {id: every, when: 'trunk.name == "carrier"', score: 1}
  - {id: hint, when: 'caller.number starts_with "+86139"', score: 20, type: spam}
  - {id: loud, when: 'caller.number starts_with "+861391"', score: 45}
  - {id: agent, when: 'caller.number starts_with "+8613922"', score: 75, type: robocall}
  - {id: quiet, when: 'caller.number starts_with "+86138"', score: 90, mode: shadow}
policy:
  - {at: 60, do: tag}
  - {at: 90, do: block}
"""

CALLERS = ["+8613900000001", "+8613911112222", "+8613922223333", "+8613900002222", "+8613800000001",
           "13700000001", "anonymous", "+4915112345678"]
CALLS = 80 if SANITIZE else 400
RATE = 40 if SANITIZE else 100


def verdict_of(event):
    """Of an event, or of a line of replay, in which "type" says what kind of line it is."""
    kind = event.get("scam_type" if "outcome" in event else "type")
    return (event["action"], event["score"], event["reason"], kind,
            sorted((rule["id"], rule["points"]) for rule in event["rules"]))


def verdicts(events):
    """By Call-ID, of every call."""
    found = {}
    while len(found) < CALLS and (event := events.event(5)) is not None:
        found[event["call_id"]] = verdict_of(event)
    return found


def same(got, wanted, text):
    """A check that every call has the same verdict; shows the first ones that have not."""
    other = [f"{call_id}: got {got.get(call_id)}, expected {wanted.get(call_id)}"
             for call_id in sorted({*got, *wanted}) if got.get(call_id) != wanted.get(call_id)]
    check(not other, text, "\n".join([f"{len(other)} of {len(wanted)} differ", *other[:5]]))


def record(site, path, host):
    process = Process(site, "dumpcap", ["dumpcap", "-q", "-i", "lo", "-f", host, "-w", path])
    wait_for(lambda: os.path.exists(path) and os.path.getsize(path) > 0, 10)
    wait_for(lambda: "Capturing on" in process.log(), 10)
    return process


def from_file(configuration, path):
    run = subprocess.run([checks.program("ringfence"), "-c", configuration, "replay", "--json",
                          path], capture_output=True, text=True, check=False)
    check(run.returncode == 0, "the recording is replayed", run.stderr)
    calls = [line for line in map(json.loads, run.stdout.splitlines()) if line["type"] == "call"]
    return {call["call_id"]: verdict_of(call) for call in calls}


def run_sipp(site, daemon):
    site.write("callers.csv", "SEQUENTIAL\n" + "".join(
        f"{caller};+8610{number:08}\n" for number, caller in enumerate(CALLERS)))
    server = Sipp(site, "uas", "callee.xml", site.address(CALLEE),
                  keys={"contact": f"{site.address(CALLEE)}:5060"})
    client = Sipp(site, "uac", "judged.xml", site.address(CALLER), "-inf", site.path("callers.csv"),
                  "-r", RATE, "-m", CALLS, "-d", 500, remote=daemon.address)
    check_load(client, 40, CALLS, f"{CALLS} calls, passed or refused")


@case("every verdict inline, live and from the file")
def every_verdict():
    may_capture()
    if not shutil.which("dumpcap"):
        raise Skip("no dumpcap")
    with Site() as site:
        host = f"host {site.address(CALLER)} or host {site.address(CALLEE)}"
        inline = Daemon(site, rules=RULES, name="inline",
                        reputation={"csv": site.write("numbers.csv", NUMBERS)})
        listening = tap(site, RULES, interfaces=["lo"], filter=host)
        recorder = record(site, site.path("run.pcap"), host)
        expected, heard = inline.stats(events=True), listening.stats(events=True)
        run_sipp(site, inline)
        wanted = verdicts(expected)
        equal(len(wanted), CALLS, "an event of each call")
        equal({action for action, *_ in wanted.values()}, {"allow", "tag", "block"},
              "all kinds of verdicts among them")
        same(verdicts(heard), wanted, "live, call by call")
        tapped = listening.status()["tap"]
        equal((tapped["calls"], listening.total("calls")), (CALLS, CALLS), "live, each call once")
        totals, live_totals = inline.counts()["families"], listening.counts()["families"]
        for family in ("verdicts", "reasons", "rules", "rules_shadow", "types"):
            equal(live_totals[family]["totals"], totals[family]["totals"], f"counts of {family}")
        wait_for(lambda: listening.total("tap_kernel_dropped") == 0, 1, "nothing dropped")
        recorder.signal(2)
        recorder.wait(10)
        same(from_file(inline.config_path, site.path("run.pcap")), wanted,
             "from the file, call by call")
        listening.stop()
        inline.stop()


checks.main(limit=70)
