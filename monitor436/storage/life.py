"""When a process was last there: what it leaves behind with every write, so that the next one knows what is missing."""

import time
from collections.abc import Callable
from typing import NamedTuple

LONGEST = 30 * 86400.0  # seconds: a clock that says more was wrong


class Life(NamedTuple):
    """`wall` is epoch seconds, `monotonic` seconds of the machine's start `boot`; `clean`: it said goodbye."""

    wall: float
    monotonic: float
    boot: str
    clean: bool

    def silent(self, now: "Life") -> float:
        """For how many seconds nobody wrote, 0 if it said goodbye.

        By the monotonic clock if the machine was not started anew since: the wall clock may have been set.
        """
        if self.clean:
            return 0.0
        same = self.boot and self.boot == now.boot
        gone = now.monotonic - self.monotonic if same else now.wall - self.wall
        return round(min(LONGEST, max(0.001, gone)), 3)


def here(wall: float, boot: str, clean: bool = False, monotonic: Callable[[], float] = time.monotonic) -> Life:
    """This process at `wall`."""
    return Life(wall, monotonic(), boot, clean)
