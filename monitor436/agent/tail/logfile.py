"""One log file, read on from a place that can be kept and found again.

A file is known by what it holds (its first bytes, and the bytes before the place where reading stopped) and only while
it is empty by device and inode, because inodes are used again.
"""

import errno
import os
import re
import time
from collections.abc import Callable

from monitor436.agent import wire
from monitor436.agent.tail.regular import anything, generation, opened

MAX_LINE = 8192  # bytes of a line; the rest of a longer one is skipped
PRINT = 256  # bytes by which the start of a file, and the place where reading stopped, are known
STRIDE = 1 << 20  # bytes looked at in one go where there is no line
STRIDES = 16  # of them in one read, at most
SETTLED = 0.1  # seconds after which a file that was written to again has another time; clocks of files tick slowly
_ZEROS = re.compile(b"\n\0+")


class File:
    """One open file, read from its start on. Raises FileNotFoundError, Unreadable.

    `refusal(path)` gives the sentence why this host does not let the file at that path, without links, be read, or "".
    All methods but `state` and `close` raise OSError where the disk does.
    """

    grows = True  # it may be written to

    def __init__(self, path: str, refusal: "Callable[[str], str]" = anything) -> None:
        self.path = path
        self.fd = opened(path, refusal)
        found = os.fstat(self.fd)
        self.identity = (found.st_dev, found.st_ino)
        self.generation = generation(self.fd)
        self.more = False  # the last read stopped at its limit
        self.rewritten = False  # what was read before no longer stands there: it was truncated
        self.problem = ""  # why there is less in it than there was
        self._times = (-1, 0, 0)
        self._since = 0.0
        self._settled = False
        self.restart()

    def restart(self) -> None:
        """Read from the start again."""
        self.offset = 0
        self._blank = True  # nothing but zeros was passed: by those it cannot be known again
        self._start = self._before = b""  # the first bytes, and those before the offset, as they were read
        self._print = ""  # their hash; kept because most reads give nothing new
        self._skipping = False  # in the rest of a line that was too long
        self._zeros = 0  # up to where there are only zeros from the offset on

    def to_end(self) -> None:
        """Go to the end: what is there is not for us."""
        self._go_to(self.size())
        self._blank = False
        self._skipping = self.offset > 0 and not self._before.endswith(b"\n")

    def size(self) -> int:
        """Bytes it has now."""
        return os.fstat(self.fd).st_size

    def is_news(self, found: "os.stat_result | None" = None) -> bool:
        """Whether a read may give something else than the last one. `found` is what stat() says of the file now."""
        if found is None:
            found = os.fstat(self.fd)
        times = (found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        now = time.monotonic()  # of the real clock: that is the one by which files get their times
        if times != self._times:
            self._times, self._since, self._settled = times, now, False
            return True
        if not self._settled:
            self._settled = now - self._since > SETTLED
            return True
        return self.more

    def read(self, limit: int) -> bytes:
        """The next whole lines, each with its newline, out of about `limit` bytes.

        Zeros before a line are left by programs that write on where they were in a file that was truncated, and by
        crashes: they are passed over. Sets `rewritten` instead, if what was read before no longer stands there.
        """
        self.more = self.rewritten = False
        data = self._next(max(limit, MAX_LINE + 1))
        end = data.rfind(b"\n") + 1
        if not end and len(data) <= MAX_LINE:
            return b""
        self._skipping = not end
        self._blank = False
        self._pass(data[:end] if end else data)
        return _cut(data[:end]) if end else data[:MAX_LINE] + b"\n"

    def rest(self) -> bytes:
        """What is left of a file that nobody writes to any more: a last line that nobody ended, ended by us."""
        data = self.at(self.offset, MAX_LINE)
        line = data.partition(b"\n")[2] if self._skipping else data
        self._pass(data)
        self._skipping = bool(data) and not data.endswith(b"\n")
        line = line.strip(b"\0")
        self._blank = self._blank and not line
        return line if not line or line.endswith(b"\n") else line + b"\n"

    def stands(self) -> bool:
        """Whether what was read still stands there."""
        if self.offset <= PRINT:
            return self.at(0, self.offset) == self._start
        return self.at(self.offset - PRINT, PRINT) == self._before and self.at(0, PRINT) == self._start

    def state(self) -> "dict[str, object]":
        """What tells where to go on, and in which file, as JSON-able data."""
        offset = 0 if self._blank else self.offset
        if offset and not self._print:
            self._print = _print(self._start) + _print(self._before)
        device, inode = self.identity
        state = {"offset": offset, "print": self._print, "device": device, "inode": inode}  # type: dict[str, object]
        if self.generation:
            state["generation"] = self.generation
        return dict(state, skipping=True) if self._skipping else state

    def is_same(self, state: "dict[str, object]") -> bool:
        """Whether it is the very file that `state` was taken of, whatever it holds now, as far as inodes can tell."""
        same = self.generation == state.get("generation", self.generation)
        return same and self.identity == (state.get("device"), state.get("inode"))

    def marks(self) -> "list[dict[str, object]]":
        """States by which it is known again: what was read of it, and what it holds if that is something else."""
        known = [self.state()] if self.offset else []
        if known and self.stands():
            return known
        size = self.size()
        first = min(PRINT, size)
        now = dict(self.state(), offset=size, print=_print(self.at(0, first)) + _print(self.at(size - first, first)))
        return [*known, now]

    def continues(self, state: "dict[str, object]") -> bool:
        """Whether this is the file that `state` was taken of; then reading goes on from there."""
        offset, known = state.get("offset"), str(state.get("print"))
        if not isinstance(offset, int) or not 0 <= offset < 1 << 62:
            return False
        if offset == 0:
            return self.is_same(state)
        size = min(PRINT, offset)
        start = self.at(0, size)
        if len(start) < size or _print(start) != known[:16]:
            return False
        before = self.at(offset - size, size)
        if len(before) < size or _print(before) != known[16:]:
            return False
        self._go_to(offset)
        self._blank = False
        self._skipping = bool(state.get("skipping"))
        return True

    def is_copied_to(self, other: "File") -> bool:
        """Whether `other` holds the same from its start on, as far as it goes: it is a copy, or will be one."""
        size = other.size() if other.grows else 0
        first, last = min(PRINT, size, self.offset or size), min(PRINT, size)
        start = self._start if self.offset else self.at(0, first)
        if not first or other.at(0, first) != start[:first]:
            return False
        if not self.stands():  # it was truncated, and this may be where it was copied to before
            return other.continues(self.state())
        return size <= self.size() and other.at(size - last, last) == self.at(size - last, last)

    def at(self, offset: int, size: int) -> bytes:
        """The bytes that stand there now, fewer at the end."""
        return os.pread(self.fd, size, offset)

    def close(self) -> None:
        """Let go of it."""
        os.close(self.fd)

    def _next(self, size: int) -> bytes:
        """What is there from the next line on; empty if there is none yet, or none was found in good time."""
        for _ in range(STRIDES):
            data = self.at(self.offset, max(size, STRIDE) if self._skipping else size)
            if self.offset and not self.stands():  # asked afterwards, so that what we have was there before
                self.rewritten = True
                return b""
            self.more = len(data) >= size
            if self._skipping:
                end = data.find(b"\n") + 1
                self._pass(data[:end] if end else data)
                self._skipping = not end
                if not end:
                    if not data or not self._pass_hole():
                        return b""
                    continue
                data = data[end : end + size]
            if not data.startswith(b"\0"):
                return data
            line = data.lstrip(b"\0")
            if line:
                self._pass(data[: -len(line)])
                return line
            if not self._pass_zeros(self.offset + len(data)):
                return b""
        self.more = True
        return b""

    def _pass_hole(self) -> bool:
        """Pass a hole in the rest of a line that was too long; whether there is anything behind it."""
        there = self._data_from(self.offset)
        if there is None:
            self.more = False
        elif there > self.offset:
            self._go_to(there)
        return there is not None

    def _pass_zeros(self, known: int) -> bool:
        """Go to what follows zeros; whether it was found. At the end they wait: they may yet become text."""
        self._zeros = max(self._zeros, known)
        for _ in range(STRIDES):
            there = self._data_from(self._zeros)
            data = b"" if there is None else self.at(there, STRIDE)
            if there is None or not data:
                self.more = False
                return False
            text = data.lstrip(b"\0")
            if text:
                self._go_to(there + len(data) - len(text))
                return True
            self._zeros = there + len(data)
        self.more = True
        return False

    def _data_from(self, offset: int) -> "int | None":
        """Where the next bytes are that are not a hole; None if there are none."""
        try:
            return os.lseek(self.fd, offset, os.SEEK_DATA)
        except OSError as problem:
            return None if problem.errno == errno.ENXIO else offset  # not every file system knows its holes

    def _go_to(self, offset: int) -> None:
        size = min(PRINT, offset)
        self.offset = offset
        self._start, self._before = self.at(0, size), self.at(offset - size, size)
        self._print = ""

    def _pass(self, data: bytes) -> None:
        """These bytes were read."""
        self.offset += len(data)
        self._start = (self._start + data[:PRINT])[:PRINT]
        self._before = (self._before + data[-PRINT:])[-PRINT:]
        self._print = ""


def _cut(block: bytes) -> bytes:
    """Whole lines without the zeros before them, and without what is too long of them."""
    if b"\n\0" in block:
        block = _ZEROS.sub(b"\n", block)
    parts, start, at = [], 0, 0
    while len(block) - at > MAX_LINE:
        end = block.rfind(b"\n", at, at + MAX_LINE + 1)
        if end < 0:
            parts += [block[start : at + MAX_LINE], b"\n"]
            start = end = block.index(b"\n", at) + 1
        else:
            end += 1
        at = end
    return b"".join([*parts, block[start:]]) if parts else block


def _print(data: bytes) -> str:
    return str(wire.SHA256(data).hexdigest())[:16]
