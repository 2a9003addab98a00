"""Every host with how it stands: the roster says who is alive, the board what is bad. Looked at once for all pages."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from monitor436.model.hosts.datagrams import Datagram, shown
from monitor436.model.hosts.held import Held, Holds
from monitor436.model.hosts.host import Host, Seen
from monitor436.model.hosts.rows import HostRow, Listed, held, listed, row
from monitor436.model.status.board import Board

LOOK = 1.0  # seconds between two looks at every host: many may watch, and there may be thousands


class Roster(Protocol):
    """Who is known."""

    def names(self) -> Sequence[str]:
        """Every host."""

    def get(self, name: str, /) -> Host | None:
        """What is known of a host."""

    def restless(self, name: str, /) -> bool:
        """Whether a host flaps, or two machines speak under its name."""

    def seen(self, now: float, names: Iterable[str], /) -> list[Seen]:
        """How these hosts are, in this order."""


class Fleet:
    """Every host that the roster knows; `groups(host)` are those that the plans have it in."""

    def __init__(
        self,
        roster: Roster,
        board: Board,
        groups: Callable[[str], Sequence[str]],
        monotonic: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._roster = roster
        self._board = board
        self._groups = groups
        self._monotonic = monotonic
        self._wall = wall
        self._every: Sequence[Listed] = ()
        self._looked = float("-inf")

    def every(self) -> Sequence[Listed]:
        """By name; a second old at most, but nobody who was forgotten meanwhile."""
        now = self._monotonic()
        if now - self._looked >= LOOK:
            found = map(self.one, sorted(self._roster.names()))
            self._looked, self._every = now, [each for each in found if each is not None]
            return self._every
        return [each for each in self._every if self._roster.get(each.name) is each.host]

    def one(self, name: str) -> Listed | None:
        """A host as it stands now; None for a stranger."""
        host = self._roster.get(name)
        if host is None:
            return None
        return listed(host, self._board.standings.hosts.get(name), self._roster.restless(name), self._groups(name))

    def seen(self, found: Sequence[Listed]) -> list[Seen]:
        """How they are."""
        return self._roster.seen(self._monotonic(), [each.name for each in found])

    def datagrams(self, each: Listed) -> list[Datagram]:
        """The last of them, the newest first."""
        return shown(each.host.datagrams or [], self._monotonic())

    def rows(self, found: Sequence[Listed]) -> list[HostRow]:
        """How they are shown."""
        holds = Holds(self._board, self._wall())
        return [row(each, seen, self._board, holds) for each, seen in zip(found, self.seen(found), strict=True)]

    def held(self, found: Sequence[Listed]) -> list[Held]:
        """Which of them are silenced or acknowledged."""
        holds = Holds(self._board, self._wall())
        return [held(each, self._board, holds) for each in found]
