"""A disk that fails as a test wants, and forgets in a power cut what was never synced."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace


class FaultyDisk:
    """Does what `os` does for a journal. Set `most`, `room`, `free` or `broken` to make it worse.

    A failed sync leaves the pages clean though they never reached the disk, as Linux does: no later sync writes them.
    """

    def __init__(self) -> None:
        self.most = 1 << 30  # bytes taken by one write
        self.room = 1 << 30  # bytes until the disk is full
        self.free = 1 << 30  # bytes that are said to be free
        self.broken = ""  # what syncs fail with
        self.syncs = 0
        self.before_sync: Callable[[], None] = lambda: None
        self._stable: dict[int, bytearray] = {}  # by inode: what survives
        self._dirty: dict[int, list[tuple[int, int]]] = {}

    def write(self, file: int, data: memoryview) -> int:
        """Append."""
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = min(len(data), self.most, self.room)
        self._soil(file, os.fstat(file).st_size, taken)
        self.room -= taken
        return os.write(file, data[:taken])

    def pwrite(self, file: int, data: bytes, offset: int) -> int:
        """Write in place."""
        self._soil(file, offset, len(data))
        return os.pwrite(file, data, offset)

    def fdatasync(self, file: int) -> None:
        """Make durable whatever waits for it."""
        self.before_sync()
        self.syncs += 1
        found = os.fstat(file)
        ranges = self._dirty.pop(found.st_ino, [])
        if self.broken:
            raise OSError(errno.EIO, self.broken)
        stable = self._stable[found.st_ino] if ranges else bytearray()
        for start, length in ranges:
            stable.extend(bytes(max(0, start + length - len(stable))))
            with open(f"/proc/self/fd/{file}", "rb") as content:
                stable[start : start + length] = os.pread(content.fileno(), length, start)

    def statvfs(self, folder: Path) -> SimpleNamespace:
        """How much is free."""
        return SimpleNamespace(f_bavail=self.free, f_frsize=1)

    def cut_power(self, path: Path) -> None:
        """What is in the file after the machine has lost its power."""
        stable = self._stable.get(path.stat().st_ino)
        if stable is not None:
            path.write_bytes(stable)

    def _soil(self, file: int, start: int, length: int) -> None:
        inode = os.fstat(file).st_ino
        if inode not in self._stable:
            with open(f"/proc/self/fd/{file}", "rb") as content:
                self._stable[inode] = bytearray(content.read())
        self._dirty.setdefault(inode, []).append((start, length))
