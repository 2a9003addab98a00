"""The checks of the plan in force, run when they are due."""

from collections.abc import Callable
from selectors import EVENT_READ, BaseSelector

from monitor436.agent import commands
from monitor436.agent import event as stated
from monitor436.agent.follow import Follower
from monitor436.agent.plan import CommandCheck, LogCheck, Plan, ReadingCheck
from monitor436.agent.rules import LineRule
from monitor436.agent.runs import CommandRun, ReadingRun
from monitor436.agent.thresholds import Verdict

LOGS_EVERY = 0.5  # seconds between looks at a log file
POSITIONS_EVERY = 30.0  # seconds after which a position is kept although nothing matched
MOST_CHILDREN = 4  # commands at once
SOON = 0.05  # seconds until a command whose output has ended is looked at again
NEVER = float("inf")


class Log:
    """One followed file, and the rules that look at its lines."""

    def __init__(self, path: str, position: "object") -> None:
        self.path = path
        self.follower = Follower(path, position)  # type: ignore[arg-type]
        self.rules = []  # type: list[LineRule]
        self.due = 0.0
        self.kept = self.follower.position()
        self.keep_at = 0.0  # when the position is kept at the latest: at once, for a file that was never seen
        self._told = ""  # the problem that was told

    def look(self, at: float) -> "tuple[list[dict[str, object]], object]":
        """The events of new lines, and the position behind them."""
        try:
            lines, position = self.follower.read()
            problem = self.follower.problem
        except Exception as broken:  # one file's fault must not stop the others
            lines, position, problem = [], self.kept, repr(broken)
        events = []
        for rule in self.rules if lines else ():
            try:
                events += rule.events(lines, at)
            except Exception as broken:
                events.append(rule.give_up(repr(broken), at))
        return events + self._problem(problem, at), position

    def _problem(self, problem: str, at: float) -> "list[dict[str, object]]":
        if problem == self._told:
            return []
        self._told = problem
        text = "{}: {}".format(self.path, problem) if problem else "{} can be read again".format(self.path)
        severity = "warning" if problem else "info"
        return [stated.event(stated.LOG_UNREADABLE, severity, text, at, fields={"path": self.path})]


class Checks:
    """Runs the checks of a plan. A check that fails in whatever way does not stop the others.

    `emit(events, positions)` makes both durable; `allowed(argv)` gives the sentence why this host does not run a
    command, or ""; `selector` waits for the output of children, with `data` to be called with the monotonic time;
    `positions` are those of an earlier run, by path; `wall()` is the time of day for events.
    """

    def __init__(
        self,
        emit: "Callable[[list[dict[str, object]], dict[str, object]], None]",
        allowed: "Callable[[tuple[str, ...]], str]",
        selector: BaseSelector,
        positions: "dict[str, object]",
        wall: "Callable[[], float]",
    ) -> None:
        self._emit = emit
        self._allowed = allowed
        self._selector = selector
        self._positions = dict(positions)
        self._wall = wall
        self._logs = {}  # type: dict[str, Log]
        self._rules = {}  # type: dict[LogCheck, LineRule]
        self._readings = {}  # type: dict[ReadingCheck, ReadingRun]
        self._commands = {}  # type: dict[CommandCheck, CommandRun]
        self._dropped = []  # type: list[commands.Child]

    def adopt(self, plan: Plan, now: float) -> None:
        """Put a plan in force. Checks that did not change keep positions, states and deadlines.

        A check that changed keeps its state under its name, so that an all-clear still comes.
        """
        runs = list(self._readings.values()) + list(self._commands.values())
        before = {run.check.name: run.verdict for run in runs}
        self._rules = {c: self._rules.get(c) or LineRule(c) for c in plan.checks if isinstance(c, LogCheck)}
        self._readings = {
            c: self._readings.get(c) or ReadingRun(c, now, before.get(c.name))
            for c in plan.checks
            if isinstance(c, ReadingCheck)
        }
        self._adopt_commands([c for c in plan.checks if isinstance(c, CommandCheck)], now, before)
        self._adopt_logs({check.log for check in self._rules})

    def run(self, now: float, logs: bool = True) -> float:
        """Do what is due; when the next thing is. `logs`: whether log files may be read."""
        due = [self._look_at_log(log, now, logs) for log in self._logs.values()]
        for reading in self._readings.values():
            if now >= reading.schedule.due:
                reading.schedule.turn(now)
                self._tell(reading.take(self._wall()))
            due.append(reading.schedule.due)
        due.append(self._run_commands(now))
        self._dropped = [child for child in self._dropped if not child.gone()]
        return min(due)

    def close(self) -> None:
        """End the children, keep the positions."""
        for command in self._commands.values():
            self._drop(command)
        self._close_logs(set(self._logs))

    def _adopt_commands(self, checks: "list[CommandCheck]", now: float, before: "dict[str, Verdict]") -> None:
        commands_before, self._commands = self._commands, {}
        for check in checks:
            run = commands_before.pop(check, None)
            if run is None and self._is_allowed(check):
                run = CommandRun(check, now, before.get(check.name))
            if run is not None:
                self._commands[check] = run
        for gone in commands_before.values():
            self._drop(gone)

    def _is_allowed(self, check: CommandCheck) -> bool:
        refusal = self._allowed(check.command)
        if refusal:
            text = "{}: {}".format(check.name, refusal)
            self._tell([stated.event(stated.CHECK_REFUSED, "warning", text, self._wall(), check.name, tags=check.tags)])
        return not refusal

    def _adopt_logs(self, wanted: "set[str]") -> None:
        self._close_logs(set(self._logs) - wanted)
        for path in sorted(wanted):
            if path not in self._logs:
                self._logs[path] = Log(path, self._positions.get(path))
            self._logs[path].rules = [rule for check, rule in self._rules.items() if check.log == path]

    def _close_logs(self, paths: "set[str]") -> None:
        """Let go of files, and keep where reading stopped for when they are wanted again."""
        positions = {path: self._logs[path].follower.position() for path in sorted(paths)}  # type: dict[str, object]
        if positions:
            self._keep([], positions)
        for path in paths:
            self._logs.pop(path).follower.close()

    def _look_at_log(self, log: Log, now: float, allowed: bool) -> float:
        """Read on in a log if that is due; when it is due again."""
        if now < log.due:
            return log.due
        log.due = now + LOGS_EVERY
        if not allowed:
            return log.due
        events, position = log.look(self._wall())
        first = log.path not in self._positions
        if events or first or (position != log.kept and now >= log.keep_at):
            self._keep(events, {log.path: position})
            log.kept, log.keep_at = position, now + POSITIONS_EVERY  # type: ignore[assignment]
        if log.follower.more:
            log.due = now
        return log.due

    def _run_commands(self, now: float) -> float:
        """Look at those that run, then start those that are due, the longest waiting first; when to look again."""
        for command in self._commands.values():
            if command.child is not None and now >= command.look_at:
                self._look(command, now)
        running = sum(command.child is not None for command in self._commands.values())
        for command in sorted(self._commands.values(), key=lambda each: each.schedule.due):
            if running < MOST_CHILDREN and command.child is None and now >= command.schedule.due:
                running += self._start(command, now)
        waits = [c.look_at if c.child is not None else c.schedule.due for c in self._commands.values()]
        return min(
            (at for at in waits if at > now), default=NEVER
        )  # who waits for a free place waits for another's end

    def _start(self, command: CommandRun, now: float) -> bool:
        """Start a run, unless the last one hangs; whether it was started."""
        command.schedule.turn(now)
        if command.hangs():
            return False
        try:
            command.start(now)
        except OSError as problem:
            self._tell(command.verdict.failed("cannot be run: {}".format(problem.strerror), self._wall()))
            return False
        self._selector.register(command.child.fd, EVENT_READ, lambda at: self._drain(command, at))  # type: ignore[union-attr]
        return True

    def _drain(self, command: CommandRun, now: float) -> None:
        """Output has come, or has ended; then the command is about to."""
        if command.child is not None and command.child.read():
            self._unregister(command.child)
            self._look(command, now)
            command.look_at = min(command.look_at, now + SOON)

    def _look(self, command: CommandRun, now: float) -> None:
        child = command.child
        events = command.look(now, self._wall())
        if command.child is None and child is not None:
            self._unregister(child)
        self._tell(events)

    def _drop(self, command: CommandRun) -> None:
        """Nobody wants to know any more: end its run."""
        if command.child is not None:
            self._unregister(command.child)
            command.child.kill()
        self._dropped += [child for child in (command.child, command.stuck) if child is not None]
        command.child = command.stuck = None

    def _unregister(self, child: commands.Child) -> None:
        if child.fd in self._selector.get_map():
            self._selector.unregister(child.fd)

    def _tell(self, events: "list[dict[str, object]]") -> None:
        if events:
            self._emit(events, {})

    def _keep(self, events: "list[dict[str, object]]", positions: "dict[str, object]") -> None:
        self._positions.update(positions)
        self._emit(events, positions)
