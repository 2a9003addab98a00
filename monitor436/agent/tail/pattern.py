"""The files that match a shell pattern, looked for again only when that is worth it."""

import fnmatch
import heapq
import os
import re
import time
from collections.abc import Callable, Collection, Iterator

from monitor436.agent.tail.logfile import SETTLED
from monitor436.agent.tail.rotated import COMPRESSED, unrotated

LOOK_AGAIN = 10.0  # seconds after which folders are searched although none has changed
LOOK_IDLE = 30.0  # the same while nothing comes from the files
DEAR = 0.01  # seconds from which on a search takes so long that it is not done whenever a folder changes
SHARE = 20  # one part in so many of the time goes, at most, into such searches
BREATHE = 5000  # files, in which nobody grows impatient
FOLDERS = 100  # whose times are looked at; where there are more, only time tells when to search again
WILD = re.compile(r"[*?\[]")
_SLOTS = 1 << 19  # of a filter that remembers names: if it has 10,000, one unknown name in 50 seems to be among them


class Pattern:
    """A pattern such as /var/log/*/app-*.log. A name that starts with a dot is matched only by a dot.

    Compressed files do not match, nor does what is no regular file. `breathe()` is called during a long search.
    """

    def __init__(
        self, pattern: str, clock: "Callable[[], float]", breathe: "Callable[[], None]" = lambda: None
    ) -> None:
        self._breathe = breathe
        self.problems = {}  # type: dict[str, str]  # folders that could not be searched, and why
        self.total = self.unknown = 0  # files that matched at the last search, and of these those that nobody knew
        self.rotated = set()  # type: set[str]  # known ones from which others were rotated away
        parts = pattern.split("/")
        fixed = next(number for number, part in enumerate(parts) if WILD.search(part))
        self._root = "/".join(parts[:fixed]) or "/"
        self._parts = [_part(part) for part in parts[fixed:]]
        self._clock = clock
        self._at = 0.0  # when the last search was
        self._began = self._took = -1.0  # the same, and how long it took, by the real clock
        self._folders = {}  # type: dict[str, int]  # their times then
        self._changed = 0.0  # when these times were first seen, by the real clock
        self._seen = b""  # type: bytes | bytearray

    def folders(self) -> "list[str]":
        """The folders in which files that match may come; none if they are many, or nobody has looked yet."""
        return list(self._folders)

    def is_due(self, idle: bool) -> bool:
        """Whether it is time for a search: a folder has changed, or nobody has searched for long."""
        if self._took < 0:
            return True
        if self._clock() - self._at >= max(LOOK_IDLE if idle else LOOK_AGAIN, self._took * SHARE * SHARE):
            return True
        if self._took > DEAR and time.monotonic() - self._began < self._took * SHARE:
            return False
        if self._began < self._changed + SETTLED:  # the folder may have changed since without another time
            return True
        return any(_time(folder) != then for folder, then in self._folders.items())

    def search(self, known: "Collection[str]", most: int) -> "list[tuple[int, str, bool]]":
        """The newest files that match and are not `known`, at most `most` (which is at least 1), newest first.

        What was rotated away from a known one is known too. Each is (time in ns, path, whether it seems to have been
        there at the last search, and was not known).
        """
        self._began = time.monotonic()
        before, self._folders = self._folders, {}
        seen, self._seen = self._seen, b""
        self.problems, self.total, self.unknown, self.rotated = {}, 0, 0, set()
        found = self._newest(known, most)
        if len(self._folders) > FOLDERS:
            self._folders = {}
        if self._folders != before:
            self._changed = self._began
        self._took = time.monotonic() - self._began
        self._at = self._clock()
        return [(when, path, bool(seen) and bool(seen[hash(path) % _SLOTS])) for when, path in found]

    def _newest(self, known: "Collection[str]", most: int) -> "list[tuple[int, str]]":
        found = []  # type: list[tuple[int, str]]
        seen = bytearray(_SLOTS)
        for entry in self._walk(self._root, 0):
            path = entry if isinstance(entry, str) else entry.path
            self.total += 1
            if not self.total % BREATHE:
                self._breathe()
            if path in known:
                continue
            before = unrotated(path)
            if before in known:
                self.rotated.add(before)
                continue
            self.unknown += 1
            try:
                when = (os.stat(path) if isinstance(entry, str) else entry.stat()).st_mtime_ns
            except OSError:  # gone since
                continue
            seen[hash(path) % _SLOTS] = 1
            if len(found) < most:
                heapq.heappush(found, (when, path))
            else:
                self._seen = seen
                heapq.heappushpop(found, (when, path))
        return sorted(found, reverse=True)

    def _walk(self, folder: str, depth: int) -> "Iterator[str | os.DirEntry[str]]":
        part, is_last = self._parts[depth], depth + 1 == len(self._parts)
        if isinstance(part, str) and not is_last:
            yield from self._walk(os.path.join(folder, part), depth + 1)
            return
        self._folders[folder] = _time(folder)  # before it is read
        if isinstance(part, str):
            if os.path.isfile(os.path.join(folder, part)):
                yield os.path.join(folder, part)
            return
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not part(entry.name):
                        continue
                    if not is_last:
                        if _is(entry.is_dir):
                            yield from self._walk(entry.path, depth + 1)
                    elif not entry.name.endswith(COMPRESSED) and _is(entry.is_file):
                        yield entry
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as problem:
            self.problems[folder] = str(problem.strerror)


def _part(part: str) -> "str | Callable[[str], object]":
    """What one part of a pattern matches: a name, or whatever the function says."""
    if not WILD.search(part):
        return part
    return re.compile(("" if part.startswith(".") else r"(?!\.)") + fnmatch.translate(part)).match


def _is(ask: "Callable[[], bool]") -> bool:
    try:
        return ask()
    except OSError:  # a loop of links
        return False


def _time(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0
