"""One stream of events out of the files of several servers: each id once, per spool by number. Pure.

The files are read twice. The first reading, a `Proof`, knows which numbers there are, so that the second one can
stream: a line that is not the next one of its spool waits until that has come from another file. Lines come in the
order in which a server first had them, by its clock. The one assumption is that the clocks of servers agree: if they
are apart, so are the lines of that much time in the stream, and as many wait in memory; never is one left out for it.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from heapq import heappop, heappush, merge
from json import dumps
from typing import NamedTuple

from msgspec import MsgspecError, json, structs

from monitor436.agent.event import LOST
from monitor436.model.audit.account import Spool, read_numbered
from monitor436.model.audit.proof import DIFFERS, Proof
from monitor436.model.audit.ranges import Ranges
from monitor436.model.audit.server_files import NONE, Flaw
from monitor436.model.event import read_line

_FIRST = datetime.min.replace(tzinfo=UTC)


class Found(NamedTuple):
    """A line as it was found: by this it is put in order."""

    stamp: datetime
    file: int
    at: int
    spool: Spool
    first: int
    number: int
    lost: bool
    text: bytes


class Merging:
    """The second reading. `proof` has read the same files; what differs between two of them is added to it.

    `most_waiting` is how many lines waited at once, `written` how many came out.
    """

    def __init__(self, proof: Proof) -> None:
        self.most_waiting = self.written = 0
        self._proof = proof
        self._wanted = proof.covered  # what comes out, as a line or inside a `lost` range
        self._have = proof.have  # what comes out as a line
        self._shared = proof.shared
        self._seen: dict[tuple[Spool, int], bytes] = {}  # of those: what the first copy says
        self._taken: dict[Spool, Ranges] = {}  # what is out or waits
        self._done: dict[Spool, int] = {}  # up to here everything is out
        self._waiting: dict[Spool, list[tuple[int, int, bytes]]] = {}  # heaps: (first number, last, line)
        self._wait = 0

    def merged(self, files: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
        """The lines, each with its newline. The files stand in the order in which the proof has read them."""
        streams = [_found(lines, number) for number, lines in enumerate(files)]
        for found in merge(*streams):
            waiting = self._waiting.setdefault(found.spool, [])
            taken = self._taken.setdefault(found.spool, Ranges())
            for first, last, text in self._parts(found, taken):
                taken.add(first, last)
                heappush(waiting, (first, last, text))
                self._wait += 1
            self.most_waiting = max(self.most_waiting, self._wait)
            yield from self._due(found.spool, waiting)
        for spool in sorted(self._waiting):  # something waits for what was there at the first reading and is no more
            self._wanted = {}
            yield from self._due(spool, self._waiting[spool])

    def _parts(self, found: Found, taken: Ranges) -> Iterator[tuple[int, int, bytes]]:
        """(first number, last, line) of what was not there yet: of a `lost` event perhaps several parts, or none."""
        have = self._have.get(found.spool, NONE)
        if not found.lost:
            if self._is_first(found) and found.number not in taken:
                yield found.number, found.number, found.text
            return
        for first, last in have.outside(found.first, found.number).without(taken):
            whole = (first, last) == (found.first, found.number)
            yield first, last, found.text if whole else _part_of_lost(found.text, found.spool, first, last)

    def _is_first(self, found: Found) -> bool:
        """Whether this is the first copy of a line. A later one has to say the same."""
        if found.number not in self._shared.get(found.spool, NONE):
            return True
        content = _content(found.text)
        before = self._seen.setdefault((found.spool, found.number), content)
        if before != content:
            name = self._proof.files[found.file].file
            self._proof.differing.append(Flaw(DIFFERS, found.spool, found.number, found.number, found.at, name))
        return before is content

    def _due(self, spool: Spool, waiting: list[tuple[int, int, bytes]]) -> Iterator[bytes]:
        """What waited for nothing else."""
        wanted = self._wanted.get(spool, NONE)
        while waiting and not wanted.within(self._done.get(spool, 0) + 1, waiting[0][0] - 1):
            _, self._done[spool], text = heappop(waiting)
            self._wait -= 1
            self.written += 1
            yield text


def compared(proof: Proof, files: Iterable[Iterable[bytes]]) -> None:
    """Add to a proof what differs between the files it has read, if they have anything in common."""
    if proof.shared:
        for _ in Merging(proof).merged(files):
            pass


def _found(lines: Iterable[bytes], file: int) -> Iterator[Found]:
    """The events of a file, with stamps that never fall: a clock that was set back does not change their order."""
    last = _FIRST
    for at, text in enumerate(lines, 1):
        try:
            line = read_numbered(text)
            spool, number = line.place()
        except (MsgspecError, ValueError):
            continue
        last = max(last, line.stamp or last)
        lost = line.kind == LOST or line.lost > 0
        yield Found(last, file, at, spool, max(1, number - line.lost), number, lost, text.rstrip(b"\r\n") + b"\n")


def _content(text: bytes) -> bytes:
    """What two copies of an event have in common: all but when a server had it, and whether another may have it."""
    try:
        return json.encode(structs.replace(read_line(text), received=None, again=False))
    except MsgspecError:
        return text


def _part_of_lost(text: bytes, spool: Spool, first: int, last: int) -> bytes:
    """A `lost` event for a part of its range, because a server has the rest."""
    event, left = read_line(text), last - first + 1
    said = f"{left} of these, the others are here: {event.text}"
    fields = {**event.fields, "count": left}
    part = structs.replace(event, id=f"{spool}/{last}", lost=last - first, text=said, fields=fields)
    escaped = dumps(json.decode(json.encode(part)), separators=(",", ":"))  # ASCII: nothing in it moves a cursor
    return escaped.replace("\x7f", "\\u007f").encode() + b"\n"
