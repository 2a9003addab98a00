"""The event log: the one road by which everything that happens becomes a durable line, before anybody hears of it."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from msgspec import MsgspecError, json, structs
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from monitor436.bus import EventBus
from monitor436.journal import Journal
from monitor436.model.event import Event, read_line
from monitor436.model.ledger import Ledger

REOPEN = 5.0  # seconds until a file that failed is opened again: a failing fsync is never retried on its descriptor
MOST_WAITING = 16 * 1024 * 1024  # bytes of lines that wait for the disk; beyond it agents keep theirs
OWN_WAITING = 10_000  # events of the server itself that are kept while the disk fails
# Controls, bidi overrides and line separators that JSON leaves as they are: one event is one line, whatever is in it.
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


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
        in_thread: Callable[[Callable[[], None]], Deferred[None]],
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
        self._waiting: list[tuple[Sequence[Event], bytes, Deferred[None]]] = []
        self._waiting_size = 0
        self._writing: Deferred[None] | None = None
        self._reopen = False

    def startService(self) -> None:
        """Read what the file holds, and open it. Raises OSError."""
        super().startService()
        self._recover()

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
        return self._enqueue(events)

    def state(self, events: Sequence[Event]) -> None:
        """Events of this server itself: they get time and id here, and wait while the disk fails."""
        now = self.now()
        for event in events:
            if len(self._own) >= OWN_WAITING:
                self._own_lost += 1
                continue
            self._number += 1
            identified = structs.replace(event, time=now, id=f"{self._server}/{self._spool}/{self._number}")
            self._own.append(identified)
            if not self.degraded:
                self._enqueue_own([identified])

    def now(self) -> datetime:
        """The time of day, as it is stamped on events."""
        return datetime.fromtimestamp(self._wall(), UTC)

    def rotate_if_due(self) -> None:
        """Begin a new file if the present one is large or old; with the next batch, so that no write is between."""
        if self._writing is None and not self.degraded and self._journal.wants_rotation():
            self._journal.rotate(self._ledger.durable)

    def reopen(self) -> None:
        """Open the file anew before the next batch: it may have been moved."""
        self._reopen = True

    def recover(self) -> None:
        """Try again after a failure; called every REOPEN seconds while degraded."""
        if not self.degraded or self._writing is not None:
            return
        try:
            self._recover()
        except OSError as problem:
            self.degraded = _why(problem)
            return
        self.log.info("{path} can be written again", path=self.path)
        self.degraded = ""
        if self._own:
            self._enqueue_own(list(self._own))

    async def _finish(self) -> None:
        while self._writing is not None:
            written: Deferred[None] = Deferred()
            self._writing.chainDeferred(written)
            await written
        if not self.degraded:
            self._journal.checkpoint(self._ledger.durable)
        self._journal.close()

    def _recover(self) -> None:
        """Bring the ledger up to what the files hold, sync them, and open for appending."""
        self._journal.open()
        numbers, found = self._journal.recover(self._ledger.durable)
        self._ledger.durable = numbers
        for line in found:
            try:
                self._ledger.reread(read_line(line))
            except (MsgspecError, ValueError):
                continue  # a torn line, or not one of ours: `monitor436 verify` tells of it
        self._ledger.forget_unwritten()
        own = self._ledger.last(self._server, self._spool)
        self._own = [event for event in self._own if int(event.id.rsplit("/", 1)[1]) > own]

    def _enqueue_own(self, events: list[Event]) -> None:
        self._enqueue(events).addCallbacks(
            lambda _: self._own_wrote(events), lambda failure: failure.trap(NotDurable) and None
        )

    def _own_wrote(self, events: list[Event]) -> None:
        del self._own[: len(events)]
        self._ledger.wrote(self._server, self._spool, int(events[-1].id.rsplit("/", 1)[1]))

    def _enqueue(self, events: Sequence[Event]) -> Deferred[None]:
        durable: Deferred[None] = Deferred()
        encoded = lines(events)
        self._waiting.append((events, encoded, durable))
        self._waiting_size += len(encoded)
        if self._writing is None:
            self._write_batch()
        return durable

    def _write_batch(self) -> None:
        batch, self._waiting, self._waiting_size = self._waiting, [], 0
        data = b"".join(encoded for _, encoded, _ in batch)
        reopen, self._reopen = self._reopen, False

        def write() -> None:
            if reopen:
                self._journal.close()
            self._journal.write(data)

        self._writing = Deferred()
        self._in_thread(write).addCallbacks(
            lambda _: self._wrote(batch), lambda failure: self._failed(batch, failure.value)
        )

    def _wrote(self, batch: list[tuple[Sequence[Event], bytes, Deferred[None]]]) -> None:
        for events, _, durable in batch:
            durable.callback(None)
            self._bus.publish(events)
        self._next()

    def _failed(self, batch: list[tuple[Sequence[Event], bytes, Deferred[None]]], problem: BaseException) -> None:
        self.degraded = _why(problem)
        self.log.error("{path}: {why}; trying again", path=self.path, why=self.degraded)
        refused, self._waiting, self._waiting_size = batch + self._waiting, [], 0
        self._ledger.forget_unwritten()
        for _, _, durable in refused:
            durable.errback(NotDurable(self.degraded))
        self._next()

    def _next(self) -> None:
        done, self._writing = self._writing, None
        if self._waiting:
            self._write_batch()
        if done is not None:
            done.callback(None)


def _why(problem: BaseException) -> str:
    return getattr(problem, "strerror", None) or str(problem) or type(problem).__name__


_encoder = json.Encoder()
