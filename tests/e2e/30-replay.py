#!/usr/bin/env python3
# commands
"""ringfence replay: captures judged on their own clock, damaged ones, copies, and two rule sets
compared. The counts of every shared capture stand beside those of tshark."""

import csv
import fcntl
import gzip
import io
import json
import lzma
import os
import pty
import shutil
import struct
import subprocess
import termios

from lib import capture, checks, shared_captures
from lib.capture import Call
from lib.checks import SANITIZE, Skip, case, check, equal
from lib.site import Site

CONFIGURATION = """\
listen: [{address: 127.0.0.1:5060}]
trunks:
  - {name: abroad, sources: [10.1.0.0/24], origin: international, targets: [127.0.0.2:5060]}
  - {name: home, sources: [10.2.0.0/24], targets: [127.0.0.3:5060]}
routes: [{prefix: "", to: home}]
key_file: key
reputation: {store: memory, csv: numbers.csv}
rules: [rules.yaml]
"""

RULES = """\
rules:
  - {id: scanner, when: 'message.user_agent contains "scanner"', score: 95, type: robocall}
  - {id: from-abroad, when: 'trunk.origin == "international"', score: %d}
  - {id: short, when: 'not caller.valid', score: 20, mode: shadow}
policy:
  - {at: 90, do: block, with: 603+}
  - {at: 50, do: tag}
"""

NUMBERS = "number,score,list,type,source,expires\n+8613900000001,95,block,loan,desk,\n"


def replay(folder, *arguments, stdin=None):
    return subprocess.run([checks.program("ringfence"), "-c", os.path.join(folder, "rf.yaml"),
                           "replay", *arguments], cwd=folder, capture_output=True, text=True,
                          stdin=stdin, check=False)


def lines_of(run, kind):
    return [line for line in map(json.loads, run.stdout.splitlines()) if line["type"] == kind]


def summary_of(folder, *arguments):
    run = replay(folder, "--json", *arguments)
    return lines_of(run, "summary")[0]


def configure(site):
    for name, text in (("rf.yaml", CONFIGURATION), ("rules.yaml", RULES % 10),
                       ("stricter.yaml", RULES % 92), ("numbers.csv", NUMBERS)):
        with open(os.path.join(site.folder, name), "w", encoding="utf-8") as file:
            file.write(text)


def calls():
    """Five calls: plain, listed, of a scanner, busy, and from an unknown source."""
    return [
        Call(1, "+8613800000001", "+8613700000001", 0).answered(60),
        Call(2, "+8613900000001", "+8613700000002", 1).failed(480),
        Call(3, "1000", "+8613700000003", 2, agent="friendly-scanner").answered(2),
        Call(4, "+8613800000004", "+8613700000004", 3, source="10.2.0.9:5060").failed(486),
        Call(5, "+8613800000005", "+8613700000005", 4, source="192.0.2.1:5060").answered(5),
    ]


def write_calls(site, name="calls.pcap"):
    path = os.path.join(site.folder, name)
    capture.write(path, capture.packets_of(calls()))
    return path


@case("the counts of every shared capture")
def counts():
    with Site() as site:
        configure(site)
        for path in shared_captures.paths():
            name = os.path.basename(path)
            summary = summary_of(site.folder, path)
            seen = (summary["packets"]["messages"], summary["invites"],
                    summary["calls"] - summary["calls_begun_before"])
            equal(seen, shared_captures.COUNTS.get(name), name)


@case("the same counts by tshark")
def counts_of_tshark():
    if SANITIZE:
        raise Skip("what tshark says does not depend on how Ringfence was built")
    if not shutil.which("tshark"):
        raise Skip("no tshark")
    for path in shared_captures.paths():
        name = os.path.basename(path)
        said, reason = shared_captures.tshark(path), shared_captures.DIFFERENCES.get(name)
        if reason:
            check(said != shared_captures.COUNTS.get(name), f"{name}: {reason}")
        else:
            equal(said, shared_captures.COUNTS.get(name), name)


@case("calls with outcome, score, verdict and rules")
def table():
    with Site() as site:
        configure(site)
        run = replay(site.folder, "--json", write_calls(site))
        equal(run.returncode, 0, "status 0")
        rows = [(call["caller"], call["outcome"], call.get("trunk"), call["action"],
                 call.get("score")) for call in lines_of(run, "call")]
        equal(rows, [("+8613800000001", "answered", "abroad", "allow", 10),
                     ("+8613900000001", "no_answer", "abroad", "block", 100),
                     ("1000", "answered", "abroad", "block", 100),
                     ("+8613800000004", "busy", "home", "allow", 0),
                     ("+8613800000005", "answered", "abroad", "allow", 10)], "calls in order")
        first = lines_of(run, "call")[0]
        equal((first["time"], first["ring_ms"], first["talk_ms"]),
              ("2026-11-18T11:06:40.000Z", 1000, 60000), "the capture's clock")
        check(lines_of(run, "call")[4]["trunk_assumed"], "an unknown source is assumed to be a trunk")
        summary = lines_of(run, "summary")[0]
        equal(summary["verdicts"]["block"], 2, "blocked in the summary")
        equal({rule["id"]: rule["calls"] for rule in summary["rules"]},
              {"scanner": 1, "from-abroad": 3, "short": 1}, "by rule")
        equal({kind["name"] for kind in summary["types"]}, {"loan", "robocall"}, "by type")
        equal([(trunk["name"], trunk["calls"]) for trunk in summary["trunks"]],
              [("abroad", 4), ("home", 1)], "by trunk")
        equal([(hour["hour"], hour["calls"]) for hour in summary["hours"]],
              [("2026-11-18T11:00", 5)], "by hour")


@case("text and CSV")
def forms():
    with Site() as site:
        configure(site)
        path = write_calls(site)
        text = replay(site.folder, path).stdout
        check("scanner 95, from-abroad 10, short (20)" in text, "rules with points, shadow in ()",
              text)
        check("abroad?" in text, "an assumed trunk is marked")
        suspicious = replay(site.folder, "--suspicious", path).stdout
        check("+8613900000001" in suspicious and "+8613800000004" not in suspicious,
              "only the suspicious ones")
        rows = list(csv.DictReader(io.StringIO(replay(site.folder, "--csv", path).stdout)))
        equal([row["verdict"] for row in rows], ["allow", "block", "block", "allow", "allow"], "CSV")
        equal(rows[1]["type"], "loan", "the type of a listed number")
        equal(replay(site.folder, "--csv", "--json", path).returncode, 2, "not both")


def on_terminal(folder, columns, *arguments):
    """What a terminal of so many columns gets, line by line."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen([checks.program("ringfence"), "-c", os.path.join(folder, "rf.yaml"),
                           "--color", "never", "replay", *arguments], cwd=folder, stdout=theirs,
                          stderr=subprocess.DEVNULL) as child:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # the other end is closed
            pass
        child.wait()
    os.close(ours)
    return shown.decode().replace("\r", "").splitlines()


@case("a terminal of 80 columns")
def narrow():
    with Site() as site:
        configure(site)
        path = write_calls(site)
        for arguments in ((path,), ("-r", "stricter.yaml", "-a", "rules.yaml", path)):
            lines = on_terminal(site.folder, 80, *arguments)
            check(len(lines) > 5 and max(map(len, lines)) <= 80, "no line is longer",
                  "\n".join(lines))
        lines = on_terminal(site.folder, 80, path)
        check(lines[1].startswith("11-18 11:06:40 +8613800000001") and "abroad: from-abroad 10" in
              lines[2], "trunk and rules are below", lines[1:3])
        check("TRUNK" in on_terminal(site.folder, 130, path)[0], "but not where there is room")


@case("options that do not go together")
def options():
    with Site() as site:
        configure(site)
        path = write_calls(site)
        for arguments, words in ((("--honest", "5s"), "need --against"),
                                 (("--scores",), "need --against"),
                                 (("-s", "-a", "rules.yaml"), "exclude each other"),
                                 (("-w", "x", "-a", "rules.yaml"), "exclude each other")):
            run = replay(site.folder, *arguments, path)
            check(run.returncode == 2 and words in run.stderr, " ".join(arguments), run.stderr)
        run = replay(site.folder, "-w", "/nowhere/x.pcap", path)
        check(run.returncode == 1 and "/nowhere/x.pcap: No such" in run.stderr and run.stdout == "",
              "what cannot be written is told before the reading", run.stderr)


@case("reputation of another file, or none")
def reputation():
    with Site() as site:
        configure(site)
        path = write_calls(site)
        none = summary_of(site.folder, "--reputation", "none", path)
        equal((none["verdicts"]["block"], none["degraded"]), (1, 0), "none")
        with open(os.path.join(site.folder, "other.csv"), "w", encoding="utf-8") as file:
            file.write(NUMBERS.replace("139", "138"))
        other = replay(site.folder, "--json", "--reputation", "other.csv", path)
        equal([call["action"] for call in lines_of(other, "call")],
              ["block", "allow", "block", "allow", "allow"], "another file")
        missing = replay(site.folder, "--reputation", "nowhere.csv", path)
        check(missing.returncode == 1 and "nowhere.csv" in missing.stderr, "a file that is not there",
              missing.stderr)


@case("packed files and standard input")
def packed():
    with Site() as site:
        configure(site)
        path = write_calls(site)
        expected = summary_of(site.folder, path)
        with open(path, "rb") as file:
            plain = file.read()
        for name, pack in (("calls.pcap.gz", gzip.compress), ("calls.pcap.xz", lzma.compress)):
            with open(os.path.join(site.folder, name), "wb") as file:
                file.write(pack(plain))
            equal(summary_of(site.folder, name), expected, name)
        with open(os.path.join(site.folder, "calls.pcap.gz"), "rb") as file:
            run = replay(site.folder, "--json", "-", stdin=file)
        equal(lines_of(run, "summary")[0], expected, "packed, from standard input")


@case("damaged captures: an error with the packet, what came before is kept")
def damaged():
    with Site() as site:
        configure(site)
        path = write_calls(site)
        with open(path, "rb") as file:
            whole = file.read()
        with open(os.path.join(site.folder, "cut.pcap"), "wb") as file:
            file.write(whole[:-100])
        run = replay(site.folder, "--json", "cut.pcap")
        equal(run.returncode, 1, "status 1")
        check("cut.pcap: packet 29: " in run.stderr, "names the packet", run.stderr)
        equal(len(lines_of(run, "call")), 5, "the calls before it")
        with open(os.path.join(site.folder, "cut.pcap.gz"), "wb") as file:
            file.write(gzip.compress(whole)[:-200])
        run = replay(site.folder, "--json", "cut.pcap.gz")
        check(run.returncode == 1 and "damaged or cut here" in run.stderr, "packed and cut",
              run.stderr)
        run = replay(site.folder, "--json", "rules.yaml", "nowhere.pcap", path)
        equal(run.returncode, 1, "others do not hide it")
        check("rules.yaml: no capture" in run.stderr and "nowhere.pcap: No such" in run.stderr,
              "no captures", run.stderr)
        equal(len(lines_of(run, "call")), 5, "the good one among them")
        check("it is empty" in replay(site.folder, "/dev/null").stderr, "an empty file")


@case("a copy of the suspicious calls")
def suspicious():
    with Site() as site:
        configure(site)
        path = write_calls(site)
        run = replay(site.folder, "-w", "out.pcap", path)
        check("11 packets written" in run.stdout, "how many", run.stdout)
        again = replay(site.folder, "--json", "out.pcap")
        equal([call["call_id"] for call in lines_of(again, "call")], ["call-2", "call-3"],
              "only those calls, whole")
        equal([call["outcome"] for call in lines_of(again, "call")], ["no_answer", "answered"],
              "with what became of them")
        over = replay(site.folder, "-w", path, path)
        check(over.returncode == 2 and "overwrite" in over.stderr, "never over its input")


@case("two rule sets compared")
def compared():
    with Site() as site:
        configure(site)
        path = write_calls(site)
        run = replay(site.folder, "--json", "--rules", "stricter.yaml", "--against", "rules.yaml",
                     path)
        equal(run.returncode, 1, "an honest-looking call newly blocked gives status 1")
        result = lines_of(run, "comparison")[0]
        equal([result[key] for key in ("calls", "honest_newly_blocked", "newly_blocked",
                                       "newly_allowed", "changed_verdict", "changed_score",
                                       "unchanged")], [5, 1, 1, 0, 0, 0, 3], "counts")
        equal([(call["caller"], call["action"], call["against"]["action"])
               for call in lines_of(run, "call")],
              [("+8613800000001", "block", "allow"), ("+8613800000005", "block", "allow")], "calls")
        equal(replay(site.folder, "-r", "rules.yaml", "-a", "stricter.yaml", path).returncode, 0,
              "the other way nothing is newly blocked")
        equal(replay(site.folder, "-r", "rules.yaml", "-a", "stricter.yaml", "--fail-on", "any",
                     path).returncode, 1, "--fail-on any")
        equal(replay(site.folder, "-r", "stricter.yaml", "-a", "rules.yaml", "--fail-on", "never",
                     path).returncode, 0, "--fail-on never")
        equal(replay(site.folder, "-r", "stricter.yaml", "-a", "rules.yaml", "--honest", "5m",
                     path).returncode, 0, "--honest 5m: none was as long")
        text = replay(site.folder, "-r", "stricter.yaml", "-a", "rules.yaml", path).stdout
        check("honest_newly_blocked" in text and "allow 10 -> block 92" in text, "as text", text)
        equal(replay(site.folder, "-a", "rules.yaml", path).returncode, 0, "the same rules")
        equal(replay(site.folder, "--fail-on", "any", path).returncode, 2, "nothing to compare with")


@case("gains and losses by rule")
def by_rule():
    with Site() as site:
        configure(site)
        path = write_calls(site)
        with open(os.path.join(site.folder, "other.yaml"), "w", encoding="utf-8") as file:
            file.write("rules:\n"
                       "  - {id: from-abroad, when: 'trunk.origin == \"domestic\"', score: 10}\n"
                       "  - {id: fresh, when: 'caller.valid', score: 1}\n"
                       "policy:\n  - {at: 90, do: block}\n")
        run = replay(site.folder, "--json", "-r", "other.yaml", "-a", "rules.yaml", path)
        rules = {rule["id"]: (rule["before"], rule["now"], rule["gained"], rule["lost"])
                 for rule in lines_of(run, "comparison")[0]["rules"]}
        equal(rules, {"from-abroad": (3, 1, 1, 3), "fresh": (0, 3, 3, 0), "scanner": (1, 0, 0, 1),
                      "short": (0, 0, 0, 0)}, "rules of both sides")
        short = [rule for rule in lines_of(run, "comparison")[0]["rules"] if rule["id"] == "short"]
        equal((short[0]["shadow_before"], short[0]["shadow_now"]), (1, 0), "one of them in shadow")
        run = replay(site.folder, "-r", "other.yaml", "-a", "rules.yaml", path)
        check("changed_score" not in run.stdout, "scores alone are not shown", run.stdout)
        run = replay(site.folder, "--scores", "-r", "other.yaml", "-a", "rules.yaml", path)
        check("changed_score" in run.stdout, "but with --scores", run.stdout)


@case("rules that are wrong, trunks that are not there")
def wrong():
    with Site() as site:
        configure(site)
        path = write_calls(site)
        with open(os.path.join(site.folder, "bad.yaml"), "w", encoding="utf-8") as file:
            file.write("rules:\n  - {id: x, when: 'caller.nonsense', score: 1}\n")
        run = replay(site.folder, "-r", "bad.yaml", path)
        check(run.returncode == 1 and "bad.yaml:2" in run.stderr, "file and line", run.stderr)
        run = replay(site.folder, "--trunk", "nobody", path)
        check(run.returncode == 1 and "nobody" in run.stderr, "--trunk", run.stderr)


if __name__ == "__main__":
    checks.main(limit=90)
