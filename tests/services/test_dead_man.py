"""The sign of life for an outside address."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from monitor436.model.event import NOTIFY_FAILED, Event
from monitor436.model.settings.notify import Notify
from monitor436.notifiers.notifier import NotSent
from monitor436.notifiers.requests import Requests
from monitor436.services.dead_man import DeadMan

HERE, THERE = "https://alive.example.net/4711", "https://other.example.net/"


class Outside:
    """The outside addresses: `asked` when and by what, `problem` is in the way, `slow` is what answers wait for."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.asked: list[tuple[float, str]] = []
        self.limits: list[float] = []
        self.problem: Exception | None = None
        self.slow: Deferred[None] | None = None

    def make(self, url: str, ca: str, within: float, reactor: Any) -> Requests:
        """What asks one of them."""
        self.limits.append(within)
        return cast(Requests, Asking(self, url))


class Asking:
    """Asks one of them."""

    def __init__(self, outside: Outside, url: str) -> None:
        self._outside, self._url = outside, url

    async def send(self, method: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        """As a request does."""
        outside = self._outside
        outside.asked.append((outside.clock.seconds(), self._url))
        if outside.slow is not None:
            await outside.slow
        if outside.problem is not None:
            raise outside.problem
        return b""


class DeadManTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.outside = Outside(self.clock)
        self.stated: list[Event] = []
        self.well = True

    def start(self, url: str = HERE, every: float = 60.0) -> DeadMan:
        """One that runs."""
        notify = Notify(dead_man=url, dead_man_every=every)
        dead_man = DeadMan(notify, lambda: self.well, self.state, self.clock, self.outside.make)
        dead_man.startService()
        return dead_man

    def state(self, events: Sequence[Event]) -> None:
        """The event log."""
        self.stated += events

    def told(self) -> list[tuple[str, str]]:
        """(severity, state) of what was stated."""
        self.assertEqual({event.kind for event in self.stated} - {NOTIFY_FAILED}, set())
        return [(event.severity, str(event.fields["state"])) for event in self.stated]

    def test_it_asks_at_once_and_once_in_each_period(self) -> None:
        """With a limit that ends before the next."""
        self.start(every=10.0)
        self.clock.pump([1.0] * 35)
        self.assertEqual(self.outside.asked, [(at, HERE) for at in (0.0, 10.0, 20.0, 30.0)])
        self.assertEqual((self.outside.limits, self.stated), ([10.0], []))

    def test_without_an_address_nobody_is_asked(self) -> None:
        """That is how settings come."""
        self.start(url="")
        self.clock.pump([60.0] * 3)
        self.assertEqual((self.outside.asked, self.stated), ([], []))

    def test_while_nothing_can_be_made_durable_it_is_silent(self) -> None:
        """So that whoever waits for it alarms; nothing is told here, where it could not be kept."""
        self.start()
        self.well = False
        self.clock.pump([60.0] * 5)
        self.assertEqual(len(self.outside.asked), 1)
        self.well = True
        self.clock.pump([60.0] * 2)
        self.assertEqual((len(self.outside.asked), self.stated), (3, []))

    def test_what_is_in_the_way_is_told_once_and_its_end(self) -> None:
        """However often it is asked meanwhile."""
        self.start()
        self.outside.problem = NotSent("Connection refused")
        self.clock.pump([60.0] * 5)
        self.outside.problem = None
        self.clock.pump([60.0] * 5)
        self.assertEqual(self.told(), [("warning", "failing"), ("info", "works")])
        text = "the outside address of the dead man cannot be asked: Connection refused"
        self.assertEqual((self.stated[0].text, self.stated[0].fields["notifier"]), (text, "dead man"))

    def test_a_slow_answer_is_waited_for(self) -> None:
        """Two are never asked at once."""
        self.outside.slow = slow = Deferred[None]()
        self.start()
        self.clock.pump([60.0] * 3)
        self.assertEqual(len(self.outside.asked), 1)
        self.outside.slow = None
        slow.callback(None)
        self.clock.pump([60.0] * 2)
        self.assertEqual(len(self.outside.asked), 3)

    def test_another_address_begins_anew(self) -> None:
        """That the old one failed is over with it, whatever it answers still."""
        dead_man = self.start()
        self.outside.problem = NotSent("away")
        self.clock.advance(60.0)
        self.outside.slow = slow = Deferred[None]()
        self.clock.advance(60.0)
        dead_man.follow(Notify(dead_man=THERE, dead_man_every=10.0))
        self.outside.slow = None
        slow.callback(None)
        self.assertEqual(self.told(), [("warning", "failing"), ("info", "works")])
        self.outside.problem = None
        self.clock.pump([10.0] * 10)
        self.assertEqual([url for at, url in self.outside.asked if at > 170.0], [THERE] * 5)
        self.assertEqual(len(self.stated), 2)
        dead_man.follow(Notify())
        asked = len(self.outside.asked)
        self.clock.pump([60.0] * 3)
        self.assertEqual(len(self.outside.asked), asked)

    def test_another_period_does_not_wait_for_the_end_of_one_that_was_long(self) -> None:
        """Whoever waits for the first sign of life at the new address would alarm for a day."""
        dead_man = self.start(every=86400.0)
        self.clock.advance(100.0)
        dead_man.follow(Notify(dead_man=THERE, dead_man_every=60.0))
        self.clock.pump([10.0] * 13)
        self.assertEqual(self.outside.asked, [(0.0, HERE), (160.0, THERE), (220.0, THERE)])
        dead_man.follow(Notify(dead_man=THERE, dead_man_every=3600.0))
        self.clock.pump([10.0] * 6)
        self.assertEqual(self.outside.asked[3:], [(280.0, THERE)])

    def test_what_comes_after_the_end_is_told_to_nobody(self) -> None:
        """An answer that was under way is lost with the connection."""
        self.outside.slow = slow = Deferred[None]()
        dead_man = self.start()
        dead_man.stopService()
        self.outside.problem = NotSent("Connection was closed")
        slow.callback(None)
        self.clock.pump([60.0] * 3)
        self.assertEqual((len(self.outside.asked), self.stated), (1, []))
