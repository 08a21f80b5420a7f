#!/usr/bin/env python3
"""The shared captures, played by tcpreplay into a pair of interfaces: what the tap hears has the
counts that the files have. And what the kernel drops is told."""

import os
import shutil
import signal
import struct
import subprocess

from lib import capture, checks, shared_captures
from lib.capture import Call
from lib.checks import Skip, case, check, equal, wait_for
from lib.site import Site
from lib.tap import in_own_network, main, tap, veth_pair

# A call that is in another capture too would not be a new one: other daemons hear these.
AGAIN = (("sip.vlan100.pcap", "sip-tcp.pcap", "sip_header_multi_val.pcap"), ("sip_reqs.pcap",))
# Further apart than what two interfaces see at once, so that retransmissions stay such.
GAP = 0.06


def paced(site, path):
    """A copy on a clock of its own, in which hours of silence are left out."""
    name = os.path.basename(path)
    plain = site.path(f"plain-{name}")
    subprocess.run(["editcap", "-F", "pcap", path, plain], check=True, capture_output=True)
    packets, seconds = [], 0.0
    for packet in capture.read(plain):
        seconds += GAP if b"SIP/2.0" in packet else 0.0002
        packets.append((seconds, packet))
    copy = site.path(f"paced-{name}")
    capture.write(copy, packets, capture.ETHERNET)
    return copy, len(packets)


def play(daemon, path, packets, interface="rfa"):
    """What the daemon counts of it: messages, INVITE requests, calls."""
    before = daemon.status()["tap"]
    subprocess.run(["tcpreplay", "-q", "-i", interface, path], check=True, capture_output=True)
    wait_for(lambda: daemon.status()["tap"]["packets"] >= before["packets"] + packets, 5)
    after = daemon.status()["tap"]
    difference = {key: after[key] - before[key]
                  for key in ("packets", "messages", "invites", "calls", "calls_begun_before")}
    equal(difference["packets"], packets, f"{os.path.basename(path)}: every packet")
    return (difference["messages"], difference["invites"],
            difference["calls"] - difference["calls_begun_before"])


def rounds():
    """The captures in groups, no call in two of one group."""
    later = [name for names in AGAIN for name in names]
    paths = {os.path.basename(path): path for path in shared_captures.paths()}
    yield [path for name, path in paths.items() if name not in later]
    for names in AGAIN:
        yield [paths[name] for name in names if name in paths]


def shared(site):
    for number, group in enumerate(rounds()):
        daemon = tap(site, "rules: []\n", name=f"tap-{number}", interfaces=["rfb"])
        for path in group:
            name = os.path.basename(path)
            equal(play(daemon, *paced(site, path)), shared_captures.COUNTS.get(name),
                  f"{name}: as from the file")
        equal(daemon.status()["interfaces"][0]["dropped"], 0, "nothing dropped")
        daemon.stop()


# ---- what the filter of ports lets through ------------------------------------------------------


def tagged(packet, *tags):
    """Ethernet around an IPv4 packet; tags: (type, VLAN), the outermost first."""
    head = bytes(6) + b"\x02" + bytes(5)
    return head + b"".join(struct.pack(">HH", *tag) for tag in tags) + b"\x08\x00" + packet


def forms():
    """The same INVITE of other calls, whole and in fragments, behind tags."""
    layers = {"plain": (), "VLAN": ((0x8100, 100),), "QinQ": ((0x88a8, 7), (0x8100, 100))}
    for number, (name, tags) in enumerate(layers.items()):
        for pieces in (False, True):
            call = Call(10 * number + pieces, "+8613800000001", "+8613700000001",
                        source="10.1.0.1:5080", destination="10.2.0.1:5080")
            packet = call.request(0, "INVITE").packets[0][1]
            parts = capture.fragments(packet) if pieces else [packet]
            yield f"{name}, {'fragments' if pieces else 'whole'}", [tagged(part, *tags)
                                                                   for part in parts]


def filtered(site):
    daemon = tap(site, "rules: []\n", name="filtered", interfaces=["rfb"], ports=["5080"])
    for number, (name, packets) in enumerate(forms()):
        path = site.path("form.pcap")
        capture.write(path, [(index * 0.001, packet) for index, packet in enumerate(packets)],
                      capture.ETHERNET)
        equal(play(daemon, path, len(packets)), (1, 1, 1), f"{number + 1}. {name}")
    daemon.stop()


# ---- drops --------------------------------------------------------------------------------------


def dropped(site):
    """A stopped daemon reads nothing, so its buffer fills."""
    daemon = tap(site, "rules: []\n", name="slow", interfaces=["rfb"], buffer="1M")
    path = site.path("flood.pcap")
    flood = [(index / 1e6, tagged(capture.udp("10.1.0.1:9", "10.2.0.1:9", bytes(1400))))
             for index in range(3000)]
    capture.write(path, flood, capture.ETHERNET)
    daemon.process.signal(signal.SIGSTOP)
    subprocess.run(["tcpreplay", "-q", "-t", "-i", "rfa", path], check=True, capture_output=True)
    daemon.process.signal(signal.SIGCONT)
    check(daemon.wait_total("tap_kernel_dropped", 1, 5), "what did not fit is counted")
    shown = daemon.status()["interfaces"][0]
    equal(shown["dropped"], daemon.total("tap_kernel_dropped"), "by interface too")
    wait_for(lambda: daemon.status()["tap"]["packets"] + shown["dropped"] == len(flood), 5,
             "and with what was read that is all there was")
    daemon.stop()


def inside():
    veth_pair("rfa", "rfb")
    with Site() as site:
        if os.path.isdir(shared_captures.FOLDER):
            shared(site)
        filtered(site)
        dropped(site)


@case("live as from the file")
def live():
    if not shutil.which("tcpreplay") or not shutil.which("editcap"):
        raise Skip("no tcpreplay and editcap")
    in_own_network(__file__)


main(inside, limit=90)
