"""The files that one `log` of a plan stands for."""

import os
import time
from collections.abc import Callable

from monitor436.agent.tail.company import ALONE
from monitor436.agent.tail.follow import Follower
from monitor436.agent.tail.neighbours import Neighbours
from monitor436.agent.tail.pattern import WILD, Pattern
from monitor436.agent.tail.rotated import unrotated

MOST = 400  # files of one pattern that are followed
QUIET = 3600.0  # seconds after which a file to which nothing came makes room for a newer one, if there are too many
LATELY = 30.0  # seconds after the last line in which a pattern is not idle
BUDGET = 0.05  # seconds of one read, about: there may be many files, and others wait
MOST_TOLD = 20  # files of which it is known without looking at them whether they are written to
MOST_LINKS = 8  # from one name to the next
SEARCHES = 3  # at once, if there were places left because some of the newest files were rotated away from others
SHARE = 16384  # bytes that each file may give in one read, however many there are

NOT_THERE = "there is no such file any more"


class Watched:
    """The files that `log` stands for: the one at that path, or those that match if it is a pattern.

    `kept` is what the agent kept, by key: the path, or for each file of a pattern the pattern, a tab and the path; the
    pattern itself stands for having been looked for before, so that files which come later are read from their start.
    `refusal(path)` gives the sentence why this host does not let the file at that path, without links, be read, or "".
    `breathe()` is called during a long search.
    """

    def __init__(
        self,
        log: str,
        kept: "dict[str, object]",
        refusal: "Callable[[str], str]",
        clock: "Callable[[], float]" = time.monotonic,
        breathe: "Callable[[], None]" = lambda: None,
    ) -> None:
        self.more = False  # there is more to be read at once
        self._log = log
        self._refusal = refusal
        self._clock = clock
        self._followers = {}  # type: dict[str, Follower]
        self._pattern = Pattern(log, clock, breathe) if WILD.search(log) else None
        self._company = ALONE if self._pattern is None else Neighbours(self._followers.values())
        self._news = []  # type: list[tuple[str, str, str]]
        self._problems = {}  # type: dict[str, str]  # by path, as they were told
        self._forgotten = set()  # type: set[str]  # keys
        self._lately = {}  # type: dict[str, float]  # when the last lines came, by path
        self._next = 0  # who is the first in the next read
        self._busy = 0  # how many had more in the last one
        self._searched = kept.get(log) is not None
        self._many = self._told_many = _says_many(kept.get(log))
        self._changed = False
        if self._pattern is None:
            self._follow(log, kept.get(log))
        else:
            self._resume(kept)

    @property
    def certain(self) -> bool:
        """Whether everything was read: no file has more, none is unreadable, none is left out."""
        return not (self.more or self._problems or self._many)

    @property
    def problems(self) -> "set[str]":
        """The paths that were told to be unreadable and are so."""
        return set(self._problems)

    def read(self, limit: int = 262144) -> "list[tuple[str, bytes]]":
        """(path, whole lines) of the files that have something new, at most about `limit` bytes altogether.

        A busy file does not keep the others waiting, and of one file the old lines come before the new ones.
        """
        self.more = False
        if self._pattern is not None:
            self._search(self._pattern)
        blocks = []  # type: list[tuple[str, bytes]]
        paths, share = list(self._followers), max(SHARE, limit // max(1, self._busy))
        late, self._busy = time.monotonic() + BUDGET, 0
        for number in range(len(paths)):
            path = paths[(self._next + number) % len(paths)]
            follower = self._followers[path]
            block = follower.take(min(share, limit))
            if block:
                blocks.append((path, block))
                limit -= len(block)
                self._lately[path] = self._clock()
            self._look_at(follower)
            self._busy += follower.more
            if limit <= 0 or time.monotonic() > late:  # the next read begins with the next file
                self._next = (self._next + number + 1) % len(paths)
                self.more = number + 1 < len(paths)
                break
        self.more = self.more or self._busy > 0
        return blocks

    def news(self) -> "list[tuple[str, str, str]]":
        """(kind, path, sentence) of what changed since the last call.

        Kinds are "gap" (lines that cannot be had), "unreadable", "readable" (the sentence may be empty), and "many" (a
        pattern for more files than are followed).
        """
        news, self._news = self._news, []
        return news

    def positions(self) -> "dict[str, object]":
        """By key, what changed since `kept` was called last; None for files that are gone for good."""
        changed = dict.fromkeys(self._forgotten)  # type: dict[str, object]
        for path, follower in self._followers.items():
            position = follower.position() if follower.changed else None
            if position is not None:
                changed[self._key(path)] = position
        if self._changed:
            changed[self._log] = {"many": self._many}
        return changed

    def kept(self) -> None:
        """What `positions` gave is kept now."""
        self._forgotten.clear()
        self._changed = False
        for follower in self._followers.values():
            follower.changed = False

    def folders(self) -> "set[str]":
        """Where something happens when a file is written to, or another one comes; empty if those are too many."""
        found = set() if self._pattern is None else set(self._pattern.folders())
        if len(self._followers) > MOST_TOLD or (self._pattern is not None and not found):
            return set()
        for path in self._followers:
            for _ in range(MOST_LINKS):
                found.add(os.path.dirname(path))
                try:
                    path = os.path.join(os.path.dirname(path), os.readlink(path))
                except OSError:  # it is no link
                    break
        return found

    def close(self) -> None:
        """Let go of the files."""
        for follower in self._followers.values():
            follower.close()

    def _key(self, path: str) -> str:
        return self._log if self._pattern is None else self._log + "\t" + path

    def _look_at(self, follower: Follower) -> None:
        """What there is to tell of a file."""
        path = follower.path
        self._news += [("gap", path, gap) for gap in follower.gaps]
        follower.gaps.clear()
        self._tell(path, follower.problem)
        if self._pattern is not None and follower.is_empty and path not in self._pattern.rotated:
            self._forget(path)

    def _tell(self, path: str, problem: str) -> None:
        """Tell of a problem when it begins, changes or ends."""
        if problem == self._problems.get(path, ""):
            return
        if problem:
            self._problems[path] = problem
            self._news.append(("unreadable", path, problem))
        else:
            del self._problems[path]
            self._news.append(("readable", path, "" if os.path.exists(path) else NOT_THERE))

    def _follow(self, path: str, position: object = None, fresh: bool = False) -> Follower:
        follower = Follower(path, position, self._refusal, self._company, self._clock, fresh)
        self._followers[path] = follower
        self._lately[path] = self._clock()
        self._forgotten.discard(self._key(path))
        return follower

    def _forget(self, path: str) -> None:
        self._followers.pop(path).close()
        self._forgotten.add(self._key(path))
        self._tell(path, "")
        del self._lately[path]

    # The files of a pattern.

    def _resume(self, kept: "dict[str, object]") -> None:
        """Go on with the files that are known: first those of which it is plain which they are."""
        for key, position in kept.items():
            if key.startswith(self._log + "\t") and position is not None:
                self._follow(key[len(self._log) + 1 :], position)
        for follower in self._followers.values():
            try:
                follower.begin(in_place=True)
            except OSError:  # it will be told when it is read
                pass

    def _search(self, pattern: Pattern) -> None:
        """Look for files that have come, if it is time."""
        now = self._clock()
        if not pattern.is_due(idle=all(now - then > LATELY for then in self._lately.values())):
            return
        blind = tuple(folder + "/" for folder in pattern.problems)
        for _ in range(SEARCHES):
            found = pattern.search(self._followers, max(1, MOST - len(self._followers)))
            paths = {path for _, path, _ in found}.union(self._followers)
            for when, path, seen in found:
                if unrotated(path) not in paths and (len(self._followers) < MOST or self._make_room(when)):
                    was_there = seen or not self._searched or path.startswith(blind)
                    self._follow(path, fresh=not was_there)
            if len(self._followers) == MOST or paths.issubset(self._followers):
                break
        self._many = pattern.unknown > sum(path in self._followers for _, path, _ in found)
        if self._many and not self._told_many:
            text = "{} files match, of which {} are followed".format(pattern.total, MOST)
            self._news.append(("many", self._log, text))
        if self._many != self._told_many or not self._searched:
            self._changed = True
        self._told_many = self._many
        self._searched = True
        for folder in [each for each in self._problems if each not in self._followers and each not in pattern.problems]:
            self._tell(folder, "")
        for folder, problem in pattern.problems.items():
            self._tell(folder, problem)

    def _make_room(self, when: int) -> bool:
        """Do without a file to which nothing came for long, for one that was written to at `when`, in ns."""
        path = min(self._lately, key=lambda path: self._lately[path])
        if self._clock() - self._lately[path] < QUIET or _time(path) >= when:
            return False
        self._forget(path)
        return True


def _says_many(kept: object) -> bool:
    return isinstance(kept, dict) and bool(kept.get("many"))


def _time(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
