"""Checks over HTTP: how each stands, as the board has it, and what it told and measured last."""

import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from msgspec import Struct

from monitor436.model.status.board import Board
from monitor436.model.status.change import RANKS, Subject
from monitor436.model.status.latest import Latest
from monitor436.model.status.standing import Part
from monitor436.model.status.worst import worst
from monitor436.web.route import Call, Query, Refusal, Route

MOST = 10_000  # checks in an answer
MOST_FILTER = 512  # characters
STATES = ("ok", "warning", "critical")


class CheckRow(Struct):
    """A check: its state, the text of what is bad or of what said last that it is well, and since when (epoch seconds).

    `at` is when it told something last, `since` and `at` are 0 where that is not known; `value` is what it measured
    last, where that is one number, `values` all of them by label, `measured` when. `acked` says who knows of what is
    bad, and `silenced` names the silence that it is under.
    """

    host: str
    name: str
    state: str
    text: str
    since: float
    at: float
    value: float | None
    values: dict[str, float]
    measured: float
    acked: str
    silenced: str


class ChecksPage(Struct):
    """Some checks, out of the `total` that are wanted; the first `skip` are left out."""

    checks: list[CheckRow]
    total: int
    skip: int


class Found(NamedTuple):
    """A check that is wanted, and what is worst about it."""

    rank: int  # the worst first
    host: str
    name: str
    bad: Part | None


class CheckPages:
    """The page over the board; `wall()` is in epoch seconds."""

    def __init__(self, board: Board, latest: Latest, wall: Callable[[], float]) -> None:
        self._board = board
        self._latest = latest
        self._wall = wall

    def routes(self) -> list[Route]:
        """One page."""
        query = {
            "host": Query(str, 'only of these hosts: patterns such as "web*", between commas', "", 0, MOST_FILTER),
            "check": Query(str, "only these checks: patterns, between commas", "", 0, MOST_FILTER),
            "state": Query(str, f"only these, between commas: {', '.join(STATES)}", "", 0, MOST_FILTER),
            "text": Query(str, "what stands in host, name or text, in any case", "", 0, MOST_FILTER),
            "skip": Query(int, "leave out so many", 0, 0, 10_000_000),
            "most": Query(int, "give so many", 100, 1, MOST),
        }
        summary = "Checks, how each stands and what it measured last; the worst first, then by host and name."
        return [
            Route(
                "GET", "/api/checks", "read", self.page, summary, gives=ChecksPage, query=query,
                refuses={400: "A state that is none."},
            )
        ]  # fmt: skip

    async def page(self, call: Call) -> ChecksPage:
        """Those that are wanted."""
        query = call.query
        states = {state.strip() for state in query["state"].split(",") if state.strip()} or set(STATES)
        if not states <= set(STATES):
            raise Refusal(400, "Bad Request", f"?state: expected some of {', '.join(STATES)}", query="state")
        found = sorted(self._wanted(query, states), key=itemgetter(0, 1, 2))
        skip, wall = query["skip"], self._wall()
        rows = [self._row(each, wall) for each in found[skip : skip + query["most"]]]
        return ChecksPage(rows, len(found), skip)

    def _wanted(self, query: Mapping[str, Any], states: set[str]) -> Iterator[Found]:
        hosts, names, text = _pattern(query["host"]), _pattern(query["check"]), query["text"].casefold()
        ranks = {STATES.index(state) for state in states}
        for host, now in self._board.standings.hosts.items():
            if not host or (hosts and not hosts.match(host)):
                continue
            for name, parts in now.checks.items():
                bad = worst(parts) if parts else None
                rank = RANKS[bad.severity] if bad else 0
                if name and rank in ranks and (not names or names.match(name)):
                    each = Found(-rank, host, name, bad)
                    if not text or text in f"{host} {name} {self._text(each)}".casefold():
                        yield each

    def _text(self, each: Found) -> str:
        return each.bad.text if each.bad else self._latest.words(each.host, each.name).text

    def _row(self, each: Found, wall: float) -> CheckRow:
        bad, words = each.bad, self._latest.words(each.host, each.name)
        measured, values = self._latest.numbers(each.host, each.name)
        acked = silenced = ""
        if bad is not None:
            acked = bad.known_to(bad.severity)
            silenced = self._board.silences.holding(Subject(each.host, each.name), bad.severity, bad.tags, wall)
        return CheckRow(
            host=each.host,
            name=each.name,
            state=STATES[-each.rank],
            text=self._text(each),
            since=bad.since if bad else words.well,
            at=words.at,
            value=next(iter(values.values())) if len(values) == 1 else None,
            values=values,
            measured=measured,
            acked=acked,
            silenced=silenced,
        )


def _pattern(text: str) -> "re.Pattern[str] | None":
    """What a filter lets through; None for everything."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    return re.compile("|".join(map(fnmatch.translate, names))) if names else None
