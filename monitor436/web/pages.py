"""All pages about what this server knows, put together: the API, and the exposition."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from twisted.internet.task import deferLater

from monitor436.event_pages import EventPages
from monitor436.model.event import Event
from monitor436.model.fleet.polls import Kept
from monitor436.model.status.board import Board
from monitor436.model.status.latest import Latest
from monitor436.model.sweep.sweeps import SweepKept
from monitor436.web import exposed
from monitor436.web.checks import CheckPages
from monitor436.web.events import EventPage
from monitor436.web.exposed import EventCounts
from monitor436.web.exposition import Exposition
from monitor436.web.fleet import Fleet
from monitor436.web.fleet import Roster as Listed
from monitor436.web.hosts import HostPages
from monitor436.web.measures import Measures
from monitor436.web.perf import Perf, Summaries
from monitor436.web.polls import PollPages
from monitor436.web.route import Route
from monitor436.web.sweeps import SweepPages


class Roster(Listed, exposed.Roster, Protocol):
    """Who is known."""


class Rollups(Summaries, Protocol):
    """Samples and their summaries."""

    counts: Any

    def latest(self) -> Any:
        """The newest values."""


class Known(NamedTuple):
    """What the pages tell of. `groups(host)` are those of the plans, `polls()` and `sweeps()` are what each
    of them knows.

    `gauges` are those of services/health, `degraded` says by part why it cannot keep what it is to keep, `files()` are
    the events files from the oldest; `in_thread(call)` runs what blocks.
    """

    roster: Roster
    board: Board
    rollups: Rollups
    groups: Callable[[str], Sequence[str]]
    polls: Callable[[], Mapping[str, Kept]]
    sweeps: Callable[[], Mapping[str, SweepKept]]
    gauges: exposed.Server
    degraded: Mapping[str, Callable[[], str]]
    files: Callable[[], Sequence[Path]]
    in_thread: Callable[[Callable[[], Any]], Any]
    measures: Measures


class Pages:
    """The routes, and the `fleet` that they show. It is to be told of durable events, after the board was."""

    def __init__(
        self,
        known: Known,
        reactor: Any,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        counts, latest = EventCounts(), Latest()
        self.fleet = Fleet(known.roster, known.board, known.groups, monotonic, wall)
        sources = (
            exposed.server(known.gauges, known.degraded),
            exposed.http(known.measures),
            counts.source,
            exposed.hosts(known.roster, monotonic),
            exposed.polls(known.polls),
            exposed.sweeps(known.sweeps),
            exposed.checks(known.board, latest, known.roster, wall),
            exposed.metrics(known.rollups.latest, known.rollups.counts, wall),
        )
        self._listeners = (counts.heard, latest.heard)
        self.routes: list[Route] = [
            *Perf(known.rollups, wall, lambda: deferLater(reactor, 0)).routes(),
            *HostPages(self.fleet).routes(),
            *CheckPages(known.board, latest, wall).routes(),
            *PollPages(known.polls).routes(),
            *SweepPages(known.sweeps).routes(),
            *EventPage(EventPages(known.files), known.in_thread).routes(),
            *Exposition(sources, reactor, monotonic).routes(),
        ]

    def heard(self, events: Sequence[Event]) -> None:
        """These events are durable."""
        for listener in self._listeners:
            listener(events)
