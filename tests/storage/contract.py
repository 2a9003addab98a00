"""What every store of summaries must do, whichever it is: tests that take their store from whoever inherits them."""

from collections.abc import Coroutine, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from monitor436.model.event import Event
from monitor436.model.metrics.line import HOUR, HOURS, MINUTE, Part, Window
from monitor436.model.metrics.rollup import Sample, Series
from monitor436.model.settings.metrics import Metrics, Role
from monitor436.services.rollups import Rollups, Taken
from monitor436.storage.store import Store

NOON = 1_700_006_400.0  # a full hour
BOTH: tuple[Role, ...] = ("receiver", "summariser")


def part(start: float, total: float = 5.0, host: str = "web1", label: str = "load", width: int = MINUTE) -> Part:
    """A window of two samples."""
    return Part(host, label, width, Window(int(start), 2, total, 1.0, 4.0, 4.0, start + 30.5))


class Receiver:
    """A server's part that takes metrics, without the server; its turns come when a test says so."""

    def __init__(self, store: Store, metrics: Metrics | None = None, roles: Sequence[Role] = BOTH) -> None:
        self.told: list[Event] = []
        self.wall = NOON
        self.clock = Clock()
        self.rollups = Rollups(
            metrics or Metrics(), roles, store, self.told.extend, Turns(), self.clock.seconds, lambda: self.wall
        )

    def take(self, value: float, host: str = "web1", label: str = "load", at: float | None = None) -> Taken:
        """One sample, of now unless a time is given."""
        return self.rollups.take([Sample(host, label, value, self.wall if at is None else at)], self.wall)

    async def series(self, host: str = "web1", label: str = "") -> list[Series]:
        """What is answered."""
        return await self.rollups.read(host, label, self.wall)

    async def sums(self, host: str = "web1") -> dict[str, tuple[int, float]]:
        """By label, how many samples the last hours had, and their sum."""
        found = await self.series(host)
        return {
            each.label: (sum(hour.count for hour in each.hours), sum(hour.sum for hour in each.hours)) for each in found
        }

    def kinds(self) -> list[str]:
        """What became known, by its kind and state."""
        return [" ".join([event.kind, *map(str, event.fields.values())]) for event in self.told]


class Turns(Clock):
    """A reactor that has time for everything at once."""

    def callLater(self, delay: float, call: Any, *arguments: Any, **named: Any) -> Any:
        """Now, if it is for the next turn."""
        if delay == 0:
            call(*arguments, **named)
            return super().callLater(0, lambda: None)
        return super().callLater(delay, call, *arguments, **named)


class StoreContract:
    """Mixed into a TestCase that gives `store()`: another handle of the same place at each call."""

    keeps = True  # whether it outlives its handle

    def store(self) -> Any:
        """A store that is not open yet."""
        raise NotImplementedError

    def running(self, story: Coroutine[Any, Any, None]) -> "Deferred[None]":
        """The test itself."""
        return Deferred.fromCoroutine(story)

    def test_a_clean_stop_and_a_start_lose_nothing(self) -> Any:
        """And nothing is told."""
        return self.running(self._clean())

    async def _clean(self) -> None:
        first = Receiver(self.store())
        for value in (1.0, 2.0, 0.5):
            first.take(value)
        await first.rollups.keep()
        first.take(4.0, at=NOON - 7200)
        await first.rollups._last()
        second = Receiver(self.store())
        await second.rollups.keep()
        self.assertEqual(await second.sums(), {"load": (4, 7.5)} if self.keeps else {})  # type: ignore[attr-defined]
        self.assertEqual(second.kinds(), [])  # type: ignore[attr-defined]
        second.take(1.0)
        await second.rollups.keep()
        await second.rollups._last()
        third = Receiver(self.store())
        await third.rollups.keep()
        self.assertEqual(await third.sums(), {"load": (5, 8.5)} if self.keeps else {})  # type: ignore[attr-defined]
        await third.rollups._last()

    def test_what_is_written_twice_counts_once(self) -> Any:
        """So what failed in an unknown way is simply written again."""
        return self.running(self._twice())

    async def _twice(self) -> None:
        store = self.store()
        await store.open(NOON)
        for _ in range(3):
            await store.write([part(NOON), part(NOON, host="web2")], NOON)
        await store.write([part(NOON, 6.0)], NOON)
        await store.close(NOON)
        other = Receiver(self.store())
        await other.rollups.keep()
        minutes = [window for each in await other.series() for window in each.minutes]
        expected = [part(NOON, 6.0).window] if self.keeps else []
        self.assertEqual(minutes, expected)  # type: ignore[attr-defined]
        await other.rollups._last()

    def test_windows_that_are_no_longer_shown_go(self) -> Any:
        """Minutes after an hour, hours after a day."""
        return self.running(self._old())

    async def _old(self) -> None:
        store = self.store()
        await store.open(NOON)
        await store.write([part(NOON), part(NOON, width=HOUR)], NOON)
        await store.close(NOON)
        for later, left in ((NOON + 3700, (0, 1)), (NOON + (HOURS + 1) * HOUR, (0, 0))):
            other = Receiver(self.store())
            other.wall = later
            await other.rollups.keep()
            await other.rollups.expire()
            found = await other.series()
            counts = (sum(len(each.minutes) for each in found), sum(len(each.hours) for each in found))
            self.assertEqual(counts, left if self.keeps else (0, 0))  # type: ignore[attr-defined]
            await other.rollups._last()

    def test_whoever_ends_without_a_goodbye_is_told_of_at_the_next_start(self) -> Any:
        """With for how long nobody wrote; not at the very first start."""
        return self.running(self._killed())

    async def _killed(self) -> None:
        first = Receiver(self.store())
        first.take(1.0)
        await first.rollups.keep()
        self.assertEqual(first.kinds(), [])  # type: ignore[attr-defined]
        await self.killed(first)
        second = Receiver(self.store())
        await second.rollups.keep()
        kinds = [event.kind for event in second.told]
        self.assertEqual(kinds, ["metrics_gap"] if self.keeps else [])  # type: ignore[attr-defined]
        if self.keeps:
            self.assertLess(float(second.told[0].fields["seconds"]), 60.0)  # type: ignore[attr-defined]
        await second.rollups._last()

    async def killed(self, receiver: Receiver) -> None:
        """The process of a receiver ends as by KILL."""

    def test_names_of_any_script_come_back_as_they_were(self) -> Any:
        """With spaces, colons and quotes."""
        return self.running(self._names())

    async def _names(self) -> None:
        names = {"ærø:1": 'θ \'"%s" ; 100 %', "web 1": "a b c"}
        first = Receiver(self.store())
        for host, label in names.items():
            first.take(1.0, host, label)
        await first.rollups._last()
        second = Receiver(self.store())
        await second.rollups.keep()
        found = await second.rollups.hosts()
        self.assertEqual(found, sorted(names) if self.keeps else [])  # type: ignore[attr-defined]
        latest = sorted(each[:2] for each in second.rollups.latest())
        self.assertEqual(latest, sorted(names.items()) if self.keeps else [])  # type: ignore[attr-defined]
        await second.rollups._last()


def at_once(call: Any) -> "Deferred[Any]":
    """A thread that takes no time."""
    try:
        return succeed(call())
    except Exception:
        from twisted.internet.defer import fail

        return fail()
