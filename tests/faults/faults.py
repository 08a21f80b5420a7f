"""The faults: what is done, and which calls may fail by it.

A fault is a function that gets a Run: it does what it does between run.before() and run.after(),
and says by run.allow() which failures are its own, and why.
"""

import json
import os
import signal
import stat
import time

from bench.lib.machine import Unable, wait_until

from . import stage

T1_BRIEF = {"t1": "100ms"}  # a process that was upgraded ends 64*T1 after its last call began

# What rang at a hop that died rings until somebody hangs up.
BRIEFLY = ("--drain", 8)

FAULTS = {}


def fault(name, title, aim="0", **options):
    """options: of the stage, and `calls`: of the generator."""
    def register(function):
        FAULTS[name] = {"title": title, "aim": aim, "do": function, "options": options}
        return function
    return register


def held_by_the_dead(failure):
    return failure["gone"]


@fault("killed", "next hop killed, started again", "0 of new calls", calls=BRIEFLY)
def killed(run):
    """A program that dies takes its calls with it: their BYE finds nobody, or somebody who does
    not know them (481)."""
    run.allow("held by the hop when it died", held_by_the_dead)
    run.before()
    run.calls.command("closed", 1)
    run.pause(6)
    run.calls.command("answer", 1)
    run.after()


@fault("silent", "next hop silent, as stopped")
def silent(run):
    run.before()
    run.calls.command("silent", 1)
    run.pause(6)
    run.calls.command("answer", 1)
    run.after()


@fault("slow", "next hop 1 s behind")
def slow(run):
    run.before()
    run.calls.command("slow", 1, 1000)
    run.pause(5)
    run.calls.command("answer", 1)
    run.after()


@fault("too_slow", "next hop 4 s behind (trial: 3 s)")
def too_slow(run):
    run.before()
    run.calls.command("slow", 1, 4000)
    run.pause(6)
    run.calls.command("answer", 1)
    run.after()


@fault("refusing", "next hop answers 503")
def refusing(run):
    run.before()
    run.calls.command("refuse", 1, 503)
    run.pause(5)
    run.calls.command("answer", 1)
    run.after()


@fault("both", "both next hops killed, one back", "0 once one is back", calls=BRIEFLY)
def both(run):
    run.allow("held by a hop when it died", held_by_the_dead)
    run.allow("both hops were gone", lambda failure: run.began_during(failure))
    run.before()
    run.calls.command("closed", 1)
    run.calls.command("closed", 2)
    run.pause(4)
    run.calls.command("answer", 2)
    run.after()


@fault("reset", "TCP reset within messages, each 500 ms", transport="tcp")
def reset(run):
    run.before()
    for number in range(run.times(10)):
        run.calls.command("reset", number % 3)
        time.sleep(0.5)
    run.after()


@fault("upgrade", "hot upgrade, one of a crashing binary", limits=T1_BRIEF)
def upgrade(run):
    upgrade_often(run)


@fault("upgrade_tcp", "hot upgrade, calls by TCP", transport="tcp", limits=T1_BRIEF)
def upgrade_tcp(run):
    upgrade_often(run)


def upgrade_often(run):
    crash = run.stage.folder.write("crash", "#!/bin/sh\nkill -SEGV $$\n")
    os.chmod(crash, stat.S_IRWXU)
    run.before()
    for number in range(run.upgrades):
        if number == run.upgrades // 2:
            status, text = run.stage.cli("upgrade", "--binary", crash)
            if status != 1 or "serves on" not in text:
                raise Unable(f"a successor that crashes: status {status}: {text}")
        before = run.stage.status()["pid"]
        status, text = run.stage.cli("upgrade")
        if status != 0 or run.stage.status()["pid"] == before:
            raise Unable(f"upgrade: status {status}: {text}")
        wait_until(lambda: "predecessor" not in run.stage.status(), 60,
                   "the process before ends", every=0.1)
        run.note(f"{number + 1} of {run.upgrades}")
    run.after(brief=True)


@fault("drain", "drain, undrain, SIGTERM", "0 under way")
def drain(run):
    def turned_away(failure):
        return failure["why"] == "503" and failure["stage"] == "invited"

    run.allow("new: 503 with Retry-After", turned_away)
    run.before()
    run.stage.cli("drain")
    run.pause(2)
    run.stage.cli("undrain")
    run.pause(2)
    run.count()
    run.stage.main.child.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    run.after(brief=True)
    # Calls under way end, and with the last of them the process.
    run.finish()
    status = run.stage.main.child.wait(30)
    if status != 0:
        raise Unable(f"after SIGTERM: exit status {status}")


def lossy(name, title, *options):
    @fault(name, title, hops=1, calls=options)
    def lose(run):
        run.before()
        run.pause(7)
        run.after(brief=True)


lossy("loss_1", "1% of datagrams lost, each way", "--lost", 1)
lossy("loss_10", "10% of datagrams lost, each way", "--lost", 10)
lossy("doubled", "10% of datagrams doubled", "--doubled", 10)
lossy("late", "10% of datagrams 20 ms late", "--late", 10)


@fault("stranger", "flood of an unknown source, 10 times")
def stranger(run):
    run.before()
    flood = run.stage.flood(10 * run.rate, stage.STRANGER, "--once")
    run.pause(6)
    run.other(flood.finish())
    run.after()


@fault("flooder", "flood of a known trunk, 3 times, limit 500/s", flooder_rate=500)
def flooder(run):
    run.before()
    flood = run.stage.flood(3 * run.rate, stage.FLOODER)
    run.pause(6)
    run.other(flood.finish())
    run.after()


