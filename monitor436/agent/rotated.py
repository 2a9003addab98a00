"""What a log was renamed, copied or compressed to: files beside it that may hold what its name no longer leads to."""

import os
import re
import stat
from collections import namedtuple
from collections.abc import Callable

from monitor436.agent.gz import SUFFIX, Compressed
from monitor436.agent.logfile import File
from monitor436.agent.regular import Unreadable, anything

COMPRESSED = (SUFFIX, ".bz2", ".xz", ".zst", ".lz4", ".zip")
MAX_BESIDE = 100  # files beside a log that are looked at, the newest
APART = 60e9  # nanoseconds between rotations from which on times tell in which direction their names count

Beside = namedtuple(
    "Beside", "path age time identity"
)  # how new a file is: by its name (None: no telling), by its time

_COUNTED = re.compile(r"[._-][0-9][0-9._:T-]*\Z")
_NUMBERS = re.compile("[0-9]+")
_NUMBER = 10**5  # more than that is no count, but a date


class Rotated:
    """The files beside the log at `path`, as they are now. `inodes`: of files that count whatever their name is.

    `refusal(path)` is as for File; `is_taken(identity)` tells of files that somebody follows already.
    """

    def __init__(
        self,
        path: str,
        refusal: "Callable[[str], str]" = anything,
        is_taken: "Callable[[tuple[int, int]], bool]" = lambda identity: False,
        inodes: "tuple[object, ...]" = (),
    ) -> None:
        self.problems = []  # type: list[str]  # why files that may hold lines of the log could not be read
        self._refusal = refusal
        self._is_taken = is_taken
        real = os.path.realpath(path)
        bases = {os.path.basename(path), os.path.basename(real)}
        try:
            self._files = _beside(os.path.dirname(real), bases, inodes)
        except OSError as problem:
            self._files = []
            self.problems.append("{}: {}".format(os.path.dirname(real), problem.strerror))

    def find(self, state: "dict[str, object]") -> "File | None":
        """The file that holds what the one of which `state` was taken held, at the place where reading stopped."""
        first = (state.get("device"), state.get("inode"))
        for each in sorted(self._files, key=lambda each: (each.identity != first, -each.time)):
            file = None if self._is_taken(each.identity) else self._opened(each.path)
            if file is not None and _continues(file, state):
                return file
            if file is not None:
                file.close()
        return None

    def since(self, is_known: "Callable[[File], bool]", all_new: bool = False) -> "list[File] | None":
        """The files that were rotated away after the newest one that is known, oldest first.

        If none is known it is all of them, provided that `all_new` says so, or else None: nobody can tell.
        """
        files = []  # type: list[File]
        for each in self._by_age():
            file = self._opened(each.path)
            if file is not None and is_known(file):
                file.close()
                return files[::-1]
            if file is not None:
                file.restart()
                files.append(file)
            elif each.path.endswith(COMPRESSED) and not all_new:
                break  # it may be the one that is known
        else:
            if all_new:
                return files[::-1]
        for file in files:
            file.close()
        return None

    def newest(self) -> "dict[str, object] | None":
        """The state of the newest of them, read to its end: what comes later is newer than that."""
        for each in self._by_age()[:1]:
            file = self._opened(each.path)
            if file is not None:
                try:
                    file.to_end()
                    return file.state()
                except OSError:
                    pass
                finally:
                    file.close()
            return {"offset": 0, "print": "", "device": each.identity[0], "inode": each.identity[1]}
        return None

    def _by_age(self) -> "list[Beside]":
        """Those whose names tell how new they are, newest first."""
        aged = sorted((each for each in self._files if each.age is not None), key=lambda each: each.age, reverse=True)
        if len(aged) > 1 and all(len(each.age) == 1 and each.age[0] <= 0 for each in aged):
            times = [each.time for each in aged]  # by number, from the lowest
            if all(times[place] - times[place - 1] > APART for place in range(1, len(times))):
                return aged[::-1]
        return aged

    def _opened(self, path: str) -> "File | None":
        if path.endswith(COMPRESSED[1:]):
            self.problems.append("{} is compressed in a way that is not read here".format(path))
            return None
        try:
            try:
                return _open(path, self._refusal)
            except FileNotFoundError:
                return _open(path + SUFFIX, self._refusal)  # compressed at this very moment
        except FileNotFoundError:
            return None
        except Unreadable as problem:
            self.problems.append("{}: {}".format(path, problem))
            return None


def is_related(name: str, base: str) -> bool:
    """Whether a file of that name may have been made of one called `base`, as far as names tell."""
    stem, extension = os.path.splitext(base)
    return name != base and (
        name.startswith(base) or (bool(extension) and name.startswith((stem + ".", stem + "-", stem + "_")))
    )


def age(name: str, base: str) -> "tuple[int, ...] | None":
    """How new a rotated file is by its name: log.2 < log.1, log-20240101 < log-20240102; None for other names."""
    for suffix in COMPRESSED:
        if name.endswith(suffix):
            name = name[: -len(suffix)]
    stem, extension = os.path.splitext(base)
    if name.startswith(base):
        count = name[len(base) :]
    elif extension and name.startswith(stem) and name.endswith(extension):
        count = name[len(stem) : -len(extension)]
    else:
        return None
    if not _COUNTED.match(count):
        return None
    numbers = tuple(int(number) for number in _NUMBERS.findall(count))
    return (-numbers[0],) if len(numbers) == 1 and numbers[0] < _NUMBER else numbers


def _beside(folder: str, bases: "set[str]", inodes: "tuple[object, ...]") -> "list[Beside]":
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            related = any(is_related(entry.name, base) for base in bases)
            if not related and entry.inode() not in inodes:
                continue
            try:
                each = entry.stat()
            except OSError:  # a link to nowhere, or gone since
                continue
            if stat.S_ISREG(each.st_mode):
                ages = [age(entry.name, base) for base in bases]
                identity = (each.st_dev, each.st_ino)
                found.append(
                    Beside(entry.path, next((known for known in ages if known), None), each.st_mtime_ns, identity)
                )
    paths = {each.path for each in found}
    whole = [each for each in found if not _is_being_compressed(each.path, paths)]
    return sorted(whole, key=lambda each: -each.time)[:MAX_BESIDE]


def _is_being_compressed(path: str, paths: "set[str]") -> bool:
    """Whether what it is made of is still there."""
    return any(path.endswith(suffix) and path[: -len(suffix)] in paths for suffix in COMPRESSED)


def _open(path: str, refusal: "Callable[[str], str]") -> File:
    return Compressed(path, refusal) if path.endswith(SUFFIX) else File(path, refusal)


def _continues(file: File, state: "dict[str, object]") -> bool:
    try:
        return file.continues(state)
    except OSError:
        return False
