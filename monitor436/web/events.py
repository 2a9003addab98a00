"""Events over HTTP: pages of the events file, from wherever a reader was."""

import fnmatch
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from msgspec import MsgspecError, Raw, Struct
from twisted.internet.defer import Deferred

from monitor436.agent.event import METRIC, SEVERITIES
from monitor436.event_pages import CursorError, Page, Wanted
from monitor436.model.event import KINDS, Event, Severity, read_line
from monitor436.web.route import Call, Query, Refusal, Route

MOST = 1000  # events of a page
MOST_FILTER = 512  # characters
MOST_WAITING = 16  # pages that wait for the one thread that reads
ANY: Any = re.compile("")

InThread = Callable[[Callable[[], Page]], "Deferred[Page]"]


class Files(Protocol):
    """The events files."""

    def after(self, cursor: str, most: int, wanted: Wanted, /) -> Page:
        """Lines behind a cursor."""

    def before(self, cursor: str, most: int, wanted: Wanted, /) -> Page:
        """Lines before a cursor; "" is behind everything."""


class Events(Struct):
    """Events as the file has them, the oldest first; `cursor` is where to read on, `older` where to read back, "" where
    nothing is kept before.

    `more`: there is more to read at once. A page may be empty and there be more, as it looks at 4 MiB at most.
    """

    events: list[Raw]
    cursor: str
    more: bool
    older: str


class EventsShown(Struct):
    """What the OpenAPI document says of `Events`."""

    events: list[Event]
    cursor: str
    more: bool
    older: str


class EventPage:
    """The page over the files; they are read by `in_thread`, one page after the other."""

    def __init__(self, files: Files, in_thread: InThread) -> None:
        self._files = files
        self._in_thread = in_thread
        self._waiting = 0

    def routes(self) -> list[Route]:
        """One."""
        query = {
            "after": Query(str, "the cursor of an earlier page; without it from the oldest event kept", "", 0, 64),
            "before": Query(str, "the `older` of another page: the events before it", "", 0, 64),
            "from": Query(Literal["", "end"], "end: the last events, and a cursor to wait for the next ones with", ""),
            "most": Query(int, "give so many", 100, 1, MOST),
            "kind": Query(str, "only these kinds, between commas; without it all but metrics", "", 0, MOST_FILTER),
            "host": Query(str, 'only of these hosts: patterns such as "web*", between commas', "", 0, MOST_FILTER),
            "check": Query(str, "only of these checks: patterns, between commas", "", 0, MOST_FILTER),
            "severity": Query(Severity, "this or worse", "info"),
            "text": Query(str, "what stands in the text, host, kind or check, in any case", "", 0, MOST_FILTER),
        }  # fmt: skip
        refuses = {
            400: "A cursor or a kind that is none.",
            410: "The cursor's file is not kept any more: there is a gap; begin anew without a cursor.",
            503: "The events file cannot be read now, or too many want to.",
        }
        summary = "Events, page by page, through rotation: `after` the cursor of a page, `before` its older."
        return [
            Route("GET", "/api/events", "read", self.page, summary, gives=EventsShown, query=query, refuses=refuses)
        ]

    async def page(self, call: Call) -> Events:
        """The page behind a cursor, or the last one."""
        query = call.query
        after, before, most, wanted = query["after"], query["before"], query["most"], _wanted(query)
        if bool(query["from"]) + bool(after) + bool(before) > 1:
            given = "before" if before else "from"
            raise Refusal(400, "Bad Request", f"?{given}: with a cursor it goes on from there", query=given)
        if self._waiting >= MOST_WAITING:
            raise Refusal(503, "Service Unavailable", "too many read the events file", {"Retry-After": "1"})
        self._waiting += 1
        try:
            if query["from"] or before:
                found = await self._in_thread(lambda: self._files.before(before, most, wanted))
            else:
                found = await self._in_thread(lambda: self._files.after(after, most, wanted))
        except CursorError as wrong:
            status, title = (410, "Gone") if wrong.gone else (400, "Bad Request")
            given = "before" if before else "after"
            raise Refusal(status, title, f"?{given}: {wrong}", query=given) from None
        except (OSError, EOFError) as problem:
            why = getattr(problem, "strerror", None) or str(problem)
            raise Refusal(503, "Service Unavailable", f"the events file cannot be read: {why}") from None
        finally:
            self._waiting -= 1
        return Events([Raw(line) for line in found.lines], found.cursor, found.more, found.older)


def _wanted(query: Mapping[str, Any]) -> Wanted:
    """Whether a line is wanted. What is cheap comes first: most lines are not decoded."""
    kinds = {kind.strip() for kind in query["kind"].split(",") if kind.strip()}
    if not kinds <= KINDS.keys():
        unknown = ", ".join(sorted(kinds - KINDS.keys()))
        raise Refusal(400, "Bad Request", f"?kind: no such kind: {unknown[:100]}", query="kind")
    hosts, checks, text = _pattern(query["host"]), _pattern(query["check"]), query["text"].casefold()
    least = SEVERITIES.index(query["severity"])
    metric = f'"kind":"{METRIC}"'.encode()
    only = [f'"kind":"{kind}"'.encode() for kind in kinds]
    if not only and re.fullmatch("[a-z0-9.-]+", query["host"]):
        only = [f'"host":"{query["host"]}"'.encode()]

    def wanted(line: bytes) -> bool:
        if only and not any(piece in line for piece in only):
            return False
        if not kinds and metric in line:
            return False
        try:
            event = read_line(line)
        except (MsgspecError, ValueError):
            return False
        return bool(
            (event.kind in kinds if kinds else event.kind != METRIC)
            and SEVERITIES.index(event.severity) >= least
            and hosts.match(event.host)
            and checks.match(event.check)
            and (not text or text in f"{event.host} {event.kind} {event.check} {event.text}".casefold())
        )

    return wanted


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _pattern(text: str) -> Any:
    names = _names(text)
    return re.compile("|".join(map(fnmatch.translate, names))) if names else ANY
