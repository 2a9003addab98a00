"""The checks of the plan in force, run when they are due. A kind of check is a class here and a line in RUNS."""

import re

from monitor436.agent import commands
from monitor436.agent import event as stated
from monitor436.agent.follow import Follower
from monitor436.agent.plan import CommandCheck, LogCheck, ReadingCheck
from monitor436.agent.readings import READINGS, ReadingError
from monitor436.agent.rules import LineRule
from monitor436.agent.schedule import Schedule
from monitor436.agent.thresholds import OK, Flip, judge

LOGS_EVERY = 0.5  # seconds between looks at log files
POSITIONS_EVERY = 30.0  # seconds after which a position is kept although nothing matched
MOST_CHILDREN = 4  # commands at once
CHILD_POLL = 0.05  # seconds until a command whose output has ended is looked at again
NUMBER = re.compile(rb"[-+]?[0-9]+(?:\.[0-9]+)?")
FAILED, WORKS = "failed", "works"


class Judged:
    """What readings and commands share: a value against limits, and one event a change. `at` is the wall clock."""

    def __init__(self, check: "object", now: float) -> None:
        self.check = check
        self.schedule = Schedule(check.name, check.every, now)  # type: ignore[attr-defined]
        self._limits = Flip()
        self._working = Flip()
        self._working.state = WORKS

    def value(self, value: float, at: float) -> "list[dict[str, object]]":
        """A value was had: what that changes."""
        check = self.check
        events = self._works(at)
        state = judge(value, check.warning, check.critical)  # type: ignore[attr-defined]
        was = self._limits.to(state)
        if was:
            severity = "info" if state == OK else state
            text = "{} is {:g}: {}{}".format(check.name, value, state, _bound(check, state))  # type: ignore[attr-defined]
            fields = {"state": state, "was": was, "value": round(value, 6)}
            events.append(self._event(stated.CHECK_STATE, severity, text, at, fields))
        return events

    def failed(self, why: str, at: float, kind: str = stated.CHECK_FAILED) -> "list[dict[str, object]]":
        """No value could be had; told once, until it works again."""
        if not self._working.to(FAILED):
            return []
        name = self.check.name  # type: ignore[attr-defined]
        return [self._event(kind, "warning", "{}: {}".format(name, why), at, {"state": FAILED, "was": WORKS})]

    def worked(self, at: float) -> "list[dict[str, object]]":
        """A command without limits ended well."""
        return self._works(at)

    def _works(self, at: float) -> "list[dict[str, object]]":
        if not self._working.to(WORKS):
            return []
        name = self.check.name  # type: ignore[attr-defined]
        return [self._event(stated.CHECK_FAILED, "info", "{} works again".format(name), at, {"state": WORKS, "was": FAILED})]

    def _event(self, kind: str, severity: str, text: str, at: float, fields: "dict[str, object]") -> "dict[str, object]":
        return stated.event(kind, severity, text, at, self.check.name, fields, self.check.tags)  # type: ignore[attr-defined, arg-type]


class ReadingRun(Judged):
    """A reading, taken when it is due."""

    def take(self, at: float) -> "list[dict[str, object]]":
        check = self.check
        try:
            value = READINGS[check.reading](check.of, "/")  # type: ignore[attr-defined]
        except ReadingError as problem:
            return self.failed(str(problem), at)
        return self.value(value, at)


class CommandRun(Judged):
    """A command, started when it is due; one run at a time."""

    def __init__(self, check: CommandCheck, now: float) -> None:
        super().__init__(check, now)
        self.child = None  # type: commands.Child | None
        self.poll_at = 0.0
        self._search = re.compile(check.value.encode("utf-8")).search if check.value else NUMBER.search

    def start(self, now: float) -> None:
        """Raises OSError where no process can be had."""
        check = self.check
        self.child = commands.Child(check.command, now + check.timeout)  # type: ignore[attr-defined]
        self.poll_at = self.child.next_poll()

    def ended(self, finished: commands.Finished, at: float) -> "list[dict[str, object]]":
        """The run is over: what it says."""
        self.child = None
        check = self.check
        if finished.problem == commands.STUCK:
            return self.failed("does not end and cannot be killed", at, stated.CHECK_STUCK)
        if finished.problem:
            return self.failed(finished.problem, at)
        if check.warning is None and check.critical is None:  # type: ignore[attr-defined]
            return self.worked(at) if finished.status == 0 else self.failed(_said(finished), at)
        found = self._search(finished.output)
        try:
            return self.value(float(found.group(found.re.groups and 1)), at)  # type: ignore[union-attr]
        except (AttributeError, TypeError, ValueError):
            return self.failed("no value in its output: {}".format(_said(finished)), at)


class LogFile:
    """One followed file and the rules that look at it."""

    def __init__(self, path: str, position: "object") -> None:
        self.follower = Follower(path, position)  # type: ignore[arg-type]
        self.rules = []  # type: list[LineRule]
        self.kept = self.follower.position()
        self.kept_at = None if position is None else 0.0  # a file seen for the first time is kept at once
        self.told = ""  # the problem that was told


class Checks:
    """Runs the checks of a plan. `emit(events, positions)` makes both durable; `allowed(argv)` gives the sentence why
    this host does not run a command, or ""; `selector` waits for the output of children; `positions` are those of an
    earlier run, by path; `wall()` is the time of day for events.
    """

    def __init__(self, emit: "object", allowed: "object", selector: "object", positions: "dict[str, object]", wall: "object") -> None:
        self._emit = emit
        self._allowed = allowed
        self._selector = selector
        self._positions = positions
        self._wall = wall
        self._logs = {}  # type: dict[str, LogFile]
        self._rules = {}  # type: dict[LogCheck, LineRule]
        self._readings = {}  # type: dict[ReadingCheck, ReadingRun]
        self._commands = {}  # type: dict[CommandCheck, CommandRun]
        self._logs_at = 0.0

    def adopt(self, plan: "object", now: float) -> None:
        """Put a plan in force. Checks that did not change keep positions, states and deadlines."""
        checks = plan.checks  # type: ignore[attr-defined]
        allowed = [check for check in checks if not isinstance(check, CommandCheck) or self._allows(check)]
        self._readings = {c: self._readings.get(c) or ReadingRun(c, now) for c in checks if isinstance(c, ReadingCheck)}
        running = {c: self._commands.pop(c, None) or CommandRun(c, now) for c in allowed if isinstance(c, CommandCheck)}
        for gone in self._commands.values():
            self._drop_child(gone)
        self._commands = running
        self._adopt_logs([check for check in checks if isinstance(check, LogCheck)])

    def run(self, now: float, logs: bool = True) -> float:
        """Do what is due; when the next thing is. `logs`: whether log files may be read."""
        due = [self._logs_at]
        if now >= self._logs_at:
            due = [self._follow(now) if logs else now + LOGS_EVERY]
            self._logs_at = due[0]
        for reading in self._readings.values():
            if now >= reading.schedule.due:
                reading.schedule.turn(now)
                self._tell(reading.take(self._now()))
            due.append(reading.schedule.due)
        for command in self._commands.values():
            due.append(self._run_command(command, now))
        return min(due)

    def close(self) -> None:
        """End the children, keep the positions."""
        for command in self._commands.values():
            self._drop_child(command)
        positions = {path: log.follower.position() for path, log in self._logs.items()}
        if positions:
            self._emit([], positions)  # type: ignore[operator]
        for log in self._logs.values():
            log.follower.close()

    def _adopt_logs(self, checks: "list[LogCheck]") -> None:
        self._rules = {check: self._rules.get(check) or LineRule(check) for check in checks}
        wanted = {check.log for check in checks}
        for path in set(self._logs) - wanted:
            self._logs.pop(path).follower.close()
        for path in sorted(wanted):
            if path not in self._logs:
                self._logs[path] = LogFile(path, self._positions.get(path))
            self._logs[path].rules = [self._rules[check] for check in checks if check.log == path]

    def _follow(self, now: float) -> float:
        more = False
        for path, log in self._logs.items():
            lines, position = log.follower.read()
            at = self._now()
            events = [event for rule in log.rules for event in rule.events(lines, at)] if lines else []
            events += self._log_problem(path, log, at)
            stale = log.kept_at is None or (position != log.kept and now - log.kept_at >= POSITIONS_EVERY)
            if events or stale:
                self._emit(events, {path: position})  # type: ignore[operator]
                log.kept, log.kept_at = position, now
            more = more or log.follower.more
        return now if more else now + LOGS_EVERY

    def _log_problem(self, path: str, log: LogFile, at: float) -> "list[dict[str, object]]":
        problem = log.follower.problem
        if problem == log.told:
            return []
        log.told = problem
        text = "{}: {}".format(path, problem) if problem else "{} can be read again".format(path)
        return [stated.event(stated.LOG_UNREADABLE, "warning" if problem else "info", text, at, fields={"path": path})]

    def _run_command(self, command: CommandRun, now: float) -> float:
        if command.child is None and now >= command.schedule.due:
            busy = sum(other.child is not None for other in self._commands.values())
            if busy >= MOST_CHILDREN:
                return now + CHILD_POLL
            command.schedule.turn(now)
            try:
                command.start(now)
            except OSError as problem:
                self._tell(command.failed("cannot be run: {}".format(problem.strerror), self._now()))
                return command.schedule.due
            self._selector.register(command.child.fd, 1, lambda at: self._drain(command, at))  # type: ignore[attr-defined]
        if command.child is not None and now >= command.poll_at:
            self._poll(command, now)
        return command.poll_at if command.child is not None else command.schedule.due

    def _drain(self, command: CommandRun, now: float) -> None:
        """Output has come, or has ended; then the command is about to."""
        if command.child is not None and command.child.read():
            self._selector.unregister(command.child.fd)  # type: ignore[attr-defined]
            self._poll(command, now)

    def _poll(self, command: CommandRun, now: float) -> None:
        child = command.child
        fd = child.fd  # type: ignore[union-attr]
        registered = fd in self._selector.get_map()  # type: ignore[attr-defined]
        if registered and now >= command.poll_at:
            self._selector.unregister(fd)  # type: ignore[attr-defined]
        finished = child.poll(now)  # type: ignore[union-attr]
        if finished is not None:
            self._tell(command.ended(finished, self._now()))
            return
        command.poll_at = now + CHILD_POLL

    def _drop_child(self, command: CommandRun) -> None:
        if command.child is not None:
            if command.child.fd in self._selector.get_map():  # type: ignore[attr-defined]
                self._selector.unregister(command.child.fd)  # type: ignore[attr-defined]
            command.child.kill()
            command.child = None

    def _allows(self, check: CommandCheck) -> bool:
        if check in self._commands:
            return True
        refusal = self._allowed(check.command)  # type: ignore[operator]
        if refusal:
            text = "{}: {}".format(check.name, refusal)
            self._tell([stated.event(stated.CHECK_REFUSED, "warning", text, self._now(), check.name, tags=check.tags)])
        return not refusal

    def _tell(self, events: "list[dict[str, object]]") -> None:
        if events:
            self._emit(events, {})  # type: ignore[operator]

    def _now(self) -> float:
        return self._wall()  # type: ignore[no-any-return, operator]


def _bound(check: "object", state: str) -> str:
    limit = getattr(check, state, None)
    return " ({} {:g})".format(*limit) if limit is not None else ""


def _said(finished: commands.Finished) -> str:
    """How a command ended, and the first line it printed."""
    lines = finished.output.decode("utf-8", "backslashreplace").strip().splitlines()
    status = "status {}".format(finished.status) if finished.status >= 0 else "signal {}".format(-finished.status)
    return "{}: {}".format(status, lines[0]) if lines else status
