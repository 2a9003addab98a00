"""Between those who state events and the spool: while the disk refuses, events wait in memory."""

import time
from collections.abc import Callable

from monitor436.agent.store.spool import Spool

UNWRITTEN = 1000  # events kept in memory while the disk refuses them; what comes after is counted as lost
RETRY = 1.0  # seconds until the disk is tried again


class Keeper:
    """Makes events durable in the spool. While some `waits`, logs are to be left alone: they are the buffer."""

    def __init__(self, spool: Spool, say: "Callable[[str], None]") -> None:
        self.due = float("inf")  # when `write_again` is to be called
        self._spool = spool
        self._say = say
        self._unwritten = []  # type: list[tuple[list[dict[str, object]], dict[str, object]]]
        self._lost = 0

    @property
    def waits(self) -> bool:
        """Whether something could not be written yet."""
        return bool(self._unwritten)

    def emit(self, events: "list[dict[str, object]]", kept: "dict[str, object]") -> None:
        """Events and what is kept with them are durable when this returns, unless the disk refuses: then they wait."""
        if self._unwritten:
            self._keep(events, kept)
            return
        try:
            self._spool.append(events, kept)
        except OSError as problem:
            self._say("the spool cannot be written: {}; trying again".format(problem.strerror))
            self._keep(events, kept)

    def write_again(self, now: float) -> None:
        """Write what waits, as far as the disk lets us."""
        self.due = float("inf")
        while self._unwritten:
            try:
                self._spool.append(*self._unwritten[0])
            except OSError:
                self.due = now + RETRY
                return
            del self._unwritten[0]
        if self._lost:
            self._spool.lose(self._lost)
            self._lost = 0

    def age(self, seconds: float) -> None:
        """So much time has passed, while this agent ran: what is too old is done without."""
        try:
            self._spool.age(seconds)
        except OSError as problem:  # it grows older next time
            self._say("the spool cannot be written: {}".format(problem.strerror))

    def _keep(self, events: "list[dict[str, object]]", kept: "dict[str, object]") -> None:
        if sum(len(kept) for kept, _ in self._unwritten) < UNWRITTEN:
            self._unwritten.append((events, kept))
        else:
            self._lost += len(events)
        self.due = min(self.due, time.monotonic() + RETRY)
