"""The summaries of a host as charts take them: every series with its windows, flat."""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from monitor436.model.metrics.rollup import Series, Window
from monitor436.web.route import Call, Query, Refusal, Route

MOST = 500  # series in an answer

Point = tuple[int, int, float, float, float, float]


class Summaries(Protocol):
    """Where they come from."""

    async def read(self, host: str, label: str, now: float, /) -> list[Series]:
        """The series of a host whose label contains `label`, in whatever case."""


class Charted(Struct):
    """A series: of each window its start (epoch seconds), count, sum, min, max and last; minutes, and hours."""

    label: str
    minutes: list[Point]
    hours: list[Point]


class Charts(Struct):
    """Those of a host by label, and how many more it has."""

    host: str
    series: list[Charted]
    more: int


class ChartPage:
    """GET /api/hosts/{host}/metrics. `wall()` is the time in epoch seconds."""

    def __init__(self, rollups: Summaries, wall: Callable[[], float]) -> None:
        self._rollups = rollups
        self._wall = wall

    def routes(self) -> list[Route]:
        """One page."""
        query = {"label": Query(str, "only series whose label contains this, in any case", "", 0, 200)}
        summary = "What a host measured, by minute for the last hour and by hour for the last day, as flat windows."
        refuses = {400: "A host that is none."}
        path = "/api/hosts/{host}/metrics"
        return [Route("GET", path, "read", self.get, summary, gives=Charts, query=query, refuses=refuses)]

    async def get(self, call: Call) -> Charts:
        """One host's."""
        host = call.values["host"]
        if len(host) > 255:
            raise Refusal(400, "Bad Request", "no host has so long a name")
        found = await self._rollups.read(host, call.query["label"], self._wall())
        charted = [Charted(each.label, _points(each.minutes), _points(each.hours)) for each in found[:MOST]]
        return Charts(host, charted, max(0, len(found) - MOST))


def _points(windows: Sequence[Window]) -> list[Point]:
    return [(each.start, each.count, each.sum, each.min, each.max, each.last) for each in windows]
