"""The one road of events, with a disk that does what a test wants."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.trial.unittest import SynchronousTestCase

from monitor436.bus import EventBus
from monitor436.journal import Journal
from monitor436.model.audit.proof import Proof
from monitor436.model.event import TAKEN_OVER, Event, Field, read_line
from monitor436.model.stream.ledger import Ledger
from monitor436.model.stream.messages import Events, Stated
from monitor436.services.event_log import EventLog, NotDurable, lines
from tests.faulty_disk import FaultyDisk


class EventLogTests(SynchronousTestCase):
    """Batches, failures, restarts."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = self.folder / "events.jsonl"
        self.calls: list[tuple[Callable[[], Any], Deferred[Any]]] = []
        self.told: list[str] = []
        self.now = 0.0
        self.disk = FaultyDisk()
        self.start()

    def start(self, boot: str = "b1") -> None:
        """The next run of the server."""
        self.bus, self.ledger = EventBus(), Ledger()
        self.bus.subscribe(lambda events: self.told.extend(event.text for event in events))
        journal = Journal(self.path, 1 << 20, 3600.0, 3, lambda: 1.7e9 + self.now, lambda: self.now, self.disk)
        self.addCleanup(journal.close)
        self.events = EventLog(journal, self.ledger, self.bus, ("demo", boot), self.in_thread, lambda: 1e9)
        self.events.startService()

    def in_thread(self, call: Callable[[], Any]) -> Deferred[Any]:
        """The thread works when the test says so."""
        done: Deferred[Any] = Deferred()
        self.calls.append((call, done))
        return done

    def work(self) -> None:
        """Do everything that the thread has to do."""
        while self.calls:
            call, done = self.calls.pop(0)
            execute(call).chainDeferred(done)

    def texts(self) -> list[str]:
        """What is in the file."""
        return [read_line(line).text for line in self.path.read_bytes().splitlines()]

    def assert_told_once(self, texts: list[str]) -> None:
        """An own event comes before the disk works again, and one after: all are in the file and told, in order."""
        self.events.state([Event(text="while it fails")])
        self.disk.broken = ""
        self.recover()
        self.events.state([Event(text="after")])
        self.work()
        self.assertEqual(self.texts(), texts)
        self.assertEqual(self.told, texts)

    def test_an_event_is_told_only_when_it_is_durable(self) -> None:
        """First the disk, then the Deferred, then the listeners."""
        durable = self.events.append([Event(text="a", id="h/s/1")])
        self.assertNoResult(durable)
        self.assertEqual(self.told, [])
        self.work()
        self.successResultOf(durable)
        self.assertEqual((self.texts(), self.told), (["a"], ["a"]))

    def test_what_arrives_during_a_sync_is_written_with_the_next(self) -> None:
        """However much it is: two calls for a hundred events."""
        for number in range(100):
            self.events.append([Event(text=str(number), id=f"h/s/{number + 1}")])
        self.assertEqual(len(self.calls), 1)
        call, done = self.calls.pop()
        call()
        done.callback(None)
        self.assertEqual(len(self.calls), 1)
        self.work()
        self.assertEqual(self.texts(), [str(number) for number in range(100)])

    def recover(self) -> None:
        """The next try."""
        self.events.recover()
        self.work()

    def test_a_failing_sync_is_degraded_and_nothing_is_acknowledged(self) -> None:
        """What waits fails with it, what comes fails at once, and nobody is told; until it is well."""
        self.disk.broken = "input/output error"
        failing = [self.events.append([Event(text=str(number), id=f"h/s/{number}")]) for number in (1, 2)]
        self.work()
        failing.append(self.events.append([Event(text="3", id="h/s/3")]))
        for each in failing:
            self.failureResultOf(each, NotDurable)
        self.assertEqual((self.events.degraded, self.events.accepts, self.told), ("input/output error", False, []))
        self.disk.broken = ""
        self.recover()
        self.assertTrue(self.events.accepts)

    def test_it_is_not_tried_again_on_the_file_that_failed(self) -> None:
        """Only when it is time to open it anew; whatever is asked for meanwhile."""
        self.disk.broken = "input/output error"
        self.events.append([Event(text="a", id="h/s/1")]).addErrback(lambda failure: failure.trap(NotDurable))
        self.work()
        syncs = self.disk.syncs
        self.events.state([Event(text="own")])
        self.events.reopen()
        self.events.rotate_if_due()
        self.work()
        self.assertEqual(self.disk.syncs, syncs)
        for _ in range(3):
            self.recover()
        self.assertEqual((self.disk.syncs, self.events.degraded), (syncs + 3, "input/output error"))

    def test_what_got_into_the_file_before_a_failure_is_known_and_told_after_it(self) -> None:
        """So it is not written twice when it comes again; of half a line nothing is known."""
        self.events.append([Event(text="before", id="h/s/1")])
        self.work()
        events = [Event(text="a", id="h/s/2"), Event(text="b", id="h/s/3")]
        self.disk.room = len(lines(events[:1])) + 9
        failed = self.events.append(events)
        self.work()
        self.failureResultOf(failed, NotDurable)
        self.assertEqual((self.events.degraded, self.told), ("No space left on device", ["before"]))
        self.disk.room = 1 << 20
        self.recover()
        self.assertEqual((self.ledger.last("h", "s"), self.told), (2, ["before", "a"]))

    def test_what_an_agent_was_told_survives_a_power_cut_after_a_failed_sync(self) -> None:
        """Though the kernel believed the first lines to be written."""
        self.disk.broken = "input/output error"
        self.events.append([Event(text="a", id="h/s/1")]).addErrback(lambda failure: failure.trap(NotDurable))
        self.work()
        self.disk.broken = ""
        self.recover()
        self.assertEqual(self.ledger.last("h", "s"), 1)
        self.disk.cut_power(self.path)
        self.assertEqual(self.texts(), ["a"])

    def test_the_numbers_are_kept_when_the_file_is_removed_while_the_disk_fails(self) -> None:
        """What was durable was acknowledged: it must not be taken a second time."""
        self.events.append([Event(text="a", id="h/s/7")]).addCallback(lambda _: self.ledger.wrote("h", "s", 7))
        self.work()
        self.disk.broken = "input/output error"
        self.events.append([Event(text="b", id="h/s/8")]).addErrback(lambda failure: failure.trap(NotDurable))
        self.work()
        self.disk.broken = ""
        self.path.unlink()
        self.recover()
        self.assertEqual(self.ledger.last("h", "s"), 7)

    def test_the_servers_own_events_wait_for_the_disk(self) -> None:
        """Each is in the file once, with consecutive numbers."""
        self.events.state([Event(text="before")])
        self.work()
        self.disk.broken = "input/output error"
        self.events.state([Event(text="in the file, not synced")])
        self.work()
        self.assert_told_once(["before", "in the file, not synced", "while it fails", "after"])
        self.assertEqual(Proof().read(self.path.read_bytes().splitlines()).flaws, [])

    def test_what_follows_from_an_event_that_is_told_after_a_failure_is_stated_once(self) -> None:
        """A listener states it while older events of the server still wait to be written."""

        def listen(events: Sequence[Event]) -> None:
            if any(event.text == "a" for event in events):
                self.events.state([Event(text="what follows")])

        self.bus.subscribe(listen)
        self.disk.broken = "input/output error"
        self.events.append([Event(text="a", id="h/s/1")]).addErrback(lambda failure: failure.trap(NotDurable))
        self.work()
        self.assert_told_once(["a", "while it fails", "what follows", "after"])

    def test_a_range_that_another_server_has_is_told_once_though_the_disk_fails_with_it(self) -> None:
        """It waits like all events of the server, and until it is written the range does not count as missing."""
        fields: dict[str, Field] = {"spool": "a" * 16, "first": 1, "last": 7}
        later = Events("a" * 16, 8, 7, [Stated(datetime(2026, 1, 1, tzinfo=UTC), "info", "log_line", "x")])
        self.disk.room = 0
        self.events.state([Event(kind=TAKEN_OVER, host="h", fields=fields)])
        self.work()
        self.disk.room = 1 << 20
        self.events.recover()
        call, done = self.calls.pop()
        execute(call).chainDeferred(done)
        self.assertEqual(self.ledger.take("h", later), (0, 8, None))

    def test_hanging_up_opens_the_file_that_has_the_name_now(self) -> None:
        """At once, though nothing comes to be written; and nothing is lost around it."""
        self.events.append([Event(text="a", id="h/s/1")])
        self.work()
        self.path.rename(self.folder / "moved")
        self.events.append([Event(text="b", id="h/s/2")])
        self.events.reopen()
        self.events.append([Event(text="c", id="h/s/3")])
        self.work()
        self.assertEqual(self.texts(), ["c"])
        self.assertEqual((self.folder / "moved").read_bytes().count(b"\n"), 2)
        self.path.rename(self.folder / "moved again")
        self.events.reopen()
        self.work()
        self.assertEqual(self.path.read_bytes(), b"")

    def test_hanging_up_during_a_sync_opens_the_file_right_after_it(self) -> None:
        """It does not wait for the next event, of which there may be none for hours."""
        self.events.append([Event(text="a", id="h/s/1")])
        self.path.rename(self.folder / "moved")
        self.events.reopen()
        self.work()
        self.assertEqual(self.path.read_bytes(), b"")
        self.assertEqual((self.folder / "moved").read_bytes().count(b"\n"), 1)

    def test_an_old_file_is_rotated_though_nothing_comes(self) -> None:
        """And its numbers are kept for the next start."""
        self.events.append([Event(text="a", id="h/s/1")]).addCallback(lambda _: self.ledger.wrote("h", "s", 1))
        self.work()
        self.events.rotate_if_due()
        self.assertEqual(self.calls, [])
        self.now = 3600.0
        self.events.rotate_if_due()
        self.work()
        self.assertEqual(self.texts(), [])
        (rotated,) = self.folder.glob("events.jsonl.2*")
        rotated.unlink()
        self.start("b2")
        self.assertEqual(self.ledger.last("h", "s"), 1)

    def test_a_restart_knows_what_is_in_the_file(self) -> None:
        """With a checkpoint after a clean stop, and without one after a crash."""
        self.events.append([Event(text="a", id="h/s/1")]).addCallback(lambda _: self.ledger.wrote("h", "s", 1))
        self.work()
        self.start("b2")
        self.assertEqual(self.ledger.last("h", "s"), 1)
        self.successResultOf(self.events.stopService())
        self.start("b3")
        self.assertEqual(self.ledger.last("h", "s"), 1)

    def test_a_stop_waits_for_what_is_under_way(self) -> None:
        """Acknowledged or not, it is written."""
        self.events.append([Event(text="a", id="h/s/1")])
        self.events.append([Event(text="b", id="h/s/2")])
        self.events.last_words = [Event(text="bye")]
        stopped = self.events.stopService()
        self.assertNoResult(stopped)
        self.work()
        self.successResultOf(stopped)
        self.assertEqual(self.texts(), ["a", "b", "bye"])

    def test_what_follows_from_the_last_events_before_a_stop_is_written(self) -> None:
        """The file is closed once nobody has anything to say any more."""
        self.bus.subscribe(lambda events: self.events.state([Event(text="b")]) if events[0].text == "a" else None)
        self.events.append([Event(text="a", id="h/s/1")])
        stopped = self.events.stopService().addCallback(lambda _: self.texts())
        self.work()
        self.assertEqual(self.successResultOf(stopped), ["a", "b"])

    def test_one_event_is_one_line_whatever_is_in_it(self) -> None:
        """Controls, separators and bidi marks are spelt out, and come back as they were."""
        wild = "a\n\r\x00\x1b[2J\x7f\x85\u2028\u2029\u202e\u2066\u200f\ufeff é 日本 😀"
        encoded = lines([Event(text=wild, id="h/s/1", fields={"f": wild}, tags=(wild,))])
        self.assertEqual(encoded.count(b"\n"), 1)
        self.assertEqual(len(encoded.decode().splitlines()), 1)
        self.assertTrue(encoded.decode().strip().isprintable())
        self.assertEqual(read_line(encoded).text, wild)
