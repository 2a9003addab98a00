"""One check that is run every so often, and what comes of a run: a reading, a command."""

import os
import re

from monitor436.agent import commands
from monitor436.agent import event as stated
from monitor436.agent.limits import STANDARD
from monitor436.agent.plan import CommandCheck, ReadingCheck
from monitor436.agent.readings import READINGS, ReadingError
from monitor436.agent.schedule import Schedule
from monitor436.agent.thresholds import Verdict

LOOK_EVERY = 0.5  # seconds between looks whether a command has ended without closing its output
NUMBER = re.compile(rb"[-+]?[0-9]+(?:\.[0-9]+)?")


class ReadingRun:
    """A reading, taken when it is due."""

    def __init__(self, check: ReadingCheck, now: float, before: "Verdict | None") -> None:
        self.check = check
        self.schedule = Schedule(check.name, check.every, now)
        self.verdict = Verdict(check, before)

    def take(self, at: float) -> "list[dict[str, object]]":
        """What reading it now says."""
        check = self.check
        try:
            return self.verdict.value(READINGS[check.reading](check.of, "/"), at)
        except ReadingError as problem:
            return self.verdict.failed(str(problem), at)
        except Exception as problem:  # one check's fault must not stop the others
            return self.verdict.failed(repr(problem), at)


class CommandRun:
    """A command, started when it is due; one run at a time."""

    def __init__(self, check: CommandCheck, now: float, before: "Verdict | None") -> None:
        self.check = check
        self.schedule = Schedule(check.name, check.every, now)
        self.verdict = Verdict(check, before)
        self.child = None  # type: commands.Child | None
        self.look_at = 0.0
        self.stuck = None  # type: commands.Child | None
        self._search = re.compile(check.value.encode("utf-8")).search if check.value else NUMBER.search

    def hangs(self) -> bool:
        """Whether the last run is still there, although everything was done to end it."""
        if self.stuck is not None and self.stuck.gone():
            self.stuck = None
        return self.stuck is not None

    def start(self, now: float) -> None:
        """Raises OSError where no process can be had."""
        env = dict(os.environ, PATH=":".join(STANDARD), LC_ALL="C")  # the programs that were allowed, words as expected
        self.child = commands.Child(self.check.command, now + self.check.timeout, env=env)
        self.look_at = min(self.child.next_poll(), now + LOOK_EVERY)

    def look(self, now: float, at: float) -> "list[dict[str, object]]":
        """What the run says, if it is over; then `child` is None."""
        child = self.child
        if child is None:
            return []
        finished = child.poll(now)
        if finished is None:
            self.look_at = min(child.next_poll(), now + LOOK_EVERY)
            return []
        self.child = None
        if finished.problem == commands.STUCK:
            self.stuck = child
        return self._ended(finished, at)

    def _ended(self, finished: commands.Finished, at: float) -> "list[dict[str, object]]":
        check = self.check
        if finished.problem == commands.STUCK:
            return self.verdict.failed("does not end and cannot be killed", at, stated.CHECK_STUCK)
        if finished.problem:
            return self.verdict.failed(finished.problem, at)
        if finished.status < 0 or (finished.status and check.warning is None and check.critical is None):
            return self.verdict.failed(_said(finished), at)
        if check.warning is None and check.critical is None:
            return self.verdict.worked(at)
        found = self._search(finished.output)
        try:
            return self.verdict.value(float(found.group(1 if found.re.groups else 0)), at)  # type: ignore[union-attr]
        except (AttributeError, TypeError, ValueError):  # no match, an empty group, not a number
            return self.verdict.failed("no value in its output: {}".format(_said(finished)), at)


def _said(finished: commands.Finished) -> str:
    """How a command ended, and the first line it printed."""
    lines = finished.output.decode("utf-8", "backslashreplace").strip().splitlines()
    status = "status {}".format(finished.status) if finished.status >= 0 else "signal {}".format(-finished.status)
    return "{}: {}".format(status, lines[0]) if lines else status
