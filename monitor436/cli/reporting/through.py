"""One round of questions to a fleet that workers on other machines ask, through a queue."""

import secrets
import sys
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
    batch = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(4)}"
    jobs = [(str(place), as_json(Errand(each, question))) for place, each in enumerate(listed)]
    found: dict[int, Told] = {}
    with progress(len(jobs)) as heard:

        def keep(place: int, body: bytes) -> None:
            told = found[place] = read_told(body, listed[place], question)
            heard(isinstance(told, Failure))

        async def work() -> None:
            answers = Answers(batch, len(jobs), keep)
            lonely = reactor.callLater(PATIENCE, _nothing_comes, found)
            sink = Sink(queue, answers, complain, reactor, [batch])

            async def give() -> None:
                await send(queue, batch, jobs, WATERMARK, int, complain, reactor)
                await _empty(queue, reactor)
                answers.over(batch, None)

            both = [Deferred.fromCoroutine(give()), Deferred.fromCoroutine(sink.run())]
            for each in both:
                each.addErrback(answers.fail)
            try:
                await answers.over_with
            finally:
                for each in both:
                    each.cancel()
                if lonely.active():
                    lonely.cancel()

        if jobs and not until_told(work, queue.close, reactor):
            raise click.Abort
    results = [found.get(place) or _lost(each) for place, each in enumerate(listed)]
    return gathered(results, at, time.monotonic() - began, twice)


async def _empty(queue: Queue, clock: Any) -> None:
    """Nothing is in the queue, at several looks: if something is missing then, Redis has lost it."""
    looks = 0
    while looks < LOOKS:
        await deferLater(clock, EVERY)
        try:
            looks = 0 if (await queue.depth()).whole else looks + 1
        except QueueAway:
            looks = 0


def _nothing_comes(found: dict[int, Told]) -> None:
    if not found:
        sys.stderr.write(f"nothing came within {PATIENCE:g} s: is a worker there? see monitor436 report work --help\n")


def _lost(asked: Asked) -> Failure:
    return Failure(asked.name, asked.url, LOST, "no worker brought it home, or the queue has lost it", 0.0)
