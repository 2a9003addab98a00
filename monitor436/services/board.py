"""The status board of a running server: rebuilt from the events file, kept in a file of its own, told to who asks."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from msgspec import MsgspecError, json
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from monitor436.acts import Acts
from monitor436.agent.event import PLAN_IN_FORCE
from monitor436.agent.store.durable import replace
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.settings.status import Status
from monitor436.model.status.board import ISOLATION, Board
from monitor436.model.status.change import Change
from monitor436.model.status.kept import KeptBoard, kept, restore
from monitor436.one_thread import over
from monitor436.past_events import PastEvents, Place
from monitor436.periodic import Periodic

STATUS = "status.json"
EVERY = 1.0  # seconds between turns: acts of operators, and who flaps no more
KEEP_EVERY = 5.0  # seconds between copies in the file, while something changes
LOAD = 50  # times as long as a copy takes to make, until the next is made

Tell = Callable[[Event | None, Sequence[Change], float, Place | None], None]


class BoardService(Periodic):
    """The board, up to date with every durable event.

    `tell(event, changes, now, place)` is called for each event that changes something, those of the past too, which
    have a place in the files; and without an event for what time does. `planned(host)` are the names of the checks in
    its plan, None if that is not known. `may_keep()`: whether all that was told is durable, so that a copy of the board
    can do without it.
    """

    log = Logger()

    def __init__(
        self,
        status: Status,
        file: Path,
        keeps: Path,
        acts: Acts,
        state: Callable[[Sequence[Event]], object],
        planned: Callable[[str], Iterable[str] | None],
        in_thread: Callable[[Callable[[], Any]], Deferred[Any]],
        clock: IReactorTime,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        super().__init__("board", EVERY, self._turn, clock)
        self.board = Board(status)
        self.tell: Tell = lambda event, changes, now, place: None
        self.may_keep: Callable[[], bool] = lambda: True
        self._file, self._keeps, self._acts = file, keeps, acts
        self._state, self._planned, self._in_thread = state, planned, in_thread
        self._monotonic, self._wall = monotonic, wall
        self._ahead = wall() - monotonic()
        self._at, self._seen = "", 0.0
        self._dirty = False
        self._keeping: Deferred[Any] | None = None
        self._next_keep = float("-inf")

    @property
    def now(self) -> float:
        """Epoch seconds that never jump."""
        return self._ahead + self._monotonic()

    def told(self, host: str) -> tuple[str, float]:
        """The state in which events leave a host, and since when (epoch seconds); "" if they do not say."""
        known = self.board.standings.hosts.get(host)
        return (known.state, known.since) if known else ("", 0.0)

    def startService(self) -> None:
        """Read what the file of the board holds, and of the events what came after that."""
        self._at, self._seen = rebuild(self.board, self._file, self._keeps, self.tell)
        self._dirty = True
        super().startService()

    def stopService(self) -> "Deferred[None]":  # type: ignore[override]
        """Keep a last copy, behind the one that is perhaps being written: both have one name until they are whole."""
        super().stopService()
        return Deferred.fromCoroutine(self._last())

    def follow(self, status: Status) -> None:
        """Other settings, from now on."""
        self.board.follow(status)

    def heard(self, events: Sequence[Event]) -> None:
        """These events are durable."""
        now = self.now
        for event in events:
            changes = self.board.take(event, now)
            self._at, self._seen, self._dirty = event.id, now, True
            if changes:
                self._tell(event, changes, now)
        for host in {event.host: None for event in events if event.kind == PLAN_IN_FORCE}:  # however often it says so
            self._follow_plan(host)

    def _tell(self, event: Event, changes: Sequence[Change], now: float) -> None:
        try:
            self.tell(event, changes, now, None)
        except Exception:  # the board goes on, whoever listens
            self.log.failure("nobody could be told of {kind}", kind=event.kind)

    def _turn(self) -> None:
        now = self.now
        changes = self.board.turn(now)
        if changes:
            self._dirty = True
            self.tell(None, changes, now, None)
        for change in changes:
            if change.subject == ISOLATION:  # the file has its begin, of a run before this one
                self._state([Event(kind=kinds.ISOLATION_OVER, text=change.text)])
        self.board.silences.expire(self._wall())
        for act in self._acts.read(self.board.acted):
            self._state([act.event()])
        if self._dirty and self._keeping is None and now >= self._next_keep and self.may_keep():
            self._keep(now)

    def _follow_plan(self, host: str) -> None:
        """What is bad about a check that its plan no longer has is over: as an event, like everything else."""
        planned = self._planned(host)
        if planned is not None:
            gone = self.board.unplanned(host, planned)
            text = "is no longer in the plan"
            events = [Event(kind=kinds.CHECK_REMOVED, host=host, check=each, text=f"{each} {text}") for each in gone]
            if events:
                self._state(events)

    def _keep(self, now: float) -> None:
        began = self._monotonic()
        content = json.encode(self._copy())
        self._dirty = False
        self._next_keep = now + max(KEEP_EVERY, LOAD * (self._monotonic() - began))
        self._keeping = self._in_thread(lambda: self._write(content))
        self._keeping.addBoth(self._kept)

    def _kept(self, outcome: object) -> None:
        self._keeping = None

    async def _last(self) -> None:
        if self._keeping is not None:
            await over(self._keeping)
        if self._dirty and self.may_keep():
            self._write(json.encode(self._copy()))

    def _copy(self) -> KeptBoard:
        copy = kept(self.board, self.now)
        copy.at, copy.seen, copy.wall = self._at, self._seen, self.now
        return copy

    def _write(self, content: bytes) -> None:
        try:
            replace(str(self._keeps), content)
        except OSError as problem:
            self.log.warn("{path}: {why}", path=self._keeps, why=problem.strerror)


def rebuild(board: Board, file: Path, keeps: Path, tell: Tell = lambda *told: None) -> tuple[str, float]:
    """Make a board what its copy and the events since then say, and tell each event; the last one, and its time."""
    copy, past = read_board(keeps), PastEvents(file)
    last = (copy.at, copy.seen) if copy else ("", 0.0)
    place = past.place(last[0])
    known = 0.0 if place else last[1]  # if the file that had the last event is gone, its time tells what is known
    if copy is not None:
        restore(board, copy, copy.wall)
    for event, after in past.after(place):
        stamp = event.received or event.time
        at = stamp.timestamp() if stamp else last[1]
        if at > known:
            steady = board.turn(at)
            if steady:
                tell(None, steady, at, after)
            changes = board.take(event, at)
            if changes:
                tell(event, changes, at, after)
            last = event.id, at
    return last


def read_board(path: Path) -> KeptBoard | None:
    """What is kept of a board; None where there is nothing, or nothing that can be read."""
    try:
        return json.decode(path.read_bytes(), type=KeptBoard)
    except (OSError, MsgspecError):
        return None
