"""What an operator decides with a browser: silences and acknowledgements. They become acts, as those of commands do."""

import os
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Annotated, Any, Protocol

from msgspec import Meta, Struct

from monitor436.acts import Act
from monitor436.model.event import ACKNOWLEDGED, SILENCE_ADDED, SILENCE_REMOVED
from monitor436.model.status.silences import Silences
from monitor436.model.status.standing import Standings
from monitor436.web.route import Answer, Call, Query, Refusal, Route

MOST = 1 << 12  # bytes of a body
LONGEST = 30 * 86400.0  # seconds of a silence
SHOWN = 1000  # acknowledgements in an answer

Pattern = Annotated[str, Meta(max_length=200)]
Text = Annotated[str, Meta(min_length=1, max_length=300)]


class Board(Protocol):
    """The status board."""

    @property
    def silences(self) -> Silences:
        """What is silenced."""

    @property
    def standings(self) -> Standings:
        """How it stands with hosts and checks."""


class NewSilence(Struct, forbid_unknown_fields=True):
    """What is to be silenced, by patterns, for how many seconds, and why. An empty pattern is anything."""

    seconds: Annotated[float, Meta(ge=60, le=LONGEST)]
    text: Text
    host: Pattern = ""
    check: Pattern = ""
    tag: Pattern = ""


class Knows(Struct, forbid_unknown_fields=True):
    """An operator knows of what is bad about a host, or about one check of it."""

    host: Annotated[str, Meta(min_length=1, max_length=200)]
    text: Text
    check: Pattern = ""


class SilenceRow(Struct):
    """A silence in force, until when (epoch seconds), by whom and why."""

    id: str
    host: str
    check: str
    tag: str
    severity: str
    until: float
    by: str
    text: str


class AckedRow(Struct):
    """Something bad that somebody knows of; the check is "" for the host itself."""

    host: str
    check: str
    severity: str
    note: str


class Quiet(Struct):
    """What is silenced and what is acknowledged, the silences by their end."""

    silences: list[SilenceRow]
    acknowledged: list[AckedRow]


class Told(Struct):
    """The act is on the disk; the event follows within a second or two. `id` is that of the silence, if it is one."""

    id: str


class QuietPages:
    """`board()` is the status board; `add(act)` makes an act durable, in a thread; `wall()` is in epoch seconds."""

    def __init__(
        self,
        board: Callable[[], Board],
        add: Callable[[Act], Any],
        known: Callable[[str], object],
        wall: Callable[[], float],
    ) -> None:
        self._board = board
        self._add = add
        self._known = known
        self._wall = wall

    def routes(self) -> list[Route]:
        """To look at them, and to change them."""
        query = {"host": Query(str, "only what is about this host", "", 0, 200)}
        away = {503: "The act could not be written."}
        return [
            Route("GET", "/api/silences", "read", self.get, "Silences and acknowledgements.", gives=Quiet, query=query),
            Route(
                "POST", "/api/silences", "admin", self.silence, "Silence alarms for some time.", NewSilence, MOST, Told,
                refuses={422: "It silences everything.", **away},
            ),
            Route(
                "DELETE", "/api/silences/{id}", "admin", self.remove, "End a silence.",
                refuses={404: "No such silence.", **away},
            ),
            Route(
                "POST", "/api/acknowledgements", "admin", self.acknowledge, "Tell that one knows of a trouble.", Knows,
                MOST, Told, refuses={404: "No such host is known.", **away},
            ),
        ]  # fmt: skip

    async def get(self, call: Call) -> Quiet:
        """All, or those about one host."""
        host, now, board = call.query["host"], self._wall(), self._board()
        silences = [
            SilenceRow(each.id, each.host, each.check, each.tag, each.severity, each.until, each.by, each.why)
            for each in board.silences.known.values()
            if each.until > now and (not host or not each.host or fnmatchcase(host, each.host))
        ]
        silences.sort(key=lambda each: (each.until, each.id))
        acked = [
            AckedRow(subject.host, subject.check, part.severity, part.acked)
            for subject, part in board.standings.bad()
            if part.acked and subject.host and (not host or subject.host == host)
        ]
        return Quiet(silences, acked[:SHOWN])

    async def silence(self, call: Call) -> Answer | Told:
        """A new one."""
        wanted: NewSilence = call.body
        if not (wanted.host or wanted.check or wanted.tag):
            raise Refusal(422, "Unprocessable Content", "say a host, a check or a tag: this would silence everything")
        known_by, until = os.urandom(4).hex(), round(self._wall() + wanted.seconds)
        fields: dict[str, Any] = {"silence": known_by, "until": until}
        fields |= {name: text for name in ("host", "check", "tag") if (text := getattr(wanted, name))}
        await self._act(call, SILENCE_ADDED, wanted.text, fields=fields)
        return Told(known_by)

    async def remove(self, call: Call) -> Answer:
        """One that is in force."""
        known_by = call.values["id"]
        if known_by not in self._board().silences.known:
            raise Refusal(404, "Not Found", "no such silence is in force")
        await self._act(call, SILENCE_REMOVED, "ended", fields={"silence": known_by})
        return Answer(status=204)

    async def acknowledge(self, call: Call) -> Told:
        """What is bad about a host."""
        wanted: Knows = call.body
        if not self._known(wanted.host):
            raise Refusal(404, "Not Found", f"no host {wanted.host[:100]!r} is known here")
        await self._act(call, ACKNOWLEDGED, wanted.text, wanted.host, wanted.check)
        return Told("")

    async def _act(self, call: Call, kind: str, text: str, host: str = "", check: str = "", fields: Any = None) -> None:
        by = call.identity.name or "somebody"
        act = Act(os.urandom(8).hex(), kind, self._wall(), by, host, check, text, fields or {})
        try:
            await self._add(act)
        except OSError as problem:
            why = f"it could not be written: {problem.strerror}"
            raise Refusal(503, "Service Unavailable", why, {"Retry-After": "5"}) from None
