"""The file of a sink: a line a host, on the disk before anybody hears of it. Blocking; no Twisted in here."""

import fcntl
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from monitor436.agent.store.durable import sync_folder

PIECE = 1 << 20  # bytes that are read at once


class RowFile:
    """Lines that are appended and synced. Every method may raise OSError.

    One process at a time has it. A last line that was torn is removed: nobody was told that it is kept. `disk` does
    what `os` does.
    """

    def __init__(self, path: Path, disk: Any = os) -> None:
        self.path = path
        self._disk = disk
        self._file = -1
        self._size = 0  # bytes of whole lines that are on the disk

    def open(self, found: Callable[[bytes], object]) -> None:
        """Take hold of it, and give every whole line to `found`. Raises BlockingIOError if another process has it."""
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        rest = b""
        with open(self.path, "rb") as file:
            while piece := file.read(PIECE):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    self._size += len(line) + 1
                    found(line)
        if rest:
            self._disk.ftruncate(self._file, self._size)
        if not self._size:  # it may be new
            sync_folder(str(self.path.parent))
        self._disk.fdatasync(self._file)

    def append(self, lines: Iterable[bytes]) -> None:
        """These lines, each without its newline; they are on the disk when it returns, all or, if it raises, none."""
        content = b"".join(line + b"\n" for line in lines)
        at = self._size
        try:
            while content:
                written = self._disk.pwrite(self._file, content, at)
                at, content = at + written, content[written:]
            self._disk.fdatasync(self._file)
        except OSError:
            self._disk.ftruncate(self._file, self._size)
            raise
        self._size = at

    def close(self) -> None:
        """Let go of it."""
        if self._file >= 0:
            file, self._file = self._file, -1
            os.close(file)
