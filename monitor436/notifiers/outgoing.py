"""What waits for one notifier: sent in order, one at a time, tried again with more and more time between."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from monitor436.model.notify.notice import Notice
from monitor436.notifiers.notifier import Notifier, NotSent

FIRST = 5.0  # seconds until the second try
LONGEST = 300.0  # seconds between tries
REFUSALS = 3  # refusals for good, after which a notification is given up: the next may be taken
MOST = 1000  # notifications that wait; beyond it the oldest are given up
LAST_WAIT = 5.0  # seconds that the end of the server waits for one that is under way


class Outgoing:
    """Calls `done(key)` for what was sent or given up, `failing(why)` when that begins, with "" when it ends, and
    `lost(number, why)` for what was given up.
    """

    log = Logger()

    def __init__(
        self,
        name: str,
        notifier: Notifier,
        done: Callable[[str], None],
        failing: Callable[[str], None],
        lost: Callable[[int, str], None],
        reactor: Any,
    ) -> None:
        self.name = name
        self.notifier = notifier
        self.why = ""  # what is in the way
        self._done, self._failing, self._lost = done, failing, lost
        self._reactor = reactor
        self._waiting: OrderedDict[str, Notice] = OrderedDict()
        self._busy: Deferred[None] | None = None
        self._retry: Any = None
        self._tries = self._refusals = 0
        self._stopped = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, notice: Notice) -> None:
        """Send it when its turn comes."""
        self._waiting.setdefault(notice.key, notice)
        if len(self._waiting) > MOST:
            keys = list(self._waiting)
            old = keys[1 if self._busy else 0]  # the first may be under way
            self._give_up(old, f"more than {MOST} wait: {self.why}")
        if self._busy is None and self._retry is None and not self._stopped:
            self._next()

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

    def _sent(self, notice: Notice) -> None:
        self._busy = None
        self._tries = self._refusals = 0
        self._waiting.pop(notice.key, None)
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
            self._give_up(notice.key, str(problem))

    def _give_up(self, key: str, why: str) -> None:
        self._waiting.pop(key, None)
        self._done(key)
        self._lost(1, why)

    def _tell(self, why: str) -> None:
        was, self.why = self.why, why
        if bool(was) != bool(why):
            self._failing(why)
