"""Targets that answer by the clock: a probe for tests of what asks fleets again and again."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from monitor436.probes.probe import Failure, Target


class AskedFleet:
    """Each target answers after `takes` seconds as `says` has it, else `well()`; `running` are being asked."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.timeout = 5.0
        self.takes = 0.0
        self.says: dict[str, bytes | Failure] = {}
        self.asked: list[str] = []
        self.running = self.closed = 0

    def well(self) -> bytes:
        """What a target says that is well."""
        raise NotImplementedError

    async def probe(self, target: Target, within: float | None = None) -> bytes:
        """An answer of the script."""
        self.asked.append(target.name)
        if self.takes:
            self.running += 1
            later: Deferred[None] = Deferred()
            call = self.clock.callLater(self.takes, later.callback, None)
            try:
                await later
            finally:
                self.running -= 1
                if call.active():
                    call.cancel()
        said = self.says.get(target.name) or self.well()
        if isinstance(said, Failure):
            raise said
        return said

    async def close(self) -> None:
        """Nothing is open; it is counted."""
        self.closed += 1
