"""A small disk for one machine: it can be full, fail, and forget at a power cut what was never synced.

It is a tmpfs, so what must be remembered beyond a power cut is reckoned here, from what `shim.c` notes in the processes
that use it. The model is stricter than most file systems: bytes behind the last fsync of a file are gone or torn, and
of the files that were made, renamed and removed in a folder since its last fsync only the first few are. An fsync of a
file keeps its own name as well. A failing fsync loses what was to be synced, also for the next one, see fsync(2).
"""

import errno
import os
import random
import shutil
import struct
import subprocess
import sys
import unittest
from pathlib import Path
from typing import NamedTuple

SHIM = Path(__file__).with_name("shim.c")
WRITE, FSYNC, OPEN, RENAME, HALF = 1, 2, 4, 8, 16  # as in shim.c
ROOM = 8192  # bytes of a full disk that stay free: a tmpfs has none for a new name otherwise


class Change(NamedTuple):
    """What happened to a name, and is not kept yet: "C" made, "R" renamed to `path`, "U" removed."""

    what: str
    folder: str
    inode: int
    path: str
    old: str = ""
    shadow: str = "-"


class Disk:
    """A file system of `size` bytes, mounted on the folder `at`. `shim` is the compiled shim; "" for a disk that only
    gets full. Raises OSError where mounting is not permitted."""

    def __init__(self, at: Path, size: int, shim: str) -> None:
        self.at = at
        self._beside = at.with_name(at.name + ".disk")
        self._shim = shim
        at.mkdir(parents=True)
        self._beside.mkdir()
        options = f"size={size},mode=0700"
        _mount("mount", "-t", "tmpfs", "-o", options, "m436-faults", str(at))
        self._shadows = at / ".shadows"
        self._shadows.mkdir(0o700)
        self._fails = self._beside / "fails"
        self._fails.write_bytes(bytes(12))
        self._journal = self._beside / "journal"
        self._forget()

    def prefix(self) -> list[str]:
        """What to put before a command that uses this disk."""
        if not self._shim:
            return []
        names = {"DISK": self.at, "FAILS": self._fails, "JOURNAL": self._journal, "SHADOWS": self._shadows}
        return ["env", f"LD_PRELOAD={self._shim}", *(f"M436_{name}={path}" for name, path in names.items())]

    def fill(self) -> None:
        """Take all the room there is."""
        with open(self.at / ".filler", "ab") as file:
            while (size := _free(self.at) - ROOM) > 0:
                try:
                    os.posix_fallocate(file.fileno(), file.tell(), size)
                except OSError as problem:  # somebody else took some of it at this moment
                    if problem.errno != errno.ENOSPC:
                        raise
                file.seek(0, os.SEEK_END)

    def clear(self) -> None:
        """Give it back."""
        (self.at / ".filler").unlink(missing_ok=True)

    def fail(self, what: int, chance: float, number: int = errno.EIO) -> None:
        """From now on these calls fail that often."""
        with open(self._fails, "r+b") as file:
            file.write(struct.pack("III", what, number, int(chance * 1_000_000)))

    def heal(self) -> None:
        """None of them does."""
        self.fail(0, 0.0)

    def tidy(self) -> None:
        """Read what was noted, and remove what nobody will ask for again."""
        with open(self._journal, "rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                self._note(line.decode().rstrip("\n").split("\t"))
        wanted = {change.shadow for change in self._changes}
        for path in self._shadows.iterdir():
            if str(path) not in wanted and path.name in self._known:
                path.unlink()

    def cut_power(self, dice: random.Random) -> int:
        """The processes are dead: take back what was not synced; how many bytes and names that was."""
        self.tidy()
        forgotten = self._forget_names(dice) + self._forget_bytes(dice)
        shutil.rmtree(self._shadows)
        self._shadows.mkdir(0o700)
        self._forget()
        return forgotten

    def close(self) -> None:
        """Remove it."""
        subprocess.run(["umount", "-l", str(self.at)], check=False)

    def _forget(self) -> None:
        """All that is there is safe."""
        self._journal.write_bytes(b"")
        self._read = 0
        self._synced = {found.st_ino: found.st_size for found in (path.stat() for path in self._files())}
        self._broken: dict[int, tuple[int, int]] = {}  # from where to where a failing fsync lost bytes
        self._mended: dict[int, int] = {}  # up to where they were written again, if that is synced
        self._changes: list[Change] = []
        self._known: set[str] = set()  # shadows

    def _files(self) -> list[Path]:
        return [path for path in self.at.rglob("*") if path.is_file() and self._shadows not in path.parents]

    def _note(self, words: list[str]) -> None:
        what, *rest = words
        if what == "D":
            self._changes = [change for change in self._changes if change.folder != rest[0]]
            return
        inode = int(rest[0])
        if what == "F":
            self._synced[inode] = int(rest[1])
            self._break(inode, self._mended.pop(inode, 0))
            self._changes = [each for each in self._changes if each.inode != inode or each.what == "U"]
        elif what == "B":
            begin, size = self._synced.get(inode, int(rest[1])), int(rest[1])
            self._mended.pop(inode, None)
            before, end = self._broken.get(inode, (begin, size))
            self._broken[inode] = min(begin, before), max(size, end)
            self._break(inode)
        elif what == "T":
            size = int(rest[1])
            self._synced[inode] = min(self._synced.get(inode, size), size)
            self._break(inode, most=size)
        elif what == "P":
            begin, size = int(rest[1]), int(rest[2])
            if begin <= self._mended.get(inode, self._broken.get(inode, (-1, 0))[0]) < begin + size:
                self._mended[inode] = begin + size
        elif what == "C":
            self._synced[inode] = 0
            self._broken.pop(inode, None)
            self._changes.append(Change("C", os.path.dirname(rest[1]), inode, rest[1]))
        elif what in "RU":
            old, path, shadow = ("", *rest[1:]) if what == "U" else rest[1:]
            self._changes.append(Change(what, os.path.dirname(path), inode, path, old, shadow))
            self._known.add(os.path.basename(shadow))

    def _break(self, inode: int, least: int = 0, most: int = sys.maxsize) -> None:
        """Of what was lost in a file only what lies between these is lost still."""
        if inode in self._broken:
            begin, end = self._broken.pop(inode)
            if max(begin, least) < min(end, most):
                self._broken[inode] = max(begin, least), min(end, most)

    def _forget_names(self, dice: random.Random) -> int:
        folders = sorted({change.folder for change in self._changes})
        forgotten = 0
        for folder in folders:
            changes = [change for change in self._changes if change.folder == folder]
            for change in reversed(changes[dice.randrange(len(changes) + 1) :]):
                forgotten += 1
                if change.what == "C":
                    Path(change.path).unlink(missing_ok=True)
                    continue
                if change.what == "R":
                    os.rename(change.path, change.old)
                if change.shadow != "-":
                    os.rename(change.shadow, change.path)
        return forgotten

    def _forget_bytes(self, dice: random.Random) -> int:
        forgotten = 0
        for path in self._files():
            found = path.stat()
            begin, end = self._broken.get(found.st_ino, (0, 0))
            if end > begin and path.name != ".filler":
                with open(path, "r+b") as file:
                    file.seek(begin)
                    file.write(bytes(max(0, min(end, found.st_size) - begin)))
            synced = self._synced.get(found.st_ino, found.st_size)
            if synced < found.st_size:
                torn = dice.randrange(found.st_size - synced) if dice.random() < 0.5 else 0
                os.truncate(path, synced + torn)
                forgotten += found.st_size - synced - torn
        return forgotten


def made_shim(folder: Path) -> tuple[str, str]:
    """The compiled shim, and why there is none: one of the two is empty."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return "", "no C compiler: nothing fails or is forgotten here, disks only get full"
    made = folder / "shim.so"
    done = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(made), str(SHIM), "-ldl"], capture_output=True, text=True
    )
    return (str(made), "") if done.returncode == 0 else ("", f"the shim does not compile here: {done.stderr.strip()}")


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _mount(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise unittest.SkipTest(f"no small disks: {done.stderr.strip()}")
