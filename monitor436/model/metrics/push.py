"""Samples of this host on their way to a receiver: those that wait, and when it is tried again. Pure: told the time."""

from collections import deque
from typing import NamedTuple

KEPT = 3600  # samples that wait for one receiver: those of an hour, as an older one has no window there any more
SHORTEST, LONGEST = 1.0, 30.0  # seconds until a receiver that failed is asked again; each failure doubles them
TRUSTED_WAIT = 3600.0  # seconds: a receiver that asks for a longer pause is asked again after this one


class Measured(NamedTuple):
    """What was measured at one moment: wall clock in whole seconds since 1970 (UTC), and a value for each label."""

    at: int
    values: dict[str, float]


class Backlog:
    """What waits for one receiver, oldest first; beyond `most` the oldest is dropped, and counted in `dropped`.

    One sample is on its way at a time: `next` gives it, and one of `published`, `refused` and `failed` must follow.
    """

    def __init__(self, most: int = KEPT) -> None:
        self.dropped = 0
        self.failures = 0  # in a row
        self._waiting: deque[Measured] = deque()
        self._most = most
        self._sent: Measured | None = None
        self._due = 0.0

    def __len__(self) -> int:
        """How many wait, with the one that is on its way."""
        return len(self._waiting) + (self._sent is not None)

    def add(self, sample: Measured) -> None:
        """One more."""
        self._waiting.append(sample)
        if len(self._waiting) > self._most:
            self._waiting.popleft()
            self.dropped += 1

    def next(self, now: float) -> Measured | None:
        """The sample to send now; None if one is on its way, none is left, or the receiver is not to be asked yet."""
        if self._sent is not None or not self._waiting or now < self._due:
            return None
        self._sent = self._waiting.popleft()
        return self._sent

    def published(self) -> None:
        """The receiver has it."""
        self._sent, self.failures, self._due = None, 0, 0.0

    def refused(self) -> None:
        """The receiver wants this one not now and not later: it is dropped, and the next one may be better."""
        self.published()
        self.dropped += 1

    def failed(self, now: float, wait: float = 0.0) -> float:
        """It could not be delivered: it goes first again, after so many seconds. `wait`: what the receiver asks for."""
        assert self._sent is not None
        self._waiting.appendleft(self._sent)
        self._sent = None
        if len(self._waiting) > self._most:
            self._waiting.popleft()
            self.dropped += 1
        pause = max(min(LONGEST, SHORTEST * 2.0**self.failures), min(wait, TRUSTED_WAIT))
        self.failures = min(self.failures + 1, 10)
        self._due = now + pause
        return pause
