"""How late this process is: every verdict on others takes that off."""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from monitor436.periodic import Periodic

PULSE = 0.1  # seconds between two samples


class Pulse(Periodic):
    """By how many seconds this process was late at most while this runs: `late`. Several may run at once."""

    def __init__(self, monotonic: Callable[[], float], clock: IReactorTime) -> None:
        super().__init__("pulse", PULSE, self._beat, clock)
        self.late = 0.0
        self._monotonic, self._at = monotonic, monotonic()

    def stopService(self) -> None:
        """Take a last sample."""
        self._beat()
        super().stopService()

    def _beat(self) -> None:
        now = self._monotonic()
        self.late = max(self.late, now - self._at - PULSE)
        self._at = now
