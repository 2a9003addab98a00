"""Which hosts nobody is told of: what is worst about each was acknowledged, or is under a silence. Pure."""

import re
from fnmatch import translate
from typing import NamedTuple

from monitor436.model.event import Severity
from monitor436.model.hosts.host import DOWN, LATE
from monitor436.model.status import worst
from monitor436.model.status.board import Board
from monitor436.model.status.change import RANKS, Subject
from monitor436.model.status.standing import Part

OF_STATE: dict[str, Severity] = {DOWN: "critical", LATE: "warning"}
WAYS = ("silenced", "acknowledged", "no")


class Held(NamedTuple):
    """Who knows of what is worst about a host, and the id of the silence that it is under; "" if none."""

    acked: str
    silenced: str

    def fits(self, way: str) -> bool:
        """Whether it is held in one of `WAYS`; "no" is in none of them, and "" anything."""
        if way == "no":
            return not self.acked and not self.silenced
        return not way or bool(self.silenced if way == "silenced" else self.acked)


OPEN = Held("", "")


def told(name: str, state: str, bad: worst.Bad, board: Board) -> tuple[Subject, Part | None]:
    """What is told of a host: its worst check if that is worse than its state, or the host itself."""
    check = min(bad, key=lambda name: worst.order(bad[name]), default="")
    part = bad.get(check)
    if part is not None and RANKS[part.severity] > RANKS[OF_STATE.get(state, "info")]:
        return Subject(name, check), part
    return Subject(name), board.standings.part(Subject(name))


class Holds:
    """How hosts are held at a time (epoch seconds). Made to be asked for each host there is: those that no silence is
    about cost one look.
    """

    def __init__(self, board: Board, wall: float) -> None:
        self._board = board
        self._wall = wall
        patterns = {each.host or "*" for each in board.silences.known.values()}
        self._about = re.compile("|".join(map(translate, sorted(patterns)))) if patterns else None

    def about(self, name: str) -> bool:
        """Whether any silence may be about a host."""
        return self._about is not None and self._about.match(name) is not None

    def of(self, subject: Subject, part: Part | None) -> Held:
        """What `told` gave. Of a host that is well it is the alarm of its end that counts."""
        acked, silenced = "", ""
        if part is not None:
            acked = part.known_to(part.severity)
        if self.about(subject.host):
            severity, tags = (part.severity, part.tags) if part else ("critical", ())
            silenced = self._board.silences.holding(subject, severity, tags, self._wall)
        return Held(acked, silenced)
