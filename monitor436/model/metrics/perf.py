"""The words of lizmon's API: how hosts and moments are named there, and the shape in which summaries are told. Pure."""

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from monitor436.agent.plan import shown
from monitor436.model.metrics.rollup import HOUR, MINUTE, Series, Window

PREFIX = {MINUTE: "summary:by-minute:", HOUR: "summary:by-hour:"}
SPAN = {MINUTE: 3600, HOUR: 86400}  # seconds that the windows of a width go back
DIGITS = 10  # of an average: what is beyond comes from adding floats

_HOST = re.compile(r"[^\s/\x00-\x1f\x7f]{1,100}")
_EPOCH = re.compile(r"[0-9]{1,11}(\.[0-9]{1,9})?")
_FINER = {13: "milliseconds", 16: "microseconds", 19: "nanoseconds"}


class Average(Struct, rename="kebab"):
    """One window, from `start_sec` up to `end_sec` (epoch seconds).

    `expected` is how many samples there would be at the pace at which they come; 0 where that is not known.
    """

    start_sec: int
    end_sec: int
    interval_size_sec: int
    avg: float
    num_samples: int
    count: int
    min: float
    max: float
    last: float
    expected: int = 0


class Summary(Struct, rename="kebab"):
    """The windows of one width of a label; `start` and `end` (epoch seconds) are what they may cover."""

    averages: list[Average]
    start: int
    end: int
    timeslice_size_sec: int
    average_count: int


def host_name(text: str) -> str:
    """The name of a host, as it is kept: in lower case. Raises ValueError with a sentence."""
    if not (_HOST.fullmatch(text) and text.isprintable()):
        raise ValueError(f"expected a host of at most 100 characters without spaces and slashes, got {shown(text)}")
    return text.lower()


def moment(text: str) -> float:
    """The epoch seconds (UTC) that a text says. Raises ValueError with a sentence."""
    if _EPOCH.fullmatch(text):
        return float(text)
    finer = _FINER.get(len(text)) if text.isdecimal() else None
    hint = f"; these look like {finer}" if finer else ""
    raise ValueError(f"expected seconds since 1970 (UTC), such as 1465001847, got {shown(text)}{hint}")


def number(value: float | str) -> float:
    """A value as a number; lizmon's clients may write it as text. Raises ValueError with a sentence."""
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"expected a number, got {shown(str(value))}") from None


def summaries(series: Sequence[Series], wanted: str, now: float) -> Mapping[str, Summary]:
    """What is told of a host's series at `now` (epoch seconds): all whose name contains `wanted`, in whatever case.

    A name is that of a label with its width before it, such as "summary:by-minute:cpu".
    """
    asked = wanted.casefold()
    found = {}
    for each in series:
        for width, windows in ((MINUTE, each.minutes), (HOUR, each.hours)):
            name = PREFIX[width] + each.label
            if windows and asked in name.casefold():
                found[name] = _summary(windows, width, each.every, now)
    return found


def _summary(windows: Sequence[Window], width: int, every: float, now: float) -> Summary:
    averages = [_average(window, width, every, now) for window in windows]
    start = int(now) - SPAN[width]
    return Summary(averages, start - start % width, int(now), width, len(averages))


def _average(window: Window, width: int, every: float, now: float) -> Average:
    passed = min(width, max(0.0, now - window.start))
    return Average(
        window.start,
        window.start + width,
        width,
        float(f"{window.mean:.{DIGITS}g}"),
        window.count,
        window.count,
        window.min,
        window.max,
        window.last,
        max(window.count, round(passed / every)) if every > 0 else 0,
    )
