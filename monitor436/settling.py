"""What has come to stay is taken out of garbage collection, once."""

import gc
from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

AFTER = 60.0  # seconds from the start: the fleet has greeted by then


def freeze() -> None:
    """Collect what is garbage now, and look at the rest never again: a full collection would stop a server of 100,000
    hosts for 90 ms each time (benchmarks/silence.py).
    """
    gc.collect()
    gc.freeze()


class Settling(Service):
    """Calls `settle` once, when the server has run for some time."""

    def __init__(self, clock: IReactorTime, settle: Callable[[], None] = freeze) -> None:
        self.setName("settling")
        self._clock = clock
        self._settle = settle
        self._call: IDelayedCall | None = None

    def startService(self) -> None:
        super().startService()
        self._call = self._clock.callLater(AFTER, self._settle)

    def stopService(self) -> None:
        super().stopService()
        if self._call is not None and self._call.active():
            self._call.cancel()
