"""The queue within a process, against the contract of all queues."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from monitor436.model.settings.redis import Redis
from monitor436.queues import open_queue
from monitor436.queues.local import LocalQueue
from monitor436.queues.redis import RedisQueue
from tests.queue_contract import LEASE, QueueContract


class LocalTests(QueueContract, TestCase):
    """With a clock in hand."""

    def setUp(self) -> None:
        self.clock = Clock()
        self._queue = LocalQueue(self.clock, LEASE)

    def queue(self) -> LocalQueue:
        return self._queue

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


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
