"""The event log: the one road by which everything that happens becomes a durable line, before anybody hears of it."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import MsgspecError, json, structs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from monitor436.bus import EventBus
from monitor436.journal import Journal, Numbers
from monitor436.model.event import Event, read_line
from monitor436.model.stream.ledger import Ledger
from monitor436.one_thread import over

REOPEN = 5.0  # seconds until a file that failed is opened again: a failing fsync is never retried on its descriptor
MOST_WAITING = 16 * 1024 * 1024  # bytes of lines that wait for the disk; beyond it agents keep theirs
OWN_WAITING = 10_000  # events of the server itself that are kept while the disk fails
# Controls, bidi overrides and line separators that JSON leaves as they are: one event is one line, whatever is in it.
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


Batch = tuple[Sequence[Event], bytes, Deferred[None]]  # events, their lines, who waits for them


class NotDurable(Exception):
    """The events were not written, or perhaps were: nobody may be told that they are safe."""


def lines(events: Sequence[Event]) -> bytes:
    """Events as lines of the file, with nothing in them that moves a cursor or ends a line."""
    encoded = _encoder.encode_lines(events)
    if encoded.isascii() and b"\x7f" not in encoded:
        return encoded
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", encoded.decode()).encode()


class EventLog(Service):
    """Writes events in batches: whatever arrives during one sync is written and synced by the next.

    `in_thread(call)` runs a blocking call elsewhere and gives a Deferred. `degraded` says why nothing can be made
    durable at present; empty when all is well.
    """

    log = Logger()

    def __init__(
        self,
        journal: Journal,
        ledger: Ledger,
        bus: EventBus,
        origin: tuple[str, str],
        in_thread: Callable[[Callable[[], Any]], Deferred[Any]],
        wall: Callable[[], float],
    ) -> None:
        self.setName("event log")
        self.degraded = ""
        self.path = journal.path
        self.last_words: list[Event] = []  # stated when everything else has stopped
        self._journal = journal
        self._ledger = ledger
        self._bus = bus
        self._server, self._spool = f"@{origin[0]}", origin[1]
        self._in_thread = in_thread
        self._wall = wall
        self._number = 0
        self._own: list[Event] = []  # the server's own events that are not durable yet
        self._own_lost = 0
        self._waiting: list[Batch] = []
        self._waiting_size = 0
        self._busy: Deferred[None] | None = None  # while the thread has something to do
        self._reopen = False
        self._complained = ""

    def startService(self) -> None:
        """Read what the file holds, and open it. Raises OSError."""
        super().startService()
        self._journal.begin()
        self._reread(*self._journal.recover({}))
        self._checkpoint()

    def stopService(self) -> Deferred[None]:
        """Write what waits and the last words, keep a checkpoint, close."""
        super().stopService()
        self.state(self.last_words)
        return Deferred.fromCoroutine(self._finish())

    @property
    def accepts(self) -> bool:
        """Whether `append` may be called: the disk works, and not too much waits for it."""
        return not self.degraded and self._waiting_size <= MOST_WAITING

    def append(self, events: Sequence[Event]) -> Deferred[None]:
        """Fires when these events, which have their ids, are on the disk; fails with NotDurable if the disk does."""
        if self.degraded:
            return fail(NotDurable(self.degraded))
        durable: Deferred[None] = Deferred()
        encoded = lines(events)
        self._waiting.append((events, encoded, durable))
        self._waiting_size += len(encoded)
        if self._busy is None:
            self._write()
        return durable

    def state(self, events: Sequence[Event]) -> None:
        """Events of this server itself: they get time and id here, and wait while the disk fails."""
        now = self.now()
        identified = []
        for event in events:
            if len(self._own) >= OWN_WAITING:
                self._own_lost += 1
                continue
            self._number += 1
            event = structs.replace(event, time=now, id=f"{self._server}/{self._spool}/{self._number}")
            self._own.append(event)
            identified.append(event)
        if identified and not self.degraded:
            self._append_own(identified)

    def now(self) -> datetime:
        """The time of day, as it is stamped on events."""
        return datetime.fromtimestamp(self._wall(), UTC)

    def rotate_if_due(self) -> None:
        """Begin a new file if the present one is large or old, though nothing comes to be written."""
        if self._busy is None and not self.degraded and self._journal.wants_rotation():
            self._write()

    def reopen(self) -> None:
        """Open the file anew: it may have been moved."""
        self._reopen = True
        if self._busy is None and not self.degraded:
            self._write()

    def recover(self) -> Deferred[None] | None:
        """Try again after a failure; called every REOPEN seconds."""
        if not self.degraded or self._busy is not None:
            return None
        known = self._ledger.copy()

        def mend() -> tuple[Numbers, list[bytes]]:
            self._journal.mend()
            numbers, found = self._journal.recover(known)
            return numbers, list(found)

        self._busy = Deferred()
        return self._in_thread(mend).addCallbacks(self._recovered, self._still_fails)

    async def _finish(self) -> None:
        while self._busy is not None:
            await over(self._busy)
        if not self.degraded:
            self._checkpoint()
        self._journal.close()

    def _recovered(self, held: tuple[Numbers, list[bytes]]) -> None:
        events = self._reread(*held)
        own = self._ledger.last(self._server, self._spool)
        self._own = [event for event in self._own if _number(event) > own]
        self._ledger.forget_unwritten(but=self._own)
        self.log.info("{path} can be written again", path=self.path)
        if self._own_lost:
            self.log.warn("{count} events of this server were not kept meanwhile", count=self._own_lost)
        self.degraded, self._own_lost = "", 0
        if self._own:
            self._append_own(list(self._own))  # before others hear: what they state then is not among these
        self._bus.publish(events)  # written before the failure, and told to nobody
        self._next()

    def _still_fails(self, failure: Failure) -> None:
        self.degraded = _why(failure.value)
        self._next()

    def _reread(self, numbers: Numbers, found: Iterable[bytes]) -> list[Event]:
        """Bring the ledger up to what the files hold; the events that were found."""
        self._ledger.restore(numbers)
        events = []
        for line in found:
            try:
                event = read_line(line)
            except (MsgspecError, ValueError):
                continue  # a torn line, or not one of ours: `monitor436 verify` tells of it
            self._ledger.reread(event)
            events.append(event)
        self._ledger.forget_unwritten()
        return events

    def _checkpoint(self) -> None:
        try:
            self._journal.checkpoint(self._ledger.durable)
        except OSError as problem:
            self.log.warn("{path}: no checkpoint: {why}", path=self.path, why=_why(problem))

    def _append_own(self, events: list[Event]) -> None:
        self.append(events).addCallbacks(
            lambda _: self._own_wrote(events), lambda failure: failure.trap(NotDurable) and None
        )

    def _own_wrote(self, events: list[Event]) -> None:
        del self._own[: len(events)]
        for event in events:
            self._ledger.reread(event)

    def _write(self) -> None:
        """Hand all that waits to the thread; once it has it, more may wait."""
        batch, self._waiting, self._waiting_size = self._waiting, [], 0
        data = b"".join([encoded for _, encoded, _ in batch])
        reopen, self._reopen = self._reopen, False

        def write() -> None:
            if reopen:
                self._journal.close()
            self._journal.write(data, self._ledger.copy)

        self._busy = Deferred()
        self._in_thread(write).addCallbacks(
            lambda _: self._wrote(batch), lambda failure: self._failed(batch, failure.value)
        )

    def _wrote(self, batch: list[Batch]) -> None:
        for _, _, durable in batch:
            durable.callback(None)
        if self._journal.complaint != self._complained:
            self._complained = self._journal.complaint
            self.log.warn("{path}: {what}", path=self.path, what=self._complained or "all is well again")
        self._next([events for events, _, _ in batch])

    def _failed(self, batch: list[Batch], problem: BaseException) -> None:
        self.degraded = _why(problem)
        self.log.error("{path}: {why}; trying again", path=self.path, why=self.degraded)
        refused, self._waiting, self._waiting_size = batch + self._waiting, [], 0
        self._ledger.forget_unwritten()
        for _, _, durable in refused:
            durable.errback(NotDurable(self.degraded))
        self._next()

    def _next(self, durable: Iterable[Sequence[Event]] = ()) -> None:
        done, self._busy = self._busy, None
        if (self._waiting or self._reopen) and not self.degraded:
            self._write()
        for events in durable:  # once the thread works already; and while what follows from them can still be stated
            self._bus.publish(events)
        if done is not None:
            done.callback(None)


def _number(event: Event) -> int:
    return int(event.id.rpartition("/")[2])


def _why(problem: BaseException | None) -> str:
    return getattr(problem, "strerror", None) or str(problem) or type(problem).__name__


_encoder = json.Encoder()
