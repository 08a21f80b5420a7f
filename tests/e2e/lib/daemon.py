"""A ringfenced with a configuration of its own."""

import json
import signal

from . import checks, control
from .site import REPORTED, Process

# Addresses within the site's block.
CALLER = 1
CALLEE = 2
ABROAD = 3
PRIVATE = 4
SECOND = 5
DAEMON = 10
DAEMON_OTHER = 11
STRANGER = 99


def configuration(site, **changes):
    """A sound configuration; `changes` replace whole sections, or parts of them when both are
    mappings."""
    base = {
        "listen": [{"address": f"{site.address(DAEMON)}:5060"}],
        "trunks": [
            trunk("carrier", site.address(CALLER)),
            trunk("core", site.address(CALLEE), trusted=True),
            trunk("abroad", site.address(ABROAD), origin="international"),
        ],
        "routes": [{"to": "core"}, {"from": "core", "to": "carrier"}],
        "workers": 2,
        "pin_workers": False,
        "drain": "1s",
        "key_file": site.path("key"),
        # A machine that runs several tests at once keeps datagrams waiting; refusing calls for that
        # is the business of the tests that ask for it.
        "limits": {"transactions": 200000, "lingering": 400000, "calls": 100000, "t1": f"{50 * checks.SLOW:.0f}ms",
                   "overload_begin": "9s", "overload_end": "10s"},
        "reputation": {"store": "memory", "capacity": 100000},
        "screening": {},
        "stats": {"socket": site.path("stats.sock"), "interval": "1s"},
        "control": {"socket": site.path("control.sock")},
        "log": {"level": "info"},
    }
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            base[key] = {**base[key], **value}
        else:
            base[key] = value
    return base


def trunk(name, address, transport="udp", **more):
    target = f"[{address}]" if ":" in address else address
    target += {"udp": ":5060", "tcp": ":5060;transport=tcp", "tls": ":5061;transport=tls"}[transport]
    return {"name": name, "sources": [address], "targets": [target], "country": "CN",
            "area_code": "10", **more}


def core_of_two(site, **more):
    """A trunk with a target at CALLEE and one at SECOND, for calls that the former does not take."""
    hosts = [site.address(CALLEE), site.address(SECOND)]
    targets = [{"target": f"{host}:5060", "priority": place} for place, host in enumerate(hosts)]
    return trunk("core", hosts[0], trusted=True, sources=hosts, targets=targets, **more)


def render(settings):
    """YAML: each section on lines of its own, its value as JSON, which YAML includes."""
    lines = []
    for key, value in settings.items():
        if value == {}:
            continue
        if isinstance(value, list):
            lines.append(f"{key}:")
            lines += [f"  - {json.dumps(item, ensure_ascii=False)}" for item in value]
        else:
            lines.append(f"{key}: {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


class Daemon:
    """A running ringfenced. rules: text of the only rule file; rule_files: paths instead."""

    def __init__(self, site, rules=None, rule_files=None, start=True, name="ringfenced", **changes):
        self.site = site
        self.name = name
        self.process = None
        if rules is not None:
            rule_files = [site.write("rules.yaml", rules)]
        if rule_files is not None:
            changes["rules"] = rule_files
        self.settings = configuration(site, **changes)
        self.write()
        if start:
            self.start()

    @property
    def config_path(self):
        return self.site.path(f"{self.name}.yaml")

    @property
    def address(self):
        return (self.site.address(DAEMON), 5060)

    def write(self):
        self.site.write(f"{self.name}.yaml", render(self.settings))

    def start(self):
        self.process = Process(self.site, self.name,
                               [checks.program("ringfenced"), "--config", self.config_path])
        started = checks.wait_for(lambda: not self.process.running() or self._answers(), 10)
        if not started or not self.process.running():
            raise checks.Failure(f"ringfenced did not start:\n{self.process.log()}")

    def _answers(self):
        try:
            return control.command(self.settings["control"]["socket"], "status") is not None
        except OSError:
            return False

    def status(self):
        """The answer to the command status."""
        _, lines = control.command(self.settings["control"]["socket"], "status")
        return lines[0]

    def target(self, number):
        """What the status says of a target by its number in the site."""
        wanted = f"{self.site.address(number)}:5060"
        return next(row for row in self.status()["targets"] if row["target"] == wanted)

    def command(self, name, **arguments):
        return control.command(self.settings["control"]["socket"], name, **arguments)

    def cli(self, *arguments, seconds=10, data=None):
        """The command `ringfence`: (status, output)."""
        return self.site.run([checks.program("ringfence"), "--config", self.config_path,
                              *arguments], seconds, data)

    def stats(self, **options):
        return control.Stats(self.settings["stats"]["socket"], **options)

    def counts(self):
        """All counts as they are now."""
        reader = self.stats()
        try:
            counts = reader.counts()
        finally:
            reader.close()
        if counts is None:
            raise checks.Failure("no counts from the stats socket")
        return counts

    def total(self, name):
        return self.counts()["totals"][name]

    def family(self, name, label):
        return self.counts()["families"][name]["totals"].get(label, 0)

    def wait_total(self, name, at_least, seconds=3):
        return checks.wait_for(lambda: self.total(name) >= at_least, seconds)

    def wait_gone(self, seconds, *names):
        """True when the status says 0 for each name."""
        def gone():
            status = self.status()
            return not any(status[name] for name in names)
        return checks.wait_for(gone, seconds, every=0.1)

    def wait_quiet(self, seconds):
        """True when no transaction and no call is left."""
        return self.wait_gone(seconds, "transactions", "calls_held")

    def wait_idle(self, seconds):
        """True when nothing lingers for retransmissions either; of refused calls that takes 32 s
        (Timer D)."""
        return self.wait_gone(seconds, "transactions", "calls_held", "lingering")

    def reload(self):
        self.process.signal(signal.SIGHUP)

    def kill(self):
        """kill -9"""
        self.process.kill()

    def stop(self, seconds=10):
        """SIGTERM; checks that the exit was in order and no sanitizer complained."""
        self.process.signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        log = self.process.log()
        if status is None:
            self.process.kill()
        return checks.check(status == 0 and not REPORTED.search(log),
                            f"{self.name} stopped in order", f"exit status {status}\n{log[-4000:]}")

    def log(self):
        return self.process.log()
