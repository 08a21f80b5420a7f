"""Capture files, written from SIP texts."""

import struct

ETHERNET, RAW_IP = 1, 101
START = 1795000000  # 2026-11-18 11:06:40 UTC


def _checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def _address(text):
    return bytes(int(part) for part in text.split("."))


def udp(source, destination, payload):
    """An IPv4 packet; addresses are "10.0.0.1:5060"."""
    (source, source_port), (destination, port) = source.split(":"), destination.split(":")
    datagram = struct.pack(">HHHH", int(source_port), int(port), 8 + len(payload), 0) + payload
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 1, 0, 64, 17, 0,
                       _address(source), _address(destination))
    return head[:10] + struct.pack(">H", _checksum(head)) + head[12:] + datagram


def fragments(packet, size=96):
    """An IPv4 packet in pieces."""
    head, payload = packet[:20], packet[20:]
    for at in range(0, len(payload), size):
        part = payload[at:at + size]
        more = 0x2000 if at + size < len(payload) else 0
        yield (head[:2] + struct.pack(">H", 20 + len(part)) + head[4:6] +
               struct.pack(">H", more | at // 8) + head[8:] + part)


def read(path):
    """The packets of a capture (pcap, little-endian)."""
    with open(path, "rb") as file:
        file.read(24)
        while head := file.read(16):
            yield file.read(struct.unpack("<IIII", head)[2])


def write(path, packets, link=RAW_IP):
    """packets: (seconds since START, bytes), in order."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, link))
        for seconds, packet in packets:
            whole = int(seconds)
            file.write(struct.pack("<IIII", START + whole, round((seconds - whole) * 1e6),
                                   len(packet), len(packet)))
            file.write(packet)


class Call:
    """The messages of one call between two addresses."""

    def __init__(self, number, caller, callee, at=0.0, source="10.1.0.1:5060",
                 destination="10.2.0.1:5060", agent=None):
        self.number = number
        self.caller = caller
        self.callee = callee
        self.at = at
        self.ends = (source, destination)
        self.agent = agent
        self.packets = []

    def _message(self, start, method, cseq, branch, tagged):
        lines = [start, f"Via: SIP/2.0/UDP {self.ends[0]};branch=z9hG4bK{self.number}-{branch}",
                 f"From: <sip:{self.caller}@{self.ends[0]}>;tag=a{self.number}",
                 f"To: <sip:{self.callee}@{self.ends[1]}>" + (f";tag=b{self.number}" if tagged
                                                              else ""),
                 f"Call-ID: call-{self.number}", f"CSeq: {cseq} {method}", "Max-Forwards: 70"]
        if self.agent and method == "INVITE":
            lines.append(f"User-Agent: {self.agent}")
        return ("\r\n".join(lines) + "\r\nContent-Length: 0\r\n\r\n").encode()

    def request(self, after, method, cseq=1, branch=1, tagged=False):
        text = self._message(f"{method} sip:{self.callee}@{self.ends[1]} SIP/2.0", method, cseq,
                             branch, tagged)
        self.packets.append((self.at + after, udp(*self.ends, text)))
        return self

    def response(self, after, status, method="INVITE", cseq=1, branch=1):
        text = self._message(f"SIP/2.0 {status} x", method, cseq, branch, status > 100)
        self.packets.append((self.at + after, udp(self.ends[1], self.ends[0], text)))
        return self

    def answered(self, talk):
        self.request(0, "INVITE").response(0.01, 100).response(1, 180).response(3, 200)
        self.request(3.01, "ACK", branch=2, tagged=True)
        self.request(3 + talk, "BYE", cseq=2, branch=3, tagged=True)
        return self.response(3.01 + talk, 200, "BYE", cseq=2, branch=3)

    def failed(self, status):
        self.request(0, "INVITE").response(0.01, 100).response(2, status)
        return self.request(2.01, "ACK", tagged=True)


def packets_of(calls):
    return sorted((packet for call in calls for packet in call.packets), key=lambda one: one[0])
