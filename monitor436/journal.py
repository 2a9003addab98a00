"""The events file: lines appended, synced, rotated, and read again at start. Blocking; no Twisted in here.

What people tail is never truncated. A checkpoint beside the file ({device, inode, offset, numbers}, replaced by
rename) says from where the file is to be read at start; without one, every file kept is read.
"""

import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from monitor436.agent.store.durable import sync_folder

Numbers = dict[str, dict[str, int]]  # origin → spool → number

LOOK_EVERY = 1.0  # seconds between looks whether the file was moved away
ROOM = 1 << 20  # bytes that must be free on the disk until a file that failed is used again
RETRY = 60.0  # seconds until a rotation that failed is tried again; lines go into the present file meanwhile


class Journal:
    """One events file and the ones rotated away from it. Every method may raise OSError.

    `rotate_at` is in bytes, `rotate_every` in seconds of one process's life, `keep` the number of rotated files.
    `complaint` says what went wrong without harm to any line; empty when all is well. `disk` does what `os` does.
    """

    def __init__(
        self,
        path: Path,
        rotate_at: int,
        rotate_every: float,
        keep: int,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        disk: Any = os,
    ) -> None:
        self.path = path
        self.complaint = ""
        self._rotate_at = rotate_at
        self._rotate_every = rotate_every
        self._keep = keep
        self._wall = wall
        self._clock = clock
        self._disk = disk
        self._file = -1
        self._size = 0
        self._identity = (0, 0)
        self._named = False  # whether a power cut leaves the file its name: its folder is synced
        self._opened = 0.0
        self._looked = 0.0
        self._rotates_after = float("-inf")
        self._synced: tuple[tuple[int, int], int] | None = None  # up to where this process knows the file to be durable

    def open(self) -> None:
        """Open for appending. A last line that was torn by a power cut is finished with a newline, never removed."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = not self.path.exists()
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self.close()  # not sooner: a new file must not get the inode of one that was removed
        found = os.fstat(file)
        self._named = self._named and not new and self._identity == (found.st_dev, found.st_ino)
        self._file, self._size, self._identity = file, found.st_size, (found.st_dev, found.st_ino)
        self._opened = self._looked = self._clock()
        if self._size and os.pread(file, 1, self._size - 1) != b"\n":
            self._append(b"\n")
        if not self._named:
            sync_folder(str(self.path.parent))
            self._named = True
        self._disk.fdatasync(file)

    def begin(self) -> None:
        """Open for the first time, and make durable whatever an earlier process has left.

        It may have ended before its last sync, or after one that failed.
        """
        self.open()
        marks = (offset for identity, offset, _ in self._marks({}) if identity == self._identity)
        self._write_again(next(marks, 0))

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            file, self._file = self._file, -1
            os.close(file)

    def write(self, lines: bytes, numbers: Callable[[], Numbers] = dict) -> None:
        """Append whole lines, and return when they are on the disk.

        The file is rotated before that if it is due, and begun anew if it was moved away; `numbers()` are those that
        hold for everything written earlier.
        """
        self._turn_over(numbers)
        while lines:
            self._append(lines)
            self._disk.fdatasync(self._file)
            if os.fstat(self._file).st_nlink:
                break
            self._begin(numbers)  # it was removed meanwhile: nobody could read these lines there
        self._synced = self._identity, self._size

    def wants_rotation(self) -> bool:
        """Whether the file has become large or old enough."""
        now = self._clock()
        due = self._size >= self._rotate_at or (self._size > 0 and now - self._opened >= self._rotate_every)
        return due and now >= self._rotates_after

    def rotate(self, numbers: Numbers) -> None:
        """Move the file aside under the time of day, and begin a new one; the oldest beyond `keep` go."""
        self.checkpoint(numbers)
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(self._wall()))
        older = [_unpacked(path)[len(self.path.name) + 1 :] for path in self.rotated()]
        if older and stamp <= older[-1]:  # the same second, or a clock set back: names must sort as files came
            base, _, count = older[-1].partition("-")
            stamp = f"{base}-{int(count or 0) + 1:06}"
        os.rename(self.path, self.path.with_name(f"{self.path.name}.{stamp}"))
        self._begin(lambda: numbers)
        for path in self.rotated()[: -self._keep or None]:
            path.unlink()

    def rotated(self) -> list[Path]:
        """The files rotated away, oldest first."""
        return sorted(self.path.parent.glob(self.path.name + ".[0-9]*"), key=_unpacked)

    def checkpoint(self, numbers: Numbers) -> None:
        """Keep `numbers`, which hold for everything written so far."""
        device, inode = self._identity
        kept = {"device": device, "inode": inode, "offset": self._size, "numbers": numbers}
        path = self._checkpoint_path()
        new = path.with_name(path.name + ".new")
        with open(new, "w") as file:
            json.dump(kept, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)

    def recover(self, known: Numbers) -> tuple[Numbers, Iterator[bytes]]:
        """Numbers, and every line written since they held, oldest first.

        The numbers are `known`, what holds for the last write of this process; at a start those of the checkpoint;
        and none with every line there is, if the file they hold for is gone.
        """
        files = [*self.rotated(), self.path]
        for identity, offset, numbers in self._marks(known):
            for at, path in enumerate(files):
                found = path.stat()
                if (found.st_dev, found.st_ino) == identity and found.st_size >= offset:
                    return numbers, _lines([(path, offset)] + [(later, 0) for later in files[at + 1 :]])
        return {}, _lines([(path, 0) for path in files])

    def mend(self) -> None:
        """After a failure: open the file anew, and make durable whatever is in it.

        A failed sync may leave pages that are no longer waiting to be written and never were: what reads well from
        memory would be gone after a power cut, and no later sync would tell. So everything since the last good sync
        is written once more, in its place.
        """
        free = self._disk.statvfs(self.path.parent)
        if free.f_bavail * free.f_frsize < ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.open()
        identity, offset = self._synced or (self._identity, 0)
        self._write_again(offset if identity == self._identity else 0)  # it was begun since, and nothing of it is safe

    def _write_again(self, offset: int) -> None:
        if offset >= self._size:
            return
        file = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)  # not for appending: that would not write in place
        try:
            for start in range(offset, self._size, ROOM):
                self._disk.pwrite(file, os.pread(self._file, min(ROOM, self._size - start), start), start)
            self._disk.fdatasync(file)
        finally:
            os.close(file)

    def _turn_over(self, numbers: Callable[[], Numbers]) -> None:
        now = self._clock()
        if self._file < 0 or not self._named or (now - self._looked >= LOOK_EVERY and self._moved()):
            self._begin(numbers)
        elif self.wants_rotation():
            try:
                self.rotate(numbers())
                self.complaint = ""
            except OSError as problem:
                if self._file < 0 or not self._named:
                    raise
                self.complaint = f"cannot be rotated: {problem}"
                self._rotates_after = now + RETRY

    def _begin(self, numbers: Callable[[], Numbers]) -> None:
        """Open whatever file has the name now. If that is another one, its checkpoint says what went before it."""
        before = self._identity
        self.open()
        if self._identity != before:
            try:
                self.checkpoint(numbers())  # those moved aside may now be moved on, packed or removed
            except OSError as problem:
                self.complaint = f"has no checkpoint: {problem}"

    def _marks(self, known: Numbers) -> Iterator[tuple[tuple[int, int], int, Numbers]]:
        if self._synced is not None:
            yield *self._synced, known
        try:
            kept = json.loads(self._checkpoint_path().read_text())
            yield (kept["device"], kept["inode"]), int(kept["offset"]), kept["numbers"]
        except (OSError, ValueError, KeyError, TypeError):
            return

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = self._disk.write(self._file, view)
            self._size += written
            view = view[written:]

    def _moved(self) -> bool:
        self._looked = self._clock()
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return True
        return (found.st_dev, found.st_ino) != self._identity

    def _checkpoint_path(self) -> Path:
        """Hidden: whoever says `events.jsonl*` means events files."""
        return self.path.with_name(f".{self.path.name}.checkpoint")


def _lines(places: list[tuple[Path, int]]) -> Iterator[bytes]:
    for path, offset in places:
        with open(path, "rb") as file:
            file.seek(offset)
            yield from file


def _unpacked(path: Path) -> str:
    """Its name before somebody packed it: what sorts as files came."""
    return path.name.removesuffix(".gz")
