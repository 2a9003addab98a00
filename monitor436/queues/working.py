"""A worker: takes jobs from a queue, does a number of them at once, and acknowledges each with its result."""

import heapq
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, ensureDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from monitor436.queues.queue import LEASE, Job, Queue, QueueAway

WAIT = 1.0  # seconds for jobs to come, until it is time to look after other things
AGAIN = 0.5  # seconds until a queue that is away is asked again
LAST_WORDS = 3.0  # seconds for what is done at the end
MOST_TRIES = 5  # a job that was handed out more often than this is lost: it may be what kills workers


class Worker:
    """Does what `work(job, slot)` does for jobs, `concurrency` of them at a time; `slot` is the name and a number.

    `lost(job, slot)` is the result of a job that nobody brought home in MOST_TRIES. `lease`: seconds, as the queue has
    it. `complain` is told why the queue is away, once for each reason.
    """

    log = Logger()

    def __init__(
        self,
        queue: Queue,
        name: str,
        concurrency: int,
        work: Callable[[Job, str], Awaitable[bytes]],
        lost: Callable[[Job, str], bytes],
        complain: Callable[[str], object],
        clock: Any,
        lease: float = LEASE,
    ) -> None:
        self.done = 0
        self._queue = queue
        self._name = name
        self._work = work
        self._lost = lost
        self._complain = complain
        self._clock = clock
        self._look = min(lease / 4, 10.0)  # seconds between looks for leases that are over
        self._looked: float | None = None
        self._most = 2 * concurrency  # results that wait to be acknowledged
        self._slots = list(range(1, concurrency + 1))
        self._running: dict[Deferred[None], Job] = {}
        self._finished: list[tuple[Job, bytes]] = []
        self._acknowledging: Deferred[None] | None = None
        self._freed: Deferred[None] | None = None
        self._told = ""
        self._ends = False

    async def run(self) -> None:
        """Until it is cancelled; then `end()` is to be called."""
        while True:
            if not self._slots:
                self._freed = Deferred()
                await self._freed
            room = min(len(self._slots), self._most - len(self._finished))
            if room <= 0:  # nothing can be acknowledged, and still jobs are handed out
                await deferLater(self._clock, AGAIN)
                continue
            try:
                jobs = await self._more(room)
            except QueueAway as away:
                await self._is_away(away)
                continue
            self._told = ""
            for job in jobs:
                self._begin(job)

    async def end(self) -> int:
        """What is done is acknowledged, what is not is given back; how many those are. Ends in LAST_WORDS seconds."""
        self._ends = True
        given = len(self._running)
        for running in list(self._running):
            running.cancel()
        last: Deferred[None] = ensureDeferred(self._last_words())
        last.addTimeout(LAST_WORDS, self._clock)
        try:
            await last
        except Exception as problem:
            why = f"no answer within {LAST_WORDS:g} s" if isinstance(problem, TimeoutError) else str(problem)
            self._complain(f"{why}: what it had is for others when its lease is over")
        return given

    async def _last_words(self) -> None:
        if self._acknowledging is not None:
            self._acknowledging.cancel()
        if self._finished:
            await self._queue.acknowledge(self._finished)
        await self._queue.give_back(self._name)

    async def _more(self, room: int) -> list[Job]:
        """Jobs that others have left first, and then new ones."""
        now = self._clock.seconds()
        if self._looked is None or now - self._looked >= self._look:
            found = await self._queue.reclaim(self._name, room)
            if len(found) < room:
                self._looked = now
            if found:
                return found
        return await self._queue.claim(self._name, room, min(WAIT, self._look))

    def _begin(self, job: Job) -> None:
        slot = heapq.heappop(self._slots)
        running = ensureDeferred(self._one(job, f"{self._name}_{slot}"))
        self._running[running] = job

        def over(outcome: object) -> None:
            self._running.pop(running, None)
            heapq.heappush(self._slots, slot)
            if isinstance(outcome, Failure) and not outcome.check(CancelledError):
                self.log.failure("{name} failed; its lease will end", outcome, name=job.name)
            freed, self._freed = self._freed, None
            if freed is not None and not self._ends:
                freed.callback(None)

        running.addBoth(over)

    async def _one(self, job: Job, slot: str) -> None:
        body = self._lost(job, slot) if job.tries > MOST_TRIES else await self._work(job, slot)
        self.done += 1
        self._finished.append((job, body))
        if self._acknowledging is None and not self._ends:
            self._acknowledging = ensureDeferred(self._acknowledge())
            self._acknowledging.addErrback(lambda failure: failure.trap(CancelledError) and None)

    async def _acknowledge(self) -> None:
        """All that is done, and what is done meanwhile, as often as it takes."""
        try:
            await deferLater(self._clock, 0)  # others of this turn may come
            while self._finished:
                now = list(self._finished)
                try:
                    await self._queue.acknowledge(now)
                except QueueAway as away:
                    await self._is_away(away)
                else:
                    del self._finished[: len(now)]
        finally:
            self._acknowledging = None

    async def _is_away(self, away: QueueAway) -> None:
        if str(away) != self._told:
            self._complain(str(away))
        self._told = str(away)
        await deferLater(self._clock, AGAIN)
