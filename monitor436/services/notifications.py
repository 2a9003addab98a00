"""Notifications of a running server: decided by the rules, durable in a spool, then handed over by notifiers."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec import json
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from monitor436.model.event import NOTIFY_FAILED, NOTIFY_LOST, Event
from monitor436.model.notify.notice import Notice
from monitor436.model.notify.rules import Rules
from monitor436.model.notify.times import Clocks
from monitor436.model.settings.notify import Notify
from monitor436.model.status.board import Board
from monitor436.model.status.change import Change
from monitor436.model.words import count
from monitor436.notifiers.notifier import Notifier
from monitor436.notifiers.outgoing import Outgoing
from monitor436.notifiers.spool import Spool
from monitor436.notifiers.table import notifiers
from monitor436.one_thread import over
from monitor436.past_events import PastEvents, Place
from monitor436.periodic import Periodic

NOTICES = "notices.jsonl"
EVERY = 1.0  # seconds between turns
LATE = 15.0  # seconds of silence after which a host is late, if nobody says

Make = Callable[[Notify, str, Any], dict[str, Notifier]]


class Notifications(Periodic):
    """Tells people what changes on the board: each notice is in the spool before it is sent, and until it was.

    A server that ends anywhere goes on where it was: `told` is given the events of the past again, and passes over
    those that the spool knows of. `now()` gives epoch seconds that never jump, `make` the notifiers by name,
    `late(host)` after how many seconds of silence a host is late.
    """

    log = Logger()

    def __init__(
        self,
        notify: Notify,
        board: Board,
        server: str,
        files: tuple[Path, Path],
        state: Callable[[Sequence[Event]], object],
        in_thread: Callable[[Callable[[], Any]], Deferred[Any]],
        now: Callable[[], float],
        clock: IReactorTime,
        wall: Callable[[], float] = time.time,
        make: Make = notifiers,
        late: Callable[[str], float] = lambda host: LATE,
    ) -> None:
        super().__init__("notifications", EVERY, self._turn, clock)
        self._clock: Any = clock
        self._notify, self._on = notify, bool(notify.named())
        self._state, self._in_thread, self._now, self._wall = state, in_thread, now, wall
        self._make = lambda notify: make(notify, server, clock)
        self._events, spool = files
        self._spool = Spool(spool)
        self.rules = Rules(board, notify, server, lambda: os.urandom(12).hex(), late)
        self.outgoing: dict[str, Outgoing] = {}
        self._known: tuple[Place | None, float] | None = None  # up to where the spool knows the events of the past
        self._at, self._seen = "", 0.0
        self._first = False
        self._unsent: list[Notice] = []  # decided, and not durable yet
        self._writing: Deferred[Any] | None = None
        self._broken = ""  # why the spool cannot be written
        self._restated: dict[str, float] = {}
        self._leaving: dict[str, Deferred[None]] = {}  # names of notifiers that may end what they are sending
        self._begun = self._ends = self._ended = False
        if notify.named():
            self.begin()

    def begin(self) -> None:
        """Read the spool; after that the events of the past may be told."""
        self._begun = True
        memory = self._spool.read()
        self.rules.restore(memory)
        self._at, self._seen = memory.event, memory.seen
        self._first = not memory.event
        self._known = PastEvents(self._events).place(memory.event), memory.seen

    def startService(self) -> None:
        """The past is told by now: whatever it leaves to be said is said."""
        if self._known is not None:
            self._settle()
            self._known = None
        super().startService()

    def stopService(self) -> "Deferred[None]":  # type: ignore[override]
        """What is under way may end; the rest is in the spool."""
        super().stopService()
        return Deferred.fromCoroutine(self._end())

    def told(self, event: Event | None, changes: Sequence[Change], now: float, place: Place | None) -> None:
        """An event, or time, changed the board."""
        if not self._on or self._ended:
            return
        known = place is not None and self._passed_over(place, now)
        for change in () if known else changes:
            self.rules.changed(change)
        if event is not None and (self._first or not known):
            self._at, self._seen = event.id, now

    def settled(self) -> bool:
        """Whether what was told so far is, or will be before anything else, in the spool."""
        if self._ended:
            return not self._on
        self._write()
        return not self._broken

    def follow(self, notify: Notify) -> "Deferred[Any]":
        """Other settings: notifiers that changed begin anew with what is owed to them."""
        began = self._on
        before = self._notify.named()
        self._notify, self._on = notify, bool(notify.named())
        now = notify.named()
        if not began and now:
            if not self._begun:  # else what it knows is newer than the spool, which may just be written
                self.begin()
            self._known = None
            self._settle()
        else:
            self.rules.follow(notify, self._now())
            self._exchange({name for name in {*before, *now} if before.get(name) != now.get(name)})
        return DeferredList([over(running) for running in self._leaving.values()])

    def _passed_over(self, place: Place, at: float) -> bool:
        """Whether an event of the past went into what the spool holds."""
        if self._known is None:
            return False
        known, seen = self._known
        if self._first:
            return True  # what is bad by now is told, not what was
        return place <= known if known is not None else at <= seen

    def _settle(self) -> None:
        now = self._now()
        self.rules.follow(self._notify, now)
        self.rules.reconcile(now)
        self._add(self._make(self._notify))

    def _add(self, made: dict[str, Notifier]) -> None:
        """Those whose place is not free yet come when it is."""
        made = {name: notifier for name, notifier in made.items() if name not in self._leaving and not self._ends}
        for name, notifier in made.items():
            self.outgoing[name] = Outgoing(
                name, notifier, self._done, self._failing(name), self._lost(name), self._clock
            )
        for notice in list(self.rules.tables.memory.owed.values()):
            if notice.to in made and notice not in self._unsent:
                self.outgoing[notice.to].add(notice)

    def _exchange(self, changed: set[str]) -> None:
        for name in changed & self.outgoing.keys():
            Deferred.fromCoroutine(self._leave(name, self.outgoing.pop(name)))
        self._add_some(changed - self.outgoing.keys())

    async def _leave(self, name: str, gone: Outgoing) -> None:
        """Who comes in its place waits for it: whatever it is just sending is not sent twice."""
        left = self._leaving[name] = Deferred[None]()
        try:
            await gone.stop()
            if gone.why:
                self._failing(name)("")  # of the one that is gone, nothing is to be expected
        finally:
            del self._leaving[name]
            self._add_some({name})
            left.callback(None)

    def _add_some(self, names: set[str]) -> None:
        """Those of these that the settings have by now."""
        self._add({name: notifier for name, notifier in self._make(self._notify).items() if name in names})

    # Turns.

    def _turn(self) -> None:
        if not self._on and not self.rules.tables.dirty:
            return
        wall = self._wall()
        local = time.localtime(wall)
        clocks = Clocks(self._now(), wall, local.tm_wday, local.tm_hour * 60 + local.tm_min)
        self.rules.turn(clocks)
        self._write()
        for name, outgoing in self.outgoing.items():
            every = outgoing.notifier.refresh
            if every and clocks.now >= self._restated.get(name, 0.0) + every and not len(outgoing):
                self._restated[name] = clocks.now
                outgoing.restate(self.rules.standing(name))

    # The spool.

    def _write(self) -> None:
        """Make durable what has changed. One write is under way at a time; the next takes all that came meanwhile."""
        if self._writing is not None or not (self.rules.tables.dirty or self._broken):
            return
        entry = self.rules.tables.take_entry()
        if entry is not None:
            self._unsent += entry.owed
        if self._broken or entry is None or self._spool.large:
            entry = self.rules.tables.memory.entry()
            write = self._spool.replace
        else:
            write = self._spool.add
        entry.event, entry.seen = self._at, self._seen
        line, sent = json.encode(entry), len(self._unsent)
        self._writing = self._in_thread(lambda: write(line))
        self._writing.addCallbacks(lambda _: self._wrote(sent), self._failed)

    def _wrote(self, number: int) -> None:
        self._writing = None
        if self._broken:
            self.log.info("the spool of notifications can be written again")
        self._broken = ""
        ready, self._unsent = self._unsent[:number], self._unsent[number:]
        for notice in ready:
            if notice.to in self.outgoing:
                self.outgoing[notice.to].add(notice)
        if self.rules.tables.dirty:
            self._write()

    def _failed(self, failure: Failure) -> None:
        self._writing = None
        why = getattr(failure.value, "strerror", None) or str(failure.value)
        if not self._broken:
            self.log.error("the spool of notifications cannot be written: {why}; trying again", why=why)
        self._broken = why

    async def _end(self) -> None:
        self._ends = True
        for outgoing in list(self.outgoing.values()):
            await outgoing.stop()
        for left in list(self._leaving.values()):
            await over(left)
        while self._writing is not None:
            await over(self._writing)
        self._write()
        if self._writing is not None:
            await over(self._writing)
        self._ended = True
        self._spool.close()

    # What becomes of notices.

    def _done(self, key: str) -> None:
        self.rules.tables.done(key)
        self._write()

    def _failing(self, name: str) -> Callable[[str], None]:
        def failing(why: str) -> None:
            state = "failing" if why else "works"
            text = f"notifier {name}: {why}; it is tried again" if why else f"notifier {name} works again"
            fields: dict[str, str | int | float | bool] = {"notifier": name, "state": state}
            self._state([Event(severity="warning" if why else "info", kind=NOTIFY_FAILED, text=text, fields=fields)])

        return failing

    def _lost(self, name: str) -> Callable[[list[Notice], str], None]:
        def lost(notices: list[Notice], why: str) -> None:
            number, items = len(notices), sum(len(notice.items) for notice in notices)
            text = f"notifier {name}: {count(number, 'notification')} of {count(items, 'item')} given up: {why}"
            fields: dict[str, str | int | float | bool] = {"notifier": name, "notifications": number, "items": items}
            self._state([Event(severity="critical", kind=NOTIFY_LOST, text=text, fields=fields)])

        return lost
