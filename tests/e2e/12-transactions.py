#!/usr/bin/env python3
"""Transactions and the proxy core by RFC 3261, 6026, 2543 and 4320."""

from lib import checks, sip
from lib.checks import case, check, equal
from lib.daemon import ABROAD, CALLEE, CALLER, STRANGER, Daemon
from lib.site import Site, settle


class Stage:
    """A daemon with a caller and a callee."""

    def __init__(self, site, **changes):
        self.daemon = Daemon(site, **changes)
        self.a = sip.Endpoint(site, CALLER)
        self.b = sip.Endpoint(site, CALLEE)

    def caller(self, **more):
        return sip.Caller(self.a, self.daemon.address, **more)

    def arrive(self, caller):
        """The callee's side of a call that the caller has placed, kept quiet by a 100."""
        callee = sip.Callee(self.b, self.b.expect("INVITE"))
        callee.answer(100, "Trying")
        return callee

    def end(self):
        check(self.daemon.wait_quiet(6), "no transaction and no call is left", self.daemon.status())
        self.daemon.stop()


@case("retransmissions of INVITE")
def invite_again():
    with Site() as site:
        stage = Stage(site)
        caller = stage.caller().call()
        callee = stage.arrive(caller)
        settle(0.1)
        stage.a.drain()
        stage.b.drain()
        caller.call()
        trying = stage.a.receive()
        equal(trying and trying.status, 100, "an INVITE again is answered by 100 again")
        check(stage.b.silent(0.2) is None, "and absorbed")
        callee.answer(180, "Ringing")
        caller.expect(180)
        caller.call()
        ringing = stage.a.receive()
        equal(ringing and ringing.status, 180, "later by what was sent last")
        callee.answer(200, "OK")
        caller.establish(caller.expect(200))
        caller.call()
        check(stage.b.silent(0.2) is None, "an INVITE that was overtaken by its 2xx is absorbed")
        caller.ack()
        stage.b.expect("ACK")
        check(stage.daemon.total("retransmissions_in") >= 3, "retransmissions are counted")
        sip.hang_up(caller, stage.b)
        stage.end()


@case("the daemon repeats an INVITE that nobody answers")
def invite_times_out():
    with Site() as site:
        stage = Stage(site)
        caller = stage.caller().call()
        answer = caller.expect(408, seconds=5)
        caller.ack_refusal(answer)
        # Timer A at 50, 100, 200, 400, 800 and 1600 ms, Timer B at 3200 ms.
        equal([message.method for message in stage.b.drain()], ["INVITE"] * 7,
              "it is sent seven times until Timer B, then answered by 408")
        stage.end()


@case("2xx again, and several 2xx of a fork")
def answers():
    with Site() as site:
        stage = Stage(site)
        caller = stage.caller().call()
        callee = stage.arrive(caller)
        first = callee.answer(200, "OK")
        caller.establish(caller.expect(200))
        stage.b.send(first, callee.invite.source)
        again = stage.a.receive()
        equal(again and again.status, 200, "a repeated 2xx passes")
        callee.answer(200, "OK", tag="fork2")
        second = caller.expect(200)
        equal(second.tag("To"), "fork2", "the 2xx of another branch passes")
        caller.ack()
        stage.b.expect("ACK")
        other = stage.caller()
        other.__dict__.update({key: value for key, value in caller.__dict__.items()
                               if key != "endpoint"})
        other.establish(second)
        other.ack()
        equal(stage.b.expect("ACK").tag("To"), "fork2", "each dialog has its ACK")
        sip.hang_up(caller, stage.b)
        settle(0.3)
        equal(stage.daemon.status()["calls_held"], 1, "a call lives until its last answer ends")
        sip.hang_up(other, stage.b)
        stage.end()


@case("ACK to a refusal is hop by hop")
def refusal():
    with Site() as site:
        stage = Stage(site)
        caller = stage.caller().call()
        callee = stage.arrive(caller)
        refusal = callee.answer(486, "Busy Here")
        ack = stage.b.expect("ACK")
        equal(ack.all("Via"), callee.invite.all("Via")[:1], "we acknowledge with the INVITE's branch")
        equal(ack.tag("To"), callee.tag, "and the refusal's To-tag")
        answer = caller.expect(486)
        again = stage.a.receive()
        equal(again and again.status, 486, "the refusal is repeated until its ACK (Timer G)")
        caller.ack_refusal(answer)
        settle(0.2)
        stage.a.drain()
        check(stage.a.silent(0.3) is None, "and not after it")
        check(stage.b.silent(0) is None, "the caller's ACK goes no further")
        stage.b.send(refusal, callee.invite.source)
        equal(stage.b.receive().method, "ACK", "a repeated refusal gets its ACK again")
        check(stage.a.silent(0.2) is None, "and goes no further")
        stage.end()


@case("503 from behind us")
def unavailable():
    with Site() as site:
        stage = Stage(site)
        caller = stage.caller().call()
        stage.arrive(caller).answer(503, "Service Unavailable", headers=["Retry-After: 60"])
        stage.b.expect("ACK")
        answer = caller.expect(500)
        equal(answer.header("Retry-After"), None, "becomes 500: it is not us who are unavailable")
        caller.ack_refusal(answer)
        stage.end()


@case("CANCEL")
def cancel():
    with Site() as site:
        stage = Stage(site)
        caller = stage.caller().call()
        callee = stage.arrive(caller)
        callee.answer(180, "Ringing")
        caller.expect(180)
        caller.cancel(["Reason: SIP;cause=200;text=\"elsewhere\""])
        caller.expect(200, "CANCEL")
        cancelled = stage.b.expect("CANCEL")
        equal(cancelled.all("Via"), callee.invite.all("Via")[:1], "CANCEL has the INVITE's branch")
        equal(cancelled.uri, callee.invite.uri, "and its Request-URI")
        equal(cancelled.header("Reason"), 'SIP;cause=200;text="elsewhere"', "and takes Reason along")
        stage.b.send(sip.response(cancelled, 200, "OK"), cancelled.source)
        callee.answer(487, "Request Terminated")
        stage.b.expect("ACK")
        caller.ack_refusal(caller.expect(487))
        stage.end()


@case("CANCEL before any provisional response")
def early_cancel():
    with Site() as site:
        stage = Stage(site)
        caller = stage.caller().call()
        callee = sip.Callee(stage.b, stage.b.expect("INVITE"))
        caller.cancel()
        caller.expect(200, "CANCEL")
        waiting = [message.method for message in (stage.b.silent(0.02), *stage.b.drain()) if message]
        check("CANCEL" not in waiting, "CANCEL waits for the callee (section 9.1)", waiting)
        callee.answer(180, "Ringing")
        cancelled = stage.b.expect("CANCEL")
        check(cancelled, "and goes out with the first provisional response")
        stage.b.send(sip.response(cancelled, 200, "OK"), cancelled.source)
        callee.answer(487, "Request Terminated")
        caller.ack_refusal(caller.expect(487, provisional=True))
        stage.end()


@case("CANCEL that crosses the answer")
def late_cancel():
    with Site() as site:
        stage = Stage(site)
        caller = stage.caller()
        sip.talk(caller, stage.b)
        caller.cancel()
        caller.expect(200, "CANCEL")
        check(stage.b.silent(0.2) is None, "is answered and changes nothing")
        stage.a.drain()
        sip.hang_up(caller, stage.b)
        caller.cancel()
        stage.end()


@case("a client of RFC 2543")
def without_cookie():
    with Site() as site:
        stage = Stage(site)
        for number, via in enumerate([";branch=1", ""]):
            caller = stage.caller()
            old = f";branch={caller.branch}".encode()

            def aged(data):
                return data.replace(old, via.encode())

            caller.send(aged(caller.invite))
            callee = stage.arrive(caller)
            settle(0.1)
            stage.b.drain()
            caller.send(aged(caller.invite))
            check(stage.b.silent(0.2) is None, f"via \"{via}\": an INVITE again is absorbed")
            caller.send(aged(sip.request(stage.a, "CANCEL", caller.uri, caller.call_id,
                                         caller.from_value, caller.to_value, 1, caller.branch)))
            caller.expect(200, "CANCEL")
            cancelled = stage.b.expect("CANCEL")
            stage.b.send(sip.response(cancelled, 200, "OK"), cancelled.source)
            callee.answer(487, "Request Terminated")
            stage.b.expect("ACK")
            answer = caller.expect(487)
            caller.send(aged(sip.request(stage.a, "ACK", caller.uri, caller.call_id,
                                         caller.from_value, answer.header("To"), 1,
                                         caller.branch)))
            settle(0.2)
            stage.a.drain()
            check(stage.a.silent(0.3) is None, "its ACK is matched", number)
        stage.end()


@case("Timer C")
def timer_c():
    with Site() as site:
        stage = Stage(site, limits={"timer_c": "1s"})
        caller = stage.caller().call()
        callee = stage.arrive(caller)
        callee.answer(180, "Ringing")
        caller.expect(180)
        cancelled = stage.b.expect("CANCEL", seconds=3)
        check(cancelled, "an INVITE that rings too long is cancelled")
        stage.b.send(sip.response(cancelled, 200, "OK"), cancelled.source)
        callee.answer(487, "Request Terminated")
        stage.b.expect("ACK")
        caller.ack_refusal(caller.expect(487))
        equal(stage.daemon.total("timer_c"), 1, "and counted")
        caller = stage.caller().call()
        callee = stage.arrive(caller)
        callee.answer(180, "Ringing")
        stage.b.expect("CANCEL", seconds=3)
        caller.ack_refusal(caller.expect(408, seconds=6, provisional=True))
        check(True, "a callee that ignores the CANCEL makes it 408")
        stage.end()


@case("requests within and without dialogs")
def others():
    with Site() as site:
        stage = Stage(site)
        caller = stage.caller()
        message = sip.request(stage.a, "MESSAGE", caller.uri, caller.call_id, caller.from_value,
                              caller.to_value, 1, body=b"hello")
        stage.a.send(message, stage.daemon.address)
        got = stage.b.expect("MESSAGE")
        equal(got.all("Record-Route"), [], "MESSAGE makes no dialog and gets no Record-Route")
        stage.a.send(message, stage.daemon.address)
        stage.b.drain()
        reply = sip.response(got, 200, "OK")
        stage.b.send(reply, got.source)
        stage.a.expect(200, "MESSAGE")
        stage.a.send(message, stage.daemon.address)
        again = stage.a.receive()
        equal(again and again.status, 200, "a request again gets the answer again")
        odd = sip.request(stage.a, "FROBNICATE", caller.uri, sip.unique(), caller.from_value,
                          caller.to_value, 1)
        stage.a.send(odd, stage.daemon.address)
        got = stage.b.expect("FROBNICATE")
        stage.b.send(sip.response(got, 501, "Not Implemented"), got.source)
        stage.a.expect(501, "FROBNICATE")
        check(True, "an unknown method passes like any other")
        lost = sip.request(stage.a, "INFO", caller.uri, sip.unique(), caller.from_value,
                           caller.to_value, 1)
        stage.a.send(lost, stage.daemon.address)
        check(stage.a.silent(4) is None, "no 408 to what is not an INVITE (RFC 4320)")
        stage.end()


@case("loose and strict routers behind us")
def routers():
    with Site() as site:
        stage = Stage(site)
        for kind, suffix in (("loose", ";lr"), ("strict", "")):
            caller = stage.caller().call()
            callee = stage.arrive(caller)
            beyond = f"<sip:{stage.b.hostport}{suffix}>"
            answer = sip.response(callee.invite, 200, "OK", tag=callee.tag,
                                  contact="desk@192.0.2.77:5070")
            answer = answer.replace(b"Record-Route: ", f"Record-Route: {beyond}\r\nRecord-Route: "
                                    .encode(), 1)
            stage.b.send(answer, callee.invite.source)
            caller.establish(caller.expect(200))
            equal(len(caller.routes), 2, f"{kind}: two Routes")
            caller.ack()
            ack = stage.b.expect("ACK")
            if kind == "loose":
                equal((ack.uri, ack.all("Route")), ("sip:desk@192.0.2.77:5070", [beyond]),
                      "a loose router gets its Route and the contact")
            else:
                equal((ack.uri, ack.all("Route")),
                      (f"sip:{stage.b.hostport}", ["<sip:desk@192.0.2.77:5070>"]),
                      "a strict router gets itself as Request-URI and the contact as Route")
            sip.hang_up(caller, stage.b)
        stage.end()


@case("a strict router before us")
def strict_before():
    with Site() as site:
        stage = Stage(site)
        caller = stage.caller()
        sip.talk(caller, stage.b)
        # Such a router puts our Record-Route into the Request-URI and the contact behind it.
        ours, contact = caller.routes[0], caller.target
        caller.target = sip.uri_of(ours)
        caller.routes = [f"<{contact}>"]
        caller.within("BYE")
        bye = stage.b.expect("BYE")
        equal((bye.uri, bye.all("Route")), (contact, []), "the contact becomes Request-URI again")
        stage.b.send(sip.response(bye, 200, "OK"), bye.source)
        caller.expect(200, "BYE")
        stage.end()


@case("what is refused")
def refusals():
    with Site() as site:
        stage = Stage(site)
        caller = stage.caller().call()
        callee = stage.arrive(caller)
        callee.answer(486, "Busy Here")
        stage.b.expect("ACK")
        caller.ack_refusal(caller.expect(486))
        settle(0.2)
        stage.a.drain()

        # As the callee got it, with the Request-URI that it had before us: it has been round.
        looped = callee.invite.raw.replace(callee.invite.uri.encode(), caller.uri.encode(), 1)
        looped = (b"%s\r\nVia: SIP/2.0/UDP %s;branch=%s\r\n%s" % (
            looped.split(b"\r\n", 1)[0], stage.b.hostport.encode(), sip.unique("z9hG4bK").encode(),
            looped.split(b"\r\n", 1)[1]))
        stage.b.send(looped, stage.daemon.address)
        equal(stage.b.receive().status, 482, "a loop")

        def answered(text, status, *, headers=(), method="INVITE", uri=None, **more):
            data = sip.request(stage.a, method, uri or caller.uri, sip.unique("x"),
                               caller.from_value, caller.to_value, 1, headers=headers, **more)
            stage.a.send(data, stage.daemon.address)
            answer = stage.a.receive()
            equal(answer and answer.status, status, text)
            check(answer and answer.tag("To"), f"{status} has a To-tag")
            return answer

        answered("Max-Forwards 0", 483, max_forwards=0)
        answer = answered("Proxy-Require", 420, headers=["Proxy-Require: foo, bar"])
        equal(answer.header("Unsupported"), "foo, bar", "420 names what is not supported")
        answered("a scheme that is not ours", 416, uri="http://example.net/")
        us = f"sip:{sip.host_port(stage.daemon.address)}"
        answer = answered("OPTIONS to us", 200, method="OPTIONS", uri=us)
        check("INVITE" in (answer.header("Allow") or ""), "is answered with Allow")
        answered("OPTIONS to us at the last hop", 200, method="OPTIONS", uri=us, max_forwards=0)
        check(stage.b.silent(0.1) is None, "nothing of that reached the callee")
        equal(stage.daemon.total("loops"), 2, "loops are counted")
        stage.end()


@case("no route, and no trunk")
def strangers():
    with Site() as site:
        stage = Stage(site, routes=[{"prefix": "+86", "to": "core"}])
        abroad, stranger = sip.Endpoint(site, ABROAD), sip.Endpoint(site, STRANGER)
        caller = sip.Caller(abroad, stage.daemon.address, callee="+4420").call()
        caller.ack_refusal(caller.expect(404))
        check(True, "404 when no route fits")
        for data in (sip.Caller(stranger, stage.daemon.address).invite,
                     sip.request(stranger, "OPTIONS", f"sip:{sip.host_port(stage.daemon.address)}",
                                 sip.unique(), "<sip:a@b>;tag=1", "<sip:c@d>", 1),
                     b"GET / HTTP/1.0\r\n\r\n"):
            stranger.send(data, stage.daemon.address)
        check(stranger.silent(0.3) is None, "an unknown source is met with silence")
        equal(stage.daemon.total("unknown_source"), 3, "and counted")
        stage.end()


checks.main(limit=90)
