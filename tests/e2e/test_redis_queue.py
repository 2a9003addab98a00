"""The queue in Redis, against the contract of all queues, and what only Redis does."""

from pathlib import Path
from typing import Any

from twisted.internet import reactor as the_reactor
from twisted.internet.defer import CancelledError, ensureDeferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from monitor436.model.settings.redis import Redis
from monitor436.queues.queue import Depth, Queue, QueueAway
from monitor436.queues.redis import KEPT, RedisQueue
from monitor436.redis_link import RedisLink
from tests.e2e.redis_server import ABSENT, RedisServer
from tests.queue_contract import LEASE, QueueContract

reactor: Any = the_reactor
LIMIT = 30.0  # seconds that a call may take: how long a busy machine takes is not the test
OLDER = """\
for _, each in ipairs(redis.call('XPENDING', KEYS[1], 'workers', '-', '+', 1000)) do
  redis.call('XCLAIM', KEYS[1], 'workers', each[2], 0, each[1], 'IDLE', each[3] + ARGV[1], 'JUSTID')
end
"""


class RedisQueueTests(QueueContract, TestCase):
    """One redis-server a test."""

    skip = ABSENT

    def setUp(self) -> None:
        self.server = RedisServer(["appendonly yes", "appendfsync always"])
        self.addCleanup(self.server.close)
        self.server.start()

    def queue(self) -> RedisQueue:
        queue = RedisQueue(self.link(), "test", LEASE)
        self.addCleanup(lambda: ensureDeferred(queue.close()))
        return queue

    def link(self) -> RedisLink:
        return RedisLink(Redis(address=self.server.address, time_limit=LIMIT), reactor)

    async def pass_time(self, seconds: float) -> None:
        """No time has to pass for that: Redis is told that jobs were handed out so much earlier."""
        link = self.link()
        await link.command("EVAL", OLDER, 1, "m436:queue:test:jobs", round(seconds * 1000))
        await link.close()

    async def waited(self, seconds: float) -> None:
        """Redis sees to that."""

    async def waiting(self, count: int) -> None:
        """They are in Redis by now."""
        while f"blocked_clients:{count}\r\n" not in self.server.ask("INFO", "clients"):
            await deferLater(reactor, 0.01)

    async def persists(self, ask: Any, until: Any = lambda found: True) -> Any:
        """What it gives, asked again while the queue is away, and until it gives what is wanted."""
        while True:
            try:
                found = await ask()
                if until(found):
                    return found
            except QueueAway:
                await deferLater(reactor, 0.05)

    async def test_a_taker_that_starts_anew_gets_what_it_had_not_completed(self) -> None:
        """First, and then what is new."""
        queue: Queue = self.queue()
        await queue.put("b", [(name, b"") for name in "abc"])
        jobs = await queue.claim("w1", 9, 0.0)
        await queue.acknowledge([(job, b"") for job in jobs[:2]])
        await queue.complete((await queue.results(9, 0.0))[:1])
        again = self.queue()
        self.assertEqual([each.name for each in await again.results(9, 0.0)], ["b"])
        await again.acknowledge([(jobs[2], b"")])
        self.assertEqual([each.name for each in await again.results(9, 1.0)], ["c"])

    async def test_a_restart_in_the_middle_loses_nothing_that_was_acknowledged(self) -> None:
        """With its append-only file: jobs, leases, results and counts are as before."""
        queue = self.queue()
        await queue.put("b", [(name, b"") for name in "abc"])
        jobs = await queue.claim("w1", 2, 0.0)
        await queue.acknowledge([(jobs[0], b"well")])
        waits = ensureDeferred(queue.claim("w1", 1, 2.0))
        self.assertEqual([job.name for job in await waits], ["c"])
        waits = ensureDeferred(self.persists(lambda: queue.claim("w2", 1, 5.0), until=bool))
        await self.waiting(1)
        self.server.kill()
        await deferLater(reactor, 0.05)  # some tries fail
        self.server.start()
        await self.pass_time(LEASE)
        found = await self.persists(lambda: queue.reclaim("w2", 9))
        self.assertEqual(sorted(job.name for job in found), ["b", "c"])
        await queue.acknowledge([(job, b"") for job in found])
        self.assertEqual(len(await self.persists(lambda: queue.results(9, 1.0))), 3)
        await queue.put("b", [("d", b"")])
        self.assertEqual([job.name for job in await waits], ["d"])

    async def test_what_is_given_back_does_not_come_to_a_claim_that_nobody_waits_for(self) -> None:
        """A worker that ends while it waits for more: Redis would hand its jobs to it once more, for a whole lease."""
        queue = await self.filled("a", "b")
        await queue.claim("w1", 2, 0.0)
        waits = ensureDeferred(queue.claim("w1", 1, 5.0))
        await self.waiting(1)
        waits.addErrback(lambda problem: problem.trap(CancelledError) and None)
        waits.cancel()
        self.assertEqual(await queue.give_back("w1"), 2)
        self.assertEqual(sorted(await self.names(self.queue(), "w2")), ["a", "b"])

    async def test_results_that_could_not_be_completed_come_again(self) -> None:
        """Else they would be in Redis until their taker starts anew; new ones come after them."""
        queue = self.queue()
        await queue.put("b", [(name, b"") for name in "abc"])
        jobs = await queue.claim("w1", 9, 0.0)
        await queue.acknowledge([(job, b"") for job in jobs[:2]])
        taken = await queue.results(9, 0.0)
        self.server.kill()
        with self.assertRaises(QueueAway):
            await queue.complete(taken)
        self.server.start()
        await self.persists(lambda: queue.acknowledge([(jobs[2], b"")]))
        again = await self.persists(lambda: queue.results(9, 1.0))
        self.assertEqual([each.name for each in again], ["a", "b"])
        await queue.complete(again)
        last = await queue.results(9, 1.0)
        self.assertEqual([each.name for each in last], ["c"])
        await queue.complete(last)
        self.assertEqual((await queue.depth(), (await queue.batch("b")).completed), (Depth(0, 0), 3))

    async def test_a_queue_that_redis_forgot_begins_anew(self) -> None:
        """Nothing has to be made by hand; the batch is put again as a whole."""
        queue = self.queue()
        await queue.put("b", [("a", b"")])
        jobs = await queue.claim("w1", 9, 0.0)
        self.server.ask("FLUSHALL")
        self.assertEqual(await queue.depth(), Depth(0, 0))
        self.assertEqual(await queue.give_back("w1"), 0)
        self.assertEqual(await queue.claim("w1", 9, 0.05), [])
        await queue.acknowledge([(jobs[0], b"well")])
        self.assertEqual(len(await queue.results(9, 0.0)), 1)

    async def test_the_user_that_the_manual_shows_may_do_what_is_needed(self) -> None:
        """And nothing beyond the keys of queues."""
        page = (Path(__file__).parents[2] / "docs" / "workers.md").read_text()
        line = next(line for line in page.splitlines() if line.startswith("user sweeper "))
        self.server.ask("ACL", "SETUSER", *line.split()[1:])
        secret = self.server.folder / "password"
        secret.write_text("PASSWORD\n")
        redis = Redis(address=self.server.address, user="sweeper", password_file=str(secret), time_limit=LIMIT)
        queue = RedisQueue(RedisLink(redis, reactor), "test", LEASE)
        self.addCleanup(lambda: ensureDeferred(queue.close()))
        await queue.put("b", [("a", b""), ("c", b"")], 9)
        await queue.seal("b")
        jobs = await queue.claim("w1", 1, 0.1)
        self.assertEqual(await queue.give_back("w1"), 1)
        jobs = await queue.claim("w1", 9, 0.1)
        await self.pass_time(LEASE)
        self.assertEqual(len(await queue.reclaim("w2", 9)), 2)
        await queue.acknowledge([(job, b"") for job in jobs])
        await queue.complete(await queue.results(9, 0.1))
        self.assertEqual((await queue.batch("b")).completed, 2)
        self.assertEqual(await queue.depth(), Depth(0, 0))
        with self.assertRaisesRegex(QueueAway, "NOPERM"):
            await RedisQueue(queue._link, "*", LEASE)._pipeline([("GET", "another")])

    async def test_what_nobody_touches_goes_by_itself(self) -> None:
        """Every key has an end."""
        queue = self.queue()
        await queue.put("b", [("a", b"")])
        await queue.seal("b")
        await queue.acknowledge([((await queue.claim("w1", 9, 0.0))[0], b"")])
        await queue.complete(await queue.results(9, 0.0))
        keys = [word for word in self.server.ask("KEYS", "*").split("\r\n") if word.startswith("m436:")]
        self.assertEqual(len(keys), 4)
        for key in keys:
            self.assertLessEqual(abs(int(self.server.ask("TTL", key)[1:]) - KEPT), 60, key)
