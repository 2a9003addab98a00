"""What waits for a notifier, and the spool it waits in."""

import os
import unittest
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import json
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from monitor436.model.notify.alarm import Alarm, Entry, Memory
from monitor436.model.notify.notice import Item, Notice
from monitor436.model.status.change import Subject
from monitor436.notifiers.notifier import NotSent
from monitor436.notifiers.outgoing import MOST, MOST_BYTES, Outgoing
from monitor436.notifiers.spool import Spool


class Willing:
    """A notifier that does what it is told to; `takes` are the answers to come, then it takes everything."""

    refresh = 0.0

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.takes: list[object] = []
        self.restates: Deferred[None] | None = None

    async def send(self, notice: Notice) -> None:
        """Whatever is next."""
        answer = self.takes.pop(0) if self.takes else None
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Deferred):
            await answer
        self.sent.append(notice.key)

    async def restate(self, items: Sequence[Item]) -> None:
        """As long as it takes."""
        self.sent.append("all that is bad")
        if self.restates is not None:
            await self.restates
            self.sent.append("is told")


def notice(key: str) -> Notice:
    """A notification."""
    return Notice(key, "ops", 1.0, "srv", (Item("test", "info", "x", 1.0),))


def large(key: str, size: int) -> Notice:
    """One whose text has so many letters."""
    return Notice(key, "ops", 1.0, "srv", (Item("test", "info", "x" * size, 1.0),))


class OutgoingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.notifier = Willing()
        self.done: list[str] = []
        self.failing: list[str] = []
        self.lost: list[int] = []
        lost: Callable[[list[Notice], str], None] = lambda notices, why: self.lost.append(len(notices))  # noqa: E731
        self.outgoing = Outgoing("ops", self.notifier, self.done.append, self.failing.append, lost, self.clock)

    def test_they_go_out_in_order_one_at_a_time(self) -> None:
        """The next when the one before was taken."""
        first: Deferred[None] = Deferred()
        self.notifier.takes = [first]
        for key in "abc":
            self.outgoing.add(notice(key))
        self.assertEqual(self.notifier.sent, [])
        first.callback(None)
        self.clock.pump([0, 0, 0])
        self.assertEqual((self.notifier.sent, self.done), (["a", "b", "c"], ["a", "b", "c"]))

    def test_what_comes_while_all_that_is_bad_is_told_waits_for_the_end_of_that(self) -> None:
        """It might be an end, and what was sent before it arrive after it. Nor is that told beside what is sent."""
        self.notifier.restates = restates = Deferred()
        self.outgoing.restate([])
        self.outgoing.add(notice("a"))
        self.outgoing.restate([])
        self.clock.advance(1.0)
        self.assertEqual(self.notifier.sent, ["all that is bad"])
        restates.callback(None)
        self.clock.advance(0.0)
        self.assertEqual(self.notifier.sent, ["all that is bad", "is told", "a"])
        self.clock.advance(0.0)
        self.notifier.takes = [Deferred()]
        self.outgoing.add(notice("b"))
        self.outgoing.restate([])
        self.assertEqual(self.notifier.sent, ["all that is bad", "is told", "a"])

    def test_what_is_not_taken_is_tried_again_later_and_later(self) -> None:
        """Told once, and once when it works again; the order stays."""
        self.notifier.takes = [NotSent("away")] * 3
        self.outgoing.add(notice("a"))
        self.outgoing.add(notice("b"))
        for wait in (5, 10, 20):
            self.clock.advance(wait - 0.1)
            self.assertEqual(self.notifier.sent, [])
            self.clock.advance(0.1)
        self.clock.pump([0, 0])
        self.assertEqual(self.notifier.sent, ["a", "b"])
        self.assertEqual(self.failing, ["away", ""])

    def test_what_is_refused_for_good_is_given_up_so_that_the_next_is_taken(self) -> None:
        """After three tries."""
        self.notifier.takes = [NotSent("no", for_good=True)] * 3
        self.outgoing.add(notice("a"))
        self.outgoing.add(notice("b"))
        self.clock.pump([5, 10, 20, 40])
        self.assertEqual((self.notifier.sent, self.lost, sorted(self.done)), (["b"], [1], ["a", "b"]))

    def test_a_fault_of_the_notifier_is_a_failure_like_others(self) -> None:
        """The log has it."""
        self.notifier.takes = [ZeroDivisionError()]
        self.outgoing.add(notice("a"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.clock.advance(5)
        self.assertEqual(self.notifier.sent, ["a"])

    def test_no_more_wait_than_there_is_room_for(self) -> None:
        """The oldest are given up."""
        self.notifier.takes = [NotSent("away")]
        for number in range(MOST + 5):
            self.outgoing.add(notice(str(number)))
        self.assertEqual((len(self.outgoing), sum(self.lost)), (MOST, 5))
        self.assertEqual(self.done, [str(number) for number in range(5)])

    def test_nor_more_bytes_than_there_is_room_for(self) -> None:
        """As many of the oldest as it takes, told of at once; never the one under way, nor the newest."""
        first: Deferred[None] = Deferred()
        self.notifier.takes = [first]
        self.outgoing.add(notice("first"))
        for number in range(8):
            self.outgoing.add(large(str(number), MOST_BYTES // 8))
        self.assertEqual((self.done, self.lost), (["0"], [1]))
        self.outgoing.add(large("huge", MOST_BYTES))
        self.assertEqual((self.done, self.lost), ([*map(str, range(8))], [1, 7]))
        first.callback(None)
        self.clock.pump([0] * 3)
        self.assertEqual(self.notifier.sent, ["first", "huge"])
        self.notifier.takes = [NotSent("away")]
        for number in range(7):
            self.outgoing.add(large(f"more {number}", MOST_BYTES // 8))
        self.assertEqual((len(self.outgoing), len(self.lost)), (7, 2))

    def test_at_the_end_the_one_under_way_may_finish(self) -> None:
        """For some seconds; nothing else begins."""
        slow: Deferred[None] = Deferred()
        self.notifier.takes = [slow]
        self.outgoing.add(notice("a"))
        self.outgoing.add(notice("b"))
        ended = Deferred.fromCoroutine(self.outgoing.stop())
        self.assertNoResult(ended)
        slow.callback(None)
        self.successResultOf(ended)
        self.clock.pump([0, 60])
        self.assertEqual(self.done, ["a"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_at_the_end_one_that_hangs_is_given_up(self) -> None:
        """It is still owed."""
        self.notifier.takes = [Deferred()]
        self.outgoing.add(notice("a"))
        ended = Deferred.fromCoroutine(self.outgoing.stop())
        self.clock.advance(5)
        self.successResultOf(ended)
        self.assertEqual((self.done, len(self.outgoing)), ([], 1))


class SpoolTests(unittest.TestCase):
    def setUp(self) -> None:
        self.path = Path(self.enterContext(TemporaryDirectory())) / "deep" / "notices.jsonl"
        self.spool = Spool(self.path)
        self.addCleanup(self.spool.close)

    def test_what_is_added_is_there_when_it_is_read(self) -> None:
        """Alarms, what is owed and no longer owed."""
        alarm = Alarm(Subject("a"), "critical", "x", 1.0, 1.0)
        self.spool.add(
            json.encode(Entry("e1", 1.0, alarms={"a": alarm, "b": alarm}, owed=[notice("k1"), notice("k2")]))
        )
        self.spool.add(json.encode(Entry("e2", 2.0, alarms={"b": None}, done=["k1"])))
        memory = Spool(self.path).read()
        self.assertEqual((memory.event, list(memory.alarms), list(memory.owed)), ("e2", ["a"], ["k2"]))
        self.spool.replace(json.encode(memory.entry()))
        self.assertEqual(Spool(self.path).read(), memory)
        self.assertEqual(oct(os.stat(self.path).st_mode & 0o777), "0o600")

    def test_half_a_line_of_a_power_cut_does_no_harm(self) -> None:
        """Neither to those before nor to those after."""
        self.spool.add(json.encode(Entry("e1", 1.0)))
        with open(self.path, "ab") as file:
            file.write(b'{"event":"e2","al')
        other = Spool(self.path)
        self.addCleanup(other.close)
        self.assertEqual(other.read().event, "e1")
        other.add(json.encode(Entry("e3", 3.0)))
        self.assertEqual(Spool(self.path).read().event, "e3")

    def test_nothing_is_an_empty_memory(self) -> None:
        """At the first start."""
        self.assertEqual(self.spool.read(), Memory())

    def test_it_is_put_together_when_it_has_grown(self) -> None:
        """Not before."""
        line = json.encode(Entry("e" * 1000, 1.0))
        self.spool.add(line)
        self.assertFalse(self.spool.large)
        self.spool.add(b" " * (5 << 20) + line)
        self.assertTrue(self.spool.large)
        self.spool.replace(line)
        self.assertFalse(self.spool.large)
