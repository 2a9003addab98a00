"""What a queue of work is: jobs go in, workers take them on lease, results come out once for each job."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

LEASE = 120.0  # seconds a worker has for a job before another gets it
LONGEST = 128  # characters of the name of a queue, a batch or a worker


class QueueAway(Exception):
    """The queue cannot be reached or refuses; a sentence says why. What was asked may have been done all the same.

    Everything can be asked again: what was done already is not done twice.
    """


class Job(NamedTuple):
    """A piece of work: `name` is its own within `batch`; `tries`: how often it was handed out, this time included."""

    batch: str
    name: str
    body: bytes
    ticket: str = ""
    tries: int = 1


class Result(NamedTuple):
    """What a worker made of a job."""

    batch: str
    name: str
    body: bytes
    ticket: str = ""


class Depth(NamedTuple):
    """How much is in a queue: jobs that nobody acknowledged, and results that nobody completed."""

    jobs: int
    results: int

    @property
    def whole(self) -> int:
        """What a watermark bounds: a sender waits for workers, and for whoever takes their results."""
        return self.jobs + self.results


class Batch(NamedTuple):
    """How far a batch is; `total` is None until it is sealed, and all are 0 or None for one that is not known."""

    total: int | None = None
    put: int = 0
    acknowledged: int = 0
    completed: int = 0


class Queue(Protocol):
    """One queue, for any number of senders and workers, and one that takes results. All but `close` raise QueueAway."""

    async def put(self, batch: str, jobs: Sequence[tuple[str, bytes]], most: int | None = None) -> int:
        """Put jobs, (name, body), while the whole depth stays within `most`; how many from the front are seen to.

        A name that the batch had before is passed over: it is seen to.
        """

    async def seal(self, batch: str) -> None:
        """What was put by now is all of it. Another name that is put breaks the seal."""

    async def claim(self, worker: str, most: int, wait: float) -> list[Job]:
        """New jobs, leased to this worker from now on; empty if none comes within `wait` seconds."""

    async def reclaim(self, worker: str, most: int) -> list[Job]:
        """Jobs whose lease is over, leased to this worker anew."""

    async def acknowledge(self, done: Sequence[tuple[Job, bytes]]) -> None:
        """These are done, with these results. Whoever is first with a name of a batch counts, also without a lease."""

    async def give_back(self, worker: str) -> int:
        """Whatever is leased to this worker is for others at once; how many."""

    async def results(self, most: int, wait: float) -> list[Result]:
        """Results that are not completed; empty if none comes within `wait` seconds.

        Some come again after trouble, or when whoever took them starts anew.
        """

    async def complete(self, results: Sequence[Result]) -> None:
        """These are kept where they belong: forget them."""

    async def depth(self) -> Depth:
        """How much is in it."""

    async def batch(self, batch: str) -> Batch:
        """How far a batch is."""

    async def close(self) -> None:
        """Let go; the queue stays."""
