"""The book of a sink: its file, what is in it, and how many rows each batch has."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec import DecodeError, Struct, json
from twisted.internet.defer import Deferred, ensureDeferred

from monitor436.model.sweep.rows import Row, Tally, read_row
from monitor436.one_thread import one_thread
from monitor436.queues.queue import Result
from monitor436.queues.row_file import RowFile
from monitor436.queues.taking import Book


class _Known(Struct):
    """What is read of a line that is there already."""

    batch: str
    host: str
    reason: str = ""


class RowBook(Book):
    """Rows in a file. `tell` hears each new one when it is on the disk, `ended` each batch that is over.

    Raises OSError if the file cannot be had.
    """

    def __init__(
        self,
        path: Path,
        tell: Callable[[Row], object],
        ended: Callable[[str, Tally, int | None], object],
        wall: Callable[[], float],
        reactor: Any,
    ) -> None:
        self.tallies: dict[str, Tally] = {}
        self.new: dict[str, int] = {}  # rows of this run, by batch
        self._tell = tell
        self._ended = ended
        self._wall = wall
        self._names: dict[str, set[str]] = {}
        self._file = RowFile(path)
        self._file.open(self._found)
        self._aside = one_thread(reactor, "rows")

    def known(self, batch: str, name: str) -> bool:
        return name in self._names.get(batch, ())

    def keep(self, results: Sequence[Result]) -> "Deferred[None]":
        return ensureDeferred(self._keep(results))

    def rows(self, batch: str) -> int:
        return self.tallies[batch].rows if batch in self.tallies else 0

    def over(self, batch: str, total: int | None) -> None:
        self._ended(batch, self.tallies.get(batch, Tally()), total)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    async def _keep(self, results: Sequence[Result]) -> None:
        rows = [read_row(each.body, each.batch, each.name, round(self._wall(), 3)) for each in results]
        lines = [json.encode(row) for row in rows]
        await self._aside(lambda: self._file.append(lines))
        for row in rows:
            self._count(row.batch, row.host, row.reason)
            self.new[row.batch] = self.new.get(row.batch, 0) + 1
            self._tell(row)

    def _found(self, line: bytes) -> None:
        try:
            known = json.decode(line, type=_Known)
        except (DecodeError, UnicodeDecodeError):
            return  # a line that is not ours
        self._count(known.batch, known.host, known.reason)

    def _count(self, batch: str, host: str, reason: str) -> None:
        names = self._names.setdefault(batch, set())
        if host not in names:
            names.add(host)
            self.tallies.setdefault(batch, Tally()).add(reason)
