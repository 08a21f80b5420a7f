"""The torture messages of RFC 4475 and RFC 5118, and the verdicts that docs/rfc4475.md gives them."""

import os
import re

from . import checks

SHEET = os.path.join(checks.TOP, "docs", "rfc4475.md")
FOLDERS = (os.path.join(checks.DATA, "torture"),
           os.path.join(checks.TOP, "tests", "data", "torture"))
_ROW = re.compile(r"\| ([\d.]+) \| (\S+) \| (.*) \| (\S+) \| (\S+) \|")


def verdicts():
    """(section, name, what a proxy owes it, outcome) of each message."""
    with open(SHEET, encoding="utf-8") as sheet:
        found = [_ROW.fullmatch(line.rstrip("\n")) for line in sheet]
    rows = [(row[1], row[2], row[3], row[5]) for row in found if row]
    return [*rows, ("-", "test", "no SIP at all", "drop")]


def files(name):
    """Where a message is: paths."""
    found = []
    for folder in FOLDERS:
        for rfc in ("rfc4475", "rfc5118"):
            found += [os.path.join(folder, rfc, name + end) for end in ("", ".dat", ".sip")]
    return [path for path in found if os.path.isfile(path)]


def own(name):
    """Where our own message of that name is, or would be."""
    return next((path for path in reversed(files(name)) if path.startswith(FOLDERS[1])),
                os.path.join(FOLDERS[1], f"{name}.sip"))


def read(path):
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


def body(raw):
    return (re.split(rb"\r?\n\r?\n", raw, maxsplit=1) + [b""])[1]


def head(raw):
    return re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0]


def with_own_branch(raw, used, unique):
    """Some messages share a branch and would pass for retransmissions of each other (RFC 3261
    section 17.2.3 does not look at Call-ID): the later ones get a branch of their own."""
    found = re.search(rb";[ \t]*branch[ \t]*=[ \t\r\n]*([^;,\s]+)", raw)
    if found is None or found[1] == b"z9hG4bK":
        return raw
    branch = found[1]
    if branch in used:
        raw = raw.replace(branch, branch + unique.encode(), 1)
    used.add(branch)
    return raw


_LINE = rb"[^\r\n]+(?:\r?\n[ \t]+[^\r\n]*)*"


def _header_lines(raw):
    """Header lines with their continuations, but those that a proxy writes."""
    ours = rb"(?i)(via|v|record-route|max-forwards)[ \t]*:"
    return [line for line in re.findall(_LINE, head(raw))[1:] if not re.match(ours, line)]


def vias(raw):
    """The lines of Via."""
    return [line for line in re.findall(_LINE, head(raw))[1:]
            if re.match(rb"(?i)(via|v)[ \t]*:", line)]


def via_port(raw):
    """The port of the topmost Via, to which an answer goes; None for the standard one."""
    found = re.match(rb"(?i)[^\n]*[^:]:(\d+)", (vias(raw) or [b""])[0].split(b";")[0])
    if found is None or found[1] in (b"5060", b"0") or int(found[1]) > 65535:
        return None
    return int(found[1])


def _content(raw):
    """The body as far as Content-Length says."""
    found = re.search(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*(\d+)", head(raw))
    return body(raw)[:int(found[1])] if found else body(raw)


def differences(sent, got):
    """What a proxy changed without owing it; None when nothing."""
    if _header_lines(sent) != _header_lines(got):
        return "headers changed"
    if _content(sent) != body(got):
        return "body changed"
    if sent.split(b" ")[:2] != got.split(b" ")[:2]:
        return "method or Request-URI changed"
    below = vias(got)[1:]
    if len(below) != len(vias(sent)) or below[1:] != vias(sent)[1:]:
        return "Vias changed"
    return None
