"""The events files of one server, taken together: what is in them, and what is wrong with that. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import combinations
from typing import NamedTuple

from monitor436.model.audit.account import DOUBLED, Account, Spool
from monitor436.model.audit.ranges import Ranges


class Flaw(NamedTuple):
    """What must not be. `first` to `last` are event numbers of `spool` ("host/spool"), `line` where it shows; or 0."""

    what: str
    spool: str
    first: int
    last: int
    line: int
    file: str = ""


class Server:
    """The files of one server, taken together."""

    def __init__(self, accounts: list[Account]) -> None:
        self.files = accounts
        self.lines = merged(account.lines_of for account in accounts)
        self.again = merged(account.again for account in accounts)
        self.elsewhere = merged(account.elsewhere for account in accounts)
        self.covered = merged({spool: account.covered(spool) for spool in spools_of(account)} for account in accounts)

    def doubled(self) -> Iterator[Flaw]:
        """What is in one file twice, or in two of them."""
        for account in self.files:
            for slip in account.slips:
                yield Flaw(*slip, account.file)
        for one, other in combinations(self.files, 2):
            for spool in sorted(spools_of(one) & spools_of(other)):
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
        found = [
            (line, each.file) for each in self.files for first, line in each.jumps.get(spool, ()) if first == after
        ]
        return found[0] if found else (0, "")


NONE = Ranges()
_NEVER = datetime.max.replace(tzinfo=UTC)


def begins(account: Account) -> datetime:
    """When the first event of a file came; files without a time last."""
    return account.begins or _NEVER


def spools_of(account: Account) -> set[Spool]:
    """The spools that a file has something of."""
    return account.lines_of.keys() | account.told.keys()


def merged(parts: Iterable[Mapping[Spool, Ranges]]) -> dict[Spool, Ranges]:
    """All of them together."""
    together: dict[Spool, Ranges] = {}
    for part in parts:
        for spool, ranges in part.items():
            together.setdefault(spool, Ranges()).update(ranges)
    return together


def grouped(accounts: list[Account]) -> list[list[Account]]:
    """Files by server. A file in which no server states anything goes by name, or by the numbers it goes on with."""
    groups: list[tuple[set[str], list[Account]]] = []
    for account in (each for each in accounts if each.servers):
        same = [group for group in groups if group[0] & account.servers]
        groups = [group for group in groups if group not in same]
        files = [file for group in same for file in group[1]]
        groups.append((account.servers.union(*(group[0] for group in same)), [*files, account]))
    for account in (each for each in accounts if not each.servers):
        near = [(_adjoins(account, files), files) for _, files in groups]
        best = max(near, key=lambda each: each[0], default=((False, 0), []))
        if any(best[0]):
            best[1].append(account)
        else:
            groups.append((set(), [account]))
    return [files for _, files in groups]


def _adjoins(account: Account, files: list[Account]) -> tuple[bool, int]:
    """Whether a file is named like another one but for its time, and in how many spools it goes on with theirs."""
    found = 0
    for spool in spools_of(account):
        here = account.covered(spool)
        for other in files:
            there = other.covered(spool)
            found += bool(there) and (there.last + 1 == here.first or here.last + 1 == there.first)
    return any(_name(other) == _name(account) for other in files), found


def _name(account: Account) -> str:
    """The path of the file in use, of which this is one that was rotated away; empty if that does not show."""
    name, rotated, _ = account.file.partition(".jsonl")
    return name if rotated else account.file
