"""One log file, read line by line from a place that can be kept and found again.

A file is known by what it holds (its first bytes, and the bytes before the place where reading stopped) and only while
it is empty by device and inode, because inodes are used again.
"""

import os
import stat

from monitor436.agent import wire

MAX_LINE = 8192  # bytes of a line; the rest of a longer one is skipped
PRINT = 256  # bytes by which the start of a file, and the place where reading stopped, are known


class Unreadable(Exception):
    """The file is there and cannot be followed; the text says why."""


class File:
    """One open file, read from its start on. Raises FileNotFoundError, Unreadable."""

    def __init__(self, path: str) -> None:
        try:
            self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise
        except OSError as problem:
            raise Unreadable(problem.strerror) from None
        found = os.fstat(self.fd)
        if not stat.S_ISREG(found.st_mode):
            os.close(self.fd)
            raise Unreadable("not a regular file")
        self.identity = (found.st_dev, found.st_ino)
        self.more = False  # the last read stopped at its limit
        self.idle = 0  # reads in a row that gave nothing, once it was rotated away
        self.restart()

    def restart(self) -> None:
        """Read from the start again."""
        self.offset = 0
        self._start = self._before = b""  # the first bytes, and those before the offset, as they were read
        self._print = ""  # their hash; kept because most reads give nothing new
        self._skipping = False  # in the rest of a line that was too long

    def to_end(self) -> None:
        """Go to the end: what is there was written before anybody asked for it."""
        self._go_to(os.fstat(self.fd).st_size)
        self._skipping = self.offset > 0 and not self._before.endswith(b"\n")

    def read(self, limit: int) -> "list[bytes]":
        """The complete lines from the offset on, out of the next `limit` bytes."""
        self.more = False
        data = os.pread(self.fd, max(limit, MAX_LINE + 1), self.offset)
        end = data.rfind(b"\n") + 1
        if not end and len(data) <= MAX_LINE:
            return []
        self.more = len(data) >= limit
        lines = data[:end].split(b"\n")[:-1] if end else [data]
        if self._skipping:
            del lines[0]
        self._skipping = not end
        self._pass(data[:end] if end else data)
        return [line[:MAX_LINE] for line in lines]

    def rest(self) -> "list[bytes]":
        """A last line that nobody ended, of a file that nobody writes to any more."""
        try:
            lines = os.pread(self.fd, MAX_LINE, self.offset).split(b"\n")
        except OSError:
            return []
        return [line for line in lines[self._skipping :] if line]

    def was_rewritten(self) -> bool:
        """Whether what was read no longer stands there: it was truncated, even if it has grown again since.

        A file that was rewritten to the very length that was read is not noticed until it grows.
        """
        size = os.fstat(self.fd).st_size
        return size < self.offset or (size > self.offset and self._bytes_at(self.offset) != (self._start, self._before))

    def state(self) -> "dict[str, object]":
        """What tells where to go on, and in which file."""
        if self.offset and not self._print:
            self._print = _print(self._start, self._before)
        device, inode = self.identity
        state = {"offset": self.offset, "print": self._print, "device": device, "inode": inode}
        return dict(state, skipping=True) if self._skipping else state

    def continues(self, state: "dict[str, object]") -> bool:
        """Whether this is the file that `state` was taken of; then reading goes on from there. Raises OSError."""
        offset = state.get("offset")
        if not isinstance(offset, int) or not 0 <= offset <= os.fstat(self.fd).st_size:
            return False
        if offset == 0:
            return self.identity == (state.get("device"), state.get("inode"))
        if _print(*self._bytes_at(offset)) != state.get("print"):
            return False
        self._go_to(offset)
        self._skipping = bool(state.get("skipping"))
        return True

    def close(self) -> None:
        """Let go of it."""
        os.close(self.fd)

    def _go_to(self, offset: int) -> None:
        self.offset = offset
        self._start, self._before = self._bytes_at(offset)
        self._print = ""

    def _pass(self, data: bytes) -> None:
        """These bytes were read."""
        self.offset += len(data)
        self._start = (self._start + data[:PRINT])[:PRINT]
        self._before = (self._before + data[-PRINT:])[-PRINT:]
        self._print = ""

    def _bytes_at(self, offset: int) -> "tuple[bytes, bytes]":
        size = min(PRINT, offset)
        return os.pread(self.fd, size, 0), os.pread(self.fd, size, offset - size)


def _print(start: bytes, before: bytes) -> str:
    """What a file is known by: a hash of its first bytes and of those before the offset, 32 hex characters."""
    return str(wire.SHA256(start + before).hexdigest())[:32]
