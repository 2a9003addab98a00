"""Which events are in the file: one number for each spool of each host. Pure.

The ledger is never kept by itself: the events file is, and the ledger is what reading it gives.
"""

from collections.abc import Iterable
from typing import NamedTuple

from monitor436.model.event import TAKEN_OVER, Event
from monitor436.model.stream.messages import Events

Numbers = dict[str, dict[str, int]]  # host → spool → number

MOST_SPOOLS = 1000  # of one host, which has a handful: beyond it those that came first are forgotten


class Taken(NamedTuple):
    """What of a message is new: the events from index `start` on, the last of which has number `last`.

    `gap` is the range of earlier numbers that another server has acknowledged and this file does not hold.
    """

    start: int
    last: int
    gap: tuple[int, int] | None


class Ledger:
    """The last number of every spool: of those accepted, and of those durable in the file."""

    def __init__(self, durable: Numbers | None = None) -> None:
        self.durable: Numbers = durable or {}
        self._taken: Numbers = {}
        self.forget_unwritten()

    def take(self, host: str, message: Events) -> Taken | None:
        """Accept what is new in a message; None if nothing is, or if something before it is missing.

        Only the next number is taken. Numbers that another server has acknowledged need not come here.
        """
        spools = self._taken.get(host)
        if spools is None:
            spools = self._taken[host] = {}
        known = spools.get(message.s, 0)
        expected = max(known, message.a) + 1
        number, start = message.n, 0  # the first number that the next event covers, and which one that is
        while number < expected and start < len(message.e):
            number += 1 + message.e[start].lost
            start += 1
        if number != expected or start == len(message.e):
            return None
        last = number - 1
        for stated in message.e[start:]:
            last += 1 + stated.lost
        _put(spools, message.s, last)
        return Taken(start, last, (known + 1, message.a) if message.a > known else None)

    def lacks(self, host: str, message: Events) -> bool:
        """Whether something before this message is missing."""
        return message.n > max(self.accepted(host, message.s), message.a) + 1

    def accepted(self, host: str, spool: str) -> int:
        """Up to which number a spool was taken; not all of that need be durable."""
        return self._taken.get(host, {}).get(spool, 0)

    def wrote(self, host: str, spool: str, last: int) -> None:
        """Everything up to `last` is durable."""
        _put(self.durable.setdefault(host, {}), spool, last)

    def reread(self, event: Event) -> None:
        """A line that was found in the file. Lines without an id of ours are none of the ledger's business."""
        for host, spool, last in covered(event):
            _raise(self.durable, host, spool, last)

    def restore(self, numbers: Numbers) -> None:
        """What was kept of an earlier time; nothing that is known to be durable is forgotten."""
        for host, spools in numbers.items():
            for spool, last in spools.items():
                _raise(self.durable, host, spool, last)

    def copy(self) -> Numbers:
        """The durable numbers as they are now. May be called in another thread."""
        return {host: dict(spools) for host, spools in list(self.durable.items())}

    def forget_unwritten(self, but: Iterable[Event] = ()) -> None:
        """Writing failed: what was taken and is not durable will be sent again. Events in `but` will yet be written."""
        self._taken = self.copy()
        for event in but:
            for host, spool, last in covered(event):
                _raise(self._taken, host, spool, last)

    def last(self, host: str, spool: str) -> int:
        """Up to which number a spool is durable; 0 for one never heard of."""
        return self.durable.get(host, {}).get(spool, 0)

    def keep_only(self, host: str, spools: list[str]) -> None:
        """A greeting named every spool of the host that still holds something: the others are done with."""
        for numbers in (self.durable, self._taken):
            if host in numbers:
                numbers[host] = {spool: last for spool, last in numbers[host].items() if spool in spools}


def _raise(numbers: Numbers, host: str, spool: str, last: int) -> None:
    spools = numbers.setdefault(host, {})
    _put(spools, spool, max(last, spools.get(spool, 0)))


def _put(spools: dict[str, int], spool: str, last: int) -> None:
    spools[spool] = last
    if len(spools) > MOST_SPOOLS:
        del spools[next(iter(spools))]


def covered(event: Event) -> list[tuple[str, str, int]]:
    """(origin, spool, last number) of what a line stands for; empty if it has no id that can be read."""
    origin, _, rest = event.id.partition("/")
    spool, _, number = rest.partition("/")
    if not (origin and spool and number.isascii() and number.isdigit()):
        return []
    found = [(origin, spool, int(number))]
    if event.kind == TAKEN_OVER and origin.startswith("@"):
        found.append((event.host, str(event.fields.get("spool")), int(event.fields.get("last", 0))))
    return found
