#!/usr/bin/env python3
"""kill -9 with calls up and ringing, and what a restarted daemon owes them; forged messages.

--long: 500 calls up and 500 ringing instead of 48 and 48.
"""

from lib import checks, sip
from lib.checks import LONG, case, check, equal
from lib.daemon import CALLEE, CALLER, Daemon
from lib.site import Site

COUNT = 500 if LONG else 48


class Stage:
    """Many calls of one caller's endpoint to one callee's."""

    def __init__(self, site):
        # Retransmissions by the daemon would only hide what got through: the times are the standard's.
        self.daemon = Daemon(site, limits={"t1": "500ms"})
        self.a = sip.Endpoint(site, CALLER)
        self.b = sip.Endpoint(site, CALLEE)
        self.callers = {}
        self.callees = {}

    def ring(self, count):
        """Places calls and lets them ring; the callers."""
        callers = [sip.Caller(self.a, self.daemon.address) for _ in range(count)]
        for at in range(0, count, 50):
            part = callers[at:at + 50]
            for caller in part:
                self.callers[caller.call_id] = caller
                caller.call()
            invites = self.b.collect("INVITE", len(part))
            for call_id, invite in invites.items():
                self.callees[call_id] = sip.Callee(self.b, invite)
                self.callees[call_id].answer(180, "Ringing")
            if len(self.a.collect(180, len(part))) != len(part):
                raise checks.Failure("not every call rings")
        return callers

    def answer(self, callers):
        """Answers them; how many answers and ACKs got through."""
        for caller in callers:
            self.callees[caller.call_id].answer(200, "OK")
        answers = self.a.collect(200, len(callers), "INVITE")
        for call_id, answer in answers.items():
            self.callers[call_id].establish(answer)
            self.callers[call_id].ack()
        return len(answers), len(self.b.collect("ACK", len(callers)))

    def callers_hang_up(self, callers):
        """How many BYEs and their answers got through."""
        for caller in callers:
            caller.within("BYE")
        byes = self.b.collect("BYE", len(callers))
        for bye in byes.values():
            self.b.send(sip.response(bye, 200, "OK"), bye.source)
        return len(byes), len(self.a.collect(200, len(callers), "BYE"))

    def callees_hang_up(self, callers):
        for caller in callers:
            self.callees[caller.call_id].within("BYE")
        byes = self.a.collect("BYE", len(callers))
        for bye in byes.values():
            self.a.send(sip.response(bye, 200, "OK"), bye.source)
        return len(byes), len(self.b.collect(200, len(callers), "BYE"))


@case("restart")
def restart():
    with Site() as site:
        stage = Stage(site)
        up = stage.ring(COUNT)
        equal(stage.answer(up), (COUNT, COUNT), f"{COUNT} calls are up")
        ringing = stage.ring(COUNT)
        equal(stage.daemon.status()["calls_held"], 2 * COUNT, f"and {COUNT} more ring")
        stage.daemon.kill()
        stage.a.drain()
        stage.b.drain()
        stage.daemon.start()
        equal(stage.daemon.status()["calls_held"], 0, "after kill -9 the daemon knows no call")

        quarter = COUNT // 4
        whole = (quarter, quarter)
        answered, repeated, cancelled, refused = (
            ringing[at * quarter:(at + 1) * quarter] for at in range(4))

        equal(stage.answer(answered), whole, "200 and ACK of ringing calls get through")
        equal(stage.callers_hang_up(answered), whole, "and BYE and its 200")

        for caller in repeated:
            caller.call()
        again = stage.b.collect("INVITE", quarter)
        same = sum(1 for call_id, invite in again.items()
                   if invite.all("Via")[0] == stage.callees[call_id].invite.all("Via")[0])
        equal((len(again), same), whole,
              "INVITE retransmissions get through as such: with the branch that they had")
        equal(stage.answer(repeated), whole, "and are answered and acknowledged")
        equal(stage.callees_hang_up(repeated), whole, "BYE of the called side gets through")

        for caller in cancelled:
            caller.cancel()
        cancels = stage.b.collect("CANCEL", quarter)
        same = sum(1 for call_id, cancel in cancels.items()
                   if cancel.all("Via")[0] == stage.callees[call_id].invite.all("Via")[0])
        equal((len(cancels), same), whole, "CANCEL gets through with its INVITE's branch")
        for call_id, cancel in cancels.items():
            stage.b.send(sip.response(cancel, 200, "OK"), cancel.source)
        equal(len(stage.a.collect(200, quarter, "CANCEL")), quarter, "so does its 200")
        for caller in cancelled:
            stage.callees[caller.call_id].answer(487, "Request Terminated")
        equal(acknowledge_refusals(stage, 487, quarter), whole, "and 487 and its ACK")

        for caller in refused:
            stage.callees[caller.call_id].answer(486, "Busy Here")
        equal(acknowledge_refusals(stage, 486, quarter), whole, "and 486 and its ACK")

        half = COUNT // 2
        equal(stage.callers_hang_up(up[:half]), (half, half), "calls that were up end by the caller")
        equal(stage.callees_hang_up(up[half:]), (half, half), "and by the callee")
        totals = stage.daemon.counts()["totals"]
        equal((totals["stray_responses"], totals["forged_routes"], totals["stray_acks"]), (0, 0, 0),
              "nothing of it was taken for forged")
        check(stage.daemon.wait_quiet(10), "no transaction and no call is left",
              stage.daemon.status())
        stage.daemon.stop()


def acknowledge_refusals(stage, status, count):
    answers = stage.a.collect(status, count)
    for call_id, answer in answers.items():
        stage.callers[call_id].ack_refusal(answer)
    acks = stage.b.collect("ACK", count)
    same = sum(1 for call_id, ack in acks.items()
               if ack.all("Via")[0] == stage.callees[call_id].invite.all("Via")[0])
    return len(answers), same


@case("forged requests")
def forged_requests():
    with Site() as site:
        stage = Stage(site)
        victim, = stage.ring(1)
        stage.answer([victim])
        forger = sip.Caller(stage.a, stage.daemon.address)
        forger.to_value = f"<{forger.uri}>;tag=made-up"
        here = sip.host_port(stage.daemon.address)

        def refused(text, method="BYE", status=403):
            forger.within(method)
            answer = stage.a.receive()
            equal((answer and answer.status, stage.b.silent(0.1)), (status, None), text)

        forger.target = f"sip:x@{stage.b.hostport}"
        forger.routes = [f"<sip:{here};lr>"]
        refused("BYE with a To-tag and a Route of ours without a mark: 403")
        forger.routes = [f"<sip:{here};lr;rf={'0' * 32}>"]
        refused("with a made-up mark: 403")
        forger.routes = victim.routes
        refused("with the mark of another call: 403")
        refused("INFO likewise", "INFO")
        forger.routes = [f"<sip:{stage.b.hostport};lr>"]
        refused("with a Route of somebody else alone: 403")
        forger.routes = []
        refused("with no Route at all: 403")
        forger.routes = [f"<sip:{here};lr;rf={'0' * 32}>"]
        forger.ack()
        check(stage.b.silent(0.2) is None and stage.a.silent(0) is None, "an ACK is dropped")
        totals = stage.daemon.counts()["totals"]
        check(totals["forged_routes"] >= 5 and totals["stray_acks"] == 1, "they are counted", totals)

        calls = stage.daemon.total("calls")
        forger.target = f"sip:+861065550000@{here}"
        forger.within("INVITE")
        invite = stage.b.expect("INVITE")
        equal((invite.uri, len(invite.all("Record-Route")), stage.daemon.total("calls")),
              (f"sip:+861065550000@{stage.b.hostport}", 1, calls + 1),
              "an INVITE is screened as a new call and goes where the table says")
        sip.Callee(stage.b, invite).answer(486, "Busy Here", tag="made-up")
        stage.b.expect("ACK")
        forger.expect(486)
        forger.routes = ["<sip:192.0.2.9;lr>"]
        refused("an INVITE with a Route to a stranger: 403", "INVITE")

        target, victim.target = victim.target, "sip:desk@192.0.2.9"
        victim.within("INFO")
        equal(stage.a.expect(403, "INFO").status, 403, "not even a true mark leads to a stranger")
        equal(stage.daemon.total("foreign_next_hop"), 2, "strangers as next hops are counted")
        victim.target = target
        equal(stage.callers_hang_up([victim]), (1, 1), "the true call ends in order")
        stage.daemon.stop()


@case("forged responses")
def forged_responses():
    with Site() as site:
        stage = Stage(site)
        caller, = stage.ring(1)
        callee = stage.callees[caller.call_id]
        ours, theirs = callee.invite.all("Via")
        true = callee.answer(180, "Ringing")
        caller.expect(180)
        branch = sip.parameter(ours, "branch")
        changed = branch[:-1] + ("0" if branch[-1] != "0" else "1")
        hosted = theirs.replace(stage.a.hostport, stage.b.hostport)
        forged = {
            "a made-up branch": (branch, "z9hG4bKwhatever"),
            "a branch of our form": (branch, "z9hG4bKrf00" + 24 * "0"),
            "a mark that is off by a digit": (branch, changed),
        }
        for text, (old, new) in forged.items():
            stage.b.send(true.replace(old.encode(), new.encode()), stage.daemon.address)
            check(stage.a.silent(0.1) is None, f"a response with {text} is dropped")
        equal(stage.daemon.total("stray_responses"), 3, "and counted")

        # Without the transaction, all that the mark covers must be as it was.
        stage.daemon.kill()
        stage.daemon.start()
        forged = {
            "another CSeq": ("1 INVITE", "7 INVITE"),
            "another Call-ID": (caller.call_id, "somebody-elses"),
            "another From-tag": (caller.tag, "somebody-elses"),
            "another branch below ours": (caller.branch, "z9hG4bKsomebody-elses"),
        }
        for text, (old, new) in forged.items():
            stage.b.send(true.replace(old.encode(), new.encode()), stage.daemon.address)
            check(stage.a.silent(0.1) is None, f"after a restart {text} is dropped")
        stage.b.send(true.replace(theirs.encode(), hosted.encode()), stage.daemon.address)
        check(stage.b.silent(0.2) is None and stage.a.silent(0) is None,
              "nor does a true branch send a response to a Via of somebody's choice")
        stage.b.send(true, stage.daemon.address)
        again = stage.a.receive()
        equal(again and again.status, 180, "the true one still gets through")
        stage.daemon.stop()


checks.main(limit=240 if LONG else 60)
