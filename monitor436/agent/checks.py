"""The checks of the plan in force, run when they are due."""

import time
from collections.abc import Callable
from selectors import BaseSelector

from monitor436.agent import event as stated
from monitor436.agent.hours import Hours
from monitor436.agent.kinds import CommandCheck, LogCheck, ProcessCheck, ReadingCheck
from monitor436.agent.match.logs import Log
from monitor436.agent.match.rules import LogRule
from monitor436.agent.plan import Plan
from monitor436.agent.probe.running import Running
from monitor436.agent.probe.runs import CommandRun, ProcessRun, ProgramRun, ReadingRun
from monitor436.agent.schedule import TOGETHER, WHOLE, Schedule


class Host:
    """What checks may ask of their host.

    `refuses(argv)` and `refuses_log(path)` give the sentence why it does not run a command, or let a log be read, or
    ""; `wall()` is the time of day for events, and `boot` the boot of the machine. Commands run as `user` (uid, gid,
    groups), if one is given. `name` is the host's. `tells(folders)` says whether the next change in these folders will
    be told.
    """

    def __init__(
        self,
        refuses: "Callable[[tuple[str, ...]], str]",
        refuses_log: "Callable[[str], str]",
        wall: "Callable[[], float]" = time.time,
        boot: str = "",
        user: "tuple[int, int, list[int]] | None" = None,
        name: str = "",
        tells: "Callable[[set[str]], bool]" = lambda folders: False,
    ) -> None:
        self.name = name
        self.tells = tells
        self.refuses = refuses
        self.refuses_log = refuses_log
        self.wall = wall
        self.boot = boot
        self.user = user

    def minute(self) -> "tuple[int, int]":
        """The local day of the week (Monday is 0) and minute of the day."""
        time.tzset()  # the zone of a host may change while we run
        local = time.localtime(self.wall())
        return local.tm_wday, local.tm_hour * 60 + local.tm_min


class Checks:
    """Runs the checks of a plan. A check that fails in whatever way does not stop the others.

    `emit(events, kept)` makes both durable together; `kept` is what an earlier run of the agent kept, by key: positions
    of logs, counts of rules, verdicts of checks. `selector` waits for the output of children, with `data` to be called
    with the monotonic time. `breathe()` is called between pieces of work.
    """

    def __init__(
        self,
        emit: "Callable[[list[dict[str, object]], dict[str, object]], None]",
        host: Host,
        selector: BaseSelector,
        kept: "dict[str, object]",
        breathe: "Callable[[], None]" = lambda: None,
    ) -> None:
        self._emit = emit
        self._host = host
        self._kept = dict(kept)
        self._breathe = breathe
        self._running = Running(selector, self._tell, host.wall, host.user)
        self._logs = {}  # type: dict[str, Log]
        self._rules = {}  # type: dict[LogCheck, LogRule]
        self._readings = {}  # type: dict[ReadingCheck | ProcessCheck, ReadingRun | ProcessRun]
        self._commands = {}  # type: dict[CommandCheck | ProcessCheck, ProgramRun]
        self._hours = {}  # type: dict[object, Hours]
        self._fresh = True  # nothing was adopted yet

    def adopt(self, plan: Plan, now: float) -> None:
        """Put a plan in force. Checks that did not change keep positions, counts, states and deadlines.

        A check that changed keeps its state under its name, so that an all-clear still comes.
        """
        self._forget(plan)
        self._hours = {check: Hours(check.active) for check in plan.checks if check.active}
        runs = [check for check in plan.checks if not isinstance(check, LogCheck)]
        self._adopt_readings([check for check in runs if not _runs_a_program(check)], now)
        self._adopt_commands([check for check in runs if _runs_a_program(check)], now)
        self._adopt_logs([check for check in plan.checks if isinstance(check, LogCheck)], now)

    def run(self, now: float, logs: bool = True) -> float:
        """Do what is due; when the next thing is. `logs`: whether log files may be read."""
        awake = self._awake()
        due = [self._look_at_log(log, now, logs, awake) for log in self._logs.values()]
        for check, reading in self._readings.items():
            if now >= reading.schedule.due:
                reading.schedule.turn(now)
                if awake(check):
                    self._tell(reading, reading.take(now, self._host.wall()))
                    self._breathe()
            due.append(reading.schedule.due)
        due.append(self._running.turn(list(self._commands.values()), now, awake))
        return min(due)

    def wake(self, now: float) -> None:
        """Something happened in a folder, as was promised."""
        for log in self._logs.values():
            log.wake(now)

    def close(self, now: float) -> None:
        """End the children, keep where logs were read to."""
        for run in self._commands.values():
            self._running.drop(run)
        self._close_logs(set(self._logs), now)

    def _awake(self) -> "Callable[[object], bool]":
        """Tells of a check whether it is within its active hours now."""
        hours = self._hours
        minute = self._host.minute() if hours else (0, 0)
        return lambda check: check not in hours or hours[check].awake(*minute)

    def _adopt_readings(self, checks: "list[ReadingCheck | ProcessCheck]", now: float) -> None:
        before, self._readings = self._readings, {}
        for check in checks:
            run = before.get(check)
            if run is None:
                run = _reading(check, now, self._verdict(check))
                run.schedule = self._schedule(check, now)
            self._readings[check] = run

    def _adopt_commands(self, checks: "list[CommandCheck | ProcessCheck]", now: float) -> None:
        before, self._commands = self._commands, {}
        for check in checks:
            run = before.pop(check, None)
            if run is None and self._is_allowed(check):
                run = _program(check, now, self._verdict(check))
                run.schedule = self._schedule(check, now)
            if run is not None:
                self._commands[check] = run
        for gone in before.values():
            self._running.drop(gone)

    def _adopt_logs(self, checks: "list[LogCheck]", now: float) -> None:
        awake = self._awake()
        before, self._rules = self._rules, {}
        for check in checks:
            kept = self._kept.get("rule:" + check.name)
            self._rules[check] = before.get(check) or LogRule(
                check, now, self._host.boot, kept, awake(check), self._breathe
            )
        wanted = {check.log for check in checks}
        self._close_logs(set(self._logs) - wanted, now, left=True)
        for log in sorted(wanted):
            if log not in self._logs:
                self._logs[log] = Log(log, self._kept, self._host.refuses_log, self._breathe, self._host.tells)
            self._logs[log].rules = [rule for check, rule in self._rules.items() if check.log == log]

    def _schedule(self, check: "ReadingCheck | ProcessCheck | CommandCheck", now: float) -> Schedule:
        """Each host has moments of its own, so that a fleet does not run everything in the same second."""
        step = TOGETHER if isinstance(check, ReadingCheck) else WHOLE
        return Schedule(self._host.name + " " + check.name, check.every, now, step)

    def _verdict(self, check: "ReadingCheck | ProcessCheck | CommandCheck") -> object:
        """What is known of a check by its name, from before an edit or before a restart."""
        return self._kept.get("check:" + check.name)

    def _is_allowed(self, check: "CommandCheck | ProcessCheck") -> bool:
        argv = check.command if isinstance(check, CommandCheck) else check.ps
        refusal = self._host.refuses(argv)
        if refusal:
            text = "{}: {}".format(check.name, refusal)
            at = self._host.wall()
            self._emit([stated.event(stated.CHECK_REFUSED, "warning", text, at, check.name, tags=check.tags)], {})
        return not refusal

    def _forget(self, plan: Plan) -> None:
        """What is kept of checks that are gone is not for a later check of the same name.

        Where logs were read to outlives the edit of a plan, in case it is mended, but not the next start.
        """
        names = {check.name for check in plan.checks}
        logs = {check.log for check in plan.checks if isinstance(check, LogCheck)}
        gone = {}  # type: dict[str, object]
        for key in self._kept:
            of_check = key.startswith(("rule:", "check:"))
            if (of_check and key.split(":", 1)[1] not in names) or (
                not of_check and self._fresh and plan.checks and key.startswith("/") and key.split("\t")[0] not in logs
            ):
                gone[key] = None
        self._fresh = self._fresh and not plan.checks
        if gone:
            self._keep([], gone)

    def _close_logs(self, logs: "set[str]", now: float, left: bool = False) -> None:
        """Let go of files, and keep where reading stopped for when they are wanted again. `left`: no plan has them."""
        for log in sorted(logs):
            closing = self._logs.pop(log)
            others = {path for other in self._logs.values() for path in other.problems}
            self._keep(closing.left(self._host.wall(), others) if left else [], closing.everything(now))
            closing.close()

    def _look_at_log(self, log: Log, now: float, allowed: bool, awake: "Callable[[object], bool]") -> float:
        """Read on in a log if that is due; when it is due again."""
        if now < log.due:
            return log.due
        if not allowed:
            log.due = now + 1.0
            return log.due
        events, kept = log.look(now, self._host.wall(), awake)
        if events or kept:
            self._keep(events, kept)
        self._breathe()
        return log.due

    def _tell(self, run: "ReadingRun | ProgramRun", events: "list[dict[str, object]]") -> None:
        if events:
            self._keep(events, {"check:" + run.check.name: run.verdict.kept()})

    def _keep(self, events: "list[dict[str, object]]", kept: "dict[str, object]") -> None:
        kept = {key: value for key, value in kept.items() if value is not None or key in self._kept}
        for key, value in kept.items():
            if value is None:
                self._kept.pop(key, None)
            else:
                self._kept[key] = value
        self._emit(events, kept)


def _runs_a_program(check: "ReadingCheck | ProcessCheck | CommandCheck") -> bool:
    return isinstance(check, CommandCheck) or (isinstance(check, ProcessCheck) and bool(check.ps))


def _reading(check: "ReadingCheck | ProcessCheck", now: float, kept: object) -> "ReadingRun | ProcessRun":
    return ProcessRun(check, now, kept) if isinstance(check, ProcessCheck) else ReadingRun(check, now, kept)


def _program(check: "CommandCheck | ProcessCheck", now: float, kept: object) -> ProgramRun:
    return ProcessRun(check, now, kept) if isinstance(check, ProcessCheck) else CommandRun(check, now, kept)
