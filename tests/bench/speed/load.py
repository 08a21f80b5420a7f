"""One run of the load generator against one subject, and what both used meanwhile."""

import json

from bench.lib.machine import Unable

from . import subjects


class Load:
    """with Load(subject, rate, ...) as load: load.wait_for("offered"), then load.result()."""

    def __init__(self, subject, rate, warm, seconds, *, busy=True, listed=1, direct=None,
                 processor=subjects.GENERATOR, **options):
        words = {"rate": f"{rate:g}", "warm": warm, "seconds": seconds,
                 "listed": listed if subject.screens else 0, **subject.load, **options}
        if subject.mark:
            words["mark"] = subject.mark
        flags = ["--busy"] if busy else []
        flags += ["--direct"] if isinstance(subject, subjects.Direct) or direct else []
        flags += [f"--{name}" for name in ("keep", "tcp", "tls") if words.pop(name, False)]
        for name, value in words.items():
            flags += [f"--{name}", str(value)]
        self.subject = subject
        self.busy = busy
        self.program = subject.folder.start("generator", [subjects.tool("generator"), *flags],
                                            network=subject.network, processors=(processor,),
                                            pipe=True)
        self.before = self.after = None
        self.redis_before = self.redis_after = None
        self.offered = None

    def wait_for(self, event):
        """Reads up to this event, taking note of the usage at both marks."""
        for text in self.program.child.stdout:
            line = json.loads(text)
            if line["event"] == "measuring":
                self.before = self.subject.usage()
                self.redis_before = self.subject.redis_usage()
            elif line["event"] == "offered":
                self.after = self.subject.usage()
                self.redis_after = self.subject.redis_usage()
                self.offered = line
            if line["event"] == event:
                return line
        raise Unable(f"the generator ended early:\n{self.program.tail()}")

    def finish(self):
        self.program.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.finish()

    def result(self):
        line = self.wait_for("result")
        used = self.after.since(self.before)
        calls = max(1, self.offered["completed"])
        seconds = self.offered["seconds"]
        started = max(1, line["started"])
        line.update(
            busy_polling=self.busy,
            cpu_us=used["run"] / calls * 1e6, user_us=used["user"] / calls * 1e6,
            system_us=used["system"] / calls * 1e6, busy=used["run"] / seconds,
            waited=used["wait"] / seconds, failed_share=line["failed"] / started,
            completed_rate=calls / seconds, started_rate=started / seconds,
            threads_us={task: run / calls * 1e6 for task, run in
                        self.after.threads_since(self.before).items()})
        if self.redis_before:
            line["redis_us"] = self.redis_after.since(self.redis_before)["run"] / calls * 1e6
        return line


def run(subject, rate, warm, seconds, **options):
    with Load(subject, rate, warm, seconds, **options) as load:
        return load.result()
