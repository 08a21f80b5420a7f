#!/usr/bin/env python3
# busy
"""SIPp's own scenarios through the daemon; afterwards every table is empty. --long: 60 s."""

import time

from lib import checks
from lib.checks import LONG, SANITIZE, case, check, equal
from lib.daemon import CALLEE, CALLER, Daemon
from lib.sipp import Sipp, check_load
from lib.site import Site

RATE = 100 if SANITIZE else 400
SECONDS = 60 if LONG else 10


@case("load")
def load():
    with Site() as site:
        # With the standard's T1 what lingers is gone after 32 s; the short run does not wait so long.
        # But SIPp's called side, slow on a busy machine, takes an INVITE that comes again for a new
        # message and hangs up.
        daemon = Daemon(site, limits={"t1": "500ms" if LONG else "200ms"})
        server = Sipp(site, "uas", "uas", site.address(CALLEE))
        calls = RATE * SECONDS
        client = Sipp(site, "uac", "uac", site.address(CALLER), "-r", RATE, "-m", calls, "-l",
                      20000, remote=daemon.address)
        check_load(client, SECONDS + 40, calls,
                   f"{calls} calls at {RATE} a second: none failed")
        begun = time.monotonic()
        idle = daemon.wait_idle(40 if LONG else 18)
        status = daemon.status()
        check(idle, f"{time.monotonic() - begun:.0f} s later all tables are empty", status)
        equal((status["transactions"], status["lingering"], status["calls_held"],
               status["transaction_bytes"]), (0, 0, 0, 0),
              "0 transactions, 0 lingering, 0 calls held, 0 bytes")
        totals = daemon.counts()["totals"]
        equal((totals["calls"], totals["calls_answered"], totals["calls_ended_bye"]),
              (calls, calls, calls), "each call was judged, answered and ended once")
        equal((totals["ring_full"], totals["send_failed"], totals["transactions_refused"]),
              (0, 0, 0), "nothing was lost inside")
        daemon.stop()


checks.main(limit=180 if LONG else 70)
