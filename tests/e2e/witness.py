"""What a machine that is busy with other things does to a process: no test may call that the process's own fault."""

import threading
import time
from collections import deque

from tests.e2e.processes import kept_waiting

EVERY = 0.1  # seconds between looks
KEPT = 600  # looks: a minute
SECOND = round(1.0 / EVERY)  # looks


class Witness:
    """Watches how long the main thread of a process waits for a core, from `start()` to `stop()`.

    A core that a hypervisor took away is not counted, but makes this thread late: that is added.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._kept: deque[float] = deque(maxlen=KEPT)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> "Witness":
        """Begin."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """It is enough."""
        self._ends.set()
        self._thread.join()

    @property
    def worst(self) -> float:
        """Seconds that the process was kept waiting in the worst second of the last minute."""
        kept = list(self._kept)
        return max((sum(kept[at : at + SECOND]) for at in range(len(kept))), default=0.0)

    def _watch(self) -> None:
        looked, waited = time.monotonic(), kept_waiting(self._pid)
        while not self._ends.wait(EVERY):
            before, looked = looked, time.monotonic()
            earlier, waited = waited, kept_waiting(self._pid)
            self._kept.append(max(0.0, waited - earlier) + max(0.0, looked - before - EVERY))
