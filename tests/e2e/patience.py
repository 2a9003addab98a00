"""Waiting for what other processes do: the one place of the tests that sleeps."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
POLL = 0.05  # seconds between looks


class Impatience(AssertionError):
    """What was waited for did not happen in time."""


def eventually(look: Callable[[], Found], seconds: float, what: str, poll: float = POLL) -> Found:
    """What `look()` gives as soon as that is true. Raises Impatience, which says `what` it was, after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        last = time.monotonic() >= end  # before the look: whoever was kept waiting by the machine looks once more
        found = look()
        if found:
            return found
        if last:
            raise Impatience(f"not within {seconds:g} s: {what}; at the end: {found!r}")
        time.sleep(poll)


def pause(seconds: float) -> None:
    """Let time pass, where that itself is the test: an outage, a silence."""
    time.sleep(seconds)
