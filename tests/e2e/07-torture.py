#!/usr/bin/env python3
"""The torture messages of RFC 4475 and RFC 5118, as ../shared/data/torture/*/expected.tsv says.

Prints a table: file, expected, got, verdict. Each message comes from a trunk of its own call, and
whatever is forwarded must be forwarded byte for byte but for what a proxy owes to write.
"""

import os
import re

from lib import checks, sip
from lib.checks import DATA, Skip, case, check
from lib.daemon import CALLEE, CALLER, Daemon
from lib.site import Site

FOLDER = os.path.join(DATA, "torture")

# What counts as expected where the sheet leaves a choice, or says it in words that the reading of
# wanted() below does not catch. "forward", "drop", or a status.
CHOICES = {
    # Responses of transactions that never were: dropped whatever else is said of them.
    "unreason.dat": {"drop"},
    "noreason.dat": {"drop"},
    # Within a dialog that we did not admit (DESIGN section 2): its To-tag has no mark of ours.
    "via-received-param-no-delim": {"forward", "403"},
    "ipv6-good": {"forward"},
    "port-unambiguous": {"forward"},
    "ipv6-correct-abnf-2-colons": {"forward"},
}


def wanted(name, behaviour, never):
    """The outcomes that the sheet allows."""
    if name in CHOICES:
        return CHOICES[name]
    text = behaviour.lower()
    found = set(re.findall(r"\b[456]\d\d\b", re.sub(r"\([^)]*\)", "", text)))
    if "forward" in text or "accept" in text:
        found.add("forward")
    if "drop" in text:
        found.add("drop")
    if "never forward" in never.lower() and "bracket" not in never and "sp" not in never.lower():
        found.discard("forward")
    return found


def sheets():
    """(path, expected behaviour, what must never be) of each message."""
    rows = []
    for folder in sorted(os.listdir(FOLDER)):
        with open(os.path.join(FOLDER, folder, "expected.tsv"), encoding="utf-8") as sheet:
            head = sheet.readline().rstrip("\n").split("\t")
            behaviour = next(at for at, name in enumerate(head) if name.startswith("expected"))
            for line in sheet:
                cells = line.rstrip("\n").split("\t")
                never = cells[behaviour + 1] if len(cells) > behaviour + 1 else ""
                rows.append((os.path.join(FOLDER, folder, cells[0]), cells[behaviour], never))
    return rows


def read_message(path):
    """The message as it is on the wire.

    The archive of RFC 5118 has lost its CRs and the empty line behind headers without a body, its
    Content-Lengths fit no form of its bodies (which by RFC 3261 section 18.3 would be all that
    matters).
    """
    with open(path, "rb") as file:
        raw = file.read()
    if b"\r" in raw:
        return raw
    raw = raw.replace(b"\n", b"\r\n")
    if b"\r\n\r\n" not in raw:
        raw = raw.rstrip() + b"\r\n\r\n"
    return re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(body(raw)), raw)


def with_own_branch(raw, used):
    """Some messages share a branch and would pass for retransmissions of each other (RFC 3261
    section 17.2.3 does not look at Call-ID): the later ones get a branch of their own."""
    found = re.search(rb";branch=([^;,\s]+)", raw)
    if found is None:
        return raw
    branch = found.group(1)
    if branch in used:
        raw = raw.replace(branch, branch + sip.unique("-").encode(), 1)
    used.add(branch)
    return raw


def header_lines(raw):
    """Header lines with their continuations, but those that a proxy writes."""
    head = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0]
    lines = re.findall(rb"[^\r\n]+(?:\r?\n[ \t]+[^\r\n]*)*", head)[1:]
    ours = rb"(?i)(via|v|record-route|max-forwards)[ \t]*:"
    return [line for line in lines if not re.match(ours, line)]


def body(raw):
    return (re.split(rb"\r?\n\r?\n", raw, maxsplit=1) + [b""])[1]


def vias(raw):
    return [line for line in re.findall(rb"(?mi)^(?:via|v)[ \t]*:[^\r\n]*(?:\r?\n[ \t]+[^\r\n]*)*",
                                        re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0])]


def differences(sent, got):
    """What a proxy changed without owing it; None when nothing."""
    if header_lines(sent) != header_lines(got):
        return "headers changed"
    if body(sent) != body(got):
        return "body changed"
    if sent.split(b" ")[1] != got.split(b" ")[1]:
        return "Request-URI changed"
    below = vias(got)[1:]
    if len(below) != len(vias(sent)) or below[1:] != vias(sent)[1:]:
        return "Vias changed"
    return None


def outcome(daemon, sender, callee, raw):
    """What became of a message: the words of the table, and the difference if it was forwarded."""
    port = re.match(rb"(?i)[^\n]*:(\d+)", (vias(raw) or [b""])[0].split(b";")[0])
    extra = None
    if port and port.group(1).decode() not in ("5060", "0") and int(port.group(1)) < 65536:
        extra = sip.Endpoint(sender.site, sender.host, int(port.group(1)))
    sender.endpoint.send(raw, daemon.address)
    statuses, forwarded = [], None
    for _ in range(3):
        forwarded = forwarded or callee.receive(0.1)
        for endpoint in filter(None, (sender.endpoint, extra)):
            statuses += [message.status for message in endpoint.drain()]
        if forwarded or any(status != 100 for status in statuses):
            break
    if extra:
        extra.socket.close()
    if forwarded is not None:
        # So that nobody repeats anything into the next message's time.
        status = 100 if forwarded.method == "INVITE" else 200
        callee.send(sip.response(forwarded, status), daemon.address)
        if status == 200:
            sender.endpoint.receive(0.5)
        return "forward", differences(raw, forwarded.raw)
    final = [str(status) for status in statuses if status != 100]
    return (final[0] if final else "drop"), None


class Sender:
    def __init__(self, site, host):
        self.site = site
        self.host = host
        self.endpoint = sip.Endpoint(site, host)


@case("torture")
def torture():
    if not os.path.isdir(FOLDER):
        raise Skip(f"{FOLDER} is not there")
    with Site() as site:
        daemon = Daemon(site)
        sender, callee = Sender(site, CALLER), sip.Endpoint(site, CALLEE)
        rows = sheets()
        table, used = [], set()
        for path, behaviour, never in rows:
            name = os.path.basename(path)
            raw = with_own_branch(read_message(path), used)
            got, difference = outcome(daemon, sender, callee, raw)
            callee.drain()
            sender.endpoint.drain()
            allowed = wanted(name, behaviour, never)
            verdict = "ok" if got in allowed and not difference else f"WRONG {difference or ''}"
            table.append((name, "/".join(sorted(allowed)), got, verdict, behaviour))
        print(f"    {'file':28}  {'expected':14}  {'got':8}  verdict")
        for name, allowed, got, verdict, behaviour in table:
            print(f"    {name:28}  {allowed:14}  {got:8}  {verdict}")
            if verdict != "ok":
                print(f"    {'':28}  ({behaviour})")
        wrong = [row[0] for row in table if row[3] != "ok"]
        check(not wrong, f"{len(table)} messages came out as expected", ", ".join(wrong))
        check(daemon.process.running(), "the daemon is alive")
        daemon.stop()


checks.main(limit=60)
