#!/usr/bin/env python3
"""What goes over in a hot upgrade beside datagrams: counts of limits, and calls over connections."""

from lib import checks, sip
from lib.certificates import Authority, server_context
from lib.checks import case, check, equal
from lib.daemon import CALLEE, CALLER, DAEMON, trunk
from lib.line import Line
from lib.neighbour import Neighbour, counted, place
from lib.site import Site
from lib.stream import Stream


def upgrade(line):
    """(process before, process now)"""
    before = line.status()["pid"]
    status, text = line.upgrade()
    now = line.status()["pid"]
    check(status == 0 and now != before, "an upgrade", text)
    return before, now


def row_of(daemon, trunk_name, limit):
    return next(row for row in daemon.status()["limits"]
                if (row["trunk"], row["limit"]) == (trunk_name, limit))


@case("limits of calls at one time")
def limits():
    with Site() as site:
        carrier = trunk("carrier", site.address(CALLER), limits={"calls": 3, "code": 486})
        core = trunk("core", site.address(CALLEE), trusted=True, limits={"calls_out": 100})
        line = Line(site, trunks=[carrier, core])
        daemon = line.daemon
        callee, caller = Neighbour(site, CALLEE), sip.Endpoint(site, CALLER)
        up = sip.Caller(caller, daemon.address).call()
        up.establish(up.expect(200))
        up.ack()
        equal(counted(place(caller, daemon, 3, hang_up=False)), {200: 2, 486: 1},
              "three calls at one time, a fourth is refused")
        uncertain = row_of(daemon, "carrier", "calls")["uncertain_s"]
        for number in (1, 2):
            upgrade(line)
            equal(row_of(daemon, "carrier", "calls")["now"], 3,
                  f"upgrade {number}: they are counted by the new process")
            equal(row_of(daemon, "core", "calls_out")["now"], 3, "also by where they went")
            equal(counted(place(caller, daemon, 2, hang_up=False)), {486: 2},
                  "the limit holds")
            if number == 1:
                check(line.wait_alone(60), "the process before has ended")
        check(row_of(daemon, "carrier", "calls")["uncertain_s"] <= uncertain,
              "an upgrade makes no count less certain")
        up.within("BYE")
        checks.wait_for(lambda: row_of(daemon, "carrier", "calls")["now"] == 2, 3,
                        "a BYE gives back in the new process")
        equal(counted(place(caller, daemon, 2, hang_up=False)), {200: 1, 486: 1},
              "so one more call passes")
        line.stop()


class Connected:
    """A daemon between two peers that both speak TCP, or both TLS."""

    def __init__(self, site, transport):
        listen = {"address": f"{site.address(DAEMON)}:{5061 if transport == 'tls' else 5060}",
                  "transport": transport}
        contexts = {}
        if transport == "tls":
            authority = Authority(site, "authority")
            listen["tls"] = authority.listen("ours", ["proxy.example"])
            peer = authority.issue("peer", [site.address(CALLER), site.address(CALLEE)])
            contexts = {"server": server_context(peer), "client": authority.client_context(),
                        "name": "proxy.example"}
        self.line = Line(
            site, listen=[listen], trunks=[trunk("carrier", site.address(CALLER), transport),
                                           trunk("core", site.address(CALLEE), transport)],
            routes=[{"from": "carrier", "to": "core"}, {"from": "core", "to": "carrier"}])
        self.address = (site.address(DAEMON), 5061 if transport == "tls" else 5060)
        self.here = Stream(site, CALLER, **contexts)
        self.there = Stream(site, CALLEE, **contexts)

    def place(self):
        caller = sip.Caller(self.here, self.address).call()
        callee = sip.Callee(self.there, self.there.expect("INVITE"))
        callee.answer(180, "Ringing")
        caller.expect(180)
        return caller, callee

    def wait_goodbye(self, text):
        """Every connection that there is ends from the other side; then it is closed here, too."""
        for endpoint in (self.here, self.there):
            old = list(endpoint.connections)
            ended = [connection.wait_closed(6) and not connection.reset for connection in old]
            check(old and all(ended), text, ended)
            for connection in old:
                connection.close()

    def to_new(self, callee):
        """The callee's next answer goes by a connection to where we listen."""
        callee.invite.source = self.address
        return callee


def carried_on(transport):
    with Site() as site:
        stage = Connected(site, transport)
        here, there = stage.here, stage.there
        up = sip.Caller(here, stage.address)
        sip.talk(up, there)
        ringing, rings = stage.place()
        before, _ = upgrade(stage.line)
        # Over the connection that there was, unless the machine has stalled for two seconds.
        late, late_callee = stage.place()
        check(True, "a new call")
        sip.exchange(up, "UPDATE", there)
        check(True, "and a request of one under way")
        stage.wait_goodbye("then the process before says goodbye, in order")

        stage.to_new(rings).answer(200, "OK")
        ringing.establish(ringing.expect(200))
        ringing.ack()
        there.expect("ACK")
        check(True, "a call that rang is answered, over other connections")
        late.cancel()
        cancel = there.expect("CANCEL")
        equal(cancel.all("Via")[0], late_callee.invite.all("Via")[0],
              "a CANCEL reaches the process that has its INVITE")
        there.send(sip.response(cancel, 200, "OK"), stage.address)
        here.expect(200, "CANCEL")
        stage.to_new(late_callee).answer(487, "Request Terminated")
        late.ack_refusal(late.expect(487))
        there.expect("ACK")
        check(True, "and so do 487 and ACK")
        for caller in (up, ringing):
            sip.hang_up(caller, there)
        fresh, callee = stage.place()
        callee.answer(200, "OK")
        fresh.establish(fresh.expect(200))
        fresh.ack()
        there.expect("ACK")
        sip.hang_up(fresh, there)
        check(True, "calls end, and others begin")
        equal(stage.line.status()["calls_held"], 0, "none is left")
        stage.line.kill(before)  # Timer D of the cancelled call is 32 s
        stage.line.stop()


@case("calls by TCP")
def by_tcp():
    carried_on("tcp")


@case("calls by TLS")
def by_tls():
    carried_on("tls")


checks.main(limit=200)
