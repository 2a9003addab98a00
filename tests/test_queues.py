"""The queue within a process, against the contract of all queues."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from monitor436.model.settings.redis import Redis
from monitor436.queues import open_queue
from monitor436.queues.local import LocalQueue
from monitor436.queues.queue import Batch
from monitor436.queues.redis import RedisQueue
from tests.queue_contract import LEASE, NO_WAIT, QueueContract


class LocalTests(QueueContract, TestCase):
    """With a clock in hand."""

    def setUp(self) -> None:
        self.clock = Clock()
        self._queue = LocalQueue(self.clock, LEASE)

    def queue(self) -> LocalQueue:
        return self._queue

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    waited = pass_time

    async def waiting(self, count: int) -> None:
        self.clock.advance(NO_WAIT)
        self.assertEqual(len(self._queue._askers), count)


class TableTests(SynchronousTestCase):
    """Which queue the settings ask for."""

    def test_redis_is_used_where_it_has_an_address(self) -> None:
        """And nothing is connected before it is used."""
        clock: Any = Clock()
        self.assertIsInstance(open_queue("uptime", Redis(), clock), LocalQueue)
        self.assertIsInstance(open_queue("uptime", Redis(address="127.0.0.1:1"), clock), RedisQueue)
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_names_are_bounded(self) -> None:
        """They become names of keys."""
        for name in ("", "x" * 129, "a\nb"):
            with self.assertRaises(ValueError):
                open_queue(name, Redis(address="127.0.0.1:1"), Clock())


class OpenLink:
    """A link to a Redis in which anybody writes: it answers the next command with what is put in `answers`."""

    time_limit = 5.0

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.asked: list[Sequence[Any]] = []

    def blocking(self) -> "OpenLink":
        """Itself."""
        return self

    async def command(self, *words: Any, within: float | None = None) -> Any:
        """The next answer."""
        return self.answers.pop(0)

    async def pipeline(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """The same for each."""
        self.asked += commands
        return [self.answers.pop(0) if self.answers else 1 for _ in commands]


GOOD = [b"b", b"batch", b"n", b"web1", b"j", b"{}"]
BAD: list[list[bytes]] = [
    [b"b", b"batch"],
    [b"b", b"batch", b"n", b"\xff", b"j", b"{}"],
    [b"b", b"x" * 129, b"n", b"web1", b"j", b"{}"],
    [b"b", b"a\nb", b"n", b"web1", b"j", b"{}"],
    [*GOOD, b"x", b"y"],
]


class StrangersTests(SynchronousTestCase):
    """Who can write to Redis can put anything there: no worker and no sink ends by it, or has it come for ever."""

    def setUp(self) -> None:
        self.link: Any = OpenLink()
        self.queue = RedisQueue(self.link, "uptime")
        self.found = [[b"%d-0" % number, fields] for number, fields in enumerate([*BAD, GOOD])]
        self.gone = [b"%d-0" % number for number in range(len(BAD))]

    def thrown_away(self, stream: str, group: str) -> None:
        """What is bad was."""
        stream = f"m436:queue:uptime:{stream}"
        self.assertEqual(self.link.asked[:2], [("XACK", stream, group, *self.gone), ("XDEL", stream, *self.gone)])

    def test_what_is_no_job_goes(self) -> None:
        """A new one, and one that somebody left."""
        self.link.answers.append([[b"jobs", self.found]])
        jobs = self.successResultOf(ensureDeferred(self.queue.claim("w", 10, 0.0)))
        self.assertEqual([(job.name, job.ticket) for job in jobs], [("web1", "5-0")])
        self.thrown_away("jobs", "workers")
        self.link.asked.clear()
        self.link.answers += [[b"0-0", self.found, []], 1, 1, [[b"5-0", b"w", 1, 3]]]
        jobs = self.successResultOf(ensureDeferred(self.queue.reclaim("w", 10)))
        self.assertEqual([(job.name, job.tries) for job in jobs], [("web1", 3)])
        self.thrown_away("jobs", "workers")

    def test_what_is_no_result_goes(self) -> None:
        """And a count that is none counts for nothing."""
        self.link.answers.append([[b"results", self.found]])
        results = self.successResultOf(ensureDeferred(self.queue.results(10, 0.0)))
        self.assertEqual([each.name for each in results], ["web1"])
        self.thrown_away("results", "sinks")
        self.link.answers.append([b"x", b"-1", b"9" * 5000, b"7"])
        self.assertEqual(self.successResultOf(ensureDeferred(self.queue.batch("b"))), Batch(0, 0, 0, 7))
