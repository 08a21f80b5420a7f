"""Checks, cases and limits of an end-to-end test.

A test is a script of cases. Each check prints one line, "ok - ..." or "not ok - ...". The script
exits with 0 when all passed, with 77 when it was skipped, and else with 1.

Environment: RINGFENCE_BUILD (folder of the programs, default build), RINGFENCE_SANITIZE (address or
thread: what the programs were built with), RINGFENCE_SLOW (multiplies all times; by default 1, and
more under a sanitizer), RINGFENCE_DATA (folder of test data, default ../shared/data).
"""

import os
import signal
import sys
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.path.abspath(os.environ.get("RINGFENCE_BUILD") or os.path.join(TOP, "build"))
DATA = os.environ.get("RINGFENCE_DATA") or os.path.join(os.path.dirname(TOP), "shared", "data")
SANITIZE = os.environ.get("RINGFENCE_SANITIZE", "")
SLOW = float(os.environ.get("RINGFENCE_SLOW") or {"": 1, "address": 3, "thread": 5}[SANITIZE])
LONG = "--long" in sys.argv

_cases = []
_results = {"passed": 0, "failed": 0}


class Skip(Exception):
    """The test cannot run here; the text says why."""


class Failure(Exception):
    """The case cannot go on."""


class TimeUp(BaseException):
    """The script's own limit; not to be caught by a case."""


def program(name):
    path = os.path.join(BUILD, name)
    if not os.access(path, os.X_OK):
        raise Skip(f"{path} is not built")
    return path


def check(condition, text, detail=None):
    """One line of the result; returns the condition."""
    _results["passed" if condition else "failed"] += 1
    print(f"{'ok' if condition else 'not ok'} - {text}", flush=True)
    if not condition and detail is not None:
        for line in str(detail).splitlines():
            print(f"    {line}", flush=True)
    return bool(condition)


def equal(got, expected, text):
    return check(got == expected, text, f"got      {got!r}\nexpected {expected!r}")


def wait_for(condition, seconds, text=None, every=0.02):
    """Polls until the condition is true; with a text it is a check, and else a bare result."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            break
        if time.monotonic() >= end:
            break
        time.sleep(every)
    if text is not None:
        check(value, text, f"not within {seconds * SLOW:g} s")
    return value


def case(title):
    """Marks a function as a case; cases run in the order of their definition."""
    def register(function):
        _cases.append((title, function))
        return function
    return register


def failed():
    """Whether a check has failed so far, as an exit status."""
    return 1 if _results["failed"] > 0 else 0


def _time_up(_number, _frame):
    raise TimeUp()


def _stop(_number, _frame):
    raise KeyboardInterrupt


def main(limit=60):
    """Runs the cases within `limit` seconds (times RINGFENCE_SLOW) and exits."""
    wanted = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    signal.signal(signal.SIGALRM, _time_up)
    signal.signal(signal.SIGTERM, _stop)
    signal.alarm(int(limit * SLOW) + 1)
    skipped = None
    for title, function in _cases:
        if wanted and not any(word in title for word in wanted):
            continue
        try:
            function()
        except Skip as reason:
            print(f"skipped - {title}: {reason}", flush=True)
            skipped = reason
        except TimeUp:
            check(False, f"{title}: the script's limit of {limit * SLOW:g} s is up")
            break
        except KeyboardInterrupt:
            check(False, f"{title}: interrupted")
            break
        except Exception as error:  # whatever goes wrong fails this case and no other
            detail = str(error) if isinstance(error, Failure) else traceback.format_exc()
            check(False, f"{title}: cannot go on", detail)
    signal.alarm(0)
    if _results["failed"] > 0:
        sys.exit(1)
    sys.exit(77 if skipped is not None and _results["passed"] == 0 else 0)
