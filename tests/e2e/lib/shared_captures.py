"""The shared captures, what is in them, and what tshark says that there is."""

import glob
import os
import subprocess

from .checks import DATA, Skip

FOLDER = os.path.join(DATA, "captures")

# Messages, INVITE requests and calls of each.
COUNTS = {
    "aaa.pcap": (81, 11, 4),
    "http_on_sip_port.pcap": (0, 0, 0),
    "input.pcap": (2, 0, 0),
    "invalid-content-length.pcap": (2, 1, 1),
    "ipip.pcap": (4, 1, 1),
    "mgcp.pcap": (0, 0, 0),
    "public-cloudshark-sip-s0.pcap": (10, 2, 2),
    "sdp.pcap": (1, 0, 0),
    "sip-tcp-method__sip-tcp.vlan100.pcap": (2, 0, 0),
    "sip-tcp.pcap": (2, 0, 0),
    "sip.vlan100.pcap": (81, 11, 4),
    "sip_compact_form.pcap": (1, 1, 1),
    "sip_header_multi_val.pcap": (1, 1, 1),
    "sip_hello.pcapng": (8, 0, 0),
    "sip_non_default_port.pcap": (2, 1, 1),
    "sip_not_sdp.pcap": (1, 0, 0),
    "sip_reqs.pcap": (4, 1, 1),
    "sip_resp.pcap": (7, 0, 0),
}

# What tshark counts otherwise, and why.
DIFFERENCES = {
    "http_on_sip_port.pcap": "HTTP on port 5060, which tshark takes for SIP by the port",
}


def paths():
    if not os.path.isdir(FOLDER):
        raise Skip("no shared captures")
    return sorted(glob.glob(os.path.join(FOLDER, "*.pcap*")))


def tshark(path):
    """Messages, INVITE requests and calls by tshark; a frame may hold several messages."""
    fields = ["sip.Request-Line", "sip.Status-Line", "sip.Method", "sip.Call-ID", "sip.from.tag",
              "sip.to.tag"]
    command = ["tshark", "-r", path, "-Y", "sip", "-T", "fields", "-E", "aggregator=|"]
    for field in fields:
        command += ["-e", field]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    messages, invites, found = 0, 0, set()
    for line in output.splitlines():
        requests, responses, method, call_id, tag, to_tag = (line.split("\t") + [""] * 6)[:6]
        messages += len(requests.split("|")) if requests else 0
        messages += len(responses.split("|")) if responses else 0
        for one in method.split("|"):
            invites += one == "INVITE"
        if method == "INVITE" and not to_tag:
            found.add((call_id, tag))
        messages += 1 if not requests and not responses else 0
    return messages, invites, len(found)
