#!/usr/bin/env python3
"""Hot upgrades: one by hand, message by message; many in a row under load; successors that fail.

--long: twenty upgrades in a row instead of three.
"""

import os
import signal
import stat

from lib import checks, sip
from lib.checks import LONG, SANITIZE, case, check, equal
from lib.daemon import CALLEE, CALLER
from lib.line import Line
from lib.site import Site, settle
from lib.steady import Steady

RATE = 20 if SANITIZE else 100
UPGRADES = 20 if LONG else 3

def kill_children(line):
    for pid in line.pids[1:]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


@case("message by message")
def by_hand():
    with Site() as site:
        line = Line(site, limits={"t1": "200ms"})
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)

        def place():
            caller = sip.Caller(a, line.address).call()
            return caller, sip.Callee(b, b.expect("INVITE"))

        def ring():
            caller, callee = place()
            callee.answer(180, "Ringing")
            caller.expect(180)
            return caller, callee

        up, _ = sip.Caller(a, line.address), None
        sip.talk(up, b)
        bare = sip.Caller(a, line.address)
        sip.talk(bare, b)
        answered, answered_callee = ring()
        cancelled, cancelled_callee = ring()
        refused, refused_callee = ring()
        calling, calling_callee = place()
        ended = sip.Caller(a, line.address)
        sip.talk(ended, b)
        ended.within("BYE")
        bye = b.expect("BYE")
        via = calling_callee.invite.all("Via")[0]

        status, text = line.upgrade()
        check(status == 0 and "finishes its transactions" in text, "`ringfence upgrade`", text)
        state = line.status()
        check(state["pid"] != line.daemon.process.pid and state["generation"] == 1,
              "another process answers, of the next generation", state)
        check("predecessor" in state, "the status shows the one before")
        checks.wait_for(lambda: line.status()["calls_held"] >= 2, 3,
                        "answered calls are known to the new one")
        status, text = line.upgrade()
        check(status == 1 and "still has" in text, "no third generation meanwhile", text)

        calling.send(calling.invite)
        vias = {message.all("Via")[0] for message in (b.receive(0.3), *b.drain())
                if message is not None and message.method == "INVITE"}
        check(vias <= {via}, "an INVITE sent again reaches its transaction, and is no new call",
              vias)
        a.drain()
        calling_callee.answer(180, "Ringing")
        calling.expect(180)
        calling_callee.answer(200, "OK")
        calling.establish(calling.expect(200))
        calling.ack()
        b.expect("ACK")
        check(True, "a call that was being placed rings and is answered")

        answered_callee.answer(200, "OK")
        answered.establish(answered.expect(200))
        answered.ack()
        b.expect("ACK")
        check(True, "a call that rang is answered")

        cancelled.cancel()
        cancel = b.expect("CANCEL")
        equal(cancel.all("Via")[0], cancelled_callee.invite.all("Via")[0],
              "CANCEL reaches its INVITE: with its branch")
        b.send(sip.response(cancel, 200, "OK"), cancel.source)
        a.expect(200, "CANCEL")
        cancelled_callee.answer(487, "Request Terminated")
        cancelled.ack_refusal(cancelled.expect(487))
        b.expect("ACK")
        check(True, "200, 487 and ACK as well")

        refused_callee.answer(486, "Busy Here")
        answer = refused.expect(486)
        b.expect("ACK")
        again = a.receive(1)
        check(again is not None and again.status == 486, "a refusal is repeated until its ACK")
        a.drain()
        refused.ack_refusal(answer)
        quiet = a.silent(1.2)
        check(quiet is None or quiet.status != 486, "which reaches it", quiet)

        b.send(sip.response(bye, 200, "OK"), bye.source)
        ended.expect(200, "BYE")
        check(True, "the answer to a BYE that was on its way comes back")
        for caller in (up, calling, answered):
            sip.hang_up(caller, b)
        bare.routes = []
        sip.hang_up(bare, b)
        check(True, "calls end, also without Route: the new process holds them")
        fresh = sip.Caller(a, line.address)
        sip.talk(fresh, b)
        sip.hang_up(fresh, b)
        check(True, "a new call")
        checks.wait_for(lambda: line.status()["calls_held"] == 0, 3, "then no call is held")
        # Timer D of the refused calls is 32 s.
        kill_children(line)


@case("many in a row, under load")
def many():
    with Site() as site:
        # A process ends 64*T1 after its last call began. A machine that stalls is no overload here.
        line = Line(site, limits={"t1": "100ms", "overload_begin": "5s", "overload_end": "10s"})
        calls = Steady(sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE), line.address, RATE)
        calls.start()
        checks.wait_for(lambda: calls.completed > RATE / 2, 10)
        crash = site.write("crash", "#!/bin/sh\nkill -SEGV $$\n")
        os.chmod(crash, stat.S_IRWXU)
        for number in range(1, UPGRADES + 1):
            before = line.status()["pid"]
            if number == UPGRADES // 2 + 1:
                status, text = line.upgrade("--binary", crash)
                check(status == 1 and "signal 11" in text and "serves on" in text,
                      "a successor that crashes at its start: status 1", text)
                equal(line.status()["pid"], before, "and the process before serves on")
            status, text = line.upgrade()
            check(status == 0 and line.status()["pid"] != before, f"upgrade {number}", text)
            if number < UPGRADES:
                check(line.wait_alone(), "    the process before has ended",
                      line.daemon.log()[-2000:])
        settle(1)
        calls.finish()
        calls.check("{} calls went on meanwhile, none failed")
        totals = line.daemon.counts()["totals"]
        equal((totals["ring_full"], totals["send_failed"]), (0, 0), "nothing was lost inside")
        checks.wait_for(lambda: line.status()["calls_held"] == 0, 5, "no call is left behind")
        line.stop()


@case("successors that fail")
def failing():
    with Site() as site:
        line = Line(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        up = sip.Caller(a, line.address)
        sip.talk(up, b)
        first = line.status()["pid"]

        def serves(text):
            call = sip.Caller(a, line.address)
            sip.talk(call, b)
            sip.hang_up(call, b)
            equal(line.status()["pid"], first, text)

        good = dict(line.daemon.settings)
        line.daemon.settings["routes"] = [{"to": "nobody"}]
        line.daemon.write()
        status, text = line.upgrade()
        check(status == 1 and "configuration or rules have errors" in text,
              "a configuration with errors", text)
        serves("    the old process serves on")
        line.daemon.settings = dict(good, workers=3)
        line.daemon.write()
        status, text = line.upgrade()
        check(status == 1 and "take a restart" in line.daemon.log(), "another number of workers",
              text)
        serves("    the old process serves on")
        line.daemon.settings = good
        line.daemon.write()
        stuck = site.write("stuck", "#!/bin/sh\nexec sleep 60\n")
        os.chmod(stuck, stat.S_IRWXU)
        status, text = line.upgrade("--binary", stuck, "--timeout", "500ms")
        check(status == 1 and "in time" in text, "one that does not become ready in time", text)
        serves("    the old process serves on")
        status, text = line.upgrade("--binary", site.path("nothing"))
        equal(status, 2, "no such program: a wrong command line")

        status, text = line.upgrade()
        second = line.status()["pid"]
        equal((status, second != first), (0, True), "one that starts")
        os.kill(second, signal.SIGKILL)
        checks.wait_for(lambda: line.status()["pid"] == first, 5,
                        "    and is killed then: the old process takes its sockets back")
        serves("    and serves")
        sip.hang_up(up, b)
        check("did not stay" in line.daemon.log(), "the log tells")
        status, text = line.upgrade()
        check(status == 0, "the next one succeeds", text)
        equal(line.wait_alone(), True, "    and the old process ends")
        line.pids = [first, line.status()["pid"]]
        line.stop()


checks.main(limit=600 if LONG else 100)
