"""What one events file holds, by number: read once, line after line, in little memory. Pure.

Memory grows with spools (one for each start of an agent or server) and gaps, not with lines.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from msgspec import MsgspecError, Raw, Struct, json

from monitor436.agent.event import AGENT_STARTED, AGENT_STOPPED, LOST
from monitor436.model.audit.ranges import Ranges
from monitor436.model.event import SERVER_STARTED, SERVER_STOPPED, TAKEN_OVER

Spool = str  # "origin/spool", as ids begin
DOUBLED = "doubled"  # twice in the files of one server
DISORDER = "out of order"
STARTS, STOPS = (AGENT_STARTED, SERVER_STARTED), (AGENT_STOPPED, SERVER_STOPPED)


class Line(Struct, frozen=True, gc=False):
    """Of a line of the file what its place among the others hangs on. See `Event`."""

    id: str
    kind: str = ""
    host: str = ""
    text: str = ""
    time: datetime | None = None
    received: datetime | None = None
    fields: Raw = Raw(b"{}")
    lost: int = 0
    again: bool = False

    @property
    def stamp(self) -> datetime | None:
        """When the server had it, by its own clock: so the lines of a file stand in this order."""
        return self.received or self.time

    def place(self) -> tuple[Spool, int]:
        """Its spool and number. Raises ValueError if the id is none of ours."""
        spool, _, number = self.id.rpartition("/")
        origin, _, name = spool.partition("/")
        if not origin or not name or "/" in name or not (number.isascii() and number.isdigit()):
            raise ValueError(f"not an id: {self.id!r}")
        return spool, int(number)


class Told(NamedTuple):
    """A `lost` event: it stands for the numbers from `first` to its own, and says that so many `events` were lost."""

    first: int
    events: int
    text: str


class Slip(NamedTuple):
    """Something wrong within the file. `first` to `last` are numbers of `spool`; it shows at `line`."""

    what: str
    spool: Spool
    first: int
    last: int
    line: int


class Account:
    """One file. `lines` counts events, `unread` the lines that are no events: torn by a power cut, or not ours.

    `lines_of` are the numbers that stand there as lines (`lost` events are not among them), `again` those of them that
    are marked so, `told` the `lost` events by number, `elsewhere` the numbers inside `taken_over` ranges.
    """

    def __init__(self, file: str = "") -> None:
        self.file = file
        self.lines = self.unread = 0
        self.servers: set[str] = set()  # who stated events of their own in it
        self.begins: datetime | None = None
        self.lines_of: dict[Spool, Ranges] = {}
        self.again: dict[Spool, Ranges] = {}
        self.told: dict[Spool, dict[int, Told]] = {}
        self.elsewhere: dict[Spool, Ranges] = {}
        self.slips: list[Slip] = []
        self.jumps: dict[Spool, list[tuple[int, int]]] = {}  # number after a gap, line: where it shows
        self.newest: dict[str, tuple[datetime, Spool]] = {}  # the last spool of each origin, and when that began
        self.stopped: set[Spool] = set()
        self._last: dict[Spool, int] = {}

    def read(self, lines: Iterable[bytes]) -> "Account":
        """Take every line of the file."""
        for at, text in enumerate(lines, 1):
            try:
                line = read_numbered(text)
                spool, number = line.place()
                self._take(line, spool, number, at)
                self.lines += 1
            except (MsgspecError, ValueError):
                self.unread += 1
        return self

    def covered(self, spool: Spool) -> Ranges:
        """The numbers that are there as a line or inside a `lost` range."""
        found = Ranges(self.lines_of.get(spool, ()))
        for number, told in self.told.get(spool, {}).items():
            found.add(told.first, number)
        return found

    def _take(self, line: Line, spool: Spool, number: int, at: int) -> None:
        first, fields = max(1, number - line.lost), _fields(line)
        last = self._last.get(spool, 0)
        if first <= last:
            self._looks_doubled(spool, first, min(number, last), at)
        self._reach(spool, first, number, at)
        if line.kind == LOST or line.lost:
            count = fields.get("count")
            told = Told(first, count if isinstance(count, int) else number - first, line.text)
            self.told.setdefault(spool, {})[number] = told
        else:
            self.lines_of.setdefault(spool, Ranges()).add(number, number)
        if line.again:
            self.again.setdefault(spool, Ranges()).add(first, number)
        self._note(line, spool)
        if line.kind == TAKEN_OVER and spool.startswith("@"):
            self._taken_over(line.host, fields, at)

    def _reach(self, spool: Spool, first: int, last: int, at: int) -> None:
        before = self._last.get(spool, 0)
        if first > before + 1:
            self.jumps.setdefault(spool, []).append((first, at))
        self._last[spool] = max(last, before)

    def _looks_doubled(self, spool: Spool, first: int, last: int, at: int) -> None:
        """A number that is not higher than the one before: it is there already, or out of order."""
        there = self.covered(spool)
        for begin, end in there.within(first, last):
            self.slips.append(Slip(DOUBLED, spool, begin, end, at))
        for begin, end in there.outside(first, last):
            self.slips.append(Slip(DISORDER, spool, begin, end, at))

    def _note(self, line: Line, spool: Spool) -> None:
        """What a line says beyond its own number."""
        stamp, origin = line.stamp, spool.partition("/")[0]
        if self.begins is None:
            self.begins = stamp
        if origin.startswith("@"):
            self.servers.add(origin)
        if line.kind in STARTS and stamp is not None:
            self.newest[origin] = stamp, spool
        elif line.kind in STOPS:
            self.stopped.add(spool)

    def _taken_over(self, host: str, fields: dict[str, object], at: int) -> None:
        first, last = fields.get("first"), fields.get("last")
        if isinstance(first, int) and isinstance(last, int):
            spool = f"{host}/{fields.get('spool')}"
            self._reach(spool, first, last, at)
            self.elsewhere.setdefault(spool, Ranges()).add(first, last)


def _fields(line: Line) -> dict[str, object]:
    """Those of the few kinds whose fields matter here. Raises msgspec.ValidationError."""
    return json.decode(line.fields, type=dict) if line.lost or line.kind in (LOST, TAKEN_OVER) else {}


def read_numbered(line: bytes) -> Line:
    """A line of the events file, as far as numbers go. Raises msgspec.DecodeError."""
    return _decoder.decode(line)


_decoder = json.Decoder(Line)
