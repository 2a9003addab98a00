"""What a log was renamed, copied or compressed to: files beside it that may hold what its name no longer leads to."""

import os
import re
import stat
from collections import namedtuple
from collections.abc import Callable

from monitor436.agent.tail.gz import SUFFIX, Compressed
from monitor436.agent.tail.logfile import File
from monitor436.agent.tail.regular import Unreadable, anything

COMPRESSED = (SUFFIX, ".bz2", ".xz", ".zst", ".lz4", ".zip")
MAX_BESIDE = 100  # files beside a log that are looked at, the newest
APART = 60e9  # nanoseconds between rotations from which on times tell in which direction their names count

Beside = namedtuple(
    "Beside", "path age time identity"
)  # how new a file is: by its name (None: no telling), by its time

_COUNT = re.compile(r"(\.[0-9]{1,3}|(?<=\.log)-[0-9]{1,3}|[.-][0-9][0-9._:T-]{6,}[0-9])\Z")
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
        folder, base = os.path.split(real)
        self._like = base if base != os.path.basename(path) and _NUMBERS.search(base) else ""  # files a link leads to
        try:
            self._files = _beside(folder, {base, os.path.basename(path)}, self._like, inodes)
        except OSError as problem:
            self._files = []
            self.problems.append("{}: {}".format(folder, problem.strerror))

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

    def still_has(self, state: "dict[str, object]", found: "File | None") -> bool:
        """Whether the very file of which `state` was taken is there, but is not the one that was found."""
        for each in self._files:
            first = each.identity == (state.get("device"), state.get("inode")) and state.get("generation")
            if first and (found is None or found.identity != each.identity):
                file = self._opened(each.path)
                if file is not None:
                    file.close()
                    return file.is_same(state)
        return False

    def since(
        self,
        present: "File | None",
        is_known: "Callable[[File], bool]",
        is_next: "Callable[[File], bool]",
        all_new: bool = False,
    ) -> "list[File | tuple[int, int] | None] | None":
        """The files that were rotated away after the newest one that is known, oldest first.

        `present` is none of them, nor is what it is being copied to. Of files for which `is_next` holds, because
        they are known but what comes before them is not, it is only the identities; None for one that was compressed
        when it was empty. If none is known it is all of them, provided that `all_new` says so, or else None: nobody
        can tell.
        """
        files = []  # type: list[File | tuple[int, int] | None]
        for each in self._older_than(present):
            file = self._opened(each.path)
            if file is None:
                if each.path.endswith(COMPRESSED) and not all_new:
                    break  # it may be the one that is known
            elif is_next(file):
                files.append(file.identity)
                file.close()
            elif is_known(file):
                file.close()
                return files[::-1]
            elif not (file.grows or file.at(0, 1)):
                file.close()
                files.append(None)
            elif present is not None and is_copy(file, present):
                file.close()
            else:
                file.restart()
                files.append(file)
        else:
            if all_new:
                return files[::-1]
        for left in files:
            if isinstance(left, File):
                left.close()
        return None

    def newest(self, present: "File | None") -> "dict[str, object] | None":
        """The state of the newest one but `present`: what comes later is newer. It counts as read to its end."""
        for each in self._older_than(present):
            file = self._opened(each.path)
            state = {"offset": 0, "print": "", "device": each.identity[0], "inode": each.identity[1]}
            if file is not None:
                try:
                    copy = present is not None and present.is_copied_to(file)
                    if not self._is_taken(each.identity):  # else whoever follows it knows how far it is read
                        file.to_end()
                    state = file.state()
                except OSError:
                    copy = False
                file.close()
                if copy:
                    continue
            return state
        return None

    def _older_than(self, present: "File | None") -> "list[Beside]":
        aged = self._by_age()
        for place, each in enumerate(aged):
            if present is not None and each.identity == present.identity:
                return aged[place + 1 :] if self._like else aged[:place] + aged[place + 1 :]
        return aged

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
    name = _plain(name)
    stem, extension = os.path.splitext(base)
    if name.startswith(base):
        count = name[len(base) :]
    elif extension and name.startswith(stem) and name.endswith(extension):
        count = name[len(stem) : -len(extension)]
    else:
        return None
    if not _COUNTED.match(count):
        return None
    numbers = _numbers(count)
    return (-numbers[0],) if len(numbers) == 1 and numbers[0] < _NUMBER else numbers


def unrotated(path: str) -> str:
    """What a file was called before it was rotated away and got a number or a date at its end; "" if it has none.

    Others, such as worker-1.log beside worker.log, are as likely to be logs of their own.
    """
    found = _COUNT.search(path)
    return "" if found is None else path[: found.start()]


def is_copy(file: File, of: File) -> bool:
    """Whether a file holds what another one holds, and no more."""
    try:
        return of.is_copied_to(file)
    except OSError:
        return False


def _is_like(name: str, other: str) -> bool:
    """Whether only numbers make the difference."""
    return _NUMBERS.sub("0", _plain(name)) == _NUMBERS.sub("0", other)


def _numbers(name: str) -> "tuple[int, ...]":
    return tuple(int(number) for number in _NUMBERS.findall(name))


def _plain(name: str) -> str:
    """The name that a compressed file had before."""
    return next((name[: -len(suffix)] for suffix in COMPRESSED if name.endswith(suffix)), name)


def _beside(folder: str, bases: "set[str]", like: str, inodes: "tuple[object, ...]") -> "list[Beside]":
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            alike = like and _is_like(entry.name, like)
            related = alike or any(is_related(entry.name, base) for base in bases)
            if not related and entry.inode() not in inodes:
                continue
            try:
                each = entry.stat()
            except OSError:  # a link to nowhere, or gone since
                continue
            if stat.S_ISREG(each.st_mode):
                ages = [_numbers(entry.name)] if alike else [age(entry.name, base) for base in bases]
                identity = (each.st_dev, each.st_ino)
                found.append(
                    Beside(entry.path, next((known for known in ages if known), None), each.st_mtime_ns, identity)
                )
    paths = {each.path for each in found}
    whole = [each for each in found if not _is_being_compressed(each.path, paths)]
    return sorted(whole, key=lambda each: -each.time)[:MAX_BESIDE]


def _is_being_compressed(path: str, paths: "set[str]") -> bool:
    """Whether what it is made of is still there."""
    return _plain(path) != path and _plain(path) in paths


def _open(path: str, refusal: "Callable[[str], str]") -> File:
    return Compressed(path, refusal) if path.endswith(SUFFIX) else File(path, refusal)


def _continues(file: File, state: "dict[str, object]") -> bool:
    try:
        return file.continues(state)
    except OSError:
        return False
