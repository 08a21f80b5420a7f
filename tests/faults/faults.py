"""The faults: what is done, what shows that it was, and which calls may fail by it.

A fault is a function that gets a Run: it does what it does between run.before() and run.after(),
says by run.allow() which failures are its own, and why, and by run.prove() what shows, in what the
daemon or the generator has counted, that it happened.
"""

import os
import signal
import stat
import time

from bench.lib.machine import Unable, wait_until

from . import stage
from .outcome import Span

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
    """A program that dies takes its calls with it: they ring on, and their BYE finds nobody, or
    somebody who does not know them (481)."""
    return failure["gone"]


def left(run):
    """Calls went from it to the other one."""
    run.prove_grown("failovers")


def left_and_down(run):
    left(run)
    run.prove_grown("targets_down")


def late(run):
    p99 = run.delays["during"]["p99"] / 1000
    run.prove(f"180 came after {p99:.0f} ms (p99)", p99 >= 900)


def hop(name, title, *command, seconds=6, proof=left_and_down, allowed=None, **options):
    """The first of the next hops is made to fail, and answers again."""
    @fault(name, title, **options)
    def play(run):
        word, *values = command
        if allowed:
            run.allow(*allowed)
        run.before()
        run.calls.command(word, 1, *values)
        run.pause(seconds, least=4)  # beyond the trial
        run.calls.command("answer", 1)
        run.after()
        proof(run)


hop("killed", "next hop killed, started again", "closed", aim="0 of new calls", calls=BRIEFLY,
    allowed=("held by the hop when it died", held_by_the_dead))
hop("silent", "next hop silent, as stopped", "silent")
hop("slow", "next hop 1 s behind", "slow", 1000, seconds=5, proof=late)
hop("too_slow", "next hop 4 s behind (trial: 3 s)", "slow", 4000, proof=left)
hop("refusing", "next hop answers 503", "refuse", 503, seconds=5, proof=left)


@fault("both", "both next hops killed, one back", "0 once one is back", calls=BRIEFLY)
def both(run):
    run.allow("held by a hop when it died", held_by_the_dead)
    # docs/trunks.md: the last one that is tried has what is left of the budget; then 408.
    run.allow("both hops were gone", lambda failure: failure["why"] == "408"
              and failure["stage"] == "invited" and run.span.meets(failure))
    run.before()
    run.calls.command("closed", 1)
    run.calls.command("closed", 2)
    run.pause(4)
    run.calls.command("answer", 2)
    run.after()
    run.prove_grown("targets_down", 2)


@fault("reset", "TCP reset within messages, each 500 ms", transport="tcp")
def reset(run):
    run.before()
    resets = run.times(10)
    for number in range(resets):
        run.calls.command("reset", number % 3)
        time.sleep(0.5)
    run.after()
    run.prove_grown("connections_closed", resets, label="reset")


@fault("upgrade", "hot upgrade, one of a crashing binary", limits=T1_BRIEF)
def upgrade(run):
    upgrade_often(run)


@fault("upgrade_tcp", "hot upgrade, calls by TCP", transport="tcp", limits=T1_BRIEF)
def upgrade_tcp(run):
    upgrade_often(run)


def upgrade_often(run):
    crash = run.stage.folder.write("crash", "#!/bin/sh\nkill -SEGV $$\n")
    os.chmod(crash, stat.S_IRWXU)
    served = [run.stage.status()["pid"]]
    run.before()
    for number in range(run.upgrades):
        if number == run.upgrades // 2:
            status, text = run.stage.cli("upgrade", "--binary", crash)
            run.prove("a successor that crashes is told of, and serves not",
                      status == 1 and "serves on" in text
                      and run.stage.status()["pid"] == served[-1])
        run.stage.must("upgrade")
        served.append(run.stage.status()["pid"])
        wait_until(lambda: "predecessor" not in run.stage.status(), 60,
                   "the process before ends", every=0.1)
        run.note(f"{number + 1} of {run.upgrades}")
    run.after(brief=True)
    run.prove(f"{len(served)} processes served, one after the other",
              len(set(served)) == run.upgrades + 1)


@fault("drain", "drain, undrain, SIGTERM", "0 under way")
def drain(run):
    spans = []

    def turned_away(failure):
        return (failure["why"] == "503" and failure["stage"] == "invited"
                and any(span.meets(failure) for span in spans))

    run.allow("new ones while it drained: 503", turned_away)
    run.before()
    spans.append(Span())
    run.stage.must("drain")
    run.prove("the status says draining", run.stage.status()["mode"] == "draining")
    run.pause(2)
    run.stage.must("undrain")
    spans[0].end()
    run.prove("and that it serves again", run.stage.status()["mode"] == "inline")
    run.pause(2)
    run.count()
    run.prove_grown("refused", label="503")
    spans.append(Span())
    run.stage.main.child.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    run.after(brief=True)
    # Calls under way end, and with the last of them the process.
    run.finish()
    status = run.stage.main.child.wait(30)
    run.prove(f"after SIGTERM it ended by itself: exit status {status}", status == 0)


def lossy(name, title, fate, percent):
    @fault(name, title, hops=1, calls=(f"--{fate}", percent))
    def lose(run):
        run.before()
        run.pause(7)
        run.after(brief=True)
        run.finish()
        count = run.result[f"datagrams_{fate}"]
        run.prove(f"the generator's network: {count:,} datagrams {fate}", count > 0)


lossy("loss_1", "1% of datagrams lost, each way", "lost", 1)
lossy("loss_10", "10% of datagrams lost, each way", "lost", 10)
lossy("doubled", "10% of datagrams doubled", "doubled", 10)
lossy("late", "10% of datagrams 20 ms late", "late", 10)


@fault("stranger", "flood of an unknown source, 10 times")
def stranger(run):
    run.before()
    flood = run.stage.flood(10 * run.rate, stage.STRANGER, "--once")
    run.pause(6)
    run.flood = flood.finish()
    run.after()
    # Not all of them need to find room in the daemon's socket.
    run.prove_grown("unknown_source", run.flood["started"] // 2)


@fault("flooder", "flood of a known trunk, 3 times, limit 500/s", flooder_rate=500)
def flooder(run):
    run.before()
    flood = run.stage.flood(3 * run.rate, stage.FLOODER)
    run.pause(6)
    run.flood = flood.finish()
    run.after()
    run.prove_grown("limited", run.flood["statuses"].get("503", 1), label="rate")
