"""Daemons that listen, and a network of its own to listen in."""

import os
import subprocess
import sys

from . import checks
from .daemon import Daemon

NUMBERS = "number,score,list,type,source,expires\n+8613900000001,95,block,impersonation,desk,\n"


def tap(site, rules, name="tap", **section):
    """A daemon with `mode: tap`; section: the settings of `tap`."""
    return Daemon(site, rules=rules, name=name, mode="tap", tap=section,
                  reputation={"csv": site.write("numbers.csv", NUMBERS)},
                  stats={"socket": site.path(f"{name}-stats.sock"), "interval": "1s"},
                  control={"socket": site.path(f"{name}.sock")})


def may_capture():
    if os.geteuid() != 0:
        raise checks.Skip("capturing takes root")


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def veth_pair(one, other, mtu=9000):
    """Two interfaces, up; what is sent by the one comes in by the other, and nothing else does."""
    ip("link", "add", one, "type", "veth", "peer", "name", other)
    for name in (one, other):
        with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w", encoding="ascii") as file:
            file.write("1")
        ip("link", "set", name, "mtu", str(mtu), "up")


def in_own_network(script):
    """Runs the script again in a network of its own, with --inside; its checks become checks here.
    True when this process is that one."""
    may_capture()
    if subprocess.run(["unshare", "-n", "true"], check=False, capture_output=True).returncode != 0:
        raise checks.Skip("no network of its own can be had")
    run = subprocess.run(["unshare", "-n", sys.executable, os.path.abspath(script), "--inside"],
                         capture_output=True, text=True, check=False)
    for line in run.stdout.splitlines():
        if line.startswith(("ok - ", "not ok - ")):
            checks.check(line.startswith("ok"), line.split(" - ", 1)[1])
    checks.check(run.returncode == 0, "inside", run.stdout + run.stderr)


def main(inside, limit):
    """checks.main(), or, in the network of its own, `inside`."""
    if "--inside" in sys.argv:
        ip("link", "set", "lo", "up")
        inside()
        sys.exit(checks.failed())
    checks.main(limit=limit)
