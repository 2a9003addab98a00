"""What waits for one notifier: sent in order, one at a time, tried again with more and more time between."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import json
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from monitor436.model.notify.notice import Item, Notice
from monitor436.notifiers.notifier import Notifier, NotSent

FIRST = 5.0  # seconds until the second try
LONGEST = 300.0  # seconds between tries
REFUSALS = 3  # refusals for good, after which a notification is given up: the next may be taken
MOST = 1000  # notifications that wait; beyond it the oldest are given up ...
MOST_BYTES = 32 << 20  # ... and of their JSON: 100,000 items of usual length
LAST_WAIT = 5.0  # seconds that the end of the server waits for one that is under way


class Outgoing:
    """Calls `done(key)` for what was sent or given up, `failing(why)` when that begins, with "" when it ends, and
    `lost(notices, why)` for what was given up.
    """

    log = Logger()

    def __init__(
        self,
        name: str,
        notifier: Notifier,
        done: Callable[[str], None],
        failing: Callable[[str], None],
        lost: Callable[[list[Notice], str], None],
        reactor: Any,
    ) -> None:
        self.name = name
        self.notifier = notifier
        self.why = ""  # what is in the way
        self._done, self._failing, self._lost = done, failing, lost
        self._reactor = reactor
        self._waiting: OrderedDict[str, Notice] = OrderedDict()
        self._sizes: dict[str, int] = {}
        self._size = 0
        self._busy: Deferred[None] | None = None
        self._retry: Any = None
        self._tries = self._refusals = 0
        self._stopped = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, notice: Notice) -> None:
        """Send it when its turn comes."""
        if notice.key not in self._waiting:
            self._waiting[notice.key] = notice
            self._sizes[notice.key] = size = len(json.encode(notice))
            self._size += size
            self._make_room()
        if self._busy is None and self._retry is None and not self._stopped:
            self._next()

    def restate(self, items: Sequence[Item]) -> None:
        """Give all that is bad, if nothing else is to be sent. What comes meanwhile waits until that is over.

        An end that overtook it would be taken back.
        """
        if self._busy is None and self._retry is None and not self._waiting and not self._stopped:
            running = Deferred.fromCoroutine(self._restate(items))
            if not running.called:
                self._busy = running

    async def stop(self) -> None:
        """Whatever is under way may end, within LAST_WAIT; the rest waits for the next start."""
        self._stopped = True
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._busy is not None:
            busy = self._busy
            call = self._reactor.callLater(LAST_WAIT, busy.cancel)
            ended: Deferred[None] = Deferred()
            busy.addBoth(lambda _: ended.callback(None))
            await ended
            if call.active():
                call.cancel()

    def _make_room(self) -> None:
        """Give up the oldest, but for the one that may be under way, and the newest."""
        old: list[str] = []
        count, size, spared = len(self._waiting), self._size, 1 if self._busy else 0
        for key in list(self._waiting)[spared:-1] if count > MOST or size > MOST_BYTES else ():
            if count - len(old) <= MOST and size <= MOST_BYTES:
                break
            old.append(key)
            size -= self._sizes[key]
        if old:
            self._give_up(old, f"more than {MOST} wait, or {MOST_BYTES >> 20} MiB: {self.why}")

    def _next(self) -> None:
        self._retry = None
        if self._stopped or not self._waiting:
            return
        notice = next(iter(self._waiting.values()))
        running = Deferred.fromCoroutine(self._send(notice))
        if not running.called:
            self._busy = running

    async def _send(self, notice: Notice) -> None:
        try:
            await self.notifier.send(notice)
        except NotSent as problem:
            self._failed(notice, problem)
        except CancelledError:
            self._busy = None
        except Exception:
            self.log.failure("notifier {name} failed", name=self.name)
            self._failed(notice, NotSent("it has a fault: see the log"))
        else:
            self._sent(notice)

    async def _restate(self, items: Sequence[Item]) -> None:
        try:
            await self.notifier.restate(items)
        except NotSent as problem:
            self.log.info("{name}: what stands was not restated: {why}", name=self.name, why=str(problem))
        except CancelledError:
            pass
        except Exception:
            self.log.failure("{name} failed to restate", name=self.name)
        self._busy = None
        if self._waiting:
            self._reactor.callLater(0, self._after)

    def _sent(self, notice: Notice) -> None:
        self._busy = None
        self._tries = self._refusals = 0
        self._take_out(notice.key)
        self._done(notice.key)
        self._tell("")
        self._reactor.callLater(0, self._after)

    def _after(self) -> None:
        if self._busy is None and self._retry is None:
            self._next()

    def _failed(self, notice: Notice, problem: NotSent) -> None:
        self._busy = None
        wait = min(LONGEST, FIRST * 2**self._tries)
        self._tries = min(self._tries + 1, 10)
        if not self._stopped:
            self._retry = self._reactor.callLater(wait, self._next)
        self._tell(str(problem))
        self._refusals = self._refusals + 1 if problem.for_good else 0
        if self._refusals >= REFUSALS:
            self._refusals = 0
            self._give_up([notice.key], str(problem))

    def _give_up(self, keys: list[str], why: str) -> None:
        notices = [notice for key in keys if (notice := self._take_out(key))]
        for key in keys:
            self._done(key)
        if notices:
            self._lost(notices, why)

    def _take_out(self, key: str) -> Notice | None:
        self._size -= self._sizes.pop(key, 0)
        return self._waiting.pop(key, None)

    def _tell(self, why: str) -> None:
        was, self.why = self.why, why
        if bool(was) != bool(why):
            self._failing(why)
