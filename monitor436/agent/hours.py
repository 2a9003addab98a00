"""Active hours: on which days, and between which times of this host's local time, a check is awake. Pure."""

import re
from collections import namedtuple

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_LONG = 24 * 60  # minutes
EXAMPLE = '"mon-fri 08:00-18:00", "sat,sun" or "22:00-06:00"'

Span = namedtuple("Span", "days start end")  # numbers of days (Monday is 0) on which it starts, and minutes of the day

_TIMES = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])\Z")


def span(text: str) -> Span:
    """The span in a text such as "mon-fri 08:00-18:00"; days or times may be left out.

    A span that ends before it starts goes on after midnight and belongs to the day on which it started: "fri
    22:00-06:00" is awake until Saturday, 06:00. Raises ValueError with a sentence.
    """
    words = text.lower().split()
    times = _TIMES.match(words[-1]) if words else None
    if not words or len(words) > (2 if times else 1):
        raise ValueError("expected days and times such as {}".format(EXAMPLE))
    start, end = 0, DAY_LONG
    if times:
        hours = [int(each) for each in times.groups()]
        start, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
        if start >= DAY_LONG or end > DAY_LONG or start == end:
            raise ValueError("expected two different times, 00:00 to 24:00")
    days = _days(words[0]) if len(words) > bool(times) else frozenset(range(7))
    return Span(tuple(sorted(days)), start, end)


def _days(text: str) -> "frozenset[int]":
    days = set()  # type: set[int]
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise ValueError("expected days such as mon-fri or sat,sun, and then times such as 08:00-18:00")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        days.update(day % 7 for day in range(begin, end + 1 if end >= begin else end + 8))
    return frozenset(days)


class Hours:
    """When a check is awake: within one of these spans, always if there is none."""

    def __init__(self, texts: "tuple[str, ...]") -> None:
        self._spans = [span(text) for text in texts]

    def awake(self, day: int, minute: int) -> bool:
        """Whether it is awake on this day of the week (Monday is 0), this minute of the day, both local."""
        if not self._spans:
            return True
        before = (day - 1) % 7
        for days, start, end in self._spans:
            if start < end:
                if day in days and start <= minute < end:
                    return True
            elif (day in days and minute >= start) or (before in days and minute < end):
                return True
        return False
