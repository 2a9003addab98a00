"""Where samples of all sources go in: limits, roles, what is told and how often."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from monitor436.model.event import Event
from monitor436.model.metrics.joined import joined, pace
from monitor436.model.metrics.line import Part, Window
from monitor436.model.metrics.rollup import Sample
from monitor436.model.settings.metrics import Metrics
from monitor436.services.rollups import Rollups
from monitor436.storage.memory import Memory
from monitor436.storage.store import Opened, StoreAway
from tests.storage.contract import BOTH, NOON, Receiver, part

HOUR = 3600


class Shaky(Memory):
    """A store that fails when a test says so, and whose pages are given by it."""

    def __init__(self) -> None:
        self.away = ""
        self.anew = False
        self.pages: list[Any] = []
        self.written: dict[tuple[str, str, int, int], Window] = {}
        self.told = ""
        self.opened = 0

    async def open(self, wall: float) -> Opened:
        self.opened += 1
        self._fail()
        return Opened(0.0, self.told)

    async def more(self) -> Sequence[Part]:
        self._fail()
        page = self.pages.pop(0) if self.pages else ()
        if isinstance(page, StoreAway):
            raise page
        return page  # type: ignore[no-any-return]

    async def write(self, parts: Sequence[Part], wall: float) -> None:
        self._fail()
        self.written.update({(each.host, each.label, each.width, each.window.start): each.window for each in parts})

    def _fail(self) -> None:
        if self.away:
            raise StoreAway(self.away, self.anew)


def metric(at: datetime | None, **fields: Any) -> Event:
    """What an agent measured."""
    return Event(time=at, host="web1", kind="metric", text="load 0.5", fields=fields)


class TakeTests(TestCase):
    """Samples and what is said about them."""

    async def test_what_agents_measure_goes_into_the_same_summaries(self) -> None:
        """By the clock of the host; texts, truth values and other events are no samples."""
        receiver = Receiver(Memory())
        at = datetime.fromtimestamp(NOON - 90, UTC)
        receiver.rollups.heard([metric(at, load1=0.5, users=3, state="ok", up=True), metric(at, load1=1.5)])
        receiver.rollups.heard(
            [Event(time=at, host="web1", kind="check_state", fields={"value": 9.0}), metric(None, a=1)]
        )
        receiver.take(4.0, label="load1")
        self.assertEqual(await receiver.sums(), {"load1": (3, 6.0), "users": (1, 3.0)})
        self.assertEqual(receiver.rollups.counts, {"taken": 4, "late": 1, "future": 0, "refused": 0})

    async def test_whoever_sends_too_much_is_named_once_an_hour(self) -> None:
        """A host by its name; of too many hosts the first."""
        receiver = Receiver(Memory(), Metrics(most_hosts=2, most_labels=1))
        for _ in range(3):
            for host in ("web1", "web2", "web3", "web4"):
                receiver.take(1.0, host)
            taken = receiver.take(1.0, "web2", "another")
        self.assertEqual((taken.taken, taken.refused), (0, 1))
        self.assertIn("web2 has more than 1 labels", taken.why[0])
        self.assertEqual([event.host for event in receiver.told], ["", "web2"])
        self.assertEqual({event.kind for event in receiver.told}, {"metrics_limited"})
        self.assertIn("web3 would be more than 2 hosts", receiver.told[0].text)
        receiver.clock.advance(HOUR - 1)
        receiver.take(1.0, "web2", "another")
        self.assertEqual(len(receiver.told), 2)
        receiver.clock.advance(1)
        receiver.take(1.0, "web2", "another")
        self.assertEqual([event.host for event in receiver.told], ["", "web2", "web2"])

    async def test_whoever_posts_hears_what_became_of_each(self) -> None:
        """Counts of all, and sentences for the first few."""
        receiver = Receiver(Memory(), Metrics(ahead=10.0))
        samples = [Sample("web1", "load", 1.0, NOON + at) for at in (0, -90_000, 10, 10.1, *[11] * 20)]
        taken = receiver.rollups.take([*samples, Sample("web1", "load", float("nan"), NOON)], NOON)
        self.assertEqual(taken[:4], (2, 1, 21, 1))
        self.assertEqual(len(taken.why), 5)
        self.assertIn("90000 s old", taken.why[0])

    async def test_other_settings_are_followed(self) -> None:
        """At once; what is there stays."""
        receiver = Receiver(Memory(), Metrics(most_hosts=1))
        receiver.take(1.0)
        self.assertEqual(receiver.take(1.0, "web2").refused, 1)
        receiver.rollups.follow(Metrics(most_hosts=2, ahead=0.0))
        self.assertEqual(receiver.take(1.0, "web2").taken, 1)
        self.assertEqual(receiver.take(1.0, at=NOON + 5).future, 1)

    async def test_silent_series_make_room_after_a_day(self) -> None:
        """By the clock that nobody sets."""
        receiver = Receiver(Memory(), Metrics(most_hosts=1))
        receiver.take(1.0)
        for hours, there in ((24, 1), (2, 0)):
            receiver.clock.advance(hours * HOUR)
            await receiver.rollups.expire()
            self.assertEqual(len(receiver.rollups.rollup), there)


class KeepTests(TestCase):
    """With a store that fails."""

    def setUp(self) -> None:
        self.store = Shaky()
        self.receiver = Receiver(self.store)

    def kept(self) -> float:
        """The sum of all minutes that are kept."""
        return sum(window.sum for (_, _, width, _), window in self.store.written.items() if width == 60)

    async def test_what_was_kept_and_what_came_meanwhile_are_added_up(self) -> None:
        """A server takes samples before it has read its file, even if that takes days."""
        self.store.away = "no disk"
        self.receiver.take(2.0)
        await self.receiver.rollups.keep()
        self.store.away = ""
        self.store.pages = [[part(NOON, 5.0)], [part(NOON + 60, 7.0)]]
        await self.receiver.rollups.keep()
        self.assertEqual((await self.receiver.series())[0].minutes[0].sum, 7.0)
        self.assertEqual(self.store.written["web1", "load", 60, int(NOON)].sum, 7.0)
        self.assertEqual(self.receiver.kinds(), ["metrics_store degraded", "metrics_store well"])

    async def test_a_store_that_fails_while_it_is_read_doubles_nothing(self) -> None:
        """Nothing is written before all was read; a page is put once."""
        self.store.pages = [[part(NOON, 5.0)], StoreAway("input/output error"), [part(NOON + 60, 7.0)]]
        self.receiver.take(2.0)
        await self.receiver.rollups.keep()
        self.assertEqual(self.store.written, {})
        await self.receiver.rollups.keep()
        self.assertEqual([window.sum for window in (await self.receiver.series())[0].minutes], [7.0, 7.0])
        self.assertEqual(self.receiver.rollups.degraded, "")

    async def test_a_store_that_begins_anew_gets_everything(self) -> None:
        """Also what it had kept before."""
        self.receiver.take(2.0)
        await self.receiver.rollups.keep()
        self.store.away, self.store.anew = "spoilt", True
        await self.receiver.rollups.keep()
        self.store.away, self.store.told = "", "it is elsewhere now"
        self.store.written.clear()
        await self.receiver.rollups.keep()
        self.assertEqual((self.store.opened, self.kept()), (2, 2.0))
        self.assertEqual(self.receiver.kinds()[1:], ["metrics_store begun_anew", "metrics_store well"])

    async def test_a_long_outage_is_told_once_and_caught_up_with(self) -> None:
        """Hours of it."""
        await self.receiver.rollups.keep()
        self.store.away = "full"
        for minute in range(50):
            self.receiver.wall = NOON + 60 * minute
            self.receiver.take(1.0)
            await self.receiver.rollups.keep()
        self.assertEqual(self.receiver.rollups.failures, 50)
        self.store.away = ""
        await self.receiver.rollups.keep()
        self.assertEqual(self.kept(), 50.0)
        self.assertEqual(self.receiver.kinds(), ["metrics_store degraded", "metrics_store well"])

    async def test_who_asks_before_what_was_kept_is_read_waits_for_it(self) -> None:
        """An answer without it would look like an empty store. A store that is away makes nobody wait."""
        clock = Clock()
        self.store.pages = [[part(NOON, 5.0)], [part(NOON + 60, 7.0)]]
        rollups = Rollups(Metrics(), BOTH, self.store, len, clock, clock.seconds, lambda: NOON)
        rollups.startService()
        series, hosts = (Deferred.fromCoroutine(ask) for ask in (rollups.read("web1"), rollups.hosts()))
        self.assertEqual((series.called, hosts.called), (False, False))
        clock.pump([0.0] * 3)
        self.assertEqual([window.sum for window in (await series)[0].minutes], [5.0, 7.0])
        self.assertEqual(await hosts, ["web1"])
        await rollups.stopService()
        away = Shaky()
        away.away = "no disk"
        rollups = Rollups(Metrics(), BOTH, away, len, clock, clock.seconds, lambda: NOON)
        rollups.startService()
        self.assertEqual((await rollups.read("web1"), await rollups.hosts()), ([], []))
        await rollups.stopService()

    async def test_it_writes_by_itself_and_once_more_at_the_end(self) -> None:
        """Every so often, and whatever came since."""
        clock = Clock()
        told: list[Event] = []
        rollups = Rollups(
            Metrics(write_every=2.0),
            BOTH,
            self.store,
            told.extend,
            clock,
            clock.seconds,
            lambda: NOON + clock.seconds(),
        )
        rollups.startService()
        rollups.take([Sample("web1", "load", 1.0, NOON)], NOON)
        clock.advance(1.9)
        self.assertEqual(self.kept(), 0.0)
        clock.advance(0.1)
        self.assertEqual(self.kept(), 1.0)
        rollups.take([Sample("web1", "load", 2.0, NOON)], NOON)
        done = rollups.stopService()
        self.assertIsInstance(done, Deferred)
        await done
        self.assertEqual((self.kept(), told), (3.0, []))


class JoinedTests(TestCase):
    """Windows of several receivers."""

    def test_the_pace_is_that_of_the_fullest_window(self) -> None:
        """Of a minute, or of an hour where minutes have one sample each."""
        ones = [Window(start, 1, 1.0, 1.0, 1.0, 1.0, start) for start in (0, 60)]
        self.assertEqual(pace([], []), 0.0)
        self.assertEqual(pace(ones, ones), 0.0)
        self.assertEqual(pace(ones, [ones[0]._replace(count=60)]), 60.0)
        self.assertEqual(pace([ones[0]._replace(count=12)], ones), 5.0)

    def test_labels_and_windows_come_in_order(self) -> None:
        """Whoever had them."""
        parts = [part(NOON + 60, label="b"), part(NOON, label="b"), part(NOON, label="a"), part(NOON, width=HOUR)]
        found = joined("web1", [], parts)
        self.assertEqual([each.label for each in found], ["a", "b", "load"])
        self.assertEqual([window.start for window in found[1].minutes], [NOON, NOON + 60])
        self.assertEqual((len(found[2].minutes), len(found[2].hours)), (0, 1))
