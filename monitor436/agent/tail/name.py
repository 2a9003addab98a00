"""The name of a log: which file has it now."""

import os
from collections.abc import Callable

from monitor436.agent.tail.logfile import File
from monitor436.agent.tail.regular import Unreadable

AGAIN = 5.0  # seconds after which it is tried again to open a file that could not be opened and has not changed


class Name:
    """A path that files have one after another. Arguments are as for Follower."""

    def __init__(self, path: str, refusal: "Callable[[str], str]", clock: "Callable[[], float]") -> None:
        self.path = path
        self.problem = ""  # why the file that has it cannot be read, as a sentence
        self.found = None  # type: os.stat_result | None  # what the last look found
        self._refusal = refusal
        self._clock = clock
        self._refused = (0.0, (0, 0, 0))  # when which file could not be opened

    def look(self) -> "os.stat_result | None":
        """What there is by that name; None if nothing is, or if nobody can tell: then there is a `problem`."""
        self.found = None
        try:
            self.found = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            self.problem = ""
        except OSError as problem:
            self.problem = str(problem.strerror)
        if self.found is not None and _version(self.found) != self._refused[1]:
            self.problem = ""
        return self.found

    def open(self, found: os.stat_result) -> "File | None":
        """Open the file that was found; None if that cannot be done, or if it is gone by now."""
        when, refused = self._refused
        if self.problem and refused == _version(found) and self._clock() - when < AGAIN:
            return None
        self.problem = ""
        try:
            return File(self.path, self._refusal)
        except FileNotFoundError:
            return None
        except Unreadable as problem:
            self.problem = str(problem)
            self._refused = (self._clock(), _version(found))
            return None


def _version(found: os.stat_result) -> "tuple[int, int, int]":
    """What is another one when it may be worth to try again."""
    return found.st_dev, found.st_ino, found.st_ctime_ns
