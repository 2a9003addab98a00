"""The proof that no event is missing or doubled, from the events files of one server or of several. Pure.

For each server, the numbers of each spool from 1 on stand once each in its files, as a line or inside the range of a
`lost` or `taken_over` event. Whatever one server says is elsewhere may be in the files of another.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

from monitor436.model.audit.account import DOUBLED, Account, Spool, Told
from monitor436.model.audit.ranges import Ranges
from monitor436.model.audit.server_files import NONE, Flaw, Server, begins, grouped, merged

MISSING = "missing"  # nobody has it
UNTOLD = "untold"  # another server has it, and this one does not say so
UNMARKED = "unmarked"  # in the files of two servers, and neither says `again`
DIFFERS = "differs"  # in two files, with another content


class Gap(NamedTuple):
    """Numbers that no file has as lines, and `why`: "lost", "elsewhere" (another server has them) or "open".

    An open end is no flaw: the last spool of a host whose agent has not stopped; the next number is yet to come.
    """

    why: str
    spool: str
    first: int
    last: int
    text: str


class Proof:
    """Reads files, in whatever order, and knows what is wrong in them together.

    `whole`: the files go back to the beginning; without it, numbers before the first one of a spool are not asked for.
    """

    def __init__(self, whole: bool = True) -> None:
        self._whole = whole
        self.files: list[Account] = []
        self.differing: list[Flaw] = []  # found by whoever compares contents, see `merging`

    def read(self, lines: Iterable[bytes], file: str = "") -> "Proof":
        """Take a whole file."""
        self.files.append(Account(file).read(lines))
        for known in ("servers", "have", "covered"):
            self.__dict__.pop(known, None)
        return self

    @property
    def lines(self) -> int:
        """How many lines are events, in all files."""
        return sum(account.lines for account in self.files)

    @property
    def unread(self) -> int:
        """How many are not."""
        return sum(account.unread for account in self.files)

    @cached_property
    def servers(self) -> list[Server]:
        """The files by server: those that hold events of the same servers are of one."""
        return [Server(each) for each in grouped(sorted(self.files, key=begins))]

    @cached_property
    def have(self) -> dict[Spool, Ranges]:
        """The numbers that are somewhere a line, other than a `lost` event."""
        return merged(server.lines for server in self.servers)

    @cached_property
    def covered(self) -> dict[Spool, Ranges]:
        """The numbers that are somewhere a line, or inside a `lost` range."""
        return merged(server.covered for server in self.servers)

    @property
    def events(self) -> int:
        """How many ids there are, each counted once."""
        told = sum(number not in self.have.get(spool, NONE) for spool, number, _ in self._told())
        return sum(ranges.total for ranges in self.have.values()) + told

    @property
    def spools(self) -> int:
        """How many spools the lines come from."""
        return len(self.covered)

    @property
    def shared(self) -> dict[Spool, Ranges]:
        """The numbers that more than one server has as a line, or one server twice: copies have to say the same."""
        found: dict[Spool, Ranges] = {}
        for one, other in combinations(self.servers, 2):
            for spool in one.lines.keys() & other.lines.keys():
                found.setdefault(spool, Ranges()).update(one.lines[spool].both(other.lines[spool]))
        for flaw in (flaw for server in self.servers for flaw in server.doubled() if flaw.what == DOUBLED):
            found.setdefault(flaw.spool, Ranges()).add(flaw.first, flaw.last)
        return {spool: numbers for spool, numbers in found.items() if numbers}

    @property
    def gaps(self) -> list[Gap]:
        """Every gap with its cause: lost, then elsewhere, then open ends."""
        return [*self._lost(), *self._elsewhere(), *self._open()]

    @property
    def lost(self) -> int:
        """How many events are told to be lost, and are nowhere."""
        found = 0
        for spool, number, told in self._told():
            found += min(told.events, self.have.get(spool, NONE).outside(told.first, number).total)
        return found

    @property
    def elsewhere(self) -> int:
        """How many another server has, whose files are not among these."""
        return sum(gap.last - gap.first + 1 for gap in self._elsewhere())

    @property
    def flaws(self) -> list[Flaw]:
        """What must not be."""
        found = [flaw for server in self.servers for flaw in server.doubled()]
        for server in self.servers:
            others = merged(other.covered for other in self.servers if other is not server)
            for spool, first, last in server.holes(self._whole):
                for what, part in _judged(first, last, others.get(spool, Ranges())):
                    found += [Flaw(what, spool, *each, *server.where(spool, last + 1)) for each in part]
        for one, other in combinations(self.servers, 2):
            found += _unmarked(one, other)
        return found + self.differing

    def _told(self) -> Iterator[tuple[Spool, int, Told]]:
        told = {
            (spool, number): each
            for account in self.files
            for spool, all_told in account.told.items()
            for number, each in all_told.items()
        }
        for (spool, number), each in sorted(told.items()):
            yield spool, number, each

    def _lost(self) -> Iterator[Gap]:
        for spool, number, told in self._told():
            for first, last in self.have.get(spool, NONE).outside(told.first, number):
                yield Gap("lost", spool, first, last, told.text)

    def _elsewhere(self) -> Iterator[Gap]:
        for spool, ranges in sorted(merged(server.elsewhere for server in self.servers).items()):
            for first, last in ranges.without(self.covered.get(spool, NONE)):
                yield Gap("elsewhere", spool, first, last, "another server has them")

    def _open(self) -> Iterator[Gap]:
        newest: dict[str, tuple[datetime, Spool]] = {}
        for account in self.files:
            for origin, began in account.newest.items():
                newest[origin] = max(began, newest.get(origin, began))
        stopped = {spool for account in self.files for spool in account.stopped}
        for _, (_, spool) in sorted(newest.items()):
            if spool not in stopped:
                following = self.covered[spool].last + 1
                yield Gap("open", spool, following, following, "more may come: it has not stopped")


def _judged(first: int, last: int, others: Ranges) -> list[tuple[str, Ranges]]:
    """A hole of one server: what of it the others have, and what nobody has."""
    return [(MISSING, others.outside(first, last)), (UNTOLD, others.within(first, last))]


def _unmarked(one: Server, other: Server) -> Iterator[Flaw]:
    for spool in sorted(one.lines.keys() & other.lines.keys()):
        both = one.lines[spool].both(other.lines[spool])
        for again in (one.again, other.again):
            both = both.without(again.get(spool, NONE))
        for first, last in both:
            yield Flaw(UNMARKED, spool, first, last, 0, other.files[-1].file)
