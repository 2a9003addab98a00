"""Sender, worker and sink over the queue in this process, with a clock in hand."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from monitor436.cli.over_ssh.send import refusal
from monitor436.queues.local import LocalQueue
from monitor436.queues.queue import Depth, Job, QueueAway, Result
from monitor436.queues.sending import send
from monitor436.queues.taking import WAIT, Sink
from monitor436.queues.working import LAST_WORDS, MOST_TRIES, Worker

LEASE = 40.0


class Away:
    """A queue that is away when `why` says so."""

    def __init__(self, queue: LocalQueue) -> None:
        self.why = ""
        self.queue = queue

    def __getattr__(self, name: str) -> Any:
        async def asked(*words: Any) -> Any:
            if self.why:
                raise QueueAway(self.why)
            return await getattr(self.queue, name)(*words)

        return asked


class Rig(SynchronousTestCase):
    """A clock, a queue that may be away, and what was complained of."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.local = LocalQueue(self.clock, LEASE)
        self.queue: Any = Away(self.local)
        self.complaints: list[str] = []
        self.work: dict[str, Deferred[bytes]] = {}
        self.slots: list[str] = []

    def put(self, *names: str) -> None:
        self.successResultOf(ensureDeferred(self.local.put("b", [(name, b"") for name in names])))

    def depth(self) -> Depth:
        return self.successResultOf(ensureDeferred(self.local.depth()))

    def worker(self, name: str, concurrency: int) -> Worker:
        def work(job: Job, slot: str) -> "Deferred[bytes]":
            self.slots.append(f"{slot} {job.name}")
            self.work[job.name] = Deferred()
            return self.work[job.name]

        def lost(job: Job, slot: str) -> bytes:
            return b"lost"

        return Worker(self.queue, name, concurrency, work, lost, self.complaints.append, self.clock, LEASE)

    def results(self) -> dict[str, bytes]:
        return {each.name: each.body for each in self.successResultOf(ensureDeferred(self.local.results(99, 0.0)))}


class SenderTests(Rig):
    """`send`."""

    def test_the_watermark_holds_it_back(self) -> None:
        """It goes on as soon as results are taken, and seals the batch at its end."""
        heard: list[int] = []
        jobs = [(f"h{n}", b"") for n in range(5)]
        sent = ensureDeferred(send(self.queue, "b", jobs, 3, heard.append, self.complaints.append, self.clock))
        self.clock.advance(9.0)
        self.assertEqual((heard[-1], self.depth()), (3, Depth(3, 0)))
        for job in self.successResultOf(ensureDeferred(self.local.claim("w", 2, 0.0))):
            self.successResultOf(ensureDeferred(self.local.acknowledge([(job, b"")])))
        self.clock.advance(1.0)
        self.assertNoResult(sent)
        self.assertEqual(self.depth(), Depth(1, 2))
        found = self.successResultOf(ensureDeferred(self.local.results(9, 0.0)))
        self.successResultOf(ensureDeferred(self.local.complete(found)))
        self.clock.advance(1.0)
        self.successResultOf(sent)
        self.assertEqual(self.successResultOf(ensureDeferred(self.local.batch("b"))).total, 5)

    def test_a_queue_that_is_away_is_told_of_once(self) -> None:
        """And asked until it is back."""
        self.queue.why = "Redis is away"
        sent = ensureDeferred(send(self.queue, "b", [("h", b"")], 3, float, self.complaints.append, self.clock))
        self.clock.pump([1.0] * 60)
        self.assertNoResult(sent)
        self.assertEqual(self.complaints, ["Redis is away"])
        self.queue.why = ""
        self.clock.advance(1.0)
        self.successResultOf(sent)


class BatchTests(Rig):
    """What `uptime send` refuses of the names of batches."""

    def refusal(self, batch: str = "", resume: str = "") -> str:
        """What stands in the way."""
        return self.successResultOf(ensureDeferred(refusal(self.queue, batch, resume)))

    def test_a_batch_begins_once_and_only_what_began_is_resumed(self) -> None:
        """The hint is the other option."""
        self.put("web1")
        self.assertEqual([self.refusal(), self.refusal(batch="c"), self.refusal(resume="b")], ["", "", ""])
        self.assertIn("b is there already; go on with it by --resume b", self.refusal(batch="b"))
        self.assertIn("there is no batch foo; begin one of that name by --batch foo", self.refusal(resume="foo"))

    def test_while_the_queue_is_away_nobody_knows(self) -> None:
        """It is told of when it is to take jobs."""
        self.queue.why = "away"
        self.assertEqual([self.refusal(batch="b"), self.refusal(resume="b")], ["", ""])


class WorkerTests(Rig):
    """`Worker`."""

    def test_it_does_as_many_at_once_as_it_may(self) -> None:
        """The next begins in the slot of the one that ends."""
        self.put("a", "b", "c")
        runs = ensureDeferred(self.worker("w1", 2).run())
        self.assertEqual(self.slots, ["w1_1 a", "w1_2 b"])
        self.work["b"].callback(b"well")
        self.clock.advance(0.0)
        self.assertEqual(self.slots[2:], ["w1_2 c"])
        self.assertEqual(self.results(), {"b": b"well"})
        self.assertEqual(self.depth(), Depth(2, 1))
        self.assertNoResult(runs)
        runs.cancel()
        self.failureResultOf(runs)

    def test_what_it_has_is_given_back_at_its_end(self) -> None:
        """What is done is acknowledged."""
        self.put("a", "b", "c")
        worker = self.worker("w1", 3)
        runs = ensureDeferred(worker.run())
        self.work["a"].callback(b"well")
        runs.cancel()
        self.failureResultOf(runs)
        self.assertEqual(self.successResultOf(ensureDeferred(worker.end())), 2)
        self.assertEqual(self.results(), {"a": b"well"})
        again = self.successResultOf(ensureDeferred(self.local.claim("w2", 9, 0.0)))
        self.assertEqual([job.name for job in again], ["b", "c"])

    def test_its_end_waits_some_seconds_for_a_queue_that_does_not_answer(self) -> None:
        """And says what becomes of what it had."""
        worker = self.worker("w1", 3)
        self.queue.give_back = lambda name: Deferred()
        ends = ensureDeferred(worker.end())
        self.clock.advance(LAST_WORDS)
        self.assertEqual(self.successResultOf(ends), 0)
        told = "no answer within 3 s: what it had is for others when its lease is over"
        self.assertEqual(self.complaints, [told])

    def test_results_wait_while_the_queue_is_away(self) -> None:
        """And are acknowledged when it is back; the end does not wait for it."""
        self.put("a")
        worker = self.worker("w1", 1)
        runs = ensureDeferred(worker.run())
        self.queue.why = "Redis is away"
        self.work["a"].callback(b"well")
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.complaints, ["Redis is away"])
        self.queue.why = ""
        self.clock.pump([1.0] * 2)
        self.assertEqual(self.results(), {"a": b"well"})
        self.queue.why = "Redis is away again"
        runs.cancel()
        self.failureResultOf(runs)
        self.successResultOf(ensureDeferred(worker.end()))
        self.assertIn("Redis is away again: what it had is for others when its lease is over", self.complaints)

    def test_jobs_of_a_dead_worker_are_done_by_another(self) -> None:
        """When their lease is over, not sooner."""
        self.put("a")
        self.successResultOf(ensureDeferred(self.local.claim("dead", 9, 0.0)))
        runs = ensureDeferred(self.worker("w1", 1).run())
        self.clock.pump([1.0] * int(LEASE - 1))
        self.assertEqual(self.slots, [])
        self.clock.pump([1.0] * 12)
        self.assertEqual(self.slots, ["w1_1 a"])
        runs.cancel()
        self.failureResultOf(runs)

    def test_a_job_that_nobody_brings_home_is_lost(self) -> None:
        """It is not handed out for ever: it may be what kills workers."""
        self.put("a")
        for _ in range(MOST_TRIES):
            self.successResultOf(ensureDeferred(self.local.claim("dead", 9, 0.0)))
            self.clock.advance(LEASE)
            self.successResultOf(ensureDeferred(self.local.reclaim("dead", 9)))
        self.clock.advance(LEASE)
        runs = ensureDeferred(self.worker("w1", 1).run())
        self.clock.advance(0.0)
        self.assertEqual((self.slots, self.results()), ([], {"a": b"lost"}))
        runs.cancel()
        self.failureResultOf(runs)

    def test_work_that_raises_ends_nobody_else(self) -> None:
        """It is logged; the lease of its job ends in time."""
        self.put("a", "b")
        runs = ensureDeferred(self.worker("w1", 1).run())
        self.work["a"].errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.slots, ["w1_1 a", "w1_1 b"])
        runs.cancel()
        self.failureResultOf(runs)


class Pages:
    """A book in memory, whose disk may be full."""

    def __init__(self) -> None:
        self.kept: list[Result] = []
        self.ended: list[tuple[str, int | None]] = []
        self.full = False

    def known(self, batch: str, name: str) -> bool:
        return (batch, name) in {(each.batch, each.name) for each in self.kept}

    def keep(self, results: Sequence[Result]) -> "Deferred[None]":
        if self.full:
            failed: Deferred[None] = Deferred()
            failed.errback(OSError("disk full"))
            return failed
        self.kept += results
        return succeed(None)

    def rows(self, batch: str) -> int:
        return sum(each.batch == batch for each in self.kept)

    def over(self, batch: str, total: int | None) -> None:
        self.ended.append((batch, total))


class SinkTests(Rig):
    """`Sink`."""

    def setUp(self) -> None:
        super().setUp()
        self.book = Pages()

    def done(self, *names: str) -> None:
        """These jobs are done."""
        self.put(*names)
        for job in self.successResultOf(ensureDeferred(self.local.claim("w", 99, 0.0))):
            self.successResultOf(ensureDeferred(self.local.acknowledge([(job, b"")])))

    def runs(self, *batches: str, stays: bool = False) -> "Deferred[None]":
        sink = Sink(self.queue, self.book, self.complaints.append, self.clock, batches, stays)
        return ensureDeferred(sink.run())

    def seal(self) -> None:
        self.successResultOf(ensureDeferred(self.local.seal("b")))

    def test_it_ends_with_its_batch(self) -> None:
        """When that is sealed and everything is kept."""
        self.done("a", "b")
        runs = self.runs()
        self.clock.pump([1.0] * 9)
        self.assertNoResult(runs)
        self.done("c")
        self.seal()
        self.clock.pump([1.0] * 2)
        self.successResultOf(runs)
        self.assertEqual(self.book.ended, [("b", 3)])
        self.assertEqual([each.name for each in self.book.kept], ["a", "b", "c"])
        self.assertEqual(self.depth(), Depth(0, 0))

    def test_it_may_stay(self) -> None:
        """For the next batch."""
        runs = self.runs(stays=True)
        self.done("a")
        self.seal()
        self.clock.pump([1.0] * 9)
        self.assertNoResult(runs)
        self.assertEqual(self.book.ended, [("b", 1)])
        runs.cancel()
        self.failureResultOf(runs)

    def test_what_it_has_is_not_kept_again(self) -> None:
        """The queue is told once more that it is."""
        self.book.kept.append(Result("b", "a", b""))
        self.done("a", "b")
        self.seal()
        self.successResultOf(self.runs())
        self.assertEqual([each.name for each in self.book.kept], ["a", "b"])
        self.assertEqual(self.depth(), Depth(0, 0))

    def test_nothing_is_forgotten_before_it_is_kept(self) -> None:
        """A disk that is full is told of once, and tried again."""
        self.done("a")
        self.seal()
        self.book.full = True
        runs = self.runs()
        self.clock.pump([1.0] * 5)
        self.assertEqual((self.complaints, self.depth()), (["disk full"], Depth(0, 1)))
        self.assertNoResult(runs)

    def test_hosts_that_cannot_come_any_more_are_lost(self) -> None:
        """The queue is empty, the batch sealed, and still they are not here."""
        self.done("a", "b")
        self.seal()
        found = self.successResultOf(ensureDeferred(self.local.results(1, 0.0)))
        self.successResultOf(ensureDeferred(self.local.complete(found)))
        runs = self.runs("b")
        self.clock.advance(WAIT)
        self.assertNoResult(runs)
        self.clock.advance(WAIT)
        self.successResultOf(runs)
        self.assertEqual((self.book.ended, self.book.rows("b")), ([("b", 2)], 1))
