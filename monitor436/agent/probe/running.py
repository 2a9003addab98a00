"""The programs that checks run: a few at once, each check one at a time, none of them waited for."""

from collections.abc import Callable
from selectors import EVENT_READ, BaseSelector

from monitor436.agent import commands
from monitor436.agent.probe.runs import ProgramRun

MOST_CHILDREN = 4  # programs at once
SOON = 0.05  # seconds until a program whose output has ended is looked at again
NEVER = float("inf")


class Running:
    """Starts runs and sees to their end. `tell(run, events)` takes what a run says.

    `selector` waits for the output of children, with `data` to be called with the monotonic time. They run as `user`
    (uid, gid, groups), if one is given.
    """

    def __init__(
        self,
        selector: BaseSelector,
        tell: "Callable[[ProgramRun, list[dict[str, object]]], None]",
        wall: "Callable[[], float]",
        user: "tuple[int, int, list[int]] | None" = None,
    ) -> None:
        self._selector = selector
        self._user = user
        self._tell = tell
        self._wall = wall
        self._dropped = []  # type: list[commands.Child]

    def turn(self, runs: "list[ProgramRun]", now: float, awake: "Callable[[object], bool]") -> float:
        """Look at those that run, then start those that are due, the longest waiting first; when to look again."""
        for run in runs:
            if run.child is not None and now >= run.look_at:
                self._look(run, now)
        running = sum(run.child is not None for run in runs)
        due = [run for run in runs if run.child is None and now >= run.schedule.due]
        for run in sorted(due, key=lambda each: each.schedule.due):
            if not awake(run.check):
                run.schedule.turn(now)
            elif running < MOST_CHILDREN:
                running += self._start(run, now)
        self._dropped = [child for child in self._dropped if not child.gone()]
        waits = [run.look_at if run.child is not None else run.schedule.due for run in runs]
        return min((at for at in waits if at > now), default=NEVER)  # who waits for a place waits for another's end

    def drop(self, run: ProgramRun) -> None:
        """Nobody wants to know any more: end it."""
        if run.child is not None:
            self._unregister(run.child)
            run.child.kill()
        self._dropped += [child for child in (run.child, run.stuck) if child is not None]
        run.child = run.stuck = None

    def _start(self, run: ProgramRun, now: float) -> bool:
        """Start a run, unless the last one hangs; whether it was started."""
        run.schedule.turn(now)
        if run.hangs():
            return False
        try:
            run.start(now, self._user)
        except OSError as problem:
            self._tell(run, run.verdict.failed("cannot be run: {}".format(problem.strerror), self._wall()))
            return False
        self._selector.register(run.child.fd, EVENT_READ, lambda at: self._drain(run, at))  # type: ignore[union-attr]
        return True

    def _drain(self, run: ProgramRun, now: float) -> None:
        """Output has come, or has ended; then the program is about to."""
        if run.child is not None and run.child.read():
            self._unregister(run.child)
            self._look(run, now)
            run.look_at = min(run.look_at, now + SOON)

    def _look(self, run: ProgramRun, now: float) -> None:
        child = run.child
        events = run.look(now, self._wall())
        if run.child is None and child is not None:
            self._unregister(child)
        self._tell(run, events)

    def _unregister(self, child: commands.Child) -> None:
        if child.fd in self._selector.get_map():
            self._selector.unregister(child.fd)
