"""The events files as pages: read on from where a reader was, through rotation. Blocking; no Twisted in here.

A cursor names a file by its first line, which holds the id of an event and so is no other file's, and an offset in it:
renaming, packing and copying files changes nothing.
"""

import gzip
import hashlib
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

PACKED = b"\x1f\x8b"  # how a gzip file begins, RFC 1952
BROKEN = (EOFError, zlib.error, gzip.BadGzipFile)  # what a packed file is that is not whole, or damaged
LONGEST = 64 << 10  # bytes of a line: one that has more is none of ours, and is skipped
STRIDE = 256 << 10  # bytes that are read at once from the end of a file
IDENTITY = 16  # letters of a file's name in cursors
TRIES = 5  # to open all files while no other one appears

_CURSOR = re.compile(rf"([0-9a-f]{{{IDENTITY}}})-([0-9]{{1,15}})")

Wanted = Callable[[bytes], bool]


class CursorError(Exception):
    """A cursor leads nowhere: it is none, or `gone` says that its file was deleted, truncated or written anew."""

    def __init__(self, sentence: str, gone: bool) -> None:
        super().__init__(sentence)
        self.gone = gone


class Page(NamedTuple):
    """Lines that are wanted, oldest first, without their ends; `cursor` is behind the last line that was looked at.

    `more`: there are lines behind it already. `older` is before the first line that was looked at; "" if there is none
    before that.
    """

    lines: list[bytes]
    cursor: str
    more: bool
    older: str


class Opened(NamedTuple):
    """An events file that has at least one whole line."""

    file: BinaryIO
    identity: str

    def cursor(self, offset: int) -> str:
        """What a place in it is called."""
        return f"{self.identity}-{offset}"


class Room:
    """How much a page may still look at and hold, in bytes and lines."""

    def __init__(self, lines: int, scan: int, size: int) -> None:
        self._lines, self._scan, self._size = lines, scan, size
        self.kept: list[bytes] = []

    @property
    def full(self) -> bool:
        """Whether no further line may be looked at."""
        return self._scan <= 0 or len(self.kept) >= self._lines

    def take(self, line: bytes, wanted: Wanted) -> bool:
        """Look at a line; False if it would be too much for this page. The first one that is wanted never is."""
        self._scan -= len(line)
        if len(line) < LONGEST and wanted(line):
            self._size -= len(line)
            if self._size < 0 and self.kept:
                return False
            self.kept.append(line[:-1])
        return True


class EventPages:
    """The files that `files()` gives, the oldest first, the last one being written.

    A page looks at about `scan` bytes at most, and holds `size` bytes of lines at most, or one line.
    """

    def __init__(self, files: Callable[[], Sequence[Path]], scan: int = 4 << 20, size: int = 1 << 20) -> None:
        self._files = files
        self._scan = scan
        self._size = size

    def after(self, cursor: str, most: int, wanted: Wanted) -> Page:
        """Up to `most` lines behind a cursor; "" is before everything. Raises CursorError and OSError."""
        room = Room(most, self._scan, self._size)
        with ExitStack() as stack:
            files = self._opened(stack)
            first, offset = _place(files, cursor)
            behind = cursor
            for number, opened in enumerate(files[first:]):
                offset = offset if number == 0 else 0
                behind = opened.cursor(offset)
                for line, end in _lines(opened.file, offset):
                    if room.full or not room.take(line, wanted):
                        return Page(room.kept, behind, True, cursor)
                    behind = opened.cursor(end)
        return Page(room.kept, behind, False, cursor)

    def before(self, cursor: str, most: int, wanted: Wanted) -> Page:
        """The last lines before a cursor, up to `most`. Raises CursorError and OSError.

        The page has the same cursor. "" is behind everything, and the page has a cursor for what comes then.
        """
        room = Room(most, self._scan, self._size)
        with ExitStack() as stack:
            files = self._opened(stack)
            last, offset = _place(files, cursor) if cursor else (len(files) - 1, None)
            for opened in reversed(files[: last + 1]):
                for line, end in _backwards(opened.file, _end(opened.file) if offset is None else offset, self._scan):
                    cursor = cursor or opened.cursor(end)
                    if room.full or not room.take(line, wanted):
                        return Page(room.kept[::-1], cursor, False, opened.cursor(end))
                offset = None
        return Page(room.kept[::-1], cursor, False, "")

    def _opened(self, stack: ExitStack) -> list[Opened]:
        """All files at one moment: were one rotated away between two looks, its lines would be missed."""
        paths = list(self._files())
        for _ in range(TRIES):
            found = [opened for path in paths if (opened := _open(path, stack))]
            before, paths = paths, list(self._files())
            if before == paths:
                break
        return list({opened.identity: opened for opened in reversed(found)}.values())[::-1]  # one may be being packed


@contextmanager
def content(path: str | Path) -> Iterator[BinaryIO]:
    """An events file, unpacked if it is packed (gzip). Raises OSError and EOFError."""
    with open(path, "rb") as file:
        if file.peek(2)[:2] == PACKED:
            with gzip.open(file) as unpacked:
                yield cast(BinaryIO, unpacked)
        else:
            yield file


def _open(path: Path, stack: ExitStack) -> Opened | None:
    """None for a file that is gone, or has no whole line yet, or is being packed."""
    try:
        file = stack.enter_context(content(path))
        first = file.readline(LONGEST)
    except (FileNotFoundError, *BROKEN):
        return None
    if not first.endswith(b"\n") and len(first) < LONGEST:
        return None
    return Opened(file, hashlib.sha256(first).hexdigest()[:IDENTITY])


def _place(files: Sequence[Opened], cursor: str) -> tuple[int, int]:
    """Which file, and where in it."""
    if not cursor:
        return 0, 0
    found = _CURSOR.fullmatch(cursor)
    if not found:
        raise CursorError("expected a cursor that a page gave", gone=False)
    for number, opened in enumerate(files):
        if opened.identity == found[1]:
            offset = int(found[2])
            if offset and not _ends_line(opened.file, offset):
                raise CursorError("the file of this cursor was truncated or written anew", gone=True)
            return number, offset
    raise CursorError("the file of this cursor is not kept any more", gone=True)


def _ends_line(file: BinaryIO, offset: int) -> bool:
    try:
        file.seek(offset - 1)
        return file.read(1) == b"\n"
    except BROKEN:
        return False


def _lines(file: BinaryIO, offset: int) -> Iterator[tuple[bytes, int]]:
    """Whole lines from an offset on, each with the offset behind it; of a very long one its last piece only."""
    try:
        file.seek(offset)
        while line := file.readline(LONGEST):
            offset += len(line)
            while not line.endswith(b"\n"):
                if len(line) < LONGEST:
                    return  # it is being written
                more = file.readline(LONGEST)
                offset += len(more)
                line = b"\n".rjust(LONGEST) if more.endswith(b"\n") else more
            yield line, offset
    except BROKEN:
        return  # it is being packed, or damaged: what is behind that place cannot be had


def _backwards(file: BinaryIO, end: int, window: int) -> Iterator[tuple[bytes, int]]:
    """Whole lines before an offset, the last one first, each with the offset behind it.

    A packed file is unpacked from its start for each window of it, so a window there is as much as a page looks at.
    """
    stride = window if isinstance(file, gzip.GzipFile) else STRIDE
    while end > 0:
        size, begin, found = stride, end, list[tuple[bytes, int]]()
        while not found and begin > 0:
            begin = _line_at(file, end - size)
            for line, behind in _lines(file, begin):
                if behind > end:
                    break
                found.append((line, behind))
            size *= 4  # in case that all this is amid a very long line
        yield from reversed(found)
        end = begin


def _line_at(file: BinaryIO, offset: int) -> int:
    """Where the next line begins behind an offset; 0 where that cannot be found, or the offset is before everything."""
    if offset <= 0:
        return 0
    try:
        file.seek(offset)
        while piece := file.readline(LONGEST):
            offset += len(piece)
            if piece.endswith(b"\n"):
                break
    except BROKEN:
        return 0
    return offset


def _end(file: BinaryIO) -> int:
    """How many bytes can be had of a file."""
    if not isinstance(file, gzip.GzipFile):
        return file.seek(0, 2)
    end = 0
    try:
        file.seek(0)
        while piece := file.read1(STRIDE):
            end += len(piece)
    except BROKEN:
        pass
    return end
