"""What is measured here, on its way to receivers that come and go, each on its own."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from msgspec import json
from twisted.internet.defer import Deferred, DeferredList

from monitor436.cli.pushed.credentials import Credentials
from monitor436.cli.pushed.posting import Post, Reply, Unreached
from monitor436.model.metrics.push import Backlog, Measured
from monitor436.model.words import count
from monitor436.periodic import Periodic

AGAIN = 0.5  # seconds between looks whether a receiver that failed is to be asked again
LATER = (401, 403, 408, 425, 429)  # statuses that say nothing against the sample itself

Say = Callable[[str], object]


class Receiver:
    """Publishes the samples of `host` to one URL, in order and one at a time; those that it cannot deliver wait.

    `say` is told of each success and `complain` of each failure, a line each, as lizmon's monitor wrote them. `once`:
    nobody will ask again.
    """

    def __init__(
        self,
        url: str,
        host: str,
        post: Post,
        credentials: Credentials,
        say: Say,
        complain: Say,
        monotonic: Callable[[], float],
        once: bool = False,
    ) -> None:
        self.backlog = Backlog()
        self.busy: Deferred[None] | None = None
        self._base = f"{url.rstrip('/')}/{quote(host, safe='')}/"
        self._post = post
        self._credentials = credentials
        self._say = say
        self._complain = complain
        self._monotonic = monotonic
        self._once = once

    def take(self, sample: Measured) -> None:
        """One more to publish."""
        self.backlog.add(sample)
        self.turn()

    def turn(self) -> None:
        """Send what waits, if the receiver may be asked by now."""
        if self.busy is None:
            sample = self.backlog.next(self._monotonic())
            if sample is not None:
                self.busy = Deferred.fromCoroutine(self._publish(sample))
                self.busy.addBoth(self._idle)

    def _idle(self, outcome: object) -> object:
        self.busy = None
        return outcome

    async def _publish(self, first: Measured) -> None:
        sample: Measured | None = first
        while sample is not None:
            await self._one(sample)
            sample = self.backlog.next(self._monotonic())

    async def _one(self, sample: Measured) -> None:
        url = f"{self._base}{sample.at}"
        try:
            reply = await self._posted(url, json.encode(sample.values))
        except Unreached as problem:
            self._failed(url, str(problem), 0.0)
            return
        if reply.well:
            self.backlog.published()
            self._say(f"INFO:  Publish was successful to {url}")
        elif reply.status in LATER or not 400 <= reply.status < 500:
            self._failed(url, reply.reason, reply.wait)
        else:
            self.backlog.refused()
            self._complain(f"ERROR:  Publish failed to {url}, details:  {reply.reason}; this sample is dropped")

    async def _posted(self, url: str, body: bytes) -> Reply:
        """The answer; with other credentials if the first ones were refused and there are others."""
        reply = await self._post(url, await self._credentials.fields(), body)
        if reply.status == 401 and self._credentials.refused():
            reply = await self._post(url, await self._credentials.fields(), body)
        return reply

    def _failed(self, url: str, why: str, wait: float) -> None:
        pause = self.backlog.failed(self._monotonic(), wait)
        waits = count(len(self.backlog), "sample waits", "samples wait")
        dropped = f", {self.backlog.dropped} dropped" if self.backlog.dropped else ""
        then = "" if self._once else f"; {waits}{dropped}, again in {pause:g} s"
        self._complain(f"ERROR:  Publish failed to {url}, details:  {why}{then}")


class Publishing(Periodic):
    """Measures every `every` seconds, for every receiver. `measure()` gives values by label, `wall()` is the clock.

    The first measurement comes one period after the start: the use of a processor is that of the time between two.
    """

    def __init__(
        self,
        every: float,
        measure: Callable[[], dict[str, float]],
        receivers: Sequence[Receiver],
        wall: Callable[[], float],
        clock: Any,
    ) -> None:
        super().__init__("publishing", every, self._measured, clock)
        self.receivers = receivers
        self._measure = measure
        self._wall = wall
        self._primed = False
        self._again = Periodic("again", AGAIN, self._ask_again, clock)

    def startService(self) -> None:
        super().startService()
        self._again.startService()

    def stopService(self) -> None:
        self._again.stopService()
        super().stopService()

    def settled(self) -> "Deferred[Any]":
        """Fires when nothing is on its way."""
        waits: list[Deferred[None]] = []
        for receiver in self.receivers:
            if receiver.busy is not None:
                waits.append(Deferred())
                receiver.busy.addBoth(_told, waits[-1])
        return DeferredList(waits, consumeErrors=True)

    def _measured(self) -> None:
        values = self._measure()
        if not self._primed:
            self._primed = True
            return
        sample = Measured(int(self._wall()), values)
        for receiver in self.receivers:
            receiver.take(sample)

    def _ask_again(self) -> None:
        for receiver in self.receivers:
            receiver.turn()


def _told(outcome: object, waits: "Deferred[None]") -> object:
    waits.callback(None)
    return outcome
