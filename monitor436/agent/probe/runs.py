"""One check that is run every so often, and what comes of a run: a reading, a command, a count of processes."""

import os
import re
from collections.abc import Callable

from monitor436.agent import commands
from monitor436.agent import event as stated
from monitor436.agent.kinds import CommandCheck, ProcessCheck, ReadingCheck
from monitor436.agent.limits import STANDARD
from monitor436.agent.match.budget import Budget, Overrun
from monitor436.agent.probe import perfdata
from monitor436.agent.probe.processes import Wanted, count, count_in
from monitor436.agent.probe.procfs import ReadingError
from monitor436.agent.probe.readings import READINGS
from monitor436.agent.probe.thresholds import CRITICAL, OK, WARNING
from monitor436.agent.probe.verdict import Verdict
from monitor436.agent.schedule import Schedule

LOOK_EVERY = 0.5  # seconds between looks whether a command has ended without closing its output
MOST_OUTPUT = 64 * 1024  # bytes of a command's output
MOST_TABLE = 4 * 1024 * 1024  # bytes of a table of processes: of a few it does not help to know
PATIENCE = 0.2  # seconds of processor time for a pattern in the output of a run: heartbeats wait meanwhile
WIDE = "32768"  # columns: some ps programs cut lines, even if nobody looks
NUMBER = re.compile(rb"[-+]?[0-9]+(?:\.[0-9]+)?")
LEVELS_OF_PLUGINS = {0: OK, 1: WARNING, 2: CRITICAL}


class ReadingRun:
    """A reading, taken when it is due. `kept` is what the verdict on it has kept earlier."""

    def __init__(self, check: ReadingCheck, now: float, kept: object = None) -> None:
        self.check = check
        self.schedule = Schedule(check.name, check.every, now)
        self.verdict = Verdict(check, kept)
        self._before = None  # type: tuple[float, object] | None

    def take(self, now: float, at: float) -> "list[dict[str, object]]":
        """What reading it now says; a rate says nothing when it is read for the first time."""
        reading = READINGS[self.check.reading]

        def say() -> "list[dict[str, object]]":
            taken = reading.take(self.check.of, "/")
            if not reading.rate:
                return self.verdict.value(taken, at)
            before, self._before = self._before, (now, taken)
            value = reading.rate(before[1], taken, now - before[0]) if before else None
            return self.verdict.worked(at) if value is None else self.verdict.value(value, at)

        return _said(say, self.verdict, at)


class ProgramRun:
    """A program, started when it is due; one run at a time. `_ended(finished, at)` is what becomes of its end."""

    most_output = MOST_OUTPUT

    def __init__(self, check: "CommandCheck | ProcessCheck", argv: "tuple[str, ...]", now: float, kept: object) -> None:
        self.check = check
        self.schedule = Schedule(check.name, check.every, now)
        self.verdict = Verdict(check, kept)
        self.child = None  # type: commands.Child | None
        self.look_at = 0.0
        self.stuck = None  # type: commands.Child | None
        self._argv = argv

    def hangs(self) -> bool:
        """Whether the last run is still there, although everything was done to end it."""
        if self.stuck is not None and self.stuck.gone():
            self.stuck = None
        return self.stuck is not None

    def start(self, now: float, user: "tuple[int, int, list[int]] | None" = None) -> None:
        """Start it, as `user` (uid, gid, groups) if one is given. Raises OSError where no process can be had."""
        env = dict(os.environ, PATH=":".join(STANDARD), LC_ALL="C", COLUMNS=WIDE)  # what was allowed, words as expected
        limit = self.most_output + 1  # the one more tells that there is more
        self.child = commands.Child(self._argv, now + self.check.timeout, limit, env=env, user=user)
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
            return self.verdict.failed("does not end and cannot be killed", at, stated.CHECK_STUCK)
        if finished.problem:
            return self.verdict.failed(finished.problem, at)
        if finished.status < 0:
            return self.verdict.failed(_end(finished), at)
        return _said(lambda: self._ended(finished, at), self.verdict, at)

    def _ended(self, finished: commands.Finished, at: float) -> "list[dict[str, object]]":
        raise NotImplementedError


class CommandRun(ProgramRun):
    """A command whose status, output or own judgement counts."""

    check: CommandCheck

    def __init__(self, check: CommandCheck, now: float, kept: object = None) -> None:
        super().__init__(check, check.command, now, kept)
        pattern = re.compile(check.value.encode("utf-8")) if check.value else NUMBER
        self._search = pattern.search
        self._of = pattern.groupindex.get("of", 0)
        others = [place for place in range(1, pattern.groups + 1) if place != self._of]
        self._value = pattern.groupindex.get("value", others[0] if others else 0)

    def _ended(self, finished: commands.Finished, at: float) -> "list[dict[str, object]]":
        check = self.check
        over = ""
        if len(finished.output) > MOST_OUTPUT:
            over = "more than {} KiB of output".format(MOST_OUTPUT // 1024)
            whole = finished.output[:MOST_OUTPUT].rpartition(b"\n")[0]  # half a line may have half a number
            finished = finished._replace(output=whole)
        if check.nagios:
            return self._plugin(finished, at, over)
        if not (check.warning or check.critical or check.metric):
            return self.verdict.failed(_end(finished), at) if finished.status else self.verdict.passed(at)
        values = self._values(finished)
        return self.verdict.values(values, at, over if set(values) != {""} else "")

    def _plugin(self, finished: commands.Finished, at: float, over: str) -> "list[dict[str, object]]":
        output = finished.output.decode("utf-8", "backslashreplace")
        sentence = perfdata.sentence(output)
        level = LEVELS_OF_PLUGINS.get(finished.status)
        if level is None:
            known = "unknown" if finished.status == 3 else "unknown: status {}".format(finished.status)
            return self.verdict.failed(": ".join(filter(None, (known, sentence))), at)
        text = sentence or "{}: {}".format(self.check.name, level)
        return self.verdict.status(level, text, perfdata.numbers(output), at, over)

    def _values(self, finished: commands.Finished) -> "dict[str, float]":
        """The values in the output, by what they are of. Raises ReadingError if there are none."""
        values = {}  # type: dict[str, float]
        try:
            with Budget(PATIENCE):
                for match in filter(None, map(self._search, finished.output.split(b"\n"))):
                    of = (match.group(self._of) or b"").decode("utf-8", "backslashreplace") if self._of else ""
                    try:
                        values.setdefault(of, perfdata.number((match.group(self._value) or b"").decode("ascii")))
                    except ValueError:  # an empty group, not a number
                        pass
                    if not self._of:
                        break
        except Overrun:
            raise ReadingError("its pattern takes too long") from None
        if not values:
            raise ReadingError("no value in its output: {}".format(_end(finished)))
        return values


class ProcessRun(ProgramRun):
    """A count of processes: `take` it where the check has no `ps`, else run that."""

    check: ProcessCheck
    most_output = MOST_TABLE

    def __init__(self, check: ProcessCheck, now: float, kept: object = None) -> None:
        super().__init__(check, check.ps, now, kept)
        self._wanted = Wanted(check.process, check.command_line, check.user)

    def take(self, now: float, at: float) -> "list[dict[str, object]]":
        """What counting them now says."""
        return _said(lambda: self.verdict.count(count(self._wanted, "/", self.check.least), at), self.verdict, at)

    def _ended(self, finished: commands.Finished, at: float) -> "list[dict[str, object]]":
        if len(finished.output) > MOST_TABLE:
            raise ReadingError("it prints more than {} MiB".format(MOST_TABLE >> 20))
        return self.verdict.count(count_in(self._wanted, finished.output), at)


def _said(say: "Callable[[], list[dict[str, object]]]", verdict: Verdict, at: float) -> "list[dict[str, object]]":
    """What is said, or why nothing can be: one check's fault must not stop the others."""
    try:
        return say()
    except ReadingError as problem:
        return verdict.failed(str(problem), at)
    except Exception as problem:
        return verdict.failed(repr(problem), at)


def _end(finished: commands.Finished) -> str:
    """How a command ended, and the first line it printed."""
    lines = finished.output.decode("utf-8", "backslashreplace").strip().splitlines()
    status = "status {}".format(finished.status) if finished.status >= 0 else "signal {}".format(-finished.status)
    return "{}: {}".format(status, lines[0]) if lines else status
