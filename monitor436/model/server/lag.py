"""How late a process comes to what it has to do. Pure: told each delay."""

from collections import deque


class Lag:
    """The last delays, in seconds."""

    def __init__(self, kept: int = 600) -> None:
        self._delays: deque[float] = deque(maxlen=kept)

    def took(self, seconds: float) -> None:
        """One more."""
        self._delays.append(seconds)

    def p99(self) -> float:
        """What 99 of 100 do not exceed; 0 while nothing is known."""
        delays = sorted(self._delays)
        return delays[len(delays) * 99 // 100] if delays else 0.0

    def worst(self) -> float:
        """The longest."""
        return max(self._delays, default=0.0)


class Stopwatch:
    """How long something that happens again and again takes, one at a time."""

    def __init__(self) -> None:
        self.count = 0  # times that it was done
        self.total = 0.0  # seconds that they took
        self._began: float | None = None
        self._longest = 0.0

    def starts(self, now: float) -> None:
        """It begins."""
        self._began = now

    def stops(self, now: float) -> None:
        """It is done."""
        took = self._so_far(now)
        self.count, self.total = self.count + 1, self.total + took
        self._longest = max(self._longest, took)
        self._began = None

    def longest(self, now: float) -> float:
        """The longest since this was asked last, in seconds; one that is not done yet counts as far as it is."""
        longest, self._longest = max(self._longest, self._so_far(now)), 0.0
        return longest

    def _so_far(self, now: float) -> float:
        return 0.0 if self._began is None else now - self._began
