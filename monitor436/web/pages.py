"""All pages about what this server knows, put together: the API, and the exposition."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from twisted.internet.task import deferLater

from monitor436.event_pages import EventPages
from monitor436.model.event import Event
from monitor436.model.polls import Kept
from monitor436.web import exposed
from monitor436.web.checks import Checks
from monitor436.web.events import EventPage
from monitor436.web.exposed import EventCounts
from monitor436.web.exposition import Exposition
from monitor436.web.hosts import HostPages
from monitor436.web.hosts import Roster as Listed
from monitor436.web.measures import Measures
from monitor436.web.perf import Perf, Summaries
from monitor436.web.polls import PollPages
from monitor436.web.route import Route

BACK = 128 << 20  # bytes of events files that are looked at after a start, for the states of checks
HELD = 32 << 20  # bytes of lines that are held for that at once


class Roster(Listed, exposed.Roster, Protocol):
    """Who is known."""


class Rollups(Summaries, Protocol):
    """Samples and their summaries."""

    counts: Any

    def latest(self) -> Any:
        """The newest values."""


class Known(NamedTuple):
    """What the pages tell of. `groups(host)` are those of the plans, `polls()` is what each poll knows.

    `gauges` are those of services/health, `degraded` says by part why it cannot keep what it is to keep, `files()` are
    the events files from the oldest; `in_thread(call)` runs what blocks.
    """

    roster: Roster
    rollups: Rollups
    groups: Callable[[str], Sequence[str]]
    polls: Callable[[], Mapping[str, Kept]]
    gauges: exposed.Server
    degraded: Mapping[str, Callable[[], str]]
    files: Callable[[], Sequence[Path]]
    in_thread: Callable[[Callable[[], Any]], Any]
    measures: Measures


class Pages:
    """The routes, and `checks`, a service that has to run for them. It is to be told of durable events."""

    def __init__(
        self,
        known: Known,
        reactor: Any,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        counts = EventCounts()
        self.checks = Checks(EventPages(known.files, BACK, HELD), known.in_thread)
        sources = (
            exposed.server(known.gauges, known.degraded),
            exposed.http(known.measures),
            counts.source,
            exposed.hosts(known.roster, monotonic),
            exposed.polls(known.polls),
            exposed.checks(self.checks.seen, known.roster, wall),
            exposed.metrics(known.rollups.latest, known.rollups.counts, wall),
        )
        self._listeners = (counts.heard, self.checks.heard)
        self.routes: list[Route] = [
            *Perf(known.rollups, wall, lambda: deferLater(reactor, 0)).routes(),
            *HostPages(known.roster, self.checks.seen, known.groups, monotonic).routes(),
            *self.checks.routes(),
            *PollPages(known.polls).routes(),
            *EventPage(EventPages(known.files), known.in_thread).routes(),
            *Exposition(sources, reactor, monotonic).routes(),
        ]

    def heard(self, events: Sequence[Event]) -> None:
        """These events are durable."""
        for listener in self._listeners:
            listener(events)
