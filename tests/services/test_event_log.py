"""The one road of events, with a disk that does what a test wants."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred, execute
from twisted.trial.unittest import SynchronousTestCase

from monitor436.bus import EventBus
from monitor436.journal import Journal
from monitor436.model.event import Event, read_line
from monitor436.model.ledger import Ledger
from monitor436.model.proof import Proof
from monitor436.services.event_log import EventLog, NotDurable, lines


class BadDisk(Journal):
    """A journal whose writes fail while `broken`; `half` of the data gets into the file then."""

    broken = ""
    half = 0

    def write(self, lines: bytes) -> None:
        if self.broken:
            self._append(lines[: self.half])
            raise OSError(5, self.broken)
        super().write(lines)


class EventLogTests(SynchronousTestCase):
    """Batches, failures, restarts."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = self.folder / "events.jsonl"
        self.calls: list[tuple[Callable[[], None], Deferred[None]]] = []
        self.told: list[str] = []
        self.start()

    def start(self, boot: str = "b1") -> None:
        """The next run of the server."""
        self.bus, self.ledger = EventBus(), Ledger()
        self.bus.subscribe(lambda events: self.told.extend(event.text for event in events))
        self.disk = BadDisk(self.path, 1 << 20, 1e9, 3)
        self.addCleanup(self.disk.close)
        self.events = EventLog(self.disk, self.ledger, self.bus, ("demo", boot), self.in_thread, lambda: 1e9)
        self.events.startService()

    def in_thread(self, call: Callable[[], None]) -> Deferred[None]:
        """The thread works when the test says so."""
        done: Deferred[None] = Deferred()
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

    def test_a_failing_disk_is_degraded_and_nothing_is_acknowledged(self) -> None:
        """What waits fails with it; nothing more is accepted until it is well."""
        self.disk.broken = "no space left"
        first = self.events.append([Event(text="a", id="h/s/1")])
        second = self.events.append([Event(text="b", id="h/s/2")])
        self.work()
        self.failureResultOf(first, NotDurable)
        self.failureResultOf(second, NotDurable)
        self.assertEqual((self.events.degraded, self.events.accepts, self.told), ("no space left", False, []))
        self.disk.broken = ""
        self.events.recover()
        self.assertTrue(self.events.accepts)

    def test_what_got_into_the_file_before_a_failure_is_known_after_it(self) -> None:
        """So it is not written twice when it comes again."""
        whole = lines([Event(text="a", id="h/s/1")])
        self.disk.broken, self.disk.half = "input/output error", len(whole) + 9
        failed = self.events.append([Event(text="a", id="h/s/1"), Event(text="b", id="h/s/2")])
        self.work()
        self.failureResultOf(failed, NotDurable)
        self.disk.broken = ""
        self.events.recover()
        self.assertEqual(self.ledger.last("h", "s"), 1)

    def test_the_servers_own_events_wait_for_the_disk(self) -> None:
        """Each is in the file once, with consecutive numbers."""
        self.events.state([Event(text="before")])
        self.work()
        self.disk.broken, self.disk.half = "full", 10_000
        self.events.state([Event(text="in the file, not synced")])
        self.work()
        self.disk.half = 0
        self.events.state([Event(text="while it fails")])
        self.disk.broken = ""
        self.events.recover()
        self.events.state([Event(text="after")])
        self.work()
        self.assertEqual(self.texts(), ["before", "in the file, not synced", "while it fails", "after"])
        self.assertEqual(Proof().read(self.path.read_bytes().splitlines()).flaws, [])

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

    def test_one_event_is_one_line_whatever_is_in_it(self) -> None:
        """Controls, separators and bidi marks are spelt out, and come back as they were."""
        wild = "a\n\r\x00\x1b[2J\x7f\x85\u2028\u2029\u202e\u2066\u200f\ufeff é 日本 😀"
        encoded = lines([Event(text=wild, id="h/s/1", fields={"f": wild}, tags=(wild,))])
        self.assertEqual(encoded.count(b"\n"), 1)
        self.assertEqual(len(encoded.decode().splitlines()), 1)
        self.assertTrue(encoded.decode().strip().isprintable())
        self.assertEqual(read_line(encoded).text, wild)
