"""Lizmon's API: values that hosts post, and their summaries; and posts of many hosts at once."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Protocol

from msgspec import Meta, Struct

from monitor436.model.metrics.perf import Summary, host_name, moment, number, summaries
from monitor436.model.metrics.rollup import Sample, Series
from monitor436.web.route import Call, Refusal, Route

MOST = 64 << 10  # bytes of a post of one host
MOST_ITEMS = 1000  # of a batch
MOST_LABELS = 1000  # of a post or an item
AT_ONCE = 500  # samples between which others work
MOST_UNDER_WAY = 4  # large batches: each takes some twenty times its bytes meanwhile
MOST_ANSWERED = 20  # items of a batch that were not taken, in the answer; the counts are of all
TAKES_NOT = "what is older than a day or ahead of this server's clock, is no number, or goes beyond a limit"

Label = Annotated[str, Meta(min_length=1, max_length=200)]
Value = float | Annotated[str, Meta(max_length=40)]
Values = Annotated[dict[Label, Value], Meta(min_length=1, max_length=MOST_LABELS)]


class Counts(Protocol):
    """How many samples were taken, too late, in the future, refused; and sentences about those that were not taken."""

    @property
    def taken(self) -> int: ...
    @property
    def late(self) -> int: ...
    @property
    def future(self) -> int: ...
    @property
    def refused(self) -> int: ...
    @property
    def why(self) -> Sequence[str]: ...


class Summaries(Protocol):
    """Where samples go, and where summaries come from."""

    def take(self, samples: Sequence[Sample], now_wall: float, /) -> Counts:
        """Add samples."""

    async def read(self, host: str, label: str, now: float, /) -> list[Series]:
        """The series of a host whose label contains `label`."""

    async def hosts(self) -> list[str]:
        """The hosts that have series."""


class Item(Struct, forbid_unknown_fields=True):
    """What one host measured at one moment (epoch seconds, UTC)."""

    host: Annotated[str, Meta(min_length=1, max_length=100)]
    at: Annotated[float, Meta(ge=0)]
    values: Values


class Untaken(Struct):
    """An item of a batch that was not taken whole: its place in the batch, counted from 0, and why."""

    item: int
    why: str


class Taken(Struct, omit_defaults=True):
    """What became of the samples of a post; `why` is about those that were not taken, `items` which those were."""

    taken: int
    late: int = 0
    future: int = 0
    refused: int = 0
    why: list[str] = []
    items: list[Untaken] = []


class Hosts(Struct):
    """The hosts that have summaries."""

    hosts: list[str]


class Perf:
    """The pages over `rollups`; `wall()` is the time in epoch seconds, `turn()` lets others work."""

    def __init__(self, rollups: Summaries, wall: Callable[[], float], turn: Callable[[], Awaitable[object]]) -> None:
        self._rollups = rollups
        self._wall = wall
        self._turn = turn
        self._under_way = 0

    def routes(self) -> list[Route]:
        """Those of lizmon, and two more."""
        return [
            Route(
                "POST",
                "/api/perf/{host}/{epoch}",
                "metrics",
                self.post,
                "Add what a host measured at a moment (epoch seconds, UTC): a number for each label.",
                body=Values,
                most=MOST,
                gives=Taken,
                refuses={400: "A host or a moment that is none.", 422: f"Nothing was taken: {TAKES_NOT}."},
            ),
            Route(
                "POST",
                "/api/perf",
                "metrics",
                self.post_many,
                "Add what several hosts measured; what cannot be taken is counted, and told item by item.",
                body=Annotated[list[Item], Meta(min_length=1, max_length=MOST_ITEMS)],
                gives=Taken,
                refuses={422: f"Nothing was taken: {TAKES_NOT}.", 503: "Too many large batches come at once."},
            ),
            Route("GET", "/api/perf", "read", self.hosts, "The hosts that have summaries.", gives=Hosts),
            Route(
                "GET",
                "/api/perf/{host}",
                "read",
                self.get,
                "All summaries of a host: by minute for the last hour, by hour for the last day.",
                gives=dict[str, Summary],
                refuses={400: "A host that is none."},
            ),
            Route(
                "GET",
                "/api/perf/{host}/{label}",
                "read",
                self.get,
                "The summaries of a host whose name, such as summary:by-minute:cpu, contains this in whatever case.",
                gives=dict[str, Summary],
                refuses={400: "A host that is none."},
            ),
        ]

    async def post(self, call: Call) -> Taken:
        """One host at one moment."""
        host = _host(call.values["host"])
        _only_for(call, host)
        try:
            at = moment(call.values["epoch"])
        except ValueError as wrong:
            raise Refusal(400, "Bad Request", str(wrong)) from None
        counts = self._rollups.take(_samples(host, at, call.body, ()), self._wall())
        return _told(counts)

    async def post_many(self, call: Call) -> Taken:
        """Several; a host that is none, or no number, refuses the whole."""
        if self._under_way >= MOST_UNDER_WAY:
            raise Refusal(503, "Service Unavailable", "too many batches at once", {"Retry-After": "1"})
        self._under_way += 1
        try:
            return await self._taken(call)
        finally:
            self._under_way -= 1

    async def _taken(self, call: Call) -> Taken:
        posts, done = [], 0
        for place, item in enumerate(call.body):
            host = _host(item.host, place)
            _only_for(call, host)
            posts.append(_samples(host, item.at, item.values, (place,)))
            done = await self._others(done + len(item.values))
        whole, now = Taken(0, items=[]), self._wall()
        for place, samples in enumerate(posts):
            counts = self._rollups.take(samples, now)
            done = await self._others(done + len(samples))
            whole.taken += counts.taken
            whole.late += counts.late
            whole.future += counts.future
            whole.refused += counts.refused
            if counts.why and len(whole.items) < MOST_ANSWERED:
                whole.items.append(Untaken(place, counts.why[0]))
        if not whole.taken:
            raise _nothing(whole, [each.why for each in whole.items])
        return whole

    async def _others(self, done: int) -> int:
        """Heartbeats do not wait for a large batch."""
        if done < AT_ONCE:
            return done
        await self._turn()
        return 0

    async def get(self, call: Call) -> Mapping[str, Summary]:
        """The summaries of a host; none for a host that never posted any."""
        now = self._wall()
        series = await self._rollups.read(_host(call.values["host"]), "", now)
        return summaries(series, call.values.get("label", ""), now)

    async def hosts(self, call: Call) -> Hosts:
        """By name."""
        return Hosts(await self._rollups.hosts())


def _samples(host: str, at: float, values: Mapping[str, float | str], place: tuple[int, ...]) -> list[Sample]:
    samples = []
    for label, value in values.items():
        try:
            samples.append(Sample(host, label, number(value), at))
        except ValueError as wrong:
            where = "".join(f"item {each}: " for each in place)
            raise Refusal(422, "Unprocessable Content", f"{where}{label[:80]!r}: {wrong}") from None
    return samples


def _told(counts: Counts) -> Taken:
    if not counts.taken:
        raise _nothing(counts, counts.why)
    return Taken(counts.taken, counts.late, counts.future, counts.refused, list(counts.why))


def _nothing(counts: Any, why: Sequence[str]) -> Refusal:
    told = {"taken": 0, "late": counts.late, "future": counts.future, "refused": counts.refused}
    return Refusal(422, "Unprocessable Content", "; ".join(why), **told)


def _host(text: str, item: int = -1) -> str:
    try:
        return host_name(text)
    except ValueError as wrong:
        where = f"item {item}: " if item >= 0 else ""
        raise Refusal(400, "Bad Request", f"{where}{wrong}") from None


def _only_for(call: Call, host: str) -> None:
    if call.identity.host.lower() != host:
        call.identity.only_for(host)
