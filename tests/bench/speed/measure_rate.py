"""The highest rate, what lies beyond it, and the delay below it."""

from bench.lib import report

from . import load
from .rig import BRIEF, DISTURBED, NORMAL_RATE, disturbance, note, say, settle, steady

GOOD = 0.001   # a rate is carried when fewer calls than this share fail
SHARES = (0.2, 0.5, 0.8)
LOW_RATE = 4000
PERCENTILES = ("p50", "p99", "p999")


def carried(result):
    return (result["failed_share"] < GOOD and
            result["completed_between"] >= 0.98 * (result["started"] - 1))


def is_generators_limit(result):
    """It was late though it had all of its processor."""
    return result["late"] > 0 and disturbance(result) <= DISTURBED


def attempt(subject, rate, warm, seconds):
    settle()
    result = load.run(subject, rate, warm, seconds)
    note(f"{subject.title}, {rate:.0f}/s", result)
    return carried(result), result


def search(bench, subject):
    """Runs too short for a verdict, from where the cost of a call lets it be expected: up or down
    until there is a gap, then halving it."""
    seconds = 1 if bench.quick else 2.5
    each = bench.store.get("cpu_us_per_call", subject.name)
    rate = 1.1e6 / each if each else NORMAL_RATE
    low, high = 0, None
    while high is None or high - low > (0.2 if bench.quick or subject.name in BRIEF else 0.05) * high:
        good, result = attempt(subject, rate, 0.5, seconds)
        if good:
            low = rate
            if is_generators_limit(result):
                return result["started_rate"]
        else:
            high = rate
        rate = 1.2 * low if high is None else (low + high) / 2 if low else 0.8 * high
        if rate < 500:
            break
    return low


def confirm(bench, subject, rate):
    """Lingering transactions reach their full number only within a minute: the last 10 s count.
    A rate that does not hold is lowered while they linger on."""
    full = subject.lingers and subject.name not in BRIEF
    warm, seconds = (2, 2) if bench.quick else (60, 10) if full else (2, 5)
    for _ in range(8):
        good, result = attempt(subject, rate, warm, seconds)
        if good:
            return result
        rate *= 0.96
        warm = min(warm, 5)
    return None


def highest(bench):
    say("highest rate")
    for name in bench.names:
        subject = bench.subject(name)
        found = search(bench, subject)
        result = confirm(bench, subject, found) if found else None
        if result is None:
            say(f"  {bench.titled(name)}: no rate was carried")
            continue
        rate = min(result["started_rate"], result["completed_rate"])
        bench.store.put(round(rate), "max_cps", name)
        bench.store.put({"calls_per_second": rate, "cpu_us": result["cpu_us"],
                         "user_us": result["user_us"], "busy": result["busy"],
                         "waited": result["waited"], "failed_share": result["failed_share"],
                         "generator_late": is_generators_limit(result),
                         "disturbance": disturbance(result)}, "rate", name)


def show_highest(bench):
    relay = bench.store.get("max_cps", "relay")
    kamailio = bench.store.get("max_cps", "kamailio_memory")

    def row(name):
        place = bench.store.get("rate", name)
        if place is None:
            return None
        rate = place["calls_per_second"]
        return [rate, f"{place['busy']:.0%}", place["cpu_us"], place["user_us"],
                report.ratio(rate, relay), report.ratio(rate, kamailio),
                "generator" if place["generator_late"] else "subject"]

    bench.table("Highest rate with less than 0.1% failed calls, one processor",
                ["calls/s", "busy", "us a call", "of it user", "to relay", "to Kamailio",
                 "limited by"], row)


def delay_rates(bench, name):
    """By label: one rate for all, and shares of the subject's own highest."""
    highest_rate = bench.store.get("max_cps", name)
    shares = () if name in BRIEF else SHARES[1:2] if bench.quick else SHARES
    return {str(LOW_RATE): LOW_RATE,
            **({f"{share:.0%}": round(share * highest_rate) for share in shares}
               if highest_rate else {})}


def delay(bench):
    """Against the generator talking to itself at the same rate, just before."""
    say("delay")
    seconds = 1 if bench.quick else 2
    found = {name: {label: {"rate": rate, "trying": {}, "ringing": {}, "direct": {}}
                    for label, rate in delay_rates(bench, name).items()} for name in bench.names}
    for _ in range(bench.rounds):
        bare = {}
        for name, labels in found.items():
            for place in labels.values():
                pair(bench, bench.subject(name), bare, seconds, place)
    for name, labels in found.items():
        for label, place in labels.items():
            add(place)
            bench.store.put(place, "delay", name, label)
        low = labels[str(LOW_RATE)]["added_180_us"]
        bench.store.put({key: low[key].median for key in PERCENTILES}, "added_180_us", name)


def pair(bench, subject, bare, seconds, place):
    rate = place["rate"]
    settle()
    if rate not in bare:
        bare[rate] = steady(f"no proxy, {rate:.0f}/s", bench.subject("direct"), rate, 0.5, 1)
    result = steady(f"{subject.title}, {rate:.0f}/s", subject, rate, 0.5, seconds)
    for key in PERCENTILES:
        place["direct"].setdefault(key, report.Samples()).add(bare[rate]["to_ringing_us"][key])
        place["ringing"].setdefault(key, report.Samples()).add(result["to_ringing_us"][key])
        if result["to_trying_us"]["count"] > 0:
            place["trying"].setdefault(key, report.Samples()).add(result["to_trying_us"][key])


def add(found):
    """Minus the median without a proxy: a high percentile is not the sum of two."""
    bare = found["direct"]["p50"].values
    found["added_180_us"] = {
        key: report.Samples(value - less for value, less in zip(samples.values, bare))
        for key, samples in found["ringing"].items()}


def show_delay(bench):
    for label in (str(LOW_RATE), *(f"{share:.0%}" for share in SHARES)):
        def row(name):
            place = ("delay", name, label)
            if bench.store.get(*place) is None:
                return None
            return [bench.store.get(*place, "rate"),
                    *(bench.spread(*place, "added_180_us", key) for key in PERCENTILES),
                    *(bench.spread(*place, "ringing", key) for key in PERCENTILES[:2]),
                    bench.spread(*place, "trying", "p50"), bench.spread(*place, "direct", "p50")]

        what = f"{label} calls/s" if label == str(LOW_RATE) else f"{label} of the highest rate"
        bench.table(f"INVITE to 180 at {what}, us",
                    ["calls/s", "added p50", "added p99", "added p99.9", "all p50", "all p99",
                     "100 p50", "no proxy p50"], row)


def overload(bench):
    """Twice the highest rate: how much of it still becomes calls."""
    say("overload")
    warm, seconds = (1, 2) if bench.quick else (3, 8)
    for name in [name for name in bench.names if name not in BRIEF]:
        top = bench.store.get("max_cps", name)
        if not top:
            say(f"  {bench.titled(name)}: its highest rate is not known; measure it first")
            continue
        settle()
        result = load.run(bench.subject(name), 2 * top, warm, seconds)
        note(f"{bench.titled(name)}, {2 * top}/s", result)
        bench.store.put({"offered": result["started_rate"], "completed": result["completed_rate"],
                         "share_of_highest": result["completed_rate"] / top,
                         "statuses": result["statuses"], "busy": result["busy"]},
                        "overload", name)


def show_overload(bench):
    def row(name):
        place = bench.store.get("overload", name)
        if place is None:
            return None
        refused = ", ".join(f"{count} x {status}" for status, count in place["statuses"].items())
        return [place["offered"], place["completed"], f"{place['share_of_highest']:.0%}",
                refused or "none"]

    bench.table("Twice the highest rate offered",
                ["offered/s", "completed/s", "of the highest rate", "refusals"], row)
