"""One check, tried once on this host: is it allowed, can it be done, and what does it say now?"""

import glob
import os
import select
import stat
import time
from collections import namedtuple

from monitor436.agent import event as stated
from monitor436.agent.kinds import CommandCheck, LogCheck, ProcessCheck, ReadingCheck
from monitor436.agent.limits import Limits
from monitor436.agent.notation import After
from monitor436.agent.probe.runs import CommandRun, ProcessRun, ReadingRun
from monitor436.agent.probe.thresholds import judge
from monitor436.agent.probe.verdict import shown

Result = namedtuple("Result", "check kind how of state value says")
# name; log, reading, process or command; ok, note or bad; what a value is of, its state and the value; for people
VALUE = "="  # the label of values, for this one run: a metric is told also where it is no news
LOOK_EVERY = 0.05  # seconds
FOR_A_RATE = 1.0  # seconds between two readings that make a rate
SHOWN = 3  # files told of, of many


def tried(check: "LogCheck | ProcessCheck | CommandCheck | ReadingCheck", allowed: Limits, run: bool) -> "list[Result]":
    """What comes of a check; at least one result."""
    if isinstance(check, LogCheck):
        return _log(check, allowed)
    argv = check.command if isinstance(check, CommandCheck) else check.ps if isinstance(check, ProcessCheck) else ()
    refusal = allowed.refusal(argv) if argv else ""
    if refusal:
        return [Result(check.name, _kind(check), "bad", "", "refused", None, refusal)]
    if not run:
        return [Result(check.name, _kind(check), "ok", "", "", None, "allowed" if argv else "not tried")]
    try:
        events = _run(_telling(check), allowed.user) if argv else _take(_telling(check))  # type: ignore[arg-type]
    except OSError as problem:
        return [
            Result(check.name, _kind(check), "bad", "", "failed", None, "cannot be run: {}".format(problem.strerror))
        ]
    if not events and not isinstance(check, CommandCheck):
        return [Result(check.name, _kind(check), "note", "", "", None, "says nothing yet")]
    results = _results(check, events)
    good = all(result.how == "ok" and result.state == "metric" for result in results)
    return [Result(check.name, _kind(check), "ok", "", "ok", None, "ok: works")] * good + results


def _telling(check: "ReadingCheck | ProcessCheck | CommandCheck") -> "ReadingCheck | ProcessCheck | CommandCheck":
    """The check, so that one run tells everything: its values, and what is bad already."""
    check = check._replace(after=After(1, 1))
    if isinstance(check, CommandCheck) and (check.nagios or not (check.warning or check.critical or check.metric)):
        return check
    return check._replace(metric=VALUE)


def _take(check: "ReadingCheck | ProcessCheck") -> "list[dict[str, object]]":
    """Read it; what is a rate needs two readings."""
    run = ProcessRun(check, 0.0) if isinstance(check, ProcessCheck) else ReadingRun(check, 0.0)
    events = run.take(time.monotonic(), time.time())
    if not events:
        time.sleep(FOR_A_RATE)
        events = run.take(time.monotonic(), time.time())
    return events


def _run(check: "CommandCheck | ProcessCheck", user: "tuple[int, int, list[int]] | None") -> "list[dict[str, object]]":
    """Run its program to the end. Raises OSError."""
    run = ProcessRun(check, 0.0) if isinstance(check, ProcessCheck) else CommandRun(check, 0.0)
    run.start(time.monotonic(), user)
    events, open_until_now = [], True  # type: list[dict[str, object]], bool
    while run.child is not None:
        if open_until_now:
            ready = select.select([run.child.fd], [], [], LOOK_EVERY)[0]
            open_until_now = not (ready and run.child.read())
        else:
            time.sleep(LOOK_EVERY / 5)
        events = run.look(time.monotonic(), time.time())
    return events


def _results(check: "ReadingCheck | ProcessCheck | CommandCheck", events: "list[dict[str, object]]") -> "list[Result]":
    """What the events of one run say."""
    results = [_result(check, each) for each in events if each["kind"] != stated.METRIC]
    for event in events:
        if event["kind"] == stated.METRIC:
            for label, value in event["fields"].items():  # type: ignore[attr-defined]
                results += _value(check, label, value)
    return [result for result in results if result is not None]


def _result(check: "ReadingCheck | ProcessCheck | CommandCheck", event: "dict[str, object]") -> "Result | None":
    """What an event says that is not about a metric; the state of a value is told with the value."""
    text, begins = str(event["text"]), check.name + ": "
    text = text[len(begins) :] if text.startswith(begins) else text
    state = str(event.get("fields", {}).get("state", ""))  # type: ignore[attr-defined]
    if event["kind"] == stated.CHECK_STATE:
        if not isinstance(check, CommandCheck) or not check.nagios:
            return None
        return Result(check.name, "command", "ok", "", state, None, "{}: {}".format(state, text))
    return Result(check.name, _kind(check), "bad" if state else "note", "", state, None, text)


def _value(check: "ReadingCheck | ProcessCheck | CommandCheck", label: str, value: float) -> "list[Result]":
    """A value, and its state."""
    of, said = label, "metric"
    if label.startswith(VALUE):
        of = label[len(VALUE) :].strip()
        if isinstance(check, ProcessCheck):
            missed = value < check.least or (check.most is not None and value > check.most)
            said = check.severity if missed else "ok"
        else:
            said = judge(value, check.warning, check.critical)
    noun = " run" if isinstance(check, ProcessCheck) else ""
    text = "{}: {}{}{}".format(said, of + " " if of else "", shown(value), noun)
    return [Result(check.name, _kind(check), "ok", of, said, value, text)]


def _log(check: LogCheck, allowed: Limits) -> "list[Result]":
    """The files that it stands for now, and whether they may be and can be read."""
    several = any(letter in check.log for letter in "*?[")
    paths = sorted(glob.glob(check.log)) if several else [check.log]
    good, results = [], []  # type: list[str], list[Result]
    for path in paths:
        problem = allowed.log_refusal(os.path.realpath(path)) or _unreadable(path)
        if problem == "is not there":
            results.append(Result(check.name, "log", "note", path, "", None, path + " is not there yet"))
        elif problem:
            text = problem if problem.startswith("/") else "{}: {}".format(path, problem)
            results.append(Result(check.name, "log", "bad", path, "refused", None, text))
        else:
            good.append(path)
    if good:
        listed = ", ".join(good[:SHOWN]) + (" and {} more".format(len(good) - SHOWN) if len(good) > SHOWN else "")
        results.insert(0, Result(check.name, "log", "ok", check.log, "", None, "can read " + listed))
    return results or [Result(check.name, "log", "note", check.log, "", None, "no file matches " + check.log)]


def _unreadable(path: str) -> str:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        return "is not there"
    except OSError as problem:
        return str(problem.strerror)
    regular = stat.S_ISREG(os.fstat(file).st_mode)
    os.close(file)
    return "" if regular else "is no file, and is not read"


def _kind(check: "LogCheck | ProcessCheck | CommandCheck | ReadingCheck") -> str:
    kinds = {LogCheck: "log", ProcessCheck: "process", CommandCheck: "command", ReadingCheck: "reading"}
    return kinds[type(check)]
