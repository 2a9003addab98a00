"""`GET /metrics`: everything that is known, as Prometheus scrapes it."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from twisted.internet.defer import Deferred

from monitor436.model.metrics.exposition import (
    FAMILIES,
    OPENMETRICS,
    TEXT,
    Sample,
    end,
    family_lines,
    wants_openmetrics,
)
from monitor436.web.exposed import Source
from monitor436.web.route import Answer, Call, Refusal, Route

MOST_SERIES = 250_000  # of a page: 20 MB of text
SLICE = 0.005  # seconds of work at once: heartbeats do not wait for longer
LOOK = 200  # lines between two looks at the clock
AT_ONCE = 4  # pages that are made at the same time


class Room:
    """How many series may still be told; `left_out` counts those that were one too many, by family."""

    def __init__(self, most: int) -> None:
        self.left = most
        self.left_out: dict[str, int] = {}

    def fit(self, name: str, samples: Iterator[Sample]) -> Iterator[Sample]:
        """As many as there is room for."""
        for sample in islice(samples, self.left):
            self.left -= 1
            yield sample
        more = sum(1 for _ in samples) if not self.left else 0
        if more:
            self.left_out[name] = more


class Exposition:
    """The page over its sources, made in slices, so that nobody waits for it."""

    def __init__(
        self,
        sources: Sequence[Source],
        clock: Any,
        monotonic: Callable[[], float],
        most: int = MOST_SERIES,
    ) -> None:
        self._sources = sources
        self._clock = clock
        self._monotonic = monotonic
        self._most = most
        self._under_way = 0

    def routes(self) -> list[Route]:
        """One."""
        summary = "Hosts, checks, metrics, polls and the server itself, for Prometheus; as OpenMetrics if asked."
        return [
            Route(
                "GET", "/metrics", "read", self.page, summary, content_type=TEXT,
                refuses={503: "It is asked for too often at once."},
            )
        ]  # fmt: skip

    async def page(self, call: Call) -> Answer:
        """The text in the format that is asked for."""
        if self._under_way >= AT_ONCE:
            raise Refusal(503, "Service Unavailable", "too many scrapes at once", {"Retry-After": "1"})
        openmetrics = wants_openmetrics(call.headers.get("accept", ""))
        self._under_way += 1
        try:
            text = await self._text(openmetrics)
        finally:
            self._under_way -= 1
        return Answer(text, OPENMETRICS if openmetrics else TEXT)

    async def _text(self, openmetrics: bool) -> bytes:
        lines = self._lines(openmetrics)
        found: list[bytes] = []
        began = self._monotonic()
        while part := "".join(islice(lines, LOOK)):
            found.append(part.encode())
            if self._monotonic() - began > SLICE:
                await self._others()
                began = self._monotonic()
        return b"".join(found)

    def _lines(self, openmetrics: bool) -> Iterator[str]:
        room = Room(self._most)
        for source in self._sources:
            for name, samples in source():
                yield from family_lines(FAMILIES[name], room.fit(name, iter(samples)), openmetrics)
        left_out = [((name,), count) for name, count in room.left_out.items()]
        yield from family_lines(FAMILIES["series_left_out"], left_out, openmetrics)
        yield end(openmetrics)

    def _others(self) -> "Deferred[None]":
        """Let others work."""
        turn: Deferred[None] = Deferred(lambda _: call.cancel())
        call = self._clock.callLater(0, turn.callback, None)
        return turn
