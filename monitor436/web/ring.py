"""The last events, which all clients of the live stream share, and which of them one client wants."""

from collections import deque
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from typing import NamedTuple

from msgspec import json

from monitor436.agent.event import METRIC, SEVERITIES
from monitor436.model.event import Event

RING = 4096  # events that a client may be behind


class Filter(NamedTuple):
    """Which events a client wants: kinds, severity and worse, patterns of hosts; empty is any but metrics."""

    kinds: frozenset[str] = frozenset()
    severity: int = 0
    hosts: tuple[str, ...] = ()
    text: str = ""  # somewhere in text, host, kind or check, in any case

    def wants(self, event: Event) -> bool:
        """Whether this event passes."""
        return (
            (not self.kinds or event.kind in self.kinds)
            and (not self.severity or SEVERITIES.index(event.severity) >= self.severity)
            and (not self.hosts or any(fnmatchcase(event.host, pattern) for pattern in self.hosts))
            and (not self.text or self.text in f"{event.host} {event.kind} {event.check} {event.text}".casefold())
        )


class Ring:
    """The last events, each with its number in this run of the server; `boot` tells runs apart."""

    def __init__(self, boot: str, most: int = RING) -> None:
        self.boot = boot
        self.next = 0  # number of the event that comes next
        self._events: deque[Event] = deque(maxlen=most)
        self._frames: dict[int, bytes] = {}

    @property
    def first(self) -> int:
        """The number of the oldest event that is held."""
        return self.next - len(self._events)

    def take(self, events: Sequence[Event]) -> int:
        """These became durable: how many of them are news, not samples."""
        news = [event for event in events if event.kind != METRIC]
        self._events.extend(news)
        self.next += len(news)
        return len(news)

    def since(self, number: int) -> Iterator[tuple[int, Event]]:
        """Events from that number on."""
        first = self.first
        return enumerate(islice(self._events, max(0, number - first), None), max(first, number))

    def cursor(self, number: int) -> str:
        """What a client shows to go on from event `number`."""
        return f"{self.boot}.{number}"

    def place(self, cursor: str) -> int:
        """The number in a cursor; -1 if it is of another run, or none."""
        boot, _, number = cursor.rpartition(".")
        known = boot == self.boot and number.isascii() and number.isdigit() and len(number) < 19
        return min(int(number), self.next) if known else -1

    def frame(self, number: int, event: Event) -> bytes:
        """The event as it is sent; encoded once for all clients of a flush."""
        if number not in self._frames:
            head = f"id: {self.cursor(number + 1)}\nevent: event\ndata: ".encode()
            self._frames[number] = head + _encoder.encode(event) + b"\n\n"
        return self._frames[number]

    def sent(self) -> None:
        """A flush is over: encoded frames are not kept."""
        self._frames.clear()


_encoder = json.Encoder()
