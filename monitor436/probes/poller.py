"""Asks many targets at once through one probe: it times, tries again, and makes results of answers and failures."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults
from twisted.logger import Logger

from monitor436.probes.descriptors import room
from monitor436.probes.probe import Answer, Begun, EarlyProbe, Failed, Failure, Probe, Target

AT_ONCE = 10_000
AT_A_TURN = 100  # that are begun or asked before the reactor looks after everybody else: 5 ms
FAIR = 1.0  # seconds that a target has for its answer however late this process was to ask
SLOW = 0.2  # of the time of a probe: who took longer is asked first next time
PAUSE = 0.05  # seconds before the first further attempt, twice that before the second, and so on
AGAIN = frozenset(
    {"name", "refused", "unreachable", "tls", "protocol"}
)  # may be over in a moment; time-outs had theirs

Kept = TypeVar("Kept")


def _unheard(result: Answer | Failed) -> None:
    pass


class Poller:
    """At most `at_once` targets are being asked; one that fails at once is asked up to `retries` times more.

    All attempts together have the time of the probe, `probe.timeout` seconds, so a round of hanging targets lasts that
    long and no longer. The connections of all come first, where the probe can begin them, and the time of a target
    runs from then on: the kernel connects to ten thousand in a quarter of the time that it takes to ask them, and who
    hangs may be the last. `at_a_turn` are begun before the reactor looks after everybody else. Who was slow in the
    last round is asked first in the next one.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        probe: Probe,
        at_once: int = AT_ONCE,
        retries: int = 0,
        monotonic: Callable[[], float] = time.monotonic,
        at_a_turn: int = AT_A_TURN,
    ) -> None:
        self._reactor = reactor
        self._probe = probe
        self._early = probe if isinstance(probe, EarlyProbe) else None
        self._at_once = max(1, min(at_once, room() * 2 // 3))  # the others are connections that are kept
        self._retries = retries
        self._at_a_turn = at_a_turn
        self._monotonic = monotonic
        self._slow: dict[str, float] = {}  # seconds that slow targets took in the last round, by URL

    async def poll(
        self, targets: Sequence[Target], progress: Callable[[Answer | Failed], object] = _unheard
    ) -> list[Answer | Failed]:
        """One result a target, in their order; `progress` hears each as it comes, and what it raises ends the round."""

        def whole(result: Answer | Failed) -> Answer | Failed:
            progress(result)
            return result

        return await self.read(targets, whole)

    async def read(self, targets: Sequence[Target], keep: Callable[[Answer | Failed], Kept]) -> list[Kept]:
        """What `keep` makes of each result as it comes, in the order of the targets: a body lives no longer than that.

        What it raises ends the round.
        """
        slow = self._slow
        order = sorted(enumerate(targets), key=lambda each: -slow.get(each[1].url, 0.0)) if slow else enumerate(targets)
        waiting = deque(order)
        slow_now: dict[str, float] = {}
        kept: dict[int, Kept] = {}
        begun: dict[int, tuple[float, Begun]] = {}

        async def work() -> None:
            while waiting:
                place, target = waiting.popleft()
                result = await self._result(target, begun.pop(place, None))
                if result.seconds > self._probe.timeout * SLOW:
                    slow_now[target.url] = result.seconds
                kept[place] = keep(result)
                del result

        workers: list[Deferred[None]] = []
        try:
            await self._begin(islice(waiting, self._at_once), begun)
            while waiting and len(workers) < self._at_once:
                if workers and len(workers) % self._at_a_turn == 0:
                    await _after(self._reactor, 0)
                workers.append(Deferred.fromCoroutine(work()))
            await gatherResults(workers, consumeErrors=True)
        except FirstError as first:
            first.subFailure.raiseException()
        finally:
            for worker in workers:  # those that are at work, if the round ends before
                worker.cancel()
                worker.addErrback(lambda problem: None)
            for _, connection in begun.values():
                connection.drop()
        self._slow = slow_now
        return [kept[place] for place in range(len(targets))]

    async def _begin(self, targets: Iterable[tuple[int, Target]], begun: dict[int, tuple[float, Begun]]) -> None:
        """Connections that nobody looks at yet; when each was begun, by the place of its target."""
        if self._early is None:
            return
        for count, (place, target) in enumerate(targets, 1):
            at, connection = self._monotonic(), self._early.begin(target)
            if connection is not None:
                begun[place] = at, connection
            if count % self._at_a_turn == 0:
                await _after(self._reactor, 0)

    async def _result(self, target: Target, begun: tuple[float, Begun] | None) -> Answer | Failed:
        seconds = self._monotonic
        asked = began = seconds()
        left = self._probe.timeout
        if begun is not None:
            began = begun[0]
            left = max(left - (asked - began), min(left, FAIR))
        attempt = 0
        while True:
            try:
                if begun is None or self._early is None:
                    body = await self._probe.probe(target, left)
                else:
                    body = await self._early.probe(target, left, begun[1])
                return Answer(target, seconds() - asked, body)
            except Failure as failure:
                reason, text = failure.reason, failure.text
            except CancelledError:
                raise
            except Exception as wrong:
                self.log.failure("asking {name} failed", name=target.name)
                return Failed(target, seconds() - began, "protocol", f"asking it failed here: {type(wrong).__name__}")
            pause = PAUSE * 2**attempt
            left = self._probe.timeout - (seconds() - began) - pause
            if attempt >= self._retries or reason not in AGAIN or left <= 0:
                return Failed(target, seconds() - began, reason, text)
            attempt += 1
            begun = None
            await _after(self._reactor, pause)


def _after(reactor: Any, pause: float) -> "Deferred[None]":
    waits: Deferred[None] = Deferred(lambda _: call.cancel())
    call = reactor.callLater(pause, waits.callback, None)
    return waits
