"""What every queue of work has to do: mixed into a TestCase for each kind."""

from typing import Any

from twisted.internet.defer import ensureDeferred

from monitor436.queues.queue import Batch, Depth, Job, Queue

LEASE = 60.0  # seconds: longer than a busy machine stands still
WAIT = 5.0  # seconds for what surely comes ...
NO_WAIT = 0.2  # ... and for what does not


class QueueContract:
    """`queue()`: one of its own for this test; again: the same queue, as somebody else sees it."""

    queue: Any
    pass_time: Any  # leases are so many seconds older
    waited: Any  # whoever waits for a job or a result has waited for so many seconds
    waiting: Any  # so many wait for one
    assertEqual: Any
    assertNoResult: Any
    assertFalse: Any
    assertTrue: Any

    async def filled(self, *names: str) -> Queue:
        queue: Queue = self.queue()
        self.assertEqual(await queue.put("b", [(name, b"") for name in names]), len(names))
        return queue

    async def names(self, queue: Queue, worker: str = "w1", most: int = 9) -> list[str]:
        return [job.name for job in await queue.claim(worker, most, 0.0)]

    async def test_a_job_is_handed_out_once_in_its_turn(self) -> None:
        """To whoever asks first; its body as it was put, whatever bytes that has."""
        queue = self.queue()
        await queue.put("b", [("a", b"\x00\xff\r\n"), ("größe", b"")])
        first = await queue.claim("w1", 1, 0.0)
        self.assertEqual([each._replace(ticket="") for each in first], [Job("b", "a", b"\x00\xff\r\n")])
        self.assertEqual(await self.names(queue, "w2"), ["größe"])
        self.assertEqual(await queue.reclaim("w2", 9), [])
        self.assertEqual(await queue.depth(), Depth(2, 0))

    async def test_a_name_is_put_once_in_a_batch(self) -> None:
        """So a sender that is not sure may put it again; another batch has names of its own."""
        queue = await self.filled("a", "b")
        self.assertEqual(await queue.put("b", [("a", b""), ("c", b""), ("b", b"")]), 3)
        self.assertEqual(await queue.put("other", [("a", b"")]), 1)
        self.assertEqual(await self.names(queue), ["a", "b", "c", "a"])

    async def test_a_sender_puts_up_to_the_watermark(self) -> None:
        """Jobs and results both fill it; what is known already takes no room."""
        queue = self.queue()
        jobs = [(name, b"") for name in "abcdef"]
        self.assertEqual(await queue.put("b", jobs, 4), 4)
        self.assertEqual(await queue.put("b", jobs, 4), 4)
        claimed = await queue.claim("w1", 2, 0.0)
        self.assertEqual(await queue.put("b", jobs[4:], 4), 0)
        await queue.acknowledge([(job, b"well") for job in claimed])
        self.assertEqual(await queue.put("b", jobs[4:], 4), 0)
        await queue.complete(await queue.results(1, 0.0))
        self.assertEqual(await queue.put("b", jobs, 4), 5)
        self.assertEqual(await queue.depth(), Depth(3, 1))

    async def test_a_result_comes_out_once_for_each_name(self) -> None:
        """Whoever acknowledges first counts, even if it is done twice, or in one call."""
        queue = await self.filled("a")
        (job,) = await queue.claim("w1", 9, 0.0)
        await queue.acknowledge([(job, b"first"), (job, b"second")])
        await queue.acknowledge([(job, b"third")])
        found = await queue.results(9, 0.0)
        self.assertEqual([(each.batch, each.name, each.body) for each in found], [("b", "a", b"first")])
        await queue.complete(found)
        await queue.complete(found)
        await queue.acknowledge([(job, b"fourth")])
        self.assertEqual(await queue.results(9, 0.0), [])
        self.assertEqual(await queue.batch("b"), Batch(None, 1, 1, 1))
        self.assertEqual(await queue.depth(), Depth(0, 0))

    async def test_a_job_whose_lease_is_over_goes_to_another(self) -> None:
        """Not before, and with the count of how often it was handed out."""
        queue = await self.filled("a", "b")
        old = await queue.claim("w1", 9, 0.0)
        self.assertEqual(await queue.reclaim("w2", 9), [])
        await self.pass_time(LEASE)
        (first,) = await queue.reclaim("w2", 1)
        (second,) = await queue.reclaim("w2", 9)
        self.assertEqual({first.name: first.tries, second.name: second.tries}, {"a": 2, "b": 2})
        self.assertEqual(await queue.reclaim("w3", 9), [])
        await queue.acknowledge([(first, b"by w2"), (second, b"by w2")])
        await queue.acknowledge([(job, b"by w1, who was frozen") for job in old])
        self.assertEqual([each.body for each in await queue.results(9, 0.0)], [b"by w2"] * 2)
        self.assertEqual(await queue.depth(), Depth(0, 2))

    async def test_a_worker_that_wakes_before_the_other_is_done_counts_and_the_other_does_not(self) -> None:
        """Its lease is over, and still its work is as good."""
        queue = await self.filled("a")
        (old,) = await queue.claim("w1", 9, 0.0)
        await self.pass_time(LEASE)
        (new,) = await queue.reclaim("w2", 9)
        await queue.acknowledge([(old, b"by w1")])
        await queue.acknowledge([(new, b"by w2")])
        self.assertEqual([each.body for each in await queue.results(9, 0.0)], [b"by w1"])
        self.assertEqual(await queue.depth(), Depth(0, 1))

    async def test_what_is_given_back_is_for_others_at_once(self) -> None:
        """All that this worker had, and nothing of another."""
        queue = await self.filled("a", "b", "c")
        await queue.claim("w1", 2, 0.0)
        await queue.claim("w2", 1, 0.0)
        self.assertEqual(await queue.give_back("w1"), 2)
        self.assertEqual(await queue.give_back("w1"), 0)
        self.assertEqual(sorted(await self.names(queue, "w3")), ["a", "b"])

    async def test_a_claim_waits_for_a_job_and_results_are_waited_for_too(self) -> None:
        """No longer than it says."""
        queue, other = self.queue(), self.queue()
        waits = ensureDeferred(queue.claim("w1", 9, WAIT))
        await self.waiting(1)
        self.assertNoResult(waits)
        await other.put("b", [("a", b"")])
        (job,) = await waits
        waits = ensureDeferred(queue.results(9, WAIT))
        await self.waiting(1)
        self.assertNoResult(waits)
        await other.acknowledge([(job, b"well")])
        self.assertEqual([each.name for each in await waits], ["a"])
        waits = ensureDeferred(queue.claim("w1", 9, NO_WAIT))
        await self.waited(NO_WAIT)
        self.assertEqual(await waits, [])

    async def test_a_batch_knows_how_far_it_is(self) -> None:
        """Sealed when the sender knows how many; nothing is known of another."""
        queue = await self.filled("a", "b")
        await queue.seal("b")
        (job,) = await queue.claim("w1", 1, 0.0)
        await queue.acknowledge([(job, b"")])
        self.assertEqual(await queue.batch("b"), Batch(2, 2, 1, 0))
        await queue.put("b", [("b", b""), ("c", b"")])
        self.assertEqual(await queue.batch("b"), Batch(None, 3, 1, 0))
        self.assertEqual(await queue.batch("nothing"), Batch())

    async def test_thousands_pass_in_few_calls(self) -> None:
        """All of them once."""
        names = [f"host{n}" for n in range(1700)]
        queue = await self.filled(*names)
        jobs = await queue.claim("w1", 5000, 0.0)
        await queue.acknowledge([(job, b"x" * 100) for job in jobs])
        found = await queue.results(5000, 0.0)
        self.assertEqual([each.name for each in found], names)
        await queue.complete(found)
        self.assertEqual(await queue.batch("b"), Batch(None, 1700, 1700, 1700))
