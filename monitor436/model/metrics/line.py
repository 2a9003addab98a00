"""The windows of one series: rings of numbers in two flat arrays. Pure.

A slot holds one window at a time. A ring has a place more than there are windows, for the one that a sample which is a
little ahead opens; so whatever else a slot holds has expired.
"""

from array import array
from collections.abc import Iterator
from math import fsum
from typing import NamedTuple

MINUTE, HOUR = 60, 3600
MINUTES, HOURS = 60, 24  # windows that are shown, the present one among them
RING = {MINUTE: MINUTES + 1, HOUR: HOURS + 1}
SLOTS = sum(RING.values())
SUM, OFF, MIN, MAX, LAST = range(5)  # of a slot's floats; OFF is what the sum is short of
START, COUNT, AT = range(3)  # of a slot's whole numbers; AT is milliseconds after the start
FLOATS, WHOLES = 5, 3


class Window(NamedTuple):
    """What a series was from `start` (epoch seconds) on, for a minute or an hour; `last_at` is epoch seconds."""

    start: int
    count: int  # type: ignore[assignment]  # of samples; tuple.count is not missed
    sum: float
    min: float
    max: float
    last: float
    last_at: float

    @property
    def mean(self) -> float:
        """Of all values."""
        return self.sum / self.count


class Part(NamedTuple):
    """A window of a series as one receiver knows it; `width` is 60 or 3600."""

    host: str
    label: str
    width: int
    window: Window


class Line:
    """The windows of one series."""

    __slots__ = ("changed", "every", "floats", "heard", "host", "label", "marked", "newest", "value", "wholes")

    def __init__(self, host: str, label: str) -> None:
        self.host, self.label = host, label
        self.floats = array("d", bytes(8 * FLOATS * SLOTS))
        self.wholes = array("I", bytes(4 * WHOLES * SLOTS))
        self.changed = bytearray(SLOTS)
        self.value = self.newest = self.every = 0.0
        self.heard = -1  # in which generation it was last heard
        self.marked = False

    def take(self, value: float, at: float, minute: bool) -> None:
        """Add a value; `minute`: it is new enough for a window of a minute."""
        second = int(at)
        if minute:
            start = second // MINUTE
            self._add(start % (MINUTES + 1), start * MINUTE, value, at)
        start = second // HOUR
        self._add(MINUTES + 1 + start % (HOURS + 1), start * HOUR, value, at)
        if at >= self.newest:
            if self.newest and at > self.newest:
                gap = at - self.newest
                self.every += (min(gap, 10 * self.every) - self.every) / 8 if self.every else gap
            self.newest, self.value = at, value

    def _add(self, slot: int, start: int, value: float, at: float) -> None:
        floats, wholes = self.floats, self.wholes
        first, whole = slot * FLOATS, slot * WHOLES
        self.changed[slot] = 1
        if wholes[whole] != start or not wholes[whole + COUNT]:
            floats[first] = floats[first + MIN] = floats[first + MAX] = floats[first + LAST] = value
            floats[first + OFF] = 0.0
            wholes[whole], wholes[whole + COUNT], wholes[whole + AT] = start, 1, int((at - start) * 1000)
            return
        total = floats[first]
        more = total + value
        if abs(total) >= abs(value):  # Neumaier's sum: what rounding takes away is kept beside it
            floats[first + OFF] += total - more + value
        else:
            floats[first + OFF] += value - more + total
        floats[first] = more
        if value < floats[first + MIN]:
            floats[first + MIN] = value
        elif value > floats[first + MAX]:
            floats[first + MAX] = value
        after = int((at - start) * 1000)
        wholes[whole + COUNT] += 1
        if after >= wholes[whole + AT]:
            wholes[whole + AT], floats[first + LAST] = after, value

    def put(self, width: int, window: Window) -> None:
        """A window that was kept: it is added to what is there, unless that is newer."""
        slot = slot_of(width, window.start)
        there = self.window(slot)
        if there is not None and there.start > window.start:
            return
        if there is not None and there.start == window.start:
            window = merged([there, window])
        first, whole = slot * FLOATS, slot * WHOLES
        numbers = (window.sum, 0.0, window.min, window.max, window.last)
        self.floats[first : first + FLOATS] = array("d", numbers)
        after = int((window.last_at - window.start) * 1000 + 0.5)
        self.wholes[whole : whole + WHOLES] = array("I", (window.start, window.count, after))
        if window.last_at > self.newest:
            self.newest, self.value = window.last_at, window.last

    def window(self, slot: int) -> Window | None:
        """What is in a slot."""
        start, count, after = self.wholes[slot * WHOLES : slot * WHOLES + WHOLES]
        if not count:
            return None
        total, off, least, most, last = self.floats[slot * FLOATS : slot * FLOATS + FLOATS]
        return Window(start, count, total + off, least, most, last, start + after / 1000)

    def windows(self, width: int, now: float) -> list[Window]:
        """Those of a width that are shown at `now`, from the oldest."""
        newest = int(now) // width + 1
        slots = (slot_of(width, number * width) for number in range(newest - RING[width] + 1, newest + 1))
        found = (self.window(slot) for slot in slots)
        first, last = (newest - RING[width] + 1) * width, newest * width
        return [window for window in found if window is not None and first <= window.start <= last]

    def parts(self) -> Iterator[Part]:
        """What changed since it was last asked."""
        slot = self.changed.find(1)
        while slot >= 0:
            self.changed[slot] = 0
            window = self.window(slot)
            if window is not None:
                yield Part(self.host, self.label, MINUTE if slot <= MINUTES else HOUR, window)
            slot = self.changed.find(1, slot + 1)

    def again(self, part: Part) -> bool:
        """A part is to be given by `parts` again; False if its window is gone."""
        slot = slot_of(part.width, part.window.start)
        if self.wholes[slot * WHOLES] != part.window.start:
            return False
        self.changed[slot] = 1
        return True

    def all_again(self) -> None:
        """So are all."""
        self.changed[:] = b"\1" * SLOTS


def merged(windows: list[Window]) -> Window:
    """One window of several with the same start, as if one receiver had taken all samples."""
    newest = max(windows, key=lambda window: (window.last_at, window.last))
    return Window(
        newest.start,
        sum(window.count for window in windows),
        fsum(window.sum for window in windows),
        min(window.min for window in windows),
        max(window.max for window in windows),
        newest.last,
        newest.last_at,
    )


def slot_of(width: int, start: int) -> int:
    """Where in its ring a window has its place."""
    number = start // width
    return number % (MINUTES + 1) if width == MINUTE else MINUTES + 1 + number % (HOURS + 1)
