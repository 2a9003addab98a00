"""A timer that survives its worst turn."""

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger


class Periodic(Service):
    """Calls `turn` every `every` seconds while it runs, at once at first. What `turn` raises is logged; it goes on.

    `turn` may return a Deferred: the next call waits for it.
    """

    log = Logger()

    def __init__(self, name: str, every: float, turn: Callable[[], object], clock: IReactorTime) -> None:
        self.setName(name)
        self.every = every
        self._turn = turn
        self._loop = LoopingCall(self._guarded)
        self._loop.clock = clock

    def startService(self) -> None:
        super().startService()
        self._loop.start(self.every)

    def stopService(self) -> None:
        super().stopService()
        if self._loop.running:
            self._loop.stop()

    def retime(self, every: float) -> None:
        """Another period, from the next turn on; a shorter one at once."""
        sooner = every < self.every
        self.every = self._loop.interval = every
        if sooner and self._loop.call is not None:
            self._loop.reset()

    async def _survive(self, outcome: object) -> None:
        try:
            await outcome  # type: ignore[misc]
        except Exception:
            self.log.failure("{name} failed; it goes on", name=self.name)

    def _guarded(self) -> object:
        try:
            outcome = self._turn()
        except Exception:
            self.log.failure("{name} failed; it goes on", name=self.name)
            return None
        if hasattr(outcome, "__await__"):
            from twisted.internet.defer import ensureDeferred

            return ensureDeferred(self._survive(outcome))
        return None
