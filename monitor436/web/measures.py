"""What the HTTP door counts: requests, seconds and bytes of every route, and what became of connections."""

from collections.abc import Iterator
from typing import NamedTuple

from monitor436.model.server.crowd import Crowd

CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
NO_ROUTE = "none"  # as path, of whatever meets no route


class Measure:
    """The counts of one route since the start; `seconds` from the request's first line to the last byte given away."""

    __slots__ = ("method", "path", "received", "seconds", "sent", "statuses")

    def __init__(self, method: str, path: str) -> None:
        self.method = method
        self.path = path
        self.statuses = dict.fromkeys(CLASSES, 0)
        self.seconds = 0.0
        self.received = 0  # bytes of bodies
        self.sent = 0  # bytes of bodies


class Connections(NamedTuple):
    """How many there are, and how many were refused, timed out or left before their answer, since the start."""

    now: int
    refused: int
    timed_out: int
    left: int


class Measures:
    """The counters of a door."""

    def __init__(self) -> None:
        self._by_route: dict[tuple[str, str], Measure] = {}
        self.crowd = Crowd(0, 0)  # of a door that does not listen yet
        self.left = 0

    def __iter__(self) -> Iterator[Measure]:
        return iter(self._by_route.values())

    def answered(self, route: tuple[str, str] | None, status: int, seconds: float, received: int, sent: int) -> None:
        """A request of a route, (method, path), was answered; None: it met none."""
        key = route or ("", NO_ROUTE)
        measure = self._by_route.get(key)
        if measure is None:
            measure = self._by_route[key] = Measure(*key)
        measure.statuses[CLASSES[min(max(status // 100, 1), 5) - 1]] += 1
        measure.seconds += seconds
        measure.received += received
        measure.sent += sent

    def connections(self) -> Connections:
        """What became of connections."""
        return Connections(self.crowd.now, self.crowd.refused, self.crowd.late, self.left)
