#!/usr/bin/env python3
# commands
"""ringfence number with several sources: set, get and whether the daemon agrees, reassign, what is
audited; import of every kind, dry run, feeds that replace themselves, rejects, failures half way;
export and re-import; what the pages show."""

import json
import os
import re

from lib import checks
from lib.checks import case, check, equal, wait_for
from lib.daemon import Daemon
from lib.redis import Redis
from lib.site import Process, Site

NUMBER = "+8613800138000"
SOURCES = [{"name": "police-feed", "weight": 3}, {"name": "desk", "weight": 2}]
ROWS = 3000


def start(site, redis):
    daemon = Daemon(site, reputation={"store": "redis", "socket": redis.path, "sources": SOURCES,
                                      "hold_percent": "100%"})
    wait_for(lambda: daemon.status()["reputation"]["state"] == "following", 5, "followed")
    return daemon


def number(daemon, *arguments, **more):
    return daemon.cli("number", *arguments, **more)


def get(daemon, which=NUMBER):
    status, output = daemon.cli("--json", "number", "get", which)
    return json.loads(output) if status == 0 else None


def agrees(daemon, text, which=NUMBER):
    found = wait_for(lambda: (get(daemon, which) or {}).get("agree") is True, 3, text)
    if not found:
        print(f"    {get(daemon, which)}")
    return get(daemon, which)


def fields(redis, which=NUMBER):
    reply = redis("HGETALL", f"rf:num:{which}")
    return {k.decode(): v.decode() for k, v in zip(reply[::2], reply[1::2])}


def counts(output):
    return json.loads([line for line in output.splitlines() if line.startswith("{")][-1])


@case("set, get, del and reassign")
def one_by_one():
    with Site() as site:
        redis = Redis(site)
        daemon = start(site, redis)
        equal(number(daemon, "set", NUMBER, "--list", "block", "--score", "95", "--source",
                     "police-feed", "--type", "fake-bank", "--case", "A-17")[0], 0, "a source's")
        equal(number(daemon, "set", NUMBER, "--list", "allow", "--source", "desk", "--expires",
                     "30d")[0], 0, "another's")
        equal(number(daemon, "set", NUMBER, "--score", "10", "--source", "hearsay")[0], 0,
              "one that is not configured")
        redis("HSET", f"rf:num:{NUMBER}", "from:stranger", "list=allow")
        held = fields(redis)
        check(held["source"] == "hearsay" and held["from:police-feed"].startswith(
            "score=95;list=block;type=fake-bank;since=") and held["from:police-feed"].endswith(
                ";case=A-17"), "each has its own field", held)
        equal(redis("TTL", f"rf:num:{NUMBER}"), -1, "and the key stays for those without an end")
        shown = agrees(daemon, "get: what it comes to is what the daemon holds")
        equal((shown["combined"]["list"], shown["combined"]["score"], shown["daemon"]["source"]),
              ("block", 95, "police-feed"), "the police outranks the others")
        equal([(part["source"], part["counts"]) for part in shown["sources"]],
              [("police-feed", "yes"), ("desk", "yes"), ("stranger", "not configured")],
              "each source's part is shown")
        equal(number(daemon, "set", NUMBER, "--score", "7", "--source", "desk")[0], 0, "the desk "
              "says something else")
        equal(number(daemon, "del", NUMBER, "--source", "police-feed")[0], 0, "one takes it back")
        equal(agrees(daemon, "what is left counts")["combined"]["score"], 10, "which is the rest")
        equal(number(daemon, "del", NUMBER, "--source", "police-feed")[0], 1, "nothing more: 1")
        equal(number(daemon, "reassign", NUMBER)[0], 0, "a new subscriber")
        equal(list(fields(redis)), ["reassigned"], "everything is wiped but a mark")
        check(redis("TTL", f"rf:num:{NUMBER}") > 300 * 86400, "which lasts a year")
        shown = get(daemon)
        equal((shown["combined"], shown["agree"]), ({}, True), "nothing counts, nor in the daemon")
        equal(sum(daemon.status()["reputation"]["skipped"].values()), 0, "no key is bad for it")
        status, output = number(daemon, "import", "-", "--source", "desk", data=(
            f"{NUMBER},90,block,,,,,2020-01-01\n{NUMBER},91,block\n").encode())
        check(status == 1 and output.count("reassigned") == 2, "old reports do not come back",
              output)
        equal(number(daemon, "set", NUMBER, "--score", "5", "--source", "desk")[0], 0, "new ones")
        equal(agrees(daemon, "do count")["combined"]["score"], 5, "again")
        log = daemon.log()
        for text in (f'number set {NUMBER} source police-feed from "nothing" to "score=95;list=block',
                     f'number del {NUMBER} source police-feed from "score=95;list=block',
                     f"number reassign {NUMBER} from score 10 list none",
                     "uid 0 pid "):
            check(text in log, f"audited: {text}")
        daemon.stop()
        equal(get(daemon)["daemon"], "it does not run here", "get without a daemon")


@case("import: CSV, JSON lines, lists")
def kinds():
    with Site() as site:
        redis = Redis(site)
        daemon = start(site, redis)
        files = {
            "a.csv": ("number,score,list,type,source,expires,note,since,case\n"
                      f'{NUMBER},95,block,"bank, fake",police-feed,2027-01-31,"say ""hi""",'
                      "2026-11-01,A-1\n86170*,60,watch\n"),
            "a.json": (f'{{"number":"{NUMBER}","score":95,"list":"block","type":"bank, fake",'
                       '"source":"police-feed","expires":"2027-01-31","note":"say \\"hi\\"",'
                       '"since":"2026-11-01","case":"A-1"}\n'
                       '{"number":"86170*","score":"60","list":"watch"}\n'),
        }
        seen = []
        for name, text in files.items():
            status, output = number(daemon, "import", site.write(name, text))
            check(status == 0 and "0 rejected" in output, name, output)
            seen.append((fields(redis), redis("HGETALL", "rf:pfx:86170")[:4]))
            redis("FLUSHALL")
        equal(seen[0], seen[1], "CSV and JSON lines say the same")
        equal(seen[0][0], {"from:police-feed": "score=95;list=block;type=bank, fake;since="
                           "2026-11-01T00:00:00Z;expires=2027-01-31T00:00:00Z;case=A-1;"
                           'note=say "hi"'}, "and that is what was written")
        status, output = number(daemon, "import", "-", "--list", "block", "--type", "spam",
                                "--source", "desk", "--expires", "30d",
                                data=f"# a list\n{NUMBER}\n\n+8613800138001\n".encode())
        check(status == 0 and "2 added" in output, "a plain list", output)
        check("list=block;type=spam" in fields(redis)["from:desk"], "takes the options' values",
              fields(redis))
        check(0 < redis("TTL", f"rf:num:{NUMBER}") <= 30 * 86400, "and the key ends with it")
        status, output = number(daemon, "import", "-", data=f"{NUMBER}\n".encode())
        check(status == 1 and "neither a score nor a list" in output, "a list without any: 1",
              output)
        bad = (f"{NUMBER},900,block\n13800138000,9,block\n+8613800138003,9,block\n"
               '+8613800138004,9,"block;x"\n+8613800138005,5,watch,a;b,desk\n')
        rejects = site.path("rejects")
        status, output = daemon.cli("--json", "number", "import", "-", "--rejects", rejects,
                                    data=bad.encode())
        check(status == 1 and counts(output)["added"] == 1 and counts(output)["rejected"] == 4,
              "bad lines are rejected, the good one is set: 1", output)
        with open(rejects, encoding="utf-8") as file:
            lines = [line.rstrip("\n").split("\t") for line in file]
        equal([line[0] for line in lines], ["1", "2", "4", "5"], "--rejects names each line")
        equal(lines[0][1:], ["score is not 0 to 100", f"{NUMBER},900,block"], "with its reason")
        for text in ('{"number":"+861","score":1.5}', '{"number":"+861","scor":1}', "{", "[]",
                     '{"number":"+861","score":1,"since":"now"}'):
            status, output = number(daemon, "import", "--format", "json", "-",
                                    data=text.encode())
            check(status == 1 and "1 rejected" in output, f"rejected: {text}", output)
        status, output = number(daemon, "import", "-", "--replace-source", "crowd", data=b"")
        check(status == 2 and "reputation.sources" in output, "a source without a field: 2", output)
        daemon.stop()


def feed(site, name, numbers, score=80):
    return site.write(name, "".join(f"+86136{i:08d},{score},block,loan,,,,2026-11-01\n"
                                    for i in numbers))


@case("a feed that replaces itself")
def feeds():
    with Site() as site:
        redis = Redis(site)
        daemon = start(site, redis)
        replace = ("--json", "number", "import", "--replace-source", "police-feed")
        first = feed(site, "first", range(ROWS))
        status, output = daemon.cli(*replace, "--dry-run", first)
        equal((status, counts(output)["added"], redis("DBSIZE")), (0, ROWS, 0),
              "a dry run says what would be added")
        status, output = daemon.cli(*replace, first)
        equal((status, counts(output)["added"]), (0, ROWS), "and then it is")
        redis("HSET", "rf:num:+8613600000001", "from:desk", "list=allow")
        redis("HSET", "rf:num:+8613600000002", "score", "9", "source", "hearsay")
        redis("HSET", "rf:num:+8613700000000", "score", "9", "source", "police-feed")
        second = feed(site, "second", [*range(100, 500), *range(501, ROWS + 50)])
        with open(second, "a", encoding="ascii") as file:
            file.write("+8613600000003,900,block\n+8613600000500,81,block,loan,,,,2026-11-01\n")
        changes = site.path("changes")
        status, output = daemon.cli(*replace, "--dry-run", "--changes", changes, second)
        expected = {"added": 50, "changed": 1, "removed": 100, "unchanged": ROWS - 101}
        said = counts(output)
        equal({key: said[key] for key in expected}, expected, "a dry run tells the difference")
        with open(changes, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        equal(len(lines), 151, "--changes has a line for each")
        equal([line["to"] for line in lines if line["change"] == "changed"],
              ["score=81;list=block;type=loan;since=2026-11-01T00:00:00Z"], "from what to what")
        equal(redis("DBSIZE"), ROWS + 1, "nothing has changed")
        status, output = daemon.cli(*replace, second)
        said = counts(output)
        equal((status, {key: said[key] for key in expected}), (1, expected), "then it is done")
        equal((list(fields(redis, "+8613600000001")), list(fields(redis, "+8613600000002"))),
              (["from:desk"], ["score", "source"]), "others' statements stay")
        check("from:police-feed" in fields(redis, "+8613600000003"),
              "a number whose line was rejected keeps what it had")
        equal((redis("EXISTS", "rf:num:+8613600000000"), redis("EXISTS", "rf:num:+8613700000000")),
              (0, 0), "what left the feed is gone, also from plain fields")
        status, output = daemon.cli(*replace, second)
        said = counts(output)
        equal((said["added"], said["changed"], said["removed"]), (0, 0, 0),
              "once more: nothing to do")
        wait_for(lambda: daemon.status()["reputation"]["numbers"] == redis("DBSIZE"), 5,
                 "the daemon follows")
        agrees(daemon, "and agrees", "+8613600000500")
        check("number import" in daemon.log() and "50 added, 1 changed, 100 removed" in daemon.log(),
              "one line of audit")

        # Redis dies in the middle: every number has its old or its new statement.
        third = feed(site, "third", range(200, ROWS * 10), 90)
        redis("CONFIG", "SET", "save", "")
        command = [checks.program("ringfence"), "--config", daemon.config_path, "number", "import",
                   "--replace-source", "police-feed", third]
        redis("ACL", "SETUSER", "default", "-scan")
        status, output = site.run(command, 20)
        check(status == 1 and "not everything that left the feed was taken back" in output,
              "no right to look for what left: all rows are in force, which is said", output)
        equal((redis("EXISTS", "rf:num:+8613600000150"), redis("DBSIZE") > ROWS * 9), (1, True),
              "nothing was taken back")
        redis("ACL", "SETUSER", "default", "+@all")
        status, output = site.run(command, 20)
        check(status == 0 and "0 added" in output and "101 removed" in output,
              "again: only the rest is done", output)
        daemon.stop()


@case("an import that breaks off")
def broken():
    with Site() as site:
        redis = Redis(site)
        daemon = start(site, redis)
        replace = ("number", "import", "--replace-source", "desk")
        first = feed(site, "first", range(500))
        equal(daemon.cli(*replace, first)[0], 0, "a feed")
        pipe = site.path("pipe")
        os.mkfifo(pipe)
        command = [checks.program("ringfence"), "--config", daemon.config_path, *replace, pipe]
        process = Process(site, "import", command)
        try:
            with open(pipe, "w", encoding="ascii") as file:
                for i in range(400, 5000):
                    file.write(f"+86136{i:08d},70,block,loan,,,,2026-11-01\n")
                file.flush()
                wait_for(lambda: redis("DBSIZE") > 1000, 10, "half of another is written")
                redis.kill()
                for i in range(5000, 9000):
                    file.write(f"+86136{i:08d},70,block,loan,,,,2026-11-01\n")
        except BrokenPipeError:  # it has ended
            pass
        wait_for(lambda: not process.running(), 10)
        equal(process.wait(5), 3, "Redis dies: 3")
        check("stopped at line" in process.log() and "nothing was taken back" in process.log(),
              "how far it got is said", process.log())
        daemon.stop()


@case("export, filters, and back")
def exports():
    with Site() as site:
        redis = Redis(site)
        daemon = start(site, redis)
        redis.pipeline([
            ("HSET", f"rf:num:{NUMBER}", "score", "9", "list", "watch", "type", 'a "b", c',
             "source", "hearsay", "note", " x,y", "since", "2026-11-01", "from:police-feed",
             "list=block; score=95;case=#7;expires=2027-06-30", "from:desk", "list=allow"),
            ("EXPIRE", f"rf:num:{NUMBER}", 86400),
            ("HSET", "rf:pfx:8617012", "score", "60", "since", "2020-01-01"),
            ("HSET", "rf:raw:an,on\"ymous", "list", "watch", "source", "desk"),
            ("HSET", "rf:num:+8613800138001", "from:desk", "score=101"),
            ("SET", "rf:num:+8613800138002", "text"),
        ])
        status, whole = number(daemon, "export", site.path("all.csv"))
        check(status == 0 and "2 keys or statements are none" in whole, "export", whole)
        status, output = number(daemon, "export", site.path("all.json"), "--format", "json")
        equal(status, 0, "as JSON lines")
        for options, expected in (
                (("--source", "desk"), 2), (("--list", "watch"), 2), (("--min-score", "60"), 2),
                (("--max-score", "60"), 2), (("--prefix", "+86138"), 3), (("--prefix", "8617"), 1),
                (("--type", 'a "b", c'), 1), (("--since", "2026-01-01"), 1),
                (("--list", "block", "--source", "police-feed", "--min-score", "95"), 1)):
            status, output = number(daemon, "export", "--format", "json", *options)
            equal(output.count('{"number"'), expected, "export " + " ".join(options))
        def state():
            listed = {}
            for key in (f"num:{NUMBER}", "pfx:8617012", "raw:an,on\"ymous"):
                reply = redis("HGETALL", f"rf:{key}")
                listed[key] = dict(zip(reply[::2], reply[1::2]))
                # What remains of a lifetime is read at another moment each time.
                listed[key].pop(b"expires", None)
            return listed
        seen = []
        for name in ("all.csv", "all.json"):
            redis("FLUSHALL")
            status, output = number(daemon, "import", site.path(name))
            check(status == 0 and "5 added" in output, f"import of {name}", output)
            status, output = number(daemon, "export", site.path(name + ".again"), *(
                ("--format", "json") if name == "all.json" else ()))
            with open(site.path(name), encoding="utf-8") as a, \
                    open(site.path(name + ".again"), encoding="utf-8") as b:
                equal(sorted(b), sorted(a), "exported again it is the same")
            status, output = number(daemon, "import", site.path(name))
            check("0 added, 0 changed, 0 removed, 5 unchanged" in output, "and nothing differs",
                  output)
            seen.append(state())
        equal(seen[0], seen[1], "CSV and JSON lines come back equal")
        daemon.stop()


def page(*path):
    with open(os.path.join(checks.TOP, "docs", *path), encoding="utf-8") as file:
        return file.read()


def run_line(daemon, line):
    """A line of a page as a shell has it."""
    command = f"{checks.program('ringfence')} --config {daemon.config_path}"
    status, output = daemon.site.run(["sh", "-c", re.sub("^ringfence", command, line)])
    check(status == 0, line, output)
    return output


@case("the examples of the pages")
def examples():
    with Site() as site:
        redis = Redis(site)
        daemon = start(site, redis)
        desk = ("--source", "desk", "--list", "block")
        number(daemon, "set", NUMBER, "--list", "watch", "--source", "police-feed")
        number(daemon, "set", "+8613800138001", *desk)
        number(daemon, "set", "+8613800138002", *desk, "--since", "30d")
        feed(site, "feed.csv", range(3))
        blocks = re.findall(r"```sh\n(.*?)```", page("redis.md"), re.S)
        said = {line: run_line(daemon, line) for block in blocks for line in block.splitlines()
                if line.startswith("ringfence ")}
        equal([words.split()[2] for words in said],
              ["get", "import", "import", "reassign", "export", "import"], "redis.md's lines")
        shown = list(said.values())
        check("police-feed" in shown[0] and "3 would be added" in shown[1], "get and a dry run",
              shown[:2])
        check("3 added, 0 changed, 1 removed" in shown[2] and os.path.exists(site.path("rejected.txt"))
              and os.path.getsize(site.path("changes.json")) > 0, "an import", shown[2])
        equal((list(fields(redis)), redis("EXISTS", "rf:num:+8613800138002")), (["reassigned"], 1),
              "a number that was reassigned, one that was not")
        with open(site.path("desk.csv"), encoding="utf-8") as file:
            equal(len(file.readlines()), 2, "what the desk said within a week")
        check("1 unchanged" in shown[5], "comes back as it is", shown[5])
        lines = re.findall(r"^\.Dl (ringfence number .*)", page("man", "ringfence.1"), re.M)
        equal(len(lines), 1, "the man page has a line")
        run_line(daemon, lines[0])
        agrees(daemon, "and the daemon has it")
        listing = next(block for block in re.findall(r"\n\n((?:    .*\n)+)", page("ringfence.md"))
                       if block.lstrip().startswith("number,score,list"))
        rows = [line.strip() for line in listing.splitlines()]
        for name, part in (("rows.csv", [row for row in rows if row[0] != "{"]),
                           ("rows.json", [row for row in rows if row[0] == "{"])):
            redis("FLUSHALL")
            status, output = number(daemon, "import", site.write(name, "\n".join(part)))
            check(status == 0 and "0 rejected" in output, f"ringfence.md's rows: {name}", output)
        status, output = number(daemon, "set", "8613800138000", "--list", "block")
        check(status == 2 and "neither E.164" in output, "what is no number: 2", output)
        redis("SET", "rf:num:+8613800138009", "text")
        status, output = number(daemon, "set", "+8613800138009", "--list", "block")
        check(status == 1 and "WRONGTYPE" in output, "what Redis refuses: 1, and why", output)
        daemon.stop()


checks.main(limit=120)
