"""A sink: takes results from a queue, keeps each once, and only then says to the queue that it is kept."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from monitor436.queues.queue import Batch, Depth, Queue, QueueAway, Result

AT_ONCE = 1000  # results
WAIT = 0.5  # seconds for results to come, until it is time to look how far batches are
AGAIN = 0.5  # seconds until a queue that is away, or a disk that is full, is asked again
LOOKS = 3  # at an empty queue until what has not come is lost


class Book(Protocol):
    """Where results go, and what is known of batches."""

    def known(self, batch: str, name: str) -> bool:
        """Whether it has this one."""

    def keep(self, results: Sequence[Result]) -> "Deferred[None]":
        """These, which are not known, are kept for ever when it fires. Fires with OSError."""

    def rows(self, batch: str) -> int:
        """How many it has of a batch."""

    def over(self, batch: str, total: int | None) -> None:
        """A batch is over; of so many, or nobody knows how many."""


class Sink:
    """Runs until every batch is over that it had results of or was told of, or, with `stays`, for ever.

    `complain` is told why nothing goes on, once for each reason.
    """

    def __init__(
        self,
        queue: Queue,
        book: Book,
        complain: Callable[[str], object],
        clock: Any,
        batches: Sequence[str] = (),
        stays: bool = False,
    ) -> None:
        self.open = dict.fromkeys(batches, 0)  # looks at an empty queue, by batch
        self._queue = queue
        self._book = book
        self._complain = complain
        self._clock = clock
        self._stays = stays
        self._over = False  # whether a batch is over and no other is open
        self._told = ""

    async def run(self) -> None:
        """See there. May be cancelled between any two steps."""
        while True:
            try:
                await self._turn()
                self._told = ""
            except (QueueAway, OSError) as problem:
                if str(problem) != self._told:
                    self._complain(str(problem))
                self._told = str(problem)
                await deferLater(self._clock, AGAIN)
                continue
            if self._over and not self._stays:
                return

    async def _turn(self) -> None:
        results = await self._queue.results(AT_ONCE, WAIT)
        if results:
            for each in results:
                self.open[each.batch] = 0
            new = {(each.batch, each.name): each for each in results if not self._book.known(each.batch, each.name)}
            if new:
                await self._book.keep(list(new.values()))
            await self._queue.complete(results)
        if self.open and len(results) < AT_ONCE:
            await self._look()

    async def _look(self) -> None:
        depth: Depth | None = None
        for batch in list(self.open):
            known = await self._queue.batch(batch)
            whole = known.total is not None and self._book.rows(batch) >= known.total
            if not whole:
                depth = depth or await self._queue.depth()
                self.open[batch] = self.open[batch] + 1 if self._ended(batch, known, depth) else 0
            if whole or self.open[batch] >= LOOKS:
                del self.open[batch]
                self._book.over(batch, known.total)
                self._over = not self.open

    def _ended(self, batch: str, known: Batch, depth: Depth) -> bool:
        """Whether nothing of this batch can come any more: it was sealed, or Redis has forgotten what we know."""
        forgotten = known == Batch() and self._book.rows(batch) > 0
        return depth.whole == 0 and (known.total is not None or forgotten)
