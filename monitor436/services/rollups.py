"""Metrics of all sources become summaries, which are kept in a store and read again."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import deferLater
from twisted.logger import Logger

from monitor436.agent.event import METRIC
from monitor436.model.event import METRICS_GAP, METRICS_LIMITED, METRICS_STORE, Event
from monitor436.model.metrics.joined import joined, newest
from monitor436.model.metrics.line import HOUR, HOURS
from monitor436.model.metrics.rollup import Latest, Refused, Rollup, Sample, Series
from monitor436.model.settings.metrics import Metrics, Role
from monitor436.periodic import Periodic
from monitor436.storage.store import Store, StoreAway

EXPIRY = 60.0  # seconds between looks for series that fell silent
AT_ONCE = 500  # windows in a write: a few milliseconds of work
GAP = "the server ended without a goodbye: metrics that it took in its last seconds are missing, {:.1f} s at most"
SENTENCES = 5  # in what is answered to whoever sent samples
AGAIN = 3600.0  # seconds until the same host is told of again

State = Callable[[list[Event]], object]


class Taken(NamedTuple):
    """What became of some samples; `why` has a sentence for the first of those that were not taken."""

    taken: int
    late: int = 0
    future: int = 0
    refused: int = 0
    why: tuple[str, ...] = ()


class Rollups(MultiService):
    """Takes samples, answers summaries, and keeps them in `store` every `write_every` seconds.

    `degraded` says why they cannot be kept at the time, "" if they can: what is taken meanwhile stays in memory and is
    kept later. `counts` has how many samples were taken, late, future and refused; `writes` and `failures` of the
    store. With the role "receiver" alone summaries are not read here; with "summariser" alone nothing is taken.
    """

    log = Logger()

    def __init__(
        self,
        metrics: Metrics,
        roles: Sequence[Role],
        store: Store,
        state: State,
        reactor: Any,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.setName("rollups")
        self.rollup = Rollup(metrics.most_hosts, metrics.most_labels, metrics.ahead, metrics.most_series)
        self.receives, self.summarises = "receiver" in roles, "summariser" in roles
        self.degraded = ""
        self.counts: Counter[str] = Counter(taken=0, late=0, future=0, refused=0)
        self.writes = self.failures = 0
        self.since = wall()  # epoch seconds: before, nobody took samples here
        self._store, self._state = store, state
        self._reactor = reactor
        self._monotonic, self._wall = monotonic, wall
        self._open = self._loaded = False
        self._silent = 0.0
        self._turn = DeferredLock()  # a stop comes during a turn
        self._complained = ""
        self._others: list[Latest] = []
        self._told: dict[str, float] = {}
        self._writing = Periodic("metrics", metrics.write_every, self.keep, reactor)
        self._writing.setServiceParent(self)
        Periodic("silent metrics", EXPIRY, self.expire, reactor).setServiceParent(self)

    def stopService(self) -> "Deferred[None]":
        super().stopService()
        return Deferred.fromCoroutine(self._last())

    def take(self, samples: Sequence[Sample], now_wall: float) -> Taken:
        """Add samples that are known at the time `now_wall` (epoch seconds)."""
        if not self.receives:
            return Taken(0, refused=len(samples), why=("this server takes no metrics (roles)",))
        take, generation = self.rollup.take, self._generation()
        found = {"late": 0, "future": 0, "refused": 0}
        why: list[str] = []
        for sample in samples:
            try:
                take(sample, now_wall, generation)
            except Refused as refused:
                which = refused.which
                found[which if which in ("late", "future") else "refused"] += 1
                if len(why) < SENTENCES:
                    why.append(str(refused))
                if which in ("hosts", "labels", "series"):
                    self._limited(sample.host if which == "labels" else "", str(refused))
        taken = len(samples) - sum(found.values())
        self.counts["taken"] += taken
        if taken < len(samples):
            self.counts.update(found)
        return Taken(taken, found["late"], found["future"], found["refused"], tuple(why))

    def heard(self, events: Sequence[Event]) -> None:
        """These events are durable: those with metrics are taken."""
        if self.receives:
            samples = [sample for event in events if event.kind == METRIC for sample in _samples(event)]
            if samples:
                self.take(samples, self._wall())

    async def read(self, host: str, label: str = "", now: float | None = None) -> list[Series]:
        """The series of a host whose label contains `label`, in whatever case, at the time `now` (epoch seconds)."""
        await self._once_loaded()
        wall = self._wall() if now is None else now
        own = self.rollup.read(host, label, wall)
        if not self._store.shared:
            return own
        try:
            parts = await self._store.read(host, wall)
        except StoreAway as away:
            self._away(str(away))
            return own
        wanted = label.casefold()
        return joined(host, own, [part for part in parts if wanted in part.label.casefold()])

    async def hosts(self) -> list[str]:
        """Those that have series, by name."""
        await self._once_loaded()
        own = self.rollup.hosts()
        if not self._store.shared:
            return own
        try:
            return sorted({*own, *await self._store.hosts(self._wall())})
        except StoreAway as away:
            self._away(str(away))
            return own

    def latest(self) -> Iterable[Latest]:
        """The newest value of each series; what others took is as it was at the last turn."""
        return newest([*self._others, *self.rollup.latest()]) if self._others else self.rollup.latest()

    def follow(self, metrics: Metrics) -> None:
        """Other settings; what is there already stays, and where it is kept."""
        rollup = self.rollup
        rollup.most_hosts, rollup.most_labels = metrics.most_hosts, metrics.most_labels
        rollup.most_series, rollup.ahead = metrics.most_series, metrics.ahead
        self._writing.retime(metrics.write_every)

    async def keep(self) -> None:
        """Write what changed; if that is nothing, that this process is there."""
        async with self._turn:
            try:
                if not self._open:
                    await self._begin()
                await self._write()
                if self._store.shared and self.summarises:
                    self._others = newest(await self._store.latest(self._wall()))
            except StoreAway as away:
                self._open = self._open and not away.anew
                self._away(str(away))
            else:
                self._well()

    async def _write(self) -> None:
        parts = self.rollup.changed(AT_ONCE)
        while True:
            try:
                await self._store.write(parts, self._wall())
            except BaseException:
                self.rollup.again(parts)
                raise
            self.writes += 1
            parts = self.rollup.changed(AT_ONCE)
            if not parts:
                return

    async def expire(self) -> None:
        """Forget what fell silent."""
        self.rollup.expire(self._generation() - HOURS - 1)
        now = self._monotonic()
        self._told = {who: at for who, at in self._told.items() if now - at < AGAIN}
        if self._open and self.summarises:
            try:
                await self._store.expire(self._wall())
            except StoreAway as away:
                self._away(str(away))

    async def _begin(self) -> None:
        opened = await self._store.open(self._wall())
        self._silent = max(self._silent, opened.silent)  # the store may fail again before it was read
        if opened.told:
            fields: dict[str, Any] = {"state": "begun_anew"}
            self._state([Event(severity="warning", kind=METRICS_STORE, text=opened.told, fields=fields)])
        if self._loaded or opened.told:
            self.rollup.all_again()  # the store has nothing, or what it has is older
        if not self._loaded:
            await self._load()
        self._open = True

    async def _load(self) -> None:
        generation = self._generation()
        left_out = 0
        while parts := await self._store.more():
            left_out += sum(not self.rollup.put(part, generation) for part in parts)
            await deferLater(self._reactor, 0)
        self._loaded = True
        if left_out:
            self._limited("", f"{left_out} kept summaries are more than the limits of metrics allow")
        if self._silent:
            text, seconds = GAP.format(self._silent), self._silent
            self._state([Event(severity="warning", kind=METRICS_GAP, text=text, fields={"seconds": seconds})])

    async def _once_loaded(self) -> None:
        """What an earlier process kept is there after the first turn: nobody hears before that there is nothing."""
        if not self._loaded:
            async with self._turn:
                pass

    async def _last(self) -> None:
        await self.keep()
        await self._store.close(self._wall())

    def _generation(self) -> int:
        return int(self._monotonic() // HOUR)

    def _limited(self, host: str, why: str) -> None:
        now = self._monotonic()
        if now - self._told.get(host, -AGAIN) < AGAIN:
            return
        self._told[host] = now
        self._state([Event(severity="warning", host=host, kind=METRICS_LIMITED, text=why)])

    def _away(self, why: str) -> None:
        self.failures += 1
        self.degraded = why
        if not self._complained:
            self._complained = why
            text = f"metrics cannot be kept: {why}; what is taken stays in memory until they can"
            self._state([Event(severity="warning", kind=METRICS_STORE, text=text, fields={"state": "degraded"})])

    def _well(self) -> None:
        self.degraded = ""
        if self._complained:
            self._complained = ""
            text = "metrics are kept again"
            self._state([Event(kind=METRICS_STORE, text=text, fields={"state": "well"})])


def _samples(event: Event) -> Iterable[Sample]:
    at = event.time.timestamp() if event.time is not None else 0.0
    for label, value in event.fields.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield Sample(event.host, label, value, at)
