"""A queue within this process: for one machine, and the model of what a queue does."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred

from monitor436.queues.queue import LEASE, Batch, Depth, Job, Queue, Result


@dataclass
class _Progress:
    total: int | None = None
    names: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    completed: int = 0


class LocalQueue(Queue):
    """Gone with the process. `lease` in seconds of the clock."""

    def __init__(self, clock: Any, lease: float = LEASE) -> None:
        self._clock = clock
        self._lease = lease
        self._tickets = 0
        self._waiting: deque[Job] = deque()
        self._leased: OrderedDict[str, tuple[float, str, Job]] = OrderedDict()  # by ticket, in order of their deadline
        self._results: OrderedDict[str, Result] = OrderedDict()
        self._taken = 0  # of the results, from the front, that whoever takes them has
        self._batches: dict[str, _Progress] = {}
        self._askers: list[Deferred[None]] = []

    async def put(self, batch: str, jobs: Sequence[tuple[str, bytes]], most: int | None = None) -> int:
        progress = self._batches.setdefault(batch, _Progress())
        seen = 0
        for name, body in jobs:
            if name not in progress.names:
                if most is not None and len(self._waiting) + len(self._leased) + len(self._results) >= most:
                    break
                progress.names.add(name)
                progress.total = None
                self._waiting.append(Job(batch, name, body, self._ticket(), 0))
            seen += 1
        self._wake()
        return seen

    async def seal(self, batch: str) -> None:
        progress = self._batches.setdefault(batch, _Progress())
        progress.total = len(progress.names)

    async def claim(self, worker: str, most: int, wait: float) -> list[Job]:
        if not self._waiting and wait > 0:
            await self._arrival(wait)
        return [self._hand_out(worker, self._waiting.popleft()) for _ in range(min(most, len(self._waiting)))]

    async def reclaim(self, worker: str, most: int) -> list[Job]:
        now = self._clock.seconds()
        over: list[str] = []
        for ticket, (deadline, _, _) in self._leased.items():
            if deadline > now or len(over) == most:
                break
            over.append(ticket)
        return [self._hand_out(worker, self._leased.pop(ticket)[2]) for ticket in over]

    async def acknowledge(self, done: Sequence[tuple[Job, bytes]]) -> None:
        for job, body in done:
            self._leased.pop(job.ticket, None)
            progress = self._batches.setdefault(job.batch, _Progress())
            if job.name not in progress.done:
                progress.done.add(job.name)
                ticket = self._ticket()
                self._results[ticket] = Result(job.batch, job.name, body, ticket)
        self._wake()

    async def give_back(self, worker: str) -> int:
        theirs = [ticket for ticket, (_, whose, _) in self._leased.items() if whose == worker]
        self._waiting.extend(self._leased.pop(ticket)[2] for ticket in theirs)
        self._wake()
        return len(theirs)

    async def results(self, most: int, wait: float) -> list[Result]:
        if self._taken >= len(self._results) and wait > 0:
            await self._arrival(wait)
        found = list(self._results.values())[self._taken :][:most]
        self._taken += len(found)
        return found

    async def complete(self, results: Sequence[Result]) -> None:
        for result in results:
            if self._results.pop(result.ticket, None):
                self._taken -= 1
                self._batches[result.batch].completed += 1

    async def depth(self) -> Depth:
        return Depth(len(self._waiting) + len(self._leased), len(self._results))

    async def batch(self, batch: str) -> Batch:
        known = self._batches.get(batch, _Progress())
        return Batch(known.total, len(known.names), len(known.done), known.completed)

    async def close(self) -> None:
        self._wake()

    def _ticket(self) -> str:
        self._tickets += 1
        return str(self._tickets)

    def _hand_out(self, worker: str, job: Job) -> Job:
        given = job._replace(tries=job.tries + 1)
        self._leased[job.ticket] = (self._clock.seconds() + self._lease, worker, given)
        return given

    def _arrival(self, wait: float) -> "Deferred[None]":
        """Something may have come, or so many seconds are over."""
        asker: Deferred[None] = Deferred(lambda _: call.cancel())
        call = self._clock.callLater(wait, lambda: self._wake([asker]))
        asker.addBoth(lambda outcome: (call.active() and call.cancel(), outcome)[1])
        self._askers.append(asker)
        return asker

    def _wake(self, which: "list[Deferred[None]] | None" = None) -> None:
        for asker in list(self._askers if which is None else which):
            if asker in self._askers:
                self._askers.remove(asker)
                if not asker.called:
                    asker.callback(None)
