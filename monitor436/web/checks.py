"""Checks over HTTP: how each stands and what it measured last, as far as events tell."""

import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from msgspec import MsgspecError, Struct
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from monitor436.event_pages import Page, Wanted
from monitor436.model.checks_seen import KINDS, RANK, CheckSeen, ChecksSeen
from monitor436.model.event import Event, read_line
from monitor436.web.route import Call, Query, Refusal, Route

MOST = 10_000  # checks in an answer
MOST_FILTER = 512  # characters
STATES = ("ok", "warning", "critical")
LINES = 500_000  # events that are read again at the start, and ...
SAMPLES = 50_000  # ... events with metrics, of which new ones will come anyway

InThread = Callable[[Callable[[], Any]], "Deferred[Any]"]


class Past(Protocol):
    """The events files, read from their end."""

    def last(self, most: int, wanted: Wanted, /) -> Page:
        """The last lines that are wanted."""


class CheckRow(Struct):
    """A check: its state, the text of what it told last or of what is bad, and since when (epoch seconds; 0: unknown).

    `value` is what it measured last, where that is one number; `values` all of them by label, `measured` when.
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


class ChecksPage(Struct):
    """Some checks, out of the `total` that are wanted; the first `skip` are left out."""

    checks: list[CheckRow]
    total: int
    skip: int


class Checks(Service):
    """Listens to events, and reads at the start what the files tell of those before; `past` are those files.

    Until that is read, `seen` is what it is, and events that come are put behind it.
    """

    log = Logger()

    def __init__(self, past: Past, in_thread: InThread) -> None:
        self.setName("checks")
        self.seen = ChecksSeen()
        self._past = past
        self._in_thread = in_thread
        self._held: list[Event] | None = None

    def startService(self) -> None:
        super().startService()
        self._held = []
        self._in_thread(self._recall).addCallbacks(self._recalled, self._forgot)

    def heard(self, events: Sequence[Event]) -> None:
        """These events are durable."""
        if self._held is not None:
            self._held += [event for event in events if event.kind in KINDS]
        else:
            self.seen.heard(events)

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
        found = sorted(self._wanted(query, states), key=lambda each: each[:3])
        skip = query["skip"]
        rows = [_row(host, name, check) for _, host, name, check in found[skip : skip + query["most"]]]
        return ChecksPage(rows, len(found), skip)

    def _wanted(self, query: Mapping[str, Any], states: set[str]) -> Iterator[tuple[int, str, str, CheckSeen]]:
        """How bad, host, name, check."""
        hosts, names, text = _pattern(query["host"]), _pattern(query["check"]), query["text"].casefold()
        for host, known in self.seen:
            if hosts.match(host):
                for name in known.checks if "ok" in states else known.bad:
                    check = known.checks[name]
                    worst = check.worst
                    rank = RANK[worst.severity]
                    said = not text or text in f"{host} {name} {worst.text}".casefold()
                    if said and STATES[rank] in states and names.match(name):
                        yield -rank, host, name, check

    def _recall(self) -> ChecksSeen:
        """In a thread: what the files tell."""
        seen = ChecksSeen()
        states, samples = self._past.last(LINES, _tells), self._past.last(SAMPLES, _measures)
        for lines in (states.lines, samples.lines):
            seen.heard(_events(lines))
        return seen

    def _recalled(self, seen: ChecksSeen) -> None:
        held, self._held = self._held or [], None
        seen.heard(held)
        self.seen.become(seen)

    def _forgot(self, failure: Any) -> None:
        self.log.failure("what checks told before could not be read", failure)
        self._recalled(self.seen)


def _events(lines: Sequence[bytes]) -> Iterator[Event]:
    for line in lines:
        try:
            yield read_line(line)
        except (MsgspecError, ValueError):
            continue  # a torn line: `monitor436 verify` tells of it


def _tells(line: bytes) -> bool:
    return _KIND.search(line) is not None


def _measures(line: bytes) -> bool:
    return b'"kind":"metric"' in line


def _row(host: str, name: str, check: CheckSeen) -> CheckRow:
    worst = check.worst
    value = next(iter(check.values.values())) if len(check.values) == 1 else None
    state = STATES[RANK[worst.severity]]
    return CheckRow(host, name, state, worst.text, worst.since, check.at, value, check.values, check.measured)


def _pattern(text: str) -> "re.Pattern[str]":
    names = [name.strip() for name in text.split(",") if name.strip()]
    return re.compile("|".join(map(fnmatch.translate, names)))


_KIND = re.compile(b'"kind":"(' + "|".join(sorted(KINDS - {"metric"})).encode() + b')"')
