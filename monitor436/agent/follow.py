"""A log file, followed by its name through rename, truncation, late writers and lines still half written.

A position is a list of file states, oldest first: what is still to be read of files that were rotated away, then the
present file. A file is known by what it holds (its first bytes, and the bytes before the place where reading stopped)
and only while it is empty by device and inode, because inodes are used again.
"""

import errno
import os
import stat

from monitor436.agent import wire

MAX_LINE = 8192  # bytes of a line; the rest of a longer one is skipped
PRINT = 256  # bytes by which the start of a file, and the place where reading stopped, are known
PATIENCE = 10  # reads without anything new after which a file that was rotated away is let go
MAX_SIBLINGS = 100  # files beside a log that are looked at for what it was before a restart
MAX_OLD = 4  # files rotated away that are read to their end at once


class Unreadable(Exception):
    """The file is there and cannot be followed; the text says why."""


class File:
    """One open file, read from an offset."""

    def __init__(self, path: str, offset: int = 0) -> None:
        """Raises FileNotFoundError, Unreadable."""
        try:
            self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise
        except OSError as problem:
            raise Unreadable(problem.strerror) from None
        found = os.fstat(self.fd)
        self.identity = (found.st_dev, found.st_ino)
        self.offset = offset
        self.skipping = False  # in the rest of a line that was too long
        self.more = False
        self.idle = 0  # reads in a row that gave nothing
        self._known = ""  # the fingerprint at `_known_at`, kept because most reads give nothing
        self._known_at = -1
        if not stat.S_ISREG(found.st_mode):
            os.close(self.fd)
            raise Unreadable("not a regular file")

    def size(self) -> int:
        return os.fstat(self.fd).st_size

    def to_end(self) -> None:
        """Go to the end: what is there was written before anybody asked for it."""
        self.offset = self.size()
        self.skipping = self.offset > 0 and os.pread(self.fd, 1, self.offset - 1) != b"\n"
        self.state()

    def read(self, limit: int) -> "list[bytes]":
        """The complete lines from the offset on, at most `limit` bytes of them."""
        data = os.pread(self.fd, limit, self.offset)
        self.more = len(data) == limit
        end = data.rfind(b"\n") + 1
        if not end and len(data) <= MAX_LINE:
            self.idle += 1
            return []
        self.idle = 0
        lines = data[:end].split(b"\n")[:-1] if end else [data]
        if self.skipping:
            del lines[0]
        self.skipping = not end
        self.offset += end or len(data)
        return [line[:MAX_LINE] for line in lines]

    def state(self) -> "dict[str, object]":
        """What tells where to go on, and in which file."""
        if self._known_at != self.offset:
            self._known, self._known_at = fingerprint(self.fd, self.offset), self.offset
        state = {"offset": self.offset, "print": self._known, "device": self.identity[0], "inode": self.identity[1]}
        return dict(state, skipping=True) if self.skipping else state

    def is_what_it_was(self) -> bool:
        """Whether what was read so far still stands there: not after a truncation, even if the file has grown again."""
        return self.size() >= self.offset and fingerprint(self.fd, self.offset) == self.state()["print"]

    def continues(self, state: "dict[str, object]") -> bool:
        """Whether this is the file that `state` was taken of; then reading goes on from there."""
        offset = int(str(state["offset"]))
        if self.size() < offset:
            return False
        same = fingerprint(self.fd, offset) == state["print"] if offset else self.identity == (state["device"], state["inode"])
        if same:
            self.offset = offset
            self.skipping = bool(state.get("skipping"))
            self.state()
        return same

    def close(self) -> None:
        os.close(self.fd)


class Follower:
    """The lines of the file at `path`, whichever file that is. `position` is one that `read` gave, or None.

    Without a position, reading starts at the end of a file that is there, and at the start of one that comes later.
    """

    def __init__(self, path: str, position: "list[dict[str, object]] | None" = None) -> None:
        self.path = path
        self.problem = ""  # why the file cannot be read
        self._unseen = False  # it is there, but could not be opened yet: then it starts at its end, too
        self._old = []  # type: list[File]
        self._file = None  # type: File | None
        if position is None:
            self._file = self._open()
            if self._file is not None:
                self._file.to_end()
            self._unseen = bool(self.problem)
        else:
            self._resume(position)

    @property
    def more(self) -> bool:
        """Whether the last read stopped at its limit, so that there is probably more."""
        return any(file.more for file in self._files())

    def read(self, limit: int = 262144) -> "tuple[list[bytes], list[dict[str, object]]]":
        """The next complete lines, and the position after them: first what is left of files rotated away."""
        lines = []  # type: list[bytes]
        for file in list(self._old):
            lines += self._take(file, limit)
            if file.idle >= PATIENCE:
                self._old.remove(file)
                file.close()
            if lines:
                return lines, self.position()
        self._notice_rotation()
        if self._file is not None:
            lines = self._take(self._file, limit)
        return lines, self.position()

    def position(self) -> "list[dict[str, object]]":
        """Where reading stands, as JSON-able data."""
        return [file.state() for file in self._files()]

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files():
            file.close()

    def _files(self) -> "list[File]":
        return self._old + ([self._file] if self._file is not None else [])

    def _take(self, file: File, limit: int) -> "list[bytes]":
        try:
            if file is self._file and file.size() != file.offset and not file.is_what_it_was():
                file.offset = 0
                file.skipping = False
            return file.read(limit)
        except OSError as problem:
            self.problem = str(problem.strerror)
            return []

    def _notice_rotation(self) -> None:
        """If the name stands for another file now, that one is next; the one before is read on for a while."""
        try:
            found = os.stat(self.path)
        except OSError as problem:
            if problem.errno not in (errno.ENOENT, errno.ENOTDIR):
                self.problem = str(problem.strerror)
            return
        if self._file is not None and self._file.identity == (found.st_dev, found.st_ino):
            return
        opened = self._open()
        if opened is None:
            return
        if self._file is not None:
            self._file.idle = 0
            self._old.append(self._file)
            if len(self._old) > MAX_OLD:
                self._old.pop(0).close()
        if self._unseen:
            opened.to_end()
        self._unseen = False
        self._file = opened

    def _open(self) -> "File | None":
        try:
            opened = File(self.path)
        except FileNotFoundError:
            self.problem = ""
            return None
        except Unreadable as problem:
            self.problem = str(problem)
            return None
        self.problem = ""
        return opened

    def _resume(self, position: "list[dict[str, object]]") -> None:
        """Find the files again: the present one, or one that was renamed beside it while nobody looked."""
        names = [self.path] + _siblings(self.path)
        for number, state in enumerate(position):
            file = _find(names, state)
            if file is None:
                continue
            if number == len(position) - 1 and _stands_for(self.path, file):
                self._file = file
            else:
                self._old.append(file)
        if self._file is None:
            self._file = self._open()


def fingerprint(fd: int, offset: int) -> str:
    """What is known of a file up to `offset`: the start, and the bytes just before it. Empty for offset 0."""
    if not offset:
        return ""
    size = min(PRINT, offset)
    return wire.SHA256(os.pread(fd, size, 0) + os.pread(fd, size, offset - size)).hexdigest()[:32]  # type: ignore[no-any-return]


def _find(names: "list[str]", state: "dict[str, object]") -> "File | None":
    for name in names:
        try:
            file = File(name)
        except (OSError, Unreadable):
            continue
        if file.continues(state):
            return file
        file.close()
    return None


def _stands_for(path: str, file: File) -> bool:
    try:
        found = os.stat(path)
    except OSError:
        return False
    return file.identity == (found.st_dev, found.st_ino)


def _siblings(path: str) -> "list[str]":
    """The files beside `path`, where rotation may have put what it was, newest first."""
    folder = os.path.dirname(os.path.realpath(path))
    try:
        found = [os.path.join(folder, each) for each in os.listdir(folder)]
        found = [each for each in found if stat.S_ISREG(os.stat(each).st_mode)]
        return sorted(found, key=lambda each: os.stat(each).st_mtime, reverse=True)[:MAX_SIBLINGS]
    except OSError:
        return []
