#!/usr/bin/env python3
"""Event sinks: file, Redis stream, syslog. Redis and the file's folder are gone for a while under
load, the daemon is killed, files are rotated: every event arrives, each at least once."""

import glob
import json
import os
import shutil
import signal
import socket
import threading

from lib import checks, sip
from lib.checks import SANITIZE, case, check, equal, wait_for
from lib.daemon import CALLEE, CALLER, Daemon
from lib.redis import Redis
from lib.site import Site, settle

RULES = """
rules:
  - id: hint
    when: caller.number starts_with "+8617"
    score: 65
    type: spam
policy:
  - {at: 60, do: tag}
"""

NUMBERS = """number,score,list,type,source,expires
+8613900000001,95,block,impersonation,desk,
"""

LISTED = "+8613900000001"
FEW = 100 if SANITIZE else 300


def start(site, sinks, **changes):
    events = {"rate": 0, "spool": site.path("spool"), "sinks": sinks,
              **changes.pop("events", {})}
    return Daemon(site, rules=RULES, reputation={"csv": site.write("numbers.csv", NUMBERS)},
                  limits={"per_source": 100000}, events=events, **changes)


def file_sink(site, **more):
    return {"kind": "file", "path": site.path("out/events.jsonl"), **more}


def redis_sink(redis, **more):
    return {"kind": "redis", "socket": redis.path, **more}


def play(daemon, a, calls, caller=LISTED):
    """Calls that are refused, fifty at a time; how many were."""
    refused = 0
    for begun in range(0, calls, 50):
        batch = {c.call_id: c for c in (sip.Caller(a, daemon.address, caller)
                                        for _ in range(min(50, calls - begun)))}
        for _ in range(20):
            for one in batch.values():
                one.call()  # the first time, or again: of a lossy socket
            while batch and (message := a.receive(0.5)) is not None:
                if message.status == 603 and message.header("Call-ID") in batch:
                    batch.pop(message.header("Call-ID")).ack_refusal(message)
                    refused += 1
    return refused


def in_files(site):
    """Events of all files of the sink, and how many lines are none."""
    events, broken = [], 0
    for path in sorted(glob.glob(site.path("out*/events.jsonl*"))):
        with open(path, encoding="utf-8") as file:
            for line in file:
                try:
                    events.append(json.loads(line))
                except ValueError:
                    broken += 1
    return events, broken


def in_stream(redis):
    return [json.loads(entry[1][1]) for entry in redis("XRANGE", "rf:events", "-", "+")]


def ids(events):
    return {event["id"] for event in events}


def sink(daemon, name):
    return next(one for one in daemon.status()["sinks"] if one["name"] == name)


def all_told(daemon):
    """Whether each call that was stopped has become an event."""
    counts = daemon.counts()
    stopped = counts["families"]["verdicts"]["totals"].get("block", 0)
    return counts["totals"]["events"] + counts["totals"]["events_lost"] >= stopped


def caught_up(daemon, *names, seconds=20):
    wait_for(lambda: all_told(daemon), 5)
    return check(wait_for(lambda: not any(sink(daemon, name)["waiting"] for name in names),
                          seconds, every=0.1), f"{' and '.join(names)} caught up",
                 daemon.status()["sinks"])


@case("every sink gets every event")
def all_of_them():
    with Site() as site:
        redis = Redis(site)
        os.mkdir(site.path("out"))
        system = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        system.bind(site.path("log"))
        redis("ACL", "SETUSER", "sink", "on", ">secret", "resetkeys", "~rf:events",
              "resetchannels", "-@all", "+xadd")
        login = {"username": "sink", "password_file": site.write("password", "secret\n")}
        daemon = start(site, [file_sink(site), redis_sink(redis, **login),
                              {"kind": "syslog", "path": site.path("log")}])
        a = sip.Endpoint(site, CALLER)
        reader = daemon.stats(events=True)
        equal(play(daemon, a, 20), 20, "twenty calls are refused")
        caught_up(daemon, "file", "redis")
        live = [reader.event() for _ in range(20)]
        events, broken = in_files(site)
        equal((events, broken), (live, 0), "the file has the lines of the stats socket")
        equal(in_stream(redis), live, "so has the stream rf:events")
        system.settimeout(10 * checks.SLOW)
        messages = [system.recv(65536).decode() for _ in range(20)]
        check(all(": @cee: {" in message and message.startswith("<134>") for message in messages),
              "so has syslog", messages[0])
        equal([json.loads(message.split("@cee: ", 1)[1]) for message in messages], live,
              "each as one object")
        caught_up(daemon, "syslog")
        counts = daemon.counts()
        equal(counts["families"]["sink_delivered"]["totals"],
              {"file": 20, "redis": 20, "syslog": 20}, "deliveries are counted")
        equal(os.stat(site.path("out/events.jsonl")).st_mode & 0o777, 0o640,
              "the file is not for everybody")
        system.close()
        daemon.stop()


@case("Redis and the file's folder are gone for a while")
def outage():
    with Site() as site:
        redis = Redis(site)
        os.mkdir(site.path("out"))
        daemon = start(site, [file_sink(site, fsync="never"), redis_sink(redis)])
        a = sip.Endpoint(site, CALLER)
        played = play(daemon, a, FEW)
        redis.freeze()
        os.rename(site.path("out"), site.path("out-of-reach"))
        played += play(daemon, a, FEW)
        settle(2)
        waiting = sink(daemon, "file")
        check(waiting["waiting"] >= FEW and "events.jsonl" in waiting["problem"],
              "events wait, and the status says why", waiting)
        redis.thaw()
        redis.kill()
        played += play(daemon, a, FEW)
        os.mkdir(site.path("out"))
        redis.start()
        played += play(daemon, a, FEW)
        caught_up(daemon, "file", "redis")
        equal(played, 4 * FEW, f"{4 * FEW} calls were refused all the while")
        counts = daemon.counts()
        events, broken = in_files(site)
        equal((len(ids(events)), broken), (played, 0), "every event is in a file")
        # What the first server had confirmed went with it: it keeps nothing on disk.
        got = ids(in_stream(redis))
        after = {event["id"] for event in events if event["seq"] > 2 * FEW}
        check(after <= got, "every event since the outage is in Redis", len(after - got))
        equal((counts["families"]["verdicts"]["totals"]["block"], counts["totals"]["events"],
               counts["families"]["sink_lost"]["totals"], counts["totals"]["events_lost"]),
              (played, played, {}, 0), "and the counters say so")
        check("events wait in the spool" in daemon.log() and
              "events are delivered again" in daemon.log(), "the log tells of both")
        daemon.stop()


@case("the daemon is killed")
def killed():
    with Site() as site:
        redis = Redis(site)
        os.mkdir(site.path("out"))
        daemon = start(site, [file_sink(site), redis_sink(redis)])
        a = sip.Endpoint(site, CALLER)
        redis.kill()
        reader = daemon.stats(events=True)
        play(daemon, a, FEW)
        told = [reader.event() for _ in range(FEW)]
        check(all(told), "a reader has seen all events")
        daemon.kill()
        daemon.start()
        redis.start()
        play(daemon, a, FEW)
        caught_up(daemon, "file", "redis")
        events, broken = in_files(site)
        check(ids(told) <= ids(events) and broken == 0, "so has the file", len(events))
        check(ids(told) <= ids(in_stream(redis)),
              "Redis has those of the life before, which it had not seen", len(in_stream(redis)))
        equal((len(ids(events)), len(ids(in_stream(redis)))), (2 * FEW, 2 * FEW),
              "and all since")
        numbers = sorted({event["seq"] for event in events})
        equal((numbers[0], numbers[-1], len(numbers)), (1, 2 * FEW, 2 * FEW),
              "numbers went on where they had been")
        daemon.stop()


@case("rotation")
def rotation():
    with Site() as site:
        os.mkdir(site.path("out"))
        daemon = start(site, [file_sink(site, rotate_size="32K", keep=3, name="lines")])
        a = sip.Endpoint(site, CALLER)
        play(daemon, a, 250)
        caught_up(daemon, "lines")
        names = sorted(os.listdir(site.path("out")))
        equal(len(names), 4, "three files are kept beside the one that is written")
        check(all(os.path.getsize(site.path(f"out/{name}")) <= 32768 for name in names),
              "none is larger than it may be", names)
        events, _ = in_files(site)
        equal(max(event["seq"] for event in events), 250, "the latest events are there")
        os.rename(site.path("out/events.jsonl"), site.path("out/moved"))
        daemon.process.signal(signal.SIGUSR1)
        play(daemon, a, 10)
        caught_up(daemon, "lines")
        events, _ = in_files(site)
        with open(site.path("out/moved"), encoding="utf-8") as file:
            events += [json.loads(line) for line in file]
        missing = set(range(240, 261)) - {event["seq"] for event in events}
        equal(missing, set(), "a file that logrotate moves is left and a new one begun")
        daemon.stop()


@case("a spool that is full, and one that cannot be written")
def bounds():
    with Site() as site:
        redis = Redis(site, start=False)
        os.mkdir(site.path("out"))
        daemon = start(site, [redis_sink(redis), file_sink(site)], events={"spool_size": "1M"})
        a = sip.Endpoint(site, CALLER)
        calls = 3000
        equal(play(daemon, a, calls), calls, f"{calls} calls are refused without Redis")
        caught_up(daemon, "file")
        size = sum(os.path.getsize(path) for path in glob.glob(site.path("spool/*.spool")))
        check(size <= 1 << 21, "the spool stays within its bound", size)
        redis.start()
        caught_up(daemon, "redis")
        counts = daemon.counts()["families"]
        lost = counts["sink_lost"]["totals"].get("redis", 0)
        check(lost > 0, "what it could not hold is counted", counts["sink_lost"])
        equal((lost + len(in_stream(redis)), counts["sink_lost"]["totals"].get("file", 0)),
              (calls, 0), "lost and delivered are all, and the file lost nothing")
        equal(len(ids(in_files(site)[0])), calls, "the other sink has everything")

        shutil.rmtree(site.path("spool"))
        with open(site.path("spool"), "w", encoding="utf-8"):
            pass
        play(daemon, a, 50)
        os.unlink(site.path("spool"))
        play(daemon, a, 50)
        caught_up(daemon, "redis", "file")
        equal((len(ids(in_files(site)[0])), len(in_stream(redis)) + lost), (calls + 100,) * 2,
              "without the spool's folder events go on from memory")
        check("spool" in daemon.log() and os.path.isdir(site.path("spool")),
              "and it is made again")
        daemon.stop()


@case("a full disk")
def full_disk():
    with Site() as site:
        os.mkdir(site.path("out"))
        mounted = os.system(f"mount -t tmpfs -o size=64k none {site.path('out')}") == 0
        if not check(mounted or os.geteuid() != 0, "a small disk, where that is allowed"):
            return
        if not mounted:
            return
        try:
            daemon = start(site, [file_sink(site)])
            a = sip.Endpoint(site, CALLER)
            equal(play(daemon, a, 200), 200, "calls are refused while the disk is full")
            check(wait_for(lambda: "No space" in (sink(daemon, "file")["problem"] or ""), 5),
                  "the status names it", sink(daemon, "file"))
            events, broken = in_files(site)
            equal(broken, 0, "no line is torn")
            os.system(f"mount -o remount,size=4m {site.path('out')}")
            caught_up(daemon, "file")
            events, broken = in_files(site)
            equal((len(ids(events)), broken), (200, 0), "with room, everything arrives")
            daemon.stop()
        finally:
            os.system(f"umount -l {site.path('out')}")


@case("readers and sinks come and go under load")
def churn():
    with Site() as site:
        redis = Redis(site, options=("--appendonly", "yes"))
        os.mkdir(site.path("out"))
        daemon = start(site, [file_sink(site), redis_sink(redis)])
        a = sip.Endpoint(site, CALLER)
        played = []
        player = threading.Thread(
            target=lambda: played.append(play(daemon, a, 500 if SANITIZE else 1500)))
        player.start()
        while player.is_alive():
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            link.connect(daemon.settings["stats"]["socket"])
            link.sendall(b'{"events":true,"interval":"100ms"}\n')
            redis.kill()
            redis.launch()
            settle(0.3)
            link.close()
        player.join()
        played = played[0]
        caught_up(daemon, "file", "redis")
        events, _ = in_files(site)
        counts = daemon.counts()
        equal((counts["families"]["verdicts"]["totals"]["block"], len(ids(events)), len(events)),
              (played,) * 3, f"{played} calls, each once in the file")
        stream = in_stream(redis)
        check(len(ids(stream)) == played <= len(stream),
              "and at least once in Redis, which was killed again and again",
              f"{len(ids(stream))} of {played}, {len(stream)} entries")
        daemon.stop()


checks.main(limit=120)
