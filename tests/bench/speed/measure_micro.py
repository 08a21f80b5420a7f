"""Single steps by nanoseconds and instructions, and heap allocations of the running daemon."""

import json
import os
import re
import shutil
import struct
import subprocess

from bench.lib import report
from bench.lib.machine import Folder

from . import load, numbers, subjects
from .rig import LINGER, say

RATE = 2500  # calls per second at which allocations are counted
FEW, MANY = 1024, 5120  # each a whole number of turns through micro's messages
ROW = struct.Struct("4Q")  # of preload_malloc.c


def steps(bench):
    """Where the processor's counter is closed to us, valgrind counts instructions: the difference
    of two runs leaves out what is not the step."""
    folder = Folder("bench-micro-")
    try:
        numbers.write_csv(folder.file("numbers.csv"), 10_000 if bench.quick else numbers.COUNT)
        words = [subjects.tool("micro"), subjects.CORE_RULES]
        done = subprocess.run([*words, folder.file("numbers.csv")], stdout=subprocess.PIPE,
                              text=True, check=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, (subjects.PROXY,)))
        numbers.write_csv(folder.file("few.csv"), 1000)
        for line in done.stdout.splitlines():
            step = json.loads(line)
            step["counted_by"] = "processor"
            if step["instructions"] is None:
                emulated(step, [*words, folder.file("few.csv")])
            bench.store.put(step, "micro", step["name"])
            say(f"  {step['name']}: {step['ns']:.0f} ns, {report.figure(step['instructions'])} "
                "instructions")
    finally:
        folder.close()


def emulated(step, words):
    if shutil.which("valgrind") is None:
        step["counted_by"] = "nobody: valgrind is missing, run scripts/install-deps --bench"
        return
    counted = []
    for times in (FEW, MANY):
        done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                               *words, "--run", step["name"], str(times)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              check=True)
        counted.append(int(re.search(r"Collected : (\d+)", done.stderr)[1]))
    step["instructions"] = (counted[1] - counted[0]) / (MANY - FEW)
    step["counted_by"] = "valgrind"


def read_counts(path):
    """Allocations by thread so far."""
    with open(path, "rb") as file:
        rows = ROW.iter_unpack(file.read())
        return {thread: (allocations, size) for thread, allocations, size, _ in rows if thread}


def allocations(bench):
    """Of the daemon at the usual rate, once all its pools have the size they keep."""
    folder = Folder("bench-allocations-")
    counts = folder.file("counts")
    subject = subjects.Ringfence(environment={
        "LD_PRELOAD": subjects.tool("preload_malloc.so"), "MALLOC_COUNTS": counts}).start()
    try:
        warm, seconds = (4, 3) if bench.quick else (LINGER + 8, 10)
        with load.Load(subject, RATE, warm, seconds, busy=False) as running:
            running.wait_for("measuring")
            before = read_counts(counts)
            calls = running.wait_for("offered")["completed"]
            after = read_counts(counts)
            running.wait_for("result")
        nothing = (0, 0)
        made = {thread: [now - then for now, then in zip(row, before.get(thread, nothing))]
                for thread, row in after.items()}
        workers = [row for thread, row in made.items() if thread != subject.main.pid]
        result = {"calls": calls,
                  "per_call": sum(row[0] for row in made.values()) / calls,
                  "bytes_per_call": sum(row[1] for row in made.values()) / calls,
                  "per_call_beside_main": sum(row[0] for row in workers) / calls}
        bench.store.put(result, "allocations")
        say(f"  {result['per_call']:.4f} heap allocations a call, "
            f"{result['per_call_beside_main']:.4f} of them in workers and service threads")
    finally:
        subject.stop()
        folder.close()


def measure(bench):
    say("single steps")
    steps(bench)
    if bench.store.get("allocations") is None:
        allocations(bench)


def show(bench):
    found = bench.store.get("micro")
    if not found:
        return
    rows = [[name, step["ns"], step["ns_median"], step["ns_most"], step["instructions"],
             step["counted_by"]] for name, step in found.items()]
    report.table("Steps of a call's way",
                 ["", "ns, fastest", "median", "slowest", "instructions", "counted by"], rows)
    heap = bench.store.get("allocations")
    if heap:
        report.table(f"Heap allocations of a call at {RATE}/s, once warm",
                     ["", "allocations", "bytes"],
                     [["all threads", f"{heap['per_call']:.4f}", f"{heap['bytes_per_call']:.2f}"],
                      ["all but the main thread", f"{heap['per_call_beside_main']:.4f}", "-"]])
