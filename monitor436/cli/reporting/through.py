"""One round of questions to a fleet that workers on other machines ask, through a queue."""

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

import click
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater
from twisted.python.failure import Failure as Problem

from monitor436.cli.redis_options import complain
from monitor436.cli.reporting.asking import gathered, progress
from monitor436.cli.until_told import until_told
from monitor436.model.fleet.errand import LOST, Asked, Errand, Told, as_json, read_told
from monitor436.model.fleet.report import Failure, Round
from monitor436.model.fleet.statuses import Question
from monitor436.queues.queue import Queue, QueueAway, Result
from monitor436.queues.sending import send
from monitor436.queues.taking import LOOKS, Book, Sink

WATERMARK = 5000  # targets in the queue
EVERY = 1.0  # seconds between looks whether anything is left there
PATIENCE = 5.0  # seconds until it is said that nothing comes
LONELY = f"""nothing came within {PATIENCE:g} s: is a worker there, or still at another report?
see monitor436 report work --help"""


class Answers(Book):
    """What came of one batch of so many targets, by their number; what comes of others was not awaited, and is dropped.

    `over_with` fires when nothing more will come.
    """

    def __init__(self, batch: str, count: int, keep: Callable[[int, bytes], object]) -> None:
        self.over_with: Deferred[None] = Deferred()
        self._batch = batch
        self._places = {str(place): place for place in range(count)}
        self._keep = keep
        self._known: set[str] = set()

    def fail(self, problem: Problem) -> None:
        """Nothing more will come."""
        if not self.over_with.called:
            self.over_with.errback(problem)

    def known(self, batch: str, name: str) -> bool:
        return batch == self._batch and name in self._known

    def keep(self, results: Sequence[Result]) -> "Deferred[None]":
        for each in results:
            place = self._places.get(each.name) if each.batch == self._batch else None
            if place is not None:
                self._known.add(each.name)
                self._keep(place, each.body)
        return succeed(None)

    def rows(self, batch: str) -> int:
        return len(self._known) if batch == self._batch else 0

    def over(self, batch: str, total: int | None) -> None:
        if batch == self._batch and not self.over_with.called:
            self.over_with.callback(None)


def ask_workers(listed: Sequence[Asked], question: Question, queue: Queue, twice: Sequence[str], reactor: Any) -> Round:
    """Have every target asked once, and read what workers say. Raises click.Abort if that is interrupted.

    The seconds of each are those that it took its worker.
    """
    at, began = round(time.time() * 1000), time.monotonic()
    with progress(len(listed)) as heard:
        asking = _Asking(listed, question, queue, heard, reactor)
        if listed and not until_told(asking.run, queue.close, reactor):
            raise click.Abort
    results = [asking.found.get(place) or _lost(each) for place, each in enumerate(listed)]
    return gathered(results, at, time.monotonic() - began, twice)


class _Asking:
    """A batch on its way through workers; `found` is what they told, by the number of the target."""

    def __init__(
        self,
        listed: Sequence[Asked],
        question: Question,
        queue: Queue,
        heard: Callable[[bool], object],
        reactor: Any,
    ) -> None:
        self.found: dict[int, Told] = {}
        self._listed, self._question = listed, question
        self._queue, self._reactor = queue, reactor
        self._heard = heard
        self._away = False
        self._batch = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(4)}"
        self._answers = Answers(self._batch, len(listed), self._keep)

    async def run(self) -> None:
        """Until nothing more will come."""
        lonely = self._reactor.callLater(PATIENCE, self._is_lonely)
        sink = Sink(self._queue, self._answers, self._is_away, self._reactor, [self._batch])
        both = [Deferred.fromCoroutine(self._give()), Deferred.fromCoroutine(sink.run())]
        for each in both:
            each.addErrback(self._answers.fail)
        try:
            await self._answers.over_with
            await deferLater(self._reactor, 0)  # it is the sink that says so, and nobody can cancel what runs just now
        finally:
            for each in both:
                each.cancel()
            if lonely.active():
                lonely.cancel()

    async def _give(self) -> None:
        """Put all, and then see whether anything is left in the queue: if something is missing then, it is lost."""
        jobs = [(str(place), as_json(Errand(each, self._question))) for place, each in enumerate(self._listed)]
        await send(self._queue, self._batch, jobs, WATERMARK, int, self._is_away, self._reactor)
        looks = 0
        while looks < LOOKS:
            await deferLater(self._reactor, EVERY)
            try:
                looks = 0 if (await self._queue.depth()).whole else looks + 1
            except QueueAway:
                looks = 0
        self._answers.over(self._batch, None)

    def _keep(self, place: int, body: bytes) -> None:
        told = self.found[place] = read_told(body, self._listed[place], self._question)
        self._heard(isinstance(told, Failure))

    def _is_away(self, why: str) -> None:
        self._away = True
        complain(why)

    def _is_lonely(self) -> None:
        if not self.found and not self._away:
            click.echo(LONELY, err=True)


def _lost(asked: Asked) -> Failure:
    return Failure(asked.name, asked.url, LOST, "no worker brought it home, or the queue has lost it", 0.0)
