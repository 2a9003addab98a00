"""What pages tell of, small and real: a roster, roll-ups in memory, an events file, polls; and a door to ask."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from monitor436.journal import Journal
from monitor436.model.event import Event
from monitor436.model.fleet.polls import Kept
from monitor436.model.hosts.roster import Roster
from monitor436.model.server.crowd import Crowd
from monitor436.model.server.lag import Lag, Stopwatch
from monitor436.model.settings.http import Http
from monitor436.model.settings.metrics import Metrics
from monitor436.model.status.board import Board
from monitor436.model.sweep.sweeps import SweepKept
from monitor436.services.event_log import lines
from monitor436.services.health import Gauges
from monitor436.services.rollups import Rollups
from monitor436.storage.memory import Memory
from monitor436.web.measures import Measures
from monitor436.web.pages import Known, Pages
from tests.web.conversation import NOW, Answered, ask, door

OPEN = Http(without_token=("read", "metrics"))


class PagesCase(SynchronousTestCase):
    """Shared: pages over what little is known, and a door without tokens."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.journal = Journal(self.folder / "events.jsonl", 1 << 40, 1e9, 3)
        self.journal.open()
        self.addCleanup(self.journal.close)
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.stated: list[Event] = []
        self.roster = Roster(lambda name: 15.0)
        metrics = Metrics(most_hosts=20, most_labels=5)
        self.rollups = Rollups(
            metrics, ("receiver", "summariser"), Memory(), self.stated.extend, self.clock, self.clock.seconds,
            lambda: NOW,
        )  # fmt: skip
        self.board = Board()
        self.groups: dict[str, tuple[str, ...]] = {}
        self.polls: dict[str, Kept] = {}
        self.sweeps: dict[str, SweepKept] = {}
        self.late = ""
        self.refused: dict[str, int] = {}
        self.crowd = Crowd(1, 1)
        self.gauges = Gauges(
            Lag(),
            Stopwatch(),
            lambda: 0,
            self.refused,
            {"BEAT": 2},
            self.roster.spools,
            lambda: "",
            self.crowd,
            list,
        )
        self.open_door()

    def open_door(self) -> None:
        """The pages over what is known now."""
        self.known = Known(
            self.roster, self.board, self.rollups, lambda host: self.groups.get(host, ()), lambda: self.polls,
            lambda: self.sweeps, self.gauges, {"events": lambda: self.late},
            lambda: [*self.journal.rotated(), self.journal.path], self.in_thread, Measures(),
        )  # fmt: skip
        self.pages = Pages(self.known, self.clock, self.clock.seconds, lambda: NOW)
        self.door = door(*self.pages.routes, http=OPEN, clock=self.clock, measures=self.known.measures)

    def in_thread(self, call: Callable[[], Any]) -> "Deferred[Any]":
        """At once."""
        return execute(call)

    def get(self, path: str, *lines: str) -> Answered:
        """What a page answers."""
        return ask(self.door, "GET", path, "", None, *lines)

    def post(self, path: str, body: bytes) -> Answered:
        """What becomes of a post."""
        return ask(self.door, "POST", path, "", body)

    def write(self, *events: Event) -> None:
        """These are in the file, and told."""
        self.journal.write(lines(events))
        self.hear(*events)

    def hear(self, *events: Event) -> None:
        """These are told: to the board first, as in a server."""
        for event in events:
            self.board.take(event, NOW)
        self.pages.heard(events)
