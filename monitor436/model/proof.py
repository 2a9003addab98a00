"""The proof that no event is missing or doubled, from the events files of one server or of several. Pure.

For each server, the numbers of each spool from 1 on stand once each in its files, as a line or inside the range of a
`lost` or `taken_over` event. Whatever one server says is elsewhere may be in the files of another.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

from monitor436.model.account import Account, Spool
from monitor436.model.ranges import Ranges

MISSING = "missing"  # nobody has it
UNTOLD = "untold"  # another server has it, and this one does not say so
DOUBLED = "doubled"  # twice in the files of one server
DISORDER = "out of order"
UNMARKED = "unmarked"  # in the files of two servers, and neither says `again`
DIFFERS = "differs"  # in two files, with another content


class Flaw(NamedTuple):
    """What must not be. `first` to `last` are event numbers of `spool` ("host/spool"), `line` where it shows; or 0."""

    what: str
    spool: str
    first: int
    last: int
    line: int
    file: str = ""


class Gap(NamedTuple):
    """Numbers that no file has as lines, and `why`: "lost", "elsewhere" (another server has them) or "open".

    An open end is no flaw: the last spool of a host whose agent has not stopped; the next number is yet to come.
    """

    why: str
    spool: str
    first: int
    last: int
    text: str


class Server:
    """The files of one server, taken together."""

    def __init__(self, accounts: list[Account]) -> None:
        self.files = accounts
        self.lines = _merged(account.lines_of for account in accounts)
        self.again = _merged(account.again for account in accounts)
        self.elsewhere = _merged(account.elsewhere for account in accounts)
        self.covered = _merged({spool: account.covered(spool) for spool in _spools(account)} for account in accounts)

    def doubled(self) -> Iterator[Flaw]:
        """What is in one file twice, or in two of them."""
        for account in self.files:
            for slip in account.slips:
                yield Flaw(*slip, account.file)
        for one, other in combinations(self.files, 2):
            for spool in sorted(_spools(one) & _spools(other)):
                for first, last in one.covered(spool).both(other.covered(spool)):
                    yield Flaw(DOUBLED, spool, first, last, 0, other.file)

    def holes(self, whole: bool) -> Iterator[tuple[Spool, int, int]]:
        """(spool, first, last) of what these files neither have nor say is elsewhere."""
        for spool in sorted(self.covered.keys() | self.elsewhere.keys()):
            there = Ranges(self.covered.get(spool, ()))
            there.update(self.elsewhere.get(spool, Ranges()))
            for first, last in there.outside(1 if whole else there.first, there.last):
                yield spool, first, last

    def where(self, spool: Spool, after: int) -> tuple[int, str]:
        """Line and file of the number that follows a hole; (0, "") if that is not known."""
        found = [(line, each.file) for each in self.files for first, line in each.jumps.get(spool, ()) if first == after]
        return found[0] if found else (0, "")


class Proof:
    """Reads files, in whatever order, and knows what is wrong in them together.

    `whole`: the files go back to the beginning; without it, numbers before the first one of a spool are not asked for.
    """

    def __init__(self, whole: bool = True) -> None:
        self._whole = whole
        self.files: list[Account] = []
        self.differing: list[Flaw] = []  # found by whoever compares contents, see `merging`
        self._servers: list[Server] | None = None

    def read(self, lines: Iterable[bytes], file: str = "") -> "Proof":
        """Take a whole file."""
        self.files.append(Account(file).read(lines))
        self._servers = None
        return self

    @property
    def lines(self) -> int:
        """How many lines are events, in all files."""
        return sum(account.lines for account in self.files)

    @property
    def unread(self) -> int:
        """How many are not."""
        return sum(account.unread for account in self.files)

    @property
    def servers(self) -> list[Server]:
        """The files by server: those that hold events of the same servers are of one."""
        if self._servers is None:
            self._servers = [Server(each) for each in _grouped(sorted(self.files, key=_begins))]
        return self._servers

    @property
    def have(self) -> dict[Spool, Ranges]:
        """The numbers that are somewhere a line, other than a `lost` event."""
        return _merged(server.lines for server in self.servers)

    @property
    def events(self) -> int:
        """How many ids there are, each counted once."""
        told = {(spool, number) for account in self.files for spool, all in account.told.items() for number in all}
        have = self.have
        return sum(ranges.total for ranges in have.values()) + sum(
            number not in have.get(spool, Ranges()) for spool, number in told
        )

    @property
    def spools(self) -> int:
        """How many spools the lines come from."""
        return len({spool for account in self.files for spool in _spools(account)})

    @property
    def shared(self) -> dict[Spool, Ranges]:
        """The numbers that more than one server has as a line."""
        found: dict[Spool, Ranges] = {}
        for one, other in combinations(self.servers, 2):
            for spool in one.lines.keys() & other.lines.keys():
                both = one.lines[spool].both(other.lines[spool])
                if both:
                    found.setdefault(spool, Ranges()).update(both)
        return found

    @property
    def gaps(self) -> list[Gap]:
        """Every gap with its cause: lost, then elsewhere, then open ends."""
        return [*self._lost(), *self._elsewhere(), *self._open()]

    @property
    def lost(self) -> int:
        """How many events are told to be lost, and are nowhere."""
        have, found = self.have, 0
        for spool, number, told in self._told():
            left = have.get(spool, Ranges()).outside(told.first, number).total
            found += min(told.count, left)
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
            others = _merged(other.covered for other in self.servers if other is not server)
            for spool, first, last in server.holes(self._whole):
                for what, part in _judged(first, last, others.get(spool, Ranges())):
                    found += [Flaw(what, spool, *each, *server.where(spool, last + 1)) for each in part]
        for one, other in combinations(self.servers, 2):
            found += _unmarked(one, other)
        return found + self.differing

    def _told(self) -> Iterator[tuple[Spool, int, "Told"]]:
        told = {(spool, n): each for account in self.files for spool, all in account.told.items() for n, each in all.items()}
        for (spool, number), each in sorted(told.items()):
            yield spool, number, each

    def _lost(self) -> Iterator[Gap]:
        have = self.have
        for spool, number, told in self._told():
            for first, last in have.get(spool, Ranges()).outside(told.first, number):
                yield Gap("lost", spool, first, last, told.text)

    def _elsewhere(self) -> Iterator[Gap]:
        covered = _merged(server.covered for server in self.servers)
        for spool, ranges in sorted(_merged(server.elsewhere for server in self.servers).items()):
            for first, last in ranges.without(covered.get(spool, Ranges())):
                yield Gap("elsewhere", spool, first, last, "another server has them")

    def _open(self) -> Iterator[Gap]:
        newest = {}
        for account in self.files:
            for origin, began in account.newest.items():
                newest[origin] = max(began, newest.get(origin, began))
        stopped = {spool for account in self.files for spool in account.stopped}
        covered = _merged(server.covered for server in self.servers)
        for _, (_, spool) in sorted(newest.items()):
            if spool not in stopped:
                following = covered[spool].last + 1
                yield Gap("open", spool, following, following, "more may come: it has not stopped")
