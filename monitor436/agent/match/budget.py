"""A limit to the processor time that a pattern may take: one that explodes holds up every heartbeat."""

import gc
import signal


class Overrun(Exception):
    """The processor time is used up."""


class Budget:
    """Raises Overrun in its `with` block after that many seconds of processor time of this process.

    For the main thread only, one at a time. `progress` tells how far the block is: as long as its answer has changed
    when the time runs out, the time begins anew, at most `times` times, so that only a step which makes no progress
    is interrupted. Such a step takes at least `seconds`, and at most twice that. Garbage is not collected meanwhile:
    that time is not the pattern's, and whatever is raised in a collection is lost.
    """

    def __init__(self, seconds: float, progress: object = None, times: int = 0) -> None:
        self._seconds = seconds
        self._progress = progress
        self._times = times
        self._last = None  # type: object
        self._counts = False
        self._collects = False

    def __enter__(self) -> None:
        self._collects = gc.isenabled()
        gc.disable()
        self._counts = True
        self._last = self._progress() if callable(self._progress) else None
        signal.signal(signal.SIGVTALRM, self._expired)  # left in place: a late signal must find somebody
        self._again()

    def __exit__(self, *_: object) -> None:
        self._counts = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        if self._collects:
            gc.enable()

    def _expired(self, number: int, frame: object) -> None:
        if not self._counts or getattr(frame, "f_code", None) is Budget.__exit__.__code__:
            return  # the block is over: raised from there, nobody would stop the timer
        now = self._progress() if callable(self._progress) else None
        if now == self._last or not self._times:
            raise Overrun
        self._last = now
        self._times -= 1
        self._again()

    def _again(self) -> None:
        """Time runs, again and again: an Overrun that comes while an object is let go of (`__del__`) is lost there."""
        signal.setitimer(signal.ITIMER_VIRTUAL, self._seconds, self._seconds)
