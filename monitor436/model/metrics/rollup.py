"""Summaries of metrics: of each host and label, minutes of the last hour and hours of the last day. Pure.

A sample costs the same however many there are: it goes into two windows of its series.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from sys import intern
from typing import NamedTuple

from monitor436.model.metrics.line import HOUR as HOUR
from monitor436.model.metrics.line import HOURS as HOURS
from monitor436.model.metrics.line import MINUTE as MINUTE
from monitor436.model.metrics.line import MINUTES as MINUTES
from monitor436.model.metrics.line import Line
from monitor436.model.metrics.line import Part as Part
from monitor436.model.metrics.line import Window as Window

AHEAD = 60.0  # seconds that a sample may be ahead of the clock at most: it may be the next window's
MOST = 1e290  # beyond, 10^18 values could not be added up
HOST, LABEL = 253, 200  # characters of a name at most
SERIES = 100_000  # take half a gigabyte


class Sample(NamedTuple):
    """One value, and when it was measured: epoch seconds of whoever measured."""

    host: str
    label: str
    value: float
    at: float


class Series(NamedTuple):
    """A label of a host, windows from the oldest; those without samples are left out.

    `every` is how many seconds lie between two samples as a rule, 0 where that is not known.
    """

    host: str
    label: str
    minutes: list[Window]
    hours: list[Window]
    every: float = 0.0


class Latest(NamedTuple):
    """The newest value of a series; `at` is epoch seconds."""

    host: str
    label: str
    value: float
    at: float


class Refused(Exception):
    """A sample has no place. `which` is "late", "future", "value", "name", "hosts", "labels" or
    "series"."""

    def __init__(self, which: str, why: str) -> None:
        super().__init__(why)
        self.which = which


class Rollup:
    """The summaries of at most `most_hosts` with at most `most_labels` each, and `most_series` together.

    A sample may be `ahead` seconds ahead of the clock and a day behind it; one older than an hour is in an hour's
    window only. Times are epoch seconds.
    """

    def __init__(self, most_hosts: int, most_labels: int, ahead: float = AHEAD, most_series: int = SERIES) -> None:
        self.most_hosts, self.most_labels, self.most_series = most_hosts, most_labels, most_series
        self.ahead = min(ahead, AHEAD)
        self._hosts: dict[str, dict[str, Line]] = {}
        self._count = 0
        self._marked: deque[Line] = deque()
        self._heard: dict[int, list[Line]] = {}  # by generation: those that were heard in it first

    def __len__(self) -> int:
        return self._count

    def take(self, sample: Sample, wall: float, generation: int = 0) -> None:
        """Add a sample at the time `wall`. Raises Refused. `generation` is for `expire`."""
        host, label, value, at = sample
        if not -MOST <= value <= MOST:
            raise Refused("value", f"{label[:LABEL]} of {host[:HOST]}: {value} cannot be added up")
        if not at <= wall + self.ahead:
            raise Refused("future", f"{label[:LABEL]} of {host[:HOST]} is {at - wall:.0f} s ahead of the clock")
        if not (at >= 0 and at // HOUR > wall // HOUR - HOURS):
            raise Refused("late", f"{label[:LABEL]} of {host[:HOST]} is {wall - at:.0f} s old")
        labels = self._hosts.get(host)
        line = labels.get(label) if labels is not None else None
        if line is None:
            line = self._new(host, label)
        line.take(float(value), at, at // MINUTE > wall // MINUTE - MINUTES)
        if not line.marked:
            self._mark(line)
        if line.heard < generation:
            self._hear(line, generation)

    def put(self, part: Part, generation: int = 0) -> bool:
        """Add what was kept; False where there is no room for it, or it is not what was kept."""
        try:
            line = self._hosts.get(part.host, {}).get(part.label) or self._new(part.host, part.label)
            line.put(part.width, part.window)
        except (Refused, TypeError, ValueError, OverflowError):
            return False
        if line.heard < generation:
            self._hear(line, generation)
        return True

    def hosts(self) -> list[str]:
        """Those that have series, by name."""
        return sorted(self._hosts)

    def read(self, host: str, label: str, now: float) -> list[Series]:
        """The series of a host whose label contains `label`, in whatever case, by label."""
        wanted = label.casefold()
        found = [line for name, line in sorted(self._hosts.get(host, {}).items()) if wanted in name.casefold()]
        return [
            Series(host, line.label, line.windows(MINUTE, now), line.windows(HOUR, now), round(line.every, 3))
            for line in found
        ]

    def latest(self) -> Iterator[Latest]:
        """The newest value of every series."""
        for host, labels in self._hosts.items():
            for label, line in labels.items():
                yield Latest(host, label, line.value, line.newest)

    def changed(self, most: int) -> list[Part]:
        """Windows that changed since they were last given here: of so many that it is about `most`, at least one."""
        found: list[Part] = []
        while self._marked and len(found) < most:
            line = self._marked.popleft()
            line.marked = False
            found += line.parts()
        return found

    def again(self, parts: Iterable[Part]) -> None:
        """These could not be kept: `changed` is to give them again, as they are by then."""
        for part in parts:
            line = self._hosts.get(part.host, {}).get(part.label)
            if line is not None and line.again(part):
                self._mark(line)

    def all_again(self) -> None:
        """Everything is to be given by `changed` again."""
        for labels in self._hosts.values():
            for line in labels.values():
                line.all_again()
                self._mark(line)

    def expire(self, before: int) -> int:
        """Forget series that were not heard in the generation `before` nor since; the result is how many."""
        gone = 0
        for generation in [each for each in self._heard if each < before]:
            for line in self._heard.pop(generation):
                if line.heard != generation:
                    continue  # it was heard since
                labels = self._hosts[line.host]
                del labels[line.label]
                self._count -= 1
                gone += 1
                if not labels:
                    del self._hosts[line.host]
        return gone

    def _mark(self, line: Line) -> None:
        if not line.marked:
            line.marked = True
            self._marked.append(line)

    def _hear(self, line: Line, generation: int) -> None:
        line.heard = generation
        self._heard.setdefault(generation, []).append(line)

    def _new(self, host: str, label: str) -> Line:
        if not (0 < len(host) <= HOST and 0 < len(label) <= LABEL and host.isprintable() and label.isprintable()):
            raise Refused("name", f"{host[:HOST]!r}, {label[:LABEL]!r}: not names of a host and a label")
        if self._count >= self.most_series:
            raise Refused("series", f"there are {self._count} series already (metrics.most_series)")
        labels = self._hosts.get(host)
        if labels is not None:
            host = next(iter(labels.values())).host  # one text for all of them
        if labels is None:
            if len(self._hosts) >= self.most_hosts:
                raise Refused("hosts", f"{host} would be more than {self.most_hosts} hosts (metrics.most_hosts)")
            labels = self._hosts[host] = {}
        elif len(labels) >= self.most_labels:
            raise Refused("labels", f"{host} has more than {self.most_labels} labels (metrics.most_labels)")
        label = intern(label)  # other hosts have it too
        line = labels[label] = Line(host, label)
        self._count += 1
        return line
