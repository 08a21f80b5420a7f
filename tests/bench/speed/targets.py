"""What is aimed at, beside what was measured."""

from bench.lib import report


def _median(place):
    return place["median"] if isinstance(place, dict) else getattr(place, "median", place)


def _rows(get):
    """Title, the most (or, with ">=", the least) that is aimed at, and what was measured."""
    def of(*keys):
        return _median(get(*keys))

    def cpu(name, kind="8000"):
        return of("cpu", name, kind, "cpu_us")

    def added(name, key):
        return of("delay", name, "50%", "ringing", key)

    def over(one, other):
        return one / other if one is not None and other else None

    def beyond(one, other):
        return one - other if one is not None and other is not None else None

    own = "ringfence_1"
    disturbed = ("disturbed", "undisturbed")
    screen, decode = of("micro", "screen", "ns"), of("micro", "decode", "ns")
    yield "CPU of a call, to the relay", "<=", 1.5, over(cpu(own), cpu("relay"))
    yield "CPU of a call, to Kamailio with a table", "<=", 0.45, over(cpu(own),
                                                                     cpu("kamailio_memory"))
    yield "CPU of a call, to Kamailio with Redis", "<=", 0.35, over(cpu(own),
                                                                   cpu("kamailio_redis"))
    yield "CPU of a blocked call, to Kamailio", "<=", 0.45, over(
        cpu(own, "blocked"), cpu("kamailio_memory", "blocked"))
    yield "own time in user space, us a call", "<=", 8, of("cpu", own, "8000", "user_us")
    yield "highest rate, to Kamailio", ">=", 2.8, over(of("max_cps", own),
                                                       of("max_cps", "kamailio_memory"))
    yield "CPU of a call with two workers, to one", "<=", 1.15, over(
        of("workers", "ringfence_2", "cpu_us"), of("workers", own, "cpu_us"))
    yield "INVITE to 180 at half its rate, p50 beyond the relay's, us", "<=", 25, beyond(
        added(own, "p50"), added("relay", "p50"))
    yield "INVITE to 180 at half its rate, p99, to the relay's", "<=", 2, over(
        added(own, "p99"), added("relay", "p99"))
    for key, title in (("slow", "Redis answering in 20 ms"), ("stopped", "Redis stopped")):
        yield f"{title}: 180 p50, to undisturbed", "<=", 1.1, over(
            of("disturbed", key, "to_ringing_us_p50"), of(*disturbed, "to_ringing_us_p50"))
    yield "twice the highest rate offered: share of it that completes", ">=", 0.85, of(
        "overload", own, "share_of_highest")
    yield "bytes of a ringing call", "<=", 4096, of("memory", own, "ringing", "200000", "bytes")
    yield "bytes of an established call", "<=", 512, of("memory", own, "established", "200000",
                                                       "bytes")
    yield "bytes of a finished transaction", "<=", 256, of("memory", own, "lingering")
    yield "bytes of a number", "<=", 16, of("memory", own, "number")
    yield "features, rules and score of a call (less decoding), ns", "<=", 1000, beyond(screen,
                                                                                       decode)
    yield "scan of the INVITE, ns", "<=", 300, of("micro", "scan", "ns")
    yield "heap allocations of a call", "<=", 0.001, of("allocations", "per_call_beside_main")


def show(bench):
    rows, kept = [], []
    for title, sign, aim, value in _rows(bench.store.get):
        if value is None:
            continue
        met = value <= aim if sign == "<=" else value >= aim
        rows.append([title, f"{sign} {aim:,}", value, "yes" if met else "no"])
        kept.append({"title": title, "sign": sign, "aim": aim, "measured": value, "met": met})
    if rows:
        report.table("What is aimed at", ["", "aim", "measured", "met"], rows)
        bench.store.put(kept, "targets")
