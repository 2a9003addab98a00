"""A log, followed by its name through rename, truncation, late writers and a name that is a link.

A position is a list of file states, oldest first: what is still to be read of files that were rotated away, then the
present file.
"""

import os
import stat

from monitor436.agent.logfile import File, Unreadable

PATIENCE = 10  # reads without anything new after which a file that was rotated away is let go
MAX_SIBLINGS = 100  # files beside a log that are looked at for what it was before a restart
MAX_OLD = 16  # files rotated away that are waited for at once


class Follower:
    """The lines of the file at `path`, whichever file that is. `position` is one that `read` gave, or None.

    Without a position, reading starts at the end of a file that is there, and at the start of one that comes later.
    While the file cannot be opened nothing is decided: the position stays what it was.
    """

    def __init__(self, path: str, position: "list[dict[str, object]] | None" = None) -> None:
        self.path = path
        self.problem = ""  # why the file cannot be read, as a sentence
        self.more = False  # the last read stopped at its limit
        self._old = []  # type: list[File]
        self._file = None  # type: File | None
        self._given = position
        self._begun = False
        self._begin()

    def read(self, limit: int = 262144) -> "tuple[list[bytes], list[dict[str, object]] | None]":
        """The next complete lines, and the position after them: first what is left of files rotated away."""
        if self._begun:
            self._notice_rotation()
        else:
            self._begin()
        self.more = False
        lines = []  # type: list[bytes]
        for file in self._files():
            lines += self._take(file, limit)
            if file.more:  # the rest of this one comes before anything of the next
                self.more = True
                return lines, self.position()
        return lines + self._let_go(), self.position()

    def position(self) -> "list[dict[str, object]] | None":
        """Where reading stands, as JSON-able data; None while nothing was ever seen of the file."""
        return [file.state() for file in self._files()] if self._begun else self._given

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files():
            file.close()

    def _files(self) -> "list[File]":
        return self._old + ([self._file] if self._file is not None else [])

    def _begin(self) -> None:
        """Find the place to start at; tried again as long as the file cannot be opened."""
        self._file = self._open()
        if self.problem:
            return
        self._begun = True
        if self._given is not None:
            self._resume(self._given)
        elif self._file is not None:
            self._file.to_end()

    def _resume(self, states: "list[dict[str, object]]") -> None:
        """Go on in the present file, or in what it was renamed to while nobody looked; a new one is read whole."""
        known = False
        for state in states:
            if self._file is not None and self._file.continues(state):
                known = True
                continue
            file = _find(_siblings(self.path), state)
            if file is not None:
                self._old.append(file)
        if self._old and not known:
            self._old += self._passed_by(self._old[-1])

    def _take(self, file: File, limit: int) -> "list[bytes]":
        file.more = False
        try:
            if file is self._file and file.was_rewritten():
                return self._take_copy(file, limit)
            lines = file.read(limit)
        except OSError as problem:
            self.problem = str(problem.strerror)
            return []
        if lines:
            file.idle = 0
        return lines

    def _take_copy(self, file: File, limit: int) -> "list[bytes]":
        """The file was truncated. If it was copied before (logrotate's copytruncate), its rest is in the copy."""
        copy = _find(_siblings(self.path), file.state())
        file.restart()
        if copy is None:
            return file.read(limit)
        self._old.append(copy)
        file.more = True  # to be read after the copy
        return []

    def _let_go(self) -> "list[bytes]":
        """Everything was read to its end: files to which nothing came for long enough are done with."""
        lines = []  # type: list[bytes]
        surplus = len(self._old) - MAX_OLD
        for number, file in enumerate(list(self._old)):
            file.idle += 1
            if file.idle > PATIENCE or number < surplus:
                lines += file.rest()
                self._old.remove(file)
                file.close()
        return lines

    def _notice_rotation(self) -> None:
        """If the name stands for another file now, that one is next; the one before is read on for a while."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            self.problem = ""
            return
        except OSError as problem:
            self.problem = str(problem.strerror)
            return
        self.problem = ""
        identity = (found.st_dev, found.st_ino)
        before = self._file
        if before is not None and before.identity == identity:
            return
        back = [file for file in self._old if file.identity == identity]
        opened = back[0] if back else self._open()
        if opened is None:
            return
        self._file = opened
        if back:
            self._old.remove(opened)
        if before is not None:
            before.idle = 0
            self._old.append(before)
            self._old += self._passed_by(before)

    def _passed_by(self, before: File) -> "list[File]":
        """Files that had the name after `before` and lost it again before anybody looked, oldest first."""
        ages = {}
        for path in _siblings(self.path):
            age = _age(os.path.basename(path), os.path.basename(self.path))
            if age is not None:
                ages[path] = age
        mine = [age for path, age in ages.items() if _identity(path) == before.identity]
        if not mine:
            return []
        known = {file.identity for file in self._files()}
        missed = sorted((age, path) for path, age in ages.items() if age > mine[0] and _identity(path) not in known)
        return [file for file in (_opened(path) for _, path in missed) if file is not None]

    def _open(self) -> "File | None":
        self.problem = ""
        try:
            return File(self.path)
        except FileNotFoundError:
            return None
        except Unreadable as problem:
            self.problem = str(problem)
            return None


def _find(paths: "list[str]", state: "dict[str, object]") -> "File | None":
    for path in paths:
        file = _opened(path)
        if file is None:
            continue
        try:
            if file.continues(state):
                return file
        except OSError:
            pass
        file.close()
    return None


def _opened(path: str) -> "File | None":
    try:
        return File(path)
    except (OSError, Unreadable):
        return None


def _identity(path: str) -> "tuple[int, int] | None":
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _age(name: str, base: str) -> "int | None":
    """How new a rotated file is by its name, log.2 < log.1 and log-20240101 < log-20240102; None for other names."""
    digits = name[len(base) + 1 :].replace("-", "")
    if not name.startswith((base + ".", base + "-")) or not digits.isdecimal():
        return None
    return int(digits) if len(digits) >= len("20240101") else -int(digits)


def _siblings(path: str) -> "list[str]":
    """The files beside `path`, where rotation may have put what it was, newest first."""
    folder = os.path.dirname(os.path.realpath(path))
    found = []
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    for name in names:
        try:
            each = os.stat(os.path.join(folder, name))
        except OSError:  # a link to nowhere, or gone since
            continue
        if stat.S_ISREG(each.st_mode):
            found.append((each.st_mtime, os.path.join(folder, name)))
    return [each for _, each in sorted(found, reverse=True)[:MAX_SIBLINGS]]
