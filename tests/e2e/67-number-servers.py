#!/usr/bin/env python3
# commands
"""ringfence number against a cluster, its slots on the move, and against sentinels: set, get, del,
reassign, import that replaces a source, export and back."""

import csv
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from lib import checks
from lib.checks import case, check, equal, wait_for
from lib.daemon import Daemon
from lib.redis import Cluster, Group, slot
from lib.site import Site

SOURCES = [{"name": "police-feed", "weight": 3}, {"name": "desk", "weight": 2}]
ROWS = 3000
RAW = "raw:{anonymous} caller"  # its braces decide about its slot
OTHER_RAW = "raw:{anonymous} other"
UNLISTED = 1_000_000


def number(index):
    return f"+86136{index:08d}"


def configure(site, **reputation):
    """The command's configuration; no daemon is started."""
    return Daemon(site, start=False, reputation={
        "store": "redis", "connect_timeout": "1s", "reply_timeout": "2s", "sources": SOURCES,
        **reputation})


def run(daemon, text, *arguments, status=0):
    found, output = daemon.cli("number", *arguments)
    check(found == status, text, output)
    return output


def feed(site, name, numbers, score=80):
    lines = [f"{number(i)},{score},block,loan,,2099-01-01,,2026-11-01\n" for i in numbers]
    return site.write(name, "".join([*lines, f'"{RAW}",{score},watch\n', "861360000*,7,watch\n"]))


def exported(daemon, site, name):
    run(daemon, f"export: {name}", "export", site.path(name))
    with open(site.path(name), encoding="utf-8") as file:
        return sorted(file)


def import_and_back(daemon, site, keys, flush):
    """What an import replaces, and that its export is what was imported."""
    replace = ("import", "--replace-source", "police-feed")
    output = run(daemon, "dry run", *replace, "--dry-run", feed(site, "first", range(ROWS)))
    check(f"{ROWS + 2:,} would be added" in output and keys() == 0, "it changes nothing", output)
    run(daemon, "import", *replace, site.path("first"))
    equal(keys(), ROWS + 2, "each number stands where it belongs")
    run(daemon, "another source's statement", "set", number(1), "--list", "allow", "--source", "desk")
    output = run(daemon, "the next feed", *replace, feed(site, "second", range(100, ROWS + 50), 81))
    check("50 added" in output and "100 removed" in output and keys() == ROWS - 100 + 53,
          "what left it is gone, not what others say", output)
    output = run(daemon, "once more", *replace, site.path("second"))
    check("0 added, 0 changed, 0 removed" in output, "nothing differs", output)
    whole = exported(daemon, site, "whole.csv")
    equal(len(whole), keys() + 1, "a header and a line for each")
    flush()
    run(daemon, "import of the export", "import", site.path("whole.csv"))
    equal(exported(daemon, site, "again.csv"), whole, "exported again it is the same")


def one_by_one(daemon, which, text):
    run(daemon, f"{text}: set", "set", which, "--score", "90", "--source", "desk")
    check("90" in run(daemon, "get", "get", which), "which is got", "")
    run(daemon, "del of a source", "del", which, "--source", "desk")
    run(daemon, "nothing more is known: 1", "get", which, status=1)
    run(daemon, "set by another", "set", which, "--list", "block")
    check("was known" not in run(daemon, "reassign", "reassign", which), "said of whom", "")
    check("reassigned" in run(daemon, "get", "get", which), "a mark is left", "")
    run(daemon, "del", "del", which)
    run(daemon, "and gone: 1", "get", which, status=1)


@case("a cluster")
def cluster_whole():
    with Site() as site:
        cluster = Cluster(site)
        masters = cluster.nodes[:3]
        daemon = configure(site, cluster=cluster.places()[:2])

        def flush():
            for node in masters:
                node("FLUSHALL")

        import_and_back(daemon, site, lambda: sum(node("DBSIZE") for node in masters), flush)
        one_by_one(daemon, OTHER_RAW, "a text with braces")

        # Slots stay half moved: what is there already is asked for there, what is not is made there.
        first, second = masters[0], masters[1]
        inside = [i for i in range(100, ROWS)
                  if cluster.owner(slot(f"rf:num:{number(i)}")) is first][:20]
        moving = {slot(f"rf:num:{number(i)}") for i in inside}
        for each in moving:
            source = cluster.begin_move(each, second)
            cluster.move_keys(each, source, second)
        before = exported(daemon, site, "before.csv")
        equal(len(before), ROWS + 2 + 52 - 100, "half moved, every number is exported")
        unlisted = next(number(i) for i in range(UNLISTED, 2 * UNLISTED)
                        if slot(f"rf:num:{number(i)}") in moving)
        one_by_one(daemon, unlisted, "a number there")
        output = run(daemon, "an import", "import", "--replace-source", "police-feed",
                     feed(site, "third", [*range(100, inside[-1]), *range(inside[-1] + 1, ROWS)], 82))
        check("0 added" in output and "51 removed" in output and "0 rejected" in output,
              "changes those there, too", output)
        for each in moving:
            cluster.end_move(each, second)
        output = run(daemon, "all is moved: again", "import", "--replace-source", "police-feed",
                     site.path("third"))
        check("0 added, 0 changed, 0 removed" in output, "nothing differs", output)
        flush()
        race_while_moving(site, cluster, daemon)


def race_while_moving(site, cluster, daemon):
    over = threading.Event()

    def move():
        """How many slots it has moved."""
        moved = 0
        for i in range(0, ROWS, 10):
            each = slot(f"rf:num:{number(i)}")
            if over.is_set():
                break
            if cluster.owner(each) is not cluster.nodes[1]:
                cluster.move(each, cluster.nodes[1])
                moved += 1
        return moved

    def race(source, end):
        """What imports said of which rows were rejected."""
        failed = []
        for turn in range(3):
            path = site.write(source, "".join(
                f"{number(i)},{60 + turn},block,,{source},{end}-0{1 + (i + turn) % 9}-01\n"
                for i in range(ROWS)))
            status, output = daemon.cli("number", "import", path, seconds=30)
            if status != 0 or "0 rejected" not in output:
                failed.append(output)
        return failed

    with ThreadPoolExecutor() as threads:
        mover = threads.submit(move)
        racers = [threads.submit(race, *words)
                  for words in (("police-feed", 2098), ("desk", 2099))]
        try:
            failed = [output for racer in racers for output in racer.result()]
        finally:
            over.set()
    equal(failed, [], "two imports at once while slots move: no row is rejected")
    check(mover.result() > 0, f"{mover.result()} slots have moved meanwhile")
    ends = {}
    exported(daemon, site, "whole.csv")
    with open(site.path("whole.csv"), encoding="utf-8") as file:
        for row in csv.DictReader(file):
            ends.setdefault(row["number"], []).append(
                datetime.fromisoformat(row["expires"].replace("Z", "+00:00")).timestamp())
    equal({len(each) for each in ends.values()}, {2}, "both sources' statements are there")
    equal(len(ends), ROWS, "of every number")
    now = time.time()
    check(all(abs(cluster("TTL", f"rf:num:{each}") + now - max(ends[each])) < 120
              for each in list(ends)[::20]), "each key lasts as long as its last statement")


@case("sentinels")
def sentinels():
    with Site() as site:
        group = Group(site)
        daemon = configure(site, sentinels=group.places(), sentinel_master="calls")
        import_and_back(daemon, site, lambda: group.servers[0]("DBSIZE"),
                        lambda: group.servers[0]("FLUSHALL"))
        one_by_one(daemon, number(UNLISTED), "a number")
        group.sentinels[0].kill()
        group.master().kill()
        wait_for(lambda: daemon.cli("number", "set", number(UNLISTED), "--list", "block")[0] == 0, 20,
                 "a sentinel and the master killed: written where the others fail over to")
        one_by_one(daemon, number(UNLISTED + 1), "at the new master")
        output = run(daemon, "an import there", "import", "--replace-source", "police-feed",
                     feed(site, "third", range(100, ROWS), 83))
        check("50 removed" in output, "replaces as before", output)


checks.main(limit=100)
