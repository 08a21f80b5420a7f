#!/usr/bin/env python3
"""mode: tap: what the tap says of calls is what the inline daemon says of them, live and from a
file; HEP from agents; interfaces that come and go. What needs a network of its own runs in one, and
is skipped where that is not allowed."""

import json
import os
import shutil
import socket
import struct
import subprocess
import time

from lib import capture, checks
from lib.calls import fate
from lib.capture import Call
from lib.checks import Skip, case, check, equal, wait_for
from lib.daemon import CALLEE, CALLER, Daemon
from lib.sip import Endpoint
from lib.site import Process, Site
from lib.tap import NUMBERS, in_own_network, ip, main, may_capture, tap, veth_pair

RULES = """
rules:
  - {id: hint, when: 'caller.number starts_with "+8617"', score: 20, type: spam}
  - {id: loud, when: 'caller.number starts_with "+86171"', score: 45}
  - {id: agent, when: 'message.user_agent contains "scanner"', score: 95, type: robocall}
  - {id: quiet, when: 'caller.number starts_with "+86138"', score: 90, mode: shadow}
policy:
  - {at: 60, do: tag}
  - {at: 90, do: block}
"""

HEP = 9060


# ---- HEP ----------------------------------------------------------------------------------------


def chunk(kind, value):
    return struct.pack(">HHH", 0, kind, 6 + len(value)) + value


def hep(source, destination, seconds, payload, kind=1):
    (source, source_port), (destination, port) = source.split(":"), destination.split(":")
    moment = capture.START + seconds
    chunks = (chunk(1, b"\x02") + chunk(2, b"\x11") + chunk(3, socket.inet_aton(source)) +
              chunk(4, socket.inet_aton(destination)) +
              chunk(7, struct.pack(">H", int(source_port))) +
              chunk(8, struct.pack(">H", int(port))) +
              chunk(9, struct.pack(">I", int(moment))) +
              chunk(10, struct.pack(">I", round((moment - int(moment)) * 1e6))) +
              chunk(11, bytes([kind])) + chunk(15, payload))
    return b"HEP3" + struct.pack(">H", 6 + len(chunks)) + chunks


def calls(site):
    here, there = f"{site.address(CALLER)}:5060", f"{site.address(CALLEE)}:5060"
    ends = {"source": here, "destination": there}
    return [Call(1, "+8613800000001", "+8613700000001", 0, **ends).answered(60),
            Call(2, "+8613900000001", "+8613700000002", 1, **ends).failed(480),
            Call(3, "+8617100000001", "+8613700000003", 2, **ends).answered(2),
            Call(4, "1000", "+8613700000004", 3, agent="friendly-scanner", **ends).failed(486),
            Call(5, "+8613800000002", "+8613700000005", 4, source="192.0.2.1:5060",
                 destination=there).answered(5)]


def reports(site):
    """Every message of the calls as an agent reports it."""
    for seconds, packet in capture.packets_of(calls(site)):
        source = f"{socket.inet_ntoa(packet[12:16])}:{struct.unpack('>H', packet[20:22])[0]}"
        destination = f"{socket.inet_ntoa(packet[16:20])}:{struct.unpack('>H', packet[22:24])[0]}"
        yield hep(source, destination, seconds, packet[28:])


def expect_calls(daemon, events):
    wait_for(lambda: daemon.total("tap_messages") == 29, 5, "29 messages")
    wait_for(lambda: daemon.status()["tap"]["calls"] == 5, 5, "5 calls")
    equal(daemon.total("calls"), 4, "the four of a trunk are judged")
    equal((daemon.total("calls_answered"), daemon.family("verdicts", "block")), (3, 2),
          "answered, blocked")
    seen = {}
    while len(seen) < 4 and (event := events.event(2)) is not None:
        seen[event["call_id"]] = (event["action"], event["would_have"], event["score"])
    equal(seen, {"call-1": ("allow", True, 0), "call-2": ("block", True, 100),
                 "call-3": ("tag", True, 65), "call-4": ("block", True, 95)},
          "events say what would have been")


@case("HEP over UDP")
def hep_udp():
    with Site() as site:
        daemon = tap(site, RULES, hep=f"{site.address(10)}:{HEP}", hep_sources=[site.address(20)])
        events = daemon.stats(events=True)
        agent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        agent.bind((site.address(20), 0))
        for report in reports(site):
            agent.sendto(report, (site.address(10), HEP))
        expect_calls(daemon, events)
        equal(daemon.total("tap_hep"), 29, "29 reports")
        agent.sendto(b"HEP3\x00\x05", (site.address(10), HEP))
        agent.sendto(b"nonsense", (site.address(10), HEP))
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stranger.bind((site.address(21), 0))
        stranger.sendto(next(reports(site)), (site.address(10), HEP))
        daemon.wait_total("tap_hep_refused", 3)
        equal(daemon.total("tap_hep"), 29, "strangers and nonsense are refused")
        equal(daemon.status()["mode"], "tap", "status says so")
        status, text = daemon.cli("explain", "call-2")
        check(status == 1 and "no call is kept" in text, "explain says that no call is kept", text)
        daemon.stop()


@case("HEP over TCP, cut anywhere")
def hep_tcp():
    with Site() as site:
        daemon = tap(site, RULES, hep=f"{site.address(10)}:{HEP}", hep_sources=[site.address(20)])
        events = daemon.stats(events=True)
        agent = socket.create_connection((site.address(10), HEP),
                                         source_address=(site.address(20), 0))
        agent.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = b"".join(reports(site))
        for at in range(0, len(stream), 777):
            agent.sendall(stream[at:at + 777])
            time.sleep(0.002)
        expect_calls(daemon, events)
        agent.sendall(b"GET / HTTP/1.1\r\n\r\n")
        agent.settimeout(5 * checks.SLOW)
        equal(agent.recv(1), b"", "what is no HEP ends the connection")
        with socket.create_connection((site.address(10), HEP),
                                      source_address=(site.address(21), 0)) as stranger:
            stranger.settimeout(5 * checks.SLOW)
            try:
                closed = stranger.recv(1) == b""
            except ConnectionResetError:
                closed = True
            check(closed, "strangers are not heard")
        daemon.stop()


@case("a reload changes rules and the trunk that is assumed")
def reload():
    with Site() as site:
        daemon = tap(site, RULES, hep=f"{site.address(10)}:{HEP}", hep_sources=[site.address(20)])
        agent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        agent.bind((site.address(20), 0))
        daemon.settings["tap"]["trunk"] = "abroad"
        daemon.write()
        site.write("rules.yaml", RULES.replace("score: 45", "score: 75"))
        equal(daemon.cli("reload")[0], 0, "reloaded")
        for report in reports(site):
            agent.sendto(report, (site.address(10), HEP))
        wait_for(lambda: daemon.total("calls") == 5, 5, "an unknown source is judged by its trunk")
        equal(daemon.family("verdicts", "block"), 3, "by the new rules")
        daemon.stop()


@case("settings that cannot be")
def settings():
    with Site() as site:
        for section, words in (({}, "without anything to listen to"),
                               ({"hep": "127.0.0.1:9060"}, "hep_sources"),
                               ({"interfaces": ["lo"], "ports": ["x"]}, "is no port")):
            try:
                tap(site, RULES, **section)
                check(False, f"{section} is refused")
            except checks.Failure as failure:
                check(words in str(failure), f"{section} is refused: {words}", failure)
        if os.geteuid() == 0:
            try:
                tap(site, RULES, interfaces=["lo"], filter="port port")
                check(False, "a wrong filter is refused")
            except checks.Failure as failure:
                check("port port" in str(failure), "a wrong filter is refused", failure)


# ---- beside the inline daemon -------------------------------------------------------------------


def verdicts(events, count):
    """By Call-ID: what was decided, and which rules fired."""
    found = {}
    while len(found) < count and (event := events.event(3)) is not None:
        found[event["call_id"]] = (event["action"], event["score"], event["reason"],
                                   sorted(rule["id"] for rule in event["rules"]))
    return found


@case("the tap's verdicts are the inline daemon's, live and from a file")
def beside_inline():
    may_capture()
    with Site() as site:
        host = f"host {site.address(CALLER)} or host {site.address(CALLEE)}"
        inline = Daemon(site, rules=RULES, name="inline",
                        reputation={"csv": site.write("numbers.csv", NUMBERS)})
        listening = tap(site, RULES, interfaces=["lo"], filter=host)
        path = site.path("run.pcap")
        if shutil.which("dumpcap"):
            recorder = Process(site, "dumpcap", ["dumpcap", "-q", "-i", "lo", "-f", host, "-w",
                                                 path])
            wait_for(lambda: os.path.exists(path) and os.path.getsize(path) > 0, 10)
            time.sleep(0.5)
        expected, seen = inline.stats(events=True), listening.stats(events=True)
        here, there = Endpoint(site, site.address(CALLER)), Endpoint(site, site.address(CALLEE))
        numbers = ["+8613900000001", "+8613911112222", "+8617200000001", "+8617100000001",
                   "+8613800000001", "anonymous", "+8613900000001"]
        for number in numbers:
            fate(inline, number, here, there)
        wanted = verdicts(expected, 5)
        equal(verdicts(seen, 5), wanted, "live, call by call")
        equal(len(wanted), 5, "five of them have an event")
        wait_for(lambda: listening.status()["tap"]["calls"] == len(numbers), 3,
                 "each call once, on two legs")
        check(listening.total("tap_kernel_dropped") == 0, "nothing dropped")
        if not shutil.which("dumpcap"):
            return
        time.sleep(0.5)
        recorder.signal(2)
        recorder.wait(10)
        run = subprocess.run([checks.program("ringfence"), "-c", inline.config_path, "replay",
                              "--json", path], capture_output=True, text=True, check=False)
        lines = [json.loads(line) for line in run.stdout.splitlines()]
        replayed = {line["call_id"]: (line["action"], line["score"], line["reason"],
                                      sorted(rule["id"] for rule in line["rules"]))
                    for line in lines if line["type"] == "call"}
        equal({key: replayed.get(key) for key in wanted}, wanted, "from a file, call by call")
        equal(len(replayed), len(numbers), "each call once")
        listening.stop()
        inline.stop()


# ---- Kamailio's siptrace ------------------------------------------------------------------------

KAMAILIO = """\
debug=0
log_stderror=yes
children=1
auto_aliases=no
listen=udp:{here}:5060
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "pv.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "siptrace.so"
modparam("siptrace", "duplicate_uri", "sip:{tap}:{port}")
modparam("siptrace", "send_sock_addr", "sip:{here}:5061")
modparam("siptrace", "hep_mode_on", 1)
modparam("siptrace", "hep_version", 3)
modparam("siptrace", "trace_to_database", 0)
modparam("siptrace", "trace_on", 1)
modparam("siptrace", "trace_mode", 1)
listen=udp:{here}:5061
request_route {{
    if (method == "ACK" && !t_check_trans()) exit;
    $du = "sip:{there}:5060";
    t_relay();
}}
"""


class Proxy:
    def __init__(self, address):
        self.address = (address, 5060)


@case("what Kamailio's siptrace reports is what passes through it")
def kamailio():
    modules = "/usr/lib/x86_64-linux-gnu/kamailio/modules/siptrace.so"
    if not shutil.which("kamailio") or not os.path.exists(modules):
        raise Skip("no Kamailio with siptrace")
    may_capture()
    with Site() as site:
        here = site.address(30)
        agents = tap(site, RULES, hep=f"{site.address(10)}:{HEP}", hep_sources=[here])
        wire = tap(site, RULES, name="wire", interfaces=["lo"], ports=["5060"], trunk="core",
                   filter=f"host {here} and udp port 5060 and not host {site.address(10)}")
        site.write("kamailio.cfg", KAMAILIO.format(here=here, tap=site.address(10), port=HEP,
                                                   there=site.address(CALLEE)))
        Process(site, "kamailio", ["kamailio", "-DD", "-E", "-f", site.path("kamailio.cfg"), "-Y",
                                   site.folder, "-P", site.path("kamailio.pid")])
        time.sleep(2 * checks.SLOW)
        here, there = Endpoint(site, site.address(CALLER)), Endpoint(site, site.address(CALLEE))
        for number in range(20):
            fate(Proxy(site.address(30)), f"+861391111{number:04}", here, there)
        wait_for(lambda: agents.status()["tap"]["calls"] == 20, 5, "20 calls by HEP")
        wait_for(lambda: wire.status()["tap"]["calls"] == 20, 5, "20 calls on the wire")
        time.sleep(0.6)
        by_agent, by_wire = agents.status()["tap"], wire.status()["tap"]
        equal({key: by_agent[key] for key in ("messages", "other_leg", "invites", "calls")},
              {key: by_wire[key] for key in ("messages", "other_leg", "invites", "calls")},
              "HEP and wire agree")
        equal(agents.total("tap_hep"),
              by_agent["messages"] + by_agent["other_leg"] + by_agent["duplicates"],
              "every report counted")


# ---- a network of its own -----------------------------------------------------------------------


def ethernet(packet):
    return bytes(6) + b"\x02" + bytes(5) + b"\x08\x00" + packet


def inject(interface, packets):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((interface, 0))
        for packet in packets:
            wire.send(ethernet(packet))


def two_interfaces(site):
    """Each packet is seen where it goes out and where it comes in."""
    daemon = tap(site, RULES, name="both", interfaces=["rfa", "rfb"])
    packets = [packet for _, packet in capture.packets_of(calls(site))]
    inject("rfa", packets[:-1])
    inject("rfa", capture.fragments(packets[-1]))
    wait_for(lambda: daemon.status()["tap"]["fragments_repeated"] > 0, 5)
    wait_for(lambda: [shown["received"] for shown in daemon.status()["interfaces"]] ==
             [daemon.status()["tap"]["packets"] // 2] * 2, 5, "both interfaces are heard")
    seen = daemon.status()["tap"]
    equal((seen["messages"], seen["calls"], seen["other_leg"]), (len(packets), 5, 0),
          "each message and each call once")
    equal((seen["duplicates"], seen["fragments_joined"], seen["fragments_repeated"]),
          (len(packets) - 1, 1, seen["fragments"] // 2), "every copy is counted")
    daemon.stop()


def state(daemon):
    return daemon.status()["interfaces"][0]["state"]


def in_network_of_its_own():
    veth_pair("rfa", "rfb")
    with Site() as site:
        two_interfaces(site)
        daemon = tap(site, RULES, interfaces=["rfb"], ports=["5060"])
        events = daemon.stats(events=True)
        packets = [packet for _, packet in capture.packets_of(calls(site))]
        inject("rfa", packets)
        expect_calls(daemon, events)
        inject("rfa", capture.fragments(Call(9, "+8617100000009", "+8613700000009", 100,
                                    source=f"{site.address(CALLER)}:5060",
                                    destination=f"{site.address(CALLEE)}:5060")
                               .request(0, "INVITE").packets[0][1]))
        wait_for(lambda: daemon.total("calls") == 5, 3, "fragments come through the filter")
        equal(state(daemon), "listening", "listening")
        ip("link", "set", "rfb", "down")
        wait_for(lambda: state(daemon) == "down", 3, "set down: status says so")
        ip("link", "set", "rfb", "up")
        wait_for(lambda: state(daemon) == "listening", 3, "and up")
        ip("link", "delete", "rfa")
        wait_for(lambda: state(daemon) == "waiting for it", 3, "gone: status says so")
        equal(daemon.total("tap_interface_lost"), 1, "counted")
        veth_pair("rfa", "rfb")
        wait_for(lambda: state(daemon) == "listening", 5, "there again")
        before = daemon.total("tap_messages")
        time.sleep(0.3)
        inject("rfa", [Call(10, "+8613800000010", "+8613700000010", 200,
                            source=f"{site.address(CALLER)}:5060",
                            destination=f"{site.address(CALLEE)}:5060")
                       .request(0, "INVITE").packets[0][1]])
        wait_for(lambda: daemon.total("tap_messages") == before + 1, 3, "and heard")
        with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as file:
            rights = [line.split()[1] for line in file if line.startswith(("CapEff", "CapPrm"))]
        equal(rights, ["0000000000002000"] * 2, "no right but CAP_NET_RAW is left")
        daemon.stop()


@case("interfaces: fragments, down, gone, back, rights")
def interfaces():
    in_own_network(__file__)


main(in_network_of_its_own, limit=90)
