"""The proof that no event is missing or doubled: every number once, as a line or inside a LOST range. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import MsgspecError

from monitor436.model import event as kinds
from monitor436.model.event import Event, read_line


class Flaw(NamedTuple):
    """A gap or a doubled number. `first` to `last` are event numbers of `spool` ("host/spool")."""

    what: str
    spool: str
    first: int
    last: int
    line: int


class Proof:
    """Reads events in the order of the file, and knows what is wrong so far.

    `lines` counts events, `lost` the numbers inside LOST ranges, `elsewhere` those another server has, `unread` the
    lines that are no events: torn by a power cut, or not written by us.
    """

    def __init__(self) -> None:
        self.lines = self.lost = self.elsewhere = self.unread = 0
        self.flaws: list[Flaw] = []
        self._last: dict[str, int] = {}
        self._seen_from: dict[str, int] = {}

    @property
    def spools(self) -> int:
        """How many spools the lines come from."""
        return len(self._last)

    def read(self, lines: Iterable[bytes], whole: bool = True) -> "Proof":
        """Take these lines; `whole`: the file begins where the first spool does, so its first numbers must be there."""
        for number, line in enumerate(lines, 1):
            try:
                event = read_line(line)
                origin, _, rest = event.id.partition("/")
                spool, _, text = rest.partition("/")
                if not origin or not spool:
                    raise ValueError
                self._take(event, f"{origin}/{spool}", int(text), number, whole)
            except (MsgspecError, ValueError):
                self.unread += 1
        return self

    def _take(self, event: Event, spool: str, last: int, line: int, whole: bool) -> None:
        self.lines += 1
        self.lost += event.lost
        self._cover(spool, last - event.lost, last, line, whole)
        if event.kind == kinds.TAKEN_OVER and spool.startswith("@"):
            first, last = int(event.fields.get("first", 0)), int(event.fields.get("last", 0))
            self.elsewhere += last - first + 1
            self._cover(f"{event.host}/{event.fields.get('spool')}", first, last, line, whole)

    def _cover(self, spool: str, first: int, last: int, line: int, whole: bool) -> None:
        known = self._last.get(spool, 0 if whole else first - 1)
        if first <= known:
            self.flaws.append(Flaw("doubled", spool, first, min(last, known), line))
        elif first > known + 1:
            self.flaws.append(Flaw("missing", spool, known + 1, first - 1, line))
        self._last[spool] = max(last, known)
